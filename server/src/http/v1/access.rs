//! Scopes with rules, groups, and grants that begin and end.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app;
use crate::app::access::{Named, Span, Summary};
use crate::app::manage::Needs;
use crate::domain::authorization::{Access, Detail, Details, ScopeRule};
use crate::domain::client::parse_absolute_uri;
use crate::domain::id::GrantId;
use crate::domain::refusal::Invalid;
use crate::domain::scope::parse_scope;
use crate::domain::time::Timestamp;
use crate::domain::user::UserName;
use crate::http::v1::{
    BadBody, BadInput, Call, Missing, Page, Paging, Query, Refused, created, id, json, listing, managed,
    no_content, ok, plain,
};

/// How a scope tightens the policy of the client that asks for it. What is left out does not.
#[derive(Deserialize, ToSchema)]
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
#[schema(example = json!({
    "scope": "stacks", "description": "The closed stacks", "audience": null, "token_ttl": null, "max_age": null,
    "acr": null, "one_use": false, "by_grant": true
}))]
pub(super) struct ScopeView {
    /// The scope.
    #[schema(example = "stacks")]
    scope: String,
    /// What it allows, for people.
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
    one_use: bool,
    /// Only for users who hold a grant of it.
    by_grant: bool,
}

impl RuleBody {
    fn parsed(self, name: &str) -> Result<ScopeRule, Invalid> {
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

fn scope_view(rule: &ScopeRule) -> ScopeView {
    let rule = rule.clone();
    ScopeView {
        scope: rule.name,
        description: rule.description,
        audience: rule.audience,
        token_ttl: rule.token_ttl_s,
        max_age: rule.max_age_s,
        acr: rule.acr,
        one_use: rule.one_use,
        by_grant: rule.by_grant,
    }
}

/// Lists scopes with rules by name.
#[utoipa::path(get, path = "/v1/scopes", tag = "access", operation_id = "listScopes", params(Paging),
    responses((status = 200, body = Page<ScopeView>), Refused, BadInput), security(("management" = ["clients:read"])))]
pub(super) async fn scopes(call: Call) -> HttpResponse {
    listing(call, Needs::scope("clients:read"), async |manager| {
        let query = Query::read(&manager, &[])?;
        let (after, rows) = (query.after(String::new())?, query.rows());
        let rules = manager.run(move |_, conn, _| app::access::scope_page(conn, &after, rows)).await?;
        Ok(ok(&Page::of(rules, &query, |rule| rule.name.clone(), scope_view)))
    })
    .await
}

/// Gives a scope a rule, in the place of the one that it has.
#[utoipa::path(put, path = "/v1/scopes/{name}", tag = "access", operation_id = "putScope",
    params(("name" = String, Path)), request_body = RuleBody,
    responses((status = 200, body = ScopeView), Refused, BadBody), security(("management" = ["clients"])))]
pub(super) async fn put_scope(
    call: Call,
    path: web::Path<String>,
    mut payload: web::Payload,
) -> HttpResponse {
    managed(call, Needs::scope("clients"), async |manager| {
        let body: RuleBody = json(&mut payload).await?;
        let rule = body.parsed(&path)?;
        let view = scope_view(&rule);
        manager.run(move |service, conn, at| app::access::put_scope(service, conn, at, &rule)).await?;
        Ok(ok(&view))
    })
    .await
}

/// Removes a scope's rule: the client alone rules it from then on.
#[utoipa::path(delete, path = "/v1/scopes/{name}", tag = "access", operation_id = "removeScope",
    params(("name" = String, Path)), responses((status = 204), Refused, BadInput, Missing),
    security(("management" = ["clients"])))]
pub(super) async fn remove_scope(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("clients"), async |manager| {
        let name = plain(&path)?;
        manager.run(move |service, conn, at| app::access::remove_scope(service, conn, at, &name)).await?;
        Ok(no_content())
    })
    .await
}

/// A group, or a member of one, by name.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"name": "visitors"}))]
pub(super) struct NameView {
    /// The name.
    name: String,
}

/// Lists groups by name.
#[utoipa::path(get, path = "/v1/groups", tag = "access", operation_id = "listGroups", params(Paging),
    responses((status = 200, body = Page<NameView>), Refused, BadInput), security(("management" = ["users:read"])))]
pub(super) async fn groups(call: Call) -> HttpResponse {
    listing(call, Needs::scope("users:read"), async |manager| {
        let query = Query::read(&manager, &[])?;
        let (after, rows) = (query.after(String::new())?, query.rows());
        let names = manager.run(move |_, conn, _| app::access::group_page(conn, &after, rows)).await?;
        Ok(ok(&Page::of(names, &query, String::clone, |name| NameView { name: name.clone() })))
    })
    .await
}

/// A group.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"name": "visitors", "members": 2}))]
pub(super) struct GroupView {
    /// The name.
    name: String,
    /// How many members it has.
    members: i64,
}

/// Shows a group.
#[utoipa::path(get, path = "/v1/groups/{name}", tag = "access", operation_id = "showGroup",
    params(("name" = String, Path)), responses((status = 200, body = GroupView), Refused, BadInput, Missing),
    security(("management" = ["users:read"])))]
pub(super) async fn show_group(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("users:read"), async |manager| {
        let name = plain(&path)?;
        let view = manager
            .run(move |_, conn, _| Ok(GroupView { members: app::access::member_count(conn, &name)?, name }));
        Ok(ok(&view.await?))
    })
    .await
}

/// Lists a group's members by name.
#[utoipa::path(get, path = "/v1/groups/{name}/members", tag = "access", operation_id = "listMembers",
    params(("name" = String, Path), Paging),
    responses((status = 200, body = Page<NameView>), Refused, BadInput, Missing),
    security(("management" = ["users:read"])))]
pub(super) async fn members(call: Call, path: web::Path<String>) -> HttpResponse {
    listing(call, Needs::scope("users:read"), async |manager| {
        let name = plain(&path)?;
        let query = Query::read(&manager, &[])?;
        let (after, rows) = (query.after(String::new())?, query.rows());
        let names =
            manager.run(move |_, conn, _| app::access::member_page(conn, &name, &after, rows)).await?;
        Ok(ok(&Page::of(
            names,
            &query,
            |(_, folded)| folded.clone(),
            |(name, _)| NameView { name: name.clone() },
        )))
    })
    .await
}

/// Who shall be in a group, and nobody else.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"members": ["alice", "bob"]}))]
pub(super) struct GroupBody {
    /// The members' names.
    members: Vec<String>,
}

/// Adds a group where there is none, and gives it exactly these members; where one of them does not exist nothing is changed.
#[utoipa::path(put, path = "/v1/groups/{name}", tag = "access", operation_id = "putGroup",
    params(("name" = String, Path)), request_body = GroupBody,
    responses((status = 200, body = GroupView), Refused, BadBody, Missing), security(("management" = ["users"])))]
pub(super) async fn put_group(
    call: Call,
    path: web::Path<String>,
    mut payload: web::Payload,
) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let body: GroupBody = json(&mut payload).await?;
        let name = plain(&path)?;
        let users =
            body.members.iter().map(|user| name_of("members", user)).collect::<Result<Vec<_>, _>>()?;
        let view = manager.run(move |service, conn, at| {
            app::access::put_group(service, conn, at, &name, &users)?;
            Ok(GroupView { members: app::access::member_count(conn, &name)?, name })
        });
        Ok(ok(&view.await?))
    })
    .await
}

/// Removes a group with its grants.
#[utoipa::path(delete, path = "/v1/groups/{name}", tag = "access", operation_id = "removeGroup",
    params(("name" = String, Path)), responses((status = 204), Refused, BadInput, Missing),
    security(("management" = ["users"])))]
pub(super) async fn remove_group(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let name = plain(&path)?;
        manager.run(move |service, conn, at| app::access::remove_group(service, conn, at, &name)).await?;
        Ok(no_content())
    })
    .await
}

/// Puts a user into a group; nothing changes where the user is in it already.
#[utoipa::path(put, path = "/v1/groups/{name}/members/{user}", tag = "access", operation_id = "addMember",
    params(("name" = String, Path), ("user" = String, Path)),
    responses((status = 204), Refused, BadInput, Missing), security(("management" = ["users"])))]
pub(super) async fn add_member(call: Call, path: web::Path<(String, String)>) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let (name, user) = (plain(&path.0)?, UserName::parse(&path.1)?);
        let use_case =
            move |service: &_, conn: &mut _, at| app::access::add_members(service, conn, at, &name, &[user]);
        manager.run(use_case).await?;
        Ok(no_content())
    })
    .await
}

/// Takes a user out of a group; nothing changes where the user is not in it.
#[utoipa::path(delete, path = "/v1/groups/{name}/members/{user}", tag = "access", operation_id = "removeMember",
    params(("name" = String, Path), ("user" = String, Path)),
    responses((status = 204), Refused, BadInput, Missing), security(("management" = ["users"])))]
pub(super) async fn remove_member(call: Call, path: web::Path<(String, String)>) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let (name, user) = (plain(&path.0)?, UserName::parse(&path.1)?);
        let use_case = move |service: &_, conn: &mut _, at| {
            app::access::remove_members(service, conn, at, &name, &[user])
        };
        manager.run(use_case).await?;
        Ok(no_content())
    })
    .await
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

/// A user's name in a list of that name.
fn name_of(list: &'static str, name: &str) -> Result<UserName, Invalid> {
    UserName::parse(name).map_err(|invalid| invalid.named(list))
}

impl GrantBody {
    fn parsed(self) -> Result<Wanted, Invalid> {
        let users = self.users.iter().map(|name| name_of("users", name).map(Named::User));
        let groups = self
            .groups
            .iter()
            .map(|name| plain(name).map(Named::Group).map_err(|invalid| invalid.named("groups")));
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
#[schema(example = json!({
    "id": "01a0aaaa-0000-7000-8000-000000000005", "user": null, "group": "visitors", "scope": "stacks", "detail": null,
    "starts_at": "2026-12-01T08:00:00Z", "ends_at": "2027-04-01T00:00:00Z"
}))]
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

impl From<&Summary> for GrantView {
    fn from(grant: &Summary) -> Self {
        let (scope, detail) = match &grant.access {
            Access::Scope(scope) => (Some(scope.clone()), None),
            Access::Detail(detail) => (None, Some((**detail).clone())),
        };
        Self {
            id: grant.id.to_string(),
            user: grant.user.clone(),
            group: grant.group.clone(),
            scope,
            detail,
            starts_at: grant.starts_at.to_string(),
            ends_at: (grant.ends_at != Timestamp::NEVER).then(|| grant.ends_at.to_string()),
        }
    }
}

/// Lists grants that are not over, the youngest first.
#[utoipa::path(get, path = "/v1/grants", tag = "access", operation_id = "listGrants",
    params(Paging, ("user" = Option<String>, Query, description = "Only those of this user"),
        ("group" = Option<String>, Query, description = "Only those of this group")),
    responses((status = 200, body = Page<GrantView>), Refused, BadInput, Missing),
    security(("management" = ["users:read"])))]
pub(super) async fn grants(call: Call) -> HttpResponse {
    listing(call, Needs::scope("users:read"), async |manager| {
        let query = Query::read(&manager, &["user", "group"])?;
        let of = match (query.get("user"), query.get("group")) {
            (Some(_), Some(_)) => return Err(Invalid::new("group", "does not go with user").into()),
            (Some(name), None) => Some(Named::User(name_of("user", name)?)),
            (None, group) => group.map(|name| Named::Group(name.to_owned())),
        };
        let (before, rows) = (query.after(GrantId::LAST)?, query.rows());
        let grants =
            manager.run(move |_, conn, at| app::access::grant_page(conn, at, of.as_ref(), before, rows));
        let grants = grants.await?;
        Ok(ok(&Page::of(grants, &query, |grant| grant.id.to_string(), |grant| GrantView::from(grant))))
    })
    .await
}

/// The ids of new grants.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"grants": ["01a0aaaa-0000-7000-8000-000000000005"]}))]
pub(super) struct GivenView {
    /// One for each user and group, in the order asked.
    grants: Vec<String>,
}

/// Gives access to everybody named, or, where one of them does not exist, to nobody.
#[utoipa::path(post, path = "/v1/grants", tag = "access", operation_id = "giveAccess", request_body = GrantBody,
    responses((status = 201, body = GivenView), Refused, BadBody, Missing), security(("management" = ["users"])))]
pub(super) async fn give(call: Call, mut payload: web::Payload) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let body: GrantBody = json(&mut payload).await?;
        let wanted = body.parsed()?;
        let ids = manager.run(move |service, conn, at| {
            let span = Span {
                starts_at: wanted.from.unwrap_or(at.now),
                ends_at: wanted.until.unwrap_or(Timestamp::NEVER),
            };
            app::access::give(service, conn, at, &wanted.holders, &wanted.access, span)
        });
        let ids = ids.await?;
        Ok(created(&GivenView { grants: ids.iter().map(GrantId::to_string).collect() }))
    })
    .await
}

/// How many grants were taken back.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"taken": 1}))]
pub(super) struct TakenView {
    /// That there were.
    taken: usize,
}

/// Takes all grants of this access back from everybody named. `from` and `until` have no place here.
#[utoipa::path(post, path = "/v1/grants/take", tag = "access", operation_id = "takeAccess", request_body = GrantBody,
    responses((status = 200, body = TakenView), Refused, BadBody, Missing), security(("management" = ["users"])))]
pub(super) async fn take(call: Call, mut payload: web::Payload) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let body: GrantBody = json(&mut payload).await?;
        let wanted = body.parsed()?;
        if wanted.from.is_some() || wanted.until.is_some() {
            return Err(Invalid::new("from", "and until have no place here").into());
        }
        let taken = manager.run(move |service, conn, at| {
            app::access::take(service, conn, at, &wanted.holders, &wanted.access)
        });
        Ok(ok(&TakenView { taken: taken.await? }))
    })
    .await
}

/// Takes one grant back.
#[utoipa::path(delete, path = "/v1/grants/{id}", tag = "access", operation_id = "endGrant",
    params(("id" = String, Path)), responses((status = 204), Refused, BadInput, Missing), security(("management" = ["users"])))]
pub(super) async fn end(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let grant: GrantId = id(&path, "grant")?;
        manager.run(move |service, conn, at| app::access::take_one(service, conn, at, grant)).await?;
        Ok(no_content())
    })
    .await
}
