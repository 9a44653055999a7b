//! Bitwarden: only the codes of its logins. What else stands in the file is neither read nor kept.

use alloc::string::String;

use super::csv::Records;
use super::draft::{Draft, groups, names, some};
use super::uris::{is_uri, named};
use super::{NO_ID, Place, Reading, Reason, TransferError};
use crate::json::Json;
use crate::vault::{Entry, Key};
use crate::{KeyUriError, Secret};

pub(super) fn read_json(json: &Json, reading: &mut Reading) -> Result<(), TransferError> {
    if json.member("encrypted").and_then(Json::as_bool) == Some(true) {
        return Err(TransferError::Encryption);
    }
    let items = json.member("items").and_then(Json::as_list).ok_or(TransferError::Unexpected("items"))?;
    let folders = groups(json, "folders", "id");
    for (index, item) in items.iter().enumerate() {
        let text = |name| item.member(name).and_then(Json::as_str);
        let login = |name| item.member("login").and_then(|login| login.member(name)).and_then(Json::as_str);
        let login = Login {
            name: text("name").unwrap_or_default(),
            username: login("username").unwrap_or_default(),
            totp: login("totp").unwrap_or_default(),
            folder: text("folderId").and_then(|id| folders.get(id).copied()),
            is_favourite: item.member("favorite").and_then(Json::as_bool) == Some(true),
        };
        login.read(index, reading)?;
    }
    Ok(())
}

pub(super) fn read_csv(text: &str, reading: &mut Reading) -> Result<(), TransferError> {
    let mut records = Records::new(text);
    let header = records.next().ok_or(TransferError::Unexpected("login_totp"))?;
    let header = header.map_err(TransferError::Malformed)?;
    let column = |name: &str| header.iter().position(|field| field.trim() == name);
    let totp = column("login_totp").ok_or(TransferError::Unexpected("login_totp"))?;
    let [name, username, folder, favourite] = ["name", "login_username", "folder", "favorite"].map(column);
    for (index, record) in records.enumerate() {
        let record = record.map_err(TransferError::Malformed)?;
        let field = |column: Option<usize>| {
            column.and_then(|column| record.get(column)).map_or("", |field| field.as_str())
        };
        let login = Login {
            name: field(name),
            username: field(username),
            totp: field(Some(totp)),
            folder: Some(field(folder)),
            is_favourite: field(favourite).trim() == "1",
        };
        login.read(index, reading)?;
    }
    Ok(())
}

struct Login<'a> {
    name: &'a str,
    username: &'a str,
    totp: &'a str,
    folder: Option<&'a str>,
    is_favourite: bool,
}

impl Login<'_> {
    fn read(&self, index: usize, reading: &mut Reading) -> Result<(), TransferError> {
        if self.totp.trim().is_empty() {
            reading.without_code += 1;
            return Ok(());
        }
        let name = String::from(self.name) + ":" + self.username;
        reading.add(Place::Item(index + 1), &name, self.entry())
    }

    /// The field holds a URI, `steam://` and a secret, or a secret alone.
    fn entry(&self) -> Result<Entry, Reason> {
        let totp = self.totp.trim();
        let mut entry = if is_uri(totp) {
            let (key, origin) = match Key::parse_with_origin(totp) {
                Err(KeyUriError::AccountMissing) => {
                    let (issuer, account) = names(self.name, self.username);
                    Key::parse_with_origin(&named(totp, issuer.as_deref(), &account))?
                }
                key => key?,
            };
            let mut entry = Entry::new(NO_ID, key, 0);
            entry.origin = origin;
            entry
        } else {
            let steam = totp.get(..8).filter(|start| start.eq_ignore_ascii_case("steam://"));
            let secret = if steam.is_some() { &totp[8..] } else { totp };
            let kind = if steam.is_some() { "steam" } else { "totp" };
            let draft = Draft::totp(Secret::parse(secret).map_err(Into::into));
            Draft { issuer: self.name, account: self.username, kind, ..draft }.entry()?
        };
        entry.label = some(Some(self.name)).filter(|name| Some(name.as_str()) != entry.key.issuer());
        entry.group = some(self.folder);
        entry.favourite = self.is_favourite;
        Ok(entry)
    }
}
