//! The Events API: what happened to the app, its channels and its home.

use serde::Deserialize;
use serde_json::Value;

use super::{Inbound, Malformed, filled, strict};
use crate::slack::client::User;

/// One event. Slack repeats it up to three times: deduplicate by `event_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The workspace of the installation; for an organisation-wide one without a workspace, the enterprise's id.
    pub team_id: String,
    pub enterprise_id: Option<String>,
    pub event_id: String,
    /// When it happened, in seconds since 1970, where Slack says it.
    pub at: Option<i64>,
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// Somebody looks at the app's home; `tab` is `home` or `messages`.
    HomeOpened { user_id: String, tab: Option<String> },
    /// Comes before or after [`EventKind::TokensRevoked`], or alone.
    Uninstalled,
    /// The ids of the users, and of the bot users, whose tokens are gone.
    TokensRevoked { users: Vec<String>, bots: Vec<String> },
    /// Perhaps a guest: whether outsiders read along has to be asked again.
    MemberJoined { channel_id: String, user_id: String },
    /// A channel is shared with another company from now on.
    ChannelShared { channel_id: String },
    /// Somebody's profile is another: their time zone, whether they are a guest, or deactivated.
    UserChanged(User),
    /// Somebody wrote to the app in its direct messages.
    DirectMessage { channel_id: String, user_id: String, ts: String, text: String },
}

#[derive(Deserialize)]
struct Callback {
    team_id: Option<String>,
    enterprise_id: Option<String>,
    event_id: String,
    event_time: Option<i64>,
    event: Inner,
    authorizations: Option<Vec<Authorization>>,
}

#[derive(Deserialize)]
struct Authorization {
    team_id: Option<String>,
    enterprise_id: Option<String>,
}

/// The fields of every event that we know, by their names on the wire. `user` and `channel` are
/// objects in some events that we do not know, so they are read only where they are needed.
#[derive(Deserialize)]
struct Inner {
    #[serde(rename = "type")]
    kind: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

impl Inner {
    fn text(&self, name: &str) -> Result<String, Malformed> {
        self.optional(name).ok_or_else(|| Malformed::new(format!("the event's {name} is missing")))
    }

    fn optional(&self, name: &str) -> Option<String> {
        filled(self.rest.get(name).and_then(Value::as_str).map(str::to_owned))
    }

    fn revoked(&self, kind: &str) -> Vec<String> {
        let list = self.rest.get("tokens").and_then(|tokens| tokens.get(kind)).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect()
    }

    /// A person's own words: no edit, no join notice, no bot, and in a direct message.
    fn is_direct_message(&self) -> bool {
        let absent = |name: &str| self.rest.get(name).is_none_or(Value::is_null);
        self.optional("channel_type").as_deref() == Some("im") && absent("subtype") && absent("bot_id")
    }
}

pub(super) fn callback(payload: Value) -> Result<Inbound, Malformed> {
    let callback: Callback = strict::fields(payload)?;
    let inner = &callback.event;
    let kind = match inner.kind.as_str() {
        "app_home_opened" => EventKind::HomeOpened { user_id: inner.text("user")?, tab: inner.optional("tab") },
        "app_uninstalled" => EventKind::Uninstalled,
        "tokens_revoked" => EventKind::TokensRevoked { users: inner.revoked("oauth"), bots: inner.revoked("bot") },
        "member_joined_channel" => {
            EventKind::MemberJoined { channel_id: inner.text("channel")?, user_id: inner.text("user")? }
        }
        "user_change" => match inner.rest.get("user").cloned().and_then(|user| serde_json::from_value(user).ok()) {
            Some(user) => EventKind::UserChanged(user),
            // A profile without an id is nobody's.
            None => return Ok(Inbound::Ignored),
        },
        "channel_shared" => EventKind::ChannelShared { channel_id: inner.text("channel")? },
        "message" if inner.is_direct_message() => EventKind::DirectMessage {
            channel_id: inner.text("channel")?,
            user_id: inner.text("user")?,
            ts: inner.text("ts")?,
            text: inner.optional("text").unwrap_or_default(),
        },
        _ => return Ok(Inbound::Ignored),
    };
    // In a channel shared with another company the outer team can be theirs; the authorisation names ours.
    let authorised = callback.authorizations.unwrap_or_default().into_iter().next();
    let (team, enterprise) = authorised.map_or((None, None), |ours| (filled(ours.team_id), filled(ours.enterprise_id)));
    let enterprise_id = enterprise.or_else(|| filled(callback.enterprise_id));
    let team_id = team
        .or_else(|| filled(callback.team_id))
        .or_else(|| enterprise_id.clone())
        .ok_or_else(|| Malformed::new("neither a team nor an enterprise is named"))?;
    let at = callback.event_time;
    Ok(Inbound::Event(Event { team_id, enterprise_id, event_id: callback.event_id, at, kind }))
}
