//! The console's pages about the system: numbers, audit log, applications, scopes, keys, mails, settings.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use countersign::app;
use countersign::app::user::NewUser;
use countersign::db;
use countersign::domain::audit::{Action, Actor, Event, Subject};
use countersign::domain::authorization::ScopeRule;
use countersign::domain::client::Grant;
use countersign::domain::notice::{MailState, MailSummary};
use countersign::domain::token::KeyState;
use countersign::domain::user::{Role, UserName};
use serde_json::Value;

use crate::actors::{App, Client, ClientSpec, PASSWORD, Phone, at_once};
use crate::management::{call, manager, must};
use crate::process::Installation;
use crate::{Backend, tests};

tests![
    every_page_is_for_the_roles_that_may_read_it,
    a_form_without_the_pages_own_mark_changes_nothing,
    an_auditor_and_a_help_desk_change_nothing,
    scripts_come_out_as_text,
    an_export_holds_no_formulas,
    an_export_holds_what_the_search_selects_and_nothing_else,
    a_search_looks_back_so_far_and_goes_on_from_there,
    the_log_is_searched_by_name_part_outcome_and_day,
    an_entry_is_shown_with_its_neighbours,
    wrong_and_used_codes_change_nothing,
    an_old_login_gives_a_code_first,
    control_characters_in_addresses_are_nobodys_fault,
    a_new_applications_secret_is_shown_once,
    a_form_says_what_is_wrong_next_to_each_field,
    an_application_is_changed_disabled_and_enabled,
    scope_rules_are_added_changed_and_never_replaced_unasked,
    nobody_takes_back_unawares_what_another_has_changed,
    of_two_who_change_an_application_at_once_one_is_told,
    a_new_application_wants_a_code_with_the_form,
    what_gives_an_application_something_wants_a_code,
    a_rule_that_another_has_changed_or_removed_is_not_put_back_unawares,
    keys_are_rotated_from_the_page,
    the_key_that_a_page_names_is_revoked,
    charts_add_up_to_the_log,
    mails_are_listed_without_their_text_and_retried,
    mails_that_were_given_up_are_tried_again_knowingly_and_only_where_they_lead_somewhere,
    times_that_are_compared_with_other_logs_have_seconds,
    settings_show_no_password,
];

/// A browser: it keeps cookies and the mark of the last page, and goes nowhere by itself.
struct Browser {
    url: String,
    agent: ureq::Agent,
    cookies: BTreeMap<String, String>,
    mark: String,
}

#[derive(Debug)]
struct Page {
    status: u16,
    headers: BTreeMap<String, String>,
    text: String,
}

impl Page {
    fn location(&self) -> &str {
        self.headers.get("location").map_or("", String::as_str)
    }

    #[track_caller]
    fn must(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.text);
        self
    }

    #[track_caller]
    fn leads_to(&self, location: &str) {
        assert_eq!((self.status, self.location()), (303, location), "{}", self.text);
    }

    #[track_caller]
    fn says(&self, text: &str) {
        assert!(self.text.contains(text), "{text} is not in {}", self.text);
    }

    #[track_caller]
    fn says_not(&self, text: &str) {
        assert!(!self.text.contains(text), "{text} is in {}", self.text);
    }
}

impl Browser {
    fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build();
        Self { url: url.to_owned(), agent: config.new_agent(), cookies: BTreeMap::new(), mark: String::new() }
    }

    fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn read(&mut self, mut response: ureq::http::Response<ureq::Body>) -> Page {
        for cookie in response.headers().get_all("set-cookie") {
            let (pair, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(100_000_000).read_to_string().unwrap();
        if let Some(mark) =
            text.split("name=\"mark\" value=\"").nth(1).and_then(|rest| rest.split('"').next())
        {
            mark.clone_into(&mut self.mark);
        }
        Page { status, headers, text }
    }

    fn get(&mut self, path: &str) -> Page {
        let response =
            self.agent.get(format!("{}{path}", self.url)).header("cookie", self.cookie()).call().unwrap();
        self.read(response)
    }

    /// Sends a form with the mark of the last page.
    fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mark = self.mark.clone();
        self.post_with(path, &[&[("mark", mark.as_str())], fields].concat(), &[])
    }

    fn post_with(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let mut request = self.agent.post(format!("{}{path}", self.url)).header("cookie", self.cookie());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send_form(fields.iter().copied()).unwrap();
        self.read(response)
    }

    #[track_caller]
    fn log_in(&mut self, user: &str, code: &str) {
        self.get("/login").must(200);
        self.post("/login", &[("username", user), ("password", PASSWORD), ("to", "/console")]).must(303);
        self.get("/login/code").must(200);
        self.post("/login/code", &[("otp", code), ("to", "/console")]).leads_to("/console");
        self.get("/console/account").must(200);
    }
}

/// The same, logged in.
fn visitor(app: &App, name: &str, role: Role) -> (Browser, Phone) {
    let phone = app.person(name, role);
    let mut browser = Browser::new(&app.url);
    browser.log_in(name, &phone.code());
    (browser, phone)
}

fn admin(app: &App) -> (Browser, Phone) {
    visitor(app, "root", Role::Admin)
}

/// The number of the log's last entry: whatever is changed moves it.
fn head(app: &App) -> i64 {
    app.operate(|_, conn, _| Ok(app::audit::last(conn, 1)?[0].seq)).unwrap()
}

fn rule(app: &App, name: &str, description: &str) {
    let rule = ScopeRule {
        name: name.to_owned(),
        description: description.to_owned(),
        audience: None,
        token_ttl_s: Some(60),
        max_age_s: None,
        acr: None,
        one_use: false,
        by_grant: false,
    };
    app.operate(|service, conn, at| app::access::put_scope(service, conn, at, &rule)).unwrap();
}

/// Writes entries into the log, as use cases do.
fn note(app: &App, events: impl IntoIterator<Item = Event>) {
    app.operate(|service, conn, at| {
        service.write(conn, at, |tx| {
            for event in events {
                tx.note(event);
            }
            Ok(())
        })
    })
    .unwrap();
}

/// Every form of these pages, for an application, with what it takes besides a code.
fn forms(client: &str) -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let registration = vec![
        ("name", "pirate"),
        ("grant-otp", "1"),
        ("token_format", "jwt"),
        ("token_ttl", "60"),
        ("session_idle", "60"),
        ("session_ttl", "60"),
        ("second_factor", "required"),
    ];
    vec![
        ("/console/clients".to_owned(), registration.clone()),
        (format!("/console/clients/{client}/edit"), registration),
        (format!("/console/clients/{client}/enable"), vec![]),
        (format!("/console/clients/{client}/disable"), vec![]),
        (format!("/console/clients/{client}/secret"), vec![]),
        (format!("/console/clients/{client}/remove"), vec![]),
        ("/console/scopes".to_owned(), vec![("name", "stacks"), ("seen", "0")]),
        ("/console/scopes/remove".to_owned(), vec![("name", "stacks")]),
        ("/console/keys/rotate".to_owned(), vec![]),
        ("/console/keys/revoke".to_owned(), vec![]),
        ("/console/outbox/retry".to_owned(), vec![]),
        ("/console/outbox/given-up".to_owned(), vec![]),
        ("/console/outbox/01a0aaaa-0000-7000-8000-000000000001/retry".to_owned(), vec![]),
    ]
}

fn every_page_is_for_the_roles_that_may_read_it(on: Backend) {
    let app = App::start(on);
    rule(&app, "stacks", "The closed stacks");
    let client = app.client().id;
    let (reads, helps, changes) = (&["root", "audrey"][..], &["root", "audrey", "helen"][..], &["root"][..]);
    let pages = [
        ("/console/overview".to_owned(), helps),
        ("/console/audit".to_owned(), reads),
        ("/console/audit/1".to_owned(), reads),
        ("/console/audit/export?format=csv".to_owned(), reads),
        ("/console/audit/export?format=jsonl".to_owned(), reads),
        ("/console/clients".to_owned(), reads),
        (format!("/console/clients/{client}"), reads),
        ("/console/clients/new".to_owned(), changes),
        (format!("/console/clients/{client}/edit"), changes),
        (format!("/console/clients/{client}/disable"), changes),
        (format!("/console/clients/{client}/secret"), changes),
        (format!("/console/clients/{client}/remove"), changes),
        ("/console/scopes".to_owned(), reads),
        ("/console/scopes/rule".to_owned(), changes),
        ("/console/scopes/rule?name=stacks".to_owned(), changes),
        ("/console/scopes/remove?name=stacks".to_owned(), changes),
        ("/console/keys".to_owned(), reads),
        ("/console/keys/revoke".to_owned(), changes),
        ("/console/outbox".to_owned(), reads),
        ("/console/settings".to_owned(), reads),
    ];
    let people =
        [("root", Role::Admin), ("audrey", Role::Auditor), ("helen", Role::Helpdesk), ("uma", Role::User)];
    for (name, role) in people {
        let (mut browser, _) = visitor(&app, name, role);
        for (path, allowed) in &pages {
            let status = browser.get(path).status;
            assert_eq!(status, if allowed.contains(&name) { 200 } else { 403 }, "{name} {path}");
        }
        let overview = browser.get("/console/overview");
        if name == "helen" {
            overview.says("Users");
            overview.says("Authenticators by state");
            overview.says_not("Logins today");
            overview.says_not("Mails waiting");
        }
    }
    for (path, _) in &pages {
        let page = Browser::new(&app.url).get(path);
        assert!(page.status == 303 && page.location().starts_with("/login?to="), "{path} {page:?}");
    }
    let (mut root, _) = visitor(&app, "root2", Role::Admin);
    let nothing = "01a0aaaa-0000-7000-8000-000000000001";
    for path in [
        format!("/console/clients/{nothing}"),
        "/console/clients/shop".to_owned(),
        "/console/clients/00000000-0000-7000-8000-636f6e736f6c".to_owned(),
        "/console/audit/0".to_owned(),
        "/console/audit/9223372036854775807".to_owned(),
        "/console/audit/x".to_owned(),
        "/console/scopes/rule?name=nothing".to_owned(),
        "/console/scopes/remove?name=nothing".to_owned(),
    ] {
        root.get(&path).must(404);
    }
}

fn a_form_without_the_pages_own_mark_changes_nothing(on: Backend) {
    let app = App::start(on);
    rule(&app, "stacks", "The closed stacks");
    let client = app.client().id;
    let (mut root, phone) = admin(&app);
    app.next_step();
    let before = head(&app);
    let mark = root.mark.clone();
    for (path, fields) in forms(&client) {
        let code = phone.code();
        let fields = [fields, vec![("otp", code.as_str())]].concat();
        root.post_with(&path, &fields, &[]).must(403);
        let forged = [fields.clone(), vec![("mark", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]].concat();
        root.post_with(&path, &forged, &[]).must(403);
        let right = [fields, vec![("mark", mark.as_str())]].concat();
        root.post_with(&path, &right, &[("sec-fetch-site", "cross-site")]).must(403);
        root.post_with(&path, &right, &[("origin", "https://evil.example")]).must(403);
    }
    assert_eq!(head(&app), before);
}

fn an_auditor_and_a_help_desk_change_nothing(on: Backend) {
    let app = App::start(on);
    rule(&app, "stacks", "The closed stacks");
    let client = app.client().id;
    for (name, role) in [("audrey", Role::Auditor), ("helen", Role::Helpdesk), ("uma", Role::User)] {
        let (mut browser, phone) = visitor(&app, name, role);
        app.next_step();
        let before = head(&app);
        for (path, fields) in forms(&client) {
            let code = phone.code();
            let page = browser.post(&path, &[fields, vec![("otp", code.as_str())]].concat());
            assert_eq!(page.status, 403, "{name} {path}");
        }
        assert_eq!(head(&app), before, "{name}");
    }
}

fn scripts_come_out_as_text(on: Backend) {
    const SCRIPT: &str = "<script>alert(1)</script>";
    let app = App::start(on);
    rule(&app, "stacks", SCRIPT);
    rule(&app, "a<b>'&c", "strange");
    let client = app.client_with(ClientSpec { name: SCRIPT, ..ClientSpec::default() }).id;
    app.user("<b>bold</b>");
    let (mut root, _) = admin(&app);
    // The entry that says the application's name in its details.
    let entries = app.operate(|_, conn, _| app::audit::last(conn, 100)).unwrap();
    let added = entries.iter().find(|entry| entry.action == "client.added").unwrap();
    assert!(added.detail.as_ref().unwrap().contains(SCRIPT));
    for path in [
        "/console/clients".to_owned(),
        format!("/console/clients/{client}"),
        format!("/console/clients/{client}/edit"),
        format!("/console/clients/{client}/remove"),
        "/console/scopes".to_owned(),
        "/console/scopes/rule?name=stacks".to_owned(),
        format!("/console/audit/{}", added.seq),
        "/console/audit".to_owned(),
        "/console/audit?who=%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(),
        "/console/audit?who=%3Cb%3Ebold%3C%2Fb%3E&from=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        "/console/outbox?state=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
    ] {
        let page = root.get(&path);
        assert!(matches!(page.status, 200 | 400), "{path}");
        page.says_not("<script>alert");
        page.says_not("<b>bold");
        assert!(page.headers["content-security-policy"].contains("script-src 'self'"), "{path}");
        assert!(!page.text.contains(" style=") && !page.text.contains("onclick"), "{path}");
    }
    root.get("/console/clients").says("&#60;script&#62;alert(1)");
    // A name with characters that mean something in addresses leads to its own rule.
    let page = root.get("/console/scopes");
    let link = page.text.split("/console/scopes/rule?name=a").nth(1).unwrap().split('"').next().unwrap();
    root.get(&format!("/console/scopes/rule?name=a{link}")).must(200).says("strange");
}

fn csv(page: &Page) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(page.text.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

fn an_export_holds_no_formulas(on: Backend) {
    let app = App::start(on);
    let names = ["=1+1", "+2", "-3", "@SUM(A1)"];
    for name in names {
        app.user(name);
    }
    let (mut root, _) = admin(&app);
    note(
        &app,
        [Event::done(Actor::System, Action::MailRetried, None).with("=HYPERLINK(\"x\",\"y\"),\n\"z\"")],
    );
    let page = root.get("/console/audit/export?format=csv").must(200);
    assert_eq!(page.headers["content-type"], "text/csv; charset=utf-8");
    assert!(page.headers["content-disposition"].contains("attachment"));
    let rows = csv(&page);
    for row in &rows {
        for (column, cell) in row {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{column} {cell}");
        }
    }
    for name in names {
        assert!(rows.iter().any(|row| row["subject_name"] == format!("'{name}")), "{name}");
    }
    assert!(rows.iter().any(|row| row["detail"] == "'=HYPERLINK(\"x\",\"y\"),\n\"z\""));
    // JSON is for programs, and says what is there.
    root.get("/console/audit/export?format=jsonl").must(200).says(r#""subject_name":"=1+1""#);
}

/// Very much that fits half of a search, and the one entry that fits all of it before that.
fn a_search_looks_back_so_far_and_goes_on_from_there(on: Backend) {
    let app = App::start(on);
    let (mut root, _) = admin(&app);
    app.user("alice");
    let name = UserName::parse("alice").unwrap();
    let alice = app.operate(|_, conn, at| app::user::show(conn, at, &name)).unwrap().user.id;
    let wanted = head(&app);
    let shown = |_| Event::done(Actor::System, Action::MailShown, Subject::User(alice));
    note(&app, [Event::refused(Actor::System, Action::MailRetried, Subject::User(alice), "full")]);
    let retried = head(&app);
    note(&app, (0..25_000).map(shown));
    for (query, found) in [
        (format!("who=user:{alice}&action=user.added"), wanted),
        (format!("who=user:{alice}&part=subject&action=user.added"), wanted),
        ("who=system&part=actor&action=mail.retried".to_owned(), retried),
        ("who=system&outcome=refused".to_owned(), retried),
    ] {
        let mut path = format!("/console/audit?{query}");
        let mut looks = 1;
        let page = loop {
            let page = root.get(&path).must(200);
            if page.text.contains(&format!("href=\"/console/audit/{found}\"")) {
                break page;
            }
            page.says("This page has looked back to entry");
            page.says_not("No entry is like that");
            path = older(&page).expect("a next page");
            looks += 1;
        };
        assert_eq!(looks, 3, "{query}");
        page.says_not("looked back to");
        assert_eq!(older(&page), None);
        let table = root.get(&format!("/console/audit/export?format=csv&{query}")).must(200);
        let seqs: Vec<i64> = csv(&table).iter().map(|row| row["seq"].parse().unwrap()).collect();
        assert_eq!(seqs, [found], "{query}");
    }
    // Where there is none, the last page says so.
    let mut page = root.get("/console/audit?who=system&action=database.moved").must(200);
    while let Some(next) = older(&page) {
        page = root.get(&next).must(200);
    }
    page.says("No entry is like that");
    page.says_not("looked back to");
    // The management API: pages without anything, and a cursor.
    let token = manager(&app, "reader", "audit:read");
    let mut path = format!("/v1/audit?subject=user:{alice}&action=user.added");
    let mut items = Vec::new();
    let mut looks = 0;
    loop {
        let reply = call(&app, "GET", &path, &token, &Value::Null);
        let body = must(200, &reply);
        items.extend(body["items"].as_array().unwrap().iter().map(|item| item["seq"].as_i64().unwrap()));
        looks += 1;
        let Some(next) = body["next"].as_str() else { break };
        path = format!("/v1/audit?subject=user:{alice}&action=user.added&cursor={next}");
    }
    assert_eq!((items, looks), (vec![wanted], 3));
}

fn an_export_holds_what_the_search_selects_and_nothing_else(on: Backend) {
    let app = App::start(on);
    let (mut root, _) = admin(&app);
    let first = head(&app) + 1;
    note(
        &app,
        (0..2500).map(|number| {
            let event = match number % 5 {
                0 => Event::refused(Actor::System, Action::MailRetried, None, "full"),
                1 => Event::done(Actor::System, Action::MailShown, None),
                _ => Event::done(Actor::System, Action::MailRetried, None),
            };
            event.with(format!("number={number}"))
        }),
    );
    let expected = |keep: fn(i64) -> bool| -> Vec<i64> {
        (0..2500).rev().filter(|number| keep(*number)).map(|number| first + number).collect()
    };
    let exported = |root: &mut Browser, query: &str| -> Vec<i64> {
        let table = root.get(&format!("/console/audit/export?format=csv&{query}")).must(200);
        let seqs: Vec<i64> = csv(&table).iter().map(|row| row["seq"].parse().unwrap()).collect();
        let lines = root.get(&format!("/console/audit/export?format=jsonl&{query}")).must(200);
        let objects = lines.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        assert_eq!(objects.map(|object| object["seq"].as_i64().unwrap()).collect::<Vec<_>>(), seqs);
        seqs
    };
    assert_eq!(exported(&mut root, "action=mail.retried"), expected(|number| number % 5 != 1));
    let refused = "action=mail.retried&outcome=refused";
    assert_eq!(exported(&mut root, refused), expected(|number| number % 5 == 0));
    assert_eq!(exported(&mut root, "who=system&outcome=done&action=mail.shown").len(), 500);
    // All of it, the log's first entries included.
    let all = exported(&mut root, "");
    assert_eq!(all, (1..=head(&app)).rev().collect::<Vec<_>>());
    // Page by page the same.
    let mut paged = Vec::new();
    let mut path = format!("/console/audit?{refused}");
    loop {
        let page = root.get(&path).must(200);
        let seqs = page.text.split("href=\"/console/audit/").skip(1);
        paged.extend(seqs.filter_map(|rest| rest.split('"').next()?.parse::<i64>().ok()));
        let Some(next) = older(&page) else { break };
        path = next;
    }
    assert_eq!(paged, expected(|number| number % 5 == 0));
}

/// Where the page of the log leads that goes on from this one.
fn older(page: &Page) -> Option<String> {
    let mut links = page.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links.find(|link| link.contains("before=")).map(|link| link.replace("&#38;", "&"))
}

/// The entries on a page, the youngest first.
fn listed(root: &mut Browser, query: &str) -> Vec<i64> {
    let page = root.get(&format!("/console/audit?{query}")).must(200);
    let seqs = page.text.split("href=\"/console/audit/").skip(1);
    seqs.filter_map(|rest| rest.split('"').next()?.parse().ok()).collect()
}

fn the_log_is_searched_by_name_part_outcome_and_day(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let phone = app.person("Alice", Role::User);
    assert_eq!(shop.otp("Alice", &phone.code()).status, 200);
    shop.otp("Alice", &phone.wrong_code());
    app.pass(86_400);
    app.lock("Alice");
    let (mut root, _) = admin(&app);
    let log = app.operate(|_, conn, _| app::audit::last(conn, 1000)).unwrap();
    let id =
        app.operate(|_, conn, at| app::user::show(conn, at, &UserName::parse("alice").unwrap())).unwrap();
    let alice = Subject::User(id.user.id).stored();
    let all = |keep: &dyn Fn(&countersign::domain::audit::Entry) -> bool| -> Vec<i64> {
        log.iter().rev().filter(|entry| keep(entry)).map(|entry| entry.seq).collect()
    };
    let to = |entry: &countersign::domain::audit::Entry| entry.subject.as_ref() == Some(&alice);
    let by = |entry: &countersign::domain::audit::Entry| entry.actor == alice;
    assert_eq!(listed(&mut root, "who=aLICE"), all(&|entry| to(entry) || by(entry)));
    assert_eq!(listed(&mut root, "who=alice&part=subject"), all(&to));
    assert_eq!(listed(&mut root, "who=alice&part=actor"), all(&by));
    assert_eq!(listed(&mut root, "who=alice&outcome=refused").len(), 1);
    let client = format!("client:{}", shop.id);
    let shops = all(&|entry| entry.actor == client || entry.subject.as_ref() == Some(&client));
    assert_eq!(listed(&mut root, "who=shop"), shops);
    assert_eq!(listed(&mut root, &format!("who={client}")), shops);
    let day = |day: &'static str| {
        all(&move |entry: &countersign::domain::audit::Entry| entry.at.to_string().starts_with(day))
    };
    let (first, second) = (day("2026-03-01"), day("2026-03-02"));
    assert!(!first.is_empty() && !second.is_empty());
    assert_eq!(listed(&mut root, "until=2026-03-01"), first);
    assert_eq!(listed(&mut root, "from=2026-03-02"), second);
    assert_eq!(listed(&mut root, "from=2026-03-01&until=2026-03-02"), [second, first].concat());
    assert!(listed(&mut root, "from=2026-03-03").is_empty());
    assert!(listed(&mut root, "until=2026-02-28").is_empty());
    root.get("/console/audit?who=nobody").must(200).says("No user or application has this name");
    for bad in ["from=2026-02-30", "until=x", "action=x", "part=x", "outcome=x"] {
        root.get(&format!("/console/audit?{bad}")).must(400).says("class=\"error\"");
    }
    // The name goes with the user; what happened stays.
    root.get("/console/audit?action=user.locked").says("<bdi>Alice</bdi>");
    app.operate(|service, conn, at| app::user::remove(service, conn, at, &UserName::parse("alice").unwrap()))
        .unwrap();
    let page = root.get("/console/audit?action=user.locked").must(200);
    page.says_not("<bdi>Alice</bdi>");
    page.says("A user who is gone");
}

fn an_entry_is_shown_with_its_neighbours(on: Backend) {
    let app = App::start(on);
    app.client();
    let (mut root, _) = admin(&app);
    let log = app.operate(|_, conn, _| app::audit::last(conn, 1000)).unwrap();
    let added = log.iter().find(|entry| entry.action == "client.added").unwrap();
    let page = root.get(&format!("/console/audit/{}", added.seq)).must(200);
    let mut hash = String::new();
    for byte in &added.hash {
        write!(hash, "{byte:02x}").unwrap();
    }
    for part in ["name=shop", &hash, "client.added", added.subject.as_ref().unwrap()] {
        page.says(part);
    }
    page.says(&format!("/console/audit/{}\"", added.seq - 1));
    page.says(&format!("/console/audit/{}\"", added.seq + 1));
    root.get("/console/audit/1").must(200).says_not("/console/audit/0\"");
}

/// What the deeds that want a code leave in the log, in the order in which the test does them.
const DONE: [&str; 5] =
    ["client.disabled", "client_secret.renewed", "client.removed", "scope.removed", "signing_key.revoked"];

fn wrong_and_used_codes_change_nothing(on: Backend) {
    let app = App::start(on);
    rule(&app, "stacks", "The closed stacks");
    let client = app.client();
    let (mut root, phone) = admin(&app);
    let used = phone.code();
    let paths = [
        format!("/console/clients/{}/disable", client.id),
        format!("/console/clients/{}/secret", client.id),
        format!("/console/clients/{}/remove", client.id),
        "/console/scopes/remove".to_owned(),
        "/console/keys/revoke".to_owned(),
    ];
    let fields = |path: &str| if path.contains("scopes") { vec![("name", "stacks")] } else { vec![] };
    let changes = || -> Vec<String> {
        let log = app.operate(|_, conn, _| app::audit::last(conn, 1000)).unwrap();
        let entries = log.into_iter().filter(|entry| DONE.contains(&entry.action.as_str()));
        entries.map(|entry| entry.action).collect()
    };
    for path in &paths {
        for code in [used.as_str(), "", "abc"] {
            let page = root.post(path, &[fields(path), vec![("otp", code)]].concat());
            assert!((400..500).contains(&page.status), "{path} {code} {}", page.status);
            page.says("id=\"error\"");
        }
    }
    // One each, so that no wait is in the way.
    let wrong = phone.wrong_code();
    for path in &paths {
        let page = root.post(path, &[fields(path), vec![("otp", wrong.as_str())]].concat());
        page.says("id=\"error\"");
    }
    assert_eq!(changes(), Vec::<String>::new());
    assert_eq!(app.operate(|_, conn, _| app::access::scopes(conn)).unwrap().len(), 1);
    // With the right one each does what it says, once.
    for (path, next) in paths.iter().zip([
        format!("/console/clients/{}?said=client-disabled", client.id),
        String::new(),
        "/console/clients?said=client-removed".to_owned(),
        "/console/scopes?said=scope-removed".to_owned(),
        "/console/keys?said=key-revoked".to_owned(),
    ]) {
        app.pass(60);
        let code = phone.code();
        let page = root.post(path, &[fields(path), vec![("otp", code.as_str())]].concat());
        if next.is_empty() {
            // Shown, not led to.
            page.must(200).says("css_");
            continue;
        }
        page.leads_to(&next);
        root.get(&next).must(200).says("class=\"said\"");
    }
    assert_eq!(changes(), DONE);
}

fn an_old_login_gives_a_code_first(on: Backend) {
    let app = App::start(on);
    let client = app.client().id;
    let (mut root, phone) = admin(&app);
    app.pass(16 * 60);
    let before = head(&app);
    let edit = format!("/console/clients/{client}/edit");
    let page = root.get(&edit);
    assert!(page.status == 303 && page.location().starts_with("/login/again?to="), "{page:?}");
    // Where a code comes with the form in any case, none is wanted before.
    root.get("/console/clients/new").must(200).says("name=\"otp\"");
    let page = root.post("/console/keys/rotate", &[]);
    assert!(page.status == 303 && page.location().starts_with("/login/again?to="), "{page:?}");
    assert_eq!(head(&app), before);
    root.get(&format!("/login/again?to={edit}")).must(200);
    let code = phone.code();
    root.post("/login/again", &[("otp", &code), ("to", &edit)]).leads_to(&edit);
    root.get(&edit).must(200);
    root.post("/console/keys/rotate", &[]).leads_to("/console/keys?said=keys-rotated");
}

fn control_characters_in_addresses_are_nobodys_fault(on: Backend) {
    let app = App::start(on);
    let (mut root, _) = admin(&app);
    for control in ["%00", "x%00y", "%01", "%1f", "%7f", "%c2%85", "%0d%0a", "%ff"] {
        for page in [
            "/console/clients?after=",
            "/console/users?after=n",
            "/console/users?after=e%1f",
            "/console/users?q=",
            "/console/users?role=",
            "/console/audit?who=",
            "/console/audit?action=",
            "/console/audit/export?format=csv&who=",
            "/console/scopes/rule?name=",
            "/console/keys/revoke?key=",
            "/console/outbox?state=",
            "/console/account?said=",
            "/login/again?to=/console/users%3Fq=",
        ] {
            let answer = root.get(&format!("{page}{control}"));
            assert!(answer.status < 500, "{page}{control}: {answer:?}");
        }
    }
    // What is left of it counts.
    let found = listed(&mut root, "who=root");
    assert!(!found.is_empty());
    assert_eq!(listed(&mut root, "who=r%00oot%00"), found);
}

/// A whole form of an application, with what `more` says in place of the defaults.
fn registration<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("name", "library"),
        ("grant-otp", "1"),
        ("grant-refresh-token", "1"),
        ("scope", "documents:read offline_access"),
        ("audiences", "https://api.example\r\nhttps://other.example"),
        ("redirect_uris", ""),
        ("detail_types", "door"),
        ("token_format", "opaque"),
        ("token_ttl", "120"),
        ("session_idle", "3600"),
        ("session_ttl", "86400"),
        ("second_factor", "required"),
    ];
    for (name, value) in more {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields
}

fn a_new_applications_secret_is_shown_once(on: Backend) {
    let app = App::start(on);
    let alice = app.person("alice", Role::User);
    let (mut root, phone) = admin(&app);
    app.next_step();
    let page = root.post("/console/clients", &registration(&[("otp", &phone.code())])).must(200);
    assert_eq!(page.headers["cache-control"], "no-store");
    let word =
        |before: &str| page.text.split(before).nth(1).unwrap().split(['<', '"']).next().unwrap().to_owned();
    let (secret, id) = (format!("css_{}", word("css_")), word("/console/clients/"));
    assert_eq!(page.text.matches(&secret).count(), 1);
    let form = format!(
        "grant_type=urn:countersign:params:oauth:grant-type:otp&username=alice&otp={}&client_id={id}&client_secret={secret}",
        alice.code()
    );
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let reply = app.post("/oauth/token", &kind, form.as_bytes());
    assert_eq!(reply.status, 200, "{reply:?}");
    // Nowhere else, and never again.
    for path in [
        "/console/clients".to_owned(),
        format!("/console/clients/{id}"),
        format!("/console/clients/{id}/edit"),
        "/console/audit".to_owned(),
        "/console/audit/export?format=jsonl".to_owned(),
    ] {
        root.get(&path).must(200).says_not(&secret);
    }
    // The form sent again adds no second one, and shows nothing.
    let again = root.post("/console/clients", &registration(&[])).must(409);
    again.says("There is an application of this name");
    again.says_not("css_");
    let page = root.get(&format!("/console/clients/{id}")).must(200);
    for part in
        ["documents:read offline_access", "https://other.example", "door", "2 minutes", "one hour", "one day"]
    {
        page.says(part);
    }
    // A new one takes its place, once a code was given.
    app.next_step();
    root.get(&format!("/console/clients/{id}/secret")).must(200).says("wrong at once");
    root.post(&format!("/console/clients/{id}/secret"), &[("otp", &phone.wrong_code())]).must(400);
    assert_eq!(
        app.post("/oauth/introspect", &kind, form.as_bytes()).status,
        400,
        "the old one is still right"
    );
    let page = root.post(&format!("/console/clients/{id}/secret"), &[("otp", &phone.code())]).must(200);
    assert_eq!(page.headers["cache-control"], "no-store");
    assert!(page.text.contains("css_") && !page.text.contains(&secret));
    assert_eq!(app.post("/oauth/token", &kind, form.as_bytes()).status, 401);
}

fn a_form_says_what_is_wrong_next_to_each_field(on: Backend) {
    let app = App::start(on);
    let (mut root, _) = admin(&app);
    let before = head(&app);
    for (field, value) in [
        ("name", "ümlaut"),
        ("scope", "quo\"te"),
        ("audiences", "no-uri"),
        ("redirect_uris", "https://a.example/#fragment"),
        ("detail_types", "<>\u{1}"),
        ("token_ttl", "0"),
        ("token_ttl", "soon"),
        ("token_ttl", "2592001"),
        ("session_idle", "-1"),
        ("session_ttl", "99999999999999999999"),
        ("second_factor", "maybe"),
        ("token_format", "clay"),
    ] {
        let page = root.post("/console/clients", &registration(&[(field, value)])).must(400);
        page.says(&format!("id=\"{field}-error\""));
        assert_eq!(page.text.matches("<p class=\"error\" id=\"").count(), 1, "{field}: {}", page.text);
        // What was typed is still there.
        for (other, kept) in
            [("audiences", "https://other.example"), ("scope", "documents:read offline_access")]
        {
            if other != field {
                page.says(kept);
            }
        }
    }
    let page =
        root.post("/console/clients", &registration(&[("grant-otp", ""), ("grant-refresh-token", "")]));
    page.must(400).says("id=\"grants-error\"");
    let client_like = "01a0aaaa-0000-7000-8000-000000000001".to_owned();
    let once = [("one_use", "1"), ("token_format", "jwt")];
    root.post("/console/clients", &registration(&once)).must(400).says("id=\"token_format-error\"");
    let page = root.post("/console/clients", &registration(&[("name", &client_like)])).must(400);
    page.says("id=\"name-error\">A name cannot be a UUID");
    page.says("https://other.example");
    let several = registration(&[("token_ttl", "x"), ("session_idle", "y")]);
    let page = root.post("/console/clients", &several).must(400);
    page.says("id=\"token_ttl-error\"");
    page.says("id=\"session_idle-error\"");
    for (field, value) in [
        ("name", "two words"),
        ("audience", "nothing"),
        ("token_ttl", "0"),
        ("max_age", "1.5"),
        ("acr", "urn:countersign:acr:hope"),
    ] {
        let name = if field == "name" { value } else { "stacks" };
        let fields: Vec<(&str, &str)> =
            if field == "name" { vec![("name", name)] } else { vec![("name", name), (field, value)] };
        let page = root.post("/console/scopes", &fields).must(400);
        let shown = if field == "name" { "name" } else { field };
        page.says(&format!("id=\"{shown}-error\""));
    }
    assert_eq!(head(&app), before);
}

fn an_application_is_changed_disabled_and_enabled(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let phone = app.person("alice", Role::User);
    let token = client.otp("alice", &phone.code()).access_token();
    assert!(client.is_active(&token));
    let (mut root, own) = admin(&app);
    let path = format!("/console/clients/{}", client.id);
    root.get(&format!("{path}/edit")).must(200).says("value=\"900\"");
    let seen = seen(&root.get(&format!("{path}/edit")));
    app.next_step();
    let code = own.code();
    let form = registration(&[("name", "another"), ("token_ttl", "300"), ("seen", &seen), ("otp", &code)]);
    root.post(&format!("{path}/edit"), &form).leads_to(&format!("{path}?said=client-changed"));
    let page = root.get(&path).must(200);
    page.says("5 minutes");
    // The name stays: nothing of that name was made.
    page.says("<h1>shop");
    assert_eq!(app.operate(|_, conn, _| app::client::list(conn)).unwrap().len(), 1);
    app.next_step();
    root.get(&format!("{path}/disable")).must(200).says("Everybody who is logged in at shop");
    root.post(&format!("{path}/disable"), &[("otp", &own.code())])
        .leads_to(&format!("{path}?said=client-disabled"));
    client.introspect(&token).must_be(401, "invalid_client");
    root.post(&format!("{path}/enable"), &[]).leads_to(&format!("{path}?said=client-enabled"));
    assert!(!client.is_active(&token));
    app.next_step();
    assert_eq!(client.otp("alice", &phone.code()).status, 200);
}

/// What a form carries of what it showed.
fn seen(page: &Page) -> String {
    let rest = page.text.split("name=\"seen\" value=\"").nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn nobody_takes_back_unawares_what_another_has_changed(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec::with_scopes("read write"));
    let (mut root, roots) = admin(&app);
    let (mut other, others) = visitor(&app, "ruth", Role::Admin);
    let path = format!("/console/clients/{}", client.id);
    let edit = format!("{path}/edit");
    let first = seen(&root.get(&edit).must(200));
    let send = |browser: &mut Browser, phone: &Phone, scope: &str, ttl: &str, seen: &str| {
        app.next_step();
        let changes = [("scope", scope), ("token_ttl", ttl), ("seen", seen), ("otp", &phone.code())];
        browser.post(&edit, &registration(&changes))
    };
    let scopes = || app.operate(|_, conn, _| app::client::show(conn, &client.id)).unwrap().scopes.to_string();
    // While one reads, another takes a scope away. Who is overtaken has used up no code.
    let as_first = seen(&other.get(&edit).must(200));
    send(&mut other, &others, "read", "120", &as_first).leads_to(&format!("{path}?said=client-changed"));
    let changes = head(&app);
    let page = send(&mut root, &roots, "read write", "300", &first).must(409);
    assert_eq!((scopes().as_str(), head(&app)), ("read", changes), "nothing was saved");
    // What was typed is there, what is stored stands beside it, and what is the same does not.
    for part in ["Somebody else has changed this", "Stored now", "value=\"read write\"", "value=\"300\""] {
        page.says(part);
    }
    let beside = page.text.split("<strong>Scopes</strong>").nth(1).unwrap().split("</li>").next().unwrap();
    let values: Vec<_> = beside.split("<bdi>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
    assert_eq!(values, ["read", "read write"]);
    page.says_not("<strong>Access tokens</strong>");
    // Neither an old print nor a made-up one nor none is good; a mistake in between loses the print no more than what was typed.
    for old in [first.as_str(), "0", ""] {
        send(&mut root, &roots, "read write", "300", old).must(409);
    }
    let now = seen(&page);
    let wrong = send(&mut root, &roots, "read write", "soon", &now).must(400);
    assert_eq!(seen(&wrong), now);
    // Knowingly it is saved.
    send(&mut root, &roots, "read write", "300", &now).leads_to(&format!("{path}?said=client-changed"));
    assert_eq!(scopes(), "read write");
    // Who meant the same is not bothered.
    send(&mut other, &others, "read  write", "300", &as_first)
        .leads_to(&format!("{path}?said=client-changed"));
    // An application that is gone is not made anew unasked.
    let root_page = root.get(&edit).must(200);
    root_page.says("name=\"name\" value=\"shop\"");
    app.operate(|service, conn, at| app::client::remove(service, conn, at, &client.id)).unwrap();
    let now = app.operate(|_, conn, _| app::client::list(conn)).unwrap().len();
    let page = send(&mut root, &roots, "read", "300", &seen(&root_page)).must(409);
    page.says("Somebody else has removed this application");
    page.says("value=\"300\"");
    page.says("action=\"/console/clients\"");
    page.says_not("name=\"seen\"");
    assert_eq!(now, 0);
    // Knowingly it is another one.
    app.next_step();
    let code = roots.code();
    let anew = registration(&[("name", "shop"), ("otp", &code)]);
    root.post("/console/clients", &anew).must(200).says("css_");
}

fn of_two_who_change_an_application_at_once_one_is_told(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let people = ["root", "ruth", "rita", "roy"];
    let browsers: Vec<_> = people.iter().map(|name| Mutex::new(visitor(&app, name, Role::Admin))).collect();
    app.next_step();
    let edit = format!("/console/clients/{}/edit", client.id);
    let answers = at_once(people.len(), |index| {
        let (browser, _) = &mut *browsers[index].lock().unwrap();
        let seen = seen(&browser.get(&edit).must(200));
        (seen, index)
    });
    let answers = at_once(people.len(), |index| {
        let (browser, phone) = &mut *browsers[index].lock().unwrap();
        let (ttl, code) = ((300 + index).to_string(), phone.code());
        let form = registration(&[("token_ttl", &ttl), ("seen", &answers[index].0), ("otp", &code)]);
        browser.post(&edit, &form).status
    });
    assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 409).count(), people.len() - 1, "{answers:?}");
}

/// What a form says that wants a code and has none.
const CODE_WANTED: &str = "An application that is new, or may do more than before, wants a code of yours. Nothing has been saved yet.";

/// A stolen cookie, however soon after a code, registers no application.
fn a_new_application_wants_a_code_with_the_form(on: Backend) {
    let app = App::start(on);
    let (mut root, phone) = admin(&app);
    let before = head(&app);
    let field = "name=\"otp\"";
    root.get("/console/clients/new").must(200).says(field);
    let new = [("scope", "users"), ("grant-client-credentials", "1")];
    for (code, said) in
        [("", CODE_WANTED), ("12", "A code is 6 to 8 digits."), (&*phone.wrong_code(), "This code is wrong.")]
    {
        let fields = registration(&[&new[..], &[("otp", code)]].concat());
        let page = root.post("/console/clients", &fields).must(400);
        page.says(said);
        // All that was typed is there.
        for kept in [
            "value=\"library\"",
            "value=\"users\"",
            "name=\"grant-client-credentials\" value=\"1\" checked",
            field,
        ] {
            page.says(kept);
        }
        page.says_not("css_");
    }
    assert_eq!(head(&app), before + 1, "nothing but one wrong code");
    // With one it is done, also where the login is old.
    app.pass(20 * 60);
    let code = phone.code();
    let fields = registration(&[&new[..], &[("otp", &code)]].concat());
    root.post("/console/clients", &fields).must(200).says("css_");
    // A name that is taken, or a field that is wrong, uses up none.
    app.next_step();
    let code = phone.code();
    let fields = registration(&[&new[..], &[("otp", &code)]].concat());
    root.post("/console/clients", &fields).must(409);
    let wrong = [("name", "third"), ("token_ttl", "x"), ("otp", &*code)];
    root.post("/console/clients", &registration(&wrong)).must(400);
    root.post("/console/clients", &registration(&[("name", "third"), ("otp", &code)])).must(200).says("css_");
}

/// The form of an application as it is stored, but for `changes`; without what has an empty value there.
fn stored_form(app: &App, client: &Client<'_>, changes: &[(&'static str, &str)]) -> Vec<(String, String)> {
    let stored = app.operate(|_, conn, _| app::client::show(conn, &client.id)).unwrap();
    let mut fields: BTreeMap<String, String> = [
        ("scope", stored.scopes.to_string()),
        ("audiences", stored.audiences.join("\n")),
        ("redirect_uris", stored.redirect_uris.join("\n")),
        ("token_format", stored.policy.format().to_string()),
        ("token_ttl", stored.policy.ttl_s().to_string()),
        ("session_idle", stored.sessions.idle_s().to_string()),
        ("session_ttl", stored.sessions.ttl_s().to_string()),
        ("second_factor", stored.second_factor.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for grant in stored.grants {
        let word = grant.as_str().rsplit(['/', ':']).next().unwrap().replace('_', "-");
        fields.insert(format!("grant-{word}"), "1".to_owned());
    }
    fields.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    fields.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// Nor does it give anything to one that is there.
fn what_gives_an_application_something_wants_a_code(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec {
        grants: vec![Grant::AuthorizationCode, Grant::RefreshToken],
        audiences: &["https://api.example"],
        ..ClientSpec::with_scopes("documents:read")
    });
    let manager = app.client_with(ClientSpec { name: "butler", ..ClientSpec::with_scopes("users") });
    let (mut root, phone) = admin(&app);
    let edit_of = |client: &Client<'_>| format!("/console/clients/{}/edit", client.id);
    let edit = edit_of(&client);
    root.get(&edit).must(200).says_not("name=\"otp\"");
    let send = |browser: &mut Browser, changes: &[(&'static str, &str)], code: &str| {
        let fields = stored_form(&app, &client, changes);
        let seen = seen(&browser.get(&edit).must(200));
        let more = [("seen", seen.as_str()), ("otp", code)];
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        browser.post(&edit, &fields.chain(more).collect::<Vec<_>>())
    };
    let before = head(&app);
    for (name, value) in [
        ("scope", "documents:read documents:write"),
        ("scope", "factors"),
        ("redirect_uris", "https://shop.example/callback\nhttps://evil.example/callback"),
        ("redirect_uris", "https://evil.example/callback"),
        ("audiences", "https://api.example\nhttps://bank.example"),
        ("grant-client-credentials", "1"),
        ("detail_types", "door"),
        ("second_factor", "optional"),
    ] {
        for (code, said) in [("", CODE_WANTED), ("000", "A code is 6 to 8 digits.")] {
            let page = send(&mut root, &[(name, value)], code).must(400);
            page.says(said);
            page.says("name=\"otp\"");
            page.says(value.lines().last().unwrap());
        }
    }
    // What manages already is not changed without one either, in any way.
    let seen_of_manager = seen(&root.get(&edit_of(&manager)).must(200));
    let any = registration(&[("name", "butler"), ("scope", "read"), ("seen", &seen_of_manager)]);
    root.post(&edit_of(&manager), &any).must(400).says(CODE_WANTED);
    assert_eq!(head(&app), before);
    // To take something away, or to let it last shorter, wants none.
    let path = format!("/console/clients/{}?said=client-changed", client.id);
    let less = [("redirect_uris", ""), ("token_ttl", "60"), ("grant-authorization-code", "")];
    send(&mut root, &less, "").leads_to(&path);
    app.next_step();
    send(&mut root, &[("scope", "factors")], &phone.code()).leads_to(&path);
}

fn a_rule_that_another_has_changed_or_removed_is_not_put_back_unawares(on: Backend) {
    let app = App::start(on);
    rule(&app, "stacks", "The closed stacks");
    let (mut root, _) = admin(&app);
    let rules = || app.operate(|_, conn, _| app::access::scopes(conn)).unwrap();
    let first = seen(&root.get("/console/scopes/rule?name=stacks").must(200));
    rule(&app, "stacks", "Open again");
    let mine = |seen: &str| -> Vec<(&str, String)> {
        vec![("name", "stacks".to_owned()), ("description", "Mine".to_owned()), ("seen", seen.to_owned())]
    };
    let send = |browser: &mut Browser, seen: &str| {
        let fields = mine(seen);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post("/console/scopes", &fields)
    };
    let page = send(&mut root, &first).must(409);
    for part in ["Somebody else has changed this", "<bdi>Open again</bdi>", "value=\"Mine\""] {
        page.says(part);
    }
    assert_eq!(rules()[0].description, "Open again");
    let now = seen(&page);
    app.operate(|service, conn, at| app::access::remove_scope(service, conn, at, "stacks")).unwrap();
    let page = send(&mut root, &now).must(409);
    page.says("Somebody else has removed this rule");
    page.says("value=\"Mine\"");
    page.says_not("name=\"seen\"");
    assert!(rules().is_empty());
    send(&mut root, "").leads_to("/console/scopes?said=scope-saved");
    assert_eq!(rules()[0].description, "Mine");
}

fn scope_rules_are_added_changed_and_never_replaced_unasked(on: Backend) {
    let app = App::start(on);
    let (mut root, _) = admin(&app);
    let rule = [
        ("name", "stacks"),
        ("description", "The closed stacks"),
        ("audience", "https://stacks.example"),
        ("token_ttl", "300"),
        ("max_age", "3600"),
        ("acr", "urn:countersign:acr:otp"),
        ("one_use", "1"),
        ("by_grant", "1"),
    ];
    root.post("/console/scopes", &rule).leads_to("/console/scopes?said=scope-saved");
    let page = root.get("/console/scopes").must(200);
    for part in ["The closed stacks", "https://stacks.example", "5 minutes", "one hour", "used once"] {
        page.says(part);
    }
    let stored = app.operate(|_, conn, _| app::access::scopes(conn)).unwrap();
    assert_eq!((stored[0].max_age_s, stored[0].one_use, stored[0].by_grant), (Some(3600), true, true));
    // Added once more it would take the place of the first without a word.
    root.post("/console/scopes", &[("name", "stacks")]).must(400).says("This scope has a rule already");
    assert_eq!(app.operate(|_, conn, _| app::access::scopes(conn)).unwrap(), stored);
    let page = root.get("/console/scopes/rule?name=stacks").must(200);
    page.says("value=\"3600\"");
    root.post("/console/scopes", &[("name", "stacks"), ("seen", &seen(&page))])
        .leads_to("/console/scopes?said=scope-saved");
    let changed = app.operate(|_, conn, _| app::access::scopes(conn)).unwrap();
    assert_eq!((changed[0].max_age_s, changed[0].by_grant), (None, false));
}

/// Somebody else rotated between the page and its form.
fn the_key_that_a_page_names_is_revoked(on: Backend) {
    let app = App::start(on);
    let (mut root, phone) = admin(&app);
    let find = |state: KeyState| {
        let keys = app.operate(|_, conn, _| app::key::list(conn)).unwrap();
        keys.into_iter().find(|key| key.state == state).unwrap().kid
    };
    let leaked = find(KeyState::Current);
    let page = root.get("/console/keys/revoke").must(200);
    page.says(&format!("name=\"key\" value=\"{leaked}\""));
    page.says("The next key signs");
    app.pass(600);
    root.post("/console/keys/rotate", &[]).leads_to("/console/keys?said=keys-rotated");
    let innocent = find(KeyState::Current);
    root.get("/console/keys").must(200).says(&format!("/console/keys/revoke?key={leaked}"));
    root.get(&format!("/console/keys/revoke?key={leaked}")).must(200).says_not("The next key signs");
    app.pass(60);
    let revoke = [("key", leaked.as_str()), ("otp", &phone.code())];
    root.post("/console/keys/revoke", &revoke).leads_to("/console/keys?said=key-revoked");
    assert_eq!((find(KeyState::Revoked), find(KeyState::Current)), (leaked.clone(), innocent));
    root.get("/console/keys").must(200).says_not(&format!("/console/keys/revoke?key={leaked}"));
    for gone in [leaked.as_str(), "x"] {
        root.get(&format!("/console/keys/revoke?key={gone}")).must(404);
        root.post("/console/keys/revoke", &[("key", gone), ("otp", "123456")]).must(404);
    }
    root.get("/console/keys/revoke?key=all").must(200).says("Revoke all signing keys?");
    app.pass(60);
    let code = phone.code();
    root.post("/console/keys/revoke", &[("key", "all"), ("otp", &code)])
        .leads_to("/console/keys?said=keys-revoked");
    let keys = app.operate(|_, conn, _| app::key::list(conn)).unwrap();
    assert_eq!(keys.iter().filter(|key| key.state == KeyState::Revoked).count(), 3);
}

fn keys_are_rotated_from_the_page(on: Backend) {
    let app = App::start(on);
    let (mut root, phone) = admin(&app);
    let keys = || app.operate(|_, conn, _| app::key::list(conn)).unwrap();
    let before = keys();
    app.pass(600);
    root.post("/console/keys/rotate", &[("algorithm", "ES256")]).leads_to("/console/keys?said=keys-rotated");
    let after = keys();
    assert_eq!(after.len(), before.len() + 1);
    // Pressed once more, or too early, nothing happens: few know the key that would sign.
    for wait_s in [0, 250] {
        app.pass(wait_s);
        root.post("/console/keys/rotate", &[]).leads_to("/console/keys?said=keys-too-young");
        assert_eq!(keys().len(), after.len());
    }
    let page = root.get("/console/keys?said=keys-too-young").must(200);
    page.says("Nothing was done.");
    page.says_not("class=\"said\"");
    let page = root.get("/console/keys").must(200);
    for key in &after {
        page.says(&key.kid);
    }
    page.says("ES256");
    page.says("Retired");
    root.post("/console/keys/rotate", &[("algorithm", "none")]).must(400);
    assert_eq!(keys().len(), after.len());
    app.pass(349);
    root.get("/login/again").must(200);
    root.post("/login/again", &[("otp", &phone.code()), ("to", "/console/keys")]).leads_to("/console/keys");
    root.post("/console/keys/rotate", &[]).leads_to("/console/keys?said=keys-too-young");
    app.pass(1);
    root.post("/console/keys/rotate", &[]).leads_to("/console/keys?said=keys-rotated");
    assert_eq!(keys().len(), after.len() + 1);
}

/// The rows of a page's tables: cells without markup.
fn tables(page: &Page) -> Vec<Vec<String>> {
    let rows = page.text.split("<tr>").skip(1).map(|row| row.split("</tr>").next().unwrap());
    let cells = |row: &str| -> Vec<String> {
        let parts = row.split("</t").map(|cell| {
            let text = cell.split('<').filter_map(|part| part.split_once('>').map(|(_, text)| text));
            text.collect::<String>().trim().to_owned()
        });
        parts.filter(|cell| !cell.is_empty()).collect()
    };
    rows.map(cells).collect()
}

fn figure(page: &Page, name: &str) -> i64 {
    let before = page.text.split(&format!("</strong><span>{name}</span>")).next().unwrap();
    before.rsplit("<strong>").next().unwrap().parse().unwrap()
}

fn charts_add_up_to_the_log(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let alice = app.person("alice", Role::User);
    let root = app.person("root", Role::Admin);
    for day in 0..17 {
        for _ in 0..day % 4 {
            app.pass(60);
            assert_eq!(shop.otp("alice", &alice.code()).status, 200);
        }
        if day % 3 == 0 {
            shop.otp("alice", &alice.wrong_code());
        }
        if day == 8 {
            app.lock("alice");
            app.unlock("alice");
        }
        app.pass(86_400);
    }
    let mut browser = Browser::new(&app.url);
    browser.log_in("root", &root.code());
    let expected = || -> Vec<(String, i64, i64)> {
        let log = app.operate(|_, conn, _| app::audit::last(conn, 100_000)).unwrap();
        let today = countersign::domain::figures::Day::of(app.clock.now());
        let days = (-13..=0).map(|back| today.plus(back).to_string());
        days.map(|day| {
            let of_day = log.iter().filter(|entry| entry.at.to_string().starts_with(&day));
            let logins = of_day.clone().filter(|entry| entry.action == "token.issued").count();
            let checks = ["password.checked", "code.checked", "recovery_code.checked"];
            let refused = of_day.filter(|entry| {
                checks.contains(&entry.action.as_str()) && entry.outcome.starts_with("refused")
            });
            let (logins, refused) = (i64::try_from(logins).unwrap(), i64::try_from(refused.count()).unwrap());
            (day.clone(), logins, refused)
        })
        .collect()
    };
    let shown = |page: &Page| -> Vec<(String, i64, i64)> {
        let rows = tables(page).into_iter().filter(|row| row[0].starts_with("2026-"));
        rows.map(|row| (row[0].clone(), row[1].parse().unwrap(), row[2].parse().unwrap())).collect()
    };
    let page = browser.get("/console/overview").must(200);
    let first = expected();
    assert_eq!(shown(&page), first);
    assert!(first.iter().any(|day| day.1 == 3) && first.iter().any(|day| day.2 == 1), "{first:?}");
    assert_eq!(page.text.matches("<rect class=\"bad\"").count(), 14);
    assert_eq!((figure(&page, "Users"), figure(&page, "Locked users")), (2, 0));
    assert_eq!(figure(&page, "Authenticators in use"), 2);
    assert_eq!(figure(&page, "Logins today"), first[13].1);
    // What was added since is counted, half a minute later at the latest.
    app.lock("alice");
    app.unlock("alice");
    app.pass(31);
    assert_eq!(shop.otp("alice", &alice.code()).status, 200);
    shop.otp("alice", &alice.wrong_code());
    app.lock("alice");
    let page = browser.get("/console/overview").must(200);
    assert_eq!(shown(&page), expected());
    assert_eq!(figure(&page, "Locked users"), 1);
    // And so over midnight, by a server that has counted the days before, and by one that has not.
    app.pass(86_400);
    let other = app.another();
    let mut browser = Browser::new(&app.url);
    browser.log_in("root", &root.code());
    assert_eq!(shown(&browser.get("/console/overview").must(200)), expected());
    other.url.clone_into(&mut browser.url);
    assert_eq!(shown(&browser.get("/console/overview").must(200)), expected());
}

fn mails_are_listed_without_their_text_and_retried(on: Backend) {
    let app = App::start(on);
    let new = NewUser {
        name: UserName::parse("alice").unwrap(),
        email: Some("alice@mail.example".to_owned()),
        role: Role::User,
        password: None,
    };
    app.operate(|service, conn, at| app::user::add(service, conn, at, new)).unwrap();
    app.phone("alice");
    let (mut root, _) = admin(&app);
    let mail = app.operate(|_, conn, _| app::outbox::page(conn, None, None, 10)).unwrap().remove(0);
    let page = root.get("/console/outbox").must(200);
    page.says("alice@mail.example");
    page.says("Phone added");
    page.says("One mail waits");
    page.says_not("Its codes count from now on");
    root.get("/console/outbox?state=sent").must(200).says_not("alice@mail.example");
    root.get("/console/outbox?state=waiting").must(200).says("alice@mail.example");
    let before = head(&app);
    root.post(&format!("/console/outbox/{}/retry", mail.id), &[])
        .leads_to("/console/outbox?said=mail-retried");
    root.post("/console/outbox/retry", &[]).leads_to("/console/outbox?said=mails-retried");
    assert_eq!(head(&app), before + 2);
    root.post("/console/outbox/01a0aaaa-0000-7000-8000-000000000001/retry", &[]).must(404);
    root.post("/console/outbox/x/retry", &[]).must(404);
    let place = [("state", "waiting"), ("before", mail.id.to_string().as_str())]
        .map(|(name, value)| (name, value.to_owned()));
    let place: Vec<_> = place.iter().map(|(name, value)| (*name, value.as_str())).collect();
    root.post(&format!("/console/outbox/{}/retry", mail.id), &place)
        .leads_to(&format!("/console/outbox?state=waiting&before={}&said=mail-retried", mail.id));
    root.get("/console/outbox?state=waiting").must(200).says("name=\"state\" value=\"waiting\"");
}

fn mails_that_were_given_up_are_tried_again_knowingly_and_only_where_they_lead_somewhere(on: Backend) {
    let app = App::start(on);
    let person = |name: &str| {
        let email = Some(format!("{name}@mail.example"));
        let name = UserName::parse(name).unwrap();
        let new = NewUser { name: name.clone(), email, role: Role::User, password: None };
        app.operate(|service, conn, at| app::user::add(service, conn, at, new)).unwrap();
        name
    };
    let invite = |name: &UserName| {
        app.operate(|service, conn, at| app::invitation::invite(service, conn, at, name)).unwrap();
    };
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(person);
    // One that a newer one takes the place of, one that is good, one that is void; and two without a link.
    invite(&alice);
    app.pass(1);
    invite(&alice);
    invite(&bob);
    app.lock("bob");
    let (mut root, _) = admin(&app);
    app.phone("carol");
    assert_eq!(db::outbox::give_up_all(&mut app.place.connection(), "no such host").unwrap(), 5);
    invite(&carol);
    let states = || {
        let mails = app.operate(|_, conn, _| app::outbox::page(conn, None, None, 10)).unwrap();
        let waits = |mail: &&MailSummary| mail.state == MailState::Waiting;
        (mails.iter().filter(waits).count(), mails.len())
    };
    let page = root.get("/console/outbox").must(200);
    page.says("Try all that wait now");
    page.says("Try those given up again");
    root.post("/console/outbox/retry", &[]).leads_to("/console/outbox?said=mails-retried");
    assert_eq!(states(), (1, 6), "what was given up stays so");
    let page = root.get("/console/outbox/given-up").must(200);
    page.says("3 mails are sent now");
    page.says("2 invitations are left out");
    assert_eq!(states(), (1, 6), "looking changes nothing");
    root.post("/console/outbox/given-up", &[]).leads_to("/console/outbox?said=given-up-retried");
    assert_eq!(states(), (4, 6));
    let page = root.get("/console/outbox/given-up").must(200);
    page.says("None of them leads anywhere any more.");
    page.says_not("Send them");
}

fn settings_show_no_password(on: Backend) {
    let mut installation = Installation::new(on);
    // Local connections of the test's cluster want no password, so that any will do.
    if installation.database.starts_with("postgres") {
        installation.database.push_str("&password=sesame-database");
    }
    installation.add_user("root", PASSWORD, &["--role", "admin"]);
    let enrolled = installation.json(&["factor", "enrol", "root", "--kind", "totp", "--active"]);
    let (key, _) = mobile_core::KeyUri::parse(enrolled["uri"].as_str().unwrap()).unwrap();
    let smtp = "smtp://mailer:sesame-smtp@127.0.0.1:9";
    let server = crate::process::Process::start(installation.command(&[
        "serve",
        "--smtp-url",
        smtp,
        "--mail-from",
        "x@mail.example",
    ]));
    let story = crate::process::Story { client: Value::Null, key };
    let mut root = Browser::new(&server.url);
    root.log_in("root", &story.code(0));
    let page = root.get("/console/settings").must(200);
    for part in
        ["smtp_url", "mailer:****@127.0.0.1", "flag", "COUNTERSIGN_DATA", "default", "key_rotation_days"]
    {
        page.says(part);
    }
    page.says_not("sesame");
    assert!(!server.log().contains("sesame"));
}

fn times_that_are_compared_with_other_logs_have_seconds(on: Backend) {
    let app = App::start(on);
    let (mut root, _) = admin(&app);
    for path in ["/console/audit", "/console/audit/2", "/console/account/activity"] {
        let page = root.get(path).must(200);
        let shown = page.text.split(" data-exact>").nth(1).unwrap().split('<').next().unwrap();
        let time = shown.strip_suffix(" UTC").unwrap().split(' ').nth(1).unwrap();
        assert_eq!(time.split(':').count(), 3, "{path}: {shown}");
    }
}
