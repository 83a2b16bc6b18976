//! What follows when a message has arrived in chat, or was given up.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{About, Content, Unwrapped, unwrapped};
use crate::app::snapshot::Snapshot;
use crate::app::{App, absence, notice as telling, roster};
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::digest as digest_rules;
use crate::domain::handoff::{Handoff, State};
use crate::domain::person::{Person, PersonId};
use crate::domain::timer::Timer;
use crate::store::audit::{self, Actor, Entry};
use crate::store::digest as mornings;
use crate::store::message::{self, Address, NewMessage};
use crate::store::outbox::Outgoing;
use crate::store::{Tenant, account, handoff, renewal, risk as risks};

/// A message that has arrived in chat.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrived {
    pub message: Uuid,
    pub content: Value,
    pub reader: Option<PersonId>,
}

impl From<&Outgoing> for Arrived {
    fn from(row: &Outgoing) -> Self {
        Self { message: row.message_id, content: row.content.clone(), reader: row.reader() }
    }
}

/// Messages have arrived in chat: clocks that start with delivery start, the audit trail says so.
/// In the transaction that settles their outbox rows.
pub async fn delivered(app: &App, tx: &mut Tenant, arrived: &[Arrived], at: DateTime<Utc>) -> anyhow::Result<()> {
    let snapshot = app.snapshot(tx).await?;
    let contents = arrived.iter().map(|arrived| unwrapped(&arrived.content)).collect::<anyhow::Result<Vec<_>>>()?;
    let digest = |found: &Unwrapped| match found.content {
        Content::Digest(id) => Some(id),
        _ => None,
    };
    let ids: Vec<Uuid> = contents.iter().filter_map(digest).collect();
    let mut stored = mornings::shown(tx, &ids).await?;
    let (mut entries, mut shown) = (Vec::new(), Vec::new());
    for (arrived, found) in arrived.iter().zip(contents) {
        let morning = digest(&found).and_then(|id| stored.remove(&id));
        // A lead's morning is theirs also where it stands in a channel.
        let reader = arrived.reader.or(morning.as_ref().map(|morning| morning.person));
        let subjects: Vec<Subject> = match &found.content {
            Content::Digest(id) => {
                let data = json!({"person": reader, "message": arrived.message});
                entries.push(Entry::new("digest.sent", format!("digest:{id}"), data));
                morning.map_or_else(Vec::new, |morning| morning.cards)
            }
            Content::Notice { about, .. } => vec![about.subject()],
            _ => Vec::new(),
        };
        // In a channel a pool's clock runs by the hours of its first member: somebody's calendar has to be it.
        let of_pool = found.pool.as_deref().and_then(|pool| snapshot.people.pool(pool).first().copied());
        if let Some(person) = reader.or(of_pool).and_then(|id| snapshot.person(id)) {
            shown.extend(subjects.into_iter().map(|subject| (person, subject)));
        }
    }
    audit::record(tx, Actor::System, at, &entries).await?;
    start_clocks(tx, &snapshot, &shown, at).await
}

/// Starts clocks once the person who must act has the matter before them. By when they answer is then said wherever a
/// handoff that has changed hands is shown; what nobody but its finder has seen yet need not be drawn again.
async fn start_clocks(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    shown: &[(&Person, Subject)],
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (mut of_handoffs, mut of_risks, mut of_renewals) = (Vec::new(), Vec::new(), Vec::new());
    for (_, subject) in shown {
        match subject {
            Subject::Handoff(id) => of_handoffs.push(*id),
            Subject::Risk(id) => of_risks.push(*id),
            Subject::Renewal(id) => of_renewals.push(*id),
            Subject::Account(_)
            | Subject::Group(..)
            | Subject::Home(_)
            | Subject::Rule(_)
            | Subject::Introduction(_) => {}
        }
    }
    let mut handoffs = by_id(handoff::lock_many(tx, &of_handoffs).await?, |found| found.id);
    let mut risks = by_id(risks::lock_many(tx, &of_risks).await?, |found| found.id);
    let mut renewals = by_id(renewal::lock_many(tx, &of_renewals).await?, |found| found.id);
    let at_risk: Vec<AccountId> = risks.values().map(|risk| risk.account.clone()).collect();
    let accounts = by_id(account::some(tx, &at_risk).await?, |account| account.id.clone());
    let work = &snapshot.policy.work;
    let mut started: BTreeSet<Uuid> = BTreeSet::new();
    let mut passed: BTreeSet<AccountId> = BTreeSet::new();
    for (person, subject) in shown {
        let calendar = snapshot.calendar(person);
        let today = calendar.local_date(at);
        match subject {
            Subject::Handoff(id) => {
                let Some(found) = handoffs.get_mut(id) else { continue };
                let must_act = match found.state() {
                    State::Offered { to, .. } => match to.pool() {
                        Some(pool) => person.pool.as_deref() == Some(pool),
                        None => to.accountable() == person.id,
                    },
                    _ => found.accountable() == Some(person.id),
                };
                if must_act && replaced(found, |found| found.delivered(at, work.clocks(), &calendar)) {
                    started.insert(*id);
                    if says_by_when(found) {
                        passed.insert(found.account.clone());
                    }
                }
            }
            Subject::Risk(id) => {
                let Some(found) = risks.get_mut(id) else { continue };
                let routed = accounts.get(&found.account).and_then(|account| snapshot.route(account, today).ok());
                if routed.is_none_or(|routed| routed.risks != person.id) {
                    continue;
                }
                let timer =
                    Timer::ask_on(at, today, digest_rules::AGAIN_AFTER_WORKING_DAYS, work.accept_days, &calendar);
                if replaced(found, |found| found.shown(timer)) {
                    started.insert(*id);
                }
            }
            Subject::Renewal(id) => {
                let Some(found) = renewals.get_mut(id).filter(|found| found.owner() == person.id) else { continue };
                let timer = Timer::start(at, work.hold_days, &calendar);
                if replaced(found, |found| found.shown(timer)) {
                    started.insert(*id);
                }
            }
            Subject::Account(_)
            | Subject::Group(..)
            | Subject::Home(_)
            | Subject::Rule(_)
            | Subject::Introduction(_) => {}
        }
    }
    handoffs.retain(|id, _| started.contains(id));
    risks.retain(|id, _| started.contains(id));
    renewals.retain(|id, _| started.contains(id));
    handoff::save_all(tx, &handoffs.into_values().collect::<Vec<_>>()).await?;
    risks::save_all(tx, &risks.into_values().collect::<Vec<_>>()).await?;
    renewal::save_all(tx, &renewals.into_values().collect::<Vec<_>>()).await?;
    if !passed.is_empty() {
        message::queue_redraws(tx, &Vec::from_iter(passed), at).await?;
    }
    Ok(())
}

/// Whether others who see it read by when it is answered: a window just detected is nobody else's yet.
fn says_by_when(handoff: &Handoff) -> bool {
    match handoff.state() {
        State::Offered { .. } => true,
        State::Detected { .. } => handoff.version() > 1,
        _ => false,
    }
}

fn by_id<K: Ord, T>(found: Vec<T>, id: impl Fn(&T) -> K) -> BTreeMap<K, T> {
    found.into_iter().map(|one| (id(&one), one)).collect()
}

/// Puts what became of it in its place; false where that is the same.
fn replaced<T: Clone + PartialEq>(found: &mut T, moved: impl FnOnce(T) -> T) -> bool {
    let after = moved(found.clone());
    let differs = after != *found;
    *found = after;
    differs
}

/// Who has no chat can't be shown anything, and no clock would ever start: what lies with them goes to the next in
/// line, as while they are away, and what this message had to say is said to them.
async fn pass_on(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: PersonId,
    content: &Content,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    absence::turn_in(tx, snapshot, person, at).await?;
    let today = snapshot.today(Some(person), at);
    let (Some(to), Content::Notice { about, .. }) = (snapshot.people.stand_in(person, today), content) else {
        return Ok(());
    };
    let account = match about {
        About::Handoff(id) => handoff::read(tx, &[*id]).await?.pop().map(|held| held.account),
        About::Risk(id) => risks::read(tx, &[*id]).await?.pop().map(|risk| risk.account),
        About::Renewal(id) => renewal::read(tx, &[*id]).await?.pop().map(|work| work.account),
    };
    let content = content.clone().in_thread(false);
    telling::notify(tx, snapshot, [to], &content, account.as_ref(), at).await
}

/// The problem of a message to somebody who could not be reached before.
pub const STILL_UNREACHABLE: &str = "still_unreachable";

/// A message was given up: the audit trail says so, and an admin hears of it, unless it was
/// addressed to that admin. In the transaction that settles its row.
pub async fn given_up(
    app: &App,
    tx: &mut Tenant,
    message_id: Uuid,
    content: &Value,
    reader: Option<PersonId>,
    problem: &str,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let Unwrapped { content, pool, .. } = unwrapped(content)?;
    if matches!(content, Content::Home { .. } | Content::NotIntroduced { .. }) {
        // Drawn anew when it is opened next; said again when they ask again. Nobody else misses it.
        return Ok(());
    }
    let subject = match &content {
        Content::Digest(id) => format!("digest:{id}"),
        _ => format!("message:{message_id}"),
    };
    let entry = Entry::new("digest.given_up", subject, json!({"person": reader, "problem": problem}));
    audit::record(tx, Actor::System, at, &[entry]).await?;
    if matches!(content, Content::GivenUp { .. }) {
        return Ok(());
    }
    let snapshot = app.snapshot(tx).await?;
    let lost = reader.and_then(|id| Some((id, snapshot.person(id)?.unreachable_since?)));
    if let Some((person, since)) = lost {
        pass_on(tx, &snapshot, person, &content, at).await?;
        if problem == roster::DEACTIVATED {
            roster::met_deactivated(tx, &snapshot, person, at).await?;
        }
        if since < at {
            // An admin has heard of it when it began.
            return Ok(());
        }
    }
    if reader.is_none() && instead_of_channel(tx, &snapshot, message_id, &content, pool.as_deref(), problem, at).await?
    {
        return Ok(());
    }
    let admin = snapshot.people.admins().into_iter().find(|admin| Some(*admin) != reader);
    let Some((admin, workspace)) = admin.and_then(|admin| Some((admin, snapshot.workspace_of(admin)?.clone()))) else {
        return Ok(());
    };
    let told = NewMessage {
        id: Uuid::now_v7(),
        workspace,
        to: Address::Person(admin),
        content: serde_json::to_value(Content::GivenUp { person: reader, problem: problem.to_owned() })?,
        accounts: Vec::new(),
        thread_of: None,
    };
    message::queue_posts(tx, &[told], at).await
}

/// What could not be posted in a pool's or a lead's channel goes to their direct messages and says why. False where
/// there is nobody to tell it: then an admin hears of it.
async fn instead_of_channel(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    message_id: Uuid,
    content: &Content,
    pool: Option<&str>,
    problem: &str,
    at: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let people: Vec<PersonId> = match (content, pool) {
        (Content::Digest(id), _) => mornings::read(tx, *id).await?.map(|stored| stored.person).into_iter().collect(),
        (_, Some(pool)) => snapshot.people.pool(pool).to_vec(),
        _ => Vec::new(),
    };
    let content = Content::Instead { problem: problem.to_owned(), of: Box::new(content.clone()) };
    let content = serde_json::to_value(content)?;
    let accounts = message::accounts_of(tx, message_id).await?;
    let told: Vec<NewMessage> = people
        .into_iter()
        .filter(|id| snapshot.person(*id).is_some_and(|person| person.active))
        .filter_map(|id| {
            Some(NewMessage {
                id: Uuid::now_v7(),
                workspace: snapshot.workspace_of(id)?.clone(),
                to: Address::Person(id),
                content: content.clone(),
                accounts: accounts.clone(),
                thread_of: None,
            })
        })
        .collect();
    message::queue_posts(tx, &told, at).await?;
    Ok(!told.is_empty())
}
