//! What every change leaves behind: its audit events, and redraws of every copy that shows it.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use uuid::Uuid;

use super::Tenant;
use super::audit::{Actor, Entry};
use super::message::REDRAWN_FOR;
use crate::domain::account::AccountId;
use crate::domain::person::OrgId;

statements! {
    /// One statement, since round trips decide how many clicks a second there are.
    RECORD_AND_REDRAW = concat!(
        "WITH recorded AS (", record_events!(), "), ", queue_redraws!("$2", showing!("$8", "$9")), " SELECT"
    );
}

/// Records who did what and queues one redraw for every message that shows one of the accounts, in the
/// caller's transaction: [`super::audit::record`] and [`super::message::queue_redraws`] in one round trip.
pub async fn record(
    tx: &mut Tenant,
    at: DateTime<Utc>,
    deeds: &[(Actor, Entry)],
    accounts: &[AccountId],
) -> anyhow::Result<()> {
    let query = bound(RECORD_AND_REDRAW, tx.org(), at, deeds, accounts);
    query.execute(tx.connection()).await.context("record a change")?;
    Ok(())
}

/// A statement with `record_events!` and the redraws of `$8`, since `$9`: its first nine parameters.
pub(super) fn bound<'q>(
    statement: &'static str,
    org: OrgId,
    at: DateTime<Utc>,
    deeds: &'q [(Actor, Entry)],
    accounts: &'q [AccountId],
) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(statement)
        .bind(org.0)
        .bind(at)
        .bind(deeds.iter().map(|(actor, _)| actor.to_string()).collect::<Vec<_>>())
        .bind(deeds.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
        .bind(deeds.iter().map(|(_, entry)| entry.event).collect::<Vec<_>>())
        .bind(deeds.iter().map(|(_, entry)| entry.subject.as_str()).collect::<Vec<_>>())
        .bind(deeds.iter().map(|(_, entry)| &entry.data).collect::<Vec<_>>())
        .bind(accounts.iter().map(|id| id.0.as_str()).collect::<Vec<_>>())
        .bind(at - REDRAWN_FOR)
}

/// One who did all of it.
pub fn by(actor: Actor, entries: Vec<Entry>) -> Vec<(Actor, Entry)> {
    entries.into_iter().map(|entry| (actor, entry)).collect()
}
