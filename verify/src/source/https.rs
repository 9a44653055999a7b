//! Over HTTP, with `ureq` and `rustls`.

use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, header};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::{DOCUMENT_BYTES, Document, Source, Unreachable};

/// How long one document may take. Whoever waits for a fetch waits no longer than this.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Fetches over HTTP. TLS trusts what the system trusts and uses aws-lc-rs, whichever provider the process has installed.
/// `HTTPS_PROXY` and its like are heeded, except for an issuer on this machine. Redirects are refused.
pub(crate) struct HttpSource {
    agent: Agent,
}

impl HttpSource {
    /// For an issuer on this machine, or elsewhere.
    pub(crate) fn new(loopback: bool) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .build();
        let mut config = Agent::config_builder()
            .tls_config(tls)
            .https_only(!loopback)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("countersign-verify/", env!("CARGO_PKG_VERSION")));
        if loopback {
            config = config.proxy(None);
        }
        Self { agent: config.build().new_agent() }
    }
}

impl Source for HttpSource {
    fn get(&self, url: &str) -> Result<Document, Unreachable> {
        let mut reply = self.agent.get(url).call().map_err(|error| Unreachable(error.to_string()))?;
        if reply.status() != StatusCode::OK {
            return Err(Unreachable(format!("the issuer answered {}", reply.status().as_u16())));
        }
        let content_type = reply
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let content_type = content_type.to_owned();
        let body = reply
            .body_mut()
            .with_config()
            .limit(DOCUMENT_BYTES as u64)
            .read_to_vec()
            .map_err(|error| Unreachable(error.to_string()))?;
        Ok(Document { content_type, body })
    }
}
