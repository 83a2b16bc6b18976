//! Letting Tandem into a workspace: OAuth v2 in a browser.
//!
//! The `state` that goes to Slack and back is signed, lives ten minutes, stands in a cookie of the browser that asked
//! for it, and works once. So nobody can have somebody else's browser finish an install that they began, and asking
//! for a link stores nothing.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::SlackDoor;
use crate::domain::message::{Message, install};
use crate::http::Http;
use crate::http::ask::reference;
use crate::preview::notice;
use crate::slack::client::AppCredentials;
use crate::slack::manifest;
use crate::store::directory;
use crate::tokens::{Error, Outcome};

/// How long somebody may take to read Slack's page and agree; Slack's code lives as long.
const LIVES: TimeDelta = TimeDelta::minutes(10);
const COOKIE_NAME: &str = "tandem_install";
/// Random bytes of a link, before its end and its signature.
const NONCE: usize = 16;

/// What installing needs.
#[derive(Debug, Clone)]
pub struct Install {
    pub credentials: AppCredentials,
    /// The service's public address.
    pub base_url: String,
}

impl Install {
    fn redirect_uri(&self) -> String {
        format!("{}/slack/oauth/callback", self.base_url.trim_end_matches('/'))
    }

    /// Browsers send it back over https alone where it was set over https.
    fn cookie(&self, value: &str, seconds: i64) -> String {
        let secure = if self.base_url.starts_with("https://") { "; Secure" } else { "" };
        format!("{COOKIE_NAME}={value}; Path=/slack/oauth; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }

    fn signature(&self, nonce: &[u8], expires: &[u8]) -> Vec<u8> {
        let secret = self.credentials.client_secret.expose_secret().as_bytes();
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
        mac.update(b"tandem install link");
        mac.update(nonce);
        mac.update(expires);
        mac.finalize().into_bytes().to_vec()
    }

    fn new_link(&self, now: DateTime<Utc>) -> String {
        let nonce: [u8; NONCE] = rand::random();
        let expires = (now + LIVES).timestamp().to_be_bytes();
        let signature = self.signature(&nonce, &expires);
        BASE64_URL_SAFE_NO_PAD.encode([nonce.as_slice(), &expires, &signature].concat())
    }

    /// Until when this link of ours holds; `None` where it is not ours or holds no more.
    fn holds(&self, link: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(link).ok()?;
        let (nonce, rest) = bytes.split_at_checked(NONCE)?;
        let (expires, signature) = rest.split_at_checked(8)?;
        let right: bool = self.signature(nonce, expires).ct_eq(signature).into();
        let until = DateTime::from_timestamp(i64::from_be_bytes(expires.try_into().ok()?), 0)?;
        (right && until > now).then_some(until)
    }
}

/// What Slack adds to the way back.
#[derive(Deserialize)]
pub(in crate::http) struct Returned {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

pub(in crate::http) async fn start(State(http): State<Http>) -> Response {
    let Some((slack, install)) = parts(&http) else { return StatusCode::NOT_FOUND.into_response() };
    let link = install.new_link(http.app.now());
    let scopes = manifest::bot_scopes();
    let to = slack.client.consent_url(&install.credentials, &scopes, &link, &install.redirect_uri());
    let cookie = install.cookie(&link, LIVES.num_seconds());
    (StatusCode::FOUND, [(LOCATION, to), (SET_COOKIE, cookie)]).into_response()
}

pub(in crate::http) async fn finish(
    State(http): State<Http>,
    headers: HeaderMap,
    returned: Result<Query<Returned>, QueryRejection>,
) -> Response {
    let Some((slack, install)) = parts(&http) else { return StatusCode::NOT_FOUND.into_response() };
    let (status, message) = match returned {
        Ok(Query(returned)) => answer(&http, slack, install, &headers, returned).await,
        Err(_) => (StatusCode::BAD_REQUEST, install::stale(&install.base_url)),
    };
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, notice::content_security_policy()),
        (SET_COOKIE, install.cookie("", 0)),
    ];
    (status, headers, notice::notice(&message)).into_response()
}

fn parts(http: &Http) -> Option<(&SlackDoor, &Install)> {
    let slack = http.slack.as_ref()?;
    Some((slack, slack.install.as_ref()?))
}

async fn answer(
    http: &Http,
    slack: &SlackDoor,
    install: &Install,
    headers: &HeaderMap,
    returned: Returned,
) -> (StatusCode, Message) {
    let base = install.base_url.as_str();
    let stale = || (StatusCode::FORBIDDEN, install::stale(base));
    let (Some(state), Some(begun)) = (returned.state, cookie(headers)) else { return stale() };
    let same: bool = state.as_bytes().ct_eq(begun.as_bytes()).into();
    let Some(until) = install.holds(&state, http.app.now()).filter(|_| same) else { return stale() };
    match use_up(http, &state, until).await {
        Ok(true) => {}
        Ok(false) => return stale(),
        Err(error) => return unexpected(&error, base),
    }
    let code = match (returned.code, returned.error.as_deref()) {
        (_, Some("access_denied")) => return (StatusCode::OK, install::cancelled(base)),
        (_, Some(error)) => return (StatusCode::BAD_REQUEST, install::refused(&printable(error), base)),
        (None, None) => return (StatusCode::BAD_REQUEST, install::refused("no code", base)),
        (Some(code), None) => code,
    };
    match slack.tokens.install(&code, &install.redirect_uri()).await {
        Ok(Some(Outcome::Installed { name, org: Some(_), .. })) => (StatusCode::OK, install::done(&name)),
        Ok(Some(Outcome::Installed { team, name, org: None })) => {
            (StatusCode::OK, install::done_unlinked(&name, &team))
        }
        Ok(Some(Outcome::OrganisationWide)) => (StatusCode::BAD_REQUEST, install::organisation_wide(base)),
        Ok(None) => (StatusCode::NOT_FOUND, install::stale(base)),
        Err(Error::Slack(error)) => {
            tracing::warn!(%error, "Slack did not complete an installation");
            (StatusCode::BAD_GATEWAY, install::refused(&error.to_string(), base))
        }
        Err(error) => unexpected(&anyhow::Error::from(error), base),
    }
}

fn unexpected(error: &anyhow::Error, base: &str) -> (StatusCode, Message) {
    let reference = reference();
    tracing::error!(reference, error = format!("{error:#}"), "an installation could not be kept");
    (StatusCode::SERVICE_UNAVAILABLE, install::failed(&reference, base))
}

/// Slack's codes are short words; anything else came from somebody else.
fn printable(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).take(60).collect()
}

/// The link that this browser began with, where it sends exactly one.
fn cookie(headers: &HeaderMap) -> Option<String> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='));
    let value = values.next()?;
    values.next().is_none().then(|| value.to_owned())
}

async fn use_up(http: &Http, link: &str, until: DateTime<Utc>) -> anyhow::Result<bool> {
    let mut tx = http.app.store.directory().await?;
    let first = directory::use_install_link(&mut tx, &Sha256::digest(link), until, http.app.now()).await?;
    tx.commit().await?;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(base_url: &str) -> Install {
        let credentials = AppCredentials { client_id: "1.2".into(), client_secret: "secret".into() };
        Install { credentials, base_url: base_url.into() }
    }

    #[test]
    fn a_link_holds_ten_minutes_and_only_as_it_was_made() {
        let (install, now) = (install("https://a.example"), DateTime::from_timestamp(1_790_000_000, 0).unwrap());
        let link = install.new_link(now);
        assert_eq!(install.holds(&link, now), Some(now + LIVES));
        assert_eq!(install.holds(&link, now + LIVES - TimeDelta::seconds(1)), Some(now + LIVES));
        assert_eq!(install.holds(&link, now + LIVES), None);
        assert_ne!(link, install.new_link(now));
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&link).unwrap();
        // A later end under the same signature.
        bytes[NONCE + 7] ^= 1;
        assert_eq!(install.holds(&BASE64_URL_SAFE_NO_PAD.encode(&bytes), now), None);
        for strange in ["", "x", "AAAA", &link[..link.len() - 4], "%%%"] {
            assert_eq!(install.holds(strange, now), None, "{strange}");
        }
        let other = Install {
            credentials: AppCredentials { client_secret: "other".into(), ..install.credentials.clone() },
            ..install.clone()
        };
        assert_eq!(other.holds(&link, now), None);
    }

    #[test]
    fn the_cookie_is_for_its_way_alone() {
        insta::assert_snapshot!(install("https://a.example").cookie("x", 600), @"tandem_install=x; Path=/slack/oauth; Max-Age=600; HttpOnly; SameSite=Lax; Secure");
        insta::assert_snapshot!(install("http://127.0.0.1:8080").cookie("", 0), @"tandem_install=; Path=/slack/oauth; Max-Age=0; HttpOnly; SameSite=Lax");
        let sent = |lines: &[&str]| {
            let pairs = lines.iter().map(|line| (COOKIE, line.parse().unwrap()));
            cookie(&HeaderMap::from_iter(pairs))
        };
        assert_eq!(sent(&["a=b; tandem_install=x"]).as_deref(), Some("x"));
        assert_eq!(sent(&["tandem_install=x; tandem_install=y"]), None);
        assert_eq!(sent(&["tandem_installed=x"]), None);
    }
}
