//! Who the customers are and what happens to each: one line an account. All names are invented.

use super::people::{DANA, JONAS, LUKAS, PRIYA, SOFIA, TOM};
use crate::domain::account::Segment;
use crate::domain::account::Segment::{Enterprise, MidMarket, Smb};
use crate::domain::money::Currency;

/// What an account was made to show. The comment says what the diagnosis should find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Story {
    // At risk.
    /// Use falls to a third within five weeks, and nobody has spoken since.
    Collapse,
    /// Floor: the contract is cancelled.
    NoticeServed,
    /// Floor: auto-renewal went from true to false.
    AutoRenewOff,
    /// Floor.
    DowngradeRequested,
    /// Floor: the only champion has gone.
    ChampionLeft,
    /// Floor: a severity-1 ticket for more than two weeks.
    Sev1,
    /// Floor: far beyond its own habit.
    LatePayer,
    /// Floor: the opt-out date is near and nobody has spoken for a month.
    SilentBeforeOptOut,
    /// A window that is never withheld, with a warning.
    RequestedButAtRisk,
    /// A seats window withheld by the health gate.
    FragileGrowth,
    /// Milestones overdue, the customer blocks, engagement is low.
    OnboardingLate,
    // Watch: strained use, and one cause more.
    CompetitorNamed,
    MeetingsMoved,
    Escalated,
    LowCsat,
    TicketSurge,
    OldTicket,
    /// No tickets, and use falls.
    SuspiciousSilence,
    PaymentFailures,
    DiscountEnding,
    Detractor,
    PulseRed,
    /// Never a sharp drop, half of the peak after nine months.
    SlowFade,
    OnboardingBlockedByUs,
    /// The go-live moves from week to week, for many small reasons.
    OnboardingSlipping,
    /// On plan, but the customer's people stay away.
    OnboardingUnattended,
    /// Live, and it took nearly four months until it was worth something.
    OnboardingSlowValue,
    /// Usage is not connected: never green.
    NoUsage,
    // Healthy.
    Steady,
    SeatPressure,
    LimitHit,
    Growing,
    NewDepartment,
    AskedForMore,
    /// No tickets, and good use.
    ContentedSilence,
    OnboardingOnTrack,
    /// Uses one part of all that it pays for, and that one well.
    OneModule,
    /// Spoken to often, and always to the same one person.
    SingleThreaded,
    /// Steps of the renewal ladder do not apply.
    MonthlyTerm,
    NoticeMissing,
    OptOutPassed,
    /// The renewal date has gone by without an outcome.
    RenewalOverdue,
    /// Pays five weeks late, always.
    LateByHabit,
    /// The champion left, another is active.
    ChampionReplaced,
    /// Auto-renewal was off for a while.
    AutoRenewBack,
    // Unknown.
    /// Not one signal.
    NoSignals,
    /// Billing and sentiment alone.
    TooLittle,
    /// Delivered once, long ago.
    Stale,
    JustSigned,
    // Gone.
    Churned,
}

/// Who looks after an account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Desk {
    pub(super) csm: Option<&'static str>,
    pub(super) account_manager: Option<&'static str>,
    pub(super) pool: bool,
}

const fn pair(csm: &'static str, account_manager: &'static str) -> Desk {
    Desk { csm: Some(csm), account_manager: Some(account_manager), pool: false }
}

const fn pooled(csm: &'static str) -> Desk {
    Desk { csm: Some(csm), account_manager: None, pool: true }
}

const DANA_TOM: Desk = pair(DANA, TOM);
const DANA_SOFIA: Desk = pair(DANA, SOFIA);
const PRIYA_SOFIA: Desk = pair(PRIYA, SOFIA);
const LUKAS_TOM: Desk = pair(LUKAS, TOM);
const BOTH_JONAS: Desk = pair(JONAS, JONAS);
const DANA_POOL: Desk = pooled(DANA);
const PRIYA_POOL: Desk = pooled(PRIYA);
const LUKAS_POOL: Desk = pooled(LUKAS);
const NO_CSM: Desk = Desk { csm: None, account_manager: Some(SOFIA), pool: false };
const NO_AM: Desk = Desk { csm: Some(PRIYA), account_manager: None, pool: false };
const NOBODY: Desk = Desk { csm: None, account_manager: None, pool: false };

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) story: Story,
    pub(super) segment: Segment,
    pub(super) desk: Desk,
    /// Thousands a year.
    pub(super) arr: i64,
    pub(super) currency: Currency,
    /// Days from today to the opt-out date; negative when it has passed.
    pub(super) opt_out_in: i64,
}

const fn on(name: &'static str, story: Story, segment: Segment, desk: Desk, arr: i64, opt_out_in: i64) -> Entry {
    Entry { name, story, segment, desk, arr, currency: Currency::USD, opt_out_in }
}

impl Entry {
    const fn eur(self) -> Self {
        Self { currency: Currency::EUR, ..self }
    }

    const fn gbp(self) -> Self {
        Self { currency: Currency::GBP, ..self }
    }
}

use Story::*;

#[rustfmt::skip]
pub(super) const BOOK: &[Entry] = &[
    // What a visitor meets first.
    on("Kestrel Robotics", Collapse, Enterprise, DANA_TOM, 480, 74),
    on("Halden & Frost Logistics", NoticeServed, Enterprise, DANA_TOM, 640, 41),
    on("Marlowe Street Bank", SeatPressure, Enterprise, DANA_TOM, 900, 96),
    on("Vireo Health Systems", ChampionLeft, Enterprise, DANA_SOFIA, 310, 118),
    on("Copperline Energy", RequestedButAtRisk, Enterprise, DANA_TOM, 355, 150),
    on("Ostrava Maschinenbau", AutoRenewOff, MidMarket, LUKAS_TOM, 148, 58).eur(),
    on("Pelham Grove Insurance", SilentBeforeOptOut, Enterprise, LUKAS_TOM, 275, 19).gbp(),
    on("Tamarind Foods", Sev1, MidMarket, PRIYA_SOFIA, 132, 205),
    on("Juniper & Oak Retail", DowngradeRequested, MidMarket, PRIYA_SOFIA, 96, 83),
    on("Silverbrook Media", LatePayer, MidMarket, DANA_SOFIA, 88, 140),
    on("Quillfeather Publishing", FragileGrowth, MidMarket, PRIYA_SOFIA, 120, 110),
    on("Borealis Freight", OnboardingLate, MidMarket, DANA_SOFIA, 104, 215),
    // Watch.
    on("Anselm Pharma Research", CompetitorNamed, Enterprise, LUKAS_TOM, 390, 88).eur(),
    on("Tidewater Civic Services", MeetingsMoved, MidMarket, DANA_SOFIA, 76, 133),
    on("Redfern Analytics", Escalated, MidMarket, PRIYA_SOFIA, 112, 176),
    on("Calder Valley Textiles", LowCsat, MidMarket, LUKAS_TOM, 64, 210).gbp(),
    on("Bright Harbor Clinics", TicketSurge, Enterprise, DANA_TOM, 260, 231),
    on("Stonecrop Builders", OldTicket, MidMarket, BOTH_JONAS, 52, 97),
    on("Lantern Bay Hotels", SuspiciousSilence, MidMarket, PRIYA_SOFIA, 84, 66),
    on("Figtree Catering", PaymentFailures, Smb, DANA_POOL, 14, 122),
    on("Nimbus Courier", DiscountEnding, Smb, PRIYA_POOL, 22, 47),
    on("Arbor Lane Schools", Detractor, MidMarket, DANA_SOFIA, 58, 187),
    on("Seaglass Studios", PulseRed, Smb, LUKAS_POOL, 18, 160).eur(),
    on("Greyfield Aggregates", SlowFade, Enterprise, LUKAS_TOM, 215, 124),
    on("Wexcombe Utilities", OnboardingBlockedByUs, Enterprise, DANA_TOM, 330, 262).gbp(),
    on("Palomar Printworks", NoUsage, MidMarket, PRIYA_SOFIA, 71, 143),
    // Healthy, with something to sell.
    on("Zephyr Mobility", SeatPressure, MidMarket, PRIYA_SOFIA, 126, 164),
    on("Cobalt Creek Games", SeatPressure, Smb, DANA_POOL, 36, 71),
    on("Meridian Orchard Supply", LimitHit, MidMarket, DANA_SOFIA, 92, 201),
    on("Tangent Labs", LimitHit, Smb, LUKAS_POOL, 27, 158).eur(),
    on("Sable Point Security", Growing, Enterprise, DANA_TOM, 420, 237),
    on("Ironbark Outfitters", Growing, MidMarket, BOTH_JONAS, 68, 182),
    on("Pemberly Learning", Growing, Smb, PRIYA_POOL, 31, 244),
    on("Falkirk Marine", NewDepartment, Enterprise, LUKAS_TOM, 285, 172).gbp(),
    on("Opaline Cosmetics", NewDepartment, MidMarket, PRIYA_SOFIA, 79, 99),
    on("Drumlin Aerospace", AskedForMore, Enterprise, DANA_TOM, 560, 193),
    on("Hazelwick Interiors", AskedForMore, Smb, DANA_POOL, 24, 128),
    // Healthy, with something to know.
    on("Larkspur Legal", ContentedSilence, MidMarket, PRIYA_SOFIA, 83, 215),
    on("Mossgate Architects", ContentedSilence, MidMarket, BOTH_JONAS, 49, 137),
    on("Tallowfield Farms", OnboardingOnTrack, MidMarket, PRIYA_SOFIA, 66, 270),
    on("Cinderhill Brewing", OnboardingOnTrack, Smb, DANA_POOL, 16, 280),
    on("Orrin Biotech", OnboardingOnTrack, Enterprise, LUKAS_TOM, 340, 260).eur(),
    on("Paperlane Agency", MonthlyTerm, Smb, PRIYA_POOL, 6, 12),
    on("Rookery Coffee", MonthlyTerm, Smb, LUKAS_POOL, 8, 17),
    on("Glasswing Telecom", NoticeMissing, Enterprise, DANA_TOM, 365, 102),
    on("Thornbury Dairy", NoticeMissing, Smb, PRIYA_POOL, 12, 87),
    on("Elmsworth Trust", OptOutPassed, MidMarket, DANA_SOFIA, 118, -12),
    on("Saltmarsh Yachts", OptOutPassed, Smb, DANA_POOL, 20, -9),
    on("Cardinal Loom", RenewalOverdue, MidMarket, BOTH_JONAS, 57, -64),
    on("Verity Municipal Works", LateByHabit, Enterprise, DANA_TOM, 240, 226),
    on("Bluethorn Diagnostics", ChampionReplaced, MidMarket, PRIYA_SOFIA, 101, 148),
    on("Ashgrove Packaging", AutoRenewBack, MidMarket, LUKAS_TOM, 74, 113).eur(),
    // Healthy and quiet; the first five stand on a step of the renewal ladder today.
    on("Nettlecombe Housing", Steady, MidMarket, DANA_SOFIA, 90, 180),
    on("Kingfisher Rail", Steady, Enterprise, DANA_TOM, 510, 120),
    on("Solstice Eyewear", Steady, MidMarket, PRIYA_SOFIA, 62, 90),
    on("Umbra Lighting", Steady, Smb, PRIYA_POOL, 19, 60),
    on("Willowmere Care Homes", Steady, MidMarket, LUKAS_TOM, 97, 30).gbp(),
    on("Bracken Ridge Mining", Steady, Enterprise, DANA_TOM, 230, 310),
    on("Foxglove Florists", Steady, Smb, BOTH_JONAS, 9, 215),
    on("Harrowgate Seeds", Steady, Smb, BOTH_JONAS, 15, 290),
    on("Inkwell Stationers", Steady, Smb, DANA_POOL, 11, 240),
    on("Lowland Ferries", Steady, MidMarket, NO_CSM, 110, 195),
    on("Peregrine Optics", Steady, MidMarket, NO_AM, 86, 166),
    on("Skerry Seafood", Steady, Smb, NOBODY, 13, 222),
    on("Trellis Software", Steady, Smb, BOTH_JONAS, 38, 251),
    // Too little to say.
    on("Aldermoor Estates", NoSignals, Smb, PRIYA_POOL, 17, 154),
    on("Cloverfield Events", TooLittle, Smb, LUKAS_POOL, 10, 99),
    on("Dunmore Castings", TooLittle, MidMarket, BOTH_JONAS, 53, 276),
    on("Everline Cycles", Stale, Smb, DANA_POOL, 21, 131),
    on("Petrel Ventures", JustSigned, MidMarket, PRIYA_SOFIA, 78, 323),
    // Gone.
    on("Windlass Tools", Churned, Smb, PRIYA_POOL, 23, -95),
    on("Gantry & Pike", Churned, MidMarket, DANA_SOFIA, 61, -160),
    // What is seldom the only trouble of a customer.
    on("Harcastle Ceramics", OneModule, MidMarket, DANA_TOM, 82, 178),
    on("Ellerby Water", SingleThreaded, Enterprise, LUKAS_TOM, 295, 205).gbp(),
    on("Marchbanks Brokers", OnboardingSlipping, MidMarket, PRIYA_SOFIA, 88, 245),
    on("Tollgate Parking", OnboardingUnattended, Smb, DANA_POOL, 26, 275),
    on("Fenwick Observatory", OnboardingSlowValue, MidMarket, LUKAS_TOM, 73, 215).eur(),
];
