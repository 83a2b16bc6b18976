//! A morning as it reads now.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use uuid::Uuid;

use super::{Newer, account_card};
use crate::app::morning::Totals;
use crate::app::read::{self, AccountRead, Line};
use crate::app::views::Reader;
use crate::app::{gaps, team};
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::angle::Angle;
use crate::domain::handoff::Handoff;
use crate::domain::message::card::{AccountCard, Card};
use crate::domain::message::digest::{
    self, Basis, DigestView, RestGroup, RestKind, RestLine, Section, SectionKind, SourceAge, WithheldLine,
};
use crate::domain::message::view::{HandoffState, Part, RiskState, Why};
use crate::domain::message::{Message, cause, phrase};
use crate::domain::person::{Person, Role};
use crate::domain::rhythm;
use crate::domain::signal::Source;
use crate::store::diagnosis::Feed;
use crate::store::digest::{self as mornings, Digest, Item, Place};
use crate::store::{Tenant, diagnosis};

/// A morning, stored or only composed, as it reads now.
pub async fn morning_message(tx: &mut Tenant, reader: Reader<'_>, stored: &Digest) -> anyhow::Result<Option<Message>> {
    Shown::read(tx, reader, std::iter::once(stored)).await?.morning(tx, reader, stored, &Newer::new()).await
}

/// What mornings that are drawn together show.
pub(super) struct Shown {
    /// What has a card, or is withheld.
    reads: BTreeMap<AccountId, AccountRead>,
    /// The rest, and what the totals name.
    lines: BTreeMap<AccountId, Line>,
    /// The sources, by the night.
    sources: BTreeMap<NaiveDate, BTreeMap<Source, Feed>>,
}

/// Accounts that are lines, and what each line is about: of most only one of the two is read.
#[derive(Default)]
struct InLines {
    accounts: BTreeSet<AccountId>,
    risks: BTreeSet<AccountId>,
    handoffs: BTreeSet<AccountId>,
}

impl InLines {
    fn add(&mut self, item: &Item) {
        self.accounts.insert(item.account.clone());
        match item.subject {
            Subject::Handoff(_) => _ = self.handoffs.insert(item.account.clone()),
            Subject::Renewal(_) => {}
            _ => _ = self.risks.insert(item.account.clone()),
        }
    }

    async fn read(self, tx: &mut Tenant, reader: Reader<'_>) -> anyhow::Result<BTreeMap<AccountId, Line>> {
        let [all, risks, handoffs] = [self.accounts, self.risks, self.handoffs].map(Vec::from_iter);
        read::lines(tx, reader.snapshot, &all, &risks, &handoffs, reader.now).await
    }
}

impl Shown {
    pub(super) async fn read(
        tx: &mut Tenant,
        reader: Reader<'_>,
        stored: impl Iterator<Item = &Digest> + Send,
    ) -> anyhow::Result<Self> {
        let (mut ids, mut in_lines, mut nights) = (BTreeSet::new(), InLines::default(), BTreeSet::new());
        for digest in stored {
            let totals: Totals = serde_json::from_value(digest.totals.clone())?;
            for item in &digest.items {
                match item.place {
                    Place::Card | Place::Withheld => _ = ids.insert(item.account.clone()),
                    Place::Group(_) => in_lines.add(item),
                }
            }
            in_lines
                .accounts
                .extend(totals.next.into_iter().map(|(id, _)| id).chain(totals.news.into_iter().map(|(id, _)| id)));
            nights.insert(digest.diagnosed_on);
        }
        let mut sources = BTreeMap::new();
        for night in nights {
            sources.insert(night, diagnosis::run_sources(tx, night).await?);
        }
        Ok(Self {
            reads: read::accounts(tx, reader.snapshot, &Vec::from_iter(ids), reader.now).await?,
            lines: in_lines.read(tx, reader).await?,
            sources,
        })
    }

    /// `newer` has the accounts whose card moved on to a newer message since.
    pub(super) async fn morning(
        &self,
        tx: &mut Tenant,
        reader: Reader<'_>,
        stored: &Digest,
        newer: &Newer,
    ) -> anyhow::Result<Option<Message>> {
        let Some(person) = reader.snapshot.person(stored.person) else { return Ok(None) };
        let reader = Reader { person: Some(stored.person), ..reader };
        let gaps = gaps::view(tx, reader, person, stored.local_date).await?;
        let team = match person.is(Role::Lead) {
            true => team::view(tx, reader, person, stored.local_date).await?,
            false => None,
        };
        Ok(Some(digest::message(&DigestView { gaps, team, ..self.view(reader, person, stored, newer)? })))
    }

    fn view(&self, reader: Reader<'_>, person: &Person, stored: &Digest, newer: &Newer) -> anyhow::Result<DigestView> {
        let Self { reads, lines, .. } = self;
        let (sections, moved) = sections(reader, &stored.items, reads, newer);
        let totals: Totals = serde_json::from_value(stored.totals.clone())?;
        let organisation = &reader.snapshot.organisation;
        Ok(DigestView {
            digest: stored.id,
            name: person.first_name().to_owned(),
            date: stored.local_date,
            angle: Angle::of(person),
            basis: organisation.diagnosed_at.map(|at| Basis {
                diagnosed_on: stored.diagnosed_on,
                read_on: organisation.diagnosed_on.unwrap_or(stored.diagnosed_on),
                hours_old: u32::try_from((reader.now - at).num_hours()).unwrap_or(0),
                delayed: stored.late,
            }),
            totals: totals_view(&totals, lines),
            news: totals.news.as_ref().and_then(|(id, words)| Some(format!("{} {words}", lines.get(id)?.account.name))),
            first_read: totals.first_read,
            sections,
            moved,
            rest: rest(reader, &stored.items, lines),
            withheld: withheld(reader, &stored.items, reads),
            sources: self
                .sources
                .get(&stored.diagnosed_on)
                .map_or_else(Vec::new, |feeds| ages(feeds, stored.local_date)),
            gaps: None,
            team: None,
        })
    }
}

fn totals_view(totals: &Totals, lines: &BTreeMap<AccountId, Line>) -> digest::Totals {
    digest::Totals {
        accounts: totals.accounts,
        at_risk: totals.at_risk,
        in_hand: totals.in_hand,
        with_others: totals.with_others,
        set_aside: totals.set_aside,
        arr_at_risk: totals.arr_at_risk.clone(),
        windows: totals.windows,
        window_amount: totals.window_amount.clone(),
        renewals: totals.renewals,
        next: totals.next.as_ref().and_then(|(id, deadline)| Some((lines.get(id)?.account.name.clone(), *deadline))),
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

/// The cards, one an account in the order of the items; and what stands in newer messages instead.
fn sections(
    reader: Reader<'_>,
    items: &[Item],
    reads: &BTreeMap<AccountId, AccountRead>,
    newer: &Newer,
) -> (Vec<Section>, Vec<(String, NaiveDate)>) {
    let mut accounts: Vec<(&AccountId, Vec<(Subject, Why)>)> = Vec::new();
    for item in items.iter().filter(|item| item.place == Place::Card) {
        let why = item.why.as_deref().map_or(Why::Asked, |text| why(Some(text)));
        match accounts.iter_mut().find(|(id, _)| **id == item.account) {
            Some((_, listed)) => listed.push((item.subject.clone(), why)),
            None => accounts.push((&item.account, vec![(item.subject.clone(), why)])),
        }
    }
    let mut by_kind: BTreeMap<SectionKind, Vec<AccountCard>> = BTreeMap::new();
    let mut moved = Vec::new();
    for (id, listed) in accounts {
        let Some(read) = reads.get(id) else { continue };
        if let Some(at) = newer.get(id) {
            moved.push((read.account.name.clone(), reader.date(*at)));
            continue;
        }
        let Some(card) = account_card(reader, read, listed) else { continue };
        by_kind.entry(section_of(&card.lead)).or_default().push(card);
    }
    (by_kind.into_iter().map(|(kind, cards)| Section { kind, cards }).collect(), moved)
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

fn rest(reader: Reader<'_>, items: &[Item], lines: &BTreeMap<AccountId, Line>) -> Vec<RestGroup> {
    let mut groups: BTreeMap<u16, RestGroup> = BTreeMap::new();
    for item in items {
        let Place::Group(number) = item.place else { continue };
        let Some(line) = lines.get(&item.account) else { continue };
        let Line { account, risk, handoffs, .. } = line;
        let (kind, amount) = match &item.subject {
            Subject::Handoff(id) => match handoffs.iter().find(|handoff| handoff.id == *id).map(Handoff::window) {
                Some(None) => (RestKind::Handed, account.arr),
                window => (RestKind::Windows, window.flatten().and_then(|window| window.amount)),
            },
            Subject::Renewal(_) => (RestKind::Renewals, account.arr),
            _ => (RestKind::Risks, account.arr),
        };
        let group = groups.entry(number).or_insert_with(|| RestGroup {
            number,
            cause: cause::heading(item.heading.as_deref().unwrap_or_default()),
            kind,
            lines: Vec::new(),
            returns_on: item.comes_back,
            may_act: true,
        });
        if kind == RestKind::Risks {
            group.may_act &= reader.settles_risks(account, risk.as_ref());
        }
        let deadline = line.deadline();
        let same = risk.as_ref().filter(|risk| item.subject == Subject::Risk(risk.id));
        let settled = same.map(|risk| reader.risk_state(risk)).filter(|state| *state != RiskState::Open);
        group.lines.push(RestLine { name: account.name.clone(), amount, deadline, settled });
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
    let mut in_lines = InLines::default();
    items.iter().for_each(|item| in_lines.add(item));
    let lines = in_lines.read(tx, reader).await?;
    Ok(rest(reader, &items, &lines).first().map(|group| digest::whole_group(group, reader.today())))
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

/// How old each source is on a person's `today`, by the diagnosis of a date.
pub async fn sources(tx: &mut Tenant, diagnosed_on: NaiveDate, today: NaiveDate) -> anyhow::Result<Vec<SourceAge>> {
    Ok(ages(&diagnosis::run_sources(tx, diagnosed_on).await?, today))
}

fn ages(feeds: &BTreeMap<Source, Feed>, today: NaiveDate) -> Vec<SourceAge> {
    // A source that never delivered anything is not connected: nothing to say about it.
    Source::ALL
        .into_iter()
        .filter_map(|source| {
            let feed = feeds.get(&source)?;
            let late = rhythm::is_late(feed.rhythm, (today - feed.newest).num_days());
            let every = feed.rhythm.map(|rhythm| rhythm.usual);
            Some(SourceAge { source, last: Some(feed.newest), late, every })
        })
        .collect()
}
