use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use node::api::{ApiError, ErrorKind};

/// An error on its way out: the status says whose move it is, the body is the [`ApiError`].
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) ApiError);

impl Refusal {
    /// Says that what was asked for cannot be right.
    pub(crate) fn user(message: impl Into<String>) -> Self {
        Self(ApiError { kind: ErrorKind::User, message: message.into(), hint: None })
    }

    /// Says that there is no such thing.
    pub(crate) fn not_found(message: &str, hint: &str) -> Self {
        Self(ApiError { kind: ErrorKind::NotFound, message: message.into(), hint: Some(hint.into()) })
    }

    /// Says that too many ask at once.
    pub(crate) fn busy() -> Response {
        let error = ApiError {
            kind: ErrorKind::Config,
            message: "the node has too many requests at once".into(),
            hint: Some("close other programs that use it, then try again".into()),
        };
        (StatusCode::SERVICE_UNAVAILABLE, Json(error)).into_response()
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (status(self.0.kind), Json(self.0)).into_response()
    }
}

fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::User => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::NotAllowed => StatusCode::FORBIDDEN,
        ErrorKind::Locked => StatusCode::LOCKED,
        ErrorKind::Config => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Peer => StatusCode::BAD_GATEWAY,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
