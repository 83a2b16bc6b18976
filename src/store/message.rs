//! What was said where: messages, their copies in chat, and how both come into the
//! outbox. Nothing here holds text: a message is rendered at each sending.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::Tenant;
use super::directory::Workspace;
use crate::domain::account::AccountId;
use crate::domain::person::PersonId;

statements! {
    INSERT = "INSERT INTO tandem.message (org_id, message_id, platform, workspace_id, person_id, channel_id, chat_user_id, content, thread_of, created_at)
              SELECT $1, m.*, $10
                FROM unnest($2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[], $9::uuid[]) AS m";
    SHOWS = "INSERT INTO tandem.message_account (org_id, account_id, message_id)
             SELECT $1, a.* FROM unnest($2::text[], $3::uuid[]) AS a";
    QUEUE_POSTS = "INSERT INTO tandem.outbox (org_id, outbox_id, platform, workspace_id, message_id, kind, due_at, queued_at)
                   SELECT $1, p.*, 'post', $6, $6 FROM unnest($2::uuid[], $3::text[], $4::text[], $5::uuid[]) AS p";
    /// Wakes a lane without locking its row when it is awake already: clicks would queue behind each other.
    WAKE_LANE = "UPDATE directory.lane SET wake_at = $4
                  WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND wake_at > $4";
    QUEUE_REDRAWS = concat!("WITH ", queue_redraws!("$3", showing!("$2", "$4")), " SELECT");
    /// Every message that stands in a channel, so that each is looked at again before its next word.
    QUEUE_CHANNEL = concat!(
        "WITH ",
        queue_redraws!(
            "$5",
            concat!(
                "tandem.message m",
                held_post!("false", ""),
                "WHERE m.org_id = $1 AND m.platform = $2 AND m.workspace_id = $3 AND m.created_at > $6
                   AND EXISTS (SELECT FROM tandem.message_copy c
                                WHERE c.org_id = m.org_id AND c.message_id = m.message_id AND c.channel_id = $4)"
            )
        ),
        " SELECT"
    );
    COPIES = "SELECT message_id, part, channel_id, ts, sent_at FROM tandem.message_copy
               WHERE org_id = $1 AND message_id = ANY ($2) ORDER BY message_id, part";
    SAVE_COPIES = "INSERT INTO tandem.message_copy (org_id, message_id, part, channel_id, ts, sent_at)
                   SELECT $1, c.* FROM unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::timestamptz[]) AS c
                   ON CONFLICT (org_id, message_id, part) DO NOTHING";
    AT_PLACE = "SELECT m.message_id, m.content, m.person_id, c.part FROM tandem.message_copy c JOIN tandem.message m USING (org_id, message_id)
                 WHERE c.org_id = $1 AND c.channel_id = $2 AND c.ts = $3";
    ACCOUNTS_OF = "SELECT account_id FROM tandem.message_account WHERE org_id = $1 AND message_id = $2 ORDER BY account_id";
    OF_PERSON = "SELECT m.message_id, m.content, m.thread_of, c.sent_at, c.channel_id, c.ts
                   FROM tandem.message m JOIN tandem.message_copy c USING (org_id, message_id)
                  WHERE m.org_id = $1 AND m.platform = $2 AND m.workspace_id = $3 AND m.person_id = $4 AND c.part = 0
                  ORDER BY c.sent_at, m.message_id";
    WAS_TOLD = "SELECT EXISTS (SELECT FROM tandem.message
                                WHERE org_id = $1 AND person_id = $2 AND created_at >= $5
                                  AND content -> 'notice' ->> 'risk' = $3::text AND content -> 'notice' ->> 'event' = $4)";
    RECEIVE = "INSERT INTO tandem.inbound_receipt (org_id, receipt, received_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    /// With the settings' stamp, which a click asks for next.
    RECEIVE_CLICK = concat!(
        "WITH came AS (", receive_clicks!(), ")
         SELECT EXISTS (SELECT FROM came) AS first, s.stamp FROM tandem.organisation_setting s WHERE s.org_id = $1"
    );
    TAKE_BACK = "DELETE FROM tandem.inbound_receipt WHERE org_id = $1 AND receipt = ANY ($2)";
    GAPS_TOLD = "SELECT max((content -> 'gaps' ->> 'on')::date) FROM tandem.message
                  WHERE org_id = $1 AND person_id = $2 AND content ? 'gaps'";
    FORGET_RECEIPTS = "DELETE FROM tandem.inbound_receipt WHERE org_id = $1 AND received_at < $2";
    FORGET_REDRAWS = "DELETE FROM tandem.outbox
                       WHERE org_id = $1 AND kind = 'redraw' AND state IN ('sent', 'given_up') AND settled_at < $2";
    /// What a message that is redrawn no more shows is asked by nobody. Ids grow with time, and what was forgotten is not there
    /// any more: so messages are looked at one by one, in that order, up to the first that is still redrawn. A home page keeps
    /// its id and is made anew, and so says nothing about those after it; one whose message is gone goes too.
    FORGET_SHOWN = "WITH RECURSIVE looked_at (message_id, is_over, goes_on) AS (
                      SELECT '00000000-0000-0000-0000-000000000000'::uuid, false, true
                      UNION ALL
                      SELECT next.message_id, next.is_over, next.is_over OR next.is_home
                        FROM looked_at
                       CROSS JOIN LATERAL (
                             SELECT s.message_id, coalesce(m.created_at < $2, true) AS is_over,
                                    coalesce(m.content ? 'home', false) AS is_home
                               FROM (SELECT message_id FROM tandem.message_account
                                      WHERE org_id = $1 AND message_id > looked_at.message_id
                                      ORDER BY message_id LIMIT 1) AS s
                               LEFT JOIN LATERAL (SELECT created_at, content FROM tandem.message
                                                   WHERE org_id = $1 AND message_id = s.message_id OFFSET 0) AS m ON true) AS next
                       WHERE looked_at.goes_on)
                    DELETE FROM tandem.message_account
                     WHERE org_id = $1 AND message_id = ANY (ARRAY(SELECT message_id FROM looked_at WHERE is_over))";
}

/// How long after it was sent a message is still redrawn.
pub(super) const REDRAWN_FOR: TimeDelta = TimeDelta::days(30);
/// How long a click or an event is known again; platforms repeat what they think was lost for hours, not weeks.
const KNOWN_FOR: TimeDelta = TimeDelta::days(30);
/// How long a redraw that was made is kept, for whoever looks into what was sent.
const REDRAWS_KEPT_FOR: TimeDelta = TimeDelta::days(7);

/// A message to be made and queued.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    pub id: Uuid,
    pub workspace: Workspace,
    pub to: Address,
    /// Which message it is, as ids.
    pub content: Value,
    /// The accounts that it shows.
    pub accounts: Vec<AccountId>,
    pub thread_of: Option<Uuid>,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A person's direct messages.
    Person(PersonId),
    Channel(String),
    /// The direct messages of somebody whom nobody is known by, as the platform names them.
    ChatUser(String),
}

impl Address {
    pub(super) fn person(&self) -> Option<Uuid> {
        match self {
            Address::Person(person) => Some(person.0),
            Address::Channel(_) | Address::ChatUser(_) => None,
        }
    }

    fn channel(&self) -> Option<&str> {
        match self {
            Address::Channel(channel) => Some(channel),
            Address::Person(_) | Address::ChatUser(_) => None,
        }
    }

    fn chat_user(&self) -> Option<&str> {
        match self {
            Address::ChatUser(user) => Some(user),
            Address::Person(_) | Address::Channel(_) => None,
        }
    }
}

/// Makes messages and queues their sending, in the caller's transaction.
pub async fn queue_posts(tx: &mut Tenant, messages: &[NewMessage], now: DateTime<Utc>) -> anyhow::Result<()> {
    queue_posts_at(tx, messages, now, now).await
}

/// The same, to leave at `due`.
pub async fn queue_posts_at(
    tx: &mut Tenant,
    messages: &[NewMessage],
    due: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let org = tx.org().0;
    let ids: Vec<Uuid> = messages.iter().map(|message| message.id).collect();
    let platforms: Vec<&str> = messages.iter().map(|message| message.workspace.platform.as_str()).collect();
    let workspaces: Vec<&str> = messages.iter().map(|message| message.workspace.id.as_str()).collect();
    sqlx::query(INSERT)
        .bind(org)
        .bind(&ids)
        .bind(&platforms)
        .bind(&workspaces)
        .bind(messages.iter().map(|message| message.to.person()).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| message.to.channel()).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| message.to.chat_user()).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| &message.content).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| message.thread_of).collect::<Vec<_>>())
        .bind(now)
        .execute(tx.connection())
        .await
        .context("make messages")?;
    let shown = messages.iter().flat_map(|message| message.accounts.iter().map(|id| (id.0.as_str(), message.id)));
    // Each once and in the order of the key, so that Postgres need not look for those that are there already.
    let (accounts, shown_in): (Vec<&str>, Vec<Uuid>) = shown.collect::<BTreeSet<_>>().into_iter().unzip();
    sqlx::query(SHOWS).bind(org).bind(&accounts).bind(&shown_in).execute(tx.connection()).await?;
    sqlx::query(QUEUE_POSTS)
        .bind(org)
        .bind(messages.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
        .bind(&platforms)
        .bind(&workspaces)
        .bind(&ids)
        .bind(due)
        .execute(tx.connection())
        .await
        .context("queue messages")?;
    // In one order, so that two who queue for several lanes cannot wait for each other.
    let lanes: BTreeSet<&Workspace> = messages.iter().map(|message| &message.workspace).collect();
    for lane in lanes {
        wake(tx, lane, due).await?;
    }
    Ok(())
}

pub(super) async fn wake(tx: &mut Tenant, workspace: &Workspace, now: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(WAKE_LANE)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Queues one redraw for every message that shows one of these accounts; many changes make one redraw.
pub async fn queue_redraws(tx: &mut Tenant, accounts: &[AccountId], now: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    sqlx::query(QUEUE_REDRAWS)
        .bind(org)
        .bind(&ids)
        .bind(now)
        .bind(now - REDRAWN_FOR)
        .execute(tx.connection())
        .await
        .context("queue redraws")?;
    Ok(())
}

/// Queues a redraw of every message that stands in a channel.
pub async fn queue_channel(
    tx: &mut Tenant,
    workspace: &Workspace,
    channel: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(QUEUE_CHANNEL)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(channel)
        .bind(now)
        .bind(now - REDRAWN_FOR)
        .execute(tx.connection())
        .await
        .context("queue redraws of a channel")?;
    Ok(())
}

/// Whether this was said of a risk to this person since then.
pub async fn was_told(
    tx: &mut Tenant,
    person: PersonId,
    risk: Uuid,
    event: &str,
    since: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let query = sqlx::query_scalar(WAS_TOLD).bind(tx.org().0).bind(person.0).bind(risk).bind(event).bind(since);
    Ok(query.fetch_one(tx.connection()).await?)
}

/// The accounts that a message shows.
pub async fn accounts_of(tx: &mut Tenant, message_id: Uuid) -> anyhow::Result<Vec<AccountId>> {
    let org = tx.org().0;
    let ids: Vec<String> =
        sqlx::query_scalar(ACCOUNTS_OF).bind(org).bind(message_id).fetch_all(tx.connection()).await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// Where one part of a message stands in chat.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct MessageCopy {
    pub part: i32,
    pub channel_id: String,
    pub ts: String,
    pub sent_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct CopyRow {
    message_id: Uuid,
    #[sqlx(flatten)]
    copy: MessageCopy,
}

/// Where these messages stand, each by part; those that stand nowhere are absent.
pub async fn copies(tx: &mut Tenant, messages: &[Uuid]) -> anyhow::Result<BTreeMap<Uuid, Vec<MessageCopy>>> {
    let org = tx.org().0;
    let rows: Vec<CopyRow> = sqlx::query_as(COPIES).bind(org).bind(messages).fetch_all(tx.connection()).await?;
    let mut copies: BTreeMap<Uuid, Vec<MessageCopy>> = BTreeMap::new();
    for row in rows {
        copies.entry(row.message_id).or_default().push(row.copy);
    }
    Ok(copies)
}

/// Keeps where parts of messages stand; what is known already stays.
pub async fn save_copies(tx: &mut Tenant, copies: &[(Uuid, MessageCopy)]) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SAVE_COPIES)
        .bind(org)
        .bind(copies.iter().map(|(message, _)| *message).collect::<Vec<_>>())
        .bind(copies.iter().map(|(_, copy)| copy.part).collect::<Vec<_>>())
        .bind(copies.iter().map(|(_, copy)| copy.channel_id.as_str()).collect::<Vec<_>>())
        .bind(copies.iter().map(|(_, copy)| copy.ts.as_str()).collect::<Vec<_>>())
        .bind(copies.iter().map(|(_, copy)| copy.sent_at).collect::<Vec<_>>())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// A message that a person has.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct HeldMessage {
    pub message_id: Uuid,
    pub content: Value,
    pub thread_of: Option<Uuid>,
    pub sent_at: DateTime<Utc>,
    pub channel_id: String,
    pub ts: String,
}

/// What stands in a person's direct messages of one workspace, oldest first.
pub async fn of_person(tx: &mut Tenant, workspace: &Workspace, person: PersonId) -> anyhow::Result<Vec<HeldMessage>> {
    let org = tx.org().0;
    Ok(sqlx::query_as(OF_PERSON)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(person.0)
        .fetch_all(tx.connection())
        .await?)
}

/// A message of ours in chat, found by where it stands.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct AtPlace {
    pub message_id: Uuid,
    pub content: Value,
    /// Whose direct messages, or `None` for a channel.
    #[sqlx(rename = "person_id")]
    person: Option<Uuid>,
    pub part: i32,
}

impl AtPlace {
    pub fn reader(&self) -> Option<PersonId> {
        self.person.map(PersonId)
    }
}

/// Which message stands at this place.
pub async fn at_place(tx: &mut Tenant, channel: &str, ts: &str) -> anyhow::Result<Option<AtPlace>> {
    let org = tx.org().0;
    Ok(sqlx::query_as(AT_PLACE).bind(org).bind(channel).bind(ts).fetch_optional(tx.connection()).await?)
}

/// Notes that a click or event came. False where it had come before: then it has had its effect.
pub async fn receive(tx: &mut Tenant, receipt: &str, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let org = tx.org().0;
    let done = sqlx::query(RECEIVE).bind(org).bind(receipt).bind(now).execute(tx.connection()).await?;
    Ok(done.rows_affected() == 1)
}

/// As [`receive`], of a click, with the settings' stamp; a click without a name to be known again by is always the first.
pub async fn receive_click(tx: &mut Tenant, receipt: Option<&str>, now: DateTime<Utc>) -> anyhow::Result<(bool, i64)> {
    let org = tx.org().0;
    let named: Vec<&str> = receipt.into_iter().collect();
    let (first, stamp): (bool, i64) =
        sqlx::query_as(RECEIVE_CLICK).bind(org).bind(&named).bind(now).fetch_one(tx.connection()).await?;
    Ok((first || receipt.is_none(), stamp))
}

/// As if these had not come: they are carried out by another transaction.
pub async fn take_back(tx: &mut Tenant, receipts: &[&str]) -> anyhow::Result<()> {
    if !receipts.is_empty() {
        sqlx::query(TAKE_BACK).bind(tx.org().0).bind(receipts).execute(tx.connection()).await?;
    }
    Ok(())
}

/// The latest date for which this person was told what cannot be read, in a message of its own.
pub async fn gaps_told(tx: &mut Tenant, person: PersonId) -> anyhow::Result<Option<NaiveDate>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(GAPS_TOLD).bind(org).bind(person.0).fetch_one(tx.connection()).await?)
}

/// Forgets what nobody will ask for again: old receipts, redraws that were made, and what messages show that are
/// redrawn no more. Messages and their posts stay.
pub async fn forget(tx: &mut Tenant, now: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    let kept = [(FORGET_RECEIPTS, KNOWN_FOR), (FORGET_REDRAWS, REDRAWS_KEPT_FOR), (FORGET_SHOWN, REDRAWN_FOR)];
    for (statement, kept_for) in kept {
        sqlx::query(statement).bind(org).bind(now - kept_for).execute(tx.connection()).await?;
    }
    Ok(())
}
