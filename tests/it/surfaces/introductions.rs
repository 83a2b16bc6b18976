//! Somebody writes from a chat account that nobody is known by: they are linked when somebody who can tell says so, and
//! what they had asked for is done then.

use serde_json::{Value, json};
use tandem::domain::row::RowKind;

use super::channels::{offer_to_the_pool, pool_channel};
use super::tuesday;
use crate::support::bot::{Post, TEAM, TestBot};

/// Two whom Slack knows by other addresses; neither gets a morning before the evening.
const MORE: &str = "email,name,roles,timezone,digest_time,manager_email,pool\n\
    rio@x.eu,Rio Vance,account_manager,Europe/Berlin,22:00,lea@x.eu,emea\n\
    bea@x.eu,Bea Stone,admin,Europe/Berlin,22:00,lea@x.eu,\n";

async fn with_newcomers() -> TestBot {
    let bot = tuesday().await;
    bot.import(RowKind::People, MORE).await;
    bot.slack.user("Uzed", json!({"real_name": "Zed", "profile": {"email": "zed@old.eu"}}));
    bot
}

/// The action behind *Introduce yourself* in the last private answer.
async fn offered(bot: &TestBot) -> String {
    let said = bot.private().await;
    assert!(said.contains("does not know you yet: nobody is listed under zed@old.eu"), "{said}");
    let last = bot.slack.calls("response").pop().unwrap().arguments;
    let elements = last["blocks"].as_array().unwrap().iter().find(|block| block["type"] == "actions").unwrap();
    elements["elements"][0]["value"].as_str().unwrap().to_owned()
}

/// Presses *Introduce yourself* and says to be somebody; what stands in the dialog then.
async fn introduce(bot: &TestBot, value: &str, email: &str) -> String {
    let place = Post { channel: "C7".into(), ts: "1.1".into(), summary: String::new(), blocks: Vec::new() };
    assert_eq!(bot.interact(&bot.press(TEAM, "zed", &place, value)).await.0, 200);
    bot.submit("zed", &[("email", email)]).await.to_string()
}

async fn actors(bot: &TestBot, event: &str) -> Vec<String> {
    let mut names = Vec::new();
    for found in bot.events_of(&bot.org).await.into_iter().filter(|found| found.event == event) {
        let id = found.actor.trim_start_matches("person:").to_owned();
        names.push(bot.text(&bot.org, &format!("SELECT name FROM tandem.person WHERE person_id = '{id}'")).await);
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_by_somebody_unknown_is_done_once_their_lead_says_who_they_are() {
    let bot = with_newcomers().await;
    pool_channel(&bot, "C7").await;
    offer_to_the_pool(&bot).await;
    bot.deliver().await;
    bot.read_privates().await;
    let offer = bot.next_post("C7");
    bot.skip();

    let claim = offer.value("Claim", "Bolt");
    assert_eq!(bot.interact(&bot.press(TEAM, "zed", &offer, &claim)).await.0, 200);
    let value = offered(&bot).await;
    let asked = introduce(&bot, &value, "Rio@x.eu").await;
    assert!(asked.contains("Asked whether it is you: Lea, Ada and Bea"), "{asked}");
    assert_eq!(bot.times("handoff.accepted").await, 0);
    let (leas, adas) = (bot.next_post("lea"), bot.next_post("ada"));
    bot.next_post("bea");
    assert!(leas.text().contains("Is this Rio Vance?") && leas.text().contains("Zed (zed@old.eu)"), "{}", leas.text());

    // Who can't tell has no say, however they came by the button; nor has whoever asks.
    let confirm = leas.value("Confirm", "Rio");
    for who in ["dana", "kim", "zed"] {
        assert_eq!(bot.interact(&bot.press(TEAM, who, &leas, &confirm)).await.0, 200);
        bot.private().await;
    }
    assert_eq!((bot.times("person.linked").await, bot.times("handoff.accepted").await), (0, 0));

    bot.click("lea", &leas, "Confirm", "Rio").await;
    assert!(bot.private().await.contains("It is Rio Vance: confirmed by you"));
    assert_eq!(actors(&bot, "person.linked").await, ["Lea Lead"]);
    assert_eq!(actors(&bot, "handoff.accepted").await, ["Rio Vance"]);
    let told = bot.next_post("zed");
    assert!(told.text().contains("Tandem knows you now, as Rio Vance: Lea confirmed it."), "{}", told.text());
    assert!(told.text().contains("Bolt"), "what was pressed on: {}", told.text());
    assert!(bot.now(&offer).text().contains("Claimed by Rio"), "{}", bot.now(&offer).text());
    for copy in [&leas, &adas] {
        let now = bot.now(copy);
        assert!(now.labels().is_empty() && now.text().contains("confirmed by"), "{}", now.text());
    }
    // Late and again: how it stands.
    assert_eq!(bot.interact(&bot.press(TEAM, "ada", &adas, &confirm)).await.0, 200);
    assert!(bot.private().await.contains("confirmed by Lea"));
    assert_eq!(bot.times("person.linked").await, 1);
    assert!(bot.slash("zed", "/tandem windows").await.contains("Bolt"), "known from now on");
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_another_s_place_and_a_refusal_holds() {
    let bot = with_newcomers().await;
    assert!(bot.slash("zed", "/account acme").await.contains("finding out who you are"));
    let value = offered(&bot).await;
    for (email, words) in [
        ("nobody@x.eu", "Nobody is listed under this address"),
        ("kim@x.eu", "Your admin has named another chat account"),
        ("rio", "That is no e-mail address"),
    ] {
        let said = introduce(&bot, &value, email).await;
        assert!(said.contains("\"errors\"") && said.contains(words), "{email}: {said}");
    }
    assert_eq!(bot.unseen_lines(), [], "nobody is asked");
    // An admin's place is for admins to confirm, not for the lead above them.
    let said = introduce(&bot, &value, "bea@x.eu").await;
    assert!(said.contains("Asked whether it is you: Ada."), "{said}");
    let first = bot.next_post("ada");
    // Asked for somebody else since: the first question is over.
    introduce(&bot, &value, "rio@x.eu").await;
    let second = bot.next_post("ada");
    bot.next_post("bea");
    assert!(bot.now(&first).labels().is_empty() && bot.now(&first).text().contains("This is over"));
    bot.next_post("lea");
    bot.click("ada", &second, "Refuse", "Rio").await;
    assert!(bot.private().await.contains("It is not Rio Vance: refused by you"));
    assert_eq!((bot.times("person.refused").await, bot.times("person.linked").await), (1, 0));
    let told = bot.next_post("zed");
    assert!(
        told.text().contains("You introduced yourself as rio@x.eu, and Ada says that this is not you."),
        "{told:?}"
    );
    assert!(bot.slash("zed", "/account acme").await.contains("finding out"), "still unknown");
    bot.private().await;
    introduce(&bot, &value, "rio@x.eu").await;
    bot.next_post("lea");
    bot.next_post("bea");
    let third = bot.next_post("ada");
    let said = introduce(&bot, &value, "rio@x.eu").await;
    assert!(said.contains("You asked several times today"), "{said}");
    // A week later nobody has answered.
    bot.at("2026-12-02T12:00:00Z").await;
    bot.skip();
    let late = third.value("Confirm", "Rio");
    bot.interact(&bot.press(TEAM, "ada", &third, &late)).await;
    assert!(bot.private().await.contains("This is over"));
    assert_eq!(bot.times("person.linked").await, 0);
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_command_is_answered_once_somebody_is_known_and_a_new_account_takes_the_old_one_s_place() {
    let bot = with_newcomers().await;
    // Rio was known by another account before, and answers from there.
    bot.slack.user("Urio", json!({"profile": {"email": "rio@x.eu"}}));
    bot.slash("rio", "/tandem help").await;
    bot.private().await;
    bot.slash("zed", "/account acme").await;
    let value = offered(&bot).await;
    let asked = introduce(&bot, &value, "rio@x.eu").await;
    assert!(asked.contains("Asked whether it is you: Rio, Lea, Ada and Bea"), "{asked}");
    let rios = bot.next_post("rio");
    assert!(rios.text().contains("says that it is you") && rios.text().contains("take its place"), "{}", rios.text());
    bot.skip();
    bot.click("rio", &rios, "Confirm", "Rio").await;
    bot.private().await;
    let told = bot.next_post("zed");
    assert!(told.text().contains("Tandem knows you now") && told.text().contains("Acme"), "{}", told.text());
    assert!(bot.slash("rio", "/account acme").await.contains("finding out"), "the old account is nobody's");
    bot.private().await;
    let linked = bot.events_of(&bot.org).await.into_iter().filter(|event| event.event == "person.linked");
    let how: Vec<Value> = linked.map(|event| event.data["how"].clone()).collect();
    assert_eq!(how, ["email", "confirmed"]);
    // What was asked for is asked anew with the one connection that there may be.
    let id = "SELECT m.message_id::text FROM tandem.message m WHERE m.content ? 'introduced'";
    let id = uuid::Uuid::parse_str(&bot.text(&bot.org, id).await).unwrap();
    let content = "SELECT m.content::text FROM tandem.message m WHERE m.content ? 'introduced'";
    let content: Value = serde_json::from_str(&bot.text(&bot.org, content).await).unwrap();
    let drawn = tandem::app::content::render(&bot.app.beside(1), bot.org.id, id, &content, None).await.unwrap();
    assert!(drawn.is_some_and(|message| message.blocks.len() > 2), "with what was asked for");
    bot.skip();
    bot.finish().await;
}
