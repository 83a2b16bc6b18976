//! `tandem doctor`: one line each; exit 1 if anything would stop a morning.

use chrono::{DateTime, TimeDelta, Utc};

use super::open::{Opened, open_as_it_is};
use super::{Done, slack, teams};
use crate::app::App;
use crate::app::morning::gets_mornings;
use crate::app::snapshot::Snapshot;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Database};
use crate::store::directory::{self, Organisation, Platform};
use crate::store::{Tenant, account, diagnosis, message, migrate, person};
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Look at one organisation only
    #[arg(long)]
    org: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Well,
    /// Worth a look; mornings go out.
    Warning,
    /// Mornings do not go out.
    Fault,
}

#[derive(Default)]
struct Findings {
    faults: usize,
}

impl Findings {
    fn say(&mut self, mark: Mark, what: impl std::fmt::Display) {
        let word = match mark {
            Mark::Well => "ok   ",
            Mark::Warning => "warn ",
            Mark::Fault => {
                self.faults += 1;
                "FAULT"
            }
        };
        println!("{word}  {what}");
    }
}

/// The scopes that the manifest asks for, each with what stops without it.
const SCOPES: [(&str, &str); 10] = [
    ("commands", "slash commands"),
    ("chat:write", "every message"),
    ("im:write", "direct messages"),
    ("users:read", "time zones, and telling colleagues from guests"),
    ("users:read.email", "finding people by their e-mail"),
    ("channels:read", "telling shared channels from internal ones"),
    ("groups:read", "the same for private channels"),
    ("im:history", "looking up a direct message after a crash"),
    ("channels:history", "looking up a channel message after a crash"),
    ("groups:history", "the same for private channels"),
];

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    let mut findings = Findings::default();
    match slack::check_supported(config) {
        Ok(()) => findings.say(Mark::Well, "configuration"),
        Err(problem) => findings.say(Mark::Fault, format_args!("configuration: {problem}")),
    }
    let opened = match open_as_it_is(config, 4).await {
        Ok(opened) => opened,
        Err(problem) => {
            findings.say(Mark::Fault, format_args!("database: {}", super::sentence(&problem)));
            return Ok(Done::WithFaults);
        }
    };
    database(&mut findings, config, &opened).await?;
    if migrate::check(&opened.store).await.is_ok() {
        organisations(&mut findings, config, &opened, args.org.as_deref()).await?;
    }
    opened.close().await?;
    Ok(if findings.faults == 0 { Done::Well } else { Done::WithFaults })
}

async fn database(findings: &mut Findings, config: &Config, opened: &Opened) -> anyhow::Result<()> {
    let kind = match config.database {
        Database::Url(_) => "database: reached",
        Database::Embedded => "database: embedded, reached",
    };
    findings.say(Mark::Well, kind);
    match migrate::check(&opened.store).await {
        Ok(()) => findings.say(Mark::Well, "migrations: up to date"),
        Err(problem) => findings.say(Mark::Fault, format_args!("migrations: {problem}")),
    }
    if opened.store.login_is_above_rls().await? {
        findings.say(
            Mark::Warning,
            "roles: Tandem's login is a superuser or bypasses row level security; give it a login of its own",
        );
    } else {
        findings.say(Mark::Well, "roles: the login is bound by row level security");
    }
    Ok(())
}

async fn organisations(
    findings: &mut Findings,
    config: &Config,
    opened: &Opened,
    only: Option<&str>,
) -> anyhow::Result<()> {
    let list = match only {
        Some(slug) => vec![opened.organisation(slug).await?],
        None => {
            let mut tx = opened.store.directory().await?;
            directory::organisations(&mut tx).await?
        }
    };
    if list.is_empty() {
        findings.say(Mark::Fault, "organisations: none yet; make one with `tandem org create`");
    }
    tokens(findings, config, opened).await;
    let app = App::new(opened.store.clone(), Arc::new(SystemClock));
    for organisation in list {
        one(findings, config, &app, &organisation, SystemClock.now()).await?;
    }
    Ok(())
}

/// Each platform that is configured; at least one has to be.
async fn tokens(findings: &mut Findings, config: &Config, opened: &Opened) {
    let teams = teams::connect(config);
    let no_slack = config.slack.bot_token.is_none() && config.slack.signing_secret.is_none();
    let no_teams = matches!(teams, Ok(None));
    match (no_slack, no_teams) {
        (true, true) => findings.say(
            Mark::Fault,
            "chat: no platform is configured; set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET, or TEAMS_APP_ID, \
             TEAMS_APP_SECRET and TEAMS_TENANT_ID",
        ),
        (true, false) => {}
        (false, _) => slack_tokens(findings, config, opened).await,
    }
    match teams {
        Ok(None) => {}
        Ok(Some(teams)) => teams_tokens(findings, &teams).await,
        Err(problem) => findings.say(Mark::Fault, format_args!("teams: {}", super::sentence(&problem))),
    }
}

async fn teams_tokens(findings: &mut Findings, teams: &teams::Teams) {
    match teams.client.sign_in().await {
        Ok(()) => findings.say(Mark::Well, "teams: Microsoft's login accepts TEAMS_APP_ID and TEAMS_APP_SECRET"),
        Err(problem) => findings.say(
            Mark::Fault,
            format_args!("teams: no token: {problem}; check TEAMS_APP_ID, TEAMS_APP_SECRET and TEAMS_TENANT_ID"),
        ),
    }
    match teams.gate.look().await {
        Ok(keys) => findings.say(Mark::Well, format_args!("teams: {keys} keys of Microsoft's to check requests with")),
        Err(problem) => findings.say(
            Mark::Fault,
            format_args!(
                "teams: Microsoft's keys can't be fetched, so every request is refused: {}",
                super::sentence(&problem)
            ),
        ),
    }
}

async fn slack_tokens(findings: &mut Findings, config: &Config, opened: &Opened) {
    let mark = if config.slack.signing_secret.is_some() { Mark::Well } else { Mark::Warning };
    let state = if mark == Mark::Well { "set" } else { "not set: clicks and commands are refused" };
    findings.say(mark, format_args!("slack: SLACK_SIGNING_SECRET is {state}"));
    let Some(token) = &config.slack.bot_token else {
        findings.say(Mark::Fault, "slack: SLACK_BOT_TOKEN is not set: there is nowhere to send to");
        return;
    };
    let client = match slack::api(config).and_then(|api| slack::client(&api)) {
        Ok(client) => client,
        Err(problem) => return findings.say(Mark::Fault, format_args!("slack: {problem}")),
    };
    match client.identify(token).await {
        Ok(identity) => {
            let team = identity.team.unwrap_or_else(|| identity.team_id.clone());
            findings.say(Mark::Well, format_args!("slack: the token is for {team} ({})", identity.team_id));
            if identity.scopes.is_empty() {
                findings.say(Mark::Warning, "slack: the workspace does not say which scopes the token has");
            } else {
                for (scope, what) in SCOPES.iter().filter(|(scope, _)| !identity.scopes.iter().any(|has| has == scope))
                {
                    findings.say(Mark::Fault, format_args!("slack: the scope {scope} is missing, needed for {what}"));
                }
            }
            if let Err(problem) = slack::connect(config, opened).await {
                findings.say(Mark::Fault, format_args!("slack: {}", super::sentence(&problem)));
            }
        }
        Err(problem) => findings.say(Mark::Fault, format_args!("slack: {problem}")),
    }
}

async fn one(
    findings: &mut Findings,
    config: &Config,
    app: &App,
    organisation: &Organisation,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let slug = &organisation.slug;
    let mut tx = app.store.tenant(organisation.id).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let accounts = account::count(&mut tx).await?;
    let readers = snapshot.people.iter().filter(|person| gets_mornings(person)).count();
    let mark = if accounts == 0 || readers == 0 { Mark::Fault } else { Mark::Well };
    findings.say(mark, format_args!("{slug}: {accounts} active accounts, {readers} people get a morning message"));
    match organisation.diagnosed_at {
        None => findings.say(
            Mark::Warning,
            format_args!("{slug}: not diagnosed yet; the night is 02:00 {}", organisation.timezone),
        ),
        Some(at) if now - at > TimeDelta::hours(36) => {
            findings.say(
                Mark::Fault,
                format_args!(
                    "{slug}: the last diagnosis is from {}; is `tandem serve` running at night?",
                    at.date_naive()
                ),
            );
        }
        Some(at) => findings.say(Mark::Well, format_args!("{slug}: diagnosed {} h ago", (now - at).num_hours())),
    }
    sources(findings, &mut tx, organisation, now).await?;
    chats(findings, &mut tx, config, &snapshot, slug).await?;
    let given_up = message::given_up_since(&mut tx, now - TimeDelta::days(7)).await?;
    let mark = if given_up > 0 { Mark::Warning } else { Mark::Well };
    findings.say(mark, format_args!("{slug}: {given_up} messages given up in the last 7 days"));
    Ok(())
}

async fn sources(
    findings: &mut Findings,
    tx: &mut Tenant,
    organisation: &Organisation,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let Some(date) = organisation.diagnosed_on else { return Ok(()) };
    for (source, newest) in diagnosis::run_sources(tx, date).await? {
        let days = (now.date_naive() - newest).num_days();
        // Three weekly intervals: from here on a source has missed more than a holiday.
        let mark = if days > 21 { Mark::Warning } else { Mark::Well };
        let when = match days {
            ..=0 => "today".to_owned(),
            1 => "yesterday".to_owned(),
            days => format!("{days} days ago"),
        };
        findings.say(mark, format_args!("{}: {source} last delivered {when}", organisation.slug));
    }
    Ok(())
}

async fn chats(
    findings: &mut Findings,
    tx: &mut Tenant,
    config: &Config,
    snapshot: &Snapshot,
    slug: &str,
) -> anyhow::Result<()> {
    if snapshot.workspaces.is_empty() {
        if config.slack.bot_token.is_some() {
            let what = format_args!("{slug}: no workspace is linked; `tandem serve` links the one of SLACK_BOT_TOKEN");
            findings.say(Mark::Warning, what);
        } else {
            let how = "`tandem link teams TENANT_ID --org SLUG` links a tenant";
            findings.say(Mark::Fault, format_args!("{slug}: no workspace or tenant is linked; {how}"));
        }
    }
    for workspace in snapshot.workspaces.iter().filter(|workspace| workspace.platform != Platform::Preview) {
        if workspace.platform == Platform::Teams && config.teams.app_id.is_none() {
            let what = format_args!("{slug}: the tenant {} is linked, but TEAMS_APP_ID is not set", workspace.id);
            findings.say(Mark::Fault, what);
        }
        let mut unmapped = Vec::new();
        let mut unreachable = Vec::new();
        for person in snapshot.people.iter().filter(|person| gets_mornings(person)) {
            // With several installations a person is reached in one of them.
            if snapshot.workspace_of(person.id) != Some(workspace) {
                continue;
            }
            let imported = snapshot.stored_person(person.id).and_then(|stored| stored.teams_user_id.as_ref());
            match person::chat_user(tx, workspace, person.id).await? {
                Some(user) if user.unreachable_since.is_some() => unreachable.push(person.email.clone()),
                Some(_) => {}
                None if workspace.platform == Platform::Teams && imported.is_some() => {}
                None => unmapped.push(person.email.clone()),
            }
        }
        let well = unmapped.is_empty() && unreachable.is_empty();
        if well {
            findings.say(Mark::Well, format_args!("{slug}: everybody is known in {}", workspace.id));
        }
        if !unmapped.is_empty() {
            let names = unmapped.join(", ");
            let (mark, what) = match workspace.platform {
                // Teams opens no chat by an e-mail address.
                Platform::Teams => (
                    Mark::Fault,
                    "no teams_user_id is imported and they have not written to Tandem yet, so no morning reaches them",
                ),
                _ => (Mark::Warning, "not seen yet, looked up by e-mail at the first message"),
            };
            findings.say(mark, format_args!("{slug}: in {}: {what}: {names}", workspace.id));
        }
        if !unreachable.is_empty() {
            findings.say(
                Mark::Fault,
                format_args!("{slug}: cannot be reached in {}: {}", workspace.id, unreachable.join(", ")),
            );
        }
    }
    Ok(())
}
