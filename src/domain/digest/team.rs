//! A lead's morning: what the team holds, and what nobody has picked up.

use chrono::{Datelike, NaiveDate};

use super::totals::{Rates, Sum};
use crate::domain::money::Money;

/// One account of the team's book.
#[derive(Debug, Clone, PartialEq)]
pub struct TeamAccount {
    pub arr: Option<Money>,
    pub at_risk: bool,
    /// At risk in the diagnosis that is compared with (a week ago, say).
    pub was_at_risk: bool,
    pub renewal_date: Option<NaiveDate>,
    /// Too little data for a score.
    pub unknown: bool,
}

/// One open handoff of the team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TeamHandoff {
    /// Offered, and nobody has claimed it yet.
    pub unclaimed: bool,
    /// Its clock has run out.
    pub late: bool,
    pub escalated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    pub accounts: usize,
    pub at_risk: usize,
    /// ARR at risk now, and in the diagnosis compared with.
    pub arr_at_risk: Sum,
    pub arr_was_at_risk: Sum,
    /// Renewal dates in the calendar quarter of today, those that have passed too.
    pub quarter_renewals: usize,
    pub quarter_arr: Sum,
    pub unclaimed: usize,
    pub late: usize,
    pub escalated: usize,
    /// "41 accounts, 1.2 M, usage missing": what cannot be read.
    pub unknown: usize,
    pub unknown_arr: Sum,
}

/// Team totals on this day.
pub fn team(accounts: &[TeamAccount], handoffs: &[TeamHandoff], today: NaiveDate, rates: &Rates) -> Team {
    let count = |keep: &dyn Fn(&TeamAccount) -> bool| accounts.iter().filter(|account| keep(account)).count();
    let sum = |keep: &dyn Fn(&TeamAccount) -> bool| {
        Sum::of(accounts.iter().filter(|account| keep(account)).filter_map(|account| account.arr), rates)
    };
    let quarter = |date: NaiveDate| (date.year(), date.month0() / 3);
    let this_quarter = |account: &TeamAccount| account.renewal_date.is_some_and(|date| quarter(date) == quarter(today));
    Team {
        accounts: accounts.len(),
        at_risk: count(&|account| account.at_risk),
        arr_at_risk: sum(&|account| account.at_risk),
        arr_was_at_risk: sum(&|account| account.was_at_risk),
        quarter_renewals: count(&this_quarter),
        quarter_arr: sum(&this_quarter),
        unclaimed: handoffs.iter().filter(|handoff| handoff.unclaimed).count(),
        late: handoffs.iter().filter(|handoff| handoff.late).count(),
        escalated: handoffs.iter().filter(|handoff| handoff.escalated).count(),
        unknown: count(&|account| account.unknown),
        unknown_arr: sum(&|account| account.unknown),
    }
}
