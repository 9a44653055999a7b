//! How fast Countersign is, against what the machine can do at all: `cargo xtask bench`.
//!
//! 1. [`limits`]: replies that do nothing, commits, and calculations on one core.
//! 2. [`site`]: the program itself on SQLite and on PostgreSQL, with people whose phones this process is.
//! 3. [`load`]: callers on loopback, closed loop and open loop.
//! 4. [`report`]: tables, and pictures where they are wanted.
//!
//! Callers and server share the machine's cores, so trust the ratios and the processor time a request, not the rates.

#![allow(clippy::disallowed_methods, reason = "a benchmark looks at the clock; the server may not")]

mod limits;
mod load;
mod report;
mod site;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use countersign_verify::{Check, Verifier};
use serde_json::Value;

use load::{Pace, Run, Source, form, request};
use report::{Bar, Table, figure, share};
use site::{Cluster, Kind, Phones, Server, Site, cpu_seconds};

const USAGE: &str = "usage: bench --binary COUNTERSIGN [--seconds S] [--enrolments N[,N...]] [--only PART[,PART...]] [--write FOLDER]
parts: limits, sqlite, postgres, scale; the first number of enrolments is that of sqlite and postgres, all others are for scale";

const OTP: &str = "urn:countersign:params:oauth:grant-type:otp";

/// Connections of most runs.
const CALLERS: usize = 64;

type Tried<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = if words == ["echo"] { limits::serve_echo() } else { run(&words) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    binary: PathBuf,
    span: Duration,
    people: Vec<u32>,
    only: Vec<String>,
    write: Option<PathBuf>,
    /// As they were given, for the report.
    words: String,
}

impl Options {
    fn read(words: &[String]) -> Tried<Self> {
        let (mut binary, mut seconds, mut people) = (None, 3, vec![200_000]);
        let (mut only, mut write, mut shown) = (Vec::new(), None, Vec::new());
        for pair in words.chunks(2) {
            let [word, value] = pair else { return Err(USAGE.into()) };
            let list = || value.split(',').map(str::to_owned).collect::<Vec<String>>();
            match word.as_str() {
                "--binary" => binary = Some(PathBuf::from(value)),
                "--seconds" => seconds = value.parse()?,
                "--enrolments" => people = list().iter().map(|one| one.parse()).collect::<Result<_, _>>()?,
                "--only" => only = list(),
                "--write" => write = Some(PathBuf::from(value)),
                _ => return Err(USAGE.into()),
            }
            if word != "--binary" {
                shown.push(format!("{word} {value}"));
            }
        }
        let known = ["limits", "sqlite", "postgres", "scale"];
        if people.is_empty() || only.iter().any(|part| !known.contains(&part.as_str())) {
            return Err(USAGE.into());
        }
        let (binary, span) = (binary.ok_or(USAGE)?, Duration::from_secs(seconds));
        Ok(Self { binary, span, people, only, write, words: shown.join(" ") })
    }

    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one == part)
    }
}

/// What all parts add to.
#[derive(Default)]
struct Results {
    tables: Vec<Table>,
    rates: Vec<Bar>,
    costs: Vec<Bar>,
    echo: f64,
}

fn run(words: &[String]) -> Tried<()> {
    let options = Options::read(words)?;
    let mut results = Results::default();
    // Always: the other parts are compared with it.
    measure_echo(&options, &mut results)?;
    let cluster = if options.wants("postgres") || options.wants("limits") || options.wants("scale") {
        Some(Cluster::start()?)
    } else {
        None
    };
    if options.wants("limits") {
        measure_limits(&options, cluster.as_ref(), &mut results)?;
    }
    if options.wants("sqlite") {
        measure(&options, None, &mut results)?;
    }
    if let (true, Some(cluster)) = (options.wants("postgres"), &cluster) {
        measure(&options, Some(cluster), &mut results)?;
    }
    if let (true, Some(cluster)) = (options.wants("scale"), &cluster) {
        measure_scale(&options, cluster, &mut results)?;
    }
    let machine = report::machine(&options.words);
    println!("{machine}");
    for table in &results.tables {
        print!("{}", table.markdown());
    }
    if let Some(folder) = &options.write {
        let pictures = [
            ("rates.svg", report::bars("Requests a second", "64 connections unless said", &results.rates)),
            (
                "costs.svg",
                report::bars("Processor time a request", "µs, server and database", &results.costs),
            ),
        ];
        report::write(folder, &machine, &results.tables, &pictures)?;
    }
    Ok(())
}

fn measure_echo(options: &Options, results: &mut Results) -> Tried<()> {
    let (process, url) = limits::echo()?;
    let address = [url.strip_prefix("http://").ok_or("not HTTP")?.parse()?];
    let body =
        form("/oauth/token", &[("grant_type", OTP), ("username", "person00000000"), ("otp", "000000")]);
    let before = cpu_seconds(&[process.id()]);
    let source: Source<'_> = Box::new(|| Some(body.clone()));
    let run = load::run(&address, CALLERS, options.span, Pace::Closed, 0, source)?;
    let cost = cost_us(&run, cpu_seconds(&[process.id()]) - before);
    results.echo = run.rate(200);
    results.rates.push(Bar {
        label: "replies that do nothing".to_owned(),
        value: results.echo,
        is_limit: true,
    });
    results.costs.push(Bar { label: "replies that do nothing".to_owned(), value: cost, is_limit: true });
    let mut table = Table::new("The limit: replies that do nothing", &["what", "a second", "CPU µs each"]);
    table.row(vec![format!("the same framework, {CALLERS} connections"), figure(results.echo), figure(cost)]);
    results.tables.push(table);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
fn cost_us(run: &Run, seconds: f64) -> f64 {
    seconds * 1e6 / run.total().max(1) as f64
}

fn measure_limits(options: &Options, cluster: Option<&Cluster>, results: &mut Results) -> Tried<()> {
    let mut table = Table::new("The limit: durable commits", &["what", "commits a second", "rows a second"]);
    let mut add = |name: &str, commits: Vec<(u32, f64)>| {
        for (rows, rate) in commits {
            table.row(vec![
                format!("{name}, {rows} rows each"),
                figure(rate),
                figure(rate * f64::from(rows)),
            ]);
        }
    };
    add("SQLite", limits::commits_of_sqlite(options.span)?);
    if let Some(cluster) = cluster {
        add("PostgreSQL", limits::commits_of_postgres(cluster, options.span)?);
    }
    results.tables.push(table);
    let mut table = Table::new("The limit: calculations on one core", &["what", "a second", "µs each"]);
    for (what, rate) in limits::calculations(options.span)? {
        table.row(vec![what.to_owned(), figure(rate), figure(1e6 / rate)]);
    }
    results.tables.push(table);
    Ok(())
}

/// One site with its servers, and the table that its runs go into.
struct Bench<'a> {
    options: &'a Options,
    site: &'a Site,
    servers: Vec<Server>,
    table: Table,
    results: &'a mut Results,
}

const HEADS: &[&str] = &[
    "what",
    "a second",
    "of the echo",
    "CPU µs each",
    "median ms",
    "99 % within ms",
    "99.9 % within ms",
    "others",
];

impl Bench<'_> {
    /// One run; its row; the bodies of its first good replies.
    fn run(
        &mut self,
        what: &str,
        callers: usize,
        pace: Pace,
        keep: usize,
        good: u16,
        source: Source<'_>,
    ) -> Tried<Run> {
        let addresses: Vec<_> = self.servers.iter().map(|server| server.address).collect();
        let mut processes: Vec<u32> = self.servers.iter().map(Server::id).collect();
        processes.extend(self.site.cluster);
        let before = cpu_seconds(&processes);
        let run = load::run(&addresses, callers, self.options.span, pace, keep, source)?;
        let cost = cost_us(&run, cpu_seconds(&processes) - before);
        let others: Vec<String> = run
            .statuses
            .iter()
            .filter(|(status, _)| **status != good)
            .map(|(status, count)| format!("{count} × {status}"))
            .collect();
        if run.ran_dry {
            return Err(format!("{what}: everybody's codes were used up; give more --enrolments").into());
        }
        let rate = run.rate(good);
        let times = |share: f64| {
            if good == 200 || good == 201 { figure(run.percentile_ms(share)) } else { "–".to_owned() }
        };
        self.table.row(vec![
            what.to_owned(),
            figure(rate),
            share(rate, self.results.echo),
            figure(cost),
            times(0.5),
            times(0.99),
            times(0.999),
            others.join(", "),
        ]);
        if matches!(pace, Pace::Closed) {
            let label = format!("{}: {what}", self.site.kind.name());
            self.results.rates.push(Bar { label: label.clone(), value: rate, is_limit: false });
            self.results.costs.push(Bar { label, value: cost, is_limit: false });
        }
        Ok(run)
    }

    fn codes(
        &mut self,
        what: &str,
        callers: usize,
        pace: Pace,
        client: &(String, String),
        phones: &mut Phones,
    ) -> Tried<Run> {
        let source: Source<'_> =
            Box::new(|| phones.code().map(|(name, code)| exchange(client, &name, &code)));
        self.run(what, callers, pace, 20_000, 200, source)
    }
}

fn exchange((id, secret): &(String, String), name: &str, code: &str) -> Vec<u8> {
    let fields = [
        ("grant_type", OTP),
        ("username", name),
        ("otp", code),
        ("client_id", id),
        ("client_secret", secret),
    ];
    form("/oauth/token", &fields)
}

fn token(body: &[u8]) -> Tried<String> {
    let reply: Value = serde_json::from_slice(body)?;
    Ok(reply["access_token"].as_str().ok_or("no token")?.to_owned())
}

/// Everything on one database.
fn measure(options: &Options, cluster: Option<&Cluster>, results: &mut Results) -> Tried<()> {
    let people = options.people[0];
    let site = Site::new(&options.binary, cluster, "bench", people)?;
    let server = site.serve()?;
    let (idle, started_in) = (server.memory_mib()?, server.started_in);
    let client = site.client("shop", &["--grant", OTP])?;
    let opaque = site.client("opaque", &["--grant", OTP, "--token-format", "opaque"])?;
    let admin = ["--grant", "client_credentials", "--scope", "users"];
    let admin = site.client("admin", &admin)?;
    let title = format!("{}, {} enrolments, durable commits", site.kind.name(), figure(f64::from(people)));
    let mut bench =
        Bench { options, site: &site, servers: vec![server], table: Table::new(title, HEADS), results };
    let mut phones = Phones::of(&site);
    let (before, mut logins) = (site.bytes()?, 0);

    let alone = bench.codes("code to token, 1 connection", 1, Pace::Closed, &client, &mut phones)?;
    let run = bench.codes("code to token, 64 connections", CALLERS, Pace::Closed, &client, &mut phones)?;
    let many = bench.codes("code to token, 256 connections", 256, Pace::Closed, &client, &mut phones)?;
    let best = many.rate(200).max(run.rate(200));
    logins += alone.count(200) + run.count(200) + many.count(200);
    for part in [0.5, 0.8, 2.0] {
        let what = format!("code to token, open loop, {:.0} % of the best", part * 100.0);
        logins += bench.codes(&what, 256, Pace::Open(best * part), &client, &mut phones)?.count(200);
    }
    let loaded = bench.servers[0].memory_mib()?;
    let bytes_a_login = (site.bytes()? - before) / logins.max(1);
    let wrong: Source<'_> = Box::new(|| {
        let (name, code) = phones.wrong();
        Some(exchange(&client, &name, code))
    });
    bench.run("wrong code", CALLERS, Pace::Closed, 0, 400, wrong)?;

    let tokens: Vec<String> = run.bodies.iter().map(|body| token(body)).collect::<Tried<_>>()?;
    let jwt = tokens.last().ok_or("no token")?.clone();
    let (name, code) = phones.code().ok_or("everybody's codes are used up")?;
    let own = token_for(&bench.servers[0], exchange(&opaque, &name, &code))?;
    for (what, client, token) in
        [("introspection of a JWT", &client, &jwt), ("introspection of an opaque token", &opaque, &own)]
    {
        let fields = [
            ("token", token.as_str()),
            ("client_id", client.0.as_str()),
            ("client_secret", client.1.as_str()),
        ];
        let body = form("/oauth/introspect", &fields);
        bench.run(what, CALLERS, Pace::Closed, 0, 200, Box::new(|| Some(body.clone())))?;
    }
    verify_offline(&mut bench, &jwt)?;
    let mut each = tokens.iter().cycle();
    let revoke: Source<'_> = Box::new(|| {
        let token = each.next()?;
        Some(form(
            "/oauth/revoke",
            &[("token", token), ("client_id", &client.0), ("client_secret", &client.1)],
        ))
    });
    bench.run("revocation", CALLERS, Pace::Closed, 0, 200, revoke)?;
    manage(&mut bench, &admin)?;

    let Bench { table, servers, .. } = bench;
    results.tables.push(table);
    let mut table = Table::new(format!("{}: memory, disk and start", site.kind.name()), &["what", "value"]);
    table.row(vec!["memory of the server, idle".to_owned(), format!("{idle} MiB")]);
    table.row(vec!["memory of the server, after twice what it can do".to_owned(), format!("{loaded} MiB")]);
    table.row(vec!["on the disk, a login".to_owned(), format!("{bytes_a_login} bytes")]);
    table.row(vec!["from start to `listening on`".to_owned(), format!("{} ms", started_in.as_millis())]);
    results.tables.push(table);

    if site.kind == Kind::Postgres {
        let title = "PostgreSQL: one and two servers on one database".to_owned();
        let mut bench = Bench { options, site: &site, servers, table: Table::new(title, HEADS), results };
        bench.codes("code to token, 1 server", 128, Pace::Closed, &client, &mut phones)?;
        bench.servers.push(site.serve()?);
        bench.codes("code to token, 2 servers", 128, Pace::Closed, &client, &mut phones)?;
        let table = bench.table;
        results.tables.push(table);
        compare_with_one_statement(options, &site, &client, best, results)?;
    }
    Ok(())
}

/// The best rate of codes beside that of PostgreSQL's own benchmark, which writes the same, each login for itself. Last: it spoils the audit log.
fn compare_with_one_statement(
    options: &Options,
    site: &Site,
    (client, _): &(String, String),
    best: f64,
    results: &mut Results,
) -> Tried<()> {
    let title = "PostgreSQL: a login as one statement, by pgbench";
    let mut table = Table::new(title, &["what", "a second", "code to token at its best, of that"]);
    for (connections, rate) in limits::one_statement(site, client, options.span)? {
        let what = format!("{connections} at a time");
        table.row(vec![what, figure(rate), share(best, rate)]);
        let label = format!("PostgreSQL: one statement, {connections} at a time");
        results.rates.push(Bar { label, value: rate, is_limit: true });
    }
    results.tables.push(table);
    Ok(())
}

/// The token that one request is answered with.
fn token_for(server: &Server, request: Vec<u8>) -> Tried<String> {
    let mut once = Some(request);
    let source: Source<'_> = Box::new(move || once.take());
    let run = load::run(&[server.address], 1, Duration::from_secs(5), Pace::Closed, 1, source)?;
    token(run.bodies.first().ok_or("no token was answered")?)
}

/// The head of an administrating program's requests.
fn bearer(server: &Server, (id, secret): &(String, String)) -> Tried<String> {
    let fields = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    Ok(format!("authorization: Bearer {}\r\n", token_for(server, form("/oauth/token", &fields))?))
}

/// Offline verification, which no server takes part in.
fn verify_offline(bench: &mut Bench<'_>, jwt: &str) -> Tried<()> {
    let url = bench.servers[0].url.as_str();
    let verifier = Verifier::builder(url).audience(url).build()?;
    let check = Check::new();
    let rate = limits::one_core(bench.options.span, || {
        verifier.verify(jwt, &check)?;
        Ok(())
    })?;
    let none = || "–".to_owned();
    let what = "offline verification, revocations included, one core".to_owned();
    bench.table.row(vec![
        what,
        figure(rate),
        none(),
        figure(1e6 / rate),
        none(),
        none(),
        none(),
        String::new(),
    ]);
    Ok(())
}

/// What administrators and their programs ask for.
fn manage(bench: &mut Bench<'_>, admin: &(String, String)) -> Tried<()> {
    let bearer = bearer(&bench.servers[0], admin)?;
    let mut number = bench.site.people;
    let source: Source<'_> = Box::new(|| {
        number = number.checked_sub(1)?;
        let path = format!("/v1/users/person{number:08}/factors");
        Some(request("POST", &path, &bearer, "application/json", r#"{"kind":"totp"}"#))
    });
    bench.run("enrolment", CALLERS, Pace::Closed, 0, 201, source)?;
    let page = request("GET", "/v1/users?limit=50", &bearer, "application/json", "");
    bench.run("a page of 50 users", CALLERS, Pace::Closed, 0, 200, Box::new(|| Some(page.clone())))?;
    Ok(())
}

/// The same code to token with more and more people.
fn measure_scale(options: &Options, cluster: &Cluster, results: &mut Results) -> Tried<()> {
    let heads = [
        "enrolments",
        "code to token a second",
        "CPU µs each",
        "99 % within ms",
        "a page of 50 users, ms",
        "start, ms",
        "on the disk, bytes each",
        "added a second",
    ];
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let mut table = Table::new(format!("{}: with more people", kind.name()), &heads);
        for people in &options.people {
            let cluster = (kind == Kind::Postgres).then_some(cluster);
            let site = Site::new(&options.binary, cluster, &format!("scale_{people}"), *people)?;
            let row = measure_size(options, &site, results)?;
            table.row(row);
        }
        results.tables.push(table);
    }
    Ok(())
}

fn measure_size(options: &Options, site: &Site, results: &mut Results) -> Tried<Vec<String>> {
    let bytes = site.bytes()?;
    let server = site.serve()?;
    let started_in = server.started_in;
    let client = site.client("shop", &["--grant", OTP])?;
    let admin = site.client("admin", &["--grant", "client_credentials", "--scope", "users"])?;
    let mut phones = Phones::of(site);
    let mut processes = vec![server.id()];
    processes.extend(site.cluster);
    let before = cpu_seconds(&processes);
    let mut source = || phones.code().map(|(name, code)| exchange(&client, &name, &code));
    let run = load::run(&[server.address], CALLERS, options.span, Pace::Closed, 0, Box::new(&mut source))?;
    let cost = cost_us(&run, cpu_seconds(&processes) - before);
    let bearer = bearer(&server, &admin)?;
    let page = request("GET", "/v1/users?limit=50", &bearer, "application/json", "");
    let pages = load::run(
        &[server.address],
        1,
        Duration::from_secs(1),
        Pace::Closed,
        0,
        Box::new(|| Some(page.clone())),
    )?;
    let label = format!("{}: code to token, {} people", site.kind.name(), figure(f64::from(site.people)));
    results.rates.push(Bar { label, value: run.rate(200), is_limit: false });
    #[expect(clippy::cast_precision_loss, reason = "bytes of a benchmark")]
    let each = bytes as f64 / f64::from(site.people);
    Ok(vec![
        figure(f64::from(site.people)),
        figure(run.rate(200)),
        figure(cost),
        figure(run.percentile_ms(0.99)),
        figure(pages.percentile_ms(0.5)),
        started_in.as_millis().to_string(),
        figure(each),
        figure(f64::from(site.people) / site.filled_in.as_secs_f64()),
    ])
}
