use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use peakmem_alloc::PeakMemAllocTrait;
use rustix::time::{ClockId, clock_gettime};

use crate::{ALLOCATOR, Decoder, Mutator};

/// What one decoder did with many inputs.
#[derive(Debug)]
pub struct Report {
    /// The decoder's name.
    pub name: &'static str,
    /// How many inputs it was given.
    pub inputs: u64,
    /// How many of them it took for valid.
    pub accepted: u64,
    /// The most memory it held at once beyond its input, in bytes.
    pub live: usize,
    /// The longest it took, in time of its own thread.
    pub slowest: Duration,
    /// How often it panicked.
    pub panics: u64,
    /// The first inputs that broke a rule.
    pub violations: Vec<Violation>,
}

/// An input that a decoder did not take calmly.
#[derive(Debug)]
pub struct Violation {
    /// What happened.
    pub what: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// Gives a decoder `inputs` mutated encodings.
///
/// Memory is counted for the whole process: nothing else may run in it meanwhile.
pub fn trial(decoder: &Decoder, inputs: u64, seed: u64) -> Report {
    let mut report = Report {
        name: decoder.name,
        inputs,
        accepted: 0,
        live: 0,
        slowest: Duration::ZERO,
        panics: 0,
        violations: Vec::new(),
    };
    let mut mutator = Mutator::new(seed);
    let mut bytes = Vec::new();
    for _ in 0..inputs {
        mutator.mutate(&decoder.seeds, &mut bytes);
        ALLOCATOR.reset_peak_memory();
        let before = thread_time();
        let outcome = catch_unwind(AssertUnwindSafe(|| (decoder.run)(&bytes)));
        let took = thread_time().saturating_sub(before);
        let live = ALLOCATOR.get_peak_memory();
        report.live = report.live.max(live);
        report.slowest = report.slowest.max(took);
        match outcome {
            Ok(accepted) => report.accepted += u64::from(accepted),
            Err(_) => {
                report.panics += 1;
                report.violated("it panicked".to_owned(), &bytes);
            }
        }
        let most = decoder.bound.live(bytes.len());
        if live > most {
            report.violated(format!("it held {live} B where at most {most} B are allowed"), &bytes);
        }
        if took > decoder.bound.time {
            report.violated(format!("it took {took:?}"), &bytes);
        }
    }
    report
}

impl Report {
    fn violated(&mut self, what: String, bytes: &[u8]) {
        if self.violations.len() < SHOWN {
            self.violations.push(Violation { what, bytes: bytes.to_vec() });
        }
    }
}

/// Returns how long this thread has run: other processes do not count.
fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// How many violations are kept.
const SHOWN: usize = 5;
