//! `/`: the web console, pages for people. Plain forms that work without scripts; what they do, they do by the same use cases as the API.
//!
//! 1. Every page and form is for whoever the cookie says (`Visit`), or leads to the login and back again.
//! 2. Every form carries a mark of the browser session, and comes from one of our own pages, or it is refused (`Form::read`).
//! 3. A form that worked answers with a redirection, so that going back or loading again does nothing twice. Only what is shown once is
//!    the answer itself: such a page offers no other language, and a look at its address leads on.

mod account;
mod assets;
mod audit;
mod authenticators;
mod authorize;
mod clients;
mod end_session;
mod frame;
mod keys;
mod outbox;
mod overview;
mod scopes;
mod settings;
mod sign_in;
mod typed;
mod users;
mod welcome;

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::header::{ACCEPT, HOST, HeaderName, LOCATION, ORIGIN, REFERER};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig, get, post};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, Route};
use askama::Template;
use zeroize::Zeroizing;

use crate::app::console::{Visitor, form_mark, is_form_mark};
use crate::app::context::Stop;
use crate::app::manage::Needs;
use crate::domain::refusal::{Invalid, Refusal};
use crate::http::console::frame::{Frame, RefusedPage};
use crate::http::extract::{Fields, MAX_BODY_BYTES, MAX_LIST_BODY_BYTES, Unreadable, cookie};
use crate::http::problem::{Style, outcome, unreadable};
use crate::http::respond::IsPage;
use crate::http::state::State;
use crate::http::{on, read};

/// Where a login leads that nothing else was wanted of.
const HOME: &str = "/console";

/// Where applications send browsers.
const AUTHORIZE: &str = "/oauth/authorize";

/// The longest request of an application for a login, in bytes: it goes along in the addresses of the pages on the way.
const LONGEST_REQUEST: usize = 4000;

/// The longest address of a page here, in bytes: one that leads to the login leads back to a request of an application.
const LONGEST_ADDRESS: usize = 16_000;

/// What the page of a form that was not carried out says.
const UNDONE: &str = "said=undone";

/// The browser's own word on where a request comes from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Every page and form.
pub(super) fn pages(config: &mut ServiceConfig) {
    config
        .service(on("/", "GET, HEAD").route(read().to(sign_in::home)))
        .service(on("/console", "GET, HEAD").route(read().to(sign_in::home)))
        .service(on("/assets/{version}/{name}", "GET, HEAD").route(read().to(assets::asset)))
        .service(on("/favicon.ico", "GET, HEAD").route(read().to(assets::favicon)))
        .service(
            on("/login", "GET, HEAD, POST")
                .route(read().to(sign_in::show))
                .route(post().to(sign_in::password)),
        )
        .service(
            on("/login/code", "GET, HEAD, POST")
                .route(read().to(sign_in::show_code))
                .route(post().to(sign_in::code)),
        )
        .service(
            on("/login/recovery", "GET, HEAD, POST")
                .route(leads_to("/login/code"))
                .route(post().to(sign_in::recovery)),
        )
        .service(
            on("/login/enrol", "GET, HEAD, POST")
                .route(read().to(sign_in::show_enrol))
                .route(post().to(sign_in::enrol)),
        )
        .service(
            on("/login/enrol/confirm", "GET, HEAD, POST")
                .route(leads_to("/login/enrol"))
                .route(post().to(sign_in::confirm)),
        )
        .service(
            on("/login/again", "GET, HEAD, POST")
                .route(read().to(sign_in::show_again))
                .route(post().to(sign_in::again)),
        )
        .service(
            // Not HEAD: whoever only looks gets no code.
            on(AUTHORIZE, "GET, POST")
                .route(get().to(authorize::show))
                .route(post().to(authorize::read_form)),
        )
        .service(on("/logout", "POST").route(post().to(sign_in::log_out)))
        .service(
            // Nor here: an ID token ends a session.
            on("/oauth/logout", "GET, POST")
                .route(get().to(end_session::show))
                .route(post().to(end_session::read_form)),
        )
        .service(on("/logout/application", "POST").route(post().to(end_session::log_out)))
        .service(on("/language", "POST").route(post().to(sign_in::language)))
        .service(
            on("/welcome/{token}", "GET, HEAD, POST")
                .route(read().to(welcome::show))
                .route(post().to(welcome::accept)),
        )
        .service(on("/console/account", "GET, HEAD").route(read().to(account::show)))
        .service(on("/console/account/activity", "GET, HEAD").route(read().to(account::activity)))
        .service(
            on("/console/account/password", "GET, HEAD, POST")
                .route(read().to(account::show_password))
                .route(post().to(account::password)),
        )
        .service(on("/console/account/devices/forget", "POST").route(post().to(account::forget_devices)))
        .service(on("/console/account/sessions", "GET, HEAD").route(read().to(account::sessions)))
        .service(on("/console/account/sessions/end-all", "POST").route(post().to(account::end_all)))
        .service(on("/console/account/sessions/{id}/end", "POST").route(post().to(account::end)))
        .service(
            on("/console/account/authenticators", "GET, HEAD, POST")
                .route(read().to(authenticators::show_add))
                .route(post().to(authenticators::add)),
        )
        .service(
            on("/console/account/authenticators/{id}/confirm", "GET, HEAD, POST")
                .route(leads_to("/console/account"))
                .route(post().to(authenticators::confirm)),
        )
        .service(
            on("/console/account/authenticators/{id}/rename", "POST")
                .route(post().to(authenticators::rename)),
        )
        .service(
            on("/console/account/authenticators/{id}/remove", "GET, HEAD, POST")
                .route(read().to(authenticators::show_remove))
                .route(post().to(authenticators::remove)),
        )
        .service(
            on("/console/account/recovery-codes", "GET, HEAD, POST")
                .route(read().to(authenticators::show_renew))
                .route(post().to(authenticators::renew)),
        )
        .service(
            on("/console/account/recovery-codes/file", "POST")
                .route(post().to(authenticators::recovery_codes_file)),
        )
        .configure(overview::pages)
        .configure(audit::pages)
        .configure(clients::pages)
        .configure(scopes::pages)
        .configure(keys::pages)
        .configure(outbox::pages)
        .configure(settings::pages)
        .configure(users::pages);
}

/// For whoever looks at an address that answers a form with a page: leads to the page that the form stands on.
fn leads_to(page: &'static str) -> Route {
    read().to(move || ready(see_other(page)))
}

/// The cookies that this server sets, none of which scripts can read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Jar {
    /// The opaque access token of a browser session.
    Session,
    /// Between a page with a password field and the code: at first a random value, then an `mfa_token`.
    Login,
    /// The mark of a browser that skips the code.
    Device,
    /// The language that somebody chose before logging in.
    Language,
}

impl Jar {
    /// With TLS the prefix makes browsers refuse a cookie that another host of the domain, or plain HTTP, tries to set.
    const fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-countersign",
            (Self::Session, false) => "countersign",
            (Self::Login, true) => "__Host-countersign-login",
            (Self::Login, false) => "countersign-login",
            (Self::Device, true) => "__Host-countersign-device",
            (Self::Device, false) => "countersign-device",
            (Self::Language, true) => "__Host-countersign-language",
            (Self::Language, false) => "countersign-language",
        }
    }

    fn read(self, state: &State, request: &HttpRequest) -> Option<Zeroizing<String>> {
        let value = cookie(request, self.name(state.is_public_by_tls()))?;
        (1..=200).contains(&value.len()).then(|| Zeroizing::new(value.to_owned()))
    }

    /// A cookie for the browser; without an age it goes when the browser is closed.
    fn fill(self, state: &State, value: &str, max_age_s: Option<i64>) -> Cookie<'static> {
        let secure = state.is_public_by_tls();
        let mut cookie = Cookie::build(self.name(secure), value.to_owned())
            .path("/")
            .http_only(true)
            .secure(secure)
            .same_site(SameSite::Lax)
            .finish();
        if let Some(seconds) = max_age_s {
            cookie.set_max_age(Duration::seconds(seconds));
        }
        cookie
    }

    fn empty(self, state: &State) -> Cookie<'static> {
        self.fill(state, "", Some(0))
    }
}

/// A request by whoever has the cookie of a browser session. As a handler's argument: without a cookie the answer is the login, which
/// leads back here.
struct Visit {
    state: Arc<State>,
    request: HttpRequest,
    token: Zeroizing<String>,
}

/// A form that such a visitor sent from one of our own pages.
struct Posted {
    visit: Visit,
    form: Form,
}

impl FromRequest for Visit {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::begin(&state_of(request), request).map_err(answered))
    }
}

impl FromRequest for Posted {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload));
        Box::pin(async move {
            let visit = Visit::begin(&state_of(&request), &request).map_err(answered)?;
            let mut payload = payload.await?;
            let form = Form::read(&visit.state, &request, &mut payload, &[Jar::Session]).await;
            Ok(Self { form: form.map_err(answered)?, visit })
        })
    }
}

fn state_of(request: &HttpRequest) -> Arc<State> {
    let state = request.app_data::<web::Data<State>>().expect("the server puts it there").clone();
    state.into_inner()
}

/// An answer that takes the place of a handler's.
fn answered(answer: HttpResponse) -> actix_web::Error {
    InternalError::from_response("answered", answer).into()
}

impl Visit {
    #[expect(clippy::result_large_err, reason = "it is the answer, not an error that travels")]
    fn begin(state: &Arc<State>, request: &HttpRequest) -> Result<Self, HttpResponse> {
        match Jar::Session.read(state, request) {
            Some(token) => Ok(Self { state: Arc::clone(state), request: request.clone(), token }),
            None => Err(to_login(request, "/login")),
        }
    }

    /// What the use cases take.
    fn token(&self) -> Zeroizing<String> {
        self.token.clone()
    }

    /// The frame of a page for this visitor; `here` is its place in the navigation.
    fn frame(&self, visitor: &Visitor, here: &'static str) -> Frame {
        Frame::of(&self.state, &self.request, here, form_mark(&self.state.service, &self.token))
            .for_visitor(visitor)
    }

    /// A page of what was found, or what stands in its place.
    fn page<T, P: Template>(
        &self,
        found: Result<(Visitor, T), Stop>,
        here: &'static str,
        page: impl FnOnce(Frame, &Visitor, T) -> P,
    ) -> HttpResponse {
        match found {
            Ok((visitor, value)) => {
                let frame = self.frame(&visitor, here);
                render(StatusCode::OK, &page(frame, &visitor, value))
            }
            Err(stop) => self.stopped(&stop),
        }
    }

    /// To the page that shows the change, or what stands in its place.
    fn done<T>(&self, done: Result<T, Stop>, next: &str) -> HttpResponse {
        match done {
            Ok(_) => see_other(next),
            Err(stop) => self.stopped(&stop),
        }
    }

    /// To the login in this way: whoever the cookie was for is logged in no more.
    fn over(&self, mut to_login: HttpResponse) -> HttpResponse {
        let _ = to_login.add_cookie(&Jar::Session.empty(&self.state));
        to_login
    }

    /// Who is not logged in logs in, who gave no code lately gives one, and comes back; everybody else reads why not.
    fn stopped(&self, stop: &Stop) -> HttpResponse {
        match stop {
            Stop::Refused(Refusal::InvalidToken) => self.over(to_login(&self.request, "/login")),
            Stop::Refused(Refusal::InsufficientAuthentication { .. } | Refusal::FactorNeeded) => {
                to_login(&self.request, "/login/again")
            }
            _ => refused_from(self.known_frame(), stop, back(&self.request)),
        }
    }

    /// The same before anybody was looked up: the page is for the visitor all the same.
    async fn refuse(&self, stop: impl Into<Stop>) -> HttpResponse {
        match self.look_up().await {
            Err(over @ Stop::Refused(_)) => self.stopped(&over),
            _ => self.stopped(&stop.into()),
        }
    }

    /// Finds out who this is, for [`Visit::known_frame`].
    async fn look_up(&self) -> Result<(), Stop> {
        let found = self.state.run_as_visitor(&self.request, self.token(), |_, _, _, _| Ok(()));
        found.await.map(|_| ())
    }

    /// The frame of a page for this visitor, or for anybody where nobody has been looked up.
    fn known_frame(&self) -> Frame {
        match self.request.extensions().get::<Visitor>() {
            Some(visitor) => self.frame(visitor, place_of(self.request.path())),
            None => Frame::of(&self.state, &self.request, "", form_mark(&self.state.service, &self.token)),
        }
    }
}

/// The frame of a page that says why not: for the visitor where one is logged in.
async fn frame_of_anybody(state: &Arc<State>, request: &HttpRequest) -> Frame {
    let Ok(visit) = Visit::begin(state, request) else {
        return Frame::of(state, request, "", String::new());
    };
    match visit.look_up().await {
        Ok(()) => visit.known_frame(),
        Err(_) => Frame::of(state, request, "", String::new()),
    }
}

/// The pages of the navigation, and what they are called there.
const PLACES: [(&str, &str); 13] = [
    ("/console/account/sessions", "sessions"),
    ("/console/account/activity", "activity"),
    ("/console/account/password", "password"),
    ("/console/account", "account"),
    ("/console/overview", "overview"),
    ("/console/users", "users"),
    ("/console/approvals", "approvals"),
    ("/console/clients", "clients"),
    ("/console/scopes", "scopes"),
    ("/console/keys", "keys"),
    ("/console/audit", "audit"),
    ("/console/outbox", "outbox"),
    ("/console/settings", "settings"),
];

/// Where in the navigation a page is.
fn place_of(path: &str) -> &'static str {
    let is_within = |page: &str| {
        path.strip_prefix(page).is_some_and(|rest| matches!(rest.bytes().next(), None | Some(b'/')))
    };
    PLACES.into_iter().find(|(page, _)| is_within(page)).map_or("", |(_, place)| place)
}

/// The page of ours that led here, or else the start. Where somebody only looks, one of the navigation's or one above this: others need not be there
/// either, and would lead back here.
fn back(request: &HttpRequest) -> String {
    let Some(from) = page_of_form(request).map(|page| unsaid(&way_back(&page))) else {
        return HOME.to_owned();
    };
    let path = from.split('?').next().unwrap_or_default();
    let is_above = || request.path().strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    let is_place = || path != request.path() && PLACES.iter().any(|(page, _)| *page == path);
    if request.method() == Method::POST || is_place() || is_above() { from } else { HOME.to_owned() }
}

/// Whether somebody with a browser looks for a page that is not there: programs ask for none.
pub(super) fn is_for_people(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
    let is_ours = ["/console", "/login", "/logout", "/language", "/welcome"].iter().any(|page| {
        request.path().strip_prefix(page).is_some_and(|rest| matches!(rest.bytes().next(), None | Some(b'/')))
    });
    is_ours && accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// A page for them. `key` is the text's.
pub(super) async fn no_page(request: &HttpRequest, status: StatusCode, key: &str) -> HttpResponse {
    let frame = frame_of_anybody(&state_of(request), request).await;
    render(status, &RefusedPage { frame, key: key.to_owned(), detail: None, next: back(request) })
}

/// A page that says why not.
fn refused(frame: Frame, stop: &Stop) -> HttpResponse {
    refused_from(frame, stop, HOME.to_owned())
}

/// The same with a way on.
fn refused_from(frame: Frame, stop: &Stop, next: String) -> HttpResponse {
    let (status, code) = outcome(stop);
    let detail = match stop {
        Stop::Refused(Refusal::Invalid(invalid)) => Some(invalid.to_string()),
        _ => None,
    };
    let key = format!("refused-{}", code.replace('_', "-"));
    render(status, &RefusedPage { frame, key, detail, next })
}

/// Refuses a request of an application that is longer than so many bytes.
fn must_be_short(query: &str, longest: usize) -> Result<(), Invalid> {
    if query.len() > longest {
        return Err(Invalid::new("query", format!("is longer than {longest} bytes")));
    }
    Ok(())
}

/// For a request that an application has the browser send as a form: browsers send no cookie along with a form of another site, so it is asked once more, by GET.
async fn once_more(
    state: &State,
    request: &HttpRequest,
    mut payload: web::Payload,
    path: &str,
    read: impl FnOnce(&str) -> Result<(), Invalid>,
) -> HttpResponse {
    let fields = match read_sent(state, request, &mut payload).await {
        Ok(fields) => fields,
        Err(answer) => return answer,
    };
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields.pairs()).finish();
    match read(&query) {
        Ok(()) => see_other(&format!("{path}?{query}")),
        Err(invalid) => misled(state, request, &invalid.into()),
    }
}

/// The fields of a form that nobody's page sent, or nobody's any more.
async fn read_sent(
    state: &State,
    request: &HttpRequest,
    payload: &mut web::Payload,
) -> Result<Fields, HttpResponse> {
    Fields::read(request, payload).await.map_err(|why| match why {
        Unreadable::Malformed(invalid) => misled(state, request, &invalid.into()),
        why => unreadable(why, Style::OAuth),
    })
}

/// What requests of applications are made of, and what they stand in.
const PARAMETERS: [&str; 22] = [
    "acr_values",
    "audience",
    "authorization_details",
    "body",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "id_token_hint",
    "login_hint",
    "max_age",
    "nonce",
    "post_logout_redirect_uri",
    "prompt",
    "query",
    "redirect_uri",
    "request",
    "request_uri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// What is wrong with a parameter, for a page. Only what we know is named: anybody can write an address, and the page would say for them what
/// they have put in the place of a name.
fn known_by_name(invalid: &Invalid) -> String {
    if PARAMETERS.contains(&invalid.field()) {
        invalid.to_string()
    } else {
        invalid.clone().named("a parameter").to_string()
    }
}

/// A page for somebody whom an application has sent here in a way that leads nowhere: it is not the reader who has done something wrong.
fn misled(state: &State, request: &HttpRequest, stop: &Stop) -> HttpResponse {
    let frame = Frame::of(state, request, "", String::new());
    let Stop::Refused(Refusal::Invalid(invalid)) = stop else { return refused(frame, stop) };
    let (key, detail) = ("refused-application".to_owned(), Some(known_by_name(invalid)));
    render(StatusCode::BAD_REQUEST, &RefusedPage { frame, key, detail, next: HOME.to_owned() })
}

/// The fields of a form that one of our own pages sent from this browser.
struct Form {
    fields: Fields,
    /// The cookie that the page was made for.
    jar: Jar,
}

impl Form {
    /// Reads a form of a page that was made for the cookie in one of these jars.
    async fn read(
        state: &Arc<State>,
        request: &HttpRequest,
        payload: &mut web::Payload,
        jars: &[Jar],
    ) -> Result<Self, HttpResponse> {
        Self::read_up_to(state, request, payload, jars, MAX_BODY_BYTES).await
    }

    /// The same where a long list is among the fields. Whoever may not do this, or does it from elsewhere, has none of it read.
    async fn read_long(
        visit: &Visit,
        payload: &mut web::Payload,
        needs: Needs,
        may: &'static str,
    ) -> Result<Self, HttpResponse> {
        let Visit { state, request, .. } = visit;
        if comes_from_here(state, request) {
            let allowed =
                state.run_as_managing_visitor(request, visit.token(), needs, move |_, _, _, manager| {
                    Ok(manager.must(may)?)
                });
            allowed.await.map_err(|stop| visit.stopped(&stop))?;
        }
        Self::read_up_to(state, request, payload, &[Jar::Session], MAX_LIST_BODY_BYTES).await
    }

    async fn read_up_to(
        state: &Arc<State>,
        request: &HttpRequest,
        payload: &mut web::Payload,
        jars: &[Jar],
        max_bytes: usize,
    ) -> Result<Self, HttpResponse> {
        if !comes_from_here(state, request) {
            // Nobody is looked up for it.
            let (frame, key) = (Frame::of(state, request, "", String::new()), "refused-form".to_owned());
            let page = RefusedPage { key, detail: None, next: HOME.to_owned(), frame };
            return Err(render(StatusCode::FORBIDDEN, &page));
        }
        let page = async |status, key: &str, next: String| {
            let frame = if jars.contains(&Jar::Session) {
                frame_of_anybody(state, request).await
            } else {
                Frame::of(state, request, "", String::new())
            };
            render(status, &RefusedPage { key: key.to_owned(), detail: None, next, frame })
        };
        let cookies: Vec<_> = jars.iter().filter_map(|jar| Some((*jar, jar.read(state, request)?))).collect();
        if cookies.is_empty() && jars == [Jar::Session] {
            return Err(to_login(request, "/login"));
        }
        let fields = match Fields::read_up_to(request, payload, max_bytes).await {
            Ok(fields) => fields,
            Err(why) => {
                let (status, key) = match why {
                    Unreadable::Malformed(_) => (StatusCode::BAD_REQUEST, "refused-form"),
                    Unreadable::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "refused-too-large"),
                    Unreadable::TooSlow => (StatusCode::REQUEST_TIMEOUT, "refused-too-slow"),
                };
                return Err(page(status, key, back(request)).await);
            }
        };
        let mark = fields.optional("mark").unwrap_or_default();
        if let Some((jar, _)) = cookies.iter().find(|(_, cookie)| is_form_mark(&state.service, cookie, mark))
        {
            return Ok(Self { jar: *jar, fields });
        }
        // Of two logins in one browser the first ends the other, whose page leads on from here to where it was going.
        let to = fields.optional("to").map(|to| way_back(&beyond_login(to)));
        match to.filter(|to| to != HOME || jars.contains(&Jar::Login)) {
            Some(to) => Err(page(StatusCode::FORBIDDEN, "refused-login-page", with_to("/login", &to)).await),
            None => Err(page(StatusCode::FORBIDDEN, "refused-form", back(request)).await),
        }
    }

    /// A field's text without blanks at either end; empty where it is missing.
    fn text(&self, name: &str) -> &str {
        self.fields.optional(name).unwrap_or_default().trim()
    }

    /// A field's text as it is, for passwords.
    fn raw(&self, name: &str) -> &str {
        self.fields.optional(name).unwrap_or_default()
    }

    /// Whether a box is ticked.
    fn is_ticked(&self, name: &str) -> bool {
        self.fields.optional(name).is_some()
    }
}

/// Whether a form was sent by a page of this server, as far as the browser says: `Sec-Fetch-Site`, or else `Origin`.
fn comes_from_here(state: &State, request: &HttpRequest) -> bool {
    let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    let Some(origin) = header(ORIGIN) else { return true };
    let host = header(HOST).unwrap_or_default();
    origin == state.service.issuer
        || origin.strip_prefix("http://").is_some_and(|rest| rest == host)
        || origin.strip_prefix("https://").is_some_and(|rest| rest == host)
}

/// Whether no other site has led the browser here, as far as it says so: an address alone must not have a page say what somebody else likes.
fn is_own_way(request: &HttpRequest) -> bool {
    let site = request.headers().get(SEC_FETCH_SITE).and_then(|site| site.to_str().ok());
    matches!(site, None | Some("same-origin" | "none"))
}

/// A page, with the headers that pages need.
fn render<P: Template>(status: StatusCode, page: &P) -> HttpResponse {
    match page.render() {
        Ok(text) => {
            let mut response =
                HttpResponse::build(status).content_type("text/html; charset=utf-8").body(text);
            response.extensions_mut().insert(IsPage);
            response
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// After a form: GET that page.
fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

/// To `door`, and from there back to the page that was asked for.
fn to_login(request: &HttpRequest, door: &str) -> HttpResponse {
    let is_form = request.method() == Method::POST;
    let asked = || request.uri().path_and_query().map_or(HOME, |path| path.as_str()).to_owned();
    // A form is not sent again by itself: it stays undone, and its page says so.
    let back = if is_form { page_of_form(request).unwrap_or_else(|| HOME.to_owned()) } else { asked() };
    let back = unsaid(&way_back(&beyond_login(&back)));
    let undone = is_form && back != HOME && !is_authorization(&back);
    see_other(&with_to(door, &if undone { with_query(&back, UNDONE) } else { back }))
}

/// The page of ours that sent a form or led here, as the browser names it.
fn page_of_form(request: &HttpRequest) -> Option<String> {
    if !comes_from_here(&state_of(request), request) {
        return None;
    }
    let referer = request.headers().get(REFERER)?.to_str().ok()?;
    let path = referer.splitn(4, '/').nth(3)?;
    Some(format!("/{}", path.trim_start_matches('/')))
}

/// A page of ours without what it said of the form before it: that is not so any more.
fn unsaid(page: &str) -> String {
    let Some((path, query)) = page.split_once('?') else { return page.to_owned() };
    let kept: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("said=")).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

/// From a page on the way to a login, or to one more code, to where that leads; every other page is what it is.
fn beyond_login(page: &str) -> String {
    let path_and_query = page.split_once('?').filter(|(path, _)| path.starts_with("/login"));
    path_and_query.and_then(|(_, query)| in_query(query, "to")).unwrap_or_else(|| page.to_owned())
}

/// A page of this server, and which page comes after it.
fn with_to(path: &str, to: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    format!("{path}?{query}")
}

/// On from a form. An application's request leads away from here in the end, and browsers let no form do that, not even by redirections: then a
/// page lies between.
fn go_on(frame: Frame, to: String) -> HttpResponse {
    if is_authorization(&to) { away(frame, "going-on", to) } else { see_other(&to) }
}

/// That page; `key` is the texts'.
fn away(frame: Frame, key: &'static str, to: String) -> HttpResponse {
    render(StatusCode::OK, &GoingOnPage { frame, key, to })
}

/// An address with more parameters than it had.
fn with_query(uri: &str, query: &str) -> String {
    let joint = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{joint}{query}")
}

/// Whether this leads to an application.
fn is_authorization(to: &str) -> bool {
    to.strip_prefix(AUTHORIZE).is_some_and(|rest| rest.starts_with('?'))
}

/// Leads on by itself.
#[derive(Template)]
#[template(path = "going_on.html")]
struct GoingOnPage {
    frame: Frame,
    key: &'static str,
    to: String,
}

/// Where somebody wanted to go: a page of the console, or on to an application, and nothing else.
fn way_back(asked: &str) -> String {
    let fits = asked == HOME
        || asked.starts_with("/console/")
        || asked.starts_with("/console?")
        || is_authorization(asked);
    if fits { own_page(asked) } else { HOME.to_owned() }
}

/// Any page of this server.
fn own_page(asked: &str) -> String {
    let fits = asked.len() <= LONGEST_ADDRESS
        && asked.starts_with('/')
        && asked.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\')
        && !asked.contains("//");
    if fits { asked.to_owned() } else { HOME.to_owned() }
}

/// A parameter of the address, without what no text of a database holds: PostgreSQL takes no NUL.
fn parameter(request: &HttpRequest, name: &str) -> Option<String> {
    in_query(request.query_string(), name)
}

fn in_query(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.replace('\0', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_pages_of_ours_only() {
        let authorization = "/oauth/authorize?client_id=1&redirect_uri=https%3A%2F%2Fshop.example";
        for good in ["/console/users?search=a%20b", authorization] {
            assert_eq!(way_back(good), good);
        }
        for bad in [
            "",
            "https://evil.example/",
            "//evil.example/console",
            "/console//evil.example",
            "/\\evil.example",
            "/console/\\evil.example",
            "/consoles",
            "/login",
            "/oauth/authorize",
            "/oauth/authorize/",
            "/oauth/authorize//evil.example?",
            "/oauth/authorize?redirect_uri=https://evil.example",
            "/oauth/token?",
            "/console/\r\nSet-Cookie: a=b",
            "javascript:alert(1)",
        ] {
            assert_eq!(way_back(bad), "/console", "{bad}");
        }
    }
}
