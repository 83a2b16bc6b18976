//! One activity of Bot Framework → one own event. Pure: the proof of who sent
//! it is [`super::auth`]'s, which asks for the [`Envelope`] only.
//!
//! The payload types are our own, with everything optional that Teams has been
//! seen to leave out or to send as null.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::auth::Unproven;
use crate::domain::action::{Action, UnknownAction};
use crate::domain::message::Answers;

/// The one channel that Tandem serves.
pub const CHANNEL: &str = "msteams";
/// The verb by which a card asks how it reads now.
pub const REFRESH: &str = "refresh";
/// Before the id of each input of a dialog, so that none can pass for what the dialog carries.
pub const FIELD: &str = "f.";
/// Longer texts than any command are cut; Teams itself allows 28 KB.
const TEXT_MAX: usize = 4_000;

/// What has to be known of an activity before it is believed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Envelope {
    #[serde(rename = "channelId", default)]
    pub channel_id: String,
    #[serde(rename = "serviceUrl", default)]
    pub service_url: String,
}

/// Why an activity was refused, and with which status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Unproven(#[from] Unproven),
    #[error("the activity can't be read: {0}")]
    Malformed(&'static str),
    #[error("the activity does not say clearly which tenant it comes from")]
    Tenant,
}

impl Refusal {
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::Unproven(Unproven::NoKeys) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Unproven(_) => StatusCode::UNAUTHORIZED,
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::Tenant => StatusCode::FORBIDDEN,
        }
    }
}

/// What Teams tells us, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// The same for every delivery of one activity.
    pub id: String,
    /// In lower case.
    pub tenant: String,
    pub who: Who,
    pub place: Place,
    pub what: What,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The Entra object id, in lower case: stable, and what people are imported with. Where Teams leaves it out (it does
    /// for some people of other companies) the account's id stands in, which no colleague is known by.
    pub user_id: String,
    /// The account as this bot sees it.
    pub account_id: String,
}

/// Where it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As it came, so that an answer goes to the same thread of a channel.
    pub conversation: String,
    pub scope: Scope,
    /// A channel that other teams, of whatever company, may be let into.
    pub shared: bool,
    /// The message of ours that it is about.
    pub reply_to: Option<String>,
}

impl Place {
    /// The conversation without the thread.
    pub fn root(&self) -> &str {
        self.conversation.split_once(';').map_or(&self.conversation, |(root, _)| root)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Personal,
    Team,
    GroupChat,
}

impl Scope {
    /// As Teams writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Personal => "personal",
            Scope::Team => "channel",
            Scope::GroupChat => "groupChat",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Typed to the bot, without mentions.
    Said(String),
    /// A button. `answered`: the answer stands in the response (`Action.Execute`); else the press came as a message
    /// (`Action.Submit`, where a client does not know the other).
    Press {
        action: Result<Action, UnknownAction>,
        carried: Carried,
        answered: bool,
    },
    /// A card asks how it reads now. Changes nothing.
    Refresh(Carried),
    /// A button that opens a dialog.
    Fetch {
        action: Result<Action, UnknownAction>,
        carried: Carried,
    },
    /// A dialog was submitted.
    Submit {
        action: Result<Action, UnknownAction>,
        carried: Carried,
        answers: Answers,
    },
    /// The app was added here: two events say so, and both come.
    Added,
    Upgraded,
    Removed,
    /// An invoke of a name that Tandem's cards do not have: answered 501, as Microsoft's own SDKs answer one.
    UnknownInvoke,
    /// Nothing that Tandem knows, or nothing that concerns it: edits, deletions, reactions, other people's comings.
    Ignored,
}

/// What our cards carry in their data. Not trusted when it comes back: an action is looked up under the presser's
/// organisation and rights, a question is asked again as the presser, a place is asked of Teams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What an answer answers, so that it can be given anew.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
    /// Which part of the answer this card is.
    #[serde(rename = "n", default, skip_serializing_if = "is_zero")]
    pub part: usize,
    /// The channel in which it was asked, where it may be shared to.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The card that a dialog was opened from.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
}

fn is_zero(part: &usize) -> bool {
    *part == 0
}

/// Asking it changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// What was typed.
    #[serde(rename = "c")]
    Command(String),
    /// A button that only shows something.
    #[serde(rename = "a")]
    Action(String),
}

impl Carried {
    fn read(data: &Value) -> Self {
        // Strange data are those of a card that is not ours, or of another version.
        serde_json::from_value(data.clone()).unwrap_or_default()
    }

    fn pressed(&self) -> Result<Action, UnknownAction> {
        self.action.as_deref().ok_or(UnknownAction)?.parse()
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Payload {
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<String>,
    name: Option<String>,
    action: Option<String>,
    text: Option<String>,
    reply_to_id: Option<String>,
    from: Option<Named>,
    recipient: Option<Named>,
    conversation: Option<Conversation>,
    channel_data: Option<ChannelData>,
    members_added: Option<Vec<Named>>,
    members_removed: Option<Vec<Named>>,
    value: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Named {
    id: Option<String>,
    aad_object_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Conversation {
    id: Option<String>,
    tenant_id: Option<String>,
    conversation_type: Option<String>,
    is_group: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ChannelData {
    tenant: Option<Named>,
    channel: Option<Channel>,
}

/// `type` is `standard`, `private` or `shared`; often left out.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Channel {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The envelope of a body, before it is believed.
pub fn envelope(body: &[u8]) -> Result<Envelope, Refusal> {
    let no_object = Refusal::Malformed("expected a JSON object with channelId and serviceUrl");
    // serde reads a list as an object whose keys are left out.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(no_object);
    }
    serde_json::from_slice(body).map_err(|_| no_object)
}

/// The activity in a body whose envelope was proven. `None` where it is of a type that Tandem does not know.
pub fn activity(body: &[u8]) -> Result<Option<Activity>, Refusal> {
    // Fields that nobody here reads are passed over unseen: reading them all refuses what is nested beyond 128 levels.
    let _: Value =
        serde_json::from_slice(body).map_err(|_| Refusal::Malformed("expected JSON, not nested too deeply"))?;
    let payload: Payload =
        serde_json::from_slice(body).map_err(|_| Refusal::Malformed("expected a Bot Framework activity"))?;
    let known = ["message", "invoke", "installationUpdate", "conversationUpdate"];
    let kind = payload.kind.clone().unwrap_or_default();
    if !known.contains(&kind.as_str()) {
        return Ok(None);
    }
    let conversation = payload.conversation.as_ref().ok_or(Refusal::Malformed("the conversation is missing"))?;
    let id = filled(conversation.id.clone()).ok_or(Refusal::Malformed("the conversation has no id"))?;
    let scope = match (conversation.conversation_type.as_deref(), conversation.is_group) {
        (Some("personal"), _) => Scope::Personal,
        (Some("channel"), _) => Scope::Team,
        (Some("groupChat"), _) => Scope::GroupChat,
        (_, Some(true)) => Scope::Team,
        _ => Scope::Personal,
    };
    let tenant = tenant(&payload)?;
    let from = payload.from.as_ref();
    let account_id = from.and_then(|from| filled(from.id.clone())).ok_or(Refusal::Malformed("nobody sent it"))?;
    let user_id = from.and_then(|from| filled(from.aad_object_id.clone())).map(|id| id.to_lowercase());
    Ok(Some(Activity {
        id: filled(payload.id.clone()).ok_or(Refusal::Malformed("the activity has no id"))?,
        tenant,
        who: Who { user_id: user_id.unwrap_or_else(|| account_id.clone()), account_id },
        place: Place {
            conversation: id,
            scope,
            shared: shared(&payload),
            reply_to: filled(payload.reply_to_id.clone()),
        },
        what: what(&kind, payload, scope),
    }))
}

fn shared(payload: &Payload) -> bool {
    let channel = payload.channel_data.as_ref().and_then(|data| data.channel.as_ref());
    channel.and_then(|channel| channel.kind.as_deref()).is_some_and(|kind| kind.eq_ignore_ascii_case("shared"))
}

/// It stands in two places, and the token says nothing about it: both must be there and agree.
fn tenant(payload: &Payload) -> Result<String, Refusal> {
    let of_conversation = payload.conversation.as_ref().and_then(|conversation| filled(conversation.tenant_id.clone()));
    let of_channel = payload.channel_data.as_ref().and_then(|data| filled(data.tenant.as_ref()?.id.clone()));
    match (of_conversation, of_channel) {
        (Some(one), Some(other)) if one.eq_ignore_ascii_case(&other) => Ok(one.to_lowercase()),
        _ => Err(Refusal::Tenant),
    }
}

fn what(kind: &str, payload: Payload, scope: Scope) -> What {
    match kind {
        "message" => match payload.value {
            // Action.Submit arrives as a message with a value and without a text.
            Some(data) if data.is_object() && payload.text.as_deref().unwrap_or_default().trim().is_empty() => {
                let carried = Carried::read(&data);
                What::Press { action: carried.pressed(), carried, answered: false }
            }
            _ => What::Said(spoken(payload.text.as_deref().unwrap_or_default())),
        },
        "invoke" => {
            invoked(payload.name.as_deref().unwrap_or_default(), payload.value.unwrap_or_default(), payload.reply_to_id)
        }
        "installationUpdate" => match payload.action.as_deref() {
            Some("add") => What::Added,
            Some("add-upgrade" | "remove-upgrade") => What::Upgraded,
            Some("remove") => What::Removed,
            _ => What::Ignored,
        },
        _ => {
            let bot = payload.recipient.and_then(|recipient| recipient.id);
            let is_bot =
                |members: &Option<Vec<Named>>| bot.is_some() && members.iter().flatten().any(|member| member.id == bot);
            match (is_bot(&payload.members_added), is_bot(&payload.members_removed)) {
                (true, _) => What::Added,
                // A person removes the app by the other event; here a team does.
                (_, true) if scope != Scope::Personal => What::Removed,
                _ => What::Ignored,
            }
        }
    }
}

fn invoked(name: &str, value: Value, reply_to: Option<String>) -> What {
    match name {
        "adaptiveCard/action" => {
            let action = &value["action"];
            let carried = Carried::read(&action["data"]);
            let automatic = value["trigger"].as_str() == Some("automatic");
            if automatic || action["verb"].as_str() == Some(REFRESH) {
                return What::Refresh(carried);
            }
            What::Press { action: carried.pressed(), carried, answered: true }
        }
        "task/fetch" => {
            let mut carried = Carried::read(&value["data"]);
            carried.card = filled(reply_to);
            What::Fetch { action: carried.pressed(), carried }
        }
        "task/submit" => {
            let carried = Carried::read(&value["data"]);
            What::Submit { action: carried.pressed(), carried, answers: answers(&value["data"]) }
        }
        _ => What::UnknownInvoke,
    }
}

/// What was typed into the dialog's inputs; what is blank was left empty.
fn answers(data: &Value) -> Answers {
    let typed = data.as_object().into_iter().flatten().filter_map(|(name, value)| {
        let said = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some((name.strip_prefix(FIELD)?.to_owned(), said))
    });
    typed.filter(|(_, said)| !said.is_empty()).collect::<BTreeMap<_, _>>()
}

/// A typed text without mentions: `<at>Tandem</at> account acme`. Teams writes some characters as entities.
fn spoken(text: &str) -> String {
    let text: String = text.chars().take(TEXT_MAX).collect();
    let mut said = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find("<at") {
        said.push_str(&rest[..start]);
        said.push(' ');
        rest = match rest[start..].find("</at>") {
            Some(end) => &rest[start + end + "</at>".len()..],
            // A mention that never ends says nothing.
            None => "",
        };
    }
    said.push_str(rest);
    for (entity, char) in
        [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    {
        said = said.replace(entity, char);
    }
    said.trim().to_owned()
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::action::Verb;

    const RISK: &str = "acknowledge|risk:00000000-0000-0000-0000-000000000001";

    fn raw(kind: &str, more: Value) -> Value {
        let mut activity = json!({
            "type": kind, "id": "1", "channelId": "msteams", "serviceUrl": "https://smba.trafficmanager.net/emea/",
            "from": {"id": "29:1x", "aadObjectId": "AAAA-1"}, "recipient": {"id": "28:bot"},
            "conversation": {"id": "a:1", "tenantId": "T-1", "conversationType": "personal"},
            "channelData": {"tenant": {"id": "t-1"}},
        });
        for (key, value) in more.as_object().unwrap() {
            activity[key] = value.clone();
        }
        activity
    }

    fn read(kind: &str, more: Value) -> Activity {
        activity(raw(kind, more).to_string().as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn ids_come_in_one_spelling() {
        let said = read("message", json!({"text": "risks"}));
        assert_eq!((said.tenant.as_str(), said.who.user_id.as_str()), ("t-1", "aaaa-1"));
        assert_eq!(said.what, What::Said("risks".into()));
        let thread = json!({"conversation": {"id": "19:t@thread.tacv2;messageid=9", "tenantId": "t-1", "conversationType": "channel"}});
        let place = read("message", thread).place;
        assert_eq!((place.root(), place.scope, place.shared), ("19:t@thread.tacv2", Scope::Team, false));
        let shared = json!({"channelData": {"tenant": {"id": "t-1"}, "channel": {"id": "19:t", "type": "shared"}}});
        assert!(read("message", shared).place.shared);
    }

    #[test]
    fn the_tenant_stands_in_both_places_or_the_activity_is_refused() {
        for (conversation, channel) in [
            (json!("t-1"), json!({"id": "t-2"})),
            (Value::Null, json!({"id": "t-1"})),
            (json!("t-1"), Value::Null),
            (json!(""), json!({"id": ""})),
        ] {
            let more =
                json!({"conversation": {"id": "a:1", "tenantId": conversation}, "channelData": {"tenant": channel}});
            let refused = activity(raw("message", more).to_string().as_bytes());
            assert_eq!(refused, Err(Refusal::Tenant));
        }
    }

    #[test]
    fn what_is_no_object_or_nested_without_end_is_refused() {
        assert!(matches!(envelope(b"[\"msteams\", \"https://x/\"]"), Err(Refusal::Malformed(_))));
        let deep = format!("{{\"type\": \"message\", \"x\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(envelope(deep.as_bytes()).is_ok(), "its fields are not read");
        assert!(matches!(activity(deep.as_bytes()), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn mentions_are_no_words() {
        for (text, said) in [
            ("<at>Tandem</at> account acme\n", "account acme"),
            ("<at id=\"0\">Tandem</at>&nbsp;account A&amp;B", "account A&B"),
            ("account acme <at>Dana</at>", "account acme"),
            ("account <3 co", "account <3 co"),
            ("<at>Tandem", ""),
        ] {
            assert_eq!(spoken(text), said, "{text}");
        }
    }

    #[test]
    fn presses_come_in_two_ways_and_mean_the_same() {
        let action = |what| match what {
            What::Press { action, .. } => action.unwrap().verb,
            other => panic!("{other:?}"),
        };
        let data = json!({"a": RISK});
        let execute = json!({"name": "adaptiveCard/action", "value": {"action": {"verb": "acknowledge", "data": data}, "trigger": "manual"}});
        assert_eq!(action(read("invoke", execute).what), Verb::Acknowledge);
        assert_eq!(action(read("message", json!({"value": data})).what), Verb::Acknowledge);
        let foreign = read("message", json!({"value": {"action": "ack"}})).what;
        assert!(matches!(foreign, What::Press { action: Err(UnknownAction), answered: false, .. }), "{foreign:?}");
    }

    #[test]
    fn what_happens_by_itself_changes_nothing() {
        let data = json!({"a": RISK});
        let automatic = json!({"name": "adaptiveCard/action", "value": {"action": {"verb": "acknowledge", "data": data}, "trigger": "automatic"}});
        assert!(matches!(read("invoke", automatic).what, What::Refresh(_)));
        for kind in ["messageUpdate", "messageDelete", "messageReaction", "typing", "someFutureType"] {
            assert_eq!(activity(raw(kind, json!({"text": "account acme"})).to_string().as_bytes()), Ok(None), "{kind}");
        }
    }

    #[test]
    fn dialogs_bring_their_inputs_and_remember_their_card() {
        let fetch = json!({"name": "task/fetch", "replyToId": "17", "value": {"data": {"type": "task/fetch", "a": RISK, "t": "forged"}}});
        match read("invoke", fetch).what {
            What::Fetch { carried, .. } => assert_eq!(carried.card.as_deref(), Some("17")),
            other => panic!("{other:?}"),
        }
        let submit = json!({"name": "task/submit", "value": {"data": {"a": RISK, "f.step": " call ", "f.due": "", "n": 0, "f.amount": 12}}});
        match read("invoke", submit).what {
            What::Submit { answers, .. } => {
                assert_eq!(answers, Answers::from([("amount".into(), "12".into()), ("step".into(), "call".into())]));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn comings_and_goings() {
        let installed = |action| read("installationUpdate", json!({"action": action})).what;
        assert_eq!(installed("add"), What::Added);
        assert_eq!(installed("add-upgrade"), What::Upgraded);
        assert_eq!(installed("remove"), What::Removed);
        assert_eq!(read("conversationUpdate", json!({"membersAdded": [{"id": "28:bot"}]})).what, What::Added);
        assert_eq!(read("conversationUpdate", json!({"membersAdded": [{"id": "29:2"}]})).what, What::Ignored);
        assert_eq!(read("conversationUpdate", json!({"membersAdded": null})).what, What::Ignored);
        assert_eq!(read("invoke", json!({"name": "lab/unknown"})).what, What::UnknownInvoke);
    }

    proptest! {
        #[test]
        fn no_body_is_a_panic(text in "\\PC{0,60}", value in "\\PC{0,30}") {
            let _ = activity(text.as_bytes());
            let _ = spoken(&text);
            let _ = read("message", json!({"text": text, "value": value}));
        }
    }
}
