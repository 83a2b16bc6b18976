//! The search for weights under which what was lost has the higher risk.
//!
//! A logistic curve turns risk into a chance of loss; the weights are those under
//! which what happened was likeliest, less a penalty for every point that is moved
//! away from the policy in use. Weight goes from one family to another in whole
//! units, coarse steps first, as long as that gains something: few numbers, no
//! matrices, and a result that can be read. How heavy the penalty is, five-fold
//! cross-validation within the fitted accounts says, and where lighter ones are no
//! better than chance would have it, the heavier one stands, up to no change at all.

use super::knobs::{Move, Room, Steps};
use super::split;
use super::tally::{Point, Scale};
use super::{Knobs, Sample};
use crate::domain::policy::Score;

/// Penalties of moved weight, the heaviest first. At 1 a tenth of all weight moved has to make what happened likelier
/// by 2 % on average, at 0.01 by 0.02 %.
const PENALTIES: [f64; 5] = [1.0, 0.3, 0.1, 0.03, 0.01];
const FOLDS: usize = 5;
/// Units moved at once, coarse first.
const SIZES: [i32; 4] = [8, 4, 2, 1];
/// What counts as a gain.
const GAIN: f64 = 1e-9;
/// Accounts lost and kept that an onboarding phase must have for weights of its own.
const IN_A_PHASE: usize = 20;

/// The weights for these samples, and the penalty under which they were found; the policy in use and `None` where
/// nothing is gained beyond chance.
pub(super) fn fit(samples: &[&Sample], in_use: &Knobs, score: &Score, seed: u64) -> (Knobs, Option<f64>) {
    let room = Room::new(in_use, [false, true].map(|onboarding| is_enough(samples, onboarding)));
    let moves = room.moves();
    let search = Search { room: &room, moves: &moves, score };
    let Some(chosen) = search.choose(&split::folds(samples, FOLDS, seed)) else { return (in_use.clone(), None) };
    let path = search.path(samples, &PENALTIES[..=chosen]);
    let steps = path.into_iter().last().map_or_else(|| room.start(), |(steps, _)| steps);
    let found = room.knobs(&steps);
    let shrinkage = (found != *in_use).then_some(PENALTIES[chosen]);
    (found, shrinkage)
}

fn is_enough(samples: &[&Sample], onboarding: bool) -> bool {
    let count = |lost: bool| samples.iter().filter(|s| s.onboarding == onboarding && s.lost == lost).count();
    count(true) >= IN_A_PHASE && count(false) >= IN_A_PHASE
}

struct Search<'a> {
    room: &'a Room,
    moves: &'a [Move],
    score: &'a Score,
}

impl Search<'_> {
    fn points(&self, samples: &[&Sample], knobs: &Knobs, points: &mut Vec<Point>) {
        points.clear();
        points.extend(samples.iter().map(|sample| {
            let (lost, kept) = if sample.lost { (1.0, 0.0) } else { (0.0, 1.0) };
            Point { risk: sample.risk(knobs, self.score) / 100.0, lost, kept }
        }));
    }

    /// The best for each penalty, each from where the one before ended, with the chances that it gives.
    fn path(&self, samples: &[&Sample], penalties: &[f64]) -> Vec<(Steps, Scale)> {
        let mut points = Vec::with_capacity(samples.len());
        let mut steps = self.room.start();
        self.points(samples, &self.room.knobs(&steps), &mut points);
        let mut scale = Scale::flat(&points).fitted(&points);
        let mut path = Vec::new();
        for penalty in penalties {
            (steps, scale) = self.descend(samples, steps, scale, *penalty, &mut points);
            path.push((steps.clone(), scale));
        }
        path
    }

    fn descend(
        &self,
        samples: &[&Sample],
        mut steps: Steps,
        mut scale: Scale,
        penalty: f64,
        points: &mut Vec<Point>,
    ) -> (Steps, Scale) {
        self.points(samples, &self.room.knobs(&steps), points);
        let mut best = scale.loss(points) + penalty * self.room.distance(&steps);
        for units in SIZES {
            // Whole rounds, until one gains nothing.
            loop {
                let before = best;
                for change in self.moves {
                    let Some(tried) = self.room.after(&steps, *change, units) else { continue };
                    self.points(samples, &self.room.knobs(&tried), points);
                    let fitted = scale.fitted(points);
                    let cost = fitted.loss(points) + penalty * self.room.distance(&tried);
                    if cost < best - GAIN {
                        (steps, scale, best) = (tried, fitted, cost);
                    }
                }
                if best >= before {
                    break;
                }
            }
        }
        (steps, scale)
    }

    /// The place in [`PENALTIES`] that foretells best what it was not fitted on; of those that do as well within one
    /// standard error of the difference, the heaviest. `None` where leaving all as it is does as well.
    fn choose(&self, folds: &[Vec<&Sample>]) -> Option<usize> {
        // Of each fold: the loss as it is, then under each penalty.
        let losses: Vec<Vec<f64>> = (0..folds.len()).map(|fold| self.losses(folds, fold)).collect();
        let mean = |of: &dyn Fn(&[f64]) -> f64| losses.iter().map(|fold| of(fold)).sum::<f64>() / losses.len() as f64;
        let choices = 1 + PENALTIES.len();
        let best = (0..choices).min_by(|a, b| mean(&|fold| fold[*a]).total_cmp(&mean(&|fold| fold[*b])))?;
        let as_good = |choice: &usize| {
            let difference = mean(&|fold| fold[*choice] - fold[best]);
            let spread = mean(&|fold| (fold[*choice] - fold[best] - difference).powi(2)) * losses.len() as f64;
            // Bessel's correction for the deviation, and the root of the count for the error of a mean.
            let error = (spread / (losses.len() - 1) as f64 / losses.len() as f64).sqrt();
            difference <= error
        };
        (0..choices).find(as_good)?.checked_sub(1)
    }

    fn losses(&self, folds: &[Vec<&Sample>], left_out: usize) -> Vec<f64> {
        let others = folds.iter().enumerate().filter(|(fold, _)| *fold != left_out);
        let others: Vec<&Sample> = others.flat_map(|(_, samples)| samples.iter().copied()).collect();
        let mut points = Vec::with_capacity(others.len());
        let in_use = self.room.start();
        self.points(&others, &self.room.knobs(&in_use), &mut points);
        let as_it_is = (in_use, Scale::flat(&points).fitted(&points));
        let path = self.path(&others, &PENALTIES);
        let mut losses = Vec::new();
        for (steps, scale) in std::iter::once(as_it_is).chain(path) {
            self.points(&folds[left_out], &self.room.knobs(&steps), &mut points);
            losses.push(scale.loss(&points));
        }
        losses
    }
}
