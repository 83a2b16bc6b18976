//! The integration tests, one binary: one cluster and one build for all of them.

mod support;
mod surfaces;

mod act;
mod chat;
mod cli;
mod delivery;
mod demo;
mod embedded;
mod floors;
mod http;
mod import;
mod kill;
mod models;
mod morning;
mod night;
mod quarter;
mod rls;
