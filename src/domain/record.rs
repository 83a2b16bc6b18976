//! What the state machines share: the answer to a refused move, and the flat
//! records that the store keeps. A row is read back
//! by decoding it and encoding it again: a column that does not belong to its
//! state shows as a difference, so an impossible row is an error, never a
//! panic and never silently another state.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::person::PersonId;

/// What a refused move finds instead: enough for a private answer to a stale,
/// repeated or late click. The same for risks, handoffs and renewals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The machine's word for its state, such as "acknowledged".
    pub state: &'static str,
    /// Who is accountable, or who put it there; `None` where a night, a date or an import did.
    pub who: Option<PersonId>,
    pub since: DateTime<Utc>,
}

/// A row that no state machine can have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored {what} {id} cannot be: {why}")]
pub struct Corrupt {
    /// "risk", "handoff" or "renewal".
    pub what: &'static str,
    pub id: Uuid,
    pub why: String,
}

/// Takes the columns of one row, and says which one is missing.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) id: Uuid,
}

impl Row {
    pub(super) fn need<T>(&self, column: &str, value: Option<T>) -> Result<T, Corrupt> {
        value.ok_or_else(|| self.corrupt(format!("{column} is missing")))
    }

    pub(super) fn corrupt(&self, why: impl Into<String>) -> Corrupt {
        Corrupt { what: self.what, id: self.id, why: why.into() }
    }

    /// `again` is the decoded row, encoded anew.
    pub(super) fn whole<R: PartialEq>(&self, row: &R, again: &R, state: &str) -> Result<(), Corrupt> {
        if row == again {
            Ok(())
        } else {
            Err(self.corrupt(format!("it has columns that do not belong to the state {state}")))
        }
    }
}
