//! Channels that pools and leads read in place of direct messages.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use super::directory::Workspace;
use super::{Tenant, word};
use crate::domain::person::PersonId;

statements! {
    ALL = "SELECT kind, whose, platform, workspace_id, channel_id FROM tandem.channel_target WHERE org_id = $1 ORDER BY kind, whose";
    SET = "INSERT INTO tandem.channel_target (org_id, kind, whose, platform, workspace_id, channel_id, set_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (org_id, kind, whose) DO UPDATE SET platform = excluded.platform, workspace_id = excluded.workspace_id,
                  channel_id = excluded.channel_id, set_at = excluded.set_at";
    REMOVE = "DELETE FROM tandem.channel_target WHERE org_id = $1 AND kind = $2 AND whose = $3";
}

/// Whose channel it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// An AM pool's, by its name.
    Pool(String),
    Lead(PersonId),
}

impl Whose {
    fn columns(&self) -> (&'static str, String) {
        match self {
            Whose::Pool(name) => ("pool", name.clone()),
            Whose::Lead(person) => ("lead", person.to_string()),
        }
    }
}

/// A channel in its workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub workspace: Workspace,
    pub id: String,
}

#[derive(FromRow)]
struct Row {
    kind: String,
    whose: String,
    platform: String,
    workspace_id: String,
    channel_id: String,
}

pub async fn all(tx: &mut Tenant) -> anyhow::Result<Vec<(Whose, Channel)>> {
    let org = tx.org().0;
    let rows: Vec<Row> = sqlx::query_as(ALL).bind(org).fetch_all(tx.connection()).await?;
    rows.into_iter()
        .map(|row| {
            let whose = match row.kind.as_str() {
                "lead" => Whose::Lead(PersonId(Uuid::try_parse(&row.whose).context("a lead's channel")?)),
                _ => Whose::Pool(row.whose),
            };
            let workspace = Workspace { platform: word("platform", &row.platform)?, id: row.workspace_id };
            Ok((whose, Channel { workspace, id: row.channel_id }))
        })
        .collect()
}

pub async fn set(tx: &mut Tenant, whose: &Whose, channel: &Channel, at: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    let (kind, whose) = whose.columns();
    sqlx::query(SET)
        .bind(org)
        .bind(kind)
        .bind(whose)
        .bind(channel.workspace.platform.as_str())
        .bind(&channel.workspace.id)
        .bind(&channel.id)
        .bind(at)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// False where none was set.
pub async fn remove(tx: &mut Tenant, whose: &Whose) -> anyhow::Result<bool> {
    let org = tx.org().0;
    let (kind, whose) = whose.columns();
    let done = sqlx::query(REMOVE).bind(org).bind(kind).bind(whose).execute(tx.connection()).await?;
    Ok(done.rows_affected() == 1)
}
