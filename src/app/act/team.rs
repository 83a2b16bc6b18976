//! Purpose: what leads do: nudge who has to answer, give it to somebody else.

use serde_json::json;

use super::{Click, Effect, Found, Held, handoff, renewal, rights};
use crate::app::content::{About, Content};
use crate::app::notice;
use crate::app::transfer::renewal_entry;
use crate::domain::account::Account;
use crate::domain::action::Subject;
use crate::domain::handoff::{Handoff, HandoffEvent, Matter, State};
use crate::domain::message::answer::{self, Cannot, Done};
use crate::domain::message::form;
use crate::domain::message::{Message, Reply};
use crate::domain::person::{Person, PersonId, Role};
use crate::domain::routing::Seat;
use crate::store;
use crate::store::audit::Entry;

/// With whom it lies now; `None` where it is settled.
pub(super) fn holder(click: &Click<'_>, found: &Found) -> Option<PersonId> {
    match &found.held {
        Held::Risk(risk) if risk.is_open() => handoff::route(click, &found.account).map(|routed| routed.risks),
        Held::Handoff(handoff) => handoff.accountable(),
        Held::Renewal(work) if work.is_open() => Some(work.owner()),
        Held::Risk(_) | Held::Renewal(_) | Held::Account => None,
    }
}

/// What to answer where it is settled, or where the presser does not lead who has it; else who has it.
pub(super) fn led(click: &Click<'_>, found: &Found) -> Result<PersonId, Message> {
    let Some(holder) = holder(click, found) else { return Err(click.present(found)) };
    let of_pool = match &found.held {
        Held::Handoff(handoff) => match handoff.state() {
            State::Offered { to, .. } => {
                to.pool().is_some_and(|pool| rights::of_pool(&click.snapshot, click.me, pool))
                    && click.snapshot.person(click.me).is_some_and(|me| me.is(Role::Lead))
            }
            _ => false,
        },
        _ => false,
    };
    if of_pool || rights::leads(&click.snapshot, click.me, holder, click.today) {
        Ok(holder)
    } else {
        Err(click.present(found))
    }
}

/// A short message to the one who has to act.
pub(super) async fn nudge(click: &mut Click<'_>, found: &Found) -> anyhow::Result<Effect> {
    let holder = match led(click, found) {
        Ok(holder) => holder,
        Err(answer) => return Ok(Effect::Said(answer)),
    };
    let account = &found.account;
    let (about, version, subject) = match &found.held {
        Held::Risk(risk) => (About::Risk(risk.id), risk.version(), Subject::Risk(risk.id)),
        Held::Handoff(handoff) => (About::Handoff(handoff.id), handoff.version(), Subject::Handoff(handoff.id)),
        Held::Renewal(work) => (About::Renewal(work.id), work.version(), Subject::Renewal(work.id)),
        Held::Account => return Ok(Effect::Said(answer::unknown_action())),
    };
    // A pool's offer waits for its members, not for the lead who answers for it.
    let to: Vec<PersonId> = match &found.held {
        Held::Handoff(handoff) => match handoff.state() {
            State::Offered { to, .. } => {
                to.pool().map_or_else(|| vec![holder], |pool| click.snapshot.people.pool(pool).to_vec())
            }
            _ => vec![holder],
        },
        _ => vec![holder],
    };
    let who = match to.as_slice() {
        [one] => click.name(*one),
        _ => click.name(holder),
    };
    let told: Vec<PersonId> = to.into_iter().filter(|person| *person != click.me).collect();
    if told.is_empty() {
        return Ok(Effect::Said(answer::cannot(&account.name, &Cannot::HasIt(who), click.today)));
    }
    let about = Content::notice(about, "nudged", version, Some(click.me));
    notice::notify(&mut click.tx, &click.snapshot, told, &about, Some(&account.id), click.now).await?;
    let data = json!({"account": account.id, "to": holder, "nudged": true});
    let reply = Reply::Private(answer::done(&account.name, &Done::Nudged(who), click.today));
    // Nothing to redraw: a nudge changes no card.
    Ok(Effect::Changed { accounts: Vec::new(), entries: vec![Entry::new("escalation.reminded", subject, data)], reply })
}

/// Colleagues who may take it over, by name: those whose role fits, else everybody who acts.
pub(super) fn fitting(click: &Click<'_>, found: &Found) -> Vec<(PersonId, String)> {
    let roles: &[Role] = match &found.held {
        Held::Risk(_) => &[Role::Csm],
        Held::Renewal(_) | Held::Account => &[Role::Csm, Role::AccountManager],
        Held::Handoff(handoff) => match (&handoff.matter, handoff.state()) {
            (Matter::Warning { .. }, _) | (Matter::Window(_), State::Detected { .. } | State::Qualified { .. }) => {
                &[Role::Csm]
            }
            (Matter::Window(_) | Matter::RiskToWeigh { .. }, State::Offered { .. } | State::Accepted { .. }) => {
                &[Role::AccountManager]
            }
            _ => &[Role::Csm, Role::AccountManager],
        },
    };
    let acts = |person: &&Person| person.active && person.roles.iter().any(|role| *role != Role::Viewer);
    let holder = holder(click, found);
    let others = || click.snapshot.people.iter().filter(acts).filter(|person| Some(person.id) != holder);
    let mut fitting: Vec<&Person> = others().filter(|person| roles.iter().any(|role| person.is(*role))).collect();
    if fitting.is_empty() {
        fitting = others().collect();
    }
    fitting.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    fitting.into_iter().map(|person| (person.id, person.name.clone())).collect()
}

/// Somebody else is accountable from now on. A risk goes with its account's CSM, so that is what changes.
pub(super) async fn reassign(click: &mut Click<'_>, found: Found, to: PersonId) -> anyhow::Result<Effect> {
    let holder = match led(click, &found) {
        Ok(holder) => holder,
        Err(answer) => return Ok(Effect::Said(answer)),
    };
    if to == holder && !matches!(&found.held, Held::Handoff(_)) {
        let why = Cannot::HasIt(click.name(to));
        return Ok(Effect::Said(answer::cannot(&found.account.name, &why, click.today)));
    }
    if to != holder && !fitting(click, &found).iter().any(|(person, _)| *person == to) {
        return Ok(Effect::field(form::PERSON, form::CHOOSE));
    }
    let Found { account, held } = found;
    let reply = Reply::Private(answer::done(&account.name, &Done::Reassigned(click.name(to)), click.today));
    match held {
        Held::Handoff(handoff) => {
            let moved = match answers(click, &account, &handoff, to) {
                true => handoff.clone().reassign_as_offer(to, click.now),
                false => handoff.clone().reassign(to, click.now),
            };
            match moved {
                Ok((reassigned, event)) => {
                    let mut entry = handoff::entry(&reassigned, event);
                    entry.data["previous"] = json!(holder);
                    if event == HandoffEvent::Offered {
                        // An offer is news to whom it is made to; who had it hears that it went on.
                        tell(click, &account, [holder], About::Handoff(reassigned.id), reassigned.version()).await?;
                    }
                    handoff::save(click, &account, &handoff, &reassigned, event, vec![entry], reply).await
                }
                Err(refused) => handoff::refusal(click, &account, &handoff, refused).await,
            }
        }
        Held::Renewal(work) => match work.clone().owned_by(to) {
            Ok(owned) => {
                store::renewal::save(&mut click.tx, &owned).await?;
                tell(click, &account, [holder, to], About::Renewal(owned.id), owned.version()).await?;
                Ok(Effect::changed(&account.id, vec![renewal_entry(&owned, holder, "reassigned")], reply))
            }
            Err(refused) => Ok(renewal::refusal(click, &account, &work, &refused)),
        },
        Held::Risk(risk) => {
            let entries = give_to_csm(click, &account, to).await?;
            let risk = risk.handed_over();
            store::risk::save(&mut click.tx, &risk).await?;
            tell(click, &account, [holder, to], About::Risk(risk.id), risk.version()).await?;
            Ok(Effect::changed(&account.id, entries, reply))
        }
        Held::Account => Ok(Effect::Said(answer::unknown_action())),
    }
}

/// Whether what is handed over is for this person to answer: warnings are for CSMs, the rest for account managers. Who
/// holds both roles may be meant to qualify it, unless the account's offers go to them.
fn answers(click: &Click<'_>, account: &Account, handoff: &Handoff, to: PersonId) -> bool {
    let is = |role| click.snapshot.person(to).is_some_and(|person| person.is(role));
    let by_role = match handoff.matter {
        Matter::Warning { .. } => is(Role::Csm),
        Matter::Window(_) | Matter::RiskToWeigh { .. } => is(Role::AccountManager) && !is(Role::Csm),
    };
    by_role || handoff::counterpart(click, account, handoff) == Some(Seat::Person(to))
}

/// The account gets another CSM: what the earlier one held on it goes along.
async fn give_to_csm(click: &mut Click<'_>, account: &Account, to: PersonId) -> anyhow::Result<Vec<Entry>> {
    store::account::set_csm(&mut click.tx, &account.id, to, click.now).await?;
    store::settings::touch(&mut click.tx).await?;
    let data = json!({"account": account.id, "role": "csm", "from": account.csm, "to": to});
    let mut entries = vec![Entry::new("book.transferred", Subject::Account(account.id.clone()), data)];
    let Some(from) = account.csm else { return Ok(entries) };
    let ids = std::slice::from_ref(&account.id);
    for open in store::handoff::of_accounts(&mut click.tx, ids, click.now).await? {
        // Locked now: it may have moved since it was listed.
        let Some(handoff) = store::handoff::lock(&mut click.tx, open.id).await? else { continue };
        if !holds_as_csm(&handoff, from) {
            continue;
        }
        if let Ok((moved, event)) = handoff.reassign(to, click.now) {
            store::handoff::save(&mut click.tx, &moved).await?;
            entries.push(handoff::entry(&moved, event));
        }
    }
    Ok(entries)
}

fn holds_as_csm(handoff: &Handoff, csm: PersonId) -> bool {
    handoff.lies_with_or_for(csm) && !matches!(handoff.state(), State::Accepted { .. })
}

/// They are told: who had it, and who has it now.
async fn tell(
    click: &mut Click<'_>,
    account: &Account,
    both: impl IntoIterator<Item = PersonId>,
    about: About,
    version: i32,
) -> anyhow::Result<()> {
    let about = Content::notice(about, "reassigned", version, None);
    let told = both.into_iter().filter(|person| *person != click.me);
    notice::notify(&mut click.tx, &click.snapshot, told, &about, Some(&account.id), click.now).await
}
