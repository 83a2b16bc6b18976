//! Everything that a card, an answer or an action needs to know of accounts, read together.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::snapshot::Snapshot;
use crate::domain::account::{Account, AccountId};
use crate::domain::diagnosis::{Band, Diagnosis};
use crate::domain::handoff::Handoff;
use crate::domain::renewal::Deadline;
use crate::domain::renewal_work::RenewalWork;
use crate::domain::risk::Risk;
use crate::store::answer::{self, Answer, Stored};
use crate::store::diagnosis::Gist;
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
    pub fn deadline(&self) -> Option<Deadline> {
        self.diagnosis.as_ref()?.renewal.deadline()
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
    let mut diagnoses = match snapshot.organisation.diagnosed_on {
        Some(date) => diagnosis::of_accounts(tx, date, &accounts, &snapshot.policy).await?,
        None => BTreeMap::new(),
    };
    let (mut risks, mut handoffs) = (risks(tx, ids).await?, handoffs(tx, ids, now).await?);
    let mut renewals = renewals(tx, ids).await?;
    let read = |account: Account| {
        let id = account.id.clone();
        let read = AccountRead {
            diagnosis: diagnoses.remove(&id),
            previous_health: None,
            risk: risks.remove(&id),
            handoffs: handoffs.remove(&id).unwrap_or_default(),
            renewal: renewals.remove(&id),
            last_note: None,
            account,
        };
        (id, read)
    };
    let mut reads: BTreeMap<AccountId, AccountRead> = accounts.into_iter().map(read).collect();
    if let Some(date) = snapshot.organisation.diagnosed_on {
        for (id, health) in diagnosis::health_before(tx, date, ids).await? {
            reads.entry(id).and_modify(|read| read.previous_health = health);
        }
    }
    for note in note::latest(tx, ids).await? {
        reads.entry(AccountId(note.account_id.clone())).and_modify(|read| read.last_note = Some(note));
    }
    Ok(reads)
}

/// The newest work towards a deadline of each of these accounts, open or ended.
pub(super) async fn renewals(tx: &mut Tenant, ids: &[AccountId]) -> anyhow::Result<BTreeMap<AccountId, RenewalWork>> {
    Ok(renewal::latest(tx, ids).await?.into_iter().map(|work| (work.account.clone(), work)).collect())
}

async fn risks(tx: &mut Tenant, ids: &[AccountId]) -> anyhow::Result<BTreeMap<AccountId, Risk>> {
    Ok(risk::latest(tx, ids).await?.into_iter().map(|risk| (risk.account.clone(), risk)).collect())
}

async fn handoffs(
    tx: &mut Tenant,
    ids: &[AccountId],
    now: DateTime<Utc>,
) -> anyhow::Result<BTreeMap<AccountId, Vec<Handoff>>> {
    let mut handoffs: BTreeMap<AccountId, Vec<Handoff>> = BTreeMap::new();
    for handoff in handoff::of_accounts(tx, ids, now - ENDED_FOR).await? {
        handoffs.entry(handoff.account.clone()).or_default().push(handoff);
    }
    Ok(handoffs)
}

/// What one line can say of an account, and what it may be a card for: most of a morning is lines.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) account: Account,
    /// Of the latest complete night.
    pub(super) diagnosis: Option<Gist>,
    /// The newest episode, over or not, where it was asked for.
    pub(super) risk: Option<Risk>,
    /// Open ones, and those that ended in the last 90 days, where they were asked for.
    pub(super) handoffs: Vec<Handoff>,
}

impl Line {
    /// By the diagnosis, or by a risk that is open whatever the diagnosis says.
    pub(super) fn is_at_risk(&self) -> bool {
        let by_band = self.diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.band == Band::AtRisk);
        by_band || self.risk.as_ref().is_some_and(Risk::is_open)
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.diagnosis.as_ref()?.renewal.deadline()
    }
}

/// Reads these accounts as lines, with the risks and the handoffs of those; accounts that do not exist are absent.
pub(super) async fn lines(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    ids: &[AccountId],
    with_risks: &[AccountId],
    with_handoffs: &[AccountId],
    now: DateTime<Utc>,
) -> anyhow::Result<BTreeMap<AccountId, Line>> {
    let accounts = account::some(tx, ids).await?;
    let mut diagnoses = match snapshot.organisation.diagnosed_on {
        Some(date) => diagnosis::gists(tx, date, &accounts, &snapshot.policy).await?,
        None => BTreeMap::new(),
    };
    let (mut risks, mut handoffs) = (risks(tx, with_risks).await?, handoffs(tx, with_handoffs, now).await?);
    let line = |account: Account| {
        let id = account.id.clone();
        let line = Line {
            diagnosis: diagnoses.remove(&id),
            risk: risks.remove(&id),
            handoffs: handoffs.remove(&id).unwrap_or_default(),
            account,
        };
        (id, line)
    };
    Ok(accounts.into_iter().map(line).collect())
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
