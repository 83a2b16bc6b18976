//! Purpose: windows, risks to weigh and warnings pass from hand to hand.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Click, Effect, Found, Held, raise, rights, team};
use crate::app::content::{About, Content};
use crate::app::notice;
use crate::domain::account::Account;
use crate::domain::action::{Subject, Verb};
use crate::domain::handoff::{Handoff, HandoffEvent, Matter, Moved, Qualification, Refused, State};
use crate::domain::message::answer::{self, Cannot, Done};
use crate::domain::message::form::{self, Submission};
use crate::domain::message::view::Withheld;
use crate::domain::message::{Reply, phrase};
use crate::domain::person::PersonId;
use crate::domain::risk::{self, Risk};
use crate::domain::routing::{Routed, Seat};
use crate::store;
use crate::store::audit::Entry;

pub(super) async fn press(
    click: &mut Click<'_>,
    verb: Verb,
    account: Account,
    handoff: Handoff,
) -> anyhow::Result<Effect> {
    match verb {
        Verb::Acknowledge => carry_on(click, &account, handoff).await,
        Verb::Offer => offer(click, &account, handoff).await,
        Verb::Claim => claim(click, &account, handoff).await,
        Verb::Withdraw => withdraw(click, &account, handoff).await,
        Verb::NotUseful => {
            let rule = handoff.window().map(|window| format!("window_{}", window.kind.as_str()));
            super::risk::not_useful(click, &account, Subject::Handoff(handoff.id), rule).await
        }
        Verb::Nudge => team::nudge(click, &Found { account, held: Held::Handoff(handoff) }).await,
        _ => raise::press(click, verb, &account).await,
    }
}

async fn claim(click: &mut Click<'_>, account: &Account, handoff: Handoff) -> anyhow::Result<Effect> {
    if !rights::may_answer(&click.snapshot, click.me, account, &handoff) {
        return Ok(Effect::Said(click.present_handoff(account, &handoff)));
    }
    let mut held = handoff.clone();
    if let Some(counterpart) = counterpart(click, account, &handoff) {
        held = held.with_counterpart(&counterpart);
    }
    let moved = held.accept(click.me, click.now);
    settle(click, account, &handoff, moved).await
}

async fn withdraw(click: &mut Click<'_>, account: &Account, handoff: Handoff) -> anyhow::Result<Effect> {
    if !rights::may_take_back(&click.snapshot, click.me, account, &handoff) {
        return Ok(Effect::Said(click.present_handoff(account, &handoff)));
    }
    let moved = handoff.clone().withdraw(click.me, click.now);
    settle(click, account, &handoff, moved).await
}

/// To the other half of the pair, once more or for the first time.
async fn offer(click: &mut Click<'_>, account: &Account, handoff: Handoff) -> anyhow::Result<Effect> {
    if !rights::may_hold_on(&click.snapshot, click.me, &handoff) {
        return Ok(Effect::Said(click.present_handoff(account, &handoff)));
    }
    let Some(to) = counterpart(click, account, &handoff) else {
        return Ok(Effect::Said(answer::cannot(&account.name, &Cannot::Nobody, click.today)));
    };
    let moved = handoff.clone().offer(click.me, to, click.now);
    settle(click, account, &handoff, moved).await
}

pub(super) fn route(click: &Click<'_>, account: &Account) -> Option<Routed> {
    click.snapshot.route(account, click.today).ok()
}

/// Who gets it next.
pub(super) fn counterpart(click: &Click<'_>, account: &Account, handoff: &Handoff) -> Option<Seat> {
    handoff.matter.counterpart(&route(click, account)?)
}

/// Whom a refused or returned offer goes to where a rule had made it.
fn lead(click: &Click<'_>, handoff: &Handoff) -> PersonId {
    match handoff.state() {
        State::Offered { to: Seat::Pool { accountable, .. }, .. } => *accountable,
        _ => {
            let holder = handoff.accountable().unwrap_or(click.me);
            click.snapshot.people.lead_of(holder, click.today).unwrap_or(holder)
        }
    }
}

/// Whether the presser may make the move that this dialog is about.
pub(super) fn may(click: &Click<'_>, account: &Account, handoff: &Handoff, said: &Submission) -> bool {
    let (snapshot, me) = (&click.snapshot, click.me);
    match said {
        Submission::Qualify { .. } => {
            rights::may_hold_on(snapshot, me, handoff) || rights::succeeds(snapshot, me, account)
        }
        Submission::Decline { .. } => rights::may_answer(snapshot, me, account, handoff),
        // Whoever may work on it may go around the gate; the reason is theirs.
        Submission::Override { .. } => true,
        _ => rights::may_hold_on(snapshot, me, handoff),
    }
}

/// The machine's move for what a dialog said. Pure: also tried before the dialog opens.
pub(super) fn step(click: &Click<'_>, mut handoff: Handoff, said: &Submission) -> Result<Moved, Refused> {
    let (me, now) = (click.me, click.now);
    match said {
        Submission::Qualify { need, contact, timing, amount } => {
            let qualification = Qualification::new(need, contact, timing).map_err(|_| Refused::ReasonMissing)?;
            let qualification = qualification.confirmed_by(me, now);
            if let (Matter::Window(window), Some(amount)) = (&mut handoff.matter, amount) {
                (window.amount, window.amount_confirmed) = (Some(*amount), true);
            }
            handoff.qualify(qualification, now)
        }
        Submission::Decline { reason } => {
            let lead = lead(click, &handoff);
            handoff.decline(me, reason, lead, now)
        }
        Submission::Pass { reason } => handoff.pass(me, reason, now),
        Submission::HandBack { note } => {
            let lead = lead(click, &handoff);
            handoff.hand_back(me, note, lead, now)
        }
        Submission::Won { amount } => handoff.won(me, Some(*amount), now),
        Submission::Lost { reason } => handoff.lost(me, reason, now),
        Submission::Override { reason } => handoff.override_gate(me, reason, now),
        // Dialogs about other things never come here with a handoff.
        _ => Err(Refused::Present(handoff.present())),
    }
}

pub(super) async fn submitted(
    click: &mut Click<'_>,
    account: &Account,
    handoff: Handoff,
    said: Submission,
) -> anyhow::Result<Effect> {
    if !may(click, account, &handoff, &said) {
        return Ok(Effect::Said(click.present_handoff(account, &handoff)));
    }
    let moved = step(click, handoff.clone(), &said);
    match (moved, &said) {
        (Ok(qualified), Submission::Qualify { .. }) => hand_on(click, account, &handoff, qualified).await,
        (moved, _) => settle(click, account, &handoff, moved).await,
    }
}

/// A qualified window is offered at once, unless one person has both halves in hand.
async fn hand_on(
    click: &mut Click<'_>,
    account: &Account,
    before: &Handoff,
    (qualified, event): Moved,
) -> anyhow::Result<Effect> {
    let to = route(click, account).and_then(|routed| {
        let alone = rights::holds_both(&routed.windows, click.me) || routed.account_manager == Seat::Person(click.me);
        (!alone).then_some(routed.account_manager)
    });
    let State::Qualified { .. } = qualified.state() else {
        return settle(click, account, before, Ok((qualified, event))).await;
    };
    let Some(to) = to else { return settle(click, account, before, Ok((qualified, event))).await };
    let entry = entry(&qualified, event);
    let (offered, event) = match qualified.clone().offer(click.me, to, click.now) {
        Ok(moved) => moved,
        // Qualified all the same.
        Err(_) => (qualified, event),
    };
    let entries =
        if event == HandoffEvent::Qualified { vec![entry] } else { vec![entry, self::entry(&offered, event)] };
    save(click, account, before, &offered, event, entries, Reply::Silent).await
}

/// A CSM's risk, for the account manager to weigh commercially.
pub(super) async fn to_weigh(
    click: &mut Click<'_>,
    account: &Account,
    risk: &Risk,
    note: String,
) -> anyhow::Result<Effect> {
    let to = match hand_to(click, account, risk).await? {
        Ok(to) => to,
        Err(effect) => return Ok(effect),
    };
    let with = click.seat_name(&to);
    let matter = Matter::RiskToWeigh { risk: risk.id, note };
    hand_over(click, account, matter, to, Done::Handed(with)).await
}

/// Whom a risk is handed to; what to answer where that cannot be.
pub(super) async fn hand_to(
    click: &mut Click<'_>,
    account: &Account,
    risk: &Risk,
) -> anyhow::Result<Result<Seat, Effect>> {
    if !risk.is_open() {
        let refused = risk::Refused::Present(risk.present());
        return Ok(Err(super::risk::refusal(click, account, risk, &refused)));
    }
    let cannot = |why: Cannot| Ok(Err(Effect::Said(answer::cannot(&account.name, &why, click.today))));
    let Some(to) = route(click, account).map(|routed| routed.account_manager) else { return cannot(Cannot::Nobody) };
    if to == Seat::Person(click.me) {
        return cannot(Cannot::HasIt(click.name(click.me)));
    }
    let handed = store::handoff::of_accounts(&mut click.tx, std::slice::from_ref(&account.id), click.now).await?;
    Ok(match handed.iter().find(|handoff| handoff.weighs(risk.id)) {
        Some(already) => Err(Effect::Said(click.present_handoff(account, already))),
        None => Ok(to),
    })
}

/// What was handed over to be weighed ends with its risk.
pub(super) async fn risk_settled(click: &mut Click<'_>, risk: &Risk) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let accounts = std::slice::from_ref(&risk.account);
    for open in store::handoff::of_accounts(&mut click.tx, accounts, click.now).await? {
        if !open.weighs(risk.id) {
            continue;
        }
        // Locked now: it may have moved since it was listed.
        let Some(handoff) = store::handoff::lock(&mut click.tx, open.id).await? else { continue };
        if let Ok((closed, event)) = handoff.risk_settled(click.now) {
            store::handoff::save(&mut click.tx, &closed).await?;
            entries.push(entry(&closed, event));
        }
    }
    Ok(entries)
}

/// Makes a handoff of one half of the pair to the other.
pub(super) async fn hand_over(
    click: &mut Click<'_>,
    account: &Account,
    matter: Matter,
    to: Seat,
    done: Done,
) -> anyhow::Result<Effect> {
    let made = Handoff::hand_over(Uuid::now_v7(), account.id.clone(), matter, click.me, to, click.now);
    match made {
        Ok((handoff, event)) => {
            let reply = Reply::Private(answer::done(&account.name, &done, click.today));
            let entries = vec![entry(&handoff, event)];
            save(click, account, &handoff, &handoff, event, entries, reply).await
        }
        Err(Refused::SamePerson) => {
            let why = Cannot::HasIt(click.name(click.me));
            Ok(Effect::Said(answer::cannot(&account.name, &why, click.today)))
        }
        Err(_) => Ok(Effect::field(form::NOTE, form::FILL_IN)),
    }
}

/// Saves a move, or says why there is none.
async fn settle(
    click: &mut Click<'_>,
    account: &Account,
    before: &Handoff,
    moved: Result<Moved, Refused>,
) -> anyhow::Result<Effect> {
    match moved {
        Ok((handoff, event)) => {
            let mut entry = entry(&handoff, event);
            // From which the figures say whether it came in time.
            entry.data["clock"] = json!(before.running());
            save(click, account, before, &handoff, event, vec![entry], Reply::Silent).await
        }
        Err(refused) => refusal(click, account, before, refused).await,
    }
}

/// Saves the new state and tells the other side.
pub(super) async fn save(
    click: &mut Click<'_>,
    account: &Account,
    before: &Handoff,
    handoff: &Handoff,
    event: HandoffEvent,
    entries: Vec<Entry>,
    reply: Reply,
) -> anyhow::Result<Effect> {
    let handoff = &in_hand(click, handoff.clone());
    store::handoff::save(&mut click.tx, handoff).await?;
    let told = other_side(click, account, before, handoff, event);
    let word = event.as_str().rsplit('.').next().unwrap_or_default();
    let about = Content::notice(About::Handoff(handoff.id), word, handoff.version(), None);
    notice::notify(&mut click.tx, &click.snapshot, told, &about, Some(&account.id), click.now).await?;
    Ok(Effect::changed(&account.id, entries, reply))
}

/// Who has put it into their own hands needs no card to know that: the clock starts at once.
fn in_hand(click: &Click<'_>, handoff: Handoff) -> Handoff {
    let of_pool = matches!(handoff.state(), State::Offered { to: Seat::Pool { .. }, .. });
    match click.snapshot.person(click.me) {
        Some(me) if handoff.accountable() == Some(me.id) && !of_pool => {
            handoff.delivered(click.now, click.snapshot.policy.work.clocks(), &click.snapshot.calendar(me))
        }
        _ => handoff,
    }
}

/// "Still on it?": one tap says yes, and the clock starts anew.
async fn carry_on(click: &mut Click<'_>, account: &Account, handoff: Handoff) -> anyhow::Result<Effect> {
    if !handoff.is_asked() || !rights::may_hold_on(&click.snapshot, click.me, &handoff) {
        return Ok(Effect::Said(click.present_handoff(account, &handoff)));
    }
    let id = handoff.id;
    if !still_in_hand(click, handoff).await? {
        return Ok(Effect::Said(answer::not_there()));
    }
    Ok(click.carries_on(account, Subject::Handoff(id)))
}

/// Whoever claimed it is at it: its clock starts anew, with them. False where nobody has claimed it.
pub(super) async fn still_in_hand(click: &mut Click<'_>, handoff: Handoff) -> anyhow::Result<bool> {
    let Ok(moved) = handoff.carried_on() else { return Ok(false) };
    let holder = moved.accountable().and_then(|id| click.snapshot.person(id));
    let moved = match holder {
        Some(holder) => {
            let calendar = click.snapshot.calendar(holder);
            moved.delivered(click.now, click.snapshot.policy.work.clocks(), &calendar)
        }
        None => moved,
    };
    store::handoff::save(&mut click.tx, &moved).await?;
    Ok(true)
}

/// Who hears of it; never the one who did it.
fn other_side(
    click: &Click<'_>,
    account: &Account,
    before: &Handoff,
    handoff: &Handoff,
    event: HandoffEvent,
) -> Vec<PersonId> {
    let seat = |seat: &Seat| match seat {
        Seat::Person(person) => vec![*person],
        Seat::Pool { name, .. } => click.snapshot.people.pool(name).to_vec(),
    };
    let offered_to = |handoff: &Handoff| match handoff.state() {
        State::Offered { to, .. } => seat(to),
        _ => Vec::new(),
    };
    // Who offered it; for a rule's offer, the CSM.
    let giver = |handoff: &Handoff| match handoff.state() {
        State::Offered { from: Some(from), .. } | State::Accepted { from: Some(from), .. } => Some(*from),
        _ => account.csm,
    };
    let mut told: Vec<PersonId> = match event {
        HandoffEvent::Offered | HandoffEvent::WindowOpened | HandoffEvent::Detected => {
            let offered = offered_to(handoff);
            if offered.is_empty() { handoff.accountable().into_iter().collect() } else { offered }
        }
        HandoffEvent::Accepted | HandoffEvent::Won | HandoffEvent::Lost | HandoffEvent::WindowPassed => {
            giver(before).into_iter().collect()
        }
        HandoffEvent::Declined | HandoffEvent::Expired | HandoffEvent::HandedBack => {
            handoff.accountable().into_iter().collect()
        }
        HandoffEvent::Withdrawn => {
            let offered = offered_to(before);
            if offered.is_empty() { giver(before).into_iter().collect() } else { offered }
        }
        HandoffEvent::WindowOverridden => account.csm.into_iter().collect(),
        HandoffEvent::Reassigned => before.accountable().into_iter().chain(handoff.accountable()).collect(),
        HandoffEvent::Qualified | HandoffEvent::WindowClosed => Vec::new(),
    };
    told.retain(|person| *person != click.me);
    told
}

pub(super) fn entry(handoff: &Handoff, event: HandoffEvent) -> Entry {
    Entry::new(event.as_str(), Subject::Handoff(handoff.id), data(handoff))
}

/// Ids, words of the machine and amounts: what the audit trail keeps of a handoff.
fn data(handoff: &Handoff) -> Value {
    let (matter, kind) = match &handoff.matter {
        Matter::Window(window) => ("window", Some(window.kind.as_str())),
        Matter::RiskToWeigh { .. } => ("risk_to_weigh", None),
        Matter::Warning { .. } => ("warning", None),
    };
    let mut data = json!({
        "account": handoff.account, "matter": matter, "version": handoff.version(), "state": handoff.state_name(),
        "csql": handoff.is_csql(),
    });
    let mut add = |key: &str, value: Value| data[key] = value;
    if let Some(kind) = kind {
        add("kind", json!(kind));
    }
    if let Some(accountable) = handoff.accountable() {
        add("accountable", json!(accountable));
    }
    match handoff.state() {
        State::Offered { to, from, .. } => {
            add("from", json!(from));
            add("pool", json!(to.pool()));
        }
        State::Accepted { from, .. } => add("from", json!(from)),
        State::Won { amount: Some(amount), .. } => add("amount", json!(amount)),
        _ => {}
    }
    data
}

/// A refused move: the present state with who and when, or why it cannot be.
pub(super) async fn refusal(
    click: &mut Click<'_>,
    account: &Account,
    handoff: &Handoff,
    refused: Refused,
) -> anyhow::Result<Effect> {
    let why = match refused {
        Refused::Present(_) | Refused::NotDue { .. } | Refused::WindowsOnly => {
            return Ok(Effect::Said(click.present_handoff(account, handoff)));
        }
        Refused::ReasonMissing => {
            return Ok(Effect::field(form::REASON, phrase::sentence(&phrase::capital(&refused.to_string()))));
        }
        Refused::Withheld { rule, since } => Cannot::Withheld(withheld(click, account, &rule, since).await?),
        Refused::NotWithheld => Cannot::NotWithheld,
        Refused::NotQualified => Cannot::QualifyFirst,
        Refused::SamePerson => Cannot::HasIt(click.name(handoff.accountable().unwrap_or(click.me))),
    };
    Ok(Effect::Said(answer::cannot(&account.name, &why, click.today)))
}

/// Why it is withheld, and who handles that.
pub(super) async fn withheld(
    click: &mut Click<'_>,
    account: &Account,
    rule: &str,
    since: chrono::DateTime<chrono::Utc>,
) -> anyhow::Result<Withheld> {
    let causes = click.diagnosis(account).await?.map(|diagnosis| diagnosis.causes).unwrap_or_default();
    let cause = causes.into_iter().find(|cause| cause.rule == rule).map(|cause| cause.headline);
    let latest = store::risk::latest(&mut click.tx, std::slice::from_ref(&account.id)).await?;
    let handled_by = latest.iter().filter(|risk| risk.is_open()).find_map(|risk| risk.present().who);
    Ok(Withheld {
        cause: cause.unwrap_or_else(|| rule.replace('_', " ")),
        handled_by: handled_by.map(|by| click.name(by)),
        with: account.csm.map(|csm| click.name(csm)),
        since: click.reader().date(since),
    })
}
