//! At-risk episodes.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::Tenant;
use super::account::AccountRow;
use crate::domain::account::{Account, AccountId};
use crate::domain::person::PersonId;
use crate::domain::risk::{Reading, Risk, RiskRecord};

statements! {
    /// Locked: whoever moves it has it alone until commit.
    LOCK = "SELECT risk_id, account_id, version, since, opened_on, raised_by, raised_why, calm_nights, last_night, latest,
                   confirmed, state, moved_by, next_step, next_step_due, snoozed_until, resolution, known, clock_since, remind_at, due_at
              FROM tandem.risk WHERE org_id = $1 AND risk_id = $2 FOR NO KEY UPDATE";
    /// With its account, unlocked: what a press looks at, in one round trip.
    LOCK_WITH_ACCOUNT = "SELECT r.risk_id, account_id, r.version, r.since, r.opened_on, r.raised_by, r.raised_why, r.calm_nights,
                                r.last_night, r.latest, r.confirmed, r.state, r.moved_by, r.next_step, r.next_step_due,
                                r.snoozed_until, r.resolution, r.known, r.clock_since, r.remind_at, r.due_at,
                                a.name, a.segment, a.arr_minor, a.currency, a.seats, a.plan, a.domains, a.url, a.goals,
                                a.start_date, a.go_live_date, a.renewal_date, a.term_months, a.notice_period_days,
                                a.auto_renew, a.csm_id, a.account_manager_id, a.pool, a.status, a.cost_to_serve_minor
                           FROM tandem.risk r JOIN tandem.account a USING (org_id, account_id)
                          WHERE org_id = $1 AND r.risk_id = $2 FOR NO KEY UPDATE OF r";
    /// In the order of ids, so that two who lock several cannot wait for each other.
    LOCK_MANY = "SELECT risk_id, account_id, version, since, opened_on, raised_by, raised_why, calm_nights, last_night, latest,
                        confirmed, state, moved_by, next_step, next_step_due, snoozed_until, resolution, known, clock_since, remind_at, due_at
                   FROM tandem.risk WHERE org_id = $1 AND risk_id = ANY ($2) ORDER BY risk_id FOR NO KEY UPDATE";
    READ = "SELECT risk_id, account_id, version, since, opened_on, raised_by, raised_why, calm_nights, last_night, latest,
                   confirmed, state, moved_by, next_step, next_step_due, snoozed_until, resolution, known, clock_since, remind_at, due_at
              FROM tandem.risk WHERE org_id = $1 AND risk_id = ANY ($2)";
    /// The newest episode of each account; account by account, here and below: on the first night the planner takes the
    /// table for empty and would read all of it for every page.
    LATEST = "SELECT r.* FROM unnest($2::text[]) AS wanted (account_id)
               CROSS JOIN LATERAL (SELECT risk_id, account_id, version, since, opened_on, raised_by, raised_why, calm_nights,
                                          last_night, latest, confirmed, state, moved_by, next_step, next_step_due,
                                          snoozed_until, resolution, known, clock_since, remind_at, due_at
                                     FROM tandem.risk WHERE org_id = $1 AND account_id = wanted.account_id
                                    ORDER BY since DESC, risk_id LIMIT 1) AS r";
    /// The same of all accounts in a row: one look along the index.
    LATEST_BETWEEN = "SELECT DISTINCT ON (account_id) risk_id, account_id, version, since, opened_on, raised_by, raised_why,
                             calm_nights, last_night, latest, confirmed, state, moved_by, next_step, next_step_due,
                             snoozed_until, resolution, known, clock_since, remind_at, due_at
                        FROM tandem.risk WHERE org_id = $1 AND account_id BETWEEN $2 AND $3
                       ORDER BY account_id, since DESC, risk_id";
    /// Whose newest episode was opened after a moment: of those that began on its day or later.
    OPENED_AFTER = "SELECT r.account_id
                      FROM unnest($2::text[]) AS asked (account_id)
                     CROSS JOIN LATERAL (SELECT account_id, risk_id, opened_on FROM tandem.risk
                                          WHERE org_id = $1 AND account_id = asked.account_id
                                          ORDER BY since DESC, risk_id LIMIT 1) AS r
                     WHERE r.opened_on >= $3
                       AND EXISTS (SELECT FROM tandem.audit_event e
                                    WHERE e.org_id = $1 AND e.subject = 'risk:' || r.risk_id AND e.event = 'risk.opened' AND e.at > $4)";
    OPEN = "SELECT risk_id, account_id, version, since, opened_on, raised_by, raised_why, calm_nights, last_night, latest,
                   confirmed, state, moved_by, next_step, next_step_due, snoozed_until, resolution, known, clock_since, remind_at, due_at
              FROM tandem.risk WHERE org_id = $1 AND state IN ('open', 'acknowledged', 'snoozed') ORDER BY account_id";
    SAVE = "INSERT INTO tandem.risk AS t (org_id, risk_id, account_id, version, since, opened_on, raised_by, raised_why, calm_nights,
                   last_night, latest, confirmed, state, moved_by, next_step, next_step_due, snoozed_until, resolution, known,
                   clock_since, remind_at, due_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
            ON CONFLICT (org_id, risk_id) DO UPDATE SET
                   version = excluded.version, since = excluded.since, calm_nights = excluded.calm_nights,
                   last_night = excluded.last_night, latest = excluded.latest, confirmed = excluded.confirmed, state = excluded.state,
                   moved_by = excluded.moved_by, next_step = excluded.next_step, next_step_due = excluded.next_step_due,
                   snoozed_until = excluded.snoozed_until, resolution = excluded.resolution, known = excluded.known,
                   clock_since = excluded.clock_since, remind_at = excluded.remind_at, due_at = excluded.due_at
             WHERE t.version <= excluded.version";
    /// All of these accounts' episodes, the newest of each first, locked in one order for every page of a night.
    LOCK_OF_ACCOUNTS = "SELECT r.* FROM unnest($2::text[]) AS wanted (account_id)
                         CROSS JOIN LATERAL (SELECT risk_id, account_id, version, since, opened_on, raised_by, raised_why,
                                                    calm_nights, last_night, latest, confirmed, state, moved_by, next_step,
                                                    next_step_due, snoozed_until, resolution, known, clock_since, remind_at,
                                                    due_at
                                               FROM tandem.risk WHERE org_id = $1 AND account_id = wanted.account_id
                                              ORDER BY since DESC, risk_id FOR NO KEY UPDATE) AS r";
    SAVE_ALL = "INSERT INTO tandem.risk AS t (org_id, risk_id, account_id, version, since, opened_on, raised_by, raised_why,
                       calm_nights, last_night, latest, confirmed, state, moved_by, next_step, next_step_due, snoozed_until,
                       resolution, known, clock_since, remind_at, due_at)
                SELECT $1, r.* FROM unnest($2::uuid[], $3::text[], $4::int[], $5::timestamptz[], $6::date[], $7::uuid[],
                       $8::text[], $9::smallint[], $10::date[], $11::jsonb[], $12::bool[], $13::text[], $14::uuid[], $15::text[],
                       $16::date[], $17::date[], $18::text[], $19::jsonb[], $20::timestamptz[], $21::timestamptz[],
                       $22::timestamptz[]) AS r
                ON CONFLICT (org_id, risk_id) DO UPDATE SET
                       version = excluded.version, since = excluded.since, calm_nights = excluded.calm_nights,
                       last_night = excluded.last_night, latest = excluded.latest, confirmed = excluded.confirmed,
                       state = excluded.state, moved_by = excluded.moved_by, next_step = excluded.next_step,
                       next_step_due = excluded.next_step_due, snoozed_until = excluded.snoozed_until,
                       resolution = excluded.resolution, known = excluded.known,
                       clock_since = excluded.clock_since, remind_at = excluded.remind_at, due_at = excluded.due_at
                 WHERE t.version <= excluded.version";
}

#[derive(FromRow)]
pub(super) struct RiskRow {
    risk_id: Uuid,
    account_id: String,
    version: i32,
    since: DateTime<Utc>,
    opened_on: NaiveDate,
    raised_by: Option<Uuid>,
    raised_why: Option<String>,
    calm_nights: i16,
    last_night: NaiveDate,
    latest: Json<Reading>,
    confirmed: bool,
    state: String,
    moved_by: Option<Uuid>,
    next_step: Option<String>,
    next_step_due: Option<NaiveDate>,
    snoozed_until: Option<NaiveDate>,
    resolution: Option<String>,
    known: Option<Json<Reading>>,
    clock_since: Option<DateTime<Utc>>,
    remind_at: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
}

impl TryFrom<RiskRow> for Risk {
    type Error = anyhow::Error;

    fn try_from(row: RiskRow) -> Result<Self, Self::Error> {
        let record = RiskRecord {
            id: row.risk_id,
            account: AccountId(row.account_id),
            version: row.version,
            since: row.since,
            opened_on: row.opened_on,
            raised_by: row.raised_by.map(PersonId),
            raised_why: row.raised_why,
            calm_nights: row.calm_nights,
            last_night: row.last_night,
            latest: row.latest.0,
            confirmed: row.confirmed,
            state: row.state,
            moved_by: row.moved_by.map(PersonId),
            next_step: row.next_step,
            next_step_due: row.next_step_due,
            snoozed_until: row.snoozed_until,
            resolution: row.resolution,
            known: row.known.map(|known| known.0),
            clock_since: row.clock_since,
            remind_at: row.remind_at,
            due_at: row.due_at,
        };
        Risk::try_from(record).context("a stored risk")
    }
}

fn risks(rows: Vec<RiskRow>) -> anyhow::Result<Vec<Risk>> {
    rows.into_iter().map(Risk::try_from).collect()
}

/// The risk, locked until commit.
pub async fn lock(tx: &mut Tenant, id: Uuid) -> anyhow::Result<Option<Risk>> {
    let org = tx.org().0;
    let row: Option<RiskRow> = sqlx::query_as(LOCK).bind(org).bind(id).fetch_optional(tx.connection()).await?;
    row.map(Risk::try_from).transpose()
}

/// The risk, locked until commit, with its account as it stands.
pub async fn lock_with_account(tx: &mut Tenant, id: Uuid) -> anyhow::Result<Option<(Risk, Account)>> {
    let org = tx.org().0;
    let row = sqlx::query(LOCK_WITH_ACCOUNT).bind(org).bind(id).fetch_optional(tx.connection()).await?;
    row.map(with_account).transpose()
}

fn with_account(row: PgRow) -> anyhow::Result<(Risk, Account)> {
    let risk = Risk::try_from(RiskRow::from_row(&row)?)?;
    Ok((risk, Account::try_from(AccountRow::from_row(&row)?)?))
}

/// The risks of these ids that exist, locked until commit, by id.
pub async fn lock_many(tx: &mut Tenant, ids: &[Uuid]) -> anyhow::Result<Vec<Risk>> {
    let org = tx.org().0;
    risks(sqlx::query_as(LOCK_MANY).bind(org).bind(ids).fetch_all(tx.connection()).await?)
}

pub async fn read(tx: &mut Tenant, ids: &[Uuid]) -> anyhow::Result<Vec<Risk>> {
    let org = tx.org().0;
    risks(sqlx::query_as(READ).bind(org).bind(ids).fetch_all(tx.connection()).await?)
}

/// The newest episode of each of these accounts, over or not.
pub async fn latest(tx: &mut Tenant, accounts: &[AccountId]) -> anyhow::Result<Vec<Risk>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    risks(sqlx::query_as(LATEST).bind(org).bind(&ids).fetch_all(tx.connection()).await?)
}

/// The newest episode of each account from `first` to `last`, both included, over or not.
pub async fn latest_between(tx: &mut Tenant, first: &AccountId, last: &AccountId) -> anyhow::Result<Vec<Risk>> {
    let org = tx.org().0;
    risks(sqlx::query_as(LATEST_BETWEEN).bind(org).bind(&first.0).bind(&last.0).fetch_all(tx.connection()).await?)
}

/// Those of these accounts whose newest episode was opened after `at`, a moment of the day `on` or later.
pub async fn opened_after(
    tx: &mut Tenant,
    accounts: &[AccountId],
    on: NaiveDate,
    at: DateTime<Utc>,
) -> anyhow::Result<Vec<AccountId>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    let rows: Vec<String> =
        sqlx::query_scalar(OPENED_AFTER).bind(org).bind(&ids).bind(on).bind(at).fetch_all(tx.connection()).await?;
    Ok(rows.into_iter().map(AccountId).collect())
}

/// Every episode that is not over.
pub async fn open(tx: &mut Tenant) -> anyhow::Result<Vec<Risk>> {
    let org = tx.org().0;
    risks(sqlx::query_as(OPEN).bind(org).fetch_all(tx.connection()).await?)
}

/// Saves a new or moved risk.
pub async fn save(tx: &mut Tenant, risk: &Risk) -> anyhow::Result<()> {
    let org = tx.org().0;
    let row = RiskRecord::from(risk);
    let done = sqlx::query(SAVE)
        .bind(org)
        .bind(row.id)
        .bind(&row.account.0)
        .bind(row.version)
        .bind(row.since)
        .bind(row.opened_on)
        .bind(row.raised_by.map(|person| person.0))
        .bind(&row.raised_why)
        .bind(row.calm_nights)
        .bind(row.last_night)
        .bind(Json(&row.latest))
        .bind(row.confirmed)
        .bind(&row.state)
        .bind(row.moved_by.map(|person| person.0))
        .bind(&row.next_step)
        .bind(row.next_step_due)
        .bind(row.snoozed_until)
        .bind(&row.resolution)
        .bind(row.known.as_ref().map(Json))
        .bind(row.clock_since)
        .bind(row.remind_at)
        .bind(row.due_at)
        .execute(tx.connection())
        .await
        .context("save a risk")?;
    anyhow::ensure!(done.rows_affected() == 1, "a risk was changed by somebody else meanwhile");
    Ok(())
}

/// The newest episode of each of these accounts, locked until commit; what is wrong with a row stands in its place.
pub async fn lock_latest(
    tx: &mut Tenant,
    accounts: &[AccountId],
) -> anyhow::Result<BTreeMap<AccountId, anyhow::Result<Risk>>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    let rows: Vec<RiskRow> = sqlx::query_as(LOCK_OF_ACCOUNTS).bind(org).bind(&ids).fetch_all(tx.connection()).await?;
    let mut latest = BTreeMap::new();
    for row in rows {
        latest.entry(AccountId(row.account_id.clone())).or_insert_with(|| Risk::try_from(row));
    }
    Ok(latest)
}

/// Saves many new or moved risks in one statement.
pub async fn save_all(tx: &mut Tenant, risks: &[Risk]) -> anyhow::Result<()> {
    if risks.is_empty() {
        return Ok(());
    }
    let org = tx.org().0;
    let rows: Vec<RiskRecord> = risks.iter().map(RiskRecord::from).collect();
    let person = |person: Option<PersonId>| person.map(|person| person.0);
    let done = sqlx::query(SAVE_ALL)
        .bind(org)
        .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.account.0.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.version).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.since).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.opened_on).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| person(row.raised_by)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.raised_why.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.calm_nights).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.last_night).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| Json(&row.latest)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.confirmed).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.state.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| person(row.moved_by)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.next_step.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.next_step_due).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.snoozed_until).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.resolution.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.known.as_ref().map(Json)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.clock_since).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.remind_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.due_at).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .context("save the risks")?;
    anyhow::ensure!(done.rows_affected() == risks.len() as u64, "a risk was changed by somebody else meanwhile");
    Ok(())
}
