//! Where frames wait to be written, link by link.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::mpsc;
use wire::{DeviceId, limits};

use crate::LinkId;

/// The outboxes of all links that are up, for whoever sends on any thread.
#[derive(Debug, Default)]
pub(crate) struct Outboxes(RwLock<BTreeMap<(DeviceId, LinkId), Outbox>>);

impl Outboxes {
    /// Queues a frame; what finds its outbox full comes back. A frame for a link that is down is dropped.
    pub(crate) fn push(&self, link: (DeviceId, LinkId), frame: Vec<u8>) -> Result<(), Vec<u8>> {
        let outboxes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        outboxes.get(&link).map_or(Ok(()), |outbox| outbox.push(frame))
    }

    pub(crate) fn add(&self, link: (DeviceId, LinkId), outbox: Outbox) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(link, outbox);
    }

    pub(crate) fn remove(&self, link: &(DeviceId, LinkId)) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(link);
    }
}

/// What waits to be written on one link.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    queue: mpsc::UnboundedSender<Out>,
    queued: Arc<AtomicUsize>,
}

/// One frame that waits.
#[derive(Debug)]
pub(crate) enum Out {
    Frame(Vec<u8>),
    /// Goes out although the other side is to get nothing else any more.
    Always(Vec<u8>),
}

/// The other end of an outbox, for the one that writes.
pub(crate) struct Outgoing {
    queue: mpsc::UnboundedReceiver<Out>,
    queued: Arc<AtomicUsize>,
}

impl Outgoing {
    /// Takes what waits, at most so many frames; none once nobody can queue any more.
    pub(crate) async fn take(&mut self, batch: &mut Vec<Out>, count: usize) -> usize {
        self.queue.recv_many(batch, count).await
    }

    /// Takes note that frames were written, with [`OVERHEAD`] each.
    pub(crate) fn written(&self, bytes: usize) {
        self.queued.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Outbox {
    /// Makes an outbox and its other end.
    pub(crate) fn new() -> (Self, Outgoing) {
        let (queue, frames) = mpsc::unbounded_channel();
        let queued = Arc::<AtomicUsize>::default();
        (Self { queue, queued: queued.clone() }, Outgoing { queue: frames, queued })
    }

    /// Queues a frame. One that finds no room comes back, and so does all that follows: the link has to be closed.
    pub(crate) fn push(&self, frame: Vec<u8>) -> Result<(), Vec<u8>> {
        if frame.is_empty() || frame.len() > limits::FRAME {
            tracing::error!(length = frame.len(), "the engine sent a frame out of bounds");
            return Ok(());
        }
        if self.charge(frame.len()) > ROOM {
            // Not given back by being written, so that no later frame takes its place.
            self.queued.fetch_add(ROOM, Ordering::Relaxed);
            return Err(frame);
        }
        // The writer ends only with the connection, of which the reader tells the shell.
        let _ = self.queue.send(Out::Frame(frame));
        Ok(())
    }

    /// Queues a frame that goes out whatever happens, while the connection lasts.
    pub(crate) fn push_always(&self, frame: Vec<u8>) {
        self.charge(frame.len());
        // As above.
        let _ = self.queue.send(Out::Always(frame));
    }

    fn charge(&self, length: usize) -> usize {
        let length = length + OVERHEAD;
        self.queued.fetch_add(length, Ordering::Relaxed) + length
    }

    /// How many bytes wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }
}

/// How many bytes may wait to be sent on one link.
const ROOM: usize = 32 << 20;
/// What a frame costs beyond its bytes, so that many tiny ones are bounded too.
pub(crate) const OVERHEAD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_full_an_outbox_takes_nothing_more() {
        let (outbox, mut outgoing) = Outbox::new();
        let frame = || vec![7; limits::FRAME];
        while outbox.push(frame()).is_ok() {}
        assert!(outbox.queued() > ROOM);
        // All that was queued is written meanwhile: a frame that came now would stand where one is missing.
        while let Ok(Out::Frame(frame)) = outgoing.queue.try_recv() {
            outgoing.written(frame.len() + OVERHEAD);
        }
        assert_eq!(outbox.push(vec![1]), Err(vec![1]));
    }

    #[test]
    fn frames_for_links_that_are_down_are_dropped() {
        let outboxes = Outboxes::default();
        let link = (DeviceId::new([1; 32]), LinkId(1));
        assert_eq!(outboxes.push(link, vec![1]), Ok(()));
        let (outbox, mut outgoing) = Outbox::new();
        outboxes.add(link, outbox);
        assert_eq!(outboxes.push(link, vec![2]), Ok(()));
        assert!(matches!(outgoing.queue.try_recv(), Ok(Out::Frame(frame)) if frame == [2]));
        outboxes.remove(&link);
        assert_eq!(outboxes.push(link, vec![3]), Ok(()));
        assert!(outgoing.queue.try_recv().is_err());
    }
}
