//! Slack's side of asking: what is said goes to the `response_url`, and Slack is
//! asked who somebody unknown is.

use super::{ANSWER_WITHIN, Desk};
use crate::domain::message::Reply;
use crate::http::ask::{Answer, Ask, Pending, What};
use crate::slack::address::ResponseUrl;
use crate::slack::inbound::Who;
use crate::slack::render;
use crate::store::directory::{Platform, Workspace};

/// What a user of Slack asks, and where.
pub(super) fn ask(who: &Who, channel: Option<&str>, what: What) -> Ask {
    // The ids of direct messages with one person begin with D.
    let channel = channel.filter(|id| !id.starts_with('D')).map(str::to_owned);
    let workspace = Workspace { platform: Platform::Slack, id: who.team_id.clone() };
    Ask { workspace, user_id: who.user_id.clone(), channel, what }
}

impl Desk {
    pub(super) fn begin(&self, ask: &Ask) -> Pending {
        ask.begin(&self.http.app, &self.http.drain)
    }

    /// The answer, if it comes while Slack still waits.
    pub(super) async fn in_time(&self, pending: Pending) -> Result<Answer, Pending> {
        pending.in_time(self.since + ANSWER_WITHIN).await
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
        let unknown = answer.unknown.as_ref()?;
        let token = self.slack.token(&ask.workspace.id)?;
        if !self.slack.asked_about.is_new(&ask.workspace, &ask.user_id) {
            return None;
        }
        let user = match self.slack.client.user(token, &ask.user_id).await {
            Ok(user) => user,
            Err(error) => {
                tracing::warn!(%error, "Slack did not say who an unknown user is");
                return None;
            }
        };
        // Guests, people of other companies and bots learn nothing about customers.
        let email = user.email().filter(|_| user.is_colleague())?;
        ask.again(&self.http.app, unknown, &[email]).await
    }
}
