//! Housekeeping: what is over is deleted, a little at a time.

use crate::app::context::{At, Service, Stop};
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::time::OVER_KEPT_S;

/// One sweep: everything that is over. Every batch is a transaction of its own; after each, `between` lets others have their turn.
pub fn sweep(service: &Service, conn: &mut Conn, at: At, between: impl Fn()) -> Result<(), Stop> {
    let before = at.now.plus_seconds(-OVER_KEPT_S);
    for kind in 0..db::sweep::KINDS {
        while service.write_in_turn(conn, |conn| db::sweep::sweep(conn, kind, before))? {
            between();
        }
    }
    for user in db::factor::users_with_lapsed(conn, at.now)? {
        service.write(conn, at, |tx| {
            db::lockout::hold(tx.conn, user, tx.now)?;
            for factor in db::factor::list(tx.conn, user)?.iter().filter(|factor| factor.has_lapsed(at.now)) {
                db::factor::revoke(tx.conn, factor.id, tx.now)?;
                let event = Event::done(Actor::System, Action::FactorRemoved, Subject::Factor(factor.id));
                tx.note(event.with("why=lapsed"));
            }
            Ok(())
        })?;
    }
    Ok(())
}
