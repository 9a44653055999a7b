//! `/console/settings`: what this server runs with, and who said so. Nothing is changed here.

use actix_web::HttpResponse;
use actix_web::web::ServiceConfig;
use askama::Template;

use crate::app::manage::Needs;
use crate::http::console::Visit;
use crate::http::console::frame::Frame;
use crate::http::{on, read};
use crate::settings::Shown;

/// The pages of this file.
pub(super) fn pages(config: &mut ServiceConfig) {
    config.service(on("/console/settings", "GET, HEAD").route(read().to(show)));
}

/// All settings.
#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    settings: Vec<Shown>,
}

/// `GET /console/settings`, for whoever may read everything: administrators and auditors.
async fn show(visit: Visit) -> HttpResponse {
    let found = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), Needs::scope("audit:read"), |_, _, _, _| {
            Ok(())
        })
        .await;
    visit.page(found, "settings", |frame, _, ()| SettingsPage {
        frame,
        settings: visit.state.settings().to_vec(),
    })
}
