use std::collections::BTreeSet;

use super::super::account::several;
use super::super::form::RAISABLE;
use super::super::text;
use super::super::view::*;
use super::sample::seen_from;
use super::*;
use crate::domain::account::Account;
use crate::domain::diagnosis::{Stage, WindowKind};

/// The AM's cards say what the CSM is doing; the CSM's own cards do not repeat it.
#[test]
fn whoever_reads_of_money_reads_what_is_done_about_the_risk() {
    let due = sample::day("2026-11-06");
    let risk = RiskState::Acknowledged { by: "Dana".into(), on: due, step: Some("Call the CFO.".into()), due };
    let account = AccountView { risk: Some(risk), ..sample::account() };
    let cards = [
        Card::Renewal(RenewalView { account: account.clone(), ..sample::renewal() }),
        Card::Window(WindowView { account, ..sample::window() }),
    ];
    let said = "At risk, in hand with Dana: Call the CFO, due Fri 6 Nov.";
    for card in cards {
        let text = |angle| text::to_text(&message(&seen_from(card.clone(), angle), sample::today()), 300);
        assert!(text(Angle::AccountManager).contains(said), "{}", text(Angle::AccountManager));
        assert!(!text(Angle::Csm).contains(said));
    }
}

fn drawn(lead: Card, others: Vec<Card>, angle: Angle) -> String {
    let others = others.into_iter().map(|card| seen_from(card, angle)).collect();
    text::to_text(&AccountCard::new(seen_from(lead, angle), others).message(sample::today()), 100)
}

#[test]
fn one_card_has_all_that_is_theirs_each_with_its_buttons() {
    let window = WindowView { account: sample::account(), part: Part::Holder, ..sample::window() };
    let others = vec![Card::Window(window), Card::Renewal(sample::renewal()), Card::HandedRisk(sample::handed_risk())];
    insta::assert_snapshot!(drawn(Card::Risk(sample::risk()), others, Angle::Csm), @"
    Acme · health 34, at risk (was 52) · ARR $184k
    Active users fell from 80 to 28 in five weeks.
    This week: Ask the champion what changed and book a training for the team that stopped.
    Also: An invoice is 65 days late.
      New · at risk since Mon 2 Nov · AM: Kim · diagnosis 7F3A-9C01
    [Acknowledge] [Set next step] More: [Snooze] [Resolve] [Hand to AM] [Note] [Not useful] [Raise]
    [Show more]

    More seats, about $12k · open until Fri 29 Jan 2027
    96 of 100 seats in use for three weeks.
    Ask the customer: is there a need, who decides, and when? Then qualify it, or pass.
    With Dana until Fri 6 Nov.
    [Qualify] [Pass] More: [Not useful]

    Renewal. Opt-out date: Fri 27 Nov, in 24 days. Without notice it renews by itself on Thu 25 Feb
    2027.
    This step: Get the decision in writing.
    Work on it has not started. Owner: you, prepares: Dana.
    [Start preparing] More: [Start negotiating] [Renewed] [Contracted] [Lost]

    Warning, from Kim: Budget cut of a third next year.
    Offered to you by Kim, answer due Thu 5 Nov.
    [Claim] [Decline]
    ");
    let offered = WindowView {
        account: sample::account(),
        part: Part::Offered,
        causes: sample::causes(),
        state: HandoffState::Offered {
            to: "you".into(),
            answers_for_pool: None,
            by: None,
            until: Some(sample::day("2026-11-05")),
        },
        ..sample::window()
    };
    let others = vec![Card::Risk(sample::risk())];
    insta::assert_snapshot!(drawn(Card::Window(offered), others, Angle::AccountManager), @"
    Acme · more seats, about $12k · health 34, at risk (was 52) · ARR $184k
    96 of 100 seats in use for three weeks.
    Nobody has confirmed need, contact and timing yet. Claim it, or decline with a reason.
    Offered to you, answer due Thu 5 Nov.
      New · open until Fri 29 Jan 2027 · opt-out date Wed 31 Mar 2027, in 148 days · diagnosis 7F3A-9C01
    [Claim] [Decline] More: [Note] [Not useful] [Raise] [Show more]

    At risk since Mon 2 Nov: Active users fell from 80 to 28 in five weeks.
    This week: Hold the pitch until usage is back.
    Not acknowledged by Dana yet.
    [Not useful]
    ");
}

/// Whatever stands together: each verb of each matter once, and what is about the account once.
#[test]
fn a_whole_card_repeats_nothing() {
    let all = [risks(true), handoffs(true), renewals(true)].concat();
    for (lead, other) in all.iter().zip(all.iter().rev()) {
        let both = |card: &Card| seen_from(card.clone(), Angle::Both);
        let others = vec![both(other), both(&Card::Renewal(sample::renewal()))];
        let card = AccountCard::new(both(lead), others);
        let message = card.message(sample::today());
        let about_account: Vec<Verb> = message
            .buttons()
            .filter(|button| matches!(button.action.subject, Subject::Account(_)))
            .map(|button| button.action.verb)
            .collect();
        assert_eq!(about_account.iter().collect::<BTreeSet<_>>().len(), about_account.len(), "{about_account:?}");
        for block in &message.blocks {
            if let Block::Buttons(buttons) = block {
                assert!((1..=2).contains(&buttons.shown.len()), "{buttons:?}");
            }
        }
    }
}

const PARTS: [Part; 6] = [Part::Holder, Part::Offered, Part::Offerer, Part::AccountManager, Part::Lead, Part::Onlooker];

fn handoff_states() -> Vec<HandoffState> {
    let (on, by) = (sample::day("2026-11-02"), || "Kim".to_owned());
    vec![
        HandoffState::Detected { holder: by(), until: None },
        HandoffState::Qualified { by: by(), on, holder: None },
        HandoffState::Offered { to: by(), answers_for_pool: None, by: None, until: None },
        HandoffState::Accepted { by: by(), on },
        HandoffState::Declined { by: by(), on, reason: by(), back_to: by() },
        HandoffState::Expired { on, back_to: by() },
        HandoffState::Withdrawn { by: by(), on },
        HandoffState::Passed { by: by(), on, reason: by() },
        HandoffState::Won { by: by(), on, amount: None },
        HandoffState::Lost { by: by(), on, reason: by() },
        HandoffState::Closed { on, reason: by() },
        HandoffState::HandedBack { by: by(), on, note: by(), back_to: by() },
    ]
}

fn risks(may_act: bool) -> Vec<Card> {
    let (on, by) = (sample::day("2026-11-02"), || "Kim".to_owned());
    let states = [
        RiskState::Open,
        RiskState::Acknowledged { by: by(), on, step: None, due: on },
        RiskState::Snoozed { by: by(), on, until: on },
        RiskState::Resolved { by: by(), on, how: Resolution::Fixed, note: None },
        RiskState::Ended { on, left: false },
    ];
    let views = states.into_iter().flat_map(|state| {
        [true, false].map(|leads| RiskView { state: state.clone(), leads, may_act, ..sample::risk() })
    });
    views.map(Card::Risk).collect()
}

fn handoffs(may_act: bool) -> Vec<Card> {
    let held = Withheld { cause: "Notice".into(), handled_by: None, with: None, since: sample::day("2026-11-02") };
    let mut cards = Vec::new();
    for (part, state) in PARTS.into_iter().flat_map(|part| handoff_states().into_iter().map(move |s| (part, s))) {
        for (withheld, kind) in [
            (None, WindowKind::Seats),
            (Some(held.clone()), WindowKind::Seats),
            (Some(held.clone()), WindowKind::Requested),
        ] {
            let state = state.clone();
            cards.push(Card::Window(WindowView { state, withheld, kind, part, may_act, ..sample::window() }));
        }
        cards.push(Card::HandedRisk(HandedRiskView { state, part, may_act, ..sample::handed_risk() }));
    }
    cards
}

fn renewals(may_act: bool) -> Vec<Card> {
    let on = sample::day("2026-11-02");
    let mut cards = Vec::new();
    for part in [RenewalPart::Owner, RenewalPart::Prepares, RenewalPart::Informed] {
        for state in [
            RenewalState::Upcoming,
            RenewalState::Preparing { since: on },
            RenewalState::Negotiating { since: on },
            RenewalState::Renewed { by: None, on, amount: None },
        ] {
            for stage in [Stage::D90, Stage::Overdue] {
                let mut view = RenewalView { part, may_act, state: state.clone(), ..sample::renewal() };
                view.read.stage = stage;
                cards.push(Card::Renewal(view));
            }
        }
    }
    cards
}

fn messages(may_act: bool) -> Vec<(Card, Message)> {
    let cards = [risks(may_act), handoffs(may_act), renewals(may_act)].concat();
    let angles = [Angle::Csm, Angle::AccountManager, Angle::Both];
    let seen = cards.into_iter().flat_map(|card| angles.map(|angle| seen_from(card.clone(), angle)));
    seen.map(|card| (card.clone(), message(&card, sample::today()))).collect()
}

#[test]
fn cards_are_short_and_their_buttons_fit() {
    for (card, message) in messages(true) {
        assert!(message.blocks.len() <= 3, "{card:?}");
        let Some(Block::Buttons(buttons)) = message.blocks.last() else { panic!("no button: {card:?}") };
        assert!((1..=2).contains(&buttons.shown.len()), "{card:?}");
        let verbs: Vec<Verb> = message.buttons().map(|button| button.action.verb).collect();
        assert_eq!(verbs.iter().collect::<BTreeSet<_>>().len(), verbs.len(), "a verb twice: {verbs:?}");
        assert!(message.buttons().all(|b| b.label.chars().count() <= 30 && b.spoken.ends_with(&card.account().name)));
        assert!(!message.summary.is_empty() && !message.summary.contains('\n'));
    }
}

#[test]
fn who_may_not_act_may_only_look() {
    for (card, message) in messages(false) {
        let verbs: Vec<Verb> = message.buttons().map(|button| button.action.verb).collect();
        assert_eq!(verbs, [Verb::ShowMore], "{card:?}");
    }
}

#[test]
fn every_verb_can_be_pressed_somewhere() {
    let mut pressed: BTreeSet<Verb> = RAISABLE.into_iter().collect();
    for (_, message) in messages(true) {
        pressed.extend(message.buttons().map(|button| button.action.verb));
    }
    pressed.extend(several("a", &[Account::new("a", "A")], Verb::ShowMore).buttons().map(|button| button.action.verb));
    // The rest of a digest and the account's own answer carry these; their tests show them.
    pressed.extend([Verb::AcknowledgeGroup, Verb::SnoozeGroup, Verb::Share]);
    // And the home page these.
    pressed.extend([Verb::TurnPage, Verb::Settings]);
    // And these where somebody is unknown.
    pressed.extend([Verb::Introduce, Verb::ConfirmIntroduction, Verb::RefuseIntroduction]);
    // And what is proposed about rules these.
    pressed.extend([Verb::PutOnTrial, Verb::BringBack]);
    let missing: Vec<Verb> = Verb::ALL.into_iter().filter(|verb| !pressed.contains(verb)).collect();
    assert_eq!(missing, []);
}
