//! What mornings are made of, read for several people at once: most of what a
//! morning costs is reading its accounts, and those who share an account share
//! what is read of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use crate::app::read::{self, AccountRead, Line};
use crate::app::snapshot::{Orphans, Snapshot};
use crate::domain::account::{AccountId, AccountStatus};
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::person::{Person, PersonId};
use crate::domain::renewal_work::RenewalWork;
use crate::store::account::Reads;
use crate::store::{Tenant, account, diagnosis, digest as mornings};

/// How far back a worsening still makes a card due: longer than any holiday between two mornings is not news.
const WORSE_WITHIN: Days = Days::new(14);
/// How long a card that came by day counts as shown.
const TOLD_WITHIN: TimeDelta = TimeDelta::days(30);
/// Accounts without a CSM that are read at once.
const ORPHANS_AT_ONCE: usize = 1_000;

/// The books of some people whose today is the same date, and what else their cards rest on.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) today: NaiveDate,
    books: BTreeMap<PersonId, BTreeSet<AccountId>>,
    /// Active accounts only.
    lines: BTreeMap<AccountId, Line>,
    /// The newest work towards a deadline of each of them.
    pub(super) renewals: BTreeMap<AccountId, RenewalWork>,
    stands_for: BTreeMap<PersonId, Vec<PersonId>>,
    /// When a subject last stood as a card in somebody's morning.
    pub(super) shown: BTreeMap<(PersonId, Subject), NaiveDate>,
    /// When somebody was told by day of a decision about a risk.
    pub(super) told: BTreeMap<(PersonId, Uuid), DateTime<Utc>>,
    /// The latest night on which an account got worse.
    pub(super) worse: BTreeMap<AccountId, NaiveDate>,
    pub(super) first_run: Option<NaiveDate>,
}

impl Books {
    pub(super) async fn read(
        tx: &mut Tenant,
        snapshot: &Snapshot,
        people: &[&Person],
        today: NaiveDate,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Self> {
        let readers = readers(snapshot, people, today);
        let books = books(tx, snapshot, &readers, today).await?;
        let accounts: BTreeSet<AccountId> = books.values().flatten().cloned().collect();
        let accounts = Vec::from_iter(accounts);
        let ids: Vec<PersonId> = people.iter().map(|person| person.id).collect();
        let since = today.checked_sub_days(WORSE_WITHIN).unwrap_or(today);
        let mut lines = read::lines(tx, snapshot, &accounts, &accounts, &accounts, now).await?;
        lines.retain(|_, line| line.account.status == AccountStatus::Active);
        let renewals = read::renewals(tx, &accounts).await?;
        let subjects = lines.iter().flat_map(|(id, line)| subjects(line, renewals.get(id)));
        let shown = mornings::last_shown(tx, &ids, subjects, today).await?;
        Ok(Self {
            today,
            books,
            lines,
            renewals,
            stands_for: readers.into_iter().map(|reads| (reads.reader, reads.stands_for)).collect(),
            shown,
            told: mornings::told_by_day(tx, &ids, now - TOLD_WITHIN).await?,
            worse: diagnosis::worse_between(tx, since, today, &accounts).await?,
            first_run: diagnosis::first_run(tx).await?,
        })
    }

    /// One person's accounts, by id.
    pub(super) fn of(&self, person: PersonId) -> impl Iterator<Item = &Line> {
        self.books.get(&person).into_iter().flatten().filter_map(|id| self.lines.get(id))
    }

    /// Everyone for whom this person answers today.
    pub(super) fn stands_for(&self, person: PersonId) -> &[PersonId] {
        self.stands_for.get(&person).map_or(&[], Vec::as_slice)
    }
}

/// The accounts of a person's book today.
pub async fn book(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: &Person,
    now: DateTime<Utc>,
) -> anyhow::Result<BTreeMap<AccountId, AccountRead>> {
    let today = calendar::local_date(person.timezone, now);
    let readers = readers(snapshot, &[person], today);
    let ids: Vec<AccountId> = books(tx, snapshot, &readers, today).await?.into_values().flatten().collect();
    let mut reads = read::accounts(tx, snapshot, &ids, now).await?;
    reads.retain(|_, read| read.account.status == AccountStatus::Active);
    Ok(reads)
}

/// What of an account may be a card.
fn subjects<'a>(line: &'a Line, renewal: Option<&'a RenewalWork>) -> impl Iterator<Item = Subject> + 'a {
    let risk = line.risk.iter().filter(|risk| risk.is_open()).map(|risk| Subject::Risk(risk.id));
    let handoffs = line.handoffs.iter().filter(|handoff| handoff.is_open());
    let renewal = renewal.filter(|work| work.is_open() && work.step().is_some());
    risk.chain(handoffs.map(|handoff| Subject::Handoff(handoff.id)))
        .chain(renewal.map(|work| Subject::Renewal(work.id)))
}

/// Each reads of themself and of whoever is away and named them delegate.
fn readers(snapshot: &Snapshot, people: &[&Person], today: NaiveDate) -> Vec<Reads> {
    let mut away: BTreeMap<PersonId, Vec<PersonId>> = BTreeMap::new();
    for other in snapshot.people.iter().filter(|other| !other.active || !other.is_there_on(today)) {
        if let Some(delegate) = other.delegate {
            away.entry(delegate).or_default().push(other.id);
        }
    }
    let mut reads = |person: &&Person| Reads {
        reader: person.id,
        stands_for: std::iter::once(person.id).chain(away.remove(&person.id).unwrap_or_default()).collect(),
        pool: person.pool.clone(),
    };
    people.iter().map(&mut reads).collect()
}

async fn books(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    readers: &[Reads],
    today: NaiveDate,
) -> anyhow::Result<BTreeMap<PersonId, BTreeSet<AccountId>>> {
    let mut books = account::books(tx, readers).await?;
    let orphans = orphans(tx, snapshot, today).await?;
    for (reader, book) in &mut books {
        book.extend(orphans.get(reader).into_iter().flatten().cloned());
    }
    Ok(books)
}

/// Accounts whose CSM is missing, gone or away fall to somebody; the routing says to whom.
async fn orphans(tx: &mut Tenant, snapshot: &Snapshot, today: NaiveDate) -> anyhow::Result<Arc<Orphans>> {
    let mut by_date = snapshot.orphans.lock().await;
    if let Some(known) = by_date.get(&today) {
        return Ok(known.clone());
    }
    let absent: Vec<PersonId> =
        snapshot.people.iter().filter(|p| !p.active || !p.is_there_on(today)).map(|p| p.id).collect();
    let mut orphans = Orphans::new();
    for ids in account::without_csm(tx, &absent).await?.chunks(ORPHANS_AT_ONCE) {
        for account in account::some(tx, ids).await? {
            let Ok(routed) = snapshot.route(&account, today) else { continue };
            for person in [routed.risks, routed.renewal_owner] {
                orphans.entry(person).or_default().insert(account.id.clone());
            }
        }
    }
    by_date.retain(|date, _| (*date - today).num_days().abs() <= 2);
    Ok(by_date.entry(today).or_insert(Arc::new(orphans)).clone())
}
