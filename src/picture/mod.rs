//! Charts as PNG: for Slack's files, Teams' data addresses and the demo's page.
//!
//! The same chart gives the same bytes: everything is drawn in software, with
//! a font that is part of the program. The ground is light in every theme of
//! the chat, like a sheet of paper, and no meaning hangs on colour alone: each
//! stripe and each mark is also named. No name of a customer is in a picture.

mod bars;
mod canvas;
mod line;
mod text;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::message::chart::{Chart, Kind};
use canvas::Canvas;

/// How large a picture is drawn. Its letters are as high as those beside it on a phone, where
/// a picture is shown about 360 points wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 960 pixels wide, for a file.
    Full,
    /// 480 pixels wide, under 16 KB: for a `data:` address inside of a Teams card, which has 28 KB in all.
    Small,
}

impl Size {
    /// Pixels per unit of the drawings, which are [`WIDTH`] units wide.
    fn scale(self) -> f32 {
        match self {
            Size::Full => 2.0,
            Size::Small => 1.0,
        }
    }
}

/// Of every picture, in units.
const WIDTH: f32 = 480.0;

/// The chart as PNG. Fails only where memory or the built-in font does.
pub fn png(chart: &Chart, size: Size) -> anyhow::Result<Vec<u8>> {
    let height = match &chart.kind {
        Kind::Line(line) => line::height(line),
        Kind::Bars(bars) => bars::height(bars),
    };
    let mut canvas = Canvas::new(WIDTH, height, size.scale())?;
    canvas.sheet();
    canvas.title(&chart.title);
    match &chart.kind {
        Kind::Line(line) => line::draw(&mut canvas, line),
        Kind::Bars(bars) => bars::draw(&mut canvas, bars),
    }
    canvas.encode()
}

/// The chart as a `data:` address.
pub fn data_address(chart: &Chart, size: Size) -> anyhow::Result<String> {
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(png(chart, size)?)))
}

#[cfg(test)]
mod tests {
    use chrono::{Days, NaiveDate};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::message::chart::tests::{bands, figures};
    use crate::domain::message::chart::{Bar, Mark};

    fn day(n: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 8, 24).unwrap() + Days::new(n)
    }

    /// A quarter with everything that happens in one.
    fn quarter() -> Chart {
        let health = |n: u64| match n {
            0..=40 => 78 - (n % 5) as u8,
            41..=60 => 78 - 2 * (n as u8 - 40),
            _ => 38 + (n % 7) as u8,
        };
        let points: Vec<_> = (0..=90).filter(|n| !(20..33).contains(n)).map(|n| (day(n), health(n))).collect();
        let marks = [
            (51, "risk opened"),
            (52, "acknowledged by Dana"),
            (58, "support ticket, severity 1"),
            (60, "handed to Kim to weigh"),
            (89, "snoozed"),
            (90, "woken"),
        ];
        let marks = marks.map(|(n, what)| Mark { on: day(n), what: what.to_owned() }).to_vec();
        Chart::line("Health, last 90 days".into(), "Health", points, bands(), marks, day(90)).unwrap()
    }

    fn dimensions(png: &[u8]) -> (u32, u32) {
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        (number(16), number(20))
    }

    #[test]
    fn the_same_chart_gives_the_same_bytes_in_both_sizes() {
        for chart in [quarter(), figures()] {
            let full = png(&chart, Size::Full).unwrap();
            assert_eq!(full, png(&chart, Size::Full).unwrap());
            assert_eq!(dimensions(&full).0, 960);
            let small = png(&chart, Size::Small).unwrap();
            assert_eq!(dimensions(&small).0, 480);
            assert!(small.len() < 16_000, "{} bytes", small.len());
            assert!(full.len() < 60_000, "{} bytes", full.len());
            let address = data_address(&chart, Size::Small).unwrap();
            assert!(address.starts_with("data:image/png;base64,iVBOR") && address.len() < 22_000);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn anything_is_drawn(
            values in proptest::collection::vec((0..=100_u8, 1..40_u64), 2..40),
            what in "(\\PC|[a-z ]){0,60}",
            bars in proptest::collection::vec((0.0..1e12_f64, "\\PC{0,30}"), 1..14),
        ) {
            let mut at = 0;
            let points: Vec<_> = values.iter().map(|(value, gap)| { at += gap; (day(at), *value) }).collect();
            let marks = points.iter().map(|(on, _)| Mark { on: *on, what: what.clone() }).collect();
            let line = Chart::line(what.clone(), "Health", points, bands(), marks, day(at)).unwrap();
            prop_assert!(png(&line, Size::Small).is_ok());
            let bars = bars.into_iter().map(|(value, label)| Bar { said: label.clone(), label, value }).collect();
            let bars = Chart::bars(what, bars).unwrap();
            prop_assert!(png(&bars, Size::Small).is_ok());
        }
    }
}
