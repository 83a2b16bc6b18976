//! Presses: answered in the response, which redraws the card for whoever pressed;
//! delivery redraws it for everybody else.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::answer::{opener, sentences};
use super::{ANSWER_WITHIN, Desk, ask_of, body_of, nothing};
use crate::app::query;
use crate::domain::action::{Action, UnknownAction, Verb};
use crate::domain::message::{Message, Reply, answer};
use crate::http::ask::{Failed, What};
use crate::store::conversation;
use crate::teams::address::ServiceUrl;
use crate::teams::client::Error;
use crate::teams::inbound::{Carried, Question};
use crate::teams::render;

impl Desk {
    /// `answered`: the answer stands in the response; else the press came as a message, and what there is to say is
    /// posted.
    pub(super) async fn pressed(
        self,
        action: Result<Action, UnknownAction>,
        carried: Carried,
        answered: bool,
    ) -> Response {
        let Ok(action) = action else {
            return self.finish(Reply::Private(answer::unknown_action()), &carried, None, answered).await;
        };
        if action.verb == Verb::TurnPage {
            // Which page is looked at is the card's own affair: nothing is kept of it.
            let carried = Carried { question: Some(Question::Action(action.to_string())), part: 0, ..carried };
            self.redraw(&carried);
            let page = self.card_or(&carried, answer::not_there());
            return if answered { body_of(page.await) } else { nothing() };
        }
        let channel = self.place_of(&action, &carried).await;
        if let (Verb::Share, Some(channel)) = (action.verb, &channel)
            && let Some(refusal) = self.not_shared_to(channel).await
        {
            return self.finish(Reply::Private(refusal), &carried, None, answered).await;
        }
        let question = (action.verb == Verb::ShowMore).then(|| Question::Action(action.to_string()));
        let ask = self.ask(channel.as_deref(), What::Press(action, Some(self.receipt())));
        match ask_of(&self, &ask).in_time(self.since + ANSWER_WITHIN).await {
            Ok(found) => {
                let failed = found.failed;
                let reply = self.introduce(&ask, &found, false).await.unwrap_or(found.reply);
                let response = self.finish(reply, &carried, question, answered).await;
                match failed {
                    // What was not stored is not answered with 200 where Teams sends it again.
                    Some(Failed::Busy) if !answered => crate::http::busy(),
                    Some(Failed::Unexpected) if !answered => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                    _ => response,
                }
            }
            Err(pending) => {
                let desk = self.clone();
                drop(self.http.drain.spawn(async move {
                    let reply = pending.at_last().await.reply;
                    desk.finish(reply, &carried, question, false).await;
                }));
                if answered { body_of(render::told(&answer::still_looking())) } else { nothing() }
            }
        }
    }

    /// Where *Share here* shares to: the channel of the card, else the one that an answer was asked in, if whoever
    /// presses is in it. What a card says of it is not believed: Teams is asked.
    async fn place_of(&self, action: &Action, carried: &Carried) -> Option<String> {
        if let Some(channel) = self.channel() {
            return Some(channel.to_owned());
        }
        let channel = carried.channel.clone().filter(|_| action.verb == Verb::Share)?;
        let (service, _) = self.kept(&channel).await?;
        let is_in = self.teams.client.member(&service, &channel, &self.activity.who.account_id).await;
        is_in.is_ok().then_some(channel)
    }

    /// Where a channel of this tenant is reached, and whether it is a shared one; `None` where nothing came from it yet.
    async fn kept(&self, channel: &str) -> Option<(ServiceUrl, bool)> {
        let found = async {
            let Some(org) = query::organisation_of(&self.http.app, &self.workspace()).await? else { return Ok(None) };
            let mut tx = self.http.app.store.tenant(org).await?;
            conversation::read(&mut tx, &self.workspace(), channel).await
        };
        let kept =
            found.await.inspect_err(|error| tracing::warn!(error = format!("{error:#}"), "a channel is unknown"));
        let kept = kept.ok().flatten()?;
        Some((self.teams.services.admit(&kept.service_url)?, kept.shared))
    }

    /// Why nothing about an account is shown in a channel: somebody there must not see it. Whoever pressed is told at
    /// once; delivery asks again before each message.
    async fn not_shared_to(&self, channel: &str) -> Option<Message> {
        let place = &self.activity.place;
        let here = place.root() == channel;
        let kept = self.kept(channel).await;
        if (here && place.shared) || kept.as_ref().is_some_and(|(_, shared)| *shared) {
            return Some(answer::outsiders());
        }
        let service = kept.map_or_else(|| self.service.clone(), |(service, _)| service);
        match self.teams.client.outsiders_in(&service, &self.activity.tenant, channel).await {
            Ok(true) => Some(answer::outsiders()),
            Ok(false) => None,
            Err(Error::Unreachable(_) | Error::Gone(_)) => Some(answer::not_added()),
            Err(error) => {
                tracing::warn!(%error, "Teams did not say who reads a channel");
                None
            }
        }
    }

    /// No press stays without an answer: the redrawn card gives it, or words that only the presser reads.
    async fn finish(&self, reply: Reply, carried: &Carried, question: Option<Question>, answered: bool) -> Response {
        let org = query::organisation_of(&self.http.app, &self.workspace()).await.ok().flatten();
        self.redraw(carried);
        if !answered {
            let said = match reply {
                // The redrawn card says it, in its own time.
                Reply::Silent => return nothing(),
                said => said,
            };
            if let Some(org) = org {
                self.say(org, &said, question.as_ref()).await;
            }
            return nothing();
        }
        let said = match reply {
            Reply::Silent => return body_of(self.card_or(carried, answer::done_here()).await),
            Reply::Private(message) => message,
            Reply::FieldErrors(errors) => sentences(&errors),
            Reply::Dialog(dialog) => opener(&dialog),
        };
        if render::is_sentence(&said) {
            return body_of(render::told(&said));
        }
        if let Some(org) = org {
            let desk = self.clone();
            drop(self.http.drain.spawn(async move {
                desk.say_alone(org, said, question).await;
            }));
        }
        body_of(self.card_or(carried, answer::answered_privately()).await)
    }

    /// As [`Desk::say`], without a word in the channel: the response has said it.
    async fn say_alone(&self, org: crate::domain::person::OrgId, said: Message, question: Option<Question>) {
        let parts = self.parts(org, &said, question.as_ref()).await;
        if let Some(own) = self.chat_of(org).await {
            self.post(&own, &parts).await;
        }
    }

    async fn card_or(&self, carried: &Carried, instead: Message) -> Value {
        match self.current(carried).await {
            Ok(Some(drawn)) => render::redrawn(&drawn.card),
            Ok(None) => render::told(&instead),
            Err(error) => {
                // What was pressed is done; only its drawing failed.
                tracing::warn!(error = format!("{error:#}"), "a card was not redrawn for its presser");
                render::told(&instead)
            }
        }
    }

    /// A card asks how it reads now, by itself or by hand. Nothing changes.
    pub(super) async fn refreshed(self, carried: &Carried) -> Response {
        body_of(self.card_or(carried, answer::not_there()).await)
    }
}
