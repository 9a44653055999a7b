//! What a browser says of itself, in few words: for people who ask which of their logins that was. It proves nothing.

use std::fmt;

use crate::domain::words::words;

words! {
    /// The browser.
    Browser, "browser" {
        /// Mozilla's, and others of its kind.
        Firefox = "Firefox",
        /// Microsoft's.
        Edge = "Edge",
        /// Google's and its free sister.
        Chrome = "Chrome",
        /// Apple's.
        Safari = "Safari",
    }
}

words! {
    /// What it runs on.
    System, "system" {
        /// Phones and tablets.
        Android = "Android",
        /// Phones and tablets.
        Ios = "iOS",
        /// Desks.
        Windows = "Windows",
        /// Desks.
        MacOs = "macOS",
        /// Desks.
        Linux = "Linux",
    }
}

/// A browser on a system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Device {
    browser: Browser,
    system: Option<System>,
}

impl Device {
    /// Reads a `User-Agent`; none where it is no browser that people use.
    pub fn parse(user_agent: &str) -> Option<Self> {
        let has = |name| user_agent.contains(name);
        // Each names its forerunners, too; so the youngest comes first.
        let browser = if has("Firefox/") || has("FxiOS/") {
            Browser::Firefox
        } else if has("Edg/") || has("EdgA/") || has("EdgiOS/") {
            Browser::Edge
        } else if has("Chrome/") || has("CriOS/") {
            Browser::Chrome
        } else if has("Safari/") {
            Browser::Safari
        } else {
            return None;
        };
        let system = if has("Android") {
            Some(System::Android)
        } else if has("iPhone") || has("iPad") {
            Some(System::Ios)
        } else if has("Windows") {
            Some(System::Windows)
        } else if has("Mac OS X") || has("Macintosh") {
            Some(System::MacOs)
        } else {
            has("Linux").then_some(System::Linux)
        };
        Some(Self { browser, system })
    }
}

/// `Firefox · Android`
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.system {
            Some(system) => write!(f, "{} · {system}", self.browser),
            None => self.browser.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_by_their_own_name() {
        let shown = |text| Device::parse(text).map(|device| device.to_string());
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
        assert_eq!(shown(chrome).as_deref(), Some("Chrome · Linux"));
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36 Edg/156.0";
        assert_eq!(shown(edge).as_deref(), Some("Edge · Windows"));
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1";
        assert_eq!(shown(phone).as_deref(), Some("Safari · iOS"));
        assert_eq!(shown("curl/8.0"), None);
        assert_eq!(shown("<script>alert(1)</script>"), None);
    }
}
