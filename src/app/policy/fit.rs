//! The policy, fitted to imported outcomes: reads what was known before each of them, and fits
//! ([`crate::domain::policy_fit`]). Nothing is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context;
use chrono::{Datelike, Days, NaiveDate};

use crate::app::App;
use crate::domain::account::{Account, AccountId};
use crate::domain::diagnosis::{Book, BookSoFar};
use crate::domain::figures::decisions::Imported;
use crate::domain::health::Evidence;
use crate::domain::person::OrgId;
use crate::domain::policy::Policy;
use crate::domain::policy_fit::{self, ANNOUNCING, Decided, Fit, Knobs, Notices, Sample, as_then, decided, pairs};
use crate::domain::signal::{Signal, Source};
use crate::store::{Tenant, account, figures, outcome, signal};

/// Days before an outcome as of which accounts are read, the longest first: two months are time to do something.
const LEADS: [u32; 3] = [60, 30, 14];
/// A longer lead is taken while it reads at least this part of what the shortest does.
const ENOUGH: f64 = 0.8;
/// Accounts over which a past night's medians are taken, spread over all: 1,000 put a median within a hundredth.
const BOOK: i64 = 1_000;
/// Accounts whose signals are in memory at once.
const AT_ONCE: usize = 50;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wish {
    /// The longest of [`LEADS`] that reads enough, where it is not said.
    pub lead_days: Option<u32>,
    /// The part of the accounts that is held out, between 0 and 1.
    pub holdout: f64,
    pub seed: u64,
}

/// How far it is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Accounts with outcomes whose signals were read.
    pub read: AtomicU64,
    /// Accounts that were looked over for the medians of past nights.
    pub looked_over: AtomicU64,
    pub fitting: AtomicBool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    pub organisation: String,
    /// Version of the policy in use.
    pub in_use: String,
    pub lead_days: u32,
    /// Outcomes before which nothing at all was known of their account.
    pub without_data: u32,
    /// Outcomes before which too little was known for a score.
    pub without_score: u32,
    pub fit: Fit,
    /// The policy in use, as its author wrote it, with the fitted numbers.
    pub toml: String,
}

/// Fits the organisation's policy in use.
///
/// # Errors
/// Too few outcomes that could be read, in one sentence; the database's.
pub async fn fit(app: &App, org: OrgId, wish: Wish, progress: &Progress) -> anyhow::Result<Fitted> {
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let policy = snapshot.policy.clone();
    let leads = wish.lead_days.map_or(LEADS.to_vec(), |lead| vec![lead]);
    let reading = Reading { policy: &policy, today: snapshot.today(None, app.now()), progress };
    let mut read = reading.before_outcomes(&mut tx, &leads).await?;
    let chosen = choose(&read);
    let (lead_days, ByLead { read, without_data }) = (leads[chosen], read.swap_remove(chosen));
    let books = reading.books(&mut tx, &read).await?;
    drop(tx);
    let (mut samples, in_use) = (Vec::with_capacity(read.len()), Knobs::of(&policy));
    for Read { account, evidence, lost } in &read {
        let Some(book) = books.get(&monday(evidence.date)) else { continue };
        samples.push(Sample::read(account, evidence, book, &policy, *lost));
    }
    drop(read);
    let all = samples.len();
    samples.retain(|sample| sample.is_scored(&in_use, &policy.score));
    let without_score = u32::try_from(all - samples.len()).unwrap_or(u32::MAX);
    progress.fitting.store(true, Ordering::Relaxed);
    let (outcomes, left_out) = (samples.len(), without_data + without_score);
    let fitting = policy.clone();
    let fit = tokio::task::spawn_blocking(move || policy_fit::fit(&samples, &fitting, wish.holdout, wish.seed));
    let fit = fit.await.context("the fitting's thread broke off")?.map_err(|needed| match outcomes + left_out as usize {
        0 => anyhow::anyhow!(
            "there are no outcomes to fit on yet; import outcomes.csv first: it takes {0} accounts that were lost \
             (churned or contracted) and {0} that were kept",
            needed.each
        ),
        _ => anyhow::anyhow!(
            "there are too few outcomes to fit on: of the {outcomes} that could be read {lead_days} days before they \
             were decided ({left_out} could not), {needed}"
        ),
    })?;
    let moved = fit.numbers.iter().filter(|number| number.fit != number.in_use);
    let moved: Vec<(&str, f64)> = moved.map(|number| (number.key.as_str(), number.fit)).collect();
    let toml = Policy::with_numbers(snapshot.settings.policy_toml.as_deref().unwrap_or_default(), &moved)?;
    anyhow::ensure!(
        Policy::from_toml(&toml)? == fit.policy,
        "the fit does not read back as the policy that was fitted"
    );
    let (organisation, in_use) = (snapshot.organisation.slug.clone(), policy.version());
    Ok(Fitted { organisation, in_use, lead_days, without_data, without_score, fit, toml })
}

/// An account as of a day before its outcome.
struct Read {
    account: Account,
    evidence: Evidence,
    lost: bool,
}

/// What one lead can read.
#[derive(Default)]
struct ByLead {
    read: Vec<Read>,
    without_data: u32,
}

/// The first that reads enough against the shortest.
fn choose(read: &[ByLead]) -> usize {
    let most = read.iter().map(|lead| lead.read.len()).max().unwrap_or_default() as f64;
    read.iter().position(|lead| lead.read.len() as f64 >= ENOUGH * most).unwrap_or_default()
}

/// Books are made for Mondays: medians move slowly, and a year has fifty of them.
fn monday(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())).unwrap_or(day)
}

/// All that is imported of how these accounts decided.
async fn outcomes(tx: &mut Tenant, ids: &[AccountId]) -> anyhow::Result<BTreeMap<AccountId, Vec<Imported>>> {
    let mut by_account: BTreeMap<AccountId, Vec<Imported>> = BTreeMap::new();
    let ids: Vec<&str> = ids.iter().map(|id| id.0.as_str()).collect();
    for outcome in figures::outcomes(tx, &ids).await? {
        by_account.entry(outcome.account.clone()).or_default().push(outcome);
    }
    Ok(by_account)
}

struct Reading<'a> {
    policy: &'a Policy,
    today: NaiveDate,
    progress: &'a Progress,
}

impl Reading<'_> {
    /// By lead, the accounts with outcomes as they were read before each.
    async fn before_outcomes(&self, tx: &mut Tenant, leads: &[u32]) -> anyhow::Result<Vec<ByLead>> {
        let ids = outcome::accounts(tx).await?;
        let outcomes = outcomes(tx, &ids).await?;
        let of = |account: &Account| outcomes.get(&account.id).map_or(&[][..], Vec::as_slice);
        let days = outcomes.values().flatten().map(|outcome| outcome.on);
        let Some((first, last)) = days.clone().min().zip(days.max()) else { return Ok(vec![ByLead::default()]) };
        // An announcement stands at most a term before its outcome, and what is read before that.
        let since = first.checked_sub_days(signal::LOOK_BACK).and_then(|day| day.checked_sub_days(signal::LOOK_BACK));
        let since = since.unwrap_or(first);

        let mut decisions: BTreeMap<AccountId, Vec<Decided>> = BTreeMap::new();
        for ids in ids.chunks(AT_ONCE) {
            self.each(tx, ids, &ANNOUNCING, since, last, |account, signals| {
                decisions.insert(account.id.clone(), decided(account, of(account), signals, self.today));
            })
            .await?;
        }
        let notices = Notices::of(decisions.values().flatten());

        let mut by_lead: Vec<ByLead> = leads.iter().map(|_| ByLead::default()).collect();
        for ids in ids.chunks(AT_ONCE) {
            self.each(tx, ids, &[], since, last, |account, signals| {
                let decided = decisions.get(&account.id).map_or(&[][..], Vec::as_slice);
                for (lead, by_lead) in leads.iter().zip(&mut by_lead) {
                    for pair in pairs(decided, &notices, *lead) {
                        let account = as_then(account, of(account), pair.as_of);
                        // Whatever a customer had decided by then decides alone; what is weighed is the rest.
                        let evidence = Evidence::reduce(&account, &[], signals, pair.as_of, self.policy);
                        let evidence = evidence.settled_by(pair.as_of);
                        match Source::ALL.into_iter().any(|source| evidence.feed(source).live) {
                            true => by_lead.read.push(Read { account, evidence, lost: pair.lost }),
                            false => by_lead.without_data += 1,
                        }
                    }
                }
                self.progress.read.fetch_add(1, Ordering::Relaxed);
            })
            .await?;
        }
        Ok(by_lead)
    }

    /// The book on each Monday by which an account is read. The feed guard is not run anew: it hangs on every night.
    async fn books(&self, tx: &mut Tenant, read: &[Read]) -> anyhow::Result<BTreeMap<NaiveDate, Book>> {
        let mondays: BTreeSet<NaiveDate> = read.iter().map(|read| monday(read.evidence.date)).collect();
        let (Some(first), Some(last)) = (mondays.first(), mondays.last()) else { return Ok(BTreeMap::new()) };
        let mut books: BTreeMap<NaiveDate, BookSoFar<'_>> =
            mondays.iter().map(|day| (*day, BookSoFar::new(self.policy, None, *day))).collect();
        let since = first.checked_sub_days(signal::LOOK_BACK).unwrap_or(*first);
        for ids in account::spread(tx, BOOK).await?.chunks(AT_ONCE) {
            self.each(tx, ids, &[], since, *last, |account, signals| {
                for (day, book) in &mut books {
                    let account = as_then(account, &[], *day);
                    book.add(&Evidence::reduce(&account, &[], signals, *day, self.policy));
                }
                self.progress.looked_over.fetch_add(1, Ordering::Relaxed);
            })
            .await?;
        }
        Ok(books.into_iter().map(|(day, book)| (day, book.close())).collect())
    }

    /// Hands over these accounts with their signals, of these kinds where some are named; some have none.
    async fn each(
        &self,
        tx: &mut Tenant,
        ids: &[AccountId],
        kinds: &[&str],
        since: NaiveDate,
        until: NaiveDate,
        mut take: impl FnMut(&Account, &[Signal]),
    ) -> anyhow::Result<()> {
        let accounts = account::some(tx, ids).await?;
        let mut silent: BTreeMap<&str, &Account> =
            accounts.iter().map(|account| (account.id.0.as_str(), account)).collect();
        let mut fault = Ok(());
        signal::of_accounts(tx, ids, kinds, since, until, |id, signals| {
            let Some(account) = silent.remove(id) else { return };
            match signals {
                Ok(signals) => take(account, signals),
                Err(error) => fault = Err(error.context(format!("the signals of account {id} can't be read"))),
            }
        })
        .await?;
        fault?;
        silent.into_values().for_each(|account| take(account, &[]));
        Ok(())
    }
}
