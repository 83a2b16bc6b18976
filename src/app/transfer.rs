//! A book, or one account, changes hands: seats, and with them everything open. One transaction.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::content::Content;
use super::snapshot::Snapshot;
use super::views::Reader;
use super::{App, notice, read};
use crate::domain::account::{Account, AccountId};
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::diagnosis::Band;
use crate::domain::handoff::{Handoff, HandoffEvent, State};
use crate::domain::message::card::Card;
use crate::domain::message::view::{HandedRiskView, Why};
use crate::domain::message::{Message, notice as words};
use crate::domain::person::{OrgId, PersonId};
use crate::domain::renewal_work::RenewalWork;
use crate::domain::risk;
use crate::domain::routing::{Seat, may_hold};
use crate::store::account::Seats;
use crate::store::audit::{self, Actor, Entry};
use crate::store::import::SeatGiven;
use crate::store::{self, Tenant, account, change, handoff, message, renewal, settings};

/// What went over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Transferred {
    pub accounts: usize,
    pub as_csm: usize,
    pub as_account_manager: usize,
    pub handoffs: usize,
    pub renewals: usize,
}

/// Gives what `from` holds, or of that one account only, to `to`. Risks follow the account's CSM by themselves;
/// offers and renewals that lie with `from` lie with `to`. The clocks of all of them start anew. Both are told in chat.
///
/// # Errors
/// One sentence: who is not known, who may not hold a book, which account is not theirs.
pub async fn transfer(
    app: &App,
    org: OrgId,
    from: &str,
    to: &str,
    only: Option<&str>,
    actor: Actor,
) -> anyhow::Result<Transferred> {
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let person =
        |email: &str| snapshot.person_by_email(email).with_context(|| format!("nobody has the e-mail \"{email}\""));
    let (giver, taker) = (person(from)?, person(to)?);
    ensure!(giver.id != taker.id, "{from} cannot take over from themselves");
    ensure!(taker.active, "{to} is no longer here, so nothing can be given to them");
    ensure!(may_hold(taker), "{to} is a viewer, who sees and does not act; give them another role first");
    let only = only.map(AccountId::from);
    let seats = account::take_over(&mut tx, giver.id, taker.id, only.as_ref(), app.now()).await?;
    if let Some(account) = &only {
        ensure!(!seats.is_empty(), "{from} is neither CSM nor account manager of an account \"{account}\"");
    }
    let mut done = Transferred { accounts: seats.len(), ..Transferred::default() };
    let mut entries = Vec::new();
    for seat in &seats {
        done.as_csm += usize::from(seat.csm);
        done.as_account_manager += usize::from(seat.account_manager);
        let roles: Vec<&str> = [(seat.csm, "csm"), (seat.account_manager, "account_manager")]
            .into_iter()
            .filter_map(|(held, role)| held.then_some(role))
            .collect();
        let data = json!({"account": seat.account, "roles": roles, "from": giver.id, "to": taker.id});
        entries.push(Entry::new("book.transferred", Subject::Account(seat.account.clone()), data));
    }
    let ids: Vec<AccountId> = seats.iter().map(|seat| seat.account.clone()).collect();
    done.handoffs = handoffs(app, &mut tx, &ids, (giver.id, taker.id), &mut entries).await?;
    risks(&mut tx, &seats).await?;
    let today = calendar::local_date(giver.timezone, app.now());
    let absent = !giver.active || giver.away_on(today);
    let stand_in = snapshot.people.stand_in(giver.id, today).filter(|_| absent);
    done.renewals = renewals(&mut tx, &ids, (giver.id, taker.id), stand_in, &mut entries).await?;
    if !ids.is_empty() {
        settings::touch(&mut tx).await?;
        audit::record(&mut tx, actor, app.now(), &entries).await?;
        message::queue_redraws(&mut tx, &ids, app.now()).await?;
        let content = Content::Transfer { from: giver.id, to: taker.id, accounts: ids };
        notice::notify(&mut tx, &snapshot, [giver.id, taker.id], &content, None, app.now()).await?;
    }
    tx.commit().await?;
    app.outbox_bell.notify_waiters();
    Ok(done)
}

/// Open handoffs that lie with the giver. A pool's offer stays the pool's.
async fn handoffs(
    app: &App,
    tx: &mut Tenant,
    accounts: &[AccountId],
    (from, to): (PersonId, PersonId),
    entries: &mut Vec<Entry>,
) -> anyhow::Result<usize> {
    let mut moved = 0;
    for open in handoff::of_accounts(tx, accounts, app.now()).await? {
        // Locked now: it may have moved since it was listed.
        let Some(handoff) = handoff::lock(tx, open.id).await? else { continue };
        let of_pool = matches!(handoff.state(), State::Offered { to: Seat::Pool { .. }, .. });
        // What somebody holds for the giver, who is away or gone, goes with the book too.
        if of_pool || !handoff.lies_with_or_for(from) {
            continue;
        }
        let previous = handoff.accountable();
        if let Ok((reassigned, event)) = handoff.reassign(to, app.now()) {
            debug_assert_eq!(event, HandoffEvent::Reassigned);
            entries.push(save(tx, previous, &reassigned, event).await?);
            moved += 1;
        }
    }
    Ok(moved)
}

/// Open risks follow the seat of the CSM, or of the account manager where there is none; they ask anew who has it now.
async fn risks(tx: &mut Tenant, seats: &[Seats]) -> anyhow::Result<()> {
    let ids: Vec<AccountId> = seats.iter().map(|seat| seat.account.clone()).collect();
    for open in store::risk::latest(tx, &ids).await? {
        let Some((risk, account)) = store::risk::lock_with_account(tx, open.id).await? else { continue };
        let seat = seats.iter().find(|seat| seat.account == account.id);
        if seat.is_some_and(|seat| seat.csm || account.csm.is_none()) {
            store::risk::save(tx, &risk.handed_over()).await?;
        }
    }
    Ok(())
}

async fn save(
    tx: &mut Tenant,
    previous: Option<PersonId>,
    moved: &Handoff,
    event: HandoffEvent,
) -> anyhow::Result<Entry> {
    handoff::save(tx, moved).await?;
    let data = json!({
        "account": moved.account, "version": moved.version(), "state": moved.state_name(),
        "previous": previous, "accountable": moved.accountable(),
    });
    Ok(Entry::new(event.as_str(), Subject::Handoff(moved.id), data))
}

/// Seats that an import gave to others, by account: what was held by such a seat goes along, in the import's own
/// transaction, and who takes over has the brief in their working hours. Risks start their clocks anew as their rows are
/// written; renewals follow the route in the night.
pub(super) async fn follow(tx: &mut Tenant, given: &[SeatGiven], now: DateTime<Utc>) -> anyhow::Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    let snapshot = Snapshot::load(tx).await?;
    let today = calendar::local_date(snapshot.organisation.timezone, now);
    let (mut entries, mut ids) = (Vec::new(), Vec::new());
    let mut by_account: BTreeMap<&AccountId, Vec<&SeatGiven>> = BTreeMap::new();
    let mut briefs: BTreeMap<(PersonId, PersonId), Vec<AccountId>> = BTreeMap::new();
    let takes =
        |seat: &SeatGiven| seat.to.filter(|to| snapshot.person(*to).is_some_and(|to| to.active && may_hold(to)));
    for seat in given {
        let data = json!({"account": seat.account, "roles": [seat.role.as_str()], "from": seat.from, "to": seat.to});
        entries.push(Entry::new("book.transferred", Subject::Account(seat.account.clone()), data));
        by_account.entry(&seat.account).or_default().push(seat);
        if let Some(to) = takes(seat) {
            let accounts = briefs.entry((seat.from, to)).or_default();
            if accounts.last() != Some(&seat.account) {
                accounts.push(seat.account.clone());
            }
        }
    }
    ids.extend(by_account.keys().map(|id| (*id).clone()));
    let accounts = account::some(tx, &ids).await?;
    let accounts: BTreeMap<&AccountId, &Account> = accounts.iter().map(|account| (&account.id, account)).collect();
    for open in handoff::of_accounts(tx, &ids, now).await? {
        // Locked now: it may have moved since it was listed.
        let Some(held) = handoff::lock(tx, open.id).await? else { continue };
        let (Some(account), Some(seats)) = (accounts.get(&held.account), by_account.get(&held.account)) else {
            continue;
        };
        let Some(seat) = seats.iter().find(|seat| went_with(&held, seat, account)) else { continue };
        let previous = held.accountable();
        let moved = match takes(seat) {
            Some(to) => held.reassign(to, now).ok(),
            // Nobody sits there now: it lies with whom the routing names, and what somebody has claimed stays theirs. Where
            // it names nobody the rows are taken all the same.
            None => snapshot.route(account, today).ok().and_then(|routed| {
                let counterpart = held.matter.counterpart(&routed);
                held.rerouted(&routed.windows, counterpart.as_ref(), now)
            }),
        };
        if let Some((moved, event)) = moved {
            entries.push(save(tx, previous, &moved, event).await?);
        }
    }
    change::record(tx, now, &change::by(Actor::System, entries), &ids).await?;
    for ((from, to), accounts) in briefs {
        let content = Content::Transfer { from, to, accounts };
        for person in [from, to].into_iter().filter_map(|id| snapshot.person(id)) {
            let at = snapshot.calendar(person).next_open(now);
            notice::notify(tx, &snapshot, [person.id], &content, None, at).await?;
        }
    }
    Ok(())
}

/// Whether it was held by the seat. One who held both roles, and now neither, held all of it by that.
fn went_with(held: &Handoff, seat: &SeatGiven, account: &Account) -> bool {
    let sits = [account.csm, account.account_manager].contains(&Some(seat.from));
    held.is_held_as(seat.role, seat.from) || (held.is_solo() && !sits && held.lies_with_or_for(seat.from))
}

/// Open renewals that lie with the giver, or with who stands in for them.
async fn renewals(
    tx: &mut Tenant,
    accounts: &[AccountId],
    (from, to): (PersonId, PersonId),
    stand_in: Option<PersonId>,
    entries: &mut Vec<Entry>,
) -> anyhow::Result<usize> {
    let mut moved = 0;
    for open in renewal::latest(tx, accounts).await? {
        let Some(work) = renewal::lock(tx, open.id).await? else { continue };
        // Whom a lead has chosen keeps it.
        let by_route = work.routed_to == Some(work.owner());
        let stood_in = by_route && stand_in.is_some() && stand_in == Some(work.owner());
        if work.owner() != from && !stood_in {
            continue;
        }
        let owned = if by_route { work.owned_by_route(to) } else { work.owned_by(to) };
        if let Ok(owned) = owned {
            renewal::save(tx, &owned).await?;
            entries.push(renewal_entry(&owned, from, "book"));
            moved += 1;
        }
    }
    Ok(moved)
}

/// What the audit trail keeps of a renewal that somebody else owns now, whatever passed it on.
pub(super) fn renewal_entry(work: &RenewalWork, from: PersonId, why: &str) -> Entry {
    let data = json!({
        "account": work.account, "version": work.version(), "from": from, "to": work.owner(), "why": why,
    });
    Entry::new("book.transferred", Subject::Renewal(work.id), data)
}

/// What the two read: the taker the brief, the giver that it is done.
pub async fn message(
    tx: &mut Tenant,
    reader: Reader<'_>,
    from: PersonId,
    to: PersonId,
    accounts: &[AccountId],
) -> anyhow::Result<Message> {
    if reader.person != Some(to) {
        return Ok(words::transferred(&reader.name(to), accounts.len()));
    }
    let reads = read::accounts(tx, reader.snapshot, accounts, reader.now).await?;
    let mut reads: Vec<_> = reads.into_values().collect();
    let band = |read: &read::AccountRead| read.diagnosis.as_ref().map(|diagnosis| diagnosis.band);
    // At risk first, then by size.
    reads.sort_by_key(|read| {
        let arr = read.account.arr.map_or(0, |arr| arr.minor);
        (band(read) != Some(Band::AtRisk), std::cmp::Reverse(arr), read.account.id.clone())
    });
    let accounts = reads.iter().map(|read| {
        let risk = read.risk.as_ref().filter(|risk| risk.is_open());
        let promise = risk.and_then(|risk| match risk.state() {
            risk::State::Acknowledged { next_step: Some(step), due, .. } => Some((step.clone(), *due)),
            _ => None,
        });
        words::TransferredAccount {
            account: reader.account(read),
            risk: risk.map(|risk| reader.risk(read, risk, Why::Offered)),
            windows: reader.window_lines(read),
            handed: handed(reader, read),
            renewal: read.renewal.as_ref().filter(|work| work.is_open()).and_then(|_| read.deadline()),
            promises: promise.into_iter().collect(),
            last_note: reader.last_note(read),
        }
    });
    let view = words::TransferView { from: reader.name(from), accounts: accounts.collect() };
    Ok(words::transfer(&view, reader.today()))
}

/// Warnings and risks to weigh that are open on the account.
fn handed(reader: Reader<'_>, read: &read::AccountRead) -> Vec<HandedRiskView> {
    let open = read.handoffs.iter().filter(|handoff| handoff.is_open());
    let cards = open.map(|handoff| reader.handoff(read, handoff, Why::Offered));
    let handed = cards.filter_map(|card| match card {
        Card::HandedRisk(view) => Some(view),
        Card::Risk(_) | Card::Window(_) | Card::Renewal(_) => None,
    });
    handed.collect()
}
