//! One account as it was read before a result.

use chrono::NaiveDate;

use super::Knobs;
use crate::domain::account::{Account, AccountId};
use crate::domain::diagnosis::{Book, Weighed, rounded};
use crate::domain::health::{self, Case, Evidence, FamilyRead};
use crate::domain::policy::{Policy, Score};
use crate::domain::signal::Source;

/// What the rules read, before the families are weighed, and what became of the account.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub account: AccountId,
    /// The day as of which it was read; one sample an account and day.
    pub as_of: NaiveDate,
    pub lost: bool,
    /// Whether the weights of onboarding hold for it.
    pub onboarding: bool,
    /// In the order of [`Source::ALL`], as is `connected`.
    pub(super) families: [FamilyRead; 6],
    pub(super) connected: [bool; 6],
    /// The highest risk that a floor gave at least.
    pub(super) floor: Option<f64>,
}

impl Sample {
    /// `evidence` must have been reduced with `policy` from an account without what is known only as it is now
    /// ([`super::as_then`]), and its decisions settled.
    pub fn read(account: &Account, evidence: &Evidence, book: &Book, policy: &Policy, lost: bool) -> Self {
        let case = Case { account, evidence, book, policy, date: evidence.date, leave_out_shadow: true };
        Self {
            account: account.id.clone(),
            as_of: evidence.date,
            lost,
            onboarding: case.is_onboarding(),
            families: Source::ALL.map(|source| FamilyRead::of(&case, source, &mut Vec::new())),
            connected: Source::ALL.map(|source| book.is_connected(source)),
            floor: health::floors(&case, &[]).into_iter().map(|(_, floor)| floor).reduce(f64::max),
        }
    }

    fn weighed(&self, knobs: &Knobs) -> Weighed {
        let weights = *knobs.weights(self.onboarding);
        let mut risks = [None; 6];
        for (family, risk) in risks.iter_mut().enumerate().filter(|(family, _)| weights[*family] > 0.0) {
            *risk = self.families[family].risk(|scored| knobs.measure(scored.index));
        }
        Weighed { risks, weights, connected: self.connected }
    }

    /// Whether enough is known of it for a score.
    pub fn is_scored(&self, knobs: &Knobs, score: &Score) -> bool {
        self.floor.is_some() || self.weighed(knobs).is_enough(score)
    }

    /// As the diagnosis has it before rounding, but whatever the coverage: with other weights the same samples must be
    /// compared. 0 where nothing is known.
    pub(super) fn risk(&self, knobs: &Knobs, score: &Score) -> f64 {
        let measured = self.weighed(knobs).mean(score);
        [measured, self.floor].into_iter().flatten().fold(0.0, f64::max)
    }

    /// As the diagnosis prints it.
    pub(super) fn rounded_risk(&self, knobs: &Knobs, score: &Score) -> u8 {
        rounded(self.risk(knobs, score))
    }
}
