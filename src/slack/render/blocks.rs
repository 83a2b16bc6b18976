//! Block Kit, with its limits held where each block is made
//! (numbers: docs.slack.dev/reference/block-kit).
//!
//! Plain JSON instead of slack-morphism's types: those hold no limits, so every
//! one of them would need such a function around it anyway, and serialising
//! them gives nothing that these few shapes do not.

use std::io;

use serde_json::{Value, json};

use super::mrkdwn::{cut, line, links_itself};

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

/// An object of values that are made already. `json!` would copy each with all that is in it, once more at every level.
pub(super) fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

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
    object([("type", "header".into()), ("text", plain(text, HEADER))])
}

pub(super) fn section(text: &str) -> Value {
    object([("type", "section".into()), ("text", mrkdwn(text))])
}

pub(super) fn fields(fields: &[String]) -> Value {
    object([("type", "section".into()), ("fields", fields.iter().map(|field| mrkdwn(field)).collect())])
}

pub(super) fn context(text: &str) -> Value {
    object([("type", "context".into()), ("elements", vec![mrkdwn(text)].into())])
}

pub(super) fn divider() -> Value {
    json!({"type": "divider"})
}

pub(super) fn actions(elements: Vec<Value>) -> Value {
    object([("type", "actions".into()), ("elements", elements.into())])
}

pub(super) fn button(label: &str, value: &str, spoken: &str, style: Option<&str>) -> Value {
    let mut button = object([("type", "button".into()), ("text", plain(label, LABEL)), ("value", value.into())]);
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
    object([("text", plain(label, LABEL)), ("value", value.into())])
}

/// A menu: *⋯* for a few, a list with a placeholder for more.
pub(super) fn menu(placeholder: &str, options: Vec<Value>) -> Value {
    if options.len() <= OVERFLOW_OPTIONS {
        object([("type", "overflow".into()), ("options", options.into())])
    } else {
        let placeholder = plain(placeholder, HEADER);
        object([("type", "static_select".into()), ("placeholder", placeholder), ("options", options.into())])
    }
}

/// As long as Slack counts it: `msg_blocks_too_long` was met with sums of text far below the
/// limit, so the whole JSON is measured.
pub(super) fn weight(value: &Value) -> usize {
    let mut weight = Weight(0);
    // Counting cannot fail.
    let _ = serde_json::to_writer(&mut weight, value);
    weight.0
}

/// Counts what is written to it as [`len`] counts text, and keeps none of it.
struct Weight(usize);

impl io::Write for Weight {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A character's first byte tells how long it is: four bytes are two units of UTF-16, fewer are one.
        let units = |byte: &u8| usize::from(byte & 0xc0 != 0x80) + usize::from(*byte >= 0xf0);
        self.0 += bytes.iter().map(units).sum::<usize>();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text of a notification: escaped, since Slack reads mrkdwn there too. Slack cuts it at 40,000;
/// notifications show far less.
pub(super) fn notification(escaped: &str) -> String {
    cut(escaped, TEXT)
}

#[cfg(test)]
mod tests {
    use super::super::mrkdwn::len;
    use super::*;

    #[test]
    fn weight_is_the_length_of_the_json() {
        let block = section("Müller & Søn <x> \"quoted\"\n\u{1}, 12 € · 👩‍👩‍👧 שלום");
        assert_eq!(weight(&block), len(&block.to_string()));
    }
}
