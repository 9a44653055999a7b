//! What it takes to tell an application about a token, in one trip.

use diesel::dsl::exists;
use diesel::prelude::*;

use crate::db::client::{Asker, AskerRow};
use crate::db::schema::{client, scope_rule, session, signing_key, token, user};
use crate::db::signing_key::{VERIFYING, VerifyingKey, VerifyingRow, read_verifying};
use crate::db::statement::directly;
use crate::db::token::{self as tokens, Key, Kind};
use crate::db::{Conn, session as logins};
use crate::domain::id::ClientId;
use crate::domain::token::TokenRecord;
use crate::error::Fault;

/// What an application has asked for, whether or not it may.
pub struct Asked {
    /// The application.
    pub asker: Asker,
    /// What it has asked about.
    pub about: About,
    /// Whether there are scopes with rules of their own.
    pub has_rules: bool,
}

/// Rows that are to be read when it is known who asks: what is wrong with them is nobody else's business.
pub struct About {
    token: Option<tokens::Found>,
    key: Option<VerifyingRow>,
}

impl About {
    /// The token's record, live or not, and whoever's it is; and the key of that name.
    pub fn read(self) -> Result<(Option<TokenRecord>, Option<VerifyingKey>), Fault> {
        Ok((self.token.map(tokens::read).transpose()?.flatten(), self.key.map(read_verifying).transpose()?))
    }
}

/// Looks for an application, and besides for a token and a key by what the token says of itself; none where there is no such application.
pub fn look(
    conn: &mut Conn,
    asker: ClientId,
    wanted: Key<'_>,
    kid: Option<&str>,
) -> Result<Option<Asked>, Fault> {
    type Row = (
        AskerRow,
        Option<VerifyingRow>,
        Option<tokens::TokenRow>,
        Option<String>,
        Option<logins::Row>,
        Option<(String, String)>,
        bool,
    );
    let owner = diesel::alias!(client as owner);
    // One join after the other: a join within a join SQLite would work out for all sessions first. A macro, since each way to name a token is a type of its own.
    macro_rules! asked {
        ($conn:expr, $is_wanted:expr) => {
            client::table
                .left_join(signing_key::table.on(signing_key::kid.eq(kid.unwrap_or_default().to_owned())))
                .left_join(token::table.on(token::kind.eq(Kind::Access.as_str()).and($is_wanted)))
                .left_join(owner.on(owner.field(client::id).nullable().eq(token::client_id.nullable())))
                .left_join(session::table.on(session::id.nullable().eq(token::session_id.nullable())))
                .left_join(user::table.on(user::id.nullable().eq(session::user_id.nullable())))
                .filter(client::id.eq(asker.bytes()))
                .select((
                    AskerRow::as_select(),
                    VERIFYING.nullable(),
                    Option::<tokens::TokenRow>::as_select(),
                    owner.field(client::state).nullable(),
                    Option::<logins::Row>::as_select(),
                    (user::name, user::state).nullable(),
                    exists(scope_rule::table.select(scope_rule::name)),
                ))
                .first($conn)
                .optional()?
        };
    }
    let row: Option<Row> = directly!(conn, |own| match wanted {
        Key::Id(id) => asked!(own, token::id.eq(id.bytes().to_vec())),
        Key::Hash(hash) => asked!(own, token::hash.eq(hash.to_vec())),
    });
    let Some((asker, key, found, state, session, user, has_rules)) = row else {
        return Ok(None);
    };
    let token = found.zip(state).map(|(token, state)| (token, state, session, user));
    Ok(Some(Asked { asker: asker.read()?, about: About { token, key }, has_rules }))
}
