//! Members forward each other's packets: two devices that share a link to a third have a path through him.
//!
//! A device hands the packets of a tunnel that has no other way to a member who has a link to the other end, and
//! that member passes them on. They are sealed between the two ends: he sees which two devices they belong to, how
//! many there are and when, and no more. iroh takes this for one more transport ([`transport`]), so that its own
//! machinery looks for a direct path over it and moves there.
//!
//! # The invariant
//! One hop. A packet that came to be passed on goes to its end on a link whose packets travel directly, or nowhere;
//! a packet that was passed on is for this device and for nobody else. So nothing goes in circles, whoever lies.

mod budget;
mod leg;
mod message;
mod queue;
mod selector;
mod transport;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use wire::{DeviceId, limits};

pub use self::budget::Willing;
use self::{
    budget::{Budget, Decision, Pair},
    message::{Course, Passage},
    queue::Weigh,
};
pub(crate) use self::{
    leg::{Told, What, start},
    queue::FairQueue,
    selector::DirectFirst,
    transport::Through,
};
use crate::{ForwardedStatus, LinkId, custom};

/// What one tunnel knows of forwarding, for others and for itself.
pub(crate) struct Forwarding {
    own: DeviceId,
    state: Mutex<State>,
    /// Counts what may change who is reached through whom.
    changes: watch::Sender<u64>,
}

struct State {
    allowed: Arc<BTreeSet<DeviceId>>,
    legs: BTreeMap<DeviceId, Arc<Leg>>,
    /// Packets for this device, by the member who passed them on.
    arrived: FairQueue<DeviceId, Arrived>,
    receiver: Option<Waker>,
    budget: Budget,
    /// Paths that are not used until then, because of what the member made of them.
    avoided: BTreeMap<Through, Instant>,
}

/// A link, as far as packets of other tunnels travel on it.
pub(crate) struct Leg {
    pub(crate) device: DeviceId,
    pub(crate) link: LinkId,
    /// Whether its own packets travel directly.
    direct: AtomicBool,
    /// Whether the other side answers no more.
    doubted: AtomicBool,
    outlet: Mutex<FairQueue<(Course, DeviceId), Passage>>,
    filled: Notify,
}

/// Who is to be told of what was queued.
#[derive(Default)]
struct Wakes {
    legs: Vec<Arc<Leg>>,
    receiver: bool,
    /// Those who tell others for whom this device forwards.
    talk: bool,
}

struct Arrived {
    from: DeviceId,
    packet: Bytes,
}

impl Forwarding {
    pub(crate) fn new(own: DeviceId, willing: Willing) -> Self {
        let state = State {
            allowed: Arc::default(),
            legs: BTreeMap::new(),
            arrived: FairQueue::new(),
            receiver: None,
            budget: Budget::new(willing),
            avoided: BTreeMap::new(),
        };
        Self { own, state: Mutex::new(state), changes: watch::Sender::new(0) }
    }

    /// Replaces the devices for which and to which anything is forwarded.
    pub(crate) fn allow(&self, allowed: Arc<BTreeSet<DeviceId>>) {
        let mut state = self.state();
        state.budget.retain(|device| allowed.contains(device));
        state.arrived.retain(|member| allowed.contains(member));
        state
            .avoided
            .retain(|through, _| allowed.contains(&through.member) && allowed.contains(&through.peer));
        state.allowed = allowed;
        drop(state);
        self.changed();
    }

    pub(crate) fn will(&self, willing: Willing) {
        self.state().budget.willing = willing;
        self.changed();
    }

    /// Takes note of a link that came up, in place of any other to the same device.
    pub(crate) fn open(&self, device: DeviceId, link: LinkId) -> Arc<Leg> {
        let leg = Arc::new(Leg {
            device,
            link,
            direct: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            outlet: Mutex::new(FairQueue::new()),
            filled: Notify::new(),
        });
        self.state().legs.insert(device, leg.clone());
        leg
    }

    /// Takes note that a link went down.
    pub(crate) fn close(&self, leg: &Leg) {
        let mut state = self.state();
        if state.legs.get(&leg.device).is_some_and(|other| other.link == leg.link) {
            state.legs.remove(&leg.device);
            state.arrived.retain(|member| *member != leg.device);
        }
        drop(state);
        self.changed();
    }

    /// Takes note of whether a link's own packets travel directly.
    fn set_direct(&self, leg: &Leg, direct: bool) {
        if leg.direct.swap(direct, Ordering::Relaxed) != direct {
            self.changed();
        }
    }

    /// Takes note of whether the other side of a link answers.
    pub(crate) fn doubt(&self, leg: &Leg, doubted: bool) {
        if leg.doubted.swap(doubted, Ordering::Relaxed) != doubted {
            self.changed();
        }
    }

    /// Sends packets of this device's own tunnel to `through.peer`; what does not fit is lost.
    fn send(&self, through: Through, contents: &[u8], segment: Option<usize>) {
        let leg = {
            let state = self.state();
            let Some(leg) = state.direct(&through.member) else { return };
            if !state.allowed.contains(&through.peer) || state.avoids(through, Instant::now()) {
                return;
            }
            leg.clone()
        };
        for packet in custom::cut(contents, segment) {
            leg.push(Passage { course: Course::To, device: through.peer, packet });
        }
        leg.filled.notify_one();
    }

    /// Takes packets that came together on the link to `from`: passes them on, or keeps them for this device.
    fn handle(&self, from: DeviceId, passages: impl IntoIterator<Item = Passage>, now: Instant) {
        let (mut state, mut wakes) = (self.state(), Wakes::default());
        for passage in passages {
            self.handle_one(&mut state, from, passage, now, &mut wakes);
        }
        let receiver = if wakes.receiver { state.receiver.take() } else { None };
        drop(state);
        // Each is woken once, when all is there.
        wakes.legs.iter().for_each(|leg| leg.filled.notify_one());
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        if wakes.talk {
            self.changed();
        }
    }

    fn handle_one(
        &self,
        state: &mut State,
        from: DeviceId,
        passage: Passage,
        now: Instant,
        wakes: &mut Wakes,
    ) {
        let known = |device| state.allowed.contains(device) && *device != self.own;
        if !known(&from) || !known(&passage.device) || from == passage.device || !state.is_direct(&from) {
            return;
        }
        // Whoever it is for would take it for garbage, and this device for the one who made it.
        if passage.packet.is_empty() {
            return;
        }
        match passage.course {
            Course::To => {
                let Some(to) = state.legs.get(&passage.device).filter(|leg| leg.is_direct()) else { return };
                match state.budget.spend(from, passage.device, passage.packet.len(), now) {
                    Decision::Forward => {}
                    Decision::Drop => return,
                    // He is not to count on this device any more.
                    Decision::DropFirst => {
                        wakes.talk = true;
                        return;
                    }
                }
                if !to.push(Passage { course: Course::From, device: from, packet: passage.packet }) {
                    state.budget.dropped(Pair::of(from, passage.device));
                } else if !wakes.legs.iter().any(|leg| Arc::ptr_eq(leg, to)) {
                    wakes.legs.push(to.clone());
                }
            }
            Course::From => {
                if state.avoids(Through { member: from, peer: passage.device }, now) {
                    return;
                }
                let arrived = Arrived { from: passage.device, packet: passage.packet };
                wakes.receiver |= state.arrived.push(from, arrived);
            }
        }
    }

    /// Gives at most `most` packets that came for this device, none larger than `room`.
    fn poll_arrived(
        &self,
        cx: &Context<'_>,
        most: usize,
        room: usize,
        mut take: impl FnMut(Through, &[u8]),
    ) -> Poll<()> {
        let mut state = self.state();
        let mut taken = 0;
        while taken < most {
            let Some((member, arrived)) = state.arrived.pop() else { break };
            if arrived.packet.len() <= room {
                take(Through { member, peer: arrived.from }, &arrived.packet);
                taken += 1;
            }
        }
        if taken > 0 {
            return Poll::Ready(());
        }
        state.receiver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Returns the devices that this one would reach through `member`: those to which it has no direct link, or one
    /// that does not answer.
    fn wanted(&self, member: &DeviceId) -> BTreeSet<DeviceId> {
        let state = self.state();
        // Where all are too many, another member is asked about others.
        let turned = state.allowed.range(*member..).chain(state.allowed.range(..*member));
        let wanted = turned.filter(|device| *device != member && !state.is_sure(device));
        wanted.take(limits::FORWARDED).copied().collect()
    }

    /// Uses a path no more until `until`: nothing is sent on it, and what comes on it is dropped.
    pub(crate) fn avoid(&self, through: Through, until: Instant) {
        self.state().avoided.insert(through, until);
    }

    /// Returns those of the devices that `asker` wants to which this device forwards his packets.
    fn offer(&self, asker: &DeviceId, wanted: &BTreeSet<DeviceId>) -> BTreeSet<DeviceId> {
        let (mut state, now) = (self.state(), Instant::now());
        if !state.is_sure(asker) || !state.allowed.contains(asker) || !state.budget.has_room(*asker, now) {
            return BTreeSet::new();
        }
        let mut can = |device: &&DeviceId| {
            *device != asker
                && state.allowed.contains(*device)
                && state.is_sure(device)
                && state.budget.has_room(**device, now)
        };
        wanted.iter().filter(|device| can(device)).take(limits::FORWARDED).copied().collect()
    }

    /// Returns how long it is until the budget of a day is given anew.
    fn until_tomorrow(&self) -> Duration {
        self.state().budget.until_tomorrow(Instant::now())
    }

    /// Says for whom this device forwards, and how much.
    pub(crate) fn status(&self) -> (Willing, u64, Vec<ForwardedStatus>) {
        let mut state = self.state();
        let today = state.budget.today(Instant::now());
        let forwarded = state.budget.accounts().map(|(pair, account)| ForwardedStatus {
            pair: pair.devices(),
            since: account.since.elapsed(),
            last: account.last.elapsed(),
            packets: account.packets,
            bytes: account.bytes,
            dropped: account.dropped,
        });
        (state.budget.willing, today, forwarded.collect())
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn direct(&self, device: &DeviceId) -> Option<&Arc<Leg>> {
        self.legs.get(device).filter(|leg| leg.is_direct())
    }

    fn is_direct(&self, device: &DeviceId) -> bool {
        self.direct(device).is_some()
    }

    fn is_sure(&self, device: &DeviceId) -> bool {
        self.direct(device).is_some_and(|leg| !leg.doubted.load(Ordering::Relaxed))
    }

    fn avoids(&self, through: Through, now: Instant) -> bool {
        self.avoided.get(&through).is_some_and(|until| now < *until)
    }
}

impl Leg {
    fn is_direct(&self) -> bool {
        self.direct.load(Ordering::Relaxed)
    }

    /// Queues a packet; `false` means that it was dropped. Whoever transmits is to be told.
    fn push(&self, passage: Passage) -> bool {
        self.outlet().push((passage.course, passage.device), passage)
    }

    /// Takes packets while there is room for them, at least one if any waits.
    fn take(&self, passages: &mut Vec<Passage>, most: usize, mut room: usize) {
        let mut outlet = self.outlet();
        while passages.len() < most
            && let Some((_, passage)) = outlet.pop()
        {
            let needed = passage.room();
            passages.push(passage);
            // The largest that there may be decides, so that none has to be put back.
            room = room.saturating_sub(needed);
            if room < LARGEST {
                break;
            }
        }
    }

    fn outlet(&self) -> MutexGuard<'_, FairQueue<(Course, DeviceId), Passage>> {
        self.outlet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarding").finish_non_exhaustive()
    }
}

impl Weigh for Passage {
    fn weight(&self) -> usize {
        self.packet.len()
    }
}

impl Weigh for Arrived {
    fn weight(&self) -> usize {
        self.packet.len()
    }
}

/// What the largest packet takes where datagrams wait.
const LARGEST: usize = 2048;

#[cfg(test)]
mod tests;
