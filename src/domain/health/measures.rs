//! Measures of one's own (contract.md, `[measures.NAME]`).

use chrono::NaiveDate;

use super::case::Case;
use super::reduce::Look;
use super::series;
use super::wording::{WithPrevious, fact, fact_text, number};
use crate::domain::diagnosis::{Cause, Fact};
use crate::domain::policy::{Aggregate, Measure};
use crate::domain::signal::{Signal, Source};

/// A measure's value on the date, read as the policy says.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::domain) struct Read {
    value: Value,
    previous: Option<f64>,
    as_of: NaiveDate,
    /// The raw ratio, for measures that are read as a trend.
    pub(super) trend: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Number(f64),
    Text(String),
}

/// A measure's risk and weight within its source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::domain) struct Scored {
    /// Its place among the policy's measures.
    pub(in crate::domain) index: usize,
    pub(in crate::domain) risk: f64,
    pub(in crate::domain) weight: f64,
}

/// Reads one measure; `None` where nothing was observed within its window.
/// The window is also for how long the last observation is believed.
pub(super) fn read(measure: &Measure, look: &Look<'_>, group: &[&Signal], count: bool) -> Option<Read> {
    let oldest = look.today - series::days_of(measure.window_days);
    if !measure.levels.is_empty() {
        let last = group.last().filter(|last| series::number_of(last.observed_on) >= oldest)?;
        let value = Value::Text(last.value.text()?);
        return Some(Read { value, previous: None, as_of: last.observed_on, trend: None });
    }
    let points = || look.points.iter().filter(|point| point.0 >= oldest).map(|point| point.1);
    let &(last_day, last) = look.points.last().filter(|point| point.0 >= oldest)?;
    let as_of = series::date_of(last_day);
    let of = |value| Read { value: Value::Number(value), previous: None, as_of, trend: None };
    match measure.aggregate {
        Aggregate::Last => Some(of(last)),
        Aggregate::Sum => Some(of(points().sum())),
        Aggregate::Mean => Some(of(points().sum::<f64>() / points().count() as f64)),
        Aggregate::Max => Some(of(points().fold(f64::NEG_INFINITY, f64::max))),
        Aggregate::Trend => {
            let windows = look.windows.with_baseline(measure.window_days);
            let look = Look { windows, ..*look };
            let read = look.trend(count)?;
            let trend = read.trend();
            Some(Read { previous: read.baseline, trend, ..of(read.recent) })
        }
    }
}

/// The value that is held against `healthy` and `critical`: a trend is first corrected by the book.
fn judged(case: &Case<'_>, name: &str, measure: &Measure, read: &Read) -> Option<f64> {
    match (&read.value, measure.aggregate) {
        (Value::Text(_), _) => None,
        (Value::Number(_), Aggregate::Trend) => case.book.corrected(name, read.trend?),
        (Value::Number(value), _) => Some(*value),
    }
}

fn risk(case: &Case<'_>, name: &str, measure: &Measure, read: &Read) -> Option<f64> {
    match &read.value {
        Value::Text(text) => measure.level(text),
        Value::Number(_) => measure.risk(judged(case, name, measure, read)?),
    }
}

/// The known measures of a source, by name.
pub(super) fn scores(case: &Case<'_>, source: Source) -> Vec<Scored> {
    let on_trial = |name: &String| case.leave_out_shadow && case.policy.shadow.contains(name);
    let measures = case.policy.measures.iter().enumerate();
    measures
        .filter(|(_, (name, measure))| measure.source == source && !on_trial(name))
        .filter_map(|(index, (name, measure))| {
            let read = case.evidence.measures.get(index)?.as_ref()?;
            let risk = risk(case, name, measure, read)?;
            Some(Scored { index, risk, weight: measure.weight })
        })
        .collect()
}

/// `None` only for an index that [`scores`] did not give.
pub(super) fn cause(case: &Case<'_>, index: usize, points: u8) -> Option<Cause> {
    let (name, measure) = case.policy.measures.iter().nth(index)?;
    let read = case.evidence.measures.get(index)?.as_ref()?;
    let value = match &read.value {
        Value::Text(text) => text.clone(),
        Value::Number(value) => number(judged(case, name, measure, read).unwrap_or(*value)),
    };
    let headline = if measure.headline.is_empty() {
        format!("{name} is {value}")
    } else {
        measure.headline.replace("{value}", &value)
    };
    let facts = facts(name, measure, read);
    Some(Cause { rule: name.clone(), points, floor: false, headline, actions: measure.actions.clone(), facts })
}

fn facts(name: &str, measure: &Measure, read: &Read) -> Vec<Fact> {
    let fact = match &read.value {
        Value::Text(text) => fact_text(name, text, measure.source, read.as_of),
        Value::Number(value) => fact(name, *value, "", measure.source, read.as_of),
    };
    vec![read.previous.map_or(fact.clone(), |previous| fact.before(previous))]
}
