//! How often a source delivers, and from when on its silence is late: a feed that comes every day is late after a
//! few days, one that comes every month after weeks.

use serde::{Deserialize, Serialize};

/// How many days back deliveries are looked at: four of a monthly source.
pub const DAYS: i64 = 128;
/// Where no rhythm is known, a source is late after so many days: the validity of a gauge (diagnosis.md, "Reading
/// signals").
const LATE_AFTER: i64 = 45;
/// What is forgiven beyond the usual days, at least: a weekend and a holiday.
const GRACE: u16 = 3;

/// The days, counted back from a diagnosis, of which a source had something to tell. Bit 0 is the day itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Days(u128);

/// A source's rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rhythm {
    /// The usual number of days from one delivery to the next: their median.
    pub usual: u16,
    /// With more days than these since the last one, it is late.
    pub late_after: u16,
}

impl Days {
    /// Something was observed so many days before the diagnosis. What lies ahead of it or far back is passed over.
    pub fn note(&mut self, ago: i64) {
        if (0..DAYS).contains(&ago) {
            self.0 |= 1 << ago;
        }
    }

    /// With the days of another account.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// `None` before the second delivery.
    pub fn rhythm(self) -> Option<Rhythm> {
        let days: Vec<u16> = (0..128).filter(|ago| self.0 >> ago & 1 == 1).collect();
        let mut gaps: Vec<u16> = days.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.sort_unstable();
        let usual = *gaps.get(gaps.len() / 2)?;
        // Weekends, or a source that comes as it pleases, are its rhythm too; one outage is not.
        let long = gaps[(gaps.len() * 19).div_ceil(20) - 1];
        let late_after = (usual + (usual / 2).max(GRACE)).max(long + 1);
        Some(Rhythm { usual, late_after })
    }
}

/// Whether a source whose last facts are so many days old has missed a delivery.
pub fn is_late(rhythm: Option<Rhythm>, age: i64) -> bool {
    age > rhythm.map_or(LATE_AFTER, |rhythm| i64::from(rhythm.late_after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(days: impl IntoIterator<Item = i64>) -> Option<(u16, u16)> {
        let mut seen = Days::default();
        days.into_iter().for_each(|ago| seen.note(ago));
        seen.rhythm().map(|rhythm| (rhythm.usual, rhythm.late_after))
    }

    #[test]
    fn each_rhythm_is_late_in_its_own_time() {
        assert_eq!(of(0..120), Some((1, 4)), "every day");
        assert_eq!(of((0..120).filter(|ago| ago % 7 < 5)), Some((1, 4)), "on working days");
        assert_eq!(of((0..120).filter(|ago| !(30..44).contains(ago))), Some((1, 4)), "with one outage");
        assert_eq!(of((0..18).map(|week| week * 7)), Some((7, 10)), "every week");
        assert_eq!(of([2, 32, 63, 93, 124]), Some((31, 46)), "every month");
        assert_eq!(of([0, 1, 3, 12, 13, 20, 29, 31, 41]), Some((7, 11)), "as it comes");
        assert_eq!(of([0, 92]), Some((92, 138)), "every quarter");
        for too_little in [vec![], vec![5], vec![5, 5], vec![-1, 5, 128]] {
            assert_eq!(of(too_little.clone()), None, "{too_little:?}");
        }
    }

    #[test]
    fn without_a_rhythm_a_source_is_late_after_the_validity_of_a_gauge() {
        let daily = Rhythm { usual: 1, late_after: 4 };
        assert!(!is_late(Some(daily), 4) && is_late(Some(daily), 5));
        assert!(!is_late(None, 45) && is_late(None, 46));
    }
}
