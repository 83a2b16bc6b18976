//! Local mornings, working days, business hours.
//!
//! Chat tools that plan by UTC offsets double or lose a morning twice a year.
//! Here every instant is asked of the time zone's own rules, and every rule
//! holds for odd offsets, for clocks that jump and for days that a zone
//! skipped. Two guards: a list of holidays without end cannot silence anyone
//! ([`LOOK_AHEAD_DAYS`]), and [`Workdays`] is never empty.

use std::collections::BTreeSet;

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;

use super::person::{Person, Workdays};

/// So many calendar days without one working day mean that the holidays are
/// wrong, not that nobody works: from there on only the weekdays count.
pub const LOOK_AHEAD_DAYS: usize = 400;

/// When the night's diagnosis runs, local to the organisation (architecture.md, invariant 6).
const NIGHT_HOUR: u32 = 2;

/// The hours in which a handoff's clock runs, local time. Opens before it closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusinessHours {
    opens: NaiveTime,
    closes: NaiveTime,
}

impl BusinessHours {
    /// `None` where the day would close before it opens.
    pub fn new(opens: NaiveTime, closes: NaiveTime) -> Option<Self> {
        (opens < closes).then_some(Self { opens, closes })
    }
}

impl Default for BusinessHours {
    /// 09:00–17:00.
    fn default() -> Self {
        let nine = NaiveTime::MIN + TimeDelta::hours(9);
        Self { opens: nine, closes: nine + TimeDelta::hours(8) }
    }
}

/// The date that a wall calendar shows in this zone.
pub fn local_date(zone: Tz, at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// The first instant on or after this wall-clock time: where the clocks jump over it, or the zone skipped the date,
/// the first minute after it that exists.
pub fn instant(zone: Tz, date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    let wanted = date.and_time(time);
    // No zone ever skipped more than a day; in the last days of the calendar UTC must do.
    minutes_from(wanted, 2 * 24 * 60).find_map(|local| first_instant(zone, local)).unwrap_or_else(|| wanted.and_utc())
}

/// The instant of the organisation's night on this date: 02:00, or the first
/// minute after it that exists (on a date that the zone skipped, the start of
/// the next one).
pub fn night_at(zone: Tz, date: NaiveDate) -> DateTime<Utc> {
    instant(zone, date, NaiveTime::MIN + TimeDelta::hours(i64::from(NIGHT_HOUR)))
}

/// The first night after this instant, and the local date it belongs to.
pub fn next_night(zone: Tz, after: DateTime<Utc>) -> (NaiveDate, DateTime<Utc>) {
    let today = local_date(zone, after);
    today
        .iter_days()
        .take(3)
        .map(|date| (date, night_at(zone, date)))
        .find(|(_, at)| *at > after)
        .unwrap_or((today, after + TimeDelta::days(1)))
}

/// The working days and hours of one person.
#[derive(Debug, Clone, Copy)]
pub struct WorkCalendar<'a> {
    pub zone: Tz,
    pub workdays: Workdays,
    pub holidays: &'a BTreeSet<NaiveDate>,
    pub hours: BusinessHours,
}

impl<'a> WorkCalendar<'a> {
    pub fn of(person: &Person, holidays: &'a BTreeSet<NaiveDate>) -> Self {
        Self { zone: person.timezone, workdays: person.workdays, holidays, hours: BusinessHours::default() }
    }

    pub fn local_date(&self, at: DateTime<Utc>) -> NaiveDate {
        local_date(self.zone, at)
    }

    pub fn is_working_day(&self, date: NaiveDate) -> bool {
        self.workdays.contains(date.weekday()) && !self.holidays.contains(&date)
    }

    /// The first digest strictly after `after`: one per local working date, at
    /// `time`. A time that does not exist that day moves to the first minute
    /// after it that does, a time that occurs twice means the first. Where the
    /// clocks jump over the rest of the day (Nuuk in March, 23:00 to midnight),
    /// the day's last minute is taken, so that the message keeps its date.
    pub fn next_digest_at(&self, time: NaiveTime, after: DateTime<Utc>) -> DateTime<Utc> {
        self.working_dates(self.local_date(after))
            .filter_map(|date| self.on(date, time))
            .find(|at| *at > after)
            // Only at the end of the calendar, some 260,000 years from now.
            .unwrap_or(after)
    }

    /// The `n`-th working day after `date`; for 0 `date` itself, or the first working day after it.
    pub fn add_working_days(&self, date: NaiveDate, n: u32) -> NaiveDate {
        let (from, skip) = match n {
            0 => (Some(date), 0),
            n => (date.succ_opt(), n as usize - 1),
        };
        from.and_then(|from| self.working_dates(from).nth(skip)).unwrap_or(NaiveDate::MAX)
    }

    /// The first day of the week of `date`: the first weekday after this calendar's longest rest, so a Monday for Monday
    /// to Friday, and a Sunday for Sunday to Thursday.
    pub fn week_of(&self, date: NaiveDate) -> NaiveDate {
        date.week(self.workdays.first()).first_day()
    }

    /// Whether what is said weekly is due on `date`, where it could last be said on `last`: on the first such day of a
    /// week. Who never had one begins with a week's first working day.
    pub fn is_due_weekly(&self, date: NaiveDate, last: Option<NaiveDate>) -> bool {
        last.map_or_else(|| self.opens_week(date), |last| last < self.week_of(date))
    }

    /// Whether `date` is the first working day of its week.
    pub fn opens_week(&self, date: NaiveDate) -> bool {
        let week = self.week_of(date);
        self.is_working_day(date) && week.iter_days().take_while(|day| *day < date).all(|day| !self.is_working_day(day))
    }

    /// Working days after `from`, up to and with `to`; 0 where `to` is not later.
    pub fn working_days_between(&self, from: NaiveDate, to: NaiveDate) -> u32 {
        let days = from.iter_days().skip(1).take_while(|date| *date <= to);
        days.filter(|date| self.is_working_day(*date)).fold(0, |n, _| n + 1)
    }

    /// Whether this instant lies in business hours.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        let date = self.local_date(at);
        self.is_working_day(date) && self.span(date).is_some_and(|(opens, closes)| opens <= at && at < closes)
    }

    /// `at` itself in business hours, else the next opening.
    pub fn next_open(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        self.add_business_time(at, 0)
    }

    /// When `days` full business days of open time have passed since `start`.
    /// Two days from Friday 15:00 end on Tuesday at 15:00; five days from a
    /// Monday's 08:00 end on that Friday at closing time.
    pub fn add_business_time(&self, start: DateTime<Utc>, days: u32) -> DateTime<Utc> {
        self.add_open_time(start, self.business_days(days))
    }

    /// So many business days as open time.
    pub fn business_days(&self, days: u32) -> TimeDelta {
        (self.hours.closes - self.hours.opens) * i32::try_from(days).unwrap_or(i32::MAX)
    }

    /// When so much open time has passed since `start`.
    pub fn add_open_time(&self, start: DateTime<Utc>, length: TimeDelta) -> DateTime<Utc> {
        let mut left = length;
        for date in self.working_dates(self.local_date(start)) {
            let Some((opens, closes)) = self.span(date) else { continue };
            let from = opens.max(start);
            if from >= closes {
                continue;
            }
            if left <= closes - from {
                return from + left;
            }
            left -= closes - from;
        }
        start
    }

    /// How much open time lies between two instants; none where `to` is not later.
    pub fn open_time_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        let last = self.local_date(to);
        self.working_dates(self.local_date(from))
            .take_while(|date| *date <= last)
            .filter_map(|date| self.span(date))
            .map(|(opens, closes)| (closes.min(to) - opens.max(from)).max(TimeDelta::zero()))
            .fold(TimeDelta::zero(), |sum, length| sum + length)
    }

    /// 12:00 of a date; where the zone skipped it, the date's UTC noon.
    pub fn noon(&self, date: NaiveDate) -> DateTime<Utc> {
        let noon = NaiveTime::MIN + TimeDelta::hours(12);
        self.on(date, noon).unwrap_or_else(|| date.and_time(noon).and_utc())
    }

    /// Opening and closing of a date; `None` where the zone skipped it.
    fn span(&self, date: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        Some((self.on(date, self.hours.opens)?, self.on(date, self.hours.closes)?))
    }

    /// This wall-clock time on this date, as [`Self::next_digest_at`] says; `None` where the zone skipped the date.
    fn on(&self, date: NaiveDate, time: NaiveTime) -> Option<DateTime<Utc>> {
        let wanted = date.and_time(time);
        let later = minutes_from(wanted, 24 * 60).take_while(|local| local.date() == date);
        let earlier = (1..=24 * 60).map(|back| wanted - TimeDelta::minutes(back)).take_while(|l| l.date() == date);
        later.chain(earlier).find_map(|local| first_instant(self.zone, local))
    }

    /// The working dates from `from` on, without end (see [`LOOK_AHEAD_DAYS`]).
    fn working_dates(&self, from: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        let mut next = Some(from);
        std::iter::from_fn(move || {
            let start = next?;
            let found = start
                .iter_days()
                .take(LOOK_AHEAD_DAYS)
                .find(|date| self.is_working_day(*date))
                .or_else(|| start.iter_days().take(7).find(|date| self.workdays.contains(date.weekday())))?;
            next = found.checked_add_days(Days::new(1));
            Some(found)
        })
    }
}

/// The first instant that shows this wall-clock time; `None` in a gap.
fn first_instant(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) => Some(at.to_utc()),
        MappedLocalTime::Ambiguous(one, other) => Some(one.min(other).to_utc()),
        MappedLocalTime::None => None,
    }
}

/// `start`, then whole minutes after it.
fn minutes_from(start: NaiveDateTime, most: i64) -> impl Iterator<Item = NaiveDateTime> {
    let whole = start.with_second(0).and_then(|t| t.with_nanosecond(0)).unwrap_or(start);
    std::iter::once(start).chain((1..=most).map_while(move |n| whole.checked_add_signed(TimeDelta::minutes(n))))
}

#[cfg(test)]
mod tests {
    use chrono_tz::TZ_VARIANTS;
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn time(text: &str) -> NaiveTime {
        text.parse().unwrap()
    }

    fn calendar<'a>(zone: &str, workdays: &str, holidays: &'a BTreeSet<NaiveDate>) -> WorkCalendar<'a> {
        WorkCalendar {
            zone: zone.parse().unwrap(),
            workdays: workdays.parse().unwrap(),
            holidays,
            hours: BusinessHours::default(),
        }
    }

    /// The next digest, written in the zone's own time.
    fn digest(zone: &str, at: &str, after: &str) -> String {
        let none = BTreeSet::new();
        let calendar = calendar(zone, "mon-sun", &none);
        calendar.next_digest_at(time(at), utc(after)).with_timezone(&calendar.zone).to_rfc3339()
    }

    #[test]
    fn mornings_follow_the_zone() {
        let table = [
            ("a plain day", digest("Europe/Berlin", "08:00:00", "2026-11-23T06:59:59Z")),
            ("strictly after", digest("Europe/Berlin", "08:00:00", "2026-11-23T07:00:00Z")),
            ("spring: 02:30 does not exist", digest("Europe/Berlin", "02:30:00", "2026-03-29T00:00:00Z")),
            ("autumn: 02:30 occurs twice", digest("Europe/Berlin", "02:30:00", "2026-10-24T22:00:00Z")),
            ("autumn: not again an hour later", digest("Europe/Berlin", "02:30:00", "2026-10-25T00:30:00Z")),
            ("29 February", digest("America/New_York", "08:00:00", "2028-02-28T13:00:00Z")),
            ("a quarter of an hour", digest("Asia/Kathmandu", "08:00:00", "2026-11-23T00:00:00Z")),
            ("30 December 2011 never was", digest("Pacific/Apia", "08:00:00", "2011-12-29T19:00:00Z")),
            ("the day ends early", digest("America/Nuuk", "23:30:00", "2026-03-28T12:00:00Z")),
            ("and the next one is whole", digest("America/Nuuk", "23:30:00", "2026-03-29T01:00:00Z")),
            ("half an hour of summer", digest("Australia/Lord_Howe", "02:15:00", "2026-10-03T12:00:00Z")),
        ];
        let lines: Vec<String> = table.iter().map(|(what, at)| format!("{what}: {at}")).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        a plain day: 2026-11-23T08:00:00+01:00
        strictly after: 2026-11-24T08:00:00+01:00
        spring: 02:30 does not exist: 2026-03-29T03:00:00+02:00
        autumn: 02:30 occurs twice: 2026-10-25T02:30:00+02:00
        autumn: not again an hour later: 2026-10-26T02:30:00+01:00
        29 February: 2028-02-29T08:00:00-05:00
        a quarter of an hour: 2026-11-23T08:00:00+05:45
        30 December 2011 never was: 2011-12-31T08:00:00+14:00
        the day ends early: 2026-03-28T22:59:00-02:00
        and the next one is whole: 2026-03-29T23:30:00-01:00
        half an hour of summer: 2026-10-04T02:30:00+11:00
        ");
    }

    #[test]
    fn working_days_leave_out_weekends_and_holidays() {
        let holidays = BTreeSet::from([day("2026-12-25"), day("2027-01-01")]);
        let calendar = calendar("Europe/Berlin", "mon-fri", &holidays);
        assert_eq!(calendar.add_working_days(day("2026-12-24"), 1), day("2026-12-28"));
        assert_eq!(calendar.add_working_days(day("2026-12-24"), 5), day("2027-01-04"));
        assert_eq!(calendar.add_working_days(day("2026-12-25"), 0), day("2026-12-28"));
        assert_eq!(calendar.working_days_between(day("2026-12-24"), day("2027-01-04")), 5);
        assert_eq!(calendar.working_days_between(day("2026-12-24"), day("2026-12-24")), 0);
    }

    #[test]
    fn a_week_opens_with_its_first_working_day() {
        let holidays = BTreeSet::from([day("2026-12-28")]);
        let opening = |workdays: &str, from: &str| {
            let calendar = calendar("Europe/Berlin", workdays, &holidays);
            let days = day(from).iter_days().take(7).filter(|date| calendar.opens_week(*date));
            days.map(|date| date.format("%a %d").to_string()).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(opening("mon-fri", "2026-11-23"), "Mon 23");
        assert_eq!(opening("mon-fri", "2026-12-28"), "Tue 29", "Monday is a holiday");
        assert_eq!(opening("sun-thu", "2026-11-22"), "Sun 22");
        assert_eq!(opening("tue;wed", "2026-11-23"), "Tue 24");
        assert_eq!(opening("mon-sun", "2026-11-23"), "Mon 23");
        assert_eq!(opening("fri-mon", "2026-11-23"), "Fri 27");
    }

    #[test]
    fn what_is_weekly_waits_for_who_was_away_when_the_week_began() {
        let none = BTreeSet::new();
        let calendar = calendar("Europe/Berlin", "mon-fri", &none);
        let due = |date: &str, last: Option<&str>| calendar.is_due_weekly(day(date), last.map(day));
        assert!(due("2026-11-30", Some("2026-11-27")) && due("2026-12-01", Some("2026-11-27")));
        assert!(due("2026-12-14", Some("2026-11-27")), "after weeks away");
        assert!(!due("2026-12-01", Some("2026-11-30")) && !due("2026-12-04", Some("2026-12-01")));
        assert!(due("2026-11-30", None) && !due("2026-12-01", None), "a first morning within a week");
    }

    #[test]
    fn business_time_counts_open_hours() {
        let holidays = BTreeSet::from([day("2026-11-26")]);
        let calendar = calendar("America/New_York", "mon-fri", &holidays);
        // Friday 15:00 local: two hours that day, eight on Monday, six on Tuesday.
        assert_eq!(calendar.add_business_time(utc("2026-11-20T20:00:00Z"), 2), utc("2026-11-24T20:00:00Z"));
        // Delivered on Monday at 08:00, five days: over Thanksgiving until the next Monday's closing.
        assert_eq!(calendar.add_business_time(utc("2026-11-23T13:00:00Z"), 5), utc("2026-11-30T22:00:00Z"));
        assert_eq!(calendar.next_open(utc("2026-11-21T03:00:00Z")), utc("2026-11-23T14:00:00Z"));
        assert!(calendar.is_open(utc("2026-11-23T14:00:00Z")) && !calendar.is_open(utc("2026-11-23T22:00:00Z")));
        assert!(!calendar.is_open(utc("2026-11-26T15:00:00Z")), "a holiday");
    }

    #[test]
    fn holidays_without_end_silence_nobody() {
        let holidays: BTreeSet<_> = day("2026-01-01").iter_days().take(3_000).collect();
        let calendar = calendar("Europe/Berlin", "mon-fri", &holidays);
        assert_eq!(calendar.add_working_days(day("2026-11-20"), 1), day("2026-11-23"));
        assert_eq!(calendar.next_digest_at(time("08:00:00"), utc("2026-11-20T12:00:00Z")), utc("2026-11-23T07:00:00Z"));
        assert_eq!(calendar.add_business_time(utc("2026-11-20T16:00:00Z"), 1), utc("2026-11-23T16:00:00Z"));
    }

    #[test]
    fn the_night_is_two_o_clock_or_the_first_minute_after() {
        assert_eq!(night_at(Tz::Europe__Berlin, day("2026-11-23")), utc("2026-11-23T01:00:00Z"));
        assert_eq!(night_at(Tz::Europe__Berlin, day("2026-03-29")), utc("2026-03-29T01:00:00Z"));
        assert_eq!(night_at(Tz::Pacific__Apia, day("2011-12-30")), utc("2011-12-30T10:00:00Z"));
        let next = next_night(Tz::Europe__Berlin, utc("2026-11-23T01:00:00Z"));
        assert_eq!(next, (day("2026-11-24"), utc("2026-11-24T01:00:00Z")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Every zone of the tz database, any start from 1975 to 2045.
        #[test]
        fn one_digest_a_local_working_date(
            zone in proptest::sample::select(&TZ_VARIANTS[..]),
            start in 157_766_400_i64..2_366_841_600,
            minutes in 0_i64..1440,
            bits in 1_u8..128,
            off in proptest::collection::btree_set(0_u64..40, 0..6),
        ) {
            let start = DateTime::from_timestamp(start, 0).unwrap();
            let holidays = off.iter().map(|n| local_date(zone, start) + Days::new(*n)).collect();
            let calendar = WorkCalendar {
                zone, workdays: Workdays::from_bits(bits).unwrap(), holidays: &holidays, hours: BusinessHours::default(),
            };
            let wanted = NaiveTime::MIN + TimeDelta::minutes(minutes);
            let mut at = start;
            let mut last = None;
            for _ in 0..8 {
                let next = calendar.next_digest_at(wanted, at);
                let date = local_date(zone, next);
                prop_assert!(next > at);
                prop_assert!(calendar.is_working_day(date));
                if let Some(last) = last {
                    prop_assert!(date > last, "two on {last}");
                    // None was left out: no working date between them exists in this zone.
                    for between in last.iter_days().skip(1).take_while(|d| *d < date) {
                        prop_assert!(!calendar.is_working_day(between) || calendar.on(between, wanted).is_none());
                    }
                }
                (at, last) = (next, Some(date));
            }
        }

        #[test]
        fn business_time_ends_in_business_hours_and_never_runs_back(
            zone in proptest::sample::select(&TZ_VARIANTS[..]),
            start in 157_766_400_i64..2_366_841_600,
            bits in 1_u8..128,
            days in 0_u32..12,
        ) {
            let start = DateTime::from_timestamp(start, 0).unwrap();
            let none = BTreeSet::new();
            let calendar = WorkCalendar {
                zone, workdays: Workdays::from_bits(bits).unwrap(), holidays: &none, hours: BusinessHours::default(),
            };
            let end = calendar.add_business_time(start, days);
            prop_assert!(end >= start);
            prop_assert!(calendar.is_open(end - TimeDelta::nanoseconds(1)) || calendar.is_open(end));
            prop_assert!(calendar.add_business_time(start, days + 1) > end);
        }

        #[test]
        fn adding_and_counting_working_days_agree(
            offset in 0_u64..30_000, bits in 1_u8..128, n in 1_u32..60,
            off in proptest::collection::btree_set(0_u64..90, 0..10),
        ) {
            let from = day("1990-01-01") + Days::new(offset);
            let holidays = off.iter().map(|n| from + Days::new(*n)).collect();
            let calendar = WorkCalendar {
                zone: Tz::UTC, workdays: Workdays::from_bits(bits).unwrap(), holidays: &holidays,
                hours: BusinessHours::default(),
            };
            let to = calendar.add_working_days(from, n);
            prop_assert!(calendar.is_working_day(to));
            prop_assert_eq!(calendar.working_days_between(from, to), n);
        }
    }
}
