//! Purpose: the one press that everybody makes in the same hour of the morning,
//! *Acknowledge* on a risk, carried out for all who press at the same time.
//!
//! One transaction for all of them, in which each press has what it would have
//! alone: its receipt, the locked row, the presser's own rights, the state
//! machine, the audit event, the redraws. Whatever is not plain goes alone, as
//! every other press does: a presser whom memory does not know, a risk that is
//! not there, and one that somebody else holds, since nobody is to wait for
//! another's lock. What fails is undone for all and tried alone, so that no
//! press fails for another's sake.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use uuid::Uuid;

use super::{Click, Found, Held, risk};
use crate::app::together::{SERVED_WITHIN, Together, Turn};
use crate::app::{App, Asker};
use crate::domain::account::AccountId;
use crate::domain::message::Reply;
use crate::store::audit::Actor;
use crate::store::{Tenant, message, press};

/// Acknowledgements being carried out. `None`: not plain, to be pressed alone.
pub(in crate::app) type Acknowledging = Together<Press, Option<Reply>>;

#[derive(Debug)]
pub(in crate::app) struct Press {
    asker: Asker,
    risk: Uuid,
    receipt: String,
}

/// Acknowledges together with others; `None` where this has to be pressed alone, and nothing is done yet.
pub(super) async fn acknowledge(app: &App, asker: &Asker, risk: Uuid, receipt: &str) -> anyhow::Result<Option<Reply>> {
    let is_plain = app
        .remembered(asker.org)
        .is_some_and(|snapshot| asker.person(&snapshot).is_some_and(|person| !person.roles.is_empty()));
    if !is_plain {
        return Ok(None);
    }
    let press = Press { asker: asker.clone(), risk, receipt: receipt.to_owned() };
    let begin = || app.memory.presses.tenant(asker.org);
    let serve = |tx, presses, turn| app.store.within(SERVED_WITHIN, serve(app, tx, presses, turn));
    let replied = app.memory.acknowledging.ask(asker.org, press, begin, serve).await?;
    // Where who served was cut off nobody knows whether it was done: the receipt tells whoever presses alone.
    Ok(replied.flatten())
}

async fn serve(app: &App, tx: Tenant, presses: Vec<Press>, turn: Turn) -> anyhow::Result<Vec<Option<Reply>>> {
    Ok(carry_out(app, tx, &presses, turn).await.unwrap_or_else(|error| {
        let error = format!("{error:#}");
        tracing::warn!(error, presses = presses.len(), "presses failed together; each is tried alone");
        presses.iter().map(|_| None).collect()
    }))
}

async fn carry_out(app: &App, tx: Tenant, presses: &[Press], turn: Turn) -> anyhow::Result<Vec<Option<Reply>>> {
    let now = app.now();
    let asked: Vec<(&str, Uuid)> = presses.iter().map(|press| (press.receipt.as_str(), press.risk)).collect();
    let standby = &app.memory.presses;
    let wanted = asked.as_slice();
    let take = |mut tx| async move { press::take(&mut tx, wanted, now).await.map(|taken| (tx, taken)) };
    let (mut tx, mut taken) = standby.ask(tx, take).await?;
    let alone = asked.iter().filter(|(receipt, risk)| !taken.free.contains_key(risk) && taken.first.contains(*receipt));
    message::take_back(&mut tx, &alone.map(|(receipt, _)| *receipt).collect::<Vec<_>>()).await?;
    let held = |(account, risk)| Found { account, held: Held::Risk(risk) };
    let mut found: BTreeMap<Uuid, Found> = taken.free.into_iter().map(|(id, both)| (id, held(both))).collect();
    let snapshot = app.snapshot_under(&mut tx, taken.stamp).await?;
    let pressers = presses.iter().map(|press| {
        let known = press.asker.person(&snapshot).filter(|person| !person.roles.is_empty());
        known.map(|person| person.id).context("a presser is no colleague any more")
    });
    let pressers = pressers.collect::<anyhow::Result<Vec<_>>>()?;
    let Some((first, me)) = presses.first().zip(pressers.first().copied()) else { return Ok(Vec::new()) };
    let today = snapshot.today(Some(me), now);
    let mut click = Click { app, asker: &first.asker, tx, snapshot, me, now, today, fresh: false };
    let (mut replies, mut moved, mut deeds) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (press, me) in presses.iter().zip(pressers) {
        // Whoever presses the same after another finds it moved.
        let Some(found) = found.get_mut(&press.risk) else {
            replies.push(None);
            continue;
        };
        click.turn_to(&press.asker, me, taken.first.remove(&press.receipt));
        replies.push(Some(match risk::acknowledge_found(&click, found) {
            Ok(entry) => {
                moved.insert(press.risk);
                deeds.push((Actor::Person(me), entry));
                Reply::Silent
            }
            Err(said) => Reply::Private(said),
        }));
    }
    found.retain(|id, _| moved.contains(id));
    let accounts: Vec<AccountId> = found.values().map(|found| found.account.id.clone()).collect();
    let risks = found.into_values().filter_map(|found| match found.held {
        Held::Risk(risk) => Some(risk),
        Held::Account | Held::Handoff(_) | Held::Renewal(_) => None,
    });
    press::keep(&mut click.tx, &risks.collect::<Vec<_>>(), &deeds, &accounts, now).await?;
    drop(turn);
    standby.commit(click.tx).await?;
    app.outbox_bell.notify_waiters();
    Ok(replies)
}
