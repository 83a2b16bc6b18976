//! One account under diagnosis: family risks, and what each rule adds to them.

use chrono::{Days, Months, NaiveDate};

use super::measures::Scored;
use super::wording::fact_date;
use super::{Evidence, Rule, billing, crm, measures, onboarding, plays, sentiment, support, usage};
use crate::domain::account::Account;
use crate::domain::diagnosis::{Book, Cause, Fact, exact, rounded};
use crate::domain::policy::Policy;
use crate::domain::signal::Source;

/// What is diagnosed, with what.
#[derive(Clone, Copy)]
pub(in crate::domain) struct Case<'a> {
    pub(in crate::domain) account: &'a Account,
    pub(in crate::domain) evidence: &'a Evidence,
    pub(in crate::domain) book: &'a Book,
    pub(in crate::domain) policy: &'a Policy,
    pub(in crate::domain) date: NaiveDate,
    /// Whether the rules on trial are left out; not when asking what they would say.
    pub(in crate::domain) leave_out_shadow: bool,
}

/// A built-in rule, or a measure by its place in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) enum Finding {
    Rule(Rule),
    Measure(usize),
}

/// What one finding adds to its family's risk, and after weighing to the account's.
#[derive(Debug, Clone, Copy)]
pub(in crate::domain) struct Part {
    pub(in crate::domain) finding: Finding,
    pub(in crate::domain) source: Source,
    pub(in crate::domain) points: f64,
}

impl Case<'_> {
    pub(super) fn days_since(&self, day: NaiveDate) -> i64 {
        (self.date - day).num_days()
    }

    /// The account's weights are those of onboarding until 90 days after go-live, at
    /// most 12 months after the start; without any onboarding signal for the first 90
    /// days. Without a start date the go-live date decides alone, and without either
    /// a live onboarding feed.
    pub(in crate::domain) fn is_onboarding(&self) -> bool {
        let phase = &self.policy.phase;
        let after =
            |day: Option<NaiveDate>, days: u32| day.and_then(|day| day.checked_add_days(Days::new(days.into())));
        let (start, go_live) = (self.account.start_date, self.account.go_live_date);
        if !self.evidence.onboarding.seen {
            return after(start, phase.days_after_start_without_signals).is_some_and(|end| self.date <= end);
        }
        let by_go_live = after(go_live, phase.days_after_go_live);
        let by_start = start.and_then(|day| day.checked_add_months(Months::new(phase.months_after_start_at_most)));
        match (by_go_live, by_start) {
            (None, None) => self.evidence.feed(Source::Onboarding).live,
            (a, b) => a.into_iter().chain(b).all(|end| self.date <= end),
        }
    }

    /// The score of a rule, unless it is on trial.
    pub(super) fn on(&self, rule: Rule, score: Option<f64>) -> (Rule, Option<f64>) {
        let on_trial = self.leave_out_shadow && self.policy.shadow.iter().any(|name| name == rule.name());
        (rule, score.filter(|_| !on_trial))
    }

    /// Whether the feed guard withholds a source tonight.
    pub(super) fn withheld(&self, source: Source) -> bool {
        self.book.is_withheld(source)
    }
}

/// The highest of the known scores, the first where equal.
pub(super) fn highest(scores: &[(Rule, Option<f64>)]) -> Option<(Rule, f64)> {
    let mut best: Option<(Rule, f64)> = None;
    for (rule, score) in scores.iter().filter_map(|(rule, score)| score.map(|score| (*rule, score))) {
        if best.is_none_or(|(_, highest)| score > highest) {
            best = Some((rule, score));
        }
    }
    best
}

/// The mean of the known scores, each giving its part of it to `parts`, times `share`.
pub(super) fn mean(scores: &[(Rule, Option<f64>)], share: f64, parts: &mut Vec<(Rule, f64)>) -> Option<f64> {
    let known = scores.iter().filter(|(_, score)| score.is_some()).count();
    if known == 0 {
        return None;
    }
    let mut sum = 0.0;
    for (rule, score) in scores {
        if let Some(score) = score {
            parts.push((*rule, share * score / known as f64));
            sum += score;
        }
    }
    Some(sum / known as f64)
}

/// The weight of a family for this account.
pub(in crate::domain) fn weight_of(case: &Case<'_>, source: Source) -> f64 {
    let weight = case.policy.weights.of(source);
    if case.is_onboarding() { weight.onboarding } else { weight.established }
}

/// What one family's evidence says, before its measures are weighed against its rules.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::domain) struct FamilyRead {
    /// Of the built-in rules together, 0–100; `None` where they know nothing, or are off.
    built_in: Option<f64>,
    own: Vec<Scored>,
}

impl FamilyRead {
    /// `parts` gains what each built-in rule adds to their risk.
    pub(in crate::domain) fn of(case: &Case<'_>, source: Source, parts: &mut Vec<(Rule, f64)>) -> Self {
        let built_in = case.policy.built_in(source).then(|| match source {
            Source::Usage => usage::score(case, parts),
            Source::Crm => crm::score(case, parts),
            Source::Support => support::score(case, parts),
            Source::Billing => billing::score(case, parts),
            Source::Sentiment => sentiment::score(case, parts),
            Source::Onboarding => onboarding::score(case, parts),
        });
        Self { built_in: built_in.flatten(), own: measures::scores(case, source) }
    }

    /// The built-in rules weigh 1 beside the source's own measures.
    fn weight(&self, of: impl Fn(&Scored) -> f64) -> f64 {
        self.own.iter().fold(if self.built_in.is_some() { 1.0 } else { 0.0 }, |sum, scored| sum + of(scored))
    }

    /// Risk 0–100, with a weight `of` each measure; `None` where nothing is known.
    pub(in crate::domain) fn risk(&self, of: impl Fn(&Scored) -> f64) -> Option<f64> {
        let weight = self.weight(&of);
        let sum = self.own.iter().fold(self.built_in.unwrap_or(0.0), |sum, scored| sum + of(scored) * scored.risk);
        (weight > 0.0).then(|| sum / weight)
    }
}

/// Risk 0–100 of one family from this account's own evidence; `None` where it is
/// not known. `parts` gains what each rule and measure adds to it: together the risk.
pub(in crate::domain) fn score_family(case: &Case<'_>, source: Source, parts: &mut Vec<Part>) -> Option<f64> {
    let mut built_in = Vec::new();
    let read = FamilyRead::of(case, source, &mut built_in);
    let weight = read.weight(|scored| scored.weight);
    let risk = read.risk(|scored| scored.weight)?;
    parts.extend(built_in.into_iter().map(|(rule, points)| Part {
        finding: Finding::Rule(rule),
        source,
        points: points / weight,
    }));
    for scored in read.own {
        let points = scored.weight * scored.risk / weight;
        parts.push(Part { finding: Finding::Measure(scored.index), source, points });
    }
    Some(risk)
}

/// The causes: every floor, and every part with enough points; floors first, then
/// the largest, then the order of the rules.
pub(in crate::domain) fn causes(case: &Case<'_>, parts: &[Part], floors: &[(Rule, f64)]) -> Vec<Cause> {
    let mut found: Vec<(Finding, f64, bool)> = floors
        .iter()
        .map(|(rule, _)| {
            let finding = Finding::Rule(*rule);
            let points = parts.iter().filter(|part| part.finding == finding).map(|part| part.points).sum();
            (finding, points, true)
        })
        .collect();
    for part in parts.iter().filter(|part| exact(part.points) >= case.policy.score.cause_points) {
        if !found.iter().any(|(finding, ..)| *finding == part.finding) {
            found.push((part.finding, part.points, false));
        }
    }
    let order = |finding: &Finding| match finding {
        Finding::Rule(rule) => *rule as usize,
        Finding::Measure(index) => super::RULES.len() + index,
    };
    found.sort_by(|a, b| b.2.cmp(&a.2).then(b.1.total_cmp(&a.1)).then(order(&a.0).cmp(&order(&b.0))));
    found.into_iter().filter_map(|(finding, points, floor)| cause(case, finding, points, floor)).collect()
}

fn cause(case: &Case<'_>, finding: Finding, points: f64, floor: bool) -> Option<Cause> {
    let points = rounded(points);
    match finding {
        Finding::Measure(index) => measures::cause(case, index, points),
        Finding::Rule(rule) => {
            let (headline, facts) = describe(case, rule);
            let actions = plays::play(case, rule);
            Some(Cause { rule: rule.name().to_owned(), points, floor, headline, actions, facts })
        }
    }
}

/// A floor that the feed guard keeps up although nothing is left to read.
fn kept_up(rule: Rule) -> String {
    let what = match rule {
        Rule::Sev1Open => "A severity-1 ticket had been open for too long",
        Rule::InvoiceOverdue => "An invoice was long overdue",
        _ => "The opt-out date was near without contact",
    };
    format!("{what} when {} last delivered; the source is silent now", rule.family())
}

/// Headline and facts of a rule that fired.
fn describe(case: &Case<'_>, rule: Rule) -> (String, Vec<Fact>) {
    let (headline, mut facts) = match rule.family() {
        Source::Usage => usage::describe(case, rule),
        Source::Crm => crm::describe(case, rule),
        Source::Support => support::describe(case, rule),
        Source::Billing => billing::describe(case, rule),
        Source::Sentiment => sentiment::describe(case, rule),
        Source::Onboarding => onboarding::describe(case, rule),
    }
    .unwrap_or_else(|| (kept_up(rule), Vec::new()));
    if rule == Rule::OptOutNearSilent {
        facts.extend(case.account.opt_out_date().map(|day| fact_date("Opt-out date", day, Source::Crm, case.date)));
    }
    (headline, facts)
}
