//! Slack's side of Socket Mode: gives out addresses, takes connections, sends envelopes, and breaks lines.

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// What a connection is told to do.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    Say(Value),
    /// A closing handshake.
    Close,
    /// A reset, in the middle of whatever goes on.
    Abort,
}

#[derive(Default)]
struct Inside {
    open: Vec<mpsc::UnboundedSender<Order>>,
    acknowledged: Vec<Value>,
    opened: usize,
}

#[derive(Clone)]
pub(crate) struct FakeSocket {
    inside: Arc<Mutex<Inside>>,
    pub(crate) url: String,
}

impl FakeSocket {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("ws://{}/link?ticket=secret", listener.local_addr().expect("the port"));
        let socket = Self { inside: Arc::default(), url };
        let serving = socket.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        socket
    }

    async fn serve(self, stream: TcpStream) {
        let Ok(mut line) = tokio_tungstenite::accept_async(stream).await else { return };
        let hello = json!({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}});
        let (sender, mut orders) = mpsc::unbounded_channel();
        if line.send(Message::text(hello.to_string())).await.is_err() {
            return;
        }
        {
            let mut inside = self.inside.lock().expect("the fake socket");
            inside.open.push(sender.clone());
            inside.opened += 1;
        }
        self.talk(&mut line, &mut orders).await;
        self.inside.lock().expect("the fake socket").open.retain(|open| !open.same_channel(&sender));
    }

    async fn talk(&self, line: &mut WebSocketStream<TcpStream>, orders: &mut mpsc::UnboundedReceiver<Order>) {
        loop {
            tokio::select! {
                Some(order) = orders.recv() => match order {
                    Order::Say(value) => drop(line.send(Message::text(value.to_string())).await),
                    Order::Close => return drop(line.close(None).await),
                    // What was not read makes the kernel answer with a reset.
                    Order::Abort => return drop(line.get_mut().set_zero_linger()),
                },
                came = line.next() => match came {
                    Some(Ok(Message::Text(text))) => {
                        let said = serde_json::from_str(&text).expect("JSON");
                        self.inside.lock().expect("the fake socket").acknowledged.push(said);
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
            }
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.inside.lock().expect("the fake socket").open.len()
    }

    /// How many connections there ever were.
    pub(crate) fn opened(&self) -> usize {
        self.inside.lock().expect("the fake socket").opened
    }

    /// To the connection of this number, counted from the oldest.
    pub(crate) fn order(&self, which: usize, order: Order) {
        let inside = self.inside.lock().expect("the fake socket");
        // Whoever ended meanwhile hears nothing, as on Slack.
        let _ = inside.open[which % inside.open.len()].send(order);
    }

    pub(crate) fn acknowledged(&self, id: &str) -> Vec<Value> {
        let inside = self.inside.lock().expect("the fake socket");
        inside.acknowledged.iter().filter(|said| said["envelope_id"] == id).cloned().collect()
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        super::until(what, async || holds(self)).await;
    }
}
