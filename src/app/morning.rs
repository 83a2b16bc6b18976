//! A person's morning: which cards, in what order, within the attention budget;
//! decided once a person and local date, rendered at each sending.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::content::{About, Content};
use super::read::{self, AccountRead};
use super::snapshot::{Orphans, Snapshot};
use super::{App, absence, notice};
use crate::domain::account::{AccountId, AccountStatus};
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::digest::{self, Attention, Budget, Card, CardRef, Due, Morning, Plan};
use crate::domain::handoff::{Handoff, Matter, State};
use crate::domain::message::cause;
use crate::domain::message::view::{Angle, Deadline, DeadlineKind};
use crate::domain::money::Money;
use crate::domain::person::{OrgId, Person, PersonId, Role};
use crate::domain::risk;
use crate::domain::routing::Seat;
use crate::store::audit::{self, Actor, Entry};
use crate::store::channel::Whose;
use crate::store::digest::{Digest, Item, Place};
use crate::store::directory;
use crate::store::message::{self, Address, NewMessage};
use crate::store::{Tenant, account, card, diagnosis, digest as mornings, person};

/// How far back a worsening still makes a card due: longer than any holiday between two mornings is not news.
const WORSE_WITHIN: Days = Days::new(14);

/// How long a card that came by day counts as shown.
const TOLD_WITHIN: chrono::TimeDelta = chrono::TimeDelta::days(30);
/// Accounts without a CSM that are read at once.
const ORPHANS_AT_ONCE: usize = 1_000;

/// Counts and sums of one morning, as they are stored beside its cards.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    pub accounts: usize,
    pub at_risk: usize,
    pub arr_at_risk: Vec<Money>,
    pub windows: usize,
    pub window_amount: Vec<Money>,
    pub renewals: usize,
    /// The account with the nearest deadline.
    pub next: Option<(AccountId, Deadline)>,
    /// The weightiest decision among what is due: account, and the words that follow its name.
    pub news: Option<(AccountId, String)>,
    /// On the first morning after an organisation's first diagnosis: how many accounts it read.
    pub first_read: Option<usize>,
}

/// Whether a person gets mornings: those who hold a book, and those who lead people.
pub fn gets_mornings(person: &Person) -> bool {
    person.active && [Role::Csm, Role::AccountManager, Role::Lead].into_iter().any(|role| person.is(role))
}

fn angle(person: &Person) -> digest::Angle {
    match (person.is(Role::Csm), person.is(Role::AccountManager)) {
        (true, false) => digest::Angle::Csm,
        (false, true) => digest::Angle::AccountManager,
        _ => digest::Angle::Both,
    }
}

/// Everyone for whom this person answers today: themself and whoever is away, or out of reach, and named them delegate.
fn stands_for(snapshot: &Snapshot, person: &Person, today: NaiveDate) -> Vec<PersonId> {
    let away = snapshot.people.iter().filter(|other| other.delegate == Some(person.id));
    std::iter::once(person.id)
        .chain(away.filter(|other| !other.active || !other.is_there_on(today)).map(|p| p.id))
        .collect()
}

/// The accounts of a person's book today.
pub async fn book(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: &Person,
    now: DateTime<Utc>,
) -> anyhow::Result<BTreeMap<AccountId, AccountRead>> {
    let today = calendar::local_date(person.timezone, now);
    let people = stands_for(snapshot, person, today);
    let pools: Vec<String> = person.pool.iter().cloned().collect();
    let mut ids: BTreeSet<AccountId> = account::book(tx, &people, &pools).await?.into_iter().collect();
    ids.extend(orphans(tx, snapshot, today).await?.get(&person.id).into_iter().flatten().cloned());
    let ids: Vec<AccountId> = ids.into_iter().collect();
    let mut reads = read::accounts(tx, snapshot, &ids, now).await?;
    reads.retain(|_, read| read.account.status == AccountStatus::Active);
    Ok(reads)
}

/// Accounts whose CSM is missing, gone, away or out of reach fall to somebody; the routing says to whom.
async fn orphans(tx: &mut Tenant, snapshot: &Snapshot, today: NaiveDate) -> anyhow::Result<Arc<Orphans>> {
    let mut by_date = snapshot.orphans.lock().await;
    if let Some(known) = by_date.get(&today) {
        return Ok(known.clone());
    }
    let absent: Vec<PersonId> =
        snapshot.people.iter().filter(|p| !p.active || !p.is_there_on(today)).map(|p| p.id).collect();
    let mut orphans = Orphans::new();
    for ids in account::without_csm(tx, &absent).await?.chunks(ORPHANS_AT_ONCE) {
        for account in account::some(tx, ids).await? {
            let Ok(routed) = snapshot.route(&account, today) else { continue };
            for person in [routed.risks, routed.renewal_owner] {
                orphans.entry(person).or_default().insert(account.id.clone());
            }
        }
    }
    by_date.retain(|date, _| (*date - today).num_days().abs() <= 2);
    Ok(by_date.entry(today).or_insert(Arc::new(orphans)).clone())
}

/// Everything open that could stand in this person's morning.
pub async fn cards(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: &Person,
    book: &BTreeMap<AccountId, AccountRead>,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Card>> {
    let today = calendar::local_date(person.timezone, now);
    let shown = mornings::last_shown(tx, person.id, today).await?;
    let told = mornings::told_by_day(tx, person.id, now - TOLD_WITHIN).await?;
    let first_run = diagnosis::first_run(tx).await?;
    let stands_for = stands_for(snapshot, person, today);
    let ids: Vec<AccountId> = book.keys().cloned().collect();
    let since = today.checked_sub_days(WORSE_WITHIN).unwrap_or(today);
    let worse = diagnosis::worse_between(tx, since, today, &ids).await?;
    let mut cards = Vec::new();
    for read in book.values() {
        let worse = worse.get(&read.account.id).copied();
        let make = Maker { snapshot, person, read, stands_for: &stands_for, today, first_run, worse };
        let with_attention = |mut card: Card, subject: Subject| {
            let by_day = match &subject {
                Subject::Risk(id) => told.get(id).map(|at| calendar::local_date(person.timezone, *at)),
                _ => None,
            };
            card.attention.last_shown = shown.get(&subject).copied().max(by_day);
            card
        };
        if let Some((card, subject)) = make.risk() {
            cards.push(with_attention(card, subject));
        }
        for handoff in read.handoffs.iter().filter(|handoff| handoff.is_open()) {
            cards.push(with_attention(make.handoff(handoff), Subject::Handoff(handoff.id)));
        }
        if let Some((card, subject)) = make.renewal() {
            cards.push(with_attention(card, subject));
        }
    }
    Ok(cards)
}

/// Makes the cards of one account for one person.
struct Maker<'a> {
    snapshot: &'a Snapshot,
    person: &'a Person,
    read: &'a AccountRead,
    /// Themself, and whoever is away and named them delegate.
    stands_for: &'a [PersonId],
    today: NaiveDate,
    first_run: Option<NaiveDate>,
    worse: Option<NaiveDate>,
}

impl Maker<'_> {
    fn card(&self, about: CardRef, stake: Option<Money>, cause: String, mine: bool) -> Card {
        Card {
            about,
            account: self.read.account.id.clone(),
            name: self.read.account.name.clone(),
            stake,
            risk: self.read.diagnosis.as_ref().and_then(|diagnosis| diagnosis.risk),
            decision: None,
            next_deadline: self.read.next_deadline(),
            cause,
            mine,
            offered: false,
            withheld: false,
            backlog: false,
            attention: Attention::default(),
        }
    }

    fn routed_to_me(&self, who: impl Fn(&crate::domain::routing::Routed) -> PersonId) -> bool {
        self.snapshot.route(&self.read.account, self.today).is_ok_and(|routed| who(&routed) == self.person.id)
    }

    /// Whether the account is in this person's book by name, theirs or that of one they stand in for, and not through
    /// a pool.
    fn is_named(&self) -> bool {
        let named = [self.read.account.csm, self.read.account.account_manager];
        named.into_iter().flatten().any(|id| self.stands_for.contains(&id))
    }

    fn risk(&self) -> Option<(Card, Subject)> {
        let risk = self.read.risk.as_ref()?;
        let (acknowledged, next_step) = match risk.state() {
            risk::State::Open => (false, None),
            risk::State::Acknowledged { due, .. } => (true, Some(*due)),
            risk::State::Snoozed { .. } | risk::State::Resolved { .. } | risk::State::Ended => return None,
        };
        let causes = self.read.diagnosis.as_ref().map_or(&[][..], |diagnosis| diagnosis.causes.as_slice());
        let first = causes.first().map(|cause| cause.rule.clone());
        let raised = if risk.raised.is_some() { "raised" } else { "unknown" };
        let mut card = self.card(
            CardRef::Risk(risk.id),
            self.read.account.arr,
            first.unwrap_or_else(|| raised.to_owned()),
            self.routed_to_me(|routed| routed.risks),
        );
        card.decision =
            causes.iter().find_map(|cause| cause.floor.then(|| cause::decision(&cause.rule))?).map(str::to_owned);
        card.backlog = self.first_run == Some(risk.opened_on);
        let open_since = matches!(risk.state(), risk::State::Open)
            .then(|| calendar::local_date(self.snapshot.organisation.timezone, risk.since()));
        card.attention = Attention { acknowledged, next_step, worse: self.worse, open_since, ..Attention::default() };
        Some((card, Subject::Risk(risk.id)))
    }

    fn handoff(&self, handoff: &Handoff) -> Card {
        let me = self.person.id;
        let offered = match handoff.state() {
            State::Offered { to: Seat::Person(to), .. } => *to == me,
            State::Offered { to: Seat::Pool { name, .. }, .. } => self.person.pool.as_ref() == Some(name),
            _ => false,
        };
        let (stake, cause) = match &handoff.matter {
            Matter::Window(window) => (window.amount, window.kind.as_str().to_owned()),
            Matter::RiskToWeigh { .. } | Matter::Warning { .. } => (self.read.account.arr, "handed".to_owned()),
        };
        let is_offer = matches!(handoff.state(), State::Offered { .. });
        let mut card =
            self.card(CardRef::Handoff(handoff.id), stake, cause, !is_offer && handoff.accountable() == Some(me));
        card.offered = offered;
        card.withheld = handoff.is_withheld();
        card.backlog = handoff
            .window()
            .is_some_and(|window| window.raised_by.is_none() && self.first_run == Some(window.opens_on));
        let due = handoff.due().map(|due| calendar::local_date(self.person.timezone, due));
        card.attention = Attention {
            acknowledged: matches!(handoff.state(), State::Accepted { .. }),
            next_step: due,
            ..Attention::default()
        };
        card
    }

    fn renewal(&self) -> Option<(Card, Subject)> {
        let work = self.read.renewal.as_ref().filter(|work| work.is_open())?;
        let (stage, reached) = work.step()?;
        let owner = work.owner() == self.person.id;
        let briefs = work.wants_brief() && self.read.account.csm == Some(self.person.id);
        // A pool stands in for windows. The renewals of its accounts are the owner's: a member hears nothing of them.
        if !(owner || briefs || self.is_named()) {
            return None;
        }
        let mut card = self.card(
            CardRef::Renewal(work.id),
            self.read.account.arr,
            format!("renewal_{}", stage.as_str()),
            owner || briefs,
        );
        card.backlog = self.first_run == Some(reached);
        card.attention = Attention {
            acknowledged: !matches!(work.state(), crate::domain::renewal_work::State::Upcoming),
            step_reached: Some(reached),
            ..Attention::default()
        };
        Some((card, Subject::Renewal(work.id)))
    }
}

/// A morning as it would be decided now; nothing is written. `None` for people who get no mornings,
/// and before the organisation's first diagnosis.
pub async fn compose(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: &Person,
    date: NaiveDate,
    late: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Digest>> {
    let Some(diagnosed_on) = snapshot.organisation.diagnosed_on.filter(|_| gets_mornings(person)) else {
        return Ok(None);
    };
    let book = book(tx, snapshot, person, now).await?;
    let cards = cards(tx, snapshot, person, &book, now).await?;
    let morning = Morning {
        today: date,
        angle: angle(person),
        budget: Budget(budget(snapshot, person)),
        rates: &snapshot.rates,
        calendar: snapshot.calendar(person),
    };
    let plan = digest::plan(&cards, &morning);
    let first = diagnosis::first_run(tx).await? == Some(diagnosed_on)
        && snapshot
            .stored_person(person.id)
            .is_none_or(|stored| stored.digests_since.is_none_or(|since| since >= date));
    let totals = totals(&plan, &cards, &book, first);
    Ok(Some(Digest {
        id: Uuid::now_v7(),
        person: person.id,
        local_date: date,
        diagnosed_on,
        late,
        totals: serde_json::to_value(totals)?,
        items: items(&plan, &cards, &morning),
    }))
}

/// The person's own, else the policy's.
fn budget(snapshot: &Snapshot, person: &Person) -> usize {
    let own = snapshot.stored_person(person.id).and_then(|stored| stored.own.attention_budget);
    own.map_or(snapshot.policy.work.attention_budget as usize, usize::from)
}

/// Whether a morning says nothing that has to be decided. A lead's always has their team.
fn is_empty(digest: &Digest, person: &Person) -> bool {
    digest.items.is_empty() && !person.is(Role::Lead)
}

fn totals(plan: &Plan, cards: &[Card], book: &BTreeMap<AccountId, AccountRead>, first: bool) -> Totals {
    let counted = &plan.totals;
    let next = book
        .values()
        .filter_map(|read| {
            let renewal = &read.diagnosis.as_ref()?.renewal;
            let on = renewal.next_deadline?;
            let kind = if renewal.opt_out_date == Some(on) { DeadlineKind::OptOut } else { DeadlineKind::Renewal };
            Some((on, read.account.id.clone(), kind))
        })
        .min_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)))
        .map(|(on, id, kind)| (id, Deadline { on, kind }));
    // Of what is due today: a notice that was read last week is no news, though it stands.
    let news = plan.cards.iter().find_map(|shown| {
        let card = cards.iter().find(|card| card.about == shown.lead.0)?;
        Some((card.account.clone(), card.decision.clone()?))
    });
    Totals {
        accounts: book.len(),
        at_risk: counted.at_risk,
        arr_at_risk: counted.arr.amounts(),
        windows: counted.handoffs,
        window_amount: counted.amount.amounts(),
        renewals: counted.renewals,
        next,
        news,
        first_read: (first && !book.is_empty()).then_some(book.len()),
    }
}

fn items(plan: &Plan, cards: &[Card], morning: &Morning<'_>) -> Vec<Item> {
    let by_ref: BTreeMap<CardRef, &Card> = cards.iter().map(|card| (card.about, card)).collect();
    let subject = |about: CardRef| match about {
        CardRef::Risk(id) => Subject::Risk(id),
        CardRef::Handoff(id) => Subject::Handoff(id),
        CardRef::Renewal(id) => Subject::Renewal(id),
    };
    // The lines of one card follow each other, its lead first.
    let shown = plan.cards.iter().flat_map(|shown| {
        let (lead, due) = shown.lead;
        std::iter::once((lead, Some(due))).chain(shown.others.iter().copied())
    });
    let shown = shown.filter_map(|(about, due)| {
        let card = by_ref.get(&about)?;
        Some(Item {
            place: Place::Card,
            subject: subject(about),
            account: card.account.clone(),
            heading: None,
            why: due.map(|due| why(card, due, morning)),
            comes_back: None,
        })
    });
    let withheld = plan.withheld.iter().filter_map(|about| {
        let card = by_ref.get(about)?;
        Some(Item {
            place: Place::Withheld,
            subject: subject(*about),
            account: card.account.clone(),
            heading: None,
            why: None,
            comes_back: None,
        })
    });
    // A group holds one kind of thing: its buttons act on all of it at once.
    let by_ref = &by_ref;
    let rest = plan.rest.iter().zip(1_u16..).flat_map(|(group, number)| {
        group.items.iter().map(move |item| Item {
            place: Place::Group(number),
            subject: subject(item.about),
            account: item.account.clone(),
            heading: Some(group.cause.clone()),
            why: by_ref.get(&item.about).map(|card| why(card, item.due, morning)),
            comes_back: Some(item.comes_back),
        })
    });
    shown.chain(withheld).chain(rest).collect()
}

/// Why a card stands there, as `content` reads it back.
fn why(card: &Card, due: Due, morning: &Morning<'_>) -> String {
    match due {
        _ if card.offered => "offered".to_owned(),
        Due::New | Due::Worse if card.decision.is_some() => "decision".to_owned(),
        Due::New => "new".to_owned(),
        Due::Worse => "worse".to_owned(),
        Due::NextStep => "next_step".to_owned(),
        Due::Back => "woken".to_owned(),
        Due::Step => format!("step:{}", card.cause.trim_start_matches("renewal_")),
        Due::Unanswered => {
            let days = card
                .attention
                .last_shown
                .map_or(0, |shown| morning.calendar.working_days_between(shown, morning.today));
            format!("unanswered:{days}")
        }
    }
}

/// What came of queueing one person's morning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    Now(Uuid),
    /// They have that morning already.
    Already,
    /// They get none: no role for it, not their working day, nothing diagnosed, or no chat linked.
    Not,
}

/// Queues a person's morning of a local date, once whoever asks. `late` marks one that comes after its hour.
pub async fn queue(app: &App, org: OrgId, person: PersonId, date: NaiveDate, late: bool) -> anyhow::Result<Queued> {
    let now = app.now();
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let Some(person) = snapshot.person(person).filter(|person| gets_mornings(person)) else { return Ok(Queued::Not) };
    if !snapshot.calendar(person).is_working_day(date) || person.away_on(date) {
        return Ok(Queued::Not);
    }
    let channel = snapshot.channel_of(&Whose::Lead(person.id)).cloned();
    let place = match channel {
        Some(channel) => Some((channel.workspace, Address::Channel(channel.id))),
        None => snapshot.workspace_of(person.id).map(|workspace| (workspace.clone(), Address::Person(person.id))),
    };
    let Some((workspace, to)) = place else { return Ok(Queued::Not) };
    let Some(digest) = compose(&mut tx, &snapshot, person, date, late, now).await? else { return Ok(Queued::Not) };
    let says_nothing = snapshot.stored_person(person.id).and_then(|stored| stored.own.empty_mornings) == Some(false);
    if says_nothing && is_empty(&digest, person) {
        return Ok(Queued::Not);
    }
    if !mornings::insert(&mut tx, &digest, now).await? {
        return Ok(Queued::Already);
    }
    let accounts: BTreeSet<AccountId> = digest.items.iter().map(|item| item.account.clone()).collect();
    let new = NewMessage {
        id: Uuid::now_v7(),
        workspace,
        to,
        content: serde_json::to_value(Content::Digest(digest.id))?,
        accounts: accounts.into_iter().collect(),
        thread_of: None,
    };
    let new_id = new.id;
    message::queue_posts(&mut tx, &[new], now).await?;
    card::supersede(&mut tx, &[new_id], now).await?;
    worse_in_the_rest(&mut tx, &snapshot, person.id, &digest, now).await?;
    person::remember_first_digest(&mut tx, person.id, date).await?;
    let entry = Entry::new(
        "digest.queued",
        format!("digest:{}", digest.id),
        json!({"person": person.id, "date": date, "late": late}),
    );
    audit::record(&mut tx, Actor::System, now, &[entry]).await?;
    tx.commit().await?;
    app.outbox_bell.notify_waiters();
    Ok(Queued::Now(digest.id))
}

/// What got worse and found no room as a card is said where its card stands already: one reply there, and the card is
/// redrawn. What has room speaks for itself.
async fn worse_in_the_rest(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: PersonId,
    digest: &Digest,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for item in &digest.items {
        let worse = matches!(item.why.as_deref(), Some("worse" | "decision"));
        let (Place::Group(_), true, Subject::Risk(id)) = (item.place, worse, &item.subject) else { continue };
        let Some(risk) = crate::store::risk::read(tx, &[*id]).await?.pop() else { continue };
        let content = Content::notice(About::Risk(*id), "worse", risk.version(), None);
        notice::reply_at(tx, snapshot, person, &content, &item.account, now, now).await?;
    }
    Ok(())
}

/// The scheduler's step: queues the morning that is owed, then says when the next one is.
pub async fn owed(app: &App, org: OrgId, person: PersonId, due_at: DateTime<Utc>) -> anyhow::Result<Queued> {
    let now = app.now();
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    drop(tx);
    let Some(who) = snapshot.person(person) else {
        forget(app, org, person).await?;
        return Ok(Queued::Not);
    };
    // What a stand-in held is back before the cards are chosen.
    absence::turn(&app.store, org, person, now).await?;
    // Owed for the date of its hour; hours later the day may have passed, and with it the morning.
    let date = calendar::local_date(who.timezone, due_at);
    let queued = if date == calendar::local_date(who.timezone, now) {
        queue(app, org, person, date, now - due_at > LATE_AFTER).await?
    } else {
        Queued::Not
    };
    let next = snapshot.calendar(who).next_digest_at(who.digest_time, now);
    let mut tx = app.store.tenant(org).await?;
    directory::set_next_digests(&mut tx, &[(person, next)]).await?;
    tx.commit().await?;
    Ok(queued)
}

/// A morning is marked late from here on (reliability.md, 9: at most 5 minutes after its hour).
const LATE_AFTER: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

async fn forget(app: &App, org: OrgId, person: PersonId) -> anyhow::Result<()> {
    let mut tx = app.store.tenant(org).await?;
    directory::forget_digest(&mut tx, person).await?;
    tx.commit().await
}

/// From which side a person's messages are worded.
pub fn wording_angle(person: &Person) -> Angle {
    match angle(person) {
        digest::Angle::Csm => Angle::Csm,
        digest::Angle::AccountManager => Angle::AccountManager,
        digest::Angle::Both => Angle::Both,
    }
}
