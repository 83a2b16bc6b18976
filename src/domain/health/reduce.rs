//! The first pass: one account's signals, in any order, to its evidence.

use chrono::{Datelike, NaiveDate};

use super::series::{self, Combine, Point, TrendRead, Windows};
use super::{Evidence, Feed, Observation, billing, crm, measures, onboarding, sentiment, support, usage};
use crate::domain::account::{Account, Contact};
use crate::domain::policy::{Aggregate, Policy};
use crate::domain::renewal;
use crate::domain::signal::{Pulse, Shape, Signal, SignalValue, Source, known_kind};

/// One kind's observations up to the date, with what it takes to read them.
pub(super) struct Look<'a> {
    pub(super) kind: &'a str,
    pub(super) points: &'a [Point],
    pub(super) windows: Windows,
    /// For how many days an observation is believed.
    pub(super) validity: i32,
    /// The last observation is within its validity.
    pub(super) valid: bool,
    pub(super) today: i32,
    pub(super) account: &'a Account,
    pub(super) policy: &'a Policy,
}

impl Look<'_> {
    /// The last observation.
    pub(super) fn last(&self) -> Option<Observation> {
        let &(day, value) = self.points.last()?;
        Some(Observation { value, as_of: series::date_of(day), valid: self.valid })
    }

    /// The last observation, with the sum over `days` in place of its value.
    pub(super) fn sum(&self, days: u32) -> Option<Observation> {
        let sum = series::sum_within(self.points, days, self.today);
        self.last().map(|last| Observation { value: sum, ..last })
    }

    /// Recent, baseline and peak as of `today`.
    pub(super) fn trend(&self, count: bool) -> Option<TrendRead> {
        self.trend_at(count, self.today)
    }

    pub(super) fn trend_at(&self, count: bool, today: i32) -> Option<TrendRead> {
        match count {
            true => series::count_trend(self.points, self.windows, today),
            false => series::trend(self.points, self.windows, false, today),
        }
    }

    /// The latest day within `days` on which the value was true.
    pub(super) fn true_within(&self, days: u32) -> Option<NaiveDate> {
        let oldest = self.today - series::days_of(days);
        let hit = self.points.iter().rev().take_while(|point| point.0 >= oldest).find(|point| point.1 > 0.0)?;
        Some(series::date_of(hit.0))
    }

    /// As [`Look::true_within`], unless a later row takes it back.
    pub(super) fn stands_within(&self, days: u32) -> Option<NaiveDate> {
        self.true_within(days).filter(|_| self.points.last().is_some_and(|last| last.1 > 0.0))
    }

    /// The first day of the run of equal truth that the last observation ends.
    pub(super) fn run_start(&self) -> Option<(bool, NaiveDate)> {
        let truth = self.points.last()?.1 > 0.0;
        let first = self.points.iter().rev().take_while(|point| (point.1 > 0.0) == truth).last()?;
        Some((truth, series::date_of(first.0)))
    }

    /// The latest day after `since` that follows the row before it after more than the validity.
    pub(super) fn begins_anew_after(&self, since: NaiveDate) -> Option<NaiveDate> {
        let gap = |pair: &&[Point]| pair[1].0 - pair[0].0 > self.validity;
        let anew = self.points.windows(2).rev().find(gap).map(|pair| series::date_of(pair[1].0));
        anew.filter(|day| *day > since)
    }
}

impl Evidence {
    /// Reduces one account's signals, in any order, to what the rules need on `date`.
    /// Signals after `date` are ignored, as is any value that is no finite number.
    pub fn reduce(
        account: &Account,
        contacts: &[Contact],
        signals: &[Signal],
        date: NaiveDate,
        policy: &Policy,
    ) -> Evidence {
        let mut evidence = Evidence {
            account_id: account.id.clone(),
            date,
            feeds: [Feed::default(); 6],
            usage: usage::Read::default(),
            crm: crm::Read::default(),
            support: support::Read::default(),
            billing: billing::Read::default(),
            sentiment: sentiment::Read::default(),
            onboarding: onboarding::Read::default(),
            measures: vec![None; policy.measures.len()],
            churned_on: None,
        };
        let mut rows: Vec<&Signal> = signals.iter().filter(|signal| signal.observed_on <= date).collect();
        rows.sort_unstable_by(|a, b| {
            (a.source, &a.kind, a.observed_on, &a.reference).cmp(&(b.source, &b.kind, b.observed_on, &b.reference))
        });
        let mut scratch = Scratch::default();
        for group in rows.chunk_by(|a, b| a.source == b.source && a.kind == b.kind) {
            evidence.take_kind(group, &mut scratch, account, policy);
        }
        evidence.crm.finish(account, contacts, evidence.feeds[Source::Crm as usize].live, date, policy);
        evidence.crm.drop_before(renewal::last_renewal(account, date));
        evidence.support.finish(evidence.feeds[Source::Support as usize].live, date, policy);
        evidence
    }

    fn take_kind(&mut self, group: &[&Signal], scratch: &mut Scratch, account: &Account, policy: &Policy) {
        let (source, kind) = (group[0].source, group[0].kind.as_str());
        let known = known_kind(source, kind);
        let shape = known.map_or(Shape::Gauge { max: None }, |known| known.shape);
        let today = series::number_of(self.date);
        scratch.rows.clear();
        scratch.rows.extend(group.iter().filter_map(|row| {
            let value = number(&row.value, shape)?;
            Some((row.observed_on.num_days_from_ce(), value))
        }));
        series::combine(&scratch.rows, combination(kind, shape), &mut scratch.points);
        let interval = series::interval(&scratch.points, &policy.reading);
        // A measure of text has no points; its rows are observations all the same.
        let last_day = group[group.len() - 1].observed_on.num_days_from_ce();
        let own = policy.measures.get(kind).filter(|measure| measure.source == source && known.is_none());
        let validity =
            own.map_or_else(|| validity(kind, interval, policy), |measure| series::days_of(measure.window_days));
        let valid = today - last_day <= validity;
        let feed = &mut self.feeds[source as usize];
        feed.last_row = feed.last_row.max(Some(group[group.len() - 1].observed_on));
        feed.live |= valid;

        let windows = Windows::of(&scratch.points, interval, &policy.reading);
        let look = Look { kind, points: &scratch.points, windows, validity, valid, today, account, policy };
        match source {
            Source::Usage => self.usage.take(&look),
            Source::Crm => self.crm.take(&look),
            Source::Support => self.support.take(&look),
            Source::Billing => self.billing.take(&look),
            Source::Sentiment => self.sentiment.take(&look),
            Source::Onboarding => self.onboarding.take(&look),
        }
        if let Some(index) = policy.measures.iter().position(|(name, m)| m.source == source && name == kind) {
            let measure = &policy.measures[kind];
            let count = matches!(shape, Shape::Count) && measure.aggregate == Aggregate::Trend;
            self.measures[index] = measures::read(measure, &look, group, count);
        }
    }
}

/// Buffers that serve all kinds of an account.
#[derive(Default)]
struct Scratch {
    rows: Vec<Point>,
    points: Vec<Point>,
}

/// A value as a number: a pulse by its severity, a date by its day.
fn number(value: &SignalValue, shape: Shape) -> Option<f64> {
    match (shape, value) {
        (Shape::Pulse, SignalValue::Text(text)) => text.parse().ok().map(|pulse| match pulse {
            Pulse::Green => 0.0,
            Pulse::Amber => 1.0,
            Pulse::Red => 2.0,
        }),
        (Shape::Date, SignalValue::Date(date)) => Some(f64::from(series::number_of(*date))),
        (Shape::Date, SignalValue::Text(text)) => {
            text.parse().ok().map(|date: NaiveDate| f64::from(series::number_of(date)))
        }
        (Shape::Pulse | Shape::Date, _) => None,
        _ => value.number().filter(|number| number.is_finite()),
    }
}

fn combination(kind: &str, shape: Shape) -> Combine {
    match (shape, kind) {
        (Shape::Count, _) => Combine::Sum,
        (_, "csat" | "nps") => Combine::Median,
        // Nearest expiry, and the switch to off, are what counts of a day.
        (_, "discount_expires_in_days" | "auto_renew") => Combine::Min,
        _ => Combine::Max,
    }
}

/// For how many days an observation of this kind is believed.
fn validity(kind: &str, interval: i32, policy: &Policy) -> i32 {
    let validity = &policy.validity;
    // What is summed is known for as long as a row may be in the sum.
    let summed = match kind {
        "meeting_rescheduled" => policy.crm.meetings_days,
        "payment_failures" => policy.billing.failures_days,
        "escalations" => policy.support.escalations_days,
        "tickets_opened" => policy.support.silence_days,
        _ => 0,
    };
    let days = match kind {
        "competitor_named" => validity.competitor_named,
        "meeting_rescheduled" => validity.meeting_rescheduled,
        "csm_pulse" => validity.csm_pulse,
        "nps" => validity.nps,
        _ => {
            let intervals = interval.saturating_mul(series::days_of(validity.intervals));
            return series::days_of(validity.days.max(summed)).max(intervals);
        }
    };
    series::days_of(days.max(summed))
}
