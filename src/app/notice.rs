//! Telling the other side what somebody did: short messages between mornings.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::content::{About, Content};
use super::snapshot::Snapshot;
use crate::domain::account::AccountId;
use crate::domain::handoff::State;
use crate::domain::person::PersonId;
use crate::store::channel::{Channel, Whose};
use crate::store::message::{self, Address, NewMessage};
use crate::store::{Tenant, handoff};

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
    if let Some(account) = account
        && let Some((pool, channel)) = offered_in_channel(tx, snapshot, content).await?
        && snapshot.people.pool(&pool).iter().any(|member| to.contains(member))
    {
        to.retain(|person| !snapshot.people.pool(&pool).contains(person));
        let thread_of = message::thread_in(tx, &channel.workspace, &channel.id, account, now).await?;
        messages.push(NewMessage {
            id: Uuid::now_v7(),
            workspace: channel.workspace,
            to: Address::Channel(channel.id),
            content: serde_json::to_value(Content::InChannel { pool, of: Box::new(content.clone()) })?,
            accounts: vec![account.clone()],
            thread_of,
        });
    }
    let content = serde_json::to_value(content)?;
    let direct =
        to.into_iter().filter(|id| snapshot.person(*id).is_some_and(|person| person.active)).filter_map(|id| {
            Some(NewMessage {
                id: Uuid::now_v7(),
                workspace: snapshot.workspace_of(id)?.clone(),
                to: Address::Person(id),
                content: content.clone(),
                accounts: account.into_iter().cloned().collect(),
                thread_of: None,
            })
        });
    messages.extend(direct);
    message::queue_posts(tx, &messages, now).await
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
    let Some(State::Offered { to, .. }) = found.as_ref().map(|handoff| handoff.state()) else { return Ok(None) };
    let Some(pool) = to.pool() else { return Ok(None) };
    Ok(snapshot.channel_of(&Whose::Pool(pool.to_owned())).map(|channel| (pool.to_owned(), channel.clone())))
}
