//! Scopes with rules, groups, and grants that begin and end.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app;
use crate::app::access::{Named, Span};
use crate::app::context::Stop;
use crate::app::manage::Needs;
use crate::domain::authorization::{Access, CLASSES, Detail, Details, ScopeRule};
use crate::domain::client::{MAX_TOKEN_TTL_S, parse_absolute_uri};
use crate::domain::id::GrantId;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::parse_scope;
use crate::domain::time::Timestamp;
use crate::domain::user::UserName;
use crate::http::state::State;
use crate::http::v1::{Query, Refused, done, json, reply};

/// How a scope tightens the policy of the client that asks for it. What is left out does not.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"description": "The closed stacks", "by_grant": true}))]
pub(super) struct RuleBody {
    /// What it allows, for people.
    #[serde(default)]
    description: String,
    /// Only in tokens for this audience.
    audience: Option<String>,
    /// Tokens with it live no longer, in seconds.
    token_ttl: Option<i64>,
    /// Only for logins that are no older, in seconds.
    max_age: Option<i64>,
    /// Only for logins of this class or a stronger one.
    acr: Option<String>,
    /// Tokens with it are spent by their first introspection.
    #[serde(default)]
    one_use: bool,
    /// Only for users who hold a grant of it.
    #[serde(default)]
    by_grant: bool,
}

/// A scope with its rule.
#[derive(Serialize, ToSchema)]
pub(super) struct ScopeView {
    /// The scope.
    #[schema(example = "stacks")]
    scope: String,
    #[serde(flatten)]
    rule: RuleBody,
}

impl RuleBody {
    fn parsed(self, name: &str) -> Result<ScopeRule, Invalid> {
        for (field, value) in [("token_ttl", self.token_ttl), ("max_age", self.max_age)] {
            if value.is_some_and(|value| !(1..=MAX_TOKEN_TTL_S).contains(&value)) {
                return Err(Invalid::new(field, "must be 1 to 2592000 seconds"));
            }
        }
        if self.acr.as_ref().is_some_and(|acr| !CLASSES.contains(&acr.as_str())) {
            return Err(Invalid::new("acr", "is no class of logins of this server"));
        }
        if self.description.len() > 1000 {
            return Err(Invalid::new("description", "is longer than 1,000 bytes"));
        }
        Ok(ScopeRule {
            name: parse_scope(name)?,
            description: self.description,
            audience: self
                .audience
                .as_deref()
                .map(|text| parse_absolute_uri("audience", text))
                .transpose()?,
            token_ttl_s: self.token_ttl,
            max_age_s: self.max_age,
            acr: self.acr,
            one_use: self.one_use,
            by_grant: self.by_grant,
        })
    }
}

fn scope_view(rule: ScopeRule) -> ScopeView {
    ScopeView {
        scope: rule.name,
        rule: RuleBody {
            description: rule.description,
            audience: rule.audience,
            token_ttl: rule.token_ttl_s,
            max_age: rule.max_age_s,
            acr: rule.acr,
            one_use: rule.one_use,
            by_grant: rule.by_grant,
        },
    }
}

/// Lists scopes with rules by name.
#[utoipa::path(get, path = "/v1/scopes", tag = "access", operation_id = "listScopes",
    responses((status = 200, body = Vec<ScopeView>), Refused), security(("management" = ["clients:read"])))]
pub(super) async fn scopes(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome = state
        .into_inner()
        .run_as_manager(&request, Needs::scope("clients:read"), |_, conn, _, _| app::access::scopes(conn))
        .await;
    reply(StatusCode::OK, outcome.map(|rules| rules.into_iter().map(scope_view).collect::<Vec<_>>()))
}

/// Gives a scope a rule, in the place of the one that it has.
#[utoipa::path(put, path = "/v1/scopes/{name}", tag = "access", operation_id = "putScope",
    params(("name" = String, Path)), request_body = RuleBody,
    responses((status = 200, body = ScopeView), Refused), security(("management" = ["clients"])))]
pub(super) async fn put_scope(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
    mut payload: web::Payload,
) -> HttpResponse {
    let body: RuleBody = match json(&mut payload).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let outcome: Result<_, Stop> = async {
        let rule = body.parsed(&path)?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("clients"), move |service, conn, at, _| {
                app::access::put_scope(service, conn, at, &rule)?;
                Ok(rule)
            })
            .await
    }
    .await;
    reply(StatusCode::OK, outcome.map(scope_view))
}

/// Removes a scope's rule: the client alone rules it from then on.
#[utoipa::path(delete, path = "/v1/scopes/{name}", tag = "access", operation_id = "removeScope",
    params(("name" = String, Path)), responses((status = 204), Refused), security(("management" = ["clients"])))]
pub(super) async fn remove_scope(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let name = path.into_inner();
    let outcome = state
        .into_inner()
        .run_as_manager(&request, Needs::scope("clients"), move |service, conn, at, _| {
            app::access::remove_scope(service, conn, at, &name)
        })
        .await;
    done(outcome)
}

/// Lists the names of groups.
#[utoipa::path(get, path = "/v1/groups", tag = "access", operation_id = "listGroups",
    responses((status = 200, body = Vec<String>), Refused), security(("management" = ["users:read"])))]
pub(super) async fn groups(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome = state
        .into_inner()
        .run_as_manager(&request, Needs::scope("users:read"), |_, conn, _, _| app::access::groups(conn))
        .await;
    reply(StatusCode::OK, outcome)
}

/// A group with its members.
#[derive(Serialize, ToSchema)]
pub(super) struct GroupView {
    /// The name.
    name: String,
    /// The members' names.
    members: Vec<String>,
}

/// Lists a group's members.
#[utoipa::path(get, path = "/v1/groups/{name}", tag = "access", operation_id = "showGroup",
    params(("name" = String, Path)), responses((status = 200, body = GroupView), Refused),
    security(("management" = ["users:read"])))]
pub(super) async fn members(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let name = path.into_inner();
    let outcome = state
        .into_inner()
        .run_as_manager(&request, Needs::scope("users:read"), move |_, conn, _, _| {
            Ok(GroupView { members: app::access::members(conn, &name)?, name })
        })
        .await;
    reply(StatusCode::OK, outcome)
}

/// Who shall be in a group, and nobody else.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"members": ["alice", "bob"]}))]
pub(super) struct GroupBody {
    /// The members' names.
    members: Vec<String>,
}

/// Adds a group where there is none, and gives it exactly these members.
#[utoipa::path(put, path = "/v1/groups/{name}", tag = "access", operation_id = "putGroup",
    params(("name" = String, Path)), request_body = GroupBody,
    responses((status = 200, body = GroupView), Refused), security(("management" = ["users"])))]
pub(super) async fn put_group(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
    mut payload: web::Payload,
) -> HttpResponse {
    let body: GroupBody = match json(&mut payload).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let outcome: Result<_, Stop> = async {
        let members = body.members.iter().map(|name| UserName::parse(name)).collect::<Result<Vec<_>, _>>()?;
        let name = path.into_inner();
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users"), move |service, conn, at, _| {
                app::access::put_group(service, conn, at, &name, &members)?;
                Ok(GroupView { members: app::access::members(conn, &name)?, name })
            })
            .await
    }
    .await;
    reply(StatusCode::OK, outcome)
}

/// Removes a group with its grants.
#[utoipa::path(delete, path = "/v1/groups/{name}", tag = "access", operation_id = "removeGroup",
    params(("name" = String, Path)), responses((status = 204), Refused), security(("management" = ["users"])))]
pub(super) async fn remove_group(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let name = path.into_inner();
    let outcome = state
        .into_inner()
        .run_as_manager(&request, Needs::scope("users"), move |service, conn, at, _| {
            app::access::remove_group(service, conn, at, &name)
        })
        .await;
    done(outcome)
}

/// Who gets or loses what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"groups": ["visitors"], "scope": "stacks", "until": "2027-04-01T00:00:00Z"}))]
pub(super) struct GrantBody {
    /// Users by name.
    #[serde(default)]
    users: Vec<String>,
    /// Groups by name.
    #[serde(default)]
    groups: Vec<String>,
    /// A scope that is by grant; or `detail`.
    scope: Option<String>,
    /// What one entry of `authorization_details` may reach; or `scope`.
    #[schema(value_type = Option<Object>)]
    detail: Option<serde_json::Value>,
    /// RFC 3339; now when left out.
    from: Option<String>,
    /// RFC 3339; until it is taken back when left out.
    until: Option<String>,
}

/// A `GrantBody`, parsed.
struct Wanted {
    holders: Vec<Named>,
    access: Access,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl GrantBody {
    fn parsed(self) -> Result<Wanted, Invalid> {
        let users = self.users.iter().map(|name| UserName::parse(name).map(Named::User));
        let groups = self.groups.iter().map(|name| Ok(Named::Group(name.clone())));
        let holders = users.chain(groups).collect::<Result<Vec<_>, _>>()?;
        if holders.is_empty() {
            return Err(Invalid::new("users", "and groups are both empty"));
        }
        let access = match (&self.scope, &self.detail) {
            (Some(scope), None) => Access::Scope(parse_scope(scope)?),
            (None, Some(detail)) => {
                let reason = "must be an object with a type and the members of RFC 9396 s2.2";
                let parsed =
                    Details::parse(&format!("[{detail}]")).map_err(|_| Invalid::new("detail", reason))?;
                let [one] = parsed.entries() else { return Err(Invalid::new("detail", reason)) };
                Access::Detail(Box::new(one.clone()))
            }
            _ => return Err(Invalid::new("scope", "or detail must be given, and not both")),
        };
        let time = |field, text: &Option<String>| {
            text.as_deref().map(|text| Timestamp::parse(field, text)).transpose()
        };
        Ok(Wanted { holders, access, from: time("from", &self.from)?, until: time("until", &self.until)? })
    }
}

/// A grant.
#[derive(Serialize, ToSchema)]
pub(super) struct GrantView {
    /// A UUID.
    id: String,
    /// The user who holds it; null where a group does.
    user: Option<String>,
    /// The group that holds it.
    group: Option<String>,
    /// The scope that it gives.
    scope: Option<String>,
    /// What it gives in detail.
    #[schema(value_type = Option<Object>)]
    detail: Option<Detail>,
    /// RFC 3339.
    starts_at: String,
    /// RFC 3339; null: until it is taken back.
    ends_at: Option<String>,
}

/// Lists grants that are not over, the youngest first; a thousand at most.
#[utoipa::path(get, path = "/v1/grants", tag = "access", operation_id = "listGrants",
    params(("user" = Option<String>, Query, description = "Only those of this user"),
        ("group" = Option<String>, Query, description = "Only those of this group")),
    responses((status = 200, body = Vec<GrantView>), Refused), security(("management" = ["users:read"])))]
pub(super) async fn grants(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome: Result<_, Stop> = async {
        let query = Query::read(&request, &["user", "group"])?;
        let of = match (query.get("user"), query.get("group")) {
            (Some(_), Some(_)) => return Err(Invalid::new("group", "does not go with user").into()),
            (Some(name), None) => Some(Named::User(UserName::parse(name)?)),
            (None, group) => group.map(|name| Named::Group(name.to_owned())),
        };
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users:read"), move |_, conn, at, _| {
                let view = app::access::grants(conn, at, of.as_ref())?.into_iter().map(|grant| {
                    let (scope, detail) = match grant.access {
                        Access::Scope(scope) => (Some(scope), None),
                        Access::Detail(detail) => (None, Some(*detail)),
                    };
                    GrantView {
                        id: grant.id.to_string(),
                        user: grant.user,
                        group: grant.group,
                        scope,
                        detail,
                        starts_at: grant.starts_at.to_string(),
                        ends_at: (grant.ends_at != Timestamp::NEVER).then(|| grant.ends_at.to_string()),
                    }
                });
                Ok(view.collect::<Vec<_>>())
            })
            .await
    }
    .await;
    reply(StatusCode::OK, outcome)
}

/// The ids of new grants.
#[derive(Serialize, ToSchema)]
pub(super) struct GivenView {
    /// One for each user and group, in the order asked.
    grants: Vec<String>,
}

/// Gives access to everybody named, or, where one of them does not exist, to nobody.
#[utoipa::path(post, path = "/v1/grants", tag = "access", operation_id = "giveAccess", request_body = GrantBody,
    responses((status = 201, body = GivenView), Refused), security(("management" = ["users"])))]
pub(super) async fn give(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let body: GrantBody = match json(&mut payload).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let outcome: Result<_, Stop> = async {
        let wanted = body.parsed()?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users"), move |service, conn, at, _| {
                let span = Span {
                    starts_at: wanted.from.unwrap_or(at.now),
                    ends_at: wanted.until.unwrap_or(Timestamp::NEVER),
                };
                app::access::give(service, conn, at, &wanted.holders, &wanted.access, span)
            })
            .await
    }
    .await;
    let view = outcome.map(|ids| GivenView { grants: ids.iter().map(GrantId::to_string).collect() });
    reply(StatusCode::CREATED, view)
}

/// How many grants were taken back.
#[derive(Serialize, ToSchema)]
pub(super) struct TakenView {
    /// That there were.
    taken: usize,
}

/// Takes all grants of this access back from everybody named. `from` and `until` have no place here.
#[utoipa::path(post, path = "/v1/grants/take", tag = "access", operation_id = "takeAccess", request_body = GrantBody,
    responses((status = 200, body = TakenView), Refused), security(("management" = ["users"])))]
pub(super) async fn take(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let body: GrantBody = match json(&mut payload).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let outcome: Result<_, Stop> = async {
        let wanted = body.parsed()?;
        if wanted.from.is_some() || wanted.until.is_some() {
            return Err(Invalid::new("from", "and until have no place here").into());
        }
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users"), move |service, conn, at, _| {
                app::access::take(service, conn, at, &wanted.holders, &wanted.access)
            })
            .await
    }
    .await;
    reply(StatusCode::OK, outcome.map(|taken| TakenView { taken }))
}

/// Takes one grant back.
#[utoipa::path(delete, path = "/v1/grants/{id}", tag = "access", operation_id = "endGrant",
    params(("id" = String, Path)), responses((status = 204), Refused), security(("management" = ["users"])))]
pub(super) async fn end(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome: Result<(), Stop> = async {
        let id: GrantId = path.parse().map_err(|_: Invalid| Refusal::NotFound { what: "grant" })?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("users"), move |service, conn, at, _| {
                app::access::take_one(service, conn, at, id)
            })
            .await
    }
    .await;
    done(outcome)
}
