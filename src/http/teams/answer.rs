//! What is said back: in the asker's own chat, never where others read.

use std::time::Duration;

use super::{Ask, DRAW, Desk, What, ask_of};
use crate::app::introduction::Vouched;
use crate::app::{home, query};
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::command::{self, Command};
use crate::domain::message::home as wording;
use crate::domain::message::{Button, Dialog, Message, Reply, answer};
use crate::domain::person::OrgId;
use crate::http::ask::Answer;
use crate::store::{message, person};
use crate::teams::client::Error;
use crate::teams::inbound::{Carried, Question, Scope};
use crate::teams::render::{self, Asked, Drawn};

/// How often a part of an answer is tried, and the longest that Teams is waited for in between.
const TRIES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(30);

impl Desk {
    /// Where the asker is unknown: finds the colleague by an address that the roster vouches for, and asks again as that
    /// person; else tells them how to introduce themselves. `None` for those who are no colleagues.
    pub(super) async fn introduce(&self, ask: &Ask, found: &Answer, in_dialog: bool) -> Option<Reply> {
        let unknown = found.unknown.as_ref()?;
        let vouched = match self.teams.asked_about.is_new(&ask.workspace, &ask.user_id) {
            true => Some(self.vouched().await?),
            false => None,
        };
        ask.introduce(&self.http.app, unknown, vouched.as_ref(), in_dialog).await
    }

    /// The asker as the roster has them; `None` for guests and people of other companies, who learn nothing about
    /// customers.
    pub(super) async fn vouched(&self) -> Option<Vouched> {
        let (place, who) = (&self.activity.place, &self.activity.who);
        match self.teams.client.member(&self.service, place.root(), &who.account_id).await {
            Ok(member) if member.is_outsider(&self.activity.tenant) => None,
            Ok(member) => {
                Some(Vouched { name: member.name.clone(), addresses: member.addresses().map(str::to_owned).collect() })
            }
            Err(error) => {
                tracing::warn!(%error, "Teams did not say who an unknown user is");
                None
            }
        }
    }

    /// Says it in the asker's own chat. Where it was asked in a channel, that is all the channel hears. To somebody from
    /// outside no chat is opened: what they hear may be read by everybody.
    pub(super) async fn say(&self, org: OrgId, reply: &Reply, question: Option<&Question>) {
        let said = match reply {
            Reply::Silent => return,
            Reply::Private(message) => message.clone(),
            Reply::FieldErrors(errors) => sentences(errors),
            Reply::Dialog(dialog) => opener(dialog),
        };
        let place = &self.activity.place;
        if self.is_outsider().await {
            self.send(&place.conversation, &render::sentence(&answer::guest())).await;
            return;
        }
        let parts = self.parts(org, &said, question).await;
        let own = self.chat_of(org).await;
        if place.scope == Scope::Personal {
            if let Some(own) = own {
                self.post(&own, &parts).await;
            }
            return;
        }
        let heard = match own {
            Some(own) if self.post(&own, &parts).await => answer::answered_privately(),
            _ => answer::no_private_chat(),
        };
        self.send(&place.conversation, &render::sentence(&heard)).await;
    }

    pub(super) async fn parts(&self, org: OrgId, said: &Message, question: Option<&Question>) -> Vec<Drawn> {
        if let Some(page) = question.and_then(home_page) {
            match self.home(org, page).await {
                Ok(Some(drawn)) => return vec![drawn],
                // Whoever has no home page is told so by the answer.
                Ok(None) => {}
                Err(error) => tracing::warn!(%org, error = format!("{error:#}"), "a home page was not drawn"),
            }
        }
        match question {
            Some(question) => {
                let account_id = &self.activity.who.account_id;
                render::answer(said, Asked { question, account_id, channel: self.channel() }, DRAW)
            }
            None => render::message(said, DRAW),
        }
    }

    /// The asker's own chat. The conversation that an activity names counts only if it is the one that is kept for this
    /// colleague; else Microsoft says which it is, and that one is kept. Somebody whom nobody knows hears nothing about
    /// customers, wherever it is said.
    pub(super) async fn chat_of(&self, org: OrgId) -> Option<String> {
        let named = (self.activity.place.scope == Scope::Personal).then(|| self.activity.place.root().to_owned());
        let found = async {
            let (app, workspace, who) = (&self.http.app, self.workspace(), &self.activity.who);
            let open = self.teams.client.open_conversation(&self.service, &workspace.id, &who.account_id);
            let colleague = query::colleague(app, &self.asker(org)).await?;
            let Some(id) = colleague else {
                return match named {
                    Some(named) => anyhow::Ok(named),
                    None => Ok(open.await?),
                };
            };
            let mut tx = app.store.tenant(org).await?;
            let kept = person::chat_user(&mut tx, &workspace, id).await?.and_then(|user| user.dm_channel_id);
            drop(tx);
            if let Some(kept) = kept.filter(|kept| named.as_ref().is_none_or(|named| named == kept)) {
                return Ok(kept);
            }
            let own = open.await?;
            let mut tx = app.store.tenant(org).await?;
            person::release_chat_user(&mut tx, &workspace, id, &who.user_id).await?;
            person::save_chat_user(&mut tx, &workspace, id, &who.user_id, Some(&own)).await?;
            tx.commit().await?;
            Ok(own)
        };
        found.await.inspect_err(|error| tracing::warn!(%error, "somebody's own chat could not be found")).ok()
    }

    /// Posts cards one after the other; whether all arrived.
    pub(super) async fn post(&self, conversation: &str, parts: &[Drawn]) -> bool {
        for part in parts {
            if !self.send(conversation, &render::activity(part)).await {
                return false;
            }
        }
        true
    }

    /// Posts an activity. What may have arrived is not sent again.
    pub(super) async fn send(&self, conversation: &str, activity: &serde_json::Value) -> bool {
        for attempt in 1.. {
            let error = match self.teams.client.post(&self.service, conversation, activity).await {
                Ok(_) => return true,
                Err(error) => error,
            };
            let wait = match &error {
                Error::RateLimited { retry_after } => Some(*retry_after),
                Error::Transient { maybe_sent: false, retry_after, .. } => {
                    Some(retry_after.unwrap_or(Duration::from_secs(1)))
                }
                _ => None,
            };
            match wait.filter(|wait| attempt < TRIES && *wait <= PATIENCE) {
                Some(wait) => tokio::time::sleep(wait + Duration::from_millis(rand::random_range(0..250))).await,
                None => {
                    tracing::warn!(%error, "an answer did not arrive");
                    return false;
                }
            }
        }
        false
    }

    /// The card that was pressed, as it reads now: a message that is kept, or an answer that is given anew. `None` for
    /// cards of nobody's, and for people who may not read it.
    pub(super) async fn current(&self, carried: &Carried) -> anyhow::Result<Option<Drawn>> {
        if self.is_outsider().await {
            return Ok(None);
        }
        let app = &self.http.app;
        let Some(org) = query::organisation_of(app, &self.workspace()).await? else { return Ok(None) };
        let Some(person) = query::colleague(app, &self.asker(org)).await? else { return Ok(None) };
        let card = carried.card.as_ref().or(self.activity.place.reply_to.as_ref());
        if let Some(id) = card {
            let mut tx = app.store.tenant(org).await?;
            let place = &self.activity.place;
            let mut kept = message::at_place(&mut tx, place.root(), id).await?;
            if kept.is_none() {
                // A reply stands in its thread.
                kept = message::at_place(&mut tx, &place.conversation, id).await?;
            }
            drop(tx);
            if let Some(kept) = kept {
                if kept.reader().is_some_and(|reader| reader != person) {
                    return Ok(None);
                }
                let message =
                    crate::app::content::render(app, org, kept.message_id, &kept.content, kept.reader()).await?;
                let parts = message.map(|message| render::message(&message, DRAW)).unwrap_or_default();
                let part = usize::try_from(kept.part).ok().and_then(|part| parts.into_iter().nth(part));
                return Ok(part);
            }
        }
        let Some(question) = &carried.question else { return Ok(None) };
        if let Some(page) = home_page(question) {
            return self.home(org, page).await;
        }
        let Some(said) = self.again(question, carried.channel.as_deref()).await? else { return Ok(None) };
        let account_id = &self.activity.who.account_id;
        let parts = render::answer(&said, Asked { question, account_id, channel: carried.channel.as_deref() }, DRAW);
        Ok(parts.into_iter().nth(carried.part))
    }

    /// Asks a question anew, as whoever presses. `None` where that would do more than ask.
    async fn again(&self, question: &Question, channel: Option<&str>) -> anyhow::Result<Option<Message>> {
        let what = match question {
            Question::Command(text) => What::Command(command::parse("", text)),
            Question::Action(text) => match text.parse::<Action>() {
                Ok(action) if action.verb == Verb::ShowMore => What::Press(action, None),
                _ => return Ok(None),
            },
        };
        let found = ask_of(self, &self.ask(channel, what)).at_last().await;
        match (found.failed, found.reply) {
            (None, Reply::Private(message)) => Ok(Some(message)),
            (None, Reply::Dialog(dialog)) => Ok(Some(opener(&dialog))),
            _ => Ok(None),
        }
    }

    /// A page of the asker's home: one card, so that it can be turned in place.
    async fn home(&self, org: OrgId, page: u16) -> anyhow::Result<Option<Drawn>> {
        let Some(whole) = home::whole(&self.http.app, &self.asker(org)).await? else { return Ok(None) };
        let to = |page: usize| {
            let page = u16::try_from(page).unwrap_or(u16::MAX);
            Question::Action(Action::new(Verb::TurnPage, Subject::Home(page)).to_string())
        };
        let account_id = &self.activity.who.account_id;
        Ok(Some(render::page(&whole, page.into(), (to, wording::foot), account_id, DRAW)))
    }

    /// Redraws an answer in the asker's own chat, beside the answer to the press: delivery does not know it.
    pub(super) fn redraw(&self, carried: &Carried) {
        let card = carried.card.clone().or_else(|| self.activity.place.reply_to.clone());
        let (Some(_), Some(id)) = (&carried.question, card) else { return };
        let (desk, carried) = (self.clone(), carried.clone());
        drop(self.http.drain.spawn(async move {
            let redrawn = match desk.current(&carried).await {
                Ok(Some(drawn)) => drawn,
                Ok(None) => return,
                Err(error) => return tracing::warn!(error = format!("{error:#}"), "an answer was not redrawn"),
            };
            let place = desk.activity.place.root();
            if let Err(error) = desk.teams.client.update(&desk.service, place, &id, &render::activity(&redrawn)).await {
                tracing::warn!(%error, "an answer was not redrawn");
            }
        }));
    }
}

/// The page of the home card that a question asks for.
fn home_page(question: &Question) -> Option<u16> {
    match question {
        Question::Command(text) => matches!(command::parse("", text), Command::Home).then_some(1),
        Question::Action(text) => match text.parse() {
            Ok(Action { verb: Verb::TurnPage, subject: Subject::Home(page) }) => Some(page),
            _ => None,
        },
    }
}

/// A dialog can't open by itself in Teams: a button opens it.
pub(super) fn opener(dialog: &Dialog) -> Message {
    let about = match &dialog.action.subject {
        Subject::Account(id) => id.0.clone(),
        _ => String::new(),
    };
    answer::open_dialog(&dialog.title, Button::new(dialog.action.clone(), &about))
}

/// Errors of fields as running text, where no field can carry them.
pub(super) fn sentences(errors: &[(String, String)]) -> Message {
    Message::sentence(errors.iter().map(|(_, sentence)| sentence.as_str()).collect::<Vec<_>>().join("\n"))
}
