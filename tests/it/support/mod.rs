//! What the tests share.

use std::time::{Duration, Instant};

pub(crate) mod bot;
pub(crate) mod cluster;
pub(crate) mod fake_slack;
pub(crate) mod fake_socket;
pub(crate) mod fake_teams;
pub(crate) mod program;
pub(crate) mod service;
pub(crate) mod teams;

/// Longer than anything takes that comes at all, on the busiest machine: what never comes ends the test, not the run.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until this holds; what never does fails the test with these words.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
