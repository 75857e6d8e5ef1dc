//! Virtual tunnels: what the crate `tunnel` does for an engine, with links instead of sockets.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tunnel::{Command, DownReason, Event, Knock, LinkId, Received, RefuseReason, Remote, Snapshot};
use wire::{CircleId, DeviceId, Frame};

use crate::{Person, Seeded};

/// How a pair of people is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// How long a frame takes.
    pub latency: Duration,
    /// In how many of a hundred frames a packet is lost, and the frame comes a round trip and a bit later.
    pub loss: u64,
    /// Whether anything passes at all.
    pub up: bool,
}

impl Default for Weather {
    fn default() -> Self {
        Self { latency: Duration::from_millis(20), loss: 0, up: true }
    }
}

/// How many frames of each kind somebody sent, and their bytes.
pub type Sent = BTreeMap<&'static str, (u64, u64)>;

/// Says what a person's device keeps to itself.
pub(crate) type Secrecy = fn(&Frame) -> bool;

/// Where a newcomer knocks.
type Hints = Vec<(DeviceId, Vec<SocketAddr>)>;

/// One end of a circle's tunnel.
#[derive(Debug, Default)]
struct End {
    address: Option<SocketAddr>,
    allow: BTreeSet<DeviceId>,
    known: BTreeMap<DeviceId, Vec<SocketAddr>>,
    links: BTreeMap<DeviceId, LinkId>,
    knock: Option<(Hints, Knock)>,
    /// Devices that know nothing of the invitation: the others may.
    turned_away: BTreeSet<DeviceId>,
    secrets: Vec<[u8; 32]>,
}

/// Who holds an end: a person's device in a circle.
type EndKey = (Person, CircleId);

/// A newcomer who waits at a door.
#[derive(Debug)]
struct Waiting {
    newcomer: EndKey,
    newcomer_device: DeviceId,
    host: EndKey,
    host_device: DeviceId,
}

/// All virtual tunnels, and the events that are on their way to engines.
#[derive(Debug)]
pub(crate) struct Network {
    rng: Seeded,
    next: u64,
    ends: BTreeMap<EndKey, End>,
    devices: BTreeMap<DeviceId, EndKey>,
    addresses: BTreeMap<SocketAddr, DeviceId>,
    weather: BTreeMap<(Person, Person), Weather>,
    waiting: BTreeMap<LinkId, Waiting>,
    /// By time and then by order of sending.
    due: BTreeMap<(Duration, u64), (EndKey, Event)>,
    /// The last arrival on each direction of a link: a link keeps order.
    last: BTreeMap<(LinkId, DeviceId), Duration>,
    /// How many frames of each kind each person's device sent, and their bytes.
    pub(crate) sent: BTreeMap<Person, Sent>,
    /// What people's devices keep to themselves, and what that was so far.
    pub(crate) withheld: BTreeMap<Person, (Secrecy, Vec<Frame>)>,
}

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: Seeded::new(seed ^ 0x6e65_7477_6f72_6b00),
            next: 1,
            ends: BTreeMap::new(),
            devices: BTreeMap::new(),
            addresses: BTreeMap::new(),
            weather: BTreeMap::new(),
            waiting: BTreeMap::new(),
            due: BTreeMap::new(),
            last: BTreeMap::new(),
            sent: BTreeMap::new(),
            withheld: BTreeMap::new(),
        }
    }

    /// Sets how two people are connected from now on.
    pub(crate) fn set_weather(&mut self, a: Person, b: Person, weather: Weather, now: Duration) {
        self.weather.insert((a.min(b), a.max(b)), weather);
        if weather.up {
            self.connect_all(now);
        } else {
            self.break_links(now, |x, y| (x == a && y == b) || (x == b && y == a));
        }
    }

    /// Sets how pairs are to be connected that have no link yet.
    pub(crate) fn keep_apart(&mut self, pairs: impl Iterator<Item = (Person, Person)>) {
        let down = Weather { up: false, ..Weather::default() };
        self.weather.extend(pairs.map(|(a, b)| ((a.min(b), a.max(b)), down)));
    }

    /// Connects all pairs as if nothing had ever happened to their lines.
    pub(crate) fn calm(&mut self, now: Duration) {
        self.weather.clear();
        self.connect_all(now);
    }

    pub(crate) fn weather(&self, a: Person, b: Person) -> Weather {
        self.weather.get(&(a.min(b), a.max(b))).copied().unwrap_or_default()
    }

    /// Takes a device off the network without a word, as when its process is killed.
    pub(crate) fn vanish(&mut self, person: Person, now: Duration) {
        self.break_links(now, |x, y| x == person || y == person);
        let gone: Vec<_> = self.ends.keys().filter(|(who, _)| *who == person).copied().collect();
        for key in gone {
            self.ends.remove(&key);
        }
        self.due.retain(|_, ((who, _), _)| *who != person);
    }

    pub(crate) fn start(&mut self, person: Person, config: &tunnel::Config, now: Duration) {
        let key = (person, config.circle);
        let device = DeviceId::new(config.key.public());
        // One address a device for its whole life, as with a port that is kept.
        let address = self.addresses.iter().find(|(_, of)| **of == device).map(|(address, _)| *address);
        let address = address.unwrap_or_else(|| {
            let port = u16::try_from(4000 + self.addresses.len()).unwrap_or(u16::MAX);
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
        });
        self.addresses.insert(address, device);
        // Who joins anew does so with a fresh key.
        self.devices.retain(|_, of| *of != key);
        self.devices.insert(device, key);
        self.ends.insert(key, End { address: Some(address), ..End::default() });
        self.post(key, Event::Bound { addresses: vec![address] }, now);
    }

    pub(crate) fn command(&mut self, key: EndKey, me: DeviceId, command: Command, now: Duration) {
        let Some(end) = self.ends.get_mut(&key) else { return };
        match command {
            Command::Allow(allow) => {
                let barred: Vec<_> =
                    end.links.keys().filter(|device| !allow.contains(device)).copied().collect();
                end.allow = allow;
                for device in barred {
                    self.unlink(me, device, DownReason::NotAllowed, DownReason::Refused, now);
                }
                self.connect_with(key, me, now);
            }
            Command::Know { device, addresses } => {
                end.known.entry(device).or_default().extend(addresses);
                self.connect_with(key, me, now);
            }
            Command::Send { device, link, frame } => {
                let up = end.links.get(&device) == Some(&link);
                if let Some((is, kept)) = self.withheld.get_mut(&key.0)
                    && let Ok(frame) = Frame::decode(&frame)
                    && is(&frame)
                {
                    kept.push(frame);
                } else if up {
                    self.deliver(key.0, me, (device, link), frame, now);
                }
            }
            Command::Close { device, .. } => {
                self.unlink(me, device, DownReason::ByEngine, DownReason::Closed, now);
                // The real tunnel dials again after a pause.
                self.connect_all(now + RETRY);
            }
            Command::Part { device, link, frames } => {
                if end.links.get(&device) != Some(&link) {
                    return;
                }
                self.unlink_one(me, device, DownReason::NotAllowed, now);
                let Some(to) = self.devices.get(&device).copied() else { return };
                for frame in frames {
                    self.deliver(key.0, me, (device, link), frame, now);
                }
                let at = self.arrival(key.0, to.0, link, device, now);
                if self.ends.get_mut(&to).is_some_and(|end| end.links.remove(&me).is_some()) {
                    self.post(to, Event::Down { device: me, link, reason: DownReason::Closed }, at);
                }
            }
            Command::Knock { hints, knock } => {
                end.knock = (!hints.is_empty()).then_some((hints, knock));
                end.turned_away.clear();
                self.connect_all(now);
            }
            Command::Welcome { link } => self.welcome(link, now),
            Command::Refuse { link, reason } => self.refuse(link, reason, now),
            Command::Snapshot(answer) => drop(answer.send(Snapshot::default())),
            Command::Shutdown => {
                let linked: Vec<_> = end.links.keys().copied().collect();
                for device in linked {
                    self.unlink(me, device, DownReason::Shutdown, DownReason::Closed, now);
                }
                self.ends.remove(&key);
            }
            Command::LanSecrets { secrets, .. } => end.secrets = secrets,
            // Virtual links have no streams: whoever wanted one gets no answer.
            Command::Open { .. } | Command::Invitations(_) | Command::Will(_) | Command::NetworkChanged => {}
        }
    }

    pub(crate) fn lan_secrets(&self, key: EndKey) -> Vec<[u8; 32]> {
        self.ends.get(&key).map(|end| end.secrets.clone()).unwrap_or_default()
    }

    /// Sends a frame as if the device at one end of a link had said it.
    pub(crate) fn say(&mut self, from: EndKey, me: DeviceId, to: DeviceId, frame: Vec<u8>, now: Duration) {
        let link = self.ends.get(&from).and_then(|end| end.links.get(&to)).copied();
        let link = link.expect("a link between the two");
        self.deliver(from.0, me, (to, link), frame, now);
    }

    /// Puts a frame on its way to the other end of a link.
    fn deliver(
        &mut self,
        from: Person,
        me: DeviceId,
        (device, link): (DeviceId, LinkId),
        frame: Vec<u8>,
        now: Duration,
    ) {
        if let Some(to) = self.devices.get(&device).copied() {
            let (frames, bytes) = self.sent.entry(from).or_default().entry(kind(&frame)).or_default();
            (*frames, *bytes) = (*frames + 1, *bytes + frame.len() as u64);
            let at = self.arrival(from, to.0, link, device, now);
            let bytes = Received::detached(frame);
            self.post(to, Event::Frame { device: me, link, bytes }, at);
        }
    }

    /// Returns when the next event is due.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next event that is due by `now`.
    pub(crate) fn take(&mut self, now: Duration) -> Option<(EndKey, Event)> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    fn post(&mut self, to: EndKey, event: Event, at: Duration) {
        self.next += 1;
        self.due.insert((at, self.next), (to, event));
    }

    /// Says when a frame sent now arrives: later than all sent before it on the same link.
    fn arrival(
        &mut self,
        from: Person,
        to: Person,
        link: LinkId,
        device: DeviceId,
        now: Duration,
    ) -> Duration {
        let weather = self.weather(from, to);
        let jitter = Duration::from_micros(self.rng.below(1000));
        let mut at = now + weather.latency + jitter;
        if self.rng.below(100) < weather.loss {
            at += 3 * weather.latency + Duration::from_millis(25);
        }
        let last = self.last.entry((link, device)).or_default();
        *last = at.max(*last);
        *last
    }

    /// Dials whoever can be dialled: allowed at both ends, an address known at one, the weather fair.
    fn connect_all(&mut self, now: Duration) {
        let devices: Vec<_> = self.devices.iter().map(|(device, key)| (*device, *key)).collect();
        for (a, a_key) in &devices {
            for (b, b_key) in &devices {
                if a < b && a_key.1 == b_key.1 && self.weather(a_key.0, b_key.0).up {
                    self.connect((*a, *a_key), (*b, *b_key), now);
                }
            }
        }
    }

    /// Connects one device with all it can be; in a small circle everybody is looked at anew.
    fn connect_with(&mut self, key: EndKey, me: DeviceId, now: Duration) {
        if self.devices.len() <= SMALL {
            return self.connect_all(now);
        }
        let others: Vec<_> = self.devices.iter().map(|(device, key)| (*device, *key)).collect();
        for (device, of) in others {
            if device != me && of.1 == key.1 && self.weather(key.0, of.0).up {
                self.connect((me, key), (device, of), now);
            }
        }
    }

    fn connect(&mut self, (a, a_key): (DeviceId, EndKey), (b, b_key): (DeviceId, EndKey), now: Duration) {
        let (Some(one), Some(other)) = (self.ends.get(&a_key), self.ends.get(&b_key)) else { return };
        if one.links.contains_key(&b) {
            return;
        }
        let reaches = |end: &End, device: DeviceId, of: &End| {
            let known = end.known.get(&device);
            known.is_some_and(|known| known.iter().any(|address| Some(*address) == of.address))
        };
        if one.allow.contains(&b) && other.allow.contains(&a) {
            if reaches(one, b, other) || reaches(other, a, one) {
                self.link(a_key, a, b_key, b, now);
            }
        } else if one.knock.is_some() {
            self.try_knock(a_key, a, b_key, b, now);
        } else if other.knock.is_some() {
            self.try_knock(b_key, b, a_key, a, now);
        }
    }

    fn try_knock(&mut self, from: EndKey, me: DeviceId, to: EndKey, host: DeviceId, now: Duration) {
        let Some((hints, knock)) = self.ends.get(&from).and_then(|end| end.knock.clone()) else { return };
        let address = self.ends.get(&to).and_then(|end| end.address);
        let hinted = hints
            .iter()
            .any(|(device, known)| *device == host && known.iter().any(|known| Some(*known) == address));
        let turned_away = self.ends.get(&from).is_some_and(|end| end.turned_away.contains(&host));
        if !hinted || turned_away || self.waiting.values().any(|waiting| waiting.newcomer == from) {
            return;
        }
        self.next += 1;
        let link = LinkId::new(self.next);
        self.waiting
            .insert(link, Waiting { newcomer: from, newcomer_device: me, host: to, host_device: host });
        let at = now + 2 * self.weather(from.0, to.0).latency;
        let invitation = knock.invitation.public();
        self.post(to, Event::Knocked { link, device: me, invitation, request: knock.request }, at);
    }

    fn welcome(&mut self, link: LinkId, now: Duration) {
        let Some(waiting) = self.waiting.remove(&link) else { return };
        if let Some(end) = self.ends.get_mut(&waiting.newcomer) {
            end.knock = None;
            self.link(waiting.newcomer, waiting.newcomer_device, waiting.host, waiting.host_device, now);
        }
    }

    fn refuse(&mut self, link: LinkId, reason: RefuseReason, now: Duration) {
        let Some(waiting) = self.waiting.remove(&link) else { return };
        if let Some(end) = self.ends.get_mut(&waiting.newcomer) {
            end.turned_away.insert(waiting.host_device);
            let hints = end.knock.iter().flat_map(|(hints, _)| hints);
            let all = hints.into_iter().all(|(device, _)| end.turned_away.contains(device));
            if reason == RefuseReason::Unknown && !all {
                self.connect_all(now);
                return;
            }
            end.knock = None;
            let at = now + self.weather(waiting.newcomer.0, waiting.host.0).latency;
            self.post(waiting.newcomer, Event::Refused { reason }, at);
        }
    }

    fn link(&mut self, a_key: EndKey, a: DeviceId, b_key: EndKey, b: DeviceId, now: Duration) {
        self.next += 1;
        let link = LinkId::new(self.next);
        // Whatever is still to be heard of a former link between the two comes first.
        let former = self.due.iter().filter(|(_, (to, event))| {
            let Some(other) = [(a_key, b), (b_key, a)].into_iter().find(|(key, _)| key == to) else {
                return false;
            };
            matches!(event, Event::Up { device, .. } | Event::Down { device, .. } if *device == other.1)
        });
        let former = former.map(|((at, _), _)| *at).max().unwrap_or(now);
        let at = former.max(now + 2 * self.weather(a_key.0, b_key.0).latency);
        for (key, other) in [(a_key, b), (b_key, a)] {
            let Some(end) = self.ends.get_mut(&key) else { return };
            end.links.insert(other, link);
        }
        for (key, other, initiated) in [(a_key, b, true), (b_key, a, false)] {
            let remote = Remote::Address(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 1));
            self.last.insert((link, other), at);
            self.post(key, Event::Up { device: other, link, initiated, remote }, at);
        }
    }

    fn break_links(&mut self, now: Duration, hit: impl Fn(Person, Person) -> bool) {
        let mut pairs = Vec::new();
        for ((person, circle), end) in &self.ends {
            for device in end.links.keys() {
                let other = self.devices.get(device);
                if other.is_some_and(|(other, of)| of == circle && hit(*person, *other)) {
                    pairs.push(((*person, *circle), *device));
                }
            }
        }
        for (key, device) in pairs {
            let me = self.devices.iter().find(|(_, of)| **of == key).map(|(device, _)| *device);
            if let Some(me) = me {
                self.unlink(me, device, DownReason::Lost, DownReason::Lost, now);
            }
        }
        let devices = &self.devices;
        self.waiting.retain(|_, waiting| {
            !hit(waiting.newcomer.0, waiting.host.0) && devices.contains_key(&waiting.host_device)
        });
    }

    /// Takes a link down at both ends; what was under way on it is gone.
    fn unlink(&mut self, a: DeviceId, b: DeviceId, at_a: DownReason, at_b: DownReason, now: Duration) {
        self.unlink_one(a, b, at_a, now);
        self.unlink_one(b, a, at_b, now);
    }

    /// Takes a link from one of its ends, with the frames that were on their way to it.
    fn unlink_one(&mut self, me: DeviceId, other: DeviceId, reason: DownReason, now: Duration) {
        let Some(key) = self.devices.get(&me).copied() else { return };
        let Some(link) = self.ends.get_mut(&key).and_then(|end| end.links.remove(&other)) else { return };
        self.due.retain(|_, (to, event)| {
            *to != key || !matches!(event, Event::Frame { link: of, .. } if *of == link)
        });
        // A link that was about to come up comes up and goes down: the order of events is kept.
        let up = self.due.iter().filter(|(_, (to, event))| {
            *to == key && matches!(event, Event::Up { link: of, .. } if *of == link)
        });
        let at = up.map(|((at, _), _)| *at).max().unwrap_or(now).max(now);
        self.post(key, Event::Down { device: other, link, reason }, at);
    }
}

/// Names an encoded frame's kind: the kinds stand in the order of their first bytes.
fn kind(frame: &[u8]) -> &'static str {
    const KINDS: [&str; 13] = [
        "charter have",
        "charter entries",
        "charter done",
        "frontier",
        "entries",
        "receipts",
        "rendezvous",
        "addresses",
        "charter more",
        "wanted",
        "bodies",
        "group have",
        "group acts",
    ];
    frame.first().and_then(|first| KINDS.get(usize::from(*first))).copied().unwrap_or("other")
}

/// Up to how many devices all pairs are looked at whenever one of them changes.
const SMALL: usize = 40;

/// How long a link that an engine closed stays down.
const RETRY: Duration = Duration::from_millis(250);
