//! Use cases, platform-blind.

pub mod absence;
pub mod act;
pub mod channels;
pub mod clocks;
pub mod content;
mod departure;
pub mod erase;
pub mod export;
pub mod figures;
pub mod fit;
mod gaps;
pub mod home;
pub mod import;
pub mod inbox;
pub mod installation;
pub mod intraday;
pub mod introduction;
mod lists;
pub mod model;
pub mod morning;
mod names;
pub mod night;
mod notice;
pub mod organisation;
pub mod people;
pub mod policy;
pub mod precision;
pub mod query;
pub mod read;
pub mod roster;
pub mod sample;
pub mod schedule;
pub mod settings;
pub mod snapshot;
pub mod team;
pub mod together;
pub mod transfer;
pub mod views;
pub mod watch;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::domain::person::{OrgId, Person, PersonId};
use crate::store::directory::Workspace;
use crate::store::standby::Standby;
use crate::store::{Store, Tenant, person};

/// What every use case needs. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    /// Rung after a commit that queued something to send, so that delivery in this process need not wait for its poll.
    pub outbox_bell: Arc<Notify>,
    /// Where files wait to be imported before a diagnosis; `None` where no folder is configured.
    pub inbox: Option<Arc<inbox::Inbox>>,
    memory: Arc<Memory>,
}

/// So many transactions read accounts for one organisation at once: each for all who have come by then. With fewer a core
/// is idle, with more each serves fewer.
const READING: usize = 3;
/// So many are pressed in at once: one after the other leaves a core idle while what was taken is looked at.
const PRESSING: usize = 2;
/// For so many who ask or press one is begun beside those that last.
const BESIDE: usize = 8;
/// Connections of those who are served together, whatever their organisation.
const TOGETHER: u32 = 8;

/// What a process remembers of its organisations, and who waits in it to be served together.
struct Memory {
    /// Transactions for those who are served together, who ask or press, on few connections, since each plans its statements
    /// once and then keeps them in the processor's caches.
    reads: Standby,
    presses: Standby,
    snapshots: snapshot::Snapshots,
    links: query::Links,
    names: names::Names,
    reading: query::Reading,
    acknowledging: act::Acknowledging,
}

impl App {
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        let (reads, presses) = Standby::to_read_and_to_write(store.beside(TOGETHER));
        Self {
            store,
            clock,
            outbox_bell: Arc::new(Notify::new()),
            inbox: None,
            memory: Arc::new(Memory {
                reads,
                presses,
                snapshots: snapshot::Snapshots::default(),
                links: query::Links::default(),
                names: names::Names::default(),
                reading: query::Reading::new(READING, BESIDE),
                acknowledging: act::Acknowledging::new(PRESSING, BESIDE),
            }),
        }
    }

    /// The same on connections of its own, so that one kind of work cannot starve another. What is
    /// kept in memory, the clock and the bell are shared.
    pub fn beside(&self, connections: u32) -> Self {
        Self { store: self.store.beside(connections), ..self.clone() }
    }

    /// The same with a folder of files to take before each diagnosis.
    pub fn with_inbox(self, inbox: Option<inbox::Inbox>) -> Self {
        Self { inbox: inbox.map(Arc::new), ..self }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

/// Who asks or presses, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Asker {
    pub org: OrgId,
    pub workspace: Workspace,
    pub who: Who,
    /// The channel in which it was asked or pressed, where it is not a direct message.
    pub channel: Option<String>,
}

/// Whom a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Person(PersonId),
    /// As the platform names them. Who is no colleague gets an explanation and nothing else.
    ChatUser(String),
}

impl Asker {
    /// The colleague who asks, from what is stored; never a call out. `None` where the chat user is not known, or has left.
    ///
    /// Whom delivery found by e-mail stands in the table and not in memory yet: on a first morning, telling every
    /// process of each person would make them read the organisation anew once a person.
    async fn known<'a>(&self, tx: &mut Tenant, snapshot: &'a snapshot::Snapshot) -> anyhow::Result<Option<&'a Person>> {
        if let Some(person) = self.person(snapshot) {
            return Ok(Some(person));
        }
        let Who::ChatUser(user) = &self.who else { return Ok(None) };
        let found = person::of_chat_user(tx, &self.workspace, user).await?;
        Ok(found.and_then(|id| snapshot.person(id)).filter(|person| person.active))
    }

    /// The same from memory alone.
    fn person<'a>(&self, snapshot: &'a snapshot::Snapshot) -> Option<&'a Person> {
        let id = match &self.who {
            Who::Person(id) => *id,
            Who::ChatUser(user) => snapshot.person_of(&self.workspace, user)?,
        };
        snapshot.person(id).filter(|person| person.active)
    }
}
