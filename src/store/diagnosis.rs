//! Stored diagnoses: one narrow row an account and night, the rest as JSON when it changed.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::detail::{Detail, StoredCause};
use super::{Tenant, word};
use crate::domain::account::{Account, AccountId};
use crate::domain::diagnosis::{self, Band, Diagnosis, FoundWindow, NightState, Previous};
use crate::domain::money::Currency;
use crate::domain::person::OrgId;
use crate::domain::policy::Policy;
use crate::domain::renewal;
use crate::domain::signal::Source;

/// The diagnoses of a page, in the order of their key.
macro_rules! new_rows {
    () => {
        "(org_id, date, account_id, health, risk, band, change, detail_id)
         SELECT $1, $2, n.* FROM unnest($3::text[], $4::smallint[], $5::smallint[], $6::text[], $7::text[], $8::uuid[]) AS n"
    };
}

statements! {
    /// OFFSET 0 keeps the order of look-ups, here and below: by the keys, account by account. Of an organisation that has
    /// just come the planner has no statistics; it takes its tables for tiny and joins all with all.
    OF_ACCOUNTS = "SELECT d.account_id, d.date, d.health, d.risk, d.band, d.change, t.body
                     FROM unnest($3::text[]) AS wanted (account_id)
                    CROSS JOIN LATERAL (SELECT * FROM tandem.diagnosis
                                         WHERE org_id = $1 AND date = $2 AND account_id = wanted.account_id OFFSET 0) AS d
                    CROSS JOIN LATERAL (SELECT body FROM tandem.diagnosis_detail
                                         WHERE org_id = $1 AND account_id = d.account_id AND detail_id = d.detail_id OFFSET 0) AS t";
    RUN_BEFORE = "SELECT max(date) FROM tandem.diagnosis_run WHERE org_id = $1 AND date < $2";
    HEALTH_ON = "SELECT account_id, health FROM tandem.diagnosis WHERE org_id = $1 AND date = $2 AND account_id = ANY ($3)";
    WORSE_SINCE = "SELECT account_id, max(date) FROM tandem.diagnosis
                    WHERE org_id = $1 AND date BETWEEN $2 AND $3 AND change = 'worse' AND account_id = ANY ($4) GROUP BY account_id";
    AT_RISK_ON = "SELECT account_id FROM tandem.diagnosis
                   WHERE org_id = $1 AND date = $2 AND band = 'at_risk' AND account_id = ANY ($3) ORDER BY account_id";
    FIRST_RUN = "SELECT min(date) FROM tandem.diagnosis_run WHERE org_id = $1 AND live";
    RAN_LIVE = "SELECT count(*) FROM tandem.diagnosis_run WHERE org_id = $1 AND date = $2 AND live";
    RUN_SOURCES = "SELECT sources FROM tandem.diagnosis_run WHERE org_id = $1 AND date = $2";
    /// One diagnosis of an organisation at a time, whatever the replicas.
    LOCK_NIGHT = "SELECT pg_advisory_xact_lock(hashtextextended('tandem night ' || $1::text, 0))";
    TRY_LOCK_NIGHT = "SELECT pg_try_advisory_xact_lock(hashtextextended('tandem night ' || $1::text, 0))";
    GAPS = "SELECT gap.source, a.currency, count(*), coalesce(sum(a.arr_minor), 0)::bigint
              FROM tandem.diagnosis d
              JOIN tandem.account a ON a.org_id = $1 AND a.account_id = d.account_id AND a.status = 'active'
              JOIN tandem.diagnosis_detail t
                ON t.org_id = $1 AND t.account_id = d.account_id AND t.detail_id = d.detail_id
             CROSS JOIN LATERAL (SELECT json_array_elements_text(t.body::json->'not_checked') AS source
                                  UNION ALL SELECT NULL WHERE d.band = 'unknown') AS gap
             WHERE d.org_id = $1 AND d.date = $2 AND ($3::text[] IS NULL OR d.account_id = ANY ($3))
             GROUP BY gap.source, a.currency ORDER BY gap.source, a.currency";
    LARGEST_UNKNOWN = "SELECT a.name FROM tandem.diagnosis d
              JOIN tandem.account a ON a.org_id = $1 AND a.account_id = d.account_id AND a.status = 'active'
             WHERE d.org_id = $1 AND d.date = $2 AND d.band = 'unknown'
               AND ($3::text[] IS NULL OR d.account_id = ANY ($3))
             ORDER BY a.arr_minor DESC NULLS LAST, a.account_id LIMIT $4";
    NIGHT_BEFORE = "SELECT date, night FROM tandem.diagnosis_run WHERE org_id = $1 AND date < $2 ORDER BY date DESC LIMIT 1";
    /// Only what the next night compares with: whole bodies would be megabytes a page, and of them the families are read
    /// only where a source is withheld. A window opens on a night of its own day: what a backdated run found has no
    /// dates to keep.
    EARLIER = "SELECT d.account_id, d.health, d.band, d.detail_id, t.floors,
                      CASE WHEN $5 THEN t.body::json->'families' ELSE '{}' END AS families,
                      CASE WHEN (SELECT live FROM tandem.diagnosis_run r WHERE r.org_id = $1 AND r.date = $2)
                           THEN t.windows ELSE '[]' END AS windows
                 FROM tandem.diagnosis d
                CROSS JOIN LATERAL (SELECT body, floors, windows FROM tandem.diagnosis_detail
                                     WHERE org_id = $1 AND account_id = d.account_id AND detail_id = d.detail_id OFFSET 0) AS t
                WHERE d.org_id = $1 AND d.date = $2 AND d.account_id BETWEEN $3 AND $4";
    REPLACED = "SELECT d.account_id, d.detail_id
                  FROM unnest($3::text[], $4::uuid[]) AS n (account_id, detail_id)
                 CROSS JOIN LATERAL (SELECT account_id, detail_id FROM tandem.diagnosis
                                      WHERE org_id = $1 AND date = $2 AND account_id = n.account_id OFFSET 0) AS d
                 WHERE d.detail_id <> n.detail_id";
    /// By the key: an EXISTS would be planned as a search through all dates.
    HAS_ROWS = "SELECT count(*) > 0 FROM (SELECT account_id FROM tandem.diagnosis WHERE org_id = $1 AND date = $2
                                           ORDER BY account_id LIMIT 1) AS one";
    /// Which of these details some night has already: their bodies need not be sent.
    KNOWN_DETAILS = "SELECT n.account_id
                       FROM unnest($2::text[], $3::uuid[]) AS n (account_id, detail_id)
                      CROSS JOIN LATERAL (SELECT FROM tandem.diagnosis_detail
                                           WHERE org_id = $1 AND account_id = n.account_id AND detail_id = n.detail_id OFFSET 0) AS t";
    SAVE_DETAILS = "INSERT INTO tandem.diagnosis_detail (org_id, account_id, detail_id, body, floors, windows)
                    SELECT $1, n.* FROM unnest($2::text[], $3::uuid[], $4::text[], $5::jsonb[], $6::jsonb[]) AS n";
    SAVE = concat!("INSERT INTO tandem.diagnosis AS t ", new_rows!());
    /// Where the date may have rows already.
    SAVE_AGAIN = concat!("INSERT INTO tandem.diagnosis AS t ", new_rows!(), "
            ON CONFLICT (org_id, date, account_id) DO UPDATE SET
                   health = excluded.health, risk = excluded.risk, band = excluded.band, change = excluded.change,
                   detail_id = excluded.detail_id
             WHERE (t.health, t.risk, t.band, t.change, t.detail_id)
                   IS DISTINCT FROM (excluded.health, excluded.risk, excluded.band, excluded.change, excluded.detail_id)");
    /// Accounts that an earlier run of the date had, and this one has not: they have left, or can't be read any more.
    DROP_OTHERS = "DELETE FROM tandem.diagnosis
                    WHERE org_id = $1 AND date = $2 AND account_id > $3 AND ($4::text IS NULL OR account_id <= $4)
                      AND account_id <> ALL ($5) RETURNING account_id, detail_id";
    DROP_UNUSED = "DELETE FROM tandem.diagnosis_detail t
                    USING unnest($2::text[], $3::uuid[]) AS o (account_id, detail_id)
                    WHERE t.org_id = $1 AND t.account_id = o.account_id AND t.detail_id = o.detail_id
                      AND NOT EXISTS (SELECT FROM tandem.diagnosis d
                                       WHERE d.org_id = $1 AND d.account_id = o.account_id AND d.detail_id = o.detail_id)";
    SAVE_RUN = "INSERT INTO tandem.diagnosis_run AS t (org_id, date, completed_at, accounts, live, policy_hash, night, sources, rejected)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                ON CONFLICT (org_id, date) DO UPDATE SET
                       completed_at = excluded.completed_at, accounts = excluded.accounts, live = t.live OR excluded.live,
                       policy_hash = excluded.policy_hash, night = excluded.night, sources = excluded.sources,
                       rejected = excluded.rejected";
    FORGET = "DELETE FROM tandem.diagnosis WHERE org_id = $1 AND date = $2 RETURNING account_id, detail_id";
    FORGOTTEN_DATES = "SELECT date FROM tandem.diagnosis_run WHERE org_id = $1 AND date < $2 ORDER BY date LIMIT $3";
    FORGET_RUN = "DELETE FROM tandem.diagnosis_run WHERE org_id = $1 AND date = $2";
    BANDS = "SELECT account_id, health, band FROM tandem.diagnosis WHERE org_id = $1 AND date = $2 AND account_id = ANY ($3)";
}

#[derive(FromRow)]
pub(super) struct DiagnosisRow {
    account_id: String,
    date: NaiveDate,
    health: Option<i16>,
    risk: Option<i16>,
    band: String,
    change: String,
    /// A [`Detail`] as JSON.
    body: String,
}

/// The stored diagnoses of these accounts on that date; those without one are absent.
pub async fn of_accounts(
    tx: &mut Tenant,
    date: NaiveDate,
    accounts: &[Account],
    policy: &Policy,
) -> anyhow::Result<BTreeMap<AccountId, Diagnosis>> {
    let org = tx.org();
    let ids: Vec<&str> = accounts.iter().map(|account| account.id.0.as_str()).collect();
    let rows: Vec<DiagnosisRow> =
        sqlx::query_as(OF_ACCOUNTS).bind(org.0).bind(date).bind(&ids).fetch_all(tx.connection()).await?;
    let mut rows: BTreeMap<String, DiagnosisRow> = rows.into_iter().map(|row| (row.account_id.clone(), row)).collect();
    accounts
        .iter()
        .filter_map(|account| rows.remove(&account.id.0).map(|row| (account, row)))
        .map(|(account, row)| Ok((account.id.clone(), whole(org, account, row, policy)?)))
        .collect()
}

/// A stored diagnosis with what it takes from the account and the policy.
pub(super) fn whole(org: OrgId, account: &Account, row: DiagnosisRow, policy: &Policy) -> anyhow::Result<Diagnosis> {
    let detail: Detail<'_> = serde_json::from_str(&row.body).context("a stored diagnosis")?;
    let percent = |value: Option<i16>| value.map(u8::try_from).transpose().context("health");
    Ok(Diagnosis {
        id: diagnosis::id(org, account, row.date),
        account_id: account.id.clone(),
        name: account.name.clone(),
        date: row.date,
        health: percent(row.health)?,
        band: word("band", &row.band)?,
        risk: percent(row.risk)?,
        coverage: detail.coverage,
        families: detail.families.into_owned(),
        not_checked: detail.not_checked.into_owned(),
        stale: detail.stale.into_owned(),
        causes: detail.causes.into_iter().map(|cause| cause.on(row.date)).collect(),
        windows: detail.windows.into_owned(),
        renewal: renewal::read(account, detail.auto_renew, policy, row.date),
        change: word("change", &row.change)?,
    })
}

/// The date of the latest complete night before this one.
pub async fn run_before(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<Option<NaiveDate>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(RUN_BEFORE).bind(org).bind(date).fetch_one(tx.connection()).await?)
}

/// Health on the latest complete night before this one, `None` where it was unknown.
pub async fn health_before(
    tx: &mut Tenant,
    date: NaiveDate,
    accounts: &[AccountId],
) -> anyhow::Result<BTreeMap<AccountId, Option<u8>>> {
    let Some(before) = run_before(tx, date).await? else { return Ok(BTreeMap::new()) };
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    let rows: Vec<(String, Option<i16>)> =
        sqlx::query_as(HEALTH_ON).bind(org).bind(before).bind(&ids).fetch_all(tx.connection()).await?;
    rows.into_iter().map(|(id, health)| Ok((AccountId(id), health.map(u8::try_from).transpose()?))).collect()
}

/// The latest night from `first` to `last` on which each of these accounts got worse.
pub async fn worse_between(
    tx: &mut Tenant,
    first: NaiveDate,
    last: NaiveDate,
    accounts: &[AccountId],
) -> anyhow::Result<BTreeMap<AccountId, NaiveDate>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    let rows: Vec<(String, NaiveDate)> =
        sqlx::query_as(WORSE_SINCE).bind(org).bind(first).bind(last).bind(&ids).fetch_all(tx.connection()).await?;
    Ok(rows.into_iter().map(|(id, date)| (AccountId(id), date)).collect())
}

/// Which of these accounts were at risk on that night.
pub async fn at_risk_on(tx: &mut Tenant, date: NaiveDate, accounts: &[AccountId]) -> anyhow::Result<Vec<AccountId>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    let rows: Vec<String> =
        sqlx::query_scalar(AT_RISK_ON).bind(org).bind(date).bind(&ids).fetch_all(tx.connection()).await?;
    Ok(rows.into_iter().map(AccountId).collect())
}

/// The organisation's first night: what it opened is a backlog. Dates that were filled in behind it are none.
pub async fn first_run(tx: &mut Tenant) -> anyhow::Result<Option<NaiveDate>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(FIRST_RUN).bind(org).fetch_one(tx.connection()).await?)
}

/// Whether the night of this date was complete already: what is told once has been told.
pub async fn ran_live(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<bool> {
    let org = tx.org().0;
    let count: i64 = sqlx::query_scalar(RAN_LIVE).bind(org).bind(date).fetch_one(tx.connection()).await?;
    Ok(count > 0)
}

/// The newest observation of each source on the night of `date`.
/// Accounts that the diagnosis of a date could not read, grouped by what is missing and by currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapRow {
    /// `None`: the account has no health at all.
    pub source: Option<Source>,
    pub currency: Option<Currency>,
    pub accounts: usize,
    pub arr_minor: i64,
}

/// `book`: only of these accounts.
pub async fn gaps(tx: &mut Tenant, date: NaiveDate, book: Option<&[AccountId]>) -> anyhow::Result<Vec<GapRow>> {
    let org = tx.org().0;
    let book: Option<Vec<&str>> = book.map(|book| book.iter().map(|id| id.0.as_str()).collect());
    let rows: Vec<(Option<String>, Option<String>, i64, i64)> =
        sqlx::query_as(GAPS).bind(org).bind(date).bind(book).fetch_all(tx.connection()).await?;
    rows.into_iter()
        .map(|(source, currency, accounts, arr_minor)| {
            Ok(GapRow {
                source: source.map(|source| word("not_checked", &source)).transpose()?,
                currency: currency.map(|currency| word("currency", &currency)).transpose()?,
                accounts: usize::try_from(accounts)?,
                arr_minor,
            })
        })
        .collect()
}

/// Names of the largest accounts without any health on a date.
pub async fn largest_unknown(
    tx: &mut Tenant,
    date: NaiveDate,
    book: Option<&[AccountId]>,
    most: i64,
) -> anyhow::Result<Vec<String>> {
    let org = tx.org().0;
    let book: Option<Vec<&str>> = book.map(|book| book.iter().map(|id| id.0.as_str()).collect());
    let query = sqlx::query_scalar(LARGEST_UNKNOWN).bind(org).bind(date).bind(book).bind(most);
    Ok(query.fetch_all(tx.connection()).await?)
}

pub async fn run_sources(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<BTreeMap<Source, NaiveDate>> {
    let org = tx.org().0;
    let row: Option<Json<BTreeMap<Source, NaiveDate>>> =
        sqlx::query_scalar(RUN_SOURCES).bind(org).bind(date).fetch_optional(tx.connection()).await?;
    Ok(row.map(|row| row.0).unwrap_or_default())
}

/// A detail's id is a hash of its body, so that equal bodies are one row: the first half of its SHA-256, for which
/// processors have instructions.
pub fn detail_id(body: &str) -> Uuid {
    let hash: [u8; 32] = Sha256::digest(body.as_bytes()).into();
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    Uuid::from_bytes(half)
}

/// One diagnosis, ready to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRow {
    account: AccountId,
    health: Option<i16>,
    risk: Option<i16>,
    band: &'static str,
    change: &'static str,
    detail_id: Uuid,
    body: String,
    floors: Json<Vec<String>>,
    windows: Json<Vec<FoundWindow>>,
}

impl NewRow {
    /// `auto_renew` is what the deadlines were read with.
    pub fn of(diagnosis: &Diagnosis, auto_renew: Option<bool>) -> anyhow::Result<Self> {
        let body = serde_json::to_string(&Detail {
            coverage: diagnosis.coverage,
            families: Cow::Borrowed(&diagnosis.families),
            not_checked: Cow::Borrowed(&diagnosis.not_checked),
            stale: Cow::Borrowed(&diagnosis.stale),
            causes: diagnosis.causes.iter().map(|cause| StoredCause::of(cause, diagnosis.date)).collect(),
            windows: Cow::Borrowed(&diagnosis.windows),
            auto_renew,
        })?;
        let floors = diagnosis.causes.iter().filter(|cause| cause.floor).map(|cause| cause.rule.clone());
        Ok(Self {
            account: diagnosis.account_id.clone(),
            health: diagnosis.health.map(i16::from),
            risk: diagnosis.risk.map(i16::from),
            band: diagnosis.band.as_str(),
            change: diagnosis.change.as_str(),
            detail_id: detail_id(&body),
            body,
            floors: Json(floors.collect()),
            windows: Json(diagnosis.windows.clone()),
        })
    }
}

/// What an earlier night left for this one.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    pub previous: Previous,
    pub windows: Vec<FoundWindow>,
    detail_id: Uuid,
}

#[derive(FromRow)]
struct EarlierRow {
    account_id: String,
    health: Option<i16>,
    band: String,
    detail_id: Uuid,
    families: Json<BTreeMap<Source, Option<u8>>>,
    windows: Json<Vec<FoundWindow>>,
    floors: Json<Vec<String>>,
}

/// Makes this transaction the only one that diagnoses the organisation, until it ends.
pub async fn lock_night(tx: &mut Tenant) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(LOCK_NIGHT).bind(org).execute(tx.connection()).await.context("wait for another diagnosis")?;
    Ok(())
}

/// The same without waiting: false where a diagnosis is under way.
pub async fn try_lock_night(tx: &mut Tenant) -> anyhow::Result<bool> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(TRY_LOCK_NIGHT).bind(org).fetch_one(tx.connection()).await?)
}

/// The latest complete night before this date, with what it left for the feed guard.
pub async fn night_before(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<Option<(NaiveDate, NightState)>> {
    let org = tx.org().0;
    let row: Option<(NaiveDate, Json<NightState>)> =
        sqlx::query_as(NIGHT_BEFORE).bind(org).bind(date).fetch_optional(tx.connection()).await?;
    Ok(row.map(|(date, night)| (date, night.0)))
}

/// The diagnoses of a date for the accounts from `first` to `last`, both included, as a later night needs them;
/// their families only `with_families`, for where the feed guard lets them stand.
pub async fn earlier(
    tx: &mut Tenant,
    date: NaiveDate,
    first: &AccountId,
    last: &AccountId,
    with_families: bool,
) -> anyhow::Result<BTreeMap<AccountId, Earlier>> {
    let org = tx.org().0;
    let rows: Vec<EarlierRow> = sqlx::query_as(EARLIER)
        .bind(org)
        .bind(date)
        .bind(&first.0)
        .bind(&last.0)
        .bind(with_families)
        .fetch_all(tx.connection())
        .await?;
    rows.into_iter()
        .map(|row| {
            let previous = Previous {
                date,
                health: row.health.map(u8::try_from).transpose().context("health")?,
                band: word("band", &row.band)?,
                floors: row.floors.0,
                families: row.families.0,
            };
            let earlier = Earlier { previous, windows: row.windows.0, detail_id: row.detail_id };
            Ok((AccountId(row.account_id), earlier))
        })
        .collect()
}

/// Whether some account has a diagnosis of the date.
pub async fn has_rows(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<bool> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(HAS_ROWS).bind(org).bind(date).fetch_one(tx.connection()).await?)
}

/// Stores a date's diagnoses of the accounts after `after`, up to and with `last` (to the end for `None`): those
/// of `rows` stand; `again`, others of the date go. A body that some night has already is not sent.
pub async fn save(
    tx: &mut Tenant,
    date: NaiveDate,
    again: bool,
    after: &str,
    last: Option<&AccountId>,
    rows: &[NewRow],
    earlier: &BTreeMap<AccountId, Earlier>,
) -> anyhow::Result<()> {
    let org = tx.org().0;
    let ids: Vec<&str> = rows.iter().map(|row| row.account.0.as_str()).collect();
    let details: Vec<Uuid> = rows.iter().map(|row| row.detail_id).collect();
    let mut unused: Vec<(String, Uuid)> = Vec::new();
    if again {
        unused =
            sqlx::query_as(REPLACED).bind(org).bind(date).bind(&ids).bind(&details).fetch_all(tx.connection()).await?;
    }
    save_details(tx, rows, earlier).await?;
    // Arrays rather than COPY: under row level security that would be a temporary table and the same statement again.
    sqlx::query(if again { SAVE_AGAIN } else { SAVE })
        .bind(org)
        .bind(date)
        .bind(&ids)
        .bind(rows.iter().map(|row| row.health).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.risk).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.band).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.change).collect::<Vec<_>>())
        .bind(&details)
        .execute(tx.connection())
        .await
        .context("save diagnoses")?;
    if again {
        let dropped: Vec<(String, Uuid)> = sqlx::query_as(DROP_OTHERS)
            .bind(org)
            .bind(date)
            .bind(after)
            .bind(last.map(|id| id.0.as_str()))
            .bind(&ids)
            .fetch_all(tx.connection())
            .await?;
        unused.extend(dropped);
    }
    drop_unused(tx, unused).await
}

async fn save_details(tx: &mut Tenant, rows: &[NewRow], earlier: &BTreeMap<AccountId, Earlier>) -> anyhow::Result<()> {
    let org = tx.org().0;
    let changed = |row: &&NewRow| earlier.get(&row.account).is_none_or(|earlier| earlier.detail_id != row.detail_id);
    let mut fresh: Vec<&NewRow> = rows.iter().filter(changed).collect();
    let known: Vec<String> = sqlx::query_scalar(KNOWN_DETAILS)
        .bind(org)
        .bind(fresh.iter().map(|row| row.account.0.as_str()).collect::<Vec<_>>())
        .bind(fresh.iter().map(|row| row.detail_id).collect::<Vec<_>>())
        .fetch_all(tx.connection())
        .await?;
    let known: HashSet<&str> = known.iter().map(String::as_str).collect();
    fresh.retain(|row| !known.contains(row.account.0.as_str()));
    if fresh.is_empty() {
        return Ok(());
    }
    sqlx::query(SAVE_DETAILS)
        .bind(org)
        .bind(fresh.iter().map(|row| row.account.0.as_str()).collect::<Vec<_>>())
        .bind(fresh.iter().map(|row| row.detail_id).collect::<Vec<_>>())
        .bind(fresh.iter().map(|row| row.body.as_str()).collect::<Vec<_>>())
        .bind(fresh.iter().map(|row| &row.floors).collect::<Vec<_>>())
        .bind(fresh.iter().map(|row| &row.windows).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .context("save the causes")?;
    Ok(())
}

/// What came by day: one account's diagnosis of a date is replaced.
pub async fn replace(
    tx: &mut Tenant,
    date: NaiveDate,
    diagnosis: &Diagnosis,
    auto_renew: Option<bool>,
) -> anyhow::Result<()> {
    let row = NewRow::of(diagnosis, auto_renew)?;
    // Speaks for no id but its own: nothing lies after it and up to it.
    let (id, none) = (row.account.clone(), BTreeMap::new());
    save(tx, date, true, &id.0, Some(&id), std::slice::from_ref(&row), &none).await
}

async fn drop_unused(tx: &mut Tenant, unused: Vec<(String, Uuid)>) -> anyhow::Result<()> {
    if unused.is_empty() {
        return Ok(());
    }
    let org = tx.org().0;
    let (accounts, details): (Vec<String>, Vec<Uuid>) = unused.into_iter().unzip();
    sqlx::query(DROP_UNUSED).bind(org).bind(&accounts).bind(&details).execute(tx.connection()).await?;
    Ok(())
}

/// An account that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rejected {
    pub account_id: AccountId,
    pub reason: String,
}

/// What is kept of a complete diagnosis. Written last: a run without it never happened.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow<'a> {
    pub date: NaiveDate,
    pub completed_at: DateTime<Utc>,
    pub accounts: u32,
    /// Run on its own day.
    pub live: bool,
    pub policy_version: String,
    pub night: &'a NightState,
    /// The newest observation of each source.
    pub sources: &'a BTreeMap<Source, NaiveDate>,
    pub rejected: &'a [Rejected],
}

pub async fn save_run(tx: &mut Tenant, run: &RunRow<'_>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SAVE_RUN)
        .bind(org)
        .bind(run.date)
        .bind(run.completed_at)
        .bind(i32::try_from(run.accounts)?)
        .bind(run.live)
        .bind(&run.policy_version)
        .bind(Json(run.night))
        .bind(Json(run.sources))
        .bind(Json(run.rejected))
        .execute(tx.connection())
        .await
        .context("save the run")?;
    Ok(())
}

/// The dates of runs before `date`, the oldest first, at most `most`.
pub async fn runs_before(tx: &mut Tenant, date: NaiveDate, most: i64) -> anyhow::Result<Vec<NaiveDate>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(FORGOTTEN_DATES).bind(org).bind(date).bind(most).fetch_all(tx.connection()).await?)
}

/// Forgets one date, with the causes that no other date refers to.
pub async fn forget(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<()> {
    let org = tx.org().0;
    let gone: Vec<(String, Uuid)> = sqlx::query_as(FORGET).bind(org).bind(date).fetch_all(tx.connection()).await?;
    drop_unused(tx, gone).await?;
    sqlx::query(FORGET_RUN).bind(org).bind(date).execute(tx.connection()).await?;
    Ok(())
}

/// Health and band of these accounts on that date.
pub async fn bands(
    tx: &mut Tenant,
    date: NaiveDate,
    accounts: &[AccountId],
) -> anyhow::Result<BTreeMap<AccountId, (Option<u8>, Band)>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    let rows: Vec<(String, Option<i16>, String)> =
        sqlx::query_as(BANDS).bind(org).bind(date).bind(&ids).fetch_all(tx.connection()).await?;
    rows.into_iter()
        .map(|(id, health, band)| {
            let health = health.map(u8::try_from).transpose().context("health")?;
            Ok((AccountId(id), (health, word("band", &band)?)))
        })
        .collect()
}
