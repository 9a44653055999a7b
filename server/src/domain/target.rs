//! Where the data lie.

use std::path::PathBuf;

use crate::domain::refusal::Invalid;

/// Which database, from the setting `database`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL URL; it may hold a password and is never shown whole.
    Postgres(String),
}

impl Target {
    /// Reads `sqlite://PATH` or `postgres://...`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            if path.is_empty() || path.contains('?') {
                return Err(Invalid::new("database", "must name a file: sqlite://PATH"));
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            if !cfg!(feature = "postgres") {
                return Err(Invalid::new("database", "is PostgreSQL, which this program was built without"));
            }
            return Self::parse_postgres(text);
        }
        Err(Invalid::new("database", "must be sqlite://PATH or postgres://USER@HOST/NAME"))
    }

    /// A password with `@` or `/` in it would be taken for a host by some readers and shown to somebody by others.
    fn parse_postgres(text: &str) -> Result<Self, Invalid> {
        let reason = "is not a URL; write special characters of the password as %40 (@), %2F (/), %3A (:)";
        let invalid = || Invalid::new("database", reason);
        let url = url::Url::parse(text).map_err(|_| invalid())?;
        let credentials_end = text.find('@');
        let strange = text.matches('@').count() > 1 || url.path().contains('@') || url.fragment().is_some();
        if strange || credentials_end.is_some_and(|end| text[..end].matches('/').count() > 2) {
            return Err(invalid());
        }
        Ok(Self::Postgres(text.to_owned()))
    }

    /// For people: the file, or the URL without its password and parameters.
    pub fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(text) => url::Url::parse(text).map_or_else(
                |_| "postgres://…".to_owned(),
                |mut url| {
                    if url.password().is_some() {
                        let _ = url.set_password(Some("…"));
                    }
                    url.set_query(None);
                    url.to_string()
                },
            ),
        }
    }
}
