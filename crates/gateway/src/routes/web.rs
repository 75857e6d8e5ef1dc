use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use node::api::{ApiError, ErrorKind, IssuedToken, NewToken, OpenLink, Ticket, Token};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Desk;
use crate::{
    extract::{Body, Named},
    refusal::Refusal,
    web::{Caller, Gate},
};

/// Names a token in the address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OneToken {
    /// The token's id.
    token: String,
}

/// Makes a link that opens the page in one browser, once.
#[utoipa::path(post, path = "/v1/web/link", tag = "web", responses(
    (status = 200, body = OpenLink), (status = "default", body = ApiError)))]
pub(super) async fn link(State(desk): State<Desk>) -> Result<Json<OpenLink>, Refusal> {
    Ok(Json(gate(&desk)?.link()))
}

/// Trades a one-time link's secret for a session: a cookie that only this browser sends and only to this node.
#[utoipa::path(post, path = "/v1/web/session", tag = "web", request_body = Ticket, responses(
    (status = 204), (status = "default", body = ApiError)))]
pub(super) async fn enter(State(desk): State<Desk>, Body(ticket): Body<Ticket>) -> Result<Response, Refusal> {
    let cookie = gate(&desk)?.redeem(&ticket.ticket).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Ends the session of the browser that asks.
#[utoipa::path(delete, path = "/v1/web/session", tag = "web", responses(
    (status = 204), (status = "default", body = ApiError)))]
pub(super) async fn leave(
    State(desk): State<Desk>,
    caller: Option<Extension<Caller>>,
) -> Result<Response, Refusal> {
    let Some(Extension(caller)) = caller else {
        return Err(Refusal::not_found("there is no session to end", "only the page has one"));
    };
    let cookie = gate(&desk)?.leave(&caller).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Lists the clients that may use the loopback port.
#[utoipa::path(get, path = "/v1/tokens", tag = "web", responses(
    (status = 200, body = Vec<Token>), (status = "default", body = ApiError)))]
pub(super) async fn tokens(State(desk): State<Desk>) -> Result<Json<Vec<Token>>, Refusal> {
    Ok(Json(desk.node.tokens().await?))
}

/// Issues a token; its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/v1/tokens", tag = "web", request_body = NewToken, responses(
    (status = 200, body = IssuedToken), (status = "default", body = ApiError)))]
pub(super) async fn issue(
    State(desk): State<Desk>,
    Body(request): Body<NewToken>,
) -> Result<Json<IssuedToken>, Refusal> {
    Ok(Json(desk.node.issue_token(request).await?))
}

/// Revokes a token: its client gets nothing any more, and what it listens to ends.
#[utoipa::path(delete, path = "/v1/tokens/{token}", tag = "web", params(OneToken), responses(
    (status = 204), (status = "default", body = ApiError)))]
pub(super) async fn revoke(
    State(desk): State<Desk>,
    Named(at): Named<OneToken>,
) -> Result<StatusCode, Refusal> {
    match &desk.gate {
        Some(gate) => gate.revoke(at.token).await?,
        None => desk.node.revoke_token(at.token).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

fn gate(desk: &Desk) -> Result<&Gate, ApiError> {
    let off =
        || ApiError::new(ErrorKind::Config, "this node serves no page").hint("start it without --no-web");
    desk.gate.as_deref().ok_or_else(off)
}
