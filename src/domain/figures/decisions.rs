//! What became of contracts: imported outcomes, and what people clicked where
//! no outcome says so yet.
//!
//! - An imported outcome supersedes the end of a renewal in Tandem where it was
//!   decided within half a term of the renewal date (the night's own rule).
//! - An expansion, or a renewal for more (a clicked one too: it holds what was sold
//!   together with it), supersedes the windows won on the account within
//!   [`WIN_DAYS`] days of it, before or after.

use chrono::NaiveDate;
use uuid::Uuid;

use super::AccountFact;
use crate::domain::account::AccountId;
use crate::domain::diagnosis::WindowKind;
use crate::domain::money::Money;
use crate::domain::renewal::half_term;
use crate::domain::row::OutcomeKind;

/// How far a won window and the decision that books it may lie apart: one quarter.
pub const WIN_DAYS: i64 = 90;

/// An imported outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    pub account: AccountId,
    pub on: NaiveDate,
    pub kind: OutcomeKind,
    pub before: Option<Money>,
    pub after: Option<Money>,
}

/// A renewal that ended in Tandem: the last word that the audit trail has of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    pub renewal: Uuid,
    pub account: AccountId,
    pub on: NaiveDate,
    /// Renewed, contracted or churned (lost).
    pub kind: OutcomeKind,
    /// The contract's own date; `None` where an older event does not say.
    pub renewal_date: Option<NaiveDate>,
    pub before: Option<Money>,
    pub after: Option<Money>,
}

/// A window that somebody clicked *Won* on.
#[derive(Debug, Clone, PartialEq)]
pub struct Win {
    pub handoff: Uuid,
    pub account: AccountId,
    pub on: NaiveDate,
    pub kind: Option<WindowKind>,
    pub amount: Option<Money>,
}

/// One decision about an account, as the figures count it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub on: NaiveDate,
    pub kind: OutcomeKind,
    pub before: Option<Money>,
    /// Nothing, after a loss.
    pub after: Option<Money>,
}

impl Decision {
    /// A renewal that names one amount, or none, changed nothing; whoever has left pays nothing.
    fn new(on: NaiveDate, kind: OutcomeKind, before: Option<Money>, after: Option<Money>) -> Self {
        let (before, after) = match kind {
            OutcomeKind::Churned => (before, before.map(|before| Money::new(0, before.currency))),
            OutcomeKind::Renewed => (before.or(after), after.or(before)),
            OutcomeKind::Contracted | OutcomeKind::Expanded => (before, after),
        };
        Self { on, kind, before, after }
    }

    /// ARR that was added; `None` where it was not, or an amount is missing, or the currency changed.
    pub fn added(&self) -> Option<Money> {
        let (before, after) = (self.before?, self.after?);
        let added = after.checked_add(Money::new(before.minor.checked_neg()?, before.currency))?;
        (added.minor > 0).then_some(added)
    }

    pub fn ends_the_term(&self) -> bool {
        self.kind != OutcomeKind::Expanded
    }
}

/// The decisions about one account, the earliest first.
pub(super) fn of_account(account: &AccountFact, imported: &[&Imported], ended: &[&Ended]) -> Vec<Decision> {
    let months = account.term_months.unwrap_or(12);
    let superseded = |end: &Ended| {
        let around = end.renewal_date.unwrap_or(end.on);
        let half = half_term(around, months);
        imported.iter().any(|outcome| {
            outcome.kind != OutcomeKind::Expanded && around - half < outcome.on && outcome.on <= around + half
        })
    };
    let clicked = ended.iter().filter(|end| !superseded(end));
    let clicked = clicked.map(|end| Decision::new(end.on, end.kind, end.before, end.after));
    let imported =
        imported.iter().map(|outcome| Decision::new(outcome.on, outcome.kind, outcome.before, outcome.after));
    let mut decisions: Vec<Decision> = imported.chain(clicked).collect();
    decisions.sort_by_key(|decision| decision.on);
    decisions
}

/// Whether a decision books this won window: one that was imported, or the renewal that it was sold together with.
pub(super) fn is_booked(win: &Win, decisions: &[Decision]) -> bool {
    decisions.iter().any(|decision| {
        let near = (decision.on - win.on).num_days().abs() <= WIN_DAYS;
        let grew = decision.kind == OutcomeKind::Renewed && decision.added().is_some();
        near && (decision.kind == OutcomeKind::Expanded || grew)
    })
}
