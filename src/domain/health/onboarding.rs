//! Onboarding: 0.6 × the worst and 0.4 × the mean of delays and engagement.
//!
//! Decision: the planned go-live is told once and stands; the forecast must be
//! within its validity.

use chrono::NaiveDate;

use super::case::{Case, highest, mean};
use super::reduce::Look;
use super::wording::{WithPrevious, day, days, fact, fact_date, few, few_first, number};
use super::{Observation, Rule, series};
use crate::domain::diagnosis::{Fact, FactValue};
use crate::domain::signal::Source;

#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::domain) struct Read {
    /// Any onboarding signal at all.
    pub(super) seen: bool,
    total: Option<Observation>,
    overdue: Option<Observation>,
    blocked_by_customer: Option<Observation>,
    blocked_by_us: Option<Observation>,
    /// Days of the common era.
    planned: Option<Observation>,
    forecast: Option<Observation>,
    first_value: Option<Observation>,
    engagement: Option<Observation>,
}

/// Who must move for the onboarding to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocked {
    ByUs,
    ByCustomer,
    ByBoth,
    Unsaid,
}

impl Read {
    pub(super) fn take(&mut self, look: &Look<'_>) {
        self.seen = true;
        match look.kind {
            "milestones_total" => self.total = look.last(),
            "milestones_overdue" => self.overdue = look.last(),
            "blocked_by_customer" => self.blocked_by_customer = look.last(),
            "blocked_by_us" => self.blocked_by_us = look.last(),
            "go_live_planned" => self.planned = look.last(),
            "go_live_forecast" => self.forecast = look.last(),
            "first_value_days" => self.first_value = look.last(),
            "customer_engagement_pct" => self.engagement = look.last(),
            _ => {}
        }
    }

    pub(super) fn blocked(&self) -> Blocked {
        let any = |observation: Option<Observation>| {
            observation.and_then(Observation::known).is_some_and(|count| count.value > 0.0)
        };
        match (any(self.blocked_by_us), any(self.blocked_by_customer)) {
            (true, true) => Blocked::ByBoth,
            (true, false) => Blocked::ByUs,
            (false, true) => Blocked::ByCustomer,
            (false, false) => Blocked::Unsaid,
        }
    }

    fn late_days(&self) -> Option<f64> {
        Some(self.forecast?.known()?.value - self.planned?.value)
    }
}

pub(super) fn score(case: &Case<'_>, parts: &mut Vec<(Rule, f64)>) -> Option<f64> {
    let (read, rules) = (&case.evidence.onboarding, &case.policy.onboarding);
    let known = |observation: Option<Observation>| observation.and_then(Observation::known).map(|o| o.value);
    let slow = |days: f64| if days > f64::from(rules.first_value_days) { rules.first_value } else { 0.0 };
    let scores = [
        case.on(Rule::MilestonesOverdue, known(read.overdue).map(|count| rules.milestones_overdue.from_first(count))),
        case.on(Rule::GoLiveLate, read.late_days().map(|days| rules.late_days.at(days))),
        case.on(Rule::LowEngagement, known(read.engagement).map(|percent| rules.engagement.at(percent))),
        case.on(Rule::SlowFirstValue, known(read.first_value).map(slow)),
    ];
    let share = rules.worst_share;
    let (rule, worst) = highest(&scores)?;
    let mean = mean(&scores, 1.0 - share, parts)?;
    // The worst has a part in the mean already: one entry for each rule.
    if let Some(part) = parts.iter_mut().find(|part| part.0 == rule) {
        part.1 += share * worst;
    }
    Some(share * worst + (1.0 - share) * mean)
}

pub(super) fn describe(case: &Case<'_>, rule: Rule) -> Option<(String, Vec<Fact>)> {
    let (read, rules, onboarding) = (&case.evidence.onboarding, &case.policy.onboarding, Source::Onboarding);
    let (headline, mut facts) = match rule {
        Rule::MilestonesOverdue => {
            let overdue = read.overdue?;
            let are = if overdue.value == 1.0 { "is" } else { "are" };
            let headline = match read.total {
                Some(total) => format!(
                    "{} of {} onboarding milestones {are} overdue as of {}",
                    few_first(overdue.value),
                    few(total.value),
                    day(overdue.as_of)
                ),
                None => {
                    let noun = if overdue.value == 1.0 { "milestone" } else { "milestones" };
                    format!("{} onboarding {noun} {are} overdue as of {}", few_first(overdue.value), day(overdue.as_of))
                }
            };
            let overdue = fact("Milestones overdue", overdue.value, "milestones", onboarding, overdue.as_of);
            let total = read.total.map(|t| fact("Milestones", t.value, "milestones", onboarding, t.as_of));
            (headline, std::iter::once(overdue).chain(total).collect())
        }
        Rule::GoLiveLate => {
            let late = read.late_days()?;
            let (forecast, planned) = (read.forecast?, read.planned?);
            let (expected, plan) = (date(forecast), date(planned));
            let headline =
                format!("Go-live is forecast {} after plan: {} instead of {}", days(late), day(expected), day(plan));
            let mut go_live = fact_date("Go-live forecast", expected, onboarding, forecast.as_of);
            go_live.previous = Some(FactValue::Date(plan));
            (headline, vec![go_live, fact("Behind plan", late, "days", onboarding, forecast.as_of)])
        }
        Rule::LowEngagement => {
            let engagement = read.engagement?;
            let headline = format!(
                "Customer engagement in onboarding is at {} % as of {}",
                number(engagement.value),
                day(engagement.as_of)
            );
            (headline, vec![fact("Customer engagement", engagement.value, "%", onboarding, engagement.as_of)])
        }
        Rule::SlowFirstValue => {
            let first = read.first_value?;
            let aim = f64::from(rules.first_value_days);
            let headline = format!("First value took {}; the aim is {}", days(first.value), days(aim));
            (headline, vec![fact("Days to first value", first.value, "days", onboarding, first.as_of).before(aim)])
        }
        _ => return None,
    };
    let blocked = [("Blocked by the customer", read.blocked_by_customer), ("Blocked by us", read.blocked_by_us)];
    facts.extend(blocked.into_iter().filter_map(|(label, count)| {
        let count = count.and_then(Observation::known).filter(|count| count.value > 0.0)?;
        Some(fact(label, count.value, "milestones", onboarding, count.as_of))
    }));
    Some((headline, facts))
}

/// A date kept as a day number. It came from a date, so it fits.
fn date(observation: Observation) -> NaiveDate {
    series::date_of(observation.value as i32)
}
