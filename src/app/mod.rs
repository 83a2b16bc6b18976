//! Use cases, platform-blind.

pub mod sample;
