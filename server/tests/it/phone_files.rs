//! The phone app's files over HTTP: what browsers may do with them, how they come, and that nothing else comes that way.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use countersign::clock::Clock;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::actors::{App, ISSUER, Place, START};
use crate::{Backend, tests};

tests![
    the_app_may_use_camera_and_web_assembly_and_pages_of_the_console_may_not,
    what_a_browser_has_already_is_not_sent_again,
    the_smallest_copy_that_a_browser_takes_is_sent,
    every_file_has_its_media_type,
    the_app_is_told_which_server_it_comes_from,
    the_folder_is_found_without_its_slash,
    a_host_of_its_own_has_the_app_and_nothing_else,
    origins_that_are_one_host_share_it,
    nothing_but_the_bundle_is_served,
    without_a_bundle_the_page_says_how_to_make_one,
    the_bundle_is_what_its_list_says,
];

/// The bundle, which has to be made beforehand.
pub fn bundle() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/phone/dist");
    assert!(
        folder.join("release.json").is_file(),
        "the phone app is not built: run `cargo xtask phone` first"
    );
    folder
}

/// SHA-256 as a list holds it.
pub fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// What came, as it came.
struct Got {
    status: u16,
    headers: ureq::http::HeaderMap,
    bytes: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

fn send(app: &App, method: &str, path: &str, headers: &[(&str, &str)]) -> Got {
    let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", app.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build();
    let mut response = config.new_agent().run(request.body(()).unwrap()).unwrap();
    Got {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        bytes: response.body_mut().read_to_vec().unwrap(),
    }
}

fn get(app: &App, path: &str) -> Got {
    send(app, "GET", path, &[])
}

/// A server whose phone app is these files.
fn serving(on: Backend, files: &[(&str, &str)]) -> (App, tempfile::TempDir) {
    let folder = tempfile::Builder::new().prefix("cs-phone-").tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let app = App::start(on);
    app.serve_phone_files_from(folder.path());
    (app, folder)
}

fn the_app_may_use_camera_and_web_assembly_and_pages_of_the_console_may_not(on: Backend) {
    let (app, _folder) = serving(on, &[("index.html", "page"), ("app.js", "script"), ("sw.js", "worker")]);
    let etag = get(&app, "/phone/").header("etag").unwrap().to_owned();
    let known = send(&app, "GET", "/phone/", &[("if-none-match", &etag)]);
    let of_app = ["/phone/", "/phone/index.html", "/phone/app.js", "/phone/sw.js", "/phone/config.json"];
    for got in of_app.map(|path| get(&app, path)).into_iter().chain([known]) {
        let policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; \
                      font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; media-src 'self' blob: \
                      mediastream:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        assert_eq!(got.header("content-security-policy"), Some(policy));
        let permissions = "camera=(self), clipboard-read=(self), clipboard-write=(self), publickey-credentials-create=(self), \
                           publickey-credentials-get=(self), microphone=(), geolocation=()";
        assert_eq!(got.header("permissions-policy"), Some(permissions));
        for (name, value) in [
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(got.header(name), Some(value), "{name}");
        }
        assert!(got.header("set-cookie").is_none());
    }
    for path in ["/login", "/v1/docs/", "/healthz", "/phone/nothing.js"] {
        let got = get(&app, path);
        assert!(got.header("permissions-policy").unwrap().starts_with("camera=(), "), "{path}");
        assert!(!got.header("content-security-policy").unwrap().contains("wasm"), "{path}");
    }
}

fn what_a_browser_has_already_is_not_sent_again(on: Backend) {
    let (app, folder) = serving(on, &[("app.js", "one"), ("app.js.br", "one, small")]);
    let tag = |headers: &[(&str, &str)]| {
        let got = send(&app, "GET", "/phone/app.js", headers);
        assert_eq!((got.status, got.header("cache-control")), (200, Some("no-cache")));
        got.header("etag").unwrap().to_owned()
    };
    let (plain, small) = (tag(&[]), tag(&[("accept-encoding", "br")]));
    assert_ne!(plain, small, "each copy has its own");
    for known in [plain.clone(), format!("W/{plain}"), format!("\"x\", {plain}"), "*".to_owned()] {
        let got = send(&app, "GET", "/phone/app.js", &[("if-none-match", &known)]);
        assert_eq!((got.status, got.bytes.len()), (304, 0), "{known}");
        assert_eq!((got.header("etag"), got.header("vary")), (Some(plain.as_str()), Some("Accept-Encoding")));
        assert_eq!(got.header("cache-control"), Some("no-cache"));
    }
    for unknown in [small, "\"x\"".to_owned(), String::new()] {
        assert_eq!(send(&app, "GET", "/phone/app.js", &[("if-none-match", &unknown)]).status, 200);
    }
    fs::write(folder.path().join("app.js"), "two").unwrap();
    let got = send(&app, "GET", "/phone/app.js", &[("if-none-match", &plain)]);
    assert_eq!((got.status, got.bytes.as_slice()), (200, &b"two"[..]));
}

fn the_smallest_copy_that_a_browser_takes_is_sent(on: Backend) {
    let files =
        [("app.js", "as it is"), ("app.js.br", "brotli"), ("app.js.gz", "gzip"), ("alone.js", "alone")];
    let (app, _folder) = serving(on, &files);
    for (accepted, coding, content) in [
        ("", None, "as it is"),
        ("gzip, deflate, br", Some("br"), "brotli"),
        ("gzip", Some("gzip"), "gzip"),
        ("br;q=0.1, gzip", Some("gzip"), "gzip"),
        ("br;q=0, gzip;q=0", None, "as it is"),
        ("identity", None, "as it is"),
    ] {
        for method in ["GET", "HEAD"] {
            let got = send(&app, method, "/phone/app.js", &[("accept-encoding", accepted)]);
            assert_eq!((got.status, got.header("content-encoding")), (200, coding), "{accepted}");
            assert_eq!(got.header("content-type"), Some("text/javascript; charset=utf-8"));
            assert_eq!(got.header("vary"), Some("Accept-Encoding"));
            assert_eq!(got.header("content-length"), Some(content.len().to_string().as_str()));
            let body = if method == "GET" { content } else { "" };
            assert_eq!(got.bytes, body.as_bytes());
        }
    }
    let got = send(&app, "GET", "/phone/alone.js", &[("accept-encoding", "br")]);
    assert_eq!((got.header("content-encoding"), got.bytes.as_slice()), (None, &b"alone"[..]));
}

fn every_file_has_its_media_type(on: Backend) {
    let kinds = [
        ("index.html", "text/html; charset=utf-8"),
        ("app.css", "text/css; charset=utf-8"),
        ("sw.js", "text/javascript; charset=utf-8"),
        ("app_bg.wasm", "application/wasm"),
        ("manifest.webmanifest", "application/manifest+json"),
        ("release.json", "application/json"),
        ("icon.svg", "image/svg+xml"),
        ("icon-192.png", "image/png"),
    ];
    let (app, _folder) = serving(on, &kinds);
    for (name, kind) in kinds {
        assert_eq!(get(&app, &format!("/phone/{name}")).header("content-type"), Some(kind), "{name}");
    }
    assert_eq!(get(&app, "/phone/").header("content-type"), Some(kinds[0].1));
}

fn the_app_is_told_which_server_it_comes_from(on: Backend) {
    // Even by a server that has no app: somebody else may serve that.
    let (app, _folder) = serving(on, &[("config.json", "not this one")]);
    let got = get(&app, "/phone/config.json");
    assert_eq!((got.status, got.header("content-type")), (200, Some("application/json")));
    assert_eq!(got.header("cache-control"), Some("no-store"));
    let config: Value = serde_json::from_slice(&got.bytes).unwrap();
    assert_eq!(config, json!({ "issuer": ISSUER, "api": "api/" }));
}

fn the_folder_is_found_without_its_slash(on: Backend) {
    let (app, _folder) = serving(on, &[("index.html", "page")]);
    for method in ["GET", "HEAD"] {
        let got = send(&app, method, "/phone", &[]);
        assert_eq!((got.status, got.header("location")), (308, Some("/phone/")));
    }
    for path in ["/phone", "/phone/", "/phone/index.html"] {
        let got = send(&app, "DELETE", path, &[]);
        assert_eq!((got.status, got.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
}

/// The policy's part on requests.
fn may_connect_to(got: &Got) -> &str {
    let policy = got.header("content-security-policy").unwrap();
    policy.split("; ").find_map(|part| part.strip_prefix("connect-src ")).unwrap()
}

fn a_host_of_its_own_has_the_app_and_nothing_else(on: Backend) {
    let (main, folder) = serving(on, &[("index.html", "page"), ("app.js", "script")]);
    for (url, root) in [("https://phone.example/", "/"), ("https://phone.example:8443/app/", "/app/")] {
        let app = main.with_phone_app_at(url);
        app.serve_phone_files_from(folder.path());
        let host = url::Url::parse(url).unwrap();
        let host = &host[url::Position::BeforeHost..url::Position::AfterPort];
        let at = |method: &str, path: &str| send(&app, method, path, &[("host", host)]);

        for (name, content) in [("", "page"), ("index.html", "page"), ("app.js", "script")] {
            let got = at("GET", &format!("{root}{name}"));
            assert_eq!((got.status, got.bytes.as_slice()), (200, content.as_bytes()), "{url} {name}");
            assert_eq!(may_connect_to(&got), "'self' https://countersign.example");
            assert!(got.header("permissions-policy").unwrap().starts_with("camera=(self)"));
        }
        let config: Value = serde_json::from_slice(&at("GET", &format!("{root}config.json")).bytes).unwrap();
        assert_eq!(config, json!({ "issuer": ISSUER, "api": format!("{ISSUER}/phone/api/") }));
        if root != "/" {
            for path in ["/", "/app"] {
                let got = at("GET", path);
                assert_eq!((got.status, got.header("location")), (308, Some(root)), "{path}");
            }
        }

        let nothing = [
            "/login",
            "/console",
            "/assets/x/console.css",
            "/oauth/token",
            "/mfa/authenticators",
            "/v1/users",
            "/v1/openapi.json",
            "/.well-known/jwks.json",
            "/healthz",
            "/phone/",
            "/phone/app.js",
            "/phone/api/time",
            "/app/phone/api/time",
        ];
        for path in nothing {
            assert_eq!(at("GET", path).status, 404, "{url} {path}");
            assert_eq!(at("POST", path).status, 405, "{url} {path}");
        }
        // A script of the app's origin can write these, but not `Host`.
        for name in ["x-forwarded-host", "forwarded"] {
            let forged = [("host", host), (name, "countersign.example")];
            assert_eq!(send(&app, "GET", "/healthz", &forged).status, 404, "{name}");
        }

        // Everybody else gets the rest, and is led to the app.
        assert_eq!(get(&app, "/healthz").status, 200);
        assert_eq!(get(&app, "/phone/api/time").status, 200);
        let got = get(&app, "/phone/");
        assert_eq!((got.status, got.header("location")), (307, Some(url)));
        assert_eq!(get(&app, "/phone/app.js").status, 404);
        assert_eq!(send(&app, "GET", "/healthz", &[("host", "phone.example:1")]).status, 200);
    }
}

fn origins_that_are_one_host_share_it(on: Backend) {
    let (main, folder) = serving(on, &[("index.html", "page")]);
    // The scheme is the proxy's business: a request does not say which it came by.
    for url in ["http://countersign.example/phone/", "https://countersign.example/app/"] {
        let app = main.with_phone_app_at(url);
        app.serve_phone_files_from(folder.path());
        for host in ["countersign.example", "127.0.0.1"] {
            assert_eq!(send(&app, "GET", "/healthz", &[("host", host)]).status, 200, "{url}");
            let got = send(&app, "GET", "/phone/", &[("host", host)]);
            assert_eq!((got.status, may_connect_to(&got)), (200, "'self'"), "{url}");
        }
    }
}

fn nothing_but_the_bundle_is_served(on: Backend) {
    let around = tempfile::Builder::new().prefix("cs-phone-").tempdir().unwrap();
    let folder = around.path().join("dist");
    fs::create_dir_all(folder.join("inside")).unwrap();
    for name in [
        "secret.js",
        "dist/app.js",
        "dist/app.js.br",
        "dist/.hidden.js",
        "dist/inside/a.js",
        "dist/master.key",
    ] {
        fs::write(around.path().join(name), "content").unwrap();
    }
    let app = App::start(on);
    app.serve_phone_files_from(&folder);
    assert_eq!(get(&app, "/phone/app.js").status, 200);
    for path in [
        "/phone/../secret.js",
        "/phone/..%2fsecret.js",
        "/phone/..%2Fsecret.js",
        "/phone/..%252fsecret.js",
        "/phone/%2e%2e/secret.js",
        "/phone/..%5csecret.js",
        "/phone/inside/a.js",
        "/phone/inside%2fa.js",
        "/phone/%2ftmp",
        "/phone/app.js%00",
        "/phone/app.js%00.png",
        "/phone/app.js.br",
        "/phone/app.js/",
        "/phone//app.js",
        "/phone/.hidden.js",
        "/phone/inside",
        "/phone/.",
        "/phone/master.key",
        "/phone/APP.JS",
        "/phoney/app.js",
    ] {
        let got = get(&app, path);
        assert_eq!(got.status, 404, "{path}");
        assert!(!got.bytes.ends_with(b"content"), "{path}");
    }
}

fn without_a_bundle_the_page_says_how_to_make_one(on: Backend) {
    let (app, folder) = serving(on, &[]);
    let got = get(&app, "/phone/");
    assert_eq!((got.status, got.header("content-type")), (404, Some("text/plain; charset=utf-8")));
    let text = String::from_utf8(got.bytes).unwrap();
    assert!(text.contains("without the phone app") && text.contains("cargo xtask phone"), "{text}");
    assert_eq!(get(&app, "/phone/app.js").header("content-type"), Some("application/problem+json"));
    fs::write(folder.path().join("index.html"), "page").unwrap();
    assert_eq!(get(&app, "/phone/").bytes, b"page");
}

fn the_bundle_is_what_its_list_says(on: Backend) {
    bundle();
    // As people start it: what is built in, or what a debug build reads.
    let place = std::sync::Arc::new(Place::new(on));
    let app = App::start_at(&place, Clock::fake(START));
    let list: Value = serde_json::from_slice(&get(&app, "/phone/release.json").bytes).unwrap();
    assert_eq!(list["version"], env!("CARGO_PKG_VERSION"));
    let files = list["files"].as_array().unwrap();
    for file in files {
        let got = get(&app, &format!("/phone/{}", file["path"].as_str().unwrap()));
        assert_eq!((got.status, Some(got.bytes.len() as u64)), (200, file["bytes"].as_u64()), "{file}");
        assert_eq!(file["sha256"], hash(&got.bytes), "{file}");
    }
    for name in ["index.html", "boot.js", "sw.js", "app.js", "app_bg.wasm", "manifest.webmanifest"] {
        assert!(files.iter().any(|file| file["path"] == name), "{name}");
    }
    // Whatever the page and the manifest name is there.
    let page = String::from_utf8(get(&app, "/phone/").bytes).unwrap();
    let attributes = ["href=\"", "src=\""].into_iter().flat_map(|mark| page.split(mark).skip(1));
    let named: Vec<&str> = attributes.filter_map(|rest| rest.split('"').next()).collect();
    let manifest: Value = serde_json::from_slice(&get(&app, "/phone/manifest.webmanifest").bytes).unwrap();
    let icons = manifest["icons"].as_array().unwrap().iter().map(|icon| icon["src"].as_str().unwrap());
    for name in named.into_iter().chain(icons) {
        // The way out of an app that does not start is the service worker's. Without one it leads to the app.
        if name == "./?rescue" {
            assert_eq!(get(&app, "/phone/?rescue").bytes, page.as_bytes());
            continue;
        }
        assert!(files.iter().any(|file| file["path"] == name), "{name}");
    }
    assert!(!page.contains("style=") && !page.contains("<style") && !page.contains("<script>"), "{page}");
}
