//! The whole story against a running server, with every command, request and reply: `cargo xtask demo`.
//!
//! Three play: the *operator* at the command line of the server, an *application* that speaks OAuth, and the *phone*, which
//! is `mobile-core` with nothing but a QR code's text and a clock. The story ends at the first reply that is not the expected one.
//!
//! 1. The operator adds a user and an application.
//! 2. The password alone is not enough; with what it brings, the phone enrols itself.
//! 3. A wrong code is refused, a right one becomes a token.
//! 4. The token proves itself: its signature against the server's published key, and by asking the server.
//! 5. No code counts twice; the next one does.
//! 6. What was given can be taken back: a token revoked, a factor reset.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime};
use std::{env, thread};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use mobile_core::{KeyUri, Kind, Secret, Step, Totp};
use serde_json::Value;

const USAGE: &str = "usage: demo [--url URL] [--data FOLDER] [--binary COUNTERSIGN]";
const PASSWORD: &str = "correct horse battery staple";
const MFA_OTP: &str = "http://auth0.com/oauth/grant-type/mfa-otp";
const OTP: &str = "urn:countersign:params:oauth:grant-type:otp";

/// What did not go as the story says.
type Played<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let mut stage = Stage {
        url: "http://localhost:8080".to_owned(),
        data: "./data".to_owned(),
        binary: "target/debug/countersign".to_owned(),
        agent: ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into(),
    };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let setting = match word.as_str() {
            "--url" => &mut stage.url,
            "--data" => &mut stage.data,
            "--binary" => &mut stage.binary,
            _ => return say(2, USAGE),
        };
        match words.next() {
            Some(value) => value.trim_end_matches('/').clone_into(setting),
            None => return say(2, USAGE),
        }
    }
    if stage.agent.get(format!("{}/healthz", stage.url)).call().is_err() {
        return say(
            1,
            &format!("no server answers at {}; start one in another terminal: cargo xtask run", stage.url),
        );
    }
    let suffix = format!("{:08x}", RandomState::new().build_hasher().finish() >> 32);
    let names = Names { user: format!("demo-{suffix}"), client: format!("demo-shop-{suffix}") };
    match play(&stage, &names).and_then(|()| clear(&stage, &names)) {
        Ok(()) => say(0, "\nEverything went as it should."),
        Err(why) => {
            // The story has failed already; that some of it may still lie about is the smaller trouble.
            let _ = clear(&stage, &names);
            say(1, &format!("\nNOT AS EXPECTED: {why}"))
        }
    }
}

fn say(code: u8, line: &str) -> ExitCode {
    match code {
        0 => println!("{line}"),
        _ => eprintln!("{line}"),
    }
    ExitCode::from(code)
}

/// The names of this performance, so that it can be repeated.
struct Names {
    user: String,
    client: String,
}

/// The application: how it shows the server who it is.
struct Client {
    id: String,
    authorization: String,
}

/// What the phone knows after reading the QR code, and the three neighbouring steps whose codes it will show.
struct Phone {
    totp: Totp,
    secret: Secret,
    steps: [Step; 3],
}

fn play(stage: &Stage, names: &Names) -> Played {
    let client = prepare(stage, names)?;
    let (mfa_token, phone) = enrol(stage, names, &client)?;
    let first = exchange(stage, &client, &phone, &mfa_token)?;
    examine(stage, names, &client, &first)?;
    let second = never_twice(stage, names, &client, &phone)?;
    take_back(stage, names, &client, &phone, (&first, &second))
}

fn prepare(stage: &Stage, names: &Names) -> Played<Client> {
    title("1. The operator adds a user and an application");
    let user = stage.operator(&["user", "add", &names.user, "--password-stdin"], Some(PASSWORD))?;
    same("name", &user["name"], &names.user)?;
    let grants = ["--grant", "password", "--grant", MFA_OTP, "--grant", OTP];
    let client = stage.operator(&[&["client", "add", &names.client], &grants[..]].concat(), None)?;
    let id = text(&client, "client_id")?;
    let authorization =
        format!("Basic {}", STANDARD.encode(format!("{id}:{}", text(&client, "client_secret")?)));
    Ok(Client { id, authorization })
}

fn enrol(stage: &Stage, names: &Names, client: &Client) -> Played<(String, Phone)> {
    title("2. The password alone is not enough: the phone enrols");
    let form = [("grant_type", "password"), ("username", &names.user), ("password", PASSWORD)];
    let reply = stage.post("/oauth/token", &client.authorization, &form)?;
    reply.must_be(&[403], Some("mfa_required"))?;
    let mfa_token = text(&reply.body, "mfa_token")?;

    let body = serde_json::json!({ "authenticator_types": ["otp"] });
    let reply = stage.post_json("/mfa/associate", &format!("Bearer {mfa_token}"), &body)?;
    reply.must_be(&[200], None)?;
    let (uri, _) =
        KeyUri::parse(&text(&reply.body, "barcode_uri")?).map_err(|why| format!("barcode_uri: {why}"))?;
    let Kind::Totp { period } = uri.kind() else { return Err("barcode_uri: is not of kind totp".to_owned()) };
    same("secret", &reply.body["secret"], &uri.secret().to_base32())?;
    let phone =
        Phone::new(Totp { algorithm: uri.algorithm(), digits: uri.digits(), period }, uri.secret().clone());
    let issuer = uri.issuer().unwrap_or("nobody");
    told(&format!("the phone read: {} at {issuer}, {} digits every {period} s", uri.account(), uri.digits()));
    Ok((mfa_token, phone))
}

fn exchange(stage: &Stage, client: &Client, phone: &Phone, mfa_token: &str) -> Played<String> {
    title("3. A wrong code is refused, a right one becomes a token");
    let wrong = phone.wrong_code();
    let reply = stage.mfa_otp(client, mfa_token, &wrong)?;
    reply.must_be(&[400, 403], Some("invalid_grant"))?;

    let code = phone.shows(0);
    let reply = stage.mfa_otp(client, mfa_token, &code)?;
    reply.must_be(&[200], None)?;
    same("token_type", &reply.body["token_type"], "Bearer")?;
    text(&reply.body, "access_token")
}

fn examine(stage: &Stage, names: &Names, client: &Client, token: &str) -> Played {
    title("4. The token proves itself");
    let header = decode_header(token).map_err(|why| format!("the access token is no JWT: {why}"))?;
    same("typ", &Value::from(header.typ.clone()), "at+jwt")?;
    let reply = stage.get("/.well-known/jwks.json")?;
    reply.must_be(&[200], None)?;
    let keys: JwkSet = serde_json::from_value(reply.body).map_err(|why| format!("jwks.json: {why}"))?;
    let kid = header.kid.clone().ok_or("the access token names no key")?;
    let key = keys.find(&kid).ok_or(format!("no published key is called {kid}"))?;
    let key = DecodingKey::from_jwk(key).map_err(|why| format!("the key {kid}: {why}"))?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    // Without an audience asked for, a token is for the server itself; the story checks that below.
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
    let claims =
        decode::<Value>(token, &key, &validation).map_err(|why| format!("the signature: {why}"))?.claims;
    let header = serde_json::to_value(header).map_err(|why| why.to_string())?;
    show("the token's header", &header);
    show("the token's claims", &claims);
    same("client_id", &claims["client_id"], &client.id)?;
    same("aud", &claims["aud"], &text(&claims, "iss")?)?;
    for method in ["otp", "mfa"] {
        let methods = claims["amr"].as_array().ok_or("amr is not a list")?;
        if !methods.iter().any(|name| name == method) {
            return Err(format!("amr lacks `{method}`"));
        }
    }
    told("its Ed25519 signature is right under that key, and it is for the server itself");

    let reply = stage.introspect(client, token)?;
    reply.must_be(&[200], None)?;
    reply.must_be_active(true)?;
    same("sub", &reply.body["sub"], &text(&claims, "sub")?)?;
    if let Some(name) = reply.body["username"].as_str() {
        same("username", &Value::from(name), &names.user)?;
    }
    Ok(())
}

fn never_twice(stage: &Stage, names: &Names, client: &Client, phone: &Phone) -> Played<String> {
    title("5. No code counts twice; the next one does");
    let reply = stage.otp(client, names, &phone.shows(0))?;
    reply.must_be(&[400, 403], Some("invalid_grant"))?;
    let reply = stage.otp(client, names, &phone.shows(1))?;
    reply.must_be(&[200], None)?;
    text(&reply.body, "access_token")
}

fn take_back(stage: &Stage, names: &Names, client: &Client, phone: &Phone, tokens: (&str, &str)) -> Played {
    title("6. What was given can be taken back");
    let reply = stage.post("/oauth/revoke", &client.authorization, &[("token", tokens.0)])?;
    reply.must_be(&[200], None)?;
    stage.introspect(client, tokens.0)?.must_be_active(false)?;
    stage.introspect(client, tokens.1)?.must_be_active(true)?;
    told("the revoked token is dead, the other one lives");

    stage.operator(&["factor", "reset", &names.user], None)?;
    stage.introspect(client, tokens.1)?.must_be_active(false)?;
    phone.wait_until_good(2);
    let reply = stage.otp(client, names, &phone.shows(2))?;
    reply.must_be(&[400, 403], Some("invalid_grant"))?;
    told("the code was right, but its factor is no more, and neither are the tokens it had brought");
    Ok(())
}

fn clear(stage: &Stage, names: &Names) -> Played {
    title("The operator clears the stage");
    let user = stage.operator(&["user", "remove", &names.user], None);
    let client = stage.operator(&["client", "remove", &names.client], None);
    user.and(client).map(drop)
}

impl Phone {
    /// Servers allow one step either side. So three codes are good now or very soon, and the story need not wait for a minute:
    /// that of the step before this one, unless it ends within ten seconds, and the two after it.
    fn new(totp: Totp, secret: Secret) -> Self {
        let first = totp.step_at((now() + 10).saturating_sub(u64::from(totp.period.get())));
        let [second, third] = [1, 2].map(|ahead| Step::new(first.get() + ahead));
        Self { totp, secret, steps: [first, second, third] }
    }

    fn shows(&self, index: usize) -> String {
        self.totp.code(&self.secret, self.steps[index]).as_str().to_owned()
    }

    /// A number that is the code of no step nearby.
    fn wrong_code(&self) -> String {
        let first = self.steps[0].get();
        let near: Vec<String> = (first.saturating_sub(5)..first + 10)
            .map(|step| self.totp.code(&self.secret, Step::new(step)).as_str().to_owned())
            .collect();
        let width = usize::from(self.totp.digits.get());
        let codes = (0..).map(|number| format!("{number:0width$}"));
        codes.into_iter().find(|code| !near.contains(code)).unwrap_or_default()
    }

    /// Waits until the server's window has reached that code: one step before its own.
    fn wait_until_good(&self, index: usize) {
        let from = (self.steps[index].get() - 1) * u64::from(self.totp.period.get());
        let seconds = from.saturating_sub(now());
        if seconds > 0 {
            told(&format!("waiting {seconds} s, until the next code would be good"));
            thread::sleep(Duration::from_secs(seconds));
        }
    }
}

/// The phone's clock: seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this is the phone, and phones have a clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// How to reach the server, from outside and from inside.
struct Stage {
    url: String,
    data: String,
    binary: String,
    agent: ureq::Agent,
}

/// What came back.
struct Reply {
    status: u16,
    /// `null` for an empty body.
    body: Value,
}

impl Stage {
    /// One command of the operator, with its answer.
    fn operator(&self, words: &[&str], input: Option<&str>) -> Played<Value> {
        let from = if input.is_some() { "printf ... | " } else { "" };
        println!("\n  $ {from}countersign {} --json", words.join(" "));
        let mut command = Command::new(&self.binary);
        command.args(words).args(["--json", "--data", &self.data]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|why| format!("{} cannot be started: {why}", self.binary))?;
        if let Some(mut pipe) = child.stdin.take() {
            // A command that ends without reading is judged by its exit code.
            let _ = pipe.write_all(input.unwrap_or_default().as_bytes());
        }
        let output = child.wait_with_output().map_err(|why| why.to_string())?;
        if !output.status.success() {
            let words = words.join(" ");
            return Err(format!("`countersign {words}`: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let answer =
            serde_json::from_slice(&output.stdout).map_err(|why| format!("the answer is not JSON: {why}"))?;
        print_json(&answer);
        Ok(answer)
    }

    fn get(&self, path: &str) -> Played<Reply> {
        println!("\n  > GET {path}");
        finish(self.agent.get(format!("{}{path}", self.url)).call())
    }

    fn post(&self, path: &str, authorization: &str, form: &[(&str, &str)]) -> Played<Reply> {
        request_line(path, authorization);
        for (name, value) in form {
            println!("      {name}={}", shortened(name, value));
        }
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", authorization);
        finish(request.send_form(form.iter().copied()))
    }

    fn post_json(&self, path: &str, authorization: &str, body: &Value) -> Played<Reply> {
        request_line(path, authorization);
        println!("      {body}");
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", authorization);
        finish(request.send_json(body))
    }

    fn mfa_otp(&self, client: &Client, mfa_token: &str, code: &str) -> Played<Reply> {
        let form = [("grant_type", MFA_OTP), ("mfa_token", mfa_token), ("otp", code)];
        self.post("/oauth/token", &client.authorization, &form)
    }

    fn otp(&self, client: &Client, names: &Names, code: &str) -> Played<Reply> {
        let form = [("grant_type", OTP), ("username", names.user.as_str()), ("otp", code)];
        self.post("/oauth/token", &client.authorization, &form)
    }

    fn introspect(&self, client: &Client, token: &str) -> Played<Reply> {
        self.post("/oauth/introspect", &client.authorization, &[("token", token)])
    }
}

impl Reply {
    /// One of `statuses`; and with `error`, that error code in the body.
    fn must_be(&self, statuses: &[u16], error: Option<&str>) -> Played {
        if !statuses.contains(&self.status) {
            return Err(format!("status {} instead of {statuses:?}", self.status));
        }
        error.map_or(Ok(()), |error| same("error", &self.body["error"], error))
    }

    /// An introspection with this outcome (RFC 7662 s2.2).
    fn must_be_active(&self, active: bool) -> Played {
        self.must_be(&[200], None)?;
        if self.body["active"] == active { Ok(()) } else { Err(format!("active is not {active}")) }
    }
}

fn finish(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Played<Reply> {
    let mut response = response.map_err(|why| format!("no reply: {why}"))?;
    let status = response.status();
    println!("  < {status}");
    let text = response.body_mut().read_to_string().map_err(|why| format!("the reply breaks off: {why}"))?;
    let body = match text.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).map_err(|why| format!("the reply is not JSON: {why}"))?,
    };
    print_json(&body);
    Ok(Reply { status: status.as_u16(), body })
}

fn text(body: &Value, field: &str) -> Played<String> {
    body[field].as_str().map(str::to_owned).ok_or_else(|| format!("`{field}` is missing"))
}

fn same(field: &str, found: &Value, expected: &str) -> Played {
    if found == expected { Ok(()) } else { Err(format!("`{field}` is {found} instead of \"{expected}\"")) }
}

fn title(line: &str) {
    println!("\n{line}\n{}", "=".repeat(line.chars().count()));
}

fn told(line: &str) {
    println!("\n  ({line})");
}

fn show(what: &str, value: &Value) {
    println!("\n  {what}:");
    print_json(value);
}

fn request_line(path: &str, authorization: &str) {
    let scheme = authorization.split(' ').next().unwrap_or_default();
    println!("\n  > POST {path}   (authorization: {scheme} ...)");
}

fn print_json(value: &Value) {
    let mut value = value.clone();
    shorten("", &mut value);
    for line in format!("{value:#}").lines().filter(|_| !value.is_null()) {
        println!("      {line}");
    }
}

/// Cuts every secret in `value`, the value of the field `name`.
fn shorten(name: &str, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // The URI repeats the secret.
            let secret = fields.get("secret").and_then(Value::as_str).map(str::to_owned);
            if let (Some(secret), Some(Value::String(uri))) = (secret, fields.get_mut("barcode_uri")) {
                *uri = uri.replace(&secret, &shortened("secret", &secret));
            }
            fields.iter_mut().for_each(|(name, value)| shorten(name, value));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| shorten(name, value)),
        Value::String(text) => *text = shortened(name, text),
        _ => {}
    }
}

/// The value of a form or JSON field as it is shown: secrets only by their ends, very long texts by their beginning.
fn shortened(name: &str, value: &str) -> String {
    let start = |length| value.chars().take(length).collect::<String>();
    match name {
        "password" | "secret" | "client_secret" | "recovery_codes" => format!("{}...", start(4)),
        "token" | "mfa_token" | "access_token" | "refresh_token" => {
            format!(
                "{}...{}",
                start(6),
                value.chars().skip(value.chars().count().saturating_sub(6)).collect::<String>()
            )
        }
        _ if value.chars().count() > 160 => format!("{}...", start(160)),
        _ => value.to_owned(),
    }
}
