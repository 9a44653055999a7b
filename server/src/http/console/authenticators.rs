//! The own authenticators and recovery codes: add, confirm, rename, remove, make anew.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, HeaderValue};
use actix_web::{HttpResponse, web};
use mobile_core::Code;

use crate::app;
use crate::app::console::{Account, Visitor};
use crate::app::context::Stop;
use crate::domain::factor::{CodeShape, Summary};
use crate::domain::id::FactorId;
use crate::domain::recovery_code::RecoveryCode;
use crate::domain::refusal::Refusal;
use crate::http::console::frame::{ConfirmPage, Frame};
use crate::http::console::sign_in::{
    EnrolPage, RecoveryCodesPage, ShownSecret, code_of, recovery_codes_text, why,
};
use crate::http::console::{Posted, Visit, render, see_other};
use crate::http::problem::outcome;

const ACCOUNT: &str = "/console/account";

const AUTHENTICATORS: &str = "/console/account/authenticators";

/// `GET /console/account/authenticators`: what will happen, for whoever has a code to give.
pub(super) async fn show_add(visit: Visit) -> HttpResponse {
    match own_account(&visit).await {
        Ok((visitor, account)) if account.has_active_factor() => {
            render(StatusCode::OK, &add_page(visit.frame(&visitor, "account"), None))
        }
        Ok(_) => see_other(ACCOUNT),
        Err(stop) => visit.stopped(&stop),
    }
}

async fn own_account(visit: &Visit) -> Result<(Visitor, Account), Stop> {
    visit
        .state
        .run_as_visitor(&visit.request, visit.token(), |_, conn, at, visitor| {
            app::console::account(conn, at, visitor)
        })
        .await
}

fn add_page(frame: Frame, error: Option<String>) -> ConfirmPage {
    ConfirmPage {
        is_grave: false,
        title: frame.t("add-factor-title"),
        consequences: vec![frame.t("add-factor-what"), frame.t("add-factor-code")],
        action: AUTHENTICATORS.to_owned(),
        button: frame.t("enrol-begin"),
        back: ACCOUNT.to_owned(),
        error,
        hidden: Vec::new(),
        frame,
    }
}

/// `POST /console/account/authenticators`, with a code where there is an active factor: makes a secret and shows it, this once.
pub(super) async fn add(Posted { visit, form }: Posted) -> HttpResponse {
    let (visitor, account) = match own_account(&visit).await {
        Ok(found) => found,
        Err(stop) => return visit.stopped(&stop),
    };
    let otp = match account.has_active_factor() {
        false => Ok(None),
        // From a page that has no field for it, as where a QR code was lost.
        true if form.text("otp").is_empty() => return see_other(AUTHENTICATORS),
        true => code_of(&form).map(Some),
    };
    let token = visit.token();
    let enrolled = match otp {
        Ok(otp) => {
            visit
                .state
                .run(&visit.request, move |service, conn, at| {
                    if let Some(otp) = otp {
                        app::verify::step_up(service, conn, at, &token, &otp)?;
                    }
                    app::factor::associate(service, conn, at, &token)
                })
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    let frame = visit.frame(&visitor, "account");
    match enrolled {
        Ok(enrolled) => {
            let shown = ShownSecret::of(&enrolled.uri, &visit.state.service.phone);
            let codes = CodeShape::of([enrolled.mechanism]);
            render(StatusCode::OK, &enrol_page(frame, enrolled.id, codes, Some(shown)))
        }
        Err(stop) => match why(&frame, &stop, "error-code").filter(|_| account.has_active_factor()) {
            Some(error) => render(outcome(&stop).0, &add_page(frame, Some(error))),
            None => visit.stopped(&stop),
        },
    }
}

fn enrol_page(frame: Frame, id: FactorId, codes: CodeShape, shown: Option<ShownSecret>) -> EnrolPage {
    EnrolPage {
        frame: frame.asking_for(codes),
        to: ACCOUNT.to_owned(),
        shown,
        confirm: format!("{ACCOUNT}/authenticators/{id}/confirm"),
        carried: String::new(),
        begin: AUTHENTICATORS.to_owned(),
        error: None,
        steps: false,
    }
}

/// `POST /console/account/authenticators/{id}/confirm`.
pub(super) async fn confirm(Posted { visit, form }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<FactorId>() else { return visit.refuse(no_factor()).await };
    let (visitor, account) = match own_account(&visit).await {
        Ok(found) => found,
        Err(stop) => return visit.stopped(&stop),
    };
    let confirmed_one = account.factors.iter().filter(|factor| factor.id == id);
    let codes = CodeShape::of(confirmed_one.map(|factor| factor.mechanism));
    let token = visit.token();
    let confirmed = match code_of(&form) {
        Ok(otp) => {
            visit
                .state
                .run(&visit.request, move |service, conn, at| {
                    app::factor::confirm_own(service, conn, at, &token, id, &otp)
                })
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match confirmed {
        Ok(()) => see_other("/console/account?said=authenticator-added"),
        Err(stop) => {
            let frame = visit.frame(&visitor, "account");
            match why(&frame, &stop, "error-first-code") {
                Some(error) => {
                    let page = EnrolPage { error: Some(error), ..enrol_page(frame, id, codes, None) };
                    render(outcome(&stop).0, &page)
                }
                None => visit.stopped(&stop),
            }
        }
    }
}

/// `POST /console/account/authenticators/{id}/rename`.
pub(super) async fn rename(Posted { visit, form }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<FactorId>() else { return visit.refuse(no_factor()).await };
    let (token, label) = (visit.token(), form.text("label").to_owned());
    let renamed = visit
        .state
        .run(&visit.request, move |service, conn, at| {
            app::console::rename_factor(service, conn, at, &token, id, &label)
        })
        .await;
    visit.done(renamed, "/console/account?said=authenticator-renamed")
}

/// `GET /console/account/authenticators/{id}/remove`: what will happen.
pub(super) async fn show_remove(visit: Visit, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<FactorId>() else { return visit.refuse(no_factor()).await };
    let found = visit
        .state
        .run_as_visitor(&visit.request, visit.token(), move |_, conn, at, visitor| {
            let account = app::console::account(conn, at, visitor)?;
            let others = account.factors.iter().filter(|factor| factor.id != id).count();
            let factor = account.factors.into_iter().find(|factor| factor.id == id);
            Ok((factor.ok_or(Refusal::NotFound { what: "factor" })?, others))
        })
        .await;
    visit.page(found, "account", |frame, _, (factor, others)| remove_page(frame, &factor, others, None))
}

fn remove_page(frame: Frame, factor: &Summary, others: usize, error: Option<String>) -> ConfirmPage {
    let label = frame.label(factor);
    let mut consequences =
        vec![frame.with("remove-factor-what", "label", &label), frame.t("remove-factor-sessions")];
    if others == 0 {
        consequences.push(frame.t("remove-factor-last"));
    }
    ConfirmPage {
        is_grave: true,
        title: frame.with("remove-factor-title", "label", &label),
        consequences,
        action: format!("{ACCOUNT}/authenticators/{}/remove", factor.id),
        button: frame.t("remove-factor-button"),
        back: ACCOUNT.to_owned(),
        error,
        hidden: Vec::new(),
        frame,
    }
}

/// `POST /console/account/authenticators/{id}/remove`, with a code of any authenticator, this one included.
pub(super) async fn remove(Posted { visit, form }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<FactorId>() else { return visit.refuse(no_factor()).await };
    let otp = code_of(&form);
    let token = visit.token();
    // What the page says again if the code is wrong.
    let (visitor, account) = match own_account(&visit).await {
        Ok(found) => found,
        Err(stop) => return visit.stopped(&stop),
    };
    let Some(factor) = account.factors.iter().find(|factor| factor.id == id) else {
        return visit.refuse(no_factor()).await;
    };
    let removed = match otp {
        Ok(otp) => {
            visit
                .state
                .run(&visit.request, move |service, conn, at| {
                    app::verify::step_up(service, conn, at, &token, &otp)?;
                    app::factor::remove_own(service, conn, at, &token, id)
                })
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match removed {
        Ok(()) => see_other("/console/account?said=authenticator-removed"),
        Err(stop) => {
            let frame = visit.frame(&visitor, "account");
            match why(&frame, &stop, "error-code") {
                Some(error) => {
                    let page = remove_page(frame, factor, account.factors.len() - 1, Some(error));
                    render(outcome(&stop).0, &page)
                }
                None => visit.stopped(&stop),
            }
        }
    }
}

fn renew_page(frame: Frame, error: Option<String>) -> ConfirmPage {
    ConfirmPage {
        is_grave: true,
        title: frame.t("renew-codes-title"),
        consequences: vec![frame.t("renew-codes-what"), frame.t("renew-codes-old")],
        action: format!("{ACCOUNT}/recovery-codes"),
        button: frame.t("renew-codes-button"),
        back: ACCOUNT.to_owned(),
        error,
        hidden: Vec::new(),
        frame,
    }
}

/// `GET /console/account/recovery-codes`: what will happen.
pub(super) async fn show_renew(visit: Visit) -> HttpResponse {
    let found = visit.state.run_as_visitor(&visit.request, visit.token(), |_, _, _, _| Ok(())).await;
    visit.page(found, "account", |frame, _, ()| renew_page(frame, None))
}

/// `POST /console/account/recovery-codes`.
pub(super) async fn renew(Posted { visit, form }: Posted) -> HttpResponse {
    let visitor = match visit.state.run_as_visitor(&visit.request, visit.token(), |_, _, _, _| Ok(())).await {
        Ok((visitor, ())) => visitor,
        Err(stop) => return visit.stopped(&stop),
    };
    let token = visit.token();
    let otp: Result<Code, Refusal> = code_of(&form);
    let renewed: Result<Vec<RecoveryCode>, Stop> = match otp {
        Ok(otp) => {
            visit
                .state
                .run(&visit.request, move |service, conn, at| {
                    app::verify::step_up(service, conn, at, &token, &otp)?;
                    app::recovery_code::renew_own(service, conn, at, &token)
                })
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    let frame = visit.frame(&visitor, "account");
    match renewed {
        Ok(codes) => {
            let codes = codes.iter().map(RecoveryCode::shown).collect();
            let to = ACCOUNT.to_owned();
            let page = RecoveryCodesPage { frame, to, codes, steps: false, is_replacement: false };
            render(StatusCode::OK, &page)
        }
        Err(stop) => match why(&frame, &stop, "error-code") {
            Some(error) => render(outcome(&stop).0, &renew_page(frame, Some(error))),
            None => visit.stopped(&stop),
        },
    }
}

/// `POST /console/account/recovery-codes/file`: the codes on the page as a text file, for browsers without scripts, too.
pub(super) async fn recovery_codes_file(Posted { visit, form }: Posted) -> HttpResponse {
    match recovery_codes_text(&visit.state.service.issuer_name, form.text("codes")) {
        Ok(text) => {
            let file = HeaderValue::from_static("attachment; filename=\"recovery-codes.txt\"");
            HttpResponse::Ok()
                .content_type("text/plain; charset=utf-8")
                .insert_header((CONTENT_DISPOSITION, file))
                .body(text.to_string())
        }
        Err(refusal) => visit.refuse(refusal).await,
    }
}

pub(super) fn no_factor() -> Stop {
    Refusal::NotFound { what: "factor" }.into()
}
