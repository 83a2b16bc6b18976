//! Holidays from an iCalendar file (RFC 5545), as calendars of countries and
//! companies are published: the all-day events, a day each.
//!
//! Read here rather than by a library, since of the format only three properties
//! of one component count, and faults must name their line like any other row's.
//! The country is the second word of the file's name: `holidays-de.ics`.

use std::io::{BufRead, BufReader};

use chrono::{Days, NaiveDate};

use super::Intake;
use super::cells::{Cells, Fault, cut};
use super::input::Input;

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
}

pub(super) fn read(input: Input<'_>, name: &str, intake: &mut dyn Intake) {
    let meter = input.meter();
    let country = country(name);
    let mut reader = BufReader::with_capacity(64 << 10, input);
    let (mut bytes, mut number) = (Vec::new(), 0);
    // The property so far, with the line it began on: long ones go on behind a space.
    let mut property: Option<(u64, String)> = None;
    let mut event: Option<Event> = None;
    while !intake.stopped() {
        bytes.clear();
        meter.row_ended();
        let read = match reader.read_until(b'\n', &mut bytes) {
            Ok(read) => read,
            Err(error) => {
                let reason = format!("the file breaks off after line {number}: {error}");
                return intake.break_off(number, number + 1, Fault::row(reason));
            }
        };
        number += 1;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\r', '\n']);
        if read > 0
            && let (Some(rest), Some((_, begun))) = (text.strip_prefix([' ', '\t']), &mut property)
        {
            begun.push_str(rest);
            continue;
        }
        if let Some((line, whole)) = property.take() {
            take(line, &whole, &mut event, country.as_deref(), intake);
        }
        if read == 0 {
            if let Some(open) = event {
                intake.break_off(open.line - 1, open.line, Fault::row("the event has no END:VEVENT".to_owned()));
            }
            return;
        }
        property = Some((number, text.to_owned()));
    }
}

fn country(name: &str) -> Option<String> {
    let stem = name.split('.').next()?;
    let second = stem.split(['-', '_', ' ']).nth(1)?;
    (second.len() == 2).then(|| second.to_ascii_uppercase())
}

fn take(line: u64, whole: &str, event: &mut Option<Event>, country: Option<&str>, intake: &mut dyn Intake) {
    let Some((head, value)) = whole.split_once(':') else { return };
    let property = head.split(';').next().unwrap_or(head).to_ascii_uppercase();
    match (property.as_str(), value.trim().to_ascii_uppercase().as_str(), &mut *event) {
        ("BEGIN", "VEVENT", _) => *event = Some(Event { line, ..Event::default() }),
        ("END", "VEVENT", _) => {
            if let Some(done) = event.take() {
                offer(&done, country, intake);
            }
        }
        ("DTSTART", _, Some(open)) => open.start = Some(value.trim().to_owned()),
        ("DTEND", _, Some(open)) => open.end = Some(value.trim().to_owned()),
        ("SUMMARY", _, Some(open)) => open.summary = unescaped(value),
        ("RRULE", _, Some(open)) => open.repeats = true,
        _ => {}
    }
}

fn unescaped(text: &str) -> String {
    text.replace("\\,", ",").replace("\\;", ";").replace("\\n", " ").replace("\\N", " ").replace("\\\\", "\\")
}

fn offer(event: &Event, country: Option<&str>, intake: &mut dyn Intake) {
    let reject = |intake: &mut dyn Intake, value: &str, reason: &str| {
        let fault = Fault { column: Some("date".into()), value: Some(cut(value)), reason: reason.to_owned() };
        intake.reject(event.line, fault, None);
    };
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
        intake.offer(event.line, &cells);
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
        let refused = read_all(b"x", "people.ics", RowKind::People, Format::Calendar, &context());
        assert!(refused.unwrap_err().reason.contains("only holidays"));
    }
}
