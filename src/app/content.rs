//! What a message is, as ids, and how it reads now. Text is never stored: a
//! message is made from the present state at each sending, so an outbox row
//! that waited says what is true when it leaves.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::morning::{self, Totals};
use super::read::{self, AccountRead};
use super::snapshot::Snapshot;
use super::views::Reader;
use super::watch::Finding;
use super::{App, gaps, home, notice as telling, precision, query, team, transfer};
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::digest as digest_rules;
use crate::domain::handoff::{self as handoff_state, Clocks, State};
use crate::domain::message::card::Card;
use crate::domain::message::digest::{
    Basis, DigestView, RestGroup, RestKind, RestLine, Section, SectionKind, SourceAge, WithheldLine,
};
use crate::domain::message::notice::Escalation;
pub use crate::domain::message::notice::Load;
use crate::domain::message::view::{HandoffState, Part, Why};
use crate::domain::message::{Message, card, cause, digest, notice, phrase};
use crate::domain::person::{OrgId, Person, PersonId, Role};
use crate::domain::signal::Source;
use crate::domain::timer::Timer;
use crate::domain::{renewal_work, risk};
use crate::store::audit::{self, Actor, Entry};
use crate::store::digest::{Digest, Item, Place};
use crate::store::message::{Address, NewMessage};
use crate::store::{Tenant, diagnosis, digest as mornings, handoff, message, renewal, risk as risks};

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
        /// A short reply in the thread of the reader's card, instead of the card.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reply: bool,
    },
    /// Who stands in for whom, or (without `until`) no longer: to both.
    StandIn {
        of: PersonId,
        by: PersonId,
        until: Option<NaiveDate>,
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
    /// Rules to put on trial, or to end the trial of.
    Rules,
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
    content: &Value,
    reader: Option<PersonId>,
) -> anyhow::Result<Option<Message>> {
    let Unwrapped { content, pool, problem } = unwrapped(content)?;
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let reader = Reader { pool: pool.as_deref(), ..Reader::new(&snapshot, reader, app.now()) };
    let said = said(&mut tx, reader, content).await?;
    Ok(match problem {
        Some(problem) => said.map(|message| notice::instead(message, &problem)),
        None => said,
    })
}

async fn said(tx: &mut Tenant, reader: Reader<'_>, content: Content) -> anyhow::Result<Option<Message>> {
    match content {
        Content::Digest(id) => match mornings::read(tx, id).await? {
            Some(stored) => morning_message(tx, reader, &stored).await,
            None => Ok(None),
        },
        Content::Account(id) => match query::account_message(tx, reader, &id, false).await? {
            Some(message) => Ok(Some(message)),
            None => Ok(None),
        },
        Content::Notice { about, event, version, by, reply } => {
            let told = Told { about, event, version, by, reply };
            notice_message(tx, reader, &told).await
        }
        Content::StandIn { of, by, until, load } => {
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
        Content::Rules => {
            let proposals = precision::proposals(tx, reader.snapshot, reader.now).await?;
            let (policy, slug) = (&reader.snapshot.policy, &reader.snapshot.organisation.slug);
            Ok(notice::rules(&proposals, policy, slug, reader.today()))
        }
        Content::Home { page } => home::message(tx, reader, page).await,
        // Taken off before.
        Content::InChannel { .. } | Content::Instead { .. } => Ok(None),
        Content::Feed { source, silent } => Ok(Some(match silent {
            Some(accounts) => notice::feed_silent(source, accounts as usize, reader.today(), reader.today()),
            None => notice::feed_back(source),
        })),
        Content::Transfer { from, to, accounts } => Ok(Some(transfer::message(tx, reader, from, to, &accounts).await?)),
        Content::Inbox { files } => Ok(Some(notice::inbox(&files))),
    }
}

struct Told {
    about: About,
    event: String,
    version: i32,
    by: Option<PersonId>,
    reply: bool,
}

/// A short reply, or the card as it stands now with what the notification line has to say of the step. `None`
/// where a clock has nothing to say any more: the matter was settled, or has moved on, since.
async fn notice_message(tx: &mut Tenant, reader: Reader<'_>, told: &Told) -> anyhow::Result<Option<Message>> {
    let subject = told.about.subject();
    let Some(account) = account_of(tx, &subject).await? else { return Ok(None) };
    let Some(read) = read::account(tx, reader.snapshot, &account, reader.now).await? else { return Ok(None) };
    let said = match (Said::of(&told.event), told.by) {
        (Some(said), by) => {
            if version_of(&read, &subject) != Some(told.version) && !matches!(said, Said::Offered | Said::Expired) {
                return Ok(None);
            }
            escalation(reader, &read, &subject, said, by)
        }
        (None, Some(by)) if told.event == "nudged" => Some(Escalation::Nudge { by: reader.name(by) }),
        _ => None,
    };
    let name = &read.account.name;
    let sentence = match said {
        Some(step) => Some(notice::escalation(name, &matter(&read, &subject), &step, reader.today())),
        None => got_worse(reader, &read, &told.event),
    };
    if told.reply {
        return Ok(sentence.or_else(|| step_taken(reader, &read, &subject)));
    }
    let why = if told.event == "offered" { Why::Offered } else { Why::Asked };
    let Some(card) = card_of(reader, &read, &subject, why) else { return Ok(None) };
    let message = card::message(&card, reader.angle(), reader.today());
    Ok(Some(match sentence {
        Some(sentence) => notice::above(sentence, message),
        None => message,
    }))
}

/// A decision signal, or a worse night.
fn got_worse(reader: Reader<'_>, read: &AccountRead, event: &str) -> Option<Message> {
    let causes = read.diagnosis.as_ref().map_or(&[][..], |diagnosis| diagnosis.causes.as_slice());
    let account = reader.account(read);
    match event {
        "decision" => Some(match causes.first().filter(|cause| cause.floor) {
            Some(cause) => notice::decision(&account, cause),
            None => notice::got_worse(&account, causes.first()),
        }),
        "worse" => Some(notice::got_worse(&account, causes.first())),
        _ => None,
    }
}

fn version_of(read: &AccountRead, subject: &Subject) -> Option<i32> {
    match subject {
        Subject::Risk(id) => read.risk.as_ref().filter(|risk| risk.id == *id).map(risk::Risk::version),
        Subject::Handoff(id) => read.handoff(*id).map(handoff_state::Handoff::version),
        Subject::Renewal(id) => {
            read.renewal.as_ref().filter(|work| work.id == *id).map(renewal_work::RenewalWork::version)
        }
        Subject::Account(_) | Subject::Group(..) | Subject::Home(_) => None,
    }
}

/// "more seats, about $12k", "at risk", "renewal".
fn matter(read: &AccountRead, subject: &Subject) -> String {
    match subject {
        Subject::Handoff(id) => read.handoff(*id).map(query::what).unwrap_or_default(),
        Subject::Risk(_) => "at risk".to_owned(),
        _ => "renewal".to_owned(),
    }
}

/// The words of a clock's step; `None` where the card or the state say it.
fn escalation(
    reader: Reader<'_>,
    read: &AccountRead,
    subject: &Subject,
    said: Said,
    by: Option<PersonId>,
) -> Option<Escalation> {
    let (timer, since) = match subject {
        Subject::Risk(_) => read.risk.as_ref().map(|risk| (risk.timer(), risk.since()))?,
        Subject::Handoff(id) => read.handoff(*id).map(|handoff| (handoff.timer(), handoff.since()))?,
        Subject::Renewal(_) => read.renewal.as_ref().map(|work| (work.timer(), work.since()))?,
        Subject::Account(_) | Subject::Group(..) | Subject::Home(_) => return None,
    };
    let due = reader.date(timer.due().unwrap_or(since));
    let step = match read.risk.as_ref().map(risk::Risk::state) {
        Some(risk::State::Acknowledged { due, .. }) => *due,
        _ => due,
    };
    let name = |by: Option<PersonId>| by.map_or_else(|| "a colleague".to_owned(), |by| reader.name(by));
    let now_with = || match subject {
        Subject::Handoff(id) => read.handoff(*id).and_then(|handoff| handoff.accountable()).map(|id| reader.name(id)),
        _ => by.and_then(|late| reader.snapshot.people.lead_of(late, reader.today())).map(|id| reader.name(id)),
    };
    Some(match said {
        Said::Reminded => Escalation::Reminder { due },
        Said::StillOnIt => Escalation::StillOnIt { due: step },
        Said::Idle => Escalation::Idle,
        Said::Delegated => Escalation::Delegate {
            of: name(by),
            away_until: by.and_then(|by| reader.snapshot.person(by)?.out_of_office_until),
            due: timer.due().map(|due| reader.date(due)),
        },
        Said::Escalated => Escalation::Lead { late: name(by) },
        Said::Informed => {
            Escalation::OtherSide { late: name(by), now_with: now_with().unwrap_or_else(|| "their lead".to_owned()) }
        }
        Said::Offered | Said::Expired => return None,
    })
}

/// How it stands now, in one sentence: what a reply in the thread says of somebody's step.
fn step_taken(reader: Reader<'_>, read: &AccountRead, subject: &Subject) -> Option<Message> {
    let (name, today) = (&read.account.name, reader.today());
    match subject {
        Subject::Handoff(id) => {
            let handoff = read.handoff(*id)?;
            Some(notice::handoff(name, &query::what(handoff), &reader.handoff_state(handoff), today))
        }
        Subject::Risk(id) => {
            let risk = read.risk.as_ref().filter(|risk| risk.id == *id)?;
            Some(notice::risk(name, &reader.risk_state(risk), today))
        }
        Subject::Renewal(id) => {
            let work = read.renewal.as_ref().filter(|work| work.id == *id)?;
            Some(notice::renewal(name, &reader.renewal_state(work), today))
        }
        Subject::Account(_) | Subject::Group(..) | Subject::Home(_) => None,
    }
}

/// Which account a subject is about.
async fn account_of(tx: &mut Tenant, subject: &Subject) -> anyhow::Result<Option<AccountId>> {
    Ok(match subject {
        Subject::Account(id) => Some(id.clone()),
        Subject::Risk(id) => risks::read(tx, &[*id]).await?.pop().map(|risk| risk.account),
        Subject::Handoff(id) => handoff::read(tx, &[*id]).await?.pop().map(|handoff| handoff.account),
        Subject::Renewal(id) => renewal::read(tx, &[*id]).await?.pop().map(|work| work.account),
        Subject::Group(..) | Subject::Home(_) => None,
    })
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
        Subject::Account(_) | Subject::Group(..) | Subject::Home(_) => None,
    }
}

/// A morning, stored or only composed, as it reads now.
pub async fn morning_message(tx: &mut Tenant, reader: Reader<'_>, stored: &Digest) -> anyhow::Result<Option<Message>> {
    let Some(person) = reader.snapshot.person(stored.person) else { return Ok(None) };
    let reader = Reader { person: Some(stored.person), ..reader };
    let totals: Totals = serde_json::from_value(stored.totals.clone())?;
    let mut ids: Vec<AccountId> = stored.items.iter().map(|item| item.account.clone()).collect();
    ids.extend(totals.next.iter().map(|(id, _)| id.clone()).chain(totals.news.iter().map(|(id, _)| id.clone())));
    ids.sort();
    ids.dedup();
    let reads = read::accounts(tx, reader.snapshot, &ids, reader.now).await?;
    let organisation = &reader.snapshot.organisation;
    let view = DigestView {
        digest: stored.id,
        name: person.first_name().to_owned(),
        date: stored.local_date,
        angle: morning::wording_angle(person),
        basis: organisation.diagnosed_at.map(|at| Basis {
            diagnosed_on: stored.diagnosed_on,
            hours_old: u32::try_from((reader.now - at).num_hours()).unwrap_or(0),
            delayed: stored.late,
        }),
        totals: totals_view(&totals, &reads),
        news: totals.news.as_ref().and_then(|(id, words)| Some(format!("{} {words}", reads.get(id)?.account.name))),
        first_read: totals.first_read,
        sections: sections(reader, &stored.items, &reads),
        rest: rest(reader, &stored.items, &reads),
        withheld: withheld(reader, &stored.items, &reads),
        sources: sources(tx, stored).await?,
        gaps: gaps::view(tx, reader, person, stored.local_date).await?,
        team: if person.is(Role::Lead) { team::view(tx, reader, person, stored.local_date).await? } else { None },
    };
    Ok(Some(digest::message(&view)))
}

fn totals_view(totals: &Totals, reads: &BTreeMap<AccountId, AccountRead>) -> digest::Totals {
    digest::Totals {
        accounts: totals.accounts,
        at_risk: totals.at_risk,
        arr_at_risk: totals.arr_at_risk.clone(),
        windows: totals.windows,
        window_amount: totals.window_amount.clone(),
        renewals: totals.renewals,
        next: totals.next.as_ref().and_then(|(id, deadline)| Some((reads.get(id)?.account.name.clone(), *deadline))),
    }
}

fn why(text: Option<&str>) -> Why {
    let Some(text) = text else { return Why::Asked };
    match text.split_once(':') {
        Some(("step", days)) => days.parse().map_or(Why::New, Why::LadderStep),
        Some(("unanswered", days)) => days.parse().map_or(Why::New, Why::Unacknowledged),
        _ => match text {
            "offered" => Why::Offered,
            "decision" => Why::Decision,
            "worse" => Why::Worse,
            "next_step" => Why::NextStepDue,
            "woken" => Why::Woken,
            _ => Why::New,
        },
    }
}

fn sections(reader: Reader<'_>, items: &[Item], reads: &BTreeMap<AccountId, AccountRead>) -> Vec<Section> {
    let mut by_kind: BTreeMap<SectionKind, Vec<Card>> = BTreeMap::new();
    for item in items.iter().filter(|item| item.place == Place::Card) {
        let Some(read) = reads.get(&item.account) else { continue };
        let Some(card) = card_of(reader, read, &item.subject, why(item.why.as_deref())) else { continue };
        by_kind.entry(section_of(&card)).or_default().push(card);
    }
    by_kind.into_iter().map(|(kind, cards)| Section { kind, cards }).collect()
}

fn section_of(card: &Card) -> SectionKind {
    match card {
        Card::Risk(_) => SectionKind::AtRisk,
        Card::HandedRisk(_) => SectionKind::Answer,
        Card::Renewal(_) => SectionKind::Renewals,
        Card::Window(view) => match (view.part, &view.state) {
            (Part::Offered, _) => SectionKind::Answer,
            (Part::Holder, HandoffState::Detected { .. } | HandoffState::Qualified { .. }) if !view.solo => {
                SectionKind::Qualify
            }
            _ => SectionKind::Windows,
        },
    }
}

fn rest(reader: Reader<'_>, items: &[Item], reads: &BTreeMap<AccountId, AccountRead>) -> Vec<RestGroup> {
    let mut groups: BTreeMap<u16, RestGroup> = BTreeMap::new();
    for item in items {
        let Place::Group(number) = item.place else { continue };
        let Some(read) = reads.get(&item.account) else { continue };
        let (kind, amount) = match &item.subject {
            Subject::Handoff(id) => {
                let amount = read.handoff(*id).and_then(|handoff| handoff.window()).and_then(|window| window.amount);
                (RestKind::Windows, amount)
            }
            Subject::Renewal(_) => (RestKind::Renewals, read.account.arr),
            _ => (RestKind::Risks, read.account.arr),
        };
        let group = groups.entry(number).or_insert_with(|| RestGroup {
            number,
            cause: cause::heading(item.heading.as_deref().unwrap_or_default()),
            kind,
            lines: Vec::new(),
            returns_on: item.comes_back,
            may_act: true,
        });
        group.may_act &= reader.may_act(read);
        group.lines.push(RestLine { name: read.account.name.clone(), amount, deadline: reader.deadline(read) });
    }
    groups.into_values().collect()
}

/// One group of a morning, whole: what *Show more* answers.
pub async fn group_message(
    tx: &mut Tenant,
    reader: Reader<'_>,
    digest: Uuid,
    number: u16,
) -> anyhow::Result<Option<Message>> {
    let Some(stored) = mornings::read(tx, digest).await? else { return Ok(None) };
    if reader.person != Some(stored.person) {
        return Ok(None);
    }
    let items: Vec<Item> = stored.items.into_iter().filter(|item| item.place == Place::Group(number)).collect();
    let ids: Vec<AccountId> = items.iter().map(|item| item.account.clone()).collect();
    let reads = read::accounts(tx, reader.snapshot, &ids, reader.now).await?;
    Ok(rest(reader, &items, &reads).first().map(|group| digest::whole_group(group, reader.today())))
}

fn withheld(reader: Reader<'_>, items: &[Item], reads: &BTreeMap<AccountId, AccountRead>) -> Vec<WithheldLine> {
    let lines = items.iter().filter(|item| item.place == Place::Withheld).filter_map(|item| {
        let read = reads.get(&item.account)?;
        let Subject::Handoff(id) = item.subject else { return None };
        let Card::Window(view) = reader.handoff(read, read.handoff(id)?, Why::Asked) else { return None };
        let amount = view.amount.map(|amount| format!(", {}", phrase::about(amount))).unwrap_or_default();
        Some(WithheldLine {
            account: read.account.name.clone(),
            handoff: id,
            what: format!("{}{amount}", view.kind.label()),
            held: view.withheld?,
            may_act: view.may_act,
        })
    });
    lines.collect()
}

/// How old a source may be before its age is marked, in days (three weekly intervals, or the 45 days of diagnosis.md).
const LATE_SOURCE_DAYS: i64 = 45;

async fn sources(tx: &mut Tenant, stored: &Digest) -> anyhow::Result<Vec<SourceAge>> {
    let newest = diagnosis::run_sources(tx, stored.diagnosed_on).await?;
    // A source that never delivered anything is not connected: nothing to say about it.
    Ok(Source::ALL
        .into_iter()
        .filter_map(|source| {
            let last = *newest.get(&source)?;
            let late = (stored.local_date - last).num_days() > LATE_SOURCE_DAYS;
            Some(SourceAge { source, last: Some(last), late })
        })
        .collect())
}

/// A message has arrived in chat: clocks that start with delivery start, the audit trail says so.
/// In the transaction that settles its outbox row.
pub async fn delivered(
    app: &App,
    tx: &mut Tenant,
    message_id: Uuid,
    content: &Value,
    reader: Option<PersonId>,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let Unwrapped { content, pool, .. } = unwrapped(content)?;
    let snapshot = app.snapshot(tx).await?;
    // A lead's morning is theirs also where it stands in a channel.
    let reader = match &content {
        Content::Digest(id) if reader.is_none() => mornings::read(tx, *id).await?.map(|stored| stored.person),
        _ => reader,
    };
    let shown: Vec<Subject> = match &content {
        Content::Digest(id) => {
            let entry =
                Entry::new("digest.sent", format!("digest:{id}"), json!({"person": reader, "message": message_id}));
            audit::record(tx, Actor::System, at, &[entry]).await?;
            let stored = mornings::read(tx, *id).await?;
            let items = stored.into_iter().flat_map(|stored| stored.items);
            items.filter(|item| item.place == Place::Card).map(|item| item.subject).collect()
        }
        Content::Notice { about, .. } => vec![about.subject()],
        _ => Vec::new(),
    };
    // In a channel a pool's clock runs by the hours of its first member: somebody's calendar has to be it.
    let of_pool = pool.as_deref().and_then(|pool| snapshot.people.pool(pool).first().copied());
    if let Some(person) = reader.or(of_pool).and_then(|id| snapshot.person(id)) {
        for subject in shown {
            start_clock(tx, &snapshot, person, &subject, at).await?;
        }
    }
    Ok(())
}

/// Starts a clock once the person who must act has the matter before them.
async fn start_clock(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: &Person,
    subject: &Subject,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let calendar = snapshot.calendar(person);
    let work = &snapshot.policy.work;
    match subject {
        Subject::Handoff(id) => {
            let Some(found) = handoff::lock(tx, *id).await? else { return Ok(()) };
            let must_act = match found.state() {
                State::Offered { to, .. } => match to.pool() {
                    Some(pool) => person.pool.as_deref() == Some(pool),
                    None => to.accountable() == person.id,
                },
                _ => found.accountable() == Some(person.id),
            };
            let clocks = Clocks { hold_business_days: work.hold_days, accept_business_days: work.accept_days };
            let started = found.clone().delivered(at, clocks, &calendar);
            if must_act && started != found {
                handoff::save(tx, &started).await?;
            }
        }
        Subject::Risk(id) => {
            let Some((found, account)) = risks::lock_with_account(tx, *id).await? else { return Ok(()) };
            let today = calendar.local_date(at);
            if !snapshot.route(&account, today).is_ok_and(|routed| routed.risks == person.id) {
                return Ok(());
            }
            let timer = Timer::ask_on(at, today, digest_rules::AGAIN_AFTER_WORKING_DAYS, work.accept_days, &calendar);
            let started = found.clone().shown(timer);
            if started != found {
                risks::save(tx, &started).await?;
            }
        }
        Subject::Renewal(id) => {
            let Some(found) = renewal::lock(tx, *id).await? else { return Ok(()) };
            let timer = Timer::start(at, work.hold_days, &calendar);
            let started = found.clone().shown(timer);
            if found.owner() == person.id && started != found {
                renewal::save(tx, &started).await?;
            }
        }
        Subject::Account(_) | Subject::Group(..) | Subject::Home(_) => {}
    }
    Ok(())
}

/// Problems that the same message would meet again: nobody reads it there.
const UNREACHABLE: [&str; 5] = ["users_not_found", "user_not_found", "user_disabled", "has_left", "not_a_colleague"];

/// Who has no chat can't be shown anything, and no clock would ever start: what lies with them goes to the next in
/// line, who gets the card.
async fn pass_on(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: PersonId,
    content: &Content,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let today = snapshot.today(Some(person), at);
    let Some(to) = snapshot.people.stand_in_for_unreachable(person, today) else { return Ok(()) };
    let subjects: Vec<Subject> = match content {
        Content::Digest(id) => {
            let items = mornings::read(tx, *id).await?.into_iter().flat_map(|stored| stored.items);
            items.filter(|item| item.place == Place::Card).map(|item| item.subject).collect()
        }
        Content::Notice { about, .. } => vec![about.subject()],
        _ => return Ok(()),
    };
    for subject in subjects {
        let Subject::Handoff(id) = subject else { continue };
        let Some(held) = handoff::lock(tx, id).await?.filter(|held| held.accountable() == Some(person)) else {
            continue;
        };
        let Ok((moved, event)) = held.reassign(to, at) else { continue };
        handoff::save(tx, &moved).await?;
        let data = json!({"account": moved.account, "accountable": to, "previous": person, "why": "no_chat"});
        let delegated = Entry::new("escalation.delegated", &subject, data.clone());
        audit::record(tx, Actor::System, at, &[Entry::new(event.as_str(), &subject, data), delegated]).await?;
        message::queue_redraws(tx, std::slice::from_ref(&moved.account), at).await?;
        let told = Content::notice(About::Handoff(id), "reassigned", moved.version(), None);
        telling::notify(tx, snapshot, [to], &told, Some(&moved.account), at).await?;
    }
    Ok(())
}

/// The problem of a message to somebody who could not be reached before: an admin has heard of that.
pub const STILL_UNREACHABLE: &str = "still_unreachable";

/// A message was given up: the audit trail says so, and an admin hears of it, unless it was
/// addressed to that admin. In the transaction that settles its row.
pub async fn given_up(
    app: &App,
    tx: &mut Tenant,
    message_id: Uuid,
    content: &Value,
    reader: Option<PersonId>,
    problem: &str,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let Unwrapped { content, pool, .. } = unwrapped(content)?;
    if matches!(content, Content::Home { .. }) {
        // Drawn anew when it is opened next; nobody misses it.
        return Ok(());
    }
    let subject = match &content {
        Content::Digest(id) => format!("digest:{id}"),
        _ => format!("message:{message_id}"),
    };
    let entry = Entry::new("digest.given_up", subject, json!({"person": reader, "problem": problem}));
    audit::record(tx, Actor::System, at, &[entry]).await?;
    if matches!(content, Content::GivenUp { .. }) || problem == STILL_UNREACHABLE {
        return Ok(());
    }
    let snapshot = app.snapshot(tx).await?;
    if let Some(person) = reader.filter(|_| UNREACHABLE.contains(&problem)) {
        pass_on(tx, &snapshot, person, &content, at).await?;
    }
    if reader.is_none() && instead_of_channel(tx, &snapshot, message_id, &content, pool.as_deref(), problem, at).await?
    {
        return Ok(());
    }
    let admin =
        snapshot.people.iter().find(|person| person.active && person.is(Role::Admin) && Some(person.id) != reader);
    let Some((admin, workspace)) = admin.and_then(|admin| Some((admin, snapshot.workspace_of(admin.id)?.clone())))
    else {
        return Ok(());
    };
    let told = NewMessage {
        id: Uuid::now_v7(),
        workspace,
        to: Address::Person(admin.id),
        content: serde_json::to_value(Content::GivenUp { person: reader, problem: problem.to_owned() })?,
        accounts: Vec::new(),
        thread_of: None,
    };
    message::queue_posts(tx, &[told], at).await
}

/// What could not be posted in a pool's or a lead's channel goes to their direct messages and says why. False where
/// there is nobody to tell it: then an admin hears of it.
async fn instead_of_channel(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    message_id: Uuid,
    content: &Content,
    pool: Option<&str>,
    problem: &str,
    at: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let people: Vec<PersonId> = match (content, pool) {
        (Content::Digest(id), _) => mornings::read(tx, *id).await?.map(|stored| stored.person).into_iter().collect(),
        (_, Some(pool)) => snapshot.people.pool(pool).to_vec(),
        _ => Vec::new(),
    };
    let content = Content::Instead { problem: problem.to_owned(), of: Box::new(content.clone()) };
    let content = serde_json::to_value(content)?;
    let accounts = message::accounts_of(tx, message_id).await?;
    let told: Vec<NewMessage> = people
        .into_iter()
        .filter(|id| snapshot.person(*id).is_some_and(|person| person.active))
        .filter_map(|id| {
            Some(NewMessage {
                id: Uuid::now_v7(),
                workspace: snapshot.workspace_of(id)?.clone(),
                to: Address::Person(id),
                content: content.clone(),
                accounts: accounts.clone(),
                thread_of: None,
            })
        })
        .collect();
    message::queue_posts(tx, &told, at).await?;
    Ok(!told.is_empty())
}
