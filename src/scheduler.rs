//! A tick each minute and at start: what is owed by now. The directory says
//! what is due; nobody is scanned. Everything owed is owed once: a missed tick,
//! a restart or a second replica cannot lose or double it, since unique rows decide.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use crate::app::{App, inbox, morning, night, organisation};
use crate::domain::person::{OrgId, PersonId};
use crate::store::directory::{self, Owed};

/// Between ticks. A morning leaves at most so much after its hour.
const TICK: Duration = Duration::from_secs(20);
/// Between passes of the sealer over each organisation's committed audit events.
const SEAL: Duration = Duration::from_secs(1);
/// How far back a usual pass looks for commits that were overtaken. Events are recorded just before their commit, and
/// a pass reads so much of the trail: with minutes, clicks by the thousand kept it reading all the time.
const LAG: TimeDelta = TimeDelta::seconds(3);
/// How far back one pass in sixty looks. The first after a start looks at everything.
const LONG_LAG: TimeDelta = TimeDelta::minutes(10);
/// Due rows read at once.
const PAGE: i64 = 1_000;

/// Ticks until `shutdown` says true.
pub async fn run(app: App, mut shutdown: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seal = tokio::time::interval(SEAL);
    seal.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut passes = 0_u64;
    loop {
        tokio::select! {
            _ = shutdown.changed() => return,
            _ = tick.tick() => {
                if let Err(error) = self::tick(&app).await {
                    tracing::error!("the scheduler's tick failed: {error:#}");
                }
            }
            _ = seal.tick() => {
                let lag = match passes {
                    0 => None,
                    pass if pass % 60 == 0 => Some(LONG_LAG),
                    _ => Some(LAG),
                };
                if let Err(error) = seal_all(&app, lag).await {
                    tracing::error!("sealing the audit trail failed: {error:#}");
                }
                passes += 1;
            }
        }
    }
}

/// Does what is owed by now: nights first, since mornings rest on them, then clocks, then mornings.
pub async fn tick(app: &App) -> anyhow::Result<()> {
    loop {
        let mut tx = app.store.directory().await?;
        let due = directory::due(&mut tx, app.now(), PAGE).await?;
        drop(tx);
        let whole = i64::try_from(due.len()).is_ok_and(|count| count < PAGE);
        let mut mornings: BTreeMap<OrgId, Vec<(PersonId, DateTime<Utc>)>> = BTreeMap::new();
        for owed in due {
            match owed.owed {
                Owed::Night => night_of(app, owed.org).await,
                Owed::Digest(person) => mornings.entry(owed.org).or_default().push((person, owed.at)),
            }
        }
        for (org, people) in &mornings {
            for (person, at) in people {
                if let Err(error) = morning::owed(app, *org, *person, *at).await {
                    // The others' mornings go on; this one stays owed and is tried at the next tick.
                    tracing::error!(%org, %person, "a morning could not be queued: {error:#}");
                }
            }
        }
        if whole {
            break;
        }
    }
    clocks(app).await
}

async fn night_of(app: &App, org: OrgId) {
    // What can't be read must not keep the night from what was there before.
    if let Err(error) = inbox::take_if_owed(app, org).await {
        tracing::error!(%org, "the inbox could not be taken: {error:#}");
    }
    match night::night(app, org).await {
        Ok(Some(report)) => tracing::info!(%org, accounts = report.accounts, "diagnosed"),
        Ok(None) => {}
        Err(error) => tracing::error!(%org, "the night's diagnosis failed and is tried again: {error:#}"),
    }
}

/// Moves handoffs whose time has run out.
async fn clocks(app: &App) -> anyhow::Result<()> {
    let mut tx = app.store.directory().await?;
    let organisations = directory::organisations(&mut tx).await?;
    drop(tx);
    for organisation in organisations {
        if let Err(error) = night::clocks(app, organisation.id).await {
            tracing::error!(org = %organisation.id, "a handoff's clock could not be moved: {error:#}");
        }
    }
    Ok(())
}

async fn seal_all(app: &App, lag: Option<TimeDelta>) -> anyhow::Result<()> {
    let mut tx = app.store.directory().await?;
    let organisations = directory::organisations(&mut tx).await?;
    drop(tx);
    for organisation in organisations {
        organisation::seal(&app.store, organisation.id, lag).await?;
    }
    Ok(())
}
