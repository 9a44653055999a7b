//! A mail server that follows a script: takes mails, refuses them, hangs, hangs up.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub const USER: &str = "mail@login.example";
/// With what a URL must encode.
pub const PASSWORD: &str = "p@ss/word: 100%";

/// What the server does with the next connection; without a script it takes the mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Take,
    /// Answers `MAIL`, `RCPT` or the mail itself with this.
    Sender(&'static str),
    Recipient(&'static str),
    Content(&'static str),
    /// Says nothing after `RCPT`.
    Hang,
    /// Hangs up in the middle of the mail.
    Drop,
    /// Takes the mail and hangs up before it says so.
    LoseReply,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Plain,
    StartTls,
    /// Offers no STARTTLS to whoever wants it.
    NoStartTls,
    Tls,
}

/// A mail that the server took.
#[derive(Clone, Debug)]
pub struct Taken {
    pub to: Vec<String>,
    pub data: String,
    pub encrypted: bool,
    pub logged_in: bool,
}

struct Shared {
    mode: Mode,
    config: Arc<ServerConfig>,
    script: Mutex<VecDeque<Act>>,
    taken: Mutex<Vec<Taken>>,
    /// Everything that clients said in the clear.
    overheard: Mutex<String>,
    connections: Mutex<usize>,
    over: AtomicBool,
}

pub struct Smtp {
    pub port: u16,
    /// In DER.
    pub certificate: Vec<u8>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Smtp {
    pub fn start(mode: Mode) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = made.cert.der().to_vec();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let shared = Arc::new(Shared {
            mode,
            config: Arc::new(config),
            script: Mutex::default(),
            taken: Mutex::default(),
            overheard: Mutex::default(),
            connections: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            std::thread::scope(|scope| {
                for stream in listener.incoming() {
                    if kept.over.load(Ordering::SeqCst) {
                        break;
                    }
                    let shared = &kept;
                    *shared.connections.lock().unwrap() += 1;
                    let act = shared.script.lock().unwrap().pop_front().unwrap_or(Act::Take);
                    scope.spawn(move || {
                        // Whoever is talked to may go away at any word.
                        let _ = talk(shared, stream.unwrap(), act);
                    });
                }
            });
        });
        Self { port, certificate, shared, thread: Some(thread) }
    }

    pub fn will(&self, acts: &[Act]) {
        self.shared.script.lock().unwrap().extend(acts);
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.shared.taken.lock().unwrap().clone()
    }

    pub fn overheard(&self) -> String {
        self.shared.overheard.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    fn secured(self, config: &Arc<ServerConfig>) -> Self {
        match self {
            Self::Plain(stream) => {
                let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                Self::Tls(Box::new(StreamOwned::new(connection, stream)))
            }
            Self::Tls(_) => panic!("TLS within TLS"),
        }
    }

    fn say(&mut self, line: &str) -> std::io::Result<()> {
        let line = format!("{line}\r\n");
        match self {
            Self::Plain(stream) => stream.write_all(line.as_bytes()),
            Self::Tls(stream) => stream.write_all(line.as_bytes()).and_then(|()| stream.flush()),
        }
    }

    /// One byte after the other, so that nothing of what follows is taken along.
    fn hear(&mut self, shared: &Shared) -> std::io::Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.last() != Some(&b'\n') {
            match self {
                Self::Plain(stream) => stream.read_exact(&mut byte)?,
                Self::Tls(stream) => stream.read_exact(&mut byte)?,
            }
            line.push(byte[0]);
        }
        let line = String::from_utf8(line).unwrap();
        if let Self::Plain(_) = self {
            shared.overheard.lock().unwrap().push_str(&line);
        }
        Ok(line)
    }
}

fn talk(shared: &Shared, stream: TcpStream, act: Act) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut wire = Wire::Plain(stream);
    if shared.mode == Mode::Tls {
        wire = wire.secured(&shared.config);
    }
    wire.say("220 mx.example ESMTP")?;
    let (mut logged_in, mut to) = (false, Vec::new());
    loop {
        let line = wire.hear(shared)?;
        let encrypted = matches!(wire, Wire::Tls(_));
        let word = line.split([' ', '\r']).next().unwrap_or_default().to_uppercase();
        match word.as_str() {
            "EHLO" => {
                wire.say("250-mx.example")?;
                if shared.mode == Mode::StartTls && !encrypted {
                    wire.say("250-STARTTLS")?;
                }
                wire.say("250-8BITMIME")?;
                wire.say("250 AUTH PLAIN LOGIN")?;
            }
            "STARTTLS" => {
                wire.say("220 2.0.0 go ahead")?;
                wire = wire.secured(&shared.config);
            }
            "AUTH" => {
                let shown = line.split_whitespace().nth(2).unwrap_or_default().to_owned();
                let expected = STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
                logged_in = shown == expected;
                if logged_in {
                    wire.say("235 2.7.0 welcome")?;
                } else {
                    // Some servers are that careless.
                    wire.say(&format!("535 5.7.8 {shown} is wrong"))?;
                }
            }
            "MAIL" => match act {
                Act::Sender(refusal) => wire.say(refusal)?,
                _ => wire.say("250 2.1.0 sender is fine")?,
            },
            "RCPT" => match act {
                Act::Recipient(refusal) => wire.say(refusal)?,
                Act::Hang => {
                    // Until the other side has had enough.
                    let _ = wire.hear(shared);
                    return Ok(());
                }
                _ => {
                    let from = line.find('<').map_or(0, |at| at + 1);
                    to.push(line[from..].trim_end().trim_end_matches('>').to_owned());
                    wire.say("250 2.1.5 recipient is fine")?;
                }
            },
            "DATA" => {
                wire.say("354 go ahead")?;
                let mut data = String::new();
                loop {
                    let line = wire.hear(shared)?;
                    if line == ".\r\n" {
                        break;
                    }
                    data.push_str(line.strip_prefix('.').unwrap_or(&line));
                    if act == Act::Drop && data.lines().count() > 5 {
                        return Ok(());
                    }
                }
                if let Act::Content(refusal) = act {
                    let quoted: String = data.replace("\r\n", " ").chars().take(300).collect();
                    wire.say(&format!("{refusal} {quoted}"))?;
                    continue;
                }
                let taken = Taken { to: std::mem::take(&mut to), data, encrypted, logged_in };
                shared.taken.lock().unwrap().push(taken);
                if act == Act::LoseReply {
                    return Ok(());
                }
                wire.say("250 2.0.0 taken")?;
            }
            "QUIT" => {
                wire.say("221 2.0.0 bye")?;
                return Ok(());
            }
            _ => wire.say("500 5.5.2 what?")?,
        }
    }
}

impl Taken {
    /// The header, as lines with their continuations.
    pub fn header(&self) -> Vec<String> {
        let (header, _) = self.data.split_once("\r\n\r\n").unwrap();
        header.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n").map(str::to_owned).collect()
    }

    /// A field's value; there must be exactly one.
    pub fn field(&self, name: &str) -> String {
        let prefix = format!("{}:", name.to_lowercase());
        let values: Vec<String> = self
            .header()
            .iter()
            .filter(|line| line.to_lowercase().starts_with(&prefix))
            .map(|line| line[prefix.len()..].trim().to_owned())
            .collect();
        assert_eq!(values.len(), 1, "{name} in {:?}", self.header());
        values[0].clone()
    }

    /// The subject, decoded (RFC 2047, base64 only).
    pub fn subject(&self) -> String {
        let words = self.field("subject");
        let decoded =
            |word: &str| match word.strip_prefix("=?utf-8?b?").and_then(|rest| rest.strip_suffix("?=")) {
                Some(encoded) => (String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap(), true),
                None => (word.to_owned(), false),
            };
        let mut subject = String::new();
        // Blanks between two encoded words do not count.
        let mut after_encoded = true;
        for (text, encoded) in words.split(' ').map(decoded) {
            if !encoded || !after_encoded {
                subject.push(' ');
            }
            subject.push_str(&text);
            after_encoded = encoded;
        }
        subject.trim_start().to_owned()
    }

    /// The decoded part of this type.
    pub fn part(&self, kind: &str) -> String {
        let boundary = self.field("content-type").split("boundary=\"").nth(1).unwrap().replace('"', "");
        let separator = format!("--{boundary}");
        let parts = self.data.split(&separator).skip(1);
        let part = parts
            .map(|part| part.trim_start_matches("\r\n"))
            .find(|part| part.contains(kind))
            .unwrap_or_else(|| panic!("no {kind} in {}", self.data));
        let (header, body) = part.split_once("\r\n\r\n").unwrap();
        let body = body.strip_suffix("\r\n").unwrap_or(body);
        match header.to_lowercase() {
            header if header.contains("base64") => {
                String::from_utf8(STANDARD.decode(body.replace("\r\n", "")).unwrap()).unwrap()
            }
            header if header.contains("quoted-printable") => quoted_printable(body),
            header => {
                assert!(header.contains("7bit"), "{header}");
                body.to_owned()
            }
        }
    }
}

fn quoted_printable(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'=' {
            let digits = std::str::from_utf8(&after[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}
