//! Presses and submitted dialogs.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json as value;

use super::ANSWER_WITHIN;
use super::ask::asked;
use super::open::Place;
use super::{Desk, json, nothing};
use crate::domain::action::Verb;
use crate::domain::message::{Message, Reply, answer};
use crate::http::ask::{Answer, Ask, Failed, What};
use crate::slack::client::Error;
use crate::slack::inbound::{Press, Submission};
use crate::slack::render;

/// A press is answered with its status alone; words follow through the `response_url`.
pub(super) async fn press(desk: Desk, press: Press) -> Response {
    let Ok(action) = press.action.clone() else {
        let drain = desk.http.drain.clone();
        drop(drain.spawn(async move { desk.tell(&press, Reply::Private(answer::unknown_action())).await }));
        return nothing();
    };
    let verb = action.verb;
    let channel = press.message.as_ref().map(|message| message.channel.as_str());
    let ask = asked(&press.who, channel, What::Press(action, Some(press.dedup_key())));
    let drain = desk.http.drain.clone();
    if verb.opens_dialog() && press.trigger_id.is_some() && desk.slack.token_at_once(&press.who.team_id).await.is_some()
    {
        drop(drain.spawn(async move {
            if let Some(place) = Place::of_press(&press) {
                desk.ask_for_more(place, verb.label(), &ask).await;
            }
        }));
        return nothing();
    }
    if verb == Verb::Share {
        drop(drain.spawn(async move { desk.share(&press, &ask).await }));
        return nothing();
    }
    match desk.begin(&ask).in_time(desk.since + ANSWER_WITHIN).await {
        Ok(found) => {
            let status = status_of(&found);
            drop(drain.spawn(async move { desk.follow_up(&press, &ask, found).await }));
            status
        }
        Err(pending) => {
            drop(drain.spawn(async move {
                let found = pending.at_last().await;
                desk.follow_up(&press, &ask, found).await;
            }));
            nothing()
        }
    }
}

/// What was not stored is not answered with 200 (reliability.md, 16); the person is told in words as well.
fn status_of(found: &Answer) -> Response {
    match found.failed {
        None => nothing(),
        Some(Failed::Busy) => crate::http::busy(),
        Some(Failed::Unexpected) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Desk {
    /// Shows an account where it was asked for, unless somebody there must not see it: who pressed is told at once.
    /// Delivery asks again before each message.
    async fn share(&self, press: &Press, ask: &Ask) {
        let token = self.slack.token(&press.who.team_id).await;
        if let (Some(token), Some(channel)) = (token, &ask.channel) {
            let refusal = match self.slack.client.not_for(&token, channel).await {
                Ok(None) => None,
                Ok(Some(code)) => Some(answer::not_here(code)),
                Err(Error::ChannelUnreachable(_)) => Some(answer::not_invited()),
                Err(error) => {
                    tracing::warn!(%error, "Slack did not say who reads a channel");
                    // Delivery finds out before anything is posted.
                    None
                }
            };
            if let Some(said) = refusal {
                return self.tell(press, Reply::Private(said)).await;
            }
        }
        let found = self.begin(ask).at_last().await;
        self.follow_up(press, ask, found).await;
    }

    async fn follow_up(&self, press: &Press, ask: &Ask, found: Answer) {
        let again = self.introduce(ask, &found, false).await;
        self.tell(press, again.unwrap_or(found.reply)).await;
    }

    /// No press stays without an answer: the redrawn card gives it, or words that only the presser sees.
    async fn tell(&self, press: &Press, reply: Reply) {
        let reply = match reply {
            Reply::Silent if press.is_ephemeral => Reply::Private(answer::done_here()),
            Reply::Dialog(dialog) => {
                let view = render::dialog(&dialog, press.message.as_ref());
                if self.open(&press.who, press.trigger_id.as_deref(), &view).await {
                    return;
                }
                Reply::Private(answer::expired_form())
            }
            other => other,
        };
        match (&reply, &press.response_url) {
            (Reply::Private(message), None) => {
                // On the home tab there is no response_url.
                let view = render::notice("Tandem", message);
                self.open(&press.who, press.trigger_id.as_deref(), &view).await;
            }
            (_, place) => {
                self.say(place.as_ref(), &reply).await;
                self.illustrate(&press.who, place.as_ref(), &reply).await;
            }
        }
    }
}

/// A submission is answered in the response: errors at its fields, the next view, or nothing to close it.
pub(super) async fn submit(desk: Desk, submission: Submission) -> Response {
    let Ok(action) = submission.action.clone() else {
        return view_of("Tandem", &Reply::Private(answer::unknown_action()), &submission);
    };
    let title = action.verb.label();
    let receipt = format!("view:{}:{}", submission.view_id, submission.hash.as_deref().unwrap_or_default());
    let channel = submission.origin.as_ref().map(|origin| origin.channel.as_str());
    let ask = asked(&submission.who, channel, What::Submit(action, submission.answers.clone(), receipt));
    let found = match desk.begin(&ask).in_time(desk.since + ANSWER_WITHIN).await {
        Ok(found) => found,
        // The work goes on; pressed again, the receipt tells how it ended.
        Err(_) => return kept(title, answer::still_saving(), &submission),
    };
    let response = match (&found.failed, &found.reply) {
        (Some(_), Reply::Private(message)) => kept(title, message.clone(), &submission),
        (_, reply) => view_of(title, reply, &submission),
    };
    if found.unknown.is_some() {
        let drain = desk.http.drain.clone();
        drop(drain.spawn(async move {
            // A view has no response_url: it is enough that the next press is theirs.
            desk.introduce(&ask, &found, false).await;
        }));
    }
    response
}

fn view_of(title: &str, reply: &Reply, submission: &Submission) -> Response {
    render::submission(title, reply, submission.origin.as_ref()).map_or_else(nothing, json)
}

/// Leaves the dialog open with what was typed, and says why at its first answered field.
fn kept(title: &str, message: Message, submission: &Submission) -> Response {
    match submission.answers.keys().next() {
        Some(field) => json(render::field_errors(&[(field.clone(), message.summary)])),
        // Nothing was typed, so nothing is lost.
        None => json(value!({"response_action": "update", "view": render::notice(title, &message)})),
    }
}
