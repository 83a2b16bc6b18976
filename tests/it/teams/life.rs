//! A day in Teams: questions, the morning, presses, dialogs, comings and goings.

use serde_json::{Value, json};

use super::{monday, sunday};
use crate::support::PATIENCE;
use crate::support::teams::{Card, TENANT};

const CARD: &str = "application/vnd.microsoft.card.adaptive";
const SAID: &str = "application/vnd.microsoft.activity.message";

fn redrawn(body: &Value) -> Card {
    assert_eq!((body["statusCode"].as_i64(), body["type"].as_str()), (Some(200), Some(CARD)), "{body}");
    Card { ids: vec!["0".into()], summary: String::new(), bodies: vec![body["value"].clone()] }
}

fn team(thread: &str) -> Value {
    json!({"id": format!("19:team@thread.tacv2;messageid={thread}"), "tenantId": TENANT, "conversationType": "channel", "isGroup": true})
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_with_and_without_a_mention() {
    let (bot, _, _) = monday().await;
    bot.teams.skip();
    for text in ["account acme", "<at>Tandem</at> account acme\n", "/account Acme", "ACCOUNT  &quot;acme&quot;"] {
        let said = bot.types("dana", text).await;
        assert!(said.text().contains("Acme · health"), "{text}: {}", said.text());
    }
    for (text, words) in [
        ("risks", "Acme"),
        ("hi", "account NAME"),
        ("help", "risks"),
        ("raise acme", "What is it about Acme?"),
        ("riks", "Did you mean"),
    ] {
        let said = bot.types("dana", text).await;
        assert!(said.text().contains(words), "{text}: {}", said.text());
        assert!(!said.text().contains("/tandem") && !said.text().contains("/account"), "{text}: {}", said.text());
    }
    // Delivered twice: answered once. Edited later: not answered again.
    let twice = bot.activity("dana", "message", json!({"text": "risks"}));
    for _ in 0..3 {
        assert_eq!(bot.teams_sends(&twice).await.0, 200);
    }
    let mut edited = twice.clone();
    edited["type"] = "messageUpdate".into();
    assert_eq!(bot.teams_sends(&edited).await.0, 200);
    bot.hears("dana").await;
    bot.read_privates().await;
    assert_eq!(bot.teams.unseen(), []);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_team_the_answer_is_private_and_what_is_shared_is_shared_on_purpose() {
    let (bot, _, _) = monday().await;
    bot.teams.skip();
    let asked =
        bot.activity("dana", "message", json!({"text": "<at>Tandem</at> account acme", "conversation": team("1")}));
    assert_eq!(bot.teams_sends(&asked).await.0, 200);
    let heard = bot.hears("19:team@thread.tacv2;messageid=1").await;
    assert_eq!(heard.text(), "I answered you in our own chat.");
    let answer = bot.hears("dana").await;
    assert!(answer.text().contains("Acme · health"), "{}", answer.text());

    // Share here: the channel gets the card, and it follows what happens.
    let told = bot.executes_and_delivers("dana", &answer, "Share here", "Acme").await;
    assert_eq!((told["type"].as_str(), told["value"].as_str()), (Some(SAID), Some("Acme: shown in this channel.")));
    let shared = bot.hears("19:team@thread.tacv2").await;
    assert!(shared.text().contains("Acme · health"));
    // Where outsiders are, nothing is shared, and what stands there is taken back.
    bot.teams.members("19:team@thread.tacv2", vec![json!({"id": "29:eva", "userRole": "guest", "tenantId": TENANT})]);
    let (_, told) = bot.teams_sends(&bot.executes("dana", &answer, "Share here", "Acme")).await;
    assert!(told["value"].as_str().unwrap().contains("people from outside your company"), "{told}");
    bot.executes_and_delivers("dana", &answer, "Acknowledge", "Acme").await;
    assert_eq!(bot.deliver_or_give_up().await, 0, "a redraw is no loss");
    assert!(!bot.teams_now(&shared).text().contains("Acme"), "{}", bot.teams_now(&shared).text());
    // A forged place is asked of Teams, which knows no such place of this organisation.
    let mut forged = bot.executes("dana", &answer, "Share here", "Acme");
    forged["value"]["action"]["data"]["c"] = "19:elsewhere@thread.tacv2".into();
    let (_, told) = bot.teams_sends(&forged).await;
    assert!(told["value"].as_str().unwrap().starts_with("There is no channel here"), "{told}");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_morning_is_acknowledged_in_one_tap_and_every_copy_follows() {
    let (bot, danas, kims) = monday().await;
    for words in ["Good morning, Dana", "At risk (1)", "Acme", "Notice to end the contract", "€100k"] {
        assert!(danas.text().contains(words), "{words}: {}", danas.text());
    }
    assert!(danas.summary.contains("Acme served notice"), "{}", danas.summary);
    assert!(kims.text().contains("Acme"));

    let invoke = bot.executes("dana", &danas, "Acknowledge", "Acme");
    let (status, body) = bot.teams_sends(&invoke).await;
    assert_eq!(status, 200);
    let seen = redrawn(&body);
    assert!(seen.text().contains("cknowledged") && seen.text().contains("30 Nov"), "{}", seen.text());
    assert!(!seen.labels().contains(&"Acknowledge".to_owned()));
    bot.deliver().await;
    assert_eq!(bot.done().await, ["risk.acknowledged"]);
    for copy in [&danas, &kims] {
        assert!(bot.teams_now(copy).text().contains("30 Nov"), "{}", bot.teams_now(copy).text());
    }
    // The same press delivered again, another from an old copy, and the fallback of a client without Execute: once.
    let (_, again) = bot.teams_sends(&invoke).await;
    assert_eq!(again["type"], SAID, "{again}");
    let (_, late) = bot.teams_sends(&bot.executes("dana", &danas, "Acknowledge", "Acme")).await;
    assert!(late["value"].as_str().unwrap().starts_with("Acme: already acknowledged by you"), "{late}");
    let (action, id) = danas.action("Acknowledge", "Acme");
    let fallback = bot.activity("dana", "message", json!({"value": action["fallback"]["data"], "replyToId": id}));
    assert_eq!(bot.teams_sends(&fallback).await.0, 200);
    assert!(bot.hears("dana").await.text().starts_with("Acme: already acknowledged by you"));
    assert_eq!(bot.times("risk.acknowledged").await, 1);

    // Looking changes nothing, and shows a card to nobody but its reader.
    let look = |who: &str, trigger: &str| {
        let value = json!({"action": {"verb": "refresh", "data": {}}, "trigger": trigger});
        bot.activity(who, "invoke", json!({"name": "adaptiveCard/action", "replyToId": danas.ids[0], "conversation": {"id": "a:dana", "tenantId": TENANT}, "value": value}))
    };
    let (_, refreshed) = bot.teams_sends(&look("dana", "automatic")).await;
    assert!(redrawn(&refreshed).text().contains("30 Nov"));
    let (_, foreign) = bot.teams_sends(&look("kim", "manual")).await;
    assert_eq!(foreign["type"], SAID, "{foreign}");
    let mut automatic = bot.executes("kim", &kims, "Note", "Acme");
    automatic["value"]["trigger"] = "automatic".into();
    bot.teams_sends(&automatic).await;
    assert_eq!(bot.done().await, ["risk.acknowledged"]);
    // Somebody without a role, and somebody whom nobody knows.
    let mut vics = bot.executes("dana", &danas, "Acknowledge", "Acme");
    (vics["from"], vics["id"]) = (json!({"id": "29:vic", "aadObjectId": "aad-vic"}), "v1".into());
    let (_, told) = bot.teams_sends(&vics).await;
    assert!(told["value"].as_str().unwrap().contains("can act on it"), "{told}");
    bot.teams.members("a:dana", vec![json!({"id": "29:eve", "email": "dana@x.eu", "userRole": "guest"})]);
    let mut eves = vics.clone();
    (eves["from"], eves["id"]) = (json!({"id": "29:eve", "aadObjectId": "aad-eve"}), "e1".into());
    let (_, told) = bot.teams_sends(&eves).await;
    assert!(told["value"].as_str().unwrap().starts_with("You are a guest here"), "{told}");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dialogs_ask_keep_what_was_typed_and_close() {
    let (bot, danas, kims) = monday().await;
    bot.executes_and_delivers("dana", &danas, "Acknowledge", "Acme").await;
    let task = bot.fetches("dana", &danas, "Set next step", "Acme").await;
    assert_eq!((task["type"].as_str(), task["value"]["title"].as_str()), (Some("continue"), Some("Next step")));
    let refused = bot.submits("dana", &task, &[("step", "Call Eva"), ("due", "2020-01-01")]).await;
    let again = refused["task"].clone();
    let text = again["value"]["card"]["content"].to_string();
    assert!(text.contains("Not saved: ") && text.contains("Call Eva") && text.contains("2020-01-01"), "{text}");
    let closed = bot.submits("dana", &again, &[("step", "Call Eva"), ("due", "2026-11-27")]).await;
    assert_eq!(closed, json!({}));
    assert_eq!(bot.done().await, ["risk.acknowledged", "risk.step_set"]);
    for copy in [&danas, &kims] {
        assert!(bot.teams_now(copy).text().contains("Call Eva"), "{}", bot.teams_now(copy).text());
    }
    // A dialog that leads to the next; and one whose matter is settled meanwhile.
    let task = bot.fetches("dana", &danas, "Raise", "Acme").await;
    let next = bot.submits("dana", &task, &[("what", "raise_feedback")]).await;
    let task = next["task"].clone();
    let said = bot.submits("dana", &task, &[("text", "Exports are slow")]).await;
    assert_eq!(said["task"], json!({"type": "message", "value": "Acme: feedback saved. See it all with \"voice\"."}));
    let resolve = bot.fetches("dana", &danas, "Resolve", "Acme").await;
    bot.submits("dana", &resolve, &[("how", "not_a_risk")]).await;
    let late = bot.submits("dana", &resolve, &[("how", "not_a_risk")]).await;
    assert!(late["task"]["value"].as_str().unwrap().starts_with("Acme: already resolved by you"), "{late}");
    bot.teams.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_follows_what_is_done_on_it() {
    let (bot, _, kims) = monday().await;
    let answer = bot.types("dana", "account acme").await;
    assert_eq!(answer.bodies[0]["refresh"]["userIds"], json!(["29:dana"]));
    let body = bot.executes_and_delivers("dana", &answer, "Acknowledge", "Acme").await;
    assert!(redrawn(&body).text().contains("cknowledged by you"), "{}", redrawn(&body).text());
    let begun = std::time::Instant::now();
    while !bot.teams_now(&answer).text().contains("cknowledged by you") {
        assert!(begun.elapsed() < PATIENCE, "{}", bot.teams_now(&answer).text());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(bot.teams_now(&kims).text().contains("cknowledged by Dana"));
    // A refresh asks again as whoever asks, and a forged question does nothing but ask.
    let mut refresh = bot.activity("dana", "invoke", json!({"name": "adaptiveCard/action", "replyToId": "nothing"}));
    refresh["value"] =
        json!({"trigger": "automatic", "action": {"verb": "refresh", "data": {"q": {"c": "account acme"}}}});
    let (_, body) = bot.teams_sends(&refresh).await;
    assert!(redrawn(&body).text().contains("cknowledged by you"));
    refresh["value"]["action"]["data"]["q"] = json!({"a": "not_useful|account:acme"});
    let (_, body) = bot.teams_sends(&refresh).await;
    assert_eq!(body["type"], SAID);
    assert_eq!(bot.done().await, ["risk.acknowledged"]);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_greets_once_and_is_silent_after_it_was_removed() {
    let bot = sunday().await;
    bot.unlink_beside().await;
    let (added, removed) = (bot.times("installation.added").await, bot.times("installation.removed").await);
    let coming = json!({"membersAdded": [{"id": "28:11111111-2222-3333-4444-555555555555"}]});
    for activity in [
        bot.activity("dana", "installationUpdate", json!({"action": "add"})),
        bot.activity("dana", "conversationUpdate", coming),
        bot.activity("dana", "installationUpdate", json!({"action": "add-upgrade"})),
    ] {
        assert_eq!(bot.teams_sends(&activity).await.0, 200);
    }
    let hello = bot.hears("dana").await;
    assert!(hello.text().starts_with("Hello Dana.") && hello.text().contains("account NAME"), "{}", hello.text());
    assert_eq!(bot.times("installation.added").await, added + 1);
    // Somebody whom the roster vouches for is known at once; a stranger is told what to do.
    bot.teams_sends(&bot.activity("vic", "installationUpdate", json!({"action": "add"}))).await;
    assert!(bot.hears("vic").await.text().starts_with("Hello Vic."));
    assert_eq!(bot.times("person.linked").await, 1);
    bot.teams_sends(&bot.activity("eve", "installationUpdate", json!({"action": "add"}))).await;
    assert!(bot.hears("eve").await.text().starts_with("Tandem does not know you yet"));
    let mut joined = bot.activity("dana", "installationUpdate", json!({"action": "add"}));
    joined["conversation"] = team("1");
    bot.teams_sends(&joined).await;
    let said = bot.hears("19:team@thread.tacv2;messageid=1").await.text();
    assert!(said.contains("Mention me with a question"), "{said}");

    bot.teams_sends(&bot.activity("dana", "installationUpdate", json!({"action": "remove"}))).await;
    let begun = std::time::Instant::now();
    while bot.times("installation.removed").await == removed {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let opened = bot.teams.calls("open").len();
    bot.clock.set("2026-11-23T01:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    bot.clock.set("2026-11-23T07:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    assert_eq!(bot.deliver_or_give_up().await, 1, "Dana's morning");
    let posts = bot.teams.calls("post").into_iter().filter(|call| call.conversation == "a:dana").count();
    let chats = bot.teams.calls("open").len() - opened;
    assert_eq!((posts, chats), (1, 2), "the greeting; Kim's chat was opened, and that of Lea, who stands in for Dana");
    // It comes back: it greets again, and the next morning arrives.
    bot.teams_sends(&bot.activity("dana", "installationUpdate", json!({"action": "add"}))).await;
    assert!(bot.hears("dana").await.text().starts_with("Hello Dana."));
    bot.teams.skip();
    bot.finish().await;
}
