//! Purpose: a colleague writes from a chat account that nobody is known by, and
//! whose address is not the imported one. They say who they are; somebody who
//! can tell says whether it is so; then what they had asked for is done.
//!
//! Nothing that the asker types proves anything, so nothing of it is believed:
//! their lead or an admin is asked, and where that colleague is known by another
//! account already, they themselves. For an admin's place only admins are asked,
//! and nobody answers for themselves. What was asked for last is kept meanwhile.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::content::Content;
use super::snapshot::Snapshot;
use super::{App, Asker, Who, act, notice, query};
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::command;
use crate::domain::message::dialog::{self, DialogView};
use crate::domain::message::form::{self, Limits, Submission};
use crate::domain::message::introduction::{self as wording, Refused, State, View};
use crate::domain::message::{Answers, Button, Message, Reply, answer};
use crate::domain::person::{OrgId, PersonId, Role};
use crate::store::directory::Platform;
use crate::store::introduction::{self, Introduction, Unknown};
use crate::store::{Tenant, person};

/// How long a question waits for its answer.
const WAITS: TimeDelta = TimeDelta::days(7);
/// Of those who can tell so many are asked: the person and their lead first, then admins.
const TOLD_MOST: usize = 5;
/// How often a day one account may ask to be somebody.
const ASKED_MOST: i32 = 3;

/// What an unknown chat user asked for, to be done once they are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// As it is typed after the bot's name.
    Command(String),
    /// A press, by the name under which its repetitions are known again.
    Press { action: String, receipt: Option<String> },
}

/// A chat user as the platform vouches for them: a colleague there, no guest, stranger or bot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vouched {
    pub name: Option<String>,
    /// Those by which a colleague may be known, the usual one first.
    pub addresses: Vec<String>,
}

/// Keeps what somebody asks for whom nobody is known by, and tells them how to be known: a dialog where one is open.
/// `vouched` is `None` where the platform was asked a moment ago: then it is the same as a moment ago, and `None` where
/// nothing is known of that.
pub async fn begin(
    app: &App,
    asker: &Asker,
    vouched: Option<&Vouched>,
    wanted: Option<&Wanted>,
    in_dialog: bool,
) -> anyhow::Result<Option<Reply>> {
    let Who::ChatUser(user_id) = &asker.who else { return Ok(None) };
    let (workspace, now) = (&asker.workspace, app.now());
    let mut tx = app.store.tenant(asker.org).await?;
    let vouched = match vouched {
        Some(vouched) => vouched.clone(),
        None => match introduction::of_user(&mut tx, workspace, user_id).await? {
            Some(known) => Vouched { name: known.chat_name, addresses: known.chat_email.into_iter().collect() },
            None => return Ok(None),
        },
    };
    let email = vouched.addresses.first().map(String::as_str);
    let who = Unknown { workspace, user_id, name: vouched.name.as_deref(), email };
    let wanted = wanted.map(serde_json::to_value).transpose()?;
    let id = introduction::begin(&mut tx, who, wanted.as_ref(), asker.channel.as_deref(), now).await?;
    let asked = if in_dialog { dialog(app, &mut tx, id).await? } else { None };
    tx.commit().await?;
    Ok(Some(asked.map_or_else(|| Reply::Private(wording::introduce_yourself(email, id)), Reply::Dialog)))
}

async fn dialog(app: &App, tx: &mut Tenant, id: Uuid) -> anyhow::Result<Option<crate::domain::message::Dialog>> {
    let snapshot = app.snapshot(tx).await?;
    let today = snapshot.today(None, app.now());
    let view = DialogView::new(Subject::Introduction(id), "", today, snapshot.organisation.currency);
    Ok(dialog::dialog(Verb::Introduce, &view))
}

/// *Introduce yourself* was pressed.
pub async fn open(app: &App, asker: &Asker, action: &Action) -> anyhow::Result<Reply> {
    let mut tx = app.store.tenant(asker.org).await?;
    if let Err(said) = own(app, &mut tx, asker, action).await? {
        return Ok(Reply::Private(said));
    }
    let Subject::Introduction(id) = action.subject else { return Ok(Reply::Private(answer::unknown_action())) };
    Ok(dialog(app, &mut tx, id).await?.map_or_else(|| Reply::Private(answer::unknown_action()), Reply::Dialog))
}

/// They say who they are; those who can tell are asked.
pub async fn ask(app: &App, asker: &Asker, action: &Action, answers: &Answers) -> anyhow::Result<Reply> {
    let now = app.now();
    let mut tx = app.store.tenant(asker.org).await?;
    let asked = match own(app, &mut tx, asker, action).await? {
        Ok(asked) => asked,
        Err(said) => return Ok(Reply::Private(said)),
    };
    let snapshot = app.snapshot(&mut tx).await?;
    let today = snapshot.today(None, now);
    let email = match form::parse(Verb::Introduce, answers, today, snapshot.organisation.currency, Limits::default()) {
        Ok(Submission::Introduce { email }) => email,
        Ok(_) => return Ok(Reply::Private(answer::unknown_action())),
        Err(errors) => return Ok(Reply::FieldErrors(errors)),
    };
    let refused = |why| Reply::FieldErrors(vec![(form::EMAIL.to_owned(), wording::refused(why).to_owned())]);
    let Some(claimed) = snapshot.person_by_email(&email).filter(|person| person.active) else {
        return Ok(refused(Refused::NobodyListed));
    };
    if imported_otherwise(&snapshot, &asked, claimed.id) {
        return Ok(refused(Refused::AnotherImported));
    }
    let mut whom = who_can_tell(&snapshot, claimed.id, now);
    whom.truncate(TOLD_MOST);
    if whom.is_empty() {
        return Ok(refused(Refused::NobodyToAsk));
    }
    let today_again = asked.asked_at.is_some_and(|at| now - at < TimeDelta::days(1));
    let times = if today_again { asked.asked_times + 1 } else { 1 };
    if times > ASKED_MOST {
        return Ok(refused(Refused::TooOften));
    }
    introduction::ask(&mut tx, asked.id, claimed.id, times, now).await?;
    // An earlier question is over.
    introduction::queue_redraws(&mut tx, asked.id, now).await?;
    let question = Content::Introduction { id: asked.id, person: claimed.id };
    notice::notify(&mut tx, &snapshot, whom.iter().copied(), &question, None, now).await?;
    tx.commit().await?;
    app.outbox_bell.notify_waiters();
    let names: Vec<String> = whom.iter().map(|id| snapshot.first_name(*id)).collect();
    Ok(Reply::Private(wording::asked(&names)))
}

/// The asker's own introduction, locked; what to say instead where it is none of theirs, or they are known by now.
async fn own(
    app: &App,
    tx: &mut Tenant,
    asker: &Asker,
    action: &Action,
) -> anyhow::Result<Result<Introduction, Message>> {
    let snapshot = app.snapshot(tx).await?;
    if let Some(known) = asker.known(tx, &snapshot).await? {
        return Ok(Err(wording::known_already(&known.name)));
    }
    let (Subject::Introduction(id), Who::ChatUser(user)) = (&action.subject, &asker.who) else {
        return Ok(Err(answer::unknown_action()));
    };
    let found = introduction::lock(tx, *id).await?;
    let theirs = found.filter(|found| found.workspace == asker.workspace && found.user_id == *user);
    Ok(theirs.ok_or_else(wording::over))
}

/// The import goes before what anybody says: an admin has named another account there for this person.
fn imported_otherwise(snapshot: &Snapshot, asked: &Introduction, person: PersonId) -> bool {
    let stored = snapshot.stored_person(person);
    let imported = stored.and_then(|stored| match asked.workspace.platform {
        Platform::Slack => stored.slack_user_id.as_ref(),
        Platform::Teams => stored.teams_user_id.as_ref(),
        Platform::Preview => None,
    });
    imported.is_some_and(|imported| !imported.eq_ignore_ascii_case(&asked.user_id))
}

/// Who can say whether somebody is this person: their lead and the admins, for an admin the other admins; and the
/// person, where they are known by another account.
pub(super) fn who_can_tell(snapshot: &Snapshot, person: PersonId, now: DateTime<Utc>) -> Vec<PersonId> {
    let today = snapshot.today(None, now);
    let Some(claimed) = snapshot.person(person) else { return Vec::new() };
    let mut whom: Vec<PersonId> = Vec::new();
    if snapshot.is_known(person) && !claimed.away_on(today) {
        whom.push(person);
    }
    if !claimed.is(Role::Admin) {
        let leads = snapshot.people.leads_above(person);
        let here = leads.iter().find(|lead| snapshot.person(**lead).is_some_and(|lead| !lead.away_on(today)));
        whom.extend(here.or(leads.first()));
    }
    whom.extend(snapshot.people.admins().into_iter().filter(|admin| *admin != person));
    let mut once = std::collections::BTreeSet::new();
    whom.retain(|id| once.insert(*id));
    whom
}

/// What a question has come to.
pub(super) fn state(
    found: &Introduction,
    person: PersonId,
    name: impl Fn(PersonId) -> String,
    date: impl Fn(DateTime<Utc>) -> chrono::NaiveDate,
    now: DateTime<Utc>,
) -> State {
    let answered = found.answered.map(|(by, at)| (name(by), date(at)));
    match (found.state, answered) {
        // They say that they are somebody else by now.
        _ if found.person != Some(person) => State::Over,
        (introduction::State::Confirmed, Some((by, on))) => State::Confirmed { by, on },
        (introduction::State::Refused, Some((by, on))) => State::Refused { by, on },
        (introduction::State::Asked, _) if found.asked_at.is_some_and(|at| now - at < WAITS) => State::Asked,
        _ => State::Over,
    }
}

/// The question as it reads now, to one of those who are asked.
pub(super) async fn question(
    tx: &mut Tenant,
    reader: super::views::Reader<'_>,
    id: Uuid,
    person: PersonId,
) -> anyhow::Result<Option<Message>> {
    let Some(found) = introduction::read(tx, id).await? else { return Ok(None) };
    let Some(claimed) = reader.snapshot.person(person) else { return Ok(None) };
    let known = person::chat_user(tx, &found.workspace, person).await?;
    let view = View {
        id,
        name: claimed.name.clone(),
        email: claimed.email.clone(),
        platform: match found.workspace.platform {
            Platform::Teams => "Teams",
            Platform::Slack | Platform::Preview => "Slack",
        },
        replaces: known.is_some_and(|known| known.user_id != found.user_id),
        is_reader: reader.person == Some(person),
        state: state(&found, person, |id| reader.name(id), |at| reader.date(at), reader.now),
        chat_name: found.chat_name,
        chat_email: found.chat_email,
    };
    Ok(Some(wording::question(&view, reader.today())))
}

/// What somebody who is known now is written: that they are, and what they had asked for.
pub(super) async fn confirmed(app: &App, org: OrgId, id: Uuid) -> anyhow::Result<Option<Message>> {
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let found = introduction::read(&mut tx, id).await?;
    drop(tx);
    let Some((found, person, (by, _))) = found.and_then(|found| {
        let (person, answered) = (found.person?, found.answered?);
        Some((found, person, answered))
    }) else {
        return Ok(None);
    };
    let Some(name) = snapshot.person(person).map(|person| person.name.clone()) else { return Ok(None) };
    let asker = Asker { org, workspace: found.workspace, who: Who::Person(person), channel: None };
    let wanted = match found.wanted.map(serde_json::from_value).transpose()? {
        Some(wanted) => shown(app, &asker, &wanted).await?,
        None => None,
    };
    Ok(Some(wording::confirmed(&name, &snapshot.name_for(by, Some(person)), wanted)))
}

/// What somebody is written who is not whom they said to be.
pub(super) fn not_confirmed(reader: super::views::Reader<'_>, person: PersonId, by: PersonId) -> Option<Message> {
    let claimed = reader.snapshot.person(person)?;
    Some(wording::not_you(&claimed.email, &reader.name(by)))
}

/// What was asked for, as it reads now: an answer, the account that was pressed on, or the button that opens its dialog.
async fn shown(app: &App, asker: &Asker, wanted: &Wanted) -> anyhow::Result<Option<Message>> {
    let reply = match wanted {
        Wanted::Command(typed) => query::command(app, asker, &command::parse("", typed)).await?,
        Wanted::Press { action, .. } => {
            let Ok(action) = action.parse::<Action>() else { return Ok(None) };
            if action.verb.opens_dialog() {
                return Ok(Some(answer::open_dialog(action.verb.label(), Button::new(action, ""))));
            }
            act::press(app, asker, &Action::new(Verb::ShowMore, action.subject), None).await?
        }
    };
    Ok(match reply {
        Reply::Private(message) => Some(message),
        Reply::Dialog(dialog) => Some(answer::open_dialog(&dialog.title, Button::new(dialog.action, ""))),
        Reply::Silent | Reply::FieldErrors(_) => None,
    })
}

/// What the audit trail keeps of a link: who is who, and how that was found out.
pub(super) fn linked(found: &Introduction, person: PersonId) -> crate::store::audit::Entry {
    let data = json!({
        "platform": found.workspace.platform.as_str(), "workspace": found.workspace.id, "user": found.user_id,
        "how": "confirmed", "introduction": found.id,
    });
    crate::store::audit::Entry::new("person.linked", format!("person:{person}"), data)
}
