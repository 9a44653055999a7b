//! A vault without a lock, for people who trust their device's own. A format of its own, which says so in its first line.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::content::Content;
use super::{Vault, VaultError};

const FIRST_LINE: &[u8] = b"countersign vault 1, NOT ENCRYPTED\n";

/// The file of a content without any protection: whoever reads it has the secrets, whoever can write it can change them.
pub fn write_plain(content: &Content) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let json = content.to_json()?;
    let mut file = Zeroizing::new(Vec::with_capacity(FIRST_LINE.len() + json.len() + 1));
    file.extend(FIRST_LINE);
    file.extend(json.as_bytes());
    file.push(b'\n');
    if file.len() > Vault::MAX_BYTES { Err(VaultError::TooLarge) } else { Ok(file) }
}

/// Reads what [`write_plain`] wrote.
pub fn read_plain(file: &[u8]) -> Result<Content, VaultError> {
    if file.len() > Vault::MAX_BYTES {
        return Err(VaultError::TooLarge);
    }
    let json = file.strip_prefix(FIRST_LINE).ok_or(VaultError::NotAVault)?;
    Ok(Content::from_json(json)?)
}

/// Whether the file says that it is a vault without a lock.
pub fn is_plain(file: &[u8]) -> bool {
    file.starts_with(FIRST_LINE)
}
