//! Purpose: rules that should go on trial, or come back from it, each with the one
//! button that follows the proposal or undoes it.

use chrono::NaiveDate;

use super::{Block, Button, Buttons, Message, Text, figures, phrase};
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::figures::Value;
use crate::domain::figures::precision::{RuleUse, Trial};
use crate::domain::policy::Policy;

/// How a rule stands that was proposed to go on trial, or to come back.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleStanding {
    /// Its cards were called not useful too often.
    Poor(RuleUse),
    /// Its trial has gone well.
    Proven(Trial),
    /// Put on trial since it was proposed, and when it has fired since.
    OnTrial { rule: String, trial: Option<Trial> },
    /// Shown, with nothing to propose about it.
    Shown { rule: String },
}

/// To the admins: each rule with the one button that follows the proposal, or undoes it. `None` without a rule.
pub fn rules(rules: &[RuleStanding], policy: &Policy, today: NaiveDate) -> Option<Message> {
    if rules.is_empty() {
        return None;
    }
    let title = format!("{} to look at", phrase::count(rules.len(), "rule"));
    let mut blocks = vec![Block::Heading(title.clone())];
    for standing in rules {
        let (rule, text, verb) = match standing {
            RuleStanding::Poor(used) => {
                let asked = format!(" You ask for {}.", Value::Share(policy.precision.at_least));
                (&used.rule, figures::rule_used(used, policy.precision.days).then(asked), Verb::PutOnTrial)
            }
            RuleStanding::Proven(trial) => (&trial.rule, figures::rule_on_trial(trial, today), Verb::BringBack),
            RuleStanding::OnTrial { rule, trial } => {
                let text = match trial {
                    Some(trial) => figures::rule_on_trial(trial, today),
                    None => Text::strong(rule).then(" is on trial."),
                };
                (rule, text, Verb::BringBack)
            }
            RuleStanding::Shown { rule } => (rule, Text::strong(rule).then(" is shown."), Verb::PutOnTrial),
        };
        let mut button = Button::new(Action::new(verb, Subject::Rule(rule.clone())), rule);
        if matches!(standing, RuleStanding::Poor(_) | RuleStanding::Proven(_)) {
            button = button.primary();
        }
        blocks.push(Block::Text(text));
        blocks.push(Block::Buttons(Buttons { shown: vec![button], more: Vec::new() }));
    }
    let how =
        "A rule on trial is still computed and counted, and not shown. A change holds from the next diagnosis on.";
    blocks.push(Block::Context(how.into()));
    Some(Message { summary: title, blocks })
}

#[cfg(test)]
mod tests {
    use super::super::card::sample;
    use super::super::text::to_text;
    use super::*;

    #[test]
    fn each_rule_has_the_button_that_follows_or_undoes() {
        let policy = Policy::default();
        let trial = Trial { rule: "nps_low".into(), since: sample::day("2026-09-03"), fired: 25, right: 19 };
        let standing = [
            RuleStanding::Poor(RuleUse { rule: "usage_trend".into(), shown: 24, not_useful: 9 }),
            RuleStanding::Proven(trial.clone()),
            RuleStanding::OnTrial { rule: "csat_low".into(), trial: None },
            RuleStanding::OnTrial { rule: "nps_low".into(), trial: Some(trial) },
            RuleStanding::Shown { rule: "seat_use".into() },
        ];
        let message = rules(&standing, &policy, sample::today()).unwrap();
        insta::assert_snapshot!(to_text(&message, 100), @"
        5 rules to look at
        ==================

        usage_trend led 24 cards in 90 days; 9 were called not useful, so 62.5% were useful. You ask for
        70%.
        [Put on trial]

        nps_low is on trial since Thu 3 Sep: it would have been shown on 25 accounts; 19 of them fell at
        risk, left or shrank later (76%).
        [Bring back]

        csat_low is on trial.
        [Bring back]

        nps_low is on trial since Thu 3 Sep: it would have been shown on 25 accounts; 19 of them fell at
        risk, left or shrank later (76%).
        [Bring back]

        seat_use is shown.
        [Put on trial]
          A rule on trial is still computed and counted, and not shown. A change holds from the next
          diagnosis on.
        ");
        assert_eq!(rules(&[], &policy, sample::today()), None);
    }
}
