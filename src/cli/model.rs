//! `tandem model`

use std::collections::BTreeMap;

use super::open::open;
use super::{Done, Format};
use crate::app::model::{self, Models, Wish};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::account::Segment;
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
        Command::Show { org, format } => {
            let opened = open(config, 2).await?;
            let organisation = opened.organisation(&org).await?;
            let models = model::show(&opened.store, organisation.id).await?;
            opened.close().await?;
            match format {
                Format::Json => println!("{}", model::as_json(&models)),
                Format::Text => print(&org, &models),
            }
        }
        Command::Set(set) => self::set(set, config).await?,
    }
    Ok(Done::Well)
}

async fn set(set: Set, config: &Config) -> anyhow::Result<()> {
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
            print(&set.org, &changed.models);
            println!(
                "Handed over: {} handoffs, {} renewals. {} people are told.",
                changed.handoffs, changed.renewals, changed.told
            );
        }
    }
    Ok(())
}

fn print(org: &str, models: &Models) {
    println!("{org}: {}", models.models.default.as_str());
    for (segment, model) in &models.models.overrides {
        println!("  {}: {}", segment.as_str(), model.as_str());
    }
    println!("renewals: {}", models.renewals.default.as_str());
    for (segment, owner) in &models.renewals.overrides {
        println!("  {}: {}", segment.as_str(), owner.as_str());
    }
}
