//! Block Kit, with its limits held where each block is made
//! (numbers: docs.slack.dev/reference/block-kit).
//!
//! Plain JSON instead of slack-morphism's types: those hold no limits, so every
//! one of them would need such a function around it anyway, and serialising
//! them gives nothing that these few shapes do not.

use serde_json::{Value, json};

use super::mrkdwn::{cut, len, line, links_itself};

/// Text of a section or a context.
pub(super) const TEXT: usize = 3000;
pub(super) const FIELD: usize = 2000;
pub(super) const FIELDS: usize = 10;
pub(super) const HEADER: usize = 150;
/// Alternative text and title of a picture.
pub(super) const ALT: usize = 2000;
pub(super) const ELEMENTS: usize = 25;
pub(super) const OVERFLOW_OPTIONS: usize = 5;
pub(super) const SELECT_OPTIONS: usize = 100;
pub(super) const OPTION_VALUE: usize = 150;
pub(super) const BUTTON_VALUE: usize = 2000;
/// Button text, option text, accessibility label.
const LABEL: usize = 75;

/// Where a customer's words hold an address, an @name or a #channel, Slack is told to make no link of
/// them (`verbatim`). Only there: clients other than Slack's own take it for "no formatting at all".
pub(super) fn mrkdwn(text: &str) -> Value {
    if links_itself(text) {
        json!({"type": "mrkdwn", "text": text, "verbatim": true})
    } else {
        json!({"type": "mrkdwn", "text": text})
    }
}

/// `emoji: false`: `:x:` in a name stays what it is. A text that shows nothing would be refused, so it is a dash.
pub(super) fn plain(text: &str, max: usize) -> Value {
    let text = line(text, max);
    json!({"type": "plain_text", "text": if text.is_empty() { "–" } else { &text }, "emoji": false})
}

pub(super) fn header(text: &str) -> Value {
    json!({"type": "header", "text": plain(text, HEADER)})
}

pub(super) fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
}

pub(super) fn fields(fields: &[String]) -> Value {
    json!({"type": "section", "fields": fields.iter().map(|field| mrkdwn(field)).collect::<Vec<_>>()})
}

pub(super) fn context(text: &str) -> Value {
    json!({"type": "context", "elements": [mrkdwn(text)]})
}

pub(super) fn divider() -> Value {
    json!({"type": "divider"})
}

pub(super) fn actions(elements: Vec<Value>) -> Value {
    json!({"type": "actions", "elements": elements})
}

pub(super) fn button(label: &str, value: &str, spoken: &str, style: Option<&str>) -> Value {
    let mut button = json!({"type": "button", "text": plain(label, LABEL), "value": value});
    let spoken = line(spoken, LABEL);
    if !spoken.is_empty() {
        button["accessibility_label"] = spoken.into();
    }
    if let Some(style) = style {
        button["style"] = style.into();
    }
    button
}

pub(super) fn option(label: &str, value: &str) -> Value {
    json!({"text": plain(label, LABEL), "value": value})
}

/// A menu: *⋯* for a few, a list with a placeholder for more.
pub(super) fn menu(placeholder: &str, options: Vec<Value>) -> Value {
    if options.len() <= OVERFLOW_OPTIONS {
        json!({"type": "overflow", "options": options})
    } else {
        json!({"type": "static_select", "placeholder": plain(placeholder, HEADER), "options": options})
    }
}

/// As long as Slack counts it: `msg_blocks_too_long` was met with sums of text far below the
/// limit, so the whole JSON is measured.
pub(super) fn weight(value: &Value) -> usize {
    len(&value.to_string())
}

/// The text of a notification: escaped, since Slack reads mrkdwn there too. Slack cuts it at 40,000;
/// notifications show far less.
pub(super) fn notification(escaped: &str) -> String {
    cut(escaped, TEXT)
}
