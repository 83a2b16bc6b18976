//! The second pass: one account's evidence, held against the book and the policy,
//! becomes its diagnosis. The same inputs give the same bytes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{Months, NaiveDate};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::weigh::{Weighed, rounded};
use super::{Band, Book, CHURNED, Cause, Change, Diagnosis, FoundWindow};
use crate::domain::account::Account;
use crate::domain::health::{self, Case, Evidence, Part, RULES, Rule};
use crate::domain::person::OrgId;
use crate::domain::policy::{Policy, Score};
use crate::domain::renewal;
use crate::domain::signal::Source;
use crate::domain::window::{self, Cooling, OpenWindow};

/// The narrow part of the latest stored diagnosis of an earlier date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Previous {
    pub date: NaiveDate,
    pub health: Option<u8>,
    pub band: Band,
    /// Names of the decision signals that stood: the rules of floors, and of a churn outcome.
    pub floors: Vec<String>,
    /// What stands where the feed guard withholds a source tonight, and why it was so.
    pub families: BTreeMap<Source, Option<u8>>,
    pub causes: Vec<Cause>,
}

impl Previous {
    pub fn of(diagnosis: &Diagnosis) -> Self {
        Self {
            date: diagnosis.date,
            health: diagnosis.health,
            band: diagnosis.band,
            floors: diagnosis.decisions().map(str::to_owned).collect(),
            families: diagnosis.families.clone(),
            causes: diagnosis.causes.clone(),
        }
    }
}

/// What earlier nights and people's decisions leave for tonight.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before<'a> {
    /// The latest stored diagnosis of an earlier date.
    pub previous: Option<&'a Previous>,
    /// Windows of earlier nights that are still open: they keep their dates.
    pub open_windows: &'a [OpenWindow],
    /// What that diagnosis found of windows: it stands where the feed guard withholds their source.
    pub found_windows: &'a [FoundWindow],
    /// Kinds that were passed on or lost in the last 90 days.
    pub cooling: &'a [Cooling],
}

/// Diagnoses one account. `evidence` must have been reduced on `date` with `policy`.
pub fn diagnose(
    org: OrgId,
    account: &Account,
    evidence: &Evidence,
    book: &Book,
    policy: &Policy,
    before: &Before<'_>,
    date: NaiveDate,
) -> Diagnosis {
    let case = Case { account, evidence, book, policy, date, leave_out_shadow: true };
    let read = Families::read(&case, before.previous);
    let stood = before.previous.map_or(&[][..], |previous| previous.floors.as_slice());
    let floors = health::floors(&case, stood);
    let mut causes = health::causes(&case, &read.parts, &floors);
    keep_up(&mut causes, before.previous, &read.stale, policy);
    let floor = floors.iter().map(|(_, floor)| *floor).reduce(f64::max);
    let risk = read.weighed.risk(&policy.score, floor).map(rounded);
    let health = risk.map(|risk| 100 - risk);
    let band = band(health, !floors.is_empty(), &policy.score);
    let churned_on = churned_on(account, evidence);
    let decisions: Vec<&str> = decisions(&floors, churned_on).collect();
    let mut diagnosis = Diagnosis {
        id: id(org, account, date),
        account_id: account.id.clone(),
        name: account.name.clone(),
        date,
        health,
        band,
        risk,
        // Two decimals: what is printed is what is compared.
        coverage: (read.weighed.coverage() * 100.0).round() / 100.0,
        families: read.rounded(),
        not_checked: read.not_checked(),
        stale: read.stale.clone(),
        change: change(before.previous, health, band, &decisions, &policy.score),
        causes,
        windows: Vec::new(),
        renewal: renewal::read(account, evidence.auto_renew(), policy, date),
        churned_on,
    };
    diagnosis.windows = window::find(&case, &diagnosis, before);
    diagnosis
}

/// Where a family's value of the night before stands, its causes do too. Floors see to themselves.
fn keep_up(causes: &mut Vec<Cause>, previous: Option<&Previous>, stale: &[Source], policy: &Policy) {
    if stale.is_empty() {
        return;
    }
    let of_measure = |rule: &str| policy.measures.get(rule).map(|measure| measure.source);
    let source = |rule: &str| RULES.iter().find(|known| known.name == rule).map(|known| known.family);
    let stands = |cause: &&Cause| {
        let source = source(&cause.rule).or_else(|| of_measure(&cause.rule));
        !cause.floor && source.is_some_and(|source| stale.contains(&source)) && !policy.shadow.contains(&cause.rule)
    };
    let before = previous.map_or(&[][..], |previous| previous.causes.as_slice());
    causes.extend(before.iter().filter(stands).cloned());
    causes.sort_by_key(|cause| Reverse((cause.floor, cause.points)));
}

/// A churn of the running term: a renewal date that moved on to the next, or a new start, says that they stayed or came
/// back. Where the term's dates are not known it is the last so many months.
pub(super) fn churned_on(account: &Account, evidence: &Evidence) -> Option<NaiveDate> {
    let months = u32::try_from(account.term_months_or_default()).unwrap_or(0);
    let start = account.term_start().or(evidence.date.checked_sub_months(Months::new(months)));
    let begun_anew = |day: NaiveDate| account.start_date.is_some_and(|begun| begun > day && begun <= evidence.date);
    evidence.churned_on().filter(|day| start.is_none_or(|start| start <= *day) && !begun_anew(*day))
}

/// The names of decision signals.
pub(super) fn decisions(floors: &[(Rule, f64)], churned_on: Option<NaiveDate>) -> impl Iterator<Item = &'static str> {
    floors.iter().map(|(rule, _)| rule.name()).chain(churned_on.map(|_| CHURNED))
}

/// What the rules on trial would have said of this account, as causes among all.
pub fn shadowed(account: &Account, evidence: &Evidence, book: &Book, policy: &Policy, date: NaiveDate) -> Vec<Cause> {
    let case = Case { account, evidence, book, policy, date, leave_out_shadow: false };
    let read = Families::read(&case, None);
    let floors = health::floors(&case, &[]);
    let mut causes = health::causes(&case, &read.parts, &floors);
    causes.retain(|cause| policy.shadow.contains(&cause.rule));
    causes
}

/// A diagnosis's id: the same for the same organisation, account and date.
pub fn id(org: OrgId, account: &Account, date: NaiveDate) -> Uuid {
    Uuid::new_v5(&org.0, format!("diagnosis\n{}\n{date}", account.id).as_bytes())
}

/// The families of one account, with their weights.
pub(super) struct Families {
    weighed: Weighed,
    /// What each finding adds to the account's risk.
    pub(super) parts: Vec<Part>,
    stale: Vec<Source>,
}

impl Families {
    pub(super) fn read(case: &Case<'_>, previous: Option<&Previous>) -> Self {
        let mut weighed = Weighed {
            risks: [None; 6],
            weights: Source::ALL.map(|source| health::weight_of(case, source)),
            connected: Source::ALL.map(|source| case.book.is_connected(source)),
        };
        let (mut parts, mut stale) = (Vec::new(), Vec::new());
        // A family that does not count for this account is not read either.
        for source in Source::ALL.into_iter().filter(|source| weighed.weights[*source as usize] > 0.0) {
            weighed.risks[source as usize] = if case.book.is_withheld(source) {
                let value = previous.and_then(|previous| previous.families.get(&source).copied().flatten());
                stale.extend(value.map(|_| source));
                value.map(f64::from)
            } else {
                health::score_family(case, source, &mut parts)
            };
        }
        let known = weighed.known_weight();
        for part in &mut parts {
            part.points *= weighed.weights[part.source as usize] / known;
        }
        Families { weighed, parts, stale }
    }

    fn rounded(&self) -> BTreeMap<Source, Option<u8>> {
        Source::ALL.into_iter().map(|source| (source, self.weighed.risks[source as usize].map(rounded))).collect()
    }

    /// The families that count for this account and could not be read.
    fn not_checked(&self) -> Vec<Source> {
        let Weighed { risks, weights, .. } = &self.weighed;
        let counts = |source: &Source| weights[*source as usize] > 0.0 && risks[*source as usize].is_none();
        Source::ALL.into_iter().filter(counts).collect()
    }
}

fn band(health: Option<u8>, floor: bool, score: &Score) -> Band {
    match health.map(u32::from) {
        _ if floor => Band::AtRisk,
        None => Band::Unknown,
        Some(health) if health >= score.healthy_from => Band::Healthy,
        Some(health) if health >= score.watch_from => Band::Watch,
        Some(_) => Band::AtRisk,
    }
}

/// Worse wins where both hold. A score that comes or goes is neither better nor
/// worse, unless what comes is `at_risk`.
fn change(previous: Option<&Previous>, health: Option<u8>, band: Band, decisions: &[&str], score: &Score) -> Change {
    let Some(previous) = previous else { return Change::New };
    let rank = |band: Band| match band {
        Band::Healthy => Some(2),
        Band::Watch => Some(1),
        Band::AtRisk => Some(0),
        Band::Unknown => None,
    };
    let (was, is) = (rank(previous.band), rank(band));
    let points = health.zip(previous.health).map_or(0, |(now, then)| i32::from(now) - i32::from(then));
    let step = i32::try_from(score.change_points).unwrap_or(i32::MAX).max(1);
    let new_decision = decisions.iter().any(|name| !previous.floors.iter().any(|stood| stood == name));
    let gone = |stood: &String| !decisions.contains(&stood.as_str());
    let decision_gone = previous.floors.iter().any(gone) && is.is_some();
    let into_risk = was.is_none() && band == Band::AtRisk;
    let lower = was.zip(is).is_some_and(|(was, is)| is < was);
    let higher = was.zip(is).is_some_and(|(was, is)| is > was);
    if lower || into_risk || points <= -step || new_decision {
        Change::Worse
    } else if higher || points >= step || decision_gone {
        Change::Better
    } else {
        Change::Same
    }
}
