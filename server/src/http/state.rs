//! What every handler needs, and the one hop to the threads that may block.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use actix_web::http::header::USER_AGENT;
use actix_web::{HttpMessage, HttpRequest};
use mobile_core::Code;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::app::bearer::must_be_no_cookie;
use crate::app::client_auth::Credentials;
use crate::app::console::{Visitor, visit};
use crate::app::context::{At, Service, Stop};
use crate::app::issue::Issued;
use crate::app::manage::{Manager, Needs, Warrant, authorise};
use crate::app::otp::{Asked, OtpRequest};
use crate::app::verify::step_up;
use crate::clock::Clock;
use crate::db::{Conn, Database};
use crate::domain::audit::{Actor, Origin};
use crate::domain::device::Device;
use crate::error::Fault;
use crate::http::codes::Codes;
use crate::http::extract::bearer;
use crate::http::meters::{Mailed, Meters, Queue};
use crate::http::threads::Threads;
use crate::http::whole_list::Shelf;
use crate::settings::Shown;

/// How much is kept for callers before the server sheds load with a 503.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Requests that read or write the database, at it and waiting for it.
    pub under_way: usize,
    /// Codes that wait for their group.
    pub codes: usize,
    /// Argon2 calculations that run at once, but no more than half of the threads; each takes a core and 19 MiB.
    pub passwords_at_once: usize,
    /// Password checks that wait for one of those places.
    pub passwords_waiting: usize,
}

impl Default for Limits {
    /// A few megabytes, and less than a second's work at full speed. One core is left to codes, where there are two.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            under_way: 1024,
            codes: 4096,
            passwords_at_once: cores.saturating_sub(1).max(1),
            passwords_waiting: 64,
        }
    }
}

/// The server's parts, shared by all workers.
pub struct State {
    /// The keys.
    pub service: Arc<Service>,
    /// The database.
    pub database: Database,
    /// The time.
    pub clock: Clock,
    /// Whether a proxy in front names the caller's address.
    pub behind_proxy: bool,
    settings: OnceLock<Vec<Shown>>,
    phone_files: OnceLock<PathBuf>,
    metrics_token: OnceLock<Zeroizing<String>>,
    meters: Arc<Meters>,
    limits: Limits,
    is_stopping: AtomicBool,
    codes: Codes,
    whole_list: Shelf,
    threads: Threads,
    under_way: Arc<Semaphore>,
    passwords: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl State {
    /// Puts the parts together.
    pub fn new(
        service: Service,
        database: Database,
        clock: Clock,
        behind_proxy: bool,
        limits: Limits,
    ) -> Arc<Self> {
        let service = Arc::new(service);
        let threads = usize::try_from(database.for_requests()).unwrap_or(usize::MAX);
        // Half of the threads stay free of passwords, on however many cores.
        let passwords = limits.passwords_at_once.min(threads.div_ceil(2));
        let limits = Limits { passwords_at_once: passwords, ..limits };
        let meters = Arc::new(Meters::new());
        let codes = Codes::start(&service, &database, Arc::clone(&meters), limits.codes);
        Arc::new(Self {
            codes,
            meters,
            limits,
            threads: Threads::new(threads),
            under_way: Arc::new(Semaphore::new(limits.under_way)),
            service,
            database,
            clock,
            behind_proxy,
            settings: OnceLock::new(),
            phone_files: OnceLock::new(),
            metrics_token: OnceLock::new(),
            is_stopping: AtomicBool::new(false),
            whole_list: Shelf::default(),
            passwords: Arc::new(Semaphore::new(passwords)),
            waiting: Arc::new(Semaphore::new(passwords + limits.passwords_waiting)),
        })
    }

    /// From now on the server is not ready for more, and asks callers to come back by another connection.
    pub fn prepare_to_stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Says what the console's page of settings shows; the first word stands.
    pub fn show_settings(&self, shown: &[Shown]) {
        let _ = self.settings.set(shown.to_vec());
    }

    /// The settings, without secrets; none where nobody said them.
    pub(super) fn settings(&self) -> &[Shown] {
        self.settings.get().map_or(&[], Vec::as_slice)
    }

    /// Serves the phone app from this folder, not from what is built in; the first word stands. A changed file is seen at the next request.
    pub fn serve_phone_files_from(&self, folder: PathBuf) {
        let _ = self.phone_files.set(folder);
    }

    /// That folder, if there is one.
    pub(super) fn phone_files(&self) -> Option<&Path> {
        self.phone_files.get().map(PathBuf::as_path)
    }

    /// Shows the metrics to whoever has this bearer token, too; the first word stands.
    pub fn show_metrics_to(&self, token: Zeroizing<String>) {
        let _ = self.metrics_token.set(token);
    }

    /// That token, if there is one.
    pub(super) fn metrics_token(&self) -> Option<&str> {
        self.metrics_token.get().map(|token| token.as_str())
    }

    /// What is counted and timed.
    pub(super) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Where the whole list of revocations is kept.
    pub(super) const fn whole_list(&self) -> &Shelf {
        &self.whole_list
    }

    /// Counts a mail that was tried.
    pub fn mailed(&self, outcome: Mailed) {
        self.meters.mailed(outcome);
    }

    /// Where requests wait: how many are there, those at work included, and how many may be.
    pub(super) fn queues(&self) -> [(Queue, usize, usize); 3] {
        let Limits { under_way, codes, passwords_at_once, passwords_waiting } = self.limits;
        let passwords = passwords_at_once + passwords_waiting;
        [
            (Queue::Requests, under_way - self.under_way.available_permits(), under_way),
            (Queue::Codes, codes - self.codes.free(), codes),
            (Queue::Passwords, passwords - self.waiting.available_permits(), passwords),
        ]
    }

    /// Says that a request was sent away.
    fn shed(&self, queue: Queue, why: &'static str) -> Fault {
        self.meters.shed(queue);
        Fault::Busy(why)
    }

    /// Whether browsers come by TLS, here or at a proxy in front.
    pub(super) fn is_public_by_tls(&self) -> bool {
        self.service.issuer.starts_with("https://")
    }

    /// Exchanges a code for a token, together with others that come at the same time.
    pub(super) async fn exchange_code(
        &self,
        request: &HttpRequest,
        credentials: Credentials,
        wanted: OtpRequest,
    ) -> Result<Issued, Stop> {
        let at = At::new(self.clock.now(), self.origin(request));
        let asked = Asked { credentials, request: wanted, at };
        // Signed on the caller's own thread: all cores sign, and the next group need not wait for it.
        Ok(self.codes.exchange(asked).await?.sign()?)
    }

    /// Runs one use case on a thread that may block, with a connection and the time of the request. Where too many are under way already,
    /// it is refused before anything is kept for it.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        request: &HttpRequest,
        use_case: impl FnOnce(&Service, &mut Conn, At) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        let at = At::new(self.clock.now(), self.origin(request));
        let state = Arc::clone(self);
        let place = Arc::clone(&self.under_way).try_acquire_owned();
        let place = place.map_err(|_| self.shed(Queue::Requests, "too many requests are under way"))?;
        let work = move || {
            // It goes with the work, which goes on when a caller hangs up.
            let _held = place;
            let mut conn = state.database.connection()?;
            use_case(&state.service, &mut conn, at)
        };
        let done = self.threads.run(work).await?;
        done.ok_or_else(|| self.shed(Queue::Requests, "no thread was free in time").into())
    }

    /// The same for whoever shows a bearer token.
    pub(super) async fn run_as_bearer<T: Send + 'static>(
        self: &Arc<Self>,
        request: &HttpRequest,
        use_case: impl FnOnce(&Service, &mut Conn, At, &str) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        let token = bearer(request)?;
        self.run(request, move |service, conn, at| {
            must_be_no_cookie(service, conn, &token)?;
            use_case(service, conn, at, &token)
        })
        .await
    }

    /// Finds out whether whoever sent a request is a manager with what an operation needs.
    pub(super) async fn authorise(
        self: Arc<Self>,
        request: HttpRequest,
        needs: Needs,
    ) -> Result<Managing, Stop> {
        let warrant = self.run_as_bearer(&request, move |service, conn, at, token| {
            authorise(service, conn, at.now, token, needs)
        });
        let warrant = warrant.await?;
        Ok(Managing { state: self, request, warrant })
    }

    /// The same for whoever is logged in to the console: `token` is what the cookie holds. The request keeps who that is: whatever stops it has a
    /// page for them.
    pub(super) async fn run_as_visitor<T: Send + 'static>(
        self: &Arc<Self>,
        request: &HttpRequest,
        token: Zeroizing<String>,
        use_case: impl FnOnce(&Service, &mut Conn, At, &Visitor) -> Result<T, Stop> + Send + 'static,
    ) -> Result<(Visitor, T), Stop> {
        let (visitor, done) = self
            .run(request, move |service, conn, at| {
                let visitor = visit(service, conn, at, &token)?;
                let done = use_case(service, conn, at, &visitor);
                Ok((visitor, done))
            })
            .await?;
        request.extensions_mut().insert(visitor.clone());
        done.map(|done| (visitor, done))
    }

    /// The same for whoever is logged in to the console and may manage.
    pub(super) async fn run_as_managing_visitor<T: Send + 'static>(
        self: &Arc<Self>,
        request: &HttpRequest,
        token: Zeroizing<String>,
        needs: Needs,
        use_case: impl FnOnce(&Service, &mut Conn, At, &Manager) -> Result<T, Stop> + Send + 'static,
    ) -> Result<(Visitor, T), Stop> {
        let shown = token.clone();
        self.run_as_visitor(request, token, move |service, conn, at, _| {
            let warrant = authorise(service, conn, at.now, &shown, needs)?;
            let manager = warrant.manager(service, conn, at.now)?;
            use_case(service, conn, warrant.by(at), &manager)
        })
        .await
    }

    /// The same for what wants a code of this moment; without a good one nothing is done.
    pub(super) async fn run_with_code<T: Send + 'static>(
        self: &Arc<Self>,
        request: &HttpRequest,
        token: Zeroizing<String>,
        otp: Code,
        needs: Needs,
        use_case: impl FnOnce(&Service, &mut Conn, At, &Manager) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        self.run(request, move |service, conn, at| {
            step_up(service, conn, at, &token, &otp)?;
            let warrant = authorise(service, conn, at.now, &token, needs)?;
            let manager = warrant.manager(service, conn, at.now)?;
            use_case(service, conn, warrant.by(at), &manager)
        })
        .await
    }

    /// The same as [`State::run_as_managing_visitor`], with a code of this moment where there is one: for forms that want one for some of what can be
    /// typed. With it the login is fresh in any case.
    pub(super) async fn run_with_code_if_any<T: Send + 'static>(
        self: &Arc<Self>,
        request: &HttpRequest,
        token: Zeroizing<String>,
        otp: Option<Code>,
        needs: Needs,
        use_case: impl FnOnce(&Service, &mut Conn, At, &Manager) -> Result<T, Stop> + Send + 'static,
    ) -> Result<(Visitor, T), Stop> {
        let Some(otp) = otp else {
            return self.run_as_managing_visitor(request, token, needs, use_case).await;
        };
        let (visitor, ()) = self.run_as_visitor(request, token.clone(), |_, _, _, _| Ok(())).await?;
        Ok((visitor, self.run_with_code(request, token, otp, needs, use_case).await?))
    }

    /// Runs one use case that hashes a password: a few at once, some more in a fair queue, the rest refused.
    pub(super) async fn run_with_password<T: Send + 'static>(
        self: &Arc<Self>,
        request: &HttpRequest,
        use_case: impl FnOnce(&Service, &mut Conn, At) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        let busy = || self.shed(Queue::Passwords, "too many password checks are waiting");
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let turn = Arc::clone(&self.passwords).acquire_owned().await.map_err(|_| busy())?;
        // They go with the work: a caller who hangs up makes no room while the hashing goes on.
        self.run(request, move |service, conn, at| {
            let _held = (place, turn);
            use_case(service, conn, at)
        })
        .await
    }

    /// Where a request came from. Behind a proxy it is the last address in `X-Forwarded-For`, which the proxy itself appended; those before
    /// it are the caller's own words.
    fn origin(&self, request: &HttpRequest) -> Origin {
        let forwarded = || {
            let header = request.headers().get_all("x-forwarded-for").last()?.to_str().ok()?;
            let last = header.rsplit(',').next()?.trim();
            last.parse().ok().or_else(|| last.parse::<SocketAddr>().ok().map(|address| address.ip()))
        };
        let peer = || request.peer_addr().map(|address| address.ip());
        let address = if self.behind_proxy { forwarded().or_else(peer) } else { peer() };
        let agent = request.headers().get(USER_AGENT).and_then(|header| header.to_str().ok());
        Origin { address, manager: Actor::Anonymous, device: agent.and_then(Device::parse) }
    }
}

/// A request of a manager with what its operation needs.
pub(super) struct Managing {
    state: Arc<State>,
    request: HttpRequest,
    warrant: Warrant,
}

impl Managing {
    /// The request.
    pub(super) const fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Runs one use case in the manager's name.
    pub(super) async fn run<T: Send + 'static>(
        self,
        use_case: impl FnOnce(&Service, &mut Conn, At) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        let warrant = self.warrant;
        self.state.run(&self.request, move |service, conn, at| use_case(service, conn, warrant.by(at))).await
    }

    /// The same for what hashes a password, in the queue of all who do.
    pub(super) async fn run_with_password<T: Send + 'static>(
        self,
        use_case: impl FnOnce(&Service, &mut Conn, At) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        let warrant = self.warrant;
        let use_case =
            move |service: &Service, conn: &mut Conn, at: At| use_case(service, conn, warrant.by(at));
        self.state.run_with_password(&self.request, use_case).await
    }
}
