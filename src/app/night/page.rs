//! The second pass: page by page, accounts are diagnosed, stored and moved.
//!
//! Diagnoses go into the night's own transaction, so that readers see all of them
//! or none. What people have in hand (risks, handoffs, renewals) moves in a short
//! transaction a page, since a click on one of them waits for its lock. Diagnoses
//! go first: where the moves are refused, the page is made anew and replaces them.
//! Their bodies are most of what is written and go into the page's transaction,
//! several pages beside each other: nobody sees a body that no diagnosis refers to.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use anyhow::Context;
use chrono::{NaiveDate, TimeDelta};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::sync::Mutex;

use super::evidence::{Seen, by_account};
use super::moves::{Moves, Standing};
use super::{Each, Night, Run, Worse, guarded, rejected};
use crate::domain::account::{Account, AccountId};
use crate::domain::calendar;
use crate::domain::diagnosis::course::Course;
use crate::domain::diagnosis::{self as domain, Band, Before, Change, Diagnosis, WindowKind};
use crate::domain::handoff::{Handoff, State};
use crate::domain::health::Evidence;
use crate::domain::renewal_work::RenewalWork;
use crate::domain::risk::Risk;
use crate::domain::window::{Cooling, OpenWindow};
use crate::store::audit::{self, Actor};
use crate::store::night::{self, Between, Changes, Earlier, Kept, NewRow, Rejected, Stored};
use crate::store::outcome::{self, KnownOutcome};
use crate::store::{self, Tenant, handoff, message, renewal, risk, rule};

/// Accounts of one transaction: risks and handoffs of a page are locked for as long as it takes, and a click
/// on one of them waits.
const PAGE: usize = 1_000;
/// Pages under way at once: Postgres reads the next and writes the one before while the rules run over one.
const AT_ONCE: usize = 3;
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
    /// By account id; handed over page by page and not kept.
    diagnoses: Vec<Diagnosis>,
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
        self.diagnoses.extend(page.diagnoses);
    }
}

/// A page: some of the accounts, and the ids for which it speaks, from behind the account before to its last.
#[derive(Clone)]
struct Span {
    all: Arc<Vec<Box<Seen>>>,
    range: Range<usize>,
    /// Without its accounts: nobody is to have a diagnosis.
    empty: bool,
    /// Some of its ids may have a diagnosis of the date already, which is replaced.
    again: bool,
    /// It was tried tonight: of what was stored of it the bodies may be missing.
    tried: bool,
}

impl Span {
    /// Once more, whatever of it was stored.
    fn again(self) -> Self {
        Self { again: true, tried: true, ..self }
    }

    /// Cut into spans of at most `most` accounts, at least one.
    fn cut(self, most: usize) -> Vec<Self> {
        let Range { start, end } = self.range;
        let starts = (start..end.max(start + 1)).step_by(most);
        starts.map(|start| Self { range: start..end.min(start + most), ..self.clone() }).collect()
    }

    fn seen(&self) -> &[Box<Seen>] {
        if self.empty { &[] } else { &self.all[self.range.clone()] }
    }

    /// The last also speaks for ids that nobody has any more.
    fn ids(&self) -> Between<'_> {
        let id = |index: usize| &self.all[index].account.id;
        let last = self.range.end.checked_sub(1).filter(|_| self.range.end < self.all.len());
        Between {
            after: self.range.start.checked_sub(1).map_or("", |before| id(before).0.as_str()),
            last: last.map(id),
        }
    }
}

/// What a page's accounts stand on, read together.
#[derive(Default)]
pub(super) struct Inputs {
    earlier: BTreeMap<AccountId, Earlier>,
    /// Of accounts to which the night before carried none.
    courses: BTreeMap<AccountId, Course>,
    handoffs: BTreeMap<AccountId, Vec<(AccountId, anyhow::Result<Handoff>)>>,
    outcomes: BTreeMap<AccountId, Vec<KnownOutcome>>,
}

impl Inputs {
    pub(super) async fn read(tx: &mut Tenant, night: &Night, page: &[Box<Seen>]) -> anyhow::Result<Self> {
        let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(Self::default()) };
        let (first, last) = (&first.account.id, &last.account.id);
        let mut earlier = match night.before {
            Some(date) => night::earlier(tx, date, first, last, night.book.withholds()).await?,
            None => BTreeMap::new(),
        };
        if !night.carries {
            earlier.values_mut().for_each(|earlier| earlier.course = None);
        }
        let carried = |id| earlier.get(id).is_some_and(|earlier| earlier.course.is_some());
        let without: Vec<&AccountId> = page.iter().map(|seen| &seen.account.id).filter(|id| !carried(id)).collect();
        let courses = match without.is_empty() || night.nights.is_empty() {
            true => BTreeMap::new(),
            false => night::courses(tx, night.date, &night.nights, &without).await?,
        };
        let quiet = TimeDelta::days(i64::from(night.policy.windows.cooling_days));
        let handoffs = match night.run {
            Run::Live => handoff::lock_of_accounts(tx, &ids(page), night.at - quiet).await?,
            Run::History => handoff::between(tx, first, last, night.at - quiet).await?,
        };
        let outcomes = outcome::between(tx, first, last, night.date).await?;
        Ok(Self {
            earlier,
            courses,
            handoffs: by_account(handoffs, |(account, _)| account),
            outcomes: by_account(outcomes, |outcome| &outcome.account),
        })
    }

    /// The course of its health before the night.
    fn course(&self, account: &AccountId, date: NaiveDate) -> Course {
        let carried = || {
            let Earlier { previous, course, .. } = self.earlier.get(account)?;
            Some(course.as_ref()?.then(previous.date, previous.health, date))
        };
        self.courses.get(account).cloned().or_else(carried).unwrap_or_default()
    }

    /// What of its handoffs can be read.
    fn handoffs(&self, account: &AccountId) -> Vec<Handoff> {
        self.handoffs.get(account).into_iter().flatten().filter_map(|(_, row)| row.as_ref().ok().cloned()).collect()
    }

    /// What is known to have become of it by the night, the latest last.
    pub(super) fn outcomes(&self, account: &AccountId) -> &[KnownOutcome] {
        self.outcomes.get(account).map_or(&[], Vec::as_slice)
    }
}

fn ids(page: &[Box<Seen>]) -> Vec<AccountId> {
    page.iter().map(|seen| seen.account.id.clone()).collect()
}

/// What the rules made of a page.
struct Made {
    done: Done,
    rows: Vec<NewRow>,
    moves: Moves,
    /// Rules on trial that would have been a cause, and where.
    shadowed: Vec<(String, AccountId)>,
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

impl Night {
    /// Diagnoses everything into `rows`, the night's own transaction, and hands each diagnosis over once it is kept.
    #[expect(clippy::vec_box, reason = "as it was gathered")]
    pub(super) async fn pages(
        self: &Arc<Self>,
        rows: &mut Tenant,
        seen: Vec<Box<Seen>>,
        each: Each<'_>,
    ) -> anyhow::Result<Done> {
        let rows = Mutex::new(rows);
        let all = Span { range: 0..seen.len(), all: Arc::new(seen), empty: false, again: self.again, tried: false };
        // Boxed before the stream: of a closure within it the compiler can't tell that its futures may change threads.
        let pages: Vec<_> =
            all.cut(PAGE).into_iter().map(|span| self.page_or_one_by_one(span, &rows).boxed()).collect();
        let mut pages = stream::iter(pages).buffered(AT_ONCE);
        let mut done = Done::default();
        while let Some(mut page) = pages.try_next().await? {
            page.diagnoses.drain(..).for_each(&mut *each);
            done.add(page);
        }
        Ok(done)
    }

    async fn page_or_one_by_one(self: &Arc<Self>, span: Span, rows: &Mutex<&mut Tenant>) -> anyhow::Result<Done> {
        let error = match self.page_or_again(span.clone(), rows).await {
            Err(error) if store::is_refused_data(&error) => error,
            done => return done,
        };
        // The database refused something of this page: it is one account's fault, and the others go on.
        tracing::warn!("a page of the diagnosis was refused; trying its accounts alone: {error:#}");
        let mut done = Done::default();
        for one in span.again().cut(1) {
            match (self.page_or_again(one.clone(), rows).await, one.seen()) {
                (Ok(page), _) => done.add(page),
                (Err(error), [seen]) if store::is_refused_data(&error) => {
                    done.rejected.push(rejected(&seen.account.id, &error));
                    // So that no row of an earlier run of the date stands for it.
                    done.add(self.page(&Span { empty: true, ..one.clone() }, rows).await?);
                }
                (Err(error), _) => return Err(error),
            }
        }
        Ok(done)
    }

    async fn page_or_again(self: &Arc<Self>, mut span: Span, rows: &Mutex<&mut Tenant>) -> anyhow::Result<Done> {
        for _ in 1..TRIES {
            match self.page(&span, rows).await {
                Err(error) if store::is_deadlock(&error) => span = span.again(),
                done => return done,
            }
        }
        self.page(&span, rows).await
    }

    /// Diagnoses the accounts of a page, stores and moves them.
    async fn page(self: &Arc<Self>, span: &Span, rows: &Mutex<&mut Tenant>) -> anyhow::Result<Done> {
        let mut tx = self.app.store.tenant_of_a_part(self.org).await?;
        let inputs = Inputs::read(&mut tx, self, span.seen()).await?;
        // The bodies that a neighbouring night has: they need not be sent.
        let kept = match self.after {
            Some(date) => night::kept(&mut tx, date, &span.ids()).await?,
            None => inputs.earlier.iter().map(|(id, earlier)| (id.clone(), earlier.kept)).collect(),
        };
        let live = self.run == Run::Live;
        let (mut risks, mut renewals) = (BTreeMap::new(), BTreeMap::new());
        if live {
            let ids = ids(span.seen());
            risks = risk::lock_latest(&mut tx, &ids).await?;
            renewals = renewal::lock_latest(&mut tx, &ids).await?;
        }
        // On a thread of its own, so that Postgres is not kept waiting by the rules.
        let (night, page) = (self.clone(), span.clone());
        let made = tokio::task::spawn_blocking(move || night.make(page.seen(), inputs, risks, renewals));
        let Made { mut done, rows: new, moves, shadowed } = made.await.context("the rules' thread broke off")?;
        self.store(&mut tx, rows, span, &new, &kept).await?;
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

    fn make(
        &self,
        page: &[Box<Seen>],
        mut inputs: Inputs,
        mut risks: BTreeMap<AccountId, anyhow::Result<Risk>>,
        mut renewals: BTreeMap<AccountId, anyhow::Result<RenewalWork>>,
    ) -> Made {
        let mut done = Done::default();
        let (mut rows, mut moves) = (Vec::with_capacity(page.len()), Moves::default());
        let mut shadowed: Vec<(String, AccountId)> = Vec::new();
        for seen in page {
            let Seen { account, evidence } = &**seen;
            let id = &account.id;
            let (risk, renewal) = (risks.remove(id).transpose(), renewals.remove(id).transpose());
            let handoffs = inputs.handoffs.remove(id).unwrap_or_default();
            let read = guarded(|| {
                let handoffs = handoffs.into_iter().map(|(_, handoff)| handoff).collect::<anyhow::Result<_>>()?;
                let standing = Standing { handoffs, risk: risk?, renewal: renewal?, outcomes: inputs.outcomes(id) };
                self.account(account, evidence, &inputs, standing)
            });
            match read {
                Ok(read) => {
                    *done.bands.entry(read.diagnosis.band).or_default() += 1;
                    if matches!(read.diagnosis.change, Change::Worse | Change::Better) || read.moves.shows() {
                        done.redrawn.push(id.clone());
                    }
                    done.worse.extend(read.worse);
                    done.diagnoses.push(read.diagnosis);
                    rows.push(read.row);
                    moves.add(read.moves);
                    shadowed.extend(read.shadowed.into_iter().map(|rule| (rule, id.clone())));
                }
                Err(error) => done.rejected.push(rejected(id, &error)),
            }
        }
        Made { done, rows, moves, shadowed }
    }

    /// Stores a page's diagnoses: bodies in its own transaction, rows as a part of the night's that a refusal does not end.
    async fn store(
        &self,
        tx: &mut Tenant,
        rows: &Mutex<&mut Tenant>,
        span: &Span,
        new: &[NewRow],
        kept: &BTreeMap<AccountId, Kept>,
    ) -> anyhow::Result<()> {
        let stored = match span.again {
            true => night::stored(*rows.lock().await, self.date, &span.ids(), !span.tried).await?,
            false => Stored::default(),
        };
        let changes = Changes::new(self.date, stored, new, kept);
        night::save_bodies(tx, &changes, span.again).await?;
        let mut rows = rows.lock().await;
        rows.begin_part().await?;
        let saved = night::save(&mut rows, &changes, span.again).await;
        rows.end_part(saved.is_ok()).await?;
        saved
    }

    fn account(
        &self,
        account: &Account,
        evidence: &Evidence,
        inputs: &Inputs,
        standing: Standing<'_>,
    ) -> anyhow::Result<Read> {
        let diagnosis = self.diagnosis(account, evidence, inputs, &standing.handoffs);
        let row = NewRow::of(&diagnosis, evidence.auto_renew(), Some(inputs.course(&account.id, self.date)))?;
        let previous = inputs.earlier.get(&account.id).map(|earlier| &earlier.previous);
        let worse = previous.filter(|_| diagnosis.change == Change::Worse).map(|previous| {
            let decisions = diagnosis.decisions().filter(|name| previous.floors.iter().all(|stood| stood != name));
            Worse { account: account.id.clone(), decisions: decisions.map(str::to_owned).collect() }
        });
        let moves = match self.run {
            Run::Live => self.moves(account, evidence, &diagnosis, standing),
            Run::History => Moves::default(),
        };
        let on_trial = self.run == Run::Live && !self.policy.shadow.is_empty();
        let shadowed = if on_trial {
            domain::shadowed(account, evidence, &self.book, &self.policy, self.date)
        } else {
            Vec::new()
        };
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
        let before = Before {
            previous: earlier.map(|earlier| &earlier.previous),
            open_windows: &open,
            found_windows: earlier.map_or(&[], |earlier| &earlier.windows),
            cooling: &cooling,
        };
        domain::diagnose(self.org, account, evidence, &self.book, &self.policy, &before, self.date)
    }

    /// Alone, as a policy on trial sees it: whatever can't be read of its handoffs is left out.
    pub(super) fn trial_diagnosis(&self, account: &Account, evidence: &Evidence, inputs: &Inputs) -> Diagnosis {
        self.diagnosis(account, evidence, inputs, &inputs.handoffs(&account.id))
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
        handoff::save_all(tx, &moves.new_handoffs).await?;
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
            let handoffs = handoff::lock_of_accounts(&mut tx, ids, self.at).await?;
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
