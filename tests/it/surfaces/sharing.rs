//! An account is shown in a channel when somebody asks for it, and never where outsiders read.

use serde_json::json;

use super::tuesday;
use crate::support::bot::{Post, TEAM, TestBot};
use crate::support::fake_slack::Trouble;

/// Presses *Share here* on the private answer to `/account acme` in a channel.
async fn share(bot: &TestBot, channel: &str) {
    let here = Post { channel: channel.to_owned(), ts: "1.2".into(), summary: String::new(), blocks: Vec::new() };
    let press = bot.press(TEAM, "dana", &here, "share|account:acme");
    assert_eq!(bot.interact(&press).await, (200, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn share_here_posts_where_colleagues_are() {
    let bot = tuesday().await;
    bot.slack.channel("C1", json!({"members": ["Udana", "Ukim"]}));
    share(&bot, "C1").await;
    assert_eq!(bot.private().await, "Acme: shown in this channel.");
    bot.deliver().await;
    let shown = bot.next_post("C1");
    assert!(shown.text().contains("Health, last 90 days"), "{}", shown.text());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outsiders_are_shown_nothing_and_who_pressed_is_told() {
    let bot = tuesday().await;
    bot.slack.user("Uguest", json!({"is_restricted": true}));
    bot.slack.channel("C1", json!({"is_ext_shared": true}));
    bot.slack.channel("C2", json!({"is_pending_ext_shared": true}));
    bot.slack.channel("C3", json!({"members": ["Udana", "Uguest"]}));
    let crowd: Vec<String> = (0..201).map(|n| format!("U{n}")).collect();
    bot.slack.channel("C4", json!({"members": crowd}));
    for (channel, words) in [
        ("C1", "outside your company"),
        ("C2", "outside your company"),
        ("C3", "outside your company"),
        ("C4", "too many members"),
    ] {
        share(&bot, channel).await;
        let said = bot.private().await;
        assert!(said.contains(words), "{channel}: {said}");
    }
    bot.slack.once("conversations.info", Trouble::Refused("channel_not_found"));
    share(&bot, "C5").await;
    assert!(bot.private().await.contains("/invite @Tandem"));
    bot.deliver().await;
    assert!(bot.slack.standing().iter().all(|message| !message.channel.starts_with('C')));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_there_is_taken_back_when_a_guest_joins() {
    let bot = tuesday().await;
    bot.slack.channel("C1", json!({"members": ["Udana"]}));
    share(&bot, "C1").await;
    bot.private().await;
    bot.deliver().await;
    let shown = bot.next_post("C1");
    bot.slack.user("Uguest", json!({"is_ultra_restricted": true}));
    bot.slack.channel("C1", json!({"members": ["Udana", "Uguest"]}));
    bot.at("2026-11-24T07:00:00Z").await;
    let morning = bot.next_post("dana");
    let value = bot.now(&morning).value("Acknowledge", "Acme");
    bot.interact(&bot.press(TEAM, "dana", &morning, &value)).await;
    bot.deliver_or_give_up().await;
    assert!(!bot.now(&shown).text().contains("Acme"), "{}", bot.now(&shown).text());
    bot.skip();
    bot.finish().await;
}
