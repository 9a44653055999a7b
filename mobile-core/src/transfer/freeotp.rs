//! FreeOTP+: a JSON file with a list of tokens. A secret is a list of bytes with sign.

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::draft::{Draft, some};
use super::{Place, Reading, Reason, TransferError};
use crate::json::Json;
use crate::vault::Entry;
use crate::{KeyUriError, Secret, SecretError};

pub(super) fn read(json: &Json, reading: &mut Reading) -> Result<(), TransferError> {
    let tokens = json.member("tokens").and_then(Json::as_list).ok_or(TransferError::Unexpected("tokens"))?;
    for (index, token) in tokens.iter().enumerate() {
        let text = |name| token.member(name).and_then(Json::as_str).unwrap_or_default();
        let name = String::from(text("issuerExt")) + ":" + text("label");
        reading.add(Place::Item(index + 1), &name, entry(token))?;
    }
    Ok(())
}

fn entry(token: &Json) -> Result<Entry, Reason> {
    let text = |name| token.member(name).and_then(Json::as_str).filter(|text| !text.is_empty());
    let number = |name| token.member(name).and_then(Json::as_u64);
    let draft = Draft {
        issuer: text("issuerExt").or(text("issuerInt")).unwrap_or_default(),
        account: text("label").unwrap_or_default(),
        kind: text("type").ok_or(Reason::Member("type"))?,
        algorithm: text("algo").unwrap_or("SHA1"),
        digits: number("digits"),
        period: number("period"),
        counter: number("counter"),
        ..Draft::totp(secret(token))
    };
    let mut entry = draft.entry()?;
    entry.label = some(text("labelAlt"));
    Ok(entry)
}

fn secret(token: &Json) -> Result<Secret, Reason> {
    let list = token.member("secret").and_then(Json::as_list).ok_or(KeyUriError::SecretMissing)?;
    if list.len() > Secret::MAX_BYTES {
        return Err(SecretError::TooLong.into());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(list.len()));
    for number in list {
        let number = number.as_i64().filter(|number| (-128..256).contains(number));
        // The lowest byte of the number is the byte meant, with sign or without.
        bytes.push(number.ok_or(Reason::Member("secret"))?.to_le_bytes()[0]);
    }
    Ok(Secret::from_bytes(&bytes)?)
}
