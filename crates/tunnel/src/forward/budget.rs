//! How much this device forwards for others. Decides only; no I/O, no clock.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use wire::DeviceId;

/// Whether, and how much, a device forwards other pairs' packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Willing {
    /// Whether it forwards at all.
    pub on: bool,
    /// How many bytes in a day, over all pairs; `None` sets no limit.
    pub daily: Option<u64>,
    /// How many bytes in a second, over all pairs; `None` sets no limit.
    pub rate: Option<u64>,
}

impl Default for Willing {
    fn default() -> Self {
        Self { on: true, daily: Some(4 << 30), rate: Some(8 << 20) }
    }
}

/// Two devices, in no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair(DeviceId, DeviceId);

impl Pair {
    pub(crate) fn of(one: DeviceId, other: DeviceId) -> Self {
        if one < other { Self(one, other) } else { Self(other, one) }
    }

    pub(crate) fn devices(self) -> (DeviceId, DeviceId) {
        (self.0, self.1)
    }
}

/// What was forwarded for one pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) since: Instant,
    pub(crate) last: Instant,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
    today: u64,
    /// How many bytes it may send at once.
    tokens: f64,
    filled: Instant,
}

/// Shares what a device is willing to give among the pairs that ask.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) willing: Willing,
    accounts: BTreeMap<Pair, Account>,
    day: Option<Instant>,
    today: u64,
    /// How many pairs sent lately, counted now and then.
    active: u32,
    counted: Option<Instant>,
}

impl Budget {
    pub(crate) fn new(willing: Willing) -> Self {
        Self { willing, accounts: BTreeMap::new(), day: None, today: 0, active: 1, counted: None }
    }

    /// Decides about one packet of a pair, and takes note of it.
    ///
    /// The rate is shared evenly among the pairs that sent in the last two seconds. Of the day's bytes a pair has
    /// no more than what is left for all others together, so that the greediest leaves something to the next.
    pub(crate) fn spend(&mut self, pair: Pair, bytes: usize, now: Instant) -> bool {
        if !self.willing.on {
            return false;
        }
        self.turn(now);
        let bytes = bytes as u64;
        let share = self.willing.rate.map(|rate| (rate / u64::from(self.active)).max(1));
        let left = self.willing.daily.map(|daily| daily.saturating_sub(self.today));
        let account = self.accounts.entry(pair).or_insert_with(|| Account {
            since: now,
            last: now,
            packets: 0,
            bytes: 0,
            dropped: 0,
            today: 0,
            tokens: share.unwrap_or(0) as f64,
            filled: now,
        });
        account.last = now;
        let rate_allows = share.is_none_or(|share| {
            let most = (share as f64 / 4.0).max(BURST);
            let since = now.saturating_duration_since(account.filled).as_secs_f64();
            account.tokens = (account.tokens + share as f64 * since).min(most);
            account.filled = now;
            account.tokens >= bytes as f64
        });
        if !rate_allows || left.is_some_and(|left| account.today + bytes > left) {
            account.dropped += 1;
            return false;
        }
        if share.is_some() {
            account.tokens -= bytes as f64;
        }
        account.packets += 1;
        account.bytes += bytes;
        account.today += bytes;
        self.today += bytes;
        true
    }

    /// Whether a pair may count on being forwarded for.
    pub(crate) fn has_room(&self, pair: Pair) -> bool {
        let used = self.accounts.get(&pair).map_or(0, |account| account.today);
        let left = self.willing.daily.map(|daily| daily.saturating_sub(self.today));
        self.willing.on && left.is_none_or(|left| used + LEAST <= left)
    }

    pub(crate) fn dropped(&mut self, pair: Pair) {
        if let Some(account) = self.accounts.get_mut(&pair) {
            account.dropped += 1;
        }
    }

    /// Forgets pairs with a device that is to be forgotten.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&DeviceId) -> bool) {
        self.accounts.retain(|pair, _| keep(&pair.0) && keep(&pair.1));
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = (Pair, &Account)> {
        self.accounts.iter().map(|(pair, account)| (*pair, account))
    }

    pub(crate) fn today(&self) -> u64 {
        self.today
    }

    fn turn(&mut self, now: Instant) {
        if self.day.is_none_or(|day| now.saturating_duration_since(day) >= DAY) {
            self.day = Some(now);
            self.today = 0;
            for account in self.accounts.values_mut() {
                account.today = 0;
            }
        }
        if self.counted.is_none_or(|counted| now.saturating_duration_since(counted) >= COUNTED) {
            self.counted = Some(now);
            let lately = |account: &&Account| now.saturating_duration_since(account.last) < LATELY;
            let active = self.accounts.values().filter(lately).count();
            self.active = u32::try_from(active).unwrap_or(u32::MAX).max(1);
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);
const LATELY: Duration = Duration::from_secs(2);
const COUNTED: Duration = Duration::from_millis(250);
/// What a pair may always send at once: the first packets of a handshake both ways.
const BURST: f64 = 32.0 * 1500.0;
/// What has to be left of a day for a new pair: a handshake and some messages.
const LEAST: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(n: u8) -> Pair {
        Pair::of(DeviceId::new([n; 32]), DeviceId::new([0; 32]))
    }

    /// Sends packets of a pair at an even pace over a second; returns how many bytes passed.
    fn second(budget: &mut Budget, pairs: &[(Pair, usize)], start: Instant) -> Vec<u64> {
        let before: Vec<_> = pairs.iter().map(|(pair, _)| bytes(budget, *pair)).collect();
        for ms in 0..1000 {
            for (pair, packets) in pairs {
                for _ in 0..*packets {
                    budget.spend(*pair, 1000, start + Duration::from_millis(ms));
                }
            }
        }
        pairs.iter().zip(before).map(|((pair, _), before)| bytes(budget, *pair) - before).collect()
    }

    fn bytes(budget: &Budget, pair: Pair) -> u64 {
        budget.accounts.get(&pair).map_or(0, |account| account.bytes)
    }

    #[test]
    fn the_rate_is_shared_evenly_however_much_one_pair_asks() {
        let mut budget = Budget::new(Willing { on: true, daily: None, rate: Some(1_000_000) });
        let start = Instant::now();
        let (greedy, modest) = ((pair(1), 10), (pair(2), 1));
        second(&mut budget, &[greedy], start);
        let alone = second(&mut budget, &[greedy], start + Duration::from_secs(1));
        assert!((950_000..1_050_000).contains(&alone[0]), "{alone:?}");
        second(&mut budget, &[greedy, modest], start + Duration::from_secs(2));
        let both = second(&mut budget, &[greedy, modest], start + Duration::from_secs(3));
        assert!(both.iter().all(|bytes| (450_000..550_000).contains(bytes)), "{both:?}");
    }

    #[test]
    fn the_greediest_leaves_half_of_the_day_to_the_others() {
        let mut budget = Budget::new(Willing { on: true, daily: Some(1_000_000), rate: None });
        let now = Instant::now();
        let spent = |budget: &mut Budget, n| (0..2000).filter(|_| budget.spend(pair(n), 1000, now)).count();
        assert_eq!(spent(&mut budget, 1), 500);
        assert_eq!(spent(&mut budget, 2), 250);
        assert!(!budget.has_room(pair(1)) && budget.has_room(pair(3)));
        assert_eq!(budget.today(), 750_000);
        assert!(budget.spend(pair(1), 1000, now + DAY), "another day");
    }

    #[test]
    fn who_is_not_willing_forwards_nothing_and_removed_devices_are_forgotten() {
        let mut budget = Budget::new(Willing { on: false, ..Willing::default() });
        assert!(!budget.spend(pair(1), 1, Instant::now()) && !budget.has_room(pair(1)));
        budget.willing.on = true;
        assert!(budget.spend(pair(1), 1, Instant::now()));
        budget.retain(|device| *device != DeviceId::new([1; 32]));
        assert_eq!(budget.accounts().count(), 0);
    }
}
