//! The loop: commands and what happened go in one after the other, events come out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use iroh::{Endpoint, Watcher, endpoint::Connection};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{AbortHandle, JoinSet},
    time::{sleep_until, timeout},
};
use wire::DeviceId;

use crate::{
    BindError, CloseReason, Command, Config, DownReason, Event, EventSink, Knock, LanConfig, LinkId,
    RefuseReason, Snapshot, Timing, UnreachableStatus,
    accept::{self, Caller, Heard, Porter, Waiting},
    contact::Contact,
    dial, endpoint,
    greet::{GreetError, Greeting, Identity},
    hello::Role,
    knock::{self, Knocking, Newcomer},
    lan,
    link::{self, Ended, Greeted, Link},
    transport::code,
};

/// Binds the endpoint and starts the loop.
pub(crate) async fn start(
    config: Config,
    sink: Arc<dyn EventSink>,
    commands: mpsc::UnboundedReceiver<Command>,
) -> Result<(), BindError> {
    let endpoint = endpoint::bind(&config).await?;
    let (shell, inbox) = Shell::new(config, endpoint, sink);
    tokio::spawn(shell.run(commands, inbox));
    Ok(())
}

struct Shell {
    identity: Arc<Identity>,
    timing: Timing,
    endpoint: Endpoint,
    sink: Arc<dyn EventSink>,
    allowed: watch::Sender<Arc<BTreeSet<DeviceId>>>,
    contacts: BTreeMap<DeviceId, Contact>,
    links: BTreeMap<DeviceId, Link>,
    /// Newcomers who wait for the engine.
    waiting: BTreeMap<LinkId, oneshot::Sender<Result<(), RefuseReason>>>,
    /// Our own knocking.
    knocking: Option<AbortHandle>,
    addresses: Vec<SocketAddr>,
    serial: Arc<AtomicU64>,
    last_link: u64,
    /// Whether the next dial may be due at another time than before.
    stale: bool,
    /// Discovery on the local network, and what it has to know.
    lan: Option<LanConfig>,
    setting: watch::Sender<lan::Setting>,
    tasks: JoinSet<()>,
    outlets: Outlets,
}

/// What tasks tell the loop. Each task tells one thing, and their number is bounded.
#[derive(Clone)]
struct Outlets {
    heard: mpsc::UnboundedSender<Heard>,
    dialled: mpsc::UnboundedSender<Dialled>,
    knocking: mpsc::UnboundedSender<Knocking>,
    decided: mpsc::UnboundedSender<Decided>,
    ended: mpsc::UnboundedSender<Ended>,
    found: mpsc::Sender<lan::Finding>,
}

struct Inbox {
    heard: mpsc::UnboundedReceiver<Heard>,
    dialled: mpsc::UnboundedReceiver<Dialled>,
    knocking: mpsc::UnboundedReceiver<Knocking>,
    decided: mpsc::UnboundedReceiver<Decided>,
    ended: mpsc::UnboundedReceiver<Ended>,
    found: mpsc::Receiver<lan::Finding>,
}

/// How far a dial has come.
enum Dialled {
    Connected { device: DeviceId, dial: u64, connection: Connection, key_exchange: &'static str },
    Greeted(u64, Box<Greeting>),
    Failed { device: DeviceId, dial: u64, error: GreetError },
}

/// What became of a newcomer who waited.
struct Decided {
    link: LinkId,
    admitted: Option<(Caller, Connection, u64, u64)>,
}

impl Shell {
    fn new(config: Config, endpoint: Endpoint, sink: Arc<dyn EventSink>) -> (Self, Inbox) {
        let (heard, heard_inbox) = mpsc::unbounded_channel();
        let (dialled, dialled_inbox) = mpsc::unbounded_channel();
        let (knocking, knocking_inbox) = mpsc::unbounded_channel();
        let (decided, decided_inbox) = mpsc::unbounded_channel();
        let (ended, ended_inbox) = mpsc::unbounded_channel();
        let (found, found_inbox) = mpsc::channel(FINDINGS);
        let identity = Identity {
            circle: config.circle,
            device: DeviceId::new(config.key.public()),
            key: config.key,
            instance: u64::from_be_bytes(crypto::Entropy::bytes(&mut crypto::OsEntropy)),
        };
        let shell = Self {
            identity: Arc::new(identity),
            timing: config.timing,
            endpoint,
            sink,
            allowed: watch::Sender::new(Arc::default()),
            contacts: BTreeMap::new(),
            links: BTreeMap::new(),
            waiting: BTreeMap::new(),
            knocking: None,
            addresses: Vec::new(),
            serial: Arc::new(AtomicU64::new(0)),
            last_link: 0,
            stale: true,
            lan: config.lan,
            setting: watch::Sender::new(lan::Setting::default()),
            tasks: JoinSet::new(),
            outlets: Outlets { heard, dialled, knocking, decided, ended, found },
        };
        let inbox = Inbox {
            heard: heard_inbox,
            dialled: dialled_inbox,
            knocking: knocking_inbox,
            decided: decided_inbox,
            ended: ended_inbox,
            found: found_inbox,
        };
        (shell, inbox)
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>, mut inbox: Inbox) {
        let porter = Porter {
            endpoint: self.endpoint.clone(),
            identity: self.identity.clone(),
            allowed: self.allowed.subscribe(),
            timing: self.timing.clone(),
        };
        self.tasks.spawn(accept::listen(porter, self.outlets.heard.clone()));
        if let Some(config) = self.lan.take() {
            let beacon = lan::Beacon {
                device: self.identity.device,
                config,
                settings: self.setting.subscribe(),
                allowed: self.allowed.subscribe(),
                found: self.outlets.found.clone(),
            };
            self.tasks.spawn(beacon.run());
        }
        let mut watcher = self.endpoint.watch_addr();
        self.bound(watcher.get().ip_addrs().copied().collect());

        let mut batch = Vec::new();
        let mut due = None;
        loop {
            if std::mem::take(&mut self.stale) {
                due = self
                    .contacts
                    .iter()
                    .filter(|(device, _)| self.wants(device))
                    .filter_map(|(_, c)| c.due())
                    .min();
            }
            let alarm = async {
                match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            // Commands come last: they may come without end, all else cannot.
            tokio::select! {
                biased;
                Some(ended) = inbox.ended.recv() => self.handle_ended(&ended),
                Some(heard) = inbox.heard.recv() => self.handle_heard(heard),
                Some(dialled) = inbox.dialled.recv() => self.handle_dialled(dialled),
                Some(knocking) = inbox.knocking.recv() => self.handle_knocking(knocking),
                Some(decided) = inbox.decided.recv() => self.handle_decided(decided),
                Some(found) = inbox.found.recv() => self.know(found.device, &found.addresses),
                Ok(address) = watcher.updated() => self.bound(address.ip_addrs().copied().collect()),
                () = alarm => self.dial_due(),
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Err(error) = done && error.is_panic() {
                        tracing::error!(%error, "a task of the tunnel failed");
                    }
                    continue;
                }
                count = commands.recv_many(&mut batch, BATCH) => {
                    if count == 0 || batch.drain(..).any(|command| self.handle_command(command)) {
                        break;
                    }
                    continue;
                }
            }
            self.stale = true;
        }
        for (_, link) in std::mem::take(&mut self.links) {
            link.close(code::BYE, DownReason::Shutdown, &self.sink);
        }
        self.tasks.abort_all();
        // The other ends learn it now instead of after a time-out; one that is gone does not hold us up.
        let _ = timeout(CLOSING, self.endpoint.close()).await;
        drop(commands);
    }

    /// Handles one command; `true` means stop.
    fn handle_command(&mut self, command: Command) -> bool {
        self.stale |= !matches!(command, Command::Send { .. } | Command::Snapshot(_));
        match command {
            Command::Allow(devices) => self.allow(devices),
            Command::Know { device, addresses } => self.know(device, &addresses),
            Command::Send { device, link, frame } => self.send(device, link, frame),
            Command::Close { device, reason } => self.close(device, reason),
            Command::Knock { hints, knock } => self.knock(hints, knock),
            Command::Welcome { link } => self.decide(link, Ok(())),
            Command::Refuse { link, reason } => self.decide(link, Err(reason)),
            Command::LanSecrets(secrets) => self.setting.send_modify(|setting| setting.secrets = secrets),
            Command::NetworkChanged => self.network_changed(),
            Command::Snapshot(answer) => {
                // Whoever asked may have stopped waiting.
                let _ = answer.send(self.snapshot());
            }
            Command::Shutdown => return true,
        }
        false
    }

    fn allow(&mut self, mut devices: BTreeSet<DeviceId>) {
        devices.remove(&self.identity.device);
        let gone: Vec<_> = self.links.keys().filter(|device| !devices.contains(device)).copied().collect();
        for device in gone {
            self.down(device, code::GO_AWAY, DownReason::NotAllowed);
        }
        let now = Instant::now();
        let before = self.allowed.send_replace(Arc::new(devices));
        let devices = self.allowed.borrow().clone();
        for device in devices.difference(&before) {
            self.contacts.entry(*device).or_default().hurry(now);
        }
        self.contacts.retain(|device, _| devices.contains(device) || !before.contains(device));
    }

    fn know(&mut self, device: DeviceId, addresses: &[SocketAddr]) {
        if device == self.identity.device {
            return;
        }
        let contact = self.contacts.entry(device).or_default();
        let new = contact.know(addresses);
        match self.links.contains_key(&device) {
            false if new => contact.start_anew(Instant::now()),
            false => contact.hurry(Instant::now()),
            true => {}
        }
    }

    fn send(&mut self, device: DeviceId, link: LinkId, frame: Vec<u8>) {
        let Some(to) = self.links.get(&device).filter(|to| to.id == link) else {
            return;
        };
        if let Err(reason) = to.send(frame) {
            self.down(device, code::OVERRUN, reason);
        }
    }

    fn close(&mut self, device: DeviceId, reason: CloseReason) {
        match reason {
            CloseReason::Done => self.down(device, code::BYE, DownReason::ByEngine),
            CloseReason::Misbehaved => {
                self.down(device, code::GARBAGE, DownReason::ByEngine);
                if let Some(contact) = self.contacts.get_mut(&device) {
                    contact.rest(&self.timing, Instant::now());
                }
            }
        }
    }

    fn network_changed(&mut self) {
        let now = Instant::now();
        for (_, contact) in self.contacts.iter_mut().filter(|(device, _)| !self.links.contains_key(*device)) {
            contact.hurry(now);
        }
        // The interfaces may be others although the addresses are the same.
        self.setting.send_modify(|_| {});
        let endpoint = self.endpoint.clone();
        self.tasks.spawn(async move { endpoint.network_change().await });
    }

    fn bound(&mut self, mut addresses: Vec<SocketAddr>) {
        addresses.sort();
        if addresses != self.addresses {
            self.addresses.clone_from(&addresses);
            self.setting.send_modify(|setting| setting.addresses.clone_from(&addresses));
            self.sink.deliver(Event::Bound { addresses });
        }
    }

    /// Whether a device should be dialled as soon as it is due.
    fn wants(&self, device: &DeviceId) -> bool {
        self.allowed.borrow().contains(device) && !self.links.contains_key(device)
    }

    fn dial_due(&mut self) {
        let now = Instant::now();
        let due: Vec<_> = self
            .contacts
            .iter()
            .filter(|(device, contact)| contact.due().is_some_and(|due| due <= now) && self.wants(device))
            .map(|(device, _)| *device)
            .collect();
        for device in due {
            let Some(contact) = self.contacts.get_mut(&device) else {
                continue;
            };
            let (dial, addresses) = contact.dial();
            let (endpoint, timing, dialled) =
                (self.endpoint.clone(), self.timing.clone(), self.outlets.dialled.clone());
            self.tasks.spawn(async move {
                let news = match dial::connect(&endpoint, &device, &addresses, &timing).await {
                    Ok((connection, key_exchange)) => {
                        Dialled::Connected { device, dial, connection, key_exchange }
                    }
                    Err(error) => Dialled::Failed { device, dial, error },
                };
                let _ = dialled.send(news);
            });
        }
    }

    fn handle_dialled(&mut self, news: Dialled) {
        match news {
            Dialled::Connected { device, dial, connection, key_exchange } => {
                // What the serials of hellos mean hangs on this: a device that has a link says no hello.
                let counts = self.contacts.get(&device).is_some_and(|contact| contact.is_dialling(dial));
                if !counts || !self.wants(&device) {
                    connection.close(code::DUPLICATE, b"");
                    self.dial_ended(device, dial);
                    return;
                }
                let serial = self.next_serial();
                let (identity, limit, dialled) =
                    (self.identity.clone(), self.timing.hello, self.outlets.dialled.clone());
                self.tasks.spawn(async move {
                    let news = match dial::greet(identity, &connection, &device, serial, None, limit).await {
                        Ok((checked, send, frames)) => {
                            let greeting =
                                Greeting { device, connection, key_exchange, checked, send, frames };
                            Dialled::Greeted(dial, Box::new(greeting))
                        }
                        Err(error) => Dialled::Failed { device, dial, error },
                    };
                    let _ = dialled.send(news);
                });
            }
            Dialled::Greeted(dial, greeting) => {
                let device = greeting.device;
                self.dial_ended(device, dial);
                if !self.allowed.borrow().contains(&device) {
                    greeting.connection.close(code::GO_AWAY, b"");
                    return;
                }
                let greeted = self.initiated(*greeting);
                self.settle(greeted);
            }
            Dialled::Failed { device, dial, error } => self.handle_failed(device, dial, &error),
        }
    }

    fn dial_ended(&mut self, device: DeviceId, dial: u64) {
        if let Some(contact) = self.contacts.get_mut(&device).filter(|contact| contact.is_dialling(dial)) {
            contact.ended();
        }
    }

    fn handle_failed(&mut self, device: DeviceId, dial: u64, error: &GreetError) {
        let Some(contact) = self.contacts.get_mut(&device).filter(|c| c.is_dialling(dial)) else { return };
        if self.links.contains_key(&device) {
            contact.ended();
            return;
        }
        let [random] = crypto::Entropy::bytes(&mut crypto::OsEntropy);
        let error = error.to_string();
        let attempts = contact.failed(error.clone(), &self.timing, Instant::now(), random);
        if self.allowed.borrow().contains(&device) {
            self.sink.deliver(Event::Unreachable { device, attempts, error });
        }
    }

    fn handle_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Member { caller, connection, instance, serial } => {
                // The roster may have changed since he was heard.
                if self.allowed.borrow().contains(&caller.device) {
                    let id = self.next_link();
                    self.settle(answered(id, caller, connection, instance, serial));
                } else {
                    connection.close(code::GO_AWAY, b"");
                }
            }
            Heard::Newcomer { caller, waiting, invitation, request } => {
                if self.waiting.len() < WAITING {
                    self.keep_waiting(caller, waiting, invitation, request);
                } else {
                    waiting.go_away();
                }
            }
        }
    }

    fn keep_waiting(&mut self, caller: Caller, waiting: Waiting, invitation: [u8; 32], request: Vec<u8>) {
        let (link, device) = (self.next_link(), caller.device);
        let (verdict, decision) = oneshot::channel();
        self.waiting.insert(link, verdict);
        let (timing, decided) = (self.timing.clone(), self.outlets.decided.clone());
        self.tasks.spawn(async move {
            let connection = waiting.decide(decision, &timing).await;
            let admitted =
                connection.map(|connection| (caller, connection, waiting.instance, waiting.serial));
            let _ = decided.send(Decided { link, admitted });
        });
        self.sink.deliver(Event::Knocked { link, device, invitation, request });
    }

    fn decide(&mut self, link: LinkId, verdict: Result<(), RefuseReason>) {
        if let Some(waiting) = self.waiting.remove(&link) {
            // The newcomer may have gone in this very moment.
            let _ = waiting.send(verdict);
        }
    }

    fn handle_decided(&mut self, decided: Decided) {
        self.waiting.remove(&decided.link);
        if let Some((caller, connection, instance, serial)) = decided.admitted {
            self.settle(answered(decided.link, caller, connection, instance, serial));
        }
    }

    fn knock(&mut self, hints: Vec<(DeviceId, Vec<SocketAddr>)>, knock: Knock) {
        if let Some(task) = self.knocking.take() {
            task.abort();
        }
        if hints.is_empty() {
            return;
        }
        for (device, addresses) in &hints {
            // Dialled from here on should the roster name them.
            self.contacts.entry(*device).or_default().know(addresses);
        }
        let newcomer = Newcomer {
            endpoint: self.endpoint.clone(),
            identity: self.identity.clone(),
            serial: self.serial.clone(),
            timing: self.timing.clone(),
            hints,
            knock,
        };
        self.knocking = Some(self.tasks.spawn(knock::run(newcomer, self.outlets.knocking.clone())));
    }

    fn handle_knocking(&mut self, news: Knocking) {
        if self.knocking.is_none() {
            return;
        }
        match news {
            Knocking::Admitted(greeting) => {
                self.knocking = None;
                let greeted = self.initiated(*greeting);
                self.settle(greeted);
            }
            Knocking::Refused(reason) => {
                self.knocking = None;
                self.sink.deliver(Event::Refused { reason });
            }
            Knocking::Unreachable { device, attempts, error } => {
                self.sink.deliver(Event::Unreachable { device, attempts, error: error.to_string() });
            }
        }
    }

    fn initiated(&mut self, greeting: Greeting) -> Greeted {
        let Greeting { device, connection, key_exchange, checked, send, frames } = greeting;
        let (instance, serial) = checked.number();
        let id = self.next_link();
        Greeted { id, device, initiated: true, instance, serial, connection, key_exchange, send, frames }
    }

    /// Brings a link up, or closes it in favour of the one that is.
    fn settle(&mut self, new: Greeted) {
        let device = new.device;
        if let Some(old) = self.links.get(&device) {
            if !self.prefers(&new, old) {
                new.connection.close(code::DUPLICATE, b"");
                return;
            }
            self.down(device, code::DUPLICATE, DownReason::Replaced);
        }
        // The one that answers says its hello only now: until here the caller has learnt nothing.
        let first = if new.initiated {
            None
        } else {
            let serial = self.next_serial();
            let hello = self.identity.hello(&new.connection, Role::Responder, serial, None);
            if hello.is_none() {
                new.connection.close(code::GO_AWAY, b"");
                return;
            }
            hello
        };
        // Both ends listen where they dial from, so what reached us can be dialled.
        let contact = self.contacts.entry(device).or_default();
        contact.know(&[link::remote(&new.connection)]);
        contact.up();
        let link = Link::start(new, first, &self.sink, &self.outlets.ended);
        self.links.insert(device, link);
    }

    /// Decides between two links to one device, the same way at both ends.
    ///
    /// A device that has a link says no hello on a new one. So a hello said after that of the link we have, or by
    /// a restarted device, means that the other side has lost that link: the new one stays. Otherwise both dialled
    /// at once, and the one dialled by the smaller id stays.
    fn prefers(&self, new: &Greeted, old: &Link) -> bool {
        if new.instance != old.instance || (!new.initiated && new.serial > old.serial) {
            return true;
        }
        let dialler = |initiated| {
            if initiated { self.identity.device } else { new.device }
        };
        new.initiated == old.initiated || dialler(new.initiated) < dialler(old.initiated)
    }

    fn handle_ended(&mut self, ended: &Ended) {
        if self.links.get(&ended.device).is_some_and(|link| link.id == ended.link) {
            let code = if ended.reason == DownReason::Garbage { code::GARBAGE } else { code::BYE };
            self.down(ended.device, code, ended.reason);
        }
    }

    fn down(&mut self, device: DeviceId, code: iroh::endpoint::VarInt, reason: DownReason) {
        let Some(link) = self.links.remove(&device) else {
            return;
        };
        if let Some(contact) = self.contacts.get_mut(&device) {
            let [random] = crypto::Entropy::bytes(&mut crypto::OsEntropy);
            contact.down(link.since.elapsed() >= LASTED, &self.timing, Instant::now(), random);
        }
        link.close(code, reason, &self.sink);
    }

    fn snapshot(&self) -> Snapshot {
        let now = Instant::now();
        let unreachable = |(device, contact): (&DeviceId, &Contact)| UnreachableStatus {
            device: *device,
            addresses: contact.addresses(),
            attempts: contact.attempts(),
            error: contact.error().cloned(),
            next_try: contact.due().map(|due| due.saturating_duration_since(now)),
        };
        Snapshot {
            addresses: self.addresses.clone(),
            links: self.links.values().map(Link::status).collect(),
            unreachable: self
                .contacts
                .iter()
                .filter(|(device, _)| self.wants(device))
                .map(unreachable)
                .collect(),
            queued: self.links.values().map(Link::queued).sum(),
        }
    }

    fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    fn next_link(&mut self) -> LinkId {
        self.last_link += 1;
        LinkId(self.last_link)
    }
}

fn answered(id: LinkId, caller: Caller, connection: Connection, instance: u64, serial: u64) -> Greeted {
    let Caller { device, key_exchange, send, frames } = caller;
    Greeted { id, device, initiated: false, instance, serial, connection, key_exchange, send, frames }
}

/// How many commands are taken at once.
const BATCH: usize = 256;
/// How many found devices may wait to be dialled; more wait on the network.
const FINDINGS: usize = 16;
/// How many newcomers may wait for the engine.
const WAITING: usize = 16;
/// How long a link must have been up for its end to be no failure.
const LASTED: Duration = Duration::from_secs(10);
/// How long the end waits for the other sides to take note.
const CLOSING: Duration = Duration::from_secs(3);
