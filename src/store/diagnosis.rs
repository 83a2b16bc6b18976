//! Stored diagnoses, as people read them; `night` writes them.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::NaiveDate;
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::types::Json;

use super::detail::Detail;
use super::{Tenant, word};
use crate::domain::account::{Account, AccountId};
use crate::domain::diagnosis::{self, Band, Diagnosis, RenewalRead};
use crate::domain::money::Currency;
use crate::domain::person::OrgId;
use crate::domain::policy::Policy;
use crate::domain::renewal;
use crate::domain::rhythm::Rhythm;
use crate::domain::signal::Source;

/// The diagnoses `d` of date `$2` of the accounts `$3`. Each is looked up by the key: left the choice, Postgres goes
/// through the whole night for each list as long as it has not looked at a table that was filled a moment ago.
macro_rules! of_list {
    () => {
        "unnest($3::text[]) AS wanted (id)
         CROSS JOIN LATERAL (SELECT * FROM tandem.diagnosis
                              WHERE org_id = $1 AND date = $2 AND account_id = wanted.id OFFSET 0) AS d"
    };
}

/// What is missing by source, of the diagnoses `d` of date `$2` that `of` names.
macro_rules! gaps {
    ($($of:tt)+) => {
        concat!(
            "SELECT gap.source, a.currency, count(*), coalesce(sum(a.arr_minor), 0)::bigint
               FROM ",
            $($of)+,
            " JOIN tandem.account a ON a.org_id = $1 AND a.account_id = d.account_id AND a.status = 'active'
              JOIN tandem.diagnosis_detail t
                ON t.org_id = $1 AND t.detail_on = d.detail_on AND t.account_id = d.account_id AND t.detail_id = d.detail_id
             CROSS JOIN LATERAL (SELECT json_array_elements_text(t.body::json->'not_checked') AS source
                                  UNION ALL SELECT NULL WHERE d.band = 'unknown') AS gap
             WHERE d.org_id = $1 AND d.date = $2
             GROUP BY gap.source, a.currency ORDER BY gap.source, a.currency"
        )
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
                                         WHERE org_id = $1 AND detail_on = d.detail_on AND account_id = d.account_id
                                           AND detail_id = d.detail_id OFFSET 0) AS t";
    /// The body only where an older release wrote the row, or over it.
    GISTS = concat!("SELECT account_id, date, risk, band, floors, cause, auto_renew,
                               CASE WHEN gist_of IS DISTINCT FROM detail_id THEN (SELECT t.body FROM tandem.diagnosis_detail t
                                          WHERE t.org_id = $1 AND t.detail_on = d.detail_on AND t.account_id = d.account_id
                                            AND t.detail_id = d.detail_id) END AS body
                          FROM ", of_list!());
    RUN_BEFORE = "SELECT max(date) FROM tandem.diagnosis_run WHERE org_id = $1 AND date < $2";
    HEALTH_ON = concat!("SELECT account_id, health FROM ", of_list!());
    WORSE_SINCE = "SELECT wanted.account_id, d.date FROM unnest($4::text[]) AS wanted (account_id)
                    CROSS JOIN LATERAL (SELECT max(date) AS date FROM tandem.diagnosis
                                         WHERE org_id = $1 AND date BETWEEN $2 AND $3 AND change = 'worse'
                                           AND account_id = wanted.account_id OFFSET 0) AS d
                    WHERE d.date IS NOT NULL";
    AT_RISK_ON = concat!("SELECT account_id FROM ", of_list!(), " WHERE d.band = 'at_risk' ORDER BY account_id");
    FIRST_RUN = "SELECT min(date) FROM tandem.diagnosis_run WHERE org_id = $1 AND live";
    RAN_LIVE = "SELECT count(*) FROM tandem.diagnosis_run WHERE org_id = $1 AND date = $2 AND live";
    RUN_SOURCES = "SELECT sources, rhythms FROM tandem.diagnosis_run WHERE org_id = $1 AND date = $2";
    GAPS = gaps!("tandem.diagnosis AS d");
    GAPS_OF = gaps!(of_list!());
    LARGEST_UNKNOWN = "SELECT a.name FROM tandem.diagnosis d
              JOIN tandem.account a ON a.org_id = $1 AND a.account_id = d.account_id AND a.status = 'active'
             WHERE d.org_id = $1 AND d.date = $2 AND d.band = 'unknown'
               AND ($3::text[] IS NULL OR d.account_id = ANY ($3))
             ORDER BY a.arr_minor DESC NULLS LAST, a.account_id LIMIT $4";
    /// The same of all accounts in a row: one look along the index.
    BANDS_BETWEEN = "SELECT account_id, health, band FROM tandem.diagnosis
                      WHERE org_id = $1 AND date = $2 AND account_id BETWEEN $3 AND $4";
    BANDS = concat!("SELECT account_id, health, band FROM ", of_list!());
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
    let rows: Vec<DiagnosisRow> = rows_of(tx, OF_ACCOUNTS, date, accounts).await?;
    with_accounts(accounts, rows, |row| &row.account_id)
        .map(|(account, row)| Ok((account.id.clone(), whole(org, account, row, policy)?)))
        .collect()
}

/// A diagnosis as far as a line or a choice needs it: causes in full are most of reading one.
#[derive(Debug, Clone, PartialEq)]
pub struct Gist {
    pub band: Band,
    pub risk: Option<u8>,
    /// See [`Diagnosis::decisions`].
    pub decisions: Vec<String>,
    /// The rule of its first cause.
    pub cause: Option<String>,
    pub renewal: RenewalRead,
}

#[derive(FromRow)]
struct GistRow {
    account_id: String,
    date: NaiveDate,
    risk: Option<i16>,
    band: String,
    floors: Option<Json<Vec<String>>>,
    cause: Option<String>,
    auto_renew: Option<bool>,
    /// A [`Detail`] as JSON.
    body: Option<String>,
}

/// The gists of these accounts' diagnoses on that date; those without one are absent.
pub async fn gists(
    tx: &mut Tenant,
    date: NaiveDate,
    accounts: &[Account],
    policy: &Policy,
) -> anyhow::Result<BTreeMap<AccountId, Gist>> {
    let rows: Vec<GistRow> = rows_of(tx, GISTS, date, accounts).await?;
    with_accounts(accounts, rows, |row| &row.account_id)
        .map(|(account, row)| {
            let detail: Option<Detail<'_>> =
                row.body.as_deref().map(serde_json::from_str).transpose().context("a stored diagnosis")?;
            let (cause, auto_renew) = match detail {
                Some(detail) => {
                    (detail.causes.into_iter().next().map(|cause| cause.rule.into_owned()), detail.auto_renew)
                }
                None => (row.cause, row.auto_renew),
            };
            let gist = Gist {
                band: word("band", &row.band)?,
                risk: percent("risk", row.risk)?,
                decisions: row.floors.map(|floors| floors.0).unwrap_or_default(),
                cause,
                renewal: renewal::read(account, auto_renew, policy, row.date),
            };
            Ok((account.id.clone(), gist))
        })
        .collect()
}

async fn rows_of<R>(
    tx: &mut Tenant,
    statement: &'static str,
    date: NaiveDate,
    accounts: &[Account],
) -> anyhow::Result<Vec<R>>
where
    R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|account| account.id.0.as_str()).collect();
    Ok(sqlx::query_as(statement).bind(org).bind(date).bind(&ids).fetch_all(tx.connection()).await?)
}

/// Those of the accounts that have a row, with it.
fn with_accounts<R>(
    accounts: &[Account],
    rows: Vec<R>,
    id: impl Fn(&R) -> &String,
) -> impl Iterator<Item = (&Account, R)> {
    let mut rows: BTreeMap<String, R> = rows.into_iter().map(|row| (id(&row).clone(), row)).collect();
    accounts.iter().filter_map(move |account| Some((account, rows.remove(&account.id.0)?)))
}

fn percent(what: &'static str, value: Option<i16>) -> anyhow::Result<Option<u8>> {
    value.map(u8::try_from).transpose().context(what)
}

/// A stored diagnosis with what it takes from the account and the policy.
pub(super) fn whole(org: OrgId, account: &Account, row: DiagnosisRow, policy: &Policy) -> anyhow::Result<Diagnosis> {
    let detail: Detail<'_> = serde_json::from_str(&row.body).context("a stored diagnosis")?;
    Ok(Diagnosis {
        id: diagnosis::id(org, account, row.date),
        account_id: account.id.clone(),
        name: account.name.clone(),
        date: row.date,
        health: percent("health", row.health)?,
        band: word("band", &row.band)?,
        risk: percent("risk", row.risk)?,
        coverage: detail.coverage,
        families: detail.families.into_owned(),
        not_checked: detail.not_checked.into_owned(),
        stale: detail.stale.into_owned(),
        causes: detail.causes.into_iter().map(|cause| cause.on(row.date)).collect::<anyhow::Result<_>>()?,
        windows: detail.windows.into_owned(),
        renewal: renewal::read(account, detail.auto_renew, policy, row.date),
        change: word("change", &row.change)?,
        churned_on: detail.churned_on,
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
    let query = sqlx::query_as(if book.is_some() { GAPS_OF } else { GAPS }).bind(org).bind(date);
    let query = match book {
        Some(book) => query.bind(book),
        None => query,
    };
    let rows: Vec<(Option<String>, Option<String>, i64, i64)> = query.fetch_all(tx.connection()).await?;
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

/// What a night saw of a source, over all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feed {
    /// The newest observation.
    pub newest: NaiveDate,
    /// `None` before its second delivery.
    pub rhythm: Option<Rhythm>,
}

/// The sources that had delivered by the night of `date`.
pub async fn run_sources(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<BTreeMap<Source, Feed>> {
    type Row = (Json<BTreeMap<Source, NaiveDate>>, Json<BTreeMap<Source, Rhythm>>);
    let org = tx.org().0;
    let row: Option<Row> = sqlx::query_as(RUN_SOURCES).bind(org).bind(date).fetch_optional(tx.connection()).await?;
    let Some((Json(newest), Json(rhythms))) = row else { return Ok(BTreeMap::new()) };
    let feed = |(source, newest)| (source, Feed { newest, rhythm: rhythms.get(&source).copied() });
    Ok(newest.into_iter().map(feed).collect())
}

/// Health and band by account.
pub type Bands = BTreeMap<AccountId, (Option<u8>, Band)>;

/// Health and band of these accounts on that date.
pub async fn bands(tx: &mut Tenant, date: NaiveDate, accounts: &[AccountId]) -> anyhow::Result<Bands> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    read_bands(sqlx::query_as(BANDS).bind(org).bind(date).bind(&ids).fetch_all(tx.connection()).await?)
}

/// The same of the accounts from `first` to `last`, both included.
pub async fn bands_between(
    tx: &mut Tenant,
    date: NaiveDate,
    first: &AccountId,
    last: &AccountId,
) -> anyhow::Result<Bands> {
    let org = tx.org().0;
    let query = sqlx::query_as(BANDS_BETWEEN).bind(org).bind(date).bind(&first.0).bind(&last.0);
    read_bands(query.fetch_all(tx.connection()).await?)
}

fn read_bands(rows: Vec<(String, Option<i16>, String)>) -> anyhow::Result<Bands> {
    rows.into_iter()
        .map(|(id, health, band)| Ok((AccountId(id), (percent("health", health)?, word("band", &band)?))))
        .collect()
}
