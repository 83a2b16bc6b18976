//! Requests as Slack makes them, signed once before the measurement.

use anyhow::Context as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use url::form_urlencoded::Serializer;

/// Signs for one address. The signatures hold for five minutes.
pub(crate) struct Signer {
    pub(crate) address: String,
    secret: String,
    team: String,
    time: u64,
}

impl Signer {
    #[expect(clippy::disallowed_methods, reason = "a program of its own, which is told by the script that runs it")]
    pub(crate) fn from_environment(url: &str) -> anyhow::Result<Self> {
        let of = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
        Ok(Self {
            address: url.trim_start_matches("http://").to_owned(),
            secret: of("SLACK_SIGNING_SECRET")?,
            team: of("BENCH_TEAM")?,
            time: std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs(),
        })
    }

    /// `/account NAME`.
    pub(crate) fn command(&self, name: &str) -> Vec<u8> {
        let body = Serializer::new(String::new())
            .extend_pairs([
                ("token", "none"),
                ("team_id", self.team.as_str()),
                ("team_domain", "bench"),
                ("channel_id", "D0BENCH"),
                ("channel_name", "directmessage"),
                ("user_id", "U000000"),
                ("user_name", "bench"),
                ("command", "/account"),
                ("text", name),
                ("api_app_id", "A0BENCH"),
                ("is_enterprise_install", "false"),
                ("trigger_id", "1.2.3"),
            ])
            .finish();
        self.request("/slack/commands", &body)
    }

    /// *Acknowledge* by one user on one risk (`USER RISK`), each in a message of its own.
    pub(crate) fn click(&self, line: &str) -> Vec<u8> {
        let (user, risk) = line.split_once(' ').unwrap_or(("U000000", line));
        let stamp = format!("1790000000.{}", &risk[risk.len() - 6..]);
        let payload = json!({
            "type": "block_actions",
            "user": {"id": user, "username": "bench", "team_id": self.team},
            "api_app_id": "A0BENCH",
            "token": "none",
            "container": {"type": "message", "message_ts": stamp, "channel_id": "D0BENCH", "is_ephemeral": false},
            "trigger_id": "1.2.3",
            "team": {"id": self.team, "domain": "bench"},
            "channel": {"id": "D0BENCH", "name": "directmessage"},
            "message": {"type": "message", "ts": stamp, "text": "card"},
            "actions": [{
                "type": "button", "action_id": "acknowledge", "block_id": "b", "value": format!("acknowledge|risk:{risk}"),
                "action_ts": format!("{}.{}", self.time, &risk[..8]), "text": {"type": "plain_text", "text": "Acknowledge"},
            }],
        });
        let body = Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
        self.request("/slack/interactions", &body)
    }

    fn request(&self, path: &str, body: &str) -> Vec<u8> {
        let mut mac =
            Hmac::<sha2::Sha256>::new_from_slice(self.secret.as_bytes()).expect("a key of any length is taken");
        mac.update(format!("v0:{}:{body}", self.time).as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             x-slack-request-timestamp: {}\r\nx-slack-signature: v0={signature}\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.time,
            body.len(),
        )
        .into_bytes()
    }
}
