//! Purpose: what rules do not see, people raise; and sharing an account in a channel.

use chrono::Days;
use serde_json::json;
use uuid::Uuid;

use super::{Click, Effect, future_deadline, handoff, renewal, rights};
use crate::app::content::{About, Content};
use crate::app::{notice, query};
use crate::domain::account::{Account, AccountStatus};
use crate::domain::action::{Subject, Verb};
use crate::domain::diagnosis::WindowKind;
use crate::domain::handoff::{Handoff, HandoffEvent, Matter, Window};
use crate::domain::message::answer::{self, Cannot, Done};
use crate::domain::message::{Message, Reply, form, phrase};
use crate::domain::money::Money;
use crate::domain::risk::{Limits, Raised, Reading, Risk};
use crate::domain::routing::{Seat, Start};
use crate::domain::signal::{Pulse, Signal, SignalValue, Source};
use crate::store;
use crate::store::audit::Entry;
use crate::store::message::{Address, NewMessage};
use crate::store::note::NoteKind;

/// Verbs that are about the account, whatever the card that they stand on is about.
pub(super) fn is_about_account(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Note
            | Verb::Raise
            | Verb::RaiseOpportunity
            | Verb::RaiseRisk
            | Verb::RaisePulse
            | Verb::RaiseFeedback
            | Verb::RaiseChampion
            | Verb::ShowMore
            | Verb::Share
    )
}

/// On an account that has left, what the next night would undo: a matter to work on.
pub(super) fn too_late(click: &Click<'_>, account: &Account, verb: Verb) -> Option<Message> {
    if account.status != AccountStatus::Churned {
        return None;
    }
    let still = form::raisable(account.status);
    let begins = verb == Verb::Reopen || form::RAISABLE.contains(&verb) && !still.contains(&verb);
    begins.then(|| answer::cannot(&account.name, &Cannot::Left, click.today))
}

/// What acts at one tap on every card of an account, whatever that is about.
pub(super) async fn press(click: &mut Click<'_>, verb: Verb, account: &Account) -> anyhow::Result<Effect> {
    match verb {
        Verb::ShowMore => {
            let (snapshot, me) = (&click.snapshot, Some(click.me));
            let shown = query::account_answer(click.app, &mut click.tx, snapshot, me, &account.id).await?;
            Ok(Effect::Asked(Reply::Private(shown)))
        }
        Verb::Share => share(click, account).await,
        // A verb that does not belong to what it came with: no button of ours carries that.
        _ => Ok(Effect::Said(answer::unknown_action())),
    }
}

pub(super) async fn note(click: &mut Click<'_>, account: &Account, text: &str) -> anyhow::Result<Effect> {
    let entry = write(click, account, NoteKind::Note, "note", text).await?;
    carry_on(click, account).await?;
    Ok(done(click, account, vec![entry], &Done::Noted))
}

/// Who notes something is at work on what they have in hand there: nobody need ask whether they are.
async fn carry_on(click: &mut Click<'_>, account: &Account) -> anyhow::Result<()> {
    let ids = std::slice::from_ref(&account.id);
    for open in store::handoff::of_accounts(&mut click.tx, ids, click.now).await? {
        if open.accountable() != Some(click.me) {
            continue;
        }
        if let Some(held) = store::handoff::lock(&mut click.tx, open.id).await? {
            handoff::still_in_hand(click, held).await?;
        }
    }
    for open in store::renewal::latest(&mut click.tx, ids).await? {
        if open.is_open()
            && open.owner() == click.me
            && let Some(work) = store::renewal::lock(&mut click.tx, open.id).await?
        {
            renewal::still_in_hand(click, work).await?;
        }
    }
    Ok(())
}

/// The voice of the customer.
pub(super) async fn feedback(click: &mut Click<'_>, account: &Account, text: &str) -> anyhow::Result<Effect> {
    let entry = write(click, account, NoteKind::Feedback, "feedback", text).await?;
    Ok(done(click, account, vec![entry], &Done::FeedbackSaved))
}

/// A colleague's own read of the account: a signal of the day, with its reason as a note.
pub(super) async fn pulse(
    click: &mut Click<'_>,
    account: &Account,
    pulse: Pulse,
    reason: &str,
) -> anyhow::Result<Effect> {
    let signal = Signal {
        source: Source::Sentiment,
        kind: "csm_pulse".to_owned(),
        observed_on: click.today,
        value: SignalValue::Text(pulse.as_str().to_owned()),
        reference: String::new(),
    };
    store::signal::record(&mut click.tx, &account.id, &signal).await?;
    let mut entry = write(click, account, NoteKind::Note, "pulse", reason).await?;
    entry.data["pulse"] = json!(pulse.as_str());
    Ok(done(click, account, vec![entry], &Done::PulseSaved))
}

pub(super) async fn champion(
    click: &mut Click<'_>,
    account: &Account,
    name: &str,
    email: &str,
) -> anyhow::Result<Effect> {
    store::account::save_champion(&mut click.tx, &account.id, email, name).await?;
    // Nothing about the person at the customer: the trail outlives an erasure.
    let entry = Entry::new("note.added", Subject::Account(account.id.clone()), json!({"kind": "champion"}));
    Ok(done(click, account, vec![entry], &Done::ChampionSaved(name.to_owned())))
}

/// Saves a note and makes its audit event, which has no word of it.
async fn write(
    click: &mut Click<'_>,
    account: &Account,
    kind: NoteKind,
    word: &str,
    text: &str,
) -> anyhow::Result<Entry> {
    let id = store::note::add(&mut click.tx, &account.id, click.me, kind, text, click.now).await?;
    Ok(Entry::new("note.added", Subject::Account(account.id.clone()), json!({"note": id, "kind": word})))
}

fn done(click: &Click<'_>, account: &Account, entries: Vec<Entry>, done: &Done) -> Effect {
    let reply = Reply::Private(answer::done(&account.name, done, click.today));
    Effect::changed(&account.id, entries, reply)
}

/// A risk that the rules do not see. From the account manager's side it is a warning that the CSM has to
/// answer; on an account that is at risk already it is a note.
pub(super) async fn risk(click: &mut Click<'_>, account: &Account, what: String) -> anyhow::Result<Effect> {
    if let Some(csm) = warns(click, account) {
        let with = click.name(csm);
        let matter = Matter::Warning { note: what };
        return handoff::hand_over(click, account, matter, Seat::Person(csm), Done::Warned(with)).await;
    }
    // Two who raise at once: the second finds the first one's risk.
    store::account::lock(&mut click.tx, &account.id).await?;
    let latest = store::risk::latest(&mut click.tx, std::slice::from_ref(&account.id)).await?.pop();
    if latest.as_ref().is_some_and(Risk::is_open) {
        return note(click, account, &what).await;
    }
    // Within the days of the same episode it is that one again.
    let again = latest.and_then(|risk| risk.reopen(click.now, Limits::default()).ok());
    let mut entries = Vec::new();
    let (risk, event) = match again {
        Some(moved) => {
            entries.push(write(click, account, NoteKind::Note, "note", &what).await?);
            moved
        }
        None => {
            let reading = reading(click, account).await?;
            let raised = Raised { by: click.me, why: what };
            Risk::raise(Uuid::now_v7(), account.id.clone(), raised, reading, click.today, click.now)
        }
    };
    store::risk::save(&mut click.tx, &risk).await?;
    let mut data = super::risk::data(&risk);
    data["raised"] = json!(true);
    entries.push(Entry::new(event.as_str(), Subject::Risk(risk.id), data));
    let told = told_of_risk(click, account).filter(|person| *person != click.me);
    let about = Content::notice(About::Risk(risk.id), "raised", risk.version(), None);
    notice::notify(&mut click.tx, &click.snapshot, told, &about, Some(&account.id), click.now).await?;
    Ok(done(click, account, entries, &Done::RiskRaised))
}

/// The CSM who is to be warned, where somebody on the account manager's side raises a risk.
pub(super) fn warns(click: &Click<'_>, account: &Account) -> Option<crate::domain::person::PersonId> {
    let (snapshot, me) = (&click.snapshot, click.me);
    let csm = handoff::route(click, account)?.csm?;
    (csm != me && !rights::succeeds(snapshot, me, account) && rights::manages(snapshot, me, account)).then_some(csm)
}

/// Who looks after the account's risks; the account manager where that is the presser.
pub(super) fn told_of_risk(click: &Click<'_>, account: &Account) -> Option<crate::domain::person::PersonId> {
    let routed = handoff::route(click, account)?;
    if routed.risks != click.me {
        return Some(routed.risks);
    }
    match routed.account_manager {
        Seat::Person(manager) => Some(manager).filter(|manager| *manager != click.me),
        Seat::Pool { .. } => None,
    }
}

/// What the latest night says of the account; unknown where none has seen it.
async fn reading(click: &mut Click<'_>, account: &Account) -> anyhow::Result<Reading> {
    Ok(match click.diagnosis(account).await? {
        Some(diagnosis) => Reading::new(&diagnosis),
        None => Reading::unknown(),
    })
}

/// A chance to sell more that somebody heard of. The account manager's own is theirs at once.
pub(super) async fn opportunity(
    click: &mut Click<'_>,
    account: &Account,
    what: &str,
    amount: Option<Money>,
    timing: Option<&str>,
) -> anyhow::Result<Effect> {
    let Some(routed) = handoff::route(click, account) else {
        return Ok(Effect::Said(answer::cannot(&account.name, &Cannot::Nobody, click.today)));
    };
    let window = requested(click, account, what, amount, timing).await?;
    let own =
        rights::manages(&click.snapshot, click.me, account) && !rights::succeeds(&click.snapshot, click.me, account);
    let start = if own { Start::Solo(click.me) } else { routed.windows };
    let id = Uuid::now_v7();
    let (mut made, events) = Handoff::detect(id, account.id.clone(), window, start, None, click.now);
    let mut entries: Vec<Entry> = events.iter().map(|event| handoff::entry(&made, *event)).collect();
    let mut event = HandoffEvent::Detected;
    if own && let Ok((accepted, accepting)) = made.clone().accept(click.me, click.now) {
        entries.push(handoff::entry(&accepted, accepting));
        (made, event) = (accepted, accepting);
    }
    let with = match made.state() {
        crate::domain::handoff::State::Offered { to, .. } => click.seat_name(to),
        _ => click.name(made.accountable().unwrap_or(click.me)),
    };
    let reply = Reply::Private(answer::done(&account.name, &Done::OpportunityRaised { with }, click.today));
    handoff::save(click, account, &made, &made, event, entries, reply).await
}

/// The window as the rules would make it: its share of ARR where no amount is named, open until the
/// next deadline at most.
async fn requested(
    click: &mut Click<'_>,
    account: &Account,
    what: &str,
    amount: Option<Money>,
    timing: Option<&str>,
) -> anyhow::Result<Window> {
    let diagnosis = click.diagnosis(account).await?;
    let rules = &click.snapshot.policy.windows;
    let today = click.today;
    let deadline = future_deadline(account, diagnosis.as_ref(), &click.snapshot.policy, today);
    let end = today.checked_add_days(Days::new(rules.open_days.into())).unwrap_or(today);
    let near = |day: chrono::NaiveDate| (0..=i64::from(rules.co_term_days)).contains(&(day - today).num_days());
    let estimate = || account.arr.filter(|arr| arr.minor > 0).map(|arr| arr.scale(rules.requested_share));
    let timing = timing.map(|timing| format!(" Timing: {}", phrase::sentence(timing))).unwrap_or_default();
    Ok(Window {
        kind: WindowKind::Requested,
        reason: format!("{}{timing}", phrase::sentence(what)),
        amount: amount.or_else(estimate),
        amount_confirmed: amount.is_some(),
        opens_on: today,
        closes_on: deadline.map_or(end, |deadline| deadline.min(end)),
        co_term: account.opt_out_date().into_iter().chain(deadline).any(near),
        raised_by: Some(click.me),
    })
}

/// Shows the account in the channel where it was pressed. Delivery looks for outsiders before it posts.
async fn share(click: &mut Click<'_>, account: &Account) -> anyhow::Result<Effect> {
    let Some(channel) = &click.asker.channel else { return Ok(Effect::Said(answer::no_channel())) };
    let message = NewMessage {
        id: Uuid::now_v7(),
        workspace: click.asker.workspace.clone(),
        to: Address::Channel(channel.clone()),
        content: serde_json::to_value(Content::Account(account.id.clone()))?,
        accounts: vec![account.id.clone()],
        thread_of: None,
    };
    store::message::queue_posts(&mut click.tx, &[message], click.now).await?;
    let reply = Reply::Private(answer::done(&account.name, &Done::Shared, click.today));
    // Nothing about the account changed: no event, no redraw.
    Ok(Effect::Changed { accounts: Vec::new(), entries: Vec::new(), reply })
}
