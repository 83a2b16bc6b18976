//! A pool's offers and a lead's morning in a channel of a team, and where they go when they cannot stand there.

use serde_json::{Value, json};
use tandem::app::channels::{self, Named};
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::store::channel::Channel;
use tandem::store::directory::{Platform, Workspace};

use super::signals;
use crate::support::PATIENCE;
use crate::support::bot::{TEAM, TestBot};
use crate::support::teams::{Card, TENANT};

const EMEA: &str = "19:emea@thread.tacv2";
const LEADS: &str = "19:leads@thread.tacv2";

const PEOPLE: &str = "email,name,roles,timezone,digest_time,manager_email,pool,teams_user_id\n\
    lea@x.eu,Lea Lead,lead;admin,Europe/Berlin,08:00,,,aad-lea\n\
    dana@x.eu,Dana Reyes,csm,Europe/Berlin,08:00,lea@x.eu,,aad-dana\n\
    pat@x.eu,Pat Moss,account_manager,Europe/Berlin,08:00,lea@x.eu,emea,aad-pat\n";

const ACCOUNTS: &str = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,pool\n\
    acme,Acme,100000,100,2027-02-28,12,30,dana@x.eu,\n\
    bolt,Bolt,50000,100,2027-09-30,12,30,dana@x.eu,emea\n";

fn channel(id: &str) -> Channel {
    Channel { workspace: Workspace { platform: Platform::Teams, id: TENANT.to_owned() }, id: id.to_owned() }
}

async fn set(bot: &TestBot, named: &Named, id: &str) -> Result<(), String> {
    let set = channels::set(&bot.app.store, bot.org.id, named, &channel(id), bot.app.now()).await;
    set.map_err(|error| error.to_string())
}

fn place(id: &str) -> Value {
    json!({"id": id, "tenantId": TENANT, "conversationType": "channel", "isGroup": true})
}

/// Somebody mentions Tandem in a channel, which is kept.
async fn mention(bot: &TestBot, id: &str, data: Value) {
    let thread = format!("{id};messageid=1");
    let more = json!({"text": "<at>Tandem</at> help", "conversation": place(&thread), "channelData": data.clone()});
    assert_eq!(bot.teams_sends(&bot.activity("pat", "message", more)).await.0, 200);
    bot.hears(&thread).await;
    bot.hears("pat").await;
    let shared = data["channel"]["type"] == "shared";
    let kept = format!("SELECT count(*) FROM tandem.conversation WHERE conversation_id = '{id}' AND shared = {shared}");
    let begun = std::time::Instant::now();
    while bot.number(&bot.org, &kept).await == 0 {
        assert!(begun.elapsed() < PATIENCE, "{id} was not kept");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Tuesday after its night, before anybody's morning; the pool and the lead have a channel.
async fn tuesday() -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    bot.import(RowKind::Accounts, ACCOUNTS).await;
    bot.import(RowKind::Signals, &signals()).await;
    bot.unlink(Platform::Slack, TEAM).await;
    bot.link_tenant(&bot.org, TENANT).await;
    let (pool, lead) = (Named::Pool("emea".into()), Named::Lead("lea@x.eu".into()));
    let unknown = set(&bot, &pool, EMEA).await.unwrap_err();
    assert!(unknown.contains("mention it there once"), "{unknown}");
    for id in [EMEA, LEADS] {
        mention(&bot, id, json!({"tenant": {"id": TENANT}, "channel": {"id": id, "type": "standard"}})).await;
    }
    set(&bot, &pool, EMEA).await.unwrap();
    set(&bot, &lead, LEADS).await.unwrap();
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-24T01:00:00Z").await;
    bot.teams.skip();
    bot
}

/// Dana qualifies Bolt's window, which has no AM, so that the pool is offered it.
async fn offer_to_the_pool(bot: &TestBot, danas: &Card) {
    let task = bot.fetches("dana", danas, "Qualify", "Bolt").await;
    let data = &mut task["value"]["card"]["content"]["actions"][0]["data"].clone();
    for (field, said) in [("need", "20 more seats"), ("contact", "Ines"), ("timing", "January")] {
        data[format!("f.{field}")] = said.into();
    }
    let submit = bot.activity("dana", "invoke", json!({"name": "task/submit", "value": {"data": data}}));
    assert_eq!(bot.teams_sends(&submit).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_reads_its_channel_and_claims_there() {
    let bot = tuesday().await;
    bot.at("2026-11-24T07:00:00Z").await;
    let leas = bot.hears(LEADS).await;
    assert!(leas.text().contains("Your team"), "{}", leas.text());
    let danas = bot.hears("dana").await;
    bot.teams.skip();
    offer_to_the_pool(&bot, &danas).await;
    bot.deliver().await;
    let offer = bot.hears(EMEA).await;
    assert!(offer.text().contains("Bolt"), "{}", offer.text());
    assert!(bot.teams.unseen().iter().all(|(place, _)| place != "a:pat"), "once, and not to each member");
    bot.clock.advance(chrono::TimeDelta::minutes(5));
    let mut claim = bot.executes("pat", &offer, "Claim", "Bolt");
    claim["conversation"] = place(&format!("{EMEA};messageid={}", offer.ids[0]));
    let (status, body) = bot.teams_sends(&claim).await;
    assert_eq!(status, 200);
    assert!(body["value"].to_string().contains("Pat"), "the presser sees it at once: {body}");
    bot.deliver().await;
    assert!(bot.teams_now(&offer).text().contains("Pat"), "everybody does: {}", bot.teams_now(&offer).text());
    assert!(bot.done().await.contains(&"handoff.accepted".to_owned()));
    bot.teams.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_channel_does_not_take_goes_to_direct_messages_within_ten_minutes_and_says_so() {
    let guest = json!({"id": "29:eva", "userRole": "guest", "tenantId": TENANT});
    for (closed, words) in [
        (None, "people from outside your company would see it"),
        (Some((403, "BotNotInConversationRoster")), "Tandem is not installed there in Teams"),
        (Some((404, "ConversationNotFound")), "Tandem cannot reach that conversation"),
        (Some((502, "BadGateway")), "the chat platform answered"),
    ] {
        let bot = tuesday().await;
        for id in [EMEA, LEADS] {
            match closed {
                Some((status, code)) => bot.teams.close(id, status, code),
                None => bot.teams.members(id, vec![guest.clone()]),
            }
        }
        bot.clock.set("2026-11-24T07:00:00Z".parse().unwrap());
        tandem::scheduler::tick(&bot.app).await.unwrap();
        deliver_for_ten_minutes(&bot, 1).await;
        let leas = bot.hears("lea").await;
        assert!(leas.text().contains("Your team") && leas.text().contains(words), "{}", leas.text());
        let danas = bot.hears("dana").await;
        bot.teams.skip();
        offer_to_the_pool(&bot, &danas).await;
        deliver_for_ten_minutes(&bot, 1).await;
        let pats = bot.hears("pat").await;
        assert!(pats.text().contains("Bolt") && pats.text().contains(words), "{}", pats.text());
        assert!(bot.teams.standing().iter().all(
            |one| one.conversation.contains(";messageid=1") || ![EMEA, LEADS].contains(&one.conversation.as_str())
        ));
        bot.teams.skip();
        bot.finish().await;
    }
}

/// Delivers at once, after the first retry and after the second; so many are given up on the way.
async fn deliver_for_ten_minutes(bot: &TestBot, lost: u64) {
    let mut given_up = 0;
    for wait in [0, 7, 400] {
        bot.clock.advance(chrono::TimeDelta::seconds(wait));
        given_up += bot.deliver_or_give_up().await;
        if given_up == lost {
            break;
        }
    }
    assert_eq!(given_up, lost);
    bot.deliver().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_channel_is_refused_and_one_that_nobody_can_be_told_of_reaches_an_admin() {
    let bot = tuesday().await;
    let pool = Named::Pool("emea".into());
    let shared = "19:shared@thread.tacv2";
    mention(&bot, shared, json!({"tenant": {"id": TENANT}, "channel": {"id": shared, "type": "shared"}})).await;
    let refused = set(&bot, &pool, shared).await.unwrap_err();
    assert!(refused.contains("shared channel"), "{refused}");
    // Its kind is kept, whatever later activities leave out; and a target that turns out to be one gets nothing.
    mention(&bot, EMEA, json!({"tenant": {"id": TENANT}, "channel": {"id": EMEA, "type": "shared"}})).await;
    bot.at("2026-11-24T07:00:00Z").await;
    let danas = bot.hears("dana").await;
    bot.teams.skip();
    // Neither the channel nor Pat's own chat takes it.
    bot.teams.block("a:pat");
    offer_to_the_pool(&bot, &danas).await;
    let mut lost = 0;
    for _ in 0..2 {
        lost += bot.deliver_or_give_up().await;
    }
    assert_eq!(lost, 2, "in the channel, then to Pat");
    bot.deliver().await;
    let told = bot.hears("lea").await.text();
    assert!(told.contains("Pat") && told.contains("could not be delivered"), "{told}");
    bot.teams.skip();
    bot.finish().await;
}
