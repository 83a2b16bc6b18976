//! Real Postgres for every test: one throw-away cluster for the test process, a
//! migrated template in it, and a clone of that for each test.
//!
//! Test processes exit without running destructors. The cluster's keeper then
//! gets the users' lock and deletes everything, also after a kill -9; what even
//! that could not clean is swept at the next start.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool, Row as _};
use tandem::postgres::{self, Embedded, Mode, Search, Settings};
use tandem::store::{Store, migrate};
use tokio::sync::OnceCell;

use super::PATIENCE;

/// How the folders of test clusters begin, in the system's temporary folder.
const PREFIX: &str = "tandem-test-";
/// The migrated database that each test gets a copy of.
const TEMPLATE: &str = "tandem_template";
/// Connections that one test may hold; the cluster has 200 for all that run at once.
const POOL: u32 = 5;

static CLUSTER: OnceCell<Embedded> = OnceCell::const_new();
/// A template can be copied only while nobody is connected to it, so copies are made one at a time.
static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// Databases of finished tests, dropped when the next one is made.
static FINISHED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A fresh migrated database of one test.
pub(crate) struct TestDb {
    /// Connects as the program does: the runtime login, at most five connections.
    pub(crate) pool: PgPool,
    name: String,
    options: PgConnectOptions,
    url: String,
}

/// Makes a database by copying the migrated template.
pub(crate) async fn database() -> TestDb {
    copy_of(TEMPLATE).await
}

/// Makes one that no migration has seen.
pub(crate) async fn unmigrated() -> TestDb {
    copy_of("template1").await
}

async fn copy_of(template: &str) -> TestDb {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let cluster = cluster().await;
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    {
        let _one_at_a_time = COPYING.lock().await;
        let mut login = PgConnection::connect_with(&cluster.connect_options()).await.expect("connect to the cluster");
        let finished = std::mem::take(&mut *FINISHED.lock().expect("the list of finished databases"));
        for finished in finished {
            execute(&mut login, format!("DROP DATABASE IF EXISTS {finished} WITH (FORCE)")).await;
        }
        execute(&mut login, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        login.close().await.expect("disconnect from the cluster");
    }
    let options = cluster.connect_options().database(&name);
    let url = cluster.url().replacen(&format!("/{}?", postgres::DATABASE), &format!("/{name}?"), 1);
    let pool = pool(&options).await;
    TestDb { pool, name, options, url }
}

impl TestDb {
    /// A transaction of one organisation, as the application has it.
    pub(crate) async fn tenant(
        &self,
        org: tandem::domain::person::OrgId,
    ) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{org}'");
        self.pool.begin_with(sqlx::AssertSqlSafe(begin)).await.expect("begin")
    }

    /// A further pool on the same database, such as a second replica has.
    pub(crate) async fn second_pool(&self) -> PgPool {
        pool(&self.options).await
    }

    /// The database as the program sees it, with connections of its own: one replica.
    pub(crate) async fn store(&self) -> Store {
        self.store_with(PATIENCE).await
    }

    /// One whose callers wait so long for a connection.
    pub(crate) async fn store_with(&self, patience: Duration) -> Store {
        Store::connect(self.options.clone(), POOL, patience).await.expect("connect to a test database")
    }

    /// One that comes to the database by this port of this machine.
    pub(crate) async fn store_by(&self, port: u16, patience: Duration) -> Store {
        let login = self.options.get_username();
        let name = &self.name;
        let url = format!("postgres://{login}@127.0.0.1:{port}/{name}?sslmode=disable");
        Store::connect(url.parse().expect("a URL"), POOL, patience).await.expect("connect to a test database")
    }

    /// Where the server's socket lies.
    pub(crate) fn socket(&self) -> PathBuf {
        Path::new(self.options.get_host()).join(format!(".s.PGSQL.{}", self.options.get_port()))
    }

    /// For another process, as its `DATABASE_URL`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if let Ok(mut finished) = FINISHED.lock() {
            finished.push(std::mem::take(&mut self.name));
        }
    }
}

/// The cluster of this test process, with its migrated template.
async fn cluster() -> &'static Embedded {
    CLUSTER
        .get_or_init(|| async {
            postgres::sweep(&std::env::temp_dir(), PREFIX);
            let cluster = postgres::start(settings(&temporary("shared"))).await.expect("start a cluster for the tests");
            let mut login =
                PgConnection::connect_with(&cluster.connect_options()).await.expect("connect to the cluster");
            execute(&mut login, format!("CREATE DATABASE {TEMPLATE}")).await;
            login.close().await.expect("disconnect from the cluster");
            migrate(&cluster.connect_options().database(TEMPLATE)).await;
            cluster
        })
        .await
}

async fn migrate(template: &PgConnectOptions) {
    let store = Store::connect(template.clone(), 2, PATIENCE).await.expect("connect to the template");
    migrate::run(&store).await.expect("migrate the template");
    store.close().await;
}

/// A superuser, or a role that bypasses RLS, would hide every fault of RLS.
async fn pool(options: &PgConnectOptions) -> PgPool {
    let pool = PgPoolOptions::new()
        .max_connections(POOL)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        // As `Store::connect` does: a login called tandem would find the schema tandem first.
        .connect_with(options.clone().options([("search_path", "public")]))
        .await
        .expect("connect to a test database");
    let role = sqlx::query("SELECT rolname::text, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        .fetch_one(&pool)
        .await
        .expect("ask who we are");
    assert_eq!(
        (role.get::<String, _>(0), role.get::<bool, _>(1), role.get::<bool, _>(2)),
        (postgres::LOGIN.to_owned(), false, false),
        "tests must connect as the runtime login"
    );
    pool
}

async fn execute(connection: &mut PgConnection, sql: String) {
    connection.execute(sqlx::AssertSqlSafe(sql.clone())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// A folder of this process that does not exist yet; swept later when the process cannot delete it.
pub(crate) fn temporary(what: &str) -> PathBuf {
    std::env::temp_dir().join(format!("{PREFIX}{}-{what}", std::process::id()))
}

/// Settings for a throw-away cluster in `dir`. With `TANDEM_TEST_PG=fetched` on fetched programs, which are kept in
/// `TANDEM_TEST_PROGRAMS` or the build folder.
pub(crate) fn settings(dir: &Path) -> Settings {
    let fetched = std::env::var_os("TANDEM_TEST_PG").is_some_and(|value| value == "fetched");
    let kept = std::env::var_os("TANDEM_TEST_PROGRAMS")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres"), PathBuf::from);
    Settings {
        data_dir: kept,
        cluster_dir: dir.to_owned(),
        pg_bin: None,
        mode: Mode::Throwaway,
        search: if fetched { Search::FetchedOnly } else { Search::Usual },
    }
}
