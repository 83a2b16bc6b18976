//! Delivery: leases lanes, renders what the outbox names, sends, redraws.
//!
//! A lane is one chat installation. Whoever holds its lease is the only sender
//! there, so its limits are exact with any number of replicas, and several lanes
//! run beside each other, so that a slow workspace holds up nobody else.
//!
//! - [`Delivery::run`] works until shutdown: `serve`.
//! - [`Delivery::drain`] works until nothing is due: `send`, and tests.
//!
//! Two times are kept apart: what is due when is business time, asked of the
//! app's clock; leases, pacing and waiting are tokio's time.

mod content;
mod desk;
mod lane;
mod pace;
mod refusal;
mod row;
mod slack;
mod teams;

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, warn};
use uuid::Uuid;

pub use content::{Contents, Delivered, GivenUp, Render};

use crate::app::App;
use crate::domain::person::OrgId;
use crate::slack::client::Client;
use crate::store::directory::{self, Served, Workspace};
use crate::store::outbox;
use crate::tokens::Tokens;
use lane::{Lane, Mode, Tally};

/// How long a lane is leased, and renewed for.
const LEASE: Duration = Duration::from_secs(20);
/// How long one call may take; with less of the lease left, none is begun.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long the database may take over what one row, or several together, ask of it: to draw for a large team takes
/// seconds, and a night may hold what is claimed. A database that is gone without a goodbye never answers.
const ANSWERED: Duration = Duration::from_secs(120);
/// How often the directory is asked for lanes where no bell rings: rows of other replicas, retries.
const POLL: Duration = Duration::from_secs(1);
/// How long further rings are waited for before lanes are asked for.
const BURST: Duration = Duration::from_millis(20);
/// How often a lane is looked for that another holds, while draining.
const DRAIN_POLL: Duration = Duration::from_millis(100);
/// What [`Delivery::drain`] says when lanes broke.
const FAILED: &str = "delivery failed; the log says why, and what is queued stays queued";
/// How many lanes one process works on at once. A waiting lane costs memory only.
const LANES: usize = 1024;
/// How often the lanes are listed that nobody here can serve.
const UNSERVED_EVERY: Duration = Duration::from_secs(60);

/// Slack, with the token of each workspace.
#[derive(Clone)]
pub struct SlackSender {
    pub client: Client,
    pub tokens: Tokens,
}

/// Teams: one bot for every tenant.
#[derive(Clone)]
pub struct TeamsSender {
    pub client: crate::teams::client::Client,
    /// Which addresses may be called.
    pub services: crate::teams::address::ServiceUrls,
}

/// Where this process can send to.
#[derive(Clone, Default)]
pub struct Senders {
    pub slack: Option<SlackSender>,
    pub teams: Option<TeamsSender>,
    /// The demo's page: messages stand in the database alone.
    pub preview: bool,
}

/// Sends what the outbox names. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    shared: Arc<Shared>,
}

struct Shared {
    app: App,
    senders: Senders,
    served: Served,
    contents: Contents,
    /// This process, in the leases.
    holder: Uuid,
    /// Rung for lanes that are held: the app's bell wakes one listener only.
    ring: watch::Sender<()>,
    /// What was said once already and is still so.
    said: Mutex<BTreeSet<(Workspace, String)>>,
}

/// What [`Delivery::drain`] did itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Posts that arrived; redraws are not counted.
    pub sent: u64,
    /// Posts that were given up.
    pub given_up: u64,
}

/// What [`Delivery::drain_beside`] did itself: people's mornings, and what else was to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Did {
    pub digests: Drained,
    pub others: Drained,
}

impl Delivery {
    pub fn new(app: App, senders: Senders) -> Self {
        Self::with_contents(app, senders, Contents::of_the_app())
    }

    /// With other wordings, or other consequences of arriving, than the app's own.
    pub fn with_contents(app: App, senders: Senders, contents: Contents) -> Self {
        let served = match &senders.slack {
            Some(slack) => slack.tokens.serves(senders.preview),
            None => Served { slack: None, installed: false, teams: false, preview: senders.preview },
        };
        let served = Served { teams: senders.teams.is_some(), ..served };
        let shared = Shared {
            app,
            senders,
            served,
            contents,
            holder: Uuid::new_v4(),
            ring: watch::Sender::new(()),
            said: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Works until `shutdown` completes; then takes no more rows, finishes those that are being sent
    /// and hands the lanes back, within [`ATTEMPT`] and a moment.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let (close, closing) = watch::channel(false);
        let tally = Arc::new(Tally::default());
        let mut lanes = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        let mut unserved_at = Instant::now();
        let (mut failing, mut rung) = (false, false);
        loop {
            // Listening begins before looking, so that a ring in between is not lost.
            let mut bell = pin!(self.shared.app.outbox_bell.notified());
            bell.as_mut().enable();
            if std::mem::take(&mut rung) {
                self.shared.ring.send_replace(());
            }
            while let Some(ended) = lanes.try_join_next() {
                report_panic(ended);
            }
            let leased = self.lease(None, LANES - lanes.len().min(LANES));
            match self.shared.app.store.within(ATTEMPT, leased).await {
                Ok(leased) => {
                    failing = false;
                    for lane in leased {
                        lanes.spawn(lane.work(Mode::Serve, closing.clone(), tally.clone()));
                    }
                }
                // Said once an outage, not once a second.
                Err(problem) if !failing => {
                    failing = true;
                    warn!(error = format!("{problem:#}"), "delivery can't ask for lanes; it goes on trying");
                }
                Err(_) => {}
            }
            if Instant::now() >= unserved_at {
                unserved_at = Instant::now() + UNSERVED_EVERY;
                self.say_unserved().await;
            }
            tokio::select! {
                () = &mut shutdown => break,
                // Clicks come in bursts: one look is for all who ring within a moment.
                () = bell => {
                    rung = true;
                    sleep(BURST).await;
                }
                () = sleep(POLL) => {}
            }
        }
        close.send_replace(true);
        let all_ended = async {
            while let Some(ended) = lanes.join_next().await {
                report_panic(ended);
            }
        };
        if timeout(ATTEMPT + Duration::from_secs(2), all_ended).await.is_err() {
            warn!("delivery did not end in time; what was being sent is looked up by the next holder");
        }
    }

    /// Works until nothing is due, of one organisation or of all. Waits up to `patience` altogether for
    /// lanes that others hold and for retries that are due within it; later retries stay queued.
    pub async fn drain(&self, org: Option<OrgId>, patience: Duration) -> anyhow::Result<Drained> {
        let ((), Did { digests, others }) = self.drain_beside(std::future::ready(()), org, patience).await?;
        Ok(Drained { sent: digests.sent + others.sent, given_up: digests.given_up + others.given_up })
    }

    /// The same, beside something that queues more: what is queued first is on its way while the rest is still being
    /// chosen. Ends no earlier than that.
    pub async fn drain_beside<T>(
        &self,
        queueing: impl Future<Output = T>,
        org: Option<OrgId>,
        patience: Duration,
    ) -> anyhow::Result<(T, Did)> {
        let (_close, closing) = watch::channel(false);
        let tally = Arc::new(Tally::expecting());
        let mut lanes = JoinSet::new();
        let mut patience = patience;
        let (mut queueing, mut queued) = (pin!(queueing), None);
        let queued = loop {
            for lane in self.lease(org, LANES).await? {
                lanes.spawn(lane.work(Mode::Drain, closing.clone(), tally.clone()));
            }
            // An outbox that can't be read, say: the rows stay, and whoever asked is told.
            anyhow::ensure!(tally.broken() < 3, FAILED);
            let Some(done) = queued.take() else {
                tokio::select! {
                    done = &mut queueing => {
                        tally.expect_no_more();
                        queued = Some(done);
                    }
                    Some(ended) = lanes.join_next(), if !lanes.is_empty() => report_panic(ended),
                    () = sleep(DRAIN_POLL) => {}
                }
                continue;
            };
            if !lanes.is_empty() {
                queued = Some(done);
                if let Ok(Some(ended)) = timeout(DRAIN_POLL, lanes.join_next()).await {
                    report_panic(ended);
                }
                continue;
            }
            let next = self.next_due(org).await?;
            let now = self.shared.app.now();
            let Some(wait) = next.map(|at| (at - now).to_std().unwrap_or(Duration::ZERO)) else { break done };
            if patience.is_zero() || wait > patience {
                anyhow::ensure!(tally.broken() == 0 || !wait.is_zero(), FAILED);
                break done;
            }
            queued = Some(done);
            let wait = wait.clamp(DRAIN_POLL, POLL).min(patience);
            sleep(wait).await;
            patience -= wait;
        };
        Ok((queued, tally.did()))
    }

    /// When something is due next that this process could send, held by another or not. Asked of the outbox: a lane
    /// wakes now and then although nothing is due.
    async fn next_due(&self, org: Option<OrgId>) -> anyhow::Result<Option<DateTime<Utc>>> {
        let store = &self.shared.app.store;
        let mut orgs = Vec::from_iter(org);
        if org.is_none() {
            let mut tx = store.directory().await?;
            orgs = directory::organisations(&mut tx).await?.into_iter().map(|org| org.id).collect();
            tx.commit().await?;
        }
        let mut next = None;
        for org in orgs {
            let mut tx = store.tenant(org).await?;
            for workspace in directory::own_workspaces(&mut tx).await? {
                if self.shared.served.serves(&workspace) {
                    next = next.into_iter().chain(outbox::next_due(&mut tx, &workspace).await?).min();
                }
            }
            tx.commit().await?;
        }
        Ok(next)
    }

    async fn lease(&self, org: Option<OrgId>, most: usize) -> anyhow::Result<Vec<Lane>> {
        // The deadline counts from before the question: the database's lease then ends no earlier.
        let asked = Instant::now();
        let shared = &self.shared;
        let hold = TimeDelta::from_std(LEASE)?;
        let most = i64::try_from(most)?;
        let mut tx = shared.app.store.directory().await?;
        let leases =
            directory::lease_lanes(&mut tx, shared.holder, hold, shared.app.now(), &shared.served, org, most).await?;
        tx.commit().await?;
        Ok(leases.into_iter().map(|lease| Lane::new(shared.clone(), lease, asked)).collect())
    }

    async fn say_unserved(&self) {
        let shared = &self.shared;
        let unserved = async {
            let mut tx = shared.app.store.directory().await?;
            let lanes = directory::unserved_lanes(&mut tx, &shared.served, shared.app.now()).await?;
            tx.commit().await?;
            anyhow::Ok(lanes)
        };
        // Where the database is away, leasing has said so.
        for workspace in shared.app.store.within(ATTEMPT, unserved).await.unwrap_or_default() {
            if shared.first_time(&workspace, "unserved") {
                let (platform, workspace) = (workspace.platform.as_str(), workspace.id);
                warn!(platform, workspace, "messages wait for a workspace that this process has no token for");
            }
        }
    }
}

impl Shared {
    /// Whether this is worth saying: it was not said before, or was over in between.
    fn first_time(&self, workspace: &Workspace, what: &str) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert((workspace.clone(), what.to_owned()))
    }

    fn is_over(&self, workspace: &Workspace, what: &str) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).remove(&(workspace.clone(), what.to_owned()));
    }
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(problem) = ended
        && problem.is_panic()
    {
        // The panic hook has said where; its lease runs out, and the next holder looks up what it sent.
        error!("a delivery lane panicked");
    }
}
