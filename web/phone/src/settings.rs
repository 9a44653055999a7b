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
    /// Whose server the app came from: its public URL. Empty before it was reached.
    pub(crate) issuer: String,
}

const PREFIX: &str = "countersign.";
/// The last vault and revision that were opened here: `vault:revision`, in hexadecimal and decimal digits.
const MARK: &str = "mark";

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok().flatten()
}

fn read(name: &str) -> Option<String> {
    storage()?.get_item(&[PREFIX, name].concat()).ok().flatten()
}

fn write(name: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(&[PREFIX, name].concat(), value);
    }
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
            issuer: read("issuer").unwrap_or_default(),
        }
    }

    fn values(&self) -> [(&'static str, String); 9] {
        [
            ("language", self.language.code().to_owned()),
            ("theme", self.theme.code().to_owned()),
            ("tap_to_reveal", self.tap_to_reveal.to_string()),
            ("clipboard_seconds", self.clipboard_seconds.to_string()),
            ("lock_seconds", self.lock_seconds.to_string()),
            ("lock_when_hidden", self.lock_when_hidden.to_string()),
            ("clock_offset_ms", self.clock_offset_ms.to_string()),
            ("correct_all", self.correct_all.to_string()),
            ("issuer", self.issuer.clone()),
        ]
    }

    /// Stores what is not as it was: the rest may be what another window has set. A browser that refuses keeps it until the app is
    /// closed.
    pub(crate) fn store(&self, before: &Self) {
        for ((name, value), (_, old)) in self.values().into_iter().zip(before.values()) {
            if value != old {
                write(name, &value);
            }
        }
    }

    /// Forgets everything, as with the vault.
    pub(crate) fn forget() {
        let Some(storage) = storage() else { return };
        let names = Self::load().values().map(|(name, _)| name);
        for name in names.into_iter().chain([MARK]) {
            let _ = storage.remove_item(&[PREFIX, name].concat());
        }
    }
}

/// The latest revision of this vault that was opened here.
pub(crate) fn seen(vault: &str) -> Option<u64> {
    let mark = read(MARK)?;
    let (known, revision) = mark.split_once(':')?;
    (known == vault).then(|| revision.parse().ok()).flatten()
}

/// Notes that one was opened. An older one than before is not noted, nor is one that another window has overtaken.
pub(crate) fn see(vault: &str, revision: u64) {
    if seen(vault).is_none_or(|seen| seen < revision) {
        write(MARK, &format!("{vault}:{revision}"));
    }
}
