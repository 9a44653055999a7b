//! `POST /oauth/token`: a code, a password or a client's own secret for an access token (RFC 6749 s3.2).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, web};
use mobile_core::Code;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::app;
use crate::app::authorization_code::Shown;
use crate::app::client_auth::{Asker, Credentials};
use crate::app::context::Stop;
use crate::app::issue::Issued;
use crate::app::login::{Entry, PasswordRequest};
use crate::app::otp::OtpRequest;
use crate::app::refresh::RefreshRequest;
use crate::domain::authorization::Details;
use crate::domain::authorization_request::CodeVerifier;
use crate::domain::client::Grant;
use crate::domain::factor::parse_code;
use crate::domain::password::Password;
use crate::domain::recovery_code::RecoveryCode;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::Scopes;
use crate::domain::user::UserName;
use crate::error::Fault;
use crate::http::extract::{Fields, credentials};
use crate::http::problem::{Style, answer, unreadable};
use crate::http::state::State;

/// A request, parsed: nothing after this looks at text.
enum Exchange {
    Otp(OtpRequest),
    MfaOtp { mfa_token: Zeroizing<String>, otp: Code, audience: Option<String> },
    MfaRecoveryCode { mfa_token: Zeroizing<String>, code: RecoveryCode, audience: Option<String> },
    Password(PasswordRequest),
    AuthorizationCode(Shown),
    RefreshToken(RefreshRequest),
    ClientCredentials { scope: Option<Scopes>, audience: Option<String> },
}

/// What a request leads to.
enum Success {
    /// Tokens, and a fresh recovery code for one that was used up.
    Tokens(Issued, Option<RecoveryCode>),
    /// Next a code.
    MfaRequired(Zeroizing<String>),
}

impl Success {
    const fn word(&self) -> &'static str {
        match self {
            Self::Tokens(..) => "issued",
            Self::MfaRequired(_) => "mfa_required",
        }
    }
}

/// The handler.
pub(super) async fn exchange(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let fields = match Fields::read(&request, &mut payload).await {
        Ok(fields) => fields,
        Err(why) => return unreadable(why, Style::OAuth),
    };
    let state = state.into_inner();
    let parsed = credentials(&request, &fields).and_then(|shown| Ok((shown, parse(&fields)?)));
    let outcome = match parsed {
        Ok((shown, exchange)) => run(&state, &request, shown, exchange).await,
        Err(refusal) => Err(refusal.into()),
    };
    state.meters().token_asked(grant(&fields).ok(), outcome.as_ref().map(Success::word));
    match outcome {
        Ok(Success::Tokens(issued, fresh)) => {
            let fresh = fresh.map(|code| code.shown());
            reply(&TokenReply::new(&issued, fresh.as_ref().map(|code| code.as_str())))
        }
        Ok(Success::MfaRequired(mfa_token)) => {
            HttpResponse::build(StatusCode::FORBIDDEN).json(MfaRequiredReply::from(mfa_token.as_str()))
        }
        Err(stop) => answer(stop, Style::OAuth),
    }
}

fn parse(fields: &Fields) -> Result<Exchange, Refusal> {
    let grant = grant(fields)?;
    let details = fields.optional("authorization_details").map(Details::parse).transpose()?;
    // Where they mean nothing they are refused: a token that quietly reached further than what was asked for would be worse than none.
    let takes_details = matches!(grant, Grant::Otp | Grant::Password | Grant::RefreshToken);
    if details.is_some() && !takes_details {
        return Err(Refusal::InvalidAuthorizationDetails);
    }
    // Where none can be chosen it has to be the login's, for the same reason.
    let audience = fields.audience()?.map(str::to_owned);
    Ok(match grant {
        Grant::Otp => Exchange::Otp(OtpRequest {
            username: UserName::parse(fields.required("username")?)?,
            otp: code(fields)?,
            scope: fields.scope()?,
            audience,
            details: details.unwrap_or_default(),
        }),
        Grant::MfaOtp => Exchange::MfaOtp {
            mfa_token: Zeroizing::new(fields.required("mfa_token")?.to_owned()),
            otp: code(fields)?,
            audience,
        },
        Grant::MfaRecoveryCode => Exchange::MfaRecoveryCode {
            mfa_token: Zeroizing::new(fields.required("mfa_token")?.to_owned()),
            code: RecoveryCode::parse(fields.required("recovery_code")?)?,
            audience,
        },
        Grant::AuthorizationCode => Exchange::AuthorizationCode(Shown {
            code: Zeroizing::new(fields.required("code")?.to_owned()),
            redirect_uri: fields.required("redirect_uri")?.to_owned(),
            verifier: fields.optional("code_verifier").map(CodeVerifier::parse).transpose()?,
            audience,
        }),
        Grant::RefreshToken => Exchange::RefreshToken(RefreshRequest {
            token: Zeroizing::new(fields.required("refresh_token")?.to_owned()),
            scope: fields.scope()?,
            details,
            audience,
        }),
        Grant::Password => Exchange::Password(PasswordRequest {
            username: UserName::parse(fields.required("username")?)?,
            password: Password::typed(fields.required("password")?)?,
            scope: fields.scope()?,
            audience,
            details: details.unwrap_or_default(),
            trusted_device: None,
        }),
        Grant::ClientCredentials => Exchange::ClientCredentials { scope: fields.scope()?, audience },
    })
}

fn grant(fields: &Fields) -> Result<Grant, Refusal> {
    fields.required("grant_type")?.parse().map_err(|_: Invalid| Refusal::UnsupportedGrantType)
}

fn code(fields: &Fields) -> Result<Code, Invalid> {
    parse_code("otp", fields.required("otp")?)
}

async fn run(
    state: &Arc<State>,
    request: &HttpRequest,
    shown: Credentials,
    exchange: Exchange,
) -> Result<Success, Stop> {
    match exchange {
        Exchange::Otp(wanted) => state.exchange_code(request, shown, wanted).await,
        Exchange::MfaOtp { mfa_token, otp, audience } => {
            state
                .run(request, move |service, conn, at| {
                    let (asker, audience) = (Asker::Application(&shown), audience.as_deref());
                    app::verify::mfa_otp(service, conn, at, asker, &mfa_token, &otp, audience)
                })
                .await
        }
        Exchange::MfaRecoveryCode { mfa_token, code, audience } => {
            return state
                .run(request, move |service, conn, at| {
                    let (asker, audience) = (Asker::Application(&shown), audience.as_deref());
                    app::recovery_code::mfa_recovery_code(
                        service, conn, at, asker, &mfa_token, &code, audience,
                    )
                })
                .await
                .map(|(issued, fresh)| Success::Tokens(issued, Some(fresh)));
        }
        Exchange::AuthorizationCode(code) => {
            state
                .run(request, move |service, conn, at| {
                    app::authorization_code::authorization_code(service, conn, at, &shown, &code)
                })
                .await
        }
        Exchange::RefreshToken(wanted) => {
            state
                .run(request, move |service, conn, at| {
                    app::refresh::refresh(service, conn, at, &shown, wanted)
                })
                .await
        }
        Exchange::ClientCredentials { scope, audience } => {
            state
                .run(request, move |service, conn, at| {
                    let (scope, audience) = (scope.as_ref(), audience.as_deref());
                    app::client_credentials::client_credentials(service, conn, at, &shown, scope, audience)
                })
                .await
        }
        Exchange::Password(wanted) => {
            // Whoever is no client takes no place in the queue; there the client is looked at again.
            let shown = state
                .run(request, move |service, conn, at| {
                    app::client_auth::require(service, conn, at, &shown).map(|_| shown)
                })
                .await?;
            return state
                .run_with_password(request, move |service, conn, at| {
                    app::login::password(service, conn, at, Asker::Application(&shown), &wanted)
                })
                .await
                .map(|entry| match entry {
                    Entry::Token(issued) => Success::Tokens(issued, None),
                    Entry::MfaRequired(mfa_token) => Success::MfaRequired(mfa_token),
                });
        }
    }
    .map(|issued| Success::Tokens(issued, None))
}

/// RFC 6749 s5.1.
#[derive(Serialize)]
struct TokenReply<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    scope: &'a str,
    #[serde(skip_serializing_if = "Details::is_empty")]
    authorization_details: &'a Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_code: Option<&'a str>,
}

impl<'a> TokenReply<'a> {
    fn new(issued: &'a Issued, recovery_code: Option<&'a str>) -> Self {
        Self {
            access_token: &issued.access_token,
            token_type: "Bearer",
            expires_in: issued.expires_in,
            refresh_token: issued.refresh_token.as_ref().map(|token| token.as_str()),
            id_token: issued.id_token.as_ref().map(|token| token.as_str()),
            recovery_code,
            scope: &issued.scope,
            authorization_details: &issued.details,
        }
    }
}

/// What a reply holds beside the long tokens.
const ROOM: usize = 384;

/// As `json` of the builder does it, which would ask for more and more memory for a token.
fn reply(tokens: &TokenReply<'_>) -> HttpResponse {
    let mut body = Vec::with_capacity(tokens.access_token.len() + tokens.id_token.map_or(0, str::len) + ROOM);
    match serde_json::to_writer(&mut body, tokens) {
        Ok(()) => HttpResponse::Ok().content_type(ContentType::json()).body(body),
        Err(error) => {
            answer(Stop::Broken(Fault::while_("a reply could not be written")(error)), Style::OAuth)
        }
    }
}

/// The password was right; now a code, or an enrolment and then a code.
#[derive(Serialize)]
struct MfaRequiredReply<'a> {
    error: &'static str,
    error_description: &'static str,
    mfa_token: &'a str,
}

impl<'a> From<&'a str> for MfaRequiredReply<'a> {
    fn from(mfa_token: &'a str) -> Self {
        Self { error: "mfa_required", error_description: "a one-time code is required", mfa_token }
    }
}
