//! The inbox folder: what lies there before a night.

mod turns;

use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use tandem::app::App;
use tandem::app::inbox::{Inbox, take_if_owed};
use tandem::domain::person::OrgId;
use tandem::domain::routing::Model;
use tandem::scheduler;
use tempfile::TempDir;

use super::desk::Desk;
use super::warehouse::warehouse;
use crate::support::bot::TestBot;
use crate::support::program::said;
use crate::support::until;

struct Night {
    bot: TestBot,
    dir: TempDir,
    app: App,
}

impl Night {
    /// An evening in Berlin with a folder for `north`; the night is at 02:00.
    async fn new() -> Self {
        let bot = TestBot::new(Model::Pair, "2026-11-23T19:00:00Z").await;
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("north")).unwrap();
        let night = Self { app: bot.app.clone(), bot, dir };
        Self { app: night.replica(Duration::from_millis(150)), ..night }
    }

    fn replica(&self, settle: Duration) -> App {
        self.with_warehouses(settle, &[])
    }

    fn with_warehouses(&self, settle: Duration, warehouses: &[(&str, &str)]) -> App {
        let warehouses = warehouses.iter().map(|(name, url)| ((*name).to_owned(), (*url).to_owned().into())).collect();
        let inbox = Inbox::new(self.dir.path().to_owned(), warehouses).settling(settle);
        self.bot.app.clone().with_inbox(Some(inbox))
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.dir.path().join("north").join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join("north").join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// What lies in the folder, with its folders, by name.
    fn lies(&self) -> Vec<String> {
        let mut names = Vec::new();
        for place in ["", "done", "rejected"] {
            let Ok(entries) = std::fs::read_dir(self.dir.path().join("north").join(place)) else { continue };
            for entry in entries {
                let entry = entry.unwrap();
                if entry.path().is_file() {
                    names.push(Path::new(place).join(entry.file_name()).display().to_string());
                }
            }
        }
        names.sort();
        names
    }

    async fn passes(&self, night: &str) {
        self.bot.clock.set(night.parse().unwrap());
        scheduler::tick(&self.app).await.unwrap();
    }

    async fn count(&self, table: &str) -> i64 {
        self.count_of(self.bot.org.id, table).await
    }

    async fn count_of(&self, org: OrgId, table: &str) -> i64 {
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{org}'");
        let mut tx = self.bot.pool().begin_with(sqlx::AssertSqlSafe(begin)).await.unwrap();
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM tandem.{table}"));
        sqlx::query_scalar(sql).fetch_one(&mut *tx).await.unwrap()
    }
}

const PEOPLE: &str = "email,name,roles,slack_user_id,workdays\n\
    ada@x.eu,Ada,admin,Uada,mon-sun\n";
const ACCOUNTS: &str = "account_id,name\na1,Acme\n";

#[tokio::test]
async fn files_are_taken_before_the_night_and_moved() {
    let night = Night::new().await;
    night.put(
        "signals.csv",
        "account_id,source,kind,observed_on,value\na1,usage,sessions,2026-11-20,5\na9,usage,sessions,2026-11-20,5\n",
    );
    night.put("signals-crm.ndjson", "{\"account_id\":\"a1\",\"source\":\"crm\",\"kind\":\"notice_served\",\"observed_on\":\"2026-11-22\",\"value\":true}\n");
    night.put("accounts.csv", ACCOUNTS);
    night.put("people.csv", PEOPLE);
    night.put("acounts.csv", ACCOUNTS);
    night.put("accounts.csv.part", "account_id,na");
    night.put(".accounts.csv.swp", "x");
    std::os::unix::fs::symlink("/etc/hostname", night.dir.path().join("north/contacts.csv")).unwrap();

    night.passes("2026-11-24T00:50:00Z").await;
    assert_eq!(night.lies().len(), 8, "nothing is taken before the night: {:?}", night.lies());
    night.passes("2026-11-24T01:00:30Z").await;
    assert_eq!(
        night.lies(),
        [
            ".accounts.csv.swp",
            "accounts.csv.part",
            "contacts.csv",
            "done/accounts.csv",
            "done/people.csv",
            "done/signals-crm.ndjson",
            "rejected/acounts.csv",
            "rejected/acounts.csv.txt",
            "rejected/signals.csv",
            "rejected/signals.csv.txt",
            "rejected/signals.rejected.csv",
        ]
    );
    assert_eq!((night.count("account").await, night.count("signal").await), (1, 2));
    assert_eq!(night.count("risk").await, 1, "the night that followed has read them");
    assert!(night.read("rejected/acounts.csv.txt").contains("did you mean accounts?"));
    assert_eq!(
        night.read("rejected/signals.rejected.csv"),
        "account_id,source,kind,observed_on,value,reason\n\
         a9,usage,sessions,2026-11-20,5,\"account_id: there is no account \"\"a9\"\"; import accounts first\"\n"
    );
    night.bot.deliver().await;
    let told = night.bot.next_post("ada").text();
    assert!(told.contains("acounts.csv could not be taken") && told.contains("signals.csv: 1 row rejected"), "{told}");

    // Mended and put back under the name it has there, it comes in the next night; nothing is taken twice.
    let mended = night.read("rejected/signals.rejected.csv").replace("a9", "a1").replace("-20", "-21");
    night.put("signals.rejected.csv", mended);
    night.put("accounts.csv", "account_id,name\na1,Acme\na9,Nine\n");
    night.passes("2026-11-24T12:00:00Z").await;
    assert!(night.lies().contains(&"accounts.csv".to_owned()), "only a night takes");
    night.passes("2026-11-25T01:00:30Z").await;
    assert_eq!((night.count("account").await, night.count("signal").await), (2, 3));
    assert!(night.lies().contains(&"done/accounts-2026-11-25.csv".to_owned()), "{:?}", night.lies());
    night.bot.set_aside().await;
}

#[tokio::test]
async fn a_file_whose_rows_the_database_refuses_does_not_stay() {
    let night = Night::new().await;
    sqlx::query("ALTER TABLE tandem.account ADD CHECK (name <> 'Canary')").execute(night.bot.pool()).await.unwrap();
    night.put("people.csv", PEOPLE);
    night.put("accounts.csv", "account_id,name\na1,Canary\n");
    night.passes("2026-11-24T01:00:30Z").await;
    assert_eq!(night.lies(), ["done/people.csv", "rejected/accounts.csv", "rejected/accounts.csv.txt"]);
    let why = night.read("rejected/accounts.csv.txt");
    assert!(why.starts_with("accounts.csv: the database refused its rows: import accounts: "), "{why}");
    night.bot.deliver().await;
    let told = night.bot.next_post("ada").text();
    assert!(told.contains("accounts.csv could not be taken"), "{told}");
    night.bot.set_aside().await;
}

#[tokio::test]
async fn a_file_that_still_grows_waits_and_two_replicas_take_it_once() {
    let night = Night::new().await;
    night.put("people.csv", PEOPLE);
    let path = night.dir.path().join("north/accounts.csv");
    let (ends, end) = std::sync::mpsc::channel::<()>();
    // A thread of its own: it goes on also while the test's one is busy.
    let writing = std::thread::spawn(move || {
        let mut text = ACCOUNTS.to_owned();
        while end.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
            text += &format!("b{},Bolt\n", text.len());
            std::fs::write(&path, &text).unwrap();
        }
    });
    until("the file is begun", async || night.lies().contains(&"accounts.csv".to_owned())).await;
    night.passes("2026-11-24T01:00:30Z").await;
    drop(ends);
    writing.join().unwrap();
    assert_eq!(night.lies(), ["accounts.csv", "done/people.csv"]);
    assert_eq!(night.count("diagnosis_run").await, 1, "the night did not wait for it");

    let second = night.replica(Duration::from_millis(150));
    night.bot.clock.set("2026-11-25T01:00:30Z".parse().unwrap());
    let (one, two) = tokio::join!(scheduler::tick(&night.app), scheduler::tick(&second));
    one.unwrap();
    two.unwrap();
    assert_eq!(night.lies(), ["done/accounts.csv", "done/people.csv"]);
    let imports =
        "SELECT count(*) FROM tandem.audit_event WHERE event = 'data.imported' AND data->>'kind' = 'accounts'";
    let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{}'", night.bot.org.id);
    let mut tx = night.bot.pool().begin_with(sqlx::AssertSqlSafe(begin)).await.unwrap();
    let imports: i64 = sqlx::query_scalar(imports).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(imports, 1);
    drop(tx);
    night.bot.set_aside().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_runs_once_a_date_whichever_process_runs_it() {
    let (mut night, there) = (Night::new().await, warehouse().await);
    let warehouses = [("WAREHOUSE", there.url())];
    night.app = night.with_warehouses(Duration::ZERO, &warehouses);
    let second = night.with_warehouses(Duration::ZERO, &warehouses);
    let accounts = "-- from: WAREHOUSE\nSELECT id AS account_id, title AS name FROM customer WHERE id <> 'cord'";
    night.put("accounts.sql", accounts);
    night.bot.clock.set("2026-11-24T01:00:30Z".parse().unwrap());
    let (one, two) = tokio::join!(take_if_owed(&night.app, night.bot.org.id), take_if_owed(&second, night.bot.org.id));
    let ran = [one, two].map(|taken| taken.unwrap().unwrap_or_default().len());
    assert_eq!(ran.iter().sum::<usize>(), 1, "the night is owed still, and the query has been run");
    scheduler::tick(&night.app).await.unwrap();
    night.bot.set_aside().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_take_long_keep_no_other_organisation_waiting() {
    let night = Night::new().await;
    night.put("people.csv", PEOPLE);
    // Looked at again in an hour: until then this organisation's night does not end.
    let app = night.replica(Duration::from_secs(3600));
    night.bot.clock.set("2026-11-24T01:00:30Z".parse().unwrap());
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(scheduler::run(app, stopped));
    until("the other one has its night", async || night.count_of(night.bot.other.id, "diagnosis_run").await > 0).await;
    assert_eq!(night.count("diagnosis_run").await, 0);
    running.abort();
    night.bot.set_aside().await;
}

/// Another process holds the inbox and does not come to an end: somebody has to hear that the night is late.
#[tokio::test(flavor = "multi_thread")]
async fn a_night_that_hangs_elsewhere_is_watched_all_the_same() {
    let night = Night::new().await;
    let mut elsewhere = night.bot.pool().begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('tandem inbox ' || $1::text, 0))")
        .bind(night.bot.org.id.0)
        .execute(&mut *elsewhere)
        .await
        .unwrap();
    let next = async || {
        let watch = "SELECT due_at FROM directory.due WHERE kind = 'watch' AND org_id = $1";
        let due = sqlx::query_scalar::<_, chrono::DateTime<chrono::Utc>>(watch).bind(night.bot.org.id.0);
        due.fetch_one(night.bot.pool()).await.unwrap()
    };
    night.passes("2026-11-24T01:30:00Z").await;
    assert_eq!(
        (night.count("diagnosis_run").await, night.count("watch").await),
        (0, 1),
        "it is late, and that is told"
    );
    assert_eq!(next().await.to_rfc3339(), "2026-11-24T01:40:00+00:00");
    assert_eq!(night.count_of(night.bot.other.id, "diagnosis_run").await, 1, "the organisation beside has its night");
    elsewhere.rollback().await.unwrap();
    night.passes("2026-11-24T01:41:00Z").await;
    assert_eq!((night.count("diagnosis_run").await, night.count("watch").await), (1, 0), "it is over");
    night.bot.set_aside().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_run_before_each_night_and_one_that_fails_stops_no_other() {
    let (mut night, there) = (Night::new().await, warehouse().await);
    let gone = "postgres://reader:canary@127.0.0.1:1/none";
    night.app = night.with_warehouses(Duration::from_millis(150), &[("WAREHOUSE", there.url()), ("GONE", gone)]);
    night.put("people.csv", PEOPLE);
    // By the alphabet signals would come before the accounts they are of. An editor put its mark first.
    let accounts =
        "\u{feff}-- from: WAREHOUSE\nSELECT id AS account_id, title AS name FROM customer WHERE id <> 'cord'";
    night.put("accounts.sql", accounts);
    let usage = "-- from: WAREHOUSE\nSELECT customer AS account_id, 'usage' AS source, 'active_users' AS kind, \
                 day AS observed_on, people AS value FROM use WHERE people < 100";
    night.put("signals-usage.sql", usage);
    night.put(
        "signals-crm.sql",
        "-- from: WAREHOUSE\nSELECT id AS account_id,\n  'crm' AS source, nothing FROM customer",
    );
    night.put("signals-gone.sql", "-- from: GONE\nSELECT 1 AS account_id");
    night.put("signals-unset.sql", "-- from: ELSEWHERE\nSELECT 1 AS account_id");
    night.put(
        "signals-rows.sql",
        "-- from: WAREHOUSE\nSELECT * FROM (VALUES ('acme', 'usage', 'sessions', '2026-11-20', '5'),
            ('nobody', 'usage', 'sessions', '2026-11-20', '5'),
            ('acme', 'usage', 'sessions', '2026-11-21', 'many')) AS r (account_id, source, kind, observed_on, value)",
    );
    night.passes("2026-11-24T01:00:30Z").await;
    assert_eq!(night.count("diagnosis_run").await, 1, "the night came all the same");
    assert_eq!((night.count("account").await, night.count("signal").await), (1, 101));
    assert_eq!(
        night.lies(),
        [
            "accounts.sql",
            "done/people.csv",
            "rejected/accounts.sql.rejected.csv",
            "rejected/accounts.sql.txt",
            "rejected/signals-crm.sql.txt",
            "rejected/signals-gone.sql.txt",
            "rejected/signals-rows.sql.rejected.csv",
            "rejected/signals-rows.sql.txt",
            "rejected/signals-unset.sql.txt",
            "signals-crm.sql",
            "signals-gone.sql",
            "signals-rows.sql",
            "signals-unset.sql",
            "signals-usage.sql",
        ],
        "queries stay where they are"
    );
    assert_eq!(
        night.read("rejected/signals-rows.sql.rejected.csv"),
        "account_id,source,kind,observed_on,value,reason\n\
         acme,usage,sessions,2026-11-21,many,\"value: sessions: \"\"many\"\" is no number; expected digits such as 42 or 0.5\"\n\
         nobody,usage,sessions,2026-11-20,5,\"account_id: there is no account \"\"nobody\"\"; import accounts first\"\n"
    );
    night.bot.deliver().await;
    let told = night.bot.next_post("ada").text();
    for words in [
        "accounts.sql: 1 row rejected",
        "signals-rows.sql: 2 rows rejected",
        "signals-crm.sql could not be taken",
        "signals-gone.sql could not be taken",
        "signals-unset.sql could not be taken",
    ] {
        assert!(told.contains(words), "{words} is not in\n{told}");
    }
    let why = ["crm", "gone", "unset"].map(|what| night.read(&format!("rejected/signals-{what}.sql.txt"))).concat();
    insta::assert_snapshot!(why, @r#"
    signals-crm.sql, line 3: column "nothing" does not exist
    signals-gone.sql: the warehouse can't be reached: Connection refused (os error 111)
    signals-unset.sql: the variable ELSEWHERE is not set; an address that begins with postgres:// is in GONE, WAREHOUSE
    "#);

    // Mended, its reasons go.
    night.put("signals-crm.sql", "-- from: WAREHOUSE\nSELECT 'acme' AS account_id, 'crm' AS source, 'interaction' AS kind, date '2026-11-20' AS observed_on, 1 AS value");

    // The same night asked once more runs nothing again; one that comes late waits for the next night.
    night.put("signals-late.sql", "-- from: WAREHOUSE\nSELECT 'acme' AS account_id, 'usage' AS source, 'sessions' AS kind, date '2026-11-23' AS observed_on, 8 AS value");
    night.passes("2026-11-24T09:00:00Z").await;
    assert_eq!(night.count("signal").await, 101);
    night.passes("2026-11-25T01:00:30Z").await;
    assert_eq!((night.count("signal").await, night.count("diagnosis_run").await), (103, 2));
    assert!(!night.lies().contains(&"rejected/signals-crm.sql.txt".to_owned()), "{:?}", night.lies());
    night.bot.set_aside().await;
}

/// By hand, with the address in the environment or the configuration file: nothing that is printed or logged has it.
#[tokio::test]
async fn a_warehouses_password_is_nowhere_to_be_read() {
    let (desk, there) = (Desk::staffed().await, warehouse().await);
    desk.file(
        "inbox/north/accounts.sql",
        "-- from: WAREHOUSE\nSELECT id AS account_id, title AS name FROM customer WHERE id = 'acme'",
    );
    desk.file("inbox/north/contacts.sql", "-- from: GONE\nSELECT 1 AS account_id");
    desk.file("inbox/north/signals.sql", "-- from: IN_FILE\nSELECT nothing FROM customer");
    // The server on its socket asks for no password; what is sent for one is a secret all the same.
    let address = format!("{}&password=canary", there.url());
    let config = desk.file("tandem.toml", format!("[warehouses]\nIN_FILE = \"{address}\"\n"));
    let program = desk
        .program
        .clone()
        .with("TANDEM_INBOX", &desk.path("inbox"))
        .with("TANDEM_LOG", "trace,sqlx=trace")
        .with("WAREHOUSE", &address)
        .with("GONE", "postgres://reader:canary@127.0.0.1:1/none");
    let said = program.run(&["--config", &config, "diagnose", "--org", "north"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    for words in [
        "tandem: accounts.sql: 1 accepted, 0 unchanged, 0 rejected",
        "tandem: contacts.sql: the warehouse can't be reached",
        "tandem: signals.sql, line 2: column \"nothing\" does not exist",
    ] {
        assert!(said.err.contains(words), "{words} is not in\n{}", said.err);
    }
    assert!(!format!("{said:?}").contains("canary"), "{said:?}");
    let doctor = program.run(&["--config", &config, "doctor", "--org", "north"]).await;
    assert!(!format!("{doctor:?}").contains("canary"), "{doctor:?}");
    assert_eq!(desk.count("SELECT count(*) FROM tandem.account").await, 1);
}

#[tokio::test]
async fn doctor_says_how_the_inbox_is() {
    let desk = Desk::staffed().await;
    let program = desk.program.clone().with("TANDEM_INBOX", &desk.path("inbox")).with("WAREHOUSE", "postgres://a@b/c");
    let inbox = async || {
        let said = program.run(&["doctor", "--org", "north"]).await.out;
        let lines = said.lines().filter(|line| line.contains("inbox")).map(|line| line.replace(&desk.path(""), ""));
        lines.collect::<Vec<_>>().join("\n")
    };
    let missing = inbox().await;
    std::fs::create_dir(desk.path("inbox")).unwrap();
    let none = inbox().await;
    desk.file("inbox/north/accounts.csv", ACCOUNTS);
    desk.file("inbox/north/signals.csv", "account_id,source,kind,observed_on,value\na9,usage,sessions,2026-10-01,5\n");
    let waiting = inbox().await;
    program.run(&["diagnose", "--org", "north"]).await.well();
    desk.file("inbox/north/signals-crm.sql", "\u{feff}-- from: WAREHOUSE\nSELECT 1");
    let taken = inbox().await;
    desk.file("inbox/north/acounts.csv", ACCOUNTS);
    desk.file("inbox/north/contacts.sql", "SELECT 1");
    desk.file("inbox/north/people.sql", "-- from: NOWHERE\nSELECT 1");
    let faulty = inbox().await;
    insta::assert_snapshot!([missing, none, waiting, taken, faulty].join("\n\n"), @r#"
    warn   north: inbox: TANDEM_INBOX names inbox, where there is no folder

    warn   north: inbox: there is no folder inbox/north, so nothing is taken; make it

    ok     north: inbox: inbox/north: 2 files and 0 queries for the next night

    ok     north: inbox: inbox/north: 0 files and 1 query for the next night
    ok     north: inbox: accounts last taken today: accounts.csv
    ok     north: inbox: signals last taken today: signals.csv
    warn   north: inbox: rows were rejected today; mend them in rejected/signals.rejected.csv

    warn   north: inbox: acounts.csv: "acounts" is no kind of rows; did you mean accounts? Rename it, or import it with --kind
    warn   north: inbox: contacts.sql: its first line names no warehouse; expected for example -- from: WAREHOUSE_URL
    warn   north: inbox: people.sql: the variable NOWHERE is not set; an address that begins with postgres:// is in WAREHOUSE
    ok     north: inbox: accounts last taken today: accounts.csv
    ok     north: inbox: signals last taken today: signals.csv
    warn   north: inbox: rows were rejected today; mend them in rejected/signals.rejected.csv
    "#);
}
