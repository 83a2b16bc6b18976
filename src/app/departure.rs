//! Purpose: people who have left. What they had in hand goes to who comes after them, at once: it would wait for
//! nobody otherwise. Their seats stay theirs until somebody takes over the book (see `transfer`), and until then the
//! routing names who looks after the accounts.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::snapshot::Snapshot;
use super::transfer::renewal_entry;
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::person::{OrgId, PersonId};
use crate::store::audit::{Actor, Entry};
use crate::store::{Store, account, change, handoff, renewal};

/// Gives on what lies with people who are no longer here. Twice changes nothing.
pub(super) async fn settle(store: &Store, org: OrgId, now: DateTime<Utc>) -> anyhow::Result<()> {
    let mut tx = store.tenant(org).await?;
    let snapshot = Snapshot::load(&mut tx).await?;
    let gone: Vec<PersonId> = snapshot.people.iter().filter(|person| !person.active).map(|person| person.id).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let today = calendar::local_date(snapshot.organisation.timezone, now);
    let (mut entries, mut accounts): (Vec<Entry>, Vec<AccountId>) = (Vec::new(), Vec::new());
    for id in handoff::held_by(&mut tx, &gone).await? {
        let Some(held) = handoff::lock(&mut tx, id).await? else { continue };
        let Some(from) = held.accountable().filter(|person| gone.contains(person)) else { continue };
        let Some(to) = snapshot.people.stand_in(from, today) else { continue };
        // Remembered for whom, so that it goes with the book; an offer that its maker would get back is theirs again.
        let stood_in = held.clone().stand_in(to, now);
        let Ok((moved, event)) = stood_in.or_else(|_| held.reassign(to, now)) else { continue };
        handoff::save(&mut tx, &moved).await?;
        let data = json!({
            "account": moved.account, "version": moved.version(), "state": moved.state_name(),
            "previous": from, "accountable": to, "why": "left",
        });
        entries.push(Entry::new(event.as_str(), Subject::Handoff(id), data));
        accounts.push(moved.account);
    }
    for id in renewal::owned_by(&mut tx, &gone).await? {
        let Some(work) = renewal::lock(&mut tx, id).await? else { continue };
        let Some(account) = account::some(&mut tx, std::slice::from_ref(&work.account)).await?.pop() else { continue };
        let (from, routed) = (work.owner(), snapshot.route(&account, today).map(|routed| routed.renewal_owner));
        let (true, Ok(to)) = (gone.contains(&from), routed) else { continue };
        let Ok(work) = work.owned_by_route(to) else { continue };
        renewal::save(&mut tx, &work).await?;
        entries.push(renewal_entry(&work, from, "left"));
        accounts.push(work.account);
    }
    change::record(&mut tx, now, &change::by(Actor::System, entries), &accounts).await?;
    tx.commit().await
}
