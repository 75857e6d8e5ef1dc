mod api;
mod charters;
mod conversations;
mod files;
mod flows;
mod frames;
mod tunnels;
mod vaults;

use std::{fmt, time::Duration};

/// A decoder of bytes from outside.
pub struct Decoder {
    /// Its name, and its target's.
    pub name: &'static str,
    /// Valid encodings, all of which it accepts.
    pub seeds: Vec<Vec<u8>>,
    /// What one input may cost.
    pub bound: Bound,
    /// Decodes; tells whether the bytes were valid.
    pub run: Box<Run>,
}

/// How a decoder is run.
pub type Run = dyn Fn(&[u8]) -> bool + Send + Sync;

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decoder({}, {} seeds)", self.name, self.seeds.len())
    }
}

/// What a decoder may cost for one input.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// How many bytes it may hold at once for each byte of input.
    pub factor: usize,
    /// How many bytes it may hold whatever the input.
    pub constant: usize,
    /// How long it may take, in time of its thread.
    pub time: Duration,
}

impl Bound {
    /// Returns the most that may be held at once for an input of a length.
    pub fn live(&self, input: usize) -> usize {
        self.factor * input + self.constant
    }
}

/// Lists every decoder of bytes from outside.
pub fn decoders() -> Vec<Decoder> {
    [
        frames::decoders(),
        charters::decoders(),
        conversations::decoders(),
        files::decoders(),
        flows::decoders(),
        tunnels::decoders(),
        vaults::decoders(),
        api::decoders(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the decoder of a value of at most a few KiB may cost.
const SMALL: Bound = Bound { factor: 16, constant: 16 << 10, time: Duration::from_millis(50) };

/// The same bytes in every run.
struct Counter(u8);

impl crypto::Entropy for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
    }
}
