//! An organisation's people: pools, leads, stand-ins.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::domain::person::{Person, PersonId, Role};

/// An organisation's people, indexed for routing. Build it once for many accounts.
#[derive(Debug, Clone, Default)]
pub struct People {
    people: BTreeMap<PersonId, Person>,
    /// Active members who can be reached, by pool, in id order.
    pools: BTreeMap<String, Vec<PersonId>>,
}

impl FromIterator<Person> for People {
    fn from_iter<I: IntoIterator<Item = Person>>(people: I) -> Self {
        let people: BTreeMap<_, _> = people.into_iter().map(|person| (person.id, person)).collect();
        let mut pools: BTreeMap<String, Vec<PersonId>> = BTreeMap::new();
        // Who can't be written to would not hear of an offer.
        for person in people.values().filter(|person| may_hold(person) && person.unreachable_since.is_none()) {
            if let Some(pool) = &person.pool {
                pools.entry(pool.clone()).or_default().push(person.id);
            }
        }
        Self { people, pools }
    }
}

/// Active, and with a role that acts: a viewer is never made accountable.
pub fn may_hold(person: &Person) -> bool {
    person.active && person.roles.iter().any(|role| *role != Role::Viewer)
}

impl People {
    pub fn get(&self, id: PersonId) -> Option<&Person> {
        self.people.get(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// The active members of a pool who can be reached, in id order.
    pub fn pool(&self, name: &str) -> &[PersonId] {
        self.pools.get(name).map_or(&[], Vec::as_slice)
    }

    /// Managers above a person who may act, the nearest first. A circle in the import ends it.
    pub fn leads_above(&self, id: PersonId) -> Vec<PersonId> {
        let mut seen = BTreeSet::from([id]);
        let mut leads = Vec::new();
        let mut at = id;
        while let Some(above) = self.get(at).and_then(|person| person.manager) {
            if !seen.insert(above) {
                break;
            }
            if self.get(above).is_some_and(may_hold) {
                leads.push(above);
            }
            at = above;
        }
        leads
    }

    /// The lead to inform or to fall back on: the nearest manager who is here,
    /// else one who is away, else an admin. Managers who can't be reached are passed over.
    pub fn lead_of(&self, id: PersonId, today: NaiveDate) -> Option<PersonId> {
        let leads = self.leads_above(id);
        let of = |lead: &&PersonId, fits: &dyn Fn(&Person) -> bool| self.get(**lead).is_some_and(fits);
        let here = leads.iter().find(|lead| of(lead, &|lead| lead.is_there_on(today)));
        let away = || leads.iter().find(|lead| of(lead, &|lead| lead.unreachable_since.is_none()));
        here.or_else(away).copied().or_else(|| self.last_resort(today, Some(id)))
    }

    /// Who takes over from somebody who is away, gone or out of reach: their delegate (and theirs), else their lead, else an admin.
    pub fn stand_in(&self, id: PersonId, today: NaiveDate) -> Option<PersonId> {
        self.present(id, today).or_else(|| self.lead_of(id, today)).filter(|found| *found != id)
    }

    /// The lead of a pool's members: the manager whom most of them share, else an admin.
    pub fn lead_of_pool(&self, name: &str, today: NaiveDate) -> Option<PersonId> {
        let mut votes: BTreeMap<PersonId, usize> = BTreeMap::new();
        let reached = |lead: &PersonId| self.get(*lead).is_some_and(|lead| lead.unreachable_since.is_none());
        for lead in self.pool(name).iter().filter_map(|member| self.leads_above(*member).into_iter().find(reached)) {
            *votes.entry(lead).or_default() += 1;
        }
        let most = votes.values().max().copied();
        votes
            .into_iter()
            .find(|(_, n)| Some(*n) == most)
            .map(|(lead, _)| lead)
            .or_else(|| self.last_resort(today, None))
    }

    /// Who decides on what is the whole organisation's: the admins; where there are none, the leads.
    pub fn stewards(&self) -> Vec<PersonId> {
        let admins = self.admins();
        if admins.is_empty() { self.active(Role::Lead) } else { admins }
    }

    /// Who is told what only an admin can put right, in id order.
    pub fn admins(&self) -> Vec<PersonId> {
        self.active(Role::Admin)
    }

    fn active(&self, role: Role) -> Vec<PersonId> {
        self.people.values().filter(|person| person.active && person.is(role)).map(|person| person.id).collect()
    }

    /// An admin who is here; else any admin, any lead, anybody who may act; whoever can't be reached only where nobody
    /// else can be. Other than `not`, where there is a choice.
    pub(super) fn last_resort(&self, today: NaiveDate, not: Option<PersonId>) -> Option<PersonId> {
        let rank = |person: &Person| {
            let role = match () {
                () if person.is(Role::Admin) => 0,
                () if person.is(Role::Lead) => 1,
                () => 2,
            };
            (Some(person.id) == not, person.unreachable_since.is_some(), role, person.away_on(today), person.id)
        };
        self.people.values().filter(|person| may_hold(person)).min_by_key(|person| rank(person)).map(|person| person.id)
    }

    /// Who acts for a person today: themselves; their delegate (and theirs) while they are away, gone or out of reach;
    /// else `None`.
    pub(super) fn present(&self, id: PersonId, today: NaiveDate) -> Option<PersonId> {
        let mut seen = BTreeSet::new();
        let mut at = id;
        while seen.insert(at) {
            let person = self.get(at)?;
            if may_hold(person) && person.is_there_on(today) {
                return Some(at);
            }
            at = person.delegate?;
        }
        None
    }

    pub(super) fn name(&self, id: PersonId) -> &str {
        self.get(id).map_or("somebody who was never imported", |person| &person.name)
    }
}
