//! People log in at an application by way of this server: OpenID Connect's code flow as a real browser goes it.
//!
//! 1. The application is a server of its own, at another site than this one (`localhost`, where this one is `127.0.0.1`): what browsers do
//!    about cookies, forms and redirections between sites is what these tests are for.
//! 2. A browser has arrived when it shows the application's own page, sent along the cookie that the application had set before, and nothing
//!    on the way had anything to complain about. What it brings is redeemed as the application's server would.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use actix_web::{HttpRequest, HttpResponse, HttpServer, web};
use countersign::app;
use countersign::domain::user::{Role, UserName};
use serde_json::Value;

use crate::actors::{App, Client, ClientSpec, PASSWORD, Phone, Reply, form_urlencoded};
use crate::browser::chromium::Browser;
use crate::browser::{give_code, log_in, server};
use crate::openid::{VERIFIER, id_claims, request};
use crate::{Backend, tests};

tests![
    a_person_logs_in_at_an_application,
    a_login_at_an_application_needs_no_scripts,
    whoever_is_logged_in_comes_straight_back,
    a_wrong_password_and_a_wrong_code_lose_no_application,
    a_page_lies_between_the_code_and_the_application,
    people_are_asked_where_the_application_wants_that,
    long_names_fit_on_the_way_to_an_application,
    somebody_else_logs_in_on_the_way,
    an_application_wants_a_code_once_more,
    a_phone_is_connected_on_the_way_to_an_application,
    a_recovery_code_leads_on_to_an_application,
    a_person_logs_out_at_an_application_and_here,
    a_logout_at_an_application_needs_no_scripts,
    whoever_stays_logged_in_goes_back_and_stays,
    a_logout_leads_back_though_another_tab_was_first,
    people_are_asked_about_power_over_their_account,
    of_two_tabs_at_a_login_the_other_leads_on,
    a_request_that_leads_nowhere_is_not_the_readers_fault,
];

/// A web application at `http://localhost`, and how it is registered here.
struct Shop<'a> {
    app: &'a App,
    client: Client<'a>,
    url: String,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Shop<'_> {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl<'a> Shop<'a> {
    fn open(app: &'a App) -> Self {
        Self::called("shop", "openid profile", app)
    }

    /// One that is registered for these scopes, and asks for all of them.
    fn called(name: &'static str, scopes: &'static str, app: &'a App) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let client = app.client_with(ClientSpec {
            name,
            redirect_uris: vec![format!("{url}/callback"), format!("{url}/bye")],
            ..ClientSpec::with_scopes(scopes)
        });
        let callback = format!("{url}/callback");
        let asked =
            format!("{}{}", app.url, request(&client, &[("redirect_uri", &callback), ("scope", scopes)]));
        let leaving = [
            ("client_id", client.id.as_str()),
            ("post_logout_redirect_uri", &format!("{url}/bye")),
            ("state", "the state"),
        ];
        let leaving = format!("{}/oauth/logout?{}", app.url, form_urlencoded(&leaving));
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let pages = move || {
                    let show = |words: &'static str, asked: &str| {
                        let asked = asked.to_owned();
                        web::get().to(move |request: HttpRequest| {
                            std::future::ready(door(words, &asked, request.query_string()))
                        })
                    };
                    let back = |request: HttpRequest| std::future::ready(back(&request));
                    actix_web::App::new()
                        .route("/", show("Log in", &asked))
                        .route("/leave", show("Log out", &leaving))
                        .route("/callback", web::get().to(back))
                        .route("/bye", web::get().to(back))
                };
                let server =
                    HttpServer::new(pages).workers(1).disable_signals().listen(listener).unwrap().run();
                sender.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        let handle = receiver.recv().unwrap();
        Self { app, client, url, handle, thread: Some(thread) }
    }

    /// A person comes to the application and wants to log in. `more` is what the application asks besides.
    #[track_caller]
    fn send(&self, browser: &Browser, more: &str) {
        browser.visit(&format!("{}/?{more}", self.url));
        browser.press("Log in");
    }

    /// A person logs out at the application, which sends the browser here by its link or by its form.
    #[track_caller]
    fn leave(&self, browser: &Browser, more: &str, by: &str) {
        browser.visit(&format!("{}/leave?{more}", self.url));
        browser.press(by);
    }

    /// What the browser brings back, to this page of the application.
    #[track_caller]
    fn must_be_back(&self, browser: &Browser, path: &str) -> BTreeMap<String, String> {
        browser.must_say("Back at the shop");
        browser.must_say("You began here.");
        browser.must_be_quiet();
        let url = url::Url::parse(&browser.url()).unwrap();
        assert_eq!(url[..url::Position::AfterPath], format!("{}{path}", self.url));
        let told: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(told["state"], "the state");
        told
    }

    /// The same after a login, or what should have been one.
    #[track_caller]
    fn must_be_told(&self, browser: &Browser) -> BTreeMap<String, String> {
        let told = self.must_be_back(browser, "/callback");
        assert_eq!(told["iss"], self.app.url);
        told
    }

    /// The same after a logout.
    #[track_caller]
    fn must_be_left(&self, browser: &Browser) {
        assert_eq!(self.must_be_back(browser, "/bye").len(), 1);
    }

    /// The browser has brought a code: the tokens that it is good for.
    #[track_caller]
    fn must_get_tokens(&self, browser: &Browser) -> Reply {
        let told = self.must_be_told(browser);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &told["code"]),
            ("redirect_uri", &format!("{}/callback", self.url)),
            ("code_verifier", VERIFIER),
        ];
        let tokens = self.client.token(&fields);
        tokens.access_token();
        tokens
    }

    /// The same, and they are of this user. What the ID token says.
    #[track_caller]
    fn must_know(&self, browser: &Browser, user: &str) -> Value {
        let tokens = self.must_get_tokens(browser);
        let claims = id_claims(self.app, &self.client, tokens.text("id_token"));
        let name = UserName::parse(user).unwrap();
        let id =
            self.app.operate(|_, conn, at| app::user::show(conn, at, &name)).unwrap().user.id.to_string();
        assert_eq!((&claims["sub"], &claims["nonce"]), (&Value::from(id), &Value::from("the nonce")));
        claims
    }
}

/// The application's own page: a link to the login or the logout here, and the same as a form. What the page's own address asks goes along.
fn door(words: &str, asked: &str, more: &str) -> HttpResponse {
    let asked = if more.is_empty() { asked.to_owned() } else { format!("{asked}&{more}") };
    let url = url::Url::parse(&asked).unwrap();
    let field = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
        format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
    };
    let fields = url.query_pairs().map(field).collect::<Vec<_>>().concat();
    let link = asked.replace('&', "&amp;");
    let form = &url[..url::Position::AfterPath];
    let text = format!(
        "<h1>The shop</h1><p><a href=\"{link}\">{words}</a></p>\
         <form method=\"post\" action=\"{form}\">{fields}<button>{words} by a form</button></form>"
    );
    let mut answer = HttpResponse::Ok();
    answer.insert_header(("set-cookie", "shop=began; Path=/; HttpOnly; SameSite=Lax"));
    page(answer, &text)
}

/// Where the application has browsers sent back to. It takes nothing from one that did not begin there, as an application should.
fn back(request: &HttpRequest) -> HttpResponse {
    let began = request.cookie("shop").is_some_and(|cookie| cookie.value() == "began");
    let said = if began { "You began here." } else { "You began elsewhere." };
    page(HttpResponse::Ok(), &format!("<h1>Back at the shop</h1><p>{said}</p>"))
}

fn page(mut answer: actix_web::HttpResponseBuilder, text: &str) -> HttpResponse {
    answer.content_type("text/html; charset=utf-8").body(format!(
        "<!doctype html><html lang=\"en\"><title>The shop</title><link rel=\"icon\" href=\"data:,\">{text}<footer>The shop</footer>"
    ))
}

fn give_password(browser: &Browser, name: &str, password: &str) {
    browser.fill("#username", name);
    browser.fill("#password", password);
    browser.press("Next");
}

/// The next code of the phone where nothing sends it but the button.
fn give_code_by_hand(app: &App, browser: &Browser, phone: &Phone, button: &str) {
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press(button);
}

/// Alice with her phone, a shop, and her browser, which nobody is logged in with.
fn alice(app: &App) -> (Phone, Shop<'_>, Browser) {
    (app.person("alice", Role::User), Shop::open(app), Browser::open())
}

fn a_person_logs_in_at_an_application(on: Backend) {
    let app = server(on);
    let (phone, shop, browser) = alice(&app);
    shop.send(&browser, "login_hint=alice");
    browser.must_say("to go on to shop");
    assert_eq!(browser.attribute("#username", "value"), "alice");
    browser.must_look_right("login-for-application");
    browser.fill("#password", PASSWORD);
    browser.press("Next");
    browser.must_say("Your code");
    give_code(&app, &browser, &phone);
    shop.must_know(&browser, "alice");
    // Here, too, this browser is logged in now.
    browser.visit(&format!("{}/console/account", app.url));
    browser.must_say("alice");
}

fn a_login_at_an_application_needs_no_scripts(on: Backend) {
    let app = server(on);
    let phone = app.person("alice", Role::User);
    let shop = Shop::open(&app);
    let browser = Browser::without_scripts();
    shop.send(&browser, "");
    give_password(&browser, "alice", PASSWORD);
    give_code_by_hand(&app, &browser, &phone, "Log in");
    shop.must_know(&browser, "alice");
    shop.send(&browser, "prompt=login");
    give_code_by_hand(&app, &browser, &phone, "Continue");
    shop.must_know(&browser, "alice");
    shop.send(&browser, "prompt=consent");
    browser.press("Continue");
    shop.must_know(&browser, "alice");
}

fn whoever_is_logged_in_comes_straight_back(on: Backend) {
    let app = server(on);
    let (phone, shop, browser) = alice(&app);
    log_in(&app, &browser, "alice", &phone);
    shop.send(&browser, "");
    let first = shop.must_know(&browser, "alice");
    // A form of another site brings no cookie along; the redirection that answers it does.
    browser.visit(&shop.url);
    browser.press("Log in by a form");
    let second = shop.must_know(&browser, "alice");
    assert_ne!(first["sid"], second["sid"]);
    shop.send(&browser, "prompt=none");
    shop.must_know(&browser, "alice");
    // Another browser is nobody's.
    let other = Browser::open();
    shop.send(&other, "prompt=none");
    assert_eq!(shop.must_be_told(&other)["error"], "login_required");
}

fn a_wrong_password_and_a_wrong_code_lose_no_application(on: Backend) {
    let app = server(on);
    let (phone, shop, browser) = alice(&app);
    shop.send(&browser, "");
    give_password(&browser, "alice", "not the password");
    browser.must_say("User name or password is wrong.");
    browser.must_say("to go on to shop");
    browser.must_look_right("login-for-application-wrong");
    browser.press("Deutsch");
    browser.must_say("weiter zu shop");
    browser.must_look_right("login-for-application-german");
    browser.press("English");
    give_password(&browser, "alice", PASSWORD);
    browser.turn(|| browser.fill("#otp", &phone.wrong_code()));
    browser.must_say("This code is wrong.");
    // Whoever it was: somebody else may go on there, too.
    browser.press("Log in as somebody else");
    browser.must_say("to go on to shop");
    give_password(&browser, "alice", PASSWORD);
    give_code(&app, &browser, &phone);
    shop.must_know(&browser, "alice");
}

/// Sends a form, with a code if one is given, and shows the page that answers, but for its leading on by itself. The page's own rules let no script make
/// markup from a text, which this does not.
const HOLD: &str = "const [place, code] = arguments, form = document.querySelector(place), asked = new XMLHttpRequest(); \
     const fields = new URLSearchParams(new FormData(form)); \
     if (code) fields.set('otp', code); \
     asked.open('POST', form.action); \
     asked.responseType = 'document'; \
     return new Promise(done => { \
       asked.onload = () => { \
         const refresh = asked.response.querySelector('meta[http-equiv=refresh]'); \
         refresh?.remove(); \
         document.documentElement.replaceWith(asked.response.documentElement); \
         done(refresh?.content ?? null); \
       }; \
       asked.send(fields); \
     })";

fn a_page_lies_between_the_code_and_the_application(on: Backend) {
    let app = server(on);
    let (phone, shop, browser) = alice(&app);
    for (more, name) in [("", "going-on"), ("prompt=login", "going-on-again")] {
        shop.send(&browser, more);
        if more.is_empty() {
            give_password(&browser, "alice", PASSWORD);
        }
        app.next_step();
        let refresh =
            browser.script(HOLD, vec![Value::from("form[data-submit-at]"), Value::from(phone.code())]);
        assert!(refresh.as_str().unwrap().starts_with("0;url=/oauth/authorize?"), "{refresh}");
        browser.must_say("You are logged in");
        browser.must_look_right(name);
        // By hand, for a browser that does not.
        browser.press("Continue");
        shop.must_know(&browser, "alice");
    }
}

fn people_are_asked_where_the_application_wants_that(on: Backend) {
    let app = server(on);
    let (phone, shop, browser) = alice(&app);
    // Not yet logged in: the login first, then the question.
    shop.send(&browser, "prompt=consent");
    give_password(&browser, "alice", PASSWORD);
    give_code(&app, &browser, &phone);
    browser.must_say("Go on to the application?");
    browser.must_say("You are on your way to shop");
    browser.must_say("Logged in as alice");
    browser.must_look_right("authorize");
    browser.press("Deutsch");
    browser.must_say("Weiter zur Anwendung?");
    browser.must_look_right("authorize-german");
    browser.press("English");
    // However the application writes its request: RFC 3986 lets these stand in a query.
    let plain = browser.path().replace("%3A", ":").replace("%2F", "/");
    browser.go(&plain);
    browser.press("Deutsch");
    browser.must_say("Weiter zur Anwendung?");
    browser.press("English");
    browser.press("Continue");
    shop.must_know(&browser, "alice");
    shop.send(&browser, "prompt=select_account");
    browser.press("Back to the application");
    assert_eq!(shop.must_be_told(&browser)["error"], "access_denied");
}

fn long_names_fit_on_the_way_to_an_application(on: Backend) {
    const LONG: &str = "a_name_that_somebody_had_made_by_a_program_and_nobody_looked_at";
    let app = server(on);
    let phone = app.person(LONG, Role::User);
    let shop = Shop::called(LONG, "openid profile", &app);
    let browser = Browser::open();
    shop.send(&browser, "prompt=consent");
    browser.must_look_right("login-for-application-long");
    give_password(&browser, LONG, PASSWORD);
    give_code(&app, &browser, &phone);
    browser.must_say("Go on to the application?");
    browser.must_look_right("authorize-long");
    browser.press("Continue");
    shop.must_know(&browser, LONG);
}

fn somebody_else_logs_in_on_the_way(on: Backend) {
    let app = server(on);
    let alice = app.person("alice", Role::User);
    let bob = app.person("bob", Role::User);
    let shop = Shop::open(&app);
    let browser = Browser::open();
    log_in(&app, &browser, "alice", &alice);
    shop.send(&browser, "prompt=select_account");
    browser.must_say("Logged in as alice");
    browser.press("Log in as somebody else");
    browser.must_say("You are logged out.");
    browser.must_say("to go on to shop");
    browser.must_look_right("login-for-application-as-somebody-else");
    give_password(&browser, "bob", PASSWORD);
    give_code(&app, &browser, &bob);
    shop.must_know(&browser, "bob");
}

fn an_application_wants_a_code_once_more(on: Backend) {
    let app = server(on);
    let (phone, shop, browser) = alice(&app);
    log_in(&app, &browser, "alice", &phone);
    for more in ["prompt=login", "max_age=0"] {
        app.pass(60);
        shop.send(&browser, more);
        browser.must_say("Confirm that it is you");
        browser.must_say("to go on to shop");
        browser.must_look_right("again-for-application");
        browser.turn(|| browser.fill("#otp", &phone.wrong_code()));
        browser.must_say("This code is wrong.");
        give_code(&app, &browser, &phone);
        let claims = shop.must_know(&browser, "alice");
        assert_eq!(claims["auth_time"], app.clock.now().unix_seconds(), "{more}");
    }
}

fn a_phone_is_connected_on_the_way_to_an_application(on: Backend) {
    let app = server(on);
    app.user_with_password("alice");
    let shop = Shop::open(&app);
    let browser = Browser::open();
    shop.send(&browser, "");
    give_password(&browser, "alice", PASSWORD);
    browser.must_say("Connect your phone");
    browser.press("Show the QR code");
    let phone = app.phone_of(&browser.attribute("a[href^=otpauth]", "href"));
    browser.turn(|| browser.fill("#otp", &phone.wrong_code()));
    browser.must_say("This code does not fit.");
    give_code(&app, &browser, &phone);
    browser.must_say("Your recovery codes");
    browser.press("I have kept them");
    shop.must_know(&browser, "alice");
}

fn a_recovery_code_leads_on_to_an_application(on: Backend) {
    let app = server(on);
    app.person("alice", Role::User);
    let name = UserName::parse("alice").unwrap();
    let codes = app.operate(|service, conn, at| app::recovery_code::renew(service, conn, at, &name)).unwrap();
    let shop = Shop::open(&app);
    let browser = Browser::open();
    shop.send(&browser, "");
    give_password(&browser, "alice", PASSWORD);
    browser.unfold("Phone lost? Use a recovery code");
    browser.fill("#recovery_code", &codes[0].shown());
    browser.press("Use recovery code");
    browser.must_say("A fresh recovery code");
    browser.press("I have kept them");
    shop.must_know(&browser, "alice");
}

fn a_person_logs_out_at_an_application_and_here(on: Backend) {
    let app = server(on);
    let (phone, shop, browser) = alice(&app);
    for is_held in [false, true] {
        log_in(&app, &browser, "alice", &phone);
        shop.send(&browser, "");
        let tokens = shop.must_get_tokens(&browser);
        shop.leave(&browser, &form_urlencoded(&[("id_token_hint", tokens.text("id_token"))]), "Log out");
        browser.must_say("Log out here, too?");
        browser.must_say("You come from shop");
        browser.must_say("Logged in here as alice");
        assert!(!shop.client.is_active(&tokens.access_token()), "at the application it is over already");
        if is_held {
            let refresh = browser.script(HOLD, vec![Value::from("form[action='/logout/application']")]);
            assert!(refresh.as_str().unwrap().starts_with(&format!("0;url={}/bye?", shop.url)), "{refresh}");
            browser.must_say("You are logged out");
            browser.must_look_right("gone");
            // By hand, for a browser that does not.
            browser.press("Continue");
        } else {
            browser.must_look_right("end-session");
            browser.press("Deutsch");
            browser.must_say("Auch hier abmelden?");
            browser.must_look_right("end-session-german");
            browser.press("English");
            // However the application writes its request: RFC 3986 lets these stand in a query.
            browser.go(&browser.path().replace("%3A", ":").replace("%2F", "/"));
            browser.press("Deutsch");
            browser.must_say("Auch hier abmelden?");
            browser.press("English");
            browser.press("Log out");
        }
        shop.must_be_left(&browser);
        browser.visit(&format!("{}/console/account", app.url));
        browser.must_be_at("/login?to=%2Fconsole%2Faccount");
        // Whoever is not logged in is asked nothing.
        shop.leave(&browser, "", "Log out");
        shop.must_be_left(&browser);
    }
}

fn a_logout_at_an_application_needs_no_scripts(on: Backend) {
    let app = server(on);
    let phone = app.person("alice", Role::User);
    let shop = Shop::open(&app);
    let browser = Browser::without_scripts();
    shop.send(&browser, "");
    give_password(&browser, "alice", PASSWORD);
    give_code_by_hand(&app, &browser, &phone, "Log in");
    shop.must_know(&browser, "alice");
    // A form of another site brings no cookie along; the redirection that answers it does.
    shop.leave(&browser, "", "Log out by a form");
    browser.must_say("Logged in here as alice");
    browser.press("Log out");
    shop.must_be_left(&browser);
    shop.send(&browser, "prompt=none");
    assert_eq!(shop.must_be_told(&browser)["error"], "login_required");
}

fn whoever_stays_logged_in_goes_back_and_stays(on: Backend) {
    let app = server(on);
    let (phone, shop, browser) = alice(&app);
    log_in(&app, &browser, "alice", &phone);
    shop.leave(&browser, "", "Log out");
    browser.press("Stay logged in");
    shop.must_be_left(&browser);
    shop.send(&browser, "prompt=none");
    shop.must_know(&browser, "alice");
    browser.visit(&format!("{}/console/account", app.url));
    browser.must_say("alice");
}

fn a_logout_leads_back_though_another_tab_was_first(on: Backend) {
    let app = server(on);
    let (phone, shop, browser) = alice(&app);
    log_in(&app, &browser, "alice", &phone);
    let (first, second) = (browser.window(), browser.new_window());
    for window in [&first, &second] {
        browser.show_window(window);
        shop.leave(&browser, "", "Log out");
        browser.must_say("Log out here, too?");
    }
    for window in [&first, &second] {
        browser.show_window(window);
        browser.press("Log out");
        shop.must_be_left(&browser);
    }
}

fn people_are_asked_about_power_over_their_account(on: Backend) {
    let app = server(on);
    let phone = app.person("alice", Role::User);
    let shop = Shop::called("shop", "factors openid profile sessions", &app);
    let browser = Browser::open();
    shop.send(&browser, "");
    give_password(&browser, "alice", PASSWORD);
    give_code(&app, &browser, &phone);
    browser.must_say("Go on to the application?");
    browser.must_say("see, add and remove your authenticators");
    browser.must_say("see and end your sessions");
    browser.must_look_right("authorize-with-power");
    browser.press("Deutsch");
    browser.must_say("Weiter zur Anwendung?");
    browser.must_look_right("authorize-with-power-german");
    browser.press("English");
    browser.press("Continue");
    let tokens = shop.must_get_tokens(&browser);
    assert_eq!(tokens.text("scope"), "factors openid profile sessions");
    // Each time anew, and never unseen.
    shop.send(&browser, "");
    browser.press("Back to the application");
    assert_eq!(shop.must_be_told(&browser)["error"], "access_denied");
    shop.send(&browser, "prompt=none");
    assert_eq!(shop.must_be_told(&browser)["error"], "interaction_required");
    let plain = Browser::without_scripts();
    shop.send(&plain, "");
    give_password(&plain, "alice", PASSWORD);
    give_code_by_hand(&app, &plain, &phone, "Log in");
    plain.press("Continue");
    shop.must_know(&plain, "alice");
}

fn of_two_tabs_at_a_login_the_other_leads_on(on: Backend) {
    let app = server(on);
    let phone = app.person("alice", Role::User);
    let shop = Shop::open(&app);
    for at_the_code in [false, true] {
        let browser = Browser::open();
        let first = browser.window();
        shop.send(&browser, "");
        if at_the_code {
            give_password(&browser, "alice", PASSWORD);
        }
        let second = browser.new_window();
        log_in(&app, &browser, "alice", &phone);
        browser.show_window(&first);
        if at_the_code {
            give_code(&app, &browser, &phone);
        } else {
            give_password(&browser, "alice", PASSWORD);
        }
        browser.must_say("This page is no longer good.");
        browser.must_look_right("login-overtaken");
        browser.press("Log in again");
        shop.must_know(&browser, "alice");
        // The other is still logged in.
        browser.show_window(&second);
        browser.go("/console/account");
        browser.must_say("alice");
    }
}

fn a_request_that_leads_nowhere_is_not_the_readers_fault(on: Backend) {
    let app = server(on);
    let shop = Shop::open(&app);
    let browser = Browser::open();
    // An address that is not the application's, on the way in and on the way out.
    browser.visit(&format!("{}{}", app.url, request(&shop.client, &[])));
    browser.must_say("An application sent you here");
    browser.must_look_right("refused-application");
    let elsewhere = [("client_id", shop.client.id.as_str()), ("post_logout_redirect_uri", &app.url)];
    browser.go(&format!("/oauth/logout?{}", form_urlencoded(&elsewhere)));
    browser.must_say("An application sent you here");
    browser.press("To the start page");
    browser.must_be_at("/login");
}
