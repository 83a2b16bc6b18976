//! The page as it is now, for the person who is shown.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::Demo;
use super::activity::{self, Names};
use super::asides::{Once, Private, Said};
use crate::app::{content, home, query};
use crate::domain::account::Account;
use crate::domain::action::{Subject, Verb};
use crate::domain::command::COMMANDS;
use crate::domain::message::chart::Chart;
use crate::domain::message::{Message, Reply};
use crate::domain::person::{Person, PersonId, Role};
use crate::picture;
use crate::preview::page::{ActivityView, MessageView, MorningView, PageView, PersonView};
use crate::store::directory::{self, Organisation};
use crate::store::message::HeldMessage;
use crate::store::{account, audit, message, person};

/// One night makes a hundred; they are told in a few lines.
const EVENTS: i64 = 300;
/// What the home page is called among the messages.
const HOME: &str = "home";
/// Lines of activity.
const LINES: usize = 40;
/// The sample has 77 accounts; the page offers no more than this.
const ACCOUNTS: i64 = 200;

/// What is read in one transaction.
struct Read {
    organisation: Organisation,
    people: Vec<Person>,
    accounts: Vec<Account>,
    /// Of each person, in the order of `people`.
    messages: Vec<Vec<HeldMessage>>,
    events: Vec<audit::Event>,
}

/// `email` says who is shown; else it is the first of those who have the most to decide.
pub(super) async fn page_of(demo: &Demo, email: Option<&str>, home: bool) -> anyhow::Result<PageView> {
    let read = read(demo).await?;
    let mut people = Vec::with_capacity(read.people.len());
    for (person, messages) in read.people.iter().zip(&read.messages) {
        let waiting = waiting(demo, person.id, messages).await?;
        people.push(person_view(person, waiting));
    }
    let wanted = email.and_then(|email| people.iter().position(|person| person.email == email));
    // The last of the largest is the first by the list, read from its end.
    let busiest = || (0..people.len()).rev().max_by_key(|at| people[*at].waiting);
    let Some(at) = wanted.or_else(busiest) else {
        return Ok(PageView {
            organisation: read.organisation.name,
            csrf: demo.csrf.to_string(),
            ..PageView::default()
        });
    };
    let shown = &read.people[at];
    let now = demo.app.now();
    let (answers, once) = demo.with(shown.id, |aside| aside.shown());
    let mut messages = if home { own_page(demo, shown).await? } else { sent(demo, shown, &read.messages[at]).await? };
    messages.extend(said_privately(demo, shown, answers).await);
    messages.sort_by_key(|(at, _)| *at);
    let messages: Vec<MessageView> = messages.into_iter().map(|(_, view)| view).collect();
    let Once { dialog, focus, announcement } = once;
    let local = now.with_timezone(&shown.timezone);
    Ok(PageView {
        organisation: read.organisation.name.clone(),
        csrf: demo.csrf.to_string(),
        people,
        person: shown.email.clone(),
        home,
        morning: MorningView {
            date: local.format("%A %-d %B %Y").to_string(),
            time: local.format("%H:%M").to_string(),
        },
        hints: hints(&read.accounts, &messages),
        suggestions: suggestions(&read.accounts),
        messages,
        activity: activity_of(&read, shown.timezone, now),
        dialog,
        focus,
        announcement,
        draw: Some(drawn),
    })
}

/// The home tab: a page as it reads now. Private answers follow it.
async fn own_page(demo: &Demo, person: &Person) -> anyhow::Result<Vec<(DateTime<Utc>, MessageView)>> {
    let mut tx = demo.app.store.tenant(demo.org).await?;
    let shown = home::shown(&demo.app, &mut tx, &demo.workspace, person.id).await?;
    let page = shown.map(|message| {
        let day = demo.app.now().with_timezone(&person.timezone).format("%A %-d %B").to_string();
        (DateTime::UNIX_EPOCH, MessageView { id: HOME.to_owned(), day, message, ..MessageView::default() })
    });
    Ok(page.into_iter().collect())
}

/// A chart as the page shows it.
fn drawn(chart: &Chart) -> Option<String> {
    picture::data_address(chart, picture::Size::Full)
        .inspect_err(|error| tracing::error!(error = format!("{error:#}"), "a chart could not be drawn"))
        .ok()
}

async fn read(demo: &Demo) -> anyhow::Result<Read> {
    let mut tx = demo.app.store.tenant(demo.org).await?;
    let organisation = directory::own_organisation(&mut tx).await?;
    let everyone = person::all(&mut tx, organisation.timezone).await?;
    let people: Vec<Person> = everyone.into_iter().map(|stored| stored.person).filter(|person| person.active).collect();
    let accounts = account::page(&mut tx, "", ACCOUNTS).await?;
    let mut messages = Vec::with_capacity(people.len());
    for person in &people {
        messages.push(message::of_person(&mut tx, &demo.workspace, person.id).await?);
    }
    let events = audit::recent(&mut tx, EVENTS).await?;
    Ok(Read { organisation, people, accounts, messages, events })
}

fn person_view(person: &Person, waiting: usize) -> PersonView {
    PersonView {
        email: person.email.clone(),
        name: person.name.clone(),
        role: person.roles.iter().map(|role| role_word(*role)).collect::<Vec<_>>().join(", "),
        time_zone: person.timezone.name().to_owned(),
        waiting,
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Csm => "Customer Success Manager",
        Role::AccountManager => "Account Manager",
        Role::Lead => "Lead",
        Role::Admin => "Admin",
        Role::Viewer => "Viewer",
    }
}

/// How many matters of the newest digest still ask this person to decide: nobody has acknowledged, qualified or
/// claimed them. Read off the buttons, so that the number says what the page shows.
async fn waiting(demo: &Demo, person: PersonId, messages: &[HeldMessage]) -> anyhow::Result<usize> {
    let Some(newest) = messages.iter().rev().find(|message| message.thread_of.is_none()) else { return Ok(0) };
    let drawn = content::render(&demo.app, demo.org, newest.message_id, &newest.content, Some(person)).await?;
    Ok(drawn.as_ref().map_or(0, undecided))
}

fn undecided(message: &Message) -> usize {
    let decides = |verb| matches!(verb, Verb::Acknowledge | Verb::Qualify | Verb::Claim | Verb::Prepare);
    let subjects: BTreeSet<&Subject> =
        message.buttons().filter(|button| decides(button.action.verb)).map(|button| &button.action.subject).collect();
    subjects.len()
}

/// What stands in the person's conversation, as it reads now.
async fn sent(
    demo: &Demo,
    person: &Person,
    messages: &[HeldMessage],
) -> anyhow::Result<Vec<(DateTime<Utc>, MessageView)>> {
    let mut views = Vec::with_capacity(messages.len());
    for held in messages {
        let Some(message) =
            content::render(&demo.app, demo.org, held.message_id, &held.content, Some(person.id)).await?
        else {
            continue;
        };
        let view = MessageView {
            id: held.message_id.to_string(),
            thread_of: held.thread_of.map(|id| id.to_string()),
            notified: held.thread_of.is_none(),
            message,
            ..dated(held.sent_at, person.timezone)
        };
        views.push((held.sent_at, view));
    }
    Ok(views)
}

async fn said_privately(demo: &Demo, person: &Person, answers: Vec<Private>) -> Vec<(DateTime<Utc>, MessageView)> {
    let mut views = Vec::with_capacity(answers.len());
    for Private { id, at, said } in answers {
        let message = match said {
            Said::Message(message) => message,
            Said::AnswerTo(command) => match query::command(&demo.app, &demo.asker(person.id), &command).await {
                Ok(Reply::Private(message)) => message,
                Ok(_) => continue,
                Err(error) => super::sorry(&error),
            },
        };
        views.push((at, MessageView { id, private: true, message, ..dated(at, person.timezone) }));
    }
    views
}

fn dated(at: DateTime<Utc>, zone: Tz) -> MessageView {
    let local = at.with_timezone(&zone);
    MessageView {
        day: local.format("%A %-d %B").to_string(),
        at: local.format("%H:%M").to_string(),
        ..MessageView::default()
    }
}

fn activity_of(read: &Read, zone: Tz, now: DateTime<Utc>) -> Vec<ActivityView> {
    let names = Names {
        people: read.people.iter().map(|person| (person.id.to_string(), person.first_name().to_owned())).collect(),
        accounts: read.accounts.iter().map(|account| (account.id.to_string(), account.name.clone())).collect(),
    };
    let mut lines = activity::told(&read.events, &names, zone, now);
    lines.truncate(LINES);
    lines
}

fn suggestions(accounts: &[Account]) -> Vec<String> {
    let asking = accounts.iter().map(|account| format!("/account {}", account.name));
    plain_commands().map(str::to_owned).chain(asking).collect()
}

/// Commands that need no name.
fn plain_commands() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|usage| usage.usage).filter(|usage| !usage.ends_with("NAME"))
}

/// An account that the person was just told about, then what each role asks most.
fn hints(accounts: &[Account], messages: &[MessageView]) -> Vec<String> {
    let buttons = messages.iter().rev().flat_map(|view| view.message.buttons());
    let mut mentioned = buttons.filter_map(|button| match &button.action.subject {
        Subject::Account(id) => accounts.iter().find(|account| account.id == *id),
        _ => None,
    });
    let account = mentioned.next().or(accounts.first()).map(|account| format!("/account {}", account.name));
    let commands = ["/tandem risks", "/tandem windows", "/tandem renewals", "/tandem help"];
    account.into_iter().chain(commands.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::action::Action;
    use crate::domain::message::{Block, Button, Buttons};

    #[test]
    fn a_matter_waits_once_and_not_after_it_was_decided() {
        let button = |verb, risk| Button::new(Action::new(verb, Subject::Risk(Uuid::from_u128(risk))), "Acme");
        let row = |shown: Vec<Button>, more: Vec<Button>| Block::Buttons(Buttons { shown, more });
        let message = Message {
            summary: String::new(),
            blocks: vec![
                row(vec![button(Verb::Acknowledge, 1), button(Verb::Snooze, 1)], vec![button(Verb::Qualify, 1)]),
                row(vec![button(Verb::SetNextStep, 2)], vec![button(Verb::Note, 2)]),
                row(vec![button(Verb::Claim, 3)], vec![]),
            ],
        };
        assert_eq!(undecided(&message), 2);
    }

    #[test]
    fn only_commands_that_are_whole_are_offered() {
        let plain: Vec<&str> = plain_commands().collect();
        assert!(plain.contains(&"/tandem risks") && !plain.iter().any(|usage| usage.contains("NAME")));
    }
}
