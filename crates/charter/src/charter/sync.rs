use wire::{Blob, EntryId, limits};

use super::Charter;

impl Charter {
    /// Names what this device holds: its heads, and ever older entries at doubling distances, so that another
    /// can tell from one frame where the two part.
    pub fn have(&self) -> Vec<EntryId> {
        let entries = self.ledger.entries();
        let mut known: Vec<_> = self.ledger.heads().iter().take(limits::HAVE / 2).copied().collect();
        let mut distance = 1;
        while distance <= entries.len() {
            known.extend(entries.get(entries.len() - distance).map(|entry| entry.id));
            distance *= 2;
        }
        known.extend(entries.first().map(|founding| founding.id));
        known.sort();
        known.dedup();
        known
    }

    /// Returns what another device lacks that named what it [`have`](Self::have)s, parents first.
    pub fn missing_for(&self, have: &[EntryId]) -> Vec<Blob> {
        let held = self.ledger.behind(have.iter().take(limits::HAVE));
        let lacking = self.ledger.entries().iter().enumerate().filter(|(index, _)| !held.contains(*index));
        lacking.map(|(_, entry)| entry.blob.clone()).collect()
    }

    /// Returns a hash of the set of entries: two devices with the same one hold the same entries.
    ///
    /// It covers the heads, each of which names all that lies before it.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = crypto::Hasher::new("hexode/charter/set/1");
        hasher.part(self.circle().as_bytes());
        self.ledger.heads().iter().for_each(|head| hasher.part(head.as_bytes()));
        hasher.finish()
    }
}
