use axum::{Json, extract::State, http::StatusCode};
use node::api::{ApiError, Device, Member, SafetyWords, SetRole, Share, Verify};
use serde::Deserialize;
use utoipa::IntoParams;
use wire::{CircleId, DeviceId, MemberId};

use super::{Desk, circles::InCircle};
use crate::{
    extract::{Body, Named},
    refusal::Refusal,
};

/// Names a member in the address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OneMember {
    /// The circle's id.
    #[param(value_type = String)]
    circle: CircleId,
    /// The member's id.
    #[param(value_type = String)]
    member: MemberId,
}

/// Names a device in the address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OneDevice {
    /// The circle's id.
    #[param(value_type = String)]
    circle: CircleId,
    /// The device's id.
    #[param(value_type = String)]
    device: DeviceId,
}

/// Lists the circle's members.
#[utoipa::path(get, path = "/v1/circles/{circle}/members", tag = "members", params(InCircle), responses(
    (status = 200, body = Vec<Member>), (status = "default", body = ApiError)))]
pub(super) async fn members(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
) -> Result<Json<Vec<Member>>, Refusal> {
    Ok(Json(desk.node.members(at.circle).await?))
}

/// Removes a member with all his devices.
#[utoipa::path(delete, path = "/v1/circles/{circle}/members/{member}", tag = "members", params(OneMember),
    responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn remove_member(
    State(desk): State<Desk>,
    Named(at): Named<OneMember>,
) -> Result<StatusCode, Refusal> {
    desk.node.remove_member(at.circle, at.member).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a member another role, with all his devices; one who was removed comes back in it.
#[utoipa::path(put, path = "/v1/circles/{circle}/members/{member}/role", tag = "members", params(OneMember),
    request_body = SetRole, responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn set_role(
    State(desk): State<Desk>,
    Named(at): Named<OneMember>,
    Body(set): Body<SetRole>,
) -> Result<StatusCode, Refusal> {
    desk.node.set_role(at.circle, at.member, set.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets how much of this device a member's messages may take; what was refused is asked for again.
#[utoipa::path(put, path = "/v1/circles/{circle}/members/{member}/share", tag = "members", params(OneMember),
    request_body = Share, responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn allow(
    State(desk): State<Desk>,
    Named(at): Named<OneMember>,
    Body(share): Body<Share>,
) -> Result<StatusCode, Refusal> {
    desk.node.allow(at.circle, at.member, share).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leaves the circle with this device; what it holds stays readable on it.
#[utoipa::path(post, path = "/v1/circles/{circle}/leave", tag = "members", params(InCircle),
    responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn leave(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
) -> Result<StatusCode, Refusal> {
    desk.node.leave(at.circle).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the circle's devices.
#[utoipa::path(get, path = "/v1/circles/{circle}/devices", tag = "members", params(InCircle), responses(
    (status = 200, body = Vec<Device>), (status = "default", body = ApiError)))]
pub(super) async fn devices(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
) -> Result<Json<Vec<Device>>, Refusal> {
    Ok(Json(desk.node.devices(at.circle).await?))
}

/// Removes a device.
#[utoipa::path(delete, path = "/v1/circles/{circle}/devices/{device}", tag = "members", params(OneDevice),
    responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn remove_device(
    State(desk): State<Desk>,
    Named(at): Named<OneDevice>,
) -> Result<StatusCode, Refusal> {
    desk.node.remove_device(at.circle, at.device).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives the words and the code that this device and another must share.
#[utoipa::path(get, path = "/v1/circles/{circle}/devices/{device}/safety-words", tag = "members",
    params(OneDevice), responses((status = 200, body = SafetyWords), (status = "default", body = ApiError)))]
pub(super) async fn safety_words(
    State(desk): State<Desk>,
    Named(at): Named<OneDevice>,
) -> Result<Json<SafetyWords>, Refusal> {
    Ok(Json(desk.node.safety_words(at.circle, at.device).await?))
}

/// Records that a person compared the words or the code and found them the same.
#[utoipa::path(put, path = "/v1/circles/{circle}/devices/{device}/verification", tag = "members",
    params(OneDevice), request_body = Verify,
    responses((status = 200, body = Device), (status = "default", body = ApiError)))]
pub(super) async fn verify(
    State(desk): State<Desk>,
    Named(at): Named<OneDevice>,
    Body(verify): Body<Verify>,
) -> Result<Json<Device>, Refusal> {
    Ok(Json(desk.node.verify(at.circle, at.device, verify).await?))
}

/// Takes that record back.
#[utoipa::path(delete, path = "/v1/circles/{circle}/devices/{device}/verification", tag = "members",
    params(OneDevice), responses((status = 200, body = Device), (status = "default", body = ApiError)))]
pub(super) async fn unverify(
    State(desk): State<Desk>,
    Named(at): Named<OneDevice>,
) -> Result<Json<Device>, Refusal> {
    Ok(Json(desk.node.unverify(at.circle, at.device).await?))
}

/// Hides a member's messages on this device.
#[utoipa::path(put, path = "/v1/circles/{circle}/members/{member}/block", tag = "members",
    params(OneMember), responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn block(
    State(desk): State<Desk>,
    Named(at): Named<OneMember>,
) -> Result<StatusCode, Refusal> {
    desk.node.block(at.circle, at.member, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows a member's messages on this device again.
#[utoipa::path(delete, path = "/v1/circles/{circle}/members/{member}/block", tag = "members",
    params(OneMember), responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn unblock(
    State(desk): State<Desk>,
    Named(at): Named<OneMember>,
) -> Result<StatusCode, Refusal> {
    desk.node.block(at.circle, at.member, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
