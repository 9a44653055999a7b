//! What managers do to one user. Whatever takes something away is said first, and wants a code.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use mobile_core::Code;

use super::{CHANGE, HELP, LOOK, LinkPage, email_of, no_user};
use crate::app;
use crate::app::console::Visitor;
use crate::app::context::Stop;
use crate::app::manage::Needs;
use crate::app::reset::Outcome;
use crate::domain::id::UserId;
use crate::domain::refusal::Refusal;
use crate::domain::user::{Role, User};
use crate::http::console::frame::{ConfirmPage, Frame};
use crate::http::console::sign_in::{code_of, why, why_not_code};
use crate::http::console::{Form, Posted, Visit, parameter, render, see_other};
use crate::http::problem::outcome;

/// What wants a code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Reset,
    Disable,
    EndSessions,
    Remove,
    Role(Role),
}

impl Deed {
    fn parse(word: &str, role: Option<&str>) -> Option<Self> {
        match word {
            "reset" => Some(Self::Reset),
            "disable" => Some(Self::Disable),
            "end-sessions" => Some(Self::EndSessions),
            "remove" => Some(Self::Remove),
            "role" => Some(Self::Role(role?.parse().ok()?)),
            _ => None,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Disable => "disable",
            Self::EndSessions => "end-sessions",
            Self::Remove => "remove",
            Self::Role(_) => "role",
        }
    }

    const fn needs(self) -> Needs {
        match self {
            Self::Reset => HELP,
            _ => CHANGE,
        }
    }
}

/// The page before it.
fn confirm_page(
    frame: Frame,
    deed: Deed,
    visitor: &Visitor,
    user: &User,
    error: Option<String>,
) -> ConfirmPage {
    let word = deed.word();
    let mut consequences = vec![frame.with(&format!("deed-{word}-what"), "name", &user.name)];
    match deed {
        Deed::Reset => {
            consequences.push(frame.t("deed-reset-next"));
            if frame.approvals && visitor.user.role == Role::Helpdesk {
                consequences.push(frame.t("deed-reset-approval"));
            }
        }
        Deed::Disable => consequences.push(frame.t("deed-disable-back")),
        Deed::Remove => consequences.push(frame.t("deed-remove-forever")),
        Deed::Role(role) => {
            consequences.push(frame.with("deed-role-becomes", "role", &frame.word("role", role)));
            consequences.push(frame.t(&format!("deed-role-{role}")));
        }
        Deed::EndSessions => {}
    }
    if visitor.user.id == user.id {
        consequences.push(frame.t("deed-own"));
    }
    ConfirmPage {
        is_grave: true,
        title: frame.with(&format!("deed-{word}-title"), "name", &user.name),
        consequences,
        action: format!("/console/users/{}/{word}", user.id),
        button: frame.t(&format!("deed-{word}-button")),
        back: format!("/console/users/{}", user.id),
        error,
        hidden: match deed {
            Deed::Role(role) => vec![("role", role.to_string())],
            _ => Vec::new(),
        },
        frame,
    }
}

/// Whom the page is about, for whoever may do it.
async fn target(visit: &Visit, deed: Deed, id: UserId) -> Result<(Visitor, User), Stop> {
    let (visitor, user) = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), LOOK, move |_, conn, _, manager| {
            let name = app::directory::name_of(conn, id)?;
            manager.find_user(conn, &name)
        })
        .await?;
    if !deed.needs().allows(visitor.user.role) {
        return Err(Refusal::InsufficientScope { needed: deed.needs().scope }.into());
    }
    Ok((visitor, user))
}

/// `GET /console/users/{id}/{deed}`: what will happen, to whom.
pub(super) async fn ask(visit: Visit, path: web::Path<(String, String)>) -> HttpResponse {
    let (id, word) = path.into_inner();
    let role = parameter(&visit.request, "role");
    let (Ok(id), Some(deed)) = (id.parse::<UserId>(), Deed::parse(&word, role.as_deref())) else {
        return visit.refuse(no_user()).await;
    };
    let found = target(&visit, deed, id).await;
    visit.page(found, "users", |frame, visitor, user| confirm_page(frame, deed, visitor, &user, None))
}

/// `POST /console/users/{id}/{deed}`, with a code.
pub(super) async fn act(Posted { visit, form }: Posted, path: web::Path<(String, String)>) -> HttpResponse {
    let (id, word) = path.into_inner();
    let (Ok(id), Some(deed)) = (id.parse::<UserId>(), Deed::parse(&word, Some(form.text("role")))) else {
        return visit.refuse(no_user()).await;
    };
    let (visitor, user) = match target(&visit, deed, id).await {
        Ok(found) => found,
        Err(stop) => return visit.stopped(&stop),
    };
    let done = match code_of(&form) {
        Ok(otp) => {
            visit
                .state
                .run_with_code(
                    &visit.request,
                    visit.token(),
                    otp,
                    deed.needs(),
                    move |service, conn, at, manager| {
                        let name = app::directory::name_of(conn, id)?;
                        manager.find_user(conn, &name)?;
                        Ok(match deed {
                            Deed::Reset => match app::reset::reset_or_ask(service, conn, at, &name)? {
                                Outcome::Waits(_) => "reset-waits",
                                Outcome::Done(ended) if ended.factors + ended.sessions == 0 => {
                                    "reset-nothing"
                                }
                                Outcome::Done(_) => "reset-done",
                            },
                            Deed::Disable => {
                                app::user::lock(service, conn, at, &name)?;
                                "user-disabled"
                            }
                            Deed::EndSessions => {
                                app::session::end_all(service, conn, at, &name)?;
                                "sessions-ended"
                            }
                            Deed::Remove => {
                                app::user::remove(service, conn, at, &name)?;
                                "user-removed"
                            }
                            Deed::Role(role) => {
                                manager.must_reach(role)?;
                                app::user::change_role(service, conn, at, &name, role)?;
                                "role-changed"
                            }
                        })
                    },
                )
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match done {
        Ok(said) if deed == Deed::Remove => see_other(&format!("/console/users?said={said}")),
        Ok(said) => see_other(&format!("/console/users/{id}?said={said}")),
        Err(stop) => {
            let frame = visit.frame(&visitor, "users");
            match why(&frame, &stop, "error-code") {
                Some(error) => {
                    render(outcome(&stop).0, &confirm_page(frame, deed, &visitor, &user, Some(error)))
                }
                None => visit.stopped(&stop),
            }
        }
    }
}

/// `POST /console/users/{id}/unlock`: of a lock, and of failed codes.
pub(super) async fn unlock(Posted { visit, .. }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<UserId>() else { return visit.refuse(no_user()).await };
    let done = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), HELP, move |service, conn, at, manager| {
            let name = app::directory::name_of(conn, id)?;
            manager.find_user(conn, &name)?;
            app::user::unlock(service, conn, at, &name)
        })
        .await;
    visit.done(done, &format!("/console/users/{id}?said=user-unlocked"))
}

/// `GET /console/users/{id}/invite` and `.../email`, where forms were answered: a link was shown once, or a code asked for. To the user's page.
pub(super) async fn to_user(path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<UserId>() else { return see_other("/console/users") };
    see_other(&format!("/console/users/{id}"))
}

/// What wants a code only where it is about somebody who may manage: who reads their invitation may become them.
#[derive(Clone, Copy)]
enum Care {
    Invite,
    Email,
}

impl Care {
    const fn word(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Email => "email",
        }
    }

    fn page(self, frame: Frame, user: &User, email: &str, error: Option<String>) -> ConfirmPage {
        let word = self.word();
        let mut consequences = vec![frame.with(&format!("deed-{word}-what"), "name", &user.name)];
        if let Self::Email = self {
            let key = if email.is_empty() { "deed-email-none" } else { "deed-email-becomes" };
            consequences.push(frame.with(key, "email", email));
        }
        ConfirmPage {
            is_grave: false,
            title: frame.with(&format!("deed-{word}-title"), "name", &user.name),
            consequences,
            action: format!("/console/users/{}/{word}", user.id),
            button: frame.t(&format!("deed-{word}-button")),
            back: format!("/console/users/{}", user.id),
            error,
            hidden: vec![("email", email.to_owned())],
            frame,
        }
    }

    /// Whom it is about, and the code for it, if it wants one; or the page that asks for that.
    async fn begin(
        self,
        visit: &Visit,
        form: &Form,
        id: UserId,
    ) -> Result<(Visitor, User, Option<Code>), HttpResponse> {
        let found = visit
            .state
            .run_as_managing_visitor(&visit.request, visit.token(), LOOK, move |_, conn, _, manager| {
                manager.must("users")?;
                let name = app::directory::name_of(conn, id)?;
                manager.find_user(conn, &name)
            })
            .await;
        let (visitor, user) = found.map_err(|stop| visit.stopped(&stop))?;
        if user.role == Role::User {
            return Ok((visitor, user, None));
        }
        let frame = visit.frame(&visitor, "users");
        if form.text("otp").is_empty() {
            return Err(render(StatusCode::OK, &self.page(frame, &user, form.text("email"), None)));
        }
        match code_of(form) {
            Ok(otp) => Ok((visitor, user, Some(otp))),
            Err(refusal) => Err(self.stopped(visit, &visitor, &user, form, &refusal.into())),
        }
    }

    /// What stopped it: the page once more where that is the code.
    fn stopped(
        self,
        visit: &Visit,
        visitor: &Visitor,
        user: &User,
        form: &Form,
        stop: &Stop,
    ) -> HttpResponse {
        let frame = visit.frame(visitor, "users");
        match why_not_code(&frame, stop) {
            Some(why) => render(outcome(stop).0, &self.page(frame, user, form.text("email"), Some(why))),
            None => visit.stopped(stop),
        }
    }
}

/// The user as it is done: whoever has got a role since the page was made wants a code now.
fn still(found: User, has_code: bool) -> Result<User, Refusal> {
    if found.role == Role::User || has_code {
        Ok(found)
    } else {
        Err(Refusal::InsufficientAuthentication { max_age_s: 0 })
    }
}

/// `POST /console/users/{id}/invite`: by mail, or where there is no address as a link that is shown once.
pub(super) async fn invite(Posted { visit, form }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<UserId>() else { return visit.refuse(no_user()).await };
    let (visitor, user, otp) = match Care::Invite.begin(&visit, &form, id).await {
        Ok(begun) => begun,
        Err(answer) => return answer,
    };
    let has_code = otp.is_some();
    let invited = visit
        .state
        .run_with_code_if_any(
            &visit.request,
            visit.token(),
            otp,
            CHANGE,
            move |service, conn, at, manager| {
                let name = app::directory::name_of(conn, id)?;
                let user = still(manager.find_user(conn, &name)?, has_code)?;
                Ok((user, app::invitation::invite(service, conn, at, &name)?))
            },
        )
        .await;
    match invited {
        Ok((_, (user, _))) if user.email.is_some() => {
            see_other(&format!("/console/users/{id}?said=user-invited"))
        }
        Ok((visitor, (user, link))) => {
            let page = LinkPage {
                frame: visit.frame(&visitor, "users"),
                name: user.name,
                link: link.url.to_string(),
                expires_at: link.expires_at,
                back: format!("/console/users/{id}"),
            };
            render(StatusCode::OK, &page)
        }
        Err(Stop::Refused(Refusal::Invalid(invalid))) if invalid.field() == "user" => {
            see_other(&format!("/console/users/{id}?said=invite-disabled"))
        }
        Err(stop) => Care::Invite.stopped(&visit, &visitor, &user, &form, &stop),
    }
}

/// `POST /console/users/{id}/email`.
pub(super) async fn email(Posted { visit, form }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<UserId>() else { return visit.refuse(no_user()).await };
    let email = match email_of(&form) {
        Ok(email) => email,
        Err(invalid) => return visit.refuse(invalid).await,
    };
    let (visitor, user, otp) = match Care::Email.begin(&visit, &form, id).await {
        Ok(begun) => begun,
        Err(answer) => return answer,
    };
    let has_code = otp.is_some();
    let done = visit
        .state
        .run_with_code_if_any(
            &visit.request,
            visit.token(),
            otp,
            CHANGE,
            move |service, conn, at, manager| {
                let name = app::directory::name_of(conn, id)?;
                still(manager.find_user(conn, &name)?, has_code)?;
                app::user::change_email(service, conn, at, &name, email.as_deref())
            },
        )
        .await;
    match done {
        Ok(_) => see_other(&format!("/console/users/{id}?said=email-changed")),
        Err(stop) => Care::Email.stopped(&visit, &visitor, &user, &form, &stop),
    }
}
