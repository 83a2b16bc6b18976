//! The home page of a person: their book, what waits, and a lead's team, from
//! the present state; and which page of it they look at.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::content::Content;
use super::read::AccountRead;
use super::views::Reader;
use super::{App, Asker, morning, team};
use crate::domain::account::AccountId;
use crate::domain::calendar;
use crate::domain::diagnosis::{Band, Change};
use crate::domain::message::card::Card;
use crate::domain::message::home::{self, BookView, HomeView};
use crate::domain::message::list::{HandoffLine, SnoozedLine};
use crate::domain::message::view::{Part, Why};
use crate::domain::message::{Message, Reply, answer, phrase};
use crate::domain::person::{Person, PersonId, Role};
use crate::domain::{handoff, risk};
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
    let book = book(&mut tx, reader, person).await?;
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

/// The accounts that a page is about: one's own, or one's team's.
async fn book(tx: &mut Tenant, reader: Reader<'_>, person: &Person) -> anyhow::Result<Vec<AccountRead>> {
    let mut book = morning::book(tx, reader.snapshot, person, reader.now).await?;
    if book.is_empty() {
        book = team::book_of(tx, reader, person).await?;
    }
    Ok(book.into_values().collect())
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
    let book = book(tx, reader, person).await?;
    let team = if person.is(Role::Lead) { team::view(tx, reader, person, reader.today()).await? } else { None };
    let today = reader.today();
    let zone = snapshot.organisation.timezone;
    let (_, night) = calendar::next_night(zone, reader.now);
    let morning = morning::gets_mornings(person)
        .then(|| snapshot.calendar(person).next_digest_at(person.digest_time, reader.now));
    let said = |at: DateTime<Utc>, zone: chrono_tz::Tz| {
        let local = at.with_timezone(&zone).naive_local();
        format!("{} at {} ({})", phrase::date(local.date(), today), local.format("%H:%M"), zone.name())
    };
    let mut view = HomeView {
        name: person.first_name().to_owned(),
        angle: reader.angle(),
        book: counts(&book),
        team,
        holds_book: person.is(Role::Csm) || person.is(Role::AccountManager),
        owed: Vec::new(),
        risks: risks(reader, &book),
        renewals: renewals(reader, &book),
        windows: Vec::new(),
        waiting: Vec::new(),
        snoozed: snoozed(reader, &book),
        diagnosed_on: snapshot.organisation.diagnosed_on,
        next_night: said(night, zone),
        next_morning: morning.map(|at| said(at, person.timezone)),
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

/// Open and acknowledged ones: what nobody acknowledged first, then a customer's decision to end it, then the largest
/// expected loss.
fn risks(reader: Reader<'_>, book: &[AccountRead]) -> Vec<Card> {
    let mut found: Vec<((bool, bool), f64, &AccountRead, &risk::Risk)> = book
        .iter()
        .filter_map(|read| {
            let risk = read.risk.as_ref()?;
            let acknowledged = match risk.state() {
                risk::State::Open => false,
                risk::State::Acknowledged { .. } => true,
                risk::State::Snoozed { .. } | risk::State::Resolved { .. } | risk::State::Ended => return None,
            };
            let arr = read.account.arr.and_then(|arr| reader.snapshot.rates.major(arr)).unwrap_or(0.0);
            let health = read.diagnosis.as_ref().and_then(|diagnosis| diagnosis.health).unwrap_or(50);
            let causes = read.diagnosis.as_ref().map_or(&[][..], |diagnosis| diagnosis.causes.as_slice());
            let ends = causes.iter().any(|cause| cause.rule == "notice_served");
            Some(((acknowledged, !ends), arr * f64::from(100 - health.min(100)), read, risk))
        })
        .collect();
    found.sort_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| b.1.total_cmp(&a.1)).then_with(|| a.2.account.id.cmp(&b.2.account.id))
    });
    found.into_iter().map(|(_, _, read, risk)| Card::Risk(reader.risk(read, risk, Why::Asked))).collect()
}

/// By deadline.
fn renewals(reader: Reader<'_>, book: &[AccountRead]) -> Vec<Card> {
    let mut views: Vec<_> = book
        .iter()
        .filter_map(|read| {
            let work = read.renewal.as_ref().filter(|work| work.is_open())?;
            reader.renewal(read, work, Why::Asked)
        })
        .collect();
    views.sort_by(|a, b| (a.read.next_deadline, &a.account.id).cmp(&(b.read.next_deadline, &b.account.id)));
    views.into_iter().map(Card::Renewal).collect()
}

fn snoozed(reader: Reader<'_>, book: &[AccountRead]) -> Vec<SnoozedLine> {
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

/// What waits for the reader, what they wait for, and the other open windows by closing day.
fn handoffs(reader: Reader<'_>, book: &[AccountRead], view: &mut HomeView) {
    let mut windows = Vec::new();
    for read in book {
        for found in read.handoffs.iter().filter(|handoff| handoff.is_open()) {
            let accepted = matches!(found.state(), handoff::State::Accepted { .. });
            match reader.part(read, found) {
                // What the health gate withholds waits for the risk, not for anybody's answer.
                Part::Holder | Part::Offered if !accepted && !found.is_withheld() => {
                    view.owed.push(reader.handoff(read, found, Why::Asked))
                }
                Part::Offerer => view.waiting.push(HandoffLine {
                    account: read.account.name.clone(),
                    what: super::query::what(found),
                    state: reader.handoff_state(found),
                }),
                _ => windows.extend(
                    found
                        .window()
                        .map(|window| (window.closes_on, Card::Window(reader.window(read, found, window, Why::Asked)))),
                ),
            }
        }
    }
    windows.sort_by_key(|(closes_on, _)| *closes_on);
    view.windows = windows.into_iter().map(|(_, card)| card).collect();
}
