//! Every page that has an address, once for each role that sees it.

use countersign::app;
use countersign::app::factor::NewFactor;
use countersign::domain::user::{Role, UserName};
use diesel::connection::SimpleConnection as _;

use crate::actors::{Client, ClientSpec, form_urlencoded};
use crate::browser::chromium::Browser;
use crate::browser::{log_in, server};
use crate::{Backend, openid, tests};

tests![
    pages_for_anybody_look_right,
    pages_of_a_user_look_right,
    pages_of_a_help_desk_look_right,
    pages_of_an_auditor_look_right,
    pages_of_an_administrator_look_right,
];

/// Paths, and who visits them; none is somebody who is not logged in. `{user}` and `{client}` stand for an id, `{pending}`, `{factor}` and
/// `{token}` for those of three authenticators of that user's, of which the last is in doubt,
/// `{request}` for what an application asks, `{application}` for that as the way on from the login, `{powers}` for what one asks that wants
/// to act in the user's place, `{refused}` for what none may ask, and `{leaving}` for what one asks that has logged somebody out.
const PAGES: &[(&str, Option<Role>)] = &[
    ("/login", None),
    ("/login?to={application}", None),
    ("/oauth/authorize?{refused}", None),
    ("/console/account", Some(Role::User)),
    ("/console/account/sessions", Some(Role::User)),
    ("/console/account/activity", Some(Role::User)),
    ("/console/account/password", Some(Role::User)),
    ("/console/account/recovery-codes", Some(Role::User)),
    ("/console/account/authenticators", Some(Role::User)),
    ("/login/again", Some(Role::User)),
    ("/login/again?to={application}", Some(Role::User)),
    ("/oauth/authorize?{request}", Some(Role::User)),
    ("/oauth/authorize?{powers}", Some(Role::User)),
    ("/oauth/logout?{leaving}", Some(Role::User)),
    ("/console/overview", Some(Role::Helpdesk)),
    ("/console/users", Some(Role::Helpdesk)),
    ("/console/users/{user}", Some(Role::Helpdesk)),
    ("/console/users/{user}/reset", Some(Role::Helpdesk)),
    ("/console/users/{user}/authenticators/{token}", Some(Role::Helpdesk)),
    ("/console/users/{user}/authenticators/{factor}", Some(Role::Helpdesk)),
    ("/console/users/{user}/authenticators/{factor}/remove", Some(Role::Helpdesk)),
    ("/console/users/{user}/authenticators/{pending}", Some(Role::Helpdesk)),
    ("/console/overview", Some(Role::Auditor)),
    ("/console/users/{user}", Some(Role::Auditor)),
    ("/console/audit", Some(Role::Auditor)),
    ("/console/audit/2", Some(Role::Auditor)),
    ("/console/clients/{client}", Some(Role::Auditor)),
    ("/console/keys", Some(Role::Auditor)),
    ("/console/overview", Some(Role::Admin)),
    ("/console/users", Some(Role::Admin)),
    ("/console/users/add", Some(Role::Admin)),
    ("/console/users/import", Some(Role::Admin)),
    ("/console/users/{user}", Some(Role::Admin)),
    ("/console/users/{user}/remove", Some(Role::Admin)),
    ("/console/approvals", Some(Role::Admin)),
    ("/console/clients", Some(Role::Admin)),
    ("/console/clients/new", Some(Role::Admin)),
    ("/console/clients/{client}", Some(Role::Admin)),
    ("/console/clients/{client}/edit", Some(Role::Admin)),
    ("/console/clients/{client}/remove", Some(Role::Admin)),
    ("/console/scopes", Some(Role::Admin)),
    ("/console/scopes/rule", Some(Role::Admin)),
    ("/console/keys", Some(Role::Admin)),
    ("/console/audit", Some(Role::Admin)),
    ("/console/outbox", Some(Role::Admin)),
    ("/console/outbox/given-up", Some(Role::Admin)),
    ("/console/settings", Some(Role::Admin)),
];

fn pages_for_anybody_look_right(on: Backend) {
    visit_all(on, None);
}

fn pages_of_a_user_look_right(on: Backend) {
    visit_all(on, Some(Role::User));
}

fn pages_of_a_help_desk_look_right(on: Backend) {
    visit_all(on, Some(Role::Helpdesk));
}

fn pages_of_an_auditor_look_right(on: Backend) {
    visit_all(on, Some(Role::Auditor));
}

fn pages_of_an_administrator_look_right(on: Backend) {
    visit_all(on, Some(Role::Admin));
}

/// Visits the pages of a role, on a server where there is something to see.
fn visit_all(on: Backend, role: Option<Role>) {
    let app = server(on);
    let browser = Browser::open();
    let client = app.client();
    for name in ["bob", "carol", "dave"] {
        let phone = app.person(name, Role::User);
        client.otp(name, &phone.code()).access_token();
        client.otp(name, &phone.wrong_code()).must_be(400, "invalid_grant");
    }
    let name = UserName::parse("bob").unwrap();
    app.pass(1);
    app.hotp_token("bob", 0);
    let in_doubt = "UPDATE factor_step SET last_step = -2 WHERE factor_id IN (SELECT id FROM factor WHERE kind = 'hotp')";
    app.place.connection().batch_execute(in_doubt).unwrap();
    app.pass(1);
    app.enrol("bob", NewFactor::default());
    let bob = app.operate(|_, conn, at| app::user::show(conn, at, &name)).unwrap();
    let user = bob.user.id.to_string();
    let [factor, token, pending] = bob.factors.try_into().unwrap();
    app.operate(app::key::ensure_for_id_tokens).unwrap();
    let powerful =
        app.client_with(ClientSpec { name: "butler", ..ClientSpec::with_scopes("factors sessions users") });
    let asked = |client: &Client<'_>, changes: &[(&str, &str)]| {
        let way = openid::request(client, changes);
        way.split_once('?').unwrap().1.to_owned()
    };
    // The application has no scope, not even `openid`.
    let request = asked(&client, &[("scope", ""), ("prompt", "consent")]);
    let login = form_urlencoded(&[("to", &format!("/oauth/authorize?{request}"))]);
    let told = [
        ("{user}", user.as_str()),
        ("{pending}", &pending.id.to_string()),
        ("{factor}", &factor.id.to_string()),
        ("{token}", &token.id.to_string()),
        ("{client}", &client.id),
        ("{request}", &request),
        ("{application}", login.strip_prefix("to=").unwrap()),
        ("{powers}", &asked(&powerful, &[("scope", "")])),
        ("{refused}", &asked(&client, &[("redirect_uri", "https://elsewhere.example/")])),
        ("{leaving}", &form_urlencoded(&[("client_id", &client.id)])),
    ];
    browser.visit(&format!("{}/login", app.url));
    if let Some(role) = role {
        let phone = app.person("alice", role);
        log_in(&app, &browser, "alice", &phone);
    }
    for (path, _) in PAGES.iter().filter(|(_, visitor)| *visitor == role) {
        let address =
            told.iter().fold((*path).to_owned(), |address, (name, told)| address.replace(name, told));
        browser.go(&address);
        let status = "return performance.getEntriesByType('navigation')[0].responseStatus";
        let expected = if path.contains("{refused}") { 400 } else { 200 };
        assert_eq!(browser.script(status, Vec::new()), expected, "{address}");
        assert_eq!(browser.path(), address);
        let who = role.map_or_else(|| "anybody".to_owned(), |role| role.to_string());
        let page = path.trim_matches('/').replace(['/', '?', '='], "-").replace(['{', '}'], "");
        browser.must_look_right(&format!("{page}-{who}"));
    }
}
