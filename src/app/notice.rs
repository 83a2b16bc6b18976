//! Telling the other side what somebody did: short messages between mornings.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::content::Content;
use super::snapshot::Snapshot;
use crate::domain::account::AccountId;
use crate::domain::person::PersonId;
use crate::store::Tenant;
use crate::store::message::{self, Address, NewMessage};

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
    let content = serde_json::to_value(content)?;
    let messages: Vec<NewMessage> = to
        .into_iter()
        .filter(|id| snapshot.person(*id).is_some_and(|person| person.active))
        .filter_map(|id| {
            Some(NewMessage {
                id: Uuid::now_v7(),
                workspace: snapshot.workspace_of(id)?.clone(),
                to: Address::Person(id),
                content: content.clone(),
                accounts: account.into_iter().cloned().collect(),
                thread_of: None,
            })
        })
        .collect();
    message::queue_posts(tx, &messages, now).await
}
