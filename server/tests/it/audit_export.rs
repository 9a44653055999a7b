//! `countersign audit export`, and `audit verify --against` what was exported: the log outside of the database, through the real binary.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use countersign::app;
use countersign::app::context::{At, Service};
use countersign::clock::Clock;
use countersign::db::{Conn, Database};
use countersign::domain::audit::{Action, Actor, Event, Origin};
use countersign::domain::target::Target;
use countersign::domain::time::Timestamp;
use diesel::connection::SimpleConnection;
use serde_json::Value;

use crate::process::{Installation, refusal};
use crate::{Backend, tests};

tests![
    an_export_has_every_entry_once_and_in_order,
    an_export_has_no_gap_while_others_write,
    an_export_has_what_its_span_has,
    an_export_is_whole_or_not_there,
    an_exported_table_holds_no_formulas,
    a_log_with_a_gap_is_exported_as_it_is_and_says_so,
    an_end_that_was_cut_off_with_its_head_is_found,
    a_chain_that_was_written_anew_is_found,
    a_log_that_goes_on_agrees_with_its_export,
    what_is_older_than_is_kept_may_be_missing,
    what_is_not_that_old_may_not,
    an_export_that_housekeeping_overtakes_says_so,
    what_is_no_export_is_refused_by_line,
];

/// What the command line works with, in this process.
struct Inside {
    service: Service,
    conn: Conn,
}

impl Inside {
    fn of(installation: &Installation) -> Self {
        let target = Target::parse(&installation.database).unwrap();
        let mut conn = Database::new(target.clone(), 1, None).look().unwrap().unwrap();
        let now = Clock::System.now();
        let master = app::start::unlock(&mut conn, &target, &installation.master_key(), now).unwrap();
        let service = Service::new(&master, String::new(), String::new(), None);
        Self { service, conn }
    }

    /// Entries of one moment, with these details.
    fn note(&mut self, at: Timestamp, details: impl IntoIterator<Item = String>) {
        let noted = self.service.write(&mut self.conn, At::new(at, Origin::COMMAND_LINE), |tx| {
            for detail in details {
                tx.note(Event::done(Actor::System, Action::MailRetried, None).with(detail));
            }
            Ok(())
        });
        noted.unwrap();
    }

    /// Does something to the database that the program never would.
    fn spoil(&mut self, statements: &str) {
        self.conn.batch_execute(statements).unwrap();
    }

    /// Cuts off everything behind a number, so that the chain fits.
    fn cut_off_behind(&mut self, seq: i64) {
        self.spoil(&format!(
            "DELETE FROM audit WHERE seq > {seq}; \
             UPDATE audit_head SET seq = {seq}, hash = (SELECT hash FROM audit WHERE seq = {seq})"
        ));
    }

    /// Shortens the log as a server with this setting would at this time.
    fn prune(&mut self, now: Timestamp, keep_days: u16) {
        self.service.audit_keep_days = Some(keep_days);
        let at = At::new(now, Origin::COMMAND_LINE);
        app::audit::prune(&self.service, &mut self.conn, at, || true).unwrap();
    }
}

/// An installation whose log has the two entries of a new database and so many more.
fn with_entries(on: Backend, entries: usize) -> (Installation, Inside) {
    let installation = Installation::new(on);
    installation.run(&["audit", "list"]);
    let mut inside = Inside::of(&installation);
    inside.note(Clock::System.now(), (0..entries).map(|number| format!("number={number}")));
    (installation, inside)
}

fn file(installation: &Installation, name: &str) -> PathBuf {
    installation.folder.path().join(name)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbers(lines: &[Value]) -> Vec<i64> {
    lines.iter().map(|line| line["seq"].as_i64().unwrap()).collect()
}

/// Exports to a file and returns its path.
fn export(installation: &Installation, name: &str) -> String {
    let path = file(installation, name).display().to_string();
    installation.json(&["audit", "export", "--output", &path]);
    path
}

fn an_export_has_every_entry_once_and_in_order(on: Backend) {
    let (installation, _) = with_entries(on, 4200);
    let text = installation.run(&["audit", "export"]);
    let exported = lines(&text);
    assert_eq!(numbers(&exported), (1..=4202).collect::<Vec<_>>());
    // What `audit list` says, and the chain besides.
    let listed = installation.json(&["audit", "list", "--limit", "10000"]);
    for (entry, listed) in exported.iter().zip(listed.as_array().unwrap()) {
        let mut entry = entry.clone();
        let hash = entry.as_object_mut().unwrap().remove("hash").unwrap();
        assert_eq!(hash.as_str().unwrap().len(), 64);
        assert_eq!(entry, *listed);
    }
    // Whatever `--json` says, these are the entries.
    assert_eq!(installation.run(&["audit", "export", "--json"]), text);
    let path = file(&installation, "log.jsonl");
    let told = installation.json(&["audit", "export", "--output", path.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((&told["entries"], &told["first"], &told["last"]), (&4202.into(), &1.into(), &4202.into()));
    assert_eq!(told["hash"], exported[4201]["hash"]);
    assert_eq!(told["format"], "jsonl");
}

fn an_export_has_no_gap_while_others_write(on: Backend) {
    let (installation, mut inside) = with_entries(on, 3000);
    let command = installation.command(&["audit", "export"]).stdout(Stdio::piped()).spawn().unwrap();
    for round in 0..50 {
        inside.note(Clock::System.now(), (0..20).map(|number| format!("round={round} number={number}")));
    }
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let seen = numbers(&lines(&String::from_utf8(output.stdout).unwrap()));
    assert!(seen.len() >= 3002);
    assert_eq!(seen, (1..=i64::try_from(seen.len()).unwrap()).collect::<Vec<_>>());
}

fn an_export_has_what_its_span_has(on: Backend) {
    let (installation, mut inside) = with_entries(on, 0);
    inside.spoil("DELETE FROM audit; UPDATE audit_head SET seq = 0, hash = (SELECT hash FROM audit_tail)");
    let day = |day: i64| Timestamp::parse("day", "2026-11-01T00:00:00Z").unwrap().plus_seconds(day * 86_400);
    for number in 0..9 {
        inside.note(day(number), (0..300).map(|part| format!("part={part}")));
    }
    // A request that took a while: its entry comes later than others of a later moment.
    inside.note(day(5).plus_seconds(-10), ["late".to_owned()]);
    let exported = |arguments: &[&str]| {
        lines(&installation.run(&[&["audit", "export"], arguments].concat()))
            .iter()
            .map(|entry| entry["at"].as_str().unwrap()[8..10].parse::<i64>().unwrap())
            .collect::<Vec<_>>()
    };
    let expected = |days: std::ops::RangeInclusive<i64>| days.flat_map(|day| [day; 300]).collect::<Vec<_>>();
    assert_eq!(exported(&["--since", "2026-11-07T00:00:00Z"]), expected(7..=9));
    assert_eq!(exported(&["--since", "2026-11-07T00:00:00.001Z"]), expected(8..=9));
    assert_eq!(exported(&["--until", "2026-11-03T00:00:00Z"]), expected(1..=2));
    let both = ["--since", "2026-11-02T01:00:00+01:00", "--until", "2026-11-04T00:00:00Z"];
    assert_eq!(exported(&both), expected(2..=3));
    assert_eq!(exported(&["--since", "2027-01-01T00:00:00Z"]), Vec::<i64>::new());
    let none = file(&installation, "none");
    let arguments = ["--since", "2027-01-01T00:00:00Z", "--output", none.to_str().unwrap()];
    let told = installation.json(&[&["audit", "export"][..], &arguments].concat());
    assert_eq!((&told["entries"], &told["last"]), (&0.into(), &Value::Null));
    for (arguments, field) in [
        (&["--since", "yesterday"][..], "since"),
        (&["--until", "2026-11-01"], "until"),
        (&["--since", "2026-11-02T00:00:00Z", "--until", "2026-11-02T00:00:00Z"], "until"),
    ] {
        let line = installation.refused(&[&["audit", "export"], arguments].concat());
        assert!(line.starts_with(&format!("countersign: {field} must be")), "{line}");
    }
}

fn an_export_is_whole_or_not_there(on: Backend) {
    let (installation, mut inside) = with_entries(on, 10);
    let folder = installation.folder.path().join("kept");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("log.jsonl").display().to_string();
    let arguments = ["audit", "export", "--output", &path];
    fs::write(&path, "mine").unwrap();
    let line = installation.refused(&arguments);
    assert!(line.starts_with(&format!("countersign: output names {path}, which exists already")), "{line}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    fs::remove_file(&path).unwrap();
    // A log that cannot be read leaves nothing behind.
    inside.spoil("ALTER TABLE audit RENAME TO elsewhere");
    installation.refused(&arguments);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    inside.spoil("ALTER TABLE elsewhere RENAME TO audit");
    installation.refused(&["audit", "export", "--output", "/nowhere/log.jsonl"]);
    installation.run(&arguments);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    // A reader who has seen enough is no failure.
    inside.note(Clock::System.now(), (0..5000).map(|number| format!("number={number}")));
    let mut head = installation.command(&["audit", "export"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(head.stdout.take());
    assert_eq!(head.wait().unwrap().code(), Some(0));
}

fn an_exported_table_holds_no_formulas(on: Backend) {
    let (installation, mut inside) = with_entries(on, 1500);
    let strange = ["=1+1", "+2", "-3", "@SUM(A1)", "a,\"b\"\nc"];
    inside.note(Clock::System.now(), strange.map(str::to_owned));
    let text = installation.run(&["audit", "export", "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let heading = ["seq", "at", "actor", "action", "subject", "outcome", "address", "detail", "hash"];
    assert_eq!(reader.headers().unwrap(), &heading[..]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let seqs: Vec<i64> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(seqs, (1..=1507).collect::<Vec<_>>());
    let details: Vec<&str> = rows[1502..].iter().map(|row| &row[7]).collect();
    assert_eq!(details, ["'=1+1", "'+2", "'-3", "'@SUM(A1)", "a,\"b\"\nc"]);
    // JSON is for programs, and says what is there.
    let exported = lines(&installation.run(&["audit", "export", "--format", "jsonl"]));
    let details: Vec<&str> = exported[1502..].iter().map(|entry| entry["detail"].as_str().unwrap()).collect();
    assert_eq!(details, strange);
    assert_eq!(&rows[1506][8], exported[1506]["hash"].as_str().unwrap());
}

fn a_log_with_a_gap_is_exported_as_it_is_and_says_so(on: Backend) {
    for (gone, missing) in [("seq = 1", 1), ("seq BETWEEN 1000 AND 1001", 1000), ("seq > 2400", 2401)] {
        let (installation, mut inside) = with_entries(on, 2500);
        inside.spoil(&format!("DELETE FROM audit WHERE {gone}"));
        let output = installation.command(&["audit", "export"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(&format!("no entry {missing}:")), "{told}");
        let exported = lines(&String::from_utf8(output.stdout).unwrap());
        let left = crate::actors::count(&mut inside.conn, "audit");
        assert_eq!(i64::try_from(exported.len()).unwrap(), left, "{gone}");
    }
}

fn an_end_that_was_cut_off_with_its_head_is_found(on: Backend) {
    let (installation, mut inside) = with_entries(on, 2500);
    let kept = export(&installation, "log.jsonl");
    inside.cut_off_behind(2400);
    // Alone the log knows nothing of it.
    assert_eq!(installation.json(&["audit", "verify"])["last"], 2400);
    let line = installation.refused(&["audit", "verify", "--against", &kept]);
    assert!(line.contains("entry 2401 of") && line.contains("is missing: the log ends with 2400"), "{line}");
    let document =
        refusal(&installation.command(&["audit", "verify", "--against", &kept, "--json"]).output().unwrap());
    assert_eq!(serde_json::from_str::<Value>(&document).unwrap()["error"], "audit_differs");
}

fn a_chain_that_was_written_anew_is_found(on: Backend) {
    let (installation, mut inside) = with_entries(on, 1500);
    let kept = export(&installation, "log.jsonl");
    // An older database that has gone on; or somebody with the master key, who can write whatever fits.
    inside.cut_off_behind(1200);
    inside.note(Clock::System.now(), (0..400).map(|number| format!("other={number}")));
    assert_eq!(installation.json(&["audit", "verify"])["intact"], true);
    let line = installation.refused(&["audit", "verify", "--against", &kept]);
    assert!(line.contains("entry 1201 of the log is not the one in"), "{line}");
    // A log that does not even agree with itself says that first.
    inside.spoil("UPDATE audit SET detail = 'x' WHERE seq = 1100");
    let line = installation.refused(&["audit", "verify", "--against", &kept]);
    assert!(line.contains("entry 1100 was altered"), "{line}");
}

fn a_log_that_goes_on_agrees_with_its_export(on: Backend) {
    let (installation, mut inside) = with_entries(on, 2100);
    let kept = export(&installation, "log.jsonl");
    inside.note(Clock::System.now(), (0..10).map(|number| format!("later={number}")));
    let told = installation.json(&["audit", "verify", "--against", &kept]);
    assert_eq!((&told["intact"], &told["last"]), (&true.into(), &2112.into()));
    assert_eq!((&told["against"]["found"], &told["against"]["deleted"]), (&2102.into(), &0.into()));
    // Parts of it are good, too, and so are several of them in one file.
    let text = fs::read_to_string(&kept).unwrap();
    let some: Vec<&str> =
        text.lines().enumerate().filter(|(place, _)| place % 700 < 3).map(|(_, line)| line).collect();
    let path = file(&installation, "some.jsonl");
    fs::write(&path, some.join("\n")).unwrap();
    let told = installation.json(&["audit", "verify", "--against", path.to_str().unwrap()]);
    assert_eq!(told["against"]["found"], some.len());
    // Whatever differs is named, though it may be the file that was altered.
    for (place, (from, to)) in
        [("number=41\"", "number=14\""), ("\"system\"", "\"operator\""), ("\"hash\":\"", "\"hash\":\"00")]
            .iter()
            .enumerate()
    {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut altered = lines[43].replace(from, to);
        if place == 2 {
            let end = altered.len() - 2;
            altered.replace_range(end - 2..end, "");
        }
        assert_ne!(lines[43], altered);
        lines[43] = altered;
        fs::write(&path, lines.join("\n")).unwrap();
        let line = installation.refused(&["audit", "verify", "--against", path.to_str().unwrap()]);
        assert!(line.contains("entry 44 of the log is not the one in"), "{line}");
    }
}

/// A log that begins `days` ago, with so many entries then and ten now.
fn old(on: Backend, days: i64, entries: usize) -> (Installation, Inside) {
    let (installation, mut inside) = with_entries(on, 0);
    inside.spoil("DELETE FROM audit; UPDATE audit_head SET seq = 0, hash = (SELECT hash FROM audit_tail)");
    let now = Clock::System.now();
    inside.note(now.plus_seconds(-days * 86_400), (0..entries).map(|number| format!("old={number}")));
    inside.note(now, (0..10).map(|number| format!("young={number}")));
    (installation, inside)
}

fn what_is_older_than_is_kept_may_be_missing(on: Backend) {
    let (installation, mut inside) = old(on, 40, 1100);
    let kept = export(&installation, "log.jsonl");
    inside.prune(Clock::System.now(), 30);
    let told = installation.json(&["audit", "verify", "--against", &kept]);
    assert_eq!(told["first"], 1101);
    assert_eq!((&told["against"]["found"], &told["against"]["deleted"]), (&10.into(), &1100.into()));
    // The export begins where the log does, now.
    let exported = numbers(&lines(&installation.run(&["audit", "export"])));
    assert_eq!(exported, (1101..=1111).collect::<Vec<_>>());
    // What comes after is held against as ever.
    inside.cut_off_behind(1105);
    let line = installation.refused(&["audit", "verify", "--against", &kept]);
    assert!(line.contains("entry 1106 of") && line.contains("is missing"), "{line}");
}

fn what_is_not_that_old_may_not(on: Backend) {
    let (installation, mut inside) = old(on, 20, 1100);
    let kept = export(&installation, "log.jsonl");
    // By somebody with the master key: as if it were a year later.
    inside.prune(Clock::System.now().plus_seconds(365 * 86_400), 30);
    assert_eq!(installation.json(&["audit", "verify"])["intact"], true);
    let line = installation.refused(&["audit", "verify", "--against", &kept]);
    assert!(line.contains("entry 1 of") && line.contains("younger than any audit_keep_days"), "{line}");
}

fn an_export_that_housekeeping_overtakes_says_so(on: Backend) {
    let (installation, mut inside) = old(on, 40, 5000);
    let command =
        installation.command(&["audit", "export"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = command.unwrap();
    let mut first = [0; 100];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    // It waits to be read on, within its first thousand.
    inside.prune(Clock::System.now(), 30);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("entries up to 5000 were older") && errors.contains("start again"), "{errors}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1000);
}

fn what_is_no_export_is_refused_by_line(on: Backend) {
    let (installation, _) = with_entries(on, 5);
    let kept = export(&installation, "log.jsonl");
    let good: Vec<String> = fs::read_to_string(&kept).unwrap().lines().map(str::to_owned).collect();
    let bad = file(&installation, "bad.jsonl");
    let refused = |text: &[u8]| {
        fs::write(&bad, text).unwrap();
        installation.refused(&["audit", "verify", "--against", bad.to_str().unwrap()])
    };
    let short = &good[2][..good[2].len() - 30];
    let without_hash = format!("{}}}", good[2].split(",\"hash\"").next().unwrap());
    let with = |from: &str, to: &str| good[2].replace(from, to);
    for third in [
        "",
        "secret words",
        "[]",
        "seq,at,actor",
        short,
        &without_hash,
        &with("\"seq\":3", "\"seq\":\"secret\""),
        &with("\"at\":\"2", "\"at\":\"secret 2"),
        &with("\"hash\":\"", "\"hash\":\"x"),
        &"x".repeat(3_000_000),
        &good[1],
        &good[0],
    ] {
        let line = refused(format!("{}\n{}\n{third}\n{}\n", good[0], good[1], good[3]).as_bytes());
        assert!(line.contains("line 3 is"), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
    assert!(refused(b"\xff\xfe\n").contains("line 1 is"));
    assert!(refused(b"").contains("holds no entry"));
    let line = installation.refused(&["audit", "verify", "--against", "/nowhere/log.jsonl"]);
    assert!(line.contains("against names /nowhere/log.jsonl"), "{line}");
    // A table is no such export.
    let table = file(&installation, "log.csv");
    installation.run(&["audit", "export", "--format", "csv", "--output", table.to_str().unwrap()]);
    let line = installation.refused(&["audit", "verify", "--against", table.to_str().unwrap()]);
    assert!(line.contains("line 1 is"), "{line}");
}
