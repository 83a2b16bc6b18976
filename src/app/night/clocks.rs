//! The clocks of handoffs by day: a window that its detector held too long is
//! offered on, an offer that nobody took comes back.

use chrono::NaiveDate;
use serde_json::json;
use uuid::Uuid;

use super::super::content::{About, Content};
use super::super::snapshot::Snapshot;
use super::super::{App, notice as telling};
use crate::domain::account::{Account, AccountId};
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::handoff::{Handoff, HandoffEvent, Running, State};
use crate::domain::person::{OrgId, PersonId};
use crate::domain::routing::{Nobody, Seat};
use crate::store::audit::{self, Actor, Entry};
use crate::store::{Tenant, account, handoff, message};

/// What the clocks did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clocks {
    /// One for each handoff that moved: whom it told.
    pub notices: Vec<ClockNotice>,
}

/// A handoff whose time is over, and who heard of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockNotice {
    pub handoff: Uuid,
    pub account: AccountId,
    pub what: RanOut,
    /// A pool's members, both sides and the late person's lead, each once.
    pub tell: Vec<PersonId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RanOut {
    /// The detector's time: offered to the other half of the pair, marked "not qualified".
    OfferedUnqualified { held_by: PersonId, to: Seat },
    /// The time to accept: back to who had offered it, or to the lead where a rule had.
    Expired { late: PersonId, back_to: PersonId, lead: PersonId },
}

/// Settles every clock that has run out, each in a transaction of its own. Withheld handoffs have no clock.
pub async fn clocks(app: &App, org: OrgId) -> anyhow::Result<Clocks> {
    let mut tx = app.store.tenant(org).await?;
    let due = handoff::due(&mut tx, app.now()).await?;
    drop(tx);
    let mut clocks = Clocks::default();
    for id in due {
        match settle(app, org, id).await {
            Ok(notice) => clocks.notices.extend(notice),
            // One that can't be settled must not hold up the others; it is tried again the next time.
            Err(error) => tracing::error!(%org, handoff = %id, "a handoff's clock could not be settled: {error:#}"),
        }
    }
    if !clocks.notices.is_empty() {
        app.outbox_bell.notify_waiters();
    }
    Ok(clocks)
}

async fn settle(app: &App, org: OrgId, id: Uuid) -> anyhow::Result<Option<ClockNotice>> {
    let now = app.now();
    let mut tx = app.store.tenant(org).await?;
    let Some(handoff) = handoff::lock(&mut tx, id).await? else { return Ok(None) };
    if handoff.due().is_none_or(|due| due > now) {
        // Somebody acted between the look and the lock.
        return Ok(None);
    }
    let snapshot = app.snapshot(&mut tx).await?;
    let Some(account) = account::some(&mut tx, std::slice::from_ref(&handoff.account)).await?.pop() else {
        return Ok(None);
    };
    let today = calendar::local_date(snapshot.organisation.timezone, now);
    let clock = handoff.running();
    let (moved, event, notice) = run_out(handoff, &account, &snapshot, today, now)?;
    save(&mut tx, &moved, event, clock, now).await?;
    let word = event.as_str().rsplit('.').next().unwrap_or_default().to_owned();
    let content = Content::Notice { about: About::Handoff(id), event: word, version: moved.version(), by: None };
    telling::notify(&mut tx, &snapshot, notice.tell.iter().copied(), &content, Some(&notice.account), now).await?;
    tx.commit().await?;
    Ok(Some(notice))
}

async fn save(
    tx: &mut Tenant,
    moved: &Handoff,
    event: HandoffEvent,
    clock: Option<Running>,
    now: chrono::DateTime<chrono::Utc>,
) -> anyhow::Result<()> {
    handoff::save(tx, moved).await?;
    let data = json!({
        "account": moved.account,
        "accountable": moved.accountable(),
        "why": "clock",
        "clock": clock,
    });
    let entry = Entry::new(event.as_str(), Subject::Handoff(moved.id), data);
    audit::record(tx, Actor::System, now, &[entry]).await?;
    message::queue_redraws(tx, std::slice::from_ref(&moved.account), now).await
}

fn run_out(
    handoff: Handoff,
    account: &Account,
    snapshot: &Snapshot,
    today: NaiveDate,
    now: chrono::DateTime<chrono::Utc>,
) -> anyhow::Result<(Handoff, HandoffEvent, ClockNotice)> {
    let (id, late) = (handoff.id, handoff.accountable().ok_or(Nobody)?);
    let lead = snapshot.people.lead_of(late, today).ok_or(Nobody)?;
    let from = match handoff.state() {
        State::Offered { from, .. } => *from,
        _ => None,
    };
    let (moved, event, what) = if matches!(handoff.state(), State::Detected { .. }) && !handoff.is_solo() {
        let route = snapshot.route(account, today)?.account_manager;
        // The detector has become the account manager too: their lead decides.
        let to = if route == Seat::Person(late) { Seat::Person(lead) } else { route };
        let (moved, event) = handoff.offer_unqualified(to.clone(), now)?;
        (moved, event, RanOut::OfferedUnqualified { held_by: late, to })
    } else {
        let (moved, event) = handoff.expire(lead, now)?;
        let back_to = from.unwrap_or(lead);
        (moved, event, RanOut::Expired { late, back_to, lead })
    };
    // A pool's offer is for its members, not only for the lead who answers for it.
    let members = match moved.state() {
        State::Offered { to: Seat::Pool { name, .. }, .. } => snapshot.people.pool(name),
        _ => &[],
    };
    let mut tell: Vec<PersonId> = members.to_vec();
    for person in moved.accountable().into_iter().chain([late]).chain(from).chain(lead_to_tell(&what)) {
        if !tell.contains(&person) {
            tell.push(person);
        }
    }
    Ok((moved, event, ClockNotice { handoff: id, account: account.id.clone(), what, tell }))
}

fn lead_to_tell(what: &RanOut) -> Option<PersonId> {
    match what {
        RanOut::OfferedUnqualified { .. } => None,
        RanOut::Expired { lead, .. } => Some(*lead),
    }
}
