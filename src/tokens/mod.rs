//! Which token opens which Slack workspace: the configured one for its own, and
//! for all others that of their installation, opened from the vault and
//! refreshed in time.
//!
//! What was read holds for a few seconds, so that a workspace which installs
//! Tandem, links it, refreshes its token in another process or removes Tandem is
//! noticed without a restart.

mod bot;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use crate::app::App;
use crate::app::installation::{self, NotRefreshed};
use crate::domain::person::OrgId;
use crate::slack::client::{self, AppCredentials, Client, Grant};
use crate::store::directory::Served;
use crate::store::installation::{Installed, expiring};
use crate::vault::{MasterKeys, Unreadable};

use bot::Configured;
pub use bot::{Bot, Mistaken};

/// How long a process trusts what it read of an installation.
const MEMORY: Duration = Duration::from_secs(5);
/// Workspaces remembered; beyond it all are forgotten.
const REMEMBERED_MOST: usize = 10_000;
/// A token that ends sooner is not used any more.
const MARGIN: TimeDelta = TimeDelta::minutes(2);
/// Tokens live 12 hours. With two left they are refreshed in the background, which leaves many tries.
const AHEAD: TimeDelta = TimeDelta::hours(2);
/// Between looks for tokens that end soon.
const TICK: Duration = Duration::from_secs(60);
/// Refreshed at one look.
const PAGE: i64 = 100;

/// A source of tokens. Cheap to clone: all clones share what they know.
#[derive(Clone)]
pub struct Tokens {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    bot: Option<Configured>,
    installations: Option<Installations>,
    known: Mutex<HashMap<String, Known>>,
    /// Who reads a workspace's token now: the others wait for what it finds, and hold no connection meanwhile.
    reading: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// What many workspaces need.
struct Installations {
    app: App,
    keys: MasterKeys,
    credentials: AppCredentials,
}

#[derive(Clone)]
struct Known {
    token: Option<SecretString>,
    expires_at: Option<DateTime<Utc>>,
    read_at: Instant,
}

/// Why there is no token to be had now, although Tandem is installed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vault does not open it: somebody has to see to that.
    #[error(transparent)]
    Locked(#[from] Unreadable),
    /// It ran out, and Slack did not give a new one.
    #[error("the token could not be refreshed: {0}")]
    Slack(#[from] client::Error),
    /// Slack did not say whose the configured token is.
    #[error("SLACK_BOT_TOKEN could not be checked: {0}")]
    Unproven(client::Error),
    /// The configured token is another workspace's.
    #[error(transparent)]
    Mistaken(#[from] Mistaken),
    #[error(transparent)]
    Unexpected(anyhow::Error),
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Unreadable>() {
            Ok(unreadable) => Self::Locked(unreadable),
            Err(error) => Self::Unexpected(error),
        }
    }
}

/// What became of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Installed {
        team: String,
        name: String,
        org: Option<OrgId>,
    },
    /// For a whole Enterprise Grid organisation: refused, and the token given back.
    OrganisationWide,
}

/// What is to be done about a token that Slack refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The workspace has removed Tandem; its tokens are deleted.
    Removed,
    /// There is a newer one, or will be in a moment: the same again.
    Renewed,
    /// Somebody has to see to it.
    Standing,
}

impl Tokens {
    /// One workspace, or none.
    pub fn configured(client: Client, bot: Option<Bot>) -> Self {
        Self::new(client, bot.map(Configured::known), None)
    }

    /// One workspace, of which nobody has asked Slack yet whether the token is its.
    pub fn assumed(client: Client, bot: Bot) -> Self {
        Self::new(client, Some(Configured::assumed(bot)), None)
    }

    /// The configured workspace, if there is one, and all that installed the app with these credentials.
    pub fn with_installations(
        client: Client,
        bot: Option<Bot>,
        app: App,
        keys: MasterKeys,
        credentials: AppCredentials,
    ) -> Self {
        Self::new(client, bot.map(Configured::known), Some(Installations { app, keys, credentials }))
    }

    fn new(client: Client, bot: Option<Configured>, installations: Option<Installations>) -> Self {
        Self {
            shared: Arc::new(Shared { client, bot, installations, known: Mutex::default(), reading: Mutex::default() }),
        }
    }

    /// Which lanes can be served with these.
    pub fn serves(&self, preview: bool) -> Served {
        let bot = self.shared.bot.as_ref().map(|configured| configured.bot.team.clone());
        Served { slack: bot, installed: self.shared.installations.is_some(), teams: false, preview }
    }

    /// A token of a workspace that opens it now; `None` where Tandem is not installed. A token is not used for
    /// another workspace than its own, as far as Slack can say whose it is.
    pub async fn of(&self, team: &str) -> Result<Option<SecretString>, Error> {
        if let Some(configured) = self.configured_for(team) {
            return configured.open(&self.shared.client).await.map(Some);
        }
        let Some(Installations { app, keys, .. }) = &self.shared.installations else { return Ok(None) };
        let now = app.now();
        if let Some(known) = self.known(team, now) {
            return Ok(known.token);
        }
        let turn = self.turn(team);
        let _mine = turn.lock().await;
        if let Some(known) = self.known(team, now) {
            return Ok(known.token);
        }
        let opened = installation::read(&app.store, keys, team, now).await?;
        let Some(opened) = opened else {
            self.remember(team, None, None);
            return Ok(None);
        };
        let mut tokens = opened.tokens;
        if tokens.expires_at.is_some_and(|at| at <= now + MARGIN) {
            match self.refresh(team, now + MARGIN).await? {
                Some(new) => tokens = new,
                None => return Ok(None),
            }
        }
        self.remember(team, Some(tokens.access.clone()), tokens.expires_at);
        Ok(Some(tokens.access))
    }

    /// The token that was read last, if it has not ended: for whoever can't wait for the database. Where it was replaced
    /// meanwhile, Slack says so.
    pub fn lately(&self, team: &str) -> Option<SecretString> {
        if let Some(configured) = self.configured_for(team) {
            return configured.may_be_used().then(|| configured.bot.token.clone());
        }
        let now = self.shared.installations.as_ref()?.app.now();
        let known = self.shared.known.lock().unwrap_or_else(PoisonError::into_inner).get(team).cloned()?;
        known.token.filter(|_| known.expires_at.is_none_or(|at| at > now))
    }

    fn configured_for(&self, team: &str) -> Option<&Configured> {
        self.shared.bot.as_ref().filter(|configured| configured.bot.team == team)
    }

    /// Whether the configured token, if there is one, is that of its workspace. Slack is asked once.
    pub async fn prove(&self) -> Result<(), Error> {
        match &self.shared.bot {
            Some(configured) => configured.prove(&self.shared.client).await,
            None => Ok(()),
        }
    }

    fn turn(&self, team: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut reading = self.shared.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if reading.len() >= REMEMBERED_MOST {
            reading.clear();
        }
        reading.entry(team.to_owned()).or_default().clone()
    }

    fn known(&self, team: &str, now: DateTime<Utc>) -> Option<Known> {
        let known = self.shared.known.lock().unwrap_or_else(PoisonError::into_inner).get(team).cloned()?;
        let holds = known.expires_at.is_none_or(|at| at > now + MARGIN);
        (known.read_at.elapsed() < MEMORY && holds).then_some(known)
    }

    fn remember(&self, team: &str, token: Option<SecretString>, expires_at: Option<DateTime<Utc>>) {
        let mut known = self.shared.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MOST {
            known.clear();
        }
        known.insert(team.to_owned(), Known { token, expires_at, read_at: Instant::now() });
    }

    fn forget(&self, team: &str) {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner).remove(team);
    }

    /// The tokens of a workspace that hold beyond `by`; `None` where Tandem was removed meanwhile.
    async fn refresh(&self, team: &str, by: DateTime<Utc>) -> Result<Option<installation::Tokens>, Error> {
        let Some(Installations { app, keys, credentials }) = &self.shared.installations else { return Ok(None) };
        let ask = async |refresh: &SecretString| {
            let grant = self.shared.client.refresh(credentials, refresh).await?;
            Ok::<_, client::Error>(tokens_of(&grant, app.now()))
        };
        let refreshed = installation::refresh(&app.store, keys, team, by, app.now(), ask).await;
        let result = match &refreshed {
            Ok(_) => "done",
            Err(NotRefreshed::NothingToDo) => "not_needed",
            Err(_) => "failed",
        };
        metrics::counter!("tandem_slack_token_refresh_total", "result" => result).increment(1);
        match refreshed {
            Ok(tokens) => {
                self.remember(team, Some(tokens.access.clone()), tokens.expires_at);
                Ok(Some(tokens))
            }
            Err(NotRefreshed::NothingToDo) => Ok(None),
            Err(NotRefreshed::Slack(error)) => Err(Error::Slack(error)),
            Err(NotRefreshed::Unexpected(error)) => Err(error.into()),
        }
    }

    /// Refreshes what ends soon until `shutdown` says true, so that nobody who clicks has to wait for it. Says once where
    /// the configured token is another workspace's.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        let mut said = false;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = shutdown.changed() => return,
                _ = tick.tick() => {
                    // What Slack could not say now is asked again; deliveries meet the same, and tell it.
                    if let Err(Error::Mistaken(mistaken)) = self.prove().await && !said {
                        said = true;
                        tracing::error!("{mistaken}; then start again: until then nothing is sent with it");
                    }
                    self.keep_fresh(|| *shutdown.borrow()).await;
                }
            }
        }
    }

    /// One look, which ends early where `is_stopping`: a refresh that has begun is not cut off, since Slack takes each
    /// refresh token once.
    pub async fn keep_fresh(&self, is_stopping: impl Fn() -> bool) {
        let Some(Installations { app, .. }) = &self.shared.installations else { return };
        let by = app.now() + AHEAD;
        let due = async {
            let mut tx = app.store.directory().await?;
            expiring(&mut tx, by, PAGE).await
        };
        let teams = due.await.unwrap_or_else(|error| {
            tracing::warn!(error = format!("{error:#}"), "tokens that end soon can't be asked for");
            Vec::new()
        });
        for team in teams {
            if is_stopping() {
                return;
            }
            if let Err(error) = self.refresh(&team, by).await {
                tracing::error!(team, %error, "a workspace's token could not be refreshed; it is tried again");
            }
        }
    }

    /// Slack refused a token.
    pub async fn refused(&self, team: &str, token: &SecretString, code: &str) -> anyhow::Result<Refused> {
        self.forget(team);
        let Some(Installations { app, keys, .. }) = &self.shared.installations else { return Ok(Refused::Standing) };
        // Slack's method pages: "the app has been removed", "for a deleted user or workspace"; and "has expired", by
        // Slack's clock, wherever ours stands.
        let (removed, expired) = (matches!(code, "account_inactive" | "token_revoked"), code == "token_expired");
        if !(removed || expired) {
            return Ok(Refused::Standing);
        }
        // Of many calls that meet it at once the first renews it.
        let turn = self.turn(team);
        let _mine = turn.lock().await;
        let now = app.now();
        let Some(opened) = installation::read(&app.store, keys, team, now).await? else { return Ok(Refused::Standing) };
        let is_current = opened.tokens.access.expose_secret() == token.expose_secret();
        if removed {
            let gone = is_current && installation::remove(&app.store, team, now, code, now).await?;
            return Ok(if gone { Refused::Removed } else { Refused::Standing });
        }
        if !is_current {
            return Ok(Refused::Renewed);
        }
        Ok(match self.refresh(team, DateTime::<Utc>::MAX_UTC).await {
            Ok(Some(_)) => Refused::Renewed,
            Ok(None) => Refused::Standing,
            Err(error) => {
                tracing::warn!(team, %error, "a token that ran out early could not be refreshed; it is tried again");
                Refused::Renewed
            }
        })
    }

    /// Slack says that Tandem was removed from a workspace at that time. False where that was known, or is older than
    /// the present installation.
    pub async fn removed(&self, team: &str, happened: DateTime<Utc>, why: &str) -> anyhow::Result<bool> {
        self.forget(team);
        let Some(Installations { app, .. }) = &self.shared.installations else { return Ok(false) };
        installation::remove(&app.store, team, happened, why, app.now()).await
    }

    /// Takes up what Slack grants for a code. `None` where no workspaces are taken up.
    pub async fn install(&self, code: &str, redirect_uri: &str) -> Result<Option<Outcome>, Error> {
        let Some(Installations { app, keys, credentials }) = &self.shared.installations else { return Ok(None) };
        let grant = self.shared.client.exchange(credentials, code, redirect_uri).await?;
        let now = app.now();
        let tokens = tokens_of(&grant, now);
        let Some((team, name)) = grant.team else {
            if let Err(error) = self.shared.client.revoke(&tokens.access).await {
                tracing::warn!(%error, "the token of an organisation-wide installation could not be given back");
            }
            return Ok(Some(Outcome::OrganisationWide));
        };
        let installed = Installed {
            team_id: team.clone(),
            team_name: name.clone(),
            enterprise_id: grant.enterprise_id,
            bot_user_id: grant.bot_user_id,
            scopes: grant.scopes,
            installed_by: grant.installed_by.unwrap_or_default(),
        };
        let org = installation::add(&app.store, keys, &installed, &tokens, now).await?;
        self.forget(&team);
        tracing::info!(team, linked = org.is_some(), "a workspace installed Tandem");
        Ok(Some(Outcome::Installed { team, name, org }))
    }
}

fn tokens_of(grant: &Grant, now: DateTime<Utc>) -> installation::Tokens {
    let expires_at = grant.expires_in.and_then(|length| TimeDelta::from_std(length).ok()).map(|length| now + length);
    installation::Tokens {
        access: grant.access_token.clone(),
        refresh: grant.refresh_token.clone(),
        expires_at: expires_at.filter(|_| grant.refresh_token.is_some()),
    }
}
