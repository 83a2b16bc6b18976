//! Home pages. A home page is a message like any other (rendered at each
//! sending, redrawn when an account on it changes), of which a person has one.

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::Tenant;
use super::directory::{Platform, Workspace};
use super::message::wake;
use crate::domain::account::AccountId;
use crate::domain::person::PersonId;

statements! {
    FIND = "SELECT message_id, content FROM tandem.message
             WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND person_id = $4 AND content ? 'home'";
    CONTENT = "SELECT content FROM tandem.message WHERE org_id = $1 AND message_id = $2 AND content ? 'home'";
    /// Made anew each time it is opened: what nobody looks at for 30 days is no longer redrawn.
    KEEP = "INSERT INTO tandem.message (org_id, message_id, platform, workspace_id, person_id, content, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (org_id, platform, workspace_id, person_id) WHERE content ? 'home'
            DO UPDATE SET content = excluded.content, created_at = excluded.created_at
            RETURNING message_id";
    FORGET_ACCOUNTS = "DELETE FROM tandem.message_account WHERE org_id = $1 AND message_id = $2 AND account_id <> ALL ($3)";
    SHOW_ACCOUNTS = "INSERT INTO tandem.message_account (org_id, account_id, message_id)
                     SELECT $1, a.id, $2 FROM unnest($3::text[]) AS a (id) ON CONFLICT DO NOTHING";
    /// The first time it is posted; afterwards it is redrawn, once however often that is asked for.
    POST = "INSERT INTO tandem.outbox (org_id, outbox_id, platform, workspace_id, message_id, kind, due_at, queued_at)
            VALUES ($1, $2, $3, $4, $5, 'post', $6, $6)
            ON CONFLICT (org_id, message_id) WHERE kind = 'post' DO NOTHING";
    /// Where one is queued already, it is held until this turn is kept: it is claimed, and so drawn, after it.
    REDRAW = "INSERT INTO tandem.outbox AS o (org_id, outbox_id, platform, workspace_id, message_id, kind, due_at, queued_at)
              VALUES ($1, $2, $3, $4, $5, 'redraw', $6, $6)
              ON CONFLICT (org_id, message_id) WHERE kind = 'redraw' AND state = 'queued' DO UPDATE SET due_at = o.due_at";
}

/// What a person's home page shows, as its content says; `None` where it was never opened.
pub async fn find(tx: &mut Tenant, workspace: &Workspace, person: PersonId) -> anyhow::Result<Option<Value>> {
    let org = tx.org().0;
    let found: Option<(Uuid, Value)> = sqlx::query_as(FIND)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(person.0)
        .fetch_optional(tx.connection())
        .await?;
    Ok(found.map(|(_, content)| content))
}

/// What a home page shows by now, as its content says: its reader may have turned it since it was queued.
pub async fn content(tx: &mut Tenant, message: Uuid) -> anyhow::Result<Option<Value>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(CONTENT).bind(org).bind(message).fetch_optional(tx.connection()).await?)
}

/// Remembers what a person's home page shows and queues its drawing, in the caller's transaction. `accounts` are those
/// whose changes redraw it; `None` leaves them as they are. The preview draws its own page: nothing is queued there.
pub async fn show(
    tx: &mut Tenant,
    workspace: &Workspace,
    person: PersonId,
    content: &Value,
    accounts: Option<&[AccountId]>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (org, platform) = (tx.org().0, workspace.platform.as_str());
    let message: Uuid = sqlx::query_scalar(KEEP)
        .bind(org)
        .bind(Uuid::now_v7())
        .bind(platform)
        .bind(&workspace.id)
        .bind(person.0)
        .bind(content)
        .bind(now)
        .fetch_one(tx.connection())
        .await
        .context("keep a home page")?;
    if let Some(accounts) = accounts {
        let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
        for statement in [FORGET_ACCOUNTS, SHOW_ACCOUNTS] {
            sqlx::query(statement).bind(org).bind(message).bind(&ids).execute(tx.connection()).await?;
        }
    }
    if workspace.platform == Platform::Preview {
        return Ok(());
    }
    let mut queued = 0;
    for statement in [POST, REDRAW] {
        if queued == 0 {
            let done = sqlx::query(statement)
                .bind(org)
                .bind(Uuid::now_v7())
                .bind(platform)
                .bind(&workspace.id)
                .bind(message)
                .bind(now)
                .execute(tx.connection())
                .await
                .context("queue a home page")?;
            queued = done.rows_affected();
        }
    }
    wake(tx, workspace, now).await
}
