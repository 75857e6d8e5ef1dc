//! Going nearer and nearer to a place, one answer after the other. No I/O, no clock.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use wire::Scope;

use super::krpc::Place;

/// A search under way. What it costs is bounded, whatever it is answered.
#[derive(Debug)]
pub(super) struct Search {
    target: Place,
    /// Whom to ask first; of them no place is known.
    first: VecDeque<SocketAddr>,
    /// By how far they are from the target.
    candidates: BTreeMap<Place, Candidate>,
    waiting: BTreeMap<SocketAddr, Instant>,
    asked: BTreeSet<SocketAddr>,
    /// How many were heard of in each neighbourhood.
    neighbours: BTreeMap<IpAddr, usize>,
    end: Instant,
}

#[derive(Debug)]
struct Candidate {
    address: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    HeardOf,
    Asked,
    Answered { token: Option<Vec<u8>> },
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Ask(SocketAddr),
    /// Nothing before then, unless an answer comes.
    Wait(Instant),
    Done,
}

impl Search {
    /// Starts at some nodes.
    pub(super) fn new(target: Place, start: impl IntoIterator<Item = SocketAddr>, now: Instant) -> Self {
        Self {
            target,
            first: start.into_iter().take(START).collect(),
            candidates: BTreeMap::new(),
            waiting: BTreeMap::new(),
            asked: BTreeSet::new(),
            neighbours: BTreeMap::new(),
            end: now + LONGEST,
        }
    }

    /// Tells what to do; to be called until it says otherwise than [`Step::Ask`].
    pub(super) fn poll(&mut self, now: Instant) -> Step {
        let late: Vec<_> =
            self.waiting.iter().filter(|(_, due)| **due <= now).map(|(from, _)| *from).collect();
        for address in late {
            self.waiting.remove(&address);
            self.candidates.retain(|_, candidate| {
                candidate.address != address || matches!(candidate.state, State::Answered { .. })
            });
        }
        if now >= self.end {
            return Step::Done;
        }
        if self.waiting.len() < AT_ONCE
            && self.asked.len() < MOST
            && let Some(address) = self.next()
        {
            self.asked.insert(address);
            self.waiting.insert(address, now + PATIENCE);
            return Step::Ask(address);
        }
        self.waiting.values().min().map_or(Step::Done, |due| Step::Wait((*due).min(self.end)))
    }

    /// Takes an answer; `false` if nobody there was asked.
    pub(super) fn handle_answer(
        &mut self,
        from: SocketAddr,
        id: Place,
        token: Option<&[u8]>,
        nodes: &[(Place, SocketAddr)],
    ) -> bool {
        if self.waiting.remove(&from).is_none() {
            return false;
        }
        // One node, one place: whoever answers from another than he was said to have is where he says he is.
        self.candidates.retain(|_, candidate| candidate.address != from);
        let state = State::Answered { token: token.map(Into::into) };
        self.candidates.insert(self.distance(&id), Candidate { address: from, state });
        for (id, address) in nodes {
            self.hear_of(&from, id, *address);
        }
        true
    }

    /// Notes that a node will not answer.
    pub(super) fn handle_refusal(&mut self, from: SocketAddr) {
        if self.waiting.remove(&from).is_some() {
            self.candidates.retain(|_, candidate| candidate.address != from);
        }
    }

    /// Leaves the search little time, since what was sought is there.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.end = self.end.min(now + PATIENCE);
    }

    /// Returns the nearest nodes that answered, with what they want to see when asked to keep something.
    pub(super) fn nearest(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.answered().filter_map(|(address, token)| Some((address, token?))).take(NEAREST)
    }

    /// Returns all nodes that answered.
    pub(super) fn answered(&self) -> impl Iterator<Item = (SocketAddr, Option<&[u8]>)> {
        self.candidates.values().filter_map(|candidate| match &candidate.state {
            State::Answered { token } => Some((candidate.address, token.as_deref())),
            State::HeardOf | State::Asked => None,
        })
    }

    /// Picks the nearest that was not asked, if it is among the nearest at all.
    fn next(&mut self) -> Option<SocketAddr> {
        while let Some(address) = self.first.pop_front() {
            if !self.asked.contains(&address) {
                return Some(address);
            }
        }
        let near = self.candidates.values_mut().take(NEAREST);
        let candidate = near.into_iter().find(|candidate| matches!(candidate.state, State::HeardOf))?;
        candidate.state = State::Asked;
        Some(candidate.address)
    }

    fn hear_of(&mut self, from: &SocketAddr, id: &Place, address: SocketAddr) {
        let known = self.asked.contains(&address)
            || self.candidates.values().any(|candidate| candidate.address == address);
        if known || !is_plausible(from, &address) {
            return;
        }
        if !address.ip().is_loopback() {
            // Many nodes in one place are somebody's who wants to be asked, or be asked for another.
            let neighbours = self.neighbours.entry(neighbourhood(address.ip())).or_insert(0);
            if *neighbours == NEIGHBOURS {
                return;
            }
            *neighbours += 1;
        }
        self.candidates.entry(self.distance(id)).or_insert(Candidate { address, state: State::HeardOf });
        if self.candidates.len() > KNOWN {
            let far = self.candidates.iter().rev().find(|(_, one)| matches!(one.state, State::HeardOf));
            if let Some(far) = far.map(|(distance, _)| *distance) {
                self.candidates.remove(&far);
            }
        }
    }

    fn distance(&self, id: &Place) -> Place {
        std::array::from_fn(|at| match (id.get(at), self.target.get(at)) {
            (Some(a), Some(b)) => a ^ b,
            _ => 0,
        })
    }
}

/// Tells whether an address may be true, and is one that this teller may send us to.
fn is_plausible(from: &SocketAddr, told: &SocketAddr) -> bool {
    let family = |address: &SocketAddr| address.ip().to_canonical().is_ipv4();
    family(from) == family(told)
        && match Scope::of(told) {
            Scope::Nowhere => false,
            Scope::Machine => Scope::of(from) == Scope::Machine,
            Scope::Interface | Scope::Network => {
                matches!(Scope::of(from), Scope::Machine | Scope::Interface | Scope::Network)
            }
            Scope::World => true,
        }
}

/// Returns what is usually one network of one owner.
fn neighbourhood(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => IpAddr::from((ip.to_bits() & !0xff).to_be_bytes()),
        IpAddr::V6(ip) => IpAddr::from((ip.to_bits() >> 80 << 80).to_be_bytes()),
    }
}

/// How many nodes a search starts with at most.
const START: usize = 16;
/// How many are asked at once.
const AT_ONCE: usize = 6;
/// How many are asked at all.
const MOST: usize = 96;
/// How many of those heard of are remembered.
const KNOWN: usize = 128;
/// How many of one neighbourhood.
const NEIGHBOURS: usize = 2;
/// How many nodes keep a record (BEP 5's K).
const NEAREST: usize = 8;
/// How long one node may take.
pub(super) const PATIENCE: Duration = Duration::from_millis(1500);
/// How long all of it may take.
const LONGEST: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u32) -> (Place, SocketAddr) {
        let hash = crypto::danger_sha1(&[&number.to_be_bytes()]);
        // Each in a network of its own.
        (hash, SocketAddr::from(((0x0101_0001 + (number << 8)).to_be_bytes(), 6881)))
    }

    /// Runs a search in a network in which each node knows of those that `knows` says.
    fn run(
        target: Place,
        knows: impl Fn(SocketAddr) -> Option<(Place, Vec<(Place, SocketAddr)>)>,
    ) -> (Search, usize) {
        let now = Instant::now();
        let mut search = Search::new(target, [node(0).1], now);
        let (mut asked, mut now) = (Vec::new(), now);
        loop {
            match search.poll(now) {
                Step::Ask(address) => asked.push(address),
                Step::Wait(until) => {
                    let Some(address) = asked.pop() else {
                        now = until;
                        continue;
                    };
                    if let Some((id, nodes)) = knows(address) {
                        assert!(search.handle_answer(address, id, Some(b"token"), &nodes));
                    }
                }
                Step::Done => return (search, 0),
            }
        }
    }

    #[test]
    fn finds_the_nearest_of_many() {
        const COUNT: u32 = 2000;
        let target = [0x55; 20];
        let all: BTreeMap<_, _> = (0..COUNT).map(node).map(|(id, address)| (address, id)).collect();
        let far = |from: &Place, to: &Place| -> Place { std::array::from_fn(|at| from[at] ^ to[at]) };
        let (search, _) = run(target, |address| {
            let id = all[&address];
            // As a routing table: some of each distance from the node, and so more of those near to it.
            let mut known: Vec<_> = all.iter().map(|(address, id)| (*id, *address)).collect();
            known.sort_by_key(|(other, _)| far(other, &id));
            let bucket = |bits| {
                let bucket = &known[1usize << bits >> 1..known.len().min(1usize << bits)];
                bucket.iter().step_by(bucket.len().div_ceil(8)).copied()
            };
            let mut table: Vec<_> = (3..12).flat_map(bucket).collect();
            table.extend_from_slice(&known[1..8]);
            table.sort_by_key(|(other, _)| far(other, &target));
            table.truncate(8);
            Some((id, table))
        });
        let mut best: Vec<_> = all.iter().map(|(address, id)| (far(id, &target), *address)).collect();
        best.sort();
        let found: Vec<_> = search.nearest().map(|(address, _)| address).collect();
        let hits = best[..8].iter().filter(|(_, address)| found.contains(address)).count();
        assert!(hits >= 7, "{hits} of the eight nearest");
        assert!(search.asked.len() < 60, "{} asked", search.asked.len());
    }

    #[test]
    fn one_who_always_knows_somebody_nearer_does_not_keep_it_going() {
        let count = std::cell::Cell::new(1);
        let (search, _) = run([0; 20], |_| {
            let nearer = |_| {
                count.set(count.get() + 1);
                let mut id = [0xff; 20];
                id[..4].copy_from_slice(&(u32::MAX - count.get()).to_be_bytes());
                (id, node(count.get()).1)
            };
            Some(([0xfe; 20], (0..24).map(nearer).collect()))
        });
        assert!(search.asked.len() <= MOST && search.candidates.len() <= KNOWN + 1);
    }

    #[test]
    fn silence_ends_it() {
        let (search, _) = run([0; 20], |_| None);
        assert_eq!((search.nearest().count(), search.asked.len()), (0, 1));
    }

    #[test]
    fn nobody_is_flooded_through_us_and_no_one_speaks_for_a_network() {
        let now = Instant::now();
        let public: SocketAddr = "192.0.2.1:6881".parse().unwrap();
        let mut search = Search::new([0; 20], [public], now);
        assert_eq!(search.poll(now), Step::Ask(public));
        let told = [
            "198.51.100.1:1",
            "198.51.100.2:1",
            "198.51.100.3:1",
            "198.51.100.3:2",
            "127.0.0.1:9",
            "10.0.0.1:9",
            "169.254.0.1:9",
            "224.0.0.1:9",
            "255.255.255.255:9",
            "0.0.0.0:9",
            "203.0.113.5:0",
            "[2001:db8::1]:9",
        ];
        let told: Vec<_> =
            told.iter().enumerate().map(|(at, one)| ([at as u8 + 1; 20], one.parse().unwrap())).collect();
        assert!(search.handle_answer(public, [9; 20], None, &told));
        let mut asked = Vec::new();
        while let Step::Ask(address) = search.poll(now) {
            asked.push(address.to_string());
        }
        assert_eq!(asked, ["198.51.100.1:1", "198.51.100.2:1"]);
        // Nor does anybody answer who was not asked, or twice.
        assert!(!search.handle_answer(public, [9; 20], None, &[]));
        assert!(!search.handle_answer("203.0.113.9:1".parse().unwrap(), [0; 20], None, &told));
        assert_eq!(search.nearest().count(), 0, "no token, no record");
    }

    #[test]
    fn addresses_at_home_are_believed_from_home() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(is_plausible(&at("127.0.0.1:1"), &at("127.0.0.1:2")));
        assert!(is_plausible(&at("10.0.0.1:1"), &at("192.168.0.1:2")));
        assert!(is_plausible(&at("[2001:db8::1]:1"), &at("[2001:db8::2]:2")));
        assert!(!is_plausible(&at("[2001:db8::1]:1"), &at("[fd00::2]:2")));
        assert!(!is_plausible(&at("[2001:db8::1]:1"), &at("[ff02::2]:2")));
        for home in ["[::ffff:127.0.0.1]:2", "[::ffff:10.0.0.1]:2", "[::ffff:192.0.2.1]:2"] {
            assert!(!is_plausible(&at("[2001:db8::1]:1"), &at(home)), "{home}");
        }
    }
}
