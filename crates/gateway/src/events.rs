//! Streams what happens as server-sent events.
//!
//! There is no keep-alive: on a Unix socket and on loopback the kernel tells each side at once that the other is gone,
//! so an idle listener costs no wake-up.

use std::{convert::Infallible, future, sync::Arc};

use axum::response::{IntoResponse, Response, Sse, sse};
use futures_util::stream;
use node::api::Event;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep_until},
};

use crate::web::{self, Gate};

/// Marks a response that has no end of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endless;

/// The place of a listener who needs a token.
#[derive(Debug)]
pub(crate) struct Seat {
    gate: Arc<Gate>,
    secret: String,
    until: Instant,
}

/// Answers with everything that happens from the moment at which `events` was subscribed.
///
/// Who reads too slowly loses the oldest events and is told how many by [`Event::Missed`]; nobody waits for him.
pub(crate) fn stream(events: Receiver<Event>, seat: Option<Seat>) -> Response {
    let events = stream::unfold((events, seat), |(mut events, mut seat)| async move {
        let over = async {
            match &seat {
                Some(seat) => sleep_until(seat.until).await,
                None => future::pending().await,
            }
        };
        let event = tokio::select! {
            event = events.recv() => event,
            () = over => return None,
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => Event::Missed { count },
            Err(RecvError::Closed) => return None,
        };
        // A revocation may be among what was missed.
        if matches!(event, Event::Tokens | Event::Missed { .. } | Event::Unlocked) {
            seat = match seat {
                Some(taken) => Some(taken.keep().await?),
                None => None,
            };
        }
        let event =
            sse::Event::default().json_data(event).expect("an event has no map with other keys than text");
        Some((Ok::<_, Infallible>(event), (events, seat)))
    });
    let mut response = Sse::new(events).into_response();
    response.extensions_mut().insert(Endless);
    response
}

/// Answers like [`stream`] for as long as a token holds; a listener loses his place with it.
///
/// The token is asked for again here: it may have been revoked before there was somebody to tell.
pub(crate) async fn stream_to(events: Receiver<Event>, gate: Arc<Gate>, secret: String) -> Response {
    let seat = Seat { gate, secret, until: Instant::now() };
    match seat.keep().await {
        Some(seat) => stream(events, Some(seat)),
        None => web::unknown(),
    }
}

impl Seat {
    async fn keep(mut self) -> Option<Self> {
        self.until = Instant::now() + self.gate.may_listen(&self.secret).await?;
        Some(self)
    }
}
