//! The built-in rules, declared once, in the order of diagnosis.md: where two
//! are equal the first stands.

use serde::{Deserialize, Serialize};

use crate::domain::signal::Source;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    UsageTrend,
    UsageSlowDecline,
    SeatUse,
    FeatureBreadth,
    NoticeServed,
    AutoRenewOff,
    DowngradeRequested,
    ChampionDeparted,
    CompetitorNamed,
    MeetingsRescheduled,
    ContactSilence,
    ThinContacts,
    OptOutNearSilent,
    Sev1Open,
    Escalations,
    CsatLow,
    TicketSurge,
    OldTicket,
    SupportSilence,
    InvoiceOverdue,
    PaymentFailures,
    DiscountExpiring,
    NpsLow,
    Pulse,
    MilestonesOverdue,
    GoLiveLate,
    LowEngagement,
    SlowFirstValue,
}

/// A rule as everybody else names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    pub rule: Rule,
    /// Stable: stored with every cause.
    pub name: &'static str,
    pub family: Source,
    /// Whether it can put a floor under the risk.
    pub floor: bool,
}

const fn rule(rule: Rule, name: &'static str, family: Source) -> Declared {
    Declared { rule, name, family, floor: false }
}

const fn floor(rule: Rule, name: &'static str, family: Source) -> Declared {
    Declared { rule, name, family, floor: true }
}

/// Every built-in rule, in the order of [`Rule`].
pub const RULES: [Declared; 28] = [
    rule(Rule::UsageTrend, "usage_trend", Source::Usage),
    rule(Rule::UsageSlowDecline, "usage_slow_decline", Source::Usage),
    rule(Rule::SeatUse, "seat_use", Source::Usage),
    rule(Rule::FeatureBreadth, "feature_breadth", Source::Usage),
    floor(Rule::NoticeServed, "notice_served", Source::Crm),
    floor(Rule::AutoRenewOff, "auto_renew_off", Source::Crm),
    floor(Rule::DowngradeRequested, "downgrade_requested", Source::Crm),
    floor(Rule::ChampionDeparted, "champion_departed", Source::Crm),
    rule(Rule::CompetitorNamed, "competitor_named", Source::Crm),
    rule(Rule::MeetingsRescheduled, "meetings_rescheduled", Source::Crm),
    rule(Rule::ContactSilence, "contact_silence", Source::Crm),
    rule(Rule::ThinContacts, "thin_contacts", Source::Crm),
    floor(Rule::OptOutNearSilent, "opt_out_near_silent", Source::Crm),
    floor(Rule::Sev1Open, "sev1_open", Source::Support),
    rule(Rule::Escalations, "escalations", Source::Support),
    rule(Rule::CsatLow, "csat_low", Source::Support),
    rule(Rule::TicketSurge, "ticket_surge", Source::Support),
    rule(Rule::OldTicket, "old_ticket", Source::Support),
    rule(Rule::SupportSilence, "support_silence", Source::Support),
    floor(Rule::InvoiceOverdue, "invoice_overdue", Source::Billing),
    rule(Rule::PaymentFailures, "payment_failures", Source::Billing),
    rule(Rule::DiscountExpiring, "discount_expiring", Source::Billing),
    rule(Rule::NpsLow, "nps_low", Source::Sentiment),
    rule(Rule::Pulse, "pulse", Source::Sentiment),
    rule(Rule::MilestonesOverdue, "milestones_overdue", Source::Onboarding),
    rule(Rule::GoLiveLate, "go_live_late", Source::Onboarding),
    rule(Rule::LowEngagement, "low_engagement", Source::Onboarding),
    rule(Rule::SlowFirstValue, "slow_first_value", Source::Onboarding),
];

impl Rule {
    pub fn declared(self) -> &'static Declared {
        // The list has every variant in the enum's order: the test below holds it.
        &RULES[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.declared().name
    }

    pub fn family(self) -> Source {
        self.declared().family
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_enum() {
        for (i, declared) in RULES.iter().enumerate() {
            assert_eq!(declared.rule as usize, i);
            assert_eq!(serde_json::to_value(declared.rule).unwrap(), declared.name);
        }
    }
}
