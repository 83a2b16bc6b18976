//! A tick at start and every few seconds: what is owed by now. The directory says
//! what is due; nobody is scanned. Everything owed is owed once: a missed tick,
//! a restart or a second replica cannot lose or double it, since unique rows decide.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Semaphore;
use tokio::sync::watch::Receiver;
use tokio::task::{AbortHandle, JoinSet};

use crate::app::{App, clocks, inbox, intraday, morning, night, organisation, watch};
use crate::domain::person::{OrgId, PersonId};
use crate::store;
use crate::store::audit::Look;
use crate::store::directory::{self, Due, Owed};

/// Between ticks. A morning leaves at most so much after its hour.
const TICK: Duration = Duration::from_secs(20);
/// Between passes of the sealer over each organisation's committed audit events.
const SEAL: Duration = Duration::from_secs(1);
/// How far back a usual pass looks for commits that were overtaken. Events are recorded just before their commit, and
/// a pass reads so much of the trail: with minutes, clicks by the thousand kept it reading all the time. What commits up
/// to ten minutes later is sealed in about a minute, and up to a day later within the hour.
const LAG: TimeDelta = TimeDelta::seconds(1);
/// The ten minutes before, and some more since they move on meanwhile, are looked at part by part, one in ten passes: it
/// keeps a core busy for 25 ms every 10,000 events, and whoever asks meanwhile waits.
const PART: TimeDelta = TimeDelta::minutes(2);
const PARTS: u64 = 6;
const PASSES_A_PART: u64 = 10;
/// How far back the first pass after a start looks, and one an hour: longer than a transaction lasts. Of a trail of
/// years the whole would take minutes.
const LONG_LAG: TimeDelta = TimeDelta::days(1);
const PASSES_A_LONG_LOOK: u64 = 3_600;
/// How long what is owed by now, or who is there, is read for; and how long one organisation's trail is sealed for, of
/// which nothing may be sealed yet. A database that is gone without a goodbye would be waited for for ever.
const READ_WITHIN: Duration = Duration::from_secs(30);
const SEALED_WITHIN: Duration = Duration::from_secs(600);
/// The same for all that one organisation is owed: many times what the night of a large book takes.
const DONE_WITHIN: Duration = Duration::from_secs(2 * 3600);
/// Due rows read at once.
const PAGE: i64 = 1_000;

/// Organisations whose owed work is done at once.
const AT_ONCE: usize = 4;
/// Organisations whose night is, beside those: each holds four connections and one for its inbox.
const NIGHTS_AT_ONCE: usize = 2;
/// Ticks until `shutdown` says true, and ends with what is under way then. What is cut off is owed still, and nothing of
/// it is half done.
pub async fn run(app: App, shutdown: Receiver<bool>) {
    tokio::join!(tick_on(&app, shutdown.clone()), seal_on(&app, shutdown));
}

/// Each organisation's work is done by itself: one whose files or queries take long keeps no other waiting.
async fn tick_on(app: &App, mut shutdown: Receiver<bool>) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let [nights, others] = [NIGHTS_AT_ONCE, AT_ONCE].map(|at_once| Arc::new(Semaphore::new(at_once)));
    let mut under_way = BTreeMap::<OrgId, AbortHandle>::new();
    let mut working = JoinSet::new();
    let mut trouble = Trouble::default();
    loop {
        tokio::select! {
            _ = shutdown.changed() => break,
            _ = tick.tick() => {}
        }
        while working.try_join_next().is_some() {}
        under_way.retain(|_, task| !task.is_finished());
        let owed = app.store.within(READ_WITHIN, by_organisation(app)).await;
        if let Some(error) = trouble.is_new(&owed) {
            tracing::error!("the scheduler's tick failed; it goes on trying: {error}");
        }
        for (org, owed) in owed.unwrap_or_default() {
            if under_way.contains_key(&org) {
                continue;
            }
            let has_night = owed.iter().any(|due| matches!(due.owed, Owed::Night));
            let turns = if has_night { nights.clone() } else { others.clone() };
            let (app, shutdown) = (app.clone(), shutdown.clone());
            let task = working.spawn(async move {
                // Nobody closes it.
                let _turn = turns.acquire_owned().await;
                if *shutdown.borrow() {
                    return;
                }
                let done = async {
                    do_owed(&app, org, owed).await;
                    Ok(())
                };
                if let Err(error) = app.store.within(DONE_WITHIN, done).await {
                    tracing::error!(%org, "what is owed did not come to an end and is begun anew: {error:#}");
                }
            });
            under_way.insert(org, task);
        }
    }
    while working.join_next().await.is_some() {}
}

async fn seal_on(app: &App, mut shutdown: Receiver<bool>) {
    let mut seal = tokio::time::interval(SEAL);
    seal.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut passes = 0_u64;
    let mut trouble = Trouble::default();
    loop {
        tokio::select! {
            _ = shutdown.changed() => return,
            _ = seal.tick() => {}
        }
        let sealed = seal_all(app, &looks(passes)).await;
        if let Some(error) = trouble.is_new(&sealed) {
            tracing::error!("sealing the audit trail failed; it goes on trying: {error}");
        }
        passes = pass_after(passes, sealed.is_ok());
    }
}

/// The number of the pass after this one. A long look that failed for somebody is made again in a minute, not in an hour;
/// meanwhile everybody has the others.
fn pass_after(pass: u64, is_sealed: bool) -> u64 {
    let is_lost = pass.is_multiple_of(PASSES_A_LONG_LOOK) && !is_sealed;
    if is_lost { PASSES_A_LONG_LOOK - PARTS * PASSES_A_PART } else { pass + 1 }
}

/// What the sealer's pass of this number looks at.
fn looks(pass: u64) -> Vec<Look> {
    if pass.is_multiple_of(PASSES_A_LONG_LOOK) {
        return vec![Look::since(LONG_LAG)];
    }
    let part = i32::try_from(pass / PASSES_A_PART % PARTS).unwrap_or_default();
    let due = pass.is_multiple_of(PASSES_A_PART).then(|| Look::between(PART * (part + 1), PART * part));
    std::iter::once(Look::since(LAG)).chain(due).collect()
}

/// What went wrong at the last look: said once, not at each look while it lasts.
#[derive(Default)]
struct Trouble(Option<String>);

impl Trouble {
    /// What is to be said, if anything.
    fn is_new<T>(&mut self, looked: &anyhow::Result<T>) -> Option<String> {
        let now = looked.as_ref().err().map(|error| format!("{error:#}"));
        let is_new = now != self.0;
        self.0.clone_from(&now);
        now.filter(|_| is_new)
    }
}

/// Does what is owed by now, one organisation after the other.
pub async fn tick(app: &App) -> anyhow::Result<()> {
    for (org, owed) in by_organisation(app).await? {
        do_owed(app, org, owed).await;
    }
    Ok(())
}

async fn by_organisation(app: &App) -> anyhow::Result<BTreeMap<OrgId, Vec<Due>>> {
    let mut by_organisation = BTreeMap::<OrgId, Vec<Due>>::new();
    for due in everything(app).await? {
        by_organisation.entry(due.org).or_default().push(due);
    }
    Ok(by_organisation)
}

/// What one organisation is owed: its night first, since mornings rest on it, then clocks, then mornings. Whether all of
/// it was done is looked at last.
async fn do_owed(app: &App, org: OrgId, mut owed: Vec<Due>) {
    owed.sort_by_key(|due| turn(&due.owed));
    let (mut mornings, mut watches) = (Vec::new(), Vec::new());
    let mut waits = false;
    for Due { owed, at, .. } in owed {
        match owed {
            Owed::Night => waits = !night_of(app, org).await,
            Owed::Watch => watches.push(at),
            // What else is owed rests on the night. Only whether all was done is looked at: that other process may hang.
            _ if waits => {}
            Owed::Clock(subject) => {
                // One that can't be moved must not hold up the others; it is tried again at the next tick.
                if let Err(error) = clocks::settle(app, org, &subject).await.or_else(nothing_where_gone) {
                    tracing::error!(%org, %subject, "a clock could not be moved: {error:#}");
                }
            }
            Owed::Decisions => {
                if let Err(error) = intraday::look(app, org).await.or_else(nothing_where_gone) {
                    tracing::error!(%org, "decision signals could not be looked at: {error:#}");
                }
            }
            Owed::Digest(person) => mornings.push((person, at)),
        }
    }
    if !mornings.is_empty() {
        mornings_of(app, org, &mornings).await;
    }
    if waits && !watches.is_empty() {
        tracing::warn!(%org, "another process is at the night, or holds the inbox; all else that is owed waits for it");
    }
    for at in watches {
        if let Err(error) = watch::look(app, org, at).await.or_else(nothing_where_gone) {
            tracing::error!(%org, "whether everything owed was done could not be looked at: {error:#}");
        }
    }
}

/// Whose morning fails has it owed still, and it is tried at the next tick; the others' go on.
async fn mornings_of(app: &App, org: OrgId, due: &[(PersonId, DateTime<Utc>)]) {
    match morning::owed(app, org, due).await.or_else(nothing_where_gone) {
        Ok(failed) => {
            for (person, error) in failed {
                tracing::error!(%org, %person, "a morning could not be queued: {error:#}");
            }
        }
        Err(error) => tracing::error!(%org, "mornings could not be queued: {error:#}"),
    }
}

/// Everything that is owed by now, found by its index.
async fn everything(app: &App) -> anyhow::Result<Vec<Due>> {
    let now = app.now();
    let mut tx = app.store.directory().await?;
    let mut owed: Vec<Due> = Vec::new();
    loop {
        let page = directory::due(&mut tx, now, PAGE, owed.last()).await?;
        let whole = i64::try_from(page.len()).is_ok_and(|count| count < PAGE);
        owed.extend(page);
        if whole {
            return Ok(owed);
        }
    }
}

/// An organisation that was erased since the directory was read is owed nothing.
fn nothing_where_gone<T: Default>(error: anyhow::Error) -> anyhow::Result<T> {
    if store::is_gone(&error) { Ok(T::default()) } else { Err(error) }
}

fn turn(owed: &Owed) -> u8 {
    match owed {
        Owed::Night => 0,
        Owed::Decisions => 1,
        Owed::Clock(_) => 2,
        // Kept for later.
        Owed::Digest(_) | Owed::Watch => 3,
    }
}

/// False while another process is at it.
async fn night_of(app: &App, org: OrgId) -> bool {
    match inbox::take_if_owed(app, org).await {
        Ok(Some(_)) => {}
        Ok(None) => return false,
        Err(error) if store::is_gone(&error) => {}
        // What can't be read must not keep the night from what was there before.
        Err(error) => tracing::error!(%org, "the inbox could not be taken: {error:#}"),
    }
    match night::night(app, org).await.or_else(nothing_where_gone) {
        Ok(Some(report)) => tracing::info!(%org, accounts = report.accounts, "diagnosed"),
        Ok(None) => {}
        Err(error) => tracing::error!(%org, "the night's diagnosis failed and is tried again: {error:#}"),
    }
    true
}

async fn seal_all(app: &App, looks: &[Look]) -> anyhow::Result<()> {
    let organisations = app.store.within(READ_WITHIN, async {
        let mut tx = app.store.directory().await?;
        directory::organisations(&mut tx).await
    });
    // One whose trail can't be sealed keeps no other waiting.
    let mut sealed = Ok(());
    for organisation in organisations.await? {
        for look in looks {
            let one = app.store.within(SEALED_WITHIN, organisation::seal(&app.store, organisation.id, *look)).await;
            sealed = sealed.and(one.map(drop));
        }
    }
    sealed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commits_late_is_looked_at_soon() {
        // The newest sealed event moves on while passes are made, at the most as fast as they are.
        for (age, pass, busy) in (0..600)
            .flat_map(|age| [0, 7, 35, 60, 3_590].map(|pass| (age, pass)))
            .flat_map(|(age, pass)| [(age, pass, false), (age, pass, true)])
        {
            let is_covered = |after: u64| {
                let now = TimeDelta::seconds(age + if busy { after as i64 } else { 0 });
                looks(pass + after).into_iter().any(|look| look.covers(now))
            };
            assert!((1..=70).any(is_covered), "recorded {age} s before pass {pass}");
        }
        let looks_back_a_day = |pass| looks(pass)[0].covers(TimeDelta::hours(23));
        assert!(looks_back_a_day(0), "the first after a start");
        let after = std::iter::successors(Some(pass_after(0, false)), |pass| Some(pass_after(*pass, true)));
        let passes: Vec<u64> = after.take(PASSES_A_LONG_LOOK as usize).collect();
        let again: Vec<usize> = (0..passes.len()).filter(|n| looks_back_a_day(passes[*n])).collect();
        assert_eq!(again, [60], "once more in a minute, then after an hour");
    }

    #[test]
    fn the_same_trouble_is_said_once_until_it_is_over() {
        let mut trouble = Trouble::default();
        let mut said = |looked: Result<(), &'static str>| trouble.is_new(&looked.map_err(anyhow::Error::msg));
        assert_eq!(said(Ok(())), None);
        assert_eq!(said(Err("away")), Some("away".to_owned()));
        assert_eq!(said(Err("away")), None);
        assert_eq!(said(Err("full")), Some("full".to_owned()), "another trouble");
        assert_eq!(said(Ok(())), None);
        assert_eq!(said(Err("full")), Some("full".to_owned()), "it is back");
    }
}
