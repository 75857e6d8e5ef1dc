//! Checks a small frame's signature on the tunnel's thread while the engine's is still waking up.
//!
//! A signature takes about as long to check as a thread takes to wake, and a message waits for both. Large frames
//! hold many entries to a signature and are left to the engine.

use std::sync::{Arc, OnceLock};

use journal::Vouched;
use wire::Frame;

/// The work on one frame, done once, by whichever thread comes to it first; the other waits for it.
#[derive(Debug, Clone)]
pub struct Early(Option<Arc<Job>>);

#[derive(Debug)]
struct Job {
    frame: Box<[u8]>,
    vouched: OnceLock<Vouched>,
}

impl Early {
    /// Has nothing to do: the engine checks for itself.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Takes on what an event brings, if it is a frame small enough.
    pub(crate) fn of(event: &tunnel::Event) -> Self {
        match event {
            tunnel::Event::Frame { bytes, .. } if bytes.len() <= SMALL => {
                Self(Some(Arc::new(Job { frame: bytes[..].into(), vouched: OnceLock::new() })))
            }
            _ => Self(None),
        }
    }

    /// Does the work, or waits for whoever is at it.
    pub(crate) fn vouched(&self) -> Option<&Vouched> {
        let job = self.0.as_ref()?;
        Some(job.vouched.get_or_init(|| match Frame::decode(&job.frame) {
            Ok(Frame::Entries(runs)) => Vouched::check(&runs),
            _ => Vouched::default(),
        }))
    }
}

/// The largest frame that is checked early: a few messages, and no work worth speaking of if it is rubbish.
const SMALL: usize = 4096;
