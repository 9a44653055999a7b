//! `urn:countersign:params:oauth:grant-type:otp`: a code, once, for a token, from an application that has checked the first factor itself.
//! The busiest path of all, so it takes many requests at a time ([`exchange_all`]).
//!
//! 1. The applications: each is read once, however many requests it sent. Whoever is none takes no writer's place.
//! 2. One transaction for all: the applications are held, then the steps of `app/verify` and `app/issue`, each one statement for everybody.
//!    No password is hashed and nothing is signed while it is open.
//! 3. After its commit every caller signs its own token.
//!
//! Every request stands alone: the others' refusals do not touch it, and where something stored is broken, each is done over by itself.

use std::collections::HashMap;
use std::rc::Rc;

use mobile_core::Code;

use crate::app::client_auth::{Credentials, Holds, Shown, recognise, require};
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
pub fn exchange_all(service: &Service, conn: &mut Conn, requests: &[Asked]) -> Vec<Result<Recorded, Stop>> {
    let admitted = admit_all(service, conn, requests);
    let (mut outcomes, mut going_on) = (Vec::with_capacity(requests.len()), Vec::new());
    for one in admitted {
        match one {
            Ok(admitted) => {
                going_on.push(admitted);
                outcomes.push(None);
            }
            Err(stop) => outcomes.push(Some(Err(stop))),
        }
    }
    let mut done = together(service, conn, &going_on).into_iter();
    let missing = || Err(Fault::Corrupt { what: "number of outcomes" }.into());
    outcomes.into_iter().map(|known| known.or_else(|| done.next()).unwrap_or_else(missing)).collect()
}

fn admit_all<'a>(
    service: &Service,
    conn: &mut Conn,
    requests: &'a [Asked],
) -> Vec<Result<Admitted<'a>, Stop>> {
    let mut known: HashMap<(&str, &str), Rc<Client>> = HashMap::new();
    let admit = |asked: &'a Asked| {
        let Asked { credentials: shown, request, at } = asked;
        let key = (shown.client_id.as_str(), shown.client_secret.as_str());
        let client = match known.get(&key) {
            Some(client) => Rc::clone(client),
            None => match recognise(service, conn, shown)? {
                Shown::Its(client) => Rc::clone(known.entry(key).or_insert(Rc::new(client))),
                Shown::Unknown | Shown::Bad(..) => Rc::new(require(service, conn, *at, shown)?),
            },
        };
        client.must_have(Grant::Otp)?;
        request.details.must_be_of(&client.detail_types)?;
        let extent = Extent {
            scope: client.scopes.for_user(request.scope.as_ref())?,
            details: request.details.clone(),
            audience: client.audience(request.audience.as_deref(), &service.issuer)?,
        };
        Ok(Admitted { client, extent, request, at: *at })
    };
    requests.iter().map(admit).collect()
}

/// All in one transaction. If that breaks on what is stored for one of them, each in its own; if the database does not answer, that is
/// everybody's outcome.
fn together(service: &Service, conn: &mut Conn, admitted: &[Admitted<'_>]) -> Vec<Result<Recorded, Stop>> {
    let Some(first) = admitted.first() else { return Vec::new() };
    match service.write_together(conn, first.at, |tx| check_and_issue(service, tx, admitted)) {
        Ok(outcomes) => outcomes.into_iter().map(|outcome| outcome.map_err(Stop::Refused)).collect(),
        Err(Fault::Database(why)) => {
            admitted.iter().map(|_| Err(Fault::Database(why.clone()).into())).collect()
        }
        Err(fault) if admitted.len() == 1 => vec![Err(fault.into())],
        Err(_) => admitted.chunks(1).flat_map(|alone| together(service, conn, alone)).collect(),
    }
}

fn check_and_issue(
    service: &Service,
    tx: &mut Tx<'_>,
    admitted: &[Admitted<'_>],
) -> Result<Vec<Result<Recorded, Refusal>>, Fault> {
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
