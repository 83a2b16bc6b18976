//! A small Microsoft side over real HTTP: OpenID metadata and keys, the login,
//! and the Bot Connector. Records every call, keeps what was posted, and makes
//! the trouble that it is told to make. Whoever calls without its token is
//! refused; by itself it enforces nothing else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tandem::clock::Clock;

pub(crate) const APP_ID: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const SECRET: &str = "a-client-secret";
pub(crate) const HOME: &str = "99999999-0000-4000-8000-00000000aaaa";
const ISSUER: &str = "https://api.botframework.com";

/// Two keys made for these tests, with their moduli.
const KEYS: [(&str, &[u8], &str); 2] = [
    (
        "main",
        include_bytes!("teams_main.der"),
        "b5cf897a8ed5a1bca40c8cbb324daeda0620fa1955d111f62b95925df2db1a92e41b192303f71d81a3e84f216811c614692985b716c0a9d4cbf798a4c5f198ab34295de2bc950fbffe315baa672d02c76455e7fa1e72e54dddeb2c0dee1058427fcc2f2631009e57d7d084e3adfb1f80dc96c8b4deed458369cffdea195874601f2a4e2ae9c112c1f3eba336ccbf719736a64635cad13c87bc859bf40bc8f92b1952bea325ee72e3897bf794120374811dcb5f4bce902e25acb83fa481375a44dae7035ec599f16564bec89aba424a000fbd3c397ae0f1a496168e88279aeba37dbf95317b8b4b71f0084d5bc5136472f78e4e7eeeb428eff591a4a5a09ebe11",
    ),
    (
        "next",
        include_bytes!("teams_next.der"),
        "cd22d19da04fdf5ef7cc66657ef684bceda307a313cb3ac0bdd37f8adc7d530e321fbd2efc892b198747c3e7370b01b6884e4ea1a69b08d4015a5c0c13f5761835206c0d8bf76fbd4fb58852dac6bb62c26c26ca2e785dd0cfccb981d062f130ac876a5df79c92ffe50b0a3ff8eb13e1edb4ff4c9cdab6f291c5518a6ecca49e96fd3623cc54a93c602e088d4b43ebf8ed2149d8eb32f8889aad76432cf73956a82cbec22504cd65a68e6187324abe088d0f5ffb60d180077bb2556ba0ef537191ae7488423d70f5384d893ac2a84c2a542ae724f5b2b2af4e8e2d61292d8a7a5b41d0d2584dc8496fd0ca5d3712ef20f66f560bb399184f7245b7df3c2b7293",
    ),
];

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// 429 with this Retry-After, in seconds.
    RateLimited(u64),
    /// Done all the same, then this status.
    DoneThen(u16),
    /// This status and code; nothing is done.
    Refused(u16, &'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// openid, keys, token, post, update, open, members or member.
    pub(crate) kind: String,
    pub(crate) conversation: String,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

/// An activity as it stands in a conversation now.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) conversation: String,
    pub(crate) id: String,
    pub(crate) activity: Value,
}

#[derive(Default)]
struct Inside {
    calls: Vec<Call>,
    standing: Vec<Standing>,
    seen: BTreeSet<String>,
    next: BTreeMap<String, VecDeque<Trouble>>,
    always: BTreeMap<String, Trouble>,
    /// Fields over those of a usual colleague, by conversation.
    members: BTreeMap<String, Vec<Value>>,
    /// Conversations in which every call is refused, with a status and a code.
    closed: BTreeMap<String, (u16, &'static str)>,
    published: Vec<&'static str>,
    tokens: u64,
    /// The regions that were called, one a call.
    regions: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct FakeTeams {
    inside: Arc<Mutex<Inside>>,
    clock: Arc<dyn Clock>,
    url: String,
}

impl FakeTeams {
    pub(crate) async fn start(clock: Arc<dyn Clock>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("the port"));
        let teams = Self { inside: Arc::default(), clock, url };
        teams.inside().published = vec!["main"];
        let router = Router::new()
            .route("/openid", get(openid))
            .route("/keys", get(keys))
            .route("/{tenant}/oauth2/v2.0/token", post(token))
            .route("/v3/{*rest}", any(connector))
            .route("/{tenant}/v3/{*rest}", any(regional))
            .with_state(teams.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        teams
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("the fake Teams")
    }

    /// The next call of this kind meets this; further ones after it, in order.
    pub(crate) fn once(&self, kind: &str, trouble: Trouble) {
        self.inside().next.entry(kind.to_owned()).or_default().push_back(trouble);
    }

    pub(crate) fn always(&self, kind: &str, trouble: Trouble) {
        self.inside().always.insert(kind.to_owned(), trouble);
    }

    pub(crate) fn forget_troubles(&self) {
        let mut inside = self.inside();
        inside.next.clear();
        inside.always.clear();
    }

    /// Whoever has this chat blocks the app.
    pub(crate) fn block(&self, conversation: &str) {
        self.close(conversation, 403, "MessageWritesBlocked");
    }

    /// Every call there is refused from now on.
    pub(crate) fn close(&self, conversation: &str, status: u16, code: &'static str) {
        self.inside().closed.insert(conversation.to_owned(), (status, code));
    }

    pub(crate) fn unblock(&self, conversation: &str) {
        self.inside().closed.remove(conversation);
    }

    /// Microsoft signs with another key from now on.
    pub(crate) fn rotate(&self) {
        self.inside().published = vec!["next"];
    }

    /// Who is in a conversation, over one usual colleague.
    pub(crate) fn members(&self, conversation: &str, members: Vec<Value>) {
        self.inside().members.insert(conversation.to_owned(), members);
    }

    pub(crate) fn calls(&self, kind: &str) -> Vec<Call> {
        self.inside().calls.iter().filter(|call| call.kind == kind).cloned().collect()
    }

    /// The regions of the service addresses that were called.
    pub(crate) fn regions(&self) -> BTreeSet<String> {
        self.inside().regions.iter().cloned().collect()
    }

    /// Everything that stands in Teams, in the order in which it was accepted.
    pub(crate) fn standing(&self) -> Vec<Standing> {
        self.inside().standing.clone()
    }

    /// What stands in a conversation and was not looked at yet; it is looked at from now on.
    pub(crate) fn news(&self, conversation: &str) -> Vec<Standing> {
        let mut inside = self.inside();
        let news: Vec<Standing> = inside
            .standing
            .iter()
            .filter(|one| one.conversation == conversation && !inside.seen.contains(&one.id))
            .cloned()
            .collect();
        inside.seen.extend(news.iter().map(|one| one.id.clone()));
        news
    }

    /// What nobody looked at: conversation and summary or text.
    pub(crate) fn unseen(&self) -> Vec<(String, String)> {
        let inside = self.inside();
        let words = |one: &Standing| {
            let said = one.activity["summary"].as_str().or(one.activity["text"].as_str());
            (one.conversation.clone(), said.unwrap_or_default().to_owned())
        };
        inside.standing.iter().filter(|one| !inside.seen.contains(&one.id)).map(words).collect()
    }

    pub(crate) fn skip(&self) {
        let mut inside = self.inside();
        let all: Vec<String> = inside.standing.iter().map(|one| one.id.clone()).collect();
        inside.seen.extend(all);
    }

    /// The claims of a token that Microsoft would send with this activity.
    pub(crate) fn claims(&self, activity: &Value) -> Value {
        let now = self.clock.now().timestamp();
        json!({"iss": ISSUER, "aud": APP_ID, "nbf": now - 30, "exp": now + 3600, "serviceurl": activity["serviceUrl"]})
    }

    /// Signs claims with one of the keys.
    pub(crate) fn sign(key: &str, claims: &Value) -> String {
        let (kid, der, _) = KEYS.iter().find(|(kid, ..)| *kid == key).expect("a key");
        let header = Header { kid: Some((*kid).to_owned()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_rsa_der(der)).expect("a token")
    }

    fn take(&self, kind: &str, conversation: &str, body: &Value) -> Option<Trouble> {
        let mut inside = self.inside();
        let once = inside.next.get_mut(kind).and_then(VecDeque::pop_front);
        inside.calls.push(Call {
            kind: kind.to_owned(),
            conversation: conversation.to_owned(),
            body: body.clone(),
            at: Instant::now(),
        });
        once.or_else(|| inside.always.get(kind).copied())
    }

    fn act(&self, kind: &str, parts: &[&str], body: &Value) -> (StatusCode, Value) {
        let mut inside = self.inside();
        let conversation = parts.get(1).copied().unwrap_or_default().to_owned();
        match kind {
            "open" => {
                let user = body["members"][0]["id"].as_str().unwrap_or_default();
                (
                    StatusCode::CREATED,
                    json!({"id": format!("a:{}", user.trim_start_matches("aad-").trim_start_matches("29:"))}),
                )
            }
            "post" => {
                let id = format!("17{:05}", inside.standing.len());
                inside.standing.push(Standing { conversation, id: id.clone(), activity: body.clone() });
                (StatusCode::CREATED, json!({"id": id}))
            }
            "update" => {
                let at = inside.standing.iter_mut().find(|one| one.conversation == conversation && one.id == parts[3]);
                let Some(one) = at else {
                    return (StatusCode::NOT_FOUND, json!({"error": {"code": "ActivityNotFoundInConversation"}}));
                };
                one.activity = body.clone();
                (StatusCode::OK, json!({"id": parts[3]}))
            }
            "members" | "member" => {
                let usual = vec![json!({"id": "29:dana", "email": "dana@x.eu", "userRole": "user"})];
                let all = inside.members.get(&conversation).cloned().unwrap_or(usual);
                if kind == "members" {
                    return (StatusCode::OK, json!({"members": all}));
                }
                // 29:dana is dana@x.eu, unless somebody said otherwise.
                let said = inside
                    .members
                    .get(&conversation)
                    .and_then(|all| all.iter().find(|one| one["id"] == parts[3]).cloned());
                let name = parts[3].trim_start_matches("29:");
                let usual = json!({"id": parts[3], "email": format!("{name}@x.eu"), "userRole": "user"});
                (StatusCode::OK, said.unwrap_or(usual))
            }
            _ => (StatusCode::NOT_FOUND, json!({"error": {"code": "NotFound"}})),
        }
    }
}

async fn openid(State(teams): State<FakeTeams>) -> Response {
    match teams.take("openid", "", &Value::Null) {
        Some(Trouble::Refused(status, _)) => StatusCode::from_u16(status).expect("a status").into_response(),
        _ => axum::Json(json!({"issuer": ISSUER, "jwks_uri": format!("{}keys", teams.url)})).into_response(),
    }
}

async fn keys(State(teams): State<FakeTeams>) -> Response {
    teams.take("keys", "", &Value::Null);
    let published = teams.inside().published.clone();
    let jwk = |(kid, _, modulus): &(&str, &[u8], &str)| {
        let n = BASE64_URL_SAFE_NO_PAD.encode(hex::decode(modulus).expect("a modulus"));
        json!({"kty": "RSA", "use": "sig", "kid": kid, "n": n, "e": "AQAB", "endorsements": ["msteams"]})
    };
    let mut set: Vec<Value> = KEYS.iter().filter(|(kid, ..)| published.contains(kid)).map(jwk).collect();
    // The same key again: for another channel, for none, and too short to be believed.
    if let Some(main) = set.first().cloned() {
        for (kid, endorsements) in [("web", json!(["webchat"])), ("bare", Value::Null)] {
            let mut other = main.clone();
            (other["kid"], other["endorsements"]) = (kid.into(), endorsements);
            if other["endorsements"].is_null() {
                other.as_object_mut().expect("a key").remove("endorsements");
            }
            set.push(other);
        }
        let mut short = main;
        (short["kid"], short["n"]) = ("short".into(), BASE64_URL_SAFE_NO_PAD.encode([0xc1; 64]).into());
        set.push(short);
    }
    axum::Json(json!({"keys": set})).into_response()
}

async fn token(State(teams): State<FakeTeams>, Path(tenant): Path<String>, body: Bytes) -> Response {
    let form: BTreeMap<String, String> =
        url::form_urlencoded::parse(&body).map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    let right = tenant == HOME
        && form.get("client_id").is_some_and(|id| id == APP_ID)
        && form.get("client_secret").is_some_and(|secret| secret == SECRET)
        && form.get("scope").is_some_and(|scope| scope == "https://api.botframework.com/.default")
        && form.get("grant_type").is_some_and(|grant| grant == "client_credentials");
    teams.take("token", "", &Value::Null);
    if !right {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({"error": "invalid_client"}))).into_response();
    }
    let number = {
        let mut inside = teams.inside();
        inside.tokens += 1;
        inside.tokens
    };
    axum::Json(json!({"token_type": "Bearer", "expires_in": 3600, "access_token": format!("token-{number}")}))
        .into_response()
}

/// The same under another service address, which is kept with the call.
async fn regional(
    state: State<FakeTeams>,
    method: Method,
    Path((region, rest)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    state.0.inside().regions.push(region);
    connector(state, method, Path(rest), headers, body).await
}

async fn connector(
    State(teams): State<FakeTeams>,
    method: Method,
    Path(rest): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parts: Vec<&str> = rest.split('/').collect();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let kind = match (method.as_str(), parts.as_slice()) {
        ("POST", ["conversations"]) => "open",
        ("POST", ["conversations", _, "activities"]) => "post",
        ("PUT", ["conversations", _, "activities", _]) => "update",
        ("GET", ["conversations", _, "pagedmembers"]) => "members",
        ("GET", ["conversations", _, "members", _]) => "member",
        _ => "unknown",
    };
    let trouble = teams.take(kind, parts.get(1).copied().unwrap_or_default(), &body);
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let current = format!("Bearer token-{}", teams.inside().tokens);
    if bearer != current {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({"error": {"code": "Unauthorized"}}))).into_response();
    }
    let closed = parts.get(1).and_then(|root| teams.inside().closed.get(*root).copied());
    if let Some((status, code)) = closed {
        let status = StatusCode::from_u16(status).expect("a status");
        return (status, axum::Json(json!({"error": {"code": code}}))).into_response();
    }
    let (status, answer) = match trouble {
        None => teams.act(kind, &parts, &body),
        Some(Trouble::RateLimited(seconds)) => {
            let answer = axum::Json(json!({"error": {"code": "TooManyRequests"}}));
            return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())], answer)
                .into_response();
        }
        Some(Trouble::DoneThen(status)) => {
            teams.act(kind, &parts, &body);
            (StatusCode::from_u16(status).expect("a status"), json!({"error": {"code": "GatewayTimeout"}}))
        }
        Some(Trouble::Refused(status, code)) => {
            (StatusCode::from_u16(status).expect("a status"), json!({"error": {"code": code}}))
        }
    };
    (status, axum::Json(answer)).into_response()
}
