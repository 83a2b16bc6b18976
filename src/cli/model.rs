//! `tandem model`

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::open::open;
use super::{Done, Format};
use crate::app::model::{self, Models, Wish};
use crate::app::{App, fit};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::account::Segment;
use crate::domain::figures::fit::{Fit, Verdict};
use crate::domain::message::figures::verdict;
use crate::domain::money::Money;
use crate::domain::routing::{Model, RenewalOwner};
use crate::store::audit::Actor;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the organisation model and its overrides
    Show {
        #[arg(long)]
        org: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Change the model; open work goes to whom it names now, and everyone is told
    Set(Set),
    /// Say whether the organisation model fits, with the numbers that say so; changes nothing
    Check {
        #[arg(long)]
        org: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Set {
    #[arg(long)]
    org: String,
    /// pair, combined or asymmetric
    #[arg(long)]
    model: Option<Model>,
    /// An override: smb=asymmetric; smb= takes it away. May be given several times
    #[arg(long, value_name = "SEGMENT=MODEL", value_parser = of_segment::<Model>)]
    segment: Vec<(Segment, Option<Model>)>,
    /// Who owns renewals: csm or account_manager
    #[arg(long, value_name = "ROLE")]
    renewals: Option<RenewalOwner>,
    /// An override: enterprise=csm; enterprise= takes it away. May be given several times
    #[arg(long, value_name = "SEGMENT=ROLE", value_parser = of_segment::<RenewalOwner>)]
    renewals_segment: Vec<(Segment, Option<RenewalOwner>)>,
}

fn of_segment<T: std::str::FromStr<Err = String>>(text: &str) -> Result<(Segment, Option<T>), String> {
    let (segment, value) = text.split_once('=').ok_or_else(|| {
        format!("\"{text}\" is no override; expected a segment, = and a value, such as smb=asymmetric")
    })?;
    let value = Some(value.trim()).filter(|value| !value.is_empty());
    Ok((segment.trim().parse()?, value.map(str::parse).transpose()?))
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Done> {
    match command {
        Command::Check { org, format } => check(&org, format, config).await,
        Command::Show { org, format } => show(&org, format, config).await,
        Command::Set(wanted) => set(wanted, config).await,
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

async fn show(org: &str, format: Format, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 2).await?;
    let organisation = opened.organisation(org).await?;
    let models = model::show(&opened.store, organisation.id).await?;
    opened.close().await?;
    match format {
        Format::Json => println!("{}", model::as_json(&models)),
        Format::Text => print_models(org, &models),
    }
    Ok(Done::Well)
}

async fn set(set: Set, config: &Config) -> anyhow::Result<Done> {
    let wish = Wish {
        model: set.model,
        segments: BTreeMap::from_iter(set.segment),
        renewals: set.renewals,
        segment_renewals: BTreeMap::from_iter(set.renewals_segment),
    };
    anyhow::ensure!(
        wish != Wish::default(),
        "nothing to set; expected at least one of --model, --segment, --renewals and --renewals-segment"
    );
    let opened = open(config, 2).await?;
    let organisation = opened.organisation(&set.org).await?;
    let changed = model::set(&opened.store, organisation.id, &wish, Actor::System, SystemClock.now()).await?;
    opened.close().await?;
    match changed {
        None => println!("{} has that model already; nothing changed.", set.org),
        Some(changed) => {
            print_models(&set.org, &changed.models);
            println!(
                "Handed over: {} handoffs, {} renewals. {} people are told.",
                changed.handoffs, changed.renewals, changed.told
            );
        }
    }
    Ok(Done::Well)
}

fn print_models(org: &str, models: &Models) {
    println!("{org}: {}", models.models.default.as_str());
    for (segment, model) in &models.models.overrides {
        println!("  {}: {}", segment.as_str(), model.as_str());
    }
    println!("renewals: {}", models.renewals.default.as_str());
    for (segment, owner) in &models.renewals.overrides {
        println!("  {}: {}", segment.as_str(), owner.as_str());
    }
}
