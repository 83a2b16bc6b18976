//! Slack's App Home: drawn when it is looked at, and after whatever anybody does.

use serde_json::json;

use super::tuesday;
use crate::support::bot::TestBot;

fn publishes(bot: &TestBot) -> usize {
    bot.slack.calls("views.publish").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_tab_shows_the_book_and_stays_true() {
    let bot = tuesday().await;
    let danas = bot.open_home("dana").await;
    let said = danas.text();
    for words in ["Dana's book: 3 accounts", "At risk (1)", "Waiting for you (1)", "Acme", "not acknowledged", "Bolt"] {
        assert!(said.contains(words), "no \"{words}\" in\n{said}");
    }
    assert_eq!(danas.channel, "Udana");
    let kims = bot.open_home("kim").await;
    assert!(kims.text().contains("Kim's book: 2 accounts"), "{}", kims.text());

    // One press, one new view for each who has it before them.
    let before = publishes(&bot);
    bot.press_home("dana", &danas, "Acknowledge", "Acme").await;
    assert_eq!(publishes(&bot) - before, 2);
    for at in [before, before + 1] {
        let view = bot.published(at).await;
        assert!(!view.text().contains("not acknowledged"), "{}: {}", view.channel, view.text());
    }
    assert_eq!(bot.done().await, ["risk.acknowledged"]);

    // What happens in chat shows there too, and many changes make one view.
    bot.at("2026-11-24T07:00:00Z").await;
    let morning = bot.next_post("dana");
    bot.skip();
    let before = publishes(&bot);
    bot.click("dana", &morning, "Snooze", "Acme").await;
    bot.submit("dana", &[("until", "2026-11-27")]).await;
    let last = bot.published(publishes(&bot) - 1).await;
    assert!(last.text().contains("Snoozed (1)"), "{}", last.text());
    assert_eq!(publishes(&bot) - before, 2);
    bot.read_privates();
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_sees_the_team_and_a_view_that_slack_refuses_is_let_be() {
    let bot = tuesday().await;
    let leas = bot.open_home("lea").await;
    assert!(leas.text().contains("Lea's team: 3 accounts") && leas.text().contains("Your team"), "{}", leas.text());
    bot.slack.once("views.publish", crate::support::fake_slack::Trouble::Refused("not_enabled"));
    bot.open_home("lea").await;
    assert_eq!(bot.times("digest.given_up").await, 0);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_learn_nothing_there_and_the_messages_tab_is_no_home() {
    let bot = tuesday().await;
    let strangers = bot.open_home("nobody").await;
    assert!(strangers.text().contains("does not know you yet"), "{}", strangers.text());
    let event = json!({"type": "event_callback", "event_id": "Em", "team_id": "T1",
                       "event": {"type": "app_home_opened", "user": "Udana", "tab": "messages"}});
    assert_eq!(bot.signed("/slack/events", &event.to_string()).await.0, 200);
    let foreign = json!({"type": "event_callback", "event_id": "Ef", "team_id": "T9",
                         "event": {"type": "app_home_opened", "user": "Udana", "tab": "home"}});
    assert_eq!(bot.signed("/slack/events", &foreign.to_string()).await.0, 200);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    bot.deliver().await;
    assert_eq!(publishes(&bot), 1);
    bot.finish().await;
}
