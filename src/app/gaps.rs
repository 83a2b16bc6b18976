//! What cannot be read, once a week for leads and admins.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::content::{self, Content};
use super::morning::gets_mornings;
use super::snapshot::Snapshot;
use super::views::Reader;
use super::{notice, team};
use crate::domain::account::AccountId;
use crate::domain::calendar;
use crate::domain::digest::Sum;
use crate::domain::message::Message;
use crate::domain::message::gaps::{self as words, Gap, GapsView};
use crate::domain::money::Money;
use crate::domain::person::{Person, Role};
use crate::domain::signal::Source;
use crate::store::diagnosis::{self, GapRow};
use crate::store::{Tenant, digest, message};

/// Accounts named, the largest by ARR.
const NAMED: i64 = 5;

/// On the reader's first morning of their week: an admin reads of the whole organisation, a lead of their team's book.
/// `None` on other mornings and for others.
pub(super) async fn view(
    tx: &mut Tenant,
    reader: Reader<'_>,
    person: &Person,
    on: NaiveDate,
) -> anyhow::Result<Option<GapsView>> {
    if !(person.is(Role::Admin) || person.is(Role::Lead)) {
        return Ok(None);
    }
    let last = digest::before(tx, person.id, on).await?.map(|last| last.on);
    if !reader.snapshot.calendar(person).is_due_weekly(on, last) {
        return Ok(None);
    }
    of_book(tx, reader, person).await
}

async fn of_book(tx: &mut Tenant, reader: Reader<'_>, person: &Person) -> anyhow::Result<Option<GapsView>> {
    let Some(date) = reader.snapshot.organisation.diagnosed_on else { return Ok(None) };
    let book: Option<Vec<AccountId>> =
        if person.is(Role::Admin) { None } else { Some(team::book_ids(tx, reader, person).await?) };
    let rows = diagnosis::gaps(tx, date, book.as_deref()).await?;
    let names = diagnosis::largest_unknown(tx, date, book.as_deref(), NAMED).await?;
    // What no account has is not connected: nothing is missing there.
    let connected: BTreeSet<Source> = diagnosis::run_sources(tx, date).await?.into_keys().collect();
    let mut by_source: BTreeMap<Option<Source>, Vec<GapRow>> = BTreeMap::new();
    for row in rows {
        by_source.entry(row.source).or_default().push(row);
    }
    let gap = |rows: Vec<GapRow>| {
        let amounts = rows.iter().filter_map(|row| Some(Money::new(row.arr_minor, row.currency?)));
        let arr = Sum::of(amounts, &reader.snapshot.rates);
        (arr.own.minor, Gap { accounts: rows.iter().map(|row| row.accounts).sum(), arr: arr.amounts() })
    };
    let (_, unknown) = gap(by_source.remove(&None).unwrap_or_default());
    let mut missing: Vec<(Source, (i64, Gap))> = by_source
        .into_iter()
        .filter_map(|(source, rows)| Some((source.filter(|source| connected.contains(source))?, gap(rows))))
        .collect();
    missing.sort_by_key(|(source, (arr, gap))| (Reverse(*arr), Reverse(gap.accounts), *source));
    let missing = missing.into_iter().map(|(source, (_, gap))| (source, gap)).collect();
    Ok(Some(GapsView { unknown, names, missing }))
}

/// The same as a message of its own, for admins who get no mornings. `None` where all can be read.
pub(super) async fn message(tx: &mut Tenant, reader: Reader<'_>, on: NaiveDate) -> anyhow::Result<Option<Message>> {
    let Some(person) = reader.person.and_then(|id| reader.snapshot.person(id)) else { return Ok(None) };
    let (Some(view), Some(date)) = (of_book(tx, reader, person).await?, reader.snapshot.organisation.diagnosed_on)
    else {
        return Ok(None);
    };
    let sources = content::sources(tx, date, on).await?;
    Ok(words::message(person.first_name(), &view, &sources, on))
}

/// Queues that message, on the night before the first day of their week that each admin works, for the hour of their day
/// at which others have their morning.
pub(super) async fn tell_admins(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    on: NaiveDate,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for admin in snapshot.people.admins().into_iter().filter_map(|id| snapshot.person(id)) {
        let calendar = snapshot.calendar(admin);
        if gets_mornings(admin) || admin.away_on(on) || !calendar.is_working_day(on) {
            continue;
        }
        let last = message::gaps_told(tx, admin.id).await?;
        if !calendar.is_due_weekly(on, last) {
            continue;
        }
        let at = calendar::instant(admin.timezone, on, admin.digest_time).max(now);
        notice::notify(tx, snapshot, [admin.id], &Content::Gaps { on }, None, at).await?;
    }
    Ok(())
}
