//! Housekeeping: what is over is deleted, a little at a time.

use crate::app::context::{At, Service, Stop, each};
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::time::{OVER_KEPT_S, Timestamp};

/// One sweep: everything that is over. Every batch is a transaction of its own; after each, `rest` lets others have their turn and says whether
/// to go on. What fails does not keep the rest from being swept: it is returned, by the name of its table.
pub fn sweep(
    service: &Service,
    conn: &mut Conn,
    at: At,
    rest: impl Fn() -> bool,
) -> Vec<(&'static str, Stop)> {
    let before = at.now.plus_seconds(-OVER_KEPT_S);
    let mut failed = Vec::new();
    for (kind, table) in db::sweep::tables().enumerate() {
        loop {
            let swept = service.write_in_turn(conn, |conn| db::sweep::sweep(conn, kind, before));
            let more = swept.unwrap_or_else(|fault| {
                failed.push((table, fault.into()));
                false
            });
            if !rest() {
                return failed;
            }
            if !more {
                break;
            }
        }
    }
    failed.extend(forget_strangers(service, conn, before, &rest).err().map(|stop| ("lockout", stop)));
    if !rest() {
        return failed;
    }
    failed.extend(remove_lapsed(service, conn, at, &rest).into_iter().map(|stop| ("factor", stop)));
    failed
}

/// Lockouts of nobody who is known.
fn forget_strangers(
    service: &Service,
    conn: &mut Conn,
    before: Timestamp,
    rest: impl Fn() -> bool,
) -> Result<(), Stop> {
    let mut after = Vec::new();
    loop {
        let look = db::sweep::look_at_lockouts(conn, &after, before)?;
        for over in look.over.chunks(db::sweep::BATCH) {
            service.write_in_turn(conn, |conn| db::sweep::forget_lockouts(conn, over, before))?;
            if !rest() {
                return Ok(());
            }
        }
        match look.last {
            Some(last) if rest() => after = last,
            _ => return Ok(()),
        }
    }
}

/// Factors that nobody confirmed in time. What cannot be read of one user does not keep the others waiting.
fn remove_lapsed(service: &Service, conn: &mut Conn, at: At, rest: impl Fn() -> bool) -> Vec<Stop> {
    let users = match db::factor::users_with_lapsed(conn, at.now) {
        Ok(users) => users,
        Err(fault) => return vec![fault.into()],
    };
    each(users, rest, |user| {
        service.write(conn, at, |tx| {
            db::lockout::hold(tx.conn, user, tx.now)?;
            for factor in db::factor::list(tx.conn, user)?.iter().filter(|factor| factor.has_lapsed(at.now)) {
                db::factor::revoke(tx.conn, factor.id, tx.now)?;
                let event = Event::done(Actor::System, Action::FactorRemoved, Subject::User(user));
                tx.note(event.with(format!("factor={} why=lapsed", factor.id)));
            }
            Ok(())
        })
    })
}
