//! What the admins were last told is owed and late.

use chrono::{DateTime, Utc};

use super::Tenant;

statements! {
    TOLD = "SELECT trouble, told_at FROM tandem.watch WHERE org_id = $1 FOR UPDATE";
    SAVE = "INSERT INTO tandem.watch (org_id, trouble, told_at) VALUES ($1, $2, $3)
            ON CONFLICT (org_id) DO UPDATE SET trouble = excluded.trouble, told_at = excluded.told_at";
    CLEAR = "DELETE FROM tandem.watch WHERE org_id = $1";
    /// Messages that should have left by now.
    STUCK_POSTS = "SELECT count(*), min(queued_at) FROM tandem.outbox
                    WHERE org_id = $1 AND kind = 'post' AND state IN ('queued', 'sending') AND queued_at < $2";
}

/// What was told and when; `None` while all is well.
pub async fn told(tx: &mut Tenant) -> anyhow::Result<Option<(Vec<String>, DateTime<Utc>)>> {
    let org = tx.org().0;
    Ok(sqlx::query_as(TOLD).bind(org).fetch_optional(tx.connection()).await?)
}

pub async fn save(tx: &mut Tenant, trouble: &[String], at: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SAVE).bind(org).bind(trouble).bind(at).execute(tx.connection()).await?;
    Ok(())
}

pub async fn clear(tx: &mut Tenant) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(CLEAR).bind(org).execute(tx.connection()).await?;
    Ok(())
}

/// Messages that were queued before `then` and have not left: how many, since when.
pub async fn stuck_posts(tx: &mut Tenant, then: DateTime<Utc>) -> anyhow::Result<(i64, Option<DateTime<Utc>>)> {
    let org = tx.org().0;
    Ok(sqlx::query_as(STUCK_POSTS).bind(org).bind(then).fetch_one(tx.connection()).await?)
}
