//! Purpose: the home page (Slack's App Home, a tab of the demo, a card in
//! Teams): the reader's book by band and change, what waits for them and for
//! others, and a lead's team; in pages, each matter with the buttons that fit.

use chrono::NaiveDate;

use super::card::Card;
use super::lead::{self, TeamView};
use super::list::{HandoffLine, SnoozedLine, handoff_lines, renewal_lines, risk_lines, snoozed_lines, window_lines};
use super::phrase::{self, cut};
use super::view::Angle;
use super::{Block, Button, Buttons, Message, Text};
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::handoff::{RISK_TO_WEIGH, WARNING};

#[derive(Debug, Clone, PartialEq)]
pub struct HomeView {
    pub name: String,
    /// By the reader's roles: which section comes first. Each card has that of its account.
    pub angle: Angle,
    pub book: BookView,
    pub team: Option<TeamView>,
    /// Whether the reader gets morning messages: a viewer looks accounts up.
    pub holds_book: bool,
    /// What waits for the reader: to qualify, to answer.
    pub owed: Vec<Card>,
    /// Not acknowledged first, then a decision to end it, then by expected loss.
    pub risks: Vec<Card>,
    /// By deadline.
    pub renewals: Vec<Card>,
    /// By closing day; what waits for the reader stands in `owed` alone.
    pub windows: Vec<Card>,
    /// What the reader passed on and is not settled.
    pub waiting: Vec<HandoffLine>,
    pub snoozed: Vec<SnoozedLine>,
    /// Date of the latest diagnosis.
    pub diagnosed_on: Option<NaiveDate>,
    /// "Wed 25 Nov at 02:00 (Europe/Berlin)".
    pub next_night: String,
    /// The reader's: "Wed 25 Nov at 08:00 (Europe/Berlin)"; `None` where they get none.
    pub next_morning: Option<String>,
    /// From 1; a page beyond the last is the last.
    pub page: u16,
}

/// How many accounts of the reader are in each band, and which way they moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BookView {
    pub healthy: usize,
    pub watch: usize,
    pub at_risk: usize,
    pub unknown: usize,
    pub worse: usize,
    pub better: usize,
}

impl BookView {
    fn total(self) -> usize {
        self.healthy + self.watch + self.at_risk + self.unknown
    }
}

/// Matters of each section on the first page, which is an overview: with a team's part above it stays under Slack's
/// 100 blocks. The rest follows on the next pages.
const FIRST: usize = 5;
/// Matters a further page. With their buttons two blocks each, far below Slack's 100 blocks and 250 KB.
const PER_PAGE: usize = 20;

/// One matter: its line and what can be done about it.
struct Entry {
    section: &'static str,
    line: Text,
    buttons: Option<Buttons>,
}

pub fn home(view: &HomeView, today: NaiveDate) -> Message {
    let entries = entries(view, today);
    let (first, later) = overview(&entries);
    let pages = 1 + later.len().div_ceil(PER_PAGE);
    let page = usize::from(view.page.max(1)).min(pages);
    let mut blocks = Vec::new();
    let shown: Vec<&Entry> = if page == 1 {
        blocks.extend(head(view, today));
        if entries.is_empty() {
            blocks.push(Block::Text(nothing(view).into()));
        }
        first
    } else {
        blocks.push(Block::Heading(cut(&title(view), 150)));
        later.into_iter().skip((page - 2) * PER_PAGE).take(PER_PAGE).collect()
    };
    for section in shown.chunk_by(|one, next| one.section == next.section) {
        let all = entries.iter().filter(|entry| entry.section == section[0].section).count();
        blocks.extend(matters(section, all));
        if page == 1 && all > section.len() {
            blocks.push(Block::Context(format!("{} more on the next pages.", all - section.len()).into()));
        }
    }
    blocks.extend(foot(page, pages));
    Message { summary: title(view), blocks }
}

/// All of it on end and without a foot, for a chat whose pages are measured by weight: each gets a [`foot`].
pub fn whole(view: &HomeView, today: NaiveDate) -> Message {
    let entries = entries(view, today);
    let mut blocks = head(view, today);
    if entries.is_empty() {
        blocks.push(Block::Text(nothing(view).into()));
    }
    let all: Vec<&Entry> = entries.iter().collect();
    blocks.extend(all.chunk_by(|one, next| one.section == next.section).flat_map(|one| matters(one, one.len())));
    Message { summary: title(view), blocks }
}

/// What every page ends with: which it is, how to turn it, and one's settings.
pub fn foot(page: usize, pages: usize) -> Vec<Block> {
    let mut blocks = vec![Block::Divider];
    if pages > 1 {
        blocks.push(Block::Context(format!("Page {page} of {pages}").into()));
    }
    blocks.push(Block::Buttons(footer(page, pages)));
    blocks
}

/// Matters of one section, which has so many in all.
fn matters(section: &[&Entry], all: usize) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(format!("{} ({all})", section[0].section))];
    for entry in section {
        blocks.push(Block::Text(entry.line.clone()));
        blocks.extend(entry.buttons.clone().map(Block::Buttons));
    }
    blocks
}

/// What stands on the first page, and what follows.
fn overview(entries: &[Entry]) -> (Vec<&Entry>, Vec<&Entry>) {
    let sections = entries.chunk_by(|one, next| one.section == next.section);
    sections.fold((Vec::new(), Vec::new()), |(mut first, mut later), section| {
        let (shown, rest) = section.split_at(section.len().min(FIRST));
        first.extend(shown);
        later.extend(rest);
        (first, later)
    })
}

fn title(view: &HomeView) -> String {
    let (whose, accounts) = (cut(&view.name, 60), view.book.total());
    match &view.team {
        _ if view.holds_book => format!("{whose}'s book: {}", phrase::count(accounts, "account")),
        None if accounts == 0 => format!("{whose}'s page"),
        _ => format!("{whose}'s team: {}", phrase::count(accounts, "account")),
    }
}

fn head(view: &HomeView, today: NaiveDate) -> Vec<Block> {
    let book = view.book;
    let mut blocks = vec![Block::Heading(title(view))];
    if view.diagnosed_on.is_some() && book.total() > 0 {
        let parts = [
            ("At risk", book.at_risk.to_string()),
            ("Watch", book.watch.to_string()),
            ("Healthy", book.healthy.to_string()),
            ("Unknown", book.unknown.to_string()),
            ("Last night", format!("{} worse, {} better", book.worse, book.better)),
        ];
        blocks.push(Block::Facts(parts.map(|(label, said)| (label.to_owned(), said.into())).into()));
    }
    let basis = match view.diagnosed_on {
        Some(day) => {
            let morning = view.next_morning.as_ref().map(|at| format!(" Your next morning message: {at}."));
            let (on, night) = (phrase::date(day, today), &view.next_night);
            format!("Based on the diagnosis of {on}. Next one: {night}.{}", morning.unwrap_or_default())
        }
        None => format!("The first diagnosis: {}.", view.next_night),
    };
    blocks.push(Block::Context(basis.into()));
    if let Some(team) = &view.team {
        blocks.extend(lead::blocks(team, today));
    }
    blocks
}

/// What will come and when, or why nothing does.
fn nothing(view: &HomeView) -> String {
    if view.book.total() == 0 && view.team.is_none() {
        return if view.holds_book {
            "No account is yours yet. Your admin gives you accounts with the next import; they stand here then."
                .to_owned()
        } else {
            "You have no accounts of your own. Look one up with /account and its name.".to_owned()
        };
    }
    if view.diagnosed_on.is_none() {
        return nothing_read(&view.next_night, view.next_morning.as_deref());
    }
    "Nothing is open on your accounts. What a night finds stands here, and in the next morning message.".to_owned()
}

/// Before the first diagnosis, when nothing that is asked has an answer. Both moments as [`HomeView`] has them.
pub fn nothing_read(next_night: &str, next_morning: Option<&str>) -> String {
    let morning = next_morning.map(|at| format!(", and in your first morning message on {at}"));
    format!(
        "Nothing has been read yet. Your accounts are read on {next_night}; what needs you stands here then{}.",
        morning.unwrap_or_default()
    )
}

fn entries(view: &HomeView, today: NaiveDate) -> Vec<Entry> {
    let cards = |section: &'static str, cards: &[Card]| -> Vec<Entry> {
        let entry = |card: &Card| Entry { section, line: line(card, today), buttons: card.buttons(today) };
        cards.iter().map(entry).collect()
    };
    let lines = |section: &'static str, lines: Vec<Text>| -> Vec<Entry> {
        lines.into_iter().map(|line| Entry { section, line, buttons: None }).collect()
    };
    let owed = cards("Waiting for you", &view.owed);
    let risks = cards("At risk", &view.risks);
    let renewals = cards("Renewals", &view.renewals);
    let windows = cards("Expansion windows", &view.windows);
    let first = match view.angle {
        Angle::AccountManager => [owed, renewals, windows, risks],
        Angle::Csm | Angle::Both => [risks, owed, renewals, windows],
    };
    let waiting = lines("Waiting for others", handoff_lines(&view.waiting, today));
    let snoozed = lines("Snoozed", snoozed_lines(&view.snoozed, today));
    first.into_iter().flatten().chain(waiting).chain(snoozed).collect()
}

fn line(card: &Card, today: NaiveDate) -> Text {
    let lines = match card {
        Card::Risk(view) => risk_lines(std::slice::from_ref(view), today),
        Card::Window(view) => window_lines(std::slice::from_ref(view), today),
        Card::Renewal(view) => renewal_lines(std::slice::from_ref(view), today),
        Card::HandedRisk(view) => {
            let what = if view.warning { WARNING } else { RISK_TO_WEIGH };
            let line = HandoffLine {
                account: view.account.name.clone(),
                what: format!("{what}: {}", cut(&view.note, 120)),
                state: view.state.clone(),
            };
            handoff_lines(&[line], today)
        }
    };
    lines.into_iter().next().unwrap_or_default()
}

fn footer(page: usize, pages: usize) -> Buttons {
    let turn = |to: usize, label: &str| {
        let to = u16::try_from(to).unwrap_or(u16::MAX);
        let mut button = Button::new(Action::new(Verb::TurnPage, Subject::Home(to)), "");
        button.label = label.to_owned();
        button.spoken = format!("{label}: page {to} of {pages}");
        button
    };
    let mut shown = Vec::new();
    if page > 1 {
        shown.push(turn(page - 1, "Previous page"));
    }
    if page < pages {
        shown.push(turn(page + 1, "Next page"));
    }
    let here = u16::try_from(page).unwrap_or(u16::MAX);
    let settings = Button::new(Action::new(Verb::Settings, Subject::Home(here)), "of your morning message");
    if shown.len() < 2 {
        shown.push(settings);
        Buttons { shown, more: Vec::new() }
    } else {
        Buttons { shown, more: vec![settings] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::card::sample;
    use super::super::text::to_text;
    use super::*;

    fn view() -> HomeView {
        HomeView {
            name: "Dana".into(),
            angle: Angle::Csm,
            book: BookView { healthy: 30, watch: 8, at_risk: 3, unknown: 1, worse: 2, better: 4 },
            team: None,
            holds_book: true,
            owed: vec![Card::Window(sample::window())],
            risks: vec![Card::Risk(sample::risk())],
            renewals: Vec::new(),
            windows: Vec::new(),
            waiting: Vec::new(),
            snoozed: vec![SnoozedLine {
                account: "Hooli".into(),
                what: "risk".into(),
                by: "you".into(),
                until: sample::day("2026-11-20"),
            }],
            diagnosed_on: Some(sample::today()),
            next_night: "Wed 4 Nov at 02:00 (Europe/Berlin)".into(),
            next_morning: Some("Wed 4 Nov at 08:00 (Europe/Berlin)".into()),
            page: 1,
        }
    }

    #[test]
    fn the_home_page_has_the_book_and_what_can_be_done() {
        insta::assert_snapshot!(to_text(&home(&view(), sample::today()), 120), @"
        Dana's book: 42 accounts
        ========================
        At risk      3
        Watch        8
        Healthy      30
        Unknown      1
        Last night   2 worse, 4 better
          Based on the diagnosis of Tue 3 Nov. Next one: Wed 4 Nov at 02:00 (Europe/Berlin). Your next morning message: Wed 4
          Nov at 08:00 (Europe/Berlin).

        At risk (1)
        ===========

        Acme · health 34, at risk (was 52) · ARR $184k · Active users fell from 80 to 28 in five weeks · not acknowledged ·
        opt-out date Fri 27 Nov, in 24 days
        [Acknowledge] [Set next step] More: [Snooze] [Resolve] [Hand to AM] [Note] [Not useful] [Raise] [Show more]

        Waiting for you (1)
        ===================

        Globex · more seats, about $12k · health 82, healthy · With Dana until Fri 6 Nov · open until Fri 29 Jan 2027
        [Qualify] [Pass] More: [Note] [Not useful] [Raise] [Show more]

        Snoozed (1)
        ===========

        Hooli · risk · wakes Fri 20 Nov, in 17 days · by you

        ----------------------------------------
        [Settings]
        ");
    }

    #[test]
    fn an_empty_page_says_what_will_come_and_when() {
        let mut empty = HomeView { owed: Vec::new(), risks: Vec::new(), snoozed: Vec::new(), ..view() };
        let said = |view: &HomeView| nothing(view);
        assert_eq!(
            said(&empty),
            "Nothing is open on your accounts. What a night finds stands here, and in the next morning message."
        );
        empty.diagnosed_on = None;
        assert_eq!(
            said(&empty),
            "Nothing has been read yet. Your accounts are read on Wed 4 Nov at 02:00 (Europe/Berlin); what needs you \
             stands here then, and in your first morning message on Wed 4 Nov at 08:00 (Europe/Berlin)."
        );
        empty.book = BookView::default();
        assert!(said(&empty).starts_with("No account is yours yet."));
        empty.holds_book = false;
        assert!(said(&empty).contains("/account"));
        // Whoever only looks gets no mornings.
        let looks = HomeView { diagnosed_on: Some(sample::today()), next_morning: None, ..empty };
        let page = to_text(&home(&looks, sample::today()), 120);
        assert!(page.starts_with("Dana's page\n") && !page.contains("morning message"), "{page}");
    }

    #[test]
    fn all_of_it_on_end_says_what_the_pages_say() {
        let long = |page| HomeView { risks: vec![Card::Risk(sample::risk()); 40], page, ..view() };
        let all = whole(&long(1), sample::today());
        let matters = |message: &Message| message.blocks.iter().filter(|block| matches!(block, Block::Text(_))).count();
        let paged: usize = (1..=3).map(|page| matters(&home(&long(page), sample::today()))).sum();
        assert_eq!(matters(&all), paged);
        assert_eq!(foot(1, 1).len(), 2, "one page has no number");
    }

    #[test]
    fn long_books_are_turned_page_by_page() {
        let long = |page| HomeView { risks: vec![Card::Risk(sample::risk()); 40], page, ..view() };
        let labels = |message: &Message| -> Vec<String> {
            let turns = message.buttons().filter(|button| button.action.verb == Verb::TurnPage);
            turns.map(|button| format!("{} → {}", button.spoken, button.action.subject)).collect()
        };
        let pages: Vec<Message> = (1..=4).map(|page| home(&long(page), sample::today())).collect();
        assert_eq!(labels(&pages[0]), ["Next page: page 2 of 3 → home:2"]);
        assert_eq!(labels(&pages[1]), ["Previous page: page 1 of 3 → home:1", "Next page: page 3 of 3 → home:3"]);
        assert_eq!(labels(&pages[2]), ["Previous page: page 2 of 3 → home:2"]);
        assert_eq!(pages[2], pages[3], "beyond the last is the last");
        let said = to_text(&pages[0], 120);
        assert!(said.contains("At risk (40)") && said.contains("35 more on the next pages."), "{said}");
        let matters: usize = pages[..3]
            .iter()
            .map(|page| page.blocks.iter().filter(|block| matches!(block, Block::Text(_))).count())
            .sum();
        assert_eq!(matters, 42, "each once");
        assert!(pages.iter().all(|page| page.blocks.len() < 60));
    }
}
