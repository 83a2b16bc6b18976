//! What both kinds of chart draw with: shapes and words in units, on a sheet.

use std::collections::BTreeMap;

use anyhow::Context;
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, PathBuilder, Pixmap, PremultipliedColorU8, Rect, Stroke, StrokeDash,
    Transform,
};

use super::text::{Letters, Type};

/// A colour of the drawings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink(pub(super) u8, pub(super) u8, pub(super) u8);

pub(super) const PAPER: Ink = Ink(255, 255, 255);
pub(super) const BLACK: Ink = Ink(28, 33, 38);
/// Small words. On every ground of the drawings at least 4.5 : 1 (WCAG 2.2).
pub(super) const GREY: Ink = Ink(84, 93, 101);
pub(super) const RULE: Ink = Ink(200, 206, 211);
pub(super) const BLUE: Ink = Ink(18, 88, 168);

/// The heights of letters, in units. 13 units are 10 points on a phone that shows the picture 360 points wide.
pub(super) const TITLE: f32 = 20.0;
pub(super) const WORDS: f32 = 16.0;
pub(super) const LABEL: f32 = 14.0;
/// From the sheet's edge, in units.
pub(super) const MARGIN: f32 = 16.0;

/// Where a text's `x` stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Middle,
    Right,
}

pub(super) struct Canvas {
    pixels: Pixmap,
    letters: Letters,
    scale: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Canvas {
    pub(super) fn new(width: f32, height: f32, scale: f32) -> anyhow::Result<Self> {
        let pixels = Pixmap::new((width * scale).round() as u32, (height * scale).round() as u32)
            .context("no memory for a picture")?;
        Ok(Self { pixels, letters: Letters::read()?, scale, width, height })
    }

    /// A white ground with an edge, so that it stands off from a white page and from a dark one.
    pub(super) fn sheet(&mut self) {
        self.pixels.fill(Color::WHITE);
        let (width, height) = (self.width, self.height);
        let edge = [(0.5, 0.5), (width - 0.5, 0.5), (width - 0.5, height - 0.5), (0.5, height - 0.5), (0.5, 0.5)];
        self.stroke(&edge, RULE, 1.0, None);
    }

    pub(super) fn title(&mut self, title: &str) {
        let title = self.fitted(title, TITLE, true, self.width - 2.0 * MARGIN);
        self.bold(&title, MARGIN, MARGIN + TITLE * 0.8, TITLE, BLACK, Align::Left);
    }

    pub(super) fn fill(&mut self, x: f32, y: f32, width: f32, height: f32, ink: Ink) {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            self.pixels.fill_rect(rect, &paint(ink), Transform::from_scale(self.scale, self.scale), None);
        }
    }

    pub(super) fn disc(&mut self, x: f32, y: f32, radius: f32, ink: Ink) {
        if let Some(circle) = PathBuilder::from_circle(x, y, radius) {
            let transform = Transform::from_scale(self.scale, self.scale);
            self.pixels.fill_path(&circle, &paint(ink), FillRule::Winding, transform, None);
        }
    }

    /// A line through the points; `dash` is the length of its dashes and gaps.
    pub(super) fn stroke(&mut self, points: &[(f32, f32)], ink: Ink, width: f32, dash: Option<f32>) {
        let mut path = PathBuilder::new();
        for (number, (x, y)) in points.iter().enumerate() {
            if number == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
        }
        let Some(path) = path.finish() else { return };
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            dash: dash.and_then(|length| StrokeDash::new(vec![length, length], 0.0)),
            ..Stroke::default()
        };
        self.pixels.stroke_path(&path, &paint(ink), &stroke, Transform::from_scale(self.scale, self.scale), None);
    }

    pub(super) fn words(&mut self, text: &str, x: f32, y: f32, height: f32, ink: Ink, align: Align) {
        self.set(text, x, y, Type { height, bold: false }, ink, align);
    }

    pub(super) fn bold(&mut self, text: &str, x: f32, y: f32, height: f32, ink: Ink, align: Align) {
        self.set(text, x, y, Type { height, bold: true }, ink, align);
    }

    /// In units.
    pub(super) fn measure(&self, text: &str, height: f32, bold: bool) -> f32 {
        self.letters.width(text, Type { height, bold })
    }

    /// The text, shortened with an ellipsis until it is at most `most` units wide.
    pub(super) fn fitted(&self, text: &str, height: f32, bold: bool, most: f32) -> String {
        if self.measure(text, height, bold) <= most {
            return text.to_owned();
        }
        let mut kept: Vec<char> = text.chars().collect();
        loop {
            kept.pop();
            let short: String = kept.iter().collect::<String>().trim_end().to_owned() + "…";
            if kept.is_empty() || self.measure(&short, height, bold) <= most {
                return short;
            }
        }
    }

    fn set(&mut self, text: &str, x: f32, y: f32, set: Type, ink: Ink, align: Align) {
        let set = Type { height: set.height * self.scale, ..set };
        let wide = self.letters.width(text, set);
        let start = x * self.scale
            - match align {
                Align::Left => 0.0,
                Align::Middle => wide / 2.0,
                Align::Right => wide,
            };
        let (columns, rows) = (self.pixels.width() as i32, self.pixels.height() as i32);
        let pixels = self.pixels.pixels_mut();
        self.letters.set(text, set, start, y * self.scale, |column, row, covered| {
            if !(0..columns).contains(&column) || !(0..rows).contains(&row) {
                return;
            }
            let pixel = &mut pixels[(row * columns + column) as usize];
            let mix = |below: u8, above: u8| {
                (f32::from(below) + (f32::from(above) - f32::from(below)) * covered.clamp(0.0, 1.0)).round() as u8
            };
            let mixed = (mix(pixel.red(), ink.0), mix(pixel.green(), ink.1), mix(pixel.blue(), ink.2));
            // The ground is opaque, so any colour is a valid premultiplied one.
            *pixel = PremultipliedColorU8::from_rgba(mixed.0, mixed.1, mixed.2, u8::MAX).unwrap_or(*pixel);
        });
    }

    /// As PNG with a palette and without filters: flat colours and sharp edges are smallest so.
    pub(super) fn encode(self) -> anyhow::Result<Vec<u8>> {
        let colours = self.pixels.pixels().iter().map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]);
        let (palette, indices) = palette(colours);
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.pixels.width(), self.pixels.height());
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette.concat());
        encoder.set_compression(png::Compression::High);
        encoder.set_filter(png::Filter::NoFilter);
        let mut writer = encoder.write_header().context("write a picture's header")?;
        writer.write_image_data(&indices).context("write a picture")?;
        writer.finish().context("finish a picture")?;
        Ok(out)
    }
}

/// Red, green, blue.
type Rgb = [u8; 3];

/// The 256 most frequent colours, and each pixel's place in them. The rest, which is the edges of letters and lines,
/// takes the nearest of them.
fn palette(pixels: impl Iterator<Item = Rgb>) -> (Vec<Rgb>, Vec<u8>) {
    let pixels: Vec<Rgb> = pixels.collect();
    let mut counts: BTreeMap<Rgb, usize> = BTreeMap::new();
    for pixel in &pixels {
        *counts.entry(*pixel).or_default() += 1;
    }
    let mut colours: Vec<(Rgb, usize)> = counts.into_iter().collect();
    colours.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    let kept: Vec<Rgb> = colours.iter().take(256).map(|(colour, _)| *colour).collect();
    let far =
        |one: &Rgb, other: &Rgb| -> u32 { one.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum() };
    let nearest =
        |colour: &Rgb| (0..=u8::MAX).zip(&kept).min_by_key(|(_, other)| far(colour, other)).map_or(0, |near| near.0);
    let places: BTreeMap<Rgb, u8> = colours.iter().map(|(colour, _)| (*colour, nearest(colour))).collect();
    let indices = pixels.iter().map(|pixel| places.get(pixel).copied().unwrap_or(0)).collect();
    (kept, indices)
}

fn paint(ink: Ink) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(ink.0, ink.1, ink.2, u8::MAX);
    paint.anti_alias = true;
    paint
}

#[cfg(test)]
mod tests {
    use super::super::bars::TRACK;
    use super::super::line::GROUNDS;
    use super::*;

    /// WCAG 2.2, "contrast ratio".
    fn contrast(one: Ink, other: Ink) -> f64 {
        let luminance = |ink: Ink| {
            let [r, g, b] = [ink.0, ink.1, ink.2].map(|part| {
                let part = f64::from(part) / 255.0;
                if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn everything_can_be_read() {
        for ground in GROUNDS.into_iter().chain([PAPER, TRACK]) {
            for ink in [BLACK, GREY, BLUE] {
                assert!(contrast(ink, ground) >= 4.5, "{ink:?} on {ground:?}: {:.2}", contrast(ink, ground));
            }
        }
        assert!(contrast(PAPER, BLACK) >= 4.5, "the number in a mark");
    }
}
