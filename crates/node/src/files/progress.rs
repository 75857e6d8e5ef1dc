use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use files::Fault;
use wire::DeviceId;

/// How the collecting of a file goes, as whoever shows it reads it and whoever does it writes it.
#[derive(Debug, Default)]
pub struct Progress {
    held: AtomicU64,
    rate: AtomicU64,
    waits: AtomicBool,
    sources: Mutex<BTreeMap<DeviceId, Source>>,
    trouble: Mutex<Option<String>>,
}

/// What came from one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Source {
    pub(crate) bytes: u64,
    pub(crate) fault: Option<Fault>,
}

impl Progress {
    /// Returns how many bytes are here.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn set_held(&self, bytes: u64) {
        self.held.store(bytes, Ordering::Relaxed);
    }

    /// Returns how many bytes come in a second, if any do.
    pub(crate) fn rate(&self) -> Option<u64> {
        Some(self.rate.load(Ordering::Relaxed)).filter(|rate| *rate > 0)
    }

    /// Tells whether nobody who is connected has more of it.
    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// Takes note of whether somebody has more; `true` if that is new.
    pub(crate) fn set_waits(&self, waits: bool) -> bool {
        self.waits.swap(waits, Ordering::Relaxed) != waits
    }

    /// Returns what stands in the way on this machine.
    pub(crate) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        *lock(&self.trouble) = trouble;
    }

    pub(crate) fn sources(&self) -> BTreeMap<DeviceId, Source> {
        lock(&self.sources).clone()
    }

    pub(crate) fn came(&self, device: DeviceId, bytes: u64) {
        lock(&self.sources).entry(device).or_default().bytes += bytes;
    }

    pub(crate) fn banned(&self, device: DeviceId, fault: Fault) {
        lock(&self.sources).entry(device).or_default().fault = Some(fault);
    }
}

/// Works out how fast it goes, from what there was at each look.
#[derive(Debug)]
pub(crate) struct Pace {
    at: Instant,
    held: u64,
    rate: f64,
}

impl Pace {
    pub(crate) fn new(now: Instant, held: u64) -> Self {
        Self { at: now, held, rate: 0.0 }
    }

    /// Looks again; the newest look counts for a third.
    pub(crate) fn look(&mut self, now: Instant, held: u64, progress: &Progress) {
        let span = now.saturating_duration_since(self.at);
        if span < Duration::from_millis(100) {
            return;
        }
        let latest = held.saturating_sub(self.held) as f64 / span.as_secs_f64();
        self.rate = if self.rate == 0.0 { latest } else { self.rate.mul_add(2.0, latest) / 3.0 };
        (self.at, self.held) = (now, held);
        let shown = if self.rate < 1.0 { 0.0 } else { self.rate };
        progress.rate.store(shown as u64, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_what_comes_and_falls_to_nothing_when_nothing_does() {
        let (start, progress) = (Instant::now(), Progress::default());
        let mut pace = Pace::new(start, 1000);
        let at = |s: u64| start + Duration::from_secs(s);
        pace.look(at(1), 2_001_000, &progress);
        assert_eq!(progress.rate(), Some(2_000_000));
        pace.look(at(2), 2_001_000, &progress);
        assert_eq!(progress.rate(), Some(1_333_333));
        (3..60).for_each(|s| pace.look(at(s), 2_001_000, &progress));
        assert_eq!(progress.rate(), None);
    }
}
