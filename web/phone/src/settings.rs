//! What the person has set on this device. None of it is secret, so it lies beside the vault, in `localStorage`.

use crate::words::Language;

/// How the app looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Device,
    Light,
    Dark,
}

impl Theme {
    pub(crate) const ALL: [Self; 3] = [Self::Device, Self::Light, Self::Dark];

    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// All settings of this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) language: Language,
    pub(crate) theme: Theme,
    /// Codes are hidden until they are tapped.
    pub(crate) tap_to_reveal: bool,
    /// Seconds until a copied code is taken out of the clipboard; 0: never.
    pub(crate) clipboard_seconds: u32,
    /// Seconds without a touch until the vault is locked; 0: never.
    pub(crate) lock_seconds: u32,
    /// Whether the vault is locked as soon as the app is out of sight.
    pub(crate) lock_when_hidden: bool,
    /// What to add to this device's clock, in milliseconds; as last measured against the server's.
    pub(crate) clock_offset_ms: i64,
    /// Whether that corrects the codes of all accounts, or only of those that the server itself enrolled.
    pub(crate) correct_all: bool,
    /// The last vault and revision that were opened here: `vault:revision` in hexadecimal and decimal digits.
    pub(crate) mark: String,
}

const PREFIX: &str = "countersign.";
const NAMES: [&str; 9] = [
    "language",
    "theme",
    "tap_to_reveal",
    "clipboard_seconds",
    "lock_seconds",
    "lock_when_hidden",
    "clock_offset_ms",
    "correct_all",
    "mark",
];

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok().flatten()
}

fn read(name: &str) -> Option<String> {
    storage()?.get_item(&[PREFIX, name].concat()).ok().flatten()
}

impl Settings {
    /// What is stored, and the usual where nothing is.
    pub(crate) fn load() -> Self {
        let number = |name, usual: u32| read(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
        let is = |name, usual: bool| read(name).map_or(usual, |text| text == "true");
        let browser =
            || web_sys::window().and_then(|window| window.navigator().language()).unwrap_or_default();
        let theme = read("theme").unwrap_or_default();
        Self {
            language: Language::of(&read("language").unwrap_or_else(browser)),
            theme: Theme::ALL.into_iter().find(|known| known.code() == theme).unwrap_or(Theme::Device),
            tap_to_reveal: is("tap_to_reveal", false),
            clipboard_seconds: number("clipboard_seconds", 45),
            lock_seconds: number("lock_seconds", 300),
            lock_when_hidden: is("lock_when_hidden", false),
            clock_offset_ms: read("clock_offset_ms").and_then(|text| text.parse().ok()).unwrap_or_default(),
            correct_all: is("correct_all", true),
            mark: read("mark").unwrap_or_default(),
        }
    }

    /// Stores all. A browser that refuses keeps them until the app is closed.
    pub(crate) fn store(&self) {
        let Some(storage) = storage() else { return };
        let values = [
            self.language.code().to_owned(),
            self.theme.code().to_owned(),
            self.tap_to_reveal.to_string(),
            self.clipboard_seconds.to_string(),
            self.lock_seconds.to_string(),
            self.lock_when_hidden.to_string(),
            self.clock_offset_ms.to_string(),
            self.correct_all.to_string(),
            self.mark.clone(),
        ];
        for (name, value) in NAMES.into_iter().zip(values) {
            let _ = storage.set_item(&[PREFIX, name].concat(), &value);
        }
    }

    /// Forgets everything, as with the vault.
    pub(crate) fn forget() {
        let Some(storage) = storage() else { return };
        for name in NAMES {
            let _ = storage.remove_item(&[PREFIX, name].concat());
        }
    }
}
