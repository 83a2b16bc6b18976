//! Purpose: the card of an account at risk. The CSM's carries the deadline, the
//! stake and the open windows; the AM's carries what the CSM is doing about it.

use chrono::NaiveDate;

use super::super::view::{Angle, HandedLine, RiskState, RiskView, Why};
use super::super::{Block, Buttons, Text, cause, phrase};
use super::Keys;
use crate::domain::action::{Subject, Verb};

pub(super) fn summary(view: &RiskView) -> String {
    // What somebody raised is what they want to be read; the first cause may be about something else.
    let raised = view.raised.as_ref().filter(|_| view.churned_on.is_none()).map(super::raised);
    let cause = raised.or_else(|| headline(view)).unwrap_or_else(|| "at risk".to_owned());
    let stake = super::arr(&view.account);
    if stake.is_empty() {
        format!("{}: {cause}", view.account.name)
    } else {
        format!("{}: {cause} · {stake}", view.account.name)
    }
}

pub(super) fn blocks(view: &RiskView, today: NaiveDate) -> Vec<Block> {
    let account = &view.account;
    let mut lines = vec![super::head(account, &[super::health(account), super::arr(account)])];
    lines.extend(view.raised.as_ref().map(|raised| super::note_line("Raised", raised, today).into()));
    lines.extend(view.churned_on.map(|on| Text::plain(phrase::sentence(&cause::churned(on)))));
    lines.extend(view.causes.first().map(|cause| Text::plain(phrase::sentence(&cause.headline))));
    if !is_over(&view.state) {
        lines.extend(super::play(&view.causes, view.account.angle));
        lines.push(super::also(&view.causes).into());
        lines.extend(view.deadline.map(|on| Text::plain(format!("Deadline: {}.", super::deadline(on, today)))));
        lines.push(super::window_lines(&view.windows).into());
    }
    lines.push(state(view, today));
    lines.extend(view.handed.as_ref().map(|handed| handed_line(handed, today).into()));
    lines.extend(view.last_note.as_ref().map(|note| super::note_line("Last note", note, today).into()));
    let mut small =
        vec![if is_over(&view.state) { String::new() } else { why(view) }, since(view, today), other_half(view)];
    if !is_over(&view.state) {
        small.extend(account.detours.iter().cloned());
    }
    small.push(super::diagnosis(account));
    super::assemble(lines, small, buttons(view))
}

/// Beneath another matter of the same account.
pub(super) fn beneath(view: &RiskView, today: NaiveDate) -> (Vec<Text>, Buttons) {
    let since = phrase::capital(&since(view, today));
    let cause = headline(view).map(|headline| phrase::sentence(&headline)).unwrap_or_default();
    let mut lines = vec![match (since.is_empty(), cause.is_empty()) {
        (true, _) => Text::strong("Risk"),
        (false, true) => Text::strong(since),
        (false, false) => Text::strong(format!("{since}:")).then(format!(" {cause}")),
    }];
    lines.extend(view.raised.as_ref().map(|raised| super::note_line("Raised", raised, today).into()));
    if !is_over(&view.state) {
        lines.extend(super::play(&view.causes, view.account.angle));
    }
    lines.push(state(view, today));
    lines.extend(view.handed.as_ref().map(|handed| handed_line(handed, today).into()));
    (lines, buttons(view))
}

/// What weighs most.
fn headline(view: &RiskView) -> Option<String> {
    view.churned_on.map(cause::churned).or_else(|| view.causes.first().map(|cause| cause.headline.clone()))
}

fn since(view: &RiskView, today: NaiveDate) -> String {
    match view.state {
        RiskState::Ended { .. } => String::new(),
        _ => format!("at risk since {}", phrase::date(view.since, today)),
    }
}

fn is_over(state: &RiskState) -> bool {
    matches!(state, RiskState::Resolved { .. } | RiskState::Ended { .. })
}

/// A step that a colleague set is due with them, whoever else reads of it.
fn why(view: &RiskView) -> String {
    match (&view.why, &view.state) {
        (Why::NextStepDue, RiskState::Acknowledged { by, .. }) if by != "you" => format!("Next step by {by} is due"),
        (why, _) => super::why(why),
    }
}

/// The other half of the pair, so that nobody has to look it up.
fn other_half(view: &RiskView) -> String {
    match view.account.angle {
        Angle::Csm => match &view.account.account_manager {
            Some(who) => format!("AM: {who}"),
            None => "no AM".to_owned(),
        },
        Angle::AccountManager => match &view.account.csm {
            Some(who) => format!("CSM: {who}"),
            None => "no CSM".to_owned(),
        },
        Angle::Both => String::new(),
    }
}

fn state(view: &RiskView, today: NaiveDate) -> Text {
    let on = |day: &NaiveDate| phrase::date(*day, today);
    match &view.state {
        RiskState::Open if view.account.angle == Angle::AccountManager => match &view.account.csm {
            Some(csm) => format!("Not acknowledged by {csm} yet.").into(),
            None => "Nobody handles it yet: the account has no CSM.".into(),
        },
        RiskState::Open => Text::new(),
        RiskState::Acknowledged { by, on: day, step: Some(step), due } => Text::plain(format!(
            "Acknowledged by {by} on {}. Next step: {}, due {}.",
            on(day),
            phrase::cut(step, 200).trim_end_matches('.'),
            phrase::date_and_distance(*due, today)
        )),
        RiskState::Acknowledged { by, on: day, step: None, due } => Text::plain(format!(
            "Acknowledged by {by} on {}. Next step not set; it is due {}.",
            on(day),
            phrase::date_and_distance(*due, today)
        )),
        RiskState::Snoozed { by, on: day, until } => Text::plain(format!(
            "Snoozed by {by} on {} until {}. It wakes earlier if it gets worse.",
            on(day),
            on(until)
        )),
        RiskState::Resolved { by, on: day, how, note } => {
            let note = note.as_ref().map(|note| format!(" {}", phrase::sentence(&phrase::cut(note, 200))));
            Text::plain(format!("Resolved by {by} on {}: {}.{}", on(day), how.label(), note.unwrap_or_default()))
        }
        RiskState::Ended { on: day, left: true } => {
            Text::plain(format!("The risk ended on {}: the account has left.", on(day)))
        }
        RiskState::Ended { on: day, left: false } => {
            Text::plain(format!("No longer at risk since {}: health held for three nights.", on(day)))
        }
    }
}

fn handed_line(handed: &HandedLine, today: NaiveDate) -> String {
    let (to, from, on) = (&handed.to, &handed.from, phrase::date(handed.on, today));
    if handed.accepted {
        format!("Handed to {to} by {from}, to weigh commercially: accepted on {on}.")
    } else {
        format!("Handed to {to} by {from} on {on}, to weigh commercially: no answer yet.")
    }
}

fn buttons(view: &RiskView) -> Buttons {
    let angle = view.account.angle;
    let keys = Keys { account: &view.account, subject: Subject::Risk(view.risk) };
    if !view.may_act {
        return keys.look_only();
    }
    // Who does not settle it warns and notes.
    if !angle.settles_risks(view.account.csm.is_some()) {
        return keys.row(false, &[Verb::Note, Verb::Raise], &[Verb::NotUseful, Verb::ShowMore]);
    }
    let can_hand = angle == Angle::Csm && view.account.account_manager.is_some() && view.handed.is_none();
    let hand: &[Verb] = if can_hand { &[Verb::HandToAccountManager] } else { &[] };
    let rest: &[Verb] = &[Verb::Note, Verb::NotUseful, Verb::Raise, Verb::ShowMore];
    let more = |first: &[Verb]| [first, hand, rest].concat();
    match &view.state {
        RiskState::Open if view.leads => {
            keys.row(false, &[Verb::Nudge, Verb::Reassign], &more(&[Verb::Acknowledge, Verb::Snooze, Verb::Resolve]))
        }
        RiskState::Open => {
            keys.row(true, &[Verb::Acknowledge, Verb::SetNextStep], &more(&[Verb::Snooze, Verb::Resolve]))
        }
        RiskState::Acknowledged { .. } if view.asked => {
            keys.row(true, &[Verb::Acknowledge, Verb::SetNextStep], &more(&[Verb::Snooze, Verb::Resolve]))
        }
        RiskState::Acknowledged { step, .. } => {
            keys.row(step.is_none(), &[Verb::SetNextStep, Verb::Resolve], &more(&[Verb::Snooze]))
        }
        RiskState::Snoozed { .. } => {
            keys.row(false, &[Verb::Acknowledge, Verb::SetNextStep], &more(&[Verb::Snooze, Verb::Resolve]))
        }
        RiskState::Resolved { .. } | RiskState::Ended { .. } => {
            keys.row(false, &[Verb::Reopen, Verb::Note], &[Verb::Raise, Verb::ShowMore])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::text::to_text;
    use super::super::super::view::*;
    use super::super::{Card, message, sample};
    use super::*;

    fn drawn(mut view: RiskView, angle: Angle) -> String {
        view.account.angle = angle;
        to_text(&message(&Card::Risk(view), sample::today()), 100)
    }

    #[test]
    fn the_csm_reads_cause_play_deadline_and_stake() {
        insta::assert_snapshot!(drawn(sample::risk(), Angle::Csm), @"
        Acme · health 34, at risk (was 52) · ARR $184k
        Active users fell from 80 to 28 in five weeks.
        This week: Ask the champion what changed and book a training for the team that stopped.
        Also: An invoice is 65 days late.
        Deadline: opt-out date Fri 27 Nov, in 24 days.
        Open window: more seats, about $12k, with Kim.
          New · at risk since Mon 2 Nov · AM: Kim · diagnosis 7F3A-9C01
        [Acknowledge] [Set next step] More: [Snooze] [Resolve] [Hand to AM] [Note] [Not useful] [Raise]
        [Show more]
        ");
    }

    #[test]
    fn the_am_reads_what_the_csm_does() {
        let mut view = sample::risk();
        view.state = RiskState::Acknowledged {
            by: "Dana".into(),
            on: sample::day("2026-11-02"),
            step: Some("Call the CFO".into()),
            due: sample::day("2026-11-06"),
        };
        insta::assert_snapshot!(drawn(view, Angle::AccountManager), @"
        Acme · health 34, at risk (was 52) · ARR $184k
        Active users fell from 80 to 28 in five weeks.
        This week: Hold the pitch until usage is back.
        Also: An invoice is 65 days late.
        Deadline: opt-out date Fri 27 Nov, in 24 days.
        Open window: more seats, about $12k, with Kim.
        Acknowledged by Dana on Mon 2 Nov. Next step: Call the CFO, due Fri 6 Nov, in 3 days.
          New · at risk since Mon 2 Nov · CSM: Dana · diagnosis 7F3A-9C01
        [Note] [Raise] More: [Not useful] [Show more]
        ");
    }

    #[test]
    fn every_state_is_said() {
        let states = [
            RiskState::Acknowledged {
                by: "you".into(),
                on: sample::day("2026-11-02"),
                step: None,
                due: sample::day("2026-11-09"),
            },
            RiskState::Snoozed { by: "Dana".into(), on: sample::day("2026-11-02"), until: sample::day("2026-11-20") },
            RiskState::Resolved {
                by: "Dana".into(),
                on: sample::day("2026-11-02"),
                how: Resolution::AcceptedLoss,
                note: Some("They are closing the site".into()),
            },
            RiskState::Ended { on: sample::day("2026-11-02"), left: false },
        ];
        let said: Vec<String> = states
            .into_iter()
            .map(|state| {
                let mut view = sample::risk();
                view.state = state;
                view.causes.truncate(1);
                view.windows.clear();
                view.deadline = None;
                drawn(view, Angle::Both)
            })
            .collect();
        insta::assert_snapshot!(said.join("\n"), @"
        Acme · health 34, at risk (was 52) · ARR $184k
        Active users fell from 80 to 28 in five weeks.
        As CSM: Ask the champion what changed and book a training for the team that stopped.
        As AM: Hold the pitch until usage is back.
        Acknowledged by you on Mon 2 Nov. Next step not set; it is due Mon 9 Nov, in 6 days.
          New · at risk since Mon 2 Nov · diagnosis 7F3A-9C01
        [Set next step] [Resolve] More: [Snooze] [Note] [Not useful] [Raise] [Show more]

        Acme · health 34, at risk (was 52) · ARR $184k
        Active users fell from 80 to 28 in five weeks.
        As CSM: Ask the champion what changed and book a training for the team that stopped.
        As AM: Hold the pitch until usage is back.
        Snoozed by Dana on Mon 2 Nov until Fri 20 Nov. It wakes earlier if it gets worse.
          New · at risk since Mon 2 Nov · diagnosis 7F3A-9C01
        [Acknowledge] [Set next step] More: [Snooze] [Resolve] [Note] [Not useful] [Raise] [Show more]

        Acme · health 34, at risk (was 52) · ARR $184k
        Active users fell from 80 to 28 in five weeks.
        Resolved by Dana on Mon 2 Nov: accepted loss. They are closing the site.
          At risk since Mon 2 Nov · diagnosis 7F3A-9C01
        [Reopen] [Note] More: [Raise] [Show more]

        Acme · health 34, at risk (was 52) · ARR $184k
        Active users fell from 80 to 28 in five weeks.
        No longer at risk since Mon 2 Nov: health held for three nights.
          Diagnosis 7F3A-9C01
        [Reopen] [Note] More: [Raise] [Show more]
        ");
    }

    #[test]
    fn a_churn_comes_before_every_cause() {
        let mut view = RiskView { churned_on: Some(sample::day("2026-11-02")), ..sample::risk() };
        assert_eq!(summary(&view), "Acme: The customer churned on 2 Nov 2026 · ARR $184k");
        let lines = drawn(view.clone(), Angle::Csm);
        let (churn, cause) = (lines.find("The customer churned on 2 Nov 2026."), lines.find("Active users fell"));
        assert!(churn.is_some() && churn < cause, "{lines}");
        view.causes.clear();
        assert!(drawn(view, Angle::AccountManager).contains("The customer churned on 2 Nov 2026."));
    }

    #[test]
    fn what_was_raised_is_the_news_and_not_the_first_cause() {
        let raised = NoteView { by: "Dana".into(), on: sample::today(), text: "Sponsor leaves in January.".into() };
        let view = RiskView { raised: Some(raised), ..sample::risk() };
        assert_eq!(summary(&view), "Acme: Sponsor leaves in January, raised by Dana · ARR $184k");
        let churned = RiskView { churned_on: Some(sample::day("2026-11-02")), ..view };
        assert_eq!(summary(&churned), "Acme: The customer churned on 2 Nov 2026 · ARR $184k");
    }

    #[test]
    fn a_step_that_is_due_is_due_with_whoever_set_it() {
        let due = |by: &str| {
            let state = RiskState::Acknowledged {
                by: by.into(),
                on: sample::day("2026-11-02"),
                step: Some("Call the CFO".into()),
                due: sample::today(),
            };
            drawn(RiskView { state, why: Why::NextStepDue, ..sample::risk() }, Angle::AccountManager)
        };
        assert!(due("Dana").contains("  Next step by Dana is due · at risk since"), "{}", due("Dana"));
        assert!(due("you").contains("  Your next step is due · at risk since"), "{}", due("you"));
    }

    #[test]
    fn a_handed_risk_says_when_it_was_answered() {
        let handed = |accepted| {
            let line = HandedLine { from: "you".into(), to: "Kim".into(), on: sample::day("2026-11-02"), accepted };
            handed_line(&line, sample::today())
        };
        assert_eq!(handed(false), "Handed to Kim by you on Mon 2 Nov, to weigh commercially: no answer yet.");
        assert_eq!(handed(true), "Handed to Kim by you, to weigh commercially: accepted on Mon 2 Nov.");
    }

    #[test]
    fn a_lead_nudges_and_an_onlooker_only_looks() {
        let mut view = sample::risk();
        view.leads = true;
        assert_eq!(buttons(&view).shown[0].action.verb, Verb::Nudge);
        view.may_act = false;
        let buttons = buttons(&view);
        assert_eq!(buttons.shown.len(), 1);
        assert_eq!(buttons.shown[0].action.verb, Verb::ShowMore);
        assert!(buttons.more.is_empty());
    }
}
