//! Socket Mode as Slack plays it: what comes over a connection has the effect that a webhook has, once, whatever
//! happens to the connection.

use serde_json::{Value, json};
use tandem::http::socket;
use tokio::sync::watch;

use crate::chat::linked;
use crate::support::fake_slack::Trouble;
use crate::support::fake_socket::{FakeSocket, Order};
use crate::support::service::Service;
use crate::support::{PATIENCE, until};

/// The service on two connections.
struct Scene {
    service: Service,
    socket: FakeSocket,
    stop: watch::Sender<bool>,
    running: tokio::task::JoinHandle<()>,
}

impl Scene {
    async fn new() -> Self {
        let (service, _) = linked().await;
        let socket = FakeSocket::start().await;
        service.slack.answers("apps.connections.open", json!({"ok": true, "url": socket.url}));
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(socket::run(service.door.clone(), "xapp-test".into(), stopped));
        socket.until("two connections are open", |socket| socket.open() == 2).await;
        Self { service, socket, stop, running }
    }

    fn send(&self, which: usize, id: &str, kind: &str, payload: Value) {
        let takes = kind != "events_api";
        let envelope = json!({"envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": takes});
        self.socket.order(which, Order::Say(envelope));
    }

    async fn acknowledged(&self, id: &str) -> Vec<Value> {
        self.socket.until(id, |socket| !socket.acknowledged(id).is_empty()).await;
        self.socket.acknowledged(id)
    }

    async fn end(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, self.running).await.expect("it ends in time").unwrap();
        self.socket.until("all is closed", |socket| socket.open() == 0).await;
    }
}

fn help() -> Value {
    json!({"command": "/tandem", "text": "help", "team_id": "T1", "user_id": "U7", "channel_id": "D1", "trigger_id": "1.2.x"})
}

/// An event that leaves a receipt, so that its effects can be counted.
fn uninstalled(id: &str) -> Value {
    json!({"type": "event_callback", "event_id": id, "team_id": "T1", "event": {"type": "app_uninstalled"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_is_answered_as_a_webhook_is() {
    let scene = Scene::new().await;
    scene.send(0, "e1", "slash_commands", help());
    let said = scene.acknowledged("e1").await;
    assert_eq!(said[0]["payload"]["text"], "What Tandem can do for you");
    scene.send(1, "e2", "events_api", uninstalled("E1"));
    assert_eq!(scene.acknowledged("e2").await, [json!({"envelope_id": "e2"})]);
    for (id, kind, payload) in [
        ("e3", "slash_commands", json!({})),
        ("e4", "of_tomorrow", json!({"type": "x"})),
        ("e5", "interactive", json!({"type": "shortcut"})),
        ("e6", "interactive", Value::Null),
    ] {
        scene.send(0, id, kind, payload);
        assert_eq!(scene.acknowledged(id).await, [json!({"envelope_id": id})], "{kind}");
    }
    assert!(
        scene.service.slack.calls("apps.connections.open").iter().all(|call| call.authorization == "Bearer xapp-test")
    );
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_that_comes_twice_has_one_effect_and_one_answer() {
    let scene = Scene::new().await;
    scene.send(0, "e1", "slash_commands", help());
    let first = scene.acknowledged("e1").await;
    scene.send(1, "e1", "slash_commands", help());
    scene.socket.until("it is acknowledged again", |socket| socket.acknowledged("e1").len() == 2).await;
    assert_eq!(scene.socket.acknowledged("e1")[1], first[0]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_break_lose_nothing() {
    let scene = Scene::new().await;
    for round in 0..3 {
        // Each is sent, and the line it came over is cut before it can be answered.
        for which in 0..2 {
            scene.send(which, &format!("e{round}{which}"), "slash_commands", help());
        }
        let before = scene.socket.opened();
        scene.socket.order(1, Order::Abort);
        scene.socket.order(0, Order::Abort);
        scene.socket.until("both are open again", |socket| socket.open() == 2 && socket.opened() >= before + 2).await;
        for which in 0..2 {
            let id = format!("e{round}{which}");
            // What did not arrive is sent again, as Slack does; what did arrive has left by another line.
            scene.send(which, &id, "slash_commands", help());
            let said = scene.acknowledged(&id).await;
            assert_eq!(said[0]["payload"]["text"], "What Tandem can do for you", "{id}");
        }
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_slack_wants_to_end_is_replaced_before_it_does() {
    let scene = Scene::new().await;
    for reason in ["warning", "refresh_requested"] {
        let before = scene.socket.opened();
        scene.socket.order(0, Order::Say(json!({"type": "disconnect", "reason": reason, "debug_info": {}})));
        scene.socket.until("a third is open", |socket| socket.open() == 3 && socket.opened() == before + 1).await;
        // The old one still brings something.
        scene.send(0, reason, "slash_commands", help());
        assert_eq!(scene.acknowledged(reason).await.len(), 1);
        scene.socket.order(0, Order::Close);
        scene.socket.until("two are open", |socket| socket.open() == 2).await;
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slack_that_ends_every_line_does_not_fill_us_with_old_ones() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        let before = scene.socket.opened();
        let newest = scene.socket.open() - 1;
        scene.socket.order(newest, Order::Say(json!({"type": "disconnect", "reason": "refresh_requested"})));
        scene.socket.until("its place is taken", |socket| socket.opened() == before + 1).await;
    }
    scene.socket.until("two are listened to besides", |socket| socket.open() == 4).await;
    // There are too many already, in Slack's words: another at once would be one more.
    scene.socket.order(3, Order::Say(json!({"type": "disconnect", "reason": "too_many_websockets"})));
    scene.socket.until("it is let go, and replaced", |socket| socket.opened() == 6 && socket.open() == 4).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_at_the_end_is_still_acknowledged() {
    let scene = Scene::new().await;
    let mut blocker = scene.service.db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE directory.chat_link").execute(&mut *blocker).await.unwrap();
    scene.send(0, "e1", "slash_commands", help());
    // Databases that were copied share the numbers of their tables.
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'directory.chat_link'::regclass \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until("the command waits for the table", async || {
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&scene.service.db.pool).await.unwrap() > 0
    })
    .await;
    scene.stop.send_replace(true);
    let said = scene.acknowledged("e1").await;
    assert!(said[0]["payload"]["text"].as_str().unwrap().starts_with("Still looking."), "{said:?}");
    blocker.rollback().await.unwrap();
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slack_that_is_away_is_asked_again() {
    let scene = Scene::new().await;
    scene.service.slack.once("apps.connections.open", Trouble::Status(503));
    scene.service.slack.once("apps.connections.open", Trouble::Status(503));
    scene.socket.order(0, Order::Abort);
    scene.socket.until("it is open again", |socket| socket.open() == 2 && socket.opened() == 3).await;
    assert!(scene.service.slack.calls("apps.connections.open").len() >= 5);
    scene.end().await;
}
