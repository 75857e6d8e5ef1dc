use axum::{Json, extract::State};
use node::api::{ApiError, DoFile, File, FileJob, FilePolicy, SaveFile, SendFile, SetFilePolicy};
use serde::Deserialize;
use utoipa::IntoParams;
use wire::{CircleId, MessageId};

use super::{Desk, circles::InCircle};
use crate::{
    extract::{Asked, Body, Named},
    refusal::Refusal,
};

/// Names the message in the address that offers a file.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OneOffer {
    /// The circle's id.
    #[param(value_type = String)]
    circle: CircleId,
    /// The id of the message that offers the file.
    #[param(value_type = String)]
    message: MessageId,
}

/// Names a job in the address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OneJob {
    /// The job's number.
    job: u64,
}

/// Which files to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those of this conversation; as in sending.
    conversation: Option<String>,
}

/// Lists the files that were offered, the newest first, up to 1,000.
#[utoipa::path(get, path = "/v1/circles/{circle}/files", tag = "files", params(InCircle, Which),
    responses((status = 200, body = Vec<File>), (status = "default", body = ApiError)))]
pub(super) async fn files(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Asked(which): Asked<Which>,
) -> Result<Json<Vec<File>>, Refusal> {
    Ok(Json(desk.node.files(at.circle, which.conversation).await?))
}

/// Begins to take in a file of this machine and to offer it; the answer is the job that does it.
#[utoipa::path(post, path = "/v1/circles/{circle}/files", tag = "files", params(InCircle),
    request_body = SendFile, responses((status = 200, body = FileJob), (status = "default", body = ApiError)))]
pub(super) async fn send_file(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Body(send): Body<SendFile>,
) -> Result<Json<FileJob>, Refusal> {
    Ok(Json(desk.node.send_file(at.circle, send).await?))
}

/// Shows the file that a message offers.
#[utoipa::path(get, path = "/v1/circles/{circle}/files/{message}", tag = "files", params(OneOffer),
    responses((status = 200, body = File), (status = "default", body = ApiError)))]
pub(super) async fn file(
    State(desk): State<Desk>,
    Named(at): Named<OneOffer>,
) -> Result<Json<File>, Refusal> {
    Ok(Json(desk.node.file(at.circle, at.message).await?))
}

/// Accepts a file or goes on with it, pauses it, or cancels it and erases what is here of it.
#[utoipa::path(post, path = "/v1/circles/{circle}/files/{message}", tag = "files", params(OneOffer),
    request_body = DoFile, responses((status = 200, body = File), (status = "default", body = ApiError)))]
pub(super) async fn do_file(
    State(desk): State<Desk>,
    Named(at): Named<OneOffer>,
    Body(act): Body<DoFile>,
) -> Result<Json<File>, Refusal> {
    Ok(Json(desk.node.do_file(at.circle, at.message, act.act).await?))
}

/// Begins to put a file out as plain bytes; the answer is the job that does it.
#[utoipa::path(post, path = "/v1/circles/{circle}/files/{message}/save", tag = "files", params(OneOffer),
    request_body = SaveFile, responses((status = 200, body = FileJob), (status = "default", body = ApiError)))]
pub(super) async fn save_file(
    State(desk): State<Desk>,
    Named(at): Named<OneOffer>,
    Body(save): Body<SaveFile>,
) -> Result<Json<FileJob>, Refusal> {
    Ok(Json(desk.node.save_file(at.circle, at.message, save).await?))
}

/// Tells how a job goes.
#[utoipa::path(get, path = "/v1/file-jobs/{job}", tag = "files", params(OneJob),
    responses((status = 200, body = FileJob), (status = "default", body = ApiError)))]
pub(super) async fn file_job(
    State(desk): State<Desk>,
    Named(at): Named<OneJob>,
) -> Result<Json<FileJob>, Refusal> {
    Ok(Json(desk.node.file_job(at.job).await?))
}

/// Tells how much room files get in a circle, and which come by themselves.
#[utoipa::path(get, path = "/v1/circles/{circle}/file-policy", tag = "files", params(InCircle),
    responses((status = 200, body = FilePolicy), (status = "default", body = ApiError)))]
pub(super) async fn file_policy(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
) -> Result<Json<FilePolicy>, Refusal> {
    Ok(Json(desk.node.file_policy(at.circle).await?))
}

/// Sets how much room files get in a circle, and which come by themselves.
#[utoipa::path(put, path = "/v1/circles/{circle}/file-policy", tag = "files", params(InCircle),
    request_body = SetFilePolicy,
    responses((status = 200, body = FilePolicy), (status = "default", body = ApiError)))]
pub(super) async fn set_file_policy(
    State(desk): State<Desk>,
    Named(at): Named<InCircle>,
    Body(set): Body<SetFilePolicy>,
) -> Result<Json<FilePolicy>, Refusal> {
    Ok(Json(desk.node.set_file_policy(at.circle, set).await?))
}
