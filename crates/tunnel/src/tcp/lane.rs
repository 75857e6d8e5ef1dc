//! One lane: packets one after the other on a connection that may be replaced by another.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::AbortHandle,
    time::sleep,
};

use super::End;
use crate::forward::FairQueue;

/// One end's part of a lane.
pub(crate) struct Lane {
    pub(crate) end: End,
    outlet: Mutex<FairQueue<(), Bytes>>,
    filled: Notify,
    /// Whether anything was sent or came since it was looked last.
    used: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many dials are waiting for it.
    wanted: u32,
    /// The number of its latest connection.
    number: u64,
    connection: Option<Running>,
}

struct Running {
    number: u64,
    remote: SocketAddr,
    task: AbortHandle,
}

impl Lane {
    pub(crate) fn new(end: End) -> Self {
        Self {
            end,
            outlet: Mutex::new(FairQueue::new()),
            filled: Notify::new(),
            used: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    pub(crate) fn want(&self) {
        self.state().wanted += 1;
    }

    pub(crate) fn want_no_more(&self) {
        self.state().wanted -= 1;
    }

    /// Whether it has a connection, or somebody waits for one.
    pub(crate) fn is_of_use(&self) -> bool {
        let state = self.state();
        state.wanted > 0 || state.connection.is_some()
    }

    /// Starts the task of a connection, in place of any before.
    pub(crate) fn start(&self, remote: SocketAddr, task: impl FnOnce(u64) -> AbortHandle) {
        // Held meanwhile: a task that ends at once finds itself noted.
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        if let Some(before) = state.connection.replace(Running { number, remote, task: task(number) }) {
            before.task.abort();
        }
    }

    /// Takes note that a connection ended; says whether it was the lane's last.
    pub(crate) fn ended(&self, number: u64) -> bool {
        self.state().connection.take_if(|running| running.number == number).is_some()
    }

    /// Closes its connection.
    pub(crate) fn stop(&self) {
        if let Some(running) = self.state().connection.take() {
            running.task.abort();
        }
    }

    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.state().connection.as_ref().map(|running| running.remote)
    }

    pub(crate) fn push(&self, packet: Bytes) {
        if self.outlet().push((), packet) {
            self.filled.notify_one();
        }
    }

    /// Takes what waits, as much as one write should have; `false` if there is nothing.
    fn gather(&self, into: &mut BytesMut) -> bool {
        let mut outlet = self.outlet();
        while into.len() < WRITE {
            let Some(((), packet)) = outlet.pop() else { break };
            let Some(length) = u16::try_from(packet.len()).ok().filter(|length| *length <= PACKET) else {
                continue;
            };
            into.put_u16(length);
            into.put_slice(&packet);
        }
        !into.is_empty()
    }

    fn outlet(&self) -> MutexGuard<'_, FairQueue<(), Bytes>> {
        self.outlet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries packets both ways until the connection ends, is silent for too long, or says what is no packet.
pub(crate) async fn run<S: AsyncRead + AsyncWrite>(lane: &Lane, stream: S, take: impl FnMut(Bytes)) {
    let (from, to) = tokio::io::split(stream);
    tokio::select! {
        _ = read(lane, from, take) => {}
        _ = write(lane, to) => {}
        () = fall_silent(lane) => {}
    }
}

async fn read(lane: &Lane, mut from: impl AsyncRead + Unpin, mut take: impl FnMut(Bytes)) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    loop {
        while let Some(packet) = next(&mut buffer)? {
            lane.used.store(true, Ordering::Relaxed);
            take(packet);
        }
        buffer.reserve(READ);
        if from.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Takes the next packet out of what came.
pub(crate) fn next(buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
    let Some(length) = buffer.first_chunk::<2>().map(|length| u16::from_be_bytes(*length)) else {
        return Ok(None);
    };
    if length == 0 || length > PACKET {
        return Err(io::ErrorKind::InvalidData.into());
    }
    if buffer.len() < 2 + usize::from(length) {
        return Ok(None);
    }
    buffer.advance(2);
    Ok(Some(buffer.split_to(usize::from(length)).freeze()))
}

async fn write(lane: &Lane, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    loop {
        buffer.clear();
        if !lane.gather(&mut buffer) {
            // What idles keeps no buffer.
            buffer = BytesMut::new();
            lane.filled.notified().await;
            continue;
        }
        lane.used.store(true, Ordering::Relaxed);
        to.write_all(&buffer).await?;
        to.flush().await?;
    }
}

async fn fall_silent(lane: &Lane) {
    loop {
        sleep(SILENCE).await;
        if !lane.used.swap(false, Ordering::Relaxed) {
            return;
        }
    }
}

/// Sets a connection up for packets that are not to wait for each other.
pub(crate) fn prepare(stream: &TcpStream) {
    // Both only save time; where they are not to be had it goes without.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
}

/// The largest packet: no path of a tunnel has larger ones.
const PACKET: u16 = 2048;
/// How much is written at once: a full TLS record.
const WRITE: usize = 16 << 10;
/// How much room there is at least for what comes.
const READ: usize = 4 << 10;
/// How much the system keeps that it cannot send yet. What waits here can still be overtaken or dropped.
const UNSENT: u32 = 64 << 10;
/// Between one and two such times without a packet a lane is closed; a path in use is not silent for half as long.
const SILENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_are_cut_out_of_whatever_pieces_come() {
        let lane = Lane::new(End::From([1; 32]));
        let packets: Vec<_> = (1..200_usize).map(|n| Bytes::from(vec![n as u8; n * 7])).collect();
        for packet in &packets {
            lane.push(packet.clone());
        }
        let (mut all, mut part) = (BytesMut::new(), BytesMut::new());
        while lane.gather(&mut part) {
            assert!(part.len() < WRITE + usize::from(PACKET) + 2);
            all.extend_from_slice(&part.split());
        }
        for size in [1, 2, 3, 1000, all.len()] {
            let (mut buffer, mut out) = (BytesMut::new(), Vec::new());
            for piece in all.chunks(size) {
                buffer.extend_from_slice(piece);
                while let Some(packet) = next(&mut buffer).unwrap() {
                    out.push(packet);
                }
            }
            assert_eq!(out, packets);
        }
    }

    #[test]
    fn a_length_out_of_bounds_is_an_error() {
        assert!(next(&mut BytesMut::from(&[0, 0][..])).is_err());
        assert!(next(&mut BytesMut::from(&[8, 1][..])).is_err());
        assert_eq!(next(&mut BytesMut::from(&[8, 0][..])).unwrap(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_calmly(pieces in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..80), 0..20,
        )) {
            let mut buffer = BytesMut::new();
            for piece in pieces {
                buffer.extend_from_slice(&piece);
                while let Ok(Some(packet)) = next(&mut buffer) {
                    prop_assert!(!packet.is_empty() && packet.len() <= usize::from(PACKET));
                }
            }
        }
    }
}
