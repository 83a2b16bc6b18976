//! Organisation model → who gets what, who is accountable, who may see and act.
//!
//! Nothing is ever unrouted: no CSM, no account manager, a person who has left,
//! is away or cannot be reached in chat → the next in line, then the lead, then an admin; and every
//! detour says why. Pure over the organisation's [`People`]; where several
//! would do, the lowest id is taken, so the same people give the same answer.

mod people;

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::account::{Account, Segment};
use super::angle::Angle;
use super::person::{Person, PersonId};

pub use people::{People, may_hold};

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

impl Routed {
    /// From which side a person reads this account. Their roles say it, unless its risks are theirs: because they stand
    /// in for its CSM, sit as its CSM whatever their role, or have its risk in hand. They read as its CSM then, and from
    /// both sides where its windows are offered to them too.
    pub fn angle(&self, person: &Person, has_risk_in_hand: bool) -> Angle {
        let risks = has_risk_in_hand || self.risks == person.id;
        let windows = self.account_manager == Seat::Person(person.id);
        match (Angle::of(person), risks, windows) {
            (_, true, true) => Angle::Both,
            (Angle::AccountManager, true, false) => Angle::Csm,
            (by_role, ..) => by_role,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "nobody can be made accountable: import at least one active person with the role csm, account_manager, lead or admin"
)]
pub struct Nobody;

/// Who gets what of this account on this day.
///
/// A CSM or account manager who is away, or out of reach, is stood in for by their delegate;
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
    if model == Model::Combined
        && let Some(both) = holds_both(account, people, today, &mut why)
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
    let csm = stand_in(account.csm, "CSM", None, people, today, &mut why);
    let pool = account.pool.as_deref().filter(|pool| !people.pool(pool).is_empty());
    let named_manager = stand_in(account.account_manager, "account manager", pool, people, today, &mut why);

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

/// Under `combined`: the CSM, else the account manager, else who stands in for
/// the first of them; `None` where the account names neither.
fn holds_both(account: &Account, people: &People, today: NaiveDate, why: &mut Vec<String>) -> Option<PersonId> {
    let named = || account.csm.into_iter().chain(account.account_manager);
    let both = named()
        .find_map(|id| people.present(id, today))
        .or_else(|| named().find_map(|id| people.lead_of(id, today)))?;
    if let Some(first) = named().next().filter(|first| *first != both) {
        let absence = absence(first, people);
        why.push(format!("{} {absence}: {} holds both roles", people.name(first), people.name(both)));
    }
    Some(both)
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
    let instead = match (found, pool) {
        (Some(found), _) => people.name(found).to_owned(),
        (None, Some(pool)) => format!("the pool {pool}"),
        (None, None) => return None,
    };
    why.push(format!("{}, the {role}, {}: {instead} stands in", people.name(named), absence(named, people)));
    found
}

fn absence(id: PersonId, people: &People) -> String {
    match people.get(id) {
        Some(person) if may_hold(person) && person.unreachable_since.is_some() => {
            "cannot be reached in chat".to_owned()
        }
        Some(person) if may_hold(person) => match person.out_of_office_until {
            Some(until) => format!("is away until {}", until.format("%-d %b %Y")),
            None => "is away".to_owned(),
        },
        _ => "is no longer here".to_owned(),
    }
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
    // Where the manager's stand-in is the CSM, an offer would go from a person to themselves; where the columns name
    // one person for both, that is what is meant; and a manager who stands in for the CSM is not missing.
    let to_oneself = named == csm && named != account.account_manager && account.account_manager != account.csm;
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
mod tests;
