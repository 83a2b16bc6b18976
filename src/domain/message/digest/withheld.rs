//! Purpose: what the health gate keeps from the AM: which account, why, who
//! handles it and since when, in a line, with the way around it.

use chrono::NaiveDate;
use uuid::Uuid;

use super::super::view::Withheld;
use super::super::{Block, Button, Buttons, Text, card, phrase};
use crate::domain::action::{Action, Subject, Verb};

/// A window that the health gate withholds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldLine {
    pub account: String,
    pub handoff: Uuid,
    /// "more seats, about $12k".
    pub what: String,
    pub held: Withheld,
    pub may_act: bool,
}

/// How many withheld windows carry a button; the rest is one line each.
const WITH_OVERRIDE: usize = 5;

pub(super) fn blocks(lines: &[WithheldLine], today: NaiveDate) -> Vec<Block> {
    if lines.is_empty() {
        return Vec::new();
    }
    let text = |line: &WithheldLine| {
        let held = card::withheld(&line.held, today);
        Text::strong(phrase::cut(&line.account, 80)).then(format!(" · {}. {held}", line.what))
    };
    let mut blocks = vec![Block::Heading(format!("Withheld ({})", lines.len()))];
    for line in lines.iter().take(WITH_OVERRIDE) {
        blocks.push(Block::Text(text(line)));
        if line.may_act {
            let action = Action::new(Verb::Override, Subject::Handoff(line.handoff));
            let shown = vec![Button::new(action, &line.account)];
            blocks.push(Block::Buttons(Buttons { shown, more: Vec::new() }));
        }
    }
    let others: Vec<Text> = lines.iter().skip(WITH_OVERRIDE).take(20).map(text).collect();
    if !others.is_empty() {
        blocks.push(Block::Bullets(others));
    }
    blocks
}
