//! What was known before each result, and no later.
//!
//! Decisions where the plan leaves room:
//! - A result is decided on its day, or on the day on which the customer announced
//!   it: notice, auto-renewal switched off, a downgrade asked for, within the term
//!   that the result ends. What is read lies before that day, so an announcement is
//!   never taken for a forecast of itself.
//! - Lost is churned or contracted, kept is renewed or expanded. Two results of an
//!   account that are read on the same day are one, and a loss if one of them is.
//! - Only dated signals are read. Files overwrite contacts, renewal dates, notice
//!   periods and auto-renewal, so what stood there before a result is not known, and
//!   what stands there now tells the result: they are left out, and with them the
//!   rules on champions, contacts in touch and near opt-out dates. Seats count
//!   where no expansion or contraction has changed them since.
//! - Decisions are left out as they decide alone: they are no indicators to weigh.

use chrono::{Days, Months, NaiveDate};

use crate::domain::account::Account;
use crate::domain::figures::decisions::Imported;
use crate::domain::row::OutcomeKind;
use crate::domain::signal::Signal;

/// A known result, and the day as of which its account is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    pub as_of: NaiveDate,
    pub lost: bool,
}

/// Of one account, by day. `outcomes` and `signals` are its own, in any order; outcomes decided after `today` are not
/// known yet.
pub fn pairs(account: &Account, outcomes: &[Imported], signals: &[Signal], lead: u32, today: NaiveDate) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.on <= today) {
        let before = outcomes.iter().map(|other| other.on).filter(|on| *on < outcome.on).max();
        let since = term_before(account, outcome.on).max(before);
        let told = announced(signals, since, outcome.on).unwrap_or(outcome.on);
        let Some(as_of) = told.checked_sub_days(Days::new(lead.into())) else { continue };
        pairs.push(Pair { as_of, lost: is_loss(outcome.kind) });
    }
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
