//! Messages as HTML: the third renderer, and the demo's page around them.
//!
//! Everything here is a pure function from a view to markup. `message` draws
//! what Tandem says, `dialog` what it asks, `page` the place where both stand.
//! The page works without JavaScript, by POST, redirect and GET; `demo.js` only
//! spares the reload.

pub mod dialog;
pub mod message;
pub mod page;

/// Served at `/demo.css` as `text/css`.
pub const STYLES: &str = include_str!("demo.css");

/// Served at `/demo.js` as `text/javascript`.
pub const SCRIPT: &str = include_str!("demo.js");

/// Served at `/demo.svg` as `image/svg+xml`: the page's icon.
pub const ICON: &str = include_str!("demo.svg");

/// The page needs nothing but its own three assets and its own origin: no
/// inline script or style, no other host, no frame around it.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
