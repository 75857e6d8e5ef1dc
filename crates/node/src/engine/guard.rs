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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Idle {
    /// How long; none for ever.
    pub(crate) after: Option<Duration>,
    /// When he last did something.
    pub(crate) last: Time,
}

impl Idle {
    /// Begins to watch, as the vault says.
    pub(crate) fn restore(vault: &Vault, now: Time) -> Result<Self, StoreError> {
        let stored =
            vault.setting(LOCK_AFTER)?.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
        Ok(Self { after: stored.map(Duration::from_secs), last: now })
    }

    /// Returns when the node locks itself if nothing is done until then.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        Some(self.last.since_start.saturating_add(self.after?))
    }

    /// Tells whether he has done nothing for so long. While a device sleeps only its clock on the wall goes on.
    fn is_over(&self, now: Time) -> bool {
        let slept =
            |after: Duration| u128::from(now.wall_ms.saturating_sub(self.last.wall_ms)) >= after.as_millis();
        self.deadline().is_some_and(|at| at <= now.since_start) || self.after.is_some_and(slept)
    }
}

impl Engine {
    /// Destroys the vault, open or not: first its keys, then the rest. Needs no passphrase.
    ///
    /// What is to be done is to be done also where not all could be destroyed.
    pub fn wipe(&mut self) -> (Vec<Effect>, Result<(), ApiError>) {
        let mut effects = Vec::new();
        let wiped = match self.open.take() {
            Some(open) => {
                let shut = |circle: &wire::CircleId| Effect::Tunnel(*circle, tunnel::Command::Shutdown);
                effects.extend(open.circles.keys().map(shut));
                effects.push(Effect::Files(Command::Close));
                effects.push(Effect::Streams(crate::streams::Command::Close));
                effects.push(Effect::Publish(Box::new(api::Event::Locked)));
                open.vault.wipe()
            }
            None => Vault::wipe_locked(&self.setup.home.join(VAULT)),
        };
        (effects, wiped.map_err(|error| from_wipe(&error)))
    }

    /// Locks, if the person has done nothing for too long.
    pub(super) fn lock_if_idle(&mut self, time: Time) -> Vec<Effect> {
        let idle = self.open.as_ref().is_some_and(|open| open.idle.is_over(time));
        if idle { self.lock() } else { Vec::new() }
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

#[cfg(test)]
mod tests {
    use vault::{Kdf, Options};

    use super::*;
    use crate::engine::{Dht, Setup};

    const START: Time = Time { since_start: Duration::ZERO, wall_ms: 1_000_000 };

    fn engine(home: &std::path::Path) -> Engine {
        let setup = Setup {
            home: home.to_owned(),
            bind: Vec::new(),
            fixed: Vec::new(),
            lan: false,
            tcp: false,
            mapping: false,
            willing: Default::default(),
            dht: Dht::Remembered,
            vault: Options {
                kdf: Some(Kdf::Argon2id { memory_kib: 64, passes: 1, lanes: 1 }),
                ..Options::default()
            },
        };
        Engine::new(setup, Box::new(crypto::OsEntropy), START)
    }

    #[test]
    fn the_nodes_of_the_vault_that_was_emptied_are_not_in_the_empty_one() {
        let home = tempfile::tempdir().unwrap();
        let mut engine = engine(home.path());
        let (right, duress) =
            (Passphrase::new("correct horse battery"), Passphrase::new("another horse, another battery"));
        engine.create(&right).unwrap();
        let vault = &mut engine.open.as_mut().unwrap().vault;
        let on = Dht::On { bootstrap: vec!["192.0.2.1:1".parse().unwrap()] };
        super::super::dht::settle(vault, on.clone()).unwrap();
        vault.set_guard(&right, None, Some(&duress)).unwrap();
        engine.lock();
        engine.unlock(&right, vault::Tries::All, START).unwrap();
        assert_eq!(engine.setup.dht, on);
        engine.lock();
        engine.unlock(&duress, vault::Tries::All, START).unwrap();
        assert_eq!(engine.setup.dht, Dht::Off);
        let vault = &mut engine.open.as_mut().unwrap().vault;
        assert_eq!(super::super::dht::settle(vault, Dht::Remembered).unwrap(), Dht::Off);
    }

    #[test]
    fn what_could_not_be_wiped_is_closed_all_the_same() {
        let home = tempfile::tempdir().unwrap();
        let mut engine = engine(home.path());
        engine.create(&Passphrase::new("correct horse battery")).unwrap();
        // A disk that says no.
        let header = home.path().join(VAULT).join("vault.key");
        std::fs::remove_file(&header).unwrap();
        std::fs::create_dir(&header).unwrap();
        std::fs::write(header.join("full"), b"").unwrap();
        let (effects, wiped) = engine.wipe();
        assert!(wiped.is_err());
        assert!(matches!(effects.last(), Some(Effect::Publish(event)) if **event == api::Event::Locked));
        assert!(engine.open.is_none());
    }

    #[test]
    fn a_device_that_slept_for_too_long_locks_before_it_answers() {
        let home = tempfile::tempdir().unwrap();
        let mut engine = engine(home.path());
        engine.create(&Passphrase::new("correct horse battery")).unwrap();
        engine.open.as_mut().unwrap().idle.after = Some(Duration::from_secs(600));
        let at = |since_start, wall_s: u64| Time {
            since_start: Duration::from_secs(since_start),
            wall_ms: START.wall_ms + wall_s * 1000,
        };
        engine.turn(Vec::new(), at(10, 599), false);
        assert!(engine.open.is_some());
        // The clock that counts what it runs for stood still meanwhile.
        engine.turn(Vec::new(), at(11, 600), false);
        assert!(engine.open.is_none());
    }
}
