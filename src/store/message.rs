//! What was said where, and what is to be sent: messages, their copies in chat,
//! and the outbox. Nothing here holds text: a message is rendered at each sending.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::Tenant;
use super::directory::{Lease, Workspace};
use crate::domain::account::AccountId;
use crate::domain::person::PersonId;

/// Claims the rows of these ids, with hold of their posts: see `queue_redraws`. The lease is checked in the same statement:
/// a paused process that lost its lane writes nothing.
macro_rules! mark_sending {
    ($wait:literal) => {
        concat!(
            "WITH free AS MATERIALIZED (
               SELECT * FROM (SELECT outbox_id FROM tandem.outbox
                               WHERE org_id = $1 AND outbox_id = ANY ($2) AND kind = 'post' FOR UPDATE ",
            $wait,
            ") AS posts
               UNION ALL
               SELECT * FROM (SELECT o.outbox_id
                                FROM tandem.outbox o
                                JOIN tandem.outbox p ON p.org_id = $1 AND p.message_id = o.message_id AND p.kind = 'post'
                               WHERE o.org_id = $1 AND o.outbox_id = ANY ($2) AND o.kind = 'redraw' FOR UPDATE OF p ",
            $wait,
            ") AS redraws)
             UPDATE tandem.outbox o SET state = 'sending', fence = $3, attempts = attempts + 1
              WHERE o.org_id = $1 AND o.outbox_id = ANY (ARRAY(SELECT outbox_id FROM free))
                AND (o.state = 'queued' OR (o.state = 'sending' AND o.fence < $3))
                AND EXISTS (SELECT FROM directory.lane l
                             WHERE l.org_id = o.org_id AND l.platform = o.platform AND l.workspace_id = o.workspace_id
                               AND l.fence = $3 AND l.leased_until > clock_timestamp())
             RETURNING o.outbox_id"
        )
    };
}

statements! {
    INSERT = "INSERT INTO tandem.message (org_id, message_id, platform, workspace_id, person_id, channel_id, chat_user_id, content, thread_of, created_at)
              SELECT $1, m.*, $10
                FROM unnest($2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[], $9::uuid[]) AS m";
    SHOWS = "INSERT INTO tandem.message_account (org_id, account_id, message_id)
             SELECT $1, a.* FROM unnest($2::text[], $3::uuid[]) AS a ON CONFLICT DO NOTHING";
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
    /// The rows first, then what they say: thousands may be due, and only a page of each kind is wanted. The index has them
    /// in this order.
    DUE = "SELECT o.outbox_id, o.message_id, o.kind, o.uncertain, o.attempts, o.queued_at, o.due_at,
                  m.person_id, m.channel_id, m.chat_user_id, m.content, m.thread_of
             FROM unnest($7::text[]) AS k (kind)
            CROSS JOIN LATERAL (SELECT outbox_id, message_id, kind, state = 'sending' OR sending_part IS NOT NULL AS uncertain,
                                       attempts, queued_at, due_at
                                  FROM tandem.outbox
                                 WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND kind = k.kind AND due_at <= $4
                                   AND state IN ('queued', 'sending') AND (state = 'queued' OR fence < $5)
                                 ORDER BY due_at, outbox_id LIMIT $6) AS o
            CROSS JOIN LATERAL (SELECT person_id, channel_id, chat_user_id, content, thread_of FROM tandem.message
                                 WHERE org_id = $1 AND message_id = o.message_id OFFSET 0) AS m";
    NEXT_DUE = "SELECT min(o.due_at)
                  FROM unnest(ARRAY['redraw', 'post']) AS k (kind)
                 CROSS JOIN LATERAL (SELECT due_at FROM tandem.outbox
                                      WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND kind = k.kind
                                        AND state IN ('queued', 'sending')
                                      ORDER BY due_at, outbox_id LIMIT 1) AS o";
    MARK_SENDING = mark_sending!("");
    /// Those that nobody holds.
    MARK_FREE = mark_sending!("SKIP LOCKED");
    SETTLE = "UPDATE tandem.outbox SET state = $4, problem = $5, settled_at = $6
               WHERE org_id = $1 AND outbox_id = ANY ($2) AND fence = $3 AND state = 'sending'";
    /// A part that may stand in chat although no answer came is remembered, so that it is looked up first.
    RETRY = "UPDATE tandem.outbox SET state = 'queued', due_at = $4, problem = $5, attempts = attempts - $6, sending_part = $7
              WHERE org_id = $1 AND outbox_id = $2 AND fence = $3 AND state = 'sending'";
    /// A redraw that must wait while a newer one is queued already has nothing left to say; what may stand in chat because
    /// of it, and since when, the newer one has to know.
    DROP_STALE_REDRAW = "WITH stale AS (
                           DELETE FROM tandem.outbox o
                            WHERE o.org_id = $1 AND o.outbox_id = $2 AND o.fence = $3 AND o.kind = 'redraw' AND o.state = 'sending'
                              AND EXISTS (SELECT FROM tandem.outbox n WHERE n.org_id = o.org_id AND n.message_id = o.message_id
                                             AND n.kind = 'redraw' AND n.state = 'queued')
                           RETURNING o.message_id, o.queued_at)
                         UPDATE tandem.outbox n
                            SET sending_part = coalesce($4, n.sending_part), queued_at = least(n.queued_at, stale.queued_at)
                           FROM stale
                          WHERE n.org_id = $1 AND n.message_id = stale.message_id AND n.kind = 'redraw' AND n.state = 'queued'";
    COPIES = "SELECT message_id, part, channel_id, ts, sent_at FROM tandem.message_copy
               WHERE org_id = $1 AND message_id = ANY ($2) ORDER BY message_id, part";
    SAVE_COPIES = "INSERT INTO tandem.message_copy (org_id, message_id, part, channel_id, ts, sent_at)
                   SELECT $1, c.* FROM unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::timestamptz[]) AS c
                   ON CONFLICT (org_id, message_id, part) DO NOTHING";
    AT_PLACE = "SELECT m.message_id, m.content, m.person_id, c.part FROM tandem.message_copy c JOIN tandem.message m USING (org_id, message_id)
                 WHERE c.org_id = $1 AND c.channel_id = $2 AND c.ts = $3";
    ACCOUNTS_OF = "SELECT account_id FROM tandem.message_account WHERE org_id = $1 AND message_id = $2 ORDER BY account_id";
    POSTS_OPEN = "SELECT message_id, state = 'sending' FROM tandem.outbox WHERE org_id = $1 AND message_id = ANY ($2) AND kind = 'post'
                     AND state IN ('queued', 'sending')";
    OPEN_POSTS = "SELECT count(*) FROM tandem.outbox WHERE org_id = $1 AND kind = 'post' AND state IN ('queued', 'sending')";
    GIVEN_UP_SINCE = "SELECT count(*) FROM tandem.outbox WHERE org_id = $1 AND state = 'given_up' AND settled_at >= $2";
    OF_PERSON = "SELECT m.message_id, m.content, m.thread_of, c.sent_at, c.channel_id, c.ts
                   FROM tandem.message m JOIN tandem.message_copy c USING (org_id, message_id)
                  WHERE m.org_id = $1 AND m.platform = $2 AND m.workspace_id = $3 AND m.person_id = $4 AND c.part = 0
                  ORDER BY c.sent_at, m.message_id";
    RECEIVE = "INSERT INTO tandem.inbound_receipt (org_id, receipt, received_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    /// With the settings' stamp, which a click asks for next.
    RECEIVE_CLICK = concat!(
        "WITH came AS (", receive_clicks!(), ")
         SELECT EXISTS (SELECT FROM came) AS first, s.stamp FROM tandem.organisation_setting s WHERE s.org_id = $1"
    );
    TAKE_BACK = "DELETE FROM tandem.inbound_receipt WHERE org_id = $1 AND receipt = ANY ($2)";
    FORGET_RECEIPTS = "DELETE FROM tandem.inbound_receipt WHERE org_id = $1 AND received_at < $2";
    FORGET_REDRAWS = "DELETE FROM tandem.outbox
                       WHERE org_id = $1 AND kind = 'redraw' AND state IN ('sent', 'given_up') AND settled_at < $2";
    /// What a message that is redrawn no more shows is asked by nobody.
    FORGET_SHOWN = "DELETE FROM tandem.message_account s USING tandem.message m
                     WHERE s.org_id = $1 AND m.org_id = s.org_id AND m.message_id = s.message_id AND m.created_at < $2";
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
    fn person(&self) -> Option<Uuid> {
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
    let (accounts, shown_in): (Vec<&str>, Vec<Uuid>) = shown.unzip();
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sending {
    Redraw,
    Post,
}

impl Sending {
    pub fn as_str(self) -> &'static str {
        match self {
            Sending::Redraw => "redraw",
            Sending::Post => "post",
        }
    }
}

impl From<&str> for Sending {
    fn from(kind: &str) -> Self {
        if kind == "post" { Sending::Post } else { Sending::Redraw }
    }
}

/// An outbox row with the message that it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    pub outbox_id: Uuid,
    pub message_id: Uuid,
    pub sending: Sending,
    /// It was being sent under an earlier lease, or no answer came: it may stand in chat already.
    pub uncertain: bool,
    /// Attempts already made.
    pub attempts: i32,
    pub queued_at: DateTime<Utc>,
    pub to: Address,
    pub content: Value,
    pub thread_of: Option<Uuid>,
}

impl Outgoing {
    /// The colleague whose direct messages it goes to; `None` for a channel and for somebody unknown.
    pub fn reader(&self) -> Option<PersonId> {
        self.to.person().map(PersonId)
    }
}

#[derive(FromRow)]
struct OutgoingRow {
    outbox_id: Uuid,
    message_id: Uuid,
    kind: String,
    uncertain: bool,
    attempts: i32,
    queued_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
    person_id: Option<Uuid>,
    channel_id: Option<String>,
    chat_user_id: Option<String>,
    content: Value,
    thread_of: Option<Uuid>,
}

/// What a lane owes by `now` of these kinds, `most` of each: redraws first, oldest first.
pub async fn due(
    tx: &mut Tenant,
    lease: &Lease,
    now: DateTime<Utc>,
    most: i64,
    kinds: &[Sending],
) -> anyhow::Result<Vec<Outgoing>> {
    let org = tx.org().0;
    let mut rows: Vec<OutgoingRow> = sqlx::query_as(DUE)
        .bind(org)
        .bind(lease.workspace.platform.as_str())
        .bind(&lease.workspace.id)
        .bind(now)
        .bind(lease.fence)
        .bind(most)
        .bind(kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>())
        .fetch_all(tx.connection())
        .await?;
    rows.sort_by_key(|row| (Sending::from(row.kind.as_str()), row.due_at, row.outbox_id));
    rows.into_iter()
        .map(|row| {
            let to = match (row.person_id, row.channel_id, row.chat_user_id) {
                (Some(person), ..) => Address::Person(PersonId(person)),
                (None, Some(channel), _) => Address::Channel(channel),
                (None, None, Some(user)) => Address::ChatUser(user),
                (None, None, None) => anyhow::bail!("message {} has no address", row.message_id),
            };
            Ok(Outgoing {
                outbox_id: row.outbox_id,
                message_id: row.message_id,
                sending: Sending::from(row.kind.as_str()),
                uncertain: row.uncertain,
                attempts: row.attempts,
                queued_at: row.queued_at,
                to,
                content: row.content,
                thread_of: row.thread_of,
            })
        })
        .collect()
}

/// When the lane owes something next; `None` when its outbox is empty.
pub async fn next_due(tx: &mut Tenant, workspace: &Workspace) -> anyhow::Result<Option<DateTime<Utc>>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(NEXT_DUE)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .fetch_one(tx.connection())
        .await?)
}

/// Claims a row for this lease, once whoever holds it has committed. False where nothing of it may be sent: the lease is
/// lost, or the row is another's.
pub async fn mark_sending(tx: &mut Tenant, outbox_id: Uuid, lease: &Lease) -> anyhow::Result<bool> {
    Ok(marked(tx, MARK_SENDING, &[outbox_id], lease).await?.contains(&outbox_id))
}

/// Claims those of the rows whose post no change holds, and says which. Does not wait for changes: one might wait for
/// what is held here already.
pub async fn mark_free(tx: &mut Tenant, outbox_ids: &[Uuid], lease: &Lease) -> anyhow::Result<BTreeSet<Uuid>> {
    marked(tx, MARK_FREE, outbox_ids, lease).await
}

async fn marked(
    tx: &mut Tenant,
    statement: &'static str,
    outbox_ids: &[Uuid],
    lease: &Lease,
) -> anyhow::Result<BTreeSet<Uuid>> {
    let org = tx.org().0;
    let marked: Vec<Uuid> =
        sqlx::query_scalar(statement).bind(org).bind(outbox_ids).bind(lease.fence).fetch_all(tx.connection()).await?;
    Ok(BTreeSet::from_iter(marked))
}

/// How a row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending<'a> {
    Sent,
    /// The last error's code.
    GivenUp(&'a str),
}

/// Ends rows; false where one of them is another's by now, and then the caller must undo it.
pub async fn settle(
    tx: &mut Tenant,
    outbox_ids: &[Uuid],
    lease: &Lease,
    ending: Ending<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let org = tx.org().0;
    let (state, problem) = match ending {
        Ending::Sent => ("sent", None),
        Ending::GivenUp(problem) => ("given_up", Some(problem)),
    };
    let done = sqlx::query(SETTLE)
        .bind(org)
        .bind(outbox_ids)
        .bind(lease.fence)
        .bind(state)
        .bind(problem)
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == outbox_ids.len() as u64)
}

/// Puts a row back until `due_at`. `counts` is false for a Retry-After, which is no failed attempt.
/// `unsure` names the part that may stand in chat although no answer came.
pub async fn retry(
    tx: &mut Tenant,
    outbox_id: Uuid,
    lease: &Lease,
    due_at: DateTime<Utc>,
    problem: &str,
    counts: bool,
    unsure: Option<i32>,
) -> anyhow::Result<()> {
    let org = tx.org().0;
    let dropped = sqlx::query(DROP_STALE_REDRAW)
        .bind(org)
        .bind(outbox_id)
        .bind(lease.fence)
        .bind(unsure)
        .execute(tx.connection())
        .await?;
    if dropped.rows_affected() == 1 {
        return Ok(());
    }
    sqlx::query(RETRY)
        .bind(org)
        .bind(outbox_id)
        .bind(lease.fence)
        .bind(due_at)
        .bind(problem)
        .bind(i32::from(!counts))
        .bind(unsure)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The accounts that a message shows.
pub async fn accounts_of(tx: &mut Tenant, message_id: Uuid) -> anyhow::Result<Vec<AccountId>> {
    let org = tx.org().0;
    let ids: Vec<String> =
        sqlx::query_scalar(ACCOUNTS_OF).bind(org).bind(message_id).fetch_all(tx.connection()).await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// A post that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenPost {
    /// It waits, and is drawn anew when it is sent.
    Waits,
    IsSent,
}

/// Which of these messages have a post that has not ended.
pub async fn posts_open(tx: &mut Tenant, messages: &[Uuid]) -> anyhow::Result<BTreeMap<Uuid, OpenPost>> {
    let org = tx.org().0;
    let open: Vec<(Uuid, bool)> =
        sqlx::query_as(POSTS_OPEN).bind(org).bind(messages).fetch_all(tx.connection()).await?;
    let open = open.into_iter().map(|(id, is_sent)| (id, if is_sent { OpenPost::IsSent } else { OpenPost::Waits }));
    Ok(open.collect())
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

/// How many messages wait to be posted, or are being posted.
pub async fn open_posts(tx: &mut Tenant) -> anyhow::Result<i64> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(OPEN_POSTS).bind(org).fetch_one(tx.connection()).await?)
}

/// How many rows were given up since then.
pub async fn given_up_since(tx: &mut Tenant, since: DateTime<Utc>) -> anyhow::Result<i64> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(GIVEN_UP_SINCE).bind(org).bind(since).fetch_one(tx.connection()).await?)
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
