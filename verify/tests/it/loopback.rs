//! Over a real socket: the source that the feature `fetch` brings.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use countersign_verify::{Check, Error, RevocationPolicy, Verifier};
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, HandClock, Key, World, changed};

/// Answers by path, one connection a request, until the test's process ends.
struct Server {
    address: SocketAddr,
    answers: Arc<Mutex<HashMap<String, String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let answers = Arc::new(Mutex::new(HashMap::new()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let server = Self { address, answers: Arc::clone(&answers), asked: Arc::clone(&asked) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let path = request(&stream);
                let answer = answers.lock().expect("no thread panicked").get(&path).cloned();
                asked.lock().expect("no thread panicked").push(path);
                let answer = answer
                    .unwrap_or_else(|| "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned());
                // A client that gave up is no matter.
                _ = (&stream).write_all(answer.as_bytes());
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn answer(&self, path: &str, content_type: &str, body: &str) {
        let head =
            format!("Content-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close", body.len());
        self.answer_raw(path, format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}"));
    }

    fn answer_raw(&self, path: &str, answer: String) {
        self.answers.lock().expect("no thread panicked").insert(path.to_owned(), answer);
    }
}

/// Reads one request and returns its path.
fn request(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)).unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    path
}

fn verifier(server: &Server, clock: &Arc<HandClock>) -> Verifier {
    Verifier::builder(server.url()).audience(AUDIENCE).clock(Arc::clone(clock)).build().expect("a verifier")
}

fn claims(world: &World, server: &Server) -> Value {
    changed(world.claims(), &json!({"iss": server.url()}))
}

#[test]
fn keys_and_revocations_come_over_http() {
    let (server, world) = (Server::start(), World::with(Key::p256("ec"), |builder| builder));
    let list = |changes: &Value| {
        let claims = changed(world.issuer.list_claims(0), &json!({"iss": server.url(), "until": 3}));
        world.key.sign(world.key.header("revocations+jwt"), changed(claims, changes))
    };
    server.answer(
        "/.well-known/jwks.json",
        "application/json",
        &json!({"keys": [world.key.jwk()]}).to_string(),
    );
    server.answer("/oauth/revocations", "application/jwt", &list(&json!({})));
    let verifier = verifier(&server, &world.clock);
    verifier.warm_up().unwrap();
    let token = world.key.sign(world.key.header("at+jwt"), claims(&world, &server));
    assert!(verifier.verify(&token, &Check::new()).is_ok());
    world.clock.advance(60);
    let taken_back = json!({"since": 3, "until": 4, "sessions": [["01a0dddd-0000-7000-8000-000000000004", 4_000_000_000_u64]]});
    server.answer("/oauth/revocations?since=3", "application/jwt", &list(&taken_back));
    assert_eq!(verifier.verify(&token, &Check::new()), Err(Error::Revoked));
    assert_eq!(
        *server.asked.lock().unwrap(),
        ["/.well-known/jwks.json", "/oauth/revocations", "/oauth/revocations?since=3"]
    );
}

#[test]
fn a_redirect_is_not_followed() {
    let (server, elsewhere, world) = (Server::start(), Server::start(), World::new());
    let keys = json!({"keys": [world.key.jwk()]}).to_string();
    elsewhere.answer("/.well-known/jwks.json", "application/json", &keys);
    server.answer_raw(
        "/.well-known/jwks.json",
        format!(
            "HTTP/1.1 302 Found\r\nLocation: {}/.well-known/jwks.json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            elsewhere.url()
        ),
    );
    let verifier = verifier(&server, &world.clock);
    assert_eq!(verifier.warm_up(), Err(Error::KeysUnavailable));
    assert!(elsewhere.asked.lock().unwrap().is_empty());
    assert_eq!(verifier.failures().len(), 1);
}

#[test]
fn an_error_page_and_a_closed_port_are_failures() {
    let (server, world) = (Server::start(), World::new());
    let verifier = verifier(&server, &world.clock);
    let token = world.key.sign(world.key.header("at+jwt"), claims(&world, &server));
    assert_eq!(verifier.verify(&token, &Check::new()), Err(Error::KeysUnavailable));
    assert_eq!(verifier.failures(), ["keys: the issuer answered 404"]);
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let verifier = Verifier::builder(format!("http://{closed}"))
        .audience(AUDIENCE)
        .revocations(RevocationPolicy::Ignored)
        .build()
        .expect("a verifier");
    assert_eq!(verifier.warm_up(), Err(Error::KeysUnavailable));
}

#[test]
fn a_document_without_end_is_not_read_to_its_end() {
    let (server, world) = (Server::start(), World::new());
    let keys = json!({"keys": [world.key.jwk()], "padding": "x".repeat(countersign_verify::DOCUMENT_BYTES)});
    server.answer("/.well-known/jwks.json", "application/json", &keys.to_string());
    let verifier = verifier(&server, &world.clock);
    assert_eq!(verifier.warm_up(), Err(Error::KeysUnavailable));
    let failures = verifier.failures().join("; ");
    assert!(failures.contains("limit"), "{failures}");
}

#[test]
fn an_issuer_with_https_is_never_asked_in_the_clear() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let first_bytes = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut bytes = [0; 3];
        stream.read_exact(&mut bytes).expect("a greeting");
        bytes
    });
    let verifier = Verifier::builder(url).audience(AUDIENCE).build().expect("a verifier");
    assert_eq!(verifier.warm_up(), Err(Error::KeysUnavailable));
    // A TLS handshake record (RFC 8446 s5.1).
    assert_eq!(first_bytes.join().expect("a greeting")[..2], [0x16, 0x03]);
}
