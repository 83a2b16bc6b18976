//! Slack in the doctor's eyes: settings, the tokens and their scopes, the clock, Socket Mode, installations, and who
//! can be found.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{Findings, Mark};
use crate::app::App;
use crate::cli::open::Opened;
use crate::cli::{keys, sentence, slack};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::person::Person;
use crate::slack::client::{Client, Error};
use crate::store::installation::{self, Installation};

/// The scopes that the manifest asks for, each with what stops without it.
const SCOPES: [(&str, &str); 11] = [
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
    ("files:write", "the picture of an account's health"),
];

/// Slack refuses nothing by the clock; Tandem refuses requests whose time is this far away, as Slack asks.
const CLOCK_WRONG: i64 = 300;
const CLOCK_OFF: i64 = 30;
/// People who are looked up at one run: Slack allows about 50 a minute.
const LOOKED_UP: usize = 40;

pub(super) async fn check(findings: &mut Findings, config: &Config, opened: &Opened) -> anyhow::Result<()> {
    let settings = &config.slack;
    match (&settings.signing_secret, &settings.app_token) {
        (Some(_), _) => findings.say(Mark::Well, "slack: SLACK_SIGNING_SECRET is set"),
        (None, Some(_)) => {
            findings.say(Mark::Well, "slack: SLACK_SIGNING_SECRET is not set, and not needed with Socket Mode")
        }
        (None, None) => {
            findings.say(Mark::Warning, "slack: SLACK_SIGNING_SECRET is not set: clicks and commands are refused");
        }
    }
    if settings.bot_token.is_none() && settings.client_id.is_none() {
        findings.say(Mark::Fault, "slack: SLACK_BOT_TOKEN is not set: there is nowhere to send to");
        return Ok(());
    }
    let client = match slack::api(config).and_then(|api| slack::client(&api)) {
        Ok(client) => client,
        Err(problem) => {
            findings.say(Mark::Fault, format_args!("slack: {problem}"));
            return Ok(());
        }
    };
    if let Some(token) = &settings.bot_token
        && workspace(findings, &client, token, "SLACK_BOT_TOKEN").await
    {
        let app = App::new(opened.store.clone(), std::sync::Arc::new(SystemClock));
        let proven = async {
            match slack::connect(config, opened, &app).await? {
                Some(slack) => Ok(slack.tokens.prove().await?),
                None => Ok(()),
            }
        };
        let proven: anyhow::Result<()> = proven.await;
        if let Err(problem) = proven {
            findings.say(Mark::Fault, format_args!("slack: {}", sentence(&problem)));
        }
    }
    if let Some(token) = &settings.app_token {
        match client.socket_address(token).await {
            Ok(_) => findings.say(Mark::Well, "slack: Socket Mode can be reached"),
            Err(problem) => findings.say(Mark::Fault, format_args!("slack: Socket Mode: {problem}")),
        }
    }
    if settings.client_id.is_some() {
        installations(findings, config, opened, &client).await?;
    }
    Ok(())
}

/// Whose a token is, what it may do, and what time it is there. False where Slack does not take it.
async fn workspace(findings: &mut Findings, client: &Client, token: &SecretString, what: &str) -> bool {
    let identity = match client.identify(token).await {
        Ok(identity) => identity,
        Err(problem) => {
            findings.say(Mark::Fault, format_args!("slack: {what}: {problem}"));
            return false;
        }
    };
    let team = identity.team.unwrap_or_else(|| identity.team_id.clone());
    findings.say(Mark::Well, format_args!("slack: the token is for {team} ({})", identity.team_id));
    scopes(findings, &identity.scopes);
    if let Some(there) = identity.date {
        clock(findings, SystemClock.now(), there);
    }
    true
}

fn scopes(findings: &mut Findings, granted: &[String]) {
    if granted.is_empty() {
        return findings.say(Mark::Warning, "slack: the workspace does not say which scopes the token has");
    }
    for (scope, what) in SCOPES.iter().filter(|(scope, _)| !granted.iter().any(|has| has == scope)) {
        findings.say(
            Mark::Fault,
            format_args!(
                "slack: the scope {scope} is missing, needed for {what}; add it to the app and install it again"
            ),
        );
    }
    let known = |has: &&String| !SCOPES.iter().any(|(scope, _)| scope == has);
    let more: Vec<&str> = granted.iter().filter(known).map(String::as_str).collect();
    if !more.is_empty() {
        let more = more.join(", ");
        findings
            .say(Mark::Warning, format_args!("slack: more is granted than Tandem needs: {more}; take it from the app"));
    }
}

fn clock(findings: &mut Findings, here: DateTime<Utc>, there: DateTime<Utc>) {
    let seconds = (here - there).num_seconds();
    let (off, which) = (seconds.abs(), if seconds > 0 { "ahead of" } else { "behind" });
    match off {
        ..CLOCK_OFF => findings.say(Mark::Well, "slack: this machine's clock agrees with Slack's"),
        CLOCK_OFF..CLOCK_WRONG => {
            findings.say(Mark::Warning, format_args!("slack: this machine's clock is {off} s {which} Slack's; set it by NTP"));
        }
        _ => findings.say(
            Mark::Fault,
            format_args!(
                "slack: this machine's clock is {off} s {which} Slack's: from {CLOCK_WRONG} s on clicks and commands are refused; \
                 set it by NTP"
            ),
        ),
    }
}

/// Every workspace that installed the app.
async fn installations(
    findings: &mut Findings,
    config: &Config,
    opened: &Opened,
    client: &Client,
) -> anyhow::Result<()> {
    let keys = match keys::master_keys(config) {
        Ok(keys) => keys,
        Err(problem) => {
            findings.say(Mark::Fault, sentence(&problem));
            return Ok(());
        }
    };
    let mut tx = opened.store.directory().await?;
    let every = installation::every(&mut tx).await?;
    drop(tx);
    if every.is_empty() {
        findings.say(Mark::Warning, "slack: no workspace has installed Tandem yet; open /slack/install in a browser");
    }
    for one in every {
        let Installation { team_id, team_name, .. } = &one;
        if let Some(at) = one.removed_at {
            let day = at.date_naive();
            findings.say(Mark::Warning, format_args!("slack: {team_name} ({team_id}) removed Tandem on {day}"));
            continue;
        }
        if one.linked_to().is_none() {
            findings.say(
                Mark::Warning,
                format_args!(
                    "slack: {team_name} ({team_id}) is installed and not linked; run `tandem link slack {team_id} --org SLUG`"
                ),
            );
        }
        let now = SystemClock.now();
        match crate::app::installation::read(&opened.store, &keys, team_id, now).await {
            Ok(Some(open)) if open.tokens.expires_at.is_some_and(|at| at < now) => findings.say(
                Mark::Warning,
                format_args!("slack: the token of {team_name} ({team_id}) ran out; `tandem serve` refreshes it"),
            ),
            Ok(Some(open)) => {
                workspace(findings, client, &open.tokens.access, &format!("the token of {team_name}")).await;
            }
            Ok(None) => {}
            Err(problem) => findings.say(Mark::Fault, format_args!("slack: {}", sentence(&problem))),
        }
    }
    Ok(())
}

/// Looks people up who were not seen in a workspace yet: (not found, cannot be written to, not looked up).
pub(super) async fn look_up(
    client: &Client,
    token: &SecretString,
    people: &[&Person],
) -> (Vec<String>, Vec<String>, usize) {
    let (mut absent, mut barred) = (Vec::new(), Vec::new());
    for (looked_up, person) in people.iter().enumerate().take(LOOKED_UP) {
        match client.user_by_email(token, &person.email).await {
            Ok(Some(user)) if user.is_colleague() => {}
            Ok(Some(_)) => barred.push(person.email.clone()),
            Ok(None) => absent.push(person.email.clone()),
            // What Slack does not say now is not known.
            Err(_) => return (absent, barred, people.len() - looked_up),
        }
    }
    (absent, barred, people.len().saturating_sub(LOOKED_UP))
}

/// Of people who are known as users of a workspace: whose account is deactivated, the addresses of those who are guests by
/// now, and of those whose user is not there. Nobody, where Slack does not list them.
pub(super) async fn left<'p>(
    client: &Client,
    token: &SecretString,
    team: &str,
    known: Vec<(String, &'p Person)>,
) -> (Vec<&'p Person>, Vec<String>, Vec<String>) {
    let (mut deactivated, mut guests, mut strange) = (Vec::new(), Vec::new(), Vec::new());
    let Ok(members) = client.team_members(token, team).await else { return (deactivated, guests, strange) };
    for (user_id, person) in known {
        match members.iter().find(|member| member.id == user_id) {
            Some(member) if member.deleted => deactivated.push(person),
            Some(member) if member.is_outsider() => guests.push(person.email.clone()),
            Some(_) => {}
            None => strange.push(person.email.clone()),
        }
    }
    (deactivated, guests, strange)
}

/// Why nothing can be posted in a channel, in words; `None` where it can.
pub(super) async fn channel_problem(client: &Client, token: &SecretString, channel: &str) -> Option<String> {
    const INVITE: &str = "invite it with /invite @Tandem";
    let found = match client.channel(token, channel).await {
        Ok(found) => found,
        Err(Error::ChannelUnreachable(code)) if code == "channel_not_found" => {
            return Some(format!("there is none, or it is private and Tandem is not in it ({INVITE})"));
        }
        Err(problem) => return Some(problem.to_string()),
    };
    if found.is_archived {
        return Some("it is archived".to_owned());
    }
    if !found.is_member {
        return Some(format!("Tandem is not in it ({INVITE})"));
    }
    match client.not_for(token, channel).await {
        Ok(None) => None,
        Ok(Some("too_many_members")) => Some("it has too many members to be sure that no guest reads along".to_owned()),
        Ok(Some(_)) => Some("people from outside your company read it".to_owned()),
        Err(problem) => Some(problem.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::slack::manifest;

    #[test]
    fn the_doctor_knows_the_scopes_of_the_manifest() {
        let known: std::collections::BTreeSet<&str> = SCOPES.iter().map(|(scope, _)| *scope).collect();
        let asked = manifest::bot_scopes();
        assert_eq!(known, asked.iter().map(String::as_str).collect());
    }

    #[test]
    fn a_scope_that_lacks_is_a_fault_and_one_too_many_is_not() {
        let faults = |lacking: &str, more: &[&str]| {
            let has =
                SCOPES.iter().map(|(scope, _)| *scope).filter(|scope| *scope != lacking).chain(more.iter().copied());
            let mut findings = Findings::default();
            scopes(&mut findings, &has.map(str::to_owned).collect::<Vec<_>>());
            findings.faults
        };
        assert_eq!((faults("", &[]), faults("chat:write", &[]), faults("", &["im:read"])), (0, 1, 0));
    }

    #[test]
    fn only_a_clock_that_stops_something_is_a_fault() {
        let there = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let faults = |seconds: i64| {
            let mut findings = Findings::default();
            clock(&mut findings, there + TimeDelta::seconds(seconds), there);
            findings.faults
        };
        assert_eq!([0, 29, -200, 299].map(faults), [0; 4]);
        assert_eq!([300, -301].map(faults), [1; 2]);
    }
}
