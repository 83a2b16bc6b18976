//! A line over time: named stripes behind it, numbered marks above it, and what
//! the numbers mean below.

use chrono::{Datelike, NaiveDate};

use super::WIDTH;
use super::canvas::{Align, BLACK, BLUE, Canvas, GREY, Ink, LABEL, MARGIN, PAPER, RULE, TITLE, WORDS};
use crate::domain::message::chart::{Line, short};

/// The grounds of stripes, from the top: the lowest is the warmest.
pub(super) const GROUNDS: [Ink; 3] = [Ink(236, 246, 239), Ink(253, 246, 226), Ink(252, 233, 229)];

const LEFT: f32 = MARGIN + 32.0;
/// Room for the last value beside its point.
const RIGHT: f32 = WIDTH - MARGIN - 34.0;
const PLOT: f32 = 150.0;
/// A mark's disc.
const RADIUS: f32 = 10.0;
const LEGEND_ROW: f32 = 22.0;
/// Nights without a value for so many days are a gap, drawn dashed: not measured is not the same as steady.
const GAP: i64 = 10;

fn top(line: &Line) -> f32 {
    let marks = if line.marks.is_empty() { 0.0 } else { 2.0 * RADIUS + 6.0 };
    MARGIN + TITLE + 12.0 + marks
}

pub(super) fn height(line: &Line) -> f32 {
    let legend = if line.marks.is_empty() { 0.0 } else { 6.0 + LEGEND_ROW * line.marks.len() as f32 };
    top(line) + PLOT + 8.0 + LABEL + legend + MARGIN
}

/// From dates and values to the sheet.
struct Axes {
    from: NaiveDate,
    days: f32,
    top: f32,
}

impl Axes {
    fn x(&self, day: NaiveDate) -> f32 {
        LEFT + (day - self.from).num_days() as f32 / self.days * (RIGHT - LEFT)
    }

    fn y(&self, value: u8) -> f32 {
        self.top + (100.0 - f32::from(value.min(100))) / 100.0 * PLOT
    }
}

pub(super) fn draw(canvas: &mut Canvas, line: &Line) {
    let (Some(first), Some(last)) = (line.points.first(), line.points.last()) else { return };
    let days = (last.0 - first.0).num_days().max(1) as f32;
    let axes = Axes { from: first.0, days, top: top(line) };
    stripes(canvas, line, &axes);
    months(canvas, &axes, last.0);
    for mark in &line.marks {
        let x = axes.x(mark.on);
        canvas.stroke(&[(x, axes.top), (x, axes.top + PLOT)], GREY, 1.2, Some(3.0));
    }
    course(canvas, line, &axes);
    marks(canvas, line, &axes, last.0);
}

fn stripes(canvas: &mut Canvas, line: &Line, axes: &Axes) {
    let mut above = 100;
    for (number, stripe) in line.bands.iter().enumerate() {
        let ground = GROUNDS[(number + GROUNDS.len().saturating_sub(line.bands.len())).min(GROUNDS.len() - 1)];
        let (upper, lower) = (axes.y(above), axes.y(stripe.from));
        canvas.fill(LEFT, upper, RIGHT - LEFT, lower - upper, ground);
        canvas.stroke(&[(LEFT, upper), (RIGHT, upper)], RULE, 1.0, None);
        canvas.words(&above.to_string(), LEFT - 6.0, upper + LABEL * 0.35, LABEL, GREY, Align::Right);
        if lower - upper >= LABEL {
            let (x, y) = name_place(line, axes, (upper, lower), canvas.measure(stripe.name, LABEL, false));
            canvas.words(stripe.name, x, y, LABEL, GREY, Align::Left);
        }
        above = stripe.from;
    }
    canvas.stroke(&[(LEFT, axes.y(0)), (RIGHT, axes.y(0))], RULE, 1.0, None);
    canvas.words("0", LEFT - 6.0, axes.y(0) + LABEL * 0.35, LABEL, GREY, Align::Right);
}

/// Where a stripe's name does not stand under the line: at its left, low or high, else at its right; left and low where
/// the line is everywhere.
fn name_place(line: &Line, axes: &Axes, (upper, lower): (f32, f32), wide: f32) -> (f32, f32) {
    let (left, right) = (LEFT + 6.0, RIGHT - 6.0 - wide);
    let (high, low) = (upper + LABEL, lower - 4.0);
    let is_free = |(x, y): &(f32, f32)| {
        line.points.windows(2).all(|pair| {
            let (from, to) = ((axes.x(pair[0].0), axes.y(pair[0].1)), (axes.x(pair[1].0), axes.y(pair[1].1)));
            let (top, foot) = (from.1.min(to.1), from.1.max(to.1));
            to.0 < x - 4.0 || from.0 > x + wide + 4.0 || foot < y - LABEL || top > y + 5.0
        })
    };
    let places = [(left, low), (left, high), (right, low), (right, high)];
    places.into_iter().find(is_free).unwrap_or(places[0])
}

/// The first and the last day, and the months between where there is room.
fn months(canvas: &mut Canvas, axes: &Axes, last: NaiveDate) {
    let foot = axes.top + PLOT;
    let y = foot + 8.0 + LABEL * 0.8;
    let ends = [(axes.from, Align::Left), (last, Align::Right)];
    for (day, align) in ends {
        canvas.words(&short(day, last), axes.x(day), y, LABEL, GREY, align);
    }
    let taken = |canvas: &Canvas, day| canvas.measure(&short(day, last), LABEL, false) + 10.0;
    let (left, right) = (axes.x(axes.from) + taken(canvas, axes.from), axes.x(last) - taken(canvas, last));
    let mut free = left;
    for day in axes.from.iter_days().take_while(|day| *day < last).filter(|day| day.day() == 1) {
        let name = day.format("%b").to_string();
        let (x, half) = (axes.x(day), canvas.measure(&name, LABEL, false) / 2.0);
        if x - half >= free && x + half <= right {
            canvas.stroke(&[(x, foot), (x, foot + 4.0)], GREY, 1.0, None);
            canvas.words(&name, x, y, LABEL, GREY, Align::Middle);
            free = x + half + 10.0;
        }
    }
}

fn course(canvas: &mut Canvas, line: &Line, axes: &Axes) {
    for pair in line.points.windows(2) {
        let ends = [(axes.x(pair[0].0), axes.y(pair[0].1)), (axes.x(pair[1].0), axes.y(pair[1].1))];
        let gap = (pair[1].0 - pair[0].0).num_days() > GAP;
        canvas.stroke(&ends, BLUE, if gap { 1.6 } else { 2.6 }, gap.then_some(4.0));
    }
    if let Some((day, value)) = line.points.last() {
        let (x, y) = (axes.x(*day), axes.y(*value));
        canvas.disc(x, y, 4.5, BLUE);
        canvas.bold(&value.to_string(), x + 8.0, y + WORDS * 0.35, WORDS, BLUE, Align::Left);
    }
}

/// Numbered discs over their days, moved apart where they would cover each other, and what each means.
fn marks(canvas: &mut Canvas, line: &Line, axes: &Axes, last: NaiveDate) {
    let places = apart(&line.marks.iter().map(|mark| axes.x(mark.on)).collect::<Vec<_>>());
    let row = axes.top - RADIUS - 6.0;
    let legend = axes.top + PLOT + 8.0 + LABEL + 6.0;
    for (number, (mark, place)) in line.marks.iter().zip(places).enumerate() {
        let name = (number + 1).to_string();
        canvas.stroke(&[(place, row + RADIUS), (axes.x(mark.on), axes.top)], GREY, 1.2, None);
        let foot = legend + LEGEND_ROW * (number as f32 + 1.0) - 6.0;
        for (x, y) in [(place, row), (MARGIN + RADIUS, foot - LABEL * 0.36)] {
            canvas.disc(x, y, RADIUS, BLACK);
            canvas.bold(&name, x, y + LABEL * 0.34, LABEL, PAPER, Align::Middle);
        }
        let said = format!("{} {}", short(mark.on, last), mark.what);
        let said = canvas.fitted(&said, WORDS, false, WIDTH - 2.0 * MARGIN - 2.0 * RADIUS - 8.0);
        canvas.words(&said, MARGIN + 2.0 * RADIUS + 8.0, foot, WORDS, BLACK, Align::Left);
    }
}

/// The places nearest to the wanted ones (ascending) at which discs do not touch.
fn apart(wanted: &[f32]) -> Vec<f32> {
    let step = 2.0 * RADIUS + 3.0;
    let mut places = Vec::with_capacity(wanted.len());
    let mut free = MARGIN + RADIUS;
    for x in wanted {
        let place = x.max(free);
        places.push(place);
        free = place + step;
    }
    let mut most = WIDTH - MARGIN - RADIUS;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - step;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discs_do_not_cover_each_other() {
        let places = apart(&[100.0, 101.0, 430.0, 430.0, 430.0]);
        for pair in places.windows(2) {
            assert!(pair[1] - pair[0] >= 2.0 * RADIUS, "{places:?}");
        }
        assert!(places[0] == 100.0 && places[4] <= WIDTH - MARGIN - RADIUS, "{places:?}");
    }
}
