//! The diagnosis policy in use.

use std::collections::BTreeMap;

use anyhow::Context;

use crate::domain::policy::Policy;
use crate::domain::signal::Source;
use crate::ingest::CustomShape;
use crate::store::settings::Settings;

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
