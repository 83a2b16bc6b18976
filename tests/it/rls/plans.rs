//! How the look-ups by name read 100,000 accounts as the runtime role: an
//! operator that is not leakproof loses its index under a policy, and only a
//! plan shows it.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor as _, Postgres, query::Query};
use tandem::app::organisation::{self, NewOrganisation};
use tandem::domain::routing::Model;

use super::as_app;
use crate::support::cluster::database;
use crate::support::service::now;

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

#[tokio::test]
async fn looking_up_a_name_reads_an_index_and_not_the_table() {
    let db = database().await;
    let store = db.store().await;
    let mut orgs = Vec::new();
    for slug in ["north", "south"] {
        let new = NewOrganisation {
            slug: slug.into(),
            name: slug.into(),
            model: Model::Pair,
            timezone: chrono_tz::UTC,
            currency: "EUR".parse().unwrap(),
        };
        orgs.push(organisation::create(&store, new, now()).await.unwrap().id);
    }
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
    let db = database().await;
    let store = db.store().await;
    let new = NewOrganisation {
        slug: "north".into(),
        name: "north".into(),
        model: Model::Pair,
        timezone: chrono_tz::UTC,
        currency: "EUR".parse().unwrap(),
    };
    let org = organisation::create(&store, new, now()).await.unwrap().id;
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

async fn plan<'q>(
    query: Query<'q, Postgres, sqlx::postgres::PgArguments>,
    connection: &mut sqlx::PgConnection,
) -> Value {
    use sqlx::Row as _;
    let explained: Value = query.fetch_one(connection).await.unwrap().get(0);
    explained[0]["Plan"].clone()
}
