//! The keys of keyed hashes, sealed, since the master key was rotated.

use diesel::prelude::*;

use crate::db::schema::hash_key;
use crate::db::{Conn, catalogue};
use crate::error::Fault;

/// Each with the purpose that it is for; none before the first rotation, and in a database that is older than such keys.
pub fn list(conn: &mut Conn) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    if !catalogue::has(conn, "hash_key")? {
        return Ok(Vec::new());
    }
    Ok(hash_key::table.select((hash_key::purpose, hash_key::sealed)).load(conn)?)
}

/// Puts these in the place of all that there are.
pub fn replace(conn: &mut Conn, keys: &[(&str, Vec<u8>)]) -> Result<(), Fault> {
    diesel::delete(hash_key::table).execute(conn)?;
    for (purpose, sealed) in keys {
        diesel::insert_into(hash_key::table)
            .values((hash_key::purpose.eq(purpose), hash_key::sealed.eq(sealed)))
            .execute(conn)?;
    }
    Ok(())
}
