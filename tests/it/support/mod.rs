//! What the tests share.

pub(crate) mod cluster;
pub(crate) mod fake_slack;
pub(crate) mod service;
