//! The second pass: a page of accounts is diagnosed, stored and moved in one transaction.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::evidence::by_account;
use super::moves::{Moves, Standing};
use super::{Night, Run, Worse, guarded, rejected};
use crate::domain::account::{Account, AccountId};
use crate::domain::calendar;
use crate::domain::diagnosis::{self as domain, Band, Before, Change, Diagnosis, WindowKind};
use crate::domain::handoff::{Handoff, State};
use crate::domain::health::Evidence;
use crate::domain::window::{Cooling, OpenWindow};
use crate::store::audit::{self, Actor};
use crate::store::diagnosis::{Earlier, NewRow, Rejected};
use crate::store::outcome::{self, KnownOutcome};
use crate::store::{self, Tenant, account, diagnosis, handoff, message, renewal, risk, rule};

/// Accounts of one transaction: risks and handoffs of a page are locked for as long as it takes, and a click
/// on one of them waits.
const PAGE: usize = 1_000;
/// So often a page is tried that had to give way to another transaction.
const TRIES: u32 = 3;

/// What the pages came to.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) bands: BTreeMap<Band, u32>,
    pub(super) events: BTreeMap<&'static str, u32>,
    pub(super) worse: Vec<Worse>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) unrouted: u32,
    /// Accounts whose cards say something else now.
    pub(super) redrawn: Vec<AccountId>,
}

impl Done {
    fn add(&mut self, page: Done) {
        for (band, count) in page.bands {
            *self.bands.entry(band).or_default() += count;
        }
        for (event, count) in page.events {
            *self.events.entry(event).or_default() += count;
        }
        self.worse.extend(page.worse);
        self.rejected.extend(page.rejected);
        self.unrouted += page.unrouted;
        self.redrawn.extend(page.redrawn);
    }
}

/// What a page's accounts stand on, read together.
pub(super) struct Inputs {
    pub(super) accounts: BTreeMap<AccountId, Account>,
    earlier: BTreeMap<AccountId, Earlier>,
    handoffs: BTreeMap<AccountId, Vec<(AccountId, anyhow::Result<Handoff>)>>,
    outcomes: BTreeMap<AccountId, Vec<KnownOutcome>>,
}

impl Inputs {
    pub(super) async fn read(tx: &mut Tenant, night: &Night<'_>, page: &[Evidence]) -> anyhow::Result<Self> {
        let (Some(first), Some(last)) = (page.first(), page.last()) else {
            return Ok(Self {
                accounts: BTreeMap::new(),
                earlier: BTreeMap::new(),
                handoffs: BTreeMap::new(),
                outcomes: BTreeMap::new(),
            });
        };
        let ids = ids(page);
        let (first, last) = (&first.account_id, &last.account_id);
        let accounts = account::some(tx, &ids).await?;
        let earlier = match night.before {
            Some(date) => diagnosis::earlier(tx, date, first, last).await?,
            None => BTreeMap::new(),
        };
        let quiet = TimeDelta::days(i64::from(night.policy.windows.cooling_days));
        let live = night.run == Run::Live;
        let handoffs = handoff::of_accounts_one_by_one(tx, &ids, night.at - quiet, live).await?;
        let outcomes = outcome::between(tx, first, last, night.date).await?;
        Ok(Self {
            accounts: accounts.into_iter().map(|account| (account.id.clone(), account)).collect(),
            earlier,
            handoffs: by_account(handoffs, |(account, _)| account),
            outcomes: by_account(outcomes, |outcome| &outcome.account),
        })
    }

    fn handoffs(&self, account: &AccountId) -> anyhow::Result<Vec<Handoff>> {
        let rows = self.handoffs.get(account).into_iter().flatten();
        rows.map(|(_, row)| row.as_ref().cloned().map_err(|error| anyhow::anyhow!("{error:#}"))).collect()
    }

    /// What is known to have become of it by the night, the latest last.
    pub(super) fn outcomes(&self, account: &AccountId) -> &[KnownOutcome] {
        self.outcomes.get(account).map_or(&[], Vec::as_slice)
    }
}

fn ids(page: &[Evidence]) -> Vec<AccountId> {
    page.iter().map(|evidence| evidence.account_id.clone()).collect()
}

/// One account's night: what is stored of it, and what moves.
struct Read {
    diagnosis: Diagnosis,
    row: NewRow,
    worse: Option<Worse>,
    moves: Moves,
    /// Rules on trial that would have been a cause.
    shadowed: Vec<String>,
}

impl Night<'_> {
    pub(super) async fn pages(&self, evidence: &[Evidence]) -> anyhow::Result<Done> {
        let mut done = Done::default();
        let (mut after, mut rest) = ("", evidence);
        loop {
            let (page, others) = rest.split_at(rest.len().min(PAGE));
            // The last page also speaks for ids that nobody has any more.
            let end = if others.is_empty() { None } else { page.last().map(|last| &last.account_id) };
            match self.page_or_again(page, after, end).await {
                Ok(page) => done.add(page),
                Err(error) if store::is_refused_data(&error) => {
                    tracing::warn!("a page of the diagnosis was refused; trying its accounts alone: {error:#}");
                    self.one_by_one(page, after, end, &mut done).await?;
                }
                Err(error) => return Err(error),
            }
            if others.is_empty() {
                return Ok(done);
            }
            after = page.last().map_or(after, |last| last.account_id.0.as_str());
            rest = others;
        }
    }

    /// The database refused something of this page: it is one account's fault, and the others go on.
    async fn one_by_one(
        &self,
        page: &[Evidence],
        after: &str,
        end: Option<&AccountId>,
        done: &mut Done,
    ) -> anyhow::Result<()> {
        let mut after = after;
        for (n, evidence) in page.iter().enumerate() {
            let own_end = if n + 1 == page.len() { end } else { Some(&evidence.account_id) };
            match self.page_or_again(std::slice::from_ref(evidence), after, own_end).await {
                Ok(page) => done.add(page),
                Err(error) if store::is_refused_data(&error) => {
                    done.rejected.push(rejected(&evidence.account_id, &error));
                    // So that no row of an earlier run of the date stands for it.
                    done.add(self.page(&[], after, own_end).await?);
                }
                Err(error) => return Err(error),
            }
            after = &evidence.account_id.0;
        }
        Ok(())
    }

    async fn page_or_again(&self, page: &[Evidence], after: &str, end: Option<&AccountId>) -> anyhow::Result<Done> {
        for _ in 1..TRIES {
            match self.page(page, after, end).await {
                Err(error) if store::is_deadlock(&error) => {}
                done => return done,
            }
        }
        self.page(page, after, end).await
    }

    /// Diagnoses the accounts of a page, stores and moves them. The page speaks for every id after `after`
    /// up to `end`.
    async fn page(&self, page: &[Evidence], after: &str, end: Option<&AccountId>) -> anyhow::Result<Done> {
        let mut tx = self.app.store.tenant(self.org).await?;
        let inputs = Inputs::read(&mut tx, self, page).await?;
        let live = self.run == Run::Live;
        let (mut risks, mut renewals) = (BTreeMap::new(), BTreeMap::new());
        if live {
            let ids = ids(page);
            risks = risk::lock_latest(&mut tx, &ids).await?;
            renewals = renewal::lock_latest(&mut tx, &ids).await?;
        }
        let mut done = Done::default();
        let (mut rows, mut moves) = (Vec::with_capacity(page.len()), Moves::default());
        let mut shadowed: Vec<(String, AccountId)> = Vec::new();
        for evidence in page {
            let id = &evidence.account_id;
            // Deleted since the first pass.
            let Some(account) = inputs.accounts.get(id) else { continue };
            let (risk, renewal) = (risks.remove(id).transpose(), renewals.remove(id).transpose());
            let read = guarded(|| {
                let standing = Standing {
                    handoffs: inputs.handoffs(id)?,
                    risk: risk?,
                    renewal: renewal?,
                    outcomes: inputs.outcomes(id),
                };
                self.account(account, evidence, &inputs, standing)
            });
            match read {
                Ok(read) => {
                    *done.bands.entry(read.diagnosis.band).or_default() += 1;
                    if matches!(read.diagnosis.change, Change::Worse | Change::Better) || read.moves.shows() {
                        done.redrawn.push(id.clone());
                    }
                    done.worse.extend(read.worse);
                    rows.push(read.row);
                    moves.add(read.moves);
                    shadowed.extend(read.shadowed.into_iter().map(|rule| (rule, id.clone())));
                }
                Err(error) => done.rejected.push(rejected(id, &error)),
            }
        }
        diagnosis::save(&mut tx, self.date, after, end, &rows, &inputs.earlier).await?;
        if live {
            done.unrouted = moves.unrouted;
            done.events = self.save_moves(&mut tx, &moves).await?;
            rule::fired(&mut tx, self.date, &shadowed).await?;
        } else {
            done.redrawn.clear();
            done.worse.clear();
        }
        tx.commit().await?;
        Ok(done)
    }

    fn account(
        &self,
        account: &Account,
        evidence: &Evidence,
        inputs: &Inputs,
        standing: Standing<'_>,
    ) -> anyhow::Result<Read> {
        let diagnosis = self.diagnosis(account, evidence, inputs, &standing.handoffs);
        let row = NewRow::of(&diagnosis, evidence.auto_renew())?;
        let previous = inputs.earlier.get(&account.id).map(|earlier| &earlier.previous);
        let worse = previous.filter(|_| diagnosis.change == Change::Worse).map(|previous| {
            let decisions =
                diagnosis.causes.iter().filter(|cause| cause.floor && !previous.floors.contains(&cause.rule));
            Worse { account: account.id.clone(), decisions: decisions.map(|cause| cause.rule.clone()).collect() }
        });
        let moves = match self.run {
            Run::Live => self.moves(account, evidence, &diagnosis, standing),
            Run::History => Moves::default(),
        };
        let on_trial = self.run == Run::Live && !self.policy.shadow.is_empty();
        let shadowed =
            if on_trial { domain::shadowed(account, evidence, &self.book, self.policy, self.date) } else { Vec::new() };
        let shadowed = shadowed.into_iter().map(|cause| cause.rule).collect();
        Ok(Read { diagnosis, row, worse, moves, shadowed })
    }

    /// The diagnosis of one account, with what earlier nights and people's decisions leave for this one.
    pub(super) fn diagnosis(
        &self,
        account: &Account,
        evidence: &Evidence,
        inputs: &Inputs,
        handoffs: &[Handoff],
    ) -> Diagnosis {
        let earlier = inputs.earlier.get(&account.id);
        let open = open_windows(handoffs, earlier);
        let cooling: Vec<Cooling> = handoffs.iter().filter_map(|handoff| self.cooling(handoff)).collect();
        let before =
            Before { previous: earlier.map(|earlier| &earlier.previous), open_windows: &open, cooling: &cooling };
        domain::diagnose(self.org, account, evidence, &self.book, self.policy, &before, self.date)
    }

    /// Alone, as a policy on trial sees it: whatever can't be read of its handoffs is left out.
    pub(super) fn trial_diagnosis(&self, account: &Account, evidence: &Evidence, inputs: &Inputs) -> Diagnosis {
        let handoffs = inputs.handoffs(&account.id).unwrap_or_default();
        self.diagnosis(account, evidence, inputs, &handoffs)
    }

    /// After an end that somebody chose, the same evidence opens nothing for a while: of a pass and a loss the plan
    /// says so, and a win or a withdrawal would come back on the very next night otherwise.
    fn cooling(&self, handoff: &Handoff) -> Option<Cooling> {
        let window = handoff.window()?;
        match handoff.state() {
            State::Passed { .. } | State::Lost { .. } | State::Won { .. } | State::Withdrawn { .. } => {}
            _ => return None,
        }
        let ended_on = calendar::local_date(self.snapshot.organisation.timezone, handoff.since());
        let until = ended_on + TimeDelta::days(i64::from(self.policy.windows.cooling_days));
        // On a date before its end it was no end yet.
        (ended_on <= self.date).then_some(Cooling { kind: window.kind, until })
    }

    async fn save_moves(&self, tx: &mut Tenant, moves: &Moves) -> anyhow::Result<BTreeMap<&'static str, u32>> {
        risk::save_all(tx, &moves.risks).await?;
        // Moved before made: a window that ended makes room for the next of its kind.
        for handoff in &moves.moved_handoffs {
            handoff::save(tx, handoff).await?;
        }
        handoff::insert_all(tx, &moves.new_handoffs).await?;
        renewal::save_all(tx, &moves.renewals).await?;
        audit::record(tx, Actor::System, self.at, &moves.entries).await?;
        message::queue_redraws(tx, &moves.shown, self.at).await?;
        let mut events = BTreeMap::new();
        for entry in &moves.entries {
            *events.entry(entry.event).or_default() += 1;
        }
        Ok(events)
    }

    /// Accounts that have left: their risks and windows end, their renewals are lost.
    pub(super) async fn accounts_that_left(&self, left: &[AccountId], done: &mut Done) -> anyhow::Result<()> {
        for ids in left.chunks(PAGE) {
            let (Some(first), Some(last)) = (ids.first(), ids.last()) else { continue };
            let mut tx = self.app.store.tenant(self.org).await?;
            // Open ones only: none ended later than now.
            let handoffs = handoff::of_accounts_one_by_one(&mut tx, ids, self.at, true).await?;
            let mut handoffs = by_account(handoffs, |(account, _)| account);
            let mut risks = risk::lock_latest(&mut tx, ids).await?;
            let mut renewals = renewal::lock_latest(&mut tx, ids).await?;
            let outcomes = by_account(outcome::between(&mut tx, first, last, self.date).await?, |row| &row.account);
            let mut moves = Moves::default();
            for id in ids {
                let rows = handoffs.remove(id).unwrap_or_default().into_iter();
                let open: anyhow::Result<Vec<Handoff>> = rows.map(|(_, row)| row).collect();
                let outcomes = outcomes.get(id).map_or(&[][..], Vec::as_slice);
                let ended = open
                    .and_then(|handoffs| {
                        let (risk, renewal) = (risks.remove(id).transpose()?, renewals.remove(id).transpose()?);
                        Ok(Standing { handoffs, risk, renewal, outcomes })
                    })
                    .and_then(|standing| self.moves_of_one_that_left(id, standing));
                match ended {
                    Ok(ended) => moves.add(ended),
                    Err(error) => done.rejected.push(rejected(id, &error)),
                }
            }
            let events = self.save_moves(&mut tx, &moves).await?;
            tx.commit().await?;
            done.add(Done { events, redrawn: moves.shown, ..Done::default() });
        }
        Ok(())
    }
}

/// Windows that keep their dates while the evidence holds: those that people have in hand, then those that an
/// earlier date found. A kind that somebody has ended has no earlier date to go back to.
fn open_windows(handoffs: &[Handoff], earlier: Option<&Earlier>) -> Vec<OpenWindow> {
    let of_kind = |kind: WindowKind| {
        handoffs.iter().filter(move |handoff| handoff.window().is_some_and(|window| window.kind == kind))
    };
    let held = handoffs.iter().filter(|handoff| handoff.is_open()).filter_map(|handoff| {
        let window = handoff.window()?;
        Some(OpenWindow { kind: window.kind, opens_on: window.opens_on, closes_on: window.closes_on })
    });
    let found = earlier.into_iter().flat_map(|earlier| &earlier.windows);
    let found = found.filter(|found| of_kind(found.kind).all(Handoff::is_open));
    held.chain(found.map(|found| OpenWindow { kind: found.kind, opens_on: found.opens_on, closes_on: found.closes_on }))
        .collect()
}
