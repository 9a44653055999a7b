//! What every page has in common: language, navigation, the mark for its forms, and how things are said.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::ACCEPT_LANGUAGE;
use askama::Template;

use crate::app::console::Visitor;
use crate::domain::factor::{CodeShape, Summary};
use crate::domain::time::Timestamp;
use crate::domain::user::{Language, Role};
use crate::http::console::{Jar, assets, is_own_way, parameter};
use crate::http::state::State;
use crate::text::{argument, negotiate, say};

/// What a page says after a form that has done nothing.
const NOTHING_DONE: [&str; 4] = ["undone", "keys-too-young", "invite-disabled", "approval-over"];

/// What `base.html` needs, as the field `frame` of every page.
pub(super) struct Frame {
    language: Language,
    /// What phones show beside the account: the operator's name for this service.
    pub(super) brand: String,
    /// Who is logged in.
    pub(super) name: Option<String>,
    role: Option<Role>,
    /// What every form carries.
    pub(super) mark: String,
    /// Where in the navigation this is.
    pub(super) here: &'static str,
    /// Whether resets may wait for a second person.
    pub(super) approvals: bool,
    /// What the codes look like that the page may ask for.
    codes: CodeShape,
    said: Option<String>,
    /// Where the page is looked at; none where it answers a form, and looking at its address shows something else.
    path: Option<String>,
}

impl Frame {
    /// For anybody, in the language that was chosen or else the browser's.
    pub(super) fn of(state: &State, request: &HttpRequest, here: &'static str, mark: String) -> Self {
        let chosen = Jar::Language.read(state, request).and_then(|value| value.parse().ok());
        let asked = || {
            let header = request.headers().get(ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok());
            negotiate(header.unwrap_or_default())
        };
        let path = || request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Self {
            language: chosen.unwrap_or_else(asked),
            brand: state.service.issuer_name.clone(),
            name: None,
            role: None,
            mark,
            here,
            approvals: state.service.console.reset_needs_approval,
            codes: CodeShape::default(),
            said: parameter(request, "said")
                .filter(|_| request.path().starts_with("/login") || is_own_way(request)),
            path: (request.method() != Method::POST).then(path),
        }
    }

    /// For a page that answers a form but can be looked at, too, and loses nothing by it.
    pub(super) fn or_at(mut self, path: String) -> Self {
        self.path.get_or_insert(path);
        self
    }

    /// For a page that can be looked at there, and better not at the address that was asked for.
    pub(super) fn at(mut self, path: String) -> Self {
        self.path = Some(path);
        self
    }

    /// For somebody who is logged in, in the language of the account.
    pub(super) fn for_visitor(mut self, visitor: &Visitor) -> Self {
        self = self.in_language(visitor.user.language);
        self.name = Some(visitor.user.name.clone());
        self.role = Some(visitor.user.role);
        self.codes = visitor.codes;
        self
    }

    /// In the language of somebody's account, if that has one.
    pub(super) fn in_language(mut self, of_account: Option<Language>) -> Self {
        self.language = of_account.unwrap_or(self.language);
        self
    }

    /// For whoever gives a code of this shape.
    pub(super) fn asking_for(mut self, codes: CodeShape) -> Self {
        self.codes = codes;
        self
    }

    /// What a field for a code says of it.
    pub(super) fn code_hint(&self) -> String {
        self.codes
            .digits()
            .map_or_else(|| self.t("code-hint"), |digits| self.t(&format!("code-hint-{digits}")))
    }

    /// At how many digits a code is whole, where that is the same for all of this user's.
    pub(super) fn code_digits(&self) -> Option<u8> {
        self.codes.digits()
    }

    /// How many seconds a code lasts, where that is the same for all of this user's.
    pub(super) fn countdown_s(&self) -> Option<u32> {
        self.codes.countdown_s()
    }

    /// A text of the catalogue.
    pub(super) fn t(&self, key: &str) -> String {
        say(self.language, key, &[])
    }

    /// A word that the database keeps, said: a state, a role, a language.
    pub(super) fn word(&self, kind: &str, word: impl std::fmt::Display) -> String {
        self.t(&format!("{kind}-{word}"))
    }

    /// The same with one thing to fill in.
    pub(super) fn with(&self, key: &str, name: &'static str, value: &str) -> String {
        say(self.language, key, &[(name, argument(value))])
    }

    /// The same with a number, which languages bend words by.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    pub(super) fn count(&self, key: &str, count: &i64) -> String {
        say(self.language, key, &[("count", (*count).into())])
    }

    /// How much of a list a page shows.
    pub(super) fn shown<T>(&self, list: &[T]) -> String {
        self.count("list-count", &i64::try_from(list.len()).unwrap_or(i64::MAX))
    }

    /// The language's tag.
    pub(super) const fn lang(&self) -> &'static str {
        self.language.as_str()
    }

    /// Where the page in another language is; none where that would lose what this one shows.
    pub(super) fn translated_at(&self) -> Option<&str> {
        self.path.as_deref().filter(|_| !self.mark.is_empty())
    }

    /// The other languages.
    pub(super) fn other_languages(&self) -> Vec<&'static str> {
        Language::ALL.into_iter().filter(|other| *other != self.language).map(Language::as_str).collect()
    }

    /// What the form before this page has done: only what the catalogue knows is said.
    pub(super) fn said(&self) -> Option<String> {
        let key = format!("said-{}", self.said.as_deref()?);
        let text = self.t(&key);
        (text != key).then_some(text)
    }

    /// Whether that is that nothing was done.
    pub(super) fn is_undone(&self) -> bool {
        self.said.as_deref().is_some_and(|said| NOTHING_DONE.contains(&said))
    }

    /// Whether the navigation of managers is shown.
    pub(super) fn manages(&self) -> bool {
        self.role.is_some_and(|role| role != Role::User)
    }

    /// Whether this visitor may look at this part of the administration; what is refused is decided in `app`.
    pub(super) fn may(&self, scope: &str) -> bool {
        self.role.is_some_and(|role| role.may_hold(scope))
    }

    /// The role, said.
    pub(super) fn role(&self) -> String {
        self.role.map_or_else(String::new, |role| self.t(&format!("role-{role}")))
    }

    /// A time for people, in UTC; a script turns it into the browser's own time.
    #[expect(clippy::unused_self, clippy::trivially_copy_pass_by_ref, reason = "templates call it so")]
    pub(super) fn time(&self, at: &Timestamp) -> String {
        let text = at.to_string();
        // 2026-03-01T12:00:10.123Z
        match (text.get(..10), text.get(11..16)) {
            (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
            _ => text,
        }
    }

    /// The same to the second, for what is compared with other logs.
    #[expect(clippy::unused_self, clippy::trivially_copy_pass_by_ref, reason = "templates call it so")]
    pub(super) fn moment(&self, at: &Timestamp) -> String {
        let text = at.to_string();
        match (text.get(..10), text.get(11..19)) {
            (Some(day), Some(second)) => format!("{day} {second} UTC"),
            _ => text,
        }
    }

    /// Where a file of ours is.
    #[expect(clippy::unused_self, reason = "templates call it like the others")]
    pub(super) fn asset(&self, name: &str) -> String {
        assets::path(name)
    }

    /// What was done, by the log's word for it.
    pub(super) fn action(&self, action: &str) -> String {
        let key = format!("action-{}", action.replace(['.', '_'], "-"));
        let said = self.t(&key);
        if said == key { action.to_owned() } else { said }
    }

    /// Who did it, by the log's word.
    pub(super) fn actor(&self, actor: &str) -> String {
        let kind = actor.split(':').next().unwrap_or_default();
        self.t(&format!("actor-{kind}"))
    }

    /// What a factor is called: as its user says, or else what it is.
    pub(super) fn label(&self, factor: &Summary) -> String {
        let kind = factor.mechanism.kind();
        if factor.label == kind.to_uppercase() {
            self.t(&format!("label-{kind}"))
        } else {
            factor.label.clone()
        }
    }

    /// How a factor's codes are made, said.
    pub(super) fn kind(&self, factor: &Summary) -> String {
        self.t(&format!("kind-{}", factor.mechanism.kind()))
    }
}

/// A page that says why not.
#[derive(Template)]
#[template(path = "refused.html")]
pub(super) struct RefusedPage {
    pub(super) frame: Frame,
    /// The text's key.
    pub(super) key: String,
    /// Which field, and what is wrong with it.
    pub(super) detail: Option<String>,
    /// Where the button leads.
    pub(super) next: String,
}

/// A page that says what is about to happen, and wants a code for it.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct ConfirmPage {
    pub(super) frame: Frame,
    /// The heading.
    pub(super) title: String,
    /// What will happen, in sentences.
    pub(super) consequences: Vec<String>,
    /// Whether it ends something: the button warns then.
    pub(super) is_grave: bool,
    /// Where the form goes.
    pub(super) action: String,
    /// What the button says.
    pub(super) button: String,
    /// Where "leave it" leads.
    pub(super) back: String,
    /// What was wrong with the code before.
    pub(super) error: Option<String>,
    /// Fields that go along unseen.
    pub(super) hidden: Vec<(&'static str, String)>,
}
