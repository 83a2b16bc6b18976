//! Channels for pools and leads: what goes there, and where it goes when it cannot.

use serde_json::{Value, json};
use tandem::app::channels::{self, Named};
use tandem::store::channel::Channel;
use tandem::store::directory::{Platform, Workspace};

use super::tuesday;
use crate::support::bot::{TEAM, TestBot};
use crate::support::fake_slack::Trouble;

async fn set(bot: &TestBot, named: Named, id: &str) {
    let workspace = Workspace { platform: Platform::Slack, id: TEAM.to_owned() };
    let channel = Channel { workspace, id: id.to_owned() };
    channels::set(&bot.app.store, bot.org.id, &named, &channel, tandem::clock::Clock::now(&bot.clock)).await.unwrap();
}

/// The emea pool reads this channel.
pub(super) async fn pool_channel(bot: &TestBot, id: &str) {
    set(bot, Named::Pool("emea".into()), id).await;
}

/// Dana qualifies Bolt's window, which has no AM, and offers it to the pool.
pub(super) async fn offer_to_the_pool(bot: &TestBot) {
    bot.at("2026-11-24T07:00:00Z").await;
    let morning = bot.next_post("dana");
    bot.skip();
    bot.click("dana", &morning, "Qualify", "Bolt").await;
    let answers = [("need", "20 more seats"), ("contact", "Ines"), ("timing", "January")];
    bot.submit("dana", &answers).await;
    if bot.now(&morning).labels().contains(&"Offer to AM".to_owned()) {
        let value = bot.now(&morning).value("Offer to AM", "Bolt");
        bot.interact(&bot.press(TEAM, "dana", &morning, &value)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_reads_its_channel_and_claims_there() {
    let bot = tuesday().await;
    set(&bot, Named::Pool("emea".into()), "C7").await;
    offer_to_the_pool(&bot).await;
    bot.deliver().await;
    bot.read_privates().await;
    let offer = bot.next_post("C7");
    assert!(offer.text().contains("Bolt"), "{}", offer.text());
    assert!(bot.unseen_lines().iter().all(|(place, _)| place != "Dpat"), "once, and not to each member");
    // What comes later about the account stands in its thread.
    bot.at("2026-11-25T01:00:00Z").await;
    bot.at("2026-11-25T12:00:00Z").await;
    let there: Vec<_> = bot.slack.standing().into_iter().filter(|message| message.channel == "C7").collect();
    assert!(there.len() > 1 && there[1..].iter().all(|later| later.thread_ts.as_ref() == Some(&offer.ts)), "{there:?}");
    // A line of it, with the buttons that fit, and not the card once more.
    let reminder: Vec<Value> = serde_json::from_str(&there[1].blocks).unwrap();
    assert_eq!(reminder.len(), 2, "{reminder:?}");
    assert!(there[1].text.starts_with("Reminder: Bolt · more seats"), "{}", there[1].text);
    assert!(there[1].text.contains("Nobody has claimed it yet; the answer is due"), "{}", there[1].text);
    assert_eq!(reminder[1]["elements"][0]["accessibility_label"], "Claim Bolt");
    bot.click("pat", &offer, "Claim", "Bolt").await;
    assert!(bot.now(&offer).text().contains("Pat"), "{}", bot.now(&offer).text());
    let later = bot.slack.standing().into_iter().find(|message| message.ts == there[1].ts).unwrap();
    assert!(later.text.contains("Claimed by Pat") && !later.blocks.contains("Claim Bolt"), "{later:?}");
    bot.skip();
    bot.read_privates().await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_channel_does_not_take_goes_to_direct_messages_and_says_so() {
    for (trouble, words) in [
        (Some("is_archived"), "the channel is archived"),
        (Some("channel_not_found"), "Tandem cannot reach that conversation"),
        (None, "people from outside your company would see it"),
    ] {
        let bot = tuesday().await;
        set(&bot, Named::Pool("emea".into()), "C7").await;
        set(&bot, Named::Lead("lea@x.eu".into()), "C8").await;
        match trouble {
            Some(code) => bot.slack.always("conversations.info", Trouble::Refused(code)),
            None => ["C7", "C8"].iter().for_each(|id| bot.slack.channel(id, json!({"is_pending_ext_shared": true}))),
        }
        bot.clock.set("2026-11-24T07:00:00Z".parse().unwrap());
        tandem::scheduler::tick(&bot.app).await.unwrap();
        assert_eq!(bot.deliver_or_give_up().await, 1, "the lead's morning in C8");
        bot.deliver().await;
        let leas = bot.next_post("lea");
        assert!(leas.text().contains("Your team") && leas.text().contains(words), "{}", leas.text());
        assert!(bot.slack.standing().iter().all(|message| message.channel != "C8"));
        let morning = bot.next_post("dana");
        bot.skip();
        let value = bot.now(&morning).value("Qualify", "Bolt");
        bot.interact(&bot.press(TEAM, "dana", &morning, &value)).await;
        bot.submit_without_delivery("dana", &[("need", "seats"), ("contact", "Ines"), ("timing", "January")]).await;
        if bot.now(&morning).labels().contains(&"Offer to AM".to_owned()) {
            bot.deliver_or_give_up().await;
            let value = bot.now(&morning).value("Offer to AM", "Bolt");
            bot.interact(&bot.press(TEAM, "dana", &morning, &value)).await;
        }
        bot.deliver_or_give_up().await;
        bot.deliver().await;
        let pats = bot.next_post("pat");
        assert!(pats.text().contains("Bolt") && pats.text().contains(words), "{}", pats.text());
        bot.skip();
        bot.read_privates().await;
        bot.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_channel_is_refused_with_a_sentence() {
    let bot = tuesday().await;
    let workspace = Workspace { platform: Platform::Slack, id: TEAM.to_owned() };
    let at = tandem::clock::Clock::now(&bot.clock);
    for (named, id, words) in [
        (Named::Pool("apac".into()), "C7", "nobody belongs to a pool \"apac\"; there are: emea"),
        (Named::Lead("dana@x.eu".into()), "C7", "Dana Reyes is no lead"),
        (Named::Lead("no@x.eu".into()), "C7", "nobody here has the address"),
    ] {
        let channel = Channel { workspace: workspace.clone(), id: id.to_owned() };
        let refused = channels::set(&bot.app.store, bot.org.id, &named, &channel, at).await.unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
    assert_eq!(bot.times("settings.changed").await, 0);
    bot.finish().await;
}
