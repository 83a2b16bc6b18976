//! Usage: 0.6 × the worse of trend and slow decline, 0.4 × the mean of seat use and breadth.
//!
//! Decisions: the book's correction also goes over slow decline, or a holiday of
//! the whole book would come back through that door. Trend and slow decline are
//! each read from the first of core actions, active users and sessions for which
//! they are known.

use chrono::NaiveDate;

use super::case::{Case, highest, mean};
use super::reduce::Look;
use super::series::{self, TrendRead};
use super::wording::{WithPrevious, fact, number, percent, span};
use super::{Observation, Rule};
use crate::domain::diagnosis::Fact;
use crate::domain::signal::Source;

/// What the trend is taken of, the best first.
pub(in crate::domain) const MEASURES: [&str; 3] = ["core_actions", "active_users", "sessions"];
const LABELS: [&str; 3] = ["Core actions", "Active users", "Sessions"];
const UNITS: [&str; 3] = ["actions", "users", "sessions"];
/// How many weeks back the growth of a window is followed.
pub(in crate::domain) const GROWTH_WEEKS_AT_MOST: u32 = 13;

#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::domain) struct Read {
    /// In the order of [`MEASURES`].
    pub(super) trends: [Option<TrendRead>; 3],
    /// The last value of a gauge, the newest block of a count, where valid.
    pub(super) levels: [Option<f64>; 3],
    active_users: Option<Observation>,
    features_used: Option<Observation>,
    features_entitled: Option<Observation>,
    pub(in crate::domain) windows: UsageWindows,
}

/// What the expansion windows need.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::domain) struct UsageWindows {
    pub(in crate::domain) entitlement_pct: Option<Observation>,
    pub(in crate::domain) entitlement_since: Option<NaiveDate>,
    pub(in crate::domain) limit_hit: Option<NaiveDate>,
    pub(in crate::domain) seats_assigned: Option<FullSeats>,
    pub(in crate::domain) seats_active: Option<FullSeats>,
    /// For each of [`MEASURES`]: since when growth has held for long enough.
    pub(in crate::domain) growing_since: [Option<NaiveDate>; 3],
}

/// Seats in use, and since when they have been close to all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::domain) struct FullSeats {
    pub(in crate::domain) used: f64,
    /// `None` where the seats are not full, or not for long enough.
    pub(in crate::domain) since: Option<NaiveDate>,
}

impl Read {
    pub(super) fn take(&mut self, look: &Look<'_>) {
        if let Some(index) = MEASURES.iter().position(|kind| *kind == look.kind) {
            let count = look.kind != "active_users";
            self.trends[index] = look.trend(count);
            self.levels[index] = level(look, count);
            self.windows.growing_since[index] = growing_since(look, count);
        }
        match look.kind {
            "active_users" => {
                self.active_users = look.last();
                self.windows.seats_active = full_seats(look);
            }
            "seats_assigned" => self.windows.seats_assigned = full_seats(look),
            "features_used" => self.features_used = look.last(),
            "features_entitled" => self.features_entitled = look.last(),
            "entitlement_used_pct" => {
                let least = look.policy.windows.entitlement_pct;
                self.windows.entitlement_pct = look.last();
                self.windows.entitlement_since = since(look, |value| value >= least);
            }
            "plan_limit_hit" => self.windows.limit_hit = look.true_within(look.policy.windows.limit_hit_days),
            _ => {}
        }
    }

    /// The measure by whose trend the account is judged.
    pub(in crate::domain) fn judged_by(&self) -> Option<(usize, &TrendRead)> {
        let known = |read: &&TrendRead| read.trend().is_some();
        (0..3).find_map(|i| self.trends[i].as_ref().filter(known).map(|read| (i, read)))
    }
}

fn level(look: &Look<'_>, count: bool) -> Option<f64> {
    let last = look.last()?.known()?;
    Some(if count && !look.windows.each_row {
        series::sum_within(look.points, look.windows.block.unsigned_abs() - 1, look.today)
    } else {
        last.value
    })
}

/// First day of the run of observations that `holds`, up to the last one.
fn since(look: &Look<'_>, holds: impl Fn(f64) -> bool) -> Option<NaiveDate> {
    look.points.iter().rev().take_while(|point| holds(point.1)).last().map(|point| series::date_of(point.0))
}

fn full_seats(look: &Look<'_>) -> Option<FullSeats> {
    let rules = &look.policy.windows;
    let last = look.last()?.known()?;
    let seats = look.account.seats.filter(|seats| *seats > 0)? as f64;
    let full = |value: f64| value / seats >= rules.seats_ratio;
    let needed = rules.seats_observations as usize;
    let oldest = look.today - series::days_of(rules.seats_days);
    let recent = look.points.iter().rev().take_while(|point| point.0 > oldest).count().max(needed);
    let held = look.points.len() >= recent && look.points.iter().rev().take(recent).all(|point| full(point.1));
    let since = held.then(|| since(look, full)).flatten();
    Some(FullSeats { used: last.value, since })
}

/// The raw trend, looked at week by week: growth is what is really used, so a
/// falling book must not turn a steady account into a growing one. Growth of
/// four weeks takes five looks, and the earliest that held is the day it is known since.
fn growing_since(look: &Look<'_>, count: bool) -> Option<NaiveDate> {
    let rules = &look.policy.windows;
    let grows = |week: &u32| {
        let trend = look.trend_at(count, look.today - 7 * series::days_of(*week)).and_then(|read| read.trend());
        trend.is_some_and(|trend| trend >= rules.growth_trend)
    };
    let earliest = (0..=GROWTH_WEEKS_AT_MOST).take_while(grows).last()?;
    (earliest >= rules.growth_weeks.min(GROWTH_WEEKS_AT_MOST))
        .then(|| series::date_of(look.today - 7 * series::days_of(earliest)))
}

/// The trend by which the account is judged, minus the book. `None` while withheld.
pub(super) fn trend(case: &Case<'_>) -> Option<(usize, TrendRead, f64)> {
    if case.withheld(Source::Usage) {
        return None;
    }
    let (index, read) = case.evidence.usage.judged_by()?;
    let trend = case.book.corrected(MEASURES[index], read.trend()?)?;
    Some((index, *read, trend))
}

fn slow_decline(case: &Case<'_>) -> Option<(usize, TrendRead, f64)> {
    let known = |i: usize| case.evidence.usage.trends[i].and_then(|read| read.of_peak().map(|part| (i, read, part)));
    let (index, read, part) = (0..3).find_map(known)?;
    Some((index, read, case.book.corrected(MEASURES[index], part)?))
}

fn seat_use(case: &Case<'_>) -> Option<(f64, f64, NaiveDate)> {
    let active = case.evidence.usage.active_users?.known()?;
    let seats = case.account.seats.filter(|seats| *seats > 0)? as f64;
    Some((active.value, seats, active.as_of))
}

fn breadth(case: &Case<'_>) -> Option<(f64, f64, NaiveDate)> {
    let used = case.evidence.usage.features_used?.known()?;
    let entitled = case.evidence.usage.features_entitled?.known().filter(|entitled| entitled.value > 0.0)?;
    Some((used.value, entitled.value, used.as_of))
}

pub(super) fn score(case: &Case<'_>, parts: &mut Vec<(Rule, f64)>) -> Option<f64> {
    let rules = &case.policy.usage;
    let onboarding = case.is_onboarding();
    let decline = highest(&[
        case.on(Rule::UsageTrend, trend(case).filter(|_| !onboarding).map(|(.., trend)| rules.trend.at(trend))),
        case.on(
            Rule::UsageSlowDecline,
            slow_decline(case).filter(|_| !onboarding).map(|(.., part)| rules.slow_decline.at(part)),
        ),
    ]);
    let seats = seat_use(case).map(
        |(active, seats, _)| {
            if onboarding && active > 0.0 { 0.0 } else { rules.seat_use.at(active / seats) }
        },
    );
    let spread = [
        case.on(Rule::SeatUse, seats),
        case.on(Rule::FeatureBreadth, breadth(case).map(|(used, entitled, _)| rules.breadth.at(used / entitled))),
    ];
    let share = rules.decline_share;
    let spread_share = if decline.is_some() { 1.0 - share } else { 1.0 };
    let mean = mean(&spread, spread_share, parts);
    let Some((rule, decline)) = decline else { return mean };
    let share = if mean.is_some() { share } else { 1.0 };
    parts.push((rule, share * decline));
    Some(share * decline + mean.map_or(0.0, |mean| (1.0 - share) * mean))
}

pub(super) fn describe(case: &Case<'_>, rule: Rule) -> Option<(String, Vec<Fact>)> {
    let usage = Source::Usage;
    match rule {
        Rule::UsageTrend => {
            let (index, read, corrected) = trend(case)?;
            let before = read.baseline?;
            let weeks = span(read.since.map_or(7, |since| (read.as_of - since).num_days()));
            let headline = format!(
                "{} fell from {} to {}{} in {weeks}",
                LABELS[index],
                number(before),
                number(read.recent),
                per_block(&read)
            );
            let mut facts =
                vec![fact(LABELS[index], read.recent, &unit(index, &read), usage, read.as_of).before(before)];
            if let Some(median) = case.book.median_below_one(MEASURES[index]) {
                facts.push(fact("Against the whole book", corrected * 100.0, "%", usage, read.as_of));
                facts.push(fact("Median of the book", median * 100.0, "%", usage, read.as_of));
            }
            Some((headline, facts))
        }
        Rule::UsageSlowDecline => {
            let (index, read, _) = slow_decline(case)?;
            let (peak, peaked) = read.peak?;
            let headline = format!(
                "{} slid from a peak of {} to {}{} over {}",
                LABELS[index],
                number(peak),
                number(read.recent),
                per_block(&read),
                span((read.as_of - peaked).num_days())
            );
            Some((
                headline,
                vec![fact(LABELS[index], read.recent, &unit(index, &read), usage, read.as_of).before(peak)],
            ))
        }
        Rule::SeatUse => {
            let (active, seats, as_of) = seat_use(case)?;
            let headline = format!(
                "Only {} of {} paid seats were active in the last 28 days ({})",
                number(active),
                number(seats),
                percent(active / seats)
            );
            let facts =
                vec![fact("Active users", active, "users", usage, as_of), fact("Seats", seats, "seats", usage, as_of)];
            Some((headline, facts))
        }
        Rule::FeatureBreadth => {
            let (used, entitled, as_of) = breadth(case)?;
            let headline = format!(
                "Only {} of the {} features they pay for are in use, as of {}",
                number(used),
                number(entitled),
                super::wording::day(as_of)
            );
            let facts = vec![
                fact("Features used", used, "features", usage, as_of),
                fact("Features entitled", entitled, "features", usage, as_of),
            ];
            Some((headline, facts))
        }
        _ => None,
    }
}

fn per_block(read: &TrendRead) -> String {
    match read.block_days {
        0 => String::new(),
        7 => " a week".to_owned(),
        28..=31 => " a month".to_owned(),
        days => format!(" per {days} days"),
    }
}

fn unit(index: usize, read: &TrendRead) -> String {
    format!("{}{}", UNITS[index], per_block(read))
}
