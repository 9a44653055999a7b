//! andOTP: a JSON list, or the same list sealed by AES-256-GCM under PBKDF2 of a password.

use alloc::string::String;

use super::draft::{Draft, some};
use super::{Place, Reading, Reason, TransferError, cipher};
use crate::json::Json;
use crate::vault::Entry;
use crate::{KeyUriError, Secret};

/// Rounds, salt, nonce; then at least the tag.
const HEAD_BYTES: usize = 4 + 12 + 12;
const TAG_BYTES: usize = 16;
/// What the app draws the number of rounds from, with room on both sides.
const USUAL_ROUNDS: core::ops::RangeInclusive<u32> = 1000..=1_000_000;

pub(super) fn looks_encrypted(file: &[u8]) -> bool {
    file.len() >= HEAD_BYTES + TAG_BYTES
        && file.first_chunk().is_some_and(|rounds| USUAL_ROUNDS.contains(&u32::from_be_bytes(*rounds)))
}

pub(super) fn read_encrypted(
    file: &[u8],
    password: Option<&str>,
    reading: &mut Reading,
) -> Result<(), TransferError> {
    let cut_off = TransferError::Malformed(file.len());
    let (rounds, rest) = file.split_first_chunk::<4>().ok_or(cut_off)?;
    let (salt, rest) = rest.split_first_chunk::<12>().ok_or(cut_off)?;
    let (nonce, sealed) = rest.split_first_chunk::<12>().ok_or(cut_off)?;
    let password = password.ok_or(TransferError::PasswordNeeded)?;
    let key = cipher::pbkdf2_sha1(password, salt, u32::from_be_bytes(*rounds))?;
    let list = cipher::open(&key, nonce, sealed).ok_or(TransferError::NotOpened)?;
    let text = core::str::from_utf8(&list).map_err(|error| TransferError::Malformed(error.valid_up_to()))?;
    read(&Json::parse(text).map_err(|error| TransferError::Malformed(error.0))?, reading)
}

pub(super) fn read(json: &Json, reading: &mut Reading) -> Result<(), TransferError> {
    let list = json.as_list().ok_or(TransferError::Unexpected("list"))?;
    for (index, item) in list.iter().enumerate() {
        let text = |name| item.member(name).and_then(Json::as_str).unwrap_or_default();
        let name = String::from(text("issuer")) + ":" + text("label");
        reading.add(Place::Item(index + 1), &name, entry(item))?;
    }
    Ok(())
}

fn entry(item: &Json) -> Result<Entry, Reason> {
    let text = |name| item.member(name).and_then(Json::as_str);
    let number = |name| item.member(name).and_then(Json::as_u64);
    let secret = text("secret").ok_or(KeyUriError::SecretMissing)?;
    let draft = Draft {
        issuer: text("issuer").unwrap_or_default(),
        account: text("label").unwrap_or_default(),
        kind: text("type").ok_or(Reason::Member("type"))?,
        algorithm: text("algorithm").unwrap_or("SHA1"),
        digits: number("digits"),
        period: number("period"),
        counter: number("counter"),
        ..Draft::totp(Secret::parse(secret).map_err(Into::into))
    };
    let mut entry = draft.entry()?;
    let tags = item.member("tags").and_then(Json::as_list);
    entry.group = some(tags.and_then(|tags| tags.first()).and_then(Json::as_str));
    Ok(entry)
}
