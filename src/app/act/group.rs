//! Purpose: a group of a digest's rest is acknowledged or snoozed in one go.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use uuid::Uuid;

use super::{Click, Effect, Held, future_deadline, rights, risk};
use crate::app::query;
use crate::domain::account::{Account, AccountId};
use crate::domain::action::{Subject, Verb};
use crate::domain::message::answer::{self, Done};
use crate::domain::message::dialog::{self, DialogView};
use crate::domain::message::digest::WHOLE;
use crate::domain::message::form::{self, Limits, Submission};
use crate::domain::message::{Answers, Message, Reply};
use crate::domain::risk::{Refused, Risk};
use crate::domain::routing::Access;
use crate::store;
use crate::store::audit::Entry;

pub(super) async fn press(click: &mut Click<'_>, verb: Verb, digest: Uuid, number: u16) -> anyhow::Result<Effect> {
    match verb {
        Verb::ShowMore => {
            let shown =
                query::group_answer(click.app, &mut click.tx, &click.snapshot, Some(click.me), digest, number).await?;
            Ok(Effect::Asked(Reply::Private(shown)))
        }
        Verb::AcknowledgeGroup => acknowledge(click, digest, number).await,
        Verb::SnoozeGroup => {
            let members = match members(click, digest, number).await? {
                Ok(members) => members,
                Err(answer) => return Ok(Effect::Said(answer)),
            };
            let currency = click.snapshot.organisation.currency;
            let mut view = DialogView::new(Subject::Group(digest, number), "", click.today, currency);
            view.group = members.len();
            let asked = dialog::dialog(verb, &view).map(Reply::Dialog);
            Ok(asked.map_or_else(|| Effect::Said(answer::unknown_action()), Effect::Asked))
        }
        _ => Ok(Effect::Said(answer::unknown_action())),
    }
}

pub(super) async fn submit(
    click: &mut Click<'_>,
    verb: Verb,
    digest: Uuid,
    number: u16,
    answers: &Answers,
) -> anyhow::Result<Effect> {
    if verb != Verb::SnoozeGroup {
        return Ok(Effect::Said(answer::unknown_action()));
    }
    let currency = click.snapshot.organisation.currency;
    match form::parse(verb, answers, click.today, currency, Limits::default()) {
        Ok(Submission::SnoozeGroup { until }) => snooze(click, digest, number, until).await,
        Ok(_) => Ok(Effect::Said(answer::unknown_action())),
        Err(errors) => Ok(Effect::Asked(Reply::FieldErrors(errors))),
    }
}

/// The group's risks that the presser may act on, locked in the order of their ids so that two who
/// press at once cannot block each other.
async fn members(
    click: &mut Click<'_>,
    digest: Uuid,
    number: u16,
) -> anyhow::Result<Result<Vec<(Account, Risk)>, Message>> {
    // From 1: what the health gate withholds is no part of the rest.
    let groups = if number == WHOLE { 1..=WHOLE } else { number..=number };
    let subjects = store::digest::group_subjects(&mut click.tx, digest, groups).await?;
    let ids: Vec<Uuid> = subjects
        .iter()
        .filter_map(|subject| match subject {
            Subject::Risk(id) => Some(*id),
            _ => None,
        })
        .collect();
    let risks = store::risk::lock_many(&mut click.tx, &ids).await?;
    let accounts: Vec<AccountId> = risks.iter().map(|risk| risk.account.clone()).collect();
    let mut accounts: BTreeMap<AccountId, Account> = store::account::some(&mut click.tx, &accounts)
        .await?
        .into_iter()
        .map(|account| (account.id.clone(), account))
        .collect();
    let mut seen: Vec<&Account> = Vec::new();
    let mut allowed = Vec::new();
    for risk in risks {
        let Some(account) = accounts.get(&risk.account) else { continue };
        let held = Held::Risk(risk);
        let access = rights::access(&click.snapshot, click.me, account, &held, click.today);
        if let (Access::Act, Held::Risk(risk)) = (access, held) {
            allowed.push(risk);
        } else if access > Access::Nothing {
            seen.push(account);
        }
    }
    if allowed.is_empty() {
        return Ok(Err(match seen.as_slice() {
            [] => answer::not_there(),
            [account] => answer::look_only(&rights::actors(&click.snapshot, account)),
            _ => answer::look_only(&[]),
        }));
    }
    let pairs = allowed.into_iter().filter_map(|risk| Some((accounts.remove(&risk.account)?, risk)));
    Ok(Ok(pairs.collect()))
}

async fn acknowledge(click: &mut Click<'_>, digest: Uuid, number: u16) -> anyhow::Result<Effect> {
    let members = match members(click, digest, number).await? {
        Ok(members) => members,
        Err(answer) => return Ok(Effect::Said(answer)),
    };
    let due = risk::acknowledged_until(click);
    let (mut moved, mut before) = (Vec::new(), 0);
    for (_, risk) in members {
        match risk.acknowledge(click.me, due, click.now) {
            Ok((risk, event)) => moved.push((risk::watched(click, risk), event)),
            Err(_) => before += 1,
        }
    }
    let said = Done::GroupAcknowledged { now: moved.len(), before };
    save(click, moved, said).await
}

async fn snooze(click: &mut Click<'_>, digest: Uuid, number: u16, until: NaiveDate) -> anyhow::Result<Effect> {
    let members = match members(click, digest, number).await? {
        Ok(members) => members,
        Err(answer) => return Ok(Effect::Said(answer)),
    };
    let accounts: Vec<Account> = members.iter().map(|(account, _)| account.clone()).collect();
    let diagnoses = match click.snapshot.organisation.diagnosed_on {
        Some(date) => store::diagnosis::of_accounts(&mut click.tx, date, &accounts, &click.snapshot.policy).await?,
        None => BTreeMap::new(),
    };
    let (mut moved, mut refused) = (Vec::new(), 0);
    for (account, risk) in members {
        let deadline = future_deadline(&account, diagnoses.get(&account.id), &click.snapshot.policy, click.today);
        match risk.snooze(click.me, until, deadline, click.today, click.now) {
            Ok(done) => moved.push(done),
            Err(Refused::PastDeadline { .. } | Refused::DeadlineToday) => refused += 1,
            // Settled meanwhile, or snoozed until then already: nothing to say.
            Err(_) => {}
        }
    }
    let said = Done::GroupSnoozed { now: moved.len(), refused, until };
    save(click, moved, said).await
}

async fn save(click: &mut Click<'_>, moved: Vec<crate::domain::risk::Moved>, said: Done) -> anyhow::Result<Effect> {
    let said = answer::done("", &said, click.today);
    if moved.is_empty() {
        return Ok(Effect::Said(said));
    }
    let mut accounts = Vec::new();
    let mut entries = Vec::new();
    for (risk, event) in &moved {
        store::risk::save(&mut click.tx, risk).await?;
        accounts.push(risk.account.clone());
        entries.push(Entry::new(event.as_str(), Subject::Risk(risk.id), risk::data(risk)));
    }
    Ok(Effect::Changed { accounts, entries, reply: Reply::Private(said) })
}
