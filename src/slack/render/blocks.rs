//! Block Kit, with its limits held where each block is made
//! (numbers: docs.slack.dev/reference/block-kit).
//!
//! Types of our own instead of slack-morphism's: those hold no limits, so every
//! one of them would need such a function around it anyway. They are written out
//! as they are; as `serde_json::Value`s, each with a tree of its own and a copy of
//! every key, drawing them was a quarter of what an answer costs.

use std::borrow::Cow;
use std::io;

use serde::{Serialize, Serializer};

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

/// One block of a message or a view.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    Header {
        #[serde(skip_serializing_if = "Name::is_none")]
        block_id: Name,
        text: Plain,
    },
    Section {
        #[serde(skip_serializing_if = "Name::is_none")]
        block_id: Name,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<Mrkdwn>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fields: Vec<Mrkdwn>,
    },
    Context {
        #[serde(skip_serializing_if = "Name::is_none")]
        block_id: Name,
        elements: [Mrkdwn; 1],
    },
    Actions {
        #[serde(skip_serializing_if = "Name::is_none")]
        block_id: Name,
        elements: Vec<Element>,
    },
    Divider {
        #[serde(skip_serializing_if = "Name::is_none")]
        block_id: Name,
    },
}

impl Block {
    /// Names it by its place: unique in the message, the same each time it is drawn.
    pub(super) fn named(mut self, place: usize) -> Self {
        let (Self::Header { block_id, .. }
        | Self::Section { block_id, .. }
        | Self::Context { block_id, .. }
        | Self::Actions { block_id, .. }
        | Self::Divider { block_id }) = &mut self;
        *block_id = Name(Some(place));
        self
    }
}

/// The place by which a block is named, once it has one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Name(Option<usize>);

impl Name {
    fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(place) => serializer.collect_str(&format_args!("b{place}")),
            None => serializer.serialize_none(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename = "mrkdwn")]
pub struct Mrkdwn {
    text: String,
    /// Where a customer's words hold an address, an @name or a #channel, Slack is told to make no link of
    /// them. Only there: clients other than Slack's own take it for "no formatting at all".
    #[serde(skip_serializing_if = "is_false")]
    verbatim: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename = "plain_text")]
pub struct Plain {
    text: String,
    /// Never: `:x:` in a name stays what it is.
    emoji: bool,
}

/// What stands in a row of actions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Element {
    Button {
        action_id: Cow<'static, str>,
        text: Plain,
        value: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        accessibility_label: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        style: Option<&'static str>,
    },
    Overflow {
        action_id: Cow<'static, str>,
        options: Vec<Choice>,
    },
    StaticSelect {
        action_id: Cow<'static, str>,
        placeholder: Plain,
        options: Vec<Choice>,
    },
}

impl Element {
    pub(super) fn action_id(&mut self) -> &mut Cow<'static, str> {
        let (Self::Button { action_id, .. } | Self::Overflow { action_id, .. } | Self::StaticSelect { action_id, .. }) =
            self;
        action_id
    }
}

/// One option of a menu.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    text: Plain,
    value: String,
}

fn mrkdwn(text: String) -> Mrkdwn {
    Mrkdwn { verbatim: links_itself(&text), text }
}

/// A text that shows nothing would be refused, so it is a dash.
pub(super) fn plain(text: &str, max: usize) -> Plain {
    let text = line(text, max);
    Plain { text: if text.is_empty() { "–".to_owned() } else { text }, emoji: false }
}

pub(super) fn header(text: &str) -> Block {
    Block::Header { block_id: Name::default(), text: plain(text, HEADER) }
}

pub(super) fn section(text: String) -> Block {
    Block::Section { block_id: Name::default(), text: Some(mrkdwn(text)), fields: Vec::new() }
}

pub(super) fn fields(fields: Vec<String>) -> Block {
    Block::Section { block_id: Name::default(), text: None, fields: fields.into_iter().map(mrkdwn).collect() }
}

pub(super) fn context(text: String) -> Block {
    Block::Context { block_id: Name::default(), elements: [mrkdwn(text)] }
}

pub(super) fn divider() -> Block {
    Block::Divider { block_id: Name::default() }
}

pub(super) fn actions(elements: Vec<Element>) -> Block {
    Block::Actions { block_id: Name::default(), elements }
}

pub(super) fn button(
    verb: &'static str,
    label: &str,
    value: String,
    spoken: &str,
    style: Option<&'static str>,
) -> Element {
    let spoken = line(spoken, LABEL);
    Element::Button {
        action_id: verb.into(),
        text: plain(label, LABEL),
        value,
        accessibility_label: (!spoken.is_empty()).then_some(spoken),
        style,
    }
}

pub(super) fn option(label: &str, value: String) -> Choice {
    Choice { text: plain(label, LABEL), value }
}

/// A menu: *⋯* for a few, a list with its label as placeholder for more.
pub(super) fn menu(action_id: &'static str, label: &str, options: Vec<Choice>) -> Element {
    let action_id = action_id.into();
    if options.len() <= OVERFLOW_OPTIONS {
        Element::Overflow { action_id, options }
    } else {
        Element::StaticSelect { action_id, placeholder: plain(label, HEADER), options }
    }
}

/// As long as Slack counts it: `msg_blocks_too_long` was met with sums of text far below the
/// limit, so the whole JSON is measured.
pub(super) fn weight(value: &impl Serialize) -> usize {
    let mut weight = Weight(0);
    // Counting cannot fail.
    let _ = serde_json::to_writer(&mut weight, value);
    weight.0
}

/// What a block weighs at the most, told from the length of its texts: nothing is written out for it.
pub(super) fn at_most(block: &Block) -> usize {
    let mrkdwn = |text: &Mrkdwn| NAMES + written(&text.text);
    match block {
        Block::Header { text, .. } => NAMES + plainly(text),
        Block::Section { text, fields, .. } => NAMES + text.iter().chain(fields).map(mrkdwn).sum::<usize>(),
        Block::Context { elements, .. } => NAMES + elements.iter().map(mrkdwn).sum::<usize>(),
        Block::Actions { elements, .. } => NAMES + elements.iter().map(of_element).sum::<usize>(),
        Block::Divider { .. } => NAMES,
    }
}

/// More than the names and signs around the texts of any one part of a block; of a button, together with those around its
/// label.
const NAMES: usize = 72;

fn of_element(element: &Element) -> usize {
    let options = |options: &[Choice]| -> usize {
        options.iter().map(|option| NAMES + plainly(&option.text) + written(&option.value)).sum()
    };
    NAMES
        + match element {
            Element::Button { action_id, text, value, accessibility_label, style } => {
                let others = [Some(action_id.as_ref()), Some(value), accessibility_label.as_deref(), *style];
                plainly(text) + others.into_iter().flatten().map(written).sum::<usize>()
            }
            Element::Overflow { action_id, options: all } => written(action_id) + options(all),
            Element::StaticSelect { action_id, placeholder, options: all } => {
                written(action_id) + plainly(placeholder) + options(all)
            }
        }
}

fn plainly(text: &Plain) -> usize {
    NAMES + written(&text.text)
}

/// The bytes of a text in JSON, at the most: no fewer than its units of UTF-16.
fn written(text: &str) -> usize {
    let escaped = |byte: u8| usize::from(matches!(byte, b'"' | b'\\')) + 5 * usize::from(byte < b' ');
    text.len() + text.bytes().map(escaped).sum::<usize>()
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
        let block = section("Müller & Søn <x> \"quoted\"\n\u{1}, 12 € · 👩‍👩‍👧 שלום".to_owned());
        assert_eq!(weight(&block), len(&serde_json::to_string(&block).unwrap()));
    }
}
