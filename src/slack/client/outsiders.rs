//! Who reads along: what Tandem knows is never posted where the customer, or anyone else from outside, is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// The code of a channel that outsiders read.
pub(super) const OUTSIDERS: &str = "outsiders";
/// The code of a channel with more than [`MEMBERS_MOST`] members.
pub(super) const TOO_MANY: &str = "too_many_members";
/// So many members are looked at, one call each; about an account nothing is said to larger crowds.
pub(super) const MEMBERS_MOST: usize = 200;
/// How long a member is not looked up again.
const MET_FOR: Duration = Duration::from_secs(3600);
/// Members remembered; beyond it all are forgotten.
const MET_MOST: usize = 50_000;

/// Members who were looked up lately, by user id: whether they are outsiders, and when.
#[derive(Debug, Clone, Default)]
pub(super) struct Met(Arc<Mutex<HashMap<String, (bool, Instant)>>>);

impl Met {
    pub(super) fn is_outsider(&self, user: &str) -> Option<bool> {
        let met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        met.get(user).filter(|(_, at)| at.elapsed() < MET_FOR).map(|(is_outsider, _)| *is_outsider)
    }

    pub(super) fn remember(&self, user: String, is_outsider: bool) {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if met.len() >= MET_MOST {
            met.clear();
        }
        met.insert(user, (is_outsider, Instant::now()));
    }
}

/// A conversation, as `conversations.info` describes it. Absent flags are false.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Channel {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub is_im: bool,
    #[serde(default)]
    pub is_archived: bool,
    #[serde(default)]
    pub is_member: bool,
    /// Shared with another company.
    #[serde(default)]
    pub is_ext_shared: bool,
    /// An invitation to another company is out.
    #[serde(default)]
    pub is_pending_ext_shared: bool,
    /// Shared with anyone: another company, or another workspace of our own enterprise.
    #[serde(default)]
    pub is_shared: bool,
    /// Shared between workspaces of our own enterprise.
    #[serde(default)]
    pub is_org_shared: bool,
    /// In a direct message, the other person.
    #[serde(default)]
    pub user: Option<String>,
}

impl Channel {
    /// Whether another company reads along, or will.
    pub fn is_shared_outside(&self) -> bool {
        self.is_ext_shared || self.is_pending_ext_shared || (self.is_shared && !self.is_org_shared)
    }
}

/// A person, as `users.info` describes them. Absent flags are false.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct User {
    pub id: String,
    #[serde(default)]
    pub team_id: Option<String>,
    /// IANA time zone.
    #[serde(default)]
    pub tz: Option<String>,
    #[serde(default)]
    pub real_name: Option<String>,
    /// Deactivated.
    #[serde(default)]
    pub deleted: bool,
    #[serde(default)]
    pub is_bot: bool,
    /// Guest in several channels.
    #[serde(default)]
    pub is_restricted: bool,
    /// Guest in one channel.
    #[serde(default)]
    pub is_ultra_restricted: bool,
    /// From another company.
    #[serde(default)]
    pub is_stranger: bool,
    #[serde(default)]
    profile: Profile,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Profile {
    #[serde(default)]
    email: Option<String>,
}

impl User {
    /// Needs the scope `users:read.email`.
    pub fn email(&self) -> Option<&str> {
        self.profile.email.as_deref()
    }

    /// A guest, or somebody of another company.
    pub fn is_outsider(&self) -> bool {
        self.is_restricted || self.is_ultra_restricted || self.is_stranger
    }

    /// A colleague to whom messages can be sent: no bot, not deactivated, no outsider.
    pub fn is_colleague(&self) -> bool {
        !self.deleted && !self.is_bot && !self.is_outsider()
    }
}

/// Whether something about an account would be read by outsiders if it were posted here. In a direct message a
/// deactivated person or a bot counts too: what is said there is not said to the colleague it was meant for.
pub fn outsiders(channel: &Channel, members: &[User]) -> bool {
    let is_outsider = |user: &User| if channel.is_im { !user.is_colleague() } else { user.is_outsider() };
    channel.is_shared_outside() || members.iter().any(is_outsider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_channels() {
        let channel = |set: fn(&mut Channel)| {
            let mut channel = Channel::default();
            set(&mut channel);
            outsiders(&channel, &[])
        };
        assert!(!channel(|_| {}));
        assert!(channel(|c| c.is_ext_shared = true));
        assert!(channel(|c| c.is_pending_ext_shared = true));
        assert!(channel(|c| c.is_shared = true));
        assert!(!channel(|c| (c.is_shared, c.is_org_shared) = (true, true)), "our own enterprise");
        assert!(channel(|c| (c.is_shared, c.is_org_shared, c.is_ext_shared) = (true, true, true)));
    }

    #[test]
    fn people_in_a_channel_and_in_a_direct_message() {
        let seen = |is_im, set: fn(&mut User)| {
            let mut user = User::default();
            set(&mut user);
            outsiders(&Channel { is_im, ..Channel::default() }, &[User::default(), user])
        };
        for is_im in [false, true] {
            assert!(!seen(is_im, |_| {}));
            assert!(seen(is_im, |u| u.is_restricted = true));
            assert!(seen(is_im, |u| u.is_ultra_restricted = true));
            assert!(seen(is_im, |u| u.is_stranger = true));
            assert_eq!(seen(is_im, |u| u.is_bot = true), is_im, "bots stand in most channels");
            assert_eq!(seen(is_im, |u| u.deleted = true), is_im, "who left reads nothing");
        }
    }
}
