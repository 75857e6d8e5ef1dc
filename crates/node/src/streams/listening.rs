//! Listens on this machine for programs, and opens a flow for each that comes.

use std::{
    io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use streams::{Class, Kind, Reason, Side};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream},
    sync::{Semaphore, oneshot},
    time::{Duration, sleep, timeout},
};
use wire::{CircleId, DeviceId, Flow, FlowKind, MemberId, Opening};

use super::{
    datagrams,
    desk::{Desk, Post},
    ends::{End, Tells},
    flow::{self, Wire},
    local::Local,
};
use crate::{api, owner};

/// Where to listen.
#[derive(Debug, Clone)]
pub(crate) enum Listen {
    /// For connections.
    Tcp(SocketAddr),
    /// For datagrams.
    Udp(SocketAddr),
    /// For connections of this system user.
    Unix(PathBuf),
}

/// What for.
#[derive(Debug, Clone)]
pub(crate) struct Purpose {
    pub(crate) circle: CircleId,
    pub(crate) member: MemberId,
    /// If only one of his devices is meant.
    pub(crate) device: Option<DeviceId>,
    pub(crate) flow: Flow,
    /// Whether one program is enough.
    pub(crate) once: bool,
}

/// Something that is listened on.
pub(crate) enum Listening {
    Tcp(TcpListener),
    Udp(UdpSocket),
    Unix(UnixListener, Named),
}

/// A socket's name in a folder; dropped, it is removed.
pub(crate) struct Named(PathBuf);

impl Drop for Named {
    fn drop(&mut self) {
        // An error says that it is gone.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listening {
    /// Begins to listen.
    pub(crate) async fn begin(at: &Listen) -> io::Result<Self> {
        Ok(match at {
            Listen::Tcp(address) => Self::Tcp(TcpListener::bind(address).await?),
            Listen::Udp(address) => Self::Udp(UdpSocket::bind(address).await?),
            Listen::Unix(path) => {
                let listener = UnixListener::bind(path)?;
                let named = Named(path.clone());
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
                Self::Unix(listener, named)
            }
        })
    }

    /// Tells where it listens.
    pub(crate) fn address(&self) -> io::Result<String> {
        Ok(match self {
            Self::Tcp(listener) => listener.local_addr()?.to_string(),
            Self::Udp(socket) => socket.local_addr()?.to_string(),
            Self::Unix(_, Named(path)) => shown(path),
        })
    }

    /// Waits for the next program; whose it is, is still to be asked. Nobody comes to a place for datagrams.
    async fn accept(&self) -> io::Result<Came> {
        match self {
            Self::Tcp(listener) => {
                let beyond = !listener.local_addr()?.ip().is_loopback();
                listener.accept().await.map(|(stream, _)| Came::Tcp { stream, beyond })
            }
            Self::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Came::Unix(stream)),
            Self::Udp(_) => std::future::pending().await,
        }
    }
}

/// A program's connection.
enum Came {
    /// To an address; `beyond` loopback everybody is let in, as the person said.
    Tcp {
        stream: TcpStream,
        beyond: bool,
    },
    Unix(UnixStream),
}

impl Came {
    /// Tells whether it may use what the user of this process has opened: only programs of his may.
    async fn is_welcome(&self) -> bool {
        match self {
            Self::Tcp { beyond: true, .. } => true,
            Self::Tcp { stream, .. } => {
                owner::is_own(stream.peer_addr().and_then(|peer| Ok((peer, stream.local_addr()?)))).await
            }
            Self::Unix(stream) => {
                stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
            }
        }
    }

    /// Makes it the end of a flow, of the only one that there will be (`once`) or one of many.
    fn into_local(self, once: bool) -> Local {
        match self {
            Self::Tcp { stream, .. } => Local::tcp(stream),
            Self::Unix(stream) if once => Local::pipe(stream),
            Self::Unix(stream) => Local::unix(stream),
        }
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Opens a flow for each program that comes, from now on; nothing if the vault is closed.
pub(crate) fn listen(
    desk: &Desk,
    listening: Listening,
    purpose: Purpose,
    listener: api::StreamListener,
) -> Result<api::StreamListener, Reason> {
    if desk.listener_count() >= LISTENERS {
        return Err(Reason::Busy);
    }
    let post = desk.post().ok_or(Reason::Closed)?;
    let once = purpose.once;
    let start = move |id, tells| tokio::spawn(run(post, id, listening, purpose, tells));
    desk.add_listener(listener, once, start).ok_or(Reason::Closed)
}

async fn run(post: Post, id: u64, listening: Listening, purpose: Purpose, mut tells: Option<Tells>) {
    let circle = purpose.circle;
    let purpose = Arc::new(purpose);
    match listening {
        Listening::Udp(socket) => datagrams::listen(&post, id, socket, &purpose).await,
        listening => {
            let waiting = Arc::new(Semaphore::new(WAITING));
            loop {
                // An error is one connection's, or a want of descriptors, which passes.
                let Ok(came) = listening.accept().await else {
                    sleep(PAUSE).await;
                    continue;
                };
                if purpose.once {
                    // Who may not use it does not take the place of who may.
                    if came.is_welcome().await {
                        go(&post, id, &purpose, &waiting, came, tells.take()).await;
                        break;
                    }
                } else {
                    go(&post, id, &purpose, &waiting, came, None).await;
                }
            }
        }
    }
    // This task, which ends here by itself.
    drop(post.desk.end_listener(circle, id));
}

/// Opens a flow for a program, beside those that are open.
async fn go(
    post: &Post,
    id: u64,
    purpose: &Arc<Purpose>,
    waiting: &Arc<Semaphore>,
    came: Came,
    tells: Option<Tells>,
) {
    let (post, purpose) = (post.clone(), purpose.clone());
    // So many are opened at a time; the others wait in front of the door.
    let Ok(permit) = waiting.clone().acquire_owned().await else { return };
    tokio::spawn(async move {
        if !came.is_welcome().await {
            return;
        }
        let local = came.into_local(purpose.once);
        let opened = open(&post, &purpose).await;
        drop(permit);
        let end = match opened {
            Ok((wire, device)) => {
                post.note_listener(id, None);
                match post.take_place((purpose.circle, device), &purpose.flow, None) {
                    Ok(place) => match flow::join(local, wire, place).await {
                        Ok(()) => End::Properly,
                        Err(reason) => {
                            tracing::debug!(reason = reason.word(), "a flow ended early");
                            End::Broke(reason)
                        }
                    },
                    Err(reason) => {
                        local.reset();
                        End::Refused(reason)
                    }
                }
            }
            Err(reason) => {
                post.note_listener(id, Some(reason));
                local.reset();
                End::Refused(reason)
            }
        };
        if let Some(tells) = tells {
            tells.send_replace(Some(end));
        }
    });
}

/// Opens a flow to whichever of the member's devices offers it.
pub(super) async fn open(post: &Post, purpose: &Purpose) -> Result<(Wire, DeviceId), Reason> {
    let Purpose { circle, member, device, flow, .. } = purpose;
    let (tunnel, ways) = post.ways(*circle, member, device.as_ref())?;
    let mut last = Reason::Lost;
    for (device, link) in ways {
        let (answer, stream) = oneshot::channel();
        let opening = Opening::Flow(flow.clone()).encode();
        tunnel.send(tunnel::Command::Open { device, link, class: tunnel::Class::Message, opening, answer });
        let opened = async {
            let stream = timeout(OPEN, stream).await.map_err(|_| Reason::Busy)?.map_err(|_| Reason::Lost)?;
            let mut wire = Wire::new(circle, flow, Side::Opener, stream).ok_or(Reason::Lost)?;
            match timeout(ANSWER, wire.hears.hear()).await.map_err(|_| Reason::Silent)?? {
                (Kind::Open, class) => {
                    let class = class.first().copied().and_then(Class::of_code);
                    wire.set_class(class.ok_or(Reason::Garbage)?);
                    Ok(wire)
                }
                (Kind::Refused, reason) => {
                    wire.says.outlet.finish();
                    Err(reason.first().map_or(Reason::Garbage, |code| Reason::of_code(*code)))
                }
                _ => Err(Reason::Garbage),
            }
        };
        match opened.await {
            Ok(wire) => return Ok((wire, device)),
            Err(reason) => {
                post.note_refusal((*circle, device), flow, reason, true);
                last = reason;
                // Another of his devices may offer it.
                if reason != Reason::Unknown && reason != Reason::Lost {
                    break;
                }
            }
        }
    }
    Err(last)
}

impl Purpose {
    /// Makes what is asked for of what goes on it.
    pub(crate) const fn kind(listen: &Listen) -> FlowKind {
        match listen {
            Listen::Udp(_) => FlowKind::Datagrams,
            Listen::Tcp(_) | Listen::Unix(_) => FlowKind::Bytes,
        }
    }
}

/// How many listeners there are at most.
const LISTENERS: usize = 64;
/// How many flows of one listener are being opened at a time.
const WAITING: usize = 64;
/// How long a stream may take to be opened, and the other end to say whether it is joined.
const OPEN: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(20);
/// How long after an error the next connection is waited for.
const PAUSE: Duration = Duration::from_millis(100);
