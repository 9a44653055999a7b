//! An application that keeps notes, as small as one can be that checks Countersign's tokens. The four steps:
//!
//! 1. **Request.** `POST /notes` and `GET /notes` come in with `Authorization: Bearer TOKEN`.
//! 2. **Verification.** [`Bearer`] checks the token offline, by the issuer's keys and revocations. Without a good token the handler
//!    does not run.
//! 3. **Token.** `require` asks whether *this* token may do *this*: by scope, and to delete everything only shortly after a login.
//! 4. **Storage.** Notes are kept under `sub`, which never changes and comes from nowhere but the token.
//!
//! Beside `cargo xtask run`, with a client that may have the audience and the scopes:
//!
//! ```sh
//! countersign client add notes --grant urn:countersign:params:oauth:grant-type:otp \
//!     --audience http://localhost:8081 --scope notes:read --scope notes:write
//! cargo run -p countersign-verify --features actix --example application
//!
//! curl http://localhost:8081/notes -H "Authorization: Bearer $TOKEN" -H 'Content-Type: text/plain' -d 'buy milk'
//! curl http://localhost:8081/notes -H "Authorization: Bearer $TOKEN"
//! ```

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{App, HttpResponse, HttpServer, rt, web};
use clap::Parser;
use countersign_verify::actix::Bearer;
use countersign_verify::{Check, Error, RevocationPolicy, Verifier};

/// A note-keeping application that takes Countersign's access tokens.
#[derive(Parser)]
struct Settings {
    /// The address to listen on.
    #[arg(long, env = "NOTES_LISTEN", default_value = "127.0.0.1:8081")]
    listen: String,
    /// Countersign's public URL, as it stands in `iss`.
    #[arg(long, env = "NOTES_ISSUER", default_value = "http://localhost:8080")]
    issuer: String,
    /// This application's own identifier, as it stands in `aud`.
    #[arg(long, env = "NOTES_AUDIENCE", default_value = "http://localhost:8081")]
    audience: String,
    /// Do not ask for the list of revocations: tokens are good until they expire.
    #[arg(long, env = "NOTES_IGNORE_REVOCATIONS")]
    ignore_revocations: bool,
}

/// Everybody's notes, by `sub`. In memory: a real application has a table with a column `sub` here.
#[derive(Default)]
struct Notes(Mutex<HashMap<String, Vec<String>>>);

impl Notes {
    /// Lends the notes of one user, and of nobody else.
    fn of<T>(&self, subject: &str, read: impl FnOnce(&mut Vec<String>) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(all.entry(subject.to_owned()).or_default())
    }
}

async fn add(bearer: Bearer, notes: web::Data<Notes>, note: String) -> Result<HttpResponse, Error> {
    let claims = bearer.require(&Check::new().scope("notes:write"))?;
    notes.of(claims.subject(), |mine| mine.push(note));
    Ok(HttpResponse::Created().finish())
}

async fn list(bearer: Bearer, notes: web::Data<Notes>) -> Result<HttpResponse, Error> {
    let claims = bearer.require(&Check::new().scope("notes:read"))?;
    Ok(HttpResponse::Ok().json(notes.of(claims.subject(), |mine| mine.clone())))
}

async fn clear(bearer: Bearer, notes: web::Data<Notes>) -> Result<HttpResponse, Error> {
    // What cannot be undone wants a code that was typed in the last five minutes (RFC 9470).
    let claims = bearer.require(&Check::new().scope("notes:write").max_age(300).amr("otp"))?;
    notes.of(claims.subject(), Vec::clear);
    Ok(HttpResponse::NoContent().finish())
}

fn main() -> Result<(), Box<dyn StdError>> {
    let Settings { listen, issuer, audience, ignore_revocations } = Settings::parse();
    let mut builder = Verifier::builder(issuer).audience(audience);
    if ignore_revocations {
        builder = builder.revocations(RevocationPolicy::Ignored);
    }
    let verifier = Arc::new(builder.build()?);
    // The issuer may start later than this application, so it is no reason to stop. But say so.
    if let Err(error) = verifier.warm_up() {
        eprintln!("{error} ({})", verifier.failures().join("; "));
    }
    let notes = web::Data::new(Notes::default());
    let app = move || {
        App::new()
            .app_data(Arc::clone(&verifier))
            .app_data(notes.clone())
            .route("/notes", web::post().to(add))
            .route("/notes", web::get().to(list))
            .route("/notes", web::delete().to(clear))
    };
    let server = HttpServer::new(app).workers(2).bind(&listen)?;
    println!("listening on http://{listen}");
    Ok(rt::System::new().block_on(server.run())?)
}
