//! Slack: what comes in, what goes out.
//!
//! - [`inbound`]: headers and raw bytes → one own event, or a typed refusal. Pure.
//! - [`render`]: chat-neutral messages and dialogs → Block Kit. Pure.
//! - [`client`]: the Web API methods that Tandem calls, with errors sorted by what delivery must do.
//! - [`manifest`]: the app manifests, for HTTP and for Socket Mode.
//!
//! Each part of `inbound` works on a parsed payload too, so that the frames of
//! Socket Mode can take the same path as HTTP bodies.

pub mod address;
pub mod client;
pub mod inbound;
pub mod manifest;
pub mod render;

pub use manifest::manifest;
