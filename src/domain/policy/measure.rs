//! Measures of one's own: `[measures.NAME]` of the policy file (contract.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::diagnosis::RoleActions;
use crate::domain::signal::Source;

/// How a measure's signals become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    Last,
    Sum,
    Mean,
    Max,
    /// Recent ÷ the account's own baseline over `window_days`, minus the book.
    Trend,
}

/// Whether the built-in rules of the measure's source stay on beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuiltIn {
    #[default]
    On,
    Off,
}

/// A signal kind that the organisation declares. Its risk is 0 at `healthy` and
/// beyond, 100 at `critical` and beyond, linear between; or by `levels` for text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    pub source: Source,
    #[serde(default = "last")]
    pub aggregate: Aggregate,
    #[serde(default = "ninety_days")]
    pub window_days: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<f64>,
    /// Within its source, where the built-in rules together weigh 1.
    #[serde(default = "one")]
    pub weight: f64,
    #[serde(default)]
    pub rules: BuiltIn,
    /// `{value}` is replaced.
    #[serde(default = "plain_headline")]
    pub headline: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<String, f64>,
    #[serde(default = "plain_actions")]
    pub actions: RoleActions,
}

/// The keys that a measure may have, for naming the nearest one.
pub(super) const KEYS: [&str; 10] =
    ["source", "aggregate", "window_days", "healthy", "critical", "levels", "weight", "rules", "headline", "actions"];

fn last() -> Aggregate {
    Aggregate::Last
}

fn ninety_days() -> u32 {
    90
}

fn one() -> f64 {
    1.0
}

fn plain_headline() -> String {
    String::new()
}

fn plain_actions() -> RoleActions {
    RoleActions {
        csm: "Ask the customer this week what is behind it, and note the answer".into(),
        account_manager: "Hear from the CSM what is behind it before the next commercial talk".into(),
    }
}

impl Measure {
    /// Risk 0–100 of a number; `None` for a measure of text.
    pub fn risk(&self, value: f64) -> Option<f64> {
        let (healthy, critical) = (self.healthy?, self.critical?);
        Some(((value - healthy) / (critical - healthy)).clamp(0.0, 1.0) * 100.0)
    }

    /// Risk 0–100 of a text; `None` for a text that is not among the levels.
    pub fn level(&self, text: &str) -> Option<f64> {
        self.levels.get(text).copied()
    }

    /// Says what is wrong, in words that follow the measure's name.
    pub(super) fn fault(&self) -> Option<String> {
        if !(self.weight.is_finite() && self.weight > 0.0) {
            return Some(format!("has a weight of {}; expected a number above 0", self.weight));
        }
        if !(1..=3650).contains(&self.window_days) {
            return Some(format!("has a window_days of {}; expected 1 to 3650", self.window_days));
        }
        if let Some((level, risk)) = self.levels.iter().find(|(_, risk)| !(0.0..=100.0).contains(*risk)) {
            return Some(format!("gives the level \"{level}\" a risk of {risk}; expected 0 to 100"));
        }
        match (self.healthy, self.critical) {
            (Some(healthy), Some(critical)) if !self.levels.is_empty() => Some(format!(
                "has levels and also healthy = {healthy}, critical = {critical}; expected one or the other"
            )),
            (Some(healthy), Some(critical)) if !(healthy.is_finite() && critical.is_finite()) => {
                Some("has a healthy or critical that is no finite number".to_owned())
            }
            (Some(healthy), Some(critical)) if healthy == critical => {
                Some(format!("has healthy and critical both at {healthy}; expected two different numbers"))
            }
            (Some(_), Some(_)) => None,
            (None, None) if self.levels.is_empty() => {
                Some("says no risk; expected healthy and critical, or levels".to_owned())
            }
            (None, None) if self.aggregate != Aggregate::Last => {
                Some("has levels, which can only be read with aggregate = \"last\"".to_owned())
            }
            (None, None) => None,
            _ => Some("has only one of healthy and critical; expected both".to_owned()),
        }
    }
}
