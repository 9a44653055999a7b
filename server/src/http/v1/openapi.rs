//! The description of the management API, and its pages for people.

use actix_web::HttpResponse;
use utoipa::openapi::security::{ClientCredentials, Flow, OAuth2, Scopes, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

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
            ("users", "users, groups, grants and sessions"),
            ("users:read", "look at them"),
            ("factors", "confirm, resynchronise, remove and reset factors; unlock"),
            ("factors:read", "list factors"),
            ("clients", "clients, scopes and signing keys"),
            ("clients:read", "look at them"),
            ("audit:read", "the audit log"),
        ];
        let flow = Flow::ClientCredentials(ClientCredentials::new("/oauth/token", Scopes::from_iter(scopes)));
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("management", SecurityScheme::OAuth2(OAuth2::new([flow])));
    }
}

/// `GET /v1/openapi.json`.
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().json(Document::openapi())
}

/// `GET /v1/docs/`: Swagger UI, from this program alone.
pub(super) fn pages() -> SwaggerUi {
    SwaggerUi::new("/v1/docs/{_:.*}").config(Config::from("/v1/openapi.json"))
}
