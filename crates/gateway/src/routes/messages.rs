use axum::{Json, extract::State, http::StatusCode};
use node::api::{
    ApiError, Conversation, Draft, Expire, Findings, Forward, Keep, Message, React, SearchQuery, Text,
};
use serde::Deserialize;
use utoipa::IntoParams;
use wire::{CircleId, MessageId};

use super::{Desk, circles::InCircle, talk::OneConversation};
use crate::{
    extract::{Asked, Body, Named},
    refusal::Refusal,
};

/// Names a message in the address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OneMessage {
    /// The circle's id.
    #[param(value_type = String)]
    circle: CircleId,
    /// The message's id.
    #[param(value_type = String)]
    message: MessageId,
}

/// How messages' ids begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Like {
    /// The first characters of the id, eight or more.
    id: String,
}

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    /// The words; all of them must stand in a message, the last may be the beginning of one.
    words: String,
    /// Only in this conversation; as in sending.
    conversation: Option<String>,
    /// Where an earlier answer said that it goes on.
    from: Option<u64>,
    /// How many at most; 50 if absent, 1,000 at most.
    limit: Option<u32>,
}

/// Finds messages whose ids begin as given: what a person types needs not be whole.
#[utoipa::path(get, path = "/v1/circles/{circle}/messages", tag = "messages", params(InCircle, Like),
    responses((status = 200, body = Vec<Message>), (status = "default", body = ApiError)))]
pub(super) async fn find(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Asked(like): Asked<Like>,
) -> Result<Json<Vec<Message>>, Refusal> {
    Ok(Json(desk.node.find_messages(at.circle, like.id).await?))
}

/// Shows one message as it is now.
#[utoipa::path(get, path = "/v1/circles/{circle}/messages/{message}", tag = "messages", params(OneMessage),
    responses((status = 200, body = Message), (status = "default", body = ApiError)))]
pub(super) async fn message(
    State(desk): State<Desk>,
    Named(at): Named<OneMessage>,
) -> Result<Json<Message>, Refusal> {
    Ok(Json(desk.node.message(at.circle, at.message).await?))
}

/// Gives one's own message another text.
#[utoipa::path(put, path = "/v1/circles/{circle}/messages/{message}", tag = "messages", params(OneMessage),
    request_body = Text, responses((status = 200, body = Message), (status = "default", body = ApiError)))]
pub(super) async fn edit(
    State(desk): State<Desk>,
    Named(at): Named<OneMessage>,
    Body(text): Body<Text>,
) -> Result<Json<Message>, Refusal> {
    Ok(Json(desk.node.edit(at.circle, at.message, text).await?))
}

/// Takes one's own message back: its text is erased on every device.
#[utoipa::path(delete, path = "/v1/circles/{circle}/messages/{message}", tag = "messages", params(OneMessage),
    responses((status = 200, body = Message), (status = "default", body = ApiError)))]
pub(super) async fn delete(
    State(desk): State<Desk>,
    Named(at): Named<OneMessage>,
) -> Result<Json<Message>, Refusal> {
    Ok(Json(desk.node.delete(at.circle, at.message).await?))
}

/// Answers a message, in its conversation.
#[utoipa::path(post, path = "/v1/circles/{circle}/messages/{message}/reply", tag = "messages",
    params(OneMessage), request_body = Text,
    responses((status = 200, body = Message), (status = "default", body = ApiError)))]
pub(super) async fn reply(
    State(desk): State<Desk>,
    Named(at): Named<OneMessage>,
    Body(text): Body<Text>,
) -> Result<Json<Message>, Refusal> {
    Ok(Json(desk.node.reply(at.circle, at.message, text).await?))
}

/// Says a message's text again in another conversation, without saying whose it was.
#[utoipa::path(post, path = "/v1/circles/{circle}/messages/{message}/forward", tag = "messages",
    params(OneMessage), request_body = Forward,
    responses((status = 200, body = Message), (status = "default", body = ApiError)))]
pub(super) async fn forward(
    State(desk): State<Desk>,
    Named(at): Named<OneMessage>,
    Body(forward): Body<Forward>,
) -> Result<Json<Message>, Refusal> {
    Ok(Json(desk.node.forward(at.circle, at.message, forward).await?))
}

/// Puts one's sign under a message, in place of an earlier one.
#[utoipa::path(put, path = "/v1/circles/{circle}/messages/{message}/reaction", tag = "messages",
    params(OneMessage), request_body = React,
    responses((status = 200, body = Message), (status = "default", body = ApiError)))]
pub(super) async fn react(
    State(desk): State<Desk>,
    Named(at): Named<OneMessage>,
    Body(react): Body<React>,
) -> Result<Json<Message>, Refusal> {
    Ok(Json(desk.node.react(at.circle, at.message, react).await?))
}

/// Takes one's sign under a message away.
#[utoipa::path(delete, path = "/v1/circles/{circle}/messages/{message}/reaction", tag = "messages",
    params(OneMessage), responses((status = 200, body = Message), (status = "default", body = ApiError)))]
pub(super) async fn unreact(
    State(desk): State<Desk>,
    Named(at): Named<OneMessage>,
) -> Result<Json<Message>, Refusal> {
    Ok(Json(desk.node.react(at.circle, at.message, React { sign: String::new() }).await?))
}

/// Puts a message where all find it.
#[utoipa::path(put, path = "/v1/circles/{circle}/messages/{message}/pin", tag = "messages",
    params(OneMessage), responses((status = 200, body = Message), (status = "default", body = ApiError)))]
pub(super) async fn pin(
    State(desk): State<Desk>,
    Named(at): Named<OneMessage>,
) -> Result<Json<Message>, Refusal> {
    Ok(Json(desk.node.pin(at.circle, at.message, true).await?))
}

/// Takes a message away from where all find it.
#[utoipa::path(delete, path = "/v1/circles/{circle}/messages/{message}/pin", tag = "messages",
    params(OneMessage), responses((status = 200, body = Message), (status = "default", body = ApiError)))]
pub(super) async fn unpin(
    State(desk): State<Desk>,
    Named(at): Named<OneMessage>,
) -> Result<Json<Message>, Refusal> {
    Ok(Json(desk.node.pin(at.circle, at.message, false).await?))
}

/// Looks for words in all that is held of a circle; those that came last first.
#[utoipa::path(get, path = "/v1/circles/{circle}/search", tag = "messages", params(InCircle, Words),
    responses((status = 200, body = Findings), (status = "default", body = ApiError)))]
pub(super) async fn search(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Asked(Words { words, conversation, from, limit }): Asked<Words>,
) -> Result<Json<Findings>, Refusal> {
    Ok(Json(desk.node.search(at.circle, SearchQuery { words, conversation, from, limit }).await?))
}

/// Lists the messages that were put where all find them, the last one put there first.
#[utoipa::path(get, path = "/v1/circles/{circle}/conversations/{conversation}/pins", tag = "conversations",
    params(OneConversation),
    responses((status = 200, body = Vec<Message>), (status = "default", body = ApiError)))]
pub(super) async fn pins(
    State(desk): State<Desk>,
    Named(at): Named<OneConversation>,
) -> Result<Json<Vec<Message>>, Refusal> {
    Ok(Json(desk.node.pins(at.circle, at.conversation).await?))
}

/// Sets after what time what is written from now on is erased, on every device.
#[utoipa::path(put, path = "/v1/circles/{circle}/conversations/{conversation}/expiry", tag = "conversations",
    params(OneConversation), request_body = Expire,
    responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn set_expiry(
    State(desk): State<Desk>,
    Named(at): Named<OneConversation>,
    Body(expire): Body<Expire>,
) -> Result<StatusCode, Refusal> {
    desk.node.set_expiry(at.circle, at.conversation, expire).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a conversation away or mutes it, for this device's person alone.
#[utoipa::path(put, path = "/v1/circles/{circle}/conversations/{conversation}/keep", tag = "conversations",
    params(OneConversation), request_body = Keep,
    responses((status = 200, body = Conversation), (status = "default", body = ApiError)))]
pub(super) async fn keep(
    State(desk): State<Desk>,
    Named(at): Named<OneConversation>,
    Body(keep): Body<Keep>,
) -> Result<Json<Conversation>, Refusal> {
    Ok(Json(desk.node.keep(at.circle, at.conversation, keep).await?))
}

/// Keeps what was written and not sent, on this device.
#[utoipa::path(put, path = "/v1/circles/{circle}/conversations/{conversation}/draft", tag = "conversations",
    params(OneConversation), request_body = Draft,
    responses((status = 204), (status = "default", body = ApiError)))]
pub(super) async fn set_draft(
    State(desk): State<Desk>,
    Named(at): Named<OneConversation>,
    Body(draft): Body<Draft>,
) -> Result<StatusCode, Refusal> {
    desk.node.set_draft(at.circle, at.conversation, draft).await?;
    Ok(StatusCode::NO_CONTENT)
}
