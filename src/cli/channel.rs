//! `tandem channel`

use super::Done;
use super::open::{Opened, open};
use crate::app::channels::{self, Named};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::person::OrgId;
use crate::store::channel::{self, Channel, Whose};
use crate::store::directory::{self, Platform, Workspace};
use crate::store::person;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Post a pool's offers, or a lead's morning, in a channel instead of direct messages
    Set {
        #[command(flatten)]
        whose: WhoseArgs,
        /// In Slack the channel's id, such as C0123456789; in Teams the link to the channel. Tandem has to be there already
        #[arg(long)]
        channel: String,
        /// The workspace or tenant, where several are linked, such as T0123456789
        #[arg(long)]
        workspace: Option<String>,
    },
    /// List what goes to channels
    List {
        #[arg(long)]
        org: String,
    },
    /// Go back to direct messages
    Remove {
        #[command(flatten)]
        whose: WhoseArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct WhoseArgs {
    #[arg(long)]
    org: String,
    /// An AM pool, by its name in people.csv
    #[arg(long, conflicts_with = "lead", required_unless_present = "lead")]
    pool: Option<String>,
    /// A lead, by e-mail
    #[arg(long)]
    lead: Option<String>,
}

impl WhoseArgs {
    fn named(&self) -> Named {
        match (&self.pool, &self.lead) {
            (Some(pool), _) => Named::Pool(pool.clone()),
            (None, lead) => Named::Lead(lead.clone().unwrap_or_default()),
        }
    }
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 2).await?;
    let now = SystemClock.now();
    match command {
        Command::Set { whose, channel, workspace } => {
            let org = opened.organisation(&whose.org).await?.id;
            let typed = channels::typed(&channel)?;
            let workspace = the_workspace(&opened, org, typed.platform, workspace.or(typed.workspace)).await?;
            let to = Channel { workspace, id: typed.id };
            channels::set(&opened.store, org, &whose.named(), &to, now).await?;
            println!("From now on it goes to {}; invite Tandem there if it is not yet a member.", to.id);
        }
        Command::List { org } => list(&opened, &org).await?,
        Command::Remove { whose } => {
            let org = opened.organisation(&whose.org).await?.id;
            let removed = channels::remove(&opened.store, org, &whose.named(), now).await?;
            anyhow::ensure!(removed, "no channel was set for that");
            println!("From now on it goes to direct messages.");
        }
    }
    opened.close().await?;
    Ok(Done::Well)
}

async fn the_workspace(
    opened: &Opened,
    org: OrgId,
    platform: Platform,
    id: Option<String>,
) -> anyhow::Result<Workspace> {
    if let Some(id) = id {
        return Ok(Workspace { platform, id });
    }
    let mut tx = opened.store.tenant(org).await?;
    let mut linked: Vec<Workspace> = directory::own_workspaces(&mut tx).await?;
    linked.retain(|workspace| workspace.platform == platform);
    let what = if platform == Platform::Teams { "Teams tenant" } else { "Slack workspace" };
    match linked.len() {
        0 => anyhow::bail!(
            "no {what} is linked to this organisation yet; link one with `tandem link {}`",
            platform.as_str()
        ),
        1 => Ok(linked.remove(0)),
        _ => anyhow::bail!("more than one {what} is linked; say which with --workspace"),
    }
}

async fn list(opened: &Opened, slug: &str) -> anyhow::Result<()> {
    let organisation = opened.organisation(slug).await?;
    let mut tx = opened.store.tenant(organisation.id).await?;
    let found = channel::all(&mut tx).await?;
    let people = person::all(&mut tx, organisation.timezone).await?;
    if found.is_empty() {
        println!("Everything goes to direct messages; set a channel with `tandem channel set`.");
    }
    for (whose, channel) in found {
        let name = match whose {
            Whose::Pool(name) => format!("pool {name}"),
            Whose::Lead(id) => {
                let lead = people.iter().find(|stored| stored.person.id == id);
                format!("lead {}", lead.map_or("who left", |stored| &stored.person.email))
            }
        };
        println!("{name}  {} {}", channel.workspace.id, channel.id);
    }
    Ok(())
}
