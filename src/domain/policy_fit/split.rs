//! Which accounts are fitted on and which are held out.

use sha2::{Digest, Sha256};

use super::{Part, Sample, count};
use crate::domain::account::AccountId;
use crate::domain::dice::Dice;

/// Accounts of either end that a part to fit on must have: with fewer, six weights follow single customers
/// (ten events for each free number is the usual rule; shrinkage towards the policy in use asks for less).
const TO_FIT_ON: u32 = 20;
/// And a part to measure on: with fewer, an interval of AUC is wider than anything that a fit could gain.
const TO_MEASURE_ON: u32 = 10;

/// Too few accounts were lost, or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{lost} accounts were lost (churned or contracted) and {kept} kept; it takes {each} of both, {TO_FIT_ON} to fit on \
     and {TO_MEASURE_ON} others to measure on"
)]
pub struct Needed {
    pub lost: u32,
    pub kept: u32,
    /// How many of each this holdout asks for.
    pub each: u32,
}

/// Samples account by account, each account's by day: sums run in this order, whatever the rows' was.
pub(super) struct Parts<'a> {
    pub(super) fitted_on: Vec<&'a Sample>,
    pub(super) held_out: Vec<&'a Sample>,
}

/// Parts accounts, `holdout` of those lost and as much of those kept, by the seed.
pub(super) fn split(samples: &[Sample], holdout: f64, seed: u64) -> Result<Parts<'_>, Needed> {
    let [lost, kept] = drawn(samples.iter(), seed);
    // A part of a count, so it fits.
    let held = |accounts: u32| (f64::from(accounts) * holdout).round() as u32;
    let enough = |accounts: u32| {
        let held = held(accounts);
        held >= TO_MEASURE_ON && accounts.saturating_sub(held) >= TO_FIT_ON
    };
    let (of_lost, of_kept) = (count(lost.len()), count(kept.len()));
    if !enough(of_lost) || !enough(of_kept) {
        let each = (TO_FIT_ON + TO_MEASURE_ON..1_000_000).find(|accounts| enough(*accounts)).unwrap_or(u32::MAX);
        return Err(Needed { lost: of_lost, kept: of_kept, each });
    }
    let mut parts = Parts { fitted_on: Vec::new(), held_out: Vec::new() };
    for accounts in [lost, kept] {
        let held = held(count(accounts.len())) as usize;
        for (at, samples) in accounts.into_iter().enumerate() {
            if at < held { &mut parts.held_out } else { &mut parts.fitted_on }.extend(samples);
        }
    }
    Ok(parts)
}

/// As many folds, each with its part of the accounts lost and of those kept.
pub(super) fn folds<'a>(samples: &[&'a Sample], folds: usize, seed: u64) -> Vec<Vec<&'a Sample>> {
    let mut parts = vec![Vec::new(); folds];
    for (at, samples) in drawn(samples.iter().copied(), seed).into_iter().flatten().enumerate() {
        parts[at % folds].extend(samples);
    }
    parts
}

/// The accounts with a loss and those without, each in an order that the seed draws.
fn drawn<'a>(samples: impl Iterator<Item = &'a Sample>, seed: u64) -> [Vec<Vec<&'a Sample>>; 2] {
    let mut samples: Vec<&Sample> = samples.collect();
    samples.sort_by(|a, b| (&a.account, a.as_of).cmp(&(&b.account, b.as_of)));
    let mut accounts: Vec<Vec<&Sample>> =
        samples.chunk_by(|a, b| a.account == b.account).map(<[&Sample]>::to_vec).collect();
    // Stable, so that equal lots stay in the order of ids.
    accounts.sort_by_cached_key(|samples| samples.first().map(|sample| lot(&sample.account, seed)));
    let (lost, kept) = accounts.into_iter().partition(|samples| samples.iter().any(|sample| sample.lost));
    [lost, kept]
}

/// An account's lot: by its id and the seed alone, so that no other account moves it.
pub(super) fn lot(id: &AccountId, seed: u64) -> u64 {
    let digest = Sha256::digest(id.0.as_bytes());
    let stream = digest.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    Dice::new(seed, stream).next()
}

impl Part {
    pub(super) fn of(samples: &[&Sample]) -> Self {
        let mut part = Part {
            outcomes: count(samples.len()),
            outcomes_lost: count(samples.iter().filter(|sample| sample.lost).count()),
            ..Part::default()
        };
        for of_account in samples.chunk_by(|a, b| a.account == b.account) {
            part.accounts += 1;
            part.accounts_lost += u32::from(of_account.iter().any(|sample| sample.lost));
        }
        part
    }
}
