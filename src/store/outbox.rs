//! What is to be sent: rows that a lane takes, claims, and ends. What each says is in its message.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::Tenant;
use super::directory::{Lease, Workspace};
use super::message::Address;
use crate::domain::person::PersonId;

const QUEUED: &str = "queued";
const SENDING: &str = "sending";

/// Claims the rows of these ids, with hold of their posts: see `queue_redraws`. The lease is checked in the same statement:
/// a paused process that lost its lane writes nothing.
///
/// States are parameters here and below, where a row is looked for by its id: written out, they would let Postgres take the
/// index of what is open instead of the key, which it thinks next to empty if it last looked at night, and read the whole
/// morning for each page.
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
                AND (o.state = $4 OR (o.state = $5 AND o.fence < $3))
                AND EXISTS (SELECT FROM directory.lane l
                             WHERE l.org_id = o.org_id AND l.platform = o.platform AND l.workspace_id = o.workspace_id
                               AND l.fence = $3 AND l.leased_until > clock_timestamp())
             RETURNING o.outbox_id"
        )
    };
}

statements! {
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
               WHERE org_id = $1 AND outbox_id = ANY ($2) AND fence = $3 AND state = $7";
    /// A part that may stand in chat although no answer came is remembered, so that it is looked up first.
    RETRY = "UPDATE tandem.outbox SET state = 'queued', due_at = $4, problem = $5, attempts = attempts - $6, sending_part = $7
              WHERE org_id = $1 AND outbox_id = $2 AND fence = $3 AND state = $8";
    /// A redraw that must wait while a newer one is queued already has nothing left to say; what may stand in chat because
    /// of it, and since when, the newer one has to know.
    DROP_STALE_REDRAW = "WITH stale AS (
                           DELETE FROM tandem.outbox o
                            WHERE o.org_id = $1 AND o.outbox_id = $2 AND o.fence = $3 AND o.kind = 'redraw' AND o.state = $5
                              AND EXISTS (SELECT FROM tandem.outbox n WHERE n.org_id = o.org_id AND n.message_id = o.message_id
                                             AND n.kind = 'redraw' AND n.state = 'queued')
                           RETURNING o.message_id, o.queued_at)
                         UPDATE tandem.outbox n
                            SET sending_part = coalesce($4, n.sending_part), queued_at = least(n.queued_at, stale.queued_at)
                           FROM stale
                          WHERE n.org_id = $1 AND n.message_id = stale.message_id AND n.kind = 'redraw' AND n.state = 'queued'";
    POSTS_OPEN = "SELECT message_id, state = 'sending' FROM tandem.outbox WHERE org_id = $1 AND message_id = ANY ($2) AND kind = 'post'
                     AND state = ANY ($3)";
    OPEN_POSTS = "SELECT count(*) FROM tandem.outbox WHERE org_id = $1 AND kind = 'post' AND state IN ('queued', 'sending')";
    ENDED_POSTS = "SELECT count(*) FILTER (WHERE state = 'sent'), count(*) FILTER (WHERE state = 'given_up')
                     FROM tandem.outbox WHERE org_id = $1 AND message_id = ANY ($2) AND kind = 'post'";
    GIVEN_UP_SINCE = "SELECT count(*) FROM tandem.outbox WHERE org_id = $1 AND state = 'given_up' AND settled_at >= $2";
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
    let query = sqlx::query_scalar(statement).bind(org).bind(outbox_ids).bind(lease.fence).bind(QUEUED).bind(SENDING);
    let marked: Vec<Uuid> = query.fetch_all(tx.connection()).await?;
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
        .bind(SENDING)
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
        .bind(SENDING)
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
        .bind(SENDING)
        .execute(tx.connection())
        .await?;
    Ok(())
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
        sqlx::query_as(POSTS_OPEN).bind(org).bind(messages).bind([QUEUED, SENDING]).fetch_all(tx.connection()).await?;
    let open = open.into_iter().map(|(id, is_sent)| (id, if is_sent { OpenPost::IsSent } else { OpenPost::Waits }));
    Ok(open.collect())
}

/// How many messages wait to be posted, or are being posted.
pub async fn open_posts(tx: &mut Tenant) -> anyhow::Result<i64> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(OPEN_POSTS).bind(org).fetch_one(tx.connection()).await?)
}

/// How posts ended, whoever sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    pub sent: u64,
    pub given_up: u64,
}

/// Of these messages.
pub async fn ended_posts(tx: &mut Tenant, messages: &[Uuid]) -> anyhow::Result<Ended> {
    let org = tx.org().0;
    let (sent, given_up): (i64, i64) =
        sqlx::query_as(ENDED_POSTS).bind(org).bind(messages).fetch_one(tx.connection()).await?;
    Ok(Ended { sent: u64::try_from(sent)?, given_up: u64::try_from(given_up)? })
}

/// How many rows were given up since then.
pub async fn given_up_since(tx: &mut Tenant, since: DateTime<Utc>) -> anyhow::Result<i64> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(GIVEN_UP_SINCE).bind(org).bind(since).fetch_one(tx.connection()).await?)
}
