//! Runs an engine for real: its thread, its clock, its tunnels.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use crypto::OsEntropy;
use tokio::{
    runtime::Handle,
    sync::{broadcast, oneshot},
};
use tunnel::Tunnel;
use vault::{Passphrase, Tries};
use wire::CircleId;

use crate::{
    api::{self, ApiError},
    early::Early,
    engine::{Answer, Effect, Engine, Input, Setup, Time},
    files::{Command, FilesShell, Jobs},
};

/// What the engine's thread is told.
pub(crate) enum Order {
    /// An input for the next turn.
    Input(Input),
    /// Make the vault, or open it; the answer tells whether this order did it or it was open before.
    Open { passphrase: Passphrase, how: Opening, answer: oneshot::Sender<Result<bool, ApiError>> },
    /// Close it.
    Lock(oneshot::Sender<()>),
    /// Destroy it.
    Wipe(oneshot::Sender<Result<(), ApiError>>),
    /// Look at the engine as a whole.
    Look(Box<dyn FnOnce(&Engine) + Send>),
    /// A tunnel reports something; `0` is the number of its start.
    Tunnel(u64, CircleId, tunnel::Event, Early),
    /// A tunnel has been started, or not.
    Started(u64, CircleId, Result<Tunnel, String>),
    /// Lock and end.
    Stop(oneshot::Sender<()>),
}

/// How a vault is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Opening {
    /// By making it.
    Create,
    /// By its passphrase, or the one that empties it.
    Unlock(Tries),
}

/// The engine's thread, seen from outside.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub(crate) orders: Sender<Order>,
    pub(crate) events: broadcast::Sender<api::Event>,
    pub(crate) access: Arc<AtomicU64>,
    pub(crate) jobs: Jobs,
}

impl Shell {
    /// Starts the engine's thread. Tunnels run on the current tokio runtime.
    pub(crate) fn start(setup: Setup) -> Result<Self, std::io::Error> {
        let (orders, queue) = unbounded();
        let (events, _) = broadcast::channel(EVENTS);
        let access = Arc::new(AtomicU64::new(0));
        let jobs = Jobs::default();
        let run = Run {
            files: FilesShell::new(Handle::current(), orders.clone(), jobs.clone()),
            started: Instant::now(),
            queue,
            orders: orders.clone(),
            events: events.clone(),
            access: Arc::clone(&access),
            runtime: Handle::current(),
            tunnels: BTreeMap::new(),
            starts: 0,
        };
        thread::Builder::new().name("engine".into()).spawn(move || {
            let engine = Engine::new(setup, Box::new(OsEntropy), run.time());
            run.run(engine);
        })?;
        Ok(Self { orders, events, access, jobs })
    }

    /// Queues an order; `false` if the thread has ended.
    pub(crate) fn order(&self, order: Order) -> bool {
        self.orders.send(order).is_ok()
    }
}

struct Run {
    started: Instant,
    queue: Receiver<Order>,
    orders: Sender<Order>,
    events: broadcast::Sender<api::Event>,
    /// Counts what changes who may ask for what.
    access: Arc<AtomicU64>,
    runtime: Handle,
    tunnels: BTreeMap<CircleId, Slot>,
    /// How many tunnels were started. What an earlier one of a circle still says is not taken for a later one's.
    starts: u64,
    files: FilesShell,
}

/// A circle's tunnel.
struct Slot {
    start: u64,
    state: State,
}

/// A tunnel, or the commands that wait for it to start.
enum State {
    Starting(VecDeque<tunnel::Command>),
    Running(Tunnel),
}

impl Run {
    fn time(&self) -> Time {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Time {
            since_start: self.started.elapsed(),
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn run(mut self, mut engine: Engine) {
        while let Some(first) = self.wait(engine.deadline()) {
            let mut inputs = Vec::new();
            let mut weight = 0;
            // What has come in meanwhile shares the turn and its commit, up to a bound.
            let mut next = first;
            while let Some(order) = next.take() {
                match order {
                    Order::Input(input) => inputs.push(input),
                    Order::Tunnel(start, circle, event, early) => {
                        if self.tunnels.get(&circle).is_some_and(|slot| slot.start == start) {
                            weight += event_weight(&event);
                            inputs.push(Input::Tunnel(circle, event, early));
                        }
                    }
                    other => {
                        self.turn(&mut engine, std::mem::take(&mut inputs));
                        if self.carry_out(&mut engine, other) {
                            return;
                        }
                    }
                }
                if inputs.len() < TURN_INPUTS && weight < TURN_BYTES {
                    next = self.queue.try_recv().ok();
                }
            }
            self.turn(&mut engine, inputs);
        }
        let effects = engine.lock();
        self.carry_effects(effects);
    }

    /// Waits for an order or for a deadline; `None` when nobody can give orders any more.
    fn wait(&self, deadline: Option<Duration>) -> Option<Option<Order>> {
        let Some(deadline) = deadline else {
            return self.queue.recv().ok().map(Some);
        };
        match self.queue.recv_deadline(self.started + deadline) {
            Ok(order) => Some(Some(order)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    fn turn(&mut self, engine: &mut Engine, inputs: Vec<Input>) {
        let watched = self.events.receiver_count() > 0;
        let effects = engine.turn(inputs, self.time(), watched);
        self.carry_effects(effects);
    }

    /// Carries out an order that is not part of a turn; `true` ends the thread.
    fn carry_out(&mut self, engine: &mut Engine, order: Order) -> bool {
        match order {
            // These two are part of turns.
            Order::Input(input) => self.turn(engine, vec![input]),
            Order::Tunnel(_, circle, event, early) => {
                self.turn(engine, vec![Input::Tunnel(circle, event, early)]);
            }
            Order::Open { passphrase, how, answer } => {
                let was_locked = engine.vault().is_none();
                let opened = match how {
                    Opening::Create => engine.create(&passphrase),
                    Opening::Unlock(tries) => engine.unlock(&passphrase, tries, self.time()),
                };
                let _ = answer.send(opened.map(|effects| {
                    self.carry_effects(effects);
                    was_locked
                }));
            }
            Order::Lock(done) => {
                let effects = engine.lock();
                self.end_tunnels(effects, done);
            }
            Order::Wipe(answer) => {
                let wiped = engine.wipe().map(|effects| drop(self.carry_effects(effects)));
                // Nobody waits any more if the front end went away.
                let _ = answer.send(wiped);
            }
            Order::Look(look) => look(engine),
            Order::Started(start, circle, outcome) => self.started(engine, start, circle, outcome),
            Order::Stop(done) => {
                let effects = engine.lock();
                self.end_tunnels(effects, done);
                return true;
            }
        }
        false
    }

    /// Carries out what locking decided, and says so when the last tunnel has dropped its keys.
    fn end_tunnels(&mut self, effects: Vec<Effect>, done: oneshot::Sender<()>) {
        let files = self.files.close();
        let tunnels = self.carry_effects(effects);
        self.runtime.spawn(async move {
            files.await;
            for tunnel in tunnels {
                tunnel.stopped().await;
            }
            // Nobody waits any more if the front end went away.
            let _ = done.send(());
        });
    }

    /// Carries out what a turn decided, in order, but what goes to other devices before what is answered and shown
    /// here: they are waiting farther away. Returns the tunnels that were told to shut down.
    fn carry_effects(&mut self, effects: Vec<Effect>) -> Vec<Tunnel> {
        let (mut ended, mut answers, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Start(config) => self.start_tunnel(*config),
                Effect::Tunnel(circle, tunnel::Command::Shutdown) => {
                    if let Some(Slot { state: State::Running(tunnel), .. }) = self.tunnels.remove(&circle) {
                        tunnel.send(tunnel::Command::Shutdown);
                        ended.push(tunnel);
                    }
                }
                Effect::Tunnel(circle, command) => {
                    match self.tunnels.get_mut(&circle).map(|slot| &mut slot.state) {
                        Some(State::Running(tunnel)) => {
                            tunnel.send(command);
                        }
                        Some(State::Starting(waiting)) => waiting.push_back(command),
                        None => {}
                    }
                }
                Effect::Files(command) => self.carry_files(command),
                Effect::Answer(answer) => answers.push(answer),
                Effect::Publish(event) => {
                    // Before anybody is answered: what he asks next is asked of what is so now.
                    if matches!(*event, api::Event::Tokens | api::Event::Locked | api::Event::Unlocked) {
                        self.access.fetch_add(1, Ordering::Release);
                    }
                    events.push(*event);
                }
            }
        }
        answers.into_iter().for_each(Answer::give);
        for event in events {
            // An error says only that nobody listens.
            let _ = self.events.send(event);
        }
        ended
    }

    fn carry_files(&mut self, command: Command) {
        let tunnel = command.circle().and_then(|circle| match &self.tunnels.get(&circle)?.state {
            State::Running(tunnel) => Some(tunnel.clone()),
            State::Starting(_) => None,
        });
        self.files.carry_out(command, tunnel);
    }

    fn start_tunnel(&mut self, config: tunnel::Config) {
        let circle = config.circle;
        self.starts += 1;
        let start = self.starts;
        self.tunnels.insert(circle, Slot { start, state: State::Starting(VecDeque::new()) });
        let orders = self.orders.clone();
        let sink = {
            let orders = orders.clone();
            // Frames hold their link's credit until the engine has dropped them, so this queue is bounded.
            Arc::new(move |event| {
                let early = Early::of(&event);
                drop(orders.send(Order::Tunnel(start, circle, event, early.clone())));
                early.vouched();
            })
        };
        self.runtime.spawn(async move {
            let started = Tunnel::start(config, sink).await.map_err(|error| error.to_string());
            drop(orders.send(Order::Started(start, circle, started)));
        });
    }

    fn started(
        &mut self,
        engine: &mut Engine,
        start: u64,
        circle: CircleId,
        outcome: Result<Tunnel, String>,
    ) {
        let slot = self.tunnels.get_mut(&circle).filter(|slot| slot.start == start);
        match (outcome, slot) {
            (Ok(tunnel), Some(slot)) => {
                let before = std::mem::replace(&mut slot.state, State::Running(tunnel.clone()));
                if let State::Starting(waiting) = before {
                    for command in waiting {
                        tunnel.send(command);
                    }
                }
            }
            // It was shut down, or started anew, while it was starting.
            (Ok(tunnel), None) => {
                tunnel.send(tunnel::Command::Shutdown);
            }
            (Err(why), Some(_)) => {
                self.tunnels.remove(&circle);
                self.turn(engine, vec![Input::TunnelFailed(circle, why)]);
            }
            (Err(_), None) => {}
        }
    }
}

fn event_weight(event: &tunnel::Event) -> usize {
    match event {
        tunnel::Event::Frame { bytes, .. } => bytes.len(),
        _ => 0,
    }
}

/// How many inputs share one turn at most.
const TURN_INPUTS: usize = 512;
/// How many bytes of frames share one turn at most.
const TURN_BYTES: usize = 1 << 20;
/// How many events a listener may lag behind.
pub(crate) const EVENTS: usize = 1024;
