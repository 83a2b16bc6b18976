//! Which message has whose card of an account. There is one open card an account
//! and person: the newest message has it, and those before say where it is. In a
//! channel there is one thread an account.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use super::Tenant;
use super::directory::Workspace;
use super::message::REDRAWN_FOR;
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::person::PersonId;

/// The accounts that the messages `$2` have as cards, with the message itself: of a morning, of a message of its own.
macro_rules! cards {
    () => {
        "SELECT m.org_id, m.message_id, m.person_id, m.platform, m.workspace_id, m.created_at, c.account_id
           FROM unnest($2::uuid[]) AS asked (message_id)
          CROSS JOIN LATERAL (SELECT * FROM tandem.message
                               WHERE org_id = $1 AND message_id = asked.message_id AND thread_of IS NULL OFFSET 0) AS m
          CROSS JOIN LATERAL (
                SELECT DISTINCT i.account_id FROM tandem.digest_item i
                 WHERE i.org_id = m.org_id AND i.digest_id = (m.content ->> 'digest')::uuid AND i.group_no IS NULL
                UNION ALL
                SELECT s.account_id FROM tandem.message_account s
                 WHERE m.content ? 'notice' AND s.org_id = m.org_id AND s.message_id = m.message_id) AS c"
    };
}

/// Messages `m` to the person of a card of `$of`, which begin a thread, with its account `s`: few, however many have
/// had the account. Looked up in this order, or Postgres would hold every message against every card.
macro_rules! others_with {
    ($of:literal, $when:literal) => {
        concat!(
            " CROSS JOIN LATERAL (SELECT * FROM tandem.message
                                   WHERE org_id = $1 AND person_id = ",
            $of,
            ".person_id AND thread_of IS NULL AND ",
            $when,
            " OFFSET 0) AS m
              CROSS JOIN LATERAL (SELECT account_id FROM tandem.message_account
                                   WHERE org_id = $1 AND account_id = ",
            $of,
            ".account_id AND message_id = m.message_id OFFSET 0) AS s "
        )
    };
}

/// Whether message `m` has account `s.account_id` as a card: in a morning, or as a message of its own. OFFSET 0 keeps it a
/// look-up: before Postgres has looked at the table it would read all mornings' lines at once instead.
macro_rules! is_card {
    () => {
        "(m.content ? 'notice' OR EXISTS (
            SELECT FROM tandem.digest_item i
             WHERE i.org_id = m.org_id AND i.digest_id = (m.content ->> 'digest')::uuid
               AND i.account_id = s.account_id AND i.group_no IS NULL OFFSET 0))"
    };
}

statements! {
    /// The newest message that has the account's card, where one of them has shown the subject already.
    OF_SUBJECT = concat!(
        "WITH card AS (
           SELECT m.message_id, m.created_at,
                  coalesce(m.content -> 'notice' ->> split_part($7, ':', 1) = split_part($7, ':', 2), false)
                  OR EXISTS (SELECT FROM tandem.digest_item i
                              WHERE i.org_id = m.org_id AND i.digest_id = (m.content ->> 'digest')::uuid
                                AND i.subject = $7 AND i.group_no IS NULL) AS has
             FROM tandem.message_account s JOIN tandem.message m USING (org_id, message_id)
            WHERE s.org_id = $1 AND s.account_id = $2 AND m.person_id = $3 AND m.thread_of IS NULL AND m.created_at > $4
              AND m.platform = $5 AND m.workspace_id = $6
              AND NOT EXISTS (SELECT FROM tandem.outbox o WHERE o.org_id = m.org_id AND o.message_id = m.message_id
                                 AND o.kind = 'post' AND o.state = 'given_up')
              AND ", is_card!(), ")
         SELECT message_id FROM card WHERE (SELECT bool_or(has) FROM card)
          ORDER BY created_at DESC, message_id DESC LIMIT 1"
    );
    /// Of the accounts that a message has as cards, those whose card stands in a newer message to the same person.
    NEWER = concat!(
        "WITH mine AS MATERIALIZED (", cards!(), ")
         SELECT mine.message_id, s.account_id, max(m.created_at)
           FROM mine",
        others_with!("mine", "platform = mine.platform AND workspace_id = mine.workspace_id AND created_at >= mine.created_at
                              AND (created_at, message_id) > (mine.created_at, mine.message_id)"),
        "WHERE NOT EXISTS (SELECT FROM tandem.outbox o WHERE o.org_id = m.org_id AND o.message_id = m.message_id
                               AND o.kind = 'post' AND o.state = 'given_up')
            AND ", is_card!(), "
          GROUP BY mine.message_id, s.account_id"
    );
    /// The newest message of a channel that is about this account alone and begins a thread, and whether it or a reply
    /// there is about the subject.
    THREAD_IN = "WITH thread AS (
                   SELECT m.message_id FROM tandem.message_account s JOIN tandem.message m USING (org_id, message_id)
                    WHERE s.org_id = $1 AND s.account_id = $2 AND m.platform = $3 AND m.workspace_id = $4 AND m.channel_id = $5
                      AND m.thread_of IS NULL AND NOT m.content ? 'digest' AND m.created_at > $6
                    ORDER BY m.created_at DESC, m.message_id LIMIT 1)
                 SELECT t.message_id, coalesce(bool_or(
                          m.content -> 'in_channel' -> 'of' -> 'notice' ->> split_part($7, ':', 1) = split_part($7, ':', 2)), false) AS told
                   FROM thread t
                   JOIN tandem.message_account s ON s.org_id = $1 AND s.account_id = $2
                   JOIN tandem.message m ON m.org_id = $1 AND m.message_id = s.message_id AND t.message_id IN (m.message_id, m.thread_of)
                  GROUP BY t.message_id";
    /// One redraw for each earlier message whose card of an account stands in one of these now.
    SUPERSEDE = concat!(
        "WITH fresh AS MATERIALIZED (", cards!(), "),
          before AS MATERIALIZED (
           SELECT DISTINCT m.org_id, m.message_id, m.platform, m.workspace_id
             FROM fresh",
        others_with!("fresh", "created_at > $4 AND created_at <= fresh.created_at
                               AND (created_at, message_id) < (fresh.created_at, fresh.message_id)"),
        "WHERE ", is_card!(), "), ",
        queue_redraws!("$3", concat!("before m", posted!())),
        " SELECT"
    );
}

/// The message with this person's card of the account, made after `since`, where they have seen the subject there
/// before. `None` where the subject is new to them: then it is worth a message of its own.
pub async fn of_subject(
    tx: &mut Tenant,
    workspace: &Workspace,
    person: PersonId,
    account: &AccountId,
    subject: &Subject,
    since: DateTime<Utc>,
) -> anyhow::Result<Option<Uuid>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(OF_SUBJECT)
        .bind(org)
        .bind(&account.0)
        .bind(person.0)
        .bind(since)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(subject.to_string())
        .fetch_optional(tx.connection())
        .await?)
}

/// Of the accounts that each of these messages has as cards, those whose card has moved on to a newer message, and when
/// that was made.
pub async fn newer(
    tx: &mut Tenant,
    messages: &[Uuid],
) -> anyhow::Result<BTreeMap<Uuid, BTreeMap<AccountId, DateTime<Utc>>>> {
    let mut newer: BTreeMap<Uuid, BTreeMap<AccountId, DateTime<Utc>>> = BTreeMap::new();
    if messages.is_empty() {
        return Ok(newer);
    }
    let org = tx.org().0;
    let rows: Vec<(Uuid, String, DateTime<Utc>)> =
        sqlx::query_as(NEWER).bind(org).bind(messages).fetch_all(tx.connection()).await?;
    for (message, account, at) in rows {
        newer.entry(message).or_default().insert(AccountId(account), at);
    }
    Ok(newer)
}

/// Queues a redraw of the earlier messages whose cards these new ones have now.
pub async fn supersede(tx: &mut Tenant, messages: &[Uuid], now: DateTime<Utc>) -> anyhow::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let org = tx.org().0;
    sqlx::query(SUPERSEDE)
        .bind(org)
        .bind(messages)
        .bind(now)
        .bind(now - REDRAWN_FOR)
        .execute(tx.connection())
        .await
        .context("redraw the cards before")?;
    Ok(())
}

/// The thread about an account in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Thread {
    /// The message that begins it.
    pub message_id: Uuid,
    /// The subject stands in it already.
    pub told: bool,
}

/// The thread about an account in a channel, if one was begun in the last 30 days: what happens later stands there, so
/// that the channel stays readable.
pub async fn thread_in(
    tx: &mut Tenant,
    workspace: &Workspace,
    channel: &str,
    account: &AccountId,
    subject: &Subject,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Thread>> {
    let org = tx.org().0;
    Ok(sqlx::query_as(THREAD_IN)
        .bind(org)
        .bind(&account.0)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(channel)
        .bind(now - REDRAWN_FOR)
        .bind(subject.to_string())
        .fetch_optional(tx.connection())
        .await?)
}
