//! What arrives in Teams when things break: how often, to whom, and who hears of it.

use std::time::Duration;

use serde_json::json;

use super::{lea_is_admin, monday, sunday};
use crate::support::bot::TestBot;
use crate::support::fake_teams::Trouble;
use crate::support::until;

/// Sunday, then everything that is due at eight on Monday is queued.
async fn eight() -> TestBot {
    let bot = sunday().await;
    bot.unlink_beside().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.clock.set("2026-11-23T07:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    bot
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_opened_once_and_one_token_serves_all() {
    let (bot, _, _) = monday().await;
    assert_eq!(bot.teams.calls("open").len(), 2);
    let opened = &bot.teams.calls("open")[0].body;
    assert_eq!(opened["members"].as_array().map(Vec::len), Some(1));
    assert_eq!(opened["tenantId"], opened["channelData"]["tenant"]["id"]);
    assert_eq!(bot.teams.calls("token").len(), 1);
    bot.at("2026-11-23T07:30:00Z").await;
    bot.hears("lea").await;
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T07:30:00Z").await;
    bot.teams.skip();
    assert_eq!(bot.teams.calls("open").len(), 3, "Lea's; nobody's twice");
    assert_eq!(bot.teams.calls("token").len(), 1);
    // A token that is no longer accepted is replaced once, and the message arrives.
    bot.teams.once("post", Trouble::Refused(401, "Unauthorized"));
    bot.teams.skip();
    bot.types("dana", "risks").await;
    assert_eq!(bot.teams.calls("token").len(), 2);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_is_waited_out_and_nothing_is_lost_or_said_twice() {
    let bot = eight().await;
    bot.teams.once("post", Trouble::RateLimited(1));
    bot.teams.once("post", Trouble::Refused(502, "BadGateway"));
    bot.teams.once("open", Trouble::Refused(412, "PreconditionFailed"));
    let before = bot.teams.calls("post").len();
    until("both have their morning", async || {
        bot.deliver().await;
        bot.clock.advance(chrono::TimeDelta::seconds(1));
        bot.times("digest.sent").await == 2
    })
    .await;
    let posts = &bot.teams.calls("post")[before..];
    let again = posts[1..].iter().find(|call| call.conversation == posts[0].conversation).unwrap();
    let waited = again.at - posts[0].at;
    assert!(waited >= Duration::from_secs(1), "asked again after {waited:?}");
    let (dana, kim) = (bot.hears("dana").await, bot.hears("kim").await);
    assert_eq!((dana.ids.len(), kim.ids.len()), (1, 1));
    assert_eq!(bot.times("digest.sent").await, 2);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_arrived_is_sent_once_more_and_no_oftener() {
    let bot = eight().await;
    // Stored, then 504: nobody can tell. Once more is allowed.
    bot.teams.always("post", Trouble::DoneThen(504));
    bot.deliver_or_give_up().await;
    assert_eq!(bot.teams.standing().len(), 2, "one for each");
    bot.clock.advance(chrono::TimeDelta::seconds(7));
    assert_eq!(bot.deliver_or_give_up().await, 2);
    bot.clock.advance(chrono::TimeDelta::hours(3));
    bot.deliver_or_give_up().await;
    let of = |who: &str| bot.teams.standing().iter().filter(|one| one.conversation == format!("a:{who}")).count();
    assert_eq!((of("dana"), of("kim")), (2, 2), "two copies at most");
    bot.teams.forget_troubles();
    bot.clock.advance(chrono::TimeDelta::hours(3));
    bot.deliver().await;
    assert_eq!((of("dana"), of("kim")), (2, 2));
    bot.teams.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_blocked_the_app_is_left_alone_and_an_admin_hears_of_it_once() {
    let (bot, _, _) = monday().await;
    lea_is_admin(&bot).await;
    bot.at("2026-11-23T07:30:00Z").await;
    bot.teams.skip();
    bot.clock.set("2026-11-24T01:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    bot.clock.set("2026-11-24T07:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    bot.teams.block("a:dana");
    bot.teams.block("a:kim");
    let lost = bot.deliver_or_give_up().await;
    assert!(lost >= 2, "Dana's and Kim's mornings");
    bot.deliver().await;
    let told = bot.hears("lea").await;
    assert!(told.text().contains("they blocked Tandem in Teams"), "{}", told.text());
    bot.teams.skip();
    let to_both = || {
        bot.teams.calls("post").iter().filter(|call| ["a:dana", "a:kim"].contains(&call.conversation.as_str())).count()
    };
    let posts = to_both();
    bot.clock.set("2026-11-25T01:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    bot.clock.set("2026-11-25T07:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    assert!(bot.deliver_or_give_up().await >= 2, "not even tried");
    assert_eq!(to_both(), posts);
    // Dana writes: she is there again.
    bot.teams.unblock("a:dana");
    bot.types("dana", "risks").await;
    bot.clock.set("2026-11-26T01:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    bot.clock.set("2026-11-26T07:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    assert!(bot.deliver_or_give_up().await >= 1, "Kim's alone");
    assert!(bot.hears("dana").await.text().contains("Good morning, Dana"));
    bot.teams.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_that_an_activity_names_is_the_one_that_is_called_from_then_on() {
    let bot = eight().await;
    let named = format!("{}emea/", bot.teams.url());
    for (who, region) in [("dana", "emea"), ("kim", "emea")] {
        let activity = bot.activity(who, "message", json!({"text": "help", "serviceUrl": named}));
        assert_eq!(bot.teams_sends(&activity).await.0, 200);
        bot.hears(who).await;
        assert!(bot.teams.regions().contains(region));
    }
    let kept = "SELECT count(*) FROM tandem.conversation WHERE service_url LIKE '%/emea/'";
    until("both addresses are kept", async || bot.number(&bot.org, kept).await == 2).await;
    // It moves: the next activity says so, and the morning follows.
    let moved = format!("{}amer/", bot.teams.url());
    let activity = bot.activity("dana", "message", json!({"text": "help", "serviceUrl": moved}));
    assert_eq!(bot.teams_sends(&activity).await.0, 200);
    bot.hears("dana").await;
    let moved = "SELECT count(*) FROM tandem.conversation WHERE service_url LIKE '%/amer/'";
    until("the new address is kept", async || bot.number(&bot.org, moved).await == 1).await;
    bot.deliver().await;
    for who in ["dana", "kim"] {
        assert!(bot.hears(who).await.text().contains("Good morning"), "{who}");
    }
    assert_eq!(bot.teams.regions().into_iter().collect::<Vec<_>>(), ["amer", "emea"]);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_that_is_gone_is_opened_anew_and_who_has_no_id_is_named() {
    let (bot, _, _) = monday().await;
    lea_is_admin(&bot).await;
    bot.teams.skip();
    bot.teams.once("post", Trouble::Refused(404, "ConversationNotFound"));
    bot.clock.set("2026-11-24T01:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    bot.at("2026-11-24T07:00:00Z").await;
    for who in ["dana", "kim"] {
        assert!(bot.hears(who).await.text().contains("Good morning"), "{who}");
    }
    let opened = bot.teams.calls("open");
    let of = |who: &str| opened.iter().filter(|call| call.body["members"][0]["id"] == format!("aad-{who}")).count();
    assert_eq!(of("dana") + of("kim") + of("lea"), 4, "one of them twice");
    bot.teams.skip();
    bot.import_to(
        &bot.org,
        tandem::domain::row::RowKind::People,
        "email,name,roles,digest_time,manager_email\nnew@x.eu,New Ton,csm,08:00,lea@x.eu\n",
    )
    .await;
    bot.clock.set("2026-11-25T01:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    bot.clock.set("2026-11-25T07:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    assert_eq!(bot.deliver_or_give_up().await, 1);
    bot.deliver().await;
    let told = bot.hears("lea").await;
    assert!(told.text().contains("their teams_user_id is not imported"), "{}", told.text());
    bot.teams.skip();
    assert_eq!(bot.number(&bot.org, "SELECT count(*) FROM tandem.conversation").await, 0, "nobody has written yet");
    bot.teams_sends(&bot.activity("dana", "message", json!({"text": "help"}))).await;
    bot.hears("dana").await;
    bot.finish().await;
}
