//! How things stand, as private answers.

use super::Click;
use crate::app::views::Reader;
use crate::domain::account::Account;
use crate::domain::handoff::Handoff;
use crate::domain::message::{Message, answer};
use crate::domain::person::PersonId;
use crate::domain::renewal_work::RenewalWork;
use crate::domain::risk::Risk;
use crate::domain::routing::Seat;

impl Click<'_> {
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader::new(&self.snapshot, Some(self.me), self.now)
    }

    pub(super) fn present_risk(&self, account: &Account, risk: &Risk) -> Message {
        answer::present_risk(&account.name, &self.reader().risk_state(risk), self.today)
    }

    pub(super) fn present_handoff(&self, account: &Account, handoff: &Handoff) -> Message {
        let minutes = (self.now - handoff.since()).num_minutes();
        let minutes_ago = u32::try_from(minutes).ok().filter(|minutes| *minutes < 60);
        answer::present_handoff(&account.name, &self.reader().handoff_state(handoff), minutes_ago, self.today)
    }

    pub(super) fn present_renewal(&self, account: &Account, work: &RenewalWork) -> Message {
        answer::present_renewal(&account.name, &self.reader().renewal_state(work), self.today)
    }

    /// First name, "you", or the pool's name.
    pub(super) fn seat_name(&self, seat: &Seat) -> String {
        self.reader().seat(seat)
    }

    pub(super) fn name(&self, id: PersonId) -> String {
        self.reader().name(id)
    }
}
