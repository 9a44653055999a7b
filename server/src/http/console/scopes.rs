//! `/console/scopes`: rules by which scopes tighten what an application's tokens may do. Names go in the query: they may hold slashes.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{ServiceConfig, post};
use askama::Template;

use crate::app;
use crate::app::context::{Change, Stop};
use crate::app::manage::Needs;
use crate::domain::authorization::ScopeRule;
use crate::domain::client::parse_absolute_uri;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::parse_scope;
use crate::domain::token::ACR_CLASSES;
use crate::http::console::frame::{ConfirmPage, Frame};
use crate::http::console::sign_in::{code_of, why};
use crate::http::console::typed::{Difference, Errors, Said, differences, duration, print_of, seconds};
use crate::http::console::{Form, Posted, Visit, parameter, render, see_other};
use crate::http::problem::outcome;
use crate::http::{on, read};

const SCOPES: &str = "/console/scopes";

/// Where a rule that was saved is shown.
const SAVED: &str = "/console/scopes?said=scope-saved";

const REMOVE: &str = "/console/scopes/remove";

/// The pages of this file.
pub(super) fn pages(config: &mut ServiceConfig) {
    config
        .service(on(SCOPES, "GET, HEAD, POST").route(read().to(list)).route(post().to(put)))
        .service(on("/console/scopes/rule", "GET, HEAD").route(read().to(show)))
        .service(on(REMOVE, "GET, HEAD, POST").route(read().to(show_remove)).route(post().to(remove)));
}

/// All scopes with rules.
#[derive(Template)]
#[template(path = "scopes.html")]
struct ScopesPage {
    frame: Frame,
    rules: Vec<RuleRow>,
    may_change: bool,
}

/// A rule, in words.
struct RuleRow {
    name: String,
    query: String,
    description: String,
    limits: Vec<String>,
}

impl RuleRow {
    fn of(frame: &Frame, rule: ScopeRule) -> Self {
        let mut limits = Vec::new();
        if let Some(audience) = &rule.audience {
            limits.push(frame.with("rule-audience", "audience", audience));
        }
        if let Some(ttl_s) = rule.token_ttl_s {
            limits.push(frame.with("rule-token-ttl", "time", &duration(frame, ttl_s)));
        }
        if let Some(age_s) = rule.max_age_s {
            limits.push(frame.with("rule-max-age", "time", &duration(frame, age_s)));
        }
        if let Some(acr) = &rule.acr {
            limits.push(frame.word("acr", acr.rsplit(':').next().unwrap_or_default()));
        }
        limits.extend(rule.one_use.then(|| frame.t("rule-one-use")));
        limits.extend(rule.by_grant.then(|| frame.t("rule-by-grant")));
        Self { query: query(&rule.name), name: rule.name, description: rule.description, limits }
    }
}

fn query(name: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("name", name).finish()
}

/// The form of one rule.
#[derive(Template)]
#[template(path = "scope.html")]
struct RulePage {
    frame: Frame,
    typed: Typed,
    errors: Errors,
    /// The print of what was shown of a rule that is there already: its name stays.
    seen: Option<String>,
    /// What somebody else has stored otherwise meanwhile.
    differences: Vec<Difference>,
    /// Whether somebody else has removed the rule meanwhile.
    is_gone: bool,
    classes: [&'static str; ACR_CLASSES.len()],
}

impl RulePage {
    fn of(frame: Frame, typed: Typed, errors: Errors, seen: Option<String>) -> Self {
        let errors = errors.said(&frame, "scope");
        Self { frame, typed, errors, seen, differences: Vec::new(), is_gone: false, classes: ACR_CLASSES }
    }
}

/// What the form's fields hold.
#[derive(Default, Debug)]
struct Typed {
    name: String,
    description: String,
    audience: String,
    token_ttl: String,
    max_age: String,
    acr: String,
    one_use: bool,
    by_grant: bool,
}

impl Typed {
    fn of(form: &Form) -> Self {
        let text = |name| form.text(name).to_owned();
        Self {
            name: text("name"),
            description: text("description"),
            audience: text("audience"),
            token_ttl: text("token_ttl"),
            max_age: text("max_age"),
            acr: text("acr"),
            one_use: form.is_ticked("one_use"),
            by_grant: form.is_ticked("by_grant"),
        }
    }

    /// All fields that can be changed, for people.
    fn said(&self, frame: &Frame) -> Vec<Said> {
        let yes_or_no = |is_so| frame.t(if is_so { "yes" } else { "no" });
        [
            ("description", self.description.clone()),
            ("audience", self.audience.clone()),
            ("token_ttl", self.token_ttl.clone()),
            ("max_age", self.max_age.clone()),
            ("acr", class_said(frame, &self.acr)),
            ("one-use", yes_or_no(self.one_use)),
            ("by-grant", yes_or_no(self.by_grant)),
        ]
        .map(|(field, value)| (frame.word("scope", field), value))
        .into()
    }

    fn parsed(&self) -> Result<ScopeRule, Errors> {
        let mut errors = Errors::default();
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let audience = given(&self.audience).map(|text| parse_absolute_uri("audience", &text)).transpose();
        let ttl = given(&self.token_ttl).map(|text| seconds("token_ttl", &text)).transpose();
        let age = given(&self.max_age).map(|text| seconds("max_age", &text)).transpose();
        let (name, audience, token_ttl_s, max_age_s) = (
            errors.keep(parse_scope(&self.name).map_err(|invalid| Invalid::new("name", invalid.to_string()))),
            errors.keep(audience),
            errors.keep(ttl),
            errors.keep(age),
        );
        let rule = ScopeRule {
            name: name.unwrap_or_default(),
            description: self.description.clone(),
            audience: audience.flatten(),
            token_ttl_s: token_ttl_s.flatten(),
            max_age_s: max_age_s.flatten(),
            acr: given(&self.acr),
            one_use: self.one_use,
            by_grant: self.by_grant,
        };
        match errors.keep(rule.checked()) {
            Some(rule) if errors.is_empty() => Ok(rule),
            _ => Err(errors),
        }
    }
}

/// How a user has to have logged in, said.
fn class_said(frame: &Frame, class: &str) -> String {
    match class.rsplit(':').next() {
        Some(word) if !word.is_empty() => frame.word("acr", word),
        _ => frame.t("acr-any"),
    }
}

impl From<ScopeRule> for Typed {
    fn from(rule: ScopeRule) -> Self {
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        Self {
            name: rule.name,
            description: rule.description,
            audience: rule.audience.unwrap_or_default(),
            token_ttl: number(rule.token_ttl_s),
            max_age: number(rule.max_age_s),
            acr: rule.acr.unwrap_or_default(),
            one_use: rule.one_use,
            by_grant: rule.by_grant,
        }
    }
}

/// `GET /console/scopes`.
async fn list(visit: Visit) -> HttpResponse {
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            |_, conn, _, manager| Ok((app::access::scopes(conn)?, manager.may("clients"))),
        )
        .await;
    visit.page(found, "scopes", |frame, _, (rules, may_change)| {
        let rules = rules.into_iter().map(|rule| RuleRow::of(&frame, rule)).collect();
        ScopesPage { frame, rules, may_change }
    })
}

/// `GET /console/scopes/rule`: the form, empty or with the rule of `name`. Wants what sending it wants, before anything is typed.
async fn show(visit: Visit) -> HttpResponse {
    let name = parameter(&visit.request, "name");
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients"),
            move |_, conn, _, _| {
                let Some(name) = name else { return Ok(None) };
                let rule = app::access::scopes(conn)?.into_iter().find(|rule| rule.name == name);
                Ok(Some(Typed::from(rule.ok_or(Refusal::NotFound { what: "scope" })?)))
            },
        )
        .await;
    visit.page(found, "scopes", |frame, _, known| {
        let seen = known.as_ref().map(print_of);
        RulePage::of(frame, known.unwrap_or_default(), Errors::default(), seen)
    })
}

/// `POST /console/scopes`: adds a rule, or puts it in the place of the one of the same scope.
async fn put(Posted { visit, form }: Posted) -> HttpResponse {
    let seen = Some(form.text("seen").to_owned()).filter(|seen| !seen.is_empty());
    let looked_at = seen.clone();
    let typed = Typed::of(&form);
    let parsed = typed.parsed();
    // A form that cannot be taken comes back to whoever could have sent it, and only to them.
    let (rule, errors) = match parsed {
        Ok(rule) => (Some(rule), Errors::default()),
        Err(errors) => (None, errors),
    };
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients"),
            move |service, conn, at, _| {
                let Some(rule) = rule else { return Ok(Put::Malformed) };
                let print = |rule: &ScopeRule| print_of(&Typed::from(rule.clone()));
                let is_as_seen = |rule: Option<&ScopeRule>| rule.map(print) == looked_at;
                Ok(match app::access::change_scope(service, conn, at, &rule, is_as_seen)? {
                    Change::Done => Put::Done,
                    Change::Overtaken(rule) => Put::Overtaken(rule),
                })
            },
        )
        .await;
    match found {
        Ok((visitor, put)) => {
            let frame = visit.frame(&visitor, "scopes");
            match put {
                Put::Done => see_other(SAVED),
                Put::Malformed => render(StatusCode::BAD_REQUEST, &RulePage::of(frame, typed, errors, seen)),
                Put::Overtaken(stored) => overtaken(frame, typed, errors, seen, stored),
            }
        }
        Err(stop) => visit.stopped(&stop),
    }
}

/// The form again, for whoever has not seen the rule that is stored: it would be gone without a word.
fn overtaken(
    frame: Frame,
    typed: Typed,
    mut errors: Errors,
    seen: Option<String>,
    stored: Option<ScopeRule>,
) -> HttpResponse {
    match (stored.map(Typed::from), seen) {
        (Some(_), None) => {
            errors.add("name", frame.t("error-scope-taken"));
            let page = RulePage { errors, ..RulePage::of(frame, typed, Errors::default(), None) };
            render(StatusCode::BAD_REQUEST, &page)
        }
        (Some(stored), Some(_)) => {
            let differences = differences(stored.said(&frame), typed.said(&frame));
            if differences.is_empty() {
                // Both meant the same.
                return see_other(SAVED);
            }
            let seen = Some(print_of(&stored));
            let page = RulePage { differences, ..RulePage::of(frame, typed, errors, seen) };
            render(StatusCode::CONFLICT, &page)
        }
        (None, _) => {
            let page = RulePage { is_gone: true, ..RulePage::of(frame, typed, errors, None) };
            render(StatusCode::CONFLICT, &page)
        }
    }
}

/// What became of the form.
enum Put {
    Done,
    Malformed,
    /// Something else rules the scope than whoever sent the form has seen.
    Overtaken(Option<ScopeRule>),
}

fn remove_page(frame: Frame, name: &str, error: Option<String>) -> ConfirmPage {
    ConfirmPage {
        is_grave: true,
        title: frame.with("remove-scope-title", "name", name),
        consequences: ["remove-scope-what", "remove-scope-wider", "remove-scope-grants"]
            .map(|key| frame.with(key, "name", name))
            .into(),
        action: REMOVE.to_owned(),
        button: frame.t("remove-scope-button"),
        back: SCOPES.to_owned(),
        error,
        hidden: vec![("name", name.to_owned())],
        frame,
    }
}

/// `GET /console/scopes/remove`: what will happen.
async fn show_remove(visit: Visit) -> HttpResponse {
    let name = parameter(&visit.request, "name").unwrap_or_default();
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            move |_, conn, _, manager| {
                manager.must("clients")?;
                let is_there = app::access::scopes(conn)?.iter().any(|rule| rule.name == name);
                if is_there { Ok(name) } else { Err(no_scope()) }
            },
        )
        .await;
    visit.page(found, "scopes", |frame, _, name| remove_page(frame, &name, None))
}

/// `POST /console/scopes/remove`, with a code.
async fn remove(Posted { visit, form }: Posted) -> HttpResponse {
    let name = form.text("name").to_owned();
    let looked = name.clone();
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            move |_, conn, _, manager| {
                manager.must("clients")?;
                let is_there = app::access::scopes(conn)?.iter().any(|rule| rule.name == looked);
                if is_there { Ok(()) } else { Err(no_scope()) }
            },
        )
        .await;
    let visitor = match found {
        Ok((visitor, ())) => visitor,
        Err(stop) => return visit.stopped(&stop),
    };
    let removed = match code_of(&form) {
        Ok(otp) => {
            let name = name.clone();
            visit
                .state
                .run_with_code(
                    &visit.request,
                    visit.token(),
                    otp,
                    Needs::scope("clients"),
                    move |service, conn, at, _| app::access::remove_scope(service, conn, at, &name),
                )
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match removed {
        Ok(()) => see_other("/console/scopes?said=scope-removed"),
        Err(stop) => {
            let frame = visit.frame(&visitor, "scopes");
            match why(&frame, &stop, "error-code") {
                Some(error) => render(outcome(&stop).0, &remove_page(frame, &name, Some(error))),
                None => visit.stopped(&stop),
            }
        }
    }
}

fn no_scope() -> Stop {
    Refusal::NotFound { what: "scope" }.into()
}
