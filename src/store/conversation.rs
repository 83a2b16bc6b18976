//! Conversations that the app is in, and where the platform wants to be called for each.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use super::Tenant;
use super::directory::Workspace;

statements! {
    NOTE = "INSERT INTO tandem.conversation (org_id, platform, workspace_id, conversation_id, scope, service_url, seen_at, shared)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (org_id, platform, workspace_id, conversation_id)
            DO UPDATE SET scope = excluded.scope, service_url = excluded.service_url, seen_at = excluded.seen_at,
                          -- Not every activity says it, and no channel stops being a shared one.
                          shared = conversation.shared OR excluded.shared";
    READ = "SELECT service_url, shared FROM tandem.conversation
             WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND conversation_id = $4";
    LATEST = "SELECT service_url FROM tandem.conversation
               WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 ORDER BY seen_at DESC LIMIT 1";
    FORGET = "DELETE FROM tandem.conversation
               WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND conversation_id = $4";
}

/// A conversation as an activity in it names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation<'a> {
    pub id: &'a str,
    /// `personal`, `channel` or `groupChat`.
    pub scope: &'a str,
    pub service_url: &'a str,
    /// A channel that other teams, of whatever company, may be let into.
    pub shared: bool,
}

/// What is kept of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Kept {
    /// Where it is reached.
    pub service_url: String,
    pub shared: bool,
}

/// Keeps where a conversation is reached.
pub async fn note(
    tx: &mut Tenant,
    workspace: &Workspace,
    conversation: &Conversation<'_>,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let org: Uuid = tx.org().0;
    sqlx::query(NOTE)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(conversation.id)
        .bind(conversation.scope)
        .bind(conversation.service_url)
        .bind(at)
        .bind(conversation.shared)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// `None` where it was never heard from.
pub async fn read(tx: &mut Tenant, workspace: &Workspace, id: &str) -> anyhow::Result<Option<Kept>> {
    let org = tx.org().0;
    Ok(sqlx::query_as(READ)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(id)
        .fetch_optional(tx.connection())
        .await?)
}

/// Where the workspace was reached last, in whichever conversation.
pub async fn latest_service_url(tx: &mut Tenant, workspace: &Workspace) -> anyhow::Result<Option<String>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(LATEST)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .fetch_optional(tx.connection())
        .await?)
}

/// The app was removed from there.
pub async fn forget(tx: &mut Tenant, workspace: &Workspace, id: &str) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(FORGET)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(id)
        .execute(tx.connection())
        .await?;
    Ok(())
}
