//! What is asked of the use cases, by whom, and what is said when they fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::{ANSWER_WITHIN, Desk, SlackDoor};
use crate::app::{self, App, Asker, act, home, people, query};
use crate::domain::action::Action;
use crate::domain::command::Command;
use crate::domain::message::{Answers, Message, Reply, answer};
use crate::slack::address::ResponseUrl;
use crate::slack::inbound::Who;
use crate::slack::render;
use crate::store;
use crate::store::directory::{Platform, Workspace};

/// How long nobody asks Slack again who an unknown user is.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Users remembered for that; beyond it everybody is forgotten.
const ASKED_MOST: usize = 10_000;

/// How long an answer waits to know a workspace's guests; they are known for ten minutes then.
const GUESTS_WITHIN: Duration = Duration::from_millis(1000);

impl SlackDoor {
    /// Whether a guest asks, who is told nothing about customers even where somebody imported them as a colleague.
    /// Where Slack does not say so in time, the organisation's own list of people decides alone.
    async fn is_guest(&self, who: &Who) -> bool {
        let asking = async {
            let token = self.token(&who.team_id).await?;
            self.client.guests(&token, &who.team_id).await.ok()
        };
        let guests = tokio::time::timeout(GUESTS_WITHIN, asking).await;
        guests.ok().flatten().is_some_and(|guests| guests.contains(&who.user_id))
    }
}

/// What is asked, by whom, and where.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) who: Who,
    /// `None` in direct messages, and where there is no channel at all.
    pub(super) channel: Option<String>,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Command(Command),
    Press(Action, String),
    Submit(Action, Answers, String),
    /// The home tab is looked at.
    Home,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) reply: Reply,
    /// Nothing was done, and `reply` says so.
    pub(super) failed: Option<Failed>,
    /// The asker, where no colleague is known by this chat user.
    pub(super) unknown: Option<Asker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    Busy,
    Unexpected,
}

impl Answer {
    fn privately(said: Message) -> Self {
        Self { reply: Reply::Private(said), failed: None, unknown: None }
    }

    /// Logs what happened, once, under the reference that the person is told.
    fn of_error(error: &anyhow::Error) -> Self {
        if store::is_busy(error) {
            tracing::warn!("no database connection was free");
            return Self { failed: Some(Failed::Busy), ..Self::privately(answer::busy()) };
        }
        let reference = reference();
        tracing::error!(reference, error = %format!("{error:#}"), "a request failed");
        Self { failed: Some(Failed::Unexpected), ..Self::privately(answer::failed(&reference)) }
    }

    fn of_panic() -> Self {
        crate::http::count_panic();
        Self { failed: Some(Failed::Unexpected), ..Self::privately(answer::failed(&reference())) }
    }
}

/// Short enough to be read out to an admin.
pub(super) fn reference() -> String {
    format!("{:06x}", rand::random::<u32>() >> 8)
}

impl Ask {
    pub(super) fn new(who: &Who, channel: Option<&str>, what: What) -> Self {
        // The ids of direct messages with one person begin with D.
        let channel = channel.filter(|id| !id.starts_with('D')).map(str::to_owned);
        Self { who: who.clone(), channel, what }
    }

    async fn run(&self, app: &App, asker: &Asker) -> anyhow::Result<Reply> {
        match &self.what {
            What::Command(command) => query::command(app, asker, command).await,
            What::Home => home::open(app, asker).await,
            What::Press(action, receipt) => act::press(app, asker, action, Some(receipt)).await,
            What::Submit(action, answers, receipt) => act::submit(app, asker, action, answers, Some(receipt)).await,
        }
    }

    async fn tried(&self, app: &App, slack: &SlackDoor) -> anyhow::Result<Answer> {
        let who = &self.who;
        let workspace = Workspace { platform: Platform::Slack, id: who.team_id.clone() };
        let Some(org) = query::organisation_of(app, &workspace).await? else {
            return Ok(Answer::privately(answer::unknown_workspace("slack", &who.team_id)));
        };
        if slack.is_guest(who).await {
            return Ok(Answer::privately(answer::guest()));
        }
        let user = app::Who::ChatUser(who.user_id.clone());
        let asker = Asker { org, workspace, who: user, channel: self.channel.clone() };
        let reply = self.run(app, &asker).await?;
        let unknown = (!query::is_known(app, &asker).await?).then_some(asker);
        Ok(Answer { reply, failed: None, unknown })
    }
}

/// Work that goes on whether or not Slack still waits.
pub(super) struct Pending(JoinHandle<Answer>);

impl Desk {
    pub(super) fn begin(&self, ask: &Ask) -> Pending {
        let (app, slack, ask) = (self.http.app.clone(), self.slack.clone(), ask.clone());
        Pending(
            self.http
                .drain
                .spawn(async move { ask.tried(&app, &slack).await.unwrap_or_else(|error| Answer::of_error(&error)) }),
        )
    }

    /// Work after the answer; the stop waits for it.
    pub(super) fn afterwards(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.http.drain.spawn(work));
    }

    /// Posts a private answer, part by part.
    pub(super) async fn say(&self, place: Option<&ResponseUrl>, reply: &Reply) {
        let Some(place) = place else { return };
        for part in render::reply(reply) {
            if let Err(error) = self.slack.client.respond(place, &part).await {
                tracing::warn!(%error, "a private answer did not arrive");
                return;
            }
        }
    }

    /// Where the asker is unknown: finds the colleague by the e-mail address that Slack vouches for, and asks again as
    /// that person. `None` where nobody was found.
    pub(super) async fn introduce(&self, ask: &Ask, answer: &Answer) -> Option<Reply> {
        let who = &ask.who;
        let unknown = answer.unknown.as_ref()?;
        let token = self.slack.token(&who.team_id).await?;
        if !self.slack.asked_about.is_new(who) {
            return None;
        }
        let user = match self.slack.client.user(&token, &who.user_id).await {
            Ok(user) => user,
            Err(error) => {
                tracing::warn!(%error, "Slack did not say who an unknown user is");
                return None;
            }
        };
        // Guests, people of other companies and bots learn nothing about customers.
        let email = user.email().filter(|_| user.is_colleague())?;
        let app = &self.http.app;
        let again = async {
            let found = people::link(app, unknown.org, &unknown.workspace, &who.user_id, email).await?;
            let Some(person) = found else { return Ok(None) };
            ask.run(app, &Asker { who: app::Who::Person(person), ..unknown.clone() }).await.map(Some)
        };
        match again.await {
            Ok(reply) => reply,
            Err(error) => Some(Answer::of_error(&error).reply),
        }
    }
}

impl Pending {
    /// The answer, if it comes while Slack still waits; else the work itself.
    pub(super) async fn in_time(mut self, since: Instant) -> Result<Answer, Self> {
        let until = tokio::time::Instant::from_std(since + ANSWER_WITHIN);
        match tokio::time::timeout_at(until, &mut self.0).await {
            Ok(ended) => Ok(ended.unwrap_or_else(|_| Answer::of_panic())),
            Err(_) => Err(self),
        }
    }

    /// The answer, however long it takes.
    pub(super) async fn at_last(self) -> Answer {
        self.0.await.unwrap_or_else(|_| Answer::of_panic())
    }
}

/// Whom Slack was asked about lately, so that an unknown user who presses often costs one call a minute.
#[derive(Debug, Clone, Default)]
pub(super) struct AskedAbout(Arc<Mutex<BTreeMap<(String, String), Instant>>>);

impl AskedAbout {
    fn is_new(&self, who: &Who) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (who.team_id.clone(), who.user_id.clone());
        if asked.get(&key).is_some_and(|at| at.elapsed() < ASK_AGAIN_AFTER) {
            return false;
        }
        if asked.len() >= ASKED_MOST {
            asked.clear();
        }
        asked.insert(key, Instant::now());
        true
    }
}
