//! Files and API rows into the store. What is accepted is kept, also when a
//! later row, or the file itself, turns out to be broken.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::{absence, departure, schedule, transfer};
use crate::domain::calendar;
use crate::domain::row::{OutcomeKind, Patch, PersonRow, RowKind, Rows, SignalRow};
use crate::domain::signal::SignalValue;
use crate::ingest::{self, Aside, Batch, Context, Format, Place, Refused, Rejected};
use crate::store::audit::{self, Actor, Entry};
use crate::store::directory::Organisation;
use crate::store::import::{self, Outcome};
use crate::store::{self, Store, Tenant, fresh, settings};

/// Signals go in as one array for each column: fewer, larger sets pay.
const SIGNALS_AT_ONCE: usize = 100_000;
/// A measure that is told so late after it was observed decides nothing by day.
const MEASURED_LATELY: chrono::Days = chrono::Days::new(7);
/// Rejected rows listed per file; the rest are counted.
const LISTED: usize = 10_000;
/// How often a set of rows is tried that gave way to another transaction.
const TRIES: u32 = 3;

/// What came of one file.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub file: String,
    pub kind: &'static str,
    pub accepted: u64,
    pub unchanged: u64,
    pub rejected: u64,
    pub notes: Vec<String>,
    /// The first of the rejected rows.
    pub rejections: Vec<Rejected>,
    /// How many more there are.
    pub not_listed: u64,
    /// Where they lie with their reasons, to be mended and imported again.
    pub rejected_file: Option<RejectedFile>,
}

/// A file of rejected rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedFile {
    pub path: PathBuf,
    /// Rows in it: fewer than were rejected where some can't be read as rows at all.
    pub rows: u64,
}

impl Report {
    fn new(file: String, kind: RowKind) -> Self {
        Self {
            file,
            kind: kind.as_str(),
            accepted: 0,
            unchanged: 0,
            rejected: 0,
            notes: Vec::new(),
            rejections: Vec::new(),
            not_listed: 0,
            rejected_file: None,
        }
    }

    /// Rows dealt with so far.
    fn rows(&self) -> u64 {
        self.accepted + self.unchanged + self.rejected
    }
}

/// Something to read rows from.
pub struct Input {
    /// As reports name it.
    pub name: String,
    pub kind: RowKind,
    pub format: Format,
    pub reader: Box<dyn Read + Send>,
}

/// An input with what belongs to it outside of the import.
pub struct Source {
    pub input: Input,
    /// Where rejected rows are set aside; `None` for those that come from no file.
    pub rejected_to: Option<PathBuf>,
    /// What its report is to say besides, in whole sentences.
    pub notes: Vec<String>,
    pub progress: Arc<Progress>,
}

/// How far an input is, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    rows: AtomicU64,
    read: AtomicU64,
    done: AtomicBool,
}

impl Progress {
    /// Rows dealt with so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Rows read so far: at most some sets more than were dealt with.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }
}

impl From<Input> for Source {
    fn from(input: Input) -> Self {
        Self { input, rejected_to: None, notes: Vec::new(), progress: Arc::default() }
    }
}

/// An import that the database ended, with what came of the files before.
#[derive(Debug)]
pub struct Broken {
    pub reports: Vec<Report>,
    pub error: anyhow::Error,
}

impl From<Broken> for anyhow::Error {
    fn from(broken: Broken) -> Self {
        broken.error
    }
}

/// Takes files in the order in which they depend on each other. With `dry_run`
/// everything is tried in one transaction that is rolled back, and no rejected rows are set aside.
///
/// # Errors
/// The database's, with the reports until then. A file that can't be read at all is a report with one rejection.
pub async fn files<S: Into<Source>>(
    store: &Store,
    organisation: &Organisation,
    inputs: Vec<S>,
    actor: Actor,
    dry_run: bool,
    now: DateTime<Utc>,
) -> Result<Vec<Report>, Broken> {
    let mut sources: Vec<Source> = inputs.into_iter().map(Into::into).collect();
    sources.sort_by_key(|source| source.input.kind);
    let mut reports = Vec::new();
    let mut work = Work { store, organisation, now, dry: None, patience: None };
    match work.take(sources, actor, dry_run, &mut reports).await {
        Ok(()) => Ok(reports),
        Err(error) => Err(Broken { reports, error }),
    }
}

/// How many times as long as for a connection a push waits for its turn: other imports write some sets of rows first.
const PUSH_PATIENCE: u32 = 10;

/// What the push API brings: JSON rows of one kind, already in memory.
///
/// # Errors
/// The database's: the store is busy where another import keeps its turn, as a long dry run does.
pub async fn pushed(
    store: &Store,
    organisation: &Organisation,
    kind: RowKind,
    body: Vec<u8>,
    actor: Actor,
    now: DateTime<Utc>,
) -> anyhow::Result<Report> {
    let reader = Box::new(std::io::Cursor::new(body));
    let input = Input { name: "body".to_owned(), kind, format: Format::Json, reader };
    let mut work =
        Work { store, organisation, now, dry: None, patience: Some(store.patience().saturating_mul(PUSH_PATIENCE)) };
    let mut reports = Vec::new();
    work.take(vec![input.into()], actor, false, &mut reports).await?;
    reports.into_iter().next().context("one body gives one report")
}

/// What rows are read with.
///
/// # Errors
/// Where the stored policy can't be read.
pub(super) fn context(
    organisation: &Organisation,
    settings: &settings::Settings,
    now: DateTime<Utc>,
) -> anyhow::Result<Context> {
    let policy = super::policy::of(settings)?;
    Ok(Context {
        currency: organisation.currency,
        today: calendar::local_date(organisation.timezone, now),
        measures: super::policy::measures(&policy),
    })
}

struct Work<'a> {
    store: &'a Store,
    organisation: &'a Organisation,
    now: DateTime<Utc>,
    /// The one transaction of a dry run; dropped without commit at its end.
    dry: Option<Tenant>,
    /// How long a set of rows waits for its turn; `None` is as long as it takes.
    patience: Option<Duration>,
}

impl Work<'_> {
    async fn take(
        &mut self,
        sources: Vec<Source>,
        actor: Actor,
        dry_run: bool,
        reports: &mut Vec<Report>,
    ) -> anyhow::Result<()> {
        if dry_run {
            self.dry = Some(self.store.tenant(self.organisation.id).await?);
        }
        let context = self.context().await?;
        for source in sources {
            let report = one_file(self, &context, source).await?;
            if !dry_run {
                self.conclude(&report, actor).await?;
            }
            reports.push(report);
        }
        Ok(())
    }

    async fn context(&mut self) -> anyhow::Result<Context> {
        let mut tx = self.store.tenant(self.organisation.id).await?;
        context(self.organisation, &settings::read(&mut tx).await?, self.now)
    }

    /// Writes one set of rows: committed at once, or within the dry run's transaction.
    async fn write(&mut self, rows: &Rows) -> anyhow::Result<Outcome> {
        let today = calendar::local_date(self.organisation.timezone, self.now);
        match &mut self.dry {
            Some(tx) => write(tx, rows, today, self.now, None).await,
            None => {
                let mut tries = 1;
                loop {
                    match self.write_once(rows, today).await {
                        // Other imports wait for their turn; somebody's click may still stand in the way.
                        Err(error) if store::is_deadlock(&error) && tries < TRIES => tries += 1,
                        done => return done,
                    }
                }
            }
        }
    }

    async fn write_once(&self, rows: &Rows, today: chrono::NaiveDate) -> anyhow::Result<Outcome> {
        let mut tx = self.store.tenant(self.organisation.id).await?;
        let outcome = write(&mut tx, rows, today, self.now, self.patience).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// Records the import, and lets every process forget what it kept of the old rows.
    async fn conclude(&mut self, report: &Report, actor: Actor) -> anyhow::Result<()> {
        let mut tx = self.store.tenant(self.organisation.id).await?;
        let data = json!({
            "kind": report.kind, "accepted": report.accepted, "unchanged": report.unchanged, "rejected": report.rejected,
        });
        audit::record(
            &mut tx,
            actor,
            self.now,
            &[Entry::new("data.imported", format!("organisation:{}", self.organisation.id), data)],
        )
        .await?;
        if report.accepted > 0 && report.kind != RowKind::Signals.as_str() {
            settings::touch(&mut tx).await?;
            schedule::set_next_digests(&mut tx, self.organisation, self.now).await?;
        }
        tx.look_at(&["tandem.contact", "tandem.outcome", "tandem.person", "tandem.signal"]).await?;
        tx.commit().await?;
        if report.accepted > 0 && report.kind == RowKind::People.as_str() {
            // Somebody may be away from now on, or back, or may have left.
            absence::turn_all(self.store, self.organisation.id, self.now).await?;
            departure::settle(self.store, self.organisation.id, self.now).await?;
        }
        Ok(())
    }
}

async fn write(
    tx: &mut Tenant,
    rows: &Rows,
    today: chrono::NaiveDate,
    now: DateTime<Utc>,
    patience: Option<Duration>,
) -> anyhow::Result<Outcome> {
    match patience {
        None => import::take_turns(tx).await?,
        Some(patience) => import::take_turns_within(tx, patience).await?,
    }
    let outcome = write_rows(tx, rows, today, now).await?;
    transfer::follow(tx, &outcome.seats_given, now).await?;
    if outcome.accepted > 0 {
        fresh::note(tx, &may_decide(rows, today), now).await?;
    }
    Ok(outcome)
}

/// Accounts for which one of these rows may be a decision: they are looked at by day. Whether it is one, and a new
/// one, is the diagnosis's business.
fn may_decide(rows: &Rows, today: chrono::NaiveDate) -> Vec<&str> {
    let mut ids: Vec<&str> = match rows {
        Rows::Signals(rows) => rows
            .iter()
            .filter(|row| match (row.kind.as_str(), &row.value) {
                ("notice_served" | "downgrade_requested", value) => *value == SignalValue::Bool(true),
                ("auto_renew", value) => *value == SignalValue::Bool(false),
                // Measures: what is told of long ago, as whole histories do, was seen by the nights since.
                ("sev1_open_days" | "invoice_overdue_days", value) => {
                    row.observed_on + MEASURED_LATELY >= today && value.number().is_some_and(|days| days > 0.0)
                }
                _ => false,
            })
            .map(|row| row.account_id.0.as_str())
            .collect(),
        Rows::Accounts(rows) => {
            rows.iter().filter(|row| row.auto_renew == Patch::Set(false)).map(|row| row.account_id.0.as_str()).collect()
        }
        Rows::Contacts(rows) => {
            rows.iter().filter(|row| row.departed_on.set().is_some()).map(|row| row.account_id.0.as_str()).collect()
        }
        Rows::Outcomes(rows) => {
            rows.iter().filter(|row| row.kind == OutcomeKind::Churned).map(|row| row.account_id.0.as_str()).collect()
        }
        Rows::People(_) | Rows::Quotas(_) | Rows::Holidays(_) => Vec::new(),
    };
    ids.sort_unstable();
    ids.dedup();
    ids
}

async fn write_rows(
    tx: &mut Tenant,
    rows: &Rows,
    today: chrono::NaiveDate,
    now: DateTime<Utc>,
) -> anyhow::Result<Outcome> {
    match rows {
        Rows::People(rows) => import::people(tx, rows).await,
        Rows::Accounts(rows) => import::accounts(tx, rows, today, now).await,
        Rows::Contacts(rows) => import::contacts(tx, rows).await,
        Rows::Signals(rows) => import::signals(tx, rows).await,
        Rows::Outcomes(rows) => import::outcomes(tx, rows).await,
        Rows::Quotas(rows) => import::quotas(tx, rows).await,
        Rows::Holidays(rows) => import::holidays(tx, rows).await,
    }
}

/// What came of a file so far, and where that is written down.
struct Book {
    report: Report,
    aside: Option<Aside>,
    columns: Arc<[&'static str]>,
    progress: Arc<Progress>,
}

impl Book {
    fn reject(&mut self, mut rejected: Vec<Rejected>) {
        if let Some(aside) = &mut self.aside {
            aside.put(&self.columns, &rejected);
        }
        let report = &mut self.report;
        report.rejected += rejected.len() as u64;
        let room = LISTED.saturating_sub(report.rejections.len());
        report.not_listed += rejected.len().saturating_sub(room) as u64;
        rejected.truncate(room);
        report.rejections.extend(rejected.into_iter().map(|one| Rejected { cells: None, ..one }));
    }

    /// Books what the store made of a set of rows.
    fn settle(&mut self, rows: &Rows, places: &[Place], outcome: Outcome) {
        self.report.accepted += outcome.accepted;
        self.report.unchanged += outcome.unchanged;
        let refused = outcome.rejected.into_iter().map(|refusal| Rejected {
            file: self.report.file.clone(),
            line: places.get(refusal.position).map_or(0, |place| place.line),
            element: places.get(refusal.position).and_then(|place| place.element),
            column: Some(refusal.column.to_owned()),
            value: Some(refusal.value.chars().take(80).collect()),
            reason: refusal.reason,
            cells: self.aside.is_some().then(|| ingest::cells_of(rows, refusal.position, &self.columns)),
        });
        let refused = refused.collect();
        self.reject(refused);
        self.progress.rows.store(self.report.rows(), Ordering::Relaxed);
    }

    /// Removes what an earlier import of the file set aside, once it has no rejected row: imported later, it would undo
    /// what the file says now. A file of rejected rows that was itself imported stays, as any file does.
    fn without_old_rows(&self, aside: &Path) -> Option<String> {
        let clean = self.report.rejected == 0 && self.report.rows() > 0;
        if !clean || aside.ends_with(&self.report.file) {
            return None;
        }
        let name = aside.file_name().unwrap_or_default().display();
        match std::fs::remove_file(aside) {
            Ok(()) => {
                Some(format!("{name} was removed: it held rows of an earlier import, and none is rejected any more."))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => Some(format!("{name} holds rows of an earlier import and could not be removed: {error}")),
        }
    }

    fn close(mut self) -> Report {
        self.progress.done.store(true, Ordering::Relaxed);
        if let Some(aside) = self.aside.take() {
            let path = aside.path().to_owned();
            match aside.finish() {
                Ok(Some(rows)) => self.report.rejected_file = Some(RejectedFile { path, rows }),
                Ok(None) => self.report.notes.extend(self.without_old_rows(&path)),
                Err(error) => {
                    let note = format!("The rejected rows could not be written to {}: {error}", path.display());
                    self.report.notes.push(note);
                }
            }
        }
        self.report.rejections.sort_by_key(|rejected| (rejected.line, rejected.element));
        self.report
    }
}

async fn one_file(work: &mut Work<'_>, context: &Context, source: Source) -> anyhow::Result<Report> {
    let Source { input, rejected_to, notes, progress } = source;
    let mut book = Book {
        report: Report { notes, ..Report::new(input.name.clone(), input.kind) },
        aside: rejected_to.filter(|_| work.dry.is_none()).map(Aside::at),
        columns: Arc::default(),
        progress,
    };
    // Parsing is work for a thread of its own; a short channel keeps it at most a few batches ahead.
    let (sender, mut batches) = tokio::sync::mpsc::channel::<Batch>(4);
    let context = context.clone();
    let Input { name, kind, format, reader } = input;
    let progress = Arc::clone(&book.progress);
    let parsing = tokio::task::spawn_blocking(move || {
        ingest::read(reader, &name, kind, format, &context, &mut |batch| {
            progress.read.fetch_add((batch.places.len() + batch.rejected.len()) as u64, Ordering::Relaxed);
            match sender.blocking_send(batch) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })
    });
    let mut held = Held::default();
    while let Some(batch) = batches.recv().await {
        book.columns = batch.columns;
        book.reject(batch.rejected);
        if let Some((rows, places)) = held.add(batch.rows, batch.places) {
            let outcome = work.write(&rows).await?;
            book.settle(&rows, &places, outcome);
        }
    }
    for (rows, places) in held.rest() {
        let outcome = work.write(&rows).await?;
        book.settle(&rows, &places, outcome);
    }
    match parsing.await.context("the file's reader panicked")? {
        Ok(summary) => {
            book.report.notes.extend(summary.notes);
            if summary.broken_off_after.is_some() {
                book.report.notes.push("The file breaks off; what was accepted until there is kept.".to_owned());
            }
        }
        Err(refused) => book.reject(vec![whole(refused)]),
    }
    Ok(book.close())
}

fn whole(refused: Refused) -> Rejected {
    let Refused { file, line, column, reason } = refused;
    Rejected { file, line: line.unwrap_or(0), element: None, column, value: None, reason, cells: None }
}

/// Rows waiting for a set that is worth a statement: people until the file's end, since they
/// name each other; signals until there are many; the rest as they come.
#[derive(Default)]
struct Held {
    people: Vec<PersonRow>,
    signals: Vec<SignalRow>,
    places: Vec<Place>,
}

impl Held {
    fn add(&mut self, rows: Rows, places: Vec<Place>) -> Option<(Rows, Vec<Place>)> {
        match rows {
            Rows::People(rows) => {
                self.people.extend(rows);
                self.places.extend(places);
                None
            }
            Rows::Signals(rows) => {
                self.signals.extend(rows);
                self.places.extend(places);
                (self.signals.len() >= SIGNALS_AT_ONCE)
                    .then(|| (Rows::Signals(std::mem::take(&mut self.signals)), std::mem::take(&mut self.places)))
            }
            rows => Some((rows, places)),
        }
    }

    fn rest(self) -> impl Iterator<Item = (Rows, Vec<Place>)> {
        let people = (!self.people.is_empty()).then_some(Rows::People(self.people));
        let signals = (!self.signals.is_empty()).then_some(Rows::Signals(self.signals));
        people.or(signals).map(|rows| (rows, self.places)).into_iter()
    }
}

/// Takes rows that are validated already, set by set, as [`files`] would from files: the demo's sample.
pub async fn rows(
    store: &Store,
    organisation: &Organisation,
    sets: Vec<Rows>,
    actor: Actor,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut work = Work { store, organisation, now, dry: None, patience: None };
    for rows in sets {
        let kind = match &rows {
            Rows::People(_) => RowKind::People,
            Rows::Accounts(_) => RowKind::Accounts,
            Rows::Contacts(_) => RowKind::Contacts,
            Rows::Signals(_) => RowKind::Signals,
            Rows::Outcomes(_) => RowKind::Outcomes,
            Rows::Quotas(_) => RowKind::Quotas,
            Rows::Holidays(_) => RowKind::Holidays,
        };
        let outcome = work.write(&rows).await?;
        if let Some(refusal) = outcome.rejected.first() {
            anyhow::bail!("a row of {} was refused: {}", kind.as_str(), refusal.reason);
        }
        let report = Report {
            accepted: outcome.accepted,
            unchanged: outcome.unchanged,
            ..Report::new(kind.as_str().to_owned(), kind)
        };
        work.conclude(&report, actor).await?;
    }
    Ok(())
}
