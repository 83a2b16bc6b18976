//! The integration tests, one binary: one cluster and one build for all of them.

mod support;

mod embedded;
mod floors;
mod night;
