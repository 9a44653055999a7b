//! The claims of `docs/spec/vault.md`, and its test vectors.

use std::path::Path;

use mobile_core::vault::{
    Content, ContentError, Cost, DeviceKey, Entry, EntryId, Generator, Key, Locked, Mark, NewSlot, Opens,
    Origin, Passphrase, Random, Slot, SlotKind, Stretch, StretchedKey, Vault, VaultError, is_plain,
    read_plain, write_plain,
};
use mobile_core::{Counter, Hotp, Period, Secret, Totp};
use proptest::prelude::*;

use super::{cases, specified};

/// Stands for random bytes: `first`, `first + 1`, ...
fn counted<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|index| first.wrapping_add(u8::try_from(index % 256).unwrap()))
}

fn random<const N: usize>(first: u8) -> Random<N> {
    Random::new(counted(first))
}

fn cheap() -> Cost {
    Cost::new(8 * 1024, 1, 1).unwrap()
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

fn stretched(text: &str) -> StretchedKey {
    passphrase(text).stretch(&Stretch::new(cheap(), counted(0x90))).unwrap()
}

fn device() -> DeviceKey {
    DeviceKey::new(counted(0xc0))
}

fn device_slot(key: &DeviceKey) -> NewSlot<'_> {
    NewSlot::Device { key, prf_input: counted(0xe0), credential: b"credential" }
}

fn vector(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/vault").join(format!("{name}.hex"));
    let text = std::fs::read_to_string(path).unwrap().replace('\n', "");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn key(issuer: &str, account: &str, secret: &str, generator: Generator) -> Key {
    Key::new(Some(issuer.into()), account.into(), Secret::parse(secret).unwrap(), generator).unwrap()
}

fn entry(number: u8) -> Entry {
    let generator = Generator::Totp(Totp::default());
    Entry::new(
        EntryId::new(counted(number)),
        key("Example", &format!("user {number}"), "MZXW6YTBOI", generator),
        0,
    )
}

/// A vault with a passphrase, a device and one entry, saved once.
fn sample() -> (Vault, Vec<u8>) {
    let mut content = Content::default();
    content.add(entry(1)).unwrap();
    let first = stretched("correct horse");
    let mut vault = Vault::create(content, &NewSlot::Stretched(&first), random(0), random(100)).unwrap();
    vault.add_slot(&device_slot(&device()), random(150)).unwrap();
    let file = vault.save(random(200)).unwrap();
    (vault, file)
}

#[test]
fn another_implementations_vaults_are_written_byte_by_byte() {
    let master_and_id = || {
        let mut bytes = [0; Vault::RANDOM_BYTES];
        bytes[..16].copy_from_slice(&counted::<16>(0));
        bytes[16..].copy_from_slice(&counted::<32>(0x40));
        Random::new(bytes)
    };
    let stretch = Stretch::new(Cost::new(8192, 2, 1).unwrap(), counted(0x90));
    let key = passphrase("correct horse").stretch(&stretch).unwrap();
    for (name, slot, id) in
        [("passphrase", NewSlot::Stretched(&key), 0x80), ("device", device_slot(&device()), 0xa0)]
    {
        let mut id_and_nonce = [0; Slot::RANDOM_BYTES];
        id_and_nonce[..16].copy_from_slice(&counted::<16>(id));
        id_and_nonce[16..].copy_from_slice(&counted::<24>(id + 0x20));
        let slot_random = Random::new(id_and_nonce);
        let mut vault = Vault::create(Content::default(), &slot, master_and_id(), slot_random).unwrap();
        assert_eq!(vault.save(random(0x60)).unwrap(), vector(name), "{name}");
    }
}

fn is_read_and_rewritten_unchanged(file: &[u8], with: &impl Opens) {
    let mut vault = Vault::open(file, with).unwrap();
    assert_eq!(vault.mark(), Mark { vault: counted(0), revision: 7 });
    let [totp, hotp, steam] = vault.content().entries() else { panic!("three entries") };
    assert_eq!(totp.key.issuer(), Some("Example"));
    assert_eq!(
        (totp.label.as_deref(), totp.group.as_deref(), totp.favourite),
        (Some("Büro"), Some("Work"), true)
    );
    assert_eq!((totp.created, totp.note.as_str()), (1_795_568_400_000, "a note\nof two lines"));
    let factor = Some("0192f0c1-2345-7abc-8def-0123456789ab".to_owned());
    assert_eq!(totp.origin, Some(Origin { issuer: "https://mfa.example.com".into(), factor }));
    assert_eq!(hotp.key.generator(), Generator::Hotp(Hotp::default(), Counter::new(u64::MAX)));
    assert_eq!(hotp.key.advanced(), None, "never wraps round");
    assert_eq!(steam.key.generator(), Generator::Steam);

    // The same content, unknown members included, for other readers of the same text.
    let plain = write_plain(vault.content()).unwrap();
    let plain = std::str::from_utf8(&plain).unwrap();
    assert!(plain.contains(r#""colour":{"of":["a","later",1.5]}"#) && plain.contains(r#""theme":"dark""#));

    // A change of something else keeps what is unknown.
    let id = vault.content().entries()[1].id();
    vault.content_mut().move_to(id, 0).unwrap();
    let again = vault.save(random(9)).unwrap();
    let again = Vault::open(&again, with).unwrap();
    assert_eq!(again.mark().revision, 8);
    let plain = write_plain(again.content()).unwrap();
    assert!(std::str::from_utf8(&plain).unwrap().contains(r#""colour":{"of":["a","later",1.5]}"#));
}

#[test]
fn another_implementations_vault_is_read_in_all_its_ways_and_rewritten_unchanged() {
    let file = vector("entries");
    is_read_and_rewritten_unchanged(&file, &passphrase("correct horse"));
    is_read_and_rewritten_unchanged(&file, &passphrase("Füße 🔑"));
    is_read_and_rewritten_unchanged(&file, &device());
    let stretch = Locked::read(&file).unwrap().slots()[1].stretch().unwrap();
    is_read_and_rewritten_unchanged(&file, &passphrase("Füße 🔑").stretch(&stretch).unwrap());
    let kinds: Vec<_> = Locked::read(&file).unwrap().slots().iter().map(|slot| slot.kind().clone()).collect();
    assert_eq!(
        kinds,
        [
            SlotKind::Passphrase { stretch: Stretch::new(Cost::new(8192, 2, 1).unwrap(), counted(0x90)) },
            SlotKind::Passphrase { stretch: Stretch::new(Cost::new(8192, 1, 2).unwrap(), counted(0xa0)) },
            SlotKind::Device { prf_input: counted(0xe0), credential: b"credential".to_vec() },
        ]
    );
}

#[test]
fn a_flip_of_any_bit_is_noticed() {
    let (_, file) = sample();
    let device = device();
    assert!(Vault::open(&file, &device).is_ok());
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            assert!(Vault::open(&changed, &device).is_err(), "byte {at}, bit {bit}");
        }
    }
    // By passphrase each try costs, so every byte of the header once, and some of the body.
    let passphrase = passphrase("correct horse");
    let body = file.len() - 1024;
    for at in (0..body).chain((body..file.len()).step_by(100)) {
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(Vault::open(&changed, &passphrase).is_err(), "byte {at}");
    }
}

#[test]
fn a_cut_and_a_longer_file_are_noticed() {
    let (_, file) = sample();
    let device = device();
    for length in 0..file.len() {
        assert!(Vault::open(&file[..length], &device).is_err(), "{length}");
    }
    let longer = [file.as_slice(), b"\0"].concat();
    assert_eq!(Vault::open(&longer, &device).unwrap_err(), VaultError::Damaged);
}

#[test]
fn parts_of_two_files_do_not_fit_together() {
    let (mut vault, old) = sample();
    vault.content_mut().add(entry(2)).unwrap();
    let new = vault.save(random(201)).unwrap();
    let device = device();
    let header = new.len() - (1024 + 16);
    let mixed = [&new[..header], &old[header..]].concat();
    assert_eq!(Vault::open(&mixed, &device).unwrap_err(), VaultError::Damaged);
    // The new body under the old revision.
    let mut older = new.clone();
    older[33] = 1;
    assert_eq!(Vault::open(&older, &device).unwrap_err(), VaultError::Damaged);
}

#[test]
fn a_wrong_passphrase_and_a_damaged_slot_look_alike_and_a_damaged_body_does_not() {
    let (_, file) = sample();
    let (right, wrong) = (passphrase("correct horse"), passphrase("correct horse "));
    let result = |file: &[u8], passphrase: &Passphrase| Vault::open(file, passphrase).map(|_| ());
    assert_eq!(result(&file, &wrong), Err(VaultError::NotOpened));
    let mut slot = file.clone();
    slot[120] ^= 1;
    assert_eq!(result(&slot, &right), Err(VaultError::NotOpened));
    let mut body = file.clone();
    *body.last_mut().unwrap() ^= 1;
    assert_eq!(result(&body, &right), Err(VaultError::Damaged));
    assert_eq!(result(&body, &wrong), Err(VaultError::NotOpened));
}

#[test]
fn a_passphrase_is_stretched_in_one_place_and_opens_in_another() {
    let (mut vault, file) = sample();
    let locked = Locked::read(&file).unwrap();
    let stretch = locked.slots().iter().find_map(Slot::stretch).unwrap();
    assert_eq!((stretch.cost(), stretch.salt()), (cheap(), counted(0x90)));
    assert_eq!(locked.slots()[1].stretch(), None, "a device stretches nothing");

    let there = passphrase("correct horse").stretch(&stretch).unwrap();
    let here = StretchedKey::new(stretch, *there.expose());
    assert_eq!(locked.open(&here).unwrap().content(), vault.content());
    let wrong = passphrase("correct horse ").stretch(&stretch).unwrap();
    assert_eq!(locked.open(&wrong).unwrap_err(), VaultError::NotOpened);
    // What belongs to another slot is not tried, whatever its bytes are.
    let other = StretchedKey::new(Stretch::new(cheap(), [0; 16]), *there.expose());
    assert_eq!(locked.open(&other).unwrap_err(), VaultError::NotOpened);

    let second = passphrase("battery").stretch(&Stretch::new(cheap(), [1; 16])).unwrap();
    vault.add_slot(&NewSlot::Stretched(&second), random(70)).unwrap();
    let file = vault.save(random(71)).unwrap();
    for key in [&here, &second] {
        assert!(Vault::open(&file, key).is_ok());
    }
    assert!(Vault::open(&file, &passphrase("battery")).is_ok());
}

#[test]
fn slots_come_and_go_around_the_same_master_key() {
    let (mut vault, old) = sample();
    let [first, second] = [0, 1].map(|place| vault.slots()[place].id());
    vault.change_passphrase(first, &stretched("battery"), random(50)).unwrap();
    assert_eq!(vault.slots()[0].id(), first);
    assert_eq!(
        vault.change_passphrase(second, &stretched("battery"), random(50)),
        Err(VaultError::UnknownSlot)
    );
    vault.remove_slot(second).unwrap();
    assert_eq!(vault.remove_slot(second), Err(VaultError::UnknownSlot));
    assert_eq!(vault.remove_slot(first), Err(VaultError::LastSlot));
    let new = vault.save(random(51)).unwrap();

    let opens = |file: &[u8], text: &str| Vault::open(file, &passphrase(text)).is_ok();
    assert!(opens(&new, "battery") && !opens(&new, "correct horse"));
    assert!(Vault::open(&new, &device()).is_err());
    assert!(opens(&old, "correct horse"), "what was saved before opens as before");
}

#[test]
fn no_slot_is_one_too_many() {
    let (mut vault, _) = sample();
    let words = stretched("one more");
    vault.add_slot(&NewSlot::Stretched(&words), random(1)).unwrap();
    let third = vault.add_slot(&NewSlot::Stretched(&words), random(2));
    assert_eq!(third.unwrap_err(), VaultError::Slots);
    let device = device();
    assert_eq!(
        vault.add_slot(&device_slot(&device), random(1)).unwrap_err(),
        VaultError::Slots,
        "ids are unique"
    );
    for number in 3..16 {
        vault.add_slot(&device_slot(&device), random(number)).unwrap();
    }
    assert_eq!(vault.add_slot(&device_slot(&device), random(99)).unwrap_err(), VaultError::Slots);
    let file = vault.save(random(0)).unwrap();
    assert_eq!(Locked::read(&file).unwrap().slots().len(), Vault::MAX_SLOTS);
    let long = [0; Slot::MAX_CREDENTIAL_BYTES + 1];
    let slot = NewSlot::Device { key: &device, prf_input: [0; 32], credential: &long };
    let created = Vault::create(Content::default(), &slot, random(0), random(1));
    assert_eq!(created.unwrap_err(), VaultError::Credential);
}

#[test]
fn a_hostile_cost_is_refused_before_memory_is_asked_for() {
    let (_, file) = sample();
    // Memory, passes and lanes of the first slot stand behind 35 bytes and the slot's type, id and length.
    let costs = 35 + 19;
    assert_eq!(file[costs..costs + 4], 8192_u32.to_be_bytes());
    for (memory, passes, lanes) in [
        (u32::MAX, 1, 1),
        (256 * 1024 + 1, 1, 1),
        (256 * 1024, 5, 1),
        (8192, 17, 1),
        (8192, u32::MAX, 1),
        (8192, 0, 1),
        (8192, 1, 0),
        (8192, 1, 5),
        (0, 1, 1),
        (8191, 1, 1),
    ] {
        let mut hostile = file.clone();
        for (place, number) in [memory, passes, lanes].into_iter().enumerate() {
            hostile[costs + 4 * place..][..4].copy_from_slice(&u32::to_be_bytes(number));
        }
        assert_eq!(Locked::read(&hostile).unwrap_err(), VaultError::Cost, "{memory} {passes} {lanes}");
        assert_eq!(Cost::new(memory, passes, lanes), Err(VaultError::Cost));
    }
    assert!(Cost::new(256 * 1024, 4, 4).is_ok());
}

#[test]
fn an_older_file_is_noticed_by_whoever_remembers_the_newer() {
    let (mut vault, old) = sample();
    let seen = {
        vault.save(random(1)).unwrap();
        vault.mark()
    };
    let back = Locked::read(&old).unwrap().mark();
    assert!(back.is_rollback_of(&seen) && !seen.is_rollback_of(&back) && !seen.is_rollback_of(&seen));
    let other = Mark { vault: [0xff; 16], revision: 0 };
    assert!(!other.is_rollback_of(&seen), "another vault is no older state of this one");
}

#[test]
fn slots_of_a_later_version_are_kept_and_are_not_what_must_stay() {
    let file = vector("later_slot");
    let mut vault = Vault::open(&file, &device()).unwrap();
    assert_eq!(*vault.slots()[0].kind(), SlotKind::Unknown(9));
    let again = vault.save(random(0x60)).unwrap();
    let slots = 35..again.len() - (24 + 1024 + 16);
    assert_eq!(again[slots.clone()], file[slots]);
    let [later, device] = [0, 1].map(|place| vault.slots()[place].id());
    assert_eq!(vault.remove_slot(device), Err(VaultError::LastSlot), "nothing here could open it then");
    vault.remove_slot(later).unwrap();
}

#[test]
fn the_specification_lists_every_refusal() {
    let codes = [
        VaultError::NotAVault,
        VaultError::Version,
        VaultError::TooLarge,
        VaultError::Slots,
        VaultError::LastSlot,
        VaultError::UnknownSlot,
        VaultError::Cost,
        VaultError::Memory,
        VaultError::Passphrase,
        VaultError::Credential,
        VaultError::NotOpened,
        VaultError::Damaged,
        VaultError::Content(ContentError::Version),
        VaultError::LastRevision,
    ]
    .map(VaultError::code);
    assert_eq!(codes.to_vec(), specified("vault.md", "## Refusals"));
}

#[test]
fn entries_are_added_replaced_moved_and_removed() {
    let mut content = Content::default();
    for number in 1..=3 {
        content.add(entry(number)).unwrap();
    }
    assert_eq!(content.add(entry(2)), Err(ContentError::Id));
    let id = |number| EntryId::new(counted(number));
    let order =
        |content: &Content| content.entries().iter().map(|entry| entry.id().get()[0]).collect::<Vec<_>>();
    content.move_to(id(3), 0).unwrap();
    assert_eq!(order(&content), [3, 1, 2]);
    content.move_to(id(3), 99).unwrap();
    assert_eq!(order(&content), [1, 2, 3]);
    content.remove(id(2)).unwrap();
    assert_eq!(content.remove(id(2)), Err(ContentError::Unknown));
    assert_eq!(order(&content), [1, 3]);
    let mut long = entry(1);
    long.note = "x".repeat(Entry::MAX_TEXT_BYTES + 1).into();
    assert_eq!(content.replace(long), Err(ContentError::TooLong("note")));
    let mut hotp = entry(3);
    hotp.key = key("Example", "h", "MZXW6YTBOI", Generator::Hotp(Hotp::default(), Counter::new(5)));
    content.replace(hotp).unwrap();
    content.advance(id(3)).unwrap();
    content.advance(id(1)).unwrap();
    let generator = content.entry(id(3)).unwrap().key.generator();
    assert_eq!(generator, Generator::Hotp(Hotp::default(), Counter::new(6)));
}

#[test]
fn a_plain_vault_says_so_and_is_no_vault() {
    let mut content = Content::default();
    content.add(entry(1)).unwrap();
    let file = write_plain(&content).unwrap();
    assert!(file.starts_with(b"countersign vault 1, NOT ENCRYPTED\n") && is_plain(&file));
    assert_eq!(read_plain(&file).unwrap(), content);
    assert_eq!(Locked::read(&file).unwrap_err(), VaultError::NotAVault);
    let (_, sealed) = sample();
    assert_eq!(read_plain(&sealed), Err(VaultError::NotAVault));
    assert!(!is_plain(&sealed));
}

#[test]
fn content_of_a_later_version_or_with_mistakes_is_refused_with_its_place() {
    let read = |json: &str| read_plain(format!("countersign vault 1, NOT ENCRYPTED\n{json}").as_bytes());
    let refused = |json: &str| match read(json) {
        Err(VaultError::Content(error)) => error,
        other => panic!("{json}: {other:?}"),
    };
    assert_eq!(read(r#"{"version":1,"entries":[]}"#), Ok(Content::default()));
    assert_eq!(refused(r#"{"version":2,"entries":[]}"#), ContentError::Version);
    assert_eq!(refused(r#"{"version":1}"#), ContentError::Entries);
    assert_eq!(refused("{"), ContentError::Json(1));
    let good = r#"{"id":"000102030405060708090a0b0c0d0e0f","kind":"totp","account":"a","secret":"AA","algorithm":"SHA1","digits":6,"period":30,"created":0}"#;
    assert!(read(&format!(r#"{{"version":1,"entries":[{good}]}}"#)).is_ok());
    assert_eq!(refused(&format!(r#"{{"version":1,"entries":[{good},{good}]}}"#)), ContentError::Id);
    for (from, to, member) in [
        ("\"totp\"", "\"yubi\"", "kind"),
        ("\"AA\"", "\"A\"", "secret"),
        (":6", ":5", "digits"),
        (":30", ":0", "period"),
        ("SHA1", "MD5", "algorithm"),
        ("\"a\"", "\"\"", "account"),
        ("0001", "01", "id"),
        (":0}", ":-1}", "created"),
        (":0}", ":0,\"note\":1}", "note"),
    ] {
        let bad = good.replace(from, to);
        let error = refused(&format!(
            r#"{{"version":1,"entries":[{good_other},{bad}]}}"#,
            good_other = good.replace("0001", "ff01")
        ));
        assert_eq!(error, ContentError::Entry { position: 2, member }, "{bad}");
    }
}

#[test]
fn the_usual_cost_is_within_the_bounds_and_opens() {
    let (memory, passes, lanes) = Cost::default().get();
    assert_eq!(Cost::new(memory, passes, lanes), Ok(Cost::default()));
    let words = passphrase("correct horse");
    let key = words.stretch(&Stretch::new(Cost::default(), counted(3))).unwrap();
    let mut vault =
        Vault::create(Content::default(), &NewSlot::Stretched(&key), random(0), random(1)).unwrap();
    let file = vault.save(random(2)).unwrap();
    assert!(Vault::open(&file, &words).is_ok());
    for text in ["", &"x".repeat(Passphrase::MAX_BYTES + 1)] {
        assert_eq!(Passphrase::new(text).unwrap_err(), VaultError::Passphrase);
    }
}

#[test]
fn steam_keys_are_read_in_the_ways_they_are_written() {
    let steam = key("Steam", "dave", "MZXW6YTBOI", Generator::Steam);
    assert_eq!(*steam.to_uri(), "otpauth://steam/Steam:dave?secret=MZXW6YTBOI&issuer=Steam");
    for text in [
        "otpauth://steam/Steam:dave?secret=MZXW6YTBOI&issuer=Steam",
        " OTPAUTH://Steam/Steam:dave?digits=5&secret=mzxw6ytboi&issuer=Steam&period=30\n",
        "otpauth://totp/Steam:dave?secret=MZXW6YTBOI&issuer=Steam&encoder=steam",
        "otpauth://totp/Steam:dave?secret=MZXW6YTBOI&period=30&digits=5&issuer=Steam&encoder=steam",
        "otpauth://TOTP/Steam:dave?Encoder=Steam&algorithm=STEAM&secret=MZXW6YTBOI&issuer=Steam",
    ] {
        assert_eq!(Key::parse(text).unwrap(), steam, "{text}");
    }
    let plain = Key::parse("otpauth://totp/Steam:dave?secret=MZXW6YTBOI").unwrap();
    assert_eq!(
        plain.generator(),
        Generator::Totp(Totp::default()),
        "nothing is guessed from the issuer's name"
    );
    let by_counter = "otpauth://hotp/Steam:dave?secret=MZXW6YTBOI&counter=1&encoder=steam";
    assert!(matches!(Key::parse(by_counter).unwrap().generator(), Generator::Hotp(..)));
    assert_eq!(
        Key::parse("otpauth://totp/Steam:dave?secret=MZXW6YTBOI&digits=5").unwrap_err().code(),
        "out_of_range"
    );
    for text in
        ["otpauth://steam/", "otpauth://steam/?", "otpauth://steam", "otpauth://steam/é", "é", "otpauth://é"]
    {
        assert!(Key::parse(text).is_err(), "{text}");
    }
    assert_eq!(steam.code_at(59).as_str().len(), 5);
    assert_eq!(plain.code_at(59).as_str().len(), 6);
    assert_eq!((steam.period(), steam.advanced()), (Some(Period::default()), None));
}

#[test]
fn a_key_leaves_the_origin_of_its_uri_to_the_entry() {
    let bare =
        "otpauth://totp/Example:alice?secret=MZXW6YTBOI&issuer=Example&algorithm=SHA1&digits=6&period=30";
    let factor = "0192f0c1-2345-7abc-8def-0123456789ab";
    let named = format!("{bare}&countersign=https%3A%2F%2Fmfa.example.com%23{factor}");
    let origin = Origin { issuer: "https://mfa.example.com".into(), factor: Some(factor.into()) };
    let (key, found) = Key::parse_with_origin(&named).unwrap();
    assert_eq!((&key, found), (&Key::parse(bare).unwrap(), Some(origin)));
    assert_eq!(*key.to_uri(), bare, "other apps are not told");
    assert_eq!(Key::parse(&named).unwrap(), key);
    assert_eq!(Key::from(mobile_core::KeyUri::parse(&named).unwrap().0), key);
    assert_eq!(Key::parse_with_origin(bare).unwrap(), (key, None));
    for steam in [format!("{named}&encoder=steam"), named.replace("//totp/", "//steam/")] {
        let (key, _) = Key::parse_with_origin(&steam).unwrap();
        assert_eq!(*key.to_uri(), "otpauth://steam/Example:alice?secret=MZXW6YTBOI&issuer=Example");
    }
}

#[test]
fn nothing_shows_a_secret() {
    let (vault, file) = sample();
    let shown = format!(
        "{vault:?} {:?} {:?} {:?}",
        Locked::read(&file).unwrap().slots(),
        device(),
        passphrase("correct horse")
    );
    assert!(!shown.contains("MZXW") && !shown.contains("correct") && !shown.contains("192, 193"), "{shown}");
}

fn contents() -> impl Strategy<Value = Content> {
    let text = "[a-zé太🔑\"\\\\\n\t\u{1}:]{0,12}";
    let generator = prop_oneof![
        Just(Generator::Totp(Totp::default())),
        Just(Generator::Steam),
        any::<u64>().prop_map(|counter| Generator::Hotp(Hotp::default(), Counter::new(counter))),
    ];
    let entry = (
        (any::<[u8; 16]>(), prop::collection::vec(any::<u8>(), 1..40), generator, "[a-zé🔑]{1,9}"),
        (
            prop::option::of(text),
            prop::option::of(text),
            any::<bool>(),
            any::<u64>(),
            text,
            prop::option::of(text),
        ),
    );
    let entry = entry.prop_map(
        |((id, secret, generator, account), (label, group, favourite, created, note, origin))| {
            let secret = Secret::from_bytes(&secret).unwrap();
            let mut entry =
                Entry::new(EntryId::new(id), Key::new(None, account, secret, generator).unwrap(), created);
            entry.label = label;
            entry.group = group;
            entry.favourite = favourite;
            entry.note = note.into();
            entry.origin = origin.map(|issuer| Origin { factor: Some(issuer.clone()), issuer });
            entry
        },
    );
    prop::collection::vec(entry, 0..8).prop_map(|entries| {
        let mut content = Content::default();
        for entry in entries {
            content.add(entry).unwrap();
        }
        content
    })
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn what_is_saved_is_opened_unchanged(content in contents(), first: [u8; 48], slot: [u8; 40], save: [u8; 24]) {
        let device = device();
        let slot = Vault::create(content.clone(), &device_slot(&device), Random::new(first), Random::new(slot));
        let mut vault = slot.unwrap();
        let file = vault.save(Random::new(save)).unwrap();
        let body = file.len() - (35 + 19 + 32 + 10 + 24 + 48 + 24 + 16);
        prop_assert_eq!(body % 1024, 0, "the length tells little");
        prop_assert_eq!(Vault::open(&file, &device).unwrap().into_content(), content.clone());
        prop_assert_eq!(read_plain(&write_plain(&content).unwrap()).unwrap(), content);
    }

    #[test]
    fn any_bytes_are_refused_without_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300), start in 0..40_usize, length in 0..600_usize,
    ) {
        let _ = Locked::read(&bytes);
        let _ = read_plain(&bytes);
        // And bytes that begin well.
        let (_, file) = sample_by_device();
        let start = start.min(file.len());
        let mut mixed = file[..file.len().min(start + length)].to_vec();
        mixed.append(&mut bytes);
        if let Ok(locked) = Locked::read(&mixed) {
            prop_assert!(locked.open(&device()).is_err() || mixed == file);
        }
    }
}

fn sample_by_device() -> (Vault, Vec<u8>) {
    let mut vault = Vault::create(Content::default(), &device_slot(&device()), random(0), random(1)).unwrap();
    let file = vault.save(random(2)).unwrap();
    (vault, file)
}
