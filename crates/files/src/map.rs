use std::collections::BTreeMap;

use wire::{DecodeError, decode, encode, limits};

/// Which chunks of a file are held, as stretches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChunkMap {
    /// From the first chunk of each stretch to the one behind its last. Stretches neither touch nor overlap.
    stretches: BTreeMap<u64, u64>,
    count: u64,
}

impl ChunkMap {
    /// Holds the first `chunks`.
    pub fn full(chunks: u64) -> Self {
        let stretches = (chunks > 0).then_some((0, chunks)).into_iter().collect();
        Self { stretches, count: chunks }
    }

    /// Returns how many chunks are held.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Tells whether a chunk is held.
    pub fn contains(&self, index: u64) -> bool {
        self.stretches.range(..=index).next_back().is_some_and(|(_, end)| index < *end)
    }

    /// Takes note of a chunk; `false` if it was held before.
    pub fn insert(&mut self, index: u64) -> bool {
        if self.contains(index) {
            return false;
        }
        let (mut start, mut end) = (index, index + 1);
        if let Some((before, until)) = self.stretches.range(..index).next_back().map(|(a, b)| (*a, *b))
            && until == start
        {
            start = before;
        }
        if let Some(until) = self.stretches.remove(&end) {
            end = until;
        }
        self.stretches.insert(start, end);
        self.count += 1;
        true
    }

    /// Forgets a chunk, which turned out not to be there.
    pub fn remove(&mut self, index: u64) {
        let Some((start, end)) = self.stretches.range(..=index).next_back().map(|(a, b)| (*a, *b)) else {
            return;
        };
        if index >= end {
            return;
        }
        self.stretches.remove(&start);
        if start < index {
            self.stretches.insert(start, index);
        }
        if index + 1 < end {
            self.stretches.insert(index + 1, end);
        }
        self.count -= 1;
    }

    /// Lists the stretches, each from its first chunk to the one behind its last.
    pub fn stretches(&self) -> impl Iterator<Item = (u64, u64)> {
        self.stretches.iter().map(|(start, end)| (*start, *end))
    }

    /// Returns the first chunk from `from` on that is not held; it may lie behind the file's end.
    pub fn first_lacking(&self, from: u64) -> u64 {
        match self.stretches.range(..=from).next_back() {
            Some((_, end)) if from < *end => *end,
            _ => from,
        }
    }

    /// Returns the first chunk from `from` on that is held.
    pub fn first_held(&self, from: u64) -> Option<u64> {
        if self.contains(from) {
            return Some(from);
        }
        self.stretches.range(from..).next().map(|(start, _)| *start)
    }

    /// Encodes the map for another device; of very many stretches the first ones.
    pub fn encode(&self) -> Vec<u8> {
        let stretches: Vec<_> = self.stretches().take(limits::FILE_STRETCHES).collect();
        encode(&stretches)
    }

    /// Decodes what another device says it holds of a file of `chunks` chunks.
    pub fn decode(bytes: &[u8], chunks: u64) -> Result<Self, DecodeError> {
        let stretches: Vec<(u64, u64)> = decode(bytes, Self::ENCODED)?;
        DecodeError::check_count("stretches", stretches.len(), limits::FILE_STRETCHES)?;
        let mut map = Self::default();
        let mut behind = None;
        for (start, end) in stretches {
            if start >= end || end > chunks || behind.is_some_and(|behind| start <= behind) {
                return Err(DecodeError::Invalid("stretches out of order or beyond the file"));
            }
            behind = Some(end);
            map.stretches.insert(start, end);
            map.count += end - start;
        }
        Ok(map)
    }

    /// How many bytes a map has at most as it travels.
    pub const ENCODED: usize = 3 + limits::FILE_STRETCHES * 10;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The map is a set of numbers, and travels as one.
        #[test]
        fn a_map_holds_what_was_put_in_and_not_taken_out(
            steps in prop::collection::vec((0..64u64, prop::bool::weighted(0.75)), 0..200),
        ) {
            let (mut map, mut model) = (ChunkMap::default(), BTreeSet::new());
            for (index, put) in steps {
                if put {
                    prop_assert_eq!(map.insert(index), model.insert(index));
                } else {
                    map.remove(index);
                    model.remove(&index);
                }
                prop_assert_eq!(map.count(), model.len() as u64);
                for from in 0..65 {
                    prop_assert_eq!(map.contains(from), model.contains(&from));
                    prop_assert_eq!(map.first_held(from), model.range(from..).next().copied());
                    prop_assert_eq!(map.first_lacking(from), (from..).find(|at| !model.contains(at)).unwrap());
                }
            }
            prop_assert_eq!(ChunkMap::decode(&map.encode(), 64), Ok(map));
        }
    }

    #[test]
    fn a_map_that_says_more_than_there_is_is_refused() {
        let of = |stretches: &[(u64, u64)]| ChunkMap::decode(&encode(&stretches), 10);
        assert!(of(&[(0, 3), (4, 10)]).is_ok());
        for bad in [&[(0, 11)][..], &[(3, 3)], &[(4, 2)], &[(0, 3), (3, 5)], &[(5, 6), (0, 2)]] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
        let many: Vec<_> = (0..=limits::FILE_STRETCHES as u64).map(|at| (2 * at, 2 * at + 1)).collect();
        assert!(ChunkMap::decode(&encode(&many), u64::MAX).is_err());
        assert_eq!(ChunkMap::full(10), of(&[(0, 10)]).unwrap());
    }
}
