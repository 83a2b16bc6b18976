//! Purpose: the organisation model is a setting. Changed at any time, it takes the
//! open work along in the same transaction: what lies with somebody who would not
//! get it now goes to whom the routing names, what somebody has claimed stays
//! theirs, and everyone who holds a book hears of it once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::content::{Content, Load};
use super::notice;
use super::snapshot::Snapshot;
use super::transfer::renewal_entry;
use crate::domain::account::{Account, AccountId, Segment};
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::person::{OrgId, PersonId, Role};
use crate::domain::routing::{Model, PerSegment, RenewalOwner};
use crate::store::audit::{Actor, Entry};
use crate::store::{Store, Tenant, account, change, directory, handoff, night, renewal, settings};

/// What is to change; what is not named stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    pub model: Option<Model>,
    /// `None` takes the segment's override away.
    pub segments: BTreeMap<Segment, Option<Model>>,
    pub renewals: Option<RenewalOwner>,
    pub segment_renewals: BTreeMap<Segment, Option<RenewalOwner>>,
}

/// The model as it is set.
#[derive(Debug, Clone, PartialEq)]
pub struct Models {
    pub models: PerSegment<Model>,
    pub renewals: PerSegment<RenewalOwner>,
}

/// What a change moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    pub models: Models,
    pub handoffs: u32,
    pub renewals: u32,
    /// People who were told.
    pub told: usize,
}

pub async fn show(store: &Store, org: OrgId) -> anyhow::Result<Models> {
    let mut tx = store.tenant(org).await?;
    models(&mut tx).await
}

async fn models(tx: &mut Tenant) -> anyhow::Result<Models> {
    let (organisation, settings) = (directory::own_organisation(tx).await?, settings::read(tx).await?);
    let models = PerSegment { default: organisation.model, overrides: settings.segment_models };
    Ok(Models { models, renewals: settings.renewal_owner })
}

/// Changes the model and takes the open work along. The same model again changes nothing: `None`.
pub async fn set(
    store: &Store,
    org: OrgId,
    wish: &Wish,
    actor: Actor,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Changed>> {
    let mut tx = store.tenant(org).await?;
    // A night routes by one model from its first account to its last.
    night::lock_night(&mut tx).await?;
    let before = models(&mut tx).await?;
    let after = wished(&before, wish);
    if before == after {
        return Ok(None);
    }
    directory::set_model(&mut tx, after.models.default).await?;
    settings::set_models(&mut tx, &after.models.overrides, &after.renewals).await?;
    let snapshot = Snapshot::load(&mut tx).await?;
    let mut moves = Moves::default();
    moves.handoffs(&mut tx, &snapshot, now).await?;
    moves.renewals(&mut tx, &snapshot, now).await?;
    let counts = |moved: &BTreeMap<PersonId, (Load, Load)>| {
        moved.values().fold((0, 0), |sum, (gained, _)| (sum.0 + gained.handoffs, sum.1 + gained.renewals))
    };
    let (handoffs, renewals) = counts(&moves.people);
    let data = json!({
        "before": as_json(&before), "after": as_json(&after), "handoffs": handoffs, "renewals": renewals,
    });
    moves.entries.insert(0, Entry::new("model.changed", format!("organisation:{org}"), data));
    change::record(&mut tx, now, &change::by(actor, std::mem::take(&mut moves.entries)), &moves.accounts).await?;
    let books = snapshot.people.iter().filter(|person| {
        let holds = [Role::Csm, Role::AccountManager, Role::Lead].into_iter().any(|role| person.is(role));
        person.active && (holds || moves.people.contains_key(&person.id))
    });
    let told: Vec<PersonId> = books.map(|person| person.id).collect();
    for person in &told {
        let (gained, lost) = moves.people.get(person).copied().unwrap_or_default();
        let content = Content::Model { gained, lost };
        notice::notify(&mut tx, &snapshot, [*person], &content, None, now).await?;
    }
    tx.commit().await?;
    Ok(Some(Changed { models: after, handoffs, renewals, told: told.len() }))
}

fn wished(before: &Models, wish: &Wish) -> Models {
    fn changed<T: Copy>(
        of: &PerSegment<T>,
        default: Option<T>,
        segments: &BTreeMap<Segment, Option<T>>,
    ) -> PerSegment<T> {
        let mut after = PerSegment { default: default.unwrap_or(of.default), overrides: of.overrides.clone() };
        for (segment, wanted) in segments {
            match wanted {
                Some(value) => after.overrides.insert(*segment, *value),
                None => after.overrides.remove(segment),
            };
        }
        after
    }
    Models {
        models: changed(&before.models, wish.model, &wish.segments),
        renewals: changed(&before.renewals, wish.renewals, &wish.segment_renewals),
    }
}

/// As the audit trail and `--format json` have it.
pub fn as_json(models: &Models) -> serde_json::Value {
    json!({
        "model": models.models.default, "segments": models.models.overrides,
        "renewal_owner": models.renewals.default, "segment_renewal_owners": models.renewals.overrides,
    })
}

#[derive(Default)]
struct Moves {
    entries: Vec<Entry>,
    accounts: Vec<AccountId>,
    /// What each person gained and lost.
    people: BTreeMap<PersonId, (Load, Load)>,
}

impl Moves {
    async fn handoffs(&mut self, tx: &mut Tenant, snapshot: &Snapshot, now: DateTime<Utc>) -> anyhow::Result<()> {
        let today = calendar::local_date(snapshot.organisation.timezone, now);
        let open = handoff::open(tx).await?;
        let accounts = accounts(tx, open.iter().map(|handoff| &handoff.account)).await?;
        for listed in open {
            // Locked now: it may have moved since it was listed.
            let Some(held) = handoff::lock(tx, listed.id).await? else { continue };
            let Some(account) = accounts.get(&held.account) else { continue };
            let routed = snapshot.route(account, today)?;
            let counterpart = held.matter.counterpart(&routed);
            let previous = held.accountable();
            let Some((moved, event)) = held.rerouted(&routed.windows, counterpart.as_ref(), now) else { continue };
            handoff::save(tx, &moved).await?;
            let data = json!({
                "account": moved.account, "accountable": moved.accountable(), "previous": previous, "why": "model",
                "state": moved.state_name(),
            });
            self.entries.push(Entry::new(event.as_str(), Subject::Handoff(moved.id), data));
            self.accounts.push(moved.account.clone());
            if previous != moved.accountable() {
                if let Some(gained) = moved.accountable() {
                    self.people.entry(gained).or_default().0.handoffs += 1;
                }
                if let Some(lost) = previous {
                    self.people.entry(lost).or_default().1.handoffs += 1;
                }
            }
        }
        Ok(())
    }

    async fn renewals(&mut self, tx: &mut Tenant, snapshot: &Snapshot, now: DateTime<Utc>) -> anyhow::Result<()> {
        let today = calendar::local_date(snapshot.organisation.timezone, now);
        let open = renewal::open(tx).await?;
        let accounts = accounts(tx, open.iter().map(|work| &work.account)).await?;
        for listed in open {
            let Some(work) = renewal::lock(tx, listed.id).await?.filter(|work| work.is_open()) else { continue };
            let Some(account) = accounts.get(&work.account) else { continue };
            let (from, to) = (work.owner(), snapshot.route(account, today)?.renewal_owner);
            if work.routed_to == Some(to) {
                continue;
            }
            let Ok(moved) = work.owned_by_route(to) else { continue };
            renewal::save(tx, &moved).await?;
            self.entries.push(renewal_entry(&moved, from, "model"));
            self.accounts.push(moved.account);
            self.people.entry(to).or_default().0.renewals += 1;
            self.people.entry(from).or_default().1.renewals += 1;
        }
        Ok(())
    }
}

async fn accounts<'a>(
    tx: &mut Tenant,
    ids: impl Iterator<Item = &'a AccountId>,
) -> anyhow::Result<BTreeMap<AccountId, Account>> {
    let mut ids: Vec<AccountId> = ids.cloned().collect();
    ids.sort();
    ids.dedup();
    Ok(account::some(tx, &ids).await?.into_iter().map(|account| (account.id.clone(), account)).collect())
}
