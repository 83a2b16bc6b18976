//! Known results of accounts: what ends decisions and renewals.

use chrono::NaiveDate;
use sqlx::FromRow;

use super::{Tenant, word};
use crate::domain::account::AccountId;
use crate::domain::money::Money;
use crate::domain::row::OutcomeKind;

statements! {
    BETWEEN = "SELECT account_id, decided_on, kind, arr_after_minor, currency FROM tandem.outcome
                WHERE org_id = $1 AND account_id BETWEEN $2 AND $3 AND decided_on <= $4 ORDER BY account_id, decided_on, kind";
    ACCOUNTS = "SELECT DISTINCT account_id FROM tandem.outcome WHERE org_id = $1 ORDER BY account_id";
}

/// A known result, as it was imported.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownOutcome {
    pub account: AccountId,
    pub decided_on: NaiveDate,
    pub kind: OutcomeKind,
    /// `None` where it was not said, or in a currency that nobody knows.
    pub arr_after: Option<Money>,
}

#[derive(FromRow)]
struct OutcomeRow {
    account_id: String,
    decided_on: NaiveDate,
    kind: String,
    arr_after_minor: Option<i64>,
    currency: Option<String>,
}

/// Outcomes of the accounts from `first` to `last`, both included, decided by `date`: by account, the latest last.
pub async fn between(
    tx: &mut Tenant,
    first: &AccountId,
    last: &AccountId,
    date: NaiveDate,
) -> anyhow::Result<Vec<KnownOutcome>> {
    let org = tx.org().0;
    let rows: Vec<OutcomeRow> =
        sqlx::query_as(BETWEEN).bind(org).bind(&first.0).bind(&last.0).bind(date).fetch_all(tx.connection()).await?;
    rows.into_iter()
        .map(|row| {
            let amount = row.arr_after_minor.zip(row.currency);
            Ok(KnownOutcome {
                account: AccountId(row.account_id),
                decided_on: row.decided_on,
                kind: word("kind", &row.kind)?,
                arr_after: amount.and_then(|(minor, code)| Some(Money::new(minor, code.parse().ok()?))),
            })
        })
        .collect()
}

/// The accounts of which some outcome is known, in the order of their ids.
pub async fn accounts(tx: &mut Tenant) -> anyhow::Result<Vec<AccountId>> {
    let org = tx.org().0;
    let ids: Vec<String> = sqlx::query_scalar(ACCOUNTS).bind(org).fetch_all(tx.connection()).await?;
    Ok(ids.into_iter().map(AccountId).collect())
}
