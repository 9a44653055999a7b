//! What an application may know of a user.

use crate::db::{self, Conn};
use crate::domain::id::UserId;
use crate::domain::id_token::Profile;
use crate::domain::scope::{EMAIL, GROUPS, PROFILE, Scopes};
use crate::domain::user::Language;
use crate::error::Fault;

/// What these scopes tell (OpenID Connect Core s5.4); none where the user was removed meanwhile.
pub fn profile(conn: &mut Conn, user: UserId, scope: &Scopes) -> Result<Option<Profile>, Fault> {
    let Some(user) = db::user::find(conn, user)? else { return Ok(None) };
    let groups = if scope.contains(GROUPS) { Some(db::group::of_user(conn, user.id)?) } else { None };
    let (locale, name) = (user.language.map(Language::as_str), user.name);
    let name = Some(name).filter(|_| scope.contains(PROFILE));
    Ok(Some(Profile {
        preferred_username: name.clone(),
        name,
        locale: locale.filter(|_| scope.contains(PROFILE)),
        email: user.email.filter(|_| scope.contains(EMAIL)),
        groups,
    }))
}
