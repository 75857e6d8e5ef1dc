//! How many strangers may be at the door at once. Decides only; no I/O, no clock.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Visitors of whom it is not yet known what they want.
#[derive(Debug)]
pub(crate) struct Doorway<T> {
    bounds: Bounds,
    visitors: BTreeMap<u64, Visitor<T>>,
    next: u64,
}

/// How many there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Up to here nobody has to show where he is, which saves him a round trip.
    quiet: usize,
    quiet_per_source: usize,
    /// How many are heard at once.
    most: usize,
    most_per_source: usize,
}

impl Bounds {
    /// Those who proved something in their first packet, each with a handshake under way.
    pub(crate) const LINKS: Self = Self { quiet: 16, quiet_per_source: 4, most: 64, most_per_source: 16 };
    /// Those who connected over TCP and have proved nothing: a socket and 76 bytes each, so there may be many.
    pub(crate) const LANES: Self = Self { quiet: 512, quiet_per_source: 16, most: 512, most_per_source: 16 };
}

#[derive(Debug)]
struct Visitor<T> {
    source: IpAddr,
    since: Instant,
    task: T,
}

/// What to do with one who comes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict<T> {
    /// Let him try.
    Admit,
    /// Let him try in place of another, who has had time enough or is one of many.
    AdmitFor(T),
    /// Let him first show that he is where he says.
    Validate,
    /// Say nothing.
    Ignore,
}

impl<T> Doorway<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, visitors: BTreeMap::new(), next: 0 }
    }

    /// Decides about one who comes from `address`; `validated` says that he is really there.
    pub(crate) fn decide(&mut self, address: IpAddr, validated: bool, now: Instant) -> Verdict<T> {
        let source = network(address);
        let same = self.visitors.values().filter(|visitor| visitor.source == source).count();
        if self.visitors.len() < self.bounds.quiet && same < self.bounds.quiet_per_source {
            return Verdict::Admit;
        }
        if !validated {
            return Verdict::Validate;
        }
        if self.visitors.len() < self.bounds.most && same < self.bounds.most_per_source {
            return Verdict::Admit;
        }
        // Full. An honest handshake takes a few round trips: whoever has been here longer makes room, of his own
        // source if that alone has too many. If most are of one source, of which there would still be more than of his,
        // one of those makes room at once: a few addresses keep nobody out.
        let own = (same >= self.bounds.most_per_source).then_some(source);
        let unfair = if own.is_none() { self.crowd().filter(|(many, _)| *many > same + 1) } else { None };
        let crowd = own.or(unfair.map(|(_, crowd)| crowd));
        let oldest = self
            .visitors
            .iter()
            .find(|(_, visitor)| crowd.is_none_or(|crowd| visitor.source == crowd))
            .map(|(id, visitor)| (*id, visitor.since));
        match oldest {
            Some((id, since)) if unfair.is_some() || now.saturating_duration_since(since) >= PATIENCE => {
                self.visitors.remove(&id).map_or(Verdict::Ignore, |visitor| Verdict::AdmitFor(visitor.task))
            }
            _ => Verdict::Ignore,
        }
    }

    /// Finds the source of which there are the most, and how many.
    fn crowd(&self) -> Option<(usize, IpAddr)> {
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for visitor in self.visitors.values() {
            *counts.entry(visitor.source).or_default() += 1;
        }
        counts.into_iter().map(|(source, count)| (count, source)).max()
    }

    /// Returns the number under which the next visitor will be known.
    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Notes that a visitor is being heard.
    pub(crate) fn enter(&mut self, number: u64, address: IpAddr, now: Instant, task: T) {
        self.visitors.insert(number, Visitor { source: network(address), since: now, task });
    }

    /// Notes that a visitor has been heard or has gone.
    pub(crate) fn leave(&mut self, number: u64) {
        self.visitors.remove(&number);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.visitors.len()
    }
}

/// Whom one person can easily pretend to be: one address, or the /64 that every IPv6 user has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// How long nobody is pushed out but by one of whose source there are fewer.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const LINKS: Bounds = Bounds::LINKS;

    fn enter(door: &mut Doorway<u64>, address: IpAddr, now: Instant) {
        let number = door.number();
        door.enter(number, address, now, number);
    }

    #[test]
    fn a_crowd_has_to_show_where_it_is_and_stays_bounded() {
        let (mut door, now) = (Doorway::new(LINKS), Instant::now());
        let mut admitted = 0;
        for n in 0..10_000u32 {
            let address = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
            match door.decide(address, false, now) {
                Verdict::Admit => {
                    enter(&mut door, address, now);
                    admitted += 1;
                }
                verdict => assert_eq!(verdict, Verdict::Validate),
            }
        }
        assert_eq!((admitted, door.len()), (LINKS.quiet, LINKS.quiet));
        for n in 0..10_000u32 {
            let address = IpAddr::from((0x0b00_0000 + n).to_be_bytes());
            match door.decide(address, true, now) {
                Verdict::Admit => enter(&mut door, address, now),
                verdict => assert_eq!(verdict, Verdict::Ignore),
            }
        }
        assert_eq!(door.len(), LINKS.most);
    }

    #[test]
    fn one_source_cannot_fill_the_door_and_makes_room_in_its_own_ranks() {
        let (mut door, start) = (Doorway::new(LINKS), Instant::now());
        let crowd: IpAddr = "2001:db8::1".parse().unwrap();
        while door.decide("2001:db8::ffff".parse().unwrap(), true, start) == Verdict::Admit {
            enter(&mut door, crowd, start);
        }
        assert_eq!(door.len(), LINKS.most_per_source);
        assert_eq!(door.decide("192.0.2.1".parse().unwrap(), true, start), Verdict::Admit);
        assert_eq!(door.decide(crowd, true, start), Verdict::Ignore);
        assert_eq!(door.decide(crowd, true, start + PATIENCE), Verdict::AdmitFor(1));
        assert_eq!(door.len(), LINKS.most_per_source - 1);
    }

    #[test]
    fn a_full_door_makes_room_for_a_validated_one_after_a_moment() {
        let (mut door, start) = (Doorway::new(LINKS), Instant::now());
        for n in 0..LINKS.most as u32 {
            enter(&mut door, IpAddr::from((0x0a00_0000 + n).to_be_bytes()), start);
        }
        let member = "192.0.2.1".parse().unwrap();
        assert_eq!(door.decide(member, true, start), Verdict::Ignore);
        assert_eq!(door.decide(member, true, start + PATIENCE), Verdict::AdmitFor(1));
    }

    #[test]
    fn a_few_sources_keep_no_other_out_however_fast_they_come() {
        for bounds in [Bounds::LINKS, Bounds::LANES] {
            let (mut door, now) = (Doorway::new(bounds), Instant::now());
            let sources = (bounds.most / bounds.most_per_source) as u32;
            for n in 0..bounds.most as u32 {
                let address = IpAddr::from((0x0a00_0000 + n % sources).to_be_bytes());
                assert_eq!(door.decide(address, true, now), Verdict::Admit);
                enter(&mut door, address, now);
            }
            let crowd = IpAddr::from(0x0a00_0000_u32.to_be_bytes());
            assert_eq!(door.decide(crowd, true, now), Verdict::Ignore, "who is one of many");
            let member = "192.0.2.1".parse().unwrap();
            for _ in 0..bounds.most_per_source / 2 {
                assert!(matches!(door.decide(member, true, now), Verdict::AdmitFor(_)));
                enter(&mut door, member, now);
                assert_eq!(door.len(), bounds.most);
            }
        }
    }
}
