//! Flat records: what the store keeps of a state machine. A row is read back
//! by decoding it and encoding it again: a column that does not belong to its
//! state shows as a difference, so an impossible row is an error, never a
//! panic and never silently another state.

use uuid::Uuid;

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
