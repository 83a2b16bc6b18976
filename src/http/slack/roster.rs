//! Who is in the workspaces: everybody is listed at the start and some times a day, so that a first morning already comes
//! at each person's own hour, and whoever left is noticed without a word of theirs. In between Slack tells what changes.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::SlackDoor;
use crate::app::roster::{self, Member};
use crate::app::{App, query};
use crate::domain::person::OrgId;
use crate::http::Http;
use crate::slack::client::User;
use crate::store::directory::{self, Platform, Workspace};

/// Between looks for workspaces that are to be listed.
const TICK: Duration = Duration::from_secs(60);
/// How often a workspace is listed where nothing calls for it sooner.
const AGAIN: Duration = Duration::from_secs(6 * 3600);
/// How soon again where people were imported since. Slack allows about 20 pages a minute.
const SOONER: Duration = Duration::from_secs(600);

/// When a workspace was listed last, and under which stamp of the organisation.
#[derive(Debug, Clone, Copy)]
struct Listed {
    at: Instant,
    stamp: i64,
}

/// Lists until `shutdown` says true.
pub async fn run(http: Http, mut shutdown: watch::Receiver<bool>) {
    let Some(slack) = http.slack.clone() else { return };
    let mut listed: BTreeMap<Workspace, Listed> = BTreeMap::new();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = shutdown.changed() => return,
            _ = tick.tick() => {}
        }
        let looked = tokio::select! {
            _ = shutdown.changed() => return,
            looked = look(&http.app, &slack, &mut listed) => looked,
        };
        if let Err(error) = looked {
            tracing::warn!(error = format!("{error:#}"), "who is in the workspaces could not be looked at");
        }
    }
}

/// Lists the workspaces whose time it is.
async fn look(app: &App, slack: &SlackDoor, listed: &mut BTreeMap<Workspace, Listed>) -> anyhow::Result<()> {
    let mut tx = app.store.directory().await?;
    let links = directory::links(&mut tx).await?;
    drop(tx);
    let linked: Vec<Workspace> = links.into_iter().map(|(workspace, _)| workspace).collect();
    listed.retain(|workspace, _| linked.contains(workspace));
    for workspace in linked.into_iter().filter(|workspace| workspace.platform == Platform::Slack) {
        let Some(org) = query::organisation_of(app, &workspace).await? else { continue };
        let stamp = stamp(app, org).await?;
        let due = listed
            .get(&workspace)
            .is_none_or(|last| last.at.elapsed() > AGAIN || last.stamp != stamp && last.at.elapsed() > SOONER);
        if !due {
            continue;
        }
        let Some(token) = slack.token(&workspace.id).await else { continue };
        listed.insert(workspace.clone(), Listed { at: Instant::now(), stamp });
        match slack.client.team_members(&token, &workspace.id).await {
            Ok(users) => heard_of(app, &workspace, &users).await?,
            Err(error) => tracing::warn!(team = workspace.id, %error, "Slack did not list a workspace's people"),
        }
    }
    Ok(())
}

async fn stamp(app: &App, org: OrgId) -> anyhow::Result<i64> {
    let mut tx = app.store.tenant(org).await?;
    Ok(app.snapshot(&mut tx).await?.settings.stamp)
}

/// Keeps what Slack says of people, where it is new.
pub(super) async fn heard_of(app: &App, workspace: &Workspace, users: &[User]) -> anyhow::Result<()> {
    let Some(org) = query::organisation_of(app, workspace).await? else { return Ok(()) };
    let members: Vec<Member> = users.iter().map(member).collect();
    roster::heard_of(app, org, workspace, &members).await
}

fn member(user: &User) -> Member {
    Member {
        user_id: user.id.clone(),
        email: user.email().filter(|_| user.is_colleague()).map(str::to_lowercase),
        timezone: user.tz.as_deref().and_then(|name| name.parse().ok()),
        deactivated: user.deleted,
    }
}
