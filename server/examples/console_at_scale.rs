//! How long the console's user pages take with many users: `cargo run --release --example console_at_scale -- [USERS]`.
//!
//! Seeds a temporary SQLite database by SQL in one transaction (a million users when not told otherwise, half of them with an
//! authenticator, each with one live session and one entry in the audit log), serves it on loopback in this process, and prints time and
//! size of each page, the best and the worst of ten.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measurement: it fails by panicking and looks at the clock"
)]

use std::net::TcpListener;
use std::time::{Duration, Instant};

use countersign::app;
use countersign::app::context::{At, Service};
use countersign::app::factor::NewFactor;
use countersign::app::user::NewUser;
use countersign::clock::Clock;
use countersign::crypto::master_key::MasterKey;
use countersign::db::Database;
use countersign::domain::audit::Origin;
use countersign::domain::factor::FactorState;
use countersign::domain::password::Password;
use countersign::domain::target::Target;
use countersign::domain::user::{Role, UserName};
use countersign::http::{self, Limits, State};
use diesel::connection::SimpleConnection;
use mobile_core::{Kind, Totp};

const PASSWORD: &str = "correct horse battery";

fn main() {
    let users: u32 = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let target = Target::Sqlite(folder.path().join("countersign.db"));
    let master_file = folder.path().join("master.key");
    MasterKey::generate().write_new(&master_file).unwrap();
    let database = Database::new(target.clone(), 4, Some(Duration::from_mins(1)));
    database.prepare().unwrap();
    let mut conn = database.connection().unwrap();
    let clock = Clock::System;
    let now = clock.now();
    let at = At::new(now, Origin::COMMAND_LINE);
    let master = app::start::unlock(&mut conn, &target, &master_file, now).unwrap();
    let service = Service::new(&master, "http://localhost".to_owned(), "Countersign".to_owned(), None);
    app::key::ensure(&service, &mut conn, at).unwrap();

    let began = Instant::now();
    conn.batch_execute(&format!(
        "BEGIN;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users})
         INSERT INTO \"user\" (id, name, name_folded, email, email_folded, role, state, created_at)
         SELECT unhex(printf('0000000000007000a000%012x', i)), printf('user%07d', i), printf('user%07d', i),
                printf('mail%07d@example.org', i), printf('mail%07d@example.org', i),
                CASE WHEN i % 10000 = 0 THEN 'helpdesk' ELSE 'user' END,
                CASE WHEN i % 5000 = 0 THEN 'locked' ELSE 'active' END, 0 FROM n;
         INSERT INTO factor (id, user_id, kind, label, algorithm, digits, period_s, state, created_at, confirmed_at)
         SELECT id, id, 'totp', 'TOTP', 'SHA1', 6, 30, 'active', 0, 0 FROM \"user\" WHERE rowid % 2 = 0;
         INSERT INTO factor_step (factor_id, last_step) SELECT id, 0 FROM factor;
         INSERT INTO session (id, user_id, client_id, amr, started_at, used_at, ends_at, limit_at, segment)
         SELECT id, id, (SELECT id FROM client), 'otp', {now}, {now}, {later}, {later}, rowid / 1024 FROM \"user\";
         INSERT INTO audit (seq, at, actor, action, subject, outcome, hash)
         SELECT (SELECT seq FROM audit_head) + rowid, {now}, 'operator', 'user.added',
                'user:00000000-0000-7000-a000-' || printf('%012x', rowid), 'done', zeroblob(32) FROM \"user\";
         UPDATE audit_head SET seq = (SELECT max(seq) FROM audit);
         COMMIT;",
        now = now.millis(),
        later = now.plus_seconds(86_400).millis(),
    ))
    .unwrap();
    println!("{users} users seeded in {:.1} s", began.elapsed().as_secs_f64());

    let name = UserName::parse("ada").unwrap();
    let password = Some(Password::chosen(PASSWORD).unwrap());
    let new = NewUser { name: name.clone(), email: None, role: Role::Admin, password };
    app::user::add(&service, &mut conn, at, new).unwrap();
    let new = NewFactor { state: FactorState::Active, ..NewFactor::default() };
    let enrolled = app::factor::enrol(&service, &mut conn, at, &name, new).unwrap();
    drop(conn);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let state = State::new(service, database, clock.clone(), false, Limits::default());
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            http::start(state, listener, None, 1).unwrap().await.unwrap();
        });
    });

    let browser = Browser { url, agent: agent(), cookies: Vec::new() };
    let Kind::Totp { period } = enrolled.uri.kind() else { unreachable!("the default is TOTP") };
    let totp = Totp { algorithm: enrolled.uri.algorithm(), digits: enrolled.uri.digits(), period };
    let code = totp.code(enrolled.uri.secret(), totp.step_at(clock.now().unix_seconds()));
    let browser = browser.log_in(code.as_str());
    for path in [
        "/console/users",
        "/console/users?after=nuser0900000",
        "/console/users?q=user05",
        "/console/users?q=mail0999999%40",
        "/console/users?q=nobody",
        "/console/users?role=helpdesk",
        "/console/users?state=locked&role=user",
        "/console/users?enrolment=none",
        "/console/users?enrolment=pending",
        "/console/users/00000000-0000-7000-a000-00000000002a",
        "/console/approvals",
        "/console/overview",
        "/console/audit",
        "/console/account",
        "/console/account/activity",
        "/console/account/sessions",
    ] {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..10 {
            let began = Instant::now();
            bytes = browser.get(path).1.len();
            times.push(began.elapsed().as_secs_f64() * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        println!("{:7.1} to {:7.1} ms  {bytes:7} bytes  {path}", times[0], times[9]);
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    config.timeout_global(Some(Duration::from_mins(1))).build().new_agent()
}

/// Keeps cookies.
struct Browser {
    url: String,
    agent: ureq::Agent,
    cookies: Vec<(String, String)>,
}

impl Browser {
    fn log_in(mut self, code: &str) -> Self {
        let (_, page) = self.visit("/login", None);
        let mark = mark_of(&page);
        self.visit(
            "/login",
            Some(format!("mark={mark}&username=ada&password={}", PASSWORD.replace(' ', "+"))),
        );
        let (_, page) = self.visit("/login/code", None);
        let (status, page) = self.visit("/login/code", Some(format!("mark={}&otp={code}", mark_of(&page))));
        assert_eq!(status, 303, "{page}");
        self
    }

    fn get(&self, path: &str) -> (u16, String) {
        let request = self.agent.get(format!("{}{path}", self.url)).header("cookie", self.cookie());
        let mut response = request.call().unwrap();
        assert_eq!(response.status(), 200, "{path}");
        (200, response.body_mut().read_to_string().unwrap())
    }

    fn cookie(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn visit(&mut self, path: &str, form: Option<String>) -> (u16, String) {
        let url = format!("{}{path}", self.url);
        let response = match form {
            None => self.agent.get(url).header("cookie", self.cookie()).call(),
            Some(form) => self
                .agent
                .post(url)
                .header("cookie", self.cookie())
                .header("content-type", "application/x-www-form-urlencoded")
                .send(form),
        };
        let mut response = response.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }
}

fn mark_of(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"mark\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}
