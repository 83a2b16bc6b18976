//! Who is let in: what is refused costs nothing and changes nothing.

use serde_json::{Value, json};
use tandem::app::organisation;
use tandem::store::directory::{Platform, Workspace};

use super::sunday;
use crate::support::PATIENCE;
use crate::support::bot::TestBot;
use crate::support::fake_teams::{APP_ID, FakeTeams, Trouble};
use crate::support::teams::{BESIDE, TENANT};

/// A token for a command of Dana's, changed before it is signed.
fn with(bot: &TestBot, activity: &Value, change: impl Fn(&mut Value)) -> String {
    let mut claims = bot.teams.claims(activity);
    change(&mut claims);
    format!("Bearer {}", FakeTeams::sign("main", &claims))
}

/// The same token with another header.
fn headed(token: &str, header: Value) -> String {
    use base64::Engine as _;
    let rest = token.split_once('.').expect("a token").1;
    format!("Bearer {}.{rest}", base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(header.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn only_microsofts_channel_is_let_in() {
    let bot = sunday().await;
    let activity = bot.activity("dana", "message", json!({"text": "help"}));
    let now = bot.teams.claims(&activity)["exp"].as_i64().unwrap() - 3600;
    let good = FakeTeams::sign("main", &bot.teams.claims(&activity));
    let mut tampered: Vec<&str> = good.split('.').collect();
    let other = FakeTeams::sign("main", &json!({"iss": "x"}));
    tampered[1] = other.split('.').nth(1).unwrap();
    let set = |key: &'static str, value: Value| move |claims: &mut Value| claims[key] = value.clone();
    let drop_claim = |key: &'static str| move |claims: &mut Value| drop(claims.as_object_mut().unwrap().remove(key));
    let kid = |kid: &str| headed(&good, json!({"alg": "RS256", "typ": "JWT", "kid": kid}));
    let bad = [
        ("empty", "Bearer ".to_owned()),
        ("another scheme", "Basic dXNlcjpwYXNz".to_owned()),
        ("no token", "Bearer abc.def.ghi".to_owned()),
        ("another audience", with(&bot, &activity, set("aud", json!("00000000-dead-4000-8000-000000000000")))),
        ("no audience", with(&bot, &activity, drop_claim("aud"))),
        ("several audiences", with(&bot, &activity, set("aud", json!([APP_ID])))),
        ("another issuer", with(&bot, &activity, set("iss", json!("https://api.botframework.com.evil.example")))),
        ("expired", with(&bot, &activity, set("exp", json!(now - 301)))),
        ("no end", with(&bot, &activity, drop_claim("exp"))),
        ("not yet", with(&bot, &activity, set("nbf", json!(now + 301)))),
        (
            "another service address",
            with(&bot, &activity, set("serviceurl", json!("https://smba.trafficmanager.net/"))),
        ),
        ("no service address", with(&bot, &activity, drop_claim("serviceurl"))),
        ("tampered", format!("Bearer {}", tampered.join("."))),
        ("alg none", headed(&good, json!({"alg": "none", "kid": "main"}))),
        ("hs256", headed(&good, json!({"alg": "HS256", "kid": "main"}))),
        ("no kid", headed(&good, json!({"alg": "RS256"}))),
        ("unknown kid", kid("rogue")),
        ("key of another channel", kid("web")),
        ("key without endorsements", kid("bare")),
        ("key that is too short", kid("short")),
        ("another key's signature", format!("Bearer {}", FakeTeams::sign("next", &bot.teams.claims(&activity)))),
    ];
    assert_eq!(bot.teams_sends_with(&activity, None).await.0, 401);
    for (what, authorization) in &bad {
        assert_eq!(bot.teams_sends_with(&activity, Some(authorization)).await.0, 401, "{what}");
    }
    // Signed well, for an address that is nobody's but the sender's; and for another channel.
    for (key, value) in [("serviceUrl", "http://127.0.0.1:9/"), ("channelId", "webchat")] {
        let mut forged = activity.clone();
        forged[key] = value.into();
        assert_eq!(bot.teams_sends(&forged).await.0, 401, "{key}");
    }
    for call in ["token", "post", "open", "member"] {
        assert!(bot.teams.calls(call).is_empty(), "{call} was called for somebody who was not let in");
    }
    assert_eq!(bot.number(&bot.org, "SELECT count(*) FROM tandem.inbound_receipt").await, 0);
    assert_eq!(bot.number(&bot.org, "SELECT count(*) FROM tandem.conversation").await, 0);
    // However many unknown keys were named: one look at Microsoft's, and none before the claims were in order.
    assert_eq!(bot.teams.calls("openid").len(), 1);

    // Within the five minutes that clocks may be apart.
    for (key, value) in [("exp", now - 120), ("nbf", now + 120)] {
        let token = with(&bot, &activity, set(key, json!(value)));
        assert_eq!(bot.teams_sends_with(&activity, Some(&token)).await.0, 200, "{key}");
    }
    bot.hears("dana").await;
    assert_eq!(bot.teams_sends_with(&activity, Some("Bearer  ")).await.0, 401);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_microsofts_keys_nobody_is_let_in_and_old_keys_go_on() {
    let bot = sunday().await;
    bot.teams.once("openid", Trouble::Refused(500, ""));
    let activity = bot.activity("dana", "message", json!({"text": "help"}));
    assert_eq!(bot.teams_sends(&activity).await.0, 503, "it can't be told who that is");
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(bot.teams_sends(&activity).await.0, 200);
    bot.hears("dana").await;
    // Another key is asked for once a minute; those that are known go on meanwhile.
    bot.teams.rotate();
    let token = FakeTeams::sign("next", &bot.teams.claims(&activity));
    for _ in 0..3 {
        assert_eq!(bot.teams_sends_with(&activity, Some(&format!("Bearer {token}"))).await.0, 401);
    }
    assert_eq!(bot.teams.calls("openid").len(), 2);
    assert_eq!(bot.teams_sends(&bot.activity("dana", "message", json!({"text": "help"}))).await.0, 200);
    bot.hears("dana").await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_come_at_once_keys_and_token_are_asked_for_once() {
    let bot = sunday().await;
    let activities: Vec<Value> = (0..30).map(|_| bot.activity("dana", "message", json!({"text": "help"}))).collect();
    let answers = futures_util::future::join_all(activities.iter().map(|activity| bot.teams_sends(activity))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    let begun = std::time::Instant::now();
    while bot.teams.standing().len() < 30 {
        assert!(begun.elapsed() < PATIENCE, "{}", bot.teams.standing().len());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for call in ["openid", "keys", "token"] {
        assert_eq!(bot.teams.calls(call).len(), 1, "{call}");
    }
    bot.teams.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_kept_apart() {
    let bot = sunday().await;
    let stranger = "dddddddd-0000-4000-8000-00000000dead";
    let from = |tenant: &str, channel: &str, text: &str| {
        let place = json!({"id": "a:eve", "tenantId": tenant, "conversationType": "personal"});
        bot.activity(
            "eve",
            "message",
            json!({"text": text, "conversation": place, "channelData": {"tenant": {"id": channel}}}),
        )
    };
    // Named differently in the two places, or in one only: refused, whoever signed it.
    assert_eq!(bot.teams_sends(&from(stranger, BESIDE, "account acme")).await.0, 403);
    assert_eq!(bot.teams_sends(&from(BESIDE, "", "account acme")).await.0, 403);
    assert_eq!(bot.teams.unseen(), []);
    // Nobody's: one polite refusal, and no data.
    for _ in 0..3 {
        assert_eq!(bot.teams_sends(&from(stranger, stranger, "account acme")).await.0, 200);
    }
    let refusal = bot.hears("eve").await;
    assert!(refusal.text().contains(&format!("tandem link teams {stranger}")), "{}", refusal.text());
    let press = bot.activity("eve", "invoke", json!({
        "name": "adaptiveCard/action", "conversation": {"id": "a:eve", "tenantId": stranger}, "channelData": {"tenant": {"id": stranger}},
        "value": {"action": {"verb": "show_more", "data": {"a": "show_more|account:acme"}}},
    }));
    let (status, told) = bot.teams_sends(&press).await;
    assert_eq!((status, told["type"].as_str()), (200, Some("application/vnd.microsoft.activity.message")));
    assert!(!told.to_string().contains("Acme"), "{told}");

    // Named the chat of somebody else, an answer still goes to the asker's own.
    let asked =
        bot.activity("dana", "message", json!({"text": "risks", "conversation": {"id": "a:kim", "tenantId": TENANT}}));
    assert_eq!(bot.teams_sends(&asked).await.0, 200);
    bot.hears("dana").await;
    assert_eq!(bot.teams.unseen(), []);

    // Somebody of the organisation beside presses a button of ours: the account is not there for them.
    bot.unlink_beside().await;
    let workspace = Workspace { platform: Platform::Teams, id: BESIDE.to_owned() };
    organisation::link(&bot.app.store, bot.other.id, &workspace, bot.app.now()).await.unwrap();
    let risk = "acknowledge|risk:00000000-0000-0000-0000-000000000001";
    let foreign = bot.activity("dana", "invoke", json!({
        "name": "adaptiveCard/action", "conversation": {"id": "a:dana2", "tenantId": BESIDE}, "channelData": {"tenant": {"id": BESIDE}},
        "value": {"action": {"verb": "acknowledge", "data": {"a": risk}}},
    }));
    let (_, told) = bot.teams_sends(&foreign).await;
    assert_eq!(told["value"], "This is not there any more, or not open to you.");
    assert_eq!(bot.done().await, Vec::<String>::new());
    bot.set_aside().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_limit_and_strange_activities_are_taken() {
    let bot = sunday().await;
    let long = bot.activity("dana", "message", json!({"text": "x".repeat(1 << 20)}));
    assert_eq!(bot.teams_sends(&long).await.0, 413);
    for kind in ["messageUpdate", "messageDelete", "messageReaction", "typing", "event", "someFutureType"] {
        let activity = bot.activity("dana", kind, json!({"text": "account acme"}));
        assert_eq!(bot.teams_sends(&activity).await.0, 200, "{kind}");
    }
    let invoke = bot.activity("dana", "invoke", json!({"name": "composeExtension/query", "value": {}}));
    assert_eq!(bot.teams_sends(&invoke).await.0, 501);
    for name in ["task/fetch", "task/submit", "adaptiveCard/action"] {
        for value in [
            json!({}),
            json!({"data": {"a": 7}}),
            json!({"data": "x"}),
            json!({"action": {"data": {"a": "drop|risk:1"}}}),
        ] {
            let (status, body) =
                bot.teams_sends(&bot.activity("dana", "invoke", json!({"name": name, "value": value}))).await;
            assert_eq!(status, 200, "{name} {value}");
            assert!(body.to_string().contains("no longer in use"), "{name} {value}: {body}");
        }
    }
    let token = FakeTeams::sign("main", &bot.teams.claims(&long));
    let request =
        reqwest::Client::builder().no_proxy().build().unwrap().post(format!("http://{}/teams/messages", bot.address()));
    let broken = request.bearer_auth(token).body("{\"channelId\": 7").send().await.unwrap();
    assert_eq!(broken.status().as_u16(), 400);
    assert_eq!(bot.done().await, Vec::<String>::new());
    bot.finish().await;
}
