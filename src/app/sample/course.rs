//! A story → the course of its facts: what each source would have seen.
//! Days count back from today. Numbers lean on diagnosis.md's thresholds with room to spare.

use super::book::{Entry, Story};
use crate::domain::account::Segment;
use crate::domain::dice::Dice;

/// `None` is a source that never delivered for this account.
pub(super) struct Course {
    pub(super) usage: Option<Usage>,
    pub(super) crm: Option<Crm>,
    pub(super) support: Option<Support>,
    pub(super) billing: Option<Billing>,
    pub(super) sentiment: Option<Sentiment>,
    pub(super) onboarding: Option<Onboarding>,
    /// Nothing was delivered in the last so many days.
    pub(super) silent_for: i64,
}

pub(super) struct Usage {
    /// Today's level; it was 1 before the change.
    pub(super) level: f64,
    /// The change began so many days ago …
    pub(super) since: i64,
    /// … and took so many.
    pub(super) over: i64,
    /// Active users ÷ seats today.
    pub(super) seat_use: f64,
    /// Seats assigned ÷ seats, throughout.
    pub(super) assigned: f64,
    /// Features used ÷ entitled.
    pub(super) breadth: f64,
    pub(super) entitlement: f64,
    /// The plan's limit was hit so many days ago.
    pub(super) limit_hit: Option<i64>,
}

impl Usage {
    /// Relative to the level before the change.
    pub(super) fn level_at(&self, days_ago: i64) -> f64 {
        let done = (self.since - days_ago) as f64 / self.over.max(1) as f64;
        1.0 + (self.level - 1.0) * done.clamp(0.0, 1.0)
    }
}

pub(super) struct Crm {
    /// The last two-way contact, days ago.
    pub(super) last: i64,
    /// Days from one to the next.
    pub(super) every: i64,
    pub(super) events: Vec<Event>,
    /// Contacts who were spoken to in the last quarter.
    pub(super) reached: usize,
    /// `(left days ago, another champion is active)`.
    pub(super) champion_left: Option<(i64, bool)>,
}

pub(super) struct Event {
    pub(super) kind: &'static str,
    pub(super) days_ago: i64,
    pub(super) value: EventValue,
}

pub(super) enum EventValue {
    Yes,
    No,
    Once,
    /// Part of the account's ARR.
    PartOfArr(f64),
}

fn yes(kind: &'static str, days_ago: i64) -> Event {
    Event { kind, days_ago, value: EventValue::Yes }
}

fn no(kind: &'static str, days_ago: i64) -> Event {
    Event { kind, days_ago, value: EventValue::No }
}

fn once(kind: &'static str, days_ago: i64) -> Event {
    Event { kind, days_ago, value: EventValue::Once }
}

pub(super) struct Support {
    /// Tickets a week.
    pub(super) weekly: i64,
    /// Tickets a week in the last five weeks, where that differs.
    pub(super) lately: Option<i64>,
    pub(super) csat: f64,
    /// A severity-1 ticket has been open for so many days.
    pub(super) sev1_for: i64,
    /// Age of the oldest ticket today.
    pub(super) oldest: i64,
    /// Days ago.
    pub(super) escalations: &'static [i64],
}

pub(super) struct Billing {
    /// Days by which invoices were late, as a habit.
    pub(super) habit: i64,
    /// An invoice is so many days late today.
    pub(super) overdue: i64,
    /// Days ago.
    pub(super) failures: &'static [i64],
    /// A discount ends in so many days.
    pub(super) discount_ends_in: Option<i64>,
}

pub(super) struct Sentiment {
    pub(super) nps: f64,
    pub(super) pulse: &'static str,
}

pub(super) struct Onboarding {
    pub(super) overdue: i64,
    /// Forecast after the planned go-live, days.
    pub(super) late_by: i64,
    pub(super) engagement: f64,
    pub(super) blocked_by_customer: i64,
    pub(super) blocked_by_us: i64,
    pub(super) first_value_days: Option<i64>,
}

/// Days between contacts that a segment expects (diagnosis.md, crm).
fn cadence(segment: Segment) -> i64 {
    match segment {
        Segment::Enterprise => 14,
        Segment::MidMarket => 30,
        Segment::Smb => 60,
    }
}

/// Contacts to be in touch with (diagnosis.md, crm).
fn wanted_contacts(segment: Segment) -> usize {
    match segment {
        Segment::Enterprise => 6,
        Segment::MidMarket => 3,
        Segment::Smb => 2,
    }
}

/// All well in the main. Nobody is perfect: each source may have a blemish that costs a few points.
fn healthy(entry: &Entry, dice: &mut Dice) -> Course {
    let mut course = flawless(entry, dice);
    let cadence = cadence(entry.segment);
    if let Some(usage) = &mut course.usage {
        if dice.chance(0.3) {
            usage.seat_use = dice.between(0.66, 0.72);
        }
        if dice.chance(0.3) {
            usage.breadth = dice.between(0.46, 0.57);
        }
    }
    if let Some(crm) = &mut course.crm
        // Near the opt-out date somebody has spoken to them lately.
        && !(0..=75).contains(&entry.opt_out_in)
        && dice.chance(0.25)
    {
        crm.last = cadence * 13 / 10;
    }
    if let Some(support) = &mut course.support {
        if dice.chance(0.25) {
            support.csat = dice.between(80.0, 84.0);
        }
        if dice.chance(0.12) {
            support.oldest = 33;
        }
    }
    if let Some(billing) = &mut course.billing
        && dice.chance(0.12)
    {
        billing.failures = &[50];
    }
    if let Some(sentiment) = &mut course.sentiment {
        if dice.chance(0.35) {
            sentiment.nps = 8.0;
        }
        if dice.chance(0.12) {
            sentiment.pulse = "amber";
        }
    }
    course
}

/// A little growth, contacts in time, few tickets, bills paid, a good mood.
fn flawless(entry: &Entry, dice: &mut Dice) -> Course {
    let cadence = cadence(entry.segment);
    let last = dice.whole(2, cadence * 6 / 10);
    // Close to the opt-out date somebody has spoken to them lately.
    let last = if (0..=45).contains(&entry.opt_out_in) { last.min(9) } else { last };
    let weekly = match entry.segment {
        Segment::Enterprise => dice.whole(4, 7),
        Segment::MidMarket => dice.whole(2, 3),
        Segment::Smb => 1,
    };
    Course {
        usage: Some(Usage {
            level: dice.between(1.04, 1.10),
            since: 270,
            over: 270,
            seat_use: dice.between(0.78, 0.82),
            assigned: dice.between(0.81, 0.835),
            breadth: dice.between(0.62, 0.85),
            entitlement: dice.between(42.0, 78.0),
            limit_hit: None,
        }),
        crm: Some(Crm {
            last,
            every: cadence * 8 / 10,
            events: Vec::new(),
            reached: wanted_contacts(entry.segment),
            champion_left: None,
        }),
        support: Some(Support {
            weekly,
            lately: None,
            csat: dice.between(88.0, 97.0),
            sev1_for: 0,
            oldest: dice.whole(3, 15),
            escalations: &[],
        }),
        billing: Some(Billing { habit: 0, overdue: 0, failures: &[], discount_ends_in: None }),
        sentiment: Some(Sentiment { nps: dice.pick(&[9.0, 9.0, 10.0], 9.0), pulse: "green" }),
        onboarding: None,
        silent_for: 0,
    }
}

/// Use has dropped by a third, seats and features lie idle, the last contact is late, the mood is so-so.
fn strained(entry: &Entry, dice: &mut Dice) -> Course {
    let mut course = flawless(entry, dice);
    course.usage = course.usage.map(|usage| Usage {
        level: dice.between(0.61, 0.69),
        since: dice.whole(50, 66),
        over: 30,
        seat_use: dice.between(0.40, 0.47),
        assigned: dice.between(0.66, 0.76),
        breadth: dice.between(0.30, 0.38),
        ..usage
    });
    let cadence = cadence(entry.segment);
    // Within the quarter, so that the contacts still count as reached.
    let last = dice.whole(cadence * 15 / 10, cadence * 18 / 10).min(84);
    course.crm = course.crm.map(|crm| Crm { last, every: cadence, ..crm });
    course.sentiment = Some(Sentiment { nps: dice.pick(&[7.0, 8.0], 7.0), pulse: "green" });
    course
}

/// A customer in the first weeks: small use, a project under way.
fn onboarding(entry: &Entry, dice: &mut Dice, project: Onboarding) -> Course {
    let mut course = flawless(entry, dice);
    course.usage =
        course.usage.map(|usage| Usage { level: 1.0, since: 0, over: 0, seat_use: 0.25, assigned: 0.4, ..usage });
    course.crm = course.crm.map(|crm| Crm { last: dice.whole(2, 7), every: 7, ..crm });
    course.support = course.support.map(|support| Support { weekly: 1, ..support });
    course.onboarding = Some(project);
    course
}

/// What the sources saw of this entry's story.
pub(super) fn course(entry: &Entry, dice: &mut Dice) -> Course {
    use Story::*;
    match entry.story {
        Collapse | NoticeServed | AutoRenewOff | DowngradeRequested | ChampionLeft | Sev1 | LatePayer
        | SilentBeforeOptOut | RequestedButAtRisk | FragileGrowth => at_risk(entry, dice),
        CompetitorNamed | MeetingsMoved | Escalated | LowCsat | TicketSurge | OldTicket | SuspiciousSilence
        | PaymentFailures | DiscountEnding | Detractor | PulseRed | SlowFade | NoUsage => watch(entry, dice),
        OnboardingLate
        | OnboardingBlockedByUs
        | OnboardingSlipping
        | OnboardingUnattended
        | OnboardingSlowValue
        | OnboardingOnTrack
        | JustSigned => beginning(entry, dice),
        NoSignals | TooLittle | Stale | Churned => hardly_seen(entry, dice),
        Steady | SeatPressure | LimitHit | Growing | NewDepartment | AskedForMore | ContentedSilence | MonthlyTerm
        | NoticeMissing | OptOutPassed | RenewalOverdue | LateByHabit | ChampionReplaced | AutoRenewBack
        | OneModule | SingleThreaded => well(entry, dice),
    }
}

fn at_risk(entry: &Entry, dice: &mut Dice) -> Course {
    let mut course = match entry.story {
        // Decisions and incidents strike customers who are otherwise well.
        Story::LatePayer | Story::FragileGrowth | Story::ChampionLeft | Story::Sev1 | Story::SilentBeforeOptOut => {
            healthy(entry, dice)
        }
        _ => strained(entry, dice),
    };
    match entry.story {
        Story::Collapse => {
            course.usage = course.usage.map(|usage| Usage {
                level: 0.33,
                since: 49,
                over: 35,
                seat_use: 0.27,
                assigned: 0.78,
                breadth: 0.3,
                ..usage
            });
            course.crm = course.crm.map(|crm| Crm { last: 46, reached: 2, ..crm });
            course.sentiment = Some(Sentiment { nps: 5.0, pulse: "red" });
        }
        Story::NoticeServed => event(&mut course, yes("notice_served", 2)),
        Story::AutoRenewOff => {
            event(&mut course, yes("auto_renew", 210));
            event(&mut course, no("auto_renew", 5));
        }
        Story::DowngradeRequested => event(&mut course, yes("downgrade_requested", 8)),
        Story::ChampionLeft => {
            course.crm = course.crm.map(|crm| Crm { champion_left: Some((20, false)), ..crm });
        }
        Story::FragileGrowth => {
            course.usage = course.usage.map(|usage| Usage { seat_use: 0.9, assigned: 0.95, ..usage });
            course.crm = course.crm.map(|crm| Crm { champion_left: Some((12, false)), ..crm });
        }
        Story::Sev1 => {
            course.support = course.support.map(|support| Support { sev1_for: 24, oldest: 26, csat: 58.0, ..support });
        }
        Story::RequestedButAtRisk => {
            event(&mut course, yes("expansion_requested", 6));
            course.support = course.support.map(|support| Support { sev1_for: 19, oldest: 24, ..support });
        }
        Story::LatePayer => {
            course.billing = course.billing.map(|billing| Billing { overdue: 78, ..billing });
        }
        // SilentBeforeOptOut; the others have no course here.
        _ => course.crm = course.crm.map(|crm| Crm { last: 39, ..crm }),
    }
    course
}

fn watch(entry: &Entry, dice: &mut Dice) -> Course {
    let mut course = strained(entry, dice);
    let support = |course: &mut Course, change: fn(Support) -> Support| {
        course.support = course.support.take().map(change);
    };
    match entry.story {
        Story::CompetitorNamed => event(&mut course, yes("competitor_named", 16)),
        Story::MeetingsMoved => {
            event(&mut course, once("meeting_rescheduled", 33));
            event(&mut course, once("meeting_rescheduled", 11));
        }
        Story::Escalated => support(&mut course, |seen| Support { escalations: &[18, 6], oldest: 20, ..seen }),
        Story::LowCsat => support(&mut course, |seen| Support { csat: 55.0, ..seen }),
        Story::TicketSurge => support(&mut course, |seen| Support { lately: Some(seen.weekly * 3 + 3), ..seen }),
        Story::OldTicket => support(&mut course, |seen| Support { oldest: 63, ..seen }),
        Story::SuspiciousSilence => support(&mut course, |seen| Support { weekly: 0, oldest: 0, ..seen }),
        Story::PaymentFailures => {
            course.billing = course.billing.map(|billing| Billing { failures: &[41, 12], overdue: 31, ..billing });
        }
        Story::DiscountEnding => {
            course.billing = course.billing.map(|billing| Billing { discount_ends_in: Some(36), ..billing });
        }
        Story::Detractor => course.sentiment = Some(Sentiment { nps: 4.0, pulse: "amber" }),
        Story::PulseRed => course.sentiment = Some(Sentiment { nps: 8.0, pulse: "red" }),
        Story::SlowFade => {
            course.usage =
                course.usage.map(|usage| Usage { level: 0.48, since: 270, over: 265, seat_use: 0.36, ..usage });
        }
        // NoUsage: well otherwise.
        _ => course = Course { usage: None, ..flawless(entry, dice) },
    }
    course
}

fn well(entry: &Entry, dice: &mut Dice) -> Course {
    let mut course = healthy(entry, dice);
    let usage = |course: &mut Course, change: fn(Usage) -> Usage| {
        course.usage = course.usage.take().map(change);
    };
    match entry.story {
        Story::SeatPressure => usage(&mut course, |seen| Usage { seat_use: 0.9, assigned: 0.94, ..seen }),
        Story::LimitHit => {
            usage(&mut course, |seen| Usage { entitlement: 96.0, limit_hit: Some(7), ..seen });
        }
        Story::Growing => usage(&mut course, |seen| Usage { level: 1.45, since: 52, over: 4, ..seen }),
        Story::NewDepartment => event(&mut course, yes("new_department", 18)),
        Story::AskedForMore => {
            event(&mut course, yes("expansion_requested", 4));
            event(&mut course, Event { kind: "opportunity_amount", days_ago: 3, value: EventValue::PartOfArr(0.25) });
        }
        Story::ContentedSilence => {
            course.support = course.support.map(|support| Support { weekly: 0, oldest: 0, ..support });
            course.crm = course.crm.map(|crm| Crm { last: 6, ..crm });
        }
        Story::OneModule => {
            course = flawless(entry, dice);
            usage(&mut course, |seen| Usage { breadth: 0.13, ..seen });
        }
        Story::SingleThreaded => {
            course = flawless(entry, dice);
            course.crm = course.crm.map(|crm| Crm { last: 4, every: 7, reached: 1, ..crm });
        }
        Story::LateByHabit => {
            course.billing = course.billing.map(|billing| Billing { habit: 36, overdue: 36, ..billing });
        }
        Story::ChampionReplaced => {
            course.crm = course.crm.map(|crm| Crm { champion_left: Some((64, true)), ..crm });
        }
        Story::AutoRenewBack => {
            event(&mut course, yes("auto_renew", 240));
            event(&mut course, no("auto_renew", 130));
            event(&mut course, yes("auto_renew", 96));
        }
        Story::Steady => {
            if dice.chance(0.4) {
                event(&mut course, yes("exec_sponsor_met", 25));
            }
            // Some have a slow quarter: still healthy, with less to spare.
            if dice.chance(0.35) {
                usage(&mut course, |seen| Usage { level: 0.85, since: 45, over: 20, seat_use: 0.6, ..seen });
            }
        }
        // The others differ in their contract, not in their facts.
        _ => {}
    }
    course
}

fn beginning(entry: &Entry, dice: &mut Dice) -> Course {
    let project = |overdue, late_by, engagement, blocked_by_customer, blocked_by_us, first_value_days| Onboarding {
        overdue,
        late_by,
        engagement,
        blocked_by_customer,
        blocked_by_us,
        first_value_days,
    };
    match entry.story {
        Story::OnboardingLate => {
            let mut course = onboarding(entry, dice, project(4, 47, 18.0, 2, 0, Some(104)));
            course.crm = course.crm.map(|crm| Crm { last: 44, every: 15, reached: 1, ..crm });
            course.support = course.support.map(|support| Support { csat: 56.0, ..support });
            course.sentiment = Some(Sentiment { nps: 6.0, pulse: "red" });
            course
        }
        Story::OnboardingBlockedByUs => {
            let mut course = onboarding(entry, dice, project(3, 26, 52.0, 0, 2, None));
            course.support = course.support.map(|support| Support { csat: 62.0, oldest: 34, ..support });
            course.sentiment = Some(Sentiment { nps: 7.0, pulse: "amber" });
            course
        }
        Story::OnboardingSlipping => {
            let mut course = onboarding(entry, dice, project(1, 38, 76.0, 0, 0, None));
            course.support = course.support.map(|support| Support { csat: 68.0, ..support });
            course.sentiment = Some(Sentiment { nps: 8.0, pulse: "amber" });
            course
        }
        Story::OnboardingUnattended => {
            let mut course = onboarding(entry, dice, project(0, 10, 22.0, 0, 0, None));
            course.support = course.support.map(|support| Support { csat: 69.0, ..support });
            course.sentiment = Some(Sentiment { nps: 7.0, pulse: "amber" });
            course
        }
        Story::OnboardingSlowValue => {
            let mut course = onboarding(entry, dice, project(1, 12, 78.0, 0, 0, Some(116)));
            course.support = course.support.map(|support| Support { csat: 60.0, ..support });
            course.sentiment = Some(Sentiment { nps: 7.0, pulse: "amber" });
            course
        }
        Story::JustSigned => {
            let course = flawless(entry, dice);
            let crm = course.crm.map(|crm| Crm { last: 3, every: 6, ..crm });
            Course { usage: None, crm, support: None, billing: None, sentiment: None, ..course }
        }
        _ => onboarding(entry, dice, project(0, 3, good_engagement(entry), 0, 0, None)),
    }
}

/// Well above the 70 from which engagement is no risk; larger projects have more people who miss a meeting.
fn good_engagement(entry: &Entry) -> f64 {
    if entry.segment == Segment::Enterprise { 82.0 } else { 91.0 }
}

fn hardly_seen(entry: &Entry, dice: &mut Dice) -> Course {
    let course = healthy(entry, dice);
    match entry.story {
        Story::TooLittle => Course { usage: None, crm: None, support: None, ..course },
        Story::Stale => Course { silent_for: 190, ..course },
        Story::Churned => Course { silent_for: 100, ..course },
        // NoSignals.
        _ => Course { usage: None, crm: None, support: None, billing: None, sentiment: None, ..course },
    }
}

fn event(course: &mut Course, event: Event) {
    if let Some(crm) = &mut course.crm {
        crm.events.push(event);
    }
}
