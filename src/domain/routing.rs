//! Organisation model → who gets what, who is accountable, who may see and act.
//!
//! Nothing is ever unrouted: no CSM, no account manager, a person who has left
//! or is away → the next in line, then the lead, then an admin; and every
//! detour says why. Pure over the organisation's [`People`]; where several
//! would do, the lowest id is taken, so the same people give the same answer.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::account::{Account, Segment};
use super::person::{Person, PersonId, Role};

/// How an organisation parts value and revenue between people (product.md, "Organisation models").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// Each account has a CSM and an account manager.
    Pair,
    /// One person holds both roles.
    Combined,
    /// A CSM on every account, an account manager on some; pools work the windows of the others.
    Asymmetric,
}

impl Model {
    pub const ALL: [Model; 3] = [Model::Pair, Model::Combined, Model::Asymmetric];

    pub fn as_str(self) -> &'static str {
        match self {
            Model::Pair => "pair",
            Model::Combined => "combined",
            Model::Asymmetric => "asymmetric",
        }
    }
}

impl FromStr for Model {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Model::ALL
            .into_iter()
            .find(|model| model.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" is no model; expected pair, combined or asymmetric"))
    }
}

/// Which half of the pair owns the renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenewalOwner {
    Csm,
    #[default]
    AccountManager,
}

impl RenewalOwner {
    pub fn as_str(self) -> &'static str {
        match self {
            RenewalOwner::Csm => "csm",
            RenewalOwner::AccountManager => "account_manager",
        }
    }
}

impl FromStr for RenewalOwner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "csm" => Ok(RenewalOwner::Csm),
            "account_manager" => Ok(RenewalOwner::AccountManager),
            _ => Err(format!("\"{text}\" owns no renewals; expected csm or account_manager")),
        }
    }
}

/// One setting per organisation, with an override per segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerSegment<T> {
    pub default: T,
    #[serde(default = "BTreeMap::new")]
    pub overrides: BTreeMap<Segment, T>,
}

impl<T: Copy> PerSegment<T> {
    pub fn everywhere(default: T) -> Self {
        Self { default, overrides: BTreeMap::new() }
    }

    pub fn of(&self, segment: Option<Segment>) -> T {
        segment.and_then(|segment| self.overrides.get(&segment)).copied().unwrap_or(self.default)
    }
}

/// Who has an offer: a person, or a pool with one accountable person standing for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seat {
    Person(PersonId),
    Pool {
        name: String,
        /// The lead of its members, else an admin.
        accountable: PersonId,
    },
}

impl Seat {
    /// The one accountable person.
    pub fn accountable(&self) -> PersonId {
        match self {
            Seat::Person(person) | Seat::Pool { accountable: person, .. } => *person,
        }
    }

    pub fn pool(&self) -> Option<&str> {
        match self {
            Seat::Person(_) => None,
            Seat::Pool { name, .. } => Some(name),
        }
    }
}

/// Where a rule's expansion window starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With the CSM, who qualifies it or passes it on.
    Detector(PersonId),
    /// No CSM: with the account manager or the pool at once.
    Offered(Seat),
    /// One person holds both roles: there is nobody to hand it to.
    Solo(PersonId),
}

/// Who gets what of one account, today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// The CSM, or who stands in while they are away or gone. `None` where the account has none.
    pub csm: Option<PersonId>,
    /// Where offers of windows go.
    pub account_manager: Seat,
    /// Who is accountable for the account's risks.
    pub risks: PersonId,
    pub renewal_owner: PersonId,
    pub windows: Start,
    /// One sentence for each detour from the account's own columns.
    pub why: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "nobody can be made accountable: import at least one active person with the role csm, account_manager, lead or admin"
)]
pub struct Nobody;

/// An organisation's people, indexed for routing. Build it once for many accounts.
#[derive(Debug, Clone, Default)]
pub struct People {
    people: BTreeMap<PersonId, Person>,
    /// Active members by pool, in id order.
    pools: BTreeMap<String, Vec<PersonId>>,
}

impl FromIterator<Person> for People {
    fn from_iter<I: IntoIterator<Item = Person>>(people: I) -> Self {
        let people: BTreeMap<_, _> = people.into_iter().map(|person| (person.id, person)).collect();
        let mut pools: BTreeMap<String, Vec<PersonId>> = BTreeMap::new();
        for person in people.values().filter(|person| may_hold(person)) {
            if let Some(pool) = &person.pool {
                pools.entry(pool.clone()).or_default().push(person.id);
            }
        }
        Self { people, pools }
    }
}

/// Active, and with a role that acts: a viewer is never made accountable.
fn may_hold(person: &Person) -> bool {
    person.active && person.roles.iter().any(|role| *role != Role::Viewer)
}

impl People {
    pub fn get(&self, id: PersonId) -> Option<&Person> {
        self.people.get(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// The active members of a pool, in id order.
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
    /// else one who is away, else an admin.
    pub fn lead_of(&self, id: PersonId, today: NaiveDate) -> Option<PersonId> {
        let leads = self.leads_above(id);
        let here = leads.iter().find(|lead| self.get(**lead).is_some_and(|lead| !lead.away_on(today)));
        here.or(leads.first()).copied().or_else(|| self.last_resort(today, Some(id)))
    }

    /// The lead of a pool's members: the manager whom most of them share, else an admin.
    pub fn lead_of_pool(&self, name: &str, today: NaiveDate) -> Option<PersonId> {
        let mut votes: BTreeMap<PersonId, usize> = BTreeMap::new();
        for lead in self.pool(name).iter().filter_map(|member| self.leads_above(*member).first().copied()) {
            *votes.entry(lead).or_default() += 1;
        }
        let most = votes.values().max().copied();
        votes
            .into_iter()
            .find(|(_, n)| Some(*n) == most)
            .map(|(lead, _)| lead)
            .or_else(|| self.last_resort(today, None))
    }

    /// An admin who is here; else any admin, any lead, anybody who may act. Other than `not`, where there is a choice.
    fn last_resort(&self, today: NaiveDate, not: Option<PersonId>) -> Option<PersonId> {
        let rank = |person: &Person| {
            let role = match () {
                () if person.is(Role::Admin) => 0,
                () if person.is(Role::Lead) => 1,
                () => 2,
            };
            (Some(person.id) == not, role, person.away_on(today), person.id)
        };
        self.people.values().filter(|person| may_hold(person)).min_by_key(|person| rank(person)).map(|person| person.id)
    }

    /// Who acts for a person today: themselves; their delegate (and theirs) while they are away or gone; else `None`.
    fn present(&self, id: PersonId, today: NaiveDate) -> Option<PersonId> {
        let mut seen = BTreeSet::new();
        let mut at = id;
        while seen.insert(at) {
            let person = self.get(at)?;
            if may_hold(person) && !person.away_on(today) {
                return Some(at);
            }
            at = person.delegate?;
        }
        None
    }

    fn name(&self, id: PersonId) -> &str {
        self.get(id).map_or("somebody who was never imported", |person| &person.name)
    }
}

/// Who gets what of this account on this day.
///
/// A CSM or account manager who is away is stood in for by their delegate;
/// without one, by their lead, else an admin. Under `combined` the CSM (else the
/// account manager) holds both roles. Without an account manager the account's
/// pool has the seat, under every model; without a pool, the CSM's lead.
pub fn route(
    account: &Account,
    model: Model,
    renewals: RenewalOwner,
    people: &People,
    today: NaiveDate,
) -> Result<Routed, Nobody> {
    let mut why = Vec::new();
    let csm = stand_in(account.csm, "CSM", None, people, today, &mut why);
    let pool = account.pool.as_deref().filter(|pool| !people.pool(pool).is_empty());
    let named_manager = stand_in(account.account_manager, "account manager", pool, people, today, &mut why);

    if model == Model::Combined
        && let Some(both) = csm.or(named_manager)
    {
        return Ok(Routed {
            csm: Some(both),
            account_manager: Seat::Person(both),
            risks: both,
            renewal_owner: both,
            windows: Start::Solo(both),
            why,
        });
    }

    let account_manager = manager_seat(account, csm, named_manager, people, today, &mut why).ok_or(Nobody)?;
    let risks = csm.unwrap_or_else(|| {
        let stand_in = account_manager.accountable();
        why.push(format!("the account has no CSM: {} looks after its risks", people.name(stand_in)));
        stand_in
    });
    let renewal_owner = match (renewals, csm, named_manager) {
        (RenewalOwner::Csm, Some(csm), _) | (RenewalOwner::AccountManager, Some(csm), None) => csm,
        (_, _, Some(manager)) => manager,
        (_, None, None) => account_manager.accountable(),
    };
    let windows = match csm {
        Some(csm) if account_manager == Seat::Person(csm) => Start::Solo(csm),
        Some(csm) => Start::Detector(csm),
        None => Start::Offered(account_manager.clone()),
    };
    Ok(Routed { csm, account_manager, risks, renewal_owner, windows, why })
}

/// The person of a seat, or who stands in: a delegate, else the pool (then
/// `None`), else the lead or an admin. `None` where the seat is empty.
fn stand_in(
    named: Option<PersonId>,
    role: &str,
    pool: Option<&str>,
    people: &People,
    today: NaiveDate,
    why: &mut Vec<String>,
) -> Option<PersonId> {
    let named = named?;
    let lead = || if pool.is_some() { None } else { people.lead_of(named, today) };
    let found = people.present(named, today).or_else(lead);
    if found == Some(named) {
        return found;
    }
    let reason = match people.get(named) {
        Some(person) if may_hold(person) => match person.out_of_office_until {
            Some(until) => format!("is away until {until}"),
            None => "is away".to_owned(),
        },
        _ => "is no longer here".to_owned(),
    };
    let instead = match (found, pool) {
        (Some(found), _) => people.name(found).to_owned(),
        (None, Some(pool)) => format!("the pool {pool}"),
        (None, None) => return None,
    };
    why.push(format!("{}, the {role}, {reason}: {instead} stands in", people.name(named)));
    found
}

/// Where offers go: the account manager, else the pool, else the CSM's lead, else an admin.
fn manager_seat(
    account: &Account,
    csm: Option<PersonId>,
    named: Option<PersonId>,
    people: &People,
    today: NaiveDate,
    why: &mut Vec<String>,
) -> Option<Seat> {
    // Where the manager's stand-in is the CSM, an offer would go from a person to themselves;
    // where the columns name one person for both, that is what is meant.
    let to_oneself = named == csm && account.account_manager != account.csm;
    if let Some(named) = named
        && !to_oneself
    {
        return Some(Seat::Person(named));
    }
    if let Some(pool) = &account.pool {
        if !people.pool(pool).is_empty()
            && let Some(accountable) = people.lead_of_pool(pool, today)
        {
            return Some(Seat::Pool { name: pool.clone(), accountable });
        }
        why.push(format!("the pool {pool} has no members"));
    }
    let lead = match csm {
        Some(csm) => people.lead_of(csm, today)?,
        None => people.last_resort(today, None)?,
    };
    let missing =
        if to_oneself { "no account manager but the CSM is here" } else { "the account has no account manager" };
    why.push(format!("{missing}: {} decides on its windows", people.name(lead)));
    Some(Seat::Person(lead))
}

/// What a person may do with an account, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// The same answer as for an account that does not exist.
    Nothing,
    See,
    /// A pool's members: sees the account, acts on its windows.
    ActOnWindows,
    Act,
}

/// What this person may do with this account (product.md, "Who may see and do what").
///
/// The CSM, the account manager, their delegates and the leads above them act;
/// so do members of the account's pool, and the leads above them, on its
/// windows. Everyone else with a role sees, where `open_book` says so. Who is
/// accountable for a risk or a handoff may always act on it: the caller checks
/// that beside this.
pub fn access(person: &Person, account: &Account, people: &People, open_book: bool) -> Access {
    if !person.active || person.roles.is_empty() {
        return Access::Nothing;
    }
    if may_hold(person) {
        let holders: Vec<PersonId> = account.csm.into_iter().chain(account.account_manager).collect();
        if holders.iter().any(|holder| acts_for(person.id, *holder, people)) {
            return Access::Act;
        }
        if let Some(pool) = &account.pool {
            let members = people.pool(pool);
            if members.contains(&person.id) || members.iter().any(|m| people.leads_above(*m).contains(&person.id)) {
                return Access::ActOnWindows;
            }
        }
    }
    if open_book { Access::See } else { Access::Nothing }
}

fn acts_for(person: PersonId, holder: PersonId, people: &People) -> bool {
    person == holder
        || people.get(holder).is_some_and(|holder| holder.delegate == Some(person))
        || people.leads_above(holder).contains(&person)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;
    use chrono_tz::Tz;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::person::Workdays;

    const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();

    fn id(n: u128) -> PersonId {
        PersonId(Uuid::from_u128(n))
    }

    fn person(n: u128, name: &str, roles: &[Role]) -> Person {
        Person {
            id: id(n),
            email: format!("{n}@example.com"),
            name: name.to_owned(),
            roles: roles.to_vec(),
            timezone: Tz::UTC,
            digest_time: NaiveTime::MIN,
            workdays: Workdays::MON_FRI,
            manager: None,
            delegate: None,
            out_of_office_until: None,
            pool: None,
            active: true,
        }
    }

    const DANA: u128 = 1;
    const OMAR: u128 = 2;
    const LEA: u128 = 3;
    const ADA: u128 = 4;
    const PIA: u128 = 5;
    const VIC: u128 = 6;

    /// Dana (CSM) and Omar (AM) report to Lea; Pia is in the pool "emea"; Ada administers; Vic looks on.
    fn team(change: impl Fn(&mut BTreeMap<u128, Person>)) -> People {
        let mut people = BTreeMap::from([
            (DANA, person(DANA, "Dana Reyes", &[Role::Csm])),
            (OMAR, person(OMAR, "Omar Haddad", &[Role::AccountManager])),
            (LEA, person(LEA, "Lea Novak", &[Role::Lead])),
            (ADA, person(ADA, "Ada Okafor", &[Role::Admin])),
            (PIA, person(PIA, "Pia Berg", &[Role::AccountManager])),
            (VIC, person(VIC, "Vic Stone", &[Role::Viewer])),
        ]);
        for reports in [DANA, OMAR, PIA] {
            people.get_mut(&reports).unwrap().manager = Some(id(LEA));
        }
        people.get_mut(&PIA).unwrap().pool = Some("emea".to_owned());
        change(&mut people);
        people.into_values().collect()
    }

    fn account(csm: Option<u128>, manager: Option<u128>, pool: Option<&str>) -> Account {
        Account {
            csm: csm.map(id),
            account_manager: manager.map(id),
            pool: pool.map(str::to_owned),
            ..Account::new("acme", "Acme")
        }
    }

    fn read(people: &People, account: &Account, model: Model) -> String {
        let routed = route(account, model, RenewalOwner::AccountManager, people, TODAY).unwrap();
        let name = |id| people.get(id).unwrap().first_name().to_owned();
        let seat = |seat: &Seat| match seat {
            Seat::Person(id) => name(*id),
            Seat::Pool { name: pool, accountable } => format!("pool {pool} ({})", name(*accountable)),
        };
        let windows = match &routed.windows {
            Start::Detector(id) => format!("detector {}", name(*id)),
            Start::Offered(to) => format!("offered to {}", seat(to)),
            Start::Solo(id) => format!("solo {}", name(*id)),
        };
        format!(
            "risks {}, manager {}, renewal {}, windows {windows}{}",
            name(routed.risks),
            seat(&routed.account_manager),
            name(routed.renewal_owner),
            routed.why.iter().map(|why| format!("; {why}")).collect::<String>()
        )
    }

    #[test]
    fn every_account_is_routed_and_says_why() {
        let all = team(|_| ());
        let away = |who: u128, delegate: Option<u128>| {
            team(move |people| {
                let person = people.get_mut(&who).unwrap();
                person.out_of_office_until = NaiveDate::from_ymd_opt(2026, 12, 3);
                person.delegate = delegate.map(id);
            })
        };
        let gone = team(|people| people.get_mut(&OMAR).unwrap().active = false);
        let alone: People = [person(DANA, "Dana Reyes", &[Role::Csm])].into_iter().collect();
        let lines = [
            ("pair", read(&all, &account(Some(DANA), Some(OMAR), None), Model::Pair)),
            ("combined", read(&all, &account(Some(DANA), None, None), Model::Combined)),
            ("combined, AM alone", read(&all, &account(None, Some(OMAR), None), Model::Combined)),
            ("pool", read(&all, &account(Some(DANA), None, Some("emea")), Model::Asymmetric)),
            ("pool under pair", read(&all, &account(Some(DANA), None, Some("emea")), Model::Pair)),
            ("empty pool", read(&all, &account(Some(DANA), None, Some("apac")), Model::Asymmetric)),
            ("no CSM", read(&all, &account(None, Some(OMAR), None), Model::Pair)),
            ("nobody named", read(&all, &account(None, None, None), Model::Pair)),
            ("pool alone", read(&all, &account(None, None, Some("emea")), Model::Asymmetric)),
            ("away, delegate", read(&away(OMAR, Some(PIA)), &account(Some(DANA), Some(OMAR), None), Model::Pair)),
            ("away, no delegate", read(&away(DANA, None), &account(Some(DANA), Some(OMAR), None), Model::Pair)),
            (
                "away, the CSM stands in",
                read(&away(OMAR, Some(DANA)), &account(Some(DANA), Some(OMAR), None), Model::Pair),
            ),
            ("gone", read(&gone, &account(Some(DANA), Some(OMAR), None), Model::Pair)),
            ("gone, with a pool", read(&gone, &account(Some(DANA), Some(OMAR), Some("emea")), Model::Pair)),
            ("unknown person", read(&all, &account(Some(DANA), Some(99), None), Model::Pair)),
            ("one person in all", read(&alone, &account(Some(DANA), None, None), Model::Pair)),
        ];
        let text: Vec<String> = lines.iter().map(|(what, line)| format!("{what}: {line}")).collect();
        insta::assert_snapshot!(text.join("\n"), @"
        pair: risks Dana, manager Omar, renewal Omar, windows detector Dana
        combined: risks Dana, manager Dana, renewal Dana, windows solo Dana
        combined, AM alone: risks Omar, manager Omar, renewal Omar, windows solo Omar
        pool: risks Dana, manager pool emea (Lea), renewal Dana, windows detector Dana
        pool under pair: risks Dana, manager pool emea (Lea), renewal Dana, windows detector Dana
        empty pool: risks Dana, manager Lea, renewal Dana, windows detector Dana; the pool apac has no members; the account has no account manager: Lea Novak decides on its windows
        no CSM: risks Omar, manager Omar, renewal Omar, windows offered to Omar; the account has no CSM: Omar Haddad looks after its risks
        nobody named: risks Ada, manager Ada, renewal Ada, windows offered to Ada; the account has no account manager: Ada Okafor decides on its windows; the account has no CSM: Ada Okafor looks after its risks
        pool alone: risks Lea, manager pool emea (Lea), renewal Lea, windows offered to pool emea (Lea); the account has no CSM: Lea Novak looks after its risks
        away, delegate: risks Dana, manager Pia, renewal Pia, windows detector Dana; Omar Haddad, the account manager, is away until 2026-12-03: Pia Berg stands in
        away, no delegate: risks Lea, manager Omar, renewal Omar, windows detector Lea; Dana Reyes, the CSM, is away until 2026-12-03: Lea Novak stands in
        away, the CSM stands in: risks Dana, manager Lea, renewal Dana, windows detector Dana; Omar Haddad, the account manager, is away until 2026-12-03: Dana Reyes stands in; no account manager but the CSM is here: Lea Novak decides on its windows
        gone: risks Dana, manager Lea, renewal Lea, windows detector Dana; Omar Haddad, the account manager, is no longer here: Lea Novak stands in
        gone, with a pool: risks Dana, manager pool emea (Lea), renewal Dana, windows detector Dana; Omar Haddad, the account manager, is no longer here: the pool emea stands in
        unknown person: risks Dana, manager Ada, renewal Ada, windows detector Dana; somebody who was never imported, the account manager, is no longer here: Ada Okafor stands in
        one person in all: risks Dana, manager Dana, renewal Dana, windows solo Dana; the account has no account manager: Dana Reyes decides on its windows
        ");
    }

    #[test]
    fn without_anyone_it_says_so() {
        let people: People = [person(VIC, "Vic Stone", &[Role::Viewer])].into_iter().collect();
        assert_eq!(route(&account(None, None, None), Model::Pair, RenewalOwner::Csm, &people, TODAY), Err(Nobody));
    }

    #[test]
    fn a_segment_may_differ() {
        let mut model = PerSegment::everywhere(Model::Pair);
        model.overrides.insert(Segment::Smb, Model::Combined);
        assert_eq!(model.of(Some(Segment::Smb)), Model::Combined);
        assert_eq!(model.of(None), Model::Pair);
        assert_eq!("asymmetric".parse(), Ok(Model::Asymmetric));
        assert!("trio".parse::<Model>().unwrap_err().contains("trio"));
    }

    #[test]
    fn rights_follow_the_seats() {
        let people = team(|people| {
            people.insert(7, Person { manager: None, ..person(7, "Del Egate", &[Role::Csm]) });
            people.get_mut(&DANA).unwrap().delegate = Some(id(7));
            people.insert(8, person(8, "Top Lead", &[Role::Lead]));
            people.get_mut(&LEA).unwrap().manager = Some(id(8));
            people.insert(9, person(9, "No Role", &[]));
            people.insert(10, Person { active: false, ..person(10, "Gone", &[Role::Csm]) });
            people.insert(11, person(11, "Other Csm", &[Role::Csm]));
        });
        let account = account(Some(DANA), None, Some("emea"));
        let read = |n: u128, open| access(people.get(id(n)).unwrap(), &account, &people, open);
        for actor in [DANA, 7, LEA, 8] {
            assert_eq!(read(actor, false), Access::Act, "{actor}");
        }
        assert_eq!(read(PIA, false), Access::ActOnWindows);
        for onlooker in [OMAR, ADA, VIC, 11] {
            assert_eq!(read(onlooker, true), Access::See, "{onlooker}");
            assert_eq!(read(onlooker, false), Access::Nothing, "{onlooker}");
        }
        for outsider in [9, 10] {
            assert_eq!(read(outsider, true), Access::Nothing, "{outsider}");
        }
    }

    fn any_people() -> impl Strategy<Value = People> {
        let one = (
            proptest::collection::vec(proptest::sample::select(&Role::ALL[..]), 0..3),
            proptest::option::of(0_u128..8),
            proptest::option::of(0_u128..8),
            any::<bool>(),
            proptest::bool::weighted(0.8),
            proptest::option::of(proptest::sample::select(&["emea", "apac"][..])),
        );
        proptest::collection::vec(one, 1..8).prop_map(|all| {
            all.into_iter()
                .enumerate()
                .map(|(n, (roles, manager, delegate, away, active, pool))| Person {
                    manager: manager.map(id),
                    delegate: delegate.map(id),
                    out_of_office_until: away.then_some(TODAY),
                    active,
                    pool: pool.map(str::to_owned),
                    ..person(n as u128, &format!("P{n}"), &roles)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn everyone_made_accountable_is_here_and_may_act(
            people in any_people(),
            csm in proptest::option::of(0_u128..8),
            manager in proptest::option::of(0_u128..8),
            pool in proptest::option::of(proptest::sample::select(&["emea", "none"][..])),
            model in proptest::sample::select(&Model::ALL[..]),
            owner in proptest::sample::select(&[RenewalOwner::Csm, RenewalOwner::AccountManager][..]),
        ) {
            let account = account(csm, manager, pool);
            match route(&account, model, owner, &people, TODAY) {
                Err(Nobody) => prop_assert!(people.iter().all(|person| !may_hold(person))),
                Ok(routed) => {
                    let start = match &routed.windows {
                        Start::Detector(id) | Start::Solo(id) => *id,
                        Start::Offered(seat) => seat.accountable(),
                    };
                    for who in [routed.risks, routed.renewal_owner, routed.account_manager.accountable(), start] {
                        prop_assert!(may_hold(people.get(who).unwrap()));
                    }
                    if let (Start::Detector(csm), Seat::Person(to)) = (&routed.windows, &routed.account_manager) {
                        prop_assert_ne!(csm, to, "a handoff to oneself");
                    }
                }
            }
        }
    }
}
