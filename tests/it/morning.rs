//! The whole loop as people live it: files in, the night, each person's morning
//! in their own zone, clicks, and what everybody else then sees.

mod by_day;
mod calendars;
mod clocks;
mod contracts;
mod first_day;
mod handoffs;
mod leads;
mod one_card;
mod out_of_reach;
mod sides;

use futures_util::future::join_all;
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;

use crate::support::bot::{BESIDE, TEAM, TestBot};

const PEOPLE: &str = "email,name,roles,timezone,digest_time,manager_email,pool,slack_user_id\n\
    lea@x.eu,Lea Lead,lead,Europe/Berlin,08:30,,,\n\
    dana@x.eu,Dana Reyes,csm,Europe/Berlin,08:00,lea@x.eu,,\n\
    kim@x.eu,Kim Okafor,account_manager,America/New_York,09:00,lea@x.eu,,\n\
    noa@x.eu,Noa Rao,csm,Asia/Kolkata,08:00,lea@x.eu,,\n\
    pat@x.eu,Pat Moss,account_manager,Europe/Berlin,08:00,lea@x.eu,emea,\n\
    pia@x.eu,Pia Lund,account_manager,Europe/Berlin,08:00,lea@x.eu,emea,\n\
    vic@x.eu,Vic Hale,viewer,Europe/Berlin,08:00,,,Uvic\n";

/// Acme has a pair and serves notice, Bolt a CSM and a pool and full seats; Calm is well.
const ACCOUNTS: &str = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email,pool\n\
    acme,Acme,100000,100,2027-02-28,12,30,dana@x.eu,kim@x.eu,\n\
    bolt,Bolt,50000,100,2027-09-30,12,30,dana@x.eu,,emea\n\
    calm,Calm,20000,100,2027-09-30,12,30,noa@x.eu,kim@x.eu,\n";

/// Weekly seats in use, so that a window opens on Bolt and Calm is measured.
fn usage() -> String {
    let mut rows = "account_id,source,kind,observed_on,value\n".to_owned();
    for day in ["2026-10-18", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"] {
        rows += &format!(
            "bolt,usage,active_users,{day},95\ncalm,usage,active_users,{day},60\nacme,usage,active_users,{day},60\n"
        );
    }
    rows
}

/// The Sunday before the first night, everything imported.
async fn sunday() -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    bot.import(RowKind::Accounts, ACCOUNTS).await;
    bot.import(RowKind::Signals, &usage()).await;
    bot.import(RowKind::Signals, "account_id,source,kind,observed_on,value\nacme,crm,notice_served,2026-11-20,true\n")
        .await;
    bot
}

async fn nights(bot: &TestBot) -> i64 {
    bot.number(&bot.org, "SELECT count(*) FROM tandem.diagnosis_run").await
}

#[tokio::test(flavor = "multi_thread")]
async fn from_files_to_everybodys_morning_and_back() {
    let bot = sunday().await;
    bot.at("2026-11-23T00:59:59Z").await;
    assert_eq!(nights(&bot).await, 0, "02:00 in Berlin is not yet");
    bot.at("2026-11-23T01:00:00Z").await;
    assert_eq!(nights(&bot).await, 1);
    assert_eq!(bot.unseen_lines(), [], "nobody is woken at night");

    // Each at their own hour: 08:00 in Kolkata, Berlin, 09:00 in New York.
    bot.at("2026-11-23T02:29:59Z").await;
    assert_eq!(bot.unseen_lines(), []);
    bot.at("2026-11-23T02:30:00Z").await;
    let noas = bot.next_post("noa");
    assert!(noas.text().contains("Nothing needs you today. 1 account, none at risk."), "{}", noas.text());
    bot.at("2026-11-23T06:59:59Z").await;
    assert_eq!(bot.unseen_lines(), []);
    bot.at("2026-11-23T07:00:00Z").await;
    let danas = bot.next_post("dana");
    let said = danas.text();
    for words in [
        "Good morning, Dana · Monday 23 November 2026",
        "At risk (1)",
        "Acme",
        "Notice to end the contract",
        "€100k",
        "Windows to qualify (1)",
        "Bolt",
    ] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    assert!(danas.summary.contains("Acme served notice"), "{}", danas.summary);
    let (pats, pias) = (bot.next_post("pat"), bot.next_post("pia"));
    assert!(!pats.text().contains("Acme") && !pias.text().contains("Acme"), "not their account");
    bot.at("2026-11-23T07:30:00Z").await;
    let leas = bot.next_post("lea");
    assert!(leas.text().contains("€100k"), "{}", leas.text());
    bot.at("2026-11-23T13:59:59Z").await;
    assert_eq!(bot.unseen_lines(), []);
    bot.at("2026-11-23T14:00:00Z").await;
    let kims = bot.next_post("kim");
    assert!(kims.text().contains("Acme"), "a risk before a deadline concerns the AM too: {}", kims.text());
    assert!(!kims.labels().contains(&"Resolve".to_owned()) || kims.text().contains("Dana"), "{:?}", kims.labels());

    // One tap; every copy says so, without a new message.
    bot.clock.advance(chrono::TimeDelta::minutes(5));
    let value = danas.value("Acknowledge", "Acme");
    bot.click("dana", &danas, "Acknowledge", "Acme").await;
    assert_eq!(bot.done().await, ["risk.acknowledged"]);
    for copy in [&danas, &kims] {
        let now = bot.now(copy).text();
        assert!(now.contains("cknowledged") && now.contains("30 Nov"), "the copy is redrawn: {now}");
        assert!(!copy.text().contains("30 Nov"), "it was not there before: {}", copy.text());
    }
    assert!(!bot.now(&danas).labels().contains(&"Acknowledge".to_owned()));

    // A second click, late and from an old copy.
    let again = bot.press(TEAM, "dana", &danas, &value);
    assert_eq!(bot.interact(&again).await, (200, String::new()));
    assert_eq!(bot.private().await, "Acme: already acknowledged by you on Mon 23 Nov; next step due Mon 30 Nov.");
    assert_eq!(bot.times("risk.acknowledged").await, 1);

    // The card by name, privately, for whoever may see it.
    let card = bot.slash("vic", "/account acme").await;
    assert!(card.contains("Acme") && card.contains("Dana"), "{card}");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_silent_until_it_is_due_and_comes_back_when_it_got_worse() {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let first = bot.next_post("dana");
    bot.click("dana", &first, "Acknowledge", "Acme").await;
    bot.skip();
    // Tuesday: in hand, so nothing.
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T07:00:00Z").await;
    let tuesday = bot.next_post("dana");
    assert!(!tuesday.text().contains("At risk"), "{}", tuesday.text());
    assert!(first.summary.contains("served notice"), "{}", first.summary);
    assert!(!tuesday.summary.contains("served notice"), "read and in hand, it is no news: {}", tuesday.summary);
    bot.skip();
    // Wednesday's night finds more.
    let worse = "account_id,source,kind,observed_on,value\nacme,support,sev1_open_days,2026-11-24,20\n";
    bot.import(RowKind::Signals, worse).await;
    bot.at("2026-11-25T01:00:00Z").await;
    bot.at("2026-11-25T07:00:00Z").await;
    let wednesday = bot.next_post("dana");
    assert!(wednesday.text().contains("At risk (1)") && wednesday.text().contains("Acme"), "{}", wednesday.text());
    bot.skip();
    bot.at("2026-11-26T01:00:00Z").await;
    bot.at("2026-11-26T07:00:00Z").await;
    let thursday = bot.next_post("dana");
    assert!(!thursday.text().contains("At risk"), "{}", thursday.text());
    bot.skip();
    // Its next step's date.
    bot.at("2026-11-30T01:00:00Z").await;
    bot.at("2026-11-30T07:00:00Z").await;
    bot.skip();
    let shown = "SELECT count(*) FROM tandem.digest_item i JOIN tandem.digest d USING (org_id, digest_id) \
                 WHERE i.subject LIKE 'risk:%' AND d.local_date = '2026-11-30' AND i.account_id = 'acme'";
    assert!(bot.number(&bot.org, shown).await >= 1, "on the date of the next step it is there again");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_will_ask_for_again_is_forgotten_at_night() {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let danas = bot.next_post("dana");
    bot.click("dana", &danas, "Acknowledge", "Acme").await;
    bot.skip();
    let kept = async || {
        let day = "(SELECT message_id FROM tandem.message WHERE created_at < '2026-11-24')";
        let mut counts = Vec::new();
        for sql in [
            "SELECT count(*) FROM tandem.inbound_receipt WHERE received_at < '2026-11-24'".to_owned(),
            "SELECT count(*) FROM tandem.outbox WHERE kind = 'redraw' AND settled_at < '2026-11-24'".to_owned(),
            format!("SELECT count(*) FROM tandem.message_account WHERE message_id IN {day}"),
            format!("SELECT count(*) FROM tandem.outbox WHERE kind = 'post' AND message_id IN {day}"),
        ] {
            counts.push(bot.number(&bot.org, &sql).await > 0);
        }
        counts
    };
    assert_eq!(kept().await, [true, true, true, true]);
    bot.at("2026-11-27T01:00:00Z").await;
    bot.skip();
    assert_eq!(kept().await, [true, true, true, true], "a few days later all may still be asked for");
    bot.at("2026-12-28T01:00:00Z").await;
    bot.skip();
    assert_eq!(kept().await, [false, false, false, true], "what was said stays");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_repeats_and_races_of_a_click_have_one_effect() {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let danas = bot.next_post("dana");
    bot.at("2026-11-23T07:30:00Z").await;
    bot.skip();
    let value = danas.value("Acknowledge", "Acme");
    // The same delivery of one click, fifty times; and fifty clicks, half of them the lead's.
    let same = bot.press(TEAM, "dana", &danas, &value);
    let mut payloads = vec![same; 50];
    payloads.extend((0..50).map(|n| bot.press(TEAM, if n % 2 == 0 { "dana" } else { "lea" }, &danas, &value)));
    let answers = join_all(payloads.iter().map(|payload| bot.interact(payload))).await;
    assert!(answers.iter().all(|answer| *answer == (200, String::new())), "{answers:?}");
    for _ in 0..99 {
        let said = bot.private().await;
        assert!(said.starts_with("Acme: already acknowledged by "), "{said}");
    }
    assert_eq!(bot.done().await, ["risk.acknowledged"]);
    // A day later Slack delivers it once more.
    bot.clock.advance(chrono::TimeDelta::hours(20));
    assert_eq!(bot.interact(&payloads[0]).await.0, 200);
    assert!(bot.private().await.starts_with("Acme: already acknowledged by "));
    assert_eq!(bot.times("risk.acknowledged").await, 1);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_and_foreign_clicks_change_nothing() {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let danas = bot.next_post("dana");
    bot.skip();
    let value = danas.value("Acknowledge", "Acme");
    let payload = bot.press(TEAM, "dana", &danas, &value).to_string();
    let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload).finish();
    let calls = bot.slack.calls("response").len();
    let now = tandem::clock::Clock::now(&bot.clock).timestamp();
    for (what, at, signed) in [
        ("another body", now, crate::support::service::sign(now, b"payload=x")),
        ("old", now - 301, crate::support::service::sign(now - 301, body.as_bytes())),
        ("from the future", now + 301, crate::support::service::sign(now + 301, body.as_bytes())),
        ("another time", now - 1, crate::support::service::sign(now, body.as_bytes())),
        ("empty", now, String::new()),
        ("cut", now, crate::support::service::sign(now, body.as_bytes())[..40].to_owned()),
    ] {
        let (status, _) = bot.with_headers("/slack/interactions", &body, &at.to_string(), &signed).await;
        assert_eq!(status, 401, "{what}");
    }
    assert_eq!(bot.slack.calls("response").len(), calls, "no call out");
    assert_eq!(bot.done().await, Vec::<String>::new());

    // Well signed, but from the workspace beside, from nobody's workspace, by a stranger, by one who may only look.
    bot.slack.user("Ueve", serde_json::json!({"profile": {"email": "eve@evil.example"}}));
    for (team, who, wanted) in [
        ("T9", "dana", "This workspace is not linked to an organisation in Tandem yet."),
        (TEAM, "eve", "Tandem does not know you yet: nobody is listed under eve@evil.example."),
        (BESIDE, "eve", "Tandem does not know you yet. Ask your admin"),
    ] {
        assert_eq!(bot.interact(&bot.press(team, who, &danas, &value)).await, (200, String::new()));
        let said = bot.private().await;
        assert!(said.starts_with(wanted), "{team} {who}: {said}");
    }
    let looked = bot.slash("vic", "/account acme").await;
    assert!(looked.contains("Acme"), "{looked}");
    assert_eq!(bot.interact(&bot.press(TEAM, "vic", &danas, &value)).await.0, 200);
    assert!(bot.private().await.starts_with("You can see this account."), "look, don't act");
    assert_eq!(bot.done().await.iter().filter(|event| *event != "person.linked").count(), 0);
    bot.finish().await;
}

/// The organisation beside has a Dana too: her press on a card of this organisation finds nothing there.
#[tokio::test(flavor = "multi_thread")]
async fn the_other_organisations_people_find_nothing_here() {
    let bot = sunday().await;
    let user = "email,name,roles,slack_user_id\ndana@x.eu,Dana Reyes,csm,Udana2\n";
    bot.import_to(&bot.other, RowKind::People, user).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let danas = bot.next_post("dana");
    bot.skip();
    for value in [danas.value("Acknowledge", "Acme"), danas.value("Qualify", "Bolt")] {
        assert_eq!(bot.interact(&bot.press(BESIDE, "dana2", &danas, &value)).await, (200, String::new()));
        assert_eq!(bot.private().await, "This is not there any more, or not open to you.");
    }
    assert_eq!(bot.done().await, Vec::<String>::new());
    // The receipts of these clicks are all that the organisation beside has of them.
    bot.forget_receipts_beside().await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pools_members_hear_of_its_windows_and_not_of_renewals_that_the_csm_owns() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    // Its opt-out date is 59 days ahead: the step of 60 days is reached.
    bot.import(
        RowKind::Accounts,
        &ACCOUNTS.replace("bolt,Bolt,50000,100,2027-09-30", "bolt,Bolt,50000,100,2027-02-20"),
    )
    .await;
    bot.import(RowKind::Signals, &usage()).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let danas = bot.next_post("dana").text();
    assert!(danas.contains("*Renewal*.") && danas.contains("Bolt"), "the CSM owns it: {danas}");
    for member in ["pat", "pia"] {
        let said = bot.next_post(member);
        assert!(!said.text().contains("Renewal"), "{}", said.text());
        assert!(!said.summary.contains("renewal"), "{}", said.summary);
    }
    bot.skip();
    bot.finish().await;
}
