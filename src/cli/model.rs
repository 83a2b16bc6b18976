//! `tandem model`

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::open::open;
use super::{Done, Format};
use crate::app::{App, fit};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::figures::fit::{Fit, Verdict};
use crate::domain::message::figures::verdict;
use crate::domain::money::Money;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Say whether the organisation model fits, with the numbers that say so; changes nothing
    Check {
        #[arg(long)]
        org: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Done> {
    match command {
        Command::Check { org, format } => check(&org, format, config).await,
    }
}

async fn check(org: &str, format: Format, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 2).await?;
    let organisation = opened.organisation(org).await?;
    let app = App::new(opened.store.clone(), Arc::new(SystemClock));
    let now = SystemClock.now();
    let mut tx = app.store.tenant(organisation.id).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let fits = fit::check(&mut tx, &snapshot, now).await?;
    drop(tx);
    opened.close().await?;
    match format {
        Format::Text => fits.iter().for_each(print),
        Format::Json => {
            let json = json!({
                "organisation": org,
                "date": snapshot.today(None, now),
                "fits": fits.iter().all(|fit| fit.verdict == Verdict::Fits),
                "models": fits.iter().map(as_json).collect::<Vec<_>>(),
            });
            println!("{}", serde_json::to_string_pretty(&json)?);
        }
    }
    Ok(Done::Well)
}

fn print(fit: &Fit) {
    println!("{}", verdict(fit));
    for finding in &fit.findings {
        println!("  {}", finding.sentence);
    }
    let numbers = &fit.numbers;
    println!(
        "  Counted: {} customers, {} of ARR; under this model {} accounts with {} people, {} of {} renewals found late, \
         {} of {} windows missed.",
        numbers.customers,
        numbers.arr,
        fit.accounts,
        numbers.people,
        numbers.renewals_found_late,
        numbers.renewals_due,
        numbers.windows_missed,
        numbers.windows_ended
    );
}

fn as_json(fit: &Fit) -> Json {
    let numbers = &fit.numbers;
    let money = |money: Money| json!({"amount": money.to_major(), "currency": money.currency});
    let unsummed = numbers.arr.unrated.iter().map(|(currency, minor)| money(Money::new(*minor, *currency)));
    json!({
        "model": fit.model.as_str(),
        "accounts": fit.accounts,
        "verdict": fit.verdict.as_str(),
        "says": verdict(fit),
        "findings": fit.findings.iter()
            .map(|finding| json!({"speaks_for": finding.speaks_for.as_str(), "says": finding.sentence}))
            .collect::<Vec<_>>(),
        "numbers": {
            "customers": numbers.customers,
            "arr": money(numbers.arr.own),
            "arr_unsummed": unsummed.collect::<Vec<_>>(),
            "people": numbers.people,
            "people_with_too_many_accounts": numbers.overloaded,
            "most_accounts": numbers.heaviest.map(|load| json!({
                "complex": load.complex, "between": load.between, "simple": load.simple,
            })),
            "renewals_due": numbers.renewals_due,
            "renewals_found_late": numbers.renewals_found_late,
            "windows_ended": numbers.windows_ended,
            "windows_missed": numbers.windows_missed,
        },
    })
}
