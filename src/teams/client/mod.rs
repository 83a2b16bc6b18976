//! The Bot Connector calls that Tandem makes, one attempt each: pacing and
//! retrying belong to delivery, which knows the lane.
//!
//! Every call goes to a [`ServiceUrl`], which only an allow-list makes, and
//! follows no redirect: either would carry our token to somebody else's host.

mod error;
mod members;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

pub use error::Error;
pub use members::Member;
use members::Met;

use super::address::{Endpoint, ServiceUrl, ServiceUrls};
use token::Tokens;

/// How long one attempt may take, from connecting to the last byte. Shorter than a lane's lease (20 s).
const ATTEMPT: Duration = Duration::from_secs(10);
/// Where Teams says "too many" without saying until when.
const RETRY_DEFAULT: Duration = Duration::from_secs(5);
/// A later time is taken for a mistake.
const RETRY_MAX: Duration = Duration::from_secs(3600);
/// A page of members stays far below.
const ANSWER_MAX: usize = 4 << 20;
/// Members a page: the most that Teams gives.
const PAGE: &str = "500";
/// A team has 25,000 members at most (learn.microsoft.com, "Limits and specifications for Teams").
const PAGES_MAX: usize = 60;

#[derive(Debug, Clone)]
pub struct Settings {
    pub app_id: String,
    pub secret: SecretString,
    /// The tenant that the bot's Azure resource and app registration live in.
    pub home_tenant: String,
    pub login: Endpoint,
    pub services: ServiceUrls,
}

/// Calls Teams. Cheap to clone: all clones share the token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    app_id: Arc<str>,
    tokens: Arc<Tokens>,
    /// Conversations that Teams asked to leave alone, and until when.
    blocked: Arc<Mutex<HashMap<String, Instant>>>,
    met: Met,
}

/// A client with limits: no redirects, no longer than `attempt`.
pub(super) fn bounded(attempt: Duration, direct: bool) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .timeout(attempt)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")));
    if direct {
        builder = builder.no_proxy();
    }
    builder.build()
}

impl Client {
    /// Fails if no TLS provider is installed.
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let http = bounded(ATTEMPT, settings.services.is_loopback())?;
        let identity = bounded(ATTEMPT, settings.login.is_loopback())?;
        let app_id = settings.app_id.as_str().into();
        Ok(Self {
            http,
            app_id,
            tokens: Arc::new(Tokens::new(identity, settings)),
            blocked: Arc::default(),
            met: Met::default(),
        })
    }

    /// Posts an activity; its id.
    pub async fn post(&self, service: &ServiceUrl, conversation: &str, activity: &Value) -> Result<String, Error> {
        let url = service.resource(&["conversations", conversation, "activities"]);
        let answer: WithId = self.call(Method::POST, url, conversation, Some(activity)).await?;
        Ok(answer.id)
    }

    /// Redraws an activity of ours.
    pub async fn update(
        &self,
        service: &ServiceUrl,
        conversation: &str,
        id: &str,
        activity: &Value,
    ) -> Result<(), Error> {
        let url = service.resource(&["conversations", conversation, "activities", id]);
        self.call::<Value>(Method::PUT, url, conversation, Some(activity)).await.map(drop)
    }

    /// The id of the personal conversation with this user, by their Entra object id. Keep it.
    pub async fn open_conversation(&self, service: &ServiceUrl, tenant: &str, user_id: &str) -> Result<String, Error> {
        let body = json!({
            "isGroup": false,
            "bot": {"id": format!("28:{}", self.app_id)},
            "members": [{"id": user_id}],
            "tenantId": tenant,
            "channelData": {"tenant": {"id": tenant}},
        });
        let url = service.resource(&["conversations"]);
        let answer: WithId = self.call(Method::POST, url, &format!("open {user_id}"), Some(&body)).await?;
        Ok(answer.id)
    }

    /// Everyone in a conversation.
    pub async fn members(&self, service: &ServiceUrl, conversation: &str) -> Result<Vec<Member>, Error> {
        let mut members = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut url = service.resource(&["conversations", conversation, "pagedmembers"]);
            url.query_pairs_mut().append_pair("pageSize", PAGE);
            if let Some(token) = &next {
                url.query_pairs_mut().append_pair("continuationToken", token);
            }
            let page: MembersPage = self.call(Method::GET, url, conversation, None).await?;
            members.extend(page.members);
            next = page.continuation_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(members);
            }
        }
        Err(Error::Rejected("the conversation has more members than Teams allows".into()))
    }

    /// One member of a conversation, by the account's or the Entra object id.
    pub async fn member(&self, service: &ServiceUrl, conversation: &str, user_id: &str) -> Result<Member, Error> {
        let url = service.resource(&["conversations", conversation, "members", user_id]);
        self.call(Method::GET, url, conversation, None).await
    }

    /// Whether Microsoft's login accepts this app. For `doctor`.
    pub async fn sign_in(&self) -> Result<(), Error> {
        self.tokens.get().await.map(drop)
    }

    /// One call; where the token was not accepted, a second with a new one. Nothing is called that Teams asked to
    /// leave alone.
    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        place: &str,
        body: Option<&Value>,
    ) -> Result<T, Error> {
        if let Some(retry_after) = self.left_alone(place) {
            return Err(Error::RateLimited { retry_after });
        }
        let token = self.tokens.get().await?;
        let mut answer = self.attempt(method.clone(), url.clone(), &token, body).await;
        if matches!(answer, Err(Error::Unauthorized(_))) {
            let renewed = self.tokens.renew(&token).await?;
            answer = self.attempt(method, url, &renewed, body).await;
        }
        if let Err(Error::RateLimited { retry_after }) = answer {
            self.leave_alone(place, retry_after);
        }
        answer
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        token: &SecretString,
        body: Option<&Value>,
    ) -> Result<T, Error> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
            .map_err(|_| Error::Unauthorized("the token contains characters that no token has".into()))?;
        bearer.set_sensitive(true);
        let mut request = self.http.request(method, url).header(AUTHORIZATION, bearer);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| Error::from_attempt(&error))?;
        let (status, headers, bytes) = read(response).await?;
        if !status.is_success() {
            return Err(Error::from_status(status, wait(&headers), &bytes));
        }
        // It was taken; an answer that can't be read changes nothing about that.
        serde_json::from_slice(&bytes).map_err(|_| Error::transient("the answer lacks what was asked for", true))
    }

    fn left_alone(&self, place: &str) -> Option<Duration> {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        blocked.retain(|_, until| *until > now);
        blocked.get(place).map(|until| until.duration_since(now))
    }

    fn leave_alone(&self, place: &str, wait: Duration) {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        blocked.insert(place.to_owned(), Instant::now() + wait);
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

/// What the answer says of waiting.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map(|seconds| Duration::from_secs(seconds).clamp(Duration::from_secs(1), RETRY_MAX))
}

#[derive(Deserialize)]
struct WithId {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MembersPage {
    #[serde(default)]
    members: Vec<Member>,
    continuation_token: Option<String>,
}
