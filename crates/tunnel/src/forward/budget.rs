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
}

/// What one device sent.
#[derive(Debug, Clone, Copy)]
struct Sender {
    last: Instant,
    today: u64,
    /// Whether it was refused because of what it sent today.
    spent: bool,
    /// How many bytes it may send at once.
    tokens: f64,
    filled: Instant,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Forward,
    Drop,
    /// Dropped, and the first of its sender's that was because the day's share is used up.
    DropFirst,
}

/// Shares what a device is willing to give among the devices that send: one that talks to many is still one.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) willing: Willing,
    accounts: BTreeMap<Pair, Account>,
    senders: BTreeMap<DeviceId, Sender>,
    day: Option<Instant>,
    today: u64,
    /// How many devices sent lately, counted now and then.
    active: u32,
    counted: Option<Instant>,
}

impl Budget {
    pub(crate) fn new(willing: Willing) -> Self {
        let (accounts, senders) = (BTreeMap::new(), BTreeMap::new());
        Self { willing, accounts, senders, day: None, today: 0, active: 1, counted: None }
    }

    /// Decides about one packet from a device to another, and takes note of it.
    ///
    /// The rate is shared evenly among the devices that sent in the last two seconds. Of the day's bytes a device has
    /// no more than what is left for all others together, so that the greediest leaves something to the next.
    pub(crate) fn spend(&mut self, from: DeviceId, to: DeviceId, bytes: usize, now: Instant) -> Decision {
        if !self.willing.on {
            return Decision::Drop;
        }
        self.turn(now);
        let bytes = bytes as u64;
        let share = self.willing.rate.map(|rate| (rate / u64::from(self.active)).max(1));
        let left = self.willing.daily.map(|daily| daily.saturating_sub(self.today));
        let new = Account { since: now, last: now, packets: 0, bytes: 0, dropped: 0 };
        let account = self.accounts.entry(Pair::of(from, to)).or_insert(new);
        account.last = now;
        let tokens = share.unwrap_or(0) as f64;
        let new = Sender { last: now, today: 0, spent: false, tokens, filled: now };
        let sender = self.senders.entry(from).or_insert(new);
        sender.last = now;
        let rate_allows = share.is_none_or(|share| {
            let most = (share as f64 / 4.0).max(BURST);
            let since = now.saturating_duration_since(sender.filled).as_secs_f64();
            sender.tokens = (sender.tokens + share as f64 * since).min(most);
            sender.filled = now;
            sender.tokens >= bytes as f64
        });
        if left.is_some_and(|left| sender.today + bytes > left) {
            account.dropped += 1;
            let before = std::mem::replace(&mut sender.spent, true);
            return if before { Decision::Drop } else { Decision::DropFirst };
        }
        if !rate_allows {
            account.dropped += 1;
            return Decision::Drop;
        }
        if share.is_some() {
            sender.tokens -= bytes as f64;
        }
        account.packets += 1;
        account.bytes += bytes;
        sender.today += bytes;
        self.today += bytes;
        Decision::Forward
    }

    /// Whether a device may count on being forwarded for.
    pub(crate) fn has_room(&mut self, from: DeviceId, now: Instant) -> bool {
        self.turn(now);
        let used = self.senders.get(&from).map_or(0, |sender| sender.today);
        let left = self.willing.daily.map(|daily| daily.saturating_sub(self.today));
        self.willing.on && left.is_none_or(|left| used + LEAST <= left)
    }

    /// Returns how long it is until the day's bytes are given anew.
    pub(crate) fn until_tomorrow(&self, now: Instant) -> Duration {
        self.day.map_or(DAY, |day| DAY.saturating_sub(now.saturating_duration_since(day)))
    }

    pub(crate) fn dropped(&mut self, pair: Pair) {
        if let Some(account) = self.accounts.get_mut(&pair) {
            account.dropped += 1;
        }
    }

    /// Forgets pairs with a device that is to be forgotten.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&DeviceId) -> bool) {
        self.accounts.retain(|pair, _| keep(&pair.0) && keep(&pair.1));
        self.senders.retain(|device, _| keep(device));
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = (Pair, &Account)> {
        self.accounts.iter().map(|(pair, account)| (*pair, account))
    }

    pub(crate) fn today(&mut self, now: Instant) -> u64 {
        self.turn(now);
        self.today
    }

    fn turn(&mut self, now: Instant) {
        if self.day.is_none_or(|day| now.saturating_duration_since(day) >= DAY) {
            self.day = Some(now);
            self.today = 0;
            for sender in self.senders.values_mut() {
                (sender.today, sender.spent) = (0, false);
            }
        }
        if self.counted.is_none_or(|counted| now.saturating_duration_since(counted) >= COUNTED) {
            self.counted = Some(now);
            let lately = |sender: &&Sender| now.saturating_duration_since(sender.last) < LATELY;
            let active = self.senders.values().filter(lately).count();
            self.active = u32::try_from(active).unwrap_or(u32::MAX).max(1);
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);
const LATELY: Duration = Duration::from_secs(2);
const COUNTED: Duration = Duration::from_millis(250);
/// What a device may always send at once: the first packets of a handshake both ways.
const BURST: f64 = 32.0 * 1500.0;
/// What has to be left of a day for a new device: a handshake and some messages.
const LEAST: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn device(n: u8) -> DeviceId {
        DeviceId::new([n; 32])
    }

    const PEER: DeviceId = DeviceId::new([0; 32]);

    /// Sends packets of devices, each to some peers in turn, at an even pace over a second; returns how many bytes of
    /// each passed.
    fn second(budget: &mut Budget, senders: &[(u8, usize, u8)], start: Instant) -> Vec<u64> {
        let mut passed = vec![0; senders.len()];
        for ms in 0..1000 {
            for ((from, packets, peers), passed) in senders.iter().zip(&mut passed) {
                for n in 0..*packets {
                    let to = device(100 + n as u8 % peers);
                    let now = start + Duration::from_millis(ms);
                    *passed +=
                        1000 * u64::from(budget.spend(device(*from), to, 1000, now) == Decision::Forward);
                }
            }
        }
        passed
    }

    #[test]
    fn the_rate_is_shared_evenly_however_much_one_asks_and_to_however_many() {
        let mut budget = Budget::new(Willing { on: true, daily: None, rate: Some(1_000_000) });
        let start = Instant::now();
        let (greedy, modest) = ((1, 10, 10), (2, 1, 1));
        second(&mut budget, &[greedy], start);
        let alone = second(&mut budget, &[greedy], start + Duration::from_secs(1));
        assert!((950_000..1_050_000).contains(&alone[0]), "{alone:?}");
        second(&mut budget, &[greedy, modest], start + Duration::from_secs(2));
        let both = second(&mut budget, &[greedy, modest], start + Duration::from_secs(3));
        assert!(both.iter().all(|bytes| (450_000..550_000).contains(bytes)), "{both:?}");
    }

    #[test]
    fn the_greediest_leaves_half_of_the_day_to_the_others_and_each_day_is_new() {
        let mut budget = Budget::new(Willing { on: true, daily: Some(1_000_000), rate: None });
        let now = Instant::now();
        let spent = |budget: &mut Budget, from, peers: u8| {
            let to = |n: u32| device(100 + n as u8 % peers);
            (0..2000).filter(|n| budget.spend(device(from), to(*n), 1000, now) == Decision::Forward).count()
        };
        assert_eq!(spent(&mut budget, 1, 50), 500, "to fifty as much as to one");
        assert_eq!(spent(&mut budget, 2, 1), 250);
        assert!(!budget.has_room(device(1), now) && budget.has_room(device(3), now));
        assert_eq!(budget.today(now), 750_000);
        let tomorrow = now + budget.until_tomorrow(now);
        assert!(!budget.has_room(device(1), tomorrow - Duration::from_millis(1)));
        assert!(budget.has_room(device(1), tomorrow), "without a packet that turns the day");
        assert_eq!(budget.today(tomorrow), 0);
    }

    #[test]
    fn that_a_devices_day_is_used_up_is_said_once() {
        let mut budget = Budget::new(Willing { on: true, daily: Some(1000), rate: None });
        let now = Instant::now();
        let mut send = |now| budget.spend(device(1), PEER, 400, now);
        assert_eq!(
            [send(now), send(now), send(now)],
            [Decision::Forward, Decision::DropFirst, Decision::Drop]
        );
        assert_eq!(send(now + DAY), Decision::Forward);
    }

    #[test]
    fn who_is_not_willing_forwards_nothing_and_removed_devices_are_forgotten() {
        let (mut budget, now) = (Budget::new(Willing { on: false, ..Willing::default() }), Instant::now());
        assert_eq!(budget.spend(device(1), PEER, 1, now), Decision::Drop);
        assert!(!budget.has_room(device(1), now));
        budget.willing.on = true;
        assert_eq!(budget.spend(device(1), PEER, 1, now), Decision::Forward);
        budget.retain(|one| *one != device(1));
        assert!(budget.accounts().count() == 0 && budget.senders.is_empty());
    }
}
