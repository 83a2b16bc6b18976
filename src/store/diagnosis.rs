//! Stored diagnoses: one narrow row an account and night, the rest as JSON when it changed.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Tenant, word};
use crate::domain::account::{Account, AccountId};
use crate::domain::diagnosis::{self, Cause, Diagnosis, FoundWindow};
use crate::domain::policy::Policy;
use crate::domain::renewal;
use crate::domain::signal::Source;

statements! {
    OF_ACCOUNTS = "SELECT d.account_id, d.date, d.health, d.risk, d.band, d.change, t.body
                     FROM tandem.diagnosis d JOIN tandem.diagnosis_detail t USING (org_id, account_id, detail_id)
                    WHERE d.org_id = $1 AND d.date = $2 AND d.account_id = ANY ($3)";
    RUN_BEFORE = "SELECT max(date) FROM tandem.diagnosis_run WHERE org_id = $1 AND date < $2";
    HEALTH_ON = "SELECT account_id, health FROM tandem.diagnosis WHERE org_id = $1 AND date = $2 AND account_id = ANY ($3)";
    WORSE_SINCE = "SELECT account_id, max(date) FROM tandem.diagnosis
                    WHERE org_id = $1 AND date BETWEEN $2 AND $3 AND change = 'worse' AND account_id = ANY ($4) GROUP BY account_id";
    AT_RISK_ON = "SELECT account_id FROM tandem.diagnosis
                   WHERE org_id = $1 AND date = $2 AND band = 'at_risk' AND account_id = ANY ($3) ORDER BY account_id";
    FIRST_RUN = "SELECT min(date) FROM tandem.diagnosis_run WHERE org_id = $1";
    RUN_SOURCES = "SELECT sources FROM tandem.diagnosis_run WHERE org_id = $1 AND date = $2";
    HISTORY = "SELECT d.date, d.health FROM tandem.diagnosis_run r
                 JOIN tandem.diagnosis d ON d.org_id = r.org_id AND d.date = r.date AND d.account_id = $2
                WHERE r.org_id = $1 AND r.date BETWEEN $3 AND $4 ORDER BY d.date";
}

/// What is stored as JSON: written once for as many nights as it stays the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    pub coverage: f64,
    pub families: BTreeMap<Source, Option<u8>>,
    pub not_checked: Vec<Source>,
    #[serde(default)]
    pub stale: Vec<Source>,
    pub causes: Vec<Cause>,
    pub windows: Vec<FoundWindow>,
    /// The latest signal, else the account's column: deadlines are read with it.
    pub auto_renew: Option<bool>,
}

#[derive(FromRow)]
struct DiagnosisRow {
    account_id: String,
    date: NaiveDate,
    health: Option<i16>,
    risk: Option<i16>,
    band: String,
    change: String,
    body: Json<Detail>,
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
        .map(|(account, row)| {
            let detail = row.body.0;
            let percent = |value: Option<i16>| value.map(u8::try_from).transpose().context("health");
            let whole = Diagnosis {
                id: diagnosis::id(org, account, row.date),
                account_id: account.id.clone(),
                name: account.name.clone(),
                date: row.date,
                health: percent(row.health)?,
                band: word("band", &row.band)?,
                risk: percent(row.risk)?,
                coverage: detail.coverage,
                families: detail.families,
                not_checked: detail.not_checked,
                stale: detail.stale,
                causes: detail.causes,
                windows: detail.windows,
                renewal: renewal::read(account, detail.auto_renew, policy, row.date),
                change: word("change", &row.change)?,
            };
            Ok((account.id.clone(), whole))
        })
        .collect()
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

/// The organisation's first diagnosis: what it opened is a backlog.
pub async fn first_run(tx: &mut Tenant) -> anyhow::Result<Option<NaiveDate>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(FIRST_RUN).bind(org).fetch_one(tx.connection()).await?)
}

/// The newest observation of each source on the night of `date`.
pub async fn run_sources(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<BTreeMap<Source, NaiveDate>> {
    let org = tx.org().0;
    let row: Option<Json<BTreeMap<Source, NaiveDate>>> =
        sqlx::query_scalar(RUN_SOURCES).bind(org).bind(date).fetch_optional(tx.connection()).await?;
    Ok(row.map(|row| row.0).unwrap_or_default())
}

/// Health of one account from `first` to `last`, night by night.
pub async fn history(
    tx: &mut Tenant,
    account: &AccountId,
    first: NaiveDate,
    last: NaiveDate,
) -> anyhow::Result<Vec<(NaiveDate, u8)>> {
    let org = tx.org().0;
    let rows: Vec<(NaiveDate, Option<i16>)> =
        sqlx::query_as(HISTORY).bind(org).bind(&account.0).bind(first).bind(last).fetch_all(tx.connection()).await?;
    rows.into_iter().filter_map(|(date, health)| health.map(|health| Ok((date, u8::try_from(health)?)))).collect()
}

/// A detail's id is a hash of its body, so that equal bodies are one row.
pub fn detail_id(body: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, body.as_bytes())
}
