//! JSON (RFC 8259), for files that come from anywhere and hold secrets.
//!
//! Three things that a general library does not do together: every string is wiped when dropped, what is not known is kept
//! as it was written (numbers keep their digits, members their order), and depth and number of values are bounded before
//! anything is allocated for them.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use zeroize::Zeroizing;

/// How deep lists and objects may stand in each other.
const MAX_DEPTH: usize = 32;
/// How many values a text may have.
pub(crate) const MAX_VALUES: usize = 1 << 19;

/// A value. A number is kept as its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(Zeroizing<String>),
    List(Vec<Json>),
    Object(Object),
}

/// Members in their order. Of two with one name the first counts, and both are kept.
pub(crate) type Object = Vec<(String, Json)>;

/// Where reading stopped: the byte, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JsonError(pub(crate) usize);

impl Json {
    /// Reads one value with nothing but white space around it.
    pub(crate) fn parse(text: &str) -> Result<Self, JsonError> {
        Self::parse_within(text, MAX_VALUES)
    }

    /// The same with another bound on the number of values.
    pub(crate) fn parse_within(text: &str, values: usize) -> Result<Self, JsonError> {
        let mut reader = Reader { text, at: 0, left: values };
        let value = reader.value(0)?;
        reader.blanks();
        if reader.at == text.len() { Ok(value) } else { Err(JsonError(reader.at)) }
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    pub(crate) fn number(number: impl core::fmt::Display) -> Self {
        let mut text = String::new();
        let _ = write!(text, "{number}");
        Self::Number(text)
    }

    /// A member of an object; `None` also where this is no object.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        self.as_object()?.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn as_object(&self) -> Option<&Object> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// A whole number without sign; a fraction of zeros is let pass, since some programs write all numbers so.
    pub(crate) fn as_u64(&self) -> Option<u64> {
        let Self::Number(text) = self else { return None };
        let whole = text.split_once('.').map_or(Some(text.as_str()), |(whole, fraction)| {
            fraction.bytes().all(|digit| digit == b'0').then_some(whole)
        })?;
        whole.parse().ok()
    }

    /// A whole number of 64 bits with sign.
    #[cfg(feature = "transfer")]
    pub(crate) fn as_i64(&self) -> Option<i64> {
        if let Self::Number(text) = self { text.parse().ok() } else { None }
    }

    /// Writes without white space.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(text) => out.push_str(text),
            Self::Text(text) => write_text(text, out),
            Self::List(values) => {
                out.push('[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    value.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// At most so many bytes does [`Json::write`] write: the room to reserve, so that growing leaves no copies behind.
    pub(crate) fn room(&self) -> usize {
        // An escape is at most six bytes for one.
        match self {
            Self::Null | Self::Bool(_) => 5,
            Self::Number(text) => text.len(),
            Self::Text(text) => text.len() * 6 + 2,
            Self::List(values) => 2 + values.iter().map(|value| value.room() + 1).sum::<usize>(),
            Self::Object(members) => {
                2 + members.iter().map(|(name, value)| name.len() * 6 + 4 + value.room()).sum::<usize>()
            }
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\u{0}'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// How many values there may still be.
    left: usize,
}

impl Reader<'_> {
    fn error<T>(&self) -> Result<T, JsonError> {
        Err(JsonError(self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over this byte, if it is the next.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.blanks();
        if depth > MAX_DEPTH || self.left == 0 {
            return self.error();
        }
        self.left -= 1;
        match self.peek() {
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, value) in
                    [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
                {
                    if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                self.error()
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut members = Vec::new();
        self.blanks();
        if self.takes(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            let name = self.string()?.as_str().into();
            self.blanks();
            if !self.takes(b':') {
                return self.error();
            }
            members.push((name, self.value(depth + 1)?));
            self.blanks();
            if self.takes(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.takes(b',') {
                return self.error();
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut values = Vec::new();
        self.blanks();
        if self.takes(b']') {
            return Ok(Json::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.blanks();
            if self.takes(b']') {
                return Ok(Json::List(values));
            }
            if !self.takes(b',') {
                return self.error();
            }
        }
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    fn number(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _ = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        Ok(Json::Number(self.text[start..self.at].into()))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { self.error() } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Zeroizing<String>, JsonError> {
        if !self.takes(b'"') {
            return self.error();
        }
        // The closing quote first: then the text never grows, and leaves no copies behind.
        let bytes = self.text.as_bytes();
        let mut end = self.at;
        while let Some(byte) = bytes.get(end).filter(|byte| **byte != b'"') {
            end += if *byte == b'\\' { 2 } else { 1 };
        }
        let mut text = Zeroizing::new(String::with_capacity(end.min(bytes.len()) - self.at));
        loop {
            let rest = &self.text[self.at..];
            let run = rest.find(['"', '\\']).unwrap_or(rest.len());
            if let Some(control) = rest[..run].bytes().position(|byte| byte < 0x20) {
                self.at += control;
                return self.error();
            }
            text.push_str(&rest[..run]);
            self.at += run;
            if self.takes(b'"') {
                return Ok(text);
            }
            if !self.takes(b'\\') {
                return self.error();
            }
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.escaped_number();
            }
            _ => return self.error(),
        };
        self.at += 1;
        Ok(character)
    }

    /// What follows `\u`: four digits, or two fours that are a surrogate pair. Half a pair is refused.
    fn escaped_number(&mut self) -> Result<char, JsonError> {
        let first = self.four_digits()?;
        let number = if (0xd800..0xdc00).contains(&first) {
            if !(self.takes(b'\\') && self.takes(b'u')) {
                return self.error();
            }
            let second = self.four_digits()?;
            if !(0xdc00..0xe000).contains(&second) {
                return self.error();
            }
            0x1_0000 + ((first - 0xd800) << 10 | (second - 0xdc00))
        } else {
            first
        };
        char::from_u32(number).ok_or(JsonError(self.at))
    }

    fn four_digits(&mut self) -> Result<u32, JsonError> {
        let mut number = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return self.error();
            };
            number = number << 4 | digit;
            self.at += 1;
        }
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    fn written(value: &Json) -> String {
        let mut text = String::new();
        value.write(&mut text);
        assert!(text.len() <= value.room());
        text
    }

    #[test]
    fn what_is_not_known_is_written_as_it_was_read() {
        for text in [
            r#"{"b":1.50e+3,"a":-0,"b":[null,true,false,{}],"":"\"\\\n\u0001é🔑"}"#,
            "18446744073709551616",
            "[]",
        ] {
            assert_eq!(written(&Json::parse(text).unwrap()), text);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(&nested(MAX_DEPTH + 1)).is_ok());
        assert_eq!(Json::parse(&nested(MAX_DEPTH + 2)), Err(JsonError(MAX_DEPTH + 1)));
        assert!(Json::parse(&"[".repeat(1 << 20)).is_err());
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        assert!(Json::parse(&format!("[{}0]", "0,".repeat(MAX_VALUES - 2))).is_ok());
        assert!(Json::parse(&format!("[{}0]", "0,".repeat(MAX_VALUES - 1))).is_err());
    }

    /// Nearly JSON: tokens in any order, and texts that begin well.
    fn texts() -> impl Strategy<Value = String> {
        let token = prop::sample::select(alloc::vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"",
            "\\u00e9",
            "\\ud83d\\udd11",
            "\\ud83d",
            "0",
            "1",
            "-",
            ".5",
            "e3",
            "01",
            "null",
            "true",
            "false",
            " ",
            "\n",
            "é",
            "\u{1}",
            "{\"a\":",
            "[1,",
        ]);
        prop_oneof![prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat()), "\\PC{0,20}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn another_reader_takes_the_same_texts_for_the_same_values(text in texts()) {
            let ours = Json::parse(&text);
            let theirs: Result<serde_json::Value, _> = serde_json::from_str(&text);
            // A number past the range of a double is theirs alone to refuse; such texts are not made here.
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", &text);
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                let again: serde_json::Value = serde_json::from_str(&written(&ours)).unwrap();
                prop_assert_eq!(again, theirs);
                prop_assert_eq!(Json::parse(&written(&ours)).unwrap(), ours);
            }
        }
    }
}
