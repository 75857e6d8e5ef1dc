//! How many strangers may be at the door at once. Decides only; no I/O, no clock.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Visitors whose hello has not been checked yet.
#[derive(Debug)]
pub(crate) struct Doorway<T> {
    visitors: BTreeMap<u64, Visitor<T>>,
    next: u64,
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
    /// Let him try in place of another, who has had time enough.
    AdmitFor(T),
    /// Let him first show that he is where he says.
    Validate,
    /// Say nothing.
    Ignore,
}

impl<T> Doorway<T> {
    pub(crate) fn new() -> Self {
        Self { visitors: BTreeMap::new(), next: 0 }
    }

    /// Decides about one who comes from `address`; `validated` says that he is really there.
    pub(crate) fn decide(&mut self, address: IpAddr, validated: bool, now: Instant) -> Verdict<T> {
        let source = network(address);
        let same = self.visitors.values().filter(|visitor| visitor.source == source).count();
        if self.visitors.len() < QUIET && same < QUIET_PER_SOURCE {
            return Verdict::Admit;
        }
        if !validated {
            return Verdict::Validate;
        }
        if self.visitors.len() < MOST && same < MOST_PER_SOURCE {
            return Verdict::Admit;
        }
        // Full. An honest handshake takes a few round trips: whoever has been here longer makes room, of his own
        // source if that alone has too many.
        let crowd = |visitor: &Visitor<T>| same < MOST_PER_SOURCE || visitor.source == source;
        let oldest = self
            .visitors
            .iter()
            .find(|(_, visitor)| crowd(visitor))
            .map(|(id, visitor)| (*id, visitor.since));
        match oldest {
            Some((id, since)) if now.saturating_duration_since(since) >= PATIENCE => {
                self.visitors.remove(&id).map_or(Verdict::Ignore, |visitor| Verdict::AdmitFor(visitor.task))
            }
            _ => Verdict::Ignore,
        }
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

/// Up to here nobody has to show where he is, which saves him a round trip.
const QUIET: usize = 16;
const QUIET_PER_SOURCE: usize = 4;
/// How many are heard at once.
const MOST: usize = 64;
const MOST_PER_SOURCE: usize = 16;
/// How long nobody is pushed out.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(door: &mut Doorway<u64>, address: IpAddr, now: Instant) {
        let number = door.number();
        door.enter(number, address, now, number);
    }

    #[test]
    fn a_crowd_has_to_show_where_it_is_and_stays_bounded() {
        let (mut door, now) = (Doorway::new(), Instant::now());
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
        assert_eq!((admitted, door.len()), (QUIET, QUIET));
        for n in 0..10_000u32 {
            let address = IpAddr::from((0x0b00_0000 + n).to_be_bytes());
            match door.decide(address, true, now) {
                Verdict::Admit => enter(&mut door, address, now),
                verdict => assert_eq!(verdict, Verdict::Ignore),
            }
        }
        assert_eq!(door.len(), MOST);
    }

    #[test]
    fn one_source_cannot_fill_the_door_and_makes_room_in_its_own_ranks() {
        let (mut door, start) = (Doorway::new(), Instant::now());
        let crowd: IpAddr = "2001:db8::1".parse().unwrap();
        while door.decide("2001:db8::ffff".parse().unwrap(), true, start) == Verdict::Admit {
            enter(&mut door, crowd, start);
        }
        assert_eq!(door.len(), MOST_PER_SOURCE);
        assert_eq!(door.decide("192.0.2.1".parse().unwrap(), true, start), Verdict::Admit);
        assert_eq!(door.decide(crowd, true, start), Verdict::Ignore);
        assert_eq!(door.decide(crowd, true, start + PATIENCE), Verdict::AdmitFor(1));
        assert_eq!(door.len(), MOST_PER_SOURCE - 1);
    }

    #[test]
    fn a_full_door_makes_room_for_a_validated_one_after_a_moment() {
        let (mut door, start) = (Doorway::new(), Instant::now());
        for n in 0..MOST as u32 {
            enter(&mut door, IpAddr::from((0x0a00_0000 + n).to_be_bytes()), start);
        }
        let member = "192.0.2.1".parse().unwrap();
        assert_eq!(door.decide(member, true, start), Verdict::Ignore);
        assert_eq!(door.decide(member, true, start + PATIENCE), Verdict::AdmitFor(1));
    }
}
