//! Support: the worst of open tickets, escalations, satisfaction and silence.
//!
//! Decisions where the plan leaves room:
//! - Tickets are compared with the account's own baseline alone. Taking out the book
//!   would turn a steady account into a surge whenever others fall quiet.
//! - Tickets are counted while their own rows are within their validity, or while
//!   support still delivers for the account and has counted one in the last year.
//!   Many help desks write a row only when a ticket is opened: then the very silence
//!   that matters would look like a feed that has ended.

use chrono::NaiveDate;

use super::case::{Case, highest};
use super::reduce::Look;
use super::series::{self, TrendRead};
use super::wording::{WithPrevious, days, fact, few_first, number};
use super::{Observation, Rule, crm, usage};
use crate::domain::diagnosis::Fact;
use crate::domain::policy::Policy;
use crate::domain::signal::Source;

#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::domain) struct Read {
    pub(super) sev1: Option<Observation>,
    oldest: Option<Observation>,
    /// The sum over the policy's days.
    escalations: Option<Observation>,
    csat: Option<TrendRead>,
    tickets: Option<TrendRead>,
    /// Tickets opened over the policy's days of silence.
    opened: Option<Observation>,
    /// The first day on which tickets were counted.
    counted_since: Option<NaiveDate>,
    open: Option<Observation>,
}

impl Read {
    pub(super) fn take(&mut self, look: &Look<'_>) {
        let rules = &look.policy.support;
        match look.kind {
            "sev1_open_days" => self.sev1 = look.last(),
            "oldest_ticket_days" => self.oldest = look.last(),
            "escalations" => self.escalations = look.sum(rules.escalations_days),
            "csat" => self.csat = look.trend(false),
            "tickets_opened" => {
                self.tickets = look.trend(true);
                self.opened = look.sum(rules.silence_days);
                self.counted_since = look.points.first().map(|point| series::date_of(point.0));
            }
            "tickets_open" => self.open = look.last(),
            _ => {}
        }
    }

    /// `live` is the account's support feed as a whole.
    pub(super) fn finish(&mut self, live: bool, date: NaiveDate, policy: &Policy) {
        if let Some(opened) = &mut self.opened {
            let in_year = (date - opened.as_of).num_days() <= i64::from(policy.reading.history_days);
            opened.valid |= live && in_year;
        }
    }
}

/// Whether nobody has written for long; `None` where tickets are not counted, or not for long enough to say so.
fn silent(case: &Case<'_>) -> Option<bool> {
    let (read, rules) = (&case.evidence.support, &case.policy.support);
    let opened = read.opened?.known()?;
    let quiet = opened.value <= 0.0 && read.open.and_then(Observation::known).is_none_or(|open| open.value <= 0.0);
    let seats = case.account.seats.is_some_and(|seats| seats > i64::from(rules.silence_seats));
    let falling = usage::trend(case).is_some_and(|(.., trend)| trend < rules.silence_trend);
    let unmet = !case.withheld(Source::Crm)
        && crm::silent_days(case).is_some_and(|(days, _)| days >= i64::from(rules.silence_contact_days));
    let long = read.counted_since.is_some_and(|first| case.days_since(first) >= i64::from(rules.silence_days));
    let silent = quiet && seats && (falling || unmet);
    (long || !silent).then_some(silent)
}

pub(super) fn score(case: &Case<'_>, parts: &mut Vec<(Rule, f64)>) -> Option<f64> {
    let (read, rules) = (&case.evidence.support, &case.policy.support);
    let known = |observation: Option<Observation>| observation.and_then(Observation::known).map(|o| o.value);
    let surge = read.tickets.and_then(|read| read.trend());
    let (rule, risk) = highest(&[
        case.on(Rule::Sev1Open, known(read.sev1).map(|days| rules.sev1_days.from_first(days))),
        case.on(Rule::Escalations, known(read.escalations).map(|count| rules.escalations.from_first(count))),
        case.on(Rule::CsatLow, read.csat.map(|read| rules.csat.at(read.recent))),
        case.on(Rule::TicketSurge, surge.map(|trend| rules.tickets.at(trend))),
        case.on(Rule::OldTicket, known(read.oldest).map(|days| rules.oldest_days.from_first(days))),
        case.on(Rule::SupportSilence, silent(case).map(|silent| if silent { rules.silence } else { 0.0 })),
    ])?;
    parts.push((rule, risk));
    Some(risk)
}

pub(super) fn describe(case: &Case<'_>, rule: Rule) -> Option<(String, Vec<Fact>)> {
    let (read, rules, support) = (&case.evidence.support, &case.policy.support, Source::Support);
    match rule {
        Rule::Sev1Open => {
            let sev1 = read.sev1?;
            let headline = format!("A severity-1 ticket has been open for {}", days(sev1.value));
            Some((headline, vec![fact("Severity-1 ticket open", sev1.value, "days", support, sev1.as_of)]))
        }
        Rule::Escalations => {
            let count = read.escalations?;
            let noun = if count.value == 1.0 { "escalation" } else { "escalations" };
            let headline = format!("{} {noun} in the last {} days", few_first(count.value), rules.escalations_days);
            Some((headline, vec![fact("Escalations", count.value, "escalations", support, count.as_of)]))
        }
        Rule::CsatLow => {
            let read = read.csat?;
            let before = read.baseline.filter(|before| (before - read.recent).abs() >= 1.0);
            let headline = match before {
                Some(before) if before > read.recent => format!(
                    "Satisfaction with support fell from {} to {} of 100 against the quarter before",
                    number(before),
                    number(read.recent)
                ),
                _ => format!("Satisfaction with support is at {} of 100 in the last weeks", number(read.recent)),
            };
            let fact = fact("CSAT", read.recent, "of 100", support, read.as_of);
            Some((headline, vec![before.map_or(fact.clone(), |before| fact.before(before))]))
        }
        Rule::TicketSurge => {
            let read = read.tickets?;
            let before = read.baseline?;
            let block =
                if read.block_days == 7 { "a week".to_owned() } else { format!("per {} days", read.block_days) };
            let headline = format!("Tickets rose from {} to {} {block}", number(before), number(read.recent));
            let unit = format!("tickets {block}");
            Some((headline, vec![fact("Tickets opened", read.recent, &unit, support, read.as_of).before(before)]))
        }
        Rule::OldTicket => {
            let oldest = read.oldest?;
            let headline = format!("The oldest ticket has been open for {}", days(oldest.value));
            Some((headline, vec![fact("Oldest ticket", oldest.value, "days", support, oldest.as_of)]))
        }
        Rule::SupportSilence => {
            let opened = read.opened?;
            let seats = case.account.seats? as f64;
            let falling = usage::trend(case).is_some_and(|(.., trend)| trend < rules.silence_trend);
            let beside = if falling { "while usage falls" } else { "and nobody has spoken to them for a month" };
            let headline = format!("No ticket in {} days from {} seats, {beside}", rules.silence_days, number(seats));
            let facts = vec![
                fact("Tickets opened", opened.value, "tickets", support, opened.as_of),
                fact("Seats", seats, "seats", support, opened.as_of),
            ];
            Some((headline, facts))
        }
        _ => None,
    }
}
