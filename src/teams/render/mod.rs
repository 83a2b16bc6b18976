//! Chat-neutral messages and dialogs → Adaptive Cards 1.5. Pure.
//!
//! A long message becomes several cards, one activity each: an activity may have
//! 100 KB as UTF-16, and 28 KB is where cards are known to arrive everywhere.
//! Running text stands in `RichTextBlock`s, which read no Markdown, so what a
//! customer's system wrote stays text; headings and facts, which Teams reads as
//! Markdown, are written so that nothing in them formats or links.

mod buttons;
mod dialog;
mod elements;
mod pages;
mod words;

use serde_json::{Value, json};

pub use dialog::{dialog, notice, refused, said};

use super::inbound::{Carried, Question, REFRESH};
use crate::domain::message::chart::Chart;
use crate::domain::message::{Block, Message};
use elements::Piece;

/// The newest version that Teams shows to bots.
const VERSION: &str = "1.5";
const SCHEMA: &str = "http://adaptivecards.io/schemas/adaptive-card.json";
pub const CARD: &str = "application/vnd.microsoft.card.adaptive";
/// The longest private answer: what is longer says so.
const ANSWER_PARTS: usize = 5;
/// A line of a notification.
const SUMMARY: usize = 250;

/// One card with the line that notifications and screen readers get.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// Never empty.
    pub summary: String,
    pub card: Value,
}

/// What an answer answers: its cards can be asked how they read now.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub question: &'a Question,
    /// The asker's account id, for whom Teams refreshes the card by itself.
    pub account_id: &'a str,
    /// The channel in which it was asked, where it may be shared to.
    pub channel: Option<&'a str>,
}

/// Draws a chart as a `data:` address, since rooms on this floor do not know each other; `None` where it can't be drawn.
pub type Draw = fn(&Chart) -> Option<String>;

/// The cards of a message that delivery keeps up to date, in order. Never empty.
pub fn message(message: &Message, draw: Draw) -> Vec<Drawn> {
    drawn(message, draw, &|_| Carried::default(), None)
}

/// The cards of a private answer, at most five.
pub fn answer(said: &Message, asked: Asked<'_>, draw: Draw) -> Vec<Drawn> {
    let carried = |part| Carried {
        question: Some(asked.question.clone()),
        part,
        channel: asked.channel.map(str::to_owned),
        ..Carried::default()
    };
    let mut parts = drawn(said, draw, &carried, Some(asked.account_id));
    if parts.len() > ANSWER_PARTS {
        parts.truncate(ANSWER_PARTS - 1);
        parts.extend(message(&Message::sentence("The rest is too long to be shown here."), draw));
    }
    parts
}

/// One page of a private answer that is turned in place, the last where there are fewer. `question` is what asks for a
/// page again, `foot` what it ends with; both are told the page, from 1, the foot also how many there are.
pub fn page(
    said: &Message,
    wanted: usize,
    (question, foot): (impl Fn(usize) -> Question, impl Fn(usize, usize) -> Vec<Block>),
    account_id: &str,
    draw: Draw,
) -> Drawn {
    let mut targets = 0;
    let pieces = said.blocks.iter().flat_map(|block| elements::block(block, draw, &mut targets)).collect();
    let carried = |page: usize| Carried { question: Some(question(page)), ..Carried::default() };
    let added = added(&carried(wanted));
    let pages = pages::split(pieces, pages::PAGE_MAX, added);
    let count = pages.len();
    let number = wanted.clamp(1, count);
    let mut body = pages.into_iter().nth(number - 1).unwrap_or_default();
    let foot = foot(number, count).iter().flat_map(|block| elements::block(block, draw, &mut targets)).collect();
    let mut foot = pages::split(foot, pages::BODY_MAX, added).swap_remove(0);
    if let Some(first) = foot.first_mut() {
        first["separator"] = true.into();
        first["spacing"] = "Large".into();
    }
    body.extend(foot);
    let carried = carried(number);
    let mut card = whole(body);
    buttons::carry(&mut card, &carried);
    refresh(&mut card, &carried, account_id);
    let summary = words::line(&words::as_typed(&said.summary), SUMMARY);
    Drawn { summary: if summary.is_empty() { first_words(said) } else { summary }, card }
}

/// What each button weighs more for what it carries.
fn added(carried: &Carried) -> usize {
    if *carried == Carried::default() { 0 } else { serde_json::to_string(carried).map_or(0, |text| text.len()) }
}

/// Asks by itself how it reads now, for this reader.
fn refresh(card: &mut Value, carried: &Carried, account_id: &str) {
    let data = serde_json::to_value(carried).unwrap_or_default();
    card["refresh"] = json!({
        "action": {"type": "Action.Execute", "verb": REFRESH, "title": "Refresh", "data": data},
        "userIds": [account_id],
    });
}

fn drawn(message: &Message, draw: Draw, carried: &dyn Fn(usize) -> Carried, refreshed_for: Option<&str>) -> Vec<Drawn> {
    let mut targets = 0;
    let pieces: Vec<Piece> =
        message.blocks.iter().flat_map(|block| elements::block(block, draw, &mut targets)).collect();
    let pages = pages::split(pieces, pages::BODY_MAX, added(&carried(0)));
    let count = pages.len();
    let first = words::line(&words::as_typed(&message.summary), SUMMARY);
    let fallback = if first.is_empty() { first_words(message) } else { first };
    let card_of = |(part, body): (usize, Vec<Value>)| {
        let summary = if part == 0 { fallback.clone() } else { format!("{fallback} ({}/{count})", part + 1) };
        let carried = carried(part);
        let mut card = whole(body);
        if carried != Carried::default() {
            buttons::carry(&mut card, &carried);
        }
        if let Some(account_id) = refreshed_for {
            refresh(&mut card, &carried, account_id);
        }
        Drawn { summary, card }
    };
    pages.into_iter().enumerate().map(card_of).collect()
}

fn whole(body: Vec<Value>) -> Value {
    json!({"$schema": SCHEMA, "type": "AdaptiveCard", "version": VERSION, "msteams": {"width": "Full"}, "body": body})
}

/// The activity that posts or redraws a card.
pub fn activity(drawn: &Drawn) -> Value {
    json!({
        "type": "message",
        "summary": drawn.summary,
        "attachments": [{"contentType": CARD, "content": drawn.card}],
    })
}

/// Words alone: what may be read by everybody in a channel.
pub fn sentence(message: &Message) -> Value {
    json!({"type": "message", "text": words::plain(&words::as_typed(&message.summary))})
}

/// The answer to an `Action.Execute` that redraws the card for whoever pressed.
pub fn redrawn(card: &Value) -> Value {
    json!({"statusCode": 200, "type": CARD, "value": card})
}

/// The answer to an `Action.Execute` that says something and leaves the card.
pub fn told(message: &Message) -> Value {
    let said = words::line(&words::as_typed(&message.summary), 1000);
    json!({"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": said})
}

/// Whether the summary says all of it, so that no card is needed.
pub fn is_sentence(message: &Message) -> bool {
    matches!(message.blocks.as_slice(), [] | [Block::Text(_)])
}

/// What stands in for a missing summary.
fn first_words(message: &Message) -> String {
    let words = message.blocks.iter().filter_map(|block| match block {
        Block::Heading(text) => Some(text.clone()),
        Block::Text(text) | Block::Context(text) => Some(text.to_plain()),
        Block::Bullets(items) => items.first().map(|item| item.to_plain()),
        Block::Chart(chart) => Some(chart.alt.clone()),
        _ => None,
    });
    words
        .map(|words| words::line(&words::as_typed(&words), SUMMARY))
        .find(|words| !words.is_empty())
        .unwrap_or_else(|| "Tandem".to_owned())
}

#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod tests;
