//! How much the runtime role reads of 100,000 accounts and of all that was ever
//! said: an operator that is not leakproof loses its index under a policy, and
//! only a plan shows it.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor as _, Postgres, query::Query};

use super::as_app;
use crate::support::two_organisations;

const ACCOUNTS: i32 = 100_000;

fn statement(name: &str) -> &'static str {
    let found =
        tandem::store::statements().into_iter().find(|(role, known, _)| *role == "tandem_app" && *known == name);
    found.unwrap_or_else(|| panic!("no statement is called {name}")).2
}

/// Every node of a plan.
fn nodes(plan: &Value) -> Vec<&Value> {
    let children = plan["Plans"].as_array().into_iter().flatten().flat_map(nodes);
    std::iter::once(plan).chain(children).collect()
}

fn buffers(plan: &Value) -> i64 {
    let blocks = |key: &str| plan[key].as_i64().unwrap_or_default();
    blocks("Shared Hit Blocks") + blocks("Shared Read Blocks")
}

/// The most rows that any step of a plan met, with those that it passed over.
fn rows_met(plan: &Value) -> f64 {
    let number = |node: &Value, key: &str| node[key].as_f64().unwrap_or_default();
    let met = |node: &Value| {
        (number(node, "Actual Rows") + number(node, "Rows Removed by Filter")) * number(node, "Actual Loops")
    };
    nodes(plan).into_iter().map(met).fold(0.0, f64::max)
}

#[tokio::test]
async fn looking_up_a_name_reads_an_index_and_not_the_table() {
    let (db, _, orgs) = two_organisations().await;
    for org in &orgs {
        let mut tx = as_app(&db.pool, Some(*org)).await;
        // Names of two words out of many, as companies have them.
        let rows = format!(
            "INSERT INTO tandem.account (org_id, account_id, name, name_key, updated_at)
             SELECT '{org}', 'a' || n, w || ' ' || n, w || ' ' || n, '2026-01-01'
               FROM (SELECT n, left(translate(md5((n % 4999)::text), '0123456789', 'ghijklmnop'), 8) AS w
                       FROM generate_series(1, {}) n) named",
            ACCOUNTS / 2
        );
        tx.execute(AssertSqlSafe(rows)).await.unwrap();
        tx.commit().await.unwrap();
    }
    db.pool.execute("ANALYZE tandem.account").await.unwrap();
    let org = orgs[0].0;
    let pages: i32 = sqlx::query_scalar("SELECT relpages FROM pg_class WHERE oid = 'tandem.account'::regclass")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    let mut tx = as_app(&db.pool, Some(orgs[0])).await;
    // As the store's connections have it.
    tx.execute("SET LOCAL enable_seqscan = off").await.unwrap();
    let (key, account): (String, String) =
        sqlx::query_as("SELECT name_key, account_id FROM tandem.account LIMIT 1 OFFSET 777")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    let word = key.split(' ').next().unwrap().to_owned();

    let explained = |name: &str| AssertSqlSafe(format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}", statement(name)));
    let exact = sqlx::query(explained("BY_KEY")).bind(org).bind(&key).bind(&account).bind(10_i64);
    let end = format!("{word}\u{10FFFF}");
    let prefix = sqlx::query(explained("BY_PREFIX")).bind(org).bind(&word).bind(&end).bind(10_i64);
    let misspelt = format!("{}x{}", &word[..3], &word[4..]);
    let fuzzy = sqlx::query(explained("SIMILAR")).bind(&misspelt).bind(10_i32);
    // Everybody's morning asks for their book: it must not read everybody's accounts.
    let nobody = [uuid::Uuid::nil()];
    let book = sqlx::query(explained("BOOK")).bind(org).bind(nobody).bind(["west".to_owned()]);
    for (what, query, most) in
        [("exact", exact, 20), ("prefix", prefix, 40), ("book", book, 40), ("fuzzy", fuzzy, i64::from(pages) / 4)]
    {
        let plan = plan(query, &mut tx).await;
        let read = buffers(&plan);
        assert!(read <= most, "{what} read {read} of {pages} pages: {plan:#}");
        for node in nodes(&plan) {
            assert_ne!(node["Node Type"], "Seq Scan", "{what}: {plan:#}");
        }
        if ["exact", "prefix"].contains(&what) {
            let text = plan.to_string();
            assert!(text.contains("account_name_key"), "{what}: {plan:#}");
        }
    }
}

/// Thousands of redraws may be due at once; a page of them is read in the index's order, without sorting all.
#[tokio::test]
async fn what_a_lane_owes_is_read_page_by_page() {
    let (db, _, [org, _]) = two_organisations().await;
    let mut tx = as_app(&db.pool, Some(org)).await;
    let rows = format!(
        "WITH said AS (
           INSERT INTO tandem.message (org_id, message_id, platform, workspace_id, channel_id, content, created_at)
           SELECT '{org}', gen_random_uuid(), 'slack', 'T1', 'C1', '{{}}', now() FROM generate_series(1, 5000)
           RETURNING org_id, message_id)
         INSERT INTO tandem.outbox (org_id, outbox_id, platform, workspace_id, message_id, kind, due_at, queued_at)
         SELECT org_id, gen_random_uuid(), 'slack', 'T1', message_id, 'redraw', now(), now() FROM said"
    );
    tx.execute(AssertSqlSafe(rows)).await.unwrap();
    let due = tandem::store::statements().into_iter().find(|(_, name, sql)| *name == "DUE" && sql.contains("outbox"));
    let explained = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}", due.unwrap().2);
    let query = sqlx::query(AssertSqlSafe(explained))
        .bind(org.0)
        .bind("slack")
        .bind("T1")
        .bind(chrono::DateTime::<chrono::Utc>::MAX_UTC.min("9999-01-01T00:00:00Z".parse().unwrap()))
        .bind(1_i64)
        .bind(20_i64)
        .bind(["redraw", "post"]);
    let plan = plan(query, &mut tx).await;
    assert!(buffers(&plan) < 200, "{plan:#}");
    for node in nodes(&plan) {
        let kind = node["Node Type"].as_str().unwrap();
        assert!(!["Seq Scan", "Sort"].contains(&kind), "{plan:#}");
    }
}

/// Messages and their posts stay for good: what a night forgets of them is found without reading the rest.
#[tokio::test]
async fn a_night_does_not_read_all_that_was_ever_said() {
    let (db, _, orgs) = two_organisations().await;
    for org in &orgs {
        let mut tx = as_app(&db.pool, Some(*org)).await;
        // In the order of their ids: of 5,000 the last twenty still show an account, one of them a home page that was opened
        // again; then twenty of today. And before all of them a row whose message is gone.
        let rows = format!(
            "INSERT INTO tandem.message (org_id, message_id, platform, workspace_id, channel_id, content, created_at)
             SELECT '{org}', ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'slack', 'T1', 'C1',
                    CASE n WHEN 4990 THEN '{{\"home\": {{}}}}'::jsonb ELSE '{{}}' END,
                    CASE WHEN n = 4990 OR n > 5000 THEN timestamptz '2026-11-20' ELSE '2026-10-01' END
               FROM generate_series(1, 5020) n;
             INSERT INTO tandem.message_account (org_id, account_id, message_id)
             SELECT org_id, 'acme', message_id FROM tandem.message
              WHERE message_id > '00000000-0000-7000-8000-000000004980'
             UNION ALL SELECT '{org}', 'acme', '00000000-0000-7000-8000-000000000000';
             INSERT INTO tandem.outbox (org_id, outbox_id, platform, workspace_id, message_id, kind, state, due_at, queued_at,
                                        settled_at)
             SELECT org_id, gen_random_uuid(), platform, workspace_id, message_id, 'post',
                    CASE WHEN message_id > '00000000-0000-7000-8000-000000005000' THEN 'given_up' ELSE 'sent' END,
                    created_at, created_at, created_at FROM tandem.message;
             INSERT INTO tandem.outbox (org_id, outbox_id, platform, workspace_id, message_id, kind, state, due_at, queued_at,
                                        settled_at)
             SELECT org_id, gen_random_uuid(), platform, workspace_id, message_id, 'redraw', 'sent', created_at, created_at,
                    created_at FROM tandem.message WHERE message_id > '00000000-0000-7000-8000-000000004980'"
        );
        tx.execute(AssertSqlSafe(rows)).await.unwrap();
        tx.commit().await.unwrap();
    }
    db.pool.execute("ANALYZE tandem.message, tandem.message_account, tandem.outbox").await.unwrap();
    let mut tx = as_app(&db.pool, Some(orgs[0])).await;
    // As the store's connections have it.
    tx.execute("SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan").await.unwrap();
    for name in ["FORGET_REDRAWS", "FORGET_SHOWN", "GIVEN_UP_SINCE"] {
        // An EXPLAIN of the statement itself would be planned for the values that are bound to it.
        let prepared = format!("PREPARE {name} (uuid, timestamptz) AS {}", statement(name));
        tx.execute(AssertSqlSafe(prepared)).await.unwrap();
        let run = format!("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {name} ('{}', '2026-11-01T00:00:00Z')", orgs[0].0);
        let plan = plan(sqlx::query(AssertSqlSafe(run)), &mut tx).await;
        assert!(rows_met(&plan) < 50.0, "{name}: {plan:#}");
    }
    let left = "SELECT (SELECT count(*) FROM tandem.outbox WHERE kind = 'redraw') || ' ' || count(*) FROM tandem.message_account";
    let left: String = sqlx::query_scalar(left).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(left, "21 21", "redraws that were made lately, and what the home page and today's messages show");
}

async fn plan<'q>(
    query: Query<'q, Postgres, sqlx::postgres::PgArguments>,
    connection: &mut sqlx::PgConnection,
) -> Value {
    use sqlx::Row as _;
    let explained: Value = query.fetch_one(connection).await.unwrap().get(0);
    explained[0]["Plan"].clone()
}

/// A plan lasts as long as its connection, and the first mornings are planned before there is one. The lines of a morning
/// are looked for by the morning then too: an index that has less in it seems as good while the table is empty.
#[tokio::test]
async fn the_first_mornings_cards_are_looked_for_by_their_morning() {
    let (db, _, orgs) = two_organisations().await;
    let mut tx = as_app(&db.pool, Some(orgs[0])).await;
    // As the store's connections have it.
    tx.execute("SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan").await.unwrap();
    for (name, types, values) in
        [("NEWER", "", ""), ("CARDS", "", ""), ("SUPERSEDE", ", timestamptz, timestamptz", ", now(), now()")]
    {
        let prepared = format!("PREPARE {name} (uuid, uuid[]{types}) AS {}", statement(name));
        tx.execute(AssertSqlSafe(prepared)).await.unwrap();
        let run = format!("EXPLAIN (FORMAT JSON) EXECUTE {name} ('{}', '{{}}'{values})", orgs[0].0);
        let plan = plan(sqlx::query(AssertSqlSafe(run)), &mut tx).await;
        let indexes = nodes(&plan).into_iter().filter_map(|node| node["Index Name"].as_str());
        let by: BTreeSet<&str> = indexes.filter(|index| index.starts_with("digest_item")).collect();
        assert_eq!(by, BTreeSet::from(["digest_item_pkey"]), "{name}: {plan:#}");
    }
}
