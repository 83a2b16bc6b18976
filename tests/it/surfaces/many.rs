//! Many accounts at once, on a phone.

use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;

use super::PEOPLE;
use crate::support::bot::TestBot;

/// Fourteen accounts that fall, half of them for another reason.
async fn falling() -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    let mut accounts = "account_id,name,arr,seats,start_date,csm_email,account_manager_email\n".to_owned();
    let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
    for n in 1..=14 {
        accounts += &format!("a{n:02},Account {n:02},{}000,100,2024-01-15,dana@x.eu,kim@x.eu\n", 20 + n);
        for (week, day) in
            ["2026-10-11", "2026-10-18", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"]
                .into_iter()
                .enumerate()
        {
            let users = if n % 2 == 0 && week > 3 { 8 } else { 80 };
            signals += &format!("a{n:02},usage,active_users,{day},{users}\na{n:02},usage,seats_assigned,{day},100\n");
        }
        if n % 2 == 1 {
            signals += &format!(
                "a{n:02},support,sev1_open_days,2026-11-21,20\na{n:02},support,tickets_open,2026-11-21,30\n\
                 a{n:02},support,oldest_ticket_days,2026-11-21,60\na{n:02},support,escalations,2026-11-21,3\n\
                 a{n:02},support,csat,2026-11-21,20\n"
            );
        }
        signals += &format!("a{n:02},billing,invoice_overdue_days,2026-11-21,95\na{n:02},sentiment,nps,2026-11-20,1\n");
    }
    bot.import(RowKind::Accounts, &accounts).await;
    bot.import(RowKind::Signals, &signals).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot
}

async fn open_risks(bot: &TestBot) -> i64 {
    bot.number(&bot.org, "SELECT count(*) FROM tandem.risk WHERE state = 'open'").await
}

#[tokio::test(flavor = "multi_thread")]
async fn fourteen_accounts_are_handled_in_under_ten_taps() {
    let bot = falling().await;
    assert_eq!(open_risks(&bot).await, 14);
    bot.at("2026-11-23T07:00:00Z").await;
    let morning = bot.next_post("dana");
    // The AM reads of the same accounts, and leaves settling them to their CSM.
    let kims = bot.next_post("kim");
    assert!(kims.text().contains("Also on your list"), "{}", kims.text());
    assert!(!kims.labels().iter().any(|label| label.starts_with("Acknowledge")), "{:?}", kims.labels());
    bot.skip();
    let mut taps = 0;
    bot.click("dana", &morning, "Acknowledge all 9", "settle them all at once").await;
    taps += 1;
    assert!(bot.private().await.starts_with("9 accounts acknowledged."));
    // The list says what was done, and offers nothing that is done.
    let now = bot.now(&morning);
    assert_eq!(now.text().matches("next step not set, due Mon 30 Nov").count(), 9, "{}", now.text());
    assert!(!now.labels().iter().any(|label| label.ends_with("all") || label.ends_with("all 9")), "{:?}", now.labels());
    assert!(!now.text().contains("settle them all at once"), "{}", now.text());
    for n in 1..=14 {
        let name = format!("Account {n:02}");
        let now = bot.now(&morning);
        let carded = now.blocks.iter().any(|block| {
            block["type"] == "section"
                && block["text"]["text"].as_str().is_some_and(|text| text.starts_with(&format!("*{name}*")))
        });
        if carded && open_risks(&bot).await > 0 {
            let value = now.value("Acknowledge", &name);
            bot.interact(&bot.press("T1", "dana", &morning, &value)).await;
            bot.deliver().await;
            taps += 1;
        }
    }
    assert_eq!(open_risks(&bot).await, 0);
    assert!(taps < 10, "{taps} taps");
    assert_eq!(bot.times("risk.acknowledged").await, 14);
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_in_the_rest_is_silent_until_its_step_is_due() {
    let bot = falling().await;
    bot.at("2026-11-23T07:00:00Z").await;
    let morning = bot.next_post("dana");
    bot.skip();
    bot.click("dana", &morning, "Acknowledge all 9", "settle them all at once").await;
    bot.read_privates().await;
    bot.skip();
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T07:00:00Z").await;
    let next = bot.next_post("dana");
    let silent = "Nothing new needs you today. 14 accounts, 14 at risk: 9 in hand, 5 not acknowledged yet.";
    assert!(next.text().contains(silent), "{}", next.text());
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_is_snoozed_at_once() {
    let bot = falling().await;
    bot.at("2026-11-23T07:00:00Z").await;
    let morning = bot.next_post("dana");
    bot.skip();
    bot.click("dana", &morning, "Snooze all 9", "settle them all at once").await;
    let closed = bot.submit("dana", &[("until", "2026-11-30")]).await;
    assert!(closed.to_string().contains("9 accounts snoozed"), "{closed}");
    assert_eq!(open_risks(&bot).await, 5);
    bot.skip();
    bot.finish().await;
}
