//! Key figures per role (product.md), pure: what each means, where that
//! meaning comes from, and how it is counted from accounts, outcomes, signals,
//! quotas and the audit trail.
//!
//! What holds for all of them:
//! - A figure whose data is missing says why instead of guessing; what was left
//!   out of one stands beside it as a note.
//! - Money of other currencies is summed by the policy's rates; what has no rate
//!   stands beside a sum, and is left out of a ratio, which says so.
//! - An imported outcome supersedes what was clicked ([`decisions`]); nothing is
//!   counted twice.
//! - An account belongs to whom it is assigned today, also for past periods.
//! - A day belongs to the organisation's time zone.

pub mod decisions;
pub mod failure;
pub mod fit;
pub mod period;
pub mod precision;
pub mod trail;

mod customers;
mod experience;
mod revenue;
#[cfg(test)]
mod tests;
mod work;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::account::{AccountId, AccountStatus, Segment};
use super::digest::{Rates, Sum};
use super::handoff::Running;
use super::money::Money;
use super::person::PersonId;
use decisions::{Ended, Imported, Win};
use period::{Period, Span};
use trail::{Step, Stretch};

pub use customers::Ledger;

/// Whose figures: an account and an event count when they are theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    Organisation,
    /// A lead's people.
    Team(BTreeSet<PersonId>),
    Person(PersonId),
}

impl Whose {
    /// Whether what this person did or should have done counts.
    pub fn has(&self, person: Option<PersonId>) -> bool {
        match self {
            Whose::Organisation => true,
            Whose::Team(team) => person.is_some_and(|person| team.contains(&person)),
            Whose::Person(one) => person == Some(*one),
        }
    }
}

/// What the figures need of an account. `None` is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountFact {
    pub id: AccountId,
    pub segment: Option<Segment>,
    pub status: AccountStatus,
    pub arr: Option<Money>,
    /// A year.
    pub cost_to_serve: Option<Money>,
    pub seats: Option<i64>,
    pub start_date: Option<NaiveDate>,
    pub go_live_date: Option<NaiveDate>,
    pub renewal_date: Option<NaiveDate>,
    pub term_months: Option<i32>,
    pub notice_period_days: Option<i32>,
    pub csm: Option<PersonId>,
    pub account_manager: Option<PersonId>,
    pub pool: Option<String>,
}

impl AccountFact {
    pub fn is_active(&self) -> bool {
        self.status == AccountStatus::Active
    }
}

/// The latest value of a signal kind for an account and a reference, within what was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub account: AccountId,
    pub kind: String,
    pub reference: String,
    pub observed_on: NaiveDate,
    pub number: f64,
}

/// Everything that the figures of one scope and period are counted from.
#[derive(Debug, Clone)]
pub struct Facts {
    pub whose: Whose,
    pub period: Period,
    /// Of the period, what has come.
    pub span: Span,
    /// The scope's, in the order of ids.
    pub accounts: Vec<AccountFact>,
    /// All that are known of these accounts.
    pub imported: Vec<Imported>,
    pub ended: Vec<Ended>,
    pub wins: Vec<Win>,
    /// Whether the organisation says at all what became of its contracts: an outcome was imported, or a renewal ended
    /// or a window was won in Tandem. Without that nobody knows who left.
    pub outcomes_kept: bool,
    /// `nps`, `csat`, `first_value_days` of the span; `active_users`, `opportunity_amount` of the
    /// [`BELIEVED_DAYS`] up to its end.
    pub answers: Vec<Answer>,
    /// Of the latest night by the span's end: health, `None` where too little was known.
    pub health: Vec<Option<u8>>,
    /// Of the people in the scope, for the quarters of the period.
    pub quotas: Vec<Money>,
    /// Amounts of windows that are qualified or claimed now; `None` where the span is over.
    pub pipeline: Option<Vec<(AccountId, Option<Money>)>>,
    /// Of every risk and handoff that moved in the span, its whole history, in order.
    pub steps: Vec<Step>,
    pub span_at: Stretch,
    /// Clocks of offers that are open now.
    pub running: BTreeMap<Uuid, Running>,
    pub now: DateTime<Utc>,
    pub rates: Rates,
}

/// How long a level is believed (diagnosis.md, validity).
pub const BELIEVED_DAYS: u64 = 45;

/// Which side of the pair a figure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Csm,
    AccountManager,
    Both,
}

impl Side {
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Csm => "csm",
            Side::AccountManager => "account_manager",
            Side::Both => "both",
        }
    }

    /// As a heading.
    pub fn label(self) -> &'static str {
        match self {
            Side::Csm => "Value (CSM)",
            Side::AccountManager => "Revenue (AM)",
            Side::Both => "Both sides",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FigureId {
    CustomerRetention,
    Churn,
    GrossRetention,
    LifetimeValue,
    Nps,
    Csat,
    Adoption,
    TimeToValue,
    PortfolioHealth,
    RenewalRate,
    Upsell,
    RevenueGrowth,
    NetRetention,
    GrossMargin,
    PipelineCoverage,
    TimeToAcknowledge,
    SlaAttainment,
    CsqlAcceptance,
    CsqlConversion,
}

/// What a figure is called and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    pub id: FigureId,
    /// In JSON and CSV.
    pub word: &'static str,
    pub label: &'static str,
    pub side: Side,
    /// The formula, as one plain sentence.
    pub formula: &'static str,
    /// Where the definition comes from.
    pub source: &'static str,
}

const fn define(
    id: FigureId,
    side: Side,
    word: &'static str,
    label: &'static str,
    formula: &'static str,
    source: &'static str,
) -> Definition {
    Definition { id, word, label, side, formula, source }
}

const MARKETING_METRICS: &str = "Farris, Bendle, Pfeifer and Reibstein, Marketing Metrics";
const SAAS: &str = "SaaS Metrics Standards Board";
const OWN: &str = "Tandem's own";

/// Every figure, in the order in which it is shown.
pub const DEFINITIONS: [Definition; 19] = [
    define(
        FigureId::CustomerRetention,
        Side::Csm,
        "customer_retention_rate",
        "Customer retention rate",
        "Customers of the period's start that did not leave in it, divided by the customers of its start.",
        MARKETING_METRICS,
    ),
    define(
        FigureId::Churn,
        Side::Csm,
        "churn_rate",
        "Churn rate",
        "Customers of the period's start that left in it, divided by the customers of its start.",
        MARKETING_METRICS,
    ),
    define(
        FigureId::GrossRetention,
        Side::Csm,
        "gross_revenue_retention",
        "Gross revenue retention (GRR)",
        "ARR at the period's end of the customers of its start, each counted at most at its ARR of the start, divided by their ARR of the start.",
        SAAS,
    ),
    define(
        FigureId::LifetimeValue,
        Side::Csm,
        "customer_lifetime_value",
        "Customer lifetime value",
        "Average ARR of a customer, times gross margin, divided by the churn rate of the last 12 months.",
        "David Skok, SaaS Metrics 2.0",
    ),
    define(
        FigureId::Nps,
        Side::Csm,
        "nps",
        "Net promoter score (NPS)",
        "Share of answers of 9 and 10 minus the share of 0 to 6, each customer contact's latest answer in the period.",
        "Reichheld, The One Number You Need to Grow, Harvard Business Review, December 2003",
    ),
    define(
        FigureId::Csat,
        Side::Csm,
        "csat",
        "Customer satisfaction (CSAT)",
        "Mean of each account's latest satisfaction score in the period, from 0 to 100.",
        MARKETING_METRICS,
    ),
    define(
        FigureId::Adoption,
        Side::Csm,
        "product_adoption",
        "Product adoption",
        "Active users of the last 28 days divided by the seats bought, over all accounts where both are known.",
        OWN,
    ),
    define(
        FigureId::TimeToValue,
        Side::Csm,
        "time_to_value",
        "Time to value",
        "Median days from the contract's start to first value, of accounts that reached it in the period.",
        OWN,
    ),
    define(
        FigureId::PortfolioHealth,
        Side::Csm,
        "portfolio_health",
        "Portfolio health",
        "Mean health of the accounts in the latest diagnosis of the period, from 0 to 100.",
        OWN,
    ),
    define(
        FigureId::RenewalRate,
        Side::AccountManager,
        "renewal_rate",
        "Renewal rate",
        "Contracts renewed in the period, also for less, divided by those renewed or lost in it.",
        "common practice of subscription businesses",
    ),
    define(
        FigureId::Upsell,
        Side::AccountManager,
        "upsell_and_cross_sell_revenue",
        "Upsell and cross-sell revenue",
        "ARR added to existing customers in the period: expansions, increases at renewal, and windows won that no imported outcome covers.",
        SAAS,
    ),
    define(
        FigureId::RevenueGrowth,
        Side::AccountManager,
        "account_revenue_growth",
        "Account revenue growth",
        "Change of the ARR of the customers of the period's start until its end, divided by their ARR of the start.",
        SAAS,
    ),
    define(
        FigureId::NetRetention,
        Side::AccountManager,
        "net_revenue_retention",
        "Net revenue retention (NRR)",
        "ARR at the period's end of the customers of its start, with what they added, divided by their ARR of the start.",
        SAAS,
    ),
    define(
        FigureId::GrossMargin,
        Side::AccountManager,
        "gross_margin",
        "Gross margin",
        "ARR minus the yearly cost to serve, divided by ARR, over active accounts where both are known.",
        MARKETING_METRICS,
    ),
    define(
        FigureId::PipelineCoverage,
        Side::AccountManager,
        "pipeline_coverage",
        "Pipeline coverage",
        "Open opportunities, by the CRM or else by qualified and claimed windows, divided by what is missing to the quota.",
        "common practice of sales teams, which often aim at three times",
    ),
    define(
        FigureId::TimeToAcknowledge,
        Side::Both,
        "time_to_acknowledge",
        "Time to acknowledge",
        "Median time from a risk's opening to the first answer of a person, of risks first answered in the period.",
        OWN,
    ),
    define(
        FigureId::SlaAttainment,
        Side::Both,
        "sla_attainment",
        "Handoffs accepted in time",
        "Offers of the period accepted before their time was over, divided by those accepted, expired or overdue.",
        OWN,
    ),
    define(
        FigureId::CsqlAcceptance,
        Side::Both,
        "csql_acceptance",
        "Qualified leads accepted",
        "Offers of qualified windows in the period that were accepted, divided by those accepted, declined or expired.",
        OWN,
    ),
    define(
        FigureId::CsqlConversion,
        Side::Both,
        "csql_conversion",
        "Qualified leads won",
        "Qualified windows won in the period, divided by those won, lost or passed after they were accepted.",
        OWN,
    ),
];

impl FigureId {
    pub fn definition(self) -> &'static Definition {
        // The test below holds the table against the enum, so each is found.
        DEFINITIONS.iter().find(|definition| definition.id == self).unwrap_or(&DEFINITIONS[0])
    }
}

/// A figure's value with its unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A fraction of one; growth may be below zero, retention above one.
    Share(f64),
    /// Points of a scale: NPS −100 to 100, the others 0 to 100.
    Points(f64),
    Days(f64),
    Hours(f64),
    /// How many times over.
    Times(f64),
    Money(Sum),
}

impl Value {
    /// In JSON and CSV.
    pub fn unit(&self) -> &'static str {
        match self {
            Value::Share(_) => "share",
            Value::Points(_) => "points",
            Value::Days(_) => "days",
            Value::Hours(_) => "hours",
            Value::Times(_) => "times",
            Value::Money(_) => "money",
        }
    }

    /// The plain number; money in major units of the organisation's currency.
    pub fn number(&self) -> f64 {
        match self {
            Value::Share(n) | Value::Points(n) | Value::Days(n) | Value::Hours(n) | Value::Times(n) => *n,
            // Exponents are at most 3 and amounts below 2^53, so this is exact enough to read.
            Value::Money(sum) => sum.own.minor as f64 / 10_f64.powi(sum.own.currency.exponent().cast_signed()),
        }
    }
}

/// As people read it: "96.4%", "+32", "41 days", "3.2×", "€410k".
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |n: f64| {
            let text = format!("{n:.1}");
            text.strip_suffix(".0").map_or(text.clone(), str::to_owned).replace('-', "−")
        };
        let counted = |n: f64, unit: &str| {
            let number = short(n);
            if number == "1" { format!("1 {unit}") } else { format!("{number} {unit}s") }
        };
        match self {
            Value::Share(share) => write!(f, "{}%", short(share * 100.0)),
            Value::Points(points) => f.write_str(&short(*points)),
            Value::Days(days) => f.write_str(&counted(*days, "day")),
            Value::Hours(hours) if *hours >= 48.0 => f.write_str(&counted(hours / 24.0, "day")),
            Value::Hours(hours) if *hours < 1.0 => f.write_str(&counted((hours * 60.0).round(), "minute")),
            Value::Hours(hours) => f.write_str(&counted(*hours, "hour")),
            Value::Times(times) => write!(f, "{}×", short(*times)),
            Value::Money(sum) => sum.fmt(f),
        }
    }
}

/// One figure: its value, or why it is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub id: FigureId,
    /// The error completes "Not known: …".
    pub value: Result<Value, String>,
    /// What was left out or assumed, as sentences.
    pub notes: Vec<String>,
}

impl Figure {
    fn of(id: FigureId, value: Result<Value, String>) -> Self {
        Self { id, value, notes: Vec::new() }
    }

    #[must_use]
    fn note(mut self, number: usize, sentence: impl FnOnce(usize) -> String) -> Self {
        if number > 0 {
            self.notes.push(sentence(number));
        }
        self
    }
}

/// All figures of these facts, in the order of [`DEFINITIONS`].
pub fn all(facts: &Facts) -> Vec<Figure> {
    let ledger = Ledger::new(&facts.accounts, &facts.imported, &facts.ended, &facts.wins);
    let mut figures = customers::figures(facts, &ledger);
    figures.extend(experience::figures(facts));
    figures.extend(revenue::figures(facts, &ledger));
    figures.extend(work::figures(facts));
    figures.sort_by_key(|figure| DEFINITIONS.iter().position(|definition| definition.id == figure.id));
    figures
}

/// The middle one, or the mean of the two in the middle; `None` of none.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { (values[middle - 1] + upper) / 2.0 })
}

/// `a ÷ b`, or why that has no value.
fn share(part: f64, whole: f64, otherwise: &str) -> Result<Value, String> {
    if whole > 0.0 { Ok(Value::Share(part / whole)) } else { Err(otherwise.to_owned()) }
}
