//! A client acting for itself (RFC 6749 s4.4).

use crate::app::client_auth::{Credentials, hold, require};
use crate::app::context::{At, Service, Stop};
use crate::app::issue::{Extent, Ground, Issued, issue};
use crate::db::Conn;
use crate::domain::authorization::Details;
use crate::domain::client::Grant;
use crate::domain::scope::Scopes;

/// `client_credentials`.
pub fn client_credentials(
    service: &Service,
    conn: &mut Conn,
    at: At,
    credentials: &Credentials,
    scope: Option<&Scopes>,
    audience: Option<&str>,
) -> Result<Issued, Stop> {
    let client = require(service, conn, at, credentials)?;
    client.must_have(Grant::ClientCredentials)?;
    let recorded = service.write(conn, at, |tx| {
        let client = hold(tx, client.id, Grant::ClientCredentials)?;
        let extent = Extent {
            scope: client.scopes.for_client(scope)?,
            // They say what a user may do; a client's own reach is its scopes.
            details: Details::default(),
            audience: client.audience(audience, &service.issuer)?,
        };
        issue(service, tx, &client, Ground::ClientItself, &extent)
    })?;
    Ok(recorded.sign()?)
}
