//! What can be seen from outside, and what must never be.

use std::collections::HashSet;
use std::process::Command;

use crate::actors::App;
use crate::process::{Installation, Process, Story};
use crate::{Backend, tests};

tests![
    every_reply_has_a_request_id_and_careful_headers,
    secrets_reach_neither_the_log_nor_the_database,
    the_callers_address_behind_a_proxy_is_the_last_one,
];

fn every_reply_has_a_request_id_and_careful_headers(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let replies = [
        app.get("/healthz"),
        app.get("/readyz"),
        app.get("/nothing"),
        app.get("/oauth/token"),
        client.otp("alice", "123456"),
        client.introspect("x"),
        app.get_as("/mfa/authenticators", "x"),
        app.post("/oauth/token", &[("content-type", "application/json")], b"{"),
    ];
    let mut ids = HashSet::new();
    for reply in replies {
        assert!(ids.insert(reply.header("x-request-id").unwrap().to_owned()), "{reply:?}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("x-frame-options"), Some("DENY"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        assert!(reply.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}

fn secrets_reach_neither_the_log_nor_the_database(on: Backend) {
    let installation = Installation::new(on);
    let mut command = installation.command(&["serve"]);
    command.env("COUNTERSIGN_LOG", "trace");
    let server = Process::start(command);
    let story = Story::begin(&installation);
    let code = story.code(0);
    let (status, reply) = server.otp(&story.client, "alice", &code);
    assert_eq!(status, 200, "{reply}");
    let token = reply["access_token"].as_str().unwrap().to_owned();
    server.otp(&story.client, "alice", &code);
    server.otp(&story.client, "alice", "not a code");
    let client_secret = story.client["client_secret"].as_str().unwrap().to_owned();
    let id = story.client["client_id"].as_str().unwrap();
    let fields = [
        ("grant_type", "password"),
        ("username", "alice"),
        ("password", "a-typed-password"),
        ("client_id", id),
        ("client_secret", &client_secret),
    ];
    server.post("/oauth/token", &fields);
    server.post(
        "/oauth/introspect",
        &[("token", &token), ("client_id", id), ("client_secret", &client_secret)],
    );
    let log = server.log();
    assert!(log.contains("/oauth/token"), "the log is there: {log}");
    server.kill();

    let secret = story.key.secret().to_base32();
    let signature = token.rsplit('.').next().unwrap();
    for (what, hidden) in [
        ("secret", secret.as_str()),
        ("code", &code),
        ("token", signature),
        ("client secret", &client_secret),
        ("password", "a-typed-password"),
    ] {
        assert!(!log.contains(hidden), "the {what} is in the log");
    }
    let stored = stored_bytes(&installation);
    let needles: [(&str, &[u8]); 5] = [
        ("secret", story.key.secret().expose()),
        ("secret in base32", secret.as_bytes()),
        ("token", signature.as_bytes()),
        ("client secret", client_secret.as_bytes()),
        ("name, to see that this finds things", b"alice"),
    ];
    for (what, needle) in needles {
        let found = stored.windows(needle.len()).any(|window| window == needle);
        assert_eq!(found, needle == b"alice", "{what}");
    }
}

/// Everything that the database holds, as bytes.
fn stored_bytes(installation: &Installation) -> Vec<u8> {
    if installation.database.starts_with("sqlite://") {
        let files = std::fs::read_dir(installation.data()).unwrap().map(|entry| entry.unwrap().path());
        let files =
            files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("countersign.db"));
        return files.flat_map(|path| std::fs::read(path).unwrap()).collect();
    }
    // Each row as text, bytes in hexadecimal; those are turned back.
    let output = Command::new("psql")
        .args([&installation.database, "-At", "-c"])
        .arg("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        .output()
        .unwrap();
    let mut all = Vec::new();
    for table in String::from_utf8(output.stdout).unwrap().lines() {
        let output = Command::new("psql")
            .args([&installation.database, "-At", "-c", &format!("SELECT * FROM \"{table}\"")])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for field in text.split(['|', '\n']) {
            match field.strip_prefix("\\x") {
                Some(hex) => all.extend(
                    (0..hex.len() / 2)
                        .map(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap()),
                ),
                None => all.extend_from_slice(field.as_bytes()),
            }
            all.push(0);
        }
    }
    all
}

fn the_callers_address_behind_a_proxy_is_the_last_one(on: Backend) {
    let installation = Installation::new(on);
    let address_of_last = |installation: &Installation| {
        let entries = installation.json(&["audit", "list", "--limit", "1"]);
        entries[0]["address"].as_str().unwrap().to_owned()
    };
    let story = Story::begin(&installation);
    let id = story.client["client_id"].as_str().unwrap();
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret=wrong");
    for (flags, expected) in [(&["serve"][..], "127.0.0.1"), (&["serve", "--behind-proxy"], "203.0.113.9")] {
        let server = Process::start(installation.command(flags));
        let request = ureq::post(format!("{}/oauth/token", server.url))
            .config()
            .http_status_as_error(false)
            .build()
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-forwarded-for", "198.51.100.1, 203.0.113.9");
        assert_eq!(request.send(&form).unwrap().status(), 401);
        assert_eq!(address_of_last(&installation), expected);
    }
}
