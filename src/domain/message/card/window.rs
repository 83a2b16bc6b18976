//! Purpose: the card of an expansion window: as its detector reads it, as the
//! AM or the pool is offered it, and as the AM sees it while it is withheld.

use chrono::NaiveDate;

use super::super::view::{Angle, HandoffState, Part, QualificationView, Why, WindowView};
use super::super::{Block, Buttons, Text, phrase};
use super::Keys;
use crate::domain::action::{Subject, Verb};
use crate::domain::diagnosis::WindowKind;

pub(super) fn summary(view: &WindowView, today: NaiveDate) -> String {
    let what = title(view);
    match &view.state {
        HandoffState::Offered { to, by, .. } if view.part == Part::Offered => match by {
            Some(by) => format!("{}: {what}, offered to {to} by {by}", view.account.name),
            None => format!("{}: {what}, offered to {to}", view.account.name),
        },
        state => format!("{}: {what}. {}", view.account.name, handoff_state(state, today)),
    }
}

/// "more seats, about $12k".
pub(in super::super) fn title(view: &WindowView) -> String {
    let amount = super::amount(view.amount, view.estimated);
    if amount.is_empty() { view.kind.label().to_owned() } else { format!("{}, {amount}", view.kind.label()) }
}

pub(super) fn blocks(view: &WindowView, today: NaiveDate) -> Vec<Block> {
    let account = &view.account;
    let unqualified = if view.timed_out && view.qualification.is_none() { "not qualified" } else { "" };
    let mut lines =
        vec![super::head(account, &[title(view), unqualified.to_owned(), super::health(account), super::arr(account)])];
    let mut known = Vec::new();
    if is_open(&view.state) && account.angle != Angle::Csm {
        let cause = view.causes.first().filter(|_| view.withheld.is_none());
        known.extend(cause.map(|cause| Text::plain(format!("Know first: {}", phrase::sentence(&cause.headline)))));
        known.extend(super::doing(account, today).map(Text::plain));
    }
    lines.extend(said(view, known, today));
    // Whoever has answered it was given nothing any more.
    let answered = view.why == Why::Offered && view.part != Part::Offered;
    let mut small = vec![if answered { String::new() } else { super::why(&view.why) }];
    if is_open(&view.state) {
        small.push(format!("open until {}", phrase::date(view.closes_on, today)));
        if view.co_term {
            let until = view.deadline.map(|d| format!(" ({})", super::deadline(d, today))).unwrap_or_default();
            small.push(format!("sell it together with the renewal{until}"));
        } else {
            small.extend(view.deadline.map(|d| super::deadline(d, today)));
        }
        small.extend(account.detours.iter().cloned());
    }
    small.push(super::diagnosis(account));
    super::assemble(lines, small, buttons(view))
}

/// Beneath another matter of the same account.
pub(super) fn beneath(view: &WindowView, today: NaiveDate) -> (Vec<Text>, Buttons) {
    let mut head = Text::strong(phrase::capital(&title(view)));
    if view.timed_out && view.qualification.is_none() {
        head = head.then(" · not qualified");
    }
    if is_open(&view.state) {
        head = head.then(format!(" · open until {}", phrase::date(view.closes_on, today)));
        if view.co_term {
            head = head.then(" · sell it together with the renewal");
        }
    }
    let mut lines = vec![head];
    lines.extend(said(view, Vec::new(), today));
    (lines, buttons(view))
}

/// What is said of the window itself; `known` of its account stands before what is asked.
fn said(view: &WindowView, known: Vec<Text>, today: NaiveDate) -> Vec<Text> {
    let mut lines = vec![Text::plain(reason(view))];
    if is_open(&view.state) {
        lines.push(gate(view, today).into());
    }
    lines.extend(view.qualification.as_ref().map(|known| qualification(known, today).into()));
    lines.extend(known);
    lines.push(ask(view).into());
    let rests = view.withheld.is_some() && matches!(view.state, HandoffState::Detected { .. });
    if !rests {
        lines.push(handoff_state(&view.state, today).into());
    }
    lines.extend(
        view.overridden.as_ref().map(|note| super::note_line("Offered in spite of the risk", note, today).into()),
    );
    lines
}

fn reason(view: &WindowView) -> String {
    let reason = phrase::sentence(&view.reason);
    match &view.raised_by {
        Some(by) => format!("{reason} Raised by {by}."),
        None => reason,
    }
}

fn gate(view: &WindowView, today: NaiveDate) -> String {
    match &view.withheld {
        Some(held) if view.kind == WindowKind::Requested || view.overridden.is_some() => super::warning(held, today),
        Some(held) => super::withheld(held, today),
        None => String::new(),
    }
}

fn qualification(known: &QualificationView, today: NaiveDate) -> String {
    let part = |text: &str| phrase::cut(text, 200).trim_end_matches('.').to_owned();
    let confirmed = known.confirmed.as_ref();
    format!(
        "Qualified{}. Need: {}. Contact: {}. Timing: {}.",
        confirmed.map(|(by, on)| format!(" by {by} on {}", phrase::date(*on, today))).unwrap_or_default(),
        part(&known.need),
        part(&known.contact),
        part(&known.timing)
    )
}

/// What the reader is asked to do, where it is the reader's turn.
fn ask(view: &WindowView) -> String {
    match (&view.state, view.part) {
        (state, Part::Holder) if is_gated(view) && is_before_claim(state) && view.solo => {
            "Nothing to do while it is withheld; or override or pass with a reason.".to_owned()
        }
        (state, Part::Holder) if is_gated(view) && is_before_claim(state) => {
            "Nothing to do while it is withheld; or pass with a reason.".to_owned()
        }
        (HandoffState::Offered { .. }, Part::Offered) if is_gated(view) => {
            "Nothing to do while it is withheld; or override with a reason.".to_owned()
        }
        (HandoffState::Detected { .. }, Part::Holder) if view.solo => "Claim it, or pass with a reason.".to_owned(),
        (HandoffState::Detected { .. }, Part::Holder) => {
            "Ask the customer: is there a need, who decides, and when? Then qualify it, or pass.".to_owned()
        }
        (HandoffState::Qualified { .. }, Part::Holder) if view.solo => "Next: claim it.".to_owned(),
        (HandoffState::Qualified { .. }, Part::Holder) => {
            format!("Next: offer it to {}.", view.account.account_manager.as_deref().unwrap_or("an AM"))
        }
        (HandoffState::Offered { .. }, Part::Offered) if view.qualification.is_none() => {
            "Nobody has confirmed need, contact and timing yet. Claim it, or decline with a reason.".to_owned()
        }
        (HandoffState::Offered { .. }, Part::Offered) => "Claim it, or decline with a reason.".to_owned(),
        (
            HandoffState::Declined { .. } | HandoffState::Expired { .. } | HandoffState::HandedBack { .. },
            Part::Holder,
        ) if view.solo => "It is back with you: claim it, or pass with a reason.".to_owned(),
        (
            HandoffState::Declined { .. } | HandoffState::Expired { .. } | HandoffState::HandedBack { .. },
            Part::Holder,
        ) => "It is back with you: offer it again, or pass.".to_owned(),
        _ => String::new(),
    }
}

/// Whether the health gate keeps it from being sold now.
fn is_gated(view: &WindowView) -> bool {
    view.withheld.is_some() && view.kind != WindowKind::Requested && view.overridden.is_none()
}

/// With whoever detected it, or came back to whoever offered it: theirs to pass on.
fn is_before_claim(state: &HandoffState) -> bool {
    is_open(state) && !matches!(state, HandoffState::Offered { .. } | HandoffState::Accepted { .. })
}

pub(super) fn is_open(state: &HandoffState) -> bool {
    match state {
        HandoffState::Detected { .. }
        | HandoffState::Qualified { .. }
        | HandoffState::Offered { .. }
        | HandoffState::Accepted { .. }
        | HandoffState::Declined { .. }
        | HandoffState::Expired { .. }
        | HandoffState::HandedBack { .. } => true,
        HandoffState::Withdrawn { .. }
        | HandoffState::Passed { .. }
        | HandoffState::Won { .. }
        | HandoffState::Lost { .. }
        | HandoffState::Closed { .. } => false,
    }
}

/// Where a handoff stands, in one sentence.
pub(in super::super) fn handoff_state(state: &HandoffState, today: NaiveDate) -> String {
    let on = |day: &NaiveDate| phrase::date(*day, today);
    let because = |reason: &str| phrase::sentence(&phrase::cut(reason, 200));
    match state {
        HandoffState::Detected { holder, until: Some(until) } => format!("With {holder} until {}.", on(until)),
        HandoffState::Detected { holder, until: None } => format!("With {holder}."),
        HandoffState::Qualified { by, on: day, holder } => {
            let with = holder.as_ref().map(|holder| format!(" With {holder}.")).unwrap_or_default();
            format!("Qualified by {by} on {}, not yet offered.{with}", on(day))
        }
        HandoffState::Offered { to, answers_for_pool, by, until } => {
            let by = by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            let until = until.map(|until| format!(", answer due {}", on(&until))).unwrap_or_default();
            let pool = answers_for_pool
                .as_ref()
                .map(|who| format!(" The first to claim it has it; until then it rests with {who}."))
                .unwrap_or_default();
            format!("Offered to {to}{by}{until}.{pool}")
        }
        HandoffState::Accepted { by, on: day } => format!("Claimed by {by} on {}.", on(day)),
        HandoffState::Declined { by, on: day, reason, back_to } => {
            format!("Declined by {by} on {}: {} Back with {back_to}.", on(day), because(reason))
        }
        HandoffState::Expired { on: day, back_to } => {
            format!("No answer by {}. Back with {back_to}.", on(day))
        }
        HandoffState::HandedBack { by, on: day, note, back_to } => {
            format!("Handed back by {by} on {}: {} Back with {back_to}.", on(day), because(note))
        }
        HandoffState::Withdrawn { by, on: day } => format!("Withdrawn by {by} on {}.", on(day)),
        HandoffState::Passed { by, on: day, reason } => {
            format!("Passed by {by} on {}: {}", on(day), because(reason))
        }
        HandoffState::Won { by, on: day, amount } => {
            let amount = amount.map(|amount| format!(": {amount}")).unwrap_or_default();
            format!("Won by {by} on {}{amount}.", on(day))
        }
        HandoffState::Lost { by, on: day, reason } => format!("Lost by {by} on {}: {}", on(day), because(reason)),
        HandoffState::Closed { on: day, reason } => format!("Closed on {}: {}", on(day), because(reason)),
    }
}

fn buttons(view: &WindowView) -> Buttons {
    use HandoffState::{Accepted, Declined, Detected, Expired, HandedBack, Offered, Qualified};

    let keys = Keys { account: &view.account, subject: Subject::Handoff(view.handoff) };
    if !view.may_act {
        return keys.look_only();
    }
    let rest = [Verb::Note, Verb::NotUseful, Verb::Raise, Verb::ShowMore];
    let more = |first: &[Verb]| [first, &rest[..]].concat();
    let gated = is_gated(view);
    let qualify: &[Verb] = if view.qualification.is_none() { &[Verb::Qualify] } else { &[] };
    let claimed: &[Verb] = if view.solo { qualify } else { &[] };
    match (&view.state, view.part) {
        // One person with both roles holds it and sells it: the gate stands before the claim.
        (state, Part::Holder) if gated && view.solo && is_open(state) && !matches!(state, Accepted { .. }) => {
            keys.row(false, &[Verb::Override, Verb::Pass], &more(&[]))
        }
        (state, Part::Offered | Part::AccountManager) if gated && is_open(state) => {
            keys.row(false, &[Verb::Override, Verb::Note], &[Verb::Raise, Verb::ShowMore])
        }
        (Detected { .. }, Part::Holder) if view.solo => {
            keys.row(true, &[Verb::Claim, Verb::Pass], &more(&[Verb::Qualify]))
        }
        // Qualified or offered now, it would go to somebody who may not work on it either.
        (state, Part::Holder) if gated && is_before_claim(state) => {
            keys.row(false, &[Verb::Pass, Verb::Note], &[Verb::NotUseful, Verb::Raise, Verb::ShowMore])
        }
        (Detected { .. }, Part::Holder) => keys.row(true, &[Verb::Qualify, Verb::Pass], &more(&[])),
        (Qualified { .. }, Part::Holder) if view.solo => keys.row(true, &[Verb::Claim, Verb::Pass], &more(&[])),
        (Qualified { .. }, Part::Holder) => keys.row(true, &[Verb::Offer, Verb::Pass], &more(&[])),
        (Offered { .. }, Part::Offered) => keys.row(true, &[Verb::Claim, Verb::Decline], &more(&[])),
        (Offered { .. }, Part::Offerer) => keys.row(false, &[Verb::Withdraw, Verb::Note], &[Verb::ShowMore]),
        (Accepted { .. }, Part::Holder) if view.asked => keys.row(
            true,
            &[Verb::Acknowledge, Verb::Won],
            &more(&[claimed, &[Verb::Lost, Verb::HandBack, Verb::Pass]].concat()),
        ),
        (Accepted { .. }, Part::Holder) => {
            keys.row(false, &[Verb::Won, Verb::Lost], &more(&[claimed, &[Verb::HandBack, Verb::Pass]].concat()))
        }
        (Declined { .. } | Expired { .. } | HandedBack { .. }, Part::Holder) if view.solo => {
            keys.row(true, &[Verb::Claim, Verb::Pass], &more(qualify))
        }
        (Declined { .. } | Expired { .. } | HandedBack { .. }, Part::Holder) => {
            keys.row(true, &[Verb::Offer, Verb::Pass], &more(qualify))
        }
        (state, Part::Lead) if is_open(state) => {
            keys.row(false, &[Verb::Nudge, Verb::Reassign], &[Verb::Note, Verb::ShowMore])
        }
        _ => keys.row(false, &[Verb::Note, Verb::ShowMore], &[Verb::Raise]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::text::to_text;
    use super::super::super::view::*;
    use super::super::{Card, message, sample};
    use super::*;

    fn drawn(mut view: WindowView, angle: Angle) -> String {
        view.account.angle = angle;
        let message = message(&Card::Window(view), sample::today());
        format!("({})\n{}", message.summary, to_text(&message, 100))
    }

    #[test]
    fn the_detector_is_asked_to_qualify() {
        insta::assert_snapshot!(drawn(sample::window(), Angle::Csm), @"
        (Globex: more seats, about $12k. With Dana until Fri 6 Nov.)
        Globex · more seats, about $12k · health 82, healthy · ARR $184k
        96 of 100 seats in use for three weeks.
        Ask the customer: is there a need, who decides, and when? Then qualify it, or pass.
        With Dana until Fri 6 Nov.
          New · open until Fri 29 Jan 2027 · opt-out date Wed 31 Mar 2027, in 148 days · diagnosis 7F3A-9C01
        [Qualify] [Pass] More: [Note] [Not useful] [Raise] [Show more]
        ");
    }

    #[test]
    fn the_am_sees_it_with_the_csm() {
        let view = WindowView { part: Part::AccountManager, ..sample::window() };
        insta::assert_snapshot!(drawn(view, Angle::AccountManager), @"
        (Globex: more seats, about $12k. With Dana until Fri 6 Nov.)
        Globex · more seats, about $12k · health 82, healthy · ARR $184k
        96 of 100 seats in use for three weeks.
        With Dana until Fri 6 Nov.
          New · open until Fri 29 Jan 2027 · opt-out date Wed 31 Mar 2027, in 148 days · diagnosis 7F3A-9C01
        [Note] [Show more] More: [Raise]
        ");
    }

    #[test]
    fn an_offer_says_by_whom_until_when_and_what_was_confirmed() {
        let view = WindowView {
            state: HandoffState::Offered {
                to: "you".into(),
                answers_for_pool: None,
                by: Some("Dana".into()),
                until: Some(sample::day("2026-11-05")),
            },
            qualification: Some(QualificationView {
                confirmed: Some(("Dana".into(), sample::day("2026-11-03"))),
                need: "20 more seats for the Berlin office".into(),
                contact: "Eva Braun, head of operations".into(),
                timing: "before January".into(),
            }),
            co_term: true,
            causes: sample::causes(),
            part: Part::Offered,
            why: Why::Offered,
            ..sample::window()
        };
        insta::assert_snapshot!(drawn(view, Angle::AccountManager), @"
        (Globex: more seats, about $12k, offered to you by Dana)
        Globex · more seats, about $12k · health 82, healthy · ARR $184k
        96 of 100 seats in use for three weeks.
        Qualified by Dana on Tue 3 Nov. Need: 20 more seats for the Berlin office. Contact: Eva Braun, head
        of operations. Timing: before January.
        Know first: Active users fell from 80 to 28 in five weeks.
        Claim it, or decline with a reason.
        Offered to you by Dana, answer due Thu 5 Nov.
          Given to you · open until Fri 29 Jan 2027 · sell it together with the renewal (opt-out date Wed 31
          Mar 2027, in 148 days) · diagnosis 7F3A-9C01
        [Claim] [Decline] More: [Note] [Not useful] [Raise] [Show more]
        ");
    }

    #[test]
    fn what_was_answered_was_given_to_nobody_any_more() {
        let state = HandoffState::Accepted { by: "Pat".into(), on: sample::today() };
        let said =
            |part| drawn(WindowView { state: state.clone(), part, why: Why::Offered, ..sample::window() }, Angle::Both);
        assert!(!said(Part::Holder).contains("Given to you") && !said(Part::Onlooker).contains("Given to you"));
    }

    #[test]
    fn a_timed_out_offer_to_a_pool_is_marked() {
        let view = WindowView {
            state: HandoffState::Offered {
                to: "the EMEA pool".into(),
                answers_for_pool: Some("Robin".into()),
                by: None,
                until: Some(sample::day("2026-11-05")),
            },
            timed_out: true,
            part: Part::Offered,
            why: Why::Offered,
            ..sample::window()
        };
        insta::assert_snapshot!(drawn(view, Angle::AccountManager), @"
        (Globex: more seats, about $12k, offered to the EMEA pool)
        Globex · more seats, about $12k · not qualified · health 82, healthy · ARR $184k
        96 of 100 seats in use for three weeks.
        Nobody has confirmed need, contact and timing yet. Claim it, or decline with a reason.
        Offered to the EMEA pool, answer due Thu 5 Nov. The first to claim it has it; until then it rests
        with Robin.
          Given to you · open until Fri 29 Jan 2027 · opt-out date Wed 31 Mar 2027, in 148 days · diagnosis
          7F3A-9C01
        [Claim] [Decline] More: [Note] [Not useful] [Raise] [Show more]
        ");
    }

    #[test]
    fn withheld_says_why_who_and_since_when() {
        let held = Withheld {
            cause: "Notice served on Sun 1 Nov".into(),
            handled_by: Some("Dana".into()),
            with: None,
            since: sample::day("2026-11-02"),
        };
        let view = WindowView {
            account: sample::account(),
            withheld: Some(held.clone()),
            state: HandoffState::Detected { holder: "Dana".into(), until: None },
            part: Part::AccountManager,
            why: Why::Asked,
            ..sample::window()
        };
        insta::assert_snapshot!(drawn(view.clone(), Angle::AccountManager), @"
        (Acme: more seats, about $12k. With Dana.)
        Acme · more seats, about $12k · health 34, at risk (was 52) · ARR $184k
        96 of 100 seats in use for three weeks.
        Withheld: Notice served on Sun 1 Nov. Handled by Dana since Mon 2 Nov.
          Open until Fri 29 Jan 2027 · opt-out date Wed 31 Mar 2027, in 148 days · diagnosis 7F3A-9C01
        [Override] [Note] More: [Raise] [Show more]
        ");

        let csms = drawn(WindowView { part: Part::Holder, ..view.clone() }, Angle::Csm);
        assert!(csms.contains("Nothing to do while it is withheld; or pass with a reason."), "{csms}");
        assert!(csms.contains("[Pass] [Note] More:") && !csms.contains("[Qualify]"), "{csms}");

        let state = HandoffState::Offered { to: "you".into(), answers_for_pool: None, by: None, until: None };
        let offered = drawn(WindowView { state, part: Part::Offered, ..view.clone() }, Angle::AccountManager);
        assert!(offered.contains("Nothing to do while it is withheld; or override with a reason."), "{offered}");
        assert!(offered.contains("[Override] [Note]") && !offered.contains("Claim it"), "{offered}");

        let asked = WindowView { kind: WindowKind::Requested, estimated: false, part: Part::Offered, ..view };
        let text = drawn(asked, Angle::AccountManager);
        assert!(text.contains("Careful, the account is at risk: Notice served"), "{text}");
        assert!(!text.contains("Withheld") && !text.contains("[Override]"), "{text}");
    }

    #[test]
    fn every_state_is_one_sentence() {
        let on = sample::day("2026-11-02");
        let kim = || "Kim".to_owned();
        let states = [
            HandoffState::Qualified { by: kim(), on, holder: None },
            HandoffState::Qualified { by: kim(), on, holder: Some("Zoe".into()) },
            HandoffState::Accepted { by: "you".into(), on },
            HandoffState::Declined { by: kim(), on, reason: "no budget this year".into(), back_to: "Dana".into() },
            HandoffState::Expired { on, back_to: "you".into() },
            HandoffState::Withdrawn { by: kim(), on },
            HandoffState::Passed { by: kim(), on, reason: "they are moving office".into() },
            HandoffState::Won { by: kim(), on, amount: Some(sample::usd(12_000)) },
            HandoffState::Lost { by: kim(), on, reason: "went to a competitor".into() },
            HandoffState::Closed { on, reason: "its dates are over".into() },
            HandoffState::HandedBack { by: kim(), on, note: "wrong contact".into(), back_to: "Dana".into() },
        ];
        let said: Vec<String> = states.iter().map(|state| handoff_state(state, sample::today())).collect();
        insta::assert_snapshot!(said.join("\n"), @"
        Qualified by Kim on Mon 2 Nov, not yet offered.
        Qualified by Kim on Mon 2 Nov, not yet offered. With Zoe.
        Claimed by you on Mon 2 Nov.
        Declined by Kim on Mon 2 Nov: no budget this year. Back with Dana.
        No answer by Mon 2 Nov. Back with you.
        Withdrawn by Kim on Mon 2 Nov.
        Passed by Kim on Mon 2 Nov: they are moving office.
        Won by Kim on Mon 2 Nov: $12k.
        Lost by Kim on Mon 2 Nov: went to a competitor.
        Closed on Mon 2 Nov: its dates are over.
        Handed back by Kim on Mon 2 Nov: wrong contact. Back with Dana.
        ");
    }
}
