use super::super::card::Card;
use super::super::card::sample::{self, seen_from};
use super::super::text::to_text;
use super::super::view::{DeadlineKind, RiskState, Withheld};
use super::*;
use crate::domain::action::{Subject, Verb};

fn morning() -> DigestView {
    DigestView {
        digest: Uuid::nil(),
        name: "Dana".into(),
        date: sample::today(),
        angle: Angle::Csm,
        basis: Some(Basis { diagnosed_on: sample::today(), read_on: sample::today(), hours_old: 6, delayed: false }),
        totals: Totals {
            accounts: 42,
            at_risk: 14,
            in_hand: Some(3),
            with_others: 0,
            set_aside: 0,
            arr_at_risk: vec![sample::usd(410_000)],
            windows: 1,
            window_amount: vec![sample::usd(12_000)],
            renewals: 2,
            next: None,
        },
        news: Some("Acme served notice".into()),
        first_read: None,
        sections: vec![
            Section {
                kind: SectionKind::AtRisk,
                cards: vec![Card::Risk(sample::risk()).into(), Card::Risk(sample::risk()).into()],
            },
            Section { kind: SectionKind::Qualify, cards: vec![Card::Window(sample::window()).into()] },
        ],
        moved: Vec::new(),
        rest: vec![RestGroup {
            number: 1,
            cause: "Usage is down".into(),
            kind: RestKind::Risks,
            lines: vec![
                RestLine {
                    name: "Initech".into(),
                    amount: Some(sample::usd(30_000)),
                    deadline: Some(Deadline { on: sample::day("2026-12-01"), kind: DeadlineKind::OptOut }),
                    settled: None,
                },
                RestLine { name: "Umbrella".into(), amount: None, deadline: None, settled: None },
            ],
            returns_on: Some(sample::day("2026-11-04")),
            may_act: true,
        }],
        withheld: Vec::new(),
        sources: vec![
            SourceAge { source: Source::Usage, last: Some(sample::day("2026-11-02")), late: false, every: Some(1) },
            SourceAge { source: Source::Crm, last: Some(sample::day("2026-10-31")), late: false, every: Some(1) },
            SourceAge { source: Source::Billing, last: Some(sample::day("2026-09-23")), late: true, every: Some(7) },
            SourceAge { source: Source::Onboarding, last: None, late: true, every: None },
        ],
        gaps: None,
        team: None,
    }
}

fn drawn(view: &DigestView) -> String {
    let message = message(view);
    format!("({})\n{}", message.summary, to_text(&message, 100))
}

fn empty() -> DigestView {
    DigestView { sections: Vec::new(), rest: Vec::new(), news: None, sources: Vec::new(), ..morning() }
}

#[test]
fn the_csms_morning() {
    insta::assert_snapshot!(drawn(&morning()), @"
    (14 at risk, $410k; 1 window, about $12k; Acme served notice)
    Good morning, Dana · Tuesday 3 November 2026
    ============================================
      Based on the diagnosis of Tue 3 Nov.

    At risk (2)
    ===========

    Acme · health 34, at risk (was 52) · ARR $184k
    Active users fell from 80 to 28 in five weeks.
    This week: Ask the champion what changed and book a training for the team that stopped.
    Also: An invoice is 65 days late.
    Deadline: opt-out date Fri 27 Nov, in 24 days.
    Open window: more seats, about $12k, with Kim.
      New · at risk since Mon 2 Nov · AM: Kim · diagnosis 7F3A-9C01
    [Acknowledge] [Set next step] More: [Snooze] [Resolve] [Hand to AM] [Note] [Not useful] [Raise]
    [Show more]

    ----------------------------------------

    Acme · health 34, at risk (was 52) · ARR $184k
    Active users fell from 80 to 28 in five weeks.
    This week: Ask the champion what changed and book a training for the team that stopped.
    Also: An invoice is 65 days late.
    Deadline: opt-out date Fri 27 Nov, in 24 days.
    Open window: more seats, about $12k, with Kim.
      New · at risk since Mon 2 Nov · AM: Kim · diagnosis 7F3A-9C01
    [Acknowledge] [Set next step] More: [Snooze] [Resolve] [Hand to AM] [Note] [Not useful] [Raise]
    [Show more]

    Windows to qualify (1)
    ======================

    Globex · more seats, about $12k · health 82, healthy · ARR $184k
    96 of 100 seats in use for three weeks.
    Ask the customer: is there a need, who decides, and when? Then qualify it, or pass.
    With Dana until Fri 6 Nov.
      New · open until Fri 29 Jan 2027 · opt-out date Wed 31 Mar 2027, in 148 days · diagnosis 7F3A-9C01
    [Qualify] [Pass] More: [Note] [Not useful] [Raise] [Show more]

    Also on your list (2)
    =====================
      Each comes back on the day it names, or earlier if it gets worse.

    Usage is down: 2 accounts, back tomorrow
    - Initech · ARR $30k · opt-out date Tue 1 Dec, in 28 days
    - Umbrella
    [Acknowledge all] [Snooze all]
      Last data: usage: yesterday · crm: 3 days ago · billing: 41 days ago (late: usually every 7 days)
      · onboarding: nothing yet (late)
    ");
}

#[test]
fn a_line_says_what_was_done_and_a_button_settles_only_what_waits() {
    let until = sample::day("2026-11-10");
    let snoozed = RiskState::Snoozed { by: "you".into(), on: sample::today(), until };
    let mut view = DigestView { rest: morning().rest, ..empty() };
    view.rest[0].lines[0].settled = Some(snoozed.clone());
    let one_left = drawn(&view);
    assert!(one_left.contains("Initech · ARR $30k · opt-out date Tue 1 Dec, in 28 days · snoozed until Tue 10 Nov"));
    assert!(one_left.contains("[Acknowledge] [Snooze]") && one_left.contains("back tomorrow"), "{one_left}");
    view.rest[0].lines[1].settled = Some(snoozed);
    let none_left = drawn(&view);
    assert!(!none_left.contains('[') && !none_left.contains("back"), "{none_left}");
}

#[test]
fn the_combined_morning_has_both_angles() {
    let mut view = morning();
    view.angle = Angle::Both;
    view.sections = vec![
        Section { kind: SectionKind::AtRisk, cards: vec![seen_from(Card::Risk(sample::risk()), Angle::Both).into()] },
        Section {
            kind: SectionKind::Renewals,
            cards: vec![seen_from(Card::Renewal(sample::renewal()), Angle::Both).into()],
        },
    ];
    view.rest.clear();
    view.withheld = vec![WithheldLine {
        account: "Globex".into(),
        handoff: Uuid::nil(),
        what: "more seats, about $12k".into(),
        held: Withheld {
            cause: "Notice served".into(),
            handled_by: Some("Dana".into()),
            with: None,
            since: sample::day("2026-11-02"),
        },
        may_act: true,
    }];
    insta::assert_snapshot!(drawn(&view), @"
    (14 at risk, $410k; 1 window, about $12k; 2 renewals; Acme served notice)
    Good morning, Dana · Tuesday 3 November 2026
    ============================================
      Based on the diagnosis of Tue 3 Nov.

    At risk (1)
    ===========

    Acme · health 34, at risk (was 52) · ARR $184k
    Active users fell from 80 to 28 in five weeks.
    As CSM: Ask the champion what changed and book a training for the team that stopped.
    As AM: Hold the pitch until usage is back.
    Also: An invoice is 65 days late.
    Deadline: opt-out date Fri 27 Nov, in 24 days.
    Open window: more seats, about $12k, with Kim.
      New · at risk since Mon 2 Nov · diagnosis 7F3A-9C01
    [Acknowledge] [Set next step] More: [Snooze] [Resolve] [Note] [Not useful] [Raise] [Show more]

    Renewals (1)
    ============

    Acme · renewal · ARR $184k · health 34, at risk (was 52)
    Opt-out date: Fri 27 Nov, in 24 days. Without notice it renews by itself on Thu 25 Feb 2027.
    Know first: Active users fell from 80 to 28 in five weeks.
    This step: Get the decision in writing.
    Work on it has not started.
      Step: 30 days before the deadline · owner: you · diagnosis 7F3A-9C01
    [Start preparing] [Note] More: [Start negotiating] [Renewed] [Contracted] [Lost] [Raise] [Show more]

    Withheld (1)
    ============

    Globex · more seats, about $12k. Withheld: Notice served. Handled by Dana since Mon 2 Nov.
    [Override]
      Last data: usage: yesterday · crm: 3 days ago · billing: 41 days ago (late: usually every 7 days)
      · onboarding: nothing yet (late)
    ");
}

#[test]
fn empty_mornings_say_so() {
    let mut steady = empty();
    steady.totals = Totals {
        accounts: 42,
        next: Some(("Acme".into(), Deadline { on: sample::day("2026-11-27"), kind: DeadlineKind::OptOut })),
        ..Totals::default()
    };
    let mut in_hand = empty();
    (in_hand.totals.at_risk, in_hand.totals.in_hand) = (3, Some(3));
    let mut none = empty();
    none.totals = Totals::default();
    let mut before = none.clone();
    before.basis = None;
    insta::assert_snapshot!([steady, in_hand, none, before].iter().map(drawn).collect::<Vec<_>>().join("\n"), @"
    (Nothing needs you today)
    Good morning, Dana · Tuesday 3 November 2026
    ============================================
      Based on the diagnosis of Tue 3 Nov.

    Nothing needs you today. 42 accounts, none at risk. Next: Acme, opt-out date Fri 27 Nov, in 24 days.

    (Nothing needs you today)
    Good morning, Dana · Tuesday 3 November 2026
    ============================================
      Based on the diagnosis of Tue 3 Nov.

    Nothing new needs you today. 42 accounts, 3 at risk and in hand.

    (Nothing needs you today)
    Good morning, Dana · Tuesday 3 November 2026
    ============================================
      Based on the diagnosis of Tue 3 Nov.

    Nothing needs you today. No account is in your name yet; your admin can import them.

    (Nothing needs you today)
    Good morning, Dana · Tuesday 3 November 2026
    ============================================
      No diagnosis yet: the first one runs tonight.

    Nothing to show yet. Your first cards come after the first diagnosis.
    ");
}

#[test]
fn none_at_risk_is_said_of_the_whole_book() {
    let said = |at_risk, with_others, set_aside| {
        let totals =
            Totals { accounts: 14, at_risk, in_hand: Some(at_risk), with_others, set_aside, ..Totals::default() };
        nothing(&DigestView { totals, ..empty() })
    };
    insta::assert_snapshot!([said(0, 1, 0), said(0, 2, 0), said(0, 0, 1), said(0, 2, 1), said(3, 1, 0)].join("\n"), @"
    Nothing needs you today. 14 accounts, 1 at risk, in other hands.
    Nothing needs you today. 14 accounts, 2 at risk, in other hands.
    Nothing needs you today. 14 accounts, 1 at risk, set aside.
    Nothing needs you today. 14 accounts, 3 at risk: 2 in other hands, 1 set aside.
    Nothing new needs you today. 14 accounts, 3 at risk and in hand; beside them 1 at risk, in other hands.
    ");
}

#[test]
fn in_hand_is_what_somebody_has_acknowledged() {
    let said = |in_hand| at_risk_of(6, in_hand);
    assert_eq!(
        [None, Some(0), Some(4), Some(6)].map(said),
        [
            "6 at risk",
            "6 at risk, not acknowledged yet",
            "6 at risk: 4 in hand, 2 not acknowledged yet",
            "6 at risk and in hand"
        ]
    );
}

#[test]
fn what_moved_on_says_where_it_is() {
    let mut view = empty();
    view.moved = vec![("Acme".into(), sample::day("2026-11-04")), ("Globex".into(), sample::today())];
    let said = drawn(&view);
    assert!(said.contains("In newer messages now: Acme (Wed 4 Nov) and Globex (Tue 3 Nov)."), "{said}");
    assert!(!said.contains("Nothing"), "{said}");
}

#[test]
fn the_first_day_is_a_backlog_and_not_an_alarm() {
    let mut view = morning();
    view.first_read = Some(312);
    view.basis = Some(Basis {
        diagnosed_on: sample::day("2026-11-01"),
        read_on: sample::day("2026-11-01"),
        hours_old: 54,
        delayed: true,
    });
    let text = drawn(&view);
    let head: Vec<&str> = text.lines().skip(1).take(8).collect();
    insta::assert_snapshot!(head.join("\n"), @"
    Good morning, Dana · Tuesday 3 November 2026
    ============================================
      Based on the diagnosis of Sun 1 Nov. It is 54 hours old: newer facts are not in it. This message
      is late today.

    First read of 312 accounts: the 3 cards that matter most today. The rest follows as you work through
    it. Nothing counts as late before you saw it.
    ");
    view.rest.clear();
    assert!(drawn(&view).contains("First read of 312 accounts: 3 need you today. Nothing counts as late"));
}

#[test]
fn a_morning_that_is_drawn_after_a_later_night_says_so() {
    let basis = |read_on| Basis { diagnosed_on: sample::today(), read_on, hours_old: 6, delayed: false };
    let said = |read_on| drawn(&DigestView { basis: Some(basis(read_on)), ..morning() });
    let later = said(sample::day("2026-11-04"));
    assert!(later.contains("Based on the diagnosis of Tue 3 Nov. Its numbers are those of Wed 4 Nov now."), "{later}");
    assert!(!said(sample::today()).contains("Its numbers"));
}

#[test]
fn the_am_reads_windows_first() {
    let view = DigestView { angle: Angle::AccountManager, ..morning() };
    assert_eq!(message(&view).summary, "1 window, about $12k; 2 renewals; 14 at risk, $410k; Acme served notice");
}

#[test]
fn long_groups_are_cut_and_can_be_shown_whole() {
    let mut view = morning();
    let line = view.rest[0].lines[0].clone();
    view.rest[0].lines = vec![line; 40];
    let message = message(&view);
    let text = to_text(&message, 100);
    assert!(text.contains("- and 25 more\n"), "{text}");
    assert!(
        message.buttons().any(|b| b.action.verb == Verb::ShowMore && matches!(b.action.subject, Subject::Group(..)))
    );
    let whole = to_text(&whole_group(&view.rest[0], view.date), 100);
    assert_eq!(whole.matches("- Initech").count(), 40);
}
