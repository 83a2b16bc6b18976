//! How useful each rule is, and which should go on trial or come back from it.

use chrono::{DateTime, Days, NaiveTime, Utc};

use super::snapshot::Snapshot;
use crate::domain::calendar;
use crate::domain::figures::precision::{self, Proposal, RuleUse, Trial};
use crate::domain::message::trial::RuleStanding;
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

/// How the rules stand that were proposed: with what is proposed of each now, else whether it is on trial.
pub async fn standing(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    names: &[String],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<RuleStanding>> {
    let (used, trials) = rules(tx, snapshot, now).await?;
    let proposed = precision::proposals(&used, &trials, &snapshot.policy);
    let known = names.iter().filter(|name| precision::may_be_tried(name, &snapshot.policy));
    let standing = known.map(|name| {
        let on_trial = snapshot.policy.shadow.contains(name);
        match proposed.iter().find(|proposal| proposal.rule() == name) {
            Some(Proposal::Shadow(used)) => RuleStanding::Poor(used.clone()),
            // Brought back since: its numbers stay until the next night.
            Some(Proposal::BringBack(trial)) if on_trial => RuleStanding::Proven(trial.clone()),
            _ if on_trial => {
                let trial = trials.iter().find(|trial| trial.rule == *name).cloned();
                RuleStanding::OnTrial { rule: name.clone(), trial }
            }
            _ => RuleStanding::Shown { rule: name.clone() },
        }
    });
    Ok(standing.collect())
}

/// What is to be proposed to the admins.
pub async fn proposals(tx: &mut Tenant, snapshot: &Snapshot, now: DateTime<Utc>) -> anyhow::Result<Vec<Proposal>> {
    let (used, trials) = rules(tx, snapshot, now).await?;
    Ok(precision::proposals(&used, &trials, &snapshot.policy))
}
