//! Slack workspaces that installed Tandem: their tokens go in sealed and come
//! out opened, are refreshed by one process at a time, change hands with the
//! workspace's link, and are deleted when Tandem is removed.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::domain::person::OrgId;
use crate::store::audit::{self, Actor, Entry};
use crate::store::installation::{self, Installation, Installed, SealedTokens};
use crate::store::{Store, directory, settings};
use crate::vault::{Key, MasterKeys, Place, Unreadable};

/// What opens a workspace, as Slack gave it.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access: SecretString,
    /// Good for one refresh; `None` where the app's tokens do not expire.
    pub refresh: Option<SecretString>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// An installation that is there, with its tokens open.
#[derive(Debug, Clone)]
pub struct Opened {
    pub bot_user_id: String,
    pub scopes: Vec<String>,
    /// Whose it is, if it is linked.
    pub org: Option<OrgId>,
    pub tokens: Tokens,
}

/// Why a refresh did not happen.
#[derive(Debug)]
pub enum NotRefreshed<E> {
    /// It was removed meanwhile, or its tokens do not expire.
    NothingToDo,
    /// Slack refused, or could not be reached.
    Slack(E),
    Unexpected(anyhow::Error),
}

impl<E> From<anyhow::Error> for NotRefreshed<E> {
    fn from(error: anyhow::Error) -> Self {
        Self::Unexpected(error)
    }
}

const ACCESS: &str = "access_token";
const REFRESH: &str = "refresh_token";
/// Writing down what cannot be had a second time is tried so often.
const WRITES: usize = 3;

fn place<'a>(org: Option<OrgId>, column: &'static str, team: &'a str) -> Place<'a> {
    Place { org: org.map(|org| org.0), table: "slack_installation", column, row: team }
}

fn data_key_place(org: OrgId, row: &str) -> Place<'_> {
    Place { org: Some(org.0), table: "data_key", column: "wrapped", row }
}

fn unwrap(keys: &MasterKeys, org: OrgId, wrapped: &[u8]) -> Result<Key, Unreadable> {
    keys.unwrap(data_key_place(org, &org.to_string()), wrapped)
}

fn wrap(keys: &MasterKeys, org: OrgId, key: &Key) -> Vec<u8> {
    keys.wrap(data_key_place(org, &org.to_string()), key)
}

/// The tokens of a stored installation; `None` once it was removed.
fn open(keys: &MasterKeys, stored: &Installation) -> Result<Option<Tokens>, Unreadable> {
    let Some(access) = &stored.access_token else { return Ok(None) };
    let (org, team) = (stored.sealed_for(), stored.team_id.as_str());
    let key = match (org, &stored.data_key) {
        (Some(org), Some(wrapped)) => Some(unwrap(keys, org, wrapped)?),
        // Without its key it can't be opened; the master keys say so with the key's id.
        _ => None,
    };
    let text = |column, sealed: &[u8]| match &key {
        Some(key) => key.open_text(place(org, column, team), sealed),
        None => keys.open_text(place(org, column, team), sealed),
    };
    Ok(Some(Tokens {
        access: text(ACCESS, access)?,
        refresh: stored.refresh_token.as_ref().map(|refresh| text(REFRESH, refresh)).transpose()?,
        expires_at: stored.expires_at,
    }))
}

fn seal(key: &Key, org: Option<OrgId>, team: &str, tokens: &Tokens) -> SealedTokens {
    let seal = |column, secret: &SecretString| key.seal(place(org, column, team), secret.expose_secret().as_bytes());
    SealedTokens {
        org,
        access: seal(ACCESS, &tokens.access),
        refresh: tokens.refresh.as_ref().map(|refresh| seal(REFRESH, refresh)),
        expires_at: tokens.expires_at,
    }
}

/// A transaction over the directory in which tokens may be written.
struct Writing<'k> {
    tx: crate::store::Directory,
    keys: &'k MasterKeys,
}

impl<'k> Writing<'k> {
    /// Holds the installation, where there is one: nobody else refreshes or replaces it meanwhile.
    async fn begin(store: &Store, keys: &'k MasterKeys, team: &str) -> anyhow::Result<(Self, Option<Installation>)> {
        let mut tx = store.directory().await?;
        installation::keep_keys(tx.connection()).await?;
        installation::lock(tx.connection(), team).await?;
        // Read after the lock: what another process wrote while this one waited.
        let stored = installation::read(tx.connection(), team).await?;
        Ok((Self { tx, keys }, stored))
    }

    /// Seals tokens for an organisation, giving it a data key where it has none yet.
    async fn seal(
        &mut self,
        org: Option<OrgId>,
        team: &str,
        tokens: &Tokens,
        now: DateTime<Utc>,
    ) -> anyhow::Result<SealedTokens> {
        let Some(org) = org else { return Ok(seal(self.keys.first(), None, team, tokens)) };
        let connection = self.tx.connection();
        if installation::data_key(connection, org).await?.is_none() {
            installation::add_data_key(connection, org, &wrap(self.keys, org, &Key::random()), now).await?;
        }
        let wrapped = installation::data_key(self.tx.connection(), org).await?;
        let wrapped = wrapped.ok_or_else(|| anyhow::anyhow!("the organisation {org} is gone"))?;
        Ok(seal(&unwrap(self.keys, org, &wrapped)?, Some(org), team, tokens))
    }
}

/// Keeps what Slack gave when a workspace installed Tandem, for the first time or again. Whose it is already stays so.
pub async fn add(
    store: &Store,
    keys: &MasterKeys,
    installed: &Installed,
    tokens: &Tokens,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<OrgId>> {
    let workspace = directory::Workspace { platform: directory::Platform::Slack, id: installed.team_id.clone() };
    let (mut writing, _) = Writing::begin(store, keys, &installed.team_id).await?;
    let org = directory::org_of_workspace(&mut writing.tx, &workspace).await?;
    let sealed = writing.seal(org, &installed.team_id, tokens, now).await?;
    installation::save(writing.tx.connection(), installed, &sealed, now).await?;
    let Some(org) = org else {
        writing.tx.commit().await?;
        return Ok(None);
    };
    let data = json!({"installed_by": installed.installed_by, "scopes": installed.scopes});
    let entry = Entry::new("installation.added", format!("slack:{}", installed.team_id), data);
    let mut tx = writing.tx.into_tenant(org).await?;
    audit::record(&mut tx, Actor::System, now, &[entry]).await?;
    // Mornings go to it from now on.
    settings::touch(&mut tx).await?;
    tx.commit().await?;
    Ok(Some(org))
}

/// The installation of a workspace, its tokens open; `None` where there is none, or it was removed.
///
/// One that was linked, or changed hands, since its tokens were sealed is sealed anew for its organisation.
pub async fn read(store: &Store, keys: &MasterKeys, team: &str, now: DateTime<Utc>) -> anyhow::Result<Option<Opened>> {
    let mut tx = store.directory().await?;
    let stored = installation::read(tx.connection(), team).await?;
    drop(tx);
    let Some(mut stored) = stored else { return Ok(None) };
    if stored.linked_to().is_some() && stored.linked_to() != stored.sealed_for() && stored.access_token.is_some() {
        let (mut writing, again) = Writing::begin(store, keys, team).await?;
        let Some(again) = again else { return Ok(None) };
        if let Some(tokens) = open(keys, &again)? {
            let sealed = writing.seal(again.linked_to(), team, &tokens, now).await?;
            installation::save_tokens(writing.tx.connection(), team, &sealed).await?;
        }
        writing.tx.commit().await?;
        stored = again;
    }
    let Some(tokens) = open(keys, &stored)? else { return Ok(None) };
    let org = stored.linked_to();
    Ok(Some(Opened { bot_user_id: stored.bot_user_id, scopes: stored.scopes, org, tokens }))
}

/// Replaces tokens that end by `by`, asking Slack once however many processes want to: a refresh token works one time.
/// The tokens that hold now, new or refreshed by another process meanwhile.
pub async fn refresh<E>(
    store: &Store,
    keys: &MasterKeys,
    team: &str,
    by: DateTime<Utc>,
    now: DateTime<Utc>,
    ask: impl AsyncFnOnce(&SecretString) -> Result<Tokens, E>,
) -> Result<Tokens, NotRefreshed<E>> {
    let (mut writing, stored) = Writing::begin(store, keys, team).await?;
    let stored = stored.ok_or(NotRefreshed::NothingToDo)?;
    let tokens = open(keys, &stored).map_err(anyhow::Error::from)?.ok_or(NotRefreshed::NothingToDo)?;
    if tokens.expires_at.is_none_or(|at| at > by) {
        return Ok(tokens);
    }
    let Some(refresh) = &tokens.refresh else { return Err(NotRefreshed::NothingToDo) };
    let new = ask(refresh).await.map_err(NotRefreshed::Slack)?;
    let org = stored.sealed_for();
    let sealed = writing.seal(org, team, &new, now).await?;
    let first = async {
        installation::save_tokens(writing.tx.connection(), team, &sealed).await?;
        writing.tx.commit().await
    };
    if let Err(problem) = first.await {
        // The old refresh token is used up: what came in its place must not be lost to a hiccup of the database.
        tracing::warn!(team, error = format!("{problem:#}"), "refreshed tokens could not be written at once");
        write_again(store, keys, team, org, &new, now).await?;
    }
    Ok(new)
}

async fn write_again(
    store: &Store,
    keys: &MasterKeys,
    team: &str,
    org: Option<OrgId>,
    tokens: &Tokens,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut last = anyhow::anyhow!("refreshed tokens were not written");
    for _ in 0..WRITES {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let written = async {
            let (mut writing, _) = Writing::begin(store, keys, team).await?;
            let sealed = writing.seal(org, team, tokens, now).await?;
            installation::save_tokens(writing.tx.connection(), team, &sealed).await?;
            writing.tx.commit().await
        };
        match written.await {
            Ok(()) => return Ok(()),
            Err(problem) => last = problem,
        }
    }
    Err(last.context("the workspace has to be installed again"))
}

/// Tandem was removed from a workspace: its tokens are deleted, what waits for it is not sent, its history and its link
/// stay. False where that was known, or where it was installed again after it `happened`.
pub async fn remove(
    store: &Store,
    team: &str,
    happened: DateTime<Utc>,
    why: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let mut tx = store.directory().await?;
    let stored = installation::read(tx.connection(), team).await?;
    let Some(stored) = stored else { return Ok(false) };
    // Only a transaction without an organisation sees what was not sealed for one yet.
    let early = stored.sealed_for().is_none();
    if early && !installation::remove(tx.connection(), team, now, happened).await? {
        return Ok(false);
    }
    let Some(org) = stored.sealed_for().or(stored.linked_to()) else {
        tx.commit().await?;
        return Ok(true);
    };
    let mut tx = tx.into_tenant(org).await?;
    let removed = early || installation::remove(tx.connection(), team, now, happened).await?;
    if removed {
        let stopped = installation::stop_deliveries(tx.connection(), org, team, now).await?;
        let data = json!({"why": why, "deliveries_stopped": stopped});
        let entry = Entry::new("installation.removed", format!("slack:{team}"), data);
        audit::record(&mut tx, Actor::System, now, &[entry]).await?;
        // No morning is queued for it any more.
        settings::touch(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(removed)
}

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotated {
    pub organisations: usize,
    pub workspaces: usize,
}

/// Puts everything that is stored under the first master key: each organisation gets a new data key and its tokens are
/// encrypted anew under it. One transaction an organisation; whoever reads meanwhile reads the old or the new.
pub async fn rotate(store: &Store, keys: &MasterKeys, now: DateTime<Utc>) -> anyhow::Result<Rotated> {
    let mut tx = store.directory().await?;
    let organisations = directory::organisations(&mut tx).await?;
    drop(tx);
    let mut rotated = Rotated::default();
    for organisation in organisations {
        let org = organisation.id;
        let mut tx = store.tenant(org).await?;
        installation::replace_keys(tx.connection()).await?;
        let Some(wrapped) = installation::data_key(tx.connection(), org).await? else { continue };
        if keys.is_under_first(&wrapped) {
            continue;
        }
        let key = Key::random();
        for stored in installation::of_organisation(tx.connection(), org).await? {
            if let Some(tokens) = open(keys, &stored)? {
                let sealed = seal(&key, Some(org), &stored.team_id, &tokens);
                installation::save_tokens(tx.connection(), &stored.team_id, &sealed).await?;
                rotated.workspaces += 1;
            }
        }
        installation::replace_data_key(tx.connection(), org, &wrap(keys, org, &key), now).await?;
        let data = json!({"master_key": keys.first().name()});
        let entry = Entry::new("key.rotated", format!("organisation:{org}"), data);
        audit::record(&mut tx, Actor::System, now, &[entry]).await?;
        tx.commit().await?;
        rotated.organisations += 1;
    }
    let mut tx = store.directory().await?;
    installation::replace_keys(tx.connection()).await?;
    for stored in installation::without_organisation(tx.connection()).await? {
        let current = stored.access_token.as_ref().is_none_or(|sealed| keys.is_under_first(sealed));
        if let Some(tokens) = open(keys, &stored)?.filter(|_| !current) {
            let sealed = seal(keys.first(), None, &stored.team_id, &tokens);
            installation::save_tokens(tx.connection(), &stored.team_id, &sealed).await?;
            rotated.workspaces += 1;
        }
    }
    tx.commit().await?;
    Ok(rotated)
}
