//! The audit trail as the figures read it: steps of risks, handoffs and
//! renewals, and the offers and answers that they make up.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::handoff::Running;
use crate::domain::person::PersonId;

/// From a moment until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Stretch {
    pub fn contains(self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.until
    }
}

/// What happened, as far as a figure asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Opened, reopened or woken: it waits for an answer.
    RiskOpened,
    /// Acknowledged, a step set, snoozed or resolved.
    RiskAnswered,
    RiskEnded,
    WindowOpened,
    Qualified,
    Offered,
    Accepted,
    Declined,
    Expired,
    Withdrawn,
    HandedBack,
    Reassigned,
    /// Reassigned to somebody who holds it: there is no offer any more.
    Unoffered,
    Overridden,
    Won,
    Lost,
    /// Passed by its holder.
    Passed,
    /// Its dates are over, or its account has left.
    Closed,
    RenewalStep,
    /// A person moved the work towards a renewal, or ended it.
    RenewalMoved,
    /// A note, a pulse, feedback, a new champion.
    Noted,
}

impl FromStr for What {
    type Err = ();

    /// The names of product.md, "Audit events". Others are no step of a figure.
    fn from_str(event: &str) -> Result<Self, ()> {
        Ok(match event {
            "risk.opened" | "risk.reopened" | "risk.woken" => What::RiskOpened,
            "risk.acknowledged" | "risk.step_set" | "risk.snoozed" | "risk.resolved" => What::RiskAnswered,
            "risk.ended" => What::RiskEnded,
            "window.opened" => What::WindowOpened,
            "window.passed" => What::Passed,
            "window.closed" => What::Closed,
            "window.overridden" => What::Overridden,
            "handoff.qualified" => What::Qualified,
            "handoff.offered" => What::Offered,
            "handoff.accepted" => What::Accepted,
            "handoff.declined" => What::Declined,
            "handoff.expired" => What::Expired,
            "handoff.withdrawn" => What::Withdrawn,
            "handoff.handed_back" => What::HandedBack,
            "handoff.reassigned" => What::Reassigned,
            "handoff.won" => What::Won,
            "handoff.lost" => What::Lost,
            "renewal.step" => What::RenewalStep,
            "renewal.preparing" | "renewal.negotiating" | "renewal.renewed" | "renewal.contracted" | "renewal.lost" => {
                What::RenewalMoved
            }
            "note.added" => What::Noted,
            _ => return Err(()),
        })
    }
}

/// One event of the trail.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub at: DateTime<Utc>,
    /// `None` where a night, a clock or an import did it.
    pub by: Option<PersonId>,
    pub what: What,
    pub subject: Subject,
    pub account: Option<AccountId>,
    /// Of a handoff, after the step.
    pub accountable: Option<PersonId>,
    /// Whether the handoff is about a window; `None` where the event does not say.
    pub about_window: Option<bool>,
    /// The clock that ran before the step.
    pub clock: Option<Running>,
}

/// One offer of a handoff, from its making to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    pub handoff: Uuid,
    pub account: Option<AccountId>,
    /// Its window had been qualified by then.
    pub qualified: bool,
    pub at: DateTime<Utc>,
    /// Who answers for it; the last one, where it was reassigned.
    pub to: Option<PersonId>,
    pub clock: Option<Running>,
    pub end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Open,
    Accepted {
        at: DateTime<Utc>,
        by: Option<PersonId>,
    },
    Declined {
        by: Option<PersonId>,
    },
    Expired,
    /// Taken back, passed or closed before anyone answered.
    Withdrawn,
}

/// How an offer stands towards its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    InTime,
    /// Accepted after its time, or still open after it.
    Late,
    Expired,
    Declined,
    Withdrawn,
    /// Open, its time not over.
    Waiting,
}

impl Offer {
    pub fn standing(&self, now: DateTime<Utc>) -> Standing {
        let after = |at: DateTime<Utc>| self.clock.is_some_and(|clock| clock.due < at);
        match self.end {
            End::Accepted { at, .. } if after(at) => Standing::Late,
            End::Accepted { .. } => Standing::InTime,
            End::Open if after(now) => Standing::Late,
            End::Open => Standing::Waiting,
            End::Expired => Standing::Expired,
            End::Declined { .. } => Standing::Declined,
            End::Withdrawn => Standing::Withdrawn,
        }
    }

    /// Who answered it, else who should.
    pub fn whose(&self) -> Option<PersonId> {
        match self.end {
            End::Accepted { by, .. } | End::Declined { by } => by.or(self.to),
            End::Open | End::Expired | End::Withdrawn => self.to,
        }
    }

    /// From when it was shown, or else made, until it was accepted; in hours.
    pub fn hours_to_accept(&self) -> Option<f64> {
        let End::Accepted { at, .. } = self.end else { return None };
        let shown = self.clock.map_or(self.at, |clock| clock.since);
        Some(hours(shown, at))
    }
}

pub(super) fn hours(from: DateTime<Utc>, until: DateTime<Utc>) -> f64 {
    // Below 2^53 seconds, so exact.
    ((until - from).num_seconds().max(0)) as f64 / 3_600.0
}

/// The steps by what they are about, in order.
pub(super) fn by_subject(steps: &[Step]) -> BTreeMap<&Subject, Vec<&Step>> {
    let mut map: BTreeMap<&Subject, Vec<&Step>> = BTreeMap::new();
    for step in steps {
        map.entry(&step.subject).or_default().push(step);
    }
    map
}

/// Every offer in the steps; `running` has the clocks of what is open now.
pub fn offers(steps: &[Step], running: &BTreeMap<Uuid, Running>) -> Vec<Offer> {
    let mut offers = Vec::new();
    for (subject, steps) in by_subject(steps) {
        let Subject::Handoff(handoff) = *subject else { continue };
        let mut qualified = false;
        let mut open: Option<Offer> = None;
        for step in steps {
            let end = match step.what {
                What::Qualified => {
                    qualified = true;
                    continue;
                }
                What::Offered => {
                    // An offer made over another one took it back.
                    offers.extend(open.take().map(|offer| Offer { end: End::Withdrawn, ..offer }));
                    open = Some(Offer {
                        handoff,
                        account: step.account.clone(),
                        qualified,
                        at: step.at,
                        to: step.accountable,
                        clock: None,
                        end: End::Open,
                    });
                    continue;
                }
                What::Reassigned => {
                    if let Some(offer) = &mut open {
                        offer.to = step.accountable.or(offer.to);
                    }
                    continue;
                }
                What::Accepted => End::Accepted { at: step.at, by: step.by },
                What::Declined => End::Declined { by: step.by },
                What::Expired => End::Expired,
                What::Withdrawn | What::Unoffered | What::Passed | What::Closed => End::Withdrawn,
                _ => continue,
            };
            offers.extend(open.take().map(|offer| Offer { end, clock: step.clock, ..offer }));
        }
        offers.extend(open.map(|offer| Offer { clock: running.get(&handoff).copied(), ..offer }));
    }
    offers
}
