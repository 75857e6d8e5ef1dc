//! Tries mutated bytes on every decoder of bytes from outside.
//!
//! [`decoders`] is the table: each with valid encodings to start from, what it may cost, and how it is run. Two
//! things drive it: the program `mutate` (and a test in small), which changes the valid encodings at random but
//! reproducibly, and the targets under `libfuzzer/`, which are guided by coverage.
//!
//! # The invariant
//! Whatever the bytes, a decoder returns: it does not panic, holds no more memory than its [`Bound`] at any moment,
//! and takes no longer than that says.

#![warn(missing_docs)]

mod decoders;
mod mutation;
mod trial;

pub use decoders::{Bound, Decoder, Run, decoders};
pub use mutation::Mutator;
pub use trial::{Report, Violation, trial};

use std::{alloc::System, sync::LazyLock};

use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc};

/// Counts what is allocated, so that a decoder's peak can be read off.
#[global_allocator]
static ALLOCATOR: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs one decoder on some bytes, for a target of libfuzzer; panics where the decoder does.
pub fn target(name: &str, bytes: &[u8]) {
    static TABLE: LazyLock<Vec<Decoder>> = LazyLock::new(decoders);
    let decoder = TABLE.iter().find(|decoder| decoder.name == name);
    (decoder.expect("a target is named after its decoder").run)(bytes);
}
