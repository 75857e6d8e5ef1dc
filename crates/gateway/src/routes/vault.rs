use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use node::api::{ApiError, Guard, SetGuard};

use super::Desk;
use crate::{
    extract::Body,
    passphrase::{Passphrase, Vault},
    refusal::Refusal,
    web::{OpenedBy, Stranger},
};

/// Tells whether there is a vault and whether it is open.
#[utoipa::path(get, path = "/v1/vault", tag = "vault", responses(
    (status = 200, body = Vault), (status = "default", body = ApiError)))]
pub(super) async fn vault(State(desk): State<Desk>) -> Result<Json<Vault>, Refusal> {
    Ok(Json(Vault { exists: desk.node.has_vault().await?, locked: desk.node.status().await?.locked }))
}

/// Creates the vault under a passphrase and leaves it open.
#[utoipa::path(post, path = "/v1/vault", tag = "vault", request_body = Passphrase, responses(
    (status = 204), (status = "default", body = ApiError)))]
pub(super) async fn create(
    State(desk): State<Desk>,
    Body(body): Body<Passphrase>,
) -> Result<Response, Refusal> {
    desk.node.create(body.passphrase).await?;
    Ok(opened())
}

/// Opens the vault.
#[utoipa::path(post, path = "/v1/unlock", tag = "vault", request_body = Passphrase, responses(
    (status = 204), (status = "default", body = ApiError)))]
pub(super) async fn unlock(
    State(desk): State<Desk>,
    stranger: Option<Extension<Stranger>>,
    Body(body): Body<Passphrase>,
) -> Result<Response, Refusal> {
    let by_this = match stranger {
        Some(_) => desk.node.unlock_by_stranger(body.passphrase).await?,
        None => desk.node.unlock_by(body.passphrase).await?,
    };
    Ok(if by_this { opened() } else { StatusCode::NO_CONTENT.into_response() })
}

fn opened() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.extensions_mut().insert(OpenedBy);
    response
}

/// Closes all tunnels and the vault and drops the keys from memory.
#[utoipa::path(post, path = "/v1/lock", tag = "vault", responses(
    (status = 204), (status = "default", body = ApiError)))]
pub(super) async fn lock(State(desk): State<Desk>) -> Result<StatusCode, Refusal> {
    desk.node.lock().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Destroys the vault with all that is in it, open or not; nothing can be brought back.
#[utoipa::path(post, path = "/v1/wipe", tag = "vault", responses(
    (status = 204), (status = "default", body = ApiError)))]
pub(super) async fn wipe(State(desk): State<Desk>) -> Result<StatusCode, Refusal> {
    desk.node.wipe().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells how the vault is guarded; not whether there is a duress passphrase.
#[utoipa::path(get, path = "/v1/guard", tag = "vault", responses(
    (status = 200, body = Guard), (status = "default", body = ApiError)))]
pub(super) async fn guard(State(desk): State<Desk>) -> Result<Json<Guard>, Refusal> {
    Ok(Json(desk.node.guard().await?))
}

/// Sets how the vault is guarded: locking by itself, counted tries, a passphrase that empties it.
#[utoipa::path(put, path = "/v1/guard", tag = "vault", request_body = SetGuard, responses(
    (status = 200, body = Guard), (status = "default", body = ApiError)))]
pub(super) async fn set_guard(
    State(desk): State<Desk>,
    Body(body): Body<SetGuard>,
) -> Result<Json<Guard>, Refusal> {
    Ok(Json(desk.node.set_guard(body).await?))
}

/// Says that the person is there: what front ends ask by themselves does not keep the node from locking itself.
#[utoipa::path(post, path = "/v1/present", tag = "vault", responses(
    (status = 204), (status = "default", body = ApiError)))]
pub(super) async fn present(State(desk): State<Desk>) -> Result<StatusCode, Refusal> {
    desk.node.present().await?;
    Ok(StatusCode::NO_CONTENT)
}
