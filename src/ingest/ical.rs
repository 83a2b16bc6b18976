//! Holidays from an iCalendar file (RFC 5545), as calendars of countries and
//! companies are published: the all-day events, a day each.
//!
//! Read here rather than by a library, since of the format only three properties
//! of one component count, and faults must name their line like any other row's.
//! The country is the second word of the file's name: `holidays-de.ics`.

use std::io::{BufRead, BufReader};

use chrono::{Days, NaiveDate};

use super::cells::{Cells, Fault, cut};
use super::input::{Input, misread};
use super::{Intake, Place, Refused};

/// The properties of an event that are read.
const READ: [&[u8]; 4] = [b"DTSTART", b"DTEND", b"SUMMARY", b"RRULE"];
/// One holiday of more days than these is a mistake.
const LONGEST: u64 = 31;

/// An event under way.
#[derive(Default)]
struct Event {
    line: u64,
    start: Option<String>,
    end: Option<String>,
    summary: String,
    repeats: bool,
    /// Why it can't be read.
    fault: Option<String>,
}

pub(super) fn read(input: Input<'_>, name: &str, intake: &mut dyn Intake) -> Result<(), Refused> {
    if !input.first_line().trim_ascii().eq_ignore_ascii_case(b"BEGIN:VCALENDAR") {
        let reason = "this is no iCalendar file; expected BEGIN:VCALENDAR in its first line";
        return Err(Refused::whole(name, reason));
    }
    let meter = input.meter();
    let mut calendar = Calendar { country: country(name), ..Calendar::default() };
    let mut reader = BufReader::with_capacity(64 << 10, input);
    let (mut bytes, mut number) = (Vec::new(), 0);
    // The property so far, with the line it began on: long ones go on behind a space, also within a character.
    let mut property: Option<(u64, Vec<u8>)> = None;
    while !intake.stopped() {
        bytes.clear();
        meter.row_ended();
        let read = match reader.read_until(b'\n', &mut bytes) {
            Ok(read) => read,
            Err(error) => {
                let reason = format!("the file breaks off after line {number}: {error}");
                intake.break_off(number, Place::line(number + 1), Fault::row(reason));
                return Ok(());
            }
        };
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        if let ([b' ' | b'\t', rest @ ..], Some((_, begun))) = (text, &mut property) {
            begun.extend_from_slice(rest);
            number += 1;
            continue;
        }
        if let Some((line, whole)) = property.take() {
            calendar.take(line, &whole, intake);
        }
        if read == 0 {
            calendar.end(number, intake);
            return Ok(());
        }
        number += 1;
        property = Some((number, text.to_vec()));
    }
    Ok(())
}

fn country(name: &str) -> Option<String> {
    let file = name.rsplit(['/', '\\']).next()?;
    let stem = file.split('.').next()?;
    let second = stem.split(['-', '_', ' ']).nth(1)?;
    (second.len() == 2).then(|| second.to_ascii_uppercase())
}

/// What is open at a line of the file.
#[derive(Default)]
struct Calendar {
    country: Option<String>,
    open: bool,
    event: Option<Event>,
}

impl Calendar {
    fn take(&mut self, line: u64, whole: &[u8], intake: &mut dyn Intake) {
        let Ok(text) = std::str::from_utf8(whole) else {
            // A description that nobody reads costs no holiday.
            if let Some(open) = self.event.as_mut().filter(|_| READ.iter().any(|name| whole.starts_with(name))) {
                open.fault.get_or_insert_with(|| misread(whole).1);
            }
            return;
        };
        let Some((head, value)) = text.split_once(':') else { return };
        let property = head.split(';').next().unwrap_or(head).to_ascii_uppercase();
        match (property.as_str(), value.trim().to_ascii_uppercase().as_str(), &mut self.event) {
            ("BEGIN" | "END", "VCALENDAR", _) => {
                self.unfinished(intake);
                self.open = property == "BEGIN";
            }
            ("BEGIN", "VEVENT", _) => {
                self.unfinished(intake);
                self.event = Some(Event { line, ..Event::default() });
            }
            ("END", "VEVENT", _) => {
                if let Some(done) = self.event.take() {
                    offer(&done, self.country.as_deref(), intake);
                }
            }
            ("DTSTART", _, Some(open)) => open.start = Some(value.trim().to_owned()),
            ("DTEND", _, Some(open)) => open.end = Some(value.trim().to_owned()),
            ("SUMMARY", _, Some(open)) => open.summary = unescaped(value),
            ("RRULE", _, Some(open)) => open.repeats = true,
            _ => {}
        }
    }

    /// The file ends here.
    fn end(self, last: u64, intake: &mut dyn Intake) {
        if let Some(open) = self.event {
            let reason = "the file breaks off in this event: END:VEVENT is missing";
            intake.break_off(open.line - 1, Place::line(open.line), Fault::row(reason));
        } else if self.open {
            intake.break_off(last, Place::line(last + 1), Fault::row("the file breaks off: END:VCALENDAR is missing"));
        }
    }

    /// An event that is open where none can be.
    fn unfinished(&mut self, intake: &mut dyn Intake) {
        if let Some(open) = self.event.take() {
            intake.reject(Place::line(open.line), Fault::row("the event has no END:VEVENT"), None);
        }
    }
}

fn unescaped(text: &str) -> String {
    text.replace("\\,", ",").replace("\\;", ";").replace("\\n", " ").replace("\\N", " ").replace("\\\\", "\\")
}

fn offer(event: &Event, country: Option<&str>, intake: &mut dyn Intake) {
    let reject = |intake: &mut dyn Intake, value: &str, reason: &str| {
        let fault = Fault { column: Some("date".into()), value: Some(cut(value)), reason: reason.to_owned() };
        intake.reject(Place::line(event.line), fault, None);
    };
    if let Some(reason) = &event.fault {
        return intake.reject(Place::line(event.line), Fault::row(reason.as_str()), None);
    }
    let start = event.start.as_deref().unwrap_or_default();
    let Ok(first) = NaiveDate::parse_from_str(start, "%Y%m%d") else {
        return reject(intake, start, "an event without a whole day; expected DTSTART;VALUE=DATE such as 20261225");
    };
    if event.repeats {
        return reject(intake, start, "the event repeats by a rule; export its days one by one");
    }
    // The end is the first day after it.
    let end = event.end.as_deref().and_then(|end| NaiveDate::parse_from_str(end, "%Y%m%d").ok());
    let days = end.map_or(1, |end| (end - first).num_days().max(1)).unsigned_abs();
    if days > LONGEST {
        return reject(intake, start, "a holiday of more than 31 days");
    }
    for day in (0..days).filter_map(|n| first.checked_add_days(Days::new(n))) {
        let date = day.to_string();
        let schema = intake.schema();
        let mut cells = Cells::new(schema);
        for (column, cell) in [("date", date.as_str()), ("name", &event.summary), ("country", country.unwrap_or(""))] {
            if let Some(position) = schema.position(column) {
                cells.put(position, cell);
            }
        }
        intake.offer(Place::line(event.line), &cells);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::domain::row::{RowKind, Rows};
    use crate::ingest::{Context, Format, read_all};

    fn context() -> Context {
        let today = "2026-11-03".parse().unwrap();
        Context { currency: "EUR".parse().unwrap(), today, measures: BTreeMap::new() }
    }

    #[test]
    fn all_day_events_are_holidays() {
        let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261227\r\nSUMMARY:Christmas\\, both\r\n  days\r\nEND:VEVENT\r\n\
            BEGIN:VEVENT\r\nSUMMARY:Standup\r\nDTSTART:20261201T090000Z\r\nEND:VEVENT\r\n\
            BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20270101\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:New Year\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let (batches, summary) =
            read_all(text.as_bytes(), "holidays-de.ics", RowKind::Holidays, Format::Calendar, &context()).unwrap();
        assert_eq!((summary.accepted, summary.rejected), (2, 2));
        let Rows::Holidays(rows) = &batches[0].rows else { panic!("holidays") };
        let said: Vec<_> = rows.iter().map(|row| (row.date.to_string(), row.country.clone().unwrap())).collect();
        assert_eq!(said, [("2026-12-25".to_owned(), "DE".to_owned()), ("2026-12-26".to_owned(), "DE".to_owned())]);
        assert_eq!(rows[0].name.set().unwrap(), "Christmas, both days");
        let faults: Vec<String> = batches[0].rejected.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "holidays-de.ics, line 8, date: an event without a whole day; expected DTSTART;VALUE=DATE such as 20261225",
                "holidays-de.ics, line 12, date: the event repeats by a rule; export its days one by one",
            ]
        );
        assert_eq!(summary.broken_off_after, None);
        let refused = read_all(b"x", "people.ics", RowKind::People, Format::Calendar, &context());
        assert!(refused.unwrap_err().reason.contains("only holidays"));
    }

    /// What is said of a file, and how many days of it are taken.
    fn said_of(name: &str, bytes: &[u8]) -> String {
        match read_all(bytes, name, RowKind::Holidays, Format::Calendar, &context()) {
            Err(refused) => refused.to_string(),
            Ok((batches, summary)) => {
                let faults = batches.iter().flat_map(|batch| &batch.rejected).map(ToString::to_string);
                let faults: Vec<String> = faults.collect();
                format!("{} taken; {}", summary.accepted, faults.join("; "))
            }
        }
    }

    #[test]
    fn nothing_of_a_damaged_calendar_is_lost_without_a_word() {
        let (open, close) = ("BEGIN:VCALENDAR\n", "END:VCALENDAR\n");
        let begun = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20270101\nSUMMARY:New Year\n";
        let event = format!("{begun}END:VEVENT\n");
        let latin = |text: String| text.replace("New Year", "Neujahr f\u{fc}r alle").chars().map(|c| c as u8).collect();
        let cases: Vec<Vec<u8>> = vec![
            b"just some text".to_vec(),
            b"[{\"date\":\"2027-01-01\"}]".to_vec(),
            Vec::new(),
            format!("{open}{event}").into(),
            format!("{open}{event}{begun}").into(),
            format!("{open}{begun}{event}{close}").into(),
            format!("{open}{event}{begun}{close}").into(),
            latin(format!("{open}{event}{close}")),
            // Folded in the middle of a letter, as the format allows.
            [open.as_bytes(), b"BEGIN:VEVENT\nDTSTART:20270101\nSUMMARY:f\xc3\n \xbcr\nEND:VEVENT\n", close.as_bytes()]
                .concat(),
        ];
        let said: Vec<String> = cases.iter().map(|bytes| said_of("holidays.ics", bytes)).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        holidays.ics: this is no iCalendar file; expected BEGIN:VCALENDAR in its first line
        holidays.ics: this is no iCalendar file; expected BEGIN:VCALENDAR in its first line
        holidays.ics: this is no iCalendar file; expected BEGIN:VCALENDAR in its first line
        1 taken; holidays.ics, line 6: the file breaks off: END:VCALENDAR is missing
        1 taken; holidays.ics, line 6: the file breaks off in this event: END:VEVENT is missing
        1 taken; holidays.ics, line 2: the event has no END:VEVENT
        1 taken; holidays.ics, line 6: the event has no END:VEVENT
        0 taken; holidays.ics, line 2: not in UTF-8; in Windows-1252 it reads "SUMMARY:Neujahr für alle": save the file as UTF-8, or run iconv -f WINDOWS-1252 -t UTF-8
        1 taken;
        "#);
    }
}
