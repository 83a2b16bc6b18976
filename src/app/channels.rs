//! Channels that pools and leads read in place of direct messages: an admin says
//! which. Whether outsiders read there is asked before each message, and what
//! cannot be posted goes to direct messages instead and says so.

use chrono::{DateTime, Utc};
use serde_json::json;
use url::{Url, form_urlencoded};

use super::snapshot::Snapshot;
use crate::domain::person::{OrgId, Person, Role};
use crate::store::audit::{self, Actor, Entry};
use crate::store::channel::{self, Channel, Whose};
use crate::store::directory::Platform;
use crate::store::{Store, conversation, directory, person, settings};

/// Whom a channel is set for, as an admin types it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Pool(String),
    /// A lead's e-mail address.
    Lead(String),
}

/// A channel as an admin types it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    pub platform: Platform,
    pub id: String,
    /// Where a link says it.
    pub workspace: Option<String>,
}

/// Slack's id of a channel, Teams' id, or the link that Teams copies under *Get link to channel*:
/// `https://teams.microsoft.com/l/channel/19%3A…%40thread.tacv2/General?groupId=…&tenantId=…`.
pub fn typed(text: &str) -> anyhow::Result<Typed> {
    let text = text.trim();
    let of_teams = |id: &str| id.starts_with("19:") && id.contains("@thread.") && !id.contains([';', '/', ' ']);
    if text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric()) && text.starts_with(['C', 'G']) {
        return Ok(Typed { platform: Platform::Slack, id: text.to_owned(), workspace: None });
    }
    if of_teams(text) {
        return Ok(Typed { platform: Platform::Teams, id: text.to_owned(), workspace: None });
    }
    let link = Url::parse(text).ok().and_then(|link| {
        let mut parts = link.path_segments()?;
        let id = parts.find(|part| *part == "channel").and(parts.next())?.to_owned();
        // A segment of a path is written as a value of a query is, but for the plus, which no id has.
        let id = form_urlencoded::parse(format!("id={id}").as_bytes()).next()?.1.into_owned();
        let tenant = link.query_pairs().find(|(key, _)| key == "tenantId").map(|(_, id)| id.to_lowercase());
        of_teams(&id).then_some(Typed { platform: Platform::Teams, id, workspace: tenant })
    });
    link.ok_or_else(|| anyhow::anyhow!(
        "\"{text}\" is no channel of Slack's or Teams'; expected Slack's id, such as C0123456789, from the end of the channel's details, or the link that Teams copies under \"Get link to channel\""
    ))
}

/// Sets the channel of a pool or a lead; fails with a sentence where there is none such.
pub async fn set(
    store: &Store,
    org: OrgId,
    named: &Named,
    channel: &Channel,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let Channel { workspace, id } = channel;
    let mut tx = store.tenant(org).await?;
    let whose = whose(&mut tx, named).await?;
    let workspaces = directory::own_workspaces(&mut tx).await?;
    anyhow::ensure!(
        workspaces.contains(workspace),
        "the {} {} is not linked to this organisation; link it with `tandem link {}`",
        if workspace.platform == Platform::Teams { "tenant" } else { "workspace" },
        workspace.id,
        workspace.platform.as_str()
    );
    if workspace.platform == Platform::Teams {
        // Where it was spoken to, it is installed, and Teams has said what kind of channel it is.
        let kept = conversation::read(&mut tx, workspace, id).await?;
        let kept = kept.ok_or_else(|| anyhow::anyhow!("Tandem was not spoken to in that channel yet; add it to the team, mention it there once, then set the channel"))?;
        anyhow::ensure!(
            !kept.shared,
            "that is a shared channel: people of other companies can be let in at any time, so nothing about an account is posted there"
        );
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_named_by_id_or_by_link() {
        let read = |text: &str| typed(text).map(|typed| (typed.platform, typed.id, typed.workspace)).ok();
        let (slack, teams) = (Platform::Slack, Platform::Teams);
        assert_eq!(read(" C0123456789 "), Some((slack, "C0123456789".into(), None)));
        assert_eq!(read("19:ab_C-1@thread.tacv2"), Some((teams, "19:ab_C-1@thread.tacv2".into(), None)));
        let link =
            "https://teams.microsoft.com/l/channel/19%3Aab_C-1%40thread.tacv2/EMEA%20pool?groupId=1f&tenantId=AAAA-1";
        assert_eq!(read(link), Some((teams, "19:ab_C-1@thread.tacv2".into(), Some("aaaa-1".into()))));
        for bad in [
            "#emea",
            "C",
            "19:ab",
            "19:x@thread.tacv2;messageid=1",
            "https://teams.microsoft.com/l/team/19%3Aab%40thread.tacv2/x",
            "",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
