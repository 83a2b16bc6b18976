//! Teams as the configuration gives it: one bot, for every tenant that is linked.

use anyhow::Context;
use uuid::Uuid;

use crate::config::Config;
use crate::delivery::TeamsSender;
use crate::http::TeamsDoor;
use crate::teams::address::{Endpoint, ServiceUrls};
use crate::teams::auth::Gate;
use crate::teams::client::{Client, Settings};

/// A client, and what proves that a request comes from Microsoft.
#[derive(Clone)]
pub(super) struct Teams {
    pub(super) client: Client,
    pub(super) gate: Gate,
    services: ServiceUrls,
}

impl Teams {
    pub(super) fn door(&self) -> TeamsDoor {
        TeamsDoor::new(self.gate.clone(), self.client.clone(), self.services.clone())
    }

    pub(super) fn sender(&self) -> TeamsSender {
        TeamsSender { client: self.client.clone(), services: self.services.clone() }
    }
}

/// The configured bot; `None` where none is. Half a configuration is refused, naming what is missing. Calls nobody.
pub(super) fn connect(config: &Config) -> anyhow::Result<Option<Teams>> {
    let teams = &config.teams;
    let needed = [
        ("TEAMS_APP_ID", teams.app_id.is_some(), "the app registration's Application (client) ID"),
        ("TEAMS_APP_SECRET", teams.app_secret.is_some(), "the value of a client secret of the app registration"),
        ("TEAMS_TENANT_ID", teams.tenant_id.is_some(), "the app registration's Directory (tenant) ID"),
    ];
    let further = [
        ("TEAMS_OPENID_URL", teams.openid_url.is_some()),
        ("TEAMS_LOGIN_URL", teams.login_url.is_some()),
        ("TEAMS_SERVICE_URLS", teams.service_urls.is_some()),
    ];
    let set = needed.iter().map(|(key, set, _)| (*key, *set)).chain(further).find(|(_, set)| *set);
    let Some((set, _)) = set else { return Ok(None) };
    if let Some((missing, _, what)) = needed.iter().find(|(_, set, _)| !set) {
        anyhow::bail!("{set} is set but {missing} is not: {missing} is {what}; Teams needs all three");
    }
    let (Some(app_id), Some(secret), Some(tenant)) = (&teams.app_id, &teams.app_secret, &teams.tenant_id) else {
        return Ok(None);
    };
    let endpoint = |key: &'static str, url: &Option<String>, usual: Endpoint| match url {
        Some(url) => Endpoint::parse(url).context(key),
        None => Ok(usual),
    };
    let services = match &teams.service_urls {
        Some(urls) => ServiceUrls::parse(urls).context("TEAMS_SERVICE_URLS")?,
        None => ServiceUrls::default(),
    };
    let app_id = guid("TEAMS_APP_ID", app_id)?;
    let openid = endpoint("TEAMS_OPENID_URL", &teams.openid_url, Endpoint::openid())?;
    let settings = Settings {
        app_id: app_id.clone(),
        secret: secret.clone(),
        home_tenant: guid("TEAMS_TENANT_ID", tenant)?,
        login: endpoint("TEAMS_LOGIN_URL", &teams.login_url, Endpoint::login())?,
        services: services.clone(),
    };
    let client = Client::new(settings).context("the HTTP client can't be made")?;
    let gate = Gate::new(&app_id, openid, services.clone()).context("the HTTP client can't be made")?;
    Ok(Some(Teams { client, gate, services }))
}

/// An id of Entra's, in the one spelling that Tandem keeps.
pub(super) fn guid(what: &str, text: &str) -> anyhow::Result<String> {
    let id = Uuid::try_parse(text.trim()).map_err(|_| {
        anyhow::anyhow!("{what} is \"{text}\"; expected an id such as 11111111-2222-3333-4444-555555555555")
    })?;
    Ok(id.hyphenated().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_in_one_spelling() {
        let id = "aaaaaaaa-0000-4000-8000-00000000ABCD";
        assert_eq!(guid("x", id).unwrap(), "aaaaaaaa-0000-4000-8000-00000000abcd");
        insta::assert_snapshot!(guid("TEAMS_APP_ID", "tandem").unwrap_err(), @r#"TEAMS_APP_ID is "tandem"; expected an id such as 11111111-2222-3333-4444-555555555555"#);
    }
}
