use axum::{Json, extract::State, http::StatusCode};
use node::api::{ApiError, Conversation, Message, NewGroup, Page, PageQuery, Send};
use serde::Deserialize;
use utoipa::IntoParams;
use wire::{CircleId, ConversationId, MessageId};

use super::{Desk, circles::InCircle};
use crate::{
    extract::{Asked, Body, Named},
    refusal::Refusal,
};

/// Names a conversation in the address, by its id.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OneConversation {
    /// The circle's id.
    #[param(value_type = String)]
    pub(super) circle: CircleId,
    /// The conversation's id.
    #[param(value_type = String)]
    pub(super) conversation: ConversationId,
}

/// Names a conversation in the address, in any way that a person would.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct CalledConversation {
    /// The circle's id.
    #[param(value_type = String)]
    circle: CircleId,
    /// `everyone`, a member's name or id, a group's name or id, or the conversation's id.
    conversation: String,
}

/// Which part of a conversation to read.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// The message before which to read; absent for the newest part.
    #[param(value_type = Option<String>)]
    before: Option<MessageId>,
    /// How many at most; 50 if absent, 1,000 at most.
    limit: Option<u32>,
}

/// From where to read one's own messages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The number of the first message in this device's chain; 0 if absent.
    #[serde(default)]
    from: u64,
}

/// Lists the circle's conversations.
#[utoipa::path(get, path = "/v1/circles/{circle}/conversations", tag = "conversations", params(InCircle),
    responses((status = 200, body = Vec<Conversation>), (status = "default", body = ApiError)))]
pub(super) async fn conversations(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
) -> Result<Json<Vec<Conversation>>, Refusal> {
    Ok(Json(desk.node.conversations(at.circle).await?))
}

/// Founds a group.
#[utoipa::path(post, path = "/v1/circles/{circle}/conversations", tag = "conversations", params(InCircle),
    request_body = NewGroup,
    responses((status = 200, body = Conversation), (status = "default", body = ApiError)))]
pub(super) async fn found_group(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Body(group): Body<NewGroup>,
) -> Result<Json<Conversation>, Refusal> {
    Ok(Json(desk.node.found_group(at.circle, group).await?))
}

/// Shows one conversation, named as in sending.
#[utoipa::path(get, path = "/v1/circles/{circle}/conversations/{conversation}", tag = "conversations",
    params(CalledConversation),
    responses((status = 200, body = Conversation), (status = "default", body = ApiError)))]
pub(super) async fn conversation(
    State(desk): State<Desk>,
    Named(at): Named<CalledConversation>,
) -> Result<Json<Conversation>, Refusal> {
    Ok(Json(desk.node.conversation(at.circle, at.conversation).await?))
}

/// Reads a part of a conversation, oldest message first.
#[utoipa::path(get, path = "/v1/circles/{circle}/conversations/{conversation}/messages",
    tag = "conversations", params(OneConversation, Part),
    responses((status = 200, body = Page), (status = "default", body = ApiError)))]
pub(super) async fn page(
    State(desk): State<Desk>,
    Named(at): Named<OneConversation>,
    Asked(part): Asked<Part>,
) -> Result<Json<Page>, Refusal> {
    let query = PageQuery { before: part.before, limit: part.limit };
    Ok(Json(desk.node.page(at.circle, at.conversation, query).await?))
}

/// Reads what this device wrote in a conversation, oldest first, up to 1,000 messages; empty after the last.
#[utoipa::path(get, path = "/v1/circles/{circle}/conversations/{conversation}/own", tag = "conversations",
    params(OneConversation, From),
    responses((status = 200, body = Vec<Message>), (status = "default", body = ApiError)))]
pub(super) async fn own_messages(
    State(desk): State<Desk>,
    Named(at): Named<OneConversation>,
    Asked(asked): Asked<From>,
) -> Result<Json<Vec<Message>>, Refusal> {
    Ok(Json(desk.node.own_messages(at.circle, at.conversation, asked.from).await?))
}

/// Marks everything that is stored of a conversation as read.
#[utoipa::path(post, path = "/v1/circles/{circle}/conversations/{conversation}/read", tag = "conversations",
    params(OneConversation), responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn mark_read(
    State(desk): State<Desk>,
    Named(at): Named<OneConversation>,
) -> Result<StatusCode, Refusal> {
    desk.node.mark_read(at.circle, at.conversation).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a message; answers once it is stored durably on this device.
#[utoipa::path(post, path = "/v1/circles/{circle}/messages", tag = "conversations", params(InCircle),
    request_body = Send, responses((status = 200, body = Message), (status = "default", body = ApiError)))]
pub(super) async fn send(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Body(send): Body<Send>,
) -> Result<Json<Message>, Refusal> {
    Ok(Json(desk.node.send(at.circle, send).await?))
}
