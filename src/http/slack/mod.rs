//! Slack's three addresses. A request is proven and turned into one own value
//! ([`Verified`]) before anything here sees it; then it is answered within
//! Slack's 3 seconds, whatever the database does.

mod ask;
mod click;
mod command;
mod open;
mod picture;

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde_json::Value;

use super::body::{self, Limits};
use super::{Http, sentence};
use crate::app::query;
use crate::slack::address::ApiUrl;
use crate::slack::client::Client;
use crate::slack::inbound::{self, Door, Event, EventKind, Inbound};
use crate::store::directory::{Platform, Workspace};
use crate::store::message;

/// From the first byte; Slack gives up after 3 s and the answer has to travel.
const ANSWER_WITHIN: Duration = Duration::from_millis(2500);
/// Slack's bodies are whole in the first packets.
const BODY: Limits = Limits { bytes: 1 << 20, within: Duration::from_secs(2) };

/// What Slack's routes need.
#[derive(Debug, Clone)]
pub struct SlackDoor {
    /// During a rotation there are two.
    pub signing_secrets: Vec<SecretString>,
    /// Whose hosts a `response_url` may name.
    pub api: ApiUrl,
    pub client: Client,
    pub bot: Option<Bot>,
    asked_about: ask::AskedAbout,
    pictures: picture::Uploaded,
}

/// A token and the one workspace that it is for.
#[derive(Debug, Clone)]
pub struct Bot {
    pub token: SecretString,
    /// As `auth.test` names it: a workspace's id, or an enterprise's.
    pub team: String,
}

impl SlackDoor {
    pub fn new(signing_secrets: Vec<SecretString>, api: ApiUrl, client: Client, bot: Option<Bot>) -> Self {
        Self {
            signing_secrets,
            api,
            client,
            bot,
            asked_about: ask::AskedAbout::default(),
            pictures: picture::Uploaded::default(),
        }
    }

    /// A token is never used for another workspace than its own.
    fn token(&self, team: &str) -> Option<&SecretString> {
        self.bot.as_ref().filter(|bot| bot.team == team).map(|bot| &bot.token)
    }
}

/// A request of Slack's, proven and parsed, and when it began.
pub(super) struct Verified {
    inbound: Inbound,
    since: Instant,
}

impl FromRequest<Http> for Verified {
    type Rejection = Response;

    async fn from_request(request: Request, http: &Http) -> Result<Self, Response> {
        let since = Instant::now();
        let nowhere = || sentence(StatusCode::NOT_FOUND, "There is nothing here.");
        let slack = http.slack.as_ref().ok_or_else(nowhere)?;
        let door = match request.uri().path() {
            "/slack/commands" => Door::Commands,
            "/slack/interactions" => Door::Interactions,
            "/slack/events" => Door::Events,
            _ => return Err(nowhere()),
        };
        let (head, body) = request.into_parts();
        let held =
            body::read(body, &head.headers, BODY, &http.webhook_memory).await.map_err(IntoResponse::into_response)?;
        inbound::receive(door, &head.headers, &held.bytes, http.app.now(), &slack.signing_secrets, &slack.api)
            .map(|inbound| Self { inbound, since })
            .map_err(|refusal| {
                tracing::info!(%refusal, "a request was refused");
                sentence(refusal.status(), &format!("{refusal}."))
            })
    }
}

/// What a use case is carried out with.
struct Desk {
    http: Http,
    slack: SlackDoor,
    since: Instant,
}

pub(super) async fn receive(State(http): State<Http>, Verified { inbound, since }: Verified) -> Response {
    let Some(slack) = http.slack.clone() else { return nothing() };
    let desk = Desk { http, slack, since };
    match inbound {
        Inbound::Verification { challenge } => sentence_of(challenge),
        Inbound::SslCheck | Inbound::Ignored | Inbound::Closed(_) => nothing(),
        Inbound::Command(command) => command::answer(desk, command).await,
        Inbound::Press(press) => click::press(desk, press).await,
        Inbound::Submission(submission) => click::submit(desk, submission).await,
        Inbound::Event(event) => happened(&desk.http, &event).await,
    }
}

/// 200 with an empty body: taken, nothing to say.
fn nothing() -> Response {
    StatusCode::OK.into_response()
}

fn sentence_of(challenge: String) -> Response {
    ([(axum::http::header::CONTENT_TYPE, "text/plain; charset=utf-8")], challenge).into_response()
}

fn json(body: Value) -> Response {
    Json(body).into_response()
}

/// Events change nothing here yet but the log; each is noted once, since Slack repeats what it thinks was lost.
async fn happened(http: &Http, event: &Event) -> Response {
    let gone = match &event.kind {
        EventKind::Uninstalled => true,
        EventKind::TokensRevoked { bots, .. } => !bots.is_empty(),
        _ => false,
    };
    if !gone {
        return nothing();
    }
    match first_time(http, event).await {
        Ok(true) => {
            tracing::warn!(team = event.team_id, "Slack says that Tandem was removed from this workspace");
            nothing()
        }
        Ok(false) => nothing(),
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "an event was not stored");
            // Not 200, so that Slack sends it again.
            super::busy()
        }
    }
}

/// False for repeats and for workspaces that are nobody's.
async fn first_time(http: &Http, event: &Event) -> anyhow::Result<bool> {
    let workspace = Workspace { platform: Platform::Slack, id: event.team_id.clone() };
    let Some(org) = query::organisation_of(&http.app, &workspace).await? else { return Ok(false) };
    let mut tx = http.app.store.tenant(org).await?;
    let first = message::receive(&mut tx, &format!("event:{}", event.event_id), http.app.now()).await?;
    tx.commit().await?;
    Ok(first)
}
