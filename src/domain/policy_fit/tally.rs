//! The figures of a ranking, from how many were lost and kept at each risk.
//!
//! Risks are the whole numbers that a diagnosis prints, so a tally of 101 pairs of
//! counts holds all that the figures need, and no order of rows can change them.

use crate::domain::dice::Dice;

/// How many groups of equal size predictions are compared in, at most.
const GROUPS: u64 = 10;
/// Outcomes that a group has at least: with fewer, chance alone moves a group's share by tens of points.
const IN_A_GROUP: u64 = 20;

/// Outcomes lost and kept at each risk from 0 to 100.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally([(u64, u64); 101]);

impl Default for Tally {
    fn default() -> Self {
        Self([(0, 0); 101])
    }
}

impl Tally {
    /// A risk above 100 counts as 100.
    pub fn add(&mut self, risk: u8, lost: bool) {
        let (losses, kept) = &mut self.0[usize::from(risk.min(100))];
        *(if lost { losses } else { kept }) += 1;
    }

    /// The same risks, each lost with the chance that `scale` gives it.
    pub(super) fn redrawn(&self, scale: &Scale, dice: &mut Dice) -> Self {
        let mut drawn = Self::default();
        for (risk, (lost, kept)) in (0_u8..).zip(self.0).filter(|(_, (lost, kept))| lost + kept > 0) {
            let chance = scale.chance(risk);
            (0..lost + kept).for_each(|_| drawn.add(risk, dice.chance(chance)));
        }
        drawn
    }

    fn sums(&self) -> (u64, u64) {
        self.0.iter().fold((0, 0), |sum, (lost, kept)| (sum.0 + lost, sum.1 + kept))
    }

    /// Whether something was lost and something kept: no figure says anything otherwise.
    pub fn has_both(&self) -> bool {
        let (lost, kept) = self.sums();
        lost > 0 && kept > 0
    }

    /// Of a lost and a kept one, how often the lost has the higher risk; ties count half (Mann and Whitney's U over
    /// the number of pairs). 0.5 without a pair.
    pub fn auc(&self) -> f64 {
        let (lost, kept) = self.sums();
        if lost == 0 || kept == 0 {
            return 0.5;
        }
        let (mut twice, mut below) = (0_u64, 0_u64);
        for (lost, kept) in self.0 {
            twice += lost * (2 * below + kept);
            below += kept;
        }
        twice as f64 / (2 * lost * kept) as f64
    }

    /// Losses among the `part` with the highest risk, rounded up to whole outcomes. Of those with equal risk at its
    /// edge, as many as would be lost if they were drawn by lot.
    fn losses_at_the_top(&self, part: f64) -> (f64, f64) {
        let (lost, kept) = self.sums();
        // A part of a count; 1e-9 keeps 0.1 × 30 from becoming 4.
        let size = (part * (lost + kept) as f64 - 1e-9).ceil().max(0.0);
        let (mut losses, mut left) = (0.0, size);
        for (lost, kept) in self.0.iter().rev().filter(|(lost, kept)| lost + kept > 0) {
            let here = (lost + kept) as f64;
            let taken = left.min(here);
            losses += *lost as f64 * taken / here;
            left -= taken;
        }
        (losses, size)
    }

    /// Losses among the `part` with the highest risk, as a multiple of the average. 1 where nothing was lost.
    pub fn lift(&self, part: f64) -> f64 {
        let (lost, kept) = self.sums();
        let (losses, size) = self.losses_at_the_top(part);
        if lost == 0 || size == 0.0 { 1.0 } else { losses / size / (lost as f64 / (lost + kept) as f64) }
    }

    /// The part of all losses that is among the `part` with the highest risk. 0 where nothing was lost.
    pub fn recall(&self, part: f64) -> f64 {
        let (lost, _) = self.sums();
        if lost == 0 { 0.0 } else { self.losses_at_the_top(part).0 / lost as f64 }
    }

    /// Expected calibration error: outcomes are put into groups of about equal size by their risk (equal risks stay
    /// together), and the chance of loss that `scale` gives a group is held against the share that was lost in it; the
    /// mean of the differences, by size.
    pub fn calibration_error(&self, scale: &Scale) -> f64 {
        let (lost, kept) = self.sums();
        let all = lost + kept;
        if all == 0 {
            return 0.0;
        }
        let groups = (all / IN_A_GROUP).clamp(1, GROUPS);
        // Of each group, how far what was lost is off what was expected.
        let mut off = [0.0; GROUPS as usize];
        let mut below = 0_u64;
        for (risk, (lost, kept)) in (0_u8..).zip(self.0).filter(|(_, (lost, kept))| lost + kept > 0) {
            let here = lost + kept;
            // By the middle of those with this risk; below `groups`, since the middle lies within all.
            let group = ((2 * below + here) * groups / (2 * all)).min(groups - 1);
            off[group as usize] += scale.chance(risk) * here as f64 - lost as f64;
            below += here;
        }
        off.iter().map(|off: &f64| off.abs()).sum::<f64>() / all as f64
    }
}

/// Outcomes at one risk, 0–1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) risk: f64,
    pub(super) lost: f64,
    pub(super) kept: f64,
}

/// A pull of the slope towards 0: a separable book would have none otherwise. Too small to be seen elsewhere.
const RIDGE: f64 = 1e-4;
/// Newton's method needs about five.
const ITERATIONS: u32 = 30;

/// The chance of loss that a risk stands for: 1 ÷ (1 + exp(−(base + slope × risk))), by maximum likelihood
/// (Platt's scaling). The slope is never below 0: more risk is no less chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    base: f64,
    slope: f64,
}

impl Scale {
    /// Of fitted accounts.
    pub fn of(tally: &Tally) -> Self {
        let points = tally.0.iter().enumerate().filter(|(_, (lost, kept))| lost + kept > 0);
        let points: Vec<Point> = points
            .map(|(risk, (lost, kept))| Point { risk: risk as f64 / 100.0, lost: *lost as f64, kept: *kept as f64 })
            .collect();
        Self::flat(&points).fitted(&points)
    }

    /// A risk of 0 to 100 as a chance from 0 to 1.
    pub fn chance(&self, risk: u8) -> f64 {
        logistic(self.base + self.slope * f64::from(risk) / 100.0)
    }

    /// The average, whatever the risk. Half an outcome of each kind is added, so that it is never certain.
    pub(super) fn flat(points: &[Point]) -> Self {
        let lost: f64 = points.iter().map(|point| point.lost).sum();
        let kept: f64 = points.iter().map(|point| point.kept).sum();
        Self { base: ((lost + 0.5) / (kept + 0.5)).ln(), slope: 0.0 }
    }

    /// From where it is to the best for these points.
    pub(super) fn fitted(mut self, points: &[Point]) -> Self {
        let mut loss = self.penalised(points);
        for _ in 0..ITERATIONS {
            let Some(step) = self.newton(points) else { break };
            let Some((better, now)) = self.towards(step, points, loss) else { break };
            let gained = loss - now;
            (self, loss) = (better, now);
            if gained < 1e-10 {
                break;
            }
        }
        if self.slope < 0.0 { Self::flat(points) } else { self }
    }

    /// Along Newton's step, halved until something is gained.
    fn towards(self, step: (f64, f64), points: &[Point], loss: f64) -> Option<(Self, f64)> {
        let mut part = 1.0;
        for _ in 0..10 {
            let tried = Self { base: self.base + part * step.0, slope: self.slope + part * step.1 };
            let now = tried.penalised(points);
            if now < loss {
                return Some((tried, now));
            }
            part /= 2.0;
        }
        None
    }

    fn newton(self, points: &[Point]) -> Option<(f64, f64)> {
        let (mut all, mut base, mut slope) = (0.0, 0.0, 0.0);
        let (mut bb, mut bs, mut ss) = (0.0, 0.0, 0.0);
        for point in points {
            let chance = logistic(self.base + self.slope * point.risk);
            let here = point.lost + point.kept;
            let off = here * chance - point.lost;
            let bend = here * chance * (1.0 - chance);
            all += here;
            base += off;
            slope += off * point.risk;
            bb += bend;
            bs += bend * point.risk;
            ss += bend * point.risk * point.risk;
        }
        slope += RIDGE * all * self.slope;
        ss += RIDGE * all;
        let determinant = bb * ss - bs * bs;
        let step = (-(ss * base - bs * slope) / determinant, -(bb * slope - bs * base) / determinant);
        (step.0.is_finite() && step.1.is_finite()).then_some(step)
    }

    fn penalised(self, points: &[Point]) -> f64 {
        self.loss(points) + RIDGE * self.slope * self.slope / 2.0
    }

    /// The mean negative logarithm of the chance that was given to what happened.
    pub(super) fn loss(self, points: &[Point]) -> f64 {
        let (mut sum, mut all) = (0.0, 0.0);
        for point in points {
            let log_odds = self.base + self.slope * point.risk;
            sum += point.lost * softplus(-log_odds) + point.kept * softplus(log_odds);
            all += point.lost + point.kept;
        }
        sum / all
    }
}

fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// ln(1 + exp(x)) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
