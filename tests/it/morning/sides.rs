//! Account managers to whom the risks of an account fall: they read it as its CSM would, and can settle them.

use tandem::app::transfer;
use tandem::domain::row::RowKind;
use tandem::store::audit::Actor;

use super::handoffs::danas_absence;
use super::sunday;
use crate::support::bot::{Post, TestBot};

const SETTLES: [&str; 4] = ["Acknowledge", "Set next step", "Snooze", "Resolve"];

fn settles(post: &Post) -> [bool; 4] {
    let labels = post.labels();
    SETTLES.map(|label| labels.iter().any(|found| found == label))
}

/// Somebody's next morning message, past the news before it.
fn next_morning(bot: &TestBot, who: &str) -> Post {
    loop {
        let post = bot.next_post(who);
        if post.text().contains("Good morning") {
            return post;
        }
    }
}

/// The night, and Kim's morning of Monday in New York.
async fn kims_morning(bot: &TestBot) -> Post {
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    bot.at("2026-11-23T14:00:00Z").await;
    let kims = next_morning(bot, "kim");
    bot.skip();
    kims
}

/// Both halves are hers for now: one card with both plays, and every button of the CSM's.
async fn has_both_halves(bot: &TestBot, kims: &Post) {
    let said = kims.text();
    assert!(said.contains("*As CSM:*") && said.contains("*As AM:*"), "{said}");
    assert!(!said.contains("Not acknowledged by") && !said.contains("CSM: you"), "{said}");
    assert_eq!(settles(kims), [true; 4], "{:?}", kims.labels());
    let asked = bot.slash("kim", "/account acme").await;
    assert!(SETTLES.iter().all(|label| asked.lines().any(|line| line == *label)), "{asked}");
    let home = bot.open_home("kim").await;
    assert_eq!(settles(&home), [true; 4], "{:?}", home.labels());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_manager_who_stands_in_for_the_csm_settles_the_risk() {
    let bot = sunday().await;
    bot.import_to(&bot.org, RowKind::People, &danas_absence("kim@x.eu", "2026-11-27")).await;
    bot.deliver().await;
    bot.skip();
    let kims = kims_morning(&bot).await;
    assert!(kims.text().contains("At risk (1)"), "{}", kims.text());
    assert!(kims.text().contains("Dana Reyes, the CSM, is away until 27 Nov 2026: Kim Okafor stands in"));
    has_both_halves(&bot, &kims).await;
    bot.click("kim", &kims, "Acknowledge", "Acme").await;
    assert_eq!(bot.done().await, ["risk.acknowledged"]);
    assert!(bot.now(&kims).text().contains("Acknowledged by you on Mon 23 Nov."), "{}", bot.now(&kims).text());
    // Dana is back. Kim has it in hand all the same, and on the day of the next step she can say what it is.
    bot.at("2026-12-01T01:00:00Z").await;
    bot.at("2026-12-01T16:00:00Z").await;
    let latest = next_morning(&bot, "kim");
    assert!(latest.text().contains("Acknowledged by you on Mon 23 Nov."), "{}", latest.text());
    assert_eq!(settles(&latest)[1..], [true; 3], "{:?}", latest.labels());
    bot.skip();
    bot.finish().await;
}

/// From CSM to AM after onboarding.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_manager_who_takes_the_csms_book_over_settles_its_risks() {
    let bot = sunday().await;
    let kims = kims_morning(&bot).await;
    assert!(kims.text().contains("Not acknowledged by Dana yet."), "{}", kims.text());
    assert_eq!(settles(&kims), [false; 4], "the CSM has it: {:?}", kims.labels());
    transfer::transfer(&bot.app, bot.org.id, "dana@x.eu", "kim@x.eu", None, Actor::System).await.unwrap();
    bot.deliver().await;
    bot.skip();
    let kims = bot.now(&kims);
    has_both_halves(&bot, &kims).await;
    bot.click("kim", &kims, "Acknowledge", "Acme").await;
    assert_eq!(bot.done().await, ["risk.acknowledged"]);
    assert!(bot.now(&kims).text().contains("Acknowledged by you on Mon 23 Nov."), "{}", bot.now(&kims).text());
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_manager_who_is_imported_as_csm_reads_as_one_beside_the_other() {
    let bot = sunday().await;
    let seats = "account_id,name,csm_email,account_manager_email\nacme,Acme,kim@x.eu,pat@x.eu\n";
    bot.import(RowKind::Accounts, seats).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let pats = next_morning(&bot, "pat");
    assert!(pats.text().contains("Not acknowledged by Kim yet."), "{}", pats.text());
    assert_eq!(settles(&pats), [false; 4], "{:?}", pats.labels());
    bot.at("2026-11-23T14:00:00Z").await;
    let kims = next_morning(&bot, "kim");
    let said = kims.text();
    assert!(said.contains("*This week:*") && said.contains("AM: Pat") && !said.contains("Not acknowledged"), "{said}");
    assert_eq!(settles(&kims), [true; 4], "{:?}", kims.labels());
    assert!(kims.labels().contains(&"Hand to AM".to_owned()), "{:?}", kims.labels());
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_room_in_a_stand_ins_morning_is_acknowledged_at_once() {
    let bot = sunday().await;
    let mut accounts = "account_id,name,arr,csm_email,account_manager_email\n".to_owned();
    let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
    for n in 1..=6 {
        accounts += &format!("more{n},More {n},1000,dana@x.eu,kim@x.eu\n");
        signals += &format!("more{n},crm,notice_served,2026-11-20,true\n");
    }
    bot.import(RowKind::Accounts, &accounts).await;
    bot.import(RowKind::Signals, &signals).await;
    bot.import_to(&bot.org, RowKind::People, &danas_absence("kim@x.eu", "2026-11-27")).await;
    bot.deliver().await;
    bot.skip();
    let kims = kims_morning(&bot).await;
    bot.click("kim", &kims, "Acknowledge all", "2 accounts").await;
    assert_eq!(bot.private().await, "2 accounts acknowledged. Next steps are due in 5 working days.");
    assert_eq!(bot.times("risk.acknowledged").await, 2);
    bot.skip();
    bot.finish().await;
}
