//! The policy, fitted to what became of accounts (diagnosis.md: "the fit to
//! outcomes is what earns trust").
//!
//! - Each known result is paired with what dated signals said well before it
//!   ([`pairs`]); nothing that was known later is read.
//! - Accounts, not results, are parted into those fitted on and those held out
//!   ([`split`]), so that nothing about an account is measured on itself.
//! - What is fitted are the weights of the families and of the organisation's own
//!   measures, pulled towards the policy in use as strongly as cross-validation
//!   asks for ([`search`]); where nothing is gained the policy in use stays.
//! - All figures are of held-out accounts, with the interval that resampling these
//!   accounts gives ([`Estimate`]).
//!
//! Thresholds, curves, floors and bands stay as they are: with tens of losses a few
//! weights can be told apart and a hundred numbers can't.
//!
//! The same inputs and seed give the same bytes, whatever the order of the rows.

mod knobs;
mod pairs;
mod sample;
mod search;
mod split;
mod tally;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use knobs::{Knobs, Number};
pub use pairs::{ANNOUNCING, Decided, Notices, Pair, as_then, decided, pairs};
pub use sample::Sample;
pub use split::Needed;
pub use tally::{Scale, Tally};

use super::dice::Dice;
use super::policy::Policy;
use split::Parts;

/// How often the held-out accounts are resampled for the intervals.
const RESAMPLINGS: usize = 1_000;
/// The part of the accounts with the highest risk whose losses are held against the average.
const LIFT_AT: f64 = 0.1;
/// The part of the accounts with the highest risk among which losses are looked for.
const RECALL_AT: f64 = 0.2;
/// A gain in AUC below this is no reason to change what people have got used to, however certain it is.
const MATTERS: f64 = 0.01;
/// Dice of the resamplings and of what chance alone gives, apart from each other.
const RESAMPLING: u64 = 1;
const CHANCE: u64 = 2;

/// A figure and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// How far chances of loss are off what happened, on average, as a share. Few outcomes are never lost in just the
/// expected number, so it is not 0 for the best of curves: the bounds are what chance alone gives 95 times in 100
/// where every chance of loss is right. (Resampling outcomes would only add noise to noise.)
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Calibration {
    pub value: f64,
    pub chance_low: f64,
    pub chance_high: f64,
}

/// What a policy is worth on held-out accounts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worth {
    /// Of a lost and a kept one, how often the lost has the higher risk; ties count half.
    pub auc: Estimate,
    /// Losses among the tenth with the highest risk, as a multiple of the average.
    pub lift_at_10: Estimate,
    /// The part of all losses that is among the fifth with the highest risk.
    pub recall_at_20: Estimate,
    /// Of the chance of loss that a risk stood for among fitted accounts.
    pub calibration_error: Calibration,
}

/// How many stand in a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Part {
    pub accounts: u32,
    /// Accounts with at least one loss.
    pub accounts_lost: u32,
    pub outcomes: u32,
    pub outcomes_lost: u32,
}

/// Whether the fit is worth changing to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole 95 % interval of the difference in AUC is above 0, and the difference matters.
    Better,
    /// The difference may be chance, is too small to matter, or is a loss.
    NotBetter,
    /// The fit found nothing to change.
    Same,
}

/// What came of fitting.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    pub holdout: f64,
    pub seed: u64,
    pub fitted_on: Part,
    pub held_out: Part,
    pub in_use: Worth,
    pub fit: Worth,
    /// Of the fit over the policy in use, on the same accounts.
    pub auc_difference: Estimate,
    pub verdict: Verdict,
    /// How strongly the fit was pulled towards the policy in use; `None` where it stays.
    pub shrinkage: Option<f64>,
    /// Every number that could have moved, with what became of it.
    pub numbers: Vec<Number>,
    /// Held-out outcomes for which the fit would find too little data for a score, where the policy in use has one.
    pub unscored: u32,
    pub policy: Policy,
}

/// Fits `policy` to the samples. Those that the policy in use can't score belong to nobody's ranking and must have been
/// left out by the caller ([`Sample::is_scored`]).
///
/// # Errors
/// Too few accounts that were lost, or kept.
pub fn fit(samples: &[Sample], policy: &Policy, holdout: f64, seed: u64) -> Result<Fit, Needed> {
    let Parts { fitted_on, held_out } = split::split(samples, holdout, seed)?;
    let in_use = Knobs::of(policy);
    let (found, shrinkage) = search::fit(&fitted_on, &in_use, &policy.score, seed);
    let policy_fit = found.applied_to(policy);

    let scale = |knobs: &Knobs| Scale::of(&tally(&fitted_on, knobs, policy));
    let (scales, knobs) = ([scale(&in_use), scale(&found)], [&in_use, &found]);
    let whole = knobs.map(|knobs| tally(&held_out, knobs, policy));
    let values = [0, 1].map(|i| figures(&whole[i]));
    let drawn = resampled(&held_out, knobs, policy, seed);
    let worth = |i: usize| {
        let of = |figure: usize| estimate(values[i][figure], drawn.iter().map(|drawn| drawn[i][figure]));
        Worth {
            auc: of(0),
            lift_at_10: of(1),
            recall_at_20: of(2),
            calibration_error: calibration(&whole[i], &scales[i], seed),
        }
    };
    let difference = estimate(values[1][0] - values[0][0], drawn.iter().map(|[in_use, fitted]| fitted[0] - in_use[0]));
    let verdict = match () {
        () if found == in_use => Verdict::Same,
        () if difference.low > 0.0 && difference.value >= MATTERS => Verdict::Better,
        () => Verdict::NotBetter,
    };
    Ok(Fit {
        holdout,
        seed,
        fitted_on: Part::of(&fitted_on),
        held_out: Part::of(&held_out),
        in_use: worth(0),
        fit: worth(1),
        auc_difference: difference,
        verdict,
        shrinkage,
        numbers: found.against(&in_use, policy),
        unscored: count(held_out.iter().filter(|sample| !sample.is_scored(&found, &policy.score)).count()),
        policy: policy_fit,
    })
}

fn tally(samples: &[&Sample], knobs: &Knobs, policy: &Policy) -> Tally {
    let mut tally = Tally::default();
    for sample in samples {
        tally.add(sample.rounded_risk(knobs, &policy.score), sample.lost);
    }
    tally
}

/// AUC, lift and recall.
fn figures(tally: &Tally) -> [f64; 3] {
    [tally.auc(), tally.lift(LIFT_AT), tally.recall(RECALL_AT)]
}

fn calibration(tally: &Tally, scale: &Scale, seed: u64) -> Calibration {
    let mut dice = Dice::new(seed, CHANCE);
    let by_chance = (0..RESAMPLINGS).map(|_| tally.redrawn(scale, &mut dice).calibration_error(scale));
    let Estimate { value, low, high } = estimate(tally.calibration_error(scale), by_chance);
    Calibration { value, chance_low: low, chance_high: high }
}

/// The figures of each policy over held-out accounts drawn with replacement: accounts, since two results of one account
/// are not independent of each other. A drawing without a loss, or with nothing else, says nothing and is left out.
fn resampled(held_out: &[&Sample], knobs: [&Knobs; 2], policy: &Policy, seed: u64) -> Vec<[[f64; 3]; 2]> {
    let risks: Vec<([u8; 2], bool)> = held_out
        .iter()
        .map(|sample| (knobs.map(|knobs| sample.rounded_risk(knobs, &policy.score)), sample.lost))
        .collect();
    let mut accounts: Vec<&[([u8; 2], bool)]> = Vec::new();
    let mut rest = risks.as_slice();
    for of_account in held_out.chunk_by(|a, b| a.account == b.account) {
        let (own, others) = rest.split_at(of_account.len());
        accounts.push(own);
        rest = others;
    }
    let mut dice = Dice::new(seed, RESAMPLING);
    let mut drawn = Vec::with_capacity(RESAMPLINGS);
    for _ in 0..RESAMPLINGS {
        let mut tallies = [Tally::default(), Tally::default()];
        for _ in 0..accounts.len() {
            for (risks, lost) in dice.pick(&accounts, &[]) {
                tallies.iter_mut().zip(risks).for_each(|(tally, risk)| tally.add(*risk, *lost));
            }
        }
        if tallies[0].has_both() {
            drawn.push(tallies.each_ref().map(figures));
        }
    }
    drawn
}

/// With the middle 95 % of what the drawings gave.
fn estimate(value: f64, drawn: impl Iterator<Item = f64>) -> Estimate {
    let mut drawn: Vec<f64> = drawn.collect();
    drawn.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| {
        // A place within the list: the parts are between 0 and 1.
        let place = (part * drawn.len().saturating_sub(1) as f64).round() as usize;
        drawn.get(place).copied().unwrap_or(value)
    };
    Estimate { value, low: at(0.025), high: at(0.975) }
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
