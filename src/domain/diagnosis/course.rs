//! An account's health over its last nights. Each diagnosis carries it along, so that whoever shows it need not look
//! every night up.

use chrono::{Days, NaiveDate};

/// How far back it goes, in days before the diagnosis.
pub const DAYS: u16 = 90;

/// No diagnosis on that day, or one without health.
const NONE: u8 = u8::MAX;

/// Health in percent on each of the [`DAYS`] days before a date. A byte a day, the last of the day before; days before
/// the first that is known are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course(Vec<u8>);

impl Course {
    /// Of the nights before `date`, in whatever order. Other days, and those too long ago, are passed over.
    pub fn before(date: NaiveDate, nights: impl IntoIterator<Item = (NaiveDate, u8)>) -> Self {
        let mut days = vec![NONE; usize::from(DAYS)];
        for (night, health) in nights {
            let ago = usize::try_from((date - night).num_days()).unwrap_or(0);
            if let Some(day) = days.len().checked_sub(ago).and_then(|place| days.get_mut(place)) {
                *day = health;
            }
        }
        Self::from_bytes(&days)
    }

    /// As it was stored.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let bytes = &bytes[bytes.len().saturating_sub(usize::from(DAYS))..];
        let known = bytes.iter().position(|health| *health != NONE).unwrap_or(bytes.len());
        Self(bytes[known..].to_vec())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The course before `date`, given this one before `night` and the health of that night.
    pub fn then(&self, night: NaiveDate, health: Option<u8>, date: NaiveDate) -> Self {
        Self::before(date, self.nights(night).chain(health.map(|health| (night, health))))
    }

    /// The nights with health before `date`, for which it was made, oldest first.
    pub fn nights(&self, date: NaiveDate) -> impl Iterator<Item = (NaiveDate, u8)> {
        let ago = (1..=self.0.len() as u64).rev();
        ago.zip(&self.0)
            .filter(|(_, health)| **health != NONE)
            .filter_map(move |(ago, health)| Some((date.checked_sub_days(Days::new(ago))?, *health)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    const FIRST: NaiveDate = NaiveDate::from_ymd_opt(2026, 1, 5).unwrap();

    proptest! {
        /// Carried from night to night, whatever gaps there are, it is what the nights of the last 90 days said.
        #[test]
        fn carried_along_it_says_what_each_night_said(nights in vec((1_u64..40, option::of(0_u8..=100)), 0..120)) {
            let (mut before, mut course) = (FIRST, Course::default());
            let mut told = BTreeMap::new();
            for (days, health) in nights {
                let date = before + Days::new(days);
                told.extend(health.map(|health| (before, health)));
                course = course.then(before, health, date);
                let oldest = date - Days::new(DAYS.into());
                let wanted: Vec<_> = told.range(oldest..).map(|(night, health)| (*night, *health)).collect();
                prop_assert_eq!(course.nights(date).collect::<Vec<_>>(), wanted.clone());
                prop_assert_eq!(&Course::before(date, wanted), &course);
                prop_assert_eq!(&Course::from_bytes(course.as_bytes()), &course);
                before = date;
            }
        }

        #[test]
        fn whatever_was_stored_is_read(bytes in vec(any::<u8>(), 0..300)) {
            let nights: Vec<_> = Course::from_bytes(&bytes).nights(FIRST).collect();
            prop_assert!(nights.len() <= usize::from(DAYS));
            prop_assert!(nights.is_sorted() && nights.iter().all(|(night, health)| *night < FIRST && *health != NONE));
        }
    }

    #[test]
    fn a_night_that_is_not_before_it_is_none_of_it() {
        let days = |days: u64| FIRST + Days::new(days);
        let nights = [(days(0), 40), (days(90), 50), (days(91), 60), (days(92), 70)];
        let course = Course::before(days(91), nights);
        assert_eq!(course.nights(days(91)).collect::<Vec<_>>(), [(days(90), 50)]);
        assert_eq!(course.as_bytes(), [50], "a byte a day from the first that is known");
    }
}
