//! Letters: outlines of the built-in font as coverage of pixels.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use anyhow::Context;

/// DejaVu Sans, reduced to the letters of Latin scripts; its licence stands beside it.
const REGULAR: &[u8] = include_bytes!("font/DejaVuSans.ttf");
const BOLD: &[u8] = include_bytes!("font/DejaVuSans-Bold.ttf");

/// The two weights, read.
pub(super) struct Letters {
    regular: FontRef<'static>,
    bold: FontRef<'static>,
}

/// How a text is set; sizes in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    pub(super) height: f32,
    pub(super) bold: bool,
}

impl Letters {
    pub(super) fn read() -> anyhow::Result<Self> {
        Ok(Self {
            regular: FontRef::try_from_slice(REGULAR).context("read the built-in font")?,
            bold: FontRef::try_from_slice(BOLD).context("read the built-in bold font")?,
        })
    }

    fn font(&self, set: Type) -> &FontRef<'static> {
        if set.bold { &self.bold } else { &self.regular }
    }

    /// Pixels from the first letter's start to the last one's end.
    pub(super) fn width(&self, text: &str, set: Type) -> f32 {
        let font = self.font(set).as_scaled(PxScale::from(set.height));
        text.chars().map(|letter| font.h_advance(font.glyph_id(letter))).sum()
    }

    /// Calls `ink` with each pixel that a letter touches and how much of it is covered (0–1). `y` is the line's foot.
    pub(super) fn set(&self, text: &str, set: Type, x: f32, y: f32, mut ink: impl FnMut(i32, i32, f32)) {
        let font = self.font(set);
        let scaled = font.as_scaled(PxScale::from(set.height));
        let mut pen = x;
        for letter in text.chars() {
            let id = scaled.glyph_id(letter);
            let glyph = id.with_scale_and_position(scaled.scale(), point(pen, y));
            pen += scaled.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            outline.draw(|dx, dy, covered| {
                ink(bounds.min.x as i32 + dx as i32, bounds.min.y as i32 + dy as i32, covered);
            });
        }
    }
}
