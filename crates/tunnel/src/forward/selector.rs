//! Which path a link uses: over UDP before TCP, and either before any that leads through a member.

use std::time::Duration;

use iroh::endpoint::transports::{
    Addr, FourTuple, PathSelection, PathSelectionContext, PathSelectionData, PathSelector,
};

use crate::tcp::End;

/// Prefers the better kind of path, then the shorter round trip; stays where it is for small gains.
#[derive(Debug)]
pub(crate) struct DirectFirst;

/// Smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    kind: Kind,
    round_trip: Duration,
}

/// The better comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Udp,
    Tcp,
    Member,
}

impl Rank {
    fn of(path: &FourTuple, round_trip: Duration) -> Self {
        // Where both families work, the newer one is the less likely to pass a NAT.
        let handicap = match path.remote() {
            Addr::Ip(address) if address.is_ipv6() => Duration::ZERO,
            _ => IPV6_ADVANTAGE,
        };
        let kind = match path.remote() {
            Addr::Custom(address) if End::read(&address).is_some() => Kind::Tcp,
            Addr::Custom(_) => Kind::Member,
            _ => Kind::Udp,
        };
        Self { kind, round_trip: round_trip + handicap }
    }

    /// Whether a path is worth leaving another for.
    fn is_worth(self, current: Self) -> bool {
        match self.kind.cmp(&current.kind) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal => self.round_trip + WORTH <= current.round_trip,
        }
    }
}

impl PathSelector for DirectFirst {
    fn select(&self, context: &PathSelectionContext<'_>) -> PathSelection {
        let mut selection = PathSelection::none();
        let mut best: Option<(PathSelectionData<'_>, Rank)> = None;
        let mut current: Option<Rank> = None;
        for path in context.paths() {
            let Some(stats) = path.stats() else { continue };
            let rank = Rank::of(path.network_path(), stats.rtt);
            if Some(path.network_path()) == context.current() {
                current = Some(current.map_or(rank, |current| current.min(rank)));
            }
            if best.as_ref().is_none_or(|(_, best)| rank < *best) {
                best = Some((path, rank));
            }
        }
        if let Some((path, rank)) = best
            && current.is_none_or(|current| rank.is_worth(current))
        {
            selection.set(&path);
        }
        selection
    }
}

const IPV6_ADVANTAGE: Duration = Duration::from_millis(3);
/// How much shorter a round trip is worth a move between paths of one kind.
const WORTH: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use iroh_base::CustomAddr;

    use super::*;

    fn rank(remote: Addr, ms: u64) -> Rank {
        Rank::of(&FourTuple::from_remote(remote), Duration::from_millis(ms))
    }

    fn direct(ms: u64) -> Rank {
        rank(Addr::Ip("192.0.2.1:9".parse().unwrap()), ms)
    }

    fn member(ms: u64) -> Rank {
        rank(Addr::Custom(CustomAddr::from_parts(1, &[1; 64])), ms)
    }

    #[test]
    fn a_slow_direct_path_comes_before_a_fast_one_through_a_member() {
        assert!(direct(500).is_worth(member(1)) && direct(500) < member(1));
        assert!(!member(1).is_worth(direct(500)));
    }

    #[test]
    fn tcp_stands_between_udp_and_members() {
        let tcp = |ms| rank(Addr::Custom(End::From([1; 32]).address()), ms);
        assert!(direct(500).is_worth(tcp(1)) && !tcp(1).is_worth(direct(500)));
        assert!(tcp(500).is_worth(member(1)) && !member(1).is_worth(tcp(500)));
    }

    #[test]
    fn small_gains_are_not_worth_a_move() {
        assert!(!direct(18).is_worth(direct(20)) && direct(15).is_worth(direct(20)));
        assert!(!member(18).is_worth(member(20)) && member(15).is_worth(member(20)));
    }
}
