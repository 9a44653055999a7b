//! Every file of `tests/cases/otpauth`, and that they cover every code of `docs/spec/otpauth.md`. The files'
//! form is described there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use mobile_core::{KeyUri, KeyUriError, Kind, Origin, Tolerance};

use super::specified;

/// One case file.
struct Case {
    name: String,
    fields: BTreeMap<String, String>,
}

impl Case {
    /// The cases of one folder, by name. A folder without any is a mistake.
    fn all(folder: &str) -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/otpauth").join(folder);
        let mut cases: Vec<Self> =
            folder.read_dir().unwrap().map(|entry| Self::read(&entry.unwrap().path())).collect();
        assert!(!cases.is_empty(), "no case in {}", folder.display());
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        cases
    }

    fn read(path: &Path) -> Self {
        let name = path.display().to_string();
        assert!(path.extension().is_some_and(|extension| extension == "txt"), "{name}: not a case file");
        let mut fields = BTreeMap::new();
        for line in std::fs::read_to_string(path).unwrap().lines().filter(|line| !line.starts_with('#')) {
            let (field, value) =
                line.split_once(": ").unwrap_or_else(|| panic!("{name}: no `name: value` in {line:?}"));
            assert!(fields.insert(field.into(), value.into()).is_none(), "{name}: {field} stands twice");
        }
        Self { name, fields }
    }

    fn field(&self, field: &str) -> &str {
        self.fields.get(field).unwrap_or_else(|| panic!("{}: has no {field}", self.name))
    }

    /// The text to read, with its `\u{...}` replaced.
    fn uri(&self) -> String {
        let mut parts = self.field("uri").split("\\u{");
        let mut uri = parts.next().unwrap().to_owned();
        for part in parts {
            let (number, rest) = part.split_once('}').unwrap();
            let (number, times) = number.split_once('*').unwrap_or((number, "1"));
            let character = char::from_u32(u32::from_str_radix(number, 16).unwrap()).unwrap();
            uri.extend(std::iter::repeat_n(character, times.parse().unwrap()));
            uri.push_str(rest);
        }
        uri
    }

    /// Reads the text and compares everything that the file says about it.
    fn check_read(&self, tolerated: &str) {
        let name = &self.name;
        let (key, tolerances) =
            KeyUri::parse(&self.uri()).unwrap_or_else(|error| panic!("{name}: refused: {error}"));
        let codes: Vec<_> = tolerances.iter().map(|tolerance| tolerance.code()).collect();
        assert_eq!(codes.join(", "), tolerated, "{name}: tolerances");

        let mut read = String::new();
        if let Some(issuer) = key.issuer() {
            writeln!(read, "issuer: {issuer}").unwrap();
        }
        writeln!(read, "account: {}", key.account()).unwrap();
        writeln!(read, "secret: {}", *key.secret().to_base32()).unwrap();
        writeln!(read, "algorithm: {}\ndigits: {}", key.algorithm(), key.digits()).unwrap();
        match key.kind() {
            Kind::Totp { period } => writeln!(read, "period: {period}").unwrap(),
            Kind::Hotp { counter } => writeln!(read, "counter: {counter}").unwrap(),
        }
        if let Some(origin) = key.origin() {
            writeln!(read, "origin: {} {}", origin.issuer, origin.factor.as_deref().unwrap()).unwrap();
        }
        let names = ["issuer", "account", "secret", "algorithm", "digits", "period", "counter", "origin"];
        let expected: String = names
            .iter()
            .filter_map(|field| Some(format!("{field}: {}\n", self.fields.get(*field)?)))
            .collect();
        assert_eq!(read, expected, "{name}: values");

        let canonical = self.field("canonical");
        assert_eq!(*key.to_uri(), canonical, "{name}: canonical form");
        assert_eq!(KeyUri::parse(canonical).unwrap(), (key, vec![]), "{name}: canonical form read again");
    }
}

#[test]
fn good_uris_are_read_with_nothing_tolerated() {
    for case in Case::all("good") {
        case.check_read("");
    }
}

#[test]
fn tolerated_uris_are_read_and_the_tolerances_listed() {
    let mut seen = BTreeSet::new();
    for case in Case::all("tolerated") {
        let tolerated = case.field("tolerated");
        seen.extend(tolerated.split(", ").map(str::to_owned));
        case.check_read(tolerated);
    }
    for code in specified("otpauth.md", "### Tolerances") {
        assert!(seen.contains(&code), "tolerance {code} has no case");
    }
}

#[test]
fn refused_uris_are_refused_with_code_and_field() {
    let specified: BTreeSet<_> = specified("otpauth.md", "### Refusals").into_iter().collect();
    let mut seen = BTreeSet::new();
    for case in Case::all("refused") {
        let name = &case.name;
        let error = KeyUri::parse(&case.uri()).expect_err(name);
        let code = error.code();
        assert_eq!(
            (code, error.field().as_str()),
            (case.field("refused"), case.field("field")),
            "{name}: {error}"
        );
        assert!(error.to_string().starts_with(error.field().as_str()), "{name}: {error} names its field");
        assert!(specified.contains(code), "refusal {code} is not in the specification");
        seen.insert(code.to_owned());
    }
    for code in specified {
        assert!(seen.contains(&code), "refusal {code} has no case");
    }
}

#[test]
fn the_specification_lists_the_tolerances_in_their_order() {
    let codes: Vec<_> = Tolerance::ALL.iter().map(|tolerance| tolerance.code()).collect();
    assert_eq!(codes, specified("otpauth.md", "### Tolerances"));
    assert!(Tolerance::ALL.is_sorted());
}

#[test]
fn what_the_reader_mends_the_constructor_refuses() {
    let (good, _) = KeyUri::parse("otpauth://totp/Example:alice?secret=GEZDGNBVGY3TQOJQ").unwrap();
    let build = |issuer: Option<&str>, account: &str| {
        KeyUri::new(
            issuer.map(Into::into),
            account.into(),
            good.secret().clone(),
            good.algorithm(),
            good.digits(),
            good.kind(),
        )
        .map_err(KeyUriError::code)
    };
    assert_eq!(build(Some("Example"), "alice"), Ok(good.clone()));
    assert_eq!(build(Some(""), "alice"), Err("issuer_empty"));
    assert_eq!(build(Some(" Example"), "alice"), Err("outer_blank"));
    assert_eq!(build(None, "alice "), Err("outer_blank"));
    assert_eq!(build(Some("Example"), ""), Err("account_missing"));
    assert_eq!(build(None, "realm:alice"), Err("account_colon"));
    assert_eq!(build(Some("Example\n"), "alice"), Err("control_character"));
    assert_eq!(build(None, &"é".repeat(257)), Err("too_long"));
}

#[test]
fn the_longest_key_still_fits_the_readers_limit() {
    let secret = mobile_core::Secret::from_bytes(&[0xff; mobile_core::Secret::MAX_BYTES]).unwrap();
    let longest = KeyUri::new(
        Some("é".repeat(KeyUri::MAX_ISSUER_BYTES / 2)),
        "é".repeat(KeyUri::MAX_ACCOUNT_BYTES / 2),
        secret,
        mobile_core::Algorithm::Sha512,
        mobile_core::Digits::MAX,
        Kind::Hotp { counter: u64::MAX.into() },
    )
    .unwrap();
    assert_eq!(longest.to_uri().len(), 3364, "the figure in the specification");
    let issuer = format!("https://{}", "%".repeat(166));
    let longest = longest.with_origin(origin(&issuer, FACTOR)).unwrap();
    let uri = longest.to_uri();
    assert_eq!(uri.len(), 3928, "the figure in the specification");
    assert_eq!(KeyUri::parse(&uri).unwrap(), (longest, vec![]));
}

const FACTOR: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

fn origin(issuer: &str, factor: &str) -> Origin {
    Origin { issuer: issuer.to_owned(), factor: Some(factor.to_owned()) }
}

#[test]
fn an_origin_that_the_reader_would_drop_is_not_written() {
    let (plain, _) = KeyUri::parse("otpauth://totp/Example:alice?secret=GEZDGNBVGY3TQOJQ").unwrap();
    let with = |origin| plain.clone().with_origin(origin);
    for issuer in ["https://mfa.example", "http://localhost:8080", "https://[::1]/a/b@c", "https://x/%20"] {
        let named = with(origin(issuer, FACTOR)).unwrap();
        let (read, tolerances) = KeyUri::parse(&named.to_uri()).unwrap();
        assert_eq!((&read, tolerances), (&named, vec![]), "{issuer}");
        assert_eq!(read.split_origin(), (plain.clone(), Some(origin(issuer, FACTOR))));
    }
    let long = format!("https://{}", "a".repeat(504));
    for issuer in [
        "",
        "https://",
        "https:///path",
        "HTTPS://x",
        "ftp://x",
        "//x",
        "https://u@x",
        "https://u:p@x/",
        "https://x?q",
        "https://x#f",
        "https://x y",
        "https://x\\y",
        "https://é.example",
        "https://x\n",
        "javascript:alert(1)",
        &long,
    ] {
        let refused = with(origin(issuer, FACTOR)).unwrap_err();
        assert_eq!(
            (refused.code(), refused.field().as_str()),
            ("origin_malformed", "countersign"),
            "{issuer}"
        );
        assert!(refused.to_string().starts_with("countersign: "));
    }
    assert!(with(origin("https://x", FACTOR)).is_ok());
    for factor in [
        "",
        "0192f0c1",
        "0192F0C1-2345-7ABC-8DEF-0123456789AB",
        "0192f0c123457abc8def0123456789ab",
        "0192f0c1-2345-7abc-8def-0123456789a",
        "0192f0c1-2345-7abc-8def-0123456789abc",
        "0192f0c12-345-7abc-8def-0123456789ab",
        "0192f0c1-2345-7abc-8def-0123456789ag",
        "0192f0c1-2345-7abc-8def-é123456789a",
    ] {
        assert!(with(origin("https://x", factor)).is_err(), "{factor}");
    }
    assert!(with(Origin { issuer: "https://x".into(), factor: None }).is_err());
    assert_eq!(origin("", FACTOR).factor_bytes().unwrap()[..4], [0x01, 0x92, 0xf0, 0xc1]);
}

#[test]
fn neither_values_nor_refusals_show_a_secret() {
    let text = "otpauth://totp/Example:alice?secret=GEZDGNBVGY3TQOJQ";
    let (key, _) = KeyUri::parse(text).unwrap();
    assert!(!format!("{key:?}").contains("GEZD") && format!("{key:?}").contains("Secret(…)"));
    let error = KeyUri::parse(&format!("{text}0")).unwrap_err();
    assert_eq!(error.to_string(), "secret: character 17 is not base32 (letters A to Z and digits 2 to 7)");
}
