//! Dated facts of one source about one account, and the kinds that Tandem knows
//! (contract.md, "Signal kinds").

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Where facts come from. The order is the table order of diagnosis.md: sums run in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Usage,
    Crm,
    Support,
    Billing,
    Sentiment,
    Onboarding,
}

impl Source {
    pub const ALL: [Source; 6] =
        [Source::Usage, Source::Crm, Source::Support, Source::Billing, Source::Sentiment, Source::Onboarding];

    pub fn as_str(self) -> &'static str {
        match self {
            Source::Usage => "usage",
            Source::Crm => "crm",
            Source::Support => "support",
            Source::Billing => "billing",
            Source::Sentiment => "sentiment",
            Source::Onboarding => "onboarding",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Source::ALL.into_iter().find(|source| source.as_str() == text).ok_or_else(|| {
            format!("\"{text}\" is no source; expected crm, usage, support, billing, onboarding or sentiment")
        })
    }
}

/// How the values of a kind are to be read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// A level on that day. `max` bounds it where the unit does.
    Gauge {
        max: Option<f64>,
    },
    /// For that day, or since the previous row.
    Count,
    Bool,
    /// `green`, `amber` or `red`.
    Pulse,
    Date,
}

/// A known kind: its name, the source it belongs to, how to read it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnownKind {
    pub name: &'static str,
    pub source: Source,
    pub shape: Shape,
}

const fn kind(source: Source, name: &'static str, shape: Shape) -> KnownKind {
    KnownKind { name, source, shape }
}

const GAUGE: Shape = Shape::Gauge { max: None };

/// Every kind of contract.md.
pub const KNOWN_KINDS: &[KnownKind] = &[
    kind(Source::Usage, "active_users", GAUGE),
    kind(Source::Usage, "seats_assigned", GAUGE),
    kind(Source::Usage, "sessions", Shape::Count),
    kind(Source::Usage, "core_actions", Shape::Count),
    kind(Source::Usage, "features_used", GAUGE),
    kind(Source::Usage, "features_entitled", GAUGE),
    kind(Source::Usage, "api_calls", Shape::Count),
    kind(Source::Usage, "integrations_active", GAUGE),
    kind(Source::Usage, "entitlement_used_pct", GAUGE),
    kind(Source::Usage, "plan_limit_hit", Shape::Bool),
    kind(Source::Support, "tickets_opened", Shape::Count),
    kind(Source::Support, "tickets_open", GAUGE),
    kind(Source::Support, "sev1_open_days", GAUGE),
    kind(Source::Support, "oldest_ticket_days", GAUGE),
    kind(Source::Support, "tickets_reopened", Shape::Count),
    kind(Source::Support, "escalations", Shape::Count),
    kind(Source::Support, "csat", Shape::Gauge { max: Some(100.0) }),
    kind(Source::Billing, "invoice_overdue_days", GAUGE),
    kind(Source::Billing, "invoice_overdue_amount", GAUGE),
    kind(Source::Billing, "payment_failures", Shape::Count),
    kind(Source::Billing, "mrr", GAUGE),
    kind(Source::Billing, "discount_expires_in_days", GAUGE),
    kind(Source::Crm, "interaction", Shape::Count),
    kind(Source::Crm, "meeting_rescheduled", Shape::Count),
    kind(Source::Crm, "notice_served", Shape::Bool),
    kind(Source::Crm, "auto_renew", Shape::Bool),
    kind(Source::Crm, "competitor_named", Shape::Bool),
    kind(Source::Crm, "downgrade_requested", Shape::Bool),
    kind(Source::Crm, "expansion_requested", Shape::Bool),
    kind(Source::Crm, "new_department", Shape::Bool),
    kind(Source::Crm, "exec_sponsor_met", Shape::Bool),
    kind(Source::Crm, "opportunity_amount", GAUGE),
    kind(Source::Sentiment, "nps", Shape::Gauge { max: Some(10.0) }),
    kind(Source::Sentiment, "csm_pulse", Shape::Pulse),
    kind(Source::Onboarding, "milestones_total", GAUGE),
    kind(Source::Onboarding, "milestones_done", GAUGE),
    kind(Source::Onboarding, "milestones_overdue", GAUGE),
    kind(Source::Onboarding, "blocked_by_customer", GAUGE),
    kind(Source::Onboarding, "blocked_by_us", GAUGE),
    kind(Source::Onboarding, "go_live_planned", Shape::Date),
    kind(Source::Onboarding, "go_live_forecast", Shape::Date),
    kind(Source::Onboarding, "first_value_days", GAUGE),
    kind(Source::Onboarding, "customer_engagement_pct", Shape::Gauge { max: Some(100.0) }),
];

/// The known kind of this name within this source.
pub fn known_kind(source: Source, name: &str) -> Option<&'static KnownKind> {
    KNOWN_KINDS.iter().find(|kind| kind.source == source && kind.name == name)
}

/// A customer's pulse as a colleague reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pulse {
    Green,
    Amber,
    Red,
}

impl Pulse {
    pub fn as_str(self) -> &'static str {
        match self {
            Pulse::Green => "green",
            Pulse::Amber => "amber",
            Pulse::Red => "red",
        }
    }
}

impl FromStr for Pulse {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "green" => Ok(Pulse::Green),
            "amber" => Ok(Pulse::Amber),
            "red" => Ok(Pulse::Red),
            _ => Err(format!("\"{text}\" is no pulse; expected green, amber or red")),
        }
    }
}

/// A signal's value. The store keeps numbers and booleans (1, 0) in a numeric
/// column and the rest as text; see [`SignalValue::number`] and [`SignalValue::text`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SignalValue {
    Bool(bool),
    /// Finite, never negative.
    Number(f64),
    Date(NaiveDate),
    /// A pulse, or a level of a measure of one's own.
    Text(String),
}

impl SignalValue {
    /// Numbers as they are, booleans as 1 and 0; `None` for text and dates.
    pub fn number(&self) -> Option<f64> {
        match self {
            SignalValue::Number(number) => Some(*number),
            SignalValue::Bool(yes) => Some(if *yes { 1.0 } else { 0.0 }),
            SignalValue::Date(_) | SignalValue::Text(_) => None,
        }
    }

    /// Text as it is, dates as ISO 8601; `None` for numbers and booleans.
    pub fn text(&self) -> Option<String> {
        match self {
            SignalValue::Text(text) => Some(text.clone()),
            SignalValue::Date(date) => Some(date.to_string()),
            SignalValue::Number(_) | SignalValue::Bool(_) => None,
        }
    }
}

/// One dated fact. Which account it is about is known from where it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    pub source: Source,
    pub kind: String,
    pub observed_on: NaiveDate,
    pub value: SignalValue,
    /// A link or id in the source; empty where the source gave none.
    pub reference: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_declared_once() {
        for (i, kind) in KNOWN_KINDS.iter().enumerate() {
            assert!(KNOWN_KINDS[i + 1..].iter().all(|other| other.name != kind.name), "{} twice", kind.name);
            assert_eq!(known_kind(kind.source, kind.name), Some(kind));
        }
    }
}
