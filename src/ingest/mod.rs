//! Files and API rows → validated domain values (contract.md, "Files to import").
//!
//! [`read`] streams: whatever the size of a file, it holds one batch of some MiB, one row
//! of at most [`MAX_ROW_BYTES`], and (except for signals and holidays) the keys
//! seen so far. A row is either accepted or rejected with one clear sentence; a
//! file whose header cannot be understood is [`Refused`] as a whole.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::money::Currency;
use crate::domain::row::{
    AccountRow, ContactRow, HolidayRow, OutcomeRow, PersonRow, QuotaRow, RowKind, Rows, SignalRow,
};
use crate::domain::signal::Source;

mod archive;
mod aside;
mod cells;
mod columns;
mod delimited;
mod ical;
mod input;
mod json;
mod name;
mod place;
mod quotes;
mod rows;
mod values;
mod written;

#[cfg(test)]
mod tests;

pub use archive::Sound;
pub use aside::{Aside, beside};
pub use input::MAX_ROW_BYTES;
pub use name::{Format, Named, kind_of, recognise};
pub use place::Place;
pub use values::{date, timezone};
pub use written::cells as cells_of;

use cells::{Cells, Fault, cut, shown};
use rows::Row;

/// Rows handed over at once: large enough for one statement of the store to
/// pay, small enough that a file of any size needs little memory.
pub const BATCH_ROWS: usize = 5_000;

/// Bytes of rows held at once: rows with long cells go on in smaller batches.
const BATCH_BYTES: usize = 8 << 20;

/// A rejected row of more bytes is not kept to be mended: no row that is taken is so long.
const MENDED_BYTES: usize = 64 << 10;

/// What the rows cannot say themselves.
#[derive(Debug, Clone)]
pub struct Context {
    /// The organisation's: money is in it where the row names no other.
    pub currency: Currency,
    /// Today in the organisation's zone. Observations may be at most one day
    /// ahead of it, since a source may sit further east.
    pub today: NaiveDate,
    /// Measures of one's own in the policy in use: signal kind → its source and values.
    pub measures: BTreeMap<String, (Source, CustomShape)>,
}

/// What the values of a measure of one's own look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomShape {
    Number,
    /// Text values, each a level that the policy names.
    Levels(Vec<String>),
}

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    pub file: String,
    /// Line on which the row begins, from 1. 0 where the fault is not in a line: the file's name, its encoding.
    pub line: u64,
    /// In a JSON list, which element it is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub element: Option<u64>,
    pub column: Option<String>,
    /// What stood there, cut to 80 characters.
    pub value: Option<String>,
    pub reason: String,
    /// Its cells in the order of the file's columns, to be mended. `None` where it can't be read as a row, or is too
    /// long for one.
    #[serde(skip)]
    pub cells: Option<Vec<String>>,
}

impl Rejected {
    /// Where it stands.
    pub fn place(&self) -> Place {
        Place { line: self.line, element: self.element }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.file))?;
        if self.line > 0 {
            write!(f, ", {}", self.place())?;
        }
        if let Some(column) = &self.column {
            write!(f, ", {}", shown(column))?;
        }
        write!(f, ": {}", shown(&self.reason))
    }
}

/// A file of which no row was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    pub file: String,
    /// `None` where the fault is not in a line: the file's name, its encoding.
    pub line: Option<u64>,
    pub column: Option<String>,
    pub reason: String,
}

impl Refused {
    fn whole(file: &str, reason: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, column: None, reason: reason.into() }
    }

    fn header(file: &str, column: Option<&str>, reason: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: Some(1), column: column.map(cut), reason: reason.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", shown(&self.reason))
    }
}

impl std::error::Error for Refused {}

/// Accepted rows with the places they came from, and what was rejected among them.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The file's columns, in its order.
    pub columns: Arc<[&'static str]>,
    pub rows: Rows,
    /// As many as rows, in their order.
    pub places: Vec<Place>,
    pub rejected: Vec<Rejected>,
}

/// What came of one file. `accepted + rejected == rows`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    pub rows: u64,
    pub accepted: u64,
    pub rejected: u64,
    /// The last whole line before the place where the file breaks off, if it
    /// does; the break itself is the last rejected row.
    pub broken_off_after: Option<u64>,
    /// What was guessed, in whole sentences.
    pub notes: Vec<String>,
}

/// Reads one file to its end, or until `sink` breaks. Batches arrive in the
/// file's order with at most [`BATCH_ROWS`] rows, fewer where they are long; gzip is seen by its first bytes.
///
/// # Errors
/// [`Refused`] where nothing can be read: a wrong encoding, a damaged archive, an unknown or
/// missing column in a header. `sink` was then never called.
pub fn read<'r>(
    reader: impl Read + 'r,
    name: &str,
    kind: RowKind,
    format: Format,
    context: &Context,
    sink: &mut dyn FnMut(Batch) -> ControlFlow<()>,
) -> Result<Summary, Refused> {
    let reader: Box<dyn Read + 'r> = Box::new(reader);
    match kind {
        RowKind::People => read_rows::<PersonRow>(reader, name, format, context, sink),
        RowKind::Accounts => read_rows::<AccountRow>(reader, name, format, context, sink),
        RowKind::Contacts => read_rows::<ContactRow>(reader, name, format, context, sink),
        RowKind::Signals => read_rows::<SignalRow>(reader, name, format, context, sink),
        RowKind::Outcomes => read_rows::<OutcomeRow>(reader, name, format, context, sink),
        RowKind::Quotas => read_rows::<QuotaRow>(reader, name, format, context, sink),
        RowKind::Holidays => read_rows::<HolidayRow>(reader, name, format, context, sink),
    }
}

/// Reads what is already in memory, such as a request's body: its batches and what came of it.
///
/// # Errors
/// As [`read`].
pub fn read_all(
    bytes: &[u8],
    name: &str,
    kind: RowKind,
    format: Format,
    context: &Context,
) -> Result<(Vec<Batch>, Summary), Refused> {
    let mut batches = Vec::new();
    let summary = read(bytes, name, kind, format, context, &mut |batch| {
        batches.push(batch);
        ControlFlow::Continue(())
    })?;
    Ok((batches, summary))
}

/// The columns of this kind's files, in their usual order.
pub fn columns_of(kind: RowKind) -> Vec<&'static str> {
    columns::schema(kind).columns.iter().map(|column| column.name).collect()
}

/// Whether cells in the order of [`columns_of`] are taken as a row; the columns and what was expected where they are not.
pub fn try_cells(kind: RowKind, cells: &[String], context: &Context) -> Result<(), String> {
    match kind {
        RowKind::People => try_row::<PersonRow>(cells, context),
        RowKind::Accounts => try_row::<AccountRow>(cells, context),
        RowKind::Contacts => try_row::<ContactRow>(cells, context),
        RowKind::Signals => try_row::<SignalRow>(cells, context),
        RowKind::Outcomes => try_row::<OutcomeRow>(cells, context),
        RowKind::Quotas => try_row::<QuotaRow>(cells, context),
        RowKind::Holidays => try_row::<HolidayRow>(cells, context),
    }
}

fn try_row<R: Row>(cells: &[String], context: &Context) -> Result<(), String> {
    let mut row = Cells::new(columns::schema(R::KIND));
    cells.iter().enumerate().for_each(|(position, cell)| row.put(position, cell));
    R::parse(&row, context).map(drop).map_err(|fault| match fault.column {
        Some(column) => format!("{column}: {}", fault.reason),
        None => fault.reason,
    })
}

fn read_rows<R: Row>(
    reader: Box<dyn Read + '_>,
    name: &str,
    format: Format,
    context: &Context,
    sink: &mut dyn FnMut(Batch) -> ControlFlow<()>,
) -> Result<Summary, Refused> {
    if format == Format::Calendar && R::KIND != RowKind::Holidays {
        return Err(Refused::whole(name, "only holidays are read from an iCalendar file"));
    }
    let input = input::open(reader, name)?;
    let schema = columns::schema(R::KIND);
    let mut intake = Collector::<R> {
        file: name,
        context,
        sink,
        // Of JSON rows, until a header says otherwise.
        positions: (0..schema.columns.len()).collect(),
        columns: schema.columns.iter().map(|column| column.name).collect(),
        rows: Vec::new(),
        places: Vec::new(),
        rejected: Vec::new(),
        bytes: 0,
        seen: HashMap::new(),
        summary: Summary::default(),
        stopped: false,
    };
    intake.summary.notes.extend(input.note());
    let json = match format {
        Format::Csv => false,
        Format::Json => true,
        Format::Guess => input.looks_like_json(),
        Format::Calendar => {
            ical::read(input, name, &mut intake)?;
            intake.flush();
            return Ok(intake.summary);
        }
    };
    if json {
        json::read(input, name, &mut intake)?;
    } else {
        delimited::read(input, name, &mut intake)?;
    }
    intake.flush();
    Ok(intake.summary)
}

/// What the formats hand their rows to; it knows the kind of the rows.
trait Intake {
    fn schema(&self) -> &'static columns::Schema;
    /// Which columns the file has, by their positions in the schema.
    fn columns(&mut self, positions: &[usize]);
    /// Whether these cells would be taken as a row.
    fn takes(&self, cells: &Cells<'_>) -> bool;
    /// One whole row: taken or rejected.
    fn offer(&mut self, place: Place, cells: &Cells<'_>);
    /// A row with its cells, where it could be read as a row.
    fn reject(&mut self, place: Place, fault: Fault, cells: Option<Vec<String>>);
    /// The file ends in the middle; `after` is its last whole line.
    fn break_off(&mut self, after: u64, place: Place, fault: Fault);
    fn note(&mut self, note: String);
    /// The sink wants no more.
    fn stopped(&self) -> bool;
}

struct Collector<'a, R> {
    file: &'a str,
    context: &'a Context,
    sink: &'a mut dyn FnMut(Batch) -> ControlFlow<()>,
    /// The file's columns: where they stand in the schema, and their names.
    positions: Vec<usize>,
    columns: Arc<[&'static str]>,
    rows: Vec<R>,
    places: Vec<Place>,
    rejected: Vec<Rejected>,
    /// Of the cells of the rows held, about.
    bytes: usize,
    /// Key of an accepted row → the number of its line, or of its element.
    seen: HashMap<String, u64>,
    summary: Summary,
    stopped: bool,
}

impl<R: Row> Collector<'_, R> {
    fn flush(&mut self) {
        if self.stopped || (self.rows.is_empty() && self.rejected.is_empty()) {
            return;
        }
        let batch = Batch {
            columns: Arc::clone(&self.columns),
            rows: R::wrap(std::mem::take(&mut self.rows)),
            places: std::mem::take(&mut self.places),
            rejected: std::mem::take(&mut self.rejected),
        };
        self.bytes = 0;
        self.stopped = (self.sink)(batch).is_break();
    }

    fn written(&self, cells: &Cells<'_>) -> Option<Vec<String>> {
        Some(self.positions.iter().map(|position| cells.at(*position).to_owned()).collect())
    }

    /// A row of so many bytes has come.
    fn flush_if_full(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.rows.len() >= BATCH_ROWS || self.rejected.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.flush();
        }
    }
}

impl<R: Row> Intake for Collector<'_, R> {
    fn schema(&self) -> &'static columns::Schema {
        columns::schema(R::KIND)
    }

    fn columns(&mut self, positions: &[usize]) {
        let schema = self.schema();
        self.columns = positions.iter().map(|position| schema.columns[*position].name).collect();
        self.positions = positions.to_vec();
    }

    fn takes(&self, cells: &Cells<'_>) -> bool {
        R::parse(cells, self.context).is_ok()
    }

    fn offer(&mut self, place: Place, cells: &Cells<'_>) {
        let row = match R::parse(cells, self.context) {
            Ok(row) => row,
            Err(fault) => return self.reject(place, cells.explained(fault), self.written(cells)),
        };
        if let Some((column, key)) = row.key() {
            if let Some(first) = self.seen.get(&key) {
                // A key of several parts has NULs between them.
                let first =
                    if place.element.is_some() { format!("element {first}") } else { format!("on line {first}") };
                let reason = format!("{} is also {first}", key.replace('\0', " · "));
                let fault = Fault::new(column, cells.get(column), reason);
                return self.reject(place, fault, self.written(cells));
            }
            self.seen.insert(key, place.number());
        }
        self.rows.push(row);
        self.places.push(place);
        self.summary.rows += 1;
        self.summary.accepted += 1;
        self.flush_if_full(cells.bytes());
    }

    fn reject(&mut self, place: Place, fault: Fault, cells: Option<Vec<String>>) {
        let length = |cells: &Vec<String>| cells.iter().map(String::len).sum::<usize>();
        let cells = cells.filter(|cells| length(cells) <= MENDED_BYTES);
        let bytes = fault.reason.len() + cells.as_ref().map_or(0, length);
        self.rejected.push(Rejected {
            file: self.file.to_owned(),
            line: place.line,
            element: place.element,
            column: fault.column.map(|column| cut(&column)),
            value: fault.value,
            reason: fault.reason,
            cells,
        });
        self.summary.rows += 1;
        self.summary.rejected += 1;
        self.flush_if_full(bytes);
    }

    fn break_off(&mut self, after: u64, place: Place, fault: Fault) {
        self.reject(place, fault, None);
        self.summary.broken_off_after = Some(after);
    }

    fn note(&mut self, note: String) {
        self.summary.notes.push(note);
    }

    fn stopped(&self) -> bool {
        self.stopped
    }
}
