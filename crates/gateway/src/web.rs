//! The loopback port: the page and the API for browsers and for programs that hold a token.
//!
//! Everything that comes in passes one [`Gate`](gate::Gate), which says in one place who may ask for what. The page
//! itself is a handful of files in the program.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{Router, middleware};
use crypto::{Entropy, OsEntropy};
use node::{
    Node,
    api::{ApiError, ErrorKind},
};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};

pub(crate) use gate::{Caller, Gate, OpenedBy};

mod gate;
mod owner;
mod page;
mod scope;
mod tickets;

/// A listener on a loopback port, not yet answering.
///
/// The page's address is `http://hexode-NAME.localhost:PORT/`: browsers resolve every name under `localhost` to
/// loopback by themselves, so each home has a name of its own, and with it cookies and storage that no other program
/// on this machine is sent. Name and port are kept in the home, so that the address stays the same.
#[derive(Debug)]
pub struct WebDoor {
    listener: TcpListener,
    place: Place,
}

/// Where the page is, kept from one start to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    name: String,
    port: u16,
}

impl WebDoor {
    /// Listens on the port that was used before, or on `port`, or on a free one.
    pub async fn open(home: &Path, port: Option<u16>) -> Result<Self, WebError> {
        let path = home.join(FILE);
        let before = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Place>(&bytes).ok());
        let before = before.filter(|place| is_name(&place.name));
        let wanted = port.or_else(|| before.as_ref().map(|place| place.port)).unwrap_or(0);
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).await {
            // Another program took the port meanwhile; one that was asked for by name is not swapped for another.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && port.is_none() => {
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
            }
            bound => bound,
        };
        let listener = listener.map_err(|source| WebError::Bind { port: wanted, source })?;
        let port = listener.local_addr().map_err(|source| WebError::Bind { port: wanted, source })?.port();
        let name = before.as_ref().map_or_else(new_name, |place| place.name.clone());
        let place = Place { name, port };
        if before.as_ref() != Some(&place) {
            place.write(&path).map_err(|source| WebError::Keep { path, source })?;
        }
        Ok(Self { listener, place })
    }

    /// Returns the page's address.
    pub fn address(&self) -> String {
        format!("http://{}/", self.place.host())
    }

    pub(crate) fn open_gate(self, node: Node) -> (TcpListener, Arc<Gate>) {
        (self.listener, Arc::new(Gate::new(node, self.place.host(), self.place.port)))
    }
}

impl Place {
    fn host(&self) -> String {
        format!("{}.localhost:{}", self.name, self.port)
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(&text)
    }
}

/// Puts the gate in front of the API and the page beside it.
pub(crate) fn router(api: Router, gate: Arc<Gate>) -> Router {
    api.layer(middleware::from_fn_with_state(gate, gate::pass))
}

/// Waits for the next connection by a program of the user whom this process runs as; others get no byte.
pub(crate) async fn accept(listener: &TcpListener) -> Option<TcpStream> {
    let (stream, _) = match listener.accept().await {
        Ok(accepted) => accepted,
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection on the loopback port");
            tokio::time::sleep(PAUSE).await;
            return None;
        }
    };
    let ends: Option<(SocketAddr, SocketAddr)> = stream.peer_addr().ok().zip(stream.local_addr().ok());
    let owner = ends.and_then(|(peer, own)| owner::of(peer, own));
    if owner != Some(rustix::process::geteuid().as_raw()) {
        tracing::warn!("another user's process was turned away from the loopback port");
        return None;
    }
    // An answer waits for nothing.
    let _ = stream.set_nodelay(true);
    Some(stream)
}

fn new_name() -> String {
    let word: String = OsEntropy.bytes::<6>().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{word}")
}

fn is_name(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|word| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Why the loopback port cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The port cannot be listened on.
    #[error("cannot listen on port {port} of loopback: {source}")]
    Bind {
        /// Which port; 0 for any.
        port: u16,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The page's address cannot be kept in the home.
    #[error("cannot keep the page's address in {}: {source}", path.display())]
    Keep {
        /// In which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl From<WebError> for ApiError {
    fn from(error: WebError) -> Self {
        let hint = "choose another port with --web-port, or leave the page out with --no-web";
        Self { kind: ErrorKind::Config, message: error.to_string(), hint: Some(hint.into()) }
    }
}

const FILE: &str = "web.json";
const PREFIX: &str = "hexode-";
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
