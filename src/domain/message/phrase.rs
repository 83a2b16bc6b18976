//! The small parts of sentences: dates, distances in days, counts, lists of
//! names. One way to say each thing, so that every message says it alike.

use chrono::{Datelike, NaiveDate};

use crate::domain::money::Money;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// "Fri 27 Nov", with the year where it is not this one: "Wed 31 Mar 2027".
pub fn date(day: NaiveDate, today: NaiveDate) -> String {
    // Said several times in most messages: chrono would take its format apart for each.
    let (weekday, month) = (day.weekday(), MONTHS.get(day.month0() as usize).unwrap_or(&""));
    if day.year() == today.year() {
        format!("{weekday} {} {month}", day.day())
    } else {
        format!("{weekday} {} {month} {}", day.day(), day.year())
    }
}

/// "today", "tomorrow", "in 12 days", "yesterday", "12 days ago".
pub fn distance(day: NaiveDate, today: NaiveDate) -> String {
    match (day - today).num_days() {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        -1 => "yesterday".to_owned(),
        ahead @ 2.. => format!("in {ahead} days"),
        past => format!("{} days ago", -past),
    }
}

/// "Fri 27 Nov, in 12 days".
pub fn date_and_distance(day: NaiveDate, today: NaiveDate) -> String {
    format!("{}, {}", date(day, today), distance(day, today))
}

/// "1 account", "14 accounts": regular plurals only, "y" becoming "ies".
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        return format!("1 {noun}");
    }
    match noun.strip_suffix('y') {
        Some(stem) if !noun.ends_with("ay") && !noun.ends_with("ey") => format!("{number} {stem}ies"),
        _ => format!("{number} {noun}s"),
    }
}

/// "Acme", "Acme and Globex", "Acme, Globex and Initech".
pub fn and(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Sums of each currency beside each other, for they cannot be added: "€410k + $1.2M". `None` where there is none.
pub fn amounts(sums: &[Money]) -> Option<String> {
    let parts: Vec<String> = sums.iter().filter(|sum| sum.minor != 0).map(Money::to_string).collect();
    (!parts.is_empty()).then(|| parts.join(" + "))
}

/// An estimate says that it is one: "about $12k".
pub fn about(amount: Money) -> String {
    format!("about {amount}")
}

/// With its first letter large, for names that may be "you" at the head of a sentence.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// With a full stop where the words do not already end.
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?', '…']) { text.to_owned() } else { format!("{text}.") }
}

/// At most `chars` characters, cut at a word, with "…" where something was left out.
pub fn cut(text: &str, chars: usize) -> String {
    let text = text.trim();
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let head: String = text.chars().take(chars.saturating_sub(1)).collect();
    let whole = match head.rfind(char::is_whitespace) {
        Some(at) if at > head.len() / 2 => &head[..at],
        _ => &head,
    };
    format!("{}…", whole.trim_end_matches([' ', ',', ';', '.']))
}

/// The first eight digits of an id, which nobody finds twice among what they look at: "7F3A-9C01".
pub fn short_id(id: uuid::Uuid) -> String {
    let digits = id.simple().to_string().to_uppercase();
    format!("{}-{}", &digits[..4], &digits[4..8])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::money::Currency;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn dates_read_like_speech() {
        let today = day("2026-11-02");
        assert_eq!(date(day("2026-11-27"), today), "Fri 27 Nov");
        assert_eq!(date(day("2027-03-31"), today), "Wed 31 Mar 2027");
        let said: Vec<String> = ["2026-11-02", "2026-11-03", "2026-11-01", "2026-11-14", "2026-10-21"]
            .map(|d| distance(day(d), today))
            .into();
        assert_eq!(said, ["today", "tomorrow", "yesterday", "in 12 days", "12 days ago"]);
    }

    #[test]
    fn numbers_agree_with_their_nouns() {
        assert_eq!(count(1, "account"), "1 account");
        assert_eq!(count(0, "account"), "0 accounts");
        assert_eq!(count(2, "opportunity"), "2 opportunities");
        assert_eq!(count(2, "day"), "2 days");
        assert_eq!(and(&["A".into(), "B".into(), "C".into()]), "A, B and C");
        let sums = [Money::new(41_000_000, Currency::EUR), Money::new(120_000_000, Currency::USD)];
        assert_eq!(amounts(&sums).unwrap(), "€410k + $1.2M");
        assert_eq!(amounts(&[Money::new(0, Currency::EUR)]), None);
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_says_so(text in "\\PC{0,80}", chars in 1..60_usize) {
            let short = cut(&text, chars);
            prop_assert!(short.chars().count() <= chars);
            prop_assert!(short == text.trim() || short.ends_with('…'));
        }
    }
}
