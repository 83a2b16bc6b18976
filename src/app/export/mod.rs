//! Everything that is kept about an organisation, as files: what an import brings in the files that it takes back as they
//! are, the rest as JSON lines, a file each. Read in one transaction, so that all of it is of one moment; streamed, so that
//! its size needs no memory.

mod folder;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::json;

pub use folder::{Written, check};

use super::{import, organisation, policy};
use crate::domain::row::Rows;
use crate::ingest;
use crate::store::audit::{self, Actor, Entry, Look};
use crate::store::directory::Organisation;
use crate::store::export::{LEFT_OUT, LISTINGS, Listing, ROW_FILES, RowFile};
use crate::store::{Store, Tenant, export as stored, settings};
use folder::{Folder, Sheet};

const README: &str = "README.txt";
const SUMS: &str = "SHA256SUMS";
const POLICY: &str = "policy.toml";
const REFUSED: &str = "refused_rows.ndjson";

/// How far an export is, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    file: Mutex<String>,
    rows: AtomicU64,
}

impl Progress {
    /// The file that is written now, and its rows so far.
    pub fn now(&self) -> (String, u64) {
        (self.file.lock().unwrap_or_else(PoisonError::into_inner).clone(), self.rows.load(Ordering::Relaxed))
    }

    fn begin(&self, file: &str) {
        self.rows.store(0, Ordering::Relaxed);
        file.clone_into(&mut self.file.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What an export came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub files: Vec<Written>,
    /// Of all files together.
    pub rows: u64,
    /// Rows that are kept and that an import would refuse today; they stand in a file of their own.
    pub refused: u64,
}

/// Writes everything to `dir`, which is made, or empty.
///
/// # Errors
/// One sentence where nothing can be written there, and the database's. Nothing is left in `dir` then.
pub async fn export(
    store: &Store,
    organisation: &Organisation,
    dir: &Path,
    progress: &Progress,
    now: DateTime<Utc>,
) -> anyhow::Result<Exported> {
    let folder = Folder::begin(dir)?;
    // The trail goes out with its hashes.
    organisation::seal(store, organisation.id, Look::WHOLE).await?;
    let mut tx = store.tenant_at_one_moment(organisation.id).await?;
    let settings = settings::read(&mut tx).await?;
    let context = import::context(organisation, &settings, now)?;
    let mut work = Work { folder, progress, context, refused: None, about: Vec::new() };
    for file in &ROW_FILES {
        work.rows(&mut tx, file).await?;
    }
    work.policy(&settings, organisation)?;
    for listing in LISTINGS {
        work.listing(&mut tx, listing).await?;
    }
    drop(tx);
    let refused = work.close_refused()?;
    work.readme(organisation, now)?;
    let rows = work.folder.files().iter().map(|file| file.rows).sum();
    // Before it can be read: no export is without its event.
    let mut tx = store.tenant(organisation.id).await?;
    let data = json!({"files": work.folder.files().len(), "rows": rows});
    let entry = Entry::new("data.exported", format!("organisation:{}", organisation.id), data);
    audit::record(&mut tx, Actor::System, now, &[entry]).await?;
    tx.commit().await?;
    Ok(Exported { files: work.folder.finish()?, rows, refused })
}

struct Work<'a> {
    folder: Folder,
    progress: &'a Progress,
    context: ingest::Context,
    refused: Option<Sheet>,
    /// What each file holds, in the order of the files.
    about: Vec<&'static str>,
}

impl Work<'_> {
    fn keep(&mut self, sheet: Sheet, holds: &'static str) -> anyhow::Result<()> {
        self.about.push(holds);
        self.folder.keep(sheet)
    }

    async fn rows(&mut self, tx: &mut Tenant, file: &RowFile) -> anyhow::Result<()> {
        let name = format!("{}.csv", file.kind.as_str());
        self.progress.begin(&name);
        let columns = ingest::columns_of(file.kind);
        let mut writer = csv::Writer::from_writer(self.folder.create(&name)?);
        writer.write_record(&columns).with_context(|| format!("{name} can't be written"))?;
        let mut kept = 0;
        stored::rows(tx, file, |rows| {
            for place in 0..count(&rows) {
                let cells = ingest::cells_of(&rows, place, &columns);
                match ingest::try_cells(file.kind, &cells, &self.context) {
                    Ok(()) => {
                        writer.write_record(&cells).with_context(|| format!("{name} can't be written"))?;
                        kept += 1;
                    }
                    Err(reason) => self.refuse(&name, &columns, &cells, &reason)?,
                }
            }
            self.progress.rows.store(kept, Ordering::Relaxed);
            Ok(())
        })
        .await?;
        let mut sheet = writer.into_inner().map_err(|error| anyhow::anyhow!("{name} can't be written: {error}"))?;
        sheet.rows = kept;
        self.keep(sheet, file.holds)
    }

    /// A kind of signal that the policy has no measure for any more, say: kept all the same, and said why it is here.
    fn refuse(&mut self, file: &str, columns: &[&str], cells: &[String], reason: &str) -> anyhow::Result<()> {
        let sheet = match &mut self.refused {
            Some(sheet) => sheet,
            empty => empty.insert(self.folder.create(REFUSED)?),
        };
        let row: serde_json::Map<_, _> = columns
            .iter()
            .zip(cells)
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(column, cell)| ((*column).to_owned(), json!(cell)))
            .collect();
        writeln!(sheet, "{}", json!({"file": file, "row": row, "reason": reason}))?;
        sheet.rows += 1;
        Ok(())
    }

    fn close_refused(&mut self) -> anyhow::Result<u64> {
        let Some(sheet) = self.refused.take() else { return Ok(0) };
        let rows = sheet.rows;
        self.keep(sheet, "rows that an import would refuse today, each with the reason")?;
        Ok(rows)
    }

    fn policy(&mut self, settings: &settings::Settings, organisation: &Organisation) -> anyhow::Result<()> {
        let mut sheet = self.folder.create(POLICY)?;
        match &settings.policy_toml {
            Some(own) => sheet.write_all(own.as_bytes())?,
            None => write!(
                sheet,
                "# {} uses the default policy: all of its numbers.\n{}",
                organisation.slug,
                policy::of(settings)?.to_toml()
            )?,
        }
        self.keep(sheet, "the diagnosis policy in use")
    }

    async fn listing(&mut self, tx: &mut Tenant, listing: &Listing) -> anyhow::Result<()> {
        let name = format!("{}.ndjson", listing.file);
        self.progress.begin(&name);
        let mut sheet = self.folder.create(&name)?;
        stored::lines(tx, listing, |line| {
            writeln!(sheet, "{line}").with_context(|| format!("{name} can't be written"))?;
            sheet.rows += 1;
            self.progress.rows.store(sheet.rows, Ordering::Relaxed);
            Ok(())
        })
        .await?;
        self.keep(sheet, listing.holds)
    }

    /// What each file holds, and the sums; last, so that whoever finds the README finds all.
    fn readme(&mut self, organisation: &Organisation, now: DateTime<Utc>) -> anyhow::Result<()> {
        let text = readme(organisation, now, self.folder.files(), &self.about);
        let mut sums = self.folder.create(SUMS)?;
        for file in self.folder.files() {
            writeln!(sums, "{}  {}", file.sha256, file.name)?;
        }
        self.folder.keep(sums)?;
        let mut sheet = self.folder.create(README)?;
        sheet.write_all(text.as_bytes())?;
        self.folder.keep(sheet)
    }
}

fn count(rows: &Rows) -> usize {
    match rows {
        Rows::People(rows) => rows.len(),
        Rows::Accounts(rows) => rows.len(),
        Rows::Contacts(rows) => rows.len(),
        Rows::Signals(rows) => rows.len(),
        Rows::Outcomes(rows) => rows.len(),
        Rows::Quotas(rows) => rows.len(),
        Rows::Holidays(rows) => rows.len(),
    }
}

fn readme(organisation: &Organisation, now: DateTime<Utc>, files: &[Written], about: &[&str]) -> String {
    let rows: Vec<String> = ROW_FILES.iter().map(|file| format!("{}.csv", file.kind.as_str())).collect();
    let (back, rest): (Vec<_>, Vec<_>) = files.iter().zip(about).partition(|(file, _)| rows.contains(&file.name));
    let mut text = format!(
        "Everything that Tandem keeps about {} ({}), as of one moment: {} UTC.\n\n\
         It holds personal data. Keep it where only those can read it who may.\n\n\
         FILES THAT AN IMPORT TAKES BACK AS THEY ARE\n\n",
        organisation.name,
        organisation.slug,
        now.format("%Y-%m-%d %H:%M")
    );
    list(&mut text, &back);
    text += "\n  Into another organisation, the policy first, since signals may be measures of its own:\n\n      \
             tandem policy use policy.toml --org SLUG\n      tandem import --org SLUG ";
    text += &rows.join(" ");
    text += "\n\nEVERYTHING ELSE\n\n  \
             One JSON object a line. Amounts whose name ends in _minor are in hundredths, or whatever the smallest unit of\n  \
             their currency is; times are UTC; workdays are bits, Monday is 1. What a cause asks of each role is kept only\n  \
             where it differs from the rule's usual words.\n\n";
    list(&mut text, &rest);
    text += "\nWHAT IS NOT IN HERE\n\n";
    for (what, why) in LEFT_OUT {
        let _ = writeln!(text, "  {what:<44} {why}");
    }
    text += "\n  What was posted to Slack or Teams stands there: Tandem keeps ids of messages, never their texts.\n\n\
             SHA256SUMS has the SHA-256 of each file; `sha256sum --check SHA256SUMS` compares them.\n";
    text
}

/// One line a file: its rows, and what it holds.
fn list(text: &mut String, files: &[(&Written, &&str)]) {
    for (file, holds) in files {
        let rows = if file.name == POLICY { String::new() } else { file.rows.to_string() };
        let _ = writeln!(text, "  {:<26} {rows:>10}   {holds}", file.name);
    }
}
