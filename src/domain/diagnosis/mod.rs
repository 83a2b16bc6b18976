//! One night's read of one account, as it is stored and as it is printed
//! (contract.md, "Diagnosis as JSON"). The field order here is the key order there.

mod book;
mod by_day;
pub mod course;
mod diagnose;
#[cfg(test)]
mod tests;
mod weigh;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::AccountId;
use super::money::Currency;
use super::signal::Source;

pub use book::{Book, BookSoFar, GuardChange, GuardEvent, NightState};
pub use diagnose::{Before, Previous, diagnose, id, shadowed};
pub(super) use weigh::{Weighed, exact, rounded};

/// `healthy` (≥ 70), `watch` (50–69), `at_risk` (< 50), `unknown` (too little data).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    Healthy,
    Watch,
    AtRisk,
    Unknown,
}

impl Band {
    pub fn as_str(self) -> &'static str {
        match self {
            Band::Healthy => "healthy",
            Band::Watch => "watch",
            Band::AtRisk => "at_risk",
            Band::Unknown => "unknown",
        }
    }

    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            Band::Healthy => "healthy",
            Band::Watch => "watch",
            Band::AtRisk => "at risk",
            Band::Unknown => "unknown",
        }
    }
}

impl std::str::FromStr for Band {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Band::Healthy, Band::Watch, Band::AtRisk, Band::Unknown]
            .into_iter()
            .find(|band| band.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" is no band; expected healthy, watch, at_risk or unknown"))
    }
}

/// Against the latest stored diagnosis of an earlier date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    New,
    Worse,
    Same,
    Better,
}

impl Change {
    pub fn as_str(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Worse => "worse",
            Change::Same => "same",
            Change::Better => "better",
        }
    }
}

impl std::str::FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Change::New, Change::Worse, Change::Same, Change::Better]
            .into_iter()
            .find(|change| change.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" is no change; expected new, worse, same or better"))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The same for the same organisation, account and date.
    pub id: Uuid,
    pub account_id: AccountId,
    pub name: String,
    pub date: NaiveDate,
    /// 0–100; `None` when unknown.
    pub health: Option<u8>,
    pub band: Band,
    /// 0–100; health = 100 − risk.
    pub risk: Option<u8>,
    /// Known weight ÷ all weight, 0–1.
    pub coverage: f64,
    /// Risk 0–100 per source, `None` where not known. In the order of [`Source::ALL`].
    pub families: BTreeMap<Source, Option<u8>>,
    pub not_checked: Vec<Source>,
    /// Sources that the feed guard withholds: their family values are those of the night before.
    #[serde(default)]
    pub stale: Vec<Source>,
    /// Floors first, then by points.
    pub causes: Vec<Cause>,
    pub windows: Vec<FoundWindow>,
    pub renewal: RenewalRead,
    pub change: Change,
    /// The day of a churn outcome, where that is the latest known result of the running term.
    #[serde(skip)]
    pub churned_on: Option<NaiveDate>,
}

/// The name of a churn outcome among decision signals.
pub const CHURNED: &str = "churned";

impl Diagnosis {
    /// The names of its decision signals: the rules of its floors, and [`CHURNED`].
    pub fn decisions(&self) -> impl Iterator<Item = &str> {
        let floors = self.causes.iter().filter(|cause| cause.floor).map(|cause| cause.rule.as_str());
        floors.chain(self.churned_on.map(|_| CHURNED))
    }

    /// What closes the health gate: a churn, else the first cause of an account at risk, or "health" where no single
    /// cause is large enough.
    pub fn gate(&self) -> Option<&str> {
        match self.churned_on {
            Some(_) => Some(CHURNED),
            None => {
                (self.band == Band::AtRisk).then(|| self.causes.first().map_or("health", |cause| cause.rule.as_str()))
            }
        }
    }
}

/// A rule that fired, with its evidence and an action for each role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    pub rule: String,
    /// This rule's part of the risk, rounded.
    pub points: u8,
    pub floor: bool,
    /// Plain words with the number: "Active users fell from 80 to 28 in five weeks".
    pub headline: String,
    pub actions: RoleActions,
    pub facts: Vec<Fact>,
}

/// What each role does about it this week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleActions {
    pub csm: Cow<'static, str>,
    pub account_manager: Cow<'static, str>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    pub label: String,
    pub value: FactValue,
    pub previous: Option<FactValue>,
    /// Such as "users", "%", "days"; empty for dates and words.
    pub unit: String,
    pub source: Source,
    pub as_of: NaiveDate,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FactValue {
    Bool(bool),
    Number(f64),
    Date(NaiveDate),
    Text(String),
}

/// By what stands there: derived, each is tried as all four in turn, which was a quarter of reading a diagnosis.
impl<'de> Deserialize<'de> for FactValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;

        impl Visitor<'_> for Value {
            type Value = FactValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false, a number, a date or a text")
            }

            fn visit_bool<E>(self, value: bool) -> Result<FactValue, E> {
                Ok(FactValue::Bool(value))
            }

            fn visit_f64<E>(self, value: f64) -> Result<FactValue, E> {
                Ok(FactValue::Number(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<FactValue, E> {
                Ok(FactValue::Number(value as f64))
            }

            fn visit_i64<E>(self, value: i64) -> Result<FactValue, E> {
                Ok(FactValue::Number(value as f64))
            }

            fn visit_str<E>(self, text: &str) -> Result<FactValue, E> {
                Ok(text.parse().map_or_else(|_| FactValue::Text(text.to_owned()), FactValue::Date))
            }
        }

        deserializer.deserialize_any(Value)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    Seats,
    Usage,
    Growth,
    CrossSell,
    Requested,
}

impl WindowKind {
    pub const ALL: [WindowKind; 5] =
        [WindowKind::Seats, WindowKind::Usage, WindowKind::Growth, WindowKind::CrossSell, WindowKind::Requested];

    pub fn as_str(self) -> &'static str {
        match self {
            WindowKind::Seats => "seats",
            WindowKind::Usage => "usage",
            WindowKind::Growth => "growth",
            WindowKind::CrossSell => "cross_sell",
            WindowKind::Requested => "requested",
        }
    }

    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            WindowKind::Seats => "more seats",
            WindowKind::Usage => "a bigger plan",
            WindowKind::Growth => "growth",
            WindowKind::CrossSell => "cross-sell",
            WindowKind::Requested => "asked for",
        }
    }
}

/// A dated chance to sell more that this night's evidence opens (or still holds open).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundWindow {
    pub kind: WindowKind,
    pub reason: String,
    /// Minor units would surprise readers of JSON: major units, estimated. `None` without a known ARR.
    pub amount: Option<f64>,
    pub currency: Option<Currency>,
    pub opens_on: NaiveDate,
    pub closes_on: NaiveDate,
    /// Inside 90 days of the opt-out date: to be sold together with the renewal.
    pub co_term: bool,
    /// The rule that withholds it from the AM's list; `None` when it is not withheld.
    pub withheld_by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    #[serde(rename = "none")]
    None,
    #[serde(rename = "180")]
    D180,
    #[serde(rename = "120")]
    D120,
    #[serde(rename = "90")]
    D90,
    #[serde(rename = "60")]
    D60,
    #[serde(rename = "30")]
    D30,
    #[serde(rename = "opt_out_passed")]
    OptOutPassed,
    #[serde(rename = "overdue")]
    Overdue,
}

impl Stage {
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::None => "none",
            Stage::D180 => "180",
            Stage::D120 => "120",
            Stage::D90 => "90",
            Stage::D60 => "60",
            Stage::D30 => "30",
            Stage::OptOutPassed => "opt_out_passed",
            Stage::Overdue => "overdue",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalRead {
    pub renewal_date: Option<NaiveDate>,
    pub notice_period_days: Option<i32>,
    pub opt_out_date: Option<NaiveDate>,
    /// Negative when passed.
    pub days_to_opt_out: Option<i64>,
    pub next_deadline: Option<NaiveDate>,
    pub stage: Stage,
    pub notice_period_missing: bool,
    /// What the deadlines were read with: the latest signal, else the account's column.
    #[serde(skip)]
    pub auto_renew: Option<bool>,
    /// Months of a short term that renews by itself: it rolls over, and has no deadline to work towards.
    #[serde(skip)]
    pub rolls_every: Option<i32>,
}
