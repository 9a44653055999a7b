//! The claims of `docs/spec/transfer.md`: every sample file, the laws, and mutated samples.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mobile_core::transfer::{
    self, Choice, Format, Import, Place, Reason, Status, TransferError, migration_id, read_uri,
    write_migration, write_uris,
};
use mobile_core::vault::{
    Content, Cost, Entry, EntryId, Generator, Key, NewSlot, Passphrase, Random, Stretch, Vault, write_plain,
};
use mobile_core::{Algorithm, Counter, Digits, Hotp, Origin, Period, Secret, Totp};
use proptest::prelude::*;

use super::{cases, specified};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/transfer")
}

/// A sample and what is expected of it.
struct Sample {
    name: String,
    file: Vec<u8>,
    format: Format,
    password: Option<String>,
    /// The lines after format and password.
    expected: String,
}

fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for entry in folder().read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "expected") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let (head, mut expected) = text.split_once('\n').unwrap();
        let code = head.strip_prefix("format: ").unwrap();
        let format = Format::ALL.into_iter().find(|format| format.code() == code).unwrap();
        let mut password = None;
        if let Some((line, rest)) =
            expected.split_once('\n').filter(|(line, _)| line.starts_with("password: "))
        {
            password = line.strip_prefix("password: ").map(str::to_owned);
            expected = rest;
        }
        let path = path.with_extension("");
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        samples.push(Sample {
            name,
            file: std::fs::read(path).unwrap(),
            format,
            password,
            expected: expected.into(),
        });
    }
    assert_eq!(samples.len(), 15, "samples");
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    samples
}

fn read(sample: &Sample) -> Import {
    transfer::read(&sample.file, sample.format, sample.password.as_deref())
        .unwrap_or_else(|error| panic!("{}: {error}", sample.name))
}

fn written(import: &Import) -> String {
    let mut text = String::new();
    for found in &import.found {
        let entry = &found.entry;
        write!(text, "found: {}: {}", found.place, *entry.key.to_uri()).unwrap();
        for (name, value) in [("label", &entry.label), ("group", &entry.group)] {
            if let Some(value) = value {
                write!(text, " {name}={value:?}").unwrap();
            }
        }
        if entry.favourite {
            text.push_str(" favourite");
        }
        if !entry.note.is_empty() {
            write!(text, " note={:?}", entry.note.as_str()).unwrap();
        }
        text.push('\n');
    }
    for unread in &import.unread {
        writeln!(text, "unread: {}: {}: {}", unread.place, unread.reason.code(), unread.name).unwrap();
    }
    if import.without_code > 0 {
        writeln!(text, "without code: {}", import.without_code).unwrap();
    }
    text
}

/// Draws ids that are all different.
fn ids() -> impl FnMut() -> [u8; 16] {
    let mut number = 0_u128;
    move || {
        number += 1;
        number.to_be_bytes()
    }
}

fn take_over(import: Import, content: &mut Content) -> usize {
    let first = content.entries().len() as u128 * 1000;
    let mut draw = ids();
    let id = || (u128::from_be_bytes(draw()) + first).to_be_bytes();
    let preview = import.preview(content);
    preview.apply(content, 5, id, |item| item.status.usual()).unwrap().len()
}

#[test]
fn samples_are_read_as_their_expected_files_say() {
    for sample in samples() {
        assert_eq!(written(&read(&sample)), sample.expected, "{}", sample.name);
    }
}

#[test]
fn an_import_is_handed_over_unchanged() {
    for sample in samples() {
        let import = read(&sample);
        assert_eq!(Import::from_json(&import.to_json()).as_ref(), Ok(&import), "{}", sample.name);
    }
    let empty = r#"{"found":[],"places":[],"unread":[],"without_code":0}"#;
    assert!(Import::from_json(empty.as_bytes()).is_ok());
    for (wrong, error) in [
        ("", TransferError::Malformed(0)),
        ("{}", TransferError::Unexpected("found")),
        (&empty.replace("\"places\":[]", "\"places\":[\"line/1\"]"), TransferError::Unexpected("places")),
        (&empty.replace("\"unread\":[]", "\"unread\":[{}]"), TransferError::Unexpected("unread")),
        (&empty.replace(":0", ":-1"), TransferError::Unexpected("without_code")),
    ] {
        assert_eq!(Import::from_json(wrong.as_bytes()), Err(error), "{wrong}");
    }
}

#[test]
fn samples_are_recognised() {
    for sample in samples() {
        assert_eq!(Format::detect(&sample.file), Some(sample.format), "{}", sample.name);
    }
    for unknown in [&b""[..], b"{}", b"{\"db\":", b"hello", b"\xff\xfe", &[0; 200]] {
        assert_eq!(Format::detect(unknown), None, "{unknown:?}");
    }
}

#[test]
fn every_format_is_refused_without_panic_where_a_sample_of_another_is_given() {
    for sample in samples() {
        for format in Format::ALL {
            let _ = transfer::read(&sample.file, format, Some("tree house"));
        }
    }
}

#[test]
fn an_import_twice_doubles_nothing() {
    for sample in samples() {
        let mut content = Content::default();
        let found = read(&sample).found.len();
        assert_eq!(take_over(read(&sample), &mut content), found, "{}", sample.name);
        let before = content.clone();
        let preview = read(&sample).preview(&content);
        assert!(
            preview.items.iter().all(|item| matches!(item.status, Status::Duplicate(_))),
            "{}",
            sample.name
        );
        // Not even where somebody asks for it.
        preview.apply(&mut content, 5, ids(), |_| Choice::Add).unwrap();
        assert_eq!(content, before, "{}", sample.name);
    }
}

#[test]
fn encrypted_samples_want_their_password() {
    for sample in samples().iter().filter(|sample| sample.password.is_some()) {
        let read = |password| transfer::read(&sample.file, sample.format, password).map(|_| ());
        assert_eq!(read(None), Err(TransferError::PasswordNeeded), "{}", sample.name);
        assert_eq!(read(Some("tree  house")), Err(TransferError::NotOpened), "{}", sample.name);
        assert_eq!(read(Some("")), Err(TransferError::NotOpened), "{}", sample.name);
    }
}

#[test]
fn hostile_costs_are_refused() {
    let aegis = std::fs::read_to_string(folder().join("aegis_encrypted.json")).unwrap();
    for (from, to) in [
        ("\"n\": 4096", "\"n\": 1073741824"),
        ("\"n\": 4096", "\"n\": 18446744073709551615"),
        ("\"n\": 4096", "\"n\": 4095"),
        ("\"n\": 4096", "\"n\": 0"),
        ("\"r\": 8", "\"r\": 1000000"),
        ("\"p\": 1,", "\"p\": 4294967296,"),
    ] {
        assert!(aegis.contains(from));
        let result = transfer::read(aegis.replace(from, to).as_bytes(), Format::Aegis, Some("tree house"));
        assert_eq!(result.unwrap_err(), TransferError::Cost, "{to}");
    }
    let mut andotp = std::fs::read(folder().join("andotp.json.aes")).unwrap();
    for rounds in [0, 2_000_001, u32::MAX] {
        andotp[..4].copy_from_slice(&rounds.to_be_bytes());
        let result = transfer::read(&andotp, Format::AndOtpEncrypted, Some("tree house"));
        assert_eq!(result.unwrap_err(), TransferError::Cost, "{rounds}");
    }
}

#[test]
fn what_cannot_be_read_at_all_says_why() {
    for (file, format, error) in [
        ("{", Format::Aegis, TransferError::Malformed(1)),
        ("\u{feff}[1,]", Format::AndOtp, TransferError::Malformed(6)),
        ("[]", Format::Aegis, TransferError::Version),
        (r#"{"version":2,"db":{}}"#, Format::Aegis, TransferError::Version),
        (r#"{"version":1,"db":{"version":9}}"#, Format::Aegis, TransferError::Version),
        (r#"{"version":1}"#, Format::Aegis, TransferError::Unexpected("db")),
        (r#"{"schemaVersion":9,"services":[]}"#, Format::TwoFas, TransferError::Version),
        (r#"{"schemaVersion":4}"#, Format::TwoFas, TransferError::Unexpected("services")),
        ("{}", Format::AndOtp, TransferError::Unexpected("list")),
        ("{}", Format::FreeOtpPlus, TransferError::Unexpected("tokens")),
        (r#"{"encrypted":true,"data":"2.abc"}"#, Format::BitwardenJson, TransferError::Encryption),
        ("name,login_username\n", Format::BitwardenCsv, TransferError::Unexpected("login_totp")),
        ("login_totp\n\"abc", Format::BitwardenCsv, TransferError::Malformed(15)),
        ("login_totp\n\"a\"b\n", Format::BitwardenCsv, TransferError::Malformed(14)),
    ] {
        assert_eq!(transfer::read(file.as_bytes(), format, Some("x")).unwrap_err(), error, "{file}");
    }
    assert_eq!(transfer::read(b"\xff", Format::Uris, None).unwrap_err(), TransferError::Malformed(0));
    let large = vec![b'\n'; transfer::MAX_BYTES + 1];
    assert_eq!(transfer::read(&large, Format::Uris, None).unwrap_err(), TransferError::TooLarge);
    let many = "x\n".repeat(transfer::MAX_ITEMS);
    assert_eq!(
        transfer::read(many.as_bytes(), Format::Uris, None).unwrap().unread.len(),
        transfer::MAX_ITEMS
    );
    let many = many + "x\n";
    assert_eq!(transfer::read(many.as_bytes(), Format::Uris, None).unwrap_err(), TransferError::TooMany);
}

#[test]
fn the_specification_lists_every_refusal_and_reason() {
    let refusals = [
        TransferError::TooLarge,
        TransferError::TooMany,
        TransferError::Malformed(0),
        TransferError::Unexpected(""),
        TransferError::Version,
        TransferError::PasswordNeeded,
        TransferError::NotOpened,
        TransferError::Cost,
        TransferError::Encryption,
    ]
    .map(TransferError::code);
    assert_eq!(refusals.to_vec(), specified("transfer.md", "### Refusals"));
    let reasons = [
        Reason::Kind,
        Reason::Member(""),
        Reason::Trashed,
        Reason::Damaged,
        Reason::PartMissing,
        Reason::TooLong,
    ]
    .map(Reason::code);
    assert_eq!(reasons.to_vec(), specified("transfer.md", "### Reasons"));
    let formats = Format::ALL.map(Format::code);
    assert_eq!(formats.to_vec(), specified("transfer.md", "## What is read"));
}

fn key(issuer: &str, account: &str, secret: u8, generator: Generator) -> Key {
    let secret = Secret::from_bytes(&[secret; 20]).unwrap();
    Key::new(Some(issuer.into()), account.into(), secret, generator).unwrap()
}

fn totp() -> Generator {
    Generator::Totp(Totp::default())
}

fn content(keys: &[Key]) -> Content {
    let mut content = Content::default();
    let mut id = ids();
    for key in keys {
        content.add(Entry::new(EntryId::new(id()), key.clone(), 1)).unwrap();
    }
    content
}

#[test]
fn the_preview_tells_new_duplicate_conflict_and_repeated_apart() {
    let hotp = |counter| Generator::Hotp(Hotp::default(), Counter::new(counter));
    let eight = Generator::Totp(Totp { digits: Digits::MAX, ..Totp::default() });
    let here = content(&[key("A", "a", 1, totp()), key("B", "b", 2, hotp(3))]);
    let there = content(&[
        key("A", "a", 1, totp()),
        key("A", "renamed", 1, totp()),
        key("A", "a", 9, totp()),
        key("A", "a", 1, eight),
        key("B", "b", 2, hotp(8)),
        key("C", "c", 7, totp()),
        key("D", "d", 7, totp()),
        key("A", "a", 1, Generator::Steam),
    ]);
    let [a, b] = [0, 1].map(|index| here.entries()[index].id());
    let list = write_uris(&there);
    let preview = transfer::read(list.as_bytes(), Format::Uris, None).unwrap().preview(&here);
    let statuses: Vec<_> = preview.items.iter().map(|item| item.status).collect();
    assert_eq!(
        statuses,
        [
            Status::Duplicate(a),
            Status::Duplicate(a),
            Status::Conflict(a),
            Status::Conflict(a),
            Status::Duplicate(b),
            Status::New,
            Status::Repeated(5),
            Status::Conflict(a),
        ]
    );

    // Usually what is new is added.
    let mut usual = here.clone();
    let id = || [9; 16];
    let changed = preview.clone().apply(&mut usual, 77, id, |item| item.status.usual()).unwrap();
    assert_eq!(changed, [EntryId::new([9; 16])]);
    assert_eq!((usual.entries().len(), usual.entries()[2].created), (3, 77));

    // A conflict may take the place, and keeps what is the user's; a second one of the same names is added.
    let mut replaced = here.clone();
    let mut named = replaced.entries()[0].clone();
    named.label = Some("mine".into());
    replaced.replace(named).unwrap();
    let mut draw = ids();
    let id = || (u128::from_be_bytes(draw()) + 100).to_be_bytes();
    preview
        .apply(&mut replaced, 0, id, |item| match item.status {
            Status::Conflict(_) => Choice::Replace,
            _ => Choice::Skip,
        })
        .unwrap();
    let first = replaced.entry(a).unwrap();
    assert_eq!((first.label.as_deref(), first.key.secret().expose()[0]), (Some("mine"), 9));
    assert_eq!(replaced.entries().len(), 4);
}

#[test]
fn what_takes_the_place_of_an_account_brings_its_own_origin() {
    let uri = |secret: &str, origin: &str| {
        format!("otpauth://totp/Example:alice?secret={secret}&issuer=Example{origin}\n")
    };
    let made = |number: u8| {
        format!("&countersign=https%3A%2F%2Fmfa.example.com%230192f0c1-2345-7abc-8def-{number:012}")
    };
    let read = |list: &str| transfer::read(list.as_bytes(), Format::Uris, None).unwrap();
    let mut vault = Content::default();
    assert_eq!(take_over(read(&uri("GEZDGNBV", &made(1))), &mut vault), 1);
    let id = vault.entries()[0].id();
    // Enrolled anew, then replaced by a key of who knows whom.
    for (secret, origin, factor) in [
        ("MZXW6YTB", made(2), Some("0192f0c1-2345-7abc-8def-000000000002")),
        ("JBSWY3DP", String::new(), None),
    ] {
        let preview = read(&uri(secret, &origin)).preview(&vault);
        assert_eq!(preview.items[0].status, Status::Conflict(id));
        assert_eq!(preview.apply(&mut vault, 0, ids(), |_| Choice::Replace).unwrap(), [id]);
        let entry = vault.entry(id).unwrap();
        assert_eq!(*entry.key.secret(), Secret::parse(secret).unwrap());
        assert_eq!(entry.origin.as_ref().and_then(|origin| origin.factor.as_deref()), factor);
    }
}

#[test]
fn a_list_says_which_countersign_made_an_account_and_an_export_does_not() {
    let bare =
        "otpauth://totp/Example:alice?secret=GEZDGNBV&issuer=Example&algorithm=SHA1&digits=6&period=30";
    let factor = "0192f0c1-2345-7abc-8def-0123456789ab";
    let list = format!(
        "{bare}&countersign=https%3A%2F%2Fmfa.example.com%23{factor}\n\
         {bare}&countersign=https%3A%2F%2Fmfa.example.com%23{factor}&codeDisplay=%7B%22pinned%22%3Atrue%7D\n\
         {bare}&countersign=nonsense\n"
    );
    let import = transfer::read(list.as_bytes(), Format::Uris, None).unwrap();
    let origins: Vec<_> = import.found.iter().map(|found| found.entry.origin.clone()).collect();
    let origin = Origin { issuer: "https://mfa.example.com".into(), factor: Some(factor.into()) };
    assert_eq!(origins, [Some(origin.clone()), Some(origin.clone()), None]);
    let mut taken = Content::default();
    assert_eq!(take_over(import, &mut taken), 1);
    assert_eq!(taken.entries()[0].origin, Some(origin));
    assert_eq!(*write_uris(&taken), format!("{bare}\n"));
}

#[test]
fn without_room_for_all_nothing_is_changed() {
    let mut full = Content::default();
    for number in 1..Content::MAX_ENTRIES as u128 {
        let id = EntryId::new((number << 64).to_be_bytes());
        full.add(Entry::new(id, key("X", "x", 1, totp()), 1)).unwrap();
    }
    let list = write_uris(&content(&[key("A", "a", 5, totp()), key("B", "b", 6, totp())]));
    let before = full.clone();
    let preview = transfer::read(list.as_bytes(), Format::Uris, None).unwrap().preview(&full);
    assert!(preview.apply(&mut full, 0, ids(), |_| Choice::Add).is_err());
    assert_eq!(full, before);
}

#[test]
fn another_programs_migration_is_written_byte_by_byte() {
    let sample = std::fs::read_to_string(folder().join("migration_written.txt")).unwrap();
    let mut content = Content::default();
    assert_eq!(take_over(transfer::read(sample.as_bytes(), Format::Uris, None).unwrap(), &mut content), 3);
    let (uris, left_out) = write_migration(&content, 2 * 123_456);
    assert!(left_out.is_empty());
    assert_eq!(uris.iter().map(|uri| uri.as_str()).collect::<Vec<_>>(), [sample.trim_end()]);
}

#[test]
fn large_exports_take_several_codes_and_a_missing_one_is_noticed() {
    let keys: Vec<Key> =
        (1..=25).map(|number| key("Example", &format!("user {number}"), number, totp())).collect();
    let content = content(&keys);
    let (uris, left_out) = write_migration(&content, 4);
    assert_eq!((uris.len(), left_out.len()), (3, 0));
    assert!(uris.iter().all(|uri| uri.len() < 2000), "a QR code that a screen can show");
    let lines: Vec<&str> = uris.iter().map(|uri| uri.as_str()).collect();
    let all = transfer::read(lines.join("\n").as_bytes(), Format::Uris, None).unwrap();
    assert_eq!((all.found.len(), all.unread.len()), (25, 0));
    // All say whose they are, so that the parts of another export are told apart.
    let other = write_migration(&content, 6).0;
    assert_eq!(lines.iter().map(|line| migration_id(line)).collect::<BTreeSet<_>>(), [Some(2)].into());
    assert_eq!(migration_id(&other[0]), Some(3));
    for none in ["", "otpauth://totp/a?secret=GEZDGNBV&data=CAE=", "otpauth-migration://offline?data=%%"] {
        assert_eq!(migration_id(none), None, "{none}");
    }
    let some = transfer::read([lines[2], lines[0]].join("\n").as_bytes(), Format::Uris, None).unwrap();
    assert_eq!(some.found.len(), 15);
    assert_eq!(some.unread.iter().map(|unread| unread.place).collect::<Vec<_>>(), [Place::Part(2)]);
}

#[test]
fn a_uri_without_any_name_gets_one_that_is_given() {
    let secret = "secret=GEZDGNBVGY3TQOJQ";
    for (uri, issuer, account) in [
        (format!("otpauth://totp/?{secret}"), None, "Ohne Namen"),
        (format!("otpauth://totp?{secret}&period=60"), None, "Ohne Namen"),
        (format!("otpauth://steam/?{secret}"), None, "Ohne Namen"),
        (format!("otpauth://totp/?{secret}&issuer=Example"), Some("Example"), "Example"),
        (format!("otpauth://totp/alice?{secret}"), None, "alice"),
    ] {
        let (key, _) = read_uri(&uri, "Ohne Namen").unwrap();
        assert_eq!((key.issuer(), key.account()), (issuer, account), "{uri}");
    }
    assert!(read_uri("otpauth://totp/?secret=018", "Ohne Namen").is_err());
    assert!(read_uri("https://example.org/", "Ohne Namen").is_err());
}

#[test]
fn names_that_could_not_be_shown_safely_are_taken_over_without_what_makes_them_so() {
    let item = |name: &str, folder: &str| {
        let totp = "otpauth://totp/Example:alice?secret=GEZDGNBVGY3TQOJQ";
        format!(r#"{{"encrypted":false,"folders":[{{"id":"f","name":"{folder}"}}],"#)
            + &format!(r#""items":[{{"name":"{name}","folderId":"f","login":{{"totp":"{totp}"}}}}]}}"#)
    };
    for (name, folder, label, group) in [
        ("Bank\u{202e}knaB", "Ho\\nme", Some("BankknaB"), Some("Home")),
        ("\u{2066}\u{2069}", " \u{2028} ", None, None),
        ("Zo\u{eb}", "\u{5e2}\u{5d1}\u{5e8}", Some("Zo\u{eb}"), Some("\u{5e2}\u{5d1}\u{5e8}")),
    ] {
        let read = transfer::read(item(name, folder).as_bytes(), Format::BitwardenJson, None).unwrap();
        let entry = &read.found[0].entry;
        assert_eq!((entry.label.as_deref(), entry.group.as_deref()), (label, group), "{name:?} {folder:?}");
    }
    // In our own file as well, which anybody may have written.
    let mut content = content(&[key("A", "a", 1, totp())]);
    let mut entry = content.entries()[0].clone();
    entry.label = Some("a\u{202e}b".into());
    content.replace(entry).unwrap();
    let read = transfer::read(&write_plain(&content).unwrap(), Format::PlainVault, None).unwrap();
    assert_eq!(read.found[0].entry.label.as_deref(), Some("ab"));
}

#[test]
fn our_own_files_come_back_whole() {
    let mut content = content(&[key("A", "a", 1, totp()), key("S", "s", 2, Generator::Steam)]);
    let mut full = content.entries()[0].clone();
    full.label = Some("label".into());
    full.note = "note".to_owned().into();
    full.favourite = true;
    content.replace(full).unwrap();

    let passphrase = Passphrase::new("tree house").unwrap();
    let stretch = Stretch::new(Cost::new(8192, 1, 1).unwrap(), [4; 16]);
    let key = passphrase.stretch(&stretch).unwrap();
    let slot = NewSlot::Stretched(&key);
    let mut vault =
        Vault::create(content.clone(), &slot, Random::new([1; 48]), Random::new([2; 40])).unwrap();
    let sealed = vault.save(Random::new([3; 24])).unwrap();
    let plain = write_plain(&content).unwrap();
    for (file, format, password) in
        [(sealed.as_slice(), Format::Vault, Some("tree house")), (&plain, Format::PlainVault, None)]
    {
        assert_eq!(Format::detect(file), Some(format));
        let import = transfer::read(file, format, password).unwrap();
        let mut elsewhere = Content::default();
        let mut first = [0; 16];
        let id = || {
            first[15] += 1;
            first
        };
        import.preview(&elsewhere).apply(&mut elsewhere, 99, id, |item| item.status.usual()).unwrap();
        assert_eq!(elsewhere, content, "with the ids that happen to be the same, and their own times");
    }
    assert_eq!(transfer::read(&sealed, Format::Vault, None).unwrap_err(), TransferError::PasswordNeeded);
    assert_eq!(transfer::read(&sealed, Format::Vault, Some("no")).unwrap_err(), TransferError::NotOpened);
}

#[test]
fn what_could_not_be_opened_is_not_saved() {
    // Members that are not known, half as many as a reader takes, twice.
    let mut here = Content::default();
    for number in 1..=2 {
        let zeros = "0,".repeat(1 << 18);
        let file = format!(
            "countersign vault 1, NOT ENCRYPTED\n{{\"version\":1,\"entries\":[{{\"id\":\"{number:032x}\",\"kind\":\"steam\",\
             \"account\":\"a\",\"secret\":\"AAA{number}\",\"created\":1,\"later\":[{zeros}0]}}]}}"
        )
        .replace("AAA1", "AAAQ")
        .replace("AAA2", "AABA");
        let import = transfer::read(file.as_bytes(), Format::PlainVault, None).unwrap();
        let id = || [number; 16];
        assert_eq!(import.preview(&here).apply(&mut here, 0, id, |_| Choice::Add).unwrap().len(), 1);
        assert_eq!(write_plain(&here).is_ok(), number == 1);
    }
}

fn keys() -> impl Strategy<Value = Key> {
    let generator = prop_oneof![
        (prop::sample::select(&Algorithm::ALL[..]), 6..=8_u8, 1..100_u32).prop_map(
            |(algorithm, digits, period)| {
                let digits = Digits::new(digits).unwrap();
                Generator::Totp(Totp { algorithm, digits, period: Period::new(period).unwrap() })
            }
        ),
        (prop::sample::select(&Algorithm::ALL[..]), any::<u64>()).prop_map(|(algorithm, counter)| {
            Generator::Hotp(Hotp { algorithm, ..Hotp::default() }, Counter::new(counter))
        }),
        Just(totp()),
        Just(Generator::Steam),
    ];
    let secret = prop::collection::vec(any::<u8>(), 1..=Secret::MAX_BYTES);
    let name = "[a-zA-Z:+%&=?é🔑][a-zA-Z :+%&=é🔑]{0,12}[a-zA-Z:é🔑]";
    (prop::option::of(name), name, secret, generator).prop_filter_map(
        "names",
        |(issuer, account, secret, generator)| {
            Key::new(issuer, account, Secret::from_bytes(&secret).unwrap(), generator).ok()
        },
    )
}

/// Samples, with some bytes changed, cut out or put in.
fn mutated() -> impl Strategy<Value = (Vec<u8>, Format, Option<String>)> {
    let samples: Vec<_> =
        samples().into_iter().map(|sample| (sample.file, sample.format, sample.password)).collect();
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "\"",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "null",
            "-1",
            "99999999999999999999",
            "\n",
            "%",
            "é"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let edit = (any::<prop::sample::Index>(), 0..6_usize, piece);
    (prop::sample::select(samples), prop::collection::vec(edit, 1..6)).prop_map(
        |((mut file, format, password), edits)| {
            for (place, cut, piece) in edits {
                let from = place.index(file.len() + 1);
                let to = (from + cut).min(file.len());
                file.splice(from..to, piece);
            }
            (file, format, password)
        },
    )
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn an_exported_list_comes_back_with_nothing_lost(keys in prop::collection::vec(keys(), 0..12)) {
        let content = content(&keys);
        let list = write_uris(&content);
        let import = transfer::read(list.as_bytes(), Format::Uris, None).unwrap();
        prop_assert_eq!(&import.unread, &[]);
        let read: Vec<_> = import.found.iter().map(|found| found.entry.key.clone()).collect();
        prop_assert_eq!(read, keys);
    }

    #[test]
    fn an_exported_migration_comes_back_but_for_what_it_names(
        keys in prop::collection::vec(keys(), 0..30), id: u32,
    ) {
        let content = content(&keys);
        let (uris, left_out) = write_migration(&content, id);
        let lines: Vec<&str> = uris.iter().map(|uri| uri.as_str()).collect();
        let import = transfer::read(lines.join("\n").as_bytes(), Format::Uris, None).unwrap();
        prop_assert_eq!(&import.unread, &[]);
        let read: Vec<_> = import.found.iter().map(|found| found.entry.key.clone()).collect();
        let kept = content.entries().iter().filter(|entry| !left_out.contains(&entry.id()));
        prop_assert_eq!(read, kept.map(|entry| entry.key.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_of_a_list_is_lost_silently(lines in prop::collection::vec("otpauth://[a-z]{4}/[a-z:]{0,5}\\?secret=[A-Z0]{0,4}|\\PC{1,9}", 0..20)) {
        let text = lines.join("\n");
        let import = transfer::read(text.as_bytes(), Format::Uris, None).unwrap();
        let counted = text.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#')).count();
        prop_assert_eq!(import.found.len() + import.unread.len(), counted);
    }

    #[test]
    fn what_is_taken_over_once_is_never_taken_again(
        first in prop::collection::vec(keys(), 0..12), second in prop::collection::vec(keys(), 0..12), all: bool,
    ) {
        let mut here = content(&first);
        let list = write_uris(&content(&[second.as_slice(), &first].concat()));
        let choice = move |item: &transfer::Item| if all { Choice::Add } else { item.status.usual() };
        let mut draw = ids();
        let mut id = || (u128::from_be_bytes(draw()) + (1 << 100)).to_be_bytes();
        let read = || transfer::read(list.as_bytes(), Format::Uris, None).unwrap();
        read().preview(&here).apply(&mut here, 0, &mut id, choice).unwrap();
        let after = here.clone();
        read().preview(&here).apply(&mut here, 0, &mut id, choice).unwrap();
        prop_assert_eq!(&here, &after);
        let mut seen = BTreeSet::new();
        for (index, entry) in here.entries().iter().enumerate().skip(first.len()) {
            for other in &here.entries()[..index] {
                prop_assert!(!entry.key.makes_the_codes_of(&other.key));
            }
            seen.insert(entry.id());
        }
        prop_assert_eq!(seen.len(), here.entries().len() - first.len());
    }
}

proptest! {
    // Encrypted samples stretch a password each time.
    #![proptest_config(cases(600))]

    #[test]
    fn mutated_samples_are_read_or_refused((file, format, password) in mutated()) {
        let _ = Format::detect(&file);
        if let Ok(import) = transfer::read(&file, format, password.as_deref()) {
            let handed = Import::from_json(&import.to_json());
            prop_assert_eq!(handed.as_ref(), Ok(&import));
            let mut content = Content::default();
            let preview = import.clone().preview(&content);
            prop_assert_eq!(preview.items.len(), import.found.len());
            preview.apply(&mut content, 0, ids(), |item| item.status.usual()).unwrap();
            prop_assert!(import.preview(&content).items.iter().all(|item| item.status != Status::New));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,60}") {
        for format in Format::ALL.into_iter().filter(|format| *format != Format::AndOtpEncrypted) {
            let _ = transfer::read(&bytes, format, Some("x"));
            let _ = transfer::read(text.as_bytes(), format, Some("x"));
        }
        let _ = transfer::read(&bytes, Format::AndOtpEncrypted, None);
    }
}
