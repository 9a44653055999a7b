//! An import as bytes, from the worker that read a file to the page that shows it.
//!
//! Both are of one build, so the form is no format: it is in no specification and nothing stores it. Entries are written as
//! in a vault; place and reason of each stand beside them in a form of their own.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{Found, Import, MAX_ITEMS, Place, Reason, TransferError, Unread, text_of};
use crate::json::{Json, MAX_VALUES, Object};
use crate::vault::Entry;
use crate::{Field, KeyUriError, SecretError};

/// What a reader names as missing or wrong. Each must be here to be handed over.
const MEMBERS: [&str; 5] = ["info", "otp", "secret", "type", super::uris::DISPLAY];

const FIELDS: [Field; 13] = [
    Field::Uri,
    Field::Scheme,
    Field::Kind,
    Field::Label,
    Field::Parameter,
    Field::Issuer,
    Field::Account,
    Field::Secret,
    Field::Algorithm,
    Field::Digits,
    Field::Period,
    Field::Counter,
    Field::Origin,
];

impl Import {
    /// The bytes that [`Self::from_json`] reads.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let mut members = Object::new();
        let mut add = |name: &str, value: Json| members.push((name.into(), value));
        add("found", Json::List(self.found.iter().map(|found| found.entry.to_json()).collect()));
        add("places", Json::List(self.found.iter().map(|found| Json::text(&place(found.place))).collect()));
        let unread = self.unread.iter().map(|unread| {
            let mut members = Object::new();
            let (code, about) = words(unread.reason);
            for (name, text) in [
                ("place", place(unread.place).as_str()),
                ("name", &unread.name),
                ("reason", code),
                ("about", &about),
            ] {
                members.push((name.into(), Json::text(text)));
            }
            Json::Object(members)
        });
        add("unread", Json::List(unread.collect()));
        add("without_code", Json::number(self.without_code));
        let value = Json::Object(members);
        let mut text = Zeroizing::new(String::with_capacity(value.room()));
        value.write(&mut text);
        Zeroizing::new(core::mem::take(&mut *text).into_bytes())
    }

    /// Reads what [`Self::to_json`] wrote, and nothing else.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TransferError> {
        // What a file of the most values becomes: an entry gets a place and a few members that were left out.
        let value = Json::parse_within(text_of(bytes)?, MAX_VALUES + 16 * MAX_ITEMS)
            .map_err(|error| TransferError::Malformed(error.0))?;
        let list = |name| value.member(name).and_then(Json::as_list).ok_or(TransferError::Unexpected(name));
        let (entries, places) = (list("found")?, list("places")?);
        if entries.len() > MAX_ITEMS || list("unread")?.len() > MAX_ITEMS {
            return Err(TransferError::TooMany);
        }
        if entries.len() != places.len() {
            return Err(TransferError::Unexpected("places"));
        }
        let found = entries.iter().zip(places).map(|(entry, place)| {
            let entry = Entry::from_json(entry).map_err(TransferError::Unexpected)?;
            let place = place.as_str().and_then(read_place).ok_or(TransferError::Unexpected("places"))?;
            Ok(Found { place, entry })
        });
        let unread = list("unread")?.iter().map(|unread| {
            let text = |name| unread.member(name).and_then(Json::as_str);
            let read = || {
                Some(Unread {
                    place: read_place(text("place")?)?,
                    name: text("name")?.into(),
                    reason: read_words(text("reason")?, text("about")?)?,
                })
            };
            read().ok_or(TransferError::Unexpected("unread"))
        });
        let without_code = value.member("without_code").and_then(Json::as_u64);
        Ok(Self {
            found: found.collect::<Result<_, TransferError>>()?,
            unread: unread.collect::<Result<_, _>>()?,
            without_code: without_code
                .and_then(|number| usize::try_from(number).ok())
                .ok_or(TransferError::Unexpected("without_code"))?,
        })
    }
}

fn place(place: Place) -> String {
    match place {
        Place::Line(line) => format!("line/{line}"),
        Place::Item(item) => format!("item/{item}"),
        Place::ItemOfLine(line, item) => format!("line/{line}/{item}"),
        Place::Part(part) => format!("part/{part}"),
    }
}

fn read_place(text: &str) -> Option<Place> {
    let (kind, numbers) = text.split_once('/')?;
    Some(match (kind, numbers.split_once('/')) {
        ("line", None) => Place::Line(numbers.parse().ok()?),
        ("item", None) => Place::Item(numbers.parse().ok()?),
        ("line", Some((line, item))) => Place::ItemOfLine(line.parse().ok()?, item.parse().ok()?),
        ("part", None) => Place::Part(numbers.parse().ok()?),
        _ => return None,
    })
}

/// The code and what it is about: together, no two reasons have the same.
fn words(reason: Reason) -> (&'static str, String) {
    let about = match reason {
        Reason::Key(KeyUriError::Secret(SecretError::Character { position })) => format!("{position}"),
        _ => about(reason).into(),
    };
    (reason.code(), about)
}

fn about(reason: Reason) -> &'static str {
    match reason {
        Reason::Key(error) => error.field().as_str(),
        Reason::Member(name) => name,
        _ => "",
    }
}

fn read_words(code: &str, text: &str) -> Option<Reason> {
    let character = text.parse().map(|position| SecretError::Character { position });
    reasons()
        .find(|reason| reason.code() == code && about(*reason) == text)
        .or_else(|| character.ok().map(Reason::from).filter(|reason| reason.code() == code))
}

/// Every reason there is, but for the one that counts characters.
fn reasons() -> impl Iterator<Item = Reason> {
    let of_a_field = FIELDS.into_iter().flat_map(|field| {
        [
            KeyUriError::PercentEncoding(field),
            KeyUriError::NotUtf8(field),
            KeyUriError::Duplicate(field),
            KeyUriError::NotANumber(field),
            KeyUriError::OutOfRange(field),
            KeyUriError::ControlCharacter(field),
            KeyUriError::TooLong(field),
            KeyUriError::OuterBlank(field),
        ]
    });
    let of_a_key = [
        KeyUriError::UriTooLong,
        KeyUriError::UriFragment,
        KeyUriError::SchemeUnknown,
        KeyUriError::SchemeMigration,
        KeyUriError::KindUnknown,
        KeyUriError::SecretMissing,
        KeyUriError::AlgorithmUnknown,
        KeyUriError::AccountMissing,
        KeyUriError::AccountColon,
        KeyUriError::IssuerEmpty,
        KeyUriError::OriginMalformed,
        KeyUriError::Secret(SecretError::Empty),
        KeyUriError::Secret(SecretError::TooLong),
        KeyUriError::Secret(SecretError::Length),
    ];
    let others = [Reason::Kind, Reason::Trashed, Reason::Damaged, Reason::PartMissing, Reason::TooLong];
    of_a_field.chain(of_a_key).map(Reason::Key).chain(MEMBERS.map(Reason::Member)).chain(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does not compile until a new reason is thought of here, and in `reasons`.
    fn is_thought_of(error: KeyUriError) {
        match error {
            KeyUriError::UriTooLong
            | KeyUriError::UriFragment
            | KeyUriError::SchemeUnknown
            | KeyUriError::SchemeMigration
            | KeyUriError::KindUnknown
            | KeyUriError::PercentEncoding(_)
            | KeyUriError::NotUtf8(_)
            | KeyUriError::Duplicate(_)
            | KeyUriError::SecretMissing
            | KeyUriError::AlgorithmUnknown
            | KeyUriError::NotANumber(_)
            | KeyUriError::OutOfRange(_)
            | KeyUriError::AccountMissing
            | KeyUriError::AccountColon
            | KeyUriError::ControlCharacter(_)
            | KeyUriError::TooLong(_)
            | KeyUriError::IssuerEmpty
            | KeyUriError::OuterBlank(_)
            | KeyUriError::OriginMalformed
            | KeyUriError::Secret(
                SecretError::Empty
                | SecretError::TooLong
                | SecretError::Character { .. }
                | SecretError::Length,
            ) => {}
        }
    }

    #[test]
    fn every_reason_comes_back() {
        let character = Reason::from(SecretError::Character { position: 17 });
        for reason in reasons().chain([character]) {
            let (code, about) = words(reason);
            assert_eq!(read_words(code, &about), Some(reason), "{code}, {about}");
            if let Reason::Key(error) = reason {
                is_thought_of(error);
            }
        }
        assert_eq!(read_words("member", "something"), None);
    }

    #[test]
    fn every_place_comes_back() {
        for place in [Place::Line(1), Place::Item(2), Place::ItemOfLine(3, 4), Place::Part(usize::MAX)] {
            assert_eq!(read_place(&super::place(place)), Some(place));
        }
        for text in ["", "line", "line/", "line/x", "item/1/2", "line/1/2/3"] {
            assert_eq!(read_place(text), None, "{text}");
        }
    }
}
