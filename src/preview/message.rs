//! A [`Message`] as HTML. maud escapes every text; nothing here is pre-escaped.

use std::borrow::Cow;

use maud::{Markup, html};
use url::Url;

use crate::domain::message::{Block, Button, Buttons, Emphasis, Message, Style, Text};

/// A heading longer than this is cut, as chat platforms do (Slack's header block).
const HEADING_MAX: usize = 150;

/// What a press on one of a message's buttons sends along.
#[derive(Debug, Clone, Copy)]
pub struct Press<'a> {
    /// Who presses: the e-mail address of the person whose messages are shown.
    pub person: &'a str,
    /// The message copy on which the button stands.
    pub message: &'a str,
    /// Proves that the form came from our page: other sites open in the same browser can post to loopback too.
    pub csrf: &'a str,
}

impl Press<'_> {
    /// The fields that every form about a message carries.
    pub(super) fn fields(self) -> Markup {
        html! {
            input type="hidden" name="csrf" value=(self.csrf);
            input type="hidden" name="person" value=(self.person);
            input type="hidden" name="message" value=(self.message);
        }
    }
}

/// All blocks in reading order. A message without blocks is drawn as its summary.
pub fn message(message: &Message, press: Press<'_>) -> Markup {
    html! {
        @if message.blocks.is_empty() {
            p { (message.summary) }
        }
        @for part in &message.blocks {
            (block(part, press))
        }
    }
}

fn block(block: &Block, press: Press<'_>) -> Markup {
    html! {
        @match block {
            Block::Heading(words) => h3 { (cut(words, HEADING_MAX)) },
            Block::Text(words) => p { (text(words)) },
            Block::Bullets(items) => ul { @for item in items { li { (text(item)) } } },
            Block::Facts(facts) => dl class="facts" {
                @for (label, value) in facts {
                    div { dt { (label) } dd { (text(value)) } }
                }
            },
            Block::Context(words) => p class="context" { (text(words)) },
            Block::Divider => hr;,
            Block::Buttons(these) => (buttons(these, press)),
        }
    }
}

/// Running text. A line break in a span is a line break on the page.
pub(super) fn text(text: &Text) -> Markup {
    html! {
        @for span in &text.0 {
            @match &span.style {
                Style::Plain => (lines(&span.text)),
                Style::Strong => strong { (lines(&span.text)) },
                Style::Emphasis => em { (lines(&span.text)) },
                Style::Code => code { (lines(&span.text)) },
                Style::Link(target) => @match web_address(target) {
                    Some(url) => a href=(url) rel="noopener noreferrer" target="_blank" { (lines(&span.text)) },
                    None => (lines(&span.text)),
                },
            }
        }
    }
}

fn lines(text: &str) -> Markup {
    html! {
        @for (number, line) in text.split('\n').enumerate() {
            @if number > 0 { br; }
            (line)
        }
    }
}

/// Parsed the way browsers parse, so that no spelling of `javascript:` gets through.
fn web_address(target: &str) -> Option<Url> {
    Url::parse(target).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// One form for the row: the pressed button alone says which action it is.
fn buttons(buttons: &Buttons, press: Press<'_>) -> Markup {
    html! {
        form class="buttons" method="post" action="/demo/act" {
            (press.fields())
            @for shown in &buttons.shown { (button(shown)) }
            @if !buttons.more.is_empty() {
                // One `name` for all menus: opening one closes the others, without a script.
                details class="more" name="more" {
                    summary aria-label="More actions" { "More" }
                    div class="menu" {
                        @for hidden in &buttons.more { (button(hidden)) }
                    }
                }
            }
        }
    }
}

fn button(button: &Button) -> Markup {
    let class = match button.emphasis {
        Emphasis::Normal => "button",
        Emphasis::Primary => "button primary",
        Emphasis::Danger => "button danger",
    };
    html! {
        button class=(class) name="action" value=(button.action) aria-label=[spoken(button)] { (button.label) }
    }
}

/// The accessible name starts with the visible label, so that people who steer by voice
/// can say what they see (WCAG 2.5.3). `None` where the label says it all.
fn spoken(button: &Button) -> Option<Cow<'_, str>> {
    if button.spoken.is_empty() || button.spoken == button.label {
        None
    } else if button.spoken.starts_with(&button.label) {
        Some(Cow::Borrowed(&button.spoken))
    } else {
        Some(Cow::Owned(format!("{}: {}", button.label, button.spoken)))
    }
}

/// At most `max` characters, the last one an ellipsis where something was cut.
fn cut(text: &str, max: usize) -> Cow<'_, str> {
    if text.chars().count() <= max {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().take(max - 1).chain(['…']).collect())
    }
}
