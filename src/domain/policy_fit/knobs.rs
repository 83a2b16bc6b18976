//! The numbers of a policy that are fitted, and the steps in which they move.

use serde::Serialize;

use crate::domain::policy::{Policy, Weight};
use crate::domain::signal::Source;

/// How far a measure's weight may move: eight times as much, or an eighth.
const MEASURE_STEPS: i32 = 6;

/// Weights of the families in the order of [`Source::ALL`], of measures in the policy's.
#[derive(Debug, Clone, PartialEq)]
pub struct Knobs {
    established: [f64; 6],
    onboarding: [f64; 6],
    measures: Vec<f64>,
}

/// One number of the policy file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Number {
    /// Its place in the file, such as `weights.usage.established`.
    pub key: String,
    pub in_use: f64,
    pub fit: f64,
}

impl Knobs {
    pub fn of(policy: &Policy) -> Self {
        Self {
            established: Source::ALL.map(|source| policy.weights.of(source).established),
            onboarding: Source::ALL.map(|source| policy.weights.of(source).onboarding),
            measures: policy.measures.values().map(|measure| measure.weight).collect(),
        }
    }

    pub(super) fn weights(&self, onboarding: bool) -> &[f64; 6] {
        if onboarding { &self.onboarding } else { &self.established }
    }

    pub(super) fn measure(&self, index: usize) -> f64 {
        self.measures.get(index).copied().unwrap_or(1.0)
    }

    pub(super) fn applied_to(&self, policy: &Policy) -> Policy {
        let mut policy = policy.clone();
        for source in Source::ALL {
            let (established, onboarding) = (self.established[source as usize], self.onboarding[source as usize]);
            *policy.weights.of_mut(source) = Weight { established, onboarding };
        }
        for (measure, weight) in policy.measures.values_mut().zip(&self.measures) {
            measure.weight = *weight;
        }
        policy
    }

    /// Every number, beside what it is in use.
    pub(super) fn against(&self, in_use: &Knobs, policy: &Policy) -> Vec<Number> {
        let families = |phase: &'static str, fit: &[f64; 6], in_use: &[f64; 6]| {
            let number = |source: Source| {
                let (in_use, fit) = (in_use[source as usize], fit[source as usize]);
                Number { key: format!("weights.{source}.{phase}"), in_use, fit }
            };
            Source::ALL.map(number)
        };
        let mut numbers = Vec::new();
        numbers.extend(families("established", &self.established, &in_use.established));
        numbers.extend(families("onboarding", &self.onboarding, &in_use.onboarding));
        for ((name, fit), in_use) in policy.measures.keys().zip(&self.measures).zip(&in_use.measures) {
            numbers.push(Number { key: format!("measures.{name}.weight"), in_use: *in_use, fit: *fit });
        }
        numbers
    }
}

/// What a search may change: which families' weights, in which units. The sums of weights stay, so that what is in use
/// and what is fitted read on the same scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Room {
    in_use: Knobs,
    /// Of a family's weight in each phase, established first: a whole power of ten, so that people can read the result.
    units: [f64; 2],
    /// Whether a phase has enough accounts to be fitted.
    phases: [bool; 2],
}

/// How many units each number is away from the policy in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Steps {
    families: [[i32; 6]; 2],
    measures: Vec<i32>,
}

/// One change that a search tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// Weight of one family goes to another.
    Transfer {
        phase: usize,
        from: usize,
        to: usize,
    },
    Measure {
        index: usize,
        up: bool,
    },
}

impl Room {
    pub(super) fn new(in_use: &Knobs, phases: [bool; 2]) -> Self {
        let unit = |weights: &[f64; 6]| {
            let sum: f64 = weights.iter().sum();
            10_f64.powf((sum / 50.0).log10().floor())
        };
        Self { units: [unit(&in_use.established), unit(&in_use.onboarding)], in_use: in_use.clone(), phases }
    }

    pub(super) fn start(&self) -> Steps {
        Steps { families: [[0; 6]; 2], measures: vec![0; self.in_use.measures.len()] }
    }

    /// Every kind of change, in a fixed order. A family without weight in use has none to give and gets none: that it
    /// does not count is a decision.
    pub(super) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for phase in [0, 1].into_iter().filter(|phase| self.phases[*phase]) {
            let weights = self.in_use.weights(phase == 1);
            let counts = |family: &usize| weights[*family] > 0.0;
            for from in (0..6).filter(counts) {
                moves.extend((0..6).filter(counts).filter(|to| *to != from).map(|to| Move::Transfer {
                    phase,
                    from,
                    to,
                }));
            }
        }
        for index in 0..self.in_use.measures.len() {
            moves.extend([true, false].map(|up| Move::Measure { index, up }));
        }
        moves
    }

    /// After a change of so many units; `None` where it leaves the bounds: a family that counts keeps at least one unit.
    pub(super) fn after(&self, steps: &Steps, change: Move, units: i32) -> Option<Steps> {
        let mut steps = steps.clone();
        match change {
            Move::Transfer { phase, from, to } => {
                steps.families[phase][from] -= units;
                steps.families[phase][to] += units;
                let left = self.family(phase, from, steps.families[phase][from]);
                (left >= self.units[phase] * 0.999).then_some(steps)
            }
            Move::Measure { index, up } => {
                // A step of a measure is a factor already: larger ones would leap over what is near.
                let step = steps.measures.get_mut(index)?;
                *step += if up { 1 } else { -1 };
                (units == 1 && step.abs() <= MEASURE_STEPS).then_some(steps)
            }
        }
    }

    fn family(&self, phase: usize, family: usize, steps: i32) -> f64 {
        let weight = self.in_use.weights(phase == 1)[family] + f64::from(steps) * self.units[phase];
        tidy(weight)
    }

    pub(super) fn knobs(&self, steps: &Steps) -> Knobs {
        let mut knobs = self.in_use.clone();
        for (phase, weights) in [&mut knobs.established, &mut knobs.onboarding].into_iter().enumerate() {
            for (family, weight) in weights.iter_mut().enumerate().filter(|(f, _)| steps.families[phase][*f] != 0) {
                *weight = self.family(phase, family, steps.families[phase][family]);
            }
        }
        for (weight, steps) in knobs.measures.iter_mut().zip(&steps.measures).filter(|(_, steps)| **steps != 0) {
            *weight = tidy(*weight * 2_f64.powf(f64::from(*steps) / 2.0));
        }
        knobs
    }

    /// How far from the policy in use, 0 for not at all: squares of the weights moved as parts of their sum, and of a
    /// measure's steps as parts of all it could go.
    pub(super) fn distance(&self, steps: &Steps) -> f64 {
        let mut distance = 0.0;
        for (phase, families) in steps.families.iter().enumerate() {
            let sum: f64 = self.in_use.weights(phase == 1).iter().sum();
            distance += families.iter().map(|steps| (f64::from(*steps) * self.units[phase] / sum).powi(2)).sum::<f64>();
        }
        let measure = |steps: &i32| (f64::from(*steps) / f64::from(2 * MEASURE_STEPS)).powi(2);
        distance + steps.measures.iter().map(measure).sum::<f64>()
    }
}

/// Six significant digits: what a step adds is a decimal, and reads as one.
fn tidy(weight: f64) -> f64 {
    if weight == 0.0 {
        return 0.0;
    }
    let digits = 10_f64.powf(5.0 - weight.abs().log10().floor());
    let rounded = (weight * digits).round() / digits;
    // Division by a power of ten below one leaves a tail; the text has none.
    format!("{rounded:.10}").parse().unwrap_or(rounded)
}
