//! Purpose: health over time, drawn, with what happened meanwhile.

use chrono::NaiveDate;

use super::super::Block;
use super::super::chart::{Chart, Mark, Stripe};
use super::AccountAnswer;
use crate::domain::diagnosis::course::DAYS;

/// What a picture says of an event of the audit trail; `None` for what would only be noise in it. Without a name, so
/// that everybody's picture is the same.
pub fn said(event: &str) -> Option<&'static str> {
    Some(match event {
        "risk.opened" => "risk opened",
        "risk.reopened" => "risk reopened",
        "risk.acknowledged" => "acknowledged",
        "risk.snoozed" => "snoozed",
        "risk.resolved" => "resolved",
        "risk.ended" => "risk ended",
        "handoff.offered" => "handed over",
        "handoff.accepted" => "handoff claimed",
        "handoff.won" => "window won",
        "handoff.lost" => "window lost",
        _ => return None,
    })
}

/// Serious tickets as marks, from the support source's values in order of their days: an escalation each time, a
/// severity 1 where one begins.
pub fn tickets<'a>(values: impl IntoIterator<Item = (NaiveDate, &'a str, f64)>) -> Vec<Mark> {
    let mut burning = false;
    let mut marks = Vec::new();
    for (on, kind, value) in values {
        match kind {
            "escalations" if value > 0.0 => marks.push(Mark { on, what: "ticket escalated".to_owned() }),
            "sev1_open_days" => {
                if value > 0.0 && !burning {
                    marks.push(Mark { on, what: "severity 1 ticket".to_owned() });
                }
                burning = value > 0.0;
            }
            _ => {}
        }
    }
    marks
}

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

#[cfg(test)]
mod tests {
    use super::super::super::card::sample;
    use super::*;

    #[test]
    fn a_severe_ticket_is_marked_where_it_begins() {
        let values = [
            ("2026-10-01", "sev1_open_days", 0.0),
            ("2026-10-08", "sev1_open_days", 3.0),
            ("2026-10-08", "escalations", 1.0),
            ("2026-10-15", "sev1_open_days", 10.0),
            ("2026-10-22", "escalations", 0.0),
            ("2026-10-22", "sev1_open_days", 0.0),
            ("2026-10-29", "sev1_open_days", 1.0),
        ];
        let marks = tickets(values.map(|(on, kind, value)| (sample::day(on), kind, value)));
        let said: Vec<String> = marks.iter().map(|mark| format!("{} {}", mark.on, mark.what)).collect();
        assert_eq!(
            said,
            ["2026-10-08 severity 1 ticket", "2026-10-08 ticket escalated", "2026-10-29 severity 1 ticket"]
        );
    }
}
