//! Windows pass from hand to hand, and everybody's copies follow.

use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;

use super::{PEOPLE, sunday, usage};
use crate::support::bot::{Post, TEAM, TestBot};

const QUALIFICATION: [(&str, &str); 3] =
    [("need", "Twenty more seats for the new team"), ("contact", "Eva Sol, COO"), ("timing", "Before Christmas")];

/// Monday morning; Dana's and the pool's messages.
async fn monday() -> (TestBot, Post) {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let danas = bot.next_post("dana");
    bot.skip();
    bot.clock.advance(chrono::TimeDelta::minutes(10));
    (bot, danas)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_amount_that_a_csm_confirms_outlives_the_night() {
    let (bot, danas) = monday().await;
    bot.click("dana", &danas, "Qualify", "Bolt").await;
    bot.submit("dana", &[&QUALIFICATION[..], &[("amount", "30000")]].concat()).await;
    let pats = bot.next_post("pat");
    assert!(pats.text().contains("more seats, €30k"), "{}", pats.text());
    bot.at("2026-11-24T01:00:00Z").await;
    let said = bot.now(&pats).text();
    assert!(said.contains("more seats, €30k"), "{said}");
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_qualified_raced_for_handed_back_and_won() {
    let (bot, danas) = monday().await;
    bot.click("dana", &danas, "Qualify", "Bolt").await;
    assert_eq!(bot.submit("dana", &QUALIFICATION).await, serde_json::Value::Null, "the dialog closes");
    assert_eq!(bot.done().await, ["handoff.qualified", "handoff.offered"]);
    // Both of the pool hear of it at once; nobody else does.
    let (pats, pias) = (bot.next_post("pat"), bot.next_post("pia"));
    assert_eq!(bot.unseen_lines(), []);
    for post in [&pats, &pias] {
        let said = post.text();
        assert!(said.contains("Bolt") && said.contains("Twenty more seats") && said.contains("Dana"), "{said}");
    }
    assert!(
        bot.now(&danas).text().contains("emea") || bot.now(&danas).text().contains("ffered"),
        "{}",
        bot.now(&danas).text()
    );

    // Both claim at the same moment: one wins, the other is told who.
    let presses =
        [("pat", &pats), ("pia", &pias)].map(|(who, post)| bot.press(TEAM, who, post, &post.value("Claim", "Bolt")));
    let (one, two) = tokio::join!(bot.interact(&presses[0]), bot.interact(&presses[1]));
    assert_eq!((one.0, two.0), (200, 200));
    let told = bot.private().await;
    let winner = if told.contains("Pat") { "pat" } else { "pia" };
    assert!(told.starts_with("Bolt: ") && told.contains("laimed by P"), "{told}");
    assert_eq!(bot.times("handoff.accepted").await, 1);
    bot.deliver().await;
    let claimed = if winner == "pat" { "Pat" } else { "Pia" };
    for copy in [&danas, &pats, &pias] {
        let now = bot.now(copy).text();
        assert!(now.contains(&format!("Claimed by {claimed}")) || now.contains("Claimed by you"), "{now}");
    }
    // The detector hears who has it, under the card that she has.
    assert_eq!(bot.unseen_lines(), [], "no second card");
    let heard = bot.replies(&danas).pop().unwrap();
    assert!(heard.starts_with("Bolt · more seats, about €"), "{heard}");
    assert!(heard.ends_with(&format!("Claimed by {claimed} on Mon 23 Nov.")), "{heard}");

    // It comes back, is offered again and taken by the other.
    let winners = if winner == "pat" { &pats } else { &pias };
    bot.click(winner, winners, "Hand back", "Bolt").await;
    bot.submit(winner, &[("note", "No time before January")]).await;
    assert_eq!(bot.times("handoff.handed_back").await, 1);
    let back = bot.replies(&danas).pop().unwrap();
    assert!(back.contains("Bolt") && back.contains("No time before January"), "{back}");
    bot.click("dana", &danas, "Offer to AM", "Bolt").await;
    assert_eq!(bot.unseen_lines(), [], "everybody has the card already");
    let again = pats.clone();
    assert!(bot.replies(&again).last().is_some_and(|said| said.contains("Offered")), "{:?}", bot.replies(&again));
    bot.deliver().await;
    for copy in [&danas, &again] {
        let now = bot.now(copy).text();
        assert!(now.contains(", answer due Tue 24 Nov"), "known since it was read: {now}");
    }
    bot.click("pat", &again, "Claim", "Bolt").await;
    bot.click("pat", &again, "Won", "Bolt").await;
    let wrong = bot.submit("pat", &[("amount", "a lot")]).await;
    assert_eq!(wrong["response_action"], "errors", "{wrong}");
    bot.click("pat", &again, "Won", "Bolt").await;
    bot.submit("pat", &[("amount", "13000")]).await;
    bot.skip();
    assert_eq!(
        bot.done().await,
        [
            "handoff.qualified",
            "handoff.offered",
            "handoff.accepted",
            "handoff.handed_back",
            "handoff.offered",
            "handoff.accepted",
            "handoff.won"
        ]
    );
    assert_eq!(bot.number(&bot.org, "SELECT won_minor FROM tandem.handoff WHERE state = 'won'").await, 1_300_000);
    let closed = bot.now(&again);
    assert!(closed.text().contains("Won by you on Mon 23 Nov: €13k."), "{}", closed.text());
    assert!(!closed.labels().contains(&"Won".to_owned()), "{:?}", closed.labels());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snooze_cannot_hide_a_deadline() {
    let (bot, danas) = monday().await;
    // Notice was served, so what is left is the renewal date.
    bot.click("dana", &danas, "Snooze", "Acme").await;
    let refused = bot.submit("dana", &[("until", "2027-06-01")]).await;
    assert_eq!(refused["response_action"], "errors", "{refused}");
    assert!(refused["errors"]["until"].as_str().is_some_and(|said| said.contains("deadline")), "{refused}");
    bot.click("dana", &danas, "Snooze", "Acme").await;
    assert_eq!(bot.submit("dana", &[("until", "2026-12-01")]).await, serde_json::Value::Null);
    assert_eq!(bot.done().await, ["risk.snoozed"]);
    assert!(bot.now(&danas).text().contains("nooze"), "{}", bot.now(&danas).text());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_comes_nearer_wakes_what_sleeps_past_it() {
    let (bot, danas) = monday().await;
    bot.click("dana", &danas, "Snooze", "Acme").await;
    assert_eq!(bot.submit("dana", &[("until", "2026-12-31")]).await, serde_json::Value::Null);
    bot.at("2026-11-24T01:00:00Z").await;
    assert_eq!(bot.times("risk.woken").await, 0, "the contract ends in February");
    bot.import_to(&bot.org, RowKind::Accounts, "account_id,name,renewal_date\nacme,Acme,2026-12-15\n").await;
    bot.at("2026-11-25T01:00:00Z").await;
    let woken = bot.events_of(&bot.org).await.into_iter().find(|event| event.event == "risk.woken").unwrap();
    assert_eq!(woken.data["why"], "deadline");
    bot.at("2026-11-25T07:00:00Z").await;
    assert!(bot.next_post("dana").labels().contains(&"Acknowledge".to_owned()));
    bot.skip();
    bot.finish().await;
}

/// One person with both roles: one message with both angles, and no handoff to oneself.
#[tokio::test(flavor = "multi_thread")]
async fn who_holds_both_roles_gets_one_message() {
    let bot = TestBot::new(Model::Combined, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, "email,name,roles,timezone\nsam@x.eu,Sam Both,csm;account_manager,Europe/Berlin\n")
        .await;
    let accounts = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n\
        acme,Acme,100000,100,2027-02-28,12,30,sam@x.eu,sam@x.eu\n\
        bolt,Bolt,50000,100,2027-09-30,12,30,sam@x.eu,sam@x.eu\n\
        calm,Calm,20000,100,2027-09-30,12,30,sam@x.eu,sam@x.eu\n";
    bot.import(RowKind::Accounts, accounts).await;
    bot.import(RowKind::Signals, &usage()).await;
    bot.import(RowKind::Signals, "account_id,source,kind,observed_on,value\nacme,crm,notice_served,2026-11-20,true\n")
        .await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let sams = bot.next_post("sam");
    assert_eq!(bot.unseen_lines(), [], "one message");
    let said = sams.text();
    assert!(said.contains("At risk (1)") && said.contains("Acme") && said.contains("Bolt"), "{said}");
    assert!(!sams.labels().contains(&"Offer to AM".to_owned()), "{:?}", sams.labels());
    bot.finish().await;
}

/// An account's card is shared to a channel; later a guest joins it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_where_outsiders_read_along() {
    let (bot, _) = monday().await;
    let shared = Post { channel: "C1".into(), ts: "1.1".into(), summary: String::new(), blocks: Vec::new() };
    assert_eq!(bot.interact(&bot.press(TEAM, "dana", &shared, "share|account:acme")).await.0, 200);
    assert_eq!(bot.private().await, "Acme: shown in this channel.");
    bot.deliver().await;
    let posted = bot.next_post("C1");
    assert!(posted.text().contains("Acme"), "{}", posted.text());
    bot.slack.channel("C1", serde_json::json!({"is_ext_shared": true}));
    bot.slack.channel("C2", serde_json::json!({"is_ext_shared": true}));
    // The next redraw takes it back.
    let view = serde_json::json!({"private_metadata": "{\"a\":\"raise_pulse|account:acme\"}", "blocks": [
        {"block_id": "pulse", "element": {"type": "static_select"}}, {"block_id": "reason", "element": {"type": "plain_text_input"}}]});
    bot.submit_view("dana", &view, &[("pulse", "red"), ("reason", "They went silent")]).await;
    let now = bot.now(&posted);
    assert!(!now.text().contains("Acme") && !now.summary.contains("Acme"), "{}", now.text());
    // And where outsiders are already, nothing is posted at all.
    let outside = Post { channel: "C2".into(), ..posted };
    assert_eq!(bot.interact(&bot.press(TEAM, "dana", &outside, "share|account:acme")).await.0, 200);
    assert!(bot.private().await.starts_with("Not here: people from outside your company"));
    bot.deliver().await;
    assert!(bot.slack.standing().iter().all(|message| message.channel != "C2"));
    bot.skip();
    bot.finish().await;
}

/// People as they are in [`PEOPLE`], with this delegate and last day away for Dana.
pub(super) fn danas_absence(delegate: &str, until: &str) -> String {
    let away = PEOPLE.replace(
        "email,name,roles,timezone,digest_time,manager_email,pool,slack_user_id",
        "email,name,roles,timezone,digest_time,manager_email,pool,slack_user_id,delegate_email,out_of_office_until",
    );
    let lines = away.lines().map(|line| match line {
        line if line.starts_with("dana@") => format!("{line},{delegate},{until}\n"),
        line if line.starts_with("email") => format!("{line}\n"),
        line => format!("{line},,\n"),
    });
    lines.collect()
}

/// On leave with a delegate: the delegate gets the cards, the one away gets nothing but the word of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_stands_in() {
    let bot = sunday().await;
    bot.import_to(&bot.org, RowKind::People, &danas_absence("noa@x.eu", "2026-11-27")).await;
    bot.deliver().await;
    let said = "Away until Fri 27 Nov: Dana. Standing in: you, for nothing open. It all comes back on the return.";
    assert_eq!(bot.next_post("noa").text(), said);
    assert_eq!(bot.next_post("dana").summary, said.replace("Dana", "you").replace("in: you", "in: Noa"));
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T02:30:00Z").await;
    let noas = bot.next_post("noa");
    assert!(noas.text().contains("Acme"), "{}", noas.text());
    bot.at("2026-11-23T07:00:00Z").await;
    assert!(bot.unseen_lines().iter().all(|(channel, _)| channel != "Ddana"), "{:?}", bot.unseen_lines());
    bot.click("noa", &noas, "Acknowledge", "Acme").await;
    assert_eq!(bot.done().await, ["risk.acknowledged"]);
    bot.skip();
    bot.finish().await;
}

/// What lies with somebody when they leave for a while goes to their stand-in and comes back; both are told once.
#[tokio::test(flavor = "multi_thread")]
async fn work_goes_to_the_delegate_and_comes_back() {
    let (bot, _) = monday().await;
    let holder = "SELECT count(*) FROM tandem.handoff h JOIN tandem.person p ON p.org_id = h.org_id AND p.person_id = h.accountable \
                  WHERE h.account_id = 'bolt' AND p.email = ";
    assert_eq!(bot.number(&bot.org, &format!("{holder}'dana@x.eu'")).await, 1);
    bot.import_to(&bot.org, RowKind::People, &danas_absence("noa@x.eu", "2026-11-25")).await;
    bot.import_to(&bot.org, RowKind::People, &danas_absence("noa@x.eu", "2026-11-25")).await;
    bot.deliver().await;
    let told = bot.next_post("noa").summary;
    assert!(told.contains("Standing in: you, for 1 risk, 1 handoff."), "{told}");
    assert_eq!(bot.unseen_lines().len(), 1, "Dana is told as well, and each once: {:?}", bot.unseen_lines());
    bot.skip();
    assert_eq!(bot.number(&bot.org, &format!("{holder}'noa@x.eu'")).await, 1);
    assert_eq!(bot.times("escalation.delegated").await, 1);
    bot.at("2026-11-26T01:00:00Z").await;
    bot.at("2026-11-26T07:00:00Z").await;
    assert_eq!(bot.number(&bot.org, &format!("{holder}'dana@x.eu'")).await, 1, "back on her first morning");
    let heard: Vec<String> = bot.unseen_lines().into_iter().map(|(_, line)| line).collect();
    assert!(
        heard.contains(&"Back again: you. No longer standing in: Noa. Handed back: 1 risk, 1 handoff.".to_owned()),
        "{heard:?}"
    );
    assert!(
        heard.contains(&"Back again: Dana. No longer standing in: you. Handed back: 1 risk, 1 handoff.".to_owned()),
        "{heard:?}"
    );
    assert_eq!(bot.number(&bot.org, "SELECT count(*) FROM tandem.absence").await, 0);
    bot.skip();
    bot.finish().await;
}
