//! Purpose: a risk that one half of the pair hands to the other: the CSM's "to
//! weigh commercially", the AM's warning.

use chrono::NaiveDate;

use super::super::view::{HandedRiskView, HandoffState, Part};
use super::super::{Block, Button, Buttons, Text, phrase};
use super::Keys;
use crate::domain::action::{Subject, Verb};
use crate::domain::handoff::{RISK_TO_WEIGH, WARNING};

pub(super) fn summary(view: &HandedRiskView, today: NaiveDate) -> String {
    let what = if view.warning { WARNING } else { RISK_TO_WEIGH };
    let note = phrase::cut(&view.note, 100);
    let said = format!("{}: {what} from {}: {note}", view.account.name, view.from);
    match &view.state {
        HandoffState::Offered { .. } => said,
        // What became of it is the news.
        state => format!("{} {}", phrase::sentence(&said), super::window::handoff_state(state, today)),
    }
}

/// In one line of a brief.
pub(in super::super) fn line(view: &HandedRiskView, today: NaiveDate) -> String {
    let title = if view.warning { "Warning" } else { "To weigh commercially" };
    let note = phrase::sentence(&phrase::cut(&view.note, 200));
    format!("{title}, from {}: {note} {}", view.from, super::window::handoff_state(&view.state, today))
}

pub(super) fn blocks(view: &HandedRiskView, today: NaiveDate) -> Vec<Block> {
    let account = &view.account;
    let title = if view.warning { "warning" } else { "to weigh commercially" };
    let mut lines = vec![super::head(account, &[title.to_owned(), super::health(account), super::arr(account)])];
    let from = phrase::capital(&view.from);
    lines.push(Text::plain(format!("{from}: {}", phrase::sentence(&phrase::cut(&view.note, 300)))));
    lines.extend(view.causes.first().map(|cause| Text::plain(phrase::sentence(&cause.headline))));
    lines.extend(super::play(&view.causes, account.angle));
    if let Some(deadline) = view.deadline {
        lines.push(format!("Deadline: {}.", super::deadline(deadline, today)).into());
    }
    lines.push(super::window::handoff_state(&view.state, today).into());
    lines.push(ask(view).into());
    let on = view.on.map(|on| format!(" on {}", phrase::date(on, today))).unwrap_or_default();
    let small = vec![format!("from {}{on}", view.from), super::diagnosis(account)];
    super::assemble(lines, small, buttons(view))
}

/// Beneath another matter of the same account.
pub(super) fn beneath(view: &HandedRiskView, today: NaiveDate) -> (Vec<Text>, Buttons) {
    let title = if view.warning { "Warning" } else { "To weigh commercially" };
    let note = phrase::sentence(&phrase::cut(&view.note, 300));
    let mut lines = vec![
        Text::strong(format!("{title}, from {}:", view.from)).then(format!(" {note}")),
        super::window::handoff_state(&view.state, today).into(),
    ];
    lines.push(ask(view).into());
    (lines, buttons(view))
}

/// What the holder is asked to do.
fn ask(view: &HandedRiskView) -> &'static str {
    match &view.state {
        _ if view.part != Part::Holder => "",
        _ if view.asked => super::STILL_ON_IT,
        state if !came_back(state) => "",
        _ if view.warning => "It is back with you: warn again, or withdraw it.",
        _ => "It is back with you: hand it over again, or withdraw it.",
    }
}

fn came_back(state: &HandoffState) -> bool {
    matches!(state, HandoffState::Declined { .. } | HandoffState::Expired { .. } | HandoffState::HandedBack { .. })
}

fn buttons(view: &HandedRiskView) -> Buttons {
    let keys = Keys { account: &view.account, subject: Subject::Handoff(view.handoff) };
    if !view.may_act {
        return keys.look_only();
    }
    match (&view.state, view.part) {
        (HandoffState::Offered { .. }, Part::Offered) => {
            keys.row(true, &[Verb::Claim, Verb::Decline], &[Verb::Note, Verb::Raise, Verb::ShowMore])
        }
        (HandoffState::Offered { .. }, Part::Offerer) => {
            keys.row(false, &[Verb::Withdraw, Verb::Note], &[Verb::ShowMore])
        }
        (state, Part::Lead) if super::window::is_open(state) => {
            keys.row(false, &[Verb::Nudge, Verb::Reassign], &[Verb::Note, Verb::ShowMore])
        }
        (state, Part::Holder) if came_back(state) => {
            let mut row = keys.row(false, &[Verb::Offer, Verb::Withdraw], &[Verb::Note, Verb::ShowMore]);
            let label = if view.warning { "Warn again" } else { "Hand over again" };
            if let Some(offer) = row.shown.first_mut() {
                *offer = Button::labelled(offer.action.clone(), label, &view.account.name).primary();
            }
            row
        }
        (HandoffState::Accepted { .. }, Part::Holder) if view.asked => {
            keys.row(true, &[Verb::Acknowledge, Verb::HandBack], &[Verb::Note, Verb::Pass, Verb::Raise, Verb::ShowMore])
        }
        (HandoffState::Accepted { .. }, Part::Holder) => {
            keys.row(false, &[Verb::HandBack, Verb::Note], &[Verb::Pass, Verb::Raise, Verb::ShowMore])
        }
        _ => keys.row(false, &[Verb::Note, Verb::ShowMore], &[Verb::Raise]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::text::to_text;
    use super::super::super::view::{Angle, HandedRiskView, HandoffState, Part};
    use super::super::{Card, message, sample};

    fn drawn(mut view: HandedRiskView, angle: Angle) -> String {
        view.account.angle = angle;
        let message = message(&Card::HandedRisk(view), sample::today());
        format!("({})\n{}", message.summary, to_text(&message, 100))
    }

    #[test]
    fn what_nobody_answered_can_be_said_again_and_its_lead_can_move_it() {
        let expired = HandedRiskView {
            from: "you".into(),
            on: None,
            state: HandoffState::Expired { on: sample::day("2026-11-05"), back_to: "you".into() },
            part: Part::Holder,
            ..sample::handed_risk()
        };
        insta::assert_snapshot!(drawn(expired.clone(), Angle::AccountManager), @"
        (Acme: warning from you: Budget cut of a third next year. No answer by Thu 5 Nov. Back with you.)
        Acme · warning · health 34, at risk (was 52) · ARR $184k
        You: Budget cut of a third next year.
        Active users fell from 80 to 28 in five weeks.
        This week: Hold the pitch until usage is back.
        No answer by Thu 5 Nov. Back with you.
        It is back with you: warn again, or withdraw it.
          From you · diagnosis 7F3A-9C01
        [Warn again] [Withdraw] More: [Note] [Show more]
        ");
        let weighed = drawn(HandedRiskView { warning: false, ..expired.clone() }, Angle::Csm);
        assert!(weighed.contains("hand it over again, or withdraw it."), "{weighed}");
        assert!(weighed.contains("[Hand over again] [Withdraw]"), "{weighed}");
        let lead = drawn(HandedRiskView { part: Part::Lead, ..expired }, Angle::Both);
        assert!(lead.contains("[Nudge] [Reassign]") && !lead.contains("It is back with you"), "{lead}");
    }

    #[test]
    fn a_claim_is_the_news_once_it_was_claimed() {
        let claimed = HandedRiskView {
            warning: false,
            from: "you".into(),
            on: None,
            state: HandoffState::Accepted { by: "Sam".into(), on: sample::today() },
            part: Part::Offerer,
            ..sample::handed_risk()
        };
        let said = drawn(claimed, Angle::Csm);
        let summary = "(Acme: risk to weigh commercially from you: Budget cut of a third next year. Claimed by Sam on Tue 3 Nov.)";
        assert!(said.starts_with(summary), "{said}");
    }

    #[test]
    fn a_warning_is_carried_to_the_csm() {
        let message = message(&Card::HandedRisk(sample::handed_risk()), sample::today());
        insta::assert_snapshot!(format!("({})\n{}", message.summary, to_text(&message, 100)), @"
        (Acme: warning from Kim: Budget cut of a third next year)
        Acme · warning · health 34, at risk (was 52) · ARR $184k
        Kim: Budget cut of a third next year.
        Active users fell from 80 to 28 in five weeks.
        This week: Ask the champion what changed and book a training for the team that stopped.
        Offered to you by Kim, answer due Thu 5 Nov.
          From Kim on Tue 3 Nov · diagnosis 7F3A-9C01
        [Claim] [Decline] More: [Note] [Raise] [Show more]
        ");
    }
}
