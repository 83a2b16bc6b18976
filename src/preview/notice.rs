//! One message as a page of its own, for a browser that came from elsewhere. No script, no asset, no form.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::message::text;
use crate::domain::message::{Block, Message};

/// Two schemes; ink on ground at least 7 : 1.
const STYLE: &str = ":root{color-scheme:light dark;--ground:#f4f5f5;--surface:#fff;--ink:#1b2023;--line:#dfe3e4;--link:#0b5f8a}\
@media(prefers-color-scheme:dark){:root{--ground:#121517;--surface:#191d20;--ink:#e6e9ea;--line:#2c3338;--link:#83c5ee}}\
body{margin:0;background:var(--ground);color:var(--ink);font:100%/1.6 system-ui,sans-serif}\
main{max-width:34rem;margin:12vh auto;padding:2rem;background:var(--surface);border:1px solid var(--line);border-radius:8px}\
h1{margin:0 0 1rem;font-size:1.4rem;line-height:1.3}p{margin:.75rem 0;overflow-wrap:anywhere}a{color:var(--link)}\
code{font-family:ui-monospace,monospace;font-size:.95em}@media(max-width:38rem){main{margin:0;border:0;border-radius:0}}";

/// What the page needs: its own style, known by its hash.
pub fn content_security_policy() -> String {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The summary as its title and heading, then what else is said.
pub fn notice(message: &Message) -> String {
    let words = message.blocks.iter().filter_map(|block| match block {
        Block::Text(words) | Block::Context(words) => Some(words),
        _ => None,
    });
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (message.summary) " · Tandem" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (message.summary) }
                    @for words in words { p { (text(words)) } }
                }
            }
        }
    };
    page.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::install;

    #[test]
    fn what_slack_says_is_shown_and_never_run() {
        let page = notice(&install::done_unlinked("<script>alert(1)</script>", "T1\"><b>"));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"), "{page}");
        assert!(!page.contains("<b>"), "{page}");
    }
}
