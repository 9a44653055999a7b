//! Users.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::app;
use crate::app::manage::Needs;
use crate::app::reset::Outcome;
use crate::app::user::NewUser;
use crate::domain::lockout::is_wait;
use crate::domain::password::Password;
use crate::domain::time::Timestamp;
use crate::domain::user::{Role, User, UserName, parse_email};
use crate::http::v1::{
    BadBody, BadInput, Call, Last, Missing, Page, Paging, Query, Refused, created, json, listing, managed,
    no_content, ok,
};

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01a0aaaa-0000-7000-8000-000000000001", "name": "alice", "email": "alice@example.org", "role": "user",
    "state": "active", "has_password": true, "created_at": "2026-12-01T08:00:00Z"
}))]
pub(super) struct UserView {
    /// A UUID; the `sub` of the user's tokens.
    id: String,
    /// The name.
    #[schema(example = "alice")]
    name: String,
    /// Where mail goes.
    email: Option<String>,
    /// `user`, `helpdesk`, `auditor` or `admin`.
    #[schema(example = "user")]
    role: &'static str,
    /// `active` or `locked`.
    #[schema(example = "active")]
    state: &'static str,
    /// Whether Countersign checks a password of this user.
    has_password: bool,
    /// RFC 3339.
    created_at: String,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            email: user.email.clone(),
            role: user.role.as_str(),
            state: user.state.as_str(),
            has_password: user.password_hash.is_some(),
            created_at: user.created_at.to_string(),
        }
    }
}

/// A user with how the lockout stands.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01a0aaaa-0000-7000-8000-000000000001", "name": "alice", "email": "alice@example.org", "role": "user",
    "state": "active", "has_password": true, "created_at": "2026-12-01T08:00:00Z", "failures": 6,
    "locked_until": "2026-12-01T08:01:00Z"
}))]
pub(super) struct UserDetails {
    #[serde(flatten)]
    user: UserView,
    /// Wrong codes in a row.
    failures: i64,
    /// When codes are looked at again, RFC 3339; `unlocked`: not before somebody unlocks; null: now.
    locked_until: Option<String>,
}

/// What a user shall be like.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "alice@example.org", "role": "user"}))]
pub(super) struct UserBody {
    /// Where mail goes; none when left out.
    email: Option<String>,
    /// `user` when left out.
    role: Option<String>,
    /// A new password; the old one stays when left out.
    #[schema(value_type = Option<String>)]
    password: Option<String>,
}

/// Lists users by name.
#[utoipa::path(get, path = "/v1/users", tag = "users", operation_id = "listUsers",
    params(Paging, ("name" = Option<String>, Query, description = "Only names that begin with this")),
    responses((status = 200, body = Page<UserView>), Refused, BadInput), security(("management" = ["users:read"])))]
pub(super) async fn list(call: Call) -> HttpResponse {
    listing(call, Needs::scope("users:read"), async |manager| {
        let query = Query::read(&manager, &["name"])?;
        let prefix = query.get("name").map(UserName::fold).unwrap_or_default();
        let (after, rows) = (query.after.clone(), query.rows());
        let users =
            manager.run(move |_, conn, _| app::user::page(conn, after.as_deref(), &prefix, rows)).await?;
        let key = |user: &User| {
            UserName::parse(&user.name).map_or_else(|_| String::new(), |n| n.folded().to_owned())
        };
        Ok(ok(&Page::of(users, &query, key, |user| UserView::from(user))))
    })
    .await
}

/// Shows a user.
#[utoipa::path(get, path = "/v1/users/{name}", tag = "users", operation_id = "showUser",
    params(("name" = String, Path)), responses((status = 200, body = UserDetails), Refused, BadInput, Missing),
    security(("management" = ["users:read"])))]
pub(super) async fn show(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("users:read"), async |manager| {
        let name = UserName::parse(&path)?;
        let shown = manager.run(move |_, conn, at| {
            let details = app::user::show(conn, at, &name)?;
            let until = details.standing.locked_until;
            let shown = if until == Timestamp::NEVER { "unlocked".to_owned() } else { until.to_string() };
            Ok(UserDetails {
                user: UserView::from(&details.user),
                failures: details.standing.failures,
                locked_until: is_wait(until, at.now).then_some(shown),
            })
        });
        Ok(ok(&shown.await?))
    })
    .await
}

/// Adds a user, or changes the one of this name to be like that. A new password or role ends all sessions.
///
/// A new password or another e-mail address voids an invitation that waits.
#[utoipa::path(put, path = "/v1/users/{name}", tag = "users", operation_id = "putUser",
    params(("name" = String, Path)), request_body = UserBody,
    responses((status = 200, body = UserView, description = "Changed"),
        (status = 201, body = UserView, description = "Added"), Refused, BadBody, Last),
    security(("management" = ["users"])))]
pub(super) async fn put(call: Call, path: web::Path<String>, mut payload: web::Payload) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let body: UserBody = json(&mut payload).await?;
        let password = body.password.map(Zeroizing::new);
        let new = NewUser {
            name: UserName::parse(&path)?,
            email: body.email.as_deref().map(parse_email).transpose()?,
            role: body.role.as_deref().map_or(Ok(Role::User), str::parse)?,
            password: password.as_ref().map(|text| Password::chosen(text)).transpose()?,
        };
        let outcome = if new.password.is_some() {
            manager.run_with_password(move |service, conn, at| app::user::put(service, conn, at, &new)).await
        } else {
            manager.run(move |service, conn, at| app::user::put(service, conn, at, &new)).await
        };
        let (user, is_new) = outcome?;
        let view = UserView::from(&user);
        Ok(if is_new { created(&view) } else { ok(&view) })
    })
    .await
}

/// Removes a user with all factors, sessions and tokens.
#[utoipa::path(delete, path = "/v1/users/{name}", tag = "users", operation_id = "removeUser",
    params(("name" = String, Path)), responses((status = 204), Refused, BadInput, Missing, Last),
    security(("management" = ["users"])))]
pub(super) async fn remove(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let name = UserName::parse(&path)?;
        manager.run(move |service, conn, at| app::user::remove(service, conn, at, &name)).await?;
        Ok(no_content())
    })
    .await
}

/// Locks a user until somebody unlocks, and ends all sessions.
#[utoipa::path(post, path = "/v1/users/{name}/lock", tag = "users", operation_id = "lockUser",
    params(("name" = String, Path)), responses((status = 204), Refused, BadInput, Missing, Last),
    security(("management" = ["users"])))]
pub(super) async fn lock(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let name = UserName::parse(&path)?;
        manager.run(move |service, conn, at| app::user::lock(service, conn, at, &name)).await?;
        Ok(no_content())
    })
    .await
}

/// Unlocks a user, and forgets failed codes. Help desks may do it.
#[utoipa::path(post, path = "/v1/users/{name}/unlock", tag = "users", operation_id = "unlockUser",
    params(("name" = String, Path)), responses((status = 204), Refused, BadInput, Missing),
    security(("management" = ["factors"])))]
pub(super) async fn unlock(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::help("factors"), async |manager| {
        let name = UserName::parse(&path)?;
        manager.run(move |service, conn, at| app::user::unlock(service, conn, at, &name)).await?;
        Ok(no_content())
    })
    .await
}

/// What a reset ended.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"factors": 1, "sessions": 2}))]
pub(super) struct ResetView {
    /// Factors that verify no more.
    factors: usize,
    /// Sessions that are over.
    sessions: usize,
}

/// A reset that waits for a second person.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"request_id": "01935a3e-7b1c-7d2e-9f4a-0123456789ab"}))]
pub(super) struct ResetRequestView {
    /// A UUID.
    request_id: String,
}

/// Resets a user's enrolment: factors, recovery codes, sessions and tokens are dead at once. Help desks may do it; where the operator
/// wants a second person for that, their resets wait for one.
#[utoipa::path(post, path = "/v1/users/{name}/reset", tag = "users", operation_id = "resetUser",
    params(("name" = String, Path)), responses((status = 200, body = ResetView),
        (status = 202, body = ResetRequestView, description = "Waits for a second person"), Refused, BadInput, Missing),
    security(("management" = ["factors"])))]
pub(super) async fn reset(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::help("factors"), async |manager| {
        let name = UserName::parse(&path)?;
        let outcome =
            manager.run(move |service, conn, at| app::reset::reset_or_ask(service, conn, at, &name)).await?;
        Ok(match outcome {
            Outcome::Done(ended) => ok(&ResetView { factors: ended.factors, sessions: ended.sessions }),
            Outcome::Waits(id) => {
                HttpResponse::Accepted().json(ResetRequestView { request_id: id.to_string() })
            }
        })
    })
    .await
}
