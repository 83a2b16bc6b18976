//! What the tests share.

use std::time::Duration;

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
