//! Purpose: clocks by day. Reminder, then the stand-in of somebody away or the
//! lead of somebody late with the other side informed, then the end; and not one
//! word more once the matter is settled.
//!
//! Each step is one transaction on its own locked row: of two replicas that find
//! the same clock, one moves it and the other sees that it has moved.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use uuid::Uuid;

use super::content::{About, Content, Said};
use super::snapshot::Snapshot;
use super::transfer::renewal_entry;
use super::{App, notice};
use crate::domain::account::{Account, AccountId};
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::handoff::{Handoff, HandoffEvent, State};
use crate::domain::person::{OrgId, PersonId};
use crate::domain::risk::{self, RanOut, Risk, RiskEvent};
use crate::domain::routing::{Nobody, Seat};
use crate::domain::timer::Owed;
use crate::store::audit::{Actor, Entry};
use crate::store::{self, Tenant, account, change, directory, handoff, message, renewal};

/// A clock that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub subject: Subject,
    pub account: AccountId,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Reminded {
        who: PersonId,
    },
    /// Whoever had it is away, or gone.
    Delegated {
        from: PersonId,
        to: PersonId,
    },
    /// The detector's time: offered to the other half of the pair, marked "not qualified".
    OfferedUnqualified {
        held_by: PersonId,
        to: PersonId,
    },
    /// The time to accept: back to who had offered it, or to the lead where a rule had.
    Expired {
        late: PersonId,
        back_to: PersonId,
        lead: PersonId,
    },
    /// A qualified window that its holder did not pass on: offered in their name.
    OfferedFor {
        holder: PersonId,
        to: PersonId,
    },
    /// Nobody answered: the lead has heard, and the chain has ended.
    Escalated {
        late: PersonId,
        lead: PersonId,
    },
    /// Acknowledged and idle: open again.
    Reopened {
        idle: PersonId,
    },
}

/// Moves one clock, if it owes something by now. `None` where somebody was faster, or it is settled.
pub async fn settle(app: &App, org: OrgId, subject: &Subject) -> anyhow::Result<Option<Moved>> {
    let now = app.now();
    let tx = app.store.tenant(org).await?;
    let moved = match subject {
        Subject::Handoff(id) => Step::begin(app, tx, now).await?.handoff(*id).await?,
        Subject::Risk(id) => Step::begin(app, tx, now).await?.risk(*id).await?,
        Subject::Renewal(id) => Step::begin(app, tx, now).await?.renewal(*id).await?,
        Subject::Account(_) | Subject::Group(..) | Subject::Home(_) | Subject::Rule(_) | Subject::Introduction(_) => {
            None
        }
    };
    if moved.is_some() {
        app.outbox_bell.notify_waiters();
    }
    Ok(moved)
}

/// Moves every clock of an organisation that owes something by now.
pub async fn settle_all(app: &App, org: OrgId) -> anyhow::Result<Vec<Moved>> {
    let mut tx = app.store.directory().await?;
    let due = directory::due(&mut tx, app.now(), i64::MAX, None).await?;
    drop(tx);
    let mut moved = Vec::new();
    for owed in due.into_iter().filter(|due| due.org == org) {
        if let directory::Owed::Clock(subject) = owed.owed {
            moved.extend(settle(app, org, &subject).await?);
        }
    }
    Ok(moved)
}

/// One step in its transaction, with what it leaves behind.
struct Step {
    tx: Tenant,
    snapshot: std::sync::Arc<Snapshot>,
    now: DateTime<Utc>,
    today: NaiveDate,
    /// When the clock that moves was started.
    began: Option<DateTime<Utc>>,
    entries: Vec<Entry>,
}

impl Step {
    async fn begin(app: &App, mut tx: Tenant, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let snapshot = app.snapshot(&mut tx).await?;
        let today = calendar::local_date(snapshot.organisation.timezone, now);
        Ok(Self { tx, snapshot, now, today, began: None, entries: Vec::new() })
    }

    async fn account(&mut self, id: &AccountId) -> anyhow::Result<Option<Account>> {
        Ok(account::some(&mut self.tx, std::slice::from_ref(id)).await?.pop())
    }

    fn record(&mut self, event: &'static str, subject: Subject, account: &AccountId, mut data: serde_json::Value) {
        data["account"] = json!(account);
        data["why"] = json!("clock");
        if event.starts_with("escalation.") {
            // Each clock asks once: by this whoever reads the trail can tell one from the next.
            data["clock_since"] = json!(self.began);
        }
        self.entries.push(Entry::new(event, subject, data));
    }

    async fn tell(
        &mut self,
        to: impl IntoIterator<Item = PersonId>,
        about: About,
        (said, version, by): (Said, i32, Option<PersonId>),
        account: &AccountId,
    ) -> anyhow::Result<()> {
        let content = Content::notice(about, said.as_str(), version, by);
        notice::notify(&mut self.tx, &self.snapshot, to, &content, Some(account), self.now).await
    }

    async fn conclude(mut self, moved: Moved) -> anyhow::Result<Option<Moved>> {
        let accounts = std::slice::from_ref(&moved.account);
        change::record(&mut self.tx, self.now, &change::by(Actor::System, self.entries), accounts).await?;
        self.tx.commit().await?;
        let step = match moved.what {
            What::Reminded { .. } => "reminded",
            What::Delegated { .. } => "delegated",
            What::OfferedUnqualified { .. }
            | What::OfferedFor { .. }
            | What::Expired { .. }
            | What::Escalated { .. } => "ended",
            What::Reopened { .. } => "reopened",
        };
        metrics::counter!("tandem_clock_steps_total", "step" => step).increment(1);
        Ok(Some(moved))
    }

    /// The lead of somebody late; the same person where there is nobody above them.
    fn lead(&self, late: PersonId) -> Result<PersonId, Nobody> {
        self.snapshot.people.lead_of(late, self.today).ok_or(Nobody)
    }

    fn is_here(&self, person: PersonId) -> bool {
        self.snapshot.is_here(person, self.now)
    }

    async fn handoff(mut self, id: Uuid) -> anyhow::Result<Option<Moved>> {
        let Some(handoff) = handoff::lock(&mut self.tx, id).await? else { return Ok(None) };
        let (Some(owed), Some(holder)) = (handoff.timer().owed(self.now), handoff.accountable()) else {
            return Ok(None);
        };
        let Some(account) = self.account(&handoff.account).await? else { return Ok(None) };
        self.began = handoff.timer().since();
        let (subject, about) = (Subject::Handoff(id), About::Handoff(id));
        if !self.is_here(holder)
            && let Some(to) = self.snapshot.people.stand_in(holder, self.today)
            && let Ok((moved, event)) = handoff.clone().stand_in(to, self.now)
        {
            handoff::save(&mut self.tx, &moved).await?;
            self.record(event.as_str(), subject.clone(), &account.id, json!({"accountable": to, "previous": holder}));
            self.record("escalation.delegated", subject.clone(), &account.id, json!({"from": holder, "to": to}));
            self.tell([to], about, (Said::Delegated, moved.version(), Some(holder)), &account.id).await?;
            let others = other_side(&handoff).filter(|person| *person != to);
            self.tell(others, about, (Said::Informed, moved.version(), Some(holder)), &account.id).await?;
            let what = What::Delegated { from: holder, to };
            return self.conclude(Moved { subject, account: account.id, what }).await;
        }
        match owed {
            Owed::Reminder => {
                let Some(person) = self.snapshot.person(holder) else { return Ok(None) };
                let moved = handoff.reminded(self.now, &self.snapshot.calendar(person))?;
                handoff::save(&mut self.tx, &moved).await?;
                self.record("escalation.reminded", subject.clone(), &account.id, json!({"to": holder}));
                // A pool's offer waits for its members, not for the lead who answers for it.
                let waits = match moved.state() {
                    State::Offered { to: Seat::Pool { name, .. }, .. } => self.snapshot.people.pool(name).to_vec(),
                    _ => vec![holder],
                };
                let said = if moved.is_asked() { Said::StillOnIt } else { Said::Reminded };
                self.tell(waits, about, (said, moved.version(), None), &account.id).await?;
                let what = What::Reminded { who: holder };
                self.conclude(Moved { subject, account: account.id, what }).await
            }
            Owed::End => match handoff.state() {
                State::Accepted { .. } | State::Returned { .. } => self.handoff_rests(handoff, holder, account).await,
                _ => self.handoff_ends(handoff, holder, account).await,
            },
        }
    }

    /// Claimed and idle, or come back and left there: whoever has it keeps it, and their lead hears.
    async fn handoff_rests(
        mut self,
        before: Handoff,
        late: PersonId,
        account: Account,
    ) -> anyhow::Result<Option<Moved>> {
        let (subject, about) = (Subject::Handoff(before.id), About::Handoff(before.id));
        let others: Vec<PersonId> = other_side(&before).collect();
        let moved = before.let_rest(self.now)?;
        handoff::save(&mut self.tx, &moved).await?;
        let lead = self.lead(late)?;
        self.nobody_answered(subject, about, moved.version(), (late, lead), others, account.id).await
    }

    /// The lead of who is late hears of it, the other side is informed, and the chain ends.
    async fn nobody_answered(
        mut self,
        subject: Subject,
        about: About,
        version: i32,
        (late, lead): (PersonId, PersonId),
        others: Vec<PersonId>,
        account: AccountId,
    ) -> anyhow::Result<Option<Moved>> {
        self.record("escalation.escalated", subject.clone(), &account, json!({"late": late, "lead": lead}));
        if lead != late {
            self.tell([lead], about, (Said::Escalated, version, Some(late)), &account).await?;
        }
        let others = others.into_iter().filter(|person| ![late, lead].contains(person));
        self.tell(others, about, (Said::Informed, version, Some(late)), &account).await?;
        self.record("escalation.ended", subject.clone(), &account, json!({"late": late}));
        self.conclude(Moved { subject, account, what: What::Escalated { late, lead } }).await
    }

    async fn handoff_ends(
        mut self,
        before: Handoff,
        late: PersonId,
        account: Account,
    ) -> anyhow::Result<Option<Moved>> {
        let (subject, about) = (Subject::Handoff(before.id), About::Handoff(before.id));
        let lead = self.lead(late)?;
        let route = self.snapshot.route(&account, self.today)?.account_manager;
        // Who has it has become the account manager too: their lead decides.
        let to = if route == Seat::Person(late) { Seat::Person(lead) } else { route };
        let (moved, event, what) = match before.state() {
            State::Detected { .. } if !before.is_solo() && to != Seat::Person(late) => {
                let (moved, event) = before.clone().offer_unqualified(to.clone(), self.now)?;
                (moved, event, What::OfferedUnqualified { held_by: late, to: to.accountable() })
            }
            State::Qualified { .. } if !before.is_solo() && to != Seat::Person(late) => {
                let (moved, event) = before.clone().offer_for(to.clone(), self.now)?;
                (moved, event, What::OfferedFor { holder: late, to: to.accountable() })
            }
            _ => {
                let (moved, event) = before.clone().expire(lead, self.now)?;
                let back_to = moved.accountable().unwrap_or(lead);
                (moved, event, What::Expired { late, back_to, lead })
            }
        };
        handoff::save(&mut self.tx, &moved).await?;
        let accountable = moved.accountable();
        let data = json!({"accountable": accountable, "late": late, "clock": before.running()});
        self.record(event.as_str(), subject.clone(), &account.id, data);
        // Whoever must act now gets the card.
        let members = match moved.state() {
            State::Offered { to: Seat::Pool { name, .. }, .. } => self.snapshot.people.pool(name).to_vec(),
            _ => accountable.into_iter().collect(),
        };
        let said = if event == HandoffEvent::Expired { Said::Expired } else { Said::Offered };
        self.tell(members.iter().copied(), about, (said, moved.version(), None), &account.id).await?;
        if let What::Expired { lead, .. } = what {
            self.record("escalation.escalated", subject.clone(), &account.id, json!({"late": late, "lead": lead}));
            if !members.contains(&lead) {
                self.tell([lead], about, (Said::Escalated, moved.version(), Some(late)), &account.id).await?;
            }
        }
        self.record("escalation.ended", subject.clone(), &account.id, json!({"late": late}));
        let informed = other_side(&before).chain([late]).filter(|person| !members.contains(person) && *person != lead);
        let informed: Vec<PersonId> = informed.collect();
        self.tell(informed, about, (Said::Informed, moved.version(), Some(late)), &account.id).await?;
        self.conclude(Moved { subject, account: account.id, what }).await
    }

    async fn risk(mut self, id: Uuid) -> anyhow::Result<Option<Moved>> {
        let Some((risk, account)) = store::risk::lock_with_account(&mut self.tx, id).await? else { return Ok(None) };
        let Some(owed) = risk.timer().owed(self.now) else { return Ok(None) };
        self.began = risk.timer().since();
        let routed = self.snapshot.route(&account, self.today)?;
        let holder = self.snapshot.looks_after(&risk, &account, &routed, self.now);
        // Away since it was shown: whoever stands in is asked, and told for whom.
        let away = match risk.state() {
            risk::State::Acknowledged { by, .. } => Some(*by),
            _ => account.csm,
        };
        let away = away.filter(|away| *away != holder && !self.is_here(*away));
        match (owed, away) {
            (Owed::Reminder, away) => self.risk_reminder(risk, account, holder, away).await,
            (Owed::End, Some(away)) if !self.was_asked(&risk, holder).await? => {
                self.risk_delegated(risk, account, away, holder).await
            }
            (Owed::End, _) => self.risk_ends(risk, account, holder, &routed.account_manager).await,
        }
    }

    /// Whether the clock of an open risk has asked this stand-in. Of an acknowledged one nobody is late: it is open again.
    async fn was_asked(&mut self, risk: &Risk, stand_in: PersonId) -> anyhow::Result<bool> {
        match (risk.state(), self.began) {
            (risk::State::Open, Some(began)) => {
                message::was_told(&mut self.tx, stand_in, risk.id, Said::Delegated.as_str(), began).await
            }
            _ => Ok(true),
        }
    }

    /// Away since they were asked: nobody is late yet. Whoever stands in is told, and has the whole time from then.
    async fn risk_delegated(
        mut self,
        risk: Risk,
        account: Account,
        from: PersonId,
        to: PersonId,
    ) -> anyhow::Result<Option<Moved>> {
        let (subject, about) = (Subject::Risk(risk.id), About::Risk(risk.id));
        let moved = risk.handed_over();
        store::risk::save(&mut self.tx, &moved).await?;
        self.record("escalation.delegated", subject.clone(), &account.id, json!({"from": from, "to": to}));
        self.tell([to], about, (Said::Delegated, moved.version(), Some(from)), &account.id).await?;
        self.conclude(Moved { subject, account: account.id, what: What::Delegated { from, to } }).await
    }

    async fn risk_reminder(
        mut self,
        risk: Risk,
        account: Account,
        holder: PersonId,
        away: Option<PersonId>,
    ) -> anyhow::Result<Option<Moved>> {
        let (subject, about) = (Subject::Risk(risk.id), About::Risk(risk.id));
        let Some(person) = self.snapshot.person(holder) else { return Ok(None) };
        let moved = risk.reminded(self.now, &self.snapshot.calendar(person))?;
        store::risk::save(&mut self.tx, &moved).await?;
        let acknowledged = matches!(moved.state(), risk::State::Acknowledged { .. });
        let (said, by, what) = match away {
            Some(from) => (Said::Delegated, Some(from), What::Delegated { from, to: holder }),
            None if acknowledged => (Said::StillOnIt, None, What::Reminded { who: holder }),
            None => (Said::Reminded, None, What::Reminded { who: holder }),
        };
        let event = if away.is_some() { "escalation.delegated" } else { "escalation.reminded" };
        // The card in this morning's message has asked already.
        let local = calendar::local_date(person.timezone, self.now);
        let asked = away.is_none() && store::digest::has_card(&mut self.tx, holder, local, &subject).await?;
        self.record(event, subject.clone(), &account.id, json!({"to": holder, "from": by, "in_digest": asked}));
        if !asked {
            self.tell([holder], about, (said, moved.version(), by), &account.id).await?;
        }
        self.conclude(Moved { subject, account: account.id, what }).await
    }

    async fn risk_ends(
        mut self,
        risk: Risk,
        account: Account,
        holder: PersonId,
        manager: &Seat,
    ) -> anyhow::Result<Option<Moved>> {
        let (subject, about) = (Subject::Risk(risk.id), About::Risk(risk.id));
        let (moved, how) = risk.run_out(self.now)?;
        store::risk::save(&mut self.tx, &moved).await?;
        let what = match how {
            RanOut::Unanswered => {
                let lead = self.lead(holder)?;
                self.record(
                    "escalation.escalated",
                    subject.clone(),
                    &account.id,
                    json!({"late": holder, "lead": lead}),
                );
                if lead != holder {
                    self.tell([lead], about, (Said::Escalated, moved.version(), Some(holder)), &account.id).await?;
                }
                let other = match manager {
                    Seat::Person(person) => Some(*person),
                    Seat::Pool { .. } => None,
                };
                let other = other.filter(|person| *person != holder && *person != lead);
                self.tell(other, about, (Said::Informed, moved.version(), Some(holder)), &account.id).await?;
                What::Escalated { late: holder, lead }
            }
            RanOut::Idle => {
                let event = RiskEvent::Reopened.as_str();
                self.record(event, subject.clone(), &account.id, json!({"idle": holder, "version": moved.version()}));
                self.tell([holder], about, (Said::Idle, moved.version(), None), &account.id).await?;
                What::Reopened { idle: holder }
            }
        };
        self.record("escalation.ended", subject.clone(), &account.id, json!({"late": holder}));
        self.conclude(Moved { subject, account: account.id, what }).await
    }

    async fn renewal(mut self, id: Uuid) -> anyhow::Result<Option<Moved>> {
        let Some(work) = renewal::lock(&mut self.tx, id).await? else { return Ok(None) };
        let Some(owed) = work.timer().owed(self.now) else { return Ok(None) };
        self.began = work.timer().since();
        let Some(account) = self.account(&work.account).await? else { return Ok(None) };
        let (subject, about, owner) = (Subject::Renewal(id), About::Renewal(id), work.owner());
        if !self.is_here(owner)
            && let Some(to) = self.snapshot.people.stand_in(owner, self.today)
            && let Ok(moved) = work.clone().owned_by_route(to)
        {
            renewal::save(&mut self.tx, &moved).await?;
            self.entries.push(renewal_entry(&moved, owner, "clock"));
            self.record("escalation.delegated", subject.clone(), &account.id, json!({"from": owner, "to": to}));
            self.tell([to], about, (Said::Delegated, moved.version(), Some(owner)), &account.id).await?;
            let what = What::Delegated { from: owner, to };
            return self.conclude(Moved { subject, account: account.id, what }).await;
        }
        match owed {
            Owed::Reminder => {
                let Some(person) = self.snapshot.person(owner) else { return Ok(None) };
                let moved = work.reminded(self.now, &self.snapshot.calendar(person))?;
                renewal::save(&mut self.tx, &moved).await?;
                self.record("escalation.reminded", subject.clone(), &account.id, json!({"to": owner}));
                let said = if moved.is_asked() { Said::StillOnIt } else { Said::Reminded };
                self.tell([owner], about, (said, moved.version(), None), &account.id).await?;
                let what = What::Reminded { who: owner };
                self.conclude(Moved { subject, account: account.id, what }).await
            }
            Owed::End => {
                let moved = work.run_out(self.now)?;
                renewal::save(&mut self.tx, &moved).await?;
                let lead = self.lead(owner)?;
                let others = account.csm.into_iter().chain(account.account_manager).collect();
                self.nobody_answered(subject, about, moved.version(), (owner, lead), others, account.id).await
            }
        }
    }
}

/// Who made the offer: they wait for the answer, and for what comes of it.
fn other_side(handoff: &Handoff) -> impl Iterator<Item = PersonId> {
    match handoff.state() {
        State::Offered { from, .. } | State::Accepted { from, .. } => *from,
        _ => None,
    }
    .into_iter()
}
