//! Customer accounts and the people at them.

use std::fmt;
use std::str::FromStr;

use chrono::{Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::money::Money;
use super::person::PersonId;

/// The customer's own id for an account, as its files name it. Unique within an organisation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub String);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<&str> for AccountId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    Smb,
    MidMarket,
    Enterprise,
}

impl Segment {
    pub const ALL: [Segment; 3] = [Segment::Smb, Segment::MidMarket, Segment::Enterprise];

    pub fn as_str(self) -> &'static str {
        match self {
            Segment::Smb => "smb",
            Segment::MidMarket => "mid_market",
            Segment::Enterprise => "enterprise",
        }
    }

    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            Segment::Smb => "SMB",
            Segment::MidMarket => "mid-market",
            Segment::Enterprise => "enterprise",
        }
    }
}

impl FromStr for Segment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Segment::ALL
            .into_iter()
            .find(|segment| segment.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" is no segment; expected smb, mid_market or enterprise"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    Active,
    Churned,
}

impl AccountStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            AccountStatus::Active => "active",
            AccountStatus::Churned => "churned",
        }
    }
}

impl FromStr for AccountStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "active" => Ok(AccountStatus::Active),
            "churned" => Ok(AccountStatus::Churned),
            _ => Err(format!("\"{text}\" is no status; expected active or churned")),
        }
    }
}

/// A customer company as last imported. `None` is "not known", never zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub segment: Option<Segment>,
    /// Annual recurring revenue.
    pub arr: Option<Money>,
    pub seats: Option<i64>,
    pub plan: Option<String>,
    pub domains: Vec<String>,
    /// The account's page in the CRM.
    pub url: Option<String>,
    pub goals: Option<String>,
    pub start_date: Option<NaiveDate>,
    pub go_live_date: Option<NaiveDate>,
    pub renewal_date: Option<NaiveDate>,
    pub term_months: Option<i32>,
    pub notice_period_days: Option<i32>,
    pub auto_renew: Option<bool>,
    pub csm: Option<PersonId>,
    pub account_manager: Option<PersonId>,
    pub pool: Option<String>,
    pub status: AccountStatus,
    /// A year.
    pub cost_to_serve: Option<Money>,
}

impl Account {
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: AccountId(id.into()),
            name: name.into(),
            segment: None,
            arr: None,
            seats: None,
            plan: None,
            domains: Vec::new(),
            url: None,
            goals: None,
            start_date: None,
            go_live_date: None,
            renewal_date: None,
            term_months: None,
            notice_period_days: None,
            auto_renew: None,
            csm: None,
            account_manager: None,
            pool: None,
            status: AccountStatus::Active,
            cost_to_serve: None,
        }
    }

    /// Months of the contract term; an empty cell counts as 12 (diagnosis.md, floors).
    pub fn term_months_or_default(&self) -> i32 {
        self.term_months.unwrap_or(12)
    }

    /// `renewal_date − notice_period_days`: the real renewal deadline. `None` where either is missing.
    pub fn opt_out_date(&self) -> Option<NaiveDate> {
        let notice = u64::try_from(self.notice_period_days?).ok()?;
        self.renewal_date?.checked_sub_days(Days::new(notice))
    }

    /// First day of the running term, counted back from the renewal date.
    pub fn term_start(&self) -> Option<NaiveDate> {
        let months = u32::try_from(self.term_months_or_default()).ok()?;
        self.renewal_date?.checked_sub_months(Months::new(months))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Persona {
    EconomicBuyer,
    Champion,
    Admin,
    User,
}

impl Persona {
    pub const ALL: [Persona; 4] = [Persona::EconomicBuyer, Persona::Champion, Persona::Admin, Persona::User];

    pub fn as_str(self) -> &'static str {
        match self {
            Persona::EconomicBuyer => "economic_buyer",
            Persona::Champion => "champion",
            Persona::Admin => "admin",
            Persona::User => "user",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Persona::EconomicBuyer => "economic buyer",
            Persona::Champion => "champion",
            Persona::Admin => "admin",
            Persona::User => "user",
        }
    }
}

impl FromStr for Persona {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Persona::ALL
            .into_iter()
            .find(|persona| persona.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" is no persona; expected economic_buyer, champion, admin or user"))
    }
}

/// A person at the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub account_id: AccountId,
    /// Lower case; unique within an account.
    pub email: String,
    pub name: Option<String>,
    pub title: Option<String>,
    pub phone: Option<String>,
    pub persona: Option<Persona>,
    pub last_interaction: Option<NaiveDate>,
    pub departed_on: Option<NaiveDate>,
}

/// Legal forms that people leave out when they type a company's name.
const LEGAL_SUFFIXES: [&str; 22] = [
    "inc",
    "incorporated",
    "llc",
    "ltd",
    "limited",
    "corp",
    "corporation",
    "co",
    "company",
    "plc",
    "gmbh",
    "ag",
    "kg",
    "se",
    "sa",
    "sas",
    "sarl",
    "bv",
    "nv",
    "ab",
    "oy",
    "pty",
];

/// The key under which an account is found: compatibility-folded, lower case,
/// words parted by one space, marks and legal suffixes left out.
/// "ACME Corp." and "acme" share a key. Empty only for a name without letters or digits.
pub fn name_key(name: &str) -> String {
    let folded: String = name
        .nfkd()
        .filter(|c| !unicode_normalization::char::is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let mut words: Vec<&str> = folded.split_whitespace().collect();
    while words.len() > 1 && words.last().is_some_and(|word| LEGAL_SUFFIXES.contains(word)) {
        words.pop();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_to_what_people_type() {
        for (name, key) in [
            ("ACME Corp.", "acme"),
            ("Müller & Söhne GmbH", "muller sohne"),
            ("Acme Pty Ltd", "acme"),
            ("Co", "co"),
            ("  Ünïted  Ｗidgets, Inc", "united widgets"),
            ("東京電力", "東京電力"),
            ("???", ""),
        ] {
            assert_eq!(name_key(name), key, "{name}");
        }
    }

    #[test]
    fn opt_out_is_before_renewal() {
        let mut account = Account::new("a", "A");
        assert_eq!(account.opt_out_date(), None);
        account.renewal_date = NaiveDate::from_ymd_opt(2027, 3, 31);
        account.notice_period_days = Some(90);
        assert_eq!(account.opt_out_date(), NaiveDate::from_ymd_opt(2026, 12, 31));
        assert_eq!(account.term_start(), NaiveDate::from_ymd_opt(2026, 3, 31));
        account.notice_period_days = Some(-1);
        assert_eq!(account.opt_out_date(), None);
    }
}
