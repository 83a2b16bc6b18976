//! Roles and migrations: brings a database up to date.
//!
//! A database may have migrations of a newer program, which rolls out beside this one: they are none of this one's business.
//! Each of its own must be there as it is here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use std::time::{Duration, Instant};

use anyhow::Context;
use sqlx::migrate::{Migrate, Migrator};
use sqlx::{AssertSqlSafe, PgConnection};

use super::Store;

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.set_ignore_missing(true);
    migrator
});

/// Whoever asks for what a migration waits for queues behind it: so it lets go soon, and comes again.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '2s'";
/// Between two tries; those who queued have their turn meanwhile.
const PAUSE: Duration = Duration::from_secs(1);
/// Another process may be migrating, or a dump be taken.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

const ROLES: &str = include_str!("roles.sql");

/// What the DBA runs where Tandem's login may not create roles.
pub fn roles_sql(login: &str) -> String {
    ROLES.replace("LOGIN_ROLE", &format!("'{}'", login.replace('\'', "''")))
}

/// Makes the roles where they are missing, then runs what migrations are missing, and says how many were. Fails where one that
/// was done is another than this program's.
/// Replicas may run this at once: the migrator holds an advisory lock.
pub async fn run(store: &Store) -> anyhow::Result<usize> {
    let mut connection = store.pool().acquire().await?;
    let login: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut *connection).await?;
    make_roles(&mut connection, &login).await?;
    let missing = missing(&mut connection).await?;
    drop(connection);
    for version in &missing {
        run_one(store, *version).await?;
    }
    Ok(missing.len())
}

/// Brings the database to this version, as soon as nobody else holds what is to be changed.
async fn run_one(store: &Store, version: i64) -> anyhow::Result<()> {
    let until = Instant::now() + GIVE_UP_AFTER;
    let mut said = false;
    loop {
        // Each in a session of its own, as for whoever upgrades by one: what a migration loads or sets in its session is
        // nothing that the next may lean on.
        let mut session = store.pool().acquire().await?;
        session.close_on_drop();
        sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut *session).await?;
        let done = MIGRATOR.run_to(version, &mut *session).await.context("the database's migrations failed");
        drop(session);
        match done {
            Err(error) if super::sqlstate(&error).as_deref() == Some("55P03") && Instant::now() < until => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(version, "a migration waits for others who use what it changes");
                }
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

async fn make_roles(connection: &mut PgConnection, login: &str) -> anyhow::Result<()> {
    let present: bool = sqlx::query_scalar(
        "SELECT count(DISTINCT r.oid) = 3 FROM pg_auth_members m
           JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
          WHERE r.rolname IN ('tandem_app', 'tandem_directory', 'tandem_names') AND u.rolname = current_user
            AND coalesce((to_jsonb(m)->>'set_option')::boolean, true)",
    )
    .fetch_one(&mut *connection)
    .await?;
    if present {
        return Ok(());
    }
    let may: bool = sqlx::query_scalar("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
        .fetch_one(&mut *connection)
        .await?;
    anyhow::ensure!(
        may,
        "the database login \"{login}\" may not create roles; have your DBA run the SQL that `tandem migrate --print` prints"
    );
    // Granting the same role twice at once can fail with "tuple concurrently updated": the second try finds it done.
    let sql = roles_sql(login);
    if sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *connection).await.is_err() {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut *connection)
            .await
            .context("the roles of Tandem could not be made")?;
    }
    Ok(())
}

/// Fails with one sentence unless the database has each of this program's migrations, as it is here.
pub async fn check(store: &Store) -> anyhow::Result<()> {
    let mut connection = store.pool().acquire().await?;
    let missing = missing(&mut connection).await?.len();
    let wanted = MIGRATOR.iter().count();
    anyhow::ensure!(missing == 0, "the database has {} of {wanted} migrations; run `tandem migrate`", wanted - missing);
    Ok(())
}

/// The versions of this program's migrations that were not done yet, in their order.
async fn missing(connection: &mut PgConnection) -> anyhow::Result<Vec<i64>> {
    let known: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    let done = if known { connection.list_applied_migrations("_sqlx_migrations").await? } else { Vec::new() };
    let done: BTreeMap<i64, _> = done.into_iter().map(|one| (one.version, one.checksum)).collect();
    let mut missing = Vec::new();
    for own in MIGRATOR.iter() {
        match done.get(&own.version) {
            None => missing.push(own.version),
            Some(checksum) => anyhow::ensure!(
                *checksum == own.checksum,
                "migration {} of the database is another than this program's; run the program that the database was made with, \
                 or a newer one",
                own.version
            ),
        }
    }
    Ok(missing)
}
