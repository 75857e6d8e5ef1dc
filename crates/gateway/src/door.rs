use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use node::{
    Node,
    api::{ApiError, ErrorKind},
};
use tokio::{
    net::{TcpStream, UnixListener, UnixStream},
    sync::{Notify, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    routes::{self, Desk},
    web::{self, WebDoor},
};
use bounds::Bounds;

mod bounds;
mod visit;

/// A home folder's socket, open for the programs of the folder's owner.
///
/// The socket has mode 0600 in a folder of mode 0700, and whoever connects is asked for by the kernel
/// (`SO_PEERCRED`): another user's process is let go without an answer. Each connection carries one request, so
/// what one of them may hold is easy to bound: 256 connections may wait with a request not yet sent (the oldest
/// makes room for a newcomer, and none waits over 10 s), 128 requests may be served at once, 64 may listen to
/// events.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// The user to whom the socket belongs, which is the one this process runs as.
    owner: u32,
    /// The loopback port with the page, if it is served.
    web: Option<WebDoor>,
    /// Held as long as the socket exists, so that no two nodes can take each other's away.
    _lock: File,
}

/// Why a door closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The caller of [`Door::serve`] said so.
    ByCaller,
    /// A client asked for it.
    ByRequest,
}

/// Returns the path of the socket in a home folder.
pub fn socket_path(home: &Path) -> PathBuf {
    home.join("node.sock")
}

impl Door {
    /// Opens the socket in `home`, making the folder if there is none and closing an empty one to others.
    ///
    /// A socket that a dead node left behind is replaced; one at which somebody answers is not.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn open(home: &Path) -> Result<Self, DoorError> {
        private_folder(home)?;
        let path = socket_path(home);
        if path.as_os_str().len() > SOCKET_PATH {
            return Err(DoorError::PathTooLong { path });
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(home.join("node.lock"))
            .map_err(DoorError::Io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DoorError::InUse { path }),
            Err(TryLockError::Error(error)) => return Err(DoorError::Io(error)),
        }
        remove_stale(&path)?;
        let listener = UnixListener::bind(&path).map_err(DoorError::Io)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(DoorError::Io)?;
        // A new file belongs to the user as whom this process acts.
        let owner = fs::metadata(&path).map_err(DoorError::Io)?.uid();
        Ok(Self { listener, path, owner, web: None, _lock: lock })
    }

    /// Serves the page and the API on a loopback port, too.
    #[must_use]
    pub fn with_web(mut self, web: WebDoor) -> Self {
        self.web = Some(web);
        self
    }

    /// Returns where the socket is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves the node's API until `stop` is done or a client asks for the end, then removes the socket.
    ///
    /// Requests under way get a few seconds to finish; the node itself is left running.
    pub async fn serve(mut self, node: Node, stop: impl Future<Output = ()>) -> Ended {
        let asked = Arc::new(Notify::new());
        let web = self.web.take().map(|web| web.open_gate(node.clone()));
        let gate = web.as_ref().map(|(_, gate)| Arc::clone(gate));
        let router = routes::router(Desk { node, stop: Arc::clone(&asked), gate });
        let page = web.map(|(port, gate)| (port, web::router(router.clone(), gate)));
        let bounds = Arc::new(Bounds::default());
        let (closing, _) = watch::channel(false);
        let mut visits = JoinSet::new();

        tokio::pin!(stop);
        let ended = loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break Ended::ByCaller,
                () = asked.notified() => break Ended::ByRequest,
                Some(_) = visits.join_next() => continue,
                accepted = self.listener.accept() => accepted,
                (accepted, router) = newcomer(page.as_ref()) => {
                    match accepted {
                        Ok(stream) => {
                            let ends = stream.peer_addr().and_then(|peer| Ok((peer, stream.local_addr()?)));
                            let visit = visit::attend(
                                stream,
                                node::owner::is_own(ends),
                                router,
                                Arc::clone(&bounds),
                                closing.subscribe(),
                            );
                            visits.spawn(visit);
                        }
                        Err(error) => {
                            tracing::warn!(%error, "cannot accept a connection on the loopback port");
                            tokio::time::sleep(ACCEPT_PAUSE).await;
                        }
                    }
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            match accepted {
                Ok((stream, _)) if self.admits(&stream) => {
                    visits.spawn(visit::attend(
                        stream,
                        std::future::ready(true),
                        router.clone(),
                        Arc::clone(&bounds),
                        closing.subscribe(),
                    ));
                    // A flood of newcomers must not keep those who came before from being served.
                    tokio::task::yield_now().await;
                }
                Ok(_) => tracing::warn!("another user's process was turned away from the socket"),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        closing.send_replace(true);
        let all = async { while visits.join_next().await.is_some() {} };
        if timeout(GRACE, all).await.is_err() {
            tracing::warn!("requests were cut off at the end");
        }
        ended
    }

    fn admits(&self, stream: &UnixStream) -> bool {
        stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // The lock is still held, so this is our own socket and nobody else's.
        let _ = fs::remove_file(&self.path);
    }
}

/// Waits for a connection on the loopback port; for ever if there is none.
async fn newcomer(page: Option<&(web::Port, Router)>) -> (io::Result<TcpStream>, Router) {
    match page {
        Some((port, router)) => (port.accept().await, router.clone()),
        None => std::future::pending().await,
    }
}

/// Makes `home` if need be; refuses a folder that others may look into, unless it is empty and can be closed.
fn private_folder(home: &Path) -> Result<(), DoorError> {
    DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(DoorError::Io)?;
    let mode = fs::metadata(home).map_err(DoorError::Io)?.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    if fs::read_dir(home).map_err(DoorError::Io)?.next().is_some() {
        return Err(DoorError::NotPrivate { home: home.to_owned(), mode });
    }
    fs::set_permissions(home, Permissions::from_mode(0o700)).map_err(DoorError::Io)
}

/// Removes a socket at which nobody answers; the caller holds the lock.
fn remove_stale(path: &Path) -> Result<(), DoorError> {
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(DoorError::InUse { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(DoorError::Io)
        }
        Err(error) => Err(DoorError::Io(error)),
    }
}

/// Why the socket cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// Another node runs in this home folder.
    #[error("a node is already running in this home folder")]
    InUse {
        /// Its socket.
        path: PathBuf,
    },
    /// Other users can look into the home folder.
    #[error("other users can look into the home folder {} (mode {mode:03o})", home.display())]
    NotPrivate {
        /// The folder.
        home: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The operating system takes no socket path as long as this.
    #[error("the socket's path is longer than {SOCKET_PATH} bytes: {}", path.display())]
    PathTooLong {
        /// The path.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot open the socket in the home folder: {0}")]
    Io(#[source] io::Error),
}

impl From<DoorError> for ApiError {
    fn from(error: DoorError) -> Self {
        let hint = match &error {
            DoorError::InUse { .. } => Some("stop it first, or choose another --home".into()),
            DoorError::NotPrivate { home, .. } => Some(format!("run `chmod 700 {}`", home.display())),
            DoorError::PathTooLong { .. } => Some("choose a --home with a shorter path".into()),
            DoorError::Io(_) => None,
        };
        Self { kind: ErrorKind::Config, message: error.to_string(), hint }
    }
}

/// The longest path that fits into a `sockaddr_un` with its final zero.
const SOCKET_PATH: usize = 107;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long requests may go on after the door has closed.
const GRACE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
