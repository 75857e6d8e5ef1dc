//! Streams what happens as server-sent events.
//!
//! There is no keep-alive: on a Unix socket the kernel tells each side at once that the other is gone, so an
//! idle listener costs no wake-up.

use std::convert::Infallible;

use axum::response::{IntoResponse, Response, Sse, sse};
use futures_util::stream;
use node::{Node, api::Event};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Marks a response that has no end of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endless;

/// Answers with everything that happens from the moment at which `events` was subscribed.
///
/// Who reads too slowly loses the oldest events and is told how many by [`Event::Missed`]; nobody waits for him.
/// A listener who needs a token loses his place with it.
pub(crate) fn stream(events: Receiver<Event>, token: Option<(Node, String)>) -> Response {
    let events = stream::unfold((events, token), |(mut events, token)| async move {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => Event::Missed { count },
            Err(RecvError::Closed) => return None,
        };
        // A revocation may be among what was missed.
        if let (Event::Tokens | Event::Missed { .. } | Event::Unlocked, Some((node, secret))) =
            (&event, &token)
            && matches!(node.token(secret.clone()).await, Ok(None))
        {
            return None;
        }
        let event =
            sse::Event::default().json_data(event).expect("an event has no map with other keys than text");
        Some((Ok::<_, Infallible>(event), (events, token)))
    });
    let mut response = Sse::new(events).into_response();
    response.extensions_mut().insert(Endless);
    response
}
