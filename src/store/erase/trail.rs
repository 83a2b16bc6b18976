//! What the directory's role deletes of an organisation: what reaches it from outside, and, last and together, its row and
//! its audit trail. The application's role can remove nothing of a trail.

use anyhow::Context;
use sqlx::AssertSqlSafe;

use crate::domain::person::OrgId;
use crate::store::{Directory, audit};

statements! {
    /// Also those that are linked and not sealed for it yet.
    INSTALLATIONS = "DELETE FROM directory.slack_installation i
                      WHERE (i.org_id = $1
                             AND NOT EXISTS (SELECT FROM directory.chat_link l
                                              WHERE l.platform = 'slack' AND l.workspace_id = i.team_id AND l.org_id <> $1))
                         OR (i.org_id IS NULL
                             AND EXISTS (SELECT FROM directory.chat_link l
                                          WHERE l.platform = 'slack' AND l.workspace_id = i.team_id AND l.org_id = $1))";
    LINKS = "DELETE FROM directory.chat_link WHERE org_id = $1";
    KEYS = "DELETE FROM directory.api_key WHERE org_id = $1";
    DUE = "DELETE FROM directory.due WHERE org_id = $1";
    LANES = "DELETE FROM directory.lane WHERE org_id = $1";
    DATA_KEY = "DELETE FROM directory.data_key WHERE org_id = $1";
    /// What came in while it was being erased goes by the foreign keys, its settings too.
    ORGANISATION = "DELETE FROM directory.organisation WHERE org_id = $1";
    /// Whose, says the policy: rows of the organisation of this transaction, once it is gone.
    SEALS = "DELETE FROM tandem.audit_seal";
    EVENTS = "DELETE FROM tandem.audit_event";
}

/// In their order.
const CUT_OFF: [(&str, &str); 5] = [
    ("directory.slack_installation", INSTALLATIONS),
    ("directory.chat_link", LINKS),
    ("directory.api_key", KEYS),
    ("directory.due", DUE),
    ("directory.lane", LANES),
];

const LAST: [&str; 5] = [
    "directory.data_key",
    "directory.organisation",
    "tandem.organisation_setting",
    "tandem.audit_seal",
    "tandem.audit_event",
];

pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    CUT_OFF.iter().map(|(table, _)| *table).chain(LAST)
}

pub(super) async fn cut_off(tx: &mut Directory, org: OrgId) -> anyhow::Result<u64> {
    let mut deleted = 0;
    for (table, sql) in CUT_OFF {
        let done = sqlx::query(sql).bind(org.0).execute(tx.connection()).await;
        deleted += done.with_context(|| format!("erase {table}"))?.rows_affected();
    }
    Ok(deleted)
}

pub(super) async fn organisation(tx: &mut Directory, org: OrgId) -> anyhow::Result<u64> {
    let whose = format!("SET LOCAL tandem.org_id = '{}'", org.0);
    sqlx::raw_sql(AssertSqlSafe(whose)).execute(tx.connection()).await?;
    // An event that is sealed between the two deletions below would leave its seal.
    audit::lock_chain(tx.connection(), org).await?;
    // In the time since the first cut somebody may have asked for more of it.
    let mut deleted = cut_off(tx, org).await?;
    deleted += sqlx::query(DATA_KEY).bind(org.0).execute(tx.connection()).await?.rows_affected();
    deleted += sqlx::query(ORGANISATION).bind(org.0).execute(tx.connection()).await?.rows_affected();
    for sql in [SEALS, EVENTS] {
        deleted += sqlx::query(sql).execute(tx.connection()).await.context("erase the audit trail")?.rows_affected();
    }
    Ok(deleted)
}
