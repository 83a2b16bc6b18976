//! Purpose: a risk that one half of the pair hands to the other: the CSM's "to
//! weigh commercially", the AM's warning.

use chrono::NaiveDate;

use super::super::view::{HandedRiskView, HandoffState, Part};
use super::super::{Block, Buttons, Text, phrase};
use super::Keys;
use crate::domain::action::{Subject, Verb};
use crate::domain::handoff::{RISK_TO_WEIGH, WARNING};

pub(super) fn summary(view: &HandedRiskView) -> String {
    let what = if view.warning { WARNING } else { RISK_TO_WEIGH };
    format!("{}: {what} from {}: {}", view.account.name, view.from, phrase::cut(&view.note, 100))
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
    if view.asked && view.part == Part::Holder {
        lines.push(super::STILL_ON_IT.into());
    }
    let small = vec![format!("from {} on {}", view.from, phrase::date(view.on, today)), super::diagnosis(account)];
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
    if view.asked && view.part == Part::Holder {
        lines.push(super::STILL_ON_IT.into());
    }
    (lines, buttons(view))
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
        (HandoffState::Offered { .. } | HandoffState::Accepted { .. }, Part::Lead) => {
            keys.row(false, &[Verb::Nudge, Verb::Reassign], &[Verb::Note, Verb::ShowMore])
        }
        (
            HandoffState::Declined { .. } | HandoffState::Expired { .. } | HandoffState::HandedBack { .. },
            Part::Holder,
        ) => keys.row(false, &[Verb::Withdraw, Verb::Note], &[Verb::ShowMore]),
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
    use super::super::{Card, message, sample};

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
