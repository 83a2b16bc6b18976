//! The numbers of each family's rules.

use serde::{Deserialize, Serialize};

use super::curve::Curve;
use crate::domain::account::Segment;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Part of trend and slow decline in the family's risk; the rest is seat use and breadth.
    pub decline_share: f64,
    pub trend: Curve,
    pub slow_decline: Curve,
    pub seat_use: Curve,
    pub breadth: Curve,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            decline_share: 0.6,
            trend: Curve::of(&[(0.95, 0.0), (0.85, 20.0), (0.70, 50.0), (0.50, 80.0), (0.30, 100.0)]),
            slow_decline: Curve::of(&[(0.85, 0.0), (0.70, 40.0), (0.50, 75.0), (0.30, 100.0)]),
            seat_use: Curve::of(&[(0.75, 0.0), (0.50, 40.0), (0.25, 80.0)]),
            breadth: Curve::of(&[(0.6, 0.0), (0.2, 70.0)]),
        }
    }
}

/// A number for each segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerSegment {
    pub enterprise: u32,
    pub mid_market: u32,
    pub smb: u32,
}

impl PerSegment {
    /// An account without a segment is read as mid-market: the middle of three.
    pub fn of(&self, segment: Option<Segment>) -> u32 {
        match segment {
            Some(Segment::Enterprise) => self.enterprise,
            Some(Segment::MidMarket) | None => self.mid_market,
            Some(Segment::Smb) => self.smb,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Crm {
    pub notice_served: f64,
    pub auto_renew_off: f64,
    pub downgrade_requested: f64,
    pub champion_departed: f64,
    pub competitor_named: f64,
    pub meetings_rescheduled: f64,
    pub meetings: u32,
    pub meetings_days: u32,
    /// Days between two-way contacts.
    pub cadence_days: PerSegment,
    /// Days since the last contact ÷ cadence.
    pub silence: Curve,
    /// Contacts to be in touch with.
    pub contacts_target: PerSegment,
    pub contacts_days: u32,
    /// Contacts in touch ÷ target.
    pub contacts: Curve,
}

impl Default for Crm {
    fn default() -> Self {
        Self {
            notice_served: 100.0,
            auto_renew_off: 90.0,
            downgrade_requested: 85.0,
            champion_departed: 80.0,
            competitor_named: 60.0,
            meetings_rescheduled: 45.0,
            meetings: 2,
            meetings_days: 60,
            cadence_days: PerSegment { enterprise: 14, mid_market: 30, smb: 60 },
            silence: Curve::of(&[(1.0, 0.0), (2.0, 50.0), (3.0, 80.0)]),
            contacts_target: PerSegment { enterprise: 6, mid_market: 3, smb: 2 },
            contacts_days: 90,
            contacts: Curve::of(&[(1.0, 0.0), (0.0, 70.0)]),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Support {
    pub sev1_days: Curve,
    pub escalations: Curve,
    pub escalations_days: u32,
    pub csat: Curve,
    /// Tickets ÷ own baseline.
    pub tickets: Curve,
    pub oldest_days: Curve,
    pub silence: f64,
    pub silence_days: u32,
    /// More seats than this.
    pub silence_seats: u32,
    /// Usage trend below this, or …
    pub silence_trend: f64,
    /// … no interaction for so many days.
    pub silence_contact_days: u32,
}

impl Default for Support {
    fn default() -> Self {
        Self {
            sev1_days: Curve::of(&[(0.0, 0.0), (7.0, 50.0), (14.0, 80.0), (21.0, 100.0)]),
            escalations: Curve::of(&[(1.0, 40.0), (2.0, 70.0)]),
            escalations_days: 30,
            csat: Curve::of(&[(85.0, 0.0), (70.0, 40.0), (50.0, 80.0)]),
            tickets: Curve::of(&[(1.5, 0.0), (3.0, 50.0)]),
            oldest_days: Curve::of(&[(30.0, 30.0), (60.0, 60.0)]),
            silence: 40.0,
            silence_days: 90,
            silence_seats: 20,
            silence_trend: 0.85,
            silence_contact_days: 30,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Billing {
    /// Days beyond the account's own earlier median.
    pub overdue_days: Curve,
    pub failures: Curve,
    pub failures_days: u32,
    pub discount: f64,
    pub discount_days: u32,
}

impl Default for Billing {
    fn default() -> Self {
        Self {
            overdue_days: Curve::of(&[(1.0, 10.0), (30.0, 50.0), (60.0, 90.0)]),
            failures: Curve::of(&[(1.0, 30.0), (2.0, 70.0)]),
            failures_days: 90,
            discount: 40.0,
            discount_days: 60,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sentiment {
    /// NPS below this is a detractor.
    pub nps_passive_from: f64,
    pub nps_promoter_from: f64,
    pub nps_detractor: f64,
    pub nps_passive: f64,
    pub nps_promoter: f64,
    pub pulse_red: f64,
    pub pulse_amber: f64,
    pub pulse_green: f64,
}

impl Default for Sentiment {
    fn default() -> Self {
        Self {
            nps_passive_from: 7.0,
            nps_promoter_from: 9.0,
            nps_detractor: 80.0,
            nps_passive: 35.0,
            nps_promoter: 0.0,
            pulse_red: 85.0,
            pulse_amber: 45.0,
            pulse_green: 0.0,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Onboarding {
    /// Part of the worst rule in the family's risk; the rest is the mean of all.
    pub worst_share: f64,
    pub milestones_overdue: Curve,
    /// Forecast after planned go-live, in days.
    pub late_days: Curve,
    pub engagement: Curve,
    /// First value later than so many days …
    pub first_value_days: u32,
    /// … gives this risk.
    pub first_value: f64,
}

impl Default for Onboarding {
    fn default() -> Self {
        Self {
            worst_share: 0.6,
            milestones_overdue: Curve::of(&[(1.0, 30.0), (2.0, 60.0), (3.0, 80.0)]),
            late_days: Curve::of(&[(0.0, 0.0), (14.0, 25.0), (30.0, 60.0), (45.0, 80.0)]),
            engagement: Curve::of(&[(70.0, 0.0), (40.0, 40.0), (20.0, 80.0)]),
            first_value_days: 90,
            first_value: 60.0,
        }
    }
}
