//! How useful each rule is, and which should go on trial or come back from it.

use chrono::{DateTime, Days, NaiveTime, Utc};

use super::snapshot::Snapshot;
use crate::domain::calendar;
use crate::domain::figures::precision::{self, Proposal, RuleUse, Trial};
use crate::store::{Tenant, rule};

/// Rules over the policy's days, and those on trial.
pub async fn rules(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    now: DateTime<Utc>,
) -> anyhow::Result<(Vec<RuleUse>, Vec<Trial>)> {
    let zone = snapshot.organisation.timezone;
    let today = calendar::local_date(zone, now);
    let since = today.checked_sub_days(Days::new(snapshot.policy.precision.days.into())).unwrap_or(today);
    let used = rule::used(tx, since, calendar::instant(zone, since, NaiveTime::MIN)).await?;
    Ok((used, rule::trials(tx).await?))
}

/// What is to be proposed to the admins.
pub async fn proposals(tx: &mut Tenant, snapshot: &Snapshot, now: DateTime<Utc>) -> anyhow::Result<Vec<Proposal>> {
    let (used, trials) = rules(tx, snapshot, now).await?;
    Ok(precision::proposals(&used, &trials, &snapshot.policy))
}
