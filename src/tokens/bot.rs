//! The configured token, and whether it is that of the workspace it is used for.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::Mutex;

use super::Error;
use crate::slack::client::{self, Client};

/// How long Slack is not asked again where it could not say.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// A configured token and the one workspace that it is for.
#[derive(Debug, Clone)]
pub struct Bot {
    pub token: SecretString,
    /// As `auth.test` names it: a workspace's id, or an enterprise's.
    pub team: String,
}

/// The configured token is another workspace's than the one that is linked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "SLACK_BOT_TOKEN is for the workspace {own}, and the linked one is {linked}; run `tandem link remove {linked}` and \
     `tandem link slack {own} --org SLUG`, or set the token of {linked}"
)]
pub struct Mistaken {
    pub linked: String,
    pub own: String,
}

/// What is known of whose the token is.
enum Known {
    /// Nobody asked yet.
    Nothing,
    Its,
    Mistaken(Mistaken),
    /// Slack could not say when it was asked last.
    Failed(client::Error, Instant),
}

/// A bot, which opens nothing once the token is known to be another workspace's.
pub(super) struct Configured {
    pub(super) bot: Bot,
    /// Held by who asks: the others wait for the answer.
    known: Mutex<Known>,
}

impl Configured {
    /// Slack, or whoever made the link, has said whose the token is.
    pub(super) fn known(bot: Bot) -> Self {
        Self { bot, known: Mutex::new(Known::Its) }
    }

    /// The link alone says so.
    pub(super) fn assumed(bot: Bot) -> Self {
        Self { bot, known: Mutex::new(Known::Nothing) }
    }

    /// Whether nothing is known against it, without asking.
    pub(super) fn may_be_used(&self) -> bool {
        !self.known.try_lock().is_ok_and(|known| matches!(*known, Known::Mistaken(_)))
    }

    /// As [`Self::prove`]; what Slack could not say keeps nobody from trying.
    pub(super) async fn open(&self, client: &Client) -> Result<SecretString, Error> {
        match self.prove(client).await {
            Ok(()) | Err(Error::Unproven(_)) => Ok(self.bot.token.clone()),
            Err(error) => Err(error),
        }
    }

    /// Asks Slack whose the token is, until it has said so once.
    pub(super) async fn prove(&self, client: &Client) -> Result<(), Error> {
        let mut known = self.known.lock().await;
        match &*known {
            Known::Its => return Ok(()),
            Known::Mistaken(mistaken) => return Err(Error::Mistaken(mistaken.clone())),
            // A whole morning may have waited for one answer: it is not asked for again for each message.
            Known::Failed(error, at) if at.elapsed() < ASKED_AGAIN_AFTER => return Err(Error::Unproven(error.clone())),
            Known::Nothing | Known::Failed(..) => {}
        }
        let answer = client.identify(&self.bot.token).await;
        let (now_known, told) = match answer {
            Ok(identity) if identity.team_id == self.bot.team => (Known::Its, Ok(())),
            Ok(identity) => {
                let mistaken = Mistaken { linked: self.bot.team.clone(), own: identity.team_id };
                (Known::Mistaken(mistaken.clone()), Err(Error::Mistaken(mistaken)))
            }
            Err(error) => (Known::Failed(error.clone(), Instant::now()), Err(Error::Unproven(error))),
        };
        *known = now_known;
        told
    }
}
