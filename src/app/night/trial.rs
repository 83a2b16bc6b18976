//! A policy on trial: which accounts would change band against last night, and why. Nothing is written.

use std::cmp::Reverse;

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use super::evidence::Seen;
use super::page::Inputs;
use super::{Night, Run, evidence, guarded};
use crate::app::App;
use crate::domain::account::AccountId;
use crate::domain::diagnosis::{Band, Book};
use crate::domain::person::OrgId;
use crate::domain::policy::Policy;
use crate::store::{diagnosis, night};

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
}

/// An account that would change band.
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
    let gathered = evidence::gather(app, &mut tx, policy, date).await?;
    let (before, state) = night::night_before(&mut tx, date).await?.unzip();
    let book = Book::of(gathered.seen.iter().map(|seen| &seen.evidence), state.as_ref(), policy, date);
    let at = app.now();
    let (run, again) = (Run::History, true);
    let (app, policy) = (app.clone(), policy.clone());
    let night = Night { app, org, snapshot, policy, book, date, at, run, before, after: None, again };
    let mut trial = Trial { date, accounts: 0, moved: Vec::new() };
    for page in gathered.seen.chunks(PAGE) {
        let inputs = Inputs::read(&mut tx, &night, page).await?;
        let ids: Vec<AccountId> = page.iter().map(|seen| seen.account.id.clone()).collect();
        let bands = diagnosis::bands(&mut tx, date, &ids).await?;
        for seen in page {
            let Seen { account, evidence } = &**seen;
            let id = &account.id;
            let Some(from) = bands.get(id) else { continue };
            let diagnosis = guarded(|| Ok(night.trial_diagnosis(account, evidence, &inputs)))?;
            trial.accounts += 1;
            if diagnosis.band != from.1 {
                let why = diagnosis.causes.iter().take(CAUSES).map(|cause| cause.headline.clone()).collect();
                let to = (diagnosis.health, diagnosis.band);
                trial.moved.push(Moved { account: id.clone(), name: account.name.clone(), from: *from, to, why });
            }
        }
    }
    let drop = |moved: &Moved| match (moved.from.0, moved.to.0) {
        (Some(from), Some(to)) => i32::from(from) - i32::from(to),
        _ => 0,
    };
    trial.moved.sort_by_key(|moved| (Reverse(drop(moved)), moved.account.clone()));
    Ok(trial)
}
