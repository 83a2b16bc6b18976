//! The work towards a renewal, as a state machine by value:
//! `upcoming → preparing → negotiating → renewed, contracted or lost`.
//!
//! One per account and term. The ladder's steps (180, 120, 90, 60, 30 days
//! before the next deadline) are reached by dates, the rest by people; an end
//! state stops the steps. An imported outcome supersedes a click.
//!
//! Whoever owns it is asked about each step, and, once the work has begun,
//! whenever nothing was done about it for [`super::timer::IDLE_WORKING_DAYS`].

mod record;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::account::AccountId;
use super::calendar::WorkCalendar;
use super::diagnosis::Stage;
use super::money::Money;
use super::person::PersonId;
use super::timer::Owed;

pub use super::record::Present;
pub use super::timer::Timer;
pub use record::RenewalRecord;

/// The ladder, the furthest step first.
pub const LADDER: [Stage; 5] = [Stage::D180, Stage::D120, Stage::D90, Stage::D60, Stage::D30];

/// What the CSM adds while the renewal is prepared: goals reached, usage, open issues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    pub by: PersonId,
    pub at: DateTime<Utc>,
    pub text: String,
}

/// How it ended. Amounts are the ARR after it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// `None` where nobody said: taken as unchanged.
    Renewed {
        arr_after: Option<Money>,
    },
    Contracted {
        arr_after: Option<Money>,
    },
    /// Empty where an import gave no reason.
    Lost {
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum State {
    Upcoming,
    Preparing,
    Negotiating,
    /// `by` is `None` where an imported outcome said so.
    Ended {
        outcome: Outcome,
        by: Option<PersonId>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct RenewalWork {
    pub id: Uuid,
    pub account: AccountId,
    /// The renewal date of the term that this work is about.
    pub renewal_date: NaiveDate,
    /// Whom the account's route named when it was last looked at: the owner changes when that does, so that
    /// somebody whom a lead chose stays. `None` where nobody has looked yet.
    pub routed_to: Option<PersonId>,
    owner: PersonId,
    /// The deadline of the steps so far: the opt-out date, later the renewal date.
    deadline: NaiveDate,
    /// The last step reached before that deadline, and on which day.
    step: Option<(Stage, NaiveDate)>,
    brief: Option<Brief>,
    state: State,
    since: DateTime<Utc>,
    version: i32,
    /// Of the step that was reached: it starts when the owner has been shown it. Whatever is done about the renewal ends
    /// it, and begins the one that asks when nothing more is done.
    timer: Timer,
}

/// What the audit trail hears (product.md, "Audit events").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RenewalEvent {
    Step,
    Preparing,
    Negotiating,
    Renewed,
    Contracted,
    Lost,
    /// The value brief was added.
    Briefed,
}

impl RenewalEvent {
    pub fn as_str(self) -> &'static str {
        match self {
            RenewalEvent::Step => "renewal.step",
            RenewalEvent::Preparing => "renewal.preparing",
            RenewalEvent::Negotiating => "renewal.negotiating",
            RenewalEvent::Renewed => "renewal.renewed",
            RenewalEvent::Contracted => "renewal.contracted",
            RenewalEvent::Lost => "renewal.lost",
            RenewalEvent::Briefed => "note.added",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it is already {}", .0.state)]
    Present(Present),
    #[error("this person owns it already")]
    SameOwner,
    #[error("say why in a few words")]
    ReasonMissing,
    #[error("the value brief is empty")]
    BriefEmpty,
    #[error("its clock has not run out")]
    NotDue,
}

pub type Moved = (RenewalWork, RenewalEvent);

impl RenewalWork {
    /// `deadline` is the next future one: the opt-out date, or the renewal date
    /// where there is no auto-renewal or the opt-out has passed.
    pub fn upcoming(
        id: Uuid,
        account: AccountId,
        renewal_date: NaiveDate,
        deadline: NaiveDate,
        owner: PersonId,
        at: DateTime<Utc>,
    ) -> Self {
        let state = State::Upcoming;
        let routed_to = Some(owner);
        Self {
            id,
            account,
            renewal_date,
            routed_to,
            owner,
            deadline,
            step: None,
            brief: None,
            state,
            since: at,
            version: 1,
            timer: Timer::Waiting,
        }
    }

    pub fn owner(&self) -> PersonId {
        self.owner
    }

    pub fn deadline(&self) -> NaiveDate {
        self.deadline
    }

    /// The last step of the ladder that was reached, and on which day.
    pub fn step(&self) -> Option<(Stage, NaiveDate)> {
        self.step
    }

    pub fn brief(&self) -> Option<&Brief> {
        self.brief.as_ref()
    }

    /// The other half of the pair is asked for the value brief.
    pub fn wants_brief(&self) -> bool {
        self.state == State::Preparing && self.brief.is_none()
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn since(&self) -> DateTime<Utc> {
        self.since
    }

    pub fn version(&self) -> i32 {
        self.version
    }

    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Ended { .. })
    }

    /// The word in SQL, JSON and lists.
    pub fn state_name(&self) -> &'static str {
        match &self.state {
            State::Upcoming => "upcoming",
            State::Preparing => "preparing",
            State::Negotiating => "negotiating",
            State::Ended { outcome, .. } => outcome.as_str(),
        }
    }

    /// What it was renewed for, where it was and somebody said so.
    pub fn arr_after(&self) -> Option<Money> {
        match &self.state {
            State::Ended { outcome: Outcome::Renewed { arr_after } | Outcome::Contracted { arr_after }, .. } => {
                *arr_after
            }
            _ => None,
        }
    }

    pub fn present(&self) -> Present {
        let who = match &self.state {
            State::Upcoming | State::Preparing | State::Negotiating => Some(self.owner),
            State::Ended { by, .. } => *by,
        };
        Present { state: self.state_name(), who, since: self.since }
    }

    /// The night's read of the ladder. A step is reached once and in order; one
    /// that was jumped over is not made up for. Another deadline (the opt-out
    /// has passed, a date was corrected) begins the ladder anew. An end state
    /// stops the steps; stages that are no steps move nothing.
    #[must_use]
    pub fn step_reached(mut self, stage: Stage, deadline: NaiveDate, date: NaiveDate) -> (Self, Option<RenewalEvent>) {
        if !self.is_open() {
            return (self, None);
        }
        let before = self.clone();
        if deadline != self.deadline {
            (self.deadline, self.step) = (deadline, None);
        }
        let rank = |stage: Stage| LADDER.iter().position(|step| *step == stage);
        let further =
            rank(stage).is_some_and(|new| self.step.and_then(|(old, _)| rank(old)).is_none_or(|old| old < new));
        if further {
            // What was done at an earlier step does not answer this one.
            (self.step, self.timer) = (Some((stage, date)), Timer::Waiting);
        }
        if self != before {
            self.version += 1;
        }
        (self, further.then_some(RenewalEvent::Step))
    }

    pub fn prepare(self, at: DateTime<Utc>) -> Result<Moved, Refused> {
        match self.state {
            State::Upcoming => Ok((self.moved(State::Preparing, at), RenewalEvent::Preparing)),
            _ => Err(Refused::Present(self.present())),
        }
    }

    /// The value brief; said again it replaces the earlier one. From `preparing` until the end.
    pub fn add_brief(mut self, by: PersonId, text: &str, at: DateTime<Utc>) -> Result<Moved, Refused> {
        match self.state {
            State::Preparing | State::Negotiating => {}
            State::Upcoming | State::Ended { .. } => return Err(Refused::Present(self.present())),
        }
        let text = text.trim();
        if text.is_empty() {
            return Err(Refused::BriefEmpty);
        }
        self.brief = Some(Brief { by, at, text: text.to_owned() });
        self.timer = Timer::Over { since: at };
        self.version += 1;
        Ok((self, RenewalEvent::Briefed))
    }

    /// Customers do not wait for us to prepare: also straight from `upcoming`.
    pub fn negotiate(self, at: DateTime<Utc>) -> Result<Moved, Refused> {
        match self.state {
            State::Upcoming | State::Preparing => Ok((self.moved(State::Negotiating, at), RenewalEvent::Negotiating)),
            _ => Err(Refused::Present(self.present())),
        }
    }

    /// A person says how it ended. A loss needs a reason.
    pub fn end(self, by: PersonId, outcome: Outcome, at: DateTime<Utc>) -> Result<Moved, Refused> {
        if !self.is_open() {
            return Err(Refused::Present(self.present()));
        }
        if let Outcome::Lost { reason } = &outcome
            && reason.trim().is_empty()
        {
            return Err(Refused::ReasonMissing);
        }
        let event = outcome.event();
        Ok((self.moved(State::Ended { outcome, by: Some(by) }, at), event))
    }

    /// An imported outcome ends it, or supersedes what a person said. The same one again changes nothing.
    #[must_use]
    pub fn imported(self, outcome: Outcome, at: DateTime<Utc>) -> (Self, Option<RenewalEvent>) {
        let state = State::Ended { outcome, by: None };
        if self.state == state {
            return (self, None);
        }
        let moved = self.moved(state, at);
        let event = match &moved.state {
            State::Ended { outcome, .. } => Some(outcome.event()),
            _ => None,
        };
        (moved, event)
    }

    /// The book changes hands. The audit event is the caller's: a transfer or a reassignment.
    pub fn owned_by(mut self, owner: PersonId) -> Result<Self, Refused> {
        if !self.is_open() {
            return Err(Refused::Present(self.present()));
        }
        if self.owner == owner {
            return Err(Refused::SameOwner);
        }
        self.owner = owner;
        // Who has it now has to be shown it first, and is asked even where the chain of who had it has ended.
        self.timer = Timer::Waiting;
        self.version += 1;
        Ok(self)
    }

    /// The same, to whom the account's route names now: unlike somebody whom a lead chose, they lose it with the route.
    pub fn owned_by_route(self, owner: PersonId) -> Result<Self, Refused> {
        Ok(Self { routed_to: Some(owner), ..self.owned_by(owner)? })
    }

    // The clock of a step.

    pub fn timer(&self) -> Timer {
        self.timer
    }

    /// The owner has been shown the step.
    #[must_use]
    pub fn shown(mut self, timer: Timer) -> Self {
        if self.is_open() && self.step.is_some() && self.timer == Timer::Waiting {
            self.timer = timer;
            self.version += 1;
        }
        self
    }

    /// Sets the clock of work that somebody has just moved on, in the same change.
    #[must_use]
    pub fn watched(mut self, timer: Timer) -> Self {
        if self.is_under_way() {
            self.timer = timer;
        }
        self
    }

    /// Whoever owns it says that they are still on it, or did something about it.
    pub fn carried_on(mut self, at: DateTime<Utc>) -> Result<Self, Refused> {
        if !self.is_under_way() {
            return Err(Refused::Present(self.present()));
        }
        self.timer = Timer::Over { since: at };
        self.version += 1;
        Ok(self)
    }

    /// Begun and not ended.
    fn is_under_way(&self) -> bool {
        matches!(self.state, State::Preparing | State::Negotiating)
    }

    /// Under way, idle, and asked whether somebody is still on it.
    pub fn is_asked(&self) -> bool {
        self.is_under_way() && self.timer.is_reminded()
    }

    /// The one reminder was given.
    pub fn reminded(mut self, at: DateTime<Utc>, calendar: &WorkCalendar<'_>) -> Result<Self, Refused> {
        let (Some(Owed::Reminder), Some(left)) = (self.timer.owed(at), self.timer.after_reminder(calendar)) else {
            return Err(Refused::NotDue);
        };
        self.timer = self.timer.reminded(at, left, calendar);
        self.version += 1;
        Ok(self)
    }

    /// Nobody touched it at this step: the owner's lead hears of it, and the chain ends.
    pub fn run_out(mut self, at: DateTime<Utc>) -> Result<Self, Refused> {
        if self.timer.owed(at) != Some(Owed::End) {
            return Err(Refused::NotDue);
        }
        self.timer = Timer::Over { since: at };
        self.version += 1;
        Ok(self)
    }

    fn moved(mut self, state: State, at: DateTime<Utc>) -> Self {
        (self.state, self.since) = (state, at);
        self.timer = if self.is_open() { Timer::Over { since: at } } else { Timer::Waiting };
        self.version += 1;
        self
    }
}

impl Outcome {
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Renewed { .. } => "renewed",
            Outcome::Contracted { .. } => "contracted",
            Outcome::Lost { .. } => "lost",
        }
    }

    fn event(&self) -> RenewalEvent {
        match self {
            Outcome::Renewed { .. } => RenewalEvent::Renewed,
            Outcome::Contracted { .. } => RenewalEvent::Contracted,
            Outcome::Lost { .. } => RenewalEvent::Lost,
        }
    }
}

#[cfg(test)]
mod tests;
