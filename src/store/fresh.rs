//! Accounts that got a row which may be a decision, until they were looked at.

use chrono::{DateTime, Utc};

use super::Tenant;
use crate::domain::account::AccountId;

statements! {
    /// Only accounts that exist, and only where a first night has made cards that can be edited.
    NOTE = "WITH noted AS (
              INSERT INTO tandem.fresh_decision (org_id, account_id, since)
              SELECT $1, a.account_id, $3 FROM tandem.account a
                JOIN directory.organisation o USING (org_id)
               WHERE a.org_id = $1 AND a.account_id = ANY ($2) AND o.diagnosed_on IS NOT NULL
              ON CONFLICT DO NOTHING RETURNING 1)
            INSERT INTO directory.due (org_id, kind, subject, due_at)
            SELECT $1, 'decisions', $1, $3 WHERE EXISTS (SELECT FROM noted)
            ON CONFLICT (org_id, kind, subject) DO UPDATE SET due_at = least(directory.due.due_at, excluded.due_at)";
    TAKE = "DELETE FROM tandem.fresh_decision f
             USING (SELECT account_id FROM tandem.fresh_decision WHERE org_id = $1 ORDER BY account_id
                     LIMIT 1 FOR UPDATE SKIP LOCKED) AS one
             WHERE f.org_id = $1 AND f.account_id = one.account_id RETURNING f.account_id";
}

/// Notes that these accounts are to be looked at, in the transaction that writes their rows.
pub async fn note(tx: &mut Tenant, accounts: &[&str], now: DateTime<Utc>) -> anyhow::Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let org = tx.org().0;
    sqlx::query(NOTE).bind(org).bind(accounts).bind(now).execute(tx.connection()).await?;
    Ok(())
}

/// Takes one of them; it is there again if the transaction fails.
pub async fn take(tx: &mut Tenant) -> anyhow::Result<Option<AccountId>> {
    let org = tx.org().0;
    let id: Option<String> = sqlx::query_scalar(TAKE).bind(org).fetch_optional(tx.connection()).await?;
    Ok(id.map(AccountId))
}
