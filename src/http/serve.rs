//! The listener: a limit of connections and of time for slow clients, and an
//! end that lets go of nobody in the middle of a request.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::unread::Unread;

/// Connections at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 1_024;
/// From the connection, or the last answer on it, to the end of the next request's head.
const HEAD: Duration = Duration::from_secs(10);
/// How long a client may read nothing of an answer. Whoever never reads would have its connection for ever.
const ANSWER: Duration = Duration::from_secs(30);
/// How long requests are still taken after the stop was asked for, so that whoever routes them here
/// hears "not ready" instead of a refused connection.
const LINGER: Duration = Duration::from_secs(1);
/// From there on, for what is in flight. Together they stay within the 25 s of reliability.md, 17.
const GRACE: Duration = Duration::from_secs(23);

/// What has to end before the process may, and whether it is about to.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Drain {
    pub fn new() -> Self {
        Self::default()
    }

    /// From the moment the stop was asked for.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Runs work that outlives its request: the stop waits for it.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.tasks.spawn(work)
    }

    /// Ends once no such work is under way.
    pub async fn idle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Serves until `shutdown`, then ends in order: not ready at once, no new connections after a second,
/// idle ones closed, requests and their background work given 24 s in all. Only HTTP/1: recognising
/// HTTP/2 would wait without a limit for a client's first bytes, and proxies speak HTTP/1 to us.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    drain: Drain,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let address = listener.local_addr().context("the listener has no address")?;
    tracing::info!(%address, "listening");
    let connections = TaskTracker::new();
    let closing = CancellationToken::new();
    let ended = async {
        shutdown.await;
        drain.stopping.cancel();
        tokio::time::sleep(LINGER).await;
    };
    tokio::select! {
        () = accept(&listener, router, &connections, &closing) => {}
        () = ended => {}
    }
    drop(listener);
    closing.cancel();
    connections.close();
    let all = async {
        connections.wait().await;
        drain.idle().await;
    };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        let (connections, tasks) = (connections.len(), drain.tasks.len());
        tracing::warn!(connections, tasks, "stopped before everything in flight had ended");
    }
    Ok(())
}

/// Takes connections for ever.
async fn accept(listener: &TcpListener, router: Router, connections: &TaskTracker, closing: &CancellationToken) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, router.clone(), closing.clone(), slot));
            }
            Err(error) => {
                // Too many open files, for one: going on at once would only spin.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, closing: CancellationToken, _slot: OwnedSemaphorePermit) {
    // Answers are small and whole; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(Unread::within(ANSWER, stream)), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;

    async fn started(
        router: Router,
    ) -> (std::net::SocketAddr, Drain, oneshot::Sender<()>, JoinHandle<anyhow::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let drain = Drain::new();
        let serving = tokio::spawn(serve(listener, router, drain.clone(), async {
            let _ = stopped.await;
        }));
        (address, drain, stop, serving)
    }

    async fn ask(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    #[tokio::test]
    async fn what_is_in_flight_ends_and_idle_connections_hold_nothing_up() {
        let slow = get(|| async {
            tokio::time::sleep(Duration::from_millis(1800)).await;
            "done"
        });
        let (address, drain, stop, serving) = started(Router::new().route("/", slow)).await;
        // Says nothing, for ever.
        let _idle = TcpStream::connect(address).await.unwrap();
        let mut busy = TcpStream::connect(address).await.unwrap();
        let asking = tokio::spawn(async move { ask(&mut busy).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let work = drain.spawn(tokio::time::sleep(Duration::from_millis(2000)));
        let begun = Instant::now();
        stop.send(()).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(drain.is_stopping());
        serving.await.unwrap().unwrap();
        assert!(work.is_finished(), "background work was waited for");
        assert!(asking.await.unwrap().ends_with("done"));
        assert!(begun.elapsed() < Duration::from_secs(5), "the idle connection was not waited for");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn for_a_moment_after_the_stop_it_still_answers() {
        let (address, drain, stop, serving) = started(Router::new().route("/", get(|| async { "here" }))).await;
        stop.send(()).unwrap();
        while !drain.is_stopping() {
            tokio::task::yield_now().await;
        }
        let mut late = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut late).await.ends_with("here"));
        serving.await.unwrap().unwrap();
    }
}
