//! The demo's sample organisation: a believable book of a B2B software vendor,
//! made from a seed. Every account follows one [`Story`], so that every rule,
//! floor, window, gap and routing of the plan is met by somebody; seeded noise
//! lies on top. All dates count back from `today`: the same seed and day give
//! the same rows.

mod accounts;
mod book;
mod course;
mod later;
mod people;
mod signals;

use chrono::{Days, NaiveDate, TimeDelta};

use crate::domain::account::AccountId;
use crate::domain::dice::Dice;
use crate::domain::row::{AccountRow, ContactRow, HolidayRow, OutcomeRow, PersonRow, QuotaRow, SignalRow};

pub use book::Story;

/// Rows of every kind, ready for the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub people: Vec<PersonRow>,
    pub accounts: Vec<AccountRow>,
    pub contacts: Vec<ContactRow>,
    /// Ordered by account, then as each source delivered them.
    pub signals: Vec<SignalRow>,
    pub outcomes: Vec<OutcomeRow>,
    pub quotas: Vec<QuotaRow>,
    pub holidays: Vec<HolidayRow>,
    /// What each account was made to show.
    pub stories: Vec<(AccountId, Story)>,
}

/// The sample organisation as it stands on `today`; its currency is USD.
pub fn organisation(seed: u64, today: NaiveDate) -> Sample {
    let mut sample = Sample {
        people: people::people(today),
        accounts: Vec::new(),
        contacts: Vec::new(),
        signals: Vec::new(),
        outcomes: Vec::new(),
        quotas: people::quotas(today),
        holidays: people::holidays(today),
        stories: Vec::new(),
    };
    for (number, entry) in (1_u64..).zip(book::BOOK) {
        // Dice of its own: a change to one account moves no other.
        let mut dice = Dice::new(seed, number);
        let course = course::course(entry, &mut dice);
        let account = accounts::account(number, entry, &course, today, &mut dice);
        sample.contacts.extend(accounts::contacts(&account, entry, &course, today, &mut dice));
        sample.outcomes.extend(accounts::outcomes(&account, entry, today, &mut dice));
        sample.signals.extend(signals::signals(&account, &course, today, &mut dice));
        sample.stories.push((account.account_id.clone(), entry.story));
        sample.accounts.push(account);
    }
    sample
}

/// The day so many days before `today`; after it for negative numbers.
fn before(today: NaiveDate, days: i64) -> NaiveDate {
    today.checked_sub_signed(TimeDelta::days(days)).unwrap_or(today)
}

/// The working day on or before `day`: people meet on those.
fn working(day: NaiveDate) -> NaiveDate {
    let past_friday = u64::from(chrono::Datelike::weekday(&day).num_days_from_monday()).saturating_sub(4);
    day.checked_sub_days(Days::new(past_friday)).unwrap_or(day)
}

#[cfg(test)]
mod tests;
