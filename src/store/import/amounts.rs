//! Two amounts of one stored row share one currency: whichever of them a row changes, the other must not come to
//! stand in a currency that it was never in.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::{put, text};
use crate::domain::money::{Currency, Money};
use crate::domain::row::{AccountRow, OutcomeRow, Patch};
use crate::store::{Tenant, word};

statements! {
    OF_ACCOUNTS = "SELECT account_id, currency, arr_minor IS NOT NULL, cost_to_serve_minor IS NOT NULL
                     FROM tandem.account WHERE org_id = $1 AND account_id = ANY ($2) AND currency IS NOT NULL";
    OF_OUTCOMES = "SELECT account_id, decided_on, kind, currency, arr_before_minor IS NOT NULL, arr_after_minor IS NOT NULL
                     FROM tandem.outcome WHERE org_id = $1 AND account_id = ANY ($2) AND currency IS NOT NULL";
}

/// The currency of a stored row, and which of its two amounts it has.
pub(super) struct Stored {
    currency: Currency,
    has: [bool; 2],
}

/// One of a row's two amounts: its column, its key in what is written, and what the row asks for.
pub(super) type Amount<'r> = (&'static str, &'static str, &'r Patch<Money>);

/// An amount that can't be taken: its column, what stood there, and why.
pub(super) type Fault = (&'static str, String, String);

/// By account, of those that rows bring.
pub(super) async fn of_accounts(tx: &mut Tenant, rows: &[AccountRow]) -> anyhow::Result<BTreeMap<String, Stored>> {
    let org = tx.org().0;
    let ids: Vec<&str> = rows.iter().map(|row| row.account_id.0.as_str()).collect();
    let stored: Vec<(String, String, bool, bool)> =
        sqlx::query_as(OF_ACCOUNTS).bind(org).bind(&ids).fetch_all(tx.connection()).await?;
    stored
        .into_iter()
        .map(|(id, currency, arr, cost)| Ok((id, Stored { currency: word("currency", &currency)?, has: [arr, cost] })))
        .collect()
}

/// What an outcome is stored under.
type OutcomeKey = (String, NaiveDate, String);

/// By outcome, of the accounts that rows bring outcomes of.
pub(super) async fn of_outcomes(tx: &mut Tenant, rows: &[OutcomeRow]) -> anyhow::Result<BTreeMap<OutcomeKey, Stored>> {
    let org = tx.org().0;
    let ids: Vec<&str> = rows.iter().map(|row| row.account_id.0.as_str()).collect();
    let stored: Vec<(String, NaiveDate, String, String, bool, bool)> =
        sqlx::query_as(OF_OUTCOMES).bind(org).bind(&ids).fetch_all(tx.connection()).await?;
    stored
        .into_iter()
        .map(|(id, day, kind, currency, before, after)| {
            Ok(((id, day, kind), Stored { currency: word("currency", &currency)?, has: [before, after] }))
        })
        .collect()
}

/// Puts a row's amounts and their currency into what is written. Where the row names no currency, the stored one
/// holds, and the amounts are read again as amounts of it.
pub(super) fn put_amounts(
    into: &mut Map<String, Value>,
    given: Option<Currency>,
    amounts: [Amount<'_>; 2],
    stored: Option<&Stored>,
) -> Result<(), Fault> {
    let own = amounts.iter().find_map(|(_, _, patch)| patch.set()).map(|money| money.currency);
    let Some(currency) = given.or(own.map(|own| stored.map_or(own, |stored| stored.currency))) else {
        // Nothing is said of money, or it is cleared.
        amounts.iter().for_each(|(_, key, patch)| put(into, key, patch, |money| json!(money.minor)));
        return Ok(());
    };
    into.insert("currency".to_owned(), text(&currency));
    for (at, (column, key, patch)) in amounts.into_iter().enumerate() {
        match (patch, stored) {
            (Patch::Keep, Some(stored)) if stored.has[at] && stored.currency != currency => {
                let reason = format!("{column} is stored in {}; give it in {currency} too", stored.currency);
                return Err(("currency", currency.to_string(), reason));
            }
            (Patch::Set(money), _) if money.currency != currency => {
                let major = money.to_major();
                let money = Money::parse_major(&major, currency).map_err(|error| (column, major, error.to_string()))?;
                into.insert(key.to_owned(), json!(money.minor));
            }
            _ => put(into, key, patch, |money| json!(money.minor)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written of a row's amounts onto those that are stored.
    fn written(given: &str, arr: &str, cost: &str, stored: Option<(&str, [bool; 2])>) -> String {
        let given = given.parse::<Currency>().ok();
        let patch = |text: &str| match text {
            "" => Patch::Keep,
            "\\N" => Patch::Clear,
            text => Patch::Set(Money::parse_major(text, given.unwrap_or(Currency::USD)).unwrap()),
        };
        let stored = stored.map(|(currency, has)| Stored { currency: currency.parse().unwrap(), has });
        let (arr, cost) = (patch(arr), patch(cost));
        let mut into = Map::new();
        match put_amounts(&mut into, given, [("arr", "arr", &arr), ("cost", "cost", &cost)], stored.as_ref()) {
            Ok(()) => Value::Object(into).to_string(),
            Err((column, value, reason)) => format!("{column} {value}: {reason}"),
        }
    }

    #[test]
    fn an_amount_never_comes_to_stand_in_another_currency() {
        let all = [
            written("", "", "", None),
            written("", "5", "", None),
            written("GBP", "", "", None),
            written("", "5", "\\N", Some(("JPY", [true, true]))),
            written("", "5.50", "", Some(("JPY", [true, false]))),
            written("", "", "7", Some(("EUR", [true, false]))),
            written("JPY", "", "600000", Some(("USD", [true, true]))),
            written("GBP", "", "", Some(("USD", [false, true]))),
            written("GBP", "", "", Some(("USD", [false, false]))),
            written("USD", "", "6", Some(("USD", [true, true]))),
            written("GBP", "1", "\\N", Some(("USD", [true, true]))),
            written("", "\\N", "", Some(("USD", [true, true]))),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
        {}
        {"arr":500,"currency":"USD"}
        {"currency":"GBP"}
        {"arr":5,"cost":null,"currency":"JPY"}
        arr 5.50: "5.50" has more decimals than JPY knows (0)
        {"cost":700,"currency":"EUR"}
        currency JPY: arr is stored in USD; give it in JPY too
        currency GBP: cost is stored in USD; give it in GBP too
        {"currency":"GBP"}
        {"cost":600,"currency":"USD"}
        {"arr":100,"cost":null,"currency":"GBP"}
        {"arr":null}
        "#);
    }
}
