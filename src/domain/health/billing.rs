//! Billing: the worst of late invoices, failed payments and an expiring discount.
//!
//! Decision: a discount counts down from the day on which it was told, so a
//! monthly row stays right between two rows.

use chrono::{Days, NaiveDate};

use super::case::{Case, highest};
use super::reduce::Look;
use super::wording::{WithPrevious, day, days, fact, fact_date, few_first};
use super::{Observation, Rule, series};
use crate::domain::diagnosis::Fact;
use crate::domain::signal::Source;

#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::domain) struct Read {
    pub(super) overdue: Option<Observation>,
    /// The account's own median before.
    usual_days: Option<f64>,
    /// The sum over the policy's days.
    failures: Option<Observation>,
    discount: Option<Observation>,
}

impl Read {
    pub(super) fn take(&mut self, look: &Look<'_>) {
        match look.kind {
            "invoice_overdue_days" => {
                self.overdue = look.last();
                self.usual_days = series::earlier_median(look.points, look.windows, look.today);
            }
            "payment_failures" => self.failures = look.sum(look.policy.billing.failures_days),
            "discount_expires_in_days" => self.discount = look.last(),
            _ => {}
        }
    }

    /// Days beyond the account's own habit; without one, all of them.
    pub(super) fn beyond(&self, overdue: Observation) -> f64 {
        (overdue.value - self.usual_days.unwrap_or(0.0)).max(0.0)
    }
}

/// The day on which the discount ends; `None` once it has ended.
fn discount_ends(case: &Case<'_>) -> Option<NaiveDate> {
    let discount = case.evidence.billing.discount?.known()?;
    // Rounded days of a policy-sized number; a discount of centuries has no end here.
    let days = discount.value.round().clamp(0.0, 100_000.0) as u64;
    discount.as_of.checked_add_days(Days::new(days)).filter(|end| *end >= case.date)
}

pub(super) fn score(case: &Case<'_>, parts: &mut Vec<(Rule, f64)>) -> Option<f64> {
    let (read, rules) = (&case.evidence.billing, &case.policy.billing);
    let overdue = read.overdue.and_then(Observation::known);
    let failures = read.failures.and_then(Observation::known);
    let soon = |end: NaiveDate| (end - case.date).num_days() <= i64::from(rules.discount_days);
    let discount = read.discount.and_then(Observation::known);
    let discount = discount.map(|_| if discount_ends(case).is_some_and(soon) { rules.discount } else { 0.0 });
    let (rule, risk) = highest(&[
        case.on(Rule::InvoiceOverdue, overdue.map(|overdue| rules.overdue_days.from_first(read.beyond(overdue)))),
        case.on(Rule::PaymentFailures, failures.map(|count| rules.failures.from_first(count.value))),
        case.on(Rule::DiscountExpiring, discount),
    ])?;
    parts.push((rule, risk));
    Some(risk)
}

pub(super) fn describe(case: &Case<'_>, rule: Rule) -> Option<(String, Vec<Fact>)> {
    let (read, rules, billing) = (&case.evidence.billing, &case.policy.billing, Source::Billing);
    match rule {
        Rule::InvoiceOverdue => {
            let overdue = read.overdue?;
            let headline = format!("An invoice is {} overdue", days(overdue.value));
            let fact = fact("Invoice overdue", overdue.value, "days", billing, overdue.as_of);
            Some(match read.usual_days {
                None => (headline, vec![fact]),
                Some(usual) if usual < 1.0 => {
                    (format!("{headline}; this account usually pays on time"), vec![fact.before(usual)])
                }
                Some(usual) => {
                    (format!("{headline}; this account is usually {} late", days(usual)), vec![fact.before(usual)])
                }
            })
        }
        Rule::PaymentFailures => {
            let count = read.failures?;
            let noun = if count.value == 1.0 { "payment" } else { "payments" };
            let headline = format!("{} {noun} failed in the last {} days", few_first(count.value), rules.failures_days);
            Some((headline, vec![fact("Failed payments", count.value, "payments", billing, count.as_of)]))
        }
        Rule::DiscountExpiring => {
            let ends = discount_ends(case)?;
            let as_of = read.discount?.as_of;
            let left = (ends - case.date).num_days() as f64;
            let headline = format!("A discount expires in {}, on {}", days(left), day(ends));
            let facts = vec![
                fact("Discount expires in", left, "days", billing, as_of),
                fact_date("Discount ends on", ends, billing, as_of),
            ];
            Some((headline, facts))
        }
        _ => None,
    }
}
