//! The quarter's figures, counted a second time from the exported trail by code that shares nothing with the product's.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;
use tandem::app::figures::{self, Report};
use tandem::domain::figures::failure::Measure;
use tandem::domain::figures::period::Period;
use tandem::domain::figures::{FigureId, Whose};
use tandem::domain::routing::Model;

use super::Firm;
use super::history::lines;
use crate::figures::independent::{count, middle, time};

const PERIOD: &str = "2026-Q4";

fn number(report: &Report, id: FigureId) -> Option<f64> {
    let figure = report.figures.iter().find(|figure| figure.id == id).unwrap();
    figure.value.as_ref().ok().map(|value| value.number())
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn near(what: &str, found: Option<f64>, wanted: Option<f64>) {
    let same = match (found, wanted) {
        (Some(found), Some(wanted)) => (found - wanted).abs() < 1e-9,
        (found, wanted) => found == wanted,
    };
    assert!(same, "{what}: {found:?}, and counted again {wanted:?}");
}

/// Minor units of an amount in an event.
fn minor(value: &Value) -> Option<i64> {
    value["minor"].as_i64()
}

pub(super) async fn agrees(firm: &Firm) {
    let now = firm.app.now();
    let mut tx = firm.app.store.tenant(firm.org.id).await.unwrap();
    let snapshot = firm.app.snapshot(&mut tx).await.unwrap();
    let period: Period = PERIOD.parse().unwrap();
    let today = snapshot.today(None, now);
    let from: NaiveDate = "2026-10-01".parse().unwrap();
    if today <= from {
        // The short run ends before the quarter begins.
        return;
    }
    let span = period.until(today).unwrap();
    let report = figures::report(&mut tx, &snapshot, Whose::Organisation, period, span, now).await.unwrap();
    let handoffs = tandem::store::handoff::open(&mut tx).await.unwrap();
    drop(tx);
    let due = handoffs.iter().filter_map(|handoff| Some((handoff.id.to_string(), handoff.due()?))).collect();
    let lines = lines(&firm.events().await);

    let quarter = count(&lines, &due, "2026-09-30T22:00:00Z".parse().unwrap(), now);
    let part = |part: usize, other: usize| share(part as f64, (part + other) as f64);
    near("in time", number(&report, FigureId::SlaAttainment), part(quarter.in_time, quarter.late + quarter.expired));
    near(
        "leads accepted",
        number(&report, FigureId::CsqlAcceptance),
        part(quarter.qualified_accepted, quarter.qualified_refused),
    );
    near("leads won", number(&report, FigureId::CsqlConversion), part(quarter.won, quarter.lost));
    near("time to acknowledge", number(&report, FigureId::TimeToAcknowledge), middle(quarter.hours_to_acknowledge));
    money(firm, &report, &lines, from);

    assert_eq!(report.failures.len(), 1, "one model is in use");
    let thirty = now - TimeDelta::days(30);
    match report.failures[0] {
        Measure::Pair(pair) => {
            let wanted = count(&lines, &due, thirty, now);
            let found =
                (pair.offered, pair.in_time, pair.late, pair.expired, pair.declined, pair.withdrawn, pair.waiting);
            let wanted_parts = (
                wanted.offered,
                wanted.in_time,
                wanted.late,
                wanted.expired,
                wanted.declined,
                wanted.withdrawn,
                wanted.waiting,
            );
            assert_eq!(found, wanted_parts);
            near("hours to accept", pair.hours_to_accept, middle(wanted.hours_to_accept));
        }
        Measure::Combined(combined) => {
            let (value, revenue) = done(&lines, thirty);
            assert_eq!((combined.value_done, combined.revenue_done), (value, revenue));
        }
        Measure::Asymmetric(asymmetric) => {
            let (all, untouched) = neglected(firm, &lines, now, "window.opened");
            assert_eq!((asymmetric.windows, asymmetric.windows_untouched), (all, untouched));
            let (all, untouched) = neglected(firm, &lines, now, "risk.opened");
            assert_eq!((asymmetric.risks, asymmetric.risks_untouched), (all, untouched));
        }
    }
}

/// Renewal rate, GRR and NRR by their definitions: every account's ARR is carried from one decision to the next.
fn money(firm: &Firm, report: &Report, lines: &[Value], from: NaiveDate) {
    let mut arr: BTreeMap<String, i64> =
        (0..firm.accounts).map(|n| (format!("a{n:03}"), (10_000 + n as i64 * 700) * 100)).collect();
    let mut start = None;
    let mut won: BTreeMap<String, i64> = BTreeMap::new();
    let (mut kept, mut lost) = (0.0, 0.0);
    for line in lines {
        let on = time(&line["at"]).unwrap().with_timezone(&chrono_tz::Europe::Berlin).date_naive();
        if on >= from && start.is_none() {
            start = Some(arr.clone());
        }
        let account = line["data"]["account"].as_str().unwrap_or_default().to_owned();
        let within = on >= from;
        match line["event"].as_str().unwrap() {
            "renewal.renewed" | "renewal.contracted" => {
                kept += f64::from(u8::from(within));
                if let Some(after) = minor(&line["data"]["arr_after"]) {
                    arr.insert(account, after);
                }
            }
            "renewal.lost" => {
                lost += f64::from(u8::from(within));
                arr.insert(account, 0);
            }
            "handoff.won" if within => {
                *won.entry(account).or_default() += minor(&line["data"]["amount"]).unwrap_or_default();
            }
            _ => {}
        }
    }
    near("renewal rate", number(report, FigureId::RenewalRate), share(kept, kept + lost));
    let start: BTreeMap<String, i64> = start.unwrap_or_else(|| arr.clone());
    // Who had left before is no customer of the start.
    let customers: Vec<(&String, i64)> =
        start.iter().filter(|(_, arr)| **arr > 0).map(|(id, arr)| (id, *arr)).collect();
    let whole: i64 = customers.iter().map(|(_, arr)| arr).sum();
    let gross: i64 = customers.iter().map(|(id, start)| arr[*id].min(*start)).sum();
    let net: i64 = customers
        .iter()
        .map(|(id, _)| if arr[*id] == 0 { 0 } else { arr[*id] + won.get(*id).copied().unwrap_or_default() })
        .sum();
    near("GRR", number(report, FigureId::GrossRetention), share(gross as f64, whole as f64));
    near("NRR", number(report, FigureId::NetRetention), share(net as f64, whole as f64));
}

/// What people did since then: on value, on revenue.
fn done(lines: &[Value], since: DateTime<Utc>) -> (usize, usize) {
    let windows: BTreeSet<&str> = lines
        .iter()
        .filter(|line| line["event"] == "window.opened")
        .map(|line| line["subject"].as_str().unwrap())
        .collect();
    let (mut value, mut revenue) = (0, 0);
    for line in lines {
        let by_person = line["actor"].as_str().unwrap().starts_with("person:");
        if !by_person || time(&line["at"]).unwrap() < since {
            continue;
        }
        match line["event"].as_str().unwrap() {
            "risk.acknowledged" | "risk.step_set" | "risk.snoozed" | "risk.resolved" | "note.added" => value += 1,
            "window.passed" | "window.overridden" => revenue += 1,
            renewal if renewal.starts_with("renewal.") && renewal != "renewal.step" => revenue += 1,
            "handoff.reassigned" => {}
            handoff if handoff.starts_with("handoff.") => {
                *(if windows.contains(line["subject"].as_str().unwrap()) { &mut revenue } else { &mut value }) += 1;
            }
            _ => {}
        }
    }
    (value, revenue)
}

/// Windows or risks of accounts without an account manager, opened 90 to 7 days ago: all, and those nobody touched.
fn neglected(firm: &Firm, lines: &[Value], now: DateTime<Utc>, event: &str) -> (usize, usize) {
    assert_eq!(firm.model, Model::Asymmetric);
    let alone = |account: &str| account[1..].parse::<usize>().unwrap() % 3 != 0;
    let touched: BTreeSet<&str> = lines
        .iter()
        .filter(|line| {
            let moves = ["risk.", "window.", "handoff.", "renewal.", "note."];
            let name = line["event"].as_str().unwrap();
            line["actor"].as_str().unwrap().starts_with("person:") && moves.iter().any(|kind| name.starts_with(kind))
        })
        .map(|line| line["subject"].as_str().unwrap())
        .collect();
    let opens: &[&str] =
        if event == "risk.opened" { &["risk.opened", "risk.reopened", "risk.woken"] } else { &[event] };
    let opened: BTreeSet<&str> = lines
        .iter()
        .filter(|line| opens.contains(&line["event"].as_str().unwrap()))
        .filter(|line| {
            let at = time(&line["at"]).unwrap();
            at >= now - TimeDelta::days(90) && at < now - TimeDelta::days(7)
        })
        .filter(|line| alone(line["data"]["account"].as_str().unwrap()))
        .map(|line| line["subject"].as_str().unwrap())
        .collect();
    let untouched = opened.iter().filter(|subject| !touched.contains(**subject)).count();
    (opened.len(), untouched)
}
