//! The diagnosis policy in use.

pub mod fit;

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::person::OrgId;
use crate::domain::policy::Policy;
use crate::domain::signal::Source;
use crate::ingest::CustomShape;
use crate::store::audit::{self, Actor, Entry};
use crate::store::settings::{self, Settings};
use crate::store::{Store, Tenant};

/// The policy that the organisation uses: its own, else the default.
pub fn of(settings: &Settings) -> anyhow::Result<Policy> {
    match &settings.policy_toml {
        None => Ok(Policy::default()),
        Some(toml) => Policy::from_toml(toml).context("the stored policy can't be read any more"),
    }
}

/// The measures of one's own, as imports need them: kind → source and values.
pub fn measures(policy: &Policy) -> BTreeMap<String, (Source, CustomShape)> {
    policy
        .measures
        .iter()
        .map(|(kind, measure)| {
            let shape = if measure.levels.is_empty() {
                CustomShape::Number
            } else {
                CustomShape::Levels(measure.levels.keys().cloned().collect())
            };
            (kind.clone(), (measure.source, shape))
        })
        .collect()
}

/// Uses a policy from the next diagnosis on. The same one again changes nothing and leaves no trace.
///
/// # Errors
/// A file that is no policy, in one sentence.
pub async fn switch(store: &Store, org: OrgId, toml: &str, actor: Actor, now: DateTime<Utc>) -> anyhow::Result<()> {
    let policy = Policy::to_use(toml)?;
    let mut tx = store.tenant(org).await?;
    let before = settings::read(&mut tx).await?;
    if before.policy_toml.as_deref() == Some(toml) {
        return Ok(());
    }
    settings::use_policy(&mut tx, toml, now).await?;
    audit::record(&mut tx, actor, now, &[changed(org, &before, &policy)]).await?;
    tx.commit().await
}

fn changed(org: OrgId, before: &Settings, policy: &Policy) -> Entry {
    let data = json!({"policy": policy.version(), "before": of(before).map(|before| before.version()).ok()});
    Entry::new("policy.changed", format!("organisation:{org}"), data)
}

/// Puts one rule on trial or ends its trial, in the caller's transaction; all else in the policy, and what its author
/// wrote beside, stays. `None` where it is so already.
///
/// # Errors
/// A stored policy that can't be read any more.
pub async fn set_trial(
    tx: &mut Tenant,
    rule: &str,
    on_trial: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Entry>> {
    let before = settings::lock(tx).await?;
    let Some(toml) = Policy::with_trial(before.policy_toml.as_deref().unwrap_or_default(), rule, on_trial)? else {
        return Ok(None);
    };
    settings::use_policy(tx, &toml, now).await?;
    let mut entry = changed(tx.org(), &before, &Policy::from_toml(&toml)?);
    entry.data["rule"] = json!(rule);
    entry.data["on_trial"] = json!(on_trial);
    Ok(Some(entry))
}
