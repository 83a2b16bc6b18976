//! Small repeatable randomness, by a seed. The generators of `rand` may change
//! their numbers with a version; the demo wants the same book for good, and a fit
//! the same accounts held out.

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Dice(u64);

impl Dice {
    /// Streams of one seed are unrelated.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut dice = Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        dice.next();
        dice
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number from `low` to `high`, both included.
    pub(crate) fn whole(&mut self, low: i64, high: i64) -> i64 {
        let faces = high.saturating_sub(low).saturating_add(1).max(1).unsigned_abs();
        // The remainder is smaller than its count of faces, which came from an i64.
        low + (self.next() % faces) as i64
    }

    pub(crate) fn chance(&mut self, part: f64) -> bool {
        self.unit() < part
    }

    /// One of them; `fallback` only for an empty list.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T], fallback: T) -> T {
        let last = from.len().saturating_sub(1) as i64;
        let at = usize::try_from(self.whole(0, last)).unwrap_or_default();
        from.get(at).copied().unwrap_or(fallback)
    }

    /// `value` with noise of at most `part` either way.
    pub(crate) fn near(&mut self, value: f64, part: f64) -> f64 {
        value * self.between(1.0 - part, 1.0 + part)
    }
}
