//! How things stand, as the wording wants to be told.

use chrono::{DateTime, NaiveDate, Utc};

use super::Click;
use crate::app::snapshot::Snapshot;
use crate::domain::account::Account;
use crate::domain::calendar::local_date;
use crate::domain::handoff::{self, Handoff, Return};
use crate::domain::message::view::{HandoffState, RenewalState, Resolution, RiskState};
use crate::domain::message::{Message, answer};
use crate::domain::person::PersonId;
use crate::domain::renewal_work::{self, Outcome, RenewalWork};
use crate::domain::risk::{self, Risk};
use crate::domain::routing::Seat;

/// Names and days as one reader reads them.
struct Reader<'a> {
    snapshot: &'a Snapshot,
    me: PersonId,
}

impl Reader<'_> {
    fn name(&self, id: PersonId) -> String {
        self.snapshot.name_for(id, Some(self.me))
    }

    fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        let zone = self.snapshot.person(self.me).map_or(self.snapshot.organisation.timezone, |me| me.timezone);
        local_date(zone, at)
    }

    fn risk(&self, risk: &Risk) -> RiskState {
        let on = self.day(risk.since());
        match risk.state() {
            risk::State::Open => RiskState::Open,
            risk::State::Acknowledged { by, next_step, due } => {
                RiskState::Acknowledged { by: self.name(*by), on, step: next_step.clone(), due: *due }
            }
            risk::State::Snoozed { by, until, .. } => RiskState::Snoozed { by: self.name(*by), on, until: *until },
            risk::State::Resolved { by, reason, .. } => {
                let how = match reason {
                    risk::Resolution::Fixed => Resolution::Fixed,
                    risk::Resolution::AcceptedLoss => Resolution::AcceptedLoss,
                    risk::Resolution::NotARisk => Resolution::NotARisk,
                };
                RiskState::Resolved { by: self.name(*by), on, how, note: None }
            }
            risk::State::Ended => RiskState::Ended { on },
        }
    }

    fn handoff(&self, handoff: &Handoff) -> HandoffState {
        let on = self.day(handoff.since());
        let until = handoff.due().map(|due| self.day(due));
        match handoff.state() {
            handoff::State::Detected { holder, .. } => HandoffState::Detected { holder: self.name(*holder), until },
            handoff::State::Qualified { holder } => HandoffState::Qualified { by: self.name(*holder), on },
            handoff::State::Offered { to, from, .. } => HandoffState::Offered {
                to: self.seat(to),
                answers_for_pool: to.pool().map(|_| self.name(to.accountable())),
                by: from.map(|from| self.name(from)),
                until,
            },
            handoff::State::Accepted { by, .. } => HandoffState::Accepted { by: self.name(*by), on },
            handoff::State::Returned { holder, how } => {
                let back_to = self.name(*holder);
                match how {
                    Return::Declined { by, reason } => {
                        HandoffState::Declined { by: self.name(*by), on, reason: reason.clone(), back_to }
                    }
                    Return::Expired { .. } => HandoffState::Expired { on, back_to },
                    Return::HandedBack { by, note } => {
                        HandoffState::HandedBack { by: self.name(*by), on, note: note.clone(), back_to }
                    }
                }
            }
            handoff::State::Won { by, amount } => HandoffState::Won { by: self.name(*by), on, amount: *amount },
            handoff::State::Lost { by, reason } => {
                HandoffState::Lost { by: self.name(*by), on, reason: reason.clone() }
            }
            handoff::State::Passed { by, reason } => {
                HandoffState::Passed { by: self.name(*by), on, reason: reason.clone() }
            }
            handoff::State::Withdrawn { by } => HandoffState::Withdrawn { by: self.name(*by), on },
            handoff::State::Closed { reason } => HandoffState::Closed { on, reason: reason.clone() },
        }
    }

    fn seat(&self, seat: &Seat) -> String {
        match seat {
            Seat::Person(person) => self.name(*person),
            Seat::Pool { name, .. } => format!("the {name} pool"),
        }
    }

    fn renewal(&self, work: &RenewalWork) -> RenewalState {
        let on = self.day(work.since());
        match work.state() {
            renewal_work::State::Upcoming => RenewalState::Upcoming,
            renewal_work::State::Preparing => RenewalState::Preparing { since: on },
            renewal_work::State::Negotiating => RenewalState::Negotiating { since: on },
            renewal_work::State::Ended { outcome, by } => {
                let by = by.map(|by| self.name(by));
                match outcome {
                    Outcome::Renewed { arr_after } => RenewalState::Renewed { by, on, amount: *arr_after },
                    Outcome::Contracted { arr_after } => RenewalState::Contracted { by, on, amount: *arr_after },
                    Outcome::Lost { reason } => RenewalState::Lost { by, on, reason: reason.clone() },
                }
            }
        }
    }
}

impl Click<'_> {
    fn reader(&self) -> Reader<'_> {
        Reader { snapshot: &self.snapshot, me: self.me }
    }

    pub(super) fn present_risk(&self, account: &Account, risk: &Risk) -> Message {
        answer::present_risk(&account.name, &self.reader().risk(risk), self.today)
    }

    pub(super) fn present_handoff(&self, account: &Account, handoff: &Handoff) -> Message {
        let minutes = (self.now - handoff.since()).num_minutes();
        let minutes_ago = u32::try_from(minutes).ok().filter(|minutes| *minutes < 60);
        answer::present_handoff(&account.name, &self.reader().handoff(handoff), minutes_ago, self.today)
    }

    pub(super) fn present_renewal(&self, account: &Account, work: &RenewalWork) -> Message {
        answer::present_renewal(&account.name, &self.reader().renewal(work), self.today)
    }

    /// First name, "you", or the pool's name.
    pub(super) fn seat_name(&self, seat: &Seat) -> String {
        self.reader().seat(seat)
    }

    pub(super) fn name(&self, id: PersonId) -> String {
        self.reader().name(id)
    }
}
