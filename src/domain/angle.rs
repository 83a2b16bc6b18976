//! From which side of the pair somebody reads an account.

use super::person::{Person, Role};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Angle {
    Csm,
    AccountManager,
    /// One person has both halves, or somebody else looks: both sides are said.
    Both,
}

impl Angle {
    /// As a person's roles say: both where they hold both, or neither. What of one account lies with them goes before it
    /// ([`super::routing::Routed::angle`]).
    pub fn of(person: &Person) -> Self {
        match (person.is(Role::Csm), person.is(Role::AccountManager)) {
            (true, false) => Angle::Csm,
            (false, true) => Angle::AccountManager,
            (true, true) | (false, false) => Angle::Both,
        }
    }

    /// Whether this side settles an account's risks: they are the CSM's, and the AM's where there is none.
    pub fn settles_risks(self, has_csm: bool) -> bool {
        self != Angle::AccountManager || !has_csm
    }
}
