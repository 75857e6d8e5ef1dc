//! When to tell and when to look.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crypto::SigningKey;
use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};
use wire::{DeviceId, limits};

use super::{
    DhtConfig, DhtStatus,
    client::Client,
    nodes::Nodes,
    record::{self, Slot},
};
use crate::whereabouts::{DAY, Finding, Setting, Whereabouts, random, unix_now, worth_telling};

/// The one task that tells where a circle's device is and looks for those that cannot be reached. One operation at a
/// time, each with a socket of its own; between them there is none.
pub(crate) struct Rendezvous {
    pub(crate) key: SigningKey,
    pub(crate) config: DhtConfig,
    /// The addresses to send from, at most one of each family.
    pub(crate) own: Vec<IpAddr>,
    pub(crate) settings: watch::Receiver<Setting>,
    /// The devices that cannot be reached.
    pub(crate) sought: watch::Receiver<BTreeSet<DeviceId>>,
    pub(crate) found: mpsc::Sender<Finding>,
    pub(crate) progress: watch::Sender<Progress>,
}

/// How it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) status: DhtStatus,
    /// The nodes to be remembered.
    pub(crate) nodes: Vec<SocketAddr>,
}

/// A device that is looked for.
#[derive(Debug)]
struct Sought {
    tries: u32,
    next: Instant,
    /// What it said last, in seconds since 1970.
    said: u64,
}

impl Rendezvous {
    /// Runs until the shell is gone.
    pub(crate) async fn run(mut self) {
        let mut nodes = Nodes::new(&self.config.bootstrap, &self.config.remembered);
        let mut sought: BTreeMap<DeviceId, Sought> = BTreeMap::new();
        let (mut told, mut tell) = (Setting::default(), None::<Instant>);
        let mut quiet = Instant::now();
        loop {
            let setting = self.settings.borrow_and_update().clone();
            let addresses = self.worth_telling(&setting.all);
            if setting.secrets.first() != told.secrets.first() || addresses != told.all {
                tell = Some(
                    Instant::now()
                        + self.config.timing.settle.div_f64(4.0)
                        + random(self.config.timing.settle),
                );
                told = Setting { all: addresses, ..setting.clone() };
            }
            if told.secrets.is_empty() || told.all.is_empty() {
                tell = None;
            }
            let wanted = self.sought.borrow_and_update().clone();
            let look = self
                .next(&mut sought, &wanted, !setting.secrets.is_empty())
                .map(|(device, at)| (device, at.max(quiet)));
            let alarm = tell.into_iter().chain(look.map(|(_, at)| at)).min();
            let due = async {
                match alarm {
                    Some(alarm) => sleep_until(alarm.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.settings.changed() => if changed.is_err() { return },
                changed = self.sought.changed() => if changed.is_err() { return },
                () = due => {
                    let now = Instant::now();
                    if tell.is_some_and(|tell| tell <= now) {
                        let kept = self.tell(&mut nodes, &told).await;
                        let again = if kept > 0 { self.config.timing.again } else { self.config.timing.retry };
                        tell = Some(Instant::now() + again.mul_f64(0.7) + random(again.mul_f64(0.6)));
                    } else if let Some((device, _)) = look {
                        self.look(&mut nodes, &setting, device, &mut sought).await;
                        quiet = Instant::now() + random(self.config.timing.pace);
                    }
                    self.progress.send_modify(|progress| {
                        progress.status.nodes = nodes.count();
                        progress.nodes = nodes.remembered();
                    });
                }
            }
        }
    }

    /// Picks who is to be looked for next, and when.
    fn next(
        &self,
        sought: &mut BTreeMap<DeviceId, Sought>,
        wanted: &BTreeSet<DeviceId>,
        can: bool,
    ) -> Option<(DeviceId, Instant)> {
        // Who was reached for as long as the longest pause is looked for anew when he is lost again.
        let now = Instant::now();
        sought
            .retain(|device, sought| wanted.contains(device) || sought.next + self.config.timing.last > now);
        for device in wanted {
            sought.entry(*device).or_insert_with(|| Sought {
                tries: 0,
                next: now + self.config.timing.first.mul_f64(0.5) + random(self.config.timing.first),
                said: 0,
            });
        }
        let due = wanted.iter().filter_map(|device| Some((*device, sought.get(device)?.next)));
        due.min_by_key(|(_, next)| *next).filter(|_| can)
    }

    /// Puts this device's record; returns how many nodes keep it.
    async fn tell(&self, nodes: &mut Nodes, setting: &Setting) -> usize {
        let Some(secret) = setting.secrets.first() else { return 0 };
        let device = DeviceId::new(self.key.public());
        let at = unix_now();
        let slot = Slot::new(secret, device, record::period(at));
        let said = Whereabouts { device, at, addresses: setting.all.clone() };
        let mut kept = 0;
        for own in &self.own {
            match self.put(nodes, *own, &slot, &said).await {
                Ok(count) => kept += count,
                Err(error) => tracing::debug!(%error, "a record was not put"),
            }
        }
        self.progress.send_modify(|progress| {
            progress.status.kept_by = kept;
            progress.status.told += u64::from(kept > 0);
        });
        kept
    }

    async fn put(
        &self,
        nodes: &mut Nodes,
        own: IpAddr,
        slot: &Slot,
        said: &Whereabouts,
    ) -> io::Result<usize> {
        let start = nodes.start(own);
        if start.is_empty() {
            return Ok(0);
        }
        let mut client = Client::open(own).await?;
        let mut beyond = None;
        let search = client.search(slot.place(), start.clone(), |item| {
            beyond = beyond.max(slot.seq(item));
            false
        });
        let search = search.await?;
        let answered: Vec<_> = search.answered().map(|(address, _)| address).collect();
        nodes.forget(&start, &answered);
        nodes.learn(answered);
        client.put(&search, &slot.seal(&self.key, said, beyond)).await
    }

    /// Looks for a device and passes on what it says, if that is new.
    async fn look(
        &self,
        nodes: &mut Nodes,
        setting: &Setting,
        device: DeviceId,
        sought: &mut BTreeMap<DeviceId, Sought>,
    ) {
        let tries = sought.get(&device).map_or(0, |sought| sought.tries);
        let said = self.said(nodes, secrets(setting, tries, unix_now()), device).await;
        let Some(sought) = sought.get_mut(&device) else { return };
        let timing = &self.config.timing;
        let pause = timing.first.saturating_mul(2 << sought.tries.min(20)).min(timing.last);
        sought.tries = sought.tries.saturating_add(1);
        sought.next = Instant::now() + pause.mul_f64(0.75) + random(pause.mul_f64(0.5));
        self.progress.send_modify(|progress| progress.status.looked += 1);
        // What was said before, or is said again by one who kept it, is old news.
        if let Some(said) = said.filter(|said| is_news(said, sought.said)) {
            sought.said = said.at;
            self.progress.send_modify(|progress| progress.status.found += 1);
            // The shell is gone when this fails; the task ends with it.
            let _ = self.found.send(Finding { device, addresses: self.worth_telling(&said.addresses) }).await;
        }
    }

    /// Returns the latest that a device said, under whatever secret and on whichever of two days it may have.
    async fn said(&self, nodes: &mut Nodes, secrets: &[[u8; 32]], device: DeviceId) -> Option<Whereabouts> {
        let now = unix_now();
        for secret in secrets {
            for period in periods(now) {
                let slot = Slot::new(secret, device, period);
                for own in &self.own {
                    match self.fetch(nodes, *own, &slot, now).await {
                        Ok(None) => {}
                        Ok(said) => return said,
                        Err(error) => tracing::debug!(%error, "a record was not looked for"),
                    }
                }
            }
        }
        None
    }

    async fn fetch(
        &self,
        nodes: &mut Nodes,
        own: IpAddr,
        slot: &Slot,
        now: u64,
    ) -> io::Result<Option<Whereabouts>> {
        let start = nodes.start(own);
        if start.is_empty() {
            return Ok(None);
        }
        let mut client = Client::open(own).await?;
        let mut latest: Option<Whereabouts> = None;
        let search = client.search(slot.place(), start.clone(), |item| {
            let said = slot.open(item).filter(|said| is_past(said, now));
            let opened = said.is_some();
            if said.as_ref().map(|said| said.at) > latest.as_ref().map(|latest| latest.at) {
                latest = said;
            }
            opened
        });
        let search = search.await?;
        let answered: Vec<_> = search.answered().map(|(address, _)| address).collect();
        nodes.forget(&start, &answered);
        nodes.learn(answered);
        Ok(latest)
    }

    /// Keeps the addresses at which others can do something; those of the loopback if there is no other network.
    fn worth_telling(&self, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        if self.own.iter().all(IpAddr::is_loopback) {
            addresses
                .iter()
                .filter(|address| address.ip().is_loopback())
                .take(limits::ADDRESSES)
                .copied()
                .collect()
        } else {
            worth_telling(addresses)
        }
    }
}

/// Whether a device said this after what it said `before`: whoever kept a record may put it again.
fn is_news(said: &Whereabouts, before: u64) -> bool {
    said.at > before
}

/// Whether a device said this by now, as far as clocks agree: one from the future would be the latest for long.
fn is_past(said: &Whereabouts, now: u64) -> bool {
    said.at <= now.saturating_add(AHEAD)
}

/// Returns the days of which a record may be: today, and the nearer of the days beside it. A record is kept for two
/// hours, clocks differ, and nobody begins the day's on the minute.
fn periods(now: u64) -> [u64; 2] {
    let today = record::period(now);
    [today, if now % DAY < DAY / 2 { today.saturating_sub(1) } else { today + 1 }]
}

/// Returns the secrets under which a device is looked for that was looked for so many times before.
///
/// Whoever was removed knows the places under the secret before the current one, and may keep nodes there to see who
/// asks. It is for those who missed the removal: they are many for a few days, and then fewer and fewer.
fn secrets(setting: &Setting, tries: u32, now: u64) -> &[[u8; 32]] {
    let before = tries % SELDOM == 1 && now.saturating_sub(setting.since) < MISSED;
    let count = if before { 2 } else { 1 };
    setting.secrets.get(..count).unwrap_or(&setting.secrets)
}

/// By how many seconds another device's clock may be ahead.
const AHEAD: u64 = 3600;
/// For how many seconds after a removal those are looked for who missed it.
const MISSED: u64 = 30 * DAY;
/// One of so many look-ups for a device is for that.
const SELDOM: u32 = 4;

impl Default for super::DhtTiming {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(16),
            // Nodes forget a record after two hours (BEP 44).
            again: Duration::from_secs(50 * 60),
            retry: Duration::from_secs(120),
            first: Duration::from_secs(4),
            last: Duration::from_secs(3600),
            pace: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_again_or_comes_from_the_future_sends_nobody_anywhere() {
        let said = |at| Whereabouts { device: DeviceId::new([1; 32]), at, addresses: Vec::new() };
        let now = 1_800_000_000;
        assert!(is_news(&said(now), now - 1) && is_past(&said(now), now));
        assert!(!is_news(&said(now), now) && !is_news(&said(now - 60), now), "a replay");
        assert!(is_past(&said(now + AHEAD), now) && !is_past(&said(now + AHEAD + 1), now));
        assert!(!is_past(&said(u64::MAX), now) && is_past(&said(u64::MAX), u64::MAX));
    }

    #[test]
    fn the_secret_before_a_removal_is_used_seldom_and_not_for_ever() {
        let setting = Setting { secrets: vec![[2; 32], [1; 32]], since: 1000, ..Setting::default() };
        let used = |tries, now| secrets(&setting, tries, now).len();
        let both: Vec<_> = (0..12).filter(|tries| used(*tries, 1000 + DAY) == 2).collect();
        assert_eq!(both, [1, 5, 9], "not at the first look, which finds most");
        assert!((0..12).all(|tries| used(tries, 1000 + MISSED) == 1));
        assert_eq!(used(1, 0), 2, "a clock that is behind");
        let only = Setting { secrets: vec![[2; 32]], ..Setting::default() };
        assert_eq!((secrets(&only, 1, 5).len(), secrets(&Setting::default(), 1, 5).len()), (1, 0));
    }
}
