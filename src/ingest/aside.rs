//! Rejected rows, set aside as a file of their own with the reason in the last column: it is mended and
//! imported again.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

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
    /// From the first row on.
    partial: Option<Partial>,
    rows: u64,
    fault: Option<io::Error>,
}

impl Aside {
    /// Also clears the folder of what killed imports left in it: customers' rows that nobody looks for.
    pub fn at(path: PathBuf) -> Self {
        remove_left(path.parent().unwrap_or(Path::new("")));
        Self { path, partial: None, rows: 0, fault: None }
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
            let partial = match &mut self.partial {
                Some(partial) => partial,
                empty => {
                    let partial = empty.insert(Partial::of(&self.path)?);
                    partial.writer.write_record(columns.iter().copied().chain([REASON]))?;
                    partial
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
            partial.writer.write_record(filled.chain([reason.as_str()]))?;
            self.rows += 1;
        }
        Ok(())
    }

    /// Gives the file its name; how many rows are in it. `None` where there were none.
    ///
    /// # Errors
    /// What kept it from being written. Nothing of it is left then.
    pub fn finish(mut self) -> io::Result<Option<u64>> {
        if let Some(error) = self.fault.take() {
            return Err(error);
        }
        let Some(mut partial) = self.partial.take() else { return Ok(None) };
        partial.writer.flush()?;
        fs::rename(&partial.path, &self.path)?;
        Ok(Some(self.rows))
    }
}

/// A file of rejected rows while it is written, under a name that no other import has: two may read the same file.
struct Partial {
    path: PathBuf,
    /// Its file is locked, which tells it from what a killed import left.
    writer: csv::Writer<File>,
}

impl Partial {
    fn of(path: &Path) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        loop {
            let path = path.with_file_name(format!(".{name}.{}.partial", Uuid::new_v4()));
            let file = File::create_new(&path)?;
            // A file system that knows no locks does not tell either that nobody has one, so nothing is removed there.
            let _ = file.lock();
            // Another import may have come between the two, and taken it for what was left.
            if path.exists() {
                let writer = csv::WriterBuilder::new().flexible(true).from_writer(file);
                return Ok(Self { path, writer });
            }
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // It has its name by now; or the import broke, and half of the rejected rows would be taken for all of them.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes what imports that were killed had begun to set aside. What cannot be removed must not end an import.
fn remove_left(folder: &Path) {
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().filter(|entry| is_partial(&entry.file_name())).map(|entry| entry.path()) {
        if let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether a file has a name of [`Partial::of`], or the one that all had when they had no id.
fn is_partial(name: &OsStr) -> bool {
    let name = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix("partial"));
    let id = name.and_then(|name| Some(name.rsplit_once(".rejected.csv.")?.1));
    id.is_some_and(|id| id.is_empty() || Uuid::try_parse(id.trim_end_matches('.')).is_ok())
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

    fn rejected(account: &str) -> Rejected {
        let (file, reason) = ("signals.csv".to_owned(), "wrong".to_owned());
        Rejected {
            file,
            line: 2,
            element: None,
            column: None,
            value: None,
            reason,
            cells: Some(vec![account.to_owned()]),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn two_imports_of_one_file_set_its_rows_aside_each_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signals.rejected.csv");
        let (mut one, mut two) = (Aside::at(path.clone()), Aside::at(path.clone()));
        let whole = |accounts: &[&str]| {
            let rows: String = accounts.iter().map(|account| format!("{account},wrong\n")).collect();
            format!("account_id,reason\n{rows}")
        };
        one.put(&["account_id"], &[rejected("a1")]);
        two.put(&["account_id"], &[rejected("a1"), rejected("a2")]);
        // A third begins while both write.
        let three = Aside::at(path.clone());
        one.put(&["account_id"], &[rejected("a2"), rejected("a3")]);
        assert_eq!(one.finish().unwrap(), Some(3));
        assert_eq!(fs::read_to_string(&path).unwrap(), whole(&["a1", "a2", "a3"]));
        two.put(&["account_id"], &[rejected("a3")]);
        assert_eq!(fs::read_to_string(&path).unwrap(), whole(&["a1", "a2", "a3"]), "what has its name is whole");
        assert_eq!(two.finish().unwrap(), Some(3));
        assert_eq!(fs::read_to_string(&path).unwrap(), whole(&["a1", "a2", "a3"]));
        assert_eq!(three.finish().unwrap(), None);
        assert_eq!(names(folder.path()), ["signals.rejected.csv"]);
    }

    #[test]
    fn what_a_killed_import_left_goes_with_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let kept = [".signals.csv.partial", ".signals.rejected.csv.7.partial", "signals.rejected.csv.partial"];
        let id = Uuid::new_v4();
        let left = [format!(".accounts.rejected.csv.{id}.partial"), ".signals.rejected.csv.partial".to_owned()];
        for name in kept.iter().copied().chain(left.iter().map(String::as_str)) {
            fs::write(folder.path().join(name), "account_id\n").unwrap();
        }
        let mut writing = Aside::at(folder.path().join("contacts.rejected.csv"));
        assert_eq!(names(folder.path()), kept, "what is another program's stays");
        writing.put(&["account_id"], &[rejected("a1")]);
        drop(Aside::at(folder.path().join("signals.rejected.csv")));
        assert_eq!(names(folder.path()).len(), kept.len() + 1, "what is being written stays");
        drop(writing);
        assert_eq!(names(folder.path()), kept, "what breaks leaves nothing");
    }
}
