//! Why a platform did not take a message, in the words of delivery: what has to
//! be done about it, whichever platform it was.

use std::time::Duration;

use crate::{slack, teams};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nothing more is sent in this lane until then.
    RateLimited { retry_after: Duration },
    /// Tried again by the schedule, no sooner than `retry_after`.
    Transient { reason: String, retry_after: Duration },
    /// It may stand in chat twice by now; not tried again.
    PossiblySent,
    /// The message or conversation is no more.
    Gone(String),
    /// This channel or person can't be reached, others can.
    Unreachable(String),
    /// Tandem may not do this there; it may do other things. By the code, and what is missing.
    Denied { code: String, needed: Option<String> },
    /// The whole installation can't act until somebody sees to it.
    Unauthorized(String),
    /// The same again would be refused again.
    Rejected(String),
}

impl From<slack::client::Error> for Refusal {
    fn from(error: slack::client::Error) -> Self {
        use slack::client::Error;
        match error {
            Error::RateLimited { retry_after } => Self::RateLimited { retry_after },
            Error::Transient { reason, .. } => Self::Transient { reason, retry_after: Duration::ZERO },
            Error::Gone(code) => Self::Gone(code),
            Error::ChannelUnreachable(code) => Self::Unreachable(code),
            Error::Denied { code, needed } => Self::Denied { code, needed },
            Error::Unauthorized(code) => Self::Unauthorized(code),
            Error::Rejected(code) => Self::Rejected(code),
        }
    }
}

impl From<teams::client::Error> for Refusal {
    fn from(error: teams::client::Error) -> Self {
        use teams::client::Error;
        match error {
            Error::RateLimited { retry_after } => Self::RateLimited { retry_after },
            Error::Transient { reason, retry_after, .. } => {
                Self::Transient { reason, retry_after: retry_after.unwrap_or_default() }
            }
            Error::Gone(code) => Self::Gone(code),
            Error::Unreachable(code) => Self::Unreachable(code),
            Error::Unauthorized(code) => Self::Unauthorized(code),
            Error::Rejected(code) => Self::Rejected(code),
        }
    }
}
