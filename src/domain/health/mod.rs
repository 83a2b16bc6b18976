//! Signals to family risks, floors and causes.
//!
//! Two passes over an organisation keep memory bounded: [`Evidence::reduce`]
//! keeps of each account only what the rules need, [`super::diagnosis::Book`]
//! looks over all of it, then each account is diagnosed by itself.
//!
//! A family is known when at least one of its rules could be read. What is read
//! and how it scores stands beside each other in one file per family.

mod billing;
mod case;
mod crm;
mod floors;
mod measures;
mod onboarding;
mod plays;
mod reduce;
mod rules;
mod sentiment;
mod series;
mod support;
mod usage;
pub(crate) mod wording;

use chrono::NaiveDate;

pub(super) use case::{Case, FamilyRead, Part, causes, score_family, weight_of};
pub(super) use floors::floors;
pub use plays::usual_play;
pub use rules::{Declared, RULES, Rule};
pub use series::TrendRead;
pub(super) use usage::{GROWTH_WEEKS_AT_MOST, MEASURES as USAGE_MEASURES};

use super::account::AccountId;
use super::row::OutcomeKind;
use super::signal::Source;

/// Everything the rules need of one account on one date: compact, without history.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    pub account_id: AccountId,
    pub date: NaiveDate,
    feeds: [Feed; 6],
    pub(super) usage: usage::Read,
    pub(super) crm: crm::Read,
    support: support::Read,
    billing: billing::Read,
    sentiment: sentiment::Read,
    onboarding: onboarding::Read,
    /// In the order of the policy's measures.
    measures: Vec<Option<measures::Read>>,
    churned_on: Option<NaiveDate>,
}

/// When a source last delivered for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Feed {
    pub last_row: Option<NaiveDate>,
    /// Some row is within its validity.
    pub live: bool,
}

/// The last observation of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    pub value: f64,
    pub as_of: NaiveDate,
    /// Within its validity on the evidence's date; older counts as unknown.
    pub valid: bool,
}

impl Observation {
    fn known(self) -> Option<Self> {
        self.valid.then_some(self)
    }
}

impl Evidence {
    /// When `source` last delivered for this account, and whether that is recent enough.
    pub fn feed(&self, source: Source) -> Feed {
        self.feeds[source as usize]
    }

    /// The latest signal, else the account's column.
    pub fn auto_renew(&self) -> Option<bool> {
        self.crm.auto_renew
    }

    /// The day of the latest known result, where they churned.
    pub(super) fn churned_on(&self) -> Option<NaiveDate> {
        self.churned_on
    }

    /// Recent ÷ baseline of one of core actions, active users and sessions, before the book is taken out.
    pub(super) fn usage_trend(&self, measure: usize) -> Option<f64> {
        self.usage.trends.get(measure)?.and_then(|read| read.trend())
    }

    /// Of the three usage measures, the level now where it is measured.
    pub(super) fn usage_level(&self, measure: usize) -> Option<f64> {
        self.usage.levels.get(measure).copied().flatten()
    }

    /// The raw trend of a measure of one's own that is read as a trend.
    pub(super) fn measure_trend(&self, index: usize) -> Option<f64> {
        self.measures.get(index)?.as_ref()?.trend
    }

    /// Takes back the decisions that an outcome of `decided_on` has settled: notice,
    /// auto-renewal, downgrade and a champion's departure of that day or earlier.
    #[must_use]
    pub fn settled_by(mut self, decided_on: NaiveDate) -> Self {
        self.crm.settle(decided_on);
        self
    }

    /// Takes in the latest known result: it settles decisions, and a churn is one itself.
    #[must_use]
    pub fn with_outcome(self, kind: OutcomeKind, decided_on: NaiveDate) -> Self {
        let churned_on = (kind == OutcomeKind::Churned).then_some(decided_on);
        Self { churned_on, ..self.settled_by(decided_on) }
    }
}
