//! Finds the module paths that a Rust file mentions: in `use` declarations and inline, not in comments or strings.
//!
//! It is not a parser of Rust, only of the few signs that make up paths, and it does not look into macros' inventions or
//! through re-exports.

/// A path that a file mentions, from the root of its crate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// Counted from 1.
    pub(crate) line: usize,
    /// `["app", "verify", "check"]` for `crate::app::verify::check`; empty for `crate::*`.
    pub(crate) path: Vec<String>,
    /// Whether all names below are meant: `crate::app::*`.
    pub(crate) all: bool,
}

/// Everything that `text`, the file of the module `module`, mentions by a path that starts with `crate`, `self` or `super`.
pub(crate) fn mentions(text: &str, module: &[&str]) -> Vec<Mention> {
    let tokens = tokens(text);
    let mut reader = Reader { tokens: &tokens, next: 0, found: Vec::new() };
    let mut here: Vec<String> = module.iter().map(|name| (*name).to_owned()).collect();
    // For every open brace: whether it opened an inline module.
    let mut braces: Vec<bool> = Vec::new();
    let mut previous = &Sign::Other;
    while let Some(token) = tokens.get(reader.next) {
        let start = reader.next;
        reader.next += 1;
        match &token.sign {
            Sign::Name(word) if *previous != Sign::Colons && reader.peek() == Some(&Sign::Colons) => {
                let prefix = match word.as_str() {
                    "crate" => Some(Vec::new()),
                    "self" => Some(here.clone()),
                    "super" => Some(here[..here.len().saturating_sub(1)].to_vec()),
                    _ => None,
                };
                if let Some(prefix) = prefix {
                    reader.next += 1;
                    reader.path(prefix);
                }
            }
            Sign::Open => {
                let name =
                    match tokens.get(start.wrapping_sub(2)..start) {
                        Some(
                            [Token { sign: Sign::Name(word), .. }, Token { sign: Sign::Name(name), .. }],
                        ) if word == "mod" => Some(name),
                        _ => None,
                    };
                here.extend(name.cloned());
                braces.push(name.is_some());
            }
            // `pop` stands in the guard: a brace that closes something else only leaves the stack.
            Sign::Close if braces.pop() == Some(true) => drop(here.pop()),
            _ => {}
        }
        previous = &tokens[reader.next - 1].sign;
    }
    reader.found
}

/// The module that a file below `src/` makes: `["app", "verify"]` for `app/verify.rs`, nothing for `lib.rs`.
pub(crate) fn module(file: &str) -> Vec<&str> {
    if file == "lib.rs" { Vec::new() } else { file.trim_end_matches(".rs").split('/').collect() }
}

#[derive(Debug, PartialEq, Eq)]
enum Sign {
    Name(String),
    /// `::`
    Colons,
    /// `{`
    Open,
    /// `}`
    Close,
    Comma,
    Star,
    Other,
}

#[derive(Debug)]
struct Token {
    line: usize,
    sign: Sign,
}

struct Reader<'a> {
    tokens: &'a [Token],
    next: usize,
    found: Vec<Mention>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Sign> {
        self.tokens.get(self.next).map(|token| &token.sign)
    }

    /// Reads what follows a `::`, groups of a `use` declaration included.
    fn path(&mut self, mut path: Vec<String>) {
        let line = self.tokens[self.next - 1].line;
        match self.peek() {
            Some(Sign::Name(name)) => {
                match name.as_str() {
                    "self" => {}
                    "super" => drop(path.pop()),
                    _ => path.push(name.clone()),
                }
                let line = self.tokens[self.next].line;
                self.next += 1;
                if self.peek() == Some(&Sign::Colons) {
                    self.next += 1;
                    self.path(path);
                } else {
                    self.found.push(Mention { line, path, all: false });
                }
            }
            Some(Sign::Star) => {
                self.next += 1;
                self.found.push(Mention { line, path, all: true });
            }
            Some(Sign::Open) => self.group(&path),
            // A turbofish: what is inside is read on its own.
            _ => self.found.push(Mention { line, path, all: false }),
        }
    }

    /// Reads `{...}`, each part of it a path that continues `path`.
    fn group(&mut self, path: &[String]) {
        self.next += 1;
        loop {
            match self.peek() {
                None => return,
                Some(Sign::Close) => {
                    self.next += 1;
                    return;
                }
                Some(Sign::Comma) => self.next += 1,
                Some(_) => {
                    self.path(path.to_vec());
                    // `as name`
                    while !matches!(self.peek(), None | Some(Sign::Comma | Sign::Close)) {
                        self.next += 1;
                    }
                }
            }
        }
    }
}

/// The signs of the text, without comments, strings, characters, numbers and lifetimes.
fn tokens(text: &str) -> Vec<Token> {
    let mut source = Source { characters: text.chars().collect(), next: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some(character) = source.peek(0) {
        let line = source.line;
        let sign = match character {
            '/' if source.peek(1) == Some('/') => {
                source.skip_while(|c| c != '\n');
                continue;
            }
            '/' if source.peek(1) == Some('*') => {
                source.skip_comment();
                continue;
            }
            '"' => {
                source.skip_string();
                Sign::Other
            }
            '\'' => {
                source.skip_character();
                Sign::Other
            }
            c if c == '_' || c.is_alphanumeric() => source.name(),
            ':' if source.peek(1) == Some(':') => {
                source.bump();
                source.bump();
                Sign::Colons
            }
            c => {
                source.bump();
                match c {
                    '{' => Sign::Open,
                    '}' => Sign::Close,
                    ',' => Sign::Comma,
                    '*' => Sign::Star,
                    c if c.is_whitespace() => continue,
                    _ => Sign::Other,
                }
            }
        };
        tokens.push(Token { line, sign });
    }
    tokens
}

struct Source {
    characters: Vec<char>,
    next: usize,
    line: usize,
}

impl Source {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.next + ahead).copied()
    }

    fn bump(&mut self) {
        if self.peek(0) == Some('\n') {
            self.line += 1;
        }
        self.next += 1;
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.bump();
        }
    }

    /// `/* ... */`, which nests.
    fn skip_comment(&mut self) {
        let mut depth = 0;
        while let Some(character) = self.peek(0) {
            match (character, self.peek(1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    self.bump();
                    continue;
                }
            }
            self.bump();
            self.bump();
            if depth == 0 {
                return;
            }
        }
    }

    /// `"..."` with `\"` inside.
    fn skip_string(&mut self) {
        self.bump();
        while let Some(character) = self.peek(0) {
            self.bump();
            match character {
                '\\' => self.bump(),
                '"' => return,
                _ => {}
            }
        }
    }

    /// `"..."` that ends with as many `#` as stand before it; at those.
    fn skip_raw_string(&mut self) {
        let mut marks = 0;
        while self.peek(0) == Some('#') {
            marks += 1;
            self.bump();
        }
        self.bump();
        while let Some(character) = self.peek(0) {
            self.bump();
            if character == '"' && (0..marks).all(|mark| self.peek(mark) == Some('#')) {
                (0..marks).for_each(|_| self.bump());
                return;
            }
        }
    }

    /// A character like `'a'` or `'\n'`, or a lifetime like `'a`.
    fn skip_character(&mut self) {
        self.bump();
        if self.peek(0) == Some('\\') {
            self.bump();
            self.bump();
            self.skip_while(|c| c != '\'');
            self.bump();
        } else if self.peek(1) == Some('\'') {
            self.bump();
            self.bump();
        } else {
            self.skip_while(|c| c == '_' || c.is_alphanumeric());
        }
    }

    /// A name, a number, or a string that a letter introduces.
    fn name(&mut self) -> Sign {
        let start = self.next;
        self.skip_while(|c| c == '_' || c.is_alphanumeric());
        let word: String = self.characters[start..self.next].iter().collect();
        let marks = self.characters[self.next..].iter().take_while(|c| **c == '#').count();
        let quoted = self.peek(marks) == Some('"');
        match word.as_str() {
            "r" | "br" | "cr" if quoted => self.skip_raw_string(),
            "b" | "c" if quoted && marks == 0 => self.skip_string(),
            "r" if marks == 1 => {
                self.bump();
                return self.name();
            }
            _ => return Sign::Name(word),
        }
        Sign::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `LINE: path` for each mention, `::*` after those that mean all.
    fn found(text: &str, module: &[&str]) -> Vec<String> {
        let star = |all| if all { "::*" } else { "" };
        mentions(text, module)
            .iter()
            .map(|m| format!("{}: {}{}", m.line, m.path.join("::"), star(m.all)))
            .collect()
    }

    #[test]
    fn paths_are_found_in_use_declarations_and_inline() {
        let text = "use crate::{app::{verify, token as t, self}, domain::*};\n\
                    fn f(x: &crate::db::factor::Row<'_>) -> Vec<crate::clock::Now> {\n    crate::app::verify::check::<crate::mail::Letter>(x)\n}\n\
                    pub(crate) fn g() {}\nuse crate as me;\n";
        assert_eq!(
            found(text, &["http", "verify"]),
            [
                "1: app::verify",
                "1: app::token",
                "1: app",
                "1: domain::*",
                "2: db::factor::Row",
                "2: clock::Now",
                "3: app::verify::check",
                "3: mail::Letter",
            ]
        );
    }

    #[test]
    fn super_and_self_are_followed_from_where_they_stand() {
        let text = "use super::token::Issued;\nuse super::super::db;\nuse self::part::P;\n\
                    mod tests {\n    use super::*;\n    mod deep { use super::super::x; }\n}\nuse super::y;\n";
        assert_eq!(
            found(text, &["app", "verify"]),
            [
                "1: app::token::Issued",
                "2: db",
                "3: app::verify::part::P",
                "5: app::verify::*",
                "6: app::verify::x",
                "8: app::y",
            ]
        );
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let text = "// crate::a::b\n/* crate::a /* crate::b */ crate::c */\n/// [`crate::d::e`]\n\
                    const A: &str = \"crate::a::b \\\" crate::c::d\";\nconst B: &str = r#\"crate::a::b \" crate::c\"#;\n\
                    const C: [char; 2] = ['\"', '\\''];\nfn f<'a>(r#type: &'a str) { b\"crate::x::y\"; crate::real::one(r#type) }\n";
        assert_eq!(found(text, &["app"]), ["7: real::one"]);
    }

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(module("app/verify.rs"), ["app", "verify"]);
        assert_eq!(module("app.rs"), ["app"]);
        assert_eq!(module("lib.rs"), [""; 0]);
    }
}
