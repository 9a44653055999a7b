//! What can go wrong, as people are told it.

use mobile_core::vault::{ContentError, VaultError};
use wasm_bindgen::JsValue;

use crate::words::Words;

/// A refusal or failure: a short word that [`Trouble::say`] turns into a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble(String);

impl Trouble {
    pub(crate) fn new(code: &str) -> Self {
        Self(code.to_owned())
    }

    /// Whether the person changed their mind, which needs no words.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0 == "cancelled"
    }

    pub(crate) fn code(&self) -> &str {
        &self.0
    }

    /// The sentence. What has none is named by its code, so that it can be looked up and reported.
    pub(crate) fn say(&self, words: &Words) -> String {
        let known = match self.0.as_str() {
            "not_opened" => words.trouble_not_opened,
            "damaged" | "content" | "slots" | "too_large" => words.trouble_damaged,
            "not_a_vault" | "version_unknown" => words.trouble_unknown_vault,
            "gone" => words.gone,
            "text_too_long" => words.trouble_text_too_long,
            "vault_full" => words.trouble_vault_full,
            "memory" | "crashed" => words.trouble_memory,
            "unloaded" => words.trouble_unloaded,
            "full" => words.trouble_full,
            "storage" => words.trouble_storage,
            "conflict" => words.trouble_conflict,
            "offline" => words.trouble_offline,
            "clipboard" => words.trouble_clipboard,
            "device" => words.trouble_device,
            "unsupported" => words.trouble_unsupported,
            "camera_refused" => words.trouble_camera_refused,
            "camera_missing" => words.trouble_camera_missing,
            "camera" => words.trouble_camera,
            "image" => words.trouble_image,
            "no_code" => words.trouble_no_code,
            "unknown_format" => words.trouble_unknown_format,
            "file_too_large" => words.trouble_file_too_large,
            "file_version" => words.trouble_file_version,
            "file_not_opened" => words.trouble_file_not_opened,
            "password_needed" => words.trouble_password_needed,
            "encryption_unknown" => words.trouble_encryption,
            "malformed" | "unexpected" => words.trouble_malformed,
            "too_many" => words.trouble_too_many,
            "cost_out_of_bounds" => words.trouble_cost,
            "passphrase" => words.trouble_passphrase,
            "passphrase_short" => words.trouble_passphrase_short,
            "passphrase_differs" => words.trouble_passphrase_differs,
            "text_empty" => words.trouble_text_empty,
            "text_web" => words.trouble_text_web,
            "text_wifi" => words.trouble_text_wifi,
            "text_contact" => words.trouble_text_contact,
            "text_other" => words.trouble_text_other,
            "key_secret" => words.trouble_key_secret,
            "key_account" => words.trouble_key_account,
            "key_account_colon" => words.trouble_key_account_colon,
            "key_issuer" => words.trouble_key_issuer,
            "key_counter" => words.trouble_key_counter,
            "key_period" => words.trouble_key_period,
            "qr_too_long" => words.trouble_qr_too_long,
            "changed" => words.trouble_changed,
            "clock" => words.trouble_clock,
            "unknown_factor" => words.trouble_unknown_factor,
            "ended" => words.trouble_ended,
            "no_worker" => words.trouble_no_worker,
            "code_not_accepted" => words.trouble_code_refused,
            "too_many_attempts" => words.trouble_attempts,
            other if other.starts_with("key_") => {
                return words.trouble_key_other.replace("{field}", &other["key_".len()..]);
            }
            other => return words.trouble_other.replace("{code}", other),
        };
        known.to_owned()
    }
}

impl From<JsValue> for Trouble {
    fn from(value: JsValue) -> Self {
        Self(value.as_string().unwrap_or_else(|| "unexpected_error".to_owned()))
    }
}

impl From<VaultError> for Trouble {
    fn from(error: VaultError) -> Self {
        Self::new(error.code())
    }
}

impl From<ContentError> for Trouble {
    /// Of a change: the content of a file that cannot be read is a [`VaultError`].
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Unknown => Self::new("gone"),
            ContentError::TooLong(_) => Self::new("text_too_long"),
            ContentError::Entries => Self::new("vault_full"),
            other => VaultError::from(other).into(),
        }
    }
}
