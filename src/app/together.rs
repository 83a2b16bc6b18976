//! Those who ask for the same kind of thing at the same time are served together.
//!
//! Most of what a small request costs Postgres is not its rows: it is the
//! transaction with its role and organisation, and the start of each statement.
//! So whoever asks while others are being served waits for their turn, and all
//! who wait are served by one transaction. Nothing is kept between them: a
//! serving begins after everybody whom it serves has asked, so that nobody gets
//! older facts than they would have got alone. Alone, nobody waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use crate::domain::person::OrgId;

/// Servings of one organisation under way at once: while Postgres does one, the process prepares the next.
const AT_ONCE: usize = 2;

/// Who asks for an `Ask` and hears a `Told`, by organisation. Cheap to clone: all clones share.
#[derive(Debug)]
pub(crate) struct Together<Ask, Told>(Arc<Mutex<Lines<Ask, Told>>>);

type Lines<Ask, Told> = HashMap<OrgId, Arc<Line<Ask, Told>>>;

#[derive(Debug)]
struct Line<Ask, Told> {
    turns: Semaphore,
    waiting: Mutex<Vec<(Ask, oneshot::Sender<Told>)>>,
}

impl<Ask, Told> Clone for Together<Ask, Told> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Ask, Told> Default for Together<Ask, Told> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<Ask, Told> Line<Ask, Told> {
    fn waiting(&self) -> MutexGuard<'_, Vec<(Ask, oneshot::Sender<Told>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Ask, Told> Together<Ask, Told> {
    fn line(&self, org: OrgId) -> Arc<Line<Ask, Told>> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Line { turns: Semaphore::new(AT_ONCE), waiting: Mutex::default() });
        lines.entry(org).or_insert_with(new).clone()
    }

    /// Asks, and is served with all others who wait. `serve` is called by whoever has a turn, and tells each what they
    /// asked for, in the order in which it got them. `None` where who served was cut off: then what came of it is not
    /// known, and everybody may ask alone.
    pub(crate) async fn ask<Serving>(
        &self,
        org: OrgId,
        ask: Ask,
        serve: impl FnOnce(Vec<Ask>) -> Serving,
    ) -> Option<Told>
    where
        Serving: Future<Output = Vec<Told>>,
    {
        let line = self.line(org);
        let (tell, mut hear) = oneshot::channel();
        line.waiting().push((ask, tell));
        tokio::select! {
            biased;
            told = &mut hear => return told.ok(),
            _turn = line.turns.acquire() => {
                let (asks, tells): (Vec<Ask>, Vec<_>) = std::mem::take(&mut *line.waiting()).into_iter().unzip();
                // Nobody waits any more where another's turn has taken this one along as well.
                if !asks.is_empty() {
                    for (told, tell) in serve(asks).await.into_iter().zip(tells) {
                        // Who has gone meanwhile need not be told.
                        let _ = tell.send(told);
                    }
                }
            }
        }
        hear.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use uuid::Uuid;

    use super::*;

    const ORG: OrgId = OrgId(Uuid::nil());

    #[tokio::test]
    async fn who_waits_is_served_at_once_and_hears_their_own() {
        let (together, servings) = (Together::<usize, usize>::default(), AtomicUsize::new(0));
        let served = |n: usize| {
            let (together, servings) = (together.clone(), &servings);
            async move {
                let serve = |all: Vec<usize>| async move {
                    servings.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    all.into_iter().map(|n| n * n).collect()
                };
                together.ask(ORG, n, serve).await
            }
        };
        let told = join_all((0..100).map(served)).await;
        assert_eq!(told, (0..100).map(|n| Some(n * n)).collect::<Vec<_>>());
        assert_eq!(servings.into_inner(), 3, "two at once, and one for all who came meanwhile");
    }

    #[tokio::test]
    async fn organisations_do_not_wait_for_each_other() {
        let together = Together::<(), ()>::default();
        let stuck = |_| std::future::pending::<Vec<()>>();
        let other = OrgId(Uuid::from_u128(1));
        tokio::select! {
            _ = join_all([0, 1, 2].map(|_| together.ask(ORG, (), stuck))) => unreachable!("they wait for ever"),
            told = together.ask(other, (), |all| async move { all }) => assert_eq!(told, Some(())),
        }
    }

    #[tokio::test]
    async fn who_was_to_be_served_by_somebody_cut_off_is_told_so() {
        let together = Together::<u8, u8>::default();
        let tell = |all: Vec<u8>| async move { all };
        let first = together.ask(ORG, 1, |_| std::future::ready(Vec::new()));
        assert_eq!(first.await, None, "nothing was said");
        assert_eq!(together.ask(ORG, 2, tell).await, Some(2), "and the next is served");
    }
}
