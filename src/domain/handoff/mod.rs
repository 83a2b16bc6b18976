//! The passing of a window or a risk between people, as a state machine by value.
//!
//! `detected → qualified → offered → accepted → won | lost`; an offer that is
//! declined or that nobody took in time goes back to the one who made it (to
//! the lead where a rule had). In every open state exactly one person is
//! accountable. Every accepted move raises the version by one; a refused one
//! says what is there instead, so that a stale click can be answered.
//!
//! Who may make a move is `routing::access` and the caller's business; here
//! stands only which moves there are.

mod moves;
mod record;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::AccountId;
use super::diagnosis::{FoundWindow, WindowKind};
use super::money::Money;
use super::person::{PersonId, Role};
use super::routing::{Routed, Seat, Start};

pub use super::record::Present;
pub use super::timer::Timer;
pub use record::HandoffRecord;

/// After a pass or a loss the same evidence opens no window for so many days (product.md, "Expansion windows").
pub const QUIET_DAYS: u64 = 90;

/// How long each side has, in business days of the person who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// A detected window with its detector before it is offered, not qualified.
    pub hold_business_days: u32,
    /// An offer before it expires; and how long whoever is asked "still on it?" has to answer.
    pub accept_business_days: u32,
}

impl Default for Clocks {
    fn default() -> Self {
        Self { hold_business_days: 5, accept_business_days: 2 }
    }
}

/// What passes from hand to hand.
#[derive(Debug, Clone, PartialEq)]
pub enum Matter {
    Window(Window),
    /// A CSM asks the account manager to weigh a risk commercially.
    RiskToWeigh {
        risk: Uuid,
        note: String,
    },
    /// An account manager warns the CSM ("budget cut").
    Warning {
        note: String,
    },
}

/// What a risk to weigh and a warning are called, which have no kind.
pub const RISK_TO_WEIGH: &str = "risk to weigh commercially";
pub const WARNING: &str = "warning";

impl Matter {
    /// "more seats", "risk to weigh commercially".
    pub fn label(&self) -> &'static str {
        match self {
            Matter::Window(window) => window.kind.label(),
            Matter::RiskToWeigh { .. } => RISK_TO_WEIGH,
            Matter::Warning { .. } => WARNING,
        }
    }

    /// Who gets it next: warnings go to the CSM, the rest to the account manager or their pool.
    pub fn counterpart(&self, routed: &Routed) -> Option<Seat> {
        match self {
            Matter::Window(_) | Matter::RiskToWeigh { .. } => Some(routed.account_manager.clone()),
            Matter::Warning { .. } => routed.csm.map(Seat::Person),
        }
    }
}

/// An expansion window's facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    pub kind: WindowKind,
    pub reason: String,
    /// An estimate until a person gives one; `None` without a known ARR.
    pub amount: Option<Money>,
    /// Given by whoever raised or qualified it.
    pub amount_confirmed: bool,
    pub opens_on: NaiveDate,
    /// The last day on which it is open.
    pub closes_on: NaiveDate,
    /// To be sold together with the renewal.
    pub co_term: bool,
    /// `None` where a rule found it.
    pub raised_by: Option<PersonId>,
}

impl Window {
    /// Whether nobody has named the amount.
    pub fn is_estimated(&self) -> bool {
        !self.amount_confirmed
    }
}

impl From<&FoundWindow> for Window {
    fn from(found: &FoundWindow) -> Self {
        let amount = found.amount.zip(found.currency).map(|(major, currency)| {
            // `scale` rounds to the minor unit and saturates.
            Money::new(10_i64.pow(currency.exponent()), currency).scale(major)
        });
        Self {
            kind: found.kind,
            reason: found.reason.clone(),
            amount,
            opens_on: found.opens_on,
            closes_on: found.closes_on,
            co_term: found.co_term,
            amount_confirmed: false,
            raised_by: None,
        }
    }
}

/// What makes a window a CSQL: need, contact and timing, each confirmed by a CSM. None is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualification {
    need: String,
    contact: String,
    timing: String,
    /// Who and when; not known of what was qualified before this was kept.
    confirmed: Option<(PersonId, DateTime<Utc>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is missing: a qualified lead needs need, contact and timing")]
pub struct Unqualified(pub &'static str);

impl Qualification {
    pub fn new(need: &str, contact: &str, timing: &str) -> Result<Self, Unqualified> {
        let filled = |name, text: &str| {
            let text = text.trim();
            if text.is_empty() { Err(Unqualified(name)) } else { Ok(text.to_owned()) }
        };
        Ok(Self {
            need: filled("need", need)?,
            contact: filled("contact", contact)?,
            timing: filled("timing", timing)?,
            confirmed: None,
        })
    }

    #[must_use]
    pub fn confirmed_by(self, by: PersonId, at: DateTime<Utc>) -> Self {
        Self { confirmed: Some((by, at)), ..self }
    }

    pub fn need(&self) -> &str {
        &self.need
    }

    pub fn contact(&self) -> &str {
        &self.contact
    }

    pub fn timing(&self) -> &str {
        &self.timing
    }

    /// Who confirmed it, and when; `None` where that was not kept.
    pub fn confirmed(&self) -> Option<(PersonId, DateTime<Utc>)> {
        self.confirmed
    }
}

/// A clock that runs, as the audit trail keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// When who must act was shown it.
    pub since: DateTime<Utc>,
    pub due: DateTime<Utc>,
}

/// Why it came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Return {
    Declined {
        by: PersonId,
        reason: String,
    },
    /// Nobody took it in time.
    Expired {
        late: PersonId,
    },
    HandedBack {
        by: PersonId,
        note: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Found by a rule or raised, with the CSM who stands in as the detector.
    Detected {
        holder: PersonId,
    },
    Qualified {
        holder: PersonId,
    },
    Offered {
        to: Seat,
        /// `None` where a rule or a clock offered it.
        from: Option<PersonId>,
    },
    Accepted {
        by: PersonId,
        from: Option<PersonId>,
    },
    /// Declined, expired or handed back: with who made the offer, else with the lead.
    Returned {
        holder: PersonId,
        how: Return,
    },
    Won {
        by: PersonId,
        amount: Option<Money>,
    },
    Lost {
        by: PersonId,
        reason: String,
    },
    /// Closed by its holder.
    Passed {
        by: PersonId,
        reason: String,
    },
    Withdrawn {
        by: PersonId,
    },
    /// Its dates are over, or its account has left.
    Closed {
        reason: String,
    },
}

/// On an account at risk a window is withheld from the account manager's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    Open,
    Withheld {
        rule: String,
        since: DateTime<Utc>,
    },
    /// Worked on in spite of the risk; stands until the account has recovered.
    Overridden {
        by: PersonId,
        at: DateTime<Utc>,
        reason: String,
    },
}

/// One handoff. The fields that the rules of this module guard are read through methods.
#[derive(Debug, Clone, PartialEq)]
pub struct Handoff {
    pub id: Uuid,
    pub account: AccountId,
    pub matter: Matter,
    state: State,
    gate: Gate,
    /// Set once a CSM has confirmed it; only then is it a CSQL.
    qualification: Option<Qualification>,
    /// One person holds both roles: whoever detects may accept.
    solo: bool,
    /// Who is away and gets it back on their return; whoever is accountable stands in for them.
    stands_in_for: Option<PersonId>,
    /// Of the present state, with whoever is accountable now.
    timer: Timer,
    /// When the present state began; who holds it may have changed since.
    since: DateTime<Utc>,
    /// 1 when made, one more with each accepted move: the store's guard against lost updates.
    version: i32,
}

/// What the audit trail and the other side hear (product.md, "Audit events").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HandoffEvent {
    WindowOpened,
    WindowPassed,
    WindowClosed,
    WindowOverridden,
    Detected,
    Qualified,
    Offered,
    Accepted,
    Declined,
    Expired,
    Withdrawn,
    HandedBack,
    Won,
    Lost,
    Reassigned,
}

impl HandoffEvent {
    pub fn as_str(self) -> &'static str {
        match self {
            HandoffEvent::WindowOpened => "window.opened",
            HandoffEvent::WindowPassed => "window.passed",
            HandoffEvent::WindowClosed => "window.closed",
            HandoffEvent::WindowOverridden => "window.overridden",
            HandoffEvent::Detected => "handoff.detected",
            HandoffEvent::Qualified => "handoff.qualified",
            HandoffEvent::Offered => "handoff.offered",
            HandoffEvent::Accepted => "handoff.accepted",
            HandoffEvent::Declined => "handoff.declined",
            HandoffEvent::Expired => "handoff.expired",
            HandoffEvent::Withdrawn => "handoff.withdrawn",
            HandoffEvent::HandedBack => "handoff.handed_back",
            HandoffEvent::Won => "handoff.won",
            HandoffEvent::Lost => "handoff.lost",
            HandoffEvent::Reassigned => "handoff.reassigned",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The move does not fit the present state: stale, repeated, or lost a race.
    #[error("it is already {}", .0.state)]
    Present(Present),
    #[error("it is withheld because of {rule}; an override needs a reason")]
    Withheld { rule: String, since: DateTime<Utc> },
    #[error("it is not withheld")]
    NotWithheld,
    #[error("its clock has not run out")]
    NotDue { due: Option<DateTime<Utc>> },
    #[error("qualify it first: need, contact and timing")]
    NotQualified,
    #[error("this is for expansion windows only")]
    WindowsOnly,
    #[error("this person has it already")]
    SamePerson,
    #[error("say why in a few words")]
    ReasonMissing,
}

/// The new state of things and what to write into the audit trail.
pub type Moved = (Handoff, HandoffEvent);

impl Handoff {
    /// A window that a rule found or a person raised, placed by `routing::route`.
    /// An offer that starts here is made by the rule, not qualified.
    pub fn detect(
        id: Uuid,
        account: AccountId,
        window: Window,
        start: Start,
        withheld_by: Option<&str>,
        at: DateTime<Utc>,
    ) -> (Self, Vec<HandoffEvent>) {
        let solo = matches!(start, Start::Solo(_));
        let (state, event) = match start {
            Start::Detector(holder) | Start::Solo(holder) => (State::Detected { holder }, HandoffEvent::Detected),
            Start::Offered(to) => (State::Offered { to, from: None }, HandoffEvent::Offered),
        };
        let matter = Matter::Window(window);
        let mut made = Self::new(id, account, matter, state, solo, at);
        made.gate = made.gate_for(withheld_by, at);
        (made, vec![HandoffEvent::WindowOpened, event])
    }

    /// A risk to weigh, or a warning: offered by one half of the pair to the other at once.
    pub fn hand_over(
        id: Uuid,
        account: AccountId,
        matter: Matter,
        from: PersonId,
        to: Seat,
        at: DateTime<Utc>,
    ) -> Result<Moved, Refused> {
        let (Matter::RiskToWeigh { note, .. } | Matter::Warning { note }) = &matter else {
            return Err(Refused::NotQualified);
        };
        reason(note)?;
        if to == Seat::Person(from) {
            return Err(Refused::SamePerson);
        }
        let state = State::Offered { to, from: Some(from) };
        Ok((Self::new(id, account, matter, state, false, at), HandoffEvent::Offered))
    }

    fn new(id: Uuid, account: AccountId, matter: Matter, state: State, solo: bool, at: DateTime<Utc>) -> Self {
        let (gate, qualification, stands_in_for) = (Gate::Open, None, None);
        let timer = Timer::Waiting;
        Self { id, account, matter, state, gate, qualification, solo, stands_in_for, timer, since: at, version: 1 }
    }

    // What is there.

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    pub fn qualification(&self) -> Option<&Qualification> {
        self.qualification.as_ref()
    }

    /// One person holds both roles: whoever detects may accept.
    pub fn is_solo(&self) -> bool {
        self.solo
    }

    /// A window that nobody can be offered, because offers go to whoever holds it.
    pub fn lies_with(&self, counterpart: &Seat) -> bool {
        let held = matches!(self.state, State::Detected { .. } | State::Qualified { .. } | State::Returned { .. });
        held && self.window().is_some() && self.accountable().map(Seat::Person).as_ref() == Some(counterpart)
    }

    /// A qualified window, the only thing that counts as a CSQL.
    pub fn is_csql(&self) -> bool {
        self.qualification.is_some()
    }

    pub fn version(&self) -> i32 {
        self.version
    }

    pub fn since(&self) -> DateTime<Utc> {
        self.since
    }

    pub fn window(&self) -> Option<&Window> {
        match &self.matter {
            Matter::Window(window) => Some(window),
            Matter::RiskToWeigh { .. } | Matter::Warning { .. } => None,
        }
    }

    /// Open, and about this risk: whether that is worth a commercial step.
    pub fn weighs(&self, risk: Uuid) -> bool {
        self.is_open() && matches!(self.matter, Matter::RiskToWeigh { risk: of, .. } if of == risk)
    }

    /// The word in SQL, JSON and lists.
    pub fn state_name(&self) -> &'static str {
        match &self.state {
            State::Detected { .. } => "detected",
            State::Qualified { .. } => "qualified",
            State::Offered { .. } => "offered",
            State::Accepted { .. } => "accepted",
            State::Returned { how: Return::Declined { .. }, .. } => "declined",
            State::Returned { how: Return::Expired { .. }, .. } => "expired",
            State::Returned { how: Return::HandedBack { .. }, .. } => "handed_back",
            State::Won { .. } => "won",
            State::Lost { .. } => "lost",
            State::Passed { .. } => "passed",
            State::Withdrawn { .. } => "withdrawn",
            State::Closed { .. } => "closed",
        }
    }

    /// The one accountable person; `None` exactly in the end states.
    pub fn accountable(&self) -> Option<PersonId> {
        match &self.state {
            State::Detected { holder } | State::Qualified { holder } | State::Returned { holder, .. } => Some(*holder),
            State::Offered { to, .. } => Some(to.accountable()),
            State::Accepted { by, .. } => Some(*by),
            State::Won { .. }
            | State::Lost { .. }
            | State::Passed { .. }
            | State::Withdrawn { .. }
            | State::Closed { .. } => None,
        }
    }

    /// Whether this person, or who stands in for them, has it by that seat on its account: what is found, qualified or
    /// came back lies on the side that offers, what is offered or claimed on the side that answers. What was given to
    /// somebody by name on the other side is theirs by no seat, and a pool's offer is its members'.
    pub fn is_held_as(&self, role: Role, person: PersonId) -> bool {
        let to_answer = match &self.state {
            State::Offered { to: Seat::Pool { .. }, .. } => return false,
            State::Offered { .. } | State::Accepted { .. } => true,
            _ => false,
        };
        let side = match (&self.matter, to_answer) {
            (Matter::Warning { .. }, true) | (Matter::Window(_) | Matter::RiskToWeigh { .. }, false) => Role::Csm,
            (Matter::Warning { .. }, false) | (Matter::Window(_) | Matter::RiskToWeigh { .. }, true) => {
                Role::AccountManager
            }
        };
        side == role && self.lies_with_or_for(person)
    }

    /// Whether they are accountable, or whoever is stands in for them.
    pub fn lies_with_or_for(&self, person: PersonId) -> bool {
        self.is_open() && (self.accountable() == Some(person) || self.stands_in_for == Some(person))
    }

    /// The pool that may claim it now.
    pub fn offered_to_pool(&self) -> Option<&str> {
        match self.state() {
            State::Offered { to, .. } => to.pool(),
            _ => None,
        }
    }

    pub fn is_open(&self) -> bool {
        self.accountable().is_some()
    }

    pub fn is_withheld(&self) -> bool {
        matches!(self.gate, Gate::Withheld { .. })
    }

    pub fn present(&self) -> Present {
        let ended_by = match &self.state {
            State::Won { by, .. } | State::Lost { by, .. } | State::Passed { by, .. } | State::Withdrawn { by } => {
                Some(*by)
            }
            _ => None,
        };
        Present { state: self.state_name(), who: self.accountable().or(ended_by), since: self.since }
    }

    /// When the running clock ends; `None` where none runs.
    pub fn due(&self) -> Option<DateTime<Utc>> {
        self.timer.due()
    }

    /// Every open state has one; waiting until it was shown, while it is withheld, and after the end.
    pub fn timer(&self) -> Timer {
        self.timer
    }

    /// Claimed, idle, and asked whether somebody is still on it.
    pub fn is_asked(&self) -> bool {
        matches!(self.state, State::Accepted { .. })
            && (self.timer.is_reminded() || matches!(self.timer, Timer::Over { .. }))
    }

    /// The clock, where one runs.
    pub fn running(&self) -> Option<Running> {
        match self.timer {
            Timer::Running { since, due, .. } => Some(Running { since, due }),
            Timer::Waiting | Timer::Over { .. } => None,
        }
    }

    /// Who is away and gets it back on their return.
    pub fn stands_in_for(&self) -> Option<PersonId> {
        self.stands_in_for
    }

    /// The last day on which the same evidence opens no new window, after a pass or a loss.
    pub fn quiet_until(&self) -> Option<NaiveDate> {
        match (&self.matter, &self.state) {
            (Matter::Window(_), State::Passed { .. } | State::Lost { .. }) => {
                self.since.date_naive().checked_add_days(Days::new(QUIET_DAYS))
            }
            _ => None,
        }
    }
}

impl State {
    fn is_end(&self) -> bool {
        match self {
            State::Won { .. }
            | State::Lost { .. }
            | State::Passed { .. }
            | State::Withdrawn { .. }
            | State::Closed { .. } => true,
            State::Detected { .. }
            | State::Qualified { .. }
            | State::Offered { .. }
            | State::Accepted { .. }
            | State::Returned { .. } => false,
        }
    }
}

fn reason(text: &str) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() { Err(Refused::ReasonMissing) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests;
