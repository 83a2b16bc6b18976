//! What Tandem says, chat-neutral. Wording is made in the modules beside this
//! one; markup belongs to the renderers (`slack::render`, `preview`).

pub mod account;
pub mod answer;
#[cfg(test)]
pub(crate) mod any;
pub mod card;
pub mod cause;
pub mod chart;
pub mod dialog;
pub mod digest;
pub mod figures;
pub mod form;
pub mod gaps;
pub mod home;
pub mod install;
pub mod introduction;
pub mod lead;
pub mod list;
pub mod notice;
pub mod phrase;
pub mod policy_fit;
pub mod text;
pub mod trial;
pub mod view;
pub mod withdrawn;

use chrono::{NaiveDate, NaiveTime};

use super::action::Action;
use super::money::Currency;

/// One chat message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// The notification line: plain text that already says it ("14 at risk, €410k; Acme served notice").
    /// Also what a screen reader or a client without blocks gets.
    pub summary: String,
    pub blocks: Vec<Block>,
}

/// A part of a message, in reading order.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Plain text, at most 150 characters (Slack's header limit; renderers cut longer ones).
    Heading(String),
    Text(Text),
    Bullets(Vec<Text>),
    /// Label and value pairs, drawn side by side where there is room.
    Facts(Vec<(String, Text)>),
    /// Small print: dates, sources, ages.
    Context(Text),
    Divider,
    /// Drawn as a picture where one can be, else [`chart::Chart::in_words`].
    Chart(chart::Chart),
    Buttons(Buttons),
}

/// Running text: spans in order. A line break is a `\n` inside a span.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(pub Vec<Span>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub text: String,
    pub style: Style,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Style {
    Plain,
    Strong,
    Emphasis,
    Code,
    /// `https` or `http` only; renderers draw anything else as plain text.
    Link(String),
}

impl Text {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn plain(text: impl Into<String>) -> Self {
        Self::new().then(text)
    }

    pub fn strong(text: impl Into<String>) -> Self {
        Self::new().then_strong(text)
    }

    #[must_use]
    pub fn then(self, text: impl Into<String>) -> Self {
        self.push(text.into(), Style::Plain)
    }

    #[must_use]
    pub fn then_strong(self, text: impl Into<String>) -> Self {
        self.push(text.into(), Style::Strong)
    }

    #[must_use]
    pub fn then_emphasis(self, text: impl Into<String>) -> Self {
        self.push(text.into(), Style::Emphasis)
    }

    #[must_use]
    pub fn then_code(self, text: impl Into<String>) -> Self {
        self.push(text.into(), Style::Code)
    }

    #[must_use]
    pub fn then_link(self, text: impl Into<String>, url: impl Into<String>) -> Self {
        self.push(text.into(), Style::Link(url.into()))
    }

    #[must_use]
    pub fn append(mut self, other: Text) -> Self {
        self.0.extend(other.0);
        self
    }

    fn push(mut self, text: String, style: Style) -> Self {
        if !text.is_empty() {
            self.0.push(Span { text, style });
        }
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The words alone.
    pub fn to_plain(&self) -> String {
        self.0.iter().map(|span| span.text.as_str()).collect()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::plain(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text::plain(text)
    }
}

/// At most two stand on the card (Teams cuts more at 320 px); the rest under *More*.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Buttons {
    pub shown: Vec<Button>,
    pub more: Vec<Button>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Button {
    /// At most 30 characters.
    pub label: String,
    pub action: Action,
    pub emphasis: Emphasis,
    /// What a screen reader says, since the label repeats on every card: "Acknowledge Acme". At most 75 characters.
    pub spoken: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Emphasis {
    #[default]
    Normal,
    Primary,
    Danger,
}

impl Button {
    /// The verb's own label, spoken with what it is about.
    pub fn new(action: Action, about: &str) -> Self {
        let label = action.verb.label();
        Self::labelled(action, label, about)
    }

    /// Another label, spoken with what it is about.
    pub fn labelled(action: Action, label: &str, about: &str) -> Self {
        let spoken = format!("{label} {about}").chars().take(75).collect();
        Self { label: label.to_owned(), action, emphasis: Emphasis::Normal, spoken }
    }

    #[must_use]
    pub fn primary(mut self) -> Self {
        self.emphasis = Emphasis::Primary;
        self
    }
}

/// Asks for words, dates or amounts before an action is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialog {
    /// At most 24 characters (Slack's view title).
    pub title: String,
    /// At most 24 characters.
    pub submit: String,
    /// Shown above the fields.
    pub intro: Option<Text>,
    pub fields: Vec<Field>,
    /// Done when the dialog is submitted.
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The key under which the answer comes back.
    pub id: &'static str,
    pub label: String,
    /// Shown under the input.
    pub hint: Option<String>,
    pub required: bool,
    pub input: Input,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Line {
        value: String,
        max: u16,
    },
    Paragraph {
        value: String,
        max: u16,
    },
    /// ISO 8601 on the wire. `min` is the first day that makes sense.
    Date {
        value: Option<NaiveDate>,
        min: Option<NaiveDate>,
    },
    /// Major units, typed as a number.
    Amount {
        value: String,
        currency: Currency,
    },
    /// `HH:MM` on the wire.
    Time {
        value: NaiveTime,
    },
    /// Any number of these, value and label; at most 10. On the wire with `;` or `,` between.
    Choices {
        values: Vec<String>,
        options: Vec<(String, String)>,
    },
    /// Value and label; at most 100.
    Select {
        value: Option<String>,
        options: Vec<(String, String)>,
    },
}

/// What came back from a dialog: field id → answer, absent where the field was left empty.
pub type Answers = std::collections::BTreeMap<String, String>;

/// What the person who pressed, typed or submitted gets back.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Nothing to say: the redrawn message says it.
    Silent,
    /// Seen by this person only.
    Private(Message),
    /// Ask for this first.
    Dialog(Dialog),
    /// Stands at the fields of the dialog that was submitted: (field id, sentence).
    FieldErrors(Vec<(String, String)>),
}

impl Message {
    /// One sentence, as a private answer.
    pub fn sentence(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { summary: text.clone(), blocks: vec![Block::Text(Text::plain(text))] }
    }

    /// Its charts, in reading order.
    pub fn charts(&self) -> impl Iterator<Item = &chart::Chart> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Chart(chart) => Some(chart),
            _ => None,
        })
    }

    /// Every button of the message, shown ones first within each block.
    pub fn buttons(&self) -> impl Iterator<Item = &Button> {
        self.blocks.iter().flat_map(|block| match block {
            Block::Buttons(buttons) => buttons.shown.iter().chain(&buttons.more),
            _ => [].iter().chain(&[]),
        })
    }
}
