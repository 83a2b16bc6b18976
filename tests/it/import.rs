//! Bringing data: files of every kind whole and damaged, rejected rows that are mended and come back, imports
//! that are killed or meet each other.

mod damage;
mod desk;
mod inbox;
mod measures;
mod mended;
mod money;
mod sources;
mod warehouse;

use std::process::Stdio;

use desk::Desk;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::support::program::said;
use crate::support::until;

#[tokio::test]
async fn every_kind_is_taken_in_the_order_of_need() {
    let desk = Desk::new().await;
    // Named so that the alphabet would take them in the wrong order.
    let files: Vec<String> = [
        ("quotas.csv", "email,period,amount\ndana@x.eu,2026-Q4,120000\n"),
        ("outcomes.ndjson", "{\"account_id\":\"acme\",\"kind\":\"renewed\",\"decided_on\":\"2026-01-31\"}\n"),
        ("accounts.csv", "account_id,name,csm_email\nacme,Acme,dana@x.eu\n"),
        ("holidays.csv", "date,name\n2026-12-25,Christmas\n"),
        ("signals-support.csv", "account_id,source,kind,observed_on,value\nacme,support,csat,2026-10-01,80\n"),
        ("signals.csv", "account_id,source,kind,observed_on,value\nacme,usage,sessions,2026-10-01,7\n"),
        ("contacts.csv", "account_id,email\nacme,eva@acme.example\n"),
        ("people.csv", "email,name,roles\ndana@x.eu,Dana,csm\n"),
    ]
    .into_iter()
    .map(|(name, text)| desk.file(name, text))
    .collect();
    let said = desk.import(&files).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let kinds: Vec<_> =
        said.json()["files"].as_array().unwrap().iter().map(|file| file["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        kinds,
        ["people", "accounts", "contacts", "signals", "signals", "outcomes", "quotas", "holidays"],
        "{said:?}"
    );
    assert_eq!(said.err, "", "no progress where standard error is no terminal");
    let again = desk.import(&files).await;
    let files = again.json()["files"].clone();
    assert!(files.as_array().unwrap().iter().all(|file| file["accepted"] == 0 && file["unchanged"] == 1), "{files}");
}

#[tokio::test]
async fn standard_input_is_read_with_its_kind() {
    let desk = Desk::new().await;
    let people = "email,name,roles\ndana@x.eu,Dana,csm\nkim@x.eu,,csm\n";
    let mut child = desk
        .program
        .command(&["import", "--org", "north", "-", "--kind", "people"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(people.as_bytes()).await.unwrap();
    let said = said(child).await;
    assert_eq!(said.code, Some(1));
    assert_eq!(
        said.out,
        "standard input: 1 accepted, 0 unchanged, 1 rejected\n  \
         standard input, line 3, name: name is empty; it is required\n"
    );
    let nameless = desk.program.run(&["import", "--org", "north", "-"]).await.failure();
    assert_eq!(nameless, "standard input: its kind is not known; name it with --kind");
}

#[tokio::test]
async fn rejected_rows_are_mended_and_imported_again() {
    let desk = Desk::staffed().await;
    let accounts = desk.file(
        "accounts.csv",
        "name;account_id;arr;csm_email;goals\n\
         Acme;acme;100000;dana@x.eu;\n\
         Bolt, Inc;bolt;much;dana@x.eu;\"two\nlines\"\n\
         Cord;cord;5;nobody@x.eu;\n\
         Dune;dune;5\n",
    );
    let said = desk.program.run(&["import", "--org", "north", &accounts]).await;
    assert_eq!(said.code, Some(1));
    let aside = desk.path("accounts.rejected.csv");
    assert!(
        said.out.ends_with(&format!(
            "  The rejected rows are in {aside}, with the reason in the last column.\n  \
             Mend them there and import that file.\n"
        )),
        "{said:?}"
    );
    insta::assert_snapshot!(desk.read("accounts.rejected.csv"), @r#"
    name,account_id,arr,csm_email,goals,reason
    "Bolt, Inc",bolt,much,dana@x.eu,"two
    lines","arr: ""much"" is no amount; expected digits such as 42 or 0.5"
    Dune,dune,5,,,"3 cells where the header has 5; fill in the others, or empty this reason if they stay empty"
    Cord,cord,5,nobody@x.eu,,"csm_email: nobody has the e-mail ""nobody@x.eu""; import that person first, or in the same people file"
    "#);

    // Mended but for one row, which stays with its reason; what is mended is taken.
    let mended = desk.read("accounts.rejected.csv").replace("much", "7000").replace("nobody@", "nowhere@");
    let mended = mended.replace("Dune,dune,5,,", "Dune,dune,5,dana@x.eu,");
    desk.file("accounts.rejected.csv", &mended);
    let again = desk.import(std::slice::from_ref(&aside)).await;
    let report = again.json()["files"][0].clone();
    assert_eq!((&report["kind"], &report["accepted"], &report["rejected"]), (&json!("accounts"), &json!(2), &json!(1)));
    assert_eq!(report["rejected_file"], json!({"path": aside, "rows": 1}));
    let left = desk.read("accounts.rejected.csv");
    assert_eq!((left.lines().count(), left.contains("Cord")), (2, true), "{left}");

    desk.file("accounts.rejected.csv", left.replace("nowhere@", "dana@"));
    let last = desk.import(&[aside]).await;
    assert_eq!((last.code, &last.json()["files"][0]["accepted"]), (Some(0), &json!(1)), "{last:?}");
}

/// The rows that were set aside are older than their source by the time it is right.
#[tokio::test]
async fn rows_that_were_set_aside_do_not_undo_what_their_source_says_later() {
    let desk = Desk::staffed().await;
    let accounts = |arr: &str| format!("account_id,name,arr,csm_email\nacme,Acme,{arr},kim@x.eu\n");
    let path = desk.file("accounts.csv", accounts("100"));
    let other = desk.file("accounts.ndjson", "{\"account_id\":\"bolt\",\"name\":\"Bolt\",\"arr\":\"much\"}\n");
    assert_eq!(desk.import(std::slice::from_ref(&other)).await.code, Some(1));
    assert_eq!(desk.import(std::slice::from_ref(&path)).await.code, Some(1));
    let aside = desk.path("accounts.rejected.csv");
    let old = desk.read("accounts.rejected.csv");

    // The folder as it lies there, with Kim and a corrected account.
    let people = desk.file("people.csv", "email,name,roles\nkim@x.eu,Kim,csm\n");
    desk.file("accounts.csv", accounts("250"));
    desk.file("accounts.ndjson", "{\"account_id\":\"bolt\",\"name\":\"Bolt\",\"arr\":5}\n");
    let kept = desk.path("accounts.ndjson.rejected.csv");
    let all = [path.clone(), other, kept, aside.clone(), people];
    let said = desk.import(&all).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let files = said.json()["files"].as_array().unwrap().clone();
    let told: Vec<_> = files.iter().map(|file| (file["file"].clone(), file["notes"].clone())).collect();
    let left_out = |name: &str, source: &str| {
        json!([format!(
            "{name} was left out: its rows are of an earlier import of {source}; mended, it is imported without that file."
        )])
    };
    assert_eq!(
        told,
        [
            (json!("people.csv"), json!([])),
            (json!("accounts.csv"), left_out("accounts.rejected.csv", "accounts.csv")),
            (json!("accounts.ndjson"), left_out("accounts.ndjson.rejected.csv", "accounts.ndjson")),
        ]
    );
    let arr = "SELECT arr_minor FROM tandem.account WHERE account_id = 'acme'";
    assert_eq!(desk.count(arr).await, 25_000);
    assert_eq!(desk.read("accounts.rejected.csv"), old, "what was given and not read is nobody's to remove");

    // Alone, and clean, it takes the old rows away; those of the other file stay.
    let said = desk.import(std::slice::from_ref(&path)).await.json()["files"][0].clone();
    assert_eq!(said["rejected_file"], json!(null));
    assert_eq!(
        said["notes"],
        json!(["accounts.rejected.csv was removed: it held rows of an earlier import, and none is rejected any more."])
    );
    assert!(!desk.exists("accounts.rejected.csv") && desk.exists("accounts.ndjson.rejected.csv"));
    // A file of rejected rows that is imported itself stays, as any file does.
    desk.file("accounts.rejected.csv", old.replace("100", "300"));
    for _ in 0..2 {
        desk.import(std::slice::from_ref(&aside)).await.well();
    }
    assert_eq!(desk.count(arr).await, 30_000);
}

#[tokio::test]
async fn rejected_rows_that_nobody_mended_stay_rejected() {
    let desk = Desk::staffed().await;
    let path = desk.file(
        "accounts.csv",
        "account_id,name,arr,csm_email,goals\n\
         t1,True North,5,dana@x.eu,\n\
         t2,Tru\n\
         t3,Three,5,dana@x.eu\n\
         t4,Four, Inc,5,dana@x.eu,\n\
         t5,Five, Inc, Ltd,5,dana@x.eu,\n",
    );
    assert_eq!(desk.import(&[path]).await.code, Some(1));
    let aside = desk.path("accounts.rejected.csv");
    let first = desk.read("accounts.rejected.csv");
    for _ in 0..2 {
        let said = desk.import(std::slice::from_ref(&aside)).await.json()["files"][0].clone();
        assert_eq!((&said["accepted"], &said["rejected"]), (&json!(0), &json!(4)), "{said:#}");
        assert_eq!(desk.read("accounts.rejected.csv"), first);
    }
    // Mended: filled in with the reason left there, said to be empty, put in quotes.
    let mended = "account_id,name,arr,csm_email,goals,reason\n\
         t2,True,5,,,2 cells where the header has 5; fill in\n\
         t3,Three,5,dana@x.eu,,\n\
         t4,\"Four, Inc\",5,dana@x.eu,,6 cells where the header has 5\n\
         t5,\"Five, Inc, Ltd\",5,dana@x.eu,\n";
    desk.file("accounts.rejected.csv", mended);
    let said = desk.import(std::slice::from_ref(&aside)).await.json()["files"][0].clone();
    assert_eq!((&said["accepted"], &said["rejected"]), (&json!(4), &json!(0)), "{said:#}");
}

#[tokio::test]
async fn equal_signals_of_one_file_are_unchanged() {
    let desk = Desk::staffed().await;
    let accounts = desk.file("accounts.csv", "account_id,name\nacme,Acme\n");
    desk.import(&[accounts]).await.well();
    let counts = async |values: &[u8]| {
        let rows: String = values.iter().map(|n| format!("acme,usage,sessions,2026-10-01,{n}\n")).collect();
        let once = "acme,usage,sessions,2026-10-02,1\n";
        let path = desk.file("signals.csv", format!("account_id,source,kind,observed_on,value\n{once}{rows}"));
        let file = desk.import(&[path]).await.json()["files"][0].clone();
        (file["accepted"].as_u64().unwrap(), file["unchanged"].as_u64().unwrap())
    };
    assert_eq!(counts(&[5, 5]).await, (2, 1));
    assert_eq!(counts(&[5, 5]).await, (0, 3));
    // The last wins: the first three say two things that are new.
    assert_eq!(counts(&[6, 6, 7]).await, (2, 2));
    assert_eq!(counts(&[6, 6, 7]).await, (0, 4));
    assert_eq!(desk.count("SELECT sum(number)::bigint FROM tandem.signal").await, 8);
}

#[tokio::test]
async fn rejected_rows_beyond_the_limit_are_counted_and_set_aside() {
    let desk = Desk::staffed().await;
    let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
    for n in 0..10_050 {
        signals += &format!("acme,usage,sessions,2026-10-01,x{n}\n");
    }
    let signals = desk.file("signals.csv", &signals);
    let text = desk.program.run(&["import", "--org", "north", &signals]).await;
    assert!(text.out.contains("0 accepted, 0 unchanged, 10050 rejected"), "{text:?}");
    assert!(text.out.contains("\n  … and 10000 more\n"), "{}", text.out);
    assert_eq!(desk.read("signals.rejected.csv").lines().count(), 10_051);
    let report = desk.import(&[signals]).await.json()["files"][0].clone();
    assert_eq!((report["rejections"].as_array().unwrap().len(), &report["not_listed"]), (10_000, &json!(50)));
}

#[tokio::test]
async fn a_holiday_told_twice_keeps_its_last_name() {
    let desk = Desk::new().await;
    let days = "date,name,country\n2026-12-25,Christmas,DE\n2026-12-25,,\n2026-12-25,Weihnachten,DE\n2026-12-25,,DE\n";
    let days = [desk.file("holidays.csv", days)];
    for counts in [(4, 0), (0, 4)] {
        let file = desk.import(&days).await.json()["files"][0].clone();
        assert_eq!((&file["accepted"], &file["unchanged"]), (&json!(counts.0), &json!(counts.1)), "{file}");
    }
    let named = "SELECT count(*) FROM tandem.holiday WHERE country = '' OR name = 'Weihnachten'";
    assert_eq!(desk.count(named).await, 2);

    let event = |name: &str| format!("BEGIN:VEVENT\nDTSTART;VALUE=DATE:20270101\nSUMMARY:{name}\nEND:VEVENT\n");
    let calendar = format!("BEGIN:VCALENDAR\n{}{}END:VCALENDAR\n", event("New Year"), event("Neujahr"));
    let calendar = desk.file("holidays-de.ics", calendar);
    assert_eq!(desk.import(&[calendar]).await.json()["files"][0]["accepted"], 2);
}

#[tokio::test]
async fn what_came_before_the_database_ended_an_import_is_told() {
    let desk = Desk::new().await;
    sqlx::query("ALTER TABLE tandem.account ADD CHECK (name <> 'Canary')").execute(&desk.db.pool).await.unwrap();
    let people = desk.file("people.csv", "email,name,roles\ndana@x.eu,Dana,csm\n");
    let accounts = desk.file("accounts.csv", "account_id,name\na,Canary\n");
    let said = desk.program.run(&["import", "--org", "north", &accounts, &people]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), "people.csv: 1 accepted, 0 unchanged, 0 rejected\n"));
    assert!(said.err.contains("import accounts"), "{said:?}");
}

#[tokio::test]
async fn a_dry_run_leaves_no_trace() {
    let desk = Desk::new().await;
    let people = desk.file("people.csv", "email,name,roles\ndana@x.eu,Dana,csm\n,Kim,csm\n");
    let accounts = desk.file("accounts.csv", "account_id,name,csm_email\nacme,Acme,dana@x.eu\n");
    for _ in 0..2 {
        let said = desk.program.run(&["import", "--org", "north", "--dry-run", &accounts, &people]).await;
        assert_eq!(said.code, Some(1));
        assert!(said.out.contains("people.csv: 1 accepted, 0 unchanged, 1 rejected (dry run: nothing is kept)"));
        assert!(said.out.contains("accounts.csv: 1 accepted"), "sees what the dry run brought before it: {said:?}");
    }
    assert!(!desk.exists("people.rejected.csv"));
}

/// Else Postgres reads all accounts for each that is looked up, as it takes them for none: 50 s for 100,000.
#[tokio::test]
async fn postgres_learns_of_a_first_import_while_it_runs() {
    let desk = Desk::new().await;
    let believed = "SELECT reltuples::bigint FROM pg_class WHERE oid = 'tandem.account'::regclass";
    assert!(desk.count(believed).await <= 0, "nobody has looked yet");
    for (from, to) in [(0, 7), (7, 2000)] {
        let rows: String = (from..to).map(|n| format!("a{n},Account {n}\n")).collect();
        let file = desk.file("accounts.csv", format!("account_id,name\n{rows}"));
        desk.import(&[file]).await.well();
        assert_eq!(desk.count(believed).await, to, "looked at, and again when it has grown tenfold");
    }
}

#[tokio::test]
async fn chat_users_are_handed_on_within_a_file() {
    let desk = Desk::new().await;
    let people = async |rows: &[&str]| {
        let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let path =
            desk.file("people.csv", format!("email,name,roles,slack_user_id,teams_user_id,manager_email\n{rows}"));
        let file = desk.import(&[path]).await.json()["files"][0].clone();
        ["accepted", "unchanged", "rejected"].map(|key| file[key].as_u64().unwrap())
    };
    let who = async |user: &str| {
        let mut tx = desk.tenant().await;
        let of = "SELECT name FROM tandem.person WHERE slack_user_id = $1 OR teams_user_id = $1";
        sqlx::query_scalar::<_, String>(of).bind(user).fetch_optional(&mut *tx).await.unwrap().unwrap_or_default()
    };
    assert_eq!(
        people(&["mia@x.eu,Mia,csm,U1,AA-1,", "tom@x.eu,Tom,csm,U2,,", "kim@x.eu,Kim,csm,U3,,"]).await,
        [3, 0, 0]
    );
    // In either order, also in a circle, also where one lets go only.
    assert_eq!(people(&["tom@x.eu,Tom,csm,U1,,", "mia@x.eu,Mia,csm,U2,,"]).await, [2, 0, 0]);
    assert_eq!((who("U1").await, who("U2").await, who("aa-1").await), ("Tom".into(), "Mia".into(), "Mia".into()));
    assert_eq!(people(&["kim@x.eu,Kim,csm,U1,,", "tom@x.eu,Tom,csm,\\N,,"]).await, [2, 0, 0]);
    assert_eq!((who("U1").await, who("U3").await), ("Kim".into(), String::new()));
    // Who is refused lets nothing go: Mia, for a manager that nobody is.
    assert_eq!(people(&["tom@x.eu,Tom,csm,U2,,", "mia@x.eu,Mia,csm,U9,,nobody@x.eu"]).await, [0, 0, 2]);
    // Who names their own keeps it, also where somebody asks for it in a row before.
    assert_eq!(people(&["tom@x.eu,Tom,csm,U2,,", "mia@x.eu,Mia,lead,U2,,"]).await, [1, 0, 1]);
    // One user in Entra, written in two ways.
    assert_eq!(people(&["tom@x.eu,Tom,csm,,aA-1,"]).await, [0, 0, 1]);
    assert_eq!(who("U2").await, "Mia");
}

/// Both take the same rows in opposite orders: one after the other they are harmless, interleaved they would deadlock.
#[tokio::test]
async fn two_imports_at_once_do_no_harm() {
    let desk = Desk::staffed().await;
    let rows: Vec<String> = (0..12_000).map(|n| format!("a{n:05},Account {n},{n},dana@x.eu\n")).collect();
    let header = "account_id,name,arr,csm_email\n";
    let (up, down) = (rows.concat(), rows.iter().rev().map(String::as_str).collect::<String>());
    let up = desk.file("accounts.csv", format!("{header}{up}"));
    let down = desk.file("accounts-down.csv", format!("{header}{down}"));
    let (up, down) = ([up], [down]);
    let (first, second) = tokio::join!(desk.import(&up), desk.import(&down));
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first:?} {second:?}");
    let sum = |key: &str| {
        [&first, &second].map(|said| said.json()["files"][0][key].as_u64().unwrap()).into_iter().sum::<u64>()
    };
    assert_eq!((sum("accepted"), sum("unchanged")), (12_000, 12_000), "each row was new exactly once");
}

#[tokio::test]
async fn a_killed_import_is_run_again() {
    let desk = Desk::staffed().await;
    let accounts: String = (0..50).map(|n| format!("a{n},Account {n}\n")).collect();
    let accounts = desk.file("accounts.csv", format!("account_id,name\n{accounts}"));
    desk.import(&[accounts]).await.well();
    let mut signals = "account_id,source,kind,observed_on,value\nnobody,usage,sessions,2026-10-01,1\n".to_owned();
    for n in 0..110_000 {
        signals += &format!("a{},usage,sessions,{},{n}\n", n % 50, day(n / 50));
    }
    let signals = desk.file("signals.csv", &signals);
    // Somebody else writes one of the later rows and takes their time: the import waits for them half-way.
    let mut holding = desk.tenant().await;
    let row = "INSERT INTO tandem.signal (org_id, account_id, source, kind, observed_on, number) \
               VALUES (current_setting('tandem.org_id')::uuid, 'a0', 'usage', 'sessions', $1, 1)";
    sqlx::query(row).bind(day(2_100)).execute(&mut *holding).await.unwrap();
    let mut child = desk.program.spawn(&["import", "--org", "north", &signals]);
    let stored = async || desk.count("SELECT count(*) FROM tandem.signal").await;
    until("some of it is stored", async || {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        stored().await > 0
    })
    .await;
    child.kill().await.unwrap();
    drop(holding);
    let kept = stored().await;
    assert!(kept < 105_000, "{kept}: it went on before what it waited for");
    assert!(!desk.exists("signals.rejected.csv"), "half of the rejected rows would be taken for all");

    let again = desk.import(&[signals]).await.json()["files"][0].clone();
    assert_eq!((&again["rejected"], &again["rejected_file"]["rows"]), (&json!(1), &json!(1)), "{again}");
    assert_eq!(stored().await, 110_000);
    assert!(desk.names().iter().all(|name| !name.starts_with('.')), "{:?}", desk.names());
}

fn day(n: usize) -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(2000, 1, 1).unwrap() + chrono::Days::new(n as u64)
}
