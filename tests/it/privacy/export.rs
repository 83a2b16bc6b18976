//! An export is whole, holds no secret, and goes back in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use chrono::NaiveDate;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::AssertSqlSafe;
use tandem::app::export::{Progress, export};
use tandem::app::sample;
use tandem::clock::{Clock as _, SystemClock};
use tandem::store::export::{LEFT_OUT, LISTINGS, ROW_FILES};
use tandem::store::import;

use crate::rls::{TENANT_TABLES, texts};
use crate::support::bot::TestBot;
use crate::support::cluster::{TestDb, database};
use crate::support::program::Program;

const ROWS: [&str; 7] =
    ["people.csv", "accounts.csv", "contacts.csv", "signals.csv", "outcomes.csv", "quotas.csv", "holidays.csv"];
const POLICY: &str = "[measures.support_minutes]\nsource = \"support\"\naggregate = \"last\"\nwindow_days = 90\n\
    healthy = 2.0\ncritical = 12.0\nweight = 1.0\nheadline = \"Support takes {value} minutes\"\n\
    actions = { csm = \"Review the tickets\", account_manager = \"Wait\" }\n";

/// The sample book of today, with a measure of its own, and one that its policy has no word for any more.
async fn sample_book(db: &TestDb, program: &Program, dir: &Path) -> NaiveDate {
    let create = ["org", "create", "north", "--name", "North & Co", "--model", "pair", "--timezone", "UTC"];
    program.run(&create).await.well();
    let (store, now) = (db.store().await, SystemClock.now());
    let today = now.date_naive();
    let sample = sample::organisation(7, today);
    let mut directory = store.directory().await.unwrap();
    let org = tandem::store::directory::organisation(&mut directory, "north").await.unwrap().unwrap().id;
    drop(directory);
    let mut tx = store.tenant(org).await.unwrap();
    let mut refused = Vec::new();
    refused.extend(import::people(&mut tx, &sample.people).await.unwrap().rejected);
    refused.extend(import::accounts(&mut tx, &sample.accounts, today, now).await.unwrap().rejected);
    refused.extend(import::contacts(&mut tx, &sample.contacts).await.unwrap().rejected);
    refused.extend(import::signals(&mut tx, &sample.signals).await.unwrap().rejected);
    refused.extend(import::outcomes(&mut tx, &sample.outcomes).await.unwrap().rejected);
    refused.extend(import::quotas(&mut tx, &sample.quotas).await.unwrap().rejected);
    refused.extend(import::holidays(&mut tx, &sample.holidays).await.unwrap().rejected);
    assert!(refused.is_empty(), "{refused:?}");
    tandem::store::settings::touch(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let file = |name: &str, text: &str| {
        fs::write(dir.join(name), text).unwrap();
        dir.join(name).display().to_string()
    };
    let policy = file("own.toml", POLICY);
    program.run(&["policy", "use", &policy, "--org", "north"]).await.well();
    let account = &sample.accounts[0].account_id;
    let own = format!(
        "account_id,source,kind,observed_on,value,reference\n{account},support,support_minutes,{today},7.25,\"a \"\"quoted\"\", one\"\n"
    );
    program.run(&["import", "--org", "north", &file("signals.csv", &own)]).await.well();
    let people = "email,name,roles\ngone@sample.example,\"Gone, Gina\",\\N\n";
    program.run(&["import", "--org", "north", &file("people.csv", people)]).await.well();
    let mut tx = db.tenant(org).await;
    let unknown = format!(
        "INSERT INTO tandem.signal VALUES ('{org}', '{account}', 'usage', 'forgotten_measure', '{today}', '', 3, NULL)"
    );
    sqlx::query(AssertSqlSafe(unknown)).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    today
}

/// Each file of a folder by its name.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.filter(|entry| entry.file_type().unwrap().is_file()).map(read).collect()
}

#[tokio::test]
async fn an_export_goes_into_another_organisation_and_is_diagnosed_alike() {
    let (dir, db) = (tempfile::tempdir().unwrap(), database().await);
    let program = Program::bare(dir.path()).with("DATABASE_URL", db.url());
    let today = sample_book(&db, &program, dir.path()).await;
    let diagnosed = async |slug: &str| -> Vec<Value> {
        let said = program.run(&["diagnose", "--org", slug, "--format", "json"]).await.well();
        let line = |line: &str| {
            let mut read: Value = serde_json::from_str(line).unwrap();
            // A hash over the organisation too.
            read["id"] = Value::Null;
            read
        };
        said.lines().map(line).collect()
    };
    let north = diagnosed("north").await;
    assert!(north.len() > 70);

    let out = dir.path().join("deep/out");
    let to = out.to_str().unwrap();
    let said = program.run(&["export", "--org", "north", "--out", to]).await;
    assert_eq!(said.err, "", "no progress where no terminal is");
    let said = said.well();
    assert!(said.contains("Exported north: ") && said.contains("1 rows would be refused"), "{said}");
    let exported = files(&out);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o700);
    for name in exported.keys() {
        assert_eq!(fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(fs::read_dir(dir.path().join("deep")).unwrap().count(), 1, "no draft is left");
    let sums: Vec<(String, String)> = String::from_utf8(exported["SHA256SUMS"].clone())
        .unwrap()
        .lines()
        .map(|line| line.split_once("  ").map(|(sum, name)| (name.to_owned(), sum.to_owned())).unwrap())
        .collect();
    assert_eq!(sums.len() + 2, exported.len(), "all but itself and the README");
    let readme = String::from_utf8(exported["README.txt"].clone()).unwrap();
    for (name, sum) in &sums {
        assert_eq!(*sum, hex::encode(Sha256::digest(&exported[name])), "{name}");
        let rows = exported[name].iter().filter(|byte| **byte == b'\n').count() - usize::from(name.ends_with(".csv"));
        let line = readme.lines().find(|line| line.trim_start().starts_with(name.as_str()));
        let line = line.unwrap_or_else(|| panic!("the README has no {name}: {readme}"));
        if name.ends_with(".ndjson") || matches!(name.as_str(), "accounts.csv" | "holidays.csv") {
            assert_eq!(line.split_whitespace().nth(1).unwrap(), rows.to_string(), "{line}");
        }
    }
    for (name, bytes) in exported.iter().filter(|(name, _)| name.ends_with(".ndjson")) {
        for line in String::from_utf8(bytes.clone()).unwrap().lines() {
            assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "{name}: {line}");
        }
    }
    let refused: Value = serde_json::from_slice(&exported["refused_rows.ndjson"]).unwrap();
    assert_eq!((&refused["file"], &refused["row"]["kind"]), (&"signals.csv".into(), &"forgotten_measure".into()));
    assert!(refused["reason"].as_str().unwrap().contains("no kind of usage"), "{refused}");

    // Into an organisation whose own currency is another one.
    let create =
        ["org", "create", "south", "--name", "South", "--model", "pair", "--timezone", "UTC", "--currency", "EUR"];
    program.run(&create).await.well();
    let policy = out.join("policy.toml").display().to_string();
    program.run(&["policy", "use", &policy, "--org", "south"]).await.well();
    let paths: Vec<String> = ROWS.iter().map(|name| out.join(name).display().to_string()).collect();
    let mut arguments = vec!["import", "--org", "south"];
    arguments.extend(paths.iter().map(String::as_str));
    let imported = program.run(&arguments).await.well();
    assert_eq!(imported.lines().filter(|line| line.ends_with(" 0 unchanged, 0 rejected")).count(), 7, "{imported}");
    let south = diagnosed("south").await;
    for (here, there) in north.iter().zip(&south) {
        assert_eq!(here, there);
    }
    assert_eq!(north.len(), south.len());

    let again = dir.path().join("again");
    program.run(&["export", "--org", "south", "--out", again.to_str().unwrap()]).await.well();
    let again = files(&again);
    for name in ROWS {
        assert!(again[name] == exported[name], "{name} is not the same bytes");
    }
    assert!(!again.contains_key("refused_rows.ndjson"));
    let trail = program.run(&["audit", "export", "--org", "north", "--format", "json"]).await.well();
    assert_eq!(trail.lines().filter(|line| line.contains("data.exported")).count(), 1, "{trail}");
    let _ = today;

    // What can't be done is said before anything is.
    let full = program.run(&["export", "--org", "north", "--out", to]).await.failure();
    assert_eq!(full, format!("{to} is not empty; name a new or an empty folder"));
    let file = dir.path().join("own.toml").display().to_string();
    let file = program.run(&["export", "--org", "north", "--out", &file]).await.failure();
    assert!(file.ends_with("own.toml is no folder; name a new or an empty one"), "{file}");
    let nowhere = dir.path().join("nowhere");
    let unknown = program.run(&["export", "--org", "nroth", "--out", nowhere.to_str().unwrap()]).await.failure();
    assert_eq!(unknown, "there is no organisation \"nroth\"; there are: north, south");
    assert!(!nowhere.exists());
    assert_eq!(program.run(&["export", "--org", "north"]).await.code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_everything_of_one_organisation_and_no_secret() {
    let bot = TestBot::with_everything().await;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    export(&bot.app.store, &bot.org, &out, &Progress::default(), bot.app.now()).await.unwrap();
    let files = files(&out);
    for listing in LISTINGS {
        assert!(!files[&format!("{}.ndjson", listing.file)].is_empty(), "{} is empty", listing.file);
    }
    for file in ROW_FILES {
        let name = format!("{}.csv", file.kind.as_str());
        let rows = csv::Reader::from_reader(files[&name].as_slice()).into_records().count();
        assert!(rows > 0, "{name} is empty");
    }
    let other = bot.other.id.to_string();
    for (name, bytes) in &files {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(!text.contains("xoxb-") && !text.contains("\\\\x") && !text.contains(&other), "{name}: {text}");
        assert!(!text.contains("only-there"), "{name} has a row of the other organisation");
    }
    let audit = String::from_utf8(files["audit.ndjson"].clone()).unwrap();
    let first: Value = serde_json::from_str(audit.lines().next().unwrap()).unwrap();
    for key in ["at", "actor", "event", "subject", "data", "seq", "hash"] {
        assert!(!first[key].is_null(), "{key}: {first}");
    }
    bot.set_aside().await;
}

#[tokio::test]
async fn every_table_and_column_is_exported_or_left_out_for_a_reason() {
    let db = database().await;
    let mut read: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for listing in LISTINGS {
        for table in listing.tables {
            read.entry(table).or_default().push(listing.sql);
        }
    }
    for file in ROW_FILES {
        read.entry(file.table).or_default().push(file.sql);
    }
    let columns = format!(
        "SELECT c.oid::regclass || '.' || a.attname FROM pg_class c
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE a.attname <> 'org_id' AND c.oid::regclass::text IN ({}) ORDER BY 1",
        TENANT_TABLES.trim_end_matches(" ORDER BY 1")
    );
    let columns = texts(&db.pool, &columns).await;
    assert!(columns.len() > 200, "{}", columns.len());
    let left_out: BTreeSet<&str> = LEFT_OUT.iter().map(|(what, _)| *what).collect();
    let mut forgotten = Vec::new();
    for full in &columns {
        let (table, column) = full.rsplit_once('.').unwrap();
        let word = |sql: &&str| sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == column);
        let is_read = read.get(table).is_some_and(|statements| statements.iter().any(word));
        let is_left_out = left_out.contains(table) || left_out.contains(full.as_str());
        if !is_read && !is_left_out {
            forgotten.push(full);
        }
        assert!(!(is_read && left_out.contains(full.as_str())), "{full} is exported and said to be left out");
    }
    assert!(forgotten.is_empty(), "neither in an export nor said to be left out: {forgotten:?}");
    let tables = texts(&db.pool, TENANT_TABLES).await;
    for (what, why) in LEFT_OUT {
        assert!(columns.iter().any(|full| full == what) || tables.iter().any(|table| table == what), "{what} is gone");
        assert!(!why.is_empty());
    }
}
