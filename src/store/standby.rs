//! Transactions that were begun already, standing by for whoever asks next.
//!
//! While many ask, a transaction of its own for each few of them costs Postgres and the machine as much as what is done
//! in it: two more round trips and, where it only reads, the locks of every table and index. READ COMMITTED is asked for
//! by name, so each statement sees what was committed before it, whenever its transaction began; between statements no
//! snapshot is held.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::outage::is_broken;
use super::{Store, Tenant};
use crate::domain::person::OrgId;

/// What has stood by for so long is ended when it is next looked for, as often.
const IDLE: Duration = Duration::from_millis(100);

/// What was begun so long ago does not stand by any more: the pool looks after its connection again, and a migration does
/// not wait long for a table that it read.
const LONGEST: Duration = Duration::from_secs(1);

/// So many times as long as for a connection an answer is waited for by whoever was not told at BEGIN that the server is
/// there: nobody who asks in chat waits so long, and it is longer than a server with much to do takes.
const FIRST_ANSWER: u32 = 5;

const TO_READ: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";
const TO_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// What stands by on the connections of one store, to read or to write. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Standby {
    store: Store,
    begin: &'static str,
    shared: Arc<Shared>,
}

/// By both uses.
#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// How many have asked the pool and not begun yet.
    beginning: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The last given back is the first taken: the others come to rest.
    transactions: Vec<StandsBy>,
    /// Whether somebody looks for those that have stood by for long enough.
    is_watched: bool,
}

#[derive(Debug)]
struct StandsBy {
    tx: Tenant,
    begin: &'static str,
    since: Instant,
}

/// One who has asked the pool, until they have begun or gone.
struct Begins<'a>(&'a AtomicUsize);

impl<'a> Begins<'a> {
    fn new(beginning: &'a AtomicUsize) -> Self {
        beginning.fetch_add(1, Ordering::AcqRel);
        Self(beginning)
    }
}

impl Drop for Begins<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Standby {
    /// For those who only read, and for those who write, on the same connections.
    pub fn to_read_and_to_write(store: Store) -> (Self, Self) {
        let reads = Self { store, begin: TO_READ, shared: Arc::default() };
        let writes = Self { begin: TO_WRITE, ..reads.clone() };
        (reads, writes)
    }

    /// One that stands by for this organisation, or a new one.
    pub async fn tenant(&self, org: OrgId) -> anyhow::Result<Tenant> {
        match self.take(org) {
            Some(tx) => Ok(tx),
            None => self.begin(org).await,
        }
    }

    async fn begin(&self, org: OrgId) -> anyhow::Result<Tenant> {
        // Whoever needs a connection does not wait for one on which another only stands by.
        let _begins = Begins::new(&self.shared.beginning);
        if self.store.is_exhausted() {
            drop(self.oldest());
        }
        self.store.begin(org, self.begin).await
    }

    /// Asks the first question in a transaction, which comes back with the answer: once more in a new one where it stood by
    /// and turns out to have lost its server meanwhile.
    pub async fn ask<T, Asking: Future<Output = anyhow::Result<(Tenant, T)>>>(
        &self,
        tx: Tenant,
        question: impl Fn(Tenant) -> Asking,
    ) -> anyhow::Result<(Tenant, T)> {
        // Whoever begins may wait for their turn with it, and hear of an outage meanwhile.
        let tx = if self.has_lost_its_server(&tx) { self.begin_instead_of(tx).await? } else { tx };
        if !tx.stood_by {
            return question(tx).await;
        }
        let (org, limit) = (tx.org, FIRST_ANSWER * self.store.patience());
        match self.store.within(limit, question(tx)).await {
            Err(error) if is_broken(&error) => {
                self.store.outage.note();
                question(self.begin(org).await?).await
            }
            answered => answered,
        }
    }

    async fn begin_instead_of(&self, tx: Tenant) -> anyhow::Result<Tenant> {
        let org = tx.org;
        // Before another is waited for: they may all be broken.
        drop(tx);
        self.begin(org).await
    }

    /// Lets one stand by in which nothing has failed and nothing was written.
    pub fn keep(&self, mut tx: Tenant) {
        if self.is_waited_for() || !self.is_good(&tx) {
            return;
        }
        tx.stood_by = true;
        let mut waiting = self.waiting();
        waiting.transactions.push(StandsBy { tx, begin: self.begin, since: Instant::now() });
        if !std::mem::replace(&mut waiting.is_watched, true) {
            tokio::spawn(self.clone().watch());
        }
    }

    /// Commits, and lets the next stand by on the same connection.
    pub async fn commit(&self, mut tx: Tenant) -> anyhow::Result<()> {
        if self.is_waited_for() || !self.is_good(&tx) {
            return tx.commit().await;
        }
        if tx.commit_and_begin(self.begin).await? {
            self.keep(tx);
        }
        Ok(())
    }

    fn take(&self, org: OrgId) -> Option<Tenant> {
        let mut waiting = self.waiting();
        let is_wanted = |stands_by: &StandsBy| stands_by.tx.org == org && stands_by.begin == self.begin;
        let newest = waiting.transactions.iter().rposition(is_wanted)?;
        let tx = waiting.transactions.remove(newest).tx;
        drop(waiting);
        Some(tx).filter(|tx| self.is_good(tx))
    }

    fn oldest(&self) -> Option<Tenant> {
        let mut waiting = self.waiting();
        (!waiting.transactions.is_empty()).then(|| waiting.transactions.remove(0).tx)
    }

    /// Whether one may stand by, or is of use that has.
    fn is_good(&self, tx: &Tenant) -> bool {
        tx.begun.elapsed() < LONGEST && !self.has_lost_its_server(tx)
    }

    /// Whether the database was away since it was begun.
    fn has_lost_its_server(&self, tx: &Tenant) -> bool {
        !self.store.outage.is_behind(tx.begun.elapsed())
    }

    /// Whether somebody has to wait for a connection.
    fn is_waited_for(&self) -> bool {
        self.shared.beginning.load(Ordering::Acquire) > 0 && self.store.is_exhausted()
    }

    /// Ends those that have stood by for long enough, until none does.
    async fn watch(self) {
        let mut is_over = false;
        while !is_over {
            tokio::time::sleep(IDLE).await;
            let rested;
            (rested, is_over) = self.rested();
            for tx in rested {
                // The pool would wait without a limit for the answer of a server that is gone.
                if !self.has_lost_its_server(&tx) {
                    let _ = self.store.within(super::FIRST_ANSWER, tx.give_up()).await;
                }
            }
        }
    }

    /// Those that have stood by for long enough, and whether there are no others: then nobody watches any more.
    fn rested(&self) -> (Vec<Tenant>, bool) {
        let mut waiting = self.waiting();
        let has_rested = |stands_by: &mut StandsBy| stands_by.since.elapsed() >= IDLE;
        let rested = waiting.transactions.extract_if(.., has_rested).map(|stands_by| stands_by.tx).collect();
        let is_over = waiting.transactions.is_empty();
        waiting.is_watched = !is_over;
        (rested, is_over)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
