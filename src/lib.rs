//! Tandem: one diagnosis of every customer account each night, delivered each
//! morning from two angles.
//!
//! The house has six floors, and imports go down only (`tests/it/floors.rs`
//! holds every path against this table):
//!
//! | floor | modules | may import |
//! |---|---|---|
//! | 5 | `main`, `cli`, `config` | all |
//! | 4 | `http`, `scheduler`, `delivery` | `tokens`, `app`, `store`, `slack`, `teams`, `picture`, `preview`, `domain`, `clock` |
//! | 3 | `tokens` | `app`, `store`, `slack`, `domain`, `clock`, `vault` |
//! | 2 | `app` | `store`, `ingest`, `warehouse`, `domain`, `clock`, `vault` |
//! | 1 | `store`, `ingest`, `warehouse`, `slack`, `teams`, `picture`, `preview`, `postgres` | `domain`, `clock`; never each other |
//! | 0 | `domain`, `clock`, `vault` | nothing of ours |
//!
//! What stands in which room, in reading order:
//!
//! | module | what it does |
//! |---|---|
//! | [`domain`] | the rules. `health`, `diagnosis`, `window`, `renewal`: signals to one read of an account, and `policy_fit`: whether that read foretold what became of it; `risk`, `handoff`, `renewal_work`: the state machines, with `timer` their clock; `routing`: who gets what; `digest`, `calendar`: what is due, when, in which order; `command`, `message`: what people type and what we say |
//! | [`clock`] | the one injected trait: the time |
//! | [`vault`] | secrets at rest: master keys, data keys, what is sealed for one place |
//! | [`ingest`] | files and pushed rows to validated domain values |
//! | [`store`] | Postgres: the only module with SQL, one file a noun |
//! | [`warehouse`] | rows out of somebody else's Postgres, as the files would have them |
//! | [`slack`] | Slack's requests in, messages out, its client |
//! | [`teams`] | the same for Microsoft Teams |
//! | [`picture`] | charts as PNG |
//! | [`preview`] | messages as HTML, for the demo |
//! | [`postgres`] | the embedded server: find or fetch its programs, run, attach, stop |
//! | [`app`] | use cases, for no particular platform: `night` diagnoses, `intraday` looks at decisions by day, `morning` chooses cards, `act` is what people press, `query` what they ask, `together` serves many of either at once; `clocks` remind and pass on, `absence` hands over, `model` re-routes, `watch` looks whether all of it was done; `export` and `erase` give an organisation's data out, and forget them |
//! | [`tokens`] | which token opens which Slack workspace: the configured one, or an installation's, refreshed in time |
//! | [`delivery`] | leases lanes, draws what the outbox names, sends, redraws |
//! | [`http`] | webhooks, the push API, health, the demo's page |
//! | [`scheduler`] | what is owed by now |
//! | [`cli`], [`config`] | one file a command; settings |
//!
//! Invariants that the types alone do not show: the domain never asks for the
//! time and never fails on I/O; every state change commits together with its
//! audit event and its outbox rows; `org_id` stands first in every key; one
//! transaction touches one organisation.

pub mod clock;
pub mod domain;
pub mod vault;

pub mod ingest;
pub mod picture;
pub mod postgres;
pub mod preview;
pub mod slack;
pub mod store;
pub mod teams;
pub mod warehouse;

pub mod app;

pub mod tokens;

pub mod delivery;
pub mod http;
pub mod scheduler;

pub mod cli;
pub mod config;
