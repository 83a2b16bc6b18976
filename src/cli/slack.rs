//! Slack as the configuration gives it: one workspace by its bot token, any number by OAuth.

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

use super::keys::master_keys;
use super::open::Opened;
use crate::app::{App, organisation};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::http::Install;
use crate::slack::address::ApiUrl;
use crate::slack::client::{self, AppCredentials, Client};
use crate::store::directory::{self, Linked, Organisation, Platform, Workspace};
use crate::tokens::{Bot, Tokens};

/// A client, and what opens the workspaces.
pub(super) struct Slack {
    pub(super) client: Client,
    pub(super) api: ApiUrl,
    pub(super) tokens: Tokens,
    /// Where workspaces can install the app by themselves.
    pub(super) install: Option<Install>,
}

pub(super) fn api(config: &Config) -> anyhow::Result<ApiUrl> {
    match &config.slack.api_url {
        None => Ok(ApiUrl::default()),
        Some(url) => ApiUrl::parse(url).map_err(|error| anyhow::anyhow!("TANDEM_API_URL_SLACK: {error}")),
    }
}

pub(super) fn client(api: &ApiUrl) -> anyhow::Result<Client> {
    Client::new(client::Settings { api: api.clone(), ..client::Settings::default() })
        .context("the HTTP client can't be made")
}

/// Half a configuration would look well until the first click.
pub(super) fn check_whole(config: &Config) -> anyhow::Result<()> {
    let slack = &config.slack;
    let where_both = "both stand under Basic Information of your Slack app";
    match (&slack.client_id, &slack.client_secret) {
        (Some(_), None) => anyhow::bail!("SLACK_CLIENT_ID is set but SLACK_CLIENT_SECRET is not; {where_both}"),
        (None, Some(_)) => anyhow::bail!("SLACK_CLIENT_SECRET is set but SLACK_CLIENT_ID is not; {where_both}"),
        _ => {}
    }
    anyhow::ensure!(
        slack.app_token.as_ref().is_none_or(|token| token.expose_secret().starts_with("xapp-")),
        "SLACK_APP_TOKEN does not begin with xapp-; it is an app-level token, made under Basic Information of your Slack app"
    );
    let sends = slack.bot_token.is_some() || slack.client_id.is_some();
    let hears = slack.signing_secret.is_some() || slack.app_token.is_some();
    anyhow::ensure!(
        !sends || hears,
        "{} is set but neither SLACK_SIGNING_SECRET nor SLACK_APP_TOKEN is: clicks and commands could not be taken; \
         both stand under Basic Information of your Slack app, and the latter turns Socket Mode on",
        if slack.bot_token.is_some() { "SLACK_BOT_TOKEN" } else { "SLACK_CLIENT_ID" }
    );
    anyhow::ensure!(
        sends || !hears,
        "{} is set but neither SLACK_BOT_TOKEN nor SLACK_CLIENT_ID is: nothing could be sent; \
         the bot token stands under OAuth & Permissions of your Slack app and begins with xoxb-",
        if slack.signing_secret.is_some() { "SLACK_SIGNING_SECRET" } else { "SLACK_APP_TOKEN" }
    );
    Ok(())
}

/// Slack, where it is configured. Links the workspace of the bot token to its organisation when it is not linked yet.
pub(super) async fn connect(config: &Config, opened: &Opened, app: &App) -> anyhow::Result<Option<Slack>> {
    let api = api(config)?;
    let client = client(&api)?;
    let team = match &config.slack.bot_token {
        Some(token) => Some((token.clone(), team(config, opened, &client, token).await?)),
        None => None,
    };
    let Some(credentials) = credentials(config) else {
        let tokens = team.map(|(token, team)| match team {
            Team::Linked(team) => Tokens::assumed(client.clone(), Bot { token, team }),
            Team::Asked(team) => Tokens::configured(client.clone(), Some(Bot { token, team })),
        });
        return Ok(tokens.map(|tokens| Slack { client, api, tokens, install: None }));
    };
    let bot = team.map(|(token, Team::Linked(team) | Team::Asked(team))| Bot { token, team });
    let keys = master_keys(config)?;
    let tokens = Tokens::with_installations(client.clone(), bot, app.clone(), keys, credentials.clone());
    let base_url = match &config.base_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", config.bind),
    };
    Ok(Some(Slack { client, api, tokens, install: Some(Install { credentials, base_url }) }))
}

/// A token of this workspace, where these settings have one; for a look, not for the service.
pub(super) async fn token_of(
    config: &Config,
    app: &App,
    client: &Client,
    team: &str,
) -> anyhow::Result<Option<SecretString>> {
    if let Some(credentials) = credentials(config) {
        let keys = master_keys(config)?;
        let tokens = Tokens::with_installations(client.clone(), None, app.clone(), keys, credentials);
        if let Some(token) = tokens.of(team).await? {
            return Ok(Some(token));
        }
    }
    let Some(token) = &config.slack.bot_token else { return Ok(None) };
    let identity = client.identify(token).await?;
    Ok((identity.team_id == team).then(|| token.clone()))
}

fn credentials(config: &Config) -> Option<AppCredentials> {
    let slack = &config.slack;
    let (client_id, client_secret) = (slack.client_id.clone()?, slack.client_secret.clone()?);
    Some(AppCredentials { client_id, client_secret })
}

/// Which workspace the bot token is for.
enum Team {
    /// The one that is linked; whether the token is its is asked later.
    Linked(String),
    /// As Slack says.
    Asked(String),
}

async fn team(config: &Config, opened: &Opened, client: &Client, token: &SecretString) -> anyhow::Result<Team> {
    let organisation = organisation(config, opened).await?;
    let mut tx = opened.store.tenant(organisation.id).await?;
    let linked = directory::own_workspaces(&mut tx).await?;
    drop(tx);
    let mut linked = linked.into_iter().filter(|workspace| workspace.platform == Platform::Slack);
    // A known link needs no call out, so a start does not wait for Slack. With OAuth beside it, the one that is known
    // is often another than the token's.
    match (linked.next(), linked.next()) {
        (Some(only), None) if config.slack.client_id.is_none() => Ok(Team::Linked(only.id)),
        _ => link(client, token, opened, &organisation).await.map(Team::Asked),
    }
}

async fn link(
    client: &Client,
    token: &SecretString,
    opened: &Opened,
    organisation: &Organisation,
) -> anyhow::Result<String> {
    let identity = client.identify(token).await.context("SLACK_BOT_TOKEN could not be checked")?;
    let workspace = Workspace { platform: Platform::Slack, id: identity.team_id };
    let linked = organisation::link(&opened.store, organisation.id, &workspace, SystemClock.now()).await?;
    anyhow::ensure!(
        linked != Linked::Taken,
        "SLACK_BOT_TOKEN is for the workspace {}, which belongs to another organisation than {}; set TANDEM_ORG, or remove that link",
        workspace.id,
        organisation.slug
    );
    Ok(workspace.id)
}

async fn organisation(config: &Config, opened: &Opened) -> anyhow::Result<Organisation> {
    if let Some(slug) = &config.org {
        return opened.organisation(slug).await.context("TANDEM_ORG");
    }
    let mut tx = opened.store.directory().await?;
    let mut organisations = directory::organisations(&mut tx).await?;
    match (organisations.len(), organisations.pop()) {
        (1, Some(only)) => Ok(only),
        (0, _) => {
            anyhow::bail!("SLACK_BOT_TOKEN is set, but there is no organisation yet; make one with `tandem org create`")
        }
        _ => anyhow::bail!(
            "SLACK_BOT_TOKEN is set and there are several organisations; set TANDEM_ORG to the short name of the one it belongs to"
        ),
    }
}
