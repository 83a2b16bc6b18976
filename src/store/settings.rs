//! What an admin of the organisation sets, holidays, and the stamp under which
//! a process may keep these in memory.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::FromRow;

use super::{Gone, Tenant, word};
use crate::domain::account::Segment;
use crate::domain::holidays::Holidays;
use crate::domain::routing::{Model, PerSegment, RenewalOwner};

statements! {
    CREATE = "INSERT INTO tandem.organisation_setting (org_id) VALUES ($1) ON CONFLICT DO NOTHING";
    READ = "SELECT everyone_sees_accounts, renewal_owner, segment_models, segment_renewal_owners, policy_toml, stamp
              FROM tandem.organisation_setting WHERE org_id = $1";
    LOCK = "SELECT everyone_sees_accounts, renewal_owner, segment_models, segment_renewal_owners, policy_toml, stamp
              FROM tandem.organisation_setting WHERE org_id = $1 FOR NO KEY UPDATE";
    STAMP = "SELECT stamp FROM tandem.organisation_setting WHERE org_id = $1";
    TOUCH = "UPDATE tandem.organisation_setting SET stamp = stamp + 1 WHERE org_id = $1";
    USE_POLICY = "UPDATE tandem.organisation_setting SET policy_toml = $2, policy_changed_at = $3, stamp = stamp + 1
                   WHERE org_id = $1";
    SET_MODELS = "UPDATE tandem.organisation_setting
                     SET segment_models = $2, renewal_owner = $3, segment_renewal_owners = $4, stamp = stamp + 1 WHERE org_id = $1";
    HOLIDAYS = "SELECT date, country FROM tandem.holiday WHERE org_id = $1 ORDER BY date";
}

#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub everyone_sees_accounts: bool,
    pub renewal_owner: PerSegment<RenewalOwner>,
    /// The organisation's model stands in the directory; these override it per segment.
    pub segment_models: BTreeMap<Segment, Model>,
    /// The policy as the admin wrote it; `None` for the default.
    pub policy_toml: Option<String>,
    pub stamp: i64,
}

#[derive(FromRow)]
struct SettingsRow {
    everyone_sees_accounts: bool,
    renewal_owner: String,
    segment_models: Value,
    segment_renewal_owners: Value,
    policy_toml: Option<String>,
    stamp: i64,
}

fn by_segment<T: std::str::FromStr>(column: &str, value: &Value) -> anyhow::Result<BTreeMap<Segment, T>> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(segment, text)| Ok((word(column, segment)?, word(column, text.as_str().unwrap_or_default())?)))
        .collect()
}

/// Makes the row that every organisation has. False where it is there already.
pub async fn create(tx: &mut Tenant) -> anyhow::Result<bool> {
    let org = tx.org().0;
    let done = sqlx::query(CREATE).bind(org).execute(tx.connection()).await?;
    Ok(done.rows_affected() == 1)
}

pub async fn read(tx: &mut Tenant) -> anyhow::Result<Settings> {
    let org = tx.org().0;
    settings(sqlx::query_as(READ).bind(org).fetch_optional(tx.connection()).await?.ok_or(Gone)?)
}

/// The same, locked until commit.
pub async fn lock(tx: &mut Tenant) -> anyhow::Result<Settings> {
    let org = tx.org().0;
    settings(sqlx::query_as(LOCK).bind(org).fetch_optional(tx.connection()).await?.ok_or(Gone)?)
}

fn settings(row: SettingsRow) -> anyhow::Result<Settings> {
    Ok(Settings {
        everyone_sees_accounts: row.everyone_sees_accounts,
        renewal_owner: PerSegment {
            default: word("renewal_owner", &row.renewal_owner)?,
            overrides: by_segment("segment_renewal_owners", &row.segment_renewal_owners)?,
        },
        segment_models: by_segment("segment_models", &row.segment_models)?,
        policy_toml: row.policy_toml,
        stamp: row.stamp,
    })
}

pub async fn stamp(tx: &mut Tenant) -> anyhow::Result<i64> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(STAMP).bind(org).fetch_optional(tx.connection()).await?.ok_or(Gone)?)
}

/// Something that processes keep in memory has changed.
pub async fn touch(tx: &mut Tenant) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(TOUCH).bind(org).execute(tx.connection()).await?;
    Ok(())
}

pub async fn use_policy(tx: &mut Tenant, toml: &str, at: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(USE_POLICY).bind(org).bind(toml).bind(at).execute(tx.connection()).await?;
    Ok(())
}

/// Overrides of the model, and who owns renewals.
pub async fn set_models(
    tx: &mut Tenant,
    models: &BTreeMap<Segment, Model>,
    renewals: &PerSegment<RenewalOwner>,
) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SET_MODELS)
        .bind(org)
        .bind(serde_json::to_value(models)?)
        .bind(renewals.default.as_str())
        .bind(serde_json::to_value(&renewals.overrides)?)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Days on which nobody works, here or in a country.
pub async fn holidays(tx: &mut Tenant) -> anyhow::Result<Holidays> {
    let org = tx.org().0;
    let days: Vec<(NaiveDate, String)> = sqlx::query_as(HOLIDAYS).bind(org).fetch_all(tx.connection()).await?;
    Ok(Holidays::new(days))
}
