//! The way out: one SMTP conversation a mail (RFC 5321), with TLS before anything is said that matters.
//!
//! 1. Connect: `smtps://` under TLS from the first byte (RFC 8314 s3.3), `smtp://` in the clear.
//! 2. `EHLO`; for `smtp://` then `STARTTLS` (RFC 3207). A server that does not offer it gets nothing: there is no way back to
//!    plain text. `smtp+plain://` leaves this out; the settings allow it on loopback only.
//! 3. `AUTH`, where the URL names a user.
//! 4. `MAIL`, `RCPT`, `DATA`, each answer looked at by itself: what the server has against us is not the mail's fault.
//!
//! A server's own words go nowhere: some quote the mail or the credentials in their refusals. What is kept is the step and the
//! reply's numbers (RFC 3463).

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, CertificateStore, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Response;
use lettre::transport::smtp::{Error, SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use lettre::{Address, Message};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::domain::id::MailId;
use crate::domain::refusal::Invalid;
use crate::domain::time::Timestamp;
use crate::mail::Letter;

/// A server that is silent for this long is not there.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The answer to the mail itself may take longer, while filters look at it (RFC 5321 s4.5.3.2.6): whoever hangs up too early sends it
/// twice.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_mins(5);

/// Whose certificates are believed.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// The authorities that the system knows.
    System,
    /// Only this one, in DER.
    Only(&'a [u8]),
}

/// How the connection is protected.
enum Protection {
    StartTls(TlsParameters),
    Tls(TlsParameters),
    /// On loopback.
    Plain,
}

/// A mail server and what it must be told.
pub struct Transport {
    host: String,
    port: u16,
    protection: Protection,
    credentials: Option<Credentials>,
    hello: ClientId,
    from: Mailbox,
    id_host: String,
    timeout: Duration,
}

/// A mail that is ready to go.
#[derive(Clone, Copy)]
pub struct Parcel<'a> {
    /// Its id: the retry of a mail has the same `Message-ID`, by which a mailbox may know it again.
    pub id: MailId,
    /// The address.
    pub recipient: &'a str,
    /// What it says.
    pub letter: &'a Letter,
    /// When the notice was given.
    pub written_at: Timestamp,
}

/// Why a mail was not taken. The texts name the step and the numbers of the reply, never its words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The server cannot be used at all, for this mail or any other.
    Unusable(String),
    /// Not now: worth another try.
    ForNow(String),
    /// This mail, for good.
    ForGood(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unusable(why) | Self::ForNow(why) | Self::ForGood(why)) = self;
        f.write_str(why)
    }
}

/// Says whether mails can be from there, with a mail server or before there is one.
pub fn must_be_sender(mail_from: &str) -> Result<(), Invalid> {
    sender(mail_from).map(|_| ())
}

fn sender(mail_from: &str) -> Result<Mailbox, Invalid> {
    mail_from.parse().map_err(|_| Invalid::new("mail_from", "must be `address` or `Name <address>`"))
}

impl Transport {
    /// Reads the settings; nothing is connected yet.
    pub fn new(smtp_url: &Url, mail_from: &str, public_url: &str, trust: Trust<'_>) -> Result<Self, Invalid> {
        let host = match smtp_url.host() {
            // `url` leaves the hosts of unknown schemes as they are, addresses included.
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(Invalid::new("smtp_url", "names no host")),
        };
        let tls =
            || tls(&host, trust).map_err(|_| Invalid::new("smtp_url", "TLS cannot be set up for this host"));
        let (protection, port) = match smtp_url.scheme() {
            "smtps" => (Protection::Tls(tls()?), SUBMISSIONS_PORT),
            "smtp+plain" => (Protection::Plain, SMTP_PORT),
            _ => (Protection::StartTls(tls()?), SUBMISSION_PORT),
        };
        let decoded = |part: &str| {
            let text = percent_decode_str(part).decode_utf8().ok();
            text.map(String::from)
                .ok_or_else(|| Invalid::new("smtp_url", "names a user or password that is not UTF-8"))
        };
        let credentials = if smtp_url.username().is_empty() {
            None
        } else {
            let password = decoded(smtp_url.password().unwrap_or_default())?;
            Some(Credentials::new(decoded(smtp_url.username())?, password))
        };
        let from = sender(mail_from)?;
        let public = Url::parse(public_url).map_err(|_| Invalid::new("public_url", "is not a URL"))?;
        let (hello, id_host) = match public.host() {
            Some(Host::Ipv4(address)) => (ClientId::Ipv4(address), format!("[{address}]")),
            Some(Host::Ipv6(address)) => (ClientId::Ipv6(address), format!("[IPv6:{address}]")),
            Some(Host::Domain(name)) => (ClientId::Domain(name.to_owned()), name.to_owned()),
            None => return Err(Invalid::new("public_url", "names no host")),
        };
        let port = smtp_url.port().unwrap_or(port);
        Ok(Self { host, port, protection, credentials, hello, from, id_host, timeout: TIMEOUT })
    }

    /// The same with less patience.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends one mail. `Ok` when the server has taken it; whatever goes wrong after that is none of the mail's business.
    pub fn send(&self, parcel: &Parcel<'_>) -> Result<(), Refused> {
        let to: Address = parcel
            .recipient
            .parse()
            .map_err(|_| Refused::ForGood("the recipient is not an e-mail address".to_owned()))?;
        let message = self.message(parcel, to.clone())?;
        let mut connection = self.connect()?;
        let sent = self.hand_over(&mut connection, to, &message);
        connection.abort();
        sent
    }

    /// Says hello, by TLS and with the password where that is so set, and goodbye: all but a mail.
    pub fn greet(&self) -> Result<(), Refused> {
        self.connect()?.abort();
        Ok(())
    }

    fn connect(&self) -> Result<SmtpConnection, Refused> {
        let unusable = |step: &'static str| move |error: Error| Refused::Unusable(said(step, &error));
        let at_once = match &self.protection {
            Protection::Tls(tls) => Some(tls),
            Protection::StartTls(_) | Protection::Plain => None,
        };
        let address = (self.host.as_str(), self.port);
        let mut connection = SmtpConnection::connect(address, Some(self.timeout), &self.hello, at_once, None)
            .map_err(unusable("connecting"))?;
        let ready = match &self.protection {
            Protection::StartTls(_) if !connection.can_starttls() => {
                Err(Refused::Unusable("the mail server does not offer STARTTLS".to_owned()))
            }
            Protection::StartTls(tls) => connection.starttls(tls, &self.hello).map_err(unusable("STARTTLS")),
            Protection::Tls(_) | Protection::Plain => Ok(()),
        };
        let ready = ready.and_then(|()| match &self.credentials {
            Some(credentials) => connection
                .auth(&[Mechanism::Plain, Mechanism::Login], credentials)
                .map(drop)
                .map_err(unusable("AUTH")),
            None => Ok(()),
        });
        match ready {
            Ok(()) => Ok(connection),
            Err(refused) => {
                connection.abort();
                Err(refused)
            }
        }
    }

    fn hand_over(&self, connection: &mut SmtpConnection, to: Address, message: &[u8]) -> Result<(), Refused> {
        let from = self.from.email.clone();
        let mut parameters = Vec::new();
        if [&from, &to].into_iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let why = "the mail server takes no addresses beyond ASCII (SMTPUTF8)";
                return Err(Refused::ForGood(why.to_owned()));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        // Refusing the sender is refusing the installation.
        let answered = connection.command(Mail::new(Some(from), parameters));
        answered.map_err(|error| {
            let why = said("MAIL", &error);
            if error.is_permanent() { Refused::Unusable(why) } else { Refused::ForNow(why) }
        })?;
        about_this_mail("RCPT", connection.command(Rcpt::new(to, Vec::new())))?;
        about_this_mail("DATA", connection.command(Data))?;
        let lost = |_| Refused::ForNow("the mail: the connection is gone".to_owned());
        connection.set_timeout(Some(self.timeout.max(LAST_ANSWER_TIMEOUT))).map_err(lost)?;
        let taken = about_this_mail("the mail", connection.message(message));
        // For the farewell, which changes nothing any more.
        let _ = connection.set_timeout(Some(self.timeout));
        taken
    }

    fn message(&self, parcel: &Parcel<'_>, to: Address) -> Result<Vec<u8>, Refused> {
        let millis = u64::try_from(parcel.written_at.millis()).unwrap_or(0);
        let date = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis));
        let parts = MultiPart::alternative()
            .boundary(format!("countersign-{}", parcel.id))
            .singlepart(SinglePart::plain(parcel.letter.text.clone()))
            .singlepart(SinglePart::html(parcel.letter.html.clone()));
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(parcel.letter.subject.clone())
            .date(date.unwrap_or(SystemTime::UNIX_EPOCH))
            .message_id(Some(format!("<{}@{}>", parcel.id, self.id_host)))
            // RFC 3834 s5: nobody's holiday answers to this.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(parts);
        message
            .map(|message| message.formatted())
            .map_err(|_| Refused::ForGood("the mail cannot be written".to_owned()))
    }
}

fn tls(host: &str, trust: Trust<'_>) -> Result<TlsParameters, Error> {
    let builder = TlsParameters::builder(host.to_owned());
    match trust {
        Trust::System => builder.build(),
        Trust::Only(der) => builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(Certificate::from_der(der.to_vec())?)
            .build(),
    }
}

/// Answers from `RCPT` on are about the mail.
fn about_this_mail(step: &'static str, answered: Result<Response, Error>) -> Result<(), Refused> {
    match answered {
        Ok(_) => Ok(()),
        Err(error) if error.is_permanent() => Err(Refused::ForGood(said(step, &error))),
        Err(error) => Err(Refused::ForNow(said(step, &error))),
    }
}

/// What went wrong at which step, without anybody's words.
fn said(step: &str, error: &Error) -> String {
    if let Some(code) = error.status() {
        let text = error.source().map(ToString::to_string).unwrap_or_default();
        let enhanced = text.split_whitespace().next().filter(|word| is_enhanced_status(word));
        return match enhanced {
            Some(enhanced) => format!("{step}: {code} {enhanced}"),
            None => format!("{step}: {code}"),
        };
    }
    if error.is_tls() {
        return format!("{step}: TLS failed");
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            // rustls wraps its own errors: an unknown authority, a wrong name.
            if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return match tls {
                    rustls::Error::InvalidCertificate(_) => format!("{step}: the certificate is not trusted"),
                    _ => format!("{step}: TLS failed"),
                };
            }
            return match io.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => format!("{step}: no answer in time"),
                kind => format!("{step}: {kind}"),
            };
        }
        source = cause.source();
    }
    if error.is_client() && step == "AUTH" {
        return "AUTH: the mail server offers no way to log in that is known here".to_owned();
    }
    format!("{step}: the answer makes no sense")
}

/// `5.1.1` (RFC 3463 s2).
fn is_enhanced_status(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    parts.len() == 3
        && parts.iter().all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
}
