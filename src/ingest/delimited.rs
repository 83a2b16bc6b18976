//! CSV with a header (RFC 4180), and its cousins with `;` or tabs.

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::cells::{Cells, Fault, cut};
use super::columns::Schema;
use super::input::{END_MARK, END_ROW, Input, Meter};
use super::{Intake, Refused};

const SEPARATORS: [(u8, &str); 3] = [(b',', "a comma"), (b';', "a semicolon"), (b'\t', "a tab")];

pub(super) fn read(input: Input<'_>, name: &str, intake: &mut dyn Intake) -> Result<(), Refused> {
    let (separator, called) = guess_separator(input.first_line(), intake.schema());
    let meter = input.meter();
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .buffer_capacity(64 << 10)
        .from_reader(input.with_end_mark());
    let mut record = ByteRecord::new();
    let found = reader.read_byte_record(&mut record).map_err(|error| Refused::header(name, None, error.to_string()))?;
    if !found || is_end(&record, &meter) {
        return Err(Refused::whole(name, "empty; expected a header that names the columns"));
    }
    let positions = header(&record, name, intake.schema())?;
    if separator != b',' {
        intake.note(format!("{name}: columns are taken to be parted by {called}; a comma is expected"));
    }
    rows(&mut reader, record, &positions, &meter, intake);
    Ok(())
}

/// The separator that shows the most known columns; the comma if none shows more.
fn guess_separator(header: &[u8], schema: &Schema) -> (u8, &'static str) {
    let header = String::from_utf8_lossy(header);
    let known = |separator: u8| {
        let names = header.split(char::from(separator)).map(|name| name.trim().trim_matches('"').trim());
        names.filter(|name| schema.position(name).is_some()).count()
    };
    let mut best = SEPARATORS[0];
    for candidate in SEPARATORS {
        if known(candidate.0) > known(best.0) {
            best = candidate;
        }
    }
    best
}

/// For each cell of a row the position of its column in the schema.
fn header(record: &ByteRecord, name: &str, schema: &'static Schema) -> Result<Vec<usize>, Refused> {
    let mut positions = Vec::with_capacity(record.len());
    let mut unknown = Vec::new();
    for (at, cell) in record.iter().enumerate() {
        let text = std::str::from_utf8(cell)
            .map_err(|_| Refused::header(name, None, "the header is not in UTF-8; save the file as UTF-8"))?
            .trim();
        if text.is_empty() {
            return Err(Refused::header(name, None, format!("column {} of the header has no name", at + 1)));
        }
        match schema.position(text) {
            Some(position) if positions.contains(&position) => {
                return Err(Refused::header(name, Some(text), format!("\"{text}\" stands twice in the header")));
            }
            Some(position) => positions.push(position),
            None => unknown.push(cut(text)),
        }
    }
    let names = |required_only: bool| {
        let wanted = schema.columns.iter().filter(|column| column.required || !required_only);
        wanted.map(|column| column.name).collect::<Vec<_>>().join(", ")
    };
    if positions.is_empty() {
        let reason = format!(
            "the first line names no column of {}; expected a header with some of {}",
            schema.kind.as_str(),
            names(false)
        );
        return Err(Refused::header(name, None, reason));
    }
    if let Some(first) = unknown.first() {
        let reasons: Vec<String> = unknown.iter().map(|column| schema.unknown(column)).collect();
        return Err(Refused::header(name, Some(first), reasons.join("; ")));
    }
    let missing = schema.columns.iter().enumerate().find(|(at, column)| column.required && !positions.contains(at));
    if let Some((_, column)) = missing {
        let reason =
            format!("the column \"{}\" is missing; {} needs {}", column.name, schema.kind.as_str(), names(true));
        return Err(Refused::header(name, Some(column.name), reason));
    }
    Ok(positions)
}

fn rows(
    reader: &mut Reader<Input<'_>>,
    mut record: ByteRecord,
    positions: &[usize],
    meter: &Meter,
    intake: &mut dyn Intake,
) {
    // The header's own lines are whole.
    let mut whole = reader.position().line().saturating_sub(1);
    while !intake.stopped() {
        meter.row_ended();
        match reader.read_byte_record(&mut record) {
            Ok(true) if is_end(&record, meter) => return,
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                let reason = format!("the file breaks off after line {whole}: {error}");
                return intake.break_off(whole, whole + 1, Fault::row(reason));
            }
        }
        // Line ends are bare and the end mark brings a last one, so a row has
        // ended with exactly one; those before it are inside quotes.
        let ended = reader.position().line().saturating_sub(1);
        let inside = record.as_slice().iter().filter(|b| **b == b'\n').count() as u64;
        let line = ended.saturating_sub(inside);
        if record.as_slice().ends_with(END_MARK) && reader.get_ref().is_used_up() {
            let reason = "a quote opened in this row is never closed; nothing after it was read";
            // This row had no end of its own.
            return intake.break_off(whole, line + 1, Fault::row(reason));
        }
        whole = ended;
        match cells(&record, positions, inside, intake.schema()) {
            Ok(cells) => intake.offer(line, &cells),
            Err(fault) => intake.reject(line, fault),
        }
    }
}

fn is_end(record: &ByteRecord, meter: &Meter) -> bool {
    record.as_slice() == END_ROW && record.position().is_some_and(|position| position.byte() >= meter.total())
}

fn cells<'r>(
    record: &'r ByteRecord,
    positions: &[usize],
    line_breaks: u64,
    schema: &'static Schema,
) -> Result<Cells<'r>, Fault> {
    if record.len() != positions.len() {
        let hint = if line_breaks > 0 {
            format!("; it runs over {} lines: is a quote missing?", line_breaks + 1)
        } else {
            String::new()
        };
        return Err(Fault::row(format!("{} cells where the header has {}{hint}", record.len(), positions.len())));
    }
    let mut cells = Cells::new(schema);
    for (cell, position) in record.iter().zip(positions) {
        let text = std::str::from_utf8(cell).map_err(|_| {
            let lossy = String::from_utf8_lossy(cell);
            Fault::new(schema.columns[*position].name, &lossy, "not in UTF-8; save the file as UTF-8")
        })?;
        cells.put(*position, text);
    }
    Ok(cells)
}
