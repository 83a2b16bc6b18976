//! What went wrong with a call, sorted by what delivery has to do about it.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::RETRY_DEFAULT;

/// Why a call failed. Holds Teams' code, never a token, a text or an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Send nothing more there until then.
    #[error("Teams asks to wait {} s", retry_after.as_secs())]
    RateLimited { retry_after: Duration },
    /// Try again later. `maybe_sent`: the message may stand in chat all the same, and nothing can tell.
    #[error("Teams could not be reached or could not answer: {reason}")]
    Transient { reason: String, maybe_sent: bool, retry_after: Option<Duration> },
    /// The message or conversation is no more: stop trying, nothing is lost.
    #[error("it is no longer there: {0}")]
    Gone(String),
    /// This conversation or person can't be written to, others can.
    #[error("the conversation or person cannot be reached: {0}")]
    Unreachable(String),
    /// The whole bot can't act until somebody sees to it.
    #[error("Microsoft does not accept Tandem's credentials: {0}")]
    Unauthorized(String),
    /// We asked for something wrong; the same again would fail again.
    #[error("Teams refused the request: {0}")]
    Rejected(String),
}

impl Error {
    pub(super) fn transient(reason: impl Into<String>, maybe_sent: bool) -> Self {
        Self::Transient { reason: reason.into(), maybe_sent, retry_after: None }
    }

    /// From a failed attempt: only a connection that was never made is sure to have sent nothing.
    pub(super) fn from_attempt(error: &reqwest::Error) -> Self {
        if error.is_builder() {
            Self::Rejected("the request could not be built".into())
        } else if error.is_connect() {
            Self::transient("no connection", false)
        } else if error.is_timeout() {
            Self::transient("no answer in time", true)
        } else {
            Self::transient("the connection broke", true)
        }
    }

    /// 412, 502 and 504 are to be tried again (learn.microsoft.com, "Optimize your bot with rate limiting"); after a 504
    /// the message may stand in chat.
    pub(super) fn from_status(status: StatusCode, wait: Option<Duration>, body: &[u8]) -> Self {
        let code = code_of(body).unwrap_or_else(|| format!("HTTP {}", status.as_u16()));
        match status {
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimited { retry_after: wait.unwrap_or(RETRY_DEFAULT) },
            StatusCode::UNAUTHORIZED => Self::Unauthorized(code),
            StatusCode::FORBIDDEN => Self::Unreachable(code),
            StatusCode::NOT_FOUND | StatusCode::GONE => Self::Gone(code),
            StatusCode::PRECONDITION_FAILED | StatusCode::REQUEST_TIMEOUT => {
                Self::Transient { reason: code, maybe_sent: false, retry_after: wait }
            }
            status if status.is_server_error() => {
                let maybe_sent = status == StatusCode::GATEWAY_TIMEOUT;
                Self::Transient { reason: code, maybe_sent, retry_after: wait }
            }
            _ => Self::Rejected(code),
        }
    }
}

/// `{"error": {"code": "…"}}`, or an older shape whose reason is JSON in a text:
/// `{"errorCode": 209, "message": "{\"subCode\": \"MessageWritesBlocked\", …}"}`.
fn code_of(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let inner = body["message"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
    let code = [&inner["subCode"], &body["error"]["code"], &body["error"], &body["errorCode"]].into_iter().find_map(
        |found| found.as_str().map(str::to_owned).or_else(|| found.as_i64().map(|number| number.to_string())),
    )?;
    // Codes are short words; anything else is not repeated.
    let readable = code.len() <= 80 && code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    readable.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Error {
        Error::from_status(StatusCode::from_u16(status).unwrap(), Some(Duration::from_secs(2)), body.as_bytes())
    }

    #[test]
    fn answers_are_sorted_by_what_to_do() {
        let blocked = r#"{"errorCode":209,"message":"{\"subCode\":\"MessageWritesBlocked\",\"details\":\"x\"}"}"#;
        assert_eq!(of(403, blocked), Error::Unreachable("MessageWritesBlocked".into()));
        assert_eq!(
            of(403, r#"{"error":{"code":"BotNotInConversationRoster","message":"Dana"}}"#),
            Error::Unreachable("BotNotInConversationRoster".into())
        );
        assert_eq!(of(404, r#"{"error":{"code":"ConversationNotFound"}}"#), Error::Gone("ConversationNotFound".into()));
        assert_eq!(of(413, "<html>"), Error::Rejected("HTTP 413".into()));
        assert_eq!(of(302, ""), Error::Rejected("HTTP 302".into()));
        assert_eq!(of(429, ""), Error::RateLimited { retry_after: Duration::from_secs(2) });
        assert_eq!(of(400, r#"{"error":{"code":"a sentence about Dana"}}"#), Error::Rejected("HTTP 400".into()));
        for (status, maybe) in [(412, false), (502, false), (503, false), (504, true)] {
            assert!(matches!(of(status, "{}"), Error::Transient { maybe_sent, .. } if maybe_sent == maybe), "{status}");
        }
    }
}
