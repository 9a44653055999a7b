//! `countersign doctor`: looks at everything, changes nothing.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::app;
use crate::app::audit::Proof;
use crate::app::context::{Service, Stop};
use crate::app::doctor::{self, OF_KEY, OF_TABLES};
use crate::app::start::StartError;
use crate::cli::mailer;
use crate::cli::open::{opened_by_server, service};
use crate::cli::output::{Failure, Output, table};
use crate::clock::Clock;
use crate::crypto::master_key::MasterKey;
use crate::db::{Conn, Database};
use crate::domain::checkup::{Finding, Standing};
use crate::domain::refusal::Invalid;
use crate::domain::target::Target;
use crate::http;
use crate::settings::{Settings, Tls};

/// A mail server that says nothing for this long is not there.
const MAIL_PATIENCE: Duration = Duration::from_secs(10);

/// How long before its end a certificate should be renewed, in days.
const RENEW_DAYS: i64 = 14;

#[derive(Args)]
#[command(after_help = "\
Exit code 0 where no problem was found, notes or not, and else 1. Nothing is changed: no file is made, no table brought up to date, no key bound. \
It may run beside a server.")]
pub(super) struct Command {
    /// Also what takes longer: prove the whole audit log, open all secrets, walk over a SQLite file, say hello to the mail server
    #[arg(long)]
    deep: bool,
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    tell(&examine(command, settings), output)
}

/// Settings that cannot be read are a finding, too: the only one.
pub(super) fn run_without_settings(invalid: &Invalid, output: &Output) -> Result<(), Failure> {
    let advice = "`countersign --help` says what the setting takes; nothing else can be looked at before";
    tell(&[Finding::problem("settings", invalid.to_string(), advice)], output)
}

fn tell(findings: &[Finding], output: &Output) -> Result<(), Failure> {
    let is_problem = |finding: &&Finding| finding.standing == Standing::Problem;
    let problems: Vec<&str> = findings.iter().filter(is_problem).map(|finding| finding.check).collect();
    print(findings, problems.is_empty(), output);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new("unhealthy", format!("something is wrong with: {}", problems.join(", "))))
}

/// What programs read.
#[derive(Serialize)]
struct Document<'a> {
    healthy: bool,
    checks: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    check: &'a str,
    state: &'a str,
    says: &'a str,
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    advice: Option<&'a str>,
}

impl<'a> Told<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            check: finding.check,
            state: finding.standing.as_str(),
            says: &finding.says,
            advice: finding.advice.as_deref(),
        }
    }
}

fn print(findings: &[Finding], healthy: bool, output: &Output) {
    output.print(&Document { healthy, checks: findings.iter().map(Told::of).collect() }, || {
        let rows = findings.iter().flat_map(|finding| {
            let standing = match finding.standing {
                Standing::Problem => "PROBLEM",
                other => other.as_str(),
            };
            let row = [finding.check.to_owned(), standing.to_owned(), finding.says.clone()];
            let advice =
                finding.advice.as_ref().map(|advice| [String::new(), String::new(), format!("-> {advice}")]);
            [Some(row), advice].into_iter().flatten()
        });
        table(["CHECK", "STATE", "WHAT WAS FOUND"], rows)
    });
}

fn examine(command: &Command, settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![variables(), public_url(settings), listen(settings), tls(settings)];
    findings.extend(files(settings));
    findings.push(mail(settings, command.deep));
    let database = Database::new(settings.database.clone(), 1, None);
    // What was looked at alone while nobody had it open counts only if nobody opened it meanwhile.
    let was_open = database.has_log();
    let mut found = inside(command, settings, &database);
    if !was_open && database.has_log() {
        found = inside(command, settings, &database);
    }
    findings.extend(found);
    findings
}

fn variables() -> Finding {
    let unknown = Settings::unknown_variables();
    if unknown.is_empty() {
        return Finding::ok("settings", "all are understood");
    }
    let says = format!("these variables are no settings: {}", unknown.join(", "));
    Finding::note("settings", says, "remove them, unless a container platform sets them by itself")
}

/// Whether a browser on the same machine is the only one that could mean this host.
fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The URL that others know this server by.
fn public_url(settings: &Settings) -> Finding {
    let check = "public_url";
    let shown = &settings.public_url;
    let Ok(url) = url::Url::parse(shown) else {
        return Finding::problem(check, format!("{shown} is not a URL"), "set public_url");
    };
    let is_public = settings.behind_proxy || !settings.listen.ip().is_loopback();
    if is_loopback(&url) && is_public {
        let says = format!(
            "others shall reach this server, but its URL is {shown}, which is in every token, link and QR code"
        );
        return Finding::problem(check, says, "set public_url to what browsers and applications call it");
    }
    if is_loopback(&url) {
        return Finding::ok(check, format!("{shown}: for this machine alone"));
    }
    if url.scheme() != "https" {
        let says =
            format!("{shown} is not https: browsers and phones would send passwords and codes in the clear");
        return Finding::problem(
            check,
            says,
            "serve it by TLS, here or by a proxy, and set public_url to https://...",
        );
    }
    if url.path() != "/" {
        let says = format!(
            "{shown} has a path: the console, logins in the browser and invitations lead to the root of the host and miss it"
        );
        return Finding::note(check, says, "give the server a host name of its own");
    }
    Finding::ok(check, shown.clone())
}

/// Whether where it listens, how, and what others call it go together.
fn listen(settings: &Settings) -> Finding {
    let check = "listen";
    let at = settings.listen;
    let is_https = settings.public_url.starts_with("https://");
    match (&settings.tls, settings.behind_proxy) {
        (Tls::Off, false) if is_https => Finding::problem(
            check,
            format!(
                "public_url is https, but {at} speaks plain HTTP and behind_proxy is not set: all callers count as one address"
            ),
            "set behind_proxy if a proxy does TLS, else tls_cert and tls_key",
        ),
        (Tls::Off, true) => {
            Finding::ok(check, format!("plain HTTP on {at}, behind a proxy; nobody may reach it past that"))
        }
        (Tls::Off, false) => Finding::ok(check, format!("plain HTTP on {at}, for this machine alone")),
        (_, false) if !is_https => Finding::problem(
            check,
            format!("TLS is spoken on {at}, but public_url is http"),
            "set public_url to https://...",
        ),
        (_, proxied) => {
            let via = if proxied { ", behind a proxy" } else { "" };
            Finding::ok(check, format!("TLS on {at}{via}"))
        }
    }
}

/// The certificate and its key.
fn tls(settings: &Settings) -> Finding {
    let check = "tls";
    let cert = match &settings.tls {
        Tls::Off => return Finding::ok(check, "not done here"),
        Tls::SelfSigned => {
            let says = "a self-signed certificate is made at every start, which nobody trusts";
            return Finding::note(check, says, "for anything but trying out set tls_cert and tls_key");
        }
        Tls::Files { cert, .. } => cert,
    };
    if let Err(error) = http::tls_config(&settings.tls, &settings.public_url) {
        let advice = "tls_cert is a PEM file with the certificate and its chain, tls_key one with the private key of that certificate";
        return Finding::problem(check, error.to_string(), advice);
    }
    let certificate = match http::certificate(cert, &settings.public_url) {
        Ok(certificate) => certificate,
        Err(error) => return Finding::problem(check, error.to_string(), "name another certificate"),
    };
    let now = Clock::System.now();
    let days = (certificate.ends_at.millis() - now.millis()).div_euclid(86_400_000);
    let advice = "renew it, then restart the server: certificates are read at the start";
    let shown = cert.display();
    if certificate.ends_at <= now {
        return Finding::problem(
            check,
            format!("the certificate in {shown} has expired on {}", certificate.ends_at),
            advice,
        );
    }
    if certificate.begins_at > now {
        let says = format!("the certificate in {shown} is good only from {} on", certificate.begins_at);
        return Finding::problem(check, says, "see that this machine's clock is right");
    }
    if !certificate.names_issuer {
        let says =
            format!("the certificate in {shown} is not for the host of public_url, {}", settings.public_url);
        return Finding::problem(
            check,
            says,
            "get one for that name, or set public_url to a name that it has",
        );
    }
    let says = format!("certificate and key go together, for another {days} days");
    if days < RENEW_DAYS { Finding::note(check, says, advice) } else { Finding::ok(check, says) }
}

/// The folder of a file, if it is not the data folder.
fn elsewhere<'a>(file: &'a Path, data: &Path) -> Option<&'a Path> {
    let named =
        file.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    named.filter(|folder| folder.canonicalize().ok() != data.canonicalize().ok())
}

fn files(settings: &Settings) -> Vec<Finding> {
    use doctor::files::{database, disk, folder, private};
    let data = settings.data.as_path();
    let key_lost = "put it back from where you keep its copy; only for a new database is one made (see OPERATING, \"The master key\")";
    let key_file = settings.master_key_file.as_path();
    let is_new = matches!(&settings.database, Target::Sqlite(path) if path.metadata().is_ok_and(|file| file.len() == 0));
    let mut findings = vec![if is_new && !key_file.exists() {
        let says = format!("{} is not there yet", key_file.display());
        Finding::note("master_key_file", says, "the first start makes it")
    } else {
        private("master_key_file", key_file, data, key_lost)
    }];
    findings.extend(elsewhere(key_file, data).map(|path| folder("master_key_folder", path, false)));
    if let Some(file) = settings.file_with_password() {
        findings.push(private("settings_file", &file, data, "put it back"));
    }
    if let Target::Sqlite(path) = &settings.database {
        findings.extend([folder("data_folder", data, true), database(path, data), disk(path)]);
        findings.extend(elsewhere(path, data).map(|path| folder("database_folder", path, false)));
    }
    if let Tls::Files { key, .. } = &settings.tls {
        findings.push(private("tls_key_file", key, data, "see tls_key"));
    }
    if let Some(file) = &settings.metrics_token_file {
        findings.push(match settings.metrics_token() {
            Ok(_) => private("metrics_token_file", file, data, "make one"),
            Err(invalid) => Finding::problem(
                "metrics_token_file",
                invalid.to_string(),
                "the server does not start: make one",
            ),
        });
    }
    findings
}

/// The way out for mails.
fn mail(settings: &Settings, deep: bool) -> Finding {
    let check = "mail";
    let transport = match mailer::transport(settings) {
        Ok(Some(transport)) => transport.with_timeout(MAIL_PATIENCE),
        Ok(None) => {
            let says = "no mail server is set: mails wait, and nobody hears what happens to an account";
            return Finding::note(check, says, "set smtp_url and mail_from");
        }
        Err(invalid) => return Finding::problem(check, invalid.to_string(), "mend the setting"),
    };
    if !deep {
        return Finding::ok(check, "a mail server is set; --deep says hello to it");
    }
    match transport.greet() {
        Ok(()) => Finding::ok(check, "the mail server has answered, by TLS and with the password as set"),
        Err(refused) => Finding::problem(
            check,
            format!("the mail server cannot be used: {refused}"),
            "see smtp_url; mails wait meanwhile and are sent when it can",
        ),
    }
}

/// The database, as far as it lets us look.
fn inside(command: &Command, settings: &Settings, database: &Database) -> Vec<Finding> {
    let clock = Clock::System;
    let mut reached = doctor::reach(database);
    let (hides_key, hides_tables) = (reached.hides_key, reached.hides_tables);
    let mut findings = std::mem::take(&mut reached.findings);
    let mut skip = |checks: &[&'static str], why: &str| {
        findings.extend(checks.iter().map(|check| Finding::skipped(check, why)));
    };
    let Some(conn) = &mut reached.conn else {
        let why = hides_tables.unwrap_or_default();
        skip(&["master_key"], why);
        skip(&OF_KEY, why);
        skip(&OF_TABLES, why);
        return findings;
    };
    let master = if let Some(why) = hides_key {
        skip(&["master_key"], why);
        None
    } else {
        let (finding, master) = master_key(conn, settings);
        findings.push(finding);
        master
    };
    match (hides_tables, master) {
        (Some(why), _) => {
            let skipped = OF_KEY.iter().chain(&OF_TABLES);
            findings.extend(skipped.map(|check| Finding::skipped(check, why)));
        }
        (None, None) => {
            let why = "there is no master key that opens it";
            findings.extend(OF_KEY.iter().map(|check| Finding::skipped(check, why)));
            findings.extend(doctor::look_at_tables(conn, clock.now(), settings.smtp_url.is_some()));
        }
        (None, Some(master)) => {
            let service = service(settings, &master);
            let now = clock.now();
            findings.extend(doctor::look_at_secrets(&service, conn, now, command.deep));
            findings.extend(doctor::look_at_tables(conn, now, settings.smtp_url.is_some()));
            if command.deep {
                findings.push(audit_chain(&service, conn));
            }
        }
    }
    let opens = opened_by_server(&settings.database);
    findings.extend(doctor::promises(&mut reached, database, opens, &clock, command.deep));
    findings
}

fn audit_chain(service: &Service, conn: &mut Conn) -> Finding {
    let check = "audit_chain";
    match app::audit::verify(service, conn) {
        Ok(Proof::Intact { first, last }) => {
            Finding::ok(check, format!("all {} entries stand as they were written", last - first + 1))
        }
        Ok(Proof::BrokenAt(entry)) => Finding::problem(
            check,
            format!("entry {entry} was altered, moved or taken out"),
            "somebody has written to the database: find out who could, and hold the log against an export (`audit verify --against`)",
        ),
        Err(Stop::Broken(fault)) => doctor::unseen(check, &fault),
        Err(Stop::Refused(refusal)) => Finding::skipped(check, &refusal.to_string()),
    }
}

fn master_key(conn: &mut Conn, settings: &Settings) -> (Finding, Option<MasterKey>) {
    let check = "master_key";
    let file = &settings.master_key_file;
    let error = match app::start::read(conn, file) {
        Ok(Some(master)) => {
            let says = format!("{} opens this database", master.id());
            return (Finding::ok(check, says), Some(master));
        }
        // Whoever starts first binds it: would that do?
        Ok(None) => match app::start::check(conn, &settings.database, file) {
            Ok(()) => {
                let says = "this database is bound to no master key yet";
                return (Finding::note(check, says, "the first start binds it"), None);
            }
            Err(error) => error,
        },
        Err(error) => error,
    };
    let advice = match &error {
        StartError::Broken(_) => "see what the database's own log says",
        StartError::KeyNeeded(_) => {
            "`countersign master-key new FILE`, and give the file to every server of this database"
        }
        _ => "put the right master key in its place, from where you keep its copy",
    };
    (Finding::problem(check, error.to_string(), advice), None)
}
