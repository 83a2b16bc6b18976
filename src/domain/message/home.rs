//! Purpose: the home page (Slack's App Home, a card in Teams): the reader's book
//! by band and change, their matters, and their team.

use chrono::NaiveDate;

use super::lead::{self, TeamView};
use super::list::{HandoffLine, body, handoff_lines, renewal_lines, risk_lines, window_lines};
use super::phrase::{self, cut};
use super::view::{Angle, RenewalView, RiskView, WindowView};
use super::{Block, Message};

/// Slack's App Home, Teams' card: the reader's book, matters and team.
#[derive(Debug, Clone, PartialEq)]
pub struct HomeView {
    pub name: String,
    pub angle: Angle,
    pub book: BookView,
    pub risks: Vec<RiskView>,
    pub windows: Vec<WindowView>,
    pub renewals: Vec<RenewalView>,
    pub handoffs: Vec<HandoffLine>,
    pub team: Option<TeamView>,
    /// Date of the latest diagnosis.
    pub diagnosed_on: Option<NaiveDate>,
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

pub fn home(view: &HomeView, today: NaiveDate) -> Message {
    let book = view.book;
    let total = book.healthy + book.watch + book.at_risk + book.unknown;
    let mut blocks =
        vec![Block::Heading(format!("{}'s book: {}", cut(&view.name, 60), phrase::count(total, "account")))];
    blocks.push(Block::Facts(vec![
        ("At risk".to_owned(), book.at_risk.to_string().into()),
        ("Watch".to_owned(), book.watch.to_string().into()),
        ("Healthy".to_owned(), book.healthy.to_string().into()),
        ("Unknown".to_owned(), book.unknown.to_string().into()),
        ("Last night".to_owned(), format!("{} worse, {} better", book.worse, book.better).into()),
    ]));
    if let Some(team) = &view.team {
        blocks.extend(lead::blocks(team, today));
    }
    let risks = ("My risks", risk_lines(&view.risks, today), "No account of yours is at risk.");
    let windows = ("My windows", window_lines(&view.windows, today), "No expansion window is open.");
    let renewals = ("My renewals", renewal_lines(&view.renewals, today), "No renewal is due in the next 180 days.");
    let handoffs = ("My handoffs", handoff_lines(&view.handoffs, today), "No handoff is open.");
    let sections = match view.angle {
        Angle::Csm => vec![risks, handoffs],
        Angle::AccountManager => vec![windows, renewals, handoffs],
        Angle::Both => vec![risks, windows, renewals, handoffs],
    };
    for (title, lines, empty) in sections {
        blocks.push(Block::Heading(title.to_owned()));
        blocks.extend(if lines.is_empty() { vec![Block::Text(empty.into())] } else { body(lines) });
    }
    let basis = match view.diagnosed_on {
        Some(day) => format!("Based on the diagnosis of {}.", phrase::date(day, today)),
        None => "No diagnosis yet: the first one runs tonight.".to_owned(),
    };
    blocks.push(Block::Context(basis.into()));
    Message { summary: "Tandem: your book".to_owned(), blocks }
}

#[cfg(test)]
mod tests {
    use super::super::card::sample;
    use super::super::text::to_text;
    use super::*;

    #[test]
    fn the_home_page_has_the_book_and_no_empty_part() {
        let view = HomeView {
            name: "Dana".into(),
            angle: Angle::Both,
            book: BookView { healthy: 30, watch: 8, at_risk: 3, unknown: 1, worse: 2, better: 4 },
            risks: vec![sample::risk()],
            windows: vec![sample::window()],
            renewals: Vec::new(),
            handoffs: Vec::new(),
            team: None,
            diagnosed_on: Some(sample::today()),
        };
        insta::assert_snapshot!(to_text(&home(&view, sample::today()), 120), @"
        Dana's book: 42 accounts
        ========================
        At risk      3
        Watch        8
        Healthy      30
        Unknown      1
        Last night   2 worse, 4 better

        My risks
        ========
        - Acme · health 34, at risk (was 52) · ARR $184k · Active users fell from 80 to 28 in five weeks · not acknowledged ·
          opt-out date Fri 27 Nov, in 24 days
          All about one: /account NAME

        My windows
        ==========
        - Globex · more seats, about $12k · health 82, healthy · With Dana until Fri 6 Nov · open until Fri 29 Jan 2027
          All about one: /account NAME

        My renewals
        ===========

        No renewal is due in the next 180 days.

        My handoffs
        ===========

        No handoff is open.
          Based on the diagnosis of Tue 3 Nov.
        ");
    }
}
