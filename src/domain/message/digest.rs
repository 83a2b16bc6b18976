//! Purpose: the morning message of one person: what it rests on, the cards of
//! the day, the grouped rest, and how old each source is.

mod rest;
mod withheld;

use chrono::NaiveDate;
use uuid::Uuid;

pub use self::rest::{RestGroup, RestKind, RestLine, WHOLE, whole_group};
pub use self::withheld::WithheldLine;
use super::card::{self, AccountCard};
use super::gaps::{self, GapsView};
use super::lead::{self, TeamView};
use super::view::{Angle, Deadline};
use super::{Block, Message, phrase};
use crate::domain::money::Money;
use crate::domain::signal::Source;

#[derive(Debug, Clone, PartialEq)]
pub struct DigestView {
    pub digest: Uuid,
    /// First name of the reader.
    pub name: String,
    /// The reader's own date.
    pub date: NaiveDate,
    /// By the reader's roles: what the notification line begins with. Each card has that of its account.
    pub angle: Angle,
    /// `None` before the organisation's first diagnosis.
    pub basis: Option<Basis>,
    pub totals: Totals,
    /// The worst news of the day, short: "Acme served notice".
    pub news: Option<String>,
    /// On the first morning after an organisation's first diagnosis: how many accounts it read.
    pub first_read: Option<usize>,
    pub sections: Vec<Section>,
    /// Accounts whose card stands in a newer message since, and the day of that.
    pub moved: Vec<(String, NaiveDate)>,
    pub rest: Vec<RestGroup>,
    /// What the health gate keeps from the AM: said in a line, never as a card.
    pub withheld: Vec<WithheldLine>,
    pub sources: Vec<SourceAge>,
    /// Once a week for leads and admins.
    pub gaps: Option<GapsView>,
    /// For those who lead people.
    pub team: Option<TeamView>,
}

/// What the message rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    pub diagnosed_on: NaiveDate,
    /// The latest night, which the numbers are read from whenever the message is drawn.
    pub read_on: NaiveDate,
    pub hours_old: u32,
    /// The message comes later than the reader's hour.
    pub delayed: bool,
}

/// A diagnosis older than this, in hours, is marked (product.md; architecture.md, invariant 6).
pub const STALE_AFTER_HOURS: u32 = 36;

/// The whole book of the reader, not only what is shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals {
    pub accounts: usize,
    pub at_risk: usize,
    /// Of those, the ones that somebody has acknowledged; `None` where that is not known.
    pub in_hand: Option<usize>,
    /// Accounts at risk beside those: somebody else's to work, and set aside by whoever answers for them.
    pub with_others: usize,
    pub set_aside: usize,
    /// One sum a currency.
    pub arr_at_risk: Vec<Money>,
    pub windows: usize,
    /// Estimates; one sum a currency.
    pub window_amount: Vec<Money>,
    /// Renewals on a step of their ladder.
    pub renewals: usize,
    /// The nearest deadline: account and date.
    pub next: Option<(String, Deadline)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Of what leads the cards.
    pub kind: SectionKind,
    /// One an account.
    pub cards: Vec<AccountCard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectionKind {
    /// Offered or handed to the reader.
    Answer,
    AtRisk,
    Qualify,
    Windows,
    Renewals,
}

impl SectionKind {
    pub fn title(self) -> &'static str {
        match self {
            SectionKind::Answer => "Waiting for your answer",
            SectionKind::AtRisk => "At risk",
            SectionKind::Qualify => "Windows to qualify",
            SectionKind::Windows => "Expansion windows",
            SectionKind::Renewals => "Renewals",
        }
    }
}

/// When a source last delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceAge {
    pub source: Source,
    pub last: Option<NaiveDate>,
    /// By its own rhythm.
    pub late: bool,
    /// It usually delivers every so many days, where that is known.
    pub every: Option<u16>,
}

impl SourceAge {
    /// "6 days ago (late: usually every day)".
    pub fn said(&self, today: NaiveDate) -> String {
        let when = self.last.map_or("nothing yet".to_owned(), |last| phrase::distance(last, today));
        let late = match (self.late, self.every) {
            (false, _) => String::new(),
            (true, None) => " (late)".to_owned(),
            (true, Some(0 | 1)) => " (late: usually every day)".to_owned(),
            (true, Some(days)) => format!(" (late: usually every {days} days)"),
        };
        format!("{when}{late}")
    }
}

/// The morning message.
pub fn message(view: &DigestView) -> Message {
    let mut blocks = vec![greeting(&view.name, view.date)];
    blocks.push(Block::Context(basis(view).into()));
    if let Some(read) = view.first_read {
        blocks.push(Block::Text(first_day(view, read).into()));
    }
    if let Some(team) = &view.team {
        blocks.extend(lead::blocks(team, view.date));
    }
    if let Some(gaps) = &view.gaps {
        blocks.extend(gaps::blocks(gaps));
    }
    for section in view.sections.iter().filter(|section| !section.cards.is_empty()) {
        blocks.push(Block::Heading(format!("{} ({})", section.kind.title(), section.cards.len())));
        for (at, card) in section.cards.iter().enumerate() {
            if at > 0 {
                blocks.push(Block::Divider);
            }
            blocks.extend(card.blocks(view.date));
        }
    }
    blocks.extend(moved(view).map(|said| Block::Context(said.into())));
    if quiet(view) && holds_book(view) {
        if view.team.is_some() || view.gaps.is_some() {
            blocks.push(Block::Heading("Your own accounts".to_owned()));
        }
        blocks.push(Block::Text(nothing(view).into()));
    }
    let groups: Vec<&RestGroup> = view.rest.iter().filter(|group| !group.lines.is_empty()).collect();
    if !groups.is_empty() {
        let lines = groups.iter().map(|group| group.lines.len()).sum::<usize>();
        blocks.push(Block::Heading(format!("Also on your list ({lines})")));
        blocks.extend(rest::returning(&groups));
        blocks.extend(rest::whole(view.digest, &groups));
        blocks.extend(groups.iter().flat_map(|group| rest::blocks(view.digest, group, view.date)));
    }
    blocks.extend(withheld::blocks(&view.withheld, view.date));
    let ages = ages(&view.sources, view.date);
    if !ages.is_empty() {
        blocks.push(Block::Context(format!("Last data: {ages}").into()));
    }
    Message { summary: summary(view), blocks }
}

pub(super) fn greeting(name: &str, today: NaiveDate) -> Block {
    Block::Heading(format!("Good morning, {} · {}", phrase::cut(name, 60), today.format("%A %-d %B %Y")))
}

/// The notification line.
fn summary(view: &DigestView) -> String {
    let totals = &view.totals;
    let mut parts = Vec::new();
    if let Some(team) = &view.team {
        parts.push(lead::summary(team));
    }
    if !holds_book(view) {
        // The team's numbers are the whole news of somebody without accounts.
    } else if quiet(view) && view.news.is_none() {
        parts.push("Nothing needs you today".to_owned());
    } else {
        if totals.at_risk > 0 {
            let sum = phrase::amounts(&totals.arr_at_risk).map(|sum| format!(", {sum}")).unwrap_or_default();
            parts.push(format!("{} at risk{sum}", totals.at_risk));
        }
        if totals.windows > 0 {
            let sum = phrase::amounts(&totals.window_amount).map(|sum| format!(", about {sum}")).unwrap_or_default();
            parts.push(format!("{}{sum}", phrase::count(totals.windows, "window")));
        }
        if totals.renewals > 0 && view.angle != Angle::Csm {
            parts.push(phrase::count(totals.renewals, "renewal"));
        }
        if parts.is_empty() {
            let cards = view.sections.iter().map(|section| section.cards.len()).sum::<usize>();
            parts.push(format!("{} for you today", phrase::count(cards, "card")));
        }
    }
    // The angle decides which half comes first.
    if view.angle == Angle::AccountManager
        && totals.at_risk > 0
        && totals.windows > 0
        && view.team.is_none()
        && !quiet(view)
    {
        parts.rotate_left(1);
    }
    parts.extend(view.news.as_deref().map(|news| phrase::cut(news, 120)));
    phrase::capital(&parts.join("; "))
}

fn quiet(view: &DigestView) -> bool {
    view.sections.iter().all(|section| section.cards.is_empty())
        && view.moved.is_empty()
        && view.rest.iter().all(|group| group.lines.is_empty())
}

/// "In newer messages now: Acme (Wed 4 Nov) and Globex (today)."
fn moved(view: &DigestView) -> Option<String> {
    let named: Vec<String> =
        view.moved.iter().map(|(name, on)| format!("{name} ({})", phrase::date(*on, view.date))).collect();
    (!named.is_empty()).then(|| format!("In newer messages now: {}.", phrase::and(&named)))
}

/// A lead without accounts has no book of their own to report on.
fn holds_book(view: &DigestView) -> bool {
    view.totals.accounts > 0 || !quiet(view) || view.team.is_none()
}

fn basis(view: &DigestView) -> String {
    let Some(basis) = view.basis else { return "No diagnosis yet: the first one runs tonight.".to_owned() };
    let on = |day| phrase::date(day, view.date);
    let mut out = format!("Based on the diagnosis of {}.", on(basis.diagnosed_on));
    if basis.read_on > basis.diagnosed_on {
        out.push_str(&format!(" Its numbers are those of {} now.", on(basis.read_on)));
    }
    if basis.hours_old > STALE_AFTER_HOURS {
        out.push_str(&format!(" It is {} hours old: newer facts are not in it.", basis.hours_old));
    }
    if basis.delayed {
        out.push_str(" This message is late today.");
    }
    out
}

fn first_day(view: &DigestView, read: usize) -> String {
    let cards = view.sections.iter().map(|section| section.cards.len()).sum::<usize>();
    if view.rest.iter().all(|group| group.lines.is_empty()) && cards > 0 {
        let need = if cards == 1 { "1 needs".to_owned() } else { format!("{cards} need") };
        return format!(
            "First read of {}: {need} you today. Nothing counts as late before you saw it.",
            phrase::count(read, "account")
        );
    }
    let shown = match cards {
        0 => return format!("First read of {}.", phrase::count(read, "account")),
        1 => "the card that matters most today".to_owned(),
        many => format!("the {many} cards that matter most today"),
    };
    format!(
        "First read of {}: {shown}. The rest follows as you work through it. Nothing counts as late before you saw it.",
        phrase::count(read, "account")
    )
}

fn nothing(view: &DigestView) -> String {
    let totals = &view.totals;
    if view.basis.is_none() {
        return "Nothing to show yet. Your first cards come after the first diagnosis.".to_owned();
    }
    if totals.accounts == 0 {
        return "Nothing needs you today. No account is in your name yet; your admin can import them.".to_owned();
    }
    let accounts = phrase::count(totals.accounts, "account");
    let mut out = match (totals.at_risk, others_at_risk(totals)) {
        (0, None) => format!("Nothing needs you today. {accounts}, none at risk."),
        (0, Some(others)) => format!("Nothing needs you today. {accounts}, {others}."),
        (at_risk, others) => {
            let others = others.map(|others| format!("; beside them {others}")).unwrap_or_default();
            format!("Nothing new needs you today. {accounts}, {}{others}.", at_risk_of(at_risk, totals.in_hand))
        }
    };
    if let Some((name, deadline)) = &totals.next {
        out.push_str(&format!(" Next: {name}, {}.", card::deadline(*deadline, view.date)));
    }
    out
}

/// "1 at risk, in other hands", "3 at risk: 2 in other hands, 1 set aside": not the reader's to work today.
fn others_at_risk(totals: &Totals) -> Option<String> {
    match (totals.with_others, totals.set_aside) {
        (0, 0) => None,
        (n, 0) => Some(format!("{n} at risk, in other hands")),
        (0, n) => Some(format!("{n} at risk, set aside")),
        (n, aside) => Some(format!("{} at risk: {n} in other hands, {aside} set aside", n + aside)),
    }
}

/// "6 at risk: 4 in hand, 2 not acknowledged yet".
fn at_risk_of(at_risk: usize, in_hand: Option<usize>) -> String {
    match in_hand {
        None => format!("{at_risk} at risk"),
        Some(0) => format!("{at_risk} at risk, not acknowledged yet"),
        Some(all) if all >= at_risk => format!("{at_risk} at risk and in hand"),
        Some(some) => format!("{at_risk} at risk: {some} in hand, {} not acknowledged yet", at_risk - some),
    }
}

/// "usage: yesterday · crm: 3 days ago · billing: 41 days ago (late: usually every 7 days)".
pub fn ages(sources: &[SourceAge], today: NaiveDate) -> String {
    let said: Vec<String> = sources.iter().map(|age| format!("{}: {}", age.source, age.said(today))).collect();
    said.join(" · ")
}

#[cfg(test)]
mod tests;
