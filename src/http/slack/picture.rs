//! The pictures of an answer follow it: uploading takes longer than Slack waits.
//!
//! They go through the `response_url`, so to the asker alone, and as files that
//! are in no channel. Where that does not work, the line of blocks that stands in
//! the answer already says the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::Desk;
use crate::domain::message::Reply;
use crate::domain::message::chart::Chart;
use crate::picture::{self, Size};
use crate::slack::address::ResponseUrl;
use crate::slack::client::Error;
use crate::slack::inbound::Who;
use crate::slack::render;

/// Before each try to show a file: Slack answers `invalid_blocks` for about a second after an upload.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// How long a picture is shown again without another upload. The same account looks the same all day.
const KEPT: Duration = Duration::from_secs(12 * 3600);
/// Pictures remembered; beyond it all are forgotten.
const KEPT_MOST: usize = 10_000;

/// What was uploaded lately: workspace and content → file.
#[derive(Debug, Clone, Default)]
pub(super) struct Uploaded(Arc<Mutex<HashMap<Key, (String, Instant)>>>);

/// The workspace, and the picture's SHA-256.
type Key = (String, [u8; 32]);

impl Uploaded {
    fn find(&self, key: &Key) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(_, at)| at.elapsed() < KEPT).map(|(file, _)| file.clone())
    }

    fn keep(&self, key: Key, file: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_MOST {
            known.clear();
        }
        known.insert(key, (file.to_owned(), Instant::now()));
    }
}

impl Desk {
    /// Shows the pictures of what was said.
    pub(super) async fn illustrate(&self, who: &Who, place: Option<&ResponseUrl>, reply: &Reply) {
        let (Reply::Private(said), Some(place)) = (reply, place) else { return };
        let mut charts = said.charts().peekable();
        if charts.peek().is_none() {
            return;
        }
        let Some(token) = self.slack.token(&who.team_id).await else { return };
        for chart in charts {
            if let Err(error) = self.show(&token, who, place, chart).await {
                tracing::warn!(error = format!("{error:#}"), "a picture did not arrive; the answer says it in words");
                return;
            }
        }
    }

    async fn show(&self, token: &SecretString, who: &Who, place: &ResponseUrl, chart: &Chart) -> anyhow::Result<()> {
        let drawn = chart.clone();
        let png = tokio::task::spawn_blocking(move || picture::png(&drawn, Size::Full)).await??;
        let key = (who.team_id.clone(), Sha256::digest(&png).into());
        let known = self.slack.pictures.find(&key);
        let is_new = known.is_none();
        let file = match known {
            Some(file) => file,
            None => self.slack.client.upload_png(token, "health.png", &chart.title, &chart.alt, png).await?,
        };
        let body = render::picture(chart, &file);
        let mut shown = Err(Error::Rejected("invalid_blocks".into()));
        for pause in PAUSES {
            if is_new {
                tokio::time::sleep(pause).await;
            }
            shown = self.slack.client.respond(place, &body).await;
            if !is_new || !matches!(&shown, Err(Error::Rejected(code)) if code == "invalid_blocks") {
                break;
            }
        }
        shown?;
        self.slack.pictures.keep(key, &file);
        Ok(())
    }
}
