//! What people read, in their language: one catalogue (Fluent, `web/locales/`) for pages and mails.

use std::borrow::Cow;
use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use fluent_langneg::{NegotiationStrategy, negotiate_languages, parse_accepted_languages};
use unic_langid::{LanguageIdentifier, langid};

use crate::domain::user::Language;

const ENGLISH: &[&str] = &[
    include_str!("../../web/locales/en/common.ftl"),
    include_str!("../../web/locales/en/sign-in.ftl"),
    include_str!("../../web/locales/en/account.ftl"),
    include_str!("../../web/locales/en/users.ftl"),
    include_str!("../../web/locales/en/system.ftl"),
    include_str!("../../web/locales/en/mail.ftl"),
];

const GERMAN: &[&str] = &[
    include_str!("../../web/locales/de/common.ftl"),
    include_str!("../../web/locales/de/sign-in.ftl"),
    include_str!("../../web/locales/de/account.ftl"),
    include_str!("../../web/locales/de/users.ftl"),
    include_str!("../../web/locales/de/system.ftl"),
    include_str!("../../web/locales/de/mail.ftl"),
];

/// What stands in a message's `{ $name }`.
pub type Argument<'a> = FluentValue<'a>;

type Bundle = FluentBundle<FluentResource>;

/// The message `key` in this language; in English where the language lacks it, which a test keeps from happening.
pub fn say(language: Language, key: &str, arguments: &[(&'static str, Argument<'_>)]) -> String {
    let found = format(bundle(language), key, arguments);
    found.or_else(|| format(bundle(Language::En), key, arguments)).unwrap_or_else(|| key.to_owned())
}

/// The language that fits best what a browser's `Accept-Language` asks for.
pub fn negotiate(accept_language: &str) -> Language {
    let asked = parse_accepted_languages(accept_language);
    let known: Vec<_> = Language::ALL
        .map(Language::as_str)
        .into_iter()
        .filter_map(|tag| tag.parse::<LanguageIdentifier>().ok())
        .collect();
    let best = negotiate_languages(&asked, &known, known.first(), NegotiationStrategy::Lookup);
    best.first().and_then(|best| best.to_string().parse().ok()).unwrap_or(Language::En)
}

fn format(bundle: &Bundle, key: &str, arguments: &[(&'static str, Argument<'_>)]) -> Option<String> {
    let pattern = bundle.get_message(key)?.value()?;
    let mut named = FluentArgs::with_capacity(arguments.len());
    for (name, value) in arguments {
        named.set(*name, value.clone());
    }
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, Some(&named), &mut errors).into_owned();
    debug_assert!(errors.is_empty(), "{key}: {errors:?}");
    Some(text)
}

fn bundle(language: Language) -> &'static Bundle {
    static BUNDLES: [OnceLock<Bundle>; 2] = [OnceLock::new(), OnceLock::new()];
    match language {
        Language::En => BUNDLES[0].get_or_init(|| read(langid!("en"), ENGLISH)),
        Language::De => BUNDLES[1].get_or_init(|| read(langid!("de"), GERMAN)),
    }
}

/// Puts a catalogue together. Its files are part of the program, so what is wrong with them is found by the tests below.
fn read(language: LanguageIdentifier, files: &[&str]) -> Bundle {
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    // The pages say `dir="auto"` where names stand; marks within the text would be copied with it.
    bundle.set_use_isolating(false);
    for file in files {
        let resource = match FluentResource::try_new((*file).to_owned()) {
            Ok(resource) => resource,
            Err((readable, errors)) => {
                debug_assert!(errors.is_empty(), "{errors:?}");
                readable
            }
        };
        let added = bundle.add_resource(resource);
        debug_assert!(added.is_ok(), "{added:?}");
    }
    bundle
}

/// A number or a text as a message's argument.
pub fn argument<'a>(value: impl Into<Cow<'a, str>>) -> Argument<'a> {
    FluentValue::String(value.into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::audit::Action;

    /// Every message's key with the variables that it names.
    fn messages(files: &[&str]) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        for file in files {
            let mut key = String::new();
            for line in file.lines().filter(|line| !line.starts_with('#')) {
                if let Some((name, _)) = line.split_once('=').filter(|_| !line.starts_with([' ', '\t'])) {
                    name.trim().clone_into(&mut key);
                    let doubled = found.insert(key.clone(), Vec::new());
                    assert!(doubled.is_none(), "{key} stands twice");
                }
                for part in line.split('$').skip(1) {
                    let variable: String = part
                        .chars()
                        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
                        .collect();
                    let variables: &mut Vec<String> = found.get_mut(&key).expect("a key comes first");
                    if !variables.contains(&variable) {
                        variables.push(variable);
                    }
                }
            }
        }
        for variables in found.values_mut() {
            variables.sort();
        }
        found
    }

    /// As `http/console/frame.rs` looks them up, which would show the log's own word.
    #[test]
    fn everything_that_is_logged_has_words_for_people() {
        let english = messages(ENGLISH);
        for action in Action::ALL {
            let key = format!("action-{}", action.as_str().replace(['.', '_'], "-"));
            assert!(english.contains_key(&key), "{key}");
        }
    }

    #[test]
    fn german_says_everything_that_english_says() {
        let (english, german) = (messages(ENGLISH), messages(GERMAN));
        for (key, variables) in &english {
            assert_eq!(german.get(key), Some(variables), "{key}");
        }
        for key in german.keys() {
            assert!(english.contains_key(key), "{key} is not in English");
        }
    }

    #[test]
    fn every_catalogue_can_be_read() {
        for language in Language::ALL {
            let _ = say(language, "brand", &[]);
        }
    }

    #[test]
    fn the_browser_chooses_the_language() {
        for (header, language) in [
            ("de-AT,de;q=0.9,en;q=0.5", Language::De),
            ("fr, de;q=0.5", Language::De),
            ("en-GB", Language::En),
            ("fr", Language::En),
            ("", Language::En),
            ("*;;;q=,\u{fffd}", Language::En),
        ] {
            assert_eq!(negotiate(header), language, "{header}");
        }
    }
}
