//! The recipes of `docs/recipes`, run against the real server.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use countersign::clock::Clock;
use serde_json::Value;

use crate::actors::{App, Place};
use crate::{Backend, tests};

tests![the_python_recipe_takes_good_tokens_and_no_others];

/// What the recipe says it needs, in a folder of the build: installed once, from the package index that pip knows.
fn packages() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recipes");
        let marker = folder.join("complete");
        if !marker.exists() {
            let mut pip = Command::new("python3");
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--upgrade",
                "--target",
            ]);
            let output = pip.arg(&folder).arg("pyjwt[crypto]>=2.15").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            std::fs::write(marker, "").unwrap();
        }
        folder
    })
}

fn recipe(issuer: &str, audience: &str, token: &str) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recipes/verify_token.py");
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", packages()).env("PYTHONDONTWRITEBYTECODE", "1");
    python.arg(script).args([issuer, audience, token]).output().unwrap()
}

fn the_python_recipe_takes_good_tokens_and_no_others(on: Backend) {
    // PyJWT looks at the real clock, and fetches from the issuer itself.
    let app = App::start_as_its_own_issuer(&Arc::new(Place::new(on)), Clock::System);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let token = client.otp("alice", &phone.code()).access_token();
    let taken = recipe(&app.url, &app.url, &token);
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    let claims: Value = serde_json::from_slice(&taken.stdout).unwrap();
    assert_eq!(claims["sub"], client.introspect(&token).body["sub"]);

    let forged = format!("{}A", &token[..token.len() - 4]);
    let list = app.get("/oauth/revocations").body.as_str().unwrap().to_owned();
    for (audience, bad) in [
        ("https://other.example", token.as_str()),
        (&app.url, &forged),
        (&app.url, &list),
        (&app.url, "x.y.z"),
    ] {
        let refused = recipe(&app.url, audience, bad);
        assert_eq!(refused.status.code(), Some(1), "{bad}");
        let line = String::from_utf8(refused.stderr).unwrap();
        assert!(line.starts_with("refused: ") && line.lines().count() == 1, "{line}");
    }
}
