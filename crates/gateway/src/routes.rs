//! What can be asked, one function a route; each does no more than hand the request to the [`Node`].

#![allow(unused_qualifications, reason = "the code that `utoipa::path` generates repeats paths")]

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use node::{
    Node,
    api::{ApiError, Check, Event, Status},
};
use tokio::sync::Notify;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    events,
    passphrase::{Passphrase, Vault},
    refusal::Refusal,
    web::{Caller, Gate},
};

mod circles;
mod files;
mod groups;
mod members;
mod messages;
mod recovery;
mod streams;
mod talk;
mod vault;
mod web;

/// What every route has at hand.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) node: Node,
    /// Told when somebody asks the node to stop.
    pub(crate) stop: Arc<Notify>,
    /// Keeps the loopback port, if the page is served.
    pub(crate) gate: Option<Arc<Gate>>,
}

/// Describes the API as an OpenAPI 3.1 document in JSON: the contents of `docs/openapi.json`.
pub fn openapi() -> String {
    let mut text = documented().into_openapi().to_pretty_json().expect("the description has only text keys");
    text.push('\n');
    text
}

pub(crate) fn router(desk: Desk) -> Router {
    let (router, _) = documented().split_for_parts();
    router
        .fallback(async || Refusal::not_found("there is no such address", "docs/openapi.json lists them all"))
        .method_not_allowed_fallback(async || {
            Refusal::not_found("there is no such method at this address", "docs/openapi.json lists them all")
        })
        .with_state(desk)
}

fn documented() -> OpenApiRouter<Desk> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(status))
        .routes(routes!(events))
        .routes(routes!(selfcheck))
        .routes(routes!(stop))
        .routes(routes!(web::link))
        .routes(routes!(web::enter, web::leave))
        .routes(routes!(web::tokens, web::issue))
        .routes(routes!(web::revoke))
        .routes(routes!(vault::vault, vault::create))
        .routes(routes!(vault::unlock))
        .routes(routes!(vault::lock))
        .routes(routes!(vault::wipe))
        .routes(routes!(vault::guard, vault::set_guard))
        .routes(routes!(vault::present))
        .routes(routes!(circles::circles, circles::found))
        .routes(routes!(recovery::found))
        .routes(routes!(recovery::recovery, recovery::make_sheets))
        .routes(routes!(recovery::check_sheet))
        .routes(routes!(recovery::use_sheets))
        .routes(routes!(circles::join))
        .routes(routes!(circles::circle))
        .routes(routes!(circles::invitations, circles::invite))
        .routes(routes!(circles::withdraw))
        .routes(routes!(circles::tunnels))
        .routes(routes!(circles::contacts))
        .routes(routes!(members::members))
        .routes(routes!(members::remove_member))
        .routes(routes!(members::set_role))
        .routes(routes!(members::leave))
        .routes(routes!(members::allow))
        .routes(routes!(members::devices))
        .routes(routes!(members::remove_device))
        .routes(routes!(members::safety_words))
        .routes(routes!(members::verify, members::unverify))
        .routes(routes!(talk::conversations, talk::found_group))
        .routes(routes!(talk::conversation))
        .routes(routes!(groups::group, groups::rename_group, groups::leave_group))
        .routes(routes!(groups::add_to_group))
        .routes(routes!(groups::remove_from_group))
        .routes(routes!(talk::page))
        .routes(routes!(talk::own_messages))
        .routes(routes!(talk::mark_read))
        .routes(routes!(talk::send, messages::find))
        .routes(routes!(messages::message, messages::edit, messages::delete))
        .routes(routes!(messages::reply))
        .routes(routes!(messages::forward))
        .routes(routes!(messages::react, messages::unreact))
        .routes(routes!(messages::pin, messages::unpin))
        .routes(routes!(messages::search))
        .routes(routes!(messages::pins))
        .routes(routes!(messages::set_expiry))
        .routes(routes!(messages::keep))
        .routes(routes!(messages::set_draft))
        .routes(routes!(members::block, members::unblock))
        .routes(routes!(files::files, files::send_file))
        .routes(routes!(files::file, files::do_file))
        .routes(routes!(files::save_file))
        .routes(routes!(files::file_job))
        .routes(routes!(files::file_policy, files::set_file_policy))
        .routes(routes!(streams::streams, streams::offer_stream))
        .routes(routes!(streams::withdraw_stream))
        .routes(routes!(streams::grant_stream))
        .routes(routes!(streams::revoke_stream))
        .routes(routes!(streams::set_stream_policy))
        .routes(routes!(streams::open_stream))
        .routes(routes!(streams::close_stream))
        .routes(routes!(streams::end_of_listener))
        .routes(routes!(streams::end_of_offer))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hexode",
        description = "The API of one running node, on a Unix socket in its home folder and on a loopback port. Ids are 52 base32 \
                       characters, times are milliseconds since 1970 (UTC). Every error is an `ApiError`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(Event, Passphrase, Vault)),
    tags(
        (name = "node", description = "The node itself"),
        (name = "web", description = "The page, and tokens for programs on the loopback port"),
        (name = "vault", description = "The encrypted store"),
        (name = "circles", description = "Circles, invitations, tunnels"),
        (name = "members", description = "Members, devices, verification"),
        (name = "conversations", description = "Conversations and messages"),
        (name = "messages", description = "What becomes of a message: answers, edits, signs; and finding it again"),
        (name = "files", description = "Files that are offered in conversations"),
        (name = "streams", description = "Data streams between devices: what is offered, to whom, and what is open")
    )
)]
struct Description;

/// Tells how the node stands; answers a locked node too.
#[utoipa::path(get, path = "/v1/status", tag = "node", responses(
    (status = 200, body = Status), (status = "default", body = ApiError)))]
async fn status(State(desk): State<Desk>) -> Result<Json<Status>, Refusal> {
    Ok(Json(desk.node.status().await?))
}

/// Streams what happens, from now on, as server-sent events with an `Event` in JSON each.
#[utoipa::path(get, path = "/v1/events", tag = "node", responses(
    (status = 200, content_type = "text/event-stream", body = Event), (status = "default", body = ApiError)))]
async fn events(State(desk): State<Desk>, caller: Option<Extension<Caller>>) -> Response {
    let events = desk.node.events();
    match (caller, desk.gate) {
        (Some(Extension(caller)), Some(gate)) => events::stream_to(events, gate, caller.secret).await,
        _ => events::stream(events, None),
    }
}

/// Lets the node check itself.
#[utoipa::path(get, path = "/v1/selfcheck", tag = "node", responses(
    (status = 200, body = Vec<Check>), (status = "default", body = ApiError)))]
async fn selfcheck(State(desk): State<Desk>) -> Result<Json<Vec<Check>>, Refusal> {
    Ok(Json(desk.node.selfcheck().await?))
}

/// Asks the node to close its tunnels and its vault and to end; answers before it has.
#[utoipa::path(post, path = "/v1/stop", tag = "node", responses(
    (status = 202), (status = "default", body = ApiError)))]
async fn stop(State(desk): State<Desk>) -> Response {
    desk.stop.notify_one();
    StatusCode::ACCEPTED.into_response()
}
