//! The hold on applications that are issued tokens, and, in the same trip, the gate of those whose codes they bring.

use std::collections::BTreeSet;

use diesel::dsl::exists;
use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::{
    pg::Pg,
    sql_types::{Array, BigInt, Binary},
};

#[cfg(feature = "postgres")]
use crate::db::id;
#[cfg(feature = "postgres")]
use crate::db::lockout::{self, Passed, Standing};
use crate::db::lockout::{AtGate, TryByName};
use crate::db::schema::{client, scope_rule, signing_key};
use crate::db::signing_key::{self as keys, StoredKey};
#[cfg(feature = "postgres")]
use crate::db::statement::Statement;
use crate::db::statement::directly;
use crate::db::{Conn, client as clients, scope_rule as rules};
use crate::domain::authorization::ScopeRule;
use crate::domain::client::{Client, ClientState};
use crate::domain::id::ClientId;
#[cfg(feature = "postgres")]
use crate::domain::id::UserId;
use crate::domain::token::KeyState;
use crate::error::Fault;

/// Applications that are held, each by as many as want it at once: they are enabled, and stay so until the transaction ends. Whoever disables
/// or removes one waits ([`hold_alone`]). Only [`hold`] and [`hold_all_at_gate`] make it.
pub struct Holding {
    clients: Vec<Client>,
    issuing: Option<Issuing>,
}

impl Holding {
    /// Those that could be held, as they are now, and, where they are held for many requests, what tokens are issued by to whichever of them.
    pub fn into_parts(self) -> (Vec<Client>, Option<Issuing>) {
        (self.clients, self.issuing)
    }
}

/// What tokens are issued by, whoever they are for.
pub struct Issuing {
    /// The key that signs now. Without it there are opaque tokens still, such as the console's.
    pub key: Option<StoredKey>,
    /// The scopes with rules of their own.
    pub rules: Vec<ScopeRule>,
}

/// Holds an application.
///
/// Waits for nobody. One that somebody is disabling at this moment counts as disabled: logins at one application do not stand still while sessions of
/// another are ended, 500 a transaction and one transaction after the other.
pub fn hold(conn: &mut Conn, id: ClientId) -> Result<Holding, Fault> {
    let is_held = match conn {
        // A transaction that writes is alone on SQLite.
        Conn::Sqlite(_) => true,
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            let ids = BTreeSet::from([id]);
            holding(&ids).execute(conn)? == 1
        }
    };
    // A statement of its own, so that it sees what was committed before the hold.
    let client = if is_held { clients::find_with_secret(conn, id)? } else { None };
    let active = client.map(|(client, _)| client).filter(|client| client.state == ClientState::Active);
    Ok(Holding { clients: active.into_iter().collect(), issuing: None })
}

/// The same for many that bring codes, one each of several users: these come to the gate, in their order. None may be among them twice.
pub fn hold_all_at_gate<'a>(
    conn: &mut Conn,
    ids: &BTreeSet<ClientId>,
    tries: Vec<TryByName<'a>>,
) -> Result<(Holding, Vec<AtGate<'a>>), Fault> {
    match conn {
        Conn::Sqlite(_) => {
            let holding = read(conn, ids.iter().map(|id| id.bytes().to_vec()).collect())?;
            Ok((holding, tries.into_iter().map(AtGate::before).collect()))
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(own) => {
            // In this order, as far as it is ours to say: whoever waits at the gate has its application held.
            let statement = Statement::new(
                "SELECT 0::BIGINT AS place, id AS subject, 0::BIGINT AS failures, 0::BIGINT AS locked_until \
                 FROM held UNION ALL \
                 SELECT place, subject, failures, locked_until FROM try JOIN passed USING (subject) \
                 ORDER BY place",
            )
            .with("held", holding(ids))
            .with("try", lockout::trying(&tries))
            .with("passed", lockout::passing());
            let mut rows: Vec<GateRow> = statement.load(own)?;
            let passed = rows.split_off(rows.partition_point(|row| row.place == 0));
            if passed.len() != tries.len() {
                return Err(Fault::Corrupt { what: "lockout" });
            }
            let through = |(one, row): (TryByName<'a>, GateRow)| {
                let user = id("user id", UserId::from_bytes(&row.subject))?;
                let standing = Standing::read(Some((row.failures, row.locked_until)));
                Ok(AtGate::behind(one, Passed::of(user, standing, one.now)))
            };
            let passed = tries.into_iter().zip(passed).map(through).collect::<Result<_, Fault>>()?;
            let holding = read(conn, rows.into_iter().map(|row| row.subject).collect())?;
            Ok((holding, passed))
        }
    }
}

/// An application, the key that signs now, and whether there are scopes with rules.
type Row = (clients::Row, Option<keys::Row>, bool);

// A macro, since each back end has a type of its own for what is selected.
macro_rules! held {
    ($which:expr) => {
        client::table
            .left_join(signing_key::table.on(signing_key::state.eq(KeyState::Current.as_str())))
            .filter($which)
            .filter(client::state.eq(ClientState::Active.as_str()))
            .select((
                clients::Row::as_select(),
                keys::COLUMNS.nullable(),
                exists(scope_rule::table.select(scope_rule::name)),
            ))
    };
}

/// Reads what is held. A statement of its own, so that it sees what was committed before the hold.
fn read(conn: &mut Conn, held: Vec<Vec<u8>>) -> Result<Holding, Fault> {
    let mut rows: Vec<Row> = Vec::with_capacity(held.len());
    match &mut *conn {
        Conn::Sqlite(conn) => {
            for id in held {
                rows.extend(held!(client::id.eq(id)).load::<Row>(conn)?);
            }
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => rows = held!(client::id.eq_any(held)).load(conn)?,
    }
    let (mut clients, mut current, mut has_rules) = (Vec::with_capacity(rows.len()), None, false);
    for (client, key, there_are_rules) in rows {
        clients.push(client.read()?);
        current = key;
        has_rules = there_are_rules;
    }
    Ok(Holding { clients, issuing: Some(issued_by(conn, current, has_rules)?) })
}

/// What tokens are issued by now, for whoever has waited since the hold.
pub fn issuing(conn: &mut Conn) -> Result<Issuing, Fault> {
    let row: Option<(keys::Row, bool)> = directly!(&mut *conn, |own| signing_key::table
        .filter(signing_key::state.eq(KeyState::Current.as_str()))
        .select((keys::COLUMNS, exists(scope_rule::table.select(scope_rule::name))))
        .first(own))
    .optional()?;
    match row {
        Some((key, has_rules)) => issued_by(conn, Some(key), has_rules),
        None => issued_by(conn, None, true),
    }
}

fn issued_by(conn: &mut Conn, key: Option<keys::Row>, has_rules: bool) -> Result<Issuing, Fault> {
    let rules = if has_rules { rules::list(conn)? } else { Vec::new() };
    Ok(Issuing { key: key.map(keys::read).transpose()?, rules })
}

/// Waits until nobody else holds this application, and keeps it until the transaction ends: for whoever disables or removes it.
///
/// On PostgreSQL the holds are advisory locks, which have a queue: those who come later and would share wait behind whoever waits here, or, as in
/// [`hold`], are refused. A row that many share has none.
#[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "SQLite has nothing to lock"))]
pub fn hold_alone(conn: &mut Conn, id: ClientId) -> Result<(), Fault> {
    match conn {
        // A transaction that writes is alone on SQLite.
        Conn::Sqlite(_) => {}
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            let lock = Statement::new("SELECT pg_advisory_xact_lock(?)");
            lock.bind::<BigInt, _>(lock_of(&id)).execute(conn)?;
        }
    }
    Ok(())
}

/// Holds those that nobody holds alone, nor waits to, and returns their ids.
#[cfg(feature = "postgres")]
fn holding(ids: &BTreeSet<ClientId>) -> Statement<'_, Pg> {
    Statement::new(
        "SELECT id FROM UNNEST(?, ?) AS wanted (id, lock) WHERE pg_try_advisory_xact_lock_shared(lock)",
    )
    .bind::<Array<Binary>, _>(ids.iter().map(ClientId::bytes).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(ids.iter().map(lock_of).collect::<Vec<_>>())
}

/// A try behind the gate, in its place from 1; or, in place 0, an application that is held.
#[cfg(feature = "postgres")]
#[derive(QueryableByName)]
struct GateRow {
    #[diesel(sql_type = BigInt)]
    place: i64,
    #[diesel(sql_type = Binary)]
    subject: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    failures: i64,
    #[diesel(sql_type = BigInt)]
    locked_until: i64,
}

/// A client's advisory lock: the half of its id that is random.
#[cfg(feature = "postgres")]
fn lock_of(client: &ClientId) -> i64 {
    let (_, random) = client.bytes().split_at(8);
    random.try_into().map(i64::from_be_bytes).expect("an id has 16 bytes")
}
