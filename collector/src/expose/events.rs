//! `GET /api/v1/events`: the board as server-sent events, each second, encoded once for all who listen.
//!
//! A client that does not keep up is dropped: it reconnects and begins with the newest board, which is better
//! for it and for us than minutes of old ones in a buffer.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::HeaderName;
use http::header::CONTENT_TYPE;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};

use super::api::Api;
use super::problem::Problem;
use super::providers;
use super::verdicts::Present;
use crate::rollup::{Board, Figures};
use crate::store::annotations::Annotation;

/// Open streams: a few walls of screens. Each costs a connection and one copy of the board in its socket.
const CLIENTS_MAX: usize = 64;

/// Boards that a client may lag behind; they are shared, so this bounds memory once and not per client.
const LAG_MAX: usize = 16;

/// The newest board, encoded, and those who wait for the next.
#[derive(Debug)]
pub(super) struct Live {
    latest: Mutex<Option<Event>>,
    events: broadcast::Sender<Event>,
    clients: Arc<Semaphore>,
}

#[derive(Debug, Clone)]
struct Event {
    /// Unix milliseconds of the board; `None`: a note, which has no place among the boards.
    id: Option<u64>,
    json: Bytes,
    frame: Bytes,
}

impl Default for Live {
    fn default() -> Live {
        Live {
            latest: Mutex::default(),
            events: broadcast::Sender::new(LAG_MAX),
            clients: Arc::new(Semaphore::new(CLIENTS_MAX)),
        }
    }
}

impl Live {
    /// The newest 60 s board as JSON, once there is one.
    pub(super) fn latest(&self) -> Option<Bytes> {
        self.event().map(|event| event.json)
    }

    fn event(&self) -> Option<Event> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn publish(&self, board: &Board, on: impl Fn(&Figures) -> Figures) {
        let json = providers::encode(board, on);
        let id = board.at_unix_ns / 1_000_000;
        let mut frame = format!("id: {id}\nevent: providers\ndata: ").into_bytes();
        frame.extend_from_slice(&json);
        frame.extend_from_slice(b"\n\n");
        let event = Event { id: Some(id), json, frame: frame.into() };
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(event.clone());
        // An error says that nobody listens.
        let _ = self.events.send(event);
    }
}

impl Live {
    /// Tells everybody of a note that somebody made.
    pub(super) fn annotated(&self, annotation: &Annotation) {
        let json = serde_json::to_vec(annotation).expect("plain structs with string keys always encode");
        self.event_of("annotation", json.into());
    }

    /// Tells everybody of something that happened.
    pub(super) fn event_of(&self, kind: &str, json: Bytes) {
        let frame = [b"event: ", kind.as_bytes(), b"\ndata: ", &json[..], b"\n\n"].concat();
        let _ = self.events.send(Event { id: None, json, frame: frame.into() });
    }
}

/// Hands on each board that the roll-up makes from now on, until the server stops or the roll-up is gone.
pub(super) fn publish(api: Arc<Api>) -> impl Future<Output = ()> + Send {
    let mut boards = api.facts.boards();
    let mut stopping = api.stopping.clone();
    async move {
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => return,
                changed = boards.changed() => if changed.is_err() { return },
            }
            let board = Arc::clone(&boards.borrow_and_update());
            let present = Present::of(&*api.facts);
            api.live.publish(&board, |figures| present.on(figures));
        }
    }
}

pub(super) async fn stream(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let Ok(place) = Arc::clone(&api.live.clients).try_acquire_owned() else {
        let error = format!("{CLIENTS_MAX} event streams are open already");
        return Err(Problem::unavailable(error, "close a page, or read /api/v1/providers once a second"));
    };
    // Subscribed before the newest is read, so that none falls in between; one that comes twice is left out.
    let client = Client {
        events: api.live.events.subscribe(),
        stopping: api.stopping.clone(),
        first: api.live.event(),
        last_id: None,
        _place: place,
    };
    let body = Body::from_stream(stream::unfold(client, |mut client| async {
        let frame = client.next().await?;
        Some((Ok::<_, Infallible>(frame), client))
    }));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, body).into_response())
}

struct Client {
    events: broadcast::Receiver<Event>,
    stopping: watch::Receiver<bool>,
    first: Option<Event>,
    last_id: Option<u64>,
    _place: OwnedSemaphorePermit,
}

impl Client {
    /// The next frame; `None` ends the stream: the server stops, or the client has fallen behind.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let event = match self.first.take() {
                Some(event) => event,
                None => tokio::select! {
                    _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                    event = self.events.recv() => event.ok()?,
                },
            };
            match event.id {
                None => return Some(event.frame),
                id if id == self.last_id => {}
                id => {
                    self.last_id = id;
                    return Some(event.frame);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(live: &Live, stopping: watch::Receiver<bool>) -> Client {
        Client {
            events: live.events.subscribe(),
            stopping,
            first: live.event(),
            last_id: None,
            _place: Arc::clone(&live.clients).try_acquire_owned().unwrap(),
        }
    }

    fn board(second: u64) -> Board {
        Board { at_unix_ns: second * 1_000_000_000, window_s: 60, providers: Vec::new() }
    }

    #[tokio::test]
    async fn a_client_that_falls_behind_is_dropped_and_one_that_keeps_up_is_not() {
        let stopping = watch::Sender::new(false);
        let live = Live::default();
        let mut slow = client(&live, stopping.subscribe());
        let mut quick = client(&live, stopping.subscribe());
        for second in 1..=LAG_MAX as u64 + 1 {
            live.publish(&board(second), Figures::clone);
            let frame = quick.next().await.unwrap();
            assert!(frame.starts_with(format!("id: {}\n", second * 1000).as_bytes()));
        }
        assert_eq!(slow.next().await, None);
    }

    #[tokio::test]
    async fn a_new_client_gets_the_newest_board_at_once_and_only_once() {
        let stopping = watch::Sender::new(false);
        let live = Live::default();
        live.publish(&board(1), Figures::clone);
        live.publish(&board(2), Figures::clone);
        let mut late = client(&live, stopping.subscribe());
        // As if a board had come between subscribing and reading the newest.
        late.first = Some(Event { id: Some(3000), json: Bytes::new(), frame: Bytes::from_static(b"third") });
        live.publish(&board(3), Figures::clone);
        live.publish(&board(4), Figures::clone);
        assert_eq!(late.next().await.unwrap(), "third");
        assert!(late.next().await.unwrap().starts_with(b"id: 4000\nevent: providers\ndata: {"));
    }

    #[tokio::test]
    async fn streams_end_when_the_server_stops() {
        let stopping = watch::Sender::new(false);
        let live = Live::default();
        let mut waiting = client(&live, stopping.subscribe());
        stopping.send_replace(true);
        assert_eq!(waiting.next().await, None);
    }
}
