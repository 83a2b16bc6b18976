//! Everything that a card, an answer or an action needs to know of accounts, read together.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::snapshot::Snapshot;
use crate::domain::account::{Account, AccountId};
use crate::domain::diagnosis::Diagnosis;
use crate::domain::handoff::Handoff;
use crate::domain::renewal_work::RenewalWork;
use crate::domain::risk::Risk;
use crate::store::answer::{self, Answer, Stored};
use crate::store::note::Note;
use crate::store::{Tenant, account, diagnosis, handoff, note, renewal, risk};

/// How long after its end a handoff is still read: the quiet time after a pass or a loss.
const ENDED_FOR: TimeDelta = TimeDelta::days(90);

/// One account with the latest complete diagnosis and what people do about it.
#[derive(Debug, Clone)]
pub struct AccountRead {
    pub account: Account,
    /// Of the latest complete night; `None` before the first, or for an account that came since.
    pub diagnosis: Option<Diagnosis>,
    /// Of the night before that one.
    pub previous_health: Option<u8>,
    /// The newest episode, over or not.
    pub risk: Option<Risk>,
    /// Open ones, and those that ended in the last 90 days.
    pub handoffs: Vec<Handoff>,
    /// The newest work towards a deadline, open or ended.
    pub renewal: Option<RenewalWork>,
    pub last_note: Option<Note>,
}

impl AccountRead {
    pub fn next_deadline(&self) -> Option<NaiveDate> {
        self.diagnosis.as_ref().and_then(|diagnosis| diagnosis.renewal.next_deadline)
    }

    pub fn handoff(&self, id: uuid::Uuid) -> Option<&Handoff> {
        self.handoffs.iter().find(|handoff| handoff.id == id)
    }
}

/// Reads these accounts; those that do not exist are absent.
pub async fn accounts(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    ids: &[AccountId],
    now: DateTime<Utc>,
) -> anyhow::Result<BTreeMap<AccountId, AccountRead>> {
    let accounts = account::some(tx, ids).await?;
    let mut diagnoses = BTreeMap::new();
    let mut previous = BTreeMap::new();
    if let Some(date) = snapshot.organisation.diagnosed_on {
        diagnoses = diagnosis::of_accounts(tx, date, &accounts, &snapshot.policy).await?;
        previous = diagnosis::health_before(tx, date, ids).await?;
    }
    let mut risks: BTreeMap<_, _> =
        risk::latest(tx, ids).await?.into_iter().map(|risk| (risk.account.clone(), risk)).collect();
    let mut handoffs: BTreeMap<AccountId, Vec<Handoff>> = BTreeMap::new();
    for handoff in handoff::of_accounts(tx, ids, now - ENDED_FOR).await? {
        handoffs.entry(handoff.account.clone()).or_default().push(handoff);
    }
    let mut renewals: BTreeMap<_, _> =
        renewal::latest(tx, ids).await?.into_iter().map(|work| (work.account.clone(), work)).collect();
    let mut notes: BTreeMap<_, _> =
        note::latest(tx, ids).await?.into_iter().map(|note| (note.account_id.clone(), note)).collect();
    Ok(accounts
        .into_iter()
        .map(|account| {
            let id = account.id.clone();
            let read = AccountRead {
                diagnosis: diagnoses.remove(&id),
                previous_health: previous.remove(&id).flatten(),
                risk: risks.remove(&id),
                handoffs: handoffs.remove(&id).unwrap_or_default(),
                renewal: renewals.remove(&id),
                last_note: notes.remove(&id.0),
                account,
            };
            (id, read)
        })
        .collect())
}

/// Reads one account.
pub async fn account(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    id: &AccountId,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<AccountRead>> {
    Ok(accounts(tx, snapshot, std::slice::from_ref(id), now).await?.remove(id))
}

/// Reads one account with all that the answer to `/account` says of it.
pub async fn answer(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    id: &AccountId,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Answer>> {
    let read = answers(tx, std::slice::from_ref(id), now).await?.pop();
    read.map(|stored| stored.answer(tx.org(), &snapshot.policy)).transpose()
}

/// The same of many, not yet looked at.
pub async fn answers(tx: &mut Tenant, ids: &[AccountId], now: DateTime<Utc>) -> anyhow::Result<Vec<Stored>> {
    answer::read(tx, ids, now - ENDED_FOR).await
}
