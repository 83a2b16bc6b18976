//! What the rows of one lane ask of the database at the same time, they ask
//! together: most of what such a step costs is its transaction, not its rows.
//!
//! What can't be done together, since one of the rows has a fault or is another's
//! by now, was not done at all; each is then done alone, where it fails for itself.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::content::{Arrived, Said};
use super::lane::Held;
use crate::app::together::Together;
use crate::domain::message::Message;
use crate::domain::person::PersonId;
use crate::store::message::{self, MessageCopy};
use crate::store::person::{self, ChatUser, Reach};

/// What is under way in one lane.
#[derive(Default)]
pub(super) struct Steps {
    known: Together<Place, Known>,
    marks: Together<Uuid, bool>,
    rendered: Together<Said, Option<Message>>,
    copies: Together<MessageCopy, ()>,
    sent: Together<Sent, ()>,
}

/// A message, where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) message: Uuid,
    pub(super) thread_of: Option<Uuid>,
    pub(super) person: Option<PersonId>,
}

/// What the database knows about a row before it is sent.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) copies: Vec<MessageCopy>,
    /// The message that this one replies to.
    pub(super) parent: Option<MessageCopy>,
    /// The parent is still to be sent.
    pub(super) parent_waits: bool,
    pub(super) user: Option<ChatUser>,
    pub(super) reach: Option<Reach>,
}

/// A row that came through, with what follows from that.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) row: Uuid,
    pub(super) arrived: Option<Arrived>,
}

impl Held {
    /// What is known about a row before it is sent.
    pub(super) async fn known(&self, place: Place) -> anyhow::Result<Known> {
        let serve = |places: Vec<Place>| async move { self.read_known(&places).await.unwrap_or_default() };
        match self.steps.known.ask(self.lease.org, place, serve).await {
            Some(known) => Ok(known),
            None => self.read_known(&[place]).await?.pop().ok_or_else(|| anyhow::anyhow!("nothing was read of a row")),
        }
    }

    async fn read_known(&self, places: &[Place]) -> anyhow::Result<Vec<Known>> {
        let mut tx = self.shared.app.store.tenant(self.lease.org).await?;
        let threads: Vec<Uuid> = places.iter().filter_map(|place| place.thread_of).collect();
        let messages: Vec<Uuid> = places.iter().map(|place| place.message).chain(threads.iter().copied()).collect();
        let mut copies: BTreeMap<Uuid, Vec<MessageCopy>> = BTreeMap::new();
        for copy in message::copies_of(&mut tx, &messages).await? {
            copies.entry(copy.message_id).or_default().push(copy);
        }
        let open: BTreeSet<Uuid> = if threads.is_empty() {
            BTreeSet::new()
        } else {
            message::open_posts_of(&mut tx, &threads).await?.into_iter().collect()
        };
        let people: Vec<PersonId> = places.iter().filter_map(|place| place.person).collect();
        let (mut users, mut reach) = (BTreeMap::new(), BTreeMap::new());
        if !people.is_empty() {
            let known = person::chat_users_of(&mut tx, &self.lease.workspace, &people).await?;
            users = known.into_iter().map(|user| (PersonId(user.person_id), user)).collect();
            let known = person::reach_of(&mut tx, &people).await?;
            reach = known.into_iter().map(|reach| (PersonId(reach.person_id), reach)).collect();
        }
        tx.commit().await?;
        let known = places.iter().map(|place| {
            let first = |id: Uuid| copies.get(&id).and_then(|copies| copies.iter().find(|copy| copy.part == 0));
            let parent = place.thread_of.and_then(first).cloned();
            Known {
                copies: copies.get(&place.message).cloned().unwrap_or_default(),
                parent_waits: parent.is_none() && place.thread_of.is_some_and(|id| open.contains(&id)),
                parent,
                user: place.person.and_then(|person| users.get(&person)).cloned(),
                reach: place.person.and_then(|person| reach.get(&person)).cloned(),
            }
        });
        Ok(known.collect())
    }

    /// Claims a row. False where the lease is lost or the row is another's.
    pub(super) async fn mark(&self, row: Uuid) -> anyhow::Result<bool> {
        let serve = |rows: Vec<Uuid>| async move { self.mark_all(&rows).await.unwrap_or_default() };
        match self.steps.marks.ask(self.lease.org, row, serve).await {
            Some(ours) => Ok(ours),
            None => Ok(self.mark_all(&[row]).await?.contains(&true)),
        }
    }

    async fn mark_all(&self, rows: &[Uuid]) -> anyhow::Result<Vec<bool>> {
        let mut tx = self.shared.app.store.tenant(self.lease.org).await?;
        let ours = message::mark_all_sending(&mut tx, rows, &self.lease).await?;
        tx.commit().await?;
        Ok(rows.iter().map(|row| ours.contains(row)).collect())
    }

    /// How it reads now; `None` where there is nothing left to say.
    pub(super) async fn render(&self, said: Said) -> anyhow::Result<Option<Message>> {
        let (app, org, render) = (&self.shared.app, self.lease.org, self.shared.contents.render);
        let alone = said.clone();
        let serve = |all: Vec<Said>| async move { render(app, org, &all).await.unwrap_or_default() };
        match self.steps.rendered.ask(org, said, serve).await {
            Some(message) => Ok(message),
            None => Ok(render(app, org, &[alone]).await?.pop().flatten()),
        }
    }

    /// Writes down where a part stands.
    pub(super) async fn save(&self, copy: MessageCopy) -> anyhow::Result<()> {
        let alone = copy.clone();
        let serve = |copies: Vec<MessageCopy>| async move {
            let saved = self.save_all(&copies).await;
            saved.map(|()| vec![(); copies.len()]).unwrap_or_default()
        };
        match self.steps.copies.ask(self.lease.org, copy, serve).await {
            Some(()) => Ok(()),
            None => self.save_all(&[alone]).await,
        }
    }

    async fn save_all(&self, copies: &[MessageCopy]) -> anyhow::Result<()> {
        let mut tx = self.shared.app.store.tenant(self.lease.org).await?;
        message::save_copies(&mut tx, copies).await?;
        tx.commit().await
    }

    /// Settles a row as sent, with what follows from that. False where that was not possible together with others:
    /// then nothing was written.
    pub(super) async fn settle(&self, sent: Sent) -> bool {
        let serve = |all: Vec<Sent>| async move {
            let settled = self.settle_all(&all).await.unwrap_or(false);
            if settled { vec![(); all.len()] } else { Vec::new() }
        };
        self.steps.sent.ask(self.lease.org, sent, serve).await.is_some()
    }

    async fn settle_all(&self, all: &[Sent]) -> anyhow::Result<bool> {
        let (app, now) = (&self.shared.app, self.shared.app.now());
        let mut tx = app.store.tenant(self.lease.org).await?;
        let arrived: Vec<Arrived> = all.iter().filter_map(|sent| sent.arrived.clone()).collect();
        if !arrived.is_empty() {
            (self.shared.contents.delivered)(app, &mut tx, &arrived, now).await?;
        }
        let rows: Vec<Uuid> = all.iter().map(|sent| sent.row).collect();
        let settled = message::settle_sent(&mut tx, &rows, &self.lease, now).await? == rows.len();
        if settled {
            tx.commit().await?;
        }
        Ok(settled)
    }
}
