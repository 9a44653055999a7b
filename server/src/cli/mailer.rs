//! The thread that sends mails, beside the server. The outbox decides what it does; it only keeps at it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::app::outbox::{Outcome, send_next};
use crate::domain::refusal::Invalid;
use crate::http::{Mailed, State};
use crate::mail::{Refused, Transport, Trust};
use crate::settings::Settings;

/// How often it looks for mails.
const LOOKS_EVERY: Duration = Duration::from_secs(3);

/// How long it leaves a mail server alone that cannot be used; each further time doubles it. Else a wrong password would be
/// tried again for every mail.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// Mails sent in one go, before it looks whether it shall stop.
const AT_ONCE: usize = 50;

/// How long a stopping server waits for a mail under way. One that takes longer is sent again by whoever comes next.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The way out that the settings name, if any.
pub(super) fn transport(settings: &Settings) -> Result<Option<Transport>, Invalid> {
    let Some(url) = &settings.smtp_url else { return Ok(None) };
    let from = settings.mail_from.as_deref().unwrap_or_default();
    Transport::new(url, from, &settings.public_url, Trust::System).map(Some)
}

/// The running thread; stops when this is dropped.
pub(super) struct Mailer {
    stop: Option<Sender<()>>,
    stopped: Receiver<()>,
}

impl Mailer {
    pub(super) fn start(state: Arc<State>, transport: Transport) -> std::io::Result<Self> {
        let (stop, stopping) = channel::<()>();
        let (ended, stopped) = channel();
        thread::Builder::new().name("mailer".to_owned()).spawn(move || {
            // Told by its end, whichever way it comes.
            let _ended: Sender<()> = ended;
            keep_at_it(&state, &transport, &stopping);
        })?;
        Ok(Self { stop: Some(stop), stopped })
    }
}

impl Drop for Mailer {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.stopped.recv_timeout(STOP_TIMEOUT);
    }
}

fn keep_at_it(state: &State, transport: &Transport, stopping: &Receiver<()>) {
    let (mut wait, mut pause) = (LOOKS_EVERY, FIRST_PAUSE);
    while stopping.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        wait = LOOKS_EVERY;
        for _ in 0..AT_ONCE {
            match send_next(&state.service, &state.database, transport, state.clock.now()) {
                Ok(None) => break,
                Ok(Some(outcome)) => {
                    log(&outcome);
                    state.mailed(match outcome {
                        Outcome::Sent(_) => Mailed::Sent,
                        Outcome::Later(..) => Mailed::Later,
                        Outcome::GivenUp(..) => Mailed::GivenUp,
                    });
                    if let Outcome::Later(_, Refused::Unusable(_))
                    | Outcome::GivenUp(_, Refused::Unusable(_)) = outcome
                    {
                        wait = pause;
                        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                        break;
                    }
                    pause = FIRST_PAUSE;
                }
                Err(fault) => {
                    tracing::warn!(%fault, "the outbox could not be used; it is tried again");
                    wait = FIRST_PAUSE;
                    break;
                }
            }
            if stopping.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected) {
                return;
            }
        }
    }
}

/// Ids and reasons: no address, no text.
fn log(outcome: &Outcome) {
    match outcome {
        Outcome::Sent(mail) => tracing::info!(%mail, "mail sent"),
        Outcome::Later(mail, why) => tracing::warn!(%mail, %why, "mail not taken; it is tried again"),
        Outcome::GivenUp(mail, why) => tracing::error!(%mail, %why, "mail given up"),
    }
}
