//! Many users at once by the command line, with the factors that they have already.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Output, Stdio};

use mobile_core::{Counter, Hotp, KeyUri};
use serde_json::Value;

use crate::process::{Installation, code_of, refusal, shop};
use crate::{Backend, tests};

tests![
    users_bring_the_factors_that_they_have,
    a_list_that_is_imported_again_changes_nothing,
    with_a_wrong_line_nobody_is_added,
    a_look_at_a_list_that_would_be_refused_fails,
    a_long_list_is_added_whole,
    what_is_no_list_is_refused,
];

const TOTP: &str =
    "otpauth://totp/Old Service:anna?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Old%20Service";
const HOTP: &str =
    "otpauth://hotp/Old%20Service:anna?secret=MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U&counter=7&digits=6";
const LONG: &str = "otpauth://totp/ben?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBV&algorithm=SHA256&digits=8&period=60";

fn import(installation: &Installation, list: &str, more: &[&str]) -> Output {
    let mut command = installation.command(&[&["import", "-"], more].concat());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn imported(installation: &Installation, list: &str, more: &[&str]) -> Value {
    let output = import(installation, list, &[more, &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn names(installation: &Installation) -> Vec<String> {
    let users = installation.json(&["user", "list"]);
    users.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap().to_owned()).collect()
}

fn users_bring_the_factors_that_they_have(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "cleo"]);
    let list = format!(
        "\u{feff}uri;name;email;role\r\n{TOTP} {HOTP};anna;anna@example.org;\r\n{LONG};ben;;helpdesk\r\n;cleo;;admin\r\n;dora;dora@example.org;\r\n"
    );
    // Looked at first, nothing is changed.
    let looked_at = imported(&installation, &list, &["--check", "--invite"]);
    assert_eq!(names(&installation), ["cleo"]);
    let done = imported(&installation, &list, &["--invite"]);
    assert_eq!(looked_at["lines"], done["lines"]);
    assert_eq!((&looked_at["changed"], &done["changed"]), (&false.into(), &true.into()));
    let fates: Vec<_> = done["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let field = |name: &str| line[name].as_u64().unwrap();
            (field("line"), line["state"].as_str().unwrap(), field("factors"), line["invited"] == true)
        })
        .collect();
    assert_eq!(
        fates,
        [(2, "new", 2, true), (3, "new", 1, false), (4, "exists", 0, false), (5, "new", 0, true)]
    );
    assert_eq!(names(&installation), ["anna", "ben", "cleo", "dora"]);
    let show = |name: &str| installation.json(&["user", "show", name]);
    assert_eq!((&show("ben")["role"], &show("cleo")["role"]), (&"helpdesk".into(), &"user".into()));
    assert_eq!(show("anna")["email"], "anna@example.org");

    // Phones and tokens go on showing codes, and those are good.
    let client = shop(&installation);
    let server = installation.serve();
    let key = |uri: &str| KeyUri::parse(uri).unwrap().0;
    assert_eq!(server.otp(&client, "anna", &code_of(&key(TOTP), 0)).0, 200);
    let of_counter = |counter| {
        let code = Hotp::default().code(key(HOTP).secret(), Counter::new(counter));
        server.otp(&client, "anna", code.as_str()).0
    };
    assert_eq!([of_counter(6), of_counter(7), of_counter(7), of_counter(9)], [400, 200, 400, 200]);
    let code = {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let long = key(LONG);
        let totp = mobile_core::Totp {
            algorithm: long.algorithm(),
            digits: long.digits(),
            period: mobile_core::Period::new(60).unwrap(),
        };
        totp.code(long.secret(), totp.step_at(now)).as_str().to_owned()
    };
    assert_eq!(code.len(), 8);
    assert_eq!(server.otp(&client, "ben", &code).0, 200);
    server.terminate();

    // Nobody could have been shown recovery codes.
    let log = installation.json(&["audit", "list"]).to_string();
    assert!(log.contains("users.imported") && log.contains("lines=4 added=3 invited=2"), "{log}");
    assert!(!log.contains("recovery"), "{log}");
    // One mail about the factors, however many, and the invitation.
    let mails = installation.json(&["outbox", "list"]);
    let mails = mails.as_array().unwrap().iter().filter(|mail| mail["recipient"] == "anna@example.org");
    let mut kinds: Vec<_> = mails.map(|mail| mail["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["enrolled", "invitation"]);
    assert_eq!(installation.json(&["audit", "verify"])["intact"], true);
}

fn a_list_that_is_imported_again_changes_nothing(on: Backend) {
    let installation = Installation::new(on);
    let list = format!("name,uri\nanna,{TOTP}\n");
    imported(&installation, &list, &[]);
    let before = installation.json(&["factor", "list", "anna"]);
    let again = imported(&installation, &list.replace("\nanna,", "\nANNA,"), &[]);
    assert_eq!((&again["new"], &again["existing"]), (&0.into(), &1.into()));
    assert_eq!(installation.json(&["factor", "list", "anna"]), before);
}

fn with_a_wrong_line_nobody_is_added(on: Backend) {
    let installation = Installation::new(on);
    let many = [TOTP; 6].join(" ");
    for (line, why) in [
        ("ben,,,otpauth://totp/x?secret=NOT1BASE32", "uri: this is no otpauth:// URI"),
        ("ben,,,https://example.org/?secret=NOT1BASE32", "uri: this is no otpauth:// URI"),
        (&format!("ben,,,NOT1BASE32 {TOTP}"), "uri: this is no otpauth:// URI"),
        (&format!("ben,,,{many}"), "uri: these are more factors"),
        (&format!("ben,,,{TOTP} {TOTP}"), "uri: has the same secret twice"),
        (
            &format!("ben,,,{}", HOTP.replace("counter=7", "counter=18446744073709551615")),
            "uri: its counter is too large",
        ),
        (&format!("{TOTP},,,ben"), "name: "),
        ("b\u{34f}n,,,", "name: "),
        ("ben,nowhere,,", "email: "),
        ("ben,,boss,", "role: "),
        ("b:n,,,", "name: "),
        ("ANNA,,,", "name: stands in line 2 already"),
        ("ben,,", "columns"),
    ] {
        let list = format!("name,email,role,uri\nanna,,,{TOTP}\n{line}\nb:d,,,\n");
        let refused = refusal(&import(&installation, &list, &[]));
        assert!(refused.contains("line 3: ") && refused.contains(why), "{refused}");
        assert!(refused.contains("1 more") && refused.contains("nothing was changed"), "{refused}");
        let checked = import(&installation, &list, &["--check"]);
        assert_eq!(checked.status.code(), Some(1), "{checked:?}");
        let line = String::from_utf8(checked.stderr).unwrap();
        assert_eq!(line, "countersign: 2 lines are wrong; nobody would be added\n");
        let checked = String::from_utf8(checked.stdout).unwrap();
        assert!(checked.contains(why) && checked.contains("1 new, 0 existed already, 2 wrong"), "{checked}");
        for text in [&refused, &checked] {
            assert!(!text.contains("NOT1BASE32") && !text.contains("GEZDGNBV"), "secrets: {text}");
        }
        assert!(names(&installation).is_empty());
    }
}

fn a_look_at_a_list_that_would_be_refused_fails(on: Backend) {
    let installation = Installation::new(on);
    let list = "name\nanna\nb:n\n";
    let checked = import(&installation, list, &["--check", "--json"]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let document: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let counts = ["new", "existing", "wrong"].map(|name| document[name].as_u64().unwrap());
    assert_eq!((counts, document["changed"].as_bool()), ([1, 0, 1], Some(false)));
    let refused: Value = serde_json::from_slice(&checked.stderr).unwrap();
    assert_eq!(refused["error_description"], "1 line is wrong; nobody would be added");
    let good = import(&installation, "name\nanna\n", &["--check"]);
    assert!(good.status.success() && good.stderr.is_empty(), "{good:?}");
    let said = String::from_utf8(good.stdout).unwrap();
    assert!(said.contains("1 would be added; nothing was changed"), "{said}");
    assert!(names(&installation).is_empty());
}

fn a_long_list_is_added_whole(on: Backend) {
    let installation = Installation::new(on);
    // More than the console takes.
    let list = (0..6000).fold("name,uri\n".to_owned(), |mut list, index| {
        writeln!(list, "user{index},{}", if index % 100 == 0 { LONG } else { "" }).unwrap();
        list
    });
    assert_eq!(imported(&installation, &list, &[])["new"], 6000);
    assert_eq!(names(&installation).len(), 6000);
    assert_eq!(installation.json(&["factor", "list", "user500"]).as_array().unwrap().len(), 1);
    assert_eq!(installation.json(&["audit", "verify"])["intact"], true);
}

fn what_is_no_list_is_refused(on: Backend) {
    let installation = Installation::new(on);
    for (list, why) in [
        ("", "list is empty"),
        ("name,secret\nanna,x\n", "known are name, email, role, uri"),
        ("email\na@example.org\n", "no column name"),
        ("name\n", "names no user"),
    ] {
        let refused = refusal(&import(&installation, list, &[]));
        assert!(refused.contains(why), "{refused}");
    }
    let folder = installation.data();
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("list.csv").display().to_string();
    let refused = installation.refused(&["import", &file]);
    assert!(refused.contains("file") && refused.contains("No such file"), "{refused}");
    std::fs::write(&file, b"name\nann\xe4\n").unwrap();
    let refused = installation.refused(&["import", &file]);
    assert!(refused.contains("is not UTF-8"), "{refused}");
    std::fs::write(&file, "name\nanna\n").unwrap();
    let said = installation.run(&["import", &file]);
    assert!(said.contains("1 added, 0 existed already, 0 wrong"), "{said}");
}
