//! How fast tokens are checked, against what the machine can do at all: `cargo xtask bench`.
//!
//! A server of its own on SQLite in a temporary folder, callers on loopback in this process, closed loop. Every figure stands
//! beside a limit measured in the same run: HTTP replies of `/healthz`, which do nothing, and bare Ed25519 verifications. The callers
//! and the server share the machine's cores, so trust the ratios, not the figures.

#![allow(clippy::disallowed_methods, reason = "a benchmark looks at the clock; the server may not")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use countersign_verify::{Check, Verifier};
use mobile_core::{KeyUri, Kind, Totp};
use serde_json::Value;

const USAGE: &str = "usage: bench --binary COUNTERSIGN [--seconds S] [--callers N]";
const OTP: &str = "urn:countersign:params:oauth:grant-type:otp";

type Tried<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Tried<()> {
    let (mut binary, mut seconds, mut callers) = (None, 5, 16);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        match word.as_str() {
            "--binary" => binary = Some(PathBuf::from(value)),
            "--seconds" => seconds = value.parse()?,
            "--callers" => callers = value.parse()?,
            _ => return Err(USAGE.into()),
        }
    }
    let span = Duration::from_secs(seconds);
    let server = Server::start(&binary.ok_or(USAGE)?)?;
    let url = server.url.as_str();
    let jwt = server.token("jwt")?;
    let opaque = server.token("opaque")?;

    println!("{callers} callers, {seconds} s each, SQLite, server and callers on the same machine\n");
    println!("| what | a second | of the limit |\n|---|---|---|");
    let limit = http(callers, span, |agent| {
        agent.get(format!("{url}/healthz")).call()?.body_mut().read_to_vec()?;
        Ok(())
    })?;
    row("HTTP replies that do nothing (the limit)", limit, limit);
    for (what, token) in [("introspection of a JWT", &jwt), ("introspection of an opaque token", &opaque)] {
        let rate = http(callers, span, |agent| {
            let form = [
                ("token", token.text.as_str()),
                ("client_id", token.client.as_str()),
                ("client_secret", token.secret.as_str()),
            ];
            let mut reply = agent.post(format!("{url}/oauth/introspect")).send_form(form)?;
            let body: Value = reply.body_mut().read_json()?;
            if body["active"] == true { Ok(()) } else { Err("the token is not active".into()) }
        })?;
        row(what, rate, limit);
    }

    println!();
    println!("| what, on one core | a second | of the limit |\n|---|---|---|");
    let message = jwt.text.rsplit_once('.').ok_or("no JWT")?.0.to_owned();
    let pair = Ed25519KeyPair::generate()?;
    let signature = pair.sign(message.as_bytes());
    let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    let limit = one_core(span, || Ok(public.verify(message.as_bytes(), signature.as_ref())?))?;
    row("bare Ed25519 verifications of that length (the limit)", limit, limit);
    let verifier = Verifier::builder(url).audience(url).build()?;
    let check = Check::new();
    let rate = one_core(span, || {
        verifier.verify(&jwt.text, &check)?;
        Ok(())
    })?;
    row("offline verification by countersign-verify, revocations included", rate, limit);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
fn row(what: &str, rate: u64, limit: u64) {
    println!("| {what} | {rate} | {:.0} % |", 100.0 * rate as f64 / limit as f64);
}

/// Replies a second, with as many callers at once, each on a connection of its own.
fn http(callers: usize, span: Duration, call: impl Fn(&ureq::Agent) -> Tried<()> + Sync) -> Tried<u64> {
    let done = AtomicU64::new(0);
    let start = Instant::now();
    let failed = std::thread::scope(|scope| {
        let running: Vec<_> = (0..callers)
            .map(|_| {
                scope.spawn(|| -> Result<(), String> {
                    let agent = ureq::Agent::new_with_defaults();
                    while start.elapsed() < span {
                        call(&agent).map_err(|error| error.to_string())?;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        running
            .into_iter()
            .find_map(|caller| caller.join().map_or(Some("a caller fell".to_owned()), Result::err))
    });
    failed.map_or_else(|| Ok(a_second(done.into_inner(), start)), |why| Err(why.into()))
}

fn one_core(span: Duration, mut work: impl FnMut() -> Tried<()>) -> Tried<u64> {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < span {
        // The clock is read once for a hundred.
        for _ in 0..100 {
            work()?;
        }
        done += 100;
    }
    Ok(a_second(done, start))
}

fn a_second(done: u64, start: Instant) -> u64 {
    let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    done * 1000 / millis
}

/// A token, and the client that it was issued to.
struct Token {
    text: String,
    client: String,
    secret: String,
}

/// A server in a temporary folder; ends with this value.
struct Server {
    binary: PathBuf,
    folder: tempfile::TempDir,
    process: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start(binary: &Path) -> Tried<Self> {
        let folder = tempfile::tempdir()?;
        // The verifier fetches from the issuer, so the issuer must be the address, so the port must be known before.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let url = format!("http://127.0.0.1:{port}");
        let mut process = Command::new(binary)
            .args([
                "serve",
                "--log",
                "warn",
                "--public-url",
                &url,
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--data",
            ])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        if !line.starts_with("listening on ") {
            return Err("the server did not start".into());
        }
        let server = Self { binary: binary.to_owned(), folder, process, url };
        server.command(&["user", "add", "alice"])?;
        Ok(server)
    }

    fn command(&self, arguments: &[&str]) -> Tried<Value> {
        let mut command = Command::new(&self.binary);
        let output = command.args(arguments).arg("--json").arg("--data").arg(self.folder.path()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// A token of this format, by a factor of its own.
    fn token(&self, format: &str) -> Tried<Token> {
        let added = self.command(&[
            "client",
            "add",
            format,
            "--grant",
            OTP,
            "--token-format",
            format,
            "--token-ttl",
            "86400",
        ])?;
        let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned).ok_or("no such field");
        let (client, secret) = (text(&added, "client_id")?, text(&added, "client_secret")?);
        let enrolled = self.command(&["factor", "enrol", "alice", "--kind", "totp", "--active"])?;
        let (uri, _) = KeyUri::parse(&text(&enrolled, "uri")?)?;
        let Kind::Totp { period } = uri.kind() else { return Err("no TOTP".into()) };
        let totp = Totp { algorithm: uri.algorithm(), digits: uri.digits(), period };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let code = totp.code(uri.secret(), totp.step_at(now));
        let form = [
            ("grant_type", OTP),
            ("username", "alice"),
            ("otp", code.as_str()),
            ("client_id", client.as_str()),
            ("client_secret", secret.as_str()),
        ];
        let reply: Value =
            ureq::post(format!("{}/oauth/token", self.url)).send_form(form)?.body_mut().read_json()?;
        Ok(Token { text: text(&reply, "access_token")?, client, secret })
    }
}
