//! The stretch of time that a figure is about: a calendar month, quarter or year.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate};

/// `2026-11`, `2026-Q4` or `2026`. A running one reaches until today: the year is the year to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    first: NaiveDate,
    months: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    #[error("\"{0}\" is no period; expected a quarter such as 2026-Q4, a month such as 2026-11 or a year such as 2026")]
    Unreadable(String),
    #[error("{period} begins on {first}; there is nothing to count yet")]
    NotBegun { period: Period, first: NaiveDate },
}

/// The days of a period that have come, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub first: NaiveDate,
    pub last: NaiveDate,
}

impl Span {
    pub fn contains(self, day: NaiveDate) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// The day after the last.
    pub fn end(self) -> NaiveDate {
        self.last.succ_opt().unwrap_or(NaiveDate::MAX)
    }

    /// The last `days` days up to and with `today`.
    pub fn back_from(today: NaiveDate, days: u64) -> Self {
        let first = today.checked_sub_days(chrono::Days::new(days.saturating_sub(1)));
        Self { first: first.unwrap_or(NaiveDate::MIN), last: today }
    }
}

impl Period {
    fn new(year: i32, month: u32, months: u32) -> Option<Self> {
        // Beyond these years a date could not be written as it was read.
        let first = (1970..=9999).contains(&year).then(|| NaiveDate::from_ymd_opt(year, month, 1))??;
        Some(Self { first, months })
    }

    /// The calendar quarter of a day.
    pub fn quarter_of(day: NaiveDate) -> Self {
        let first = NaiveDate::from_ymd_opt(day.year(), day.month0() / 3 * 3 + 1, 1).unwrap_or(day);
        Self { first, months: 3 }
    }

    pub fn first(self) -> NaiveDate {
        self.first
    }

    pub fn last(self) -> NaiveDate {
        let next = self.first.checked_add_months(Months::new(self.months));
        next.and_then(|next| next.pred_opt()).unwrap_or(NaiveDate::MAX)
    }

    /// What of it has come.
    pub fn until(self, today: NaiveDate) -> Result<Span, PeriodError> {
        if self.first > today {
            return Err(PeriodError::NotBegun { period: self, first: self.first });
        }
        Ok(Span { first: self.first, last: self.last().min(today) })
    }

    /// The period of the same length before it.
    pub fn before(self) -> Self {
        let first = self.first.checked_sub_months(Months::new(self.months)).unwrap_or(self.first);
        Self { first, ..self }
    }

    /// The quarters it is made of, as quotas name them; none for a month.
    pub fn quarters(self) -> Vec<Period> {
        (0..self.months / 3)
            .filter_map(|n| self.first.checked_add_months(Months::new(n * 3)))
            .map(|first| Period { first, months: 3 })
            .collect()
    }

    /// "Q4 2026", "November 2026", "2026".
    pub fn label(self) -> String {
        match self.months {
            1 => self.first.format("%B %Y").to_string(),
            3 => format!("Q{} {}", self.first.month0() / 3 + 1, self.first.year()),
            _ => self.first.year().to_string(),
        }
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = || PeriodError::Unreadable(text.to_owned());
        let number = |text: &str, digits: usize| {
            let whole = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
            whole.then(|| text.parse::<u32>().ok()).flatten().ok_or_else(unreadable)
        };
        let text = text.trim();
        let (year, part) = text.split_once('-').map_or((text, None), |(year, part)| (year, Some(part)));
        let year = i32::try_from(number(year, 4)?).map_err(|_| unreadable())?;
        let made = match part {
            None => Period::new(year, 1, 12),
            Some(part) => match part.strip_prefix(['Q', 'q']) {
                Some(quarter) => match number(quarter, 1)? {
                    quarter @ 1..=4 => Period::new(year, quarter * 3 - 2, 3),
                    _ => None,
                },
                None => Period::new(year, number(part, 2)?, 1),
            },
        };
        made.ok_or_else(unreadable)
    }
}

/// As it is typed: "2026-Q4", "2026-11", "2026".
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.months {
            1 => write!(f, "{}", self.first.format("%Y-%m")),
            3 => write!(f, "{}-Q{}", self.first.year(), self.first.month0() / 3 + 1),
            _ => write!(f, "{}", self.first.year()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn periods_are_read_as_people_write_them() {
        for (typed, first, last, label) in [
            ("2026-Q4", "2026-10-01", "2026-12-31", "Q4 2026"),
            (" 2026-q1 ", "2026-01-01", "2026-03-31", "Q1 2026"),
            ("2028-02", "2028-02-01", "2028-02-29", "February 2028"),
            ("2026", "2026-01-01", "2026-12-31", "2026"),
        ] {
            let period: Period = typed.parse().unwrap();
            assert_eq!((period.first(), period.last(), period.label().as_str()), (day(first), day(last), label));
        }
        for typed in
            ["", "2026-Q5", "2026-Q0", "2026-13", "2026-1", "26", "Q4", "2026-Q4-1", "+026", "last quarter", "0001"]
        {
            let error = typed.parse::<Period>().unwrap_err().to_string();
            assert!(error.contains("expected a quarter such as 2026-Q4"), "{error}");
        }
    }

    #[test]
    fn a_running_period_ends_today_and_a_coming_one_is_refused() {
        let year: Period = "2026".parse().unwrap();
        assert_eq!(year.until(day("2026-11-25")), Ok(Span { first: day("2026-01-01"), last: day("2026-11-25") }));
        assert_eq!(year.until(day("2027-03-01")).unwrap().last, day("2026-12-31"));
        let next: Period = "2027-Q1".parse().unwrap();
        assert_eq!(
            next.until(day("2026-11-25")).unwrap_err().to_string(),
            "2027-Q1 begins on 2027-01-01; there is nothing to count yet"
        );
        assert_eq!(next.before().to_string(), "2026-Q4");
        let quarters: Vec<String> = year.quarters().iter().map(Period::to_string).collect();
        assert_eq!(quarters, ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]);
        assert_eq!("2026-11".parse::<Period>().unwrap().quarters(), []);
        assert_eq!(Period::quarter_of(day("2026-11-25")).to_string(), "2026-Q4");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(year in 1970_i32..=9999, part in 0_u32..17) {
            let text = match part {
                0 => format!("{year}"),
                month @ 1..=12 => format!("{year}-{month:02}"),
                quarter => format!("{year}-Q{}", quarter - 12),
            };
            let period: Period = text.parse().unwrap();
            prop_assert_eq!(period.to_string(), text);
            prop_assert!(period.first() < period.last());
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,12}") {
            let _ = text.parse::<Period>();
        }
    }
}
