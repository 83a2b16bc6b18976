//! What went wrong with a call, sorted by what delivery has to do about it.

use std::time::Duration;

/// Why a call failed. Holds Slack's code, never a token, a text or an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Send nothing more to this workspace until then.
    #[error("Slack asks to wait {} s", retry_after.as_secs())]
    RateLimited { retry_after: Duration },
    /// Try again later. `maybe_sent`: the request may have done its work all the same, so look before sending again.
    #[error("Slack could not be reached or could not answer: {reason}")]
    Transient { reason: String, maybe_sent: bool },
    /// The message, view or response address is no more, or can't be changed: stop trying, nothing is lost.
    #[error("it is no longer there to be changed: {0}")]
    Gone(String),
    /// This channel or person can't be reached, others can.
    #[error("the channel or person cannot be reached: {0}")]
    ChannelUnreachable(String),
    /// This method is not open to Tandem, for want of a scope mostly, which is `needed`; others are.
    #[error("the workspace does not let Tandem do this: {code}{}", needed.as_ref().map(|scope| format!(", it needs {scope}")).unwrap_or_default())]
    Denied { code: String, needed: Option<String> },
    /// The whole installation can't act until somebody sees to it.
    #[error("the workspace does not accept Tandem's token: {0}")]
    Unauthorized(String),
    /// We asked for something wrong; the same again would fail again.
    #[error("Slack refused the request: {0}")]
    Rejected(String),
}

impl Error {
    pub(in crate::slack) fn transient(reason: impl Into<String>, maybe_sent: bool) -> Self {
        Self::Transient { reason: reason.into(), maybe_sent }
    }

    /// From a failed attempt: only a connection that was never made is sure to have sent nothing.
    /// reqwest's own text would name the address, which for a `response_url` is the secret.
    pub(in crate::slack) fn from_attempt(error: &reqwest::Error) -> Self {
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

    /// From the `error` of a body with `"ok": false`, and the scopes that it says were `needed`.
    pub(super) fn from_code(code: &str, needed: Option<&str>, retry_after: Duration) -> Self {
        let code = printable(code);
        match code.as_str() {
            "ratelimited" | "rate_limited" | "message_limit_exceeded" => Self::RateLimited { retry_after },
            // "It's possible some aspect of the operation succeeded before the error", say Slack's method pages.
            "fatal_error" | "internal_error" | "service_unavailable" => Self::transient(code, true),
            // The body did not arrive whole.
            "request_timeout" => Self::transient(code, false),
            "message_not_found"
            | "cant_update_message"
            | "edit_window_closed"
            | "thread_not_found"
            | "cannot_reply_to_message"
            | "not_found"
            | "expired_trigger_id"
            | "exchanged_trigger_id"
            | "invalid_trigger_id"
            | "used_url"
            | "expired_url" => Self::Gone(code),
            "channel_not_found"
            | "is_archived"
            | "not_in_channel"
            | "user_disabled"
            | "user_not_found"
            | "users_not_found"
            | "user_not_visible"
            | "cannot_dm_bot"
            | "is_inactive"
            | "messages_tab_disabled"
            | "restricted_action"
            | "restricted_action_read_only_channel"
            | "restricted_action_thread_only_channel"
            | "restricted_action_non_threadable_channel"
            | "restricted_action_thread_locked"
            | "posting_to_channel_denied"
            | "channel_is_limited_access"
            | "invalid_user_combination" => Self::ChannelUnreachable(code),
            "missing_scope" | "no_permission" | "not_allowed_token_type" | "access_denied" => {
                Self::Denied { code, needed: needed.map(printable) }
            }
            "invalid_auth"
            | "not_authed"
            | "account_inactive"
            | "token_revoked"
            | "token_expired"
            | "accesslimited"
            | "ekm_access_denied"
            | "org_login_required"
            | "team_access_not_granted"
            | "app_access_restricted"
            | "enterprise_is_restricted"
            | "two_factor_setup_required"
            | "team_added_to_org"
            | "team_not_found" => Self::Unauthorized(code),
            _ => Self::Rejected(code),
        }
    }
}

/// Slack's codes are short words; anything else is not repeated.
fn printable(code: &str) -> String {
    let is_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | ',');
    if !code.is_empty() && code.len() <= 80 && code.chars().all(is_code) {
        code.to_owned()
    } else {
        "an error without a readable code".to_owned()
    }
}
