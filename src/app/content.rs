//! What a message is, as ids, and how it reads now.

use serde_json::Value;

use super::App;
use crate::domain::message::Message;
use crate::domain::person::{OrgId, PersonId};
use crate::store::Tenant;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The message of this content as it reads now, for this reader (`None`: a channel). Never cached:
/// it is made from the present state at each sending. `None` where there is nothing left to say:
/// the row is then settled without sending.
pub async fn render(
    app: &App,
    org: OrgId,
    content: &Value,
    reader: Option<PersonId>,
) -> anyhow::Result<Option<Message>> {
    let _ = (app, org, content, reader);
    anyhow::bail!("being built")
}

/// A message has arrived in chat: clocks that start with delivery start, the audit trail says so.
/// In the transaction that settles its outbox row.
pub async fn delivered(
    app: &App,
    tx: &mut Tenant,
    message_id: Uuid,
    content: &Value,
    reader: Option<PersonId>,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let _ = (app, tx, message_id, content, reader, at);
    anyhow::bail!("being built")
}

/// A message was given up: the audit trail says so (`digest.given_up`), and an admin is told by a
/// message of their own, unless it was one to an admin. In the transaction that settles its row.
pub async fn given_up(
    app: &App,
    tx: &mut Tenant,
    message_id: Uuid,
    content: &Value,
    reader: Option<PersonId>,
    problem: &str,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let _ = (app, tx, message_id, content, reader, problem, at);
    anyhow::bail!("being built")
}
