//! Presses of buttons and menus, and dialogs that were submitted or closed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Inbound, Malformed, Who, filled, strict, who};
use crate::domain::action::{Action, UnknownAction};
use crate::domain::message::Answers;
use crate::slack::address::{ApiUrl, ResponseUrl};

/// Somebody pressed a button or chose from a menu.
#[derive(Debug, Clone, PartialEq)]
pub struct Press {
    pub who: Who,
    /// The message on which it was pressed; `None` on the home tab and in a dialog.
    pub message: Option<Origin>,
    /// Only the presser sees that message, so it cannot be redrawn by `chat.update`.
    pub is_ephemeral: bool,
    /// The home tab or dialog on which it was pressed.
    pub view_id: Option<String>,
    /// Slack's id of this click. Repeats of one click carry the same.
    pub action_ts: String,
    /// Opens a dialog: once, within 3 seconds.
    pub trigger_id: Option<String>,
    /// Dropped if it names a host that must not be called.
    pub response_url: Option<ResponseUrl>,
    /// What was asked for; unknown when the card is from another version, or was never ours.
    pub action: Result<Action, UnknownAction>,
}

impl Press {
    /// The same for every delivery of one click, different for any two clicks:
    /// where it was (message or view), when, and by whom.
    pub fn dedup_key(&self) -> String {
        let Who { team_id, user_id, .. } = &self.who;
        let place = match (&self.message, &self.view_id) {
            (Some(message), _) => format!("{}:{}", message.channel, message.ts),
            (None, Some(view)) => view.clone(),
            (None, None) => String::new(),
        };
        format!("{team_id}:{place}:{}:{user_id}", self.action_ts)
    }
}

/// A message of ours: the card that a dialog was opened from, or that was pressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    #[serde(rename = "c")]
    pub channel: String,
    #[serde(rename = "t")]
    pub ts: String,
}

/// A dialog was submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    pub who: Who,
    pub view_id: String,
    /// Changes with each update of the view.
    pub hash: Option<String>,
    pub action: Result<Action, UnknownAction>,
    /// Where the dialog was opened from, if it was opened from a message.
    pub origin: Option<Origin>,
    pub answers: Answers,
}

/// A dialog was closed without submitting it.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    pub who: Who,
    pub view_id: Option<String>,
}

/// What travels in a view's `private_metadata`. Not trusted when it comes back: the action is
/// looked up under the submitter's organisation and rights, the origin only says what to redraw.
#[derive(Serialize, Deserialize)]
pub(in crate::slack) struct Carried {
    #[serde(rename = "a")]
    pub(in crate::slack) action: String,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub(in crate::slack) origin: Option<Origin>,
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Team {
    id: Option<String>,
    enterprise_id: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    team_id: Option<String>,
}

#[derive(Deserialize, Default)]
struct View {
    id: Option<String>,
    hash: Option<String>,
    app_installed_team_id: Option<String>,
    private_metadata: Option<String>,
    state: Option<State>,
}

#[derive(Deserialize)]
struct State {
    values: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Payload {
    user: User,
    team: Option<Team>,
    enterprise: Option<Named>,
    view: Option<View>,
    channel: Option<Named>,
    container: Option<Container>,
    message: Option<Stamped>,
    #[serde(default)]
    actions: Vec<Pressed>,
    trigger_id: Option<String>,
    response_url: Option<String>,
}

#[derive(Deserialize, Default)]
struct Container {
    message_ts: Option<String>,
    channel_id: Option<String>,
    view_id: Option<String>,
    #[serde(default, deserialize_with = "strict::flag")]
    is_ephemeral: bool,
}

#[derive(Deserialize)]
struct Stamped {
    ts: Option<String>,
}

#[derive(Deserialize)]
struct Pressed {
    value: Option<String>,
    selected_option: Option<Chosen>,
    action_ts: Option<String>,
}

#[derive(Deserialize)]
struct Chosen {
    value: Option<String>,
}

impl Payload {
    /// The installation is named first by the view (a dialog can be open in another workspace of the
    /// enterprise than its app is installed in), then by the team; both are null for organisation-wide
    /// installations, where the user's own workspace stands in.
    fn who(&mut self) -> Result<Who, Malformed> {
        let installed = self.view.as_mut().and_then(|view| view.app_installed_team_id.take());
        let (team, of_team) = self.team.take().map_or((None, None), |team| (team.id, team.enterprise_id));
        let enterprise = self.enterprise.take().and_then(|enterprise| enterprise.id);
        who([installed, team, self.user.team_id.take()], enterprise.or(of_team), std::mem::take(&mut self.user.id))
    }
}

/// Actions beyond the first are not read: Slack sends one for each press.
pub(super) fn press(payload: Value, api: &ApiUrl) -> Result<Inbound, Malformed> {
    let mut payload: Payload = strict::fields(payload)?;
    let who = payload.who()?;
    if payload.actions.is_empty() {
        return Err(Malformed::new("no action was pressed"));
    }
    let pressed = payload.actions.swap_remove(0);
    let container = payload.container.unwrap_or_default();
    let channel = payload.channel.and_then(|channel| channel.id).or(container.channel_id);
    let ts = container.message_ts.or(payload.message.and_then(|message| message.ts));
    let message = filled(channel).zip(filled(ts)).map(|(channel, ts)| Origin { channel, ts });
    let trigger_id = filled(payload.trigger_id);
    let action_ts = filled(pressed.action_ts)
        .or_else(|| trigger_id.clone())
        .ok_or_else(|| Malformed::new("neither action_ts nor trigger_id tells this press from the next"))?;
    let value = pressed.selected_option.and_then(|chosen| chosen.value).or(pressed.value);
    Ok(Inbound::Press(Press {
        who,
        message,
        is_ephemeral: container.is_ephemeral,
        view_id: filled(container.view_id).or_else(|| payload.view.and_then(|view| view.id)),
        action_ts,
        trigger_id,
        response_url: payload.response_url.and_then(|text| ResponseUrl::parse(&text, api)),
        action: value.ok_or(UnknownAction).and_then(|value| value.parse()),
    }))
}

pub(super) fn submission(payload: Value) -> Result<Submission, Malformed> {
    let mut payload: Payload = strict::fields(payload)?;
    let who = payload.who()?;
    let view = payload.view.ok_or_else(|| Malformed::new("the view is missing"))?;
    let view_id = filled(view.id).ok_or_else(|| Malformed::new("the view has no id"))?;
    let carried = view.private_metadata.and_then(|text| serde_json::from_str::<Carried>(&text).ok());
    let (action, origin) = match carried {
        Some(carried) => (carried.action.parse(), carried.origin),
        None => (Err(UnknownAction), None),
    };
    let values = view.state.and_then(|state| state.values).unwrap_or_default();
    Ok(Submission { who, view_id, hash: filled(view.hash), action, origin, answers: answers(&values) })
}

pub(super) fn closed(payload: Value) -> Result<Closed, Malformed> {
    let mut payload: Payload = strict::fields(payload)?;
    Ok(Closed { who: payload.who()?, view_id: payload.view.and_then(|view| filled(view.id)) })
}

/// `{block_id: {action_id: {type, …}}}` → field id → answer. The renderer names a block after its
/// field and puts one element into it. Empty and blank answers are absent.
fn answers(values: &Map<String, Value>) -> Answers {
    let answer = |elements: &Value| elements.as_object().and_then(|all| all.values().find_map(answer_of));
    values.iter().filter_map(|(field, elements)| Some((field.clone(), answer(elements)?))).collect()
}

/// What one element says: each kind keeps it under a name of its own.
fn answer_of(element: &Value) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    if let Some(chosen) = element.get("selected_options").and_then(Value::as_array) {
        let values: Vec<String> = chosen.iter().filter_map(|option| text(option.get("value")?)).collect();
        return Some(values.join(";")).filter(|answer| !answer.is_empty());
    }
    [
        "/value",
        "/selected_date",
        "/selected_option/value",
        "/selected_user",
        "/selected_conversation",
        "/selected_channel",
        "/selected_time",
        "/selected_date_time",
    ]
    .iter()
    .filter_map(|pointer| element.pointer(pointer))
    .find_map(text)
    .filter(|answer| !answer.trim().is_empty())
}
