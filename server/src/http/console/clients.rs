//! `/console/clients`: the applications that ask for tokens. A secret is shown once, on the page that follows its making.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig, post};
use askama::Template;
use zeroize::Zeroizing;

use crate::app;
use crate::app::client::NewClient;
use crate::app::context::{Change, Stop};
use crate::app::manage::Needs;
use crate::domain::authorization::parse_detail_type;
use crate::domain::client::{
    Client, ClientName, ClientState, DEFAULT_SESSION_IDLE_S, DEFAULT_SESSION_TTL_S, DEFAULT_TOKEN_TTL_S,
    Grant, SecondFactor, SessionLimits, TokenFormat, TokenPolicy, must_have_redirect_uris,
    parse_absolute_uri, parse_redirect_uri,
};
use crate::domain::id::ClientId;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::Scopes;
use crate::http::console::frame::{ConfirmPage, Frame};
use crate::http::console::sign_in::{code_if_wanted, code_of, why, why_not_code};
use crate::http::console::typed::{Difference, Errors, Said, differences, duration, print_of, seconds};
use crate::http::console::{Form, Posted, Visit, parameter, render, see_other};
use crate::http::problem::outcome;
use crate::http::{on, read};

const CLIENTS: &str = "/console/clients";

/// Applications on one page.
const ROWS: i64 = 50;

/// The pages of this file.
pub(super) fn pages(config: &mut ServiceConfig) {
    config
        .service(on(CLIENTS, "GET, HEAD, POST").route(read().to(list)).route(post().to(add)))
        .service(on("/console/clients/new", "GET, HEAD").route(read().to(show_new)))
        .service(on("/console/clients/{id}", "GET, HEAD").route(read().to(show)))
        .service(
            on("/console/clients/{id}/edit", "GET, HEAD, POST")
                .route(read().to(show_edit))
                .route(post().to(edit)),
        )
        .service(on("/console/clients/{id}/enable", "POST").route(post().to(enable)))
        .service(
            on("/console/clients/{id}/disable", "GET, HEAD, POST")
                .route(read().to(show_disable))
                .route(post().to(disable)),
        )
        .service(
            on("/console/clients/{id}/secret", "GET, HEAD, POST")
                .route(read().to(show_renew))
                .route(post().to(renew)),
        )
        .service(
            on("/console/clients/{id}/remove", "GET, HEAD, POST")
                .route(read().to(show_remove))
                .route(post().to(remove)),
        );
}

/// A page of applications.
#[derive(Template)]
#[template(path = "clients.html")]
struct ClientsPage {
    frame: Frame,
    clients: Vec<Client>,
    may_change: bool,
    /// The query of the next page.
    next: Option<String>,
}

/// One application.
#[derive(Template)]
#[template(path = "client.html")]
struct ClientPage {
    frame: Frame,
    client: Client,
    /// What applications know this server by.
    issuer: String,
    grants: Vec<String>,
    token_ttl: String,
    session_idle: String,
    session_ttl: String,
    may_change: bool,
}

/// A secret, this once.
#[derive(Template)]
#[template(path = "client_secret.html")]
struct SecretPage {
    frame: Frame,
    client: Client,
    /// As in [`ClientPage`].
    issuer: String,
    secret: Zeroizing<String>,
}

fn secret_page(visit: &Visit, frame: Frame, client: Client, secret: Zeroizing<String>) -> HttpResponse {
    let issuer = visit.state.service.issuer.clone();
    render(StatusCode::OK, &SecretPage { frame, client, issuer, secret })
}

/// The form of an application.
#[derive(Template)]
#[template(path = "client_form.html")]
struct FormPage {
    frame: Frame,
    typed: Typed,
    errors: Errors,
    /// Which one is changed; none: a new one.
    known: Option<Known>,
    /// What somebody else has stored otherwise meanwhile.
    differences: Vec<Difference>,
    /// Whether somebody else has removed the application meanwhile.
    is_gone: bool,
    /// What is wrong with the code, where it wants one.
    error: Option<String>,
}

/// An application that is changed.
struct Known {
    id: ClientId,
    /// The print of what its form showed.
    seen: String,
    /// Whether the change wants a code, or the form that comes back had a field for one.
    asks_code: bool,
}

impl FormPage {
    fn of(frame: Frame, typed: Typed, errors: Errors, known: Option<Known>) -> Self {
        let errors = errors.said(&frame, "client");
        let error = errors.of("otp").map(str::to_owned);
        Self { frame, typed, errors, known, differences: Vec::new(), is_gone: false, error }
    }

    /// A new application wants a code, as a new secret does.
    fn asks_code(&self) -> bool {
        self.known.as_ref().is_none_or(|known| known.asks_code)
    }

    /// Every grant: its field, its name in words, and whether it is ticked.
    fn grants(&self) -> Vec<(String, String, bool)> {
        let one = |grant: Grant| {
            (field_of(grant), self.frame.word("grant", slug(grant)), self.typed.grants.contains(&grant))
        };
        Grant::ALL.into_iter().map(one).collect()
    }
}

/// The last part of a grant's name, as texts and fields have it: `mfa-otp`.
fn slug(grant: Grant) -> String {
    grant.as_str().rsplit(['/', ':']).next().unwrap_or_default().replace('_', "-")
}

fn field_of(grant: Grant) -> String {
    format!("grant-{}", slug(grant))
}

/// What the form's fields hold.
#[derive(Debug)]
struct Typed {
    name: String,
    grants: Vec<Grant>,
    redirect_uris: String,
    audiences: String,
    scope: String,
    detail_types: String,
    token_format: String,
    token_ttl: String,
    one_use: bool,
    session_idle: String,
    session_ttl: String,
    second_factor: String,
}

impl Default for Typed {
    /// What `client add` takes where nothing is said.
    fn default() -> Self {
        Self {
            name: String::new(),
            grants: Vec::new(),
            redirect_uris: String::new(),
            audiences: String::new(),
            scope: String::new(),
            detail_types: String::new(),
            token_format: TokenFormat::Jwt.to_string(),
            token_ttl: DEFAULT_TOKEN_TTL_S.to_string(),
            one_use: false,
            session_idle: DEFAULT_SESSION_IDLE_S.to_string(),
            session_ttl: DEFAULT_SESSION_TTL_S.to_string(),
            second_factor: SecondFactor::Required.to_string(),
        }
    }
}

impl From<&Client> for Typed {
    fn from(client: &Client) -> Self {
        Self {
            name: client.name.to_string(),
            grants: client.grants.clone(),
            redirect_uris: client.redirect_uris.join("\n"),
            audiences: client.audiences.join("\n"),
            scope: client.scopes.to_string(),
            detail_types: client.detail_types.join("\n"),
            token_format: client.policy.format().to_string(),
            token_ttl: client.policy.ttl_s().to_string(),
            one_use: client.policy.one_use(),
            session_idle: client.sessions.idle_s().to_string(),
            session_ttl: client.sessions.ttl_s().to_string(),
            second_factor: client.second_factor.to_string(),
        }
    }
}

impl Typed {
    fn of(form: &Form) -> Self {
        let text = |name| form.text(name).to_owned();
        Self {
            name: text("name"),
            grants: Grant::ALL.into_iter().filter(|grant| form.is_ticked(&field_of(*grant))).collect(),
            redirect_uris: text("redirect_uris"),
            audiences: text("audiences"),
            scope: text("scope"),
            detail_types: text("detail_types"),
            token_format: text("token_format"),
            token_ttl: text("token_ttl"),
            one_use: form.is_ticked("one_use"),
            session_idle: text("session_idle"),
            session_ttl: text("session_ttl"),
            second_factor: text("second_factor"),
        }
    }

    /// All fields that can be changed, for people.
    fn said(&self, frame: &Frame) -> Vec<Said> {
        let grants: Vec<_> = self.grants.iter().map(|grant| frame.word("grant", slug(*grant))).collect();
        [
            ("grants", grants.join("\n")),
            ("scope", self.scope.clone()),
            ("audiences", self.audiences.clone()),
            ("redirect_uris", self.redirect_uris.clone()),
            ("detail_types", self.detail_types.clone()),
            ("token_format", frame.word("format", &self.token_format)),
            ("one-use", frame.t(if self.one_use { "yes" } else { "no" })),
            ("token_ttl", self.token_ttl.clone()),
            ("session_idle", self.session_idle.clone()),
            ("session_ttl", self.session_ttl.clone()),
            ("second_factor", frame.word("second", &self.second_factor)),
        ]
        .map(|(field, value)| (frame.word("client", field), value))
        .into()
    }

    fn parsed(&self) -> Result<NewClient, Errors> {
        let mut errors = Errors::default();
        let name = errors.keep(ClientName::parse(&self.name));
        if self.grants.is_empty() {
            errors.add("grants", String::new());
        }
        let redirect_uris = errors.keep(
            each(&self.redirect_uris, |text| parse_redirect_uri("redirect_uris", text)).and_then(|uris| {
                must_have_redirect_uris(&self.grants, &uris)?;
                Ok(uris)
            }),
        );
        let audiences = errors.keep(each(&self.audiences, |text| parse_absolute_uri("audiences", text)));
        let scopes = errors.keep(Scopes::parse(&self.scope.split_whitespace().collect::<Vec<_>>().join(" ")));
        let detail_types = errors.keep(
            each(&self.detail_types, parse_detail_type)
                .map_err(|invalid| Invalid::new("detail_types", invalid.to_string())),
        );
        let format = errors.keep(self.token_format.parse::<TokenFormat>());
        let ttl_s = errors.keep(seconds("token_ttl", &self.token_ttl));
        let policy = match (format, ttl_s) {
            (Some(format), Some(ttl_s)) => errors.keep(TokenPolicy::new(Some(format), ttl_s, self.one_use)),
            _ => None,
        };
        let idle_s = errors.keep(seconds("session_idle", &self.session_idle));
        let limit_s = errors.keep(seconds("session_ttl", &self.session_ttl));
        let sessions = match (idle_s, limit_s) {
            (Some(idle_s), Some(limit_s)) => errors.keep(SessionLimits::new(idle_s, limit_s)),
            _ => None,
        };
        let second_factor = errors.keep(self.second_factor.parse::<SecondFactor>());
        match (name, redirect_uris, audiences, scopes, detail_types, policy, sessions, second_factor) {
            (
                Some(name),
                Some(redirect_uris),
                Some(audiences),
                Some(scopes),
                Some(detail_types),
                Some(policy),
                Some(sessions),
                Some(second_factor),
            ) if errors.is_empty() => Ok(NewClient {
                name,
                grants: self.grants.clone(),
                redirect_uris,
                audiences,
                scopes,
                detail_types,
                policy,
                sessions,
                second_factor,
            }),
            _ => Err(errors),
        }
    }
}

/// Reads a field that holds several, one a line.
fn each(text: &str, parse: impl Fn(&str) -> Result<String, Invalid>) -> Result<Vec<String>, Invalid> {
    text.split_whitespace().map(parse).collect()
}

/// `GET /console/clients`.
async fn list(visit: Visit) -> HttpResponse {
    let after = parameter(&visit.request, "after");
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            move |_, conn, _, manager| {
                Ok((app::client::page(conn, after.as_deref(), ROWS + 1)?, manager.may("clients")))
            },
        )
        .await;
    visit.page(found, "clients", |frame, _, (mut clients, may_change)| {
        let rows = usize::try_from(ROWS).unwrap_or(usize::MAX);
        let has_more = clients.len() > rows;
        clients.truncate(rows);
        let next = clients.last().filter(|_| has_more).map(|client| {
            url::form_urlencoded::Serializer::new(String::new())
                .append_pair("after", client.name.as_str())
                .finish()
        });
        ClientsPage { frame, clients, may_change, next }
    })
}

/// `GET /console/clients/{id}`.
async fn show(visit: Visit, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<ClientId>() else { return visit.refuse(no_client()).await };
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            move |_, conn, _, manager| {
                Ok((app::client::show(conn, &id.to_string())?, manager.may("clients")))
            },
        )
        .await;
    visit.page(found, "clients", |frame, _, (client, may_change)| ClientPage {
        grants: client.grants.iter().map(|grant| frame.word("grant", slug(*grant))).collect(),
        token_ttl: duration(&frame, client.policy.ttl_s()),
        session_idle: duration(&frame, client.sessions.idle_s()),
        session_ttl: duration(&frame, client.sessions.ttl_s()),
        issuer: visit.state.service.issuer.clone(),
        may_change,
        client,
        frame,
    })
}

/// `GET /console/clients/new`. A code comes with the form.
async fn show_new(visit: Visit) -> HttpResponse {
    let found = who_changes(&visit).await;
    visit
        .page(found, "clients", |frame, _, ()| FormPage::of(frame, Typed::default(), Errors::default(), None))
}

/// Whoever may change applications; a code comes with the form.
async fn who_changes(visit: &Visit) -> Result<(app::console::Visitor, ()), Stop> {
    let needs = Needs::scope("clients:read");
    let found =
        visit.state.run_as_managing_visitor(&visit.request, visit.token(), needs, |_, _, _, manager| {
            Ok(manager.must("clients")?)
        });
    found.await
}

/// What became of a form.
enum Sent {
    /// Registered, and this is the secret.
    Added(Box<Client>, Zeroizing<String>),
    Changed,
    /// Somebody else was faster, and this is how the application is now.
    Overtaken(Box<Client>),
    Malformed,
    /// It wants a code, and there is none or a wrong one.
    NoCode(StatusCode, String),
    /// The name is like an ID, which may be another's.
    NameIsId,
    Taken,
    /// The application that was to be changed is there no more.
    Gone,
    /// Scopes that this manager may not give.
    OutOfReach,
}

/// What became of a form with a code, where the code may be what is wrong.
fn with_code(
    frame: &Frame,
    sent: Result<(app::console::Visitor, Sent), Stop>,
    visitor: app::console::Visitor,
) -> Result<(app::console::Visitor, Sent), Stop> {
    sent.or_else(|stop| match why_not_code(frame, &stop) {
        Some(why) => Ok((visitor, Sent::NoCode(outcome(&stop).0, why))),
        None => Err(stop),
    })
}

/// `POST /console/clients`, with a code: it makes a secret.
async fn add(Posted { visit, form }: Posted) -> HttpResponse {
    let typed = Typed::of(&form);
    // A form that cannot be taken comes back to whoever could have sent it, and only to them.
    let new = match typed.parsed() {
        Ok(new) => new,
        Err(errors) => return malformed(&visit, typed, errors, None).await,
    };
    let visitor = match could_add(&visit, new.name.clone()).await {
        Ok((visitor, None)) => visitor,
        Ok((visitor, Some(why))) => {
            return answer(&visit, Ok((visitor, why)), typed, Errors::default(), None);
        }
        Err(stop) => return visit.stopped(&stop),
    };
    let frame = visit.frame(&visitor, "clients");
    let otp = match code_if_wanted(&frame, &form, true, "code-wanted-client") {
        Ok(otp) => otp,
        Err(why) => {
            let sent = Sent::NoCode(StatusCode::BAD_REQUEST, why);
            return answer(&visit, Ok((visitor, sent)), typed, Errors::default(), None);
        }
    };
    let sent = visit
        .state
        .run_with_code_if_any(
            &visit.request,
            visit.token(),
            otp,
            Needs::scope("clients"),
            move |service, conn, at, _| match app::client::add(service, conn, at, new) {
                Ok(added) => Ok(Sent::Added(Box::new(added.client), added.secret)),
                Err(Stop::Refused(Refusal::AlreadyExists { .. })) => Ok(Sent::Taken),
                Err(Stop::Refused(Refusal::Invalid(wrong))) if wrong.field() == "name" => Ok(Sent::NameIsId),
                Err(Stop::Refused(Refusal::OutOfReach)) => Ok(Sent::OutOfReach),
                Err(stop) => Err(stop),
            },
        )
        .await;
    answer(&visit, with_code(&frame, sent, visitor), typed, Errors::default(), None)
}

/// What keeps an application of this name from being registered, so that no code is used up for nothing. It is decided where it is done.
async fn could_add(visit: &Visit, name: ClientName) -> Result<(app::console::Visitor, Option<Sent>), Stop> {
    visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            move |_, conn, _, manager| {
                manager.must("clients")?;
                if name.as_str().parse::<ClientId>().is_ok() {
                    return Ok(Some(Sent::NameIsId));
                }
                match app::client::show(conn, name.as_str()) {
                    Ok(_) => Ok(Some(Sent::Taken)),
                    Err(Stop::Refused(Refusal::NotFound { .. })) => Ok(None),
                    Err(stop) => Err(stop),
                }
            },
        )
        .await
}

/// The form again, with what is wrong with its fields.
async fn malformed(visit: &Visit, typed: Typed, errors: Errors, known: Option<Known>) -> HttpResponse {
    let found = who_changes(visit).await;
    answer(visit, found.map(|(visitor, ())| (visitor, Sent::Malformed)), typed, errors, known)
}

/// The secret of a new application, the page of a changed one, or the form with what is wrong with it.
fn answer(
    visit: &Visit,
    sent: Result<(app::console::Visitor, Sent), Stop>,
    typed: Typed,
    mut errors: Errors,
    known: Option<Known>,
) -> HttpResponse {
    let (visitor, sent) = match sent {
        Ok(sent) => sent,
        Err(stop) => return visit.stopped(&stop),
    };
    let frame = visit.frame(&visitor, "clients");
    match (sent, known) {
        (Sent::Added(client, secret), _) => secret_page(visit, frame, *client, secret),
        (Sent::Changed, Some(known)) => changed(known.id),
        (Sent::Changed | Sent::Overtaken(_), None) => see_other(CLIENTS),
        (Sent::Overtaken(client), Some(known)) => {
            let stored = Typed::from(&*client);
            let differences = differences(stored.said(&frame), typed.said(&frame));
            if differences.is_empty() {
                // Both meant the same.
                return changed(known.id);
            }
            let known = Some(Known { seen: print_of(&stored), ..known });
            render(
                StatusCode::CONFLICT,
                &FormPage { differences, ..FormPage::of(frame, typed, errors, known) },
            )
        }
        (Sent::Malformed, known) => {
            render(StatusCode::BAD_REQUEST, &FormPage::of(frame, typed, errors, known))
        }
        (Sent::NoCode(status, why), known) => {
            let known = known.map(|known| Known { asks_code: true, ..known });
            errors.add("otp", why);
            render(status, &FormPage::of(frame, typed, errors, known))
        }
        (Sent::NameIsId, known) => {
            errors.add("name", frame.t("error-client-name-is-id"));
            let page = FormPage { errors, ..FormPage::of(frame, typed, Errors::default(), known) };
            render(StatusCode::BAD_REQUEST, &page)
        }
        // Saved once more, it is another one: it has no ID that applications know.
        (Sent::Gone, _) => {
            let page = FormPage { is_gone: true, ..FormPage::of(frame, typed, errors, None) };
            render(StatusCode::CONFLICT, &page)
        }
        (Sent::Taken, known) => {
            errors.add("name", frame.t("error-client-taken"));
            let page = FormPage { errors, ..FormPage::of(frame, typed, Errors::default(), known) };
            render(StatusCode::CONFLICT, &page)
        }
        (Sent::OutOfReach, known) => {
            errors.add("scope", frame.t("refused-out-of-reach"));
            let page = FormPage { errors, ..FormPage::of(frame, typed, Errors::default(), known) };
            render(StatusCode::FORBIDDEN, &page)
        }
    }
}

fn changed(id: ClientId) -> HttpResponse {
    see_other(&format!("{CLIENTS}/{id}?said=client-changed"))
}

/// The application that a page is about, for whoever may change it. `needs`: at all, or after a fresh login, without a code.
async fn to_change(
    visit: &Visit,
    id: ClientId,
    needs: Needs,
) -> Result<(app::console::Visitor, Client), Stop> {
    visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), needs, move |_, conn, _, manager| {
            manager.must("clients")?;
            let client = app::client::show(conn, &id.to_string())?;
            manager.must_hold(&client.scopes)?;
            Ok(client)
        })
        .await
}

/// `GET /console/clients/{id}/edit`.
async fn show_edit(visit: Visit, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<ClientId>() else { return visit.refuse(no_client()).await };
    let found = to_change(&visit, id, Needs::scope("clients")).await;
    visit.page(found, "clients", |frame, _, client| {
        let typed = Typed::from(&client);
        let known = Known { id: client.id, seen: print_of(&typed), asks_code: false };
        FormPage::of(frame, typed, Errors::default(), Some(known))
    })
}

/// `POST /console/clients/{id}/edit`: everything but name, secret and state. What gives the application something wants a code.
async fn edit(Posted { visit, form }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<ClientId>() else { return visit.refuse(no_client()).await };
    let (visitor, stored) = match to_change(&visit, id, Needs::scope("clients:read")).await {
        Ok(found) => found,
        Err(Stop::Refused(Refusal::NotFound { .. })) => return gone(&visit, Typed::of(&form)).await,
        Err(stop) => return visit.stopped(&stop),
    };
    let typed = Typed { name: stored.name.to_string(), ..Typed::of(&form) };
    let seen = form.text("seen").to_owned();
    let known = Known { id, seen: seen.clone(), asks_code: form.is_ticked("otp") };
    let new = match typed.parsed() {
        Ok(new) => new,
        Err(errors) => return malformed(&visit, typed, errors, Some(known)).await,
    };
    let frame = visit.frame(&visitor, "clients");
    // Whoever was overtaken is told so, and gives no code for nothing.
    let otp = if print_of(&Typed::from(&stored)) == seen {
        code_if_wanted(&frame, &form, new.gains_over(&stored), "code-wanted-client")
    } else {
        Ok(None)
    };
    let otp = match otp {
        Ok(otp) => otp,
        Err(why) => {
            let sent = Sent::NoCode(StatusCode::BAD_REQUEST, why);
            return answer(&visit, Ok((visitor, sent)), typed, Errors::default(), Some(known));
        }
    };
    let has_code = otp.is_some();
    let sent = visit
        .state
        .run_with_code_if_any(
            &visit.request,
            visit.token(),
            otp,
            Needs::scope("clients"),
            move |service, conn, at, _| {
                let meant = new.clone();
                let is_as_seen = |client: &Client| {
                    print_of(&Typed::from(client)) == seen && (has_code || !meant.gains_over(client))
                };
                match app::client::change(service, conn, at, id, new, is_as_seen) {
                    Ok(Change::Done) => Ok(Sent::Changed),
                    Ok(Change::Overtaken(client)) => Ok(Sent::Overtaken(Box::new(client))),
                    Err(Stop::Refused(Refusal::NotFound { .. })) => Ok(Sent::Gone),
                    Err(Stop::Refused(Refusal::OutOfReach)) => Ok(Sent::OutOfReach),
                    Err(stop) => Err(stop),
                }
            },
        )
        .await;
    answer(&visit, with_code(&frame, sent, visitor), typed, Errors::default(), Some(known))
}

/// The form again, for whoever was changing what somebody else has removed.
async fn gone(visit: &Visit, typed: Typed) -> HttpResponse {
    let found = who_changes(visit).await;
    answer(visit, found.map(|(visitor, ())| (visitor, Sent::Gone)), typed, Errors::default(), None)
}

/// `POST /console/clients/{id}/enable`.
async fn enable(Posted { visit, .. }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<ClientId>() else { return visit.refuse(no_client()).await };
    let enabled = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients"),
            move |service, conn, at, _| {
                app::client::set_state(service, conn, at, &id.to_string(), ClientState::Active)
            },
        )
        .await;
    visit.done(enabled, &format!("{CLIENTS}/{id}?said=client-enabled"))
}

/// What stops an application's work, for good or until it knows its new secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Disable,
    Renew,
    Remove,
}

impl End {
    const fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Renew => "secret",
            Self::Remove => "remove",
        }
    }

    fn page(self, frame: Frame, client: &Client, error: Option<String>) -> ConfirmPage {
        let word = self.word();
        let consequences = ["secret", "sessions", "after"];
        ConfirmPage {
            is_grave: true,
            title: frame.with(&format!("{word}-client-title"), "name", client.name.as_str()),
            consequences: consequences
                .map(|what| frame.with(&format!("{word}-client-{what}"), "name", client.name.as_str()))
                .into(),
            action: format!("{CLIENTS}/{}/{word}", client.id),
            button: frame.t(&format!("{word}-client-button")),
            back: format!("{CLIENTS}/{}", client.id),
            error,
            hidden: Vec::new(),
            frame,
        }
    }
}

/// `GET /console/clients/{id}/disable`: what will happen.
async fn show_disable(visit: Visit, path: web::Path<String>) -> HttpResponse {
    show_end(visit, path, End::Disable).await
}

/// `POST /console/clients/{id}/disable`, with a code.
async fn disable(posted: Posted, path: web::Path<String>) -> HttpResponse {
    end(posted, path, End::Disable).await
}

/// `GET /console/clients/{id}/secret`: what will happen.
async fn show_renew(visit: Visit, path: web::Path<String>) -> HttpResponse {
    show_end(visit, path, End::Renew).await
}

/// `POST /console/clients/{id}/secret`, with a code; the new secret is shown, this once.
async fn renew(posted: Posted, path: web::Path<String>) -> HttpResponse {
    end(posted, path, End::Renew).await
}

/// `GET /console/clients/{id}/remove`: what will happen.
async fn show_remove(visit: Visit, path: web::Path<String>) -> HttpResponse {
    show_end(visit, path, End::Remove).await
}

/// `POST /console/clients/{id}/remove`, with a code.
async fn remove(posted: Posted, path: web::Path<String>) -> HttpResponse {
    end(posted, path, End::Remove).await
}

/// The application that a page is about, for whoever may end its work; a code comes with the form.
async fn to_end(visit: &Visit, id: ClientId) -> Result<(app::console::Visitor, Client), Stop> {
    visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            move |_, conn, _, manager| {
                manager.must("clients")?;
                app::client::show(conn, &id.to_string())
            },
        )
        .await
}

async fn show_end(visit: Visit, path: web::Path<String>, how: End) -> HttpResponse {
    let Ok(id) = path.parse::<ClientId>() else { return visit.refuse(no_client()).await };
    let found = to_end(&visit, id).await;
    visit.page(found, "clients", |frame, _, client| how.page(frame, &client, None))
}

async fn end(Posted { visit, form }: Posted, path: web::Path<String>, how: End) -> HttpResponse {
    let Ok(id) = path.parse::<ClientId>() else { return visit.refuse(no_client()).await };
    // What the page says again if the code is wrong.
    let found = to_end(&visit, id).await;
    let (visitor, client) = match found {
        Ok(found) => found,
        Err(stop) => return visit.stopped(&stop),
    };
    let ended = match code_of(&form) {
        Ok(otp) => {
            visit
                .state
                .run_with_code(
                    &visit.request,
                    visit.token(),
                    otp,
                    Needs::scope("clients"),
                    move |service, conn, at, _| match how {
                        End::Disable => {
                            let disabled = ClientState::Disabled;
                            app::client::set_state(service, conn, at, &id.to_string(), disabled)?;
                            Ok(None)
                        }
                        End::Renew => {
                            let renewed = app::client::renew_secret(service, conn, at, &id.to_string())?;
                            Ok(Some(renewed.secret))
                        }
                        End::Remove => {
                            app::client::remove(service, conn, at, &id.to_string())?;
                            Ok(None)
                        }
                    },
                )
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match (ended, how) {
        (Ok(Some(secret)), _) => {
            let frame = visit.frame(&visitor, "clients");
            secret_page(&visit, frame, client, secret)
        }
        (Ok(None), End::Disable | End::Renew) => see_other(&format!("{CLIENTS}/{id}?said=client-disabled")),
        (Ok(None), End::Remove) => see_other("/console/clients?said=client-removed"),
        (Err(stop), _) => {
            let frame = visit.frame(&visitor, "clients");
            match why(&frame, &stop, "error-code") {
                Some(error) => render(outcome(&stop).0, &how.page(frame, &client, Some(error))),
                None => visit.stopped(&stop),
            }
        }
    }
}

fn no_client() -> Stop {
    Refusal::NotFound { what: "client" }.into()
}
