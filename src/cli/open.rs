//! The database that a command works on: the one of `DATABASE_URL`, or the embedded one.

use std::str::FromStr;

use anyhow::Context;
use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;

use crate::config::{Config, Database};
use crate::postgres::{self, Embedded};
use crate::store::directory::{self, Organisation};
use crate::store::{PATIENCE, Store, migrate};

/// A store with, where it is embedded, the server behind it.
pub(super) struct Opened {
    pub(super) store: Store,
    server: Option<Embedded>,
}

/// Opens the database and brings it up to date.
pub(super) async fn open(config: &Config, connections: u32) -> anyhow::Result<Opened> {
    let opened = open_as_it_is(config, connections).await?;
    migrate::run(&opened.store).await?;
    Ok(opened)
}

/// Opens the database without touching its schema.
pub(super) async fn open_as_it_is(config: &Config, connections: u32) -> anyhow::Result<Opened> {
    let (options, server) = match &config.database {
        Database::Url(url) => {
            // The parser's error may quote the URL, and with it the password.
            let options = PgConnectOptions::from_str(url.expose_secret()).map_err(|_| {
                anyhow::anyhow!(
                    "DATABASE_URL can't be read; expected for example postgres://tandem:secret@localhost/tandem"
                )
            })?;
            (options, None)
        }
        Database::Embedded => {
            let server = postgres::start(postgres::Settings::durable(&config.data_dir, config.pg_bin.clone())).await?;
            (server.connect_options(), Some(server))
        }
    };
    let store = Store::connect(options.application_name("tandem"), connections, PATIENCE).await?;
    Ok(Opened { store, server })
}

impl Opened {
    /// The organisation of this slug, or a sentence that names those there are.
    pub(super) async fn organisation(&self, slug: &str) -> anyhow::Result<Organisation> {
        let mut tx = self.store.directory().await?;
        if let Some(organisation) = directory::organisation(&mut tx, slug).await? {
            return Ok(organisation);
        }
        let slugs: Vec<String> = directory::organisations(&mut tx).await?.into_iter().map(|org| org.slug).collect();
        if slugs.is_empty() {
            anyhow::bail!("there is no organisation yet; make one with `tandem org create`");
        }
        anyhow::bail!("there is no organisation \"{slug}\"; there are: {}", slugs.join(", "))
    }

    /// Closes connections and lets go of the server.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.store.close().await;
        match self.server {
            Some(server) => server.stop().await.context("the embedded Postgres did not stop"),
            None => Ok(()),
        }
    }
}
