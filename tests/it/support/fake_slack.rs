//! A small Slack over real HTTP: records every call, keeps what was posted, and
//! makes the trouble that it is told to make. By itself it enforces nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tandem::clock::Clock;

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// 429 with this Retry-After, in seconds.
    RateLimited(u64),
    /// Done, but no answer ever comes.
    Silent,
    /// An HTTP status without a body; nothing is done.
    Status(u16),
    /// Answered after this long.
    Slow(Duration),
    /// `"ok": false` with this code.
    Refused(&'static str),
    /// These words, as JSON, and nothing else.
    Said(&'static str),
    /// The same with a status.
    Word(u16, &'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) arguments: Value,
    /// What came in the Authorization header.
    pub(crate) authorization: String,
    pub(crate) at: Instant,
    pub(crate) troubled: bool,
}

/// A message as it stands in a channel now.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) channel: String,
    pub(crate) ts: String,
    pub(crate) thread_ts: Option<String>,
    pub(crate) text: String,
    pub(crate) blocks: String,
    metadata: Value,
}

#[derive(Default)]
struct Inside {
    calls: Vec<Call>,
    standing: Vec<Standing>,
    /// For the next calls of a method, one each.
    next: BTreeMap<String, VecDeque<Trouble>>,
    /// For all calls of a method.
    always: BTreeMap<String, Trouble>,
    /// Flags by user id, over those of a usual colleague.
    users: BTreeMap<String, Value>,
    channels: BTreeMap<String, Value>,
    /// What a code or a refresh token is good for, once.
    grants: BTreeMap<String, Value>,
    /// By method, in place of what it would answer.
    answers: BTreeMap<String, Value>,
}

#[derive(Clone)]
pub(crate) struct FakeSlack {
    inside: Arc<Mutex<Inside>>,
    /// By which messages are stamped.
    clock: Arc<dyn Clock>,
    url: String,
}

impl FakeSlack {
    pub(crate) async fn start(clock: Arc<dyn Clock>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/api/", listener.local_addr().expect("the port"));
        let slack = Self { inside: Arc::default(), clock, url };
        let router = Router::new().route("/api/{method}", post(answer)).with_state(slack.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        slack
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("the fake Slack")
    }

    /// The next call of this method meets this; further ones after it, in order.
    pub(crate) fn once(&self, method: &str, trouble: Trouble) {
        self.inside().next.entry(method.to_owned()).or_default().push_back(trouble);
    }

    pub(crate) fn always(&self, method: &str, trouble: Trouble) {
        self.inside().always.insert(method.to_owned(), trouble);
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn forget_troubles(&self) {
        let mut inside = self.inside();
        inside.next.clear();
        inside.always.clear();
    }

    pub(crate) fn user(&self, id: &str, flags: Value) {
        self.inside().users.insert(id.to_owned(), flags);
    }

    pub(crate) fn channel(&self, id: &str, flags: Value) {
        self.inside().channels.insert(id.to_owned(), flags);
    }

    pub(crate) fn answers(&self, method: &str, answer: Value) {
        self.inside().answers.insert(method.to_owned(), answer);
    }

    /// What `oauth.v2.access` answers to this code or refresh token, once.
    pub(crate) fn grant(&self, code: &str, answer: Value) {
        self.inside().grants.insert(code.to_owned(), answer);
    }

    pub(crate) fn calls(&self, method: &str) -> Vec<Call> {
        self.inside().calls.iter().filter(|call| call.method == method).cloned().collect()
    }

    /// Everything that stands in chat, in the order in which it was accepted.
    pub(crate) fn standing(&self) -> Vec<Standing> {
        self.inside().standing.clone()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.standing().into_iter().map(|message| message.text).collect()
    }

    fn take(&self, method: &str, arguments: &Value, authorization: String) -> Option<Trouble> {
        let mut inside = self.inside();
        let once = inside.next.get_mut(method).and_then(VecDeque::pop_front);
        let trouble = once.or_else(|| inside.always.get(method).copied());
        inside.calls.push(Call {
            method: method.to_owned(),
            arguments: arguments.clone(),
            authorization,
            at: Instant::now(),
            troubled: trouble.is_some(),
        });
        trouble
    }

    fn act(&self, method: &str, arguments: &Value) -> Value {
        let now = self.clock.now().timestamp();
        let mut inside = self.inside();
        let said = |key: &str| arguments[key].as_str().unwrap_or_default().to_owned();
        if let Some(answer) = inside.answers.get(method) {
            return answer.clone();
        }
        match method {
            "auth.test" => json!({"ok": true, "team_id": "T1", "user_id": "U0", "bot_id": "B0"}),
            "chat.postMessage" => {
                let ts = format!("{now}.{:06}", inside.standing.len());
                inside.standing.push(Standing {
                    channel: said("channel"),
                    ts: ts.clone(),
                    thread_ts: arguments["thread_ts"].as_str().map(str::to_owned),
                    text: said("text"),
                    blocks: arguments["blocks"].to_string(),
                    metadata: arguments["metadata"].clone(),
                });
                json!({"ok": true, "channel": said("channel"), "ts": ts})
            }
            "chat.update" => {
                let (channel, ts) = (said("channel"), said("ts"));
                let at = inside.standing.iter_mut().find(|message| message.channel == channel && message.ts == ts);
                let Some(message) = at else { return json!({"ok": false, "error": "message_not_found"}) };
                message.text = said("text");
                message.blocks = arguments["blocks"].to_string();
                json!({"ok": true, "channel": channel, "ts": ts, "text": message.text})
            }
            "conversations.open" => json!({"ok": true, "channel": {"id": said("users").replacen('U', "D", 1)}}),
            "conversations.info" => {
                let id = said("channel");
                json!({"ok": true, "channel": with(json!({"id": id}), inside.channels.get(&id))})
            }
            "users.list" => {
                let members: Vec<Value> =
                    inside.users.iter().map(|(id, flags)| with(json!({"id": id}), Some(flags))).collect();
                json!({"ok": true, "members": members})
            }
            "conversations.members" => {
                let members = inside.channels.get(&said("channel")).and_then(|channel| channel.get("members"));
                json!({"ok": true, "members": members.cloned().unwrap_or_else(|| json!([]))})
            }
            "users.info" => {
                let id = said("user");
                json!({"ok": true, "user": with(json!({"id": id}), inside.users.get(&id))})
            }
            // dana@… is Udana.
            "users.lookupByEmail" => {
                let id = format!("U{}", said("email").split('@').next().unwrap_or_default());
                json!({"ok": true, "user": with(json!({"id": id}), inside.users.get(&id))})
            }
            "conversations.history" | "conversations.replies" => {
                let bound = |key: &str| said(key).parse::<i64>().expect("a bound in seconds");
                let (oldest, latest) = (bound("oldest"), bound("latest"));
                let thread = arguments["ts"].as_str();
                let found: Vec<_> = inside
                    .standing
                    .iter()
                    .filter(|message| message.channel == said("channel"))
                    .filter(|message| message.thread_ts.as_deref() == thread)
                    .filter(|message| {
                        let second: i64 = message.ts.split('.').next().expect("seconds").parse().expect("a number");
                        (oldest..=latest).contains(&second)
                    })
                    .map(|message| json!({"ts": message.ts, "text": message.text, "metadata": message.metadata}))
                    .collect();
                json!({"ok": true, "messages": found, "has_more": false})
            }
            "oauth.v2.access" => {
                let key = if arguments["code"].is_string() { said("code") } else { said("refresh_token") };
                inside.grants.remove(&key).unwrap_or_else(|| json!({"ok": false, "error": "invalid_code"}))
            }
            "auth.revoke" => json!({"ok": true, "revoked": true}),
            "files.getUploadURLExternal" => {
                let id = format!("F{}", inside.calls.len());
                json!({"ok": true, "upload_url": format!("{}upload", self.url), "file_id": id})
            }
            "upload" => json!({"ok": true}),
            "files.completeUploadExternal" => json!({"ok": true, "files": arguments["files"]}),
            "views.open" | "views.update" | "views.publish" => json!({"ok": true, "view": {"id": "V1"}}),
            _ => json!({"ok": false, "error": "unknown_method"}),
        }
    }
}

fn with(mut usual: Value, flags: Option<&Value>) -> Value {
    for (key, value) in flags.and_then(Value::as_object).into_iter().flatten() {
        usual[key] = value.clone();
    }
    usual
}

fn arguments(headers: &HeaderMap, body: &Bytes) -> Value {
    let content = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content.starts_with("application/json") {
        return serde_json::from_slice(body).expect("JSON");
    }
    if content.starts_with("image/") {
        return json!({"type": content, "length": body.len(), "is_png": body.starts_with(b"\x89PNG")});
    }
    let pairs = url::form_urlencoded::parse(body);
    Value::Object(pairs.map(|(key, value)| (key.into_owned(), Value::from(value.into_owned()))).collect())
}

async fn answer(
    State(slack): State<FakeSlack>,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let arguments = arguments(&headers, &body);
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match slack.take(&method, &arguments, authorization.to_owned()) {
        None => axum::Json(slack.act(&method, &arguments)).into_response(),
        Some(Trouble::Slow(pause)) => {
            tokio::time::sleep(pause).await;
            axum::Json(slack.act(&method, &arguments)).into_response()
        }
        Some(Trouble::Silent) => {
            slack.act(&method, &arguments);
            std::future::pending().await
        }
        Some(Trouble::RateLimited(seconds)) => {
            let limited = json!({"ok": false, "error": "ratelimited"});
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())], axum::Json(limited))
                .into_response()
        }
        Some(Trouble::Status(status)) => StatusCode::from_u16(status).expect("a status").into_response(),
        Some(Trouble::Said(words)) => ([(header::CONTENT_TYPE, "application/json")], words).into_response(),
        Some(Trouble::Word(status, words)) => (StatusCode::from_u16(status).expect("a status"), words).into_response(),
        Some(Trouble::Refused(code)) => axum::Json(json!({"ok": false, "error": code})).into_response(),
    }
}
