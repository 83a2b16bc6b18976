//! Purpose: a rule goes on trial, or comes back from it, by one press of whoever administers the organisation. The
//! opposite press undoes it.

use super::{Click, Effect};
use crate::app::policy;
use crate::domain::action::Verb;
use crate::domain::figures::precision;
use crate::domain::message::{Reply, answer};
use crate::store;

pub(super) async fn press(click: &mut Click<'_>, verb: Verb, rule: &str) -> anyhow::Result<Effect> {
    let on_trial = match verb {
        Verb::PutOnTrial => true,
        Verb::BringBack => false,
        _ => return Ok(Effect::Said(answer::unknown_action())),
    };
    let snapshot = click.snapshot.clone();
    if !snapshot.people.stewards().contains(&click.me) {
        return Ok(Effect::Said(answer::admins_only()));
    }
    if !precision::may_be_tried(rule, &snapshot.policy) {
        return Ok(Effect::Said(answer::not_there()));
    }
    let said = answer::trial(rule, on_trial);
    // Locked by being written: of two who press at once, the second finds it done.
    let entry = policy::set_trial(&mut click.tx, rule, on_trial, click.now).await?;
    let Some(entry) = entry else { return Ok(Effect::Said(answer::trial_already(rule, on_trial))) };
    store::rule::queue_redraws(&mut click.tx, click.now).await?;
    Ok(Effect::Changed { accounts: Vec::new(), entries: vec![entry], reply: Reply::Private(said) })
}
