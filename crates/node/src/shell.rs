//! Runs an engine for real: its thread, its clock, its tunnels.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
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
use wire::{CircleId, Frame};

use crate::{
    api::{self, ApiError},
    early::Early,
    engine::{Answer, Effect, Engine, Input, Request, Setup, Time},
    files::{Command, FilesShell, Jobs},
    streams::{self, Desk, StreamsShell},
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
    /// See what has become due sooner than was known.
    Wake,
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
    orders: Orders,
    core: Weak<Mutex<Core>>,
    pub(crate) events: broadcast::Sender<api::Event>,
    pub(crate) access: Arc<AtomicU64>,
    pub(crate) jobs: Jobs,
    pub(crate) desk: Desk,
}

/// The queue to the engine, and how much of what was put into it is not done yet.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    queue: Sender<Order>,
    open: Arc<AtomicUsize>,
}

impl Orders {
    pub(crate) fn give(&self, order: Order) -> bool {
        self.open.fetch_add(1, Ordering::AcqRel);
        self.queue.send(order).is_ok()
    }

    fn done(&self, count: usize) {
        self.open.fetch_sub(count, Ordering::AcqRel);
    }

    fn are_done(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }
}

impl Shell {
    /// Makes a way to an engine, and its other end.
    pub(crate) fn new() -> (Self, Receiver<Order>) {
        let (queue, orders) = unbounded();
        let (events, _) = broadcast::channel(EVENTS);
        let queue = Orders { queue, open: Arc::default() };
        let (access, jobs, desk) = (Arc::default(), Jobs::default(), Desk::new(events.clone()));
        (Self { orders: queue, core: Weak::new(), events, access, jobs, desk }, orders)
    }

    /// Starts the engine's thread. Tunnels run on the current tokio runtime.
    pub(crate) fn start(setup: Setup) -> Result<Self, std::io::Error> {
        let (mut shell, queue) = Self::new();
        let (started, runtime) = (Instant::now(), Handle::current());
        let Self { orders, events, access, jobs, desk, .. } = shell.clone();
        let core = Arc::new_cyclic(|this: &Weak<Mutex<Core>>| {
            let engine = Engine::new(setup, Box::new(OsEntropy), time(started));
            let files = FilesShell::new(runtime.clone(), orders.clone(), jobs);
            let streams = StreamsShell::new(runtime.clone(), desk);
            let (this, tunnels) = (this.clone(), BTreeMap::new());
            Mutex::new(Core {
                engine,
                files,
                streams,
                started,
                alarm: None,
                orders,
                events,
                access,
                runtime,
                this,
                tunnels,
                starts: 0,
                pace: Pace::new(started),
            })
        });
        shell.core = Arc::downgrade(&core);
        thread::Builder::new().name("engine".into()).spawn(move || run(&core, &queue))?;
        Ok(shell)
    }

    /// Queues an order.
    pub(crate) fn order(&self, order: Order) {
        self.orders.give(order);
    }

    /// Carries out a short request: here and now if the engine rests and the disk is quick, otherwise in its turn.
    pub(crate) fn order_short(&self, request: Box<dyn Request>) {
        let input = Input::Request(request);
        let left = Core::while_it_rests(&self.core, &self.orders, input, |core, input| {
            if !core.pace.is_quick(Instant::now()) || !core.engine.owes_nothing(core.started.elapsed()) {
                return Some(input);
            }
            core.paced_turn(input);
            None
        });
        if let Some(input) = left {
            self.orders.give(Order::Input(input));
        }
    }
}

/// How long short turns take, and when the last turn ended.
///
/// A short turn is sooner done by whoever brings the work than the engine's thread is woken for it, and what it sends
/// goes out without waking the tunnels' thread anew. But while it lasts no packet is read: so none is run there
/// after a disk has shown that it may keep one waiting, nor while one follows the other, whose commits are better shared.
#[derive(Debug)]
struct Pace {
    ended: Instant,
    slow_until: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { ended: now, slow_until: now }
    }

    /// Takes note of a turn that was run by whoever brought the work.
    fn note(&mut self, begun: Instant, now: Instant) {
        self.ended = now;
        if now.duration_since(begun) > SHORT {
            self.slow_until = now + SLOW;
        }
    }

    fn is_quick(&self, now: Instant) -> bool {
        now >= self.slow_until && now.saturating_duration_since(self.ended) >= REST
    }
}

/// The engine with all that it acts upon. Its thread holds it while it works; in between, a tunnel's thread may take it
/// for a turn that is sooner done than another thread is woken.
struct Core {
    engine: Engine,
    started: Instant,
    /// When the engine's thread wakes by itself.
    alarm: Option<Duration>,
    orders: Orders,
    events: broadcast::Sender<api::Event>,
    /// Counts what changes who may ask for what.
    access: Arc<AtomicU64>,
    runtime: Handle,
    this: Weak<Mutex<Self>>,
    tunnels: BTreeMap<CircleId, Slot>,
    /// How many tunnels were started. What an earlier one of a circle still says is not taken for a later one's.
    starts: u64,
    files: FilesShell,
    pace: Pace,
    streams: StreamsShell,
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

/// The engine's thread: waits for an order or for what has become due, until it is told to stop.
fn run(core: &Mutex<Core>, queue: &Receiver<Order>) {
    let hold = || core.lock().expect("no turn panicked");
    let mut alarm = None;
    loop {
        let first = match alarm {
            None => queue.recv().map_err(RecvTimeoutError::from),
            Some(alarm) => queue.recv_deadline(alarm),
        };
        let first = match first {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut core = hold();
        if core.work(first, queue) {
            return;
        }
        core.alarm = core.engine.deadline();
        alarm = core.alarm.map(|alarm| core.started + alarm);
    }
}

fn time(started: Instant) -> Time {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time { since_start: started.elapsed(), wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX) }
}

impl Core {
    /// Carries out an order and what has come in meanwhile, or only what has become due; `true` ends the thread.
    fn work(&mut self, first: Option<Order>, queue: &Receiver<Order>) -> bool {
        let mut inputs = Vec::new();
        let (mut taken, mut weight) = (0, 0);
        // What has come in meanwhile shares the turn and its commit, up to a bound.
        let mut next = first;
        while let Some(order) = next.take() {
            taken += 1;
            match order {
                Order::Input(input) => inputs.push(input),
                Order::Tunnel(start, circle, event, early) => {
                    if self.is_current(start, &circle) {
                        weight += event_weight(&event);
                        inputs.push(Input::Tunnel(circle, event, early));
                    }
                }
                other => {
                    self.turn(std::mem::take(&mut inputs));
                    if self.carry_out(other) {
                        return true;
                    }
                }
            }
            if inputs.len() < TURN_INPUTS && weight < TURN_BYTES {
                next = queue.try_recv().ok();
            }
        }
        self.turn(inputs);
        self.pace.ended = Instant::now();
        self.orders.done(taken);
        false
    }

    fn is_current(&self, start: u64, circle: &CircleId) -> bool {
        self.tunnels.get(circle).is_some_and(|slot| slot.start == start)
    }

    fn turn(&mut self, inputs: Vec<Input>) {
        let watched = self.events.receiver_count() > 0;
        let effects = self.engine.turn(inputs, time(self.started), watched);
        self.carry_effects(effects);
    }

    /// Runs a turn over what a tunnel reports, if it is a [light](Engine::is_light) one, or a short one and the disk is
    /// quick; otherwise gives it back.
    fn tunnel_turn(&mut self, start: u64, circle: CircleId, event: tunnel::Event) -> Option<tunnel::Event> {
        let now = self.started.elapsed();
        if !self.is_current(start, &circle) {
            return Some(event);
        }
        let input = |event| Input::Tunnel(circle, event, Early::none());
        if self.engine.is_light(&circle, &event, now) {
            self.turn(vec![input(event)]);
            self.see_what_is_due();
        } else if self.pace.is_quick(Instant::now()) && self.engine.owes_nothing(now) && is_short(&event) {
            self.paced_turn(input(event));
        } else {
            return Some(event);
        }
        None
    }

    /// Runs a turn that may store something, on a thread that is not the engine's.
    fn paced_turn(&mut self, input: Input) {
        let begun = Instant::now();
        self.turn(vec![input]);
        self.pace.note(begun, Instant::now());
        self.see_what_is_due();
    }

    /// Wakes the engine's thread if something becomes due sooner than it knows.
    fn see_what_is_due(&mut self) {
        let due = self.engine.deadline();
        if due.is_some_and(|due| self.alarm.is_none_or(|alarm| due < alarm)) {
            // Once is enough.
            self.alarm = due;
            self.orders.give(Order::Wake);
        }
    }

    /// Carries out an order that is not part of a turn; `true` ends the thread.
    fn carry_out(&mut self, order: Order) -> bool {
        match order {
            // These two are part of turns.
            Order::Input(input) => self.turn(vec![input]),
            Order::Tunnel(_, circle, event, early) => {
                self.turn(vec![Input::Tunnel(circle, event, early)]);
            }
            // The turn that comes next sees what is due.
            Order::Wake => {}
            Order::Open { passphrase, how, answer } => {
                let was_locked = self.engine.vault().is_none();
                let opened = match how {
                    Opening::Create => self.engine.create(&passphrase),
                    Opening::Unlock(tries) => self.engine.unlock(&passphrase, tries, time(self.started)),
                };
                let _ = answer.send(opened.map(|effects| {
                    self.carry_effects(effects);
                    was_locked
                }));
            }
            Order::Lock(done) => {
                let effects = self.engine.lock();
                self.end_tunnels(effects, done);
            }
            Order::Wipe(answer) => {
                let (effects, wiped) = self.engine.wipe();
                drop(self.carry_effects(effects));
                // Nobody waits any more if the front end went away.
                let _ = answer.send(wiped);
            }
            Order::Look(look) => look(&self.engine),
            Order::Started(start, circle, outcome) => self.started(start, circle, outcome),
            Order::Stop(done) => {
                let effects = self.engine.lock();
                self.end_tunnels(effects, done);
                return true;
            }
        }
        false
    }

    /// Carries out what locking decided, and says so when the last tunnel has dropped its keys.
    fn end_tunnels(&mut self, effects: Vec<Effect>, done: oneshot::Sender<()>) {
        let files = self.files.close();
        let streams = self.streams.close();
        let tunnels = self.carry_effects(effects);
        self.runtime.spawn(async move {
            files.await;
            streams.await;
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
                Effect::Streams(command) => self.carry_streams(command),
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
        let tunnel = command.circle().and_then(|circle| self.tunnel(&circle));
        self.files.carry_out(command, tunnel);
    }

    fn carry_streams(&self, command: streams::Command) {
        let tunnel = command.circle().and_then(|circle| self.tunnel(&circle));
        self.streams.carry_out(command, tunnel);
    }

    fn tunnel(&self, circle: &CircleId) -> Option<Tunnel> {
        match &self.tunnels.get(circle)?.state {
            State::Running(tunnel) => Some(tunnel.clone()),
            State::Starting(_) => None,
        }
    }

    /// Lets `run` have the engine if it rests: if nothing is queued before `work`; what `run` does not take comes back.
    fn while_it_rests<T>(
        this: &Weak<Mutex<Self>>,
        orders: &Orders,
        work: T,
        run: impl FnOnce(&mut Self, T) -> Option<T>,
    ) -> Option<T> {
        if !orders.are_done() {
            return Some(work);
        }
        let Some(core) = this.upgrade() else { return Some(work) };
        // What this thread told the engine before is done, or it would be in the queue; so the order holds.
        let Ok(mut core) = core.try_lock() else { return Some(work) };
        run(&mut core, work)
    }

    fn start_tunnel(&mut self, config: tunnel::Config) {
        let circle = config.circle;
        self.starts += 1;
        let start = self.starts;
        self.tunnels.insert(circle, Slot { start, state: State::Starting(VecDeque::new()) });
        let orders = self.orders.clone();
        let sink = {
            let (orders, this) = (orders.clone(), self.this.clone());
            // Frames hold their link's credit until the engine has dropped them, so this queue is bounded.
            Arc::new(move |event| {
                let left = if Engine::may_be_light(&event) || is_short(&event) {
                    let run = |core: &mut Self, event| core.tunnel_turn(start, circle, event);
                    Self::while_it_rests(&this, &orders, event, run)
                } else {
                    Some(event)
                };
                let Some(event) = left else { return };
                let early = Early::of(&event);
                orders.give(Order::Tunnel(start, circle, event, early.clone()));
                early.vouched();
            })
        };
        self.runtime.spawn(async move {
            let started = Tunnel::start(config, sink).await.map_err(|error| error.to_string());
            orders.give(Order::Started(start, circle, started));
        });
    }

    fn started(&mut self, start: u64, circle: CircleId, outcome: Result<Tunnel, String>) {
        let slot = self.tunnels.get_mut(&circle).filter(|slot| slot.start == start);
        match (outcome, slot) {
            (Ok(tunnel), Some(slot)) => {
                let before = std::mem::replace(&mut slot.state, State::Running(tunnel.clone()));
                self.streams.started(&circle, &tunnel);
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
                self.turn(vec![Input::TunnelFailed(circle, why)]);
            }
            (Err(_), None) => {}
        }
    }
}

/// Tells whether a turn over an event is short: it brings few entries.
fn is_short(event: &tunnel::Event) -> bool {
    matches!(event, tunnel::Event::Frame { bytes, .. } if bytes.len() <= SMALL && Frame::is_entries(bytes))
}

fn event_weight(event: &tunnel::Event) -> usize {
    match event {
        tunnel::Event::Frame { bytes, .. } => bytes.len(),
        _ => 0,
    }
}

/// How long a turn may keep the tunnels' thread from its packets: a quarter of what lies between two of a voice call.
const SHORT: Duration = Duration::from_millis(5);
/// For how long a disk that took longer is not trusted.
const SLOW: Duration = Duration::from_secs(60);
/// How long after a turn the next one is not run by whoever brings it: what comes one after the other shares a commit.
const REST: Duration = Duration::from_micros(100);
/// The largest frame that is worked on by the thread that brings it.
const SMALL: usize = 4096;
/// How many inputs share one turn at most.
const TURN_INPUTS: usize = 512;
/// How many bytes of frames share one turn at most.
const TURN_BYTES: usize = 1 << 20;
/// How many events a listener may lag behind.
pub(crate) const EVENTS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_disk_and_a_turn_just_before_send_the_next_to_the_engines_thread() {
        let start = Instant::now();
        let at = |micros| start + Duration::from_micros(micros);
        let mut pace = Pace::new(start);
        assert!(!pace.is_quick(at(99)) && pace.is_quick(at(100)));
        pace.note(at(100), at(300));
        assert!(!pace.is_quick(at(399)) && pace.is_quick(at(400)));
        pace.note(at(400), at(5400));
        assert!(pace.is_quick(at(5500)), "five milliseconds are no more than may be");
        pace.note(at(6000), at(11_001));
        assert!(!pace.is_quick(at(1_000_000)) && !pace.is_quick(at(60_011_000)));
        assert!(pace.is_quick(at(60_011_001)));
    }
}
