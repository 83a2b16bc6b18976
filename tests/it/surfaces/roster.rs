//! What Slack says of people: whose account is deactivated, and where they live.

use serde_json::json;
use tandem::domain::row::RowKind;

use super::tuesday;
use crate::support::bot::{TEAM, TestBot};

impl TestBot {
    /// Slack tells that somebody's profile is another, and says the same from now on.
    async fn profile(&self, user: &str, flags: serde_json::Value) {
        self.slack.user(user, flags.clone());
        let mut whole = flags;
        whole["id"] = user.into();
        let id = format!("Eu{}", self.clicks.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let event = json!({"type": "event_callback", "event_id": id, "team_id": TEAM, "event": {"type": "user_change", "user": whole}});
        assert_eq!(self.signed("/slack/events", &event.to_string()).await.0, 200);
        self.deliver().await;
    }

    async fn next_morning_of(&self, email: &str) -> String {
        let sql = format!(
            "SELECT to_char(d.due_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI') FROM directory.due d
              JOIN tandem.person p ON p.org_id = d.org_id AND p.person_id = d.subject
             WHERE d.kind = 'digest' AND p.email = '{email}'"
        );
        self.text(&self.org, &sql).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_zone_is_slack_s_unless_it_is_set() {
    let bot = tuesday().await;
    bot.import(
        RowKind::People,
        "email,name,roles,timezone,digest_time,manager_email,slack_user_id\n\
         noa@x.eu,Noa Berg,csm,,08:00,lea@x.eu,\n",
    )
    .await;
    assert_eq!(bot.next_morning_of("noa@x.eu").await, "11-24 07:00", "the organisation's");
    // By e-mail, before Noa ever wrote to Tandem.
    bot.profile("Unoa", json!({"tz": "America/New_York", "profile": {"email": "Noa@x.eu"}})).await;
    assert_eq!(bot.next_morning_of("noa@x.eu").await, "11-24 13:00");
    // Fresh when it changes; the same again, or nonsense, changes nothing.
    for _ in 0..2 {
        bot.profile("Unoa", json!({"tz": "Asia/Tokyo", "profile": {"email": "noa@x.eu"}})).await;
    }
    bot.profile("Unoa", json!({"tz": "Mars/Olympus", "profile": {"email": "noa@x.eu"}})).await;
    assert_eq!(bot.next_morning_of("noa@x.eu").await, "11-24 23:00");
    assert_eq!(bot.times("settings.changed").await, 2);
    // Dana's is imported: that goes first.
    bot.profile("Udana", json!({"tz": "Asia/Tokyo", "profile": {"email": "dana@x.eu"}})).await;
    assert_eq!(bot.next_morning_of("dana@x.eu").await, "11-24 07:00");
    // And so does Noa's, once there is one; cleared, Slack's holds again.
    bot.import(RowKind::People, "email,name,roles,timezone\nnoa@x.eu,Noa Berg,csm,Europe/London\n").await;
    assert_eq!(bot.next_morning_of("noa@x.eu").await, "11-24 08:00");
    bot.import(RowKind::People, "email,name,roles,timezone\nnoa@x.eu,Noa Berg,csm,\\N\n").await;
    assert_eq!(bot.next_morning_of("noa@x.eu").await, "11-24 23:00");
    // A guest of the same address is nobody.
    bot.profile("Ueve", json!({"tz": "Asia/Dubai", "is_restricted": true, "profile": {"email": "noa@x.eu"}})).await;
    assert_eq!(bot.next_morning_of("noa@x.eu").await, "11-24 23:00");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_a_deactivated_account_goes_on_and_comes_back() {
    let bot = tuesday().await;
    bot.at("2026-11-24T07:00:00Z").await;
    bot.skip();
    for _ in 0..2 {
        bot.profile("Udana", json!({"deleted": true, "profile": {"email": "dana@x.eu"}})).await;
    }
    // The next in line and an admin hear of it, once; Dana's own chat hears nothing.
    let told = bot.next_post("lea");
    assert!(told.text().contains("Dana") && told.text().contains("Standing in: you"), "{}", told.text());
    let told = bot.next_post("ada");
    assert!(
        told.text().contains("Nothing reaches Dana any more: their chat account is deactivated"),
        "{}",
        told.text()
    );
    assert!(told.text().contains("tandem transfer"), "{}", told.text());
    assert_eq!(bot.unseen_lines(), []);
    assert_eq!(bot.times("person.deactivated").await, 1);
    let holders = "SELECT count(*) FROM tandem.handoff h JOIN tandem.person p ON p.org_id = h.org_id AND p.person_id = h.accountable
                    WHERE p.email = 'dana@x.eu'";
    assert_eq!(bot.number(&bot.org, holders).await, 0, "nothing lies with Dana");
    bot.at("2026-11-25T01:00:00Z").await;
    bot.at("2026-11-25T07:00:00Z").await;
    let leas = bot.next_post("lea");
    assert!(leas.text().contains("Acme"), "Dana's accounts are before Lea: {}", leas.text());
    assert!(bot.unseen_lines().iter().all(|(place, _)| place != "Ddana"));
    bot.skip();

    bot.profile("Udana", json!({"profile": {"email": "dana@x.eu"}})).await;
    assert_eq!(bot.times("person.reactivated").await, 1);
    let back = bot.next_post("dana");
    assert!(back.text().contains("Back again"), "{}", back.text());
    assert_eq!(bot.number(&bot.org, holders).await, 1, "and so is what was Dana's");
    bot.skip();
    bot.at("2026-11-26T07:00:00Z").await;
    assert!(bot.unseen_lines().iter().any(|(place, _)| place == "Ddana"));
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_meets_a_deactivated_account_is_noticed_too() {
    let bot = tuesday().await;
    bot.slack.user("Ukim", json!({"deleted": true, "profile": {"email": "kim@x.eu"}}));
    bot.clock.set("2026-11-24T07:00:00Z".parse().unwrap());
    tandem::scheduler::tick(&bot.app).await.unwrap();
    assert_eq!(bot.deliver_or_give_up().await, 1);
    bot.deliver().await;
    let told = bot.unseen_lines();
    let of_kim = |words: &str| told.iter().filter(|(_, line)| line.contains(words)).count();
    assert_eq!(of_kim("Nothing reaches Kim any more: their chat account is deactivated"), 1, "{told:?}");
    bot.skip();
    // It works again: Slack says so, and Kim is written to.
    bot.profile("Ukim", json!({"profile": {"email": "kim@x.eu"}})).await;
    assert_eq!(bot.times("person.reactivated").await, 1);
    bot.skip();
    bot.at("2026-11-25T07:00:00Z").await;
    assert!(bot.unseen_lines().iter().any(|(place, _)| place == "Dkim"), "{:?}", bot.unseen_lines());
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_hears_once_of_somebody_whom_slack_does_not_know() {
    let bot = tuesday().await;
    bot.import(
        RowKind::People,
        "email,name,roles,timezone,digest_time,manager_email\nnoa@x.eu,Noa Berg,csm,Europe/Berlin,09:00,lea@x.eu\n",
    )
    .await;
    bot.slack.answers("users.lookupByEmail", json!({"ok": false, "error": "users_not_found"}));
    let mut heard = 0;
    for day in ["2026-11-24", "2026-11-25", "2026-11-26"] {
        bot.clock.set(format!("{day}T01:00:00Z").parse().unwrap());
        tandem::scheduler::tick(&bot.app).await.unwrap();
        bot.clock.set(format!("{day}T08:00:00Z").parse().unwrap());
        tandem::scheduler::tick(&bot.app).await.unwrap();
        bot.deliver_or_give_up().await;
        bot.deliver_or_give_up().await;
        heard += bot.unseen_lines().iter().filter(|(_, line)| line.contains("A message to Noa could not")).count();
        bot.skip();
    }
    assert_eq!(heard, 1);
    assert_eq!(bot.times("digest.given_up").await, 3);
    bot.finish().await;
}
