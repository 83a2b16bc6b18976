//! CSV with a header (RFC 4180), and its cousins with `;` or tabs.

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::cells::{Cells, Fault, cut, runs_over};
use super::columns::Schema;
use super::input::{BYTE_ORDER_MARK, END_MARK, END_ROW, Input, Meter, Misread, ends_within_character, misread};
use super::quotes::Strays;
use super::{Intake, Place, Refused};

const SEPARATORS: [(u8, &str); 4] =
    [(b',', "a comma"), (b';', "a semicolon"), (b'\t', "a tab"), (b'|', "a vertical bar")];

/// The last column of a file of rejected rows, which Tandem wrote itself: passed over when the file comes back.
pub(super) const REASON: &str = "reason";
/// What stands between two counts in the reason of a row with too few or too many cells.
const MISCOUNTED: &str = " where the header has ";
/// The reason of a row whose cells were perhaps misread, so that nothing in them shows that they are wrong.
const STRAY_QUOTE: &str = "text stands behind a closing quote; a quote inside a cell is written twice";

pub(super) fn read(input: Input<'_>, name: &str, intake: &mut dyn Intake) -> Result<(), Refused> {
    if input.first_line().to_ascii_lowercase().starts_with(b"sep=") {
        let reason = "the first line is Excel's \"sep=\" line; delete it, the separator is found without";
        return Err(Refused::header(name, None, reason));
    }
    let (separator, called) = guess_separator(input.first_line(), intake.schema());
    let meter = input.meter();
    let (input, strays) = input.with_end_mark().watching_quotes(separator);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .buffer_capacity(64 << 10)
        .from_reader(input);
    let mut record = ByteRecord::new();
    let found = reader.read_byte_record(&mut record).map_err(|error| Refused::header(name, None, error.to_string()))?;
    if !found || is_end(&record, &reader, &meter) {
        return Err(Refused::whole(name, "empty; expected a header that names the columns"));
    }
    if strays.any_before(reader.position().byte()) {
        return Err(Refused::header(name, None, STRAY_QUOTE));
    }
    let header = header(&record, name, intake.schema())?;
    intake.columns(&header.positions);
    if separator != b',' {
        intake.note(format!("{name}: columns are taken to be parted by {called}; a comma is expected"));
    }
    rows(&mut reader, record, &header, &meter, &strays, intake);
    Ok(())
}

/// What the first line says.
struct Header {
    /// Its cells as they stand: they come again where files were joined.
    cells: ByteRecord,
    /// For each cell of a row the position of its column in the schema.
    positions: Vec<usize>,
    /// Whether a column of reasons stands behind them.
    reasons: bool,
}

/// How many known columns a line names with this separator.
fn known(line: &str, separator: u8, schema: &Schema) -> usize {
    let names = line.split(char::from(separator)).map(|name| name.trim().trim_matches('"').trim());
    names.filter(|name| schema.position(name).is_some()).count()
}

/// The separator that shows the most known columns; the comma if none shows more.
fn guess_separator(header: &[u8], schema: &Schema) -> (u8, &'static str) {
    let header = String::from_utf8_lossy(header);
    let mut best = SEPARATORS[0];
    for candidate in SEPARATORS {
        if known(&header, candidate.0, schema) > known(&header, best.0, schema) {
            best = candidate;
        }
    }
    best
}

/// Whether this line is a header that names a column.
pub(super) fn is_header(line: &[u8], schema: &Schema) -> bool {
    let (separator, _) = guess_separator(line, schema);
    known(&String::from_utf8_lossy(line), separator, schema) > 0
}

/// Unknown columns that are named; a table of another kind altogether may have hundreds.
const NAMED: usize = 10;

fn header(record: &ByteRecord, name: &str, schema: &'static Schema) -> Result<Header, Refused> {
    let mut positions = Vec::with_capacity(record.len());
    let mut unknown = Vec::new();
    let reasons = record.len() > 1 && record.iter().next_back().is_some_and(|cell| cell == REASON.as_bytes());
    for (at, cell) in record.iter().take(record.len() - usize::from(reasons)).enumerate() {
        let text = std::str::from_utf8(cell)
            .map_err(|_| Refused::header(name, None, format!("the header is {}", misread(cell).1)))?
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
        let mut reasons: Vec<String> = unknown.iter().take(NAMED).map(|column| schema.unknown(column)).collect();
        if unknown.len() > NAMED {
            reasons.push(format!("and so on, {} columns in all", unknown.len()));
        }
        return Err(Refused::header(name, Some(first), reasons.join("; ")));
    }
    let missing = schema.columns.iter().enumerate().find(|(at, column)| column.required && !positions.contains(at));
    if let Some((_, column)) = missing {
        let reason =
            format!("the column \"{}\" is missing; {} needs {}", column.name, schema.kind.as_str(), names(true));
        return Err(Refused::header(name, Some(column.name), reason));
    }
    let mut cells = record.clone();
    cells.truncate(positions.len());
    Ok(Header { cells, positions, reasons })
}

fn rows(
    reader: &mut Reader<Input<'_>>,
    mut record: ByteRecord,
    header: &Header,
    meter: &Meter,
    strays: &Strays,
    intake: &mut dyn Intake,
) {
    let (mut any, mut empty) = (false, 0_u64);
    // The header's own lines are whole.
    let mut whole = reader.position().line().saturating_sub(1);
    while !intake.stopped() {
        meter.row_ended();
        match reader.read_byte_record(&mut record) {
            Ok(found) if !found || is_end(&record, reader, meter) => break,
            Ok(_) => {}
            Err(error) => {
                let reason = format!("the file breaks off after line {whole}: {error}");
                return intake.break_off(whole, Place::line(whole + 1), Fault::row(reason));
            }
        }
        // Line ends are bare and the end mark brings a last one, so a row has
        // ended with exactly one; those before it are inside quotes.
        let ended = reader.position().line().saturating_sub(1);
        let inside = record.as_slice().iter().filter(|b| **b == b'\n').count() as u64;
        let line = ended.saturating_sub(inside);
        let stray = strays.any_before(reader.position().byte());
        if record.as_slice().ends_with(END_MARK) && reader.get_ref().is_used_up() {
            let reason = "a quote opened in this row is never closed; nothing after it was read";
            // This row had no end of its own.
            return intake.break_off(whole, Place::line(line + 1), Fault::row(reason));
        }
        any = true;
        let place = Place::line(line);
        let told = match header.reasons {
            true => without_reason(&mut record, header.positions.len()),
            false => Told::default(),
        };
        // The end mark's line break ended this row, not one of its own.
        if reader.position().byte() > meter.total()
            && let Some(said) = cut_off(&record, header.positions.len())
        {
            let reason = format!("the file breaks off in this row: {said}, and no line end after");
            return intake.break_off(whole, place, Fault::row(reason));
        }
        whole = ended;
        if stray || told.stray {
            let over = if inside > 0 { runs_over(inside + 1) } else { String::new() };
            let once = if stray { "" } else { "; once the row is mended, empty this reason" };
            intake.reject(place, Fault::row(format!("{STRAY_QUOTE}{over}{once}")), mendable(&record));
            continue;
        }
        if record.iter().all(|cell| cell.iter().all(u8::is_ascii_whitespace)) {
            empty += 1;
            continue;
        }
        if let Some(cells) = told.cells.filter(|cells| record.iter().skip(*cells).all(<[u8]>::is_empty)) {
            // Filled up when it was set aside, and still as it was.
            record.truncate(cells);
        }
        if is_header_again(&record, &header.cells) {
            intake.reject(place, Fault::row("the header stands here again; delete this line"), None);
            continue;
        }
        match cells(&record, &header.positions, inside, intake.schema()) {
            Ok(cells) => intake.offer(place, &cells),
            Err(fault) => intake.reject(place, fault, mendable(&record)),
        }
    }
    if !any && !intake.stopped() {
        intake.note("There is a header and no row below it.".to_owned());
    }
    if empty > 0 {
        intake.note(format!("{empty} empty {} passed over.", if empty == 1 { "row was" } else { "rows were" }));
    }
}

/// What the reason of a row that was set aside says of it. While it stands there, the row is not mended.
#[derive(Debug, Default)]
struct Told {
    /// How many cells it had, where that is the reason.
    cells: Option<usize>,
    /// It had a stray quote, of which nothing is left in its cells.
    stray: bool,
}

/// Takes the reason off a row that was set aside.
fn without_reason(record: &mut ByteRecord, columns: usize) -> Told {
    let reason = record.iter().next_back().and_then(|reason| std::str::from_utf8(reason).ok()).unwrap_or_default();
    let cells = reason.split_once(MISCOUNTED).and_then(|(said, _)| said.split(' ').next()?.parse().ok());
    let told = Told { cells, stray: reason.contains(STRAY_QUOTE) };
    if told.cells.is_some() || told.stray || record.len() == columns + 1 {
        record.truncate(record.len() - 1);
    }
    told
}

fn cells_said(count: usize) -> String {
    if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") }
}

/// Its cells for people to mend. Where characters of it are gone, they can't be.
fn mendable(record: &ByteRecord) -> Option<Vec<String>> {
    if Misread::of(record.as_slice()) == Some(Misread::Damaged) {
        return None;
    }
    let text = |cell| std::str::from_utf8(cell).map_or_else(|_| Misread::Foreign.text(cell), str::to_owned);
    Some(record.iter().map(text).collect())
}

/// What shows that a last row is not whole, if anything does.
fn cut_off(record: &ByteRecord, columns: usize) -> Option<String> {
    let blank = record.len() == 1 && record.as_slice().trim_ascii().is_empty();
    if record.len() < columns && !blank {
        return Some(format!("{}{MISCOUNTED}{columns}", cells_said(record.len())));
    }
    record.iter().next_back().is_some_and(ends_within_character).then(|| "its last character is not whole".to_owned())
}

/// Files that were joined have a header each, perhaps with a byte order mark before it.
fn is_header_again(record: &ByteRecord, header: &ByteRecord) -> bool {
    let text = record.as_slice();
    record.len() == header.len() && text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text) == header.as_slice()
}

/// Whether this is the end mark's own row: it ends behind the text, and not with the mark's first line break. Where it
/// begins says nothing, since blank lines are passed over only after that place is noted.
fn is_end(record: &ByteRecord, reader: &Reader<Input<'_>>, meter: &Meter) -> bool {
    record.as_slice() == END_ROW && reader.position().byte() > meter.total() + 1
}

fn cells<'r>(
    record: &'r ByteRecord,
    positions: &[usize],
    line_breaks: u64,
    schema: &'static Schema,
) -> Result<Cells<'r>, Fault> {
    if record.len() != positions.len() {
        let hint = match record.len() > positions.len() {
            _ if line_breaks > 0 => runs_over(line_breaks + 1),
            true => "; a cell that holds the separator has to stand in quotes".to_owned(),
            false => String::new(),
        };
        let said = cells_said(record.len());
        return Err(Fault::row(format!("{said}{MISCOUNTED}{}{hint}", positions.len())));
    }
    let mut cells = Cells::over(schema, line_breaks + 1);
    for (cell, position) in record.iter().zip(positions) {
        let text = std::str::from_utf8(cell).map_err(|_| {
            // The whole row tells more about its encoding than the cell.
            let misread = Misread::of(record.as_slice()).unwrap_or(Misread::Foreign);
            Fault::new(schema.columns[*position].name, &misread.text(cell), misread.sentence(cell))
        })?;
        cells.put(*position, text);
    }
    Ok(cells)
}
