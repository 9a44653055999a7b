//! `urn:countersign:params:oauth:grant-type:otp`: a code, once, for a token, from an application that has checked the first factor itself.
//! The busiest path of all, so it takes many requests at a time ([`exchange_all`]).
//!
//! 1. The applications ([`admit_all`]): each is read once, however many requests it sent. Whoever is none goes no further.
//! 2. One transaction for all ([`exchange_all`]): the applications are held, then the steps of `app/verify` and `app/issue`, each one statement for everybody.
//!    No password is hashed and nothing is signed while it is open.
//! 3. After its commit every caller signs its own token.
//!
//! Every request stands alone: the others' refusals do not touch it, and where something stored is broken, each is done over by itself.

use std::rc::Rc;

use mobile_core::Code;

use crate::app::client_auth::{Credentials, Holds, Shown, log, recognise_all};
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

/// A request as it comes in.
pub struct Asked {
    /// The application.
    pub credentials: Credentials,
    /// What it asks for.
    pub request: OtpRequest,
    /// When and from where.
    pub at: At,
}

/// A request that may go on: its application is known, and may ask for this. Only [`admit_all`] makes it.
pub struct Admitted {
    client: Rc<Client>,
    extent: Extent,
    username: UserName,
    otp: Code,
    at: At,
}

impl Admitted {
    /// Whose code it is said to be.
    pub const fn username(&self) -> &UserName {
        &self.username
    }
}

/// Looks who asks, for each request in their order. Nothing is written but what the log has room for.
///
/// If what is stored for one of them is broken, each is done over by itself; if the database does not answer, that is everybody's outcome.
pub fn admit_all(service: &Service, conn: &mut Conn, asked: Vec<Asked>) -> Vec<Result<Admitted, Stop>> {
    match look(service, conn, &asked) {
        Ok(shown) => {
            asked.into_iter().zip(shown).map(|(asked, shown)| Ok(admit(service, asked, shown)?)).collect()
        }
        Err(Fault::Database(why)) => asked.iter().map(|_| Err(Fault::Database(why.clone()).into())).collect(),
        Err(fault) if asked.len() == 1 => vec![Err(fault.into())],
        Err(_) => asked.into_iter().flat_map(|alone| admit_all(service, conn, vec![alone])).collect(),
    }
}

fn look(service: &Service, conn: &mut Conn, asked: &[Asked]) -> Result<Vec<Shown>, Fault> {
    let credentials: Vec<_> = asked.iter().map(|one| &one.credentials).collect();
    let shown = recognise_all(service, conn, &credentials)?;
    let bad: Vec<_> = asked
        .iter()
        .zip(&shown)
        .filter_map(|(asked, shown)| match shown {
            Shown::Bad(bad) => Some((*bad, asked.at)),
            Shown::Its(_) | Shown::Unknown => None,
        })
        .collect();
    log(service, conn, &bad)?;
    Ok(shown)
}

fn admit(service: &Service, asked: Asked, shown: Shown) -> Result<Admitted, Refusal> {
    let Shown::Its(client) = shown else { return Err(Refusal::InvalidClient) };
    let Asked { request: OtpRequest { username, otp, scope, audience, details }, at, .. } = asked;
    client.must_have(Grant::Otp)?;
    details.must_be_of(&client.detail_types)?;
    let extent = Extent {
        scope: client.scopes.for_user(scope.as_ref())?,
        details,
        audience: client.audience(audience.as_deref(), &service.issuer)?,
    };
    Ok(Admitted { client, extent, username, otp, at })
}

/// What each request comes to, in their order: all in one transaction. No user may be named twice.
///
/// If that breaks on what is stored for one of them, each is done in its own; if the database does not answer, that is everybody's outcome.
pub fn exchange_all(
    service: &Service,
    conn: &mut Conn,
    admitted: &[Admitted],
) -> Vec<Result<Recorded, Stop>> {
    let Some(first) = admitted.first() else { return Vec::new() };
    match service.write_together(conn, first.at, |tx| check_and_issue(service, tx, admitted)) {
        Ok(outcomes) => outcomes.into_iter().map(|outcome| outcome.map_err(Stop::Refused)).collect(),
        Err(Fault::Database(why)) => {
            admitted.iter().map(|_| Err(Fault::Database(why.clone()).into())).collect()
        }
        Err(fault) if admitted.len() == 1 => vec![Err(fault.into())],
        Err(_) => admitted.chunks(1).flat_map(|alone| exchange_all(service, conn, alone)).collect(),
    }
}

fn check_and_issue(
    service: &Service,
    tx: &mut Tx<'_>,
    admitted: &[Admitted],
) -> Result<Vec<Result<Recorded, Refusal>>, Fault> {
    let holds = Holds::take(tx, admitted.iter().map(|one| one.client.id))?;
    let held: Vec<_> = admitted.iter().map(|one| holds.of(&one.client)).collect();
    let going_on: Vec<_> =
        admitted.iter().zip(&held).filter(|(_, held)| held.is_ok()).map(|(one, _)| one).collect();
    let at_gate: Vec<_> = going_on
        .iter()
        .map(|one| TryByName {
            name: &one.username,
            stranger: Who::stranger_id(service, &one.username),
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
            code: &one.otp,
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
