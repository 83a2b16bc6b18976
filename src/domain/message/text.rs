//! Messages as plain text, for the terminal: no escape codes, no control
//! characters, lines no wider than asked for.

use super::{Block, Button, Buttons, Message, Style, Text};

/// The message as text of at most `width` columns (at least 20); longer words stand alone on their line.
/// Buttons are named in brackets, those under *More* after "More:".
pub fn to_text(message: &Message, width: usize) -> String {
    let width = width.max(20);
    let mut out = String::new();
    for block in &message.blocks {
        let drawn = draw(block, width);
        if drawn.is_empty() {
            continue;
        }
        // A blank line parts cards and headings; what belongs to a card stays with it.
        if !out.is_empty() && matches!(block, Block::Heading(_) | Block::Text(_) | Block::Chart(_) | Block::Divider) {
            out.push('\n');
        }
        out.push_str(&drawn);
    }
    out
}

fn draw(block: &Block, width: usize) -> String {
    match block {
        Block::Heading(heading) => {
            let heading = printable(heading);
            let rule = "=".repeat(heading.chars().count().min(width));
            format!("{}{rule}\n", wrap(&heading, width, "", ""))
        }
        Block::Text(text) => wrap(&spoken(text), width, "", ""),
        Block::Bullets(items) => items.iter().map(|item| wrap(&spoken(item), width, "- ", "  ")).collect(),
        Block::Facts(pairs) => {
            let label = pairs.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0).min(width / 2);
            let indent = " ".repeat(label + 3);
            pairs
                .iter()
                .map(|(name, value)| {
                    let first = format!("{:<label$}   ", printable(name));
                    wrap(&spoken(value), width, &first, &indent)
                })
                .collect()
        }
        Block::Context(text) => wrap(&spoken(text), width, "  ", "  "),
        Block::Chart(chart) => wrap(&spoken(&chart.in_words()), width, "", ""),
        Block::Divider => format!("{}\n", "-".repeat(width.min(40))),
        Block::Buttons(buttons) => wrap(&labels(buttons), width, "", ""),
    }
}

fn labels(buttons: &Buttons) -> String {
    let row = |buttons: &[Button]| {
        // A label stays on one line: its spaces do not break.
        let names: Vec<String> =
            buttons.iter().map(|b| format!("[{}]", printable(&b.label).replace(' ', NO_BREAK))).collect();
        names.join(" ")
    };
    match (buttons.shown.is_empty(), buttons.more.is_empty()) {
        (_, true) => row(&buttons.shown),
        (true, false) => row(&buttons.more),
        (false, false) => format!("{}  More: {}", row(&buttons.shown), row(&buttons.more)),
    }
}

/// Stands for a space that does not break, until the line is drawn.
const NO_BREAK: &str = "\u{a0}";

/// The words, with addresses behind links, since a terminal cannot hide them.
fn spoken(text: &Text) -> String {
    let mut out = String::new();
    for span in &text.0 {
        out.push_str(&printable(&span.text));
        if let Style::Link(url) = &span.style
            && *url != span.text
        {
            out.push_str(&format!(" ({})", printable(url)));
        }
    }
    out
}

/// Whether a character of somebody else's words could steer a terminal.
pub fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Customers' names come from outside: what could steer a terminal is left out.
fn printable(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !steers(*c)).collect()
}

fn wrap(text: &str, width: usize, first: &str, rest: &str) -> String {
    let mut out = String::new();
    let mut lead = first;
    for line in text.split('\n') {
        let mut drawn = lead.to_owned();
        let mut empty = true;
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            let needed = drawn.chars().count() + usize::from(!empty) + word.chars().count();
            if !empty && needed > width {
                push_line(&mut out, &drawn);
                drawn = rest.to_owned();
                empty = true;
            }
            if !empty {
                drawn.push(' ');
            }
            drawn.push_str(word);
            empty = false;
        }
        push_line(&mut out, &drawn);
        lead = rest;
    }
    out
}

fn push_line(out: &mut String, line: &str) {
    out.push_str(line.replace(NO_BREAK, " ").trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::action::{Action, Subject, Verb};

    #[test]
    fn every_block_has_its_place() {
        let press = |verb| Button::new(Action::new(verb, Subject::Risk(Uuid::nil())), "Acme");
        let message = Message {
            summary: "not drawn".into(),
            blocks: vec![
                Block::Heading("Good morning, Dana".into()),
                Block::Text(Text::strong("Acme").then(" lost 52 of its 80 users in five weeks and nobody has called")),
                Block::Facts(vec![("ARR".into(), "$184k".into()), ("Opt-out".into(), "Fri 27 Nov".into())]),
                Block::Bullets(vec!["one".into(), Text::new().then_link("two", "https://crm.example/2")]),
                Block::Context("usage: yesterday".into()),
                Block::Buttons(Buttons {
                    shown: vec![press(Verb::Acknowledge), press(Verb::SetNextStep)],
                    more: vec![press(Verb::Note)],
                }),
                Block::Divider,
            ],
        };
        insta::assert_snapshot!(to_text(&message, 44), @"
        Good morning, Dana
        ==================

        Acme lost 52 of its 80 users in five weeks
        and nobody has called
        ARR       $184k
        Opt-out   Fri 27 Nov
        - one
        - two (https://crm.example/2)
          usage: yesterday
        [Acknowledge] [Set next step] More: [Note]

        ----------------------------------------
        ");
    }

    proptest! {
        #[test]
        fn lines_fit_and_carry_no_codes(words in "([a-z\u{1b}\u{202e}é]{1,12}[ \n]){0,60}", width in 20..100_usize) {
            let message = Message {
                summary: String::new(),
                blocks: vec![Block::Text(words.as_str().into()), Block::Bullets(vec![words.as_str().into()])],
            };
            for line in to_text(&message, width).lines() {
                prop_assert!(line.chars().count() <= width, "{}", line);
                let steers = line.chars().any(|c| c.is_control() || c == '\u{202e}');
                prop_assert!(!steers, "{:?}", line);
            }
        }
    }
}
