//! Guests, people of other companies and anonymous participants of meetings learn
//! nothing, wherever they ask and whoever imported them.

use serde_json::{Value, json};

use super::{lea_is_admin, monday, sunday};
use crate::support::bot::TestBot;
use crate::support::fake_teams::Trouble;
use crate::support::teams::{BESIDE, TENANT};

const SAID: &str = "application/vnd.microsoft.activity.message";
const REFUSED: &str =
    "You are a guest here, and Tandem tells guests and people of other companies nothing about customers.";

fn guest(who: &str) -> Value {
    json!({"id": format!("29:{who}"), "email": format!("{who}@x.eu"), "userRole": "guest", "tenantId": TENANT})
}

/// Everybody that a roster can call an outsider, each a colleague by the organisation's own list.
fn strangers() -> [(&'static str, Value); 4] {
    [
        ("dana", guest("dana")),
        ("kim", json!({"id": "29:kim", "email": "kim@x.eu", "userRole": "user", "tenantId": BESIDE})),
        (
            "lea",
            json!({"id": "29:lea", "userPrincipalName": "lea_x.eu#EXT#@north.onmicrosoft.com", "userRole": "user"}),
        ),
        ("vic", json!({"id": "29:vic", "userRole": "anonymous"})),
    ]
}

fn place(kind: &str) -> Value {
    match kind {
        "channel" => {
            json!({"id": "19:team@thread.tacv2;messageid=1", "tenantId": TENANT, "conversationType": "channel", "isGroup": true})
        }
        _ => {
            json!({"id": "19:meeting@thread.v2", "tenantId": TENANT, "conversationType": "groupChat", "isGroup": true})
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_refused_at_commands_in_every_scope() {
    let (bot, _, _) = monday().await;
    bot.teams.skip();
    for (who, member) in strangers() {
        for root in [format!("a:{who}"), "19:team@thread.tacv2".into(), "19:meeting@thread.v2".into()] {
            bot.teams.members(&root, vec![member.clone()]);
        }
        let opened = bot.teams.calls("open").len();
        for text in ["account acme", "risks", "home", "settings"] {
            assert_eq!(bot.types(who, text).await.text(), REFUSED, "{who}: {text}");
        }
        for kind in ["channel", "groupChat"] {
            let more = json!({"text": "<at>Tandem</at> account acme", "conversation": place(kind)});
            assert_eq!(bot.teams_sends(&bot.activity(who, "message", more)).await.0, 200);
            let heard = bot.hears(place(kind)["id"].as_str().unwrap()).await;
            assert_eq!(heard.text(), REFUSED, "{who} in a {kind}");
        }
        assert_eq!(bot.teams.calls("open").len(), opened, "no chat is opened with {who}");
        bot.teams_sends(&bot.activity(who, "installationUpdate", json!({"action": "add"}))).await;
        assert_eq!(bot.hears(who).await.text(), REFUSED, "{who} is not greeted as a colleague");
    }
    assert_eq!(bot.done().await, Vec::<String>::new());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_refused_at_presses_dialogs_and_looks() {
    let (bot, danas, kims) = monday().await;
    bot.teams.members("a:dana", vec![guest("dana")]);
    let (_, told) = bot.teams_sends(&bot.executes("dana", &danas, "Acknowledge", "Acme")).await;
    assert_eq!((told["type"].as_str(), told["value"].as_str()), (Some(SAID), Some(REFUSED)));
    // The fallback of a client without Execute.
    let (action, id) = danas.action("Acknowledge", "Acme");
    let fallback = bot.activity("dana", "message", json!({"value": action["fallback"]["data"], "replyToId": id}));
    assert_eq!(bot.teams_sends(&fallback).await.0, 200);
    assert_eq!(bot.hears("dana").await.text(), REFUSED);
    let task = bot.fetches("dana", &danas, "Snooze", "Acme").await;
    assert_eq!(task, json!({"type": "message", "value": REFUSED}));
    let (action, _) = danas.action("Snooze", "Acme");
    let mut data = action["data"].clone();
    data["f.until"] = "2026-11-27".into();
    let (_, told) =
        bot.teams_sends(&bot.activity("dana", "invoke", json!({"name": "task/submit", "value": {"data": data}}))).await;
    assert_eq!(told["task"]["value"], REFUSED, "{told}");
    for data in [json!({}), json!({"q": {"c": "account acme"}}), json!({"a": "turn_page|home:1"})] {
        for (verb, trigger) in [("refresh", "automatic"), ("turn_page", "manual")] {
            let value = json!({"action": {"verb": verb, "data": data}, "trigger": trigger});
            let more = json!({"name": "adaptiveCard/action", "replyToId": danas.ids[0], "value": value});
            let (_, told) = bot.teams_sends(&bot.activity("dana", "invoke", more)).await;
            assert_eq!(told["type"], SAID, "{data} {told}");
            assert!(!told.to_string().contains("Acme"), "{told}");
        }
    }
    bot.deliver().await;
    assert!(bot.teams_now(&kims).labels().contains(&"Note".to_owned()));
    assert_eq!(bot.done().await, Vec::<String>::new());
    bot.finish().await;
}

/// Monday's mornings are queued, and not sent yet.
async fn eight(bot: &TestBot) {
    bot.at("2026-11-23T01:00:00Z").await;
    bot.clock.set("2026-11-23T07:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_was_imported_gets_no_morning_and_an_admin_hears_why() {
    let bot = sunday().await;
    bot.unlink_beside().await;
    lea_is_admin(&bot).await;
    bot.teams.members("a:dana", vec![guest("dana")]);
    eight(&bot).await;
    assert!(bot.deliver_or_give_up().await >= 1);
    bot.deliver().await;
    let told = bot.hears("lea").await.text();
    assert!(told.contains("Dana") && told.contains("they are a guest, or of another company"), "{told}");
    assert!(bot.teams.calls("post").iter().all(|call| call.conversation != "a:dana"));
    bot.hears("kim").await;
    bot.teams.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_a_chat_is_taken_back_when_a_colleague_becomes_a_guest() {
    let bot = sunday().await;
    bot.unlink_beside().await;
    eight(&bot).await;
    // The roster does not know the chat yet: nobody says that it is a guest's.
    bot.teams.once("members", Trouble::Refused(404, "ConversationNotFound"));
    bot.teams.once("members", Trouble::Refused(404, "ConversationNotFound"));
    bot.deliver().await;
    let (danas, kims) = (bot.hears("dana").await, bot.hears("kim").await);
    bot.clock.advance(chrono::TimeDelta::minutes(10));
    bot.teams.members("a:dana", vec![guest("dana")]);
    let (_, told) = bot.teams_sends(&bot.executes("kim", &kims, "Note", "Acme")).await;
    assert!(told.is_object());
    let task = bot.fetches("kim", &kims, "Note", "Acme").await;
    bot.submits("kim", &task, &[("text", "They called")]).await;
    assert!(!bot.teams_now(&danas).text().contains("Acme"), "{}", bot.teams_now(&danas).text());
    assert!(bot.teams_now(&kims).text().contains("They called"), "{}", bot.teams_now(&kims).text());
    bot.teams.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shared_to_a_shared_channel() {
    let (bot, _, _) = monday().await;
    let shared = json!({"tenant": {"id": TENANT}, "channel": {"id": "19:team@thread.tacv2", "type": "shared"}});
    let more = json!({"text": "<at>Tandem</at> account acme", "conversation": place("channel"), "channelData": shared});
    assert_eq!(bot.teams_sends(&bot.activity("dana", "message", more)).await.0, 200);
    assert_eq!(bot.hears("19:team@thread.tacv2;messageid=1").await.text(), "I answered you in our own chat.");
    let answer = bot.hears("dana").await;
    assert!(answer.text().contains("Acme"), "a colleague is answered alone: {}", answer.text());
    let (_, told) = bot.teams_sends(&bot.executes("dana", &answer, "Share here", "Acme")).await;
    assert!(told["value"].as_str().unwrap().contains("people from outside your company"), "{told}");
    bot.deliver().await;
    bot.finish().await;
}
