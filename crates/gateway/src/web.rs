//! The loopback port: the page and the API for browsers and for programs that hold a token.
//!
//! Everything that comes in passes one [`Gate`](gate::Gate), which says in one place who may ask for what. The page
//! itself is a handful of files in the program.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::{Ipv4Addr, Ipv6Addr},
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

pub(crate) use gate::{Caller, Gate, OpenedBy, Stranger, unknown};

mod gate;
mod page;
mod scope;
mod tickets;

/// A listener on a loopback port, not yet answering.
///
/// The page's address is `http://hexode-NAME.localhost:PORT/`: browsers resolve every name under `localhost` to
/// loopback by themselves. The name is new at each start, and with it cookies and whatever else a browser keeps: what
/// another program got from a browser at this port, before or since, is of no use here. The port is kept in the home.
#[derive(Debug)]
pub struct WebDoor {
    port: Port,
    place: Place,
    name: String,
}

/// A port of both loopback addresses: to browsers they are one, and nobody else shall answer at the other.
#[derive(Debug)]
pub(crate) struct Port {
    v4: TcpListener,
    /// None where the system has no IPv6.
    v6: Option<TcpListener>,
    number: u16,
}

/// What is kept from one start to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    port: u16,
}

impl WebDoor {
    /// Listens on the port that was used before, or on `port`, or on a free one.
    pub async fn open(home: &Path, port: Option<u16>) -> Result<Self, WebError> {
        let path = home.join(FILE);
        let before = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Place>(&bytes).ok());
        let wanted = port.or_else(|| before.as_ref().map(|place| place.port)).unwrap_or(0);
        let mut bound = Port::bind(wanted).await;
        // Another program took one of the two meanwhile; a port that was asked for by number is not swapped for another.
        for _ in 0..TRIES {
            match bound {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && port.is_none() => {
                    bound = Port::bind(0).await;
                }
                _ => break,
            }
        }
        let port = bound.map_err(|source| WebError::Bind { port: wanted, source })?;
        let place = Place { port: port.number };
        if before.as_ref() != Some(&place) {
            place.write(&path).map_err(|source| WebError::Keep { path, source })?;
        }
        Ok(Self { port, place, name: new_name() })
    }

    /// Returns the page's address.
    pub fn address(&self) -> String {
        format!("http://{}/", self.host())
    }

    fn host(&self) -> String {
        format!("{}.localhost:{}", self.name, self.place.port)
    }

    pub(crate) fn open_gate(self, node: Node) -> (Port, Arc<Gate>) {
        let gate = Gate::new(node, self.host(), self.place.port);
        (self.port, Arc::new(gate))
    }
}

impl Port {
    async fn bind(number: u16) -> io::Result<Self> {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).await?;
        let number = v4.local_addr()?.port();
        let v6 = match TcpListener::bind((Ipv6Addr::LOCALHOST, number)).await {
            Ok(v6) => Some(v6),
            // Where there is no such address nobody else can have it.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported) =>
            {
                None
            }
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { v4, v6, number })
    }

    /// Waits for the next connection; whose it is, is still to be asked.
    pub(crate) async fn accept(&self) -> io::Result<TcpStream> {
        let v6 = async {
            match &self.v6 {
                Some(v6) => v6.accept().await,
                None => std::future::pending().await,
            }
        };
        let (stream, _) = tokio::select! {
            accepted = self.v4.accept() => accepted?,
            accepted = v6 => accepted?,
        };
        // An answer waits for nothing.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

impl Place {
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

fn new_name() -> String {
    let word: String = OsEntropy.bytes::<6>().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{word}")
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
/// How many free ports are tried of which somebody else has the other half.
const TRIES: usize = 16;
