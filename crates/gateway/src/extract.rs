//! Takes requests apart; whatever does not fit is refused with an [`ApiError`](node::api::ApiError) in JSON.

use std::time::Duration;

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::refusal::Refusal;

/// The ids and names in a request's path.
pub(crate) struct Named<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(Refusal::user(format!("the address is wrong: {}", rejection.body_text()))),
        }
    }
}

/// What stands behind the question mark.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Refusal::user(format!("the query is wrong: {}", rejection.body_text()))),
        }
    }
}

/// A request's JSON body: bounded in size and in the time it may take to arrive.
///
/// The content type is not looked at: no web page reaches the socket, and on the loopback port other pages are turned
/// away by what the browser says of where they are from, whatever type they send.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let Ok(read) = timeout(BODY_TIME, read(request.into_body())).await else {
            return Err(Refusal::user("the request's body did not arrive in time"));
        };
        let bytes = read?;
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(Refusal::user(format!("the request's body does not fit: {error}"))),
        }
    }
}

/// Reads a body; one that is too large is read on for a while without being kept, because a sender who is hung
/// up on in the middle does not see why.
async fn read(mut body: axum::body::Body) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut read = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::user("the request's body is cut short"))?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        read = read.saturating_add(data.len());
        if read <= BODY_BYTES {
            bytes.extend_from_slice(data);
        } else if read > PATIENCE_BYTES {
            break;
        }
    }
    if read > BODY_BYTES {
        return Err(Refusal::user(format!("the request's body is larger than {} KiB", BODY_BYTES >> 10)));
    }
    Ok(bytes)
}

/// Room for the longest text with every character escaped.
const BODY_BYTES: usize = 512 << 10;
const PATIENCE_BYTES: usize = 16 << 20;
const BODY_TIME: Duration = Duration::from_secs(10);
