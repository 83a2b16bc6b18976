//! When the database was last found away. Connections of before are not used any more: after a restart of the server
//! each of them would fail somebody once, and after a failover each would wait for an answer that never comes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Store;

/// How often something is begun in all that can be begun again. The second try has a new connection.
const TRIES: usize = 3;

/// A question was asked and not answered in time.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer within {} s", .0.as_secs_f32())]
struct NoAnswer(Duration);

/// The last time, known to all pools on one server. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Outage(Arc<Mutex<Option<Instant>>>);

impl Outage {
    pub(super) fn note(&self) {
        *self.last() = Some(Instant::now());
    }

    /// Whether a connection of this age was made since.
    pub(super) fn is_behind(&self, age: Duration) -> bool {
        self.last().is_none_or(|at| age < at.elapsed())
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        // A panic while holding this lock cannot leave an instant half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// What can be begun again: once more on a new connection where the one that it got turns out to be broken, as all
    /// are after a restart of the server.
    pub(super) async fn anew_where_broken<T, Work: Future<Output = anyhow::Result<T>>>(
        &self,
        limit: Duration,
        work: impl Fn() -> Work,
    ) -> anyhow::Result<T> {
        let mut tries = 1..TRIES;
        loop {
            match self.within(limit, work()).await {
                Err(error) if is_broken(&error) && tries.next().is_some() => self.outage.note(),
                done => return done,
            }
        }
    }

    /// Does what the database should have answered after so long, or gives it up with the connections that are in use
    /// there: a server that is gone without a goodbye never answers.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        // Boxed: the pool's own future is large, and whatever asks the database would be moved about with room for it.
        let mut work = Box::pin(work);
        match tokio::time::timeout(limit, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                // Known before the connections are given back, so that they are not kept.
                self.outage.note();
                drop(work);
                Err(NoAnswer(limit).into())
            }
        }
    }
}

/// Whether an error says that its connection is of no use any more, and nothing about what was asked.
pub(super) fn is_broken(error: &anyhow::Error) -> bool {
    let is_broken = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<NoAnswer>() || matches!(cause.downcast_ref::<sqlx::Error>(), Some(sqlx::Error::Io(_)))
    };
    // The server said goodbye: it stops, crashed, starts, or did not want to wait for us any longer.
    let goodbye = |code: String| ["57P01", "57P02", "57P03", "57P05"].contains(&code.as_str());
    error.chain().any(is_broken) || super::sqlstate(error).is_some_and(goodbye)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_before_the_last_outage_is_not_used_any_more() {
        let outage = Outage::default();
        let (old, new) = (Duration::from_secs(3600), Duration::ZERO);
        assert!(outage.is_behind(old) && outage.is_behind(new), "there was none");
        outage.note();
        assert!(!outage.is_behind(old));
        std::thread::sleep(Duration::from_millis(1));
        assert!(outage.is_behind(new));
    }

    #[test]
    fn a_broken_connection_is_told_from_a_refused_question() {
        let broken = [
            sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into()).into(),
            anyhow::Error::from(NoAnswer(Duration::from_secs(2))).context("begin"),
        ];
        assert!(broken.iter().all(is_broken));
        let refused = [sqlx::Error::PoolTimedOut.into(), sqlx::Error::RowNotFound.into(), anyhow::anyhow!("no")];
        assert!(!refused.iter().any(is_broken));
    }
}
