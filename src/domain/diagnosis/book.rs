//! The whole book on one night: what every account's read is held against, and
//! the guard against a feed that breaks.
//!
//! Decisions where the plan leaves room:
//! - An account's usage turns zero when one of core actions, active users and
//!   sessions that was above zero is measured at zero. Counts are taken over their
//!   newest block, so a quiet Sunday is no outage.
//! - While a guard is up, what the accounts had before it went up is remembered:
//!   recovery is judged against that, and the guard does not end because the second
//!   silent night equals the first.
//! - A guard that is up for more than 30 days is given up: the source is gone.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::account::AccountId;
use crate::domain::health::{Evidence, USAGE_MEASURES};
use crate::domain::policy::{Aggregate, Policy};
use crate::domain::signal::Source;

/// What one night leaves for the guard of the next: a byte pair per account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NightState {
    pub date: NaiveDate,
    /// Bits 0–5: the sources that were live, in the order of [`Source::ALL`].
    /// Bits 6–8: core actions, active users and sessions that were above zero.
    pub accounts: BTreeMap<AccountId, u16>,
    /// Guards that were up, with the night on which each went up.
    pub guards: BTreeMap<Source, NaiveDate>,
}

/// Something to tell the people who look after the feeds, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardEvent {
    pub source: Source,
    pub change: GuardChange,
    /// Accounts for which the source is silent or zero, of those that had it.
    pub silent: u32,
    pub had: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardChange {
    Raised,
    Recovered,
    /// Up for too long: the source counts as unknown from now on.
    GivenUp,
}

/// One organisation's book on one night.
#[derive(Debug, Clone, PartialEq)]
pub struct Book {
    connected: [bool; 6],
    withheld: [bool; 6],
    /// Median raw trend per measure, where enough accounts have it.
    medians: BTreeMap<String, f64>,
    /// Guards that went up or came down tonight.
    pub guard_events: Vec<GuardEvent>,
    /// To be stored for the next night.
    pub state: NightState,
}

const fn live_bit(source: Source) -> u16 {
    1 << source as u16
}

fn level_bit(measure: usize) -> u16 {
    1 << (Source::ALL.len() + measure)
}

/// The whole book while it is looked over, one account after another.
pub struct BookSoFar<'a> {
    policy: &'a Policy,
    previous_night: Option<&'a NightState>,
    date: NaiveDate,
    connected: [bool; 6],
    trends: BTreeMap<&'a str, Vec<f64>>,
    /// Measures of one's own that are read as a trend.
    own: Vec<(usize, &'a str)>,
    guard: Guard,
}

impl<'a> BookSoFar<'a> {
    /// `previous_night` is the stored state of the latest earlier night; none on the first.
    pub fn new(policy: &'a Policy, previous_night: Option<&'a NightState>, date: NaiveDate) -> Self {
        Self {
            policy,
            previous_night,
            date,
            connected: [false; 6],
            trends: BTreeMap::new(),
            own: own_trends(policy),
            guard: Guard { silent: [0; 6], had: [0; 6], accounts: BTreeMap::new() },
        }
    }

    pub fn add(&mut self, account: &Evidence) {
        for source in Source::ALL {
            self.connected[source as usize] |= account.feed(source).live;
        }
        for (index, name) in USAGE_MEASURES.into_iter().enumerate() {
            self.trends.entry(name).or_default().extend(account.usage_trend(index));
        }
        for (index, name) in &self.own {
            self.trends.entry(name).or_default().extend(account.measure_trend(*index));
        }
        self.guard.count(account, self.previous_night);
    }

    pub fn close(self) -> Book {
        let least = self.policy.reading.book_accounts.max(1) as usize;
        let medians = self
            .trends
            .into_iter()
            .filter(|(_, values)| values.len() >= least)
            .filter_map(|(name, mut values)| Some((name.to_owned(), median(&mut values)?)))
            .collect();
        self.guard.close(self.connected, medians, self.previous_night, self.policy, self.date)
    }
}

impl Book {
    /// Looks once over the evidence of all accounts of an organisation.
    /// `previous_night` is the stored state of the latest earlier night; none on the first.
    pub fn of<'a>(
        evidence: impl Iterator<Item = &'a Evidence>,
        previous_night: Option<&NightState>,
        policy: &Policy,
        date: NaiveDate,
    ) -> Book {
        let mut book = BookSoFar::new(policy, previous_night, date);
        evidence.for_each(|account| book.add(account));
        book.close()
    }

    /// A ratio of one account, minus what happened to the whole book: divided by
    /// the median where that is below 1. `None` where the whole book is at nothing,
    /// for then the ratio says nothing about one account.
    pub fn corrected(&self, measure: &str, ratio: f64) -> Option<f64> {
        match self.median_below_one(measure) {
            Some(median) if median <= 0.0 => None,
            Some(median) => Some(ratio / median),
            None => Some(ratio),
        }
    }

    pub(crate) fn median_below_one(&self, measure: &str) -> Option<f64> {
        self.medians.get(measure).copied().filter(|median| *median < 1.0)
    }

    /// Some account got a row of this source within its validity.
    pub fn is_connected(&self, source: Source) -> bool {
        self.connected[source as usize]
    }

    /// The feed guard keeps some source's rules back tonight.
    pub fn withholds(&self) -> bool {
        self.withheld.contains(&true)
    }

    /// The feed guard keeps this source's rules back tonight, for every account.
    pub fn is_withheld(&self, source: Source) -> bool {
        self.withheld[source as usize]
    }
}

fn own_trends(policy: &Policy) -> Vec<(usize, &str)> {
    let measures = policy.measures.iter().enumerate();
    let trends = measures.filter(|(_, (_, measure))| measure.aggregate == Aggregate::Trend);
    trends.map(|(index, (name, _))| (index, name.as_str())).filter(|(_, name)| !USAGE_MEASURES.contains(name)).collect()
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(*values.get(values.len() / 2 - 1)?, upper)) }
}

struct Guard {
    silent: [u32; 6],
    had: [u32; 6],
    /// What each account has tonight, and what it had.
    accounts: BTreeMap<AccountId, (u16, u16)>,
}

impl Guard {
    fn count(&mut self, evidence: &Evidence, previous: Option<&NightState>) {
        let mut now = 0_u16;
        for source in Source::ALL.into_iter().filter(|source| evidence.feed(*source).live) {
            now |= live_bit(source);
        }
        let had = previous.and_then(|night| night.accounts.get(&evidence.account_id)).copied().unwrap_or(0);
        let mut turned_zero = false;
        for measure in 0..USAGE_MEASURES.len() {
            match evidence.usage_level(measure) {
                Some(level) if level > 0.0 => now |= level_bit(measure),
                Some(_) => turned_zero |= had & level_bit(measure) != 0,
                None => {}
            }
        }
        for source in Source::ALL.into_iter().filter(|source| had & live_bit(*source) != 0) {
            self.had[source as usize] += 1;
            let gone = now & live_bit(source) == 0 || (source == Source::Usage && turned_zero);
            self.silent[source as usize] += u32::from(gone);
        }
        self.accounts.insert(evidence.account_id.clone(), (now, had));
    }

    fn close(
        self,
        mut connected: [bool; 6],
        medians: BTreeMap<String, f64>,
        previous: Option<&NightState>,
        policy: &Policy,
        date: NaiveDate,
    ) -> Book {
        let mut withheld = [false; 6];
        let mut guard_events = Vec::new();
        let mut guards = BTreeMap::new();
        let mut keep = 0_u16;
        for source in Source::ALL {
            let (silent, had) = (self.silent[source as usize], self.had[source as usize]);
            let event = |change| GuardEvent { source, change, silent, had };
            let trips =
                silent >= policy.guard.accounts.max(1) && f64::from(silent) > policy.guard.share * f64::from(had);
            let raised = previous.and_then(|night| night.guards.get(&source)).copied();
            let since = raised.unwrap_or(date);
            match (trips, raised) {
                (true, Some(since)) if (date - since).num_days() > i64::from(policy.guard.days_at_most) => {
                    guard_events.push(event(GuardChange::GivenUp));
                }
                (true, _) => {
                    if raised.is_none() {
                        guard_events.push(event(GuardChange::Raised));
                    }
                    withheld[source as usize] = true;
                    // The accounts' previous values stand, so the source still counts.
                    connected[source as usize] = true;
                    guards.insert(source, since);
                    keep |= live_bit(source);
                }
                (false, Some(_)) => guard_events.push(event(GuardChange::Recovered)),
                (false, None) => {}
            }
        }
        if keep & live_bit(Source::Usage) != 0 {
            keep |= (0..USAGE_MEASURES.len()).fold(0, |bits, measure| bits | level_bit(measure));
        }
        let accounts = self.accounts.into_iter().map(|(id, (now, had))| (id, now | (had & keep))).collect();
        Book { connected, withheld, medians, guard_events, state: NightState { date, accounts, guards } }
    }
}
