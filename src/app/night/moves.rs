//! What a live night moves about one account: its risk, its windows, its renewal.

use serde_json::json;
use uuid::Uuid;

use super::Night;
use super::renewals::{self, Term};
use crate::app::transfer::renewal_entry;
use crate::domain::account::{Account, AccountId};
use crate::domain::action::Subject;
use crate::domain::diagnosis::{Diagnosis, FoundWindow, WindowKind};
use crate::domain::handoff::{Handoff, HandoffEvent, State, Window};
use crate::domain::health::Evidence;
use crate::domain::renewal;
use crate::domain::renewal_work::{Outcome, RenewalWork};
use crate::domain::risk::{self, Limits, Reading, Risk, RiskEvent, Woke};
use crate::domain::routing::{Routed, Seat};
use crate::store::audit::Entry;
use crate::store::outcome::KnownOutcome;

/// What people have in hand about one account when the night comes.
pub(super) struct Standing<'a> {
    pub(super) handoffs: Vec<Handoff>,
    /// The newest episode, over or not.
    pub(super) risk: Option<Risk>,
    /// The open work, else the newest that ended.
    pub(super) renewal: Option<RenewalWork>,
    pub(super) outcomes: &'a [KnownOutcome],
}

/// What is to be saved.
#[derive(Default)]
pub(super) struct Moves {
    pub(super) risks: Vec<Risk>,
    pub(super) moved_handoffs: Vec<Handoff>,
    pub(super) new_handoffs: Vec<Handoff>,
    pub(super) renewals: Vec<RenewalWork>,
    pub(super) entries: Vec<Entry>,
    /// Accounts whose messages say something else now.
    pub(super) shown: Vec<AccountId>,
    pub(super) unrouted: u32,
}

impl Moves {
    pub(super) fn add(&mut self, other: Moves) {
        self.risks.extend(other.risks);
        self.moved_handoffs.extend(other.moved_handoffs);
        self.new_handoffs.extend(other.new_handoffs);
        self.renewals.extend(other.renewals);
        self.entries.extend(other.entries);
        self.shown.extend(other.shown);
        self.unrouted += other.unrouted;
    }

    pub(super) fn shows(&self) -> bool {
        !self.shown.is_empty()
    }

    fn record(&mut self, event: &'static str, subject: Subject, account: &AccountId, mut data: serde_json::Value) {
        data["account"] = json!(account);
        self.entries.push(Entry::new(event, subject, data));
    }

    fn shown(&mut self, account: &AccountId) {
        if self.shown.last() != Some(account) {
            self.shown.push(account.clone());
        }
    }
}

impl Night {
    pub(super) fn moves(
        &self,
        account: &Account,
        evidence: &Evidence,
        diagnosis: &Diagnosis,
        standing: Standing<'_>,
    ) -> Moves {
        let mut moves = Moves::default();
        let routed = self.snapshot.route(account, self.date).ok();
        moves.unrouted = u32::from(routed.is_none());
        let settled = self.risk(&account.id, standing.risk, &Reading::new(diagnosis), &mut moves);
        let handoffs = self.without_settled(settled, standing.handoffs, &mut moves);
        self.windows(account, diagnosis, handoffs, routed.as_ref(), &mut moves);

        let auto_renew = evidence.auto_renew();
        let term = Term {
            account,
            outcomes: standing.outcomes,
            churned: diagnosis.churned_on.is_some(),
            deadline: renewal::next_deadline(account, auto_renew, &self.policy, self.date).map(|deadline| deadline.on),
            step: renewal::ladder_step(account, auto_renew, &self.policy, self.date),
            owner: routed.as_ref().map(|routed| routed.renewal_owner),
            date: self.date,
            at: self.at,
        };
        let tonight = renewals::tonight(standing.renewal, &term);
        self.renewal(&account.id, tonight, &mut moves);
        moves
    }

    fn limits(&self) -> Limits {
        let points = self.policy.score.change_points;
        Limits { worse_points: u8::try_from(points).unwrap_or(u8::MAX), ..Limits::default() }
    }

    /// The episode that is over after this night.
    fn risk(&self, account: &AccountId, latest: Option<Risk>, reading: &Reading, moves: &mut Moves) -> Option<Uuid> {
        let before = latest.clone();
        let (after, events) =
            risk::on_night(latest, account, Uuid::now_v7(), reading, self.date, self.at, self.limits());
        let after = after?;
        let settled = (!after.is_open()).then_some(after.id);
        if before.as_ref() == Some(&after) {
            return settled;
        }
        for event in events {
            let data = match event {
                RiskEvent::Woken(why) => json!({"date": self.date, "why": woke(why)}),
                _ => json!({"date": self.date}),
            };
            moves.record(event.as_str(), Subject::Risk(after.id), account, data);
            moves.shown(account);
        }
        moves.risks.push(after);
        settled
    }

    /// Nobody has to weigh a risk that is over; the rest goes on.
    fn without_settled(&self, settled: Option<Uuid>, handoffs: Vec<Handoff>, moves: &mut Moves) -> Vec<Handoff> {
        let weighs = |handoff: &Handoff| settled.is_some_and(|risk| handoff.weighs(risk));
        let (over, rest) = handoffs.into_iter().partition::<Vec<_>, _>(weighs);
        for (closed, event) in over.into_iter().filter_map(|handoff| handoff.risk_settled(self.at).ok()) {
            self.record_handoff(&closed, event, moves);
            moves.shown(&closed.account);
            moves.moved_handoffs.push(closed);
        }
        rest
    }

    fn windows(
        &self,
        account: &Account,
        diagnosis: &Diagnosis,
        handoffs: Vec<Handoff>,
        routed: Option<&Routed>,
        moves: &mut Moves,
    ) {
        let withheld_by = diagnosis.gate();
        let mut held: Vec<WindowKind> = Vec::new();
        for handoff in handoffs.into_iter().filter(Handoff::is_open) {
            let before = handoff.clone();
            // What a person raised keeps their words and their amount.
            let found = handoff
                .window()
                .filter(|window| window.raised_by.is_none())
                .and_then(|window| diagnosis.windows.iter().find(|found| found.kind == window.kind));
            let (after, event) = handoff.nightly(found, withheld_by, self.date, self.at);
            let (after, reassigned) = self.with_somebody_here(after, routed);
            if let (true, Some(window)) = (after.is_open(), after.window()) {
                held.push(window.kind);
            }
            for event in event.into_iter().chain(reassigned) {
                self.record_handoff(&after, event, moves);
            }
            if after != before {
                moves.shown(&account.id);
                moves.moved_handoffs.push(after);
            }
        }
        let Some(routed) = routed else { return };
        for found in diagnosis.windows.iter().filter(|found| !held.contains(&found.kind)) {
            self.open(account, found, routed, moves);
        }
    }

    fn open(&self, account: &Account, found: &FoundWindow, routed: &Routed, moves: &mut Moves) {
        let (handoff, events) = Handoff::detect(
            Uuid::now_v7(),
            account.id.clone(),
            Window::from(found),
            routed.windows.clone(),
            found.withheld_by.as_deref(),
            self.at,
        );
        for event in events {
            self.record_handoff(&handoff, event, moves);
        }
        moves.shown(&account.id);
        moves.new_handoffs.push(handoff);
    }

    /// An open handoff whose accountable person has left goes to whom the account's route names now; a pool's
    /// offer follows the pool's lead.
    fn with_somebody_here(&self, handoff: Handoff, routed: Option<&Routed>) -> (Handoff, Option<HandoffEvent>) {
        let (Some(routed), Some(holder)) = (routed, handoff.accountable()) else { return (handoff, None) };
        if let (State::Offered { to: Seat::Pool { name, .. }, .. }, Seat::Pool { name: same, accountable }) =
            (handoff.state(), &routed.account_manager)
            && name == same
        {
            return (handoff.clone().pool_led_by(*accountable).unwrap_or(handoff), None);
        }
        if self.snapshot.person(holder).is_some_and(|person| person.active) {
            return (handoff, None);
        }
        let to = match handoff.state() {
            State::Offered { .. } | State::Accepted { .. } => routed.account_manager.accountable(),
            _ => routed.risks,
        };
        match handoff.clone().reassign(to, self.at) {
            Ok((moved, event)) => (moved, Some(event)),
            Err(_) => (handoff, None),
        }
    }

    fn record_handoff(&self, handoff: &Handoff, event: HandoffEvent, moves: &mut Moves) {
        let data = json!({
            "date": self.date,
            "window": handoff.window().map(|window| window.kind),
            "accountable": handoff.accountable(),
        });
        moves.record(event.as_str(), Subject::Handoff(handoff.id), &handoff.account, data);
    }

    fn renewal(&self, account: &AccountId, tonight: renewals::Tonight, moves: &mut Moves) {
        for (work, event) in tonight.events {
            let data = json!({
                "date": self.date,
                "deadline": work.deadline(),
                "step": work.step().map(|(stage, _)| stage),
                "renewal_date": work.renewal_date,
                "arr_after": work.arr_after(),
            });
            moves.record(event.as_str(), Subject::Renewal(work.id), account, data);
        }
        for (work, from) in tonight.handed_over {
            let mut entry = renewal_entry(&work, from, "route");
            entry.data["date"] = json!(self.date);
            moves.entries.push(entry);
        }
        if !tonight.works.is_empty() {
            moves.shown(account);
        }
        moves.renewals.extend(tonight.works);
    }

    /// An account whose status is churned: nothing about it is open any more.
    pub(super) fn moves_of_one_that_left(&self, account: &AccountId, standing: Standing<'_>) -> anyhow::Result<Moves> {
        let mut moves = Moves::default();
        if let Some(Ok((ended, event))) = standing.risk.map(|risk| risk.account_left(self.at)) {
            moves.record(event.as_str(), Subject::Risk(ended.id), account, json!({"date": self.date, "why": "left"}));
            moves.shown(account);
            moves.risks.push(ended);
        }
        for handoff in standing.handoffs.into_iter().filter(Handoff::is_open) {
            let (closed, event) = handoff.close("the account has left", self.at)?;
            self.record_handoff(&closed, event, &mut moves);
            moves.shown(account);
            moves.moved_handoffs.push(closed);
        }
        let known =
            standing.renewal.as_ref().and_then(|work| renewals::settled(work.renewal_date, None, standing.outcomes));
        let open = standing.renewal.filter(|work| work.is_open() || known.is_some());
        if let Some(work) = open {
            let lost = Outcome::Lost { reason: String::new() };
            let (ended, event) = work.imported(known.unwrap_or(lost), self.at);
            if let Some(event) = event {
                let tonight = renewals::Tonight {
                    works: vec![ended.clone()],
                    events: vec![(ended, event)],
                    handed_over: Vec::new(),
                };
                self.renewal(account, tonight, &mut moves);
            }
        }
        Ok(moves)
    }
}

fn woke(why: Woke) -> &'static str {
    match why {
        Woke::Due => "due",
        Woke::LowerBand => "lower_band",
        Woke::Decision => "decision",
        Woke::Deadline => "deadline",
    }
}
