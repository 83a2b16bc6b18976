//! What a person has open, each kind in the one order in which the home page and the commands' lists show it; and the
//! accounts that somebody may mean by a name.

use super::act::rights;
use super::read::AccountRead;
use super::views::Reader;
use super::{morning, team};
use crate::domain::account::{Account, AccountId};
use crate::domain::handoff::Handoff;
use crate::domain::message::list::{self, HandoffLine, SnoozedLine};
use crate::domain::message::view::{Part, RenewalView, RiskView, Why, WindowView};
use crate::domain::person::Person;
use crate::domain::risk;
use crate::domain::routing::Access;
use crate::store::{Tenant, account as accounts};

/// The accounts that a list is about, by id: one's own, or one's team's.
pub(super) async fn book(tx: &mut Tenant, reader: Reader<'_>, person: &Person) -> anyhow::Result<Vec<AccountRead>> {
    let mut book = morning::book(tx, reader.snapshot, person, reader.now).await?;
    if book.is_empty() {
        // A lead has no book of their own: what they ask about is their team's.
        book = team::book_of(tx, reader, person).await?;
    }
    Ok(book.into_values().collect())
}

/// Of the accounts that may be meant, those that this reader may see, in the same order; all of them for nobody in
/// particular, which is the command line.
pub(super) async fn found(tx: &mut Tenant, reader: Reader<'_>, ids: &[AccountId]) -> anyhow::Result<Vec<Account>> {
    let mut found = Vec::new();
    for account in accounts::some(tx, ids).await? {
        let seen = match reader.person {
            None => true,
            Some(person) => rights::has_access(tx, reader.snapshot, person, &account, Access::See, reader.now).await?,
        };
        if seen {
            found.push(account);
        }
    }
    found.sort_by_key(|account| ids.iter().position(|id| *id == account.id));
    Ok(found)
}

/// What nobody acknowledged first, then a customer's decision to end it, then the largest expected loss; snoozed ones
/// last.
pub(super) fn risks(reader: Reader<'_>, book: &[AccountRead]) -> Vec<RiskView> {
    let mut found: Vec<((u8, bool), f64, RiskView)> = book
        .iter()
        .filter_map(|read| {
            let risk = read.risk.as_ref()?;
            let answered = match risk.state() {
                risk::State::Open => 0,
                risk::State::Acknowledged { .. } => 1,
                risk::State::Snoozed { .. } => 2,
                risk::State::Resolved { .. } | risk::State::Ended => return None,
            };
            let view = reader.risk(read, risk, Why::Asked);
            let arr = read.account.arr.and_then(|arr| reader.snapshot.rates.major(arr)).unwrap_or(0.0);
            let loss = arr * f64::from(100 - view.account.health.unwrap_or(50).min(100));
            let ends = view.causes.iter().any(|cause| cause.rule == "notice_served");
            Some(((answered, !ends), loss, view))
        })
        .collect();
    found.sort_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| b.1.total_cmp(&a.1)).then_with(|| a.2.account.id.cmp(&b.2.account.id))
    });
    found.into_iter().map(|(_, _, view)| view).collect()
}

/// By deadline; what has none ahead is overdue and goes first.
pub(super) fn renewals(reader: Reader<'_>, book: &[AccountRead]) -> Vec<RenewalView> {
    let open = |read: &AccountRead| {
        let work = read.renewal.as_ref().filter(|work| work.is_open())?;
        reader.renewal(read, work, Why::Asked)
    };
    let mut views: Vec<RenewalView> = book.iter().filter_map(open).collect();
    views.sort_by(|a, b| (a.read.next_deadline, &a.account.id).cmp(&(b.read.next_deadline, &b.account.id)));
    views
}

/// By the day on which they wake.
pub(super) fn snoozed(reader: Reader<'_>, book: &[AccountRead]) -> Vec<SnoozedLine> {
    let mut lines: Vec<SnoozedLine> = book
        .iter()
        .filter_map(|read| match read.risk.as_ref()?.state() {
            risk::State::Snoozed { by, until, .. } => Some(SnoozedLine {
                account: read.account.name.clone(),
                what: "risk".to_owned(),
                by: reader.name(*by),
                until: *until,
            }),
            _ => None,
        })
        .collect();
    lines.sort_by(|a, b| (a.until, &a.account).cmp(&(b.until, &b.account)));
    lines
}

/// What is open between two people.
#[derive(Clone, Copy)]
pub(super) struct InHand<'b> {
    pub(super) read: &'b AccountRead,
    pub(super) handoff: &'b Handoff,
    /// The reader's.
    pub(super) part: Part,
}

impl InHand<'_> {
    pub(super) fn line(&self, reader: Reader<'_>) -> HandoffLine {
        HandoffLine {
            account: self.read.account.name.clone(),
            what: list::what(&self.handoff.matter),
            state: reader.handoff_state(self.handoff),
        }
    }
}

/// By account.
pub(super) fn in_hand<'b>(reader: Reader<'_>, book: &'b [AccountRead]) -> Vec<InHand<'b>> {
    let of_account = |read: &'b AccountRead| {
        let open = read.handoffs.iter().filter(|handoff| handoff.is_open());
        open.map(move |handoff| InHand { read, handoff, part: reader.part(read, handoff) })
    };
    book.iter().flat_map(of_account).collect()
}

/// The expansion windows among these, by the day on which they close.
pub(super) fn windows(reader: Reader<'_>, open: &[InHand<'_>]) -> Vec<WindowView> {
    let mut views: Vec<WindowView> = open
        .iter()
        .filter_map(|open| Some(reader.window(open.read, open.handoff, open.handoff.window()?, Why::Asked)))
        .collect();
    views.sort_by(|a, b| (a.closes_on, &a.account.id).cmp(&(b.closes_on, &b.account.id)));
    views
}
