//! What people in Slack get back: in the response, through the `response_url`, in a dialog.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tandem::app::organisation;
use tandem::domain::person::OrgId;
use tandem::store::directory::{Platform, Workspace};

use crate::support::PATIENCE;
use crate::support::fake_slack::Trouble;
use crate::support::service::{Service, answer, now, report};

const PEOPLE: &str = r#"[{"email":"dana@vendor.example","name":"Dana Okafor","roles":"csm"},
                         {"email":"lee@vendor.example","name":"Lee Park","roles":"account_manager","slack_user_id":"U7"}]"#;
const ACCOUNTS: &str = r#"[{"account_id":"a-1","name":"Acme Corp","csm_email":"dana@vendor.example","account_manager_email":"lee@vendor.example"}]"#;

/// A service with an organisation of two people, in workspace T1.
pub(crate) async fn linked() -> (Service, OrgId) {
    linked_on(Service::start().await).await
}

async fn linked_on(service: Service) -> (Service, OrgId) {
    let (org, key) = service.organisation("north").await;
    service.organisation("south").await;
    for (kind, rows) in [("people", PEOPLE), ("accounts", ACCOUNTS)] {
        assert_eq!(report(service.push(&key, kind, rows)).await.0, 200);
    }
    let workspace = Workspace { platform: Platform::Slack, id: "T1".to_owned() };
    organisation::link(&service.store, org, &workspace, now()).await.unwrap();
    (service, org)
}

impl Service {
    /// Where the fake Slack takes private answers.
    fn response_url(&self) -> String {
        format!("{}response", self.slack.url())
    }

    async fn slash(&self, team: &str, user: &str, command: &str, text: &str) -> String {
        let said = self.slash_in("D1", team, user, command, text).await;
        said["text"].as_str().unwrap().to_owned()
    }

    async fn slash_in(&self, channel: &str, team: &str, user: &str, command: &str, text: &str) -> Value {
        let fields = [
            ("command", command),
            ("text", text),
            ("team_id", team),
            ("user_id", user),
            ("channel_id", channel),
            ("trigger_id", "1.2.x"),
            ("response_url", &self.response_url()),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let (status, text) = answer(self.signed("/slack/commands", body)).await;
        assert_eq!(status, 200, "{text}");
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(said["response_type"], "ephemeral", "{text}");
        said
    }

    async fn interact(&self, payload: &Value) -> (u16, String) {
        let text = payload.to_string();
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &text).finish();
        let (status, text) = answer(self.signed("/slack/interactions", body)).await;
        (status.as_u16(), text)
    }

    fn click(&self, user: &str, value: &str) -> Value {
        json!({
            "type": "block_actions", "user": {"id": user, "team_id": "T1"}, "team": {"id": "T1"},
            "container": {"type": "message", "message_ts": "17.000100", "channel_id": "D1"},
            "trigger_id": "1.2.x", "response_url": self.response_url(),
            "actions": [{"type": "button", "value": value, "action_ts": "18.1"}],
        })
    }

    /// The private answer after so many others, once it was given.
    async fn answered(&self, before: usize) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(call) = self.slack.calls("response").get(before) {
                return call.arguments.clone();
            }
            assert!(Instant::now() < until, "no private answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The arguments of the one call of this method, once it was made.
    async fn called(&self, method: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            if let [call] = self.slack.calls(method).as_slice() {
                return call.arguments.clone();
            }
            assert!(Instant::now() < until, "{method}: {} calls", self.slack.calls(method).len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_command_is_answered_to_whom_it_concerns() {
    let (service, _) = linked().await;
    assert_eq!(service.slash("T1", "U7", "/tandem", "help").await, "What Tandem can do for you");
    assert!(service.slash("T1", "U7", "/account", "acme").await.contains("Acme Corp"));
    let stranger = service.slash("T9", "U7", "/account", "acme").await;
    assert_eq!(stranger, "This workspace is not linked to an organisation in Tandem yet.");
    assert!(service.slack.calls("users.info").is_empty(), "no call out for whom we know, nor for a foreign workspace");
}

#[tokio::test]
async fn an_answer_can_be_shared_where_others_are() {
    let (service, _) = linked().await;
    for (channel, shareable) in [("C1", true), ("D1", false)] {
        let said = service.slash_in(channel, "T1", "U7", "/account", "acme").await;
        assert_eq!(said["blocks"].to_string().contains("Share here"), shareable, "{channel}");
    }
}

#[tokio::test]
async fn an_installation_without_a_workspace_is_told_so() {
    let service = Service::start().await;
    let body = "command=%2Faccount&text=acme&enterprise_id=E1&is_enterprise_install=true&user_id=U1";
    let (status, text) = answer(service.signed("/slack/commands", body)).await;
    assert_eq!(status, 200);
    assert!(text.contains("whole Slack organisation"), "{text}");
}

#[tokio::test]
async fn a_colleague_is_found_by_e_mail_and_answered_at_once() {
    let (service, org) = linked().await;
    service.slack.user("U5", json!({"profile": {"email": "Dana@Vendor.example"}}));
    assert!(service.slash("T1", "U5", "/account", "acme").await.starts_with("One moment:"));
    let said = service.called("response").await;
    assert!(said["text"].as_str().unwrap().contains("Acme Corp"), "{said}");
    assert_eq!((&said["response_type"], &said["replace_original"]), (&json!("ephemeral"), &json!(false)));
    assert_eq!(service.count(org, "person.linked").await, 1);
    assert!(service.slash("T1", "U5", "/account", "acme").await.contains("Acme Corp"), "known from now on");
    assert_eq!(service.slack.calls("users.info").len(), 1);
}

#[tokio::test]
async fn outsiders_bots_and_impostors_are_never_linked() {
    let (service, org) = linked().await;
    let dana = |flag: &str| json!({"profile": {"email": "dana@vendor.example"}, flag: true});
    let guests = [("U10", "is_restricted"), ("U11", "is_ultra_restricted"), ("U12", "is_stranger")];
    for (user, flag) in guests {
        service.slack.user(user, dana(flag));
    }
    for (user, _) in guests {
        let said = service.slash("T1", user, "/account", "acme").await;
        assert!(said.starts_with("You are a guest here"), "{user}: {said}");
    }
    for (user, flags) in [
        ("U13", dana("is_bot")),
        ("U14", dana("deleted")),
        ("U15", json!({"profile": {"email": "nobody@vendor.example"}})),
        ("U16", json!({})),
        // Lee was imported with another Slack user.
        ("U17", json!({"profile": {"email": "lee@vendor.example"}})),
    ] {
        service.slack.user(user, flags);
        let before = service.slack.calls("response").len();
        assert!(service.slash("T1", user, "/account", "acme").await.starts_with("One moment:"), "{user}");
        let said = service.answered(before).await;
        assert!(said["text"].as_str().unwrap().starts_with("Tandem does not know you yet"), "{user}: {said}");
        // Whoever is a colleague there can say who they are; a bot and who has left can't.
        assert_eq!(said.to_string().contains("Introduce yourself"), !["U13", "U14"].contains(&user), "{user}: {said}");
    }
    assert_eq!(service.slack.calls("users.info").len(), 5);
    assert_eq!(service.count(org, "person.linked").await, 0);
    // Asked again within the minute, Slack is not; the answer is the same.
    let before = service.slack.calls("response").len();
    service.slash("T1", "U15", "/account", "acme").await;
    assert!(service.answered(before).await.to_string().contains("Introduce yourself"));
    assert_eq!(service.slack.calls("users.info").len(), 5);
}

#[tokio::test]
async fn a_guest_is_told_nothing_even_where_somebody_imported_them() {
    let (service, org) = linked().await;
    service.slack.user("U7", json!({"is_restricted": true}));
    let refused =
        "You are a guest here, and Tandem tells guests and people of other companies nothing about customers.";
    assert_eq!(service.slash("T1", "U7", "/account", "acme").await, refused);
    let click = service.click("U7", "acknowledge|risk:00000000-0000-0000-0000-000000000007");
    assert_eq!(service.interact(&click).await, (200, String::new()));
    assert_eq!(service.called("response").await["text"], refused);
    assert_eq!(service.count(org, "risk.acknowledged").await, 0);
    assert_eq!(service.slack.calls("users.list").len(), 1, "asked once for ten minutes");
}

#[tokio::test]
async fn where_a_workspace_takes_long_to_list_slack_is_asked_about_the_asker_alone() {
    let (service, _) = linked().await;
    service.slack.user("U7", json!({"is_restricted": true}));
    service.slack.always("users.list", Trouble::Slow(Duration::from_secs(600)));
    for _ in 0..2 {
        assert!(service.slash("T1", "U7", "/account", "acme").await.starts_with("You are a guest here"));
    }
    assert_eq!(service.slack.calls("users.list").len(), 1, "one lists for all who wait");
    assert_eq!(service.slack.calls("users.info").len(), 1, "once an hour");
}

#[tokio::test]
async fn a_button_of_another_version_is_answered_privately() {
    let (service, _) = linked().await;
    assert_eq!(service.interact(&service.click("U7", "dance|risk:1")).await, (200, String::new()));
    let said = service.called("response").await;
    assert_eq!((&said["response_type"], &said["replace_original"]), (&json!("ephemeral"), &json!(false)));
    assert!(said["text"].as_str().unwrap().contains("no longer in use"));
}

#[tokio::test]
async fn a_dialog_is_opened_empty_at_once_and_filled_afterwards() {
    let (service, _) = linked().await;
    let click = service.click("U7", "snooze|risk:00000000-0000-0000-0000-000000000007");
    assert_eq!(service.interact(&click).await, (200, String::new()));
    let opened = service.called("views.open").await;
    assert_eq!((&opened["trigger_id"], &opened["view"]["title"]["text"]), (&json!("1.2.x"), &json!("Snooze")));
    let filled = service.called("views.update").await;
    assert_eq!(filled["view_id"], "V1");
    assert!(!filled.to_string().contains("Loading"), "{filled}");
    assert!(service.slack.calls("response").is_empty());
}

#[tokio::test]
async fn settings_are_opened_at_once_however_slow_the_database_is() {
    let (service, _) = linked().await;
    let mut blocker = service.db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE directory.chat_link").execute(&mut *blocker).await.unwrap();
    let body = format!(
        "command=%2Ftandem&text=settings&team_id=T1&user_id=U7&channel_id=D1&trigger_id=1.2.x&response_url={}",
        service.response_url()
    );
    assert_eq!(answer(service.signed("/slack/commands", body)).await, (reqwest::StatusCode::OK, String::new()));
    let opened = service.called("views.open").await;
    assert_eq!((&opened["trigger_id"], &opened["view"]["title"]["text"]), (&json!("1.2.x"), &json!("Settings")));
    assert!(service.slack.calls("views.update").is_empty());
    blocker.rollback().await.unwrap();
    assert!(service.called("views.update").await.to_string().contains("Morning message at"));
}

#[tokio::test]
async fn a_dialog_that_cannot_be_opened_is_answered_in_words() {
    let (service, _) = linked().await;
    service.slack.always("views.open", crate::support::fake_slack::Trouble::Refused("expired_trigger_id"));
    let click = service.click("U7", "snooze|risk:00000000-0000-0000-0000-000000000007");
    assert_eq!(service.interact(&click).await.0, 200);
    let said = service.called("response").await;
    assert_eq!(said["response_type"], "ephemeral");
    assert!(service.slack.calls("views.update").is_empty());
}

#[tokio::test]
async fn a_form_of_another_version_says_so_and_stays_a_view() {
    let (service, _) = linked().await;
    let payload = json!({
        "type": "view_submission", "user": {"id": "U7", "team_id": "T1"}, "team": {"id": "T1"},
        "view": {"id": "V1", "hash": "1.x", "private_metadata": "{\"a\":\"dance|risk:1\"}", "state": {"values": {}}},
    });
    let (status, text) = service.interact(&payload).await;
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &said["response_action"]), (200, &json!("update")));
    assert!(text.contains("no longer in use"));
}

#[tokio::test]
async fn when_all_connections_are_taken_people_are_told_in_time_that_nothing_was_lost() {
    let (service, org) = linked_on(Service::start_with(Duration::from_secs(1)).await).await;
    let held = futures_util::future::join_all([(); 5].map(|()| service.store.tenant(org))).await;
    assert!(held.iter().all(Result::is_ok));
    assert!(service.slash("T1", "U7", "/account", "acme").await.starts_with("Tandem is busy."));

    let click = service.click("U7", "acknowledge|risk:00000000-0000-0000-0000-000000000007");
    assert_eq!(service.interact(&click).await.0, 503, "what was not stored is not answered with 200");
    assert!(service.called("response").await["text"].as_str().unwrap().starts_with("Tandem is busy."));

    let typed = json!({
        "type": "view_submission", "user": {"id": "U7", "team_id": "T1"}, "team": {"id": "T1"},
        "view": {
            "id": "V1", "hash": "1.x",
            "private_metadata": "{\"a\":\"note|risk:00000000-0000-0000-0000-000000000007\"}",
            "state": {"values": {"text": {"text": {"type": "plain_text_input", "value": "long words"}}}},
        },
    });
    let (status, text) = service.interact(&typed).await;
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &said["response_action"]), (200, &json!("errors")), "what was typed stays");
    assert!(said["errors"]["text"].as_str().unwrap().starts_with("Tandem is busy."));
    drop(held);
    assert!(service.slash("T1", "U7", "/account", "acme").await.contains("Acme Corp"), "it recovers");
}

#[tokio::test]
async fn the_same_event_twice_is_one() {
    let (service, org) = linked().await;
    let event = r#"{"type":"event_callback","event_id":"E1","team_id":"T1","event":{"type":"app_uninstalled"}}"#;
    for _ in 0..3 {
        assert_eq!(answer(service.signed("/slack/events", event)).await.0, 200);
    }
    let mut tx = service.store.tenant(org).await.unwrap();
    let is_new = tandem::store::message::receive(&mut tx, "event:E1", now()).await.unwrap();
    assert!(!is_new, "it was noted");
    let foreign = r#"{"type":"event_callback","event_id":"E2","team_id":"T9","event":{"type":"app_uninstalled"}}"#;
    assert_eq!(answer(service.signed("/slack/events", foreign)).await.0, 200, "nobody's workspace: nothing to do");
}

#[tokio::test]
async fn what_takes_longer_than_slack_waits_follows_later() {
    let (service, _) = linked().await;
    let mut blocker = service.db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE directory.chat_link").execute(&mut *blocker).await.unwrap();
    // What holds it up ends only after that.
    assert!(service.slash("T1", "U7", "/account", "acme").await.starts_with("Still looking."));
    assert!(service.slack.calls("response").is_empty());
    blocker.rollback().await.unwrap();
    assert!(service.called("response").await["text"].as_str().unwrap().contains("Acme Corp"));
}
