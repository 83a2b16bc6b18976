//! Steps that people took and clocks that ran out, as they are told.

use chrono::NaiveDate;
use uuid::Uuid;

use super::{About, Newer, Said, account_card, card_of};
use crate::app::read::{self, AccountRead};
use crate::app::views::Reader;
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::handoff::{Gate, Handoff};
use crate::domain::message::notice::Escalation;
use crate::domain::message::view::Why;
use crate::domain::message::{Message, cause, list, notice};
use crate::domain::person::PersonId;
use crate::domain::{renewal_work, risk};
use crate::store::{Tenant, handoff, message, renewal, risk as risks};

pub(super) struct Told {
    pub(super) message: Uuid,
    pub(super) about: About,
    pub(super) event: String,
    pub(super) version: i32,
    pub(super) by: Option<PersonId>,
    pub(super) reply: bool,
}

/// A short reply, or the card as it stands now with what the notification line has to say of the step. `None`
/// where a clock has nothing to say any more: the matter was settled, or has moved on, since.
pub(super) async fn notice_message(
    tx: &mut Tenant,
    reader: Reader<'_>,
    told: &Told,
    newer: &Newer,
) -> anyhow::Result<Option<Message>> {
    let subject = told.about.subject();
    let Some(account) = account_of(tx, &subject).await? else { return Ok(None) };
    let Some(read) = read::account(tx, reader.snapshot, &account, reader.now).await? else { return Ok(None) };
    let said = match (Said::of(&told.event), told.by) {
        (Some(said), by) => {
            let stale = version_of(&read, &subject) != Some(told.version);
            match said {
                Said::Offered | Said::Expired => escalation(reader, &read, &subject, said, by),
                _ if !stale => escalation(reader, &read, &subject, said, by),
                // Not sent yet, there is nothing to say any more; else the card there goes on showing what is true.
                _ if message::copies(tx, &[told.message]).await?.is_empty() => return Ok(None),
                _ => None,
            }
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
        let line = sentence.or_else(|| step_taken(reader, &read, &subject, &told.event));
        // A colleague's card above has the buttons; in a channel it may stand far up, so the line has them too.
        let card = card_of(reader, &read, &subject, Why::Asked).filter(|_| reader.pool.is_some());
        let buttons = card.and_then(|card| card.buttons(reader.today()));
        return Ok(line.map(|line| notice::with_buttons(line, buttons)));
    }
    let why = if told.event == "offered" { Why::Offered } else { Why::Asked };
    if card_of(reader, &read, &subject, why.clone()).is_none() {
        return Ok(None);
    }
    if let Some(at) = newer.get(&account) {
        return Ok(Some(notice::moved_on(name, reader.date(*at), reader.today())));
    }
    let Some(card) = account_card(reader, &read, vec![(subject.clone(), why)]) else { return Ok(None) };
    let mut drawn = card.message(reader.today());
    // A renewal's own line is its date; what somebody did about it is the news.
    let news = match &subject {
        Subject::Renewal(_) => step_taken(reader, &read, &subject, &told.event),
        _ => beside_the_state(reader, &read, &subject, &told.event),
    };
    if let (None, Some(news)) = (Said::of(&told.event), news) {
        drawn.summary = news.summary;
    }
    Ok(Some(match sentence {
        Some(sentence) => notice::above(sentence, drawn),
        None => drawn,
    }))
}

/// A decision signal, or a worse night.
fn got_worse(reader: Reader<'_>, read: &AccountRead, event: &str) -> Option<Message> {
    let causes = read.diagnosis.as_ref().map_or(&[][..], |diagnosis| diagnosis.causes.as_slice());
    let account = reader.account(read);
    let churned_on = read.diagnosis.as_ref().and_then(|diagnosis| diagnosis.churned_on);
    let floor = causes.first().filter(|cause| cause.floor);
    // What is known since the churn is the news.
    let is_older = |day: &NaiveDate| floor.is_some_and(|floor| floor.facts.iter().any(|fact| fact.as_of > *day));
    let churned = churned_on.filter(|day| !is_older(day)).map(cause::churned);
    let floor = floor.map(|floor| floor.headline.clone());
    match event {
        "decision" => Some(match churned.or(floor) {
            Some(headline) => notice::decision(&account, &headline),
            None => notice::got_worse(&account, causes.first()),
        }),
        "worse" => Some(notice::got_worse(&account, causes.first())),
        _ => None,
    }
}

fn version_of(read: &AccountRead, subject: &Subject) -> Option<i32> {
    match subject {
        Subject::Risk(id) => read.risk.as_ref().filter(|risk| risk.id == *id).map(risk::Risk::version),
        Subject::Handoff(id) => read.handoff(*id).map(Handoff::version),
        Subject::Renewal(id) => {
            read.renewal.as_ref().filter(|work| work.id == *id).map(renewal_work::RenewalWork::version)
        }
        Subject::Account(_) | Subject::Group(..) | Subject::Home(_) | Subject::Rule(_) | Subject::Introduction(_) => {
            None
        }
    }
}

/// "more seats, about $12k", "at risk", "renewal".
fn matter(read: &AccountRead, subject: &Subject) -> String {
    match subject {
        Subject::Handoff(id) => read.handoff(*id).map(|handoff| list::what(&handoff.matter)).unwrap_or_default(),
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
        Subject::Account(_) | Subject::Group(..) | Subject::Home(_) | Subject::Rule(_) | Subject::Introduction(_) => {
            return None;
        }
    };
    let due = reader.date(timer.due().unwrap_or(since));
    let step = match read.risk.as_ref().map(risk::Risk::state) {
        Some(risk::State::Acknowledged { due, .. }) => *due,
        _ => due,
    };
    let name = |by: Option<PersonId>| by.map_or_else(|| "a colleague".to_owned(), |by| reader.name(by));
    // A risk and a renewal stay where they are, and so does what was claimed.
    let now_with = match subject {
        Subject::Handoff(id) => read.handoff(*id).and_then(Handoff::accountable).filter(|holder| Some(*holder) != by),
        _ => None,
    };
    let lead = || {
        let lead = by.and_then(|late| reader.snapshot.people.lead_of(late, reader.today()));
        lead.filter(|lead| Some(*lead) != by).map(|lead| reader.name(lead))
    };
    let waits_for_pool = match subject {
        Subject::Handoff(id) => read.handoff(*id).is_some_and(|handoff| handoff.offered_to_pool().is_some()),
        _ => false,
    };
    Some(match said {
        Said::Reminded if waits_for_pool => Escalation::Unclaimed { due },
        Said::Reminded => Escalation::Reminder { due },
        Said::StillOnIt => match subject {
            Subject::Risk(_) => Escalation::StillOnIt { due: step },
            _ => Escalation::StillWorking { since: reader.date(timer.since().unwrap_or(since)) },
        },
        Said::Idle => Escalation::Idle,
        Said::Delegated => Escalation::Delegate {
            of: name(by),
            away_until: by.and_then(|by| reader.snapshot.person(by)?.out_of_office_until),
            due: timer.due().map(|due| reader.date(due)),
        },
        Said::Escalated => Escalation::Lead { late: name(by) },
        Said::Informed => match now_with {
            Some(holder) => Escalation::OtherSide { late: name(by), now_with: reader.name(holder) },
            None => Escalation::LeadTold { late: name(by), lead: lead() },
        },
        Said::Offered | Said::Expired => return None,
    })
}

/// A step that leaves the state as it was.
fn beside_the_state(reader: Reader<'_>, read: &AccountRead, subject: &Subject, event: &str) -> Option<Message> {
    let name = &read.account.name;
    match (subject, event) {
        (Subject::Handoff(id), "overridden") => {
            let handoff = read.handoff(*id)?;
            let Gate::Overridden { by, reason, .. } = handoff.gate() else { return None };
            Some(notice::overridden(name, &list::what(&handoff.matter), &reader.name(*by), reason))
        }
        (Subject::Renewal(id), "briefed") => {
            let brief = read.renewal.as_ref().filter(|work| work.id == *id)?.brief()?;
            Some(notice::briefed(name, &reader.name(brief.by)))
        }
        _ => None,
    }
}

/// What was done, else how it stands now, in one sentence: what a reply in the thread says of somebody's step.
fn step_taken(reader: Reader<'_>, read: &AccountRead, subject: &Subject, event: &str) -> Option<Message> {
    let (name, today) = (&read.account.name, reader.today());
    if let Some(done) = beside_the_state(reader, read, subject, event) {
        return Some(done);
    }
    match subject {
        Subject::Handoff(id) => {
            let handoff = read.handoff(*id)?;
            Some(notice::handoff(name, &list::what(&handoff.matter), &reader.handoff_state(handoff), today))
        }
        Subject::Risk(id) => {
            let risk = read.risk.as_ref().filter(|risk| risk.id == *id)?;
            Some(notice::risk(name, &reader.risk_state(risk), today))
        }
        Subject::Renewal(id) => {
            let work = read.renewal.as_ref().filter(|work| work.id == *id)?;
            Some(notice::renewal(name, &reader.renewal_state(work), today))
        }
        Subject::Account(_) | Subject::Group(..) | Subject::Home(_) | Subject::Rule(_) | Subject::Introduction(_) => {
            None
        }
    }
}

/// Which account a subject is about.
async fn account_of(tx: &mut Tenant, subject: &Subject) -> anyhow::Result<Option<AccountId>> {
    Ok(match subject {
        Subject::Account(id) => Some(id.clone()),
        Subject::Risk(id) => risks::read(tx, &[*id]).await?.pop().map(|risk| risk.account),
        Subject::Handoff(id) => handoff::read(tx, &[*id]).await?.pop().map(|handoff| handoff.account),
        Subject::Renewal(id) => renewal::read(tx, &[*id]).await?.pop().map(|work| work.account),
        Subject::Group(..) | Subject::Home(_) | Subject::Rule(_) | Subject::Introduction(_) => None,
    })
}
