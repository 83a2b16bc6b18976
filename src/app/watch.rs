//! Purpose: the watch. Every ten minutes it looks whether everything owed to an
//! organisation was done: its night, its mornings, its clocks, its messages. It is
//! itself owed through the same index, so it also knows when it comes late. Admins
//! hear of trouble once, again after a day if it lasts, and when it is over.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::content::Content;
use super::{App, notice};
use crate::domain::message::notice::Late;
use crate::domain::person::OrgId;
use crate::store::{directory, watch};

/// Between two looks.
const EVERY: TimeDelta = TimeDelta::minutes(10);
/// What is owed for longer is late: several ticks of the scheduler, and a night of a large book.
const LATE_AFTER: TimeDelta = TimeDelta::minutes(15);
/// A message may wait for its lane's rate limit for so long.
const STUCK_AFTER: TimeDelta = TimeDelta::minutes(30);
/// The watch itself is late from here on: Tandem, or its scheduler, did not run.
const ASLEEP_AFTER: TimeDelta = TimeDelta::minutes(30);
/// Trouble that lasts is told again.
const AGAIN_AFTER: TimeDelta = TimeDelta::hours(24);

/// What is late, as it is stored and told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub what: Late,
    pub count: i64,
    pub since: DateTime<Utc>,
}

/// Looks once; `due_at` is when the look was owed. Returns what it found late.
pub async fn look(app: &App, org: OrgId, due_at: DateTime<Utc>) -> anyhow::Result<Vec<Finding>> {
    let now = app.now();
    let mut tx = app.store.tenant(org).await?;
    let mut found = Vec::new();
    for (kind, count, since) in directory::overdue(&mut tx, now - LATE_AFTER).await? {
        let what = match kind.as_str() {
            "night" => Late::Night,
            "digest" => Late::Mornings,
            _ => Late::Clocks,
        };
        found.push(Finding { what, count, since });
    }
    let (stuck, since) = watch::stuck_posts(&mut tx, now - STUCK_AFTER).await?;
    found.extend(since.map(|since| Finding { what: Late::Messages, count: stuck, since }));
    for what in Late::ALL {
        let count: i64 = found.iter().filter(|finding| finding.what == what).map(|finding| finding.count).sum();
        metrics::gauge!("tandem_late", "what" => what.as_str(), "org" => org.to_string()).set(count as f64);
    }
    let asleep = now - due_at;
    metrics::gauge!("tandem_watch_late_seconds").set(asleep.num_seconds() as f64);
    let slept = (asleep > ASLEEP_AFTER).then_some(Finding { what: Late::Watch, count: 1, since: due_at });
    tell(app, &mut tx, &found, slept.clone(), now).await?;
    directory::set_next_watch(&mut tx, now + EVERY).await?;
    tx.commit().await?;
    app.outbox_bell.notify_waiters();
    Ok(found.into_iter().chain(slept).collect())
}

async fn tell(
    app: &App,
    tx: &mut crate::store::Tenant,
    found: &[Finding],
    slept: Option<Finding>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let names: Vec<String> = found.iter().map(|finding| finding.what.as_str().to_owned()).collect();
    let told = watch::told(tx).await?;
    let new = match &told {
        None => !names.is_empty(),
        Some((before, at)) => names.iter().any(|name| !before.contains(name)) || now - *at >= AGAIN_AFTER,
    };
    let over = told.is_some() && names.is_empty();
    let mut say: Vec<Finding> = slept.into_iter().collect();
    if over {
        watch::clear(tx).await?;
    } else if new {
        watch::save(tx, &names, now).await?;
        say.extend(found.iter().cloned());
    }
    if say.is_empty() && !over {
        return Ok(());
    }
    for finding in &say {
        tracing::warn!(org = %tx.org(), what = finding.what.as_str(), since = %finding.since, "what is owed is late");
    }
    let snapshot = app.snapshot(tx).await?;
    notice::notify(tx, &snapshot, snapshot.people.admins(), &Content::Watch { late: say, over }, None, now).await
}
