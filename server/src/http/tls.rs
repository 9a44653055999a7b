//! Certificates, from files or made on the spot.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;

use crate::domain::time::Timestamp;
use crate::settings::Tls;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file does not hold what it should.
    #[error("{file}: {reason}")]
    File {
        /// The path.
        file: String,
        /// Why not.
        reason: String,
    },
    /// Certificate and key do not go together, or none could be made.
    #[error("the certificate cannot be used: {0}")]
    Unusable(String),
}

/// What the listener needs, or nothing for plain HTTP. A self-signed certificate is for loopback and the host of `issuer`.
pub fn config(tls: &Tls, issuer: &str) -> Result<Option<ServerConfig>, TlsError> {
    let host = host_of(issuer);
    let (chain, key) = match tls {
        Tls::Off => return Ok(None),
        Tls::SelfSigned => self_signed(&host)?,
        Tls::Files { cert, key } => (read_chain(cert)?, read_key(key)?),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map(Some)
        .map_err(|error| TlsError::Unusable(error.to_string()))
}

/// What a certificate says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// From when on it is good.
    pub begins_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Whether it is for the host of the issuer's URL.
    pub names_issuer: bool,
}

/// Reads the first certificate of the file, the server's own.
pub fn certificate(file: &Path, issuer: &str) -> Result<Certificate, TlsError> {
    let unusable = |reason: String| TlsError::File { file: file.display().to_string(), reason };
    let chain = read_chain(file)?;
    let (_, read) = x509_parser::parse_x509_certificate(&chain[0])
        .map_err(|_| unusable("its first certificate cannot be read".to_owned()))?;
    let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
    let validity = read.validity();
    let parsed = ParsedCertificate::try_from(&chain[0]).map_err(|error| unusable(error.to_string()))?;
    let names_issuer =
        ServerName::try_from(host_of(issuer)).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok());
    Ok(Certificate {
        begins_at: at(validity.not_before.timestamp()),
        ends_at: at(validity.not_after.timestamp()),
        names_issuer,
    })
}

/// The host of a URL, an IPv6 address without its brackets.
fn host_of(url: &str) -> String {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_default().trim_matches(['[', ']']).to_owned()
}

type ChainAndKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn self_signed(host: &str) -> Result<ChainAndKey, TlsError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !host.is_empty() && !names.iter().any(|name| name == host) {
        names.push(host.to_owned());
    }
    let made =
        rcgen::generate_simple_self_signed(names).map_err(|error| TlsError::Unusable(error.to_string()))?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
        .map_err(|error| TlsError::Unusable(error.to_owned()))?;
    Ok((vec![made.cert.der().clone()], key))
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |reason: String| TlsError::File { file: file.display().to_string(), reason };
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| failed(error.to_string()))?;
    if chain.is_empty() { Err(failed("holds no certificate".to_owned())) } else { Ok(chain) }
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| TlsError::File { file: file.display().to_string(), reason: error.to_string() })
}
