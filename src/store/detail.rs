//! What a diagnosis is stored as beside its narrow row.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Context;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::diagnosis::{Cause, Fact, FactValue, FoundWindow, RoleActions};
use crate::domain::health::usual_play;
use crate::domain::signal::Source;

/// What is stored as JSON: written once for as many nights as it stays the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Detail<'a> {
    pub(super) coverage: f64,
    pub(super) families: Cow<'a, BTreeMap<Source, Option<u8>>>,
    pub(super) not_checked: Cow<'a, [Source]>,
    #[serde(default)]
    pub(super) stale: Cow<'a, [Source]>,
    pub(super) causes: Vec<StoredCause<'a>>,
    pub(super) windows: Cow<'a, [FoundWindow]>,
    /// The latest signal, else the account's column: deadlines are read with it.
    pub(super) auto_renew: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) churned_on: Option<NaiveDate>,
}

impl Detail<'_> {
    /// What stands of it where the feed guard withholds a source. A rule that no release knows any more has no say.
    pub(super) fn standing(self, date: NaiveDate) -> (BTreeMap<Source, Option<u8>>, Vec<Cause>) {
        let causes = self.causes.into_iter().filter_map(|cause| cause.on(date).ok());
        (self.families.into_owned(), causes.collect())
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredCause<'a> {
    pub(super) rule: Cow<'a, str>,
    points: u8,
    floor: bool,
    headline: Cow<'a, str>,
    /// Absent where they are the rule's usual ones: they were half of every body. A release that words them anew words
    /// earlier nights anew too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actions: Option<Cow<'a, RoleActions>>,
    facts: Vec<StoredFact<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredFact<'a> {
    label: Cow<'a, str>,
    value: Cow<'a, FactValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Cow<'a, FactValue>>,
    unit: Cow<'a, str>,
    source: Source,
    /// Absent where it is the date of the diagnosis: a night that finds the same then has the same body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    as_of: Option<NaiveDate>,
}

impl<'a> StoredCause<'a> {
    pub(super) fn of(cause: &'a Cause, date: NaiveDate) -> Self {
        let fact = |fact: &'a Fact| StoredFact {
            label: Cow::Borrowed(&fact.label),
            value: Cow::Borrowed(&fact.value),
            previous: fact.previous.as_ref().map(Cow::Borrowed),
            unit: Cow::Borrowed(&fact.unit),
            source: fact.source,
            as_of: Some(fact.as_of).filter(|as_of| *as_of != date),
        };
        Self {
            rule: Cow::Borrowed(&cause.rule),
            points: cause.points,
            floor: cause.floor,
            headline: Cow::Borrowed(&cause.headline),
            actions: (usual_play(&cause.rule).as_ref() != Some(&cause.actions))
                .then_some(Cow::Borrowed(&cause.actions)),
            facts: cause.facts.iter().map(fact).collect(),
        }
    }

    /// As it was on that night.
    pub(super) fn on(self, date: NaiveDate) -> anyhow::Result<Cause> {
        let fact = |fact: StoredFact<'_>| Fact {
            label: fact.label.into_owned(),
            value: fact.value.into_owned(),
            previous: fact.previous.map(Cow::into_owned),
            unit: fact.unit.into_owned(),
            source: fact.source,
            as_of: fact.as_of.unwrap_or(date),
        };
        let actions = self.actions.map(Cow::into_owned).or_else(|| usual_play(&self.rule));
        Ok(Cause {
            actions: actions.with_context(|| format!("no play is known of the rule {}", self.rule))?,
            rule: self.rule.into_owned(),
            points: self.points,
            floor: self.floor,
            headline: self.headline.into_owned(),
            facts: self.facts.into_iter().map(fact).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::RoleActions;

    const DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();

    fn cause(rule: &str, actions: RoleActions) -> Cause {
        let fact = |value| Fact {
            label: "Seats".to_owned(),
            value,
            previous: None,
            unit: "seats".to_owned(),
            source: Source::Usage,
            as_of: DAY,
        };
        let values =
            [FactValue::Number(20.0), FactValue::Bool(true), FactValue::Date(DAY), FactValue::Text("red".into())];
        Cause {
            rule: rule.to_owned(),
            points: 12,
            floor: false,
            headline: "Only 20 of 100 paid seats were active".to_owned(),
            actions,
            facts: values.map(fact).into(),
        }
    }

    fn stored(cause: &Cause) -> String {
        serde_json::to_string(&StoredCause::of(cause, DAY)).unwrap()
    }

    fn read(text: &str) -> anyhow::Result<Cause> {
        serde_json::from_str::<StoredCause<'_>>(text)?.on(DAY)
    }

    #[test]
    fn a_rules_usual_play_is_not_stored_and_comes_back() {
        let usual = cause("seat_use", usual_play("seat_use").unwrap());
        assert!(!stored(&usual).contains("actions"));
        assert_eq!(read(&stored(&usual)).unwrap(), usual);
        let own = RoleActions { csm: "Call them".into(), account_manager: "Wait".into() };
        for rule in ["seat_use", "opt_out_near_silent", "support_minutes"] {
            let own = cause(rule, own.clone());
            assert!(stored(&own).contains("Call them"));
            assert_eq!(read(&stored(&own)).unwrap(), own, "as bodies of earlier releases have it");
        }
    }

    #[test]
    fn a_rule_that_nobody_knows_is_named() {
        let unknown = stored(&cause("seat_use", usual_play("seat_use").unwrap())).replace("seat_use", "forgotten");
        assert_eq!(read(&unknown).unwrap_err().to_string(), "no play is known of the rule forgotten");
    }
}
