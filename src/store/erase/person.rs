//! One person's own rows: a contact's at the customer, a colleague's here.

use anyhow::Context;
use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::account::AccountId;
use crate::domain::person::{ERASED, PersonId};
use crate::store::Tenant;

statements! {
    CONTACTS = "SELECT account_id, name, phone FROM tandem.contact WHERE org_id = $1 AND email = $2 ORDER BY account_id FOR UPDATE";
    CONTACT_EMAILS = "SELECT DISTINCT email FROM tandem.contact WHERE org_id = $1 ORDER BY email";
    OTHERS_AT = "SELECT name FROM tandem.contact WHERE org_id = $1 AND account_id = ANY ($2) AND email <> $3 AND name IS NOT NULL";
    FORGET_CONTACT = "DELETE FROM tandem.contact WHERE org_id = $1 AND email = $2";
    /// Roles and lead stay: they say in whose turn the work of those is who have left.
    FORGET = "UPDATE tandem.person
                 SET email = 'erased-' || person_id::text, name = $3, active = false, timezone = NULL, chat_timezone = NULL,
                     digest_time = '08:00', workdays = 31, delegate_id = NULL, out_of_office_until = NULL, pool = NULL,
                     slack_user_id = NULL, teams_user_id = NULL, digests_since = NULL, unreachable_since = NULL
               WHERE org_id = $1 AND person_id = $2";
    LEAVE = "UPDATE tandem.person SET active = false WHERE org_id = $1 AND person_id = $2 AND active";
    HELD = "SELECT account_id FROM tandem.account WHERE org_id = $1 AND csm_id = $2
             UNION SELECT account_id FROM tandem.account WHERE org_id = $1 AND account_manager_id = $2 ORDER BY account_id";
    CHAT_IDS = "SELECT user_id FROM tandem.chat_user WHERE org_id = $1 AND person_id = $2
                 UNION SELECT unnest(ARRAY[slack_user_id, teams_user_id]) FROM tandem.person WHERE org_id = $1 AND person_id = $2";
    /// Introductions in which they said to be somebody, and in which somebody said to be them; what was said to those.
    INTRODUCTIONS = "WITH over AS (
                DELETE FROM tandem.introduction
                 WHERE org_id = $1 AND (person_id = $2 OR lower(chat_email) = $3 OR user_id = ANY ($4))
                RETURNING platform, workspace_id, user_id)
              DELETE FROM tandem.message m USING over
               WHERE m.org_id = $1 AND m.platform = over.platform AND m.workspace_id = over.workspace_id
                 AND m.chat_user_id = over.user_id";
    CHAT_USERS = "DELETE FROM tandem.chat_user WHERE org_id = $1 AND person_id = $2";
    SETTINGS = "DELETE FROM tandem.person_setting WHERE org_id = $1 AND person_id = $2";
    QUOTAS = "DELETE FROM tandem.quota WHERE org_id = $1 AND person_id = $2";
    ABSENCES = "DELETE FROM tandem.absence WHERE org_id = $1 AND (person_id = $2 OR stand_in_id = $2)";
    CHANNELS = "DELETE FROM tandem.channel_target WHERE org_id = $1 AND kind = 'lead' AND whose = $2::text";
    DELEGATES = "UPDATE tandem.person SET delegate_id = NULL WHERE org_id = $1 AND delegate_id = $2";
    CHOSEN_DELEGATES = "UPDATE tandem.person_setting SET delegate_id = NULL WHERE org_id = $1 AND delegate_id = $2";
    /// With what they show, their copies, and what is still to be sent.
    MESSAGES = "WITH shown AS (
                DELETE FROM tandem.message_account s USING tandem.message m
                 WHERE m.org_id = $1 AND m.person_id = $2 AND s.org_id = m.org_id AND s.message_id = m.message_id)
              DELETE FROM tandem.message WHERE org_id = $1 AND person_id = $2";
    DUE = "DELETE FROM directory.due WHERE org_id = $1 AND kind = 'digest' AND subject = $2";
}

/// What is known of a contact at one account.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct KnownContact {
    pub account_id: String,
    pub name: Option<String>,
    pub phone: Option<String>,
}

/// A contact's rows, by account, locked until commit.
pub async fn contacts(tx: &mut Tenant, email: &str) -> anyhow::Result<Vec<KnownContact>> {
    let org = tx.org().0;
    Ok(sqlx::query_as(CONTACTS).bind(org).bind(email).fetch_all(tx.connection()).await?)
}

/// The addresses of all contacts, each once.
pub async fn contact_emails(tx: &mut Tenant) -> anyhow::Result<Vec<String>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(CONTACT_EMAILS).bind(org).fetch_all(tx.connection()).await?)
}

/// The names of the other contacts at these accounts.
pub async fn others_at(tx: &mut Tenant, accounts: &[AccountId], email: &str) -> anyhow::Result<Vec<String>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    Ok(sqlx::query_scalar(OTHERS_AT).bind(org).bind(&ids).bind(email).fetch_all(tx.connection()).await?)
}

pub async fn forget_contact(tx: &mut Tenant, email: &str) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(FORGET_CONTACT).bind(org).bind(email).execute(tx.connection()).await?;
    Ok(())
}

/// They are no longer here. False where they had left before.
pub async fn leave(tx: &mut Tenant, person: PersonId) -> anyhow::Result<bool> {
    let org = tx.org().0;
    Ok(sqlx::query(LEAVE).bind(org).bind(person.0).execute(tx.connection()).await?.rows_affected() == 1)
}

/// The accounts in whose seats they are.
pub async fn held(tx: &mut Tenant, person: PersonId) -> anyhow::Result<Vec<AccountId>> {
    let org = tx.org().0;
    let ids: Vec<String> = sqlx::query_scalar(HELD).bind(org).bind(person.0).fetch_all(tx.connection()).await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// As which users chat knows them, in whatever workspace.
pub async fn chat_ids(tx: &mut Tenant, person: PersonId) -> anyhow::Result<Vec<String>> {
    let org = tx.org().0;
    let ids: Vec<Option<String>> =
        sqlx::query_scalar(CHAT_IDS).bind(org).bind(person.0).fetch_all(tx.connection()).await?;
    Ok(ids.into_iter().flatten().collect())
}

/// Forgets who a colleague was; what they did stays, as done by someone erased. Returns the word that stands for their
/// address from now on.
pub async fn forget(tx: &mut Tenant, person: PersonId, email: &str, chat_ids: &[String]) -> anyhow::Result<String> {
    let (org, id): (Uuid, Uuid) = (tx.org().0, person.0);
    let introductions = sqlx::query(INTRODUCTIONS).bind(org).bind(id).bind(email).bind(chat_ids);
    introductions.execute(tx.connection()).await.context("forget introductions")?;
    for sql in [CHAT_USERS, SETTINGS, QUOTAS, ABSENCES, DELEGATES, CHOSEN_DELEGATES, MESSAGES, DUE] {
        sqlx::query(sql)
            .bind(org)
            .bind(id)
            .execute(tx.connection())
            .await
            .context("forget what is kept of a person")?;
    }
    sqlx::query(CHANNELS).bind(org).bind(id.to_string()).execute(tx.connection()).await?;
    sqlx::query(FORGET).bind(org).bind(id).bind(ERASED).execute(tx.connection()).await.context("forget a person")?;
    Ok(format!("erased-{id}"))
}
