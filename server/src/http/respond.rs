//! What every reply has in common: the request's id, headers that keep browsers careful, and no caching unless a handler says so.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, web};
use tracing_actix_web::{RequestId, RootSpanBuilder};

use crate::clock::moment;
use crate::http::state::State;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        PERMISSIONS_POLICY,
        HeaderValue::from_static(
            "camera=(), microphone=(), geolocation=(), publickey-credentials-create=(), publickey-credentials-get=()",
        ),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
    ),
];

/// What the console's pages may load: their own files. Nothing inline, no script from a string, no frame, no form to elsewhere.
const OF_CONSOLE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// A handler's mark on a page for people, which [`common_headers`] takes off.
pub(super) struct IsPage;

/// A handler's mark on a file of the phone app, taken off in the same way.
pub(super) struct IsOfPhoneApp {
    /// The origin whose API the app asks, where that is not its own.
    pub(super) server: Option<String>,
}

impl IsOfPhoneApp {
    /// What the app may load: its own files, among them WebAssembly; pictures and the camera's film that it makes itself. Styles that a script
    /// sets one by one are no inline styles.
    fn policy(&self) -> String {
        let server = self.server.as_ref().map(|origin| format!(" {origin}")).unwrap_or_default();
        format!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; \
             connect-src 'self'{server}; worker-src 'self'; manifest-src 'self'; media-src 'self' blob: mediastream:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        )
    }
}

/// What the app may use of the device: a camera for QR codes, the clipboard for codes, passkeys to open its vault.
const PERMISSIONS_OF_PHONE_APP: HeaderValue = HeaderValue::from_static(
    "camera=(self), clipboard-read=(self), clipboard-write=(self), publickey-credentials-create=(self), \
     publickey-credentials-get=(self), microphone=(), geolocation=()",
);

/// What the pages of `/v1/docs/` may load besides: their own files, and the styles and pictures within them.
const OF_PAGES: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// Counts and times every request.
pub(super) async fn count<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let Some(state) = request.app_data::<web::Data<State>>().cloned() else {
        return next.call(request).await;
    };
    let (method, begun) = (request.method().clone(), moment());
    let route = request.extensions_mut().remove::<Route>().map(|route| route.0).unwrap_or_default();
    let outcome = next.call(request).await;
    state.meters().answered(&method, route, status(&outcome), begun.elapsed());
    outcome
}

fn status<B>(outcome: &Result<ServiceResponse<B>, actix_web::Error>) -> StatusCode {
    match outcome {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    }
}

/// The pattern of a request's path, left by [`RequestSpan`], which has looked it up already.
struct Route(String);

/// Adds those headers.
pub(super) async fn common_headers<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let id = request.extensions().get::<RequestId>().copied();
    let is_docs = request.path().starts_with("/v1/docs/");
    let state = request.app_data::<web::Data<State>>().cloned();
    let mut response = next.call(request).await?;
    // A connection that is kept would be cut off at the end of the stop, perhaps with a request on it.
    if state.is_some_and(|state| state.is_stopping()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let is_console = response.response_mut().extensions_mut().remove::<IsPage>().is_some();
    let of_phone_app = response.response_mut().extensions_mut().remove::<IsOfPhoneApp>();
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    if is_docs {
        headers.insert(header::CONTENT_SECURITY_POLICY, OF_PAGES);
    }
    if is_console {
        headers.insert(header::CONTENT_SECURITY_POLICY, OF_CONSOLE);
        // Without a referrer a form would say that it comes from nowhere.
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin"));
    }
    if let Some(policy) = of_phone_app.and_then(|mark| HeaderValue::from_str(&mark.policy()).ok()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        headers.insert(PERMISSIONS_POLICY, PERMISSIONS_OF_PHONE_APP);
        headers.insert(CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    }
    if let Some(value) = id.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
        headers.insert(REQUEST_ID, value);
    }
    Ok(response)
}

/// One span a request: its id, method and route pattern. Never the query, a header or a field: they may hold secrets.
pub(super) struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> tracing::Span {
        let id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
        let route = request.match_pattern().unwrap_or_default();
        let span = tracing::info_span!("request", id, method = %request.method(), route);
        request.extensions_mut().insert(Route(route));
        span
    }

    fn on_request_end<B: MessageBody>(
        span: tracing::Span,
        outcome: &Result<ServiceResponse<B>, actix_web::Error>,
    ) {
        tracing::debug!(parent: &span, status = status(outcome).as_u16(), "answered");
    }
}
