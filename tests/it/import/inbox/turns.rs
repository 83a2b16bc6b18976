//! Which file has its turn when, and what becomes of one that changes before or during it.

use super::*;
use crate::import::day;

impl Night {
    /// Puts another file in the place of one, as uploads do that are whole at once.
    fn replace(&self, name: &str, text: &str) {
        self.put(".upload", text);
        let folder = self.dir.path().join("north");
        std::fs::rename(folder.join(".upload"), folder.join(name)).unwrap();
    }
}

#[tokio::test]
async fn what_replaces_a_file_before_it_is_moved_is_taken_the_next_night() {
    let night = Night::new().await;
    night.put("people.csv", PEOPLE);
    night.passes("2026-11-24T01:00:30Z").await;
    night.put("accounts.csv", ACCOUNTS);
    let signals = "account_id,source,kind,observed_on,value\na1,usage,sessions,2026-11-20,5\n";
    night.put("signals.csv", signals);
    // Somebody else writes accounts and takes their time: the import waits for them when it has read its file.
    let mut writing = night.bot.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE tandem.account IN SHARE ROW EXCLUSIVE MODE").execute(&mut *writing).await.unwrap();
    let meanwhile = async {
        // Databases that were copied share the numbers of their tables.
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'RowExclusiveLock' \
                       AND relation = 'tandem.account'::regclass \
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        until("the accounts are to be written", async || {
            sqlx::query_scalar::<_, i64>(waiting).fetch_one(night.bot.pool()).await.unwrap() > 0
        })
        .await;
        // As long as the other and of the same time: it is another file all the same.
        let path = night.dir.path().join("north/accounts.csv");
        let of = std::fs::metadata(&path).unwrap().modified().unwrap();
        night.replace("accounts.csv", &ACCOUNTS.replace("Acme", "Bolt"));
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(of).unwrap();
        night.replace("signals.csv", &format!("{signals}a1,usage,sessions,2026-11-21,6\n"));
        writing.commit().await.unwrap();
    };
    tokio::join!(night.passes("2026-11-25T01:00:30Z"), meanwhile);
    assert_eq!(night.lies(), ["accounts.csv", "done/people.csv", "signals.csv"]);
    assert_eq!((night.count("account WHERE name = 'Acme'").await, night.count("signal").await), (1, 0));
    assert_eq!(night.count("diagnosis_run").await, 2, "the night did not wait for them");

    night.passes("2026-11-26T01:00:30Z").await;
    assert_eq!(night.lies(), ["done/accounts.csv", "done/people.csv", "done/signals.csv"]);
    assert_eq!((night.count("account WHERE name = 'Bolt'").await, night.count("signal").await), (1, 2));
    night.bot.set_aside().await;
}

#[tokio::test]
async fn rows_that_were_set_aside_do_not_undo_what_their_file_says_since() {
    let night = Night::new().await;
    night.put("people.csv", PEOPLE);
    night.put("accounts.csv", "account_id,name\na1,Since\n");
    night.put("accounts.rejected.csv", "account_id,name,reason\na1,Before,\na2,Mended,\n");
    night.passes("2026-11-24T01:00:30Z").await;
    assert_eq!(night.lies(), ["done/accounts.csv", "done/accounts.rejected.csv", "done/people.csv"]);
    assert_eq!(night.count("account WHERE name IN ('Since', 'Mended')").await, 2);
    night.bot.set_aside().await;
}

#[tokio::test]
async fn more_files_than_can_be_open_at_once_are_all_taken() {
    let desk = Desk::staffed().await;
    desk.file("inbox/north/accounts.csv", ACCOUNTS);
    for n in 0..100 {
        let row = format!("a1,usage,sessions,{},{n}\n", day(n));
        desk.file(&format!("inbox/north/signals-{n}.csv"), format!("account_id,source,kind,observed_on,value\n{row}"));
    }
    let program = desk.program.clone().with("TANDEM_INBOX", &desk.path("inbox"));
    let mut command = program.command_with_open_files(64, &["diagnose", "--org", "north"]);
    said(command.spawn().unwrap()).await.well();
    assert_eq!(std::fs::read_dir(desk.path("inbox/north/done")).unwrap().count(), 101);
    assert_eq!(desk.count("SELECT count(*) FROM tandem.signal").await, 100);
}
