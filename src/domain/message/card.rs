//! Cards: one matter of one account, with its state and what can be done about
//! it. Both sides of a pair read the same card; what comes first differs, by the side from which the reader reads that
//! account.

mod handed;
mod renewal;
mod risk;
mod window;

#[cfg(test)]
pub(super) mod sample;

use chrono::NaiveDate;

pub(super) use self::handed::line as handed_line;
pub(super) use self::renewal::{next_date as renewal_date, state as renewal_state};
pub(super) use self::window::{handoff_state, title as window_title};

use super::view::{
    AccountView, Angle, Deadline, HandedRiskView, NoteView, RenewalView, RiskState, RiskView, Why, WindowLine,
    WindowView, Withheld,
};
use super::{Block, Button, Buttons, Message, Text, phrase};
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::diagnosis::{Band, Cause};

/// One card of a digest, or a message of its own.
#[derive(Debug, Clone, PartialEq)]
pub enum Card {
    Risk(RiskView),
    Window(WindowView),
    Renewal(RenewalView),
    HandedRisk(HandedRiskView),
}

/// All that a reader has open on one account, as one card: what leads it, and the rest beneath.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountCard {
    pub lead: Card,
    others: Vec<Card>,
}

impl From<Card> for AccountCard {
    fn from(lead: Card) -> Self {
        Self { lead, others: Vec::new() }
    }
}

impl AccountCard {
    /// What a matter beneath says itself, the lead does not say in passing.
    pub fn new(mut lead: Card, mut others: Vec<Card>) -> Self {
        if std::iter::once(&lead).chain(&others).any(|card| matches!(card, Card::Risk(_))) {
            for card in std::iter::once(&mut lead).chain(&mut others) {
                if let Card::Window(WindowView { withheld: Some(held), .. }) = card {
                    held.cause.clear();
                }
            }
        }
        let below = |kind: fn(&Card) -> bool| others.iter().any(kind);
        let own_window = |line: &WindowLine| {
            others.iter().any(|other| matches!(other, Card::Window(view) if view.handoff == line.handoff))
        };
        let has_risk = below(|card| matches!(card, Card::Risk(_)));
        match &mut lead {
            Card::Risk(view) => {
                view.windows.retain(|line| !own_window(line));
                if below(|card| matches!(card, Card::Renewal(_))) {
                    view.deadline = None;
                }
                if below(|card| matches!(card, Card::HandedRisk(_))) {
                    view.handed = None;
                }
            }
            Card::Renewal(view) => {
                view.windows.retain(|line| !own_window(line));
                if has_risk {
                    (view.account.risk, view.causes) = (None, Vec::new());
                }
            }
            Card::Window(view) if has_risk => (view.account.risk, view.causes) = (None, Vec::new()),
            Card::HandedRisk(view) if has_risk => view.causes = Vec::new(),
            Card::Window(_) | Card::HandedRisk(_) => {}
        }
        Self { lead, others }
    }

    /// Of the account: the head with its small print and buttons, then each matter with its own.
    pub fn blocks(&self, today: NaiveDate) -> Vec<Block> {
        let mut blocks = blocks(&self.lead, today);
        for other in &self.others {
            let (lines, mut buttons) = match other {
                Card::Risk(view) => risk::beneath(view, today),
                Card::Window(view) => window::beneath(view, today),
                Card::Renewal(view) => renewal::beneath(view, today),
                Card::HandedRisk(view) => handed::beneath(view, today),
            };
            // What is about the account stands with the lead already.
            for row in [&mut buttons.shown, &mut buttons.more] {
                row.retain(|button| !matches!(button.action.subject, Subject::Account(_)));
            }
            if buttons.shown.is_empty() {
                buttons.shown = std::mem::take(&mut buttons.more);
                buttons.more = buttons.shown.split_off(buttons.shown.len().min(2));
            }
            blocks.extend(assemble(lines, Vec::new(), buttons));
        }
        blocks
    }

    /// As a message of its own: a decision signal's ping, a handoff's offer.
    pub fn message(&self, today: NaiveDate) -> Message {
        Message { blocks: self.blocks(today), ..message(&self.lead, today) }
    }
}

impl Card {
    pub fn account(&self) -> &AccountView {
        match self {
            Card::Risk(view) => &view.account,
            Card::Window(view) => &view.account,
            Card::Renewal(view) => &view.account,
            Card::HandedRisk(view) => &view.account,
        }
    }

    /// What can be done about it.
    pub fn buttons(&self, today: NaiveDate) -> Option<Buttons> {
        blocks(self, today).into_iter().find_map(|block| match block {
            Block::Buttons(buttons) => Some(buttons),
            _ => None,
        })
    }
}

/// The card as at most three blocks: what it says, small print, buttons.
pub fn blocks(card: &Card, today: NaiveDate) -> Vec<Block> {
    match card {
        Card::Risk(view) => risk::blocks(view, today),
        Card::Window(view) => window::blocks(view, today),
        Card::Renewal(view) => renewal::blocks(view, today),
        Card::HandedRisk(view) => handed::blocks(view, today),
    }
}

/// The card as a message of its own: a decision signal's ping, a handoff's offer, a shared card.
pub fn message(card: &Card, today: NaiveDate) -> Message {
    let summary = match card {
        Card::Risk(view) => risk::summary(view),
        Card::Window(view) => window::summary(view, today),
        Card::Renewal(view) => renewal::summary(view, today),
        Card::HandedRisk(view) => handed::summary(view, today),
    };
    Message { summary, blocks: blocks(card, today) }
}

/// To whoever has had something in hand for a while.
const STILL_ON_IT: &str = "Still on it? Acknowledge says yes.";

/// What is done about the account's risk, for who reads of its money.
fn doing(account: &AccountView, today: NaiveDate) -> Option<String> {
    let on = |day: &NaiveDate| phrase::date(*day, today);
    Some(match account.risk.as_ref()? {
        RiskState::Open => "At risk, and not acknowledged yet.".to_owned(),
        RiskState::Acknowledged { by, step: Some(step), due, .. } => {
            let step = phrase::cut(step, 200);
            format!("At risk, in hand with {by}: {}, due {}.", step.trim_end_matches('.'), on(due))
        }
        RiskState::Acknowledged { by, due, .. } => format!("At risk, in hand with {by}; next step due {}.", on(due)),
        RiskState::Snoozed { by, until, .. } => format!("At risk, snoozed by {by} until {}.", on(until)),
        RiskState::Resolved { .. } | RiskState::Ended { .. } => return None,
    })
}

/// Assembles a card: lines above, small print below, then the buttons that are there.
fn assemble(lines: Vec<Text>, small: Vec<String>, buttons: Buttons) -> Vec<Block> {
    let mut text = Text::new();
    for (at, line) in lines.into_iter().filter(|line| !line.is_empty()).enumerate() {
        text = if at == 0 { line } else { text.then("\n").append(line) };
    }
    let mut blocks = vec![Block::Text(text)];
    let small: Vec<String> = small.into_iter().filter(|part| !part.is_empty()).collect();
    if !small.is_empty() {
        blocks.push(Block::Context(phrase::capital(&small.join(" · ")).into()));
    }
    if !buttons.shown.is_empty() || !buttons.more.is_empty() {
        blocks.push(Block::Buttons(buttons));
    }
    blocks
}

/// The account's name, leading to the CRM where its address is known.
pub(super) fn name(account: &AccountView) -> Text {
    match &account.url {
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
            Text::new().then_link(&account.name, url)
        }
        _ => Text::strong(&account.name),
    }
}

/// "health 34, at risk (was 52)".
pub(super) fn health(account: &AccountView) -> String {
    match (account.health, account.band) {
        (None, Band::Unknown) if account.diagnosis.is_none() => "not diagnosed yet".to_owned(),
        (None, Band::Unknown) => "health unknown: too little data".to_owned(),
        (None, band) => band.label().to_owned(),
        (Some(health), band) => {
            let was = match account.previous_health {
                Some(previous) if previous != health => format!(" (was {previous})"),
                _ => String::new(),
            };
            format!("health {health}, {}{was}", band.label())
        }
    }
}

pub(super) fn arr(account: &AccountView) -> String {
    account.arr.map(|arr| format!("ARR {arr}")).unwrap_or_default()
}

/// By which two who read of an account can see that they read the same diagnosis: "diagnosis 7F3A-9C01".
pub(super) fn diagnosis(account: &AccountView) -> String {
    account.diagnosis.map(|id| format!("diagnosis {}", phrase::short_id(id))).unwrap_or_default()
}

/// "Acme · health 34, at risk (was 52) · ARR $184k".
fn head(account: &AccountView, parts: &[String]) -> Text {
    parts.iter().filter(|part| !part.is_empty()).fold(name(account), |head, part| head.then(format!(" · {part}")))
}

/// "opt-out date Fri 27 Nov, in 12 days".
pub(super) fn deadline(deadline: Deadline, today: NaiveDate) -> String {
    format!("{} {}", deadline.kind.label(), phrase::date_and_distance(deadline.on, today))
}

/// Without a cause where the card says it of the risk already.
pub(super) fn withheld(withheld: &Withheld, today: NaiveDate) -> String {
    let since = phrase::date(withheld.since, today);
    let cause = withheld.cause.trim_end_matches('.');
    match (&withheld.handled_by, &withheld.with) {
        _ if cause.is_empty() => "Withheld while the account is at risk.".to_owned(),
        (Some(who), _) => format!("Withheld: {cause}. Handled by {who} since {since}."),
        (None, Some(who)) => format!("Withheld since {since}: {cause}. With {who}, not acknowledged yet."),
        (None, None) => format!("Withheld: {cause}, since {since}. Nobody handles it yet."),
    }
}

/// What the customer asked for is never withheld; it carries this. Empty where the card says it of the risk already.
fn warning(withheld: &Withheld, today: NaiveDate) -> String {
    let since = phrase::date(withheld.since, today);
    let cause = withheld.cause.trim_end_matches('.');
    match (&withheld.handled_by, &withheld.with) {
        _ if cause.is_empty() => String::new(),
        (Some(who), _) => {
            format!("Careful, the account is at risk: {cause}. Handled by {who} since {since}. Speak first.")
        }
        (None, Some(who)) => format!(
            "Careful, the account is at risk since {since}: {cause}. With {who}, not acknowledged yet. Speak first."
        ),
        (None, None) => format!("Careful, the account is at risk since {since}: {cause}. Nobody handles it yet."),
    }
}

/// An amount, saying "about" where it is an estimate; empty where it is not known.
pub(super) fn amount(amount: Option<crate::domain::money::Money>, estimated: bool) -> String {
    match amount {
        Some(amount) if estimated => phrase::about(amount),
        Some(amount) => amount.to_string(),
        None => String::new(),
    }
}

/// "more seats, about $12k, with Kim".
pub(super) fn window_line(line: &WindowLine) -> String {
    let mut parts = vec![line.kind.label().to_owned()];
    parts.extend(Some(amount(line.amount, line.estimated)).filter(|amount| !amount.is_empty()));
    match (&line.withheld, &line.holder) {
        (Some(_), _) => parts.push("withheld".to_owned()),
        (None, Some(holder)) => parts.push(format!("with {holder}")),
        (None, None) => {}
    }
    if line.co_term {
        parts.push("with the renewal".to_owned());
    }
    parts.join(", ")
}

fn window_lines(lines: &[WindowLine]) -> String {
    let said: Vec<String> = lines.iter().map(window_line).collect();
    match said.as_slice() {
        [] => String::new(),
        [one] => format!("Open window: {one}."),
        many => format!("Open windows: {}.", many.join("; ")),
    }
}

/// The one thing to do: the first cause's action for this role.
fn play(causes: &[Cause], angle: Angle) -> Vec<Text> {
    let Some(first) = causes.first() else { return Vec::new() };
    let line = |who: &str, what: &str| {
        if what.is_empty() { Text::new() } else { Text::strong(who).then(format!(" {}", phrase::sentence(what))) }
    };
    match angle {
        Angle::Csm => vec![line("This week:", &first.actions.csm)],
        Angle::AccountManager => vec![line("This week:", &first.actions.account_manager)],
        Angle::Both => {
            vec![line("As CSM:", &first.actions.csm), line("As AM:", &first.actions.account_manager)]
        }
    }
}

/// How many further causes a card names; the account's own answer has them all.
const ALSO: usize = 3;

/// "Also: invoice 65 days late; NPS 4; and 2 more."
fn also(causes: &[Cause]) -> String {
    let others: Vec<&str> = causes.iter().skip(1).map(|cause| cause.headline.trim_end_matches('.')).collect();
    match others.len() {
        0 => String::new(),
        n if n > ALSO => format!("Also: {}; and {} more.", others[..ALSO].join("; "), n - ALSO),
        _ => format!("Also: {}.", others.join("; ")),
    }
}

fn why(why: &Why) -> String {
    match why {
        Why::New => "New".to_owned(),
        Why::Worse => "Got worse".to_owned(),
        Why::Decision => "Urgent".to_owned(),
        Why::NextStepDue => "Your next step is due".to_owned(),
        Why::LadderStep(days) => format!("Step: {days} days before the deadline"),
        Why::Unacknowledged(days) => {
            format!("Waiting for {}", phrase::count(usize::from(*days), "working day"))
        }
        Why::Woken => "Back on your list".to_owned(),
        Why::Offered => "Given to you".to_owned(),
        Why::Asked => String::new(),
    }
}

/// "Sponsor leaves in January, raised by Dana": a risk that no rule had seen.
pub(super) fn raised(raised: &NoteView) -> String {
    format!("{}, raised by {}", phrase::cut(&raised.text, 120).trim_end_matches('.'), raised.by)
}

pub(super) fn note_line(lead: &str, note: &NoteView, today: NaiveDate) -> String {
    format!(
        "{lead} ({}, {}): {}",
        note.by,
        phrase::date(note.on, today),
        phrase::sentence(&phrase::cut(&note.text, 200))
    )
}

/// Makes the buttons of one card: the label is spoken with the account's name.
struct Keys<'a> {
    account: &'a AccountView,
    subject: Subject,
}

impl Keys<'_> {
    fn button(&self, verb: Verb) -> Button {
        let subject = match verb {
            Verb::Note | Verb::Raise | Verb::ShowMore | Verb::Share => Subject::Account(self.account.id.clone()),
            _ => self.subject.clone(),
        };
        Button::new(Action::new(verb, subject), &self.account.name)
    }

    /// Two on the card, the first of them emphasised where `primary`; the rest under *More*.
    fn row(&self, primary: bool, shown: &[Verb], more: &[Verb]) -> Buttons {
        let mut shown: Vec<Button> = shown.iter().map(|verb| self.button(*verb)).collect();
        if primary && let Some(first) = shown.first_mut() {
            first.emphasis = super::Emphasis::Primary;
        }
        Buttons { shown, more: more.iter().map(|verb| self.button(*verb)).collect() }
    }

    /// For those who may look and not act.
    fn look_only(&self) -> Buttons {
        self.row(false, &[Verb::ShowMore], &[])
    }
}

#[cfg(test)]
mod tests;
