//! The TestBot as people in Teams speak to it: activities are really signed and
//! come over HTTP, cards are read and pressed as a client would.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tandem::app::organisation;
use tandem::delivery::TeamsSender;
use tandem::http::TeamsDoor;
use tandem::store::directory::{Organisation, Platform, Workspace};
use tandem::teams::address::{Endpoint, ServiceUrls};
use tandem::teams::auth::Gate;
use tandem::teams::client::{Client, Settings};

use super::PATIENCE;
use super::bot::TestBot;
use super::fake_teams::{APP_ID, FakeTeams, HOME, SECRET, Standing};
use super::service::answer;

/// The tenant of the organisation; the one beside it has [`BESIDE`].
pub(crate) const TENANT: &str = "aaaaaaaa-0000-4000-8000-000000000001";
pub(crate) const BESIDE: &str = "bbbbbbbb-0000-4000-8000-000000000002";

/// The service's side of this fake: the door and the sender.
pub(crate) fn sides(teams: &FakeTeams) -> (TeamsDoor, TeamsSender) {
    let services = ServiceUrls::parse(teams.url()).unwrap();
    let settings = Settings {
        app_id: APP_ID.to_owned(),
        secret: SECRET.into(),
        home_tenant: HOME.to_owned(),
        login: Endpoint::parse(teams.url()).unwrap(),
        services: services.clone(),
    };
    let client = Client::new(settings).unwrap();
    let openid = Endpoint::parse(&format!("{}openid", teams.url())).unwrap();
    let gate = Gate::new(APP_ID, openid, services.clone()).unwrap();
    (TeamsDoor::new(gate, client.clone(), services.clone()), TeamsSender { client, services })
}

/// A message as it stands in a conversation now, all its parts.
#[derive(Debug, Clone)]
pub(crate) struct Card {
    pub(crate) ids: Vec<String>,
    pub(crate) summary: String,
    pub(crate) bodies: Vec<Value>,
}

impl Card {
    pub(crate) fn of(parts: &[Standing]) -> Self {
        let content = |part: &Standing| match &part.activity["attachments"][0]["content"] {
            Value::Null => json!({"body": [{"text": part.activity["text"]}]}),
            card => card.clone(),
        };
        Self {
            ids: parts.iter().map(|part| part.id.clone()).collect(),
            summary: parts[0].activity["summary"].as_str().unwrap_or_default().to_owned(),
            bodies: parts.iter().map(content).collect(),
        }
    }

    /// Every word that can be read, one line a text.
    pub(crate) fn text(&self) -> String {
        let mut lines = Vec::new();
        self.bodies.iter().for_each(|body| read(body, &mut lines));
        lines.join("\n")
    }

    /// Every action of a card of ours: label and data, with the message that it stands on.
    pub(crate) fn actions(&self) -> Vec<(String, Value, String)> {
        let mut found = Vec::new();
        for (body, id) in self.bodies.iter().zip(&self.ids) {
            actions(body, id, &mut found);
        }
        found
    }

    pub(crate) fn labels(&self) -> Vec<String> {
        self.actions().into_iter().map(|(label, ..)| label).collect()
    }

    /// What the button with this label carries. Of several, the first whose tooltip names `about`.
    pub(crate) fn action(&self, label: &str, about: &str) -> (Value, String) {
        let spoken = if about.is_empty() { label.to_owned() } else { format!("{label} {about}") };
        let found = self.actions().into_iter().find(|(found, action, _)| {
            found == label && action["tooltip"].as_str().is_some_and(|tooltip| tooltip.starts_with(&spoken))
        });
        let (_, action, id) =
            found.unwrap_or_else(|| panic!("no \"{spoken}\" in\n{}\n{:?}", self.text(), self.labels()));
        (action, id)
    }
}

fn read(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if fields.get("type").and_then(Value::as_str) == Some("RichTextBlock") {
                let runs = fields["inlines"].as_array().into_iter().flatten();
                lines.push(runs.filter_map(|run| run["text"].as_str()).collect());
                return;
            }
            for key in ["text", "value"] {
                if let Some(Value::String(text)) = fields.get(key) {
                    lines.push(text.clone());
                }
            }
            fields.values().for_each(|value| read(value, lines));
        }
        Value::Array(items) => items.iter().for_each(|item| read(item, lines)),
        _ => {}
    }
}

fn actions(value: &Value, id: &str, found: &mut Vec<(String, Value, String)>) {
    match value {
        Value::Object(fields) => {
            for action in fields.get("actions").and_then(Value::as_array).into_iter().flatten() {
                if action["data"]["a"].is_string() {
                    let label = action["title"].as_str().unwrap_or_default().to_owned();
                    found.push((label, action.clone(), id.to_owned()));
                }
            }
            fields.iter().filter(|(key, _)| *key != "actions").for_each(|(_, value)| actions(value, id, found));
        }
        Value::Array(items) => items.iter().for_each(|item| actions(item, id, found)),
        _ => {}
    }
}

impl TestBot {
    pub(crate) async fn link_tenants(&self) {
        self.link_tenant(&self.org, TENANT).await;
        self.link_tenant(&self.other, BESIDE).await;
    }

    pub(crate) async fn link_tenant(&self, org: &Organisation, tenant: &str) {
        let workspace = Workspace { platform: Platform::Teams, id: tenant.to_owned() };
        organisation::link(&self.app.store, org.id, &workspace, self.app.now()).await.unwrap();
    }

    /// The tenant of the organisation beside is nobody's again.
    pub(crate) async fn unlink_beside(&self) {
        self.unlink(Platform::Teams, BESIDE).await;
    }

    pub(crate) async fn unlink(&self, platform: Platform, id: &str) {
        let workspace = Workspace { platform, id: id.to_owned() };
        assert!(organisation::unlink(&self.app.store, &workspace, self.app.now()).await.unwrap());
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// An activity by somebody in their personal chat: dana is 29:dana, aad-dana, dana@x.eu, and has a:dana.
    pub(crate) fn activity(&self, who: &str, kind: &str, more: Value) -> Value {
        let number = self.clicks.fetch_add(1, Ordering::Relaxed);
        let mut activity = json!({
            "type": kind, "id": format!("act-{number}"), "channelId": "msteams", "serviceUrl": self.teams.url(),
            "from": {"id": format!("29:{who}"), "aadObjectId": format!("AAD-{who}")},
            "recipient": {"id": format!("28:{APP_ID}")},
            "conversation": {"id": format!("a:{who}"), "tenantId": TENANT, "conversationType": "personal"},
            "channelData": {"tenant": {"id": TENANT}},
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            activity[key] = value.clone();
        }
        activity
    }

    /// Sends an activity as Microsoft would; status and body.
    pub(crate) async fn teams_sends(&self, activity: &Value) -> (u16, Value) {
        let token = FakeTeams::sign("main", &self.teams.claims(activity));
        self.teams_sends_with(activity, Some(&format!("Bearer {token}"))).await
    }

    pub(crate) async fn teams_sends_with(&self, activity: &Value, authorization: Option<&str>) -> (u16, Value) {
        let mut request = self.http.post(format!("http://{}/teams/messages", self.address)).body(activity.to_string());
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let (status, text) = answer(request).await;
        (status.as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Types something in the personal chat; the card that answers it.
    pub(crate) async fn types(&self, who: &str, text: &str) -> Card {
        let activity = self.activity(who, "message", json!({"text": text}));
        assert_eq!(self.teams_sends(&activity).await.0, 200);
        self.hears(who).await
    }

    /// What is new in somebody's personal chat, once there is something.
    pub(crate) async fn hears(&self, who: &str) -> Card {
        let place = if who.contains(':') { who.to_owned() } else { format!("a:{who}") };
        let begun = Instant::now();
        loop {
            let news = self.teams.news(&place);
            if !news.is_empty() {
                return Card::of(&news);
            }
            assert!(begun.elapsed() < PATIENCE, "nothing new was said in {place}: {:?}", self.teams.unseen());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How a card stands now, after redraws.
    pub(crate) fn teams_now(&self, card: &Card) -> Card {
        let all = self.teams.standing();
        let mine: Vec<Standing> = all.into_iter().filter(|one| card.ids.contains(&one.id)).collect();
        Card::of(&mine)
    }

    /// The invoke of a press: each one a click of its own.
    pub(crate) fn executes(&self, who: &str, card: &Card, label: &str, about: &str) -> Value {
        let (action, id) = card.action(label, about);
        let action = json!({"type": "Action.Execute", "verb": action["verb"], "data": action["data"]});
        let value = json!({"action": action, "trigger": "manual"});
        let more = json!({"name": "adaptiveCard/action", "replyToId": id, "value": value});
        self.activity(who, "invoke", more)
    }

    /// Presses a button that acts at one tap and lets every copy be redrawn; what the press was answered with.
    pub(crate) async fn executes_and_delivers(&self, who: &str, card: &Card, label: &str, about: &str) -> Value {
        let invoke = self.executes(who, &self.teams_now(card), label, about);
        let (status, body) = self.teams_sends(&invoke).await;
        assert_eq!(status, 200, "{body}");
        self.deliver().await;
        body
    }

    /// Presses a button that asks first; the dialog.
    pub(crate) async fn fetches(&self, who: &str, card: &Card, label: &str, about: &str) -> Value {
        let (action, id) = self.teams_now(card).action(label, about);
        assert_eq!(action["data"]["msteams"]["type"], "task/fetch");
        let more = json!({"name": "task/fetch", "replyToId": id, "value": {"data": action["data"]}});
        let (status, body) = self.teams_sends(&self.activity(who, "invoke", more)).await;
        assert_eq!(status, 200, "{body}");
        body["task"].clone()
    }

    /// Submits a dialog with these answers; what Teams is asked to do.
    pub(crate) async fn submits(&self, who: &str, task: &Value, answers: &[(&str, &str)]) -> Value {
        let card = &task["value"]["card"]["content"];
        let mut data = card["actions"][0]["data"].clone();
        for (field, said) in answers {
            let id = format!("f.{field}");
            let asked = card["body"].as_array().into_iter().flatten().any(|element| element["id"] == *id);
            assert!(asked, "the dialog has no field {field}: {card:#}");
            data[id] = json!(said);
        }
        let more = json!({"name": "task/submit", "value": {"data": data}});
        let (status, body) = self.teams_sends(&self.activity(who, "invoke", more)).await;
        assert_eq!(status, 200, "{body}");
        self.deliver().await;
        body
    }
}
