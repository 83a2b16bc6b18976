//! How much one API key may ask: requests a second, and one push at a time for each organisation.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;

/// Requests that a key may make at once, after a rest. A batch holds thousands of rows, so nobody needs many.
const BURST: f64 = 60.0;
/// Requests a second that a key may keep up. Each replica counts for itself.
const PER_SECOND: f64 = 10.0;

/// A bucket for each key that has been used; keys are known to the directory, so callers cannot make more.
#[derive(Debug, Clone)]
pub(super) struct Rates<K>(Arc<Mutex<HashMap<K, Bucket>>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl<K> Default for Rates<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash> Rates<K> {
    /// Takes one request's worth, or says after how long there is one.
    pub(super) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(key).or_insert(Bucket { left: BURST, at: now });
        let rested = now.saturating_duration_since(bucket.at).as_secs_f64();
        *bucket = Bucket { left: (bucket.left + rested * PER_SECOND).min(BURST), at: now };
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / PER_SECOND));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

/// Pushes of one organisation wait for each other here, where waiting costs no connection: the database would
/// let only one of them write at a time anyway.
#[derive(Debug, Clone)]
pub(super) struct Turns<K>(Arc<Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>>);

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash> Turns<K> {
    pub(super) async fn turn(&self, key: K) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(key).or_default())
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_burst_and_then_its_rate() {
        let (rates, start) = (Rates::default(), Instant::now());
        for _ in 0..60 {
            assert_eq!(rates.take("a", start), Ok(()));
        }
        assert_eq!(rates.take("a", start), Err(Duration::from_millis(100)));
        assert_eq!(rates.take("b", start), Ok(()), "another key has its own");
        let later = start + Duration::from_millis(250);
        assert_eq!((rates.take("a", later), rates.take("a", later)), (Ok(()), Ok(())));
        assert!(rates.take("a", later).is_err());
        let rested = later + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| rates.take("a", rested).is_ok()).count(), 60, "a rest saves up one burst");
    }
}
