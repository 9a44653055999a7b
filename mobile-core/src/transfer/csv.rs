//! CSV of RFC 4180, with line ends of any kind.

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

/// The most fields of a record.
const MAX_FIELDS: usize = 100;

pub(super) type Record = Vec<Zeroizing<String>>;

/// Gives records off the front. An error is the byte where it stopped.
pub(super) struct Records<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Records<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn field(&mut self) -> Result<Zeroizing<String>, usize> {
        let rest = &self.text[self.at..];
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find([',', '\r', '\n']).unwrap_or(rest.len());
            self.at += end;
            return Ok(Zeroizing::new(rest[..end].into()));
        };
        // The closing quote is the first that stands alone.
        let mut end = 0;
        loop {
            let Some(quote) = quoted[end..].find('"') else { return Err(self.text.len()) };
            end += quote + 1;
            if !quoted[end..].starts_with('"') {
                break;
            }
            end += 1;
        }
        self.at += 1 + end;
        Ok(Zeroizing::new(quoted[..end - 1].replace("\"\"", "\"")))
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.text.len() {
            return None;
        }
        let mut record = Record::new();
        loop {
            match self.field() {
                Ok(field) => record.push(field),
                Err(at) => {
                    self.at = self.text.len();
                    return Some(Err(at));
                }
            }
            let rest = &self.text[self.at..];
            if rest.starts_with(',') && record.len() < MAX_FIELDS {
                self.at += 1;
                continue;
            }
            let end = ["\r\n", "\n", "\r"].iter().find(|end| rest.starts_with(**end));
            match end {
                Some(end) => self.at += end.len(),
                None if rest.is_empty() => {}
                None => {
                    let at = self.at;
                    self.at = self.text.len();
                    return Some(Err(at));
                }
            }
            return Some(Ok(record));
        }
    }
}
