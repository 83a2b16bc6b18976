//! Cards: one matter of one account, with its state and what can be done about
//! it. Both sides of a pair read the same card; what comes first differs.

mod handed;
mod renewal;
mod risk;
mod window;

#[cfg(test)]
pub(super) mod sample;

use chrono::NaiveDate;

pub(super) use self::renewal::{next_date as renewal_date, state as renewal_state};
pub(super) use self::window::{handoff_state, title as window_title};

use super::view::{
    AccountView, Angle, Deadline, DeadlineKind, HandedRiskView, NoteView, RenewalView, RiskState, RiskView, Why,
    WindowLine, WindowView, Withheld,
};
use super::{Block, Button, Buttons, Message, Text, phrase};
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::diagnosis::{Band, Cause};

/// One card of a digest, or a message of its own.
#[derive(Debug, Clone, PartialEq)]
pub enum Card {
    Risk(RiskView),
    Window(WindowView),
    Renewal(RenewalView),
    HandedRisk(HandedRiskView),
}

/// All that a reader has open on one account, as one card: what leads it, and the rest beneath.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountCard {
    pub lead: Card,
    others: Vec<Card>,
}

impl From<Card> for AccountCard {
    fn from(lead: Card) -> Self {
        Self { lead, others: Vec::new() }
    }
}

impl AccountCard {
    /// What a matter beneath says itself, the lead does not say in passing.
    pub fn new(mut lead: Card, others: Vec<Card>) -> Self {
        let below = |kind: fn(&Card) -> bool| others.iter().any(kind);
        let own_window = |line: &WindowLine| {
            others.iter().any(|other| matches!(other, Card::Window(view) if view.handoff == line.handoff))
        };
        let has_risk = below(|card| matches!(card, Card::Risk(_)));
        match &mut lead {
            Card::Risk(view) => {
                view.windows.retain(|line| !own_window(line));
                if below(|card| matches!(card, Card::Renewal(_))) {
                    view.deadline = None;
                }
                if below(|card| matches!(card, Card::HandedRisk(_))) {
                    view.handed = None;
                }
            }
            Card::Renewal(view) => {
                view.windows.retain(|line| !own_window(line));
                if has_risk {
                    (view.account.risk, view.causes) = (None, Vec::new());
                }
            }
            Card::Window(view) if has_risk => (view.account.risk, view.causes) = (None, Vec::new()),
            Card::HandedRisk(view) if has_risk => view.causes = Vec::new(),
            Card::Window(_) | Card::HandedRisk(_) => {}
        }
        Self { lead, others }
    }

    /// Of the account: the head with its small print and buttons, then each matter with its own.
    pub fn blocks(&self, angle: Angle, today: NaiveDate) -> Vec<Block> {
        let mut blocks = blocks(&self.lead, angle, today);
        for other in &self.others {
            let (lines, mut buttons) = match other {
                Card::Risk(view) => risk::beneath(view, angle, today),
                Card::Window(view) => window::beneath(view, today),
                Card::Renewal(view) => renewal::beneath(view, angle, today),
                Card::HandedRisk(view) => handed::beneath(view, today),
            };
            // What is about the account stands with the lead already.
            for row in [&mut buttons.shown, &mut buttons.more] {
                row.retain(|button| !matches!(button.action.subject, Subject::Account(_)));
            }
            if buttons.shown.is_empty() {
                buttons.shown = std::mem::take(&mut buttons.more);
                buttons.more = buttons.shown.split_off(buttons.shown.len().min(2));
            }
            blocks.extend(assemble(lines, Vec::new(), buttons));
        }
        blocks
    }

    /// As a message of its own: a decision signal's ping, a handoff's offer.
    pub fn message(&self, angle: Angle, today: NaiveDate) -> Message {
        Message { blocks: self.blocks(angle, today), ..message(&self.lead, angle, today) }
    }
}

impl Card {
    pub fn account(&self) -> &AccountView {
        match self {
            Card::Risk(view) => &view.account,
            Card::Window(view) => &view.account,
            Card::Renewal(view) => &view.account,
            Card::HandedRisk(view) => &view.account,
        }
    }

    /// What can be done about it.
    pub fn buttons(&self, angle: Angle, today: NaiveDate) -> Option<Buttons> {
        blocks(self, angle, today).into_iter().find_map(|block| match block {
            Block::Buttons(buttons) => Some(buttons),
            _ => None,
        })
    }
}

/// The card as at most three blocks: what it says, small print, buttons.
pub fn blocks(card: &Card, angle: Angle, today: NaiveDate) -> Vec<Block> {
    match card {
        Card::Risk(view) => risk::blocks(view, angle, today),
        Card::Window(view) => window::blocks(view, angle, today),
        Card::Renewal(view) => renewal::blocks(view, angle, today),
        Card::HandedRisk(view) => handed::blocks(view, angle, today),
    }
}

/// The card as a message of its own: a decision signal's ping, a handoff's offer, a shared card.
pub fn message(card: &Card, angle: Angle, today: NaiveDate) -> Message {
    let summary = match card {
        Card::Risk(view) => risk::summary(view),
        Card::Window(view) => window::summary(view, today),
        Card::Renewal(view) => renewal::summary(view, today),
        Card::HandedRisk(view) => handed::summary(view),
    };
    Message { summary, blocks: blocks(card, angle, today) }
}

/// To whoever has had something in hand for a while.
const STILL_ON_IT: &str = "Still on it? Acknowledge says yes.";

/// What is done about the account's risk, for who reads of its money.
fn doing(account: &AccountView, today: NaiveDate) -> Option<String> {
    let on = |day: &NaiveDate| phrase::date(*day, today);
    Some(match account.risk.as_ref()? {
        RiskState::Open => "At risk, and not acknowledged yet.".to_owned(),
        RiskState::Acknowledged { by, step: Some(step), due, .. } => {
            let step = phrase::cut(step, 200);
            format!("At risk, in hand with {by}: {}, due {}.", step.trim_end_matches('.'), on(due))
        }
        RiskState::Acknowledged { by, due, .. } => format!("At risk, in hand with {by}; next step due {}.", on(due)),
        RiskState::Snoozed { by, until, .. } => format!("At risk, snoozed by {by} until {}.", on(until)),
        RiskState::Resolved { .. } | RiskState::Ended { .. } => return None,
    })
}

/// Assembles a card: lines above, small print below, then the buttons that are there.
fn assemble(lines: Vec<Text>, small: Vec<String>, buttons: Buttons) -> Vec<Block> {
    let mut text = Text::new();
    for (at, line) in lines.into_iter().filter(|line| !line.is_empty()).enumerate() {
        text = if at == 0 { line } else { text.then("\n").append(line) };
    }
    let mut blocks = vec![Block::Text(text)];
    let small: Vec<String> = small.into_iter().filter(|part| !part.is_empty()).collect();
    if !small.is_empty() {
        blocks.push(Block::Context(phrase::capital(&small.join(" · ")).into()));
    }
    if !buttons.shown.is_empty() || !buttons.more.is_empty() {
        blocks.push(Block::Buttons(buttons));
    }
    blocks
}

/// The account's name, leading to the CRM where its address is known.
pub(super) fn name(account: &AccountView) -> Text {
    match &account.url {
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
            Text::new().then_link(&account.name, url)
        }
        _ => Text::strong(&account.name),
    }
}

/// "health 34, at risk (was 52)".
pub(super) fn health(account: &AccountView) -> String {
    match (account.health, account.band) {
        (None, Band::Unknown) => "health unknown: too little data".to_owned(),
        (None, band) => band.label().to_owned(),
        (Some(health), band) => {
            let was = match account.previous_health {
                Some(previous) if previous != health => format!(" (was {previous})"),
                _ => String::new(),
            };
            format!("health {health}, {}{was}", band.label())
        }
    }
}

pub(super) fn arr(account: &AccountView) -> String {
    account.arr.map(|arr| format!("ARR {arr}")).unwrap_or_default()
}

/// By which two who read of an account can see that they read the same diagnosis: "diagnosis 7F3A-9C01".
pub(super) fn diagnosis(account: &AccountView) -> String {
    account.diagnosis.map(|id| format!("diagnosis {}", phrase::short_id(id))).unwrap_or_default()
}

/// "Acme · health 34, at risk (was 52) · ARR $184k".
fn head(account: &AccountView, parts: &[String]) -> Text {
    parts.iter().filter(|part| !part.is_empty()).fold(name(account), |head, part| head.then(format!(" · {part}")))
}

/// "opt-out date Fri 27 Nov, in 12 days".
pub(super) fn deadline(deadline: Deadline, today: NaiveDate) -> String {
    let kind = match deadline.kind {
        DeadlineKind::OptOut => "opt-out date",
        DeadlineKind::Renewal => "renewal date",
    };
    format!("{kind} {}", phrase::date_and_distance(deadline.on, today))
}

pub(super) fn withheld(withheld: &Withheld, today: NaiveDate) -> String {
    let since = phrase::date(withheld.since, today);
    let cause = withheld.cause.trim_end_matches('.');
    match &withheld.handled_by {
        Some(who) => format!("Withheld: {cause}. Handled by {who} since {since}."),
        None => format!("Withheld: {cause}, since {since}. Nobody handles it yet."),
    }
}

/// What the customer asked for is never withheld; it carries this.
fn warning(withheld: &Withheld, today: NaiveDate) -> String {
    let since = phrase::date(withheld.since, today);
    let cause = withheld.cause.trim_end_matches('.');
    match &withheld.handled_by {
        Some(who) => format!("Careful, the account is at risk: {cause}. Handled by {who} since {since}. Speak first."),
        None => format!("Careful, the account is at risk since {since}: {cause}. Nobody handles it yet."),
    }
}

/// An amount, saying "about" where it is an estimate; empty where it is not known.
fn amount(amount: Option<crate::domain::money::Money>, estimated: bool) -> String {
    match amount {
        Some(amount) if estimated => phrase::about(amount),
        Some(amount) => amount.to_string(),
        None => String::new(),
    }
}

/// "more seats, about $12k, with Kim".
pub(super) fn window_line(line: &WindowLine) -> String {
    let mut parts = vec![line.kind.label().to_owned()];
    parts.extend(Some(amount(line.amount, line.estimated)).filter(|amount| !amount.is_empty()));
    match (&line.withheld, &line.holder) {
        (Some(_), _) => parts.push("withheld".to_owned()),
        (None, Some(holder)) => parts.push(format!("with {holder}")),
        (None, None) => {}
    }
    if line.co_term {
        parts.push("with the renewal".to_owned());
    }
    parts.join(", ")
}

fn window_lines(lines: &[WindowLine]) -> String {
    let said: Vec<String> = lines.iter().map(window_line).collect();
    match said.as_slice() {
        [] => String::new(),
        [one] => format!("Open window: {one}."),
        many => format!("Open windows: {}.", many.join("; ")),
    }
}

/// The one thing to do: the first cause's action for this role.
fn play(causes: &[Cause], angle: Angle) -> Vec<Text> {
    let Some(first) = causes.first() else { return Vec::new() };
    let line = |who: &str, what: &str| {
        if what.is_empty() { Text::new() } else { Text::strong(who).then(format!(" {}", phrase::sentence(what))) }
    };
    match angle {
        Angle::Csm => vec![line("This week:", &first.actions.csm)],
        Angle::AccountManager => vec![line("This week:", &first.actions.account_manager)],
        Angle::Both => {
            vec![line("As CSM:", &first.actions.csm), line("As AM:", &first.actions.account_manager)]
        }
    }
}

/// How many further causes a card names; the account's own answer has them all.
const ALSO: usize = 3;

/// "Also: invoice 65 days late; NPS 4; and 2 more."
fn also(causes: &[Cause]) -> String {
    let others: Vec<&str> = causes.iter().skip(1).map(|cause| cause.headline.trim_end_matches('.')).collect();
    match others.len() {
        0 => String::new(),
        n if n > ALSO => format!("Also: {}; and {} more.", others[..ALSO].join("; "), n - ALSO),
        _ => format!("Also: {}.", others.join("; ")),
    }
}

fn why(why: &Why) -> String {
    match why {
        Why::New => "New".to_owned(),
        Why::Worse => "Got worse".to_owned(),
        Why::Decision => "Urgent".to_owned(),
        Why::NextStepDue => "Your next step is due".to_owned(),
        Why::LadderStep(days) => format!("Step: {days} days before the deadline"),
        Why::Unacknowledged(days) => {
            format!("Waiting for {}", phrase::count(usize::from(*days), "working day"))
        }
        Why::Woken => "Back on your list".to_owned(),
        Why::Offered => "Given to you".to_owned(),
        Why::Asked => String::new(),
    }
}

fn note_line(lead: &str, note: &NoteView, today: NaiveDate) -> String {
    format!(
        "{lead} ({}, {}): {}",
        note.by,
        phrase::date(note.on, today),
        phrase::sentence(&phrase::cut(&note.text, 200))
    )
}

/// Makes the buttons of one card: the label is spoken with the account's name.
struct Keys<'a> {
    account: &'a AccountView,
    subject: Subject,
}

impl Keys<'_> {
    fn button(&self, verb: Verb) -> Button {
        let subject = match verb {
            Verb::Note | Verb::Raise | Verb::ShowMore | Verb::Share => Subject::Account(self.account.id.clone()),
            _ => self.subject.clone(),
        };
        Button::new(Action::new(verb, subject), &self.account.name)
    }

    /// Two on the card, the first of them emphasised where `primary`; the rest under *More*.
    fn row(&self, primary: bool, shown: &[Verb], more: &[Verb]) -> Buttons {
        let mut shown: Vec<Button> = shown.iter().map(|verb| self.button(*verb)).collect();
        if primary && let Some(first) = shown.first_mut() {
            first.emphasis = super::Emphasis::Primary;
        }
        Buttons { shown, more: more.iter().map(|verb| self.button(*verb)).collect() }
    }

    /// For those who may look and not act.
    fn look_only(&self) -> Buttons {
        self.row(false, &[Verb::ShowMore], &[])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::account::several;
    use super::super::form::RAISABLE;
    use super::super::text;
    use super::super::view::*;
    use super::*;
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
            let text = |angle| text::to_text(&message(&card, angle, sample::today()), 300);
            assert!(text(Angle::AccountManager).contains(said), "{}", text(Angle::AccountManager));
            assert!(!text(Angle::Csm).contains(said));
        }
    }

    fn drawn(lead: Card, others: Vec<Card>, angle: Angle) -> String {
        text::to_text(&AccountCard::new(lead, others).message(angle, sample::today()), 100)
    }

    #[test]
    fn one_card_has_all_that_is_theirs_each_with_its_buttons() {
        let window = WindowView { account: sample::account(), part: Part::Holder, ..sample::window() };
        let others =
            vec![Card::Window(window), Card::Renewal(sample::renewal()), Card::HandedRisk(sample::handed_risk())];
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
            let card = AccountCard::new(lead.clone(), vec![other.clone(), Card::Renewal(sample::renewal())]);
            let message = card.message(Angle::Both, sample::today());
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

    const PARTS: [Part; 6] =
        [Part::Holder, Part::Offered, Part::Offerer, Part::AccountManager, Part::Lead, Part::Onlooker];

    fn handoff_states() -> Vec<HandoffState> {
        let (on, by) = (sample::day("2026-11-02"), || "Kim".to_owned());
        vec![
            HandoffState::Detected { holder: by(), until: None },
            HandoffState::Qualified { by: by(), on },
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
            RiskState::Ended { on },
        ];
        let views = states.into_iter().flat_map(|state| {
            [true, false].map(|leads| RiskView { state: state.clone(), leads, may_act, ..sample::risk() })
        });
        views.map(Card::Risk).collect()
    }

    fn handoffs(may_act: bool) -> Vec<Card> {
        let held = Withheld { cause: "Notice".into(), handled_by: None, since: sample::day("2026-11-02") };
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
        let drawn = cards
            .into_iter()
            .flat_map(|card| angles.map(|angle| (card.clone(), message(&card, angle, sample::today()))));
        drawn.collect()
    }

    #[test]
    fn cards_are_short_and_their_buttons_fit() {
        for (card, message) in messages(true) {
            assert!(message.blocks.len() <= 3, "{card:?}");
            let Some(Block::Buttons(buttons)) = message.blocks.last() else { panic!("no button: {card:?}") };
            assert!((1..=2).contains(&buttons.shown.len()), "{card:?}");
            let verbs: Vec<Verb> = message.buttons().map(|button| button.action.verb).collect();
            assert_eq!(verbs.iter().collect::<BTreeSet<_>>().len(), verbs.len(), "a verb twice: {verbs:?}");
            assert!(
                message.buttons().all(|b| b.label.chars().count() <= 30 && b.spoken.ends_with(&card.account().name))
            );
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
        pressed.extend(several("a", &[("a".into(), "A".into())]).buttons().map(|button| button.action.verb));
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
}
