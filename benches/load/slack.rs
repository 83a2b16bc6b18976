//! A Slack that says yes, and tells at its end when posts came.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde_json::{Value, json};

/// Of a call, what the answer repeats; the rest is not looked at.
#[derive(serde::Deserialize)]
struct Said {
    channel: String,
}

/// When each message came, since the first.
#[derive(Clone, Default)]
struct Posts(Arc<Mutex<Vec<Instant>>>);

pub(crate) async fn serve(port: u16) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let router =
        Router::new().route("/api/{method}", post(call)).route("/seen", get(seen)).with_state(Posts::default());
    Ok(axum::serve(listener, router).await?)
}

async fn call(State(posts): State<Posts>, Path(method): Path<String>, body: String) -> axum::Json<Value> {
    let channel = serde_json::from_str::<Said>(&body).map_or_else(|_| "D0BENCH".to_owned(), |said| said.channel);
    if method == "chat.postMessage" {
        let mut posts = posts.0.lock().expect("nobody panics while holding it");
        posts.push(Instant::now());
        return axum::Json(json!({"ok": true, "channel": channel, "ts": format!("1790000001.{:06}", posts.len())}));
    }
    axum::Json(json!({
        "ok": true, "members": [], "team_id": "T0BENCH", "user_id": "U0BOT", "bot_id": "B0BOT", "channel": {"id": channel}, "messages": [],
    }))
}

/// How many posts came since this was asked last, and how long after the first the last came.
async fn seen(State(posts): State<Posts>) -> axum::Json<Value> {
    let posts = std::mem::take(&mut *posts.0.lock().expect("nobody panics while holding it"));
    let took = posts.first().zip(posts.last()).map_or(0.0, |(first, last)| (*last - *first).as_secs_f64());
    let rate = (posts.len() as f64 - 1.0) / took;
    axum::Json(json!({"posts": posts.len(), "seconds": took, "per_second": rate.round()}))
}
