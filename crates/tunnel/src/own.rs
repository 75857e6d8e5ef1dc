//! Where this device is seen from outside, as others tell. Decides only; no I/O, no clock.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use wire::{DeviceId, Scope};

/// What the devices at the other ends of links say of this device's own address.
///
/// Whatever is believed goes to the whole circle, and everybody keeps it: so no device changes its word at will.
#[derive(Debug, Default)]
pub(crate) struct Witnesses {
    words: BTreeMap<Witness, Word>,
    told: BTreeSet<SocketAddr>,
    /// When what is told may change next.
    next: Option<Instant>,
    /// Whether that is waited for.
    owed: bool,
}

/// Who says something of this device's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Witness {
    /// The router, which is believed no more than anybody else.
    Router,
    Device(DeviceId),
}

/// What one of them says.
#[derive(Debug)]
struct Word {
    said: Option<SocketAddr>,
    /// What of that counts, and since when.
    counts: Option<SocketAddr>,
    since: Instant,
    /// When another word of his counts, and how long that takes after it.
    next: Instant,
    pause: Duration,
}

impl Witnesses {
    /// Takes note of where a device sees this one, or a router lets packets for it in.
    pub(crate) fn hear(&mut self, witness: Witness, address: SocketAddr, now: Instant) {
        let new = Word { said: None, counts: None, since: now, next: now, pause: Duration::ZERO };
        self.words.entry(witness).or_insert(new).said = Some(address);
    }

    /// Takes note that a device's link is gone, or that the router lets nothing in any more, and counts what it said no more.
    pub(crate) fn forget(&mut self, witness: Witness) {
        if let Some(word) = self.words.get_mut(&witness) {
            (word.said, word.counts) = (None, None);
        }
    }

    /// Forgets devices that left the circle.
    pub(crate) fn retain(&mut self, keep: impl Fn(&DeviceId) -> bool) {
        self.words.retain(|witness, _| match witness {
            Witness::Router => true,
            Witness::Device(device) => keep(device),
        });
    }

    /// Takes note that this device moved: of course it is seen elsewhere.
    pub(crate) fn handle_move(&mut self, now: Instant) {
        for word in self.words.values_mut() {
            (word.next, word.pause) = (now, Duration::ZERO);
        }
        self.next = None;
    }

    /// Returns the addresses to tell others besides `local`, those at which this device listens, if it is time to tell
    /// others than before.
    pub(crate) fn judge(&mut self, local: &[SocketAddr], now: Instant) -> Option<BTreeSet<SocketAddr>> {
        self.words.values_mut().for_each(|word| word.settle(now));
        let believed = self.believed(local);
        let due = self.next.is_none_or(|next| next <= now);
        self.owed = believed != self.told && !due;
        if believed == self.told || !due {
            return None;
        }
        self.next = Some(now + TOLD);
        self.told.clone_from(&believed);
        Some(believed)
    }

    /// Returns when to judge again although nothing was heard.
    pub(crate) fn due(&self) -> Option<Instant> {
        let words = self.words.values().filter(|word| word.said != word.counts).map(|word| word.next);
        words.chain(self.next.filter(|_| self.owed)).min()
    }

    /// What two devices agree on comes first. A single one is believed too, for it may be the only one that can tell,
    /// but only of few addresses: a lie makes others knock there until they have learnt better. Of what has as many
    /// witnesses, the older.
    fn believed(&self, local: &[SocketAddr]) -> BTreeSet<SocketAddr> {
        let loopback = local.iter().any(|own| own.ip().is_loopback());
        let mut seen: BTreeMap<SocketAddr, (u32, Instant)> = BTreeMap::new();
        for word in self.words.values() {
            let Some(address) = word.counts else { continue };
            if is_a_device(&address, loopback) && !local.contains(&address) {
                let (witnesses, since) = seen.entry(address).or_insert((0, word.since));
                *witnesses += 1;
                *since = (*since).min(word.since);
            }
        }
        let mut seen: Vec<_> = seen.into_iter().collect();
        seen.sort_by_key(|(_, (witnesses, since))| (Reverse(*witnesses), *since));
        let (agreed, single): (Vec<_>, Vec<_>) =
            seen.into_iter().partition(|(_, (witnesses, _))| *witnesses > 1);
        let first = |of: Vec<(SocketAddr, (u32, Instant))>, most| {
            of.into_iter().take(most).map(|(address, _)| address)
        };
        first(agreed, AGREED).chain(first(single, SINGLE)).collect()
    }
}

impl Word {
    /// Counts what was said, if it is not too soon after the last change.
    fn settle(&mut self, now: Instant) {
        if self.said == self.counts || now < self.next {
            return;
        }
        let quiet = now.saturating_duration_since(self.next) >= self.pause;
        self.pause = if quiet { WORD } else { (self.pause * 2).min(LONGEST) };
        (self.counts, self.since, self.next) = (self.said, now, now + self.pause);
    }
}

/// Tells whether an address can be one device's.
fn is_a_device(address: &SocketAddr, loopback: bool) -> bool {
    match Scope::of(address) {
        Scope::Nowhere | Scope::Interface => false,
        Scope::Machine => loopback,
        Scope::Network | Scope::World => true,
    }
}

/// How many addresses are told on which two devices agree.
const AGREED: usize = 4;
/// How many are told on one device's word.
const SINGLE: usize = 2;
/// For how long a device's word stands at least; twice as long after each change that follows soon, up to the longest.
const WORD: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(600);
/// How often others are told something new at most.
const TOLD: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn device(n: u8) -> Witness {
        Witness::Device(DeviceId::new([n; 32]))
    }

    #[test]
    fn what_two_agree_on_is_told_and_one_liar_adds_little() {
        let (mut witnesses, mut now) = (Witnesses::default(), Instant::now());
        let local = [at("192.168.1.5:4000")];
        witnesses.hear(device(1), at("192.0.2.1:7000"), now);
        let one = BTreeSet::from([at("192.0.2.1:7000")]);
        assert_eq!(witnesses.judge(&local, now), Some(one), "the only one there is");
        now += Duration::from_secs(60);
        witnesses.hear(device(2), at("192.0.2.1:7000"), now);
        assert_eq!(witnesses.judge(&local, now), None, "nothing new");
        for liar in 3..20 {
            witnesses.hear(device(liar), at(&format!("198.51.100.{liar}:1")), now);
            now += Duration::from_secs(1);
            witnesses.judge(&local, now);
        }
        let believed = witnesses.told.clone();
        assert!(believed.contains(&at("192.0.2.1:7000")) && believed.len() == 1 + SINGLE);
        assert!(believed.contains(&at("198.51.100.3:1")), "the oldest of the lies, not the smallest");
        now += Duration::from_secs(60);
        witnesses.hear(device(1), at("192.0.2.1:7001"), now);
        witnesses.hear(device(2), at("192.0.2.1:7001"), now);
        let moved = witnesses.judge(&local, now).unwrap();
        assert!(moved.contains(&at("192.0.2.1:7001")) && !moved.contains(&at("192.0.2.1:7000")));
        for gone in 1..20 {
            witnesses.forget(device(gone));
        }
        assert_eq!(witnesses.judge(&local, now + TOLD), Some(BTreeSet::new()));
    }

    #[test]
    fn a_router_is_believed_as_a_member_is() {
        let (mut witnesses, now) = (Witnesses::default(), Instant::now());
        witnesses.hear(Witness::Router, at("192.0.2.1:7000"), now);
        assert_eq!(witnesses.judge(&[], now), Some(BTreeSet::from([at("192.0.2.1:7000")])));
        let later = now + TOLD;
        for member in 1..4 {
            witnesses.hear(device(member), at("192.0.2.1:9000"), later);
        }
        // Two who agree come first, whatever the router says; it adds one address, as any liar may.
        let both = BTreeSet::from([at("192.0.2.1:7000"), at("192.0.2.1:9000")]);
        assert_eq!(witnesses.judge(&[], later), Some(both));
        witnesses.retain(|_| false);
        witnesses.forget(Witness::Router);
        assert_eq!(witnesses.judge(&[], later + TOLD), Some(BTreeSet::new()));
    }

    #[test]
    fn a_word_that_flips_without_end_is_told_ever_less() {
        let (mut witnesses, start) = (Witnesses::default(), Instant::now());
        let mut told = Vec::new();
        for ms in (0..3_600_000_u64).step_by(20) {
            let now = start + Duration::from_millis(ms);
            // Neither flipping nor coming back each time helps.
            if ms % 100 == 0 {
                witnesses.forget(device(9));
            }
            witnesses.hear(device(9), at(&format!("192.0.2.1:{}", 1 + ms / 20 % 2)), now);
            if witnesses.judge(&[], now).is_some() {
                told.push(ms);
            }
        }
        assert_eq!(told.first(), Some(&0), "the first is told at once");
        assert!(told.len() < 40, "{} in an hour", told.len());
        // Another's word is not held up by it.
        let now = start + Duration::from_secs(3610);
        witnesses.hear(device(1), at("192.0.2.7:7"), now);
        assert!(witnesses.judge(&[], now).unwrap().contains(&at("192.0.2.7:7")));
    }

    #[test]
    fn what_is_held_back_is_told_when_its_time_comes() {
        let (mut witnesses, now) = (Witnesses::default(), Instant::now());
        witnesses.hear(device(1), at("192.0.2.1:1"), now);
        assert!(witnesses.judge(&[], now).is_some() && witnesses.due().is_none());
        witnesses.hear(device(1), at("192.0.2.1:2"), now);
        assert_eq!(witnesses.judge(&[], now), None);
        let due = witnesses.due().unwrap();
        assert_eq!(witnesses.judge(&[], due), Some(BTreeSet::from([at("192.0.2.1:2")])));
        assert_eq!(witnesses.due(), None);
        witnesses.hear(device(1), at("192.0.2.1:3"), due);
        assert_eq!(witnesses.judge(&[], due), None);
        witnesses.handle_move(due);
        assert!(witnesses.judge(&[], due).is_some(), "this device moved");
        witnesses.retain(|_| false);
        assert!(witnesses.words.is_empty());
    }

    #[test]
    fn what_is_no_devices_address_or_known_anyway_is_not_told() {
        let (mut witnesses, now) = (Witnesses::default(), Instant::now());
        let local = [at("192.168.1.5:4000"), at("[2001:db8::1]:4000")];
        for (n, no) in [
            "192.168.1.5:4000",
            "[2001:db8::1]:4000",
            "0.0.0.0:9",
            "224.0.0.251:5353",
            "255.255.255.255:9",
            "127.0.0.1:9",
            "[::ffff:127.0.0.1]:9",
            "192.0.2.1:0",
            "[ff02::fb]:5353",
            "[fe80::1]:9",
            "[::]:9",
        ]
        .into_iter()
        .enumerate()
        {
            witnesses.hear(device(n as u8), at(no), now);
            assert_eq!(witnesses.judge(&local, now), None, "{no}");
        }
    }
}
