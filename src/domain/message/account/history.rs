//! Purpose: health over time, drawn, with what happened meanwhile.

use chrono::NaiveDate;

use super::super::Block;
use super::super::chart::{Chart, Stripe};
use super::AccountAnswer;

/// How far back an account's health is shown.
pub const DAYS: u64 = 90;

/// `None` before the second diagnosis: one value is no course.
pub(super) fn block(view: &AccountAnswer, today: NaiveDate) -> Option<Block> {
    let (healthy, watch) = view.bands;
    let bands = vec![
        Stripe { name: "healthy", from: healthy },
        Stripe { name: "watch", from: watch },
        Stripe { name: "at risk", from: 0 },
    ];
    let title = format!("Health, last {DAYS} days");
    Chart::line(title, "Health", view.history.clone(), bands, view.events.clone(), today).map(Block::Chart)
}
