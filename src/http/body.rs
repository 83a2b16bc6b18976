//! Bodies, read under a limit of bytes, a limit of time, and a limit of memory
//! over all requests together: a thousand slow clients hold no more than that.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{busy, sentence};

/// Memory is accounted for in pieces of this size.
const PIECE: usize = 1024;
/// How much of a body that is too long is still taken off the wire, and for how long: a client that is
/// cut off while it sends often never reads the answer that says why.
const DRAINED: usize = 32 << 20;
const DRAINED_FOR: Duration = Duration::from_secs(2);

/// Memory for the bodies of one kind of requests.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / PIECE)))
    }

    /// Room for so many bytes, given back when dropped; `None` when there is not that much left.
    pub(super) fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(pieces).ok()
    }
}

/// How much, how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) within: Duration,
}

/// A whole body and its share of the budget.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    TooLong,
    TooSlow,
    /// The connection broke, or the chunks make no sense.
    Broken,
    NoRoom,
}

impl IntoResponse for Unread {
    fn into_response(self) -> Response {
        match self {
            Unread::TooLong => sentence(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long."),
            Unread::TooSlow => sentence(StatusCode::REQUEST_TIMEOUT, "The body came too slowly."),
            Unread::Broken => sentence(StatusCode::BAD_REQUEST, "The body could not be read."),
            Unread::NoRoom => busy(),
        }
    }
}

/// The length that a body was announced with.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
}

/// Reads a body to its end.
pub(super) async fn read(body: Body, headers: &HeaderMap, limits: Limits, budget: &Budget) -> Result<Held, Unread> {
    let mut stream = body.into_data_stream();
    let too_long = announced(headers).is_some_and(|length| length > limits.bytes as u64);
    let read = match too_long {
        true => Err(Unread::TooLong),
        false => tokio::time::timeout(limits.within, collect(&mut stream, limits.bytes, budget))
            .await
            .unwrap_or(Err(Unread::TooSlow)),
    };
    if read.as_ref().is_err_and(|unread| *unread == Unread::TooLong) {
        // What was drained, and whether it ended, changes nothing about the answer.
        let _ = tokio::time::timeout(DRAINED_FOR, drain(&mut stream)).await;
    }
    read
}

async fn collect(stream: &mut BodyDataStream, most: usize, budget: &Budget) -> Result<Held, Unread> {
    let mut bytes = Vec::new();
    let mut room: Option<OwnedSemaphorePermit> = None;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Unread::Broken)?;
        let length = bytes.len() + chunk.len();
        if length > most {
            return Err(Unread::TooLong);
        }
        let held = room.as_ref().map_or(0, |room| room.num_permits() * PIECE);
        if length > held {
            let more = budget.take(length - held).ok_or(Unread::NoRoom)?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Held { bytes, room })
}

async fn drain(stream: &mut BodyDataStream) {
    let mut drained = 0;
    while let Some(Ok(chunk)) = stream.next().await {
        drained += chunk.len();
        if drained > DRAINED {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn chunked(chunks: Vec<&'static str>) -> Body {
        Body::from_stream(stream::iter(chunks.into_iter().map(|chunk| Ok::<_, std::io::Error>(Bytes::from(chunk)))))
    }

    async fn read_chunks(chunks: Vec<&'static str>, bytes: usize, budget: &Budget) -> Result<Held, Unread> {
        read(chunked(chunks), &HeaderMap::new(), Limits { bytes, within: SECOND }, budget).await
    }

    #[tokio::test]
    async fn a_body_may_be_as_long_as_the_limit_and_no_longer() {
        let budget = Budget::new(1 << 20);
        assert_eq!(read_chunks(vec!["abc", "de"], 5, &budget).await.unwrap().bytes, b"abcde");
        assert_eq!(read_chunks(vec!["abc", "def"], 5, &budget).await.unwrap_err(), Unread::TooLong);
        let announced = HeaderMap::from_iter([(CONTENT_LENGTH, "6".parse().unwrap())]);
        let limits = Limits { bytes: 5, within: SECOND };
        let read = read(chunked(vec!["abc"]), &announced, limits, &budget).await;
        assert_eq!(read.unwrap_err(), Unread::TooLong, "the announced length is believed");
    }

    #[tokio::test]
    async fn small_chunks_cost_what_they_hold_and_memory_comes_back() {
        let budget = Budget::new(2 * PIECE);
        let held = read_chunks(vec!["x"; 1500], 1 << 20, &budget).await.unwrap();
        assert_eq!(held.room.as_ref().map(OwnedSemaphorePermit::num_permits), Some(2));
        assert_eq!(read_chunks(vec!["x"], 1 << 20, &budget).await.unwrap_err(), Unread::NoRoom);
        drop(held);
        assert!(read_chunks(vec!["x"], 1 << 20, &budget).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_that_trickles_ends_in_time() {
        let endless = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let limits = Limits { bytes: 1 << 20, within: SECOND };
        // Each chunk comes in time; the whole does not.
        let read = read(Body::from_stream(endless), &HeaderMap::new(), limits, &Budget::new(1 << 20)).await;
        assert_eq!(read.unwrap_err(), Unread::TooSlow);
    }
}
