//! What the tests share.

pub(crate) mod bot;
pub(crate) mod cluster;
pub(crate) mod fake_slack;
pub(crate) mod fake_socket;
pub(crate) mod fake_teams;
pub(crate) mod program;
pub(crate) mod service;
pub(crate) mod teams;
