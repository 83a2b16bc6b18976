//! Telling the other side what somebody did: short messages between mornings.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::snapshot::Snapshot;
use crate::domain::account::AccountId;
use crate::domain::person::PersonId;
use crate::store::Tenant;
use crate::store::message::{self, Address, NewMessage};

/// Queues one short message to each of these colleagues, in the caller's transaction. `about` names
/// the matter as ids (`{"handoff": …, "event": "offered", "version": 3}`); the words are made when it is sent.
/// Who has left, or has no chat to be reached in, is passed over.
pub(super) async fn notify(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    to: impl IntoIterator<Item = PersonId>,
    about: &Value,
    account: &AccountId,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let to: BTreeSet<PersonId> = to.into_iter().collect();
    let messages: Vec<NewMessage> = to
        .into_iter()
        .filter(|id| snapshot.person(*id).is_some_and(|person| person.active))
        .filter_map(|id| {
            Some(NewMessage {
                id: Uuid::now_v7(),
                workspace: snapshot.workspace_of(id)?.clone(),
                to: Address::Person(id),
                content: json!({ "notice": about }),
                accounts: vec![account.clone()],
                thread_of: None,
            })
        })
        .collect();
    message::queue_posts(tx, &messages, now).await
}
