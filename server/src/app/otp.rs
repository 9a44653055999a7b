//! `urn:countersign:params:oauth:grant-type:otp`: a code, once, for a token, from an application that has checked the first factor itself.
//! The busiest path of all, so it takes many requests at a time ([`exchange_all`]).
//!
//! 1. The applications ([`admit_all`]): each is read once, however many requests it sent. Whoever is none, or asks for what it may not, goes no further.
//! 2. One transaction for all ([`exchange_all`]): the applications are held, then the steps of `app/verify` and `app/issue`, each with statements for many at once.
//!    No password is hashed and nothing is signed while it is open.
//! 3. After its commit every caller signs its own token.
//!
//! Every request stands alone: the others' refusals do not touch it, and where something stored is broken, each is done over by itself.

use mobile_core::Code;

use crate::app::client_auth::{Credentials, Holds, Shown, log, recognise_all};
use crate::app::context::{At, Service, Stop, Tx};
use crate::app::issue::{Extent, Grants, Ground, Recorded, WithPassword, issue_among};
use crate::app::verify::{Factors, Try, Who, check_and_spend_all};
use crate::db::lockout::TryByName;
use crate::db::{self, Conn};
use crate::domain::audit::Actor;
use crate::domain::authorization::Details;
use crate::domain::client::{Client, Grant};
use crate::domain::id::ClientId;
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

impl OtpRequest {
    /// What it asks for, if its client may ask for that by a code, as it is registered.
    fn extent(&self, service: &Service, client: &Client) -> Result<Extent, Refusal> {
        client.must_have(Grant::Otp)?;
        let scope = client.scopes.for_user(self.scope.as_ref());
        Extent::asked(client, &service.issuer, &self.details, scope, self.audience.as_deref())
    }
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

/// A request that may go on: its application is known, and may ask for that. Only [`admit_all`] makes it.
pub struct Admitted {
    client: ClientId,
    request: OtpRequest,
    at: At,
}

impl Admitted {
    /// Whose code it is said to be.
    pub const fn username(&self) -> &UserName {
        &self.request.username
    }
}

/// Looks who asks, for each request in their order. Nothing is written but what the log has room for.
///
/// If what is stored for one of them is broken, each is done over by itself; if the database does not answer, that is everybody's outcome.
pub fn admit_all(service: &Service, conn: &mut Conn, asked: Vec<Asked>) -> Vec<Result<Admitted, Stop>> {
    let credentials: Vec<_> = asked.iter().map(|one| &one.credentials).collect();
    let shown = match recognise_all(service, conn, &credentials) {
        Ok(shown) => shown,
        Err(Fault::Database(why)) => {
            return asked.iter().map(|_| Err(Fault::Database(why.clone()).into())).collect();
        }
        Err(fault) if asked.len() == 1 => return vec![Err(fault.into())],
        Err(_) => {
            return asked.into_iter().flat_map(|alone| admit_all(service, conn, vec![alone])).collect();
        }
    };
    let bad = asked.iter().zip(&shown).filter_map(|(asked, shown)| Some((*shown.as_bad()?, asked.at)));
    // Those who cannot be logged are not refused either. All others have nothing to do with it.
    let unlogged = log(service, conn, &bad.collect::<Vec<_>>()).err().map(|fault| fault.to_string());
    let admit = |(asked, shown): (Asked, Shown)| match (shown, &unlogged) {
        (Shown::Its(client), _) => {
            // Once more where it is held; so it may have changed by then, but nobody comes to a user's gate with what was never allowed.
            asked.request.extent(service, &client)?;
            Ok(Admitted { client: client.id, request: asked.request, at: asked.at })
        }
        (Shown::Bad(_), Some(why)) => Err(Fault::Database(why.clone()).into()),
        (Shown::Bad(_), None) | (Shown::Unknown, _) => Err(Refusal::InvalidClient.into()),
    };
    asked.into_iter().zip(shown).map(admit).collect()
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
    let clients = admitted.iter().map(|one| one.client).collect();
    let tries = admitted.iter().map(|one| TryByName {
        name: one.username(),
        stranger: Who::stranger_id(service, one.username()),
        now: one.at.now,
    });
    let (holding, at_gate) = db::hold::hold_all_at_gate(tx.conn, &clients, tries.collect())?;
    let holds = Holds::from(holding);
    let mut may = Vec::with_capacity(admitted.len());
    let (mut going_on, mut going_through) = (Vec::new(), Vec::new());
    for (one, at_gate) in admitted.iter().zip(at_gate) {
        let client = holds.of(one.client, Grant::Otp);
        let allowed = client.and_then(|client| Ok((one.request.extent(service, &client)?, client)));
        if allowed.is_ok() {
            going_on.push(one);
            going_through.push(at_gate);
        }
        may.push(allowed);
    }
    let passed = db::factor::pass_all(tx.conn, going_through)?;
    let tries: Vec<Try<'_>> = going_on
        .into_iter()
        .zip(passed)
        .map(|(one, (passed, user))| Try {
            actor: Actor::Client(one.client),
            who: user.as_ref().map_or(Who::Stranger(passed.user()), |user| Who::User(user.user)),
            passed,
            user,
            code: &one.request.otp,
            among: Factors::Active,
            at: one.at,
        })
        .collect();
    let spent = check_and_spend_all(service, tx, &tries)?;
    let allowed = admitted.iter().zip(&may).filter_map(|(one, may)| Some((one, may.as_ref().ok()?)));
    let arriving = allowed.zip(&spent).filter_map(|((one, (extent, client)), spent)| {
        Some((spent.as_ref().ok()?.user(), client, extent, one.at.now))
    });
    let grants = Grants::ask(tx, arriving)?;
    let mut spent = spent.into_iter();
    let mut outcomes = Vec::with_capacity(admitted.len());
    for (one, may) in admitted.iter().zip(may) {
        tx.turn_to(one.at);
        let issued = may.map_err(Stop::Refused).and_then(|(extent, client)| {
            let spent = spent.next().ok_or(Fault::Corrupt { what: "number of outcomes" })??;
            let ground = Ground::Code(spent, WithPassword::Vouched);
            issue_among(service, tx, &client, ground, &extent, &grants)
        });
        outcomes.push(match issued {
            Ok(recorded) => Ok(recorded),
            Err(Stop::Refused(refusal)) => Err(refusal),
            Err(Stop::Broken(fault)) => return Err(fault),
        });
    }
    Ok(outcomes)
}
