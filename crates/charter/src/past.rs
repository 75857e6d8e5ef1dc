use std::sync::Arc;

/// A set of entries by their index in the ledger, made for what an entry has behind it.
///
/// Most of what lies behind two neighbouring entries is the same, and most of it is simply everything: the bits
/// are kept in chunks that sets share, and a chunk that is full takes no memory at all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    /// `None` is a full chunk; chunks beyond the last are empty.
    chunks: Vec<Option<Arc<Chunk>>>,
}

type Chunk = [u64; WORDS];
const WORDS: usize = 16;
const BITS: usize = WORDS * 64;

impl Past {
    pub(crate) fn contains(&self, index: usize) -> bool {
        match self.chunks.get(index / BITS) {
            None => false,
            Some(None) => true,
            Some(Some(chunk)) => {
                chunk.get(index % BITS / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
            }
        }
    }

    pub(crate) fn insert(&mut self, index: usize) {
        while self.chunks.len() <= index / BITS {
            self.chunks.push(Some(Arc::new([0; WORDS])));
        }
        let Some(slot) = self.chunks.get_mut(index / BITS) else {
            return;
        };
        let Some(chunk) = slot else { return };
        let words = Arc::make_mut(chunk);
        if let Some(word) = words.get_mut(index % BITS / 64) {
            *word |= 1 << (index % 64);
        }
        if words.iter().all(|&word| word == u64::MAX) {
            *slot = None;
        }
    }

    pub(crate) fn union(&mut self, other: &Self) {
        for (at, theirs) in other.chunks.iter().enumerate() {
            match self.chunks.get_mut(at) {
                None => self.chunks.push(theirs.clone()),
                Some(ours) => join(ours, theirs.as_ref()),
            }
        }
    }
}

/// Adds `theirs` to `ours` and shares the memory of one of them where that is possible.
fn join(ours: &mut Option<Arc<Chunk>>, theirs: Option<&Arc<Chunk>>) {
    let Some(chunk) = ours else { return };
    let Some(theirs) = theirs else {
        *ours = None;
        return;
    };
    if Arc::ptr_eq(chunk, theirs) {
        return;
    }
    let mut both = **chunk;
    both.iter_mut().zip(theirs.iter()).for_each(|(word, more)| *word |= more);
    if both == **theirs {
        *ours = Some(Arc::clone(theirs));
    } else if both.iter().all(|&word| word == u64::MAX) {
        *ours = None;
    } else if both != **chunk {
        *chunk = Arc::new(both);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn past(indices: &BTreeSet<usize>) -> Past {
        let mut past = Past::default();
        indices.iter().for_each(|&index| past.insert(index));
        past
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(
            a in prop::collection::btree_set(0usize..4000, 0..60),
            b in prop::collection::btree_set(0usize..4000, 0..60),
            full in 0usize..3,
        ) {
            let mut a = a;
            a.extend(0..full * BITS);
            let (mut left, right) = (past(&a), past(&b));
            left.union(&right);
            for index in 0..4100 {
                prop_assert_eq!(left.contains(index), a.contains(&index) || b.contains(&index));
                prop_assert_eq!(right.contains(index), b.contains(&index));
            }
        }
    }

    #[test]
    fn a_straight_history_takes_no_more_than_its_last_chunk() {
        let mut past = Past::default();
        (0..10 * BITS).for_each(|index| past.insert(index));
        assert!(past.chunks.iter().all(Option::is_none));
    }
}
