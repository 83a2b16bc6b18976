//! Teams in the doctor's eyes: the secret, Microsoft's keys, and the channels that pools and leads read.

use super::{Findings, Mark};
use crate::app::App;
use crate::cli::sentence;
use crate::cli::teams::Teams;
use crate::config::Config;
use crate::store::directory::{Organisation, Platform, Workspace};
use crate::store::{Tenant, channel, conversation};
use crate::teams::client::Error;

/// Whether the bot gets a token, and has keys to check requests with.
pub(super) async fn check(findings: &mut Findings, teams: &Teams) {
    match teams.client.sign_in().await {
        Ok(()) => findings.say(Mark::Well, "teams: Microsoft's login accepts TEAMS_APP_ID and TEAMS_APP_SECRET"),
        Err(problem) => {
            let look = match problem {
                Error::Transient { .. } | Error::RateLimited { .. } => {
                    "check that this machine reaches Microsoft's login, or TEAMS_LOGIN_URL where that is set"
                }
                _ => "check TEAMS_APP_ID, TEAMS_APP_SECRET and TEAMS_TENANT_ID",
            };
            findings.say(Mark::Fault, format_args!("teams: no token: {problem}; {look}"));
        }
    }
    match teams.gate.look().await {
        Ok(keys) => findings.say(Mark::Well, format_args!("teams: {keys} keys of Microsoft's to check requests with")),
        Err(problem) => findings.say(
            Mark::Fault,
            format_args!(
                "teams: Microsoft's keys can't be fetched, so every request is refused: {}",
                sentence(&problem)
            ),
        ),
    }
}

/// Whether anything came from a linked tenant yet. Mornings go out all the same; presses and questions come in nowhere.
pub(super) async fn heard(
    findings: &mut Findings,
    tx: &mut Tenant,
    config: &Config,
    workspace: &Workspace,
    slug: &str,
) -> anyhow::Result<()> {
    if conversation::latest_service_url(tx, workspace).await?.is_some() {
        return Ok(());
    }
    let base = config.base_url.as_ref().map_or("https://YOUR-ADDRESS/", |url| url.as_str());
    let what = format_args!(
        "{slug}: nothing came from {} yet: the Azure Bot's messaging endpoint has to be {}/teams/messages, and the app \
         installed",
        workspace.id,
        base.trim_end_matches('/')
    );
    findings.say(Mark::Warning, what);
    Ok(())
}

/// Whether each channel that is set can be posted in. Where it can't, messages go to people instead: a warning.
pub(super) async fn channels(
    findings: &mut Findings,
    teams: &Teams,
    app: &App,
    organisation: &Organisation,
) -> anyhow::Result<()> {
    let slug = &organisation.slug;
    let mut tx = app.store.tenant(organisation.id).await?;
    let mut set = channel::all(&mut tx).await?;
    set.retain(|(_, channel)| channel.workspace.platform == Platform::Teams);
    let mut kept = Vec::new();
    for (_, channel) in set {
        let found = conversation::read(&mut tx, &channel.workspace, &channel.id).await?;
        kept.push((channel, found));
    }
    drop(tx);
    let sender = teams.sender();
    for (channel, kept) in kept {
        let service = kept.as_ref().and_then(|kept| sender.services.admit(&kept.service_url));
        let problem = match (kept, service) {
            (Some(kept), _) if kept.shared => Some("it is a shared channel".to_owned()),
            (Some(_), Some(service)) => {
                match sender.client.outsiders_in(&service, &channel.workspace.id, &channel.id).await {
                    Ok(false) => None,
                    Ok(true) => Some("guests or people of another company read it".to_owned()),
                    Err(Error::Unreachable(_) | Error::Gone(_)) => Some("Tandem is not in it any more".to_owned()),
                    Err(error) => Some(format!("who reads it can't be asked: {error}")),
                }
            }
            _ => Some("Tandem was not spoken to there lately".to_owned()),
        };
        match problem {
            None => findings.say(Mark::Well, format_args!("{slug}: the channel {} can be posted in", channel.id)),
            Some(why) => {
                let what =
                    format_args!("{slug}: nothing is posted in {}, and people get it instead: {why}", channel.id);
                findings.say(Mark::Warning, what);
            }
        }
    }
    Ok(())
}
