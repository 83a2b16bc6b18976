//! Use cases, platform-blind.

pub mod import;
pub mod organisation;
pub mod policy;
pub mod schedule;
