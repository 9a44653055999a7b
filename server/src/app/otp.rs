//! `urn:countersign:params:oauth:grant-type:otp`: a code, once, for a token, from an application that has checked the first factor itself.
//! The busiest path of all, so it takes many requests at a time ([`exchange_all`]).
//!
//! 1. The applications: each is read once, however many requests it sent. Whoever is none takes no writer's place.
//! 2. One transaction for all: the applications are held, then the steps of `app/verify` and `app/issue`, each one statement for everybody.
//!    No password is hashed and nothing is signed while it is open.
//! 3. After its commit every caller signs its own token.
//!
//! Every request stands alone: the others' refusals do not touch it, and where something stored is broken, each is done over by itself.

use std::rc::Rc;

use mobile_core::Code;

use crate::app::client_auth::{Credentials, Holds, Shown, log, recognise_all, to_log};
use crate::app::context::{At, Service, Stop, Tx};
use crate::app::issue::{Extent, Ground, Recorded, WithPassword, issue};
use crate::app::verify::{Factors, Try, Who, check_and_spend_all};
use crate::db::lockout::TryByName;
use crate::db::{self, Conn};
use crate::domain::audit::Actor;
use crate::domain::authorization::Details;
use crate::domain::client::{Client, Grant};
use crate::domain::refusal::Refusal;
use crate::domain::scope::Scopes;
use crate::domain::user::UserName;
use crate::error::Fault;

/// A code from a client that has checked the first factor itself.
pub struct OtpRequest {
    /// Whose code.
    pub username: UserName,
    /// The code.
    pub otp: Code,
    /// What the token shall do.
    pub scope: Option<Scopes>,
    /// Who it shall be for.
    pub audience: Option<String>,
    /// What it shall do in detail.
    pub details: Details,
}

/// A request as it waits for others.
pub struct Asked {
    /// The application.
    pub credentials: Credentials,
    /// What it asks for.
    pub request: OtpRequest,
    /// When and from where.
    pub at: At,
}

/// A request that may go on: its application is known, and may ask for this.
struct Admitted<'a> {
    client: Rc<Client>,
    extent: Extent,
    request: &'a OtpRequest,
    at: At,
}

/// What each request comes to, in their order. No user may be named twice.
///
/// If what is stored for one of them is broken, each is done over by itself; if the database does not answer, that is everybody's outcome.
pub fn exchange_all(service: &Service, conn: &mut Conn, requests: &[Asked]) -> Vec<Result<Recorded, Stop>> {
    match exchange_together(service, conn, requests) {
        Ok(outcomes) => outcomes.into_iter().map(|outcome| outcome.map_err(Stop::Refused)).collect(),
        Err(Fault::Database(why)) => {
            requests.iter().map(|_| Err(Fault::Database(why.clone()).into())).collect()
        }
        Err(fault) if requests.len() == 1 => vec![Err(fault.into())],
        Err(_) => requests.chunks(1).flat_map(|alone| exchange_all(service, conn, alone)).collect(),
    }
}

fn exchange_together(
    service: &Service,
    conn: &mut Conn,
    requests: &[Asked],
) -> Result<Vec<Result<Recorded, Refusal>>, Fault> {
    let credentials: Vec<_> = requests.iter().map(|one| &one.credentials).collect();
    let (mut outcomes, mut going_on, mut bad) = (Vec::with_capacity(requests.len()), Vec::new(), Vec::new());
    for (asked, shown) in requests.iter().zip(recognise_all(service, conn, &credentials)?) {
        let admitted = match shown {
            Shown::Its(client) => admit(service, client, asked),
            Shown::Unknown => Err(Refusal::InvalidClient),
            Shown::Bad(why) => {
                bad.push((why, asked.at));
                Err(Refusal::InvalidClient)
            }
        };
        outcomes.push(admitted.map(|one| going_on.push(one)));
    }
    let bad = to_log(service, conn, &bad)?;
    let mut done = match requests.first() {
        Some(first) if !going_on.is_empty() || !bad.is_empty() => {
            service.write_together(conn, first.at, |tx| {
                log(service, tx, &bad)?;
                check_and_issue(service, tx, &going_on)
            })?
        }
        _ => Vec::new(),
    }
    .into_iter();
    let mut outcome = |admitted: Result<(), Refusal>| match admitted {
        Ok(()) => done.next().ok_or(Fault::Corrupt { what: "number of outcomes" }),
        Err(refusal) => Ok(Err(refusal)),
    };
    outcomes.into_iter().map(&mut outcome).collect()
}

fn admit<'a>(service: &Service, client: Rc<Client>, asked: &'a Asked) -> Result<Admitted<'a>, Refusal> {
    let Asked { request, at, .. } = asked;
    client.must_have(Grant::Otp)?;
    request.details.must_be_of(&client.detail_types)?;
    let extent = Extent {
        scope: client.scopes.for_user(request.scope.as_ref())?,
        details: request.details.clone(),
        audience: client.audience(request.audience.as_deref(), &service.issuer)?,
    };
    Ok(Admitted { client, extent, request, at: *at })
}

fn check_and_issue(
    service: &Service,
    tx: &mut Tx<'_>,
    admitted: &[Admitted<'_>],
) -> Result<Vec<Result<Recorded, Refusal>>, Fault> {
    if admitted.is_empty() {
        return Ok(Vec::new());
    }
    let holds = Holds::take(tx, admitted.iter().map(|one| one.client.id))?;
    let held: Vec<_> = admitted.iter().map(|one| holds.of(&one.client)).collect();
    let going_on: Vec<_> =
        admitted.iter().zip(&held).filter(|(_, held)| held.is_ok()).map(|(one, _)| one).collect();
    let at_gate: Vec<_> = going_on
        .iter()
        .map(|one| TryByName {
            name: &one.request.username,
            stranger: Who::stranger_id(service, &one.request.username),
            now: one.at.now,
        })
        .collect();
    let passed = db::lockout::pass_all_by_name(tx.conn, &at_gate)?;
    let tries: Vec<Try<'_>> = going_on
        .iter()
        .zip(at_gate.iter().zip(passed))
        .map(|(one, (at_gate, (owner, passed)))| Try {
            actor: Actor::Client(one.client.id),
            who: owner.map_or(Who::Stranger(at_gate.stranger), Who::User),
            passed,
            code: &one.request.otp,
            among: Factors::Active,
            at: one.at,
        })
        .collect();
    let mut spent = check_and_spend_all(service, tx, &tries)?.into_iter();
    let mut outcomes = Vec::with_capacity(admitted.len());
    for (one, held) in admitted.iter().zip(held) {
        tx.turn_to(one.at);
        let issued = held.map_err(Stop::Refused).and_then(|client| {
            let spent = spent.next().ok_or(Fault::Corrupt { what: "number of outcomes" })??;
            issue(service, tx, client, Ground::Code(spent, WithPassword::Vouched), &one.extent)
        });
        outcomes.push(match issued {
            Ok(recorded) => Ok(recorded),
            Err(Stop::Refused(refusal)) => Err(refusal),
            Err(Stop::Broken(fault)) => return Err(fault),
        });
    }
    Ok(outcomes)
}
