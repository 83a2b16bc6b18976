//! The pure domain: no async, no I/O, no clock, no database, no chat platform.
//! Same inputs, same outputs, byte for byte. Time is always an argument.

pub mod account;
pub mod angle;
pub(crate) mod dice;
pub mod likeness;
pub mod money;
pub mod person;
pub mod policy;
pub mod rhythm;
pub mod row;
pub mod signal;
pub mod syntax;

pub mod diagnosis;
pub mod health;
pub mod renewal;
pub mod window;

pub mod policy_fit;

pub mod calendar;
pub mod digest;
pub mod erasure;
pub mod figures;
pub mod handoff;
pub mod holidays;
pub mod record;
pub mod renewal_work;
pub mod risk;
pub mod routing;
pub mod timer;

pub mod action;
pub mod command;
pub mod message;
