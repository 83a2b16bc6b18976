//! Sums over money of several currencies, and what a morning counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Card, CardRef};
use crate::domain::money::{Currency, Money};

/// What one unit of a currency is worth in the organisation's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    pub own: Currency,
    /// Positive and finite; anything else counts as no rate.
    pub per_unit: BTreeMap<Currency, f64>,
}

impl Rates {
    pub fn new(own: Currency, per_unit: BTreeMap<Currency, f64>) -> Self {
        Self { own, per_unit }
    }

    fn rate(&self, currency: Currency) -> Option<f64> {
        if currency == self.own {
            return Some(1.0);
        }
        self.per_unit.get(&currency).copied().filter(|rate| rate.is_finite() && *rate > 0.0)
    }

    /// Major units of the organisation's currency; `None` without a rate.
    pub fn major(&self, money: Money) -> Option<f64> {
        // Amounts beyond 2^53 minor units are outside any real ARR.
        let major = money.minor as f64 / 10_f64.powi(money.currency.exponent().cast_signed());
        self.rate(money.currency).map(|rate| major * rate)
    }

    /// In the organisation's currency, rounded to its minor unit; `None` without a rate.
    pub fn own(&self, money: Money) -> Option<Money> {
        if money.currency == self.own {
            return Some(money);
        }
        self.major(money).map(|major| Money::new(10_i64.pow(self.own.exponent()), self.own).scale(major))
    }
}

/// Money of several currencies: what has a rate is one amount, the rest stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    pub own: Money,
    /// Without a rate, so not added, in minor units.
    pub unrated: BTreeMap<Currency, i64>,
}

impl Sum {
    pub fn of(amounts: impl IntoIterator<Item = Money>, rates: &Rates) -> Self {
        let mut sum = Self { own: Money::new(0, rates.own), unrated: BTreeMap::new() };
        for amount in amounts {
            match rates.own(amount) {
                Some(own) => sum.own.minor = sum.own.minor.saturating_add(own.minor),
                None => {
                    let beside = sum.unrated.entry(amount.currency).or_default();
                    *beside = beside.saturating_add(amount.minor);
                }
            }
        }
        sum
    }

    /// The amounts to be said: the sum, unless it is nothing, then what has no rate.
    pub fn amounts(&self) -> Vec<Money> {
        let own = (self.own.minor != 0).then_some(self.own);
        own.into_iter().chain(self.unrated.iter().map(|(currency, minor)| Money::new(*minor, *currency))).collect()
    }
}

/// "€410k", "€410k and CHF 9k"; "€0" where there is nothing.
impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said: Vec<String> = self.amounts().iter().map(Money::to_string).collect();
        if said.is_empty() { self.own.fmt(f) } else { f.write_str(&said.join(" and ")) }
    }
}

/// What a morning counts, over everything that belongs to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Accounts with an open risk.
    pub at_risk: usize,
    /// Of those, the ones that somebody has acknowledged.
    pub in_hand: usize,
    /// Their ARR.
    pub arr: Sum,
    /// Windows in this person's hands or offered to them, and their amounts.
    pub windows: usize,
    pub amount: Sum,
    pub renewals: usize,
}

impl Totals {
    /// Over cards in their final order.
    pub(super) fn of(cards: &[&Card], rates: &Rates) -> Self {
        let mut at_risk = BTreeSet::new();
        let (mut arr, mut amounts) = (Vec::new(), Vec::new());
        let (mut in_hand, mut windows, mut renewals) = (0, 0, 0);
        for card in cards {
            match card.about {
                CardRef::Risk(_) => {
                    if at_risk.insert(&card.account) {
                        arr.extend(card.stake);
                        in_hand += usize::from(card.attention.acknowledged);
                    }
                }
                CardRef::Window(_) => {
                    windows += 1;
                    amounts.extend(card.stake);
                }
                // Nothing to sell, and its account counts where its risk does.
                CardRef::Handed(_) => {}
                CardRef::Renewal(_) => renewals += 1,
            }
        }
        let (arr, amount) = (Sum::of(arr, rates), Sum::of(amounts, rates));
        Self { at_risk: at_risk.len(), in_hand, arr, windows, amount, renewals }
    }
}
