//! What the rows of a lane ask of the database at the same time is asked for all
//! of them together: most of what a message costs Postgres is transactions and the
//! start of statements. Alone, nobody waits. While some are served the next gather,
//! until those are done or a moment has passed. What fails for several is asked
//! alone, so that no message fails for another's sake.

use anyhow::Context;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tracing::debug;
use uuid::Uuid;

use super::lane::Held;
use crate::app::content::{self, Arrived, Asked};
use crate::app::together::{Together, Turn};
use crate::domain::message::Message;
use crate::domain::person::PersonId;
use crate::store::Tenant;
use crate::store::directory::Lease;
use crate::store::message::{self, MessageCopy};
use crate::store::outbox::{self, Ending, OpenPost, Outgoing, Sending};
use crate::store::person::{self, ChatUser, Reach};

/// So many transactions of a kind at once: the second is begun where the first takes long, since it may wait for somebody's
/// lock, or for an answer that never comes.
const AT_ONCE: usize = 4;

/// What is asked, by kind.
pub(super) struct Desk {
    knowing: Together<Question, Known>,
    claiming: Together<Uuid, bool>,
    drawing: Together<Asked, Option<Message>>,
    /// What is about a whole team takes seconds where that is large; others would wait for it.
    drawing_teams: Together<Asked, Option<Message>>,
    noting: Together<(Uuid, MessageCopy), ()>,
    settling: Together<Outgoing, ()>,
    /// For rows that wait for who holds them.
    waiting: Semaphore,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            knowing: Together::new(AT_ONCE, usize::MAX),
            claiming: Together::new(AT_ONCE, usize::MAX),
            drawing: Together::new(AT_ONCE, usize::MAX),
            drawing_teams: Together::new(AT_ONCE, usize::MAX),
            noting: Together::new(AT_ONCE, usize::MAX),
            settling: Together::new(AT_ONCE, usize::MAX),
            waiting: Semaphore::new(2),
        }
    }
}

#[derive(Debug, Clone)]
struct Question {
    message: Uuid,
    sending: Sending,
    thread_of: Option<Uuid>,
    reader: Option<PersonId>,
}

/// What the database knows about a row before it is sent.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) copies: Vec<MessageCopy>,
    /// The message that this one replies to.
    pub(super) parent: Option<MessageCopy>,
    /// The parent is still to be sent.
    pub(super) parent_waits: bool,
    /// Of a redraw: the post, where that has not ended.
    pub(super) post: Option<OpenPost>,
    pub(super) user: Option<ChatUser>,
    pub(super) reach: Option<Reach>,
}

impl Held {
    pub(super) async fn known(&self, row: &Outgoing) -> anyhow::Result<Known> {
        let (message, sending, thread_of, reader) = (row.message_id, row.sending, row.thread_of, row.reader());
        let question = Question { message, sending, thread_of, reader };
        self.ask(&self.desk.knowing, question, |tx, all| known(tx, &self.lease, all).boxed()).await
    }

    /// Claims a row for this lease; false where the lease is lost or the row is another's.
    pub(super) async fn claim(&self, outbox_id: Uuid) -> anyhow::Result<bool> {
        let claim = |mut tx: Tenant, all: Vec<Uuid>| {
            async move {
                let ours = outbox::mark_free(&mut tx, &all, &self.lease).await?;
                tx.commit().await?;
                Ok(all.iter().map(|id| ours.contains(id)).collect())
            }
            .boxed()
        };
        if self.ask(&self.desk.claiming, outbox_id, claim).await? {
            return Ok(true);
        }
        // What changes it holds it until the commit; the others go on meanwhile. A night may change what all rows show:
        // they are not to take every connection for waiting.
        let _turn = self.desk.waiting.acquire().await?;
        let marked = async {
            let mut tx = self.shared.app.store.tenant(self.lease.org).await?;
            let ours = outbox::mark_sending(&mut tx, outbox_id, &self.lease).await?;
            tx.commit().await?;
            Ok(ours)
        };
        self.answered(marked).await
    }

    /// How a row reads now; `None` where there is nothing left to say.
    pub(super) async fn draw(&self, row: &Outgoing) -> anyhow::Result<Option<Message>> {
        let (app, render) = (&self.shared.app, self.shared.contents.render);
        let draw = |tx: Tenant, all: Vec<Asked>| async move { render(app, tx, &all).await }.boxed();
        let asked = Asked { message: row.message_id, content: row.content.clone(), reader: row.reader() };
        let long = content::is_of_a_team(app, self.lease.org, &asked);
        self.ask(if long { &self.desk.drawing_teams } else { &self.desk.drawing }, asked, draw).await
    }

    /// Keeps where a part of a message stands.
    pub(super) async fn note(&self, message: Uuid, copy: &MessageCopy) -> anyhow::Result<()> {
        let note = |mut tx: Tenant, all: Vec<(Uuid, MessageCopy)>| {
            async move {
                message::save_copies(&mut tx, &all).await?;
                tx.commit().await?;
                Ok(vec![(); all.len()])
            }
            .boxed()
        };
        self.ask(&self.desk.noting, (message, copy.clone()), note).await
    }

    /// Ends a claimed row that has arrived, with what follows from that. False where that could not be done together
    /// with others: then it is to be done alone.
    pub(super) async fn settle(&self, row: &Outgoing) -> bool {
        let begin = || self.shared.app.store.tenant(self.lease.org);
        let settle = |tx, all, turn: Turn| async move {
            let settled = self.answered(self.settle_all(tx, all)).await;
            drop(turn);
            settled
        };
        matches!(self.desk.settling.ask(self.lease.org, row.clone(), begin, settle).await, Ok(Some(())))
    }

    async fn settle_all(&self, mut tx: Tenant, rows: Vec<Outgoing>) -> anyhow::Result<Vec<()>> {
        let (app, delivered) = (&self.shared.app, self.shared.contents.delivered);
        let (now, ids): (_, Vec<Uuid>) = (app.now(), rows.iter().map(|row| row.outbox_id).collect());
        // A redraw has no consequences of its own: its post had them.
        let posts = rows.iter().filter(|row| row.sending == Sending::Post);
        let arrived: Vec<Arrived> = posts.map(Arrived::from).collect();
        delivered(app, &mut tx, &arrived, now).await?;
        let all_ours = outbox::settle(&mut tx, &ids, &self.lease, Ending::Sent, now).await?;
        anyhow::ensure!(all_ours, "a row is another's by now");
        tx.commit().await?;
        Ok(vec![(); rows.len()])
    }

    async fn ask<'a, Ask: Clone, Answer>(
        &'a self,
        line: &Together<Ask, Answer>,
        ask: Ask,
        serve: impl Fn(Tenant, Vec<Ask>) -> BoxFuture<'a, anyhow::Result<Vec<Answer>>>,
    ) -> anyhow::Result<Answer> {
        let (store, org) = (&self.shared.app.store, self.lease.org);
        let serve_begun = |tx, all, turn: Turn| {
            let served = self.answered(serve(tx, all));
            async move {
                let served = served.await;
                drop(turn);
                served
            }
        };
        match line.ask(org, ask.clone(), || store.tenant(org), serve_begun).await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(problem) => debug!(error = format!("{problem:#}"), "what several rows asked failed; each asks alone"),
        }
        self.answered(serve(store.tenant(org).await?, vec![ask])).await?.pop().context("nothing was answered")
    }
}

async fn known(mut tx: Tenant, lease: &Lease, all: Vec<Question>) -> anyhow::Result<Vec<Known>> {
    let parents: Vec<Uuid> = all.iter().filter_map(|question| question.thread_of).collect();
    let messages: Vec<Uuid> = all.iter().map(|question| question.message).chain(parents.iter().copied()).collect();
    let people: Vec<PersonId> = all.iter().filter_map(|question| question.reader).collect();
    let copies = message::copies(&mut tx, &messages).await?;
    let redrawn = all.iter().filter(|question| question.sending == Sending::Redraw).map(|question| question.message);
    let asked: Vec<Uuid> = parents.iter().copied().chain(redrawn).collect();
    let open = outbox::posts_open(&mut tx, &asked).await?;
    let users = person::chat_users_of(&mut tx, &lease.workspace, &people).await?;
    let reach = person::reach(&mut tx, &people).await?;
    tx.commit().await?;
    let known = |question: Question| {
        let parent = question.thread_of.and_then(|of| copies.get(&of)?.iter().find(|copy| copy.part == 0).cloned());
        Known {
            copies: copies.get(&question.message).cloned().unwrap_or_default(),
            parent_waits: parent.is_none() && question.thread_of.is_some_and(|of| open.contains_key(&of)),
            parent,
            post: open.get(&question.message).copied().filter(|_| question.sending == Sending::Redraw),
            user: question.reader.and_then(|reader| users.get(&reader).cloned()),
            reach: question.reader.and_then(|reader| reach.get(&reader).cloned()),
        }
    };
    Ok(all.into_iter().map(known).collect())
}
