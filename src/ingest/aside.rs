//! Rejected rows, set aside as a file of their own with the reason in the last column: it is mended and
//! imported again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::Rejected;
use super::delimited::REASON;

/// Where the rejected rows of a file go: `signals.csv.gz` → `signals.rejected.csv` in the same folder; other formats
/// keep their ending, so that `signals.ndjson` has a file of its own. A file of rejected rows, imported again, is
/// replaced by what is still wrong in it.
pub fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let stem = match name.rsplit_once('.') {
        Some((stem, ending)) if ending.eq_ignore_ascii_case("csv") => stem,
        _ => name,
    };
    let stem = stem.strip_suffix(".rejected").unwrap_or(stem);
    path.with_file_name(format!("{stem}.rejected.csv"))
}

/// A file of rejected rows that appears under its name once it is whole, and only if there are any.
pub struct Aside {
    path: PathBuf,
    partial: PathBuf,
    writer: Option<csv::Writer<File>>,
    rows: u64,
    fault: Option<io::Error>,
}

impl Aside {
    pub fn at(path: PathBuf) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let partial = path.with_file_name(format!(".{name}.partial"));
        Self { path, partial, writer: None, rows: 0, fault: None }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes those that can be written as rows. A fault is kept for [`Aside::finish`]: it must not end an import.
    pub fn put(&mut self, columns: &[&str], rejected: &[Rejected]) {
        if self.fault.is_none()
            && let Err(error) = self.try_put(columns, rejected)
        {
            self.fault = Some(error);
        }
    }

    fn try_put(&mut self, columns: &[&str], rejected: &[Rejected]) -> io::Result<()> {
        for (one, cells) in rejected.iter().filter_map(|one| Some((one, one.cells.as_ref()?))) {
            let writer = match &mut self.writer {
                Some(writer) => writer,
                empty => {
                    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(File::create(&self.partial)?);
                    writer.write_record(columns.iter().copied().chain([REASON]))?;
                    empty.insert(writer)
                }
            };
            let mut reason = match &one.column {
                Some(column) => format!("{column}: {}", one.reason),
                None => one.reason.clone(),
            };
            // A row that is too short is filled up, so that its reason stands under its heading.
            let missing = columns.len().saturating_sub(cells.len());
            if missing > 0 {
                reason += "; fill in the others, or empty this reason if they stay empty";
            }
            let filled = cells.iter().map(String::as_str).chain(std::iter::repeat_n("", missing));
            writer.write_record(filled.chain([reason.as_str()]))?;
            self.rows += 1;
        }
        Ok(())
    }

    /// Gives the file its name; how many rows are in it. `None` where there were none.
    ///
    /// # Errors
    /// What kept it from being written. Nothing of it is left then.
    pub fn finish(mut self) -> io::Result<Option<u64>> {
        let done = match self.fault.take() {
            Some(error) => Err(error),
            None => self.name_it(),
        };
        if done.is_err() {
            // Whether there is anything to remove depends on how far it came.
            let _ = std::fs::remove_file(&self.partial);
        }
        done
    }

    fn name_it(&mut self) -> io::Result<Option<u64>> {
        let Some(mut writer) = self.writer.take() else { return Ok(None) };
        writer.flush()?;
        std::fs::rename(&self.partial, &self.path)?;
        Ok(Some(self.rows))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            // The import broke: half of the rejected rows would be taken for all of them.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_rows_lie_beside_their_file() {
        let of = |path: &str| beside(Path::new(path)).display().to_string();
        assert_eq!(of("in/signals.csv.gz"), "in/signals.rejected.csv");
        assert_eq!(of("signals-support.ndjson"), "signals-support.ndjson.rejected.csv");
        assert_eq!(of("signals-support.ndjson.rejected.csv"), "signals-support.ndjson.rejected.csv");
        assert_eq!(of("/a/signals.rejected.csv"), "/a/signals.rejected.csv");
        assert_eq!(of("dump-7"), "dump-7.rejected.csv");
    }
}
