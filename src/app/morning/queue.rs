//! Queueing mornings: chosen and stored together for several people, each at most
//! once a local date, whoever asks and how often.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::json;
use uuid::Uuid;

use super::book::Books;
use super::{composed, gets_mornings, off, unsent};
use crate::app::content::{About, Content};
use crate::app::snapshot::Snapshot;
use crate::app::{App, absence, notice};
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::person::{OrgId, Person, PersonId};
use crate::store::audit::{self, Actor, Entry};
use crate::store::channel::Whose;
use crate::store::digest::{Digest, Place};
use crate::store::directory::{self, Workspace};
use crate::store::message::{self, Address, NewMessage};
use crate::store::{Tenant, card, digest as mornings, person, risk};

/// Mornings of one transaction: enough that those who share accounts are mostly together, few enough that delivery has
/// the first ones soon.
const TOGETHER: usize = 100;
/// Transactions under way: Postgres reads for one while the cards of another are chosen.
const AT_ONCE: usize = 2;
/// A morning is marked late from here on (reliability.md, 9: at most 5 minutes after its hour).
const LATE_AFTER: TimeDelta = TimeDelta::minutes(5);

/// A morning that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub person: PersonId,
    /// The person's own date.
    pub date: NaiveDate,
    /// It comes after its hour.
    pub late: bool,
}

/// What came of queueing one morning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// In this message.
    Now(Uuid),
    /// They have that morning already.
    Already,
    /// They get none: no role for it, not their working day, or nothing diagnosed.
    Not,
    /// They are to have it, and no chat is linked to send it to.
    Nowhere,
}

/// Queues these people's mornings, once whoever asks; answers each, in some order. What fails for several is tried alone,
/// so that nobody goes without for another's sake.
pub async fn queue(app: &App, org: OrgId, asked: Vec<Asked>) -> Vec<(Asked, anyhow::Result<Queued>)> {
    // Boxed before the stream: of a closure within it the compiler can't tell that its futures may change threads.
    let some: Vec<_> = asked.chunks(TOGETHER).map(|some| queue_some(app, org, some.to_vec()).boxed()).collect();
    stream::iter(some).buffered(AT_ONCE).concat().await
}

async fn queue_some(app: &App, org: OrgId, asked: Vec<Asked>) -> Vec<(Asked, anyhow::Result<Queued>)> {
    match queue_together(app, org, &asked).await {
        Ok(queued) => queued.into_iter().map(|(asked, queued)| (asked, Ok(queued))).collect(),
        Err(error) if asked.len() == 1 => asked.into_iter().zip([Err(error)]).collect(),
        Err(error) => {
            tracing::warn!(%org, mornings = asked.len(), "mornings could not be queued together; each is tried alone: {error:#}");
            let mut queued = Vec::with_capacity(asked.len());
            for one in asked {
                let alone = queue_together(app, org, &[one]).await;
                queued.push((one, alone.map(|alone| alone.first().map_or(Queued::Not, |(_, queued)| *queued))));
            }
            queued
        }
    }
}

/// A morning that is to be stored, and where it goes.
struct Chosen {
    asked: Asked,
    digest: Digest,
    workspace: Workspace,
    to: Address,
}

async fn queue_together(app: &App, org: OrgId, asked: &[Asked]) -> anyhow::Result<Vec<(Asked, Queued)>> {
    let now = app.now();
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let mut chosen: Vec<Chosen> = Vec::new();
    let mut queued: BTreeMap<(PersonId, NaiveDate), Queued> = BTreeMap::new();
    for (today, owed) in owed_by_today(&snapshot, asked, now) {
        let people: Vec<&Person> = owed.iter().map(|(_, person)| *person).collect();
        let books = Books::read(&mut tx, &snapshot, &people, today, now).await?;
        for (asked, person) in owed {
            let digest = composed(&snapshot, person, &books, asked.date, asked.late)?;
            let Some(digest) = digest.filter(|digest| unsent(&snapshot, person, digest).is_none()) else { continue };
            match place(&snapshot, person) {
                Some((workspace, to)) => chosen.push(Chosen { asked, digest, workspace, to }),
                None => _ = queued.insert((asked.person, asked.date), Queued::Nowhere),
            }
        }
    }
    let (digests, places): (Vec<Digest>, Vec<(Asked, Workspace, Address)>) =
        chosen.into_iter().map(|chosen| (chosen.digest, (chosen.asked, chosen.workspace, chosen.to))).unzip();
    let new = mornings::insert(&mut tx, &digests, now).await?;
    let (mut messages, mut first, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    for (digest, (asked, workspace, to)) in digests.iter().zip(places) {
        let id = Uuid::now_v7();
        let is_new = new.contains(&digest.id);
        queued.insert((asked.person, asked.date), if is_new { Queued::Now(id) } else { Queued::Already });
        if !is_new {
            continue;
        }
        let accounts: BTreeSet<&AccountId> = digest.items.iter().map(|item| &item.account).collect();
        messages.push(NewMessage {
            id,
            workspace,
            to,
            content: serde_json::to_value(Content::Digest(digest.id))?,
            accounts: accounts.into_iter().cloned().collect(),
            thread_of: None,
        });
        first.push((asked.person, asked.date));
        let data = json!({"person": asked.person, "date": asked.date, "late": asked.late});
        entries.push(Entry::new("digest.queued", format!("digest:{}", digest.id), data));
    }
    message::queue_posts(&mut tx, &messages, now).await?;
    card::supersede(&mut tx, &messages.iter().map(|message| message.id).collect::<Vec<_>>(), now).await?;
    for digest in digests.iter().filter(|digest| new.contains(&digest.id)) {
        worse_in_the_rest(&mut tx, &snapshot, digest, now).await?;
    }
    person::remember_first_digests(&mut tx, &first).await?;
    audit::record(&mut tx, Actor::System, now, &entries).await?;
    tx.commit().await?;
    app.outbox_bell.notify_waiters();
    let answer = |asked: &Asked| queued.get(&(asked.person, asked.date)).copied().unwrap_or(Queued::Not);
    Ok(asked.iter().map(|asked| (*asked, answer(asked))).collect())
}

/// Those who get a morning of that date at all, by what is today for them.
fn owed_by_today<'s>(
    snapshot: &'s Snapshot,
    asked: &[Asked],
    now: DateTime<Utc>,
) -> BTreeMap<NaiveDate, Vec<(Asked, &'s Person)>> {
    let mut owed: BTreeMap<NaiveDate, Vec<_>> = BTreeMap::new();
    for asked in asked.iter().filter(|_| snapshot.organisation.diagnosed_on.is_some()) {
        let Some(person) = snapshot.person(asked.person).filter(|person| gets_mornings(person)) else { continue };
        if off(snapshot, person, asked.date).is_none() {
            owed.entry(calendar::local_date(person.timezone, now)).or_default().push((*asked, person));
        }
    }
    owed
}

/// Where a person reads their morning; `None` where no chat is linked.
fn place(snapshot: &Snapshot, person: &Person) -> Option<(Workspace, Address)> {
    match snapshot.channel_of(&Whose::Lead(person.id)).cloned() {
        Some(channel) => Some((channel.workspace, Address::Channel(channel.id))),
        None => snapshot.workspace_of(person.id).map(|workspace| (workspace.clone(), Address::Person(person.id))),
    }
}

/// What got worse and found no room as a card is said where its card stands already: one reply there, and the card is
/// redrawn. What has room speaks for itself.
async fn worse_in_the_rest(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    digest: &Digest,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for item in &digest.items {
        let worse = matches!(item.why.as_deref(), Some("worse" | "decision"));
        let (Place::Group(_), true, Subject::Risk(id)) = (item.place, worse, &item.subject) else { continue };
        let Some(risk) = risk::read(tx, &[*id]).await?.pop() else { continue };
        let content = Content::notice(About::Risk(*id), "worse", risk.version(), None);
        notice::reply_at(tx, snapshot, digest.person, &content, &item.account, now, now).await?;
    }
    Ok(())
}

/// The scheduler's step: queues the mornings that are owed, each since its moment, then says when the next ones are.
/// Tells who failed and why; theirs stay owed.
pub async fn owed(
    app: &App,
    org: OrgId,
    due: &[(PersonId, DateTime<Utc>)],
) -> anyhow::Result<Vec<(PersonId, anyhow::Error)>> {
    let now = app.now();
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    drop(tx);
    let (mut asked, mut done) = (Vec::new(), Vec::new());
    // What a stand-in held is back before the cards are chosen.
    let people: BTreeSet<PersonId> = due.iter().map(|(id, _)| *id).collect();
    let mut failed = turn_absences(app, org, people, now).await;
    let here = due.iter().filter(|(id, _)| failed.iter().all(|(who, _)| who != id));
    for (person, due_at) in here.filter_map(|(id, due_at)| Some((snapshot.person(*id)?, *due_at))) {
        // Owed for the date of its hour; hours later the day may have passed, and with it the morning.
        let date = calendar::local_date(person.timezone, due_at);
        if date == calendar::local_date(person.timezone, now) {
            asked.push(Asked { person: person.id, date, late: now - due_at > LATE_AFTER });
        } else {
            done.push(person.id);
        }
    }
    for (asked, queued) in queue(app, org, asked).await {
        match queued {
            Ok(_) => done.push(asked.person),
            Err(error) => failed.push((asked.person, error)),
        }
    }
    let mut tx = app.store.tenant(org).await?;
    for (gone, _) in due.iter().filter(|(id, _)| snapshot.person(*id).is_none()) {
        directory::forget_digest(&mut tx, *gone).await?;
    }
    let next: Vec<(PersonId, DateTime<Utc>)> = done
        .into_iter()
        .filter_map(|id| {
            let person = snapshot.person(id)?;
            Some((id, snapshot.calendar(person).next_digest_at(person.digest_time, now)))
        })
        .collect();
    directory::set_next_digests(&mut tx, &next).await?;
    tx.commit().await?;
    Ok(failed)
}

/// All of them together, else each alone: whose absence can't be turned is told.
async fn turn_absences(
    app: &App,
    org: OrgId,
    people: BTreeSet<PersonId>,
    now: DateTime<Utc>,
) -> Vec<(PersonId, anyhow::Error)> {
    let mut failed = Vec::new();
    if absence::turn(&app.store, org, &people, now).await.is_err() {
        for person in people {
            if let Err(error) = absence::turn(&app.store, org, &BTreeSet::from([person]), now).await {
                failed.push((person, error));
            }
        }
    }
    failed
}
