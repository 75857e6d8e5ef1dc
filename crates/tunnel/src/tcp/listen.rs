//! Waiting for lanes.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, join},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, timeout_at},
};

use super::{
    OPENING, Tcp,
    cover::{self, OPENS},
    lane,
};
use crate::{
    doorway::Bounds,
    hearings::{Entrance, Hearings},
};

/// Listens where the tunnel does, as far as these ports are free for TCP too.
pub(crate) fn bind(addresses: &[SocketAddr]) -> Vec<TcpListener> {
    let listener = |address: &SocketAddr| match one(*address) {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::debug!(port = address.port(), %error, "no lanes: the port is not to be had for TCP");
            None
        }
    };
    addresses.iter().filter_map(listener).collect()
}

fn one(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The port may be taken again right after a restart.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Takes whoever connects and has a pass, until told to stop.
pub(crate) async fn listen(tcp: Arc<Tcp>, listener: TcpListener) {
    let mut hearings = Hearings::new(Bounds::LANES);
    let mut handshakes = JoinSet::new();
    // One a caller: the callers are bounded, and what a later pass opens takes the place of all before it.
    let mut latest: BTreeMap<[u8; 32], AbortHandle> = BTreeMap::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                // Three packets have gone to and fro: he is where he says.
                Ok((stream, remote)) => if hearings.entrance(remote.ip(), true) == Entrance::Open {
                    hearings.hear(remote.ip(), hear(tcp.clone(), stream, remote));
                },
                Err(error) => {
                    // Out of file descriptors, mostly: whoever waits is taken a little later.
                    tracing::debug!(%error, "a connection was not taken");
                    sleep(PAUSE).await;
                }
            },
            // Whoever has proved something stands in no stranger's way, and no stranger in his.
            Some(opened) = hearings.next() => {
                let key = opened.key;
                let task = handshakes.spawn(shake_hands(tcp.clone(), opened));
                if let Some(before) = latest.insert(key, task) {
                    before.abort();
                }
            },
            Some(done) = handshakes.join_next(), if !handshakes.is_empty() => {
                if let Err(error) = done && error.is_panic() {
                    tracing::error!(%error, "a lane's opening failed");
                }
                latest.retain(|_, task| !task.is_finished());
            },
        }
    }
}

/// A connection that began with a pass.
struct Opened {
    key: [u8; 32],
    opening: [u8; OPENS],
    stream: TcpStream,
    remote: SocketAddr,
    /// Whatever is wrong, the end is the same: nothing said, and after the same time.
    until: Instant,
}

/// Waits for a pass; for anybody who has none, keeps silent for as long as he is let.
async fn hear(tcp: Arc<Tcp>, mut stream: TcpStream, remote: SocketAddr) -> Option<Opened> {
    let until = Instant::now() + OPENING;
    lane::prepare(&stream);
    let mut opening = [0; OPENS];
    let hearing = async {
        // Whoever hangs up is gone.
        stream.read_exact(&mut opening).await.ok()?;
        match cover::pass(&opening).and_then(|pass| tcp.gate.admits_lane(pass, remote.ip())) {
            Some(key) => Some(key),
            None => std::future::pending().await,
        }
    };
    let key = timeout_at(until, hearing).await.ok().flatten()?;
    Some(Opened { key, opening, stream, remote, until })
}

/// Opens a lane for whoever began with a pass.
async fn shake_hands(tcp: Arc<Tcp>, Opened { key, opening, stream, remote, until }: Opened) {
    let (from, to) = stream.into_split();
    let stream = join(std::io::Cursor::new(opening).chain(from), to);
    let shaking = async {
        match tcp.cover.answer(stream).await {
            Some(stream) => tcp.accept(key, stream, remote),
            None => std::future::pending().await,
        }
    };
    // Too late is all that this can say.
    let _ = timeout_at(until, shaking).await;
}

/// How many may wait to be taken.
const BACKLOG: i32 = 64;
const PAUSE: Duration = Duration::from_millis(200);
