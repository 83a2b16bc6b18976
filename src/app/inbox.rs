//! The inbox folder (`TANDEM_INBOX`): files in `ORG_SLUG/` under it are imported before each diagnosis and moved to
//! `done/` or `rejected/` beside them; queries in `*.sql` files there are run against the warehouse they name and stay.
//!
//! A file is taken when it has stopped growing. It is moved only after its rows are committed, and importing the
//! same rows again changes nothing, so a crash in between does no harm. What lies there under its name by then and was
//! not read waits for the next night. Nothing that goes wrong here stops the night: it is logged, set aside with its
//! reason, and told to the admins.

mod overview;
mod queries;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use chrono::NaiveDate;
use rustix::io::Errno;
use secrecy::SecretString;

use super::content::Content;
use super::import::{self, Input, Report, Source};
use super::{App, notice};
use crate::domain::calendar;
use crate::domain::person::OrgId;
use crate::ingest;
use crate::store::audit::Actor;
use crate::store::directory::{self, Organisation};
use crate::store::{self, Tenant, message};

pub use overview::{Overview, overview};
pub use queries::{address, is_postgres, named_warehouse, read_query, result_of};
use queries::{queries, take_queries};

/// Between the two looks at a file that tell whether it still grows.
pub const SETTLE: Duration = Duration::from_secs(5);
const DONE: &str = "done";
const REJECTED: &str = "rejected";
/// Endings of files that somebody still writes: uploads and downloads under way, editors' copies.
const UNDER_WAY: [&str; 7] = ["tmp", "temp", "part", "partial", "filepart", "crdownload", "swp"];

/// The folder, and the warehouses that queries in it may name.
#[derive(Debug)]
pub struct Inbox {
    folder: PathBuf,
    /// The operator's own variables, by name: those that hold a Postgres address are warehouses.
    warehouses: BTreeMap<String, SecretString>,
    /// See [`SETTLE`].
    settle: Duration,
}

/// What came of one file, or of one query.
#[derive(Debug)]
pub struct Taken {
    pub name: String,
    /// `Err`: it could not be taken at all, in one sentence.
    pub outcome: Result<Report, String>,
}

impl Taken {
    /// Rejected rows; `None` where all went well.
    fn fault(&self) -> Option<u64> {
        match &self.outcome {
            Ok(report) if report.rejected == 0 => None,
            Ok(report) => Some(report.rejected),
            Err(_) => Some(0),
        }
    }

    /// What a person reads who wonders why; `None` where all went well.
    fn reasons(&self) -> Option<String> {
        match &self.outcome {
            Ok(report) if report.rejected == 0 => None,
            Ok(report) => Some(reasons(report)),
            Err(sentence) => Some(format!("{sentence}\n")),
        }
    }
}

impl Inbox {
    pub fn new(folder: PathBuf, warehouses: BTreeMap<String, SecretString>) -> Self {
        Self { folder, warehouses, settle: SETTLE }
    }

    /// With another pause between the two looks.
    pub fn settling(self, settle: Duration) -> Self {
        Self { settle, ..self }
    }

    pub fn folder_of(&self, slug: &str) -> PathBuf {
        self.folder.join(slug)
    }
}

/// Takes what lies in the inbox if the organisation's diagnosis of today is still owed; its queries once a date, however
/// often the night is tried, and by whichever process. `None` while another process is at it.
pub async fn take_if_owed(app: &App, org: OrgId) -> anyhow::Result<Option<Vec<Taken>>> {
    let nothing = Ok(Some(Vec::new()));
    let Some(inbox) = &app.inbox else { return nothing };
    let mut lock = app.store.tenant(org).await?;
    let slug = directory::own_organisation(&mut lock).await?.slug;
    if !inbox.folder_of(&slug).is_dir() {
        return nothing;
    }
    if !directory::try_lock_inbox(&mut lock).await? {
        return Ok(None);
    }
    // Whoever was at it may have come further than the files.
    let organisation = directory::own_organisation(&mut lock).await?;
    let today = calendar::local_date(organisation.timezone, app.now());
    if organisation.diagnosed_on.is_some_and(|date| date >= today) {
        return nothing;
    }
    let queries = message::receive(&mut lock, &format!("queries of {today}"), app.now()).await?;
    take_locked(app, inbox, lock, &organisation, queries).await.map(Some)
}

/// Takes what lies in the organisation's folder, and runs its queries. Nothing where no inbox is configured or there is
/// no such folder.
pub async fn take(app: &App, organisation: &Organisation) -> anyhow::Result<Vec<Taken>> {
    let Some(inbox) = &app.inbox else { return Ok(Vec::new()) };
    if !inbox.folder_of(&organisation.slug).is_dir() {
        return Ok(Vec::new());
    }
    let mut lock = app.store.tenant(organisation.id).await?;
    directory::lock_inbox(&mut lock).await?;
    take_locked(app, inbox, lock, organisation, true).await
}

/// The lock is held to the end: a second replica waits, and then finds the folder empty.
async fn take_locked(
    app: &App,
    inbox: &Inbox,
    mut lock: Tenant,
    organisation: &Organisation,
    with_queries: bool,
) -> anyhow::Result<Vec<Taken>> {
    let folder = inbox.folder_of(&organisation.slug);
    let mut taken = Vec::new();
    let files = settled(&folder, inbox.settle).await?;
    if !files.is_empty() {
        // Before anything is imported: what can't be moved away would be taken every night anew.
        for place in [DONE, REJECTED] {
            writable(&folder.join(place))?;
        }
        taken.extend(take_files(app, organisation, &folder, files).await?);
    }
    if with_queries {
        taken.extend(take_queries(app, organisation, inbox, &folder, queries(&folder)?).await?);
    }
    tell(app, &mut lock, &taken).await?;
    lock.commit().await?;
    Ok(taken)
}

/// Files that are whole, by name. Links and what is under way are left alone.
async fn settled(folder: &Path, settle: Duration) -> anyhow::Result<Vec<(PathBuf, State)>> {
    let before = look(folder)?;
    if before.is_empty() {
        return Ok(Vec::new());
    }
    tokio::time::sleep(settle).await;
    let after = look(folder)?;
    let (whole, growing): (Vec<_>, Vec<_>) = after.into_iter().partition(|(path, at)| before.get(path) == Some(at));
    for (path, _) in growing {
        tracing::warn!(file = %path.display(), "a file in the inbox is still being written; it waits for the next night");
    }
    Ok(whole)
}

/// What changes when a file is written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    bytes: u64,
    /// Seconds, and nanoseconds after them.
    written_at: (i64, i64),
}

impl State {
    fn of(about: &Metadata) -> Self {
        Self { bytes: about.size(), written_at: (about.mtime(), about.mtime_nsec()) }
    }
}

fn look(folder: &Path) -> anyhow::Result<BTreeMap<PathBuf, State>> {
    let mut seen = BTreeMap::new();
    for path in names(folder)? {
        if ending(&path).as_deref() == Some("sql") {
            continue;
        }
        // Gone since it was listed: somebody took it back.
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        if about.is_file() {
            seen.insert(path, State::of(&about));
        }
    }
    Ok(seen)
}

/// What lies in the folder and is nobody's temporary file.
fn names(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cannot = || format!("the inbox {} can't be read", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
        let under_way = ending(&path).is_some_and(|ending| UNDER_WAY.contains(&ending.as_str()));
        if !name.starts_with('.') && !name.ends_with('~') && !under_way {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn ending(path: &Path) -> Option<String> {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase())
}

fn writable(place: &Path) -> anyhow::Result<()> {
    let trial = place.join(".tandem");
    fs::create_dir_all(place)
        .and_then(|()| fs::write(&trial, b""))
        .and_then(|()| fs::remove_file(&trial))
        .with_context(|| format!("nothing can be written to {}, so nothing is taken from the inbox", place.display()))
}

/// A path that nothing has yet: `signals.csv`, else `signals-2026-11-25.csv`, else `signals-2026-11-25-2.csv`.
fn free(place: &Path, name: &str, today: NaiveDate) -> PathBuf {
    let (stem, rest) = name.split_once('.').unwrap_or((name, ""));
    let dot = if rest.is_empty() { "" } else { "." };
    let dated = format!("{stem}-{today}");
    std::iter::once(name.to_owned())
        .chain(std::iter::once(format!("{dated}{dot}{rest}")))
        .chain((2_u32..).map(|n| format!("{dated}-{n}{dot}{rest}")))
        .map(|name| place.join(name))
        .find(|path| !path.exists())
        .unwrap_or_else(|| place.join(name))
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

async fn take_files(
    app: &App,
    organisation: &Organisation,
    folder: &Path,
    mut files: Vec<(PathBuf, State)>,
) -> anyhow::Result<Vec<Taken>> {
    let today = calendar::local_date(organisation.timezone, app.now());
    files.sort_by_cached_key(|(path, _)| {
        let kind = ingest::recognise(path, None).ok().map(|named| named.kind);
        // Rows that were set aside are older than what their file says now, and would undo it.
        (kind, !name_of(path).ends_with(".rejected.csv"))
    });
    let mut taken = Vec::new();
    // One by one: each is moved as soon as its rows are committed, and there may be more than can be open at once.
    for (path, whole) in files {
        let (input, opened) = match open(&path, whole) {
            Ok(Some(opened)) => opened,
            Ok(None) => continue,
            Err(sentence) => {
                let refused = Taken { name: name_of(&path), outcome: Err(sentence) };
                put_away(folder, &path, &refused, today)?;
                taken.push(refused);
                continue;
            }
        };
        // Free only now: a file before this one may have had the name.
        let aside = free(&folder.join(REJECTED), &name_of(&ingest::beside(&path)), today);
        let source = Source { rejected_to: Some(aside), ..Source::from(input) };
        let imported = import::files(&app.store, organisation, vec![source], Actor::System, false, app.now()).await;
        let outcome = match imported {
            Ok(reports) => Ok(reports.into_iter().next().context("one file gives one report")?),
            Err(import::Broken { error, .. }) if store::is_refused_data(&error) => {
                Err(format!("{}: the database refused its rows: {error:#}", name_of(&path)))
            }
            Err(import::Broken { error, .. }) => {
                // The database's fault, not the file's: it stays and is tried again.
                tracing::error!(file = %path.display(), "a file of the inbox could not be imported: {error:#}");
                continue;
            }
        };
        let one = Taken { name: name_of(&path), outcome };
        if opened.lies_at(&path) {
            put_away(folder, &path, &one, today)?;
        } else {
            tracing::warn!(file = %path.display(), "a file in the inbox was replaced while it was read; it waits");
        }
        taken.push(one);
    }
    Ok(taken)
}

/// A file that is read. It is held open until it is moved: no other file gets its inode.
struct Opened {
    file: File,
    whole: State,
}

impl Opened {
    /// Whether it is still this that has the name, and nobody has written to it.
    fn lies_at(&self, path: &Path) -> bool {
        let (Ok(read), Ok(now)) = (self.file.metadata(), fs::symlink_metadata(path)) else { return false };
        (read.dev(), read.ino()) == (now.dev(), now.ino()) && State::of(&now) == self.whole
    }
}

/// Opens a file that was whole when the folder was looked at; `None` where it has to wait, which is logged.
///
/// # Errors
/// What is wrong with it, in one sentence.
fn open(path: &Path, whole: State) -> Result<Option<(Input, Opened)>, String> {
    let named = ingest::recognise(path, None).map_err(|refused| refused.to_string())?;
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file.try_clone()?, file)));
    match opened {
        Ok((about, reader, file)) if State::of(&about) == whole => {
            let input = Input {
                name: named.name,
                kind: named.kind,
                format: named.format,
                reader: Box::new(ingest::Sound::from(reader)),
            };
            Ok(Some((input, Opened { file, whole })))
        }
        Ok(_) => {
            tracing::warn!(file = %path.display(), "a file in the inbox was replaced before its turn; it waits");
            Ok(None)
        }
        // Somebody took it back; or too much is open now, which is not the file's fault.
        Err(error) if error.kind() == ErrorKind::NotFound || is_out_of_descriptors(&error) => {
            tracing::warn!(file = %path.display(), "a file in the inbox can't be opened now; it waits: {error}");
            Ok(None)
        }
        Err(error) => Err(format!("{} can't be read: {error}", name_of(path))),
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Moves a file to where it belongs now, its reasons beside it.
fn put_away(folder: &Path, path: &Path, taken: &Taken, today: NaiveDate) -> anyhow::Result<()> {
    let place = folder.join(if taken.fault().is_none() { DONE } else { REJECTED });
    let to = free(&place, &name_of(path), today);
    if let Some(reasons) = taken.reasons() {
        let beside = place.join(format!("{}.txt", name_of(&to)));
        fs::write(&beside, reasons).with_context(|| format!("{} can't be written", beside.display()))?;
    }
    fs::rename(path, &to).with_context(|| format!("{} can't be moved to {}", path.display(), to.display()))
}

/// Counts, notes, each rejected row that is listed.
fn reasons(report: &Report) -> String {
    let mut text = format!(
        "{}: {} accepted, {} unchanged, {} rejected\n",
        report.file, report.accepted, report.unchanged, report.rejected
    );
    for line in report.notes.iter().cloned().chain(report.rejections.iter().map(ToString::to_string)) {
        text += &format!("{line}\n");
    }
    if report.not_listed > 0 {
        text += &format!("… and {} more\n", report.not_listed);
    }
    text
}

/// Admins hear what could not be taken, in the transaction that holds the lock.
async fn tell(app: &App, tx: &mut Tenant, taken: &[Taken]) -> anyhow::Result<()> {
    for one in taken {
        match (&one.outcome, one.fault()) {
            (Ok(report), None) => {
                tracing::info!(org = %tx.org(), file = one.name, accepted = report.accepted, "took a file of the inbox");
            }
            (Ok(report), Some(_)) => tracing::warn!(
                org = %tx.org(),
                file = one.name,
                accepted = report.accepted,
                rejected = report.rejected,
                "rows of the inbox were rejected"
            ),
            (Err(_), _) => tracing::warn!(org = %tx.org(), file = one.name, "a file of the inbox could not be taken"),
        }
    }
    let faults: Vec<(String, u64)> = taken.iter().filter_map(|one| Some((one.name.clone(), one.fault()?))).collect();
    if faults.is_empty() {
        return Ok(());
    }
    let snapshot = app.snapshot(tx).await?;
    notice::notify(tx, &snapshot, snapshot.people.admins(), &Content::Inbox { files: faults }, None, app.now()).await
}
