//! Who was a customer when, at which ARR, and the figures of keeping them.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::decisions::{self, Decision, Ended, Imported, Win};
use super::period::Span;
use super::{AccountFact, Facts, Figure, FigureId, Value, share};
use crate::domain::account::AccountId;
use crate::domain::digest::{Rates, Sum};
use crate::domain::message::phrase::count;
use crate::domain::money::Money;
use crate::domain::row::OutcomeKind;

/// Each account with its decisions, and the won windows that no outcome books.
pub struct Ledger<'a> {
    pub(super) lines: Vec<Line<'a>>,
}

pub(super) struct Line<'a> {
    pub(super) account: &'a AccountFact,
    /// The earliest first.
    pub(super) decisions: Vec<Decision>,
    pub(super) wins: Vec<&'a Win>,
}

/// The customers of a span's start, with their ARR then and at its end, in the organisation's minor units.
#[derive(Debug, Default)]
pub(super) struct Cohort {
    pub(super) customers: usize,
    pub(super) left: usize,
    pub(super) start: i64,
    /// Each account at most at its start.
    pub(super) kept: i64,
    pub(super) end: i64,
    /// Counted without a start date, so taken for customers of before.
    pub(super) undated: usize,
    /// Have left, nobody knows when.
    pub(super) left_undated: usize,
    /// Left out of the money: ARR or its change is not known, or has no rate.
    pub(super) unknown: usize,
    pub(super) unrated: usize,
}

impl<'a> Ledger<'a> {
    pub fn new(accounts: &'a [AccountFact], imported: &'a [Imported], ended: &'a [Ended], wins: &'a [Win]) -> Self {
        let imported = by_account(imported, |outcome| &outcome.account);
        let ended = by_account(ended, |end| &end.account);
        let wins = by_account(wins, |win| &win.account);
        let lines = accounts.iter().map(|account| {
            let outcomes = imported.get(&account.id).map_or(&[][..], Vec::as_slice);
            let clicked = ended.get(&account.id).map_or(&[][..], Vec::as_slice);
            let won = wins.get(&account.id).into_iter().flatten().copied();
            let decisions = decisions::of_account(account, outcomes, clicked);
            Line { account, wins: won.filter(|win| !decisions::is_booked(win, &decisions)).collect(), decisions }
        });
        Self { lines: lines.collect() }
    }

    pub(super) fn cohort(&self, span: Span, rates: &Rates) -> Cohort {
        let mut cohort = Cohort::default();
        for line in &self.lines {
            if line.left_undated() {
                cohort.left_undated += 1;
                continue;
            }
            if !line.is_customer_before(span.first) {
                continue;
            }
            cohort.customers += 1;
            cohort.undated += usize::from(line.account.start_date.is_none());
            let left = !line.is_customer_before(span.end());
            cohort.left += usize::from(left);
            let (Some(start), Some(end)) = (line.arr_before(span.first), line.arr_before(span.end())) else {
                cohort.unknown += 1;
                continue;
            };
            let won = line.wins.iter().filter(|win| !left && span.contains(win.on)).filter_map(|win| win.amount);
            let won: Option<Vec<i64>> = won.map(|amount| own(rates, amount)).collect();
            let (Some(start), Some(end), Some(won)) = (own(rates, start), own(rates, end), won) else {
                cohort.unrated += 1;
                continue;
            };
            cohort.start = cohort.start.saturating_add(start);
            cohort.kept = cohort.kept.saturating_add(end.min(start));
            cohort.end = won.into_iter().fold(cohort.end.saturating_add(end), i64::saturating_add);
        }
        cohort
    }
}

impl Line<'_> {
    /// Its status says that it has left and no decision says when.
    fn left_undated(&self) -> bool {
        !self.account.is_active() && self.decisions.iter().all(|decision| decision.kind != OutcomeKind::Churned)
    }

    /// Whether it was a customer when this day began.
    fn is_customer_before(&self, day: NaiveDate) -> bool {
        let began = self.account.start_date.is_none_or(|start| start < day);
        let last = self.decisions.iter().rev().find(|decision| decision.on < day);
        began && last.is_none_or(|decision| decision.kind != OutcomeKind::Churned)
    }

    /// ARR when this day began: what the last decision before it left, else what the next one found, else what
    /// the account has now.
    pub(super) fn arr_before(&self, day: NaiveDate) -> Option<Money> {
        let (past, coming) = self.decisions.split_at(self.decisions.partition_point(|decision| decision.on < day));
        if let Some(last) = past.last() {
            if last.kind == OutcomeKind::Churned {
                let currency = self.account.arr.or(last.before).map(|arr| arr.currency)?;
                return Some(Money::new(0, currency));
            }
            if last.after.is_some() {
                return last.after;
            }
        }
        for next in coming {
            match next.kind {
                _ if next.before.is_some() => return next.before,
                // Renewed without an amount: it changed nothing, so look further.
                OutcomeKind::Renewed => {}
                // A loss that names no amount lost what the account has.
                OutcomeKind::Churned => return self.account.arr,
                OutcomeKind::Contracted | OutcomeKind::Expanded => return None,
            }
        }
        self.account.arr
    }
}

/// Minor units of the organisation's currency; `None` without a rate.
pub(super) fn own(rates: &Rates, money: Money) -> Option<i64> {
    rates.own(money).map(|own| own.minor)
}

fn by_account<T>(rows: &[T], account: impl Fn(&T) -> &AccountId) -> BTreeMap<AccountId, Vec<&T>> {
    let mut map: BTreeMap<AccountId, Vec<&T>> = BTreeMap::new();
    for row in rows {
        map.entry(account(row).clone()).or_default().push(row);
    }
    map
}

pub(super) const NOBODY: &str = "there was no customer when the period began";

pub(super) fn figures(facts: &Facts, ledger: &Ledger<'_>) -> Vec<Figure> {
    let cohort = ledger.cohort(facts.span, &facts.rates);
    let (kept, left) = (cohort.customers - cohort.left, cohort.left);
    let of_all = |part: usize| kept_at_all(facts).and_then(|()| share(part as f64, cohort.customers as f64, NOBODY));
    vec![
        dated(Figure::of(FigureId::CustomerRetention, of_all(kept)), &cohort),
        dated(Figure::of(FigureId::Churn, of_all(left)), &cohort),
        money(Figure::of(FigureId::GrossRetention, retained(facts, &cohort, cohort.kept)), &cohort),
        lifetime_value(facts, ledger),
    ]
}

/// Figures of what became of customers need to be told.
pub(super) fn kept_at_all(facts: &Facts) -> Result<(), String> {
    if facts.outcomes_kept {
        Ok(())
    } else {
        Err("no outcome is imported, and no renewal or won window ended in Tandem".to_owned())
    }
}

pub(super) fn retained(facts: &Facts, cohort: &Cohort, part: i64) -> Result<Value, String> {
    kept_at_all(facts)?;
    let without = if cohort.customers == 0 { NOBODY } else { "no ARR is known of the customers of the period's start" };
    share(part as f64, cohort.start as f64, without)
}

fn dated(figure: Figure, cohort: &Cohort) -> Figure {
    figure
        .note(cohort.undated, |n| {
            format!("Counted as customers of before: {} without a start date.", count(n, "account"))
        })
        .note(cohort.left_undated, |n| format!("Left out: {} that left at an unknown date.", count(n, "account")))
}

pub(super) fn money(figure: Figure, cohort: &Cohort) -> Figure {
    figure
        .note(cohort.unknown, |n| format!("Left out: {} without a known ARR.", count(n, "account")))
        .note(cohort.unrated, |n| format!("Left out: {} in a currency without a rate.", count(n, "account")))
        .note(cohort.left_undated, |n| format!("Left out: {} that left at an unknown date.", count(n, "account")))
}

/// ARR and cost to serve of active accounts that have both, in the organisation's minor units.
pub(super) struct Margin {
    pub(super) arr: i64,
    pub(super) cost: i64,
    /// Left out.
    pub(super) without: usize,
}

impl Margin {
    pub(super) fn of(accounts: &[AccountFact], rates: &Rates) -> Self {
        let mut margin = Self { arr: 0, cost: 0, without: 0 };
        for account in accounts.iter().filter(|account| account.is_active()) {
            let both = account.arr.zip(account.cost_to_serve);
            match both.and_then(|(arr, cost)| Some((own(rates, arr)?, own(rates, cost)?))) {
                Some((arr, cost)) => {
                    margin.arr = margin.arr.saturating_add(arr);
                    margin.cost = margin.cost.saturating_add(cost);
                }
                None => margin.without += 1,
            }
        }
        margin
    }

    pub(super) fn share(&self) -> Result<f64, String> {
        if self.arr > 0 {
            Ok((self.arr.saturating_sub(self.cost)) as f64 / self.arr as f64)
        } else {
            Err("no active account has both ARR and cost_to_serve".to_owned())
        }
    }
}

fn lifetime_value(facts: &Facts, ledger: &Ledger<'_>) -> Figure {
    let year = Span {
        first: facts.span.end().checked_sub_days(Days::new(365)).unwrap_or(NaiveDate::MIN),
        last: facts.span.last,
    };
    let cohort = ledger.cohort(year, &facts.rates);
    let margin = Margin::of(&facts.accounts, &facts.rates);
    let arrs = facts.accounts.iter().filter(|account| account.is_active()).filter_map(|account| account.arr);
    let arrs: Vec<i64> = arrs.filter_map(|arr| own(&facts.rates, arr)).collect();
    let value = margin.share().and_then(|margin| {
        kept_at_all(facts)?;
        if cohort.customers == 0 {
            return Err("no customer has been here for 12 months".to_owned());
        }
        if cohort.left == 0 {
            return Err("nobody left in the last 12 months, so a lifetime has no end to reckon with".to_owned());
        }
        if arrs.is_empty() {
            return Err("no active account has an ARR".to_owned());
        }
        let average = arrs.iter().map(|minor| *minor as f64).sum::<f64>() / arrs.len() as f64;
        let churn = cohort.left as f64 / cohort.customers as f64;
        let one = Money::new(1, facts.rates.own);
        Ok(Value::Money(Sum::of([one.scale(average * margin / churn)], &facts.rates)))
    });
    Figure::of(FigureId::LifetimeValue, value).note(margin.without, |n| {
        format!("Left out of the margin: {} without ARR or cost to serve.", count(n, "account"))
    })
}
