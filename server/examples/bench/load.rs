//! Callers: as many connections as wanted on one thread, by plain HTTP/1.1, so that they cost little beside the server.
//!
//! - **Closed loop**: every connection sends its next request when the last one is answered. Shows how much can be done.
//! - **Open loop**: requests are due at fixed times, whether the server keeps up or not, and a request's time counts from when it was due,
//!   not from when it could be sent. So a server that stalls is charged for everybody who had to wait (no coordinated omission).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::Tried;

/// What is sent next, as the bytes of a whole request. `None`: nothing is left to send.
pub(crate) type Source<'a> = Box<dyn FnMut() -> Option<Vec<u8>> + 'a>;

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// Replies by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Of the replies with 200, in microseconds, in order of size.
    pub(crate) times_us: Vec<u32>,
    /// Bodies of the first replies with 200, as many as were wanted.
    pub(crate) bodies: Vec<Vec<u8>>,
    /// Whether there was nothing more to send before the time was over.
    pub(crate) ran_dry: bool,
}

impl Run {
    /// Replies with this status a second.
    pub(crate) fn rate(&self, status: u16) -> f64 {
        f64::from(u32::try_from(self.count(status)).unwrap_or(u32::MAX)) / self.seconds
    }

    pub(crate) fn count(&self, status: u16) -> u64 {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    pub(crate) fn total(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// The time within which this share of the good replies came, in milliseconds.
    pub(crate) fn percentile_ms(&self, share: f64) -> f64 {
        percentile(&self.times_us, share) / 1000.0
    }
}

/// The smallest value that at least this share of all does not exceed; 0 where there are none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index"
)]
pub(crate) fn percentile(sorted: &[u32], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).or(sorted.last()).copied().map_or(0.0, f64::from)
}

/// When request `number` of an open loop is due after the start.
pub(crate) fn due(number: u64, a_second: f64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "millions of requests at most")]
    Duration::from_secs_f64(number as f64 / a_second)
}

/// How the callers behave.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    Closed,
    /// So many a second, together.
    Open(f64),
}

/// Sends for `span`; keeps the bodies of the first `keep` good replies.
pub(crate) fn run(
    address: &[SocketAddr],
    connections: usize,
    span: Duration,
    pace: Pace,
    keep: usize,
    source: Source<'_>,
) -> Tried<Run> {
    struct Shared<'a> {
        source: Source<'a>,
        run: Run,
        sent: u64,
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shared = Rc::new(RefCell::new(Shared { source, run: Run::default(), sent: 0 }));
    let local = LocalSet::new();
    let result: Tried<f64> = runtime.block_on(local.run_until(async {
        let mut open = Vec::new();
        for index in 0..connections {
            let stream = TcpStream::connect(address[index % address.len()]).await?;
            stream.set_nodelay(true)?;
            open.push(stream);
        }
        let start = Instant::now();
        let callers = open.into_iter().map(|mut stream| {
            let shared = Rc::clone(&shared);
            async move {
                let mut buffer = Vec::with_capacity(8192);
                loop {
                    // One number is one request, of whichever connection comes first.
                    let number = {
                        let mut shared = shared.borrow_mut();
                        shared.sent += 1;
                        shared.sent - 1
                    };
                    let since = match pace {
                        Pace::Closed => Instant::now(),
                        Pace::Open(a_second) => {
                            let when = start + due(number, a_second);
                            if when > start + span {
                                return Ok(());
                            }
                            tokio::time::sleep_until(when.into()).await;
                            when
                        }
                    };
                    if start.elapsed() >= span {
                        return Ok(());
                    }
                    let request = (shared.borrow_mut().source)();
                    let Some(request) = request else {
                        shared.borrow_mut().run.ran_dry = true;
                        return Ok(());
                    };
                    // A server may close a connection between two requests.
                    let answered = match ask(&mut stream, &request, &mut buffer).await {
                        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                            stream = TcpStream::connect(stream.peer_addr()?).await?;
                            stream.set_nodelay(true)?;
                            ask(&mut stream, &request, &mut buffer).await
                        }
                        answered => answered,
                    };
                    let (status, body) = answered?;
                    let time_us = u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX);
                    let run = &mut shared.borrow_mut().run;
                    *run.statuses.entry(status).or_default() += 1;
                    if (200..300).contains(&status) {
                        run.times_us.push(time_us);
                        if run.bodies.len() < keep {
                            run.bodies.push(body);
                        }
                    }
                }
            }
        });
        let done: Vec<std::io::Result<()>> = futures_util::future::join_all(callers).await;
        done.into_iter().collect::<Result<Vec<()>, _>>()?;
        Ok(start.elapsed().as_secs_f64())
    }));
    let seconds = result?;
    let mut run = Rc::try_unwrap(shared).map_err(|_| "a caller is still there")?.into_inner().run;
    run.seconds = seconds;
    run.times_us.sort_unstable();
    Ok(run)
}

/// Sends a request on a connection that stays open, and reads status and body of its reply. `UnexpectedEof`: it was closed before.
async fn ask(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> std::io::Result<(u16, Vec<u8>)> {
    stream.write_all(request).await.map_err(|_| std::io::ErrorKind::UnexpectedEof)?;
    let bad = |what| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    buffer.clear();
    let (head, length) = loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end]).map_err(|_| bad("the head is not text"))?;
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(Ok(0), |(_, value)| {
                    value.trim().parse::<usize>().map_err(|_| bad("content-length"))
                })?;
            break (end + 4, length);
        }
    };
    let status = std::str::from_utf8(buffer.get(9..12).unwrap_or_default())
        .ok()
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| bad("no status"))?;
    while buffer.len() < head + length {
        if stream.read_buf(buffer).await? == 0 {
            return Err(bad("the server closed the connection"));
        }
    }
    Ok((status, buffer[head..head + length].to_vec()))
}

/// A whole request. `headers` end with a line break each.
pub(crate) fn request(method: &str, path: &str, headers: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A form, as browsers send it.
pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request("POST", path, "", "application/x-www-form-urlencoded", &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let sorted: Vec<u32> = (1..=1000).collect();
        let close = |share, value: f64| assert!((percentile(&sorted, share) - value).abs() < 1e-9);
        close(0.5, 500.0);
        close(0.999, 999.0);
        close(1.0, 1000.0);
        close(0.0, 1.0);
        assert!(percentile(&[], 0.5).abs() < 1e-9);
    }

    #[test]
    fn an_open_loop_is_as_fast_as_it_says() {
        assert_eq!(due(0, 200.0), Duration::ZERO);
        assert_eq!(due(500, 200.0), Duration::from_millis(2500));
    }
}
