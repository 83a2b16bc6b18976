//! Chat-neutral messages and dialogs → Block Kit. Pure.
//!
//! A long message becomes a parent and replies in its thread ([`message`]):
//! Slack refuses more than 50 blocks, and blocks that are together longer than
//! about 13,200 characters. Text and the buttons that follow it stay together.

pub mod blocks;
mod dialog;
mod mrkdwn;
mod pages;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

pub use dialog::{dialog, field_errors, notice, skeleton, submission};

use crate::domain::message::chart::Chart;
use crate::domain::message::{Block, Button, Buttons, Emphasis, Message, Reply, Text};
use blocks::weight;

/// The `event_type` of the metadata by which a message is found again after a crash.
pub const DELIVERY_EVENT: &str = "tandem_delivery";

/// A `response_url` takes 5 posts; the first part may be the direct answer, which is not one of them.
const PRIVATE_PARTS: usize = 5;

/// Of a home tab and of a dialog.
const VIEW_BLOCKS: usize = 100;

/// One Slack message.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Says it where blocks are not shown: notifications, screen readers. Never empty.
    pub text: String,
    /// At most 50, and 12,000 characters as JSON.
    pub blocks: Vec<blocks::Block>,
}

/// The parent first, then its thread replies. Never empty.
pub fn message(message: &Message) -> Vec<Rendered> {
    let pages = pages::split(drawn(&message.blocks));
    let count = pages.len();
    let summary = mrkdwn::escaped(&message.summary);
    let fallback = if mrkdwn::is_blank(&summary) { first_words(message) } else { summary };
    let text = |page: usize| match page {
        0 => blocks::notification(&fallback),
        // Cut first, so that the number is never lost.
        _ => format!("{} ({}/{count})", mrkdwn::cut(&fallback, 200), page + 1),
    };
    pages.into_iter().enumerate().map(|(page, blocks)| Rendered { text: text(page), blocks: named(blocks) }).collect()
}

/// The body of `chat.postMessage`.
#[derive(Debug, Serialize)]
pub struct Post<'a> {
    channel: &'a str,
    text: &'a str,
    blocks: &'a [blocks::Block],
    unfurl_links: bool,
    unfurl_media: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
}

/// A message, or a reply in a thread. `delivery_id` makes it findable after a crash.
pub fn post<'a>(
    channel: &'a str,
    rendered: &'a Rendered,
    thread_ts: Option<&'a str>,
    delivery_id: Option<Uuid>,
) -> Post<'a> {
    let metadata = delivery_id.map(|id| json!({"event_type": DELIVERY_EVENT, "event_payload": {"delivery_id": id}}));
    Post {
        channel,
        text: &rendered.text,
        blocks: &rendered.blocks,
        unfurl_links: false,
        unfurl_media: false,
        thread_ts,
        metadata,
    }
}

/// A private answer, or a part of one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    response_type: &'static str,
    replace_original: bool,
    text: String,
    blocks: Vec<blocks::Block>,
}

/// What only the asker sees: the first answers a slash command directly, each further one goes to its
/// `response_url`. Empty for [`Reply::Silent`] and for [`Reply::Dialog`], which is opened instead.
pub fn reply(reply: &Reply) -> Vec<Said> {
    match reply {
        Reply::Silent | Reply::Dialog(_) => Vec::new(),
        Reply::Private(said) => private(said),
        // Said outside the dialog, where no field can carry it.
        Reply::FieldErrors(errors) => {
            private(&Message::sentence(errors.iter().map(|(_, error)| error.as_str()).collect::<Vec<_>>().join("\n")))
        }
    }
}

/// A chart that was uploaded, as a private answer after the one that it belongs to.
pub fn picture(chart: &Chart, file_id: &str) -> Value {
    let image = json!({
        "type": "image",
        "block_id": "b0",
        "slack_file": {"id": file_id},
        "alt_text": mrkdwn::line(&chart.alt, blocks::ALT),
        "title": blocks::plain(&chart.title, blocks::ALT),
    });
    json!({
        "response_type": "ephemeral",
        "replace_original": false,
        "text": blocks::notification(&mrkdwn::escaped(&chart.alt)),
        "blocks": [image],
    })
}

/// The view of `views.publish`: at most 100 blocks. The wording pages itself below that.
pub fn home(said: &Message) -> Value {
    let blocks = drawn(&said.blocks).into_iter().map(pages::Piece::into_block).take(VIEW_BLOCKS).collect();
    json!({"type": "home", "blocks": named(blocks)})
}

fn private(said: &Message) -> Vec<Said> {
    let body = |Rendered { text, blocks }| Said { response_type: "ephemeral", replace_original: false, text, blocks };
    let mut parts = message(said);
    if parts.len() > PRIVATE_PARTS {
        parts.truncate(PRIVATE_PARTS - 1);
        let rest = Message::sentence("The rest is too long to be shown here.");
        parts.extend(message(&rest));
    }
    parts.into_iter().map(body).collect()
}

/// All blocks in order, still unnamed, as units that must not be torn apart.
fn drawn(blocks: &[Block]) -> Vec<pages::Piece> {
    blocks.iter().flat_map(block).collect()
}

fn block(block: &Block) -> Vec<pages::Piece> {
    let texts = |text: &Text, max, make: fn(String) -> blocks::Block| {
        mrkdwn::pieces(text, max).into_iter().map(|piece| pages::Piece::body(make(piece))).collect()
    };
    match block {
        Block::Heading(text) if mrkdwn::line(text, blocks::HEADER).is_empty() => Vec::new(),
        Block::Heading(text) => vec![pages::Piece::heading(blocks::header(text))],
        Block::Text(text) => texts(text, blocks::TEXT, blocks::section),
        Block::Bullets(items) => texts(&bullets(items), blocks::TEXT, blocks::section),
        Block::Facts(facts) => facts_blocks(facts).into_iter().map(pages::Piece::body).collect(),
        // The documents name no limit of their own for a context's text; 2000 is the smallest of any text.
        Block::Context(text) => texts(text, blocks::FIELD, blocks::context),
        Block::Chart(chart) => texts(&chart.in_words(), blocks::TEXT, blocks::section),
        Block::Divider => vec![pages::Piece::divider(blocks::divider())],
        Block::Buttons(buttons) => buttons_blocks(buttons).into_iter().map(pages::Piece::buttons).collect(),
    }
}

fn bullets(items: &[Text]) -> Text {
    let items = items.iter().filter(|item| !mrkdwn::is_blank(&mrkdwn::visible(&item.to_plain())));
    items.fold(Text::new(), |all, item| {
        let start = if all.is_empty() { "• " } else { "\n• " };
        all.then(start).append(item.clone())
    })
}

/// Sections of up to ten fields, fewer where the fields are long.
fn facts_blocks(facts: &[(String, Text)]) -> Vec<blocks::Block> {
    let fields = facts.iter().filter_map(|(label, value)| {
        let text = Text::strong(mrkdwn::line(label, 200)).then("\n").append(value.clone());
        let field = mrkdwn::one_piece(&text, blocks::FIELD);
        (!field.is_empty()).then_some(field)
    });
    grouped(fields, blocks::FIELDS, blocks::TEXT, |field| mrkdwn::len(field)).into_iter().map(blocks::fields).collect()
}

/// Shown buttons, then the rest under *More*. Menu options carry 150 characters: what is longer stands as
/// a button. An action that even a button cannot carry (an account id of nearly 2000 characters, or with control
/// characters, which Slack may drop) is left out, since a button that comes back changed would be dead.
fn buttons_blocks(buttons: &Buttons) -> Vec<blocks::Block> {
    let carried = |button: &Button, max| {
        let value = button.action.to_string();
        mrkdwn::len(&value) <= max && !value.contains(char::is_control)
    };
    let (in_menu, too_long): (Vec<_>, Vec<_>) = buttons.more.iter().partition(|b| carried(b, blocks::OPTION_VALUE));
    let elements = buttons.shown.iter().chain(too_long).filter(|b| carried(b, blocks::BUTTON_VALUE)).map(|button| {
        let (verb, value) = (button.action.verb.as_str(), button.action.to_string());
        blocks::button(verb, &button.label, value, &button.spoken, style(button.emphasis))
    });
    let options = in_menu.iter().map(|button| blocks::option(&button.label, button.action.to_string()));
    let menus = grouped(options, blocks::SELECT_OPTIONS, pages::BUTTONS_MAX - 500, weight);
    let menus = menus.into_iter().map(|options| blocks::menu("more", "More", options));
    grouped(elements.chain(menus), blocks::ELEMENTS, pages::BUTTONS_MAX, |element| weight(element) + 40)
        .into_iter()
        .map(|group| blocks::actions(told_apart(group)))
        .collect()
}

fn style(emphasis: Emphasis) -> Option<&'static str> {
    match emphasis {
        Emphasis::Normal => None,
        Emphasis::Primary => Some("primary"),
        Emphasis::Danger => Some("danger"),
    }
}

/// Where the same verb stands in the block again, with a number: Slack refuses repeats.
fn told_apart(mut elements: Vec<blocks::Element>) -> Vec<blocks::Element> {
    let mut seen: BTreeMap<Cow<'static, str>, u32> = BTreeMap::new();
    for element in &mut elements {
        let action_id = element.action_id();
        let times = seen.entry(action_id.clone()).or_default();
        *times += 1;
        if *times > 1 {
            *action_id = format!("{action_id}.{times}").into();
        }
    }
    elements
}

/// Consecutive groups of at most `count` items whose sizes add up to at most `size` (a larger item stands alone).
fn grouped<T>(items: impl Iterator<Item = T>, count: usize, size: usize, measure: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut filled = 0;
    for item in items {
        let more = measure(&item);
        match groups.last_mut() {
            Some(group) if group.len() < count && filled + more <= size => {
                group.push(item);
                filled += more;
            }
            _ => {
                groups.push(vec![item]);
                filled = more;
            }
        }
    }
    groups
}

fn named(blocks: Vec<blocks::Block>) -> Vec<blocks::Block> {
    blocks.into_iter().enumerate().map(|(place, block)| block.named(place)).collect()
}

/// What stands in for a missing summary.
fn first_words(message: &Message) -> String {
    let words = message.blocks.iter().filter_map(|block| match block {
        Block::Heading(text) => Some(text.clone()),
        Block::Text(text) | Block::Context(text) => Some(text.to_plain()),
        Block::Bullets(items) => items.first().map(Text::to_plain),
        Block::Chart(chart) => Some(chart.alt.clone()),
        _ => None,
    });
    let words = words.map(|words| mrkdwn::escaped(&words)).find(|words| !mrkdwn::is_blank(words));
    words.unwrap_or_else(|| "Tandem".to_owned())
}

#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod tests;
