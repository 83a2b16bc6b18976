//! Each organisation model's known failure, measured (product.md, "Organisation models").

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::trail::{self, Standing, Step, Stretch, What};
use super::{AccountFact, median};
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::handoff::Running;
use crate::domain::routing::Model;

/// Over which `pair` and `combined` are measured.
pub const DAYS: i64 = 30;
/// Over which `asymmetric` is measured: a window is open for so long.
pub const QUIET_DAYS: i64 = 90;
/// What opened in the last days is fresh, not neglected: a detector's five business days.
pub const FRESH_DAYS: i64 = 7;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    Pair(Pair),
    Combined(Combined),
    Asymmetric(Asymmetric),
}

impl Measure {
    pub fn model(&self) -> Model {
        match self {
            Measure::Pair(_) => Model::Pair,
            Measure::Combined(_) => Model::Combined,
            Measure::Asymmetric(_) => Model::Asymmetric,
        }
    }
}

/// Offers of the last [`DAYS`] days; the six parts add up to `offered`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pair {
    pub offered: usize,
    pub in_time: usize,
    pub late: usize,
    pub expired: usize,
    pub declined: usize,
    pub withdrawn: usize,
    pub waiting: usize,
    /// Median hours from being shown to being accepted.
    pub hours_to_accept: Option<f64>,
}

/// What people did in the last [`DAYS`] days, against what is open now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Combined {
    pub value_done: usize,
    pub revenue_done: usize,
    pub value_open: usize,
    pub revenue_open: usize,
}

impl Combined {
    /// Value's part of what was done, `None` where nothing was.
    pub fn done_on_value(&self) -> Option<f64> {
        part(self.value_done, self.revenue_done)
    }

    /// Value's part of what is open, `None` where nothing is.
    pub fn open_on_value(&self) -> Option<f64> {
        part(self.value_open, self.revenue_open)
    }
}

fn part(one: usize, other: usize) -> Option<f64> {
    (one + other > 0).then(|| one as f64 / (one + other) as f64)
}

/// Windows and risks of accounts without an account manager, opened from [`QUIET_DAYS`] to [`FRESH_DAYS`] days ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asymmetric {
    pub windows: usize,
    /// Nobody did anything about them.
    pub windows_untouched: usize,
    pub risks: usize,
    pub risks_untouched: usize,
}

/// What is open now, by account, one entry each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OpenWork {
    pub risks: Vec<AccountId>,
    pub warnings: Vec<AccountId>,
    pub windows: Vec<AccountId>,
    pub renewals: Vec<AccountId>,
    /// Clocks that run.
    pub clocks: BTreeMap<Uuid, Running>,
}

/// The measure of each model in use among these accounts, in the order of models. `steps` reach back [`QUIET_DAYS`].
pub fn measures(
    accounts: &[AccountFact],
    model: impl Fn(&AccountFact) -> Model,
    steps: &[Step],
    open: &OpenWork,
    now: DateTime<Utc>,
) -> Vec<Measure> {
    let mut by_model: BTreeMap<Model, BTreeMap<&AccountId, &AccountFact>> = BTreeMap::new();
    for account in accounts {
        by_model.entry(model(account)).or_default().insert(&account.id, account);
    }
    let measured = by_model.into_iter().map(|(model, accounts)| match model {
        Model::Pair => Measure::Pair(pair(&accounts, steps, open, now)),
        Model::Combined => Measure::Combined(combined(&accounts, steps, open, now)),
        Model::Asymmetric => Measure::Asymmetric(asymmetric(&accounts, steps, now)),
    });
    measured.collect()
}

type Accounts<'a> = BTreeMap<&'a AccountId, &'a AccountFact>;

fn back(now: DateTime<Utc>, days: i64) -> Stretch {
    Stretch { from: now - TimeDelta::days(days), until: now + TimeDelta::seconds(1) }
}

fn pair(accounts: &Accounts<'_>, steps: &[Step], open: &OpenWork, now: DateTime<Utc>) -> Pair {
    let within = back(now, DAYS);
    let mut pair = Pair::default();
    let mut hours = Vec::new();
    for offer in trail::offers(steps, &open.clocks) {
        if !within.contains(offer.at) || !offer.account.as_ref().is_some_and(|id| accounts.contains_key(id)) {
            continue;
        }
        pair.offered += 1;
        *match offer.standing(now) {
            Standing::InTime => &mut pair.in_time,
            Standing::Late => &mut pair.late,
            Standing::Expired => &mut pair.expired,
            Standing::Declined => &mut pair.declined,
            Standing::Withdrawn => &mut pair.withdrawn,
            Standing::Waiting => &mut pair.waiting,
        } += 1;
        hours.extend(offer.hours_to_accept());
    }
    pair.hours_to_accept = median(hours);
    pair
}

/// Which side an action serves: health and what is said of it, or money.
fn serves_value(step: &Step) -> Option<bool> {
    match step.what {
        What::RiskAnswered | What::Noted => Some(true),
        What::RenewalMoved | What::Won | What::Lost | What::Passed | What::Overridden | What::Qualified => Some(false),
        What::Offered | What::Accepted | What::Declined | What::Withdrawn | What::HandedBack => {
            step.about_window.map(|window| !window)
        }
        What::RiskOpened
        | What::RiskEnded
        | What::WindowOpened
        | What::Expired
        | What::Reassigned
        | What::Unoffered
        | What::Closed
        | What::RenewalStep => None,
    }
}

fn combined(accounts: &Accounts<'_>, steps: &[Step], open: &OpenWork, now: DateTime<Utc>) -> Combined {
    let within = back(now, DAYS);
    let ours = |id: &&AccountId| accounts.contains_key(*id);
    let mut combined = Combined {
        value_open: open.risks.iter().chain(&open.warnings).filter(ours).count(),
        revenue_open: open.windows.iter().chain(&open.renewals).filter(ours).count(),
        ..Combined::default()
    };
    let done = steps.iter().filter(|step| {
        step.by.is_some()
            && within.contains(step.at)
            && step.account.as_ref().is_some_and(|id| accounts.contains_key(id))
    });
    for value in done.filter_map(serves_value) {
        *(if value { &mut combined.value_done } else { &mut combined.revenue_done }) += 1;
    }
    combined
}

fn asymmetric(accounts: &Accounts<'_>, steps: &[Step], now: DateTime<Utc>) -> Asymmetric {
    let within = Stretch { from: now - TimeDelta::days(QUIET_DAYS), until: now - TimeDelta::days(FRESH_DAYS) };
    let alone = |id: &Option<AccountId>| {
        let account = id.as_ref().and_then(|id| accounts.get(id));
        account.is_some_and(|account| account.account_manager.is_none())
    };
    let touched: BTreeSet<&Subject> = steps.iter().filter(|step| step.by.is_some()).map(|step| &step.subject).collect();
    let mut asymmetric = Asymmetric::default();
    let mut counted: BTreeSet<&Subject> = BTreeSet::new();
    for step in steps.iter().filter(|step| within.contains(step.at) && alone(&step.account)) {
        let (all, untouched) = match step.what {
            What::WindowOpened => (&mut asymmetric.windows, &mut asymmetric.windows_untouched),
            What::RiskOpened => (&mut asymmetric.risks, &mut asymmetric.risks_untouched),
            _ => continue,
        };
        // A risk that was reopened is one risk.
        if counted.insert(&step.subject) {
            *all += 1;
            *untouched += usize::from(!touched.contains(&step.subject));
        }
    }
    asymmetric
}
