//! The embedded Postgres: find or fetch server programs, initdb, run, attach, stop.
