//! Purpose: once a week, what cannot be read: which accounts, and which source is missing, by ARR.

use chrono::NaiveDate;

use super::digest::{self, SourceAge};
use super::{Block, Message, Text, phrase};
use crate::domain::money::Money;
use crate::domain::signal::Source;

/// What the latest diagnosis could not read of a lead's book, or of an admin's organisation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GapsView {
    /// Too little data for any health at all.
    pub unknown: Gap,
    /// The largest of those by ARR, by name.
    pub names: Vec<String>,
    /// By source: what is missing where others have it. The most ARR first.
    pub missing: Vec<(Source, Gap)>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gap {
    pub accounts: usize,
    /// One sum a currency.
    pub arr: Vec<Money>,
}

impl Gap {
    /// "41 accounts, $1.2M".
    fn said(&self) -> String {
        let sum = phrase::amounts(&self.arr).map(|sum| format!(", {sum}")).unwrap_or_default();
        format!("{}{sum}", phrase::count(self.accounts, "account"))
    }
}

pub(super) fn blocks(view: &GapsView) -> Vec<Block> {
    let mut lines = Vec::new();
    if view.unknown.accounts > 0 {
        let more = view.unknown.accounts.saturating_sub(view.names.len());
        let mut names = view.names.clone();
        if more > 0 {
            names.push(format!("{more} more"));
        }
        let who = if view.names.is_empty() { String::new() } else { format!(": {}", phrase::and(&names)) };
        lines.push(Text::plain(format!("{}: too little data for a diagnosis{who}.", view.unknown.said())));
    }
    for (source, gap) in &view.missing {
        lines.push(Text::plain(format!("{}: {source} missing.", gap.said())));
    }
    if lines.is_empty() {
        return Vec::new();
    }
    vec![Block::Heading("What cannot be read this week".to_owned()), Block::Bullets(lines)]
}

/// To an admin who has no morning that would hold it. `None` where there is nothing to say.
pub fn message(name: &str, view: &GapsView, sources: &[SourceAge], today: NaiveDate) -> Option<Message> {
    let gaps = blocks(view);
    if gaps.is_empty() {
        return None;
    }
    let mut blocks = vec![digest::greeting(name, today)];
    blocks.extend(gaps);
    let ages = digest::ages(sources, today);
    if !ages.is_empty() {
        blocks.push(Block::Context(format!("Last data: {ages}").into()));
    }
    let mut parts = Vec::new();
    if view.unknown.accounts > 0 {
        parts.push(format!("{} cannot be diagnosed", view.unknown.said()));
    }
    if let Some((source, gap)) = view.missing.first() {
        parts.push(format!("{source} is missing for {}", gap.said()));
    }
    Some(Message { summary: phrase::capital(&parts.join("; ")), blocks })
}

#[cfg(test)]
mod tests {
    use super::super::card::sample;
    use super::super::text::to_text;
    use super::*;

    #[test]
    fn gaps_are_counted_and_summed() {
        let gap = |accounts, usd| Gap { accounts, arr: vec![sample::usd(usd)] };
        let view = GapsView {
            unknown: gap(3, 90_000),
            names: vec!["Acme".into(), "Bolt".into()],
            missing: vec![(Source::Usage, gap(41, 1_200_000)), (Source::Billing, Gap { accounts: 1, arr: vec![] })],
        };
        let said = |view: &GapsView| to_text(&Message { summary: String::new(), blocks: blocks(view) }, 100);
        let text = said(&view);
        for line in [
            "3 accounts, $90k: too little data for a diagnosis: Acme, Bolt and 1 more.",
            "41 accounts, $1.2M: usage missing.",
            "1 account: billing missing.",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert_eq!(blocks(&GapsView::default()), []);

        let admin = message("Ada", &view, &[], sample::today()).expect("there are gaps");
        assert_eq!(admin.summary, "3 accounts, $90k cannot be diagnosed; usage is missing for 41 accounts, $1.2M");
        assert!(to_text(&admin, 100).contains("Good morning, Ada"));
        assert_eq!(message("Ada", &GapsView::default(), &[], sample::today()), None);
    }
}
