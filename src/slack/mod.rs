//! Slack: what comes in, what goes out.
//!
//! - [`inbound`]: headers and raw bytes → one own event, or a typed refusal. Pure.
//! - [`render`]: chat-neutral messages and dialogs → Block Kit. Pure.
//! - [`client`]: the Web API methods that Tandem calls, with errors sorted by what delivery must do.
//! - [`socket`]: the same requests over a WebSocket that Tandem opens.
//! - [`manifest`]: the app manifests, for HTTP and for Socket Mode.

pub mod address;
pub mod client;
pub mod inbound;
pub mod manifest;
pub mod render;
pub mod socket;

pub use manifest::manifest;
