//! The push API: rows of one kind, as JSON array or NDJSON, for the organisation
//! of the API key.

use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use super::body::{self, Budget, Held, Limits, Unread};
use super::{Http, single};
use crate::app::import::{self, Report};
use crate::app::organisation;
use crate::domain::person::OrgId;
use crate::domain::row::RowKind;
use crate::store::audit::Actor;
use crate::store::{self, directory};

/// What may be pushed; the other kinds of rows come as files.
const KINDS: [RowKind; 5] =
    [RowKind::People, RowKind::Accounts, RowKind::Contacts, RowKind::Signals, RowKind::Outcomes];
/// Packed or not, and after unpacking.
const BODY: Limits = Limits { bytes: 10 << 20, within: Duration::from_secs(30) };
/// Announced to be at most so long, a body is read at once; others of its organisation may be waiting.
const SMALL: u64 = 1 << 20;
/// Rejected rows that are listed in an answer; the rest are counted.
const LISTED: usize = 1_000;
const GZIP: [u8; 2] = [0x1f, 0x8b];

const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

pub(super) async fn push(State(http): State<Http>, Path(kind): Path<String>, request: Request) -> Response {
    match pushed(&http, &kind, request).await {
        Ok(response) | Err(Trouble::Answered(response)) => response,
        Err(Trouble::Failed(error)) if store::is_busy(&error) => busy(),
        Err(Trouble::Failed(error)) => {
            tracing::error!(error = %format!("{error:#}"), "a push failed");
            said(StatusCode::INTERNAL_SERVER_ERROR, "The rows could not be stored. Sending them again does no harm.")
        }
    }
}

/// Those who push rows read JSON, also of an address or a method that there is not.
pub(super) fn nothing() -> Response {
    said(StatusCode::NOT_FOUND, "There is nothing here; what there is stands in /api/v1/openapi.json.")
}

pub(super) async fn not_allowed() -> Response {
    said(StatusCode::METHOD_NOT_ALLOWED, "This address takes another method; the header Allow names it.")
}

/// Why there is no report.
enum Trouble {
    Answered(Response),
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Trouble::Failed(error)
    }
}

pub(super) fn said(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}

/// Come back after so many seconds: at least one, and a part of one counts as a whole.
fn said_later(status: StatusCode, error: &str, after: Duration) -> Response {
    let mut response = said(status, error);
    let seconds = after.as_secs_f64().ceil().max(1.0) as u64;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn busy() -> Response {
    let error = "Tandem is busy. Try again in a second; sending the same rows again does no harm.";
    said_later(StatusCode::SERVICE_UNAVAILABLE, error, Duration::from_secs(1))
}

async fn pushed(http: &Http, kind: &str, request: Request) -> Result<Response, Trouble> {
    let refuse = |status, error: &str| Trouble::Answered(said(status, error));
    let (head, body) = request.into_parts();
    let (org, actor) = authenticated(http, &head.headers).await?;
    let kind = KINDS.into_iter().find(|known| known.as_str() == kind).ok_or_else(|| {
        refuse(StatusCode::NOT_FOUND, "Unknown kind of rows; expected people, accounts, contacts, signals or outcomes.")
    })?;
    let Actor::Key(id) = actor else { return Err(anyhow::anyhow!("a key is a key").into()) };
    http.api_rates.take(id, Instant::now()).map_err(|after| {
        let error = "This API key asks too often. Send more rows in fewer requests; a batch may have 10 MiB.";
        Trouble::Answered(said_later(StatusCode::TOO_MANY_REQUESTS, error, after))
    })?;
    // Large bodies wait outside for their organisation's turn, where waiting costs no memory: the budget holds three.
    let early = match body::announced(&head.headers) {
        Some(length) if length <= SMALL => None,
        _ => Some(http.api_turns.turn(org).await),
    };
    let held = body::read(body, &head.headers, BODY, &http.api_memory).await.map_err(unread_body)?;
    let held = unpacked(held, &head.headers, &http.api_memory).await?;
    if held.bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(refuse(StatusCode::BAD_REQUEST, "The body is empty; expected a JSON array or NDJSON."));
    }
    let app = http.api.clone();
    let turn = match early {
        Some(turn) => turn,
        None => http.api_turns.turn(org).await,
    };
    // Goes on to its end also when the caller hangs up: a set of rows is either stored or not.
    let storing = http.drain.spawn(async move {
        let Held { bytes, room } = held;
        let mut tx = app.store.tenant(org).await?;
        let organisation = directory::own_organisation(&mut tx).await?;
        drop(tx);
        let report = import::pushed(&app.store, &organisation, kind, bytes, actor, app.now()).await;
        drop((room, turn));
        report
    });
    let report = storing.await.context("storing pushed rows panicked")??;
    // Rows that name no column are those that could not be read; if there was nothing else, it was no data.
    let unreadable = report.accepted + report.unchanged == 0
        && report.rejected > 0
        && report.rejections.iter().all(|rejected| rejected.column.is_none());
    let status = if unreadable { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok((status, Json(told(&report))).into_response())
}

fn told(report: &Report) -> Value {
    let rejections = report.rejections.iter().take(LISTED).map(|rejected| {
        // Of a list, callers know the order and not the lines.
        let line = rejected.element.unwrap_or(rejected.line);
        json!({"line": line, "column": rejected.column, "value": rejected.value, "reason": rejected.reason})
    });
    json!({
        "kind": report.kind,
        "accepted": report.accepted,
        "unchanged": report.unchanged,
        "rejected": report.rejected,
        "rejections": rejections.collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

fn unread_body(unread: Unread) -> Trouble {
    Trouble::Answered(match unread {
        Unread::TooLong => too_long(),
        Unread::TooSlow => said(StatusCode::REQUEST_TIMEOUT, "The body came too slowly."),
        Unread::Broken => said(StatusCode::BAD_REQUEST, "The body could not be read."),
        Unread::NoRoom => busy(),
    })
}

fn too_long() -> Response {
    said(StatusCode::PAYLOAD_TOO_LARGE, "The body is longer than 10 MiB. Send the rows in several requests.")
}

/// Whose key it is. Absent, unknown and revoked keys are told apart by nobody.
async fn authenticated(http: &Http, headers: &HeaderMap) -> Result<(OrgId, Actor), Trouble> {
    let unknown = || {
        let mut response =
            said(StatusCode::UNAUTHORIZED, "Expected the header \"Authorization: Bearer\" with a valid API key.");
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Trouble::Answered(response)
    };
    let key = single(headers, &AUTHORIZATION).and_then(bearer).ok_or_else(unknown)?;
    let mut tx = http.api.store.directory().await?;
    let found = directory::org_of_key(&mut tx, &organisation::hash(key)).await?;
    let (org, key) = found.ok_or_else(unknown)?;
    Ok((org, Actor::Key(key)))
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, key) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim()).filter(|key| !key.is_empty())
}

/// Unpacks gzip, by its header or its first bytes, up to the limit: what packs well must not fill the memory.
async fn unpacked(held: Held, headers: &HeaderMap, budget: &Budget) -> Result<Held, Trouble> {
    let refuse = |status, error: &str| Trouble::Answered(said(status, error));
    let packed = match headers.get(CONTENT_ENCODING).map(|value| value.to_str().map(str::to_ascii_lowercase)) {
        None => held.bytes.starts_with(&GZIP),
        Some(Ok(encoding)) if encoding == "identity" => held.bytes.starts_with(&GZIP),
        Some(Ok(encoding)) if encoding == "gzip" || encoding == "x-gzip" => true,
        Some(_) => return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unknown content-encoding; expected gzip.")),
    };
    if !packed {
        return Ok(held);
    }
    let room = budget.take(BODY.bytes).ok_or_else(|| Trouble::Answered(busy()))?;
    let unpacking = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        let most = BODY.bytes as u64 + 1;
        MultiGzDecoder::new(held.bytes.as_slice()).take(most).read_to_end(&mut bytes).map(|_| bytes)
    });
    match unpacking.await.context("unpacking panicked")? {
        Err(_) => Err(refuse(StatusCode::BAD_REQUEST, "The body is not whole gzip.")),
        Ok(bytes) if bytes.len() > BODY.bytes => Err(Trouble::Answered(too_long())),
        Ok(bytes) if bytes.starts_with(&GZIP) => Err(refuse(StatusCode::BAD_REQUEST, "The body is packed twice.")),
        Ok(bytes) => Ok(Held { bytes, room: Some(room) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_behind_the_word_bearer() {
        assert_eq!(bearer("Bearer tandem_x"), Some("tandem_x"));
        assert_eq!(bearer("bearer  tandem_x "), Some("tandem_x"));
        for wrong in ["tandem_x", "Basic tandem_x", "Bearer", "Bearer ", "", "Bearertandem_x"] {
            assert_eq!(bearer(wrong), None, "{wrong:?}");
        }
    }
}
