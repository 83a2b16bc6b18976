//! Purpose: the folder of an export. What is written lies in a draft beside it (or within it, where it is there and
//! empty, such as a mounted volume) until all of it is whole; where the export breaks, nothing of it stays.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};

/// Of a draft within the folder.
const DRAFT: &str = ".partial";
/// Personal data: for whoever exports alone.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A folder that is being filled; dropped, it is gone.
pub(super) struct Folder {
    dir: PathBuf,
    draft: PathBuf,
    /// The draft becomes the folder, rather than a part of it.
    becomes: bool,
    /// Whole, in the order in which they were written.
    files: Vec<Written>,
    /// Held as long as the draft is written to.
    _lock: File,
    whole: bool,
}

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub name: String,
    pub rows: u64,
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// Whether an export can go there: a folder that is not there yet, or empty.
///
/// # Errors
/// One sentence that says why it can't.
pub fn check(dir: &Path) -> anyhow::Result<()> {
    let shown = dir.display();
    match fs::read_dir(dir) {
        Ok(entries) => {
            for entry in entries {
                let name = entry.with_context(|| format!("{shown} can't be read"))?.file_name();
                ensure!(name == DRAFT, "{shown} is not empty; name a new or an empty folder");
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            bail!("{shown} is no folder; name a new or an empty one")
        }
        Err(error) => bail!("{shown} can't be read: {error}"),
    }
}

impl Folder {
    pub(super) fn begin(dir: &Path) -> anyhow::Result<Self> {
        check(dir)?;
        let becomes = !dir.exists();
        let cannot = || format!("nothing can be written to {}", dir.display());
        let draft = if becomes {
            let name = dir.file_name().with_context(cannot)?.to_string_lossy().into_owned();
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            fs::create_dir_all(parent).with_context(cannot)?;
            parent.join(format!(".{name}.partial"))
        } else {
            fs::set_permissions(dir, Permissions::from_mode(FOLDER_MODE)).with_context(cannot)?;
            dir.join(DRAFT)
        };
        if draft.exists() {
            // Of an export that was killed: whoever writes to one holds its lock.
            let _held = lock(&draft, dir)?;
            fs::remove_dir_all(&draft).with_context(cannot)?;
        }
        DirBuilder::new().mode(FOLDER_MODE).create(&draft).with_context(cannot)?;
        let lock = lock(&draft, dir)?;
        Ok(Self { dir: dir.to_owned(), draft, becomes, files: Vec::new(), _lock: lock, whole: false })
    }

    pub(super) fn create(&self, name: &str) -> anyhow::Result<Sheet> {
        let path = self.draft.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path);
        let file = file.with_context(|| format!("{} can't be written", path.display()))?;
        let hashed = Hashed { file, sha256: Sha256::new(), bytes: 0 };
        Ok(Sheet { name: name.to_owned(), to: BufWriter::with_capacity(1 << 16, hashed), rows: 0 })
    }

    pub(super) fn keep(&mut self, sheet: Sheet) -> anyhow::Result<()> {
        let Sheet { name, to, rows } = sheet;
        let whole = to.into_inner().map_err(io::IntoInnerError::into_error).and_then(|hashed| {
            hashed.file.sync_all()?;
            Ok(hashed)
        });
        let Hashed { sha256, bytes, .. } = whole.with_context(|| format!("{name} can't be written"))?;
        self.files.push(Written { name, rows, bytes, sha256: hex::encode(sha256.finalize()) });
        Ok(())
    }

    pub(super) fn files(&self) -> &[Written] {
        &self.files
    }

    /// Puts it where it was asked for; the file that was written last comes last.
    pub(super) fn finish(mut self) -> anyhow::Result<Vec<Written>> {
        let cannot = || format!("the export can't be moved to {}", self.dir.display());
        if self.becomes {
            fs::rename(&self.draft, &self.dir).with_context(cannot)?;
        } else {
            for file in &self.files {
                fs::rename(self.draft.join(&file.name), self.dir.join(&file.name)).with_context(cannot)?;
            }
            fs::remove_dir(&self.draft).with_context(cannot)?;
        }
        self.whole = true;
        Ok(std::mem::take(&mut self.files))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.whole {
            // Whoever reads the failure that led here is helped by no second one; the next export removes what stays.
            let _ = fs::remove_dir_all(&self.draft);
        }
    }
}

fn lock(draft: &Path, dir: &Path) -> anyhow::Result<File> {
    let file = File::open(draft).with_context(|| format!("{} can't be read", draft.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another export is writing to {} now", dir.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{} can't be locked", draft.display())),
    }
}

/// A file that is being written.
pub(super) struct Sheet {
    name: String,
    to: BufWriter<Hashed>,
    pub(super) rows: u64,
}

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

struct Hashed {
    file: File,
    sha256: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(dir: &Path) -> Folder {
        let mut folder = Folder::begin(dir).unwrap();
        let mut sheet = folder.create("one.csv").unwrap();
        sheet.write_all(b"abc").unwrap();
        sheet.rows = 1;
        folder.keep(sheet).unwrap();
        folder
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn it_appears_whole_for_its_owner_alone_or_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let (new, empty) = (home.path().join("deep/new"), home.path().join("empty"));
        fs::create_dir(&empty).unwrap();
        for dir in [&new, &empty] {
            drop(filled(dir));
            assert!(!dir.exists() || names(dir).is_empty(), "nothing half-done stays");
            assert_eq!(names(dir.parent().unwrap()).iter().filter(|name| name.contains("partial")).count(), 0);

            let files = filled(dir).finish().unwrap();
            assert_eq!((files[0].rows, files[0].bytes), (1, 3));
            assert_eq!(files[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
            assert_eq!(names(dir), ["one.csv"]);
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(dir), mode(&dir.join("one.csv"))), (0o700, 0o600));
            let again = check(dir).unwrap_err().to_string();
            assert_eq!(again, format!("{} is not empty; name a new or an empty folder", dir.display()));
        }
        let file = check(&new.join("one.csv")).unwrap_err().to_string();
        assert!(file.ends_with("one.csv is no folder; name a new or an empty one"), "{file}");
    }

    #[test]
    fn a_draft_of_one_that_was_killed_is_replaced_and_one_in_hand_is_not() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("out");
        fs::create_dir(home.path().join(".out.partial")).unwrap();
        fs::write(home.path().join(".out.partial/old.csv"), "x").unwrap();
        let one = filled(&dir);
        let other = Folder::begin(&dir).err().unwrap().to_string();
        assert_eq!(other, format!("another export is writing to {} now", dir.display()));
        one.finish().unwrap();
        assert_eq!(names(&dir), ["one.csv"]);
    }
}
