//! `tandem org`

use chrono_tz::Tz;

use super::open::open;
use super::{Done, Format};
use crate::app::organisation::{self, NewOrganisation};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::money::Currency;
use crate::domain::routing::Model;
use crate::store::directory;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make an organisation
    Create(Create),
    /// List organisations
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// Short name in commands and folders: a–z, 0–9 and hyphens
    slug: String,
    /// The name that people see
    #[arg(long)]
    name: String,
    /// pair, combined or asymmetric: how value and revenue are parted between people
    #[arg(long, default_value = "pair")]
    model: Model,
    /// IANA time zone, for example Europe/Berlin: the night is 02:00 there
    #[arg(long, value_parser = crate::ingest::timezone)]
    timezone: Tz,
    /// ISO 4217 code
    #[arg(long, default_value = "USD")]
    currency: Currency,
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 2).await?;
    match command {
        Command::Create(create) => {
            let new = NewOrganisation {
                slug: create.slug,
                name: create.name,
                model: create.model,
                timezone: create.timezone,
                currency: create.currency,
            };
            let made = organisation::create(&opened.store, new, SystemClock.now()).await?;
            println!("Made the organisation {} ({}).", made.slug, made.name);
            println!("Next: tandem import --org {} people.csv accounts.csv signals.csv", made.slug);
        }
        Command::List { format } => {
            let mut tx = opened.store.directory().await?;
            let organisations = directory::organisations(&mut tx).await?;
            drop(tx);
            match format {
                Format::Json => {
                    let list: Vec<_> = organisations
                        .iter()
                        .map(|org| {
                            serde_json::json!({
                                "slug": org.slug, "name": org.name, "model": org.model, "timezone": org.timezone.name(),
                                "currency": org.currency, "diagnosed_on": org.diagnosed_on,
                            })
                        })
                        .collect();
                    println!("{}", serde_json::to_string_pretty(&list)?);
                }
                Format::Text if organisations.is_empty() => {
                    println!("There is no organisation yet; make one with `tandem org create`.");
                }
                Format::Text => {
                    for org in organisations {
                        let night = org
                            .diagnosed_on
                            .map_or("not diagnosed yet".to_owned(), |date| format!("diagnosed on {date}"));
                        println!(
                            "{}  {}, {}, {}, {}, {night}",
                            org.slug,
                            org.name,
                            org.model.as_str(),
                            org.timezone,
                            org.currency
                        );
                    }
                }
            }
        }
    }
    opened.close().await?;
    Ok(Done::Well)
}
