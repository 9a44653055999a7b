//! 2FAS: a JSON file with a list of services, or the same list sealed by AES-256-GCM under PBKDF2 of a password.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::draft::{Draft, groups, some};
use super::{Place, Reading, Reason, TransferError, cipher};
use crate::json::Json;
use crate::vault::Entry;
use crate::{KeyUriError, Secret, base64};

const ROUNDS: u32 = 10_000;

pub(super) fn read(json: &Json, password: Option<&str>, reading: &mut Reading) -> Result<(), TransferError> {
    if !matches!(json.member("schemaVersion").and_then(Json::as_u64), Some(1..=4)) {
        return Err(TransferError::Version);
    }
    let groups = groups(json, "groups", "id");
    let sealed = json.member("servicesEncrypted").and_then(Json::as_str).filter(|text| !text.is_empty());
    let opened;
    let services = match sealed {
        Some(sealed) => {
            opened = open(sealed, password.ok_or(TransferError::PasswordNeeded)?)?;
            &opened
        }
        None => json.member("services").ok_or(TransferError::Unexpected("services"))?,
    };
    let services = services.as_list().ok_or(TransferError::Unexpected("services"))?;

    // In the order in which the app shows them, each with its place in the file.
    let position =
        |service: &Json| service.member("order").and_then(|order| order.member("position")?.as_u64());
    let mut ordered: Vec<(usize, &Json)> = services.iter().enumerate().collect();
    ordered.sort_by_key(|(_, service)| position(service).unwrap_or(u64::MAX));
    for (index, service) in ordered {
        let otp = |name| service.member("otp").and_then(|otp| otp.member(name)).and_then(Json::as_str);
        let name = service.member("name").and_then(Json::as_str).unwrap_or_default();
        let name = String::from(name) + ":" + otp("account").unwrap_or_default();
        reading.add(Place::Item(index + 1), &name, entry(service, &groups))?;
    }
    Ok(())
}

/// Sealed list, salt and nonce, each in base64, with colons between.
fn open(sealed: &str, password: &str) -> Result<Json, TransferError> {
    let wrong = TransferError::Unexpected("servicesEncrypted");
    let mut parts = sealed.split(':').map(base64::decode);
    let mut part = || parts.next().flatten().ok_or(wrong);
    let (sealed, salt, nonce) = (part()?, part()?, part()?);
    let nonce: [u8; 12] = nonce.as_slice().try_into().map_err(|_| wrong)?;
    let key = cipher::pbkdf2_sha256(password, &salt, ROUNDS);
    let list = cipher::open(&key, &nonce, &sealed).ok_or(TransferError::NotOpened)?;
    let text = core::str::from_utf8(&list).map_err(|error| TransferError::Malformed(error.valid_up_to()))?;
    Json::parse(text).map_err(|error| TransferError::Malformed(error.0))
}

fn entry(service: &Json, groups: &BTreeMap<&str, &str>) -> Result<Entry, Reason> {
    let name = service.member("name").and_then(Json::as_str).unwrap_or_default().trim();
    let secret = service.member("secret").and_then(Json::as_str).ok_or(KeyUriError::SecretMissing)?;
    let otp = service.member("otp").ok_or(Reason::Member("otp"))?;
    let text = |name| otp.member(name).and_then(Json::as_str).filter(|text| !text.trim().is_empty());
    let number = |name, default| match otp.member(name) {
        None | Some(Json::Null) => Some(default),
        Some(number) => number.as_u64(),
    };
    let issuer = text("issuer").unwrap_or(name);
    let draft = Draft {
        issuer,
        account: text("account").or(text("label")).unwrap_or_default(),
        kind: text("tokenType").unwrap_or("totp"),
        algorithm: text("algorithm").unwrap_or("SHA1"),
        digits: number("digits", 6),
        period: number("period", 30),
        counter: number("counter", 0),
        ..Draft::totp(Secret::parse(secret).map_err(Into::into))
    };
    let mut entry = draft.entry()?;
    // The name is the user's to change.
    entry.label = some(Some(name)).filter(|name| name != issuer);
    let id = service.member("groupId").and_then(Json::as_str);
    entry.group = some(id.and_then(|id| groups.get(id).copied()));
    Ok(entry)
}
