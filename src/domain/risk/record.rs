//! The risk as one flat row.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{Raised, Reading, Risk, State, Timer};
use crate::domain::account::AccountId;
use crate::domain::person::PersonId;
use crate::domain::record::{Corrupt, Row};

/// One row of the store. Readings are kept as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskRecord {
    pub id: Uuid,
    pub account: AccountId,
    /// At least 1.
    pub version: i32,
    pub since: DateTime<Utc>,
    pub opened_on: NaiveDate,
    pub raised_by: Option<PersonId>,
    pub raised_why: Option<String>,
    pub calm_nights: i16,
    pub last_night: NaiveDate,
    pub latest: Reading,
    pub confirmed: bool,
    /// `open`, `acknowledged`, `snoozed`, `resolved` or `ended`.
    pub state: String,
    /// Who acknowledged, snoozed or resolved it.
    pub moved_by: Option<PersonId>,
    pub next_step: Option<String>,
    pub next_step_due: Option<NaiveDate>,
    pub snoozed_until: Option<NaiveDate>,
    /// `fixed`, `accepted_loss` or `not_a_risk`.
    pub resolution: Option<String>,
    /// What was known when it was snoozed or resolved.
    pub known: Option<Reading>,
    pub clock_since: Option<DateTime<Utc>>,
    /// While its one reminder is still owed.
    pub remind_at: Option<DateTime<Utc>>,
    pub due_at: Option<DateTime<Utc>>,
}

impl From<&Risk> for RiskRecord {
    fn from(risk: &Risk) -> Self {
        let (clock_since, remind_at, due_at) = risk.timer.columns();
        let mut row = Self {
            id: risk.id,
            account: risk.account.clone(),
            version: risk.version,
            since: risk.since,
            opened_on: risk.opened_on,
            raised_by: risk.raised.as_ref().map(|raised| raised.by),
            raised_why: risk.raised.as_ref().map(|raised| raised.why.clone()),
            calm_nights: i16::from(risk.calm),
            last_night: risk.last_night,
            latest: risk.latest.clone(),
            confirmed: risk.confirmed,
            state: risk.state_name().to_owned(),
            moved_by: None,
            next_step: None,
            next_step_due: None,
            snoozed_until: None,
            resolution: None,
            known: None,
            clock_since,
            remind_at,
            due_at,
        };
        match &risk.state {
            State::Open | State::Ended => {}
            State::Acknowledged { by, next_step, due } => {
                (row.moved_by, row.next_step, row.next_step_due) = (Some(*by), next_step.clone(), Some(*due));
            }
            State::Snoozed { by, until, known } => {
                (row.moved_by, row.snoozed_until, row.known) = (Some(*by), Some(*until), Some(known.clone()));
            }
            State::Resolved { by, reason, known } => {
                (row.moved_by, row.known) = (Some(*by), Some(known.clone()));
                row.resolution = Some(reason.as_str().to_owned());
            }
        }
        row
    }
}

impl TryFrom<RiskRecord> for Risk {
    type Error = Corrupt;

    fn try_from(record: RiskRecord) -> Result<Self, Corrupt> {
        let row = Row { what: "risk", id: record.id };
        if record.version < 1 {
            return Err(row.corrupt("its version is below 1"));
        }
        let by = || row.need("moved_by", record.moved_by);
        let known = || row.need("known", record.known.clone());
        let state = match record.state.as_str() {
            "open" => State::Open,
            "acknowledged" => State::Acknowledged {
                by: by()?,
                next_step: record.next_step.clone(),
                due: row.need("next_step_due", record.next_step_due)?,
            },
            "snoozed" => {
                State::Snoozed { by: by()?, until: row.need("snoozed_until", record.snoozed_until)?, known: known()? }
            }
            "resolved" => State::Resolved {
                by: by()?,
                reason: row
                    .need("resolution", record.resolution.as_deref())?
                    .parse()
                    .map_err(|e: String| row.corrupt(e))?,
                known: known()?,
            },
            "ended" => State::Ended,
            other => return Err(row.corrupt(format!("\"{other}\" is no state"))),
        };
        let raised = match record.raised_by {
            Some(by) => Some(Raised { by, why: row.need("raised_why", record.raised_why.clone())? }),
            None => None,
        };
        let risk = Risk {
            id: record.id,
            account: record.account.clone(),
            opened_on: record.opened_on,
            raised,
            state,
            since: record.since,
            version: record.version,
            calm: u8::try_from(record.calm_nights).map_err(|_| row.corrupt("calm_nights is out of range"))?,
            last_night: record.last_night,
            latest: record.latest.clone(),
            confirmed: record.confirmed,
            timer: Timer::from_columns((record.clock_since, record.remind_at, record.due_at)),
        };
        if risk.timer != Timer::Waiting && !matches!(risk.state, State::Open | State::Acknowledged { .. }) {
            return Err(row.corrupt("its clock runs although it is settled"));
        }
        row.whole(&record, &RiskRecord::from(&risk), &record.state)?;
        Ok(risk)
    }
}
