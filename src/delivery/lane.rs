//! One leased lane: takes what is due, sends several rows at once, keeps the
//! lease, and hands it back.
//!
//! Rows for one place (a person, a channel) go one after the other, oldest
//! first. One that must be tried again later lets the next ones pass: a message
//! that fails for two hours must not hold up the rest of a person's day.
//!
//! Redraws stand in a line of their own, and where both lines are long they have
//! turns alternately: whoever pressed a button in the first of a thousand
//! digests sees what came of it before the last has left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};
use uuid::Uuid;

use super::desk::Desk;
use super::pace::Pace;
use super::row::{self, Fate, What};
use super::{ANSWERED, ATTEMPT, Did, Drained, LEASE, POLL, Shared};
use crate::app::policy;
use crate::domain::policy::{Pacing, Policy};
use crate::store;
use crate::store::directory::{self, Lease, Platform};
use crate::store::message::Address;
use crate::store::outbox::{self, Outgoing, Sending};
use crate::store::settings;

/// How many rows of one lane are under way at once, posts and redraws each: a call takes 100 ms and more, and what they
/// ask of the database meanwhile is asked together.
const IN_FLIGHT: usize = 256;
/// How many more wait for their place: a long message has several parts, and the next may follow after a second only.
/// Without them the lane would stand still meanwhile.
const PAUSING: usize = 1_000;
/// How many due rows of a kind are read at once; ids only.
const PAGE: usize = 500;
/// So many are read at most, where the rows of few places fill a page.
const PAGE_MOST: usize = 16_000;
/// Three renewals may fail before calls stop.
const RENEW: Duration = Duration::from_secs(5);
/// How long an idle lane is kept: whoever clicks on what has just arrived is answered without a new lease, and the
/// buckets are full again when it is handed back.
const IDLE: Duration = Duration::from_secs(1);
/// How long before a place may be posted to its next row is begun: what comes before the post takes a call or two.
const HEAD_START: Duration = Duration::from_millis(250);
/// How often an idle lane looks for rows of other replicas.
const IDLE_LOOK: Duration = Duration::from_millis(250);
/// How soon after a look that found all there was another is worth it because a row has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// A wait that is sat out rather than slept over while draining.
const SHORT: Duration = Duration::from_secs(2);
/// A lane with an empty outbox is looked at again after so long all the same: a transaction that was open for longer
/// than [`IDLE`] may have found the lane awake, and so not have woken it, before it went to sleep.
const SLEEP_AT_MOST: TimeDelta = TimeDelta::minutes(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Stays for a moment when the outbox is empty.
    Serve,
    /// Ends as soon as nothing is due, unless more is being queued.
    Drain,
}

/// What became of posts of one kind.
#[derive(Debug, Default)]
struct Ends {
    sent: AtomicU64,
    given_up: AtomicU64,
}

impl Ends {
    fn read(&self) -> Drained {
        Drained { sent: self.sent.load(Ordering::Relaxed), given_up: self.given_up.load(Ordering::Relaxed) }
    }
}

/// What lanes did, counted over all of them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    digests: Ends,
    others: Ends,
    broken: AtomicU64,
    /// More is being queued: an idle lane stays as if serving.
    expecting: AtomicBool,
}

impl Tally {
    pub(super) fn expecting() -> Self {
        Self { expecting: AtomicBool::new(true), ..Self::default() }
    }

    pub(super) fn expect_no_more(&self) {
        self.expecting.store(false, Ordering::Relaxed);
    }

    fn of(&self, what: What) -> &Ends {
        match what {
            What::Digest => &self.digests,
            What::Other => &self.others,
        }
    }

    pub(super) fn did(&self) -> Did {
        Did { digests: self.digests.read(), others: self.others.read() }
    }

    /// Lanes that ended because the database did not do what was asked.
    pub(super) fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }
}

/// A lane that was leased and is not worked on yet.
pub(super) struct Lane {
    shared: Arc<Shared>,
    lease: Lease,
    asked: Instant,
}

/// A lane that is worked on, as its rows see it.
pub(super) struct Held {
    pub(super) shared: Arc<Shared>,
    pub(super) lease: Lease,
    pub(super) pace: Pace,
    pub(super) desk: Desk,
    /// When the lease ends, or earlier.
    until: Mutex<Instant>,
    closing: watch::Receiver<bool>,
    /// Rows that wait for their place.
    pausing: AtomicUsize,
    /// One more of them does: the next row may begin.
    paused: Notify,
    /// Who may take tokens ahead, each line in its order.
    posting: Semaphore,
    redrawing: Semaphore,
}

/// Nothing may be called now: the platform said Retry-After, too little is left of the lease, or the process is ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

impl Lane {
    pub(super) fn new(shared: Arc<Shared>, lease: Lease, asked: Instant) -> Self {
        Self { shared, lease, asked }
    }

    /// Works until the lane is idle, lost, or the process ends.
    pub(super) async fn work(self, mode: Mode, closing: watch::Receiver<bool>, tally: Arc<Tally>) {
        let (org, fence) = (self.lease.org, self.lease.fence);
        if let Err(problem) = self.try_to_work(mode, closing, &tally).await
            && !store::is_gone(&problem)
        {
            tally.broken.fetch_add(1, Ordering::Relaxed);
            warn!(%org, fence, error = format!("{problem:#}"), "a delivery lane ended early; it will be leased again");
        }
    }

    async fn try_to_work(self, mode: Mode, closing: watch::Receiver<bool>, tally: &Tally) -> anyhow::Result<()> {
        let pace = match self.lease.workspace.platform {
            // Teams' limits are Microsoft's, the same for everybody.
            Platform::Teams => Pace::teams(Instant::now()),
            Platform::Slack | Platform::Preview => Pace::new(&self.pacing().await, Instant::now()),
        };
        let now = Instant::now();
        let app = &self.shared.app;
        // A clock that stands still in tests would never reach the time: what is left of it passes in real seconds.
        if let Some(left) = self.lease.blocked_until.and_then(|until| (until - app.now()).to_std().ok()) {
            pace.block(now + left);
        }
        let until = Mutex::new(self.asked + LEASE);
        let (pausing, paused) = (AtomicUsize::new(0), Notify::new());
        let (shared, lease, desk) = (self.shared, self.lease, Desk::default());
        let (posting, redrawing) = (Semaphore::new(pace.ahead()), Semaphore::new(pace.ahead()));
        let held = Arc::new(Held { shared, lease, pace, desk, until, closing, pausing, paused, posting, redrawing });
        let ended = Worker::new(held.clone(), tally).work(mode).await;
        let released = held.shared.app.store.within(ATTEMPT, held.release()).await;
        ended.and(released)
    }

    /// As the organisation's policy says; the usual one where it can't be read, since messages must not wait for that.
    async fn pacing(&self) -> Pacing {
        let read = async {
            let mut tx = self.shared.app.store.tenant(self.lease.org).await?;
            let settings = settings::read(&mut tx).await?;
            tx.commit().await?;
            anyhow::Ok(policy::of(&settings)?.pacing)
        };
        read.await.unwrap_or_else(|problem| {
            let org = self.lease.org;
            warn!(%org, error = format!("{problem:#}"), "the policy's pacing can't be read; the usual one is kept");
            Policy::default().pacing
        })
    }
}

impl Held {
    /// Whether a call may be begun now: the deadline checked just before writing.
    pub(super) fn clear(&self) -> Result<(), Stopped> {
        let stopped = *self.closing.borrow() || !self.has_room() || self.pace.blocked(Instant::now()).is_some();
        if stopped { Err(Stopped) } else { Ok(()) }
    }

    /// Waits in its line for the workspace's next token.
    pub(super) async fn turn(&self, sending: Sending) -> Result<(), Stopped> {
        let line = match sending {
            Sending::Post => &self.posting,
            Sending::Redraw => &self.redrawing,
        };
        // Never closed; and whoever waits here when the process ends finds that nothing may be called.
        let _ahead = line.acquire().await;
        self.clear()?;
        self.wait_until(self.pace.take(Instant::now())).await;
        self.clear()
    }

    /// Waits until this place may be posted to, then for the workspace's next token.
    pub(super) async fn turn_at(&self, place: &str, sending: Sending) -> Result<(), Stopped> {
        match (self.pace.ready_at(place, Instant::now()), sending) {
            (Some(at), Sending::Post) => self.pause_until(at).await,
            (Some(at), Sending::Redraw) => self.wait_until(at).await,
            (None, _) => {}
        }
        self.turn(sending).await
    }

    /// As [`Self::wait_until`]; the row does not count as under way meanwhile.
    async fn pause_until(&self, at: Instant) {
        if at <= Instant::now() {
            return;
        }
        self.pausing.fetch_add(1, Ordering::Relaxed);
        self.paused.notify_one();
        self.wait_until(at).await;
        self.pausing.fetch_sub(1, Ordering::Relaxed);
    }

    async fn wait_until(&self, at: Instant) {
        let mut closing = self.closing.clone();
        tokio::select! {
            () = sleep_until(at) => {}
            // Fails only when whoever closes is gone, which is the same.
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }

    /// Nothing is called before this has passed, by whoever holds the lane.
    pub(super) async fn block(&self, wait: Duration) -> anyhow::Result<()> {
        self.pace.block(Instant::now() + wait);
        let until = self.shared.app.now() + TimeDelta::from_std(wait)?;
        let mut tx = self.shared.app.store.directory().await?;
        directory::block_lane(&mut tx, &self.lease, until).await?;
        tx.commit().await
    }

    /// Asks the database, and not for ever.
    pub(super) async fn answered<T>(&self, ask: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        self.shared.app.store.within(ANSWERED, ask).await
    }

    fn until(&self) -> std::sync::MutexGuard<'_, Instant> {
        // A panic while holding this lock cannot leave an instant half-written.
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self) -> bool {
        Instant::now() + ATTEMPT <= *self.until()
    }

    async fn renew(&self) -> anyhow::Result<bool> {
        let asked = Instant::now();
        let mut tx = self.shared.app.store.directory().await?;
        let ours = directory::renew_lane(&mut tx, &self.lease, self.shared.holder, TimeDelta::from_std(LEASE)?).await?;
        tx.commit().await?;
        *self.until() = if ours { asked + LEASE } else { asked };
        Ok(ours)
    }

    async fn due(&self, page: usize, kinds: &[Sending]) -> anyhow::Result<Vec<Outgoing>> {
        let mut tx = self.shared.app.store.tenant(self.lease.org).await?;
        let rows = outbox::due(&mut tx, &self.lease, self.shared.app.now(), i64::try_from(page)?, kinds).await?;
        tx.commit().await?;
        Ok(rows)
    }

    async fn sleep_until_due(&self) -> anyhow::Result<()> {
        let mut tx = self.shared.app.store.tenant(self.lease.org).await?;
        let next = outbox::next_due(&mut tx, &self.lease.workspace).await?;
        tx.commit().await?;
        let latest = self.shared.app.now() + SLEEP_AT_MOST;
        self.sleep(next.map_or(latest, |next| next.min(latest))).await
    }

    async fn sleep(&self, until: DateTime<Utc>) -> anyhow::Result<()> {
        let mut tx = self.shared.app.store.directory().await?;
        directory::sleep_lane(&mut tx, &self.lease, until).await?;
        tx.commit().await
    }

    /// Hands the lane back, and with it what the next holder must still wait.
    async fn release(&self) -> anyhow::Result<()> {
        let rest = self.pace.rest(Instant::now());
        let mut tx = self.shared.app.store.directory().await?;
        if !rest.is_zero() {
            let until = self.shared.app.now() + TimeDelta::from_std(rest)?;
            directory::block_lane(&mut tx, &self.lease, until).await?;
        }
        directory::release_lane(&mut tx, &self.lease).await?;
        tx.commit().await
    }
}

/// Where a row goes, as the key of pacing and order.
pub(super) fn place(to: &Address) -> String {
    match to {
        Address::Person(person) => format!("person {person}"),
        Address::Channel(channel) => channel.clone(),
        Address::ChatUser(user) => format!("chat user {user}"),
    }
}

/// Rows that go one after the other: those of one kind for one place.
type Line = (Sending, String);

struct Worker<'a> {
    held: Arc<Held>,
    tally: &'a Tally,
    /// Due and not under way, redraws first, oldest first.
    waiting: Vec<Outgoing>,
    /// How many of each kind are read at the next look.
    page: usize,
    /// Of which kinds more may be due than was read.
    more: BTreeSet<Sending>,
    flying: JoinSet<(Line, anyhow::Result<Fate>)>,
    /// Lines with a row under way, and which, of which message.
    busy: BTreeMap<Line, (Uuid, Uuid)>,
    /// How many of them are redraws.
    redraws: usize,
    look_at: Instant,
    looked_at: Instant,
    renew_at: Instant,
    idle_since: Option<Instant>,
    /// The first thing that went wrong with the database; rows under way are still finished.
    broken: Option<anyhow::Error>,
}

impl<'a> Worker<'a> {
    fn new(held: Arc<Held>, tally: &'a Tally) -> Self {
        let now = Instant::now();
        Self {
            held,
            tally,
            waiting: Vec::new(),
            page: PAGE,
            more: BTreeSet::new(),
            flying: JoinSet::new(),
            busy: BTreeMap::new(),
            redraws: 0,
            look_at: now,
            looked_at: now,
            renew_at: now + RENEW,
            idle_since: None,
            broken: None,
        }
    }

    async fn work(mut self, mode: Mode) -> anyhow::Result<()> {
        let mut ring = self.held.shared.ring.subscribe();
        let mut closing = self.held.closing.clone();
        let held = self.held.clone();
        loop {
            let closed = *closing.borrow();
            let open = !closed && self.broken.is_none() && self.held.has_room();
            let mut wake = Instant::now() + POLL;
            if open {
                match held.answered(self.take_up(mode)).await {
                    Ok(Some(at)) => wake = at,
                    Ok(None) => return Ok(()),
                    Err(problem) => {
                        self.broken = Some(problem);
                        continue;
                    }
                }
            } else if self.flying.is_empty() {
                return self.broken.map_or(Ok(()), Err);
            }
            tokio::select! {
                Some(landed) = self.flying.join_next(), if !self.flying.is_empty() => self.landed(landed),
                () = sleep_until(self.renew_at) => self.renew().await,
                () = held.paused.notified() => {}
                Ok(()) = ring.changed() => self.look_at = self.look_at.min(Instant::now()),
                _ = closing.changed(), if !closed => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Looks at the outbox where it is time to, and begins what can be begun. When to come again; `None` to leave.
    async fn take_up(&mut self, mode: Mode) -> anyhow::Result<Option<Instant>> {
        let looks = Instant::now() >= self.look_at;
        if looks {
            self.look().await?;
        }
        let now = Instant::now();
        let blocked = self.held.pace.blocked(now);
        let ready = if blocked.is_some() { blocked } else { self.begin() };
        if looks && blocked.is_none() && self.page < PAGE_MOST && self.more.iter().any(|kind| !self.full(*kind)) {
            // The rows of few places fill the page: those of others stand behind it.
            self.page *= 2;
            self.look_at = now;
        }
        if self.flying.is_empty() && self.waiting.is_empty() {
            return self.rest(mode).await;
        }
        self.idle_since = None;
        if let Some(until) = blocked
            && mode == Mode::Drain
            && self.flying.is_empty()
            && until - now > SHORT
        {
            self.held.sleep(self.held.shared.app.now() + TimeDelta::from_std(until - now)?).await?;
            return Ok(None);
        }
        let look_at = if self.kinds_with_room().is_empty() { now + POLL } else { self.look_at };
        Ok(Some(ready.map_or(look_at, |ready| ready.min(look_at))))
    }

    /// Looks at what is due of the kinds that have room.
    async fn look(&mut self) -> anyhow::Result<()> {
        let kinds = self.kinds_with_room();
        if kinds.is_empty() {
            return Ok(());
        }
        let due = self.held.due(self.page, &kinds).await?;
        let read = |kind: Sending| due.iter().filter(|row| row.sending == kind).count();
        self.more.retain(|kind| !kinds.contains(kind));
        self.more.extend(kinds.iter().filter(|kind| read(**kind) >= self.page));
        if kinds.iter().all(|kind| read(*kind) < PAGE) {
            self.page = PAGE;
        }
        self.waiting.retain(|row| !kinds.contains(&row.sending));
        self.waiting.extend(due.into_iter().filter(|row| !self.busy.values().any(|(id, _)| *id == row.outbox_id)));
        self.waiting.sort_by_key(|row| row.sending);
        self.looked_at = Instant::now();
        self.look_at = self.looked_at + if self.idle_since.is_some() { IDLE_LOOK } else { POLL };
        Ok(())
    }

    /// Whether no more rows of this kind may be begun.
    fn full(&self, sending: Sending) -> bool {
        let pausing = self.held.pausing.load(Ordering::Relaxed);
        let posts = self.flying.len().saturating_sub(self.redraws);
        match sending {
            Sending::Post => pausing >= PAUSING || posts.saturating_sub(pausing) >= IN_FLIGHT,
            Sending::Redraw => self.redraws >= IN_FLIGHT,
        }
    }

    fn kinds_with_room(&self) -> Vec<Sending> {
        [Sending::Redraw, Sending::Post].into_iter().filter(|kind| !self.full(*kind)).collect()
    }

    /// Nothing is due and nothing under way. The lane is first put to sleep, then the outbox is looked at once
    /// more: a row that was queued in between found the lane awake and did not wake it.
    async fn rest(&mut self, mode: Mode) -> anyhow::Result<Option<Instant>> {
        let now = Instant::now();
        match self.idle_since {
            None => {
                self.held.sleep_until_due().await?;
                self.idle_since = Some(now);
                self.look_at = now;
                Ok(Some(now))
            }
            Some(_) if mode == Mode::Drain && !self.tally.expecting.load(Ordering::Relaxed) => Ok(None),
            Some(since) if now >= since + IDLE => Ok(None),
            Some(since) => Ok(Some(self.look_at.min(since + IDLE))),
        }
    }

    /// Begins the rows whose place is free, redraws first, oldest first. Says when the next place becomes free.
    fn begin(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let mut passed = BTreeSet::new();
        let mut ready: Option<Instant> = None;
        let mut index = 0;
        while index < self.waiting.len() {
            let (sending, message) = (self.waiting[index].sending, self.waiting[index].message_id);
            if self.full(sending) {
                index += 1;
                continue;
            }
            let place = place(&self.waiting[index].to);
            let gap = self
                .held
                .pace
                .ready_at(&place, now)
                .map(|at| at.checked_sub(HEAD_START).unwrap_or(at))
                .filter(|at| *at > now);
            let line = (sending, place);
            // A post and a redraw of one message would draw over each other.
            let other = match sending {
                Sending::Post => (Sending::Redraw, line.1.clone()),
                Sending::Redraw => (Sending::Post, line.1.clone()),
            };
            let is_free = !self.busy.contains_key(&line) && self.busy.get(&other).is_none_or(|(_, of)| *of != message);
            let in_order = passed.insert(line.clone()) && is_free;
            match gap {
                Some(at) if in_order && sending == Sending::Post => {
                    ready = Some(ready.map_or(at, |earliest| earliest.min(at)));
                    index += 1;
                }
                _ if in_order => {
                    let row = self.waiting.remove(index);
                    self.busy.insert(line.clone(), (row.outbox_id, message));
                    self.redraws += usize::from(sending == Sending::Redraw);
                    let held = self.held.clone();
                    self.flying.spawn(async move { (line, row::send(&held, &row).await) });
                }
                _ => index += 1,
            }
        }
        ready
    }

    fn landed(&mut self, landed: Result<(Line, anyhow::Result<Fate>), JoinError>) {
        if self.waiting.is_empty() {
            let soon = if self.more.is_empty() { self.looked_at + LOOK_AGAIN } else { Instant::now() };
            self.look_at = self.look_at.min(soon);
        }
        let fate = match landed {
            Ok((line, fate)) => {
                self.busy.remove(&line);
                self.redraws -= usize::from(line.0 == Sending::Redraw);
                // A long line does not wait for the next look while the other has rows.
                if self.more.contains(&line.0) && !self.waiting.iter().any(|row| row.sending == line.0) {
                    self.look_at = Instant::now();
                }
                fate
            }
            // Its row stays marked as being sent: the next holder looks it up.
            Err(_) => Err(anyhow::anyhow!("sending a row panicked")),
        };
        match fate {
            Ok(Fate::Sent(what)) => _ = self.tally.of(what).sent.fetch_add(1, Ordering::Relaxed),
            Ok(Fate::GivenUp(what)) => _ = self.tally.of(what).given_up.fetch_add(1, Ordering::Relaxed),
            Ok(Fate::Done) => {}
            // It goes before the later rows of its place, which are known already.
            Ok(Fate::Back) => self.look_at = Instant::now(),
            // Most likely the lane is another's by now: ask at once.
            Ok(Fate::Refused) => self.renew_at = Instant::now(),
            Err(problem) if self.broken.is_none() => self.broken = Some(problem),
            Err(problem) => debug!(error = format!("{problem:#}"), "another row of a broken lane"),
        }
    }

    async fn renew(&mut self) {
        self.renew_at = Instant::now() + RENEW;
        let (org, fence) = (self.held.lease.org, self.held.lease.fence);
        match self.held.shared.app.store.within(RENEW, self.held.renew()).await {
            Ok(true) => {}
            Ok(false) => warn!(%org, fence, "a delivery lane was taken over; nothing more is sent under this lease"),
            Err(problem) => {
                self.renew_at = Instant::now() + POLL;
                warn!(%org, fence, error = format!("{problem:#}"), "a lease could not be renewed");
            }
        }
    }
}
