//! What was known before each result, and no later.
//!
//! Decisions where the plan leaves room:
//! - A result is decided on its day, or on the day on which the customer announced
//!   it: notice, auto-renewal switched off, a downgrade asked for, within the term
//!   that the result ends. What is read lies before that day, so an announcement is
//!   never taken for a forecast of itself.
//! - Only who leaves announces, often months ahead. Read sixty days before their
//!   renewal those who stay would stand nearer to it than those who left, and
//!   whatever grows towards a renewal would seem to speak for staying. So each kept
//!   one is read as long before its day as some lost one was ([`Notices`]).
//! - Lost is churned or contracted, kept is renewed or expanded. Two results of an
//!   account that are read on the same day are one, and a loss if one of them is.
//! - Only dated signals are read. Files overwrite contacts, renewal dates, notice
//!   periods and auto-renewal, so what stood there before a result is not known, and
//!   what stands there now tells the result: they are left out, and with them the
//!   rules on champions, contacts in touch and near opt-out dates. Seats count
//!   where no expansion or contraction has changed them since.
//! - Decisions are left out as they decide alone: they are no indicators to weigh.

use chrono::{Days, Months, NaiveDate};

use super::split::lot;
use crate::domain::account::{Account, AccountId};
use crate::domain::figures::decisions::Imported;
use crate::domain::row::OutcomeKind;
use crate::domain::signal::Signal;

/// The signals by which customers announce what they have decided.
pub const ANNOUNCING: [&str; 3] = ["notice_served", "downgrade_requested", "auto_renew"];

/// A known result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    pub account: AccountId,
    pub on: NaiveDate,
    /// Days between its announcement and its day, where it was announced.
    pub announced: Option<u64>,
    pub lost: bool,
}

/// The day as of which an account is read, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    pub as_of: NaiveDate,
    pub lost: bool,
}

/// How an account decided. `outcomes` and `signals` are its own, in any order; outcomes after `today` are not known yet.
pub fn decided(account: &Account, outcomes: &[Imported], signals: &[Signal], today: NaiveDate) -> Vec<Decided> {
    let known = outcomes.iter().filter(|outcome| outcome.on <= today);
    let decided = known.map(|outcome| {
        let before = outcomes.iter().map(|other| other.on).filter(|on| *on < outcome.on).max();
        let since = term_before(account, outcome.on).max(before);
        let told = announced(signals, since, outcome.on);
        Decided {
            account: account.id.clone(),
            on: outcome.on,
            announced: told.map(|day| (outcome.on - day).num_days().unsigned_abs()),
            lost: is_loss(outcome.kind),
        }
    });
    decided.collect()
}

/// How long before its day each loss was announced, 0 where it was not; rising.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notices(Vec<u64>);

impl Notices {
    pub fn of<'a>(decided: impl Iterator<Item = &'a Decided>) -> Self {
        let mut notices: Vec<u64> =
            decided.filter(|decided| decided.lost).map(|decided| decided.announced.unwrap_or(0)).collect();
        notices.sort_unstable();
        Self(notices)
    }

    /// Its own where it was announced or lost; of a kept one that of some loss, drawn by its id.
    fn before(&self, decided: &Decided) -> u64 {
        let own = decided.announced.or(decided.lost.then_some(0));
        own.unwrap_or_else(|| {
            let place = lot(&decided.account, 0).checked_rem(self.0.len() as u64).unwrap_or(0);
            // A remainder below the length of a list.
            self.0.get(place as usize).copied().unwrap_or(0)
        })
    }
}

/// When one account is read, by day, `lead` days before each of its decisions.
pub fn pairs(decided: &[Decided], notices: &Notices, lead: u32) -> Vec<Pair> {
    let pair = |decided: &Decided| {
        let as_of = decided.on.checked_sub_days(Days::new(notices.before(decided) + u64::from(lead)))?;
        Some(Pair { as_of, lost: decided.lost })
    };
    let mut pairs: Vec<Pair> = decided.iter().filter_map(pair).collect();
    pairs.sort_unstable_by_key(|pair| (pair.as_of, !pair.lost));
    // Of two on a day the loss comes first and stays.
    pairs.dedup_by_key(|pair| pair.as_of);
    pairs
}

fn is_loss(kind: OutcomeKind) -> bool {
    match kind {
        OutcomeKind::Churned | OutcomeKind::Contracted => true,
        OutcomeKind::Renewed | OutcomeKind::Expanded => false,
    }
}

/// The day on which the term began that a result ends.
fn term_before(account: &Account, decided_on: NaiveDate) -> Option<NaiveDate> {
    let months = u32::try_from(account.term_months_or_default()).ok()?;
    decided_on.checked_sub_months(Months::new(months))
}

/// The first day within `(since, until]` on which the customer said what they would do.
fn announced(signals: &[Signal], since: Option<NaiveDate>, until: NaiveDate) -> Option<NaiveDate> {
    let within = |day: NaiveDate| since.is_none_or(|since| day > since) && day <= until;
    let days = |kind: &'static str, said: bool| {
        let of_kind = signals.iter().filter(move |signal| signal.kind == kind);
        of_kind.filter(move |signal| truth(signal) == Some(said)).map(|signal| signal.observed_on)
    };
    // Never having renewed by itself says nothing: something must have been switched off.
    let first_on = days("auto_renew", true).min();
    let switched_off = days("auto_renew", false).filter(|day| first_on.is_some_and(|on| on < *day));
    let told = days("notice_served", true).chain(days("downgrade_requested", true)).chain(switched_off);
    told.filter(|day| within(*day)).min()
}

fn truth(signal: &Signal) -> Option<bool> {
    signal.value.number().map(|number| number > 0.0)
}

/// The account without what is known of it only as it is now.
pub fn as_then(account: &Account, outcomes: &[Imported], as_of: NaiveDate) -> Account {
    let resized = |outcome: &&Imported| {
        outcome.on > as_of && matches!(outcome.kind, OutcomeKind::Expanded | OutcomeKind::Contracted)
    };
    Account {
        renewal_date: None,
        notice_period_days: None,
        auto_renew: None,
        seats: account.seats.filter(|_| !outcomes.iter().any(|outcome| resized(&outcome))),
        goals: None,
        domains: Vec::new(),
        url: None,
        ..account.clone()
    }
}
