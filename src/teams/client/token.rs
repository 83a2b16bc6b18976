//! The bot's own token: client credentials of the home tenant, kept until
//! shortly before its end, and asked for once however many want it.

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{Error, Settings, read, wait};

const SCOPE: &str = "https://api.botframework.com/.default";
/// How long before its end a token is renewed; a fifth of its life where it lives shorter than this allows.
const EARLY: Duration = Duration::from_secs(300);

pub(super) struct Tokens {
    http: reqwest::Client,
    settings: Settings,
    /// Whoever holds it asks; the others wait for what comes of it.
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    token: SecretString,
    until: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Tokens {
    pub(super) fn new(http: reqwest::Client, settings: Settings) -> Self {
        Self { http, settings, kept: Mutex::default() }
    }

    pub(super) async fn get(&self) -> Result<SecretString, Error> {
        self.but_not(None).await
    }

    /// Another token than this one, which was not accepted.
    pub(super) async fn renew(&self, refused: &SecretString) -> Result<SecretString, Error> {
        self.but_not(Some(refused)).await
    }

    async fn but_not(&self, refused: Option<&SecretString>) -> Result<SecretString, Error> {
        let mut kept = self.kept.lock().await;
        let usable = |kept: &&Kept| {
            let other = refused.is_none_or(|refused| refused.expose_secret() != kept.token.expose_secret());
            other && Instant::now() < kept.until
        };
        if let Some(kept) = kept.as_ref().filter(usable) {
            return Ok(kept.token.clone());
        }
        let asked = Instant::now();
        let granted = self.ask().await?;
        let life = Duration::from_secs(granted.expires_in.min(24 * 3600));
        let until = asked + life.saturating_sub(EARLY).max(life * 4 / 5);
        let token = SecretString::from(granted.access_token);
        *kept = Some(Kept { token: token.clone(), until });
        Ok(token)
    }

    async fn ask(&self) -> Result<Granted, Error> {
        let Settings { app_id, secret, home_tenant, login, .. } = &self.settings;
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", app_id),
            ("client_secret", secret.expose_secret()),
            ("scope", SCOPE),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(login.token_of(home_tenant)).body(body);
        let request = request.header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        // Whatever goes wrong here, nothing was sent to anybody.
        let unsent = |error| match error {
            Error::Transient { reason, retry_after, .. } => Error::Transient { reason, maybe_sent: false, retry_after },
            other => other,
        };
        let response = request.send().await.map_err(|error| unsent(Error::from_attempt(&error)))?;
        let (status, headers, bytes) = read(response).await.map_err(unsent)?;
        if !status.is_success() {
            return Err(match unsent(Error::from_status(status, wait(&headers), &bytes)) {
                // Entra answers 400 to an unknown app or tenant, 401 to a wrong secret.
                Error::Rejected(code) | Error::Gone(code) | Error::Unreachable(code) => Error::Unauthorized(code),
                other => other,
            });
        }
        serde_json::from_slice(&bytes).map_err(|_| Error::transient("the login's answer is no token", false))
    }
}
