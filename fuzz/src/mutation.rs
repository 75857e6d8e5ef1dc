/// Changes valid encodings, by a sequence that its seed determines.
#[derive(Debug, Clone)]
pub struct Mutator(u64);

impl Mutator {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Puts a changed copy of one of `seeds` into `bytes`.
    pub fn mutate(&mut self, seeds: &[Vec<u8>], bytes: &mut Vec<u8>) {
        bytes.clear();
        let seed: &Vec<u8> = self.pick(seeds);
        bytes.extend_from_slice(seed);
        for _ in 0..=self.below(4) {
            self.change(seeds, bytes);
            bytes.truncate(LONGEST);
        }
    }

    fn change(&mut self, seeds: &[Vec<u8>], bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        match self.below(10) {
            0 | 1 => {
                let bit = self.below(8);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
            }
            2 => {
                let value = *self.pick(TELLING);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte = value);
            }
            3 => bytes.truncate(at),
            4 => {
                let end = at + self.below(bytes.len() - at + 1).min(self.below(64));
                bytes.drain(at..end);
            }
            5 => {
                let fresh: Vec<u8> = (0..=self.below(16)).map(|_| self.below(256) as u8).collect();
                splice(bytes, at, 0, &fresh);
            }
            6 => {
                let other = self.pick(seeds);
                let from = self.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(other.get(from..).unwrap_or_default());
            }
            7 => {
                let large = *self.pick(LENGTHS);
                let over = self.below(2) * large.len();
                splice(bytes, at, over, large);
            }
            8 => {
                let length = self.below((bytes.len() - at).min(128) + 1);
                let block = bytes.get(at..at + length).unwrap_or_default().to_vec();
                let times = 1 << self.below(10);
                splice(bytes, at, 0, &block.repeat(times.min(LONGEST / (length + 1))));
            }
            _ => {
                let other = self.pick(seeds);
                let from = self.below(other.len() + 1);
                let length = self.below((other.len() - from).min(64) + 1);
                splice(bytes, at, length, other.get(from..from + length).unwrap_or_default());
            }
        }
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        of.get(self.below(of.len())).expect("no list here is empty")
    }

    /// Returns a number below `limit`, or 0.
    fn below(&mut self, limit: usize) -> usize {
        // SplitMix64 (Steele, Lea and Flood 2014).
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((u128::from(z) * limit as u128) >> 64) as usize
    }
}

/// Puts `fresh` in the place of up to `over` bytes.
fn splice(bytes: &mut Vec<u8>, at: usize, over: usize, fresh: &[u8]) {
    let end = (at + over).min(bytes.len());
    bytes.splice(at..end, fresh.iter().copied());
}

/// The longest input; every decoder's own bound is shorter or has the same effect at this length.
const LONGEST: usize = 64 << 10;
/// Bytes that mean something in most encodings.
const TELLING: &[u8] = &[0, 1, 2, 0x7f, 0x80, 0xff, b'"', b'{', b' '];
/// Lengths that are not borne out by what follows: varints, then big-endian.
const LENGTHS: &[&[u8]] = &[
    &[0xff, 0x7f],
    &[0xff, 0xff, 0x3f],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
    &[0x00, 0x10, 0x00, 0x00],
    &[0xff, 0xff, 0xff, 0xff],
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_hardly_ever_the_same_twice() {
        let seeds = [b"some valid encoding".to_vec(), vec![7; 300]];
        let inputs = |seed| {
            let mut mutator = Mutator::new(seed);
            let mut bytes = Vec::new();
            let input = |_| {
                mutator.mutate(&seeds, &mut bytes);
                bytes.clone()
            };
            (0..1000).map(input).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        assert!(inputs(1).into_iter().collect::<BTreeSet<_>>().len() > 800);
    }
}
