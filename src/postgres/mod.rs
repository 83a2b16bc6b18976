//! The embedded Postgres: find or fetch server programs, initdb, run, attach, stop.
//!
//! Several processes may use one cluster. Each holds a shared lock on
//! `users.lock`; whoever gets that lock exclusively is alone and may stop the
//! server. A small shell process beside the server waits for just that, so the
//! server also ends, cleanly, when its last user was killed.
//!
//! A cluster's folder belongs to the user that the server runs as and is closed
//! to everybody else (0700). That is what guards the database: inside, the one
//! way in is a unix socket that asks for no password.
//!
//! Deliberately absent: TCP, and connections as the superuser. The superuser
//! `postgres` makes the login `tandem` while the cluster is initialised, before
//! the server's first start, and is not used again.

mod account;
mod cluster;
mod fetch;
mod programs;
mod server;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Child;

use anyhow::Context as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

pub use cluster::sweep;

/// The role that the program logs in as: neither superuser nor BYPASSRLS.
pub const LOGIN: &str = "tandem";
/// The database in the cluster, owned by [`LOGIN`].
pub const DATABASE: &str = "tandem";
/// Part of the socket's file name, nothing listens on TCP.
const PORT: u16 = 5432;

/// How a cluster treats its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Survives a power cut. Small: 32 MB of shared buffers, 50 connections.
    Durable,
    /// No fsync, 200 connections, and the cluster's folder is deleted when its last user leaves.
    Throwaway,
}

/// Where the server programs may come from when no folder is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// The usual places, then PATH, then fetched ones.
    Usual,
    /// Fetched ones only: for trying that way on a machine that has Postgres.
    FetchedOnly,
}

/// What the embedded Postgres needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program's data directory; fetched server programs are kept in `programs` under it.
    pub data_dir: PathBuf,
    /// The folder of this cluster alone; made when absent.
    pub cluster_dir: PathBuf,
    /// The folder that holds `postgres` and `initdb` (`TANDEM_PG_BIN`); `None` searches.
    pub pg_bin: Option<PathBuf>,
    pub mode: Mode,
    pub search: Search,
}

impl Settings {
    /// The service's own cluster, in `postgres` under the data directory.
    pub fn durable(data_dir: impl Into<PathBuf>, pg_bin: Option<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        let cluster_dir = data_dir.join("postgres");
        Self { data_dir, cluster_dir, pg_bin, mode: Mode::Durable, search: Search::Usual }
    }

    /// A demo's cluster, in `demo` under the data directory: its own, so that two demos beside each other share
    /// nothing, and gone when the demo ends. What killed demos left behind is cleared away first.
    pub fn demo(data_dir: impl Into<PathBuf>, pg_bin: Option<PathBuf>) -> Self {
        const PREFIX: &str = "postgres-";
        let data_dir = data_dir.into();
        let demos = data_dir.join("demo");
        sweep(&demos, PREFIX);
        let cluster_dir = demos.join(format!("{PREFIX}{}", std::process::id()));
        Self { data_dir, cluster_dir, pg_bin, mode: Mode::Throwaway, search: Search::Usual }
    }
}

/// A running cluster that this value is a user of. Dropping it leaves the
/// cluster, and stops the server when nobody else uses it; [`Embedded::stop`]
/// does the same and reports failures.
#[derive(Debug)]
pub struct Embedded {
    cluster: cluster::Cluster,
    socket_dir: PathBuf,
    /// Holds the shared lock; `None` once left.
    users: Option<File>,
    /// The shell process beside the server, when this value started it.
    keeper: Option<Child>,
}

/// Starts the cluster, or attaches when it runs already.
///
/// The first start in a new folder initialises it (about a second); where the
/// machine has no Postgres, the programs are fetched once, which is said in the
/// log. Must be called inside a tokio runtime; the work is done on a blocking thread.
///
/// # Errors
/// One sentence: no suitable programs, a folder that the server's user cannot
/// reach, data of another Postgres version, or the server's own last words.
pub async fn start(settings: Settings) -> anyhow::Result<Embedded> {
    tokio::task::spawn_blocking(move || server::start(&settings)).await.context("starting Postgres was interrupted")?
}

impl Embedded {
    /// How to connect as [`LOGIN`] to [`DATABASE`].
    pub fn connect_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host(&self.socket_dir.to_string_lossy())
            .port(PORT)
            .username(LOGIN)
            .database(DATABASE)
            .ssl_mode(PgSslMode::Disable)
            .application_name("tandem")
    }

    /// The same as a URL that this program, psql and every libpq client read.
    pub fn url(&self) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("host", &self.socket_dir.to_string_lossy())
            .append_pair("port", &PORT.to_string())
            .append_pair("user", LOGIN)
            .append_pair("sslmode", "disable")
            .finish();
        // Form encoding writes a space as `+`, which libpq takes literally.
        format!("postgres:///{DATABASE}?{}", query.replace('+', "%20"))
    }

    /// The folder that holds the server's unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The process id of the server, `None` when it has ended.
    pub fn server_pid(&self) -> Option<i32> {
        self.cluster.postmaster()
    }

    /// Leaves the cluster; the last user stops the server and waits for its end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        tokio::task::spawn_blocking(move || self.leave()).await.context("stopping Postgres was interrupted")?
    }

    fn leave(&mut self) -> anyhow::Result<()> {
        let Some(users) = self.users.take() else { return Ok(()) };
        let left = server::leave(&self.cluster, users);
        // The keeper ends by itself; asking once keeps a finished one from staying a zombie.
        if let Some(mut keeper) = self.keeper.take()
            && self.cluster.postmaster().is_none()
        {
            server::reap(&mut keeper);
        }
        left
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::warn!("the embedded Postgres was not stopped: {error:#}");
        }
    }
}
