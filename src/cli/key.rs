//! `tandem key`

use super::Done;
use super::open::open;
use crate::app::organisation;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::store::directory;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make an API key; it is shown once
    Create {
        #[arg(long)]
        org: String,
        /// What it is for, for example warehouse
        #[arg(long)]
        name: String,
    },
    /// List API keys, without the keys themselves
    List {
        #[arg(long)]
        org: String,
    },
    /// Revoke a key by its name or id
    Revoke {
        #[arg(long)]
        org: String,
        name: String,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 2).await?;
    let now = SystemClock.now();
    match command {
        Command::Create { org, name } => {
            let organisation = opened.organisation(&org).await?;
            let key = organisation::create_key(&opened.store, organisation.id, &name, now).await?;
            println!("{key}");
            eprintln!("This is the only time that the key \"{name}\" is shown; keep it where your job finds it.");
        }
        Command::List { org } => {
            let organisation = opened.organisation(&org).await?;
            let mut tx = opened.store.directory().await?;
            let keys = directory::keys(&mut tx, organisation.id).await?;
            drop(tx);
            if keys.is_empty() {
                println!("{org} has no API key.");
            }
            for key in keys {
                let state = key.revoked_at.map_or("live".to_owned(), |at| format!("revoked on {}", at.date_naive()));
                println!("{}  {}  made on {}, {state}", key.key_id, key.name, key.created_at.date_naive());
            }
        }
        Command::Revoke { org, name } => {
            let organisation = opened.organisation(&org).await?;
            anyhow::ensure!(
                organisation::revoke_key(&opened.store, organisation.id, &name, now).await?,
                "{org} has no live API key \"{name}\""
            );
            println!("Revoked \"{name}\".");
        }
    }
    opened.close().await?;
    Ok(Done::Well)
}
