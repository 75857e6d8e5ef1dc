//! The loop: commands and what happened go in one after the other, events come out.

mod dialling;
mod lanes;
mod links;
mod mapping;
mod newcomers;
mod reach;
mod rendezvous;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use iroh::{Endpoint, Watcher};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{AbortHandle, JoinSet},
    time::{sleep_until, timeout},
};
use wire::DeviceId;

use self::{dialling::Dialled, lanes::Search, newcomers::Decided, rendezvous::Meeting};
use crate::{
    BindError, Command, Config, DownReason, EventSink, Fault, LanConfig, LinkId, RefuseReason, Snapshot,
    Timing, UnreachableStatus,
    accept::{self, Heard, Porter},
    contact::Contact,
    dht::DhtConfig,
    endpoint,
    forward::{Forwarding, Through, Told},
    gate::Gate,
    greet::Identity,
    knock::Knocking,
    lan,
    link::{Link, News},
    outbox::Outboxes,
    own::Witnesses,
    tcp::{self, Tcp},
    transport::code,
    whereabouts,
};

/// Binds the endpoint and starts the loop.
pub(crate) async fn start(
    config: Config,
    sink: Arc<dyn EventSink>,
    commands: mpsc::UnboundedReceiver<Command>,
    outboxes: Arc<Outboxes>,
) -> Result<(), BindError> {
    let identity = Arc::new(Identity {
        circle: config.circle,
        device: DeviceId::new(config.key.public()),
        key: config.key.clone(),
        instance: u64::from_be_bytes(crypto::Entropy::bytes(&mut crypto::OsEntropy)),
    });
    let gate = Arc::new(Gate::new(identity.clone()));
    let forwarding = Arc::new(Forwarding::new(identity.device, config.willing));
    let tcp = Arc::new(Tcp::new(gate.clone()));
    let endpoint = endpoint::bind(&config, gate.clone(), &forwarding, &tcp).await?;
    let (shell, inbox) = Shell::new(config, identity, gate, endpoint, (forwarding, tcp), (sink, outboxes));
    tokio::spawn(shell.run(commands, inbox));
    Ok(())
}

struct Shell {
    identity: Arc<Identity>,
    gate: Arc<Gate>,
    timing: Timing,
    endpoint: Endpoint,
    sink: Arc<dyn EventSink>,
    allowed: watch::Sender<Arc<BTreeSet<DeviceId>>>,
    contacts: BTreeMap<DeviceId, Contact>,
    links: BTreeMap<DeviceId, Link>,
    outboxes: Arc<Outboxes>,
    forwarding: Arc<Forwarding>,
    /// Lanes, whether any are dialled, and where others dial them.
    tcp: Arc<Tcp>,
    dials_tcp: bool,
    listeners: Vec<SocketAddr>,
    /// Lanes that are looked for beside links.
    searches: BTreeMap<DeviceId, Search>,
    /// Newcomers who wait for the engine.
    waiting: BTreeMap<LinkId, oneshot::Sender<Result<(), RefuseReason>>>,
    /// Our own knocking.
    knocking: Option<AbortHandle>,
    /// Where others may reach this device, and of that what its own interfaces have.
    addresses: Vec<SocketAddr>,
    local: Vec<SocketAddr>,
    fixed: Vec<SocketAddr>,
    /// Where members say it is seen, and what of that is believed.
    witnesses: Witnesses,
    /// Who failed at forwarding, and who may have: the peer's link through him answers no more.
    blamed: BTreeMap<Through, (Instant, Fault)>,
    suspects: BTreeMap<DeviceId, DeviceId>,
    outside: watch::Sender<BTreeSet<SocketAddr>>,
    /// What was believed last while anybody could tell.
    seen_last: BTreeSet<SocketAddr>,
    serial: Arc<AtomicU64>,
    last_link: u64,
    /// Whether the next dial may be due at another time than before.
    stale: bool,
    /// Discovery on the local network, and what it has to know.
    lan: Option<LanConfig>,
    setting: watch::Sender<whereabouts::Setting>,
    /// Whether the router is asked for a port.
    maps: bool,
    /// Rendezvous on the DHT.
    dht: Option<DhtConfig>,
    meeting: Meeting,
    tasks: JoinSet<()>,
    outlets: Outlets,
}

/// What tasks tell the loop. Each task tells one thing, or seldom; their number is bounded.
#[derive(Clone)]
struct Outlets {
    heard: mpsc::UnboundedSender<Heard>,
    dialled: mpsc::UnboundedSender<Dialled>,
    knocking: mpsc::UnboundedSender<Knocking>,
    decided: mpsc::UnboundedSender<Decided>,
    links: mpsc::UnboundedSender<News>,
    told: mpsc::Sender<Told>,
    found: mpsc::Sender<whereabouts::Finding>,
}

struct Inbox {
    heard: mpsc::UnboundedReceiver<Heard>,
    dialled: mpsc::UnboundedReceiver<Dialled>,
    knocking: mpsc::UnboundedReceiver<Knocking>,
    decided: mpsc::UnboundedReceiver<Decided>,
    links: mpsc::UnboundedReceiver<News>,
    told: mpsc::Receiver<Told>,
    found: mpsc::Receiver<whereabouts::Finding>,
}

impl Shell {
    fn new(
        config: Config,
        identity: Arc<Identity>,
        gate: Arc<Gate>,
        endpoint: Endpoint,
        (forwarding, tcp): (Arc<Forwarding>, Arc<Tcp>),
        (sink, outboxes): (Arc<dyn EventSink>, Arc<Outboxes>),
    ) -> (Self, Inbox) {
        let (heard, heard_inbox) = mpsc::unbounded_channel();
        let (dialled, dialled_inbox) = mpsc::unbounded_channel();
        let (knocking, knocking_inbox) = mpsc::unbounded_channel();
        let (decided, decided_inbox) = mpsc::unbounded_channel();
        let (links, links_inbox) = mpsc::unbounded_channel();
        let (found, found_inbox) = mpsc::channel(FINDINGS);
        let (told, told_inbox) = mpsc::channel(FINDINGS);
        let shell = Self {
            identity,
            gate,
            timing: config.timing,
            endpoint,
            sink,
            allowed: watch::Sender::new(Arc::default()),
            contacts: BTreeMap::new(),
            links: BTreeMap::new(),
            outboxes,
            forwarding,
            tcp,
            dials_tcp: config.tcp,
            listeners: Vec::new(),
            searches: BTreeMap::new(),
            waiting: BTreeMap::new(),
            knocking: None,
            addresses: Vec::new(),
            local: Vec::new(),
            fixed: config.fixed,
            witnesses: Witnesses::default(),
            blamed: BTreeMap::new(),
            suspects: BTreeMap::new(),
            outside: watch::Sender::new(BTreeSet::new()),
            seen_last: BTreeSet::new(),
            serial: Arc::new(AtomicU64::new(0)),
            last_link: 0,
            stale: true,
            lan: config.lan,
            setting: watch::Sender::new(whereabouts::Setting::default()),
            maps: config.mapping,
            dht: config.dht,
            meeting: Meeting::new(),
            tasks: JoinSet::new(),
            outlets: Outlets { heard, dialled, knocking, decided, links, found, told },
        };
        let inbox = Inbox {
            heard: heard_inbox,
            dialled: dialled_inbox,
            knocking: knocking_inbox,
            decided: decided_inbox,
            links: links_inbox,
            found: found_inbox,
            told: told_inbox,
        };
        (shell, inbox)
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>, mut inbox: Inbox) {
        let porter = Porter {
            endpoint: self.endpoint.clone(),
            gate: self.gate.clone(),
            tcp: self.tcp.clone(),
            identity: self.identity.clone(),
            allowed: self.allowed.subscribe(),
            timing: self.timing.clone(),
        };
        self.tasks.spawn(accept::listen(porter, self.outlets.heard.clone()));
        if self.dials_tcp {
            for listener in tcp::bind(&self.endpoint.bound_sockets()) {
                self.listeners.extend(listener.local_addr());
                self.tasks.spawn(tcp::listen(self.tcp.clone(), listener));
            }
        }
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
        self.tasks.spawn(reach::keep_told(self.endpoint.clone(), self.outside.subscribe()));
        self.start_dht();
        let mut mapping = self.start_mapping();
        let mut lanes = self.tcp.watch();
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
                    .chain(self.searches.values().map(Search::due))
                    .chain(self.witnesses.due())
                    .min();
                self.seek();
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
                Some(news) = inbox.links.recv() => self.handle_link(&news),
                Some(heard) = inbox.heard.recv() => self.handle_heard(heard),
                Some(dialled) = inbox.dialled.recv() => self.handle_dialled(dialled),
                Some(knocking) = inbox.knocking.recv() => self.handle_knocking(knocking),
                Some(decided) = inbox.decided.recv() => self.handle_decided(decided),
                Some(told) = inbox.told.recv() => self.handle_told(told),
                Some(found) = inbox.found.recv() => self.know(found.device, &found.addresses),
                Ok(address) = watcher.updated() => self.bound(address.ip_addrs().copied().collect()),
                Ok(()) = lanes.changed() => self.take_lanes(),
                () = alarm => {
                    self.dial_due();
                    self.search_due();
                    self.judge_witnesses();
                }
                () = self.meeting.changed() => {
                    self.handle_meeting();
                    continue;
                }
                status = mapping.changed() => self.handle_mapping(status),
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
        let _ = timeout(CLOSING, async { tokio::join!(self.endpoint.close(), mapping.stop()) }).await;
        self.tcp.close();
        drop(commands);
    }

    /// Handles one command; `true` means stop.
    fn handle_command(&mut self, command: Command) -> bool {
        self.stale |= !matches!(command, Command::Send { .. } | Command::Open { .. } | Command::Snapshot(_));
        match command {
            Command::Allow(devices) => self.allow(devices),
            Command::Invitations(invitations) => self.gate.invite(&invitations),
            Command::Know { device, addresses } => self.know(device, &addresses),
            // Every other frame goes its way by itself.
            Command::Send { device, link, .. } => self.overrun(device, link),
            Command::Open { device, link, class, opening, answer } => {
                if let Some(up) = self.links.get(&device).filter(|up| up.id == link) {
                    up.open(class, opening, answer);
                }
            }
            Command::Close { device, reason } => self.close(device, reason),
            Command::Part { device, link, frames } => self.part(device, link, frames),
            Command::Knock { hints, knock } => self.knock(hints, knock),
            Command::Welcome { link } => self.decide(link, Ok(())),
            Command::Refuse { link, reason } => self.decide(link, Err(reason)),
            Command::LanSecrets { secrets, since } => {
                self.setting.send_modify(|setting| setting.take(secrets, since, whereabouts::unix_now()));
            }
            Command::Will(willing) => self.forwarding.will(willing),
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
        self.gate.allow(&devices);
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
        self.tcp.bar(before.difference(&devices));
        self.contacts.retain(|device, _| devices.contains(device) || !before.contains(device));
        self.blamed.retain(|through, _| devices.contains(&through.member) && devices.contains(&through.peer));
        self.suspects.retain(|peer, _| devices.contains(peer));
        self.witnesses.retain(|device| devices.contains(device));
        self.forwarding.allow(devices);
    }

    fn snapshot(&self) -> Snapshot {
        let now = Instant::now();
        let unreachable = |(device, contact): (&DeviceId, &Contact)| UnreachableStatus {
            device: *device,
            addresses: contact.addresses(),
            through: contact.members().iter().copied().collect(),
            attempts: contact.attempts(),
            error: contact.error().cloned(),
            next_try: contact.due().map(|due| due.saturating_duration_since(now)),
        };
        let (willing, forwarded_today, forwarded) = self.forwarding.status();
        Snapshot {
            willing,
            forwarded_today,
            forwarded,
            blamed: self.blamed(),
            addresses: self.addresses.clone(),
            tcp: self.listeners.clone(),
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

/// How many commands are taken at once.
const BATCH: usize = 256;
/// How many found devices may wait to be dialled; more wait on the network.
const FINDINGS: usize = 16;
/// How long the end waits for the other sides to take note.
const CLOSING: Duration = Duration::from_secs(3);
