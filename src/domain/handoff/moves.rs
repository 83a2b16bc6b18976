//! The moves: what clocks and nights do to a handoff, and what people do.

use chrono::{DateTime, NaiveDate, Utc};

use super::reason;
use super::{Clocks, Gate, Handoff, HandoffEvent, Matter, Moved, Qualification, Refused, Return, State, Timer, Window};
use crate::domain::calendar::WorkCalendar;
use crate::domain::diagnosis::{FoundWindow, WindowKind};
use crate::domain::money::Money;
use crate::domain::person::PersonId;
use crate::domain::routing::{Seat, Start};
use crate::domain::timer::{IDLE_WORKING_DAYS, Owed};

impl Handoff {
    // Clocks and nights.

    /// The accountable person has been shown it, or has just put it into their own
    /// hands: the clock starts, in their business hours. Shown again, or withheld,
    /// it changes nothing. It is no move: what the other side is yet to be told of
    /// the last one is not overtaken by it.
    ///
    /// What was claimed is work of weeks: it is asked about when nothing was done
    /// about it for [`IDLE_WORKING_DAYS`].
    #[must_use]
    pub fn delivered(mut self, at: DateTime<Utc>, clocks: Clocks, calendar: &WorkCalendar<'_>) -> Self {
        if self.is_withheld() || self.timer != Timer::Waiting {
            return self;
        }
        self.timer = match &self.state {
            State::Detected { .. } | State::Qualified { .. } | State::Returned { .. } => {
                Timer::start(at, clocks.hold_business_days, calendar)
            }
            State::Offered { .. } => Timer::start(at, clocks.accept_business_days, calendar),
            State::Accepted { .. } => {
                let today = calendar.local_date(at);
                Timer::ask_on(at, today, IDLE_WORKING_DAYS, clocks.accept_business_days, calendar)
            }
            State::Won { .. }
            | State::Lost { .. }
            | State::Passed { .. }
            | State::Withdrawn { .. }
            | State::Closed { .. } => return self,
        };
        self
    }

    /// The one reminder was given; time is left after it, also where it came late.
    pub fn reminded(mut self, at: DateTime<Utc>, calendar: &WorkCalendar<'_>) -> Result<Self, Refused> {
        let (Some(Owed::Reminder), Some(left)) = (self.timer.owed(at), self.timer.after_reminder(calendar)) else {
            return Err(Refused::NotDue { due: self.timer.next() });
        };
        self.timer = self.timer.reminded(at, left, calendar);
        self.version += 1;
        Ok(self)
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
            let reason = format!("it was open until {}", window.closes_on.format("%-d %b %Y"));
            return (self.moved(State::Closed { reason }, at), Some(HandoffEvent::WindowClosed));
        }
        let before = self.clone();
        if let (Matter::Window(window), Some(found)) = (&mut self.matter, found) {
            let fresh = Window::from(found);
            (window.reason, window.co_term) = (fresh.reason, fresh.co_term);
            if !window.amount_confirmed {
                window.amount = fresh.amount;
            }
        }
        self.gate = self.gate_for(withheld_by, at);
        if before.is_withheld() != self.is_withheld() {
            // No clock runs while withheld; released, it starts anew when it has been shown.
            self.timer = Timer::Waiting;
        }
        if self != before {
            self.version += 1;
        }
        (self, None)
    }

    pub(super) fn gate_for(&self, withheld_by: Option<&str>, at: DateTime<Utc>) -> Gate {
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
        let State::Detected { holder } = self.state else { return Err(Refused::Present(self.present())) };
        self.run_out(at)?;
        if self.solo || to == Seat::Person(holder) {
            return Err(Refused::SamePerson);
        }
        Ok((self.moved(State::Offered { to, from: None }, at), HandoffEvent::Offered))
    }

    /// A qualified window that its holder did not pass on: offered to `to` in their name, as the CSQL that it is.
    pub fn offer_for(self, to: Seat, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let State::Qualified { holder } = self.state else { return Err(Refused::Present(self.present())) };
        self.run_out(at)?;
        if self.solo || to == Seat::Person(holder) {
            return Err(Refused::SamePerson);
        }
        Ok((self.moved(State::Offered { to, from: Some(holder) }, at), HandoffEvent::Offered))
    }

    /// The time to accept is over: back to who offered it, to `lead` where a
    /// rule had, or where one person holds both roles and did not act.
    pub fn expire(self, lead: PersonId, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let (holder, late) = match &self.state {
            State::Offered { to, from } => (from.unwrap_or(lead), to.accountable()),
            State::Detected { holder } | State::Qualified { holder } => (lead, *holder),
            _ => return Err(Refused::Present(self.present())),
        };
        self.run_out(at)?;
        Ok((self.moved(State::Returned { holder, how: Return::Expired { late } }, at), HandoffEvent::Expired))
    }

    /// What was claimed, or came back, and lies there: the lead hears of it, and the chain ends. It stays where it is.
    pub fn let_rest(mut self, at: DateTime<Utc>) -> Result<Self, Refused> {
        let (State::Accepted { .. } | State::Returned { .. }) = self.state else {
            return Err(Refused::Present(self.present()));
        };
        self.run_out(at)?;
        self.timer = Timer::Over { since: at };
        self.version += 1;
        Ok(self)
    }

    /// The end of a clock: never before its reminder was given, however late the look.
    fn run_out(&self, at: DateTime<Utc>) -> Result<(), Refused> {
        match self.timer.owed(at) {
            Some(Owed::End) => Ok(()),
            _ => Err(Refused::NotDue { due: self.due() }),
        }
    }

    /// Whoever has it is away: it lies with their stand-in until they are back, and a clock starts anew with them.
    /// A pool's offer is its members'.
    pub fn stand_in(self, to: PersonId, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let (Some(away), false) =
            (self.accountable(), matches!(&self.state, State::Offered { to: Seat::Pool { .. }, .. }))
        else {
            return Err(Refused::Present(self.present()));
        };
        // An offer would go back to who made it.
        if to == away || matches!(&self.state, State::Offered { from: Some(from), .. } if *from == to) {
            return Err(Refused::SamePerson);
        }
        let (whose, since) = (self.stands_in_for.unwrap_or(away), self.since);
        let (mut moved, event) = self.reassign(to, at)?;
        // An absence changes nothing about when it was offered, claimed or came back.
        (moved.stands_in_for, moved.since) = ((whose != to).then_some(whose), since);
        Ok((moved, event))
    }

    /// Who was away is back.
    pub fn come_back(self, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let since = self.since;
        match self.stands_in_for {
            Some(back) if self.is_open() => {
                self.reassign(back, at).map(|(moved, event)| (Self { since, ..moved }, event))
            }
            _ => Err(Refused::Present(self.present())),
        }
    }

    // What people do.

    /// Whoever claimed it says that they are still on it, or did something about it: the clock starts anew.
    pub fn carried_on(mut self) -> Result<Self, Refused> {
        let State::Accepted { .. } = self.state else { return Err(Refused::Present(self.present())) };
        self.timer = Timer::Waiting;
        self.version += 1;
        Ok(self)
    }

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
        Ok((self.moved(State::Offered { to, from: Some(by) }, at), HandoffEvent::Offered))
    }

    /// Offers go to `counterpart`: where that is whoever holds it, they may claim it, and in their own right, even if
    /// they hold it for somebody who is away.
    #[must_use]
    pub fn with_counterpart(mut self, counterpart: &Seat) -> Self {
        if !self.solo && self.lies_with(counterpart) {
            (self.solo, self.stands_in_for) = (true, None);
        }
        self
    }

    /// *Claim*. Of two at once one wins; the other is told who.
    pub fn accept(self, by: PersonId, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let from = match &self.state {
            State::Offered { from, .. } => *from,
            State::Detected { .. } | State::Qualified { .. } | State::Returned { .. } if self.solo => None,
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

    /// A sale that was made. What is no window ends by being passed or handed back.
    pub fn won(self, by: PersonId, amount: Option<Money>, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let State::Accepted { .. } = &self.state else { return Err(Refused::Present(self.present())) };
        if self.window().is_none() {
            return Err(Refused::WindowsOnly);
        }
        Ok((self.moved(State::Won { by, amount }, at), HandoffEvent::Won))
    }

    pub fn lost(self, by: PersonId, why: &str, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let State::Accepted { .. } = &self.state else { return Err(Refused::Present(self.present())) };
        if self.window().is_none() {
            return Err(Refused::WindowsOnly);
        }
        Ok((self.moved(State::Lost { by, reason: reason(why)? }, at), HandoffEvent::Lost))
    }

    /// A lead, or a book transfer, makes somebody else accountable, or the stand-in who has it already, in their own
    /// right; a clock starts anew with them. When it was offered, or came back, stays as it was.
    pub fn reassign(mut self, to: PersonId, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let of_pool = matches!(&self.state, State::Offered { to: Seat::Pool { .. }, .. });
        if self.accountable() == Some(to) && self.stands_in_for.is_none() && !of_pool {
            return Err(Refused::SamePerson);
        }
        self.stands_in_for = None;
        let state = match &self.state {
            State::Detected { .. } => State::Detected { holder: to },
            State::Qualified { .. } => State::Qualified { holder: to },
            State::Offered { from, .. } => State::Offered { to: Seat::Person(to), from: *from },
            State::Accepted { from, .. } => State::Accepted { by: to, from: *from },
            State::Returned { how, .. } => State::Returned { holder: to, how: how.clone() },
            _ => return Err(Refused::Present(self.present())),
        };
        let since = if matches!(state, State::Offered { .. } | State::Returned { .. }) { self.since } else { at };
        Ok((Self { since, ..self.moved(state, at) }, HandoffEvent::Reassigned))
    }

    /// A lead gives it to somebody who is to answer it: what nobody has claimed yet is offered to them, in the name of
    /// whoever had it; of a window that nobody has qualified, the rule's offer.
    pub fn reassign_as_offer(self, to: PersonId, at: DateTime<Utc>) -> Result<Moved, Refused> {
        let from = match &self.state {
            State::Detected { .. } => None,
            State::Qualified { holder } | State::Returned { holder, .. } => Some(*holder),
            _ => return self.reassign(to, at),
        };
        if self.accountable() == Some(to) {
            return Err(Refused::SamePerson);
        }
        Ok((self.moved(State::Offered { to: Seat::Person(to), from }, at), HandoffEvent::Offered))
    }

    /// The organisation model has changed: it lies with whom the routing names now, `start` for a window that nobody
    /// offered yet, `counterpart` for an offer. What somebody has claimed stays theirs. `None` where nothing changes.
    pub fn rerouted(mut self, start: &Start, counterpart: Option<&Seat>, at: DateTime<Utc>) -> Option<Moved> {
        let (was_solo, solo) = (self.solo, matches!(start, Start::Solo(_)));
        let first = match start {
            Start::Detector(person) | Start::Solo(person) => *person,
            Start::Offered(seat) => seat.accountable(),
        };
        let state = match (&self.state, start) {
            (State::Detected { holder, .. }, Start::Detector(_) | Start::Solo(_)) if *holder == first => None,
            (State::Detected { .. }, Start::Detector(_) | Start::Solo(_)) => Some(State::Detected { holder: first }),
            (State::Detected { .. }, Start::Offered(to)) => Some(State::Offered { to: to.clone(), from: None }),
            (State::Qualified { holder } | State::Returned { holder, .. }, _)
                if *holder == first || counterpart.is_some_and(|seat| seat.accountable() == *holder) =>
            {
                None
            }
            (State::Qualified { .. }, _) => Some(State::Qualified { holder: first }),
            (State::Returned { how, .. }, _) => Some(State::Returned { holder: first, how: how.clone() }),
            // One person holds both roles now: there is nobody to wait for.
            (State::Offered { .. }, Start::Solo(_)) if self.window().is_none() => {
                return self.close("one person holds both roles now", at).ok();
            }
            (State::Offered { .. }, Start::Solo(_)) if self.is_csql() => Some(State::Qualified { holder: first }),
            (State::Offered { .. }, Start::Solo(_)) => Some(State::Detected { holder: first }),
            (State::Offered { to, from, .. }, _) => {
                let offerer = from.map(Seat::Person);
                let to = counterpart.filter(|seat| *seat != to && Some(*seat) != offerer.as_ref());
                to.map(|to| State::Offered { to: to.clone(), from: *from })
            }
            // Claimed: theirs. Ended: over.
            _ => return None,
        };
        self.solo = solo && self.window().is_some();
        match state {
            Some(state @ State::Offered { .. }) if matches!(self.state, State::Detected { .. }) => {
                Some((self.moved(state, at), HandoffEvent::Offered))
            }
            Some(state) => Some((self.moved(state, at), HandoffEvent::Reassigned)),
            None if self.solo != was_solo => {
                self.version += 1;
                Some((self, HandoffEvent::Reassigned))
            }
            None => None,
        }
    }

    /// The pool that has the offer gets another lead; its members' offer and clock stand.
    pub fn pool_led_by(mut self, lead: PersonId) -> Result<Self, Refused> {
        match &mut self.state {
            State::Offered { to: Seat::Pool { accountable, .. }, .. } if *accountable == lead => {
                Err(Refused::SamePerson)
            }
            State::Offered { to: Seat::Pool { accountable, .. }, .. } => {
                *accountable = lead;
                self.version += 1;
                Ok(self)
            }
            _ => Err(Refused::Present(self.present())),
        }
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

    /// Nobody has to weigh a risk that was resolved or that ended by itself.
    pub fn risk_settled(self, at: DateTime<Utc>) -> Result<Moved, Refused> {
        self.close("the risk is settled", at)
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
        let before = self.accountable();
        (self.state, self.since, self.timer) = (state, at, Timer::Waiting);
        let is_pools = matches!(&self.state, State::Offered { to: Seat::Pool { .. }, .. });
        if self.accountable() != before || is_pools {
            // Whoever has it now has it in their own right; a pool's offer is its members', also where who leads them stood in.
            self.stands_in_for = None;
        }
        self.version += 1;
        self
    }
}
