//! Purpose: whether somebody is who they say they are, answered by those who can
//! tell. Once it is so, what they had pressed is done in the same transaction.

use serde_json::json;
use uuid::Uuid;

use super::{Click, Effect};
use crate::app::content::Content;
use crate::app::introduction::{self as introductions, Wanted};
use crate::app::{Asker, Who};
use crate::domain::action::{Action, Verb};
use crate::domain::message::introduction::{self as wording, State};
use crate::domain::message::{Reply, answer};
use crate::domain::person::PersonId;
use crate::store::audit::{Actor, Entry};
use crate::store::introduction::{self, Introduction};
use crate::store::message::{self, Address, NewMessage};
use crate::store::{person, settings};

/// A press that waited for its presser to be known, done now.
pub(super) struct Waited {
    asker: Asker,
    person: PersonId,
    action: Action,
    receipt: Option<String>,
}

/// What follows from an answer.
pub(super) struct Answered {
    pub(super) effect: Effect,
    pub(super) waited: Option<Waited>,
}

impl From<Effect> for Answered {
    fn from(effect: Effect) -> Self {
        Self { effect, waited: None }
    }
}

pub(super) async fn press(click: &mut Click<'_>, verb: Verb, id: Uuid) -> anyhow::Result<Answered> {
    let state = match verb {
        Verb::ConfirmIntroduction => introduction::State::Confirmed,
        Verb::RefuseIntroduction => introduction::State::Refused,
        Verb::Introduce => return Ok(Effect::Said(wording::known_already(&name(click, click.me))).into()),
        _ => return Ok(Effect::Said(answer::unknown_action()).into()),
    };
    let found = introduction::lock(&mut click.tx, id).await?;
    let Some((found, person)) = found.and_then(|found| found.person.map(|person| (found, person))) else {
        return Ok(Effect::Said(answer::not_there()).into());
    };
    if !introductions::who_can_tell(&click.snapshot, person, click.now).contains(&click.me) {
        return Ok(Effect::Said(answer::not_there()).into());
    }
    let reader = click.reader();
    let now = introductions::state(&found, person, |id| reader.name(id), |at| reader.date(at), click.now);
    if now != State::Asked {
        return Ok(Effect::Said(wording::present(&name(click, person), &now, click.today)).into());
    }
    introduction::answer(&mut click.tx, id, state, click.me, click.now).await?;
    introduction::queue_redraws(&mut click.tx, id, click.now).await?;
    let (by, on) = (click.name(click.me), click.today);
    if state == introduction::State::Refused {
        let data = json!({"introduction": id, "user": found.user_id, "workspace": found.workspace.id});
        let entry = Entry::new("person.refused", format!("person:{person}"), data);
        let told = Content::NotIntroduced { person, by: click.me };
        tell(click, &found, Address::ChatUser(found.user_id.clone()), &told).await?;
        let said = wording::present(&name(click, person), &State::Refused { by, on }, click.today);
        return Ok(changed(entry, Reply::Private(said)).into());
    }
    person::release_chat_user(&mut click.tx, &found.workspace, person, &found.user_id).await?;
    person::save_chat_user(&mut click.tx, &found.workspace, person, &found.user_id, None).await?;
    settings::touch(&mut click.tx).await?;
    tell(click, &found, Address::Person(person), &Content::Introduced(id)).await?;
    let said = wording::present(&name(click, person), &State::Confirmed { by, on }, click.today);
    let effect = changed(introductions::linked(&found, person), Reply::Private(said));
    Ok(Answered { effect, waited: waited(click, found, person)? })
}

/// What came of it is written to whoever asked, in the chat where they did.
async fn tell(click: &mut Click<'_>, found: &Introduction, to: Address, content: &Content) -> anyhow::Result<()> {
    let told = NewMessage {
        id: Uuid::now_v7(),
        workspace: found.workspace.clone(),
        to,
        content: serde_json::to_value(content)?,
        accounts: Vec::new(),
        thread_of: None,
    };
    message::queue_posts(&mut click.tx, &[told], click.now).await
}

fn name(click: &Click<'_>, id: PersonId) -> String {
    click.snapshot.person(id).map_or_else(|| click.name(id), |person| person.name.clone())
}

fn changed(entry: Entry, reply: Reply) -> Effect {
    Effect::Changed { accounts: Vec::new(), entries: vec![entry], reply }
}

/// The press that was kept, where it acts at one tap. What asks for more waits for its dialog.
fn waited(click: &Click<'_>, found: Introduction, person: PersonId) -> anyhow::Result<Option<Waited>> {
    let wanted: Option<Wanted> = found.wanted.map(serde_json::from_value).transpose()?;
    let Some(Wanted::Press { action, receipt }) = wanted else { return Ok(None) };
    let Some(action) = action.parse::<Action>().ok().filter(|action| !action.verb.opens_dialog()) else {
        return Ok(None);
    };
    let asker =
        Asker { org: click.asker.org, workspace: found.workspace, who: Who::Person(person), channel: found.channel };
    Ok(Some(Waited { asker, person, action, receipt }))
}

impl Waited {
    /// Presses in the transaction of the confirmation, as the one who pressed: their rights, their receipt, their event.
    pub(super) async fn carry_out(self, click: Click<'_>, confirmed: Effect) -> anyhow::Result<Reply> {
        let confirmer = Actor::Person(click.me);
        let Effect::Changed { accounts, entries, reply } = confirmed else { return click.conclude(confirmed).await };
        let mut deeds: Vec<_> = entries.into_iter().map(|entry| (confirmer, entry)).collect();
        let (mut accounts, Self { asker, person, action, receipt }) = (accounts, self);
        let Click { app, mut tx, snapshot, now, .. } = click;
        let fresh = match &receipt {
            Some(receipt) => message::receive(&mut tx, receipt, now).await?,
            None => true,
        };
        let today = snapshot.today(Some(person), now);
        let mut theirs = Click { app, asker: &asker, tx, snapshot, me: person, now, today, fresh };
        // What is not there any more, or not theirs to do, stays undone; they read how it stands.
        if let Effect::Changed { accounts: moved, entries, .. } = Box::pin(theirs.press(&action)).await? {
            deeds.extend(entries.into_iter().map(|entry| (Actor::Person(person), entry)));
            accounts.extend(moved);
        }
        theirs.record(&deeds, &accounts).await?;
        theirs.commit().await?;
        Ok(reply)
    }
}
