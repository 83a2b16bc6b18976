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

mod record;

use chrono::{DateTime, Days, NaiveDate, Utc};
use uuid::Uuid;

use super::account::AccountId;
use super::calendar::WorkCalendar;
use super::diagnosis::{FoundWindow, WindowKind};
use super::money::Money;
use super::person::PersonId;
use super::routing::{Seat, Start};

pub use super::record::Present;
pub use record::HandoffRecord;

/// After a pass or a loss the same evidence opens no window for so many days (product.md, "Expansion windows").
pub const QUIET_DAYS: u64 = 90;

/// How long each side has, in business days of the person who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// A detected window with its detector before it is offered, not qualified.
    pub hold_business_days: u32,
    /// An offer before it expires.
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

/// An expansion window's facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    pub kind: WindowKind,
    pub reason: String,
    /// An estimate; `None` without a known ARR.
    pub amount: Option<Money>,
    pub opens_on: NaiveDate,
    /// The last day on which it is open.
    pub closes_on: NaiveDate,
    /// To be sold together with the renewal.
    pub co_term: bool,
    /// `None` where a rule found it.
    pub raised_by: Option<PersonId>,
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
        })
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
}

/// The clock of a state that has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// Not yet shown to who must act, or withheld: nothing runs.
    Waiting,
    Running {
        since: DateTime<Utc>,
        due: DateTime<Utc>,
    },
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
        timer: Timer,
    },
    Qualified {
        holder: PersonId,
    },
    Offered {
        to: Seat,
        /// `None` where a rule or a clock offered it.
        from: Option<PersonId>,
        timer: Timer,
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
    /// When the present state began.
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
            Start::Detector(holder) | Start::Solo(holder) => {
                (State::Detected { holder, timer: Timer::Waiting }, HandoffEvent::Detected)
            }
            Start::Offered(to) => (State::Offered { to, from: None, timer: Timer::Waiting }, HandoffEvent::Offered),
        };
        let matter = Matter::Window(window);
        let mut made =
            Self { id, account, matter, state, gate: Gate::Open, qualification: None, solo, since: at, version: 1 };
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
        let state = State::Offered { to, from: Some(from), timer: Timer::Waiting };
        let made = Self {
            id,
            account,
            matter,
            state,
            gate: Gate::Open,
            qualification: None,
            solo: false,
            since: at,
            version: 1,
        };
        Ok((made, HandoffEvent::Offered))
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
            State::Detected { holder, .. } | State::Qualified { holder } | State::Returned { holder, .. } => {
                Some(*holder)
            }
            State::Offered { to, .. } => Some(to.accountable()),
            State::Accepted { by, .. } => Some(*by),
            State::Won { .. }
            | State::Lost { .. }
            | State::Passed { .. }
            | State::Withdrawn { .. }
            | State::Closed { .. } => None,
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
        match self.timer() {
            Some(Timer::Running { due, .. }) => Some(due),
            Some(Timer::Waiting) | None => None,
        }
    }

    fn timer(&self) -> Option<Timer> {
        match &self.state {
            State::Detected { timer, .. } | State::Offered { timer, .. } => Some(*timer),
            _ => None,
        }
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

    // Clocks and nights.

    /// The accountable person has been shown it: the clock starts, in their
    /// business hours. Shown again, or withheld, it changes nothing.
    #[must_use]
    pub fn delivered(mut self, at: DateTime<Utc>, clocks: Clocks, calendar: &WorkCalendar<'_>) -> Self {
        if self.is_withheld() {
            return self;
        }
        let start = |days| Timer::Running { since: at, due: calendar.add_business_time(at, days) };
        match &mut self.state {
            State::Detected { timer: timer @ Timer::Waiting, .. } => *timer = start(clocks.hold_business_days),
            State::Offered { timer: timer @ Timer::Waiting, .. } => *timer = start(clocks.accept_business_days),
            _ => return self,
        }
        self.version += 1;
        self
    }

    /// What a night changes about a window: its gate, its estimate, its end.
    /// A window somebody has claimed stays open and ungated: they decide.
    /// `found` is the same window in this night's diagnosis, where it still holds.
    pub fn nightly(
        mut self,
        found: Option<&FoundWindow>,
        withheld_by: Option<&str>,
        date: NaiveDate,
        at: DateTime<Utc>,
    ) -> (Self, Option<HandoffEvent>) {
        let Matter::Window(window) = &mut self.matter else { return (self, None) };
        if self.state.is_end() || matches!(self.state, State::Accepted { .. }) {
            return (self, None);
        }
        if window.closes_on < date {
            let reason = format!("open until {}", window.closes_on);
            return (self.moved(State::Closed { reason }, at), Some(HandoffEvent::WindowClosed));
        }
        let before = self.clone();
        if let (Matter::Window(window), Some(found)) = (&mut self.matter, found) {
            let fresh = Window::from(found);
            (window.reason, window.amount, window.co_term) = (fresh.reason, fresh.amount, fresh.co_term);
        }
        self.gate = self.gate_for(withheld_by, at);
        if before.is_withheld() != self.is_withheld()
            && let State::Detected { timer, .. } | State::Offered { timer, .. } = &mut self.state
        {
            // No clock runs while withheld; released, it starts anew when it has been shown.
            *timer = Timer::Waiting;
        }
        if self != before {
            self.version += 1;
        }
        (self, None)
    }

    fn gate_for(&self, withheld_by: Option<&str>, at: DateTime<Utc>) -> Gate {
        // What the customer asked for is never withheld: it carries the warning instead.
        let gated = self.window().is_some_and(|window| window.kind != WindowKind::Requested);
        match (&self.gate, withheld_by) {
            (Gate::Overridden { .. }, Some(_)) => self.gate.clone(),
            (Gate::Withheld { since, .. }, Some(rule)) if gated => {
                Gate::Withheld { rule: rule.to_owned(), since: *since }
            }
            (Gate::Open, Some(rule)) if gated => Gate::Withheld { rule: rule.to_owned(), since: at },
            _ => Gate::Open,
        }
    }

    /// The detector's time is over: offered to `to`, marked "not qualified".
    pub fn offer_unqualified(self, to: Seat, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let State::Detected { holder, .. } = self.state else { return Err(Refused::Present(self.present())) };
        self.run_out(at)?;
        if self.solo || to == Seat::Person(holder) {
            return Err(Refused::SamePerson);
        }
        Ok((self.moved(State::Offered { to, from: None, timer: Timer::Waiting }, at), HandoffEvent::Offered))
    }

    /// The time to accept is over: back to who offered it, to `lead` where a
    /// rule had, or where one person holds both roles and did not act.
    pub fn expire(self, lead: PersonId, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let (holder, late) = match &self.state {
            State::Offered { to, from, .. } => (from.unwrap_or(lead), to.accountable()),
            State::Detected { holder, .. } if self.solo => (lead, *holder),
            _ => return Err(Refused::Present(self.present())),
        };
        self.run_out(at)?;
        Ok((self.moved(State::Returned { holder, how: Return::Expired { late } }, at), HandoffEvent::Expired))
    }

    fn run_out(&self, at: DateTime<Utc>) -> Result<(), Refused> {
        match self.due() {
            Some(due) if due <= at => Ok(()),
            due => Err(Refused::NotDue { due }),
        }
    }

    // What people do.

    /// A CSM confirms need, contact and timing. Whoever holds it goes on holding it.
    pub fn qualify(mut self, qualification: Qualification, at: DateTime<Utc>) -> Result<Moved, Refused> {
        if self.window().is_none() {
            return Err(Refused::WindowsOnly);
        }
        let state = match &self.state {
            State::Detected { holder, .. } | State::Returned { holder, .. } => State::Qualified { holder: *holder },
            // One person with both roles may have claimed it before it was qualified.
            State::Accepted { by, from } if self.solo && self.qualification.is_none() => {
                State::Accepted { by: *by, from: *from }
            }
            _ => return Err(Refused::Present(self.present())),
        };
        self.qualification = Some(qualification);
        Ok((self.moved(state, at), HandoffEvent::Qualified))
    }

    /// Offers it to the other half of the pair: a qualified window, or anything that came back.
    pub fn offer(self, by: PersonId, to: Seat, at: DateTime<Utc>) -> Result<Moved, Refused> {
        match &self.state {
            State::Detected { .. } => return Err(Refused::NotQualified),
            State::Qualified { .. } | State::Returned { .. } => {}
            _ => return Err(Refused::Present(self.present())),
        }
        if to == Seat::Person(by) {
            return Err(Refused::SamePerson);
        }
        Ok((self.moved(State::Offered { to, from: Some(by), timer: Timer::Waiting }, at), HandoffEvent::Offered))
    }

    /// *Claim*. Of two at once one wins; the other is told who.
    pub fn accept(self, by: PersonId, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let from = match &self.state {
            State::Offered { from, .. } => *from,
            State::Detected { .. } | State::Qualified { .. } if self.solo => None,
            _ => return Err(Refused::Present(self.present())),
        };
        if let Gate::Withheld { rule, since } = &self.gate {
            return Err(Refused::Withheld { rule: rule.clone(), since: *since });
        }
        Ok((self.moved(State::Accepted { by, from }, at), HandoffEvent::Accepted))
    }

    /// Refuses an offer: back to who made it, to `lead` where a rule had.
    pub fn decline(self, by: PersonId, why: &str, lead: PersonId, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let State::Offered { from, .. } = &self.state else { return Err(Refused::Present(self.present())) };
        let how = Return::Declined { by, reason: reason(why)? };
        let holder = from.unwrap_or(lead);
        Ok((self.moved(State::Returned { holder, how }, at), HandoffEvent::Declined))
    }

    /// Its holder closes it. An offer is declined instead.
    pub fn pass(self, by: PersonId, why: &str, at: DateTime<Utc>) -> Result<Moved, Refused> {
        match &self.state {
            State::Detected { .. } | State::Qualified { .. } | State::Returned { .. } | State::Accepted { .. } => {}
            _ => return Err(Refused::Present(self.present())),
        }
        let state = State::Passed { by, reason: reason(why)? };
        let event = if self.window().is_some() { HandoffEvent::WindowPassed } else { HandoffEvent::Withdrawn };
        Ok((self.moved(state, at), event))
    }

    /// The one who accepted gives it back with a note, to `lead` where a rule had offered it.
    pub fn hand_back(self, by: PersonId, note: &str, lead: PersonId, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let State::Accepted { from, .. } = &self.state else { return Err(Refused::Present(self.present())) };
        let how = Return::HandedBack { by, note: reason(note)? };
        let holder = from.unwrap_or(lead);
        Ok((self.moved(State::Returned { holder, how }, at), HandoffEvent::HandedBack))
    }

    /// Its maker takes it back before anyone has accepted.
    pub fn withdraw(self, by: PersonId, at: DateTime<Utc>) -> Result<Moved, Refused> {
        match &self.state {
            State::Qualified { .. } | State::Offered { .. } | State::Returned { .. } => {}
            _ => return Err(Refused::Present(self.present())),
        }
        Ok((self.moved(State::Withdrawn { by }, at), HandoffEvent::Withdrawn))
    }

    pub fn won(self, by: PersonId, amount: Option<Money>, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let State::Accepted { .. } = &self.state else { return Err(Refused::Present(self.present())) };
        Ok((self.moved(State::Won { by, amount }, at), HandoffEvent::Won))
    }

    pub fn lost(self, by: PersonId, why: &str, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let State::Accepted { .. } = &self.state else { return Err(Refused::Present(self.present())) };
        Ok((self.moved(State::Lost { by, reason: reason(why)? }, at), HandoffEvent::Lost))
    }

    /// A lead, or a book transfer, makes somebody else accountable; a clock starts anew with them.
    pub fn reassign(self, to: PersonId, at: DateTime<Utc>) -> Result<Moved, Refused> {
        if self.accountable() == Some(to) && !matches!(&self.state, State::Offered { to: Seat::Pool { .. }, .. }) {
            return Err(Refused::SamePerson);
        }
        let state = match &self.state {
            State::Detected { .. } => State::Detected { holder: to, timer: Timer::Waiting },
            State::Qualified { .. } => State::Qualified { holder: to },
            State::Offered { from, .. } => State::Offered { to: Seat::Person(to), from: *from, timer: Timer::Waiting },
            State::Accepted { from, .. } => State::Accepted { by: to, from: *from },
            State::Returned { how, .. } => State::Returned { holder: to, how: how.clone() },
            _ => return Err(Refused::Present(self.present())),
        };
        Ok((self.moved(state, at), HandoffEvent::Reassigned))
    }

    /// Works a withheld window in spite of the risk; the reason is audited.
    pub fn override_gate(mut self, by: PersonId, why: &str, at: DateTime<Utc>) -> Result<Moved, Refused> {
        if self.state.is_end() {
            return Err(Refused::Present(self.present()));
        }
        if !self.is_withheld() {
            return Err(Refused::NotWithheld);
        }
        self.gate = Gate::Overridden { by, at, reason: reason(why)? };
        self.version += 1;
        Ok((self, HandoffEvent::WindowOverridden))
    }

    /// Ends it for everybody: its account has left, the customer's data were erased.
    pub fn close(self, why: &str, at: DateTime<Utc>) -> Result<Moved, Refused> {
        if self.state.is_end() {
            return Err(Refused::Present(self.present()));
        }
        let state = State::Closed { reason: reason(why)? };
        let event = if self.window().is_some() { HandoffEvent::WindowClosed } else { HandoffEvent::Withdrawn };
        Ok((self.moved(state, at), event))
    }

    fn moved(mut self, state: State, at: DateTime<Utc>) -> Self {
        (self.state, self.since) = (state, at);
        self.version += 1;
        self
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
