//! A policy on trial: which accounts would have another band under it than under the one in use, and why. Nothing is
//! written.
//!
//! Data that came since last night would move accounts too. So all of it is read under both policies, one
//! after the other: what the two make of the same data is what the one on trial changes.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use super::evidence::Seen;
use super::page::Inputs;
use super::{Night, Run, evidence, guarded};
use crate::app::App;
use crate::app::snapshot::Snapshot;
use crate::domain::account::AccountId;
use crate::domain::diagnosis::{Band, Book, Diagnosis};
use crate::domain::person::OrgId;
use crate::domain::policy::Policy;
use crate::store::night::{self, NightBefore};
use crate::store::{Tenant, diagnosis};

const PAGE: usize = 1_000;
/// Causes told of an account.
const CAUSES: usize = 2;

/// What a policy would have made of the last night.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The night it is held against.
    pub date: NaiveDate,
    pub accounts: u32,
    /// Those that would change band, the largest drop first.
    pub moved: Vec<Moved>,
    /// Others whose band differs from that night's under the policy in use too.
    pub moved_anyway: u32,
}

/// An account that would change band, both read with what is known now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moved {
    #[serde(rename = "account_id")]
    pub account: AccountId,
    pub name: String,
    #[serde(serialize_with = "as_read")]
    pub from: (Option<u8>, Band),
    #[serde(serialize_with = "as_read")]
    pub to: (Option<u8>, Band),
    /// The headlines of the first causes under the policy on trial; none where it would be healthy.
    pub why: Vec<String>,
}

fn as_read<S: Serializer>((health, band): &(Option<u8>, Band), to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Read {
        health: Option<u8>,
        band: Band,
    }
    Read { health: *health, band: *band }.serialize(to)
}

/// Holds `policy` against the organisation's latest diagnosis.
///
/// # Errors
/// Where there is no diagnosis yet.
pub async fn trial(app: &App, org: OrgId, policy: &Policy) -> anyhow::Result<Trial> {
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let Some(date) = snapshot.organisation.diagnosed_on else {
        anyhow::bail!("there is no diagnosis to compare with yet; run `tandem diagnose` first");
    };
    let before = night::night_before(&mut tx, date).await?;
    let ground = Ground { app, snapshot: &snapshot, date, before: before.as_ref() };
    let in_use = ground.read(&mut tx, &snapshot.policy, band).await?;
    let tried =
        ground.read(&mut tx, policy, |diagnosis| Moved::from(*in_use.get(&diagnosis.account_id)?, diagnosis)).await?;
    let mut trial = Trial { date, accounts: 0, moved: Vec::new(), moved_anyway: 0 };
    let mut tried = tried.into_iter().peekable();
    while tried.peek().is_some() {
        let page: Vec<_> = tried.by_ref().take(PAGE).collect();
        let ids: Vec<AccountId> = page.iter().map(|(id, _)| id.clone()).collect();
        let stored = diagnosis::bands(&mut tx, date, &ids).await?;
        for (id, moved) in page {
            let (Some(from), Some(stored)) = (in_use.get(&id), stored.get(&id)) else { continue };
            trial.accounts += 1;
            trial.moved_anyway += u32::from(moved.is_none() && from.1 != stored.1);
            trial.moved.extend(moved);
        }
    }
    let drop = |moved: &Moved| match (moved.from.0, moved.to.0) {
        (Some(from), Some(to)) => i32::from(from) - i32::from(to),
        _ => 0,
    };
    trial.moved.sort_by_key(|moved| (Reverse(drop(moved)), moved.account.clone()));
    Ok(trial)
}

fn band(diagnosis: &Diagnosis) -> (Option<u8>, Band) {
    (diagnosis.health, diagnosis.band)
}

impl Moved {
    /// How the policy on trial moves it; `None` where its band stays.
    fn from(from: (Option<u8>, Band), diagnosis: &Diagnosis) -> Option<Self> {
        let to = band(diagnosis);
        (to.1 != from.1).then(|| Self {
            account: diagnosis.account_id.clone(),
            name: diagnosis.name.clone(),
            from,
            to,
            why: diagnosis.causes.iter().take(CAUSES).map(|cause| cause.headline.clone()).collect(),
        })
    }
}

/// What both policies are held against.
struct Ground<'a> {
    app: &'a App,
    snapshot: &'a Arc<Snapshot>,
    date: NaiveDate,
    before: Option<&'a NightBefore>,
}

impl Ground<'_> {
    /// What `keep` takes of each account's diagnosis under `policy`, made of what is known now.
    async fn read<T>(
        &self,
        tx: &mut Tenant,
        policy: &Policy,
        keep: impl Fn(&Diagnosis) -> T,
    ) -> anyhow::Result<BTreeMap<AccountId, T>> {
        let (app, snapshot, policy, date) = (self.app.clone(), self.snapshot.clone(), policy.clone(), self.date);
        let gathered = evidence::gather(&app, tx, &policy, date).await?;
        let state = self.before.map(|night| &night.state);
        let book = Book::of(gathered.seen.iter().map(|seen| &seen.evidence), state, &policy, date);
        let (org, at, before) = (tx.org(), app.now(), self.before.map(|night| night.date));
        // Nothing of it is stored, so that no course is needed.
        let (run, carries, nights, after, again) = (Run::History, true, Vec::new(), None, true);
        let night = Night { app, org, snapshot, policy, book, date, at, run, before, carries, nights, after, again };
        let mut kept = BTreeMap::new();
        for page in gathered.seen.chunks(PAGE) {
            let inputs = Inputs::read(tx, &night, page).await?;
            for seen in page {
                let Seen { account, evidence } = &**seen;
                let diagnosis = guarded(|| Ok(night.trial_diagnosis(account, evidence, &inputs)))?;
                kept.insert(account.id.clone(), keep(&diagnosis));
            }
        }
        Ok(kept)
    }
}
