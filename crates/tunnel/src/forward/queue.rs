//! A bounded queue that several flows share fairly. No I/O, no clock.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

/// Packets of several flows; each flow has its own bound, and whoever takes them serves the flows in turn, byte for
/// byte. What does not fit is dropped, as a network would.
#[derive(Debug)]
pub(crate) struct FairQueue<K, T> {
    flows: BTreeMap<K, Flow<T>>,
    /// The flows that have packets, in the order of their turns.
    turns: VecDeque<K>,
    bytes: usize,
}

#[derive(Debug)]
struct Flow<T> {
    packets: VecDeque<T>,
    bytes: usize,
    /// How many bytes it may still send in this turn; what it sent beyond is taken from the next.
    credit: isize,
}

/// What a queue holds.
pub(crate) trait Weigh {
    fn weight(&self) -> usize;
}

impl<K: Ord + Copy, T: Weigh> FairQueue<K, T> {
    pub(crate) fn new() -> Self {
        Self { flows: BTreeMap::new(), turns: VecDeque::new(), bytes: 0 }
    }

    /// Adds a packet to a flow; `false` means that it was dropped. Where all is full the longest flow loses its last
    /// packets, so that a few cannot shut out the others.
    pub(crate) fn push(&mut self, key: K, packet: T) -> bool {
        let weight = packet.weight() + OVERHEAD;
        let waiting = self.flows.get(&key).map_or(0, |flow| flow.bytes);
        if waiting + weight > FLOW {
            return false;
        }
        while self.bytes + weight > TOTAL {
            let longest = self.flows.values_mut().max_by_key(|flow| flow.bytes);
            let Some(longest) = longest.filter(|longest| longest.bytes > waiting + weight) else {
                return false;
            };
            let Some(last) = longest.packets.pop_back() else { return false };
            longest.bytes -= last.weight() + OVERHEAD;
            self.bytes -= last.weight() + OVERHEAD;
        }
        let flow = self.flows.entry(key).or_insert_with(|| {
            self.turns.push_back(key);
            Flow { packets: VecDeque::new(), bytes: 0, credit: TURN }
        });
        flow.packets.push_back(packet);
        flow.bytes += weight;
        self.bytes += weight;
        true
    }

    /// Takes the next packet.
    pub(crate) fn pop(&mut self) -> Option<(K, T)> {
        loop {
            let key = *self.turns.front()?;
            let Some(flow) = self.flows.get_mut(&key) else {
                self.turns.pop_front();
                continue;
            };
            if flow.credit <= 0 {
                flow.credit += TURN;
                self.turns.rotate_left(1);
                continue;
            }
            let Some(packet) = flow.packets.pop_front() else {
                self.flows.remove(&key);
                self.turns.pop_front();
                continue;
            };
            let weight = packet.weight() + OVERHEAD;
            flow.bytes -= weight;
            self.bytes -= weight;
            flow.credit = flow.credit.saturating_sub_unsigned(weight);
            if flow.packets.is_empty() {
                self.flows.remove(&key);
                self.turns.pop_front();
            }
            return Some((key, packet));
        }
    }

    /// Forgets the flows that are not to be kept, and what they hold.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K) -> bool) {
        let bytes = &mut self.bytes;
        self.flows.retain(|key, flow| {
            let keep = keep(key);
            if !keep {
                *bytes -= flow.bytes;
            }
            keep
        });
        self.turns.retain(|key| self.flows.contains_key(key));
    }
}

impl Weigh for Bytes {
    fn weight(&self) -> usize {
        self.len()
    }
}

/// How much one flow may have waiting: two hundred full packets, a burst of a congestion window.
const FLOW: usize = 256 << 10;
/// How much all flows may have waiting.
const TOTAL: usize = 1 << 20;
/// What one flow sends before it is the next one's turn.
const TURN: isize = 3000;
/// What a packet costs beyond its bytes, so that many tiny ones are bounded too.
const OVERHEAD: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(queue: &mut FairQueue<u8, Bytes>, key: u8, size: usize) -> usize {
        (0..).take_while(|_| queue.push(key, Bytes::from(vec![key; size]))).count()
    }

    #[test]
    fn a_flood_leaves_the_other_flows_their_share_byte_for_byte() {
        let mut queue = FairQueue::new();
        let flood = fill(&mut queue, 1, 1200);
        assert!(flood * 1200 < FLOW);
        fill(&mut queue, 2, 100);
        let mut bytes = [0; 3];
        for _ in 0..1000 {
            let (key, packet) = queue.pop().unwrap();
            bytes[usize::from(key)] += packet.len() + OVERHEAD;
        }
        assert!(bytes[1].abs_diff(bytes[2]) <= 2 * 3000, "{bytes:?}");
    }

    #[test]
    fn order_within_a_flow_is_kept_and_an_empty_queue_holds_nothing() {
        let mut queue = FairQueue::new();
        for n in 0..50_u8 {
            assert!(queue.push(n % 3, Bytes::from(vec![n])));
        }
        let mut last = [None; 3];
        while let Some((key, packet)) = queue.pop() {
            assert!(last[usize::from(key)] < Some(packet[0]));
            last[usize::from(key)] = Some(packet[0]);
        }
        assert!(queue.bytes == 0 && queue.flows.is_empty() && queue.turns.is_empty());
    }

    #[test]
    fn a_few_long_flows_do_not_shut_out_another() {
        let mut queue = FairQueue::new();
        for key in 0..4 {
            fill(&mut queue, key, 1000);
        }
        let fifth = fill(&mut queue, 9, 1000);
        assert!((180..200).contains(&fifth), "{fifth}: an even share");
        assert!(queue.bytes <= TOTAL);
        let mut taken = [0; 10];
        while let Some((key, _)) = queue.pop() {
            taken[usize::from(key)] += 1;
        }
        assert!(taken[0..4].iter().all(|count| count + 1 >= taken[9]), "{taken:?}");
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn many_flows_together_are_bounded_and_can_be_forgotten() {
        let mut queue = FairQueue::new();
        for key in 0..255 {
            fill(&mut queue, key, 1000);
        }
        assert!(queue.bytes <= TOTAL);
        queue.retain(|key| *key == 1);
        while let Some((key, _)) = queue.pop() {
            assert_eq!(key, 1);
        }
        assert_eq!(queue.bytes, 0);
    }
}
