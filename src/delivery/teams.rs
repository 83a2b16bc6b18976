//! One row to Teams: whom it goes to, whether anyone from outside would read
//! it, and then the calls that write.
//!
//! Teams has no look-up by which a message is found again, so one that may stand
//! there although no answer came (a crash, a 504) is posted once more and no
//! oftener: two copies at most, counted (platforms.md, "limits"). Limits count
//! redraws too: Teams counts calls to a conversation, whatever they do there.

use metrics::counter;
use tokio::time::Instant;
use tracing::warn;

use super::TeamsSender;
use super::desk::Known;
use super::lane::place;
use super::refusal::Refusal;
use super::row::{Arrival, Claim, Failure};
use crate::app::content::STILL_UNREACHABLE;
use crate::app::home;
use crate::domain::message::withdrawn;
use crate::domain::person::PersonId;
use crate::picture;
use crate::store::conversation;
use crate::store::message::{Address, MessageCopy};
use crate::store::outbox::{OpenPost, Sending};
use crate::store::person;
use crate::teams::address::ServiceUrl;
use crate::teams::client::Error;
use crate::teams::render::{self, Drawn};

/// Guests and people of other companies are sent nothing, whoever imported them.
const NOT_A_COLLEAGUE: &str = "not_a_colleague";

/// Pictures travel inside of the cards.
const DRAW: render::Draw = |chart| picture::data_address(chart, picture::Size::Small).ok();

/// Where a reply goes in a channel: the thread of what it replies to. Personal chats have no threads.
fn thread(channel: &str, parent: Option<&MessageCopy>) -> String {
    match parent {
        Some(parent) if parent.channel_id == channel => format!("{channel};messageid={}", parent.ts),
        _ => channel.to_owned(),
    }
}

/// A row that is being sent.
struct Teams<'c, 'a> {
    claim: &'c mut Claim<'a>,
    sender: &'c TeamsSender,
    service: ServiceUrl,
    /// A channel that other teams, of whatever company, may be let into.
    shared: bool,
}

pub(super) async fn send(claim: &mut Claim<'_>, sender: &TeamsSender) -> Result<Arrival, Failure> {
    let row = claim.row;
    if home::is_home(&row.content) {
        // In Teams a home page is an answer: whoever asks has it, and asks again for the next page.
        return Ok(Arrival::Nothing);
    }
    let known = claim.held.known(row).await?;
    let (service, shared) = reached(claim, sender, &known).await?;
    if row.uncertain {
        claim.unsure = (0..).find(|part| !known.copies.iter().any(|copy| copy.part == *part));
    }
    let mut teams = Teams { claim, sender, service, shared };
    match row.sending {
        Sending::Post if known.parent_waits => Err(Failure::NotYet),
        Sending::Redraw if known.post == Some(OpenPost::IsSent) => Err(Failure::NotYet),
        Sending::Redraw if known.copies.is_empty() => Ok(Arrival::Nothing),
        sending => {
            // Whose chat it is that a post opens is asked once it is open.
            let place = match &row.to {
                Address::Channel(channel) => Some(channel.as_str()),
                Address::Person(_) | Address::ChatUser(_) => known.copies.first().map(|copy| copy.channel_id.as_str()),
            };
            if let Some(place) = place {
                teams.keep_from_outsiders(place, &known).await?;
            }
            match sending {
                Sending::Post => teams.post(&known).await,
                Sending::Redraw => teams.draw(&known.copies[0].channel_id, &known).await,
            }
        }
    }
}

/// Where the row's conversation is reached, else the tenant; and whether it is a channel that other teams, of whatever
/// company, may be let into.
async fn reached(claim: &Claim<'_>, sender: &TeamsSender, known: &Known) -> anyhow::Result<(ServiceUrl, bool)> {
    let (workspace, row) = (&claim.held.lease.workspace, claim.row);
    let channel = match &row.to {
        Address::Channel(channel) => Some(channel.as_str()),
        Address::Person(_) => known.user.as_ref().and_then(|user| user.dm_channel_id.as_deref()),
        Address::ChatUser(_) => None,
    };
    let mut tx = claim.held.shared.app.store.tenant(claim.held.lease.org).await?;
    let (mut said, mut shared) = (None, false);
    if let Some(id) = known.copies.first().map(|copy| copy.channel_id.as_str()).or(channel) {
        let root = id.split_once(';').map_or(id, |(root, _)| root);
        if let Some(kept) = conversation::read(&mut tx, workspace, root).await? {
            (said, shared) = (Some(kept.service_url), kept.shared);
        }
    }
    if said.is_none() {
        said = conversation::latest_service_url(&mut tx, workspace).await?;
    }
    tx.commit().await?;
    // The list may have changed since it was kept.
    let service = said.and_then(|url| sender.services.admit(&url)).unwrap_or_else(|| sender.services.usual().clone());
    Ok((service, shared))
}

impl Teams<'_, '_> {
    async fn post(&mut self, known: &Known) -> Result<Arrival, Failure> {
        let row = self.claim.row;
        let kept = known.copies.first().map(|copy| copy.channel_id.clone());
        let conversation = match (&row.to, kept) {
            (_, Some(conversation)) => conversation,
            (Address::Channel(channel), None) => thread(channel, known.parent.as_ref()),
            (Address::Person(person), None) => self.personal(*person, known).await?,
            (Address::ChatUser(user), None) => self.open_with(user).await?,
        };
        self.draw(&conversation, known).await
    }

    /// Updates the parts that stand, also for a post: what changed while it waited has queued no redraw. Then posts the
    /// others, but not ahead of a post that waits: that one knows which part may stand there although no answer came.
    async fn draw(&mut self, conversation: &str, known: &Known) -> Result<Arrival, Failure> {
        self.turn_at().await?;
        self.claim.mark().await?;
        let Some(message) = self.claim.render().await? else { return Ok(Arrival::Nothing) };
        let parts = render::message(&message, DRAW);
        let surplus = render::message(&withdrawn::surplus(), DRAW);
        let mut has_turn = true;
        for copy in &known.copies {
            let part = usize::try_from(copy.part).ok().and_then(|part| parts.get(part));
            self.update(copy, part.unwrap_or(&surplus[0]), std::mem::take(&mut has_turn)).await?;
        }
        if known.post.is_none() {
            self.post_missing(conversation, &parts, known, has_turn).await?;
        }
        Ok(Arrival::Arrived)
    }

    /// Posts, in order, the parts that have no copy yet.
    async fn post_missing(
        &mut self,
        conversation: &str,
        parts: &[Drawn],
        known: &Known,
        mut has_turn: bool,
    ) -> Result<(), Failure> {
        let mut conversation = conversation.to_owned();
        for (part, drawn) in (0..).zip(parts) {
            if known.copies.iter().any(|copy| copy.part == part) {
                continue;
            }
            let mut posted = self.post_part(&conversation, part, drawn, std::mem::take(&mut has_turn)).await;
            if let (Err(Failure::Platform(Refusal::Gone(_))), Address::Person(person), 0) =
                (&posted, &self.claim.row.to, part)
            {
                // The conversation that is kept is no more: a new one is opened, once.
                conversation = self.open(*person, known).await?;
                posted = self.post_part(&conversation, part, drawn, false).await;
            }
            let id = posted?;
            self.claim.save(part, &conversation, &id).await?;
        }
        Ok(())
    }

    async fn post_part(
        &mut self,
        conversation: &str,
        part: i32,
        drawn: &Drawn,
        has_turn: bool,
    ) -> Result<String, Failure> {
        if !has_turn {
            self.turn_at().await?;
        }
        self.claim.held.clear()?;
        let again = self.claim.unsure == Some(part);
        if again {
            // It may stand there already: this is the one copy more that is allowed.
            counter!("tandem_delivery_possibly_twice_total", "platform" => "teams").increment(1);
            warn!(message = %self.claim.row.message_id, "a message may stand in Teams twice: no answer came to the first attempt");
        }
        self.claim.held.pace.posted(&place(&self.claim.row.to), Instant::now());
        let posted = self.sender.client.post(&self.service, conversation, &render::activity(drawn)).await;
        match posted {
            Ok(id) => {
                self.claim.unsure = None;
                Ok(id)
            }
            Err(Error::Transient { maybe_sent: true, .. }) if again => Err(Failure::Platform(Refusal::PossiblySent)),
            Err(error) => {
                if matches!(error, Error::Transient { maybe_sent: true, .. }) {
                    self.claim.unsure = Some(part);
                }
                Err(error.into())
            }
        }
    }

    /// Redraws one part. One that is gone is let be.
    async fn update(&mut self, copy: &MessageCopy, drawn: &Drawn, has_turn: bool) -> Result<(), Failure> {
        if !has_turn {
            self.turn_at().await?;
        }
        self.claim.held.clear()?;
        self.claim.held.pace.posted(&place(&self.claim.row.to), Instant::now());
        let activity = render::activity(drawn);
        match self.sender.client.update(&self.service, &copy.channel_id, &copy.ts, &activity).await {
            Ok(()) | Err(Error::Gone(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn turn_at(&mut self) -> Result<(), Failure> {
        Ok(self.claim.turn_at().await?)
    }

    /// Who is in a team changes any day, so it is asked for just before each message; whether a person has become a guest
    /// every ten minutes. Where outsiders read along, what stands there is taken back. In a shared channel nobody is asked:
    /// who is let in by another team stands in no roster of ours.
    async fn keep_from_outsiders(&mut self, place: &str, known: &Known) -> Result<(), Failure> {
        let (row, copies) = (self.claim.row, &known.copies);
        let failure = match row.to {
            Address::Channel(_) if !self.shared && !self.outsiders_in(place).await? => return Ok(()),
            Address::Channel(_) => Failure::Outsiders("outsiders"),
            Address::Person(_) | Address::ChatUser(_) if !self.is_guests(place).await? => return Ok(()),
            Address::Person(_) | Address::ChatUser(_) => Failure::Unreachable(NOT_A_COLLEAGUE),
        };
        if !copies.is_empty() {
            self.turn_at().await?;
            self.claim.mark().await?;
            let said = match row.to {
                Address::Channel(_) => withdrawn::from_outsiders(),
                Address::Person(_) | Address::ChatUser(_) => withdrawn::from_guest(),
            };
            let sentence = render::message(&said, DRAW);
            let mut has_turn = true;
            for copy in copies {
                match self.update(copy, &sentence[0], std::mem::take(&mut has_turn)).await {
                    Err(Failure::Platform(Refusal::Unreachable(code) | Refusal::Rejected(code))) => {
                        warn!(message = %self.claim.row.message_id, code, "a message could not be withdrawn");
                    }
                    done => done?,
                }
            }
        }
        Err(failure)
    }

    async fn outsiders_in(&mut self, conversation: &str) -> Result<bool, Failure> {
        self.claim.turn().await?;
        let (client, tenant) = (&self.sender.client, &self.claim.held.lease.workspace.id);
        let root = conversation.split_once(';').map_or(conversation, |(root, _)| root);
        Ok(client.outsiders_in(&self.service, tenant, root).await?)
    }

    /// Whether a personal chat is a guest's. One that is no more is nobody's: the post finds that out.
    async fn is_guests(&mut self, conversation: &str) -> Result<bool, Failure> {
        if let Some(found) = self.sender.client.outsiders_met(conversation) {
            return Ok(found);
        }
        match self.outsiders_in(conversation).await {
            Err(Failure::Platform(Refusal::Gone(_))) => Ok(false),
            found => found,
        }
    }

    /// The personal conversation with a colleague: the one that is kept, else a new one. Whoever blocked the app or
    /// removed it is not called at all until something is heard of them again.
    async fn personal(&mut self, person: PersonId, known: &Known) -> Result<String, Failure> {
        if known.reach.as_ref().is_none_or(|reach| !reach.active) {
            return Err(Failure::Unreachable("has_left"));
        }
        if known.user.as_ref().is_some_and(|user| user.unreachable_since.is_some()) {
            return Err(Failure::Unreachable(STILL_UNREACHABLE));
        }
        match known.user.as_ref().and_then(|user| user.dm_channel_id.clone()) {
            Some(conversation) if self.is_guests(&conversation).await? => Err(Failure::Unreachable(NOT_A_COLLEAGUE)),
            Some(conversation) => Ok(conversation),
            None => self.open(person, known).await,
        }
    }

    async fn open(&mut self, person: PersonId, known: &Known) -> Result<String, Failure> {
        let held = self.claim.held;
        let imported = known.reach.as_ref().and_then(|reach| reach.teams_user_id.clone());
        let user_id = known.user.as_ref().map(|user| user.user_id.clone()).or(imported);
        let user_id = user_id.ok_or(Failure::Unreachable("no_teams_user_id"))?.to_lowercase();
        let workspace = &held.lease.workspace;
        let opened = match self.open_with(&user_id).await {
            Err(failure @ (Failure::Unreachable(NOT_A_COLLEAGUE) | Failure::Platform(Refusal::Unreachable(_)))) => {
                Err(failure)
            }
            opened => Ok(opened?),
        };
        // Kept without a conversation where they can't be reached, so that it can be marked.
        let conversation = opened.as_ref().ok().map(String::as_str);
        let mut tx = held.shared.app.store.tenant(held.lease.org).await?;
        person::release_chat_user(&mut tx, workspace, person, &user_id).await?;
        person::save_chat_user(&mut tx, workspace, person, &user_id, conversation).await?;
        tx.commit().await?;
        opened
    }

    /// Opens the personal conversation with somebody of the tenant.
    async fn open_with(&mut self, user_id: &str) -> Result<String, Failure> {
        self.claim.turn().await?;
        let tenant = &self.claim.held.lease.workspace.id;
        let id = self.sender.client.open_conversation(&self.service, tenant, user_id).await?;
        if self.is_guests(&id).await? { Err(Failure::Unreachable(NOT_A_COLLEAGUE)) } else { Ok(id) }
    }
}
