//! What one request asks of a token that is good in itself.

use crate::claims::Claims;
use crate::error::{Error, StepUp};

/// The requirements of one request: scopes (RFC 6750), and how and when the user was authenticated (RFC 9470).
///
/// ```
/// use countersign_verify::Check;
///
/// let payments = Check::new().scope("payments:write").max_age(300).amr("otp");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Check {
    scopes: Vec<String>,
    max_age_s: Option<u64>,
    acr: Vec<String>,
    amr: Vec<String>,
}

impl Check {
    /// Asks for nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The token must have this scope, or all of these that are separated by blanks.
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        self.scopes.extend(scope.split_ascii_whitespace().map(str::to_owned));
        self
    }

    /// The user must have been authenticated at most this many seconds ago. A client's own token, which has no `auth_time`, is
    /// refused.
    #[must_use]
    pub fn max_age(mut self, seconds: u64) -> Self {
        self.max_age_s = Some(seconds);
        self
    }

    /// `acr` must be this, or one of these where it is called again.
    #[must_use]
    pub fn acr(mut self, acr: &str) -> Self {
        self.acr.push(acr.to_owned());
        self
    }

    /// `amr` must name this method, and all of them where it is called again: `otp`, or `mfa` for both factors from one place.
    #[must_use]
    pub fn amr(mut self, method: &str) -> Self {
        self.amr.push(method.to_owned());
        self
    }

    /// Whether the claims are enough. Scope comes first: who may never do it need not authenticate again.
    pub(crate) fn met_by(&self, claims: &Claims, now_s: u64, leeway_s: u64) -> Result<(), Error> {
        if !self.scopes.iter().all(|scope| claims.has_scope(scope)) {
            return Err(Error::InsufficientScope { scope: self.scopes.join(" ") });
        }
        let recent = self.max_age_s.is_none_or(|max_age_s| {
            claims
                .auth_time()
                .is_some_and(|at| now_s <= at.saturating_add(max_age_s).saturating_add(leeway_s))
        });
        let level = self.acr.is_empty() || claims.acr().is_some_and(|acr| self.acr.iter().any(|a| a == acr));
        let method = self.amr.iter().all(|method| claims.amr().contains(method));
        let reason = match (recent, level, method) {
            (false, _, _) => StepUp::Age,
            (_, false, _) => StepUp::Level,
            (_, _, false) => StepUp::Method,
            (true, true, true) => return Ok(()),
        };
        // All of it, not only what failed: so that one new login is enough.
        Err(Error::InsufficientAuthentication {
            reason,
            max_age_s: self.max_age_s,
            acr_values: (!self.acr.is_empty()).then(|| self.acr.join(" ")),
        })
    }
}
