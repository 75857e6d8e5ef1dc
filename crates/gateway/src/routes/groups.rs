use axum::{Json, extract::State};
use node::api::{AddToGroup, ApiError, Group, Rename};
use serde::Deserialize;
use utoipa::IntoParams;
use wire::{CircleId, ConversationId, MemberId};

use super::{Desk, talk::OneConversation};
use crate::{
    extract::{Body, Named},
    refusal::Refusal,
};

/// Names a member of a group in the address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OneParticipant {
    /// The circle's id.
    #[param(value_type = String)]
    circle: CircleId,
    /// The group's conversation.
    #[param(value_type = String)]
    conversation: ConversationId,
    /// The member's id.
    #[param(value_type = String)]
    member: MemberId,
}

/// Shows who is in a group.
#[utoipa::path(get, path = "/v1/circles/{circle}/conversations/{conversation}/group", tag = "conversations",
    params(OneConversation),
    responses((status = 200, body = Group), (status = "default", body = ApiError)))]
pub(super) async fn group(
    State(desk): State<Desk>,
    Named(at): Named<OneConversation>,
) -> Result<Json<Group>, Refusal> {
    Ok(Json(desk.node.group(at.circle, at.conversation).await?))
}

/// Gives a group another name, for all.
#[utoipa::path(put, path = "/v1/circles/{circle}/conversations/{conversation}/group", tag = "conversations",
    params(OneConversation), request_body = Rename,
    responses((status = 200, body = Group), (status = "default", body = ApiError)))]
pub(super) async fn rename_group(
    State(desk): State<Desk>,
    Named(at): Named<OneConversation>,
    Body(rename): Body<Rename>,
) -> Result<Json<Group>, Refusal> {
    Ok(Json(desk.node.rename_group(at.circle, at.conversation, rename).await?))
}

/// Leaves a group.
#[utoipa::path(delete, path = "/v1/circles/{circle}/conversations/{conversation}/group", tag = "conversations",
    params(OneConversation),
    responses((status = 200, body = Group), (status = "default", body = ApiError)))]
pub(super) async fn leave_group(
    State(desk): State<Desk>,
    Named(at): Named<OneConversation>,
) -> Result<Json<Group>, Refusal> {
    Ok(Json(desk.node.leave_group(at.circle, at.conversation).await?))
}

/// Brings members into a group.
#[utoipa::path(post, path = "/v1/circles/{circle}/conversations/{conversation}/group/members",
    tag = "conversations", params(OneConversation), request_body = AddToGroup,
    responses((status = 200, body = Group), (status = "default", body = ApiError)))]
pub(super) async fn add_to_group(
    State(desk): State<Desk>,
    Named(at): Named<OneConversation>,
    Body(add): Body<AddToGroup>,
) -> Result<Json<Group>, Refusal> {
    Ok(Json(desk.node.add_to_group(at.circle, at.conversation, add).await?))
}

/// Takes a member out of a group: from here on he gets nothing of it.
#[utoipa::path(delete, path = "/v1/circles/{circle}/conversations/{conversation}/group/members/{member}",
    tag = "conversations", params(OneParticipant),
    responses((status = 200, body = Group), (status = "default", body = ApiError)))]
pub(super) async fn remove_from_group(
    State(desk): State<Desk>,
    Named(at): Named<OneParticipant>,
) -> Result<Json<Group>, Refusal> {
    Ok(Json(desk.node.remove_from_group(at.circle, at.conversation, at.member).await?))
}
