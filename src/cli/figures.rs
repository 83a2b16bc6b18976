//! `tandem figures`: key figures and failure measures. The JSON is described in
//! docs/figures.md.

use std::sync::Arc;

use clap::ValueEnum;
use serde_json::{Value as Json, json};

use super::Done;
use super::digest::WIDTH;
use super::open::open;
use crate::app::App;
use crate::app::figures::{self, Report};
use crate::app::snapshot::Snapshot;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::figures::failure::{self, Measure};
use crate::domain::figures::period::Period;
use crate::domain::figures::precision::{RuleUse, Trial};
use crate::domain::figures::{Figure, Value, Whose};
use crate::domain::message::figures::{FiguresView, message};
use crate::domain::message::text::to_text;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long)]
    org: String,
    /// E-mail of one person; of a lead, the team's figures. Without it, the organisation's
    #[arg(long)]
    person: Option<String>,
    /// A quarter (2026-Q4), a month (2026-11) or a year to date (2026); default the quarter that runs
    #[arg(long)]
    period: Option<Period>,
    #[arg(long, value_enum, default_value_t)]
    format: FiguresFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum FiguresFormat {
    #[default]
    Text,
    Csv,
    Json,
}

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 2).await?;
    let organisation = opened.organisation(&args.org).await?;
    let app = App::new(opened.store.clone(), Arc::new(SystemClock));
    let now = SystemClock.now();
    let mut tx = app.store.tenant(organisation.id).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let person = match &args.person {
        Some(email) => {
            let person = snapshot.person_by_email(email);
            Some(person.ok_or_else(|| anyhow::anyhow!("nobody in {} has the e-mail \"{email}\"", args.org))?)
        }
        None => None,
    };
    let today = snapshot.today(None, now);
    let period = args.period.unwrap_or_else(|| Period::quarter_of(today));
    let span = period.until(today)?;
    let whose = person.map_or(Whose::Organisation, |person| figures::of_person(&snapshot, person));
    let report = figures::report(&mut tx, &snapshot, whose, period, span, now).await?;
    drop(tx);
    opened.close().await?;
    let name = person.map_or(organisation.name.as_str(), |person| person.name.as_str());
    match args.format {
        FiguresFormat::Text => {
            let view = FiguresView {
                whose: match &report.whose {
                    Whose::Team(_) => format!("{name}'s team"),
                    Whose::Organisation | Whose::Person(_) => name.to_owned(),
                },
                period: period.label(),
                until: (span.last < period.last()).then_some(span.last),
                sides: figures::sides(&snapshot, &report.whose),
                figures: report.figures,
                failures: report.failures,
                rules: report.rules,
                rule_days: snapshot.policy.precision.days,
                trials: report.trials,
            };
            print!("{}", to_text(&message(&view, today), WIDTH));
        }
        FiguresFormat::Csv => csv(&report)?,
        FiguresFormat::Json => {
            let json = as_json(&snapshot, &report, args.person.as_deref());
            println!("{}", serde_json::to_string_pretty(&json)?);
        }
    }
    Ok(Done::Well)
}

/// Four decimals: more would only show how floats are printed.
fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

fn as_json(snapshot: &Snapshot, report: &Report, person: Option<&str>) -> Json {
    json!({
        "organisation": snapshot.organisation.slug,
        "scope": scope(&report.whose),
        "person": person,
        "period": report.period.to_string(),
        "from": report.span.first,
        "to": report.span.last,
        "currency": report.currency,
        "figures": report.figures.iter().map(figure_json).collect::<Vec<_>>(),
        "failure_measures": report.failures.iter().map(measure_json).collect::<Vec<_>>(),
        "rules": report.rules.iter().map(rule_json).collect::<Vec<_>>(),
        "rule_days": snapshot.policy.precision.days,
        "rules_on_trial": report.trials.iter().map(trial_json).collect::<Vec<_>>(),
    })
}

fn rule_json(used: &RuleUse) -> Json {
    json!({
        "rule": used.rule, "shown": used.shown, "not_useful": used.not_useful,
        "precision": used.precision().map(rounded),
    })
}

fn trial_json(trial: &Trial) -> Json {
    json!({
        "rule": trial.rule, "since": trial.since, "fired": trial.fired, "right": trial.right,
        "precision": trial.precision().map(rounded),
    })
}

fn scope(whose: &Whose) -> &'static str {
    match whose {
        Whose::Organisation => "organisation",
        Whose::Team(_) => "team",
        Whose::Person(_) => "person",
    }
}

fn figure_json(figure: &Figure) -> Json {
    let definition = figure.id.definition();
    let value = figure.value.as_ref().ok();
    let unsummed = match value {
        Some(Value::Money(sum)) => {
            sum.unrated.iter().map(|(currency, minor)| money(*minor, *currency)).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    };
    json!({
        "id": definition.word,
        "label": definition.label,
        "side": definition.side.as_str(),
        "value": value.map(|value| rounded(value.number())),
        "unit": value.map(Value::unit),
        "text": value.map(ToString::to_string),
        "not_known": figure.value.as_ref().err(),
        "unsummed": unsummed,
        "notes": figure.notes,
        "definition": definition.formula,
        "source": definition.source,
    })
}

fn money(minor: i64, currency: crate::domain::money::Currency) -> Json {
    json!({"amount": crate::domain::money::Money::new(minor, currency).to_major(), "currency": currency})
}

/// Each part of a measure by name, in a fixed order.
fn parts(measure: &Measure) -> Vec<(&'static str, Option<f64>)> {
    let count = |number: usize| Some(number as f64);
    match measure {
        Measure::Pair(pair) => vec![
            ("offered", count(pair.offered)),
            ("accepted_in_time", count(pair.in_time)),
            ("late", count(pair.late)),
            ("expired", count(pair.expired)),
            ("declined", count(pair.declined)),
            ("withdrawn", count(pair.withdrawn)),
            ("waiting", count(pair.waiting)),
            ("median_hours_to_accept", pair.hours_to_accept.map(rounded)),
        ],
        Measure::Combined(combined) => vec![
            ("actions_on_value", count(combined.value_done)),
            ("actions_on_revenue", count(combined.revenue_done)),
            ("open_value", count(combined.value_open)),
            ("open_revenue", count(combined.revenue_open)),
            ("share_done_on_value", combined.done_on_value().map(rounded)),
            ("share_open_on_value", combined.open_on_value().map(rounded)),
        ],
        Measure::Asymmetric(asymmetric) => vec![
            ("windows_without_account_manager", count(asymmetric.windows)),
            ("windows_nobody_touched", count(asymmetric.windows_untouched)),
            ("risks_without_account_manager", count(asymmetric.risks)),
            ("risks_nobody_touched", count(asymmetric.risks_untouched)),
        ],
    }
}

fn days(measure: &Measure) -> i64 {
    match measure {
        Measure::Pair(_) | Measure::Combined(_) => failure::DAYS,
        Measure::Asymmetric(_) => failure::QUIET_DAYS,
    }
}

fn measure_json(measure: &Measure) -> Json {
    let mut json = json!({"model": measure.model().as_str(), "days": days(measure)});
    for (name, value) in parts(measure) {
        // Counts are whole numbers, and are printed so.
        json[name] = match value {
            Some(whole) if whole.fract() == 0.0 && !name.starts_with("median") && !name.starts_with("share") => {
                json!(whole as u64)
            }
            other => json!(other),
        };
    }
    json
}

fn csv(report: &Report) -> anyhow::Result<()> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "period",
        "id",
        "label",
        "side",
        "value",
        "unit",
        "currency",
        "not_known",
        "notes",
        "definition",
        "source",
    ])?;
    let period = report.period.to_string();
    let currency = report.currency.to_string();
    for figure in &report.figures {
        let definition = figure.id.definition();
        let (value, unit, not_known) = match &figure.value {
            Ok(value) => (rounded(value.number()).to_string(), value.unit(), ""),
            Err(why) => (String::new(), "", why.as_str()),
        };
        let currency = if unit == "money" { currency.as_str() } else { "" };
        let notes = figure.notes.join(" ");
        out.write_record([
            period.as_str(),
            definition.word,
            definition.label,
            definition.side.as_str(),
            &value,
            unit,
            currency,
            not_known,
            &notes,
            definition.formula,
            definition.source,
        ])?;
    }
    for measure in &report.failures {
        for (name, value) in parts(measure) {
            let id = format!("{}.{name}", measure.model().as_str());
            let value = value.map(|value| value.to_string()).unwrap_or_default();
            let over = format!("the last {} days", days(measure));
            let label = name.replace('_', " ");
            out.write_record([over.as_str(), &id, &label, "both", &value, "", "", "", "", "", "Tandem's own"])?;
        }
    }
    for used in &report.rules {
        let id = format!("rule.{}", used.rule);
        let precision = used.precision().map(|share| rounded(share).to_string()).unwrap_or_default();
        let notes = format!("led {} cards, {} called not useful", used.shown, used.not_useful);
        out.write_record([
            "",
            &id,
            "precision of the rule",
            "both",
            &precision,
            "share",
            "",
            "",
            &notes,
            "",
            "Tandem's own",
        ])?;
    }
    print!("{}", String::from_utf8(out.into_inner()?)?);
    Ok(())
}
