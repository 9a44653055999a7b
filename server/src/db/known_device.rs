//! Where users have logged in before, by keyed hash.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};

use crate::db::Conn;
use crate::db::schema::known_device;
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// How old a mark may get before it is renewed: most logins come from where the last one came from, and need no write.
const RENEWED_AFTER_S: i64 = 86_400;

/// What is known of where a login came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// The user has been there.
    Before,
    /// The user has never been anywhere.
    First,
    /// The user has been elsewhere only.
    New,
}

/// Remembers where a user logs in from, and says whether that is new. The user's logins follow one another (`db/lockout`).
pub fn remember(conn: &mut Conn, user: UserId, hash: &[u8], now: Timestamp) -> Result<Known, Fault> {
    let seen_at: Option<i64> = known_device::table
        .find((user.bytes(), hash))
        .select(known_device::seen_at)
        .first(conn)
        .optional()?;
    let known = match seen_at {
        Some(seen_at) if seen_at > now.plus_seconds(-RENEWED_AFTER_S).millis() => return Ok(Known::Before),
        Some(_) => Known::Before,
        None => {
            let others: Vec<i64> = known_device::table
                .filter(known_device::user_id.eq(user.bytes()))
                .select(known_device::seen_at)
                .limit(1)
                .load(conn)?;
            if others.is_empty() { Known::First } else { Known::New }
        }
    };
    // `MultiConnection` has no `on_conflict`.
    diesel::sql_query(
        "INSERT INTO known_device (user_id, hash, seen_at) VALUES ($1, $2, $3) \
         ON CONFLICT (user_id, hash) DO UPDATE SET seen_at = excluded.seen_at",
    )
    .bind::<Binary, _>(user.bytes())
    .bind::<Binary, _>(hash)
    .bind::<BigInt, _>(now.millis())
    .execute(conn)?;
    Ok(known)
}
