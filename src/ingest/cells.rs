//! One row's cells by the name of their column, whatever the format they came in.

use std::borrow::Cow;

use super::columns::{MAX_COLUMNS, Schema};
use crate::domain::message::text::steers;
use crate::domain::row::Patch;

/// The cell that clears a stored value.
pub(super) const CLEAR: &str = "\\N";

/// The longest piece of a file that an error repeats, in characters.
const SHOWN: usize = 80;

/// At most 80 characters of `text`, marked where something is missing.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some(_) => text.chars().take(SHOWN - 1).chain(['…']).collect(),
    }
}

/// Whether a character takes no room, so that texts look the same with and without it.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
    )
}

/// Pieces of a file for a terminal and on one line: what would steer either, or would not be seen, is written as an
/// escape.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    let escaped = |c: char| steers(c) || is_invisible(c);
    if !text.contains(escaped) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if escaped(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out.into()
}

/// Why a row is not taken.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) column: Option<Cow<'static, str>>,
    pub(super) value: Option<String>,
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn new(column: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Self { column: Some(column.into()), value: Some(cut(value)), reason: reason.into() }
    }

    /// A fault of the row as a whole.
    pub(super) fn row(reason: impl Into<String>) -> Self {
        Self { column: None, value: None, reason: reason.into() }
    }
}

/// What may be behind line breaks within a row.
pub(super) fn runs_over(lines: u64) -> String {
    format!("; it runs over {lines} lines: is a quote missing?")
}

/// Trimmed cells of one row. A column that the file lacks is an empty cell.
pub(super) struct Cells<'a> {
    schema: &'static Schema,
    /// Of delimited text that the row runs over.
    lines: u64,
    cells: [&'a str; MAX_COLUMNS],
}

impl<'a> Cells<'a> {
    pub(super) fn new(schema: &'static Schema) -> Self {
        Self::over(schema, 1)
    }

    /// Of a row of delimited text that runs over so many lines.
    pub(super) fn over(schema: &'static Schema, lines: u64) -> Self {
        Self { schema, lines, cells: [""; MAX_COLUMNS] }
    }

    /// A fault of one of the cells, with what may be behind it where the cell holds a line break.
    pub(super) fn explained(&self, mut fault: Fault) -> Fault {
        let broken = fault.column.as_deref().is_some_and(|column| self.get(column).contains('\n'));
        if broken && self.lines > 1 {
            fault.reason += &runs_over(self.lines);
        }
        fault
    }

    pub(super) fn put(&mut self, position: usize, cell: &'a str) {
        if let Some(slot) = self.cells.get_mut(position) {
            *slot = cell.trim();
        }
    }

    /// The cell at a position of the schema, as it stands.
    pub(super) fn at(&self, position: usize) -> &'a str {
        self.cells.get(position).copied().unwrap_or_default()
    }

    /// Of all cells together.
    pub(super) fn bytes(&self) -> usize {
        self.cells.iter().map(|cell| cell.len()).sum()
    }

    /// The cell as it stands; empty for a name that is no column of this kind.
    pub(super) fn get(&self, column: &str) -> &'a str {
        self.schema.position(column).map_or("", |position| self.cells[position])
    }

    /// The cell, unless it is longer than its column takes.
    fn bounded(&self, column: &'static str) -> Result<&'a str, Fault> {
        let Some(position) = self.schema.position(column) else { return Ok("") };
        let (cell, most) = (self.cells[position], self.schema.columns[position].max_bytes);
        if cell.len() > most {
            let reason = format!("{} bytes are too long; at most {most} are taken", cell.len());
            return Err(Fault::new(column, cell, reason));
        }
        Ok(cell)
    }

    /// A cell that must hold a value.
    pub(super) fn required<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Fault> {
        match self.bounded(column)? {
            "" => Err(Fault::new(column, "", format!("{column} is empty; it is required"))),
            CLEAR => Err(Fault::new(column, CLEAR, format!("{column} is required and cannot be cleared"))),
            cell => parse(cell).map_err(|reason| Fault::new(column, cell, reason)),
        }
    }

    /// Empty keeps, `\N` clears, anything else must parse.
    pub(super) fn patch<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Patch<T>, Fault> {
        match self.bounded(column)? {
            "" => Ok(Patch::Keep),
            CLEAR => Ok(Patch::Clear),
            cell => parse(cell).map(Patch::Set).map_err(|reason| Fault::new(column, cell, reason)),
        }
    }

    /// For cells that are part of the row itself, not of something stored: empty and `\N` both say nothing.
    pub(super) fn optional<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Fault> {
        Ok(match self.patch(column, parse)? {
            Patch::Set(value) => Some(value),
            Patch::Keep | Patch::Clear => None,
        })
    }
}
