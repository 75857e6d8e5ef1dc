//! The engine: one synchronous loop through which everything passes that changes what this device keeps.
//!
//! One *turn*: a batch of inputs (requests from front ends, events from tunnels) is handled, what it changes is
//! written in **one** transaction, and only when that is durable are frames sent, requests answered and events
//! published. If the transaction fails, nothing of the turn has happened: memory is read back from the vault,
//! requests get the error, links start over.
//!
//! The engine has no threads, sockets or clock of its own. `shell` runs it for real; `testnet` runs many of
//! them on virtual links and a virtual clock.

mod bodies;
mod change;
mod circle;
mod claims;
mod compose;
mod contacts;
mod dht;
mod ends;
mod exchange;
mod files;
mod flow;
mod frontiers;
mod groups;
mod guard;
mod history;
mod join;
mod link;
mod message;
mod recovery;
mod rekey;
mod rendezvous;
mod requests;
mod roles;
mod share;
pub(crate) mod streams;
mod sync;
mod talk;
mod tokens;
mod verification;
mod view;

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use crypto::Entropy;
use tokio::sync::oneshot;
use vault::{Passphrase, StoreError, Tries, Unlocked, Vault};
use wire::{CircleId, Frame};

pub use crate::early::Early;
use crate::{
    api::{self, ApiError},
    error::{from_create, from_open, from_store, locked},
    files::{Command, Report},
};
pub(crate) use circle::CircleState;

/// What the engine is told.
pub enum Input {
    /// A front end asks for something.
    Request(Box<dyn Request>),
    /// A circle's tunnel reports something, part of which may be checked already.
    Tunnel(CircleId, tunnel::Event, Early),
    /// A circle's tunnel could not be started.
    TunnelFailed(CircleId, String),
    /// Something became of a file.
    Files(CircleId, Report),
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(_) => f.write_str("Request"),
            Self::Tunnel(circle, event, _) => write!(f, "Tunnel({circle:?}, {event:?})"),
            Self::TunnelFailed(circle, _) => write!(f, "TunnelFailed({circle:?})"),
            Self::Files(circle, report) => write!(f, "Files({circle:?}, {report:?})"),
        }
    }
}

/// What is to be done after a turn, in order.
#[derive(Debug)]
pub enum Effect {
    /// Starts a circle's tunnel.
    Start(Box<tunnel::Config>),
    /// Gives a command to a circle's tunnel.
    Tunnel(CircleId, tunnel::Command),
    /// Answers a front end's request.
    Answer(Answer),
    /// Does something about files.
    Files(Command),
    /// Does something about streams.
    Streams(crate::streams::Command),
    /// Tells front ends what happened.
    Publish(Box<api::Event>),
}

/// A request that was dealt with, and with what outcome.
pub struct Answer(Box<dyn Request>, Result<(), ApiError>);

impl Answer {
    /// Lets whoever asked go on.
    pub fn give(self) {
        self.0.finish(self.1);
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer(holds: {})", self.1.is_ok())
    }
}

/// One request of a front end: run inside a turn, answered after its commit.
pub trait Request: Send {
    /// Carries the request out; a vault's error ends the turn.
    fn run(&mut self, access: &mut Access<'_, '_>) -> Result<(), StoreError>;
    /// Tells whether a person does something, or a front end only looks after something.
    fn is_act(&self) -> bool;
    /// Answers: with what `run` found, or with why the turn failed.
    fn finish(self: Box<Self>, outcome: Result<(), ApiError>);
}

/// What a request may see and change.
pub struct Access<'a, 'v> {
    pub(crate) circles: &'a mut BTreeMap<CircleId, CircleState>,
    pub(crate) setup: &'a Setup,
    pub(crate) idle: &'a mut guard::Idle,
    pub(crate) ctx: Ctx<'a, 'v>,
}

impl fmt::Debug for Access<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({} circles)", self.circles.len())
    }
}

/// The turn under way: its transaction, its effects, its time.
pub(crate) struct Ctx<'a, 'v> {
    pub(crate) tx: &'a mut vault::Turn<'v>,
    pub(crate) effects: &'a mut Vec<Effect>,
    pub(crate) entropy: &'a mut dyn Entropy,
    pub(crate) time: Time,
    /// Whether anyone listens to events; if not, they are not made.
    pub(crate) watched: bool,
}

/// The time of a turn, given by whoever runs the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Since some moment before the engine started; never goes back.
    pub since_start: Duration,
    /// The device's clock, in milliseconds since 1970; may jump.
    pub wall_ms: u64,
}

/// How a device is set up; the same for all its circles.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The folder that holds the vault.
    pub home: PathBuf,
    /// Where tunnels listen; empty for every interface on a port the system chooses.
    pub bind: Vec<SocketAddr>,
    /// Addresses at which others reach this device although it has them on no interface.
    pub fixed: Vec<SocketAddr>,
    /// Whether members are looked for on the local network.
    pub lan: bool,
    /// Whether tunnels also listen on TCP, and go there where UDP does not get through.
    pub tcp: bool,
    /// Whether the router is asked to let this device's port in.
    pub mapping: bool,
    /// Whether, and how much, this device forwards for other members.
    pub willing: tunnel::Willing,
    /// Whether members are looked for on the Mainline DHT.
    pub dht: Dht,
    /// How the vault is made and kept.
    pub vault: vault::Options,
}

/// Whether members are looked for on the Mainline DHT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dht {
    /// As the vault remembers it; off if it was never switched on.
    Remembered,
    /// Not, and this is remembered.
    Off,
    /// They are, and this is remembered.
    On {
        /// Nodes of the DHT to begin with; if there are none, those that were named last.
        bootstrap: Vec<SocketAddr>,
    },
}

/// The engine of one device.
pub struct Engine {
    setup: Setup,
    /// Whether members are to be looked for on the DHT; in `setup` stands what came of that with the open vault.
    wanted_dht: Dht,
    open: Option<Open>,
    entropy: Box<dyn Entropy + Send>,
    started_ms: u64,
}

/// What an unlocked engine holds.
struct Open {
    vault: Vault,
    circles: BTreeMap<CircleId, CircleState>,
    /// When what came lately is put into the words' index.
    index_at: Option<Duration>,
    /// How long the person may do nothing.
    idle: guard::Idle,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine(locked: {})", self.open.is_none())
    }
}

impl Engine {
    /// Makes an engine, locked.
    pub fn new(setup: Setup, entropy: Box<dyn Entropy + Send>, time: Time) -> Self {
        let wanted_dht = setup.dht.clone();
        Self { setup, wanted_dht, open: None, entropy, started_ms: time.wall_ms }
    }

    /// Tells whether this device has a vault.
    pub fn has_vault(&self) -> bool {
        self.open.is_some() || Vault::exists(&self.setup.home.join(VAULT))
    }

    /// Makes the vault and opens it.
    pub fn create(&mut self, passphrase: &Passphrase) -> Result<Vec<Effect>, ApiError> {
        if self.open.is_some() {
            return Err(from_create(&vault::CreateError::AlreadyExists));
        }
        let vault = Vault::create(&self.setup.home.join(VAULT), passphrase, self.setup.vault)
            .map_err(|error| from_create(&error))?;
        self.opened(vault, Time { since_start: Duration::ZERO, wall_ms: self.started_ms })
    }

    /// Opens the vault and starts the tunnels of all its circles.
    ///
    /// What has expired meanwhile is erased before anything can be asked.
    pub fn unlock(
        &mut self,
        passphrase: &Passphrase,
        tries: Tries,
        time: Time,
    ) -> Result<Vec<Effect>, ApiError> {
        if self.open.is_some() {
            return Ok(Vec::new());
        }
        let unlocked = Vault::unlock(&self.setup.home.join(VAULT), passphrase, self.setup.vault, tries);
        // Whoever looks on sees the same, whichever passphrase it was.
        let (Unlocked::Opened(vault) | Unlocked::Emptied(vault)) =
            unlocked.map_err(|error| from_open(&error))?;
        let effects = self.opened(vault, time)?;
        if let Some(open) = &mut self.open
            && let Err(error) = open.erase_expired(time.wall_ms)
        {
            // What cannot be erased must not be shown either.
            self.open = None;
            return Err(from_store(&error));
        }
        Ok(effects)
    }

    /// Ends all tunnels, closes the vault and drops every key.
    pub fn lock(&mut self) -> Vec<Effect> {
        let Some(mut open) = self.open.take() else {
            return Vec::new();
        };
        if let Err(error) = open.keep_receipts() {
            tracing::warn!(%error, "receipts were not stored; they are said again on the next link");
        }
        let shut = |circle: &CircleId| Effect::Tunnel(*circle, tunnel::Command::Shutdown);
        let mut effects: Vec<_> = open.circles.keys().map(shut).collect();
        effects.push(Effect::Files(Command::Close));
        effects.push(Effect::Streams(crate::streams::Command::Close));
        effects.push(Effect::Publish(Box::new(api::Event::Locked)));
        effects
    }

    fn opened(&mut self, mut vault: Vault, now: Time) -> Result<Vec<Effect>, ApiError> {
        self.setup.dht =
            dht::settle(&mut vault, self.wanted_dht.clone()).map_err(|error| from_store(&error))?;
        let circles = circle::restore_all(&vault).map_err(|error| from_open(&error))?;
        let mut effects: Vec<_> =
            circles.values().filter_map(|circle| circle.start(&self.setup)).flatten().collect();
        let places = circles.values().flat_map(CircleState::file_places).collect();
        effects.push(Effect::Files(Command::Open { store: vault.chunk_store(), keep: places }));
        effects.push(Effect::Streams(crate::streams::Command::Open));
        effects.push(Effect::Publish(Box::new(api::Event::Unlocked)));
        let unindexed = vault.unindexed(1).map_err(|error| from_store(&error))?;
        let untidy = vault.has_untidy_words().map_err(|error| from_store(&error))?;
        let index_at = (untidy || !unindexed.is_empty()).then_some(Duration::ZERO);
        let idle = guard::Idle::restore(&vault, now).map_err(|error| from_store(&error))?;
        self.open = Some(Open { vault, circles, index_at, idle });
        Ok(effects)
    }

    /// Runs one turn over `inputs`, and over what has become due.
    pub fn turn(&mut self, inputs: Vec<Input>, time: Time, watched: bool) -> Vec<Effect> {
        // A device that slept longer than the person may do nothing does not answer before it locks.
        let mut closed = self.lock_if_idle(time);
        let Some(open) = &mut self.open else {
            let refused = |input| match input {
                Input::Request(request) => Some(Effect::Answer(Answer(request, Err(locked())))),
                _ => None,
            };
            closed.extend(inputs.into_iter().filter_map(refused));
            return closed;
        };
        let given = Given { setup: &self.setup, entropy: self.entropy.as_mut(), time, watched };
        let mut gathered = Gathered::default();
        let done = open.turn(inputs, given, &mut gathered);
        let Gathered { requests, missed, mut effects } = gathered;
        let outcome = match done {
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "a turn failed and was undone");
                // What is in memory is not what is stored: without the vault's word nothing may go on.
                effects = open.start_over(&error, missed).unwrap_or_else(|| self.lock());
                Err(from_store(&error))
            }
        };
        effects.extend(requests.into_iter().map(|request| Effect::Answer(Answer(request, outcome.clone()))));
        effects
    }

    /// Tells whether a turn over what a tunnel reports could be [light](Self::is_light), without looking at the engine.
    pub(crate) fn may_be_light(event: &tunnel::Event) -> bool {
        matches!(event, tunnel::Event::Frame { bytes, .. } if bytes.len() <= LIGHT && Frame::is_receipts(bytes))
    }

    /// Tells whether a turn over what a tunnel reports neither reads nor writes the vault, whatever it says: it is
    /// another member's word of what he has stored, and nothing waits for that or is due.
    pub(crate) fn is_light(&self, circle: &CircleId, event: &tunnel::Event, now: Duration) -> bool {
        let Some(open) = self.open.as_ref() else { return false };
        let tunnel::Event::Frame { device, .. } = event else { return false };
        let from_another = open.circles.get(circle).is_some_and(|circle| circle.is_of_another(device));
        Self::may_be_light(event) && from_another && self.owes_nothing(now)
    }

    /// Tells whether nothing is due, and nothing that was put off waits for the next turn.
    pub(crate) fn owes_nothing(&self, now: Duration) -> bool {
        let circles = self.open.iter().flat_map(|open| open.circles.values());
        circles.into_iter().all(CircleState::owes_nothing) && self.deadline().is_none_or(|due| due > now)
    }

    /// Returns when the next turn is due although nothing comes in.
    pub fn deadline(&self) -> Option<Duration> {
        let open = self.open.as_ref()?;
        open.circles
            .values()
            .filter_map(CircleState::deadline)
            .chain(open.index_at)
            .chain(open.idle.deadline())
            .min()
    }

    /// Describes the node.
    pub fn status(&self) -> api::Status {
        let circles = self.open.iter().flat_map(|open| open.circles.values());
        api::Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            locked: self.open.is_none(),
            started_ms: self.started_ms,
            circles: circles.map(CircleState::view).collect(),
        }
    }

    /// Gives the open vault to a check that needs it whole.
    pub(crate) fn vault(&self) -> Option<&Vault> {
        self.open.as_ref().map(|open| &open.vault)
    }
}

/// What a turn takes place under.
struct Given<'a> {
    setup: &'a Setup,
    entropy: &'a mut dyn Entropy,
    time: Time,
    watched: bool,
}

/// What has come together in a turn.
#[derive(Default)]
struct Gathered {
    /// To be answered.
    requests: Vec<Box<dyn Request>>,
    /// What tunnels reported after the turn had failed.
    missed: Vec<(CircleId, tunnel::Event)>,
    /// To be done if it is committed.
    effects: Vec<Effect>,
}

impl Open {
    /// Erases all messages whose time is over.
    fn erase_expired(&mut self, now_ms: u64) -> Result<(), StoreError> {
        for circle in self.circles.values_mut() {
            while circle.talk.next_expiry_ms.is_some_and(|next_ms| next_ms <= now_ms) {
                let mut tx = self.vault.begin()?;
                circle.expire_part(&mut tx, now_ms)?;
                tx.commit()?;
            }
        }
        Ok(())
    }

    /// Stores what is still to be stored before the vault is closed.
    fn keep_receipts(&mut self) -> Result<(), StoreError> {
        let mut tx = self.vault.begin()?;
        self.circles.values_mut().try_for_each(|circle| circle.keep_receipts(&mut tx))?;
        tx.commit()
    }

    /// Handles inputs and commits what they change; what is to be done after it is gathered, however it ends.
    fn turn(
        &mut self,
        inputs: Vec<Input>,
        given: Given<'_>,
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        let Given { setup, entropy, time, watched } = given;
        let Gathered { requests, missed, effects } = gathered;
        let mut tx = self.vault.begin()?;
        let mut failed = None;
        for input in inputs {
            let ctx = Ctx { tx: &mut tx, effects, entropy, time, watched };
            let handled = match input {
                Input::Request(mut request) => {
                    if request.is_act() {
                        self.idle.last = time;
                    }
                    let run = match &failed {
                        None => request.run(&mut Access {
                            circles: &mut self.circles,
                            setup,
                            idle: &mut self.idle,
                            ctx,
                        }),
                        Some(_) => Ok(()),
                    };
                    requests.push(request);
                    run
                }
                Input::Tunnel(circle, event, early) => match (self.circles.get_mut(&circle), &failed) {
                    (Some(circle), None) => circle.handle_tunnel(ctx, event, &early),
                    (Some(_), Some(_)) => {
                        missed.push((circle, event));
                        Ok(())
                    }
                    (None, _) => Ok(()),
                },
                Input::TunnelFailed(circle, why) => {
                    if let Some(circle) = self.circles.get_mut(&circle) {
                        circle.tunnel_failed(&mut { ctx }, why);
                    }
                    Ok(())
                }
                Input::Files(circle, report) => match (self.circles.get_mut(&circle), &failed) {
                    (Some(circle), None) => circle.handle_report(&mut { ctx }, report),
                    _ => Ok(()),
                },
            };
            // The requests that follow must still be answered.
            failed = failed.or(handled.err());
        }
        if let Some(error) = failed {
            return Err(error);
        }
        for circle in self.circles.values_mut() {
            let ctx = &mut Ctx { tx: &mut tx, effects, entropy, time, watched };
            circle.restart_tunnel(ctx, setup);
            circle.rekey_step(ctx, setup)?;
            circle.finish_turn(ctx)?;
        }
        let stored = self.circles.values_mut().map(|circle| std::mem::take(&mut circle.talk.stored));
        let stored = stored.fold(false, |any, stored| any | stored);
        if stored {
            self.index_at = Some(time.since_start + QUIET);
        } else if self.index_at.is_some_and(|at| at <= time.since_start) {
            let more = compose::index_part(&mut tx, INDEXED)? || tx.tidy_words(TIDIED)?;
            self.index_at = more.then(|| time.since_start + PAUSE);
        }
        tx.commit()
    }

    /// Reads everything back from the vault after a turn that failed, and lets all links start over; nothing if it
    /// cannot be read.
    fn start_over(
        &mut self,
        error: &StoreError,
        missed: Vec<(CircleId, tunnel::Event)>,
    ) -> Option<Vec<Effect>> {
        let mut effects = Vec::new();
        let trouble = from_store(error).message;
        let mut restored = circle::restore_all(&self.vault).ok()?;
        for (id, old) in &mut self.circles {
            match restored.get_mut(id) {
                Some(new) => new.inherit(old, &trouble, &mut effects),
                None => effects.push(Effect::Tunnel(*id, tunnel::Command::Shutdown)),
            }
        }
        for (circle, event) in missed {
            if let Some(circle) = restored.get_mut(&circle) {
                circle.missed(event, &mut effects);
            }
        }
        self.circles = restored;
        Some(effects)
    }
}

/// A request made of a closure and the channel for its answer.
pub(crate) struct Call<T, F> {
    is_act: bool,
    act: Option<F>,
    found: Option<Result<T, ApiError>>,
    answer: oneshot::Sender<Result<T, ApiError>>,
}

impl<T, F> Call<T, F> {
    /// Makes a request, and the other end of the channel for its answer.
    pub(crate) fn new(act: F, is_act: bool) -> (Self, oneshot::Receiver<Result<T, ApiError>>) {
        let (answer, found) = oneshot::channel();
        (Self { is_act, act: Some(act), found: None, answer }, found)
    }
}

impl<T, F> Request for Call<T, F>
where
    T: Send,
    F: FnOnce(&mut Access<'_, '_>) -> Result<T, RequestError> + Send,
{
    fn run(&mut self, access: &mut Access<'_, '_>) -> Result<(), StoreError> {
        let Some(act) = self.act.take() else { return Ok(()) };
        self.found = Some(match act(access) {
            Ok(found) => Ok(found),
            Err(RequestError::Refused(error)) => Err(error),
            Err(RequestError::Vault(error)) => return Err(error),
        });
        Ok(())
    }

    fn is_act(&self) -> bool {
        self.is_act
    }

    fn finish(self: Box<Self>, outcome: Result<(), ApiError>) {
        let Self { found, answer, .. } = *self;
        let found = outcome.and_then(|()| found.unwrap_or_else(|| Err(locked())));
        // Nobody waits any more if the front end went away; what was done stays done.
        let _ = answer.send(found);
    }
}

/// Why a request was not carried out.
#[derive(Debug)]
pub enum RequestError {
    /// It was refused before anything was changed.
    Refused(ApiError),
    /// The vault failed; the whole turn is undone.
    Vault(StoreError),
}

impl From<ApiError> for RequestError {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        Self::Vault(error)
    }
}

/// For how long nothing must come before what came is put into the words' index, how much of it in one turn, and how
/// long others have their turn in between.
const QUIET: Duration = Duration::from_secs(2);
const INDEXED: usize = 128;
const PAUSE: Duration = Duration::from_millis(50);
/// How long what a tunnel reports may be for a light turn: some forty receipts.
const LIGHT: usize = 4096;
/// How many pages of the words' index are written anew in one turn after something was erased.
const TIDIED: u32 = 256;
/// The vault's folder in the home.
const VAULT: &str = "vault";
