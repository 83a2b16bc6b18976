//! What is reachable over HTTP: Slack's and Teams' webhooks, the push API, health, and the
//! demo's page (`demo`).
//!
//! Everything from outside passes the same way: a body limit before anything is
//! read or checked, then the proof of who sent it, then one own value that says
//! what was asked for; only then a use case. Webhooks and the push API have each
//! a pool of connections and a budget of memory for bodies of their own, so that
//! neither can starve the other (reliability.md, 12 and 15).

mod api;
mod ask;
mod body;
pub mod demo;
mod health;
mod limit;
mod serve;
mod slack;
mod teams;
mod unread;

use std::any::Any;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower::ServiceBuilder;
use tower::util::MapResponseLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use tracing::Instrument;

use uuid::Uuid;

use crate::app::App;
use crate::domain::person::OrgId;
use body::Budget;
use limit::{Rates, Turns};

pub use health::Metrics;
pub use serve::{Drain, serve};
pub use slack::{Install, SlackDoor, roster, socket};
pub use teams::TeamsDoor;

/// A request takes no longer than this from its head to its answer; one of 10 MiB may need it.
const REQUEST: Duration = Duration::from_secs(60);
/// Bodies of webhooks held at once, all together.
const WEBHOOK_MEMORY: usize = 16 << 20;
/// Bodies of the push API held at once, all together, unpacked ones included.
const API_MEMORY: usize = 32 << 20;

/// What the routes need. Cheap to clone: every request does it several times.
#[derive(Clone)]
pub struct Http(Arc<Parts>);

#[derive(Clone)]
pub struct Parts {
    /// For webhooks and readiness.
    app: App,
    /// For the push API, on a pool of its own.
    api: App,
    /// `None` where Slack is not configured: its addresses then do not exist.
    slack: Option<Arc<SlackDoor>>,
    /// The same for Teams.
    teams: Option<TeamsDoor>,
    metrics: Metrics,
    drain: Drain,
    webhook_memory: Budget,
    api_memory: Budget,
    api_rates: Rates<Uuid>,
    api_turns: Turns<OrgId>,
}

impl Http {
    /// `api` differs from `app` in its store (`Store::beside`) only. `drain` is the one given to [`serve`].
    pub fn new(app: App, api: App, slack: Option<SlackDoor>, metrics: Metrics, drain: Drain) -> Self {
        Self(Arc::new(Parts {
            app,
            api,
            slack: slack.map(Arc::new),
            teams: None,
            metrics,
            drain,
            webhook_memory: Budget::new(WEBHOOK_MEMORY),
            api_memory: Budget::new(API_MEMORY),
            api_rates: Rates::default(),
            api_turns: Turns::default(),
        }))
    }

    /// The same with Teams.
    #[must_use]
    pub fn with_teams(self, teams: Option<TeamsDoor>) -> Self {
        Self(Arc::new(Parts { teams, ..Arc::unwrap_or_clone(self.0) }))
    }
}

impl Deref for Http {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The service's routes.
pub fn router(state: Http) -> Router {
    let mut router = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/api/v1/openapi.json", get(api::openapi).fallback(api::not_allowed))
        .route("/api/v1/{kind}", post(api::push).fallback(api::not_allowed));
    if state.slack.as_ref().is_some_and(|slack| slack.install.is_some()) {
        router = router.route("/slack/install", get(slack::start)).route("/slack/oauth/callback", get(slack::finish));
    }
    // Without a secret nothing could be proven to come from Slack: then it comes over Socket Mode.
    if state.slack.as_ref().is_some_and(|slack| !slack.signing_secrets.is_empty()) {
        router = router
            .route("/slack/commands", post(slack::receive))
            .route("/slack/interactions", post(slack::receive))
            .route("/slack/events", post(slack::receive));
    }
    if state.teams.is_some() {
        router = router.route("/teams/messages", post(teams::receive));
    }
    dressed(router.with_state(state))
}

/// What every route has: a time limit, no panic that goes unanswered, a span and figures, and careful headers.
fn dressed(router: Router) -> Router {
    // As one layer, outermost first: each on its own would box every request's future once more.
    router.fallback(nothing).layer(
        ServiceBuilder::new()
            .layer(MapResponseLayer::new(careful_headers))
            .layer(from_fn(observe))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(MapResponseLayer::new(timed_out))
            .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST)),
    )
}

/// Nothing is at this address.
async fn nothing(uri: Uri) -> Response {
    match uri.path().strip_prefix("/api/v1") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => api::nothing(),
        _ => sentence(StatusCode::NOT_FOUND, "There is nothing here."),
    }
}

/// One plain sentence as an answer.
fn sentence(status: StatusCode, text: &str) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{text}\n")).into_response()
}

/// The time limit answers without a word; those who push rows expect one.
fn timed_out(response: Response) -> Response {
    match response.status() {
        StatusCode::REQUEST_TIMEOUT if !response.headers().contains_key(CONTENT_TYPE) => {
            api::said(StatusCode::REQUEST_TIMEOUT, "That took too long. Sending the same again does no harm.")
        }
        _ => response,
    }
}

/// For callers that are programs: come back in a second.
fn busy() -> Response {
    let mut response = sentence(StatusCode::SERVICE_UNAVAILABLE, "Tandem is busy. Try again in a second.");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// What was said in the panic may be anything, so it goes nowhere.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    count_panic();
    sentence(StatusCode::INTERNAL_SERVER_ERROR, "That did not work. The log says more.")
}

fn count_panic() {
    metrics::counter!("tandem_panics_total").increment(1);
    tracing::error!("a request's code panicked");
}

/// A span and figures by the route's pattern, so that neither ids nor query strings are in them.
async fn observe(request: Request, next: Next) -> Response {
    let method = known_method(request.method().as_str());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", |matched| matched.as_str()).to_owned();
    let span = tracing::info_span!("request", method, route);
    let begun = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    span.in_scope(|| tracing::debug!(status, took_ms = took.as_secs_f64() * 1000.0, "answered"));
    let status = status.to_string();
    metrics::counter!("tandem_http_requests_total", "method" => method, "route" => route.clone(), "status" => status.clone())
        .increment(1);
    metrics::histogram!("tandem_http_request_seconds", "route" => route, "status" => status).record(took.as_secs_f64());
    response
}

/// Callers may invent methods; figures by invented names would grow without end.
fn known_method(method: &str) -> &'static str {
    ["GET", "POST", "HEAD", "OPTIONS"].into_iter().find(|known| *known == method).unwrap_or("other")
}

/// Nothing here is to be kept, guessed at, framed or followed. A page that needs more sets its own policy.
fn careful_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut unless_set = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    unless_set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_set(REFERRER_POLICY, "no-referrer");
    unless_set(CACHE_CONTROL, "no-store");
    unless_set(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    response
}

/// A header that stands there once, as text.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_time_limit_is_answered_in_words() {
        let silent = StatusCode::REQUEST_TIMEOUT.into_response();
        let body = axum::body::to_bytes(timed_out(silent).into_body(), 1_000).await.unwrap();
        assert_eq!(body, r#"{"error":"That took too long. Sending the same again does no harm."}"#);
        let said = timed_out(sentence(StatusCode::REQUEST_TIMEOUT, "The body came too slowly."));
        let body = axum::body::to_bytes(said.into_body(), 1_000).await.unwrap();
        assert_eq!(body, "The body came too slowly.\n");
    }
}
