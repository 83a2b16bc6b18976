//! The least that answers `/account`: an axum handler with the peer's one statement. No signature is looked at, nobody's
//! rights, no row level security. How far it is from Bolt says what a machine leaves to be gained.

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use axum::{Form, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

/// As in `benches/peer/app.mjs`.
const ACCOUNT: &str = "
    SELECT a.name, d.health, d.band, t.body
      FROM tandem.account a
      JOIN directory.organisation o USING (org_id)
      LEFT JOIN tandem.diagnosis d ON d.org_id = a.org_id AND d.account_id = a.account_id AND d.date = o.diagnosed_on
      LEFT JOIN tandem.diagnosis_detail t
             ON t.org_id = d.org_id AND t.detail_on = d.detail_on AND t.account_id = d.account_id AND t.detail_id = d.detail_id
     WHERE a.org_id = $1 AND a.name_key = $2";

#[derive(Deserialize)]
struct Typed {
    text: String,
}

#[derive(Deserialize, Default)]
struct Diagnosis {
    causes: Vec<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    headline: String,
}

pub(crate) async fn serve(port: u16, database: &str, org: Uuid) -> anyhow::Result<()> {
    // As many connections as Tandem and the peer have.
    let pool = PgPoolOptions::new().max_connections(16).connect(database).await.context("connect to Postgres")?;
    let router = Router::new().route("/slack/commands", post(account)).with_state((pool, org));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?.tap_io(|stream| {
        // Else answers wait for the other side's acknowledgements, 40 ms each, once they come in two pieces.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}

async fn account(
    State((pool, org)): State<(PgPool, Uuid)>,
    Form(typed): Form<Typed>,
) -> Result<Json<Value>, StatusCode> {
    answer(&pool, org, &typed.text).await.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn answer(pool: &PgPool, org: Uuid, name: &str) -> anyhow::Result<Value> {
    let row = sqlx::query(ACCOUNT).bind(org).bind(name.trim().to_lowercase()).fetch_optional(pool).await?;
    let row = row.context("no such account")?;
    let (name, health): (String, Option<i16>) = (row.try_get("name")?, row.try_get("health")?);
    let (band, body): (Option<String>, Option<String>) = (row.try_get("band")?, row.try_get("body")?);
    let diagnosis: Diagnosis = body.map(|body| serde_json::from_str(&body)).transpose()?.unwrap_or_default();
    let causes: Vec<String> = diagnosis.causes.iter().map(|cause| format!("• {}", cause.headline)).collect();
    let text = format!("{name}: health {}, {}", health.unwrap_or_default(), band.unwrap_or_default());
    Ok(json!({
        "response_type": "ephemeral",
        "text": text,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": name}},
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
            {"type": "section", "text": {"type": "mrkdwn", "text": causes.join("\n")}},
        ],
    }))
}
