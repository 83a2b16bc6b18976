//! The database's migrations beside the program's own: while a deploy rolls they
//! are not the same, and a copy that is started again must come back.

use insta::assert_snapshot;
use sqlx::Executor as _;
use tandem::store::migrate;

use crate::support::cluster::{TestDb, database};
use crate::support::program::Program;

/// As a newer program leaves it.
const A_LATER_ONE: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                           VALUES (9999, 'later', true, '\\x00', 1)";

async fn execute(db: &TestDb, sql: &'static str) {
    assert_eq!(db.pool.execute(sql).await.unwrap().rows_affected(), 1, "{sql}");
}

#[tokio::test]
async fn migrations_of_a_newer_program_are_let_be() {
    let (dir, db) = (tempfile::tempdir().unwrap(), database().await);
    execute(&db, A_LATER_ONE).await;
    let store = db.store().await;
    assert_eq!(migrate::run(&store).await.unwrap(), 0);
    migrate::check(&store).await.unwrap();
    let program = Program::bare(dir.path()).with("DATABASE_URL", db.url());
    assert_eq!(program.run(&["migrate"]).await.well(), "The database is up to date.\n");
    let create = ["org", "create", "north", "--name", "North", "--model", "pair", "--timezone", "Europe/Berlin"];
    program.run(&create).await.well();
    let doctor = program.run(&["doctor"]).await;
    assert!(doctor.out.contains("ok     migrations: up to date\n"), "{doctor:?}");
}

#[tokio::test]
async fn a_migration_that_is_missing_is_not_made_up_for_by_a_newer_one() {
    let (dir, db) = (tempfile::tempdir().unwrap(), database().await);
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(&db.pool).await.unwrap();
    execute(&db, "DELETE FROM _sqlx_migrations WHERE version = 2").await;
    execute(&db, A_LATER_ONE).await;
    let expected = format!("the database has {} of {all} migrations; run `tandem migrate`", all - 1);
    let store = db.store().await;
    assert_eq!(migrate::check(&store).await.unwrap_err().to_string(), expected);
    assert_eq!(store.ready().await.unwrap_err().to_string(), expected);
    let program = Program::bare(dir.path()).with("DATABASE_URL", db.url());
    let doctor = program.run(&["doctor"]).await;
    assert!(doctor.out.contains(&format!("FAULT  migrations: {expected}\n")), "{doctor:?}");
}

#[tokio::test]
async fn a_migration_that_was_changed_is_refused() {
    let (dir, db) = (tempfile::tempdir().unwrap(), database().await);
    execute(&db, "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1").await;
    let store = db.store().await;
    let refused = migrate::check(&store).await.unwrap_err().to_string();
    assert_snapshot!(refused, @"migration 1 of the database is another than this program's; run the program that the database was made with, or a newer one");
    assert_eq!(migrate::run(&store).await.unwrap_err().to_string(), refused);
    let program = Program::bare(dir.path()).with("DATABASE_URL", db.url());
    assert_eq!(program.run(&["migrate"]).await.failure(), refused);
    let doctor = program.run(&["doctor"]).await;
    assert!(doctor.out.contains(&format!("FAULT  migrations: {refused}\n")), "{doctor:?}");
}
