//! Malformed requests: a 4xx that names the field, and nothing changed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::app;
use countersign::app::user::NewUser;
use countersign::domain::client::Grant;
use countersign::domain::user::{Role, UserName};
use serde_json::json;

use crate::actors::{App, ISSUER, form_urlencoded};
use crate::{Backend, tests};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

tests![
    malformed_codes_are_refused_by_name,
    missing_and_empty_fields_are_refused_by_name,
    doubled_fields_are_refused_by_name,
    bytes_that_are_not_utf8_are_refused,
    a_megabyte_is_refused_before_it_is_read,
    json_bodies_work_and_other_types_in_them_are_refused,
    deep_json_is_refused,
    other_content_types_are_refused,
    names_that_no_database_takes_are_refused,
    credentials_come_in_one_way_only,
    unknown_grant_types_are_refused,
    unknown_user_and_wrong_code_look_the_same,
    unknown_user_and_wrong_code_take_about_the_same_time,
    paths_and_methods_that_are_not_there_are_problems,
    associate_takes_otp_only,
    authorization_details_are_refused_rather_than_ignored,
    a_body_that_never_ends_is_given_up,
    head_is_get_without_the_body,
    what_is_doubled_counts_neither_way,
    errors_hold_what_oauth_allows,
];

fn malformed_codes_are_refused_by_name(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let nine = "123456789";
    let long = "1".repeat(5000);
    for bad in [
        "12345",
        nine,
        " ",
        "-12345",
        "+123456",
        "12345a",
        "１２３４５６",
        "١٢٣٤٥٦",
        "123\u{a0}456",
        "0x1234",
        "1e5000",
        &long,
        "12\n3456",
        "123456\0",
    ] {
        let reply = client.otp("alice", bad);
        reply.must_be(400, "invalid_request");
        assert!(reply.text("error_description").starts_with("otp "), "{bad:?}: {reply:?}");
        assert!(!reply.text("error_description").contains(bad.trim()) || bad.trim().is_empty(), "{reply:?}");
    }
    // Right in form but not of this factor's length: a wrong code like any other.
    for wrong in ["1234567", "12345678"] {
        client.otp("alice", wrong).must_be(400, "invalid_grant");
    }
    client.otp("alice", &phone.code()).access_token();
}

fn missing_and_empty_fields_are_refused_by_name(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let otp = ("grant_type", Grant::Otp.as_str());
    let mfa = ("grant_type", Grant::MfaOtp.as_str());
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[], "grant_type"),
        (&[("grant_type", "")], "grant_type"),
        (&[otp], "username"),
        (&[otp, ("username", "")], "username"),
        (&[otp, ("username", "alice")], "otp"),
        (&[otp, ("username", "alice"), ("otp", "")], "otp"),
        (&[mfa, ("otp", "123456")], "mfa_token"),
        (&[("grant_type", "password"), ("password", "x")], "username"),
        (&[("grant_type", "password"), ("username", "alice")], "password"),
    ];
    for (fields, missing) in cases {
        let reply = client.token(fields);
        reply.must_be(400, "invalid_request");
        assert_eq!(reply.text("error_description"), format!("{missing} is missing"));
    }
    let reply = client.introspect("");
    reply.must_be(400, "invalid_request");
    assert_eq!(reply.text("error_description"), "token is missing");
}

fn doubled_fields_are_refused_by_name(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let code = phone.code();
    let fields = [("grant_type", Grant::Otp.as_str()), ("username", "alice"), ("otp", code.as_str())];
    for doubled in ["grant_type", "username", "otp", "client_id"] {
        let mut twice = fields.to_vec();
        twice.push((doubled, "123456"));
        let reply = client.token(&twice);
        reply.must_be(400, "invalid_request");
        assert_eq!(reply.text("error_description"), format!("{doubled} is given more than once"));
    }
    let body = format!(r#"{{"grant_type":"x","otp":"{code}","otp":"{code}"}}"#);
    let reply = app.post("/oauth/token", &[JSON], body.as_bytes());
    reply.must_be(400, "invalid_request");
    assert_eq!(reply.text("error_description"), "otp is given more than once");
    client.token(&fields).access_token();
}

fn bytes_that_are_not_utf8_are_refused(on: Backend) {
    let app = App::start(on);
    for body in [&b"grant_type=\xff\xfe"[..], b"otp=%ff", b"%ff=1", b"\xc3\x28"] {
        app.post("/oauth/token", &[FORM], body).must_be(400, "invalid_request");
    }
    app.post("/oauth/token", &[JSON], b"{\"otp\":\"\xff\"}").must_be(400, "invalid_request");
    app.post("/oauth/token", &[JSON], br#"{"otp":"\ud800"}"#).must_be(400, "invalid_request");
}

fn a_megabyte_is_refused_before_it_is_read(on: Backend) {
    let app = App::start(on);
    let address = app.url.strip_prefix("http://").unwrap();
    // Announces a megabyte, or sends it in chunks without announcing anything; neither gets further than 64 KiB.
    for head in ["content-length: 1048576\r\n\r\n", "transfer-encoding: chunked\r\n\r\n10000\r\n"] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let start =
            "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n";
        stream.write_all(start.as_bytes()).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&vec![b'a'; 65_536]).unwrap();
        if head.starts_with("transfer") {
            stream.write_all(b"\r\n10000\r\n").unwrap();
        }
        stream.write_all(b"aaaaaaaa").unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "closed after {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..read]);
        }
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
    assert_eq!(app.get("/healthz").status, 200);
}

fn json_bodies_work_and_other_types_in_them_are_refused(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let body = json!({
        "grant_type": Grant::Otp.as_str(), "username": "alice", "otp": phone.code(),
        "client_id": client.id, "client_secret": client.secret,
    });
    for (field, value) in [
        ("otp", json!(123_456)),
        ("otp", json!(["123456"])),
        ("username", json!({"a": 1})),
        ("grant_type", json!(true)),
    ] {
        let mut bad = body.clone();
        bad[field] = value;
        let reply = app.post("/oauth/token", &[JSON], bad.to_string().as_bytes());
        reply.must_be(400, "invalid_request");
        assert_eq!(reply.text("error_description"), format!("{field} must be a string"));
    }
    for bad in ["", "[]", "null", "\"x\"", "{", "{\"a\":}", "1"] {
        app.post("/oauth/token", &[JSON], bad.as_bytes()).must_be(400, "invalid_request");
    }
    app.post("/oauth/token", &[JSON], body.to_string().as_bytes()).access_token();
}

fn deep_json_is_refused(on: Backend) {
    let app = App::start(on);
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{{\"otp\":{}1{}}}", open.repeat(6000), close.repeat(6000));
        app.post("/oauth/token", &[JSON], deep.as_bytes()).must_be(400, "invalid_request");
        app.post("/mfa/associate", &[JSON, ("authorization", "Bearer x")], deep.as_bytes())
            .must_be_problem(400, "invalid_request");
    }
}

fn other_content_types_are_refused(on: Backend) {
    let app = App::start(on);
    for other in ["text/plain", "multipart/form-data; boundary=x", "application/xml"] {
        app.post("/oauth/token", &[("content-type", other)], b"grant_type=password")
            .must_be(400, "invalid_request");
    }
    app.post("/oauth/token", &[], b"grant_type=password").must_be(400, "invalid_request");
}

fn names_that_no_database_takes_are_refused(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let long = "x".repeat(200);
    for bad in ["a\0b", "\0", "a\u{1b}[2Jb", " alice", "al:ice", "\u{202e}alice", long.as_str()] {
        for fields in [
            [("grant_type", Grant::Otp.as_str()), ("username", bad), ("otp", "123456")],
            [("grant_type", "password"), ("username", bad), ("password", "x")],
        ] {
            let reply = client.token(&fields);
            reply.must_be(400, "invalid_request");
            assert!(reply.text("error_description").starts_with("username "), "{reply:?}");
        }
    }
    // Elsewhere the text is only compared or hashed.
    client.mfa_otp("a\0b", "123456").must_be(400, "invalid_grant");
    client.with_secret("a\0b").otp("alice", "123456").must_be(401, "invalid_client");
    client.token(&[("grant_type", "client_credentials"), ("scope", "a\0")]).must_be(400, "invalid_scope");
    client.token(&[("grant_type", "client_credentials"), ("audience", "a\0")]).must_be(400, "invalid_target");
    assert!(!client.is_active("a\0b"));
    // The largest id there can be, and texts that only look like ids.
    for id in ["ffffffff-ffff-ffff-ffff-ffffffffffff", "' OR 1=1 --", "../../etc/passwd"] {
        let fields = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", "x")];
        app.post("/oauth/token", &[FORM], form_urlencoded(&fields).as_bytes()).must_be(401, "invalid_client");
    }
}

fn credentials_come_in_one_way_only(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", client.id, client.secret)));
    let authorization = ("authorization", basic.as_str());
    let form = |fields: &[(&str, &str)]| {
        app.post("/oauth/token", &[FORM, authorization], form_urlencoded(fields).as_bytes())
    };
    let grant = ("grant_type", "client_credentials");
    form(&[grant]).access_token();
    form(&[grant, ("client_id", &client.id)]).access_token();
    form(&[grant, ("client_secret", &client.secret)]).must_be(400, "invalid_request");
    form(&[grant, ("client_id", "another")]).must_be(400, "invalid_request");
    for bad in ["Basic", "Basic !", "Basic YQ==", "Bearer x"] {
        let reply =
            app.post("/oauth/token", &[FORM, ("authorization", bad)], b"grant_type=client_credentials");
        reply.must_be(401, "invalid_client");
        assert!(reply.header("www-authenticate").unwrap().starts_with("Basic "));
    }
    let reply = app.post("/oauth/token", &[FORM], b"grant_type=client_credentials");
    reply.must_be(401, "invalid_client");
}

fn unknown_grant_types_are_refused(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    for unknown in ["implicit", "PASSWORD", "nonsense"] {
        client.token(&[("grant_type", unknown)]).must_be(400, "unsupported_grant_type");
    }
}

fn unknown_user_and_wrong_code_look_the_same(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    app.user("bob");
    app.user("carol");
    let (phone, client) = (app.phone("alice"), app.client());
    app.enrol("carol", app::factor::NewFactor::default());
    client.otp("alice", &phone.code()).access_token();
    let shown = |reply: crate::actors::Reply| {
        let mut headers = reply.headers;
        headers.retain(|(name, _)| name != "x-request-id" && name != "date");
        headers.sort();
        (reply.status, headers, reply.body)
    };
    let wrong = phone.wrong_code();
    let expected = shown(client.otp("alice", &wrong));
    assert_eq!(expected.0, 400);
    for (user, code, what) in [
        ("alice", phone.code(), "replayed"),
        ("nobody", wrong.clone(), "unknown user"),
        ("bob", wrong.clone(), "no factor"),
        ("carol", wrong.clone(), "unconfirmed factor"),
        ("alice", "12345678".to_owned(), "of another length"),
    ] {
        assert_eq!(shown(client.otp(user, &code)), expected, "{what}");
    }
    let expected = shown(client.password("alice", "wrong password"));
    for (user, what) in [("nobody", "unknown user"), ("bob", "no password")] {
        assert_eq!(shown(client.password(user, "wrong password")), expected, "{what}");
    }
}

/// Roughly: the medians of many tries in turn lie within a factor of two. A path that skipped the check, the count or the log entry, or the
/// password's hash, would be several times faster.
fn unknown_user_and_wrong_code_take_about_the_same_time(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let users: Vec<String> = (0..20).map(|index| format!("user{index}")).collect();
    let mut wrong = String::new();
    for user in &users {
        app.user_with_costly_password(user);
        wrong = app.phone(user).wrong_code();
    }
    let time = |request: &dyn Fn()| {
        let start = Instant::now();
        request();
        start.elapsed()
    };
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for user in &users {
        known.push(time(&|| client.otp(user, &wrong).must_be(400, "invalid_grant")));
        unknown.push(time(&|| client.otp(&format!("no{user}"), &wrong).must_be(400, "invalid_grant")));
    }
    let ratio = median(known).as_secs_f64() / median(unknown).as_secs_f64();
    assert!((0.5..2.0).contains(&ratio), "codes: known / unknown = {ratio:.2}");

    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for user in &users[..10] {
        known.push(time(&|| client.password(user, "wrong password").must_be(400, "invalid_grant")));
        unknown.push(time(&|| {
            client.password(&format!("no{user}"), "wrong password").must_be(400, "invalid_grant");
        }));
    }
    let ratio = median(known).as_secs_f64() / median(unknown).as_secs_f64();
    assert!((0.5..2.0).contains(&ratio), "passwords: known / unknown = {ratio:.2}");
}

fn paths_and_methods_that_are_not_there_are_problems(on: Backend) {
    let app = App::start(on);
    for path in ["/nothing", "/oauth/", "/oauth/token/", "/..%2f", "/mfa/authenticators/x/y"] {
        app.get(path).must_be_problem(404, "not_found");
    }
    let reply = app.get("/oauth/token");
    reply.must_be_problem(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("POST"));
    let reply = app.post("/readyz", &[], b"");
    reply.must_be_problem(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("GET, HEAD"));
    app.get("/mfa/authenticators").must_be_problem(401, "invalid_token");
}

fn associate_takes_otp_only(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let client = app.client();
    let bearer = format!("Bearer {}", client.mfa_token("alice"));
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"authenticator_types":"otp"}"#,
        r#"{"authenticator_types":[]}"#,
        r#"{"authenticator_types":["oob"]}"#,
        r#"{"authenticator_types":["otp","oob"]}"#,
        r#"{"authenticator_types":[1]}"#,
    ] {
        let reply = app.post("/mfa/associate", &[JSON, ("authorization", &bearer)], bad.as_bytes());
        reply.must_be_problem(400, "invalid_request");
        let field = if matches!(bad, "" | "[]") { "body " } else { "authenticator_types" };
        assert!(reply.text("detail").starts_with(field), "{reply:?}");
    }
    assert_eq!(app.get_as("/mfa/authenticators", bearer.strip_prefix("Bearer ").unwrap()).body, json!([]));
}

fn authorization_details_are_refused_rather_than_ignored(on: Backend) {
    let app = App::start(on);
    let details = r#"[{"type":"document","identifier":"42","actions":["comment"]}]"#;
    app.client()
        .token(&[("grant_type", "client_credentials"), ("authorization_details", details)])
        .must_be(400, "invalid_authorization_details");
}

fn a_body_that_never_ends_is_given_up(on: Backend) {
    let app = App::start(on);
    let mut stream = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\ngrant";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

fn head_is_get_without_the_body(on: Backend) {
    let app = App::start(on);
    for path in
        ["/healthz", "/readyz", "/.well-known/jwks.json", "/metrics", "/login", "/v1/docs/", "/favicon.ico"]
    {
        let reply = app.head(path);
        assert_eq!((reply.status, reply.body), (200, serde_json::Value::Null), "{path}");
    }
    for path in [
        "/",
        "/console",
        "/console/users",
        "/console/users/import/apply",
        "/login/recovery",
        "/welcome/nothing",
        "/v1/docs/nothing",
    ] {
        let (head, get) = (app.head(path).status, app.status(path));
        assert_eq!(head, get, "{path}");
    }
    // A mail scanner looks, and the link is still good.
    let link = app.operate(|service, conn, at| {
        let name = UserName::parse("alice").unwrap();
        let new = NewUser { name, email: None, role: Role::User, password: None };
        Ok(app::user::add_invited(service, conn, at, new)?.1)
    });
    let path = link.unwrap().url.strip_prefix(ISSUER).unwrap().to_owned();
    assert_eq!((app.head(&path).status, app.head(&path).status, app.status(&path)), (200, 200, 200));
    app.call("POST", "/v1/docs/", &[], &json!({})).must_be_problem(405, "method_not_allowed");
}

fn what_is_doubled_counts_neither_way(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("{}:{secret}", client.id)));
    let (good, bad) = (basic(&client.secret), basic("wrong"));
    for headers in [[&good, &bad], [&bad, &good], [&good, &good]] {
        let [first, second] = headers.map(|header| ("authorization", header.as_str()));
        let reply = app.post("/oauth/introspect", &[FORM, first, second], b"token=x");
        reply.must_be(400, "invalid_request");
        let reply = app.call("GET", "/mfa/authenticators", &[first, second], &json!(null));
        reply.must_be_problem(400, "invalid_request");
    }
    // Within a list as outside of it.
    let body = json!({
        "grant_type": Grant::Otp.as_str(), "username": "alice", "otp": "123456",
        "client_id": client.id, "client_secret": client.secret, "authorization_details": "DETAILS",
    });
    for (details, error) in [
        (
            r#"[{"type":"document","actions":["delete"],"actions":["comment"]}]"#,
            "invalid_authorization_details",
        ),
        (r#"{"type":"document"}"#, "invalid_request"),
    ] {
        let body = body.to_string().replace("\"DETAILS\"", details);
        app.post("/oauth/token", &[JSON], body.as_bytes()).must_be(400, error);
    }
}

/// RFC 6749 s5.2: neither quotation marks nor backslashes, and ASCII.
fn errors_hold_what_oauth_allows(on: Backend) {
    let app = App::start(on);
    let reply = app.post("/oauth/token", &[FORM], "a\"\\ä=1&a\"\\ä=2".as_bytes());
    reply.must_be(400, "invalid_request");
    assert_eq!(reply.text("error_description"), "a??? is given more than once");
}
