//! Asks a running node, over its socket, for everything that its API offers: one method a route.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use node::api::{ApiError, ErrorKind};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::UnixStream, task::JoinHandle, time::sleep};

use crate::socket_path;

mod calls;
mod files;
mod groups;
mod listen;
mod messages;
mod recovery;
mod streams;

pub use listen::Events;

/// A way to the node that runs in a home folder; each call opens a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// Prepares to ask the node in `home`; no connection is made yet.
    pub fn new(home: &Path) -> Self {
        Self { socket: socket_path(home) }
    }

    /// Sends a request without a body and takes the answer.
    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, ClientError> {
        self.request(method, path, Bytes::new()).await?.take().await
    }

    /// Sends a request with a body and takes the answer.
    async fn give<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(ClientError::NotUnderstood)?;
        self.request(method, path, body.into()).await?.take().await
    }

    /// Sends a request and returns the answer's head; an error's body is read and becomes the error.
    async fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, ClientError> {
        let stream = self.connect().await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Gone)?;
        let line = Line(tokio::spawn(async {
            // What goes wrong with the connection shows in the answer.
            let _ = connection.await;
        }));
        let mut request = Request::builder().method(method).uri(path).header("host", "node");
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(body)).map_err(ClientError::Address)?;
        let response = sender.send_request(request).await.map_err(ClientError::Gone)?;
        let status = response.status();
        let answer = Answer { body: response.into_body(), _line: line };
        if status.is_success() {
            return Ok(answer);
        }
        match serde_json::from_slice(&answer.read().await?) {
            Ok(error) => Err(ClientError::Refused(error)),
            Err(_) => Err(ClientError::NotOurs { status }),
        }
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        for _ in 0..CONNECT_TRIES {
            match UnixStream::connect(&self.socket).await {
                // Whoever else could place a socket here would be sent a passphrase.
                Ok(stream) => match stream.peer_cred() {
                    Ok(peer) if peer.uid() == rustix::process::geteuid().as_raw() => return Ok(stream),
                    Ok(_) => return Err(ClientError::Stranger { socket: self.socket.clone() }),
                    Err(error) => return Err(ClientError::Connect(error)),
                },
                Err(error) => match error.kind() {
                    // The queue in front of the door is full: it moves on fast, and the kernel tells nobody when.
                    io::ErrorKind::WouldBlock => sleep(CONNECT_PAUSE).await,
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                        return Err(ClientError::NoNode { socket: self.socket.clone() });
                    }
                    _ => return Err(ClientError::Connect(error)),
                },
            }
        }
        Err(ClientError::Connect(io::ErrorKind::WouldBlock.into()))
    }
}

/// An answer on its way, and the connection on which it comes.
#[derive(Debug)]
struct Answer {
    body: Incoming,
    _line: Line,
}

/// Hangs up when dropped.
#[derive(Debug)]
struct Line(JoinHandle<()>);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Answer {
    async fn take<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let body = self.read().await?;
        // "No content" is `()`, which JSON writes as null.
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        serde_json::from_slice(body).map_err(ClientError::NotUnderstood)
    }

    async fn read(self) -> Result<Bytes, ClientError> {
        match Limited::new(self.body, ANSWER_BYTES).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) => Err(match error.downcast::<hyper::Error>() {
                Ok(error) => ClientError::Gone(*error),
                Err(_) => ClientError::TooLong,
            }),
        }
    }
}

/// Why a call to the node came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers at the socket.
    #[error("no node is running here")]
    NoNode {
        /// Where it would answer.
        socket: PathBuf,
    },
    /// Another user of this machine serves the socket.
    #[error("another user's program answers at the node's socket")]
    Stranger {
        /// Which socket.
        socket: PathBuf,
    },
    /// The socket is there and cannot be used.
    #[error("cannot connect to the node: {0}")]
    Connect(#[source] io::Error),
    /// The node ended or closed the connection before it had answered.
    #[error("the node went away before it answered")]
    Gone(#[source] hyper::Error),
    /// The node understood and said no.
    #[error(transparent)]
    Refused(ApiError),
    /// The answer is larger than any that a node gives.
    #[error("the node's answer is too long")]
    TooLong,
    /// The answer is not what this call returns.
    #[error("the node's answer is not understood: {0}")]
    NotUnderstood(#[source] serde_json::Error),
    /// An error that does not come from a node.
    #[error("what answers at the socket is no node (status {status})")]
    NotOurs {
        /// The HTTP status.
        status: StatusCode,
    },
    /// The address of the call cannot be written.
    #[error("the address cannot be written: {0}")]
    Address(#[source] hyper::http::Error),
}

impl From<ClientError> for ApiError {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        let (kind, hint) = match error {
            ClientError::Refused(error) => return error,
            ClientError::NoNode { socket } => (
                ErrorKind::Config,
                Some(format!("start it with `hexode up`; its socket would be {}", socket.display())),
            ),
            ClientError::Stranger { socket } => (
                ErrorKind::Config,
                Some(format!(
                    "nothing was sent; use a home that only you can write to, not {}",
                    socket.display()
                )),
            ),
            ClientError::Connect(_) => (ErrorKind::Config, None),
            ClientError::Gone(_) => {
                (ErrorKind::Config, Some("see whether `hexode up` is still running".into()))
            }
            ClientError::NotUnderstood(_) | ClientError::NotOurs { .. } => (
                ErrorKind::Config,
                Some("the node may be of another version: stop it and start it with this program".into()),
            ),
            ClientError::TooLong | ClientError::Address(_) => (ErrorKind::Internal, None),
        };
        Self { kind, message, hint }
    }
}

/// The longest answer that is taken: a page of 1,000 of the longest texts with every character escaped.
const ANSWER_BYTES: usize = 512 << 20;
const CONNECT_TRIES: u32 = 100;
const CONNECT_PAUSE: Duration = Duration::from_millis(50);
