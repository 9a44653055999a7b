//! Looking users up: a list that is searched and filtered a page at a time, and everything that is known of one.

use std::collections::HashMap;

use crate::app::context::{At, Stop};
use crate::db::factor::Glance;
use crate::db::lockout::Standing;
use crate::db::user::Narrowed;
use crate::db::{self, Conn};
use crate::domain::audit::{Entry, Subject};
use crate::domain::factor::{FactorState, Summary};
use crate::domain::id::{SessionId, UserId};
use crate::domain::refusal::Refusal;
use crate::domain::search::{Enrolment, Place, Wanted};
use crate::domain::time::Timestamp;
use crate::domain::token::SessionSummary;
use crate::domain::user::{User, UserName, UserState};
use crate::error::Fault;

/// How many users a page shows.
pub const PAGE: usize = 50;

/// How many users one page looks at. What no index narrows, such as the enrolment, is looked at one by one; so a rare thing among a
/// million users takes several pages, and none of them takes long.
pub const LOOKED_AT: usize = 4000;

/// How many are read at a time while looking.
const CHUNK: i64 = 500;

/// How many things the page of a user shows of the past.
const RECENT: i64 = 20;

/// How many of the live sessions it shows.
const SESSIONS: i64 = 100;

/// A user in a list.
pub struct Listed {
    /// The user.
    pub user: User,
    /// Active factors.
    pub factors: usize,
    /// Whether one waits for its first code.
    pub pending: bool,
    /// When a code was last accepted.
    pub used_at: Option<Timestamp>,
}

/// A page of a list.
pub struct Found {
    /// The users.
    pub users: Vec<Listed>,
    /// Where the next page begins, if there may be one.
    pub next: Option<Place>,
    /// How many users were looked at, where the page ends because that were enough.
    pub stopped_after: Option<usize>,
}

/// A page of the users that are wanted.
pub fn search(conn: &mut Conn, at: At, wanted: &Wanted) -> Result<Found, Stop> {
    let name_prefix = wanted.name_prefix();
    let mut place = wanted.after.clone().unwrap_or(Place::Name(String::new()));
    let mut found = Found { users: Vec::new(), next: None, stopped_after: None };
    let mut looked_at = 0;
    loop {
        let limit = if is_served(wanted, &place) { page_rows() + 1 } else { CHUNK };
        let candidates = candidates(conn, wanted, &place, limit)?;
        let is_over = candidates.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        looked_at += candidates.len();
        let fits = |(after, user): &(Place, User)| {
            wanted.role.is_none_or(|role| user.role == role)
                && wanted.state.is_none_or(|state| user.state == state)
                // Whoever was found by name is not found by address again.
                && !matches!(after, Place::Email(_, name) if name.starts_with(&name_prefix))
        };
        let fitting: Vec<UserId> =
            candidates.iter().filter(|row| fits(row)).map(|(_, user)| user.id).collect();
        let factors = factors_of(conn, &fitting, at.now)?;
        for (after, user) in candidates {
            let row = (after, user);
            let listed = fits(&row).then(|| listed(row.1, &factors));
            if let Some(listed) =
                listed.filter(|listed| wanted.enrolment.is_none_or(|want| enrolment(listed) == want))
            {
                if found.users.len() == PAGE {
                    found.next = Some(place);
                    return Ok(found);
                }
                found.users.push(listed);
            }
            place = row.0;
        }
        if is_over {
            if matches!(place, Place::Name(_)) && !wanted.text.trim().is_empty() {
                place = Place::Email(String::new(), String::new());
                continue;
            }
            return Ok(found);
        }
        if looked_at >= LOOKED_AT {
            found.next = Some(place);
            found.stopped_after = Some(looked_at);
            return Ok(found);
        }
    }
}

fn page_rows() -> i64 {
    i64::try_from(PAGE).unwrap_or(i64::MAX)
}

/// Whether an index alone finds what is wanted.
fn is_served(wanted: &Wanted, place: &Place) -> bool {
    let filters = usize::from(wanted.role.is_some()) + usize::from(wanted.state.is_some());
    wanted.enrolment.is_none() && filters <= usize::from(matches!(place, Place::Name(_)))
}

/// The next users, narrowed by one index: the one that leaves fewest.
fn candidates(
    conn: &mut Conn,
    wanted: &Wanted,
    place: &Place,
    limit: i64,
) -> Result<Vec<(Place, User)>, Fault> {
    match place {
        Place::Name(after) => {
            let narrowed = match (wanted.state, wanted.role) {
                (Some(UserState::Locked), _) => Narrowed::State(UserState::Locked),
                (_, Some(role)) => Narrowed::Role(role),
                (Some(state), None) => Narrowed::State(state),
                (None, None) => Narrowed::Not,
            };
            let rows = db::user::by_name(conn, &wanted.name_prefix(), after, narrowed, limit)?;
            Ok(rows.into_iter().map(|(name, user)| (Place::Name(name), user)).collect())
        }
        Place::Email(email, name) => {
            let rows = db::user::by_email(conn, &wanted.email_prefix(), (email, name), limit)?;
            Ok(rows.into_iter().map(|(email, name, user)| (Place::Email(email, name), user)).collect())
        }
    }
}

fn factors_of(
    conn: &mut Conn,
    users: &[UserId],
    now: Timestamp,
) -> Result<HashMap<UserId, Vec<Glance>>, Fault> {
    let mut factors: HashMap<UserId, Vec<Glance>> = HashMap::new();
    if !users.is_empty() {
        for glance in db::factor::glance(conn, users, now)? {
            factors.entry(glance.user).or_default().push(glance);
        }
    }
    Ok(factors)
}

fn listed(user: User, factors: &HashMap<UserId, Vec<Glance>>) -> Listed {
    let own = factors.get(&user.id).map_or(&[][..], Vec::as_slice);
    Listed {
        factors: own.iter().filter(|factor| factor.state == FactorState::Active).count(),
        pending: own.iter().any(|factor| factor.state == FactorState::Pending),
        used_at: own.iter().filter_map(|factor| factor.used_at).max(),
        user,
    }
}

fn enrolment(listed: &Listed) -> Enrolment {
    match (listed.factors, listed.pending) {
        (1.., _) => Enrolment::Active,
        (0, true) => Enrolment::Pending,
        (0, false) => Enrolment::Missing,
    }
}

/// The name of the user with this id.
pub fn name_of(conn: &mut Conn, id: UserId) -> Result<UserName, Stop> {
    let user = db::user::find(conn, id)?.ok_or(Refusal::NotFound { what: "user" })?;
    Ok(UserName::parse(&user.name)?)
}

/// Everything known of a user.
pub struct Profile {
    /// The user.
    pub user: User,
    /// Factors that are not over.
    pub factors: Vec<Summary>,
    /// Failed codes and the wait they brought.
    pub standing: Standing,
    /// Recovery codes that are left.
    pub recovery_codes: i64,
    /// Browsers that skip the code.
    pub trusted_devices: i64,
    /// Until when an invitation waits, if one does.
    pub invited_until: Option<Timestamp>,
    /// Until when a reset waits for a second person, if one does.
    pub reset_until: Option<Timestamp>,
    /// Live logins.
    pub sessions: Vec<SessionSummary>,
    /// The user's groups.
    pub groups: Vec<String>,
    /// What happened lately, the youngest first.
    pub activity: Vec<Entry>,
    /// When all this was so.
    pub now: Timestamp,
}

/// Everything known of the user with this id.
pub fn profile(conn: &mut Conn, at: At, id: UserId) -> Result<Profile, Stop> {
    let user = db::user::find(conn, id)?.ok_or(Refusal::NotFound { what: "user" })?;
    let mut factors = db::factor::list(conn, id)?;
    factors.retain(|factor| factor.state != FactorState::Revoked && !factor.has_lapsed(at.now));
    Ok(Profile {
        factors,
        standing: db::lockout::standing(conn, id.bytes())?,
        recovery_codes: db::recovery_code::count(conn, id)?,
        trusted_devices: db::trusted_device::count(conn, &user, at.now)?,
        invited_until: db::invitation::pending(conn, id, at.now)?,
        reset_until: db::reset_request::of_user(conn, id, at.now)?.map(|request| request.expires_at),
        sessions: db::session::page(conn, id, at.now, SessionId::LAST, SESSIONS)?,
        groups: db::group::of_user(conn, id)?,
        activity: db::audit::of_user(conn, &Subject::User(id).stored(), RECENT)?,
        now: at.now,
        user,
    })
}
