use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use crypto::SigningKey;
use tokio::sync::oneshot;
use tunnel::{Command, Config, DownReason, Event, LinkId, MappingStatus, Snapshot, Timing, Tunnel, Willing};
use wire::{CircleId, DeviceId};

use crate::Space;

/// One device with its tunnel, in a namespace.
///
/// Stands in for a node's engine: it remembers what is up and what came, and tells those to whom a link is up where
/// it listens and where the others do, as engines do.
#[derive(Debug)]
pub struct Device {
    /// Who it is.
    pub id: DeviceId,
    tunnel: Tunnel,
    seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Where it listens itself, and where those do that said so.
    whereabouts: BTreeMap<DeviceId, Vec<SocketAddr>>,
    up: BTreeMap<DeviceId, LinkId>,
    ups: u64,
    downs: Vec<DownReason>,
    frames: Vec<(Instant, Vec<u8>)>,
    /// What came of asking the router.
    mapping: Option<MappingStatus>,
    /// Its own tunnel, once that runs.
    own: Option<Tunnel>,
}

/// Returns the id of the device that [`Device::start`] makes of a seed.
pub fn id(seed: u8) -> DeviceId {
    DeviceId::new(SigningKey::from_seed(&[seed; 32]).public())
}

/// Makes devices members of one circle.
pub fn allow_each_other(devices: &[&Device]) {
    let all: BTreeSet<_> = devices.iter().map(|device| device.id).collect();
    for device in devices {
        device.send(Command::Allow(all.clone()));
    }
}

impl Device {
    /// Starts a device that listens on all addresses of its namespace.
    pub fn start(space: &Space, seed: u8) -> Result<Self> {
        Self::with(space, seed, 9, 0, false)
    }

    /// Starts a device that listens on a certain port and asks its router to let that in.
    pub fn mapping(space: &Space, seed: u8, port: u16) -> Result<Self> {
        Self::with(space, seed, 9, port, true)
    }

    /// Starts a device of another circle.
    pub fn in_circle(space: &Space, seed: u8, circle: u8) -> Result<Self> {
        Self::with(space, seed, circle, 0, false)
    }

    /// Starts a device that listens on a certain port.
    pub fn at(space: &Space, seed: u8, port: u16) -> Result<Self> {
        Self::with(space, seed, 9, port, false)
    }

    fn with(space: &Space, seed: u8, circle: u8, port: u16, mapping: bool) -> Result<Self> {
        let key = SigningKey::from_seed(&[seed; 32]);
        let id = DeviceId::new(key.public());
        let config = Config {
            circle: CircleId::new([circle; 32]),
            key,
            bind: vec![SocketAddr::from(([0, 0, 0, 0], port)), SocketAddr::from(([0u16; 8], port))],
            port_fallback: false,
            fixed: Vec::new(),
            lan: None,
            willing: Willing::default(),
            tcp: true,
            mapping,
            dht: None,
            timing: Timing::default(),
        };
        let seen = Arc::new(Seen::default());
        let (stop, stopped) = oneshot::channel();
        let (started, starts) = std::sync::mpsc::channel();
        let sink = seen.clone();
        let door = space.door()?;
        let thread = std::thread::Builder::new().name(format!("device {seed}")).spawn(move || {
            let run = || -> Result<()> {
                door.enter()?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(async {
                    let tunnel = Tunnel::start(config, Arc::new(move |event| sink.take(id, event))).await?;
                    // Whoever started it waits for this.
                    let _ = started.send(tunnel);
                    // By word or by the end of the one who started it: like a killed process, without a good-bye.
                    let _ = stopped.await;
                    Ok(())
                })
            };
            if let Err(error) = run() {
                eprintln!("a device did not start: {error:#}");
            }
        })?;
        let tunnel = starts.recv().context("a device did not start")?;
        seen.own(tunnel.clone());
        Ok(Self { id, tunnel, seen, stop: Some(stop), thread: Some(thread) })
    }

    /// Gives the tunnel a command.
    pub fn send(&self, command: Command) {
        self.tunnel.send(command);
    }

    /// Tells where another device is.
    pub fn know(&self, other: DeviceId, addresses: Vec<SocketAddr>) {
        self.send(Command::Know { device: other, addresses });
    }

    /// Waits until the device listens, and returns where.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>> {
        let bound =
            |state: &mut State| state.whereabouts.get(&self.id).filter(|all| !all.is_empty()).cloned();
        self.wait(LIMIT, bound).context("a device listens nowhere")
    }

    /// Waits until the router has let something in or refused, and forgets it.
    pub fn until_mapping(&self, limit: Duration) -> Option<MappingStatus> {
        let told =
            |state: &mut State| state.mapping.take_if(|told| told.mapped.is_some() || told.error.is_some());
        self.wait(limit, told)
    }

    /// Waits until others are told that this device listens at an address.
    pub fn until_listens(&self, at: SocketAddr, limit: Duration) -> bool {
        self.wait(limit, |state| state.whereabouts.get(&self.id)?.contains(&at).then_some(())).is_some()
    }

    /// Waits for a link to another device.
    pub fn until_up(&self, other: DeviceId, limit: Duration) -> Option<LinkId> {
        self.wait(limit, |state| state.up.get(&other).copied())
    }

    /// Waits until there is no link to another device; `false` if there still is one.
    pub fn until_down(&self, other: DeviceId, limit: Duration) -> bool {
        self.wait(limit, |state| (!state.up.contains_key(&other)).then_some(())).is_some()
    }

    /// Sends a frame if there is a link.
    pub fn say(&self, other: DeviceId, frame: Vec<u8>) -> bool {
        let link = self.lock().up.get(&other).copied();
        if let Some(link) = link {
            self.send(Command::Send { device: other, link, frame });
        }
        link.is_some()
    }

    /// Returns when each frame came and what it said, and forgets them.
    pub fn frames(&self) -> Vec<(Instant, Vec<u8>)> {
        std::mem::take(&mut self.lock().frames)
    }

    /// Waits for a frame.
    pub fn until_frame(&self, limit: Duration) -> Option<Vec<u8>> {
        self.wait(limit, |state| (!state.frames.is_empty()).then(|| state.frames.remove(0).1))
    }

    /// How often a link came up, and why links went down.
    pub fn turns(&self) -> (u64, Vec<DownReason>) {
        let state = self.lock();
        (state.ups, state.downs.clone())
    }

    /// Returns the tunnel's state.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let (answer, snapshot) = oneshot::channel();
        self.send(Command::Snapshot(answer));
        Ok(snapshot.blocking_recv()?)
    }

    /// Sends numbered frames of the size of a voice packet to another device, fifty a second, until told to stop.
    pub fn talk(self: &Arc<Self>, to: DeviceId) -> Flow {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let device = self.clone();
        let thread = std::thread::spawn(move || {
            let mut next = Instant::now();
            let mut number = 0u64;
            while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) =
                stopped.recv_timeout(next.saturating_duration_since(Instant::now()))
            {
                next += VOICE;
                number += 1;
                let mut frame = number.to_be_bytes().to_vec();
                frame.resize(160, 0);
                device.say(to, frame);
            }
        });
        Flow { stop: Some(stop), thread: Some(thread) }
    }

    fn wait<T>(&self, limit: Duration, mut ready: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if let Some(found) = ready(&mut state) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            state = self.seen.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.seen.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends like a process that was killed.
    pub fn kill(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.stop.take();
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        ensure!(ended, "a device panicked");
        Ok(())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // A panic was printed when it happened.
        let _ = self.end();
    }
}

impl Seen {
    fn own(&self, tunnel: Tunnel) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).own = Some(tunnel);
    }

    fn take(&self, own: DeviceId, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Bound { addresses } => {
                state.whereabouts.insert(own, addresses);
                state.up.keys().for_each(|device| state.tell(*device, own));
            }
            Event::Up { device, link, .. } => {
                state.up.insert(device, link);
                state.ups += 1;
                state.tell(device, own);
                state
                    .up
                    .keys()
                    .filter(|other| **other != device)
                    .for_each(|other| state.tell(device, *other));
            }
            Event::Mapping(status) => state.mapping = Some(status),
            Event::Down { device, reason, .. } => {
                state.up.remove(&device);
                state.downs.push(reason);
            }
            Event::Frame { device, bytes, .. } => match bytes.strip_prefix(ADDRESSES) {
                Some(text) => state.learn(device, text),
                None => state.frames.push((Instant::now(), bytes.to_vec())),
            },
            Event::Knocked { .. }
            | Event::Refused { .. }
            | Event::Unreachable { .. }
            | Event::Dht { .. }
            | Event::Stream { .. } => {}
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    /// Tells a device where another one listens, or this one.
    fn tell(&self, to: DeviceId, of: DeviceId) {
        if let (Some(own), Some(link), Some(addresses)) =
            (&self.own, self.up.get(&to), self.whereabouts.get(&of))
        {
            let addresses = addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" ");
            let frame = [ADDRESSES, of.as_bytes(), addresses.as_bytes()].concat();
            own.send(Command::Send { device: to, link: *link, frame });
        }
    }

    fn learn(&mut self, from: DeviceId, told: &[u8]) {
        let (Some(own), Some((id, text))) = (&self.own, told.split_first_chunk::<32>()) else { return };
        let of = DeviceId::new(*id);
        let text = String::from_utf8_lossy(text);
        let addresses: Vec<SocketAddr> = text.split(' ').filter_map(|address| address.parse().ok()).collect();
        own.send(Command::Know { device: of, addresses: addresses.clone() });
        if of == from {
            self.whereabouts.insert(of, addresses);
            self.up.keys().filter(|other| **other != from).for_each(|other| self.tell(*other, of));
        }
    }
}

/// Frames on their way; ends when dropped.
#[derive(Debug)]
pub struct Flow {
    stop: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How long anything may take that should take no time.
const LIMIT: Duration = Duration::from_secs(20);
/// The pace of a voice call.
const VOICE: Duration = Duration::from_millis(20);
/// How a frame begins that says where its sender listens.
const ADDRESSES: &[u8] = b"addresses ";
