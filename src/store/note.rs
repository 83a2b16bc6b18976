//! What people wrote about accounts, and what they found not useful.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use super::Tenant;
use crate::domain::account::AccountId;
use crate::domain::person::PersonId;

statements! {
    ADD = "INSERT INTO tandem.note (org_id, note_id, account_id, author_id, kind, body, at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    LATEST = "SELECT DISTINCT ON (account_id) account_id, author_id, body AS note, at FROM tandem.note
               WHERE org_id = $1 AND account_id = ANY ($2) AND kind <> 'feedback' ORDER BY account_id, at DESC";
    FEEDBACK = "SELECT account_id, author_id, body AS note, at FROM tandem.note
                 WHERE org_id = $1 AND kind = 'feedback' ORDER BY at DESC LIMIT $2";
    JUDGE = "INSERT INTO tandem.judgement (org_id, account_id, rule, person_id, at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (org_id, account_id, rule, person_id) DO NOTHING";
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    Note,
    /// The voice of the customer.
    Feedback,
    /// What was said when a risk was resolved.
    Resolution,
}

impl NoteKind {
    fn as_str(self) -> &'static str {
        match self {
            NoteKind::Note => "note",
            NoteKind::Feedback => "feedback",
            NoteKind::Resolution => "resolution",
        }
    }
}

#[derive(Debug, Clone, FromRow)]
pub struct Note {
    pub account_id: String,
    pub author_id: Uuid,
    #[sqlx(rename = "note")]
    pub body: String,
    pub at: DateTime<Utc>,
}

/// Returns the new note's id.
pub async fn add(
    tx: &mut Tenant,
    account: &AccountId,
    author: PersonId,
    kind: NoteKind,
    body: &str,
    at: DateTime<Utc>,
) -> anyhow::Result<Uuid> {
    let (org, id) = (tx.org().0, Uuid::now_v7());
    sqlx::query(ADD)
        .bind(org)
        .bind(id)
        .bind(&account.0)
        .bind(author.0)
        .bind(kind.as_str())
        .bind(body)
        .bind(at)
        .execute(tx.connection())
        .await?;
    Ok(id)
}

/// The newest note of each of these accounts.
pub async fn latest(tx: &mut Tenant, accounts: &[AccountId]) -> anyhow::Result<Vec<Note>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    Ok(sqlx::query_as(LATEST).bind(org).bind(&ids).fetch_all(tx.connection()).await?)
}

/// The voice of the customer, newest first.
pub async fn feedback(tx: &mut Tenant, most: i64) -> anyhow::Result<Vec<Note>> {
    let org = tx.org().0;
    Ok(sqlx::query_as(FEEDBACK).bind(org).bind(most).fetch_all(tx.connection()).await?)
}

/// Remembers that a rule was not useful on an account. False the second time.
pub async fn judge_not_useful(
    tx: &mut Tenant,
    account: &AccountId,
    rule: &str,
    person: PersonId,
    at: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let org = tx.org().0;
    let done = sqlx::query(JUDGE)
        .bind(org)
        .bind(&account.0)
        .bind(rule)
        .bind(person.0)
        .bind(at)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}
