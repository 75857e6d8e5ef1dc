use axum::{Json, extract::State};
use node::api::{ApiError, FoundRecoverable, NewSheets, Recovery, SheetWords, Sheets, UseSheets};

use super::{Desk, circles::InCircle};
use crate::{
    extract::{Body, Named},
    refusal::Refusal,
};

/// Founds a circle with recovery sheets, which are shown only in this answer.
#[utoipa::path(post, path = "/v1/recoverable", tag = "circles", request_body = FoundRecoverable, responses(
    (status = 200, body = Sheets), (status = "default", body = ApiError)))]
pub(super) async fn found(
    State(desk): State<Desk>,
    Body(found): Body<FoundRecoverable>,
) -> Result<Json<Sheets>, Refusal> {
    Ok(Json(desk.node.found_recoverable(found).await?))
}

/// Shows whether a circle's founder can be brought back, and whether he was.
#[utoipa::path(get, path = "/v1/circles/{circle}/recovery", tag = "circles", params(InCircle), responses(
    (status = 200, body = Recovery), (status = "default", body = ApiError)))]
pub(super) async fn recovery(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
) -> Result<Json<Recovery>, Refusal> {
    Ok(Json(desk.node.recovery(at.circle).await?))
}

/// Makes recovery sheets for a circle that has none; they are shown only in this answer.
#[utoipa::path(post, path = "/v1/circles/{circle}/recovery", tag = "circles", params(InCircle),
    request_body = NewSheets, responses((status = 200, body = Sheets), (status = "default", body = ApiError)))]
pub(super) async fn make_sheets(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Body(sheets): Body<NewSheets>,
) -> Result<Json<Sheets>, Refusal> {
    Ok(Json(desk.node.make_sheets(at.circle, sheets).await?))
}

/// Says which of the circle's recovery sheets somebody has, from 1.
#[utoipa::path(post, path = "/v1/circles/{circle}/recovery/check", tag = "circles", params(InCircle),
    request_body = SheetWords, responses((status = 200, body = u8), (status = "default", body = ApiError)))]
pub(super) async fn check_sheet(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Body(sheet): Body<SheetWords>,
) -> Result<Json<u8>, Refusal> {
    Ok(Json(desk.node.check_sheet(at.circle, sheet).await?))
}

/// Puts this device in the founder's place with enough recovery sheets, and removes his other devices.
#[utoipa::path(post, path = "/v1/circles/{circle}/recovery/use", tag = "circles", params(InCircle),
    request_body = UseSheets, responses((status = 200, body = Sheets), (status = "default", body = ApiError)))]
pub(super) async fn use_sheets(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Body(sheets): Body<UseSheets>,
) -> Result<Json<Sheets>, Refusal> {
    Ok(Json(desk.node.use_sheets(at.circle, sheets).await?))
}
