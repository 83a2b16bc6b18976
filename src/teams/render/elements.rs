//! One block of a message → elements of a card.

use serde_json::{Value, json};

use super::{Draw, buttons, words};
use crate::domain::message::chart::Chart;
use crate::domain::message::{Block, Span, Style, Text};

/// A heading is cut to this.
const HEADING: usize = 150;
/// Characters of one fact's value, and bytes of the facts that stand in one set.
const FACT: usize = 2_000;
const FACTS: usize = 8_000;
/// The longest text that is drawn as one element; longer ones are cut into several.
const RUN: usize = 2_000;

/// Elements that must not be torn apart, and how they hold on to their neighbours.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) elements: Vec<Value>,
    pub(super) role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Opens a card and stays with what it is about.
    Heading,
    Body,
    /// Stays with what it is about, and closes the card.
    Buttons,
    Divider,
}

impl Piece {
    fn body(element: Value) -> Self {
        Self { elements: vec![element], role: Role::Body }
    }
}

/// `targets` numbers what *More* opens, so that no two of a message are called the same.
pub(super) fn block(block: &Block, draw: Draw, targets: &mut usize) -> Vec<Piece> {
    match block {
        Block::Heading(text) => {
            let text = words::plain(&words::line(&words::as_typed(text), HEADING));
            if text.is_empty() {
                return Vec::new();
            }
            let heading = json!({"type": "TextBlock", "text": text, "style": "heading", "size": "Medium", "weight": "Bolder", "wrap": true});
            vec![Piece { elements: vec![heading], role: Role::Heading }]
        }
        Block::Text(text) => lines(text, Size::Normal).into_iter().map(Piece::body).collect(),
        Block::Bullets(items) => items
            .iter()
            .flat_map(|item| lines(&Text::plain("• ").append(item.clone()), Size::Normal))
            .map(Piece::body)
            .collect(),
        Block::Facts(facts) => facts_sets(facts).into_iter().map(Piece::body).collect(),
        Block::Context(text) => lines(text, Size::Small).into_iter().map(Piece::body).collect(),
        Block::Chart(chart) => match draw(chart) {
            Some(address) => vec![Piece::body(picture(chart, &address))],
            None => lines(&chart.in_words(), Size::Normal).into_iter().map(Piece::body).collect(),
        },
        Block::Divider => vec![Piece { elements: Vec::new(), role: Role::Divider }],
        Block::Buttons(drawn) => {
            let elements = buttons::elements(drawn, targets);
            if elements.is_empty() { Vec::new() } else { vec![Piece { elements, role: Role::Buttons }] }
        }
    }
}

/// On a phone it can be made as large as the screen.
fn picture(chart: &Chart, address: &str) -> Value {
    json!({"type": "Image", "url": address, "altText": chart.alt, "size": "Stretch", "msteams": {"allowExpand": true}})
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Normal,
    /// Small print.
    Small,
}

/// One element a line: a `RichTextBlock` shows no line breaks of its own.
pub(super) fn lines(text: &Text, size: Size) -> Vec<Value> {
    let mut lines: Vec<Vec<Value>> = vec![Vec::new()];
    for span in &text.0 {
        let said = words::visible(&words::as_typed(&span.text));
        for (number, part) in said.split('\n').enumerate() {
            if number > 0 {
                lines.push(Vec::new());
            }
            let chars: Vec<char> = part.chars().collect();
            for piece in chars.chunks(RUN) {
                let filled =
                    lines.last().is_some_and(|line| line.iter().map(length).sum::<usize>() + piece.len() > RUN);
                if filled {
                    lines.push(Vec::new());
                }
                if let Some(line) = lines.last_mut() {
                    line.push(run(&piece.iter().collect::<String>(), span, size));
                }
            }
        }
    }
    let shown =
        |line: &Vec<Value>| line.iter().any(|run| run["text"].as_str().is_some_and(|text| !text.trim().is_empty()));
    let block = |(number, inlines): (usize, Vec<Value>)| {
        let mut block = linked(inlines);
        if number > 0 {
            block["spacing"] = "Small".into();
        }
        block
    };
    lines.into_iter().filter(shown).enumerate().map(block).collect()
}

/// A line with one link is one as a whole: the words keep the colour of text, which the colour of links on a dark ground is
/// not readable beside, and a thumb hits it. Of several links each stays its own.
fn linked(mut inlines: Vec<Value>) -> Value {
    let mut links: Vec<&mut Value> = inlines.iter_mut().filter(|run| run.get("selectAction").is_some()).collect();
    let open = match links.as_mut_slice() {
        [one] => one.as_object_mut().and_then(|run| run.remove("selectAction")),
        _ => None,
    };
    let line = json!({"type": "RichTextBlock", "inlines": inlines});
    match open {
        Some(open) => json!({"type": "Container", "items": [line], "selectAction": open}),
        None => line,
    }
}

fn length(run: &Value) -> usize {
    run["text"].as_str().unwrap_or_default().chars().count()
}

fn run(text: &str, span: &Span, size: Size) -> Value {
    let mut run = json!({"type": "TextRun", "text": text});
    match (&span.style, words::address(&span.style)) {
        (_, Some(url)) => {
            // The line under it says that it is a link: Teams' accent is hardly seen on its dark ground.
            run["underline"] = true.into();
            run["weight"] = "Bolder".into();
            run["selectAction"] = json!({"type": "Action.OpenUrl", "title": words::line(text, 75), "url": url});
        }
        (Style::Strong, _) => run["weight"] = "Bolder".into(),
        (Style::Emphasis, _) => run["italic"] = true.into(),
        (Style::Code, _) => run["fontType"] = "Monospace".into(),
        _ => {}
    }
    if size == Size::Small {
        run["size"] = "Small".into();
        run["isSubtle"] = true.into();
    }
    run
}

/// One set, or several below each other where one would not fit into a card.
fn facts_sets(facts: &[(String, Text)]) -> Vec<Value> {
    let value = |text: &Text| match words::markdown(text) {
        long if long.chars().count() > FACT => words::line(&words::plain(&words::as_typed(&text.to_plain())), FACT),
        whole => whole,
    };
    let drawn = facts
        .iter()
        .map(|(label, text)| (words::plain(&words::line(label, 75)), value(text)))
        .filter(|(_, value)| !value.trim().is_empty())
        .map(|(title, value)| json!({"title": title, "value": value}));
    let mut sets: Vec<(usize, Vec<Value>)> = Vec::new();
    for fact in drawn {
        let weight = fact.to_string().len();
        match sets.last_mut() {
            Some((filled, set)) if *filled + weight <= FACTS => {
                *filled += weight;
                set.push(fact);
            }
            _ => sets.push((weight, vec![fact])),
        }
    }
    sets.into_iter().map(|(_, set)| json!({"type": "FactSet", "facts": set})).collect()
}
