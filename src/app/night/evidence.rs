//! The first pass: every account's signals, reduced to its evidence.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{guarded, rejected};
use crate::domain::account::{Account, AccountId, AccountStatus};
use crate::domain::health::Evidence;
use crate::domain::policy::Policy;
use crate::domain::signal::{Signal, Source};
use crate::store::diagnosis::Rejected;
use crate::store::outcome::{self, KnownOutcome};
use crate::store::{Tenant, account, signal};

/// Accounts whose contacts are in memory at once; of signals it is one account's.
const PAGE: i64 = 5_000;

pub(super) struct Gathered {
    /// By account id; of every account that has not left.
    pub(super) evidence: Vec<Evidence>,
    /// Accounts whose status is churned, by id: not diagnosed.
    pub(super) left: Vec<AccountId>,
    pub(super) rejected: Vec<Rejected>,
    /// The newest observation of each source.
    pub(super) sources: BTreeMap<Source, NaiveDate>,
}

pub(super) async fn gather(tx: &mut Tenant, policy: &Policy, date: NaiveDate) -> anyhow::Result<Gathered> {
    // Room for all at once: a vector that grows by doubling would hold half of them twice.
    let count = usize::try_from(account::count(tx).await?)?;
    let mut gathered = Gathered {
        evidence: Vec::with_capacity(count),
        left: Vec::new(),
        rejected: Vec::new(),
        sources: BTreeMap::new(),
    };
    let mut after = String::new();
    loop {
        let page = account::page_one_by_one(tx, &after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(gathered) };
        after.clone_from(&last.0);
        gather_page(tx, page, policy, date, &mut gathered).await?;
    }
}

async fn gather_page(
    tx: &mut Tenant,
    page: Vec<(AccountId, anyhow::Result<Account>)>,
    policy: &Policy,
    date: NaiveDate,
    gathered: &mut Gathered,
) -> anyhow::Result<()> {
    let (Some((first, _)), Some((last, _))) = (page.first(), page.last()) else { return Ok(()) };
    let contacts = by_account(account::contacts_between(tx, first, last).await?, |contact| &contact.account_id);
    let outcomes = outcome::between(tx, first, last, date).await?;
    // Of an account's outcomes the latest comes last and stays.
    let outcomes: BTreeMap<&str, &KnownOutcome> =
        outcomes.iter().map(|outcome| (outcome.account.0.as_str(), outcome)).collect();
    let (first, last) = (first.clone(), last.clone());

    let mut accounts: BTreeMap<AccountId, Account> = BTreeMap::new();
    for (id, read) in page {
        match read {
            Ok(account) if account.status == AccountStatus::Churned => gathered.left.push(id),
            Ok(account) => {
                accounts.insert(id, account);
            }
            Err(error) => gathered.rejected.push(rejected(&id, &error)),
        }
    }
    let reduce = |account: &Account, signals: &[Signal]| {
        guarded(|| {
            let contacts = contacts.get(&account.id).map_or(&[][..], Vec::as_slice);
            let evidence = Evidence::reduce(account, contacts, signals, date, policy);
            let outcome = outcomes.get(account.id.0.as_str());
            Ok(outcome.map(|outcome| outcome.decided_on).into_iter().fold(evidence, Evidence::settled_by))
        })
    };
    let mut reads: BTreeMap<String, anyhow::Result<Evidence>> = BTreeMap::new();
    signal::each_account(tx, &first, &last, date, |id, signals| {
        if let Some(account) = accounts.get(&AccountId::from(id)) {
            reads.insert(id.to_owned(), signals.and_then(|signals| reduce(account, signals)));
        }
    })
    .await?;
    for (id, account) in &accounts {
        // An account without a signal is read all the same: what is not known of it must be said.
        match reads.remove(&id.0).unwrap_or_else(|| reduce(account, &[])) {
            Ok(evidence) => {
                for source in Source::ALL {
                    if let Some(day) = evidence.feed(source).last_row {
                        let newest = gathered.sources.entry(source).or_insert(day);
                        *newest = day.max(*newest);
                    }
                }
                gathered.evidence.push(evidence);
            }
            Err(error) => gathered.rejected.push(rejected(id, &error)),
        }
    }
    Ok(())
}

/// Groups rows by account; each account's stay in their order.
pub(super) fn by_account<T>(rows: Vec<T>, account: impl Fn(&T) -> &AccountId) -> BTreeMap<AccountId, Vec<T>> {
    let mut grouped: BTreeMap<AccountId, Vec<T>> = BTreeMap::new();
    for row in rows {
        grouped.entry(account(&row).clone()).or_default().push(row);
    }
    grouped
}
