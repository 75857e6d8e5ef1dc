//! One connection, from its first byte to its last: it waits, is served once, and may stay to listen.

use std::{
    convert::Infallible,
    future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, watch},
    time::sleep,
};
use tower_service::Service;

use super::bounds::{Bounds, Place};
use crate::{events::Endless, refusal::Refusal};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The request has not arrived whole.
    Waiting,
    /// It is being answered.
    Serving,
    /// The answer goes on until one side leaves.
    Listening,
}

/// What the connection holds at the moment; dropped with it.
#[derive(Debug)]
struct Visit {
    phase: watch::Sender<Phase>,
    place: Mutex<Option<Place>>,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    bounds: Arc<Bounds>,
}

/// Carries a connection through its phases and ends it where it overstays, or without a byte if it may not come in.
pub(super) async fn attend(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    admitted: impl Future<Output = bool>,
    router: Router,
    bounds: Arc<Bounds>,
    mut closing: watch::Receiver<bool>,
) {
    let (place, mut sent_away) = bounds.enter();
    tokio::select! {
        biased;
        Ok(()) = &mut sent_away => return,
        admitted = admitted => if !admitted { return },
    }
    let (phase, mut phases) = watch::channel(Phase::Waiting);
    let visit = Arc::new(Visit { phase, place: Mutex::new(Some(place)), permit: Mutex::default(), bounds });
    let answering = Arc::clone(&visit);
    let service = service_fn(move |request| answer(Arc::clone(&answering), router.clone(), request));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);

    loop {
        let phase = *phases.borrow_and_update();
        let overstayed = async {
            match phase {
                Phase::Waiting => sleep(WAITING_TIME).await,
                Phase::Serving => sleep(SERVING_TIME).await,
                Phase::Listening => future::pending().await,
            }
        };
        let told_to_go = async {
            match phase {
                Phase::Serving => future::pending().await,
                Phase::Waiting | Phase::Listening => closing.wait_for(|closing| *closing).await.is_ok(),
            }
        };
        tokio::select! {
            biased;
            _ = &mut connection => return,
            Ok(()) = &mut sent_away, if phase == Phase::Waiting => return,
            _ = told_to_go => return,
            () = overstayed => return,
            _ = phases.changed() => {}
        }
    }
}

async fn answer(
    visit: Arc<Visit>,
    mut router: Router,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let Some(permit) = visit.bounds.serve() else {
        return Ok(Refusal::busy());
    };
    visit.enter(Phase::Serving, permit);
    let response = router.call(request.map(Body::new)).await?;
    if response.extensions().get::<Endless>().is_some() {
        let Some(permit) = visit.bounds.listen() else {
            return Ok(Refusal::busy());
        };
        visit.enter(Phase::Listening, permit);
    }
    Ok(response)
}

impl Visit {
    fn enter(&self, phase: Phase, permit: OwnedSemaphorePermit) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).replace(permit);
        self.phase.send_replace(phase);
    }
}

/// The largest request line and headers.
const HEAD_BYTES: usize = 16 << 10;
const WAITING_TIME: Duration = Duration::from_secs(10);
/// Room for a slow key derivation and for a large export to a slow reader.
const SERVING_TIME: Duration = Duration::from_secs(120);
