//! Rows → the cells that make them: a row that the store refused is written down to be mended.

use std::fmt::Display;

use super::cells::CLEAR;
use crate::domain::money::Money;
use crate::domain::row::{AccountRow, ContactRow, HolidayRow, OutcomeRow, Patch, PersonRow, QuotaRow, Rows, SignalRow};
use crate::domain::signal::SignalValue;

/// The cells of the row at this place, one for each of `columns`. Read again, they are the same row.
pub fn cells(rows: &Rows, place: usize, columns: &[&str]) -> Vec<String> {
    let cell = |column: &&str| -> Option<String> {
        match rows {
            Rows::People(rows) => person(rows.get(place)?, column),
            Rows::Accounts(rows) => account(rows.get(place)?, column),
            Rows::Contacts(rows) => contact(rows.get(place)?, column),
            Rows::Signals(rows) => signal(rows.get(place)?, column),
            Rows::Outcomes(rows) => outcome(rows.get(place)?, column),
            Rows::Quotas(rows) => quota(rows.get(place)?, column),
            Rows::Holidays(rows) => holiday(rows.get(place)?, column),
        }
    };
    columns.iter().map(|column| cell(column).unwrap_or_default()).collect()
}

fn patch<T>(patch: &Patch<T>, write: impl Fn(&T) -> String) -> Option<String> {
    match patch {
        Patch::Keep => None,
        Patch::Clear => Some(CLEAR.to_owned()),
        Patch::Set(value) => Some(write(value)),
    }
}

fn plain<T: Display>(cell: &Patch<T>) -> Option<String> {
    patch(cell, T::to_string)
}

fn money(cell: &Patch<Money>) -> Option<String> {
    patch(cell, |money| money.to_major())
}

fn person(row: &PersonRow, column: &str) -> Option<String> {
    match column {
        "email" => Some(row.email.clone()),
        "name" => Some(row.name.clone()),
        "roles" if row.roles.is_empty() => Some(CLEAR.to_owned()),
        "roles" => Some(row.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(";")),
        "timezone" => patch(&row.timezone, |zone| zone.name().to_owned()),
        "digest_time" => patch(&row.digest_time, |time| time.format("%H:%M").to_string()),
        "workdays" => plain(&row.workdays),
        "manager_email" => plain(&row.manager_email),
        "delegate_email" => plain(&row.delegate_email),
        "out_of_office_until" => plain(&row.out_of_office_until),
        "slack_user_id" => plain(&row.slack_user_id),
        "teams_user_id" => plain(&row.teams_user_id),
        "pool" => plain(&row.pool),
        _ => None,
    }
}

fn account(row: &AccountRow, column: &str) -> Option<String> {
    match column {
        "account_id" => Some(row.account_id.to_string()),
        "name" => Some(row.name.clone()),
        "segment" => patch(&row.segment, |segment| segment.as_str().to_owned()),
        "arr" => money(&row.arr),
        "currency" => row.currency.map(|currency| currency.to_string()),
        "seats" => plain(&row.seats),
        "plan" => plain(&row.plan),
        "domains" => patch(&row.domains, |domains| domains.join(";")),
        "url" => plain(&row.url),
        "goals" => plain(&row.goals),
        "start_date" => plain(&row.start_date),
        "go_live_date" => plain(&row.go_live_date),
        "renewal_date" => plain(&row.renewal_date),
        "term_months" => plain(&row.term_months),
        "notice_period_days" => plain(&row.notice_period_days),
        "auto_renew" => plain(&row.auto_renew),
        "csm_email" => plain(&row.csm_email),
        "account_manager_email" => plain(&row.account_manager_email),
        "pool" => plain(&row.pool),
        "status" => patch(&row.status, |status| status.as_str().to_owned()),
        "cost_to_serve" => money(&row.cost_to_serve),
        _ => None,
    }
}

fn contact(row: &ContactRow, column: &str) -> Option<String> {
    match column {
        "account_id" => Some(row.account_id.to_string()),
        "email" => Some(row.email.clone()),
        "name" => plain(&row.name),
        "title" => plain(&row.title),
        "phone" => plain(&row.phone),
        "persona" => patch(&row.persona, |persona| persona.as_str().to_owned()),
        "last_interaction" => plain(&row.last_interaction),
        "departed_on" => plain(&row.departed_on),
        _ => None,
    }
}

fn signal(row: &SignalRow, column: &str) -> Option<String> {
    match column {
        "account_id" => Some(row.account_id.to_string()),
        "source" => Some(row.source.to_string()),
        "kind" => Some(row.kind.clone()),
        "observed_on" => Some(row.observed_on.to_string()),
        "value" => Some(match &row.value {
            SignalValue::Number(number) => number.to_string(),
            SignalValue::Bool(yes) => yes.to_string(),
            SignalValue::Date(day) => day.to_string(),
            SignalValue::Text(text) => text.clone(),
        }),
        "reference" => Some(row.reference.clone()),
        _ => None,
    }
}

fn outcome(row: &OutcomeRow, column: &str) -> Option<String> {
    match column {
        "account_id" => Some(row.account_id.to_string()),
        "kind" => Some(row.kind.as_str().to_owned()),
        "decided_on" => Some(row.decided_on.to_string()),
        "arr_before" => money(&row.arr_before),
        "arr_after" => money(&row.arr_after),
        "currency" => row.currency.map(|currency| currency.to_string()),
        _ => None,
    }
}

fn quota(row: &QuotaRow, column: &str) -> Option<String> {
    match column {
        "email" => Some(row.email.clone()),
        "period" => Some(row.period.clone()),
        "amount" => Some(row.amount.to_major()),
        "currency" => Some(row.amount.currency.to_string()),
        _ => None,
    }
}

fn holiday(row: &HolidayRow, column: &str) -> Option<String> {
    match column {
        "date" => Some(row.date.to_string()),
        "name" => plain(&row.name),
        "country" => row.country.clone(),
        _ => None,
    }
}
