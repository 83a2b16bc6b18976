//! Forgetting on demand: an organisation whole, a contact, a colleague.
//!
//! What stays, and why: the audit trail of an organisation that goes on. It holds ids alone, so it need not be touched,
//! and it still verifies; what a colleague did stays in it as done by their id, of which nobody knows any more whose it is.

mod organisation;
mod people;

pub use organisation::{Progress, organisation};
pub use people::{Colleague, Contact, colleague, contact};
