//! What customers say and do: NPS, CSAT, adoption, time to value, health.

use std::collections::BTreeMap;

use chrono::Days;

use super::{Answer, Facts, Figure, FigureId, Value, median, share};
use crate::domain::account::AccountId;
use crate::domain::message::phrase::count;

pub(super) fn figures(facts: &Facts) -> Vec<Figure> {
    vec![nps(facts), csat(facts), adoption(facts), time_to_value(facts), portfolio_health(facts)]
}

fn of_kind<'a>(facts: &'a Facts, kind: &'a str) -> impl Iterator<Item = &'a Answer> {
    facts.answers.iter().filter(move |answer| answer.kind == kind)
}

/// The latest value of a kind for each account, whatever its reference.
fn latest<'a>(facts: &'a Facts, kind: &'a str) -> BTreeMap<&'a AccountId, &'a Answer> {
    let mut latest: BTreeMap<&AccountId, &Answer> = BTreeMap::new();
    for answer in of_kind(facts, kind) {
        let newest = latest.entry(&answer.account).or_insert(answer);
        if (newest.observed_on, &newest.reference) < (answer.observed_on, &answer.reference) {
            *newest = answer;
        }
    }
    latest
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn nps(facts: &Facts) -> Figure {
    let answers: Vec<f64> = of_kind(facts, "nps").map(|answer| answer.number).collect();
    let those = |keep: &dyn Fn(f64) -> bool| answers.iter().filter(|answer| keep(**answer)).count() as f64;
    let (promoters, detractors) = (those(&|answer| answer >= 9.0), those(&|answer| answer < 7.0));
    let value = if answers.is_empty() {
        Err("no NPS answer is imported for the period".to_owned())
    } else {
        Ok(Value::Points((promoters - detractors) / answers.len() as f64 * 100.0))
    };
    let mut figure = Figure::of(FigureId::Nps, value);
    if !answers.is_empty() {
        figure.notes.push(format!("From {}.", count(answers.len(), "answer")));
    }
    figure
}

fn csat(facts: &Facts) -> Figure {
    let scores: Vec<f64> = latest(facts, "csat").values().map(|answer| answer.number).collect();
    let value =
        mean(&scores).map(Value::Points).ok_or_else(|| "no satisfaction score is imported for the period".to_owned());
    Figure::of(FigureId::Csat, value)
}

fn adoption(facts: &Facts) -> Figure {
    let active = latest(facts, "active_users");
    let (mut users, mut seats, mut without) = (0.0, 0.0, 0);
    for account in facts.accounts.iter().filter(|account| account.is_active()) {
        let active = active.get(&account.id).map(|answer| answer.number);
        match active.zip(account.seats.filter(|seats| *seats > 0)) {
            Some((active, bought)) => {
                users += active;
                seats += bought as f64;
            }
            None => without += 1,
        }
    }
    let value = share(users, seats, "no account has both seats and active users of the last 45 days");
    Figure::of(FigureId::Adoption, value)
        .note(without, |n| format!("Left out: {} without seats or recent usage.", count(n, "account")))
}

fn time_to_value(facts: &Facts) -> Figure {
    let first_value = latest(facts, "first_value_days");
    let (mut days, mut by_go_live) = (Vec::new(), 0);
    for account in &facts.accounts {
        let Some(start) = account.start_date else { continue };
        let said = first_value.get(&account.id);
        let reached = match said {
            // Days beyond the calendar were never reached.
            Some(answer) => Some((start.checked_add_days(Days::new(answer.number as u64)), answer.number)),
            None => account.go_live_date.map(|live| (Some(live), (live - start).num_days() as f64)),
        };
        if let Some((Some(on), taken)) = reached
            && facts.span.contains(on)
            && taken >= 0.0
        {
            days.push(taken);
            by_go_live += usize::from(said.is_none());
        }
    }
    let value = median(days).map(Value::Days).ok_or_else(|| "no account reached first value in the period".to_owned());
    Figure::of(FigureId::TimeToValue, value).note(by_go_live, |n| {
        format!("Go-live stands for first value at {} without first_value_days.", count(n, "account"))
    })
}

fn portfolio_health(facts: &Facts) -> Figure {
    let known: Vec<f64> = facts.health.iter().flatten().map(|health| f64::from(*health)).collect();
    let unknown = facts.health.len() - known.len();
    let value = mean(&known).map(Value::Points).ok_or_else(|| "no account of the period has been diagnosed".to_owned());
    Figure::of(FigureId::PortfolioHealth, value)
        .note(unknown, |n| format!("Left out: {} with too little data.", count(n, "account")))
}
