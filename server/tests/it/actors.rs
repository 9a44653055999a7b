//! Who takes part in a test: the server with a clock that is moved by hand, its operator, an application, a phone.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use countersign::app;
use countersign::app::client::NewClient;
use countersign::app::client_auth::Credentials;
use countersign::app::context::{At, ConsolePolicy, Service, Stop};
use countersign::app::factor::{Enrolled, NewFactor};
use countersign::app::issue::Recorded;
use countersign::app::otp::{self, Asked, OtpRequest};
use countersign::app::outbox::{Outcome, send_next};
use countersign::app::user::NewUser;
use countersign::clock::Clock;
use countersign::crypto::master_key::MasterKey;
use countersign::db::{self, Conn, Database};
use countersign::domain::audit::Origin;
use countersign::domain::authorization::Details;
use countersign::domain::client::{ClientName, Grant, SecondFactor, SessionLimits, TokenFormat, TokenPolicy};
use countersign::domain::factor::{FactorState, Mechanism};
use countersign::domain::id::UserId;
use countersign::domain::password::Password;
use countersign::domain::phone::PhoneApp;
use countersign::domain::scope::Scopes;
use countersign::domain::target::Target;
use countersign::domain::time::Timestamp;
use countersign::domain::user::{Role, UserName};
use countersign::http::{self, Limits, State};
use countersign::mail::Transport;
use diesel::connection::SimpleConnection as _;

use mobile_core::{Code, Counter, Hotp, KeyUri, Kind, Secret, Step, Totp};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::Backend;

/// 2026-03-01T12:00:10Z: ten seconds into a step.
pub const START: Timestamp = Timestamp::from_millis(1_772_366_410_000);

/// The issuer in tests.
pub const ISSUER: &str = "https://countersign.example";

/// Where applications have browsers sent back to.
pub const CALLBACK: &str = "https://shop.example/callback";

/// The password that every user with a password has.
pub const PASSWORD: &str = "correct horse battery";

/// The same as it is stored for most people of tests, at next to no cost, which a login takes from here.
const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$gLHIkr1qgP4r3sH1P/NIg3+PMckaLQ3RkuIiytJhVlY";

/// A database of one test, and the key that seals it. Several servers may run on it.
pub struct Place {
    pub target: Target,
    pub master: PathBuf,
    _folder: tempfile::TempDir,
}

impl Place {
    pub fn new(on: Backend) -> Self {
        let folder = tempfile::Builder::new().prefix("cs-it-").tempdir().unwrap();
        let target = match on {
            Backend::Sqlite => {
                let file = folder.path().join("countersign.db");
                fs::write(&file, migrated_file()).unwrap();
                Target::Sqlite(file)
            }
            Backend::Postgres => Target::Postgres(crate::cluster::migrated_database()),
        };
        let master = folder.path().join("master.key");
        MasterKey::generate().write_new(&master).unwrap();
        Self { target, master, _folder: folder }
    }

    /// One that is there already.
    pub fn of(target: Target, master: PathBuf) -> Self {
        Self { target, master, _folder: tempfile::tempdir().unwrap() }
    }

    /// A connection past all rules, to look at what is stored or to spoil it.
    pub fn connection(&self) -> impl std::ops::DerefMut<Target = Conn> + use<> {
        Database::new(self.target.clone(), 1, None).connection().unwrap()
    }
}

/// An SQLite file with the tables in it. To make them anew for each test takes longer than many a test.
fn migrated_file() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("countersign.db");
        let database = Database::new(Target::Sqlite(file.clone()), 1, None);
        database.prepare().unwrap();
        database.connection().unwrap().batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        fs::read(file).unwrap()
    })
}

/// A server in this process, on a free port of loopback.
pub struct App {
    pub place: Arc<Place>,
    pub clock: Clock,
    pub url: String,
    pub state: Arc<State>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
    agent: ureq::Agent,
}

impl Drop for App {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl App {
    pub fn start(on: Backend) -> Self {
        Self::start_at(&Arc::new(Place::new(on)), Clock::fake(START))
    }

    /// One more server on the same database, with the same clock.
    pub fn another(&self) -> Self {
        Self::start_at(&self.place, self.clock.clone())
    }

    pub fn start_at(place: &Arc<Place>, clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start_on(listener, place, clock, ISSUER.to_owned())
    }

    /// A server whose tokens name the address that it listens on.
    pub fn start_as_its_own_issuer(place: &Arc<Place>, clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        Self::start_on(listener, place, clock, issuer)
    }

    /// The same on the port that another one has left.
    pub fn start_again(place: &Arc<Place>, clock: Clock, url: &str) -> Self {
        let listener = TcpListener::bind(url.strip_prefix("http://").unwrap()).unwrap();
        Self::start_on(listener, place, clock, url.to_owned())
    }

    /// A server whose help desks need a second person for a reset.
    pub fn start_with_approvals(on: Backend) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Arc::new(Place::new(on));
        Self::start_with(listener, &place, Clock::fake(START), ISSUER.to_owned(), |service| {
            service.console.reset_needs_approval = true;
        })
    }

    /// One more server on the same database, where the operator decided otherwise about the console.
    pub fn with_console(&self, console: ConsolePolicy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start_with(listener, &self.place, self.clock.clone(), ISSUER.to_owned(), |service| {
            service.console = console;
        })
    }

    /// One more server on the same database, where the audit log reaches back so many days.
    pub fn with_audit_kept(&self, days: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start_with(listener, &self.place, self.clock.clone(), ISSUER.to_owned(), |service| {
            service.audit_keep_days = Some(days);
        })
    }

    /// One more server on the same database, whose phone app is elsewhere.
    pub fn with_phone_app_at(&self, url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start_with(listener, &self.place, self.clock.clone(), ISSUER.to_owned(), |service| {
            service.phone = PhoneApp::at(url, ISSUER).unwrap();
        })
    }

    fn start_on(listener: TcpListener, place: &Arc<Place>, clock: Clock, issuer: String) -> Self {
        Self::start_with(listener, place, clock, issuer, |_| {})
    }

    /// A server that keeps less for its callers.
    pub fn start_within(on: Backend, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (place, clock) = (Arc::new(Place::new(on)), Clock::fake(START));
        Self::start_as(listener, &place, clock, ISSUER.to_owned(), limits, |_| {})
    }

    fn start_with(
        listener: TcpListener,
        place: &Arc<Place>,
        clock: Clock,
        issuer: String,
        decide: impl FnOnce(&mut Service),
    ) -> Self {
        Self::start_as(listener, place, clock, issuer, Limits::default(), decide)
    }

    fn start_as(
        listener: TcpListener,
        place: &Arc<Place>,
        clock: Clock,
        issuer: String,
        limits: Limits,
        decide: impl FnOnce(&mut Service),
    ) -> Self {
        let database = Database::new(place.target.clone(), 16, Some(Duration::from_secs(20)));
        database.prepare().unwrap();
        let mut conn = database.connection().unwrap();
        let now = clock.now();
        let master = app::start::unlock(&mut conn, &place.target, &place.master, now).unwrap();
        let mut service = Service::new(&master, issuer, "Countersign".to_owned(), Some(90 * 86_400));
        decide(&mut service);
        app::key::ensure(&service, &mut conn, At::new(now, Origin::COMMAND_LINE)).unwrap();
        drop(conn);
        let state = State::new(service, database, clock.clone(), false, limits);
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, receiver) = std::sync::mpsc::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = http::start(shared, listener, None, 1).unwrap();
                sender.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        let handle = receiver.recv().unwrap();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(1)))
            .max_redirects(0)
            .build();
        Self {
            place: Arc::clone(place),
            clock,
            url,
            state,
            handle,
            thread: Some(thread),
            agent: config.new_agent(),
        }
    }

    /// Serves a phone app that lies in this folder, in place of the built one.
    pub fn serve_phone_files_from(&self, folder: &Path) {
        self.state.serve_phone_files_from(folder.to_owned());
    }

    /// Moves the clock on, for every server that shares it.
    pub fn pass(&self, seconds: i64) {
        self.clock.advance(seconds * 1000);
    }

    /// Moves the clock to just after the next step begins.
    pub fn next_step(&self) {
        self.pass(30);
    }

    /// Runs a use case as the command line would.
    pub fn operate<T>(
        &self,
        use_case: impl FnOnce(&Service, &mut Conn, At) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let at = At::new(self.clock.now(), Origin::COMMAND_LINE);
        let mut conn = self.state.database.connection()?;
        use_case(&self.state.service, &mut conn, at)
    }

    /// Deletes what is over, as the server does every ten minutes.
    pub fn sweep(&self) {
        self.operate(|service, conn, at| {
            let failed = app::sweep::sweep(service, conn, at, || true);
            assert!(failed.is_empty(), "{failed:?}");
            app::audit::prune(service, conn, at, || true)
        })
        .unwrap();
    }

    /// Sends one mail that is due, as the server's own thread would.
    pub fn send_mail(&self, transport: &Transport) -> Option<Outcome> {
        send_next(&self.state.service, &self.state.database, transport, self.clock.now()).unwrap()
    }

    /// So many users, `user0` and on, with the phone of each.
    pub fn people(&self, count: usize) -> Vec<(Phone, String)> {
        let names = (0..count).map(|number| format!("user{number}"));
        names
            .map(|name| {
                self.user(&name);
                (self.phone(&name), name)
            })
            .collect()
    }

    /// A user without a password.
    pub fn user(&self, name: &str) {
        self.add_user(name, Role::User, None);
    }

    /// A user with [`PASSWORD`], stored as the server stores it: where it matters how long it takes.
    pub fn user_with_costly_password(&self, name: &str) {
        self.add_user(name, Role::User, Some(Password::chosen(PASSWORD).unwrap()));
    }

    /// A user with [`PASSWORD`].
    pub fn user_with_password(&self, name: &str) {
        self.add_with_password(name, Role::User);
    }

    /// Somebody with a role, [`PASSWORD`] and an active phone.
    pub fn person(&self, name: &str, role: Role) -> Phone {
        self.add_with_password(name, role);
        self.phone(name)
    }

    fn add_with_password(&self, name: &str, role: Role) {
        let id = self.add_user(name, role, None);
        let mut conn = self.state.database.connection().unwrap();
        db::user::set_password_hash(&mut conn, id, PASSWORD_HASH).unwrap();
    }

    fn add_user(&self, name: &str, role: Role, password: Option<Password>) -> UserId {
        let new = NewUser { name: UserName::parse(name).unwrap(), email: None, role, password };
        self.operate(|service, conn, at| app::user::add(service, conn, at, new)).unwrap().id
    }

    /// A phone with an active factor of the user.
    pub fn phone(&self, user: &str) -> Phone {
        self.enrol(user, NewFactor { state: FactorState::Active, ..NewFactor::default() })
    }

    /// A token with an active HOTP factor that starts at `counter`.
    pub fn hotp_token(&self, user: &str, counter: u64) -> Phone {
        let mechanism = Mechanism::Hotp(Hotp::default());
        let state = FactorState::Active;
        self.enrol(
            user,
            NewFactor { mechanism, counter: Counter::new(counter), state, ..NewFactor::default() },
        )
    }

    /// A phone with whatever factor.
    pub fn enrol(&self, user: &str, new: NewFactor) -> Phone {
        let name = UserName::parse(user).unwrap();
        let enrolled: Enrolled =
            self.operate(|service, conn, at| app::factor::enrol(service, conn, at, &name, new)).unwrap();
        Phone { uri: enrolled.uri, clock: self.clock.clone() }
    }

    pub fn reset(&self, user: &str) {
        let name = UserName::parse(user).unwrap();
        self.operate(|service, conn, at| app::reset::reset(service, conn, at, &name)).unwrap();
    }

    pub fn lock(&self, user: &str) {
        let name = UserName::parse(user).unwrap();
        self.operate(|service, conn, at| app::user::lock(service, conn, at, &name)).unwrap();
    }

    pub fn unlock(&self, user: &str) {
        let name = UserName::parse(user).unwrap();
        self.operate(|service, conn, at| app::user::unlock(service, conn, at, &name)).unwrap();
    }

    pub fn failures(&self, user: &str) -> i64 {
        let name = UserName::parse(user).unwrap();
        self.operate(|_, conn, at| app::user::show(conn, at, &name)).unwrap().standing.failures
    }

    /// A client with one of each grant and no scope.
    pub fn client(&self) -> Client<'_> {
        self.client_with(ClientSpec::default())
    }

    pub fn client_with(&self, spec: ClientSpec) -> Client<'_> {
        let format = if spec.one_use { None } else { Some(spec.format) };
        let new = NewClient {
            name: ClientName::parse(spec.name).unwrap(),
            grants: spec.grants,
            redirect_uris: spec.redirect_uris,
            audiences: spec.audiences.iter().map(|audience| (*audience).to_owned()).collect(),
            scopes: Scopes::parse(spec.scopes).unwrap(),
            detail_types: spec.detail_types.iter().map(|kind| (*kind).to_owned()).collect(),
            policy: TokenPolicy::new(format, 900, spec.one_use).unwrap(),
            sessions: spec.sessions,
            second_factor: spec.second_factor,
        };
        let added = self.operate(|service, conn, at| app::client::add(service, conn, at, new)).unwrap();
        Client { app: self, id: added.client.id.to_string(), secret: added.secret.to_string() }
    }

    /// A request without a body.
    pub fn get(&self, path: &str) -> Reply {
        Reply::read(self.agent.get(format!("{}{path}", self.url)).call().unwrap())
    }

    /// The status alone, of a page or a document.
    pub fn status(&self, path: &str) -> u16 {
        self.agent.get(format!("{}{path}", self.url)).call().unwrap().status().as_u16()
    }

    pub fn head(&self, path: &str) -> Reply {
        Reply::read(self.agent.head(format!("{}{path}", self.url)).call().unwrap())
    }

    pub fn get_as(&self, path: &str, bearer: &str) -> Reply {
        let request = self.agent.get(format!("{}{path}", self.url));
        Reply::read(request.header("authorization", format!("Bearer {bearer}")).call().unwrap())
    }

    pub fn delete_as(&self, path: &str, bearer: &str) -> Reply {
        let request = self.agent.delete(format!("{}{path}", self.url));
        Reply::read(request.header("authorization", format!("Bearer {bearer}")).call().unwrap())
    }

    /// Any method with a JSON body; null sends none.
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if matches!(method, "GET" | "DELETE") || body.is_null() {
            return Reply::read(self.agent.run(request.body(()).unwrap()).unwrap());
        }
        Reply::read(self.agent.run(request.body(body.to_string()).unwrap()).unwrap())
    }

    /// A page for people: media type, content security policy, text.
    pub fn page(&self, path: &str) -> (String, String, String) {
        let mut response = self.agent.get(format!("{}{path}", self.url)).call().unwrap();
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let (kind, policy) = (header("content-type"), header("content-security-policy"));
        (kind, policy, response.body_mut().read_to_string().unwrap())
    }

    /// A phone that has scanned this URI.
    pub fn phone_of(&self, uri: &str) -> Phone {
        Phone { uri: KeyUri::parse(uri).unwrap().0, clock: self.clock.clone() }
    }

    /// Any body with any headers.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = self.agent.post(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::read(request.send(body).unwrap())
    }

    /// `POST /mfa/associate`.
    pub fn associate(&self, bearer: &str) -> Reply {
        let authorization = format!("Bearer {bearer}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        self.post("/mfa/associate", &headers, br#"{"authenticator_types":["otp"]}"#)
    }

    /// The phone after it has scanned what `/mfa/associate` answered.
    pub fn scan(&self, associated: &Reply) -> Phone {
        let (uri, tolerated) = KeyUri::parse(associated.text("barcode_uri")).unwrap();
        assert_eq!(tolerated, [], "our own URIs are canonical");
        assert_eq!(uri.secret().to_base32().as_str(), associated.text("secret"));
        Phone { uri, clock: self.clock.clone() }
    }
}

/// How a client is registered.
pub struct ClientSpec {
    pub name: &'static str,
    pub grants: Vec<Grant>,
    pub redirect_uris: Vec<String>,
    pub audiences: &'static [&'static str],
    pub scopes: &'static str,
    pub detail_types: &'static [&'static str],
    pub format: TokenFormat,
    pub one_use: bool,
    pub sessions: SessionLimits,
    pub second_factor: SecondFactor,
}

impl Default for ClientSpec {
    fn default() -> Self {
        Self::with_scopes("")
    }
}

impl ClientSpec {
    /// With every grant.
    pub fn with_scopes(scopes: &'static str) -> Self {
        Self {
            name: "shop",
            grants: Grant::ALL.to_vec(),
            redirect_uris: vec![CALLBACK.to_owned()],
            audiences: &[],
            scopes,
            detail_types: &[],
            format: TokenFormat::Jwt,
            one_use: false,
            sessions: SessionLimits::new(7 * 86_400, 30 * 86_400).unwrap(),
            second_factor: SecondFactor::Required,
        }
    }
}

/// An application with its credentials.
#[derive(Clone)]
pub struct Client<'a> {
    app: &'a App,
    pub id: String,
    pub secret: String,
}

impl<'a> Client<'a> {
    /// The same client at another server.
    pub fn at<'b>(&self, app: &'b App) -> Client<'b> {
        Client { app, id: self.id.clone(), secret: self.secret.clone() }
    }

    pub fn with_secret(&self, secret: &str) -> Client<'a> {
        Client { secret: secret.to_owned(), ..self.clone() }
    }

    /// What the server makes of [`Self::otp`], for a test that hands it over by itself.
    pub fn asked(&self, user: &str, code: &str, scope: Option<&str>) -> Asked {
        Asked {
            credentials: self.credentials(),
            request: OtpRequest {
                username: UserName::parse(user).unwrap(),
                otp: Code::parse(code).unwrap(),
                scope: scope.map(|scope| Scopes::parse(scope).unwrap()),
                audience: None,
                details: Details::default(),
            },
            at: At::new(self.app.clock.now(), Origin::COMMAND_LINE),
        }
    }

    pub fn credentials(&self) -> Credentials {
        Credentials { client_id: self.id.clone(), client_secret: Zeroizing::new(self.secret.clone()) }
    }

    /// Posts a form with the credentials in it.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut form = form_urlencoded(fields);
        form.extend(["&client_id=", &self.id, "&client_secret=", &self.secret]);
        self.app.post(path, &[("content-type", "application/x-www-form-urlencoded")], form.as_bytes())
    }

    pub fn token(&self, fields: &[(&str, &str)]) -> Reply {
        self.post("/oauth/token", fields)
    }

    /// The main job: a code for a token.
    pub fn otp(&self, username: &str, otp: &str) -> Reply {
        self.token(&[("grant_type", Grant::Otp.as_str()), ("username", username), ("otp", otp)])
    }

    pub fn password(&self, username: &str, password: &str) -> Reply {
        self.token(&[("grant_type", "password"), ("username", username), ("password", password)])
    }

    /// A right password, and the `mfa_token` that it brings.
    pub fn mfa_token(&self, username: &str) -> String {
        let reply = self.password(username, PASSWORD);
        reply.must_be(403, "mfa_required");
        reply.text("mfa_token").to_owned()
    }

    pub fn mfa_otp(&self, mfa_token: &str, otp: &str) -> Reply {
        self.token(&[("grant_type", Grant::MfaOtp.as_str()), ("mfa_token", mfa_token), ("otp", otp)])
    }

    /// What a browser brought from `/oauth/authorize`, for tokens.
    pub fn fetch(&self, code: &str, verifier: &str) -> Reply {
        let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        self.token(&[fields.as_slice(), &[("code_verifier", verifier)]].concat())
    }

    pub fn refresh(&self, refresh_token: &str) -> Reply {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    }

    pub fn recover(&self, mfa_token: &str, code: &str) -> Reply {
        let grant = Grant::MfaRecoveryCode.as_str();
        self.token(&[("grant_type", grant), ("mfa_token", mfa_token), ("recovery_code", code)])
    }

    pub fn introspect(&self, token: &str) -> Reply {
        self.post("/oauth/introspect", &[("token", token)])
    }

    pub fn is_active(&self, token: &str) -> bool {
        let reply = self.introspect(token);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body["active"].as_bool().unwrap()
    }

    pub fn revoke(&self, token: &str) -> Reply {
        self.post("/oauth/revoke", &[("token", token)])
    }
}

pub fn form_urlencoded(fields: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish()
}

/// What the server said.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// JSON; a JWT as a string; null where there was nothing.
    pub body: Value,
}

impl Reply {
    fn read(mut response: ureq::http::Response<ureq::Body>) -> Self {
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
            .collect();
        let text = response.body_mut().read_to_string().unwrap();
        let is_jwt = response.headers().get("content-type").is_some_and(|kind| kind == "application/jwt");
        let body = match text.as_str() {
            "" => Value::Null,
            jwt if is_jwt => Value::from(jwt),
            json => serde_json::from_str(json).unwrap(),
        };
        Self { status, headers, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {self:?}"))
    }

    /// The access token of a reply that must hold one.
    #[track_caller]
    pub fn access_token(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.text("token_type"), "Bearer");
        assert_eq!(self.header("cache-control"), Some("no-store"));
        self.text("access_token").to_owned()
    }

    /// An OAuth error.
    #[track_caller]
    pub fn must_be(&self, status: u16, error: &str) {
        assert_eq!((self.status, self.body["error"].as_str()), (status, Some(error)), "{self:?}");
        assert!(self.body.get("access_token").is_none(), "{self:?}");
    }

    /// A problem document.
    #[track_caller]
    pub fn must_be_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.body["status"].as_u64(), Some(u64::from(status)));
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
    }
}

/// A phone that has scanned a QR code.
#[derive(Clone)]
pub struct Phone {
    pub uri: KeyUri,
    clock: Clock,
}

impl Phone {
    /// The code on the screen.
    pub fn code(&self) -> String {
        self.code_at(0)
    }

    /// TOTP: the code of a step before or after this one. HOTP: the code of the counter `offset` after the first one.
    pub fn code_at(&self, offset: i64) -> String {
        let code = match self.uri.kind() {
            Kind::Totp { period } => {
                let totp = Totp { algorithm: self.uri.algorithm(), digits: self.uri.digits(), period };
                let step =
                    totp.step_at(self.clock.now().unix_seconds()).get().checked_add_signed(offset).unwrap();
                totp.code(self.uri.secret(), Step::new(step))
            }
            Kind::Hotp { counter } => {
                let hotp = Hotp { algorithm: self.uri.algorithm(), digits: self.uri.digits() };
                let counter = counter.get().checked_add_signed(offset).unwrap();
                hotp.code(self.uri.secret(), Counter::new(counter))
            }
        };
        code.as_str().to_owned()
    }

    /// Codes that are wrong for this factor at every step near now.
    pub fn wrong_codes(&self) -> impl Iterator<Item = String> + use<> {
        let near: Vec<String> = (-3..=14)
            .map(|offset| self.code_at(if self.is_hotp() { offset.max(0) } else { offset }))
            .collect();
        (0..).map(|number| format!("{number:06}")).filter(move |code| !near.contains(code))
    }

    /// One of those.
    pub fn wrong_code(&self) -> String {
        self.wrong_codes().next().unwrap()
    }

    fn is_hotp(&self) -> bool {
        matches!(self.uri.kind(), Kind::Hotp { .. })
    }

    pub fn secret(&self) -> Secret {
        self.uri.secret().clone()
    }
}

/// For tests that need a code as the server's own type.
pub fn parsed(code: &str) -> Code {
    Code::parse(code).unwrap()
}

/// Runs `body` on so many threads at once and collects what they return.
pub fn at_once<T: Send>(threads: usize, body: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = std::sync::Barrier::new(threads);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|index| {
                let (barrier, body) = (&barrier, &body);
                scope.spawn(move || {
                    barrier.wait();
                    body(index)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// How many rows a table has.
pub fn count_rows(place: &Place, table: &str) -> i64 {
    count(&mut place.connection(), &format!("\"{table}\""))
}

/// How many rows there are after `FROM`.
pub fn count(conn: &mut Conn, from: &str) -> i64 {
    use diesel::QueryableByName;
    use diesel::prelude::*;

    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        rows: i64,
    }
    let query = format!("SELECT count(*) AS rows FROM {from}");
    diesel::sql_query(query).get_result::<Count>(conn).unwrap().rows
}

/// How the database would find what a statement asks for. `?` stand for `values`.
pub fn plan(conn: &mut Conn, statement: &str, values: &[&str]) -> String {
    use diesel::prelude::*;
    use diesel::sql_types::Text;

    #[derive(QueryableByName)]
    struct OfSqlite {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    #[derive(QueryableByName)]
    struct OfPostgres {
        #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
        line: String,
    }
    let mut values = values.iter();
    let text: String = statement
        .split_inclusive('?')
        .map(|part| {
            part.strip_suffix('?')
                .map_or(part.to_owned(), |before| format!("{before}{}", values.next().unwrap()))
        })
        .collect();
    let steps: Vec<String> = match conn {
        Conn::Sqlite(conn) => {
            let steps: Vec<OfSqlite> =
                diesel::sql_query(format!("EXPLAIN QUERY PLAN {text}")).load(conn).unwrap();
            steps.into_iter().map(|step| step.detail).collect()
        }
        Conn::Postgres(conn) => {
            let steps: Vec<OfPostgres> = diesel::sql_query(format!("EXPLAIN {text}")).load(conn).unwrap();
            steps.into_iter().map(|step| step.line).collect()
        }
    };
    steps.join("\n")
}

/// A number that no other call in this run returns.
pub fn unique() -> u64 {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// A client's name that no other client has.
pub fn unused_name() -> &'static str {
    Box::leak(format!("client-{}", unique()).into_boxed_str())
}

/// What codes that come together are answered, in their order. No user may be named twice by whoever is an application.
pub fn exchange_all(service: &Service, conn: &mut Conn, asked: Vec<Asked>) -> Vec<Result<Recorded, Stop>> {
    let (mut admitted, mut outcomes) = (Vec::new(), Vec::new());
    for one in otp::admit_all(service, conn, asked) {
        outcomes.push(one.map(|one| admitted.push(one)));
    }
    let mut exchanged = otp::exchange_all(service, conn, &admitted).into_iter();
    outcomes.into_iter().map(|one| one.and_then(|()| exchanged.next().unwrap())).collect()
}
