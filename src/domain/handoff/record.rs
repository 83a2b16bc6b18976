//! The handoff as one flat row.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{Gate, Handoff, Matter, Qualification, Return, State, Timer, Window};
use crate::domain::account::AccountId;
use crate::domain::diagnosis::WindowKind;
use crate::domain::money::Money;
use crate::domain::person::PersonId;
use crate::domain::record::{Corrupt, Row};
use crate::domain::routing::Seat;

/// One row of the store. `accountable` is set exactly in the open states, which
/// is what the database's own check demands.
#[derive(Debug, Clone, PartialEq)]
pub struct HandoffRecord {
    pub id: Uuid,
    pub account: AccountId,
    /// At least 1.
    pub version: i32,
    pub since: DateTime<Utc>,
    pub solo: bool,
    /// `window`, `risk_to_weigh` or `warning`.
    pub matter: String,
    /// The window's reason; what the other side is to weigh or is warned of.
    pub note: String,
    /// Windows only, with the dates and `co_term`.
    pub window_kind: Option<String>,
    pub amount: Option<Money>,
    pub amount_confirmed: bool,
    pub opens_on: Option<NaiveDate>,
    pub closes_on: Option<NaiveDate>,
    pub co_term: Option<bool>,
    pub raised_by: Option<PersonId>,
    /// `risk_to_weigh` only.
    pub risk: Option<Uuid>,
    pub withheld_by: Option<String>,
    pub withheld_since: Option<DateTime<Utc>>,
    pub overridden_by: Option<PersonId>,
    pub overridden_at: Option<DateTime<Utc>>,
    pub override_reason: Option<String>,
    /// All three or none.
    pub need: Option<String>,
    pub contact: Option<String>,
    pub timing: Option<String>,
    /// Both or neither; of a qualified window only.
    pub qualified_by: Option<PersonId>,
    pub qualified_at: Option<DateTime<Utc>>,
    /// The word of [`Handoff::state_name`].
    pub state: String,
    pub accountable: Option<PersonId>,
    /// While a pool has the offer.
    pub pool: Option<String>,
    pub offered_by: Option<PersonId>,
    /// Who declined, was late, handed back or ended it.
    pub moved_by: Option<PersonId>,
    /// Why it came back or ended.
    pub reason: Option<String>,
    pub clock_since: Option<DateTime<Utc>>,
    /// While its one reminder is still owed.
    pub remind_at: Option<DateTime<Utc>>,
    pub due_at: Option<DateTime<Utc>>,
    /// Who is away and gets it back.
    pub stands_in_for: Option<PersonId>,
    /// What was won, where known.
    pub won_amount: Option<Money>,
}

impl From<&Handoff> for HandoffRecord {
    fn from(handoff: &Handoff) -> Self {
        let (clock_since, remind_at, due_at) = handoff.timer.columns();
        let qualification = handoff.qualification.as_ref();
        let mut row = Self {
            id: handoff.id,
            account: handoff.account.clone(),
            version: handoff.version,
            since: handoff.since,
            solo: handoff.solo,
            matter: String::new(),
            note: String::new(),
            window_kind: None,
            amount: None,
            amount_confirmed: false,
            opens_on: None,
            closes_on: None,
            co_term: None,
            raised_by: None,
            risk: None,
            withheld_by: None,
            withheld_since: None,
            overridden_by: None,
            overridden_at: None,
            override_reason: None,
            need: qualification.map(|q| q.need.clone()),
            contact: qualification.map(|q| q.contact.clone()),
            timing: qualification.map(|q| q.timing.clone()),
            qualified_by: qualification.and_then(|q| q.confirmed).map(|(by, _)| by),
            qualified_at: qualification.and_then(|q| q.confirmed).map(|(_, at)| at),
            state: handoff.state_name().to_owned(),
            accountable: handoff.accountable(),
            pool: None,
            offered_by: None,
            moved_by: None,
            reason: None,
            clock_since,
            remind_at,
            due_at,
            stands_in_for: handoff.stands_in_for,
            won_amount: None,
        };
        row.write_matter(&handoff.matter);
        row.write_gate(&handoff.gate);
        row.write_state(&handoff.state);
        row
    }
}

impl HandoffRecord {
    fn write_matter(&mut self, matter: &Matter) {
        let (word, note) = match matter {
            Matter::Window(window) => {
                self.window_kind = Some(window.kind.as_str().to_owned());
                (self.amount, self.amount_confirmed) = (window.amount, window.amount_confirmed);
                self.opens_on = Some(window.opens_on);
                self.closes_on = Some(window.closes_on);
                self.co_term = Some(window.co_term);
                self.raised_by = window.raised_by;
                ("window", &window.reason)
            }
            Matter::RiskToWeigh { risk, note } => {
                self.risk = Some(*risk);
                ("risk_to_weigh", note)
            }
            Matter::Warning { note } => ("warning", note),
        };
        (self.matter, self.note) = (word.to_owned(), note.clone());
    }

    fn write_gate(&mut self, gate: &Gate) {
        match gate {
            Gate::Open => {}
            Gate::Withheld { rule, since } => {
                (self.withheld_by, self.withheld_since) = (Some(rule.clone()), Some(*since));
            }
            Gate::Overridden { by, at, reason } => {
                (self.overridden_by, self.overridden_at) = (Some(*by), Some(*at));
                self.override_reason = Some(reason.clone());
            }
        }
    }

    fn write_state(&mut self, state: &State) {
        match state {
            State::Detected { .. } | State::Qualified { .. } => {}
            State::Offered { to, from } => {
                (self.pool, self.offered_by) = (to.pool().map(str::to_owned), *from);
            }
            State::Accepted { from, .. } => self.offered_by = *from,
            State::Returned { how, .. } => match how {
                Return::Declined { by, reason: text } | Return::HandedBack { by, note: text } => {
                    (self.moved_by, self.reason) = (Some(*by), Some(text.clone()));
                }
                Return::Expired { late } => self.moved_by = Some(*late),
            },
            State::Won { by, amount } => (self.moved_by, self.won_amount) = (Some(*by), *amount),
            State::Lost { by, reason } | State::Passed { by, reason } => {
                (self.moved_by, self.reason) = (Some(*by), Some(reason.clone()));
            }
            State::Withdrawn { by } => self.moved_by = Some(*by),
            State::Closed { reason } => self.reason = Some(reason.clone()),
        }
    }

    fn read_matter(&self, row: &Row) -> Result<Matter, Corrupt> {
        let note = self.note.clone();
        match self.matter.as_str() {
            "window" => {
                let word = row.need("window_kind", self.window_kind.as_deref())?;
                let kind = WindowKind::ALL.into_iter().find(|kind| kind.as_str() == word);
                Ok(Matter::Window(Window {
                    kind: kind.ok_or_else(|| row.corrupt(format!("\"{word}\" is no kind of window")))?,
                    reason: note,
                    amount: self.amount,
                    amount_confirmed: self.amount_confirmed,
                    opens_on: row.need("opens_on", self.opens_on)?,
                    closes_on: row.need("closes_on", self.closes_on)?,
                    co_term: row.need("co_term", self.co_term)?,
                    raised_by: self.raised_by,
                }))
            }
            "risk_to_weigh" => Ok(Matter::RiskToWeigh { risk: row.need("risk", self.risk)?, note }),
            "warning" => Ok(Matter::Warning { note }),
            other => Err(row.corrupt(format!("\"{other}\" is nothing that is handed over"))),
        }
    }

    fn read_gate(&self, row: &Row) -> Result<Gate, Corrupt> {
        if let Some(rule) = &self.withheld_by {
            let since = row.need("withheld_since", self.withheld_since)?;
            return Ok(Gate::Withheld { rule: rule.clone(), since });
        }
        let Some(by) = self.overridden_by else { return Ok(Gate::Open) };
        Ok(Gate::Overridden {
            by,
            at: row.need("overridden_at", self.overridden_at)?,
            reason: row.need("override_reason", self.override_reason.clone())?,
        })
    }

    fn read_qualification(&self, row: &Row) -> Result<Option<Qualification>, Corrupt> {
        let Some(need) = &self.need else { return Ok(None) };
        let contact = row.need("contact", self.contact.as_deref())?;
        let timing = row.need("timing", self.timing.as_deref())?;
        let read = Qualification::new(need, contact, timing).map_err(|error| row.corrupt(error.to_string()))?;
        Ok(Some(Qualification { confirmed: self.qualified_by.zip(self.qualified_at), ..read }))
    }

    fn read_state(&self, row: &Row) -> Result<State, Corrupt> {
        let holder = || row.need("accountable", self.accountable);
        let by = || row.need("moved_by", self.moved_by);
        let reason = || row.need("reason", self.reason.clone());
        Ok(match self.state.as_str() {
            "detected" => State::Detected { holder: holder()? },
            "qualified" => State::Qualified { holder: holder()? },
            "offered" => State::Offered {
                to: match &self.pool {
                    Some(name) => Seat::Pool { name: name.clone(), accountable: holder()? },
                    None => Seat::Person(holder()?),
                },
                from: self.offered_by,
            },
            "accepted" => State::Accepted { by: holder()?, from: self.offered_by },
            "declined" => State::Returned { holder: holder()?, how: Return::Declined { by: by()?, reason: reason()? } },
            "expired" => State::Returned { holder: holder()?, how: Return::Expired { late: by()? } },
            "handed_back" => {
                State::Returned { holder: holder()?, how: Return::HandedBack { by: by()?, note: reason()? } }
            }
            "won" => State::Won { by: by()?, amount: self.won_amount },
            "lost" => State::Lost { by: by()?, reason: reason()? },
            "passed" => State::Passed { by: by()?, reason: reason()? },
            "withdrawn" => State::Withdrawn { by: by()? },
            "closed" => State::Closed { reason: reason()? },
            other => return Err(row.corrupt(format!("\"{other}\" is no state"))),
        })
    }
}

impl TryFrom<HandoffRecord> for Handoff {
    type Error = Corrupt;

    fn try_from(record: HandoffRecord) -> Result<Self, Corrupt> {
        let row = Row { what: "handoff", id: record.id };
        if record.version < 1 {
            return Err(row.corrupt("its version is below 1"));
        }
        let handoff = Handoff {
            id: record.id,
            account: record.account.clone(),
            matter: record.read_matter(&row)?,
            state: record.read_state(&row)?,
            gate: record.read_gate(&row)?,
            qualification: record.read_qualification(&row)?,
            solo: record.solo,
            stands_in_for: record.stands_in_for,
            timer: Timer::from_columns((record.clock_since, record.remind_at, record.due_at)),
            since: record.since,
            version: record.version,
        };
        if handoff.stands_in_for.is_some() && handoff.stands_in_for == handoff.accountable() {
            return Err(row.corrupt("somebody stands in for themselves"));
        }
        if matches!(handoff.state, State::Qualified { .. }) && handoff.qualification.is_none() {
            return Err(row.corrupt("it is qualified without need, contact and timing"));
        }
        if handoff.window().is_none() && (handoff.qualification.is_some() || handoff.gate != Gate::Open) {
            return Err(row.corrupt("only a window is qualified or withheld"));
        }
        if handoff.is_withheld() && handoff.due().is_some() {
            return Err(row.corrupt("its clock runs while it is withheld"));
        }
        if handoff.state.is_end() && handoff.timer != Timer::Waiting {
            return Err(row.corrupt("its clock runs although it has ended"));
        }
        let goes_on = matches!(handoff.state, State::Detected { .. } | State::Qualified { .. } | State::Offered { .. });
        if goes_on && matches!(handoff.timer, Timer::Over { .. }) {
            return Err(row.corrupt("due_at is missing"));
        }
        row.whole(&record, &HandoffRecord::from(&handoff), &record.state)?;
        Ok(handoff)
    }
}
