//! Forgetting on demand: an organisation whole, a contact, a colleague.
//!
//! What stays, and why: the audit trail of an organisation that goes on. It holds ids alone, so it need not be touched,
//! and it still verifies; what a colleague did stays in it as done by their id, of which nobody knows any more whose it is.

mod organisation;
mod people;

pub use organisation::{Progress, organisation};
pub use people::{Colleague, Contact, colleague, contact};

use crate::store;

/// How often it is tried where somebody's click stood in the way.
const TRIES: u32 = 5;

/// Does it again where it gave way to another transaction.
async fn steadily<T>(mut work: impl AsyncFnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut tries = 1;
    loop {
        match work().await {
            Err(error) if store::is_deadlock(&error) && tries < TRIES => tries += 1,
            done => return done,
        }
    }
}
