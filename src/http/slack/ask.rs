//! What Slack's users ask of the use cases, and what they are answered later.

use std::sync::Arc;
use std::time::Duration;

use super::{Desk, SlackDoor, roster};
use crate::app::introduction::Vouched;
use crate::domain::message::Reply;
use crate::http::ask::{Answer, Ask, Pending, What};
use crate::slack::address::ResponseUrl;
use crate::slack::client::User;
use crate::slack::inbound::Who;
use crate::slack::render;
use crate::store::directory::{Platform, Workspace};

/// How long an answer waits to know whether a guest asks.
const GUESTS_WITHIN: Duration = Duration::from_millis(1000);

impl SlackDoor {
    /// Whether a guest asks, who is told nothing about customers even where somebody imported them as a colleague.
    /// Where Slack does not say so in time, the organisation's own list of people decides alone.
    async fn guest_asks(self: Arc<Self>, team: String, user: String) -> bool {
        match self.client.guests_lately(&team) {
            Some(guests) => guests.contains(&user),
            // Boxed: a call is large, and each question would be moved about with room for it.
            None => {
                let asking = Box::pin(self.is_guest(&team, &user));
                tokio::time::timeout(GUESTS_WITHIN, asking).await.unwrap_or(false)
            }
        }
    }

    async fn is_guest(&self, team: &str, user: &str) -> bool {
        let Some(token) = self.token(team).await else { return false };
        self.client.is_outsider(&token, team, user).await.unwrap_or(false)
    }
}

/// As Slack vouches for a colleague; `None` for guests, people of other companies and bots.
fn vouched(user: &User) -> Option<Vouched> {
    user.is_colleague().then(|| Vouched {
        name: user.real_name.clone(),
        addresses: user.email().into_iter().map(str::to_owned).collect(),
    })
}

/// What a user of Slack asks. The channel is left out in direct messages with one person: their ids begin with D.
pub(super) fn asked(who: &Who, channel: Option<&str>, what: What) -> Ask {
    Ask {
        workspace: Workspace { platform: Platform::Slack, id: who.team_id.clone() },
        user_id: who.user_id.clone(),
        channel: channel.filter(|id| !id.starts_with('D')).map(str::to_owned),
        what,
    }
}

impl Desk {
    pub(super) fn begin(&self, ask: &Ask) -> Pending {
        let is_guest = self.slack.clone().guest_asks(ask.workspace.id.clone(), ask.user_id.clone());
        ask.begin(&self.http.app, &self.http.drain, is_guest)
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
    /// that person; else tells them how to introduce themselves. `None` for those who are no colleagues.
    pub(super) async fn introduce(&self, ask: &Ask, answer: &Answer, in_dialog: bool) -> Option<Reply> {
        let unknown = answer.unknown.as_ref()?;
        let vouched = if self.slack.asked_about.is_new(&ask.workspace, &ask.user_id) {
            let token = self.slack.token(&ask.workspace.id).await?;
            match self.slack.client.user(&token, &ask.user_id).await {
                Ok(user) => {
                    if let Err(error) =
                        roster::heard_of(&self.http.app, &ask.workspace, std::slice::from_ref(&user)).await
                    {
                        tracing::error!(error = format!("{error:#}"), "what Slack says of somebody was not kept");
                    }
                    // Guests, people of other companies and bots learn nothing about customers.
                    Some(vouched(&user)?)
                }
                Err(error) => {
                    tracing::warn!(%error, "Slack did not say who an unknown user is");
                    None
                }
            }
        } else {
            None
        };
        ask.introduce(&self.http.app, unknown, vouched.as_ref(), in_dialog).await
    }
}
