//! Who may do what, beside what routing says of the account itself.

use chrono::{DateTime, NaiveDate, Utc};

use super::Held;
use crate::app::snapshot::Snapshot;
use crate::domain::account::{Account, AccountId};
use crate::domain::handoff::{Handoff, Matter, State};
use crate::domain::person::{PersonId, Role};
use crate::domain::renewal_work::RenewalWork;
use crate::domain::routing::{Access, Seat, Start};
use crate::store::{self, Tenant};

/// What the presser may do: as routing says of the account, and more for whoever is accountable for
/// the matter, stands in for them or leads them, for a pool that has the offer, and for who offered it.
/// What else is open on an account is not known here: [`takes_part`] says whether that is the presser's.
pub(super) fn access(snapshot: &Snapshot, me: PersonId, account: &Account, held: &Held, today: NaiveDate) -> Access {
    let of_account = snapshot.access(me, account);
    if of_account == Access::Act || !works(snapshot, me) {
        return of_account;
    }
    let party = match held {
        Held::Account | Held::Risk(_) => {
            snapshot.route(account, today).is_ok_and(|routed| acts_for(snapshot, me, routed.risks))
        }
        Held::Handoff(handoff) => is_party(snapshot, me, handoff),
        Held::Renewal(work) => acts_for(snapshot, me, work.owner()),
    };
    if party { Access::Act } else { of_account }
}

fn is_party(snapshot: &Snapshot, me: PersonId, handoff: &Handoff) -> bool {
    handoff.accountable().is_some_and(|holder| acts_for(snapshot, me, holder))
        || offered_to_pool_of(snapshot, me, handoff)
        || offerer(handoff).is_some_and(|from| acts_for(snapshot, me, from))
}

/// Whether something open on an account is for this person to act on: their card of it has the account's notes and
/// more of the account to read, whoever's account it is.
pub(in crate::app) fn has_part(
    snapshot: &Snapshot,
    me: PersonId,
    handoffs: &[Handoff],
    renewal: Option<&RenewalWork>,
) -> bool {
    works(snapshot, me)
        && (handoffs.iter().any(|handoff| handoff.is_open() && is_party(snapshot, me, handoff))
            || renewal.is_some_and(|work| work.is_open() && acts_for(snapshot, me, work.owner())))
}

/// The same of an account that has not been read.
pub(in crate::app) async fn takes_part(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    me: PersonId,
    account: &AccountId,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let ids = std::slice::from_ref(account);
    let handoffs = store::handoff::of_accounts(tx, ids, now).await?;
    let renewal = store::renewal::latest(tx, ids).await?.pop();
    Ok(has_part(snapshot, me, &handoffs, renewal.as_ref()))
}

/// Whether they have this access to an account, or a part in what is open on it: that is theirs to see, to raise something
/// beside and to write about.
pub(in crate::app) async fn has_access(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    me: PersonId,
    account: &Account,
    least: Access,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let of_account = access(snapshot, me, account, &Held::Account, snapshot.today(Some(me), now));
    Ok(of_account >= least || takes_part(tx, snapshot, me, &account.id, now).await?)
}

/// First names of those whose account it is.
pub(in crate::app) fn actors(snapshot: &Snapshot, account: &Account) -> Vec<String> {
    let mut ids: Vec<PersonId> = account.csm.into_iter().chain(account.account_manager).collect();
    ids.dedup();
    ids.into_iter().map(|id| snapshot.first_name(id)).collect()
}

/// Active, with a role that acts: a viewer never does.
fn works(snapshot: &Snapshot, me: PersonId) -> bool {
    snapshot.person(me).is_some_and(|me| me.active && me.roles.iter().any(|role| *role != Role::Viewer))
}

/// The person, their delegate, or a lead above them.
pub(super) fn acts_for(snapshot: &Snapshot, me: PersonId, person: PersonId) -> bool {
    me == person
        || snapshot.person(person).is_some_and(|person| person.delegate == Some(me))
        || snapshot.people.leads_above(person).contains(&me)
}

/// A member of this pool, or a lead above one.
pub(super) fn of_pool(snapshot: &Snapshot, me: PersonId, pool: &str) -> bool {
    let members = snapshot.people.pool(pool);
    members.contains(&me) || members.iter().any(|member| snapshot.people.leads_above(*member).contains(&me))
}

fn offered_to_pool_of(snapshot: &Snapshot, me: PersonId, handoff: &Handoff) -> bool {
    match handoff.state() {
        State::Offered { to: Seat::Pool { name, .. }, .. } => of_pool(snapshot, me, name),
        _ => false,
    }
}

/// Who made the offer, or raised the window.
fn offerer(handoff: &Handoff) -> Option<PersonId> {
    match handoff.state() {
        State::Offered { from: Some(from), .. } | State::Accepted { from: Some(from), .. } => Some(*from),
        _ => handoff.window().and_then(|window| window.raised_by),
    }
}

/// Whether the presser stands on the account manager's side of the account.
pub(super) fn manages(snapshot: &Snapshot, me: PersonId, account: &Account) -> bool {
    account.account_manager.is_some_and(|manager| acts_for(snapshot, me, manager))
        || account.pool.as_deref().is_some_and(|pool| of_pool(snapshot, me, pool))
}

/// Whether the presser stands on the CSM's side of the account.
pub(super) fn succeeds(snapshot: &Snapshot, me: PersonId, account: &Account) -> bool {
    account.csm.is_some_and(|csm| acts_for(snapshot, me, csm))
}

/// May answer an offer: whom it was offered to, their side of the account; never who made it.
pub(super) fn may_answer(snapshot: &Snapshot, me: PersonId, account: &Account, handoff: &Handoff) -> bool {
    let their_side = match handoff.matter {
        Matter::Window(_) | Matter::RiskToWeigh { .. } => manages(snapshot, me, account),
        Matter::Warning { .. } => succeeds(snapshot, me, account),
    };
    match handoff.state() {
        State::Offered { to: Seat::Person(person), .. } if *person == me => true,
        State::Offered { from: Some(from), .. } if *from == me => false,
        State::Offered { to: Seat::Person(person), .. } => acts_for(snapshot, me, *person) || their_side,
        State::Offered { to: Seat::Pool { name, accountable }, .. } => {
            of_pool(snapshot, me, name) || acts_for(snapshot, me, *accountable) || their_side
        }
        _ => may_hold_on(snapshot, me, handoff),
    }
}

/// May do what the holder does.
pub(super) fn may_hold_on(snapshot: &Snapshot, me: PersonId, handoff: &Handoff) -> bool {
    handoff.accountable().is_some_and(|holder| acts_for(snapshot, me, holder))
}

/// May take an offer back: who made it; for a rule's, the CSM's side and who raised it.
pub(super) fn may_take_back(snapshot: &Snapshot, me: PersonId, account: &Account, handoff: &Handoff) -> bool {
    match handoff.state() {
        State::Offered { from: Some(from), .. } => acts_for(snapshot, me, *from),
        State::Offered { from: None, .. } => {
            succeeds(snapshot, me, account)
                || handoff.window().and_then(|window| window.raised_by).is_some_and(|by| acts_for(snapshot, me, by))
        }
        _ => may_hold_on(snapshot, me, handoff),
    }
}

/// May nudge and reassign what lies with `holder`: a lead above them, else who is told when they are late.
pub(super) fn leads(snapshot: &Snapshot, me: PersonId, holder: PersonId, today: NaiveDate) -> bool {
    snapshot.people.leads_above(holder).contains(&me)
        || snapshot.people.lead_of(holder, today) == Some(me)
        || (me == holder && snapshot.person(me).is_some_and(|me| me.is(Role::Lead) || me.is(Role::Admin)))
}

/// Whether one person has both halves of this account in hand.
pub(super) fn holds_both(start: &Start, me: PersonId) -> bool {
    matches!(start, Start::Solo(both) if *both == me)
}
