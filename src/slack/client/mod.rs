//! The Web API methods that Tandem calls, one attempt each: pacing and retrying
//! belong to delivery, which knows the lane.
//!
//! On reqwest rather than slack-morphism's client, which stands in delivery's way:
//! - its answers are typed down to the blocks of the message that was posted, so a shape it does not know
//!   turns a message that was sent into an error, and the retry into a second message;
//! - its `conversations.info` drops `is_ext_shared` and `is_pending_ext_shared`, by which outsiders are found;
//! - its errors print the body of the answer, which for `users.info` is personal data;
//! - it has no time limit of its own, reads answers without a limit, and its rate control is per team, not per channel.

mod error;
mod files;
mod guests;
mod oauth;
mod outsiders;

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

pub use error::Error;
pub use oauth::{AppCredentials, Grant};
pub use outsiders::{Channel, User, outsiders};

use super::address::{ApiUrl, ResponseUrl};
use super::render::blocks::Block;
use super::render::{DELIVERY_EVENT, Rendered, post};

/// How long one attempt may take, from connecting to the last byte. Shorter than a lane's lease (20 s).
const ATTEMPT: Duration = Duration::from_secs(10);
/// Where Slack says "too many" without saying until when.
const RETRY_DEFAULT: Duration = Duration::from_secs(30);
/// A later time is taken for a mistake.
const RETRY_MAX: Duration = Duration::from_secs(24 * 3600);
/// A page of history with its metadata stays far below.
const ANSWER_MAX: usize = 8 * 1024 * 1024;
/// Messages a page; Slack gives some apps 15 whatever they ask for.
const HISTORY_PAGE: &str = "100";
/// After so many pages a search ends undecided.
const PAGES_MAX: usize = 20;

#[derive(Debug, Clone)]
pub struct Settings {
    pub api: ApiUrl,
    /// [`Settings::default`] has 10 s, the limit that leases are made for.
    pub attempt: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { api: ApiUrl::default(), attempt: ATTEMPT }
    }
}

/// Calls Slack. Cheap to clone. Tokens are given with each call, since each workspace has its own.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// For connections that stay: HTTP/1, which alone can be upgraded, and no end.
    sockets: reqwest::Client,
    guests: guests::Guests,
    settings: Settings,
    /// Who was found to be an outsider, or not, lately.
    met: outsiders::Met,
}

/// Where a message was posted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Posted {
    pub channel: String,
    pub ts: String,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Identity {
    pub team_id: String,
    #[serde(default)]
    pub team: Option<String>,
    #[serde(default)]
    pub enterprise_id: Option<String>,
    pub user_id: String,
    #[serde(default)]
    pub bot_id: Option<String>,
    #[serde(default)]
    pub is_enterprise_install: bool,
    /// The granted scopes, from the header `x-oauth-scopes`; empty if Slack did not say.
    #[serde(skip)]
    pub scopes: Vec<String>,
    /// What time it is there, from the header `date`.
    #[serde(skip)]
    pub date: Option<DateTime<Utc>>,
}

/// A message to look for after a crash.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    pub channel: &'a str,
    /// Replies stand in their thread's history, not in the channel's.
    pub thread_ts: Option<&'a str>,
    pub delivery_id: Uuid,
    /// Seconds since 1970 between which it can have been posted, with room for clocks that differ.
    pub oldest: i64,
    pub latest: i64,
}

impl Client {
    /// Fails if no TLS provider is installed.
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let builder = || {
            let builder = reqwest::Client::builder()
                // A redirect would carry the token, or what is said, to another host.
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")));
            if settings.api.is_loopback() { builder.no_proxy() } else { builder }
        };
        let http = builder().timeout(settings.attempt).build()?;
        let sockets = builder().http1_only().build()?;
        let (guests, met) = (guests::Guests::default(), outsiders::Met::default());
        Ok(Self { http, sockets, guests, settings, met })
    }

    pub(super) fn api(&self) -> &ApiUrl {
        &self.settings.api
    }

    pub(super) fn sockets(&self) -> &reqwest::Client {
        &self.sockets
    }

    /// The address of a Socket Mode connection, good for one; with the app-level token.
    pub(super) async fn open_connection(&self, app_token: &SecretString) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Address {
            url: String,
        }
        let (_, address): (_, Address) = answer(self.request(app_token, "apps.connections.open")?).await?;
        Ok(address.url)
    }

    /// Posts a message, or a reply in the thread of `thread_ts`, that carries `delivery_id` in its metadata.
    pub async fn post_message(
        &self,
        token: &SecretString,
        channel: &str,
        message: &Rendered,
        thread_ts: Option<&str>,
        delivery_id: Uuid,
    ) -> Result<Posted, Error> {
        self.json(token, "chat.postMessage", &post(channel, message, thread_ts, Some(delivery_id))).await
    }

    /// Redraws a message of ours. Its metadata stays.
    pub async fn update_message(&self, token: &SecretString, at: &Posted, message: &Rendered) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Update<'a> {
            channel: &'a str,
            ts: &'a str,
            text: &'a str,
            blocks: &'a [Block],
        }
        let body = Update { channel: &at.channel, ts: &at.ts, text: &message.text, blocks: &message.blocks };
        self.json::<Done>(token, "chat.update", &body).await.map(drop)
    }

    /// The id of the direct message with this person. Keep it: opening takes longer than sending.
    pub async fn open_conversation(&self, token: &SecretString, user_id: &str) -> Result<String, Error> {
        let answer: WithChannel<Named> = self.json(token, "conversations.open", &json!({"users": user_id})).await?;
        Ok(answer.channel.id)
    }

    pub async fn channel(&self, token: &SecretString, channel_id: &str) -> Result<Channel, Error> {
        let answer: WithChannel<Channel> = self.form(token, "conversations.info", &[("channel", channel_id)]).await?;
        Ok(answer.channel)
    }

    /// The ids of a channel's first `limit` members at least; fewer if there are fewer.
    pub async fn members(&self, token: &SecretString, channel_id: &str, limit: usize) -> Result<Vec<String>, Error> {
        let mut members = Vec::new();
        let mut cursor = String::new();
        loop {
            let arguments = [("channel", channel_id), ("limit", "200"), ("cursor", &cursor)];
            let page: MembersPage = self.form(token, "conversations.members", &arguments).await?;
            members.extend(page.members);
            cursor = page.response_metadata.next_cursor;
            if cursor.is_empty() || members.len() >= limit {
                return Ok(members);
            }
        }
    }

    /// Why nothing about an account may be said in a channel, as a code: it is shared with another company (now, or
    /// once an invitation is taken), a guest is in it, or more people are than can be looked at. Asked each time,
    /// since a channel's privacy changes any day; each member is looked up at most once an hour.
    pub async fn not_for(&self, token: &SecretString, channel_id: &str) -> Result<Option<&'static str>, Error> {
        if outsiders(&self.channel(token, channel_id).await?, &[]) {
            return Ok(Some(outsiders::OUTSIDERS));
        }
        let members = self.members(token, channel_id, outsiders::MEMBERS_MOST + 1).await?;
        if members.len() > outsiders::MEMBERS_MOST {
            return Ok(Some(outsiders::TOO_MANY));
        }
        for member in members {
            if self.met_outsider(token, &member).await? {
                return Ok(Some(outsiders::OUTSIDERS));
            }
        }
        Ok(None)
    }

    pub async fn user(&self, token: &SecretString, user_id: &str) -> Result<User, Error> {
        let answer: WithUser = self.form(token, "users.info", &[("user", user_id)]).await?;
        Ok(answer.user)
    }

    /// `None` if nobody here has this address.
    pub async fn user_by_email(&self, token: &SecretString, email: &str) -> Result<Option<User>, Error> {
        match self.form::<WithUser>(token, "users.lookupByEmail", &[("email", email)]).await {
            Ok(answer) => Ok(Some(answer.user)),
            Err(Error::ChannelUnreachable(code)) if code == "users_not_found" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a view; its id, for [`Client::update_view`].
    pub async fn open_view(&self, token: &SecretString, trigger_id: &str, view: &Value) -> Result<String, Error> {
        let answer: WithView = self.json(token, "views.open", &json!({"trigger_id": trigger_id, "view": view})).await?;
        Ok(answer.view.id)
    }

    pub async fn update_view(&self, token: &SecretString, view_id: &str, view: &Value) -> Result<(), Error> {
        self.json::<Done>(token, "views.update", &json!({"view_id": view_id, "view": view})).await.map(drop)
    }

    /// Puts a person's home tab up, over whatever stood there.
    pub async fn publish_view(&self, token: &SecretString, user_id: &str, view: &Value) -> Result<(), Error> {
        // Without a hash: what is published is always the present state, so the last one is right.
        self.json::<Done>(token, "views.publish", &json!({"user_id": user_id, "view": view})).await.map(drop)
    }

    /// Asks whose token this is.
    pub async fn identify(&self, token: &SecretString) -> Result<Identity, Error> {
        let request = self.request(token, "auth.test")?;
        let (headers, mut identity): (_, Identity) = answer(request).await?;
        let scopes = headers.get("x-oauth-scopes").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        identity.date = date.and_then(|text| DateTime::parse_from_rfc2822(text).ok()).map(|date| date.to_utc());
        identity.scopes = scopes.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect();
        Ok(identity)
    }

    /// Whether a message was posted after all: where it stands, or `None` if it does not. An error if
    /// that could not be found out. Slack limits this call tightly for some apps: only after a crash.
    pub async fn find_delivery(&self, token: &SecretString, search: &Search<'_>) -> Result<Option<Posted>, Error> {
        let (oldest, latest) = (search.oldest.to_string(), search.latest.to_string());
        let mut cursor = String::new();
        for _ in 0..PAGES_MAX {
            let mut arguments = vec![
                ("channel", search.channel),
                ("include_all_metadata", "true"),
                ("inclusive", "true"),
                ("oldest", &oldest),
                ("latest", &latest),
                ("limit", HISTORY_PAGE),
                ("cursor", &cursor),
            ];
            let method = match search.thread_ts {
                Some(ts) => {
                    arguments.push(("ts", ts));
                    "conversations.replies"
                }
                None => "conversations.history",
            };
            let page: HistoryPage = self.form(token, method, &arguments).await?;
            let found = page.messages.iter().find(|message| message.delivers(search.delivery_id));
            if let Some(ts) = found.and_then(|message| message.ts.clone()) {
                return Ok(Some(Posted { channel: search.channel.to_owned(), ts }));
            }
            cursor = page.response_metadata.next_cursor;
            if cursor.is_empty() {
                return Ok(None);
            }
        }
        Err(Error::transient("too many messages in the time to be searched", true))
    }

    /// Posts a private answer, one of five at most.
    pub async fn respond(&self, url: &ResponseUrl, body: &impl Serialize) -> Result<(), Error> {
        let sent = self.http.post(url.as_url().clone()).json(body).send().await;
        let answer = sent.map_err(|error| Error::from_attempt(&error))?;
        let (status, headers, bytes) = read(answer).await?;
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS => Err(Error::RateLimited { retry_after: retry_after(&headers) }),
            // Also said with 404 (slackapi/java-slack-sdk issue 1349), while a picture is still being processed.
            _ if is_about_blocks(&bytes) => Err(Error::Rejected("invalid_blocks".into())),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => {
                Err(Error::Gone(format!("response_url, HTTP {}", status.as_u16())))
            }
            status if status.is_client_error() => Err(match String::from_utf8_lossy(&bytes).trim() {
                // Slack answers bare words here.
                code @ ("no_text" | "invalid_payload") => Error::Rejected(code.to_owned()),
                _ => Error::Rejected(format!("HTTP {}", status.as_u16())),
            }),
            status => Err(Error::transient(format!("HTTP {}", status.as_u16()), true)),
        }
    }

    async fn json<T: DeserializeOwned>(
        &self,
        token: &SecretString,
        method: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let request = self.request(token, method)?.header(CONTENT_TYPE, "application/json; charset=utf-8").json(body);
        answer(request).await.map(|(_, answer)| answer)
    }

    /// Slack's reading methods take no JSON. Arguments go into the body, so that no address or id is in a URL.
    async fn form<T: DeserializeOwned>(
        &self,
        token: &SecretString,
        method: &str,
        arguments: &[(&str, &str)],
    ) -> Result<T, Error> {
        let filled = arguments.iter().filter(|(_, value)| !value.is_empty());
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(filled).finish();
        let request = self.request(token, method)?.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        answer(request).await.map(|(_, answer)| answer)
    }

    fn request(&self, token: &SecretString, method: &str) -> Result<RequestBuilder, Error> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
            .map_err(|_| Error::Unauthorized("the token contains characters that no token has".into()))?;
        bearer.set_sensitive(true);
        Ok(self.http.post(self.settings.api.method(method)).header(AUTHORIZATION, bearer))
    }
}

/// One attempt. Everything but `"ok": true` with the fields that are needed is an error.
async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<(HeaderMap, T), Error> {
    #[derive(Deserialize)]
    struct Envelope {
        ok: bool,
        error: Option<String>,
        needed: Option<String>,
    }

    let response = request.send().await.map_err(|error| Error::from_attempt(&error))?;
    let (status, headers, body) = read(response).await?;
    let wait = retry_after(&headers);
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Error::RateLimited { retry_after: wait });
    }
    if status.is_server_error() || status.is_redirection() {
        return Err(Error::transient(format!("HTTP {}", status.as_u16()), true));
    }
    match serde_json::from_slice(&body) {
        Ok(Envelope { ok: false, error, needed }) => {
            Err(Error::from_code(error.as_deref().unwrap_or_default(), needed.as_deref(), wait))
        }
        Ok(Envelope { ok: true, .. }) if status.is_success() => {
            let answer = serde_json::from_slice(&body);
            Ok((headers, answer.map_err(|_| Error::transient("the answer lacks what was asked for", true))?))
        }
        // Not Slack's word but that of something on the way, which has not let it through: a gateway, a proxy.
        _ if status.is_client_error() => Err(Error::transient(format!("HTTP {}", status.as_u16()), false)),
        _ => Err(Error::transient("the answer is not Slack's", true)),
    }
}

/// The whole answer, within its limit.
async fn read(mut response: Response) -> Result<(StatusCode, HeaderMap, Vec<u8>), Error> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Error::from_attempt(&error))? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(Error::transient("the answer is too long", true));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, headers, body))
}

/// Whether the answer of a `response_url` names the blocks, as a bare word or as JSON.
fn is_about_blocks(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let code = serde_json::from_str::<Value>(&text).ok().and_then(|said| Some(said["error"].as_str()?.to_owned()));
    code.as_deref().unwrap_or(text.trim()) == "invalid_blocks"
}

fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map_or(RETRY_DEFAULT, |seconds| Duration::from_secs(seconds).clamp(Duration::from_secs(1), RETRY_MAX))
}

#[derive(Deserialize)]
struct Done {}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct WithChannel<T> {
    channel: T,
}

#[derive(Deserialize)]
struct WithUser {
    user: User,
}

#[derive(Deserialize)]
struct WithView {
    view: Named,
}

#[derive(Deserialize, Default)]
struct Paging {
    #[serde(default)]
    next_cursor: String,
}

#[derive(Deserialize)]
struct MembersPage {
    members: Vec<String>,
    #[serde(default)]
    response_metadata: Paging,
}

#[derive(Deserialize)]
struct HistoryPage {
    messages: Vec<Past>,
    #[serde(default)]
    response_metadata: Paging,
}

#[derive(Deserialize)]
struct Past {
    ts: Option<String>,
    metadata: Option<Value>,
}

impl Past {
    fn delivers(&self, id: Uuid) -> bool {
        let Some(metadata) = &self.metadata else { return false };
        let carried = metadata.pointer("/event_payload/delivery_id").and_then(Value::as_str);
        metadata["event_type"] == DELIVERY_EVENT && carried.and_then(|text| Uuid::try_parse(text).ok()) == Some(id)
    }
}

#[cfg(test)]
mod tests;
