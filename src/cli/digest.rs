//! `tandem digest`: what would be sent; nothing is.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use clap::ValueEnum;
use serde_json::json;

use super::Done;
use super::open::open;
use crate::app::App;
use crate::app::morning::Unsent;
use crate::app::views::Reader;
use crate::app::{content, morning};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::calendar;
use crate::domain::message::text::to_text;
use crate::domain::message::{Block, Message, Text};
use crate::domain::person::Person;
use crate::slack::render;
use crate::{picture, teams};
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long)]
    org: String,
    /// E-mail of one person; without it, everyone who gets a morning
    #[arg(long)]
    person: Option<String>,
    /// The local date of the morning; default today
    #[arg(long)]
    date: Option<NaiveDate>,
    /// text, slack (an array of chat.postMessage bodies), teams (an array of activities) or json
    #[arg(long, value_enum, default_value_t)]
    format: DigestFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum DigestFormat {
    #[default]
    Text,
    Slack,
    Teams,
    Json,
}

/// Columns of text output: what a terminal and a mail client both show.
pub(super) const WIDTH: usize = 100;

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 2).await?;
    let organisation = opened.organisation(&args.org).await?;
    let clock = Arc::new(SystemClock);
    let app = App::new(opened.store.clone(), clock.clone());
    let now = clock.now();
    let mut tx = app.store.tenant(organisation.id).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    anyhow::ensure!(
        snapshot.organisation.diagnosed_on.is_some(),
        "{} has no diagnosis yet; run `tandem diagnose --org {}`",
        args.org,
        args.org
    );
    let people: Vec<&Person> = match &args.person {
        Some(email) => {
            let person = snapshot.person_by_email(email);
            let person = person.ok_or_else(|| anyhow::anyhow!("nobody in {} has the e-mail \"{email}\"", args.org))?;
            anyhow::ensure!(
                morning::gets_mornings(person),
                "{} gets no morning message: it goes to people with the role csm, account_manager or lead",
                person.name
            );
            vec![person]
        }
        None => snapshot.people.iter().filter(|person| morning::gets_mornings(person)).collect(),
    };
    let (mut sent, mut off) = (Vec::new(), Vec::new());
    let mut unsent: BTreeMap<Unsent, usize> = BTreeMap::new();
    for person in people {
        let date = args.date.unwrap_or_else(|| calendar::local_date(person.timezone, now));
        let Some(digest) = morning::compose(&mut tx, &snapshot, person, date, false, now).await? else { continue };
        match morning::unsent(&snapshot, person, &digest) {
            Some(why) if args.person.is_some() => eprintln!("tandem: would not be sent: {why}"),
            Some(why) => {
                *unsent.entry(why).or_default() += 1;
                if why == Unsent::DayOff {
                    off.push((person, digest));
                }
                continue;
            }
            None => {}
        }
        sent.push((person, digest));
    }
    if sent.is_empty() {
        let note = if off.is_empty() { "" } else { "; on a working day they would read this" };
        eprintln!("tandem: nothing would be sent: {}{note}", reasons(&unsent));
        // Whoever looks on a weekend wants to see something.
        sent = off;
    }
    let mut messages = Vec::new();
    for (person, digest) in sent {
        let reader = Reader::new(&snapshot, Some(person.id), now);
        if let Some(message) = content::morning_message(&mut tx, reader, &digest).await? {
            messages.push((person, digest.local_date, message));
        }
    }
    match args.format {
        DigestFormat::Text => {
            for (n, (person, _, message)) in messages.iter().enumerate() {
                if n > 0 {
                    println!();
                }
                println!("To {} <{}>", person.name, person.email);
                println!("{}", to_text(message, WIDTH));
            }
        }
        DigestFormat::Slack => {
            let bodies: Vec<_> = messages
                .iter()
                .flat_map(|(person, _, message)| {
                    let channel = snapshot
                        .stored_person(person.id)
                        .and_then(|stored| stored.slack_user_id.clone())
                        .unwrap_or_else(|| person.email.clone());
                    let parts = render::message(message);
                    parts
                        .into_iter()
                        .map(move |part| json!(render::post(&channel, &part, None, None)))
                        .collect::<Vec<_>>()
                })
                .collect();
            println!("{}", serde_json::to_string_pretty(&bodies)?);
        }
        DigestFormat::Teams => {
            let activities: Vec<_> = messages
                .iter()
                .flat_map(|(person, _, message)| {
                    let id = snapshot
                        .stored_person(person.id)
                        .and_then(|stored| stored.teams_user_id.clone())
                        .unwrap_or_else(|| person.email.clone());
                    let recipient = json!({"id": id, "name": person.name});
                    let parts = teams::render::message(message, |chart| {
                        picture::data_address(chart, picture::Size::Small).ok()
                    });
                    parts.into_iter().map(move |part| {
                        let mut activity = teams::render::activity(&part);
                        activity["recipient"] = recipient.clone();
                        activity
                    })
                })
                .collect();
            println!("{}", serde_json::to_string_pretty(&activities)?);
        }
        DigestFormat::Json => {
            let list: Vec<_> = messages.iter().map(|(person, date, message)| as_json(person, *date, message)).collect();
            println!("{}", serde_json::to_string_pretty(&list)?);
        }
    }
    drop(tx);
    opened.close().await?;
    Ok(Done::Well)
}

/// "not their working day (2), away (1)".
fn reasons(unsent: &BTreeMap<Unsent, usize>) -> String {
    if unsent.is_empty() {
        return "nobody gets a morning message".to_owned();
    }
    unsent.iter().map(|(why, people)| format!("{why} ({people})")).collect::<Vec<_>>().join(", ")
}

/// The chat-neutral message: what every renderer draws.
fn as_json(person: &Person, date: NaiveDate, message: &Message) -> serde_json::Value {
    let plain = |text: &Text| text.to_plain();
    let blocks: Vec<_> = message
        .blocks
        .iter()
        .map(|block| match block {
            Block::Heading(text) => json!({"heading": text}),
            Block::Text(text) => json!({"text": plain(text)}),
            Block::Bullets(lines) => json!({"bullets": lines.iter().map(plain).collect::<Vec<_>>()}),
            Block::Facts(facts) => {
                json!({"facts": facts.iter().map(|(label, value)| json!({"label": label, "value": plain(value)})).collect::<Vec<_>>()})
            }
            Block::Context(text) => json!({"context": plain(text)}),
            Block::Chart(chart) => json!({"chart": {"title": chart.title, "alt": chart.alt}}),
            Block::Divider => json!({"divider": true}),
            Block::Buttons(buttons) => {
                let all = buttons.shown.iter().chain(&buttons.more);
                json!({"buttons": all.map(|button| json!({"label": button.label, "action": button.action.to_string()})).collect::<Vec<_>>()})
            }
        })
        .collect();
    json!({"person": person.email, "date": date, "summary": message.summary, "blocks": blocks})
}
