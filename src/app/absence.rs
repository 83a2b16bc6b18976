//! Purpose: out of office, and out of reach. What somebody has in hand goes to their stand-in while
//! they are away, or cannot be written to, and comes back afterwards; both are told of each once.
//!
//! Looked at on each morning of the person's own calendar, and whenever their
//! absence is imported. Risks have no holder of their own: the route names who
//! looks after them today.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::content::{Content, Load};
use super::notice;
use super::snapshot::Snapshot;
use super::transfer::renewal_entry;
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::person::{OrgId, Person, PersonId};
use crate::store::absence::{self, Absence};
use crate::store::audit::{Actor, Entry};
use crate::store::{Store, Tenant, account, change, handoff, renewal};

/// Begins or ends these people's absences, where that is owed. Twice changes nothing.
pub async fn turn(store: &Store, org: OrgId, people: &BTreeSet<PersonId>, now: DateTime<Utc>) -> anyhow::Result<()> {
    turn_those(store, org, |person| people.contains(&person), now).await
}

/// The same for everybody who is away, or was.
pub async fn turn_all(store: &Store, org: OrgId, now: DateTime<Utc>) -> anyhow::Result<()> {
    turn_those(store, org, |_| true, now).await
}

async fn turn_those(
    store: &Store,
    org: OrgId,
    wanted: impl Fn(PersonId) -> bool + Send,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut tx = store.tenant(org).await?;
    let snapshot = Snapshot::load(&mut tx).await?;
    let known = absence::all(&mut tx).await?;
    let away = |person: &&Person| {
        let is_away = person.out_of_office_until.is_some() || person.unreachable_since.is_some();
        person.active && is_away || known.iter().any(|known| known.person == person.id)
    };
    let people = snapshot.people.iter().filter(|person| wanted(person.id)).filter(away).map(|person| person.id);
    let people: Vec<PersonId> = people.collect();
    for person in people {
        turn_in(&mut tx, &snapshot, person, now).await?;
    }
    tx.commit().await
}

/// In the caller's transaction, with what it remembers of the organisation.
pub(super) async fn turn_in(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: PersonId,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let Some(who) = snapshot.person(person) else { return Ok(()) };
    let today = calendar::local_date(who.timezone, now);
    let known = absence::lock(tx, person).await?;
    let away =
        (who.active && !who.is_there_on(today)).then_some(who.out_of_office_until.filter(|_| who.away_on(today)));
    let mut turn = Turn { tx, snapshot, now, entries: Vec::new(), accounts: Vec::new() };
    match (away, known) {
        (Some(until), known) => {
            let Some(to) = snapshot.people.stand_in(person, today) else { return Ok(()) };
            let same = known.is_some_and(|known| known.stand_in == to);
            absence::save(turn.tx, &Absence { person, stand_in: to, until, since: now }).await?;
            let load = turn.hand_over(person, to).await?;
            if !same {
                let about = Content::StandIn { of: person, by: to, until, no_chat: until.is_none(), load };
                // Who can't be reached can't be told either.
                let told = [person, to].into_iter().filter(|id| *id != person || who.unreachable_since.is_none());
                notice::notify(turn.tx, snapshot, told, &about, None, now).await?;
            }
        }
        (None, Some(known)) => {
            absence::forget(turn.tx, person).await?;
            let load = if who.active { turn.bring_back(&known).await? } else { Load::default() };
            if who.active {
                let about = Content::StandIn { of: person, by: known.stand_in, until: None, no_chat: false, load };
                notice::notify(turn.tx, snapshot, [person, known.stand_in], &about, None, now).await?;
            }
        }
        (None, None) => return Ok(()),
    }
    let Turn { entries, accounts, .. } = turn;
    change::record(tx, now, &change::by(Actor::System, entries), &accounts).await
}

struct Turn<'a> {
    tx: &'a mut Tenant,
    snapshot: &'a Snapshot,
    now: DateTime<Utc>,
    entries: Vec<Entry>,
    accounts: Vec<crate::domain::account::AccountId>,
}

impl Turn<'_> {
    async fn hand_over(&mut self, from: PersonId, to: PersonId) -> anyhow::Result<Load> {
        let mut load = Load::default();
        for id in handoff::held_by(self.tx, &[from]).await? {
            let Some(held) = handoff::lock(self.tx, id).await? else { continue };
            if held.accountable() != Some(from) {
                continue;
            }
            // A pool's offer, or one of the stand-in's own: that stays, and its clock says so in time.
            let Ok((moved, event)) = held.stand_in(to, self.now) else { continue };
            handoff::save(self.tx, &moved).await?;
            let data = json!({"account": moved.account, "accountable": to, "previous": from, "why": self.why(from)});
            self.entries.push(Entry::new(event.as_str(), Subject::Handoff(id), data.clone()));
            self.entries.push(Entry::new("escalation.delegated", Subject::Handoff(id), data));
            self.accounts.push(moved.account);
            load.handoffs += 1;
        }
        load.renewals = self.renewals(from, to, self.why(from)).await?;
        load.risks = u32::try_from(absence::open_risks_of(self.tx, from).await?).unwrap_or(u32::MAX);
        Ok(load)
    }

    fn why(&self, from: PersonId) -> &'static str {
        let unreachable = self.snapshot.person(from).is_some_and(|person| person.unreachable_since.is_some());
        if unreachable { "no_chat" } else { "away" }
    }

    async fn bring_back(&mut self, known: &Absence) -> anyhow::Result<Load> {
        let mut load = Load::default();
        for id in handoff::stood_in_for(self.tx, known.person).await? {
            let Some(held) = handoff::lock(self.tx, id).await? else { continue };
            let previous = held.accountable();
            let Ok((moved, event)) = held.come_back(self.now) else { continue };
            handoff::save(self.tx, &moved).await?;
            let data =
                json!({"account": moved.account, "accountable": known.person, "previous": previous, "why": "back"});
            self.entries.push(Entry::new(event.as_str(), Subject::Handoff(id), data));
            self.accounts.push(moved.account);
            load.handoffs += 1;
        }
        load.renewals = self.renewals(known.stand_in, known.person, "back").await?;
        load.risks = u32::try_from(absence::open_risks_of(self.tx, known.person).await?).unwrap_or(u32::MAX);
        Ok(load)
    }

    /// Renewals that the route now gives to `to`; whom a lead chose stays.
    async fn renewals(&mut self, from: PersonId, to: PersonId, why: &str) -> anyhow::Result<u32> {
        let today = calendar::local_date(self.snapshot.organisation.timezone, self.now);
        let mut moved = 0;
        for id in renewal::owned_by(self.tx, &[from]).await? {
            let Some(work) = renewal::lock(self.tx, id).await? else { continue };
            let Some(account) = account::some(self.tx, std::slice::from_ref(&work.account)).await?.pop() else {
                continue;
            };
            let routed = self.snapshot.route(&account, today).is_ok_and(|routed| routed.renewal_owner == to);
            let chosen = work.routed_to.is_some_and(|routed| routed != work.owner());
            if !routed || chosen || work.owner() != from {
                continue;
            }
            let Ok(work) = work.owned_by_route(to) else { continue };
            renewal::save(self.tx, &work).await?;
            self.entries.push(renewal_entry(&work, from, why));
            self.accounts.push(work.account);
            moved += 1;
        }
        Ok(moved)
    }
}
