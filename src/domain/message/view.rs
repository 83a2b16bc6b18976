//! What the messages are told: plain values that the app layer reads from the
//! store and fills in. Names of colleagues are first names, or "you" for the
//! person who reads; wording never puts a verb behind them that would not fit both.

use chrono::NaiveDate;
use uuid::Uuid;

use crate::domain::account::{AccountId, Segment};
pub use crate::domain::angle::Angle;
use crate::domain::diagnosis::{Band, Cause, Change, RenewalRead, WindowKind};
use crate::domain::money::Money;
pub use crate::domain::renewal::{Deadline, DeadlineKind};
pub use crate::domain::risk::Resolution;

/// What every card says about its account.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountView {
    pub id: AccountId,
    pub name: String,
    /// From which side the reader reads it.
    pub angle: Angle,
    /// In the CRM.
    pub url: Option<String>,
    pub arr: Option<Money>,
    pub segment: Option<Segment>,
    pub health: Option<u8>,
    /// Of the latest earlier diagnosis.
    pub previous_health: Option<u8>,
    pub band: Band,
    pub change: Change,
    /// First name.
    pub csm: Option<String>,
    /// First name, or how the pool that stands in is called ("the EMEA pool").
    pub account_manager: Option<String>,
    /// One sentence for each detour of the routing: who stands in, and why.
    pub detours: Vec<String>,
    /// What is done about its risk, while it has one that is not over.
    pub risk: Option<RiskState>,
    /// Of the diagnosis that the card is made from; `None` before the first. The same for everybody.
    pub diagnosis: Option<Uuid>,
}

/// Why a card is shown today (product.md, "Due").
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Never shown before.
    New,
    Worse,
    /// A decision signal: the headline of its cause says which.
    Decision,
    NextStepDue,
    /// So many days before the deadline.
    LadderStep(u16),
    /// Working days since it was first shown.
    Unacknowledged(u16),
    /// Its snooze is over, or it was reopened.
    Woken,
    /// A person or the routing gave it to the reader.
    Offered,
    /// Looked up, not due.
    Asked,
}

/// An open expansion window, in one line of a card about something else.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowLine {
    pub handoff: Uuid,
    pub kind: WindowKind,
    pub amount: Option<Money>,
    /// False where a person named the amount.
    pub estimated: bool,
    pub closes_on: NaiveDate,
    /// Who has it now.
    pub holder: Option<String>,
    pub withheld: Option<Withheld>,
    pub co_term: bool,
}

/// Why a window is not on the AM's list now; on an explicit request, the warning that it carries instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// The headline of the first cause.
    pub cause: String,
    /// Who has acknowledged the risk.
    pub handled_by: Option<String>,
    /// With whom it lies, where nobody has.
    pub with: Option<String>,
    pub since: NaiveDate,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RiskView {
    pub account: AccountView,
    pub risk: Uuid,
    pub state: RiskState,
    /// First day of this episode.
    pub since: NaiveDate,
    /// Who raised it and why; `None` where the rules opened it.
    pub raised: Option<NoteView>,
    pub churned_on: Option<NaiveDate>,
    /// The diagnosis's causes, in its order: floors first, then largest.
    pub causes: Vec<Cause>,
    pub deadline: Option<Deadline>,
    pub windows: Vec<WindowLine>,
    pub why: Why,
    pub handed: Option<HandedLine>,
    pub last_note: Option<NoteView>,
    pub may_act: bool,
    /// Acknowledged, its next step overdue: one tap says that somebody is still on it.
    pub asked: bool,
    /// The reader leads the one who has to act: nudging and reassigning come first.
    pub leads: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RiskState {
    Open,
    Acknowledged {
        by: String,
        on: NaiveDate,
        /// `None` until somebody says what it is; it is due all the same.
        step: Option<String>,
        due: NaiveDate,
    },
    Snoozed {
        by: String,
        on: NaiveDate,
        until: NaiveDate,
    },
    Resolved {
        by: String,
        on: NaiveDate,
        how: Resolution,
        note: Option<String>,
    },
    /// By itself: health was back for three nights, or the account has left.
    Ended {
        on: NaiveDate,
        left: bool,
    },
}

/// A risk that was handed to the other side, in one line of the risk's card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedLine {
    pub from: String,
    pub to: String,
    /// When it was handed over; once it is accepted, when that was.
    pub on: NaiveDate,
    pub accepted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteView {
    pub by: String,
    pub on: NaiveDate,
    pub text: String,
}

/// What the reader is to a handoff. Where several hold, the first of this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// It lies with the reader: as detector, as the one who qualified it, or as the one who accepted it.
    Holder,
    /// It is offered to the reader, or to a pool of the reader's.
    Offered,
    /// The reader offered it and waits.
    Offerer,
    /// The account's AM (or pool), while somebody else has it.
    AccountManager,
    /// Leads somebody who has it or has to answer.
    Lead,
    /// Sees it only.
    Onlooker,
}

/// Where a handoff stands, with what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandoffState {
    /// `until` is `None` while no clock runs (withheld, or not yet shown).
    Detected {
        holder: String,
        until: Option<NaiveDate>,
    },
    Qualified {
        by: String,
        on: NaiveDate,
        /// Where that is somebody else.
        holder: Option<String>,
    },
    Offered {
        /// First name or the pool's name.
        to: String,
        /// The pool's accountable person.
        answers_for_pool: Option<String>,
        /// `None` where a rule offered it.
        by: Option<String>,
        until: Option<NaiveDate>,
    },
    Accepted {
        by: String,
        on: NaiveDate,
    },
    Declined {
        by: String,
        on: NaiveDate,
        reason: String,
        back_to: String,
    },
    Expired {
        on: NaiveDate,
        back_to: String,
    },
    HandedBack {
        by: String,
        on: NaiveDate,
        note: String,
        back_to: String,
    },
    Withdrawn {
        by: String,
        on: NaiveDate,
    },
    Passed {
        by: String,
        on: NaiveDate,
        reason: String,
    },
    Won {
        by: String,
        on: NaiveDate,
        amount: Option<Money>,
    },
    Lost {
        by: String,
        on: NaiveDate,
        reason: String,
    },
    /// For everybody: its dates are over, or its account has left.
    Closed {
        on: NaiveDate,
        reason: String,
    },
}

/// What a CSM confirmed: with it a window is a CSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QualificationView {
    /// Who and when, where that is known.
    pub confirmed: Option<(String, NaiveDate)>,
    pub need: String,
    pub contact: String,
    pub timing: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct WindowView {
    pub account: AccountView,
    pub handoff: Uuid,
    pub kind: WindowKind,
    pub reason: String,
    pub amount: Option<Money>,
    /// False where a person named the amount.
    pub estimated: bool,
    pub closes_on: NaiveDate,
    pub co_term: bool,
    pub deadline: Option<Deadline>,
    pub state: HandoffState,
    /// Withheld, or (for a request by the customer) the warning.
    pub withheld: Option<Withheld>,
    /// It was offered because the detector's days ran out.
    pub timed_out: bool,
    /// One person holds both roles: whoever detects may claim.
    pub solo: bool,
    pub qualification: Option<QualificationView>,
    /// The person who raised it; `None` where a rule found it.
    pub raised_by: Option<String>,
    /// Why somebody went around the health gate, and who.
    pub overridden: Option<NoteView>,
    /// Of the account, so that the AM sees them.
    pub causes: Vec<Cause>,
    pub part: Part,
    pub why: Why,
    pub may_act: bool,
    /// Claimed and idle: one tap says that somebody is still on it.
    pub asked: bool,
}

/// A risk that a colleague handed over ("to weigh commercially"), or a warning to the CSM ("budget cut").
#[derive(Debug, Clone, PartialEq)]
pub struct HandedRiskView {
    pub account: AccountView,
    pub handoff: Uuid,
    /// Who said it.
    pub from: String,
    /// When it was handed over; `None` where that is not known.
    pub on: Option<NaiveDate>,
    pub note: String,
    /// True from AM to CSM.
    pub warning: bool,
    pub state: HandoffState,
    pub causes: Vec<Cause>,
    pub deadline: Option<Deadline>,
    pub part: Part,
    pub may_act: bool,
    /// As of a window.
    pub asked: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RenewalView {
    pub account: AccountView,
    pub renewal: Uuid,
    pub state: RenewalState,
    pub part: RenewalPart,
    /// Who answers for the renewal.
    pub owner: Option<String>,
    /// The other half of the pair.
    pub other: Option<String>,
    pub read: RenewalRead,
    pub brief: Option<BriefView>,
    pub causes: Vec<Cause>,
    pub windows: Vec<WindowLine>,
    pub why: Why,
    pub may_act: bool,
    /// Under way and idle: one tap says that somebody is still on it.
    pub asked: bool,
    /// The customer has served notice: it does not renew, unless they are won back.
    pub notice_served: bool,
    /// The reader leads whoever owns it.
    pub leads: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenewalState {
    Upcoming,
    Preparing {
        since: NaiveDate,
    },
    Negotiating {
        since: NaiveDate,
    },
    /// `by` is `None` where imported data said so; the amount is the ARR after it.
    Renewed {
        by: Option<String>,
        on: NaiveDate,
        amount: Option<Money>,
    },
    Contracted {
        by: Option<String>,
        on: NaiveDate,
        amount: Option<Money>,
    },
    /// The reason is empty where an import gave none.
    Lost {
        by: Option<String>,
        on: NaiveDate,
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RenewalPart {
    Owner,
    /// Adds the value brief.
    Prepares,
    Informed,
}

/// The CSM's value brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BriefView {
    pub by: String,
    pub on: NaiveDate,
    /// As [`super::form::brief_text`] wrote it.
    pub text: String,
}
