//! Whether the organisation models in use fit.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::snapshot::Snapshot;
use crate::domain::calendar;
use crate::domain::digest::Sum;
use crate::domain::figures::AccountFact;
use crate::domain::figures::fit::{self, Evidence, Fit};
use crate::domain::figures::trail::Stretch;
use crate::domain::routing::Model;
use crate::store::{Tenant, diagnosis, figures as store};

/// Work towards a renewal begins 180 days before its deadline at the earliest, so a year has all of it.
const STEPPED_WITHIN: TimeDelta = TimeDelta::days(365);

/// Checks each model in use, the organisation's own and those of segments.
pub async fn check(tx: &mut Tenant, snapshot: &Snapshot, now: DateTime<Utc>) -> anyhow::Result<Vec<Fit>> {
    let zone = snapshot.organisation.timezone;
    let accounts = store::accounts(tx).await?;
    let active: Vec<&AccountFact> = accounts.iter().filter(|account| account.is_active()).collect();
    let days = TimeDelta::days(fit::DAYS.cast_signed());
    let steps = store::steps(tx, Stretch { from: now - days, until: now + TimeDelta::milliseconds(1) }).await?;
    let stepped = store::stepped(tx, zone, now - STEPPED_WITHIN).await?;
    let first_night = diagnosis::first_run(tx).await?;
    let mut by_model: BTreeMap<Model, Vec<&AccountFact>> = BTreeMap::new();
    // The organisation's own model is checked also while no account is under it.
    by_model.entry(snapshot.organisation.model).or_default();
    for account in &active {
        by_model.entry(snapshot.model(account.segment)).or_default().push(account);
    }
    let arr = Sum::of(active.iter().filter_map(|account| account.arr), &snapshot.rates);
    Ok(by_model
        .into_iter()
        .map(|(model, accounts)| {
            let evidence = Evidence {
                customers: active.len(),
                arr: arr.clone(),
                accounts: &accounts,
                steps: &steps,
                stepped: &stepped,
                first_night,
                today: calendar::local_date(zone, now),
            };
            fit::check(model, &evidence)
        })
        .collect())
}
