//! Roles and migrations: brings a database up to date.

use anyhow::Context;
use sqlx::migrate::{Migrate, Migrator};
use sqlx::{AssertSqlSafe, PgConnection};

use super::Store;

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

const ROLES: &str = include_str!("roles.sql");

/// What the DBA runs where Tandem's login may not create roles.
pub fn roles_sql(login: &str) -> String {
    ROLES.replace("LOGIN_ROLE", &format!("'{}'", login.replace('\'', "''")))
}

/// Makes the roles where they are missing, then runs what migrations are missing.
/// Replicas may run this at once: the migrator holds an advisory lock.
pub async fn run(store: &Store) -> anyhow::Result<usize> {
    let mut connection = store.pool().acquire().await?;
    let login: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut *connection).await?;
    make_roles(&mut connection, &login).await?;
    let before = applied(&mut connection).await?;
    let missing: Vec<i64> =
        MIGRATOR.iter().map(|one| one.version).filter(|version| !before.contains(version)).collect();
    drop(connection);
    for version in &missing {
        // Each in a session of its own, as for whoever upgrades by one: what a migration loads or sets in its session is
        // nothing that the next may lean on.
        let mut session = store.pool().acquire().await?;
        session.close_on_drop();
        MIGRATOR.run_to(*version, &mut *session).await.context("the database's migrations failed")?;
    }
    // What was there before is compared with this program's.
    MIGRATOR.run(store.pool()).await.context("the database's migrations failed")?;
    Ok(missing.len())
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

/// Fails with one sentence unless the database has exactly this program's migrations (or newer ones, in a rolling deploy).
pub async fn check(store: &Store) -> anyhow::Result<()> {
    let mut connection = store.pool().acquire().await?;
    let before = applied(&mut connection).await?.len();
    let wanted = MIGRATOR.iter().count();
    anyhow::ensure!(before >= wanted, "the database has {before} of {wanted} migrations; run `tandem migrate`");
    Ok(())
}

/// The versions of the migrations that were done, in their order.
async fn applied(connection: &mut PgConnection) -> anyhow::Result<Vec<i64>> {
    let known: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !known {
        return Ok(Vec::new());
    }
    let done = connection.list_applied_migrations("_sqlx_migrations").await?;
    Ok(done.into_iter().map(|one| one.version).collect())
}
