//! Nothing is ever unrouted: whoever cannot be written to is stood in for, and it says why.

use serde_json::json;
use tandem::domain::row::RowKind;
use tandem::scheduler;

use super::{PEOPLE, sunday};

#[tokio::test(flavor = "multi_thread")]
async fn a_csm_without_a_chat_is_stood_in_for_until_a_message_arrives() {
    let bot = sunday().await;
    bot.slack.user("Udana", json!({"deleted": true}));
    bot.at("2026-11-23T01:00:00Z").await;
    bot.clock.set("2026-11-23T07:00:00Z".parse().unwrap());
    scheduler::tick(&bot.app).await.unwrap();
    assert_eq!(bot.deliver_or_give_up().await, 1, "Dana's morning");
    // Her lead hears at once for what she stands in, and has it in her own morning, with the reason.
    let told = bot.next_post("lea");
    let said = "Out of reach in chat: Dana. Standing in: you, for 1 risk, 1 handoff. \
                It all comes back once a message arrives there again.";
    assert_eq!(told.summary, said);
    bot.skip();
    bot.at("2026-11-23T07:30:00Z").await;
    let leas = bot.next_post("lea");
    bot.skip();
    let said = leas.text();
    assert!(said.contains("Dana Reyes, the CSM, cannot be reached in chat: Lea Lead stands in"), "{said}");
    assert!(
        leas.labels().contains(&"Acknowledge".to_owned()) && leas.labels().contains(&"Qualify".to_owned()),
        "{said}"
    );
    // The clocks run with who was shown it.
    let clocks = "SELECT count(*) FROM directory.due WHERE kind IN ('risk', 'handoff')";
    assert_eq!(bot.number(&bot.org, clocks).await, 2);
    let held = "SELECT split_part(p.email, '@', 1) FROM tandem.handoff h JOIN tandem.person p ON p.org_id = h.org_id AND p.person_id = h.accountable";
    assert_eq!(bot.text(&bot.org, held).await, "lea");
    bot.click("lea", &leas, "Acknowledge", "Acme").await;
    assert_eq!(bot.done().await, ["risk.acknowledged"]);

    // A day later chat knows her again: her morning arrives, and on the next all is hers.
    bot.slack.user("Udana", json!({"deleted": false}));
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T07:00:00Z").await;
    assert!(bot.unseen_lines().iter().any(|(place, _)| place == "Ddana"), "{:?}", bot.unseen_lines());
    bot.skip();
    bot.at("2026-11-25T01:00:00Z").await;
    bot.at("2026-11-25T07:00:00Z").await;
    assert_eq!(bot.text(&bot.org, held).await, "dana");
    let back: Vec<String> =
        bot.said_to("lea").into_iter().filter(|said| said.starts_with("Back again: Dana.")).collect();
    assert_eq!(back, ["Back again: Dana. No longer standing in: you. Handed back: 1 risk, 1 handoff."]);
    bot.skip();
    bot.finish().await;
}

/// An offer to somebody who is out of reach reaches the next in line, card and clock and all; an admin hears once.
#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_does_not_arrive_is_offered_on() {
    let bot = sunday().await;
    let people = PEOPLE.replace("America/New_York,09:00,lea@x.eu,,", "Europe/Berlin,09:00,lea@x.eu,,");
    bot.import(RowKind::People, &format!("{people}ada@x.eu,Ada Quinn,admin,Europe/Berlin,08:00,,,\n")).await;
    let account = "account_id,name,account_manager_email,pool\nbolt,Bolt,kim@x.eu,\\N\n";
    bot.import(RowKind::Accounts, account).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let danas = bot.next_post("dana");
    bot.at("2026-11-23T08:00:00Z").await;
    bot.skip();
    bot.slack.user("Ukim", json!({"deleted": true}));
    // Her direct messages were known; Slack says now that the account is no more.
    let forget = "UPDATE tandem.chat_user SET dm_channel_id = NULL WHERE user_id = 'Ukim'";
    let mut tx = bot.db().tenant(bot.org.id).await;
    sqlx::query(forget).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    bot.clock.set("2026-11-23T09:00:00Z".parse().unwrap());
    let value = danas.value("Qualify", "Bolt");
    assert_eq!(bot.interact(&bot.press("T1", "dana", &danas, &value)).await.0, 200);
    let answers = [("need", "Seats"), ("contact", "Eva Sol"), ("timing", "Soon")];
    bot.submit_without_delivery("dana", &answers).await;
    assert_eq!(bot.deliver_or_give_up().await, 1);
    let leas = bot.next_post("lea");
    let next = if leas.summary.starts_with("Out of reach in chat: Kim.") { bot.next_post("lea") } else { leas };
    assert!(next.labels().contains(&"Claim".to_owned()), "{}", next.text());
    let adas: Vec<String> = bot.said_to("ada");
    assert_eq!(adas.iter().filter(|said| said.contains("Kim")).count(), 1, "{adas:?}");
    bot.click("lea", &next, "Claim", "Bolt").await;
    assert_eq!(bot.done().await, ["handoff.qualified", "handoff.offered", "handoff.accepted"]);
    bot.skip();
    bot.finish().await;
}
