//! The first pass: every account's signals, reduced to its evidence. One
//! connection reads accounts and what belongs to them, another their signals, and
//! a thread of its own reduces what has come; of signals there are at most a few
//! pieces and one account's in memory.

use std::collections::BTreeMap;

use anyhow::Context;
use bytes::Bytes;
use chrono::NaiveDate;
use tokio::sync::mpsc;

use super::{App, guarded, rejected};
use crate::domain::account::{Account, AccountId, AccountStatus, Contact};
use crate::domain::health::Evidence;
use crate::domain::policy::Policy;
use crate::domain::rhythm;
use crate::domain::row::OutcomeKind;
use crate::domain::signal::{Signal, Source};
use crate::store::diagnosis::Feed;
use crate::store::night::Rejected;
use crate::store::signal::Decoder;
use crate::store::{Tenant, account, outcome, signal};

/// Accounts whose rows and contacts are read at once; four pages are in memory.
const PAGE: i64 = 2_000;
/// Pieces of signals that wait to be reduced.
const PIECES: usize = 4;

/// An account with what its signals came to.
pub(super) struct Seen {
    /// Without what no rule reads and may be long.
    pub(super) account: Account,
    pub(super) evidence: Evidence,
}

#[derive(Default)]
pub(super) struct Gathered {
    /// By account id; every account that has not left.
    #[expect(clippy::vec_box, reason = "a vector that grows by doubling would hold half of all evidence twice")]
    pub(super) seen: Vec<Box<Seen>>,
    /// Accounts whose status is churned, by id: not diagnosed.
    pub(super) left: Vec<AccountId>,
    pub(super) rejected: Vec<Rejected>,
    /// The newest observation of each source, and the days of which it told.
    sources: BTreeMap<Source, (NaiveDate, rhythm::Days)>,
}

impl Gathered {
    pub(super) fn feeds(&self) -> BTreeMap<Source, Feed> {
        let feed = |(newest, days): &(NaiveDate, rhythm::Days)| Feed { newest: *newest, rhythm: days.rhythm() };
        self.sources.iter().map(|(source, seen)| (*source, feed(seen))).collect()
    }
}

/// Accounts, by id, with what belongs to them.
struct Page {
    accounts: Vec<(AccountId, anyhow::Result<Account>)>,
    contacts: BTreeMap<AccountId, Vec<Contact>>,
    /// The latest known result of an account, and when it was decided.
    outcomes: BTreeMap<AccountId, (OutcomeKind, NaiveDate)>,
}

pub(super) async fn gather(app: &App, tx: &mut Tenant, policy: &Policy, date: NaiveDate) -> anyhow::Result<Gathered> {
    let (pages, mut read) = mpsc::channel(1);
    let mut reducer = Reducer { policy: policy.clone(), date, gathered: Gathered::default() };
    let reducing = tokio::task::spawn_blocking(move || {
        while let Some((page, signals)) = read.blocking_recv() {
            reducer.page(page, signals)?;
        }
        anyhow::Ok(reducer.gathered)
    });
    let (ahead, known) = mpsc::channel(1);
    let mut beside = app.store.tenant(tx.org()).await?;
    tokio::try_join!(read_accounts(&mut beside, date, ahead), read_signals(tx, date, known, pages))?;
    reducing.await.context("the rules' thread broke off")?
}

/// Accounts in the order of their ids, a page ahead of their signals. Ends early where nobody receives any more.
async fn read_accounts(tx: &mut Tenant, date: NaiveDate, ahead: mpsc::Sender<Page>) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let accounts = account::page_one_by_one(tx, &after, PAGE).await?;
        let (Some((first, _)), Some((last, _))) = (accounts.first(), accounts.last()) else { return Ok(()) };
        let contacts = by_account(account::contacts_between(tx, first, last).await?, |contact| &contact.account_id);
        let outcomes = outcome::between(tx, first, last, date).await?;
        // Of an account's outcomes the latest comes last and stays.
        let outcomes =
            outcomes.into_iter().map(|outcome| (outcome.account, (outcome.kind, outcome.decided_on))).collect();
        after.clone_from(&last.0);
        if ahead.send(Page { accounts, contacts, outcomes }).await.is_err() {
            return Ok(());
        }
    }
}

async fn read_signals(
    tx: &mut Tenant,
    date: NaiveDate,
    mut known: mpsc::Receiver<Page>,
    pages: mpsc::Sender<(Page, mpsc::Receiver<Bytes>)>,
) -> anyhow::Result<()> {
    while let Some(page) = known.recv().await {
        let ends = page.accounts.first().zip(page.accounts.last());
        let Some((first, last)) = ends.map(|((first, _), (last, _))| (first.clone(), last.clone())) else { continue };
        let (pieces, signals) = mpsc::channel(PIECES);
        if pages.send((page, signals)).await.is_err() {
            // The reducing has ended, and says why.
            return Ok(());
        }
        signal::read_between(tx, &first, &last, date, &pieces).await?;
    }
    Ok(())
}

struct Reducer {
    policy: Policy,
    date: NaiveDate,
    gathered: Gathered,
}

impl Reducer {
    /// Accounts and signals, while these are being read, come in the same order, so they are merged.
    fn page(&mut self, page: Page, mut signals: mpsc::Receiver<Bytes>) -> anyhow::Result<()> {
        let Page { accounts, contacts, outcomes } = page;
        let mut accounts = accounts.into_iter().peekable();
        let mut reduce = |(id, account): (AccountId, anyhow::Result<Account>), signals: anyhow::Result<&[Signal]>| {
            let contacts = contacts.get(&id).map_or(&[][..], Vec::as_slice);
            self.account(&id, account, contacts, outcomes.get(&id).copied(), signals);
        };
        let mut each = |of: &str, signals: anyhow::Result<&[Signal]>| {
            // An account without a signal is read all the same: what is not known of it must be said.
            while let Some(silent) = accounts.next_if(|(id, _)| id.0.as_str() < of) {
                reduce(silent, Ok(&[]));
            }
            if let Some(account) = accounts.next_if(|(id, _)| id.0 == of) {
                reduce(account, signals);
            }
        };
        let mut decoder = Decoder::default();
        while let Some(piece) = signals.blocking_recv() {
            decoder.take(&piece, &mut each)?;
        }
        decoder.end(&mut each);
        for silent in accounts {
            reduce(silent, Ok(&[]));
        }
        Ok(())
    }

    fn account(
        &mut self,
        id: &AccountId,
        account: anyhow::Result<Account>,
        contacts: &[Contact],
        outcome: Option<(OutcomeKind, NaiveDate)>,
        signals: anyhow::Result<&[Signal]>,
    ) {
        let gathered = &mut self.gathered;
        let account = match account {
            Ok(account) if account.status == AccountStatus::Churned => return gathered.left.push(id.clone()),
            Ok(account) => account,
            Err(error) => return gathered.rejected.push(rejected(id, &error)),
        };
        let mut days = [rhythm::Days::default(); Source::ALL.len()];
        let evidence = signals.and_then(|signals| {
            for signal in signals {
                days[signal.source as usize].note((self.date - signal.observed_on).num_days());
            }
            guarded(|| {
                let evidence = Evidence::reduce(&account, contacts, signals, self.date, &self.policy);
                Ok(match outcome {
                    Some((kind, decided_on)) => evidence.with_outcome(kind, decided_on),
                    None => evidence,
                })
            })
        });
        match evidence {
            Ok(evidence) => {
                for source in Source::ALL {
                    if let Some(day) = evidence.feed(source).last_row {
                        let (newest, seen) = gathered.sources.entry(source).or_insert((day, rhythm::Days::default()));
                        *newest = day.max(*newest);
                        seen.add(days[source as usize]);
                    }
                }
                let account = Account { goals: None, domains: Vec::new(), url: None, ..account };
                gathered.seen.push(Box::new(Seen { account, evidence }));
            }
            Err(error) => gathered.rejected.push(rejected(id, &error)),
        }
    }
}

/// Groups rows by account; each account's stay in their order.
pub(super) fn by_account<T>(rows: Vec<T>, account: impl Fn(&T) -> &AccountId) -> BTreeMap<AccountId, Vec<T>> {
    let mut grouped: BTreeMap<AccountId, Vec<T>> = BTreeMap::new();
    for row in rows {
        grouped.entry(account(&row).clone()).or_default().push(row);
    }
    grouped
}
