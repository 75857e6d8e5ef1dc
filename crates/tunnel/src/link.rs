//! A link that is up: one task that reads its frames, one that writes them, one that feels its pulse.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use iroh::{
    TransportAddr,
    endpoint::{Connection, ConnectionError, ConnectionStats, SendStream, VarInt},
};
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot},
    task::AbortHandle,
    time::{sleep, timeout},
};
use wire::{DeviceId, limits};

use crate::{
    ChannelClass, Class, DownReason, Event, EventSink, LinkId, LinkStatus, PathStatus, Received, Remote,
    Stream,
    forward::{self, Forwarding, Leg, Through, Told},
    framing::{self, FrameError, Frames},
    outbox::{OVERHEAD, Out, Outbox, Outboxes, Outgoing},
    pulse::{Beat, Pulse},
    stream::{self, Room},
    tcp::{End, Tcp},
    transport::{self, code},
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
    outbox: Outbox,
    outboxes: Arc<Outboxes>,
    activity: Arc<Activity>,
    /// Whether the other side answers no more, so that another way is looked for.
    doubted: bool,
    /// How many packets had come by then.
    heard: u64,
    /// Held while an event of this link is delivered, so that none follows its `Down`.
    open: Arc<Mutex<bool>>,
    writer: AbortHandle,
    tasks: Vec<AbortHandle>,
    leg: Arc<Leg>,
    forwarding: Arc<Forwarding>,
    tcp: Arc<Tcp>,
}

/// What a link belongs to.
pub(crate) struct Place<'a> {
    pub(crate) sink: &'a Arc<dyn EventSink>,
    pub(crate) outboxes: &'a Arc<Outboxes>,
    pub(crate) news: &'a mpsc::UnboundedSender<News>,
    pub(crate) forwarding: &'a Arc<Forwarding>,
    pub(crate) told: &'a mpsc::Sender<Told>,
    pub(crate) tcp: &'a Arc<Tcp>,
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

/// Tells the shell how a link fares.
pub(crate) struct News {
    pub(crate) device: DeviceId,
    pub(crate) link: LinkId,
    pub(crate) turn: Turn,
}

/// What became of a link.
pub(crate) enum Turn {
    /// The other side does not answer.
    Doubted,
    /// The other side answers again.
    Trusted,
    /// The connection or stream is gone.
    Ended(DownReason),
}

/// What happens on a link, for whoever feels its pulse.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    said: AtomicBool,
    frames: AtomicBool,
    changed: AtomicBool,
    /// The other side is to get nothing any more but the last frames.
    parting: AtomicBool,
    wake: Notify,
}

impl Activity {
    /// Notes that something was sent.
    pub(crate) fn note_said(&self) {
        self.note(&self.said);
    }

    pub(crate) fn is_parting(&self) -> bool {
        self.parting.load(Ordering::Relaxed)
    }

    fn note(&self, what: &AtomicBool) {
        // Noted many times a round trip: the one who looks is woken by the first only.
        if !what.swap(true, Ordering::Relaxed) {
            self.wake.notify_one();
        }
    }
}

impl Link {
    /// Delivers `Up` and starts the tasks; `first` is written before all frames.
    pub(crate) fn start(greeted: Greeted, first: Option<Vec<u8>>, place: &Place<'_>) -> Self {
        let Place { sink, outboxes, news, forwarding, told, tcp } = *place;
        let Greeted { id, device, initiated, instance, serial, connection, key_exchange, send, frames } =
            greeted;
        let (outbox, outgoing) = Outbox::new();
        if let Some(hello) = first {
            outbox.push_always(hello);
        }
        transport::widen(&connection);
        let activity = Arc::new(Activity::default());
        let open = Arc::new(Mutex::new(true));
        outboxes.add((device, id), outbox.clone());
        sink.deliver(Event::Up { device, link: id, initiated, remote: remote(&connection, tcp) });

        let reader = {
            let (sink, open, connection) = (sink.clone(), open.clone(), connection.clone());
            let (news, activity) = (news.clone(), activity.clone());
            async move {
                let error = read(frames, device, id, &sink, &open, &activity).await;
                let turn = Turn::Ended(reason(&error, connection.close_reason()));
                // The shell may be gone; then nobody waits for this.
                let _ = news.send(News { device, link: id, turn });
            }
        };
        let writer = write(send, outgoing, activity.clone());
        let watcher = {
            let (connection, activity, news) = (connection.clone(), activity.clone(), news.clone());
            async move {
                watch(&connection, &activity, |turn| {
                    // As above.
                    let _ = news.send(News { device, link: id, turn });
                })
                .await;
            }
        };
        let doorman = admit(connection.clone(), (device, id), sink.clone(), open.clone(), activity.clone());
        let writer = tokio::spawn(writer).abort_handle();
        let mut tasks = vec![
            tokio::spawn(doorman).abort_handle(),
            tokio::spawn(reader).abort_handle(),
            tokio::spawn(watcher).abort_handle(),
        ];
        let leg = forwarding.open(device, id);
        tasks.extend(forward::start(forwarding, &leg, &connection, told, tcp));
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
            outboxes: outboxes.clone(),
            activity,
            doubted: false,
            heard: 0,
            open,
            writer,
            tasks,
            leg,
            forwarding: forwarding.clone(),
            tcp: tcp.clone(),
        }
    }

    /// Opens a stream beside the frames.
    pub(crate) fn open(&self, class: Class, opening: Vec<u8>, answer: oneshot::Sender<Stream>) {
        let (connection, activity) = (self.connection.clone(), self.activity.clone());
        tokio::spawn(stream::open(connection, activity, (class, opening), answer));
    }

    /// Closes the connection and delivers `Down`, the link's last event.
    pub(crate) fn close(self, code: VarInt, reason: DownReason, sink: &Arc<dyn EventSink>) {
        self.outboxes.remove(&(self.device, self.id));
        self.forwarding.close(&self.leg);
        self.connection.close(code, b"");
        for task in self.tasks.iter().chain([&self.writer]) {
            task.abort();
        }
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *open = false;
        sink.deliver(Event::Down { device: self.device, link: self.id, reason });
    }

    /// Delivers `Down`, and returns what remains to be done: the last frames go out, then the connection ends.
    pub(crate) fn part(
        self,
        frames: Vec<Vec<u8>>,
        sink: &Arc<dyn EventSink>,
    ) -> impl Future<Output = ()> + Send + 'static {
        self.outboxes.remove(&(self.device, self.id));
        self.forwarding.close(&self.leg);
        *self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = false;
        sink.deliver(Event::Down { device: self.device, link: self.id, reason: DownReason::NotAllowed });
        self.activity.parting.store(true, Ordering::Relaxed);
        for frame in frames {
            self.outbox.push_always(frame);
        }
        // Nothing else goes on: neither what is forwarded to him nor what is said about it, for he is to learn no more.
        for task in &self.tasks {
            task.abort();
        }
        let Self { connection, outbox, writer, .. } = self;
        // Without an outbox the writer finishes the stream, whereupon the other side closes.
        drop(outbox);
        async move {
            let _ = timeout(PARTING, connection.closed()).await;
            connection.close(code::GO_AWAY, b"");
            writer.abort();
        }
    }

    /// Asks the other side at once whether it is still there: the network of this machine changed.
    pub(crate) fn ask(&self) {
        self.activity.note(&self.activity.changed);
    }

    /// Takes note of whether the other side answers.
    pub(crate) fn doubt(&mut self, doubted: bool) {
        self.doubted = doubted;
        self.heard = heard(&self.connection);
        self.forwarding.doubt(&self.leg, doubted);
    }

    /// Whether the other side has not answered, up to this moment.
    pub(crate) fn is_doubted(&self) -> bool {
        self.doubted && heard(&self.connection) == self.heard
    }

    /// Where the other side is seen now.
    pub(crate) fn remote(&self) -> Remote {
        remote(&self.connection, &self.tcp)
    }

    /// How many bytes wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.outbox.queued()
    }

    /// Describes the link as it is now.
    pub(crate) fn status(&self) -> LinkStatus {
        let stats = self.connection.stats();
        let remote = self.remote();
        LinkStatus {
            device: self.device,
            link: self.id,
            up_for: self.since.elapsed(),
            initiated: self.initiated,
            remote,
            class: ChannelClass::of(&remote),
            round_trip: round_trip(&self.connection),
            sent: stats.udp_tx.bytes,
            received: stats.udp_rx.bytes,
            key_exchange: self.key_exchange,
            cipher: "TLS_AES_256_GCM_SHA384",
            queued: self.queued(),
            paths: self.connection.paths().iter().map(|path| status_of(&path, &self.tcp)).collect(),
        }
    }
}

fn status_of(path: &iroh::endpoint::Path<'_>, tcp: &Tcp) -> PathStatus {
    let (remote, stats) = (remote_of(path.remote_addr(), tcp), path.stats());
    PathStatus {
        remote,
        class: ChannelClass::of(&remote),
        used: path.is_selected(),
        round_trip: stats.rtt,
        sent: stats.sent_packets,
        lost: stats.lost_packets,
        mtu: stats.current_mtu,
    }
}

/// Delivers frames until there are no more, and says why.
async fn read(
    mut frames: Frames,
    device: DeviceId,
    link: LinkId,
    sink: &Arc<dyn EventSink>,
    open: &Mutex<bool>,
    activity: &Activity,
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
        activity.note(&activity.frames);
    }
}

/// Delivers the streams that the other end opens, each when it has said what for.
async fn admit(
    connection: Connection,
    (device, link): (DeviceId, LinkId),
    sink: Arc<dyn EventSink>,
    open: Arc<Mutex<bool>>,
    activity: Arc<Activity>,
) {
    let room = Arc::new(Room::default());
    while let Ok(halves) = connection.accept_bi().await {
        let (sink, open, activity) = (sink.clone(), open.clone(), activity.clone());
        let (connection, room) = (connection.clone(), room.clone());
        // How many there are at a time is bounded by the transport.
        tokio::spawn(async move {
            let Some((opening, stream)) = stream::hear(connection, halves, activity, &room).await else {
                return;
            };
            let open = open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if *open {
                sink.deliver(Event::Stream { device, link, opening, stream });
            }
        });
    }
}

/// Writes what is queued, small frames together.
async fn write(mut send: SendStream, mut outgoing: Outgoing, activity: Arc<Activity>) {
    let mut batch = Vec::new();
    while outgoing.take(&mut batch, BATCH).await > 0 {
        let wanted = |out| match out {
            Out::Frame(_) if activity.is_parting() => None,
            Out::Frame(frame) | Out::Always(frame) => Some(frame),
        };
        let mut rest = batch.drain(..).filter_map(wanted).peekable();
        while rest.peek().is_some() {
            let mut bytes = 0;
            let part = std::iter::from_fn(|| {
                let frame = rest.next_if(|_| bytes < WRITE)?;
                bytes += frame.len() + OVERHEAD;
                Some(frame)
            });
            let mut chunks = framing::pack(part);
            activity.note(&activity.said);
            if send.write_all_chunks(&mut chunks).await.is_err() {
                // The reader sees the same and tells the shell.
                return;
            }
            outgoing.written(bytes);
        }
    }
    // The link is gone at this end; that the stream was finished before is not worth a word.
    let _ = send.finish();
}

/// Looks after a link as long as it is up.
async fn watch(connection: &Connection, activity: &Activity, tell: impl Fn(Turn)) {
    let mut pulse = Pulse::new(heard(connection), Instant::now());
    let mut pause = None;
    loop {
        match pause {
            None => activity.wake.notified().await,
            // Not woken by what happens meanwhile, so that looking costs the same however much is sent.
            Some(pause) => sleep(pause).await,
        }
        let now = Instant::now();
        if activity.said.swap(false, Ordering::Relaxed) {
            pulse.handle_said(now);
        }
        if activity.frames.swap(false, Ordering::Relaxed) {
            pulse.handle_frames(now);
        }
        let beat = if activity.changed.swap(false, Ordering::Relaxed) {
            pulse.handle_change(now)
        } else {
            let stats = connection.stats();
            pulse.handle_sent(stats.udp_tx.bytes);
            pulse.poll_beat(signs(&stats), round_trip(connection), now)
        };
        pause = match beat {
            Beat::Rest => None,
            Beat::Wait(pause) => Some(pause),
            Beat::Ask(pause) => {
                ping(connection);
                Some(pause)
            }
            Beat::Doubt(pause) => {
                ping(connection);
                tell(Turn::Doubted);
                Some(pause)
            }
            Beat::Trust => {
                tell(Turn::Trusted);
                Some(Duration::ZERO)
            }
            Beat::Dead => return tell(Turn::Ended(DownReason::Lost)),
        };
    }
}

/// How many signs of life have come.
fn heard(connection: &Connection) -> u64 {
    signs(&connection.stats())
}

/// Counts what only the other end can have sent: frames, which are inside. A datagram with the connection's id is sent by whoever saw one.
fn signs(stats: &ConnectionStats) -> u64 {
    let frames = &stats.frame_rx;
    [
        frames.acks,
        frames.path_acks,
        frames.ping,
        frames.stream,
        frames.datagram,
        frames.path_challenge,
        frames.path_response,
    ]
    .iter()
    .sum()
}

/// Asks on all paths.
fn ping(connection: &Connection) {
    for path in &connection.paths() {
        path.ping();
    }
}

fn round_trip(connection: &Connection) -> Duration {
    let paths = connection.paths();
    let path = paths.iter().find(iroh::endpoint::Path::is_selected).or_else(|| paths.iter().next());
    path.map(|path| path.rtt()).unwrap_or_default()
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
pub(crate) fn remote(connection: &Connection, tcp: &Tcp) -> Remote {
    let paths = connection.paths();
    let path = paths.iter().find(iroh::endpoint::Path::is_selected).or_else(|| paths.iter().next());
    path.as_ref().map_or(NOWHERE, |path| remote_of(path.remote_addr(), tcp))
}

fn remote_of(address: &TransportAddr, tcp: &Tcp) -> Remote {
    match address {
        TransportAddr::Ip(address) => Remote::Address(*address),
        TransportAddr::Custom(address) => match (Through::read(address), End::read(address)) {
            (Some(through), _) => Remote::Member(through.member),
            (_, Some(end)) => tcp.remote(end).map_or(NOWHERE, Remote::Tcp),
            (None, None) => NOWHERE,
        },
        // No other transport is switched on.
        _ => NOWHERE,
    }
}

/// Where a connection leads that is closing and has no path left.
const NOWHERE: Remote = Remote::Address(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));

/// How many bytes of frames the engine may hold of one link before that link is read no further. An engine that
/// keeps less than this unacknowledged never stops the reading.
const CREDIT: usize = 8 << 20;
/// How long the other side has to take its last frames.
const PARTING: Duration = Duration::from_secs(3);
/// How many frames are taken from the queue at once.
const BATCH: usize = 256;
/// After how many bytes a write is long enough.
const WRITE: usize = 256 << 10;
