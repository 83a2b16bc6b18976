//! From what is stored to what the wording is told: names instead of ids, the
//! reader's own dates, what the reader may do.

use chrono::{DateTime, NaiveDate, Utc};

use super::read::AccountRead;
use super::snapshot::Snapshot;
use crate::domain::account::Account;
use crate::domain::action::Subject;
use crate::domain::angle::Angle;
use crate::domain::calendar;
use crate::domain::diagnosis::{Band, CHURNED, Change};
use crate::domain::handoff::{Gate, Handoff, Matter, Qualification, Return, State, Timer, Window};
use crate::domain::message::card::Card;
use crate::domain::message::cause;
use crate::domain::message::view::{
    AccountView, BriefView, HandedLine, HandedRiskView, HandoffState, NoteView, Part, QualificationView, RenewalPart,
    RenewalState, RenewalView, RiskState, RiskView, Why, WindowLine, WindowView, Withheld,
};
use crate::domain::person::PersonId;
use crate::domain::renewal_work::{self, Outcome, RenewalWork};
use crate::domain::risk::{self, Risk};
use crate::domain::routing::{Access, Routed, Seat};

/// Who reads: a person, or a channel (`None`), at a moment.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub snapshot: &'a Snapshot,
    pub person: Option<PersonId>,
    /// The pool whose channel it is: whoever reads there may claim for it.
    pub pool: Option<&'a str>,
    pub now: DateTime<Utc>,
}

impl<'a> Reader<'a> {
    pub fn new(snapshot: &'a Snapshot, person: Option<PersonId>, now: DateTime<Utc>) -> Self {
        Self { snapshot, person, pool: None, now }
    }

    pub fn today(&self) -> NaiveDate {
        self.snapshot.today(self.person, self.now)
    }

    /// A moment as this reader's date.
    pub fn date(&self, at: DateTime<Utc>) -> NaiveDate {
        let zone = self
            .person
            .and_then(|id| self.snapshot.person(id))
            .map_or(self.snapshot.organisation.timezone, |person| person.timezone);
        calendar::local_date(zone, at)
    }

    /// A moment on this reader's own clock.
    pub fn local(&self, at: DateTime<Utc>) -> chrono::NaiveDateTime {
        let zone = self
            .person
            .and_then(|id| self.snapshot.person(id))
            .map_or(self.snapshot.organisation.timezone, |person| person.timezone);
        at.with_timezone(&zone).naive_local()
    }

    pub fn name(&self, id: PersonId) -> String {
        self.snapshot.name_for(id, self.person)
    }

    /// From which side this reader reads, by their roles; a pool's channel reads as its members do.
    pub fn angle(&self) -> Angle {
        match self.person.and_then(|id| self.snapshot.person(id)) {
            Some(person) => Angle::of(person),
            None if self.pool.is_some() => Angle::AccountManager,
            None => Angle::Both,
        }
    }

    /// The same of one account, as it is routed today.
    fn angle_on(&self, routed: Option<&Routed>, risk: Option<&Risk>) -> Angle {
        let person = self.person.and_then(|id| self.snapshot.person(id));
        let (Some(person), Some(routed)) = (person, routed) else { return self.angle() };
        let in_hand =
            risk.is_some_and(|risk| matches!(risk.state(), risk::State::Acknowledged { by, .. } if *by == person.id));
        routed.angle(person, in_hand)
    }

    fn access(&self, account: &Account) -> Access {
        self.person.map_or(Access::Nothing, |person| self.snapshot.access(person, account))
    }

    fn is(&self, person: Option<PersonId>) -> bool {
        self.person.is_some() && self.person == person
    }

    fn leads(&self, person: Option<PersonId>) -> bool {
        match (self.person, person) {
            (Some(reader), Some(person)) => self.snapshot.people.leads_above(person).contains(&reader),
            _ => false,
        }
    }

    fn in_pool(&self, pool: &str) -> bool {
        self.pool == Some(pool) || self.person.is_some_and(|person| self.snapshot.people.pool(pool).contains(&person))
    }

    /// Whether they may raise something on it, or write a note; a pool's members may, who act on windows alone.
    pub fn may_raise(&self, account: &Account) -> bool {
        self.access(account) >= Access::ActOnWindows || self.may_act(account)
    }

    /// Whether this reader acts on the account's risks and notes.
    pub fn may_act(&self, account: &Account) -> bool {
        // Or is accountable for the risks, by the account's route.
        let answers = || self.snapshot.route(account, self.today()).is_ok_and(|routed| self.is(Some(routed.risks)));
        self.access(account) == Access::Act || answers()
    }

    /// Whether this reader settles the account's risks, of which `risk` is the newest: those of the AM's side warn and
    /// note, where there is a CSM.
    pub(super) fn settles_risks(&self, account: &Account, risk: Option<&Risk>) -> bool {
        let routed = self.snapshot.route(account, self.today()).ok();
        self.may_act(account) && self.angle_on(routed.as_ref(), risk).settles_risks(account.csm.is_some())
    }

    pub fn account(&self, read: &AccountRead) -> AccountView {
        let account = &read.account;
        let diagnosis = read.diagnosis.as_ref();
        let routed = self.snapshot.route(account, self.today()).ok();
        AccountView {
            id: account.id.clone(),
            name: account.name.clone(),
            angle: self.angle_on(routed.as_ref(), read.risk.as_ref()),
            url: account.url.clone(),
            arr: account.arr,
            segment: account.segment,
            health: diagnosis.and_then(|diagnosis| diagnosis.health),
            previous_health: read.previous_health,
            band: diagnosis.map_or(Band::Unknown, |diagnosis| diagnosis.band),
            change: diagnosis.map_or(Change::Same, |diagnosis| diagnosis.change),
            csm: account.csm.map(|id| self.name(id)),
            account_manager: match (account.account_manager, &account.pool) {
                (Some(id), _) => Some(self.name(id)),
                (None, Some(pool)) => Some(format!("the {pool} pool")),
                (None, None) => None,
            },
            risk: read.risk.as_ref().filter(|risk| risk.is_open()).map(|risk| self.risk_state(risk)),
            detours: routed.map(|routed| routed.why).unwrap_or_default(),
            diagnosis: diagnosis.map(|diagnosis| diagnosis.id),
        }
    }

    pub fn last_note(&self, read: &AccountRead) -> Option<NoteView> {
        read.last_note.as_ref().map(|note| NoteView {
            by: self.name(PersonId(note.author_id)),
            on: self.date(note.at),
            text: note.body.clone(),
        })
    }

    pub fn risk_state(&self, risk: &Risk) -> RiskState {
        let on = self.date(risk.since());
        match risk.state() {
            risk::State::Open => RiskState::Open,
            risk::State::Acknowledged { by, next_step, due } => {
                RiskState::Acknowledged { by: self.name(*by), on, step: next_step.clone(), due: *due }
            }
            risk::State::Snoozed { by, until, .. } => RiskState::Snoozed { by: self.name(*by), on, until: *until },
            risk::State::Resolved { by, reason, .. } => {
                RiskState::Resolved { by: self.name(*by), on, how: *reason, note: None }
            }
            risk::State::Ended => RiskState::Ended { on, left: risk.ended_with_account() },
        }
    }

    /// Who raised it and why; `None` where the rules opened it.
    pub fn raised(&self, risk: &Risk) -> Option<NoteView> {
        let raised = risk.raised.as_ref()?;
        Some(NoteView { by: self.name(raised.by), on: risk.opened_on, text: raised.why.clone() })
    }

    pub fn risk(&self, read: &AccountRead, risk: &Risk, why: Why) -> RiskView {
        let routed = self.snapshot.route(&read.account, self.today()).ok();
        let accountable = routed.as_ref().map(|routed| routed.risks);
        let handed = read.handoffs.iter().rev().find_map(|handoff| match &handoff.matter {
            Matter::RiskToWeigh { risk: about, .. } if *about == risk.id && handoff.is_open() => self.handed(handoff),
            _ => None,
        });
        RiskView {
            account: self.account(read),
            risk: risk.id,
            state: self.risk_state(risk),
            since: risk.opened_on,
            raised: self.raised(risk),
            churned_on: read.diagnosis.as_ref().and_then(|diagnosis| diagnosis.churned_on),
            causes: read.diagnosis.as_ref().map(|diagnosis| diagnosis.causes.clone()).unwrap_or_default(),
            deadline: read.deadline(),
            windows: self.window_lines(read),
            why,
            handed,
            last_note: self.last_note(read),
            may_act: self.may_act(&read.account),
            asked: risk.is_asked(),
            leads: !self.is(accountable) && self.leads(accountable),
        }
    }

    fn handed(&self, handoff: &Handoff) -> Option<HandedLine> {
        let (from, to, accepted) = match handoff.state() {
            State::Offered { to, from, .. } => ((*from)?, self.seat(to), false),
            State::Accepted { by, from } => ((*from)?, self.name(*by), true),
            _ => return None,
        };
        Some(HandedLine { from: self.name(from), to, on: self.date(handoff.since()), accepted })
    }

    /// First name, or the pool's name.
    pub fn seat(&self, seat: &Seat) -> String {
        match seat {
            Seat::Person(id) => self.name(*id),
            Seat::Pool { name, .. } => format!("the {name} pool"),
        }
    }

    fn until(&self, timer: Timer) -> Option<NaiveDate> {
        timer.due().map(|due| self.date(due))
    }

    pub fn handoff_state(&self, handoff: &Handoff) -> HandoffState {
        let on = self.date(handoff.since());
        match handoff.state() {
            State::Detected { holder } => {
                HandoffState::Detected { holder: self.name(*holder), until: self.until(handoff.timer()) }
            }
            State::Qualified { holder } => {
                let confirmed = handoff.qualification().and_then(Qualification::confirmed);
                let (by, at) = confirmed.unwrap_or((*holder, handoff.since()));
                let holder = (by != *holder).then(|| self.name(*holder));
                HandoffState::Qualified { by: self.name(by), on: self.date(at), holder }
            }
            State::Offered { to, from } => HandoffState::Offered {
                to: self.seat(to),
                answers_for_pool: to.pool().map(|_| self.name(to.accountable())),
                by: from.map(|id| self.name(id)),
                until: self.until(handoff.timer()),
            },
            State::Accepted { by, .. } => HandoffState::Accepted { by: self.name(*by), on },
            State::Returned { holder, how } => self.returned(*holder, how, on),
            State::Won { by, amount } => HandoffState::Won { by: self.name(*by), on, amount: *amount },
            State::Lost { by, reason } => HandoffState::Lost { by: self.name(*by), on, reason: reason.clone() },
            State::Passed { by, reason } => HandoffState::Passed { by: self.name(*by), on, reason: reason.clone() },
            State::Withdrawn { by } => HandoffState::Withdrawn { by: self.name(*by), on },
            State::Closed { reason } => HandoffState::Closed { on, reason: reason.clone() },
        }
    }

    fn returned(&self, holder: PersonId, how: &Return, on: NaiveDate) -> HandoffState {
        let back_to = self.name(holder);
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

    /// Where a window is withheld from the AM; on a request by the customer, the warning it carries.
    fn withheld(&self, read: &AccountRead, handoff: &Handoff) -> Option<Withheld> {
        let Gate::Withheld { rule, since } = handoff.gate() else { return None };
        let causes = read.diagnosis.as_ref().map_or(&[][..], |diagnosis| diagnosis.causes.as_slice());
        let churned = read.diagnosis.as_ref().and_then(|diagnosis| diagnosis.churned_on).filter(|_| rule == CHURNED);
        let first = causes.iter().find(|cause| cause.rule == *rule).or(causes.first());
        let cause = churned.map(cause::churned).or_else(|| first.map(|first| first.headline.clone()));
        let handler = read.risk.as_ref().and_then(|risk| match risk.state() {
            risk::State::Acknowledged { by, .. } | risk::State::Snoozed { by, .. } => Some(*by),
            _ => None,
        });
        let routed = self.snapshot.route(&read.account, self.today()).ok().map(|routed| routed.risks);
        Some(Withheld {
            cause: cause.unwrap_or_else(|| "the account is at risk".to_owned()),
            handled_by: handler.map(|id| self.name(id)),
            with: routed.map(|id| self.name(id)),
            since: self.date(*since),
        })
    }

    /// The account's open windows, one line each.
    pub fn window_lines(&self, read: &AccountRead) -> Vec<WindowLine> {
        let lines = read.handoffs.iter().filter(|handoff| handoff.is_open()).filter_map(|handoff| {
            let window = handoff.window()?;
            Some(WindowLine {
                handoff: handoff.id,
                kind: window.kind,
                amount: window.amount,
                estimated: window.is_estimated(),
                closes_on: window.closes_on,
                holder: self.holder(handoff),
                withheld: self.withheld(read, handoff),
                co_term: window.co_term,
            })
        });
        lines.collect()
    }

    fn holder(&self, handoff: &Handoff) -> Option<String> {
        match handoff.state() {
            State::Offered { to, .. } => Some(self.seat(to)),
            _ => handoff.accountable().map(|id| self.name(id)),
        }
    }

    /// What this reader is to a handoff.
    pub fn part(&self, read: &AccountRead, handoff: &Handoff) -> Part {
        let offered_to_me = match handoff.state() {
            State::Offered { to: Seat::Person(id), .. } => self.is(Some(*id)),
            State::Offered { to: Seat::Pool { name, .. }, .. } => self.in_pool(name),
            _ => false,
        };
        let offered_by_me = match handoff.state() {
            State::Offered { from, .. } | State::Accepted { from, .. } => self.is(*from),
            _ => false,
        };
        let is_offer = matches!(handoff.state(), State::Offered { .. });
        if !is_offer && self.is(handoff.accountable()) {
            Part::Holder
        } else if offered_to_me {
            Part::Offered
        } else if offered_by_me {
            Part::Offerer
        } else if self.is(read.account.account_manager)
            || (read.account.account_manager.is_none()
                && read.account.pool.as_deref().is_some_and(|pool| self.in_pool(pool)))
        {
            Part::AccountManager
        } else if self.is(handoff.accountable()) || self.leads(handoff.accountable()) {
            Part::Lead
        } else {
            Part::Onlooker
        }
    }

    /// Whether this reader may act on a handoff: whoever acts on the account, a pool's members
    /// on its offers, who is accountable, and the leads above them.
    pub fn may_act_on(&self, read: &AccountRead, handoff: &Handoff) -> bool {
        match self.access(&read.account) {
            Access::Act => true,
            Access::ActOnWindows if handoff.window().is_some() => true,
            _ => matches!(self.part(read, handoff), Part::Holder | Part::Offered | Part::Offerer | Part::Lead),
        }
    }

    pub fn window(&self, read: &AccountRead, handoff: &Handoff, window: &Window, why: Why) -> WindowView {
        let qualification = handoff.qualification().map(|known| QualificationView {
            confirmed: known.confirmed().map(|(by, at)| (self.name(by), self.date(at))),
            need: known.need().to_owned(),
            contact: known.contact().to_owned(),
            timing: known.timing().to_owned(),
        });
        let overridden = match handoff.gate() {
            Gate::Overridden { by, at, reason } => {
                Some(NoteView { by: self.name(*by), on: self.date(*at), text: reason.clone() })
            }
            Gate::Open | Gate::Withheld { .. } => None,
        };
        let timed_out = matches!(handoff.state(), State::Offered { from: None, .. })
            && !handoff.is_csql()
            && read.account.csm.is_some();
        WindowView {
            account: self.account(read),
            handoff: handoff.id,
            kind: window.kind,
            reason: window.reason.clone(),
            amount: window.amount,
            estimated: window.is_estimated(),
            closes_on: window.closes_on,
            co_term: window.co_term,
            deadline: read.deadline(),
            state: self.handoff_state(handoff),
            withheld: self.withheld(read, handoff),
            timed_out,
            solo: self.is_solo(read, handoff),
            qualification,
            raised_by: window.raised_by.map(|id| self.name(id)),
            overridden,
            causes: read.diagnosis.as_ref().map(|diagnosis| diagnosis.causes.clone()).unwrap_or_default(),
            part: self.part(read, handoff),
            why,
            may_act: self.may_act_on(read, handoff),
            asked: handoff.is_asked(),
        }
    }

    /// Whether whoever holds it may claim it: one person holds both roles, or offers of the account go to them. What came
    /// back lies with who offered it, or a lead, who may well offer it again.
    fn is_solo(&self, read: &AccountRead, handoff: &Handoff) -> bool {
        let came_back = matches!(handoff.state(), State::Returned { .. });
        let routed = || self.snapshot.route(&read.account, self.today());
        handoff.is_solo() && !came_back || routed().is_ok_and(|routed| handoff.lies_with(&routed.account_manager))
    }

    fn handed_risk(&self, read: &AccountRead, handoff: &Handoff, note: &str, warning: bool) -> HandedRiskView {
        let from = match handoff.state() {
            State::Offered { from, .. } | State::Accepted { from, .. } => *from,
            // What came back lies with who handed it over, or for them with their stand-in.
            _ => handoff.stands_in_for().or(handoff.accountable()),
        };
        // Once it was answered, only the day of the answer is kept.
        let is_offered = matches!(handoff.state(), State::Offered { .. });
        HandedRiskView {
            account: self.account(read),
            handoff: handoff.id,
            from: from.map_or_else(|| "a colleague".to_owned(), |id| self.name(id)),
            on: is_offered.then(|| self.date(handoff.since())),
            note: note.to_owned(),
            warning,
            state: self.handoff_state(handoff),
            causes: read.diagnosis.as_ref().map(|diagnosis| diagnosis.causes.clone()).unwrap_or_default(),
            deadline: read.deadline(),
            part: self.part(read, handoff),
            may_act: self.may_act_on(read, handoff),
            asked: handoff.is_asked(),
        }
    }

    /// What this reader has open on an account now: what their one card of it carries.
    pub fn matters(&self, read: &AccountRead) -> Vec<Subject> {
        let Some(me) = self.person else { return Vec::new() };
        let routed = self.snapshot.route(&read.account, self.today()).ok();
        let looks_after = routed.is_some_and(|routed| routed.risks == me);
        let awake = |risk: &&Risk| matches!(risk.state(), risk::State::Open | risk::State::Acknowledged { .. });
        let risk = read.risk.as_ref().filter(|_| looks_after).filter(awake).map(|risk| Subject::Risk(risk.id));
        let theirs =
            |handoff: &&Handoff| handoff.is_open() && matches!(self.part(read, handoff), Part::Holder | Part::Offered);
        let handoffs = read.handoffs.iter().filter(theirs).map(|handoff| Subject::Handoff(handoff.id));
        let asked = |work: &&RenewalWork| {
            let briefs = work.wants_brief() && read.account.csm == Some(me);
            work.is_open() && work.step().is_some() && (work.owner() == me || briefs)
        };
        let renewal = read.renewal.as_ref().filter(asked).map(|work| Subject::Renewal(work.id));
        risk.into_iter().chain(handoffs).chain(renewal).collect()
    }

    pub fn handoff(&self, read: &AccountRead, handoff: &Handoff, why: Why) -> Card {
        match &handoff.matter {
            Matter::Window(window) => Card::Window(self.window(read, handoff, window, why)),
            Matter::RiskToWeigh { note, .. } => Card::HandedRisk(self.handed_risk(read, handoff, note, false)),
            Matter::Warning { note } => Card::HandedRisk(self.handed_risk(read, handoff, note, true)),
        }
    }

    pub fn renewal_state(&self, work: &RenewalWork) -> RenewalState {
        let on = self.date(work.since());
        match work.state() {
            renewal_work::State::Upcoming => RenewalState::Upcoming,
            renewal_work::State::Preparing => RenewalState::Preparing { since: on },
            renewal_work::State::Negotiating => RenewalState::Negotiating { since: on },
            renewal_work::State::Ended { outcome, by } => {
                let by = by.map(|id| self.name(id));
                match outcome {
                    Outcome::Renewed { arr_after } => RenewalState::Renewed { by, on, amount: *arr_after },
                    Outcome::Contracted { arr_after } => RenewalState::Contracted { by, on, amount: *arr_after },
                    Outcome::Lost { reason } => RenewalState::Lost { by, on, reason: reason.clone() },
                }
            }
        }
    }

    /// `None` before the account's first diagnosis: without it there are no dates to speak of.
    pub fn renewal(&self, read: &AccountRead, work: &RenewalWork, why: Why) -> Option<RenewalView> {
        let diagnosis = read.diagnosis.as_ref()?;
        let account = &read.account;
        let other = [account.csm, account.account_manager].into_iter().flatten().find(|id| *id != work.owner());
        let part = if self.is(Some(work.owner())) {
            RenewalPart::Owner
        } else if self.is(account.csm) {
            RenewalPart::Prepares
        } else {
            RenewalPart::Informed
        };
        Some(RenewalView {
            account: self.account(read),
            renewal: work.id,
            state: self.renewal_state(work),
            part,
            owner: Some(self.name(work.owner())),
            other: other.map(|id| self.name(id)),
            read: diagnosis.renewal.clone(),
            brief: work.brief().map(|brief| BriefView {
                by: self.name(brief.by),
                on: self.date(brief.at),
                text: brief.text.clone(),
            }),
            causes: diagnosis.causes.clone(),
            windows: self.window_lines(read),
            why,
            may_act: self.may_act(&read.account) || self.is(Some(work.owner())),
            asked: work.is_asked(),
            notice_served: diagnosis.causes.iter().any(|cause| cause.rule == "notice_served"),
            leads: self.leads(Some(work.owner())),
        })
    }
}
