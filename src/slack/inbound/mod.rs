//! From (headers, raw bytes, now, secrets) to one [`Inbound`], or a typed
//! refusal. Pure, so that `http` can wrap it in an extractor and Socket Mode
//! can hand its payloads to [`command`], [`interaction`] and [`event`].
//!
//! The payload types are our own, with everything optional that Slack has been
//! seen to leave out: slack-morphism's refuse some of Slack's own examples
//! (a null `team`, a `view_submission` with an empty state, `ssl_check`).

mod event;
mod interaction;
mod signature;
mod strict;

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

pub use event::{Event, EventKind};
pub(in crate::slack) use interaction::Carried;
pub use interaction::{Closed, Origin, Press, Submission};
pub use signature::{Unsigned, verify};
pub use strict::Malformed;

use super::address::{ApiUrl, ResponseUrl};

/// Which of the three addresses was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Commands,
    Interactions,
    Events,
}

/// What Slack tells us.
#[derive(Debug, Clone, PartialEq)]
pub enum Inbound {
    Command(SlashCommand),
    Press(Press),
    Submission(Submission),
    Closed(Closed),
    Event(Event),
    /// Answer with the challenge, as plain text or JSON.
    Verification {
        challenge: String,
    },
    /// Slack looks whether the certificate is valid.
    SslCheck,
    /// Nothing that Tandem knows: answer 200 with an empty body, or Slack sends it again.
    Ignored,
}

/// Why a request was refused, and with which status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Refusal {
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::Unsigned(_) => StatusCode::UNAUTHORIZED,
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Who did something, and in which installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The workspace; for an organisation-wide installation without a workspace, the enterprise's id.
    pub team_id: String,
    pub enterprise_id: Option<String>,
    pub user_id: String,
}

/// `/account acme`, `/tandem risks`.
#[derive(Debug, Clone, PartialEq)]
pub struct SlashCommand {
    pub who: Who,
    /// With its slash: `/account`.
    pub command: String,
    pub text: String,
    pub channel_id: Option<String>,
    pub channel_name: Option<String>,
    /// Dropped if it names a host that must not be called.
    pub response_url: Option<ResponseUrl>,
    pub trigger_id: Option<String>,
    pub is_enterprise_install: bool,
}

/// The fields of a frame that needs no proof, since it came over a connection that Tandem opened.
pub(super) fn fields<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    strict::fields(strict::json(bytes)?)
}

/// A request of Slack's, proven and parsed.
pub fn receive(
    door: Door,
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
    secrets: &[SecretString],
    api: &ApiUrl,
) -> Result<Inbound, Refusal> {
    if let Err(unsigned) = verify(headers, body, now, secrets) {
        // Slack does not always sign its look at the certificate. It changes nothing and learns nothing.
        return if door == Door::Commands && is_ssl_check(body) { Ok(Inbound::SslCheck) } else { Err(unsigned.into()) };
    }
    Ok(match door {
        Door::Commands => command(Value::Object(strict::form(body)?), api)?,
        Door::Interactions => {
            let mut form = strict::form(body)?;
            match form.remove("payload") {
                Some(Value::String(payload)) => interaction(strict::json(payload.as_bytes())?, api)?,
                _ if form.contains_key("ssl_check") => Inbound::SslCheck,
                _ => return Err(Malformed::new("the form field \"payload\" is missing").into()),
            }
        }
        Door::Events => event(strict::json(body)?)?,
    })
}

fn is_ssl_check(body: &[u8]) -> bool {
    strict::form(body).is_ok_and(|form| form.contains_key("ssl_check") && !form.contains_key("command"))
}

/// A slash command's fields, as an object.
pub fn command(payload: Value, api: &ApiUrl) -> Result<Inbound, Malformed> {
    #[derive(Deserialize)]
    struct Fields {
        command: String,
        #[serde(default)]
        text: String,
        team_id: Option<String>,
        enterprise_id: Option<String>,
        user_id: String,
        channel_id: Option<String>,
        channel_name: Option<String>,
        response_url: Option<String>,
        trigger_id: Option<String>,
        #[serde(default, deserialize_with = "strict::flag")]
        is_enterprise_install: bool,
    }

    if payload.get("ssl_check").is_some() && payload.get("command").is_none() {
        return Ok(Inbound::SslCheck);
    }
    let fields: Fields = strict::fields(payload)?;
    let who = who([fields.team_id], fields.enterprise_id, fields.user_id)?;
    Ok(Inbound::Command(SlashCommand {
        who,
        command: fields.command,
        text: fields.text,
        channel_id: filled(fields.channel_id),
        channel_name: filled(fields.channel_name),
        response_url: fields.response_url.and_then(|text| ResponseUrl::parse(&text, api)),
        trigger_id: filled(fields.trigger_id),
        is_enterprise_install: fields.is_enterprise_install,
    }))
}

/// An interaction's payload: a press, a submitted or closed dialog. Shortcuts and suggestions,
/// which Tandem does not offer, are ignored.
pub fn interaction(payload: Value, api: &ApiUrl) -> Result<Inbound, Malformed> {
    match kind_of(&payload)? {
        "block_actions" => interaction::press(payload, api),
        "view_submission" => interaction::submission(payload).map(Inbound::Submission),
        "view_closed" => interaction::closed(payload).map(Inbound::Closed),
        _ => Ok(Inbound::Ignored),
    }
}

/// An Events API payload.
pub fn event(payload: Value) -> Result<Inbound, Malformed> {
    match kind_of(&payload)? {
        "url_verification" => match payload.get("challenge").and_then(Value::as_str) {
            Some(challenge) => Ok(Inbound::Verification { challenge: challenge.to_owned() }),
            None => Err(Malformed::new("the challenge is missing")),
        },
        "event_callback" => event::callback(payload),
        _ => Ok(Inbound::Ignored),
    }
}

fn kind_of(payload: &Value) -> Result<&str, Malformed> {
    payload.get("type").and_then(Value::as_str).ok_or_else(|| Malformed::new("the field \"type\" is missing"))
}

/// The first workspace that is named, else the enterprise.
fn who<const N: usize>(
    teams: [Option<String>; N],
    enterprise_id: Option<String>,
    user_id: String,
) -> Result<Who, Malformed> {
    let enterprise_id = filled(enterprise_id);
    let team_id = teams.into_iter().find_map(filled).or_else(|| enterprise_id.clone());
    let team_id = team_id.ok_or_else(|| Malformed::new("neither a team nor an enterprise is named"))?;
    if user_id.is_empty() {
        return Err(Malformed::new("the user is not named"));
    }
    Ok(Who { team_id, enterprise_id, user_id })
}

/// Slack writes an absent id as null, as an empty text, or not at all.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
