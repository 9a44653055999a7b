//! `/console/users`: finding users, adding them, and everything that managers do with one.

mod approvals;
mod authenticators;
mod deeds;
mod import;

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig, post};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::app;
use crate::app::context::Stop;
use crate::app::directory::{Found, Profile};
use crate::app::manage::Needs;
use crate::app::user::NewUser;
use crate::domain::audit::Entry;
use crate::domain::id::UserId;
use crate::domain::lockout::is_wait;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::search::{Enrolment, Place, Wanted};
use crate::domain::time::Timestamp;
use crate::domain::user::{Role, User, UserName, UserState, parse_email};
use crate::http::console::audit::Party;
use crate::http::console::frame::Frame;
use crate::http::console::sign_in::{code_if_wanted, why_at, why_not_code};
use crate::http::console::typed::Errors;
use crate::http::console::{Form, Posted, Visit, leads_to, parameter, render, see_other};
use crate::http::problem::outcome;
use crate::http::{on, read};

/// Looking.
const LOOK: Needs = Needs::scope("users:read");

/// What administrators do.
const CHANGE: Needs = Needs::scope("users");

/// What help desks do, too.
const HELP: Needs = Needs::help("factors");

/// Every page and form of it.
pub(super) fn pages(config: &mut ServiceConfig) {
    config
        .service(on("/console/users", "GET, HEAD").route(read().to(list)))
        .service(on("/console/users/add", "GET, HEAD, POST").route(read().to(show_add)).route(post().to(add)))
        .service(
            on("/console/users/import", "GET, HEAD, POST")
                .route(read().to(import::show))
                .route(post().to(import::preview)),
        )
        .service(
            on("/console/users/import/apply", "GET, HEAD, POST")
                .route(leads_to("/console/users/import"))
                .route(post().to(import::apply)),
        )
        .service(on("/console/users/{id}", "GET, HEAD").route(read().to(show)))
        .service(on("/console/users/{id}/unlock", "POST").route(post().to(deeds::unlock)))
        .service(
            on("/console/users/{id}/invite", "GET, HEAD, POST")
                .route(read().to(deeds::to_user))
                .route(post().to(deeds::invite)),
        )
        .service(
            on("/console/users/{id}/email", "GET, HEAD, POST")
                .route(read().to(deeds::to_user))
                .route(post().to(deeds::email)),
        )
        .service(
            on("/console/users/{id}/authenticators/{factor}", "GET, HEAD, POST")
                .route(read().to(authenticators::show))
                .route(post().to(authenticators::check)),
        )
        .service(
            on("/console/users/{id}/authenticators/{factor}/remove", "GET, HEAD, POST")
                .route(read().to(authenticators::show_remove))
                .route(post().to(authenticators::remove)),
        )
        .service(
            on("/console/users/{id}/{deed}", "GET, HEAD, POST")
                .route(read().to(deeds::ask))
                .route(post().to(deeds::act)),
        )
        .service(on("/console/approvals", "GET, HEAD").route(read().to(approvals::list)))
        .service(
            on("/console/approvals/{id}/approve", "GET, HEAD, POST")
                .route(read().to(approvals::ask))
                .route(post().to(approvals::approve)),
        )
        .service(on("/console/approvals/{id}/decline", "POST").route(post().to(approvals::decline)));
}

/// The list.
#[derive(Template)]
#[template(path = "users.html")]
struct ListPage {
    frame: Frame,
    wanted: Wanted,
    found: Found,
    /// Resets that wait for a second person.
    waiting: i64,
    /// Where the next page is.
    next: Option<String>,
    /// Where the first page is, from any other.
    first: Option<String>,
    may_add: bool,
}

impl ListPage {
    fn roles(&self) -> Vec<(&'static str, bool)> {
        Role::ALL.map(|role| (role.as_str(), self.wanted.role == Some(role))).to_vec()
    }

    fn states(&self) -> Vec<(&'static str, bool)> {
        UserState::ALL.map(|state| (state.as_str(), self.wanted.state == Some(state))).to_vec()
    }

    fn enrolments(&self) -> Vec<(&'static str, bool)> {
        let picked = self.wanted.enrolment;
        Enrolment::ALL.map(|enrolment| (enrolment.as_str(), picked == Some(enrolment))).to_vec()
    }
}

/// What the address of the list asks for. A word that is none is no filter.
fn wanted(request: &HttpRequest) -> Wanted {
    let word = |name| parameter(request, name).unwrap_or_default();
    Wanted {
        text: word("q").chars().filter(|c| !c.is_control()).take(254).collect(),
        role: word("role").parse().ok(),
        state: word("state").parse().ok(),
        enrolment: word("enrolment").parse().ok(),
        after: Place::parse(&word("after")),
    }
}

/// The address of a page of that list.
fn address(wanted: &Wanted, after: Option<&Place>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let words = [
        ("q", wanted.text.clone()),
        ("role", wanted.role.map(|role| role.to_string()).unwrap_or_default()),
        ("state", wanted.state.map(|state| state.to_string()).unwrap_or_default()),
        ("enrolment", wanted.enrolment.map(|enrolment| enrolment.to_string()).unwrap_or_default()),
        ("after", after.map(Place::shown).unwrap_or_default()),
    ];
    for (name, value) in words.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { "/console/users".to_owned() } else { format!("/console/users?{query}") }
}

/// `GET /console/users`.
async fn list(visit: Visit) -> HttpResponse {
    let wanted = wanted(&visit.request);
    let asked = wanted.clone();
    let found = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), LOOK, move |_, conn, at, _| {
            Ok((app::directory::search(conn, at, &asked)?, app::reset::count_waiting(conn, at)?))
        })
        .await;
    visit.page(found, "users", |frame, visitor, (found, waiting)| ListPage {
        next: found.next.as_ref().map(|next| address(&wanted, Some(next))),
        first: wanted.after.is_some().then(|| address(&wanted, None)),
        may_add: CHANGE.allows(visitor.user.role),
        frame,
        wanted,
        found,
        waiting,
    })
}

/// A new user.
#[derive(Template)]
#[template(path = "user_add.html")]
struct AddPage {
    frame: Frame,
    username: String,
    email: String,
    role: String,
    /// Whether an invitation goes out at once.
    invite: bool,
    errors: Errors,
    /// Whether it wants a code: a new user who may manage is as good as a changed role.
    asks_code: bool,
    /// What is wrong with that.
    error: Option<String>,
}

impl AddPage {
    fn roles(&self) -> Vec<(&'static str, bool)> {
        Role::ALL.map(|role| (role.as_str(), self.role == role.as_str())).to_vec()
    }
}

/// A link that is shown once.
#[derive(Template)]
#[template(path = "user_link.html")]
struct LinkPage {
    frame: Frame,
    name: String,
    link: String,
    expires_at: Timestamp,
    back: String,
}

/// `GET /console/users/add`. Wants what sending the form wants, before anything is typed.
async fn show_add(visit: Visit) -> HttpResponse {
    let found =
        visit.state.run_as_managing_visitor(&visit.request, visit.token(), CHANGE, |_, _, _, _| Ok(())).await;
    visit.page(found, "users", |frame, _, ()| AddPage {
        frame,
        username: String::new(),
        email: String::new(),
        role: Role::User.as_str().to_owned(),
        invite: true,
        errors: Errors::default(),
        asks_code: false,
        error: None,
    })
}

/// `POST /console/users/add`, for whoever may manage with a code.
async fn add(Posted { visit, form }: Posted) -> HttpResponse {
    let visitor = match visit.state.run_as_visitor(&visit.request, visit.token(), |_, _, _, _| Ok(())).await {
        Ok((visitor, ())) => visitor,
        Err(stop) => return visit.stopped(&stop),
    };
    let mut errors = Errors::default();
    let (name, email, role) = (
        errors.keep(UserName::parse(form.text("username"))),
        errors.keep(email_of(&form)),
        errors.keep(form.text("role").parse::<Role>()),
    );
    let invite = form.is_ticked("invite");
    let wants_code = role.is_some_and(|role| role != Role::User);
    let again = |frame: Frame, status: StatusCode, errors: Errors| {
        let text = |name| form.text(name).to_owned();
        let (username, email, role) = (text("username"), text("email"), text("role"));
        let error = errors.of("otp").map(str::to_owned);
        let page = AddPage { frame, username, email, role, invite, errors, asks_code: wants_code, error };
        render(status, &page)
    };
    let frame = visit.frame(&visitor, "users");
    let (Some(name), Some(email), Some(role)) = (name, email, role) else {
        let errors = errors.said(&frame, "field");
        return again(frame, StatusCode::BAD_REQUEST, errors);
    };
    let refused = |frame: Frame, stop: Stop| {
        let errors = match &stop {
            Stop::Refused(Refusal::AlreadyExists { .. }) => {
                Some(Errors::of_one("username", frame.t("refused-already-exists")))
            }
            stop => why_not_code(&frame, stop)
                .map(|reason| Errors::of_one("otp", reason))
                .or_else(|| why_at(&frame, stop, "error-now")),
        };
        match errors {
            Some(errors) => again(frame, outcome(&stop).0, errors),
            None => visit.stopped(&stop),
        }
    };
    if wants_code && let Err(stop) = could_add(&visit, name.clone(), role).await {
        return refused(frame, stop);
    }
    let otp = match code_if_wanted(&frame, &form, wants_code, "code-wanted-role") {
        Ok(otp) => otp,
        Err(why) => return again(frame, StatusCode::BAD_REQUEST, Errors::of_one("otp", why)),
    };
    let new = NewUser { name, email, role, password: None };
    let added = visit
        .state
        .run_with_code_if_any(
            &visit.request,
            visit.token(),
            otp,
            CHANGE,
            move |service, conn, at, manager| {
                manager.must_reach(new.role)?;
                if invite {
                    let (user, link) = app::user::add_invited(service, conn, at, new)?;
                    return Ok((user, Some(link)));
                }
                Ok((app::user::add(service, conn, at, new)?, None))
            },
        )
        .await;
    match added {
        Ok((_, (user, Some(link)))) if user.email.is_none() => {
            let page = LinkPage {
                frame,
                back: format!("/console/users/{}", user.id),
                name: user.name,
                link: link.url.to_string(),
                expires_at: link.expires_at,
            };
            render(StatusCode::OK, &page)
        }
        Ok((_, (user, link))) => {
            let said = if link.is_some() { "user-added-invited" } else { "user-added" };
            see_other(&format!("/console/users/{}?said={said}", user.id))
        }
        Err(stop) => refused(frame, stop),
    }
}

/// Whether this visitor could add somebody of this name in this role, so that no code is used up for nothing. It is decided where it is done.
async fn could_add(visit: &Visit, name: UserName, role: Role) -> Result<(), Stop> {
    let could = visit.state.run_as_managing_visitor(
        &visit.request,
        visit.token(),
        LOOK,
        move |_, conn, at, manager| {
            manager.must("users")?;
            manager.must_reach(role)?;
            match app::user::show(conn, at, &name) {
                Ok(_) => Err(Refusal::AlreadyExists { what: "user" }.into()),
                Err(Stop::Refused(Refusal::NotFound { .. })) => Ok(()),
                Err(stop) => Err(stop),
            }
        },
    );
    could.await.map(drop)
}

/// The address of a form, or none.
fn email_of(form: &Form) -> Result<Option<String>, Invalid> {
    Some(form.text("email")).filter(|text| !text.is_empty()).map(parse_email).transpose()
}

/// One user.
#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    frame: Frame,
    profile: Profile,
    /// Who has done what of the activity; none for whoever looks.
    actors: Vec<Option<Party>>,
    /// Who looks.
    viewer: User,
}

impl UserPage {
    /// Whether the viewer's role reaches this user for it. It is decided again where it is done.
    fn may(&self, needs: Needs) -> bool {
        let reaches = self.profile.user.role == Role::User || self.viewer.role == Role::Admin;
        reaches && needs.allows(self.viewer.role)
    }

    fn base(&self) -> String {
        format!("/console/users/{}", self.profile.user.id)
    }

    fn may_help(&self) -> bool {
        self.may(HELP)
    }

    fn may_change(&self) -> bool {
        self.may(CHANGE)
    }

    fn is_locked(&self) -> bool {
        self.profile.user.state == UserState::Locked
    }

    /// Until when codes are not looked at; none: they are.
    fn waits_until(&self) -> Option<Timestamp> {
        Some(self.profile.standing.locked_until).filter(|until| is_wait(*until, self.profile.now))
    }

    /// Whether that is until somebody unlocks.
    fn waits_for_help(&self) -> bool {
        self.profile.standing.locked_until == Timestamp::NEVER
    }

    fn roles(&self) -> Vec<(&'static str, bool)> {
        Role::ALL.map(|role| (role.as_str(), self.profile.user.role == role)).to_vec()
    }

    /// What happened lately, and who did it.
    fn activity(&self) -> impl Iterator<Item = (&Entry, Option<&Party>)> {
        self.profile.activity.iter().zip(self.actors.iter().map(Option::as_ref))
    }
}

/// `GET /console/users/{id}`.
async fn show(visit: Visit, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<UserId>() else { return visit.refuse(no_user()).await };
    let found = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), LOOK, move |_, conn, at, _| {
            let profile = app::directory::profile(conn, at, id)?;
            let names = app::audit::names(conn, &profile.activity)?;
            Ok((profile, names))
        })
        .await;
    visit.page(found, "users", |frame, visitor, (profile, names)| {
        let own = format!("user:{}", visitor.user.id);
        let actors = profile.activity.iter().map(|entry| {
            let is_other = entry.actor != own;
            is_other.then(|| Party::of(&frame, &names, &entry.actor))
        });
        UserPage { actors: actors.collect(), frame, profile, viewer: visitor.user.clone() }
    })
}

fn no_user() -> Stop {
    Refusal::NotFound { what: "user" }.into()
}
