//! Slack installations, and the keys that their tokens are encrypted under.
//! Everything secret here is sealed already: this file never sees a token.
//!
//! Some of this is done for one organisation and some before there is one, so
//! the functions take the connection of either kind of transaction.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Directory;
use crate::domain::person::OrgId;

macro_rules! installation {
    ($rest:literal) => {
        concat!(
            "SELECT i.team_id, i.org_id, l.org_id AS linked_to, i.team_name, i.bot_user_id, i.scopes, i.installed_by,
                    i.installed_at, i.removed_at, i.access_token, i.refresh_token, i.expires_at, k.wrapped AS data_key
               FROM directory.slack_installation i
               LEFT JOIN directory.data_key k ON k.org_id = i.org_id
               LEFT JOIN directory.chat_link l ON l.platform = 'slack' AND l.workspace_id = i.team_id ",
            $rest
        )
    };
}

statements! {
    /// Whoever writes tokens holds this shared, whoever replaces keys holds it alone; readers need neither, since one
    /// statement reads a token together with its key.
    LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(hashtextextended('tandem installation keys', 0))";
    LOCK_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('tandem installation keys', 0))";
    LOCK_ONE = "SELECT 1 FROM directory.slack_installation WHERE team_id = $1 FOR UPDATE";
    READ = installation!("WHERE i.team_id = $1");
    OF_ORGANISATION = installation!("WHERE i.org_id = $1 ORDER BY i.team_id");
    WITHOUT_ORGANISATION = installation!("WHERE i.org_id IS NULL ORDER BY i.team_id");
    EVERY = installation!("ORDER BY i.team_name, i.team_id");
    EXPIRING = "SELECT team_id FROM directory.slack_installation
                 WHERE expires_at <= $1 AND refresh_token IS NOT NULL ORDER BY expires_at LIMIT $2";
    SAVE = "INSERT INTO directory.slack_installation
              (team_id, org_id, team_name, enterprise_id, bot_user_id, scopes, installed_by, installed_at, access_token, refresh_token, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            ON CONFLICT (team_id) DO UPDATE
               SET org_id = excluded.org_id, team_name = excluded.team_name, enterprise_id = excluded.enterprise_id,
                   bot_user_id = excluded.bot_user_id, scopes = excluded.scopes, installed_by = excluded.installed_by,
                   installed_at = excluded.installed_at, removed_at = NULL, access_token = excluded.access_token,
                   refresh_token = excluded.refresh_token, expires_at = excluded.expires_at";
    SAVE_TOKENS = "UPDATE directory.slack_installation
                      SET org_id = $2, access_token = $3, refresh_token = $4, expires_at = $5
                    WHERE team_id = $1 AND removed_at IS NULL";
    REMOVE = "UPDATE directory.slack_installation
                 SET removed_at = $2, access_token = NULL, refresh_token = NULL, expires_at = NULL
               WHERE team_id = $1 AND removed_at IS NULL AND installed_at <= $3";
    DATA_KEY = "SELECT wrapped FROM directory.data_key WHERE org_id = $1";
    ADD_DATA_KEY = "INSERT INTO directory.data_key (org_id, wrapped, made_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    REPLACE_DATA_KEY = "UPDATE directory.data_key SET wrapped = $2, made_at = $3 WHERE org_id = $1";
    STOP_DELIVERIES = "UPDATE tandem.outbox SET state = 'given_up', problem = 'uninstalled', settled_at = $3
                        WHERE org_id = $1 AND platform = 'slack' AND workspace_id = $2 AND state = 'queued'";
}

/// An installation as it is stored; tokens and key are sealed.
#[derive(Debug, Clone, FromRow)]
pub struct Installation {
    pub team_id: String,
    org_id: Option<Uuid>,
    linked_to: Option<Uuid>,
    pub team_name: String,
    pub bot_user_id: String,
    pub scopes: Vec<String>,
    pub installed_by: String,
    pub installed_at: DateTime<Utc>,
    pub removed_at: Option<DateTime<Utc>>,
    /// `None` once it was uninstalled.
    pub access_token: Option<Vec<u8>>,
    pub refresh_token: Option<Vec<u8>>,
    pub expires_at: Option<DateTime<Utc>>,
    /// Wrapped; of [`Installation::sealed_for`].
    pub data_key: Option<Vec<u8>>,
}

impl Installation {
    /// Under whose data key the tokens are sealed; `None`: under the master key.
    pub fn sealed_for(&self) -> Option<OrgId> {
        self.org_id.map(OrgId)
    }

    /// Whose the workspace is, if it is linked.
    pub fn linked_to(&self) -> Option<OrgId> {
        self.linked_to.map(OrgId)
    }
}

/// What Slack said when a workspace installed Tandem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub team_id: String,
    pub team_name: String,
    pub enterprise_id: Option<String>,
    pub bot_user_id: String,
    pub scopes: Vec<String>,
    /// Slack's id of whoever installed it.
    pub installed_by: String,
}

/// Tokens, sealed for one organisation, or for none.
#[derive(Debug, Clone)]
pub struct SealedTokens {
    pub org: Option<OrgId>,
    pub access: Vec<u8>,
    pub refresh: Option<Vec<u8>>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Before tokens are written. Until the transaction ends, keys stay what they are.
pub(crate) async fn keep_keys(connection: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query(LOCK_SHARED).execute(connection).await?;
    Ok(())
}

/// Before keys are replaced. Waits for whoever writes tokens.
pub(crate) async fn replace_keys(connection: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query(LOCK_ALONE).execute(connection).await?;
    Ok(())
}

/// Holds one installation for this transaction alone; false where there is none.
pub(crate) async fn lock(connection: &mut PgConnection, team: &str) -> anyhow::Result<bool> {
    Ok(sqlx::query(LOCK_ONE).bind(team).fetch_optional(connection).await?.is_some())
}

pub(crate) async fn read(connection: &mut PgConnection, team: &str) -> anyhow::Result<Option<Installation>> {
    Ok(sqlx::query_as(READ).bind(team).fetch_optional(connection).await?)
}

/// Those whose tokens are sealed for this organisation.
pub(crate) async fn of_organisation(connection: &mut PgConnection, org: OrgId) -> anyhow::Result<Vec<Installation>> {
    Ok(sqlx::query_as(OF_ORGANISATION).bind(org.0).fetch_all(connection).await?)
}

/// Those that belong to nobody yet.
pub(crate) async fn without_organisation(connection: &mut PgConnection) -> anyhow::Result<Vec<Installation>> {
    Ok(sqlx::query_as(WITHOUT_ORGANISATION).fetch_all(connection).await?)
}

pub async fn every(tx: &mut Directory) -> anyhow::Result<Vec<Installation>> {
    Ok(sqlx::query_as(EVERY).fetch_all(tx.connection()).await?)
}

/// The workspaces whose tokens end by `at`, soonest first, at most `most`.
pub async fn expiring(tx: &mut Directory, at: DateTime<Utc>, most: i64) -> anyhow::Result<Vec<String>> {
    Ok(sqlx::query_scalar(EXPIRING).bind(at).bind(most).fetch_all(tx.connection()).await?)
}

/// Stores a new installation, or a renewed one in its place.
pub(crate) async fn save(
    connection: &mut PgConnection,
    installed: &Installed,
    tokens: &SealedTokens,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    sqlx::query(SAVE)
        .bind(&installed.team_id)
        .bind(tokens.org.map(|org| org.0))
        .bind(&installed.team_name)
        .bind(&installed.enterprise_id)
        .bind(&installed.bot_user_id)
        .bind(&installed.scopes)
        .bind(&installed.installed_by)
        .bind(at)
        .bind(&tokens.access)
        .bind(&tokens.refresh)
        .bind(tokens.expires_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Puts other tokens, or the same under another key, in place of those that are there. False where it was removed.
pub(crate) async fn save_tokens(
    connection: &mut PgConnection,
    team: &str,
    tokens: &SealedTokens,
) -> anyhow::Result<bool> {
    let done = sqlx::query(SAVE_TOKENS)
        .bind(team)
        .bind(tokens.org.map(|org| org.0))
        .bind(&tokens.access)
        .bind(&tokens.refresh)
        .bind(tokens.expires_at)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes an installation's tokens, unless it was installed after `happened`. False where nothing was to be deleted.
pub(crate) async fn remove(
    connection: &mut PgConnection,
    team: &str,
    at: DateTime<Utc>,
    happened: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let done = sqlx::query(REMOVE).bind(team).bind(at).bind(happened).execute(connection).await?;
    Ok(done.rows_affected() == 1)
}

/// An organisation's data key, wrapped.
pub(crate) async fn data_key(connection: &mut PgConnection, org: OrgId) -> anyhow::Result<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar(DATA_KEY).bind(org.0).fetch_optional(connection).await?)
}

/// Gives an organisation its data key; does nothing where it has one.
pub(crate) async fn add_data_key(
    connection: &mut PgConnection,
    org: OrgId,
    wrapped: &[u8],
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    sqlx::query(ADD_DATA_KEY).bind(org.0).bind(wrapped).bind(at).execute(connection).await?;
    Ok(())
}

pub(crate) async fn replace_data_key(
    connection: &mut PgConnection,
    org: OrgId,
    wrapped: &[u8],
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    sqlx::query(REPLACE_DATA_KEY).bind(org.0).bind(wrapped).bind(at).execute(connection).await?;
    Ok(())
}

/// What waits for a workspace of this organisation is not sent any more. How many rows that were.
pub(crate) async fn stop_deliveries(
    connection: &mut PgConnection,
    org: OrgId,
    team: &str,
    at: DateTime<Utc>,
) -> anyhow::Result<u64> {
    Ok(sqlx::query(STOP_DELIVERIES).bind(org.0).bind(team).bind(at).execute(connection).await?.rows_affected())
}
