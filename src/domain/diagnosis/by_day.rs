//! Decisions by day: a night's diagnosis with the floors and the churn that came
//! since.
//!
//! Only these are read anew. Everything else is held against the whole book and
//! stays the night's, so that one number never mixes two days: by itself, an
//! account's holidays or an outage would count against it.

use super::diagnose::{Families, churned_on, decisions};
use super::{Band, Book, Change, Diagnosis, rounded};
use crate::domain::account::Account;
use crate::domain::diagnosis::WindowKind;
use crate::domain::health::{self, Case, Evidence};
use crate::domain::policy::Policy;

impl Diagnosis {
    /// This diagnosis with what was decided since, and the names of the new decisions. `evidence` is of now, reduced
    /// with `policy`.
    pub fn decided_since(
        &self,
        account: &Account,
        evidence: &Evidence,
        policy: &Policy,
    ) -> (Diagnosis, Vec<&'static str>) {
        let book = Book::of(std::iter::once(evidence), None, policy, evidence.date);
        let case = Case { account, evidence, book: &book, policy, date: evidence.date, leave_out_shadow: true };
        let is_new = |name: &str| self.decisions().all(|known| known != name);
        let mut floors = health::floors(&case, &[]);
        floors.retain(|(rule, _)| is_new(rule.name()));
        let churned_on = churned_on(account, evidence).filter(|_| self.churned_on.is_none());
        let new: Vec<&'static str> = decisions(&floors, churned_on).collect();
        let mut merged = self.clone();
        if new.is_empty() {
            return (merged, new);
        }
        merged.change = Change::Worse;
        merged.churned_on = self.churned_on.or(churned_on);
        if let Some(floor) = floors.iter().map(|(_, floor)| rounded(*floor)).max() {
            let causes = health::causes(&case, &Families::read(&case, None).parts, &floors);
            merged.causes.retain(|cause| !new.contains(&cause.rule.as_str()));
            merged.causes.splice(0..0, causes.into_iter().filter(|cause| cause.floor));
            // Floors first, the largest of them first, as the night orders them.
            merged.causes.sort_by_key(|cause| std::cmp::Reverse((cause.floor, cause.points)));
            let risk = floor.max(merged.risk.unwrap_or(0));
            (merged.risk, merged.health, merged.band) = (Some(risk), Some(100 - risk), Band::AtRisk);
        }
        let gate = merged.gate().map(str::to_owned);
        for window in merged.windows.iter_mut().filter(|window| window.kind != WindowKind::Requested) {
            window.withheld_by.clone_from(&gate);
        }
        (merged, new)
    }
}
