//! One row of the outbox: claimed, sent, and written down.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use metrics::{counter, histogram};
use tokio::time::sleep;
use tracing::{error, warn};
use uuid::Uuid;

use super::lane::{Held, Stopped, place};
use super::refusal::Refusal;
use super::{slack, teams};
use crate::app::content::{self, Arrived};
use crate::domain::message::Message;
use crate::store;
use crate::store::directory::Platform;
use crate::store::message::{Address, MessageCopy};
use crate::store::outbox::{self, Ending, Outgoing, Sending};
use crate::store::person;
use crate::tokens;

/// After the first attempt, the second …: reliability.md, "Delivery retries". After the fifth it is given up.
const DELAYS: [TimeDelta; 4] =
    [TimeDelta::seconds(5), TimeDelta::minutes(5), TimeDelta::minutes(30), TimeDelta::hours(2)];
/// How long a workspace is left alone that does not accept the token.
const UNAUTHORIZED: Duration = Duration::from_secs(300);
/// How long a reply waits for the message that it replies to, and a redraw for a post that was begun under another lease.
const THREAD: TimeDelta = TimeDelta::seconds(5);
/// How long a channel is tried: then its people are told in direct messages instead.
const CHANNEL: TimeDelta = TimeDelta::minutes(10);
/// Between tries to write down what happened in chat.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// What became of a row, as its lane needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// A post arrived.
    Sent(What),
    /// A post was given up.
    GivenUp(What),
    /// A redraw was done or given up, or there was nothing to say.
    Done,
    /// It is tried again.
    Back,
    /// The row, or the whole lane, is another's.
    Refused,
}

/// What a post was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Somebody's morning.
    Digest,
    Other,
}

/// What sending came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    Arrived,
    /// There was nothing left to say.
    Nothing,
}

/// Why a row did not get through.
pub(super) enum Failure {
    Platform(Refusal),
    Stopped,
    Refused,
    /// The person can't be written to, by a code.
    Unreachable(&'static str),
    /// People outside the company read the channel, or nobody can say that they do not; by a code.
    Outsiders(&'static str),
    /// Tandem was removed from the workspace.
    Uninstalled,
    /// The token ran out while it was used, and there is a new one.
    Renewed,
    /// The workspace's token is there and can't be opened.
    Locked(String),
    /// The configured token is another workspace's.
    Mistaken,
    /// What it replies to, or redraws, is not sent yet.
    NotYet,
    Render(anyhow::Error),
    Store(anyhow::Error),
}

impl From<crate::slack::client::Error> for Failure {
    fn from(error: crate::slack::client::Error) -> Self {
        Self::Platform(error.into())
    }
}

impl From<crate::teams::client::Error> for Failure {
    fn from(error: crate::teams::client::Error) -> Self {
        Self::Platform(error.into())
    }
}

impl From<tokens::Error> for Failure {
    fn from(error: tokens::Error) -> Self {
        match error {
            tokens::Error::Slack(error) | tokens::Error::Unproven(error) => Self::Platform(error.into()),
            tokens::Error::Mistaken(_) => Self::Mistaken,
            tokens::Error::Locked(why) => Self::Locked(why.to_string()),
            tokens::Error::Unexpected(error) => Self::Store(error),
        }
    }
}

impl From<Stopped> for Failure {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Store(error)
    }
}

/// A row under way.
pub(super) struct Claim<'a> {
    pub(super) held: &'a Held,
    pub(super) row: &'a Outgoing,
    claimed: bool,
    /// The part that may stand in chat although no answer came.
    pub(super) unsure: Option<i32>,
}

/// What is written down at the end of an attempt.
#[derive(Debug, Clone, Copy)]
enum Verdict<'a> {
    Sent(Arrival),
    GivenUp { code: &'a str, unreachable: bool },
    Back { at: DateTime<Utc>, code: &'a str, counts: bool },
}

/// Makes one attempt. An error means that the database could not be written to: then the lane must be given up.
pub(super) async fn send(held: &Held, row: &Outgoing) -> anyhow::Result<Fate> {
    let mut claim = Claim { held, row, claimed: false, unsure: None };
    let senders = &held.shared.senders;
    let result = match (held.lease.workspace.platform, &senders.slack, &senders.teams) {
        (Platform::Slack, Some(sender), _) => slack::send(&mut claim, sender).await,
        (Platform::Teams, _, Some(sender)) => teams::send(&mut claim, sender).await,
        (Platform::Preview, ..) => claim.show().await,
        // Only lanes with a sender are leased.
        (Platform::Slack | Platform::Teams, ..) => Err(Failure::Store(anyhow::anyhow!("a lane without a sender"))),
    };
    claim.conclude(result).await
}

impl Claim<'_> {
    /// Claims the row just before the first call that writes: what is marked may stand in chat, what is not does not.
    /// From here on changes queue a redraw, so the message is rendered after it.
    pub(super) async fn mark(&mut self) -> Result<(), Failure> {
        if self.claimed {
            return Ok(());
        }
        self.claimed = self.held.claim(self.row.outbox_id).await?;
        if self.claimed { Ok(()) } else { Err(Failure::Refused) }
    }

    /// Waits for the workspace's next token.
    pub(super) async fn turn(&self) -> Result<(), Stopped> {
        self.held.turn(self.row.sending).await
    }

    /// The same, once the row's place may be posted to.
    pub(super) async fn turn_at(&self) -> Result<(), Stopped> {
        self.held.turn_at(&place(&self.row.to), self.row.sending).await
    }

    pub(super) async fn render(&self) -> Result<Option<Message>, Failure> {
        self.held.draw(self.row).await.map_err(Failure::Render)
    }

    /// Writes down where a part stands, as soon as it does, in a transaction of its own: also when the lease was
    /// lost meanwhile, since it is true all the same.
    pub(super) async fn save(&self, part: i32, channel: &str, ts: &str) -> anyhow::Result<MessageCopy> {
        let sent_at = self.held.shared.app.now();
        let copy = MessageCopy { part, channel_id: channel.to_owned(), ts: ts.to_owned(), sent_at };
        steadily(|| self.held.note(self.row.message_id, &copy)).await?;
        Ok(copy)
    }

    /// The preview reads messages from the database; all that "sending" adds is where it stands.
    async fn show(&mut self) -> Result<Arrival, Failure> {
        self.mark().await?;
        if self.row.sending == Sending::Redraw || self.render().await?.is_none() {
            return Ok(Arrival::Nothing);
        }
        let place = match &self.row.to {
            Address::Person(person) => format!("preview:{person}"),
            Address::Channel(channel) => format!("preview:#{channel}"),
            Address::ChatUser(user) => format!("preview:@{user}"),
        };
        // Sortable and never twice the same, also while the organisation's clock stands still.
        let ts = format!("{:039}", Uuid::now_v7().as_u128());
        self.save(0, &place, &ts).await?;
        Ok(Arrival::Arrived)
    }

    async fn conclude(&mut self, result: Result<Arrival, Failure>) -> anyhow::Result<Fate> {
        let now = self.held.shared.app.now();
        // Its old place in the line: the lane waits, and order within a channel is kept.
        let in_line = self.row.queued_at;
        match result {
            Ok(arrival) => self.close(Verdict::Sent(arrival)).await,
            Err(Failure::Store(problem)) => Err(problem),
            Err(Failure::Refused) => Ok(Fate::Refused),
            Err(Failure::Stopped) => self.back(in_line, "interrupted", false).await,
            Err(Failure::NotYet) => self.back(now + THREAD, "thread", false).await,
            Err(Failure::Unreachable(code)) => self.unreachable(code).await,
            Err(Failure::Outsiders(code)) => self.give_up("outsiders", code, false).await,
            Err(Failure::Uninstalled) => self.give_up("uninstalled", "uninstalled", false).await,
            Err(Failure::Renewed) => self.again("token_renewed", "token_expired", TimeDelta::zero()).await,
            Err(Failure::Locked(why)) => self.unauthorized("token_unreadable", &why).await,
            // Whoever looks after tokens says so, and what cures it.
            Err(Failure::Mistaken) => self.rest("token_of_another_workspace").await,
            // Erased while it was on its way: nothing of it is left to be written down.
            Err(Failure::Render(problem)) if store::is_gone(&problem) => Ok(Fate::Refused),
            Err(Failure::Render(problem)) => {
                error!(message = %self.row.message_id, error = format!("{problem:#}"), "a message can't be rendered");
                self.again("render", "render", TimeDelta::zero()).await
            }
            Err(Failure::Platform(refusal)) => self.refused(refusal, in_line).await,
        }
    }

    async fn refused(&mut self, refusal: Refusal, in_line: DateTime<Utc>) -> anyhow::Result<Fate> {
        let platform = self.held.lease.workspace.platform.as_str();
        match refusal {
            Refusal::RateLimited { retry_after } => {
                failed("rate_limited");
                // A little later than asked for, each time by another bit: several replicas and bots share the limit.
                self.held.block(retry_after.mul_f64(1.0 + 0.1 * rand::random::<f64>())).await?;
                self.back(in_line, "ratelimited", false).await
            }
            Refusal::Transient { reason, retry_after } => {
                self.again("transient", &reason, TimeDelta::from_std(retry_after)?).await
            }
            Refusal::Denied { code, needed } => {
                self.say_denied(&code, needed.as_deref());
                self.again("denied", &code, TimeDelta::zero()).await
            }
            Refusal::Unauthorized(code) => self.unauthorized(&code, "the token is not accepted").await,
            Refusal::Unreachable(code) => self.unreachable(&code).await,
            Refusal::PossiblySent => self.give_up("possibly_sent", "possibly_sent", false).await,
            Refusal::Gone(code) | Refusal::Rejected(code) => {
                error!(message = %self.row.message_id, platform, code, "a message was refused for what it is");
                self.give_up("rejected", &code, false).await
            }
        }
    }

    async fn unauthorized(&mut self, code: &str, why: &str) -> anyhow::Result<Fate> {
        let workspace = &self.held.lease.workspace;
        if self.held.shared.first_time(workspace, "unauthorized") {
            error!(workspace = workspace.id, code, why, "a workspace can't be opened; its messages wait");
        }
        self.rest(code).await
    }

    /// The whole workspace rests until somebody may have seen to it.
    async fn rest(&mut self, code: &str) -> anyhow::Result<Fate> {
        self.held.block(UNAUTHORIZED).await?;
        self.again("unauthorized", code, TimeDelta::from_std(UNAUTHORIZED)?).await
    }

    /// One method is closed to Tandem; what needs it waits or goes another way, and all else goes on.
    pub(super) fn say_denied(&self, code: &str, needed: Option<&str>) {
        let workspace = &self.held.lease.workspace;
        if self.held.shared.first_time(workspace, &format!("denied: {code} {needed:?}")) {
            error!(
                workspace = workspace.id,
                code,
                needed,
                "the workspace does not let Tandem do all that it needs to: install the app anew with the scopes of its manifest"
            );
        }
    }

    async fn unreachable(&mut self, code: &str) -> anyhow::Result<Fate> {
        self.give_up("unreachable", code, true).await
    }

    /// By the schedule, or given up after its end.
    async fn again(&mut self, class: &'static str, code: &str, at_least: TimeDelta) -> anyhow::Result<Fate> {
        let delay = delay(self.row.attempts + 1, rand::random());
        let at = delay.map(|delay| self.held.shared.app.now() + delay.max(at_least));
        // Where the whole workspace can't be opened, direct messages would fare no better.
        let tried_for = match (&self.row.to, self.row.sending) {
            (Address::Channel(_), Sending::Post) if class != "unauthorized" => CHANNEL,
            _ => TimeDelta::MAX,
        };
        match at.filter(|at| *at - self.row.queued_at <= tried_for) {
            Some(at) => {
                failed(class);
                self.back(at, code, true).await
            }
            None => self.give_up(class, code, false).await,
        }
    }

    async fn give_up(&mut self, class: &'static str, code: &str, unreachable: bool) -> anyhow::Result<Fate> {
        failed(class);
        let (message, kind) = (self.row.message_id, self.row.sending.as_str());
        warn!(org = %self.held.lease.org, %message, kind, code, "a delivery was given up");
        counter!("tandem_delivery_given_up_total", "kind" => kind, "reason" => class).increment(1);
        self.close(Verdict::GivenUp { code, unreachable }).await
    }

    async fn back(&mut self, at: DateTime<Utc>, code: &str, counts: bool) -> anyhow::Result<Fate> {
        let ours = steadily(|| self.write(Verdict::Back { at, code, counts }, true)).await?;
        Ok(if ours { Fate::Back } else { Fate::Refused })
    }

    /// Ends the row. Where what follows from that can't be written, the row is tried again by the schedule, and in
    /// the end closed without: it must not hold up its lane for ever.
    async fn close(&mut self, verdict: Verdict<'_>) -> anyhow::Result<Fate> {
        let arrived = self.claimed && matches!(verdict, Verdict::Sent(Arrival::Arrived));
        let together = arrived && self.held.settle(self.row).await;
        let ours = match if together { Ok(true) } else { steadily(|| self.write(verdict, true)).await } {
            Ok(ours) => ours,
            Err(problem) if store::is_gone(&problem) => return Ok(Fate::Refused),
            Err(problem) => {
                let message = self.row.message_id;
                error!(%message, error = format!("{problem:#}"), "what follows from a delivery can't be written");
                if let Some(delay) = delay(self.row.attempts + 1, rand::random()) {
                    return self.back(self.held.shared.app.now() + delay, "consequences", true).await;
                }
                self.write(verdict, false).await?
            }
        };
        let is_post = self.row.sending == Sending::Post;
        let what = if content::is_digest(&self.row.content) { What::Digest } else { What::Other };
        Ok(match verdict {
            _ if !ours => {
                // At most the one message that was being written when the lease ran out.
                counter!("tandem_delivery_late_total").increment(1);
                Fate::Refused
            }
            Verdict::Sent(Arrival::Arrived) => {
                self.count_sent();
                if is_post { Fate::Sent(what) } else { Fate::Done }
            }
            Verdict::GivenUp { .. } if is_post => Fate::GivenUp(what),
            _ => Fate::Done,
        })
    }

    fn count_sent(&self) {
        let (platform, kind) = (self.held.lease.workspace.platform, self.row.sending.as_str());
        if platform != Platform::Preview {
            self.held.shared.is_over(&self.held.lease.workspace, "unauthorized");
        }
        counter!("tandem_delivery_sent_total", "platform" => platform.as_str(), "kind" => kind).increment(1);
        if let Ok(lag) = (self.held.shared.app.now() - self.row.queued_at).to_std() {
            histogram!("tandem_delivery_lag_seconds", "kind" => kind).record(lag.as_secs_f64());
        }
    }

    /// One transaction: the row's end and, unless told otherwise, what follows from it. False where the row is
    /// another's; then nothing was written.
    async fn write(&self, verdict: Verdict<'_>, consequences: bool) -> anyhow::Result<bool> {
        self.held.answered(self.write_down(verdict, consequences)).await
    }

    async fn write_down(&self, verdict: Verdict<'_>, consequences: bool) -> anyhow::Result<bool> {
        let (shared, lease, row) = (&self.held.shared, &self.held.lease, self.row);
        let (app, now, reader) = (&shared.app, shared.app.now(), row.reader());
        // A redraw has no consequences of its own: its post had them.
        let consequences = consequences && row.sending == Sending::Post;
        let mut tx = app.store.tenant(lease.org).await?;
        let this = &[row.outbox_id];
        match verdict {
            Verdict::Sent(Arrival::Arrived) if consequences => {
                (shared.contents.delivered)(app, &mut tx, &[Arrived::from(row)], now).await?;
            }
            Verdict::GivenUp { code, unreachable } => {
                if unreachable && let Some(person) = reader {
                    person::mark_unreachable(&mut tx, &lease.workspace, person, now).await?;
                }
                if consequences {
                    (shared.contents.given_up)(app, &mut tx, row.message_id, &row.content, reader, code, now).await?;
                }
            }
            Verdict::Sent(_) | Verdict::Back { .. } => {}
        }
        // After what else is locked, as by clicks: they lock what they move, then the posts that show it.
        if !self.claimed && !outbox::mark_sending(&mut tx, row.outbox_id, lease).await? {
            return Ok(false);
        }
        let ours = match verdict {
            Verdict::Sent(_) => outbox::settle(&mut tx, this, lease, Ending::Sent, now).await?,
            Verdict::GivenUp { code, .. } => outbox::settle(&mut tx, this, lease, Ending::GivenUp(code), now).await?,
            Verdict::Back { at, code, counts } => {
                outbox::retry(&mut tx, row.outbox_id, lease, at, code, counts, self.unsure).await?;
                true
            }
        };
        if ours {
            tx.commit().await?;
        }
        Ok(ours)
    }
}

/// How long to wait after the `made`th attempt failed, with a tenth of jitter by a `dice` from 0 to 1, so that a
/// whole morning that failed does not come back in one second. `None` after the last.
fn delay(made: i32, dice: f64) -> Option<TimeDelta> {
    let delay = DELAYS.get(usize::try_from(made).ok()?.checked_sub(1)?)?;
    let jittered = delay.as_seconds_f64() * (0.9 + 0.2 * dice);
    Some(TimeDelta::milliseconds((jittered * 1000.0) as i64))
}

fn failed(reason: &'static str) {
    counter!("tandem_delivery_failed_total", "reason" => reason).increment(1);
}

/// Tries three times: what happened in chat is worth more than one hiccup of the database.
async fn steadily<T, F: Future<Output = anyhow::Result<T>>>(mut attempt: impl FnMut() -> F) -> anyhow::Result<T> {
    for pause in PAUSES {
        if let Ok(done) = attempt().await {
            return Ok(done);
        }
        sleep(pause).await;
    }
    attempt().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_attempts_by_the_schedule_with_a_tenth_of_jitter() {
        let seconds = |made, dice| delay(made, dice).map(|delay| delay.num_seconds());
        let plain: Vec<_> = (1..=6).map(|made| seconds(made, 0.5)).collect();
        assert_eq!(plain, [Some(5), Some(300), Some(1800), Some(7200), None, None]);
        assert_eq!((seconds(2, 0.0), seconds(2, 1.0)), (Some(270), Some(330)));
        assert_eq!(seconds(0, 0.5), None);
    }
}
