//! Short words for causes, where there is no room for a headline: the heading
//! of a group of the rest, the news in a notification line.

use chrono::NaiveDate;

use crate::domain::diagnosis::{CHURNED, WindowKind};
use crate::domain::health::wording::day;
use crate::domain::renewal_work::LADDER;

/// What was decided, in words that follow the account's name: "Acme served notice".
/// `None` for what is no decision signal.
pub fn decision(rule: &str) -> Option<&'static str> {
    Some(match rule {
        "notice_served" => "served notice",
        "auto_renew_off" => "switched auto-renewal off",
        "downgrade_requested" => "asked to downgrade",
        "champion_departed" => "lost its champion",
        "opt_out_near_silent" => "is silent before its opt-out date",
        "sev1_open" => "has a severity-1 ticket open for too long",
        "invoice_overdue" => "has an invoice long overdue",
        CHURNED => "churned",
        _ => return None,
    })
}

/// A churn outcome as a headline: it is no rule's cause.
pub fn churned(on: NaiveDate) -> String {
    format!("The customer churned on {}", day(on))
}

/// The heading of a group: a rule's, a window's kind, or a step of the renewal ladder.
/// A measure of one's own is named by its kind.
pub fn heading(cause: &str) -> String {
    if let Some(known) = known(cause) {
        return known.to_owned();
    }
    if let Some(kind) = WindowKind::ALL.into_iter().find(|kind| kind.as_str() == cause) {
        return super::phrase::capital(kind.label());
    }
    if let Some(step) = cause.strip_prefix("renewal_") {
        let on_ladder = LADDER.iter().any(|stage| stage.as_str() == step);
        return if on_ladder { format!("{step} days before the deadline") } else { "Near the deadline".to_owned() };
    }
    super::phrase::capital(&cause.replace('_', " "))
}

fn known(cause: &str) -> Option<&'static str> {
    Some(match cause {
        "notice_served" => "Notice served",
        "auto_renew_off" => "Auto-renewal switched off",
        "downgrade_requested" => "Downgrade requested",
        "champion_departed" => "Champion gone",
        "competitor_named" => "A competitor was named",
        "meetings_rescheduled" => "Meetings put off",
        "contact_silence" => "No contact for too long",
        "thin_contacts" => "Too few contacts",
        "opt_out_near_silent" => "Silent before the opt-out date",
        "usage_trend" => "Usage falls",
        "usage_slow_decline" => "Usage declines slowly",
        "seat_use" => "Seats stand empty",
        "feature_breadth" => "Few features in use",
        "sev1_open" => "Severity-1 ticket open",
        "escalations" => "Escalations",
        "csat_low" => "Low satisfaction with support",
        "ticket_surge" => "More tickets than usual",
        "old_ticket" => "A ticket waits too long",
        "support_silence" => "Silent, and used less",
        "invoice_overdue" => "Invoice overdue",
        "payment_failures" => "Payments fail",
        "discount_expiring" => "A discount ends soon",
        "nps_low" => "Low NPS",
        "pulse" => "A colleague's pulse",
        "milestones_overdue" => "Onboarding milestones overdue",
        "go_live_late" => "Go-live slips",
        "low_engagement" => "Little engagement in onboarding",
        "slow_first_value" => "First value takes long",
        CHURNED => "Churned",
        "raised" => "Raised by a colleague",
        "handed" => "Handed over by a colleague",
        "unknown" => "Too little data",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::health::RULES;

    #[test]
    fn every_rule_has_words_of_its_own() {
        for rule in RULES {
            assert!(known(rule.name).is_some(), "{}", rule.name);
            assert_eq!(decision(rule.name).is_some(), rule.floor, "{}", rule.name);
        }
        assert_eq!(heading("support_minutes"), "Support minutes");
        assert_eq!(heading("seats"), "More seats");
        assert_eq!(heading("renewal_90"), "90 days before the deadline");
    }
}
