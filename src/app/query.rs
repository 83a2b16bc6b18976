//! What people ask: `/account NAME`, lists, help.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::act::rights;
use super::read::AccountRead;
use super::snapshot::Snapshot;
use super::together::{SERVED_WITHIN, Together, Turn};
use super::views::Reader;
use super::{App, Asker, content, figures, home, lists, names, read, settings};
use crate::domain::account::{Account, AccountId};
use crate::domain::action::Verb;
use crate::domain::command::Command;
use crate::domain::figures::Whose;
use crate::domain::figures::period::Period;
use crate::domain::message::account::{self, AccountAnswer, OnboardingView, OpenRisk, RenewalLine, history};
use crate::domain::message::chart::Mark;
use crate::domain::message::figures::{self as wording, FiguresView};
use crate::domain::message::home::nothing_read;
use crate::domain::message::list::{self, FeedbackLine};
use crate::domain::message::view::Part;
use crate::domain::message::{Message, Reply, answer, digest, phrase};
use crate::domain::person::{OrgId, Person, PersonId};
use crate::domain::routing::Access;
use crate::domain::signal::SignalValue;
use crate::store::answer::{Answer, Stored};
use crate::store::directory::{self, Workspace};
use crate::store::{Tenant, account as accounts, note};

/// How long a process remembers whose a workspace is; a removed link is forgotten after it.
const LINK_MEMORY: Duration = Duration::from_secs(5);

/// How many accounts are offered where several may be meant.
const MEANT: usize = 6;

/// Accounts being read for `/account`.
pub(super) type Reading = Together<AccountId, Option<Arc<Stored>>>;

/// Whose each workspace is, as lately looked up.
#[derive(Debug, Default)]
pub struct Links(Mutex<HashMap<Workspace, LookedUp>>);

#[derive(Debug, Clone, Copy)]
struct LookedUp {
    org: Option<OrgId>,
    at: Instant,
}

/// Which organisation a workspace belongs to; kept in memory for a few seconds.
pub async fn organisation_of(app: &App, workspace: &Workspace) -> anyhow::Result<Option<OrgId>> {
    let known = app.memory.links.0.lock().unwrap_or_else(PoisonError::into_inner).get(workspace).copied();
    if let Some(known) = known.filter(|known| known.at.elapsed() < LINK_MEMORY) {
        return Ok(known.org);
    }
    let mut tx = app.store.directory().await?;
    let org = directory::org_of_workspace(&mut tx, workspace).await?;
    let mut links = app.memory.links.0.lock().unwrap_or_else(PoisonError::into_inner);
    // Signed requests only reach this, so the map holds real workspaces; the bound is for whoever signs them.
    if links.len() > 10_000 {
        links.clear();
    }
    links.insert(workspace.clone(), LookedUp { org, at: Instant::now() });
    Ok(org)
}

/// Whether an asker is known as a colleague. Asks the database only where memory does not know them.
pub async fn is_known(app: &App, asker: &Asker) -> anyhow::Result<bool> {
    Ok(colleague(app, asker).await?.is_some())
}

/// Which colleague asks; `None` where nobody is known by this chat user.
pub async fn colleague(app: &App, asker: &Asker) -> anyhow::Result<Option<PersonId>> {
    if let Some(snapshot) = app.remembered(asker.org)
        && let Some(person) = asker.person(&snapshot)
    {
        return Ok(Some(person.id));
    }
    let mut tx = app.store.tenant(asker.org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    Ok(asker.known(&mut tx, &snapshot).await?.map(|person| person.id))
}

/// Answers a typed command, privately.
pub async fn command(app: &App, asker: &Asker, command: &Command) -> anyhow::Result<Reply> {
    if let Command::Account { name } = command
        && let Some(message) = account_from_memory(app, asker, name).await?
    {
        return Ok(Reply::Private(message));
    }
    // Boxed, or what memory answers would be moved about with room for all of it.
    Box::pin(command_step_by_step(app, asker, command)).await
}

async fn command_step_by_step(app: &App, asker: &Asker, command: &Command) -> anyhow::Result<Reply> {
    let mut tx = app.store.tenant(asker.org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let known = asker.known(&mut tx, &snapshot).await?;
    let person = match speaker(known) {
        Ok(person) => person,
        Err(answer) => return Ok(Reply::Private(answer)),
    };
    if *command == Command::Settings
        && let Some(dialog) = settings::dialog(&snapshot, person, app.now())
    {
        return Ok(Reply::Dialog(dialog));
    }
    let reader = Reader::new(&snapshot, Some(person.id), app.now());
    let ask = Ask { app, tx: &mut tx, reader, person, share: asker.channel.is_some() };
    let message = ask.answer(command).await?;
    Ok(Reply::Private(message))
}

/// The colleague who asks; the answer instead where nobody known, or nobody with a role, does.
fn speaker(known: Option<&Person>) -> Result<&Person, Message> {
    match known {
        None => Err(answer::unknown_person(None)),
        Some(person) if person.roles.is_empty() => Err(answer::no_role()),
        Some(person) => Ok(person),
    }
}

/// `/account` in one statement: memory says who asks and which account is meant, the statement reads the account
/// and whether memory still holds. `None` where memory does not say, or no longer holds: then it is asked step by step.
async fn account_from_memory(app: &App, asker: &Asker, name: &str) -> anyhow::Result<Option<Message>> {
    let Some(snapshot) = app.remembered(asker.org) else { return Ok(None) };
    let Ok(person) = speaker(asker.person(&snapshot)) else { return Ok(None) };
    let named = app.accounts_named(asker.org, snapshot.settings.stamp, name, MEANT);
    let [id] = named.as_deref().unwrap_or_default() else { return Ok(None) };
    let reader = Reader::new(&snapshot, Some(person.id), app.now());
    let begin = || app.memory.reads.tenant(asker.org);
    let serve = |tx, ids, turn: Turn| {
        app.store.within(SERVED_WITHIN, async move {
            let read = read_all(app, tx, ids).await;
            drop(turn);
            read
        })
    };
    let read = app.memory.reading.ask(asker.org, id.clone(), begin, serve).await?;
    let Some(stored) = read.flatten() else { return Ok(None) };
    let read = stored.answer(asker.org, &snapshot.policy)?;
    if read.stamp != snapshot.settings.stamp {
        return Ok(None);
    }
    Ok(Some(shown(reader, read, asker.channel.is_some()).unwrap_or_else(|| account::not_found(name))))
}

/// Reads these accounts for all who ask for them at the same time, each `None` where there is no such account.
async fn read_all(app: &App, tx: Tenant, ids: Vec<AccountId>) -> anyhow::Result<Vec<Option<Arc<Stored>>>> {
    let (reads, now) = (&app.memory.reads, app.now());
    let mut wanted = ids.clone();
    wanted.sort_unstable();
    wanted.dedup();
    let wanted = wanted.as_slice();
    let answers = |mut tx| async move { read::answers(&mut tx, wanted, now).await.map(|read| (tx, read)) };
    let (tx, read) = reads.ask(tx, answers).await?;
    reads.keep(tx);
    let by_id = read.into_iter().map(|stored| Ok((stored.account_id()?, Arc::new(stored))));
    let by_id: HashMap<AccountId, Arc<Stored>> = by_id.collect::<anyhow::Result<_>>()?;
    Ok(ids.iter().map(|id| by_id.get(id).cloned()).collect())
}

struct Ask<'a> {
    app: &'a App,
    tx: &'a mut Tenant,
    reader: Reader<'a>,
    person: &'a Person,
    /// Asked in a channel, to which the answer may be shared.
    share: bool,
}

impl Ask<'_> {
    async fn answer(mut self, command: &Command) -> anyhow::Result<Message> {
        match command {
            Command::Account { name } => self.account(name).await,
            Command::Raise { name } => self.raise(name).await,
            Command::Risks => self.risks().await,
            Command::Windows => self.windows().await,
            Command::Renewals => self.renewals().await,
            Command::Handoffs => self.handoffs().await,
            Command::Snoozed => self.snoozed().await,
            Command::Voice => self.voice().await,
            Command::Home => {
                let page = home::message(self.tx, self.reader, 1).await?;
                Ok(page.unwrap_or_else(answer::not_there))
            }
            Command::Kpi { period } => self.kpi(period).await,
            // Asked in a dialog, by `command`.
            Command::Settings => Ok(answer::expired_form()),
            Command::Help { topic } => Ok(answer::help(*topic)),
            Command::Unknown { typed, nearest } => Ok(answer::unknown_command(typed, *nearest)),
            Command::MissingName { usage } => Ok(answer::missing_name(usage)),
        }
    }

    /// The accounts that may be meant, as far as this person may see them.
    async fn found(&mut self, name: &str) -> anyhow::Result<Vec<Account>> {
        let stamp = self.reader.snapshot.settings.stamp;
        let ids = self.app.find_accounts(self.tx, stamp, name, MEANT).await?;
        lists::found(self.tx, self.reader, &ids).await
    }

    async fn account(&mut self, name: &str) -> anyhow::Result<Message> {
        let shown = match self.found(name).await?.as_slice() {
            [] => None,
            [one] => account_message(self.tx, self.reader, &one.id, self.share).await?,
            several => Some(account::several(name, several, Verb::ShowMore)),
        };
        Ok(shown.unwrap_or_else(|| account::not_found(name)))
    }

    async fn raise(&mut self, name: &str) -> anyhow::Result<Message> {
        let found = self.found(name).await?;
        let [account] = found.as_slice() else {
            return Ok(match found.is_empty() {
                true => account::not_found(name),
                false => account::several(name, &found, Verb::Raise),
            });
        };
        let (snapshot, me) = (self.reader.snapshot, self.person.id);
        if !rights::has_access(self.tx, snapshot, me, account, Access::ActOnWindows, self.reader.now).await? {
            return Ok(answer::look_only(&rights::actors(snapshot, account)));
        }
        Ok(account::what_to_raise(account))
    }

    async fn book(&mut self) -> anyhow::Result<Vec<AccountRead>> {
        lists::book(self.tx, self.reader, self.person).await
    }

    /// A list; before the first night an empty one is no all-clear.
    fn read(&self, empty: bool, list: Message) -> Message {
        if !empty || self.reader.snapshot.organisation.diagnosed_on.is_some() {
            return list;
        }
        let (night, morning) = home::next(self.reader, self.person);
        Message::sentence(nothing_read(&night, morning.as_deref()))
    }

    async fn risks(&mut self) -> anyhow::Result<Message> {
        let views = lists::risks(self.reader, &self.book().await?);
        Ok(self.read(views.is_empty(), list::risks(&views, self.reader.today())))
    }

    async fn windows(&mut self) -> anyhow::Result<Message> {
        let book = self.book().await?;
        let views = lists::windows(self.reader, &lists::in_hand(self.reader, &book));
        Ok(self.read(views.is_empty(), list::windows(&views, self.reader.today())))
    }

    async fn renewals(&mut self) -> anyhow::Result<Message> {
        let views = lists::renewals(self.reader, &self.book().await?);
        Ok(self.read(views.is_empty(), list::renewals(&views, self.reader.today())))
    }

    async fn handoffs(&mut self) -> anyhow::Result<Message> {
        let book = self.book().await?;
        let (mut mine, mut others) = (Vec::new(), Vec::new());
        for open in lists::in_hand(self.reader, &book) {
            match open.part {
                Part::Holder | Part::Offered => mine.push(open.line(self.reader)),
                Part::Offerer => others.push(open.line(self.reader)),
                Part::AccountManager | Part::Lead | Part::Onlooker => {}
            }
        }
        Ok(list::handoffs(&mine, &others, self.reader.today()))
    }

    async fn snoozed(&mut self) -> anyhow::Result<Message> {
        Ok(list::snoozed(&lists::snoozed(self.reader, &self.book().await?), self.reader.today()))
    }

    async fn voice(&mut self) -> anyhow::Result<Message> {
        let notes = note::feedback(self.tx, 50).await?;
        let ids: Vec<AccountId> = notes.iter().map(|note| AccountId(note.account_id.clone())).collect();
        let known = accounts::some(self.tx, &ids).await?;
        let lines: Vec<FeedbackLine> = notes
            .iter()
            .filter_map(|note| {
                let account = known.iter().find(|account| account.id.0 == note.account_id)?;
                let seen = self.reader.snapshot.access(self.person.id, account) > Access::Nothing;
                seen.then(|| FeedbackLine {
                    account: account.name.clone(),
                    by: self.reader.name(PersonId(note.author_id)),
                    on: self.reader.date(note.at),
                    text: note.body.clone(),
                })
            })
            .collect();
        Ok(list::voice(&lines, self.reader.today()))
    }

    /// A person sees their own, a lead the team's, an admin the organisation's.
    async fn kpi(&mut self, typed: &str) -> anyhow::Result<Message> {
        let snapshot = self.reader.snapshot;
        // Periods are the organisation's, so that colleagues in two zones read the same numbers.
        let today = snapshot.today(None, self.reader.now);
        let period = if typed.is_empty() { Ok(Period::quarter_of(today)) } else { typed.parse() };
        let (period, span) = match period.and_then(|period: Period| Ok((period, period.until(today)?))) {
            Ok(period) => period,
            Err(error) => return Ok(Message::sentence(phrase::sentence(&phrase::capital(&error.to_string())))),
        };
        let whose = figures::shown_to(snapshot, self.person);
        let report = figures::report(self.tx, snapshot, whose, period, span, self.reader.now).await?;
        let view = FiguresView {
            whose: match &report.whose {
                Whose::Organisation => snapshot.organisation.name.clone(),
                Whose::Team(_) => "your team".to_owned(),
                Whose::Person(_) => self.person.first_name().to_owned(),
            },
            period: period.label(),
            until: (span.last < period.last()).then_some(span.last),
            sides: figures::sides(snapshot, &report.whose),
            figures: report.figures,
            failures: report.failures,
            rules: report.rules,
            rule_days: snapshot.policy.precision.days,
            trials: report.trials,
        };
        Ok(wording::message(&view, today))
    }
}

/// Both angles of one account; `None` where it does not exist or this reader may not see it.
pub async fn account_message(
    tx: &mut Tenant,
    reader: Reader<'_>,
    id: &AccountId,
    share: bool,
) -> anyhow::Result<Option<Message>> {
    let read = read::answer(tx, reader.snapshot, id, reader.now).await?;
    Ok(read.and_then(|read| shown(reader, read, share)))
}

/// An account as read, for this reader; `None` where they may not see it.
fn shown(reader: Reader<'_>, read: Answer, share: bool) -> Option<Message> {
    let Answer { contacts, onboarding, history, events, tickets, .. } = read;
    let read = AccountRead {
        account: read.account,
        diagnosis: read.diagnosis,
        previous_health: read.previous_health,
        risk: read.risk,
        handoffs: read.handoffs,
        renewal: read.renewal,
        last_note: read.last_note,
    };
    let has_part =
        reader.person.is_some_and(|me| rights::has_part(reader.snapshot, me, &read.handoffs, read.renewal.as_ref()));
    if let Some(person) = reader.person
        && reader.snapshot.access(person, &read.account) == Access::Nothing
        && !reader.may_act(&read.account)
        && !has_part
    {
        return None;
    }
    let hours = reader.snapshot.organisation.diagnosed_at.map(|at| (reader.now - at).num_hours());
    let account = reader.account(&read);
    let view = AccountAnswer {
        status: read.account.status,
        plan: read.account.plan.clone(),
        seats: read.account.seats,
        stale: hours.is_some_and(|hours| hours > i64::from(digest::STALE_AFTER_HOURS)),
        stale_sources: read.diagnosis.as_ref().map(|d| d.stale.clone()).unwrap_or_default(),
        risk: read.risk.as_ref().map(|risk| OpenRisk {
            id: risk.id,
            state: reader.risk_state(risk),
            since: risk.opened_on,
            raised: reader.raised(risk),
        }),
        windows: reader.window_lines(&read),
        renewal: read
            .renewal
            .as_ref()
            .map(|work| RenewalLine { state: reader.renewal_state(work), owner: Some(reader.name(work.owner())) }),
        goals: read.account.goals.clone(),
        contacts,
        onboarding: onboarding_view(&onboarding),
        last_note: read.last_note.as_ref().map(|note| crate::domain::message::view::NoteView {
            by: reader.name(PersonId(note.author_id)),
            on: reader.date(note.at),
            text: note.body.clone(),
        }),
        // Without a latest diagnosis there is nothing that it would lead up to.
        history: if read.diagnosis.is_some() { history } else { Vec::new() },
        events: marks(reader, &read, &events, &tickets),
        bands: bands(reader.snapshot),
        settles_risks: reader.settles_risks(&read.account, read.risk.as_ref()),
        account,
        may_raise: reader.may_raise(&read.account) || has_part,
        may_share: share,
        diagnosis: read.diagnosis,
    };
    Some(account::message(&view, reader.today()))
}

/// What happened to an account, for the picture of its health.
fn marks(
    reader: Reader<'_>,
    read: &AccountRead,
    events: &[(DateTime<Utc>, String)],
    tickets: &[(NaiveDate, String, f64)],
) -> Vec<Mark> {
    // The episode's own first day, where the trail does not reach back to it.
    let opened = read.risk.as_ref().filter(|_| events.iter().all(|(_, event)| event != "risk.opened"));
    let opened = opened.map(|risk| Mark { on: risk.opened_on, what: "risk opened".to_owned() });
    let recorded = events
        .iter()
        .filter_map(|(at, event)| Some(Mark { on: reader.date(*at), what: history::said(event)?.to_owned() }));
    let tickets = history::tickets(tickets.iter().map(|(on, kind, value)| (*on, kind.as_str(), *value)));
    opened.into_iter().chain(recorded).chain(tickets).collect()
}

/// The health from which an account is healthy, and from which it is watched.
fn bands(snapshot: &Snapshot) -> (u8, u8) {
    let health = |from: u32| u8::try_from(from).unwrap_or(100).min(100);
    (health(snapshot.policy.score.healthy_from), health(snapshot.policy.score.watch_from))
}

fn onboarding_view(latest: &BTreeMap<String, SignalValue>) -> Option<OnboardingView> {
    if latest.is_empty() {
        return None;
    }
    // Counts of milestones are small whole numbers; `as` saturates what is not.
    let number = |kind: &str| latest.get(kind).and_then(|value| value.number()).map(|number| number as u32);
    let date = |kind: &str| latest.get(kind).and_then(|value| value.text()).and_then(|text| text.parse().ok());
    Some(OnboardingView {
        milestones_done: number("milestones_done"),
        milestones_total: number("milestones_total"),
        overdue: number("milestones_overdue").unwrap_or(0),
        blocked_by_us: number("blocked_by_us").unwrap_or(0),
        blocked_by_customer: number("blocked_by_customer").unwrap_or(0),
        go_live_planned: date("go_live_planned"),
        go_live_forecast: date("go_live_forecast"),
    })
}

/// What *Show more* on an account answers.
pub async fn account_answer(
    app: &App,
    tx: &mut Tenant,
    snapshot: &Snapshot,
    reader: Option<PersonId>,
    account: &AccountId,
) -> anyhow::Result<Message> {
    let reader = Reader::new(snapshot, reader, app.now());
    Ok(account_message(tx, reader, account, false).await?.unwrap_or_else(answer::not_there))
}

/// What *Show more* on a group of a morning's rest answers.
pub async fn group_answer(
    app: &App,
    tx: &mut Tenant,
    snapshot: &Snapshot,
    reader: Option<PersonId>,
    digest: Uuid,
    number: u16,
) -> anyhow::Result<Message> {
    let reader = Reader::new(snapshot, reader, app.now());
    Ok(content::group_message(tx, reader, digest, number).await?.unwrap_or_else(answer::not_there))
}

/// The card of an account by name, for the command line. A name that several answer to is an error that names them.
pub async fn account_by_name(
    app: &App,
    org: OrgId,
    reader: Option<PersonId>,
    name: &str,
) -> anyhow::Result<Option<Message>> {
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let reader = Reader::new(&snapshot, reader, app.now());
    let ids = names::find_once(&mut tx, name, MEANT).await?;
    match lists::found(&mut tx, reader, &ids).await?.as_slice() {
        [] => Ok(None),
        [one] => account_message(&mut tx, reader, &one.id, false).await,
        several => {
            let names: Vec<_> = several.iter().map(|account| format!("{} ({})", account.name, account.id)).collect();
            anyhow::bail!("several accounts match \"{name}\": {}; name one by its id", names.join(", "))
        }
    }
}
