//! Who reads along: what Tandem knows is never posted where the customer, or anyone else from outside, is.

use serde::Deserialize;

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
pub fn outsiders(members: &[Member], tenant: &str) -> bool {
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
