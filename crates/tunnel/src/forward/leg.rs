//! What runs beside a link's frames: packets of other tunnels, and what the two ends tell each other about them.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use iroh::{
    TransportAddr,
    endpoint::{Connection, PathStats, SendStream},
};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
    time::{sleep, sleep_until},
};
use wire::DeviceId;

use super::{
    Forwarding, Leg, Through,
    message::{NOTICE, Notice, Packed, Passage, Unpacker},
};
use crate::{
    framing,
    framing::Frames,
    tcp::{End, Tcp},
    transport::code,
};

/// What the device at the other end of a link told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) device: DeviceId,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// Where it sees this device come from.
    Seen(SocketAddr),
    /// Whether a member forwards its packets now. It did not tell this itself.
    Way { forwarded: bool },
    /// To which of the wanted devices it forwards.
    Have(BTreeSet<DeviceId>),
    /// Of what went to it through `member`, this much was lost. It did not tell this itself.
    Lost { member: DeviceId, sent: u64, lost: u64 },
}

/// Starts what runs beside a link's frames.
pub(crate) fn start(
    forwarding: &Arc<Forwarding>,
    leg: &Arc<Leg>,
    connection: &Connection,
    told: &mpsc::Sender<Told>,
    tcp: &Arc<Tcp>,
) -> [AbortHandle; 3] {
    let talk = talk(forwarding.clone(), leg.clone(), connection.clone(), told.clone(), tcp.clone());
    [
        tokio::spawn(receive(forwarding.clone(), leg.clone(), connection.clone())).abort_handle(),
        tokio::spawn(transmit(leg.clone(), connection.clone())).abort_handle(),
        tokio::spawn(talk).abort_handle(),
    ]
}

/// Takes packets that come on a link until it ends.
async fn receive(forwarding: Arc<Forwarding>, leg: Arc<Leg>, connection: Connection) {
    let mut unpacker = Unpacker::default();
    let mut datagrams = vec![Bytes::new(); BATCH];
    // The link's reader tells the shell when the connection is gone.
    while let Ok(count) = connection.read_many_datagrams(&mut datagrams).await {
        let taken = datagrams.iter_mut().take(count).map(|datagram| unpacker.take(std::mem::take(datagram)));
        let passages: Result<Vec<_>, _> = taken.filter_map(Result::transpose).collect();
        match passages {
            Ok(passages) => forwarding.handle(leg.device, passages, Instant::now()),
            Err(_) => return garbage(&connection),
        }
    }
}

/// Sends what waits for a link, as fast as the link takes it and as much at once as it has room for.
async fn transmit(leg: Arc<Leg>, connection: Connection) {
    let mut number = 0_u8;
    let (mut passages, mut datagrams) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    loop {
        let room = connection.datagram_send_buffer_space();
        leg.take(&mut passages, BATCH, room);
        let needed: usize = passages.iter().map(Passage::room).sum();
        if passages.is_empty() {
            leg.filled.notified().await;
            continue;
        }
        let Some(most) = connection.max_datagram_size() else { return };
        let mut buffer = BytesMut::with_capacity(needed);
        for passage in passages.drain(..) {
            number = number.wrapping_add(1);
            match passage.pack(most, number, &mut buffer) {
                Packed::One(datagram) => datagrams.push(datagram),
                Packed::Two(first, second) => datagrams.extend([first, second]),
                Packed::Never => {}
            }
        }
        let mut sent = Ok(());
        if needed <= room {
            sent = connection.send_many_datagrams(&datagrams).map(drop);
            datagrams.clear();
        }
        for datagram in datagrams.drain(..) {
            sent = sent.and(connection.send_datagram_wait(datagram).await);
        }
        // One that grew too large meanwhile is lost like any other packet.
        if sent.is_err() && connection.close_reason().is_some() {
            return;
        }
    }
}

/// Says and hears what is said about forwarding, on a stream each way.
async fn talk(
    forwarding: Arc<Forwarding>,
    leg: Arc<Leg>,
    connection: Connection,
    told: mpsc::Sender<Told>,
    tcp: Arc<Tcp>,
) {
    let wants = watch::Sender::new(BTreeSet::new());
    let seen = watch::Sender::new(None);
    let asked = Mutex::default();
    tokio::join!(
        look(&forwarding, &leg, &connection, &seen, &told, &tcp),
        say(&forwarding, &leg, &connection, wants.subscribe(), seen.subscribe(), &asked),
        hear(&leg, &connection, &wants, &told, &asked),
    );
}

/// Keeps an eye on which path a link uses, and on what is lost on it if it leads through a member.
async fn look(
    forwarding: &Forwarding,
    leg: &Leg,
    connection: &Connection,
    seen: &watch::Sender<Option<SocketAddr>>,
    told: &mpsc::Sender<Told>,
    tcp: &Tcp,
) {
    let mut changes = pin!(connection.paths_stream());
    let mut through: Option<(DeviceId, Losses)> = None;
    let mut forwarded = false;
    // A lane that a path over UDP has made needless.
    let mut needless: Option<(End, tokio::time::Instant)> = None;
    loop {
        tokio::select! {
            paths = changes.next() => {
                let Some(paths) = paths else { return };
                let selected = paths.iter().find(iroh::endpoint::Path::is_selected);
                // Between two selections nothing is known to have changed.
                let Some(selected) = selected else { continue };
                let address = match selected.remote_addr() {
                    TransportAddr::Ip(address) => Some(*address),
                    _ => None,
                };
                through = match selected.remote_addr() {
                    TransportAddr::Custom(address) => Through::read(address)
                        .map(|through| (through.member, Losses::new(&selected.stats()))),
                    _ => None,
                };
                let lane = |path: &iroh::endpoint::Path<'_>| match path.remote_addr() {
                    TransportAddr::Custom(address) => End::read(address),
                    _ => None,
                };
                let left = paths.iter().find_map(|path| lane(&path)).filter(|_| address.is_some());
                needless = left.map(|end| (end, tokio::time::Instant::now() + LEAVE));
                forwarding.set_direct(leg, address.is_some() || lane(&selected).is_some());
                seen.send_if_modified(|before| {
                    address.is_some() && std::mem::replace(before, address) != address
                });
                if std::mem::replace(&mut forwarded, through.is_some()) != forwarded {
                    let what = What::Way { forwarded };
                    if told.send(Told { device: leg.device, what }).await.is_err() {
                        return;
                    }
                }
            }
            () = sleep_until(needless.map_or_else(tokio::time::Instant::now, |(_, when)| when)), if needless.is_some() => {
                if let Some((end, _)) = needless.take() {
                    tcp.leave(end);
                }
            }
            () = sleep(SAMPLE), if through.is_some() => {
                let paths = connection.paths();
                let selected = paths.iter().find(iroh::endpoint::Path::is_selected);
                let (Some((member, losses)), Some(selected)) = (&mut through, selected) else { continue };
                if let Some((sent, lost)) = losses.count(&selected.stats()) {
                    let what = What::Lost { member: *member, sent, lost };
                    if told.send(Told { device: leg.device, what }).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// The devices about which the other end was ever asked: an answer to an older question may be the last that comes.
type Asked = Mutex<BTreeSet<DeviceId>>;

/// What was sent and lost on a path since it was last judged.
struct Losses {
    sent: u64,
    lost: u64,
}

impl Losses {
    fn new(stats: &PathStats) -> Self {
        Self { sent: stats.sent_packets, lost: stats.lost_packets }
    }

    /// Returns how much was sent and lost, once that is enough to judge by and too much was lost.
    fn count(&mut self, stats: &PathStats) -> Option<(u64, u64)> {
        let sent = stats.sent_packets.saturating_sub(self.sent);
        let lost = stats.lost_packets.saturating_sub(self.lost);
        if sent < JUDGED {
            return None;
        }
        *self = Self::new(stats);
        (lost * 100 >= sent * TOO_MUCH).then_some((sent, lost))
    }
}

/// Says what changed.
async fn say(
    forwarding: &Forwarding,
    leg: &Leg,
    connection: &Connection,
    mut wants: watch::Receiver<BTreeSet<DeviceId>>,
    mut seen: watch::Receiver<Option<SocketAddr>>,
    asked: &Asked,
) {
    let mut changes = forwarding.changes.subscribe();
    let mut stream: Option<SendStream> = None;
    let (mut said_seen, mut said_wanted, mut said_have) = (None, BTreeSet::new(), BTreeSet::new());
    loop {
        let mut notices = Vec::new();
        if let Some(address) = *seen.borrow_and_update()
            && said_seen != Some(address)
        {
            said_seen = Some(address);
            notices.push(Notice::Seen(address));
        }
        changes.mark_unchanged();
        let want = forwarding.wanted(&leg.device);
        // Wanting less need not be said: what is offered in vain costs nothing.
        if !want.is_subset(&said_wanted) {
            notices.push(Notice::Want(want.iter().copied().collect()));
            asked.lock().unwrap_or_else(PoisonError::into_inner).extend(&want);
            said_wanted = want;
        }
        let have = forwarding.offer(&leg.device, &wants.borrow_and_update());
        if have != said_have {
            notices.push(Notice::Have(have.iter().copied().collect()));
            said_have = have;
        }
        if !notices.is_empty() && write(connection, &mut stream, &notices).await.is_none() {
            return;
        }
        let changed = tokio::select! {
            changed = changes.changed() => changed,
            changed = wants.changed() => changed,
            changed = seen.changed() => changed,
            // Those who were refused for the rest of the day may count on this device again.
            () = sleep(forwarding.until_tomorrow()) => Ok(()),
        };
        if changed.is_err() {
            return;
        }
        // What changes together is said together.
        sleep(GATHER).await;
    }
}

async fn write(connection: &Connection, stream: &mut Option<SendStream>, notices: &[Notice]) -> Option<()> {
    if stream.is_none() {
        *stream = Some(connection.open_uni().await.ok()?);
    }
    let mut chunks = framing::pack(notices.iter().map(Notice::encode));
    stream.as_mut()?.write_all_chunks(&mut chunks).await.ok()
}

/// Hears what the other end says, no faster than it has reason to say anything.
async fn hear(
    leg: &Leg,
    connection: &Connection,
    wants: &watch::Sender<BTreeSet<DeviceId>>,
    told: &mpsc::Sender<Told>,
    asked: &Asked,
) {
    let Ok(stream) = connection.accept_uni().await else { return };
    let mut frames = Frames::new(stream);
    for count in 0_u32.. {
        let notice = match next(&mut frames).await {
            Ok(Some(notice)) => notice,
            // He has nothing more to say.
            Ok(None) => return,
            Err(NotANotice) => break,
        };
        let device = leg.device;
        let what = match notice {
            Notice::Want(devices) => {
                let devices: BTreeSet<_> = devices.into_iter().collect();
                wants.send_if_modified(|before| {
                    let new = *before != devices;
                    *before = devices;
                    new
                });
                None
            }
            Notice::Have(devices) => {
                let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
                Some(What::Have(devices.into_iter().filter(|device| asked.contains(device)).collect()))
            }
            Notice::Seen(address) => Some(What::Seen(address)),
        };
        if let Some(what) = what
            && told.send(Told { device, what }).await.is_err()
        {
            return;
        }
        if count > AT_ONCE {
            sleep(GATHER).await;
        }
    }
    garbage(connection);
}

/// Closes a connection on which nonsense came, unless its end is why nothing came.
fn garbage(connection: &Connection) {
    if connection.close_reason().is_none() {
        connection.close(code::GARBAGE, b"");
    }
}

/// Reads the next notice; `None` if no more comes.
async fn next(frames: &mut Frames) -> Result<Option<Notice>, NotANotice> {
    let Some(length) = frames.length(NOTICE).await.map_err(|_| NotANotice)? else { return Ok(None) };
    let bytes = frames.body(length).await.map_err(|_| NotANotice)?;
    Notice::decode(&bytes).map(Some).map_err(|_| NotANotice)
}

/// What came is no notice.
#[derive(Debug)]
struct NotANotice;

/// How often it is looked at what was lost through a member.
const SAMPLE: Duration = Duration::from_secs(1);
/// How long a lane is kept beside a path over UDP, in case that does not last.
const LEAVE: Duration = Duration::from_secs(3);
/// How many packets it takes to judge.
const JUDGED: u64 = 40;
/// How many of a hundred are too many to lose.
const TOO_MUCH: u64 = 20;
/// How many datagrams are taken at once.
const BATCH: usize = 32;
/// For how long changes are gathered before they are told.
const GATHER: Duration = Duration::from_millis(20);
/// How many notices are heard without a pause.
const AT_ONCE: u32 = 16;
