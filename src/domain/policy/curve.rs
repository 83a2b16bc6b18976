//! A piecewise-linear scale from a measured value to a risk.

use serde::{Deserialize, Serialize};

/// Points `[value, risk]`, values strictly rising or strictly falling; linear
/// between them, flat outside. In the policy file: `trend = [[0.95, 0], [0.85, 20]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Curve(Vec<(f64, f64)>);

impl Curve {
    pub(super) fn of(points: &[(f64, f64)]) -> Self {
        Self(points.to_vec())
    }

    /// Risk at `value`, flat outside the points.
    pub fn at(&self, value: f64) -> f64 {
        let (Some(&first), Some(&last)) = (self.0.first(), self.0.last()) else { return 0.0 };
        let rising = first.0 <= last.0;
        let before = |a: f64, b: f64| if rising { a <= b } else { a >= b };
        if before(value, first.0) {
            return first.1;
        }
        for pair in self.0.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            if before(value, to.0) {
                return from.1 + (to.1 - from.1) * (value - from.0) / (to.0 - from.0);
            }
        }
        last.1
    }

    /// As [`Curve::at`], but nothing before the first point. For scales that
    /// begin above zero, such as "one escalation is 40": flat outside would make
    /// a ticket of one day as bad as one of thirty.
    pub fn from_first(&self, value: f64) -> f64 {
        match self.0.as_slice() {
            [] => 0.0,
            [first, ..] if self.starts_after(first.0, value) => 0.0,
            _ => self.at(value),
        }
    }

    /// The first point's value: where the risk begins.
    pub fn start(&self) -> f64 {
        self.0.first().map_or(0.0, |point| point.0)
    }

    fn starts_after(&self, first: f64, value: f64) -> bool {
        let rising = self.0.last().is_none_or(|last| first <= last.0);
        if rising { value < first } else { value > first }
    }

    /// Says what is wrong with the points, in words that follow the key's name.
    pub(super) fn fault(&self) -> Option<String> {
        if self.0.is_empty() {
            return Some("has no points; expected at least one [value, risk]".to_owned());
        }
        let sorted = self.0.windows(2).all(|p| p[0].0 < p[1].0) || self.0.windows(2).all(|p| p[0].0 > p[1].0);
        if !sorted {
            return Some("has its points out of order; expected values that only rise or only fall".to_owned());
        }
        let outside = self.0.iter().find(|point| !(0.0..=100.0).contains(&point.1));
        outside.map(|point| format!("gives a risk of {}; expected 0 to 100", point.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_linear_between_and_flat_outside() {
        let falling = Curve::of(&[(0.95, 0.0), (0.85, 20.0), (0.30, 100.0)]);
        assert_eq!(falling.at(2.0), 0.0);
        assert!((falling.at(0.90) - 10.0).abs() < 1e-9);
        assert_eq!(falling.at(0.85), 20.0);
        assert_eq!(falling.at(0.0), 100.0);
        let rising = Curve::of(&[(30.0, 30.0), (60.0, 60.0)]);
        assert_eq!(rising.at(1.0), 30.0);
        assert_eq!(rising.from_first(29.9), 0.0);
        assert_eq!(rising.from_first(45.0), 45.0);
        assert_eq!(rising.from_first(90.0), 60.0);
    }
}
