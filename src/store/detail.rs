//! What a diagnosis is stored as beside its narrow row.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::diagnosis::{Cause, Fact, FactValue, FoundWindow, RoleActions};
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
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredCause<'a> {
    rule: Cow<'a, str>,
    points: u8,
    floor: bool,
    headline: Cow<'a, str>,
    actions: Cow<'a, RoleActions>,
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
            actions: Cow::Borrowed(&cause.actions),
            facts: cause.facts.iter().map(fact).collect(),
        }
    }

    pub(super) fn on(self, date: NaiveDate) -> Cause {
        let fact = |fact: StoredFact<'_>| Fact {
            label: fact.label.into_owned(),
            value: fact.value.into_owned(),
            previous: fact.previous.map(Cow::into_owned),
            unit: fact.unit.into_owned(),
            source: fact.source,
            as_of: fact.as_of.unwrap_or(date),
        };
        Cause {
            rule: self.rule.into_owned(),
            points: self.points,
            floor: self.floor,
            headline: self.headline.into_owned(),
            actions: self.actions.into_owned(),
            facts: self.facts.into_iter().map(fact).collect(),
        }
    }
}
