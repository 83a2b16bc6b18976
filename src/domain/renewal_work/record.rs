//! The work towards a renewal as one flat row.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Brief, LADDER, Outcome, RenewalWork, State, Timer};
use crate::domain::account::AccountId;
use crate::domain::money::Money;
use crate::domain::person::PersonId;
use crate::domain::record::{Corrupt, Row};

/// One row of the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenewalRecord {
    pub id: Uuid,
    pub account: AccountId,
    /// At least 1.
    pub version: i32,
    pub since: DateTime<Utc>,
    pub renewal_date: NaiveDate,
    pub deadline: NaiveDate,
    #[serde(default)]
    pub routed_to: Option<PersonId>,
    pub owner: PersonId,
    /// Days before the deadline: `180`, `120`, `90`, `60` or `30`.
    pub step: Option<String>,
    pub step_on: Option<NaiveDate>,
    pub brief: Option<String>,
    pub brief_by: Option<PersonId>,
    pub brief_at: Option<DateTime<Utc>>,
    /// `upcoming`, `preparing`, `negotiating`, `renewed`, `contracted` or `lost`.
    pub state: String,
    pub ended_by: Option<PersonId>,
    pub arr_after: Option<Money>,
    pub lost_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_since: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
}

impl From<&RenewalWork> for RenewalRecord {
    fn from(work: &RenewalWork) -> Self {
        let brief = work.brief.as_ref();
        let (clock_since, remind_at, due_at) = work.timer.columns();
        let (ended_by, arr_after, lost_reason) = match &work.state {
            State::Upcoming | State::Preparing | State::Negotiating => (None, None, None),
            State::Ended { outcome, by } => match outcome {
                Outcome::Renewed { arr_after } | Outcome::Contracted { arr_after } => (*by, *arr_after, None),
                Outcome::Lost { reason } => (*by, None, Some(reason.clone())),
            },
        };
        Self {
            id: work.id,
            account: work.account.clone(),
            version: work.version,
            since: work.since,
            renewal_date: work.renewal_date,
            deadline: work.deadline,
            routed_to: work.routed_to,
            owner: work.owner,
            step: work.step.map(|(stage, _)| stage.as_str().to_owned()),
            step_on: work.step.map(|(_, on)| on),
            brief: brief.map(|brief| brief.text.clone()),
            brief_by: brief.map(|brief| brief.by),
            brief_at: brief.map(|brief| brief.at),
            state: work.state_name().to_owned(),
            ended_by,
            arr_after,
            lost_reason,
            clock_since,
            remind_at,
            due_at,
        }
    }
}

impl TryFrom<RenewalRecord> for RenewalWork {
    type Error = Corrupt;

    fn try_from(record: RenewalRecord) -> Result<Self, Corrupt> {
        let row = Row { what: "renewal", id: record.id };
        if record.version < 1 {
            return Err(row.corrupt("its version is below 1"));
        }
        let ended = |outcome| State::Ended { outcome, by: record.ended_by };
        let state = match record.state.as_str() {
            "upcoming" => State::Upcoming,
            "preparing" => State::Preparing,
            "negotiating" => State::Negotiating,
            "renewed" => ended(Outcome::Renewed { arr_after: record.arr_after }),
            "contracted" => ended(Outcome::Contracted { arr_after: record.arr_after }),
            "lost" => ended(Outcome::Lost { reason: row.need("lost_reason", record.lost_reason.clone())? }),
            other => return Err(row.corrupt(format!("\"{other}\" is no state"))),
        };
        let step = match &record.step {
            None => None,
            Some(word) => {
                let stage = LADDER.into_iter().find(|stage| stage.as_str() == word);
                let stage = stage.ok_or_else(|| row.corrupt(format!("\"{word}\" is no step")))?;
                Some((stage, row.need("step_on", record.step_on)?))
            }
        };
        let brief = match &record.brief {
            None => None,
            Some(text) => Some(Brief {
                by: row.need("brief_by", record.brief_by)?,
                at: row.need("brief_at", record.brief_at)?,
                text: text.clone(),
            }),
        };
        let work = RenewalWork {
            id: record.id,
            account: record.account.clone(),
            renewal_date: record.renewal_date,
            routed_to: record.routed_to,
            owner: record.owner,
            deadline: record.deadline,
            step,
            brief,
            state,
            since: record.since,
            version: record.version,
            timer: Timer::from_columns((record.clock_since, record.remind_at, record.due_at)),
        };
        if !work.is_open() && work.timer != Timer::Waiting {
            return Err(row.corrupt("its clock runs although it has ended"));
        }
        row.whole(&record, &RenewalRecord::from(&work), &record.state)?;
        Ok(work)
    }
}
