//! Rows from somebody else's Postgres, by hand and every night.

use serde_json::json;
use sqlx::{AssertSqlSafe, Executor as _};

use super::desk::Desk;
use crate::support::cluster::{TestDb, database};
use crate::support::program::Program;

/// A warehouse of one company, in a database of its own.
pub(super) async fn warehouse() -> TestDb {
    let db = database().await;
    let tables = "CREATE TABLE public.customer (id text, title text, mrr numeric(12, 4), auto boolean, ends timestamptz,
                         hosts text[], seats bigint, note text);
                  INSERT INTO public.customer VALUES
                    ('acme', 'Acme, \"Inc\"', 8000.5000, true, '2027-01-30 23:30:00+00', '{acme.example,acme.test}', 40, NULL),
                    ('bolt', E'Bolt\\nLtd', NULL, false, NULL, '{}', NULL, ''),
                    ('cord', 'Cord', -5, NULL, '2027-02-01', NULL, 3, E'\\\\N');
                  CREATE TABLE public.use (customer text, day date, people int);
                  INSERT INTO public.use SELECT 'acme', date '2026-01-01' + n % 250, n FROM generate_series(0, 12004) n;";
    db.pool.execute(AssertSqlSafe(tables)).await.unwrap();
    db
}

const ACCOUNTS: &str = "-- from: WAREHOUSE
SELECT id AS account_id, title AS name, mrr * 12 AS arr, auto AS auto_renew, ends AS renewal_date, hosts AS domains,
       seats, note AS goals
  FROM customer ORDER BY id; -- all of them
";

fn with(desk: &Desk, url: &str) -> Program {
    desk.program.clone().with("WAREHOUSE", url)
}

#[tokio::test]
async fn a_query_gives_the_rows_that_a_file_would() {
    let (desk, there) = (Desk::staffed().await, warehouse().await);
    let program = with(&desk, there.url());
    let accounts = desk.file("accounts.sql", ACCOUNTS);
    let import = async |arguments: &[&str]| {
        let start = ["import", "--org", "north", "--format", "json"];
        program.run(&[&start, arguments].concat()).await
    };
    let said = import(&["--from", "env:WAREHOUSE", "--query-file", &accounts]).await;
    let report = said.json()["files"][0].clone();
    assert_eq!((&report["accepted"], &report["rejected"]), (&json!(1), &json!(2)), "{report:#}");
    let reasons: Vec<_> = report["rejections"].as_array().unwrap().iter().map(|one| one["column"].clone()).collect();
    assert_eq!(reasons, [json!("name"), json!("arr")], "{report:#}");
    assert!(desk.read("accounts.sql.rejected.csv").contains("-60.0000"), "{}", desk.read("accounts.sql.rejected.csv"));
    // The instant is the last of January in Berlin, where the organisation is.
    let stored = "SELECT count(*) FROM tandem.account WHERE account_id = 'acme' AND name = 'Acme, \"Inc\"'
                     AND arr_minor = 9600600 AND auto_renew AND renewal_date = '2027-01-31' AND seats = 40
                     AND domains = '{acme.example,acme.test}' AND goals IS NULL";
    assert_eq!(desk.count(stored).await, 1);

    // The query says itself where its rows are, behind the mark that an editor put first; more of them than one page, the
    // last of a day wins.
    let signals = desk.file(
        "signals-usage.sql",
        "\u{feff}-- from: WAREHOUSE\nSELECT customer AS account_id, 'usage' AS source, 'active_users' AS kind, day AS observed_on, \
         people AS value FROM use",
    );
    let report = import(&["--query-file", &signals]).await.json()["files"][0].clone();
    assert_eq!((&report["kind"], &report["accepted"]), (&json!("signals"), &json!(12_005)), "{report:#}");
    assert_eq!(desk.count("SELECT count(*) FROM tandem.signal").await, 250);
}

#[tokio::test]
async fn what_the_warehouse_refuses_is_said_without_its_address() {
    let (desk, there) = (Desk::staffed().await, warehouse().await);
    let program =
        with(&desk, there.url()).with("NOWHERE", "postgres://reader:canary@127.0.0.1:1/none").with("LANGUAGE", "de");
    let mut all = Vec::new();
    for (what, name, sql, from) in [
        ("a slip", "accounts.sql", "SELECT id AS account_id,\n  titel AS name\n  FROM customer", Some("env:WAREHOUSE")),
        ("no query", "accounts.sql", "SELECT 1 AS", Some("env:WAREHOUSE")),
        ("two", "accounts.sql", "SELECT 1; DROP TABLE customer", Some("env:WAREHOUSE")),
        ("writes", "accounts.sql", "DELETE FROM customer", Some("env:WAREHOUSE")),
        (
            "writes and gives rows",
            "accounts.sql",
            "DELETE FROM customer RETURNING id AS account_id",
            Some("env:WAREHOUSE"),
        ),
        (
            "writes within",
            "accounts.sql",
            "WITH made AS (INSERT INTO customer VALUES ('dash') RETURNING id)\nSELECT id AS account_id FROM made",
            Some("env:WAREHOUSE"),
        ),
        ("locks", "accounts.sql", "SELECT id AS account_id FROM customer FOR UPDATE", Some("env:WAREHOUSE")),
        ("no kind", "customers.sql", "SELECT 1", Some("env:WAREHOUSE")),
        ("unset", "accounts.sql", "SELECT 1", Some("env:ELSEWHERE")),
        ("something else", "accounts.sql", "SELECT 1", Some("env:LANGUAGE")),
        ("unnamed", "accounts.sql", "SELECT 1", None),
        ("no address", "accounts.sql", "SELECT 1", Some("mysql://reader:canary@host/db")),
        ("nobody there", "accounts.sql", "SELECT 1", Some("env:NOWHERE")),
    ] {
        let file = desk.file(name, sql);
        let mut arguments = vec!["import", "--org", "north", "--query-file", &file];
        arguments.extend(from.iter().flat_map(|from| ["--from", from]));
        let said = program.run(&arguments).await;
        assert!(!format!("{said:?}").contains("canary"), "{what}: {said:?}");
        all.push(format!("{what}: {}", said.failure().replace(&file, name)));
    }
    insta::assert_snapshot!(all.join("\n"), @r#"
    a slip: accounts.sql, line 2: column "titel" does not exist
    no query: accounts.sql, line 1: syntax error at end of input
    two: accounts.sql: cannot insert multiple commands into a prepared statement
    writes: accounts.sql: this gives no rows; expected one SELECT
    writes and gives rows: accounts.sql, line 1: syntax error at or near "DELETE"; expected one SELECT that changes and locks nothing
    writes within: accounts.sql: DECLARE CURSOR must not contain data-modifying statements in WITH; expected one SELECT that changes and locks nothing
    locks: accounts.sql: cannot execute SELECT FOR UPDATE in a read-only transaction; expected one SELECT that changes and locks nothing
    no kind: customers.sql: its name says no kind of rows; call it for example signals.sql, or name the kind with --kind
    unset: the variable ELSEWHERE is not set; an address that begins with postgres:// is in NOWHERE, WAREHOUSE
    something else: the variable LANGUAGE holds no address; an address that begins with postgres:// is in NOWHERE, WAREHOUSE
    unnamed: accounts.sql: where are its rows? Say --from env:NAME, or write -- from: NAME into its first line
    no address: --from can't be read; expected env:NAME or an address that begins with postgres://
    nobody there: accounts.sql: the warehouse can't be reached: Connection refused (os error 111)
    "#);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM public.customer").fetch_one(&there.pool).await.unwrap();
    assert_eq!(rows, 3, "nothing was written there");

    // Columns are held to the names that files have; what breaks in the middle keeps what came before.
    let unknown = desk.file("accounts.sql", "-- from: WAREHOUSE\nSELECT id AS account_id, title AS nmae FROM customer");
    let said = program.run(&["import", "--org", "north", "--query-file", &unknown]).await;
    assert!(said.out.contains("\"nmae\" is no column of accounts; the nearest known one is name"), "{said:?}");
    let breaks = desk.file(
        "accounts.sql",
        "-- from: WAREHOUSE\nSELECT 'a' || n AS account_id, 'A' AS name, 100 / (6000 - n) AS seats FROM generate_series(1, 9000) n",
    );
    let said = program.run(&["import", "--org", "north", "--query-file", &breaks]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("5000 accepted, 0 unchanged, 1 rejected"), "{said:?}");
    assert!(said.out.contains("the file breaks off after line 5001: division by zero"), "{said:?}");
}
