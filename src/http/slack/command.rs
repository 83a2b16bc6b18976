//! Slash commands: answered in the response, where the asker alone reads it.

use std::collections::VecDeque;

use axum::response::Response;

use super::ANSWER_WITHIN;
use super::ask::asked;
use super::open::Place;
use super::{Desk, json, nothing};
use crate::domain::action::Verb;
use crate::domain::command::{self, Command};
use crate::domain::message::{Message, Reply, answer, introduction};
use crate::http::ask::{Answer, Ask, What};
use crate::slack::inbound::SlashCommand;
use crate::slack::render::{self, Said};

pub(super) async fn answer(desk: Desk, typed: SlashCommand) -> Response {
    if typed.is_enterprise_install {
        return first_of(said(answer::organisation_wide()));
    }
    let command = command::parse(&typed.command, &typed.text);
    let asks_more = command == Command::Settings;
    let ask = asked(&typed.who, typed.channel_id.as_deref(), What::Command(command));
    if asks_more && typed.trigger_id.is_some() && desk.slack.token_at_once(&typed.who.team_id).await.is_some() {
        let drain = desk.http.drain.clone();
        drop(drain.spawn(async move {
            if let Some(place) = Place::of_command(&typed) {
                desk.ask_for_more(place, Verb::Settings.label(), &ask).await;
            }
        }));
        return nothing();
    }
    match desk.begin(&ask).in_time(desk.since + ANSWER_WITHIN).await {
        Ok(found) if found.unknown.is_some() => {
            desk.afterwards_rest(typed, ask, found, VecDeque::new());
            first_of(said(introduction::finding_out()))
        }
        Ok(found) => {
            let mut parts = VecDeque::from(render::reply(&found.reply));
            let first = parts.pop_front();
            desk.afterwards_rest(typed, ask, found, parts);
            first.map_or_else(nothing, json)
        }
        Err(pending) => {
            let first = first_of(said(answer::still_looking()));
            let waiting = Desk { http: desk.http.clone(), slack: desk.slack.clone(), since: desk.since };
            desk.afterwards(async move {
                let found = pending.at_last().await;
                let parts = if found.unknown.is_some() { VecDeque::new() } else { render::reply(&found.reply).into() };
                waiting.rest(&typed, &ask, &found, parts).await;
            });
            first
        }
    }
}

fn said(message: Message) -> Vec<Said> {
    render::reply(&Reply::Private(message))
}

fn first_of(parts: Vec<Said>) -> Response {
    parts.into_iter().next().map_or_else(nothing, json)
}

impl Desk {
    fn afterwards_rest(self, typed: SlashCommand, ask: Ask, found: Answer, parts: VecDeque<Said>) {
        let has_picture = matches!(&found.reply, Reply::Private(said) if said.charts().next().is_some());
        let is_done =
            parts.is_empty() && found.unknown.is_none() && !has_picture && !matches!(found.reply, Reply::Dialog(_));
        if is_done {
            return;
        }
        let drain = self.http.drain.clone();
        // Boxed, so that the task is not moved about with room for all that may follow.
        drop(drain.spawn(async move { Box::pin(self.rest(&typed, &ask, &found, parts)).await }));
    }

    /// What did not fit into the response: further parts, a dialog, the answer to somebody who is known now.
    async fn rest(&self, typed: &SlashCommand, ask: &Ask, found: &Answer, parts: VecDeque<Said>) {
        let place = typed.response_url.as_ref();
        for part in parts {
            let Some(place) = place else { return };
            if let Err(error) = self.slack.client.respond(place, &part).await {
                tracing::warn!(%error, "a part of an answer did not arrive");
                return;
            }
        }
        if let Reply::Dialog(dialog) = &found.reply {
            let view = render::dialog(dialog, None);
            if !self.open(&typed.who, typed.trigger_id.as_deref(), &view).await {
                self.say(place, &Reply::Private(answer::expired_form())).await;
            }
        }
        if found.unknown.is_some() {
            let reply = self.introduce(ask, found, false).await.unwrap_or_else(|| found.reply.clone());
            self.say(place, &reply).await;
            return self.illustrate(&typed.who, place, &reply).await;
        }
        self.illustrate(&typed.who, place, &found.reply).await;
    }
}
