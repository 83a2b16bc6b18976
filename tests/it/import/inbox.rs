//! The inbox folder: what lies there before a night.

use std::path::Path;
use std::time::Duration;

use tandem::app::App;
use tandem::app::inbox::Inbox;
use tandem::domain::routing::Model;
use tandem::scheduler;
use tempfile::TempDir;

use crate::support::bot::TestBot;

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
        let inbox = Inbox::new(self.dir.path().to_owned(), Default::default()).settling(settle);
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
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{}'", self.bot.org.id);
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
async fn a_file_that_still_grows_waits_and_two_replicas_take_it_once() {
    let night = Night::new().await;
    night.put("people.csv", PEOPLE);
    let path = night.dir.path().join("north/accounts.csv");
    let writing = tokio::spawn(async move {
        let mut text = ACCOUNTS.to_owned();
        loop {
            text += &format!("b{},Bolt\n", text.len());
            std::fs::write(&path, &text).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    night.passes("2026-11-24T01:00:30Z").await;
    writing.abort();
    let _ = writing.await;
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
