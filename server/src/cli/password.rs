//! A password for a command: one line of standard input. At a terminal it is asked for, twice, and not shown.

use std::io::{self, BufRead, IsTerminal, Read as _, StdinLock, Write as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::domain::password::Password;
use crate::domain::refusal::Invalid;

/// No line is read beyond this, in bytes; no password is so long.
const LONGEST_LINE: usize = 4096;

/// Reads a new password.
pub(super) fn read() -> Result<Password, Invalid> {
    let mut input = io::stdin().lock();
    if !input.is_terminal() {
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_LINE));
        input.take(LONGEST_LINE as u64).read_until(b'\n', &mut bytes).map_err(unreadable)?;
        return Password::chosen(line(&bytes)?);
    }
    let terminal = Unseen::begin().map_err(unreadable)?;
    let first = terminal.ask(&mut input, "Password: ")?;
    let password = Password::chosen(line(&first)?)?;
    let second = terminal.ask(&mut input, "Once more: ")?;
    if line(&first)? == line(&second)? {
        Ok(password)
    } else {
        Err(Invalid::new("password", "was not the same both times"))
    }
}

/// What was typed, without the end of the line.
fn line(bytes: &[u8]) -> Result<&str, Invalid> {
    let text = str::from_utf8(bytes)
        .map_err(|_| Invalid::new("password", "cannot be read from standard input as UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(text.strip_suffix('\r').unwrap_or(text))
}

fn unreadable(error: impl std::fmt::Display) -> Invalid {
    Invalid::new("password", format!("cannot be read from standard input: {error}"))
}

/// The terminal, which shows nothing of what is typed while this lives.
struct Unseen {
    before: Termios,
}

impl Unseen {
    fn begin() -> rustix::io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        // Ctrl+C ends the line and not the process, which would leave the terminal like this.
        modes.local_modes -= LocalModes::ISIG;
        modes.special_codes[SpecialCodeIndex::VEOL] = before.special_codes[SpecialCodeIndex::VINTR];
        // What was typed before could be seen.
        tcsetattr(io::stdin(), OptionalActions::Flush, &modes)?;
        Ok(Self { before })
    }

    /// The next line. A terminal gives one at a time.
    fn ask(&self, input: &mut StdinLock<'_>, what: &str) -> Result<Zeroizing<Vec<u8>>, Invalid> {
        let mut said = io::stderr();
        let _ = write!(said, "{what}");
        let typed = input.fill_buf().map(|bytes| Zeroizing::new(bytes.to_vec()));
        let _ = writeln!(said);
        let typed = typed.map_err(unreadable)?;
        input.consume(typed.len());
        let interrupt = self.before.special_codes[SpecialCodeIndex::VINTR];
        let is_interrupted = typed.last() == Some(&interrupt) && interrupt != 0;
        // What ends otherwise than with Enter was left by Ctrl+D.
        if is_interrupted || typed.last() != Some(&b'\n') {
            return Err(Invalid::new("password", "was not given"));
        }
        // Ctrl+Z and the like are characters here, which nobody means to have in a password.
        if line(&typed)?.contains(char::is_control) {
            return Err(Invalid::new("password", "has a control character"));
        }
        Ok(typed)
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
