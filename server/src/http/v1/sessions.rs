//! A user's sessions.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app;
use crate::app::manage::Needs;
use crate::domain::id::SessionId;
use crate::domain::token::SessionSummary;
use crate::domain::user::UserName;
use crate::http::v1::{
    BadInput, Call, Missing, Page, Paging, Query, Refused, id, listing, managed, no_content, ok,
};

/// A live session.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01a0aaaa-0000-7000-8000-000000000003", "client": "shop", "amr": ["pwd", "otp", "mfa"],
    "address": "192.0.2.7", "started_at": "2026-12-01T08:00:00Z", "last_used_at": "2026-12-01T08:14:00Z",
    "ends_at": "2026-12-08T08:14:00Z"
}))]
pub(super) struct SessionView {
    /// A UUID; the `sid` of its tokens.
    id: String,
    /// The application's name.
    client: String,
    /// How the user was authenticated.
    amr: Vec<String>,
    /// From where.
    address: Option<String>,
    /// RFC 3339.
    started_at: String,
    /// RFC 3339: when it was last refreshed.
    last_used_at: String,
    /// RFC 3339.
    ends_at: String,
}

impl From<&SessionSummary> for SessionView {
    fn from(session: &SessionSummary) -> Self {
        Self {
            id: session.id.to_string(),
            client: session.client_name.clone(),
            amr: session.amr.split(' ').map(str::to_owned).collect(),
            address: session.address.clone(),
            started_at: session.started_at.to_string(),
            last_used_at: session.used_at.to_string(),
            ends_at: session.ends_at.to_string(),
        }
    }
}

/// Lists a user's live sessions, the youngest first.
#[utoipa::path(get, path = "/v1/users/{name}/sessions", tag = "sessions", operation_id = "listSessions",
    params(("name" = String, Path), Paging),
    responses((status = 200, body = Page<SessionView>), Refused, BadInput, Missing),
    security(("management" = ["users:read"])))]
pub(super) async fn list(call: Call, path: web::Path<String>) -> HttpResponse {
    listing(call, Needs::scope("users:read"), async |manager| {
        let name = UserName::parse(&path)?;
        let query = Query::read(&manager, &[])?;
        let (before, rows) = (query.after(SessionId::LAST)?, query.rows());
        let sessions =
            manager.run(move |_, conn, at| app::session::page(conn, at, &name, before, rows)).await?;
        let page = Page::of(sessions, &query, |one| one.id.to_string(), |one| SessionView::from(one));
        Ok(ok(&page))
    })
    .await
}

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"sessions": 2}))]
pub(super) struct EndedView {
    /// That were live.
    sessions: usize,
}

/// Ends all sessions of a user.
#[utoipa::path(delete, path = "/v1/users/{name}/sessions", tag = "sessions", operation_id = "endSessions",
    params(("name" = String, Path)), responses((status = 200, body = EndedView), Refused, BadInput, Missing),
    security(("management" = ["users"])))]
pub(super) async fn end_all(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let name = UserName::parse(&path)?;
        let sessions =
            manager.run(move |service, conn, at| app::session::end_all(service, conn, at, &name)).await?;
        Ok(ok(&EndedView { sessions }))
    })
    .await
}

/// Ends one session of a user with all its tokens.
#[utoipa::path(delete, path = "/v1/users/{name}/sessions/{id}", tag = "sessions", operation_id = "endSession",
    params(("name" = String, Path), ("id" = String, Path)), responses((status = 204), Refused, BadInput, Missing),
    security(("management" = ["users"])))]
pub(super) async fn end(call: Call, path: web::Path<(String, String)>) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let name = UserName::parse(&path.0)?;
        let session: SessionId = id(&path.1, "session")?;
        manager.run(move |service, conn, at| app::session::end_of(service, conn, at, &name, session)).await?;
        Ok(no_content())
    })
    .await
}
