//! What cannot be read, once a week for leads and admins.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::team;
use super::views::Reader;
use crate::domain::account::AccountId;
use crate::domain::digest::Sum;
use crate::domain::message::gaps::{Gap, GapsView};
use crate::domain::money::Money;
use crate::domain::person::{Person, Role};
use crate::domain::signal::Source;
use crate::store::Tenant;
use crate::store::diagnosis::{self, GapRow};

/// Accounts named, the largest by ARR.
const NAMED: i64 = 5;

/// On the first working day of the reader's week: an admin reads of the whole organisation, a lead of their team's
/// book. `None` on other days and for others.
pub(super) async fn view(
    tx: &mut Tenant,
    reader: Reader<'_>,
    person: &Person,
    on: NaiveDate,
) -> anyhow::Result<Option<GapsView>> {
    let (admin, lead) = (person.is(Role::Admin), person.is(Role::Lead));
    if !(admin || lead) || !reader.snapshot.calendar(person).opens_week(on) {
        return Ok(None);
    }
    let Some(date) = reader.snapshot.organisation.diagnosed_on else { return Ok(None) };
    let book: Option<Vec<AccountId>> =
        if admin { None } else { Some(team::book_of(tx, reader, person).await?.into_keys().collect()) };
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
        let arr = Sum::of(amounts, &reader.snapshot.rates).amounts();
        Gap { accounts: rows.iter().map(|row| row.accounts).sum(), arr }
    };
    let unknown = gap(by_source.remove(&None).unwrap_or_default());
    let mut missing: Vec<(Source, Gap)> = by_source
        .into_iter()
        .filter_map(|(source, rows)| Some((source.filter(|source| connected.contains(source))?, gap(rows))))
        .collect();
    missing.sort_by_key(|(source, gap)| (std::cmp::Reverse(gap.accounts), *source));
    Ok(Some(GapsView { unknown, names, missing }))
}
