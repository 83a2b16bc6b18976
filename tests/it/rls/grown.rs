//! A schema that a newer program's migration adds to while this one runs, as in
//! every rolling deploy: the program goes on, and does not notice.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Executor as _, PgPool};
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;

use super::{ACCOUNTS, PEOPLE, TENANT_TABLES, texts};
use crate::support::bot::TestBot;
use crate::support::cluster::database;

/// Adds a column to every table.
async fn grow(pool: &PgPool) {
    for table in texts(pool, TENANT_TABLES).await {
        let sql = format!("ALTER TABLE {table} ADD COLUMN later integer NOT NULL DEFAULT 1");
        pool.execute(AssertSqlSafe(sql.clone())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// One that selects `*` answers "cached plan must not change result type" for as long as its connection lives.
#[tokio::test]
async fn statements_that_were_prepared_outlive_a_new_column() {
    let db = database().await;
    let statements = tandem::store::statements();
    let mut connection = db.pool.acquire().await.unwrap();
    for (number, (role, name, sql)) in statements.iter().enumerate() {
        let prepare = format!("SET ROLE {role}; PREPARE statement_{number} AS {sql}");
        connection.execute(AssertSqlSafe(prepare)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let parameters: Vec<(String, i32)> =
        sqlx::query_as("SELECT name, cardinality(parameter_types) FROM pg_prepared_statements WHERE from_sql")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    let parameters: BTreeMap<String, i32> = parameters.into_iter().collect();
    grow(&db.pool).await;
    let mut faults = Vec::new();
    for (number, (role, name, _)) in statements.iter().enumerate() {
        let statement = format!("statement_{number}");
        let nulls: Vec<&str> = (0..parameters[&statement]).map(|_| "NULL").collect();
        let arguments = if nulls.is_empty() { String::new() } else { format!("({})", nulls.join(", ")) };
        let explain = format!("SET ROLE {role}; EXPLAIN EXECUTE {statement} {arguments}");
        if let Err(error) = connection.execute(AssertSqlSafe(explain)).await {
            faults.push(format!("{role} {name}: {error}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nights_and_mornings_go_on_while_the_schema_grows() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    let full = |account: &str| {
        let days = ["2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"];
        let rows = days.map(|day| format!("{account},usage,active_users,{day},95\n")).concat();
        format!("account_id,source,kind,observed_on,value\n{rows}")
    };
    bot.import(RowKind::People, PEOPLE).await;
    bot.import(RowKind::Accounts, ACCOUNTS).await;
    bot.import(RowKind::Signals, &full("bolt")).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    grow(bot.pool()).await;
    bot.import(RowKind::Accounts, &ACCOUNTS.replace("acme,Acme", "cove,Cove")).await;
    bot.import(RowKind::Signals, &full("cove")).await;
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T07:00:00Z").await;
    for org in [&bot.org, &bot.other] {
        for account in ["bolt", "cove"] {
            let windows = format!("SELECT count(*) FROM tandem.handoff WHERE account_id = '{account}'");
            assert_eq!(bot.number(org, &windows).await, 1, "{} {account}", org.slug);
        }
        let mornings = "SELECT count(DISTINCT digest_id) FROM tandem.digest_item WHERE account_id = 'cove'";
        assert!(bot.number(org, mornings).await > 0, "{}: nobody's morning has what the night found", org.slug);
    }
    bot.set_aside().await;
}
