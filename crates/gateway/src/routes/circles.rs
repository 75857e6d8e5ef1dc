use axum::{Json, extract::State, http::StatusCode};
use node::api::{ApiError, Circle, Contact, Found, Invitation, Invite, Join, Tunnel};
use serde::Deserialize;
use utoipa::IntoParams;
use wire::{CircleId, EntryId};

use super::Desk;
use crate::{
    extract::{Body, Named},
    refusal::Refusal,
};

/// Names a circle in the address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct InCircle {
    /// The circle's id.
    #[param(value_type = String)]
    pub(super) circle: CircleId,
}

/// Names an invitation in the address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OneInvitation {
    /// The circle's id.
    #[param(value_type = String)]
    circle: CircleId,
    /// The invitation's id.
    #[param(value_type = String)]
    invitation: EntryId,
}

/// Lists the circles this device belongs to or is about to join.
#[utoipa::path(get, path = "/v1/circles", tag = "circles", responses(
    (status = 200, body = Vec<Circle>), (status = "default", body = ApiError)))]
pub(super) async fn circles(State(desk): State<Desk>) -> Result<Json<Vec<Circle>>, Refusal> {
    Ok(Json(desk.node.circles().await?))
}

/// Founds a circle with this device as its first.
#[utoipa::path(post, path = "/v1/circles", tag = "circles", request_body = Found, responses(
    (status = 200, body = Circle), (status = "default", body = ApiError)))]
pub(super) async fn found(
    State(desk): State<Desk>,
    Body(found): Body<Found>,
) -> Result<Json<Circle>, Refusal> {
    Ok(Json(desk.node.found(found).await?))
}

/// Begins to join a circle; an event of kind `standing` tells the outcome.
#[utoipa::path(post, path = "/v1/join", tag = "circles", request_body = Join, responses(
    (status = 200, body = Circle), (status = "default", body = ApiError)))]
pub(super) async fn join(State(desk): State<Desk>, Body(join): Body<Join>) -> Result<Json<Circle>, Refusal> {
    Ok(Json(desk.node.join(join).await?))
}

/// Shows one circle.
#[utoipa::path(get, path = "/v1/circles/{circle}", tag = "circles", params(InCircle), responses(
    (status = 200, body = Circle), (status = "default", body = ApiError)))]
pub(super) async fn circle(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
) -> Result<Json<Circle>, Refusal> {
    Ok(Json(desk.node.circle(at.circle).await?))
}

/// Lists the circle's invitations.
#[utoipa::path(get, path = "/v1/circles/{circle}/invitations", tag = "circles", params(InCircle), responses(
    (status = 200, body = Vec<Invitation>), (status = "default", body = ApiError)))]
pub(super) async fn invitations(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
) -> Result<Json<Vec<Invitation>>, Refusal> {
    Ok(Json(desk.node.invitations(at.circle).await?))
}

/// Issues an invitation.
#[utoipa::path(post, path = "/v1/circles/{circle}/invitations", tag = "circles", params(InCircle),
    request_body = Invite, responses((status = 200, body = Invitation), (status = "default", body = ApiError)))]
pub(super) async fn invite(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Body(invite): Body<Invite>,
) -> Result<Json<Invitation>, Refusal> {
    Ok(Json(desk.node.invite(at.circle, invite).await?))
}

/// Withdraws an invitation.
#[utoipa::path(delete, path = "/v1/circles/{circle}/invitations/{invitation}", tag = "circles",
    params(OneInvitation), responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn withdraw(
    State(desk): State<Desk>,
    Named(at): Named<OneInvitation>,
) -> Result<StatusCode, Refusal> {
    desk.node.withdraw(at.circle, at.invitation).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the tunnels to the circle's other devices, and the attempts at them.
#[utoipa::path(get, path = "/v1/circles/{circle}/tunnels", tag = "circles", params(InCircle), responses(
    (status = 200, body = Vec<Tunnel>), (status = "default", body = ApiError)))]
pub(super) async fn tunnels(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
) -> Result<Json<Vec<Tunnel>>, Refusal> {
    Ok(Json(desk.node.tunnels(at.circle).await?))
}

/// Lists the addresses this device has exchanged packets with, in the last day or since it was unlocked.
#[utoipa::path(get, path = "/v1/circles/{circle}/contacts", tag = "circles", params(InCircle), responses(
    (status = 200, body = Vec<Contact>), (status = "default", body = ApiError)))]
pub(super) async fn contacts(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
) -> Result<Json<Vec<Contact>>, Refusal> {
    Ok(Json(desk.node.contacts(at.circle).await?))
}
