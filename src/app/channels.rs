//! Channels that pools and leads read in place of direct messages: an admin says
//! which. Whether outsiders read there is asked before each message, and what
//! cannot be posted goes to direct messages instead and says so.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::snapshot::Snapshot;
use crate::domain::person::{OrgId, Person, Role};
use crate::store::audit::{self, Actor, Entry};
use crate::store::channel::{self, Channel, Whose};
use crate::store::{Store, directory, person, settings};

/// Whom a channel is set for, as an admin types it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Pool(String),
    /// A lead's e-mail address.
    Lead(String),
}

/// Sets the channel of a pool or a lead; fails with a sentence where there is none such.
pub async fn set(
    store: &Store,
    org: OrgId,
    named: &Named,
    channel: &Channel,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let id = channel.id.as_str();
    let looks_right = id.len() > 1 && id.chars().all(|c| c.is_ascii_alphanumeric()) && id.starts_with(['C', 'G']);
    anyhow::ensure!(
        looks_right,
        "\"{id}\" is no channel's id; expected one such as C0123456789, which Slack shows at the end of the channel's details"
    );
    let mut tx = store.tenant(org).await?;
    let whose = whose(&mut tx, named).await?;
    let workspaces = directory::own_workspaces(&mut tx).await?;
    anyhow::ensure!(
        workspaces.contains(&channel.workspace),
        "the workspace {} is not linked to this organisation; link it with `tandem link slack`",
        channel.workspace.id
    );
    channel::set(&mut tx, &whose, channel, now).await?;
    changed(&mut tx, &whose, json!({"channel": id}), now).await?;
    tx.commit().await
}

/// False where none was set.
pub async fn remove(store: &Store, org: OrgId, named: &Named, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let mut tx = store.tenant(org).await?;
    let whose = whose(&mut tx, named).await?;
    if !channel::remove(&mut tx, &whose).await? {
        return Ok(false);
    }
    changed(&mut tx, &whose, json!({"channel": null}), now).await?;
    tx.commit().await?;
    Ok(true)
}

async fn changed(
    tx: &mut crate::store::Tenant,
    whose: &Whose,
    data: serde_json::Value,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    settings::touch(tx).await?;
    let subject = match whose {
        Whose::Pool(name) => format!("pool:{name}"),
        Whose::Lead(person) => format!("person:{person}"),
    };
    audit::record(tx, Actor::System, now, &[Entry::new("settings.changed", subject, data)]).await
}

async fn whose(tx: &mut crate::store::Tenant, named: &Named) -> anyhow::Result<Whose> {
    let organisation = directory::own_organisation(tx).await?;
    let everyone = person::all(tx, organisation.timezone).await?;
    let people: Vec<Person> = everyone.into_iter().map(|stored| stored.person).filter(|person| person.active).collect();
    match named {
        Named::Pool(name) => {
            let mut pools: Vec<&str> = people.iter().filter_map(|person| person.pool.as_deref()).collect();
            pools.sort_unstable();
            pools.dedup();
            anyhow::ensure!(
                pools.contains(&name.as_str()),
                "nobody belongs to a pool \"{name}\"; there are: {}",
                if pools.is_empty() { "none".to_owned() } else { pools.join(", ") }
            );
            Ok(Whose::Pool(name.clone()))
        }
        Named::Lead(email) => {
            let email = email.trim().to_lowercase();
            let lead = people.iter().find(|person| person.email == email);
            let lead = lead.ok_or_else(|| anyhow::anyhow!("nobody here has the address \"{email}\""))?;
            anyhow::ensure!(lead.is(Role::Lead), "{} is no lead; expected somebody with that role", lead.name);
            Ok(Whose::Lead(lead.id))
        }
    }
}

impl Snapshot {
    /// Every channel that is set, also in workspaces that are not linked any more.
    pub fn channels(&self) -> &[(Whose, Channel)] {
        &self.channels
    }

    /// Where a pool's offers or a lead's morning go, in a workspace that is linked.
    pub(super) fn channel_of(&self, whose: &Whose) -> Option<&Channel> {
        let found = self.channels.iter().find(|(other, _)| other == whose).map(|(_, channel)| channel);
        found.filter(|channel| self.workspaces.contains(&channel.workspace))
    }

    pub(super) fn has_pool_channels(&self) -> bool {
        self.channels.iter().any(|(whose, _)| matches!(whose, Whose::Pool(_)))
    }
}
