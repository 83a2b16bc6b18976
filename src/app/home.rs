//! The home page of a person: their book, what waits, and a lead's team, from
//! the present state; and which page of it they look at.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::content::Content;
use super::read::AccountRead;
use super::views::Reader;
use super::{App, Asker, lists, morning, team};
use crate::domain::account::AccountId;
use crate::domain::calendar;
use crate::domain::diagnosis::{Band, Change};
use crate::domain::handoff;
use crate::domain::message::card::Card;
use crate::domain::message::home::{self, BookView, HomeView};
use crate::domain::message::view::{Part, RiskState, RiskView, Why};
use crate::domain::message::{Message, Reply, answer, phrase};
use crate::domain::person::{Person, PersonId, Role};
use crate::store::directory::Workspace;
use crate::store::{Tenant, home as pages};

/// Accounts whose changes redraw a page: more than a person looks after, fewer than a large team has.
const ACCOUNTS_MOST: usize = 2_000;

/// Somebody opens their home page: it is drawn anew, at its first page. Silent where it will be; what to say
/// instead where nobody known, or nobody with a role, opens it.
pub async fn open(app: &App, asker: &Asker) -> anyhow::Result<Reply> {
    let now = app.now();
    let mut tx = app.store.tenant(asker.org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let Some(person) = asker.known(&mut tx, &snapshot).await? else {
        return Ok(Reply::Private(answer::unknown_person(None)));
    };
    if person.roles.is_empty() {
        return Ok(Reply::Private(answer::no_role()));
    }
    let reader = Reader::new(&snapshot, Some(person.id), now);
    let book = lists::book(&mut tx, reader, person).await?;
    let accounts: Vec<AccountId> = book.iter().take(ACCOUNTS_MOST).map(|read| read.account.id.clone()).collect();
    let content = serde_json::to_value(Content::Home { page: 1 })?;
    pages::show(&mut tx, &asker.workspace, person.id, &content, Some(&accounts), now).await?;
    tx.commit().await?;
    app.outbox_bell.notify_waiters();
    Ok(Reply::Silent)
}

/// Turns to a page, in the caller's transaction.
pub(super) async fn turn(
    tx: &mut Tenant,
    workspace: &Workspace,
    person: PersonId,
    page: u16,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let content = serde_json::to_value(Content::Home { page })?;
    pages::show(tx, workspace, person, &content, None, now).await
}

/// Whether a stored message is a home page, which is published and not posted.
pub fn is_home(content: &Value) -> bool {
    matches!(serde_json::from_value(content.clone()), Ok(Content::Home { .. }))
}

/// The page that a person looks at in a workspace, as it reads now.
pub async fn shown(
    app: &App,
    tx: &mut Tenant,
    workspace: &Workspace,
    person: PersonId,
) -> anyhow::Result<Option<Message>> {
    let snapshot = app.snapshot(tx).await?;
    let page = page_of(pages::find(tx, workspace, person).await?)?.unwrap_or(1);
    message(tx, Reader::new(&snapshot, Some(person), app.now()), page).await
}

fn page_of(content: Option<Value>) -> anyhow::Result<Option<u16>> {
    Ok(match content.map(serde_json::from_value).transpose()? {
        Some(Content::Home { page }) => Some(page),
        _ => None,
    })
}

/// A kept home page at the page that its reader looks at now: `page` is the one that they turned to when it was queued.
pub(super) async fn kept(tx: &mut Tenant, reader: Reader<'_>, id: Uuid, page: u16) -> anyhow::Result<Option<Message>> {
    let page = page_of(pages::content(tx, id).await?)?.unwrap_or(page);
    message(tx, reader, page).await
}

/// A page as it reads now; `None` for who has left.
pub async fn message(tx: &mut Tenant, reader: Reader<'_>, page: u16) -> anyhow::Result<Option<Message>> {
    Ok(view(tx, reader, page).await?.map(|view| home::home(&view, reader.today())))
}

/// All pages on end, for a chat that measures its own; `None` where nobody known, or nobody with a role, asks.
pub async fn whole(app: &App, asker: &Asker) -> anyhow::Result<Option<Message>> {
    let mut tx = app.store.tenant(asker.org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let Some(person) = asker.known(&mut tx, &snapshot).await?.filter(|person| !person.roles.is_empty()) else {
        return Ok(None);
    };
    let reader = Reader::new(&snapshot, Some(person.id), app.now());
    Ok(view(&mut tx, reader, 1).await?.map(|view| home::whole(&view, reader.today())))
}

async fn view(tx: &mut Tenant, reader: Reader<'_>, page: u16) -> anyhow::Result<Option<HomeView>> {
    let snapshot = reader.snapshot;
    let Some(person) = reader.person.and_then(|id| snapshot.person(id)).filter(|person| person.active) else {
        return Ok(None);
    };
    let book = lists::book(tx, reader, person).await?;
    let team = if person.is(Role::Lead) { team::view(tx, reader, person, reader.today()).await? } else { None };
    let (next_night, next_morning) = next(reader, person);
    let mut view = HomeView {
        name: person.first_name().to_owned(),
        angle: reader.angle(),
        book: counts(&book),
        team,
        holds_book: person.is(Role::Csm) || person.is(Role::AccountManager),
        owed: Vec::new(),
        risks: lists::risks(reader, &book).into_iter().filter(is_awake).map(Card::Risk).collect(),
        renewals: lists::renewals(reader, &book).into_iter().map(Card::Renewal).collect(),
        windows: Vec::new(),
        waiting: Vec::new(),
        snoozed: lists::snoozed(reader, &book),
        diagnosed_on: snapshot.organisation.diagnosed_on,
        next_night,
        next_morning,
        page,
    };
    handoffs(reader, &book, &mut view);
    Ok(Some(view))
}

fn counts(book: &[AccountRead]) -> BookView {
    let mut counts = BookView::default();
    for read in book {
        let diagnosis = read.diagnosis.as_ref();
        match diagnosis.map_or(Band::Unknown, |diagnosis| diagnosis.band) {
            Band::Healthy => counts.healthy += 1,
            Band::Watch => counts.watch += 1,
            Band::AtRisk => counts.at_risk += 1,
            Band::Unknown => counts.unknown += 1,
        }
        match diagnosis.map(|diagnosis| diagnosis.change) {
            Some(Change::Worse) => counts.worse += 1,
            Some(Change::Better) => counts.better += 1,
            Some(Change::New | Change::Same) | None => {}
        }
    }
    counts
}

fn is_awake(view: &RiskView) -> bool {
    !matches!(view.state, RiskState::Snoozed { .. })
}

/// When accounts are read next, and when this person gets a morning message; `None` where they get none.
pub(super) fn next(reader: Reader<'_>, person: &Person) -> (String, Option<String>) {
    let (snapshot, today) = (reader.snapshot, reader.today());
    let said = |at: DateTime<Utc>, zone: chrono_tz::Tz| {
        let local = at.with_timezone(&zone).naive_local();
        format!("{} at {} ({})", phrase::date(local.date(), today), local.format("%H:%M"), zone.name())
    };
    let zone = snapshot.organisation.timezone;
    let (_, night) = calendar::next_night(zone, reader.now);
    let morning = morning::gets_mornings(person)
        .then(|| snapshot.calendar(person).next_digest_at(person.digest_time, reader.now));
    (said(night, zone), morning.map(|at| said(at, person.timezone)))
}

/// What waits for the reader, what they wait for, and the other open windows.
fn handoffs(reader: Reader<'_>, book: &[AccountRead], view: &mut HomeView) {
    let mut others = Vec::new();
    for open in lists::in_hand(reader, book) {
        let accepted = matches!(open.handoff.state(), handoff::State::Accepted { .. });
        match open.part {
            // What the health gate withholds waits for the risk, not for anybody's answer.
            Part::Holder | Part::Offered if !accepted && !open.handoff.is_withheld() => {
                view.owed.push(reader.handoff(open.read, open.handoff, Why::Asked))
            }
            Part::Offerer => view.waiting.push(open.line(reader)),
            _ => others.push(open),
        }
    }
    view.windows = lists::windows(reader, &others).into_iter().map(Card::Window).collect();
}
