//! Telling people between mornings what somebody, a night or a clock did.
//!
//! There is one open card an account and person, with all that is theirs to do
//! there. Whoever has seen the matter on it gets a short reply in its thread, which
//! pings, while the card itself is redrawn. To whom the matter is new the card comes
//! as a message of its own, and what stood further up says where it is now.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::content::{About, Content};
use super::snapshot::Snapshot;
use crate::domain::account::AccountId;
use crate::domain::person::PersonId;
use crate::store::channel::{Channel, Whose};
use crate::store::message::{self, Address, NewMessage};
use crate::store::{Tenant, card, handoff};

/// How old a card may be to be replied to: further up nobody would find it.
const FOUND_FOR: TimeDelta = TimeDelta::days(14);

/// Queues one short message to each of these colleagues, in the caller's transaction. It holds ids; the
/// words are made when it is sent. Who has left, or has no chat to be reached in, is passed over. What is offered
/// to a pool that reads a channel goes there once instead of to each member.
pub(super) async fn notify(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    to: impl IntoIterator<Item = PersonId>,
    content: &Content,
    account: Option<&AccountId>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut to: BTreeSet<PersonId> = to.into_iter().collect();
    let mut messages = Vec::new();
    if let (Some(account), Some(subject)) = (account, content.subject())
        && let Some((pool, channel)) = offered_in_channel(tx, snapshot, content).await?
        && snapshot.people.pool(&pool).iter().any(|member| to.contains(member))
    {
        to.retain(|person| !snapshot.people.pool(&pool).contains(person));
        let thread = card::thread_in(tx, &channel.workspace, &channel.id, account, &subject, now).await?;
        // What is new to the thread comes with its card, what stands there already in a line.
        let said = content.clone().in_thread(thread.is_some_and(|thread| thread.told));
        messages.push(NewMessage {
            id: Uuid::now_v7(),
            workspace: channel.workspace,
            to: Address::Channel(channel.id),
            content: serde_json::to_value(Content::InChannel { pool, of: Box::new(said) })?,
            accounts: vec![account.clone()],
            thread_of: thread.map(|thread| thread.message_id),
        });
    }
    for id in to.into_iter().filter(|id| snapshot.person(*id).is_some_and(|person| person.active)) {
        let Some(workspace) = snapshot.workspace_of(id).cloned() else { continue };
        let told_in = match (content.subject(), account) {
            (Some(subject), Some(account)) => {
                card::of_subject(tx, &workspace, id, account, &subject, now - FOUND_FOR).await?
            }
            _ => None,
        };
        messages.push(NewMessage {
            id: Uuid::now_v7(),
            workspace,
            to: Address::Person(id),
            content: serde_json::to_value(content.clone().in_thread(told_in.is_some()))?,
            // A reply says what happened and stays as it is; the card above it is what is redrawn.
            accounts: account.into_iter().filter(|_| told_in.is_none()).cloned().collect(),
            thread_of: told_in,
        });
    }
    message::queue_posts(tx, &messages, now).await?;
    let with_cards = messages.iter().filter(|message| !message.accounts.is_empty() && message.thread_of.is_none());
    let with_cards: Vec<Uuid> = with_cards.map(|message| message.id).collect();
    card::supersede(tx, &with_cards, now).await
}

/// Queues a reply under this person's card, to leave at `at`. False where they have no such card.
pub(super) async fn reply_at(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: PersonId,
    content: &Content,
    account: &AccountId,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let (Some(workspace), Some(subject)) = (snapshot.workspace_of(person).cloned(), content.subject()) else {
        return Ok(false);
    };
    let card = card::of_subject(tx, &workspace, person, account, &subject, now - FOUND_FOR).await?;
    let Some(card) = card else { return Ok(false) };
    let reply = NewMessage {
        id: Uuid::now_v7(),
        workspace,
        to: Address::Person(person),
        content: serde_json::to_value(content.clone().in_thread(true))?,
        accounts: Vec::new(),
        thread_of: Some(card),
    };
    message::queue_posts_at(tx, &[reply], at, now).await?;
    Ok(true)
}

/// The pool that a handoff is offered to now, and the channel that it reads.
async fn offered_in_channel(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    content: &Content,
) -> anyhow::Result<Option<(String, Channel)>> {
    let Content::Notice { about: About::Handoff(id), .. } = content else { return Ok(None) };
    if !snapshot.has_pool_channels() {
        return Ok(None);
    }
    let found = handoff::read(tx, &[*id]).await?.pop();
    let Some(pool) = found.as_ref().and_then(|handoff| handoff.offered_to_pool()) else { return Ok(None) };
    Ok(snapshot.channel_of(&Whose::Pool(pool.to_owned())).map(|channel| (pool.to_owned(), channel.clone())))
}
