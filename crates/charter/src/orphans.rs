use std::collections::{BTreeMap, BTreeSet};

use wire::{DeviceId, EntryId, limits};

use crate::Verified;

/// Entries that wait for a parent, at most [`limits::ORPHANS`].
///
/// If there are more, the author with the most of them loses the one that is farthest away (by logical time,
/// then id); authors without any grant count as one. So nobody's flood drives out another's entries.
#[derive(Debug, Clone, Default)]
pub(crate) struct Orphans {
    waiting: BTreeMap<EntryId, Verified>,
    /// Who waits for an entry that has not come.
    children: BTreeMap<EntryId, BTreeSet<EntryId>>,
}

impl Orphans {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn contains(&self, id: &EntryId) -> bool {
        self.waiting.contains_key(id)
    }

    /// Lists the entries that wait.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Verified> {
        self.waiting.values()
    }

    /// Lets an entry wait; returns the one that had to go for it, which may be itself.
    pub(crate) fn add(&mut self, orphan: Verified, known: impl Fn(&DeviceId) -> bool) -> Option<EntryId> {
        let id = orphan.id();
        for parent in orphan.entry().parents.iter().chain(&orphan.entry().previous) {
            self.children.entry(*parent).or_default().insert(id);
        }
        self.waiting.insert(id, orphan);
        if self.waiting.len() <= limits::ORPHANS {
            return None;
        }
        let mut by_author: BTreeMap<Option<DeviceId>, (usize, (u64, EntryId))> = BTreeMap::new();
        for (&id, orphan) in &self.waiting {
            let author = Some(orphan.entry().author).filter(|author| known(author));
            let distance = (orphan.entry().lamport, id);
            let (count, farthest) = by_author.entry(author).or_insert((0, distance));
            *count += 1;
            *farthest = distance.max(*farthest);
        }
        let (_, (_, last)) = by_author.into_values().max_by_key(|(count, _)| *count)?;
        self.remove(&last);
        Some(last)
    }

    /// Returns those who wait for an entry, which has come.
    pub(crate) fn children_of(&mut self, parent: &EntryId) -> BTreeSet<EntryId> {
        self.children.remove(parent).unwrap_or_default()
    }

    pub(crate) fn get(&self, id: &EntryId) -> Option<&Verified> {
        self.waiting.get(id)
    }

    pub(crate) fn remove(&mut self, id: &EntryId) -> Option<Verified> {
        let orphan = self.waiting.remove(id)?;
        for parent in orphan.entry().parents.iter().chain(&orphan.entry().previous) {
            if let Some(children) = self.children.get_mut(parent) {
                children.remove(id);
                if children.is_empty() {
                    self.children.remove(parent);
                }
            }
        }
        Some(orphan)
    }

    /// Drops all that wait for an entry which was refused, and all that wait for those.
    pub(crate) fn drop_descendants(&mut self, refused: EntryId) {
        let mut gone = vec![refused];
        while let Some(id) = gone.pop() {
            for child in self.children_of(&id) {
                self.remove(&child);
                gone.push(child);
            }
        }
    }
}
