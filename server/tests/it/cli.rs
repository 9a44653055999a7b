//! The command line: what it prints, what it refuses, and where settings come from.

use std::fs::File;
use std::io::{Read as _, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, SpecialCodeIndex, tcgetattr};
use serde_json::Value;

use crate::process::{Installation, Story, soon};
use crate::{Backend, tests};

tests![
    users_are_added_listed_locked_and_removed,
    factors_are_enrolled_confirmed_listed_and_reset,
    clients_are_added_listed_and_removed,
    keys_are_rotated,
    keys_are_rotated_to_another_algorithm_and_revoked,
    sessions_are_listed_and_ended,
    recovery_codes_are_printed_once,
    a_password_is_changed,
    scopes_groups_and_grants_are_set_listed_and_taken_back,
    the_qr_code_is_drawn_for_people,
    every_refusal_is_one_line_that_names_the_field,
    bad_usage_exits_with_2,
    settings_come_from_flags_then_variables_then_the_file,
    unknown_and_bad_settings_stop_the_start,
    plain_http_beyond_loopback_is_refused,
    secrets_are_hidden_in_the_settings,
    what_cannot_be_printed_is_a_failure,
    the_first_line_of_a_server_may_be_json,
    a_password_comes_by_standard_input,
    a_terminal_asks_for_a_password_twice_and_does_not_show_it,
    a_password_that_is_not_given_leaves_the_terminal_as_it_was,
];

fn users_are_added_listed_locked_and_removed(on: Backend) {
    let installation = Installation::new(on);
    let added =
        installation.json(&["user", "add", "Alice", "--email", "alice@example.org", "--role", "admin"]);
    assert_eq!((added["name"].as_str(), added["role"].as_str()), (Some("Alice"), Some("admin")));
    assert_eq!((added["state"].as_str(), added["has_password"].as_bool()), (Some("active"), Some(false)));
    assert!(installation.refused(&["user", "add", "aLICE"]).contains("exists already"));
    installation.run(&["user", "add", "bob"]);
    let listed = installation.json(&["user", "list"]);
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Alice", "bob"]);
    assert!(installation.run(&["user", "list"]).contains("alice@example.org"));
    installation.run(&["user", "lock", "ALICE"]);
    assert_eq!(installation.json(&["user", "show", "alice"])["state"], "locked");
    installation.run(&["user", "unlock", "alice"]);
    let shown = installation.json(&["user", "show", "alice"]);
    assert_eq!((shown["state"].as_str(), shown["failures"].as_i64()), (Some("active"), Some(0)));
    assert_eq!(shown["id"], added["id"]);
    assert!(installation.run(&["user", "show", "alice"]).contains("failed codes"));
    installation.run(&["user", "remove", "alice"]);
    assert!(installation.refused(&["user", "show", "alice"]).contains("no such user"));
    assert!(installation.refused(&["user", "remove", "alice"]).contains("no such user"));
}

fn factors_are_enrolled_confirmed_listed_and_reset(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "alice"]);
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"; // RFC 4226 appendix D
    let enrolled = installation.json(&["factor", "enrol", "alice", "--kind", "hotp", "--secret", secret]);
    assert_eq!((enrolled["state"].as_str(), enrolled["secret"].as_str()), (Some("pending"), Some(secret)));
    assert_eq!(
        enrolled["uri"],
        format!(
            "otpauth://hotp/Countersign:alice?secret={secret}&issuer=Countersign&algorithm=SHA1&digits=6&counter=0\
             &countersign=http%3A%2F%2Flocalhost%3A8080%23{}",
            enrolled["factor_id"].as_str().unwrap()
        )
    );
    assert!(installation.refused(&["factor", "confirm", "alice", "000000"]).contains("not valid"));
    let confirmed = installation.json(&["factor", "confirm", "alice", "755 224"]);
    assert_eq!(confirmed["factor_id"], enrolled["factor_id"]);
    let listed = installation.json(&["factor", "list", "alice"]);
    assert_eq!((listed[0]["state"].as_str(), listed[0]["kind"].as_str()), (Some("active"), Some("hotp")));
    assert!(!listed.to_string().contains(secret));
    // As the console and `/v1` have it.
    assert_eq!(
        (&listed[0]["label"], &installation.json(&["user", "show", "alice"])["factors"][0]["label"]),
        (&"HOTP".into(), &"HOTP".into())
    );
    let table = installation.run(&["factor", "list", "alice"]);
    assert!(table.contains("LABEL\n") && table.contains("HOTP\n"), "{table}");
    let shown = installation.run(&["user", "show", "alice"]);
    assert!(shown.contains("hotp active HOTP"), "{shown}");
    let spec = [
        "factor",
        "enrol",
        "alice",
        "--kind",
        "totp",
        "--algorithm",
        "SHA512",
        "--digits",
        "8",
        "--period",
        "60",
    ];
    let uri = installation.json(&spec)["uri"].as_str().unwrap().to_owned();
    assert!(uri.contains("&algorithm=SHA512&digits=8&period=60&countersign="), "{uri}");
    let factor = confirmed["factor_id"].as_str().unwrap();
    assert!(installation.refused(&["factor", "remove", "alice", "x"]).contains("id is not a UUID"));
    installation.run(&["user", "add", "bob"]);
    assert!(installation.refused(&["factor", "remove", "bob", factor]).contains("no such factor"));
    assert_eq!(installation.json(&["factor", "remove", "alice", factor])["removed"], true);
    assert!(installation.refused(&["factor", "remove", "alice", factor]).contains("no such factor"));
    let reset = installation.json(&["factor", "reset", "alice"]);
    assert_eq!(reset["factors"], 1);
    assert_eq!(installation.json(&["factor", "list", "alice"]), Value::Array(vec![]));
}

fn clients_are_added_listed_and_removed(on: Backend) {
    let installation = Installation::new(on);
    let added = installation.json(&[
        "client",
        "add",
        "shop",
        "--grant",
        "password",
        "--grant",
        "client_credentials",
        "--scope",
        "read",
        "--scope",
        "users",
        "--audience",
        "https://api.example",
        "--token-ttl",
        "60",
        "--one-use",
    ]);
    let listed = installation.json(&["client", "list"]);
    assert_eq!(listed[0]["client_id"], added["client_id"]);
    assert_eq!(listed[0]["scope"], "read users");
    assert_eq!(
        (listed[0]["session_idle"].as_i64(), listed[0]["session_ttl"].as_i64()),
        (Some(604_800), Some(2_592_000))
    );
    assert_eq!(
        (listed[0]["token_format"].as_str(), listed[0]["one_use"].as_bool()),
        (Some("opaque"), Some(true))
    );
    assert!(!listed.to_string().contains(added["client_secret"].as_str().unwrap()));
    assert!(
        installation.refused(&["client", "add", "shop", "--grant", "password"]).contains("exists already")
    );
    let id = "01a0aaaa-0000-7000-8000-000000000001";
    assert!(
        installation
            .refused(&["client", "add", id, "--grant", "password"])
            .contains("name must not be a UUID")
    );
    let renewed = installation.json(&["client", "renew-secret", "shop"]);
    assert_eq!(renewed["client_id"], added["client_id"]);
    assert_ne!(renewed["client_secret"], added["client_secret"]);
    installation.run(&["client", "disable", "shop"]);
    assert_eq!(installation.json(&["client", "list"])[0]["state"], "disabled");
    installation.run(&["client", "enable", added["client_id"].as_str().unwrap()]);
    installation.run(&["client", "remove", "shop"]);
    assert!(installation.refused(&["client", "remove", "shop"]).contains("no such client"));
}

fn keys_are_rotated(on: Backend) {
    let installation = Installation::new(on);
    let states = |keys: &Value| -> Vec<String> {
        let mut states: Vec<String> =
            keys.as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect();
        states.sort();
        states
    };
    let before = installation.json(&["key", "list"]);
    assert_eq!(states(&before), ["current", "next"]);
    let rotated = installation.json(&["key", "rotate"]);
    let next = before.as_array().unwrap().iter().find(|key| key["state"] == "next").unwrap();
    assert_eq!(rotated["kid"], next["kid"]);
    assert_eq!(states(&installation.json(&["key", "list"])), ["current", "next", "retired"]);
}

fn keys_are_rotated_to_another_algorithm_and_revoked(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["key", "rotate", "--algorithm", "ES256"]);
    let keys = installation.json(&["key", "list"]);
    let in_state = |state: &str| {
        keys.as_array()
            .unwrap()
            .iter()
            .find(|key| key["state"] == state)
            .unwrap_or_else(|| panic!("{state}: {keys}"))
    };
    assert_eq!(
        (in_state("next")["alg"].as_str(), in_state("current")["alg"].as_str()),
        (Some("ES256"), Some("EdDSA"))
    );
    let revoked = installation.json(&["key", "rotate", "--revoke"]);
    assert_eq!(revoked["revoked"], serde_json::json!([in_state("current")["kid"]]));
    assert_eq!(revoked["kid"], in_state("next")["kid"]);
    let table = installation.run(&["key", "list"]);
    assert!(table.contains("revoked") && table.contains("ES256"), "{table}");
    let current = revoked["kid"].as_str().unwrap().to_owned();
    installation.run(&["key", "rotate"]);
    let revoked = installation.json(&["key", "revoke", &current]);
    assert_eq!(revoked["revoked"], serde_json::json!([current]), "it was retired");
    let kids = |keys: &Value| keys["revoked"].as_array().unwrap().len();
    assert_eq!(kids(&installation.json(&["key", "revoke", "--all"])), 3);
}

fn sessions_are_listed_and_ended(on: Backend) {
    let installation = Installation::new(on);
    let story = Story::begin(&installation);
    let server = installation.serve();
    assert_eq!(server.otp(&story.client, "alice", &story.code(0)).0, 200);
    let sessions = installation.json(&["session", "list", "alice"]);
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
    assert_eq!(
        (sessions[0]["amr"][0].as_str(), sessions[0]["address"].as_str()),
        (Some("otp"), Some("127.0.0.1"))
    );
    let id = sessions[0]["id"].as_str().unwrap();
    assert!(installation.run(&["session", "list", "alice"]).contains(id));
    assert_eq!(installation.json(&["session", "end", id])["ended"], true);
    assert!(installation.refused(&["session", "end", id]).contains("no such session"));
    assert!(installation.refused(&["session", "end", "nonsense"]).contains("id is not a UUID"));
    assert_eq!(installation.json(&["session", "end-all", "alice"])["sessions"], 0);
    assert!(installation.refused(&["session", "list", "nobody"]).contains("no such user"));
}

fn recovery_codes_are_printed_once(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "alice"]);
    let first = installation.json(&["factor", "enrol", "alice", "--kind", "totp", "--active"]);
    assert_eq!(first["recovery_codes"].as_array().unwrap().len(), 10);
    let second = installation.json(&["factor", "enrol", "alice", "--kind", "totp", "--active"]);
    assert!(second.get("recovery_codes").is_none());
    let renewed = installation.json(&["recovery-code", "renew", "alice"]);
    assert_eq!(renewed["recovery_codes"].as_array().unwrap().len(), 10);
    assert_ne!(renewed["recovery_codes"], first["recovery_codes"]);
    assert!(installation.run(&["recovery-code", "renew", "alice"]).contains("not shown again"));
    assert!(installation.refused(&["recovery-code", "renew", "nobody"]).contains("no such user"));
}

fn a_password_is_changed(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "alice"]);
    assert!(!installation.json(&["user", "show", "alice"])["has_password"].as_bool().unwrap());
    let mut command = installation.command(&["user", "password", "alice"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse battery\n").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert!(installation.json(&["user", "show", "alice"])["has_password"].as_bool().unwrap());
}

fn scopes_groups_and_grants_are_set_listed_and_taken_back(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "alice"]);
    let set =
        installation.json(&["scope", "set", "stacks", "--by-grant", "--acr", "otp", "--max-age", "300"]);
    assert_eq!(
        (set["by_grant"].as_bool(), set["acr"].as_str()),
        (Some(true), Some("urn:countersign:acr:otp"))
    );
    assert_eq!(installation.json(&["scope", "list"]), serde_json::json!([set]));
    assert!(installation.refused(&["scope", "set", "two scopes"]).contains("scope must be one scope"));

    installation.run(&["group", "add", "readers"]);
    assert!(installation.refused(&["group", "add", "readers"]).contains("exists already"));
    assert_eq!(installation.json(&["group", "join", "readers", "Alice"])["joined"], 1);
    assert!(installation.refused(&["group", "join", "readers", "alice", "nobody"]).contains("no such user"));
    assert_eq!(installation.json(&["group", "show", "readers"])["members"], serde_json::json!(["alice"]));
    assert_eq!(installation.json(&["group", "list"]), serde_json::json!(["readers"]));

    let until = "2999-01-01T00:00:00Z";
    let give =
        ["grant", "give", "--group", "readers", "--user", "alice", "--scope", "stacks", "--until", until];
    assert_eq!(installation.json(&give)["grants"].as_array().unwrap().len(), 2);
    let document = r#"{"type":"document","actions":["comment"],"identifier":"42"}"#;
    installation.run(&["grant", "give", "--user", "alice", "--detail", document]);
    let grants = installation.json(&["grant", "list", "--user", "alice"]);
    assert_eq!(
        (grants[0]["detail"]["identifier"].as_str(), grants[0]["ends_at"].as_str()),
        (Some("42"), None)
    );
    assert_eq!((grants[1]["scope"].as_str(), grants[1]["ends_at"].as_str()), (Some("stacks"), Some(until)));
    assert_eq!(installation.json(&["grant", "list"]).as_array().unwrap().len(), 3);
    assert!(installation.run(&["grant", "list"]).contains("never"));
    let take = ["grant", "take", "--group", "readers", "--user", "alice", "--scope", "stacks"];
    assert_eq!(installation.json(&take)["taken"], 2);
    let id = grants[0]["id"].as_str().unwrap();
    installation.run(&["grant", "end", id]);
    assert!(installation.refused(&["grant", "end", id]).contains("no such grant"));
    for (bad, said) in [
        (&["--until", "tomorrow"][..], "until must be a time"),
        (&["--until", "1999-01-01T00:00:00Z"], "until is not after the start"),
    ] {
        let give = [&["grant", "give", "--user", "alice", "--scope", "stacks"], bad].concat();
        assert!(installation.refused(&give).contains(said), "{bad:?}");
    }
    let bad = ["grant", "give", "--user", "alice", "--detail", r#"{"kind":"document"}"#];
    assert!(installation.refused(&bad).contains("detail must be a JSON object"));
    installation.run(&["group", "leave", "readers", "alice"]);
    installation.run(&["group", "remove", "readers"]);
    installation.run(&["scope", "remove", "stacks"]);
    assert!(installation.refused(&["scope", "remove", "stacks"]).contains("no such scope"));
}

fn the_qr_code_is_drawn_for_people(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "alice"]);
    let text = installation.run(&["factor", "enrol", "alice", "--kind", "totp"]);
    assert!(text.contains("█▀▀▀▀▀█"), "{text}");
    assert!(text.contains("otpauth://totp/Countersign:alice?secret="), "{text}");
    assert!(text.contains("factor confirm alice CODE"), "{text}");
    assert!(!text.contains('\u{1b}'), "no escape sequences where it is not a terminal");
}

fn every_refusal_is_one_line_that_names_the_field(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "alice"]);
    let enrol = |extra: &[&'static str]| [&["factor", "enrol", "alice"], extra].concat();
    let grant = "--grant";
    let long = "x".repeat(5000);
    let cases: [(Vec<&str>, &str); 17] = [
        (vec!["scope", "set", "users", "--by-grant"], "by_grant"),
        (vec!["scope", "set", "read", "--description", "two\nlines"], "description"),
        (vec!["scope", "set", "read", "--description", &long], "description"),
        (vec!["user", "list", "--mail-from", "nowhere"], "mail_from"),
        (vec!["user", "add", ""], "username"),
        (vec!["user", "add", "a:b"], "username"),
        (vec!["user", "add", "al\u{34f}ice"], "username"),
        (vec!["user", "add", "alice\u{fe0f}"], "username"),
        (vec!["user", "add", "alice\u{e0041}"], "username"),
        (vec!["user", "add", "bob", "--email", "x"], "email"),
        (enrol(&["--kind", "totp", "--counter", "1"]), "counter"),
        (enrol(&["--kind", "hotp", "--period", "30"]), "period"),
        (enrol(&["--kind", "hotp", "--counter", "18446744073709551615"]), "counter"),
        (enrol(&["--kind", "totp", "--secret", "not base32!"]), "secret"),
        (vec!["factor", "confirm", "alice", "12345"], "code"),
        (vec!["client", "add", "shop", grant, "password", "--audience", "x"], "audience"),
        (vec!["client", "add", "shop", grant, "password", "--scope", "openid,profile"], "scope"),
    ];
    for (arguments, field) in cases {
        let line = installation.refused(&arguments);
        assert!(line.starts_with(&format!("countersign: {field} ")), "{arguments:?}: {line}");
    }
    let one_use = ["client", "add", "shop", grant, "password", "--one-use", "--token-format", "jwt"];
    assert!(installation.refused(&one_use).starts_with("countersign: token_format "));
    let output = installation.command(&["user", "show", "bob", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"], "not_found");
    assert_eq!(installation.json(&["client", "list"]), Value::Array(vec![]), "nothing was changed");
}

fn bad_usage_exits_with_2(on: Backend) {
    let installation = Installation::new(on);
    for arguments in [
        &["nonsense"][..],
        &["user"],
        &["user", "add"],
        &["client", "add", "x"],
        &["serve", "--nonsense"],
        &[],
    ] {
        let output = installation.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    for (arguments, flag) in [
        (&["user", "add", "bob", "--role", "king"][..], "--role"),
        (&["factor", "enrol", "alice", "--kind", "sms"], "--kind"),
        (&["factor", "enrol", "alice", "--kind", "totp", "--digits", "5"], "--digits"),
        (&["factor", "enrol", "alice", "--kind", "totp", "--digits", "999999999999"], "--digits"),
        (&["factor", "enrol", "alice", "--kind", "totp", "--period", "0"], "--period"),
        (&["factor", "enrol", "alice", "--kind", "totp", "--algorithm", "MD5"], "--algorithm"),
        (&["factor", "enrol", "alice", "--kind", "hotp", "--counter=-1"], "--counter"),
        (&["client", "add", "shop", "--grant", "nonsense"], "--grant"),
        (&["client", "add", "shop", "--grant", "password", "--token-ttl", "0"], "--token-ttl"),
    ] {
        let output = installation.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(flag), "{output:?}");
    }
    assert!(installation.run(&["--help"]).contains("self-hosted second-factor service"));
}

fn setting(installation: &Installation, arguments: &[&str], name: &str) -> (Option<String>, String) {
    let settings = installation.json(&[&["config"], arguments].concat());
    let setting =
        settings.as_array().unwrap().iter().find(|setting| setting["name"] == name).unwrap().clone();
    (setting["value"].as_str().map(str::to_owned), setting["source"].as_str().unwrap().to_owned())
}

fn settings_come_from_flags_then_variables_then_the_file(on: Backend) {
    let installation = Installation::new(on);
    assert_eq!(setting(&installation, &[], "issuer_name"), (Some("Countersign".into()), "default".into()));
    let below = |url: &str| setting(&installation, &["--public-url", url], "phone_url");
    assert_eq!(below("https://mfa.example/"), (Some("https://mfa.example/phone/".into()), "default".into()));
    let phone_url = ["--phone-url", "https://phone.example"];
    let named = setting(&installation, &phone_url, "phone_url");
    assert_eq!(named, (Some("https://phone.example/".into()), "flag".into()));
    std::fs::create_dir_all(installation.data()).unwrap();
    let file = installation.data().join("countersign.toml");
    std::fs::write(&file, "issuer_name = \"From File\"\nlisten = \"127.0.0.1:1\"\n").unwrap();
    let (value, source) = setting(&installation, &[], "issuer_name");
    assert_eq!(value.as_deref(), Some("From File"));
    assert!(source.ends_with("countersign.toml"), "{source}");
    // The tests set this variable.
    assert_eq!(
        setting(&installation, &[], "listen"),
        (Some("127.0.0.1:0".into()), "COUNTERSIGN_LISTEN".into())
    );
    let flag = ["--listen", "127.0.0.1:7"];
    assert_eq!(setting(&installation, &flag, "listen"), (Some("127.0.0.1:7".into()), "flag".into()));
    let other = installation.folder.path().join("other.toml");
    std::fs::write(&other, "issuer_name = \"2024\"\nbehind_proxy = true\n").unwrap();
    let named = ["--config", other.to_str().unwrap()];
    assert_eq!(setting(&installation, &named, "issuer_name").0.as_deref(), Some("2024"));
    assert_eq!(setting(&installation, &named, "behind_proxy").0.as_deref(), Some("true"));
}

fn unknown_and_bad_settings_stop_the_start(on: Backend) {
    let installation = Installation::new(on);
    std::fs::create_dir_all(installation.data()).unwrap();
    let file = installation.data().join("countersign.toml");
    for (text, name) in [
        ("listne = \"x\"", "listne"),
        ("listen = \"nowhere\"", "listen"),
        ("public_url = \"ftp://x\"", "public_url"),
        ("public_url = \"https://x/?a=b\"", "public_url"),
        ("phone_url = \"phone.example\"", "phone_url"),
        ("phone_url = \"https://x/#a\"", "phone_url"),
        ("behind_proxy = \"perhaps\"", "behind_proxy"),
        ("tls = \"yes\"", "tls"),
        ("tls_cert = \"x.pem\"", "tls_key"),
        ("log = \"==\"", "log"),
        ("issuer_name = \"a:b\"", "issuer_name"),
        ("key_rotation_days = -1", "key_rotation_days"),
        ("key_rotation_days = 70000", "key_rotation_days"),
        ("key_rotation_days = 1.5", "key_rotation_days"),
        ("key_rotation_days = 99999999999999999999", "config"),
        ("issuer_name = 7", "issuer_name"),
        ("tls_cert = [\"x.pem\"]", "tls_cert"),
    ] {
        std::fs::write(&file, text).unwrap();
        let mut command = installation.command(&["serve"]);
        command.env_remove("COUNTERSIGN_LISTEN");
        let line = crate::process::refusal(&command.output().unwrap());
        assert!(line.starts_with(&format!("countersign: {name} ")), "{text}: {line}");
    }
    std::fs::write(&file, "log = \"info\"\nthis is no TOML").unwrap();
    let line = installation.refused(&["serve"]);
    let place = format!("countersign: config {}: line 2, column 6: ", file.display());
    assert!(line.starts_with(&place), "{line}");
    std::fs::remove_file(&file).unwrap();
    let line = installation.refused(&["serve", "--config", "/nowhere.toml"]);
    assert!(line.contains("config") && line.contains("/nowhere.toml"), "{line}");
    let line = installation.refused(&["serve", "--database", "mysql://x"]);
    assert!(line.starts_with("countersign: database "), "{line}");
    let mut command = installation.command(&["config", "--json"]);
    command
        .env("COUNTERSIGN_ISSUER_NAME", "007")
        .env("COUNTERSIGN_BEHIND_PROXY", "Yes")
        .env("COUNTERSIGN_TLS_CERT", "")
        .env("COUNTERSIGN_CONFIG", "");
    assert!(command.output().unwrap().status.success());
    let mut command = installation.command(&["serve"]);
    command.env("COUNTERSIGN_BEHIND_PROXY", "maybe");
    let line = crate::process::refusal(&command.output().unwrap());
    assert!(line.starts_with("countersign: behind_proxy "), "{line}");
}

fn plain_http_beyond_loopback_is_refused(on: Backend) {
    let installation = Installation::new(on);
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let line = installation.refused(&["serve", "--listen", address]);
        assert!(line.starts_with("countersign: listen ") && line.contains("plain HTTP"), "{line}");
    }
    installation.run(&["config", "--listen", "0.0.0.0:0", "--behind-proxy"]);
    installation.run(&["config", "--listen", "0.0.0.0:0", "--tls", "self-signed"]);
    installation.run(&["config", "--listen", "127.0.0.2:0"]);
}

fn secrets_are_hidden_in_the_settings(on: Backend) {
    let installation = Installation::new(on);
    if cfg!(feature = "postgres") {
        let url = "postgres://me:hunter2hunter2@db.example/x?password=hunter2hunter2";
        let text = installation.run(&["config", "--database", url]);
        assert!(text.contains("db.example") && !text.contains("hunter2"), "{text}");
    }
    // However the password was mistyped.
    for url in [
        "mysql://me:hunter2@x",
        "postgres://u:hunter2/ret@x/y",
        "postgres://u:12/hunter2@h",
        "postgres://u:p@hunter2@h/x",
        "postgres://u:hunter2%hunter2@h/x",
        "postgres://u:hunter2%@h/x",
        "postgres://u@h/x?password=%hunter2",
    ] {
        let line = installation.refused(&["user", "list", "--database", url]);
        assert!(line.starts_with("countersign: database ") && !line.contains("hunter2"), "{line}");
        assert!(!cfg!(feature = "postgres") || url.starts_with("mysql") || line.contains("%25"), "{line}");
    }
    std::fs::create_dir_all(installation.data()).unwrap();
    let file = installation.data().join("countersign.toml");
    for text in [
        "database = postgres://me:hunter2@db/x",
        "database = \"postgres://me:hunter2@db/x",
        "database = \"postgres://me:hunter2@db/x\" \"",
        "smtp_url = smtps://me:hunter2@mail.example",
        "smtp_url = 'smtps://me:hunter2@mail.example",
        "smtp_url = [\"smtps://me:hunter2@mail.example\"]",
        "smtp_url = { password = \"hunter2\" }",
        "smtps://me:hunter2@mail.example",
        "mail_from = \"a@b.example\"\nsmtp_url = \"smtps://me:hunter2 @mail.example/x\"",
    ] {
        std::fs::write(&file, text).unwrap();
        let line = installation.refused(&["config"]);
        assert!(!line.contains("hunter2"), "{text}: {line}");
        let named =
            ["countersign: config ", "countersign: smtp_url "].iter().any(|name| line.starts_with(name));
        assert!(named, "{text}: {line}");
    }
}

fn a_password_comes_by_standard_input(on: Backend) {
    let installation = Installation::new(on);
    let add = |name: &str, typed: &[u8]| {
        let mut command = installation.command(&["user", "add", name, "--password-stdin"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed).unwrap();
        child.wait_with_output().unwrap()
    };
    assert!(add("alice", b"correct horse battery\r\nnot a part of it").status.success());
    assert_eq!(installation.json(&["user", "show", "alice"])["has_password"], true);
    for bad in [&b"short\n"[..], b"", b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff", &[b'x'; 2000]] {
        let line = crate::process::refusal(&add("bob", bad));
        assert!(line.starts_with("countersign: password "), "{line}");
    }
    assert_eq!(installation.json(&["user", "list"]).as_array().unwrap().len(), 1);
    // Whoever writes need not hang up.
    let mut command = installation.command(&["user", "password", "alice"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut open = child.stdin.take().unwrap();
    open.write_all(b"another correct horse\n").unwrap();
    assert!(soon(|| child.try_wait().unwrap()).success());
    drop(open);
}

/// A terminal without a screen.
struct Terminal {
    /// Who sits at it.
    user: File,
    /// What a program has of it.
    program: File,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    fn new() -> Self {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let program = rustix::fs::open(ptsname(&user, Vec::new()).unwrap(), flags, Mode::empty()).unwrap();
        let (user, program) = (File::from(user), File::from(program));
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut screen, kept) = (user.try_clone().unwrap(), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        Self { user, program, shown }
    }

    fn start(&self, mut command: Command) -> Child {
        let end = || Stdio::from(self.program.try_clone().unwrap());
        command.stdin(end()).stdout(Stdio::null()).stderr(end()).spawn().unwrap()
    }

    /// Types `text` as soon as `prompt` is shown, for the `time`th time.
    #[track_caller]
    fn answer(&self, prompt: &str, time: usize, text: &str) {
        soon(|| (self.shown.lock().unwrap().matches(prompt).count() == time).then_some(()));
        (&self.user).write_all(text.as_bytes()).unwrap();
    }

    fn modes(&self) -> (LocalModes, u8) {
        let modes = tcgetattr(&self.program).unwrap();
        (modes.local_modes, modes.special_codes[SpecialCodeIndex::VEOL])
    }
}

fn a_terminal_asks_for_a_password_twice_and_does_not_show_it(on: Backend) {
    let installation = Installation::new(on);
    let terminal = Terminal::new();
    let before = terminal.modes();
    assert!(before.0.contains(LocalModes::ECHO));
    for (time, arguments) in
        [&["user", "add", "alice", "--password-stdin"][..], &["user", "password", "alice"]].iter().enumerate()
    {
        let mut child = terminal.start(installation.command(arguments));
        // The line is edited as everywhere: this takes one character back.
        terminal.answer("Password: ", time + 1, "correct horse batteryx\u{7f}\n");
        terminal.answer("Once more: ", time + 1, "correct horse battery\n");
        assert!(soon(|| child.try_wait().unwrap()).success());
        assert_eq!(terminal.modes(), before);
    }
    assert_eq!(installation.json(&["user", "show", "alice"])["has_password"], true);
    let shown = terminal.shown.lock().unwrap().clone();
    assert!(!shown.contains("horse"), "{shown}");
}

fn a_password_that_is_not_given_leaves_the_terminal_as_it_was(on: Backend) {
    let installation = Installation::new(on);
    for (first, second, why) in [
        ("correct horse battery\n", "incorrect horse battery\n", "was not the same both times"),
        ("short\n", "", "is shorter than 8 characters"),
        ("correct horse\u{3}", "", "was not given"),
        ("correct horse battery\n", "\u{3}", "was not given"),
        ("\u{4}", "", "was not given"),
        ("correct horse\u{4}", "", "was not given"),
        ("correct\u{1a} horse battery\n", "", "has a control character"),
    ] {
        let terminal = Terminal::new();
        let before = terminal.modes();
        let mut child = terminal.start(installation.command(&["user", "add", "alice", "--password-stdin"]));
        terminal.answer("Password: ", 1, first);
        if !second.is_empty() {
            terminal.answer("Once more: ", 1, second);
        }
        assert_eq!(soon(|| child.try_wait().unwrap()).code(), Some(1), "{first:?} {second:?}");
        assert_eq!(terminal.modes(), before, "{first:?} {second:?}");
        let said = format!("countersign: password {why}");
        soon(|| terminal.shown.lock().unwrap().contains(&said).then_some(()));
    }
    assert!(installation.json(&["user", "list"]).as_array().unwrap().is_empty());
}

/// The secret would be lost, and whoever asked for it would not know.
fn what_cannot_be_printed_is_a_failure(on: Backend) {
    let installation = Installation::new(on);
    let mut command = installation.command(&["client", "add", "shop", "--grant", "password"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let line = crate::process::refusal(&output);
    assert!(line.contains("could not be printed"), "{line}");
    // A server would not have told anybody who its first administrator may be.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = installation.command(&["serve", "--log", "off"]).stdout(full).output().unwrap();
    assert!(crate::process::refusal(&output).contains("No space left"), "{output:?}");
    // A reader who has seen enough is none.
    let mut child = installation.command(&["user", "list"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

fn the_first_line_of_a_server_may_be_json(on: Backend) {
    let installation = Installation::new(on);
    let mut child = installation
        .command(&["serve", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut documents =
        serde_json::Deserializer::from_reader(child.stdout.take().unwrap()).into_iter::<Value>();
    let document = documents.next().unwrap().unwrap();
    let (url, link) = (&document["listening_on"], &document["first_administrator"]);
    assert!(url.as_str().unwrap().starts_with("http://127.0.0.1:"), "{document}");
    assert!(link.as_str().unwrap().contains("/welcome/"), "{document}");
    child.kill().unwrap();
    child.wait().unwrap();
}
