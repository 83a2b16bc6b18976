//! Names in memory and names in the database are found alike.

use std::sync::Arc;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use tandem::app::{App, query};
use tandem::clock::SystemClock;
use tandem::domain::account::name_key;
use tandem::domain::likeness::Typed;
use tandem::store::account;

use crate::support::cluster::database;
use crate::support::organisation;

/// Companies' names as they are, and as people type them: letters left out, doubled, swapped, words missing.
const NAMES: [&str; 14] = [
    "Amberbank Analytics Inc",
    "Willowbrook Software",
    "Quartzgrove Telecom Ltd",
    "Müller & Söhne GmbH",
    "The North Face North America",
    "Banana Bandana",
    "A B C",
    "x",
    "Halden Maritime AS",
    "Halden",
    "3M",
    "Société Générale",
    "aaaa aaa aa a",
    "Northern Northern Lights",
];

fn mistyped(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut typed = vec![name.to_owned()];
    for place in 0..letters.len() {
        let (before, after) = (&letters[..place], &letters[place + 1..]);
        let of = |middle: &[char]| [before, middle, after].concat().into_iter().collect::<String>();
        typed.extend([of(&[]), of(&[letters[place], letters[place]]), of(&['z'])]);
    }
    typed.extend(name.split(' ').map(str::to_owned));
    typed
}

#[tokio::test]
async fn likeness_is_counted_as_the_database_counts_it() {
    let db = database().await;
    let keys: Vec<String> = NAMES.iter().map(|name| name_key(name)).collect();
    let mut typed: Vec<String> = keys.iter().flat_map(|key| mistyped(key)).map(|name| name_key(&name)).collect();
    typed.sort();
    typed.dedup();
    typed.retain(|typed| !typed.is_empty());
    assert!(typed.len() > 400, "{}", typed.len());
    let rows: Vec<(String, String, f32)> = sqlx::query_as(
        "SELECT typed, name, greatest(public.similarity(name, typed), public.word_similarity(typed, name))
           FROM unnest($1::text[]) AS typed CROSS JOIN unnest($2::text[]) AS name",
    )
    .bind(&typed)
    .bind(&keys)
    .fetch_all(&db.pool)
    .await
    .unwrap();
    assert_eq!(rows.len(), typed.len() * keys.len());
    for (typed, name, expected) in rows {
        assert_eq!(Typed::new(&typed).unwrap().likeness(&name), expected, "\"{typed}\" for \"{name}\"");
    }
}

/// The same names and the same answers as memory's own test has.
#[tokio::test]
async fn close_names_go_before_those_that_are_somewhat_alike() {
    let db = database().await;
    let store = db.store().await;
    let mut orgs = Vec::new();
    for (slug, names) in [
        ("north", ["Willowbrook Software", "Willowbrook Telecom", "Harbour Software"].as_slice()),
        ("south", ["Wilowbrok Sofware", "Zenith Metals"].as_slice()),
    ] {
        let org = organisation(&store, slug).await;
        let mut begun = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{org}'");
        for (id, name) in (1..).zip(names) {
            let key = name_key(name);
            begun.push_str(&format!(
                "; INSERT INTO tandem.account (org_id, account_id, name, name_key, updated_at)
                   VALUES ('{org}', '{id}', '{name}', '{key}', '2026-01-01')"
            ));
        }
        sqlx::raw_sql(AssertSqlSafe(format!("{begun}; COMMIT"))).execute(&db.pool).await.unwrap();
        orgs.push(org);
    }
    for (typed, expected) in
        [("wilowbrok sofware", "1"), ("wilowbrok", "12"), ("wilowbrok metals", "12"), ("zenith metals", "")]
    {
        let mut tx = store.tenant(orgs[0]).await.unwrap();
        // Twice: the second time stricter names must be looked for first again.
        for _ in 0..2 {
            let found = account::find(&mut tx, typed, 6).await.unwrap();
            assert_eq!(found.into_iter().map(|id| id.0).collect::<String>(), expected, "{typed}");
        }
    }
}

/// A command closes its connections when it has printed: what reads names for those who ask next would find them closed.
#[tokio::test]
async fn the_command_lines_card_reads_no_names_behind() {
    let db = database().await;
    let app = App::new(db.store().await, Arc::new(SystemClock));
    let org = organisation(&app.store, "north").await;
    let mut watching = db.pool.acquire().await.unwrap();
    let mut connections = async || {
        let count = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND backend_type = 'client backend'";
        sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *watching).await.unwrap()
    };
    let before = connections().await;
    assert_eq!(query::account_by_name(&app, org, None, "acme").await.unwrap(), None);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(connections().await, before);
}
