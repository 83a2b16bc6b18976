//! The work towards renewals.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::Tenant;
use crate::domain::account::AccountId;
use crate::domain::person::PersonId;
use crate::domain::renewal_work::{RenewalRecord, RenewalWork};

statements! {
    LOCK = "SELECT record FROM tandem.renewal WHERE org_id = $1 AND renewal_id = $2 FOR NO KEY UPDATE";
    /// In the order of ids, so that two who lock several cannot wait for each other.
    LOCK_MANY = "SELECT record FROM tandem.renewal WHERE org_id = $1 AND renewal_id = ANY ($2)
                  ORDER BY renewal_id FOR NO KEY UPDATE";
    READ = "SELECT record FROM tandem.renewal WHERE org_id = $1 AND renewal_id = ANY ($2)";
    /// The newest work of each account, open or ended; account by account, here and below: on the first night the planner
    /// takes the table for empty and would read all of it for every page.
    LATEST = "SELECT r.record FROM unnest($2::text[]) AS wanted (account_id)
               CROSS JOIN LATERAL (SELECT record FROM tandem.renewal WHERE org_id = $1 AND account_id = wanted.account_id
                                    ORDER BY deadline DESC, renewal_id LIMIT 1) AS r";
    /// The same of all accounts in a row: one look along the index.
    LATEST_BETWEEN = "SELECT DISTINCT ON (account_id) record FROM tandem.renewal
                       WHERE org_id = $1 AND account_id BETWEEN $2 AND $3 ORDER BY account_id, deadline DESC, renewal_id";
    OPEN = "SELECT record FROM tandem.renewal WHERE org_id = $1 AND state IN ('upcoming', 'preparing', 'negotiating')
             ORDER BY account_id";
    /// Open work of these people.
    OWNED_BY = "SELECT renewal_id FROM tandem.renewal WHERE org_id = $1 AND owner_id = ANY ($2) ORDER BY renewal_id";
    SAVE = "INSERT INTO tandem.renewal AS t (org_id, renewal_id, account_id, deadline, version, record, state, owner_id, next_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (org_id, renewal_id) DO UPDATE SET
                   deadline = excluded.deadline, version = excluded.version, record = excluded.record,
                   state = excluded.state, owner_id = excluded.owner_id, next_at = excluded.next_at
             WHERE t.version <= excluded.version";
    /// All work of these accounts, of each the open first, then the newest; locked in one order for every page of a night.
    /// The record is read by the program, so that one bad row is one account's fault.
    LOCK_OF_ACCOUNTS = "SELECT r.* FROM unnest($2::text[]) AS wanted (account_id)
                         CROSS JOIN LATERAL (SELECT account_id, record FROM tandem.renewal
                                              WHERE org_id = $1 AND account_id = wanted.account_id
                                              ORDER BY owner_id IS NULL, deadline DESC, renewal_id FOR NO KEY UPDATE) AS r";
    SAVE_ALL = "INSERT INTO tandem.renewal AS t (org_id, renewal_id, account_id, deadline, version, record, state, owner_id, next_at)
                SELECT $1, r.* FROM unnest($2::uuid[], $3::text[], $4::date[], $5::int[], $6::jsonb[], $7::text[], $8::uuid[],
                                           $9::timestamptz[]) AS r
                ON CONFLICT (org_id, renewal_id) DO UPDATE SET
                       deadline = excluded.deadline, version = excluded.version, record = excluded.record,
                       state = excluded.state, owner_id = excluded.owner_id, next_at = excluded.next_at
                 WHERE t.version <= excluded.version";
}

fn works(rows: Vec<Json<RenewalRecord>>) -> anyhow::Result<Vec<RenewalWork>> {
    rows.into_iter().map(|row| RenewalWork::try_from(row.0).context("a stored renewal")).collect()
}

/// The renewal, locked until commit.
pub async fn lock(tx: &mut Tenant, id: Uuid) -> anyhow::Result<Option<RenewalWork>> {
    let org = tx.org().0;
    let row: Option<Json<RenewalRecord>> =
        sqlx::query_scalar(LOCK).bind(org).bind(id).fetch_optional(tx.connection()).await?;
    row.map(|row| RenewalWork::try_from(row.0).context("a stored renewal")).transpose()
}

/// The renewals of these ids that exist, locked until commit, by id.
pub async fn lock_many(tx: &mut Tenant, ids: &[Uuid]) -> anyhow::Result<Vec<RenewalWork>> {
    let org = tx.org().0;
    works(sqlx::query_scalar(LOCK_MANY).bind(org).bind(ids).fetch_all(tx.connection()).await?)
}

pub async fn read(tx: &mut Tenant, ids: &[Uuid]) -> anyhow::Result<Vec<RenewalWork>> {
    let org = tx.org().0;
    works(sqlx::query_scalar(READ).bind(org).bind(ids).fetch_all(tx.connection()).await?)
}

/// The newest work of each of these accounts, open or ended.
pub async fn latest(tx: &mut Tenant, accounts: &[AccountId]) -> anyhow::Result<Vec<RenewalWork>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    works(sqlx::query_scalar(LATEST).bind(org).bind(&ids).fetch_all(tx.connection()).await?)
}

/// The newest work of each account from `first` to `last`, both included, open or ended.
pub async fn latest_between(tx: &mut Tenant, first: &AccountId, last: &AccountId) -> anyhow::Result<Vec<RenewalWork>> {
    let org = tx.org().0;
    works(sqlx::query_scalar(LATEST_BETWEEN).bind(org).bind(&first.0).bind(&last.0).fetch_all(tx.connection()).await?)
}

/// Every renewal that is being worked on.
pub async fn open(tx: &mut Tenant) -> anyhow::Result<Vec<RenewalWork>> {
    let org = tx.org().0;
    works(sqlx::query_scalar(OPEN).bind(org).fetch_all(tx.connection()).await?)
}

/// Open work that one of these people owns, by id.
pub async fn owned_by(tx: &mut Tenant, people: &[PersonId]) -> anyhow::Result<Vec<Uuid>> {
    let org = tx.org().0;
    let people: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    Ok(sqlx::query_scalar(OWNED_BY).bind(org).bind(&people).fetch_all(tx.connection()).await?)
}

/// Saves new or moved work.
pub async fn save(tx: &mut Tenant, work: &RenewalWork) -> anyhow::Result<()> {
    let org = tx.org().0;
    let record = RenewalRecord::from(work);
    let done = sqlx::query(SAVE)
        .bind(org)
        .bind(record.id)
        .bind(&record.account.0)
        .bind(record.deadline)
        .bind(record.version)
        .bind(Json(&record))
        .bind(&record.state)
        .bind(work.is_open().then_some(record.owner.0))
        .bind(work.timer().next())
        .execute(tx.connection())
        .await
        .context("save a renewal")?;
    anyhow::ensure!(done.rows_affected() == 1, "a renewal was changed by somebody else meanwhile");
    Ok(())
}

/// The open work of each of these accounts, else the newest that ended, locked until commit; what is wrong with a
/// row stands in its place.
pub async fn lock_latest(
    tx: &mut Tenant,
    accounts: &[AccountId],
) -> anyhow::Result<BTreeMap<AccountId, anyhow::Result<RenewalWork>>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    let rows: Vec<(String, Value)> =
        sqlx::query_as(LOCK_OF_ACCOUNTS).bind(org).bind(&ids).fetch_all(tx.connection()).await?;
    let read = |record: Value| -> anyhow::Result<RenewalWork> {
        let record: RenewalRecord = serde_json::from_value(record).context("a stored renewal")?;
        RenewalWork::try_from(record).context("a stored renewal")
    };
    let mut latest = BTreeMap::new();
    for (account, record) in rows {
        latest.entry(AccountId(account)).or_insert_with(|| read(record));
    }
    Ok(latest)
}

/// Saves many new or moved works in one statement; of an account's, the ended go before the open.
pub async fn save_all(tx: &mut Tenant, works: &[RenewalWork]) -> anyhow::Result<()> {
    let org = tx.org().0;
    // Two statements: an account has one open work at most, so the old term's must have ended first.
    for open in [false, true] {
        let works: Vec<&RenewalWork> = works.iter().filter(|work| work.is_open() == open).collect();
        if works.is_empty() {
            continue;
        }
        let rows: Vec<RenewalRecord> = works.iter().map(|work| RenewalRecord::from(*work)).collect();
        let done = sqlx::query(SAVE_ALL)
            .bind(org)
            .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.account.0.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.deadline).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.version).collect::<Vec<_>>())
            .bind(rows.iter().map(Json).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.state.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| open.then_some(row.owner.0)).collect::<Vec<_>>())
            .bind(works.iter().map(|work| work.timer().next()).collect::<Vec<_>>())
            .execute(tx.connection())
            .await
            .context("save the renewals")?;
        anyhow::ensure!(done.rows_affected() == rows.len() as u64, "a renewal was changed by somebody else meanwhile");
    }
    Ok(())
}
