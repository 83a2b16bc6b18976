//! Decision signals by day, and what got worse at night.

use tandem::app::intraday;
use tandem::domain::row::RowKind;

use super::sunday;
use crate::support::bot::TestBot;

const NOTICE: &str = "account_id,source,kind,observed_on,value\ncalm,crm,notice_served,2026-11-23,true\n";

/// Mornings of Monday, in Kolkata and Berlin.
async fn monday() -> TestBot {
    let bot = sunday().await;
    for time in ["01:00:00", "02:30:00", "07:00:00", "07:30:00"] {
        bot.at(&format!("2026-11-23T{time}Z")).await;
    }
    bot
}

#[tokio::test(flavor = "multi_thread")]
async fn notice_served_by_day_reaches_who_works_now_and_the_others_in_the_morning() {
    let bot = monday().await;
    bot.skip();
    // 15:30 in Kolkata, where Noa works; 05:00 in New York, where Kim does not yet.
    bot.clock.set("2026-11-23T10:00:00Z".parse().unwrap());
    bot.import_to(&bot.org, RowKind::Signals, NOTICE).await;
    bot.tick().await;
    let noas = bot.next_post("noa");
    assert!(
        noas.summary.starts_with("Calm: Notice to end the contract was served on 23 Nov 2026."),
        "{}",
        noas.summary
    );
    assert!(noas.labels().contains(&"Acknowledge".to_owned()), "{:?}", noas.labels());
    assert_eq!(bot.unseen_lines(), [], "nobody is woken");
    assert_eq!(bot.times("risk.opened").await, 2);
    // The same file again, and an hour of ticks: nothing new to say.
    bot.import_to(&bot.org, RowKind::Signals, NOTICE).await;
    bot.at("2026-11-23T11:00:00Z").await;
    assert!(intraday::look(&bot.app, bot.org.id).await.unwrap().is_empty());
    assert_eq!(bot.unseen_lines(), []);
    bot.at("2026-11-23T14:00:00Z").await;
    let kims = bot.next_post("kim");
    assert!(kims.text().contains("Calm") && kims.text().contains("Notice to end the contract"), "{}", kims.text());
    bot.click("noa", &noas, "Acknowledge", "Calm").await;
    // The night finds what is known already.
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T02:30:00Z").await;
    let tuesday = bot.next_post("noa");
    assert!(!tuesday.text().contains("At risk (1)"), "one card, and it is in hand: {}", tuesday.text());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_edits_the_card_that_is_there_wakes_a_snooze_and_pings_in_its_thread() {
    let bot = monday().await;
    let danas = bot.next_post("dana");
    bot.skip();
    bot.clock.set("2026-11-23T09:00:00Z".parse().unwrap());
    bot.click("dana", &danas, "Snooze", "Acme").await;
    assert_eq!(bot.submit("dana", &[("until", "2026-12-10")]).await, serde_json::Value::Null);
    bot.clock.set("2026-11-23T10:00:00Z".parse().unwrap());
    let asked = "account_id,source,kind,observed_on,value\nacme,crm,downgrade_requested,2026-11-23,true\n";
    bot.import_to(&bot.org, RowKind::Signals, asked).await;
    bot.tick().await;
    assert_eq!(bot.times("risk.woken").await, 1, "a decision wakes it");
    assert_eq!(bot.unseen_lines(), [], "no second card");
    let reply = bot.replies(&danas).pop().unwrap();
    assert!(reply.starts_with("Acme: ") && reply.contains("€100k"), "{reply}");
    let now = bot.now(&danas);
    assert!(now.labels().contains(&"Acknowledge".to_owned()), "{}", now.text());
    bot.finish().await;
}

/// In the evening: the edit at once, the ping at the next morning's hour.
#[tokio::test(flavor = "multi_thread")]
async fn after_hours_the_ping_waits_for_the_morning() {
    let bot = monday().await;
    let danas = bot.next_post("dana");
    bot.skip();
    bot.clock.set("2026-11-23T20:00:00Z".parse().unwrap());
    let asked = "account_id,source,kind,observed_on,value\nacme,crm,downgrade_requested,2026-11-23,true\n";
    bot.import_to(&bot.org, RowKind::Signals, asked).await;
    bot.tick().await;
    assert!(bot.now(&danas).text().contains("downgrade"), "edited: {}", bot.now(&danas).text());
    assert_eq!(bot.replies(&danas), Vec::<String>::new());
    bot.at("2026-11-24T01:00:00Z").await;
    assert_eq!(bot.replies(&danas), Vec::<String>::new());
    bot.at("2026-11-24T07:00:00Z").await;
    assert!(bot.replies(&danas)[0].starts_with("Acme: "), "{:?}", bot.replies(&danas));
    let tuesday = bot.next_post("dana");
    assert!(!tuesday.text().contains("At risk (1)"), "said once: {}", tuesday.text());
    bot.skip();
    bot.finish().await;
}

const CHURN: &str = "account_id,kind,decided_on\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_churn_of_a_healthy_account_is_told_now_and_in_the_morning() {
    let bot = monday().await;
    bot.skip();
    bot.clock.set("2026-11-23T10:00:00Z".parse().unwrap());
    bot.import_to(&bot.org, RowKind::Outcomes, &format!("{CHURN}calm,churned,2026-11-23\n")).await;
    bot.tick().await;
    let noas = bot.next_post("noa");
    assert!(noas.summary.starts_with("Calm: The customer churned on 23 Nov 2026. ARR €20k."), "{}", noas.summary);
    assert!(noas.labels().contains(&"Acknowledge".to_owned()), "{:?}", noas.labels());
    assert_eq!(bot.unseen_lines(), [], "nobody is woken");
    assert_eq!(bot.times("risk.opened").await, 2);
    let asked = bot.slash("noa", "/account calm").await;
    assert!(asked.contains("churned on Mon 23 Nov"), "{asked}");
    bot.at("2026-11-23T14:00:00Z").await;
    let kims = bot.next_post("kim");
    assert!(kims.text().contains("The customer churned on 23 Nov 2026."), "{}", kims.text());
    // Nights go by: it is known, and no calm night ends it.
    for day in ["24", "25", "26", "27"] {
        bot.at(&format!("2026-11-{day}T01:00:00Z")).await;
        bot.at(&format!("2026-11-{day}T02:30:00Z")).await;
        bot.skip();
    }
    let open = "SELECT state FROM tandem.risk WHERE account_id = 'calm'";
    assert_eq!(bot.text(&bot.org, open).await, "open");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_churn_that_settles_the_notice_is_said_and_keeps_the_gate_shut() {
    let bot = monday().await;
    let danas = bot.next_post("dana");
    bot.skip();
    bot.clock.set("2026-11-23T10:00:00Z".parse().unwrap());
    bot.click("dana", &danas, "Acknowledge", "Acme").await;
    let lost = format!("{CHURN}acme,churned,2026-11-23\nbolt,churned,2026-11-23\n");
    bot.import_to(&bot.org, RowKind::Outcomes, &lost).await;
    bot.tick().await;
    let replies = bot.replies(&danas).join("\n");
    assert!(
        replies.contains("Acme: The customer churned on 23 Nov 2026. ARR €100k."),
        "not the notice again: {replies}"
    );
    let gate = "SELECT withheld_by FROM tandem.handoff WHERE account_id = 'bolt'";
    assert_eq!(bot.text(&bot.org, gate).await, "churned");
    bot.at("2026-11-24T01:00:00Z").await;
    assert_eq!(bot.text(&bot.org, gate).await, "churned", "also where the night finds nothing else wrong");
    let floors = "SELECT string_agg(floors::text, ' ' ORDER BY account_id) FROM tandem.diagnosis
                   WHERE date = '2026-11-24'";
    assert_eq!(bot.text(&bot.org, floors).await, r#"["churned"] ["churned"]"#, "the notice is settled");
    assert_eq!(bot.times("risk.ended").await, 0);
    bot.skip();
    bot.finish().await;
}
