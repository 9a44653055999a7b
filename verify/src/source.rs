//! Where documents come from.

use std::sync::Arc;

#[cfg(feature = "fetch")]
mod https;

#[cfg(feature = "fetch")]
pub(crate) use https::HttpSource;

/// The largest document that is read, in bytes: a list of some 240,000 revocations, at 69 bytes each.
pub const DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

/// A document that was fetched with status 200.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// The value of `Content-Type`, or nothing.
    pub content_type: String,
    /// The body, at most [`DOCUMENT_BYTES`].
    pub body: Vec<u8>,
}

/// A document could not be had, for this reason. It goes to the log, never to a client.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// Fetches the issuer's documents. The URLs are always made from the configured issuer, never from a token.
///
/// An implementation follows no redirects, gives up after some seconds, and bounds what it reads.
pub trait Source: Send + Sync {
    /// Fetches one document. Blocks.
    fn get(&self, url: &str) -> Result<Document, Unreachable>;
}

impl<S: Source + ?Sized> Source for Arc<S> {
    fn get(&self, url: &str) -> Result<Document, Unreachable> {
        (**self).get(url)
    }
}
