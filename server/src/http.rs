//! The route table. One file a resource: extract, parse, one call into `app`, render.

mod codes;
mod console;
mod extract;
mod factor;
mod health;
mod introspect;
mod meters;
mod metrics;
mod phone;
mod problem;
mod qr;
mod recovery_code;
mod respond;
mod revocation;
mod revoke;
mod server;
mod session;
mod state;
mod threads;
mod tls;
mod token;
mod userinfo;
mod v1;
mod well_known;
mod whole_list;

pub use codes::threads_for_codes;
pub use meters::Mailed;
pub use server::{keep_house, start};
pub use state::{Limits, State};
pub use tls::{Certificate, TlsError, certificate, config as tls_config};

use actix_web::guard::{Any, Get, Head, Not, fn_guard};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web::{self, ServiceConfig, delete, post, resource, route, scope};
use actix_web::{HttpRequest, HttpResponse};

/// Which host has what. One that is the phone app's alone has nothing else, so that nothing else can reach what the app keeps there; every
/// other name leads to all the rest.
fn hosts(config: &mut ServiceConfig) {
    let all_but_phone_app = scope("").guard(Not(fn_guard(phone::is_for_own_host))).configure(routes);
    config.service(all_but_phone_app).default_service(web::to(phone::own_host));
}

/// Every path that this server answers; those of the management API stand in `v1::operations`, those of
/// the web console in `console::pages`, those for phones in `phone::pages`.
fn routes(config: &mut ServiceConfig) {
    config
        .service(on("/oauth/token", "POST").route(post().to(token::exchange)))
        .service(on("/oauth/introspect", "POST").route(post().to(introspect::introspect)))
        .service(on("/oauth/revoke", "POST").route(post().to(revoke::revoke)))
        .service(
            on("/oauth/userinfo", "GET, HEAD, POST")
                .route(read().to(userinfo::show))
                .route(post().to(userinfo::read_form)),
        )
        .service(on("/oauth/revocations", "GET, HEAD").route(read().to(revocation::list)))
        .service(on("/mfa/associate", "POST").route(post().to(factor::associate)))
        .service(on("/mfa/authenticators", "GET, HEAD").route(read().to(factor::list)))
        .service(on("/mfa/authenticators/{id}", "DELETE").route(delete().to(factor::remove)))
        .service(
            on("/mfa/recovery-codes", "GET, HEAD, POST")
                .route(read().to(recovery_code::count))
                .route(post().to(recovery_code::renew)),
        )
        .service(
            on("/account/sessions", "GET, HEAD, DELETE")
                .route(read().to(session::list))
                .route(delete().to(session::end_all)),
        )
        .service(on("/account/sessions/{id}", "DELETE").route(delete().to(session::end)))
        .service(on("/.well-known/jwks.json", "GET, HEAD").route(read().to(well_known::jwks)))
        .service(
            on("/.well-known/oauth-authorization-server", "GET, HEAD").route(read().to(well_known::metadata)),
        )
        .service(on("/.well-known/openid-configuration", "GET, HEAD").route(read().to(well_known::metadata)))
        .configure(v1::operations)
        .configure(console::pages)
        .configure(phone::pages)
        .service(on("/healthz", "GET, HEAD").route(read().to(health::process)))
        .service(on("/readyz", "GET, HEAD").route(read().to(health::ready)))
        .service(on("/metrics", "GET, HEAD").route(read().to(metrics::show)))
        .default_service(web::to(not_found));
}

/// GET, and HEAD for the same without the body (RFC 9110 s9.3.2).
fn read() -> actix_web::Route {
    route().guard(Any(Get()).or(Head()))
}

/// A path that takes these methods, and says so to all others.
fn on(path: &str, method: &'static str) -> actix_web::Resource {
    resource(path).default_service(route().to(move |request| method_not_allowed(request, method)))
}

/// No such path: for a browser among the console's pages a page says so.
async fn not_found(request: HttpRequest) -> HttpResponse {
    if console::is_for_people(&request) {
        return console::no_page(&request, StatusCode::NOT_FOUND, "refused-not-found").await;
    }
    problem::not_found().await
}

/// The same where the path takes another method, such as a form.
async fn method_not_allowed(request: HttpRequest, allowed: &'static str) -> HttpResponse {
    if !console::is_for_people(&request) {
        return problem::method_not_allowed(allowed).await;
    }
    let mut page = console::no_page(&request, StatusCode::METHOD_NOT_ALLOWED, "refused-method").await;
    page.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    page
}
