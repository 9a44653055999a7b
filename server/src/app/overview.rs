//! Numbers at a glance, for the console. Each is counted at most every half minute, and of the audit log only what was added since.

use std::collections::btree_map::Entry;
use std::sync::PoisonError;

use crate::app::context::{At, Service, Stop};
use crate::app::manage::Manager;
use crate::db::{self, Conn};
use crate::domain::audit::Action;
use crate::domain::figures::{Counted, Counts, Day, Factors, Tally, Users, is_fresh};
use crate::domain::notice::MailState;
use crate::domain::time::Timestamp;

/// How many days the charts show.
const DAYS: i64 = 14;

/// What counts as a refusal.
const CHECKS: [Action; 3] = [Action::PasswordChecked, Action::CodeChecked, Action::RecoveryCodeChecked];

/// What one manager may see of it.
pub struct Overview {
    /// Users by state.
    pub users: Users,
    /// Live sessions.
    pub sessions: i64,
    /// Factors by state.
    pub factors: Option<Factors>,
    /// Mails that wait, and mails that were given up.
    pub mails: Option<(i64, i64)>,
    /// The log, day by day up to today.
    pub days: Option<Vec<(Day, Tally)>>,
}

/// Everything that this manager may read.
pub fn look(service: &Service, conn: &mut Conn, at: At, manager: &Manager) -> Result<Overview, Stop> {
    let counts = counts(service, conn, at.now)?;
    let reads_log = manager.may("audit:read");
    Ok(Overview {
        users: counts.users,
        sessions: counts.sessions,
        factors: manager.may("factors:read").then_some(counts.factors),
        mails: reads_log.then_some((counts.mails_waiting, counts.mails_failed)),
        days: if reads_log { Some(days(service, conn, at.now)?) } else { None },
    })
}

fn counts(service: &Service, conn: &mut Conn, now: Timestamp) -> Result<Counts, Stop> {
    let known = service.figures.lock().unwrap_or_else(PoisonError::into_inner).counts;
    if let Some((_, counts)) = known.filter(|(then, _)| is_fresh(*then, now)) {
        return Ok(counts);
    }
    let counts = Counts {
        users: db::user::count_by_state(conn)?,
        factors: db::factor::count_by_state(conn)?,
        sessions: db::session::count_live(conn, now)?,
        mails_waiting: db::outbox::count(conn, MailState::Waiting)?,
        mails_failed: db::outbox::count(conn, MailState::Failed)?,
    };
    service.figures.lock().unwrap_or_else(PoisonError::into_inner).counts = Some((now, counts));
    Ok(counts)
}

fn days(service: &Service, conn: &mut Conn, now: Timestamp) -> Result<Vec<(Day, Tally)>, Stop> {
    let today = Day::of(now);
    let mut known = service.figures.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let shown = (1 - DAYS..=0).map(|back| today.plus(back));
    if !known.log_at.is_some_and(|then| is_fresh(then, now)) || !known.days.contains_key(&today) {
        let (head, _) = db::audit::head(conn)?;
        // Where each day begins, then what was added to each.
        let mut low = 1;
        for day in shown.clone() {
            let counted = match known.days.entry(day) {
                Entry::Occupied(counted) => counted.into_mut(),
                Entry::Vacant(place) => {
                    let before = db::audit::first_since(conn, day.begins_at(), low, head)? - 1;
                    place.insert(Counted { before, upto: before, tally: Tally::default() })
                }
            };
            low = counted.before + 1;
        }
        known.days.retain(|day, _| shown.clone().any(|kept| kept == *day));
        let ends: Vec<i64> = known.days.values().skip(1).map(|next| next.before).chain([head]).collect();
        for (counted, end) in known.days.values_mut().zip(ends) {
            if end > counted.upto {
                counted.tally.logins += db::audit::count(conn, Action::TokenIssued, counted.upto, end)?;
                counted.tally.refusals += db::audit::count_refused(conn, &CHECKS, counted.upto, end)?;
                counted.upto = end;
            }
        }
        let mut figures = service.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.log_at = Some(now);
        figures.days.clone_from(&known.days);
    }
    Ok(shown
        .map(|day| (day, known.days.get(&day).map(|counted| counted.tally).unwrap_or_default()))
        .collect())
}
