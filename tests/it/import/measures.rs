//! Measures of one's own: from a file's rows through the night to the diagnosis as JSON, and what another policy
//! would change.

mod policy_fit;

use std::collections::BTreeMap;

use chrono::Days;
use serde_json::{Value, json};
use tandem::clock::{Clock as _, SystemClock};
use tandem::domain::calendar;

use super::desk::Desk;

/// An account of the measure's name with that measure alone.
struct Own {
    name: &'static str,
    source: &'static str,
    policy: &'static str,
    /// Days ago, value.
    rows: Vec<(u64, &'static str)>,
    /// Of its source.
    risk: Option<u8>,
    /// The value in its headline, where it is a cause.
    value: Option<&'static str>,
}

fn own() -> Vec<Own> {
    let of = |name, policy, rows: &[(u64, &'static str)], risk, value| {
        let rows = rows.to_vec();
        Own { name, source: "support", policy, rows, risk, value }
    };
    let month = "rules = \"off\"\nwindow_days = 30\nhealthy = 0\ncritical = 10\n";
    let weeks: Vec<(u64, &str)> = (0..20).map(|week| (week * 7, if week < 2 { "50" } else { "100" })).collect();
    vec![
        of(
            "m_last",
            "aggregate = \"last\"\nhealthy = 2.0\ncritical = 12.0",
            &[(30, "3"), (5, "8")],
            Some(60),
            Some("8"),
        ),
        of("m_past", month, &[(40, "8")], None, None),
        of(
            "m_sum",
            "aggregate = \"sum\"\nwindow_days = 30\nhealthy = 0\ncritical = 10",
            &[(1, "1"), (11, "2"), (20, "3"), (40, "100")],
            Some(60),
            Some("6"),
        ),
        of(
            "m_mean",
            "aggregate = \"mean\"\nwindow_days = 30\nhealthy = 0\ncritical = 10",
            &[(1, "2"), (11, "4"), (40, "100")],
            Some(30),
            Some("3"),
        ),
        of(
            "m_max",
            "aggregate = \"max\"\nwindow_days = 30\nhealthy = 0\ncritical = 10",
            &[(1, "4"), (11, "9"), (40, "100")],
            Some(90),
            Some("9"),
        ),
        of("m_trend", "aggregate = \"trend\"\nhealthy = 1.0\ncritical = 0.0", &weeks, Some(50), Some("0.5")),
        of("m_high", "healthy = 10\ncritical = 0", &[(3, "4")], Some(60), Some("4")),
        of("m_level", "levels = { monthly = 100, yearly = 40 }", &[(3, "yearly")], Some(40), Some("yearly")),
        // Three parts of 60 beside one of 80, which is what the rules make of the detractor below.
        Own {
            source: "sentiment",
            ..of("m_beside", "weight = 3.0\nhealthy = 0\ncritical = 10", &[(3, "6")], Some(65), Some("6"))
        },
        // With rules = "off" in support, the satisfaction of 10 below counts for nothing.
        of("m_alone", "healthy = 2\ncritical = 12", &[(3, "2")], Some(0), None),
    ]
}

fn policy_of(own: &[Own]) -> String {
    own.iter().map(|own| format!("[measures.{}]\nsource = \"{}\"\n{}\n", own.name, own.source, own.policy)).collect()
}

fn signals_of(own: &[Own]) -> String {
    let today = calendar::local_date(chrono_tz::Europe::Berlin, SystemClock.now());
    let mut csv = "account_id,source,kind,observed_on,value\n".to_owned();
    for own in own {
        for (ago, value) in &own.rows {
            csv += &format!("{0},{1},{0},{2},{value}\n", own.name, own.source, today - Days::new(*ago));
        }
    }
    let day = today - Days::new(3);
    csv + &format!("m_beside,sentiment,nps,{day},3\nm_alone,support,csat,{day},10\n")
}

/// By account.
fn diagnoses(lines: &str) -> BTreeMap<String, Value> {
    let parsed = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    parsed.map(|one| (one["account_id"].as_str().unwrap().to_owned(), one)).collect()
}

#[tokio::test]
async fn each_aggregate_goes_from_the_file_to_the_diagnosis() {
    let (desk, own) = (Desk::new().await, own());
    let accounts: String = own.iter().map(|own| format!("{0},{0}\n", own.name)).collect();
    let accounts = desk.file("accounts.csv", format!("account_id,name\n{accounts}"));
    desk.import(&[accounts]).await.well();
    let signals = desk.file("signals.csv", signals_of(&own));
    let early = desk.program.run(&["import", "--org", "north", "--dry-run", &signals]).await;
    assert!(early.out.contains("signals.csv: 2 accepted, 0 unchanged, 37 rejected"), "{early:?}");
    let unknown = "\"m_last\" is no kind of support, and no measure of the policy in use has that name";
    assert!(early.out.contains(unknown), "{early:?}");

    let policy = desk.file("policy.toml", policy_of(&own));
    desk.program.run(&["policy", "use", &policy, "--org", "north"]).await.well();
    let said = desk.import(&[signals]).await.json()["files"][0].clone();
    assert_eq!((&said["accepted"], &said["rejected"]), (&json!(39), &json!(0)), "{said:#}");
    let found = diagnoses(&desk.program.run(&["diagnose", "--org", "north", "--format", "json"]).await.well());
    for own in &own {
        let diagnosis = &found[own.name];
        assert_eq!(diagnosis["families"][own.source], json!(own.risk), "{}: {diagnosis:#}", own.name);
        let causes = diagnosis["causes"].as_array().unwrap();
        let cause = causes.iter().find(|cause| cause["rule"] == own.name);
        let said = cause.map(|cause| cause["headline"].as_str().unwrap().to_owned());
        assert_eq!(said, own.value.map(|value| format!("{} is {value}", own.name)), "{diagnosis:#}");
        if let Some(cause) = cause {
            assert_eq!(
                (&cause["floor"], &cause["facts"][0]["source"]),
                (&json!(false), &json!(own.source)),
                "{cause:#}"
            );
            assert!(cause["actions"]["csm"].as_str().is_some_and(|action| !action.is_empty()), "{cause:#}");
        }
    }

    // What another policy would change, and why; nothing is written.
    let date = found["m_last"]["date"].as_str().unwrap();
    let check = async |text: String| {
        let file = desk.file("other.toml", text);
        desk.program.run(&["policy", "check", &file, "--org", "north"]).await.well()
    };
    let same = check(policy_of(&own)).await;
    assert_eq!(same, format!("0 of 10 accounts would change band against {date}.\n"));
    let stricter = policy_of(&own).replacen(
        "aggregate = \"mean\"\nwindow_days = 30\nhealthy = 0\ncritical = 10",
        "aggregate = \"mean\"\nwindow_days = 30\nhealthy = 0\ncritical = 4",
        1,
    );
    let stricter = check(stricter).await;
    assert_eq!(
        stricter,
        format!(
            "1 of 10 accounts would change band against {date}.\nm_mean (m_mean): watch 69 → at risk 25\n  m_mean is 3\n"
        )
    );
    let shown = desk.program.run(&["policy", "show", "--org", "north"]).await.well();
    assert!(shown.contains("[measures.m_mean]") && shown.contains("critical = 10"), "{shown}");
    let again = diagnoses(&desk.program.run(&["diagnose", "--org", "north", "--format", "json"]).await.well());
    assert_eq!(again["m_mean"]["families"], found["m_mean"]["families"]);
}
