//! The proof that an activity comes from Microsoft's channel service and was
//! meant for this bot. Stricter than Microsoft's own two validators, which
//! differ from each other (platforms.md, "inbound token"):
//!
//! - RS256 only, by a key of Microsoft's OpenID metadata that is named by its `kid` and endorsed for the activity's
//!   channel; a key without endorsements proves nothing;
//! - `exp` is required; the audience is this app, as a text, not one of several;
//! - the claim `serviceurl` is required and equals the activity's (a slash at its end may differ), and its host is on
//!   our list, before anything is called.
//!
//! What can be judged without a key is judged first, so that a made-up token costs no call out; a token that could be
//! real but names an unknown key costs one call a minute, whoever sends it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::address::{Endpoint, ServiceUrl, ServiceUrls};
use super::client::bounded;
use super::inbound::{CHANNEL, Envelope};

const ISSUER: &str = "https://api.botframework.com";
/// How far Microsoft's clock and ours may be apart, in seconds.
const SKEW: i64 = 300;
/// How long keys are kept without asking again.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Between two questions for keys.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// The same while there is no key at all: nobody could be let in until then.
const ASK_AGAIN_EMPTY: Duration = Duration::from_secs(5);
/// Shorter than Teams waits for the answer to a press.
const FETCH: Duration = Duration::from_secs(3);
/// Metadata and keys stay far below.
const ANSWER_MAX: usize = 1 << 20;
/// The shortest modulus that is believed, in bytes.
const MODULUS: usize = 256;
/// A token is far shorter.
const TOKEN_MAX: usize = 16 << 10;

/// Why an activity is not let in. Says nothing that helps to forge one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    #[error("the bearer token is missing")]
    Missing,
    #[error("the bearer token can't be read")]
    Unreadable,
    #[error("the bearer token is not signed as it has to be")]
    Unsigned,
    #[error("the bearer token is not for this bot, or not for now")]
    NotForUs,
    #[error("the service address is not one that may be called")]
    ServiceUrl,
    /// Nobody can be let in: Microsoft's keys can't be fetched.
    #[error("the keys to check the bearer token with are not there")]
    NoKeys,
}

/// Checks tokens. Cheap to clone: all clones share the keys.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    app_id: String,
    openid: Endpoint,
    services: ServiceUrls,
    http: reqwest::Client,
    known: RwLock<Arc<Known>>,
    /// When keys were last asked for. Whoever holds it asks; the others wait for what comes of it.
    asking: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Known {
    keys: BTreeMap<String, Key>,
    fetched: Option<Instant>,
}

#[derive(Clone)]
struct Key {
    decoding: DecodingKey,
    endorsements: Vec<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: i64,
    nbf: Option<i64>,
    serviceurl: String,
}

impl Gate {
    /// Fails if no TLS provider is installed.
    pub fn new(app_id: &str, openid: Endpoint, services: ServiceUrls) -> Result<Self, reqwest::Error> {
        let http = bounded(FETCH, openid.is_loopback())?;
        let (known, asking) = (RwLock::default(), Mutex::default());
        Ok(Self(Arc::new(Inner { app_id: app_id.to_lowercase(), openid, services, http, known, asking })))
    }

    /// Proves that the activity in this envelope came with this `Authorization` header; the service address that may
    /// be answered at.
    pub async fn admit(
        &self,
        authorization: Option<&str>,
        envelope: &Envelope,
        now: DateTime<Utc>,
    ) -> Result<ServiceUrl, Unproven> {
        let (scheme, token) = authorization.and_then(|text| text.split_once(' ')).ok_or(Unproven::Missing)?;
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
            return Err(Unproven::Missing);
        }
        if token.len() > TOKEN_MAX {
            return Err(Unproven::Unreadable);
        }
        // Algorithms without a name here, such as "none", can't be read at all.
        let header = decode_header(token).map_err(|_| Unproven::Unreadable)?;
        let kid = header.kid.filter(|_| header.alg == Algorithm::RS256).ok_or(Unproven::Unsigned)?;
        let service = self.judge(&unverified(token)?, envelope, now)?;
        let key = self.key(&kid).await?;
        if !key.endorsements.contains(&envelope.channel_id) {
            return Err(Unproven::Unsigned);
        }
        let proven = decode::<Claims>(token, &key.decoding, &signature_only()).map_err(|_| Unproven::Unsigned)?;
        self.judge(&proven.claims, envelope, now)?;
        Ok(service)
    }

    fn judge(&self, claims: &Claims, envelope: &Envelope, now: DateTime<Utc>) -> Result<ServiceUrl, Unproven> {
        let now = now.timestamp();
        let for_us = claims.iss == ISSUER && claims.aud.to_lowercase() == self.0.app_id;
        let for_now = claims.exp >= now - SKEW && claims.nbf.is_none_or(|from| from <= now + SKEW);
        if !for_us || !for_now || envelope.channel_id != CHANNEL {
            return Err(Unproven::NotForUs);
        }
        let bare = |url: &str| url.strip_suffix('/').unwrap_or(url).to_owned();
        if bare(&claims.serviceurl) != bare(&envelope.service_url) {
            return Err(Unproven::ServiceUrl);
        }
        self.0.services.admit(&envelope.service_url).ok_or(Unproven::ServiceUrl)
    }

    /// Asks for Microsoft's keys now, whatever is known: how many there are. For `doctor`.
    pub async fn look(&self) -> anyhow::Result<usize> {
        Ok(self.0.fetch().await?.len())
    }

    async fn key(&self, kid: &str) -> Result<Key, Unproven> {
        let current = |known: &Known| {
            let fresh = known.fetched.is_some_and(|at| at.elapsed() < KEPT);
            known.keys.get(kid).filter(|_| fresh).cloned()
        };
        if let Some(key) = current(&self.known()) {
            return Ok(key);
        }
        let mut asked = self.0.asking.lock().await;
        let known = self.known();
        if let Some(key) = current(&known) {
            return Ok(key);
        }
        let pause = if known.keys.is_empty() { ASK_AGAIN_EMPTY } else { ASK_AGAIN };
        if asked.is_none_or(|at| at.elapsed() >= pause) {
            *asked = Some(Instant::now());
            match self.0.fetch().await {
                Ok(keys) => {
                    let fresh = Known { keys, fetched: Some(Instant::now()) };
                    *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                }
                // The old ones go on: Microsoft's keys outlive a day by far.
                Err(problem) => tracing::warn!(error = format!("{problem:#}"), "Microsoft's keys can't be fetched"),
            }
        }
        let known = self.known();
        match known.keys.get(kid) {
            Some(key) => Ok(key.clone()),
            None if known.keys.is_empty() => Err(Unproven::NoKeys),
            None => Err(Unproven::Unsigned),
        }
    }

    fn known(&self) -> Arc<Known> {
        // A panic while holding this lock cannot leave a pointer half-written.
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Inner {
    async fn fetch(&self) -> anyhow::Result<BTreeMap<String, Key>> {
        #[derive(Deserialize)]
        struct Metadata {
            jwks_uri: String,
        }
        #[derive(Deserialize)]
        struct KeySet {
            keys: Vec<Jwk>,
        }

        let metadata: Metadata = self.read(self.openid.url().as_str()).await?;
        let place = Endpoint::parse(&metadata.jwks_uri)?;
        let set: KeySet = self.read(place.url().as_str()).await?;
        let keys: BTreeMap<String, Key> = set.keys.into_iter().filter_map(Jwk::key).collect();
        anyhow::ensure!(!keys.is_empty(), "there is no usable key among them");
        Ok(keys)
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, url: &str) -> anyhow::Result<T> {
        let mut response = self.http.get(url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            anyhow::ensure!(body.len() + chunk.len() <= ANSWER_MAX, "the answer is too long");
            body.extend_from_slice(&chunk);
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    #[serde(default)]
    endorsements: Vec<String>,
}

impl Jwk {
    /// `None` for keys of another kind, or too short to be believed.
    fn key(self) -> Option<(String, Key)> {
        let (kid, n, e) = (self.kid?, self.n?, self.e?);
        let long_enough = BASE64_URL_SAFE_NO_PAD.decode(&n).is_ok_and(|modulus| modulus.len() >= MODULUS);
        let decoding = DecodingKey::from_rsa_components(&n, &e).ok()?;
        (self.kty == "RSA" && long_enough).then_some((kid, Key { decoding, endorsements: self.endorsements }))
    }
}

/// The claims as they are claimed.
fn unverified(token: &str) -> Result<Claims, Unproven> {
    let payload = token.split('.').nth(1).ok_or(Unproven::Unreadable)?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|_| Unproven::Unreadable)?;
    // What lacks a claim, such as its end, or names several audiences, is not for us.
    serde_json::from_slice(&bytes).map_err(|_| Unproven::NotForUs)
}

/// Claims are judged by [`Gate::judge`]: it is told the time instead of asking the machine for it.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}
