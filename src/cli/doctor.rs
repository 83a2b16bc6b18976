//! `tandem doctor`: one line each; exit 1 if anything would stop a morning.

mod slack;
mod teams;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::Done;
use super::open::{Opened, open_as_it_is};
use super::slack as connection;
use super::teams as bot;
use crate::app::inbox;
use crate::app::morning::gets_mornings;
use crate::app::snapshot::Snapshot;
use crate::app::{App, content};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Database};
use crate::domain::calendar;
use crate::domain::message::phrase;
use crate::domain::person::Person;
use crate::slack::client::Client;
use crate::store::channel::Whose;
use crate::store::directory::{self, Organisation, Platform};
use crate::store::{Tenant, account, migrate, outbox, person};
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

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    let mut findings = Findings::default();
    match connection::check_whole(config) {
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
    let teams = bot::connect(config);
    let settings = &config.slack;
    let no_slack = settings.bot_token.is_none()
        && settings.client_id.is_none()
        && settings.signing_secret.is_none()
        && settings.app_token.is_none();
    // With Teams alone there is nothing to say of Slack.
    if !no_slack || matches!(teams, Ok(None)) {
        self::slack::check(findings, config, opened).await?;
    }
    match &teams {
        Ok(None) => {}
        Ok(Some(teams)) => self::teams::check(findings, teams).await,
        Err(problem) => findings.say(Mark::Fault, format_args!("teams: {}", super::sentence(problem))),
    }
    let app = App::new(opened.store.clone(), Arc::new(SystemClock));
    for organisation in list {
        one(findings, config, &app, &organisation, SystemClock.now()).await?;
        if let Ok(Some(teams)) = &teams {
            self::teams::channels(findings, teams, &app, &organisation).await?;
        }
    }
    Ok(())
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
    folder(findings, config, organisation, now);
    chats(findings, &mut tx, config, app, &snapshot, slug).await?;
    channels(findings, config, app, &snapshot, slug).await;
    let given_up = outbox::given_up_since(&mut tx, now - TimeDelta::days(7)).await?;
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
    let today = calendar::local_date(organisation.timezone, now);
    for age in content::sources(tx, date, today).await? {
        let mark = if age.late { Mark::Warning } else { Mark::Well };
        findings.say(mark, format_args!("{}: {} last delivered {}", organisation.slug, age.source, age.said(today)));
    }
    Ok(())
}

/// Rejected rows that were set aside in the last days are worth a look.
const REJECTED_WITHIN: TimeDelta = TimeDelta::days(7);

/// The organisation's folder of files to be taken, where there is one.
fn folder(findings: &mut Findings, config: &Config, organisation: &Organisation, now: DateTime<Utc>) {
    let Some(inbox) = super::serve::inbox(config) else { return };
    let slug = &organisation.slug;
    let seen = inbox::overview(&inbox, slug);
    for sentence in &seen.faults {
        findings.say(Mark::Warning, format_args!("{slug}: inbox: {sentence}"));
    }
    if seen.faults.is_empty() {
        let (waiting, queries) = (seen.waiting, seen.queries);
        let what = format_args!(
            "{slug}: inbox: {}: {} and {} for the next night",
            seen.folder.display(),
            phrase::count(waiting, "file"),
            if queries == 1 { "1 query".to_owned() } else { format!("{queries} queries") },
        );
        findings.say(Mark::Well, what);
    }
    for name in &seen.failed {
        let what = format_args!("{slug}: inbox: the last run of {name} did not go well; rejected/{name}.txt says why");
        findings.say(Mark::Warning, what);
    }
    let today = calendar::local_date(organisation.timezone, now);
    let day = |at| phrase::distance(calendar::local_date(organisation.timezone, at), today);
    for (kind, (name, at)) in &seen.taken {
        findings.say(Mark::Well, format_args!("{slug}: inbox: {} last taken {}: {name}", kind.as_str(), day(*at)));
    }
    for (name, at) in seen.rejected.iter().filter(|(_, at)| now - *at < REJECTED_WITHIN) {
        let what = format_args!("{slug}: inbox: rows were rejected {}; mend them in rejected/{name}", day(*at));
        findings.say(Mark::Warning, what);
    }
}

async fn chats(
    findings: &mut Findings,
    tx: &mut Tenant,
    config: &Config,
    app: &App,
    snapshot: &Snapshot,
    slug: &str,
) -> anyhow::Result<()> {
    if snapshot.workspaces.is_empty() {
        let mark = if config.slack.bot_token.is_some() { Mark::Warning } else { Mark::Fault };
        findings.say(
            mark,
            format_args!(
                "{slug}: there is no workspace to send to: none is linked, or Tandem was removed from it; `tandem serve` links \
                 the one of SLACK_BOT_TOKEN, and `tandem link slack TEAM_ID --org {slug}` one that installed Tandem; \
                 `tandem link teams TENANT_ID --org {slug}` links a Teams tenant"
            ),
        );
    }
    for workspace in snapshot.workspaces.iter().filter(|workspace| workspace.platform != Platform::Preview) {
        if workspace.platform == Platform::Teams && config.teams.app_id.is_none() {
            let what = format_args!("{slug}: the tenant {} is linked, but TEAMS_APP_ID is not set", workspace.id);
            findings.say(Mark::Fault, what);
        } else if workspace.platform == Platform::Teams {
            self::teams::heard(findings, tx, config, workspace, slug).await?;
        }
        let mut unmapped = Vec::new();
        let mut unreachable = Vec::new();
        let mut deactivated = Vec::new();
        let mut mapped = Vec::new();
        for person in snapshot.people.iter().filter(|person| gets_mornings(person)) {
            // With several installations a person is reached in one of them.
            if snapshot.workspace_of(person.id) != Some(workspace) {
                continue;
            }
            let stored = snapshot.stored_person(person.id);
            let imported = stored.and_then(|stored| stored.teams_user_id.as_ref());
            let in_slack = stored.and_then(|stored| stored.slack_user_id.clone());
            match person::chat_user(tx, workspace, person.id).await? {
                Some(user) if user.unreachable_since.is_some() => {
                    unreachable.push(person.email.clone());
                    mapped.push((user.user_id, person));
                }
                Some(user) => mapped.push((user.user_id, person)),
                None if workspace.platform == Platform::Teams && imported.is_some() => {}
                None if workspace.platform == Platform::Slack && in_slack.is_some() => {
                    mapped.extend(in_slack.map(|user_id| (user_id, person)));
                }
                None => unmapped.push(person),
            }
        }
        let mut guests = Vec::new();
        if workspace.platform == Platform::Slack
            && let Some((client, token)) = ready(config, app, &workspace.id).await
        {
            let (gone, outside, strange) = self::slack::left(&client, &token, &workspace.id, mapped).await;
            unreachable.retain(|email| gone.iter().all(|person| person.email != *email));
            deactivated.extend(gone);
            guests = outside;
            if !strange.is_empty() {
                let who = strange.join(", ");
                let what = format_args!("{slug}: no user of {} is the slack_user_id of: {who}", workspace.id);
                findings.say(Mark::Warning, what);
            }
        }
        if !deactivated.is_empty() {
            let stand_in = |person: &&Person| {
                let by = snapshot.people.stand_in(person.id, snapshot.today(Some(person.id), app.now()));
                let by = by.and_then(|by| snapshot.person(by)).map_or("nobody", |by| by.email.as_str());
                format!("{} ({by} stands in)", person.email)
            };
            let who: Vec<String> = deactivated.iter().map(stand_in).collect();
            findings.say(
                Mark::Warning,
                format_args!(
                    "{slug}: deactivated in {}: {}; if they have left, give their book to somebody with `tandem transfer`",
                    workspace.id,
                    who.join(", ")
                ),
            );
        }
        if !guests.is_empty() {
            let who = guests.join(", ");
            let what = format_args!("{slug}: guests in {}, so they are told nothing: {who}", workspace.id);
            findings.say(Mark::Warning, what);
        }
        let well = unmapped.is_empty() && unreachable.is_empty() && deactivated.is_empty() && guests.is_empty();
        if well {
            findings.say(Mark::Well, format_args!("{slug}: everybody is known in {}", workspace.id));
        }
        if !unmapped.is_empty() {
            match workspace.platform {
                // Teams opens no chat by an e-mail address.
                Platform::Teams => {
                    let names: Vec<&str> = unmapped.iter().map(|person| person.email.as_str()).collect();
                    let what = format_args!(
                        "{slug}: in {}: no teams_user_id is imported and they have not written to Tandem yet, so no \
                         morning reaches them: {}",
                        workspace.id,
                        names.join(", ")
                    );
                    findings.say(Mark::Fault, what);
                }
                _ => strangers(findings, config, app, &workspace.id, &unmapped, slug).await,
            }
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

/// What a workspace can be asked with. Where there is no token, its own line says so.
async fn ready(config: &Config, app: &App, team: &str) -> Option<(Client, SecretString)> {
    let ready = async {
        let client = connection::client(&connection::api(config)?)?;
        anyhow::Ok(connection::token_of(config, app, &client, team).await?.map(|token| (client, token)))
    };
    ready.await.ok().flatten()
}

/// Channels in place of direct messages: whether what belongs there can be posted.
async fn channels(findings: &mut Findings, config: &Config, app: &App, snapshot: &Snapshot, slug: &str) {
    for (whose, channel) in snapshot.channels() {
        let name = match whose {
            Whose::Pool(pool) => format!("the channel {} of the pool {pool}", channel.id),
            Whose::Lead(lead) => {
                let lead = snapshot.person(*lead).map_or("somebody who left", |lead| lead.email.as_str());
                format!("the channel {} of {lead}", channel.id)
            }
        };
        if channel.workspace.platform != Platform::Slack {
            continue;
        }
        let problem = match ready(config, app, &channel.workspace.id).await {
            _ if !snapshot.workspaces.contains(&channel.workspace) => {
                Some(format!("its workspace {} is not linked any more", channel.workspace.id))
            }
            Some((client, token)) => self::slack::channel_problem(&client, &token, &channel.id).await,
            None => Some(format!("there is no token for {} to ask with", channel.workspace.id)),
        };
        match problem {
            None => findings.say(Mark::Well, format_args!("{slug}: {name} can be posted in")),
            Some(problem) => findings.say(
                Mark::Warning,
                format_args!(
                    "{slug}: {name} cannot be posted in: {problem}; what belongs there goes to direct messages"
                ),
            ),
        }
    }
}

/// People who were not seen in a workspace yet: whether Slack knows them is asked where that can be asked.
async fn strangers(findings: &mut Findings, config: &Config, app: &App, team: &str, people: &[&Person], slug: &str) {
    let Some((client, token)) = ready(config, app, team).await else {
        let names: Vec<&str> = people.iter().map(|person| person.email.as_str()).collect();
        let names = names.join(", ");
        return findings.say(
            Mark::Warning,
            format_args!("{slug}: not seen in {team} yet, looked up by e-mail at the first message: {names}"),
        );
    };
    let (absent, barred, left) = self::slack::look_up(&client, &token, people).await;
    let found = people.len() - absent.len() - barred.len() - left;
    if found > 0 {
        findings.say(Mark::Well, format_args!("{slug}: {found} not seen in {team} yet, but known there by e-mail"));
    }
    if !absent.is_empty() {
        let names = absent.join(", ");
        findings.say(
            Mark::Warning,
            format_args!(
                "{slug}: nobody in {team} has the e-mail of {names}: set slack_user_id in people.csv, or let them type /tandem help and introduce themselves"
            ),
        );
    }
    if !barred.is_empty() {
        let names = barred.join(", ");
        findings.say(
            Mark::Warning,
            format_args!("{slug}: guests or deactivated in {team}, so nothing is sent to them: {names}"),
        );
    }
    if left > 0 {
        findings.say(Mark::Warning, format_args!("{slug}: {left} not seen in {team} yet, and not looked up this time"));
    }
}
