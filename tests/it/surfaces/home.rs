//! Slack's App Home: drawn when it is looked at, and after whatever anybody does.

use serde_json::json;
use tandem::domain::person::PersonId;
use tandem::domain::row::RowKind;

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

    // Who acknowledged it there has seen it. What happens in chat shows there too.
    bot.at("2026-11-24T07:00:00Z").await;
    let morning = bot.next_post("dana");
    assert!(!morning.text().contains("Acme"), "{}", morning.text());
    bot.skip();
    let before = publishes(&bot);
    bot.click("dana", &morning, "Qualify", "Bolt").await;
    bot.submit("dana", &[("need", "Seats"), ("contact", "Eva Sol"), ("timing", "Before Christmas")]).await;
    let view = bot.published(before).await;
    assert_eq!(view.channel, "Udana", "nobody else has Bolt before them");
    assert!(!view.text().contains("Waiting for you (1)"), "{}", view.text());
    bot.read_privates().await;
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
async fn a_page_that_was_turned_again_before_it_was_drawn_is_the_one_that_is_looked_at() {
    let bot = tuesday().await;
    let mut accounts = "account_id,name,arr,csm_email,account_manager_email\n".to_owned();
    let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
    for n in 10..20 {
        accounts += &format!("n{n},Notice {n},1000,dana@x.eu,kim@x.eu\n");
        signals += &format!("n{n},crm,notice_served,2026-11-23,true\n");
    }
    bot.import(RowKind::Accounts, &accounts).await;
    bot.import(RowKind::Signals, &signals).await;
    bot.at("2026-11-25T01:00:00Z").await;
    bot.skip();
    let first = bot.open_home("dana").await;
    assert!(first.labels().contains(&"Next page".to_owned()), "{:?}", first.labels());
    // Two presses before delivery looks: one view, of the page that was asked for last.
    let mut kept = Vec::new();
    for value in ["turn_page|home:2", "turn_page|home:1", "turn_page|home:2"] {
        let click = bot.clicks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let payload = json!({
            "type": "block_actions", "user": {"id": "Udana", "team_id": "T1"}, "team": {"id": "T1"},
            "container": {"type": "view", "view_id": "VH"}, "view": {"id": "VH", "type": "home"},
            "trigger_id": format!("{click}.2.x"),
            "actions": [{"type": "button", "value": value, "action_ts": format!("{click}.1")}],
        });
        assert_eq!(bot.interact(&payload).await, (200, String::new()), "{value}");
        let content = bot.text(&bot.org, "SELECT content::text FROM tandem.message WHERE content ? 'home'").await;
        kept.push(serde_json::from_str::<serde_json::Value>(&content).unwrap());
    }
    let id = bot.text(&bot.org, "SELECT message_id::text FROM tandem.message WHERE content ? 'home'").await;
    let id = uuid::Uuid::parse_str(&id).unwrap();
    let dana = bot.text(&bot.org, "SELECT person_id::text FROM tandem.person WHERE email = 'dana@x.eu'").await;
    let dana = PersonId(uuid::Uuid::parse_str(&dana).unwrap());
    // As a lane that read the row before the last press would draw it.
    let drawn = tandem::app::content::render(&bot.app, bot.org.id, id, &kept[1], Some(dana)).await.unwrap().unwrap();
    assert!(format!("{drawn:?}").contains("Page 2 of 2"), "{drawn:?}");
    let before = publishes(&bot);
    bot.deliver().await;
    assert_eq!(publishes(&bot) - before, 1);
    assert!(bot.published(before).await.text().contains("Page 2 of 2"));
    bot.read_privates().await;
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
    bot.read_privates().await;
    bot.deliver().await;
    assert_eq!(publishes(&bot), 1);
    bot.finish().await;
}

/// A home page keeps its place among the messages, however often it is opened; those after it grow old all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_home_tab_that_is_opened_again_keeps_what_it_shows() {
    let bot = tuesday().await;
    bot.open_home("dana").await;
    bot.at("2026-11-24T07:00:00Z").await;
    bot.skip();
    bot.at("2026-11-27T01:00:00Z").await;
    bot.skip();
    bot.open_home("dana").await;
    let shown = async || {
        let of = |what: &str| {
            format!(
                "SELECT count(*) FROM tandem.message_account JOIN tandem.message USING (org_id, message_id) WHERE {what}"
            )
        };
        let home = bot.number(&bot.org, &of("content ? 'home'")).await;
        (home, bot.number(&bot.org, &of("NOT content ? 'home' AND created_at < '2026-11-25'")).await > 0)
    };
    assert_eq!(shown().await, (3, true));
    bot.at("2026-12-25T01:00:00Z").await;
    bot.skip();
    assert_eq!(shown().await, (3, false), "the mornings of a month ago are redrawn no more, the page is");
    bot.at("2026-12-28T12:00:00Z").await;
    bot.skip();
    assert_eq!(shown().await, (0, false), "nobody has looked at it for a month");
    bot.finish().await;
}
