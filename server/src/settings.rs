//! Settings: flags, then `COUNTERSIGN_*` variables, then a TOML file, then defaults. The one door to the environment.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::providers::{Env, Format, Serialized, Toml};
use figment::{Figment, Metadata, Profile, Provider};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::domain::audit::SHORTEST_KEPT_DAYS;
use crate::domain::phone::PhoneApp;
use crate::domain::refusal::Invalid;
use crate::domain::target::Target;

/// The prefix of the variables.
const PREFIX: &str = "COUNTERSIGN_";

/// The file that is read when nobody names one: in the data folder, if it is there.
const FILE_NAME: &str = "countersign.toml";

/// What the command line says; everything left out comes from elsewhere.
// The comments on the fields are what `--help` prints, as plain text.
#[allow(clippy::doc_markdown, rustdoc::bare_urls, reason = "these comments are printed as plain text")]
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
pub struct Flags {
    /// TOML file with settings [variable: COUNTERSIGN_CONFIG] [default: DATA/countersign.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Folder for the database and the master key [variable: COUNTERSIGN_DATA] [default: ./data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    /// `sqlite://PATH` or `postgres://USER@HOST/NAME` [variable: COUNTERSIGN_DATABASE] [default: sqlite://DATA/countersign.db]
    #[arg(long, global = true, value_name = "URL", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    /// File with the master key [variable: COUNTERSIGN_MASTER_KEY_FILE] [default: DATA/master.key, made at first start on SQLite]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    master_key_file: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one [variable: COUNTERSIGN_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
    /// URL that applications know this server by, the issuer of tokens [variable: COUNTERSIGN_PUBLIC_URL] [default: http://localhost:8080]
    #[arg(long, global = true, value_name = "URL", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,
    /// URL of the phone app, where it is not served from here [variable: COUNTERSIGN_PHONE_URL] [default: public URL + /phone/]
    #[arg(long, global = true, value_name = "URL", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_url: Option<String>,
    /// Name that phones show beside the account [variable: COUNTERSIGN_ISSUER_NAME] [default: Countersign]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer_name: Option<String>,
    /// PEM file with the certificate chain [variable: COUNTERSIGN_TLS_CERT]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key [variable: COUNTERSIGN_TLS_KEY]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_key: Option<PathBuf>,
    /// `self-signed`: a certificate made at every start, for trying out [variable: COUNTERSIGN_TLS]
    #[arg(long, global = true, value_name = "MODE", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<String>,
    /// Plain HTTP on any address: a proxy in front does TLS and appends to X-Forwarded-For [variable: COUNTERSIGN_BEHIND_PROXY]
    #[arg(long, global = true, help_heading = "Settings")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    behind_proxy: bool,
    /// Days until the next signing key takes over; 0: only by `key rotate` [variable: COUNTERSIGN_KEY_ROTATION_DAYS] [default: 90]
    #[arg(long, global = true, value_name = "DAYS", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    key_rotation_days: Option<u16>,
    /// Mail server: smtp://HOST (STARTTLS), smtps://HOST (TLS), user and password within the URL; without one mails wait in the outbox [variable: COUNTERSIGN_SMTP_URL]
    #[arg(long, global = true, value_name = "URL", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    smtp_url: Option<String>,
    /// Sender of mails, as `address` or `Name <address>` [variable: COUNTERSIGN_MAIL_FROM]
    #[arg(long, global = true, value_name = "ADDRESS", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_from: Option<String>,
    /// Days that a browser may skip the code at login in the console if its user says so, 30 at most; 0: never [variable: COUNTERSIGN_REMEMBER_DEVICE_DAYS] [default: 0]
    #[arg(long, global = true, value_name = "DAYS", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    remember_device_days: Option<u16>,
    /// Resets by a help desk wait for a second person [variable: COUNTERSIGN_RESET_NEEDS_APPROVAL]
    #[arg(long, global = true, help_heading = "Settings")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reset_needs_approval: bool,
    /// Days that the audit log reaches back, 30 at least; 0: to its beginning [variable: COUNTERSIGN_AUDIT_KEEP_DAYS] [default: 0]
    #[arg(long, global = true, value_name = "DAYS", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_keep_days: Option<u16>,
    /// Seconds that a server told to stop answers 503 at /readyz and all else as before, for a balancer to turn away; 600 at most [variable: COUNTERSIGN_STOP_DELAY_SECONDS] [default: 0]
    #[arg(long, global = true, value_name = "SECONDS", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_delay_seconds: Option<u16>,
    /// File with the bearer token that /metrics takes, besides requests of this machine [variable: COUNTERSIGN_METRICS_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_token_file: Option<PathBuf>,
    /// What to log, as `level` or `module=level,...` [variable: COUNTERSIGN_LOG] [default: info]
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Settings")]
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
}

/// The names of all settings, as in the file.
const NAMES: [&str; 20] = [
    "data",
    "database",
    "master_key_file",
    "listen",
    "public_url",
    "phone_url",
    "issuer_name",
    "tls_cert",
    "tls_key",
    "tls",
    "behind_proxy",
    "key_rotation_days",
    "smtp_url",
    "mail_from",
    "remember_device_days",
    "reset_needs_approval",
    "audit_keep_days",
    "stop_delay_seconds",
    "metrics_token_file",
    "log",
];

/// What file, variables and flags say together, before anything is made of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    data: PathBuf,
    database: Option<String>,
    master_key_file: Option<PathBuf>,
    listen: String,
    public_url: String,
    phone_url: Option<String>,
    issuer_name: String,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls: Option<String>,
    behind_proxy: bool,
    key_rotation_days: u16,
    smtp_url: Option<String>,
    mail_from: Option<String>,
    remember_device_days: u16,
    reset_needs_approval: bool,
    audit_keep_days: u16,
    stop_delay_seconds: u16,
    metrics_token_file: Option<PathBuf>,
    log: String,
}

#[derive(Serialize)]
struct Defaults {
    data: &'static str,
    listen: &'static str,
    public_url: &'static str,
    issuer_name: &'static str,
    behind_proxy: bool,
    key_rotation_days: u16,
    remember_device_days: u16,
    reset_needs_approval: bool,
    audit_keep_days: u16,
    stop_delay_seconds: u16,
    log: &'static str,
}

const DEFAULTS: Defaults = Defaults {
    data: "./data",
    listen: "127.0.0.1:8080",
    public_url: "http://localhost:8080",
    issuer_name: "Countersign",
    behind_proxy: false,
    key_rotation_days: 90,
    remember_device_days: 0,
    reset_needs_approval: false,
    audit_keep_days: 0,
    stop_delay_seconds: 0,
    log: "info",
};

/// How connections are protected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tls {
    /// Not at all: on loopback, or behind a proxy.
    Off,
    /// By a certificate made at every start.
    SelfSigned,
    /// By a certificate from files.
    Files {
        /// The chain.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// The database.
    pub database: Target,
    /// The master key's file.
    pub master_key_file: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The issuer, without a slash at the end.
    pub public_url: String,
    /// Where the phone app is.
    pub phone: PhoneApp,
    /// What phones show.
    pub issuer_name: String,
    /// How connections are protected.
    pub tls: Tls,
    /// Whether `X-Forwarded-For` is to be believed.
    pub behind_proxy: bool,
    /// How many days a signing key signs; 0: until it is rotated by command.
    pub key_rotation_days: u16,
    /// Where mail goes out, checked; it may hold a password.
    pub smtp_url: Option<url::Url>,
    /// Who mail is from.
    pub mail_from: Option<String>,
    /// How many days a browser may skip the code at login; 0: never.
    pub remember_device_days: u16,
    /// Whether resets by a help desk wait for a second person.
    pub reset_needs_approval: bool,
    /// How many days the audit log reaches back; none: to its beginning.
    pub audit_keep_days: Option<u16>,
    /// How long a server that was told to stop still serves.
    pub stop_delay: Duration,
    /// Where the token is that opens the metrics to other machines.
    pub metrics_token_file: Option<PathBuf>,
    /// What to log.
    pub log: String,
    shown: Vec<Shown>,
}

/// A setting for people: its value, and who set it.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// As in the file.
    pub name: &'static str,
    /// Without secrets; none where it is not set.
    pub value: Option<String>,
    /// Flag, variable, file or default.
    pub source: String,
}

/// Variables as a source of settings. An empty one counts as not set, and text stays text: `2024` is a fine name.
struct Variables;

impl Provider for Variables {
    fn metadata(&self) -> Metadata {
        Metadata::named("variable")
    }

    fn data(&self) -> Result<figment::value::Map<Profile, figment::value::Dict>, figment::Error> {
        let set = NAMES.iter().filter_map(|name| {
            let text =
                Env::var(&format!("{PREFIX}{}", name.to_uppercase())).filter(|text| !text.is_empty())?;
            let value = match (*name, text.to_lowercase().as_str()) {
                ("behind_proxy" | "reset_needs_approval", "1" | "true" | "yes" | "on") => {
                    figment::value::Value::from(true)
                }
                ("behind_proxy" | "reset_needs_approval", "0" | "false" | "no" | "off") => {
                    figment::value::Value::from(false)
                }
                (
                    "key_rotation_days" | "remember_device_days" | "audit_keep_days" | "stop_delay_seconds",
                    digits,
                ) if digits.parse::<u16>().is_ok() => {
                    figment::value::Value::from(digits.parse::<u16>().unwrap_or_default())
                }
                _ => figment::value::Value::from(text),
            };
            Some(((*name).to_owned(), value))
        });
        Ok(Profile::Default.collect(set.collect()))
    }
}

/// Flags as a source of settings.
struct FlagProvider<'a>(&'a Flags);

impl Provider for FlagProvider<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named("flag")
    }

    fn data(&self) -> Result<figment::value::Map<Profile, figment::value::Dict>, figment::Error> {
        Serialized::defaults(self.0).data()
    }
}

impl Settings {
    /// Reads all sources and checks the result.
    pub fn load(flags: &Flags) -> Result<Self, Invalid> {
        let layers = |file: Option<&Path>| {
            let mut figment = Figment::from(Serialized::defaults(DEFAULTS));
            if let Some(file) = file {
                figment = figment.merge(Toml::file_exact(file));
            }
            figment.merge(Variables).merge(FlagProvider(flags))
        };
        // The data folder says where the file is, so the file cannot move the data folder to find another file.
        let variable = || Env::var("COUNTERSIGN_CONFIG").filter(|text| !text.is_empty());
        let named = flags.config.clone().or_else(|| variable().map(PathBuf::from));
        let file = match named {
            Some(file) if file.is_file() => Some(file),
            Some(file) => {
                return Err(Invalid::new("config", format!("{} is not a file", file.display())));
            }
            None => {
                let data: PathBuf = layers(None).extract_inner("data").map_err(|error| invalid(&error))?;
                Some(data.join(FILE_NAME)).filter(|file| file.exists())
            }
        };
        if let Some(file) = &file {
            must_be_toml(file)?;
        }
        let figment = layers(file.as_deref());
        let raw: Raw = figment.extract().map_err(|error| invalid(&error))?;
        Self::check(raw, &figment)
    }

    fn check(raw: Raw, figment: &Figment) -> Result<Self, Invalid> {
        let database = match &raw.database {
            Some(text) => Target::parse(text)?,
            None => Target::Sqlite(raw.data.join("countersign.db")),
        };
        let listen: SocketAddr = raw
            .listen
            .parse()
            .map_err(|_| Invalid::new("listen", "must be an address and a port: 127.0.0.1:8080"))?;
        let tls = match (raw.tls.as_deref(), raw.tls_cert.clone(), raw.tls_key.clone()) {
            (None, None, None) => Tls::Off,
            (Some("self-signed"), None, None) => Tls::SelfSigned,
            (None, Some(cert), Some(key)) => Tls::Files { cert, key },
            (None, Some(_), None) => return Err(Invalid::new("tls_key", "is missing beside tls_cert")),
            (None, None, Some(_)) => return Err(Invalid::new("tls_cert", "is missing beside tls_key")),
            (Some("self-signed"), _, _) => {
                return Err(Invalid::new("tls", "does not go with tls_cert and tls_key"));
            }
            (Some(_), _, _) => return Err(Invalid::new("tls", "must be self-signed, or left out")),
        };
        if tls == Tls::Off && !listen.ip().is_loopback() && !raw.behind_proxy {
            let reason = "is not loopback, where plain HTTP would show codes to the network: set tls_cert and tls_key, \
                          or tls, or behind_proxy if a proxy in front does TLS";
            return Err(Invalid::new("listen", reason));
        }
        let public_url = public_url(&raw.public_url)?;
        let phone = match &raw.phone_url {
            Some(url) => PhoneApp::at(url, &public_url)?,
            None => PhoneApp::beside(&public_url),
        };
        let name = raw.issuer_name.as_str();
        // With a longer one the URI of a long user name would not fit into a QR code.
        if !(1..=64).contains(&name.len())
            || name.trim() != name
            || name.contains(|c: char| c == ':' || c.is_control())
        {
            let reason = "must be 1 to 64 bytes without a colon, control characters or blanks at either end";
            return Err(Invalid::new("issuer_name", reason));
        }
        tracing_subscriber::EnvFilter::try_new(&raw.log)
            .map_err(|_| Invalid::new("log", "is not a log filter"))?;
        let smtp_url = raw.smtp_url.as_deref().map(smtp_url).transpose()?;
        if smtp_url.is_some() && raw.mail_from.is_none() {
            return Err(Invalid::new("mail_from", "is missing beside smtp_url"));
        }
        if raw.remember_device_days > 30 {
            return Err(Invalid::new("remember_device_days", "must be 30 at most"));
        }
        if (1..SHORTEST_KEPT_DAYS).contains(&i64::from(raw.audit_keep_days)) {
            return Err(Invalid::new("audit_keep_days", "must be 30 at least, or 0 to keep everything"));
        }
        if raw.stop_delay_seconds > 600 {
            return Err(Invalid::new("stop_delay_seconds", "must be 600 at most"));
        }
        let master_key_file = raw.master_key_file.clone().unwrap_or_else(|| raw.data.join("master.key"));
        let shown = shown(figment, |name| match name {
            "database" => Some(database.shown()),
            "master_key_file" => path(Some(&master_key_file)),
            "public_url" => Some(public_url.clone()),
            "phone_url" => Some(phone.url().to_owned()),
            "smtp_url" => smtp_url.as_ref().map(without_password),
            _ => raw.written(name),
        });
        Ok(Self {
            data: raw.data,
            database,
            master_key_file,
            listen,
            public_url,
            phone,
            issuer_name: raw.issuer_name,
            tls,
            behind_proxy: raw.behind_proxy,
            key_rotation_days: raw.key_rotation_days,
            smtp_url,
            mail_from: raw.mail_from,
            remember_device_days: raw.remember_device_days,
            reset_needs_approval: raw.reset_needs_approval,
            audit_keep_days: Some(raw.audit_keep_days).filter(|days| *days > 0),
            stop_delay: Duration::from_secs(raw.stop_delay_seconds.into()),
            metrics_token_file: raw.metrics_token_file,
            log: raw.log,
            shown,
        })
    }

    /// How long a signing key signs, in seconds; none: until it is rotated by command.
    pub fn key_age_s(&self) -> Option<i64> {
        (self.key_rotation_days > 0).then(|| i64::from(self.key_rotation_days) * 86_400)
    }

    /// How long a browser may skip the code at login, in seconds; none: never.
    pub fn remember_device_s(&self) -> Option<i64> {
        (self.remember_device_days > 0).then(|| i64::from(self.remember_device_days) * 86_400)
    }

    /// The token that opens the metrics to other machines, out of its file: characters of a bearer token (RFC 6750 s2.1), and enough of them not to be
    /// guessed. White space around it does not count.
    pub fn metrics_token(&self) -> Result<Option<Zeroizing<String>>, Invalid> {
        let Some(file) = &self.metrics_token_file else { return Ok(None) };
        let wrong =
            |why: &dyn fmt::Display| Invalid::new("metrics_token_file", format!("{}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map(Zeroizing::new).map_err(|error| wrong(&error))?;
        let token = text.trim();
        let fits = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
        if !fits || !(16..=1024).contains(&token.len()) {
            return Err(wrong(&"must hold 16 to 1024 letters, digits or -._~+/= and nothing else"));
        }
        Ok(Some(Zeroizing::new(token.to_owned())))
    }

    /// Whether somebody has said what this server's URL is.
    pub fn has_public_url(&self) -> bool {
        self.shown.iter().any(|setting| setting.name == "public_url" && setting.source != "default")
    }

    /// The settings file, where it holds a password.
    pub fn file_with_password(&self) -> Option<PathBuf> {
        let is_secret = |setting: &&Shown| match setting.name {
            "smtp_url" => self.smtp_url.as_ref().is_some_and(|url| url.password().is_some()),
            // Its parameters may hold one, too.
            "database" => matches!(self.database, Target::Postgres(_)),
            _ => false,
        };
        let is_file = |setting: &Shown| {
            let source = setting.source.as_str();
            source != "default" && source != "flag" && !source.starts_with(PREFIX)
        };
        let found = self.shown.iter().filter(is_secret).find(|setting| is_file(setting));
        found.map(|setting| PathBuf::from(&setting.source))
    }

    /// Every setting with its source, for `countersign config`.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// Variables that look like settings and are none. Not an error: container platforms set `COUNTERSIGN_PORT` and the like by
    /// themselves for a service of this name.
    pub fn unknown_variables() -> Vec<String> {
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        names
            .filter(|name| {
                name.strip_prefix(PREFIX)
                    .is_some_and(|rest| rest != "CONFIG" && !NAMES.contains(&rest.to_lowercase().as_str()))
            })
            .collect()
    }
}

impl Raw {
    /// A setting as it was written, if that is how it is shown.
    fn written(&self, name: &str) -> Option<String> {
        match name {
            "data" => path(Some(&self.data)),
            "listen" => Some(self.listen.clone()),
            "issuer_name" => Some(self.issuer_name.clone()),
            "tls_cert" => path(self.tls_cert.as_ref()),
            "tls_key" => path(self.tls_key.as_ref()),
            "tls" => self.tls.clone(),
            "behind_proxy" => Some(self.behind_proxy.to_string()),
            "key_rotation_days" => Some(self.key_rotation_days.to_string()),
            "mail_from" => self.mail_from.clone(),
            "remember_device_days" => Some(self.remember_device_days.to_string()),
            "reset_needs_approval" => Some(self.reset_needs_approval.to_string()),
            "audit_keep_days" => Some(self.audit_keep_days.to_string()),
            "stop_delay_seconds" => Some(self.stop_delay_seconds.to_string()),
            "metrics_token_file" => path(self.metrics_token_file.as_ref()),
            "log" => Some(self.log.clone()),
            other => unreachable!("`{other}` is in `NAMES`, and nothing says how it is shown"),
        }
    }
}

fn path(file: Option<&PathBuf>) -> Option<String> {
    file.map(|file| file.display().to_string())
}

/// Every setting with its value for people, and who set it.
fn shown(figment: &Figment, value: impl Fn(&'static str) -> Option<String>) -> Vec<Shown> {
    NAMES.iter().map(|name| Shown { name, value: value(name), source: source(figment, name) }).collect()
}

/// An issuer is an https URL, or http for trying out on one machine, without query, fragment or credentials (RFC 8414 s2).
fn public_url(text: &str) -> Result<String, Invalid> {
    let url = url::Url::parse(text).map_err(|_| Invalid::new("public_url", "is not a URL"))?;
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    match url.scheme() {
        "http" | "https" if plain && url.host_str().is_some() => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err(Invalid::new("public_url", "must be an http or https URL without query, fragment or user")),
    }
}

/// `smtp://` with STARTTLS, `smtps://` with TLS from the start, `smtp+plain://` on loopback only.
fn smtp_url(text: &str) -> Result<url::Url, Invalid> {
    let url = url::Url::parse(text).map_err(|_| Invalid::new("smtp_url", "is not a URL"))?;
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !bare || url.host_str().is_none() {
        return Err(Invalid::new("smtp_url", "must be smtp://[USER:PASSWORD@]HOST[:PORT] or smtps://..."));
    }
    match url.scheme() {
        "smtp" | "smtps" => Ok(url),
        "smtp+plain" if matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) => Ok(url),
        "smtp+plain" => Err(Invalid::new(
            "smtp_url",
            "must not be smtp+plain but on loopback: mails would cross the network in the clear",
        )),
        _ => Err(Invalid::new("smtp_url", "must begin with smtp:// or smtps://")),
    }
}

fn without_password(url: &url::Url) -> String {
    let mut shown = url.clone();
    if shown.password().is_some() {
        let _ = shown.set_password(Some("****"));
    }
    shown.to_string()
}

fn source(figment: &Figment, name: &str) -> String {
    match figment.find_metadata(name) {
        None => "default".to_owned(),
        Some(metadata) if metadata.name == "flag" => "flag".to_owned(),
        Some(metadata) if metadata.name == "variable" => format!("{PREFIX}{}", name.to_uppercase()),
        Some(metadata) => match metadata.source.as_ref().and_then(|source| source.file_path()) {
            Some(file) => file.display().to_string(),
            None => "default".to_owned(),
        },
    }
}

/// Says where a file is no TOML, and why. Never quotes it, as the parser would: a line may hold a password.
fn must_be_toml(file: &Path) -> Result<(), Invalid> {
    let wrong = |why: String| Invalid::new("config", format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    Toml::from_str::<figment::value::Dict>(&text).map(|_| ()).map_err(|error| {
        let before = error.span().and_then(|place| text.get(..place.start)).unwrap_or_default();
        let (lines, column) =
            (before.split('\n').count(), before.chars().rev().take_while(|c| *c != '\n').count() + 1);
        wrong(format!("line {lines}, column {column}: {}", error.message().replace('\n', ", ")))
    })
}

/// Names the setting that is wrong. Never the value: it may be a secret put in the wrong place.
fn invalid(error: &figment::Error) -> Invalid {
    use figment::error::Kind;
    let name = if error.path.is_empty() { "config".to_owned() } else { error.path.join(".") };
    match &error.kind {
        Kind::UnknownField(field, _) => Invalid::new(field.clone(), "is not a setting"),
        Kind::InvalidType(_, wanted) | Kind::InvalidValue(_, wanted) if wanted == "u16" => {
            Invalid::new(name, "must be a whole number from 0 to 65535")
        }
        Kind::InvalidType(_, wanted) | Kind::InvalidValue(_, wanted) => {
            Invalid::new(name, format!("must be {wanted}"))
        }
        _ => Invalid::new(name, "has a value that cannot be read"),
    }
}
