//! The clock of what waits for somebody: it starts when they have been shown
//! it, asks once, and ends. Handoffs, risks and renewals have the same one; what
//! follows from its end is each machine's own.
//!
//! All times are measured from what really happened: a reminder that went out
//! late, after an outage say, leaves the whole time after it, so that a chain
//! never fires two of its steps at once.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::calendar::WorkCalendar;

/// What somebody has in hand, a claimed handoff or a renewal under way, is asked about when nothing was done about it
/// for so many working days: two weeks, since such work waits for customers (product.md names a number for risks only).
pub const IDLE_WORKING_DAYS: u32 = 10;

/// Of an open wait, in business days of the person who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// Not yet shown to who must act, withheld, or settled: nothing runs.
    Waiting,
    Running {
        since: DateTime<Utc>,
        /// When the one reminder is owed; `None` once it was given.
        remind: Option<DateTime<Utc>>,
        /// When the time is over.
        due: DateTime<Utc>,
    },
    /// The chain has ended, or was answered: it says nothing more about this.
    Over { since: DateTime<Utc> },
}

/// What a clock asks for when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owed {
    Reminder,
    End,
}

/// The columns of a timer: since, remind at, due at.
pub(super) type Columns = (Option<DateTime<Utc>>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

impl Timer {
    /// Runs for `days` business days; the reminder comes a business day before
    /// the end, of shorter waits at half time.
    pub fn start(at: DateTime<Utc>, days: u32, calendar: &WorkCalendar<'_>) -> Self {
        let whole = calendar.business_days(days);
        let before = calendar.business_days(1).min(whole / 2);
        let remind = (days > 0).then(|| calendar.add_open_time(at, whole - before));
        Timer::Running { since: at, remind, due: calendar.add_open_time(at, whole) }
    }

    /// Asks on the `n`-th working day after `from`, and ends so many business
    /// days after that. It asks at noon: the card may stand in that morning's
    /// message, and then nobody has to be asked twice.
    pub fn ask_on(at: DateTime<Utc>, from: NaiveDate, n: u32, end_days: u32, calendar: &WorkCalendar<'_>) -> Self {
        let remind = calendar.noon(calendar.add_working_days(from, n)).max(at);
        Timer::Running { since: at, remind: Some(remind), due: calendar.add_business_time(remind, end_days) }
    }

    /// When something is owed next.
    pub fn next(self) -> Option<DateTime<Utc>> {
        match self {
            Timer::Running { remind, due, .. } => Some(remind.map_or(due, |remind| remind.min(due))),
            Timer::Waiting | Timer::Over { .. } => None,
        }
    }

    pub fn due(self) -> Option<DateTime<Utc>> {
        match self {
            Timer::Running { due, .. } => Some(due),
            Timer::Waiting | Timer::Over { .. } => None,
        }
    }

    /// When it was started; `None` while nothing was shown.
    pub fn since(self) -> Option<DateTime<Utc>> {
        match self {
            Timer::Running { since, .. } | Timer::Over { since } => Some(since),
            Timer::Waiting => None,
        }
    }

    /// Whether its one reminder was given.
    pub fn is_reminded(self) -> bool {
        matches!(self, Timer::Running { remind: None, .. })
    }

    /// What is owed by now. A reminder that was missed is given before the end, however late.
    pub fn owed(self, now: DateTime<Utc>) -> Option<Owed> {
        match self {
            Timer::Running { remind: Some(remind), .. } if remind <= now => Some(Owed::Reminder),
            Timer::Running { remind: None, due, .. } if due <= now => Some(Owed::End),
            _ => None,
        }
    }

    /// The reminder was given at `at`; at least `left` of open time remains after it.
    #[must_use]
    pub fn reminded(self, at: DateTime<Utc>, left: TimeDelta, calendar: &WorkCalendar<'_>) -> Self {
        match self {
            Timer::Running { since, remind: Some(_), due } => {
                let due = due.max(calendar.add_open_time(at, left));
                Timer::Running { since, remind: None, due }
            }
            other => other,
        }
    }

    /// How much open time lies between the reminder and the end as planned; `None` where none is owed.
    pub fn after_reminder(self, calendar: &WorkCalendar<'_>) -> Option<TimeDelta> {
        match self {
            Timer::Running { remind: Some(remind), due, .. } => Some(calendar.open_time_between(remind, due)),
            _ => None,
        }
    }

    pub(super) fn columns(self) -> Columns {
        match self {
            Timer::Waiting => (None, None, None),
            Timer::Running { since, remind, due } => (Some(since), remind, Some(due)),
            Timer::Over { since } => (Some(since), None, None),
        }
    }

    /// A row with a part of a clock only reads as another one, which the row's own check then finds.
    pub(super) fn from_columns((since, remind, due): Columns) -> Self {
        match (since, due) {
            (None, _) => Timer::Waiting,
            (Some(since), Some(due)) => Timer::Running { since, remind, due },
            (Some(since), None) => Timer::Over { since },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono_tz::Tz;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::calendar::BusinessHours;
    use crate::domain::person::Workdays;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn berlin(holidays: &BTreeSet<NaiveDate>) -> WorkCalendar<'_> {
        let zone = Tz::Europe__Berlin;
        WorkCalendar { zone, workdays: Workdays::MON_FRI, holidays, hours: BusinessHours::default() }
    }

    #[test]
    fn asks_a_business_day_before_the_end() {
        let holidays = BTreeSet::from(["2026-11-25".parse().unwrap()]);
        let calendar = berlin(&holidays);
        // Shown on Tuesday at 10:00; Wednesday is a holiday.
        let two = Timer::start(utc("2026-11-24T09:00:00Z"), 2, &calendar);
        assert_eq!((two.next(), two.due()), (Some(utc("2026-11-26T09:00:00Z")), Some(utc("2026-11-27T09:00:00Z"))));
        let one = Timer::start(utc("2026-11-26T08:00:00Z"), 1, &calendar);
        assert_eq!(one.next(), Some(utc("2026-11-26T12:00:00Z")), "half of its day");
        let five = Timer::ask_on(utc("2026-11-23T07:00:00Z"), "2026-11-23".parse().unwrap(), 5, 2, &calendar);
        assert_eq!(five.next(), Some(utc("2026-12-01T11:00:00Z")), "noon, the holiday left out");
        assert_eq!(five.due(), Some(utc("2026-12-03T11:00:00Z")));
    }

    #[test]
    fn a_late_reminder_leaves_the_whole_time_after_it() {
        let holidays = BTreeSet::new();
        let calendar = berlin(&holidays);
        let timer = Timer::start(utc("2026-06-01T08:00:00Z"), 2, &calendar);
        let october = utc("2026-10-05T08:00:00Z");
        assert_eq!(timer.owed(october), Some(Owed::Reminder), "first the reminder, never both at once");
        let left = timer.after_reminder(&calendar).unwrap();
        let reminded = timer.reminded(october, left, &calendar);
        assert_eq!((reminded.owed(october), reminded.due()), (None, Some(utc("2026-10-06T08:00:00Z"))));
        assert_eq!(reminded.reminded(october, left, &calendar), reminded, "once");
    }

    proptest! {
        /// However late the ticks come: one reminder, then one end, in business hours' order, then silence.
        #[test]
        fn one_reminder_and_one_end(days in 1_u32..8, start in 0_i64..2_000, ticks in proptest::collection::vec(1_i64..400, 1..40)) {
            let holidays = BTreeSet::new();
            let calendar = berlin(&holidays);
            let mut at = utc("2026-01-01T00:00:00Z") + TimeDelta::hours(start);
            let mut timer = Timer::start(at, days, &calendar);
            prop_assert!(timer.next() <= timer.due());
            let mut heard = Vec::new();
            for hours in ticks {
                at += TimeDelta::hours(hours);
                match timer.owed(at) {
                    Some(Owed::Reminder) => {
                        let left = timer.after_reminder(&calendar).unwrap();
                        timer = timer.reminded(at, left, &calendar);
                        heard.push(Owed::Reminder);
                        prop_assert!(timer.due().unwrap() > at);
                    }
                    Some(Owed::End) => {
                        timer = Timer::Over { since: at };
                        heard.push(Owed::End);
                    }
                    None => {}
                }
                prop_assert_eq!(Timer::from_columns(timer.columns()), timer);
            }
            prop_assert!([&[][..], &[Owed::Reminder], &[Owed::Reminder, Owed::End]].contains(&heard.as_slice()));
        }
    }
}
