//! Postgres: the only module with SQL.
