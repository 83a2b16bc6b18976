//! Microsoft Teams: what comes in, what goes out.
//!
//! - [`address`]: which addresses may be called at all.
//! - [`inbound`]: one Bot Framework activity → one own event, or a typed refusal. Pure.
//! - [`auth`]: the proof that an activity comes from Microsoft's channel, and was meant for this bot.
//! - [`render`]: chat-neutral messages and dialogs → Adaptive Cards. Pure.
//! - [`client`]: the Bot Connector calls that Tandem makes, with errors sorted by what delivery must do.
//! - [`manifest`]: the app package that an administrator uploads.
//!
//! No kept Rust SDK for Teams was found, so this stands on jsonwebtoken, reqwest and serde.

pub mod address;
pub mod auth;
pub mod client;
pub mod inbound;
pub mod manifest;
pub mod render;
