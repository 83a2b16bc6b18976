//! The night: one diagnosis of every account of an organisation, and what it
//! moves. Two passes keep memory bounded: the first reduces each account's
//! signals to its evidence, the second holds each evidence against the whole
//! book, page by page.
//!
//! One transaction, the night's own, holds the organisation's lock throughout,
//! takes the diagnoses of every page and writes the run last: nobody reads half a
//! night, where it breaks the run never happened, and running the date again
//! replaces rows and doubles no move.

mod evidence;
mod moves;
mod page;
mod renewals;
mod trial;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;
use serde_json::json;

use super::content::Content;
use super::snapshot::Snapshot;
use super::{App, gaps, notice, precision, schedule};
use crate::domain::account::AccountId;
use crate::domain::calendar::{self, BusinessHours, WorkCalendar};
use crate::domain::diagnosis::{Band, Book, Diagnosis, GuardChange, GuardEvent};
use crate::domain::person::{OrgId, Workdays};
use crate::domain::policy::Policy;
use crate::domain::signal::Source;
use crate::store::audit::{self, Actor, Entry};
use crate::store::diagnosis::Feed;
use crate::store::night::{self, Rejected, RunRow};
use crate::store::{Tenant, account, diagnosis, directory, introduction, message, rule, settings};

pub use trial::{Moved, Trial, trial};

/// How long diagnoses are kept (diagnosis rows are narrow, a year and its neighbours are compared).
const KEPT: Days = Days::new(400);
/// Dates forgotten after one night: more than one where nights were missed.
const FORGOTTEN_AT_ONCE: i64 = 40;
/// Accounts whose messages are redrawn in one statement.
const REDRAWN_AT_ONCE: usize = 5_000;
/// Accounts read back at once for printing.
const PRINTED_AT_ONCE: i64 = 1_000;

/// What a diagnosis of a date may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Run {
    /// The organisation's own today: risks, windows and renewals move, digests read it.
    Live,
    /// Another date: rows of history only.
    History,
}

impl Run {
    pub fn on(date: NaiveDate, today: NaiveDate) -> Self {
        if date == today { Run::Live } else { Run::History }
    }
}

/// What came of a diagnosis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    pub date: NaiveDate,
    pub run: Run,
    pub policy_version: String,
    /// Accounts that were diagnosed.
    pub accounts: u32,
    pub bands: BTreeMap<Band, u32>,
    /// Accounts that could not be read, by id; the others went on without them.
    pub rejected: Vec<Rejected>,
    /// Feed guards that went up or came down: to be told to those who look after the feeds, once.
    pub guard_events: Vec<GuardEvent>,
    /// How often each event of the audit trail was recorded.
    pub events: BTreeMap<&'static str, u32>,
    /// Accounts that got worse tonight, by id: the pings of a live run. Empty for history, and on an
    /// organisation's first night nothing is worse than before.
    pub worse: Vec<Worse>,
    /// Accounts for which nobody can be made accountable: their windows and renewals wait.
    pub unrouted: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worse {
    pub account: AccountId,
    /// Rules of decisions (floors) that were not there on the night before.
    pub decisions: Vec<String>,
}

/// One organisation on one date, as both passes see it.
struct Night {
    app: App,
    org: OrgId,
    snapshot: Arc<Snapshot>,
    policy: Policy,
    book: Book,
    date: NaiveDate,
    at: DateTime<Utc>,
    run: Run,
    /// The latest complete night before.
    before: Option<NaiveDate>,
    /// That one carries along what all before it said of an account's health.
    carries: bool,
    /// Those that an account's course is made of where it does not.
    nights: Vec<NaiveDate>,
    /// The nearest one after, where there is none before: history that is filled in backwards.
    after: Option<NaiveDate>,
    /// The date was diagnosed before, or begun to be: its rows are replaced.
    again: bool,
}

/// Takes diagnoses, by account id, once they are kept; the run they belong to is committed last.
pub type Each<'a> = &'a mut (dyn FnMut(Diagnosis) + Send);

/// Diagnoses every account for a date and stores it. Waits for another diagnosis of the organisation to end.
/// Running a date again replaces its rows, and moves nothing twice.
pub async fn diagnose(app: &App, org: OrgId, date: NaiveDate, run: Run) -> anyhow::Result<RunReport> {
    diagnose_each(app, org, date, run, &mut |_| {}).await
}

/// As [`diagnose`], with each diagnosis handed over: reading all of them back costs as much as making them.
pub async fn diagnose_each(
    app: &App,
    org: OrgId,
    date: NaiveDate,
    run: Run,
    each: Each<'_>,
) -> anyhow::Result<RunReport> {
    let mut lock = app.store.tenant(org).await?;
    night::lock_night(&mut lock).await?;
    let report = diagnose_locked(app, &mut lock, date, run, each).await?;
    lock.commit().await?;
    conclude(app, org, &report).await?;
    Ok(report)
}

/// What the scheduler owes an organisation once per local date: the live diagnosis, unless somebody has made it
/// already, and when the next is due. People's next mornings are computed anew beside it, as a repair.
pub async fn night(app: &App, org: OrgId) -> anyhow::Result<Option<RunReport>> {
    let mut lock = app.store.tenant(org).await?;
    night::lock_night(&mut lock).await?;
    // Read under the lock: a second replica that waited for it sees what the first has done.
    let organisation = directory::own_organisation(&mut lock).await?;
    let today = calendar::local_date(organisation.timezone, app.now());
    let report = match organisation.diagnosed_on {
        Some(date) if date >= today => None,
        _ => Some(diagnose_locked(app, &mut lock, today, Run::Live, &mut |_| {}).await?),
    };
    let now = app.now();
    let (_, next) = calendar::next_night(organisation.timezone, now);
    directory::set_next_night(&mut lock, next).await?;
    schedule::set_next_digests(&mut lock, &organisation, now).await?;
    lock.commit().await?;
    if let Some(report) = &report {
        conclude(app, org, report).await?;
    }
    Ok(report)
}

async fn diagnose_locked(
    app: &App,
    lock: &mut Tenant,
    date: NaiveDate,
    run: Run,
    each: Each<'_>,
) -> anyhow::Result<RunReport> {
    let snapshot = app.snapshot(lock).await?;
    let policy = &snapshot.policy;
    // What the night before left is a row of megabytes: it is read beside the rest.
    let mut beside = app.store.tenant(lock.org()).await?;
    let night_before = night::night_before(&mut beside, date);
    let (gathered, night_before) = tokio::try_join!(evidence::gather(app, lock, policy, date), night_before)?;
    drop(beside);
    let sources = gathered.feeds();
    let before = night_before.as_ref().map(|night| night.date);
    let carries = night_before.as_ref().is_some_and(|night| night.has_courses);
    let nights = night::nights(lock, date).await?;
    let after = if before.is_none() { night::night_after(lock, date).await? } else { None };
    let state = night_before.map(|night| night.state);
    let book = Book::of(gathered.seen.iter().map(|seen| &seen.evidence), state.as_ref(), policy, date);
    drop(state);
    let (app, org, at) = (app.clone(), lock.org(), app.now());
    let again = night::has_rows(lock, date).await?;
    let policy = policy.clone();
    let night =
        Arc::new(Night { app, org, snapshot, policy, book, date, at, run, before, carries, nights, after, again });
    let mut done = night.pages(lock, gathered.seen, each).await?;
    if run == Run::Live {
        night.accounts_that_left(&gathered.left, &mut done).await?;
    }
    done.rejected.extend(gathered.rejected);
    done.rejected.sort();
    let report = RunReport {
        date,
        run,
        policy_version: night.policy.version(),
        accounts: done.bands.values().sum(),
        bands: done.bands,
        rejected: done.rejected,
        guard_events: night.book.guard_events.clone(),
        events: done.events,
        worse: done.worse,
        unrouted: done.unrouted,
    };
    night.write_run(lock, &report, &sources, &done.redrawn).await?;
    Ok(report)
}

impl Night {
    /// A source that fell silent for much of the book, or that is back, is told to the admins, once.
    async fn tell_of_feeds(&self, lock: &mut Tenant) -> anyhow::Result<()> {
        let admins = self.snapshot.people.admins();
        for event in &self.book.guard_events {
            let silent = match event.change {
                GuardChange::Raised => Some(event.silent),
                GuardChange::Recovered => None,
                // Thirty days after it went up nobody is surprised; the mornings say the source's age.
                GuardChange::GivenUp => continue,
            };
            let content = Content::Feed { source: event.source, silent };
            notice::notify(lock, &self.snapshot, admins.iter().copied(), &content, None, self.at).await?;
        }
        Ok(())
    }

    /// Once a week, when there is something to propose about the rules, the admins (where there are none, the leads) hear
    /// of it in their morning.
    async fn tell_of_rules(&self, lock: &mut Tenant) -> anyhow::Result<()> {
        let (snapshot, zone) = (&self.snapshot, self.snapshot.organisation.timezone);
        let week = WorkCalendar {
            zone,
            workdays: Workdays::MON_FRI,
            holidays: snapshot.holidays.of(zone),
            hours: BusinessHours::default(),
        };
        if !week.opens_week(self.date) {
            return Ok(());
        }
        let proposed = precision::proposals(lock, snapshot, self.at).await?;
        if proposed.is_empty() {
            return Ok(());
        }
        let names = proposed.iter().map(|proposal| proposal.rule().to_owned()).collect();
        let content = Content::Rules { names };
        for steward in snapshot.people.stewards().into_iter().filter_map(|id| snapshot.person(id)) {
            let morning = calendar::instant(steward.timezone, self.date, steward.digest_time).max(self.at);
            notice::notify(lock, snapshot, [steward.id], &content, None, morning).await?;
        }
        Ok(())
    }

    /// The run itself, last, in the transaction that holds the lock.
    async fn write_run(
        &self,
        lock: &mut Tenant,
        report: &RunReport,
        sources: &BTreeMap<Source, Feed>,
        redrawn: &[AccountId],
    ) -> anyhow::Result<()> {
        let live = self.run == Run::Live;
        let row = RunRow {
            date: self.date,
            completed_at: self.at,
            accounts: report.accounts,
            live,
            policy_version: report.policy_version.clone(),
            night: &self.book.state,
            sources,
            rejected: &report.rejected,
        };
        let told = diagnosis::ran_live(lock, self.date).await?;
        night::save_run(lock, &row).await?;
        if live {
            directory::set_diagnosed(lock, self.date, self.at).await?;
            settings::touch(lock).await?;
            rule::end_other_trials(lock, &self.policy.shadow).await?;
            if !told {
                self.tell_of_feeds(lock).await?;
                self.tell_of_rules(lock).await?;
                gaps::tell_admins(lock, &self.snapshot, self.date, self.at).await?;
            }
            // Pages queued redraws with their moves. Whatever was redrawn before this commit still showed the
            // night before, so what changed is drawn once more; a redraw still queued is not doubled.
            for accounts in redrawn.chunks(REDRAWN_AT_ONCE) {
                message::queue_redraws(lock, accounts, self.at).await?;
            }
        }
        let data = json!({
            "date": self.date,
            "run": self.run,
            "policy": report.policy_version,
            "accounts": report.accounts,
            "rejected": report.rejected.len(),
            "guard": report.guard_events,
        });
        let subject = format!("organisation:{}", self.org);
        audit::record(lock, Actor::System, self.at, &[Entry::new("diagnosis.run", subject, data)]).await
    }
}

/// What a night fills.
const FILLED: &[&str] = &[
    "tandem.audit_event",
    "tandem.diagnosis",
    "tandem.diagnosis_detail",
    "tandem.handoff",
    "tandem.renewal",
    "tandem.risk",
];

/// What comes after the commit: waking delivery, forgetting what is too old.
async fn conclude(app: &App, org: OrgId, report: &RunReport) -> anyhow::Result<()> {
    let mut tx = app.store.tenant(org).await?;
    tx.look_at(FILLED).await?;
    tx.commit().await?;
    if report.run == Run::History {
        // A date far back that was just asked for must still be there to be read.
        return Ok(());
    }
    app.outbox_bell.notify_waiters();
    let Some(oldest) = report.date.checked_sub_days(KEPT) else { return Ok(()) };
    let mut tx = app.store.tenant(org).await?;
    // A diagnosis of a date long ago that runs meanwhile may refer to what is forgotten here.
    night::lock_night(&mut tx).await?;
    for date in night::runs_before(&mut tx, oldest, FORGOTTEN_AT_ONCE).await? {
        night::forget(&mut tx, date).await?;
    }
    night::forget_details(&mut tx, oldest).await?;
    message::forget(&mut tx, app.now()).await?;
    introduction::forget(&mut tx, app.now()).await?;
    tx.commit().await
}

/// Hands over the stored diagnoses of a date, by account id.
pub async fn each_diagnosis(
    app: &App,
    org: OrgId,
    date: NaiveDate,
    mut each: impl FnMut(&Diagnosis) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let mut after = String::new();
    loop {
        let page = account::page_one_by_one(&mut tx, &after, PRINTED_AT_ONCE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after.clone_from(&last.0);
        let accounts: Vec<_> = page.into_iter().filter_map(|(_, account)| account.ok()).collect();
        for diagnosis in diagnosis::of_accounts(&mut tx, date, &accounts, &snapshot.policy).await?.values() {
            each(diagnosis)?;
        }
    }
}

/// Runs the rules on one account; a panic in them is that account's fault and must not end the night.
fn guarded<T>(rules: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    catch_unwind(AssertUnwindSafe(rules)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(anyhow::anyhow!("the rules failed on it: {said}"))
    })
}

fn rejected(account: &AccountId, error: &anyhow::Error) -> Rejected {
    Rejected { account_id: account.clone(), reason: format!("{error:#}") }
}
