//! Where the data lie.

use std::path::PathBuf;

use crate::domain::postgres_url::PostgresUrl;
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

    fn parse_postgres(text: &str) -> Result<Self, Invalid> {
        let reason =
            "is not a URL; write special characters of the password as %25 (%), %40 (@), %2F (/), %3A (:)";
        PostgresUrl::parse(text).ok_or_else(|| Invalid::new("database", reason))?;
        Ok(Self::Postgres(text.to_owned()))
    }

    /// For people: the file, or the URL without its password and parameters.
    pub fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(text) => {
                PostgresUrl::parse(text).map_or_else(|| "postgres://…".to_owned(), |url| url.shown())
            }
        }
    }
}
