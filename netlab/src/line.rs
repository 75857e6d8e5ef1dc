use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How bad one direction of a line is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line {
    /// How long a packet is under way.
    pub delay: Duration,
    /// How many packets of a hundred are lost.
    pub loss: u64,
    /// How many bits pass in a second, if that is limited.
    pub rate: Option<u64>,
}

/// One direction of a line, at work.
pub(crate) struct Wire {
    line: Line,
    queue: mpsc::Sender<(Instant, Vec<u8>)>,
    /// When all that is queued has gone out.
    free: Instant,
    dice: u64,
}

impl Wire {
    /// Starts to carry; `out` takes what comes out at the other end.
    pub(crate) fn new(line: Line, out: impl Fn(&[u8]) + Send + 'static) -> Self {
        let (queue, packets) = mpsc::channel::<(Instant, Vec<u8>)>();
        thread::spawn(move || {
            for (due, bytes) in packets {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                out(&bytes);
            }
        });
        Self { line, queue, free: Instant::now(), dice: SEED }
    }

    /// Takes a packet, and perhaps loses it.
    pub(crate) fn carry(&mut self, bytes: &[u8]) {
        // The same packets are lost in each run (Knuth's MMIX generator).
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if (self.dice >> 33) % 100 < self.line.loss {
            return;
        }
        let now = Instant::now();
        if let Some(rate) = self.line.rate {
            self.free = self.free.max(now);
            if self.free - now > QUEUE {
                return;
            }
            self.free += Duration::from_secs_f64((bytes.len() + HEADERS) as f64 * 8.0 / rate as f64);
        } else {
            self.free = now;
        }
        // The other end goes with the sockets.
        let _ = self.queue.send((self.free + self.line.delay, bytes.to_vec()));
    }
}

const SEED: u64 = 42;
/// How much a slow line queues before it loses.
const QUEUE: Duration = Duration::from_millis(800);
/// Of IP and UDP.
const HEADERS: usize = 28;
