use axum::{Json, extract::State, http::StatusCode};
use node::api::{
    ApiError, NewStreamOffer, OpenStream, StreamEnd, StreamGrant, StreamListener, StreamOffer, StreamPolicy,
    Streams,
};
use serde::Deserialize;
use utoipa::IntoParams;
use wire::CircleId;

use super::{Desk, circles::InCircle};
use crate::{
    extract::{Body, Named},
    refusal::Refusal,
};

/// Names an offered stream in the address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OneStream {
    /// The circle's id.
    #[param(value_type = String)]
    circle: CircleId,
    /// The stream's name.
    name: String,
}

/// Names a listener in the address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OneListener {
    /// The circle's id.
    #[param(value_type = String)]
    circle: CircleId,
    /// The listener's number.
    listener: u64,
}

/// Tells what is offered, listened for and open in a circle, and what was refused lately.
#[utoipa::path(get, path = "/v1/circles/{circle}/streams", tag = "streams", params(InCircle),
    responses((status = 200, body = Streams), (status = "default", body = ApiError)))]
pub(super) async fn streams(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
) -> Result<Json<Streams>, Refusal> {
    Ok(Json(desk.node.streams(at.circle).await?))
}

/// Offers a stream to members; it stays offered after a restart.
#[utoipa::path(post, path = "/v1/circles/{circle}/streams", tag = "streams", params(InCircle),
    request_body = NewStreamOffer,
    responses((status = 200, body = StreamOffer), (status = "default", body = ApiError)))]
pub(super) async fn offer_stream(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Body(new): Body<NewStreamOffer>,
) -> Result<Json<StreamOffer>, Refusal> {
    Ok(Json(desk.node.offer_stream(at.circle, new).await?))
}

/// Offers a stream no more, and ends its flows.
#[utoipa::path(delete, path = "/v1/circles/{circle}/streams/{name}", tag = "streams", params(OneStream),
    responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn withdraw_stream(
    State(desk): State<Desk>,
    Named(at): Named<OneStream>,
) -> Result<StatusCode, Refusal> {
    desk.node.withdraw_stream(at.circle, at.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Grants an offered stream to more.
#[utoipa::path(post, path = "/v1/circles/{circle}/streams/{name}/grant", tag = "streams", params(OneStream),
    request_body = StreamGrant,
    responses((status = 200, body = StreamOffer), (status = "default", body = ApiError)))]
pub(super) async fn grant_stream(
    State(desk): State<Desk>,
    Named(at): Named<OneStream>,
    Body(grant): Body<StreamGrant>,
) -> Result<Json<StreamOffer>, Refusal> {
    Ok(Json(desk.node.grant_stream(at.circle, at.name, grant).await?))
}

/// Takes an offered stream from some, and ends their flows.
#[utoipa::path(post, path = "/v1/circles/{circle}/streams/{name}/revoke", tag = "streams", params(OneStream),
    request_body = StreamGrant,
    responses((status = 200, body = StreamOffer), (status = "default", body = ApiError)))]
pub(super) async fn revoke_stream(
    State(desk): State<Desk>,
    Named(at): Named<OneStream>,
    Body(grant): Body<StreamGrant>,
) -> Result<Json<StreamOffer>, Refusal> {
    Ok(Json(desk.node.revoke_stream(at.circle, at.name, grant).await?))
}

/// Sets the rules of this device for streams; what is against them ends.
#[utoipa::path(put, path = "/v1/circles/{circle}/stream-policy", tag = "streams", params(InCircle),
    request_body = StreamPolicy,
    responses((status = 200, body = StreamPolicy), (status = "default", body = ApiError)))]
pub(super) async fn set_stream_policy(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Body(policy): Body<StreamPolicy>,
) -> Result<Json<StreamPolicy>, Refusal> {
    Ok(Json(desk.node.set_stream_policy(at.circle, policy).await?))
}

/// Listens on this machine for programs that want what another device offers, until it is closed or the node locks.
#[utoipa::path(post, path = "/v1/circles/{circle}/stream-listeners", tag = "streams", params(InCircle),
    request_body = OpenStream,
    responses((status = 200, body = StreamListener), (status = "default", body = ApiError)))]
pub(super) async fn open_stream(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Body(open): Body<OpenStream>,
) -> Result<Json<StreamListener>, Refusal> {
    Ok(Json(desk.node.open_stream(at.circle, open).await?))
}

/// Listens no more; flows that are open go on.
#[utoipa::path(delete, path = "/v1/circles/{circle}/stream-listeners/{listener}", tag = "streams",
    params(OneListener), responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn close_stream(
    State(desk): State<Desk>,
    Named(at): Named<OneListener>,
) -> Result<StatusCode, Refusal> {
    desk.node.close_stream(at.circle, at.listener).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Waits up to a minute until the flow of a listener that is, or was, for one is over, and tells how it ended.
#[utoipa::path(get, path = "/v1/circles/{circle}/stream-listeners/{listener}/end", tag = "streams",
    params(OneListener),
    responses((status = 200, body = StreamEnd), (status = "default", body = ApiError)))]
pub(super) async fn end_of_listener(
    State(desk): State<Desk>,
    Named(at): Named<OneListener>,
) -> Result<Json<StreamEnd>, Refusal> {
    Ok(Json(desk.node.end_of_listener(at.circle, at.listener).await?))
}

/// Tells how the last flow of an offer ended; if there was none, waits up to a minute for one to end.
#[utoipa::path(get, path = "/v1/circles/{circle}/streams/{name}/end", tag = "streams", params(OneStream),
    responses((status = 200, body = StreamEnd), (status = "default", body = ApiError)))]
pub(super) async fn end_of_offer(
    State(desk): State<Desk>,
    Named(at): Named<OneStream>,
) -> Result<Json<StreamEnd>, Refusal> {
    Ok(Json(desk.node.end_of_offer(at.circle, at.name).await?))
}
