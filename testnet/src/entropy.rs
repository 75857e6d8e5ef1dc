use crypto::Entropy;

/// Randomness that is the same in every run: SHA-256 over a seed and a counter.
#[derive(Debug, Clone)]
pub struct Seeded {
    seed: u64,
    counter: u64,
}

impl Seeded {
    /// Starts a stream of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    /// Returns a number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        u64::from_be_bytes(self.bytes()) % bound
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            self.counter += 1;
            let block = crypto::hash("testnet", &[&self.seed.to_be_bytes(), &self.counter.to_be_bytes()]);
            for (to, from) in chunk.iter_mut().zip(block) {
                *to = from;
            }
        }
    }
}
