//! Contracts that are no yearly ones, from the import to the morning: monthly, without an end, and not renewing.

use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;

use super::PEOPLE;
use crate::support::bot::TestBot;

/// A monthly contract three days before its next month, one without an end, a pilot that ends, and a yearly one that
/// does not renew by itself.
const ACCOUNTS: &str = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,auto_renew,csm_email,account_manager_email\n\
    ever,Evergreen,90000,100,,,30,true,dana@x.eu,pat@x.eu\n\
    fixed,Fixed,80000,100,2027-01-20,12,30,false,dana@x.eu,pat@x.eu\n\
    month,Monthly,70000,100,2026-11-26,1,,true,dana@x.eu,pat@x.eu\n\
    pilot,Pilot,60000,100,2026-12-20,3,,false,dana@x.eu,pat@x.eu\n";

async fn book() -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    bot.import(RowKind::Accounts, ACCOUNTS).await;
    let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
    for account in ["ever", "fixed", "month", "pilot"] {
        for day in ["2026-10-18", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"] {
            signals += &format!("{account},usage,active_users,{day},95\n");
        }
        signals += &format!("{account},support,sev1_open_days,2026-11-22,20\n");
    }
    bot.import(RowKind::Signals, &signals).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    bot
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rolls_over_or_has_no_end_has_no_renewal_and_no_deadline() {
    let bot = book().await;
    let (danas, pats) = (bot.next_post("dana"), bot.next_post("pat"));
    bot.skip();
    let renewals = "SELECT string_agg(account_id, ',' ORDER BY account_id) FROM tandem.renewal";
    assert_eq!(bot.text(&bot.org, renewals).await, "fixed", "neither every month nor without an end, nor of a pilot");
    let card = |text: &str, name: &str| {
        let from = text.find(name).unwrap_or_else(|| panic!("{name} is not in\n{text}"));
        text[from..].split("\nAcknowledge").next().unwrap_or_default().to_owned()
    };
    for name in ["Monthly", "Evergreen"] {
        let said = card(&danas.text(), name);
        assert!(!said.contains("Deadline:") && !said.contains("together with the renewal"), "{said}");
    }
    assert!(card(&danas.text(), "Pilot").contains("Deadline: renewal date Sun 20 Dec"), "{}", danas.text());
    assert!(pats.text().contains("It does not renew by itself."), "{}", pats.text());
    for name in ["Monthly", "Evergreen"] {
        assert!(!pats.text().contains(&format!("{name} · renewal")), "{}", pats.text());
        let asked = bot.slash("dana", &format!("/account {name}")).await;
        assert!(!asked.contains("in 3 days") && !asked.contains("notice period missing"), "{asked}");
    }
    let asked = bot.slash("dana", "/account Monthly").await;
    assert!(asked.contains("renews by itself every month"), "{asked}");
    // There is no deadline that a snooze would have to stop at.
    bot.click("dana", &danas, "Snooze", "Monthly").await;
    assert_eq!(bot.submit("dana", &[("until", "2027-01-15")]).await, serde_json::Value::Null);
    bot.click("dana", &danas, "Snooze", "Pilot").await;
    let refused = bot.submit("dana", &[("until", "2027-01-15")]).await;
    assert_eq!(refused["response_action"], "errors", "{refused}");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn months_go_by_without_a_renewal_and_an_end_is_told_once() {
    let bot = book().await;
    bot.skip();
    for day in ["2026-11-27", "2026-12-28", "2027-01-27"] {
        for time in ["01:00:00", "07:00:00"] {
            bot.at(&format!("{day}T{time}Z")).await;
        }
        for who in ["dana", "pat"] {
            let said = bot.said_to(who).join("\n");
            assert!(!said.contains("Monthly: renewal") && !said.contains("Evergreen: renewal"), "{said}");
        }
        bot.skip();
    }
    let monthly = "SELECT count(*) FROM tandem.renewal WHERE account_id IN ('month', 'ever')";
    assert_eq!(bot.number(&bot.org, monthly).await, 0);
    let stage = |account: &'static str| {
        let program = bot.url().to_owned();
        async move {
            let dir = tempfile::tempdir().unwrap();
            let program = crate::support::program::Program::bare(dir.path()).with("DATABASE_URL", &program);
            let printed =
                program.run(&["diagnose", "--org", "north", "--date", "2027-01-27", "--format", "json"]).await.well();
            let lines: Vec<serde_json::Value> =
                printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let found = lines.into_iter().find(|line| line["account_id"] == account).unwrap();
            (found["renewal"]["stage"].clone(), found["renewal"]["next_deadline"].clone())
        }
    };
    assert_eq!(stage("month").await, ("none".into(), serde_json::Value::Null), "it has rolled over");
    assert_eq!(stage("ever").await, ("none".into(), serde_json::Value::Null));
    assert_eq!(
        stage("fixed").await,
        ("overdue".into(), serde_json::Value::Null),
        "somebody has to record how it ended"
    );
    bot.skip();
    bot.finish().await;
}

/// Monday morning, with these accounts and signals.
async fn decided(accounts: &str, signals: &str) -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    let columns =
        "account_id,name,arr,renewal_date,term_months,notice_period_days,auto_renew,csm_email,account_manager_email";
    bot.import(RowKind::Accounts, &format!("{columns}\n{accounts}")).await;
    bot.import(RowKind::Signals, &format!("account_id,source,kind,observed_on,value\n{signals}")).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    bot
}

/// The column says what the CRM's contract record says; the signal that came later says what was decided since.
#[tokio::test(flavor = "multi_thread")]
async fn auto_renewal_that_was_switched_off_is_said_as_the_deadlines_are_read() {
    let bot = decided(
        "off,Offley,80000,2027-02-20,12,30,true,dana@x.eu,pat@x.eu\n\
         on,Onslow,80000,2027-02-20,12,30,true,dana@x.eu,pat@x.eu\n",
        "off,crm,auto_renew,2026-10-01,true\noff,crm,auto_renew,2026-11-20,false\n",
    )
    .await;
    let pats = bot.next_post("pat").text();
    bot.skip();
    assert!(pats.contains("Renewal date: Sat 20 Feb 2027, in 89 days. It does not renew by itself."), "{pats}");
    assert!(pats.contains("Without notice it renews by itself on Sat 20 Feb 2027."), "of the other: {pats}");
    assert_eq!(pats.matches("renews by itself on").count(), 1, "{pats}");
    let asked = bot.slash("dana", "/account Offley").await;
    assert!(asked.contains("ends unless renewed Sat 20 Feb 2027"), "{asked}");
    let asked = bot.slash("dana", "/account Onslow").await;
    assert!(asked.contains("renews by itself Sat 20 Feb 2027"), "{asked}");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sells_is_not_told_that_none_is_at_risk() {
    // A year from its deadline, without a decision: Dana's to work, and no card of Pat's.
    let bot = decided(
        "far,Farley,80000,2027-11-20,12,30,true,dana@x.eu,pat@x.eu\n",
        "far,sentiment,csm_pulse,2026-11-20,red\n",
    )
    .await;
    let pats = bot.next_post("pat").text();
    bot.skip();
    assert!(pats.contains("Nothing needs you today. 1 account, 1 at risk, in other hands."), "{pats}");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_stands_for_as_long_as_the_term_runs() {
    // Overton's term began after that.
    let bot = decided(
        "long,Longley,80000,2027-02-20,36,30,true,dana@x.eu,\n\
         over,Overton,80000,2027-02-20,24,30,true,dana@x.eu,\n",
        "long,crm,auto_renew,2024-04-01,false\nover,crm,notice_served,2024-04-01,true\n",
    )
    .await;
    bot.skip();
    let asked = bot.slash("dana", "/account Longley").await;
    assert!(asked.contains("ends unless renewed Sat 20 Feb 2027"), "{asked}");
    let asked = bot.slash("dana", "/account Overton").await;
    assert!(asked.contains("renews by itself Sat 20 Feb 2027") && !asked.contains("decides on its own"), "{asked}");
    bot.finish().await;
}
