//! Which nodes of the DHT are known, so that a search has where to begin.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
};

use crypto::{Entropy, OsEntropy};

/// Nodes that answered, the newest last, and those that a person named.
#[derive(Debug)]
pub(super) struct Nodes {
    named: Vec<SocketAddr>,
    answered: VecDeque<SocketAddr>,
}

impl Nodes {
    pub(super) fn new(named: &[SocketAddr], remembered: &[SocketAddr]) -> Self {
        let mut nodes = Self { named: named.to_vec(), answered: VecDeque::new() };
        nodes.learn(remembered.iter().copied());
        nodes
    }

    /// Notes nodes that answered.
    pub(super) fn learn(&mut self, answered: impl IntoIterator<Item = SocketAddr>) {
        for address in answered {
            self.answered.retain(|known| *known != address);
            self.answered.push_back(address);
        }
        while self.answered.len() > KNOWN {
            self.answered.pop_front();
        }
    }

    /// Forgets nodes that were asked first and did not answer. If none did, it is we who are cut off.
    pub(super) fn forget(&mut self, asked: &[SocketAddr], answered: &[SocketAddr]) {
        if !answered.is_empty() {
            self.answered.retain(|known| !asked.contains(known) || answered.contains(known));
        }
    }

    /// Picks some at random to begin with, all named ones among them while few others are known.
    pub(super) fn start(&self, own: IpAddr) -> Vec<SocketAddr> {
        let fits = |address: &&SocketAddr| address.is_ipv4() == own.is_ipv4();
        let mut known: Vec<_> = self.answered.iter().filter(fits).copied().collect();
        let mut picked = Vec::new();
        while picked.len() < START && !known.is_empty() {
            let at = u64::from_be_bytes(OsEntropy.bytes()) % known.len() as u64;
            picked.push(known.swap_remove(usize::try_from(at).expect("less than a length")));
        }
        if picked.len() < START {
            picked.extend(self.named.iter().filter(fits));
        }
        picked
    }

    /// Returns those to be remembered.
    pub(super) fn remembered(&self) -> Vec<SocketAddr> {
        self.answered.iter().copied().collect()
    }

    pub(super) fn count(&self) -> usize {
        self.answered.len()
    }
}

/// How many are remembered: enough that some still answer after months.
pub(super) const KNOWN: usize = 64;
/// With how many a search begins.
const START: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], number))
    }

    #[test]
    fn the_newest_are_kept_and_the_silent_forgotten() {
        let mut nodes = Nodes::new(&[at(1)], &(100..180).map(at).collect::<Vec<_>>());
        assert_eq!(nodes.remembered(), (116..180).map(at).collect::<Vec<_>>());
        nodes.learn([at(120)]);
        assert_eq!((nodes.count(), nodes.remembered().last()), (KNOWN, Some(&at(120))));
        nodes.forget(&[at(121), at(122)], &[]);
        assert_eq!(nodes.count(), KNOWN, "nobody answers one who is offline");
        nodes.forget(&[at(121), at(122)], &[at(122)]);
        assert!(!nodes.remembered().contains(&at(121)) && nodes.remembered().contains(&at(122)));
    }

    #[test]
    fn named_ones_are_asked_only_while_few_are_known() {
        let own = IpAddr::from([192, 0, 2, 9]);
        let mut nodes = Nodes::new(&[at(1), "[::1]:1".parse().unwrap()], &[]);
        assert_eq!(nodes.start(own), [at(1)]);
        nodes.learn([at(2)]);
        assert_eq!(nodes.start(own), [at(2), at(1)]);
        nodes.learn((10..30).map(at));
        let start = nodes.start(own);
        assert!(start.len() == START && !start.contains(&at(1)));
    }
}
