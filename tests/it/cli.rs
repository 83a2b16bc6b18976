//! The command line as operators and scripts meet it: exit codes, one clear
//! sentence, and output that can be parsed.

mod sending;
mod tokens;

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tandem::clock::SystemClock;
use tempfile::TempDir;

use crate::support::cluster::{TestDb, database};
use crate::support::fake_slack::FakeSlack;
use crate::support::program::{Program, Said, said};

struct Desk {
    dir: TempDir,
    program: Program,
    slack: FakeSlack,
    _db: TestDb,
}

impl Desk {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = database().await;
        let slack = FakeSlack::start(Arc::new(SystemClock)).await;
        let program = Program::bare(dir.path()).with("DATABASE_URL", db.url());
        Self { dir, program, slack, _db: db }
    }

    /// With an organisation in it.
    async fn made() -> Self {
        let desk = Self::new().await;
        desk.run(&["org", "create", "north", "--name", "North", "--model", "pair", "--timezone", "Europe/Berlin"])
            .await
            .well();
        desk
    }

    async fn run(&self, arguments: &[&str]) -> Said {
        self.program.run(arguments).await
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn import(&self, paths: &[&Path]) -> Said {
        let mut arguments = vec!["import", "--org", "north", "--format", "json"];
        arguments.extend(paths.iter().map(|path| path.to_str().unwrap()));
        self.run(&arguments).await
    }

    /// People, accounts and signals, diagnosed today.
    async fn diagnosed() -> Self {
        let desk = Self::made().await;
        let people = desk.file("people.csv", PEOPLE.as_bytes());
        let accounts = desk.file("accounts.csv", ACCOUNTS.as_bytes());
        let yesterday = tandem::clock::Clock::now(&SystemClock).date_naive().pred_opt().unwrap();
        let signals = format!("account_id,source,kind,observed_on,value\nacme,crm,notice_served,{yesterday},true\n");
        let signals = desk.file("signals.csv", signals.as_bytes());
        desk.import(&[&signals, &accounts, &people]).await.well();
        desk.run(&["diagnose", "--org", "north"]).await.well();
        desk
    }
}

const PEOPLE: &str = "email,name,roles,workdays,slack_user_id\n\
    dana@x.eu,Dana Csm,csm,mon-sun,U7\n\
    kim@x.eu,Kim Am,account_manager,mon-sun,\n";
const ACCOUNTS: &str = "account_id,name,arr,currency,csm_email,account_manager_email\n\
    acme,Acme GmbH,100000,USD,dana@x.eu,kim@x.eu\n\
    bolt,Bolt,50000,USD,dana@x.eu,kim@x.eu\n";

#[tokio::test]
async fn wrong_usage_is_two_and_a_failure_is_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let bare = Program::bare(dir.path());
    for arguments in [
        &["dance"][..],
        &["import"],
        &["digest", "--org"],
        &["org", "create", "x", "--name", "X", "--timezone", "Mars/Base"],
    ] {
        assert_eq!(bare.run(arguments).await.code, Some(2), "{arguments:?}");
    }
    assert!(bare.run(&["--help"]).await.well().contains("serve"));
    let help = bare.run(&["audit", "--help"]).await.well();
    assert!(help.contains("Print every event, one a line; with --format json as JSON Lines"), "{help}");

    let unknown = bare.clone().with("TANDEM_BIMD", "127.0.0.1:1").run(&["org", "list"]).await.failure();
    assert_eq!(unknown, "the environment variable TANDEM_BIMD is no setting of Tandem; did you mean TANDEM_BIND?");
    for name in ["SLACK_BOT_TOKEN", "TANDEM_ORG", "TANDEM_BIMD"] {
        let mut latin = bare.command(&["org", "list"]);
        latin.env(name, std::ffi::OsStr::from_bytes(b"M\xfcller"));
        let latin = said(latin.spawn().unwrap()).await.failure();
        assert_eq!(latin, format!("the environment variable {name} is not UTF-8"));
    }
    let file = dir.path().join("tandem.toml");
    std::fs::write(&file, "TANDEM_BASE_URI = \"https://x\"\n").unwrap();
    let unknown = bare.run(&["--config", file.to_str().unwrap(), "org", "list"]).await.failure();
    assert!(unknown.contains("\"TANDEM_BASE_URI\"") && unknown.contains("did you mean TANDEM_BASE_URL?"), "{unknown}");
    let absent = bare.run(&["--config", "/nowhere/tandem.toml", "org", "list"]).await.failure();
    assert!(absent.contains("/nowhere/tandem.toml can't be read"), "{absent}");

    // A port on which nobody listens: found by listening there a moment before.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://canary:secret@127.0.0.1:{port}/tandem");
    let down = bare.clone().with("DATABASE_URL", &url).run(&["org", "list"]).await;
    assert!(!format!("{down:?}").contains("secret"), "{down:?}");
    let down = down.failure();
    assert!(down.starts_with("the database can't be reached; check DATABASE_URL"), "{down}");
    let wrong = bare.clone().with("DATABASE_URL", "mysql://x").run(&["org", "list"]).await.failure();
    assert!(wrong.contains("expected") || wrong.contains("has to begin with postgres://"), "{wrong}");
    for half in ["SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"] {
        let half = bare.clone().with("DATABASE_URL", &url).with(half, "x").run(&["serve"]).await.failure();
        assert!(half.contains("SLACK_BOT_TOKEN") && half.contains("SLACK_SIGNING_SECRET"), "{half}");
    }
    assert!(!dir.path().join("data").exists(), "none of this made a data directory");
}

#[tokio::test]
async fn organisations_are_named_where_one_is_not_found() {
    let desk = Desk::new().await;
    let none = desk.run(&["diagnose", "--org", "north"]).await.failure();
    assert_eq!(none, "there is no organisation yet; make one with `tandem org create`");
    desk.run(&["org", "create", "south", "--name", "South", "--model", "pair", "--timezone", "UTC"]).await.well();
    let other = desk.run(&["diagnose", "--org", "north"]).await.failure();
    assert_eq!(other, "there is no organisation \"north\"; there are: south");
    let again =
        desk.run(&["org", "create", "south", "--name", "S", "--model", "pair", "--timezone", "UTC"]).await.failure();
    assert!(again.contains("south"), "{again}");
    let early = desk.run(&["digest", "--org", "south"]).await.failure();
    assert_eq!(early, "south has no diagnosis yet; run `tandem diagnose --org south`");
    let list = desk.run(&["org", "list", "--format", "json"]).await;
    assert_eq!(list.json()[0]["slug"], "south");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let desk = Desk::made().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = desk.program.clone().with("TANDEM_BIND", &address).run(&["serve"]).await.failure();
    assert_eq!(said, format!("{address} is in use by another program; choose another address with TANDEM_BIND"));
}

#[tokio::test]
async fn importing_the_same_again_changes_nothing() {
    let desk = Desk::made().await;
    let people = desk.file("people.csv", PEOPLE.as_bytes());
    let accounts = desk.file("accounts.csv", ACCOUNTS.as_bytes());
    let first = desk.import(&[&accounts, &people]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let counts = |said: &Said| -> Vec<(String, u64, u64, u64)> {
        let number = |file: &Value, key: &str| file[key].as_u64().unwrap();
        let files = said.json()["files"].as_array().unwrap().clone();
        let one = |file: &Value| {
            let kind = file["kind"].as_str().unwrap().to_owned();
            (kind, number(file, "accepted"), number(file, "unchanged"), number(file, "rejected"))
        };
        files.iter().map(one).collect()
    };
    assert_eq!(counts(&first), [("people".to_owned(), 2, 0, 0), ("accounts".to_owned(), 2, 0, 0)]);
    let second = desk.import(&[&accounts, &people]).await;
    assert_eq!(counts(&second), [("people".to_owned(), 0, 2, 0), ("accounts".to_owned(), 0, 2, 0)]);
    let dry = desk.file("contacts.csv", b"account_id,email\nacme,eva@acme.example\n");
    let dry = ["import", "--org", "north", "--dry-run", "--format", "json", dry.to_str().unwrap()];
    for _ in 0..2 {
        assert_eq!(counts(&desk.run(&dry).await), [("contacts".to_owned(), 1, 0, 0)], "a dry run keeps nothing");
    }
}

#[tokio::test]
async fn damaged_files_are_told_by_line_and_the_rest_is_kept() {
    let desk = Desk::made().await;
    let people = desk.file("people.csv", PEOPLE.as_bytes());
    desk.import(&[&people]).await.well();
    let mixed = desk.file(
        "accounts.csv",
        b"account_id,name,arr,renewal_date,csm_email\n\
          a1,Acme,100,2027-01-31,dana@x.eu\n\
          a2,Bad money,much,2027-01-31,\n\
          a3,Bad date,1,31.01.2027,\n\
          ,Nameless,1,,\n\
          a4,Stranger's,1,,nobody@x.eu\n\
          a5,Latin \xff one,1,,\n\
          a6,Good,1,,\n",
    );
    let said = desk.import(&[&mixed]).await;
    assert_eq!(said.code, Some(1));
    let report = said.json()["files"][0].clone();
    assert_eq!((&report["accepted"], &report["rejected"]), (&Value::from(2), &Value::from(5)), "{report:#}");
    let lines: Vec<u64> =
        report["rejections"].as_array().unwrap().iter().map(|one| one["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [3, 4, 5, 6, 7]);
    for one in report["rejections"].as_array().unwrap() {
        assert!(
            one["reason"].as_str().is_some_and(|reason| !reason.is_empty()) && one["file"].as_str().is_some(),
            "{one}"
        );
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, ACCOUNTS.repeat(50).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    for (name, content) in [
        ("accounts.csv", &b"account_id,nmae\na,b\n"[..]),
        ("accounts.ndjson", b"{\"account_id\":\"a1\""),
        ("accounts.csv.gz", &packed[..packed.len() / 2]),
        ("accounts.csv.gz", b"not gzip"),
        ("accounts.csv", b""),
        ("accounts.csv", b"\0\0\0\0"),
        ("quarters.csv", b"a\n1\n"),
    ] {
        let path = desk.file(name, content);
        let said = desk.import(&[&path]).await;
        assert_eq!(said.code, Some(1), "{name}: {said:?}");
        assert!(!format!("{said:?}").contains("panicked"), "{said:?}");
    }
    let unknown = desk.file("accounts.csv", b"account_id,nmae\na,b\n");
    let said = desk.import(&[&unknown]).await;
    assert!(said.out.contains("nmae") && said.out.contains("name"), "{said:?}");
    let absent = desk.run(&["import", "--org", "north", "/nowhere/people.csv"]).await.failure();
    assert!(absent.contains("/nowhere/people.csv"), "{absent}");
}

#[tokio::test]
async fn what_is_printed_can_be_parsed() {
    let desk = Desk::diagnosed().await;
    let diagnoses = desk.run(&["diagnose", "--org", "north", "--format", "json"]).await.well();
    let lines: Vec<Value> = diagnoses.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<&str> = lines.iter().map(|line| line["account_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["acme", "bolt"]);
    assert_eq!((&lines[0]["band"], &lines[0]["causes"][0]["floor"]), (&Value::from("at_risk"), &Value::from(true)));
    let again = desk.run(&["diagnose", "--org", "north", "--format", "json"]).await.well();
    assert_eq!(again, diagnoses, "the same bytes");

    let slack = desk.run(&["digest", "--org", "north", "--format", "slack"]).await;
    assert_eq!(slack.err, "");
    let bodies = slack.json();
    let bodies = bodies.as_array().unwrap();
    assert_eq!(bodies.len(), 2);
    assert_eq!((&bodies[0]["channel"], &bodies[1]["channel"]), (&Value::from("U7"), &Value::from("kim@x.eu")));
    for body in bodies {
        let blocks = body["blocks"].as_array().unwrap();
        assert!(
            !blocks.is_empty() && blocks.len() <= 50 && body["text"].as_str().unwrap().contains("Acme GmbH"),
            "{body}"
        );
    }
    let one = desk.run(&["digest", "--org", "north", "--person", "dana@x.eu", "--format", "json"]).await;
    assert_eq!(one.json().as_array().unwrap().len(), 1);
    let nobody = desk.run(&["digest", "--org", "north", "--person", "eve@x.eu"]).await.failure();
    assert_eq!(nobody, "nobody in north has the e-mail \"eve@x.eu\"");
    let card = desk.run(&["account", "--org", "north", "acme"]).await.well();
    assert!(card.contains("Acme GmbH") && card.contains("Dana"), "{card}");

    let policy = desk.file("policy.toml", b"[score]\nhealthy_from = 75\n");
    let check = ["policy", "check", policy.to_str().unwrap(), "--org", "north", "--format", "json"];
    let trial = desk.run(&check).await;
    assert_eq!(trial.json()["accounts"], 2, "{trial:?}");
    assert!(trial.json()["moved"].is_array() && trial.json()["date"].is_string(), "{trial:?}");

    let verdict = desk.run(&["audit", "verify", "--org", "north", "--format", "json"]).await;
    assert_eq!(
        (verdict.code, verdict.json()["broken"].clone(), verdict.json()["unsealed"].clone()),
        (Some(0), Value::Null, Value::from(0))
    );
    let trail = desk.run(&["audit", "export", "--org", "north", "--format", "json"]).await.well();
    let events: Vec<Value> = trail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in ["organisation.created", "data.imported", "diagnosis.run", "risk.opened"] {
        assert!(events.iter().any(|found| found["event"] == event), "{event}");
    }
    for key in ["at", "actor", "event", "subject", "data"] {
        assert!(events.iter().all(|event| !event[key].is_null()), "{key}");
    }
    assert!(!trail.contains("@x.eu"), "pseudonymous ids only");
}

#[tokio::test]
async fn a_name_that_several_accounts_answer_to_is_a_failure() {
    let desk = Desk::made().await;
    let accounts = desk.file("accounts.csv", b"account_id,name\na-1,Acme GmbH\na-2,Acme Ltd\nb-1,Bolt\n");
    desk.import(&[&accounts]).await.well();
    let several = desk.run(&["account", "--org", "north", "acme"]).await;
    assert_eq!(several.out, "");
    let several = several.failure();
    assert_eq!(several, "several accounts match \"acme\": Acme GmbH (a-1), Acme Ltd (a-2); name one by its id");
    assert!(desk.run(&["account", "--org", "north", "a-2"]).await.well().contains("Acme Ltd"));
}

#[tokio::test]
async fn the_doctor_says_what_would_stop_a_morning() {
    let desk = Desk::diagnosed().await;
    let ill = desk.run(&["doctor"]).await;
    assert_eq!(ill.code, Some(1));
    let faults: Vec<&str> = ill.out.lines().filter(|line| line.starts_with("FAULT")).collect();
    assert!(faults.iter().any(|line| line.contains("SLACK_BOT_TOKEN is not set")), "{ill:?}");
    // What `serve` refuses to start with.
    let half = desk.program.clone().with("SLACK_BOT_TOKEN", "xoxb-test").run(&["doctor"]).await;
    let configuration = half.out.lines().next().unwrap();
    assert!(configuration.starts_with("FAULT  configuration: SLACK_BOT_TOKEN is set but neither"), "{half:?}");
    let well = desk.program.clone().slack(&desk.slack).run(&["doctor"]).await;
    assert_eq!(well.code, Some(0), "{well:?}");
    assert!(well.out.lines().all(|line| line.starts_with("ok") || line.starts_with("warn")), "{well:?}");
    assert!(well.out.contains("north: 2 active accounts, 2 people get a morning message"), "{well:?}");
    // What cannot be posted in, and who cannot be written to, is named.
    let slack = desk.program.clone().slack(&desk.slack);
    let lead = desk.file("people.csv", b"email,name,roles,slack_user_id\nlea@x.eu,Lea Lead,lead,U9\n");
    desk.import(&[&lead]).await.well();
    slack.run(&["channel", "set", "--org", "north", "--lead", "lea@x.eu", "--channel", "C8"]).await.well();
    desk.slack.user("U7", serde_json::json!({"deleted": true}));
    desk.slack.user("U9", serde_json::json!({}));
    for (flags, words) in [
        (serde_json::json!({}), "Tandem is not in it (invite it with /invite @Tandem)"),
        (serde_json::json!({"is_member": true, "is_archived": true}), "it is archived"),
        (serde_json::json!({"is_member": true, "is_ext_shared": true}), "people from outside your company read it"),
        (serde_json::json!({"is_member": true}), "north: the channel C8 of lea@x.eu can be posted in"),
    ] {
        desk.slack.channel("C8", flags);
        let said = slack.run(&["doctor"]).await.well();
        assert!(said.contains(words), "{words}: {said}");
        assert!(said.contains("deactivated in T1: dana@x.eu"), "{said}");
    }
    desk.slack.always("conversations.info", crate::support::fake_slack::Trouble::Refused("channel_not_found"));
    let said = slack.run(&["doctor"]).await.well();
    assert!(said.contains("there is none, or it is private and Tandem is not in it"), "{said}");
    let nowhere = desk.run(&["send", "--org", "north"]).await.failure();
    assert_eq!(nowhere, "there is nowhere to send to: set SLACK_BOT_TOKEN, or TEAMS_APP_ID with its secret and tenant");
}

#[tokio::test]
async fn key_figures_and_the_models_fit_are_printed() {
    let desk = Desk::diagnosed().await;
    let now = tandem::clock::Clock::now(&SystemClock);
    let today = tandem::domain::calendar::local_date(chrono_tz::Europe::Berlin, now);
    let outcomes = format!("account_id,kind,decided_on,arr_before,arr_after\nbolt,expanded,{today},40000,50000\n");
    desk.import(&[&desk.file("outcomes.csv", outcomes.as_bytes())]).await.well();
    let json = desk.run(&["figures", "--org", "north", "--format", "json"]).await.json();
    assert_eq!((&json["scope"], &json["currency"]), (&"organisation".into(), &"USD".into()));
    let figures = json["figures"].as_array().unwrap();
    assert_eq!(figures.len(), 19);
    for figure in figures {
        let known = figure["value"].is_number();
        assert_eq!(known, figure["not_known"].is_null(), "{figure}");
        assert_eq!(known, figure["text"].is_string(), "{figure}");
        assert!(figure["definition"].is_string() && figure["source"].is_string(), "{figure}");
    }
    let upsell = figures.iter().find(|figure| figure["id"] == "upsell_and_cross_sell_revenue").unwrap();
    assert_eq!((upsell["value"].as_f64(), &upsell["unit"]), (Some(10_000.0), &"money".into()));
    assert_eq!(json["failure_measures"][0]["offered"], 0);

    let csv = desk.run(&["figures", "--org", "north", "--person", "KIM@x.eu", "--format", "csv"]).await.well();
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let ids: Vec<String> = rows.records().map(|row| row.unwrap()[1].to_owned()).collect();
    assert_eq!(ids.len(), 19, "a person has no failure measure: {ids:?}");
    let text = desk.run(&["figures", "--org", "north", "--period", "2020-Q1"]).await.well();
    assert!(text.contains("Key figures of North, Q1 2020") && text.contains("Not known. Renewal rate"), "{text}");
    let nobody = desk.run(&["figures", "--org", "north", "--person", "eve@x.eu"]).await.failure();
    assert_eq!(nobody, "nobody in north has the e-mail \"eve@x.eu\"");
    assert_eq!(desk.run(&["figures", "--org", "north", "--period", "soon"]).await.code, Some(2));
    let ahead = desk.run(&["figures", "--org", "north", "--period", "9999"]).await.failure();
    assert_eq!(ahead, "9999 begins on 9999-01-01; there is nothing to count yet");

    let json = desk.run(&["model", "check", "--org", "north", "--format", "json"]).await.json();
    assert_eq!((&json["fits"], &json["models"][0]["verdict"]), (&false.into(), &"does_not_fit".into()));
    assert_eq!(json["models"][0]["numbers"]["arr"], serde_json::json!({"amount": "150000", "currency": "USD"}));
    let text = desk.run(&["model", "check", "--org", "north"]).await.well();
    assert!(text.contains("2 customers: below 50 a split costs more than it gives."), "{text}");
}

/// Under cron nobody sees the output, and a key is shown once.
#[tokio::test]
async fn output_that_is_lost_is_told_and_a_reader_that_has_seen_enough_is_not() {
    let desk = Desk::diagnosed().await;
    let full = async |arguments: &[&str]| {
        let disk = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        said(desk.program.command(arguments).stdout(disk).spawn().unwrap()).await.failure()
    };
    let lost =
        "standard output can't be written, so what this command says is lost: No space left on device (os error 28)";
    assert_eq!(full(&["key", "create", "--org", "north", "--name", "crm"]).await, lost);
    let printing: [&[&str]; 5] = [
        &["key", "list", "--org", "north"],
        &["diagnose", "--org", "north"],
        &["diagnose", "--org", "north", "--format", "json"],
        &["audit", "export", "--org", "north"],
        &["figures", "--org", "north", "--format", "csv"],
    ];
    for arguments in printing {
        assert_eq!(full(arguments).await, lost, "{arguments:?}");
        let mut closed = desk.program.spawn(arguments);
        drop(closed.stdout.take());
        let closed = said(closed).await;
        assert_eq!((closed.code, closed.err.as_str()), (Some(1), ""), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_date_outside_of_the_calendar_of_contracts_is_wrong_usage() {
    let desk = Desk::diagnosed().await;
    for date in ["0001-01-01", "1969-12-31", "2200-01-01"] {
        let said = desk.run(&["diagnose", "--org", "north", "--date", date]).await;
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains("expected 1970 to 2199"), "{said:?}");
    }
    for date in ["1970-01-01", "2199-12-31"] {
        desk.run(&["diagnose", "--org", "north", "--date", date]).await.well();
    }
}
