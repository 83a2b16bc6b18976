//! Purpose: health over time, as a line of bars and in words.

use chrono::NaiveDate;

use super::super::{Block, Text, phrase};

/// At most so many bars: they fit one line of a phone.
const BARS: usize = 30;

/// Health over time as a line of bars on the fixed scale 0–100, and in words what it says.
pub(super) fn blocks(history: &[(NaiveDate, u8)], today: NaiveDate) -> Vec<Block> {
    let (Some(first), Some(last)) = (history.first(), history.last()) else { return Vec::new() };
    if history.len() < 2 {
        return Vec::new();
    }
    let text = Text::strong("Health over time")
        .then("\n")
        .then_code(bars(history))
        .then(format!("\n{}", trend_sentence(history, *first, *last, today)));
    vec![Block::Text(text)]
}

fn bars(history: &[(NaiveDate, u8)]) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let count = history.len().min(BARS);
    (0..count)
        .map(|bar| {
            // The last bar is the last diagnosis; the first one the first.
            let at = if count == 1 { 0 } else { bar * (history.len() - 1) / (count - 1) };
            let health = usize::from(history[at].1.min(100));
            LEVELS[(health * LEVELS.len() / 101).min(LEVELS.len() - 1)]
        })
        .collect()
}

/// Movements smaller than this are noise to a reader.
const STEADY: i16 = 5;

fn trend_sentence(
    history: &[(NaiveDate, u8)],
    first: (NaiveDate, u8),
    last: (NaiveDate, u8),
    today: NaiveDate,
) -> String {
    let since = phrase::date(first.0, today);
    let moved = i16::from(last.1) - i16::from(first.1);
    let mut out = match moved {
        fall if fall <= -STEADY => format!("Down from {} on {since} to {}.", first.1, last.1),
        rise if rise >= STEADY => format!("Up from {} on {since} to {}.", first.1, last.1),
        _ => format!("About {} since {since}.", last.1),
    };
    let low = history.iter().min_by_key(|(_, health)| *health);
    if let Some((day, low)) = low.filter(|(_, low)| i16::from(first.1.min(last.1)) - i16::from(*low) >= STEADY) {
        out.push_str(&format!(" Lowest: {low} on {}.", phrase::date(*day, today)));
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::card::sample;
    use super::*;

    #[test]
    fn the_sentence_says_what_the_line_says() {
        let today = sample::today();
        let said = |points: &[(&str, u8)]| {
            let history: Vec<(NaiveDate, u8)> = points.iter().map(|(on, health)| (sample::day(on), *health)).collect();
            trend_sentence(&history, history[0], history[history.len() - 1], today)
        };
        assert_eq!(said(&[("2026-08-04", 60), ("2026-11-03", 82)]), "Up from 60 on Tue 4 Aug to 82.");
        assert_eq!(said(&[("2026-08-04", 80), ("2026-11-03", 82)]), "About 82 since Tue 4 Aug.");
        assert_eq!(
            said(&[("2026-08-04", 80), ("2026-09-04", 40), ("2026-11-03", 82)]),
            "About 82 since Tue 4 Aug. Lowest: 40 on Fri 4 Sep."
        );
    }

    proptest! {
        #[test]
        fn the_line_has_its_ends_and_fits(history in proptest::collection::vec(0..=100_u8, 2..400)) {
            let start = sample::day("2026-01-01");
            let days: Vec<(NaiveDate, u8)> =
                history.iter().enumerate().map(|(at, h)| (start + chrono::Days::new(at as u64), *h)).collect();
            let line: Vec<char> = bars(&days).chars().collect();
            prop_assert_eq!(line.len(), days.len().min(BARS));
            let alone = |at: usize| bars(&days[at..=at]).chars().next();
            prop_assert_eq!(line.first().copied(), alone(0));
            prop_assert_eq!(line.last().copied(), alone(days.len() - 1));
        }
    }
}
