//! What guards the vault while its person is away or under duress: locking by itself, counted tries, the wipe.

use std::time::Duration;

use vault::{Passphrase, StoreError, Vault};

use super::{Access, Effect, Engine, RequestError, Time, VAULT};
use crate::{
    api::{self, ApiError, ErrorKind},
    error::{from_open, from_wipe},
    files::Command,
};

/// How long the person may do nothing before the node locks itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Idle {
    /// How long; none for ever.
    pub(crate) after: Option<Duration>,
    /// When he last did something.
    pub(crate) last: Duration,
}

impl Idle {
    /// Begins to watch, as the vault says.
    pub(crate) fn restore(vault: &Vault, now: Duration) -> Result<Self, StoreError> {
        let stored =
            vault.setting(LOCK_AFTER)?.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
        Ok(Self { after: stored.map(Duration::from_secs), last: now })
    }

    /// Returns when the node locks itself if nothing is done until then.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        Some(self.last.saturating_add(self.after?))
    }
}

impl Engine {
    /// Destroys the vault, open or not: first its keys, then the rest. Needs no passphrase.
    pub fn wipe(&mut self) -> Result<Vec<Effect>, ApiError> {
        let mut effects = Vec::new();
        let wiped = match self.open.take() {
            Some(open) => {
                let shut = |circle: &wire::CircleId| Effect::Tunnel(*circle, tunnel::Command::Shutdown);
                effects.extend(open.circles.keys().map(shut));
                effects.push(Effect::Files(Command::Close));
                effects.push(Effect::Publish(Box::new(api::Event::Locked)));
                open.vault.wipe()
            }
            None => Vault::wipe_locked(&self.setup.home.join(VAULT)),
        };
        wiped.map_err(|error| from_wipe(&error))?;
        Ok(effects)
    }

    /// Locks, if the person has done nothing for too long.
    pub(super) fn lock_if_idle(&mut self, time: Time) -> Vec<Effect> {
        let idle = self.open.as_ref().and_then(|open| open.idle.deadline());
        if idle.is_some_and(|at| at <= time.since_start) { self.lock() } else { Vec::new() }
    }
}

impl Access<'_, '_> {
    /// Tells how the vault is guarded; not whether there is a duress passphrase.
    pub(crate) fn guard(&self) -> Result<api::Guard, RequestError> {
        let tries = self.ctx.tx.tries().map_err(|error| from_open(&error))?;
        Ok(api::Guard { lock_after_s: self.idle.after.map(|after| after.as_secs()), tries })
    }

    /// Sets how the vault is guarded.
    pub(crate) fn set_guard(&mut self, request: &api::SetGuard) -> Result<api::Guard, RequestError> {
        if request.lock_after_s.is_some_and(|after_s| !(SHORTEST..=LONGEST).contains(&after_s)) {
            let message = "a node locks itself after between 30 seconds and 30 days";
            return Err(ApiError::new(ErrorKind::User, message).into());
        }
        if request.tries.is_some_and(|tries| tries < FEWEST) {
            let message = "fewer than three tries are used up by mistyping";
            return Err(ApiError::new(ErrorKind::User, message).into());
        }
        let passphrase = Passphrase::new(&request.passphrase);
        let duress = request.duress.as_deref().map(Passphrase::new);
        self.ctx
            .tx
            .set_guard(&passphrase, request.tries, duress.as_ref())
            .map_err(|error| from_open(&error))?;
        match request.lock_after_s {
            Some(after_s) => self.ctx.tx.set_setting(LOCK_AFTER, &after_s.to_be_bytes())?,
            None => self.ctx.tx.remove_setting(LOCK_AFTER)?,
        }
        self.idle.after = request.lock_after_s.map(Duration::from_secs);
        self.guard()
    }
}

const LOCK_AFTER: &str = "node/lock after seconds";
const SHORTEST: u64 = 30;
const LONGEST: u64 = 30 * 86_400;
const FEWEST: u32 = 3;
