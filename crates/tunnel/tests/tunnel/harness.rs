use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use crypto::SigningKey;
use hexode_tunnel::{
    BindError, Command, Config, DownReason, Event, LinkId, Received, Snapshot, Timing, Tunnel, Willing,
};
use tokio::sync::oneshot;
use wire::{CircleId, DeviceId};

/// How long anything may take before a test fails; nothing waits that long if all is well.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// One device with its tunnel, as a node would run it.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) tunnel: Tunnel,
    pub(crate) address: SocketAddr,
    pub(crate) addresses: Vec<SocketAddr>,
    events: mpsc::Receiver<Event>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

pub(crate) fn id(seed: u8) -> DeviceId {
    DeviceId::new(key(seed).public())
}

pub(crate) fn config(seed: u8) -> Config {
    Config {
        circle: CircleId::new([9; 32]),
        key: key(seed),
        bind: vec!["127.0.0.1:0".parse().unwrap()],
        port_fallback: false,
        fixed: Vec::new(),
        lan: None,
        willing: Willing::default(),
        tcp: true,
        mapping: false,
        dht: None,
        timing: Timing::default(),
    }
}

impl Device {
    pub(crate) fn new(seed: u8) -> Self {
        Self::with(config(seed)).unwrap()
    }

    pub(crate) fn with(config: Config) -> Result<Self, BindError> {
        Self::with_setup(config, || {})
    }

    /// Runs `setup` first on the device's own thread.
    pub(crate) fn with_setup(
        config: Config,
        setup: impl FnOnce() + Send + 'static,
    ) -> Result<Self, BindError> {
        let id = DeviceId::new(config.key.public());
        let (events_in, events) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (started_in, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            setup();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // A test that has ended takes no more events.
                let sink = Arc::new(move |event| drop(events_in.send(event)));
                started_in.send(Tunnel::start(config, sink).await).unwrap();
                // Ends by word or by the test's end; either way like a killed process: nothing is said any more.
                let _ = stopped.await;
            });
        });
        let tunnel = started.recv_timeout(LIMIT).unwrap()?;
        let addresses = match events.recv_timeout(LIMIT).unwrap() {
            Event::Bound { addresses } => addresses,
            other => panic!("{other:?}"),
        };
        let address = addresses[0];
        Ok(Self { id, tunnel, address, addresses, events, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn send(&self, command: Command) {
        assert!(self.tunnel.send(command));
    }

    pub(crate) fn allow<'a>(&self, others: impl IntoIterator<Item = &'a DeviceId>) {
        self.send(Command::Allow(others.into_iter().copied().collect::<BTreeSet<_>>()));
    }

    pub(crate) fn know(&self, other: &Self) {
        self.send(Command::Know { device: other.id, addresses: other.addresses.clone() });
    }

    pub(crate) fn frame(&self, to: DeviceId, link: LinkId, frame: impl Into<Vec<u8>>) {
        self.send(Command::Send { device: to, link, frame: frame.into() });
    }

    pub(crate) fn next(&self) -> Event {
        self.events.recv_timeout(LIMIT).expect("an event in time")
    }

    /// Takes events until one fits, and forgets the others.
    pub(crate) fn until<T>(&self, mut fits: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = fits(self.next()) {
                return found;
            }
        }
    }

    pub(crate) fn until_up(&self, other: DeviceId) -> LinkId {
        self.until(|event| match event {
            Event::Up { device, link, .. } if device == other => Some(link),
            _ => None,
        })
    }

    pub(crate) fn until_down(&self, other: DeviceId) -> DownReason {
        self.until(|event| match event {
            Event::Down { device, reason, .. } if device == other => Some(reason),
            _ => None,
        })
    }

    pub(crate) fn until_frame(&self) -> Received {
        self.until(|event| match event {
            Event::Frame { bytes, .. } => Some(bytes),
            Event::Down { .. } => panic!("{event:?}"),
            _ => None,
        })
    }

    pub(crate) fn until_unreachable(&self, other: DeviceId) -> (u32, String) {
        self.until(|event| match event {
            Event::Unreachable { device, attempts, error } if device == other => Some((attempts, error)),
            _ => None,
        })
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let (answer, snapshot) = oneshot::channel();
        self.send(Command::Snapshot(answer));
        // On another thread, since a test may be inside a runtime.
        std::thread::spawn(|| snapshot.blocking_recv().unwrap()).join().unwrap()
    }

    /// Takes what has come so far; the snapshot makes sure that all commands before were handled.
    pub(crate) fn so_far(&self) -> Vec<Event> {
        self.snapshot();
        self.events.try_iter().collect()
    }

    /// Ends like a process that was killed: no good-bye.
    pub(crate) fn kill(mut self) {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Two devices that allow each other.
pub(crate) fn pair() -> (Device, Device) {
    let (ann, ben) = (Device::new(1), Device::new(2));
    ann.allow([&ben.id]);
    ben.allow([&ann.id]);
    (ann, ben)
}

/// Two devices with a link, dialled by the first.
pub(crate) fn linked() -> ((Device, LinkId), (Device, LinkId)) {
    let (ann, ben) = pair();
    ann.know(&ben);
    let links = (ann.until_up(ben.id), ben.until_up(ann.id));
    ((ann, links.0), (ben, links.1))
}
