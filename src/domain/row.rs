//! Validated rows of the files and of the push API (contract.md, "Files to
//! import"), before they meet what the store already knows. `ingest` makes
//! them, `store` takes them.

use std::str::FromStr;

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;

use super::account::{AccountId, AccountStatus, Persona, Segment};
use super::money::{Currency, Money};
use super::person::{Role, Workdays};
use super::signal::{SignalValue, Source};

/// What a cell asks for: an empty cell leaves the stored value, `\N` clears it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    pub fn set(&self) -> Option<&T> {
        match self {
            Patch::Set(value) => Some(value),
            Patch::Keep | Patch::Clear => None,
        }
    }

    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(value) => Patch::Set(f(value)),
        }
    }
}

/// The kinds of rows, in the order in which they depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    People,
    Accounts,
    Contacts,
    Signals,
    Outcomes,
    Quotas,
    Holidays,
}

impl RowKind {
    pub const ALL: [RowKind; 7] = [
        RowKind::People,
        RowKind::Accounts,
        RowKind::Contacts,
        RowKind::Signals,
        RowKind::Outcomes,
        RowKind::Quotas,
        RowKind::Holidays,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            RowKind::People => "people",
            RowKind::Accounts => "accounts",
            RowKind::Contacts => "contacts",
            RowKind::Signals => "signals",
            RowKind::Outcomes => "outcomes",
            RowKind::Quotas => "quotas",
            RowKind::Holidays => "holidays",
        }
    }
}

impl FromStr for RowKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        RowKind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            format!(
                "\"{text}\" is no kind of rows; expected people, accounts, contacts, signals, outcomes, quotas or holidays"
            )
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct PersonRow {
    pub email: String,
    pub name: String,
    /// None where the person has left.
    pub roles: Vec<Role>,
    pub timezone: Patch<Tz>,
    pub digest_time: Patch<NaiveTime>,
    pub workdays: Patch<Workdays>,
    pub manager_email: Patch<String>,
    pub delegate_email: Patch<String>,
    pub out_of_office_until: Patch<NaiveDate>,
    pub slack_user_id: Patch<String>,
    pub teams_user_id: Patch<String>,
    pub pool: Patch<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AccountRow {
    pub account_id: AccountId,
    pub name: String,
    pub segment: Patch<Segment>,
    pub arr: Patch<Money>,
    /// The currency column; `None` means the stored one, and the organisation's where there is none.
    pub currency: Option<Currency>,
    pub seats: Patch<i64>,
    pub plan: Patch<String>,
    pub domains: Patch<Vec<String>>,
    pub url: Patch<String>,
    pub goals: Patch<String>,
    pub start_date: Patch<NaiveDate>,
    pub go_live_date: Patch<NaiveDate>,
    pub renewal_date: Patch<NaiveDate>,
    pub term_months: Patch<i32>,
    pub notice_period_days: Patch<i32>,
    pub auto_renew: Patch<bool>,
    pub csm_email: Patch<String>,
    pub account_manager_email: Patch<String>,
    pub pool: Patch<String>,
    pub status: Patch<AccountStatus>,
    pub cost_to_serve: Patch<Money>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRow {
    pub account_id: AccountId,
    pub email: String,
    pub name: Patch<String>,
    pub title: Patch<String>,
    pub phone: Patch<String>,
    pub persona: Patch<Persona>,
    pub last_interaction: Patch<NaiveDate>,
    pub departed_on: Patch<NaiveDate>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SignalRow {
    pub account_id: AccountId,
    pub source: Source,
    pub kind: String,
    pub observed_on: NaiveDate,
    pub value: SignalValue,
    /// Empty where the row gave none.
    pub reference: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    Renewed,
    Churned,
    Contracted,
    Expanded,
}

impl OutcomeKind {
    pub const ALL: [OutcomeKind; 4] =
        [OutcomeKind::Renewed, OutcomeKind::Churned, OutcomeKind::Contracted, OutcomeKind::Expanded];

    pub fn as_str(self) -> &'static str {
        match self {
            OutcomeKind::Renewed => "renewed",
            OutcomeKind::Churned => "churned",
            OutcomeKind::Contracted => "contracted",
            OutcomeKind::Expanded => "expanded",
        }
    }
}

impl FromStr for OutcomeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        OutcomeKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" is no outcome; expected renewed, churned, contracted or expanded"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeRow {
    pub account_id: AccountId,
    pub kind: OutcomeKind,
    pub decided_on: NaiveDate,
    pub arr_before: Patch<Money>,
    pub arr_after: Patch<Money>,
    /// As an account's.
    pub currency: Option<Currency>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaRow {
    pub email: String,
    /// A quarter such as `2026-Q4`.
    pub period: String,
    pub amount: Money,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolidayRow {
    pub date: NaiveDate,
    pub name: Patch<String>,
    /// ISO 3166 alpha-2; `None` for all.
    pub country: Option<String>,
}

/// Rows of one kind, in the file's order.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    People(Vec<PersonRow>),
    Accounts(Vec<AccountRow>),
    Contacts(Vec<ContactRow>),
    Signals(Vec<SignalRow>),
    Outcomes(Vec<OutcomeRow>),
    Quotas(Vec<QuotaRow>),
    Holidays(Vec<HolidayRow>),
}
