//! The diagnosis policy in use.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::person::OrgId;
use crate::domain::policy::Policy;
use crate::domain::signal::Source;
use crate::ingest::CustomShape;
use crate::store::Store;
use crate::store::audit::{self, Actor, Entry};
use crate::store::settings::{self, Settings};

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
    let policy = Policy::from_toml(toml)?;
    let mut tx = store.tenant(org).await?;
    let before = settings::read(&mut tx).await?;
    if before.policy_toml.as_deref() == Some(toml) {
        return Ok(());
    }
    settings::use_policy(&mut tx, toml, now).await?;
    let data = json!({"policy": policy.version(), "before": of(&before).map(|before| before.version()).ok()});
    audit::record(&mut tx, actor, now, &[Entry::new("policy.changed", format!("organisation:{org}"), data)]).await?;
    tx.commit().await
}
