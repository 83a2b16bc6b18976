//! Purpose: the work towards a renewal.

use serde_json::{Value, json};

use super::{Click, Effect, Found, Held, raise, team};
use crate::app::content::{About, Content};
use crate::app::notice;
use crate::domain::account::Account;
use crate::domain::action::{Subject, Verb};
use crate::domain::message::Reply;
use crate::domain::message::answer::{self, Cannot};
use crate::domain::message::form::{self, Submission};
use crate::domain::person::PersonId;
use crate::domain::renewal_work::{Moved, Outcome, Refused, RenewalEvent, RenewalWork, Timer};
use crate::domain::timer::IDLE_WORKING_DAYS;
use crate::store;
use crate::store::audit::Entry;

pub(super) async fn press(
    click: &mut Click<'_>,
    verb: Verb,
    account: Account,
    work: RenewalWork,
) -> anyhow::Result<Effect> {
    let now = click.now;
    match verb {
        Verb::Acknowledge => carry_on(click, &account, work).await,
        Verb::Prepare => settle(click, &account, &work, work.clone().prepare(now)).await,
        Verb::Negotiate => settle(click, &account, &work, work.clone().negotiate(now)).await,
        Verb::Nudge => team::nudge(click, &Found { account, held: Held::Renewal(work) }).await,
        _ => raise::press(click, verb, &account).await,
    }
}

/// The machine's move for what a dialog said. Pure: also tried before the dialog opens.
pub(super) fn step(click: &Click<'_>, work: RenewalWork, said: Submission) -> Result<Moved, Refused> {
    let (me, now) = (click.me, click.now);
    match said {
        Submission::Brief { goals_reached, usage, open_issues } => {
            work.add_brief(me, &form::brief_text(&goals_reached, &usage, &open_issues), now)
        }
        Submission::Renewed { amount } => work.end(me, Outcome::Renewed { arr_after: amount }, now),
        Submission::Contracted { amount } => work.end(me, Outcome::Contracted { arr_after: Some(amount) }, now),
        Submission::RenewalLost { reason } => work.end(me, Outcome::Lost { reason }, now),
        // Dialogs about other things never come here with a renewal.
        _ => Err(Refused::Present(work.present())),
    }
}

pub(super) async fn submitted(
    click: &mut Click<'_>,
    account: &Account,
    work: RenewalWork,
    said: Submission,
) -> anyhow::Result<Effect> {
    let moved = step(click, work.clone(), said);
    settle(click, account, &work, moved).await
}

async fn settle(
    click: &mut Click<'_>,
    account: &Account,
    before: &RenewalWork,
    moved: Result<Moved, Refused>,
) -> anyhow::Result<Effect> {
    let (work, event) = match moved {
        Ok(moved) => moved,
        Err(refused) => return Ok(refusal(click, account, before, &refused)),
    };
    let work = watched(click, work);
    store::renewal::save(&mut click.tx, &work).await?;
    let told = other_half(click, account, &work);
    // A value brief is audited as a note; whom it is written for hears that it is there.
    let word = if event == RenewalEvent::Briefed { "briefed" } else { work.state_name() };
    let about = Content::notice(About::Renewal(work.id), word, work.version(), None);
    notice::notify(&mut click.tx, &click.snapshot, told, &about, Some(&account.id), click.now).await?;
    let mut entry = Entry::new(event.as_str(), Subject::Renewal(work.id), data(&work));
    // What was at stake: an import may change the account before the figures are counted.
    entry.data["arr_before"] = json!(account.arr);
    Ok(Effect::changed(&account.id, vec![entry], Reply::Silent))
}

/// Work that was just moved on is asked about when nothing more is done.
fn watched(click: &Click<'_>, work: RenewalWork) -> RenewalWork {
    let Some(owner) = click.snapshot.person(work.owner()) else { return work };
    let (calendar, days) = (click.snapshot.calendar(owner), click.snapshot.policy.work.accept_days);
    let today = calendar.local_date(click.now);
    work.watched(Timer::ask_on(click.now, today, IDLE_WORKING_DAYS, days, &calendar))
}

/// "Still on it?": one tap says yes, and the clock starts anew.
async fn carry_on(click: &mut Click<'_>, account: &Account, work: RenewalWork) -> anyhow::Result<Effect> {
    if !work.is_asked() {
        return Ok(Effect::Said(click.present_renewal(account, &work)));
    }
    let id = work.id;
    if !still_in_hand(click, work).await? {
        return Ok(Effect::Said(answer::not_there()));
    }
    Ok(click.carries_on(account, Subject::Renewal(id)))
}

/// Somebody is at it: its clock starts anew. False where no work on it is under way.
pub(super) async fn still_in_hand(click: &mut Click<'_>, work: RenewalWork) -> anyhow::Result<bool> {
    let Ok(work) = work.carried_on(click.now) else { return Ok(false) };
    let work = watched(click, work);
    store::renewal::save(&mut click.tx, &work).await?;
    Ok(true)
}

/// The owner and the account's CSM and account manager, without the one who did it.
fn other_half(click: &Click<'_>, account: &Account, work: &RenewalWork) -> Vec<PersonId> {
    let pair = account.csm.into_iter().chain(account.account_manager).chain([work.owner()]);
    pair.filter(|person| *person != click.me).collect()
}

fn data(work: &RenewalWork) -> Value {
    json!({
        "account": work.account, "version": work.version(), "state": work.state_name(), "renewal_date": work.renewal_date,
        "arr_after": work.arr_after(),
    })
}

pub(super) fn refusal(click: &Click<'_>, account: &Account, work: &RenewalWork, refused: &Refused) -> Effect {
    match refused {
        Refused::Present(_) | Refused::NotDue => Effect::Said(click.present_renewal(account, work)),
        Refused::SameOwner => {
            let why = Cannot::HasIt(click.name(work.owner()));
            Effect::Said(answer::cannot(&account.name, &why, click.today))
        }
        Refused::ReasonMissing => Effect::field(form::REASON, form::FILL_IN),
        Refused::BriefEmpty => Effect::field(form::GOALS, form::FILL_IN),
    }
}
