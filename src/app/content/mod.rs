//! What a message is, as ids, and how it reads now. Text is never stored: a
//! message is made from the present state at each sending, so an outbox row
//! that waited says what is true when it leaves.

mod arrival;
mod digest;
mod told;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::read::AccountRead;
use super::views::Reader;
use super::watch::Finding;
use super::{App, gaps, home, introduction, precision, query, transfer};
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::message::card::{AccountCard, Card};
pub use crate::domain::message::notice::Load;
use crate::domain::message::view::Why;
use crate::domain::message::{Message, notice, trial};
use crate::domain::person::{OrgId, PersonId, Role};
use crate::domain::signal::Source;
use crate::store::{Tenant, card, digest as mornings};

pub use arrival::{Arrived, STILL_UNREACHABLE, delivered, given_up};
use digest::Shown;
pub use digest::{group_message, morning_message, sources};
use told::{Told, notice_message};

/// Which message it is. Ids only, never text or personal data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Digest(Uuid),
    /// An account's card, shared to a channel.
    Account(AccountId),
    /// The other side hears of a step, or a lead asks whoever is accountable to look (`nudged`).
    Notice {
        #[serde(flatten)]
        about: About,
        event: String,
        version: i32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<PersonId>,
        /// A short reply in the thread of the reader's card, or of the account in a channel, instead of the card.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reply: bool,
    },
    /// Who stands in for whom, or (without `until` and `no_chat`) no longer: to both.
    StandIn {
        of: PersonId,
        by: PersonId,
        until: Option<NaiveDate>,
        /// Here, and out of reach in chat.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        no_chat: bool,
        load: Load,
    },
    /// The organisation model has changed: how much came to the reader, and how much went to others.
    Model {
        gained: Load,
        lost: Load,
    },
    /// To the admins: what is owed and late, or that all is well again.
    Watch {
        late: Vec<Finding>,
        over: bool,
    },
    /// The same in the channel of a pool, as its members read it.
    InChannel {
        pool: String,
        of: Box<Content>,
    },
    /// The same in direct messages, since its channel could not be posted in: why not.
    Instead {
        problem: String,
        of: Box<Content>,
    },
    /// An admin hears that a message could not be delivered.
    GivenUp {
        person: Option<PersonId>,
        problem: String,
    },
    /// Rules that were proposed to go on trial, or to come back from it.
    Rules {
        names: Vec<String>,
    },
    /// To an admin without mornings, weekly: what cannot be read.
    Gaps {
        on: NaiveDate,
    },
    /// A person's home page, and which page of it they look at.
    Home {
        page: u16,
    },
    /// A source fell silent for much of the book, or is back.
    Feed {
        source: Source,
        silent: Option<u32>,
    },
    /// A book went from one to the other: the brief for who takes over, a word for who gave.
    Transfer {
        from: PersonId,
        to: PersonId,
        accounts: Vec<AccountId>,
    },
    /// Whether somebody is this person, to those who can tell.
    Introduction {
        id: Uuid,
        person: PersonId,
    },
    /// To whoever is known now.
    Introduced(Uuid),
    /// To whoever said to be this person, and is not, as `by` says.
    NotIntroduced {
        person: PersonId,
        by: PersonId,
    },
    /// Files of the inbox, each with how many of its rows were rejected; 0 where it could not be taken at all.
    Inbox {
        files: Vec<(String, u64)>,
    },
}

/// What a clock has to say, beside the events that people make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Reminded,
    /// To whoever acknowledged a risk: its next step is overdue.
    StillOnIt,
    /// Acknowledged and idle: open again.
    Idle,
    /// To the stand-in.
    Delegated,
    /// To the lead of the one who is late.
    Escalated,
    /// To the other side, and to the one who was late.
    Informed,
    Offered,
    Expired,
}

impl Said {
    const ALL: [Said; 8] = [
        Said::Reminded,
        Said::StillOnIt,
        Said::Idle,
        Said::Delegated,
        Said::Escalated,
        Said::Informed,
        Said::Offered,
        Said::Expired,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Said::Reminded => "reminded",
            Said::StillOnIt => "still_on_it",
            Said::Idle => "idle",
            Said::Delegated => "delegated",
            Said::Escalated => "escalated",
            Said::Informed => "informed",
            Said::Offered => "offered",
            Said::Expired => "expired",
        }
    }

    fn of(event: &str) -> Option<Self> {
        Said::ALL.into_iter().find(|said| said.as_str() == event)
    }
}

impl Content {
    pub fn notice(about: About, event: &str, version: i32, by: Option<PersonId>) -> Self {
        Content::Notice { about, event: event.to_owned(), version, by, reply: false }
    }

    /// Whose card a short reply to this belongs under.
    pub(super) fn subject(&self) -> Option<Subject> {
        match self {
            Content::Notice { about, .. } => Some(about.subject()),
            _ => None,
        }
    }

    pub(super) fn in_thread(mut self, in_thread: bool) -> Self {
        if let Content::Notice { reply, .. } = &mut self {
            *reply = in_thread;
        }
        self
    }
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    Handoff(Uuid),
    Risk(Uuid),
    Renewal(Uuid),
}

/// A content without what says where it stands: the pool whose channel it stands in, and why it does not.
struct Unwrapped {
    content: Content,
    pool: Option<String>,
    problem: Option<String>,
}

fn unwrapped(content: &Value) -> anyhow::Result<Unwrapped> {
    let mut found = Unwrapped { content: serde_json::from_value(content.clone())?, pool: None, problem: None };
    loop {
        found.content = match found.content {
            Content::InChannel { pool, of } => {
                found.pool = Some(pool);
                *of
            }
            Content::Instead { problem, of } => {
                found.problem = Some(problem);
                *of
            }
            content => return Ok(Unwrapped { content, ..found }),
        };
    }
}

/// Whether a stored message is somebody's morning in the place where they read it.
pub fn is_digest(content: &Value) -> bool {
    content.get("digest").is_some()
}

impl About {
    fn subject(self) -> Subject {
        match self {
            About::Handoff(id) => Subject::Handoff(id),
            About::Risk(id) => Subject::Risk(id),
            About::Renewal(id) => Subject::Renewal(id),
        }
    }
}

/// The message of this content as it reads now, for this reader (`None`: a channel). `None` where
/// there is nothing left to say: the row is then settled without sending.
pub async fn render(
    app: &App,
    org: OrgId,
    id: Uuid,
    content: &Value,
    reader: Option<PersonId>,
) -> anyhow::Result<Option<Message>> {
    let tx = app.store.tenant(org).await?;
    let asked = Asked { message: id, content: content.clone(), reader };
    Ok(render_all(app, tx, std::slice::from_ref(&asked)).await?.pop().flatten())
}

/// A message that is asked for as it reads now.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub message: Uuid,
    pub content: Value,
    pub reader: Option<PersonId>,
}

/// Whether it is about a whole team: a lead's morning, as far as this process knows its reader.
pub fn is_of_a_team(app: &App, org: OrgId, asked: &Asked) -> bool {
    let leads = |id| app.remembered(org).is_some_and(|known| known.person(id).is_some_and(|one| one.is(Role::Lead)));
    // In a channel a morning is a lead's.
    is_digest(&asked.content) && asked.reader.is_none_or(leads)
}

/// As [`render`], of several, in that order: what mornings show is read together.
pub async fn render_all(app: &App, mut tx: Tenant, asked: &[Asked]) -> anyhow::Result<Vec<Option<Message>>> {
    let org = tx.org();
    let mut messages = read_together(app, &mut tx, asked).await?;
    // What somebody had asked for is asked anew, which takes a connection: this one is given back first.
    drop(tx);
    for (asked, message) in asked.iter().zip(&mut messages) {
        if let Unwrapped { content: Content::Introduced(id), .. } = unwrapped(&asked.content)? {
            *message = introduction::confirmed(app, org, id).await?;
        }
    }
    Ok(messages)
}

async fn read_together(app: &App, tx: &mut Tenant, asked: &[Asked]) -> anyhow::Result<Vec<Option<Message>>> {
    let snapshot = app.snapshot(tx).await?;
    let found = asked.iter().map(|asked| unwrapped(&asked.content)).collect::<anyhow::Result<Vec<_>>>()?;
    let ids: Vec<Uuid> = found
        .iter()
        .filter_map(|found| match found.content {
            Content::Digest(id) => Some(id),
            _ => None,
        })
        .collect();
    let stored = mornings::read_all(tx, &ids).await?;
    let shown = Shown::read(tx, Reader::new(&snapshot, None, app.now()), stored.values()).await?;
    let with_cards = asked
        .iter()
        .zip(&found)
        .filter(|(_, found)| matches!(found.content, Content::Digest(_) | Content::Notice { reply: false, .. }));
    let newer = card::newer(tx, &with_cards.map(|(asked, _)| asked.message).collect::<Vec<_>>()).await?;
    let none = Newer::new();
    let mut messages = Vec::with_capacity(asked.len());
    for (asked, Unwrapped { content, pool, problem }) in asked.iter().zip(found) {
        let reader = Reader { pool: pool.as_deref(), ..Reader::new(&snapshot, asked.reader, app.now()) };
        let newer = newer.get(&asked.message).unwrap_or(&none);
        let said = match content {
            Content::Digest(id) => match stored.get(&id) {
                Some(stored) => shown.morning(tx, reader, stored, newer).await?,
                None => None,
            },
            content => said(tx, reader, asked.message, content, newer).await?,
        };
        messages.push(match problem {
            Some(problem) => said.map(|message| notice::instead(message, &problem)),
            None => said,
        });
    }
    Ok(messages)
}

async fn said(
    tx: &mut Tenant,
    reader: Reader<'_>,
    id: Uuid,
    content: Content,
    newer: &Newer,
) -> anyhow::Result<Option<Message>> {
    match content {
        Content::Account(id) => query::account_message(tx, reader, &id, false).await,
        Content::Notice { about, event, version, by, reply } => {
            let told = Told { message: id, about, event, version, by, reply };
            notice_message(tx, reader, &told, newer).await
        }
        Content::StandIn { of, by, load, no_chat: true, .. } => {
            Ok(Some(notice::out_of_reach(&reader.name(of), &reader.name(by), load)))
        }
        Content::StandIn { of, by, until, load, .. } => {
            Ok(Some(notice::stand_in(&reader.name(of), &reader.name(by), until, load, reader.today())))
        }
        Content::Model { gained, lost } => {
            let settings = &reader.snapshot.settings;
            let models = notice::Models {
                default: reader.snapshot.organisation.model,
                segments: settings.segment_models.clone(),
                renewals: settings.renewal_owner.default,
            };
            Ok(Some(notice::model_changed(&models, gained, lost)))
        }
        Content::Watch { late, over } => {
            let late: Vec<_> =
                late.into_iter().map(|found| (found.what, found.count, reader.local(found.since))).collect();
            Ok(Some(notice::watch(&late, over)))
        }
        Content::GivenUp { person, problem } => {
            let whom = person.map_or_else(|| "a channel".to_owned(), |id| reader.name(id));
            Ok(Some(notice::given_up(&whom, &problem)))
        }
        Content::Rules { names } => {
            let rules = precision::standing(tx, reader.snapshot, &names, reader.now).await?;
            Ok(trial::rules(&rules, &reader.snapshot.policy, reader.today()))
        }
        Content::Gaps { on } => gaps::message(tx, reader, on).await,
        Content::Home { page } => home::kept(tx, reader, id, page).await,
        // Read together, taken off before, and asked for afterwards.
        Content::Digest(_) | Content::InChannel { .. } | Content::Instead { .. } | Content::Introduced(_) => Ok(None),
        Content::Introduction { id, person } => introduction::question(tx, reader, id, person).await,
        Content::NotIntroduced { person, by } => Ok(introduction::not_confirmed(reader, person, by)),
        Content::Feed { source, silent } => Ok(Some(match silent {
            Some(accounts) => notice::feed_silent(source, accounts as usize, reader.today(), reader.today()),
            None => notice::feed_back(source),
        })),
        Content::Transfer { from, to, accounts } => Ok(Some(transfer::message(tx, reader, from, to, &accounts).await?)),
        Content::Inbox { files } => Ok(Some(notice::inbox(&files))),
    }
}

/// Accounts whose card stands in a newer message to the same person, and when that was made.
pub type Newer = BTreeMap<AccountId, DateTime<Utc>>;

/// The reader's one card of an account: what is listed, the first of it leading, and whatever else is theirs there now.
/// `None` where nothing of that is there any more.
fn account_card(reader: Reader<'_>, read: &AccountRead, listed: Vec<(Subject, Why)>) -> Option<AccountCard> {
    let further: Vec<(Subject, Why)> = reader
        .matters(read)
        .into_iter()
        .filter(|subject| listed.iter().all(|(known, _)| known != subject))
        .map(|subject| (subject, Why::Asked))
        .collect();
    let mut cards = listed.into_iter().chain(further).filter_map(|(subject, why)| card_of(reader, read, &subject, why));
    let lead = cards.next()?;
    Some(AccountCard::new(lead, cards.collect()))
}

/// The card of a subject, from what was read of its account.
pub fn card_of(reader: Reader<'_>, read: &AccountRead, subject: &Subject, why: Why) -> Option<Card> {
    match subject {
        Subject::Risk(id) => {
            read.risk.as_ref().filter(|risk| risk.id == *id).map(|risk| Card::Risk(reader.risk(read, risk, why)))
        }
        Subject::Handoff(id) => read.handoff(*id).map(|handoff| reader.handoff(read, handoff, why)),
        Subject::Renewal(id) => {
            let work = read.renewal.as_ref().filter(|work| work.id == *id)?;
            reader.renewal(read, work, why).map(Card::Renewal)
        }
        Subject::Account(_) | Subject::Group(..) | Subject::Home(_) | Subject::Rule(_) | Subject::Introduction(_) => {
            None
        }
    }
}
