//! What people ask.

use uuid::Uuid;

use super::snapshot::Snapshot;
use super::{App, Asker};
use crate::domain::account::AccountId;
use crate::domain::command::Command;
use crate::domain::message::{Message, Reply};
use crate::domain::person::{OrgId, PersonId};
use crate::store::Tenant;
use crate::store::directory::Workspace;

/// Which organisation a workspace belongs to; kept in memory for a few seconds.
pub async fn organisation_of(app: &App, workspace: &Workspace) -> anyhow::Result<Option<OrgId>> {
    let _ = (app, workspace);
    anyhow::bail!("being built")
}

/// Which colleague this chat user is, from what is stored; never a call out.
pub async fn person_of(
    app: &App,
    org: OrgId,
    workspace: &Workspace,
    user_id: &str,
) -> anyhow::Result<Option<PersonId>> {
    let _ = (app, org, workspace, user_id);
    anyhow::bail!("being built")
}

/// Answers a typed command, privately.
pub async fn command(app: &App, asker: &Asker, command: &Command) -> anyhow::Result<Reply> {
    let _ = (app, asker, command);
    anyhow::bail!("being built")
}

/// The account as `/account` answers it, for a reader who may see it.
pub async fn account_answer(
    app: &App,
    tx: &mut Tenant,
    snapshot: &Snapshot,
    reader: Option<PersonId>,
    account: &AccountId,
) -> anyhow::Result<Message> {
    let _ = (app, tx, snapshot, reader, account);
    anyhow::bail!("being built")
}

/// A whole group of a digest's rest.
pub async fn group_answer(
    app: &App,
    tx: &mut Tenant,
    snapshot: &Snapshot,
    reader: Option<PersonId>,
    digest: Uuid,
    number: u16,
) -> anyhow::Result<Message> {
    let _ = (app, tx, snapshot, reader, digest, number);
    anyhow::bail!("being built")
}
