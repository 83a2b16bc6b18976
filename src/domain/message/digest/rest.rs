//! Purpose: what did not fit the attention budget: one line each, grouped by
//! cause, with the buttons that settle a whole group.

use chrono::NaiveDate;
use uuid::Uuid;

use super::super::view::{Deadline, RiskState};
use super::super::{Block, Button, Buttons, Message, Text, card, list, phrase};
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::money::Money;

/// What did not fit the attention budget, under one cause.
#[derive(Debug, Clone, PartialEq)]
pub struct RestGroup {
    /// Within this digest; with its id it is the group's [`Subject::Group`].
    pub number: u16,
    /// Plain words: "Usage is down".
    pub cause: String,
    pub kind: RestKind,
    pub lines: Vec<RestLine>,
    pub returns_on: Option<NaiveDate>,
    pub may_act: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestKind {
    Risks,
    Windows,
    /// Risks to weigh, and warnings.
    Handed,
    Renewals,
}

impl RestKind {
    fn noun(self) -> &'static str {
        match self {
            RestKind::Risks => "account",
            RestKind::Windows => "window",
            RestKind::Handed => "risk",
            RestKind::Renewals => "renewal",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct RestLine {
    pub name: String,
    /// Estimated amount of a window, else the ARR.
    pub amount: Option<Money>,
    pub deadline: Option<Deadline>,
    /// Of a risk: what was done about it meanwhile; `None` while it waits.
    pub settled: Option<RiskState>,
}

impl RestGroup {
    /// How many of its risks a button can still settle.
    fn to_settle(&self) -> usize {
        match self.kind {
            RestKind::Risks if self.may_act => self.waiting(),
            _ => 0,
        }
    }

    fn waiting(&self) -> usize {
        self.lines.iter().filter(|line| line.settled.is_none()).count()
    }

    /// `None` where nothing of it waits: what is settled comes back by its own date.
    fn returns_on(&self) -> Option<NaiveDate> {
        self.returns_on.filter(|_| self.waiting() > 0)
    }
}

/// More lines than these are a table, not a message; *Show more* has the rest.
const LINES: usize = 15;

/// The number of a group that is all the groups of a digest's rest together.
pub const WHOLE: u16 = u16::MAX;

/// Said once for all groups: each names its day.
pub(super) fn returning(groups: &[&RestGroup]) -> Option<Block> {
    let returns = groups.iter().any(|group| group.returns_on().is_some());
    returns.then(|| Block::Context("Each comes back on the day it names, or earlier if it gets worse.".into()))
}

/// What settles every risk of the rest at once; nothing where one group's own buttons do.
pub(super) fn whole(digest: Uuid, groups: &[&RestGroup]) -> Vec<Block> {
    let risks: Vec<usize> = groups.iter().map(|group| group.to_settle()).filter(|left| *left > 0).collect();
    if risks.len() < 2 {
        return Vec::new();
    }
    let all = risks.iter().sum::<usize>();
    let button = |verb: Verb| {
        let mut button = Button::new(Action::new(verb, Subject::Group(digest, WHOLE)), "");
        button.label = format!("{} {all}", verb.label());
        button.spoken = format!("{} {} of this list", verb.label(), phrase::count(all, "account"));
        button
    };
    let said = format!("{} at risk: settle them all at once, or group by group.", phrase::count(all, "account"));
    vec![
        Block::Text(said.into()),
        Block::Buttons(Buttons {
            shown: vec![button(Verb::AcknowledgeGroup), button(Verb::SnoozeGroup)],
            more: Vec::new(),
        }),
    ]
}

pub(super) fn blocks(digest: Uuid, group: &RestGroup, today: NaiveDate) -> Vec<Block> {
    let total = group.lines.len();
    let returns = group.returns_on().map(|day| format!(", back {}", on(day, today))).unwrap_or_default();
    let title = Text::strong(group.cause.trim_end_matches('.'))
        .then(format!(": {}{returns}", phrase::count(total, group.kind.noun())));
    let mut lines: Vec<Text> = group.lines.iter().take(LINES).map(|line| rest_line(group.kind, line, today)).collect();
    if total > LINES {
        lines.push(format!("and {} more", total - LINES).into());
    }
    let mut blocks = vec![Block::Text(title), Block::Bullets(lines)];
    let (subject, left) = (Subject::Group(digest, group.number), group.to_settle());
    let button = |verb: Verb| {
        let one = match verb {
            Verb::AcknowledgeGroup => Verb::Acknowledge,
            Verb::SnoozeGroup => Verb::Snooze,
            other => other,
        };
        let label = if left == 1 { one.label() } else { verb.label() };
        Button::labelled(Action::new(verb, subject.clone()), label, &group.cause)
    };
    let shown = if left > 0 { vec![button(Verb::AcknowledgeGroup), button(Verb::SnoozeGroup)] } else { Vec::new() };
    let more = if total > LINES { vec![button(Verb::ShowMore)] } else { Vec::new() };
    if !shown.is_empty() || !more.is_empty() {
        blocks.push(Block::Buttons(if shown.is_empty() {
            Buttons { shown: more, more: Vec::new() }
        } else {
            Buttons { shown, more }
        }));
    }
    blocks
}

/// Every line of a group, for *Show more*: the same title, in parts that fit a message.
pub fn whole_group(group: &RestGroup, today: NaiveDate) -> Message {
    let title =
        format!("{}: {}", group.cause.trim_end_matches('.'), phrase::count(group.lines.len(), group.kind.noun()));
    let mut blocks = vec![Block::Text(Text::strong(&title))];
    let lines: Vec<Text> = group.lines.iter().take(150).map(|line| rest_line(group.kind, line, today)).collect();
    blocks.extend(lines.chunks(25).map(|part| Block::Bullets(part.to_vec())));
    if group.lines.len() > 150 {
        blocks.push(Block::Context(format!("and {} more", group.lines.len() - 150).into()));
    }
    Message { summary: title, blocks }
}

fn on(day: NaiveDate, today: NaiveDate) -> String {
    match phrase::distance(day, today).as_str() {
        near @ ("today" | "tomorrow") => near.to_owned(),
        _ => format!("on {}", phrase::date(day, today)),
    }
}

fn rest_line(kind: RestKind, line: &RestLine, today: NaiveDate) -> Text {
    let mut text = Text::strong(phrase::cut(&line.name, 80));
    if let Some(amount) = line.amount {
        text = text.then(match kind {
            RestKind::Windows => format!(" · {}", phrase::about(amount)),
            RestKind::Risks | RestKind::Handed | RestKind::Renewals => format!(" · ARR {amount}"),
        });
    }
    if let Some(deadline) = line.deadline {
        text = text.then(format!(" · {}", card::deadline(deadline, today)));
    }
    match &line.settled {
        Some(state) => text.then(format!(" · {}", list::risk_state(state, today))),
        None => text,
    }
}
