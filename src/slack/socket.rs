//! Socket Mode: Slack's requests over a WebSocket that Tandem opens, so that it needs no public address.
//!
//! A frame is parsed like an HTTP body, and its payload becomes the same [`Inbound`]. Over reqwest's upgrade rather
//! than a WebSocket client of its own: one HTTP client, one TLS provider, and proxies as for every other call.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt, StreamExt};
use reqwest::StatusCode;
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::address::ApiUrl;
use super::client::{Client, Error};
use super::inbound::{self, Inbound, Malformed};

/// The longest frame that is read: a webhook's limit.
const FRAME_MAX: usize = 1 << 20;
/// From asking for an address to Slack's hello.
const OPEN_WITHIN: Duration = Duration::from_secs(10);

/// What Slack sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// From now on requests may come.
    Hello,
    Envelope(Envelope),
    /// This connection will end, or has to.
    Disconnect(Reason),
    /// Nothing that Tandem knows.
    Other,
}

/// One request; it has to be acknowledged by its id within 3 seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    pub id: String,
    kind: Kind,
    payload: Value,
    /// The acknowledgement may carry the answer.
    pub takes_answer: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Command,
    Interaction,
    Event,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// In about ten seconds.
    Warning,
    /// At once; connections live some hours.
    Refresh,
    /// Socket Mode was switched off for the app.
    LinkDisabled,
    /// There are ten already.
    TooMany,
    Other,
}

impl Envelope {
    /// The same value that the HTTP door makes of the same payload.
    pub fn inbound(&self, api: &ApiUrl) -> Result<Inbound, Malformed> {
        let payload = self.payload.clone();
        match self.kind {
            Kind::Command => inbound::command(payload, api),
            Kind::Interaction => inbound::interaction(payload, api),
            Kind::Event => inbound::event(payload),
            Kind::Unknown => Ok(Inbound::Ignored),
        }
    }

    /// What acknowledges it, with an answer where it takes one.
    pub fn acknowledged(&self, answer: Option<Value>) -> String {
        let id = &self.id;
        match answer.filter(|_| self.takes_answer) {
            Some(payload) => json!({"envelope_id": id, "payload": payload}).to_string(),
            None => json!({"envelope_id": id}).to_string(),
        }
    }
}

/// Reads a frame.
pub fn frame(text: &str) -> Result<Frame, Malformed> {
    #[derive(Deserialize)]
    struct Fields {
        #[serde(rename = "type")]
        kind: String,
        envelope_id: Option<String>,
        payload: Option<Value>,
        #[serde(default)]
        accepts_response_payload: bool,
        reason: Option<String>,
    }

    let fields: Fields = inbound::fields(text.as_bytes())?;
    Ok(match (fields.kind.as_str(), fields.envelope_id) {
        ("hello", _) => Frame::Hello,
        ("disconnect", _) => Frame::Disconnect(match fields.reason.as_deref() {
            Some("warning") => Reason::Warning,
            Some("refresh_requested") => Reason::Refresh,
            Some("link_disabled") => Reason::LinkDisabled,
            Some("too_many_websockets") => Reason::TooMany,
            _ => Reason::Other,
        }),
        (kind, Some(id)) => {
            let kind = match kind {
                "slash_commands" => Kind::Command,
                "interactive" => Kind::Interaction,
                "events_api" => Kind::Event,
                _ => Kind::Unknown,
            };
            let payload = fields.payload.unwrap_or_default();
            Frame::Envelope(Envelope { id, kind, payload, takes_answer: fields.accepts_response_payload })
        }
        _ => Frame::Other,
    })
}

/// An open connection.
pub struct Connection(WebSocketStream<reqwest::Upgraded>);

/// What came over a connection.
#[derive(Debug)]
pub enum Came {
    Frame(Frame),
    /// A sign of life.
    Alive,
    /// A frame that makes no sense.
    Malformed(Malformed),
    /// It is over.
    Closed,
}

impl Connection {
    /// The next thing that comes. Safe to give up on and ask again.
    pub async fn next(&mut self) -> Came {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => match frame(&text) {
                Ok(frame) => Came::Frame(frame),
                Err(malformed) => Came::Malformed(malformed),
            },
            Some(Ok(Message::Close(_)) | Err(_)) | None => Came::Closed,
            // Pings are answered underneath.
            Some(Ok(_)) => Came::Alive,
        }
    }

    /// False where the connection is over.
    pub async fn send(&mut self, text: &str) -> bool {
        self.0.send(Message::text(text)).await.is_ok()
    }

    pub async fn ping(&mut self) -> bool {
        self.0.send(Message::Ping(Default::default())).await.is_ok()
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        // Whoever is gone already needs no goodbye.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.0.close(None)).await;
    }
}

impl Client {
    /// Asks where to connect to; also proves that the token is right and Socket Mode is on.
    pub async fn socket_address(&self, app_token: &SecretString) -> Result<url::Url, Error> {
        let text = self.open_connection(app_token).await?;
        self.api().socket(&text).ok_or_else(|| Error::Rejected("an address for Socket Mode that is not Slack's".into()))
    }

    /// Opens a connection and waits for Slack's hello.
    pub async fn connect(&self, app_token: &SecretString) -> Result<Connection, Error> {
        let opened = tokio::time::timeout(OPEN_WITHIN, async {
            let address = self.socket_address(app_token).await?;
            let mut connection = self.upgrade(address).await?;
            loop {
                match connection.next().await {
                    Came::Frame(Frame::Hello) => return Ok(connection),
                    Came::Frame(Frame::Disconnect(Reason::TooMany)) => {
                        return Err(Error::RateLimited { retry_after: Duration::from_secs(30) });
                    }
                    Came::Frame(Frame::Disconnect(Reason::LinkDisabled)) => {
                        return Err(Error::Unauthorized("link_disabled".into()));
                    }
                    Came::Closed => return Err(Error::transient("the connection ended before Slack's hello", false)),
                    _ => {}
                }
            }
        });
        opened.await.unwrap_or_else(|_| Err(Error::transient("no hello in time", false)))
    }

    async fn upgrade(&self, address: url::Url) -> Result<Connection, Error> {
        let key = BASE64_STANDARD.encode(rand::random::<[u8; 16]>());
        let request = self
            .sockets()
            .get(address)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key);
        // reqwest's own words would name the address, and with it the ticket.
        let answer = request.send().await.map_err(|error| Error::from_attempt(&error))?;
        let accepts = answer.headers().get(SEC_WEBSOCKET_ACCEPT).map(|value| value.as_bytes().to_vec());
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS
            || accepts.as_deref() != Some(derive_accept_key(key.as_bytes()).as_bytes())
        {
            return Err(Error::transient(format!("no WebSocket but HTTP {}", answer.status().as_u16()), false));
        }
        let stream = answer.upgrade().await.map_err(|error| Error::from_attempt(&error))?;
        let config = WebSocketConfig::default().max_message_size(Some(FRAME_MAX)).max_frame_size(Some(FRAME_MAX));
        Ok(Connection(WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_what_slack_documents() {
        let hello = r#"{"type":"hello","num_connections":1,"connection_info":{"app_id":"A1"},"debug_info":{}}"#;
        assert_eq!(frame(hello), Ok(Frame::Hello));
        for (reason, meant) in [
            ("warning", Reason::Warning),
            ("refresh_requested", Reason::Refresh),
            ("link_disabled", Reason::LinkDisabled),
            ("too_many_websockets", Reason::TooMany),
            ("of tomorrow", Reason::Other),
        ] {
            let text = format!(r#"{{"type":"disconnect","reason":"{reason}","debug_info":{{"host":"x"}}}}"#);
            assert_eq!(frame(&text), Ok(Frame::Disconnect(meant)));
        }
        assert_eq!(frame(r#"{"type":"news"}"#), Ok(Frame::Other));
        for broken in ["", "hello", "[]", r#"{"type":"a","type":"b"}"#, r#"{"type":"x\u0000"}"#] {
            assert!(frame(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn an_envelope_becomes_what_a_webhook_becomes() {
        let api = ApiUrl::default();
        let envelope = |kind: &str, payload: Value| {
            let text = json!({"type": kind, "envelope_id": "e1", "payload": payload, "accepts_response_payload": true});
            match frame(&text.to_string()) {
                Ok(Frame::Envelope(envelope)) => envelope,
                other => panic!("{other:?}"),
            }
        };
        let command = json!({"command": "/account", "text": "acme", "team_id": "T1", "user_id": "U1"});
        let typed = envelope("slash_commands", command.clone());
        assert_eq!(typed.inbound(&api), inbound::command(command, &api));
        let event =
            json!({"type": "event_callback", "event_id": "E1", "team_id": "T1", "event": {"type": "app_uninstalled"}});
        assert_eq!(envelope("events_api", event.clone()).inbound(&api), inbound::event(event));
        let closed = json!({"type": "view_closed", "user": {"id": "U1", "team_id": "T1"}});
        assert_eq!(envelope("interactive", closed.clone()).inbound(&api), inbound::interaction(closed, &api));
        assert_eq!(envelope("of_tomorrow", json!({})).inbound(&api), Ok(Inbound::Ignored));
        assert!(envelope("slash_commands", json!({})).inbound(&api).is_err());

        assert_eq!(typed.acknowledged(Some(json!({"text": "x"}))), r#"{"envelope_id":"e1","payload":{"text":"x"}}"#);
        let deaf = Envelope { takes_answer: false, ..typed };
        assert_eq!(deaf.acknowledged(Some(json!({"text": "x"}))), r#"{"envelope_id":"e1"}"#);
    }
}
