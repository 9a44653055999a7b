//! Who logged in, for an application that shows the access token (OpenID Connect Core s5.3).

use crate::app::bearer::{login_and_scopes, must_be_no_cookie};
use crate::app::context::{At, Service, Stop};
use crate::app::profile::profile;
use crate::db::Conn;
use crate::domain::id::UserId;
use crate::domain::id_token::Profile;
use crate::domain::refusal::Refusal;
use crate::domain::scope::OPENID;

/// The user behind an access token for the issuer itself with scope `openid`, and what else its scopes tell.
pub fn userinfo(service: &Service, conn: &mut Conn, at: At, token: &str) -> Result<(UserId, Profile), Stop> {
    must_be_no_cookie(service, conn, token)?;
    let (login, scope) = login_and_scopes(service, conn, at.now, token, OPENID)?;
    let profile = profile(conn, login.user, &scope)?;
    Ok((login.user, profile.ok_or(Refusal::InvalidToken)?))
}
