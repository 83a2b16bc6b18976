//! A customer in one sentence: `account().usage_drop(40).renews_in(30)`.

use chrono::{Days, NaiveDate};
use uuid::Uuid;

use crate::domain::account::{Account, Contact, Persona, Segment};
use crate::domain::diagnosis::{Before, Book, Diagnosis, diagnose};
use crate::domain::health::Evidence;
use crate::domain::money::{Currency, Money};
use crate::domain::person::OrgId;
use crate::domain::policy::Policy;
use crate::domain::signal::{Signal, SignalValue, Source, known_kind};

pub(super) const ORG: OrgId = OrgId(Uuid::from_u128(0x7a6e_de70));

pub(super) fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()
}

pub(super) fn ago(days: u64) -> NaiveDate {
    today() - Days::new(days)
}

pub(super) fn ahead(days: u64) -> NaiveDate {
    today() + Days::new(days)
}

#[derive(Debug, Clone)]
pub(super) struct Customer {
    pub(super) account: Account,
    pub(super) contacts: Vec<Contact>,
    pub(super) signals: Vec<Signal>,
}

/// A customer of three years, mid-market, 100 seats, $120k, of whom nothing else is known.
pub(super) fn account() -> Customer {
    named("acme", "Acme")
}

pub(super) fn named(id: &str, name: &str) -> Customer {
    let mut account = Account::new(id, name);
    account.segment = Some(Segment::MidMarket);
    account.arr = Some(Money::new(12_000_000, Currency::USD));
    account.seats = Some(100);
    account.start_date = Some(ago(3 * 365));
    account.go_live_date = Some(ago(3 * 365 - 60));
    Customer { account, contacts: Vec::new(), signals: Vec::new() }
}

impl Customer {
    pub(super) fn with(mut self, change: impl FnOnce(&mut Account)) -> Self {
        change(&mut self.account);
        self
    }

    /// One observation of a kind, in the source to which it belongs.
    pub(super) fn saw(self, kind: &str, days_ago: u64, value: impl Into<Value>) -> Self {
        let source = Source::ALL.into_iter().find(|source| known_kind(*source, kind).is_some()).unwrap();
        self.saw_in(source, kind, days_ago, value)
    }

    pub(super) fn saw_in(mut self, source: Source, kind: &str, days_ago: u64, value: impl Into<Value>) -> Self {
        let (kind, value, reference) = (kind.to_owned(), value.into().0, String::new());
        self.signals.push(Signal { source, kind, observed_on: ago(days_ago), value, reference });
        self
    }

    /// Observations a week apart, the newest of today last.
    pub(super) fn weekly(self, kind: &str, values: &[f64]) -> Self {
        self.every(7, kind, values)
    }

    pub(super) fn every(self, days: usize, kind: &str, values: &[f64]) -> Self {
        let newest = values.len() - 1;
        values
            .iter()
            .enumerate()
            .fold(self, |customer, (i, value)| customer.saw(kind, ((newest - i) * days) as u64, *value))
    }

    /// Active users for half a year at 80, then for two weeks lower by so many percent.
    pub(super) fn usage_drop(self, percent: u32) -> Self {
        self.usage(f64::from(100 - percent) / 100.0)
    }

    /// Active users for half a year at 80, then for two weeks at `ratio` of that.
    pub(super) fn usage(self, ratio: f64) -> Self {
        let mut values = vec![80.0; 24];
        values.extend([80.0 * ratio; 2]);
        self.weekly("active_users", &values)
    }

    /// Every source delivers, and nothing is wrong.
    pub(super) fn content(self) -> Self {
        self.usage(1.0).in_touch(3, 5).support_calm().saw("invoice_overdue_days", 3, 0.0).saw("nps", 20, 9.0)
    }

    pub(super) fn support_calm(self) -> Self {
        self.saw("sev1_open_days", 1, 0.0).weekly("tickets_opened", &[2.0; 20])
    }

    /// So many contacts, all met so many days ago, and a weekly interaction feed up to then.
    pub(super) fn in_touch(self, contacts: usize, days_ago: u64) -> Self {
        let feed = (0..6).fold(self, |customer, week| customer.saw("interaction", days_ago + week * 7, 1.0));
        (0..contacts).fold(feed, |customer, i| customer.contact(&format!("c{i}"), None, Some(days_ago)))
    }

    pub(super) fn contact(mut self, name: &str, persona: Option<Persona>, met: Option<u64>) -> Self {
        self.contacts.push(Contact {
            account_id: self.account.id.clone(),
            email: format!("{name}@acme.example"),
            name: Some(name.to_owned()),
            title: None,
            phone: None,
            persona,
            last_interaction: met.map(ago),
            departed_on: None,
        });
        self
    }

    pub(super) fn champion_left(self, days_ago: u64) -> Self {
        let mut customer = self.contact("champion", Some(Persona::Champion), None);
        customer.contacts.last_mut().unwrap().departed_on = Some(ago(days_ago));
        customer
    }

    pub(super) fn renews_in(self, days: u64) -> Self {
        self.with(|account| account.renewal_date = Some(ahead(days)))
    }

    pub(super) fn notice_period(self, days: i32) -> Self {
        self.with(|account| account.notice_period_days = Some(days))
    }

    /// Started and went live lately, with onboarding delivered.
    pub(super) fn onboarding(self) -> Self {
        self.with(|account| {
            account.start_date = Some(ago(100));
            account.go_live_date = None;
        })
    }

    pub(super) fn evidence(&self, policy: &Policy) -> Evidence {
        Evidence::reduce(&self.account, &self.contacts, &self.signals, today(), policy)
    }

    pub(super) fn diagnosis(&self) -> Diagnosis {
        self.diagnosis_by(&Policy::default(), &Before::default())
    }

    /// As the only account of its organisation.
    pub(super) fn diagnosis_by(&self, policy: &Policy, before: &Before<'_>) -> Diagnosis {
        let evidence = self.evidence(policy);
        let book = Book::of(std::iter::once(&evidence), None, policy, today());
        diagnose(ORG, &self.account, &evidence, &book, policy, before, today())
    }

    /// Risk of one family, as it is printed.
    pub(super) fn family(&self, source: Source) -> Option<u8> {
        self.diagnosis().families[&source]
    }
}

impl Diagnosis {
    pub(super) fn rules(&self) -> Vec<&str> {
        self.causes.iter().map(|cause| cause.rule.as_str()).collect()
    }

    pub(super) fn floors(&self) -> Vec<&str> {
        self.causes.iter().filter(|cause| cause.floor).map(|cause| cause.rule.as_str()).collect()
    }

    pub(super) fn headline(&self, rule: &str) -> &str {
        &self.causes.iter().find(|cause| cause.rule == rule).unwrap_or_else(|| panic!("no {rule}")).headline
    }
}

/// So that a test may write `true`, `3.0`, `"red"` or a date.
pub(super) struct Value(pub(super) SignalValue);

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self(SignalValue::Number(number))
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self(SignalValue::Bool(yes))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(SignalValue::Text(text.to_owned()))
    }
}

impl From<NaiveDate> for Value {
    fn from(date: NaiveDate) -> Self {
        Self(SignalValue::Date(date))
    }
}
