//! `POST /oauth/revoke` (RFC 7009).

use actix_web::{HttpRequest, HttpResponse, web};
use zeroize::Zeroizing;

use crate::app;
use crate::app::context::Stop;
use crate::http::extract::{Fields, credentials};
use crate::http::problem::{Style, answer, unreadable};
use crate::http::state::State;

/// The handler.
pub(super) async fn revoke(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let fields = match Fields::read(&request, &mut payload).await {
        Ok(fields) => fields,
        Err(why) => return unreadable(why, Style::OAuth),
    };
    let state = state.into_inner();
    let outcome: Result<(), Stop> = async {
        let shown = credentials(&request, &fields)?;
        let token = Zeroizing::new(fields.required("token")?.to_owned());
        state
            .run(&request, move |service, conn, at| app::revoke::revoke(service, conn, at, &shown, &token))
            .await
    }
    .await;
    match outcome {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(stop) => answer(stop, Style::OAuth),
    }
}
