//! Use cases, platform-blind.
