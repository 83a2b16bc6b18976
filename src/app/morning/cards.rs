//! What is open on the accounts of a book, as cards of one person's morning.

use chrono::NaiveDate;

use super::book::Books;
use crate::app::read::Line;
use crate::app::snapshot::Snapshot;
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::diagnosis::CHURNED;
use crate::domain::digest::{Attention, Card, CardRef};
use crate::domain::handoff::{Handoff, Matter, State};
use crate::domain::message::cause;
use crate::domain::money::Money;
use crate::domain::person::{Person, PersonId};
use crate::domain::renewal_work::{self, RenewalWork};
use crate::domain::risk;
use crate::domain::routing::{Routed, Seat};

/// Everything open that could stand in this person's morning.
pub(super) fn cards(snapshot: &Snapshot, person: &Person, books: &Books) -> Vec<Card> {
    let mut cards = Vec::new();
    for line in books.of(person.id) {
        let make = Maker {
            snapshot,
            person,
            line,
            renewal: books.renewals.get(&line.account.id),
            stands_for: books.stands_for(person.id),
            today: books.today,
            first_run: books.first_run,
            worse: books.worse.get(&line.account.id).copied(),
        };
        let with_attention = |mut card: Card, subject: Subject| {
            let by_day = match &subject {
                Subject::Risk(id) => {
                    books.told.get(&(person.id, *id)).map(|at| calendar::local_date(person.timezone, *at))
                }
                _ => None,
            };
            let shown = books.shown.get(&(person.id, subject)).copied();
            card.attention.last_shown = shown.max(by_day).max(card.attention.last_shown);
            card
        };
        if let Some((card, subject)) = make.risk() {
            cards.push(with_attention(card, subject));
        }
        for handoff in line.handoffs.iter().filter(|handoff| handoff.is_open()) {
            cards.push(with_attention(make.handoff(handoff), Subject::Handoff(handoff.id)));
        }
        if let Some((card, subject)) = make.renewal() {
            cards.push(with_attention(card, subject));
        }
    }
    cards
}

/// Makes the cards of one account for one person.
struct Maker<'a> {
    snapshot: &'a Snapshot,
    person: &'a Person,
    line: &'a Line,
    renewal: Option<&'a RenewalWork>,
    /// Themself, and whoever is away and named them delegate.
    stands_for: &'a [PersonId],
    today: NaiveDate,
    first_run: Option<NaiveDate>,
    worse: Option<NaiveDate>,
}

impl Maker<'_> {
    fn card(&self, about: CardRef, stake: Option<Money>, cause: String, mine: bool) -> Card {
        Card {
            about,
            account: self.line.account.id.clone(),
            name: self.line.account.name.clone(),
            stake,
            risk: self.line.diagnosis.as_ref().and_then(|diagnosis| diagnosis.risk),
            decision: None,
            next_deadline: self.line.deadline().map(|deadline| deadline.on),
            cause,
            mine,
            offered: false,
            withheld: false,
            backlog: false,
            attention: Attention::default(),
        }
    }

    fn routed_to_me(&self, who: impl Fn(&Routed) -> PersonId) -> bool {
        self.snapshot.route(&self.line.account, self.today).is_ok_and(|routed| who(&routed) == self.person.id)
    }

    /// Whether the account is in this person's book by name, theirs or that of one they stand in for, and not through
    /// a pool.
    fn is_named(&self) -> bool {
        let named = [self.line.account.csm, self.line.account.account_manager];
        named.into_iter().flatten().any(|id| self.stands_for.contains(&id))
    }

    fn risk(&self) -> Option<(Card, Subject)> {
        let risk = self.line.risk.as_ref()?;
        let (acknowledged, next_step) = match risk.state() {
            risk::State::Open => (false, None),
            risk::State::Acknowledged { due, .. } => (true, Some(*due)),
            risk::State::Snoozed { .. } | risk::State::Resolved { .. } | risk::State::Ended => return None,
        };
        let diagnosis = self.line.diagnosis.as_ref();
        let decisions = diagnosis.map_or(&[][..], |diagnosis| diagnosis.decisions.as_slice());
        let churned = decisions.iter().any(|name| name == CHURNED).then_some(CHURNED);
        let first = churned.or(diagnosis.and_then(|diagnosis| diagnosis.cause.as_deref()));
        let raised = if risk.raised.is_some() { "raised" } else { "unknown" };
        let mut card = self.card(
            CardRef::Risk(risk.id),
            self.line.account.arr,
            first.unwrap_or(raised).to_owned(),
            self.routed_to_me(|routed| routed.risks),
        );
        let mut weighty = churned.into_iter().chain(decisions.iter().map(String::as_str));
        card.decision = weighty.find_map(cause::decision).map(str::to_owned);
        card.backlog = self.first_run == Some(risk.opened_on);
        let open_since = matches!(risk.state(), risk::State::Open)
            .then(|| calendar::local_date(self.snapshot.organisation.timezone, risk.since()));
        // Who acknowledged it from a line or a list has seen it, though it was no card of theirs.
        let seen = matches!(risk.state(), risk::State::Acknowledged { by, .. } if *by == self.person.id)
            .then(|| calendar::local_date(self.person.timezone, risk.since()));
        card.attention =
            Attention { last_shown: seen, acknowledged, next_step, step_reached: None, worse: self.worse, open_since };
        Some((card, Subject::Risk(risk.id)))
    }

    fn handoff(&self, handoff: &Handoff) -> Card {
        let me = self.person.id;
        let offered = match handoff.state() {
            State::Offered { to: Seat::Person(to), .. } => *to == me,
            State::Offered { to: Seat::Pool { name, .. }, .. } => self.person.pool.as_ref() == Some(name),
            _ => false,
        };
        let (about, stake, cause) = match &handoff.matter {
            Matter::Window(window) => (CardRef::Window(handoff.id), window.amount, window.kind.as_str()),
            Matter::RiskToWeigh { .. } | Matter::Warning { .. } => {
                (CardRef::Handed(handoff.id), self.line.account.arr, "handed")
            }
        };
        let is_offer = matches!(handoff.state(), State::Offered { .. });
        let mut card = self.card(about, stake, cause.to_owned(), !is_offer && handoff.accountable() == Some(me));
        card.offered = offered;
        card.withheld = handoff.is_withheld();
        card.backlog = handoff
            .window()
            .is_some_and(|window| window.raised_by.is_none() && self.first_run == Some(window.opens_on));
        let due = handoff.due().map(|due| calendar::local_date(self.person.timezone, due));
        card.attention = Attention {
            acknowledged: matches!(handoff.state(), State::Accepted { .. }),
            next_step: due,
            ..Attention::default()
        };
        card
    }

    fn renewal(&self) -> Option<(Card, Subject)> {
        let work = self.renewal.filter(|work| work.is_open())?;
        let (stage, reached) = work.step()?;
        let owner = work.owner() == self.person.id;
        let briefs = work.wants_brief() && self.line.account.csm == Some(self.person.id);
        // A pool stands in for windows. The renewals of its accounts are the owner's: a member hears nothing of them.
        if !(owner || briefs || self.is_named()) {
            return None;
        }
        let mut card = self.card(
            CardRef::Renewal(work.id),
            self.line.account.arr,
            format!("renewal_{}", stage.as_str()),
            owner || briefs,
        );
        card.backlog = self.first_run == Some(reached);
        card.attention = Attention {
            acknowledged: !matches!(work.state(), renewal_work::State::Upcoming),
            step_reached: Some(reached),
            ..Attention::default()
        };
        Some((card, Subject::Renewal(work.id)))
    }
}
