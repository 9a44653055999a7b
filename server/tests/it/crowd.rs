//! Many people with phones who log in at once, against real processes: for tests of what load and faults do together.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use countersign::app;
use countersign::app::context::{At, Service};
use countersign::app::factor::NewFactor;
use countersign::app::user::NewUser;
use countersign::clock::Clock;
use countersign::db::Database;
use countersign::domain::audit::Origin;
use countersign::domain::factor::FactorState;
use countersign::domain::target::Target;
use countersign::domain::user::{Role, UserName};
use mobile_core::KeyUri;
use serde_json::Value;

use crate::process::{Caller, Installation, Process, code_of, shop};

/// How many callers there are at once.
pub const CALLERS: usize = 8;

/// How long a caller tries again what was answered 503.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many people take part: few in the everyday run. `COUNTERSIGN_TEST_PEOPLE` makes it more, for a run that takes its time; each has two codes.
pub fn people() -> usize {
    std::env::var("COUNTERSIGN_TEST_PEOPLE").ok().map_or(300, |text| text.parse().unwrap())
}

/// The people, and an application that they log in to.
pub struct Crowd {
    pub client: Value,
    phones: Vec<(String, KeyUri)>,
}

/// A code that somebody sent, and what came of it.
#[derive(Debug)]
pub struct Sent {
    pub user: String,
    pub code: String,
    /// The last status; none where no reply came.
    pub status: Option<u16>,
    /// What it was exchanged for.
    pub token: Option<String>,
    /// How often the answer was 503 before.
    pub refused_for_now: usize,
}

impl Crowd {
    /// Adds this many people to an installation, each with an active authenticator.
    pub fn enrol(installation: &Installation, people: usize) -> Self {
        let target = Target::parse(&installation.database).unwrap();
        let database = Database::new(target.clone(), 1, None);
        database.prepare().unwrap();
        let mut conn = database.connection().unwrap();
        let now = Clock::System.now();
        let master = app::start::unlock(&mut conn, &target, &installation.master_key(), now).unwrap();
        let service = Service::new(&master, "http://localhost:8080".into(), "Countersign".into(), None);
        let at = At::new(now, Origin::COMMAND_LINE);
        let phones = (0..people).map(|number| {
            let name = UserName::parse(&format!("person{number}")).unwrap();
            let new = NewUser { name: name.clone(), email: None, role: Role::User, password: None };
            app::user::add(&service, &mut conn, at, new).unwrap();
            let factor = NewFactor { state: FactorState::Active, ..NewFactor::default() };
            let enrolled = app::factor::enrol(&service, &mut conn, at, &name, factor).unwrap();
            (format!("person{number}"), enrolled.uri)
        });
        let phones = phones.collect();
        Self { client: shop(installation), phones }
    }

    /// Somebody's name, and the code so many steps from now.
    pub fn code(&self, number: usize, offset: i64) -> (&str, String) {
        let (name, key) = &self.phones[number];
        (name, code_of(key, offset))
    }

    /// Everybody's codes of this step and the next, which a server accepts for half a minute from now at least.
    pub fn codes(&self) -> Vec<(&str, String)> {
        let both = [0, 1].map(|offset| (0..self.phones.len()).map(move |number| self.code(number, offset)));
        both.into_iter().flatten().collect()
    }

    /// Sends everybody's codes by several callers at once, each to the server after its own in `urls`. `meanwhile` runs beside them, and is
    /// handed the number of codes that were exchanged so far. Where a reply does not come a caller stops; where it is 503, it tries again for a while.
    pub fn log_in<T>(&self, urls: &[&str], meanwhile: impl FnOnce(&AtomicUsize) -> T) -> (Vec<Sent>, T) {
        let (exchanged, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let codes = self.codes();
        let result = std::thread::scope(|scope| {
            for number in 0..CALLERS {
                let (codes, exchanged, all) = (&codes, &exchanged, &all);
                let url = urls[number % urls.len()];
                scope.spawn(move || {
                    let caller = Caller::new(url);
                    // One person's codes come in order, from one caller.
                    let people = self.phones.len();
                    let own =
                        codes.iter().enumerate().filter(|(place, _)| place % people % CALLERS == number);
                    for (_, (user, code)) in own {
                        let sent = self.send(&caller, user, code);
                        // Neither comes any more, and a test that has failed should not go on for everybody.
                        let is_gone = matches!(sent.status, None | Some(503));
                        exchanged.fetch_add(usize::from(sent.token.is_some()), Ordering::SeqCst);
                        all.lock().unwrap().push(sent);
                        if is_gone {
                            break;
                        }
                    }
                });
            }
            meanwhile(&exchanged)
        });
        (all.into_inner().unwrap(), result)
    }

    fn send(&self, caller: &Caller, user: &str, code: &str) -> Sent {
        let deadline = Instant::now() + PATIENCE;
        let mut sent = Sent {
            user: user.to_owned(),
            code: code.to_owned(),
            status: None,
            token: None,
            refused_for_now: 0,
        };
        loop {
            let reply = caller.otp(&self.client, user, code);
            sent.status = reply.as_ref().map(|(status, _)| *status);
            sent.token = reply
                .filter(|(status, _)| *status == 200)
                .map(|(_, body)| body["access_token"].as_str().unwrap().to_owned());
            if sent.status != Some(503) || Instant::now() > deadline {
                return sent;
            }
            sent.refused_for_now += 1;
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Every code that was exchanged is refused, and every token is known. Returns how many those were.
    #[track_caller]
    pub fn must_be_remembered(&self, server: &Process, sent: &[Sent]) -> usize {
        let caller = Caller::new(&server.url);
        let mut count = 0;
        for Sent { user, code, token, .. } in sent {
            let Some(token) = token else { continue };
            let (status, body) = caller.otp(&self.client, user, code).unwrap();
            assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")), "{user}: {body}");
            let (status, body) = caller.introspect(&self.client, token).unwrap();
            assert_eq!((status, &body["active"]), (200, &Value::Bool(true)), "{user}: {body}");
            count += 1;
        }
        count
    }
}

/// Waits until so many codes were exchanged.
pub fn until(exchanged: &AtomicUsize, count: usize) {
    crate::process::soon(|| (exchanged.load(Ordering::SeqCst) >= count).then_some(()));
}

/// How many codes ended with each status, for people to read.
pub fn tally(sent: &[Sent]) -> String {
    let count = |status: Option<u16>| sent.iter().filter(|sent| sent.status == status).count();
    let waited: usize = sent.iter().map(|sent| sent.refused_for_now).sum();
    format!(
        "{} codes: {} exchanged, {} refused, {} without a reply; {waited} answers of 503 before",
        sent.len(),
        count(Some(200)),
        count(Some(400)),
        count(None),
    )
}
