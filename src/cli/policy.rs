//! `tandem policy`

mod fit;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::open::open;
use super::{Done, Format};
use crate::app::night::{self, Trial};
use crate::app::{App, policy};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::diagnosis::Band;
use crate::domain::policy::Policy;
use crate::store::audit::Actor;
use crate::store::settings;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the policy in use, every number of it
    Show {
        #[arg(long)]
        org: String,
    },
    /// Print which accounts would have another band than under the policy in use, and why; changes nothing
    Check {
        /// TOML file that names what differs from the default policy
        file: PathBuf,
        #[arg(long)]
        org: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Fit the policy's weights to the imported outcomes, and print what that is worth on accounts held out; changes nothing
    Fit(fit::Args),
    /// Use a policy from the next diagnosis on
    Use {
        /// TOML file that names what differs from the default policy
        file: PathBuf,
        #[arg(long)]
        org: String,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Done> {
    match command {
        Command::Show { org } => show(&org, config).await?,
        Command::Check { file, org, format } => {
            let (_, policy) = read(&file)?;
            let opened = open(config, 4).await?;
            let organisation = opened.organisation(&org).await?;
            let app = App::new(opened.store.clone(), Arc::new(SystemClock));
            let trial = night::trial(&app, organisation.id, &policy).await?;
            opened.close().await?;
            match format {
                Format::Json => println!("{}", serde_json::to_string(&trial)?),
                Format::Text => print(&trial),
            }
        }
        Command::Fit(args) => fit::run(args, config).await?,
        Command::Use { file, org } => {
            let (text, policy) = read(&file)?;
            let opened = open(config, 2).await?;
            let organisation = opened.organisation(&org).await?;
            policy::switch(&opened.store, organisation.id, &text, Actor::System, SystemClock.now()).await?;
            opened.close().await?;
            println!("{org} uses policy {} from the next diagnosis on.", policy.version());
        }
    }
    Ok(Done::Well)
}

async fn show(org: &str, config: &Config) -> anyhow::Result<()> {
    let opened = open(config, 2).await?;
    let organisation = opened.organisation(org).await?;
    let mut tx = opened.store.tenant(organisation.id).await?;
    let settings = settings::read(&mut tx).await?;
    drop(tx);
    opened.close().await?;
    let policy = policy::of(&settings)?;
    let whose = if settings.policy_toml.is_some() { "its own" } else { "the default" };
    println!("# Policy {} of {org}: {whose}.\n{}", policy.version(), policy.to_toml().trim_end());
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<(String, Policy)> {
    let text =
        std::fs::read_to_string(file).map_err(|error| anyhow::anyhow!("{} can't be read: {error}", file.display()))?;
    let policy = Policy::to_use(&text).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    Ok((text, policy))
}

fn print(trial: &Trial) {
    println!("{} of {} accounts would change band against {}.", trial.moved.len(), trial.accounts, trial.date);
    match trial.moved_anyway {
        0 => {}
        1 => println!("1 other differs anyway: its data is newer, or the policy in use came after that night."),
        n => println!("{n} others differ anyway: their data is newer, or the policy in use came after that night."),
    }
    let read = |(health, band): (Option<u8>, Band)| match health {
        Some(health) => format!("{} {health}", band.label()),
        None => band.label().to_owned(),
    };
    for moved in &trial.moved {
        println!("{} ({}): {} → {}", moved.name, moved.account, read(moved.from), read(moved.to));
        for why in &moved.why {
            println!("  {why}");
        }
    }
}
