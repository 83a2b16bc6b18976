//! Slack's three addresses. A request is proven and turned into one own value
//! ([`Verified`]) before anything here sees it; then it is answered within
//! Slack's 3 seconds, whatever the database does.

mod ask;
mod click;
mod command;
mod home;
mod install;
mod open;
mod picture;
pub mod roster;
pub mod socket;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::DateTime;
use secrecy::SecretString;
use serde::Serialize;

use super::ask::AskedAbout;
use super::body::{self, Limits};
use super::{Http, sentence};
use crate::app::query;
use crate::slack::address::ApiUrl;
use crate::slack::client::Client;
use crate::slack::inbound::{self, Door, Event, EventKind, Inbound, Who};
use crate::store::directory::{Platform, Workspace};
use crate::store::message;
use crate::tokens::Tokens;

pub use install::Install;
pub(super) use install::{finish, start};

/// From the first byte; Slack gives up after 3 s and the answer has to travel.
const ANSWER_WITHIN: Duration = Duration::from_millis(2500);
/// Room for most answers, so that they need not be moved while they are written.
const USUAL_ANSWER: usize = 8 << 10;
/// Slack's bodies are whole in the first packets.
const BODY: Limits = Limits { bytes: 1 << 20, within: Duration::from_secs(2) };

/// What Slack's routes need.
pub struct SlackDoor {
    /// During a rotation there are two.
    pub signing_secrets: Vec<SecretString>,
    /// Whose hosts a `response_url` may name.
    pub api: ApiUrl,
    pub client: Client,
    pub tokens: Tokens,
    /// `None` where workspaces can't install the app by themselves.
    pub install: Option<Install>,
    asked_about: AskedAbout,
    pictures: picture::Uploaded,
}

impl SlackDoor {
    pub fn new(
        signing_secrets: Vec<SecretString>,
        api: ApiUrl,
        client: Client,
        tokens: Tokens,
        install: Option<Install>,
    ) -> Self {
        Self {
            signing_secrets,
            api,
            client,
            tokens,
            install,
            asked_about: AskedAbout::default(),
            pictures: picture::Uploaded::default(),
        }
    }

    /// What opens a workspace; `None` also where it can't be had now.
    async fn token(&self, team: &str) -> Option<SecretString> {
        self.tokens.of(team).await.unwrap_or_else(|error| {
            tracing::error!(
                team,
                error = format!("{:#}", anyhow::Error::from(error)),
                "there is no token to answer with"
            );
            None
        })
    }

    /// The same for a view that has to be opened within 3 seconds: as lately known, however slow the database is.
    async fn token_at_once(&self, team: &str) -> Option<SecretString> {
        match self.tokens.lately(team) {
            Some(token) => Some(token),
            None => self.token(team).await,
        }
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
    slack: Arc<SlackDoor>,
    since: Instant,
}

pub(super) async fn receive(State(http): State<Http>, Verified { inbound, since }: Verified) -> Response {
    answer(http, inbound, since).await
}

/// The same for whatever door it came by.
async fn answer(http: Http, inbound: Inbound, since: Instant) -> Response {
    let Some(slack) = http.slack.clone() else { return nothing() };
    let desk = Desk { http, slack, since };
    match inbound {
        Inbound::Verification { challenge } => sentence_of(challenge),
        Inbound::SslCheck | Inbound::Ignored | Inbound::Closed(_) => nothing(),
        Inbound::Command(command) => command::answer(desk, command).await,
        // Boxed, or each command would be moved about with room for the largest.
        Inbound::Press(press) => Box::pin(click::press(desk, press)).await,
        Inbound::Submission(submission) => Box::pin(click::submit(desk, submission)).await,
        Inbound::Event(Event { team_id, enterprise_id, kind: EventKind::HomeOpened { user_id, tab }, .. }) => {
            // The messages tab of the same app is no home.
            if tab.as_deref() != Some("messages") {
                home::opened(desk, Who { team_id, enterprise_id, user_id });
            }
            nothing()
        }
        Inbound::Event(event) => Box::pin(happened(&desk, &event)).await,
    }
}

/// 200 with an empty body: taken, nothing to say.
fn nothing() -> Response {
    StatusCode::OK.into_response()
}

fn sentence_of(challenge: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], challenge).into_response()
}

fn json(body: impl Serialize) -> Response {
    let mut bytes = Vec::with_capacity(USUAL_ANSWER);
    // An object of texts can be written, and into memory.
    let _ = serde_json::to_writer(&mut bytes, &body);
    ([(CONTENT_TYPE, "application/json")], bytes).into_response()
}

/// Each event has one effect, since Slack repeats what it thinks was lost.
async fn happened(desk: &Desk, event: &Event) -> Response {
    let done = match &event.kind {
        EventKind::Uninstalled => removed(desk, event, "app_uninstalled").await,
        EventKind::TokensRevoked { bots, .. } if !bots.is_empty() => removed(desk, event, "tokens_revoked").await,
        EventKind::ChannelShared { channel_id } | EventKind::MemberJoined { channel_id, .. } => {
            others_read(desk, event, channel_id).await
        }
        EventKind::UserChanged(user) => {
            desk.slack.client.profile_changed(&event.team_id, user);
            roster::heard_of(&desk.http.app, &slack(&event.team_id), std::slice::from_ref(user)).await
        }
        _ => return nothing(),
    };
    match done {
        Ok(()) => nothing(),
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "an event was not stored");
            // Not 200, so that Slack sends it again.
            super::busy()
        }
    }
}

/// Tandem was removed from a workspace. Doing that twice is doing it once; the receipt is only written after it.
async fn removed(desk: &Desk, event: &Event, why: &str) -> anyhow::Result<()> {
    let said = event.at.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let happened = said.unwrap_or_else(|| desk.http.app.now());
    let removed = desk.slack.tokens.removed(&event.team_id, happened, why).await?;
    if first_time(&desk.http, event).await? || removed {
        tracing::warn!(team = event.team_id, why, removed, "Slack says that Tandem was removed from this workspace");
    }
    Ok(())
}

/// Perhaps outsiders read a channel from now on: what stands there is drawn again, and delivery looks before it draws.
async fn others_read(desk: &Desk, event: &Event, channel: &str) -> anyhow::Result<()> {
    desk.slack.client.forget_guests(&event.team_id);
    let (app, workspace) = (&desk.http.app, slack(&event.team_id));
    let Some(org) = query::organisation_of(app, &workspace).await? else { return Ok(()) };
    let mut tx = app.store.tenant(org).await?;
    message::queue_channel(&mut tx, &workspace, channel, app.now()).await?;
    tx.commit().await?;
    app.outbox_bell.notify_waiters();
    Ok(())
}

fn slack(team: &str) -> Workspace {
    Workspace { platform: Platform::Slack, id: team.to_owned() }
}

/// False for repeats and for workspaces that are nobody's.
async fn first_time(http: &Http, event: &Event) -> anyhow::Result<bool> {
    let workspace = slack(&event.team_id);
    let Some(org) = query::organisation_of(&http.app, &workspace).await? else { return Ok(false) };
    let mut tx = http.app.store.tenant(org).await?;
    let first = message::receive(&mut tx, &format!("event:{}", event.event_id), http.app.now()).await?;
    tx.commit().await?;
    Ok(first)
}
