//! The work towards a renewal, as a state machine by value:
//! `upcoming → preparing → negotiating → renewed, contracted or lost`.
//!
//! One per account and term. The ladder's steps (180, 120, 90, 60, 30 days
//! before the next deadline) are reached by dates, the rest by people; an end
//! state stops the steps. An imported outcome supersedes a click.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::AccountId;
use super::calendar::WorkCalendar;
use super::diagnosis::Stage;
use super::money::Money;
use super::person::PersonId;
use super::record::{Corrupt, Row};
use super::timer::Owed;

pub use super::record::Present;
pub use super::timer::Timer;

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
    /// Of the step that was reached: it starts when the owner has been shown it, and whatever they do about the
    /// renewal ends it.
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
        // Who has it now has to be shown it first.
        self.timer = if self.timer.next().is_some() { Timer::Waiting } else { self.timer };
        self.version += 1;
        Ok(self)
    }

    // The clock of a step.

    pub fn timer(&self) -> Timer {
        self.timer
    }

    /// The owner has been shown the step. Negotiating, the work is under way: no clock asks about it.
    #[must_use]
    pub fn shown(mut self, timer: Timer) -> Self {
        let asks = matches!(self.state, State::Upcoming | State::Preparing);
        if asks && self.step.is_some() && self.timer == Timer::Waiting {
            self.timer = timer;
            self.version += 1;
        }
        self
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

/// One row of the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenewalRecord {
    pub id: Uuid,
    pub account: AccountId,
    /// At least 1.
    pub version: i32,
    pub since: DateTime<Utc>,
    pub renewal_date: NaiveDate,
    pub deadline: NaiveDate,
    #[serde(default)]
    pub routed_to: Option<PersonId>,
    pub owner: PersonId,
    /// Days before the deadline: `180`, `120`, `90`, `60` or `30`.
    pub step: Option<String>,
    pub step_on: Option<NaiveDate>,
    pub brief: Option<String>,
    pub brief_by: Option<PersonId>,
    pub brief_at: Option<DateTime<Utc>>,
    /// `upcoming`, `preparing`, `negotiating`, `renewed`, `contracted` or `lost`.
    pub state: String,
    pub ended_by: Option<PersonId>,
    pub arr_after: Option<Money>,
    pub lost_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_since: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
}

impl From<&RenewalWork> for RenewalRecord {
    fn from(work: &RenewalWork) -> Self {
        let brief = work.brief.as_ref();
        let (clock_since, remind_at, due_at) = work.timer.columns();
        let (ended_by, arr_after, lost_reason) = match &work.state {
            State::Upcoming | State::Preparing | State::Negotiating => (None, None, None),
            State::Ended { outcome, by } => match outcome {
                Outcome::Renewed { arr_after } | Outcome::Contracted { arr_after } => (*by, *arr_after, None),
                Outcome::Lost { reason } => (*by, None, Some(reason.clone())),
            },
        };
        Self {
            id: work.id,
            account: work.account.clone(),
            version: work.version,
            since: work.since,
            renewal_date: work.renewal_date,
            deadline: work.deadline,
            routed_to: work.routed_to,
            owner: work.owner,
            step: work.step.map(|(stage, _)| stage.as_str().to_owned()),
            step_on: work.step.map(|(_, on)| on),
            brief: brief.map(|brief| brief.text.clone()),
            brief_by: brief.map(|brief| brief.by),
            brief_at: brief.map(|brief| brief.at),
            state: work.state_name().to_owned(),
            ended_by,
            arr_after,
            lost_reason,
            clock_since,
            remind_at,
            due_at,
        }
    }
}

impl TryFrom<RenewalRecord> for RenewalWork {
    type Error = Corrupt;

    fn try_from(record: RenewalRecord) -> Result<Self, Corrupt> {
        let row = Row { what: "renewal", id: record.id };
        if record.version < 1 {
            return Err(row.corrupt("its version is below 1"));
        }
        let ended = |outcome| State::Ended { outcome, by: record.ended_by };
        let state = match record.state.as_str() {
            "upcoming" => State::Upcoming,
            "preparing" => State::Preparing,
            "negotiating" => State::Negotiating,
            "renewed" => ended(Outcome::Renewed { arr_after: record.arr_after }),
            "contracted" => ended(Outcome::Contracted { arr_after: record.arr_after }),
            "lost" => ended(Outcome::Lost { reason: row.need("lost_reason", record.lost_reason.clone())? }),
            other => return Err(row.corrupt(format!("\"{other}\" is no state"))),
        };
        let step = match &record.step {
            None => None,
            Some(word) => {
                let stage = LADDER.into_iter().find(|stage| stage.as_str() == word);
                let stage = stage.ok_or_else(|| row.corrupt(format!("\"{word}\" is no step")))?;
                Some((stage, row.need("step_on", record.step_on)?))
            }
        };
        let brief = match &record.brief {
            None => None,
            Some(text) => Some(Brief {
                by: row.need("brief_by", record.brief_by)?,
                at: row.need("brief_at", record.brief_at)?,
                text: text.clone(),
            }),
        };
        let work = RenewalWork {
            id: record.id,
            account: record.account.clone(),
            renewal_date: record.renewal_date,
            routed_to: record.routed_to,
            owner: record.owner,
            deadline: record.deadline,
            step,
            brief,
            state,
            since: record.since,
            version: record.version,
            timer: Timer::from_columns((record.clock_since, record.remind_at, record.due_at)),
        };
        if !work.is_open() && work.timer != Timer::Waiting {
            return Err(row.corrupt("its clock runs although it has ended"));
        }
        row.whole(&record, &RenewalRecord::from(&work), &record.state)?;
        Ok(work)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Days;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::money::Currency;

    const DEADLINE: NaiveDate = NaiveDate::from_ymd_opt(2027, 3, 31).unwrap();

    fn person(n: u128) -> PersonId {
        PersonId(Uuid::from_u128(n))
    }

    fn at(n: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + n * 3_600, 0).unwrap()
    }

    fn upcoming() -> RenewalWork {
        let renewal = DEADLINE + Days::new(90);
        RenewalWork::upcoming(Uuid::nil(), "acme".into(), renewal, DEADLINE, person(1), at(0))
    }

    #[test]
    fn the_whole_way() {
        let (work, _) = upcoming().prepare(at(1)).unwrap();
        assert!(work.wants_brief());
        let (work, event) = work.add_brief(person(2), " three goals of four reached ", at(2)).unwrap();
        assert_eq!((event.as_str(), work.wants_brief()), ("note.added", false));
        let (work, _) = work.negotiate(at(3)).unwrap();
        let after = Some(Money::new(9_000_000, Currency::EUR));
        let (work, event) = work.end(person(1), Outcome::Contracted { arr_after: after }, at(4)).unwrap();
        assert_eq!((event.as_str(), work.is_open(), work.version()), ("renewal.contracted", false, 5));
        let refused = work.clone().end(person(2), Outcome::Renewed { arr_after: None }, at(5));
        let present = Present { state: "contracted", who: Some(person(1)), since: at(4) };
        assert_eq!(refused, Err(Refused::Present(present)));
        // What the CRM says in the end counts, once.
        let (work, event) = work.imported(Outcome::Lost { reason: String::new() }, at(9));
        assert_eq!((work.state_name(), event), ("lost", Some(RenewalEvent::Lost)));
        let (_, event) = work.imported(Outcome::Lost { reason: String::new() }, at(10));
        assert_eq!(event, None);
    }

    #[test]
    fn steps_are_reached_once_in_order_until_the_end() {
        let date = DEADLINE - Days::new(150);
        let walk = [Stage::None, Stage::D120, Stage::D120, Stage::D180, Stage::D60, Stage::OptOutPassed];
        let mut work = upcoming();
        let mut heard = Vec::new();
        for stage in walk {
            let (next, event) = work.step_reached(stage, DEADLINE, date);
            work = next;
            heard.push(event.is_some());
        }
        assert_eq!(heard, [false, true, false, false, true, false]);
        let (again, event) = work.clone().step_reached(Stage::D90, DEADLINE + Days::new(90), date);
        assert_eq!((again.step(), event), (Some((Stage::D90, date)), Some(RenewalEvent::Step)), "a new deadline");
        let (ended, _) = work.imported(Outcome::Renewed { arr_after: None }, at(1));
        assert_eq!(ended.step_reached(Stage::D30, DEADLINE, date).1, None);
    }

    #[test]
    fn a_loss_says_why_and_a_brief_says_something() {
        let lost = upcoming().end(person(1), Outcome::Lost { reason: " ".to_owned() }, at(1));
        assert_eq!(lost, Err(Refused::ReasonMissing));
        let preparing = upcoming().prepare(at(1)).unwrap().0;
        assert_eq!(preparing.add_brief(person(2), "", at(2)), Err(Refused::BriefEmpty));
        assert!(matches!(upcoming().add_brief(person(2), "goals", at(2)), Err(Refused::Present(_))));
        assert_eq!(upcoming().owned_by(person(1)), Err(Refused::SameOwner));
    }

    #[test]
    fn impossible_rows_are_errors() {
        let mut row = RenewalRecord::from(&upcoming());
        row.arr_after = Some(Money::new(1, Currency::EUR));
        let error = RenewalWork::try_from(row.clone()).unwrap_err().to_string();
        assert!(error.ends_with("it has columns that do not belong to the state upcoming"), "{error}");
        row.state = "lost".to_owned();
        assert!(RenewalWork::try_from(row.clone()).unwrap_err().to_string().ends_with("lost_reason is missing"));
        row.step = Some("45".to_owned());
        assert!(RenewalWork::try_from(row).is_err());
    }

    proptest! {
        #[test]
        fn any_order_of_clicks_keeps_one_legal_state(steps in proptest::collection::vec((0_u8..9, 1_u128..4), 0..25)) {
            let mut work = upcoming();
            for (n, (step, who)) in (1..).zip(steps) {
                let before = work.clone();
                let by = person(who);
                let moved = match step {
                    0 => work.prepare(at(n)).map(|m| m.0),
                    1 => work.add_brief(by, "goals", at(n)).map(|m| m.0),
                    2 => work.negotiate(at(n)).map(|m| m.0),
                    3 => work.end(by, Outcome::Renewed { arr_after: None }, at(n)).map(|m| m.0),
                    4 => work.end(by, Outcome::Lost { reason: "price".to_owned() }, at(n)).map(|m| m.0),
                    5 => work.owned_by(by),
                    6 => Ok(work.imported(Outcome::Renewed { arr_after: Some(Money::new(7, Currency::EUR)) }, at(n)).0),
                    step => {
                        let stage = LADDER[usize::from(step) % 5];
                        Ok(work.step_reached(stage, DEADLINE + Days::new(who as u64), DEADLINE).0)
                    }
                };
                work = match moved {
                    Ok(after) => {
                        prop_assert!(before.is_open() || !after.is_open(), "an end is an end");
                        prop_assert_eq!(after.version(), before.version() + i32::from(after != before));
                        after
                    }
                    Err(_) => before,
                };
                prop_assert_eq!(RenewalWork::try_from(RenewalRecord::from(&work)), Ok(work.clone()));
            }
        }
    }
}
