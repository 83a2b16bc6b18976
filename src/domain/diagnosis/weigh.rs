//! The families of one account, weighed: known weight, coverage, risk.

use crate::domain::policy::Score;
use crate::domain::signal::Source;

/// Arrays are in the order of [`Source::ALL`]; risks are 0–100, `None` where a family is not known or does not count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::domain) struct Weighed {
    pub(in crate::domain) risks: [Option<f64>; 6],
    pub(in crate::domain) weights: [f64; 6],
    pub(in crate::domain) connected: [bool; 6],
}

impl Weighed {
    pub(in crate::domain) fn known_weight(&self) -> f64 {
        // From zero: the sum of nothing is -0 otherwise, and JSON says so.
        let known = self.risks.iter().zip(self.weights).filter(|(risk, _)| risk.is_some());
        known.fold(0.0, |sum, (_, weight)| sum + weight)
    }

    pub(super) fn coverage(&self) -> f64 {
        let all: f64 = self.weights.iter().sum();
        if all > 0.0 { self.known_weight() / all } else { 0.0 }
    }

    /// Whether enough is known for a score.
    pub(in crate::domain) fn is_enough(&self, score: &Score) -> bool {
        let known = self.known_weight();
        let connected: f64 =
            self.weights.iter().zip(self.connected).filter(|(_, connected)| *connected).map(|(weight, _)| weight).sum();
        known > 0.0 && known / connected >= score.known_share_at_least
    }

    /// The weighted mean over the known families, whatever the coverage; `None` where none is known.
    pub(in crate::domain) fn mean(&self, score: &Score) -> Option<f64> {
        let known = self.known_weight();
        let sum: f64 = self.risks.iter().zip(self.weights).filter_map(|(risk, w)| risk.map(|risk| risk * w)).sum();
        let without_usage =
            self.risks[Source::Usage as usize].is_none() && self.risks[Source::Onboarding as usize].is_none();
        let least = if without_usage { 100.0 - f64::from(score.most_without_usage) } else { 0.0 };
        (known > 0.0).then(|| (sum / known).max(least))
    }

    /// The account's risk, not rounded yet. `None` where too little is known for a
    /// score and no floor stands; with a floor the floor alone is the risk then.
    pub(super) fn risk(&self, score: &Score, floor: Option<f64>) -> Option<f64> {
        let measured = self.mean(score).filter(|_| self.is_enough(score));
        [measured, floor].into_iter().flatten().reduce(f64::max)
    }
}

/// A sum of parts as it is on paper: what is exactly a half or a threshold there may come out a hair beside it here.
pub(in crate::domain) fn exact(points: f64) -> f64 {
    (points * 1e9).round() / 1e9
}

/// 0 to 100, so the conversion keeps the value.
pub(in crate::domain) fn rounded(points: f64) -> u8 {
    exact(points).round().clamp(0.0, 100.0) as u8
}
