//! Telling people between mornings what somebody, a night or a clock did.
//!
//! Whoever has the matter's card already gets a short reply in its thread, which
//! pings, while the card itself is redrawn: one open card an account and person.
//! Whoever has none yet gets the card.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::content::Content;
use super::snapshot::Snapshot;
use crate::domain::account::AccountId;
use crate::domain::person::PersonId;
use crate::store::Tenant;
use crate::store::message::{self, Address, NewMessage};

/// How old a card may be to be replied to: further up nobody would find it.
const FOUND_FOR: TimeDelta = TimeDelta::days(14);

/// Queues one short message to each of these colleagues, in the caller's transaction. It holds ids; the
/// words are made when it is sent. Who has left, or has no chat to be reached in, is passed over.
pub(super) async fn notify(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    to: impl IntoIterator<Item = PersonId>,
    content: &Content,
    account: Option<&AccountId>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let to: BTreeSet<PersonId> = to.into_iter().collect();
    let mut messages: Vec<NewMessage> = Vec::new();
    for id in to.into_iter().filter(|id| snapshot.person(*id).is_some_and(|person| person.active)) {
        let Some(workspace) = snapshot.workspace_of(id).cloned() else { continue };
        let card = match (content.subject(), account) {
            (Some(subject), Some(account)) => {
                message::card_of(tx, &workspace, id, account, &subject, now - FOUND_FOR).await?
            }
            _ => None,
        };
        messages.push(NewMessage {
            id: Uuid::now_v7(),
            workspace,
            to: Address::Person(id),
            content: serde_json::to_value(content.clone().in_thread(card.is_some()))?,
            // A reply says what happened and stays as it is; the card above it is what is redrawn.
            accounts: account.into_iter().filter(|_| card.is_none()).cloned().collect(),
            thread_of: card,
        });
    }
    message::queue_posts(tx, &messages, now).await
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
    let card = message::card_of(tx, &workspace, person, account, &subject, now - FOUND_FOR).await?;
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
