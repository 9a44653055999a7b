//! The description of the management API, and its pages for people.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ClientCredentials, Flow, OAuth2, Scopes, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::Config;

use crate::error::Fault;
use crate::http::problem::{Style, answer, not_found};

use super::{Problem, access, clients, factors, sessions, system, users};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Countersign management API",
        description = "Users, factors, sessions, clients, access, signing keys and the audit log. \
                       A manager is an application with a token by `client_credentials`, or a user in a role above `user` \
                       whose login used a second factor. Each scope is also there as `NAME:read`. \
                       Errors are problem documents with a stable `code`, which stands with each status below; besides, any path \
                       answers a method that it does not take with 405 `method_not_allowed` and an `Allow` header.",
        license(name = "MIT OR Apache-2.0")
    ),
    paths(
        users::list, users::show, users::put, users::remove, users::lock, users::unlock, users::reset,
        factors::list, factors::enrol, factors::confirm, factors::resynchronise, factors::remove,
        factors::renew_recovery_codes, sessions::list, sessions::end_all, sessions::end,
        clients::list, clients::show, clients::put, clients::remove, clients::renew_secret, clients::disable,
        clients::enable,
        access::scopes, access::put_scope, access::remove_scope,
        access::groups, access::show_group, access::put_group, access::remove_group,
        access::members, access::add_member, access::remove_member,
        access::grants, access::give, access::take, access::end,
        system::keys, system::rotate, system::revoke, system::audit,
    ),
    components(schemas(Problem)),
    modifiers(&Management)
)]
struct Document;

/// How a manager's token is had.
struct Management;

impl Modify for Management {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scopes = [
            (
                "users",
                "users, their passwords and sessions, groups and grants; enrol factors, renew recovery codes",
            ),
            ("users:read", "look at them"),
            ("factors", "confirm, resynchronise, remove and reset factors; unlock"),
            ("factors:read", "list factors"),
            ("clients", "clients, scopes and signing keys"),
            ("clients:read", "look at them"),
            ("audit", "the audit log"),
            ("audit:read", "look at it"),
        ];
        let flow = Flow::ClientCredentials(ClientCredentials::new("/oauth/token", Scopes::from_iter(scopes)));
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    let status = status.parse().ok().and_then(|code: u16| StatusCode::from_u16(code).ok());
                    let word = status.and_then(|status| status.canonical_reason()).unwrap_or_default();
                    word.clone_into(&mut response.description);
                }
            }
        }
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("management", SecurityScheme::OAuth2(OAuth2::new([flow])));
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, .. } = item;
    [get, put, post, delete].into_iter().flatten()
}

/// `GET /v1/openapi.json`.
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().json(Document::openapi())
}

/// `GET /v1/docs/`: Swagger UI, from this program alone.
pub(super) async fn page(file: Path<String>) -> HttpResponse {
    match utoipa_swagger_ui::serve(&file, Arc::new(Config::from("/v1/openapi.json"))) {
        Ok(Some(file)) => HttpResponse::Ok().content_type(file.content_type).body(file.bytes.into_owned()),
        Ok(None) => not_found().await,
        Err(error) => {
            let why = Fault::while_("showing a page of the documentation")(error.to_string());
            answer(why, Style::Problem)
        }
    }
}
