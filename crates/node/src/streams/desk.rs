//! What runs for streams: flows, listeners, and what was refused lately.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use streams::{Bucket, Reason};
use tokio::{
    sync::{Semaphore, broadcast, mpsc, oneshot, watch},
    task::JoinHandle,
    time::sleep,
};
use tunnel::{LinkId, Tunnel};
use wire::{CircleId, DeviceId, Flow, MemberId, Word};

use super::{
    Stand,
    ends::{End, Hears, Tells},
    publish,
};
use crate::api;

/// Everything that runs; clones are the same one.
#[derive(Clone)]
pub(crate) struct Desk {
    table: Arc<Mutex<Table>>,
    events: broadcast::Sender<api::Event>,
}

struct Table {
    started: Instant,
    /// Held by whoever holds a key while the vault is open; when the last one is gone the other end says so.
    open: Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>,
    circles: BTreeMap<CircleId, Standing>,
    flows: BTreeMap<u64, Running>,
    listeners: BTreeMap<u64, Listener>,
    /// How the flow of a listener ended that was for one: kept for whoever opened it, by its number.
    ends: BTreeMap<u64, (CircleId, Hears)>,
    log: VecDeque<(CircleId, api::RefusedFlow)>,
    next: u64,
}

/// What holds the flows of an offer to its rate, in and out.
type Rates = [Arc<Mutex<Bucket>>; 2];

/// How it stands in a circle, and the way out.
#[derive(Default)]
struct Standing {
    stand: Stand,
    tunnel: Option<Tunnel>,
    /// How many flows of an offer are open here.
    open: BTreeMap<Word, u32>,
    /// What holds an offer's flows to its rate, in and out.
    rates: BTreeMap<Word, (u64, Rates)>,
    /// For each device: how many of its flows may stand still.
    still: BTreeMap<DeviceId, Arc<Semaphore>>,
    /// How the last flow of an offer ended.
    ends: BTreeMap<Word, Tells>,
}

/// A flow that is open.
struct Running {
    circle: CircleId,
    device: DeviceId,
    offer: Word,
    label: Option<Word>,
    /// Whether it is an offer of this device.
    ours: bool,
    since_ms: u64,
    count: Arc<Count>,
    cut: Option<oneshot::Sender<Reason>>,
}

/// How much has gone through a flow.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
}

/// An address at which this machine's programs find an offer of another device.
struct Listener {
    circle: CircleId,
    shown: api::StreamListener,
    task: JoinHandle<()>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

/// What whoever works on a flow holds: while it is held, locking waits.
#[derive(Clone)]
pub(crate) struct Post {
    pub(super) desk: Desk,
    _in_use: mpsc::Sender<()>,
}

/// A place among the open flows; dropped, it is free.
pub(super) struct Place {
    desk: Desk,
    id: u64,
    pub(super) count: Arc<Count>,
    /// What holds it to its offer's rate.
    pub(super) rates: Option<Rates>,
    pub(super) still: Arc<Semaphore>,
    started: Instant,
}

/// A place, and what tells when its flow is to end at once.
pub(super) type Taken = (Place, oneshot::Receiver<Reason>);

impl Place {
    /// Waits as long as the offer's rate demands before so many bytes go, in (0) or out (1).
    pub(super) async fn keep_rate(&self, way: usize, bytes: usize) {
        let Some(bucket) = self.rates.as_ref().and_then(|rates| rates.get(way)) else { return };
        let now = self.started.elapsed();
        let wait = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now, bytes);
        if wait > Duration::ZERO {
            sleep(wait).await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.desk.table();
        let Some(flow) = table.flows.remove(&self.id) else { return };
        if flow.ours
            && let Some(open) =
                table.circles.get_mut(&flow.circle).and_then(|circle| circle.open.get_mut(&flow.offer))
        {
            *open = open.saturating_sub(1);
        }
    }
}

impl Desk {
    pub(crate) fn new(events: broadcast::Sender<api::Event>) -> Self {
        let table = Table {
            started: Instant::now(),
            open: None,
            circles: BTreeMap::new(),
            flows: BTreeMap::new(),
            listeners: BTreeMap::new(),
            ends: BTreeMap::new(),
            log: VecDeque::new(),
            next: 1,
        };
        Self { table: Arc::new(Mutex::new(table)), events }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self) {
        self.table().open = Some(mpsc::channel(1));
    }

    pub(super) fn close(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut table = self.table();
        let open = table.open.take();
        table.circles.clear();
        table.ends.clear();
        table.log.clear();
        let flows = std::mem::take(&mut table.flows);
        let listeners = std::mem::take(&mut table.listeners);
        drop(table);
        listeners.values().for_each(|listener| listener.task.abort());
        for (_, mut flow) in flows {
            flow.cut(Reason::Closed);
        }
        async move {
            if let Some((in_use, mut ended)) = open {
                drop(in_use);
                // Nothing is ever sent: it ends when the last holder lets go.
                let _ = ended.recv().await;
            }
        }
    }

    /// Takes a post, if the vault is open.
    pub(crate) fn post(&self) -> Option<Post> {
        let in_use = self.table().open.as_ref()?.0.clone();
        Some(Post { desk: self.clone(), _in_use: in_use })
    }

    /// Takes note of how it stands, and ends what is against it.
    pub(super) fn stand(&self, circle: CircleId, stand: Stand, tunnel: Option<Tunnel>) {
        let mut table = self.table();
        if table.open.is_none() {
            return;
        }
        for flow in table.flows.values_mut().filter(|flow| flow.circle == circle) {
            let offered = || stand.offers.get(&flow.offer).is_some_and(|to| to.contains(&flow.device));
            if !stand.links.contains_key(&flow.device) {
                flow.cut(Reason::Lost);
            } else if let Err(reason) = stand.rules.check(flow.label.as_ref()) {
                flow.cut(reason);
            } else if flow.ours && !offered() {
                flow.cut(Reason::Revoked);
            }
        }
        let standing = table.circles.entry(circle).or_default();
        standing.open.retain(|offer, open| *open > 0 || stand.offers.contains_key(offer));
        standing.rates.retain(|offer, _| stand.offers.contains_key(offer));
        standing.ends.retain(|offer, _| stand.offers.contains_key(offer));
        standing.still.retain(|device, _| stand.links.contains_key(device));
        standing.stand = stand;
        standing.tunnel = tunnel;
        drop(table);
        publish(&self.events, circle);
    }

    pub(super) fn set_tunnel(&self, circle: &CircleId, tunnel: &Tunnel) {
        if let Some(standing) = self.table().circles.get_mut(circle) {
            standing.tunnel = Some(tunnel.clone());
        }
    }

    /// Lists the flows of a circle that are open, the oldest first, and says how many there are.
    pub(crate) fn flows(&self, circle: CircleId, most: usize) -> (Vec<api::OpenFlow>, u32) {
        let table = self.table();
        let open = || table.flows.iter().filter(|(_, flow)| flow.circle == circle);
        let shown = open().take(most).map(|(id, flow)| api::OpenFlow {
            id: *id,
            offer: flow.offer.to_string(),
            mine: flow.ours,
            device: flow.device,
            since_ms: flow.since_ms,
            sent: flow.count.sent.load(Ordering::Relaxed),
            received: flow.count.received.load(Ordering::Relaxed),
        });
        (shown.collect(), u32::try_from(open().count()).unwrap_or(u32::MAX))
    }

    /// Lists what listens, and what was refused lately, the newest last.
    pub(crate) fn listeners(&self, circle: CircleId) -> (Vec<api::StreamListener>, Vec<api::RefusedFlow>) {
        let table = self.table();
        let listeners = table.listeners.values().filter(|listener| listener.circle == circle);
        let log = table.log.iter().filter(|(of, _)| *of == circle).map(|(_, refused)| refused.clone());
        (listeners.map(|listener| listener.shown.clone()).collect(), log.collect())
    }

    /// Adds a listener, unless the vault was closed meanwhile. If it is for `once`, it is told how its flow ended.
    pub(super) fn add_listener(
        &self,
        mut shown: api::StreamListener,
        once: bool,
        start: impl FnOnce(u64, Option<Tells>) -> JoinHandle<()>,
    ) -> Option<api::StreamListener> {
        let mut table = self.table();
        table.open.as_ref()?;
        let id = table.take_number();
        shown.id = id;
        let circle = shown.circle;
        let tells = once.then(|| {
            let (tells, hears) = watch::channel(None);
            table.keep_end(id, circle, Hears(hears));
            tells
        });
        let task = start(id, tells);
        table.listeners.insert(id, Listener { circle, shown: shown.clone(), task });
        drop(table);
        publish(&self.events, circle);
        Some(shown)
    }

    /// Ends a listener; the flows that came by it go on. Returns its task, which ends when its place is free again; nothing if there
    /// is none.
    pub(crate) fn end_listener(&self, circle: CircleId, id: u64) -> Option<JoinHandle<()>> {
        let mut table = self.table();
        if table.listeners.get(&id).is_none_or(|listener| listener.circle != circle) {
            return None;
        }
        let ended = table.listeners.remove(&id)?;
        drop(table);
        ended.task.abort();
        publish(&self.events, circle);
        Some(ended.task)
    }

    /// Returns by what it is heard how the flow of a listener ends that is, or was, for one.
    pub(crate) fn end_of_listener(&self, circle: CircleId, id: u64) -> Option<Hears> {
        let table = self.table();
        table.ends.get(&id).filter(|(of, _)| *of == circle).map(|(_, end)| end.clone())
    }

    /// Returns by what it is heard how the last flow of an offer ended, or how the first will.
    pub(crate) fn end_of_offer(&self, circle: CircleId, offer: &Word) -> Option<Hears> {
        let mut table = self.table();
        let standing = table.circles.get_mut(&circle)?;
        if !standing.stand.offers.contains_key(offer) {
            return None;
        }
        Some(Hears(standing.ends.entry(offer.clone()).or_default().subscribe()))
    }

    /// Tells how many listeners there are.
    pub(super) fn listener_count(&self) -> usize {
        self.table().listeners.len()
    }
}

impl Post {
    /// Takes a place among the open flows, and what tells when it is to end at once. Of an offer of this device there are at most `most`.
    pub(super) fn take_place(
        &self,
        (circle, device): (CircleId, DeviceId),
        flow: &Flow,
        ours: Option<(u32, u64)>,
    ) -> Result<Taken, Reason> {
        let mut table = self.desk.table();
        let started = table.started;
        let id = table.take_number();
        if table.open.is_none() {
            return Err(Reason::Closed);
        }
        let standing = table.circles.get_mut(&circle).ok_or(Reason::Closed)?;
        let offer = &flow.offer;
        // It may have changed since the engine decided.
        standing.stand.rules.check(flow.label.as_ref())?;
        if !standing.stand.links.contains_key(&device) {
            return Err(Reason::Lost);
        }
        let mut rates = None;
        if let Some((most, rate)) = ours {
            if standing.stand.offers.get(offer).is_none_or(|to| !to.contains(&device)) {
                return Err(Reason::Unknown);
            }
            let open = standing.open.entry(offer.clone()).or_default();
            if *open >= most {
                return Err(Reason::Busy);
            }
            *open += 1;
            if rate > 0 {
                let fresh = || [Bucket::new(rate), Bucket::new(rate)].map(|one| Arc::new(Mutex::new(one)));
                let kept = standing.rates.entry(offer.clone()).or_insert_with(|| (rate, fresh()));
                if kept.0 != rate {
                    *kept = (rate, fresh());
                }
                rates = Some(kept.1.clone());
            }
        }
        let still = standing.still.entry(device).or_insert_with(|| Arc::new(Semaphore::new(STILL))).clone();
        let (count, (cut, cutting)) = (Arc::<Count>::default(), oneshot::channel());
        let running = Running {
            circle,
            device,
            offer: offer.clone(),
            label: flow.label.clone(),
            ours: ours.is_some(),
            since_ms: now_ms(),
            count: count.clone(),
            cut: Some(cut),
        };
        table.flows.insert(id, running);
        Ok((Place { desk: self.desk.clone(), id, count, rates, still, started }, cutting))
    }

    /// Returns the tunnel, and a member's devices that have a link.
    pub(super) fn ways(
        &self,
        circle: CircleId,
        member: &MemberId,
        device: Option<&DeviceId>,
    ) -> Result<(Tunnel, Vec<(DeviceId, LinkId)>), Reason> {
        let table = self.desk.table();
        let standing = table.circles.get(&circle).ok_or(Reason::Lost)?;
        let tunnel = standing.tunnel.clone().ok_or(Reason::Lost)?;
        let meant = |(at, (_, of)): &(&DeviceId, &(LinkId, MemberId))| {
            of == member && device.is_none_or(|device| device == *at)
        };
        let ways: Vec<_> =
            standing.stand.links.iter().filter(meant).map(|(device, (link, _))| (*device, *link)).collect();
        if ways.is_empty() { Err(Reason::Lost) } else { Ok((tunnel, ways)) }
    }

    /// Says how a flow of an offer of this device ended.
    pub(super) fn note_end(&self, circle: CircleId, offer: &Word, end: End) {
        let mut table = self.desk.table();
        if let Some(standing) = table.circles.get_mut(&circle)
            && standing.stand.offers.contains_key(offer)
        {
            standing.ends.entry(offer.clone()).or_default().send_replace(Some(end));
        }
    }

    /// Writes down that a flow was refused: by this device, or by the other (`theirs`).
    pub(super) fn note_refusal(
        &self,
        (circle, device): (CircleId, DeviceId),
        flow: &Flow,
        reason: Reason,
        theirs: bool,
    ) {
        tracing::info!(reason = reason.word(), theirs, "a flow was refused");
        let refused = api::RefusedFlow {
            at_ms: now_ms(),
            device,
            offer: flow.offer.to_string(),
            label: flow.label.as_ref().map(ToString::to_string),
            reason: reason.word().to_owned(),
            words: reason.to_string(),
            theirs,
        };
        let mut table = self.desk.table();
        if table.log.len() >= LOG {
            table.log.pop_front();
        }
        table.log.push_back((circle, refused));
        drop(table);
        publish(&self.desk.events, circle);
    }

    /// Says of a listener how it last went.
    pub(super) fn note_listener(&self, id: u64, trouble: Option<Reason>) {
        let mut table = self.desk.table();
        let Some(listener) = table.listeners.get_mut(&id) else { return };
        let trouble = trouble.map(|reason| reason.to_string());
        if listener.shown.trouble != trouble {
            listener.shown.trouble = trouble;
            let circle = listener.circle;
            drop(table);
            publish(&self.desk.events, circle);
        }
    }
}

impl Table {
    fn take_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    fn keep_end(&mut self, id: u64, circle: CircleId, end: Hears) {
        if self.ends.len() >= ENDS
            && let Some(oldest) = self.ends.iter().find(|(_, (_, end))| end.is_over()).map(|(id, _)| *id)
        {
            self.ends.remove(&oldest);
        }
        self.ends.insert(id, (circle, end));
    }
}

impl Running {
    fn cut(&mut self, reason: Reason) {
        if let Some(cut) = self.cut.take() {
            // It may have ended by itself just now.
            let _ = cut.send(reason);
        }
    }
}

pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// How many refusals are kept to be shown.
const LOG: usize = 256;
/// How many ends are kept for whoever asks.
const ENDS: usize = 256;
/// How many flows of one device may stand still with unread data at this end: fewer than fill the link's window.
const STILL: usize = 32;
