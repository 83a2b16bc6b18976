//! What a process keeps in memory of an organisation while its stamp holds:
//! people, settings, policy, holidays, links. Every change of these moves the
//! stamp, so one narrow read says whether the rest still holds.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};

use super::App;
use crate::domain::account::{Account, AccountId, Segment};
use crate::domain::calendar::{self, WorkCalendar};
use crate::domain::digest::Rates;
use crate::domain::holidays::Holidays;
use crate::domain::person::{OrgId, Person, PersonId};
use crate::domain::policy::Policy;
use crate::domain::risk::{self, Risk};
use crate::domain::routing::{self, Access, Model, Nobody, People, Routed};
use crate::store::channel::{self, Channel, Whose};
use crate::store::directory::{self, Organisation, Platform, Workspace};
use crate::store::person::StoredPerson;
use crate::store::settings::Settings;
use crate::store::{Tenant, person, settings};

/// One organisation as a process remembers it.
#[derive(Debug)]
pub struct Snapshot {
    pub organisation: Organisation,
    pub settings: Settings,
    pub policy: Policy,
    pub people: People,
    pub holidays: Holidays,
    pub rates: Rates,
    /// The chat installations linked to the organisation.
    pub workspaces: Vec<Workspace>,
    pub(super) channels: Vec<(Whose, Channel)>,
    stored: BTreeMap<PersonId, StoredPerson>,
    chat_users: HashMap<(Workspace, String), PersonId>,
    known_in: HashSet<(Workspace, PersonId)>,
    /// By date, for the dates that are today somewhere.
    pub(super) orphans: tokio::sync::Mutex<BTreeMap<NaiveDate, Arc<Orphans>>>,
}

/// Accounts whose CSM is missing, gone or away, by whom the routing makes answer for them. Looked up once a date: of
/// all accounts, anybody's morning would otherwise ask again.
pub type Orphans = BTreeMap<PersonId, BTreeSet<AccountId>>;

/// The snapshots of a process.
#[derive(Debug, Default)]
pub struct Snapshots {
    kept: Mutex<HashMap<OrgId, Arc<Snapshot>>>,
    /// By organisation, held by whoever loads it: when a stamp moves, everybody asks at once.
    loading: Mutex<HashMap<OrgId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Snapshots {
    pub(super) fn get(&self, org: OrgId) -> Option<Arc<Snapshot>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&org).cloned()
    }

    fn under(&self, org: OrgId, stamp: i64) -> Option<Arc<Snapshot>> {
        self.get(org).filter(|known| known.settings.stamp == stamp)
    }

    fn put(&self, snapshot: Arc<Snapshot>) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(snapshot.organisation.id, snapshot);
    }

    fn loading(&self, org: OrgId) -> Arc<tokio::sync::Mutex<()>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner).entry(org).or_default().clone()
    }
}

impl App {
    /// The organisation as this process last saw it: it holds if a stamp read afterwards is its own.
    pub(super) fn remembered(&self, org: OrgId) -> Option<Arc<Snapshot>> {
        self.memory.snapshots.get(org)
    }

    /// The organisation of this transaction, from memory where its stamp still holds.
    pub async fn snapshot(&self, tx: &mut Tenant) -> anyhow::Result<Arc<Snapshot>> {
        let stamp = settings::stamp(tx).await?;
        self.snapshot_under(tx, stamp).await
    }

    /// The same, where the transaction has read the stamp already.
    pub async fn snapshot_under(&self, tx: &mut Tenant, stamp: i64) -> anyhow::Result<Arc<Snapshot>> {
        let (org, snapshots) = (tx.org(), &self.memory.snapshots);
        if let Some(known) = snapshots.under(org, stamp) {
            return Ok(known);
        }
        // Loading only reads, so whoever waits here can't be what the loader waits for.
        let loading = snapshots.loading(org);
        let _mine = loading.lock().await;
        if let Some(known) = snapshots.under(org, stamp) {
            return Ok(known);
        }
        let loaded = Arc::new(Snapshot::load(tx).await?);
        snapshots.put(loaded.clone());
        Ok(loaded)
    }
}

impl Snapshot {
    pub(super) async fn load(tx: &mut Tenant) -> anyhow::Result<Self> {
        // The stamp is read first: what changes meanwhile is loaded again next time.
        let settings = settings::read(tx).await?;
        let organisation = directory::own_organisation(tx).await?;
        let policy = super::policy::of(&settings)?;
        let stored = person::all(tx, organisation.timezone).await?;
        let people: People = stored.iter().map(|stored| stored.person.clone()).collect();
        let workspaces = directory::own_workspaces(tx).await?;
        let mut chat_users = HashMap::new();
        for workspace in &workspaces {
            for known in &stored {
                let imported = match workspace.platform {
                    Platform::Slack => known.slack_user_id.clone(),
                    // Entra writes object ids in either case.
                    Platform::Teams => known.teams_user_id.as_ref().map(|id| id.to_lowercase()),
                    Platform::Preview => Some(known.person.email.clone()),
                };
                if let Some(user) = imported {
                    chat_users.insert((workspace.clone(), user), known.person.id);
                }
            }
        }
        // What was learnt from the platform goes before what was imported.
        for (workspace, user, person) in person::chat_users(tx).await? {
            chat_users.insert((workspace, user), person);
        }
        Ok(Self {
            channels: channel::all(tx).await?,
            holidays: settings::holidays(tx).await?,
            rates: Rates::new(organisation.currency, policy.rates.clone()),
            stored: stored.into_iter().map(|stored| (stored.person.id, stored)).collect(),
            organisation,
            settings,
            policy,
            people,
            workspaces,
            known_in: chat_users.iter().map(|((workspace, _), person)| (workspace.clone(), *person)).collect(),
            chat_users,
            orphans: tokio::sync::Mutex::default(),
        })
    }

    pub fn person(&self, id: PersonId) -> Option<&Person> {
        self.people.get(id)
    }

    /// With what only delivery and the first morning need.
    pub fn stored_person(&self, id: PersonId) -> Option<&StoredPerson> {
        self.stored.get(&id)
    }

    pub fn person_by_email(&self, email: &str) -> Option<&Person> {
        let email = email.trim().to_lowercase();
        self.people.iter().find(|person| person.email == email)
    }

    /// Which active colleague a chat user is.
    pub fn person_of(&self, workspace: &Workspace, user_id: &str) -> Option<PersonId> {
        let id = self.chat_users.get(&(workspace.clone(), user_id.to_owned()))?;
        self.person(*id).filter(|person| person.active).map(|person| person.id)
    }

    /// Where a person is reached: the first workspace in which they are known, else any.
    pub fn workspace_of(&self, person: PersonId) -> Option<&Workspace> {
        let known = |workspace: &&Workspace| self.known_in.contains(&((*workspace).clone(), person));
        self.workspaces.iter().find(known).or(self.workspaces.first())
    }

    /// Whether anybody in chat is known to be this person.
    pub fn is_known(&self, person: PersonId) -> bool {
        self.workspaces.iter().any(|workspace| self.known_in.contains(&(workspace.clone(), person)))
    }

    /// First name, as cards say it; "someone who left" for a person who is gone.
    pub fn first_name(&self, id: PersonId) -> String {
        self.person(id).map_or_else(|| "someone who left".to_owned(), |person| person.first_name().to_owned())
    }

    /// First name, or "you" for the reader.
    pub fn name_for(&self, id: PersonId, reader: Option<PersonId>) -> String {
        if reader == Some(id) { "you".to_owned() } else { self.first_name(id) }
    }

    pub fn calendar(&self, person: &Person) -> WorkCalendar<'_> {
        WorkCalendar::of(person, self.holidays.of(person.timezone))
    }

    /// The local date of a person, or of the organisation for a channel.
    pub fn today(&self, person: Option<PersonId>, now: DateTime<Utc>) -> NaiveDate {
        let zone = person.and_then(|id| self.person(id)).map_or(self.organisation.timezone, |person| person.timezone);
        calendar::local_date(zone, now)
    }

    pub fn model(&self, segment: Option<Segment>) -> Model {
        segment
            .and_then(|segment| self.settings.segment_models.get(&segment))
            .copied()
            .unwrap_or(self.organisation.model)
    }

    /// Who gets what of this account, today.
    pub fn route(&self, account: &Account, today: NaiveDate) -> Result<Routed, Nobody> {
        let owner = self.settings.renewal_owner.of(account.segment);
        routing::route(account, self.model(account.segment), owner, &self.people, today)
    }

    /// Active, at work today, and can be written to.
    pub fn is_here(&self, person: PersonId, now: DateTime<Utc>) -> bool {
        let is_there = |person: &Person| person.is_there_on(calendar::local_date(person.timezone, now));
        self.person(person).is_some_and(|person| person.active && is_there(person))
    }

    /// Who has to act on a risk: whoever acknowledged it, while they are here and the account is still theirs to act on;
    /// else whom the account's route names.
    pub fn looks_after(&self, risk: &Risk, account: &Account, routed: &Routed, now: DateTime<Utc>) -> PersonId {
        let may_act = |by| by == routed.risks || self.access(by, account) == Access::Act;
        match risk.state() {
            risk::State::Acknowledged { by, .. } if self.is_here(*by, now) && may_act(*by) => *by,
            _ => routed.risks,
        }
    }

    pub fn access(&self, person: PersonId, account: &Account) -> Access {
        match self.person(person) {
            Some(person) => routing::access(person, account, &self.people, self.settings.everyone_sees_accounts),
            None => Access::Nothing,
        }
    }
}
