//! Purpose: the answers to `/tandem risks`, `windows`, `renewals`, `handoffs`,
//! `snoozed` and `voice`: one line each, never an empty page.

use chrono::NaiveDate;

use super::card;
use super::phrase::{self, cut};
use super::view::{HandoffState, RenewalState, RenewalView, RiskState, RiskView, WindowView};
use super::{Block, Message, Text};
use crate::domain::handoff::Matter;

/// More lines than these no longer fit a message.
const LINES: usize = 25;

fn list(title: &str, lines: Vec<Text>, empty: &str) -> Message {
    if lines.is_empty() {
        return Message::sentence(empty);
    }
    let summary = format!("{title} ({})", lines.len());
    Message { blocks: [vec![Block::Heading(summary.clone())], body(lines)].concat(), summary }
}

pub(super) fn body(mut lines: Vec<Text>) -> Vec<Block> {
    let left = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    let more = if left > 0 { format!("and {left} more. ") } else { String::new() };
    vec![
        Block::Bullets(lines),
        Block::Context(Text::plain(format!("{more}All about one: ")).then_code("/account NAME")),
    ]
}

/// The views in the order of expected loss.
pub fn risks(views: &[RiskView], today: NaiveDate) -> Message {
    list("At risk", risk_lines(views, today), "No account of yours is at risk.")
}

pub(super) fn risk_lines(views: &[RiskView], today: NaiveDate) -> Vec<Text> {
    views
        .iter()
        .map(|view| {
            let mut parts = vec![card::health(&view.account), card::arr(&view.account)];
            parts.extend(view.raised.as_ref().map(card::raised));
            parts.extend(view.causes.first().map(|cause| cut(cause.headline.trim_end_matches('.'), 120)));
            parts.push(risk_state(&view.state, today));
            parts.extend(view.deadline.map(|deadline| card::deadline(deadline, today)));
            line(&view.account.name, parts)
        })
        .collect()
}

pub(super) fn risk_state(state: &RiskState, today: NaiveDate) -> String {
    match state {
        RiskState::Open => "not acknowledged".to_owned(),
        RiskState::Acknowledged { by, step, due, .. } => {
            let step = step.as_ref().map_or("next step not set".to_owned(), |step| cut(step.trim_end_matches('.'), 80));
            format!("{by}: {step}, due {}", phrase::date(*due, today))
        }
        RiskState::Snoozed { until, .. } => format!("snoozed until {}", phrase::date(*until, today)),
        RiskState::Resolved { how, .. } => format!("resolved: {}", how.label()),
        RiskState::Ended { .. } => "ended".to_owned(),
    }
}

fn line(name: &str, parts: Vec<String>) -> Text {
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .fold(Text::strong(cut(name, 80)), |line, part| line.then(format!(" · {part}")))
}

pub fn windows(views: &[WindowView], today: NaiveDate) -> Message {
    list("Expansion windows", window_lines(views, today), "No expansion window is open on your accounts.")
}

pub(super) fn window_lines(views: &[WindowView], today: NaiveDate) -> Vec<Text> {
    views
        .iter()
        .map(|view| {
            let state = match &view.withheld {
                Some(held) => card::withheld(held, today),
                None => card::handoff_state(&view.state, today),
            };
            line(
                &view.account.name,
                vec![
                    card::window_title(view),
                    card::health(&view.account),
                    state.trim_end_matches('.').to_owned(),
                    format!("open until {}", phrase::date(view.closes_on, today)),
                ],
            )
        })
        .collect()
}

/// The views in the order of their deadlines.
pub fn renewals(views: &[RenewalView], today: NaiveDate) -> Message {
    list("Renewals", renewal_lines(views, today), "No renewal of yours is due in the next 180 days.")
}

pub(super) fn renewal_lines(views: &[RenewalView], today: NaiveDate) -> Vec<Text> {
    views
        .iter()
        .map(|view| {
            let missing = if view.read.notice_period_missing { "notice period missing" } else { "" };
            line(
                &view.account.name,
                vec![
                    card::renewal_date(view, today),
                    card::arr(&view.account),
                    card::health(&view.account),
                    renewal_state(&view.state).to_owned(),
                    view.owner.as_ref().map(|owner| format!("owner: {owner}")).unwrap_or_default(),
                    missing.to_owned(),
                ],
            )
        })
        .collect()
}

fn renewal_state(state: &RenewalState) -> &'static str {
    match state {
        RenewalState::Upcoming => "not started",
        RenewalState::Preparing { .. } => "in preparation",
        RenewalState::Negotiating { .. } => "in negotiation",
        RenewalState::Renewed { .. } => "renewed",
        RenewalState::Contracted { .. } => "renewed for less",
        RenewalState::Lost { .. } => "lost",
    }
}

/// A handoff of a window or of a risk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandoffLine {
    pub account: String,
    /// As [`what`] says it.
    pub what: String,
    pub state: HandoffState,
}

/// "more seats, about $12k", "risk to weigh commercially".
pub fn what(matter: &Matter) -> String {
    let amount = match matter {
        Matter::Window(window) => card::amount(window.amount, window.is_estimated()),
        Matter::RiskToWeigh { .. } | Matter::Warning { .. } => String::new(),
    };
    if amount.is_empty() { matter.label().to_owned() } else { format!("{}, {amount}", matter.label()) }
}

/// `mine` waits for the reader; `others` the reader passed on.
pub fn handoffs(mine: &[HandoffLine], others: &[HandoffLine], today: NaiveDate) -> Message {
    if mine.is_empty() && others.is_empty() {
        return Message::sentence("No handoff is open: nothing waits for you, and nothing that you passed on is open.");
    }
    let (mut blocks, mut tail) = (Vec::new(), None);
    for (title, lines) in [("With you", mine), ("Passed on by you", others)] {
        if !lines.is_empty() {
            blocks.push(Block::Heading(format!("{title} ({})", lines.len())));
            blocks.extend(body(handoff_lines(lines, today)));
            // Said once, at the end.
            tail = blocks.pop();
        }
    }
    blocks.extend(tail);
    Message { summary: format!("Handoffs: {} with you, {} passed on", mine.len(), others.len()), blocks }
}

pub(super) fn handoff_lines(lines: &[HandoffLine], today: NaiveDate) -> Vec<Text> {
    lines
        .iter()
        .map(|entry| {
            let state = match &entry.state {
                // Said above all of them.
                HandoffState::Detected { holder, until: None } if holder == "you" => String::new(),
                state => card::handoff_state(state, today).trim_end_matches('.').to_owned(),
            };
            line(&entry.account, vec![entry.what.clone(), state])
        })
        .collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnoozedLine {
    pub account: String,
    /// "risk", "more seats".
    pub what: String,
    pub by: String,
    pub until: NaiveDate,
}

pub fn snoozed(lines: &[SnoozedLine], today: NaiveDate) -> Message {
    list("Snoozed", snoozed_lines(lines, today), "Nothing is snoozed.")
}

pub(super) fn snoozed_lines(lines: &[SnoozedLine], today: NaiveDate) -> Vec<Text> {
    lines
        .iter()
        .map(|entry| {
            let until = format!("wakes {}", phrase::date_and_distance(entry.until, today));
            line(&entry.account, vec![entry.what.clone(), until, format!("by {}", entry.by)])
        })
        .collect()
}

/// The voice of the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackLine {
    pub account: String,
    pub by: String,
    pub on: NaiveDate,
    pub text: String,
}

/// The newest first.
pub fn voice(lines: &[FeedbackLine], today: NaiveDate) -> Message {
    let lines = lines
        .iter()
        .map(|entry| {
            Text::strong(cut(&entry.account, 80)).then(format!(
                ": {} ({}, {})",
                cut(&entry.text, 300),
                entry.by,
                phrase::date(entry.on, today)
            ))
        })
        .collect();
    list(
        "What customers say",
        lines,
        "No product feedback yet. Add some with /tandem raise NAME, then Product feedback.",
    )
}

#[cfg(test)]
mod tests {
    use super::super::card::sample;
    use super::super::text::to_text;
    use super::super::view::{NoteView, Withheld};
    use super::*;

    fn handoff(account: &str) -> HandoffLine {
        HandoffLine {
            account: account.into(),
            what: "more seats, about $12k".into(),
            state: HandoffState::Offered {
                to: "you".into(),
                answers_for_pool: None,
                by: Some("Dana".into()),
                until: Some(sample::day("2026-11-05")),
            },
        }
    }

    #[test]
    fn lists_are_one_line_each() {
        let today = sample::today();
        let mut held = sample::window();
        held.withheld = Some(Withheld {
            cause: "Notice served".into(),
            handled_by: Some("Dana".into()),
            with: None,
            since: sample::day("2026-11-02"),
        });
        let all = [
            risks(&[sample::risk()], today),
            windows(&[sample::window(), held], today),
            renewals(&[sample::renewal()], today),
            handoffs(&[handoff("Acme")], &[], today),
            snoozed(
                &[SnoozedLine {
                    account: "Acme".into(),
                    what: "risk".into(),
                    by: "you".into(),
                    until: sample::day("2026-11-20"),
                }],
                today,
            ),
            voice(
                &[FeedbackLine {
                    account: "Acme".into(),
                    by: "Kim".into(),
                    on: sample::day("2026-11-02"),
                    text: "Exports are slow".into(),
                }],
                today,
            ),
        ];
        insta::assert_snapshot!(all.iter().map(|m| to_text(m, 200)).collect::<Vec<_>>().join("\n"), @"
        At risk (1)
        ===========
        - Acme · health 34, at risk (was 52) · ARR $184k · Active users fell from 80 to 28 in five weeks · not acknowledged · opt-out date Fri 27 Nov, in 24 days
          All about one: /account NAME

        Expansion windows (2)
        =====================
        - Globex · more seats, about $12k · health 82, healthy · With Dana until Fri 6 Nov · open until Fri 29 Jan 2027
        - Globex · more seats, about $12k · health 82, healthy · Withheld: Notice served. Handled by Dana since Mon 2 Nov · open until Fri 29 Jan 2027
          All about one: /account NAME

        Renewals (1)
        ============
        - Acme · opt-out date Fri 27 Nov, in 24 days · ARR $184k · health 34, at risk (was 52) · not started · owner: you
          All about one: /account NAME

        With you (1)
        ============
        - Acme · more seats, about $12k · Offered to you by Dana, answer due Thu 5 Nov
          All about one: /account NAME

        Snoozed (1)
        ===========
        - Acme · risk · wakes Fri 20 Nov, in 17 days · by you
          All about one: /account NAME

        What customers say (1)
        ======================
        - Acme: Exports are slow (Kim, Mon 2 Nov)
          All about one: /account NAME
        ");
    }

    #[test]
    fn a_raised_risk_says_what_was_raised_before_what_the_rules_found() {
        let raised = NoteView { by: "Dana".into(), on: sample::today(), text: "Sponsor leaves in January".into() };
        let said = to_text(&risks(&[RiskView { raised: Some(raised), ..sample::risk() }], sample::today()), 300);
        let words = "ARR $184k · Sponsor leaves in January, raised by Dana · Active users fell from 80 to 28";
        assert!(said.contains(words), "{said}");
    }

    #[test]
    fn empty_lists_say_so() {
        let today = sample::today();
        let all = [
            risks(&[], today),
            windows(&[], today),
            renewals(&[], today),
            handoffs(&[], &[], today),
            snoozed(&[], today),
            voice(&[], today),
        ];
        insta::assert_snapshot!(all.iter().map(|m| to_text(m, 200)).collect::<String>(), @"
        No account of yours is at risk.
        No expansion window is open on your accounts.
        No renewal of yours is due in the next 180 days.
        No handoff is open: nothing waits for you, and nothing that you passed on is open.
        Nothing is snoozed.
        No product feedback yet. Add some with /tandem raise NAME, then Product feedback.
        ");
    }
}
