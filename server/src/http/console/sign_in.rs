//! Logging in: name and password, then a code, a recovery code, or the first enrolment. And out again.
//!
//! Between the steps the browser holds an `mfa_token` in a cookie of its own. Only the last step sets the session's cookie, which is
//! new each time: whatever a stranger had put there before is worth nothing.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use mobile_core::{Code, KeyUri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use crate::app;
use crate::app::client_auth::Asker;
use crate::app::console::{Halfway, form_mark, new_mark, shown_factor, shown_mark};
use crate::app::context::Stop;
use crate::app::factor::Enrolled;
use crate::app::issue::Issued;
use crate::app::login::{Entry, PasswordRequest};
use crate::domain::authorization::Details;
use crate::domain::factor::{CodeShape, parse_code};
use crate::domain::lockout::INDEFINITE_RETRY_S;
use crate::domain::password::Password;
use crate::domain::phone::PhoneApp;
use crate::domain::recovery_code::RecoveryCode;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::token::MFA_TOKEN_TTL_S;
use crate::domain::user::{Language, Role, UserName};
use crate::http::console::authorize::{Bound, bound_for, login_hint};
use crate::http::console::frame::Frame;
use crate::http::console::typed::Errors;
use crate::http::console::{
    Form, HOME, Jar, Posted, Visit, go_on, own_page, parameter, refused, render, see_other, way_back, with_to,
};
use crate::http::problem::outcome;
use crate::http::qr;
use crate::http::state::State;

/// In the place of a field's name: the whole form.
pub(super) const WHOLE: &str = "form";

/// The browser forgets what it kept of pages that are nobody's any more.
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// How long the choice of a language is kept, in seconds: a year.
const LANGUAGE_TTL_S: i64 = 365 * 86_400;

/// Name and password.
#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    to: String,
    /// The application that the login is for, if it is for one.
    bound: Option<Bound>,
    username: String,
    error: Option<String>,
}

/// The code, or a recovery code.
#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    frame: Frame,
    to: String,
    /// Where somebody else logs in.
    other: String,
    name: String,
    /// How many days this browser may be remembered, where the operator allows it and the user does not manage.
    remember_days: Option<i64>,
    error: Option<String>,
    recovery_error: Option<String>,
}

/// A code within a session.
#[derive(Template)]
#[template(path = "again.html")]
struct AgainPage {
    frame: Frame,
    to: String,
    /// The application that wants it, if it is one.
    bound: Option<Bound>,
    error: Option<String>,
}

/// The first enrolment, before and while its QR code is shown.
#[derive(Template)]
#[template(path = "enrol.html")]
pub(super) struct EnrolPage {
    pub(super) frame: Frame,
    pub(super) to: String,
    /// The secret, this once.
    pub(super) shown: Option<ShownSecret>,
    /// Where the first code goes.
    pub(super) confirm: String,
    /// What goes along with it: which secret was shown. Empty where the form's address says it.
    pub(super) carried: String,
    /// Where a new QR code comes from.
    pub(super) begin: String,
    pub(super) error: Option<String>,
    /// Whether the three steps of a new account are shown.
    pub(super) steps: bool,
}

/// What a phone needs, as a picture, as a link, and for typing.
pub(super) struct ShownSecret {
    pub(super) svg: String,
    pub(super) uri: Zeroizing<String>,
    /// The phone app at a place that adds it. Browsers send no server what stands behind the `#`.
    pub(super) phone: Zeroizing<String>,
    /// In groups of four.
    pub(super) groups: Vec<Zeroizing<String>>,
    pub(super) account: String,
    pub(super) issuer: String,
}

impl ShownSecret {
    pub(super) fn of(uri: &KeyUri, app: &PhoneApp) -> Self {
        let text = uri.to_uri();
        let escaped = utf8_percent_encode(&text, NON_ALPHANUMERIC);
        let phone = Zeroizing::new(format!("{}#add={escaped}", app.url()));
        let base32 = uri.secret().to_base32();
        let groups = base32
            .as_bytes()
            .chunks(4)
            .map(|group| Zeroizing::new(String::from_utf8_lossy(group).into_owned()));
        Self {
            svg: qr::in_page(&text),
            groups: groups.collect(),
            account: uri.account().to_owned(),
            issuer: uri.issuer().unwrap_or_default().to_owned(),
            uri: text,
            phone,
        }
    }
}

/// Recovery codes, this once.
#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub(super) struct RecoveryCodesPage {
    pub(super) frame: Frame,
    pub(super) to: String,
    pub(super) codes: Vec<Zeroizing<String>>,
    pub(super) steps: bool,
    /// Whether it is the one code that takes the place of a used one.
    pub(super) is_replacement: bool,
}

/// What is said where a form was refused; none where the login has to begin anew.
pub(super) fn why(frame: &Frame, stop: &Stop, wrong: &str) -> Option<String> {
    match stop {
        Stop::Refused(Refusal::InvalidGrant) => Some(frame.t(wrong)),
        Stop::Refused(Refusal::CodeUsed) => Some(frame.t("error-code-used")),
        Stop::Refused(Refusal::TooManyAttempts { retry_after_s }) if *retry_after_s >= INDEFINITE_RETRY_S => {
            Some(frame.t("error-locked"))
        }
        Stop::Refused(Refusal::TooManyAttempts { retry_after_s }) => {
            let wait_s = i64::try_from(*retry_after_s).unwrap_or(i64::MAX);
            Some(match wait_s {
                ..=120 => frame.count("error-wait-seconds", &wait_s),
                _ => frame.count("error-wait-minutes", &(wait_s / 60 + 1)),
            })
        }
        Stop::Refused(Refusal::Invalid(invalid)) => {
            let key = format!("error-field-{}", invalid.field().replace('_', "-"));
            let said = frame.t(&key);
            Some(if said == key { invalid.to_string() } else { said })
        }
        _ => None,
    }
}

/// The same next to the field that it is about; what is about none of them stands above the form, under [`WHOLE`].
pub(super) fn why_at(frame: &Frame, stop: &Stop, wrong: &str) -> Option<Errors> {
    let field = match stop {
        Stop::Refused(Refusal::Invalid(invalid)) => invalid.field(),
        Stop::Refused(Refusal::InvalidGrant | Refusal::CodeUsed) => "otp",
        _ => WHOLE,
    };
    why(frame, stop, wrong).map(|reason| Errors::of_one(field, reason))
}

/// The same where that is the code that came with a form; none where something else stopped it.
pub(super) fn why_not_code(frame: &Frame, stop: &Stop) -> Option<String> {
    let is_code = match stop {
        Stop::Refused(Refusal::Invalid(invalid)) => invalid.field() == "otp",
        Stop::Refused(Refusal::InvalidGrant | Refusal::CodeUsed | Refusal::TooManyAttempts { .. }) => true,
        _ => false,
    };
    if is_code { why(frame, stop, "error-code") } else { None }
}

/// The code of a form that wants one for what was typed, or what its page says that has a field for it now. `wanted` is the text's key.
pub(super) fn code_if_wanted(
    frame: &Frame,
    form: &Form,
    is_wanted: bool,
    wanted: &str,
) -> Result<Option<Code>, String> {
    // Where one was wanted before something else was typed, the browser has insisted on it.
    if form.text("otp").is_empty() {
        return if is_wanted { Err(frame.t(wanted)) } else { Ok(None) };
    }
    code_of(form).map(Some).map_err(|_| frame.t("error-field-otp"))
}

/// A code as somebody typed it.
pub(super) fn code_of(form: &Form) -> Result<Code, Refusal> {
    Ok(code_at(form, "otp")?)
}

/// The same in another field.
pub(super) fn code_at(form: &Form, name: &'static str) -> Result<Code, Invalid> {
    parse_code(name, form.text(name))
}

/// `GET /` and `/console`: where somebody who is logged in begins.
pub(super) async fn home(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let state = state.into_inner();
    let Ok(visit) = Visit::begin(&state, &request) else { return see_other("/login") };
    let found = state.run_as_visitor(&request, visit.token(), |_, _, _, _| Ok(())).await;
    match found {
        Ok((visitor, ())) if visitor.user.role == Role::User => see_other("/console/account"),
        Ok(_) => see_other("/console/overview"),
        Err(stop) => visit.stopped(&stop),
    }
}

/// `GET /login`.
pub(super) async fn show(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let state = state.into_inner();
    let to = way_back(&parameter(&request, "to").unwrap_or_default());
    let supposed = login_hint(&to).unwrap_or_default();
    let Ok(visit) = Visit::begin(&state, &request) else {
        return login_page(&state, &request, StatusCode::OK, to, supposed, |_| None).await;
    };
    match state.run_as_visitor(&request, visit.token(), |_, _, _, _| Ok(())).await {
        Ok(_) => see_other(&to),
        Err(stop) => {
            let mut answer = login_page(&state, &request, StatusCode::OK, to, supposed, |_| None).await;
            if matches!(stop, Stop::Refused(Refusal::InvalidToken)) {
                let _ = answer.add_cookie(&Jar::Session.empty(&state));
            }
            answer
        }
    }
}

/// The page for name and password; its cookie is new unless the browser has one.
async fn login_page(
    state: &Arc<State>,
    request: &HttpRequest,
    status: StatusCode,
    to: String,
    username: String,
    error: impl FnOnce(&Frame) -> Option<String>,
) -> HttpResponse {
    let known = Jar::Login.read(state, request);
    let value = known.clone().unwrap_or_else(|| Zeroizing::new(new_mark()));
    let frame = Frame::of(state, request, "", form_mark(&state.service, &value));
    let frame = frame.or_at(with_to("/login", &to));
    let error = error(&frame);
    let bound = bound_for(state, request, &to).await;
    let mut answer = render(status, &LoginPage { frame, to, bound, username, error });
    if known.is_none() {
        let _ = answer.add_cookie(&Jar::Login.fill(state, &value, None));
    }
    answer
}

/// `POST /login`.
pub(super) async fn password(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let state = state.into_inner();
    let form = match Form::read(&state, &request, &mut payload, &[Jar::Login]).await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    let to = way_back(form.text("to"));
    let username = form.text("username").to_owned();
    let device = Jar::Device.read(&state, &request);
    let wanted = UserName::parse(&username).and_then(|name| {
        Ok(PasswordRequest {
            username: name,
            password: Password::typed(form.raw("password"))?,
            scope: None,
            audience: None,
            details: Details::default(),
            trusted_device: device,
        })
    });
    let done = match wanted {
        Ok(wanted) => {
            state
                .run_with_password(&request, move |service, conn, at| {
                    app::login::password(service, conn, at, Asker::Console, &wanted)
                })
                .await
        }
        // A name that nobody can have is answered like one that nobody has.
        Err(_) => Err(Refusal::InvalidGrant.into()),
    };
    match done {
        Ok(Entry::Token(issued)) => logged_in(&state, &request, &issued, to),
        Ok(Entry::MfaRequired(token)) => {
            let mut answer = see_other(&with_to("/login/code", &to));
            let _ = answer.add_cookie(&Jar::Login.fill(&state, &token, Some(MFA_TOKEN_TTL_S)));
            answer
        }
        Err(stop) => {
            let (status, _) = outcome(&stop);
            login_page(&state, &request, status, to, username, |frame| {
                why(frame, &stop, "error-password").or_else(|| Some(frame.t("error-now")))
            })
            .await
        }
    }
}

/// The browser is logged in; what it held on the way is void.
fn logged_in(state: &State, request: &HttpRequest, issued: &Issued, to: String) -> HttpResponse {
    let mut answer = go_on(Frame::of(state, request, "", String::new()), to);
    set_session(state, &mut answer, issued);
    answer
}

fn set_session(state: &State, answer: &mut HttpResponse, issued: &Issued) {
    let _ = answer.add_cookie(&Jar::Session.fill(state, &issued.access_token, None));
    let _ = answer.add_cookie(&Jar::Login.empty(state));
}

/// The login begins anew, and leads to the same page.
fn expired(to: &str) -> HttpResponse {
    see_other(&login_saying("login-expired", to))
}

/// The login, which says what was done, and leads to a page.
fn login_saying(said: &str, to: &str) -> String {
    let to = if to == HOME { None } else { Some(("to", to)) };
    let query = Serializer::new(String::new()).append_pair("said", said).extend_pairs(to).finish();
    format!("/login?{query}")
}

/// A password was right and something else comes next; or the login begins anew.
async fn halfway(
    state: &Arc<State>,
    request: &HttpRequest,
    to: &str,
) -> Result<(Zeroizing<String>, Halfway), HttpResponse> {
    let anew = || expired(to);
    let token = Jar::Login.read(state, request).ok_or_else(anew)?;
    let shown = token.clone();
    let found =
        state.run(request, move |service, conn, at| app::console::halfway(service, conn, at, &shown)).await;
    match found {
        Ok(halfway) => Ok((token, halfway)),
        Err(Stop::Refused(_)) => Err(anew()),
        Err(stop) => Err(refused(Frame::of(state, request, "", String::new()), &stop)),
    }
}

/// The same for a form on the way.
async fn sent_halfway(
    state: &Arc<State>,
    request: &HttpRequest,
    payload: &mut web::Payload,
) -> Result<(Form, Zeroizing<String>, Halfway), HttpResponse> {
    let form = Form::read(state, request, payload, &[Jar::Login]).await?;
    let (token, halfway) = halfway(state, request, &way_back(form.text("to"))).await?;
    Ok((form, token, halfway))
}

/// `GET /login/code`.
pub(super) async fn show_code(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let state = state.into_inner();
    let to = way_back(&parameter(&request, "to").unwrap_or_default());
    match halfway(&state, &request, &to).await {
        Ok((_, Halfway { has_factor: false, .. })) => see_other(&with_to("/login/enrol", &to)),
        Ok((token, halfway)) => code_page(&state, &request, StatusCode::OK, &token, halfway, to, None, None),
        Err(answer) => answer,
    }
}

#[expect(clippy::too_many_arguments, reason = "they are the page's own fields")]
fn code_page(
    state: &Arc<State>,
    request: &HttpRequest,
    status: StatusCode,
    token: &str,
    halfway: Halfway,
    to: String,
    error: Option<&Stop>,
    recovery_error: Option<&Stop>,
) -> HttpResponse {
    let frame = Frame::of(state, request, "", form_mark(&state.service, token)).asking_for(halfway.codes);
    let frame = frame.or_at(with_to("/login/code", &to));
    let said = |stop: &Stop, wrong| why(&frame, stop, wrong).unwrap_or_else(|| frame.t("error-now"));
    let error = error.map(|stop| said(stop, "error-code"));
    let recovery_error = recovery_error.map(|stop| said(stop, "error-recovery-code"));
    let remember_s = state.service.console.remember_device_s;
    let remember_s = remember_s.filter(|_| halfway.user.role.may_skip_the_code());
    let remember_days = remember_s.map(|seconds| seconds / 86_400);
    let other = with_to("/login", &to);
    let page = CodePage { name: halfway.user.name, to, other, remember_days, error, recovery_error, frame };
    render(status, &page)
}

/// `POST /login/code`.
pub(super) async fn code(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let state = state.into_inner();
    let (form, token, halfway) = match sent_halfway(&state, &request, &mut payload).await {
        Ok(sent) => sent,
        Err(answer) => return answer,
    };
    let (to, remember) = (way_back(form.text("to")), form.is_ticked("remember"));
    let shown = token.clone();
    let done = match code_of(&form) {
        Ok(otp) => {
            state
                .run(&request, move |service, conn, at| {
                    let issued = app::verify::mfa_otp(service, conn, at, Asker::Console, &shown, &otp, None)?;
                    let mark = if remember {
                        app::console::trust_device(service, conn, at, &issued.access_token)?
                    } else {
                        None
                    };
                    Ok((issued, mark))
                })
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match done {
        Ok((issued, mark)) => {
            let mut answer = logged_in(&state, &request, &issued, to);
            if let (Some(mark), Some(seconds)) = (mark, state.service.console.remember_device_s) {
                let _ = answer.add_cookie(&Jar::Device.fill(&state, &mark, Some(seconds)));
            }
            answer
        }
        Err(Stop::Refused(Refusal::LoginExpired)) => expired(&to),
        Err(stop) => {
            let (status, _) = outcome(&stop);
            code_page(&state, &request, status, &token, halfway, to, Some(&stop), None)
        }
    }
}

/// `POST /login/recovery`.
pub(super) async fn recovery(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let state = state.into_inner();
    let (form, token, halfway) = match sent_halfway(&state, &request, &mut payload).await {
        Ok(sent) => sent,
        Err(answer) => return answer,
    };
    let to = way_back(form.text("to"));
    let shown = token.clone();
    let done = match RecoveryCode::parse(form.text("recovery_code")) {
        Ok(code) => {
            state
                .run(&request, move |service, conn, at| {
                    app::recovery_code::mfa_recovery_code(
                        service,
                        conn,
                        at,
                        Asker::Console,
                        &shown,
                        &code,
                        None,
                    )
                })
                .await
        }
        Err(invalid) => Err(invalid.into()),
    };
    match done {
        Ok((issued, fresh)) => {
            let mark = form_mark(&state.service, &issued.access_token);
            let frame = Frame::of(&state, &request, "", mark);
            let codes = vec![fresh.shown()];
            let page = RecoveryCodesPage { frame, to, codes, steps: false, is_replacement: true };
            let mut answer = render(StatusCode::OK, &page);
            set_session(&state, &mut answer, &issued);
            answer
        }
        Err(Stop::Refused(Refusal::LoginExpired)) => expired(&to),
        Err(stop) => {
            let (status, _) = outcome(&stop);
            code_page(&state, &request, status, &token, halfway, to, None, Some(&stop))
        }
    }
}

/// The page of the first enrolment, whatever it shows.
fn enrol_page(
    state: &Arc<State>,
    request: &HttpRequest,
    token: &str,
    to: String,
    codes: CodeShape,
    shown: Option<ShownSecret>,
) -> EnrolPage {
    EnrolPage {
        frame: Frame::of(state, request, "", form_mark(&state.service, token)).asking_for(codes),
        to,
        shown,
        confirm: "/login/enrol/confirm".to_owned(),
        carried: String::new(),
        begin: "/login/enrol".to_owned(),
        error: None,
        steps: true,
    }
}

/// `GET /login/enrol`: says what comes; looking changes nothing.
pub(super) async fn show_enrol(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let state = state.into_inner();
    let to = way_back(&parameter(&request, "to").unwrap_or_default());
    match halfway(&state, &request, &to).await {
        Ok((_, Halfway { has_factor: true, .. })) => see_other(&with_to("/login/code", &to)),
        Ok((token, halfway)) => {
            render(StatusCode::OK, &enrol_page(&state, &request, &token, to, halfway.codes, None))
        }
        Err(answer) => answer,
    }
}

/// `POST /login/enrol`: makes a secret and shows it, this once.
pub(super) async fn enrol(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let state = state.into_inner();
    let (form, token, _) = match sent_halfway(&state, &request, &mut payload).await {
        Ok(sent) => sent,
        Err(answer) => return answer,
    };
    let to = way_back(form.text("to"));
    let shown = token.clone();
    let done: Result<Enrolled, Stop> =
        state.run(&request, move |service, conn, at| app::factor::associate(service, conn, at, &shown)).await;
    match done {
        Ok(enrolled) => {
            // Whatever waited before is replaced by it.
            let codes = CodeShape::of([enrolled.mechanism]);
            let shown = Some(ShownSecret::of(&enrolled.uri, &state.service.phone));
            let mut page = enrol_page(&state, &request, &token, to, codes, shown);
            page.carried = shown_mark(&state.service, &token, enrolled.id);
            render(StatusCode::OK, &page)
        }
        // The phone has confirmed what this page, or one before it, showed.
        Err(Stop::Refused(Refusal::FactorNeeded)) => see_other(&with_to("/login/code", &to)),
        Err(stop) => refused(Frame::of(&state, &request, "", String::new()), &stop),
    }
}

/// `POST /login/enrol/confirm`: the first code confirms the phone, logs in, and brings the recovery codes. Any other code only logs in.
pub(super) async fn confirm(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let state = state.into_inner();
    let (form, token, halfway) = match sent_halfway(&state, &request, &mut payload).await {
        Ok(sent) => sent,
        Err(answer) => return answer,
    };
    let to = way_back(form.text("to"));
    let shown = token.clone();
    let factor = shown_factor(&state.service, &token, form.text("shown"));
    let done = match code_of(&form) {
        Ok(otp) => {
            state
                .run(&request, move |service, conn, at| {
                    app::verify::first_otp(service, conn, at, &shown, &otp, factor)
                })
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match done {
        Ok((issued, None)) => logged_in(&state, &request, &issued, to),
        Ok((issued, Some(codes))) => {
            let mark = form_mark(&state.service, &issued.access_token);
            let frame = Frame::of(&state, &request, "", mark);
            let codes = codes.iter().map(RecoveryCode::shown).collect();
            let page = RecoveryCodesPage { frame, to, codes, steps: true, is_replacement: false };
            let mut answer = render(StatusCode::OK, &page);
            set_session(&state, &mut answer, &issued);
            answer
        }
        Err(Stop::Refused(Refusal::LoginExpired)) => expired(&to),
        Err(stop) => {
            let (status, _) = outcome(&stop);
            let mut page = enrol_page(&state, &request, &token, to, halfway.codes, None);
            form.text("shown").clone_into(&mut page.carried);
            page.error =
                why(&page.frame, &stop, "error-first-code").or_else(|| Some(page.frame.t("error-now")));
            render(status, &page)
        }
    }
}

/// `GET /login/again`.
pub(super) async fn show_again(visit: Visit) -> HttpResponse {
    let to = way_back(&parameter(&visit.request, "to").unwrap_or_default());
    let found = visit.state.run_as_visitor(&visit.request, visit.token(), |_, _, _, _| Ok(())).await;
    let bound = bound_for(&visit.state, &visit.request, &to).await;
    visit.page(found, "", |frame, _, ()| AgainPage { frame, to, bound, error: None })
}

/// `POST /login/again`.
pub(super) async fn again(Posted { visit, form }: Posted) -> HttpResponse {
    let to = way_back(form.text("to"));
    let visitor = match visit.state.run_as_visitor(&visit.request, visit.token(), |_, _, _, _| Ok(())).await {
        Ok((visitor, ())) => visitor,
        Err(Stop::Refused(Refusal::InvalidToken)) => return visit.over(see_other(&with_to("/login", &to))),
        Err(stop) => return visit.stopped(&stop),
    };
    let shown = visit.token();
    let done = match code_of(&form) {
        Ok(otp) => {
            visit
                .state
                .run(&visit.request, move |service, conn, at| {
                    app::verify::step_up(service, conn, at, &shown, &otp)
                })
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match done {
        Ok(()) => go_on(visit.frame(&visitor, ""), to),
        Err(stop) => {
            let frame = visit.frame(&visitor, "").or_at(with_to("/login/again", &to));
            match why(&frame, &stop, "error-code") {
                Some(error) => {
                    let (status, _) = outcome(&stop);
                    let bound = bound_for(&visit.state, &visit.request, &to).await;
                    render(status, &AgainPage { frame, to, bound, error: Some(error) })
                }
                None => visit.stopped(&stop),
            }
        }
    }
}

/// `POST /logout`.
pub(super) async fn log_out(Posted { visit, form }: Posted) -> HttpResponse {
    match log_out_here(&visit).await {
        Ok(()) => logged_out(&visit.state, "logged-out", form.text("to")),
        Err(answer) => answer,
    }
}

/// Ends the browser's session, or answers that it is not over: whoever is told "logged out" must be.
pub(super) async fn log_out_here(visit: &Visit) -> Result<(), HttpResponse> {
    let shown = visit.token();
    let ended = visit
        .state
        .run(&visit.request, move |service, conn, at| app::console::log_out(service, conn, at, &shown))
        .await;
    match &ended {
        Err(stop @ Stop::Broken(_)) => Err(visit.stopped(stop)),
        _ => Ok(()),
    }
}

/// The browser's session is over. The next login leads to the page `to`.
pub(super) fn logged_out(state: &State, said: &str, to: &str) -> HttpResponse {
    forgetting(state, see_other(&login_saying(said, &way_back(to))))
}

/// The same with another answer: the session's cookie goes, and whatever the browser kept of its pages.
pub(super) fn forgetting(state: &State, mut answer: HttpResponse) -> HttpResponse {
    let _ = answer.add_cookie(&Jar::Session.empty(state));
    answer.headers_mut().insert(CLEAR_SITE_DATA, HeaderValue::from_static("\"cache\""));
    answer
}

/// `POST /language`: for this browser and, on the pages of somebody who is logged in, for the account. On the way to a login an older
/// session's cookie may be left over, or somebody else's.
pub(super) async fn language(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let state = state.into_inner();
    let jars = [Jar::Session, Jar::Login];
    let form = match Form::read(&state, &request, &mut payload, &jars).await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    let back = own_page(form.text("to"));
    let mut answer = see_other(&back);
    let Ok(language) = form.text("language").parse::<Language>() else { return answer };
    let _ = answer.add_cookie(&Jar::Language.fill(&state, language.as_str(), Some(LANGUAGE_TTL_S)));
    if form.jar == Jar::Session
        && let Some(token) = Jar::Session.read(&state, &request)
    {
        let kept = state
            .run(&request, move |service, conn, at| {
                app::console::set_language(service, conn, at, &token, language)
            })
            .await;
        if let Err(stop @ Stop::Broken(_)) = &kept {
            return refused(Frame::of(&state, &request, "", String::new()), stop);
        }
    }
    answer
}

/// Recovery codes as a text file, from the page that shows them: they are read back from its form, checked, and kept nowhere.
pub(super) fn recovery_codes_text(brand: &str, codes: &str) -> Result<Zeroizing<String>, Refusal> {
    let mut text = Zeroizing::new(format!("{brand}\n\n"));
    for line in codes.split_whitespace().take(20) {
        let code = RecoveryCode::parse(line)?;
        text.push_str(&code.shown());
        text.push('\n');
    }
    Ok(text)
}
