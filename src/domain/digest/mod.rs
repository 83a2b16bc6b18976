//! What is due in a person's morning, in what order, within the attention budget.
//!
//! # Order
//!
//! Decision signals first; then what has its deadline within
//! [`NEAR_WORKING_DAYS`], since it cannot wait behind more money with more time;
//! within each by score, the highest first; then by the nearer deadline; then by
//! account, kind and id, so that the order is total.
//!
//! score = at stake × nearness
//!
//! - *At stake*, in the organisation's currency: of a risk, also one that was handed
//!   over, risk ÷ 100 × ARR (an unknown risk counts as 50: not measured is never
//!   green); of a window, its amount; of a renewal, ARR × the larger of risk ÷ 100 and
//!   [`RENEWAL_FLOOR`], since even a healthy contract does not renew itself.
//! - *Nearness*: 2 on the day of the next deadline, falling evenly to 1 at
//!   [`LADDER_DAYS`] before it and beyond; 2 where the deadline has passed.
//!
//! What has no amount, or is in a currency without a rate, stands last within
//! its tier and is counted in no sum: a rate is never guessed.
//!
//! # One card an account
//!
//! An account has one card, at the place of the weightiest of its matters that is due; it carries with it all else
//! that this person has open there. So the budget counts accounts.
//!
//! # Budget
//!
//! Outside the budget: what a person or routing offered to this person or
//! their pool, and decision signals. Cards of the organisation's first night
//! (`backlog`) always stay within it: a first diagnosis is a backlog, not 300
//! alarms. What is due but does not fit is one line an account in the rest, and
//! no account with something due is ever lost between the two.

mod totals;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use uuid::Uuid;

use super::account::AccountId;
use super::angle::Angle;
use super::calendar::WorkCalendar;
use super::money::Money;

pub use totals::{Rates, Sum, Totals};

/// Of a healthy renewal, this part of the ARR is counted as at stake.
pub const RENEWAL_FLOOR: f64 = 0.1;

/// Deadlines weigh from the first step of the renewal ladder on.
pub const LADDER_DAYS: i64 = 180;

/// A deadline so few working days ahead is at stake today, whatever else is.
pub const NEAR_WORKING_DAYS: u32 = 5;

/// Shown and not acknowledged, a card comes again after so many working days (product.md, "Due").
pub const AGAIN_AFTER_WORKING_DAYS: u32 = 5;

/// The most cards a person gets in one digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget(pub usize);

impl Default for Budget {
    fn default() -> Self {
        Self(5)
    }
}

/// What a card is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardRef {
    Risk(Uuid),
    /// A handoff of an expansion window.
    Window(Uuid),
    /// A handoff of a risk to weigh, or of a warning.
    Handed(Uuid),
    Renewal(Uuid),
}

/// Something open that could stand in a person's morning: what is snoozed or
/// ended makes no card. `None` is "not known".
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    pub about: CardRef,
    pub account: AccountId,
    pub name: String,
    /// What is at stake before it is weighed: the ARR; of a window its amount.
    pub stake: Option<Money>,
    /// 0–100.
    pub risk: Option<u8>,
    /// What was decided, in words that follow the account's name ("served
    /// notice"); `None` without a decision signal.
    pub decision: Option<String>,
    /// The next future deadline.
    pub next_deadline: Option<NaiveDate>,
    /// The rule of the first cause, the window's kind, or the renewal's step: what the rest is grouped by.
    pub cause: String,
    /// This person is the accountable one, or is asked for something (the value brief).
    pub mine: bool,
    /// A person or routing has offered it to this person or their pool.
    pub offered: bool,
    /// Withheld by the health gate: no card of its own, and a line to whoever sells.
    pub withheld: bool,
    /// Made by the organisation's first diagnosis.
    pub backlog: bool,
    pub attention: Attention,
}

/// What decides whether a card is shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attention {
    /// The last digest of this person, before today's, that had it as a card (not as a line of the rest).
    pub last_shown: Option<NaiveDate>,
    pub acknowledged: bool,
    /// The next step's date; of a handoff, the date its clock ends.
    pub next_step: Option<NaiveDate>,
    /// When the last step of the renewal ladder was reached.
    pub step_reached: Option<NaiveDate>,
    /// The latest night on which the account got worse.
    pub worse: Option<NaiveDate>,
    /// The day on which it began to wait for an answer: opened, woken or reopened.
    pub open_since: Option<NaiveDate>,
}

/// Why a card is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Due {
    New,
    Worse,
    Step,
    NextStep,
    /// Its snooze is over, or it was reopened, since it was last shown.
    Back,
    /// Shown [`AGAIN_AFTER_WORKING_DAYS`] ago and not acknowledged, or its next step is that much overdue.
    Unanswered,
}

/// A person's morning.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In reading order, one an account.
    pub cards: Vec<Shown>,
    /// Due, but beyond the budget: one line an account.
    pub rest: Vec<Group>,
    /// What the health gate keeps from the account manager's list, in the same
    /// order: said in a line ("withheld: cause, who handles it, since when"). Where the account has a card, that
    /// says it.
    pub withheld: Vec<CardRef>,
    /// Over everything that belongs to this person, also what is silent today.
    pub totals: Totals,
}

/// The one card of an account: all that this person has open there.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// A decision signal, else what waits for this person's answer, else the weightiest of what is due.
    pub lead: (CardRef, Due),
    /// The rest in the same order; without a reason what would be silent alone.
    pub others: Vec<(CardRef, Option<Due>)>,
}

/// Lines of the rest that have one cause; the group with the weightiest line first.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub cause: String,
    pub items: Vec<Item>,
    /// When the first of them comes back.
    pub comes_back: NaiveDate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub about: CardRef,
    pub account: AccountId,
    pub name: String,
    pub stake: Option<Money>,
    pub due: Due,
    /// The working day on which its turn comes, as far as today's queue says.
    pub comes_back: NaiveDate,
}

impl Angle {
    /// Whether a card belongs to this side.
    ///
    /// What a person is accountable for, or was offered, always does, except
    /// what is withheld and not theirs to work. Beside that: the CSM gets risks;
    /// the account manager gets renewals, windows, and risks before deadlines
    /// (within [`LADDER_DAYS`]) or with a decision signal.
    pub fn shows(self, card: &Card, today: NaiveDate) -> bool {
        if card.mine || card.offered {
            return !self.withholds(card);
        }
        let near = card.next_deadline.is_some_and(|deadline| (deadline - today).num_days() <= LADDER_DAYS);
        match (card.about, self) {
            (CardRef::Risk(_), Angle::Csm | Angle::Both) => true,
            (CardRef::Risk(_), Angle::AccountManager) => near || card.decision.is_some(),
            (CardRef::Window(_) | CardRef::Handed(_), Angle::Csm | Angle::AccountManager | Angle::Both) => false,
            (CardRef::Renewal(_), Angle::Csm) => false,
            (CardRef::Renewal(_), Angle::AccountManager | Angle::Both) => true,
        }
    }

    fn withholds(self, card: &Card) -> bool {
        self != Angle::Csm && card.withheld && (card.mine || card.offered)
    }
}

impl Card {
    /// Whether it is due on this day, and why. While a window is withheld no clock of it runs, and it is not.
    fn due(&self, today: NaiveDate, calendar: &WorkCalendar<'_>) -> Option<Due> {
        self.attention.due(today, calendar).filter(|_| !self.withheld)
    }
}

impl Attention {
    /// Whether it is due on this day, and why; `None` is silence.
    pub fn due(&self, today: NaiveDate, calendar: &WorkCalendar<'_>) -> Option<Due> {
        let Some(shown) = self.last_shown else { return Some(Due::New) };
        let since = |date: Option<NaiveDate>| date.is_some_and(|date| shown < date && date <= today);
        if since(self.worse) {
            return Some(Due::Worse);
        }
        if since(self.step_reached) {
            return Some(Due::Step);
        }
        if since(self.next_step) {
            return Some(Due::NextStep);
        }
        if since(self.open_since) {
            return Some(Due::Back);
        }
        // Acknowledged and its step still ahead: silent until then.
        let answered = self.acknowledged && self.next_step.is_none_or(|step| step > today);
        let again = calendar.working_days_between(shown, today) >= AGAIN_AFTER_WORKING_DAYS;
        (!answered && again).then_some(Due::Unanswered)
    }
}

/// Everything that a morning is planned from, beside the cards.
#[derive(Debug, Clone, Copy)]
pub struct Morning<'a> {
    pub today: NaiveDate,
    /// By the person's roles: what of an account is theirs beside that is marked on its cards.
    pub angle: Angle,
    pub budget: Budget,
    pub rates: &'a Rates,
    pub calendar: WorkCalendar<'a>,
}

/// Plans a person's morning from the cards of their book, in any order.
pub fn plan(cards: &[Card], morning: &Morning<'_>) -> Plan {
    let Morning { today, angle, budget, rates, calendar } = morning;
    let mut mine: Vec<&Card> = cards.iter().filter(|card| angle.shows(card, *today)).collect();
    let near = calendar.add_working_days(*today, NEAR_WORKING_DAYS);
    mine.sort_by_cached_key(|card| rank(card, *today, near, rates));
    let mut withheld: Vec<&Card> = cards.iter().filter(|card| angle.withholds(card)).collect();
    withheld.sort_by_cached_key(|card| rank(card, *today, near, rates));

    let mut by_account: BTreeMap<&AccountId, Vec<(&Card, Option<Due>)>> = BTreeMap::new();
    for card in &mine {
        by_account.entry(&card.account).or_default().push((card, card.due(*today, calendar)));
    }
    let (mut shown, mut waiting) = (Vec::new(), Vec::new());
    let mut on_cards: BTreeSet<&AccountId> = BTreeSet::new();
    let mut left = budget.0;
    for card in &mine {
        // At the place of the account's weightiest matter that is due.
        if card.due(*today, calendar).is_none() {
            continue;
        }
        let Some(matters) = by_account.remove(&card.account) else { continue };
        let due = || matters.iter().filter_map(|(card, due)| Some((*card, (*due)?)));
        let outside = due().any(|(card, _)| !card.backlog && (card.offered || card.decision.is_some()));
        let lead = due().find(|(card, _)| card.decision.is_some()).or_else(|| due().find(|(card, _)| card.offered));
        let Some(lead) = lead.or_else(|| due().next()) else { continue };
        if !outside && left == 0 {
            waiting.push(lead);
            continue;
        }
        left -= usize::from(!outside);
        on_cards.insert(&card.account);
        let others = matters.iter().filter(|(card, _)| card.about != lead.0.about);
        let mut others: Vec<_> = others.map(|(card, due)| (card.about, *due)).collect();
        let held = withheld.iter().filter(|held| held.account == card.account);
        others.extend(held.map(|held| (held.about, None)));
        shown.push(Shown { lead: (lead.0.about, lead.1), others });
    }
    let withheld = withheld.iter().filter(|card| !on_cards.contains(&card.account)).map(|card| card.about);
    Plan {
        cards: shown,
        rest: group(waiting, *budget, *today, calendar),
        withheld: withheld.collect(),
        totals: Totals::of(&mine, rates),
    }
}

/// The lines of the rest by cause. Each comes back when its turn in the queue has come, a budget a day.
fn group(waiting: Vec<(&Card, Due)>, budget: Budget, today: NaiveDate, calendar: &WorkCalendar<'_>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut turn = calendar.add_working_days(today, 1);
    let a_day = budget.0.max(1);
    for (n, (card, due)) in waiting.into_iter().enumerate() {
        if n > 0 && n % a_day == 0 {
            turn = calendar.add_working_days(turn, 1);
        }
        let item = Item {
            about: card.about,
            account: card.account.clone(),
            name: card.name.clone(),
            stake: card.stake,
            due,
            comes_back: turn,
        };
        let place = *places.entry(&card.cause).or_insert_with(|| {
            groups.push(Group { cause: card.cause.clone(), items: Vec::new(), comes_back: turn });
            groups.len() - 1
        });
        groups[place].items.push(item);
    }
    groups
}

/// Smaller stands first. Floats are compared through their order-preserving bits.
type Rank = (Tier, std::cmp::Reverse<Option<u64>>, NaiveDate, AccountId, CardRef);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Decision,
    NearDeadline,
    Score,
}

/// `near`: the last day on which a deadline is near.
fn tier(card: &Card, today: NaiveDate, near: NaiveDate) -> Tier {
    match card.next_deadline {
        _ if card.decision.is_some() => Tier::Decision,
        Some(deadline) if (today..=near).contains(&deadline) => Tier::NearDeadline,
        _ => Tier::Score,
    }
}

fn rank(card: &Card, today: NaiveDate, near: NaiveDate, rates: &Rates) -> Rank {
    // The bits of positive floats are ordered as the floats are.
    let score = score(card, today, rates).map(|score| if score > 0.0 { score.to_bits() } else { 0 });
    let deadline = card.next_deadline.unwrap_or(NaiveDate::MAX);
    (tier(card, today, near), std::cmp::Reverse(score), deadline, card.account.clone(), card.about)
}

/// What the order weighs, in the organisation's currency; `None` without an amount or a rate.
pub fn score(card: &Card, today: NaiveDate, rates: &Rates) -> Option<f64> {
    let stake = rates.major(card.stake?)?;
    let risk = f64::from(card.risk.unwrap_or(50)) / 100.0;
    let weight = match card.about {
        CardRef::Risk(_) | CardRef::Handed(_) => risk,
        CardRef::Window(_) => 1.0,
        CardRef::Renewal(_) => risk.max(RENEWAL_FLOOR),
    };
    let nearness = card.next_deadline.map_or(1.0, |deadline| {
        let days = (deadline - today).num_days().clamp(0, LADDER_DAYS);
        // Below 2^53: exact.
        1.0 + (LADDER_DAYS - days) as f64 / LADDER_DAYS as f64
    });
    Some(stake * weight * nearness)
}

#[cfg(test)]
mod tests;
