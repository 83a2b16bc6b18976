//! How useful each rule is to those who read its cards, and which rule should
//! go on trial or come back from it.
//!
//! A rule is judged by the cards that it led: "not useful" counts against it. A
//! rule on trial (`shadow` in the policy) leads none, so it is judged by what
//! came after it fired: an account that then fell at risk by other rules, left,
//! or shrank proves it right.

use chrono::NaiveDate;

use crate::domain::health::RULES;
use crate::domain::policy::Policy;

/// A rule and its cards of the policy's last `precision.days` days, each account and reader once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleUse {
    /// A rule's name, `window_KIND`, or `raised` where a person saw it alone.
    pub rule: String,
    pub shown: usize,
    pub not_useful: usize,
}

impl RuleUse {
    /// The part of its cards that nobody called not useful; `None` where none was shown.
    pub fn precision(&self) -> Option<f64> {
        // A card that was judged was shown, if not in a morning then in an answer.
        let shown = self.shown.max(self.not_useful);
        (shown > 0).then(|| (shown - self.not_useful) as f64 / shown as f64)
    }
}

/// A rule on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    pub rule: String,
    pub since: NaiveDate,
    /// Accounts on which it would have been a cause.
    pub fired: usize,
    /// Of these, those that fell at risk, left or shrank afterwards.
    pub right: usize,
}

impl Trial {
    /// `None` where it has not fired.
    pub fn precision(&self) -> Option<f64> {
        (self.fired > 0).then(|| self.right as f64 / self.fired as f64)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// Put it on trial: computed, counted, not sent.
    Shadow(RuleUse),
    /// End its trial.
    BringBack(Trial),
}

/// What the policy's own numbers say should be tried. Rules that decide alone are never proposed: a decision of the
/// customer that is no longer shown would hide a loss.
pub fn proposals(used: &[RuleUse], trials: &[Trial], policy: &Policy) -> Vec<Proposal> {
    let limits = &policy.precision;
    let enough = |number: usize| number >= limits.shown_at_least as usize;
    let poor = used.iter().filter(|used| {
        enough(used.shown)
            && used.precision().is_some_and(|precision| precision < limits.at_least)
            && may_be_tried(&used.rule, policy)
            && !policy.shadow.contains(&used.rule)
    });
    let proven = trials
        .iter()
        .filter(|trial| enough(trial.fired) && trial.precision().is_some_and(|precision| precision >= limits.at_least));
    poor.cloned().map(Proposal::Shadow).chain(proven.cloned().map(Proposal::BringBack)).collect()
}

/// Whether a rule can be on trial at all: one of the diagnosis that does not decide alone, or a measure of one's own.
pub fn may_be_tried(rule: &str, policy: &Policy) -> bool {
    policy.measures.contains_key(rule) || RULES.iter().any(|known| known.name == rule && !known.floor)
}

impl Proposal {
    /// What it is about.
    pub fn rule(&self) -> &str {
        match self {
            Proposal::Shadow(used) => &used.rule,
            Proposal::BringBack(trial) => &trial.rule,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(rule: &str, shown: usize, not_useful: usize) -> RuleUse {
        RuleUse { rule: rule.into(), shown, not_useful }
    }

    fn trial(rule: &str, fired: usize, right: usize) -> Trial {
        Trial { rule: rule.into(), since: NaiveDate::from_ymd_opt(2026, 9, 3).unwrap(), fired, right }
    }

    #[test]
    fn a_poor_rule_goes_on_trial_and_a_proven_one_comes_back() {
        let policy = Policy::from_toml("shadow = [\"seat_use\", \"nps_low\"]").unwrap();
        let shown = [
            used("usage_trend", 20, 7),
            // Exactly good enough, too seldom shown, deciding alone, no rule, on trial already.
            used("csat_low", 20, 6),
            used("ticket_surge", 19, 19),
            used("notice_served", 40, 40),
            used("window_seats", 40, 40),
            used("nps_low", 40, 40),
        ];
        let trials = [trial("seat_use", 25, 18), trial("nps_low", 25, 10)];
        let found = proposals(&shown, &trials, &policy);
        assert_eq!(found, [Proposal::Shadow(shown[0].clone()), Proposal::BringBack(trials[0].clone())]);
        assert_eq!(found.iter().map(Proposal::rule).collect::<Vec<_>>(), ["usage_trend", "seat_use"]);
    }

    #[test]
    fn precision_is_the_part_that_nobody_called_not_useful() {
        assert_eq!(used("a", 20, 5).precision(), Some(0.75));
        assert_eq!(used("a", 0, 0).precision(), None);
        assert_eq!(used("a", 0, 2).precision(), Some(0.0), "judged in an answer, never in a morning");
        assert_eq!((trial("a", 4, 3).precision(), trial("a", 0, 0).precision()), (Some(0.75), None));
    }
}
