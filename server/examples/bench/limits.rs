//! What the machine can do at all, measured in the same run: every figure of ours stands beside one of these.

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use countersign::crypto::master_key::MasterKey;
use countersign::crypto::password;
use countersign::crypto::seal::{Place, Sealer};
use countersign::domain::id::FactorId;
use countersign::domain::password::Password;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{Array, BigInt, Binary};
use diesel::{Connection as _, RunQueryDsl as _};
use mobile_core::{Secret, Totp};

use crate::Tried;
use crate::site::{Cluster, Process, Site, programs};

/// About as long as the reply with a JWT.
const REPLY: usize = 720;

/// A bare server of the same framework, in a process of its own: it reads the same form and answers as much, and does nothing.
pub(crate) fn serve_echo() -> Tried<()> {
    async fn echo(form: web::Form<HashMap<String, String>>) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header(("cache-control", "no-store"))
            .json(serde_json::json!({ "fields": form.len(), "access_token": "x".repeat(REPLY) }))
    }
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    actix_web::rt::System::new().block_on(async move {
        let server =
            HttpServer::new(|| App::new().route("/oauth/token", web::post().to(echo))).workers(workers);
        let server = server.bind("127.0.0.1:0")?;
        println!("listening on http://{}", server.addrs().first().ok_or("no address")?);
        server.run().await?;
        Ok(())
    })
}

/// Starts it.
pub(crate) fn echo() -> Tried<(Process, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("echo");
    Process::listening(command)
}

/// Calls a second on one core.
pub(crate) fn one_core(span: Duration, mut work: impl FnMut() -> Tried<()>) -> Tried<f64> {
    let start = Instant::now();
    let mut done = 0_u32;
    while start.elapsed() < span {
        // The clock is read once for ten.
        for _ in 0..10 {
            work()?;
        }
        done += 10;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

/// Calculations on one core: what, and how many a second.
pub(crate) fn calculations(span: Duration) -> Tried<Vec<(&'static str, f64)>> {
    let pair = Ed25519KeyPair::generate()?;
    let message = [b'm'; 560];
    let signature = pair.sign(&message);
    let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    let (totp, secret) = (Totp::default(), Secret::from_bytes(&[0x5a; 20]).map_err(|_| "no secret")?);
    let sealer = Sealer::new(&MasterKey::generate());
    let id = FactorId::from_bytes(&[7; 16]).ok_or("no id")?;
    let sealed = sealer.seal(Place::factor_secret(&id), &[0x5a; 20])?;
    let chosen = Password::chosen("correct horse battery").map_err(|invalid| invalid.to_string())?;
    let mut step = 0;
    Ok(vec![
        (
            "signing with Ed25519",
            one_core(span, || {
                std::hint::black_box(pair.sign(&message));
                Ok(())
            })?,
        ),
        ("verifying Ed25519", one_core(span, || Ok(public.verify(&message, signature.as_ref())?))?),
        (
            "a TOTP code for each of three steps",
            one_core(span, || {
                step += 3;
                for offset in 0..3 {
                    std::hint::black_box(totp.code(&secret, mobile_core::Step::new(step + offset)));
                }
                Ok(())
            })?,
        ),
        (
            "opening a sealed secret",
            one_core(span, || {
                std::hint::black_box(sealer.open(Place::factor_secret(&id), &sealed)?);
                Ok(())
            })?,
        ),
        (
            "Argon2id as for passwords",
            one_core(span, || {
                std::hint::black_box(password::hash(&chosen)?);
                Ok(())
            })?,
        ),
    ])
}

/// Durable commits: (rows in each, commits a second). A row is an id, two numbers and 200 bytes.
pub(crate) fn commits_of_sqlite(span: Duration) -> Tried<Vec<(u32, f64)>> {
    let folder = tempfile::Builder::new().prefix("cs-bench-").tempdir()?;
    let path = folder.path().join("raw.db");
    let mut conn = diesel::SqliteConnection::establish(path.to_str().ok_or("no UTF-8")?)?;
    conn.batch_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE raw (id INTEGER PRIMARY KEY, a BIGINT, b BLOB)")?;
    let mut next = 0;
    [1, 256]
        .into_iter()
        .map(|rows| {
            let rate = one_core(span, || {
                conn.batch_execute("BEGIN IMMEDIATE")?;
                for _ in 0..rows {
                    next += 1;
                    insert_into_sqlite(&mut conn, next)?;
                }
                Ok(conn.batch_execute("COMMIT")?)
            })?;
            Ok((rows, rate))
        })
        .collect()
}

/// What a login writes as one statement of its own, by PostgreSQL's `pgbench`: (connections, logins a second).
pub(crate) fn one_statement(site: &Site, client: &str, span: Duration) -> Tried<Vec<(u32, f64)>> {
    let script = tempfile::Builder::new().prefix("cs-bench-").suffix(".sql").tempfile()?;
    std::fs::write(script.path(), include_str!("login.sql"))?;
    [1_u32, 4, 16]
        .into_iter()
        .map(|connections| {
            let mut command = Command::new(programs()?.join("pgbench"));
            command.args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2", "--random-seed", "7"]);
            command.args([
                "--client",
                &connections.to_string(),
                "--time",
                &span.as_secs().max(1).to_string(),
            ]);
            command.args(["--define", &format!("people={}", site.people)]);
            command.args(["--define", &format!("client={}", client.replace('-', ""))]);
            command.arg("--file").arg(script.path()).arg(&site.database);
            let output = command.output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into());
            }
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let rate =
                said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
            Ok((connections, rate.ok_or("pgbench says no rate")?))
        })
        .collect()
}

diesel::table! {
    raw (id) {
        id -> BigInt,
        a -> BigInt,
        b -> Binary,
    }
}

fn insert_into_sqlite(conn: &mut diesel::SqliteConnection, id: i64) -> Tried<()> {
    use diesel::ExpressionMethods as _;

    diesel::insert_into(raw::table)
        .values((raw::id.eq(id), raw::a.eq(id), raw::b.eq([7_u8; 200].as_slice())))
        .execute(conn)?;
    Ok(())
}

/// The same on PostgreSQL, a statement for each group.
pub(crate) fn commits_of_postgres(cluster: &Cluster, span: Duration) -> Tried<Vec<(u32, f64)>> {
    let mut conn = cluster.connection("postgres")?;
    conn.batch_execute("CREATE TABLE raw (id BIGINT PRIMARY KEY, a BIGINT, b BYTEA)")?;
    let mut next = 0;
    [1_u32, 256]
        .into_iter()
        .map(|rows| {
            let rate = one_core(span, || {
                let ids: Vec<i64> = (next..next + i64::from(rows)).collect();
                next += i64::from(rows);
                let wide = vec![[7_u8; 200].as_slice(); ids.len()];
                diesel::sql_query("INSERT INTO raw SELECT id, id, b FROM UNNEST($1, $2) AS row (id, b)")
                    .bind::<Array<BigInt>, _>(ids)
                    .bind::<Array<Binary>, _>(wide)
                    .execute(&mut conn)?;
                Ok(())
            })?;
            Ok((rows, rate))
        })
        .collect()
}
