//! `tandem link`

use super::Done;
use super::open::open;
use super::teams::guid;
use crate::app::organisation;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::store::directory::{self, Linked, Platform, Workspace};
use crate::store::installation::{self, Installation};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Link a Slack workspace by its team id, such as T0123456789
    Slack {
        team_id: String,
        #[arg(long)]
        org: String,
    },
    /// Link a Microsoft tenant by its id
    Teams {
        tenant_id: String,
        #[arg(long)]
        org: String,
    },
    /// List links
    List,
    /// Remove the link of a workspace or tenant
    Remove { workspace_id: String },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 2).await?;
    let now = SystemClock.now();
    match command {
        Command::Slack { team_id, org } => link(&opened, Platform::Slack, team_id, &org, now).await?,
        Command::Teams { tenant_id, org } => {
            let tenant_id = guid("the tenant id", &tenant_id)?;
            link(&opened, Platform::Teams, tenant_id, &org, now).await?;
        }
        Command::List => {
            let mut tx = opened.store.directory().await?;
            let links = directory::links(&mut tx).await?;
            let installed = installation::every(&mut tx).await?;
            drop(tx);
            let unlinked = |one: &&Installation| one.linked_to().is_none() && one.removed_at.is_none();
            for one in installed.iter().filter(unlinked) {
                println!(
                    "-  slack {} ({}), installed and not linked: tandem link slack {} --org SLUG",
                    one.team_id, one.team_name, one.team_id
                );
            }
            if links.is_empty() {
                println!(
                    "No workspace is linked yet; link one with `tandem link slack TEAM_ID --org SLUG` or `tandem link teams TENANT_ID --org SLUG`."
                );
            }
            for (workspace, slug) in links {
                println!("{slug}  {} {}", workspace.platform.as_str(), workspace.id);
            }
        }
        Command::Remove { workspace_id } => {
            let mut removed = false;
            for platform in [Platform::Slack, Platform::Teams] {
                // Tenants are kept in lower case.
                let id = if platform == Platform::Teams { workspace_id.to_lowercase() } else { workspace_id.clone() };
                let workspace = Workspace { platform, id };
                removed |= organisation::unlink(&opened.store, &workspace, now).await?;
            }
            anyhow::ensure!(removed, "no workspace or tenant \"{workspace_id}\" is linked");
            println!("Removed the link of {workspace_id}; nothing more is sent there.");
        }
    }
    opened.close().await?;
    Ok(Done::Well)
}

async fn link(
    opened: &super::open::Opened,
    platform: Platform,
    id: String,
    org: &str,
    now: chrono::DateTime<chrono::Utc>,
) -> anyhow::Result<()> {
    let organisation = opened.organisation(org).await?;
    let workspace = Workspace { platform, id };
    match organisation::link(&opened.store, organisation.id, &workspace, now).await? {
        Linked::Now => println!("{} {} now belongs to {org}.", workspace.platform.as_str(), workspace.id),
        Linked::Already => println!("{} {} already belonged to {org}.", workspace.platform.as_str(), workspace.id),
        Linked::Taken => anyhow::bail!(
            "{} {} belongs to another organisation; remove that link first with `tandem link remove {}`",
            workspace.platform.as_str(),
            workspace.id,
            workspace.id
        ),
    }
    Ok(())
}
