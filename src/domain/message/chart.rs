//! Purpose: pictures in numbers. A chart says what is to be drawn, and in words
//! what it shows; `picture` draws it, and where a picture cannot be, the same
//! chart is a line of block characters.

use chrono::{Datelike, NaiveDate};

use super::{Text, phrase};

/// What is drawn, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// At most 60 characters.
    pub title: String,
    /// What the picture says, in one sentence: its alternative text. At most 1000 characters.
    pub alt: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Line(Line),
    /// At most [`MOST_BARS`], in the order in which they are read.
    Bars(Vec<Bar>),
}

/// Values between 0 and 100 over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Oldest first, at most one a day, at least two.
    pub points: Vec<(NaiveDate, u8)>,
    /// From the highest down, without gaps between them.
    pub bands: Vec<Stripe>,
    /// Oldest first, within the days of the points, at most [`MOST_MARKS`].
    pub marks: Vec<Mark>,
}

/// A range of values that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stripe {
    pub name: &'static str,
    /// The lowest value in it. The highest is just below the stripe above.
    pub from: u8,
}

/// What happened on a day: "risk opened", "handed to Kim".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub on: NaiveDate,
    /// In lower case, at most 40 characters.
    pub what: String,
}

/// A figure beside others of its kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub label: String,
    /// A share, in percent; not below zero.
    pub value: f64,
    /// As people read it: "94%".
    pub said: String,
}

/// More would not be told apart on a phone.
pub const MOST_MARKS: usize = 6;
pub const MOST_BARS: usize = 12;
/// At most so many blocks in the line that stands for a picture: they fit one line of a phone.
const BLOCKS: usize = 30;
/// Of a full bar in text.
const BAR_BLOCKS: usize = 12;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Movements smaller than this are noise to a reader.
const STEADY: i16 = 5;

impl Chart {
    /// A line with what happened beside it; `of` is what the values are: "Health". `None` with fewer than two points.
    pub fn line(
        title: String,
        of: &str,
        points: Vec<(NaiveDate, u8)>,
        bands: Vec<Stripe>,
        mut marks: Vec<Mark>,
        today: NaiveDate,
    ) -> Option<Self> {
        let (first, last) = (*points.first()?, *points.last()?);
        if points.len() < 2 {
            return None;
        }
        marks.retain(|mark| (first.0..=last.0).contains(&mark.on));
        marks.sort();
        marks.dedup();
        // The newest say most of where the account stands.
        marks.drain(..marks.len().saturating_sub(MOST_MARKS));
        let mut alt = moved(of, &points, first, last, today);
        if !marks.is_empty() {
            let said: Vec<String> =
                marks.iter().map(|mark| format!("{} {}", mark.what, short(mark.on, today))).collect();
            alt.push_str(&format!("; {}", said.join(", ")));
        }
        alt.push('.');
        Some(Self {
            title: phrase::cut(&title, 60),
            alt: phrase::cut(&alt, 1000),
            kind: Kind::Line(Line { points, bands, marks }),
        })
    }

    /// Figures of one kind beside each other. `None` without any; only the first [`MOST_BARS`] are kept.
    pub fn bars(title: String, mut bars: Vec<Bar>) -> Option<Self> {
        bars.retain(|bar| bar.value.is_finite() && bar.value >= 0.0);
        bars.truncate(MOST_BARS);
        if bars.is_empty() {
            return None;
        }
        let said: Vec<String> =
            bars.iter().map(|bar| format!("{} {}", phrase::cut(&bar.label, 40), bar.said)).collect();
        let alt = phrase::cut(&format!("{}: {}.", title.trim_end_matches('.'), said.join(", ")), 1000);
        Some(Self { title: phrase::cut(&title, 60), alt, kind: Kind::Bars(bars) })
    }

    /// What stands where no picture can be: the title, block characters, and the sentence.
    pub fn in_words(&self) -> Text {
        let text = Text::strong(self.title.as_str()).then("\n");
        let text = match &self.kind {
            Kind::Line(line) => text.then_code(sparkline(&line.points)).then("\n"),
            Kind::Bars(bars) => {
                let most = whole(bars);
                let wide = bars.iter().map(|bar| phrase::cut(&bar.label, 20).chars().count()).max().unwrap_or(0);
                bars.iter().fold(text, |text, bar| {
                    let filled = (bar.value / most * BAR_BLOCKS as f64).round() as usize;
                    let row = format!("{:<wide$} {}", phrase::cut(&bar.label, 20), "█".repeat(filled.min(BAR_BLOCKS)));
                    text.then_code(row.trim_end()).then(format!(" {}\n", bar.said))
                })
            }
        };
        match &self.kind {
            Kind::Line(_) => text.then(self.alt.as_str()),
            // Each row says its figure already.
            Kind::Bars(_) => text,
        }
    }
}

/// The value that fills the width: 100 %, or the largest where one is beyond that, so that a bar says of itself how much
/// of the whole it is.
pub fn whole(bars: &[Bar]) -> f64 {
    bars.iter().map(|bar| bar.value).fold(100.0, f64::max)
}

/// "3 Sep", with the year where it is not this one: "3 Sep 2025".
pub fn short(day: NaiveDate, today: NaiveDate) -> String {
    let format = if day.year() == today.year() { "%-d %b" } else { "%-d %b %Y" };
    day.format(format).to_string()
}

/// Values on the fixed scale 0–100 as block characters.
fn sparkline(points: &[(NaiveDate, u8)]) -> String {
    let count = points.len().min(BLOCKS);
    (0..count)
        .map(|block| {
            // The last block is the last value; the first one the first.
            let at = if count == 1 { 0 } else { block * (points.len() - 1) / (count - 1) };
            let value = usize::from(points[at].1.min(100));
            LEVELS[(value * LEVELS.len() / 101).min(LEVELS.len() - 1)]
        })
        .collect()
}

/// "Health fell from 72 to 38 since 3 Sep, lowest 28 on 4 Oct".
fn moved(
    of: &str,
    points: &[(NaiveDate, u8)],
    first: (NaiveDate, u8),
    last: (NaiveDate, u8),
    today: NaiveDate,
) -> String {
    let since = short(first.0, today);
    let mut out = match i16::from(last.1) - i16::from(first.1) {
        fall if fall <= -STEADY => format!("{of} fell from {} to {} since {since}", first.1, last.1),
        rise if rise >= STEADY => format!("{of} rose from {} to {} since {since}", first.1, last.1),
        _ => format!("{of} has been about {} since {since}", last.1),
    };
    let below = i16::from(first.1.min(last.1));
    let low = points.iter().min_by_key(|(_, value)| *value);
    if let Some((day, low)) = low.filter(|(_, low)| below - i16::from(*low) >= STEADY) {
        out.push_str(&format!(", lowest {low} on {}", short(*day, today)));
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::super::card::sample;
    use super::*;

    pub(crate) fn bands() -> Vec<Stripe> {
        vec![
            Stripe { name: "healthy", from: 70 },
            Stripe { name: "watch", from: 50 },
            Stripe { name: "at risk", from: 0 },
        ]
    }

    fn points(points: &[(&str, u8)]) -> Vec<(NaiveDate, u8)> {
        points.iter().map(|(on, value)| (sample::day(on), *value)).collect()
    }

    fn mark(on: &str, what: &str) -> Mark {
        Mark { on: sample::day(on), what: what.to_owned() }
    }

    /// A fall with what was done about it.
    pub(crate) fn fall() -> Chart {
        let values = points(&[("2026-09-03", 72), ("2026-09-30", 66), ("2026-10-14", 41), ("2026-11-03", 38)]);
        let marks = vec![mark("2026-10-15", "acknowledged"), mark("2026-10-14", "risk opened")];
        Chart::line("Health, last 90 days".into(), "Health", values, bands(), marks, sample::today()).unwrap()
    }

    pub(crate) fn figures() -> Chart {
        let bar = |label: &str, value, said: &str| Bar { label: label.into(), value, said: said.into() };
        let bars = vec![bar("Renewal rate", 94.0, "94%"), bar("Adoption", 61.5, "61.5%"), bar("Churn", 0.0, "0%")];
        Chart::bars("Your quarter".into(), bars).unwrap()
    }

    #[test]
    fn the_sentence_says_what_the_line_says() {
        assert_eq!(fall().alt, "Health fell from 72 to 38 since 3 Sep; risk opened 14 Oct, acknowledged 15 Oct.");
        let said = |values: &[(&str, u8)]| {
            Chart::line("t".into(), "Health", points(values), bands(), Vec::new(), sample::today()).unwrap().alt
        };
        assert_eq!(said(&[("2026-08-04", 60), ("2026-11-03", 82)]), "Health rose from 60 to 82 since 4 Aug.");
        assert_eq!(
            said(&[("2025-12-30", 80), ("2026-09-04", 40), ("2026-11-03", 82)]),
            "Health has been about 82 since 30 Dec 2025, lowest 40 on 4 Sep."
        );
        assert_eq!(figures().alt, "Your quarter: Renewal rate 94%, Adoption 61.5%, Churn 0%.");
    }

    #[test]
    fn words_stand_in_for_a_picture() {
        insta::assert_snapshot!(fall().in_words().to_plain(), @"
        Health, last 90 days
        ▆▆▄▄
        Health fell from 72 to 38 since 3 Sep; risk opened 14 Oct, acknowledged 15 Oct.
        ");
        insta::assert_snapshot!(figures().in_words().to_plain(), @"
        Your quarter
        Renewal rate ███████████ 94%
        Adoption     ███████ 61.5%
        Churn 0%
        ");
    }

    #[test]
    fn too_little_is_no_chart_and_only_the_newest_marks_are_kept() {
        let one = points(&[("2026-11-03", 40)]);
        assert_eq!(Chart::line("t".into(), "Health", one, bands(), Vec::new(), sample::today()), None);
        assert_eq!(Chart::bars("t".into(), Vec::new()), None);
        let marks: Vec<Mark> = (1..=9).map(|day| mark(&format!("2026-10-0{day}"), "ticket")).collect();
        let values = points(&[("2026-10-02", 40), ("2026-11-03", 40)]);
        let chart = Chart::line("t".into(), "Health", values, bands(), marks, sample::today()).unwrap();
        let Kind::Line(line) = chart.kind else { panic!("it is a line") };
        assert_eq!(line.marks.len(), MOST_MARKS);
        assert_eq!(line.marks.last().unwrap().on, sample::day("2026-10-09"));
    }

    proptest! {
        #[test]
        fn the_line_has_its_ends_and_fits(values in proptest::collection::vec(0..=100_u8, 2..400)) {
            let start = sample::day("2026-01-01");
            let days: Vec<(NaiveDate, u8)> =
                values.iter().enumerate().map(|(at, h)| (start + chrono::Days::new(at as u64), *h)).collect();
            let line: Vec<char> = sparkline(&days).chars().collect();
            prop_assert_eq!(line.len(), days.len().min(BLOCKS));
            let alone = |at: usize| sparkline(&days[at..=at]).chars().next();
            prop_assert_eq!(line.first().copied(), alone(0));
            prop_assert_eq!(line.last().copied(), alone(days.len() - 1));
        }
    }
}
