//! The at-risk episode of an account, as a state machine by value.
//!
//! `open → acknowledged → resolved`, or snoozed; it ends by itself at health
//! 60 for three nights. What the plan leaves open is decided so:
//!
//! - *Worse* is what diagnosis.md calls worse: a lower band, 10 points, a new
//!   floor; and a churn outcome counts as a floor. It opens an episode whatever
//!   the health, and while it stands no night is calm.
//! - A resolved risk is not reopened by the evidence it was resolved on. Within
//!   14 days it is reopened, as the same episode, only when the account got
//!   worse than it was then; a *fixed* one also when the account had recovered
//!   and fell again. After 14 days an account at risk makes a new episode.
//! - One that ended by itself is reopened, within 14 days, by any night below 50.
//! - Waking means open again: whoever had acknowledged it looks anew.
//! - The clock of an open episode starts when whoever looks after it has been
//!   shown it: a reminder, then their lead, then silence. The clock of an
//!   acknowledged one runs to its next step: "still on it?", then it is open again.
//! - A risk that a person raised ends by itself only after the rules have seen
//!   it too; until then they alone know why it is one.

mod record;

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::AccountId;
use super::calendar::WorkCalendar;
use super::diagnosis::{Band, Diagnosis};
use super::person::PersonId;
use super::timer::Owed;

pub use super::record::Present;
pub use super::timer::Timer;
pub use record::RiskRecord;

/// The numbers of the episode (product.md, "Words").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A night at this health or above is a calm one.
    pub calm_health: u8,
    /// So many calm nights in a row end the episode.
    pub calm_nights: u8,
    /// Within so many days it is the same episode.
    pub same_episode_days: u64,
    /// So many points lower are worse.
    pub worse_points: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self { calm_health: 60, calm_nights: 3, same_episode_days: 14, worse_points: 10 }
    }
}

/// What one night says about an account, as far as a risk is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// 0–100; `None` when unknown.
    pub health: Option<u8>,
    pub band: Band,
    /// The rules of the floors that fired: decisions.
    pub floors: BTreeSet<String>,
    /// A churn outcome is known.
    pub churned: bool,
    /// The next future one; `None` where none is known, or nobody had looked yet.
    #[serde(default)]
    pub next_deadline: Option<NaiveDate>,
}

impl Reading {
    pub fn new(diagnosis: &Diagnosis) -> Self {
        let floors = diagnosis.causes.iter().filter(|cause| cause.floor).map(|cause| cause.rule.clone()).collect();
        Self {
            health: diagnosis.health,
            band: diagnosis.band,
            floors,
            churned: diagnosis.churned_on.is_some(),
            next_deadline: diagnosis.renewal.next_deadline,
        }
    }

    /// Nobody has measured anything.
    pub fn unknown() -> Self {
        Self { health: None, band: Band::Unknown, floors: BTreeSet::new(), churned: false, next_deadline: None }
    }

    /// A customer who has churned is at risk whatever the health says.
    fn is_at_risk(&self) -> bool {
        self.band == Band::AtRisk || self.churned
    }

    fn new_decision_since(&self, then: &Reading) -> bool {
        (self.churned && !then.churned) || !self.floors.is_subset(&then.floors)
    }

    /// Unknown is neither lower nor higher: not measured is not zero, and never green. What turns out to be at risk is
    /// worse than not knowing.
    fn lower_band_than(&self, then: &Reading) -> bool {
        let rank = |band| match band {
            Band::Healthy => Some(2),
            Band::Watch => Some(1),
            Band::AtRisk => Some(0),
            Band::Unknown => None,
        };
        let into_risk = then.band == Band::Unknown && self.band == Band::AtRisk;
        into_risk || rank(self.band).zip(rank(then.band)).is_some_and(|(now, then)| now < then)
    }

    fn worse_than(&self, then: &Reading, limits: Limits) -> bool {
        let points =
            self.health.zip(then.health).is_some_and(|(now, then)| then.saturating_sub(now) >= limits.worse_points);
        points || self.lower_band_than(then) || self.new_decision_since(then)
    }

    fn is_calm(&self, limits: Limits) -> bool {
        !self.is_at_risk() && self.health.is_some_and(|health| health >= limits.calm_health)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    Fixed,
    AcceptedLoss,
    NotARisk,
}

impl Resolution {
    pub const ALL: [Resolution; 3] = [Resolution::Fixed, Resolution::AcceptedLoss, Resolution::NotARisk];

    pub fn as_str(self) -> &'static str {
        match self {
            Resolution::Fixed => "fixed",
            Resolution::AcceptedLoss => "accepted_loss",
            Resolution::NotARisk => "not_a_risk",
        }
    }

    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            Resolution::Fixed => "fixed",
            Resolution::AcceptedLoss => "accepted loss",
            Resolution::NotARisk => "not a risk",
        }
    }
}

impl FromStr for Resolution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Resolution::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" resolves no risk; expected fixed, accepted_loss or not_a_risk"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Open,
    Acknowledged {
        by: PersonId,
        /// What is done next; `None` until somebody has said it.
        next_step: Option<String>,
        due: NaiveDate,
    },
    Snoozed {
        by: PersonId,
        /// The day on which it comes back.
        until: NaiveDate,
        /// What was known then: worse wakes it early.
        known: Reading,
    },
    Resolved {
        by: PersonId,
        reason: Resolution,
        known: Reading,
    },
    /// By itself.
    Ended,
}

/// One at-risk episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    pub id: Uuid,
    pub account: AccountId,
    pub opened_on: NaiveDate,
    /// Who raised it and why; `None` where the rules opened it.
    pub raised: Option<Raised>,
    state: State,
    since: DateTime<Utc>,
    version: i32,
    /// Calm nights in a row so far.
    calm: u8,
    /// The last night that was counted; a night run again counts once.
    last_night: NaiveDate,
    latest: Reading,
    /// Whether a night has seen it at risk.
    confirmed: bool,
    /// Of an open or an acknowledged one; every change of state stops it.
    timer: Timer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    pub by: PersonId,
    pub why: String,
}

/// Why a snoozed risk is open again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Woke {
    /// Its day has come.
    Due,
    LowerBand,
    Decision,
    /// A deadline has come nearer than its day.
    Deadline,
}

/// What the audit trail hears (product.md, "Audit events").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RiskEvent {
    Opened,
    Acknowledged,
    StepSet,
    Snoozed,
    Woken(Woke),
    Resolved,
    Reopened,
    Ended,
}

impl RiskEvent {
    pub fn as_str(self) -> &'static str {
        match self {
            RiskEvent::Opened => "risk.opened",
            RiskEvent::Acknowledged => "risk.acknowledged",
            RiskEvent::StepSet => "risk.step_set",
            RiskEvent::Snoozed => "risk.snoozed",
            RiskEvent::Woken(_) => "risk.woken",
            RiskEvent::Resolved => "risk.resolved",
            RiskEvent::Reopened => "risk.reopened",
            RiskEvent::Ended => "risk.ended",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it is already {}", .0.state)]
    Present(Present),
    #[error("a snooze cannot pass the next deadline; the latest day is {latest}")]
    PastDeadline { latest: NaiveDate },
    #[error("the day must be {earliest} or later")]
    TooEarly { earliest: NaiveDate },
    #[error("the next deadline is today: there is no day left to snooze to")]
    DeadlineToday,
    #[error("say in a few words what is done next")]
    StepMissing,
    #[error("it was over by {ended}; raise a new risk instead")]
    TooOld { ended: NaiveDate },
    #[error("its clock has not run out")]
    NotDue,
}

/// What a clock that ran out made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RanOut {
    /// Nobody acknowledged it: their lead hears of it, and the chain ends.
    Unanswered,
    /// Acknowledged, and nothing came of it: open again.
    Idle,
}

/// The new state of things and what to write into the audit trail.
pub type Moved = (Risk, RiskEvent);

/// What a night makes of an account's latest episode: it moves on, or a new one
/// opens under `new_id`. `date` is the night's date, `at` the moment it is written.
pub fn on_night(
    latest: Option<Risk>,
    account: &AccountId,
    new_id: Uuid,
    reading: &Reading,
    date: NaiveDate,
    at: DateTime<Utc>,
    limits: Limits,
) -> (Option<Risk>, Vec<RiskEvent>) {
    let over = latest.as_ref().is_none_or(|risk| risk.is_over(date, limits));
    let begins = match reading.band {
        Band::AtRisk => true,
        // Said once: a loss that was accepted does not come back until the account has left.
        _ => reading.churned && latest.as_ref().is_none_or(|risk| !risk.latest.churned),
    };
    if over && begins && latest.as_ref().is_none_or(|risk| risk.last_night <= date) {
        let opened = Risk::new(new_id, account.clone(), None, reading.clone(), date, at);
        return (Some(opened), vec![RiskEvent::Opened]);
    }
    match latest {
        Some(risk) => {
            let (risk, events) = risk.nightly(reading, date, at, limits);
            (Some(risk), events)
        }
        None => (None, Vec::new()),
    }
}

impl Risk {
    fn new(
        id: Uuid,
        account: AccountId,
        raised: Option<Raised>,
        latest: Reading,
        on: NaiveDate,
        at: DateTime<Utc>,
    ) -> Self {
        let confirmed = latest.is_at_risk();
        Self {
            id,
            account,
            opened_on: on,
            raised,
            state: State::Open,
            since: at,
            version: 1,
            calm: 0,
            last_night: on,
            latest,
            confirmed,
            timer: Timer::Waiting,
        }
    }

    /// A person raises one that the rules do not see. `latest` is the account's latest reading.
    pub fn raise(
        id: Uuid,
        account: AccountId,
        raised: Raised,
        latest: Reading,
        today: NaiveDate,
        at: DateTime<Utc>,
    ) -> Moved {
        (Self::new(id, account, Some(raised), latest, today, at), RiskEvent::Opened)
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn since(&self) -> DateTime<Utc> {
        self.since
    }

    /// 1 when opened, one more with each change: the store's guard against lost updates.
    pub fn version(&self) -> i32 {
        self.version
    }

    pub fn latest(&self) -> &Reading {
        &self.latest
    }

    /// The word in SQL, JSON and lists.
    pub fn state_name(&self) -> &'static str {
        match &self.state {
            State::Open => "open",
            State::Acknowledged { .. } => "acknowledged",
            State::Snoozed { .. } => "snoozed",
            State::Resolved { .. } => "resolved",
            State::Ended => "ended",
        }
    }

    /// Open, acknowledged or snoozed.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Resolved { .. } | State::Ended)
    }

    pub fn present(&self) -> Present {
        let who = match &self.state {
            State::Acknowledged { by, .. } | State::Snoozed { by, .. } | State::Resolved { by, .. } => Some(*by),
            State::Open | State::Ended => None,
        };
        Present { state: self.state_name(), who, since: self.since }
    }

    /// Ended so long ago that what comes now is another episode.
    fn is_over(&self, date: NaiveDate, limits: Limits) -> bool {
        let last = self.since.date_naive().checked_add_days(Days::new(limits.same_episode_days));
        !self.is_open() && last.is_none_or(|last| last < date)
    }

    /// Ended because its account left: no calm nights ended it before, and none was counted after.
    pub fn ended_with_account(&self) -> bool {
        let calm = self.confirmed && self.calm >= Limits::default().calm_nights;
        matches!(self.state, State::Ended) && !calm && self.last_night <= self.since.date_naive()
    }

    // Nights.

    /// Moves on by one night. A date before the last counted night is history
    /// and moves nothing, and so does one too late to be of this episode; the
    /// same night run again counts no calm night twice.
    #[must_use]
    pub fn nightly(
        mut self,
        reading: &Reading,
        date: NaiveDate,
        at: DateTime<Utc>,
        limits: Limits,
    ) -> (Self, Vec<RiskEvent>) {
        if date < self.last_night {
            return (self, Vec::new());
        }
        if self.is_over(date, limits) {
            if self.latest.churned && !reading.churned {
                // They stayed after all: the next churn is news again.
                self.latest.churned = false;
                self.version += 1;
            }
            return (self, Vec::new());
        }
        let before = self.clone();
        self.calm = match (reading.is_calm(limits), date > self.last_night) {
            (false, _) => 0,
            (true, true) => self.calm.saturating_add(1),
            (true, false) => self.calm,
        };
        self.confirmed |= reading.is_at_risk();
        (self.last_night, self.latest) = (date, reading.clone());

        let events = self.turn(date, limits);
        if !events.is_empty() {
            (self.since, self.timer) = (at, Timer::Waiting);
        }
        if self != before {
            self.version += 1;
        }
        (self, events)
    }

    /// What the latest reading does to the state.
    fn turn(&mut self, date: NaiveDate, limits: Limits) -> Vec<RiskEvent> {
        if self.is_open() && self.confirmed && self.calm >= limits.calm_nights {
            self.state = State::Ended;
            return vec![RiskEvent::Ended];
        }
        let at_risk = self.latest.is_at_risk();
        let event = match &mut self.state {
            State::Snoozed { until, known, .. } => {
                let woke = match () {
                    () if self.latest.new_decision_since(known) => Woke::Decision,
                    () if self.latest.lower_band_than(known) => Woke::LowerBand,
                    () if *until <= date => Woke::Due,
                    () if self.latest.next_deadline.is_some_and(|deadline| deadline < *until) => Woke::Deadline,
                    () => return Vec::new(),
                };
                RiskEvent::Woken(woke)
            }
            State::Resolved { known, reason, .. } => {
                if !(at_risk && self.latest.worse_than(known, limits)) {
                    if *reason == Resolution::Fixed && !at_risk && self.latest.health.is_some() {
                        // It has recovered, as was said: a fall from here is news.
                        *known = self.latest.clone();
                    }
                    return Vec::new();
                }
                RiskEvent::Reopened
            }
            State::Ended if at_risk => RiskEvent::Reopened,
            State::Ended | State::Open | State::Acknowledged { .. } => return Vec::new(),
        };
        self.state = State::Open;
        vec![event]
    }

    // Clocks.

    pub fn timer(&self) -> Timer {
        self.timer
    }

    /// Whoever looks after it has been shown it: its clock starts. Shown again it changes nothing.
    #[must_use]
    pub fn shown(mut self, timer: Timer) -> Self {
        if self.state == State::Open && self.timer == Timer::Waiting {
            self.timer = timer;
            self.version += 1;
        }
        self
    }

    /// Somebody else looks after the account: an open one has to be shown to them first, and asks them anew even where
    /// its chain had ended. What is acknowledged has its date, whoever keeps it.
    #[must_use]
    pub fn handed_over(mut self) -> Self {
        if self.state == State::Open && self.timer != Timer::Waiting {
            self.timer = Timer::Waiting;
            self.version += 1;
        }
        self
    }

    /// Sets the clock of one that was just acknowledged, in the same change.
    #[must_use]
    pub fn watched(mut self, timer: Timer) -> Self {
        if matches!(self.state, State::Acknowledged { .. }) {
            self.timer = timer;
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

    /// Its time is over. An idle one is open again, and waits to be shown.
    pub fn run_out(mut self, at: DateTime<Utc>) -> Result<(Self, RanOut), Refused> {
        if self.timer.owed(at) != Some(Owed::End) {
            return Err(Refused::NotDue);
        }
        match self.state {
            State::Acknowledged { .. } => Ok((self.moved(State::Open, at), RanOut::Idle)),
            _ => {
                self.timer = Timer::Over { since: at };
                self.version += 1;
                Ok((self, RanOut::Unanswered))
            }
        }
    }

    // What people do.

    /// One tap. `due` is when the next step is due: 5 working days on, unless
    /// set later with [`Self::set_next_step`].
    pub fn acknowledge(self, by: PersonId, due: NaiveDate, at: DateTime<Utc>) -> Result<Moved, Refused> {
        match &self.state {
            State::Open | State::Snoozed { .. } => {}
            // "Still on it?": one tap says yes.
            State::Acknowledged { .. } if self.is_asked() => {}
            State::Acknowledged { .. } | State::Resolved { .. } | State::Ended => {
                return Err(Refused::Present(self.present()));
            }
        }
        let state = State::Acknowledged { by, next_step: None, due };
        Ok((self.moved(state, at), RiskEvent::Acknowledged))
    }

    /// Says what is done next and by when, today or later. Acknowledges, where nobody had.
    pub fn set_next_step(
        self,
        by: PersonId,
        step: &str,
        due: NaiveDate,
        today: NaiveDate,
        at: DateTime<Utc>,
    ) -> Result<Moved, Refused> {
        if !self.is_open() {
            return Err(Refused::Present(self.present()));
        }
        let step = step.trim();
        if step.is_empty() {
            return Err(Refused::StepMissing);
        }
        if due < today {
            return Err(Refused::TooEarly { earliest: today });
        }
        let state = State::Acknowledged { by, next_step: Some(step.to_owned()), due };
        Ok((self.moved(state, at), RiskEvent::StepSet))
    }

    /// Silent until a day after today, at the latest the next future deadline.
    pub fn snooze(
        self,
        by: PersonId,
        until: NaiveDate,
        next_deadline: Option<NaiveDate>,
        today: NaiveDate,
        at: DateTime<Utc>,
    ) -> Result<Moved, Refused> {
        let same = matches!(&self.state, State::Snoozed { until: already, .. } if *already == until);
        if !self.is_open() || same {
            return Err(Refused::Present(self.present()));
        }
        match next_deadline {
            Some(deadline) if deadline == today => return Err(Refused::DeadlineToday),
            Some(deadline) if deadline > today && until > deadline => {
                return Err(Refused::PastDeadline { latest: deadline });
            }
            _ => {}
        }
        let tomorrow = today.succ_opt().unwrap_or(today);
        if until < tomorrow {
            return Err(Refused::TooEarly { earliest: tomorrow });
        }
        let known = self.latest.clone();
        Ok((self.moved(State::Snoozed { by, until, known }, at), RiskEvent::Snoozed))
    }

    pub fn resolve(self, by: PersonId, reason: Resolution, at: DateTime<Utc>) -> Result<Moved, Refused> {
        if !self.is_open() {
            return Err(Refused::Present(self.present()));
        }
        let known = self.latest.clone();
        Ok((self.moved(State::Resolved { by, reason, known }, at), RiskEvent::Resolved))
    }

    /// A person takes back the end, within the days of the same episode.
    pub fn reopen(mut self, at: DateTime<Utc>, limits: Limits) -> Result<Moved, Refused> {
        if self.is_open() {
            return Err(Refused::Present(self.present()));
        }
        if self.is_over(at.date_naive(), limits) {
            return Err(Refused::TooOld { ended: self.since.date_naive() });
        }
        // The calm nights that had ended it are spent; else the next one would end it again at once.
        self.calm = 0;
        Ok((self.moved(State::Open, at), RiskEvent::Reopened))
    }

    /// The account has left: there is nothing to lose any more.
    pub fn account_left(self, at: DateTime<Utc>) -> Result<Moved, Refused> {
        if !self.is_open() {
            return Err(Refused::Present(self.present()));
        }
        Ok((self.moved(State::Ended, at), RiskEvent::Ended))
    }

    /// Acknowledged, its step overdue, and asked whether somebody is still on it.
    pub fn is_asked(&self) -> bool {
        matches!(self.state, State::Acknowledged { .. }) && self.timer.is_reminded()
    }

    fn moved(mut self, state: State, at: DateTime<Utc>) -> Self {
        (self.state, self.since, self.timer) = (state, at, Timer::Waiting);
        self.version += 1;
        self
    }
}

#[cfg(test)]
mod tests;
