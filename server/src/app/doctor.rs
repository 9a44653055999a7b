//! Looking at an installation: what is wrong, and what to do about it. Changes nothing.
//!
//! Each check is a [`Finding`] of its own; one that fails does not keep the others from being made. Settings, TLS and the way to the mail server
//! are looked at where they are known, at the command line.

pub mod files;

use std::collections::HashSet;

use mobile_core::Secret;

use crate::app::context::Service;
use crate::app::key::{StoredKey, all};
use crate::clock::Clock;
use crate::crypto::seal::Place;
#[cfg(feature = "postgres")]
use crate::db::Route;
use crate::db::factor::SealedPart;
use crate::db::{self, Conn, Database, MigrateError, Version, condition};
use crate::domain::checkup::Finding;
use crate::domain::id::FactorId;
use crate::domain::notice::MailState;
use crate::domain::relocation::{Relocation, Way};
use crate::domain::target::Target;
use crate::domain::time::{OVER_KEPT_S, Timestamp};
use crate::domain::token::{KeyState, SigningAlgorithm};
use crate::error::Fault;

/// How many of the eldest and of the youngest secrets are opened, unless all are.
const SAMPLE: i64 = 100;

/// How many secrets are read at a time.
const PAGE: i64 = 1000;

/// How far clocks may be apart without anybody noticing, in milliseconds.
#[cfg(feature = "postgres")]
const CLOCKS_AGREE_MS: i64 = 1000;

/// How far apart they may be before codes are refused at the edge of their window, in milliseconds.
const CLOCKS_DISAGREE_MS: i64 = 5000;

/// How long what is over may wait for housekeeping, which comes every ten minutes, in seconds.
const HOUSEKEEPING_LATE_S: i64 = 6 * 3600;

/// How long a mail may wait before somebody should ask why, in seconds.
const MAIL_LATE_S: i64 = 3600;

/// How long the current key may sign beyond its time: housekeeping rotates it, and a server may have been down for a night, in seconds.
const ROTATION_LATE_S: i64 = 86_400;

/// The checks that want the database's tables, and those that want the master key besides.
pub const OF_TABLES: [&str; 5] = ["audit_log", "outbox", "administrators", "lockouts", "housekeeping"];
/// See [`OF_TABLES`].
pub const OF_KEY: [&str; 2] = ["signing_keys", "secrets"];

fn found(check: &'static str, outcome: Result<Finding, Fault>) -> Finding {
    outcome.unwrap_or_else(|fault| unseen(check, &fault))
}

/// What the database does not let us see.
pub fn unseen(check: &'static str, fault: &Fault) -> Finding {
    Finding::problem(
        check,
        format!("could not be looked at: {fault}"),
        "see what the database's own log says",
    )
}

/// The database from outside.
pub struct Reached {
    /// Whether it can be reached, what it is, which version's its tables are.
    pub findings: Vec<Finding>,
    /// A connection that changes nothing; none where it cannot be reached.
    pub conn: Option<Conn>,
    /// Why its binding to a master key cannot be looked at, where it cannot.
    pub hides_key: Option<&'static str>,
    /// Why its tables cannot be looked at, where they cannot.
    pub hides_tables: Option<&'static str>,
    /// Whether the SQLite file says of itself that it has a log. Read before it is opened: whoever closes a file gives up all locks that this process
    /// has on it, SQLite's among them.
    has_log: Option<bool>,
}

impl Reached {
    fn lost(says: String, advice: &str, why: &'static str) -> Self {
        let findings = vec![Finding::problem("database", says, advice)];
        Self { findings, conn: None, hides_key: Some(why), hides_tables: Some(why), has_log: None }
    }
}

/// Opens the database for a look.
pub fn reach(database: &Database) -> Reached {
    let place = database.target().shown();
    let has_log = match database.target() {
        Target::Sqlite(path) => condition::has_write_ahead_log(path),
        Target::Postgres(_) => None,
    };
    let mut conn = match database.look_only() {
        Ok(Some(conn)) => conn,
        Ok(None) => {
            let advice = "start the server once, or say where the database is with --data or --database";
            return Reached::lost(format!("there is no database at {place}"), advice, "there is no database");
        }
        Err(error @ MigrateError::Backup { .. }) => {
            let advice = "put the backup elsewhere and let `countersign restore` make a database of it";
            return Reached::lost(error.to_string(), advice, "it is a backup");
        }
        Err(error) => {
            let advice = "see that it runs, can be reached from here, and that the URL is right";
            return Reached::lost(error.to_string(), advice, "the database cannot be reached");
        }
    };
    let looked = condition::version(&mut conn)
        .and_then(|kind| Ok((kind, db::version(&mut conn)?, db::relocation::find(&mut conn)?)));
    let (kind, version, relocation) = match looked {
        Ok(looked) => looked,
        Err(fault) => {
            let advice = "see that this is a database of ours; restore a backup if it is damaged";
            return Reached::lost(format!("{place}: {fault}"), advice, "the database cannot be read");
        }
    };
    let (of_move, closed) = of_move(relocation);
    let (of_version, newer, other) = of_version(version);
    Reached {
        findings: vec![Finding::ok("database", format!("{kind} at {place}")), of_version, of_move],
        conn: Some(conn),
        hides_key: closed.or(newer),
        hides_tables: closed.or(other),
        has_log,
    }
}

/// What it means; why the key's binding cannot be read, and why the tables cannot.
fn of_version(version: Version) -> (Finding, Option<&'static str>, Option<&'static str>) {
    let check = "migrations";
    match version {
        Version::Same(last) => {
            (Finding::ok(check, format!("the tables are this program's (version {last})")), None, None)
        }
        Version::Older { applied: 0, .. } => {
            let finding = Finding::note(check, "the database is empty", "the first start makes the tables");
            (finding, None, Some("there are no tables yet"))
        }
        Version::Older { pending, .. } => {
            let says = format!("the tables are older than this program: {pending} migrations are to be run");
            let advice = "back up, then start the server: that, and every command, brings them up to date";
            (Finding::note(check, says, advice), None, Some("the tables are older than this program"))
        }
        Version::Newer(version) => {
            let says = format!("the tables are newer than this program (version {version})");
            let why = Some("the tables are newer than this program");
            (Finding::problem(check, says, "use the program that wrote them, or a later one"), why, why)
        }
    }
}

/// What a move that was begun means, and why nothing can be looked at behind one.
fn of_move(relocation: Option<Relocation>) -> (Finding, Option<&'static str>) {
    let check = "move";
    let Some(relocation) = relocation else { return (Finding::ok(check, "no move is under way"), None) };
    let again = "run the same `countersign move` again";
    let advice = match relocation.way {
        Way::Left => "start servers with the other database, and delete this one when you no longer want it",
        Way::Arriving => again,
        Way::Leaving => {
            let says = format!(
                "a move to {} was begun on {} and is not finished; until then this database counts",
                relocation.place, relocation.at
            );
            return (Finding::note(check, says, again), None);
        }
    };
    let says = MigrateError::closed(relocation).map(|error| error.to_string()).unwrap_or_default();
    (Finding::problem(check, says, advice), Some("a move has closed the database"))
}

/// What a database that was reached promises: durability, room, protection on the way, the time. Nothing where it was not. `opens`: how many connections
/// one server opens.
#[cfg_attr(
    not(feature = "postgres"),
    expect(unused_variables, reason = "SQLite opens none and has no clock")
)]
pub fn promises(
    reached: &mut Reached,
    database: &Database,
    opens: u32,
    clock: &Clock,
    deep: bool,
) -> Vec<Finding> {
    let Some(conn) = &mut reached.conn else { return Vec::new() };
    match database.target() {
        Target::Sqlite(_) => {
            let mode = match reached.has_log {
                Some(true) => Finding::ok("journal", "the file has a write-ahead log"),
                _ => Finding::note(
                    "journal",
                    "the file has no write-ahead log, as after a restore",
                    "start the server, which gives it one",
                ),
            };
            let mut findings = vec![mode];
            if deep {
                findings.push(found("damage", condition::damage(conn).map(whole)));
            }
            findings
        }
        #[cfg(feature = "postgres")]
        Target::Postgres(_) => {
            let mut findings = match condition::server(conn) {
                Ok(Some(server)) => of_server(&server, database.route(), i64::from(opens)),
                Ok(None) => Vec::new(),
                Err(fault) => vec![found("durability", Err(fault))],
            };
            findings.push(found("database_clock", apart(conn, clock)));
            findings.push(found(
                "database_encoding",
                condition::encoding(conn).map(|kept| of_encoding(kept.as_deref())),
            ));
            findings
        }
        #[cfg(not(feature = "postgres"))]
        Target::Postgres(_) => Vec::new(),
    }
}

fn whole(damage: Option<String>) -> Finding {
    match damage {
        None => Finding::ok("damage", "SQLite has walked over the whole file and found it whole"),
        Some(said) => Finding::problem(
            "damage",
            format!("the database file is damaged: {said}"),
            "stop the servers, keep a copy of the file, and restore a backup",
        ),
    }
}

#[cfg(feature = "postgres")]
fn of_encoding(encoding: Option<&str>) -> Finding {
    let check = "database_encoding";
    match encoding {
        None | Some("UTF8") => Finding::ok(check, "text is kept as UTF-8"),
        Some("SQL_ASCII") => Finding::note(
            check,
            "text is kept as SQL_ASCII: whatever is written there, looked at by nobody",
            "nothing, unless other programs write there; `countersign move` takes all to a database in UTF-8",
        ),
        Some(other) => Finding::problem(
            check,
            format!("text is kept as {other}, which has no place for every name: no server starts on it"),
            "`createdb --encoding=UTF8 --template=template0 NAME`, and `countersign move` to it",
        ),
    }
}

#[cfg(feature = "postgres")]
fn of_server(server: &condition::Server, route: Route, opens: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let off = [("fsync", server.fsync), ("full_page_writes", server.full_page_writes)];
    let off: Vec<&str> = off.iter().filter(|(_, on)| !on).map(|(name, _)| *name).collect();
    findings.push(if server.is_standby {
        let advice = "name the primary, or all hosts and target_session_attrs=read-write";
        Finding::problem("durability", "this PostgreSQL server is a standby, which takes no changes", advice)
    } else if !off.is_empty() {
        let says = format!(
            "PostgreSQL has {} off: a crash may damage the database, or bring back codes that were used",
            off.join(" and ")
        );
        Finding::problem("durability", says, "turn it on in postgresql.conf")
    } else if matches!(server.synchronous_commit.as_str(), "off" | "local") {
        let says = format!(
            "synchronous_commit is {} by default; our own sessions set it to on",
            server.synchronous_commit
        );
        Finding::note("durability", says, "nothing, unless other programs share the server")
    } else {
        let says =
            format!("fsync and full_page_writes are on, synchronous_commit is {}", server.synchronous_commit);
        Finding::ok("durability", says)
    });
    let says = format!(
        "a server opens up to {opens} connections; PostgreSQL takes {}, and {} are open",
        server.connections, server.connected
    );
    findings.push(if server.connections < opens {
        Finding::problem("connections", says, "raise max_connections")
    } else if server.connections - server.connected < opens {
        Finding::note(
            "connections",
            says,
            "raise max_connections, if those are not the connections of that server",
        )
    } else {
        Finding::ok("connections", says)
    });
    let check = "database_tls";
    findings.push(match (route, server.is_encrypted) {
        (Route::Here, _) => Finding::ok(check, "the database is on this machine"),
        (_, false) => Finding::problem(
            check,
            "the connection to the database leaves this machine without TLS",
            "say sslmode=verify-full in the URL, or nothing",
        ),
        (Route::Verified, true) => {
            Finding::ok(check, "the connection has TLS, and the certificate is for the server's name")
        }
        (Route::OfKnownAuthority, true) => Finding::note(
            check,
            "the connection has TLS, but any certificate of the authority will do",
            "say sslmode=verify-full in the URL, or nothing",
        ),
        (Route::Unverified, true) => Finding::note(
            check,
            "the connection has TLS, but no certificate is asked for: whoever answers is believed",
            "say sslmode=verify-full in the URL, or nothing, and sslrootcert if the authority is your own",
        ),
    });
    findings
}

/// How far the clocks of this machine and of PostgreSQL are apart. Ours alone counts; that they differ says that one is wrong.
#[cfg(feature = "postgres")]
fn apart(conn: &mut Conn, clock: &Clock) -> Result<Finding, Fault> {
    let check = "database_clock";
    let before = clock.now().millis();
    let Some(there) = condition::clock(conn)? else { return Ok(Finding::skipped(check, "it has none")) };
    let after = clock.now().millis();
    // Within the trip nobody knows.
    let apart =
        if there.millis() < before { there.millis() - before } else { (there.millis() - after).max(0) };
    let says = format!("the clocks of this machine and of PostgreSQL are {} ms apart", apart.abs());
    let advice =
        "let both machines take the time from the network (NTP): codes and tokens go by this machine's clock";
    Ok(match apart.abs() {
        ..CLOCKS_AGREE_MS => Finding::ok(check, says),
        CLOCKS_AGREE_MS..CLOCKS_DISAGREE_MS => Finding::note(check, says, advice),
        _ => Finding::problem(check, says, advice),
    })
}

/// What the tables say that anybody may read who has the database: [`OF_TABLES`].
pub fn look_at_tables(conn: &mut Conn, now: Timestamp, sends_mail: bool) -> Vec<Finding> {
    vec![
        found("audit_log", audit_log(conn, now)),
        found("outbox", outbox(conn, now, sends_mail)),
        found("administrators", administrators(conn)),
        found("lockouts", lockouts(conn)),
        found("housekeeping", housekeeping(conn, now)),
    ]
}

fn audit_log(conn: &mut Conn, now: Timestamp) -> Result<Finding, Fault> {
    let check = "audit_log";
    let ((head, _), tail) = (db::audit::head(conn)?, db::audit::tail(conn)?);
    if let Some(last) = db::audit::find(conn, head)?
        && last.at.millis() > now.millis() + CLOCKS_DISAGREE_MS
    {
        let says = format!("the last entry is of {}, and this machine's clock shows {now}", last.at);
        return Ok(Finding::problem(check, says, "set this machine's clock (NTP): codes go by it"));
    }
    let says = format!("{} entries, the last one is number {head}", head - tail.seq);
    Ok(Finding::ok(check, says))
}

fn outbox(conn: &mut Conn, now: Timestamp, sends_mail: bool) -> Result<Finding, Fault> {
    let check = "outbox";
    let failed = db::outbox::count(conn, MailState::Failed)?;
    let (waiting, since) = db::outbox::waiting(conn)?;
    let is_late = since.is_some_and(|at| at.plus_seconds(MAIL_LATE_S) < now);
    let says = format!("{waiting} mails wait, {failed} were given up");
    Ok(match (failed > 0 || (sends_mail && is_late), sends_mail) {
        (true, true) => Finding::note(
            check,
            says,
            "`countersign outbox list` says why; `countersign outbox retry --all` tries again",
        ),
        (_, false) if waiting + failed > 0 => {
            Finding::note(check, says, "set smtp_url, or read them with `countersign outbox show`")
        }
        _ => Finding::ok(check, says),
    })
}

fn administrators(conn: &mut Conn) -> Result<Finding, Fault> {
    let check = "administrators";
    let (administrators, with_factor) = db::user::count_administrators(conn)?;
    Ok(match (administrators, with_factor) {
        (0, _) if db::user::count_up_to(conn, 1)? == 0 => {
            let advice = "`countersign serve` prints a link that makes the first administrator";
            Finding::note(check, "there is no user yet", advice)
        }
        (0, _) => Finding::note(
            check,
            "no active user is an administrator: only the command line manages",
            "`countersign user add NAME --role admin`, then `countersign user invite NAME`",
        ),
        (_, 0) => Finding::note(
            check,
            "no administrator has a second factor, so none can log in to the console and manage",
            "`countersign user invite NAME` makes a link to enrol one",
        ),
        _ => Finding::ok(
            check,
            format!("{with_factor} of {administrators} active administrators have a second factor"),
        ),
    })
}

fn lockouts(conn: &mut Conn) -> Result<Finding, Fault> {
    let check = "lockouts";
    Ok(match db::lockout::count_locked_for_good(conn)? {
        0 => Finding::ok(check, "nobody is locked out for good by wrong codes"),
        locked => Finding::note(
            check,
            format!(
                "{locked} users have sent so many wrong codes that only an administrator or a recovery code helps"
            ),
            "find out who guesses (`countersign audit list`), then `countersign user unlock NAME`",
        ),
    })
}

fn housekeeping(conn: &mut Conn, now: Timestamp) -> Result<Finding, Fault> {
    let check = "housekeeping";
    let before = now.plus_seconds(-OVER_KEPT_S - HOUSEKEEPING_LATE_S);
    let mut late = Vec::new();
    for (kind, table) in db::sweep::tables().enumerate() {
        if db::sweep::count(conn, kind, before)? > 0 && !late.contains(&table) {
            late.push(table);
        }
    }
    if late.is_empty() {
        return Ok(Finding::ok(check, "what is over is deleted in time"));
    }
    let says = format!("rows that were over long ago wait to be deleted ({})", late.join(", "));
    let advice =
        "see that a server runs, and what its log says of housekeeping; one that just started catches up";
    Ok(Finding::note(check, says, advice))
}

/// What only opens with the master key: [`OF_KEY`].
pub fn look_at_secrets(service: &Service, conn: &mut Conn, now: Timestamp, deep: bool) -> Vec<Finding> {
    vec![
        found("signing_keys", signing_keys(service, conn, now)),
        found("secrets", secrets(service, conn, now, deep)),
    ]
}

fn signing_keys(service: &Service, conn: &mut Conn, now: Timestamp) -> Result<Finding, Fault> {
    let check = "signing_keys";
    let keys = all(conn)?;
    let opens = |key: &&StoredKey| service.open_signing_key(key).is_ok();
    let shut: Vec<&str> = keys.iter().filter(|key| !opens(key)).map(|key| key.kid.as_str()).collect();
    if !shut.is_empty() {
        let says = format!("{} of {} signing keys do not open: {}", shut.len(), keys.len(), shut.join(", "));
        let advice = "they were altered: restore a backup, or `countersign key revoke KEY`, which makes another in its place";
        return Ok(Finding::problem(check, says, advice));
    }
    let signs_access_tokens = |key: &&StoredKey| key.algorithm != SigningAlgorithm::Rs256;
    let in_state = |state| keys.iter().filter(signs_access_tokens).find(|key| key.state == state);
    let Some(current) = in_state(KeyState::Current) else {
        let says = "no signing key is the current one: no JWT can be issued";
        return Ok(Finding::problem(check, says, "start the server, which makes one"));
    };
    let Some(since) = current.activated_at else {
        return Err(Fault::Corrupt { what: "signing key" });
    };
    let days = now.millis().saturating_sub(since.millis()) / 86_400_000;
    let says = format!("all {} open; the current one has signed for {days} days", keys.len());
    let is_due = |age_s: i64| since.plus_seconds(age_s + ROTATION_LATE_S) < now;
    Ok(match service.key_age_s {
        Some(age_s) if is_due(age_s) => Finding::note(
            check,
            format!("{says}, longer than key_rotation_days says"),
            "see that a server runs: it rotates them; or `countersign key rotate`",
        ),
        _ if in_state(KeyState::Next).is_none() => {
            Finding::note(check, format!("{says}; there is no next one"), "start the server, which makes one")
        }
        _ => Finding::ok(check, says),
    })
}

/// How many factors' secrets were opened, and which did not open.
#[derive(Default)]
struct Opened {
    whole: u64,
    shut: Vec<FactorId>,
}

impl Opened {
    /// Opens these secrets, and what the phones' proofs are checked with.
    fn look(
        &mut self,
        service: &Service,
        conn: &mut Conn,
        parts: &[SealedPart],
        now: Timestamp,
    ) -> Result<(), Fault> {
        let ids: Vec<FactorId> = parts.iter().map(|(factor, _)| *factor).collect();
        let phones = db::factor_phone::find(conn, &ids, now)?;
        let shut = phones
            .iter()
            .filter(|phone| service.sealer.open(Place::factor_phone(&phone.factor), &phone.sealed).is_err());
        let shut: HashSet<FactorId> = shut.map(|phone| phone.factor).collect();
        for (factor, sealed) in parts {
            let plain = service.sealer.open(Place::factor_secret(factor), sealed);
            if plain.is_ok_and(|plain| Secret::from_bytes(&plain).is_ok()) && !shut.contains(factor) {
                self.whole += 1;
            } else {
                self.shut.push(*factor);
            }
        }
        Ok(())
    }
}

fn secrets(service: &Service, conn: &mut Conn, now: Timestamp, deep: bool) -> Result<Finding, Fault> {
    let check = "secrets";
    let mut opened = Opened::default();
    if deep {
        let mut after = None;
        loop {
            let parts = db::factor::secrets(conn, after, PAGE)?;
            let Some((last, _)) = parts.last() else { break };
            after = Some(*last);
            opened.look(service, conn, &parts, now)?;
        }
    } else {
        let mut parts = db::factor::secrets(conn, None, SAMPLE)?;
        let youngest = db::factor::youngest_secrets(conn, SAMPLE)?;
        let eldest: HashSet<FactorId> = parts.iter().map(|(factor, _)| *factor).collect();
        parts.extend(youngest.into_iter().filter(|(factor, _)| !eldest.contains(factor)));
        opened.look(service, conn, &parts, now)?;
    }
    let Opened { whole, shut } = opened;
    let which = if deep { "" } else { "; they are the eldest and the youngest, --deep opens all" };
    Ok(match shut.first() {
        None => Finding::ok(check, format!("{whole} factors' secrets were opened{which}")),
        Some(first) => Finding::problem(
            check,
            format!("{} factors' secrets do not open, {first} the first; {whole} do", shut.len()),
            "they were altered or moved: restore a backup, or reset those factors and enrol anew",
        ),
    })
}
