//! Organisations, their keys and links, and the sealing of their audit trails.

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::calendar;
use crate::domain::money::Currency;
use crate::domain::person::OrgId;
use crate::domain::routing::Model;
use crate::store::audit::{self, Actor, Entry, Look};
use crate::store::directory::{self, ApiKey, Linked, Organisation, Workspace};
use crate::store::{Directory, Store, settings};

#[derive(Debug, Clone)]
pub struct NewOrganisation {
    pub slug: String,
    pub name: String,
    pub model: Model,
    pub timezone: Tz,
    pub currency: Currency,
}

/// Makes an organisation and owes it its first night.
pub async fn create(store: &Store, new: NewOrganisation, now: DateTime<Utc>) -> anyhow::Result<Organisation> {
    let well_formed = !new.slug.is_empty()
        && new.slug.len() <= 63
        && !new.slug.starts_with('-')
        && new.slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    anyhow::ensure!(
        well_formed,
        "\"{}\" can't be an organisation's short name; expected a–z, 0–9 and hyphens, for example acme",
        new.slug
    );
    anyhow::ensure!(!new.name.trim().is_empty(), "an organisation needs a name that people see");
    let organisation = Organisation {
        id: OrgId(Uuid::now_v7()),
        slug: new.slug,
        name: new.name.trim().to_owned(),
        timezone: new.timezone,
        currency: new.currency,
        model: new.model,
        diagnosed_on: None,
        diagnosed_at: None,
    };
    let mut tx = store.directory().await?;
    let made = directory::create_organisation(&mut tx, &organisation, now).await?;
    anyhow::ensure!(made, "there is already an organisation \"{}\"", organisation.slug);
    tx.commit().await?;
    // A second transaction, since one touches one organisation: a crash in between leaves an
    // organisation that `finish` completes at the next start.
    finish(store, &organisation, now).await?;
    Ok(organisation)
}

/// Gives an organisation what every one has. Does nothing the second time.
pub async fn finish(store: &Store, organisation: &Organisation, now: DateTime<Utc>) -> anyhow::Result<()> {
    let mut tx = store.tenant(organisation.id).await?;
    if settings::create(&mut tx).await? {
        let (_, night) = calendar::next_night(organisation.timezone, now);
        directory::set_next_night(&mut tx, night).await?;
        directory::set_next_watch(&mut tx, now).await?;
        let data = json!({"slug": organisation.slug, "model": organisation.model});
        audit::record(
            &mut tx,
            Actor::System,
            now,
            &[Entry::new("organisation.created", format!("organisation:{}", organisation.id), data)],
        )
        .await?;
    }
    tx.commit().await
}

/// Makes an API key: 32 random bytes behind a prefix that secret scanners can find. Only its hash is kept.
pub async fn create_key(store: &Store, org: OrgId, name: &str, now: DateTime<Utc>) -> anyhow::Result<String> {
    anyhow::ensure!(!name.trim().is_empty(), "an API key needs a name that says what it is for");
    let bytes: [u8; 32] = rand::random();
    let key = format!("tandem_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let record = ApiKey { key_id: Uuid::now_v7(), name: name.trim().to_owned(), created_at: now, revoked_at: None };
    let mut tx = store.directory().await?;
    let made = directory::create_key(&mut tx, org, &record, &hash(&key)).await?;
    anyhow::ensure!(made, "there is already a live API key \"{name}\"; revoke it first or choose another name");
    tx.commit().await?;
    note(store, org, now, Entry::new("key.created", format!("key:{}", record.key_id), json!({"name": record.name})))
        .await?;
    Ok(key)
}

/// False where there is no live key of that name or id.
pub async fn revoke_key(store: &Store, org: OrgId, name_or_id: &str, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let mut tx = store.directory().await?;
    let Some(key) = directory::revoke_key(&mut tx, org, name_or_id, now).await? else { return Ok(false) };
    tx.commit().await?;
    note(store, org, now, Entry::new("key.revoked", format!("key:{key}"), json!({}))).await?;
    Ok(true)
}

/// What an API key is looked up by.
pub fn hash(key: &str) -> Vec<u8> {
    Sha256::digest(key.as_bytes()).to_vec()
}

/// Links a workspace to an organisation; another organisation's workspace stays theirs.
pub async fn link(store: &Store, org: OrgId, workspace: &Workspace, now: DateTime<Utc>) -> anyhow::Result<Linked> {
    anyhow::ensure!(
        !workspace.id.trim().is_empty(),
        "the workspace id is empty; Slack's begins with T, as in T0123456789"
    );
    let mut tx = store.directory().await?;
    let linked = directory::link(&mut tx, org, workspace, now).await?;
    if linked == Linked::Now {
        note_place(tx, org, "installation.added", workspace, now).await?;
    }
    Ok(linked)
}

/// False where the workspace was not linked.
pub async fn unlink(store: &Store, workspace: &Workspace, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let mut tx = store.directory().await?;
    let Some(org) = directory::unlink(&mut tx, workspace).await? else { return Ok(false) };
    note_place(tx, org, "installation.removed", workspace, now).await?;
    Ok(true)
}

/// Commits a link that came or went, together with its note; processes that run forget where people are reached.
async fn note_place(
    tx: Directory,
    org: OrgId,
    event: &'static str,
    workspace: &Workspace,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut tx = tx.into_tenant(org).await?;
    let subject = format!("{}:{}", workspace.platform.as_str(), workspace.id);
    audit::record(&mut tx, Actor::System, now, &[Entry::new(event, subject, json!({"how": "linked"}))]).await?;
    settings::touch(&mut tx).await?;
    tx.commit().await
}

async fn note(store: &Store, org: OrgId, now: DateTime<Utc>, entry: Entry) -> anyhow::Result<()> {
    let mut tx = store.tenant(org).await?;
    audit::record(&mut tx, Actor::System, now, &[entry]).await?;
    tx.commit().await
}

/// Chains an organisation's committed audit events, step by step as [`audit::seal`] does. Returns how many.
pub async fn seal(store: &Store, org: OrgId, look: Look) -> anyhow::Result<usize> {
    let (mut sealed, mut rest) = (0, None);
    loop {
        let mut tx = store.tenant(org).await?;
        let step = audit::seal(&mut tx, look, rest).await.context("seal the audit trail")?;
        tx.commit().await?;
        sealed += step.sealed;
        rest = step.rest;
        if rest.is_none() {
            return Ok(sealed);
        }
    }
}
