//! A link that is up: one task that reads its frames, one that writes them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use iroh::{
    TransportAddr,
    endpoint::{Connection, ConnectionError, SendStream, VarInt},
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::AbortHandle,
    time::sleep,
};
use wire::{DeviceId, limits};

use crate::{
    ChannelClass, DownReason, Event, EventSink, LinkId, LinkStatus, Received,
    framing::{self, FrameError, Frames},
    transport::{HEARD, code},
};

/// A link between its `Up` and its `Down`.
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) device: DeviceId,
    pub(crate) initiated: bool,
    /// What the other side's hello said of itself.
    pub(crate) instance: u64,
    pub(crate) serial: u64,
    pub(crate) since: Instant,
    connection: Connection,
    key_exchange: &'static str,
    outbox: mpsc::UnboundedSender<Vec<u8>>,
    queued: Arc<AtomicUsize>,
    /// Held while an event of this link is delivered, so that none follows its `Down`.
    open: Arc<Mutex<bool>>,
    tasks: Vec<AbortHandle>,
}

/// A connection whose hellos were both checked, about to become a link.
pub(crate) struct Greeted {
    pub(crate) id: LinkId,
    pub(crate) device: DeviceId,
    pub(crate) initiated: bool,
    pub(crate) instance: u64,
    pub(crate) serial: u64,
    pub(crate) connection: Connection,
    pub(crate) key_exchange: &'static str,
    pub(crate) send: SendStream,
    pub(crate) frames: Frames,
}

/// Tells the shell that a link's connection or stream is gone.
pub(crate) struct Ended {
    pub(crate) device: DeviceId,
    pub(crate) link: LinkId,
    pub(crate) reason: DownReason,
}

impl Link {
    /// Delivers `Up` and starts the tasks; `first` is written before all frames.
    pub(crate) fn start(
        greeted: Greeted,
        first: Option<Vec<u8>>,
        sink: &Arc<dyn EventSink>,
        ended: &mpsc::UnboundedSender<Ended>,
    ) -> Self {
        let Greeted { id, device, initiated, instance, serial, connection, key_exchange, send, frames } =
            greeted;
        let (outbox, queue) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        if let Some(hello) = first {
            queued.fetch_add(hello.len() + OVERHEAD, Ordering::Relaxed);
            outbox.send(hello).expect("the receiver is in hand");
        }
        let open = Arc::new(Mutex::new(true));
        sink.deliver(Event::Up { device, link: id, initiated, remote: remote(&connection) });

        let reader = {
            let (sink, open, connection) = (sink.clone(), open.clone(), connection.clone());
            let ended = ended.clone();
            async move {
                let error = read(frames, device, id, &sink, &open).await;
                let reason = reason(&error, connection.close_reason());
                // The shell may be gone; then nobody waits for this.
                let _ = ended.send(Ended { device, link: id, reason });
            }
        };
        let writer = write(send, queue, queued.clone());
        let tasks = vec![tokio::spawn(reader).abort_handle(), tokio::spawn(writer).abort_handle()];
        let since = Instant::now();
        Self {
            id,
            device,
            initiated,
            instance,
            serial,
            since,
            connection,
            key_exchange,
            outbox,
            queued,
            open,
            tasks,
        }
    }

    /// Queues a frame; an error says that the link has to be closed.
    pub(crate) fn send(&self, frame: Vec<u8>) -> Result<(), DownReason> {
        if frame.is_empty() || frame.len() > limits::FRAME {
            tracing::error!(length = frame.len(), "the engine sent a frame out of bounds");
            return Ok(());
        }
        let length = frame.len() + OVERHEAD;
        if self.queued.fetch_add(length, Ordering::Relaxed) + length > OUTBOX {
            return Err(DownReason::Overrun);
        }
        // The writer ends only with the connection, of which the reader tells the shell.
        let _ = self.outbox.send(frame);
        Ok(())
    }

    /// Closes the connection and delivers `Down`, the link's last event.
    pub(crate) fn close(self, code: VarInt, reason: DownReason, sink: &Arc<dyn EventSink>) {
        self.connection.close(code, b"");
        for task in &self.tasks {
            task.abort();
        }
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *open = false;
        sink.deliver(Event::Down { device: self.device, link: self.id, reason });
    }

    /// Finds out whether the link survived a change of the network: ends it once nothing is heard for longer than a
    /// living link is silent. Several times, since iroh tries other paths for some seconds.
    pub(crate) fn prove(
        &self,
        ended: mpsc::UnboundedSender<Ended>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let heard = |connection: &Connection| connection.stats().udp_rx.datagrams;
        let (device, link, connection) = (self.device, self.id, self.connection.clone());
        async move {
            for _ in 0..PROOFS {
                let before = heard(&connection);
                sleep(HEARD).await;
                if heard(&connection) == before {
                    // The shell may be gone; then so is the link.
                    let _ = ended.send(Ended { device, link, reason: DownReason::Lost });
                    return;
                }
            }
        }
    }

    /// How many bytes wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Describes the link as it is now.
    pub(crate) fn status(&self) -> LinkStatus {
        let stats = self.connection.stats();
        let paths = self.connection.paths();
        let path = paths.iter().find(iroh::endpoint::Path::is_selected).or_else(|| paths.iter().next());
        let remote = remote(&self.connection);
        LinkStatus {
            device: self.device,
            link: self.id,
            up_for: self.since.elapsed(),
            initiated: self.initiated,
            remote,
            class: ChannelClass::of(&remote),
            round_trip: path.map(|path| path.rtt()).unwrap_or_default(),
            sent: stats.udp_tx.bytes,
            received: stats.udp_rx.bytes,
            key_exchange: self.key_exchange,
            cipher: "TLS_AES_256_GCM_SHA384",
            queued: self.queued(),
        }
    }
}

/// Delivers frames until there are no more, and says why.
async fn read(
    mut frames: Frames,
    device: DeviceId,
    link: LinkId,
    sink: &Arc<dyn EventSink>,
    open: &Mutex<bool>,
) -> Option<FrameError> {
    let credit = Arc::new(Semaphore::new(CREDIT));
    loop {
        let length = match frames.length(limits::FRAME).await {
            Ok(Some(length)) => length,
            Ok(None) => return None,
            Err(error) => return Some(error),
        };
        let cost = u32::try_from(length + OVERHEAD).expect("a frame's length is bounded");
        let permit = credit.clone().acquire_many_owned(cost).await.expect("nobody closes the semaphore");
        let bytes = match frames.body(length).await {
            Ok(bytes) => bytes,
            Err(error) => return Some(error),
        };
        let open = open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !*open {
            return None;
        }
        sink.deliver(Event::Frame { device, link, bytes: Received::new(bytes, permit) });
    }
}

/// Writes what is queued, small frames together.
async fn write(mut send: SendStream, mut queue: mpsc::UnboundedReceiver<Vec<u8>>, queued: Arc<AtomicUsize>) {
    let mut frames = Vec::new();
    while queue.recv_many(&mut frames, BATCH).await > 0 {
        let mut rest = frames.drain(..).peekable();
        while rest.peek().is_some() {
            let mut bytes = 0;
            let part = std::iter::from_fn(|| {
                let frame = rest.next_if(|_| bytes < WRITE)?;
                bytes += frame.len() + OVERHEAD;
                Some(frame)
            });
            let mut chunks = framing::pack(part);
            if send.write_all_chunks(&mut chunks).await.is_err() {
                // The reader sees the same and tells the shell.
                return;
            }
            queued.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

fn reason(error: &Option<FrameError>, closed: Option<ConnectionError>) -> DownReason {
    match (closed, error) {
        (Some(ConnectionError::ApplicationClosed(close)), _) => match close.error_code {
            code::GO_AWAY => DownReason::Refused,
            code::DUPLICATE => DownReason::Replaced,
            code::GARBAGE => DownReason::Garbage,
            code::OVERRUN => DownReason::Overrun,
            _ => DownReason::Closed,
        },
        (Some(_), _) => DownReason::Lost,
        (None, None) => DownReason::Closed,
        (None, Some(_)) => DownReason::Garbage,
    }
}

/// Where the other side is seen now.
pub(crate) fn remote(connection: &Connection) -> SocketAddr {
    let paths = connection.paths();
    let path = paths.iter().find(iroh::endpoint::Path::is_selected).or_else(|| paths.iter().next());
    match path.as_ref().map(iroh::endpoint::Path::remote_addr) {
        Some(TransportAddr::Ip(address)) => *address,
        // No other transport is switched on: the connection is closing and has no path left.
        _ => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
    }
}

/// How many bytes of frames the engine may hold of one link before that link is read no further. An engine that
/// keeps less than this unacknowledged never stops the reading.
const CREDIT: usize = 8 << 20;
/// How many bytes may wait to be sent on one link.
const OUTBOX: usize = 32 << 20;
/// How often a link proves that it survived.
const PROOFS: usize = 3;
/// What a frame costs beyond its bytes, so that many tiny ones are bounded too.
const OVERHEAD: usize = 64;
/// How many frames are taken from the queue at once.
const BATCH: usize = 256;
/// After how many bytes a write is long enough.
const WRITE: usize = 256 << 10;
