//! Waiting for lanes.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, join},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use super::{
    OPENING, Tcp,
    cover::{self, OPENS},
    lane,
};
use crate::doorway::{Doorway, Verdict};

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
    let mut doorway: Doorway<AbortHandle> = Doorway::new();
    let mut hearings: JoinSet<u64> = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => admit(&tcp, &mut doorway, &mut hearings, stream, remote),
                Err(error) => {
                    // Out of file descriptors, mostly: whoever waits is taken a little later.
                    tracing::debug!(%error, "a connection was not taken");
                    sleep(PAUSE).await;
                }
            },
            Some(number) = hearings.join_next(), if !hearings.is_empty() => match number {
                Ok(number) => doorway.leave(number),
                // Those pushed out have left the doorway already.
                Err(error) if error.is_cancelled() => {}
                Err(error) => tracing::error!(%error, "a lane's opening failed"),
            },
        }
    }
}

fn admit(
    tcp: &Arc<Tcp>,
    doorway: &mut Doorway<AbortHandle>,
    hearings: &mut JoinSet<u64>,
    stream: TcpStream,
    remote: SocketAddr,
) {
    let (source, now): (IpAddr, _) = (remote.ip(), Instant::now());
    // Three packets have gone to and fro: he is where he says.
    match doorway.decide(source, true, now) {
        Verdict::Admit => {}
        Verdict::AdmitFor(other) => other.abort(),
        Verdict::Validate | Verdict::Ignore => return,
    }
    let number = doorway.number();
    let tcp = tcp.clone();
    let task = hearings.spawn(async move {
        // Whatever is wrong, the end is the same: nothing said, and after the same time.
        let _ = timeout(OPENING, hear(&tcp, stream, remote)).await;
        number
    });
    doorway.enter(number, source, now, task);
}

/// Opens a lane for whoever begins with a pass; for anybody else, keeps silent for as long as he is let.
async fn hear(tcp: &Arc<Tcp>, stream: TcpStream, remote: SocketAddr) {
    lane::prepare(&stream);
    let (mut from, to) = stream.into_split();
    let mut opening = [0; OPENS];
    let key = match from.read_exact(&mut opening).await {
        Ok(_) => cover::pass(&opening).and_then(|pass| tcp.gate.admits_lane(pass, remote.ip())),
        Err(_) => return,
    };
    let Some(key) = key else {
        return std::future::pending().await;
    };
    let stream = join(std::io::Cursor::new(opening).chain(from), to);
    match tcp.cover.answer(stream).await {
        Some(stream) => tcp.accept(key, stream, remote),
        None => std::future::pending().await,
    }
}

/// How many may wait to be taken.
const BACKLOG: i32 = 64;
const PAUSE: Duration = Duration::from_millis(200);
