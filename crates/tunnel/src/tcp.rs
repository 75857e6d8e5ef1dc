//! The way where UDP is blocked: a tunnel's packets in a TLS session over TCP.
//!
//! A *lane* carries the packets of the tunnels between two devices, one after the other, as UDP would carry them. It is
//! nothing but a wire: who the other end is, and what may be read, is settled inside, by the same QUIC session as
//! ever. iroh takes it for one more transport ([`transport`]), so that its own machinery looks for a path over UDP
//! and moves there.
//!
//! # The invariant
//! Whoever connects gets no answer, not one byte, before he has sent a pass that nobody used before ([`cover`]).

mod cover;
mod lane;
mod listen;
mod transport;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use wire::DeviceId;

pub(crate) use self::listen::{bind, listen};
use self::{cover::Cover, lane::Lane};
use crate::{
    custom,
    forward::FairQueue,
    gate::Gate,
    pass::{Pass, Purpose},
};

/// All lanes of one tunnel.
pub(crate) struct Tcp {
    gate: Arc<Gate>,
    cover: Cover,
    state: Mutex<State>,
    /// Counts the lanes that opened.
    opened: watch::Sender<u64>,
}

struct State {
    lanes: BTreeMap<End, Arc<Lane>>,
    /// Packets that came, by lane.
    arrived: FairQueue<End, Bytes>,
    receiver: Option<Waker>,
}

/// This device's end of a lane; there is at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// This device dialled that one.
    To(DeviceId),
    /// Whoever has this key dialled, a device or an invitation's holder.
    From([u8; 32]),
}

impl Tcp {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        let state = State { lanes: BTreeMap::new(), arrived: FairQueue::new(), receiver: None };
        Self { gate, cover: Cover::new(), state: Mutex::new(state), opened: watch::Sender::new(0) }
    }

    /// Prepares to dial a device. What iroh sends there waits until the lane is open.
    pub(crate) fn prepare(
        self: &Arc<Self>,
        device: &DeviceId,
        invitation: Option<&crypto::SigningKey>,
    ) -> Option<Prepared> {
        let pass = self.gate.pass(Purpose::Lane, device, invitation)?;
        let end = End::To(*device);
        let mut state = self.state();
        let lane = state.lanes.entry(end).or_insert_with(|| Arc::new(Lane::new(end))).clone();
        lane.want();
        Some(Prepared { tcp: self.clone(), lane, pass })
    }

    /// Carries packets over a connection from now on, in place of the one that the lane had.
    fn carry<S>(self: &Arc<Self>, lane: &Arc<Lane>, stream: S, remote: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (tcp, on) = (self.clone(), lane.clone());
        lane.start(remote, |number| {
            let task = tokio::spawn(async move {
                lane::run(&on, stream, |packet| tcp.take(on.end, packet)).await;
                if on.ended(number) {
                    tcp.forget(&on);
                }
            });
            task.abort_handle()
        });
        self.opened.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Tells whenever a lane opened.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.opened.subscribe()
    }

    /// Returns this device's ends of the lanes to and from a device that are open.
    pub(crate) fn ends(&self, device: &DeviceId) -> Vec<End> {
        let both = [End::To(*device), End::From(*device.as_bytes())];
        both.into_iter().filter(|end| self.remote(*end).is_some()).collect()
    }

    /// Opens a lane for whoever sent a pass with this key.
    fn accept<S>(self: &Arc<Self>, key: [u8; 32], stream: S, remote: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let end = End::From(key);
        // Held until the lane has its connection, so that nobody forgets it before.
        let mut state = self.state();
        // His pass may have been taken just before he was removed.
        if !self.gate.expects(&key) {
            return;
        }
        let lane = state.lanes.entry(end).or_insert_with(|| Arc::new(Lane::new(end)));
        self.carry(lane, stream, remote);
    }

    /// Forgets a lane that nobody wants and that has no connection.
    fn forget(&self, lane: &Arc<Lane>) {
        let mut state = self.state();
        if !lane.is_of_use() && state.lanes.get(&lane.end).is_some_and(|known| Arc::ptr_eq(known, lane)) {
            state.lanes.remove(&lane.end);
            state.arrived.retain(|end| *end != lane.end);
        }
    }

    /// Closes a lane: its tunnel has a better way.
    pub(crate) fn leave(&self, end: End) {
        let lane = self.state().lanes.get(&end).cloned();
        if let Some(lane) = lane {
            lane.stop();
            self.forget(&lane);
        }
    }

    /// Closes the lanes of devices that are no longer allowed.
    pub(crate) fn bar<'a>(&self, devices: impl IntoIterator<Item = &'a DeviceId>) {
        for device in devices {
            self.leave(End::To(*device));
            self.leave(End::From(*device.as_bytes()));
        }
    }

    /// Closes all lanes.
    pub(crate) fn close(&self) {
        let ends: Vec<_> = self.state().lanes.keys().copied().collect();
        ends.into_iter().for_each(|end| self.leave(end));
    }

    /// Tells where a lane's other end is seen.
    pub(crate) fn remote(&self, end: End) -> Option<SocketAddr> {
        self.state().lanes.get(&end).and_then(|lane| lane.remote())
    }

    /// Sends packets; what does not fit is lost.
    fn send(&self, end: End, contents: &[u8], segment: Option<usize>) {
        let Some(lane) = self.state().lanes.get(&end).cloned() else { return };
        custom::cut(contents, segment).for_each(|packet| lane.push(packet));
    }

    fn take(&self, end: End, packet: Bytes) {
        let mut state = self.state();
        if state.arrived.push(end, packet)
            && let Some(receiver) = state.receiver.take()
        {
            receiver.wake();
        }
    }

    /// Gives at most `most` packets that came, none larger than `room`.
    fn poll_arrived(
        &self,
        cx: &Context<'_>,
        most: usize,
        room: usize,
        mut give: impl FnMut(End, &[u8]),
    ) -> Poll<()> {
        let mut state = self.state();
        let mut given = 0;
        while given < most {
            let Some((end, packet)) = state.arrived.pop() else { break };
            if packet.len() <= room {
                give(end, &packet);
                given += 1;
            }
        }
        if given > 0 {
            return Poll::Ready(());
        }
        state.receiver = Some(cx.waker().clone());
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lane that is opened if nothing else leads to a device.
pub(crate) struct Prepared {
    tcp: Arc<Tcp>,
    lane: Arc<Lane>,
    pass: Pass,
}

impl Prepared {
    /// Where iroh sends what is to go on the lane.
    pub(crate) fn end(&self) -> End {
        self.lane.end
    }

    /// Opens the lane at the first of the addresses that answers, if one does. What comes of it is heard on the lane.
    pub(crate) async fn open(&self, addresses: &[SocketAddr]) {
        let mut dials = JoinSet::new();
        for address in addresses.iter().copied().collect::<BTreeSet<_>>() {
            let (tcp, pass) = (self.tcp.clone(), self.pass);
            dials.spawn(async move {
                let opening = async {
                    let stream = TcpStream::connect(address).await.ok()?;
                    lane::prepare(&stream);
                    tcp.cover.dial(stream, &pass).await
                };
                Some((timeout(OPENING, opening).await.ok()??, address))
            });
        }
        while let Some(opened) = dials.join_next().await {
            // The pass is taken once, so there is no second.
            if let Ok(Some((stream, address))) = opened {
                self.tcp.carry(&self.lane, stream, address);
                break;
            }
        }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.lane.want_no_more();
        self.tcp.forget(&self.lane);
    }
}

/// Tells whether a connection that begins like this may hold a pass.
pub(crate) fn is_opening(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|opening| cover::pass(opening).is_some())
}

/// Tells whether bytes are packets of a lane, and nothing besides.
pub(crate) fn are_packets(bytes: &[u8]) -> bool {
    let mut rest = bytes::BytesMut::from(bytes);
    while let Ok(Some(_)) = lane::next(&mut rest) {}
    rest.is_empty()
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tcp").finish_non_exhaustive()
    }
}

/// How long UDP is given alone. A dial over it that works is done in a few round trips.
pub(crate) const HEAD_START: Duration = Duration::from_secs(1);
/// How long a lane may take to open, for the one that dials and for the one that answers.
pub(crate) const OPENING: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests;
