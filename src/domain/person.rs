//! Colleagues: their roles, hours and stand-ins.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrgId(pub Uuid);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonId(pub Uuid);

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Csm,
    AccountManager,
    /// Manages people: sees and acts on what their reports hold.
    Lead,
    Admin,
    /// Sees, does not act.
    Viewer,
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Csm, Role::AccountManager, Role::Lead, Role::Admin, Role::Viewer];

    /// The word in files, SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Csm => "csm",
            Role::AccountManager => "account_manager",
            Role::Lead => "lead",
            Role::Admin => "admin",
            Role::Viewer => "viewer",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" is no role; expected csm, account_manager, lead, admin or viewer"))
    }
}

/// The days a person works, as a set. Never empty: an empty set would lose a person's mornings for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Workdays(u8);

impl Default for Workdays {
    fn default() -> Self {
        Self::MON_FRI
    }
}

const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Workdays {
    pub const MON_FRI: Workdays = Workdays(0b001_1111);

    pub fn contains(self, day: Weekday) -> bool {
        self.0 & (1 << day.num_days_from_monday()) != 0
    }

    /// Bit 0 is Monday: the form the store keeps.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The working day after the longest rest of the week; the earliest from Monday on where several rests are as long.
    pub fn first(self) -> Weekday {
        let worked = |day: usize| self.0 & (1 << (day % 7)) != 0;
        let rest = |day: usize| (1..7).take_while(|back| !worked(day + 7 - back)).count();
        let days = (0..7).filter(|day| worked(*day)).rev();
        // Of equals `max_by_key` takes the last, which is the earliest here.
        let first = days.max_by_key(|day| rest(*day)).unwrap_or_default();
        [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun][first]
    }

    /// `None` for the empty set and for bits beyond Sunday.
    pub fn from_bits(bits: u8) -> Option<Self> {
        (1..=0b111_1111).contains(&bits).then_some(Self(bits))
    }
}

impl FromStr for Workdays {
    type Err = String;

    /// `mon-fri`, `sun-thu`, `mon;wed;fri`, also mixed: `mon-wed;sat`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("\"{text}\" are no working days; expected for example mon-fri, sun-thu or mon;wed;fri");
        let day = |name: &str| DAY_NAMES.iter().position(|d| d.eq_ignore_ascii_case(name.trim())).ok_or_else(wrong);
        let mut bits = 0_u8;
        for part in text.split([';', ',']) {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (day(first)?, day(last)?),
                None => (day(part)?, day(part)?),
            };
            let mut at = first;
            loop {
                bits |= 1 << at;
                if at == last {
                    break;
                }
                at = (at + 1) % 7;
            }
        }
        Ok(Self(bits))
    }
}

impl TryFrom<String> for Workdays {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Workdays> for String {
    fn from(days: Workdays) -> String {
        days.to_string()
    }
}

impl fmt::Display for Workdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::MON_FRI {
            return f.write_str("mon-fri");
        }
        let names: Vec<&str> = (0..7).filter(|d| self.0 & (1 << d) != 0).map(|d| DAY_NAMES[d]).collect();
        f.write_str(&names.join(";"))
    }
}

/// What a colleague is called whose data were erased: history still says that somebody did it.
pub const ERASED: &str = "someone erased";

/// A colleague as the store knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: PersonId,
    /// Lower case.
    pub email: String,
    pub name: String,
    pub roles: Vec<Role>,
    pub timezone: Tz,
    /// Local time of the morning message.
    pub digest_time: NaiveTime,
    pub workdays: Workdays,
    pub manager: Option<PersonId>,
    pub delegate: Option<PersonId>,
    /// Last day away, inclusive.
    pub out_of_office_until: Option<NaiveDate>,
    /// The AM pool this person belongs to.
    pub pool: Option<String>,
    /// False once they have left: history stays, nothing is sent or routed to them.
    pub active: bool,
    /// Since when no message to them can be delivered; `None` while they can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable_since: Option<DateTime<Utc>>,
}

impl Person {
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// "Dana" of "Dana Reyes": how colleagues are named inside a card.
    pub fn first_name(&self) -> &str {
        if self.name == ERASED {
            return ERASED;
        }
        self.name.split_whitespace().next().unwrap_or(&self.name)
    }

    pub fn away_on(&self, day: NaiveDate) -> bool {
        self.out_of_office_until.is_some_and(|until| day <= until)
    }

    /// At work on this day, and can be written to: only such a person is given anything new.
    pub fn is_there_on(&self, day: NaiveDate) -> bool {
        !self.away_on(day) && self.unreachable_since.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_days_are_sets() {
        let days: Workdays = "sun-thu".parse().unwrap();
        assert!(days.contains(Weekday::Sun) && days.contains(Weekday::Thu) && !days.contains(Weekday::Fri));
        assert_eq!(days.to_string(), "mon;tue;wed;thu;sun");
        assert_eq!(days.to_string().parse(), Ok(days));
        assert_eq!("mon-fri".parse(), Ok(Workdays::MON_FRI));
        assert!("".parse::<Workdays>().is_err());
        assert!("mon-fry".parse::<Workdays>().unwrap_err().contains("mon-fry"));
        assert_eq!(Workdays::from_bits(0), None);
    }
}
