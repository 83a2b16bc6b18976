//! Requests that come over Socket Mode: two connections at least, so that one may end while the other hears.
//!
//! Each envelope is answered by what answers webhooks, and acknowledged with its answer as soon as there is one, which
//! is within 2.5 seconds whatever the database does. What was not stored is not acknowledged. An acknowledgement whose
//! connection is gone leaves by the other; an envelope that comes twice has one effect and the same answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::to_bytes;
use secrecy::SecretString;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use super::answer;
use crate::http::Http;
use crate::slack::client::Error;
use crate::slack::socket::{Came, Connection, Envelope, Frame, Reason};

/// Slack allows ten, and sends each envelope to one of them.
const CONNECTIONS: usize = 2;
/// Slack pings every few seconds; so does Tandem.
const PING: Duration = Duration::from_secs(10);
/// A connection that is silent for so long is taken for dead.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a connection that Slack wants to end is still listened to.
const REST: Duration = Duration::from_secs(30);
/// The first wait after a connection was lost; doubled with each failure.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A connection that held for so long was a good one: nobody is kept waiting for what failed before it.
const STEADY: Duration = Duration::from_secs(2);
/// How long nothing is tried when the token is refused or Socket Mode is off: somebody has to see to that.
const REFUSED: Duration = Duration::from_secs(300);
/// How long work in flight is waited for at the end.
const GRACE: Duration = Duration::from_secs(10);
/// Envelopes remembered with what acknowledged them. Slack repeats within minutes.
const REMEMBERED: usize = 1_000;
/// The longest answer that is read; our own are some kilobytes.
const ANSWER_MAX: usize = 1 << 20;

/// Hears until `shutdown` says true; then takes nothing more, and ends when what was taken is acknowledged.
pub async fn run(http: Http, app_token: SecretString, shutdown: watch::Receiver<bool>) {
    let office = Arc::new(Office {
        http,
        app_token,
        lines: Mutex::default(),
        next_line: AtomicU64::new(0),
        seen: Mutex::default(),
        work: TaskTracker::new(),
        retired: Arc::new(Semaphore::new(CONNECTIONS)),
    });
    let mut slots = JoinSet::new();
    for _ in 0..CONNECTIONS {
        slots.spawn(slot(office.clone(), shutdown.clone()));
    }
    while let Some(ended) = slots.join_next().await {
        if ended.is_err() {
            tracing::error!("a connection of Socket Mode panicked");
            slots.spawn(slot(office.clone(), shutdown.clone()));
        }
    }
}

/// What connections share.
struct Office {
    http: Http,
    app_token: SecretString,
    lines: Mutex<Lines>,
    next_line: AtomicU64,
    seen: Mutex<Seen>,
    /// Envelopes that are being worked on.
    work: TaskTracker,
    /// Room for connections that are still listened to although Slack wants to end them: as many as there are others.
    retired: Arc<Semaphore>,
}

/// Where acknowledgements can leave by, and those that found no way out.
#[derive(Default)]
struct Lines {
    open: BTreeMap<u64, mpsc::UnboundedSender<String>>,
    waiting: Vec<String>,
}

/// Which envelopes came lately: `None` while they are worked on, then what acknowledged them.
#[derive(Default)]
struct Seen {
    answers: BTreeMap<String, Option<String>>,
    order: VecDeque<String>,
}

enum Before {
    Never,
    UnderWay,
    Acknowledged(String),
}

impl Seen {
    fn begin(&mut self, id: &str) -> Before {
        match self.answers.get(id) {
            Some(Some(text)) => return Before::Acknowledged(text.clone()),
            Some(None) => return Before::UnderWay,
            None => {}
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
        self.order.push_back(id.to_owned());
        self.answers.insert(id.to_owned(), None);
        Before::Never
    }

    /// `None`: it failed, and a repetition is worked on anew.
    fn end(&mut self, id: &str, text: Option<String>) {
        match text {
            Some(text) => drop(self.answers.insert(id.to_owned(), Some(text))),
            None => {
                self.answers.remove(id);
                self.order.retain(|known| known != id);
            }
        }
    }
}

/// How a connection came to its end.
enum Ended {
    /// The process is stopping.
    Stopped,
    /// Slack wants another one in its place; it may still bring something.
    Retiring(Box<Connection>, Line),
    Dropped,
    LinkDisabled,
}

/// A connection's place among those that acknowledgements can leave by.
struct Line {
    id: u64,
    out: mpsc::UnboundedReceiver<String>,
}

/// Keeps one connection open.
async fn slot(office: Arc<Office>, mut shutdown: watch::Receiver<bool>) {
    let mut wait = FIRST_WAIT;
    let mut complained = false;
    while !*shutdown.borrow() {
        let connected = tokio::select! {
            connected = office.connect() => connected,
            _ = shutdown.changed() => return,
        };
        let pause = match connected {
            Ok(connection) => {
                complained = false;
                metrics::counter!("tandem_slack_socket_connections_total").increment(1);
                let line = office.line();
                let since = Instant::now();
                match office.listen(connection, line, &mut shutdown, None).await {
                    Ended::Stopped => return,
                    Ended::Retiring(connection, line) => {
                        office.retire(*connection, line, shutdown.clone()).await;
                        replacing(since.elapsed(), &mut wait)
                    }
                    Ended::Dropped => {
                        if since.elapsed() > STEADY {
                            wait = FIRST_WAIT;
                        }
                        tracing::info!("a connection of Socket Mode ended; another is opened");
                        doubled(&mut wait)
                    }
                    Ended::LinkDisabled => {
                        tracing::error!(
                            "Socket Mode was switched off for the app: nothing is heard until it is on again"
                        );
                        REFUSED
                    }
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::error!(%error, "Socket Mode can't be reached; it is tried again");
                }
                match error {
                    Error::Unauthorized(_) | Error::Denied { .. } | Error::Rejected(_) => REFUSED,
                    Error::RateLimited { retry_after } => retry_after,
                    _ => doubled(&mut wait),
                }
            }
        };
        // From half to one and a half, so that many replicas do not come back at one moment.
        let pause = pause.mul_f64(0.5 + rand::random::<f64>());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = shutdown.changed() => return,
        }
    }
}

/// How long until the place of a connection is taken that Slack wants to end after it `held` for so long: at once, so
/// that nobody waits, but not where Slack wants to end each as soon as it is there.
fn replacing(held: Duration, wait: &mut Duration) -> Duration {
    if held <= STEADY {
        return doubled(wait);
    }
    *wait = FIRST_WAIT;
    Duration::ZERO
}

/// This wait, and from then on twice as long.
fn doubled(wait: &mut Duration) -> Duration {
    let now = *wait;
    *wait = (now * 2).min(LONGEST_WAIT);
    now
}

/// Completes when the process is to end, or whoever would say so is gone.
async fn stopping(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stopping| *stopping).await;
}

impl Office {
    async fn connect(&self) -> Result<Connection, Error> {
        match &self.http.slack {
            Some(slack) => slack.client.connect(&self.app_token).await,
            None => Err(Error::Rejected("Slack is not configured".into())),
        }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new line; what found no way out before leaves by it.
    fn line(&self) -> Line {
        let (sender, out) = mpsc::unbounded_channel();
        let id = self.next_line.fetch_add(1, Ordering::Relaxed);
        let mut lines = self.lines();
        for text in std::mem::take(&mut lines.waiting) {
            // Its receiver is in our hands.
            let _ = sender.send(text);
        }
        lines.open.insert(id, sender);
        Line { id, out }
    }

    /// Lets an acknowledgement leave: by the line on which the envelope came, else by another, else by the next.
    fn acknowledge(&self, line: u64, text: String) {
        let mut lines = self.lines();
        let mut text = text;
        let ways = [lines.open.get(&line)].into_iter().flatten().chain(lines.open.values());
        for way in ways.cloned().collect::<Vec<_>>() {
            match way.send(text) {
                Ok(()) => return,
                Err(mpsc::error::SendError(back)) => text = back,
            }
        }
        lines.waiting.push(text);
        if lines.waiting.len() > REMEMBERED {
            lines.waiting.remove(0);
        }
    }

    /// Listens for a little while to a connection that Slack wants to end, unless enough of them are listened to.
    async fn retire(self: &Arc<Self>, connection: Connection, line: Line, mut shutdown: watch::Receiver<bool>) {
        let Ok(place) = self.retired.clone().try_acquire_owned() else {
            self.close(line);
            return connection.close().await;
        };
        let office = self.clone();
        tokio::spawn(async move {
            let until = Some(tokio::time::Instant::now() + REST);
            office.listen(connection, line, &mut shutdown, until).await;
            drop(place);
        });
    }

    /// Takes what comes over a connection until it ends, or until a moment.
    async fn listen(
        self: &Arc<Self>,
        mut connection: Connection,
        mut line: Line,
        shutdown: &mut watch::Receiver<bool>,
        until: Option<tokio::time::Instant>,
    ) -> Ended {
        let mut heard = Instant::now();
        let mut ping = tokio::time::interval(PING);
        let far = tokio::time::Instant::now() + Duration::from_secs(24 * 3600);
        let ended = loop {
            tokio::select! {
                came = connection.next() => {
                    heard = Instant::now();
                    match came {
                        Came::Frame(Frame::Envelope(envelope)) => self.take(envelope, line.id),
                        Came::Frame(Frame::Disconnect(Reason::LinkDisabled)) => break Ended::LinkDisabled,
                        Came::Frame(Frame::Disconnect(Reason::TooMany)) => break Ended::Dropped,
                        Came::Frame(Frame::Disconnect(_)) if until.is_none() => return Ended::Retiring(Box::new(connection), line),
                        Came::Malformed(malformed) => tracing::info!(%malformed, "a frame of Socket Mode was refused"),
                        Came::Closed => break Ended::Dropped,
                        Came::Frame(_) | Came::Alive => {}
                    }
                }
                Some(text) = line.out.recv() => {
                    if !connection.send(&text).await {
                        self.close(line);
                        self.acknowledge(u64::MAX, text);
                        return Ended::Dropped;
                    }
                }
                _ = ping.tick() => {
                    if heard.elapsed() > SILENCE || !connection.ping().await {
                        break Ended::Dropped;
                    }
                }
                () = tokio::time::sleep_until(until.unwrap_or(far)), if until.is_some() => break Ended::Dropped,
                () = stopping(shutdown) => {
                    self.finish(connection, line).await;
                    return Ended::Stopped;
                }
            }
        };
        self.close(line);
        ended
    }

    /// Nothing more is read; what was taken is still acknowledged.
    async fn finish(&self, mut connection: Connection, mut line: Line) {
        self.work.close();
        let end = tokio::time::Instant::now() + GRACE;
        loop {
            tokio::select! {
                biased;
                Some(text) = line.out.recv() => {
                    if !connection.send(&text).await {
                        break;
                    }
                }
                () = self.work.wait() => break,
                () = tokio::time::sleep_until(end) => break,
            }
        }
        while let Ok(text) = line.out.try_recv() {
            connection.send(&text).await;
        }
        self.close(line);
        connection.close().await;
    }

    /// The line is no more; what was to leave by it leaves by another.
    fn close(&self, mut line: Line) {
        self.lines().open.remove(&line.id);
        line.out.close();
        while let Ok(text) = line.out.try_recv() {
            self.acknowledge(u64::MAX, text);
        }
    }

    /// Works on an envelope beside the connection, so that the next ones need not wait for it.
    fn take(self: &Arc<Self>, envelope: Envelope, line: u64) {
        metrics::counter!("tandem_slack_socket_envelopes_total").increment(1);
        match self.seen().begin(&envelope.id) {
            Before::Acknowledged(text) => return self.acknowledge(line, text),
            // Whoever works on it acknowledges it.
            Before::UnderWay => return,
            Before::Never => {}
        }
        let office = self.clone();
        let work = async move {
            let id = envelope.id.clone();
            // A panic must not leave it under way for ever.
            let worked = tokio::spawn(async move { office_answer(&office, &envelope).await });
            (
                id,
                worked.await.unwrap_or_else(|_| {
                    crate::http::count_panic();
                    None
                }),
            )
        };
        let office = self.clone();
        self.work.spawn(async move {
            let (id, text) = work.await;
            office.seen().end(&id, text.clone());
            if let Some(text) = text {
                office.acknowledge(line, text);
            }
        });
    }
}

/// What acknowledges an envelope; `None` where nothing was stored, so that Slack tells the person, or sends it again.
async fn office_answer(office: &Office, envelope: &Envelope) -> Option<String> {
    let slack = office.http.slack.as_ref()?;
    let inbound = match envelope.inbound(&slack.api) {
        Ok(inbound) => inbound,
        Err(malformed) => {
            tracing::info!(%malformed, "an envelope of Socket Mode was refused");
            // The same again would be refused again.
            return Some(envelope.acknowledged(None));
        }
    };
    let response = answer(office.http.clone(), inbound, Instant::now()).await;
    if !response.status().is_success() {
        return None;
    }
    let body = to_bytes(response.into_body(), ANSWER_MAX).await.ok()?;
    Some(envelope.acknowledged(serde_json::from_slice(&body).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_slack_ends_at_once_is_not_replaced_at_once() {
        let mut wait = FIRST_WAIT;
        let mut after = |held| replacing(Duration::from_secs(held), &mut wait).as_millis();
        assert_eq!([after(0), after(0), after(1)], [250, 500, 1000]);
        assert_eq!(after(7200), 0, "as Slack does every few hours");
        assert_eq!(after(0), 250);
    }
}
