//! `tandem policy fit`, from imported outcomes to a policy in use, with a second organisation beside.

use std::fmt::Write as _;

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};
use tandem::clock::{Clock as _, SystemClock};
use tandem::domain::calendar;

use crate::import::desk::Desk;
use crate::support::program::Said;

const SOURCES: [&str; 5] = ["usage", "crm", "support", "billing", "sentiment"];

/// A number of each source from 0 to 100 is its risk.
fn policy() -> String {
    let measure = |source: &str| {
        format!("[measures.m_{source}]\nsource = \"{source}\"\nhealthy = 0\ncritical = 100\nrules = \"off\"\n")
    };
    format!("# Ours since spring.\n\n[work]\nhold_days = 4 # was 5\n\n{}", SOURCES.map(measure).concat())
}

/// A small generator of our own, so that a failure can be run again.
struct Dice(u64);

impl Dice {
    /// 0 to 99.
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % 100
    }
}

struct Book {
    accounts: String,
    signals: String,
    outcomes: String,
    lost: u64,
    /// What came too late to be known: notices, and what sources said in the days before the end.
    late: String,
}

/// So many accounts; `told_by` is the source whose risk decides, none where luck alone does.
fn book(accounts: u64, seed: u64, told_by: Option<usize>) -> Book {
    let today = calendar::local_date(chrono_tz::Europe::Berlin, SystemClock.now());
    let mut dice = Dice(seed);
    let mut book = Book {
        accounts: "account_id,name\n".to_owned(),
        signals: "account_id,source,kind,observed_on,value\n".to_owned(),
        outcomes: "account_id,kind,decided_on\n".to_owned(),
        late: "account_id,source,kind,observed_on,value\n".to_owned(),
        lost: 0,
    };
    for account in 0..accounts {
        let decided: NaiveDate = today - Days::new(10 + dice.roll());
        let before = |days: u64| decided - Days::new(days);
        let risks = [(); 5].map(|()| dice.roll());
        let lost = match told_by {
            Some(source) => dice.roll() < if risks[source] >= 60 { 85 } else { 10 },
            None => dice.roll() < 40,
        };
        book.lost += u64::from(lost);
        let kind = match (lost, account % 2) {
            (true, 0) => "churned",
            (true, _) => "contracted",
            (false, 0) => "renewed",
            (false, _) => "expanded",
        };
        let _ = writeln!(book.accounts, "a{account:03},Account {account}");
        let _ = writeln!(book.outcomes, "a{account:03},{kind},{decided}");
        for (source, risk) in SOURCES.iter().zip(risks) {
            let _ = writeln!(book.signals, "a{account:03},{source},m_{source},{},{risk}", before(120));
            let _ = writeln!(book.late, "a{account:03},{source},m_{source},{},{}", before(5), u64::from(lost) * 100);
        }
        if lost {
            let _ = writeln!(book.signals, "a{account:03},crm,notice_served,{},true", before(account % 3 * 10));
        }
    }
    book
}

impl Desk {
    async fn fit(&self, org: &str, more: &[&str]) -> Said {
        self.program.run(&[&["policy", "fit", "--org", org][..], more].concat()).await
    }

    async fn bring(&self, org: &str, book: &Book) {
        let file = |name: &str, text: &String| self.file(&format!("{org}/{name}.csv"), text);
        let files =
            [file("accounts", &book.accounts), file("signals", &book.signals), file("outcomes", &book.outcomes)];
        let policy = self.file("policy.toml", policy());
        self.program.run(&["policy", "use", &policy, "--org", org]).await.well();
        for path in files {
            self.program.run(&["import", "--org", org, &path]).await.well();
        }
    }
}

fn fitted(report: &Value, key: &str) -> f64 {
    let numbers = report["numbers"].as_array().unwrap();
    numbers.iter().find(|number| number["key"] == key).unwrap_or_else(|| panic!("no {key}"))["fit"].as_f64().unwrap()
}

#[tokio::test]
async fn a_policy_is_fitted_to_outcomes_and_taken_into_use() {
    let desk = Desk::new().await;
    let out = desk.path("fit.toml");
    let none = desk.fit("north", &["--out", &out]).await.failure();
    assert_eq!(
        none,
        "there are no outcomes to fit on yet; import outcomes.csv first: it takes 32 accounts that were lost (churned or \
         contracted) and 32 that were kept"
    );
    assert!(!desk.exists("fit.toml"));

    let north = book(240, 1, Some(2));
    desk.bring("north", &north).await;
    desk.bring("south", &book(150, 2, None)).await;
    let shown = desk.program.run(&["policy", "show", "--org", "north"]).await.well();
    let first = desk.fit("north", &["--out", &out, "--format", "json"]).await;
    let report = first.json();
    assert_eq!((&report["verdict"], &report["lead_days"], &report["seed"]), (&json!("better"), &json!(60), &json!(1)));
    let sum = |key: &str| report["fitted_on"][key].as_u64().unwrap() + report["held_out"][key].as_u64().unwrap();
    assert_eq!((sum("accounts"), sum("outcomes"), sum("accounts_lost")), (240, 240, north.lost));
    assert_eq!(report["left_out"], json!({"without_data": 0, "without_score": 0}));
    assert_eq!(report["held_out"]["accounts"], json!(72));
    let figure = |policy: &str, figure: &str| report[policy][figure]["value"].as_f64().unwrap();
    assert!(figure("fit", "auc") > figure("in_use", "auc") + 0.1, "{report:#}");
    assert!(figure("fit", "lift_at_10") > 1.5 && figure("fit", "recall_at_20") > 0.3, "{report:#}");
    assert!(fitted(&report, "weights.support.established") > 40.0, "{report:#}");
    let weights = SOURCES.map(|source| fitted(&report, &format!("weights.{source}.established")));
    assert!((weights.iter().sum::<f64>() - 95.0).abs() < 1e-9 && weights.iter().all(|weight| *weight >= 1.0));

    // The file keeps what its author wrote, and says what it comes from.
    let file = desk.read("fit.toml");
    assert!(file.starts_with("# A fit of the diagnosis policy of north.\n# 240 outcomes"), "{file}");
    assert!(file.contains("# Ours since spring.") && file.contains("hold_days = 4 # was 5"), "{file}");

    // What came after does not count, and the same again gives the same, in place of the first.
    let late = desk.file("signals-late.csv", &north.late);
    desk.program.run(&["import", "--org", "north", &late]).await.well();
    let again = desk.fit("north", &["--out", &out, "--format", "json"]).await;
    assert_eq!((again.out, desk.read("fit.toml")), (first.out, file.clone()));

    // Nothing was changed by it, and it can be tried and used.
    assert_eq!(desk.program.run(&["policy", "show", "--org", "north"]).await.well(), shown);
    let changes = "SELECT count(*) FROM tandem.audit_event WHERE event = 'policy.changed'";
    assert_eq!(desk.count(changes).await, 1);
    desk.program.run(&["diagnose", "--org", "north"]).await.well();
    let check = desk.program.run(&["policy", "check", &out, "--org", "north"]).await.well();
    assert!(check.contains(" accounts would change band against "), "{check}");
    let used = desk.program.run(&["policy", "use", &out, "--org", "north"]).await.well();
    let version = report["fit"]["policy"].as_str().unwrap();
    assert_eq!(used, format!("north uses policy {version} from the next diagnosis on.\n"));
    assert_eq!(desk.count(changes).await, 2);

    // From there on it is what a fit is held against; its head is not written twice.
    let text = desk.fit("north", &["--out", &out]).await.well();
    assert!(text.starts_with("north: 240 outcomes of 240 accounts, "), "{text}");
    assert!(text.contains("The fit is not better than the policy in use"), "{text}");
    assert!(text.contains("The policy in use stays."), "{text}");
    assert_eq!(desk.read("fit.toml").matches("# A fit of the diagnosis policy").count(), 1);

    // Beside it, where luck alone decided, nothing better is found, of their own accounts alone.
    let south = desk.fit("south", &["--out", &desk.path("south.toml"), "--format", "json"]).await.json();
    assert_ne!(south["verdict"], json!("better"), "{south:#}");
    let accounts = |part: &str| south[part]["accounts"].as_u64().unwrap();
    assert_eq!(accounts("fitted_on") + accounts("held_out"), 150);
}

#[tokio::test]
async fn a_file_that_somebody_wrote_is_left_alone() {
    let desk = Desk::new().await;
    desk.bring("north", &book(120, 3, Some(0))).await;
    let out = desk.file("mine.toml", "[score]\nhealthy_from = 75\n");
    let refused = desk.fit("north", &["--out", &out]).await.failure();
    assert_eq!(
        refused,
        format!("{out} is there already and is no fit as it was written; name another file with --out")
    );
    assert_eq!(desk.read("mine.toml"), "[score]\nhealthy_from = 75\n");

    // So is a fit that somebody changed by hand.
    let out = desk.path("fit.toml");
    desk.fit("north", &["--out", &out]).await.well();
    let changed = desk.read("fit.toml").replace("hold_days = 4", "hold_days = 3");
    desk.file("fit.toml", &changed);
    desk.fit("north", &["--out", &out]).await.failure();
    assert_eq!(desk.read("fit.toml"), changed);

    let nowhere = desk.path("no/such/folder/fit.toml");
    assert!(
        desk.fit("north", &["--out", &nowhere]).await.failure().starts_with(&format!("{nowhere} can't be written"))
    );
    for wrong in [["--holdout", "1.5"], ["--holdout", "much"], ["--seed", "-1"], ["--lead-days", "0"]] {
        let said = desk.fit("north", &wrong).await;
        assert_eq!(said.code, Some(2), "{said:?}");
    }
}

#[tokio::test]
async fn where_data_begin_late_accounts_are_read_later() {
    let desk = Desk::new().await;
    let mut book = book(120, 4, Some(0));
    // Everything is first seen 35 days before the end, notices as they were.
    book.signals = shifted(&book, 85);
    desk.bring("north", &book).await;
    let out = desk.path("fit.toml");
    let report = desk.fit("north", &["--out", &out, "--format", "json"]).await.json();
    assert_eq!(report["lead_days"], json!(14), "{report:#}");
    let asked = desk.fit("north", &["--out", &out, "--lead-days", "60"]).await.failure();
    assert!(asked.contains("of the 0 that could be read 60 days before they were decided (120 could not)"), "{asked}");
}

/// The measures' rows so many days later.
fn shifted(book: &Book, days: u64) -> String {
    let later = |line: &str| {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        if let Some(day) =
            cells.get(3).and_then(|day| day.parse::<NaiveDate>().ok()).filter(|_| !line.contains("notice"))
        {
            cells[3] = (day + Days::new(days)).to_string();
        }
        cells.join(",") + "\n"
    };
    book.signals.lines().map(later).collect()
}
