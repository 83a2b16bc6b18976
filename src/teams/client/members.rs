//! Who reads along: what Tandem knows is never posted where the customer, or anyone else from outside, is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Client, Error, ServiceUrl};

/// How long what a roster said of somebody is believed: who was made a guest a moment ago is known after so long.
const MET_FOR: Duration = Duration::from_secs(600);
/// People and personal chats remembered; beyond it all are forgotten.
const MET_MOST: usize = 50_000;

/// Whether somebody, or whoever reads a personal chat, is an outsider, and when the roster said so.
#[derive(Debug, Clone, Default)]
pub(super) struct Met(Arc<Mutex<HashMap<String, (bool, Instant)>>>);

impl Met {
    /// With how old it is.
    fn get(&self, whom: &str) -> Option<(bool, Duration)> {
        let met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        met.get(whom).map(|(is_outsider, at)| (*is_outsider, at.elapsed()))
    }

    fn put(&self, whom: String, is_outsider: bool) {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if met.len() >= MET_MOST {
            met.clear();
        }
        met.insert(whom, (is_outsider, Instant::now()));
    }
}

impl Client {
    /// Whether somebody in a conversation of this tenant is an outsider, at most ten minutes old. Where the roster can't
    /// be asked, what it said last; where it does not list them, nobody says that they are one.
    pub async fn is_outsider(
        &self,
        service: &ServiceUrl,
        tenant: &str,
        conversation: &str,
        account_id: &str,
    ) -> Result<bool, Error> {
        let whom = format!("{tenant} {account_id}");
        let met = self.met.get(&whom);
        if let Some((is_outsider, _)) = met.filter(|(_, age)| *age < MET_FOR) {
            return Ok(is_outsider);
        }
        let is_outsider = match (self.member(service, conversation, account_id).await, met) {
            (Ok(member), _) => member.is_outsider(tenant),
            (Err(Error::Gone(_)), _) => false,
            (Err(_), Some((before, _))) => return Ok(before),
            (Err(error), None) => return Err(error),
        };
        self.met.put(whom, is_outsider);
        Ok(is_outsider)
    }

    /// Whether anyone from outside reads a conversation, asked now.
    pub async fn outsiders_in(&self, service: &ServiceUrl, tenant: &str, conversation: &str) -> Result<bool, Error> {
        let found = outsiders(&self.members(service, conversation).await?, tenant);
        self.met.put(conversation.to_owned(), found);
        Ok(found)
    }

    /// What [`Client::outsiders_in`] said of a conversation within ten minutes.
    pub fn outsiders_met(&self, conversation: &str) -> Option<bool> {
        self.met.get(conversation).filter(|(_, age)| *age < MET_FOR).map(|(found, _)| found)
    }
}

/// Somebody in a conversation, as the roster describes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Member {
    pub id: String,
    pub name: Option<String>,
    pub aad_object_id: Option<String>,
    pub email: Option<String>,
    pub user_principal_name: Option<String>,
    /// `user`, `guest` or `anonymous`.
    pub user_role: Option<String>,
    /// Their own tenant: another one than the conversation's in a shared channel.
    pub tenant_id: Option<String>,
}

impl Member {
    /// A guest, an anonymous participant, or somebody of another tenant. Where the roster says neither a role nor a
    /// tenant, nobody vouches for them.
    pub fn is_outsider(&self, tenant: &str) -> bool {
        let elsewhere = self.tenant_id.as_deref().is_some_and(|own| !own.eq_ignore_ascii_case(tenant));
        let guest = self.user_role.as_deref().is_some_and(|role| !role.eq_ignore_ascii_case("user"));
        // Entra names guests so, whatever the roster calls them.
        let invited = self.user_principal_name.as_deref().is_some_and(|name| name.to_uppercase().contains("#EXT#"));
        elsewhere || guest || invited || (self.user_role.is_none() && self.tenant_id.is_none())
    }

    /// The addresses by which a colleague may be known, the mailbox first.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        [&self.email, &self.user_principal_name].into_iter().flatten().map(String::as_str)
    }
}

/// Whether something about an account would be read by outsiders if it were posted here.
fn outsiders(members: &[Member], tenant: &str) -> bool {
    members.iter().any(|member| member.is_outsider(tenant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outsiders_are_known_by_role_tenant_or_name() {
        let with = |set: fn(&mut Member)| {
            let mut member =
                Member { user_role: Some("user".into()), tenant_id: Some("T-1".into()), ..Member::default() };
            set(&mut member);
            outsiders(&[member], "t-1")
        };
        assert!(!with(|_| {}));
        assert!(!with(|m| m.tenant_id = None));
        assert!(!with(|m| m.user_role = None));
        assert!(with(|m| m.user_role = Some("guest".into())));
        assert!(with(|m| m.user_role = Some("anonymous".into())));
        assert!(with(|m| m.tenant_id = Some("t-2".into())));
        assert!(with(|m| m.user_principal_name = Some("eva_acme.example#EXT#@north.onmicrosoft.com".into())));
        assert!(with(|m| (m.user_role, m.tenant_id) = (None, None)), "nobody vouches for them");
    }
}
