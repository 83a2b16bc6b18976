//! What is asked of the use cases from a chat, by whom, and what is said when they fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::Drain;
use crate::app::introduction::{self, Vouched, Wanted};
use crate::app::{self, App, Asker, act, home, people, query};
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::command::Command;
use crate::domain::message::{Answers, Message, Reply, answer};
use crate::store;
use crate::store::directory::Workspace;

/// How long nobody asks the platform again who an unknown user is.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Users remembered for that; beyond it everybody is forgotten.
const ASKED_MOST: usize = 10_000;

/// What is asked, by whom, and where.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) workspace: Workspace,
    pub(super) user_id: String,
    /// `None` in direct messages, and where there is no channel at all.
    pub(super) channel: Option<String>,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Command(Command),
    Press(Action, Option<String>),
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
    pub(super) fn of_error(error: &anyhow::Error) -> Self {
        if store::is_busy(error) {
            tracing::warn!("no database connection was free");
            return Self { failed: Some(Failed::Busy), ..Self::privately(answer::busy()) };
        }
        let reference = reference();
        if store::is_gone(error) {
            tracing::info!(reference, "a request came for an organisation that was erased a moment ago");
            return Self { failed: Some(Failed::Unexpected), ..Self::privately(answer::failed(&reference)) };
        }
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
    async fn run(&self, app: &App, asker: &Asker) -> anyhow::Result<Reply> {
        // Boxed where they are large, or each question would be moved about with room for the largest.
        match &self.what {
            What::Press(action, _) if action.verb == Verb::Introduce => {
                Box::pin(introduction::open(app, asker, action)).await
            }
            What::Submit(action, answers, _) if action.verb == Verb::Introduce => {
                Box::pin(introduction::ask(app, asker, action, answers)).await
            }
            What::Command(command) => query::command(app, asker, command).await,
            What::Home => Box::pin(home::open(app, asker)).await,
            What::Press(action, receipt) => Box::pin(act::press(app, asker, action, receipt.as_deref())).await,
            What::Submit(action, answers, receipt) => {
                Box::pin(act::submit(app, asker, action, answers, Some(receipt))).await
            }
        }
    }

    async fn tried(&self, app: &App, is_guest: impl Future<Output = bool> + Send) -> anyhow::Result<Answer> {
        let Some(org) = query::organisation_of(app, &self.workspace).await? else {
            let Workspace { platform, id } = &self.workspace;
            return Ok(Answer::privately(answer::unknown_workspace(platform.as_str(), id)));
        };
        if is_guest.await {
            return Ok(Answer::privately(answer::guest()));
        }
        let who = app::Who::ChatUser(self.user_id.clone());
        let asker = Asker { org, workspace: self.workspace.clone(), who, channel: self.channel.clone() };
        let reply = self.run(app, &asker).await?;
        if self.introduces() {
            return Ok(Answer { reply, failed: None, unknown: None });
        }
        let unknown = (!query::is_known(app, &asker).await?).then_some(asker);
        Ok(Answer { reply, failed: None, unknown })
    }

    /// Whether somebody unknown says who they are: that is answered to them.
    fn introduces(&self) -> bool {
        match &self.what {
            What::Press(action, _) | What::Submit(action, ..) => action.verb == Verb::Introduce,
            What::Command(_) | What::Home => false,
        }
    }

    /// What is kept of this for somebody who is not known yet. Words typed into a dialog are not, nor are answers to
    /// introductions: nobody gets a say by them.
    fn wanted(&self) -> Option<Wanted> {
        match &self.what {
            What::Command(command) => Some(Wanted::Command(command.to_string())),
            What::Press(Action { subject: Subject::Introduction(_), .. }, _) => None,
            What::Press(action, receipt) => {
                Some(Wanted::Press { action: action.to_string(), receipt: receipt.clone() })
            }
            What::Submit(..) | What::Home => None,
        }
    }

    /// Begins; goes on whether or not the platform still waits. `is_guest` says whether a guest of the workspace asks,
    /// who is told nothing about customers even where somebody imported them as a colleague.
    pub(super) fn begin(
        &self,
        app: &App,
        drain: &Drain,
        is_guest: impl Future<Output = bool> + Send + 'static,
    ) -> Pending {
        let (app, ask) = (app.clone(), self.clone());
        let work = async move { ask.tried(&app, is_guest).await.unwrap_or_else(|error| Answer::of_error(&error)) };
        // Boxed, or the runtime would move it about whole: into the task, and out of it once it has ended.
        Pending(drain.spawn(Box::pin(work)))
    }

    /// Asks again as the colleague of the first e-mail address that is known, for which the platform vouches. Where there
    /// is none, keeps what was asked and tells them how to introduce themselves, in the dialog that is open. `vouched` is
    /// `None` where the platform did not say who it is now; the answer then, where it never did.
    pub(super) async fn introduce(
        &self,
        app: &App,
        unknown: &Asker,
        vouched: Option<&Vouched>,
        in_dialog: bool,
    ) -> Option<Reply> {
        let again = async {
            for email in vouched.into_iter().flat_map(|vouched| &vouched.addresses) {
                let found = people::link(app, unknown.org, &unknown.workspace, &self.user_id, email).await?;
                let Some(person) = found else { continue };
                return self.run(app, &Asker { who: app::Who::Person(person), ..unknown.clone() }).await.map(Some);
            }
            introduction::begin(app, unknown, vouched, self.wanted().as_ref(), in_dialog).await
        };
        match again.await {
            Ok(reply) => reply,
            Err(error) => Some(Answer::of_error(&error).reply),
        }
    }
}

/// Work that goes on whether or not the platform still waits.
pub(super) struct Pending(JoinHandle<Answer>);

impl Pending {
    /// The answer, if it comes by then; else the work itself.
    pub(super) async fn in_time(mut self, until: Instant) -> Result<Answer, Self> {
        match tokio::time::timeout_at(until.into(), &mut self.0).await {
            Ok(ended) => Ok(ended.unwrap_or_else(|_| Answer::of_panic())),
            Err(_) => Err(self),
        }
    }

    /// The answer, however long it takes.
    pub(super) async fn at_last(self) -> Answer {
        self.0.await.unwrap_or_else(|_| Answer::of_panic())
    }
}

/// Whom the platform was asked about lately, so that an unknown user who presses often costs one call a minute.
#[derive(Debug, Clone, Default)]
pub(super) struct AskedAbout(Arc<Mutex<BTreeMap<(Workspace, String), Instant>>>);

impl AskedAbout {
    pub(super) fn is_new(&self, workspace: &Workspace, user_id: &str) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (workspace.clone(), user_id.to_owned());
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
