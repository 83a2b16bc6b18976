//! The audit trail. Events commit with the change that they record; the sealer
//! chains committed events afterwards, per organisation.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Tenant;
use crate::domain::person::{OrgId, PersonId};

statements! {
    RECORD = record_events!();
    SEALED_PAGE = "SELECT s.seq, s.hash, e.event_id, e.at, e.actor, e.event, e.subject, e.data
                     FROM tandem.audit_seal s JOIN tandem.audit_event e USING (org_id, event_id)
                    WHERE s.org_id = $1 AND s.seq > $2 ORDER BY s.seq LIMIT $3";
    /// OFFSET 0: the seals are looked up event by event. Of how many events are asked for the planner knows nothing, and
    /// so read every seal there is, once a second.
    UNSEALED = "SELECT e.recorded_at, e.event_id, e.at, e.actor, e.event, e.subject, e.data
                  FROM tandem.audit_event e
                 WHERE e.org_id = $1 AND e.recorded_at >= $2 AND e.recorded_at < $4
                   AND NOT EXISTS (SELECT FROM tandem.audit_seal s WHERE s.org_id = e.org_id AND s.event_id = e.event_id OFFSET 0)
                 ORDER BY e.recorded_at, e.event_id LIMIT $3";
    /// Of the last hundred sealed the newest, since what commits late is sealed after newer ones; and not later than now,
    /// should the database's clock have been ahead: nothing after that would be looked at for as long.
    HEAD = "SELECT seq, hash, least(clock_timestamp(), (
                   SELECT max(e.recorded_at)
                     FROM (SELECT event_id FROM tandem.audit_seal WHERE org_id = $1 ORDER BY seq DESC LIMIT 100) AS l
                    CROSS JOIN LATERAL (SELECT recorded_at FROM tandem.audit_event
                                         WHERE org_id = $1 AND event_id = l.event_id OFFSET 0) AS e))
              FROM tandem.audit_seal WHERE org_id = $1 ORDER BY seq DESC LIMIT 1";
    SEALED_COUNT = "SELECT count(*) FROM tandem.audit_seal WHERE org_id = $1";
    LOCK_CHAIN = "SELECT pg_advisory_xact_lock(hashtextextended('tandem audit ' || $1::text, 0))";
    SEAL = "INSERT INTO tandem.audit_seal (org_id, seq, event_id, hash)
            SELECT $1, s.seq, s.event_id, s.hash
              FROM unnest($2::bigint[], $3::uuid[], $4::bytea[]) AS s (seq, event_id, hash)";
    RECENT = "SELECT event_id, at, actor, event, subject, data FROM tandem.audit_event
               WHERE org_id = $1 ORDER BY recorded_at DESC, event_id DESC LIMIT $2";
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    Person(PersonId),
    Key(Uuid),
    System,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Actor::Person(id) => write!(f, "person:{id}"),
            Actor::Key(id) => write!(f, "key:{id}"),
            Actor::System => f.write_str("system"),
        }
    }
}

/// One thing to record: the event's name (product.md, "Audit events"), its subject, and ids or plain words about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub event: &'static str,
    pub subject: String,
    pub data: Value,
}

impl Entry {
    pub fn new(event: &'static str, subject: impl ToString, data: Value) -> Self {
        Self { event, subject: subject.to_string(), data }
    }
}

/// An event as it is printed.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
pub struct Event {
    #[serde(skip)]
    pub event_id: Uuid,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub event: String,
    pub subject: String,
    pub data: Value,
}

/// Records events in the caller's transaction.
pub async fn record(tx: &mut Tenant, actor: Actor, at: DateTime<Utc>, entries: &[Entry]) -> anyhow::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let org = tx.org().0;
    sqlx::query(RECORD)
        .bind(org)
        .bind(at)
        .bind(vec![actor.to_string(); entries.len()])
        .bind(entries.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.event).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.subject.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| &e.data).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .context("record audit events")?;
    Ok(())
}

/// The newest events first.
pub async fn recent(tx: &mut Tenant, most: i64) -> anyhow::Result<Vec<Event>> {
    let org = tx.org().0;
    Ok(sqlx::query_as(RECENT).bind(org).bind(most).fetch_all(tx.connection()).await?)
}

#[derive(FromRow)]
struct UnsealedRow {
    recorded_at: DateTime<Utc>,
    #[sqlx(flatten)]
    event: Event,
}

#[derive(FromRow)]
struct SealedRow {
    seq: i64,
    hash: Vec<u8>,
    #[sqlx(flatten)]
    event: Event,
}

/// The link of an event: SHA-256 over the previous link and the event's fields, each with its length before it.
fn link(previous: &[u8], event: &Event) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    // Microseconds, since that is what Postgres keeps; serde_json prints objects with sorted keys.
    let at = event.at.timestamp_micros().to_string();
    let data = event.data.to_string();
    for part in [
        event.event_id.as_bytes().as_slice(),
        at.as_bytes(),
        event.actor.as_bytes(),
        event.event.as_bytes(),
        event.subject.as_bytes(),
        data.as_bytes(),
    ] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_vec()
}

/// Events that are read at once.
const PAGE: i64 = 5_000;

/// Waits until nobody else seals this organisation's trail, or erases it.
pub(super) async fn lock_chain(connection: &mut PgConnection, org: OrgId) -> anyhow::Result<()> {
    sqlx::query(LOCK_CHAIN).bind(org.0).execute(connection).await.context("wait for the sealing of the audit trail")?;
    Ok(())
}

/// What a pass of the sealer looks at, by how long before the newest sealed event it was recorded. Of a trail with nothing
/// sealed yet, all from its beginning on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    since: Option<TimeDelta>,
    until: Option<TimeDelta>,
}

impl Look {
    /// The whole trail, which takes some 4 µs an event that is sealed already.
    pub const WHOLE: Self = Self { since: None, until: None };

    /// From so long before the newest sealed event up to now.
    pub const fn since(since: TimeDelta) -> Self {
        Self { since: Some(since), until: None }
    }

    /// A part of what lies before the newest sealed event: from `since` before it until just before `until` before it.
    pub const fn between(since: TimeDelta, until: TimeDelta) -> Self {
        Self { since: Some(since), until: Some(until) }
    }

    fn span(self, newest: Option<DateTime<Utc>>) -> Span {
        let before = |back: Option<TimeDelta>| newest.zip(back).map(|(newest, back)| newest - back);
        Span {
            from: before(self.since).unwrap_or(DateTime::UNIX_EPOCH),
            until: before(self.until).unwrap_or(DateTime::from_timestamp(FAR, 0).unwrap_or_default()),
        }
    }

    /// Whether it covers an event that was recorded so long before the newest sealed one.
    #[cfg(test)]
    pub fn covers(self, age: TimeDelta) -> bool {
        let newest = DateTime::from_timestamp_nanos(0) + TimeDelta::days(20_000);
        let span = self.span(Some(newest));
        (span.from..span.until).contains(&(newest - age))
    }
}

/// The end of the year 9999 in seconds since 1970: later than anything is recorded, and a moment that Postgres has too.
const FAR: i64 = 253_402_300_799;

/// When what is looked at was recorded: from the one moment until just before the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// What a step of the sealer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub sealed: usize,
    /// What is left to look at; `None` where this was the last.
    pub rest: Option<Span>,
}

/// Chains a page of what has been committed and not sealed, of what the pass looks at; commits overtake each other. A step
/// after another looks at the `rest` of that one.
pub async fn seal(tx: &mut Tenant, look: Look, rest: Option<Span>) -> anyhow::Result<Step> {
    let org = tx.org().0;
    lock_chain(tx.connection(), OrgId(org)).await?;
    let head: Option<(i64, Vec<u8>, Option<DateTime<Utc>>)> =
        sqlx::query_as(HEAD).bind(org).fetch_optional(tx.connection()).await?;
    let (mut seq, mut hash, newest) = head.unwrap_or((0, vec![0; 32], None));
    let span = rest.unwrap_or_else(|| look.span(newest));
    let query = sqlx::query_as(UNSEALED).bind(org).bind(span.from).bind(PAGE).bind(span.until);
    let page: Vec<UnsealedRow> = query.fetch_all(tx.connection()).await?;
    let (mut seqs, mut ids, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for UnsealedRow { event, .. } in &page {
        seq += 1;
        hash = link(&hash, event);
        seqs.push(seq);
        ids.push(event.event_id);
        hashes.push(hash.clone());
    }
    if !seqs.is_empty() {
        sqlx::query(SEAL).bind(org).bind(&seqs).bind(&ids).bind(&hashes).execute(tx.connection()).await?;
    }
    let is_last = i64::try_from(page.len()).is_ok_and(|count| count < PAGE);
    let last = page.last().filter(|_| !is_last);
    Ok(Step { sealed: page.len(), rest: last.map(|row| Span { from: row.recorded_at, ..span }) })
}

/// What `audit verify` found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    pub sealed: u64,
    pub unsealed: u64,
    /// The first link that does not hold, in plain words.
    pub broken: Option<String>,
}

/// Walks the whole chain.
pub async fn verify(tx: &mut Tenant) -> anyhow::Result<Verdict> {
    let org = tx.org().0;
    let (mut hash, mut expected, mut broken) = (vec![0; 32], 1_i64, None);
    let total: i64 = sqlx::query_scalar(SEALED_COUNT).bind(org).fetch_one(tx.connection()).await?;
    'walk: loop {
        let page: Vec<SealedRow> =
            sqlx::query_as(SEALED_PAGE).bind(org).bind(expected - 1).bind(PAGE).fetch_all(tx.connection()).await?;
        if page.is_empty() {
            break;
        }
        for row in page {
            if row.seq != expected {
                broken = Some(format!("link {expected} is missing; the next one found is {}", row.seq));
                break 'walk;
            }
            hash = link(&hash, &row.event);
            if hash != row.hash {
                broken = Some(format!(
                    "link {} does not match its event ({} on {}): the event, or an earlier one, was changed",
                    row.seq, row.event.event, row.event.subject
                ));
                break 'walk;
            }
            expected += 1;
        }
    }
    if broken.is_none() && expected - 1 != total {
        // The join found fewer links than there are: an event was deleted under its seal.
        broken = Some(format!("{total} links are sealed but only {} events stand behind them", expected - 1));
    }
    let unsealed = tail(tx).await?;
    Ok(Verdict { sealed: u64::try_from(total)?, unsealed: unsealed.len() as u64, broken })
}

/// Everything that is not sealed yet, in the order of recording.
async fn tail(tx: &mut Tenant) -> anyhow::Result<Vec<Event>> {
    let (org, all) = (tx.org().0, Look::WHOLE.span(None));
    let query = sqlx::query_as(UNSEALED).bind(org).bind(all.from).bind(i64::MAX).bind(all.until);
    Ok(query.fetch_all(tx.connection()).await?)
}

/// A page of the trail in the order of recording: sealed links first, then the tail.
pub async fn export(tx: &mut Tenant, mut each: impl FnMut(&Event) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let org = tx.org().0;
    let mut after = 0_i64;
    loop {
        let page: Vec<SealedRow> =
            sqlx::query_as(SEALED_PAGE).bind(org).bind(after).bind(PAGE).fetch_all(tx.connection()).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for row in &page {
            each(&row.event)?;
        }
    }
    for event in &tail(tx).await? {
        each(event)?;
    }
    Ok(())
}
