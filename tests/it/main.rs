//! The integration tests, one binary: one cluster and one build for all of them.

mod support;
mod surfaces;

mod act;
mod chat;
mod cli;
mod delivery;
mod demo;
mod embedded;
mod figures;
mod floors;
mod http;
mod import;
mod install;
mod kill;
mod migrate;
mod models;
mod morning;
mod names;
mod night;
mod outages;
mod privacy;
mod quarter;
mod readme;
mod rls;
mod secrets;
mod socket;
mod standby;
mod teams;
mod transfer;
