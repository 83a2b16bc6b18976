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
            blocks.extend(card.blocks(view.angle, view.date));
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
    let mut out = format!("Based on the diagnosis of {}.", phrase::date(basis.diagnosed_on, view.date));
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
    let mut out = match totals.at_risk {
        0 => format!("Nothing needs you today. {accounts}, none at risk."),
        at_risk => format!("Nothing new needs you today. {accounts}, {}.", at_risk_of(at_risk, totals.in_hand)),
    };
    if let Some((name, deadline)) = &totals.next {
        out.push_str(&format!(" Next: {name}, {}.", card::deadline(*deadline, view.date)));
    }
    out
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
mod tests {
    use super::super::card::{Card, sample};
    use super::super::text::to_text;
    use super::super::view::{DeadlineKind, Withheld};
    use super::*;
    use crate::domain::action::{Subject, Verb};

    fn morning() -> DigestView {
        DigestView {
            digest: Uuid::nil(),
            name: "Dana".into(),
            date: sample::today(),
            angle: Angle::Csm,
            basis: Some(Basis { diagnosed_on: sample::today(), hours_old: 6, delayed: false }),
            totals: Totals {
                accounts: 42,
                at_risk: 14,
                in_hand: Some(3),
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
                    },
                    RestLine { name: "Umbrella".into(), amount: None, deadline: None },
                ],
                returns_on: Some(sample::day("2026-11-04")),
                may_act: true,
            }],
            withheld: Vec::new(),
            sources: vec![
                SourceAge { source: Source::Usage, last: Some(sample::day("2026-11-02")), late: false, every: Some(1) },
                SourceAge { source: Source::Crm, last: Some(sample::day("2026-10-31")), late: false, every: Some(1) },
                SourceAge {
                    source: Source::Billing,
                    last: Some(sample::day("2026-09-23")),
                    late: true,
                    every: Some(7),
                },
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
    fn the_combined_morning_has_both_angles() {
        let mut view = morning();
        view.angle = Angle::Both;
        view.sections = vec![
            Section { kind: SectionKind::AtRisk, cards: vec![Card::Risk(sample::risk()).into()] },
            Section { kind: SectionKind::Renewals, cards: vec![Card::Renewal(sample::renewal()).into()] },
        ];
        view.rest.clear();
        view.withheld = vec![WithheldLine {
            account: "Globex".into(),
            handoff: Uuid::nil(),
            what: "more seats, about $12k".into(),
            held: Withheld {
                cause: "Notice served".into(),
                handled_by: Some("Dana".into()),
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
        view.basis = Some(Basis { diagnosed_on: sample::day("2026-11-01"), hours_old: 54, delayed: true });
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
            message
                .buttons()
                .any(|b| b.action.verb == Verb::ShowMore && matches!(b.action.subject, Subject::Group(..)))
        );
        let whole = to_text(&whole_group(&view.rest[0], view.date), 100);
        assert_eq!(whole.matches("- Initech").count(), 40);
    }
}
