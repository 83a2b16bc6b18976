//! Figures beside each other, a row each: its name, a bar, and the figure.

use super::WIDTH;
use super::canvas::{Align, BLACK, BLUE, Canvas, Ink, MARGIN, TITLE, WORDS};
use crate::domain::message::chart::{Bar, whole};

/// What a full bar would cover.
pub(super) const TRACK: Ink = Ink(233, 236, 239);

/// A row: the name and the figure on one line, the bar under them.
const ROW: f32 = 44.0;
const BAR: f32 = 12.0;

pub(super) fn height(bars: &[Bar]) -> f32 {
    MARGIN + TITLE + 12.0 + ROW * bars.len() as f32 + MARGIN
}

pub(super) fn draw(canvas: &mut Canvas, bars: &[Bar]) {
    let most = whole(bars);
    let wide = WIDTH - 2.0 * MARGIN;
    for (number, bar) in bars.iter().enumerate() {
        let top = MARGIN + TITLE + 12.0 + ROW * number as f32;
        let said = canvas.fitted(&bar.said, WORDS, true, wide / 2.0);
        let room = wide - canvas.measure(&said, WORDS, true) - 12.0;
        let label = canvas.fitted(&bar.label, WORDS, false, room);
        canvas.words(&label, MARGIN, top + WORDS * 0.9, WORDS, BLACK, Align::Left);
        canvas.bold(&said, WIDTH - MARGIN, top + WORDS * 0.9, WORDS, BLACK, Align::Right);
        canvas.fill(MARGIN, top + WORDS + 6.0, wide, BAR, TRACK);
        canvas.fill(MARGIN, top + WORDS + 6.0, (bar.value / most) as f32 * wide, BAR, BLUE);
    }
}
