//! A browser without a screen: keeps cookies, reads forms, and follows nothing by itself. What it does is what any browser without
//! scripts does; what needs a real one stands in `browser`.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::actors::{App, PASSWORD, Phone, form_urlencoded};

/// Somebody at a browser.
pub struct Visitor<'a> {
    pub app: &'a App,
    agent: ureq::Agent,
    cookies: Mutex<BTreeMap<String, String>>,
    /// The mark of the page that was looked at last.
    mark: Mutex<String>,
}

/// A page, or a redirection.
#[derive(Clone, Debug)]
pub struct Page {
    pub status: u16,
    /// Where a redirection leads.
    pub to: String,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl<'a> Visitor<'a> {
    pub fn at(app: &'a App) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build();
        Self { app, agent: config.new_agent(), cookies: Mutex::default(), mark: Mutex::default() }
    }

    /// Somebody who has logged in with password and code.
    pub fn logged_in(app: &'a App, user: &str, phone: &Phone) -> Self {
        let visitor = Self::at(app);
        visitor.log_in(user, phone);
        visitor
    }

    /// Name, password, code.
    #[track_caller]
    pub fn log_in(&self, user: &str, phone: &Phone) {
        self.give_password(user);
        self.post("/login/code", &[("otp", &phone.code())]).must_lead_to("/console");
        self.get("/console/account").must_be(200);
    }

    /// Name and password, up to the page for the code.
    #[track_caller]
    pub fn give_password(&self, user: &str) {
        self.get("/login").must_be(200);
        self.post("/login", &[("username", user), ("password", PASSWORD)])
            .must_lead_to("/login/code?to=%2Fconsole");
        self.get("/login/code").must_be(200);
    }

    pub fn get(&self, path: &str) -> Page {
        let request = ureq::http::Request::get(format!("{}{path}", self.app.url))
            .header("cookie", self.cookie_header());
        self.keep(self.agent.run(request.body(()).unwrap()).unwrap())
    }

    /// Asks for a page with more headers, as a browser does.
    pub fn look(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        let mut request = ureq::http::Request::get(format!("{}{path}", self.app.url))
            .header("cookie", self.cookie_header());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.keep(self.agent.run(request.body(()).unwrap()).unwrap())
    }

    /// Sends a form with the mark of the page that was looked at last, which stood at this address.
    pub fn post_from(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let mark = self.mark.lock().unwrap().clone();
        let referer = format!("https://countersign.example{page}");
        self.send(path, &[fields, &[("mark", &mark)]].concat(), &[("referer", &referer)])
    }

    /// Sends a form with the mark of the page that was looked at last.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mark = self.mark.lock().unwrap().clone();
        self.send(path, &[fields, &[("mark", &mark)]].concat(), &[])
    }

    /// Sends any form with any headers.
    pub fn send(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let mut request = ureq::http::Request::post(format!("{}{path}", self.app.url))
            .header("cookie", self.cookie_header())
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.keep(self.agent.run(request.body(form_urlencoded(fields)).unwrap()).unwrap())
    }

    /// The mark of the page that was looked at last.
    pub fn mark(&self) -> String {
        self.mark.lock().unwrap().clone()
    }

    /// A cookie by the end of its name: `countersign`, `-login`, `-device`.
    pub fn cookie(&self, ending: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().find(|(name, _)| name.ends_with(ending)).map(|(_, value)| value.clone())
    }

    /// Puts a cookie where another has put it.
    pub fn plant(&self, ending: &str, value: &str) {
        let name = format!("__Host-{ending}");
        self.cookies.lock().unwrap().insert(name, value.to_owned());
    }

    /// Puts a cookie of any name into the browser, as another host of the domain may.
    pub fn plant_exactly(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    /// Asks for a page with these bytes in the place of the cookies.
    pub fn get_with(&self, path: &str, cookies: &[u8]) -> Page {
        let request = ureq::http::Request::get(format!("{}{path}", self.app.url))
            .header("cookie", ureq::http::HeaderValue::from_bytes(cookies).unwrap());
        self.keep(self.agent.run(request.body(()).unwrap()).unwrap())
    }

    fn cookie_header(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&self, mut response: ureq::http::Response<ureq::Body>) -> Page {
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
            .collect();
        for (_, set) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = set.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            // All of ours: nothing for scripts, nothing for other sites, and with TLS for nobody but this host.
            for wanted in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
                assert!(attributes.contains(wanted), "{set}");
            }
            assert!(name.starts_with("__Host-") && !attributes.contains("Domain"), "{set}");
            if attributes.contains("Max-Age=0") {
                self.cookies.lock().unwrap().remove(name);
            } else {
                self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
            }
        }
        let status = response.status().as_u16();
        let header =
            |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let to = header("location").unwrap_or_default();
        let text = response.body_mut().read_to_string().unwrap();
        if let Some(mark) = between(&text, "name=\"mark\" value=\"", "\"") {
            mark.clone_into(&mut self.mark.lock().unwrap());
        }
        Page { status, to, headers, text }
    }
}

impl Page {
    #[track_caller]
    pub fn must_be(&self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self.clone()
    }

    #[track_caller]
    pub fn must_lead_to(&self, path: &str) -> Self {
        assert_eq!((self.status, self.to.as_str()), (303, path), "{self:?}");
        self.clone()
    }

    #[track_caller]
    pub fn must_say(&self, text: &str) -> Self {
        assert!(self.text.contains(text), "no {text:?} in {self:?}");
        self.clone()
    }

    #[track_caller]
    pub fn must_not_say(&self, text: &str) -> Self {
        assert!(!self.text.contains(text), "{text:?} in {self:?}");
        self.clone()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What stands between two pieces of text, as a browser shows it.
    #[track_caller]
    pub fn between(&self, before: &str, after: &str) -> String {
        let found = between(&self.text, before, after);
        found
            .unwrap_or_else(|| panic!("no {before:?} in {self:?}"))
            .replace("&#38;", "&")
            .replace("&amp;", "&")
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let rest = &text[text.find(before)? + before.len()..];
    Some(&rest[..rest.find(after)?])
}
