//! Dialogs. A `trigger_id` lives 3 seconds and opens one view, so an empty view
//! is opened at once and filled when the use case knows what to ask.

use secrecy::SecretString;
use serde_json::Value;

use super::{Desk, SlackDoor};
use crate::domain::message::{Message, Reply, answer};
use crate::http::ask::Ask;
use crate::slack::address::ResponseUrl;
use crate::slack::client::Error;
use crate::slack::inbound::{Origin, Press, SlashCommand, Who};
use crate::slack::render;
use crate::tokens::Refused;

/// Where a dialog is asked for.
pub(super) struct Place<'a> {
    who: &'a Who,
    trigger: &'a str,
    response_url: Option<&'a ResponseUrl>,
    origin: Option<&'a Origin>,
}

impl<'a> Place<'a> {
    /// `None` where nothing can be opened from it.
    pub(super) fn of_press(press: &'a Press) -> Option<Self> {
        let trigger = press.trigger_id.as_deref()?;
        let (response_url, origin) = (press.response_url.as_ref(), press.message.as_ref());
        Some(Self { who: &press.who, trigger, response_url, origin })
    }

    pub(super) fn of_command(typed: &'a SlashCommand) -> Option<Self> {
        let trigger = typed.trigger_id.as_deref()?;
        Some(Self { who: &typed.who, trigger, response_url: typed.response_url.as_ref(), origin: None })
    }
}

impl SlackDoor {
    /// Opens a view, once more where the token ran out before its time and there is a new one.
    async fn open_view(&self, team: &str, token: &SecretString, trigger: &str, view: &Value) -> Result<String, Error> {
        let opened = self.client.open_view(token, trigger, view).await;
        let Err(Error::Unauthorized(code)) = &opened else { return opened };
        let renewed = matches!(self.tokens.refused(team, token, code).await, Ok(Refused::Renewed));
        match self.token(team).await.filter(|_| renewed) {
            Some(token) => self.client.open_view(&token, trigger, view).await,
            None => opened,
        }
    }
}

impl Desk {
    /// Opens a view; false where that can't be done any more.
    pub(super) async fn open(&self, who: &Who, trigger: Option<&str>, view: &Value) -> bool {
        let (Some(token), Some(trigger)) = (self.slack.token(&who.team_id).await, trigger) else { return false };
        let opened = self.slack.open_view(&who.team_id, &token, trigger, view).await;
        if let Err(error) = &opened {
            tracing::warn!(%error, "a view could not be opened");
        }
        opened.is_ok()
    }

    /// Opens the empty view and finds out what to ask at the same time; then fills the one with the other.
    pub(super) async fn ask_for_more(&self, place: Place<'_>, title: &str, ask: &Ask) {
        let Some(token) = self.slack.token_at_once(&place.who.team_id).await else { return };
        let skeleton = render::skeleton(title);
        let opening = self.slack.open_view(&place.who.team_id, &token, place.trigger, &skeleton);
        let (found, opened) = tokio::join!(self.begin(ask).at_last(), opening);
        let view_id = match opened {
            Ok(view_id) => view_id,
            Err(error) => {
                tracing::warn!(%error, "a dialog could not be opened");
                let reply = match found.reply {
                    Reply::Dialog(_) => Reply::Private(answer::expired_form()),
                    other => other,
                };
                return self.say(place.response_url, &reply).await;
            }
        };
        // Somebody who is only known now gets what they pressed for.
        let reply = self.introduce(ask, &found, true).await.unwrap_or(found.reply);
        let view = match &reply {
            Reply::Dialog(dialog) => render::dialog(dialog, place.origin),
            Reply::Private(message) => render::notice(title, message),
            Reply::Silent => render::notice(title, &answer::done_here()),
            Reply::FieldErrors(errors) => render::notice(title, &Message::sentence(sentences(errors))),
        };
        // Renewed meanwhile, perhaps.
        let token = self.slack.token_at_once(&place.who.team_id).await.unwrap_or(token);
        if let Err(error) = self.slack.client.update_view(&token, &view_id, &view).await {
            tracing::warn!(%error, "a dialog could not be filled");
            self.say(place.response_url, &Reply::Private(answer::expired_form())).await;
        }
    }
}

/// Errors of fields as running text, where no field can carry them.
pub(super) fn sentences(errors: &[(String, String)]) -> String {
    errors.iter().map(|(_, sentence)| sentence.as_str()).collect::<Vec<_>>().join("\n")
}
