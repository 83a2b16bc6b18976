//! What an organisation's folder is like, for whoever looks after it: `tandem doctor` tells it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::queries::{address, named_warehouse, queries, read_query, reasons_of_query};
use super::{DONE, Inbox, REJECTED, ending, look, name_of, writable};
use crate::domain::row::RowKind;
use crate::ingest;

/// The state of one folder. Nothing is imported, moved or asked of a warehouse.
#[derive(Debug, Default)]
pub struct Overview {
    pub folder: PathBuf,
    /// What keeps something from being taken, one sentence each.
    pub faults: Vec<String>,
    /// Files that the next night takes.
    pub waiting: usize,
    /// Queries that each night runs.
    pub queries: usize,
    /// Queries whose last run did not go well; the reasons are in `rejected/NAME.txt`.
    pub failed: Vec<String>,
    /// The file that was taken last, by kind, and when.
    pub taken: BTreeMap<RowKind, (String, DateTime<Utc>)>,
    /// Rejected rows that wait to be mended, by file: when they were set aside.
    pub rejected: Vec<(String, DateTime<Utc>)>,
}

/// Looks at an organisation's folder.
pub fn overview(inbox: &Inbox, slug: &str) -> Overview {
    let folder = inbox.folder_of(slug);
    let mut seen = Overview { folder: folder.clone(), ..Overview::default() };
    if let Err(sentence) = seen.look(inbox, &folder) {
        seen.faults.push(sentence);
    }
    seen
}

impl Overview {
    fn look(&mut self, inbox: &Inbox, folder: &Path) -> Result<(), String> {
        if !inbox.folder.is_dir() {
            return Err(format!("TANDEM_INBOX names {}, where there is no folder", inbox.folder.display()));
        }
        if !folder.is_dir() {
            return Err(format!("there is no folder {}, so nothing is taken; make it", folder.display()));
        }
        let waiting = look(folder).map_err(|error| format!("{error:#}"))?;
        for path in waiting.keys() {
            match (ingest::recognise(path, None), fs::File::open(path)) {
                (Err(refused), _) => self.faults.push(refused.to_string()),
                (Ok(_), Err(error)) => self.faults.push(format!("{} can't be read: {error}", name_of(path))),
                (Ok(_), Ok(_)) => self.waiting += 1,
            }
        }
        for path in queries(folder).map_err(|error| format!("{error:#}"))? {
            match query_fault(inbox, &path) {
                Some(sentence) => self.faults.push(sentence),
                None => self.queries += 1,
            }
            if reasons_of_query(folder, &name_of(&path)).exists() {
                self.failed.push(name_of(&path));
            }
        }
        for place in [DONE, REJECTED].map(|place| folder.join(place)) {
            // Made by the first night: whoever runs this may not be who takes the files.
            if place.is_dir() {
                self.taken_from(&place);
                writable(&place).map_err(|error| format!("{error:#}"))?;
            }
        }
        Ok(())
    }

    fn taken_from(&mut self, place: &Path) {
        let Ok(entries) = fs::read_dir(place) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            // When it was moved there; what it was last written is the sender's business.
            let moved = fs::symlink_metadata(&path).ok().and_then(|about| DateTime::from_timestamp(about.ctime(), 0));
            let (Some(at), Some(kind)) = (moved, ingest::kind_of(&path)) else { continue };
            let name = name_of(&path);
            if name.ends_with(".rejected.csv") {
                self.rejected.push((name, at));
            } else if ending(&path).as_deref() != Some("txt") {
                let last = self.taken.entry(kind).or_insert_with(|| (name.clone(), at));
                if last.1 < at {
                    *last = (name, at);
                }
            }
        }
        self.rejected.sort();
    }
}

fn query_fault(inbox: &Inbox, path: &Path) -> Option<String> {
    let name = name_of(path);
    let sql = match read_query(path) {
        Ok(sql) => sql,
        Err(error) => return Some(format!("{name} can't be read: {error}")),
    };
    if ingest::kind_of(path).is_none() {
        return Some(format!("{name}: its name says no kind of rows; call it for example signals.sql"));
    }
    let Some(variable) = named_warehouse(&sql) else {
        return Some(format!("{name}: its first line names no warehouse; expected for example -- from: WAREHOUSE_URL"));
    };
    address(&inbox.warehouses, variable).err().map(|error| format!("{name}: {error:#}"))
}
