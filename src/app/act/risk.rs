//! Purpose: what people do about an account at risk.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Click, Effect, Found, Held, handoff, raise, team};
use crate::app::content::{About, Content};
use crate::app::notice;
use crate::domain::account::Account;
use crate::domain::action::{Subject, Verb};
use crate::domain::message::answer::{self, Cannot, Done};
use crate::domain::message::form::{self, Submission};
use crate::domain::message::{Message, Reply, phrase};
use crate::domain::person::PersonId;
use crate::domain::risk::{Limits, Moved, Refused, Risk, RiskEvent, State, Timer};
use crate::store;
use crate::store::audit::Entry;
use crate::store::note::{self, NoteKind};

pub(super) async fn press(click: &mut Click<'_>, verb: Verb, account: Account, risk: Risk) -> anyhow::Result<Effect> {
    let now = click.now;
    match verb {
        Verb::Acknowledge => acknowledge(click, &account, risk).await,
        Verb::Reopen => settle(click, &account, &risk, risk.clone().reopen(now, Limits::default())).await,
        Verb::NotUseful => not_useful(click, &account, Subject::Risk(risk.id), None).await,
        Verb::Nudge => team::nudge(click, &Found { account, held: Held::Risk(risk) }).await,
        _ => raise::press(click, verb, &account).await,
    }
}

/// One tap: the next step is due some working days from now.
async fn acknowledge(click: &mut Click<'_>, account: &Account, risk: Risk) -> anyhow::Result<Effect> {
    let moved = risk.clone().acknowledge(click.me, acknowledged_until(click), click.now);
    settle(click, account, &risk, moved).await
}

/// The same without saving it, for a press that is carried out with others: what to record, or what to say instead.
pub(super) fn acknowledge_found(click: &Click<'_>, found: &mut Found) -> Result<Entry, Message> {
    if let Some(answer) = click.forbidden(Verb::Acknowledge, found) {
        return Err(answer);
    }
    if !click.fresh {
        return Err(click.present(found));
    }
    let Held::Risk(risk) = &mut found.held else { return Err(answer::unknown_action()) };
    match risk.clone().acknowledge(click.me, acknowledged_until(click), click.now) {
        Ok((moved, event)) => {
            *risk = watched(click, moved);
            Ok(entry(risk, event))
        }
        Err(_) => Err(click.present_risk(&found.account, risk)),
    }
}

/// When the next step of something acknowledged now is due, in the presser's working days.
pub(super) fn acknowledged_until(click: &Click<'_>) -> chrono::NaiveDate {
    let days = click.snapshot.policy.work.acknowledge_step_days;
    match click.snapshot.person(click.me) {
        Some(me) => click.snapshot.calendar(me).add_working_days(click.today, days),
        None => click.today,
    }
}

pub(super) async fn submitted(
    click: &mut Click<'_>,
    account: &Account,
    risk: Risk,
    said: Submission,
) -> anyhow::Result<Effect> {
    let before = risk.clone();
    let (me, today, now) = (click.me, click.today, click.now);
    let mut resolution = None;
    let moved = match said {
        Submission::SetNextStep { step, due } => risk.set_next_step(me, &step, due, today, now),
        Submission::Snooze { until } => risk.snooze(me, until, click.deadline(account).await?, today, now),
        Submission::Resolve { how, note } => {
            resolution = note;
            risk.resolve(me, how, now)
        }
        // `carry_out` hands over these three only.
        _ => return Ok(Effect::Said(answer::unknown_action())),
    };
    if let (Ok(_), Some(text)) = (&moved, resolution) {
        note::add(&mut click.tx, &account.id, me, NoteKind::Resolution, &text, now).await?;
    }
    settle(click, account, &before, moved).await
}

/// Saves the move, or says why there is none.
async fn settle(
    click: &mut Click<'_>,
    account: &Account,
    before: &Risk,
    moved: Result<Moved, Refused>,
) -> anyhow::Result<Effect> {
    let (risk, event) = match moved {
        Ok((risk, event)) => (watched(click, risk), event),
        Err(refused) => return Ok(refusal(click, account, before, &refused)),
    };
    store::risk::save(&mut click.tx, &risk).await?;
    if event == RiskEvent::Snoozed {
        tell_other_half(click, account, &risk).await?;
    }
    let mut entries = vec![entry(&risk, event)];
    if event == RiskEvent::Resolved {
        entries.extend(handoff::risk_settled(click, &risk).await?);
    }
    Ok(Effect::changed(&account.id, entries, Reply::Silent))
}

fn entry(risk: &Risk, event: RiskEvent) -> Entry {
    Entry::new(event.as_str(), Subject::Risk(risk.id), data(risk))
}

/// A snooze is no secret: the other half of the pair reads it under the card that they have.
async fn tell_other_half(click: &mut Click<'_>, account: &Account, risk: &Risk) -> anyhow::Result<()> {
    let content = Content::notice(About::Risk(risk.id), "snoozed", risk.version(), None);
    let pair: BTreeSet<PersonId> = account.csm.into_iter().chain(account.account_manager).collect();
    for person in pair.into_iter().filter(|person| *person != click.me) {
        notice::reply_at(&mut click.tx, &click.snapshot, person, &content, &account.id, click.now, click.now).await?;
    }
    Ok(())
}

/// One that was just acknowledged is asked about on the working day after its next step is due.
pub(super) fn watched(click: &Click<'_>, risk: Risk) -> Risk {
    let (State::Acknowledged { due, .. }, Some(me)) = (risk.state(), click.snapshot.person(click.me)) else {
        return risk;
    };
    let days = click.snapshot.policy.work.accept_days;
    let timer = Timer::ask_on(click.now, *due, 1, days, &click.snapshot.calendar(me));
    risk.watched(timer)
}

/// Ids, states and days: what the audit trail keeps of a risk.
pub(super) fn data(risk: &Risk) -> Value {
    let mut data = json!({"account": risk.account, "version": risk.version(), "state": risk.state_name()});
    match risk.state() {
        State::Acknowledged { due, .. } => data["due"] = json!(due),
        State::Snoozed { until, .. } => data["until"] = json!(until),
        State::Resolved { reason, .. } => data["resolution"] = json!(reason.as_str()),
        State::Open | State::Ended => {}
    }
    data
}

/// A refused move: the present state, or a sentence at the field that is wrong.
pub(super) fn refusal(click: &Click<'_>, account: &Account, risk: &Risk, refused: &Refused) -> Effect {
    let at = |field: &str| Effect::field(field, phrase::sentence(&phrase::capital(&refused.to_string())));
    match refused {
        Refused::Present(_) | Refused::NotDue => Effect::Said(click.present_risk(account, risk)),
        Refused::PastDeadline { .. } => at(form::UNTIL),
        // A step is due today at the earliest, a snooze ends tomorrow.
        Refused::TooEarly { earliest } if *earliest == click.today => at(form::DUE),
        Refused::TooEarly { .. } => at(form::UNTIL),
        Refused::StepMissing => at(form::STEP),
        Refused::DeadlineToday => Effect::Said(answer::too_close_to_snooze(&account.name, click.today, click.today)),
        Refused::TooOld { ended } => Effect::Said(answer::cannot(&account.name, &Cannot::TooOld(*ended), click.today)),
    }
}

/// Counts against the precision of the rule behind the card: a window's own, else the one that leads the account's
/// causes. A second time changes nothing.
pub(super) async fn not_useful(
    click: &mut Click<'_>,
    account: &Account,
    subject: Subject,
    rule: Option<String>,
) -> anyhow::Result<Effect> {
    let rule = match rule {
        Some(rule) => rule,
        None => first_cause(click, account).await?,
    };
    let said = answer::done(&account.name, &Done::NotUseful, click.today);
    if !note::judge_not_useful(&mut click.tx, &account.id, &rule, click.me, click.now).await? {
        return Ok(Effect::Said(said));
    }
    let entry = Entry::new("feedback.given", subject, json!({"account": account.id, "rule": rule, "useful": false}));
    Ok(Effect::changed(&account.id, vec![entry], Reply::Private(said)))
}

/// The rule that leads the card; "raised" where only a person saw it.
async fn first_cause(click: &mut Click<'_>, account: &Account) -> anyhow::Result<String> {
    let causes = click.diagnosis(account).await?.map(|diagnosis| diagnosis.causes).unwrap_or_default();
    Ok(causes.into_iter().next().map_or_else(|| "raised".to_owned(), |cause| cause.rule))
}
