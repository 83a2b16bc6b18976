//! One row to Slack: whom it goes to, whether anyone from outside would read it,
//! what stands there already, and then the calls that write.
//!
//! Limits: posts, replies included, count for their channel and for the
//! workspace; `chat.update` counts for the workspace alone, since Slack's limit of
//! one a second and channel is on posting (platforms.md). Calls that only read,
//! and the opening of conversations, have Slack's own limits, answered with 429.

use secrecy::SecretString;
use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

use super::SlackSender;
use super::desk::Known;
use super::lane::place;
use super::refusal::Refusal;
use super::row::{Arrival, Claim, Failure};
use crate::app::home;
use crate::app::roster::DEACTIVATED;
use crate::domain::message::{Message, withdrawn};
use crate::domain::person::PersonId;
use crate::slack::client::{Error, Posted, Search, User};
use crate::slack::render::{self, Rendered};
use crate::store::message::{Address, MessageCopy};
use crate::store::outbox::{OpenPost, Outgoing, Sending};
use crate::store::person;
use crate::tokens::Refused;

/// How far Slack's clock and ours may be apart, in seconds.
const CLOCKS_APART: i64 = 300;

/// The problem of a message to a guest, or to somebody of another company.
const NOT_A_COLLEAGUE: &str = "not_a_colleague";

/// Where the parts of a message go.
struct Thread<'a> {
    channel: &'a str,
    /// The thread that all parts stand in, where the message replies to another.
    of: Option<String>,
    /// Where the first part stands, once it does: the thread of the others.
    first: Option<String>,
}

impl Thread<'_> {
    fn for_part(&self, part: i32) -> Option<&str> {
        self.of.as_deref().or(if part == 0 { None } else { self.first.as_deref() })
    }
}

/// A row that is being sent.
struct Slack<'c, 'a> {
    claim: &'c mut Claim<'a>,
    sender: &'c SlackSender,
    /// What opens the workspace.
    token: SecretString,
    /// A turn of the workspace that was taken and is not used yet.
    has_turn: bool,
}

pub(super) async fn send(claim: &mut Claim<'_>, sender: &SlackSender) -> Result<Arrival, Failure> {
    let known = claim.held.known(claim.row).await?;
    if claim.row.uncertain {
        let first_missing = (0..).find(|part| !known.copies.iter().any(|copy| copy.part == *part));
        claim.unsure = first_missing;
    }
    let row = claim.row;
    let team = claim.held.lease.workspace.id.clone();
    let token = sender.tokens.of(&team).await?.ok_or(Failure::Uninstalled)?;
    let mut slack = Slack { claim, sender, token: token.clone(), has_turn: false };
    let sent = slack.send(row, &known).await;
    if let Err(Failure::Platform(Refusal::Unauthorized(code))) = &sent {
        match sender.tokens.refused(&team, &token, code).await? {
            Refused::Removed => return Err(Failure::Uninstalled),
            Refused::Renewed => return Err(Failure::Renewed),
            Refused::Standing => {}
        }
    }
    if let (Address::Person(_), Some(user), Err(Failure::Platform(Refusal::Unreachable(_)))) =
        (&row.to, &known.user, &sent)
        && sender.client.user(&token, &user.user_id).await.is_ok_and(|user| user.deleted)
    {
        return Err(Failure::Unreachable(DEACTIVATED));
    }
    sent
}

impl Slack<'_, '_> {
    async fn send(&mut self, row: &Outgoing, known: &Known) -> Result<Arrival, Failure> {
        match row.sending {
            _ if home::is_home(&row.content) => self.publish(known).await,
            Sending::Post if known.parent_waits && known.parent.is_none() => Err(Failure::NotYet),
            Sending::Redraw if known.post == Some(OpenPost::IsSent) => Err(Failure::NotYet),
            Sending::Redraw if known.copies.is_empty() => Ok(Arrival::Nothing),
            sending => {
                match &row.to {
                    Address::Channel(channel) => self.keep_from_outsiders(channel, &known.copies).await?,
                    Address::Person(_) => self.keep_from_guest(known).await?,
                    Address::ChatUser(_) => {}
                }
                match sending {
                    Sending::Post => self.post(known).await,
                    Sending::Redraw => self.redraw(known).await,
                }
            }
        }
    }
}

impl Slack<'_, '_> {
    async fn post(&mut self, known: &Known) -> Result<Arrival, Failure> {
        let row = self.claim.row;
        let channel = match (&row.to, known.copies.first()) {
            (_, Some(copy)) => copy.channel_id.clone(),
            (Address::Channel(channel), None) => channel.clone(),
            (Address::Person(person), None) => self.direct_messages(*person, known).await?,
            (Address::ChatUser(user), None) => {
                self.claim.held.clear()?;
                let user = self.sender.client.user(&self.token, user).await?;
                self.open(&user).await?
            }
        };
        self.claim.turn_at().await?;
        self.has_turn = true;
        self.draw(&channel, known).await
    }

    async fn redraw(&mut self, known: &Known) -> Result<Arrival, Failure> {
        self.turn().await?;
        self.draw(&known.copies[0].channel_id, known).await
    }

    /// Updates the parts that stand, also for a post: what changed while it waited has queued no redraw. Then posts the
    /// others, but not ahead of a post that waits: that one knows which part may stand there although no answer came.
    async fn draw(&mut self, channel: &str, known: &Known) -> Result<Arrival, Failure> {
        self.claim.mark().await?;
        let Some(message) = self.claim.render().await? else { return Ok(Arrival::Nothing) };
        let parts = render::message(&message);
        let surplus = render::message(&withdrawn::surplus());
        for copy in &known.copies {
            let part = usize::try_from(copy.part).ok().and_then(|part| parts.get(part));
            self.update(copy, part.unwrap_or(&surplus[0])).await?;
        }
        if known.post.is_none() {
            self.post_missing(channel, &parts, known).await?;
        }
        Ok(Arrival::Arrived)
    }

    /// A home page is published over itself, so an attempt whose answer was lost is simply made again. One that Slack
    /// does not take is let be: it is drawn anew when it is opened next.
    async fn publish(&mut self, known: &Known) -> Result<Arrival, Failure> {
        let active = known.reach.as_ref().is_some_and(|reach| reach.active);
        let Some(user) = user_id(known).filter(|_| active) else { return Ok(Arrival::Nothing) };
        self.turn().await?;
        self.claim.mark().await?;
        let rendered = match self.is_guest(user).await? {
            true => Some(withdrawn::from_guest()),
            false => self.claim.render().await?,
        };
        let Some(message) = rendered else { return Ok(Arrival::Nothing) };
        self.claim.held.clear()?;
        match self.sender.client.publish_view(&self.token, user, &render::home(&message)).await {
            Ok(()) => Ok(Arrival::Arrived),
            Err(error @ (Error::RateLimited { .. } | Error::Transient { .. } | Error::Unauthorized(_))) => {
                Err(error.into())
            }
            Err(Error::Denied { code, needed }) => {
                self.claim.say_denied(&code, needed.as_deref());
                Ok(Arrival::Nothing)
            }
            Err(error) => {
                warn!(message = %self.claim.row.message_id, %error, "a home page could not be published");
                Ok(Arrival::Nothing)
            }
        }
    }

    /// Posts, in order, the parts that have no copy yet.
    async fn post_missing(&mut self, channel: &str, parts: &[Rendered], known: &Known) -> Result<(), Failure> {
        let copy_of = |part: i32| known.copies.iter().find(|copy| copy.part == part);
        let parent = known.parent.as_ref().filter(|parent| parent.channel_id == channel);
        let mut thread = Thread {
            channel,
            of: parent.map(|parent| parent.ts.clone()),
            first: copy_of(0).map(|copy| copy.ts.clone()),
        };
        for (part, rendered) in (0..).zip(parts) {
            if copy_of(part).is_some() {
                continue;
            }
            let mut posted = self.post_part(&thread, part, rendered).await;
            if part == 0 && thread.of.is_some() && matches!(posted, Err(Failure::Platform(Refusal::Gone(_)))) {
                // What it replies to was deleted: it is said all the same.
                thread.of = None;
                posted = self.post_part(&thread, part, rendered).await;
            }
            let posted = match posted {
                // The parent was deleted meanwhile: nobody misses the rest.
                Err(Failure::Platform(Refusal::Gone(_))) if part > 0 => return Ok(()),
                posted => posted?,
            };
            if part == 0 {
                thread.first = Some(posted.ts);
            }
        }
        Ok(())
    }

    async fn post_part(&mut self, thread: &Thread<'_>, part: i32, rendered: &Rendered) -> Result<Posted, Failure> {
        let (client, token) = (&self.sender.client, &self.token);
        let delivery_id = delivery_id(self.claim.row.message_id, part);
        let place = place(&self.claim.row.to);
        if !std::mem::take(&mut self.has_turn) {
            self.claim.turn_at().await?;
        }
        if self.claim.unsure == Some(part) {
            self.claim.held.clear()?;
            let search = Search {
                channel: thread.channel,
                thread_ts: thread.for_part(part),
                delivery_id,
                oldest: self.claim.row.queued_at.timestamp() - CLOCKS_APART,
                latest: self.claim.held.shared.app.now().timestamp() + CLOCKS_APART,
            };
            let found = client.find_delivery(token, &search).await.map_err(not_found_out)?;
            self.claim.unsure = None;
            if let Some(found) = found {
                let copy = self.claim.save(part, &found.channel, &found.ts).await?;
                // It says what was so when it was sent.
                self.update(&copy, rendered).await?;
                return Ok(found);
            }
        }
        self.claim.held.clear()?;
        self.claim.held.pace.posted(&place, Instant::now());
        let posted = client.post_message(token, thread.channel, rendered, thread.for_part(part), delivery_id).await;
        if let Err(Error::Transient { maybe_sent: true, .. }) = posted {
            self.claim.unsure = Some(part);
        }
        let posted = posted?;
        self.claim.save(part, &posted.channel, &posted.ts).await?;
        Ok(posted)
    }

    /// Redraws one part. One that is gone, or can't be changed any more, is let be.
    async fn update(&mut self, copy: &MessageCopy, rendered: &Rendered) -> Result<(), Failure> {
        if !std::mem::take(&mut self.has_turn) {
            self.claim.turn().await?;
        }
        self.claim.held.clear()?;
        let at = Posted { channel: copy.channel_id.clone(), ts: copy.ts.clone() };
        match self.sender.client.update_message(&self.token, &at, rendered).await {
            Ok(()) | Err(Error::Gone(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn turn(&mut self) -> Result<(), Failure> {
        self.claim.turn().await?;
        self.has_turn = true;
        Ok(())
    }

    /// A channel's privacy changes any day, so it is asked for just before each message. Where outsiders read
    /// along, what stands there is taken back.
    async fn keep_from_outsiders(&mut self, channel: &str, copies: &[MessageCopy]) -> Result<(), Failure> {
        self.claim.held.clear()?;
        let why = match self.sender.client.not_for(&self.token, channel).await {
            Ok(None) => return Ok(()),
            Ok(Some(why)) => why,
            // Nobody can say who reads it: its people are told in direct messages instead.
            Err(Error::Denied { code, needed }) => {
                self.claim.say_denied(&code, needed.as_deref());
                return Err(Failure::Platform(Refusal::Unreachable(code)));
            }
            Err(error) => return Err(error.into()),
        };
        self.withdraw(copies, &withdrawn::from_outsiders()).await?;
        Err(Failure::Outsiders(why))
    }

    /// Somebody may have become a guest since their direct messages were opened: then they get no more, and what stands
    /// there is taken back.
    async fn keep_from_guest(&mut self, known: &Known) -> Result<(), Failure> {
        let opened = known.user.as_ref().is_some_and(|user| user.dm_channel_id.is_some());
        let Some(user) = user_id(known).filter(|_| opened || !known.copies.is_empty()) else { return Ok(()) };
        if !self.is_guest(user).await? {
            return Ok(());
        }
        self.withdraw(&known.copies, &withdrawn::from_guest()).await?;
        Err(Failure::Unreachable(NOT_A_COLLEAGUE))
    }

    async fn is_guest(&self, user: &str) -> Result<bool, Failure> {
        self.claim.held.clear()?;
        let team = &self.claim.held.lease.workspace.id;
        self.sender.client.is_outsider(&self.token, team, user).await.map_err(not_found_out)
    }

    async fn withdraw(&mut self, copies: &[MessageCopy], said: &Message) -> Result<(), Failure> {
        if copies.is_empty() {
            return Ok(());
        }
        self.turn().await?;
        self.claim.mark().await?;
        let sentence = render::message(said);
        for copy in copies {
            match self.update(copy, &sentence[0]).await {
                Err(Failure::Platform(Refusal::Unreachable(code) | Refusal::Rejected(code))) => {
                    warn!(message = %self.claim.row.message_id, code, "a message could not be withdrawn");
                }
                done => done?,
            }
        }
        Ok(())
    }

    /// The direct message channel with a colleague: the one that is kept, else a new one. Whether they are a
    /// colleague at all is asked when it is opened; what Slack refuses later is forgotten, and so asked again.
    async fn direct_messages(&mut self, person: PersonId, known: &Known) -> Result<String, Failure> {
        let Some(reach) = known.reach.as_ref().filter(|reach| reach.active) else {
            return Err(Failure::Unreachable("has_left"));
        };
        if let Some(channel) = known.user.as_ref().and_then(|user| user.dm_channel_id.clone()) {
            return Ok(channel);
        }
        let (client, token, held) = (&self.sender.client, &self.token, self.claim.held);
        held.clear()?;
        let user = match user_id(known) {
            Some(id) => Some(client.user(token, id).await?),
            None => client.user_by_email(token, &reach.email).await?,
        };
        let user = user.ok_or(Failure::Unreachable("users_not_found"))?;
        let channel = self.open(&user).await?;
        let mut tx = held.shared.app.store.tenant(held.lease.org).await?;
        person::release_chat_user(&mut tx, &held.lease.workspace, person, &user.id).await?;
        person::save_chat_user(&mut tx, &held.lease.workspace, person, &user.id, Some(&channel)).await?;
        tx.commit().await?;
        Ok(channel)
    }
}

impl Slack<'_, '_> {
    /// Opens the direct messages with a colleague. What Tandem knows is not for guests and people of other companies.
    async fn open(&self, user: &User) -> Result<String, Failure> {
        if user.deleted {
            return Err(Failure::Unreachable(DEACTIVATED));
        }
        if !user.is_colleague() {
            return Err(Failure::Unreachable(NOT_A_COLLEAGUE));
        }
        self.claim.held.clear()?;
        Ok(self.sender.client.open_conversation(&self.token, &user.id).await?)
    }
}

/// Who is written to, as Slack names them: as they were found, else as they were imported.
fn user_id(known: &Known) -> Option<&str> {
    let imported = || known.reach.as_ref()?.slack_user_id.as_ref();
    known.user.as_ref().map(|user| &user.user_id).or_else(imported).map(String::as_str)
}

/// Looking up has a limit of its own, for some apps one call a minute: this row alone waits for it, and not for ever.
fn not_found_out(error: Error) -> Failure {
    match error {
        Error::RateLimited { retry_after } => {
            Failure::Platform(Refusal::Transient { reason: "ratelimited".to_owned(), retry_after })
        }
        error => error.into(),
    }
}

/// The same for each attempt at a part, and for whichever row of the outbox makes it.
fn delivery_id(message: Uuid, part: i32) -> Uuid {
    Uuid::new_v5(&message, &part.to_be_bytes())
}
