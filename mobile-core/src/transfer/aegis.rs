//! Aegis: a JSON file whose database stands in it openly, or sealed by AES-256-GCM under a key that slots wrap.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::draft::{Draft, groups, some};
use super::{Place, Reading, Reason, TransferError, cipher};
use crate::json::Json;
use crate::vault::Entry;
use crate::{KeyUriError, Secret, base64, hex};

const MAX_PASSWORD_SLOTS: usize = 4;

pub(super) fn read(json: &Json, password: Option<&str>, reading: &mut Reading) -> Result<(), TransferError> {
    if json.member("version").and_then(Json::as_u64) != Some(1) {
        return Err(TransferError::Version);
    }
    let db = json.member("db").ok_or(TransferError::Unexpected("db"))?;
    match db {
        Json::Text(sealed) => {
            let header = json.member("header").ok_or(TransferError::Unexpected("header"))?;
            let db = open(header, sealed, password.ok_or(TransferError::PasswordNeeded)?)?;
            // The seal holds, so a mistake in it is the writer's.
            let text =
                core::str::from_utf8(&db).map_err(|error| TransferError::Malformed(error.valid_up_to()))?;
            let db = Json::parse(text).map_err(|error| TransferError::Malformed(error.0))?;
            read_db(&db, reading)
        }
        _ => read_db(db, reading),
    }
}

/// Password slots are of type 1. Each wraps the master key under scrypt of the password.
fn open(header: &Json, sealed: &str, password: &str) -> Result<Zeroizing<Vec<u8>>, TransferError> {
    let wrong = TransferError::Unexpected;
    let slots = header.member("slots").and_then(Json::as_list).ok_or(wrong("slots"))?;
    let is_password = |slot: &&Json| slot.member("type").and_then(Json::as_u64) == Some(1);
    if !slots.iter().any(|slot| is_password(&slot)) {
        return Err(TransferError::Encryption);
    }
    let sealed = base64::decode(sealed).ok_or(wrong("db"))?;
    let body = params(header.member("params").ok_or(wrong("params"))?)?;
    for slot in slots.iter().filter(is_password).take(MAX_PASSWORD_SLOTS) {
        let number = |name| slot.member(name).and_then(Json::as_u64).ok_or(TransferError::Cost);
        let bytes = |name| slot.member(name).and_then(Json::as_str).and_then(hex::decode);
        let key = cipher::scrypt(
            password,
            &bytes("salt").ok_or(wrong("salt"))?,
            number("n")?,
            number("r")?,
            number("p")?,
        )?;
        let (nonce, tag) = params(slot.member("key_params").ok_or(wrong("key_params"))?)?;
        let wrapped = [bytes("key").ok_or(wrong("key"))?.as_slice(), &tag].concat();
        let Some(master) = cipher::open(&key, &nonce, &wrapped) else { continue };
        let master = Zeroizing::new(master.as_slice().try_into().map_err(|_| wrong("key"))?);
        return cipher::open(&master, &body.0, &[sealed.as_slice(), &body.1].concat())
            .ok_or(TransferError::NotOpened);
    }
    Err(TransferError::NotOpened)
}

/// Nonce and tag.
fn params(params: &Json) -> Result<([u8; 12], [u8; 16]), TransferError> {
    let text = |name| params.member(name).and_then(Json::as_str);
    Ok((
        text("nonce").and_then(hex::array).ok_or(TransferError::Unexpected("nonce"))?,
        text("tag").and_then(hex::array).ok_or(TransferError::Unexpected("tag"))?,
    ))
}

fn read_db(db: &Json, reading: &mut Reading) -> Result<(), TransferError> {
    if !matches!(db.member("version").and_then(Json::as_u64), Some(1..=3)) {
        return Err(TransferError::Version);
    }
    let entries = db.member("entries").and_then(Json::as_list).ok_or(TransferError::Unexpected("entries"))?;
    let groups = groups(db, "groups", "uuid");
    for (index, item) in entries.iter().enumerate() {
        let text = |name| item.member(name).and_then(Json::as_str).unwrap_or_default();
        let name = String::from(text("issuer")) + ":" + text("name");
        reading.add(Place::Item(index + 1), &name, entry(item, &groups))?;
    }
    Ok(())
}

fn entry(item: &Json, groups: &BTreeMap<&str, &str>) -> Result<Entry, Reason> {
    let text = |name| item.member(name).and_then(Json::as_str).unwrap_or_default();
    let info = item.member("info").ok_or(Reason::Member("info"))?;
    let number = |name| info.member(name).and_then(Json::as_u64);
    let secret = info.member("secret").and_then(Json::as_str).ok_or(KeyUriError::SecretMissing)?;
    let draft = Draft {
        issuer: text("issuer"),
        account: text("name"),
        kind: text("type"),
        algorithm: info.member("algo").and_then(Json::as_str).unwrap_or_default(),
        digits: number("digits"),
        period: number("period"),
        counter: number("counter"),
        ..Draft::totp(Secret::parse(secret).map_err(Into::into))
    };
    let mut entry = draft.entry()?;
    entry.note = Zeroizing::new(text("note").into());
    entry.favourite = item.member("favorite").and_then(Json::as_bool) == Some(true);
    // Since version 3 of the database a list of ids, before that one name.
    let ids = item.member("groups").and_then(Json::as_list);
    let id = ids.and_then(|ids| ids.first()).and_then(Json::as_str);
    let known = id.and_then(|id| groups.get(id).copied());
    entry.group = some(known.or(item.member("group").and_then(Json::as_str)));
    Ok(entry)
}
