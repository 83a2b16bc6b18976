//! One kind's observations of one account, and how they are read over time:
//! recent, baseline, peak, trend (diagnosis.md, "Reading signals").
//!
//! Days are numbers (days of the common era), so no odd date can overflow.
//! A kind with a single observation has no gap to measure; it is read with the
//! day limits alone.

use chrono::{Datelike, NaiveDate};

use crate::domain::policy::Reading;

/// One value a day, in order of days.
pub(super) type Point = (i32, f64);

pub(super) fn number_of(day: NaiveDate) -> i32 {
    day.num_days_from_ce()
}

/// The reverse of [`number_of`]; every number here came from a date.
pub(super) fn date_of(day: i32) -> NaiveDate {
    NaiveDate::from_num_days_from_ce_opt(day).unwrap_or_default()
}

/// How several values of one day become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Combine {
    /// Counts.
    Sum,
    /// Levels told per invoice, per ticket: the worst stands for the account.
    Max,
    Min,
    /// Answers of several people.
    Median,
}

/// Median of `values`, which are reordered; the mean of the middle two where they are even.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let (middle, odd) = (values.len() / 2, values.len() % 2 == 1);
    let (below, at, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *at;
    if odd {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(f64::midpoint(lower, upper))
}

/// Brings rows, sorted by day, to one point a day.
pub(super) fn combine(rows: &[Point], how: Combine, points: &mut Vec<Point>) {
    points.clear();
    for day in rows.chunk_by(|a, b| a.0 == b.0) {
        let values = day.iter().map(|row| row.1);
        let value = match how {
            Combine::Sum => values.sum(),
            Combine::Max => values.fold(f64::NEG_INFINITY, f64::max),
            Combine::Min => values.fold(f64::INFINITY, f64::min),
            Combine::Median => median(&mut values.collect::<Vec<_>>()).unwrap_or_default(),
        };
        points.push((day[0].0, value));
    }
}

/// The median gap between observations in days, at most the policy's; 0 for a single observation.
pub(super) fn interval(points: &[Point], reading: &Reading) -> i32 {
    let mut gaps: Vec<f64> = points.windows(2).map(|pair| f64::from(pair[1].0 - pair[0].0)).collect();
    let most = f64::from(reading.interval_days_at_most);
    // At most 100,000 by the policy's check, and whole after rounding.
    median(&mut gaps).map_or(0, |gap| gap.min(most).round() as i32)
}

/// No window is longer, in days, whatever a policy multiplies: sums of days stay within their type.
const LONGEST: i32 = 1_000_000;

/// The windows of one kind, in days, for its reporting interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) block: i32,
    /// Rows are further apart than a block: each is one.
    pub(super) each_row: bool,
    recent: i32,
    baseline: i32,
    peak: i32,
    history: i32,
    observations: usize,
}

impl Windows {
    pub(super) fn of(points: &[Point], interval: i32, reading: &Reading) -> Self {
        let longest =
            |days: u32, intervals: u32| days_of(days).max(interval.saturating_mul(days_of(intervals))).min(LONGEST);
        Self {
            block: longest(reading.block_days, 1),
            each_row: interval > days_of(reading.block_days) && is_periodic(points, interval),
            recent: longest(reading.recent_days, reading.recent_intervals),
            baseline: longest(reading.baseline_days, reading.baseline_intervals),
            peak: longest(reading.peak_days, reading.peak_intervals),
            history: days_of(reading.history_days).min(LONGEST),
            observations: reading.baseline_observations as usize,
        }
    }

    /// With a baseline of another length.
    pub(super) fn with_baseline(self, days: u32) -> Self {
        Self { baseline: self.baseline.max(days_of(days)), ..self }
    }
}

/// Reports come at a pace, months of 28 days too; what is written when something happens comes in flocks as well.
fn is_periodic(points: &[Point], interval: i32) -> bool {
    points.windows(2).all(|pair| 2 * (pair[1].0 - pair[0].0) > interval)
}

/// Policy days as a signed number; the policy's check keeps them below 100,000.
pub(super) fn days_of(days: u32) -> i32 {
    i32::try_from(days).unwrap_or(i32::MAX)
}

/// Sums of consecutive blocks counted back from `today`, each at its last day, oldest first.
/// A block without rows is missing: it is unknown, not zero.
fn blocks(points: &[Point], block: i32, today: i32) -> Vec<Point> {
    let mut blocks: Vec<Point> = Vec::new();
    for &(day, value) in points.iter().filter(|point| point.0 <= today) {
        let end = today - (today - day) / block * block;
        match blocks.last_mut() {
            Some(last) if last.0 == end => last.1 += value,
            _ => blocks.push((end, value)),
        }
    }
    blocks
}

/// Reads a count as of `today`, by its blocks. A row counts for its day, or since the row before it: months are of
/// different lengths, and two of them in one block would be a peak that nobody had.
pub(super) fn count_trend(points: &[Point], windows: Windows, today: i32) -> Option<TrendRead> {
    if windows.each_row {
        return trend(points, windows, true, today);
    }
    trend(&blocks(points, windows.block, today), windows, true, today)
}

/// Those of `points` with a day in `(after, until]`.
fn within(points: &[Point], after: i32, until: i32) -> &[Point] {
    let from = points.partition_point(|point| point.0 <= after);
    let to = points.partition_point(|point| point.0 <= until);
    &points[from..to.max(from)]
}

fn median_of(points: &[Point], buffer: &mut Vec<f64>) -> Option<f64> {
    buffer.clear();
    buffer.extend(points.iter().map(|point| point.1));
    median(buffer)
}

/// A level, or a count per block, now and before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrendRead {
    pub recent: f64,
    /// Day of the latest observation in `recent`.
    pub as_of: NaiveDate,
    /// 0 for gauges, else the length in days of the blocks that are summed.
    pub block_days: u16,
    /// `None` with too few observations.
    pub baseline: Option<f64>,
    /// The last day before the fall (or rise) on which the level was still at its baseline.
    pub since: Option<NaiveDate>,
    /// The highest level of the year before, and the last day of its window.
    pub peak: Option<(f64, NaiveDate)>,
}

impl TrendRead {
    /// Recent ÷ baseline, not yet corrected by the book. `None` where the baseline
    /// is unknown or nothing (a level that grows from zero has no ratio).
    pub fn trend(&self) -> Option<f64> {
        self.baseline.filter(|baseline| *baseline > 0.0).map(|baseline| self.recent / baseline)
    }

    /// Recent ÷ peak, not yet corrected by the book.
    pub fn of_peak(&self) -> Option<f64> {
        self.peak.filter(|peak| peak.0 > 0.0).map(|peak| self.recent / peak.0)
    }
}

/// Reads levels (or block sums) as of `today`. `count` is true for block sums: a
/// baseline below 1 then counts as 1. `None` without a recent observation.
pub(super) fn trend(levels: &[Point], windows: Windows, count: bool, today: i32) -> Option<TrendRead> {
    let mut buffer = Vec::new();
    let before_recent = today - windows.recent;
    let recent_points = within(levels, before_recent, today);
    let recent = median_of(recent_points, &mut buffer)?;
    let baseline_points = within(levels, before_recent - windows.baseline, before_recent);
    let floor = |value: f64| if count { value.max(1.0) } else { value };
    let baseline = (baseline_points.len() >= windows.observations)
        .then(|| median_of(baseline_points, &mut buffer).map(floor))
        .flatten();
    let as_of = recent_points.last()?.0;
    Some(TrendRead {
        recent,
        as_of: date_of(as_of),
        block_days: if count { u16::try_from(windows.block).unwrap_or(u16::MAX) } else { 0 },
        baseline,
        since: baseline.and_then(|baseline| last_at(levels, baseline, recent, as_of)),
        peak: peak(levels, windows, before_recent, &mut buffer).map(|(value, day)| (floor(value), day)),
    })
}

/// The last day before `as_of` on which the level was within 5 % of the baseline,
/// seen from where it is now. A convention of wording only: "in five weeks".
fn last_at(levels: &[Point], baseline: f64, recent: f64, as_of: i32) -> Option<NaiveDate> {
    let fell = recent <= baseline;
    let still = |value: f64| if fell { value >= 0.95 * baseline } else { value <= 1.05 * baseline };
    let earlier = levels.iter().rev().filter(|point| point.0 < as_of);
    earlier.into_iter().find(|point| still(point.1)).map(|point| date_of(point.0))
}

/// A window needs two observations to be a level and not an outlier.
fn peak(levels: &[Point], windows: Windows, before_recent: i32, buffer: &mut Vec<f64>) -> Option<(f64, NaiveDate)> {
    let oldest = before_recent - windows.history;
    let mut best: Option<(f64, i32)> = None;
    for end in within(levels, oldest, before_recent).iter().map(|point| point.0) {
        let window = within(levels, (end - windows.peak).max(oldest), end);
        if window.len() < 2 {
            continue;
        }
        let level = median_of(window, buffer)?;
        // The latest of equal windows: "slid over seven months" counts from when it was last there.
        if best.is_none_or(|(highest, _)| level >= highest) {
            best = Some((level, end));
        }
    }
    best.map(|(level, end)| (level, date_of(end)))
}

/// Sum of the values of the last `days` days up to `today`; a row of exactly so many days ago is in.
pub(super) fn sum_within(points: &[Point], days: u32, today: i32) -> f64 {
    within(points, today - days_of(days) - 1, today).iter().map(|point| point.1).sum()
}

/// Median of the values before `recent`, within the year before it.
pub(super) fn earlier_median(points: &[Point], windows: Windows, today: i32) -> Option<f64> {
    let before_recent = today - windows.recent;
    median_of(within(points, before_recent - windows.history, before_recent), &mut Vec::new())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::policy::Policy;

    const TODAY: i32 = 740_000;

    fn every(gap: i32, values: &[f64]) -> Vec<Point> {
        let last = i32::try_from(values.len()).unwrap() - 1;
        (0..).zip(values).map(|(i, value)| (TODAY - (last - i) * gap, *value)).collect()
    }

    fn read(points: &[Point], count: bool) -> Option<TrendRead> {
        let reading = Policy::default().reading;
        let windows = Windows::of(points, interval(points, &reading), &reading);
        if count { count_trend(points, windows, TODAY) } else { trend(points, windows, false, TODAY) }
    }

    #[test]
    fn weekly_gauges() {
        // Recent: the last 14 days, two observations. Baseline: the 90 days before, twelve of them.
        let points = every(7, &[10., 80., 80., 80., 80., 80., 80., 80., 80., 80., 60., 50., 40., 30., 26.]);
        let read = read(&points, false).unwrap();
        assert_eq!((read.recent, read.baseline), (28.0, Some(80.0)));
        assert_eq!(read.since, Some(date_of(TODAY - 35)));
        assert_eq!(read.peak.unwrap().0, 80.0);
    }

    #[test]
    fn monthly_gauges_have_longer_windows() {
        let points = every(31, &[100., 100., 100., 100., 60., 40.]);
        let monthly = read(&points, false).unwrap();
        // (62 days, two observations) against the 124 days before them.
        assert_eq!((monthly.recent, monthly.baseline), (50.0, Some(100.0)));
        assert_eq!(read(&every(31, &[100., 100., 60., 40.]), false).unwrap().baseline, None, "two are too few");
    }

    #[test]
    fn counts_are_summed_in_blocks_and_silence_is_unknown() {
        let daily: Vec<f64> = (0..98).map(|i| if i < 84 { 2.0 } else { 1.0 }).collect();
        let read_daily = read(&every(1, &daily), true).unwrap();
        assert_eq!((read_daily.recent, read_daily.baseline, read_daily.block_days), (7.0, Some(14.0), 7));
        let mut stopped = every(1, &[3.0; 90]);
        stopped.truncate(70);
        assert_eq!(read(&stopped, true), None, "no rows in 20 days is unknown, not zero");
        let zeros = every(7, &[0.0; 16]);
        assert_eq!(read(&zeros, true).unwrap().trend(), Some(0.0), "a baseline below 1 counts as 1");
        assert_eq!(read(&zeros, false).unwrap().trend(), None, "a gauge at nothing has no trend");
    }

    #[test]
    fn a_steady_month_is_steady_on_every_day() {
        let reading = Policy::default().reading;
        let first = |month: u32| {
            let day = NaiveDate::from_ymd_opt(2023, 1, 1).unwrap() + chrono::Months::new(month);
            (number_of(day), 1_000.0)
        };
        let months: Vec<Point> = (0..36).map(first).collect();
        for today in (months[24].0)..(months[35].0) {
            let known: Vec<Point> = months.iter().copied().filter(|point| point.0 <= today).collect();
            let read = count_trend(&known, Windows::of(&known, interval(&known, &reading), &reading), today).unwrap();
            let all = (read.recent, read.baseline, read.peak.map(|peak| peak.0), read.block_days);
            assert_eq!(all, (1_000.0, Some(1_000.0), Some(1_000.0), 31), "{}", date_of(today));
        }
    }

    #[test]
    fn what_is_written_when_it_happens_is_summed_though_it_is_seldom() {
        let mut tickets: Vec<Point> = (1..20).rev().map(|n| (TODAY - 14 * n, 1.0)).collect();
        tickets.extend((0..5).rev().map(|n| (TODAY - 2 * n, 1.0)));
        let read = read(&tickets, true).unwrap();
        assert!(read.recent > 2.0 && read.baseline == Some(1.0), "{read:?}");
    }

    #[test]
    fn one_high_day_is_no_peak() {
        let mut points = every(7, &[50.0; 40]);
        points[10].1 = 5_000.0;
        assert_eq!(read(&points, false).unwrap().peak.unwrap().0, 50.0);
        assert_eq!(interval(&points, &Policy::default().reading), 7);
        assert_eq!(interval(&every(90, &[1.0, 1.0]), &Policy::default().reading), 31);
        assert_eq!(interval(&points[..1], &Policy::default().reading), 0);
    }

    proptest! {
        #[test]
        fn medians_lie_in_the_middle(mut values in proptest::collection::vec(0.0..1e6_f64, 1..40)) {
            let middle = median(&mut values).unwrap();
            let below = values.iter().filter(|v| **v <= middle).count();
            let above = values.iter().filter(|v| **v >= middle).count();
            prop_assert!(below * 2 >= values.len() && above * 2 >= values.len());
        }

        #[test]
        fn reading_never_panics(days in proptest::collection::btree_set(-700_000..TODAY, 0..60), count in any::<bool>()) {
            let points: Vec<Point> = days.into_iter().map(|day| (day, f64::from(day.rem_euclid(50)))).collect();
            if let Some(read) = read(&points, count) {
                prop_assert!(read.recent.is_finite() && read.trend().is_none_or(f64::is_finite));
            }
        }
    }
}
