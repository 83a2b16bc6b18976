//! The diagnosis policy: every number of diagnosis.md as one typed value.
//!
//! [`Policy::default`] is the plan's policy. A file names only what differs
//! ([`Policy::from_toml`]); [`Policy::to_toml`] prints all of it.

mod curve;
mod file;
mod measure;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use curve::Curve;
pub use file::PolicyError;
pub use measure::{Aggregate, BuiltIn, Measure};
pub use rules::{Billing, Crm, Onboarding, PerSegment, Sentiment, Support, Usage};

use super::handoff::Clocks;
use super::money::{Currency, Money};
use super::signal::Source;

/// Days are calendar days, risks and weights 0–100, ratios fractions of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Rules on trial: they are read but count for nothing and are never a
    /// cause; [`super::diagnosis::shadowed`] says what they would have said.
    pub shadow: Vec<String>,
    pub score: Score,
    pub weights: Weights,
    pub phase: Phases,
    pub reading: Reading,
    pub validity: Validity,
    pub guard: Guard,
    pub usage: Usage,
    pub crm: Crm,
    pub support: Support,
    pub billing: Billing,
    pub sentiment: Sentiment,
    pub onboarding: Onboarding,
    pub floors: Floors,
    pub windows: Windows,
    pub renewal: Renewal,
    pub work: Work,
    pub precision: Precision,
    pub pacing: Pacing,
    /// What one unit of a currency is worth in the organisation's, for ranking only: `EUR = 1.08`.
    pub rates: BTreeMap<Currency, f64>,
    pub measures: BTreeMap<String, Measure>,
}

/// Bands, coverage, what counts as a cause and as a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Health from here on is `healthy`.
    pub healthy_from: u32,
    /// Health from here on is `watch`; below is `at_risk`.
    pub watch_from: u32,
    /// Known weight ÷ weight of the connected sources below which the score is unknown.
    pub known_share_at_least: f64,
    /// Health at most, where neither usage nor onboarding is known.
    pub most_without_usage: u32,
    pub cause_points: f64,
    /// Points of health that make an account worse or better.
    pub change_points: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weight {
    pub established: f64,
    pub onboarding: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    pub usage: Weight,
    pub crm: Weight,
    pub support: Weight,
    pub billing: Weight,
    pub sentiment: Weight,
    pub onboarding: Weight,
}

impl Weights {
    pub fn of_mut(&mut self, source: Source) -> &mut Weight {
        match source {
            Source::Usage => &mut self.usage,
            Source::Crm => &mut self.crm,
            Source::Support => &mut self.support,
            Source::Billing => &mut self.billing,
            Source::Sentiment => &mut self.sentiment,
            Source::Onboarding => &mut self.onboarding,
        }
    }

    pub fn of(&self, source: Source) -> Weight {
        match source {
            Source::Usage => self.usage,
            Source::Crm => self.crm,
            Source::Support => self.support,
            Source::Billing => self.billing,
            Source::Sentiment => self.sentiment,
            Source::Onboarding => self.onboarding,
        }
    }
}

/// How long an account counts as onboarding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    pub days_after_go_live: u32,
    pub months_after_start_at_most: u32,
    pub days_after_start_without_signals: u32,
}

/// The windows over which signals are read; each in days and in reporting intervals, whichever is longer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub interval_days_at_most: u32,
    pub block_days: u32,
    pub recent_days: u32,
    pub recent_intervals: u32,
    pub baseline_days: u32,
    pub baseline_intervals: u32,
    pub baseline_observations: u32,
    pub peak_days: u32,
    pub peak_intervals: u32,
    pub history_days: u32,
    /// Accounts that must have a measure before the book's median corrects it.
    pub book_accounts: u32,
}

/// For how many days an observation is believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validity {
    pub days: u32,
    pub intervals: u32,
    pub competitor_named: u32,
    pub meeting_rescheduled: u32,
    pub csm_pulse: u32,
    pub nps: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    pub share: f64,
    pub accounts: u32,
    /// A guard that is still up after so many days is taken down: the source is gone, not late.
    pub days_at_most: u32,
}

/// The risk that a decision gives at least, and when the three measured ones apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Floors {
    pub notice_served: f64,
    pub auto_renew_off: f64,
    pub downgrade_requested: f64,
    pub opt_out_near_silent: f64,
    pub opt_out_days: u32,
    pub opt_out_term_months: u32,
    pub opt_out_silent_days: u32,
    pub champion_departed: f64,
    pub sev1_open: f64,
    /// More than so many days.
    pub sev1_days: u32,
    pub invoice_overdue: f64,
    /// More than so many days late, and at least `invoice_beyond_own_days` beyond the account's own median.
    pub invoice_days: u32,
    pub invoice_beyond_own_days: u32,
}

/// Shares are of ARR.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Windows {
    pub open_days: u32,
    pub cooling_days: u32,
    pub co_term_days: u32,
    pub seats_ratio: f64,
    pub seats_days: u32,
    pub seats_observations: u32,
    pub seats_at_least: u32,
    pub seats_back_to: f64,
    pub entitlement_pct: f64,
    pub limit_hit_days: u32,
    pub usage_share: f64,
    pub growth_trend: f64,
    pub growth_weeks: u32,
    pub growth_share: f64,
    pub department_days: u32,
    pub cross_sell_share: f64,
    pub requested_days: u32,
    pub requested_share: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Renewal {
    /// Days before the next future deadline, falling. The stages of the contract are
    /// named by them, so a file may move a step but there are always five.
    pub steps: [u32; 5],
    pub term_months_at_least: u32,
}

/// The clocks and limits of people's work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// Cards in one digest.
    pub attention_budget: u32,
    /// Working days until the next step of a risk acknowledged at one tap.
    pub acknowledge_step_days: u32,
    /// Business days a detected window stays with the CSM.
    pub hold_days: u32,
    /// Business days to accept an offer.
    pub accept_days: u32,
}

impl Work {
    pub fn clocks(&self) -> Clocks {
        Clocks { hold_business_days: self.hold_days, accept_business_days: self.accept_days }
    }
}

/// When a rule is proposed to go on trial, or to come back from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Precision {
    /// A rule below this part of useful cards is proposed to go on trial; one on trial, from it on to come back.
    pub at_least: f64,
    /// Cards that a rule must have led, or accounts that one on trial must have fired on, before it is judged.
    pub shown_at_least: u32,
    /// Over so many days cards are counted.
    pub days: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pacing {
    pub per_channel_per_second: f64,
    pub per_workspace_per_minute: u32,
}

const fn weight(established: f64, onboarding: f64) -> Weight {
    Weight { established, onboarding }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            shadow: Vec::new(),
            score: Score {
                healthy_from: 70,
                watch_from: 50,
                known_share_at_least: 0.4,
                most_without_usage: 69,
                cause_points: 5.0,
                change_points: 10,
            },
            weights: Weights {
                usage: weight(35.0, 5.0),
                crm: weight(25.0, 20.0),
                support: weight(15.0, 15.0),
                billing: weight(12.0, 10.0),
                sentiment: weight(8.0, 10.0),
                onboarding: weight(0.0, 40.0),
            },
            phase: Phases {
                days_after_go_live: 90,
                months_after_start_at_most: 12,
                days_after_start_without_signals: 90,
            },
            reading: Reading {
                interval_days_at_most: 31,
                block_days: 7,
                recent_days: 14,
                recent_intervals: 2,
                baseline_days: 90,
                baseline_intervals: 4,
                baseline_observations: 3,
                peak_days: 28,
                peak_intervals: 2,
                history_days: 365,
                book_accounts: 20,
            },
            validity: Validity {
                days: 45,
                intervals: 3,
                competitor_named: 90,
                meeting_rescheduled: 90,
                csm_pulse: 60,
                nps: 180,
            },
            guard: Guard { share: 0.3, accounts: 5, days_at_most: 30 },
            usage: Usage::default(),
            crm: Crm::default(),
            support: Support::default(),
            billing: Billing::default(),
            sentiment: Sentiment::default(),
            onboarding: Onboarding::default(),
            floors: Floors {
                notice_served: 90.0,
                auto_renew_off: 80.0,
                downgrade_requested: 70.0,
                opt_out_near_silent: 65.0,
                opt_out_days: 30,
                opt_out_term_months: 6,
                opt_out_silent_days: 30,
                champion_departed: 65.0,
                sev1_open: 65.0,
                sev1_days: 14,
                invoice_overdue: 65.0,
                invoice_days: 60,
                invoice_beyond_own_days: 30,
            },
            windows: Windows {
                open_days: 90,
                cooling_days: 90,
                co_term_days: 90,
                seats_ratio: 0.85,
                seats_days: 21,
                seats_observations: 2,
                seats_at_least: 10,
                seats_back_to: 0.75,
                entitlement_pct: 90.0,
                limit_hit_days: 30,
                usage_share: 0.2,
                growth_trend: 1.25,
                growth_weeks: 4,
                growth_share: 0.15,
                department_days: 60,
                cross_sell_share: 0.2,
                requested_days: 60,
                requested_share: 0.2,
            },
            renewal: Renewal { steps: [180, 120, 90, 60, 30], term_months_at_least: 6 },
            work: Work { attention_budget: 5, acknowledge_step_days: 5, hold_days: 5, accept_days: 2 },
            precision: Precision { at_least: 0.7, shown_at_least: 20, days: 90 },
            pacing: Pacing { per_channel_per_second: 1.0, per_workspace_per_minute: 240 },
            rates: BTreeMap::new(),
            measures: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// `amount` in major units of the organisation's currency, for ranking.
    /// `None` where no rate is known: such an amount is listed, not summed.
    pub fn in_currency(&self, amount: Money, currency: Currency) -> Option<f64> {
        let rate = if amount.currency == currency { Some(1.0) } else { self.rates.get(&amount.currency).copied() };
        // Exponents are at most 3, so the conversion of types is exact.
        rate.map(|rate| amount.minor as f64 / 10_f64.powi(amount.currency.exponent() as i32) * rate)
    }

    /// Whether the built-in rules of a source are on: any measure of it may turn them off.
    pub fn built_in(&self, source: Source) -> bool {
        !self.measures.values().any(|measure| measure.source == source && measure.rules == BuiltIn::Off)
    }

    /// The measures of one source, by name.
    pub fn measures_of(&self, source: Source) -> impl Iterator<Item = (&str, &Measure)> {
        self.measures.iter().filter(move |(_, m)| m.source == source).map(|(name, m)| (name.as_str(), m))
    }
}
