//! `/phone/api/*`: phones ask about their own factors and confirm them (`docs/spec/phone.md`). Nobody is logged in, and no cookie is looked
//! at: a phone shows that it has a factor's secret.
//!
//! The phone app may be at another origin (`phone_url`). Then, and for that origin only, browsers are told to let its requests through.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE,
    HeaderValue, VARY,
};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig, post, scope};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app;
use crate::app::context::Stop;
use crate::app::phone::Claim;
use crate::domain::factor::parse_code;
use crate::domain::id::FactorId;
use crate::domain::phone::{MAX_ASKED, Standing};
use crate::domain::refusal::Invalid;
use crate::domain::time::Timestamp;
use crate::http::extract::{body, from_json};
use crate::http::problem::{Style, answer, unreadable};
use crate::http::state::State;
use crate::http::{on, read};

/// Browsers ask again after two hours; none keeps an answer for longer.
const PREFLIGHT_TTL_S: &str = "7200";

/// Every operation.
pub(super) fn operations(config: &mut ServiceConfig) {
    config.service(
        scope("/phone/api")
            .wrap(from_fn(let_phone_app_through))
            .service(on("/time", "GET, HEAD").route(read().to(time)))
            .service(on("/factors", "POST").route(post().to(factors)))
            .service(on("/confirm", "POST").route(post().to(confirm))),
    );
}

/// Tells browsers that the phone app may read the answers, where it is at another origin.
async fn let_phone_app_through<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let state = request.app_data::<web::Data<State>>().expect("the server puts it there");
    let origin = state.service.phone.foreign_origin().and_then(|origin| HeaderValue::from_str(origin).ok());
    let Some(origin) = origin else { return Ok(next.call(request).await?.map_into_left_body()) };
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        let answer = HttpResponse::NoContent()
            .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
            .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, "content-type"))
            .insert_header((ACCESS_CONTROL_MAX_AGE, PREFLIGHT_TTL_S))
            .finish();
        request.into_response(answer).map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    Ok(response)
}

/// `GET /phone/api/time`: for phones whose clock may be wrong.
async fn time(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "unix_ms": state.clock.now().millis() }))
}

#[derive(Deserialize)]
struct Asked {
    unix_seconds: u64,
    factors: Vec<AskedFactor>,
}

#[derive(Deserialize)]
struct AskedFactor {
    factor: String,
    proof: String,
}

#[derive(Serialize)]
struct Answered {
    unix_ms: i64,
    factors: Vec<AnsweredFactor>,
}

#[derive(Serialize)]
struct AnsweredFactor {
    factor: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at_ms: Option<i64>,
}

impl AnsweredFactor {
    fn new(factor: FactorId, standing: Standing) -> Self {
        let (state, ended_at) = match standing {
            Standing::Pending => ("pending", None),
            Standing::Active => ("active", None),
            Standing::Ended(at) => ("ended", Some(at)),
            Standing::Unknown => ("unknown", None),
        };
        Self { factor: factor.to_string(), state, ended_at_ms: ended_at.map(Timestamp::millis) }
    }
}

/// `POST /phone/api/factors`: how factors stand, in the order in which they were asked about.
async fn factors(state: web::Data<State>, request: HttpRequest, mut payload: web::Payload) -> HttpResponse {
    let asked: Asked = match read_json(&request, &mut payload).await {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    let outcome: Result<Answered, Stop> = async {
        if !(1..=MAX_ASKED).contains(&asked.factors.len()) {
            return Err(Invalid::new("factors", format!("must be 1 to {MAX_ASKED}")).into());
        }
        let claims: Result<Vec<Claim>, Invalid> =
            asked.factors.iter().map(|asked| claim(&asked.factor, &asked.proof)).collect();
        let claims = claims?;
        let state = state.into_inner();
        let answered = state.run(&request, move |service, conn, at| {
            let standings = app::phone::standings(service, conn, at, asked.unix_seconds, &claims)?;
            let pairs = claims.iter().zip(standings);
            let factors =
                pairs.map(|(claim, standing)| AnsweredFactor::new(claim.factor, standing)).collect();
            Ok(Answered { unix_ms: at.now.millis(), factors })
        });
        answered.await
    }
    .await;
    match outcome {
        Ok(answered) => HttpResponse::Ok().json(answered),
        Err(stop) => answer(stop, Style::Problem),
    }
}

#[derive(Deserialize)]
struct Confirmation {
    factor: String,
    unix_seconds: u64,
    code: String,
    proof: String,
}

/// `POST /phone/api/confirm`: the first code of a pending factor, from its own phone.
async fn confirm(state: web::Data<State>, request: HttpRequest, mut payload: web::Payload) -> HttpResponse {
    let asked: Confirmation = match read_json(&request, &mut payload).await {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    let outcome: Result<i64, Stop> = async {
        let claim = claim(&asked.factor, &asked.proof)?;
        let code = parse_code("code", &asked.code)?;
        let state = state.into_inner();
        let confirmed = state.run(&request, move |service, conn, at| {
            app::phone::confirm(service, conn, at, asked.unix_seconds, &claim, &code)?;
            Ok(at.now.millis())
        });
        confirmed.await
    }
    .await;
    match outcome {
        Ok(unix_ms) => HttpResponse::Ok().json(json!({ "state": "active", "unix_ms": unix_ms })),
        Err(stop) => answer(stop, Style::Problem),
    }
}

/// A body that is one JSON object.
async fn read_json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: &mut web::Payload,
) -> Result<T, HttpResponse> {
    let body = body(payload).await.map_err(|why| unreadable(why, Style::Problem))?;
    parse(request, &body).map_err(|invalid| answer(invalid, Style::Problem))
}

/// No other type is taken: browsers let any page send those without asking.
fn parse<T: DeserializeOwned>(request: &HttpRequest, body: &[u8]) -> Result<T, Invalid> {
    if !request.content_type().eq_ignore_ascii_case("application/json") {
        return Err(Invalid::new(CONTENT_TYPE.as_str(), "must be application/json"));
    }
    from_json(body)
}

/// A factor's id in its one form, and 32 bytes.
fn claim(factor: &str, proof: &str) -> Result<Claim, Invalid> {
    let id: Option<FactorId> = factor.parse().ok().filter(|id: &FactorId| id.to_string() == factor);
    let id = id.ok_or_else(|| Invalid::new("factor", "must be a UUID in lower case with hyphens"))?;
    let proof = URL_SAFE_NO_PAD.decode(proof).ok().and_then(|bytes| bytes.try_into().ok());
    let proof =
        proof.ok_or_else(|| Invalid::new("proof", "must be 32 bytes in base64url without padding"))?;
    Ok(Claim { factor: id, proof })
}
