//! Whether the process runs, whether it may get work, and its figures.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::{Http, sentence};
use crate::store;

/// A database that takes longer to answer "ready?" is not.
const READY_WITHIN: Duration = Duration::from_secs(3);
/// Seconds. Chat waits 3; a press should take a few hundredths.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0];

/// The process's figures.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Makes this process count. There is one recorder a process: later calls get the same.
    pub fn install() -> anyhow::Result<Self> {
        static INSTALLED: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
        let install = || {
            let seconds = Matcher::Suffix("_seconds".to_owned());
            let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &BUCKETS);
            builder.and_then(PrometheusBuilder::install_recorder).map_err(|error| error.to_string())
        };
        let installed = INSTALLED.get_or_init(install).clone().map_err(anyhow::Error::msg).context("metrics")?;
        metrics::describe_counter!("tandem_http_requests_total", "Requests by method, route pattern and status");
        metrics::describe_histogram!("tandem_http_request_seconds", "Time to the answer by route pattern and status");
        metrics::describe_counter!("tandem_panics_total", "Requests whose code panicked");
        Ok(Self(installed))
    }

    /// As Prometheus reads it.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

pub(super) async fn alive() -> Response {
    sentence(StatusCode::OK, "Tandem runs.")
}

pub(super) async fn ready(State(http): State<Http>) -> Response {
    let unready = |why: &str| sentence(StatusCode::SERVICE_UNAVAILABLE, why);
    if http.drain.is_stopping() {
        return unready("Tandem is stopping.");
    }
    match tokio::time::timeout(READY_WITHIN, http.app.store.ready()).await {
        Ok(Ok(())) => sentence(StatusCode::OK, "Tandem is ready."),
        Ok(Err(error)) if store::is_busy(&error) => unready("The database has no free connection."),
        Ok(Err(error)) => {
            // The error may name logins and hosts; this address is open to everyone.
            tracing::warn!(error = %format!("{error:#}"), "not ready");
            unready("The database can't be reached, or lacks migrations. The log says which.")
        }
        Err(_) => unready("The database did not answer in time."),
    }
}

pub(super) async fn metrics(State(http): State<Http>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], http.metrics.render()).into_response()
}
