//! Counts who is in the house, so that nobody can fill it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// The places for connections, in the three phases of a connection's life.
#[derive(Debug)]
pub(super) struct Bounds {
    hall: Mutex<Hall>,
    serving: Arc<Semaphore>,
    listening: Arc<Semaphore>,
}

/// Those who have come in and not yet said what they want.
#[derive(Debug, Default)]
struct Hall {
    next: u64,
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A place in the hall, given up when dropped.
#[derive(Debug)]
pub(super) struct Place {
    bounds: Arc<Bounds>,
    number: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            hall: Mutex::default(),
            serving: Arc::new(Semaphore::new(SERVING)),
            listening: Arc::new(Semaphore::new(LISTENING)),
        }
    }
}

impl Bounds {
    /// Takes a place in the hall; if it is full, the one who has waited longest is sent away.
    ///
    /// The receiver is told when that happens to this one.
    pub(super) fn enter(self: &Arc<Self>) -> (Place, oneshot::Receiver<()>) {
        let (keep, sent_away) = oneshot::channel();
        let mut hall = self.hall.lock().unwrap_or_else(PoisonError::into_inner);
        if hall.waiting.len() >= WAITING
            && let Some((_, longest)) = hall.waiting.pop_first()
        {
            let _ = longest.send(());
        }
        let number = hall.next;
        hall.next += 1;
        hall.waiting.insert(number, keep);
        (Place { bounds: Arc::clone(self), number }, sent_away)
    }

    /// Takes a place for a request that has an end.
    pub(super) fn serve(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.serving).try_acquire_owned().ok()
    }

    /// Takes a place for a listener.
    pub(super) fn listen(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.listening).try_acquire_owned().ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut hall = self.bounds.hall.lock().unwrap_or_else(PoisonError::into_inner);
        hall.waiting.remove(&self.number);
    }
}

const WAITING: usize = 256;
const SERVING: usize = 128;
const LISTENING: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hall_sends_away_who_has_waited_longest() {
        let bounds = Arc::new(Bounds::default());
        let mut first = bounds.enter();
        let second = bounds.enter();
        let mut rest: Vec<_> = (2..WAITING).map(|_| bounds.enter()).collect();
        drop(second);
        rest.push(bounds.enter());
        assert_eq!(first.1.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        rest.push(bounds.enter());
        assert_eq!(first.1.try_recv(), Ok(()));
        assert_eq!(bounds.hall.lock().unwrap().waiting.len(), WAITING);
        drop((first, rest));
        assert!(bounds.hall.lock().unwrap().waiting.is_empty());
    }

    #[test]
    fn places_are_given_back() {
        let bounds = Bounds::default();
        let all: Vec<_> = std::iter::from_fn(|| bounds.listen()).collect();
        assert_eq!(all.len(), LISTENING);
        drop(all);
        assert!(bounds.listen().is_some());
    }
}
