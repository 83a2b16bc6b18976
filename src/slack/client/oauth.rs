//! OAuth v2: a code, or a refresh token, for tokens. Called as the app, not as a workspace.

use std::fmt;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::{Client, Error, answer};

/// The app's own credentials.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    pub client_id: String,
    pub client_secret: SecretString,
}

/// What a workspace granted.
#[derive(Debug, Clone)]
pub struct Grant {
    pub access_token: SecretString,
    /// With token rotation alone; good for one use.
    pub refresh_token: Option<SecretString>,
    /// With token rotation alone: 12 hours.
    pub expires_in: Option<Duration>,
    pub scopes: Vec<String>,
    pub bot_user_id: String,
    /// Id and name; `None` for an organisation-wide installation.
    pub team: Option<(String, String)>,
    pub enterprise_id: Option<String>,
    /// Slack's id of whoever installed it; `None` in a refresh.
    pub installed_by: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    bot_user_id: String,
    team: Option<Named>,
    enterprise: Option<Named>,
    authed_user: Option<Named>,
    #[serde(default)]
    is_enterprise_install: bool,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer(…)")
    }
}

impl From<Answer> for Grant {
    fn from(answer: Answer) -> Self {
        let team = answer.team.filter(|_| !answer.is_enterprise_install);
        Self {
            access_token: answer.access_token.into(),
            refresh_token: answer.refresh_token.filter(|token| !token.is_empty()).map(Into::into),
            expires_in: answer.expires_in.filter(|seconds| *seconds > 0).map(Duration::from_secs),
            scopes: answer.scope.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect(),
            bot_user_id: answer.bot_user_id,
            team: team.map(|team| (team.id.clone(), team.name.unwrap_or(team.id))),
            enterprise_id: answer.enterprise.map(|enterprise| enterprise.id),
            installed_by: answer.authed_user.map(|user| user.id),
        }
    }
}

impl Client {
    /// Where somebody is sent to let the app into their workspace.
    pub fn consent_url(&self, app: &AppCredentials, scopes: &[String], state: &str, redirect_uri: &str) -> String {
        let mut url = self.settings.api.consent();
        url.query_pairs_mut()
            .append_pair("client_id", &app.client_id)
            .append_pair("scope", &scopes.join(","))
            .append_pair("state", state)
            .append_pair("redirect_uri", redirect_uri);
        url.into()
    }

    /// The tokens for a code that Slack sent along when somebody agreed; it lives 10 minutes and works once.
    pub async fn exchange(&self, app: &AppCredentials, code: &str, redirect_uri: &str) -> Result<Grant, Error> {
        self.as_app(app, &[("code", code), ("redirect_uri", redirect_uri)]).await
    }

    /// New tokens for old: the refresh token is used up by this.
    pub async fn refresh(&self, app: &AppCredentials, refresh_token: &SecretString) -> Result<Grant, Error> {
        let token = refresh_token.expose_secret();
        self.as_app(app, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// Gives a token back that is not to be used.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Done {}
        answer::<Done>(self.request(token, "auth.revoke")?).await.map(drop)
    }

    async fn as_app(&self, app: &AppCredentials, arguments: &[(&str, &str)]) -> Result<Grant, Error> {
        let body = Serializer::new(String::new()).extend_pairs(arguments).finish();
        let request = self
            .http
            .post(self.settings.api.method("oauth.v2.access"))
            // In a header, where no proxy's log has it.
            .basic_auth(&app.client_id, Some(app.client_secret.expose_secret()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        answer::<Answer>(request).await.map(|(_, answer)| answer.into())
    }
}
