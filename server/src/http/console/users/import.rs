//! `/console/users/import`: many users at once, from a list in CSV. Paste or pick a file, look at what would happen, then do it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::{CHANGE, LOOK};
use crate::app;
use crate::app::console::Visitor;
use crate::app::context::Stop;
use crate::app::user::import::{Bringer, Fate, Line, Wrong};
use crate::domain::refusal::{Invalid, Refusal};
use crate::http::console::frame::Frame;
use crate::http::console::sign_in::{code_of, why};
use crate::http::console::{Form, Visit, parameter, render};
use crate::http::problem::outcome;

/// The list, before it is looked at.
#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage {
    frame: Frame,
    list: String,
    invite: bool,
    error: Option<String>,
}

/// What would happen, or did.
#[derive(Template)]
#[template(path = "import_lines.html")]
struct LinesPage {
    frame: Frame,
    lines: Vec<Line>,
    /// The list once more, to be applied; none where it was.
    list: Option<String>,
    invite: bool,
    error: Option<String>,
}

impl LinesPage {
    /// What is wrong comes first: of thousands of lines it is what somebody looks for.
    fn of(
        frame: Frame,
        mut lines: Vec<Line>,
        list: Option<String>,
        invite: bool,
        error: Option<String>,
    ) -> Self {
        lines.sort_by_key(|line| (!Self::is_wrong(line), line.number));
        Self { frame, lines, list, invite, error }
    }

    fn count(&self, wanted: fn(Fate) -> bool) -> i64 {
        i64::try_from(self.lines.iter().filter(|line| wanted(line.fate)).count()).unwrap_or(i64::MAX)
    }

    fn added(&self) -> i64 {
        self.count(|fate| matches!(fate, Fate::New { .. }))
    }

    fn existing(&self) -> i64 {
        self.count(|fate| fate == Fate::Exists)
    }

    fn wrong(&self) -> i64 {
        self.count(|fate| matches!(fate, Fate::Wrong(_)))
    }

    fn is_wrong(line: &Line) -> bool {
        matches!(line.fate, Fate::Wrong(_))
    }

    fn is_new(line: &Line) -> bool {
        matches!(line.fate, Fate::New { .. })
    }

    /// What becomes of a line, said.
    fn fate(&self, line: &Line) -> String {
        let tense = if self.list.is_some() { "will" } else { "done" };
        match line.fate {
            Fate::New { invited: true, .. } => self.frame.t(&format!("import-{tense}-invited")),
            Fate::New { invited: false, .. } if self.invite => {
                self.frame.t(&format!("import-{tense}-no-address"))
            }
            Fate::New { invited: false, .. } => self.frame.t(&format!("import-{tense}-added")),
            Fate::Exists => self.frame.t("import-exists"),
            // A list from here has no column for URIs.
            Fate::Wrong(
                Wrong::Columns | Wrong::Uri | Wrong::TooManyUris | Wrong::UriTwice | Wrong::Counter,
            ) => self.frame.t("import-wrong-columns"),
            Fate::Wrong(Wrong::Unreadable) => self.frame.t("import-wrong-unreadable"),
            Fate::Wrong(Wrong::Name) => self.frame.t("import-wrong-name"),
            Fate::Wrong(Wrong::Twice(before)) => {
                self.frame.with("import-wrong-twice", "line", &before.to_string())
            }
            Fate::Wrong(Wrong::Email) => self.frame.t("import-wrong-email"),
            Fate::Wrong(Wrong::Role) => self.frame.t("import-wrong-role"),
            Fate::Wrong(Wrong::RoleOutOfReach) => self.frame.t("import-wrong-role-reach"),
        }
    }
}

/// `GET /console/users/import`.
pub(super) async fn show(visit: Visit) -> HttpResponse {
    let invite = parameter(&visit.request, "invite").is_some();
    let found = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), LOOK, |_, _, _, manager| {
            Ok(manager.must("users")?)
        })
        .await;
    visit.page(found, "users", |frame, _, ()| ImportPage { frame, list: String::new(), invite, error: None })
}

/// Looks at a list.
async fn look(visit: &Visit, list: String, invite: bool) -> Result<(Visitor, Vec<Line>), Stop> {
    visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), LOOK, move |_, conn, _, manager| {
            app::user::import::preview(conn, Bringer::Manager(manager), &list, invite)
        })
        .await
}

/// `POST /console/users/import`: what would happen. Changes nothing.
pub(super) async fn preview(visit: Visit, mut payload: web::Payload) -> HttpResponse {
    let form = match Form::read_long(&visit, &mut payload, LOOK, "users").await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    let (list, invite) = (form.raw("list").to_owned(), form.is_ticked("invite"));
    if form.is_ticked("edit") {
        return edit(&visit, list, invite).await;
    }
    match look(&visit, list.clone(), invite).await {
        Ok((visitor, lines)) => {
            let page = LinesPage::of(visit.frame(&visitor, "users"), lines, Some(list), invite, None);
            render(StatusCode::OK, &page)
        }
        Err(Stop::Refused(Refusal::Invalid(invalid))) => unreadable(&visit, invalid, list, invite).await,
        Err(stop) => visit.stopped(&stop),
    }
}

/// The list again, to be changed after a look at what would happen.
async fn edit(visit: &Visit, list: String, invite: bool) -> HttpResponse {
    let found = visit.state.run_as_visitor(&visit.request, visit.token(), |_, _, _, _| Ok(())).await;
    visit.page(found, "users", |frame, _, ()| ImportPage { frame, list, invite, error: None })
}

/// The list again, with what keeps it from being one.
async fn unreadable(visit: &Visit, invalid: Invalid, list: String, invite: bool) -> HttpResponse {
    match visit.state.run_as_visitor(&visit.request, visit.token(), |_, _, _, _| Ok(())).await {
        Ok((visitor, ())) => {
            let frame = visit.frame(&visitor, "users");
            let error = Some(frame.with("import-unreadable", "why", &invalid.to_string()));
            render(StatusCode::BAD_REQUEST, &ImportPage { frame, list, invite, error })
        }
        Err(stop) => visit.stopped(&stop),
    }
}

/// `POST /console/users/import/apply`, with a code: adds everybody who is new.
pub(super) async fn apply(visit: Visit, mut payload: web::Payload) -> HttpResponse {
    let form = match Form::read_long(&visit, &mut payload, LOOK, "users").await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    let (list, invite) = (form.raw("list").to_owned(), form.is_ticked("invite"));
    let (visitor, lines) = match look(&visit, list.clone(), invite).await {
        Ok(found) => found,
        Err(Stop::Refused(Refusal::Invalid(invalid))) => {
            return unreadable(&visit, invalid, list, invite).await;
        }
        Err(stop) => return visit.stopped(&stop),
    };
    let applied = match code_of(&form) {
        Ok(otp) => {
            let list = list.clone();
            visit
                .state
                .run_with_code(
                    &visit.request,
                    visit.token(),
                    otp,
                    CHANGE,
                    move |service, conn, at, manager| {
                        app::user::import::apply(service, conn, at, Bringer::Manager(manager), &list, invite)
                    },
                )
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    let frame = visit.frame(&visitor, "users");
    match applied {
        Ok(lines) => render(StatusCode::OK, &LinesPage::of(frame, lines, None, invite, None)),
        Err(stop) => match why(&frame, &stop, "error-code") {
            Some(error) => {
                let page = LinesPage::of(frame, lines, Some(list), invite, Some(error));
                render(outcome(&stop).0, &page)
            }
            None => visit.stopped(&stop),
        },
    }
}
