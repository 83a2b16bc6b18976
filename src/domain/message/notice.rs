//! Purpose: what is sent between mornings: a short reply in the thread when it
//! got worse, what the other side did, reminders and escalations, a book that
//! changes hands, a source that fell silent.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::card;
use super::phrase::{self, cut};
use super::view::{
    AccountView, Deadline, HandedRiskView, HandoffState, NoteView, RenewalState, RiskState, RiskView, WindowLine,
};
use super::{Block, Buttons, Message, Text};
use crate::domain::account::Segment;
use crate::domain::diagnosis::Cause;
use crate::domain::routing::{Model, RenewalOwner};
use crate::domain::signal::Source;

/// The thread's reply that pings: the card above it was edited.
pub fn got_worse(account: &AccountView, cause: Option<&Cause>) -> Message {
    let cause = cause.map(|cause| format!(" {}", phrase::sentence(&cause.headline))).unwrap_or_default();
    Message::sentence(format!("{} got worse: {}.{cause}", account.name, card::health(account)))
}

/// A decision signal: within minutes, in working hours.
pub fn decision(account: &AccountView, headline: &str) -> Message {
    let stake = account.arr.map(|arr| format!(" ARR {arr}.")).unwrap_or_default();
    Message::sentence(format!("{}: {}{stake}", account.name, phrase::sentence(headline)))
}

/// To the other side of a handoff: where it stands now. `what` as in "more seats, about $12k". By when it is answered
/// stands on the card, which is drawn again once it is known; this sentence is said once, and perhaps before.
pub fn handoff(account: &str, what: &str, state: &HandoffState, today: NaiveDate) -> Message {
    let mut state = state.clone();
    if let HandoffState::Detected { until, .. } | HandoffState::Offered { until, .. } = &mut state {
        *until = None;
    }
    Message::sentence(format!("{account} · {what}. {}", card::handoff_state(&state, today)))
}

/// To the other half of the pair: what became of the risk.
pub fn risk(account: &str, state: &RiskState, today: NaiveDate) -> Message {
    let on = |day: &NaiveDate| phrase::date(*day, today);
    Message::sentence(match state {
        RiskState::Open => format!("{account} is at risk again."),
        RiskState::Acknowledged { by, step: Some(step), due, .. } => {
            format!("{account}: next step by {by}: {}, due {}.", cut(step.trim_end_matches('.'), 200), on(due))
        }
        RiskState::Acknowledged { by, due, .. } => {
            format!("{account}: acknowledged by {by}, next step due {}.", on(due))
        }
        RiskState::Snoozed { by, until, .. } => format!("{account}: snoozed by {by} until {}.", on(until)),
        RiskState::Resolved { by, how, .. } => format!("{account}: risk resolved by {by}: {}.", how.label()),
        RiskState::Ended { left: true, .. } => format!("{account}: the risk is over, because the account has left."),
        RiskState::Ended { left: false, .. } => {
            format!("{account} is no longer at risk: health held for three nights.")
        }
    })
}

/// To the other half of the pair: the renewal moved.
pub fn renewal(account: &str, state: &RenewalState, today: NaiveDate) -> Message {
    Message::sentence(format!("{account}: {}", card::renewal_state(state, today)))
}

/// To the CSM: somebody works on a window in spite of the account's risk.
pub fn overridden(account: &str, what: &str, by: &str, reason: &str) -> Message {
    let reason = phrase::sentence(&cut(reason, 200));
    Message::sentence(format!("{account} · {what}. Worked on in spite of the risk by {by}: {reason}"))
}

/// To the renewal's owner: what its CSM was asked for is there.
pub fn briefed(account: &str, by: &str) -> Message {
    Message::sentence(format!("{account}: value brief added by {by}."))
}

/// The steps of an escalation, in order; it stops the moment the matter is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Escalation {
    /// To the one who must answer.
    Reminder { due: NaiveDate },
    /// To a pool, any of which may claim it.
    Unclaimed { due: NaiveDate },
    /// The same, pressed by a lead.
    Nudge { by: String },
    /// To whoever acknowledged a risk whose next step is overdue.
    StillOnIt { due: NaiveDate },
    /// To whoever claimed a handoff, or works on a renewal, and did nothing about it `since`.
    StillWorking { since: NaiveDate },
    /// A risk's, when nothing came of that either.
    Idle,
    /// To the stand-in of somebody away; `due` once a clock runs.
    Delegate { of: String, away_until: Option<NaiveDate>, due: Option<NaiveDate> },
    /// To the lead of the one who is late.
    Lead { late: String },
    /// To the other side: who has it now.
    OtherSide { late: String, now_with: String },
    /// To the other side, where it stays with who is late: their lead, where they have one, was told.
    LeadTold { late: String, lead: Option<String> },
}

pub fn escalation(account: &str, what: &str, step: &Escalation, today: NaiveDate) -> Message {
    let on = |day: &NaiveDate| phrase::date(*day, today);
    let due = |day: &NaiveDate| {
        let tense = if *day < today { "was due" } else { "is due" };
        format!("{tense} {}", on(day))
    };
    Message::sentence(match step {
        Escalation::Reminder { due: day } => format!("Reminder: {account} · {what}. Your answer {}.", due(day)),
        Escalation::Unclaimed { due: day } => {
            format!("Reminder: {account} · {what}. Nobody has claimed it yet; the answer {}.", due(day))
        }
        Escalation::Nudge { by } => format!("{account} · {what}. {by} asks for your answer."),
        Escalation::StillOnIt { due: day } => format!(
            "{account} · {what}. Still on it? The next step {}. Acknowledge says yes; or set the next step.",
            due(day)
        ),
        Escalation::StillWorking { since } => format!(
            "{account} · {what}. Still on it? Nothing was done about it since {}. Acknowledge says yes.",
            on(since)
        ),
        Escalation::Idle => format!("{account} · {what}. Nothing came of the next step, so it is open again."),
        Escalation::Delegate { of, away_until, due: day } => {
            let until = away_until.map(|until| format!(" until {}", on(&until))).unwrap_or_default();
            let answer = day.map(|day| format!(" The answer {}.", due(&day))).unwrap_or_default();
            format!("{account} · {what}. {of} is away{until}; please answer instead.{answer}")
        }
        Escalation::Lead { late } => {
            format!(
                "{account} · {what}. No answer from {late} in time. Please nudge or reassign; no further reminder follows."
            )
        }
        Escalation::OtherSide { late, now_with } => {
            format!("{account} · {what}. No answer from {late} yet; it is now with {now_with}.")
        }
        Escalation::LeadTold { late, lead } => {
            let told = lead.as_ref().map(|lead| format!("; their lead {lead} was told")).unwrap_or_default();
            format!("{account} · {what}. No answer from {late} yet{told}.")
        }
    })
}

/// What is left of an earlier message: the account's card stands in a newer one.
pub fn moved_on(account: &str, on: NaiveDate, today: NaiveDate) -> Message {
    Message::sentence(format!("{account}: see the newer message of {}.", phrase::date(on, today)))
}

/// A line of a channel's thread, with what can be done there about it.
pub fn with_buttons(mut line: Message, buttons: Option<Buttons>) -> Message {
    line.blocks.extend(buttons.map(Block::Buttons));
    line
}

/// The card, under the sentence that says why it comes.
pub fn above(sentence: Message, mut card: Message) -> Message {
    card.summary = sentence.summary;
    card.blocks.splice(0..0, sentence.blocks);
    card
}

/// How much goes to somebody, or comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Load {
    pub risks: u32,
    pub handoffs: u32,
    pub renewals: u32,
}

impl Load {
    fn words(self) -> String {
        let counted = [(self.risks, "risk"), (self.handoffs, "handoff"), (self.renewals, "renewal")];
        let parts: Vec<String> =
            counted.iter().filter(|(n, _)| *n > 0).map(|(n, what)| phrase::count(*n as usize, what)).collect();
        if parts.is_empty() { "nothing open".to_owned() } else { parts.join(", ") }
    }
}

/// To both: one stands in for the other while they are away, or (without `until`) no longer does. The names are
/// first names, or "you"; no verb stands behind one.
pub fn stand_in(of: &str, by: &str, until: Option<NaiveDate>, load: Load, today: NaiveDate) -> Message {
    let load = load.words();
    Message::sentence(match until {
        Some(until) => {
            let until = phrase::date(until, today);
            format!("Away until {until}: {of}. Standing in: {by}, for {load}. It all comes back on the return.")
        }
        None => format!("Back again: {of}. No longer standing in: {by}. Handed back: {load}."),
    })
}

/// The organisation model as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Models {
    pub default: Model,
    pub segments: BTreeMap<Segment, Model>,
    pub renewals: RenewalOwner,
}

/// To whoever stands in for somebody whom no message reaches.
pub fn out_of_reach(of: &str, by: &str, load: Load) -> Message {
    let load = load.words();
    Message::sentence(format!(
        "Out of reach in chat: {of}. Standing in: {by}, for {load}. It all comes back once a message arrives there again."
    ))
}

/// To everyone with a book: the model has changed, and what that moved for the reader.
pub fn model_changed(models: &Models, gained: Load, lost: Load) -> Message {
    let words = |model: Model| match model {
        Model::Pair => "each account has a CSM and an AM",
        Model::Combined => "one person holds both roles",
        Model::Asymmetric => "a CSM on every account, an AM on some, pools for the rest",
    };
    let mut text = format!("Your organisation works differently from now on: {}.", words(models.default));
    for (segment, model) in &models.segments {
        text += &format!(" {}: {}.", phrase::capital(segment.label()), words(*model));
    }
    let owner = match models.renewals {
        RenewalOwner::Csm => "the CSM",
        RenewalOwner::AccountManager => "the AM",
    };
    text += &format!(" Renewals are owned by {owner}.");
    let moved = |load: Load| load.handoffs + load.renewals > 0;
    text += &match (moved(gained), moved(lost)) {
        (false, false) => " Nothing of yours changes hands.".to_owned(),
        (true, false) => format!(" Yours now: {}.", gained.words()),
        (false, true) => format!(" With others now: {}.", lost.words()),
        (true, true) => format!(" Yours now: {}. With others now: {}.", gained.words(), lost.words()),
    };
    text += " See /tandem handoffs and /tandem renewals.";
    Message::sentence(text)
}

/// What the watch finds late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    Night,
    Mornings,
    Clocks,
    Messages,
    /// The watch itself.
    Watch,
}

impl Late {
    pub const ALL: [Late; 5] = [Late::Night, Late::Mornings, Late::Clocks, Late::Messages, Late::Watch];

    pub fn as_str(self) -> &'static str {
        match self {
            Late::Night => "night",
            Late::Mornings => "mornings",
            Late::Clocks => "clocks",
            Late::Messages => "messages",
            Late::Watch => "watch",
        }
    }
}

/// To the admins: what is owed and late, with how many and since when on their own clock; or that all is well again.
pub fn watch(late: &[(Late, i64, NaiveDateTime)], over: bool) -> Message {
    let many = |n: i64, what: &str| phrase::count(usize::try_from(n).unwrap_or(0), what);
    let mut lines: Vec<String> = late
        .iter()
        .map(|(what, n, since)| {
            let since = since.format("%-d %b %Y at %H:%M");
            match what {
                Late::Night => format!("The night's diagnosis is late: it was due on {since}."),
                Late::Mornings => format!("{} late, the oldest due on {since}.", many(*n, "morning message")),
                Late::Clocks => format!("{} not moved, the oldest due on {since}.", many(*n, "clock")),
                Late::Messages => format!("{} not sent, the oldest waiting since {since}.", many(*n, "message")),
                Late::Watch => {
                    format!(
                        "Tandem did not look after its clocks since {since}. What was owed meanwhile is being done now."
                    )
                }
            }
        })
        .collect();
    if over {
        lines.push("Everything that was late has been done.".to_owned());
    }
    let mut said = Text::plain(lines.join("\n"));
    if !over && late.iter().any(|(what, ..)| *what != Late::Watch) {
        said = said.then("\n").then_code("tandem doctor").then(" and the log say more.");
    }
    said_as(said)
}

/// A message of one text, which its notification line says too.
fn said_as(text: Text) -> Message {
    Message { summary: text.to_plain(), blocks: vec![Block::Text(text)] }
}

/// In direct messages, what could not be posted in a channel, and why.
pub fn instead(mut message: Message, problem: &str) -> Message {
    let why = format!(
        "This belongs in your channel, where it could not be posted: {}. An admin can choose another one with ",
        reason(problem)
    );
    message.blocks.push(Block::Context(Text::plain(why).then_code("tandem channel set").then(".")));
    message
}

/// To an admin: somebody's message could not be delivered. `problem` is the platform's code.
pub fn given_up(whom: &str, problem: &str) -> Message {
    if problem == "user_disabled" {
        let what = format!(
            "Nothing reaches {whom} any more: their chat account is deactivated. What lay with them is with whoever stands in, \
             and comes back with the account; if they have left, "
        );
        return said_as(Text::plain(what).then_code("tandem transfer").then(" gives their book to somebody."));
    }
    let what = format!("A message to {whom} could not be delivered: {}. ", reason(problem));
    said_as(Text::plain(what).then_code("tandem doctor").then(" shows who cannot be reached."))
}

fn reason(problem: &str) -> String {
    match problem {
        "outsiders" => "people from outside your company would see it".to_owned(),
        "too_many_members" => "the channel has too many members to be sure that no guest reads along".to_owned(),
        "user_not_found" | "users_not_found" => "nobody in the workspace has their e-mail address".to_owned(),
        "no_teams_user_id" => {
            "their teams_user_id is not imported, and they have not written to Tandem in Teams yet".to_owned()
        }
        "MessageWritesBlocked" => "they blocked Tandem in Teams, or removed it".to_owned(),
        "BotNotInConversationRoster" | "ForbiddenOperationException" => {
            "Tandem is not installed there in Teams".to_owned()
        }
        "not_a_colleague" => "they are a guest, or of another company".to_owned(),
        "possibly_sent" => "Teams did not say whether it arrived, twice".to_owned(),
        "user_disabled" => "their chat account is deactivated".to_owned(),
        "is_archived" => "the channel is archived".to_owned(),
        "channel_not_found" | "not_in_channel" | "ConversationNotFound" => {
            "Tandem cannot reach that conversation".to_owned()
        }
        other => format!("the chat platform answered \"{other}\""),
    }
}

/// One source fell silent for many accounts at once: a fault of the feed, not of the customers.
pub fn feed_silent(source: Source, accounts: usize, since: NaiveDate, today: NaiveDate) -> Message {
    Message::sentence(format!(
        "No {source} data for {} since {}. This looks like a fault of the feed, so no account is marked down for it; \
         the values of the night before stand. Please check the feed.",
        phrase::count(accounts, "account"),
        phrase::date(since, today)
    ))
}

pub fn feed_back(source: Source) -> Message {
    Message::sentence(format!("The {source} data is back. It counts again from tonight."))
}

/// Files of the inbox, each with how many rows were rejected; 0 where the file could not be taken at all.
pub fn inbox(files: &[(String, u64)]) -> Message {
    let lines = files.iter().map(|(name, rejected)| match usize::try_from(*rejected) {
        Ok(0) => format!("{name} could not be taken."),
        Ok(rows) => format!("{name}: {} rejected; the others were taken.", phrase::count(rows, "row")),
        Err(_) => format!("{name}: rows were rejected; the others were taken."),
    });
    let said = lines.collect::<Vec<_>>().join(" ");
    Message::sentence(format!(
        "Not all of last night's data could be read. {said} The reasons are in the folder \"rejected\" of the inbox; \
         mend the rows there and put them back into the inbox."
    ))
}

/// A book, or one account, that changes hands.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferView {
    pub from: String,
    pub accounts: Vec<TransferredAccount>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TransferredAccount {
    pub account: AccountView,
    /// With its state: the next step is a promise made.
    pub risk: Option<RiskView>,
    pub windows: Vec<WindowLine>,
    /// Open warnings, and risks to weigh.
    pub handed: Vec<HandedRiskView>,
    /// Where a renewal is being worked on: by when it is decided.
    pub renewal: Option<Deadline>,
    /// What was promised and is still open, with its date.
    pub promises: Vec<(String, NaiveDate)>,
    pub last_note: Option<NoteView>,
}

/// More accounts than these are a list for `/tandem risks`, not a message.
const BRIEFED: usize = 15;

/// To the one who takes over: those with something open first, in the given order.
pub fn transfer(view: &TransferView, today: NaiveDate) -> Message {
    let count = phrase::count(view.accounts.len(), "account");
    let summary = format!("You take over {count} from {}", view.from);
    let open = |entry: &&TransferredAccount| {
        entry.risk.is_some()
            || !entry.windows.is_empty()
            || !entry.handed.is_empty()
            || entry.renewal.is_some()
            || !entry.promises.is_empty()
            || entry.last_note.is_some()
    };
    let with_matters: Vec<&TransferredAccount> = view.accounts.iter().filter(open).collect();
    let mut blocks = vec![Block::Heading(summary.clone())];
    blocks.extend(with_matters.iter().take(BRIEFED).map(|entry| Block::Text(brief(entry, today))));
    let left = with_matters.len().saturating_sub(BRIEFED);
    let quiet = view.accounts.len() - with_matters.len();
    let mut small = Vec::new();
    if left > 0 {
        small.push(format!("{left} more have something open: see /tandem risks and /tandem windows."));
    }
    if quiet > 0 {
        small.push(format!("Nothing open on {}.", phrase::count(quiet, "account")));
    }
    if !small.is_empty() {
        blocks.push(Block::Context(small.join(" ").into()));
    }
    Message { summary, blocks }
}

/// To the one who gave.
pub fn transferred(to: &str, accounts: usize) -> Message {
    let count = phrase::count(accounts, "account");
    Message::sentence(format!("{count} went from you to {to}, with what was open on them. {to} has a brief."))
}

fn brief(entry: &TransferredAccount, today: NaiveDate) -> Text {
    let account = &entry.account;
    let mut text = card::name(account).then(format!(" · {}", card::health(account)));
    if let Some(arr) = account.arr {
        text = text.then(format!(" · ARR {arr}"));
    }
    if let Some(risk) = &entry.risk {
        let cause = risk.causes.first().map_or("at risk".to_owned(), |cause| cause.headline.clone());
        text = text.then(format!("\nRisk: {}", phrase::sentence(&cause)));
        if let RiskState::Snoozed { by, until, .. } = &risk.state {
            text = text.then(format!(" Snoozed by {by} until {}.", phrase::date(*until, today)));
        }
        if let Some(raised) = &risk.raised {
            text = text.then(format!("\n{}", card::note_line("Raised", raised, today)));
        }
    }
    for view in &entry.handed {
        text = text.then(format!("\n{}", card::handed_line(view, today)));
    }
    for line in &entry.windows {
        text = text.then(format!("\nWindow: {}.", card::window_line(line)));
    }
    if let Some(deadline) = entry.renewal {
        text = text.then(format!("\nRenewal: {}.", card::deadline(deadline, today)));
    }
    for (promise, due) in &entry.promises {
        let promise = cut(promise, 200);
        text = text.then(format!("\nPromised: {}, due {}.", promise.trim_end_matches('.'), phrase::date(*due, today)));
    }
    if let Some(note) = &entry.last_note {
        let on = phrase::date(note.on, today);
        text = text.then(format!("\nLast note ({}, {on}): {}", note.by, phrase::sentence(&cut(&note.text, 200))));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::Style;
    use super::super::card::sample;
    use super::super::text::to_text;
    use super::*;

    fn lines(messages: Vec<Message>) -> String {
        messages.iter().map(|message| to_text(message, 300)).collect()
    }

    #[test]
    fn short_replies_and_notices() {
        let today = sample::today();
        let causes = sample::causes();
        insta::assert_snapshot!(lines(vec![
            got_worse(&sample::account(), causes.first()),
            decision(&sample::account(), "The customer served notice on Mon 2 Nov"),
            handoff("Acme", "more seats, about $12k", &HandoffState::Accepted { by: "Kim".into(), on: today }, today),
            risk("Acme", &RiskState::Acknowledged { by: "Dana".into(), on: today, step: Some("Call the CFO".into()), due: sample::day("2026-11-06") }, today),
            risk("Acme", &RiskState::Ended { on: today, left: false }, today),
            renewal("Acme", &RenewalState::Preparing { since: today }, today),
            overridden("Acme", "more seats, about $12k", "Sam", "agreed with the CFO"),
            briefed("Acme", "Dana"),
            feed_silent(Source::Usage, 120, sample::day("2026-11-02"), today),
            feed_back(Source::Usage),
        ]), @"
        Acme got worse: health 34, at risk (was 52). Active users fell from 80 to 28 in five weeks.
        Acme: The customer served notice on Mon 2 Nov. ARR $184k.
        Acme · more seats, about $12k. Claimed by Kim on Tue 3 Nov.
        Acme: next step by Dana: Call the CFO, due Fri 6 Nov.
        Acme is no longer at risk: health held for three nights.
        Acme: In preparation since Tue 3 Nov.
        Acme · more seats, about $12k. Worked on in spite of the risk by Sam: agreed with the CFO.
        Acme: value brief added by Dana.
        No usage data for 120 accounts since Mon 2 Nov. This looks like a fault of the feed, so no account is marked down for it; the values of the night before stand. Please check the feed.
        The usage data is back. It counts again from tonight.
        ");
    }

    #[test]
    fn escalations_name_who_and_when_and_blame_nobody() {
        let due = sample::day("2026-11-02");
        let steps = [
            Escalation::Reminder { due: sample::today() },
            Escalation::Unclaimed { due: sample::today() },
            Escalation::Nudge { by: "Robin".into() },
            Escalation::StillOnIt { due },
            Escalation::Idle,
            Escalation::Delegate {
                of: "Kim".into(),
                away_until: Some(sample::day("2026-11-06")),
                due: Some(sample::day("2026-11-04")),
            },
            Escalation::Lead { late: "Kim".into() },
            Escalation::OtherSide { late: "Kim".into(), now_with: "Robin".into() },
            Escalation::LeadTold { late: "Kim".into(), lead: Some("Robin".into()) },
            Escalation::LeadTold { late: "Kim".into(), lead: None },
        ];
        insta::assert_snapshot!(
            lines(steps.iter().map(|step| escalation("Acme", "more seats, about $12k", step, sample::today())).collect()),
            @"
        Reminder: Acme · more seats, about $12k. Your answer is due Tue 3 Nov.
        Reminder: Acme · more seats, about $12k. Nobody has claimed it yet; the answer is due Tue 3 Nov.
        Acme · more seats, about $12k. Robin asks for your answer.
        Acme · more seats, about $12k. Still on it? The next step was due Mon 2 Nov. Acknowledge says yes; or set the next step.
        Acme · more seats, about $12k. Nothing came of the next step, so it is open again.
        Acme · more seats, about $12k. Kim is away until Fri 6 Nov; please answer instead. The answer is due Wed 4 Nov.
        Acme · more seats, about $12k. No answer from Kim in time. Please nudge or reassign; no further reminder follows.
        Acme · more seats, about $12k. No answer from Kim yet; it is now with Robin.
        Acme · more seats, about $12k. No answer from Kim yet; their lead Robin was told.
        Acme · more seats, about $12k. No answer from Kim yet.
        "
        );
    }

    #[test]
    fn commands_for_the_admin_are_code_and_not_marks_around_words() {
        let since = sample::today().and_hms_opt(2, 0, 0).unwrap();
        for said in [
            watch(&[(Late::Night, 1, since)], false),
            given_up("Kim", "MessageWritesBlocked"),
            given_up("Kim", "user_disabled"),
            instead(Message::sentence("Acme"), "outsiders"),
        ] {
            let spans = said.blocks.iter().flat_map(|block| match block {
                Block::Text(text) | Block::Context(text) => text.0.clone(),
                _ => Vec::new(),
            });
            let spans: Vec<_> = spans.collect();
            assert!(spans.iter().any(|span| span.style == Style::Code && span.text.starts_with("tandem ")), "{said:?}");
            assert!(!said.summary.contains('`') && spans.iter().all(|span| !span.text.contains('`')), "{said:?}");
        }
    }

    #[test]
    fn absences_and_lateness_are_said_to_whom_they_concern() {
        let today = sample::today();
        let until = Some(sample::day("2026-11-06"));
        let load = Load { risks: 3, handoffs: 1, renewals: 0 };
        let since = today.and_hms_opt(2, 0, 0).unwrap();
        insta::assert_snapshot!(lines(vec![
            stand_in("Kim", "you", until, load, today),
            stand_in("you", "Noa", None, Load { risks: 0, handoffs: 0, renewals: 0 }, today),
            watch(&[(Late::Night, 1, since), (Late::Clocks, 12, since)], false),
            model_changed(
                &Models {
                    default: Model::Pair,
                    segments: BTreeMap::from([(Segment::Smb, Model::Asymmetric)]),
                    renewals: RenewalOwner::AccountManager,
                },
                Load { risks: 0, handoffs: 2, renewals: 1 },
                Load::default(),
            ),
            watch(&[(Late::Watch, 1, since)], false),
            watch(&[], true),
        ]), @"
        Away until Fri 6 Nov: Kim. Standing in: you, for 3 risks, 1 handoff. It all comes back on the return.
        Back again: you. No longer standing in: Noa. Handed back: nothing open.
        The night's diagnosis is late: it was due on 3 Nov 2026 at 02:00.
        12 clocks not moved, the oldest due on 3 Nov 2026 at 02:00.
        tandem doctor and the log say more.
        Your organisation works differently from now on: each account has a CSM and an AM. SMB: a CSM on every account, an AM on some, pools for the rest. Renewals are owned by the AM. Yours now: 2 handoffs, 1 renewal. See /tandem handoffs and /tandem renewals.
        Tandem did not look after its clocks since 3 Nov 2026 at 02:00. What was owed meanwhile is being done now.
        Everything that was late has been done.
        ");
    }

    #[test]
    fn a_book_comes_with_what_is_open() {
        let quiet = TransferredAccount {
            account: sample::account(),
            risk: None,
            windows: Vec::new(),
            handed: Vec::new(),
            renewal: None,
            promises: Vec::new(),
            last_note: None,
        };
        let open = TransferredAccount {
            risk: Some(sample::risk()),
            windows: vec![sample::window_line()],
            promises: vec![("Send the security paper".into(), sample::day("2026-11-06"))],
            last_note: Some(NoteView { by: "Dana".into(), on: sample::day("2026-10-30"), text: "CFO is new".into() }),
            ..quiet.clone()
        };
        let warned = TransferredAccount { handed: vec![sample::handed_risk()], ..quiet.clone() };
        let raised = NoteView { by: "Dana".into(), on: sample::today(), text: "Sponsor leaves in January".into() };
        let raised = RiskView { raised: Some(raised), ..sample::risk() };
        let raised = TransferredAccount { risk: Some(raised), ..quiet.clone() };
        let view = TransferView { from: "Dana".into(), accounts: vec![open, warned, raised, quiet] };
        insta::assert_snapshot!(to_text(&transfer(&view, sample::today()), 100), @"
        You take over 4 accounts from Dana
        ==================================

        Acme · health 34, at risk (was 52) · ARR $184k
        Risk: Active users fell from 80 to 28 in five weeks.
        Window: more seats, about $12k, with Kim.
        Promised: Send the security paper, due Fri 6 Nov.
        Last note (Dana, Fri 30 Oct): CFO is new.

        Acme · health 34, at risk (was 52) · ARR $184k
        Warning, from Kim: Budget cut of a third next year. Offered to you by Kim, answer due Thu 5 Nov.

        Acme · health 34, at risk (was 52) · ARR $184k
        Risk: Active users fell from 80 to 28 in five weeks.
        Raised (Dana, Tue 3 Nov): Sponsor leaves in January.
          Nothing open on 1 account.
        ");
    }
}
