//! NDJSON and JSON arrays, with the columns as keys. Numbers, booleans and null
//! become the cells that CSV would have; faults of a row never end the file.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, BufReader};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::cells::{Cells, Fault, cut};
use super::columns::Schema;
use super::delimited::is_header;
use super::input::{Input, Meter, ends_within_character, misread};
use super::{Intake, Place, Refused};

pub(super) fn read(input: Input<'_>, name: &str, intake: &mut dyn Intake) -> Result<(), Refused> {
    let meter = input.meter();
    if input.is_json_list() {
        read_list(input, &meter, intake);
        return Ok(());
    }
    if !input.looks_like_json() && is_header(input.first_line(), intake.schema()) {
        return Err(Refused::whole(name, "this looks like CSV; expected JSON"));
    }
    read_lines(input, &meter, intake).map_err(|reason| Refused::whole(name, reason))
}

/// # Errors
/// Why there is no row at all.
fn read_lines(input: Input<'_>, meter: &Meter, intake: &mut dyn Intake) -> Result<(), &'static str> {
    let mut reader = BufReader::with_capacity(64 << 10, input);
    let mut text = Vec::new();
    let mut object = Object::new(intake.schema());
    let (mut line, mut any) = (0, false);
    while !intake.stopped() {
        text.clear();
        meter.row_ended();
        match reader.read_until(b'\n', &mut text) {
            Ok(0) if any => return Ok(()),
            Ok(0) => return Err("empty; expected one JSON object a line"),
            Ok(_) => line += 1,
            Err(error) => {
                let reason = format!("the file breaks off after line {line}: {error}");
                intake.break_off(line, Place::line(line + 1), Fault::row(reason));
                return Ok(());
            }
        }
        let whole = text.last() == Some(&b'\n');
        if text.trim_ascii().is_empty() {
            continue;
        }
        match object.read(&text) {
            Ok(()) => object.hand_over(Place::line(line), intake),
            Err(Unread { fault, early: Some(missed) }) if !whole => {
                let reason = format!("the file breaks off in this row: {missed}");
                intake.break_off(line - 1, Place::line(line), Fault { reason, ..fault });
                return Ok(());
            }
            // Each of its lines would be one more rejected row.
            Err(Unread { early: Some(_), .. }) if !any && goes_on(&text) && !begins_an_object(&mut reader) => {
                return Err(
                    "an object runs over several lines; expected one object a line, or a list of them in brackets",
                );
            }
            Err(unread) => intake.reject(Place::line(line), unread.fault, None),
        }
        any = true;
    }
    Ok(())
}

/// Whether an object was broken here for people to read, rather than cut off.
fn goes_on(line: &[u8]) -> bool {
    line.trim_ascii() == b"{" || line.trim_ascii().ends_with(b",")
}

/// Whether the next line is an object too: then this one alone is damaged.
fn begins_an_object(rest: &mut impl BufRead) -> bool {
    rest.fill_buf().is_ok_and(|next| next.trim_ascii_start().starts_with(b"{"))
}

/// The place in serde's message is one within the row.
fn said(error: &serde_json::Error) -> String {
    let place = match error.line() {
        0 | 1 => format!(" at character {}", error.column()),
        line => format!(" at character {} of its line {line}", error.column()),
    };
    error.to_string().replace(&format!(" at line {} column {}", error.line(), error.column()), &place)
}

/// Elements are parted before any is read, so that what is wrong within one costs no other.
fn read_list(input: Input<'_>, meter: &Meter, intake: &mut dyn Intake) {
    let mut reader = BufReader::with_capacity(64 << 10, input);
    let mut object = Object::new(intake.schema());
    let mut text = Vec::new();
    let mut end = to_next(&mut reader, &mut text, |byte| byte == b'[');
    let (mut line, mut elements) = (1 + line_breaks(&text), 0);
    while let Ok(Some(b'[' | b',')) = end {
        if intake.stopped() {
            return;
        }
        text.clear();
        meter.row_ended();
        end = element(&mut reader, &mut text);
        if elements == 0 && matches!(end, Ok(Some(b']'))) && text.trim_ascii().is_empty() {
            break;
        }
        let read = object.read(&text);
        if !matches!(end, Ok(Some(_))) && read.is_err() {
            break;
        }
        elements += 1;
        let place = Place { line: line + blank_lines(&text), element: Some(elements) };
        line += line_breaks(&text);
        text.clear();
        match read {
            Ok(()) => object.hand_over(place, intake),
            Err(unread) => intake.reject(place, unread.fault, None),
        }
    }
    let fault = match end {
        Ok(Some(_)) => {
            text.clear();
            match to_next(&mut reader, &mut text, |byte| !byte.is_ascii_whitespace()) {
                Ok(None) => return,
                Ok(Some(_)) => "something stands behind the list, and was not read".to_owned(),
                Err(error) => format!("the file breaks off behind the list: {error}"),
            }
        }
        Ok(None) => format!("the list breaks off after element {elements}: its closing bracket is missing"),
        Err(error) => format!("the list breaks off after element {elements}: {error}"),
    };
    if !intake.stopped() {
        let place = Place { line: line + blank_lines(&text), element: Some(elements + 1) };
        intake.break_off(elements, place, Fault::row(fault));
    }
}

fn line_breaks(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// How many lines lie before what is no blank.
fn blank_lines(text: &[u8]) -> u64 {
    line_breaks(&text[..text.len() - text.trim_ascii_start().len()])
}

/// Reads a list's element up to the comma or bracket that ends it, which is given; `None` where nothing ends it.
fn element(reader: &mut impl BufRead, into: &mut Vec<u8>) -> io::Result<Option<u8>> {
    let (mut depth, mut quoted, mut escaped) = (0_u64, false, false);
    to_next(reader, into, |byte| {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            return false;
        }
        match byte {
            b',' | b']' if depth == 0 => return true,
            b'"' => quoted = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        false
    })
}

/// Reads up to the byte that is looked for, which is given.
fn to_next(
    reader: &mut impl BufRead,
    into: &mut Vec<u8>,
    mut wanted: impl FnMut(u8) -> bool,
) -> io::Result<Option<u8>> {
    loop {
        let bytes = match reader.fill_buf() {
            Ok([]) => return Ok(None),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let found = bytes.iter().position(|byte| wanted(*byte));
        let before = found.unwrap_or(bytes.len());
        into.extend_from_slice(&bytes[..before]);
        let found = found.map(|at| bytes[at]);
        reader.consume(before + usize::from(found.is_some()));
        if found.is_some() {
            return Ok(found);
        }
    }
}

/// Why bytes are no row.
struct Unread {
    fault: Fault,
    /// What was missed where they end; perhaps the file was cut there.
    early: Option<String>,
}

/// One object's cells; the buffers are used again for the next.
struct Object {
    schema: &'static Schema,
    cells: Vec<String>,
    given: Vec<bool>,
    /// Something stands in none of the cells: under a key that is no column, or that was given before.
    lost: bool,
    fault: Option<Fault>,
}

impl Object {
    fn new(schema: &'static Schema) -> Self {
        let columns = schema.columns.len();
        let (cells, given) = (vec![String::new(); columns], vec![false; columns]);
        Self { schema, cells, given, lost: false, fault: None }
    }

    /// Takes the cells from one row's JSON.
    fn read(&mut self, bytes: &[u8]) -> Result<(), Unread> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            let (value, reason) = misread(bytes);
            let early = ends_within_character(bytes).then(|| "its last character is not whole".to_owned());
            return Err(Unread { fault: Fault { column: None, value: Some(cut(value.trim())), reason }, early });
        };
        let text = text.trim();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        self.deserialize(&mut deserializer).and_then(|()| deserializer.end()).map_err(|error| {
            let reason = format!("no JSON object: {}", said(&error));
            let fault = Fault { column: None, value: Some(cut(text)), reason };
            Unread { fault, early: error.is_eof().then(|| said(&error)) }
        })?;
        if let Some(fault) = &mut self.fault {
            fault.value.get_or_insert_with(|| cut(text));
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.cells.iter_mut().for_each(String::clear);
        self.given.fill(false);
        self.lost = false;
        self.fault = None;
    }

    /// Only the first fault is told.
    fn blame(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn hand_over(&mut self, place: Place, intake: &mut dyn Intake) {
        let fault = self.fault.take();
        let mut cells = Cells::new(self.schema);
        for (position, cell) in self.cells.iter().enumerate() {
            cells.put(position, cell);
        }
        let Some(fault) = fault else { return intake.offer(place, &cells) };
        // What no cell can hold stands in its cell as JSON. A row that would be taken so, or without what was lost, is
        // mended where it came from.
        let mendable = !self.lost && self.given.contains(&true) && !intake.takes(&cells);
        intake.reject(place, fault, mendable.then(|| self.cells.clone()));
    }

    /// A value that no cell is for.
    fn lose(&mut self, column: Option<String>, value: &RawValue, reason: String) {
        self.lost = true;
        self.blame(Fault { column: column.map(Into::into), value: Some(cut(value.get())), reason });
    }
}

impl<'de> DeserializeSeed<'de> for &mut Object {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.clear();
        deserializer.deserialize_any(self)
    }
}

impl Object {
    fn no_object<E>(&mut self, what: &str) -> Result<(), E> {
        self.blame(Fault::row(format!("{what}; expected an object with the columns as keys")));
        Ok(())
    }
}

impl<'de> Visitor<'de> for &mut Object {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the columns as keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key(self.schema))? {
            let position = match key {
                Ok(position) => position,
                Err(unknown) => {
                    let reason = self.schema.unknown(&unknown);
                    self.lose(Some(unknown), map.next_value()?, reason);
                    continue;
                }
            };
            let column = &self.schema.columns[position];
            if std::mem::replace(&mut self.given[position], true) {
                // Two readers could take it for two different rows, so it is a fault of the row.
                self.lose(None, map.next_value()?, format!("{} is given twice", column.name));
                continue;
            }
            let value = map.next_value::<&RawValue>()?;
            let cell = &mut self.cells[position];
            if let Some(what) = put(value, column.list, column.boolean, cell).map_err(unplaced)? {
                value.get().clone_into(cell);
                let welcome = if column.boolean { ", a number, true, false or null" } else { ", a number or null" };
                let reason = format!("{what}; expected text{welcome}");
                self.blame(Fault::new(column.name, value.get(), reason));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.no_object("a list")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.no_object("a boolean")
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.no_object("a number")
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.no_object("a number")
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.no_object("a number")
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.no_object("text")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.no_object("null")
    }
}

/// A key → the position of its column, or the key itself where it is none.
struct Key(&'static Schema);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.position(key).ok_or_else(|| cut(key)))
    }
}

/// A value → the text of a cell, or what it is instead of one. Numbers are taken as they are written: a float would lose
/// digits of long ids and large amounts.
fn put(value: &RawValue, list: bool, boolean: bool, cell: &mut String) -> serde_json::Result<Option<&'static str>> {
    let written = value.get();
    match written.as_bytes() {
        [b'"', text @ .., b'"'] if !text.contains(&b'\\') => cell.push_str(&written[1..=text.len()]),
        [b'"', ..] => cell.push_str(&serde_json::from_str::<String>(written)?),
        [b'n', ..] => {}
        [b't' | b'f', ..] if boolean => cell.push_str(written),
        [b't', ..] => return Ok(Some("true")),
        [b'f', ..] => return Ok(Some("false")),
        [b'[', ..] if list => {
            for (at, one) in serde_json::from_str::<Vec<&RawValue>>(written)?.into_iter().enumerate() {
                if at > 0 {
                    cell.push(';');
                }
                if let Some(wrong) = put(one, false, boolean, cell)? {
                    return Ok(Some(wrong));
                }
            }
        }
        [b'[', ..] => return Ok(Some("a list")),
        [b'{', ..] => return Ok(Some("an object")),
        _ => cell.push_str(&number(written)),
    }
    Ok(None)
}

/// A number without a power of ten, and without zeros at its end: 7.0 is 7.
fn number(written: &str) -> Cow<'_, str> {
    if written.contains(['e', 'E']) {
        let number = written.parse::<f64>().ok().filter(|number| number.is_finite());
        return number.map_or(written.into(), |number| number.to_string().into());
    }
    if written.contains('.') { written.trim_end_matches('0').trim_end_matches('.').into() } else { written.into() }
}

/// A fault within a value, which the row's own reader places within the row.
fn unplaced<E: serde::de::Error>(error: serde_json::Error) -> E {
    let said = error.to_string();
    E::custom(said.split(" at line ").next().unwrap_or_default())
}
