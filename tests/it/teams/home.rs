//! The home card: the same as Slack's App Home, page by page, in the asker's own chat.

use std::collections::BTreeSet;

use serde_json::json;
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::store::directory::Platform;

use crate::support::PATIENCE;
use crate::support::bot::{BESIDE, Post, TEAM, TestBot};
use crate::support::teams::{Card, TENANT};

/// Sixty accounts that served notice, so that a book has pages.
async fn falling(people: &str) -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, people).await;
    let mut accounts = "account_id,name,arr,seats,start_date,csm_email,account_manager_email\n".to_owned();
    let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
    for n in 1..=60 {
        accounts += &format!("a{n:02},Account {n:02},{}000,100,2024-01-15,dana@x.eu,kim@x.eu\n", 20 + n);
        signals += &format!("a{n:02},crm,notice_served,2026-11-20,true\n");
    }
    bot.import(RowKind::Accounts, &accounts).await;
    bot.import(RowKind::Signals, &signals).await;
    bot
}

const PEOPLE: &str = "email,name,roles,timezone,digest_time,manager_email,teams_user_id\n\
    lea@x.eu,Lea Lead,lead,Europe/Berlin,08:30,,aad-lea\n\
    dana@x.eu,Dana Reyes,csm,Europe/Berlin,08:00,lea@x.eu,aad-dana\n\
    kim@x.eu,Kim Okafor,account_manager,Europe/Berlin,08:00,lea@x.eu,aad-kim\n";

/// Which accounts a card has a button about.
fn named(card: &Card) -> BTreeSet<String> {
    let tooltips = card.actions().into_iter().filter_map(|(_, action, _)| Some(action["tooltip"].as_str()?.to_owned()));
    tooltips.filter_map(|said| Some(said[said.find("Account ")?..].chars().take(10).collect())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_one_card_and_together_they_show_everything() {
    let bot = falling(PEOPLE).await;
    bot.unlink(Platform::Slack, TEAM).await;
    bot.link_tenant(&bot.org, TENANT).await;
    bot.at("2026-11-23T01:00:00Z").await;
    let mut page = bot.types("dana", "home").await;
    assert_eq!(page.bodies.len(), 1, "one card, so that it can be turned");
    assert!(
        page.text().contains("Dana's book: 60 accounts") && page.text().contains("At risk (60)"),
        "{}",
        page.text()
    );
    let id = page.ids[0].clone();
    let mut seen = named(&page);
    let mut turned = 1;
    while page.labels().contains(&"Next page".to_owned()) {
        turned += 1;
        assert!(turned < 40);
        let (status, body) = bot.teams_sends(&bot.executes("dana", &page, "Next page", "")).await;
        assert_eq!(status, 200);
        let drawn = Card { ids: vec![id.clone()], summary: String::new(), bodies: vec![body["value"].clone()] };
        assert!(drawn.text().contains(&format!("Page {turned} of ")), "{}", drawn.text());
        assert!(body["value"].to_string().len() < 26 * 1024, "page {turned}: {}", body["value"].to_string().len());
        seen.extend(named(&drawn));
        page = drawn;
    }
    assert_eq!(seen.len(), 60, "{seen:?}");
    assert_eq!(bot.done().await, Vec::<String>::new(), "looking changes nothing");

    // What is done on a later page redraws that page.
    let name = named(&page).into_iter().next().expect("an account");
    let (_, body) = bot.teams_sends(&bot.executes("dana", &page, "Acknowledge", &name)).await;
    bot.deliver().await;
    assert!(body["value"].to_string().contains(&format!("Page {turned} of ")), "{body}");
    assert_eq!(bot.done().await, ["risk.acknowledged"]);
    let begun = std::time::Instant::now();
    loop {
        let now = bot.teams_now(&page).text();
        if now.contains(&format!("Page {turned} of ")) && now.contains("cknowledged") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{now}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // Somebody else's page is not theirs to turn: a press draws the presser's own.
    let mut kims = bot.executes("dana", &page, "Previous page", "");
    (kims["from"], kims["id"]) = (json!({"id": "29:kim", "aadObjectId": "aad-kim"}), "k1".into());
    let (_, body) = bot.teams_sends(&kims).await;
    assert!(!body.to_string().contains("Dana's book"), "{body}");
    let leas = bot.types("lea", "home").await;
    assert!(leas.text().contains("Lea's team: 60 accounts"), "{}", leas.text());
    bot.teams.skip();
    bot.finish().await;
}

/// What a page says, without the lines that only one platform has.
fn lines(text: &str) -> BTreeSet<String> {
    let plain = |line: &str| line.replace(['*', '\u{200b}'], "").trim().to_owned();
    text.lines().map(plain).filter(|line| !line.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_says_and_offers_what_slacks_does() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    let people = |chat: &str, prefix: &str| {
        format!(
            "email,name,roles,timezone,digest_time,manager_email,{chat}\n\
            lea@x.eu,Lea Lead,lead,Europe/Berlin,08:30,,{prefix}lea\n\
            dana@x.eu,Dana Reyes,csm,Europe/Berlin,08:00,lea@x.eu,{prefix}dana\n\
            kim@x.eu,Kim Okafor,account_manager,Europe/Berlin,08:00,lea@x.eu,{prefix}kim\n"
        )
    };
    bot.import_to(&bot.org, RowKind::People, &people("slack_user_id", "U")).await;
    bot.import_to(&bot.other, RowKind::People, &people("teams_user_id", "aad-")).await;
    bot.import(RowKind::Accounts, super::ACCOUNTS).await;
    bot.import(RowKind::Signals, &super::signals()).await;
    bot.unlink(Platform::Slack, BESIDE).await;
    bot.link_tenant(&bot.other, TENANT).await;
    bot.at("2026-11-23T01:00:00Z").await;
    for who in ["dana", "kim", "lea"] {
        let slacks: Post = bot.open_home(who).await;
        let teams = bot.types(who, "home").await;
        let labels = |all: Vec<String>| all.into_iter().collect::<BTreeSet<_>>();
        assert_eq!(labels(slacks.labels()), labels(teams.labels()), "{who}: the same can be pressed");
        let (one, other) = (lines(&slacks.text()), lines(&teams.text()));
        for line in one.iter().filter(|line| line.contains("Acme") || line.contains("Bolt")) {
            assert!(other.contains(line), "{who}: Teams does not say\n{line}\nbut\n{other:#?}");
        }
    }
    bot.teams.skip();
    bot.set_aside().await;
}
