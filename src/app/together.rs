//! Those who ask for the same kind of thing at the same time are served together.
//!
//! Most of what a small request costs Postgres is not its rows: it is the
//! transaction with its role and organisation, and the start of each statement.
//! So whoever asks while others are being served waits for their turn, and all
//! who wait are served by one transaction. Nothing is kept between them, and
//! nothing is read for anybody before they have asked, so that nobody gets older
//! facts than they would have got alone. Alone, nobody waits.
//!
//! The next to serve begins a transaction while the turns before it last, and takes
//! along all who have come when its own begins. Whoever serves says when the turn is
//! over: questions once they are read, what the rows of a lane ask once it is done;
//! presses, which lock what others press, once only the commit is left, which waits for
//! the disk and for nothing else. A turn beside others is for many only, or after a
//! while: the start of a statement costs Postgres as much as reading for several.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit, oneshot};
use tokio::time::timeout;

use crate::domain::person::OrgId;

/// How long those who are served together are served: one whom the database never answers must not have its turn for
/// ever.
pub const SERVED_WITHIN: Duration = Duration::from_secs(60);

/// Fewer than are enough for a turn beside others wait so long for one that ends, and get one beside it then: it may be one
/// that waits for somebody's lock, or gets no answer.
const SOON: Duration = Duration::from_millis(50);

/// Who asks with an `Ask` and gets an `Answer`, by organisation.
#[derive(Debug)]
pub struct Together<Ask, Answer> {
    lines: Lines<Ask, Answer>,
    at_once: usize,
    many: usize,
}

type Lines<Ask, Answer> = Mutex<HashMap<OrgId, Arc<Line<Ask, Answer>>>>;

#[derive(Debug)]
struct Line<Ask, Answer> {
    /// Whoever has this begins, and is the only one to take along those who wait.
    next: Semaphore,
    turns: Arc<Turns>,
    waiting: Mutex<Waiting<Ask, Answer>>,
}

#[derive(Debug)]
struct Waiting<Ask, Answer> {
    /// How many have come, and how many of them have been taken along.
    came: u64,
    taken: u64,
    asks: Vec<(Ask, Tell<Answer>)>,
}

#[derive(Debug)]
struct Turns {
    at_once: usize,
    /// How many have to wait for a turn beside those that last.
    many: usize,
    /// How many there are now.
    open: AtomicUsize,
    /// Rung when a turn is over, and when there are many who wait.
    changed: Notify,
}

impl Turns {
    fn new(at_once: usize, many: usize) -> Self {
        Self { at_once, many, open: AtomicUsize::new(0), changed: Notify::new() }
    }

    /// Whether there may be one more, where so many wait and so many are enough for one beside others.
    fn has_room(&self, waiting: usize, enough: usize) -> bool {
        match self.open.load(Ordering::Acquire) {
            0 => true,
            open => open < self.at_once && waiting >= enough,
        }
    }
}

/// Whose turn it is; the next have theirs once it is dropped.
#[derive(Debug)]
pub struct Turn(Arc<Turns>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_one();
    }
}

type Tell<Answer> = oneshot::Sender<Result<Answer, Shared>>;

/// One failure, told to all whom it concerns.
#[derive(Debug, Clone)]
struct Shared(Arc<anyhow::Error>);

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("served together with others")
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.0.as_ref().as_ref())
    }
}

impl<Ask, Answer> Line<Ask, Answer> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<Ask, Answer>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of who has come.
    fn come(&self, ask: Ask, tell: Tell<Answer>) -> u64 {
        let mut waiting = self.waiting();
        waiting.asks.push((ask, tell));
        waiting.came += 1;
        let enough = self.turns.many;
        if waiting.asks.len() >= enough && self.turns.has_room(waiting.asks.len(), enough) {
            self.turns.changed.notify_one();
        }
        waiting.came
    }

    /// The next turn. Only whoever begins waits for it.
    async fn turn(&self) -> Turn {
        let mut enough = self.turns.many;
        let waiting = || self.waiting().asks.len();
        while !self.turns.has_room(waiting(), enough) {
            let changed = self.turns.changed.notified();
            if timeout(SOON, changed).await.is_err() {
                enough = 1;
            }
        }
        self.turns.open.fetch_add(1, Ordering::AcqRel);
        Turn(self.turns.clone())
    }

    /// All who wait and have not gone.
    fn take(&self) -> (Vec<Ask>, Vec<Tell<Answer>>) {
        let mut waiting = self.waiting();
        waiting.taken = waiting.came;
        std::mem::take(&mut waiting.asks).into_iter().filter(|(_, tell)| !tell.is_closed()).unzip()
    }
}

impl<Ask, Answer> Together<Ask, Answer> {
    /// With at most so many turns of one organisation at once. One beside others is for so many who wait, or for who has
    /// waited for [`SOON`]: turns beside each other keep Postgres busier, and serve fewer each.
    pub fn new(at_once: usize, many: usize) -> Self {
        Self { lines: Lines::default(), at_once, many }
    }

    fn line(&self, org: OrgId) -> Arc<Line<Ask, Answer>> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let turns = Turns::new(self.at_once, self.many);
            Arc::new(Line {
                next: Semaphore::new(1),
                turns: Arc::new(turns),
                waiting: Mutex::new(Waiting { came: 0, taken: 0, asks: Vec::new() }),
            })
        };
        lines.entry(org).or_insert_with(new).clone()
    }

    /// Asks, and is served with all others who wait. Whoever is next begins a transaction and, once it has a turn, calls
    /// `serve` with all who have come by then; it answers each, in that order, and may give the turn back before it is
    /// done. A failure is everybody's. `None` where who served was cut off: then what came of it is not known, and
    /// everybody may ask alone.
    pub async fn ask<Begun, Beginning, Serving>(
        &self,
        org: OrgId,
        ask: Ask,
        begin: impl FnOnce() -> Beginning,
        serve: impl FnOnce(Begun, Vec<Ask>, Turn) -> Serving,
    ) -> anyhow::Result<Option<Answer>>
    where
        Beginning: Future<Output = anyhow::Result<Begun>>,
        Serving: Future<Output = anyhow::Result<Vec<Answer>>>,
    {
        let line = self.line(org);
        let (tell, mut hear) = oneshot::channel();
        let number = line.come(ask, tell);
        let told = tokio::select! {
            biased;
            told = &mut hear => told,
            next = line.next.acquire() => {
                // Whom another's turn has taken along leaves it to those who still wait.
                let waits = line.waiting().taken < number;
                match next {
                    // Boxed, or everybody would be moved about with room for the few who serve.
                    Ok(next) if waits => Box::pin(line.serve(next, begin, serve)).await,
                    left => drop(left),
                }
                hear.await
            }
        };
        Ok(told.ok().transpose()?)
    }
}

impl<Ask, Answer> Line<Ask, Answer> {
    async fn serve<Begun, Beginning, Serving>(
        &self,
        next: SemaphorePermit<'_>,
        begin: impl FnOnce() -> Beginning,
        serve: impl FnOnce(Begun, Vec<Ask>, Turn) -> Serving,
    ) where
        Beginning: Future<Output = anyhow::Result<Begun>>,
        Serving: Future<Output = anyhow::Result<Vec<Answer>>>,
    {
        let (served, tells) = match begin().await {
            Ok(begun) => {
                let turn = self.turn().await;
                // Nothing has been read yet: what was committed while it began is seen, and who came meanwhile is served
                // too.
                let (asks, tells) = self.take();
                drop(next);
                (serve(begun, asks, turn).await, tells)
            }
            // To hear that, nobody needs a turn.
            Err(error) => (Err(error), self.take().1),
        };
        // Who has gone meanwhile need not be told.
        match served {
            Ok(answers) => tells.into_iter().zip(answers).for_each(|(tell, answer)| drop(tell.send(Ok(answer)))),
            Err(error) => {
                let shared = Shared(Arc::new(error));
                tells.into_iter().for_each(|tell| drop(tell.send(Err(shared.clone()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use futures_util::future::join_all;
    use uuid::Uuid;

    use super::*;

    const ORG: OrgId = OrgId(Uuid::nil());
    const MANY: usize = 8;

    async fn begin() -> anyhow::Result<()> {
        tokio::task::yield_now().await;
        Ok(())
    }

    #[tokio::test]
    async fn who_waits_is_served_at_once_and_hears_their_own() {
        for (at_once, expected) in [(1, 2), (2, 3)] {
            let (together, servings) = (Together::<usize, usize>::new(at_once, MANY), AtomicUsize::new(0));
            let asked = |n: usize| {
                let (together, servings) = (&together, &servings);
                // Who asks first is served before the others come.
                let begin = async move { if n < at_once { Ok(()) } else { begin().await } };
                let serve = move |(), all: Vec<usize>, _turn| async move {
                    servings.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    Ok(all.into_iter().map(|n| n * n).collect())
                };
                together.ask(ORG, n, || begin, serve)
            };
            let told: Vec<_> = join_all((0..100).map(asked)).await.into_iter().map(Result::unwrap).collect();
            assert_eq!(told, (0..100).map(|n| Some(n * n)).collect::<Vec<_>>());
            assert_eq!(servings.into_inner(), expected, "{at_once} at once, and one for all who came meanwhile");
        }
    }

    #[tokio::test]
    async fn the_next_begins_while_the_turn_before_lasts() {
        let (together, serving, begun) = (Together::<u8, u8>::new(1, MANY), AtomicUsize::new(0), AtomicUsize::new(0));
        let until = async |counted: &AtomicUsize| {
            for _ in 0..100 {
                if counted.load(Ordering::Relaxed) > 0 {
                    return true;
                }
                tokio::task::yield_now().await;
            }
            false
        };
        let first = together.ask(ORG, 1, begin, |(), all, turn| async {
            serving.fetch_add(1, Ordering::Relaxed);
            let next_has_begun = until(&begun).await;
            drop(turn);
            Ok(all.into_iter().map(|n| if next_has_begun { n } else { 0 }).collect())
        });
        let second = async {
            until(&serving).await;
            let begin = async {
                begun.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            together.ask(ORG, 2, || begin, |(), all, _turn| async move { Ok(all) }).await
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first.unwrap(), second.unwrap()), (Some(1), Some(2)));
    }

    #[test]
    fn a_turn_beside_another_is_for_many() {
        let turns = Turns::new(2, MANY);
        let room = |open, waiting| {
            turns.open.store(open, Ordering::Relaxed);
            turns.has_room(waiting, MANY)
        };
        assert!(room(0, 1) && room(1, MANY), "alone nobody waits, nor do many");
        assert!(!room(1, MANY - 1) && !room(2, MANY), "few wait, and no more at once than may");
    }

    #[tokio::test]
    async fn few_do_not_wait_for_one_that_gets_no_answer() {
        // However many it takes for one beside it.
        let (together, is_served) = (Together::<u8, u8>::new(2, usize::MAX), Notify::new());
        let stuck = |(), _, turn: Turn| async {
            is_served.notify_one();
            std::future::pending::<()>().await;
            drop(turn);
            Ok(Vec::new())
        };
        let second = async {
            is_served.notified().await;
            let serve = |(), all, _turn| async move { Ok(all) };
            timeout(100 * SOON, together.ask(ORG, 2, begin, serve)).await
        };
        tokio::select! {
            _ = together.ask(ORG, 1, begin, stuck) => unreachable!("it waits for ever"),
            told = second => assert_eq!(told.expect("it waits for the first").unwrap(), Some(2)),
        }
    }

    #[tokio::test]
    async fn organisations_do_not_wait_for_each_other() {
        let together = Together::<(), ()>::new(1, MANY);
        let stuck = |(), _, _| std::future::pending::<anyhow::Result<Vec<()>>>();
        let other = OrgId(Uuid::from_u128(1));
        tokio::select! {
            _ = join_all([0, 1].map(|_| together.ask(ORG, (), begin, stuck))) => unreachable!("they wait for ever"),
            told = together.ask(other, (), begin, |(), all, _| async move { Ok(all) }) => {
                assert_eq!(told.unwrap(), Some(()));
            }
        }
    }

    #[tokio::test]
    async fn a_failure_is_everybodys_and_the_next_are_served() {
        let together = Together::<u8, u8>::new(1, MANY);
        let failing = |n| together.ask(ORG, n, begin, |(), _, _| async { bail!("the server is gone") });
        for told in join_all((0..5).map(failing)).await {
            let said = format!("{:#}", told.unwrap_err());
            assert!(said.ends_with("the server is gone"), "{said}");
        }
        let unanswered = together.ask(ORG, 1, begin, |(), _, _| async { Ok(Vec::new()) }).await;
        assert_eq!(unanswered.unwrap(), None, "nothing was said");
        let told = together.ask(ORG, 2, begin, |(), all, _| async move { Ok(all) }).await;
        assert_eq!(told.unwrap(), Some(2));
    }
}
