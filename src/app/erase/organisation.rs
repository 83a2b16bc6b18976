//! Purpose: everything of one organisation is deleted, its audit trail with it, while the service runs for the others.
//!
//! First whatever writes for long is waited for and kept out: a diagnosis, an import. Then nothing reaches the
//! organisation from outside any more, nor is anything owed or sent to it; then its rows go, table by table; its own row
//! and the trail go last. Killed in between, the same again goes on from there.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::steadily;
use crate::app::installation;
use crate::domain::person::OrgId;
use crate::store::directory::{self, Organisation};
use crate::store::{Store, erase, import, installation as stored, night};
use crate::vault::MasterKeys;
use chrono::{DateTime, Utc};

/// How long transactions are waited for that began before the organisation was gone: a click is over in milliseconds.
const LATECOMERS: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

/// What is being done, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress(Mutex<String>);

impl Progress {
    pub fn now(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn at(&self, what: &str) {
        what.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Deletes everything of an organisation; how many rows that were. `keys` are asked for only where a workspace has gone to
/// another organisation and its tokens are still encrypted for this one.
///
/// # Errors
/// The database's. What was deleted until then stays deleted, and the same again deletes the rest.
pub async fn organisation(
    store: &Store,
    organisation: &Organisation,
    keys: impl FnOnce() -> anyhow::Result<MasterKeys>,
    progress: &Progress,
    now: DateTime<Utc>,
) -> anyhow::Result<u64> {
    let org = organisation.id;
    progress.at("waiting for an import or a diagnosis to end");
    let mut gate = store.tenant(org).await?;
    directory::lock_inbox(&mut gate).await?;
    import::take_turns(&mut gate).await?;
    night::lock_night(&mut gate).await?;
    give_installations_on(store, org, keys, now).await?;
    let mut rows = erase::organisation::cut_off(store, org).await?;
    progress.at("counting what is there");
    erase::organisation::look_again(store).await?;
    rows +=
        steadily(|| erase::organisation::rows(store, org, |table| progress.at(&format!("erasing {table}")))).await?;
    progress.at("erasing the organisation and its audit trail");
    rows += steadily(|| erase::organisation::itself(store, org)).await?;
    let gone = store.database_time().await?;
    // Whoever waited behind these locks finds no organisation.
    drop(gate);
    for _ in 0..LATECOMERS.as_millis() / LOOK.as_millis() {
        if store.transactions_before(gone).await? == 0 {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    // What a click had written by then, and committed after.
    rows += erase::organisation::rows(store, org, |_| ()).await?;
    rows += erase::organisation::itself(store, org).await?;
    tracing::info!(%org, rows, "erased an organisation");
    Ok(rows)
}

/// A workspace may have been linked to another organisation since, and its tokens not been read from then on.
async fn give_installations_on(
    store: &Store,
    org: OrgId,
    keys: impl FnOnce() -> anyhow::Result<MasterKeys>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut tx = store.directory().await?;
    let installed = stored::every(&mut tx).await?;
    drop(tx);
    let elsewhere = |one: &stored::Installation| {
        one.sealed_for() == Some(org)
            && one.linked_to().is_some_and(|linked| linked != org)
            && one.access_token.is_some()
    };
    let teams: Vec<String> = installed.into_iter().filter(elsewhere).map(|one| one.team_id).collect();
    if teams.is_empty() {
        return Ok(());
    }
    let keys = keys()?;
    for team in teams {
        // Reading them encrypts them for whose they are now. Those that can't be read are lost to everybody already.
        if let Err(error) = installation::read(store, &keys, &team, now).await {
            tracing::warn!(team, "the tokens of a workspace of another organisation could not be given on: {error:#}");
        }
    }
    Ok(())
}
