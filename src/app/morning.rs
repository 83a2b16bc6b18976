//! A person's morning: which cards, in what order, within the attention budget;
//! decided once a person and local date, rendered at each sending.

mod book;
mod cards;
mod queue;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::read::Line;
use super::snapshot::Snapshot;
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::angle::Angle;
use crate::domain::calendar;
use crate::domain::digest::{self, Budget, Card, CardRef, Due, Morning, Plan};
use crate::domain::money::Money;
use crate::domain::person::{Person, Role};
use crate::domain::renewal::Deadline;
use crate::store::Tenant;
use crate::store::digest::{Digest, Item, Place};

use book::Books;
pub use book::book;
pub use queue::{Asked, Queued, owed, queue};

/// So long after an organisation's first diagnosis a person's first morning says that all was read at once: they may be
/// free when it is made.
const FIRST_WITHIN: Days = Days::new(7);

/// Counts and sums of one morning, as they are stored beside its cards.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    pub accounts: usize,
    pub at_risk: usize,
    /// Of those, acknowledged; not known of mornings that were chosen before this was counted.
    #[serde(default)]
    pub in_hand: Option<usize>,
    /// Accounts at risk beside those, which are somebody else's to work.
    #[serde(default)]
    pub with_others: usize,
    /// And those that whoever answers for them has set aside: snoozed, or settled while the health is what it was.
    #[serde(default)]
    pub set_aside: usize,
    pub arr_at_risk: Vec<Money>,
    pub windows: usize,
    pub window_amount: Vec<Money>,
    pub renewals: usize,
    /// The account with the nearest deadline.
    pub next: Option<(AccountId, Deadline)>,
    /// The weightiest decision among what is due: account, and the words that follow its name.
    pub news: Option<(AccountId, String)>,
    /// On the first morning after an organisation's first diagnosis: how many accounts it read.
    pub first_read: Option<usize>,
}

/// Whether a person gets mornings: those who hold a book, and those who lead people.
pub fn gets_mornings(person: &Person) -> bool {
    person.active && [Role::Csm, Role::AccountManager, Role::Lead].into_iter().any(|role| person.is(role))
}

/// Why somebody who gets mornings gets none on a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsent {
    DayOff,
    Away,
    /// There is nothing to decide, and they want to hear of that only where there is.
    Empty,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unsent::DayOff => "not their working day",
            Unsent::Away => "away",
            Unsent::Empty => "nothing to decide, and they want no empty mornings",
        })
    }
}

/// Why this morning is not sent; `None` where it is.
pub fn unsent(snapshot: &Snapshot, person: &Person, digest: &Digest) -> Option<Unsent> {
    let wants_empty = snapshot.stored_person(person.id).and_then(|stored| stored.own.empty_mornings) != Some(false);
    let empty = (!wants_empty && is_empty(digest, person)).then_some(Unsent::Empty);
    off(snapshot, person, digest.local_date).or(empty)
}

/// Why a person gets no morning of a date, whatever there is to say.
pub fn off(snapshot: &Snapshot, person: &Person, date: NaiveDate) -> Option<Unsent> {
    if !snapshot.calendar(person).is_working_day(date) {
        return Some(Unsent::DayOff);
    }
    person.away_on(date).then_some(Unsent::Away)
}

/// A morning as it would be decided now; nothing is written. `None` for people who get no mornings,
/// and before the organisation's first diagnosis.
pub async fn compose(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: &Person,
    date: NaiveDate,
    late: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Digest>> {
    let today = calendar::local_date(person.timezone, now);
    let books = Books::read(tx, snapshot, &[person], today, now).await?;
    composed(snapshot, person, &books, date, late)
}

/// The same from what was read.
fn composed(
    snapshot: &Snapshot,
    person: &Person,
    books: &Books,
    date: NaiveDate,
    late: bool,
) -> anyhow::Result<Option<Digest>> {
    let Some(diagnosed_on) = snapshot.organisation.diagnosed_on.filter(|_| gets_mornings(person)) else {
        return Ok(None);
    };
    let book: Vec<&Line> = books.of(person.id).collect();
    let cards = cards::cards(snapshot, person, books);
    let morning = Morning {
        today: date,
        angle: Angle::of(person),
        budget: Budget(budget(snapshot, person)),
        rates: &snapshot.rates,
        calendar: snapshot.calendar(person),
    };
    let plan = digest::plan(&cards, &morning);
    let first = books.first_run.is_some_and(|run| run <= diagnosed_on && date <= run + FIRST_WITHIN)
        && snapshot
            .stored_person(person.id)
            .is_none_or(|stored| stored.digests_since.is_none_or(|since| since >= date));
    let totals = totals(&plan, &cards, &book, &morning, first);
    Ok(Some(Digest {
        id: Uuid::now_v7(),
        person: person.id,
        local_date: date,
        diagnosed_on,
        late,
        totals: serde_json::to_value(totals)?,
        items: items(&plan, &cards, &morning),
    }))
}

/// The person's own, else the policy's.
fn budget(snapshot: &Snapshot, person: &Person) -> usize {
    let own = snapshot.stored_person(person.id).and_then(|stored| stored.own.attention_budget);
    own.map_or(snapshot.policy.work.attention_budget as usize, usize::from)
}

/// Whether a morning says nothing that has to be decided. A lead's always has their team.
fn is_empty(digest: &Digest, person: &Person) -> bool {
    digest.items.is_empty() && !person.is(Role::Lead)
}

fn totals(plan: &Plan, cards: &[Card], book: &[&Line], morning: &Morning<'_>, first: bool) -> Totals {
    let counted = &plan.totals;
    let next = book
        .iter()
        .filter_map(|line| Some((&line.account.id, line.deadline()?)))
        .min_by_key(|(id, deadline)| (deadline.on, *id))
        .map(|(id, deadline)| (id.clone(), deadline));
    // Of what is due today: a notice that was read last week is no news, though it stands.
    let news = plan.cards.iter().find_map(|shown| {
        let card = cards.iter().find(|card| card.about == shown.lead.0)?;
        Some((card.account.clone(), card.decision.clone()?))
    });
    let not_shown = |card: &&Card| matches!(card.about, CardRef::Risk(_)) && !morning.angle.shows(card, morning.today);
    let with_others = cards.iter().filter(not_shown).count();
    let at_risk = book.iter().filter(|line| line.is_at_risk()).count();
    Totals {
        accounts: book.len(),
        at_risk: counted.at_risk,
        in_hand: Some(counted.in_hand),
        with_others,
        set_aside: at_risk.saturating_sub(counted.at_risk + with_others),
        arr_at_risk: counted.arr.amounts(),
        windows: counted.windows,
        window_amount: counted.amount.amounts(),
        renewals: counted.renewals,
        next,
        news,
        first_read: (first && !book.is_empty()).then_some(book.len()),
    }
}

fn items(plan: &Plan, cards: &[Card], morning: &Morning<'_>) -> Vec<Item> {
    let by_ref: BTreeMap<CardRef, &Card> = cards.iter().map(|card| (card.about, card)).collect();
    let subject = |about: CardRef| match about {
        CardRef::Risk(id) => Subject::Risk(id),
        CardRef::Window(id) | CardRef::Handed(id) => Subject::Handoff(id),
        CardRef::Renewal(id) => Subject::Renewal(id),
    };
    // The lines of one card follow each other, its lead first.
    let shown = plan.cards.iter().flat_map(|shown| {
        let (lead, due) = shown.lead;
        std::iter::once((lead, Some(due))).chain(shown.others.iter().copied())
    });
    let shown = shown.filter_map(|(about, due)| {
        let card = by_ref.get(&about)?;
        Some(Item {
            place: Place::Card,
            subject: subject(about),
            account: card.account.clone(),
            heading: None,
            why: due.map(|due| why(card, due, morning)),
            comes_back: None,
        })
    });
    let withheld = plan.withheld.iter().filter_map(|about| {
        let card = by_ref.get(about)?;
        Some(Item {
            place: Place::Withheld,
            subject: subject(*about),
            account: card.account.clone(),
            heading: None,
            why: None,
            comes_back: None,
        })
    });
    // A group holds one kind of thing: its buttons act on all of it at once.
    let by_ref = &by_ref;
    let rest = plan.rest.iter().zip(1_u16..).flat_map(|(group, number)| {
        group.items.iter().map(move |item| Item {
            place: Place::Group(number),
            subject: subject(item.about),
            account: item.account.clone(),
            heading: Some(group.cause.clone()),
            why: by_ref.get(&item.about).map(|card| why(card, item.due, morning)),
            comes_back: Some(item.comes_back),
        })
    });
    shown.chain(withheld).chain(rest).collect()
}

/// Why a card stands there, as `content` reads it back.
fn why(card: &Card, due: Due, morning: &Morning<'_>) -> String {
    match due {
        _ if card.offered => "offered".to_owned(),
        Due::New | Due::Worse if card.decision.is_some() => "decision".to_owned(),
        Due::New => "new".to_owned(),
        Due::Worse => "worse".to_owned(),
        Due::NextStep => "next_step".to_owned(),
        Due::Back => "woken".to_owned(),
        Due::Step => format!("step:{}", card.cause.trim_start_matches("renewal_")),
        Due::Unanswered => {
            let days = card
                .attention
                .last_shown
                .map_or(0, |shown| morning.calendar.working_days_between(shown, morning.today));
            format!("unanswered:{days}")
        }
    }
}
