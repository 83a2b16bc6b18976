//! Tandem: one diagnosis of every customer account each night, delivered each
//! morning from two angles.
//!
//! The house has five floors, and imports go down only (`tests/it/floors.rs`
//! holds every path against this table):
//!
//! | floor | modules | may import |
//! |---|---|---|
//! | 4 | `main`, `cli`, `config` | all |
//! | 3 | `http`, `scheduler`, `delivery` | `app`, `store`, `slack`, `preview`, `domain`, `clock` |
//! | 2 | `app` | `store`, `ingest`, `domain`, `clock` |
//! | 1 | `store`, `ingest`, `slack`, `preview`, `postgres` | `domain`, `clock`; never each other |
//! | 0 | `domain`, `clock` | nothing of ours |
//!
//! Invariants that the types alone do not show: the domain never asks for the
//! time and never fails on I/O; every state change commits together with its
//! audit event and its outbox rows; `org_id` stands first in every key; one
//! transaction touches one organisation.

pub mod clock;
pub mod domain;

pub mod ingest;
pub mod postgres;
pub mod preview;
pub mod slack;
pub mod store;

pub mod app;

pub mod delivery;
pub mod http;
pub mod scheduler;

pub mod cli;
pub mod config;
