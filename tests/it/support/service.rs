//! The service as it runs, over real HTTP on a database of its own, and those who call it.

use std::net::SocketAddr;
use std::sync::{Arc, Once};
use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use tandem::app::App;
use tandem::app::organisation::{self, NewOrganisation};
use tandem::clock::{Clock as _, MockClock};
use tandem::domain::person::OrgId;
use tandem::domain::routing::Model;
use tandem::http::{Drain, Http, Install, Metrics, SlackDoor, router, serve};
use tandem::slack::address::ApiUrl;
use tandem::slack::client::{AppCredentials, Client, Settings};
use tandem::store::Store;
use tandem::tokens::{Bot, Tokens};
use tandem::vault::{Key, MasterKeys};

use super::PATIENCE;
use super::cluster::{self, TestDb};
use super::fake_slack::FakeSlack;

pub(crate) const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

/// Installs the TLS provider, once a process: no client can be built without one.
pub(crate) fn tls() {
    static TLS: Once = Once::new();
    TLS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// The service as it runs, on a database of its own.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) http: reqwest::Client,
    pub(crate) store: Store,
    pub(crate) slack: FakeSlack,
    pub(crate) db: TestDb,
    pub(crate) clock: MockClock,
    /// What stands behind the routes.
    pub(crate) door: Http,
    pub(crate) app: App,
    pub(crate) client: Client,
    pub(crate) tokens: Tokens,
}

impl Service {
    /// For one workspace, T1.
    pub(crate) async fn start() -> Self {
        Self::start_with(PATIENCE).await
    }

    /// The same; callers wait so long for a connection.
    pub(crate) async fn start_with(patience: Duration) -> Self {
        let bot = Bot { token: "xoxb-test".into(), team: "T1".into() };
        Self::with(patience, |client, _| (Tokens::configured(client, Some(bot)), None)).await
    }

    /// For whatever workspace installs it, and for T1.
    pub(crate) async fn for_many() -> Self {
        Self::with(PATIENCE, |client, app| {
            let bot = Bot { token: "xoxb-test".into(), team: "T1".into() };
            let credentials = AppCredentials { client_id: "1.2".into(), client_secret: "s3".into() };
            let keys = MasterKeys::parse(&Key::random().to_base64()).unwrap();
            let tokens = Tokens::with_installations(client, Some(bot), app, keys, credentials.clone());
            (tokens, Some(Install { credentials, base_url: "https://tandem.example.com".into() }))
        })
        .await
    }

    async fn with(patience: Duration, slack: impl FnOnce(Client, App) -> (Tokens, Option<Install>)) -> Self {
        tls();
        let db = cluster::database().await;
        let store = db.store_with(patience).await;
        let clock = MockClock::new(now());
        let fake = FakeSlack::start(Arc::new(clock.clone())).await;
        let api_url = ApiUrl::parse(fake.url()).unwrap();
        let client = Client::new(Settings { api: api_url.clone(), ..Settings::default() }).unwrap();
        let drain = Drain::new();
        let apps = [store.clone(), store.beside(2)].map(|store| App::new(store, Arc::new(clock.clone())));
        let [app, api] = apps;
        let (tokens, install) = slack(client.clone(), app.clone());
        let slack = SlackDoor::new(vec![SECRET.into()], api_url, client.clone(), tokens.clone(), install);
        let http = Http::new(app.clone(), api, Some(slack), Metrics::install().unwrap(), drain.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = http.clone();
        tokio::spawn(serve(listener, router(http), drain, std::future::pending()));
        let http = http_client();
        Self { address, http, store, slack: fake, db, clock, door, app, client, tokens }
    }

    pub(crate) async fn organisation(&self, slug: &str) -> (OrgId, String) {
        let new = NewOrganisation {
            slug: slug.into(),
            name: slug.to_uppercase(),
            model: Model::Pair,
            timezone: chrono_tz::Europe::Berlin,
            currency: "EUR".parse().unwrap(),
        };
        let made = organisation::create(&self.store, new, now()).await.unwrap();
        let key = organisation::create_key(&self.store, made.id, "crm", now()).await.unwrap();
        (made.id, key)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        answer(self.http.get(self.url(path))).await
    }

    pub(crate) fn signed(&self, path: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
        let body = body.into();
        let at = self.clock.now().timestamp();
        let headers = headers(&at.to_string(), &sign(at, &body));
        self.http.post(self.url(path)).headers(headers).body(body)
    }

    pub(crate) fn push(&self, key: &str, kind: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.http.post(self.url(&format!("/api/v1/{kind}"))).bearer_auth(key).body(body)
    }

    pub(crate) async fn count(&self, org: OrgId, event: &str) -> usize {
        let mut tx = self.store.tenant(org).await.unwrap();
        let events = tandem::store::audit::recent(&mut tx, 1000).await.unwrap();
        events.iter().filter(|found| found.event == event).count()
    }
}

/// A connection for each request: one kept open may be closed by the server, which waits for nobody, just as it is used.
pub(crate) fn http_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).pool_max_idle_per_host(0).build().unwrap()
}

pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, String) {
    let response = request.send().await.expect("an answer");
    (response.status(), response.text().await.expect("its text"))
}

pub(crate) async fn status(request: RequestBuilder) -> u16 {
    answer(request).await.0.as_u16()
}

pub(crate) async fn report(request: RequestBuilder) -> (u16, Value) {
    let (status, text) = answer(request).await;
    (status.as_u16(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: no JSON: {text}")))
}

pub(crate) fn sign(timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{timestamp}:").as_bytes());
    mac.update(body);
    format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}

pub(crate) fn headers(timestamp: &str, signature: &str) -> HeaderMap {
    let pairs = [("x-slack-request-timestamp", timestamp), ("x-slack-signature", signature)];
    pairs
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}
