//! Which master key seals this database.

use diesel::prelude::*;

use crate::db::schema::master_key;
use crate::db::{Conn, catalogue, unless_taken};
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// The key's id and the value that only it opens; none in a new database, with its tables or without.
pub fn find(conn: &mut Conn) -> Result<Option<(String, Vec<u8>)>, Fault> {
    if !catalogue::has(conn, "master_key")? {
        return Ok(None);
    }
    let row = master_key::table
        .order(master_key::created_at.desc())
        .select((master_key::key_id, master_key::proof))
        .first(conn)
        .optional()?;
    Ok(row)
}

/// Lets no other server bind this database, or seal anything in it, until the transaction ends.
pub fn lock(conn: &mut Conn) -> Result<(), Fault> {
    match conn {
        Conn::Sqlite(_) => {}
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            diesel::sql_query("LOCK TABLE master_key IN EXCLUSIVE MODE").execute(conn)?;
        }
    }
    Ok(())
}

/// The id of the key that the database is bound to, and stays bound to until the transaction ends.
pub fn hold(conn: &mut Conn) -> Result<Option<String>, Fault> {
    let bound = master_key::table.order(master_key::created_at.desc()).select(master_key::key_id);
    let key_id = match conn {
        // Whoever writes is alone.
        Conn::Sqlite(conn) => bound.first(conn),
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => bound.for_share().first(conn),
    };
    Ok(key_id.optional()?)
}

/// Binds the database to another key. [`lock`] it first.
pub fn rebind(conn: &mut Conn, key_id: &str, proof: &[u8], now: Timestamp) -> Result<(), Fault> {
    diesel::delete(master_key::table).execute(conn)?;
    bind(conn, key_id, proof, now).map(|_| ())
}

/// Binds a new database to a key; `false` where another server was faster with the same key.
pub fn bind(conn: &mut Conn, key_id: &str, proof: &[u8], now: Timestamp) -> Result<bool, Fault> {
    unless_taken(
        diesel::insert_into(master_key::table)
            .values((
                master_key::key_id.eq(key_id),
                master_key::proof.eq(proof),
                master_key::created_at.eq(now.millis()),
            ))
            .execute(conn),
    )
}
