//! Slack as the configuration gives it: one workspace by its bot token.

use anyhow::Context;
use secrecy::SecretString;

use super::open::Opened;
use crate::app::organisation;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::slack::address::ApiUrl;
use crate::slack::client::{self, Client};
use crate::store::directory::{self, Linked, Organisation, Platform, Workspace};

/// A client, and the workspace that the token is for.
pub(super) struct Slack {
    pub(super) client: Client,
    pub(super) api: ApiUrl,
    pub(super) token: SecretString,
    pub(super) team: String,
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

/// What stands in the way of running on these settings, said before anything starts.
pub(super) fn check_supported(config: &Config) -> anyhow::Result<()> {
    if let Some(key) = config.unsupported.first() {
        anyhow::bail!(
            "{key} is set, but this version of Tandem does not do that yet: it serves one Slack workspace by \
             SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET; unset {key}"
        );
    }
    Ok(())
}

/// The configured workspace; `None` where no bot token is set. Links it to its organisation when it is not linked yet.
pub(super) async fn connect(config: &Config, opened: &Opened) -> anyhow::Result<Option<Slack>> {
    let Some(token) = config.slack.bot_token.clone() else { return Ok(None) };
    let api = api(config)?;
    let client = client(&api)?;
    let organisation = organisation(config, opened).await?;
    let mut tx = opened.store.tenant(organisation.id).await?;
    let linked = directory::own_workspaces(&mut tx).await?;
    drop(tx);
    let mut linked = linked.into_iter().filter(|workspace| workspace.platform == Platform::Slack);
    // A known link needs no call out, so a start does not wait for Slack.
    let team = match (linked.next(), linked.next()) {
        (Some(only), None) => only.id,
        _ => link(&client, &token, opened, &organisation).await?,
    };
    Ok(Some(Slack { client, api, token, team }))
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
