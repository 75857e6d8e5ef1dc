//! What this device knows of the device at the other end of one link, and what it still owes it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tunnel::LinkId;
use wire::{ConversationId, DeviceId, EntryId, EntryPlace};

use super::bodies::{Asked, Vain};

/// One author's chain in one conversation.
pub(crate) type ChainKey = (ConversationId, DeviceId);

/// A link that is up.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    /// The other side has answered our `CharterHave`: we know every charter entry it knew.
    pub(crate) charter_known: bool,
    /// A `CharterHave` of ours is not answered yet.
    pub(crate) charter_asked: bool,
    /// What it last said it holds of the charter, until that is answered at the end of the turn.
    pub(crate) charter_wanted: Option<Vec<EntryId>>,
    /// Its last `CharterHave` was answered in full: content may follow.
    pub(crate) charter_told: bool,
    /// What this device said it holds when it last asked for more of a charter that came in parts.
    pub(crate) charter_said: Vec<EntryId>,
    /// This device's secrets, addresses and frontier were told on this link.
    pub(crate) introduced: bool,
    /// This device has told its whole frontier: content may come.
    pub(crate) frontier_told: bool,
    /// The other side has told its whole frontier: content may be sent.
    pub(crate) frontier_known: bool,
    /// Conversations whose frontier it was told on this link.
    pub(crate) announced: BTreeSet<ConversationId>,
    /// How many entries of each chain it holds, as it said or as it sent them, or were sent to it on this link.
    sent: BTreeMap<ChainKey, u64>,
    /// Chains that it may lack entries of.
    pub(crate) owed: BTreeSet<ChainKey>,
    /// Chains of which it is to be told how far they are stored and read here.
    pub(crate) unreported: BTreeSet<ChainKey>,
    /// Conversations of which entries were refused that may be welcome under a later charter.
    pub(crate) refused: BTreeSet<ConversationId>,
    /// Conversations of which entries came that follow none held here: they are asked for when the turn ends.
    pub(crate) gaps: BTreeSet<ConversationId>,
    /// Chains that the two ends hold differently: one frame with our side's entries proves it to the other.
    pub(crate) forks: BTreeSet<ChainKey>,
    /// `Entries` and `Bodies` frames received on this link and dealt with.
    pub(crate) taken: u64,
    /// The last `taken` that it was told.
    pub(crate) taken_told: u64,
    /// Conversations of which entries came whose time has not come, and when it does: then they are asked for again.
    pub(crate) ahead: BTreeMap<ConversationId, u64>,
    /// Bodies it was asked for.
    pub(crate) asked: Asked,
    /// Bodies it last asked for, until it is answered.
    pub(crate) wanted: Option<Vec<EntryPlace>>,
    /// What it asked for, and was not there.
    pub(crate) vain: Vain,
    /// Groups of which acts came that build on what is not held: asked for once a link.
    pub(crate) acts_asked: BTreeSet<ConversationId>,
    /// Acts came whose authors are not known: they may be under a later charter.
    pub(crate) acts_refused: bool,
    window: Window,
}

impl Link {
    pub(crate) fn new(id: LinkId) -> Self {
        Self {
            id,
            charter_known: false,
            charter_asked: true,
            charter_wanted: None,
            charter_told: false,
            charter_said: Vec::new(),
            introduced: false,
            frontier_told: false,
            frontier_known: false,
            announced: BTreeSet::new(),
            sent: BTreeMap::new(),
            owed: BTreeSet::new(),
            unreported: BTreeSet::new(),
            refused: BTreeSet::new(),
            gaps: BTreeSet::new(),
            forks: BTreeSet::new(),
            taken: 0,
            taken_told: 0,
            ahead: BTreeMap::new(),
            asked: Asked::default(),
            wanted: None,
            vain: Vain::default(),
            acts_asked: BTreeSet::new(),
            acts_refused: false,
            window: Window::default(),
        }
    }

    /// Takes note that the other side holds `len` entries of a chain; what was sent beyond is not known to
    /// have arrived.
    pub(crate) fn told(&mut self, chain: ChainKey, len: u64) {
        self.sent.insert(chain, len);
    }

    /// Takes note that the other side holds at least `len` entries of a chain.
    pub(crate) fn holds(&mut self, chain: ChainKey, len: u64) {
        let sent = self.sent.entry(chain).or_default();
        *sent = (*sent).max(len);
    }

    /// Returns the seq of the next entry of a chain to send.
    pub(crate) fn next(&self, chain: &ChainKey) -> u64 {
        self.sent.get(chain).copied().unwrap_or(0)
    }

    /// Takes note of an `Entries` frame that brings a chain to `len` entries.
    pub(crate) fn sending(&mut self, chain: ChainKey, len: u64, bytes: usize) {
        self.sent.insert(chain, len);
        self.window.push(bytes);
    }

    /// Takes note of a frame of content that brings no chain further.
    pub(crate) fn content(&mut self, bytes: usize) {
        self.window.push(bytes);
    }

    /// Takes note that the other side has dealt with `taken` of our frames.
    pub(crate) fn acknowledged(&mut self, taken: u64) {
        self.window.release(taken);
    }

    /// Tells whether more content may be sent before some of it is acknowledged.
    pub(crate) fn has_room(&self) -> bool {
        self.frontier_known && self.window.bytes < WINDOW
    }
}

/// The frames of content that are under way: sent, and not known to be stored at the other end.
#[derive(Debug, Default)]
struct Window {
    frames: VecDeque<usize>,
    bytes: usize,
    /// How many frames have left the queue.
    released: u64,
}

impl Window {
    fn push(&mut self, bytes: usize) {
        self.frames.push_back(bytes);
        self.bytes += bytes;
    }

    fn release(&mut self, taken: u64) {
        while self.released < taken {
            let Some(bytes) = self.frames.pop_front() else {
                return;
            };
            self.bytes -= bytes;
            self.released += 1;
        }
    }
}

/// How many bytes of content may be under way on one link. Bounds memory at both ends and what is sent twice
/// after a break; large enough to keep a fast path busy over one commit and one round trip.
const WINDOW: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_closes_when_full_and_opens_as_frames_are_taken() {
        let mut window = Window::default();
        for _ in 0..3 {
            window.push(WINDOW / 2);
        }
        assert!(window.bytes >= WINDOW);
        window.release(2);
        assert_eq!((window.bytes, window.released), (WINDOW / 2, 2));
        window.release(2);
        assert_eq!(window.released, 2, "the same number again releases nothing");
        window.release(u64::MAX);
        assert_eq!((window.bytes, window.frames.len()), (0, 0), "a lie frees no more than there is");
    }
}
