//! Users, their factors and their sessions.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use mobile_core::Counter;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::app;
use crate::app::context::Stop;
use crate::app::factor::NewFactor;
use crate::app::manage::Needs;
use crate::app::user::NewUser;
use crate::domain::factor::{FactorState, Mechanism};
use crate::domain::password::Password;
use crate::domain::time::Timestamp;
use crate::domain::user::{Role, User, UserName, parse_email};
use crate::http::state::State;
use crate::http::v1::{Page, Paging, Query, Refused, done, json, reply};

/// A user.
#[derive(Serialize, ToSchema)]
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

fn name_of(path: &web::Path<String>) -> Result<UserName, Stop> {
    Ok(UserName::parse(path)?)
}

/// Lists users by name.
#[utoipa::path(get, path = "/v1/users", tag = "users", operation_id = "listUsers",
    params(Paging, ("name" = Option<String>, Query, description = "Only names that begin with this")),
    responses((status = 200, body = Page<UserView>), Refused), security(("management" = ["users:read"])))]
pub(super) async fn list(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome: Result<_, Stop> = async {
        let query = Query::read(&request, &["name"])?;
        let prefix = query.get("name").map(str::to_lowercase).unwrap_or_default();
        let (after, rows) = (query.after.clone(), query.rows());
        let users = state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users:read"), move |_, conn, _, _| {
                app::user::page(conn, after.as_deref(), &prefix, rows)
            })
            .await?;
        let key = |user: &User| {
            UserName::parse(&user.name).map_or_else(|_| String::new(), |n| n.folded().to_owned())
        };
        Ok(Page::of(users, &query, key, |user| UserView::from(user)))
    }
    .await;
    reply(StatusCode::OK, outcome)
}

/// Shows a user.
#[utoipa::path(get, path = "/v1/users/{name}", tag = "users", operation_id = "showUser",
    params(("name" = String, Path)), responses((status = 200, body = UserDetails), Refused),
    security(("management" = ["users:read"])))]
pub(super) async fn show(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome: Result<_, Stop> = async {
        let name = name_of(&path)?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users:read"), move |_, conn, at, _| {
                let details = app::user::show(conn, at, &name)?;
                let until = details.standing.locked_until;
                let shown = if until == Timestamp::NEVER { "unlocked".to_owned() } else { until.to_string() };
                Ok(UserDetails {
                    user: UserView::from(&details.user),
                    failures: details.standing.failures,
                    locked_until: (until > at.now).then_some(shown),
                })
            })
            .await
    }
    .await;
    reply(StatusCode::OK, outcome)
}

/// Adds a user, or changes the one of this name to be like that.
#[utoipa::path(put, path = "/v1/users/{name}", tag = "users", operation_id = "putUser",
    params(("name" = String, Path)), request_body = UserBody,
    responses((status = 200, body = UserView, description = "Changed"), (status = 201, body = UserView, description = "Added"), Refused),
    security(("management" = ["users"])))]
pub(super) async fn put(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
    mut payload: web::Payload,
) -> HttpResponse {
    let body: UserBody = match json(&mut payload).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let outcome: Result<(User, bool), Stop> = async {
        let password = body.password.map(Zeroizing::new);
        let new = NewUser {
            name: name_of(&path)?,
            email: body.email.as_deref().map(parse_email).transpose()?,
            role: body.role.as_deref().map_or(Ok(Role::User), str::parse)?,
            password: password.as_ref().map(|text| Password::chosen(text)).transpose()?,
        };
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users"), move |service, conn, at, manager| {
                manager.must_reach_role(new.role)?;
                match manager.must_reach(conn, &new.name) {
                    Ok(_) | Err(Stop::Refused(crate::domain::refusal::Refusal::NotFound { .. })) => {}
                    Err(stop) => return Err(stop),
                }
                app::user::put(service, conn, at, new)
            })
            .await
    }
    .await;
    let status = match &outcome {
        Ok((_, true)) => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    reply(status, outcome.map(|(user, _)| UserView::from(&user)))
}

/// Removes a user with all factors, sessions and tokens.
#[utoipa::path(delete, path = "/v1/users/{name}", tag = "users", operation_id = "removeUser",
    params(("name" = String, Path)), responses((status = 204), Refused), security(("management" = ["users"])))]
pub(super) async fn remove(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome: Result<(), Stop> = async {
        let name = name_of(&path)?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users"), move |service, conn, at, manager| {
                manager.must_reach(conn, &name)?;
                app::user::remove(service, conn, at, &name)
            })
            .await
    }
    .await;
    done(outcome)
}

/// Locks a user until somebody unlocks, and ends all sessions.
#[utoipa::path(post, path = "/v1/users/{name}/lock", tag = "users", operation_id = "lockUser",
    params(("name" = String, Path)), responses((status = 204), Refused), security(("management" = ["users"])))]
pub(super) async fn lock(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome: Result<(), Stop> = async {
        let name = name_of(&path)?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users"), move |service, conn, at, manager| {
                manager.must_reach(conn, &name)?;
                app::user::lock(service, conn, at, &name)
            })
            .await
    }
    .await;
    done(outcome)
}

/// Unlocks a user, and forgets failed codes. Help desks may do it.
#[utoipa::path(post, path = "/v1/users/{name}/unlock", tag = "users", operation_id = "unlockUser",
    params(("name" = String, Path)), responses((status = 204), Refused), security(("management" = ["factors"])))]
pub(super) async fn unlock(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome: Result<(), Stop> = async {
        let name = name_of(&path)?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::help("factors"), move |service, conn, at, manager| {
                manager.must_reach(conn, &name)?;
                app::user::unlock(service, conn, at, &name)
            })
            .await
    }
    .await;
    done(outcome)
}

/// What a reset ended.
#[derive(Serialize, ToSchema)]
pub(super) struct ResetView {
    /// Factors that verify no more.
    factors: usize,
    /// Sessions that are over.
    sessions: usize,
}

/// Resets a user's enrolment: factors, recovery codes, sessions and tokens are dead at once. Help desks may do it.
#[utoipa::path(post, path = "/v1/users/{name}/reset", tag = "users", operation_id = "resetUser",
    params(("name" = String, Path)), responses((status = 200, body = ResetView), Refused),
    security(("management" = ["factors"])))]
pub(super) async fn reset(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome: Result<_, Stop> = async {
        let name = name_of(&path)?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::help("factors"), move |service, conn, at, manager| {
                manager.must_reach(conn, &name)?;
                app::factor::reset(service, conn, at, &name)
            })
            .await
    }
    .await;
    reply(StatusCode::OK, outcome.map(|ended| ResetView { factors: ended.factors, sessions: ended.sessions }))
}

/// A factor without its secret.
#[derive(Serialize, ToSchema)]
pub(super) struct FactorView {
    /// A UUID.
    id: String,
    /// `totp` or `hotp`.
    kind: &'static str,
    /// What the user calls it.
    label: String,
    /// `pending` or `active`.
    state: &'static str,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339; null where no code of it was ever accepted.
    last_used_at: Option<String>,
}

/// Lists a user's factors.
#[utoipa::path(get, path = "/v1/users/{name}/factors", tag = "users", operation_id = "listFactors",
    params(("name" = String, Path)), responses((status = 200, body = Vec<FactorView>), Refused),
    security(("management" = ["factors:read"])))]
pub(super) async fn factors(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome: Result<_, Stop> = async {
        let name = name_of(&path)?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("factors:read"), move |_, conn, at, _| {
                let factors = app::factor::list(conn, at, &name)?;
                let view = factors.into_iter().map(|factor| FactorView {
                    id: factor.id.to_string(),
                    kind: factor.mechanism.kind(),
                    label: factor.label,
                    state: factor.state.as_str(),
                    created_at: factor.created_at.to_string(),
                    last_used_at: factor.used_at.map(|at| at.to_string()),
                });
                Ok(view.collect::<Vec<_>>())
            })
            .await
    }
    .await;
    reply(StatusCode::OK, outcome)
}

/// How a new factor shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "totp"}))]
pub(super) struct FactorBody {
    /// `totp` or `hotp`.
    kind: String,
    /// `SHA1` (when left out), `SHA256` or `SHA512`.
    algorithm: Option<String>,
    /// 6 (when left out), 7 or 8.
    digits: Option<u8>,
    /// TOTP: seconds; 30 when left out.
    period: Option<u32>,
    /// HOTP: the first counter; 0 when left out.
    counter: Option<u64>,
    /// Whether it counts as confirmed from the start.
    active: Option<bool>,
}

/// A new factor: the only reply that ever holds its secret.
#[derive(Serialize, ToSchema)]
pub(super) struct EnrolledView {
    /// A UUID.
    factor_id: String,
    /// Base32.
    secret: String,
    /// For the QR code.
    uri: String,
    /// `pending` or `active`.
    state: &'static str,
    /// With the first enrolment.
    recovery_codes: Vec<String>,
}

/// Enrols a factor for a user.
#[utoipa::path(post, path = "/v1/users/{name}/factors", tag = "users", operation_id = "enrolFactor",
    params(("name" = String, Path)), request_body = FactorBody,
    responses((status = 201, body = EnrolledView), (status = 409, description = "`too_many_factors`"), Refused),
    security(("management" = ["users"])))]
pub(super) async fn enrol(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
    mut payload: web::Payload,
) -> HttpResponse {
    let body: FactorBody = match json(&mut payload).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let outcome: Result<_, Stop> = async {
        let name = name_of(&path)?;
        let algorithm = body.algorithm.as_deref().unwrap_or("SHA1");
        let digits = body.digits.unwrap_or(6);
        let new = NewFactor {
            mechanism: Mechanism::of(&body.kind, algorithm, digits, body.period, body.counter)?,
            counter: Counter::new(body.counter.unwrap_or(0)),
            secret: None,
            state: if body.active == Some(true) { FactorState::Active } else { FactorState::Pending },
        };
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users"), move |service, conn, at, manager| {
                manager.must_reach(conn, &name)?;
                app::factor::enrol(service, conn, at, &name, new)
            })
            .await
    }
    .await;
    let view = outcome.map(|enrolled| EnrolledView {
        factor_id: enrolled.id.to_string(),
        secret: enrolled.uri.secret().to_base32().to_string(),
        uri: enrolled.uri.to_uri().to_string(),
        state: enrolled.state.as_str(),
        recovery_codes: enrolled.recovery_codes.iter().map(|code| code.shown().to_string()).collect(),
    });
    reply(StatusCode::CREATED, view)
}

/// A live session.
#[derive(Serialize, ToSchema)]
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
    /// RFC 3339.
    ends_at: String,
}

/// Lists a user's live sessions, the youngest first; a thousand at most.
#[utoipa::path(get, path = "/v1/users/{name}/sessions", tag = "users", operation_id = "listSessions",
    params(("name" = String, Path)), responses((status = 200, body = Vec<SessionView>), Refused),
    security(("management" = ["users:read"])))]
pub(super) async fn sessions(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome: Result<_, Stop> = async {
        let name = name_of(&path)?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users:read"), move |_, conn, at, _| {
                let sessions = app::session::list(conn, at, &name)?;
                let view = sessions.into_iter().map(|session| SessionView {
                    id: session.id.to_string(),
                    client: session.client_name,
                    amr: session.amr.split(' ').map(str::to_owned).collect(),
                    address: session.address,
                    started_at: session.started_at.to_string(),
                    ends_at: session.ends_at.to_string(),
                });
                Ok(view.collect::<Vec<_>>())
            })
            .await
    }
    .await;
    reply(StatusCode::OK, outcome)
}

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
pub(super) struct EndedView {
    /// That were live.
    sessions: usize,
}

/// Ends all sessions of a user.
#[utoipa::path(delete, path = "/v1/users/{name}/sessions", tag = "users", operation_id = "endSessions",
    params(("name" = String, Path)), responses((status = 200, body = EndedView), Refused),
    security(("management" = ["users"])))]
pub(super) async fn end_sessions(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome: Result<_, Stop> = async {
        let name = name_of(&path)?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users"), move |service, conn, at, manager| {
                manager.must_reach(conn, &name)?;
                app::session::end_all(service, conn, at, &name)
            })
            .await
    }
    .await;
    reply(StatusCode::OK, outcome.map(|sessions| EndedView { sessions }))
}
