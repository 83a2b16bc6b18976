//! Numbers, dates and spans of time as people read them in a headline.

use chrono::NaiveDate;

use crate::domain::diagnosis::{Fact, FactValue};
use crate::domain::signal::Source;

/// At most two decimals below ten, one below a hundred, whole beyond: "1,240", "28.5", "0.33".
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    // Most are whole, and those are written at a tenth of the cost.
    let text = if value.fract() == 0.0 && value.abs() < 1e15 {
        (value as i64).to_string()
    } else {
        format!("{value:.decimals$}")
    };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let (whole, rest) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let (sign, digits) =
        whole.strip_prefix('-').map_or(("", whole), |digits| (if text == "-0" { "" } else { "−" }, digits));
    let mut grouped = String::with_capacity(text.len() + 4);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or_else(|| format!("{sign}{grouped}"), |rest| format!("{sign}{grouped}.{rest}"))
}

/// "3 Nov 2026".
pub(crate) fn day(date: NaiveDate) -> String {
    date.format("%-d %b %Y").to_string()
}

const WORDS: [&str; 13] =
    ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

/// Small whole numbers in words: "two", "14".
pub(crate) fn few(value: f64) -> String {
    let whole = value.round();
    if whole == value && (0.0..=12.0).contains(&whole) { WORDS[whole as usize].to_owned() } else { number(value) }
}

/// [`few`], to begin a sentence with.
pub(crate) fn few_first(value: f64) -> String {
    let text = few(value);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// "1 day", "14 days".
pub(crate) fn days(value: f64) -> String {
    plural(value, "day")
}

/// "1 day", "2 seats": the number in digits, the noun in its form.
pub(crate) fn plural(value: f64, noun: &str) -> String {
    if value == 1.0 { format!("1 {noun}") } else { format!("{} {noun}s", number(value)) }
}

/// "three days", "five weeks", "seven months": the unit in which people would say it.
pub(crate) fn span(days: i64) -> String {
    let days = days.max(1);
    let (count, unit) = match days {
        1..=6 => (days, "day"),
        // Weeks up to a quarter, then months of 30.4 days.
        7..=91 => ((days * 2 + 7) / 14, "week"),
        _ => ((days * 10 + 152) / 304, "month"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {unit}{plural}", few(count as f64))
}

/// The part of `value` in `of`, as "28 %".
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", number((share * 100.0).round()))
}

/// Two decimals: what a reader of JSON takes for the same number.
pub(crate) fn tidy(value: f64) -> f64 {
    let rounded = (value * 100.0).round() / 100.0;
    // A value that small has no sign.
    if rounded == 0.0 { 0.0 } else { rounded }
}

/// A fact with a number.
pub(crate) fn fact(label: &str, value: f64, unit: &str, source: Source, as_of: NaiveDate) -> Fact {
    Fact {
        label: label.to_owned(),
        value: FactValue::Number(tidy(value)),
        previous: None,
        unit: unit.to_owned(),
        source,
        as_of,
    }
}

/// A fact with a date.
pub(crate) fn fact_date(label: &str, value: NaiveDate, source: Source, as_of: NaiveDate) -> Fact {
    Fact { label: label.to_owned(), value: FactValue::Date(value), previous: None, unit: String::new(), source, as_of }
}

/// A fact in words.
pub(crate) fn fact_text(label: &str, value: &str, source: Source, as_of: NaiveDate) -> Fact {
    Fact {
        label: label.to_owned(),
        value: FactValue::Text(value.to_owned()),
        previous: None,
        unit: String::new(),
        source,
        as_of,
    }
}

pub(crate) trait WithPrevious {
    /// The value it is compared with.
    fn before(self, previous: f64) -> Self;
}

impl WithPrevious for Fact {
    fn before(mut self, previous: f64) -> Self {
        self.previous = Some(FactValue::Number(tidy(previous)));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let all = [0.0, 0.1 + 0.2, 28.0, 28.46, 99.96, 1_240.4, 1_234_567.0, -0.001, -1_500.0].map(number);
        insta::assert_snapshot!(all.join(" | "), @"0 | 0.3 | 28 | 28.5 | 100 | 1,240 | 1,234,567 | 0 | −1,500");
        assert_eq!(tidy(-0.001).to_string(), "0");
    }

    #[test]
    fn spans_are_said_in_the_unit_people_use() {
        let all = [0, 1, 6, 7, 10, 11, 35, 36, 91, 92, 120, 365, 800].map(span);
        insta::assert_snapshot!(
            all.join(" | "),
            @"one day | one day | six days | one week | one week | two weeks | five weeks | five weeks | 13 weeks | three months | four months | twelve months | 26 months"
        );
        assert_eq!(few_first(2.0), "Two");
        assert_eq!(few_first(14.0), "14");
        assert_eq!((days(1.0), plural(2.5, "seat")), ("1 day".to_owned(), "2.5 seats".to_owned()));
    }
}
